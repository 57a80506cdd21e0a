/* test/core/test_entry.c */
#include "core/entry.h"
#include "core/err.h"
#include "core/value.h"
#include "test/core/sample.h"
#include "test/lib/child.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

/* clang-format off */
#define V4(a, b, c, d) {GVS_FAMILY_V4, {a, b, c, d}}
#define WEB {GVS_PROTO_TCP, V4(10, 99, 0, 1), 80, 0}
#define AT_8080 {V4(10, 77, 0, 4), 8080}
/* clang-format on */

static const struct gvs_id node1 = {{0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
                                     0x11, 0x11, 0x11, 0x11, 0x11, 0x11}};
static const struct gvs_id node2 = {{0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22,
                                     0x22, 0x22, 0x22, 0x22, 0x22, 0x22}};
#define HLC 0x0000019012340005 /* the order of every row below */

#define ID1 " 11111111 11111111 11111111 11111111 "
#define ID0 " 00000000 00000000 00000000 00000000 "
#define ORDER " 00000190 12340005 "
#define WEB_CLUSTER "0a 53 06 04 0a630001 0050 41"
#define WEB_NODE1 "1a 53 06 04 0a630001 0050 41" ID1
#define BACKEND_CLUSTER "11 53 06 04 0a630001 0050 42 04 0a4d0004 1f90"
#define BACKEND_NODE1 "21 53 06 04 0a630001 0050 42 04 0a4d0004 1f90" ID1
#define OVERRIDE "11 53 06 04 0a630001 0050 4f 04 0a4d0004 1f90"
#define MEMBER1 "11 4d" ID1

