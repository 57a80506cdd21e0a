#include "ipvs/ledger.h"
#include "test/lib/prng.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define WORLD 24

/* Thing i of the world: a service or an address, each of either family. */
static struct gvs_svcid
world_service(unsigned i)
{
    struct gvs_svcid s = {.proto = GVS_PROTO_TCP, .addr = {GVS_FAMILY_V4, {10, 99, 0, 1}}};

    if (i % 3 == 0)
        s.addr = (struct gvs_addr){GVS_FAMILY_V6, {0xfd, [15] = 1}};
    s.port = (uint16_t)i;
    if (i % 3 == 1)
        s = (struct gvs_svcid){.addr.family = GVS_FAMILY_V4, .fwmark = i + 1};
    return s;
}

static struct gvs_addr
world_addr(unsigned i)
{
    if (i % 2)
        return (struct gvs_addr){GVS_FAMILY_V4, {10, 99, 1, (uint8_t)i}};
    return (struct gvs_addr){GVS_FAMILY_V6, {0xfd, [15] = (uint8_t)i}};
}

static bool
change(struct gvs_ledger *l, unsigned i, bool ours)
{
    struct gvs_svcid svc = world_service(i);
    struct gvs_addr addr = world_addr(i);

    return i % 4 ? gvs_ledger_service(l, &svc, ours) : gvs_ledger_addr(l, &addr, ours);
}

static bool
has(const struct gvs_ledger *l, unsigned i)
{
    struct gvs_svcid svc = world_service(i);
    struct gvs_addr addr = world_addr(i);

    return i % 4 ? gvs_ledger_has_service(l, &svc) : gvs_ledger_has_addr(l, &addr);
}

static struct gvs_ledger *
ledger_new(size_t records)
{
    void *mem = test_calloc(1, gvs_ledger_footprint(records));

    return gvs_ledger_init(mem, records);
}

