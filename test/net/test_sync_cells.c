/* Sketches that one datagram of cells does not settle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/net/pair.h"

/* --- more cells --- */

/* Side 0 has 200 that 1 lacks; its first cells were sent, and side 1 has asked for more. */
static struct bench *
open_gathering(struct gvs_msg *more)
{
    struct bench *b = open_bench(9);

    for (uint32_t k = 0; k < 1000; k++) {
        put(&b->side[0], k, 1);
        if (k >= 200)
            put(&b->side[1], k, 1);
    }
    assert_true(
        gvs_sync_start(&b->side[0].sync, &b->side[0].peer, b->now, GVS_TABLE_CLAIMS, 1, false));
    assert_true(send_ask(b, &b->side[0], &b->side[1]));
    assert_true(next_ask(&b->side[1], &b->side[1].peer, more));
    assert_int_equal(more->type, GVS_MSG_MORE);
    assert_int_equal(more->first, GVS_SKETCH_PIECE);
    assert_int_equal(more->last, 2 * GVS_SKETCH_PIECE - 1);
    return b;
}

static void
test_only_the_cells_that_are_missing_are_asked_for(void **state)
{
    struct gvs_msg more;
    struct bench *b = open_gathering(&more);
    uint64_t end = more.last;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        deliver(b, &b->side[1], &b->side[0], &more);
        while (send_ask(b, &b->side[0], &b->side[1]))
            continue;
        if (b->side[1].sync.gather.whose == NULL)
            break;
        assert_true(next_ask(&b->side[1], &b->side[1].peer, &more));
        assert_int_equal(more.type, GVS_MSG_MORE);
        assert_int_equal(more.first, end + 1);
        assert_int_equal(more.last, 2 * end + 1);
        end = more.last;
    }
    talk(b);
    assert_true(equal(b));
    assert_int_equal(asks(b, GVS_MSG_SUMS), 0);
    close_bench(b);
}

static void
test_cells_of_another_moment_are_asked_for_once_more(void **state)
{
    struct gvs_msg more, again;
    struct bench *b = open_gathering(&more);

    (void)state;
    put(&b->side[0], 5000, 1); /* his table changes meanwhile */
    deliver(b, &b->side[1], &b->side[0], &more);
    assert_true(send_ask(b, &b->side[0], &b->side[1]));
    assert_true(next_ask(&b->side[1], &b->side[1].peer, &again));
    assert_int_equal(again.type, GVS_MSG_MORE);
    assert_int_equal(again.first, 0);
    assert_int_equal(again.last, more.last);
    assert_false(next_ask(&b->side[1], &b->side[1].peer, &more)); /* once */
    deliver(b, &b->side[1], &b->side[0], &again);
    assert_int_equal(b->side[0].peer.ask.count, 2);
    talk(b);
    assert_true(equal(b));
    close_bench(b);
}

static void
test_a_table_that_changes_all_the_time_is_mended_all_the_same(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 20); seed++) {
        struct gvs_msg more;
        struct bench *b = open_gathering(&more);
        uint32_t k = 5000;

        b->prng = gvs_prng_init(seed);
        deliver(b, &b->side[1], &b->side[0], &more);
        for (unsigned i = 0; b->side[1].sync.gather.whose; i++) {
            assert_true(i < 100); /* a change each round trip */
            put(&b->side[gvs_prng_below(&b->prng, 2)], k++, 1);
            while (send_ask(b, &b->side[0], &b->side[1]))
                continue;
            while (send_ask(b, &b->side[1], &b->side[0]))
                continue;
        }
        talk(b);
        mend(b);
        close_bench(b);
    }
}

static void
test_cells_that_do_not_come_are_asked_for_some_times(void **state)
{
    struct gvs_msg more, again;
    struct bench *b = open_gathering(&more);
    struct side *s = &b->side[1];
    struct gvs_mono at;
    unsigned tries = 0;

    (void)state;
    at = gvs_sync_run(&s->sync, b->now);
    assert_in_range(at.us, b->now.us + 50000, b->now.us + 500000);
    assert_false(next_ask(s, &s->peer, &again)); /* not yet */
    while (b->now = at, (at = gvs_sync_run(&s->sync, b->now)).us != UINT64_MAX) {
        tries++;
        assert_true(at.us > b->now.us);
        assert_true(next_ask(s, &s->peer, &again));
        assert_int_equal(again.first, more.first);
        assert_int_equal(again.last, more.last);
    }
    assert_in_range(tries, 3, 10);
    assert_null(s->sync.gather.whose);
    assert_false(next_ask(s, &s->peer, &again));
    close_bench(b);
}

