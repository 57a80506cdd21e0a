/* Tables that cannot become equal, or are never still: whole nodes (test/lib/cluster.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/node_impl.h"
#include "test/lib/cluster.h"

#define SECOND UINT64_C(1000)
#define MINUTE (60 * SECOND)
#define MONTH_MS INT64_C(2592000000)

static bool
all_synced(struct cluster *c)
{
    for (size_t i = 0; i < c->config.nodes; i++) {
        if (c->host[i].node && !gvs_node_synced(c->host[i].node))
            return false;
    }
    return true;
}

/* Whom a configuration file of all names. */
static void
know_all(struct cluster *c)
{
    size_t all[CLUSTER_NODES_MAX];

    for (size_t i = 0; i < c->config.nodes; i++)
        all[i] = i;
    for (size_t i = 0; i < c->config.nodes; i++)
        cluster_set_peers(c, i, all, c->config.nodes);
}

static void
restart_all(struct cluster *c)
{
    for (size_t i = 0; i < c->config.nodes; i++)
        cluster_kill(c, i);
    for (size_t i = 0; i < c->config.nodes; i++)
        cluster_start(c, i);
}

static uint64_t
all_bytes(const struct cluster *c)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < c->config.nodes; i++)
        sum += c->host[i].sent_bytes;
    return sum;
}

/* --- full tables --- */

/* All fill their tables at once, with more than the tenth above that takes: each holds entries that
 * others have no room for. That lasts, and they start at once with nobody among them who knew more
 * before. */
static void
test_what_has_no_room_keeps_nobody_from_being_synced(void **state)
{
    static const size_t room[] = {20, 100}; /* named one by one; found by a sketch */
    unsigned each;

    (void)state;
    for (size_t r = 0; r < sizeof room / sizeof *room; r++) {
        struct cluster_config config = {
            .nodes = 4, .seed = 7, .disks = true, .limits = {room[r], 16}};
        struct cluster *c = cluster_open(&config);

        print_message("room for %zu\n", room[r]);
        know_all(c);
        cluster_start_all(c);
        assert_true(cluster_run_until(c, 20 * SECOND, cluster_converged));
        each = (unsigned)room[r] / 30 + 1;
        for (unsigned k = 0; k + each < room[r]; k++)
            assert_int_equal(cluster_write(c, 0, k, 1), GVS_OK);
        assert_true(cluster_run_until(c, 20 * SECOND, cluster_converged));
        for (unsigned k = 0; k < 4 * each; k++)
            assert_int_equal(cluster_write(c, k % 4, 2000 + k, 1), GVS_OK);
        cluster_run(c, 5 * SECOND);
        restart_all(c);
        cluster_run(c, 5 * SECOND);
        assert_false(all_synced(c));
        assert_true(cluster_run_until(c, 2 * MINUTE, all_synced));
        assert_false(cluster_agrees(c));
        cluster_close(c);
    }
}

/* --- deferred stamps --- */

/* One of four holds what a fifth, whose clock was wrong, wrote when the two were by themselves. The
 * fifth is no more, so nobody will write it again. */
#define HOLDER 3
#define WRITER 4

static struct cluster *
cluster_with_deferred(unsigned held, unsigned deferred)
{
    struct cluster_config config = {
        .nodes = WRITER + 1, .seed = 7, .disks = true, .limits = {16384, 16}};
    struct cluster *c = cluster_open(&config);
    struct gvs_id writer;

    for (size_t i = 0; i < HOLDER; i++)
        cluster_start(c, i);
    assert_true(cluster_run_until(c, 20 * SECOND, cluster_converged));
    for (unsigned k = 0; k < held; k++)
        assert_int_equal(cluster_write(c, 0, k, 1), GVS_OK);
    cluster_split(c, HOLDER);
    c->host[WRITER].skew_ms = MONTH_MS;
    cluster_start(c, HOLDER);
    cluster_start(c, WRITER);
    cluster_run(c, 11 * SECOND);
    for (unsigned k = 0; k < deferred; k++)
        assert_int_equal(cluster_write(c, WRITER, 5000 + k, 1), GVS_OK);
    cluster_run(c, 5 * SECOND);
    writer = gvs_node_self(c->host[WRITER].node);
    cluster_kill(c, WRITER);
    assert_int_equal(gvs_node_forget(c->host[HOLDER].node, c->now, &writer), GVS_OK);
    cluster_heal(c);
    cluster_run(c, 5 * MINUTE);
    for (unsigned k = 0; k < deferred; k++) {
        assert_int_equal(cluster_read(c, HOLDER, 5000 + k), 1);
        assert_int_equal(cluster_read(c, 0, 5000 + k), -1);
    }
    return c;
}

