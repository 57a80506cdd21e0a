/* test/core/test_stamp.c */
#include "core/err.h"
#include "core/stamp.h"
#include "test/core/sample.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <setjmp.h>

#include <cmocka.h>

#define MS(ms) ((uint64_t)(ms) << 16)
#define END MS(GVS_HLC_MS_MAX)
#define LAST (END | 0xffff)

static void
test_valid_is_from_one_millisecond_to_the_year_10889(void **state)
{
    static const struct {
        const char *why;
        uint64_t hlc;
        bool valid;
    } rows[] = {
        {"zero is no stamp", 0, false},
        {"a counter without a time is none", 0xffff, false},
        {"the first", MS(1), true},
        {"the first millisecond's last", MS(1) | 0xffff, true},
        {"the last millisecond", END, true},
        {"the very last", LAST, true},
        {"one past the end", LAST + 1, false},
        {"all ones", UINT64_MAX, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("%s\n", rows[i].why);
        assert_int_equal(gvs_hlc_valid(rows[i].hlc), rows[i].valid);
    }
}

static void
test_make_and_ms_are_48_bits_over_16(void **state)
{
    (void)state;
    assert_int_equal(gvs_hlc_make(1, 2), 0x10002);
    assert_int_equal(gvs_hlc_ms(0x10002), 1);
    assert_int_equal(gvs_hlc_make((UINT64_C(1) << 48) - 1, 0xffff), UINT64_MAX);
    assert_int_equal(gvs_hlc_ms(UINT64_MAX), (UINT64_C(1) << 48) - 1);
}

static void
test_t21_issue_follows_the_wall_and_never_falls_behind_what_was_seen(void **state)
{
    static const struct {
        const char *why;
        uint64_t last, wall, above, want;
    } rows[] = {
        {"a fresh clock takes the wall's time", 0, 1000, 0, MS(1000)},
        {"a later wall starts the counter anew", MS(1000) | 7, 1001, 0, MS(1001)},
        {"the same millisecond counts", MS(1000), 1000, 0, MS(1000) | 1},
        {"a wall that stepped back counts on", MS(1000) | 5, 3, 0, MS(1000) | 6},
        {"what is replaced is topped", MS(10), 1000, MS(2000) | 9, MS(2000) | 10},
        {"an older one does not matter", MS(10), 1000, MS(20), MS(1000)},
        {"the very stamp of now is topped", 0, 1000, MS(1000), MS(1000) | 1},
        {"a full counter carries", MS(1000) | 0xffff, 1000, 0, MS(1001)},
        {"a full counter of what is replaced carries", 0, 1000, MS(1000) | 0xffff, MS(1001)},
        {"a wall at the epoch gives the first stamp", 0, 0, 0, MS(1)},
        {"a fresh clock at the epoch twice", MS(1), 0, 0, MS(1) | 1},
        {"a wall past the end counts as the end", 0, GVS_HLC_MS_MAX + 5, 0, END},
        {"a wall of all ones, too", 0, UINT64_MAX, 0, END},
        {"the last but one leads to the last", LAST - 1, 1000, 0, LAST},
        {"there it stands still", LAST, 1000, 0, LAST},
        {"an invalid stamp above does not push it over", 0, 1000, UINT64_MAX, LAST},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gvs_hlc c = {.last = rows[i].last};

        print_message("%s\n", rows[i].why);
        assert_int_equal(
            gvs_hlc_issue(&c, (struct gvs_wall){rows[i].wall}, rows[i].above, GVS_HLC_NO_LIMIT),
            rows[i].want);
        assert_int_equal(c.last, rows[i].want);
    }
}

static void
test_what_is_replaced_beyond_the_limit_carries_one_stamp_along(void **state)
{
    static const struct {
        const char *why;
        uint64_t last, wall, above, limit, want, then;
    } rows[] = {
        {"the limit itself is within", MS(10), 1000, MS(2000), MS(2000), MS(2000) | 1,
         MS(2000) | 1},
        {"beyond, the clock stays", MS(10), 1000, MS(2000) | 1, MS(2000), MS(2000) | 2, MS(10)},
        {"below what was seen it carries nobody along", MS(3000), 1000, MS(2000) | 1, MS(2000),
         MS(3000) | 1, MS(3000) | 1},
        {"at the end it stands still", MS(10), 1000, LAST, MS(2000), LAST, MS(10)},
        {"all ones do not push it over", MS(10), 1000, UINT64_MAX, MS(2000), LAST, MS(10)},
        {"nothing is replaced", MS(10), 1000, 0, MS(2000), MS(1000), MS(1000)},
        {"what was seen beyond is topped all the same", MS(3000), 1000, 0, MS(2000), MS(3000) | 1,
         MS(3000) | 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gvs_hlc c = {.last = rows[i].last};

        print_message("%s\n", rows[i].why);
        assert_int_equal(
            gvs_hlc_issue(&c, (struct gvs_wall){rows[i].wall}, rows[i].above, rows[i].limit),
            rows[i].want);
        assert_int_equal(c.last, rows[i].then);
    }
}

static void
test_a_clock_is_lowered_to_nothing_that_it_issued_within_a_limit(void **state)
{
    struct gvs_hlc c = {0};
    uint64_t first, second;

    (void)state;
    first = gvs_hlc_issue(&c, (struct gvs_wall){1000}, 0, MS(2000));
    gvs_hlc_witness(&c, MS(9000));
    gvs_hlc_lower(&c, MS(5000));
    assert_int_equal(c.last, MS(5000));
    gvs_hlc_lower(&c, MS(6000)); /* never up */
    assert_int_equal(c.last, MS(5000));
    gvs_hlc_issue(&c, (struct gvs_wall){1000}, 0, MS(2000)); /* beyond */
    gvs_hlc_issue(&c, (struct gvs_wall){7000}, 0, GVS_HLC_NO_LIMIT);
    gvs_hlc_lower(&c, 0);
    assert_int_equal(c.last, first);
    second = gvs_hlc_issue(&c, (struct gvs_wall){3000}, 0, MS(3000));
    assert_int_equal(second, MS(3000));
    gvs_hlc_lower(&c, 0);
    assert_int_equal(c.last, second);
}

/* I1 and I2 against a model: what was issued or witnessed since it was lowered last, and what was
 * ever issued within its limit. */
static void
test_what_is_issued_is_above_what_counts(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); seed < test_seed_end(2000); seed++) {
        struct gvs_prng prng = gvs_prng_init(seed);
        struct gvs_hlc c = {0};
        uint64_t seen = 0, within = 0;

        for (int step = 0; step < 200; step++) {
            uint64_t hlc = MS(1 + gvs_prng_below(&prng, 50)) | gvs_prng_below(&prng, 2);
            uint64_t limit = gvs_prng_chance(&prng, 1, 4) ? GVS_HLC_NO_LIMIT : MS(30);
            struct gvs_wall wall = {gvs_prng_below(&prng, 40)};
            uint64_t got;

            switch (gvs_prng_below(&prng, 4)) {
            case 0:
                gvs_hlc_witness(&c, hlc);
                seen = hlc > seen ? hlc : seen;
                break;
            case 1:
                gvs_hlc_lower(&c, hlc);
                hlc = hlc > within ? hlc : within;
                seen = hlc < seen ? hlc : seen;
                break;
            default:
                hlc = gvs_prng_chance(&prng, 1, 2) ? hlc : 0;
                got = gvs_hlc_issue(&c, wall, hlc, limit);
                if (got <= seen || got <= hlc || got <= within || !gvs_hlc_valid(got))
                    fail_msg("step %d, replay with GVS_SEED=%" PRIu64, step, seed);
                if (hlc <= limit || hlc <= seen)
                    seen = got;
                if (limit != GVS_HLC_NO_LIMIT && got <= limit)
                    within = got;
            }
            if (c.last != seen)
                fail_msg("step %d, replay with GVS_SEED=%" PRIu64, step, seed);
        }
    }
}

