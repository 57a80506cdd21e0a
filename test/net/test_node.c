/* Whole nodes on fake time and a fake network (test/lib/cluster.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/node_impl.h"
#include "net/pace.h"
#include "test/lib/cluster.h"

#define SECOND 1000

static struct cluster *
joined_cluster(const struct cluster_config *config)
{
    struct cluster *c = cluster_open(config);

    cluster_start_all(c);
    assert_true(cluster_run_until(c, 20 * SECOND, cluster_converged));
    return c;
}

static struct cluster *
small_cluster(size_t nodes, uint64_t seed)
{
    return joined_cluster(&(struct cluster_config){.nodes = nodes, .seed = seed});
}

static bool
all_synced(struct cluster *c)
{
    for (size_t i = 0; i < c->config.nodes; i++) {
        if (c->host[i].node && !gvs_node_synced(c->host[i].node))
            return false;
    }
    return true;
}

static uint64_t
deaths(const struct cluster *c)
{
    uint64_t n = 0;

    for (size_t i = 0; i < c->config.nodes; i++)
        n += c->host[i].died;
    return n;
}

/* --- joining --- */

static void
test_nodes_that_know_one_peer_each_find_all(void **state)
{
    static const size_t sizes[] = {2, 3, 10, 32};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct cluster *c = cluster_open(&(struct cluster_config){.nodes = sizes[i], .seed = i});
        uint64_t began = c->now.us;

        cluster_start_all(c);
        assert_true(cluster_run_until(c, 10 * SECOND, cluster_converged));
        print_message("%zu nodes joined in %lu us\n", sizes[i], (unsigned long)(c->now.us - began));
        assert_true(c->now.us - began < 100000);
        assert_true(cluster_run_until(c, 10 * SECOND, all_synced));
        assert_int_equal(deaths(c), 0);
        cluster_close(c);
    }
}

/* It knows one of them, and that one tells the others. */
static void
test_a_newcomer_is_known_to_all_at_once(void **state)
{
    struct cluster *c = cluster_open(&(struct cluster_config){.nodes = 8, .seed = 60});

    (void)state;
    for (size_t i = 0; i < 7; i++)
        cluster_start(c, i);
    assert_true(cluster_run_until(c, 10 * SECOND, cluster_converged));
    cluster_run(c, 10 * SECOND);
    cluster_set_peers(c, 7, (size_t[]){3}, 1);
    cluster_start(c, 7);
    for (size_t i = 0; i < 7; i++) /* it tells nobody itself */
        c->cut[7][i] = i != 3;
    cluster_run(c, 5);
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(cluster_state(c, i, 7, NULL), GVS_ALIVE);
    cluster_close(c);
}

static void
test_a_lone_node_writes_and_knows_that_it_is_alone(void **state)
{
    struct cluster *c = cluster_open(&(struct cluster_config){.nodes = 1, .seed = 1});

    (void)state;
    cluster_start(c, 0);
    cluster_run(c, 20 * SECOND);
    assert_false(gvs_node_reached_anyone(c->host[0].node));
    assert_false(gvs_node_synced(c->host[0].node));
    assert_int_equal(cluster_write(c, 0, 1, 5), GVS_OK);
    assert_int_equal(cluster_read(c, 0, 1), 5);
    assert_int_equal(cluster_alive(c, 0), 1);
    assert_int_equal(c->host[0].sent, 0);
    cluster_close(c);
}