/* The second of three pieces got lost: the third is of no use, the rest is asked for. */
static void
test_a_gap_is_filled(void **state)
{
    struct gvs_msg more, piece;
    struct bench *b = open_gathering(&more);

    (void)state;
    more.last = 4 * GVS_SKETCH_PIECE - 1;
    b->side[1].sync.gather.want = 4 * GVS_SKETCH_PIECE;
    deliver(b, &b->side[1], &b->side[0], &more);
    assert_true(send_ask(b, &b->side[0], &b->side[1]));
    assert_true(next_ask(&b->side[0], &b->side[0].peer, &piece));
    assert_true(send_ask(b, &b->side[0], &b->side[1]));
    b->now = gvs_sync_run(&b->side[1].sync, b->now);
    gvs_sync_run(&b->side[1].sync, b->now);
    assert_true(next_ask(&b->side[1], &b->side[1].peer, &more));
    assert_int_equal(more.first, 2 * GVS_SKETCH_PIECE);
    assert_int_equal(more.last, 4 * GVS_SKETCH_PIECE - 1);
    deliver(b, &b->side[1], &b->side[0], &more);
    talk(b);
    assert_true(equal(b));
    close_bench(b);
}

/* The first cells of a side's claims. */
static void
sketch_of(const struct side *s, struct gvs_msg *m, uint8_t *bin)
{
    gvs_sketch_write(gvs_table_sketch(s->table[0]), 0, GVS_SKETCH_PIECE, bin);
    *m = (struct gvs_msg){.type = GVS_MSG_SKETCH,
                          .fingerprint = gvs_table_fingerprint(s->table[0]),
                          .bin = {bin, GVS_SKETCH_PIECE * GVS_SKETCH_CELL_LEN}};
}

static void
test_the_cells_of_one_peer_at_a_time_wait(void **state)
{
    uint8_t bin[GVS_SKETCH_PIECE * GVS_SKETCH_CELL_LEN];
    struct gvs_sync_peer third = {.idle_answers = 0};
    struct gvs_msg m, more;
    struct bench *b = open_gathering(&more), *other = open_bench(2);
    struct side *s = &b->side[1];

    (void)state;
    for (uint32_t k = 200; k < 1000; k++)
        put(&other->side[0], k, 1);
    put(&other->side[0], 7000, 1);
    sketch_of(&other->side[0], &m, bin); /* one difference: told at once */
    assert_false(gvs_sync_sketch(&s->sync, &third, b->now, &m));
    assert_true(next_ask(s, &third, &m));
    assert_int_equal(m.type, GVS_MSG_WANT);
    assert_ptr_equal(s->sync.gather.whose, &s->peer);

    for (uint32_t k = 0; k < 300; k++)
        put(&other->side[0], 8000 + k, 1);
    sketch_of(&other->side[0], &m, bin); /* many: not now */
    assert_false(gvs_sync_sketch(&s->sync, &third, b->now, &m));
    assert_int_equal(third.ask.count, 0);
    assert_ptr_equal(s->sync.gather.whose, &s->peer);

    deliver(b, s, &b->side[0], &more); /* the first one's go on as if nothing had been */
    assert_true(send_ask(b, &b->side[0], s));
    assert_int_equal(asks(b, GVS_MSG_SKETCH), 2);
    assert_true(gvs_sketch_diff_taken(s->sync.gather.diff) == 2 * GVS_SKETCH_PIECE);

    b->now = s->sync.gather.due; /* they are late: the place is free */
    assert_false(gvs_sync_sketch(&s->sync, &third, b->now, &m));
    assert_ptr_equal(s->sync.gather.whose, &third);
    assert_true(next_ask(s, &third, &m));
    assert_int_equal(m.type, GVS_MSG_MORE);
    gvs_sync_reset(&s->sync, &third);
    assert_null(s->sync.gather.whose);
    close_bench(other);
    close_bench(b);
}

/* The limits of two nodes need not be the same. Whoever begins: one search, and no waiting for
 * cells that there are not. */
