/* Two tables, and the messages between them: whatever differs is found, and mended by a merge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/bytes.h"
#include "core/value.h"
#include "net/sync.h"
#include "test/lib/prng.h"

#define CAPACITY 60000

static const struct gvs_siphash_key hash_key;

struct side {
    void *mem[GVS_TABLE_COUNT];
    struct gvs_table *table[GVS_TABLE_COUNT];
    struct gvs_sync sync;
    size_t asks, bytes, pushed;
};

struct bench {
    struct side side[2];
    struct gvs_prng prng;
    unsigned loss;
    struct gvs_mono now;
};

static void
open_bench(struct bench *b, uint64_t seed)
{
    struct gvs_hash hash = {.fn = gvs_crypto_siphash, .key = &hash_key};

    memset(b, 0, sizeof *b);
    b->prng = gvs_prng_init(seed);
    b->now.us = 1000000;
    for (size_t i = 0; i < 4; i++) {
        struct side *s = &b->side[i / 2];

        s->mem[i % 2] = calloc(1, gvs_table_footprint(CAPACITY));
        assert_non_null(s->mem[i % 2]);
        s->table[i % 2] = gvs_table_init(s->mem[i % 2], CAPACITY, hash);
    }
}

static void
close_bench(struct bench *b)
{
    for (size_t i = 0; i < 4; i++)
        free(b->side[i / 2].mem[i % 2]);
}

static void
put(struct side *s, uint32_t k, uint64_t version)
{
    struct gvs_key key = {.kind = GVS_KEY_SERVICE};
    uint8_t buf[GVS_ENTRY_LEN_MAX], value[GVS_VALUE_LEN_MAX];
    struct gvs_entry e;
    size_t len;

    key.svc = (struct gvs_svcid){.proto = GVS_PROTO_FWMARK, .fwmark = k + 1};
    key.svc.addr.family = GVS_FAMILY_V4;
    len = gvs_entry_build(buf, &key, gvs_hlc_make(1, 0) + version, &(struct gvs_id){{1}}, true,
                          value, gvs_tombstone_encode(value, false));
    assert_int_equal(gvs_entry_parse(&e, buf, len), GVS_OK);
    assert_true(gvs_table_merge(s->table[GVS_TABLE_CLAIMS], &e) >= 0);
}

static bool
equal(const struct bench *b)
{
    return gvs_table_fingerprint(b->side[0].table[0]) ==
               gvs_table_fingerprint(b->side[1].table[0]) &&
           gvs_table_count(b->side[0].table[0]) == gvs_table_count(b->side[1].table[0]);
}

/* Everything goes over the wire, so that what sync makes is what wire takes. */
static void
deliver(struct bench *b, struct side *from, struct side *to, const struct gvs_msg *sent)
{
    struct gvs_wire_reader r;
    struct gvs_body body;
    struct gvs_msg m;

    gvs_body_init(&body);
    assert_int_equal(gvs_body_add(&body, sent), GVS_OK);
    from->asks += sent->type != GVS_MSG_PUSH;
    from->bytes += body.len;
    if (gvs_prng_chance(&b->prng, b->loss, 100))
        return;
    assert_int_equal(gvs_wire_open(&r, body.b, body.len), GVS_OK);
    assert_true(gvs_wire_next(&r, &m));
    switch (m.type) {
    case GVS_MSG_SUMS:
        gvs_sync_sums(&to->sync, to->table[m.table], &m, gvs_prng_below(&b->prng, 16));
        break;
    case GVS_MSG_IDS:
        gvs_sync_ids(&to->sync, to->table[m.table], &m);
        break;
    case GVS_MSG_WANT:
        gvs_sync_want(&to->sync, &m);
        break;
    case GVS_MSG_PUSH:
        for (size_t i = 0; i < m.entry_count; i++)
            assert_true(gvs_table_merge(to->table[0], &m.entry[i]) >= 0);
        break;
    default:
        fail();
    }
}

static bool
send_one(struct bench *b, struct side *from, struct side *to)
{
    const struct gvs_table *const table[] = {from->table[0], from->table[1]};
    uint8_t bin[GVS_BODY_LEN_MAX];
    size_t room = GVS_BODY_LEN_MAX - 33;
    struct gvs_cargo cargo;
    bool sent = false;
    struct gvs_msg m;

    if (gvs_sync_ask(&from->sync, table, room, &m, bin)) {
        deliver(b, from, to, &m);
        sent = true;
    }
    if (gvs_sync_give(&from->sync, table, room, &m, &cargo)) {
        from->pushed += m.entry_count;
        m.seq = 1;
        deliver(b, from, to, &m);
        sent = true;
    }
    assert_true(from->sync.ask.count <= GVS_SYNC_QUEUE_MAX);
    assert_true(from->sync.give.count <= GVS_SYNC_QUEUE_MAX);
    return sent;
}