static void
test_a_joining_node_takes_over_a_large_table(void **state)
{
    struct cluster_config config = {.nodes = 4, .seed = 5, .limits = {65536, 16}};
    struct cluster *c = cluster_open(&config);
    struct gvs_node_counts counts;
    uint64_t began, pushed = 0;

    (void)state;
    for (size_t i = 0; i < 3; i++)
        cluster_start(c, i);
    assert_true(cluster_run_until(c, 10 * SECOND, cluster_converged));
    for (unsigned k = 0; k < 50000; k++) {
        assert_int_equal(cluster_write(c, k % 3, k, 1), GVS_OK);
        if (k % 100 == 0)
            cluster_run(c, 1);
    }
    assert_true(cluster_run_until(c, 20 * SECOND, cluster_agrees));
    for (size_t i = 0; i < 3; i++)
        pushed -= gvs_node_count(c->host[i].node).pushed;
    began = c->now.us;
    cluster_set_peers(c, 3, (size_t[]){0, 1, 2}, 3);
    cluster_start(c, 3);
    assert_true(cluster_run_until(c, 20 * SECOND, cluster_converged));
    for (size_t i = 0; i < 3; i++)
        pushed += gvs_node_count(c->host[i].node).pushed;
    print_message("50,000 entries from three givers in %lu us, %.2f copies of each\n",
                  (unsigned long)(c->now.us - began), (double)pushed / 50000);
    assert_true(pushed < 75000); /* they share the work */
    counts = gvs_node_count(c->host[3].node);
    assert_int_equal(counts.refused, 0);
    assert_true(counts.merged >= 50000);
    cluster_close(c);
}

static void
test_a_few_differences_cost_a_few_kilobytes(void **state)
{
    struct cluster_config config = {.nodes = 2, .seed = 6, .limits = {65536, 16}};
    struct cluster *c = joined_cluster(&config);
    uint64_t bytes;

    (void)state;
    for (unsigned k = 0; k < 50000; k++) {
        assert_int_equal(cluster_write(c, 0, k, 1), GVS_OK);
        if (k % 100 == 0)
            cluster_run(c, 1);
    }
    assert_true(cluster_run_until(c, 20 * SECOND, cluster_agrees));
    cluster_split(c, 1);
    cluster_run(c, 20 * SECOND);
    cluster_write(c, 0, 1, 2);
    cluster_write(c, 0, 60000, 2);
    cluster_write(c, 1, 2, 2);
    cluster_heal(c);
    bytes = c->host[0].sent_bytes + c->host[1].sent_bytes;
    assert_true(cluster_run_until(c, 20 * SECOND, cluster_agrees));
    bytes = c->host[0].sent_bytes + c->host[1].sent_bytes - bytes;
    print_message("3 differences in 50,000 found and mended with %lu bytes\n",
                  (unsigned long)bytes);
    assert_true(bytes < 20000);
    cluster_close(c);
}

static bool
heard_of_differences(struct cluster *c)
{
    return gvs_table_count(gvs_node_claims(c->host[1].node)) > 10000;
}

/* More than one search can find: the next follows at once, not with the next probe. */
static void
test_many_differences_are_mended_search_after_search(void **state)
{
    struct cluster_config config = {.nodes = 2, .seed = 61, .limits = {65536, 16}};
    struct cluster *c = joined_cluster(&config);
    uint64_t began;

    (void)state;
    cluster_split(c, 1);
    cluster_run(c, 10 * SECOND);
    for (unsigned k = 0; k < 20000; k++)
        assert_int_equal(cluster_write(c, k % 2, k, 1), GVS_OK);
    cluster_run(c, 1500); /* what is younger than a second is left to relay */
    cluster_heal(c);
    assert_true(cluster_run_until(c, 10 * SECOND, heard_of_differences));
    began = c->now.us;
    assert_true(cluster_run_until(c, 20 * SECOND, cluster_agrees));
    print_message("20,000 differences mended in %lu ms\n",
                  (unsigned long)(c->now.us - began) / 1000);
    assert_true(c->now.us - began < 700000); /* a probe a second would take longer */
    cluster_close(c);
}

/* --- relay --- */

