/* Two tables, and the messages between them: whatever differs is found, and mended by a merge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/net/pair.h"

static void
test_whatever_differs_is_mended_in_one_search(void **state)
{
    static const struct {
        const char *why;
        uint32_t both, mine, his, newer;
        size_t sketches, more, want, sums, ids; /* messages, at most */
    } rows[] = {
        {"one key, and nothing else", 0, 1, 0, 0, 0, 0, 1, 0, 1},
        {"one more on the other side", 60, 0, 1, 0, 0, 0, 0, 0, 1},
        {"one key among many", 1000, 0, 1, 0, 1, 0, 0, 0, 0},
        {"one that we lack", 1000, 1, 0, 0, 1, 0, 1, 0, 0},
        {"one newer value", 1000, 0, 0, 1, 1, 0, 1, 0, 0},
        {"forty on both sides", 5000, 20, 20, 0, 1, 0, 1, 0, 0},
        {"some, of all kinds", 1000, 30, 20, 10, 2, 1, 1, 0, 0},
        {"three hundred", 5000, 150, 150, 0, 8, 4, 2, 0, 0},
        {"six hundred, all on one side", 5000, 600, 0, 0, 16, 5, 6, 0, 0},
        {"six hundred, all on the other", 5000, 0, 600, 0, 16, 5, 0, 0, 0},
        {"three thousand", 20000, 1500, 1500, 0, 50, 7, 1600, 400, 4000},
        {"nothing in common", 0, 500, 500, 0, 50, 7, 100, 20, 300},
        {"an empty side", 0, 5000, 0, 0, 50, 7, 0, 1, 16},
        {"another empty side", 0, 0, 5000, 0, 0, 0, 0, 0, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bench *b = open_bench(i);
        uint32_t k = 0, differ;

        for (uint32_t n = 0; n < rows[i].both; n++, k++) {
            put(&b->side[0], k, 1);
            put(&b->side[1], k, n < rows[i].newer ? 2 : 1);
        }
        for (uint32_t n = 0; n < rows[i].mine; n++)
            put(&b->side[0], k++, 1);
        for (uint32_t n = 0; n < rows[i].his; n++)
            put(&b->side[1], k++, 1);
        if (mend(b) != 1)
            fail_msg("%s: not in one search", rows[i].why);
        assert_int_equal(gvs_table_count(b->side[0].table[0]), k);
        assert_int_equal(gvs_table_count(b->side[1].table[0]), k);
        differ = rows[i].mine + rows[i].his + rows[i].newer; /* an older value may be sent, too */
        assert_in_range(b->side[0].pushed + b->side[1].pushed, differ, differ + rows[i].newer);
        print_message("%s: %zu bytes; %zu SKETCH, %zu MORE, %zu WANT, %zu SUMS, %zu IDS; %zu "
                      "entries in %zu PUSH\n",
                      rows[i].why, b->side[0].bytes + b->side[1].bytes, asks(b, GVS_MSG_SKETCH),
                      asks(b, GVS_MSG_MORE), asks(b, GVS_MSG_WANT), asks(b, GVS_MSG_SUMS),
                      asks(b, GVS_MSG_IDS), b->side[0].pushed + b->side[1].pushed,
                      asks(b, GVS_MSG_PUSH));
        if (asks(b, GVS_MSG_SKETCH) > rows[i].sketches || asks(b, GVS_MSG_MORE) > rows[i].more ||
            asks(b, GVS_MSG_WANT) > rows[i].want || asks(b, GVS_MSG_SUMS) > rows[i].sums ||
            asks(b, GVS_MSG_IDS) > rows[i].ids)
            fail_msg("%s: too many messages", rows[i].why);
        close_bench(b);
    }
}

static void
test_more_than_the_queues_hold_takes_some_searches(void **state)
{
    struct bench *b = open_bench(1);
    unsigned rounds;

    (void)state;
    for (uint32_t k = 0; k < 40000; k++)
        put(&b->side[k % 2], k, 1);
    rounds = mend(b);
    print_message("40,000 differences: %u searches\n", rounds);
    assert_true(rounds < 30);
    close_bench(b);
}