/* Searches until both are equal; returns how many were started. */
static unsigned
mend(struct bench *b)
{
    for (unsigned rounds = 0; rounds < 200; rounds++) {
        struct side *starter = &b->side[rounds % 2], *other = &b->side[1 - rounds % 2];

        if (equal(b))
            return rounds;
        b->now.us += GVS_SYNC_INTERVAL_MS_MAX * 1000;
        assert_true(gvs_sync_start(&starter->sync, b->now, GVS_TABLE_CLAIMS,
                                   gvs_table_fingerprint(starter->table[0]),
                                   gvs_table_fingerprint(other->table[0])));
        for (bool sent = true; sent;) {
            sent = send_one(b, starter, other);
            sent |= send_one(b, other, starter);
        }
    }
    fail_msg("not mended");
    return 0;
}

static void
test_whatever_differs_is_mended_in_one_search(void **state)
{
    static const struct {
        const char *why;
        uint32_t both, mine, his, newer;
        size_t asks; /* messages of the search, at most */
    } rows[] = {
        {"one key", 0, 1, 0, 0, 2},
        {"one key among many", 1000, 0, 1, 0, 4},
        {"one newer value", 1000, 0, 0, 1, 6},
        {"some on both sides", 1000, 30, 20, 10, 160},
        {"nothing in common", 0, 500, 500, 0, 600},
        {"an empty side", 0, 5000, 0, 0, 17}, /* the sums, and nothing of each part */
        {"another empty side", 0, 0, 5000, 0, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bench *b = malloc(sizeof *b);
        uint32_t k = 0;

        assert_non_null(b);
        open_bench(b, i);
        for (uint32_t n = 0; n < rows[i].both; n++, k++) {
            put(&b->side[0], k, 1);
            put(&b->side[1], k, n < rows[i].newer ? 2 : 1);
        }
        for (uint32_t n = 0; n < rows[i].mine; n++)
            put(&b->side[0], k++, 1);
        for (uint32_t n = 0; n < rows[i].his; n++)
            put(&b->side[1], k++, 1);
        assert_int_equal(mend(b), 1);
        assert_int_equal(gvs_table_count(b->side[0].table[0]), k);
        print_message("%s: %zu bytes, %zu messages of the search, %zu entries pushed\n",
                      rows[i].why, b->side[0].bytes + b->side[1].bytes,
                      b->side[0].asks + b->side[1].asks, b->side[0].pushed + b->side[1].pushed);
        assert_true(b->side[0].asks + b->side[1].asks <= rows[i].asks);
        close_bench(b);
        free(b);
    }
}

static void
test_more_than_the_queues_hold_takes_some_searches(void **state)
{
    struct bench *b = malloc(sizeof *b);
    unsigned rounds;

    (void)state;
    assert_non_null(b);
    open_bench(b, 1);
    for (uint32_t k = 0; k < 20000; k++)
        put(&b->side[k % 2], k, 1);
    rounds = mend(b);
    print_message("20,000 differences: %u searches\n", rounds);
    assert_true(rounds < 30);
    close_bench(b);
    free(b);
}

static void
test_loss_costs_searches_only(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 30); seed++) {
        struct bench *b = malloc(sizeof *b);

        assert_non_null(b);
        open_bench(b, seed);
        b->loss = 30;
        for (uint32_t k = 0; k < 1000; k++) {
            uint32_t die = gvs_prng_below(&b->prng, 10);

            if (die != 0)
                put(&b->side[0], k, 1 + gvs_prng_below(&b->prng, 2));
            if (die != 1)
                put(&b->side[1], k, 1 + gvs_prng_below(&b->prng, 2));
        }
        mend(b);
        close_bench(b);
        free(b);
    }
}

/* --- pacing --- */

static void
test_a_search_is_not_repeated_too_soon(void **state)
{
    struct gvs_sync *s = calloc(1, sizeof *s);
    struct gvs_mono now = {1000000};
    uint64_t at = now.us;
    unsigned starts = 0;

    (void)state;
    assert_non_null(s);
    for (; now.us < at + 600000000; now.us += 10000) { /* ten minutes in which nothing changes */
        starts += gvs_sync_start(s, now, GVS_TABLE_CLAIMS, 1, 2);
        s->ask.count = 0; /* sent, to no avail */
    }
    assert_in_range(starts, 20, 35);
    at = now.us;
    while (!gvs_sync_start(s, now, GVS_TABLE_CLAIMS, 1, 3)) /* a change: at once, nearly */
        now.us += 10000;
    assert_true(now.us - at <= GVS_SYNC_INTERVAL_MS * 1000);
    assert_false(gvs_sync_start(s, (struct gvs_mono){now.us + 3600000000}, GVS_TABLE_CLAIMS, 1, 4));
    assert_true(gvs_sync_start(s, now, GVS_TABLE_MEMBERS, 1, 4)); /* the other table is apart */
    free(s);
}