static void
test_witness_keeps_the_greatest(void **state)
{
    struct gvs_hlc c = {0};

    (void)state;
    gvs_hlc_witness(&c, MS(5));
    assert_int_equal(c.last, MS(5));
    gvs_hlc_witness(&c, MS(4) | 9);
    assert_int_equal(c.last, MS(5));
    gvs_hlc_witness(&c, UINT64_MAX);
    assert_int_equal(c.last, LAST);
}

/* A write on any of three nodes, each with a clock of its own that jumps about, is above every
 * write that its node knew of: so the last of a chain of writes wins, whoever's clock is wrong. */
static void
test_a_later_write_beats_what_its_writer_had_seen(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); seed < test_seed_end(2000); seed++) {
        struct gvs_prng prng = gvs_prng_init(seed);
        struct gvs_hlc clock[3] = {{0}, {0}, {0}};
        uint64_t seen[3] = {0, 0, 0}; /* the greatest that each node has heard of or said */

        for (int step = 0; step < 200; step++) {
            uint32_t n = gvs_prng_below(&prng, 3), peer = gvs_prng_below(&prng, 3);
            struct gvs_wall wall = {gvs_prng_below(&prng, 50) + 1000 * n};
            uint64_t got;

            if (gvs_prng_chance(&prng, 1, 2)) {
                gvs_hlc_witness(&clock[n], seen[peer]);
                seen[n] = seen[n] > seen[peer] ? seen[n] : seen[peer];
                continue;
            }
            got = gvs_hlc_issue(&clock[n], wall, gvs_prng_chance(&prng, 1, 2) ? seen[n] : 0,
                                GVS_HLC_NO_LIMIT);
            if (got <= seen[n] || !gvs_hlc_valid(got) || gvs_hlc_ms(got) < wall.ms)
                fail_msg("step %d, replay with GVS_SEED=%" PRIu64, step, seed);
            seen[n] = got;
        }
    }
}