static void
test_bytes_are_as_the_header_draws_them(void **state)
{
    static const struct {
        const char *why;
        struct gvs_key key;
        uint64_t order;
        struct gvs_id writer; /* zero: NULL is given */
        bool tombstone;
        uint8_t value[8], value_len;
        const char *hex;
    } rows[] = {
        {"the cluster's service names its writer",
         {GVS_KEY_SERVICE, WEB, {{0}, 0}, {{0}}, 0},
         HLC,
         {{0x22, 1}},
         false,
         {1, 1, 'w'},
         3,
         WEB_CLUSTER ORDER "00 2201 0000 00000000 00000000 00000000 010177"},
        {"the cluster's backend, too",
         {GVS_KEY_BACKEND, WEB, AT_8080, {{0}}, 0},
         HLC,
         {{0x22, 1}},
         false,
         {0},
         0,
         BACKEND_CLUSTER ORDER "00 2201 0000 00000000 00000000 00000000"},
        {"an override, too",
         {GVS_KEY_OVERRIDE, WEB, AT_8080, {{0}}, 0},
         HLC,
         {{0x22, 1}},
         false,
         {1, 1, 1},
         3,
         OVERRIDE ORDER "00 2201 0000 00000000 00000000 00000000 010101"},
        {"a node's tombstone does not",
         {GVS_KEY_SERVICE, WEB, {{0}, 0}, {{1, 2, [15] = 3}}, 0},
         HLC,
         {{1, 2, [15] = 3}},
         true,
         {0},
         0,
         "1a 53 06 04 0a630001 0050 41 0102 0000 00000000 00000000 00000003" ORDER "01"},
        {"nor if it is not asked to",
         {GVS_KEY_SERVICE, WEB, {{0}, 0}, {{1, 2, [15] = 3}}, 0},
         HLC,
         {{0}},
         false,
         {0},
         0,
         "1a 53 06 04 0a630001 0050 41 0102 0000 00000000 00000000 00000003" ORDER "00"},
        {"a suspected member",
         {GVS_KEY_MEMBER, {0}, {{0}, 0}, {{1, 2, [15] = 3}}, 0},
         0x0701,
         {{0}},
         false,
         {1, 1, 'n'},
         3,
         "11 4d 0102 0000 00000000 00000000 00000003 0000000000000701 00 01016e"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct gvs_id *writer = gvs_id_is_cluster(&rows[i].writer) ? NULL : &rows[i].writer;
        uint8_t want[GVS_ENTRY_LEN_MAX], got[GVS_ENTRY_LEN_MAX];
        size_t len = sample_bytes(want, rows[i].hex);
        struct gvs_entry e;

        print_message("%s\n", rows[i].why);
        assert_int_equal(gvs_entry_build(got, &rows[i].key, rows[i].order, writer,
                                         rows[i].tombstone, rows[i].value, rows[i].value_len),
                         len);
        assert_memory_equal(got, want, len);
        assert_int_equal(gvs_entry_parse(&e, got, len), GVS_OK);
        assert_ptr_equal(e.b, got);
        assert_int_equal(e.len, len);
        assert_ptr_equal(e.key, got + 1);
        assert_int_equal(e.key_len, got[0]);
        assert_int_equal(e.kind, rows[i].key.kind);
        assert_int_equal(e.order, rows[i].order);
        assert_int_equal(e.tombstone, rows[i].tombstone);
        assert_int_equal(e.value_len, rows[i].value_len);
        assert_memory_equal(e.value, rows[i].value, rows[i].value_len);
        if (e.kind == GVS_KEY_MEMBER)
            assert_true(gvs_id_is_cluster(&e.writer));
        else if (gvs_id_is_cluster(&rows[i].key.owner))
            assert_memory_equal(&e.writer, writer, sizeof *writer);
        else
            assert_memory_equal(&e.writer, &rows[i].key.owner, sizeof e.writer);
    }
}

static void
test_other_bytes_are_refused_and_leave_the_entry_alone(void **state)
{
    static const struct {
        const char *why, *hex;
        int rc;
    } rows[] = {
        {"a good one", WEB_CLUSTER ORDER "00" ID1 "010177", GVS_OK},
        {"a value of this version's unknown fields only", BACKEND_NODE1 ORDER "00 41 02 0000",
         GVS_OK},
        {"nothing", "", GVS_E_MALFORMED},
        {"a key length and no key", "0a", GVS_E_MALFORMED},
        {"a key length of 0", "00" ORDER "00", GVS_E_MALFORMED},
        {"a key length of 255", "ff 53 06 04 0a630001 0050 41" ORDER "00" ID1, GVS_E_MALFORMED},
        {"a key with a byte too many", "0b 53 06 04 0a630001 0050 41" ORDER "00" ID1,
         GVS_E_MALFORMED},
        {"a key of no kind", "0a 54 06 04 0a630001 0050 41" ORDER "00" ID1, GVS_E_MALFORMED},
        {"a key alone", WEB_CLUSTER, GVS_E_MALFORMED},
        {"no flags", WEB_NODE1 ORDER, GVS_E_MALFORMED},
        {"no writer", WEB_CLUSTER ORDER "00", GVS_E_MALFORMED},
        {"half a writer", WEB_CLUSTER ORDER "00 11111111 11111111", GVS_E_MALFORMED},
        {"a writer that is all zero", WEB_CLUSTER ORDER "00" ID0, GVS_E_MALFORMED},
        {"an override's writer that is all zero", OVERRIDE ORDER "00" ID0, GVS_E_MALFORMED},
        {"an unknown flag", WEB_NODE1 ORDER "02", GVS_E_MALFORMED},
        {"a tombstone with an unknown flag", WEB_NODE1 ORDER "81", GVS_E_MALFORMED},
        {"a stamp of 0", WEB_NODE1 "00000000 00000000 00", GVS_E_MALFORMED},
        {"a stamp in the first millisecond's counter", WEB_NODE1 "00000000 0000ffff 00",
         GVS_E_MALFORMED},
        {"a stamp past the end of time", WEB_NODE1 "fffffff0 00010000 00", GVS_E_MALFORMED},
        {"the last stamp", WEB_NODE1 "fffffff0 0000ffff 00", GVS_OK},
        {"a broken value", WEB_NODE1 ORDER "00 01 05 77", GVS_E_MALFORMED},
        {"a tombstone's broken value", WEB_NODE1 ORDER "01 01", GVS_E_MALFORMED},
        {"a tombstone with force", WEB_NODE1 ORDER "01 01 01 01", GVS_OK},
        {"a byte over", WEB_NODE1 ORDER "00 01 01 77 00", GVS_E_MALFORMED},
        {"a member alive in incarnation 0", MEMBER1 "00000000 00000000 00", GVS_OK},
        {"a member dead in the last", MEMBER1 "7fffffff ffffff02 00", GVS_OK},
        {"a member that left", MEMBER1 "80000000 00000703 00", GVS_OK},
        {"state LEFT without the retired bit", MEMBER1 "00000000 00000703 00", GVS_E_MALFORMED},
        {"the retired bit without state LEFT", MEMBER1 "80000000 00000700 00", GVS_E_MALFORMED},
        {"a retired suspect", MEMBER1 "80000000 00000701 00", GVS_E_MALFORMED},
        {"a state of tomorrow", MEMBER1 "00000000 00000704 00", GVS_E_MALFORMED},
        {"a member is never a tombstone", MEMBER1 "00000000 00000700 01", GVS_E_MALFORMED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t b[GVS_ENTRY_LEN_MAX];
        struct gvs_entry e, before;

        print_message("%s\n", rows[i].why);
        memset(&before, 0, sizeof before);
        before.order = 99;
        memcpy(&e, &before, sizeof e);
        assert_int_equal(gvs_entry_parse(&e, b, sample_bytes(b, rows[i].hex)), rows[i].rc);
        if (rows[i].rc != GVS_OK)
            assert_memory_equal(&e, &before, sizeof e);
    }
}

/* A frame of random fields, unknown ones among them. */
static size_t
random_frame(struct gvs_prng *p, uint8_t *out)
{
    size_t len = 0;

    for (unsigned tag = gvs_prng_below(p, 4); tag < 256; tag += 1 + gvs_prng_below(p, 90)) {
        size_t n = gvs_prng_chance(p, 1, 8) ? gvs_prng_below(p, 256) : gvs_prng_below(p, 5);

        if (tag == 0 || len + 2 + n > GVS_VALUE_LEN_MAX)
            continue;
        out[len] = (uint8_t)tag;
        out[len + 1] = (uint8_t)n;
        gvs_prng_fill(p, out + len + 2, n);
        len += 2 + n;
    }
    return len;
}

static uint64_t
random_order(struct gvs_prng *p, enum gvs_key_kind kind)
{
    if (kind == GVS_KEY_MEMBER)
        return gvs_member_order(gvs_prng_next(p) >> (9 + gvs_prng_below(p, 50)),
                                (enum gvs_member_state)gvs_prng_below(p, 4));
    return gvs_hlc_make(1 + gvs_prng_next(p) % GVS_HLC_MS_MAX, sample_port(p));
}

/* A random entry in out; returns its length. */
static size_t
random_entry(struct gvs_prng *p, struct gvs_key *key, uint8_t *out)
{
    uint8_t value[GVS_VALUE_LEN_MAX];
    struct gvs_id writer;
    bool tombstone;

    sample_key(p, key);
    writer = gvs_id_is_cluster(&key->owner) ? sample_id(p) : key->owner;
    tombstone = key->kind != GVS_KEY_MEMBER && gvs_prng_chance(p, 1, 4);
    return gvs_entry_build(out, key, random_order(p, key->kind), &writer, tombstone, value,
                           random_frame(p, value));
}

/* Whatever parses is exactly what build writes of its parts, in a block of exactly this size. */
static bool
only_canonical(const uint8_t *bytes, size_t len)
{
    uint8_t *b = malloc(len + (len == 0)), back[GVS_ENTRY_LEN_MAX];
    struct gvs_entry e;
    struct gvs_key key;
    bool ok = true;

    memcpy(b, bytes, len);
    if (gvs_entry_parse(&e, b, len) == GVS_OK) {
        ok = gvs_key_parse(&key, e.key, e.key_len) == GVS_OK && key.kind == e.kind &&
             gvs_entry_build(back, &key, e.order, &e.writer, e.tombstone, e.value, e.value_len) ==
                 len &&
             memcmp(back, b, len) == 0;
    }
    free(b);
    return ok;
}

static void
test_random_entries_come_back_and_broken_ones_are_never_something_else(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); seed < test_seed_end(5000); seed++) {
        struct gvs_prng prng = gvs_prng_init(seed);
        uint8_t b[GVS_ENTRY_LEN_MAX], noise[GVS_ENTRY_LEN_MAX + 8];
        struct gvs_key key, back;
        struct gvs_entry e;
        size_t len = random_entry(&prng, &key, b);
        bool ok = gvs_entry_parse(&e, b, len) == GVS_OK && only_canonical(b, len) &&
                  gvs_key_parse(&back, e.key, e.key_len) == GVS_OK &&
                  sample_same(&key, &back, sizeof key);

        for (size_t n = 0; n < len; n++)
            ok = ok && only_canonical(b, n);
        for (int i = 0; i < 30; i++) {
            memcpy(noise, b, len);
            noise[gvs_prng_below(&prng, (uint32_t)len)] = sample_byte(&prng);
            ok = ok && only_canonical(noise, len);
        }
        gvs_prng_fill(&prng, noise, sizeof noise);
        ok = ok && only_canonical(noise, gvs_prng_below(&prng, sizeof noise + 1));
        if (!ok)
            fail_msg("replay with GVS_SEED=%" PRIu64, seed);
    }
}