static void
test_a_write_is_everywhere_after_one_delay(void **state)
{
    struct cluster *c = small_cluster(10, 7);
    uint64_t began, news[10];

    (void)state;
    cluster_run(c, 5 * SECOND);
    for (unsigned k = 0; k < 20; k++) {
        cluster_run(c, 137);
        began = c->now.us;
        for (size_t i = 0; i < 10; i++)
            news[i] = c->host[i].news;
        assert_int_equal(cluster_write(c, k % 10, 1, k), GVS_OK);
        assert_true(cluster_run_until(c, SECOND, cluster_agrees));
        assert_true(c->now.us - began <= c->config.latency_us);
        cluster_run(c, 100);
        for (size_t i = 0; i < 10; i++)
            assert_int_equal(c->host[i].news - news[i], 1); /* once, also at the writer */
    }
    cluster_close(c);
}

static void
test_a_busy_key_costs_no_more_than_its_last_value(void **state)
{
    struct cluster *c = small_cluster(2, 8);
    struct gvs_node_counts before, after;

    (void)state;
    cluster_run(c, 5 * SECOND);
    cluster_cut(c, 0, 1); /* nothing is acknowledged: the window fills, the rest waits as one key */
    before = gvs_node_count(c->host[0].node);
    for (unsigned w = 0; w < 1000; w++)
        cluster_write(c, 0, 1, w);
    after = gvs_node_count(c->host[0].node);
    assert_true(after.pushed - before.pushed <= GVS_FLIGHTS_MAX);
    cluster_heal(c);
    assert_true(cluster_run_until(c, 5 * SECOND, cluster_agrees));
    assert_int_equal(cluster_read(c, 1, 1), 999);
    assert_true(gvs_node_count(c->host[0].node).pushed - before.pushed < 3 * GVS_FLIGHTS_MAX);
    cluster_close(c);
}

static void
test_a_lost_push_is_sent_again_soon(void **state)
{
    struct cluster *c = small_cluster(2, 9);
    uint64_t began;

    (void)state;
    cluster_run(c, 5 * SECOND);
    cluster_cut(c, 0, 1);
    began = c->now.us;
    cluster_write(c, 0, 1, 1);
    cluster_run(c, 1);
    cluster_heal(c);
    assert_true(cluster_run_until(c, SECOND, cluster_agrees));
    assert_true(c->now.us - began < 60000);
    cluster_close(c);
}

static void
test_loss_and_duplication_only_cost_time(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 10); seed++) {
        struct cluster_config config = {.nodes = 5,
                                        .seed = seed,
                                        .latency_us = 300,
                                        .jitter_us = 2000,
                                        .loss = 30,
                                        .duplication = 20};
        struct cluster *c = cluster_open(&config);

        cluster_start_all(c);
        cluster_run(c, 10 * SECOND);
        for (unsigned k = 0; k < 500; k++) {
            cluster_write(c, k % 5, k % 300, k);
            if (k % 7 == 0)
                cluster_run(c, 3);
        }
        assert_true(cluster_run_until(c, 120 * SECOND, cluster_converged));
        for (unsigned k = 200; k < 300; k++)
            assert_int_equal(cluster_read(c, 4, k), k);
        cluster_close(c);
    }
}

/* --- bounds, and what the caller sees --- */

static void
test_a_full_table_refuses_and_stays_whole(void **state)
{
    struct cluster_config config = {.nodes = 2, .seed = 34, .limits = {100, 4}};
    struct cluster *c = joined_cluster(&config);
    uint64_t before;

    (void)state;
    for (unsigned k = 0; k < 100; k++)
        assert_int_equal(cluster_write(c, 0, k, 1), GVS_OK);
    assert_true(cluster_run_until(c, 5 * SECOND, cluster_agrees));
    before = gvs_table_fingerprint(gvs_node_claims(c->host[0].node));
    assert_int_equal(cluster_write(c, 0, 100, 1), GVS_E_FULL);
    assert_int_equal(gvs_table_fingerprint(gvs_node_claims(c->host[0].node)), before);
    assert_int_equal(cluster_write(c, 0, 5, 2), GVS_OK); /* what is there can change */
    assert_true(cluster_run_until(c, 5 * SECOND, cluster_agrees));
    cluster_close(c);
}