static void
test_a_sketch_that_is_shorter_than_ours_ends_in_ranges(void **state)
{
    static const size_t entries[] = {1100, 3000}; /* 64 cells, less than a piece, and 128 */

    (void)state;
    for (size_t i = 0; i < 2 * sizeof entries / sizeof *entries; i++) {
        struct bench *b = open_bench(9 + i);
        struct side *small = &b->side[0], *starter = &b->side[i % 2];
        struct gvs_mono began = b->now;

        free(small->mem[0]);
        small->mem[0] = calloc(1, gvs_table_footprint(entries[i / 2]));
        assert_non_null(small->mem[0]);
        small->table[0] = gvs_table_init(small->mem[0], entries[i / 2], hash);
        for (uint32_t k = 0; k < 1000; k++)
            put(&b->side[k % 3 == 0], k, 1);
        assert_true(
            gvs_sync_start(&starter->sync, &starter->peer, b->now, GVS_TABLE_CLAIMS, 1, false));
        talk(b);
        assert_true(equal(b));
        assert_int_equal(b->now.us, began.us);
        close_bench(b);
    }
}

/* Somebody else has mended it meanwhile. */
static void
test_equal_fingerprints_end_the_wait(void **state)
{
    struct gvs_msg more;
    struct bench *b = open_gathering(&more);

    (void)state;
    for (uint32_t k = 0; k < 200; k++)
        put(&b->side[1], k, 1);
    deliver(b, &b->side[1], &b->side[0], &more);
    assert_true(send_ask(b, &b->side[0], &b->side[1]));
    assert_true(b->side[1].complete);
    assert_int_equal(gvs_sync_run(&b->side[1].sync, b->now).us, UINT64_MAX);
    close_bench(b);
}

/* --- messages that somebody made up --- */

static void
test_more_than_there_are_cells_is_answered_with_what_there_is(void **state)
{
    static const struct {
        const char *why;
        uint64_t first, last;
        bool any;
    } rows[] = {
        {"everything", 0, UINT64_MAX, true},
        {"one", 5, 5, true},
        {"a piece and one", 0, 88, true},
        {"the last number", UINT64_MAX, UINT64_MAX, false},
        {"beyond the last cell", 100000, 200000, false},
        {"from within", 1000, UINT64_MAX, true},
    };
    struct bench *b = open_bench(1);
    struct side *s = &b->side[0];
    size_t most = gvs_sketch_cells(gvs_table_sketch(s->table[0]));

    (void)state;
    put(s, 1, 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gvs_msg m = {.type = GVS_MSG_MORE, .first = rows[i].first, .last = rows[i].last};
        uint64_t next = rows[i].first;

        gvs_sync_more(&s->sync, &s->peer, &m);
        assert_true(s->peer.ask.count <= most / GVS_SKETCH_PIECE + 1);
        if ((s->peer.ask.count > 0) != rows[i].any)
            fail_msg("%s", rows[i].why);
        while (next_ask(s, &s->peer, &m)) {
            struct gvs_body body;

            assert_int_equal(m.type, GVS_MSG_SKETCH);
            assert_int_equal(m.first, next);
            next += m.bin.len / GVS_SKETCH_CELL_LEN;
            gvs_body_init(&body);
            assert_int_equal(gvs_body_add(&body, &m), GVS_OK);
        }
        if (rows[i].any)
            assert_int_equal(next, rows[i].last < most ? rows[i].last + 1 : most);
    }
    close_bench(b);
}

static void
test_cells_that_nobody_asked_for_change_nothing(void **state)
{
    uint8_t bin[GVS_SKETCH_PIECE * GVS_SKETCH_CELL_LEN] = {1};
    struct gvs_sync_peer third = {.idle_answers = 0};
    struct gvs_msg more, m;
    struct bench *b = open_gathering(&more);
    struct side *s = &b->side[1];
    uint64_t print = s->sync.gather.fingerprint;
    static const uint64_t firsts[] = {1, 87, 89, 176, UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++) {
        m = (struct gvs_msg){.type = GVS_MSG_SKETCH,
                             .fingerprint = print,
                             .first = firsts[i],
                             .bin = {bin, sizeof bin}};
        assert_false(gvs_sync_sketch(&s->sync, &s->peer, b->now, &m));
        assert_false(gvs_sync_sketch(&s->sync, &third, b->now, &m));
        m.table = GVS_TABLE_MEMBERS;
        m.first = GVS_SKETCH_PIECE;
        assert_false(gvs_sync_sketch(&s->sync, &s->peer, b->now, &m));
    }
    assert_int_equal(s->peer.ask.count + third.ask.count, 0);
    assert_int_equal(gvs_sketch_diff_taken(s->sync.gather.diff), GVS_SKETCH_PIECE);
    deliver(b, s, &b->side[0], &more);
    talk(b);
    assert_true(equal(b));
    close_bench(b);
}

