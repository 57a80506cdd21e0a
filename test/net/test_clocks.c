/* Nodes whose wall clocks are wrong, or jump, on fake time (test/lib/cluster.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/err.h"
#include "test/lib/cluster.h"

#define SECOND 1000
#define HOUR_MS INT64_C(3600000)

static void
test_a_slow_clock_does_not_lose_a_later_write(void **state)
{
    struct cluster *c = cluster_open(&(struct cluster_config){.nodes = 2, .seed = 19});

    (void)state;
    c->host[1].skew_ms = -10000;
    cluster_start_all(c);
    assert_true(cluster_run_until(c, 5 * SECOND, cluster_converged));
    cluster_write(c, 0, 1, 1);
    assert_true(cluster_run_until(c, SECOND, cluster_agrees));
    cluster_write(c, 1, 1, 2);
    assert_true(cluster_run_until(c, SECOND, cluster_agrees));
    assert_int_equal(cluster_read(c, 0, 1), 2);
    cluster_write(c, 0, 2, 1);
    assert_true(cluster_run_until(c, SECOND, cluster_agrees));
    cluster_write(c, 1, 3, 1); /* another key: above all that it has seen nevertheless */
    assert_true(cluster_order(c, 1, 3) > cluster_order(c, 1, 2));
    cluster_close(c);
}

static void
test_t21_a_wild_clock_is_outvoted_and_locks_nobody_out(void **state)
{
    struct cluster *c = cluster_open(&(struct cluster_config){.nodes = 5, .seed = 460});
    struct gvs_node_clock clock;

    (void)state;
    c->host[4].skew_ms = 3600000;
    c->host[3].skew_ms = -86400000;
    for (size_t i = 0; i < 4; i++)
        cluster_start(c, i);
    cluster_set_peers(c, 4, (size_t[]){0}, 1);
    assert_true(cluster_run_until(c, 10 * SECOND, cluster_converged));
    cluster_start(c, 4);
    assert_int_equal(cluster_write(c, 4, 1, 1), GVS_OK); /* alone with its clock */
    cluster_run(c, 10 * SECOND);
    assert_int_equal(cluster_read(c, 0, 1), -1);
    assert_true(gvs_node_count(c->host[0].node).deferred > 0);
    clock = gvs_node_clock(c->host[4].node, c->now);
    assert_true(clock.off && clock.known == 5);
    assert_in_range(-clock.median_ms, 3599000, 3601000);
    assert_false(gvs_node_clock(c->host[1].node, c->now).off);
    assert_int_equal(cluster_write(c, 3, 2, 1), GVS_OK); /* a day slow, and yet the later write */
    cluster_run(c, SECOND);
    assert_int_equal(cluster_write(c, 0, 2, 2), GVS_OK);
    cluster_run(c, SECOND);
    assert_int_equal(cluster_write(c, 3, 2, 3), GVS_OK);
    cluster_run(c, 5 * SECOND);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(cluster_read(c, i, 2), 3);
    cluster_run(c, 3650 * SECOND);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(cluster_read(c, i, 1), 1); /* its time has come */
    assert_true(cluster_agrees(c));
    cluster_close(c);
}

/* Its clock is in 1970, an hour slow or an hour fast, and may be another at each start. A stamp is
 * used up when it is issued, whatever the clock says next. */
static void
test_t21_a_clock_that_jumps_issues_no_stamp_twice_and_the_later_write_wins(void **state)
{
    static const int64_t skews[] = {-(int64_t)CLUSTER_WALL_MS, -HOUR_MS, 0, HOUR_MS};

    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 20); seed++) {
        struct cluster *c =
            cluster_open(&(struct cluster_config){.nodes = 4, .seed = seed, .disks = true});
        struct gvs_prng prng = gvs_prng_init(seed);
        uint64_t last = 0;

        cluster_start_all(c);
        assert_true(cluster_run_until(c, 20 * SECOND, cluster_converged));
        for (unsigned step = 0; step < 16; step++) {
            bool again = gvs_prng_chance(&prng, 1, 3);

            /* One that starts an hour fast, and has met nobody yet, writes what nobody takes. */
            c->host[3].skew_ms = skews[gvs_prng_below(&prng, again ? 3 : 4)];
            if (again) {
                cluster_kill(c, 3);
                cluster_start(c, 3);
            }
            for (unsigned i = 0; i < 2; i++) {
                assert_int_equal(cluster_write(c, 3, step, 1 + i), GVS_OK);
                assert_true(cluster_order(c, 3, step) > last);
                last = cluster_order(c, 3, step);
                cluster_run(c, gvs_prng_below(&prng, 2) * 2 * SECOND);
            }
            cluster_run(c, 5 * SECOND);
            assert_int_equal(cluster_read(c, 0, step), 2);
            assert_int_equal(cluster_write(c, 0, step, 100 + step), GVS_OK);
            cluster_run(c, 2 * SECOND);
            for (size_t i = 0; i < 4; i++)
                assert_int_equal(cluster_read(c, i, step), 100 + step);
        }
        c->host[3].skew_ms = 0;
        assert_true(cluster_run_until(c, 20 * SECOND, cluster_converged));
        cluster_close(c);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_slow_clock_does_not_lose_a_later_write),
        cmocka_unit_test(test_t21_a_wild_clock_is_outvoted_and_locks_nobody_out),
        cmocka_unit_test_teardown(
            test_t21_a_clock_that_jumps_issues_no_stamp_twice_and_the_later_write_wins,
            test_seed_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