static void
test_members_beyond_the_limit_are_turned_away(void **state)
{
    struct cluster_config config = {.nodes = 4, .seed = 35, .limits = {100, 3}};
    struct cluster *c = cluster_open(&config);

    (void)state;
    for (size_t i = 1; i < 4; i++)
        cluster_set_peers(c, i, (size_t[]){0}, 1);
    cluster_start_all(c);
    cluster_run(c, 30 * SECOND);
    for (size_t i = 0; i < 4; i++)
        assert_true(cluster_alive(c, i) <= 3);
    assert_int_equal(cluster_alive(c, 0), 3);
    cluster_close(c);
}

/* A node that starves in a pair whose tables cannot become equal does not talk without end. */
static void
test_what_cannot_be_mended_is_tried_less_and_less(void **state)
{
    struct cluster_config config = {.nodes = 2, .seed = 36, .limits = {100, 4}};
    struct cluster *c = joined_cluster(&config);
    uint64_t bytes;

    (void)state;
    cluster_split(c, 1);
    cluster_run(c, 10 * SECOND);
    for (unsigned k = 0; k < 100; k++) {
        assert_int_equal(cluster_write(c, 0, k, 1), GVS_OK);
        assert_int_equal(cluster_write(c, 1, 1000 + k, 1), GVS_OK);
    }
    cluster_heal(c);
    cluster_run(c, 60 * SECOND);
    bytes = c->host[0].sent_bytes;
    cluster_run(c, 100 * SECOND);
    bytes = c->host[0].sent_bytes - bytes;
    print_message("%lu bytes/s to no avail\n", (unsigned long)bytes / 100);
    assert_true(bytes / 100 < 4000);
    assert_true(gvs_node_count(c->host[0].node).refused > 0);
    assert_int_equal(cluster_alive(c, 0), 2);
    cluster_close(c);
}

static void
test_news_that_nobody_asked_for_are_all_told_later(void **state)
{
    struct cluster_config config = {.nodes = 1, .seed = 37, .limits = {65536, 4}};
    struct cluster *c = cluster_open(&config);
    struct gvs_node *n;
    struct gvs_entry e;
    size_t count = 0;

    (void)state;
    cluster_start(c, 0);
    n = c->host[0].node;
    for (unsigned k = 0; k < 20000; k++) { /* the ring holds 16,384 */
        struct gvs_backend backend = {.weight = k};
        uint8_t value[GVS_VALUE_LEN_MAX];
        struct gvs_key key;

        cluster_key(&key, k);
        assert_int_equal(gvs_node_write(n, c->now, cluster_wall(c, 0), &key, false, value,
                                        gvs_backend_encode(value, &backend), NULL),
                         GVS_OK);
    }
    while (gvs_node_news(n, &e))
        count++;
    assert_int_equal(count, 20001); /* and our own member entry */
    assert_false(gvs_node_news(n, &e));
    cluster_write(c, 0, 5, 6);
    assert_int_equal(c->host[0].news, 2); /* that of the start, and this */
    cluster_close(c);
}

static void
test_what_the_list_says_of_a_member(void **state)
{
    struct cluster *c = cluster_open(&(struct cluster_config){.nodes = 2, .seed = 38});
    struct gvs_node_member list[4], *other;
    struct gvs_mono began;

    (void)state;
    c->host[1].skew_ms = 5000;
    cluster_start_all(c);
    assert_true(cluster_run_until(c, 5 * SECOND, cluster_converged));
    gvs_node_set_in_step(c->host[1].node, true);
    cluster_run(c, 3 * SECOND);
    began = c->now;
    gvs_node_probe_all(c->host[0].node, c->now);
    assert_true(gvs_mono_due(gvs_node_deadline(c->host[0].node), c->now));
    cluster_run(c, 1);
    assert_int_equal(gvs_node_list(c->host[0].node, list, 4), 2);
    assert_true(gvs_id_cmp(&list[0].id, &list[1].id) < 0);
    other = list[0].self ? &list[1] : &list[0];
    assert_true(list[0].self != list[1].self);
    assert_string_equal(other->value.name, "n1");
    assert_string_equal(other->value.version, "0.1.0");
    assert_int_equal(other->state, GVS_ALIVE);
    assert_true(other->heard && other->in_step && other->has_fingerprint);
    assert_int_equal(other->fingerprint, gvs_table_fingerprint(gvs_node_claims(c->host[1].node)));
    assert_int_equal(other->answered.us, began.us);
    assert_int_equal(other->heard_at.us, began.us + 2 * c->config.latency_us);
    assert_in_range(other->rtt_us, 300, 500);
    assert_in_range(other->clock_offset_ms, 4998, 5002);
    cluster_close(c);
}

