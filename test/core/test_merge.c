/* The laws of merge: whatever the order and however often entries arrive, replicas that saw the
 * same entries hold the same bytes. Small worlds are enumerated whole, big ones are shuffled. */
#include "test/core/entries.h"

/* --- small worlds --- */

#define SIX 6

/* An entry in a few letters. Key: s, a cluster claim on a service; b, node 2's claim on a backend;
 * o, an override; m, a member. Then the stamp's ms, the writer, T for a tombstone, and a weight or
 * incarnation's state. */
struct letter {
    char key;
    uint8_t ms, writer;
    char tombstone;
    uint8_t value;
};

struct world {
    const char *why;
    struct letter letters[SIX];
};

static const struct world worlds[] = {
    {"two keys, older and newer",
     {{'s', 1, 1, 0, 1},
      {'s', 2, 1, 0, 2},
      {'s', 3, 1, 'T', 0},
      {'b', 1, 2, 0, 1},
      {'b', 2, 2, 'T', 0},
      {'b', 3, 2, 0, 3}}},
    {"equal clocks: the writer decides",
     {{'s', 5, 1, 0, 9},
      {'s', 5, 2, 0, 5},
      {'s', 5, 3, 'T', 0},
      {'o', 5, 1, 0, 9},
      {'o', 5, 2, 'T', 0},
      {'o', 5, 3, 0, 1}}},
    {"equal stamps: the tombstone decides, then the bytes",
     {{'s', 5, 1, 0, 1},
      {'s', 5, 1, 0, 2},
      {'s', 5, 1, 'T', 0},
      {'s', 5, 1, 'T', 1},
      {'b', 5, 2, 0, 200},
      {'b', 5, 2, 'T', 0}}},
    {"one key, everything at once",
     {{'o', 5, 1, 0, 1},
      {'o', 5, 1, 'T', 0},
      {'o', 5, 2, 0, 1},
      {'o', 6, 1, 0, 1},
      {'o', 6, 1, 0, 2},
      {'o', 4, 9, 'T', 1}}},
    {"members: incarnation, then state, no clock and no writer",
     {{'m', 1, 0, 0, GVS_ALIVE},
      {'m', 1, 0, 0, GVS_SUSPECT},
      {'m', 2, 0, 0, GVS_ALIVE},
      {'m', 2, 0, 0, GVS_DEAD},
      {'m', 0, 0, 0, GVS_LEFT},
      {'s', 1, 1, 0, 1}}},
};

static struct gvs_key
letter_key(char letter)
{
    struct gvs_key key = {.kind = GVS_KEY_SERVICE};

    if (letter == 'm') {
        key.kind = GVS_KEY_MEMBER;
        key.owner = node(2);
        return key;
    }
    assert_int_equal(gvs_svcid_parse(&key.svc, "10.99.0.1:80", 12, NULL), GVS_OK);
    if (letter == 's')
        return key;
    assert_int_equal(gvs_ep_parse(&key.ep, "10.77.0.4:80", 12, NULL), GVS_OK);
    key.kind = letter == 'b' ? GVS_KEY_BACKEND : GVS_KEY_OVERRIDE;
    key.owner = letter == 'b' ? node(2) : GVS_ID_CLUSTER;
    return key;
}

/* Tombstones with `force`, values that differ in a weight. */
static struct bytes
letter_entry(const struct letter *l)
{
    struct gvs_key key = letter_key(l->key);
    uint64_t order = gvs_hlc_make(l->ms, 0);
    struct gvs_id writer = node(l->writer);
    uint8_t value[GVS_VALUE_LEN_MAX];
    struct bytes out;
    size_t len;

    if (l->key == 'm') {
        order = gvs_member_order(l->ms, (enum gvs_member_state)l->value);
        out.len = gvs_entry_build(out.b, &key, order, &key.owner, false, NULL, 0);
        return out;
    }
    len = l->tombstone ? gvs_tombstone_encode(value, l->value)
                       : gvs_backend_encode(value, &(struct gvs_backend){.weight = l->value});
    out.len = gvs_entry_build(out.b, &key, order, &writer, l->tombstone, value, len);
    return out;
}

/* Of the entries in `subset`, is this one the maximum of its key? */
static bool
is_maximum(const struct bytes *entries, unsigned subset, size_t i)
{
    struct gvs_entry e = parsed(&entries[i]);

    for (size_t k = 0; k < SIX; k++) {
        struct gvs_entry other = parsed(&entries[k]);

        if ((subset >> k & 1) && naive_same_key(&e, &other) && naive_greater(&other, &e))
            return false;
    }
    return subset >> i & 1;
}