static void
test_the_longest_entry_fits_and_a_longer_value_does_not_parse(void **state)
{
    struct gvs_key key = {GVS_KEY_BACKEND,
                          {GVS_PROTO_TCP, {GVS_FAMILY_V6, {1}}, 1, 0},
                          {{GVS_FAMILY_V6, {2}}, 2},
                          {{3}},
                          0};
    uint8_t value[GVS_VALUE_LEN_MAX] = {100, 255}, b[GVS_ENTRY_LEN_MAX + 1] = {0};
    struct gvs_entry e;
    size_t len;

    (void)state;
    value[257] = 101;
    value[258] = GVS_VALUE_LEN_MAX - 257 - 2;
    len = gvs_entry_build(b, &key, HLC, NULL, false, value, sizeof value);
    assert_int_equal(len, 1 + GVS_KEY_LEN_MAX + 8 + 1 + GVS_VALUE_LEN_MAX);
    assert_int_equal(gvs_entry_parse(&e, b, len), GVS_OK);
    b[len - sizeof value + 258]++;
    assert_int_equal(gvs_entry_parse(&e, b, len + 1), GVS_E_MALFORMED);
    assert_int_equal(gvs_entry_parse(&e, b, sizeof b), GVS_E_MALFORMED);
}

/* With a bin header of two bytes (msgpack) an ordinary backend takes at most 64 on the wire. */
static void
test_a_plain_v4_backend_is_at_most_62_bytes(void **state)
{
    struct gvs_key key = {GVS_KEY_BACKEND, WEB, AT_8080, GVS_ID_CLUSTER, 0};
    struct gvs_backend plain = {.weight = 1}, heavy = {.weight = GVS_WEIGHT_MAX};
    uint8_t value[GVS_VALUE_LEN_MAX], b[GVS_ENTRY_LEN_MAX];
    size_t len;

    (void)state;
    len = gvs_entry_build(b, &key, HLC, &node1, false, value, gvs_backend_encode(value, &plain));
    print_message("the cluster's, default weight: %zu bytes\n", len);
    assert_true(len <= 62);
    key.owner = node1;
    len = gvs_entry_build(b, &key, HLC, &node1, false, value, gvs_backend_encode(value, &heavy));
    print_message("a node's, weight 65535: %zu bytes\n", len);
    assert_true(len <= 62);
}