static struct gvs_node_member
what_0_knows_of_1(struct cluster *c)
{
    struct gvs_node_member list[4];

    gvs_node_probe_all(c->host[0].node, c->now);
    cluster_run(c, 5);
    assert_int_equal(gvs_node_list(c->host[0].node, list, 4), 2);
    return list[list[0].self ? 1 : 0];
}

/* An answer leaves before its sender's caller has looked at what the question brought. */
static void
test_nobody_is_in_step_with_what_it_has_not_looked_at(void **state)
{
    struct cluster *c = small_cluster(2, 39);
    struct gvs_node *a = c->host[0].node, *b = c->host[1].node;
    struct gvs_node_member other;

    (void)state;
    gvs_node_set_in_step(b, true);
    assert_true(what_0_knows_of_1(c).in_step);
    assert_int_equal(cluster_write(c, 0, 1, 5), GVS_OK);
    other = what_0_knows_of_1(c);
    assert_int_equal(other.fingerprint, gvs_table_fingerprint(gvs_node_claims(a)));
    assert_false(other.in_step);
    gvs_node_set_in_step(b, true);
    assert_true(what_0_knows_of_1(c).in_step);
    assert_int_equal(cluster_write(c, 1, 2, 5), GVS_OK); /* its own writes are no better */
    other = what_0_knows_of_1(c);
    assert_int_equal(other.fingerprint, gvs_table_fingerprint(gvs_node_claims(a)));
    assert_false(other.in_step);
    cluster_close(c);
}

static void
test_who_observes_says_that_and_not_that_it_is_in_step(void **state)
{
    struct cluster *c = small_cluster(2, 40);
    struct gvs_node *b = c->host[1].node;
    struct gvs_node_member other;

    (void)state;
    assert_false(what_0_knows_of_1(c).observes);
    gvs_node_set_observes(b, true);
    other = what_0_knows_of_1(c);
    assert_true(other.observes && !other.in_step);
    gvs_node_set_in_step(b, true); /* what it reads is what it wants */
    other = what_0_knows_of_1(c);
    assert_true(other.observes && other.in_step);
    gvs_node_set_observes(b, false);
    other = what_0_knows_of_1(c);
    assert_true(!other.observes && other.in_step);
    cluster_close(c);
}

/* --- bootstrap peers --- */

static struct gvs_ep
elsewhere(uint8_t host)
{
    return (struct gvs_ep){.addr = {GVS_FAMILY_V4, {10, 9, 0, host}}, .port = 7900};
}

/* As an agent does that looks up names every half minute. */
static void
test_who_stays_in_the_list_of_peers_keeps_its_pace(void **state)
{
    struct cluster *c = cluster_open(&(struct cluster_config){.nodes = 1, .seed = 91});
    struct gvs_ep peers[] = {elsewhere(1), elsewhere(2)};
    uint64_t sent;

    (void)state;
    cluster_start(c, 0);
    gvs_node_set_peers(c->host[0].node, peers, NULL, 1);
    for (unsigned i = 0; i < 4; i++) {
        sent = c->host[0].sent;
        cluster_run(c, 30 * SECOND);
        gvs_node_set_peers(c->host[0].node, peers, NULL, 1);
    }
    assert_in_range(c->host[0].sent - sent, 3, 4);
    gvs_node_set_peers(c->host[0].node, peers, NULL, 2);
    sent = c->host[0].sent;
    cluster_run(c, 10 * SECOND);
    assert_in_range(c->host[0].sent - sent, 10, 12); /* the new one is tried fast */
    gvs_node_set_peers(c->host[0].node, &peers[1], NULL, 1);
    cluster_run(c, 30 * SECOND);
    gvs_node_set_peers(c->host[0].node, peers, NULL, 1);
    sent = c->host[0].sent;
    cluster_run(c, 10 * SECOND);
    assert_in_range(c->host[0].sent - sent, 10, 11); /* and so is who comes back */
    cluster_close(c);
}