static void
test_loss_costs_time_only(void **state)
{
    unsigned rounds = 0;

    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 60); seed++) {
        struct bench *b = open_bench(seed);
        uint32_t most = seed % 3 == 0 ? 20 : seed % 3 == 1 ? 6 : 3; /* one in so many differs */

        b->loss = 30;
        for (uint32_t k = 0; k < 1000; k++) {
            uint32_t die = gvs_prng_below(&b->prng, 2 * most);

            if (die != 0)
                put(&b->side[0], k, 1 + (die == 2));
            if (die != 1)
                put(&b->side[1], k, 1 + (die == 3));
        }
        rounds += mend(b);
        close_bench(b);
    }
    print_message("%u searches\n", rounds);
}

static void
test_a_sketch_tells_whether_we_lack_anything(void **state)
{
    struct bench *b = open_bench(1);

    (void)state;
    for (uint32_t k = 0; k < 200; k++) {
        put(&b->side[0], k, 1);
        put(&b->side[1], k, 1);
    }
    put(&b->side[0], 500, 1);
    mend(b); /* 0 starts, 1 lacks one */
    assert_false(b->side[1].complete);
    put(&b->side[1], 501, 1);
    mend(b); /* 1 lacks nothing */
    assert_true(b->side[1].complete);
    close_bench(b);
}

/* --- what is asked for --- */

static bool
ids_show_all(struct bench *b, uint64_t first, const uint64_t *id, size_t count)
{
    struct side *s = &b->side[0];
    struct gvs_msg m = {.type = GVS_MSG_IDS, .first = first, .last = UINT64_MAX};
    uint8_t bin[8 * 4];

    for (size_t i = 0; i < count; i++)
        gvs_put64(bin + 8 * i, id[i]);
    m.bin = (struct gvs_bytes){bin, 8 * count};
    return gvs_sync_ids(&s->sync, &s->peer, b->now, &m);
}

/* So do ids, if they are all that he has. A deletion that we hold and do not count is not lacking.
 */
static void
test_ids_tell_whether_we_lack_anything(void **state)
{
    struct bench *b = open_bench(1);
    struct side *s = &b->side[0];
    uint64_t id[3];

    (void)state;
    id[0] = put(s, 1, 1);
    id[1] = put(s, 2, 1);
    if (id[0] > id[1]) {
        uint64_t swap = id[0];

        id[0] = id[1];
        id[1] = swap;
    }
    id[2] = UINT64_MAX - 1;
    assert_true(ids_show_all(b, 0, id, 2));
    assert_true(ids_show_all(b, 0, id, 1)); /* we have more */
    assert_false(ids_show_all(b, 0, id, 3));
    assert_false(ids_show_all(b, 1, id, 2)); /* of a part of his table */
    assert_false(ids_show_all(b, 0, id, 0)); /* he has nothing, and wants everything */
    gvs_table_set_cut(s->table[GVS_TABLE_CLAIMS], gvs_hlc_make(2, 0));
    assert_true(ids_show_all(b, 0, id, 2));
    close_bench(b);
}

static void
test_wanted_ids_travel_together(void **state)
{
    struct bench *b = open_bench(1);
    struct gvs_msg m;

    (void)state;
    for (uint32_t k = 0; k < 1000; k++) {
        put(&b->side[0], k, 1);
        if (k >= 30)
            put(&b->side[1], k, 1);
    }
    gvs_sync_start(&b->side[0].sync, &b->side[0].peer, b->now, GVS_TABLE_CLAIMS, 1, false);
    assert_true(send_ask(b, &b->side[0], &b->side[1]));
    put(&b->side[1], 3, 1); /* came meanwhile: wanted no more */
    assert_true(next_ask(&b->side[1], &b->side[1].peer, &m));
    assert_int_equal(m.type, GVS_MSG_WANT);
    assert_int_equal(m.bin.len, 8 * 29);
    deliver(b, &b->side[1], &b->side[0], &m); /* ascending, as wire wants it */
    assert_false(next_ask(&b->side[1], &b->side[1].peer, &m));
    talk(b);
    assert_true(equal(b));
    close_bench(b);
}