static void
test_records_have_the_documented_bytes(void **state)
{
    static const struct {
        const char *why;
        struct gvs_svcid svc; /* or, without a family, */
        struct gvs_addr addr;
        uint8_t len, b[GVS_LEDGER_REC_MAX];
    } rows[] = {
        {"IPv4 service", {6, {4, {10, 99, 0, 1}}, 80, 0}, {0}, 9, {'S', 6, 4, 10, 99, 0, 1, 0, 80}},
        {"IPv6 service",
         {17, {6, {0xfd, [15] = 1}}, 258, 0},
         {0},
         21,
         {'S', 17, 6, 0xfd, [18] = 1, 1, 2}},
        {"mark", {0, {6, {0}}, 0, 5}, {0}, 7, {'S', 0, 6, 0, 0, 0, 5}},
        {"IPv4 address", {0}, {4, {10, 99, 0, 1}}, 6, {'A', 4, 10, 99, 0, 1}},
        {"IPv6 address", {0}, {6, {0xfd, [15] = 1}}, 18, {'A', 6, 0xfd, [17] = 1}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gvs_ledger *l = ledger_new(1), *stored = ledger_new(1);
        bool service = rows[i].svc.addr.family != 0;
        struct gvs_ledger_rec rec;

        print_message("%s\n", rows[i].why);
        if (service)
            assert_true(gvs_ledger_service(l, &rows[i].svc, true));
        else
            assert_true(gvs_ledger_addr(l, &rows[i].addr, true));
        assert_true(gvs_ledger_next(l, &rec));
        assert_false(rec.gone);
        assert_int_equal(rec.len, rows[i].len);
        assert_memory_equal(rec.b, rows[i].b, sizeof rec.b);
        assert_false(gvs_ledger_next(l, &rec));

        assert_int_equal(gvs_ledger_load(stored, rec.b, rec.len, rec.value, rec.value_len), GVS_OK);
        assert_int_equal(gvs_ledger_load(stored, rec.b, rec.len, NULL, 0), GVS_OK); /* once */
        assert_int_equal(gvs_ledger_has_service(stored, &rows[i].svc), service);
        assert_int_equal(gvs_ledger_has_addr(stored, &rows[i].addr), !service);
        assert_int_equal(gvs_ledger_services(stored), service);
        assert_false(gvs_ledger_next(stored, &rec)); /* the store has it */
        test_free(l);
        test_free(stored);
    }
}

static void
test_what_is_no_record_is_malformed(void **state)
{
    static const struct {
        const char *why;
        size_t len;
        uint8_t b[64];
    } rows[] = {
        {"nothing", 0, {0}},
        {"a letter alone", 1, {'S'}},
        {"another letter", 6, {'C', 4, 10, 99, 0, 1}},
        {"a brake without its moment", 2, {'B'}},
        {"more than a brake", 6, {'B', 4, 10, 99, 0, 1}},
        {"a member's key", 17, {'M', 1, 2, 3}},
        {"an address cut off", 5, {'A', 4, 10, 99, 0}},
        {"an address and more", 7, {'A', 4, 10, 99, 0, 1, 0}},
        {"an address of no family", 2, {'A', 0}},
        {"an address of family 5", 6, {'A', 5, 10, 99, 0, 1}},
        {"a v4-mapped address", 18, {'A', 6, [12] = 0xff, 0xff, 10, 99, 0, 1}},
        {"a service cut off", 8, {'S', 6, 4, 10, 99, 0, 1, 0}},
        {"a service and more", 10, {'S', 6, 4, 10, 99, 0, 1, 0, 80, 'A'}},
        {"a service of another protocol", 9, {'S', 51, 4, 10, 99, 0, 1, 0, 80}},
        {"mark 0", 7, {'S', 0, 4}},
        {"a claim on a service", 23, {'S', 0, 4, 0, 0, 0, 5, 'A', 1}},
        {"longer than any", 42, {'S', 6, 6}},
        {"longer than a byte can say", 64, {'A', 4, 10, 99, 0, 1}},
    };
    struct gvs_ledger *l = ledger_new(4);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t *exact = test_malloc(rows[i].len + 1); /* ends where the record ends */

        memcpy(exact + 1, rows[i].b, rows[i].len);
        print_message("%s\n", rows[i].why);
        assert_int_equal(gvs_ledger_load(l, exact + 1, rows[i].len, NULL, 0), GVS_E_MALFORMED);
        test_free(exact);
    }
    assert_int_equal(gvs_ledger_services(l), 0);
    test_free(l);
}

/* What leaves: item i of the world, a service or one of its backends. */
static struct gvs_item
world_item(unsigned i)
{
    struct gvs_svcid svc = world_service(i / 2);
    struct gvs_ep ep = {.addr = world_addr(i), .port = 80};

    return i % 2 ? gvs_item_make_dest(&svc, &ep) : gvs_item_make_service(&svc);
}