static void
test_one_address_that_answers_is_the_peer(void **state)
{
    struct cluster *c = small_cluster(2, 92);
    struct gvs_node *a = c->host[0].node;
    struct gvs_ep peers[] = {elsewhere(1), c->host[1].ep, elsewhere(2)};
    struct gvs_id who = gvs_node_self(c->host[1].node);

    (void)state;
    gvs_node_set_peers(a, peers, (unsigned[]){7, 7, 7}, 3);
    assert_true(gvs_node_meets_all(a));
    gvs_node_set_peers(a, peers, (unsigned[]){7, 7, 6}, 3);
    assert_false(gvs_node_meets_all(a));
    gvs_node_set_peers(a, peers, NULL, 2);
    assert_false(gvs_node_meets_all(a));
    gvs_node_set_peers(a, peers, (unsigned[]){7, 7}, 2);
    cluster_kill(c, 1);
    cluster_run(c, 20 * SECOND);
    assert_int_equal(cluster_state(c, 0, 1, NULL), GVS_DEAD);
    assert_false(gvs_node_meets_all(a));
    assert_int_equal(gvs_node_forget(a, c->now, &who), GVS_OK);
    assert_true(gvs_node_meets_all(a));
    cluster_close(c);
}

static void
test_a_hint_is_tried_until_somebody_is_known_there(void **state)
{
    struct cluster *c = cluster_open(&(struct cluster_config){.nodes = 3, .seed = 94});
    struct gvs_node *a;
    uint64_t sent;

    (void)state;
    cluster_start(c, 1);
    cluster_set_peers(c, 1, NULL, 0);
    cluster_start(c, 0);
    a = c->host[0].node;
    gvs_node_set_peers(a, (struct gvs_ep[]){elsewhere(1), c->host[1].ep},
                       (unsigned[]){GVS_NODE_HINT, GVS_NODE_HINT}, 2);
    assert_true(gvs_node_meets_all(a)); /* there is nobody whom it has to meet */
    assert_true(cluster_run_until(c, 2 * SECOND, cluster_converged));
    assert_true(a->bootstrap[0].tries > 0);
    cluster_kill(c, 1);
    cluster_run(c, 20 * SECOND);
    assert_int_equal(cluster_state(c, 0, 1, NULL), GVS_DEAD);
    sent = a->bootstrap[0].tries;
    cluster_run(c, 20 * SECOND);
    assert_int_equal(a->bootstrap[1].tries, 0); /* the detector does that */
    assert_true(a->bootstrap[0].tries > sent);
    cluster_close(c);
}

/* Where it does not advertise to be; and not for ever: it may start anew elsewhere. */
static void
test_who_has_answered_at_an_address_is_there_as_long_as_it_lives(void **state)
{
    struct cluster *c = small_cluster(2, 93);
    struct gvs_node *a = c->host[0].node, *b = c->host[1].node;
    struct gvs_id who = gvs_node_self(b);
    struct gvs_ep other = elsewhere(1);
    uint64_t boot = gvs_member_get(a->members, &who)->boot;

    (void)state;
    assert_true(b->bootstrap[0].answered);
    assert_int_equal(gvs_id_cmp(&b->bootstrap[0].who, &a->self), 0);
    gvs_node_set_peers(a, &other, NULL, 1);
    assert_false(gvs_node_meets_all(a));
    gvs_node_answered(a, &other, &who, boot);
    assert_true(gvs_node_meets_all(a));
    gvs_node_set_peers(a, &other, NULL, 1);
    assert_true(gvs_node_meets_all(a));
    cluster_run(c, 60 * SECOND);
    assert_int_equal(a->bootstrap[0].tries, 0);
    cluster_kill(c, 1);
    cluster_start(c, 1);
    assert_true(cluster_run_until(c, 20 * SECOND, cluster_converged));
    assert_false(gvs_node_meets_all(a));
    cluster_run(c, 20 * SECOND);
    assert_true(a->bootstrap[0].tries > 0);
    cluster_close(c);
}