static void
test_wanted_ids_are_cut_to_the_room(void **state)
{
    uint8_t ids[8 * 20], bin[GVS_BODY_LEN_MAX];
    struct gvs_msg m = {.type = GVS_MSG_IDS, .last = UINT64_MAX, .bin = {ids, sizeof ids}};
    struct bench *b = open_bench(1);
    struct side *s = &b->side[0];
    size_t seen = 0;

    (void)state;
    for (uint64_t i = 0; i < 20; i++)
        gvs_put64(ids + 8 * i, 100 * i);
    gvs_sync_ids(&s->sync, &s->peer, b->now, &m);
    assert_false(gvs_sync_ask(&s->sync, &s->peer, 7, &m, bin));
    while (gvs_sync_ask(&s->sync, &s->peer, 8 * 6 + 5, &m, bin)) {
        assert_true(m.bin.len <= 8 * 6);
        for (size_t i = 0; i < m.bin.len; i += 8)
            assert_int_equal(gvs_get64(bin + i), 100 * seen++);
    }
    assert_int_equal(seen, 20);
    close_bench(b);
}

static void
test_a_want_is_answered_by_what_is_held(void **state)
{
    uint8_t ids[3 * 8];
    struct gvs_msg m = {.type = GVS_MSG_WANT, .bin = {ids, sizeof ids}};
    struct bench *b = open_bench(1);
    struct side *s = &b->side[0];
    uint64_t id = put(s, 1, 1);

    (void)state;
    gvs_put64(ids, id - 1);
    gvs_put64(ids + 8, id);
    gvs_put64(ids + 16, id + 1);
    gvs_sync_want(&s->sync, &s->peer, b->now, &m);
    assert_int_equal(s->peer.give.count, 1); /* nothing waits for what is not there */
    assert_true(send_push(b, s, &b->side[1]));
    assert_true(equal(b));
    assert_int_equal(s->pushed, 1);
    close_bench(b);
}

/* --- young entries, and a node that joins --- */

static void
test_young_entries_are_left_to_relay(void **state)
{
    struct bench *b = open_bench(1);

    (void)state;
    for (uint32_t k = 0; k < 200; k++) {
        put(&b->side[0], k, 1);
        put(&b->side[1], k, 1);
    }
    for (uint32_t k = 500; k < 510; k++)
        put(&b->side[1], k, 1);
    for (uint32_t k = 600; k < 605; k++)
        put_young(&b->side[1], b->now, k, 1);
    gvs_sync_start(&b->side[0].sync, &b->side[0].peer, b->now, GVS_TABLE_CLAIMS, 1, false);
    b->now.us += GVS_SYNC_YOUNG_MS * 1000 - 1;
    talk(b);
    assert_int_equal(b->side[1].pushed, 10);
    b->now.us += 1000000; /* no longer young */
    gvs_sync_start(&b->side[0].sync, &b->side[0].peer, b->now, GVS_TABLE_CLAIMS, 1, false);
    talk(b);
    assert_int_equal(b->side[1].pushed, 15);
    assert_true(equal(b));
    close_bench(b);
}

static void
test_who_joins_is_given_everything(void **state)
{
    struct bench *b = open_bench(1);

    (void)state;
    for (uint32_t k = 0; k < 3000; k++)
        put(&b->side[1], k, 1);
    for (uint32_t k = 3000; k < 3100; k++)
        put_young(&b->side[1], b->now, k, 1);
    put(&b->side[0], 9000, 1); /* its own first claim */
    assert_true(
        gvs_sync_start(&b->side[0].sync, &b->side[0].peer, b->now, GVS_TABLE_CLAIMS, 1, true));
    talk(b);
    assert_int_equal(gvs_table_count(b->side[0].table[0]), 3101);
    assert_int_equal(b->side[1].pushed, 3100);
    assert_int_equal(asks(b, GVS_MSG_IDS), 1);
    assert_int_equal(b->side[0].bytes < 100, true);
    assert_int_equal(b->side[1].asks[GVS_MSG_PUSH], asks(b, GVS_MSG_PUSH));
    close_bench(b);
}

/* A part of a range is no node that has nothing: what is young in it is left alone. */
static void
test_a_range_leaves_the_young_alone(void **state)
{
    struct gvs_msg part = {.type = GVS_MSG_IDS, .first = 1, .last = UINT64_MAX};
    struct bench *b = open_bench(1);

    (void)state;
    for (uint32_t k = 0; k < 300; k++)
        put(&b->side[0], k, 1);
    for (uint32_t k = 300; k < 400; k++)
        put_young(&b->side[0], b->now, k, 1);
    gvs_sync_ids(&b->side[0].sync, &b->side[0].peer, b->now, &part);
    while (send_push(b, &b->side[0], &b->side[1]))
        continue;
    assert_int_equal(b->side[0].pushed, 300);
    close_bench(b);
}