/* What a table holds that saw a subset, by the naive order alone. */
struct expected {
    uint64_t fingerprint;
    size_t count, tombstones;
    unsigned held; /* which of the six */
};

static struct expected
expect(const struct bytes *entries, unsigned subset)
{
    struct gvs_hash hash = test_hash(false);
    struct expected x = {0};

    for (size_t i = 0; i < SIX; i++) {
        struct gvs_entry e = parsed(&entries[i]);

        if (!is_maximum(entries, subset, i))
            continue;
        x.fingerprint += hash.fn(hash.key, e.b, e.len);
        x.tombstones += e.tombstone;
        x.count++;
        x.held |= 1u << i;
    }
    return x;
}

static void
check_table(const struct gvs_table *t, const struct bytes *entries, const struct expected *x)
{
    struct gvs_entry got;

    assert_int_equal(gvs_table_count(t), x->count);
    assert_int_equal(gvs_table_tombstones(t), x->tombstones);
    assert_int_equal(gvs_table_fingerprint(t), x->fingerprint);
    for (size_t i = 0; i < SIX; i++) {
        struct gvs_entry e = parsed(&entries[i]);

        if (!(x->held >> i & 1))
            continue;
        assert_true(gvs_table_get(t, e.key, e.key_len, &got));
        assert_int_equal(got.len, e.len);
        assert_memory_equal(got.b, e.b, e.len);
    }
}

/* Every sequence of up to six of the six entries, with repetition: all orders of all multisets. */
static void
enumerate(const struct bytes *entries, const struct expected *expected)
{
    size_t footprint = gvs_table_footprint(SIX);
    void *mem = calloc(1, footprint);
    unsigned sequences = 0;

    assert_non_null(mem);
    for (unsigned length = 1, number = SIX; length <= SIX; length++, number *= SIX) {
        for (unsigned code = 0; code < number; code++, sequences++) {
            struct gvs_table *t = gvs_table_init(memset(mem, 0, footprint), SIX, test_hash(false));
            unsigned seen = 0;

            for (unsigned rest = code, k = 0; k < length; k++, rest /= SIX) {
                struct gvs_entry e = parsed(&entries[rest % SIX]);
                unsigned held = expected[seen].held;
                int news = gvs_table_merge(t, &e);

                seen |= 1u << rest % SIX;
                assert_int_equal(news, expected[seen].held != held);
            }
            check_table(t, entries, &expected[seen]);
        }
    }
    assert_int_equal(sequences, 6 + 36 + 216 + 1296 + 7776 + 46656);
    free(mem);
}

static void
test_every_order_and_repetition_gives_the_maximum(void **state)
{
    struct expected expected[1 << SIX];
    struct bytes entries[SIX];

    (void)state;
    for (size_t w = 0; w < sizeof worlds / sizeof *worlds; w++) {
        print_message("%s\n", worlds[w].why);
        for (size_t i = 0; i < SIX; i++)
            entries[i] = letter_entry(&worlds[w].letters[i]);
        for (unsigned subset = 0; subset < 1 << SIX; subset++)
            expected[subset] = expect(entries, subset);
        enumerate(entries, expected);
    }
}