struct stored {
    uint8_t b[GVS_ENTRY_LEN_MAX];
    struct gvs_entry e;
};

static void
store(struct stored *s, const struct gvs_key *key, uint64_t order, const struct gvs_id *writer,
      bool tombstone, const uint8_t *value, size_t value_len)
{
    size_t len = gvs_entry_build(s->b, key, order, writer, tombstone, value, value_len);

    assert_int_equal(gvs_entry_parse(&s->e, s->b, len), GVS_OK);
}

static void
test_merge_looks_at_order_then_writer_then_tombstone_then_bytes(void **state)
{
    static const struct gvs_key key = {GVS_KEY_OVERRIDE, WEB, AT_8080, {{0}}, 0};
    static const struct {
        const char *why;
        struct {
            uint64_t order;
            const struct gvs_id *writer;
            bool tombstone;
            uint8_t value[4], value_len;
        } a, b; /* a is the lesser, or the same */
        bool same;
    } rows[] = {
        {"the same", {HLC, &node1, false, {0}, 0}, {HLC, &node1, false, {0}, 0}, true},
        {"a later order beats all",
         {HLC, &node2, true, {9, 1, 9}, 3},
         {HLC + 1, &node1, false, {0}, 0},
         false},
        {"order is compared in all its bits",
         {HLC, &node2, true, {9, 1, 9}, 3},
         {HLC + (UINT64_C(1) << 40), &node1, false, {0}, 0},
         false},
        {"then the writer", {HLC, &node1, true, {9, 1, 9}, 3}, {HLC, &node2, false, {0}, 0}, false},
        {"a tombstone is above a value",
         {HLC, &node1, false, {9, 1, 9}, 3},
         {HLC, &node1, true, {0}, 0},
         false},
        {"then the bytes",
         {HLC, &node1, false, {1, 1, 1}, 3},
         {HLC, &node1, false, {1, 1, 2}, 3},
         false},
        {"bytes are unsigned",
         {HLC, &node1, false, {2, 1, 0x7f}, 3},
         {HLC, &node1, false, {2, 1, 0x80}, 3},
         false},
        {"bytes come before lengths",
         {HLC, &node1, false, {1, 2, 1, 1}, 4},
         {HLC, &node1, false, {2, 0}, 2},
         false},
        {"the longer of two",
         {HLC, &node1, false, {1, 0}, 2},
         {HLC, &node1, false, {1, 0, 2, 0}, 4},
         false},
        {"the force of a tombstone counts, too",
         {HLC, &node1, true, {0}, 0},
         {HLC, &node1, true, {1, 1, 1}, 3},
         false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stored a, b;

        print_message("%s\n", rows[i].why);
        store(&a, &key, rows[i].a.order, rows[i].a.writer, rows[i].a.tombstone, rows[i].a.value,
              rows[i].a.value_len);
        store(&b, &key, rows[i].b.order, rows[i].b.writer, rows[i].b.tombstone, rows[i].b.value,
              rows[i].b.value_len);
        if (rows[i].same) {
            assert_int_equal(gvs_entry_cmp(&a.e, &b.e), 0);
        } else {
            assert_true(gvs_entry_cmp(&a.e, &b.e) < 0);
            assert_true(gvs_entry_cmp(&b.e, &a.e) > 0);
        }
    }
}

static bool
same_bytes(const struct gvs_entry *a, const struct gvs_entry *b)
{
    return a->len == b->len && memcmp(a->b, b->b, a->len) == 0;
}

/* Every pair and every triple of a small world obeys the laws of a total order, and the maximum of
 * three does not depend on how they are taken. */
static void
check_total_order(const struct stored *world, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            const struct gvs_entry *a = &world[i].e, *b = &world[j].e;
            int ab = gvs_entry_cmp(a, b), ba = gvs_entry_cmp(b, a);
            const struct gvs_entry *max = ab < 0 ? b : a;

            assert_int_equal((ab > 0) - (ab < 0), (ba < 0) - (ba > 0));
            assert_int_equal(ab == 0, same_bytes(a, b));
            for (size_t k = 0; k < count; k++) {
                const struct gvs_entry *c = &world[k].e;
                const struct gvs_entry *bc = gvs_entry_cmp(b, c) < 0 ? c : b;
                const struct gvs_entry *left = gvs_entry_cmp(max, c) < 0 ? c : max;
                const struct gvs_entry *right = gvs_entry_cmp(a, bc) < 0 ? bc : a;

                if (ab <= 0 && gvs_entry_cmp(b, c) <= 0)
                    assert_true(gvs_entry_cmp(a, c) <= 0);
                assert_true(same_bytes(left, right));
            }
        }
    }
}