/* Bytes a second and node, where one key changes every second. */
static double
rate_of_changes(unsigned held, unsigned deferred)
{
    struct cluster *c = cluster_with_deferred(held, deferred);
    uint64_t before = all_bytes(c);
    double rate;

    for (unsigned s = 0; s < 120; s++) {
        cluster_write(c, 0, s % 100, s);
        cluster_run(c, SECOND);
        assert_int_equal(cluster_read(c, HOLDER, s % 100), s);
    }
    rate = (double)(all_bytes(c) - before) / 120 / WRITER;
    cluster_close(c);
    return rate;
}

/* Each change anywhere makes all fingerprints others, but not the difference. */
static void
test_what_is_deferred_is_not_searched_for_with_each_change(void **state)
{
    double none = rate_of_changes(1000, 0), one = rate_of_changes(1000, 1),
           many = rate_of_changes(1000, 1000);

    (void)state;
    print_message("a change a second, bytes a second and node: %.0f; 1 entry deferred: %.0f; "
                  "1,000: %.0f\n",
                  none, one, many);
    assert_true(one < 1.25 * none);
    assert_true(many < 20 * none);
}

static void
test_what_is_deferred_keeps_nobody_from_being_synced(void **state)
{
    static const unsigned held[] = {20, 1000}; /* named one by one; found by a sketch */

    (void)state;
    for (size_t r = 0; r < sizeof held / sizeof *held; r++) {
        struct cluster *c = cluster_with_deferred(held[r], 1);

        print_message("beside %u\n", held[r]);
        for (size_t i = 0; i < WRITER; i++)
            cluster_kill(c, i);
        for (size_t i = 0; i < WRITER; i++)
            cluster_start(c, i);
        assert_true(cluster_run_until(c, 2 * MINUTE, all_synced));
        assert_false(cluster_agrees(c));
        cluster_close(c);
    }
}

/* --- no rest --- */

#define BUSY 20000
#define MISSED 1000

static void
write_all_the_time(struct cluster *c, uint64_t ms)
{
    for (uint64_t k = 0; k < ms; k += 5) {
        for (unsigned i = 0; i < c->config.nodes; i++)
            cluster_write(c, i, BUSY + 1000 * i + (unsigned)(k / 5) % 200, (unsigned)k);
        cluster_run(c, 5);
    }
}

static size_t
count_missing(const struct cluster *c)
{
    size_t count = 0;

    for (size_t i = 1; i < c->config.nodes; i++) {
        for (unsigned k = MISSED; k < MISSED + 200; k++)
            count += cluster_read(c, i, k) < 0;
    }
    return count;
}

/* A push is always on its way then, and might explain why fingerprints differ. */
static void
test_what_relay_lost_is_found_while_all_write(void **state)
{
    struct cluster_config config = {.nodes = 3, .seed = 7, .latency_us = 5000};
    struct cluster *c = cluster_open(&config);

    (void)state;
    cluster_start_all(c);
    assert_true(cluster_run_until(c, 20 * SECOND, cluster_converged));
    write_all_the_time(c, 3 * SECOND);
    cluster_split(c, 1);
    for (unsigned k = MISSED; k < MISSED + 200; k++)
        assert_int_equal(cluster_write(c, 0, k, 1), GVS_OK);
    for (unsigned k = 0; k < 6000; k++) /* the log has room for 4,096 */
        cluster_write(c, 0, BUSY + k % 200, 1 + k);
    write_all_the_time(c, 600);
    cluster_heal(c);
    cluster_run(c, 5);
    assert_int_equal(count_missing(c), 400);
    for (unsigned s = 0; s < 10 && count_missing(c) > 0; s++)
        write_all_the_time(c, SECOND);
    assert_int_equal(count_missing(c), 0);
    cluster_close(c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_has_no_room_keeps_nobody_from_being_synced),
        cmocka_unit_test(test_what_is_deferred_is_not_searched_for_with_each_change),
        cmocka_unit_test(test_what_is_deferred_keeps_nobody_from_being_synced),
        cmocka_unit_test(test_what_relay_lost_is_found_while_all_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