static void
test_what_wins_is_what_the_header_says(void **state)
{
    static const struct {
        const char *why;
        struct letter wins, loses;
    } rows[] = {
        {"the later clock", {'s', 2, 1, 0, 1}, {'s', 1, 9, 'T', 0}},
        {"of equal clocks the greater writer", {'s', 1, 2, 0, 1}, {'s', 1, 1, 'T', 0}},
        {"of equal stamps the tombstone", {'s', 1, 1, 'T', 0}, {'s', 1, 1, 0, 255}},
        {"of equal tombstones the bytes", {'s', 1, 1, 'T', 1}, {'s', 1, 1, 'T', 0}},
        {"of equal values the bytes", {'s', 1, 1, 0, 3}, {'s', 1, 1, 0, 2}},
        {"a later value over a tombstone", {'b', 2, 2, 0, 1}, {'b', 1, 2, 'T', 0}},
        {"a dead member over one alive", {'m', 7, 0, 0, GVS_DEAD}, {'m', 7, 0, 0, GVS_ALIVE}},
        {"its next incarnation over both", {'m', 8, 0, 0, GVS_ALIVE}, {'m', 7, 0, 0, GVS_DEAD}},
        {"retired over any incarnation", {'m', 1, 0, 0, GVS_LEFT}, {'m', 99, 0, 0, GVS_ALIVE}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bytes wins = letter_entry(&rows[i].wins), loses = letter_entry(&rows[i].loses);
        struct gvs_entry w = parsed(&wins), l = parsed(&loses), got;
        struct gvs_table *t = table_new(2);

        print_message("%s\n", rows[i].why);
        assert_int_equal(gvs_table_merge(t, &l), 1);
        assert_int_equal(gvs_table_merge(t, &w), 1);
        assert_int_equal(gvs_table_merge(t, &l), 0);
        assert_int_equal(gvs_table_merge(t, &w), 0);
        assert_true(gvs_table_get(t, w.key, w.key_len, &got));
        assert_memory_equal(got.b, w.b, w.len);
        free(t);
    }
}

/* --- big worlds --- */

#define BIG 400
#define REPLICAS 4

static struct bytes
random_entry(struct gvs_prng *p)
{
    static const char keys[] = "sbom";
    struct letter l = {
        .key = keys[gvs_prng_below(p, 4)],
        .ms = (uint8_t)(1 + gvs_prng_below(p, 5)),
        .writer = (uint8_t)(1 + gvs_prng_below(p, 3)),
        .tombstone = gvs_prng_chance(p, 1, 3) ? 'T' : 0,
        .value = (uint8_t)gvs_prng_below(p, 2),
    };
    struct gvs_key key = letter_key(l.key);
    struct gvs_entry e;
    struct bytes plain, out;

    if (l.key == 'b')
        l.writer = 2;
    plain = letter_entry(&l);
    e = parsed(&plain);
    key.svc.port = l.key == 'm' ? 0 : (uint16_t)gvs_prng_below(p, 40); /* many services */
    if (l.key == 'm')
        key.owner = node((uint8_t)(1 + gvs_prng_below(p, 40)));
    out.len = gvs_entry_build(out.b, &key, e.order, l.key == 'm' ? &key.owner : &e.writer,
                              e.tombstone, e.value, e.value_len);
    return out;
}

/* All entries once in random order, with repetitions in between. */
static void
merge_shuffled(struct gvs_table *t, const struct bytes *entries, struct gvs_prng *p)
{
    size_t order[BIG];

    for (size_t i = 0; i < BIG; i++) {
        size_t j = gvs_prng_below(p, (uint32_t)i + 1);

        order[i] = order[j];
        order[j] = i;
    }
    for (size_t i = 0; i < BIG; i++) {
        struct gvs_entry e = parsed(&entries[order[i]]);
        struct gvs_entry again = parsed(&entries[order[gvs_prng_below(p, (uint32_t)i + 1)]]);

        assert_true(gvs_table_merge(t, &e) >= 0);
        assert_int_equal(gvs_table_merge(t, &again), 0); /* it came before */
    }
}

static void
check_maxima(const struct gvs_table *t, const struct bytes *entries)
{
    for (size_t i = 0; i < BIG; i++) {
        struct gvs_entry e = parsed(&entries[i]), got;
        bool held = false;

        assert_true(gvs_table_get(t, e.key, e.key_len, &got));
        assert_false(naive_greater(&e, &got));
        for (size_t k = 0; k < BIG && !held; k++)
            held = entries[k].len == got.len && memcmp(entries[k].b, got.b, got.len) == 0;
        assert_true(held);
    }
}

static void
test_replicas_of_a_big_world_are_equal(void **state)
{
    static struct image images[REPLICAS];
    static struct bytes entries[BIG];

    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 50); seed++) {
        struct gvs_prng p = gvs_prng_init(seed);

        for (size_t i = 0; i < BIG; i++)
            entries[i] = random_entry(&p);
        for (size_t r = 0; r < REPLICAS; r++) {
            struct gvs_table *t = table_new(BIG);

            merge_shuffled(t, entries, &p);
            table_image(&images[r], t);
            if (r == 0)
                check_maxima(t, entries);
            assert_int_equal(images[r].fingerprint, images[r].id_sum);
            assert_memory_equal(&images[r], &images[0], sizeof *images);
            free(t);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_order_and_repetition_gives_the_maximum),
        cmocka_unit_test(test_what_wins_is_what_the_header_says),
        cmocka_unit_test_teardown(test_replicas_of_a_big_world_are_equal, test_seed_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
