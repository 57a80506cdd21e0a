/* test/net/test_window.c: the replay window against a model, and the limit. */
#include "net/limit.h"
#include "net/window.h"
#include "test/lib/prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* I1. The model remembers every counter. */
static void
test_the_window_takes_no_counter_twice_and_every_one_that_is_not_too_late(void **state)
{
    enum { COUNTERS = 40000, STEPS = 20000 };
    static bool seen[COUNTERS];

    (void)state;
    for (uint64_t seed = test_seed_first(); seed < test_seed_end(50); seed++) {
        struct gvs_prng prng = gvs_prng_init(seed);
        struct gvs_window w = {0};
        uint64_t next = 0;

        memset(seen, 0, sizeof seen);
        for (int i = 0; i < STEPS; i++) {
            uint32_t reach = gvs_prng_chance(&prng, 1, 50) ? 6000 : 3;
            uint64_t back = gvs_prng_below(&prng, gvs_prng_chance(&prng, 1, 4) ? 2100 : 70);
            uint64_t n = next + gvs_prng_below(&prng, reach);
            bool want;

            n = n > back ? n - back : 0;
            if (n >= COUNTERS)
                break;
            want = !seen[n] && n + GVS_WINDOW_LEN >= next;
            if (gvs_window_fresh(&w, n) != want)
                fail_msg("counter %" PRIu64 ", GVS_SEED=%" PRIu64, n, seed);
            if (!want || gvs_prng_chance(&prng, 1, 10))
                continue; /* did not open: no mark */
            gvs_window_mark(&w, n);
            seen[n] = true;
            next = n >= next ? n + 1 : next;
        }
    }
}

static void
test_the_window_s_edges(void **state)
{
    struct gvs_window w = {0};

    (void)state;
    assert_true(gvs_window_fresh(&w, 0));
    gvs_window_mark(&w, 0);
    assert_false(gvs_window_fresh(&w, 0));
    gvs_window_mark(&w, GVS_WINDOW_LEN);
    assert_false(gvs_window_fresh(&w, 0));
    assert_true(gvs_window_fresh(&w, 1)); /* late by 1,983 */
    gvs_window_mark(&w, UINT64_C(1) << 59);
    assert_false(gvs_window_fresh(&w, 1));
    assert_true(gvs_window_fresh(&w, (UINT64_C(1) << 59) - GVS_WINDOW_LEN + 1));
    assert_false(gvs_window_fresh(&w, (UINT64_C(1) << 59) - GVS_WINDOW_LEN));
    gvs_window_mark(&w, UINT64_MAX - 1);
    assert_false(gvs_window_fresh(&w, UINT64_MAX - 1));
}

static void
test_the_limit_gives_its_burst_and_then_its_rate(void **state)
{
    struct gvs_limit l = {0};
    struct gvs_mono now = {5};
    int taken = 0;

    (void)state;
    for (int i = 0; i < 100; i++) /* at once */
        if (gvs_limit_allows(&l, now, 1000, 10) && ++taken)
            gvs_limit_take(&l, now, 1000);
    assert_int_equal(taken, 10);
    for (int i = 0; i < 50000; i += 100) { /* ten times the rate, for 50 ms */
        now.us += 100;
        if (gvs_limit_allows(&l, now, 1000, 10) && ++taken)
            gvs_limit_take(&l, now, 1000);
    }
    assert_int_equal(taken, 60);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_window_takes_no_counter_twice_and_every_one_that_is_not_too_late),
        cmocka_unit_test(test_the_window_s_edges),
        cmocka_unit_test(test_the_limit_gives_its_burst_and_then_its_rate),
    };

    return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