/* By an address that it does not advertise: no peer to wait for, until somebody else is there. */
static void
test_a_node_does_not_wait_for_itself(void **state)
{
    struct cluster *c = small_cluster(2, 96);
    struct gvs_node *a = c->host[0].node;
    struct gvs_id who = gvs_node_self(c->host[1].node);
    struct gvs_ep own = elsewhere(1), to;
    uint8_t init[GVS_DATAGRAM_LEN_MAX];
    size_t len;

    (void)state;
    gvs_node_set_peers(a, (struct gvs_ep[]){own, c->host[1].ep}, NULL, 2);
    do
        len = gvs_node_next(a, c->now, cluster_wall(c, 0), init, &to);
    while (len > 0 && gvs_ep_cmp(&to, &own) != 0);
    assert_int_equal(len, GVS_HANDSHAKE_LEN);
    assert_false(gvs_node_meets_all(a));
    gvs_node_recv(a, c->now, cluster_wall(c, 0),
                  &(struct gvs_ep){{GVS_FAMILY_V4, {127, 0, 0, 1}}, 1}, init, len);
    assert_true(gvs_node_meets_all(a));
    cluster_run(c, 20 * SECOND);
    assert_true(gvs_node_meets_all(a));
    gvs_node_answered(a, &own, &who, 77);
    assert_false(gvs_node_meets_all(a));
    cluster_close(c);
}

/* --- numbers --- */

static void
test_idle_and_in_sync_costs_two_datagrams_a_second(void **state)
{
    struct cluster *c = small_cluster(3, 40);
    uint64_t datagrams, bytes;

    (void)state;
    cluster_run(c, 10 * SECOND);
    datagrams = c->host[0].sent;
    bytes = c->host[0].sent_bytes;
    cluster_run(c, 1000 * SECOND);
    datagrams = c->host[0].sent - datagrams;
    bytes = c->host[0].sent_bytes - bytes;
    print_message("idle, per node: %.2f datagrams/s, %.1f bytes/s\n", (double)datagrams / 1000,
                  (double)bytes / 1000);
    assert_true(datagrams <= 2100);
    assert_true(bytes <= 220000);
    assert_int_equal(deaths(c), 0);
    cluster_close(c);
}

static uint64_t
eventful_run(uint64_t seed)
{
    struct cluster_config config = {
        .nodes = 5, .seed = seed, .jitter_us = 500, .loss = 5, .duplication = 5};
    struct cluster *c = cluster_open(&config);
    uint64_t hash;

    cluster_start_all(c);
    cluster_run(c, 3 * SECOND);
    for (unsigned k = 0; k < 200; k++)
        cluster_write(c, k % 5, k, k);
    cluster_split(c, 2);
    cluster_run(c, 10 * SECOND);
    cluster_heal(c);
    cluster_kill(c, 4);
    cluster_run(c, 10 * SECOND);
    cluster_start(c, 4);
    assert_true(cluster_run_until(c, 60 * SECOND, cluster_converged));
    hash = c->hash;
    cluster_close(c);
    return hash;
}

static void
test_a_run_is_its_seed(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 5); seed++) {
        uint64_t hash = eventful_run(seed);

        assert_int_equal(eventful_run(seed), hash);
        assert_int_not_equal(eventful_run(seed + 1), hash);
    }
}