/* --- pacing --- */

static void
drop_all(struct side *s)
{
    struct gvs_msg m;

    while (next_ask(s, &s->peer, &m))
        continue;
}

static void
test_a_search_is_not_repeated_too_soon(void **state)
{
    struct bench *b = open_bench(1);
    struct side *s = &b->side[0];
    uint64_t at = b->now.us;
    unsigned starts = 0;

    (void)state;
    for (; b->now.us < at + 600000000; b->now.us += 10000) { /* ten minutes without a change */
        starts += gvs_sync_start(&s->sync, &s->peer, b->now, GVS_TABLE_CLAIMS, 2, false);
        drop_all(s); /* to no avail */
    }
    assert_in_range(starts, 20, 35);
    assert_int_equal(gvs_sync_interval_ms(&s->peer, GVS_TABLE_CLAIMS), GVS_SYNC_INTERVAL_MS_MAX);
    at = b->now.us;
    while (!gvs_sync_start(&s->sync, &s->peer, b->now, GVS_TABLE_CLAIMS, 3, false))
        b->now.us += 10000;
    assert_true(b->now.us - at <= GVS_SYNC_INTERVAL_MS * 1000); /* a change: at once, nearly */
    b->now.us += 3600000000;
    assert_false(gvs_sync_start(&s->sync, &s->peer, b->now, GVS_TABLE_CLAIMS, 4, false));
    assert_true(gvs_sync_start(&s->sync, &s->peer, b->now, GVS_TABLE_MEMBERS, 4, false));
    drop_all(s); /* the other table was apart; the first one's search waited to be sent */
    assert_true(gvs_sync_start(&s->sync, &s->peer, b->now, GVS_TABLE_CLAIMS, 4, false));
    close_bench(b);
}

/* Starts a search as soon as it may be, and says what came of it. */
static void
search(struct bench *b, uint64_t his, bool came)
{
    struct side *s = &b->side[0];

    while (!gvs_sync_start(&s->sync, &s->peer, b->now, GVS_TABLE_CLAIMS, his, false))
        b->now.us += 10000;
    drop_all(s);
    if (came)
        gvs_sync_came(&s->sync, &s->peer, b->now, GVS_TABLE_CLAIMS, 0);
}

static bool
is_vain(const struct bench *b)
{
    return gvs_sync_is_vain(&b->side[0].peer, GVS_TABLE_CLAIMS);
}

/* He answers, and what he gives makes no difference: that alone is in vain. Loss is not, and both
 * tables may go on. */
static void
test_a_search_is_in_vain_if_what_comes_makes_no_difference(void **state)
{
    struct bench *b = open_bench(1);
    const struct gvs_table *own = b->side[0].table[0];

    (void)state;
    for (unsigned k = 0; k < 10; k++)
        search(b, 7, false);
    assert_false(is_vain(b));
    for (unsigned k = 0; k < 3; k++)
        search(b, 7, true);
    assert_false(is_vain(b));
    search(b, 7, false); /* lost */
    for (unsigned k = 0; k < 4; k++) {
        put(&b->side[0], k, 1);
        search(b, 7 + gvs_table_fingerprint(own), true);
        assert_false(is_vain(b));
    }
    search(b, 7 + gvs_table_fingerprint(own), true);
    assert_true(is_vain(b));
    search(b, 8 + gvs_table_fingerprint(own), true);
    assert_false(is_vain(b));
    close_bench(b);
}

/* Whoever is being given everything searches no more until that is over: which it is when nothing
 * comes but what is refused. */
static void
test_what_is_refused_is_no_reason_to_wait(void **state)
{
    struct bench *b = open_bench(1);
    struct side *s = &b->side[0];

    (void)state;
    for (unsigned news = 0; news < 2; news++) {
        gvs_sync_reset(&s->sync, &s->peer);
        assert_true(gvs_sync_start(&s->sync, &s->peer, b->now, GVS_TABLE_CLAIMS, 2, true));
        drop_all(s);
        for (unsigned k = 0; k < 10; k++) {
            b->now.us += 100000;
            gvs_sync_came(&s->sync, &s->peer, b->now, GVS_TABLE_CLAIMS, news);
        }
        assert_int_equal(gvs_sync_start(&s->sync, &s->peer, b->now, GVS_TABLE_CLAIMS, 2, false),
                         news == 0);
        drop_all(s);
    }
    close_bench(b);
}