static void
test_what_leaves_has_a_record_with_its_time(void **state)
{
    static const uint8_t service[] = {'L', 6, 4, 10, 99, 0, 1, 0, 80, 'A'};
    static const uint8_t dest[] = {'L', 6, 4,  10, 99, 0, 1,    0,   80,
                                   'B', 4, 10, 77, 0,  4, 0x1f, 0x90};
    static const uint8_t at[] = {0, 0, 0, 1, 2, 3, 4, 5},
                         never[] = {255, 255, 255, 255, 255, 255, 255, 255};
    struct gvs_svcid svc = {6, {4, {10, 99, 0, 1}}, 80, 0};
    struct gvs_ep ep = {{4, {10, 77, 0, 4}}, 8080};
    struct gvs_item items[] = {gvs_item_make_service(&svc), gvs_item_make_dest(&svc, &ep)}, item;
    struct gvs_ledger *l = ledger_new(2), *stored = ledger_new(2);
    struct gvs_ledger_rec rec;
    struct gvs_mono until;
    size_t place = 0;

    (void)state;
    assert_true(gvs_ledger_leave(l, &items[1], (struct gvs_mono){0x102030405}));
    assert_true(gvs_ledger_leave(l, &items[0], GVS_MONO_NEVER));
    assert_false(gvs_ledger_has_service(l, &svc)); /* that is another record */
    assert_int_equal(gvs_ledger_services(l), 0);
    assert_true(gvs_ledger_next(l, &rec) && !rec.gone && rec.len == sizeof dest);
    assert_memory_equal(rec.b, dest, sizeof dest);
    assert_int_equal(rec.value_len, 8);
    assert_memory_equal(rec.value, at, 8);
    assert_int_equal(gvs_ledger_load(stored, rec.b, rec.len, rec.value, rec.value_len), GVS_OK);
    assert_true(gvs_ledger_next(l, &rec) && !rec.gone && rec.len == sizeof service);
    assert_memory_equal(rec.b, service, sizeof service);
    assert_memory_equal(rec.value, never, 8);
    assert_int_equal(gvs_ledger_load(stored, rec.b, rec.len, rec.value, rec.value_len), GVS_OK);

    assert_true(gvs_ledger_leaves(stored, &items[1], &until) && until.us == 0x102030405);
    assert_true(gvs_ledger_leaves(stored, &items[0], &until) && until.us == GVS_MONO_NEVER.us);
    assert_true(gvs_ledger_leave(l, &items[1], (struct gvs_mono){0x102030405}));
    assert_false(gvs_ledger_next(l, &rec)); /* the same again is no news */
    assert_true(gvs_ledger_leave(l, &items[1], (struct gvs_mono){7}));
    assert_true(gvs_ledger_next(l, &rec) && !rec.gone && rec.value[7] == 7);
    while (gvs_ledger_each_leaving(l, &place, &item)) {
        assert_true(gvs_item_cmp(&item, &items[0]) == 0 || gvs_item_cmp(&item, &items[1]) == 0);
        gvs_ledger_stay(l, &item);
    }
    assert_true(gvs_ledger_next(l, &rec) && rec.gone);
    assert_true(gvs_ledger_next(l, &rec) && rec.gone);
    assert_false(gvs_ledger_next(l, &rec));
    assert_false(gvs_ledger_leaves(l, &items[0], &until));
    test_free(l);
    test_free(stored);
}

static void
test_the_brake_has_a_record_with_its_end(void **state)
{
    static const uint8_t at[] = {0, 0, 0, 1, 2, 3, 4, 5}, never[8];
    struct gvs_ledger *l = ledger_new(2), *stored = ledger_new(2);
    struct gvs_ledger_rec rec;

    (void)state;
    gvs_ledger_brake(l, (struct gvs_mono){0});
    assert_false(gvs_ledger_next(l, &rec));
    assert_int_equal(gvs_ledger_braked(l).us, 0);
    gvs_ledger_brake(l, (struct gvs_mono){0x102030405});
    assert_true(gvs_ledger_next(l, &rec) && !rec.gone);
    assert_int_equal(rec.len, 2);
    assert_memory_equal(rec.b, ((const uint8_t[]){'B', 0}), 2);
    assert_int_equal(rec.value_len, 8);
    assert_memory_equal(rec.value, at, 8);
    assert_int_equal(gvs_ledger_load(stored, rec.b, 2, never, 8), GVS_E_MALFORMED);
    assert_int_equal(gvs_ledger_load(stored, rec.b, 2, at, 7), GVS_E_MALFORMED);
    assert_int_equal(gvs_ledger_load(stored, rec.b, 2, at, 8), GVS_OK);
    assert_int_equal(gvs_ledger_braked(stored).us, 0x102030405);
    gvs_ledger_brake(l, (struct gvs_mono){0});
    assert_int_equal(gvs_ledger_braked(l).us, 0);
    assert_true(gvs_ledger_next(l, &rec) && rec.gone && rec.len == 2);
    test_free(l);
    test_free(stored);
}