static void
test_a_range_that_brings_no_news_is_given_no_further(void **state)
{
    const struct gvs_table *table[GVS_TABLE_COUNT];
    struct bench *b = malloc(sizeof *b);
    struct gvs_msg empty = {.type = GVS_MSG_IDS, .last = UINT64_MAX};
    struct gvs_cargo cargo;
    struct side *s;
    struct gvs_msg m;

    (void)state;
    assert_non_null(b);
    open_bench(b, 1);
    s = &b->side[0];
    table[0] = s->table[0];
    table[1] = s->table[1];
    for (uint32_t k = 0; k < 5000; k++)
        put(s, k, 1);
    gvs_sync_ids(&s->sync, s->table[0], &empty);
    gvs_sync_ids(&s->sync, s->table[0], &empty); /* asked twice, owed once */
    assert_int_equal(s->sync.give.count, 1);
    for (unsigned i = 0; i < 10; i++) {
        assert_true(gvs_sync_give(&s->sync, table, 1000, &m, &cargo));
        gvs_sync_landed(&s->sync, &cargo, i % 2);
    }
    assert_int_equal(s->sync.give.count, 1);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(s->sync.give.count, 1);
        assert_true(gvs_sync_give(&s->sync, table, 1000, &m, &cargo));
        gvs_sync_landed(&s->sync, &cargo, 0);
    }
    assert_int_equal(s->sync.give.count, 0);
    close_bench(b);
    free(b);
}

static void
test_a_lost_part_of_a_range_is_given_again(void **state)
{
    const struct gvs_table *table[GVS_TABLE_COUNT];
    struct bench *b = malloc(sizeof *b);
    struct gvs_msg empty = {.type = GVS_MSG_IDS, .last = UINT64_MAX};
    struct gvs_cargo cargo;
    unsigned i = 0;
    struct gvs_msg m;

    (void)state;
    assert_non_null(b);
    open_bench(b, 1);
    table[0] = b->side[0].table[0];
    table[1] = b->side[0].table[1];
    for (uint32_t k = 0; k < 1000; k++)
        put(&b->side[0], k, 1);
    gvs_sync_ids(&b->side[0].sync, table[0], &empty);
    while (gvs_sync_give(&b->side[0].sync, table, 1000, &m, &cargo)) {
        if (i++ % 3 == 0)
            gvs_sync_lost(&b->side[0].sync, &cargo);
        else
            deliver(b, &b->side[0], &b->side[1], &m);
    }
    assert_true(equal(b));
    close_bench(b);
    free(b);
}

/* --- edges --- */

/* Ranges and counts that somebody else chose: any, and nothing overflows or hangs. */
static void
test_any_range_is_answered_within_bounds(void **state)
{
    struct bench *b = malloc(sizeof *b);
    uint8_t bin[GVS_SUMS_LEN];

    (void)state;
    assert_non_null(b);
    open_bench(b, 7);
    for (uint32_t k = 0; k < 3000; k++)
        put(&b->side[0], k, 1);
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 2000); seed++) {
        struct gvs_prng prng = gvs_prng_init(seed);
        uint64_t x = gvs_prng_next(&prng), y = x + (gvs_prng_next(&prng) >> (seed % 64));
        struct gvs_msg m = {.type = GVS_MSG_SUMS, .first = x < y ? x : y, .last = x < y ? y : x};

        if (seed % 7 == 0)
            m.last = UINT64_MAX;
        gvs_prng_fill(&prng, bin, sizeof bin);
        m.bin = (struct gvs_bytes){bin, sizeof bin};
        gvs_sync_sums(&b->side[0].sync, b->side[0].table[0], &m, (unsigned)seed);
        assert_true(b->side[0].sync.ask.count <= GVS_SUMS_PARTS);
        m.bin.len = 8; /* as IDS: an id of somebody's, in the range */
        gvs_put64(bin, m.first);
        gvs_sync_ids(&b->side[0].sync, b->side[0].table[0], &m);
        gvs_sync_want(&b->side[0].sync, &m);
        while (send_one(b, &b->side[0], &b->side[1]))
            continue;
        gvs_sync_reset(&b->side[1].sync);
    }
    close_bench(b);
    free(b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whatever_differs_is_mended_in_one_search),
        cmocka_unit_test(test_more_than_the_queues_hold_takes_some_searches),
        cmocka_unit_test_teardown(test_loss_costs_searches_only, test_seed_teardown),
        cmocka_unit_test(test_a_search_is_not_repeated_too_soon),
        cmocka_unit_test(test_a_range_that_brings_no_news_is_given_no_further),
        cmocka_unit_test(test_a_lost_part_of_a_range_is_given_again),
        cmocka_unit_test_teardown(test_any_range_is_answered_within_bounds, test_seed_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