static const struct {
    uint8_t b[4], len;
} small_values[] = {{{0}, 0}, {{1, 0}, 2}, {{1, 1, 5}, 3}, {{1, 1, 200}, 3}, {{1, 0, 2, 0}, 4}};
#define SMALL_VALUES (sizeof small_values / sizeof *small_values)

static void
test_cluster_claims_are_in_a_total_order(void **state)
{
    static const struct gvs_key key = {GVS_KEY_BACKEND, WEB, AT_8080, {{0}}, 0};
    static const struct gvs_id *const writers[] = {&node1, &node2};
    static const uint64_t orders[] = {HLC, HLC + 1};
    struct stored world[2 * 2 * 2 * SMALL_VALUES];
    size_t count = 0;

    (void)state;
    for (size_t o = 0; o < 2; o++)
        for (size_t w = 0; w < 2; w++)
            for (int tombstone = 0; tombstone < 2; tombstone++)
                for (size_t v = 0; v < SMALL_VALUES; v++)
                    store(&world[count++], &key, orders[o], writers[w], tombstone == 1,
                          small_values[v].b, small_values[v].len);
    check_total_order(world, count);
}

static void
test_members_are_in_a_total_order(void **state)
{
    static const struct gvs_key key = {GVS_KEY_MEMBER, {0}, {{0}, 0}, {{1}}, 0};
    struct stored world[2 * 4 * SMALL_VALUES];
    size_t count = 0;

    (void)state;
    for (uint64_t incarnation = 0; incarnation < 2; incarnation++)
        for (enum gvs_member_state s = GVS_ALIVE; s <= GVS_LEFT; s++)
            for (size_t v = 0; v < SMALL_VALUES; v++)
                store(&world[count++], &key, gvs_member_order(incarnation, s), NULL, false,
                      small_values[v].b, small_values[v].len);
    check_total_order(world, count);
}