static void
test_what_is_no_record_of_leaving_is_malformed(void **state)
{
    static const struct {
        const char *why;
        size_t len, value_len;
        uint8_t b[64], value[9];
    } rows[] = {
        {"no time", 10, 0, {'L', 6, 4, 10, 99, 0, 1, 0, 80, 'A'}, {0}},
        {"half a time", 10, 7, {'L', 6, 4, 10, 99, 0, 1, 0, 80, 'A'}, {1}},
        {"more than a time", 10, 9, {'L', 6, 4, 10, 99, 0, 1, 0, 80, 'A'}, {1}},
        {"the time 0", 10, 8, {'L', 6, 4, 10, 99, 0, 1, 0, 80, 'A'}, {0}},
        {"no claim", 9, 8, {'L', 6, 4, 10, 99, 0, 1, 0, 80}, {1}},
        {"a node's claim", 26, 8, {'L', 6, 4, 10, 99, 0, 1, 0, 80, 'A', 1}, {1}},
        {"an override", 17, 8, {'L', 6, 4, 10, 99, 0, 1, 0, 80, 'O', 4, 10, 77, 0, 4, 0, 80}, {1}},
        {"a backend cut off",
         16,
         8,
         {'L', 6, 4, 10, 99, 0, 1, 0, 80, 'B', 4, 10, 77, 0, 4, 0},
         {1}},
    };
    struct gvs_ledger *l = ledger_new(4);
    struct gvs_item item;
    size_t at = 0;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("%s\n", rows[i].why);
        assert_int_equal(
            gvs_ledger_load(l, rows[i].b, rows[i].len, rows[i].value, rows[i].value_len),
            GVS_E_MALFORMED);
    }
    assert_false(gvs_ledger_each_leaving(l, &at, &item));
    test_free(l);
}

static void
test_a_full_ledger_says_no_and_stays(void **state)
{
    struct gvs_ledger *l = ledger_new(2);
    struct gvs_ledger_rec rec;
    static const uint8_t third[] = {'A', 4, 10, 99, 0, 3};

    (void)state;
    assert_true(change(l, 1, true) && change(l, 2, true));
    assert_false(change(l, 3, true));
    assert_false(has(l, 3));
    assert_int_equal(gvs_ledger_load(l, third, sizeof third, NULL, 0), GVS_E_FULL);
    assert_true(has(l, 1) && has(l, 2));
    assert_true(change(l, 1, false)); /* its room is free once the store knows */
    assert_false(change(l, 3, true));
    while (gvs_ledger_next(l, &rec))
        ;
    assert_true(change(l, 3, true));
    assert_true(has(l, 2) && has(l, 3) && !has(l, 1));
    assert_int_equal(gvs_ledger_services(l), 2);
    test_free(l);
}

/* Others' services, of whatever kind a kernel shows, can be asked about. */
static void
test_what_can_never_be_ours_is_not(void **state)
{
    static const struct gvs_svcid odd[] = {
        {51, {4, {10, 99, 0, 1}}, 0, 0},
        {0, {4, {10, 99, 0, 1}}, 80, 0},
        {6, {6, {[10] = 0xff, 0xff, 10, 99, 0, 1}}, 80, 0},
        {0},
    };
    static const struct gvs_addr mapped = {6, {[10] = 0xff, 0xff, 10, 99, 0, 1}}, none = {0};
    struct gvs_svcid good = world_service(2);
    struct gvs_ep ep = {mapped, 80};
    struct gvs_item dest = gvs_item_make_dest(&good, &ep), service = world_item(2);
    struct gvs_ledger *l = ledger_new(2);
    struct gvs_mono until;

    (void)state;
    assert_true(gvs_ledger_leave(l, &service, GVS_MONO_NEVER));
    assert_false(gvs_ledger_leave(l, &dest, GVS_MONO_NEVER));
    assert_false(gvs_ledger_leaves(l, &dest, &until));
    gvs_ledger_stay(l, &dest);
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        assert_false(gvs_ledger_has_service(l, &odd[i]));
    assert_false(gvs_ledger_has_addr(l, &mapped));
    assert_false(gvs_ledger_has_addr(l, &none));
    test_free(l);
}