static void
test_what_is_still_given_counts_as_a_search(void **state)
{
    struct bench *b = open_bench(1);
    struct side *s = &b->side[0];
    struct gvs_cargo cargo;
    struct gvs_msg m;

    (void)state;
    gvs_sync_give_id(&s->sync, &s->peer, GVS_TABLE_CLAIMS, put(s, 1, 1));
    gvs_sync_give_id(&s->sync, &s->peer, GVS_TABLE_CLAIMS, put(s, 2, 1));
    assert_false(gvs_sync_start(&s->sync, &s->peer, b->now, GVS_TABLE_CLAIMS, 1, false));
    assert_true(gvs_sync_start(&s->sync, &s->peer, b->now, GVS_TABLE_MEMBERS, 1, false));
    assert_true(gvs_sync_give(&s->sync, &s->peer, b->now, room(), &m, &cargo));
    assert_int_equal(m.entry_count, 2);
    assert_true(gvs_sync_start(&s->sync, &s->peer, b->now, GVS_TABLE_CLAIMS, 1, false));
    close_bench(b);
}

/* --- ranges that are given --- */

static struct bench *
open_range(uint32_t count, struct gvs_msg *everything)
{
    struct bench *b = open_bench(1);

    *everything = (struct gvs_msg){.type = GVS_MSG_IDS, .last = UINT64_MAX};
    for (uint32_t k = 0; k < count; k++)
        put(&b->side[0], k, 1);
    gvs_sync_ids(&b->side[0].sync, &b->side[0].peer, b->now, everything);
    return b;
}

static void
test_a_range_that_brings_no_news_is_given_no_further(void **state)
{
    struct gvs_msg everything, m;
    struct bench *b = open_range(5000, &everything);
    struct side *s = &b->side[0];
    struct gvs_cargo cargo;

    (void)state;
    gvs_sync_ids(&s->sync, &s->peer, b->now, &everything); /* asked twice, owed once */
    assert_int_equal(s->peer.give.count, 1);
    for (unsigned i = 0; i < 10; i++) {
        assert_true(gvs_sync_give(&s->sync, &s->peer, b->now, 1000, &m, &cargo));
        gvs_sync_landed(&s->sync, &s->peer, &cargo, i % 2);
    }
    assert_int_equal(s->peer.give.count, 1);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(s->peer.give.count, 1);
        assert_true(gvs_sync_give(&s->sync, &s->peer, b->now, 1000, &m, &cargo));
        gvs_sync_landed(&s->sync, &s->peer, &cargo, 0);
    }
    assert_int_equal(s->peer.give.count, 0);
    gvs_sync_landed(&s->sync, &s->peer, &cargo, 0); /* late: nothing is owed any more */
    close_bench(b);
}

static void
test_a_lost_part_of_a_range_is_given_again(void **state)
{
    struct gvs_msg everything, m;
    struct bench *b = open_range(1000, &everything);
    struct side *s = &b->side[0];
    struct gvs_cargo cargo;
    unsigned i = 0;

    (void)state;
    while (gvs_sync_give(&s->sync, &s->peer, b->now, 1000, &m, &cargo)) {
        if (i++ % 3 == 0)
            gvs_sync_lost(&s->sync, &s->peer, &cargo);
        else
            deliver(b, s, &b->side[1], &m);
    }
    assert_true(equal(b));
    close_bench(b);
}

static int
compare_cargo(const void *a, const void *b)
{
    const struct gvs_cargo *x = a, *y = b;

    return x->first < y->first ? -1 : x->first > y->first;
}