/* Cells that never decode: ranges of ids at the end, after a bounded number of messages. */
static void
test_cells_of_a_liar_end_in_ranges(void **state)
{
    uint8_t bin[GVS_SKETCH_PIECE * GVS_SKETCH_CELL_LEN];
    struct bench *b = open_bench(3);
    struct side *s = &b->side[0];
    struct gvs_msg m = {.type = GVS_MSG_SKETCH, .fingerprint = 99, .bin = {bin, sizeof bin}};
    size_t messages = 0;

    (void)state;
    put(s, 1, 1);
    gvs_prng_fill(&b->prng, bin, sizeof bin);
    assert_false(gvs_sync_sketch(&s->sync, &s->peer, b->now, &m));
    while (next_ask(s, &s->peer, &m) && m.type == GVS_MSG_MORE) {
        uint64_t last = m.last;

        for (uint64_t at = m.first; at <= last; at += GVS_SKETCH_PIECE) {
            uint64_t count = last + 1 - at < GVS_SKETCH_PIECE ? last + 1 - at : GVS_SKETCH_PIECE;

            gvs_prng_fill(&b->prng, bin, sizeof bin);
            m = (struct gvs_msg){.type = GVS_MSG_SKETCH,
                                 .fingerprint = 99,
                                 .first = at,
                                 .bin = {bin, count * GVS_SKETCH_CELL_LEN}};
            assert_false(gvs_sync_sketch(&s->sync, &s->peer, b->now, &m));
            assert_true(++messages < 100);
        }
    }
    assert_int_equal(m.type, GVS_MSG_SUMS);
    assert_null(s->sync.gather.whose);
    close_bench(b);
}

/* While cells of one peer wait, those of others are told in other memory. */
static void
test_a_difference_that_waits_is_not_disturbed(void **state)
{
    uint8_t bin[GVS_SKETCH_PIECE * GVS_SKETCH_CELL_LEN];
    struct gvs_sync_peer third = {.idle_answers = 0};
    struct gvs_msg m, more;
    struct bench *b = open_gathering(&more), *other = open_bench(2);

    (void)state;
    for (uint32_t k = 205; k < 1000; k++)
        put(&other->side[0], k, 1);
    sketch_of(&other->side[0], &m, bin);
    for (unsigned i = 0; i < 3; i++)
        assert_true(gvs_sync_sketch(&b->side[1].sync, &third, b->now, &m));
    deliver(b, &b->side[1], &b->side[0], &more);
    talk(b);
    assert_true(equal(b));
    assert_int_equal(asks(b, GVS_MSG_SUMS), 0);
    close_bench(other);
    close_bench(b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_the_cells_that_are_missing_are_asked_for),
        cmocka_unit_test(test_cells_of_another_moment_are_asked_for_once_more),
        cmocka_unit_test_teardown(test_a_table_that_changes_all_the_time_is_mended_all_the_same,
                                  test_seed_teardown),
        cmocka_unit_test(test_cells_that_do_not_come_are_asked_for_some_times),
        cmocka_unit_test(test_a_gap_is_filled),
        cmocka_unit_test(test_the_cells_of_one_peer_at_a_time_wait),
        cmocka_unit_test(test_a_sketch_that_is_shorter_than_ours_ends_in_ranges),
        cmocka_unit_test(test_equal_fingerprints_end_the_wait),
        cmocka_unit_test(test_more_than_there_are_cells_is_answered_with_what_there_is),
        cmocka_unit_test(test_cells_that_nobody_asked_for_change_nothing),
        cmocka_unit_test(test_cells_of_a_liar_end_in_ranges),
        cmocka_unit_test(test_a_difference_that_waits_is_not_disturbed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