static void
test_changes_come_in_their_order_and_in_their_last_state(void **state)
{
    struct gvs_ledger *l = ledger_new(4);
    struct gvs_svcid a = world_service(2), b = world_service(3);
    struct gvs_ledger_rec rec;

    (void)state;
    assert_true(gvs_ledger_service(l, &b, true));
    assert_true(gvs_ledger_service(l, &a, true));
    assert_false(gvs_ledger_service(l, &a, true));
    assert_true(gvs_ledger_service(l, &b, false));
    assert_false(gvs_ledger_service(l, &b, false));
    assert_true(gvs_ledger_next(l, &rec) && rec.gone && rec.b[2] == b.addr.family);
    assert_true(gvs_ledger_next(l, &rec) && !rec.gone && rec.b[2] == a.addr.family);
    assert_false(gvs_ledger_next(l, &rec));
    assert_false(gvs_ledger_next(l, &rec));
    test_free(l);
}

/* Each service that is in it once, and nothing else, though all are struck out meanwhile. */
static void
each_is_ours(struct gvs_ledger *l, const bool ours[static WORLD])
{
    struct gvs_svcid svc, one;
    unsigned seen = 0, all = 0;
    uint32_t at = 0;

    while (gvs_ledger_each(l, &at, &svc)) {
        for (unsigned i = 0; i < WORLD; i++) {
            one = world_service(i);
            if (i % 4 && gvs_svcid_cmp(&one, &svc) == 0) {
                assert_true(ours[i] && !(seen & 1u << i));
                seen |= 1u << i;
            }
        }
        assert_true(gvs_ledger_service(l, &svc, false));
        all++;
    }
    for (unsigned i = 0; i < WORLD; i++)
        assert_int_equal(seen >> i & 1, ours[i] && i % 4);
    assert_int_equal(all, __builtin_popcount(seen));
}

/* Until when, or 0: it does not. */
static void
leave(struct gvs_ledger *l, unsigned i, uint64_t until)
{
    struct gvs_item item = world_item(i);

    if (until > 0)
        assert_true(gvs_ledger_leave(l, &item, (struct gvs_mono){until}));
    else
        gvs_ledger_stay(l, &item);
}

static uint64_t
leaves(const struct gvs_ledger *l, unsigned i)
{
    struct gvs_item item = world_item(i);
    struct gvs_mono until;

    return gvs_ledger_leaves(l, &item, &until) ? until.us : 0;
}

static size_t
count_leaving(const struct gvs_ledger *l)
{
    struct gvs_item item;
    size_t at = 0, count = 0;

    while (gvs_ledger_each_leaving(l, &at, &item))
        count++;
    return count;
}

static size_t
count_set(const uint64_t until[static WORLD])
{
    size_t count = 0;

    for (unsigned i = 0; i < WORLD; i++)
        count += until[i] > 0;
    return count;
}

/* I2, and all else, against an array of booleans: what the ledger is to say, and what a store has
 * that takes in each record as it comes. At the end a new ledger loads that store. */
