/* When a server counts as up or down, on a clock of our own and with dice that are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "test/lib/prng.h"
#include "tools/agent/health.h"

#define S UINT64_C(1000) /* ms */

static const struct gvs_health_rule rule = {.interval_ms = 2 * S, .rise = 2, .fall = 3};

static struct gvs_mono
at(uint64_t ms)
{
    return (struct gvs_mono){(1000 * S + ms) * 1000};
}

/* One answer a letter, `+` and `-`, one a second; what counts after each as `U` and `d`. */
static void
tell(char *counts, struct gvs_health *h, const struct gvs_health_rule *r, const char *answers,
     uint64_t *ms)
{
    for (; *answers; answers++, *ms += S) {
        bool before = h->up;
        bool changed = gvs_health_answer(h, r, *answers == '+', at(*ms));

        assert_int_equal(changed, before != h->up);
        *counts++ = h->up ? 'U' : 'd';
    }
    *counts = 0;
}

static void
test_so_many_in_a_row_count_and_no_fewer(void **state)
{
    static const struct {
        const char *why;
        struct gvs_health_rule r;
        bool up;
        const char *answers, *counts;
    } rows[] = {
        {"three failures", {2 * S, 2, 3}, true, "---", "UUd"},
        {"one success begins the row anew", {2 * S, 2, 3}, true, "--+--+---", "UUUUUUUUd"},
        {"two successes", {2 * S, 2, 3}, false, "++", "dU"},
        {"one failure begins the row anew", {2 * S, 2, 3}, false, "+-+-++", "dddddU"},
        {"one is enough", {2 * S, 1, 1}, true, "-+-", "dUd"},
        {"what agrees changes nothing", {2 * S, 1, 1}, false, "-----", "ddddd"},
        {"and is no credit", {2 * S, 2, 2}, true, "+++++--", "UUUUUUd"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gvs_health h;
        uint64_t ms = 0;
        char counts[32];

        print_message("%s\n", rows[i].why);
        gvs_health_init(&h, &rows[i].r, rows[i].up, at(0), 0);
        tell(counts, &h, &rows[i].r, rows[i].answers, &ms);
        assert_string_equal(counts, rows[i].counts);
    }
}

/* Answers all the time, but for one look in between: when it is up again. */
static uint64_t
down_for(struct gvs_health *h, const struct gvs_health_rule *r, uint64_t *ms)
{
    uint64_t from = *ms;

    assert_true(gvs_health_answer(h, r, false, at(*ms)));
    do {
        *ms += 100;
        assert_true(*ms - from < 100 * S);
    } while (!gvs_health_answer(h, r, true, at(*ms)));
    return *ms - from;
}

static void
test_one_that_comes_and_goes_stays_down_longer_each_time(void **state)
{
    static const struct gvs_health_rule r = {.interval_ms = S, .rise = 1, .fall = 1};
    static const uint64_t want[] = {100,    100,    4 * S,  8 * S,  16 * S,
                                    32 * S, 60 * S, 60 * S, 60 * S, 60 * S};
    struct gvs_health h;
    uint64_t ms = 0;

    (void)state;
    gvs_health_init(&h, &r, true, at(0), 0);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++, ms += S)
        assert_int_equal(down_for(&h, &r, &ms), want[i]);
    print_message("a quiet five minutes halve what is held against it\n");
    ms += 301 * S;
    assert_int_equal(down_for(&h, &r, &ms), 16 * S); /* 8 -> 4, and this one */
    print_message("and an hour forgets it\n");
    ms += 3600 * S;
    assert_int_equal(down_for(&h, &r, &ms), 100);
}

static void
test_who_is_held_and_fails_begins_the_row_anew(void **state)
{
    static const struct gvs_health_rule r = {.interval_ms = S, .rise = 2, .fall = 1};
    struct gvs_health h;
    uint64_t ms = 0;
    char counts[32];

    (void)state;
    gvs_health_init(&h, &r, true, at(0), 0);
    tell(counts, &h, &r, "-++-++-", &ms);
    assert_string_equal(counts, "ddUddUd");
    print_message("4 s from its third fall on, and then two in a row\n");
    tell(counts, &h, &r, "++-+++", &ms);
    assert_string_equal(counts, "ddddUU");
}

static void
test_flapping_costs_two_changes_a_minute_in_the_long_run(void **state)
{
    static const struct gvs_health_rule r = {.interval_ms = S, .rise = 1, .fall = 1};
    struct gvs_prng prng = gvs_prng_init(7);
    struct gvs_health h;
    unsigned changes = 0;

    (void)state;
    gvs_health_init(&h, &r, true, at(0), 0);
    for (uint64_t s = 0; s < 3600; s++)
        changes += gvs_health_answer(&h, &r, gvs_prng_below(&prng, 2) == 1, at(s * S));
    print_message("%u changes in an hour of coins\n", changes);
    assert_in_range(changes, 100, 120 + 20);
}

static void
test_a_thousand_are_spread_over_the_interval_and_stay_so(void **state)
{
    enum { CHECKS = 1000, TENTHS = 20 };
    struct gvs_prng prng = gvs_prng_init(1);
    static struct gvs_health h[CHECKS];
    unsigned looks[TENTHS * 30] = {0}, most = 0, least = CHECKS;

    (void)state;
    for (size_t i = 0; i < CHECKS; i++)
        gvs_health_init(&h[i], &rule, false, at(0), (uint32_t)gvs_prng_next(&prng));
    for (uint64_t ms = 0; ms < 60 * S; ms += 10)
        for (size_t i = 0; i < CHECKS; i++)
            if (gvs_mono_due(h[i].next, at(ms))) {
                looks[ms / 100]++;
                gvs_health_look(&h[i], &rule, at(ms), (uint32_t)gvs_prng_next(&prng));
            }
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
        most = looks[i] > most ? looks[i] : most;
        least = looks[i] < least ? looks[i] : least;
    }
    print_message("%u to %u looks in a tenth of a second, 50 on average\n", least, most);
    assert_in_range(least, 20, 50);
    assert_in_range(most, 50, 85);
}

static void
test_looks_are_an_interval_apart_give_or_take_a_tenth(void **state)
{
    static const uint32_t dice[] = {0, 200, 201, 77, UINT32_MAX};
    struct gvs_health h;

    (void)state;
    for (size_t i = 0; i < sizeof dice / sizeof *dice; i++) {
        gvs_health_init(&h, &rule, true, at(0), dice[i]);
        assert_in_range(h.next.us, at(0).us, at(2 * S - 1).us);
        gvs_health_look(&h, &rule, at(0), dice[i]);
        assert_in_range(h.next.us, at(1800).us, at(2200).us);
    }
    gvs_health_look(&h, &rule, at(0), 0);
    assert_int_equal(h.next.us, at(1800).us);
    gvs_health_look(&h, &rule, at(0), 200);
    assert_int_equal(h.next.us, at(2200).us);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_so_many_in_a_row_count_and_no_fewer),
        cmocka_unit_test(test_one_that_comes_and_goes_stays_down_longer_each_time),
        cmocka_unit_test(test_who_is_held_and_fails_begins_the_row_anew),
        cmocka_unit_test(test_flapping_costs_two_changes_a_minute_in_the_long_run),
        cmocka_unit_test(test_a_thousand_are_spread_over_the_interval_and_stay_so),
        cmocka_unit_test(test_looks_are_an_interval_apart_give_or_take_a_tenth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