static void
test_member_order_is_retired_then_incarnation_then_state(void **state)
{
    static const struct {
        const char *why;
        uint64_t incarnation;
        enum gvs_member_state state;
        uint64_t order;
    } rows[] = {
        /* ascending */
        {"the least", 0, GVS_ALIVE, 0},
        {"a suspicion is above", 0, GVS_SUSPECT, 1},
        {"a death above that", 0, GVS_DEAD, 2},
        {"a refutation above all of them", 1, GVS_ALIVE, 0x100},
        {"bits of an incarnation do not spill", 0x1ff, GVS_DEAD, 0x1ff02},
        {"the last incarnation", GVS_INCARNATION_MAX, GVS_ALIVE, 0x7fffffffffffff00},
        {"the last that is not retired", GVS_INCARNATION_MAX, GVS_DEAD, 0x7fffffffffffff02},
        {"who left is above every incarnation", 0, GVS_LEFT, 0x8000000000000003},
        {"and keeps its own", GVS_INCARNATION_MAX, GVS_LEFT, 0xffffffffffffff03},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t order = gvs_member_order(rows[i].incarnation, rows[i].state);

        print_message("%s\n", rows[i].why);
        assert_true(order == rows[i].order);
        assert_true(i == 0 || order > rows[i - 1].order);
        assert_true(gvs_member_incarnation(order) == rows[i].incarnation);
        assert_int_equal(gvs_member_state(order), rows[i].state);
    }
}

/* Does building this entry stop the process? */
static bool
build_dies(const struct gvs_key *key, uint64_t order, const struct gvs_id *writer, bool tombstone,
           const uint8_t *value, size_t value_len)
{
    uint8_t out[GVS_ENTRY_LEN_MAX];
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        child_begin();
        gvs_entry_build(out, key, order, writer, tombstone, value, value_len);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status);
}

static void
test_building_what_nobody_could_parse_stops_the_process(void **state)
{
    static const struct gvs_key cluster = {GVS_KEY_SERVICE, WEB, {{0}, 0}, {{0}}, 0};
    static const struct gvs_key member = {GVS_KEY_MEMBER, {0}, {{0}, 0}, {{1}}, 0};
    static const uint8_t broken[] = {1, 5, 0};
    struct gvs_key own = {GVS_KEY_SERVICE, WEB, {{0}, 0}, node1, 0};

    (void)state;
    assert_false(build_dies(&cluster, HLC, &node1, false, NULL, 0));
    assert_true(build_dies(&cluster, HLC, &GVS_ID_CLUSTER, false, NULL, 0)); /* no writer */
    assert_true(build_dies(&cluster, 1, &node1, false, NULL, 0));            /* no stamp */
    assert_true(build_dies(&cluster, HLC, &node1, false, broken, 3));
    assert_false(build_dies(&own, HLC, &node1, false, NULL, 0));
    assert_true(build_dies(&own, HLC, &node2, false, NULL, 0)); /* somebody else's claim */
    assert_false(build_dies(&member, 0x100, NULL, false, NULL, 0));
    assert_true(build_dies(&member, 0x100, NULL, true, NULL, 0)); /* a member's tombstone */
    assert_true(build_dies(&member, 0x104, NULL, false, NULL, 0));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_are_as_the_header_draws_them),
        cmocka_unit_test(test_other_bytes_are_refused_and_leave_the_entry_alone),
        cmocka_unit_test(test_random_entries_come_back_and_broken_ones_are_never_something_else),
        cmocka_unit_test(test_the_longest_entry_fits_and_a_longer_value_does_not_parse),
        cmocka_unit_test(test_a_plain_v4_backend_is_at_most_62_bytes),
        cmocka_unit_test(test_merge_looks_at_order_then_writer_then_tombstone_then_bytes),
        cmocka_unit_test(test_cluster_claims_are_in_a_total_order),
        cmocka_unit_test(test_members_are_in_a_total_order),
        cmocka_unit_test(test_member_order_is_retired_then_incarnation_then_state),
        cmocka_unit_test(test_building_what_nobody_could_parse_stops_the_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