/* Each part is exactly what was in it, and together they are the range, in no order. */
static void
test_the_parts_of_a_range_meet(void **state)
{
    struct gvs_msg everything, m, range = {.type = GVS_MSG_IDS, .last = UINT64_MAX - 1};
    struct bench *b = open_range(3000, &everything);
    struct side *s = &b->side[0];
    struct gvs_cargo cargo[600];
    size_t count = 0, backwards = 0;
    uint64_t next = 0;

    (void)state;
    gvs_sync_reset(&s->sync, &s->peer);
    b->now.us += UINT64_C(1000) * GVS_SYNC_YOUNG_MS;
    gvs_sync_ids(&s->sync, &s->peer, b->now, &range);
    for (; gvs_sync_give(&s->sync, &s->peer, b->now, 1000, &m, &cargo[count]); count++) {
        assert_int_equal(cargo[count].kind, GVS_CARGO_RANGE);
        assert_int_equal(cargo[count].end, range.last);
        for (size_t i = 0; i < m.entry_count; i++)
            assert_in_range(gvs_table_id(s->table[0], &m.entry[i]), cargo[count].first,
                            cargo[count].last);
        assert_int_equal(gvs_table_idsum(s->table[0], cargo[count].first, cargo[count].last).count,
                         m.entry_count);
        backwards += count > 0 && cargo[count].first < cargo[count - 1].first;
    }
    assert_true(backwards > 2);
    qsort(cargo, count, sizeof *cargo, compare_cargo);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(cargo[i].first, next);
        next = cargo[i].last + 1;
    }
    assert_int_equal(next, range.last + 1);
    close_bench(b);
}

/* The claims of a node that has nothing come by keys; what is lost is named by its first entry. */
static void
test_everything_is_given_by_keys(void **state)
{
    struct gvs_msg everything, m;
    struct bench *b = open_range(1000, &everything);
    struct side *s = &b->side[0];
    struct gvs_cargo cargo;
    struct gvs_keybuf latest = {0};

    (void)state;
    while (gvs_sync_give(&s->sync, &s->peer, b->now, 1000, &m, &cargo)) {
        assert_int_equal(cargo.kind, GVS_CARGO_RUN);
        assert_int_equal(cargo.first, gvs_table_id(s->table[0], &m.entry[0]));
        assert_int_equal(cargo.last, m.entry_count);
        for (size_t i = 0; i < m.entry_count; i++) {
            assert_true(gvs_key_cmp(latest.b, latest.len, m.entry[i].key, m.entry[i].key_len) < 0);
            latest.len = m.entry[i].key_len;
            memcpy(latest.b, m.entry[i].key, latest.len);
        }
        deliver(b, s, &b->side[1], &m);
    }
    assert_true(equal(b));
    close_bench(b);
}

/* --- bounds, and messages that somebody made up --- */

static void
test_queues_are_bounded_by_peer_and_in_all(void **state)
{
    enum { PEERS = 3 + GVS_SYNC_WORK_SPARE / GVS_SYNC_WORK_SHORT + 1 };
    struct gvs_sync_peer *peer = calloc(PEERS, sizeof *peer);
    uint8_t ids[8 * 100];
    struct gvs_msg m = {.type = GVS_MSG_IDS, .last = UINT64_MAX, .bin = {ids, sizeof ids}};
    struct bench *b = open_bench(1);
    struct side *s = &b->side[0];

    (void)state;
    assert_non_null(peer);
    for (uint64_t i = 0; i < 100; i++)
        gvs_put64(ids + 8 * i, i);
    for (size_t p = 0; p < 2; p++) {
        for (unsigned i = 0; i < 300; i++)
            gvs_sync_ids(&s->sync, &peer[p], b->now, &m);
    }
    assert_int_equal(peer[0].ask.count, GVS_SYNC_WORK_PEER_MAX);
    assert_int_equal(peer[0].ask.count + peer[1].ask.count,
                     GVS_SYNC_WORK_MAX - GVS_SYNC_WORK_SPARE);
    assert_true(gvs_sync_start(&s->sync, &peer[2], b->now, GVS_TABLE_CLAIMS, 1, false));
    gvs_sync_ids(&s->sync, &peer[2], b->now, &m); /* the two others do not keep it from a little */
    assert_int_equal(peer[2].ask.count, GVS_SYNC_WORK_SHORT);
    gvs_sync_reset(&s->sync, &peer[2]);
    for (size_t p = 3; p < PEERS; p++)
        gvs_sync_ids(&s->sync, &peer[p], b->now, &m);
    assert_int_equal(peer[PEERS - 1].ask.count, 0); /* the pool is empty */
    assert_false(gvs_sync_start(&s->sync, &peer[2], b->now, GVS_TABLE_CLAIMS, 1, false));
    assert_int_equal(s->sync.used, GVS_SYNC_WORK_MAX);
    for (size_t p = 3; p < PEERS; p++)
        gvs_sync_reset(&s->sync, &peer[p]);
    gvs_sync_reset(&s->sync, &peer[0]);
    assert_int_equal(peer[0].ask.count, 0);
    gvs_sync_ids(&s->sync, &peer[2], b->now, &m);
    assert_int_equal(peer[2].ask.count, 100);
    for (size_t p = 1; p < 3; p++) { /* and all are as they were put */
        size_t seen = 0;

        while (next_ask(s, &peer[p], &m))
            seen += m.bin.len / 8;
        assert_in_range(seen, 100, GVS_SYNC_WORK_PEER_MAX);
        assert_int_equal(peer[p].ask.count, 0);
    }
    free(peer);
    close_bench(b);
}