/* --- sessions --- */

static void
run_us(struct cluster *c, uint64_t us)
{
    uint64_t end = c->now.us + us;

    while (c->now.us < end)
        cluster_step(c);
}

/* A second handshake, as when a probe was lost, and what would confirm it is lost. The other side
 * must not be left with a session that it gives up, and this one with words that nobody hears: also
 * not if a probe of before is answered just now. */
static void
test_a_new_session_is_tried_until_it_is_known_to_work(void **state)
{
    (void)state;
    for (unsigned asked = 0; asked < 2; asked++) {
        struct cluster *c = small_cluster(40, 90);
        struct gvs_node *a = c->host[0].node, *b = c->host[1].node;
        struct gvs_id id = gvs_node_self(b);
        uint64_t before;

        cluster_run(c, 3 * SECOND);
        before = gvs_node_count(b).rejected[GVS_REJECT_UNKNOWN_SESSION];
        assert_int_equal(
            gvs_sessions_connect(a->sessions, c->now, cluster_wall(c, 0), &c->host[1].ep), GVS_OK);
        if (asked)
            gvs_member_probe(a->members, c->now, gvs_member_get(a->members, &id));
        cluster_write(c, 0, 1, 1); /* something has to make it send */
        run_us(c, 300);            /* the handshake is on its way back */
        cluster_cut(c, 0, 1);
        run_us(c, 50000);
        cluster_heal(c);
        cluster_run(c, 7 * SECOND);
        assert_int_equal(gvs_node_count(b).rejected[GVS_REJECT_UNKNOWN_SESSION], before);
        gvs_node_probe_all(a, c->now);
        cluster_run(c, SECOND);
        assert_int_equal(gvs_node_count(b).rejected[GVS_REJECT_UNKNOWN_SESSION], before);
        cluster_close(c);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nodes_that_know_one_peer_each_find_all),
        cmocka_unit_test(test_a_newcomer_is_known_to_all_at_once),
        cmocka_unit_test(test_a_lone_node_writes_and_knows_that_it_is_alone),
        cmocka_unit_test(test_a_joining_node_takes_over_a_large_table),
        cmocka_unit_test(test_a_few_differences_cost_a_few_kilobytes),
        cmocka_unit_test(test_many_differences_are_mended_search_after_search),
        cmocka_unit_test(test_a_write_is_everywhere_after_one_delay),
        cmocka_unit_test(test_a_busy_key_costs_no_more_than_its_last_value),
        cmocka_unit_test(test_a_lost_push_is_sent_again_soon),
        cmocka_unit_test_teardown(test_loss_and_duplication_only_cost_time, test_seed_teardown),
        cmocka_unit_test(test_a_full_table_refuses_and_stays_whole),
        cmocka_unit_test(test_members_beyond_the_limit_are_turned_away),
        cmocka_unit_test(test_what_cannot_be_mended_is_tried_less_and_less),
        cmocka_unit_test(test_news_that_nobody_asked_for_are_all_told_later),
        cmocka_unit_test(test_what_the_list_says_of_a_member),
        cmocka_unit_test(test_nobody_is_in_step_with_what_it_has_not_looked_at),
        cmocka_unit_test(test_who_observes_says_that_and_not_that_it_is_in_step),
        cmocka_unit_test(test_who_stays_in_the_list_of_peers_keeps_its_pace),
        cmocka_unit_test(test_one_address_that_answers_is_the_peer),
        cmocka_unit_test(test_a_hint_is_tried_until_somebody_is_known_there),
        cmocka_unit_test(test_who_has_answered_at_an_address_is_there_as_long_as_it_lives),
        cmocka_unit_test(test_a_node_does_not_wait_for_itself),
        cmocka_unit_test(test_a_new_session_is_tried_until_it_is_known_to_work),
        cmocka_unit_test(test_idle_and_in_sync_costs_two_datagrams_a_second),
        cmocka_unit_test_teardown(test_a_run_is_its_seed, test_seed_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