static void
test_two_hundred_thousand_writes_in_one_millisecond_all_ascend(void **state)
{
    struct gvs_hlc c = {0};
    uint64_t last = 0;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        uint64_t got = gvs_hlc_issue(&c, (struct gvs_wall){77}, 0, GVS_HLC_NO_LIMIT);

        assert_true(got > last);
        last = got;
    }
    assert_int_equal(gvs_hlc_ms(last), 77 + 199999 / 65536);
}

static void
test_order_is_clock_then_writer(void **state)
{
    static const struct {
        const char *why;
        struct gvs_stamp a, b;
        int sign;
    } rows[] = {
        {"equal stamps are equal", {5, {{1}}}, {5, {{1}}}, 0},
        {"the later clock wins", {5, {{9}}}, {6, {{1}}}, -1},
        {"the high half counts", {UINT64_C(1) << 40, {{0}}}, {5, {{9}}}, 1},
        {"the writer breaks a tie", {5, {{1}}}, {5, {{2}}}, -1},
        {"bytes of a writer are unsigned", {5, {{0x7f}}}, {5, {{0x80}}}, -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int ab = gvs_stamp_cmp(&rows[i].a, &rows[i].b), ba = gvs_stamp_cmp(&rows[i].b, &rows[i].a);

        print_message("%s\n", rows[i].why);
        assert_int_equal((ab > 0) - (ab < 0), rows[i].sign);
        assert_int_equal((ba > 0) - (ba < 0), -rows[i].sign);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid_is_from_one_millisecond_to_the_year_10889),
        cmocka_unit_test(test_make_and_ms_are_48_bits_over_16),
        cmocka_unit_test(test_t21_issue_follows_the_wall_and_never_falls_behind_what_was_seen),
        cmocka_unit_test(test_what_is_replaced_beyond_the_limit_carries_one_stamp_along),
        cmocka_unit_test(test_a_clock_is_lowered_to_nothing_that_it_issued_within_a_limit),
        cmocka_unit_test(test_what_is_issued_is_above_what_counts),
        cmocka_unit_test(test_witness_keeps_the_greatest),
        cmocka_unit_test(test_a_later_write_beats_what_its_writer_had_seen),
        cmocka_unit_test(test_two_hundred_thousand_writes_in_one_millisecond_all_ascend),
        cmocka_unit_test(test_order_is_clock_then_writer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