static void
test_it_is_a_set_and_the_store_follows(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 300); seed++) {
        struct gvs_prng p = gvs_prng_init(seed);
        struct gvs_ledger *l = ledger_new(2 * WORLD), *again = ledger_new(2 * WORLD);
        bool ours[WORLD] = {false};
        uint64_t until[WORLD] = {0}; /* of what leaves */
        struct gvs_ledger_rec stored[2 * WORLD], rec;
        size_t count = 0, services = 0;

        for (unsigned step = 0; step < 400; step++) {
            unsigned i = gvs_prng_below(&p, WORLD), n;
            bool want = gvs_prng_chance(&p, 1, 2);

            assert_int_equal(change(l, i, want), ours[i] != want);
            ours[i] = want;
            i = gvs_prng_below(&p, WORLD);
            until[i] = gvs_prng_below(&p, 4);
            leave(l, i, until[i]);
            if (gvs_prng_chance(&p, 1, 100)) {
                gvs_ledger_clear(l);
                memset(ours, 0, sizeof ours);
                memset(until, 0, sizeof until);
            }
            for (i = 0; i < WORLD; i++) {
                assert_int_equal(has(l, i), ours[i]);
                assert_int_equal(leaves(l, i), until[i]);
            }
            assert_int_equal(count_leaving(l), count_set(until));
            if (!gvs_prng_chance(&p, 1, 8) && step < 399)
                continue;
            while (gvs_ledger_next(l, &rec)) {
                for (n = 0; n < count; n++)
                    if (stored[n].len == rec.len && !memcmp(stored[n].b, rec.b, rec.len))
                        break;
                if (rec.gone && n < count)
                    stored[n] = stored[--count];
                else if (!rec.gone)
                    stored[n == count ? count++ : n] = rec;
            }
        }
        while (count > 0) {
            count--;
            assert_int_equal(gvs_ledger_load(again, stored[count].b, stored[count].len,
                                             stored[count].value, stored[count].value_len),
                             GVS_OK);
        }
        for (unsigned i = 0; i < WORLD; i++) {
            assert_int_equal(has(again, i), ours[i]);
            assert_int_equal(leaves(again, i), until[i]);
            services += ours[i] && i % 4;
        }
        assert_int_equal(gvs_ledger_services(l), services);
        assert_int_equal(gvs_ledger_services(again), services);
        each_is_ours(again, ours);
        test_free(l);
        test_free(again);
    }
}

static void
test_a_place_is_one_boot_and_one_namespace(void **state)
{
    char a[96], b[96];

    (void)state;
    assert_int_equal(gvs_ledger_place(a), GVS_OK);
    assert_int_equal(gvs_ledger_place(b), GVS_OK);
    assert_string_equal(a, b);
    assert_int_equal(strcspn(a, " "), 36);
    assert_non_null(strchr(a + 37, ':'));
    if (unshare(CLONE_NEWNET) != 0)
        skip(); /* not root */
    assert_int_equal(gvs_ledger_place(b), GVS_OK);
    assert_string_not_equal(a, b);
    assert_memory_equal(a, b, 37);
    /* Of another: the same inode may come back, the cookie does not. */
    assert_int_equal(gvs_ledger_place_of(a, 4, 4026532253, 7), GVS_OK);
    assert_int_equal(gvs_ledger_place_of(b, 4, 4026532253, 8), GVS_OK);
    assert_memory_equal(a, b, 37);
    assert_string_not_equal(a, b);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_have_the_documented_bytes),
        cmocka_unit_test(test_what_is_no_record_is_malformed),
        cmocka_unit_test(test_what_leaves_has_a_record_with_its_time),
        cmocka_unit_test(test_the_brake_has_a_record_with_its_end),
        cmocka_unit_test(test_what_is_no_record_of_leaving_is_malformed),
        cmocka_unit_test(test_a_full_ledger_says_no_and_stays),
        cmocka_unit_test(test_what_can_never_be_ours_is_not),
        cmocka_unit_test(test_changes_come_in_their_order_and_in_their_last_state),
        cmocka_unit_test_teardown(test_it_is_a_set_and_the_store_follows, test_seed_teardown),
        cmocka_unit_test(test_a_place_is_one_boot_and_one_namespace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