/* Ranges and counts that somebody else chose: any, and nothing overflows or hangs. */
static void
test_any_range_is_answered_within_bounds(void **state)
{
    struct bench *b = open_bench(7);
    struct side *s = &b->side[0];
    uint8_t bin[GVS_SUMS_LEN];

    (void)state;
    for (uint32_t k = 0; k < 3000; k++)
        put(s, k, 1);
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 2000); seed++) {
        struct gvs_prng prng = gvs_prng_init(seed);
        uint64_t x = gvs_prng_next(&prng), y = x + (gvs_prng_next(&prng) >> (seed % 64));
        struct gvs_msg m = {.type = GVS_MSG_SUMS, .first = x < y ? x : y, .last = x < y ? y : x};

        if (seed % 7 == 0)
            m.last = UINT64_MAX;
        gvs_prng_fill(&prng, bin, sizeof bin);
        m.bin = (struct gvs_bytes){bin, sizeof bin};
        gvs_sync_sums(&s->sync, &s->peer, (struct gvs_mono){1}, &m, (unsigned)seed);
        assert_true(s->peer.ask.count <= GVS_SUMS_PARTS);
        m.bin.len = 8; /* as IDS: an id of somebody's, in the range */
        gvs_put64(bin, m.first);
        gvs_sync_ids(&s->sync, &s->peer, b->now, &m);
        gvs_sync_want(&s->sync, &s->peer, b->now, &m);
        while (send_ask(b, s, &b->side[1]) || send_push(b, s, &b->side[1]))
            continue;
        gvs_sync_reset(&b->side[1].sync, &b->side[1].peer);
    }
    close_bench(b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whatever_differs_is_mended_in_one_search),
        cmocka_unit_test(test_more_than_the_queues_hold_takes_some_searches),
        cmocka_unit_test_teardown(test_loss_costs_time_only, test_seed_teardown),
        cmocka_unit_test(test_a_sketch_tells_whether_we_lack_anything),
        cmocka_unit_test(test_ids_tell_whether_we_lack_anything),
        cmocka_unit_test(test_wanted_ids_travel_together),
        cmocka_unit_test(test_wanted_ids_are_cut_to_the_room),
        cmocka_unit_test(test_a_want_is_answered_by_what_is_held),
        cmocka_unit_test(test_young_entries_are_left_to_relay),
        cmocka_unit_test(test_who_joins_is_given_everything),
        cmocka_unit_test(test_a_range_leaves_the_young_alone),
        cmocka_unit_test(test_a_search_is_not_repeated_too_soon),
        cmocka_unit_test(test_a_search_is_in_vain_if_what_comes_makes_no_difference),
        cmocka_unit_test(test_what_is_refused_is_no_reason_to_wait),
        cmocka_unit_test(test_what_is_still_given_counts_as_a_search),
        cmocka_unit_test(test_a_range_that_brings_no_news_is_given_no_further),
        cmocka_unit_test(test_a_lost_part_of_a_range_is_given_again),
        cmocka_unit_test(test_the_parts_of_a_range_meet),
        cmocka_unit_test(test_everything_is_given_by_keys),
        cmocka_unit_test(test_queues_are_bounded_by_peer_and_in_all),
        cmocka_unit_test_teardown(test_any_range_is_answered_within_bounds, test_seed_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
