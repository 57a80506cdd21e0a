/* Nodes that die, pause, are cut off or do not belong, on fake time (test/lib/cluster.h). */
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

static uint64_t
deaths(const struct cluster *c)
{
    uint64_t n = 0;

    for (size_t i = 0; i < c->config.nodes; i++)
        n += c->host[i].died;
    return n;
}

/* --- failures --- */

static void
test_a_killed_node_is_dead_within_five_seconds(void **state)
{
    uint64_t worst = 0, sum = 0;

    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 40); seed++) {
        struct cluster *c = small_cluster(3, seed);
        uint64_t began, took;

        cluster_run(c, 3000 + 53 * (seed % 40));
        cluster_kill(c, 2);
        began = c->now.us;
        while (cluster_state(c, 0, 2, NULL) != GVS_DEAD ||
               cluster_state(c, 1, 2, NULL) != GVS_DEAD) {
            cluster_step(c);
            assert_true(c->now.us - began < 5000000);
        }
        took = c->now.us - began;
        worst = took > worst ? took : worst;
        sum += took;
        assert_int_equal(cluster_alive(c, 0), 2);
        cluster_close(c);
    }
    print_message("worst %lu ms, sum %lu ms\n", (unsigned long)worst / 1000,
                  (unsigned long)sum / 1000);
}

static void
test_a_restarted_node_comes_back_above_its_death(void **state)
{
    struct cluster *c = small_cluster(3, 11);
    uint64_t before, after, began;

    (void)state;
    cluster_write(c, 0, 1, 1);
    cluster_run(c, SECOND);
    cluster_state(c, 0, 2, &before);
    cluster_kill(c, 2);
    cluster_run(c, 6 * SECOND);
    assert_int_equal(cluster_state(c, 0, 2, NULL), GVS_DEAD);
    cluster_write(c, 0, 2, 2);
    cluster_delete(c, 0, 1);
    began = c->now.us;
    cluster_start(c, 2);
    assert_int_equal(cluster_read(c, 2, 1), 1); /* as on its disk */
    assert_true(cluster_run_until(c, 5 * SECOND, cluster_converged));
    print_message("back in %lu us\n", (unsigned long)(c->now.us - began));
    assert_int_equal(cluster_state(c, 0, 2, &after), GVS_ALIVE);
    assert_true(after > before);
    assert_int_equal(cluster_read(c, 2, 2), 2);
    assert_int_equal(cluster_read(c, 0, 1), -1); /* nothing that was deleted returns */
    assert_int_equal(cluster_read(c, 2, 1), -1);
    cluster_close(c);
}

/* Without its disk it knows nothing of its former life, and has to be told of it. */
static void
test_a_wiped_node_outbids_its_former_life(void **state)
{
    struct cluster *c = small_cluster(3, 12);
    uint64_t before, after;

    (void)state;
    cluster_kill(c, 2);
    cluster_run(c, 6 * SECOND);
    cluster_start(c, 2); /* so that its incarnation is above the first */
    assert_true(cluster_run_until(c, 5 * SECOND, cluster_converged));
    cluster_state(c, 0, 2, &before);
    assert_true(before > 1);
    cluster_kill(c, 2);
    cluster_wipe(c, 2);
    cluster_run(c, 6 * SECOND);
    cluster_start(c, 2);
    assert_true(cluster_run_until(c, 5 * SECOND, cluster_converged));
    assert_int_equal(cluster_state(c, 0, 2, &after), GVS_ALIVE);
    assert_true(after > before);
    cluster_close(c);
}

static void
test_a_quick_restart_is_noticed_and_nobody_dies(void **state)
{
    struct cluster *c = small_cluster(3, 13);

    (void)state;
    cluster_run(c, 3 * SECOND);
    cluster_kill(c, 1);
    cluster_run(c, 200);
    cluster_start(c, 1);
    assert_true(cluster_run_until(c, 5 * SECOND, cluster_converged));
    cluster_run(c, 10 * SECOND);
    assert_int_equal(deaths(c), 0);
    assert_true(cluster_converged(c));
    cluster_close(c);
}

static void
test_everybody_restarts_and_finds_the_others_from_disk(void **state)
{
    struct cluster *c = small_cluster(4, 14);

    (void)state;
    for (unsigned k = 0; k < 100; k++)
        cluster_write(c, k % 4, k, k);
    assert_true(cluster_run_until(c, 5 * SECOND, cluster_agrees));
    for (size_t i = 0; i < 4; i++)
        cluster_kill(c, i);
    for (size_t i = 0; i < 4; i++) {
        cluster_set_peers(c, i, NULL, 0);
        cluster_start(c, i);
    }
    assert_true(cluster_run_until(c, 10 * SECOND, cluster_converged));
    assert_int_equal(cluster_read(c, 3, 42), 42);
    cluster_close(c);
}

static void
test_a_bootstrap_peer_that_comes_late_is_found(void **state)
{
    static const struct {
        uint64_t late_ms, within_ms;
    } rows[] = {{500, 1000}, {15500, 1000}, {125000, 10000}, {86405000, 10000}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cluster *c = cluster_open(&(struct cluster_config){.nodes = 2, .seed = 15});

        cluster_start(c, 1); /* node 1 knows node 0; node 0 knows nobody */
        cluster_run(c, rows[i].late_ms);
        cluster_start(c, 0);
        assert_true(cluster_run_until(c, rows[i].within_ms, cluster_converged));
        cluster_close(c);
    }
}

static void
test_the_dead_are_not_told_what_is_fresh(void **state)
{
    struct cluster *c = small_cluster(3, 51);
    uint64_t before;

    (void)state;
    cluster_kill(c, 2);
    cluster_run(c, 6 * SECOND);
    assert_int_equal(cluster_state(c, 0, 2, NULL), GVS_DEAD);
    before = gvs_node_count(c->host[0].node).pushed;
    cluster_write(c, 0, 1, 1);
    cluster_run(c, 3 * SECOND);
    assert_int_equal(gvs_node_count(c->host[0].node).pushed, before + 1);
    cluster_close(c);
}

/* --- partitions --- */

static void
test_a_partition_heals_and_keeps_both_sides_writes(void **state)
{
    struct cluster *c = small_cluster(6, 16);
    uint64_t began;

    (void)state;
    for (unsigned k = 0; k < 50; k++)
        cluster_write(c, 0, k, 1);
    assert_true(cluster_run_until(c, SECOND, cluster_agrees));
    cluster_split(c, 3);
    cluster_run(c, 20 * SECOND);
    assert_int_equal(cluster_alive(c, 0), 3);
    assert_int_equal(cluster_alive(c, 5), 3);
    for (unsigned k = 0; k < 500; k++) {
        cluster_write(c, 0, 1000 + k, 1);
        cluster_write(c, 5, 2000 + k, 2);
    }
    cluster_delete(c, 1, 7);
    cluster_write(c, 4, 8, 77);
    cluster_run(c, 5 * SECOND);
    cluster_heal(c);
    began = c->now.us;
    assert_true(cluster_run_until(c, 20 * SECOND, cluster_converged));
    print_message("healed in %lu ms\n", (unsigned long)(c->now.us - began) / 1000);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(cluster_read(c, i, 1499), 1);
        assert_int_equal(cluster_read(c, i, 2499), 2);
        assert_int_equal(cluster_read(c, i, 7), -1);
        assert_int_equal(cluster_read(c, i, 8), 77);
    }
    cluster_close(c);
}

static void
test_a_long_partition_heals_too(void **state)
{
    struct cluster *c = small_cluster(4, 17);

    (void)state;
    cluster_split(c, 2);
    cluster_run(c, 3600 * SECOND);
    cluster_heal(c);
    assert_true(cluster_run_until(c, 20 * SECOND, cluster_converged));
    cluster_close(c);
}

static void
test_deletes_win_over_older_adds_after_a_heal(void **state)
{
    struct cluster *c = small_cluster(4, 18);

    (void)state;
    cluster_write(c, 0, 1, 10);
    cluster_write(c, 0, 2, 10);
    assert_true(cluster_run_until(c, SECOND, cluster_agrees));
    cluster_split(c, 2);
    cluster_run(c, 10 * SECOND);
    cluster_write(c, 0, 1, 11); /* older than the delete */
    cluster_delete(c, 0, 2);    /* older than the write */
    cluster_run(c, SECOND);
    cluster_delete(c, 3, 1);
    cluster_write(c, 3, 2, 22);
    cluster_heal(c);
    assert_true(cluster_run_until(c, 20 * SECOND, cluster_converged));
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(cluster_read(c, i, 1), -1);
        assert_int_equal(cluster_read(c, i, 2), 22);
    }
    cluster_close(c);
}

/* A node whose clock is behind still has the last word if it wrote last. */
static void
test_a_link_that_is_cut_is_bridged_by_the_others(void **state)
{
    struct cluster *c = small_cluster(4, 20);

    (void)state;
    cluster_cut(c, 0, 1);
    cluster_cut(c, 1, 0);
    cluster_run(c, 60 * SECOND);
    assert_int_equal(deaths(c), 0); /* the others vouch */
    cluster_write(c, 0, 1, 5);
    assert_true(cluster_run_until(c, 5 * SECOND, cluster_agrees));
    assert_int_equal(cluster_read(c, 1, 1), 5);
    cluster_heal(c);
    assert_true(cluster_run_until(c, 20 * SECOND, cluster_converged));
    cluster_close(c);
}

/* Two that never had a session, or whose session has run out, as after a few hours: no suspicion
 * that would have to be refuted, again and again. */
static void
test_who_cannot_be_reached_from_here_alone_is_not_accused(void **state)
{
    struct cluster *c = cluster_open(&(struct cluster_config){.nodes = 4, .seed = 24});
    uint64_t before, after;

    (void)state;
    cluster_cut(c, 0, 1);
    cluster_cut(c, 1, 0);
    cluster_start_all(c);
    cluster_set_peers(c, 1, (size_t[]){2}, 1);
    cluster_set_peers(c, 2, (size_t[]){0}, 1);
    assert_true(cluster_run_until(c, 60 * SECOND, cluster_converged));
    cluster_run(c, 60 * SECOND);
    cluster_state(c, 2, 0, &before);
    cluster_run(c, 300 * SECOND);
    assert_int_equal(cluster_state(c, 2, 0, &after), GVS_ALIVE);
    assert_int_equal(after, before);
    assert_int_equal(deaths(c), 0);
    cluster_heal(c);
    assert_true(cluster_run_until(c, 20 * SECOND, cluster_converged));
    cluster_cut(c, 2, 3);
    cluster_cut(c, 3, 2);
    cluster_state(c, 1, 3, &before);
    cluster_run(c, 3 * 3600 * SECOND);
    cluster_state(c, 1, 3, &after);
    assert_int_equal(after, before);
    assert_int_equal(deaths(c), 0);
    cluster_close(c);
}

static void
test_a_one_way_cut_is_bridged_too(void **state)
{
    struct cluster *c = small_cluster(4, 21);

    (void)state;
    cluster_cut(c, 0, 1);
    cluster_run(c, 60 * SECOND);
    assert_int_equal(deaths(c), 0);
    cluster_write(c, 0, 1, 5);
    assert_true(cluster_run_until(c, 5 * SECOND, cluster_agrees));
    cluster_close(c);
}

static void
test_a_paused_node_accuses_nobody(void **state)
{
    static const uint64_t pauses[] = {1200, 10000, 60000};

    (void)state;
    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
        struct cluster *c = small_cluster(5, 22 + i);
        uint64_t before;

        cluster_run(c, 3210);
        cluster_pause(c, 2);
        cluster_run(c, pauses[i]);
        before = c->host[2].died;
        cluster_resume(c, 2);
        assert_true(cluster_run_until(c, 10 * SECOND, cluster_converged));
        cluster_run(c, 10 * SECOND);
        assert_int_equal(c->host[2].died, before);
        for (size_t k = 0; k < 5; k++)
            assert_int_equal(c->host[k].died, k == 2 ? 0 : pauses[i] > 5000);
        assert_true(cluster_converged(c));
        cluster_close(c);
    }
}

/* --- gone --- */

static size_t
gone_at(const struct cluster *c, size_t at, size_t of)
{
    struct gvs_node_member list[CLUSTER_NODES_MAX];
    size_t count = gvs_node_list(c->host[at].node, list, CLUSTER_NODES_MAX);

    for (size_t i = 0; i < count; i++) {
        if (gvs_ep_cmp(&list[i].value.ep, &c->host[of].ep) == 0)
            return list[i].gone;
    }
    return false;
}

static uint64_t
hidings(const struct cluster *c, size_t first, size_t end)
{
    uint64_t n = 0;

    for (size_t i = first; i < end; i++)
        n += c->host[i].hid;
    return n;
}

static void
test_a_dead_node_is_gone_everywhere_within_three_seconds(void **state)
{
    static const struct {
        size_t nodes;
        uint64_t seeds;
    } rows[] = {{3, 40}, {10, 15}, {40, 4}};
    uint64_t worst = 0;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (uint64_t seed = test_seed_first(); test_seed_run(seed, rows[i].seeds); seed++) {
            struct cluster_config config = {
                .nodes = rows[i].nodes, .seed = seed, .limits = {4096, 128}};
            struct cluster *c = joined_cluster(&config);
            size_t victim = seed % rows[i].nodes, last = victim == 0 ? 1 : 0;
            struct gvs_mono began;

            cluster_run(c, 7000 + 53 * (seed % 40));
            cluster_kill(c, victim);
            began = c->now;
            for (size_t k = last; k < rows[i].nodes; k++) {
                while (k != victim && !gone_at(c, k, victim)) {
                    cluster_step(c);
                    assert_true(c->now.us - began.us < 3000000);
                }
            }
            worst = c->now.us - began.us > worst ? c->now.us - began.us : worst;
            cluster_close(c);
        }
    }
    print_message("worst %lu ms\n", (unsigned long)worst / 1000);
}

/* The two sides of a partition find each other dead, rightly. When it heals those rumours come to
 * nodes that never lost each other, and one link heals before the others. */
static void
test_a_rumour_from_beyond_a_healed_partition_hides_nobody(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 20); seed++) {
        struct cluster *c = small_cluster(6, 400 + seed);
        bool first_link = seed % 2;

        cluster_split(c, 2);
        cluster_run(c, 10000 + 97 * seed);
        assert_int_equal(hidings(c, 0, 2), 8);
        assert_int_equal(hidings(c, 2, 6), 8);
        assert_true(gone_at(c, 0, 5));
        if (first_link) {
            c->cut[1][2] = c->cut[2][1] = false;
            cluster_run(c, 5 * SECOND);
        }
        cluster_heal(c);
        assert_true(cluster_run_until(c, 20 * SECOND, cluster_converged));
        cluster_run(c, 10 * SECOND);
        for (size_t a = 0; a < 6; a++)
            for (size_t b = 0; b < 6; b++)
                assert_false(gone_at(c, a, b));
        for (size_t i = 0; i < 6 && !first_link; i++) /* and nobody was in between */
            assert_int_equal(c->host[i].hid, i < 2 ? 4 : 2);
        cluster_close(c);
    }
}

static void
test_a_paused_node_is_gone_and_back_at_once(void **state)
{
    struct cluster *c = small_cluster(5, 440);

    (void)state;
    cluster_run(c, 7 * SECOND);
    cluster_pause(c, 2);
    cluster_run(c, 60 * SECOND);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(c->host[i].hid, i != 2);
    cluster_resume(c, 2);
    cluster_run(c, 20);
    for (size_t i = 0; i < 5; i++)
        assert_false(gone_at(c, i, 2));
    assert_true(cluster_run_until(c, SECOND, cluster_converged));
    cluster_run(c, 20 * SECOND);
    assert_int_equal(hidings(c, 0, 5), 4);
    assert_int_equal(c->host[2].died, 0);
    cluster_close(c);
}

/* --- retired --- */

static struct gvs_id
id_of(const struct cluster *c, size_t i)
{
    return gvs_node_self(c->host[i].node);
}

static void
test_who_leaves_is_let_go_by_all_and_for_ever(void **state)
{
    struct cluster *c = small_cluster(4, 450);
    struct gvs_id id = id_of(c, 3);

    (void)state;
    assert_int_equal(cluster_write(c, 3, 1, 5), GVS_OK);
    cluster_run(c, SECOND);
    assert_int_equal(gvs_node_leave(c->host[3].node, c->now), GVS_OK);
    assert_true(gvs_node_retired(c->host[3].node));
    assert_int_equal(cluster_write(c, 3, 2, 5), GVS_E_RETIRED);
    cluster_run(c, 100);
    for (size_t i = 0; i < 3; i++) {
        assert_true(gvs_node_is_retired(c->host[i].node, &id));
        assert_false(gvs_node_retired(c->host[i].node));
        assert_int_equal(cluster_read(c, i, 1), 5); /* a claim of the cluster's stays */
    }
    cluster_kill(c, 3);
    cluster_run(c, 60 * SECOND);
    assert_int_equal(deaths(c) + hidings(c, 0, 4), 0);
    cluster_start(c, 3); /* with its old id: its disk tells it */
    assert_true(gvs_node_retired(c->host[3].node));
    cluster_kill(c, 3);
    cluster_wipe(c, 3);
    cluster_start(c, 3); /* without: its peers do */
    assert_false(gvs_node_retired(c->host[3].node));
    cluster_run(c, 3 * SECOND);
    assert_true(gvs_node_retired(c->host[3].node));
    assert_int_equal(cluster_alive(c, 0), 3);
    assert_true(cluster_agrees(c));
    cluster_close(c);
}

static void
test_the_forgotten_hear_of_it_when_they_return(void **state)
{
    struct cluster *c = small_cluster(4, 451);
    struct gvs_id id = id_of(c, 3), own = id_of(c, 0), nobody = {{9, 9}};
    struct gvs_node *n = c->host[0].node;

    (void)state;
    assert_int_equal(gvs_node_forget(n, c->now, &nobody), GVS_E_NOTFOUND);
    assert_int_equal(gvs_node_forget(n, c->now, &own), GVS_E_RANGE);
    cluster_split(c, 3);
    cluster_run(c, 10 * SECOND);
    assert_int_equal(gvs_node_forget(n, c->now, &id), GVS_OK);
    assert_int_equal(gvs_node_forget(n, c->now, &id), GVS_OK);
    cluster_run(c, 600 * SECOND);
    assert_false(gvs_node_retired(c->host[3].node));
    assert_true(gvs_node_is_retired(c->host[2].node, &id));
    cluster_heal(c);
    cluster_run(c, 30 * SECOND);
    assert_true(gvs_node_retired(c->host[3].node));
    cluster_run(c, 30 * SECOND);
    assert_true(cluster_agrees(c));
    cluster_close(c);
}

/* --- clocks and clones --- */

/* By its own word or by what it sees of the others. */
static bool
is_alarmed(struct cluster *c, size_t i, const struct gvs_id *id)
{
    struct gvs_node_member m[8];
    size_t count = gvs_node_list(c->host[i].node, m, sizeof m / sizeof *m);
    struct gvs_mono when;
    struct gvs_ep ep;

    if (gvs_node_cloned(c->host[i].node, &when, &ep))
        return true;
    for (size_t k = 0; k < count; k++)
        if (m[k].cloned && gvs_id_cmp(&m[k].id, id) == 0)
            return true;
    return false;
}

static bool
claims_agree(struct cluster *c)
{
    uint64_t first = gvs_table_fingerprint(gvs_node_claims(c->host[0].node));

    for (size_t i = 1; i < c->config.nodes; i++)
        if (gvs_table_fingerprint(gvs_node_claims(c->host[i].node)) != first)
            return false;
    return true;
}

static void
test_t23_two_machines_of_one_key_alarm_all_within_a_minute_and_tables_agree(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 20); seed++) {
        struct cluster *c = cluster_open(&(struct cluster_config){.nodes = 5, .seed = seed});
        size_t alarmed = 0;
        struct gvs_id id;
        unsigned s;

        memcpy(c->host[4].priv, c->host[3].priv, sizeof c->host[4].priv);
        cluster_set_peers(c, 4, (size_t[]){0}, 1);
        cluster_start_all(c);
        id = gvs_node_self(c->host[3].node);
        for (s = 0; s < 60 && alarmed < 5; s++) {
            cluster_write(c, 3, s % 7, 10 + s); /* both write, also the same keys */
            cluster_write(c, 4, s % 5, 100 + s);
            cluster_run(c, 1000);
            alarmed = 0;
            for (size_t i = 0; i < 5; i++)
                alarmed += is_alarmed(c, i, &id);
        }
        assert_int_equal(alarmed, 5);
        assert_true(cluster_run_until(c, 60000, claims_agree));
        cluster_close(c);
    }
}

static void
test_two_machines_of_one_key_are_an_alarm_and_no_duel(void **state)
{
    struct cluster *c = cluster_open(&(struct cluster_config){.nodes = 5, .seed = 461});
    struct gvs_mono when;
    struct gvs_ep ep;
    uint64_t before, after, sent = 0;

    (void)state;
    memcpy(c->host[4].priv, c->host[3].priv, sizeof c->host[4].priv);
    cluster_set_peers(c, 4, (size_t[]){0}, 1);
    cluster_start_all(c);
    cluster_run(c, 130 * SECOND); /* one at once, the other when it was outbid for half a minute */
    assert_true(gvs_node_cloned(c->host[3].node, &when, &ep));
    assert_int_equal(gvs_ep_cmp(&ep, &c->host[4].ep), 0);
    assert_true(gvs_node_cloned(c->host[4].node, &when, &ep));
    assert_int_equal(gvs_ep_cmp(&ep, &c->host[3].ep), 0);
    assert_false(gvs_node_cloned(c->host[0].node, &when, &ep));
    cluster_state(c, 0, 1, &before);
    for (size_t i = 0; i < 5; i++)
        sent -= c->host[i].sent;
    cluster_run(c, 600 * SECOND);
    for (size_t i = 0; i < 5; i++)
        sent += c->host[i].sent;
    cluster_state(c, 0, 1, &after);
    assert_int_equal(before, after); /* nobody else is drawn into it */
    print_message("two clones cost %.1f datagrams a node and second\n", (double)sent / 3000);
    assert_true(sent / 3000 < 40);
    cluster_close(c);
}

/* --- strangers --- */

static void
give_key(struct cluster *c, size_t i, uint8_t fill)
{
    struct gvs_keyring_fault fault;
    uint8_t psk[32];
    char key[45], line[80];

    memset(psk, fill, sizeof psk);
    gvs_crypto_key_format(key, psk);
    snprintf(line, sizeof line, "%s primary\n", key);
    assert_int_equal(gvs_keyring_parse(&c->host[i].keyring, line, strlen(line), &fault), GVS_OK);
}

static void
test_a_wrong_key_changes_nothing_and_is_counted(void **state)
{
    struct cluster *c = cluster_open(&(struct cluster_config){.nodes = 3, .seed = 30});
    const struct gvs_stranger *stranger;

    (void)state;
    give_key(c, 2, 0x77);
    cluster_start_all(c);
    cluster_write(c, 2, 1, 1);
    cluster_write(c, 0, 2, 2);
    cluster_run(c, 60 * SECOND);
    assert_int_equal(cluster_alive(c, 0), 2);
    assert_int_equal(cluster_alive(c, 2), 1);
    assert_int_equal(cluster_read(c, 1, 1), -1);
    assert_int_equal(cluster_read(c, 2, 2), -1);
    assert_true(gvs_node_count(c->host[1].node).rejected[GVS_REJECT_UNKNOWN_KEY] > 0);
    stranger = gvs_node_stranger(c->host[1].node);
    assert_int_equal(gvs_ep_cmp(&stranger->from, &c->host[2].ep), 0);
    assert_true(stranger->count > 0);
    assert_true(stranger->key == c->host[2].keyring.key[0].id);
    cluster_close(c);
}

static void
test_another_cluster_with_the_same_key_stays_another(void **state)
{
    struct cluster *c = cluster_open(&(struct cluster_config){.nodes = 3, .seed = 31});
    struct gvs_node_counts counts;

    (void)state;
    c->host[2].cluster_name = "other";
    cluster_start_all(c);
    cluster_write(c, 2, 1, 1);
    cluster_run(c, 60 * SECOND);
    assert_int_equal(cluster_alive(c, 0), 2);
    assert_int_equal(cluster_alive(c, 1), 2);
    assert_int_equal(cluster_alive(c, 2), 1);
    assert_int_equal(cluster_read(c, 0, 1), -1);
    counts = gvs_node_count(c->host[1].node);
    assert_true(counts.rejected[GVS_REJECT_BAD_TAG] + counts.rejected[GVS_REJECT_UNKNOWN_KEY] > 0);
    cluster_close(c);
}

static void
test_a_replay_of_everything_changes_no_table(void **state)
{
    struct cluster *c = cluster_open(&(struct cluster_config){.nodes = 3, .seed = 32});
    uint64_t claims[3], members[3];
    struct gvs_node_counts counts;

    (void)state;
    c->recording = true;
    cluster_start_all(c);
    for (unsigned k = 0; k < 50; k++) {
        cluster_write(c, k % 3, k, k);
        cluster_run(c, 100);
    }
    cluster_kill(c, 2); /* the recording spans a restart */
    cluster_run(c, 6 * SECOND);
    cluster_start(c, 2);
    assert_true(cluster_run_until(c, 10 * SECOND, cluster_converged));
    cluster_run(c, 10 * SECOND);
    c->recording = false;
    for (size_t i = 0; i < 3; i++) {
        claims[i] = gvs_table_fingerprint(gvs_node_claims(c->host[i].node));
        members[i] = gvs_table_fingerprint(gvs_node_members(c->host[i].node));
    }
    assert_true(c->record_count > 200);
    for (size_t r = 0; r < c->record_count; r++) {
        const struct cluster_packet *p = &c->record[r];

        gvs_node_recv(c->host[p->to].node, c->now, cluster_wall(c, p->to), &c->host[p->from].ep,
                      p->b, p->len);
        cluster_run(c, 1);
    }
    cluster_run(c, 10 * SECOND);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(gvs_table_fingerprint(gvs_node_claims(c->host[i].node)), claims[i]);
        assert_int_equal(gvs_table_fingerprint(gvs_node_members(c->host[i].node)), members[i]);
        counts = gvs_node_count(c->host[i].node);
        assert_true(counts.rejected[GVS_REJECT_REPLAY] > 0);
    }
    cluster_close(c);
}

static void
test_junk_changes_nothing(void **state)
{
    struct cluster *c = small_cluster(2, 33);
    struct gvs_node_counts before, after;
    uint8_t junk[1500];
    uint64_t sent;

    (void)state;
    before = gvs_node_count(c->host[0].node);
    sent = c->host[0].sent;
    for (unsigned i = 0; i < 10000; i++) {
        size_t len = gvs_prng_below(&c->prng, sizeof junk);

        gvs_prng_fill(&c->prng, junk, len);
        if (len > 4)
            memcpy(junk, (uint8_t[]){(uint8_t)(1 + i % 4), 1, 0, 0}, 4);
        gvs_node_recv(c->host[0].node, c->now, cluster_wall(c, 0), &c->host[1].ep, junk, len);
    }
    after = gvs_node_count(c->host[0].node);
    assert_int_equal(after.merged, before.merged);
    assert_int_equal(after.alive, before.alive);
    assert_int_equal(c->host[0].sent, sent);
    assert_true(after.rejected[GVS_REJECT_MALFORMED] > before.rejected[GVS_REJECT_MALFORMED]);
    cluster_close(c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_a_killed_node_is_dead_within_five_seconds,
                                  test_seed_teardown),
        cmocka_unit_test(test_a_restarted_node_comes_back_above_its_death),
        cmocka_unit_test(test_a_wiped_node_outbids_its_former_life),
        cmocka_unit_test(test_a_quick_restart_is_noticed_and_nobody_dies),
        cmocka_unit_test(test_everybody_restarts_and_finds_the_others_from_disk),
        cmocka_unit_test(test_a_bootstrap_peer_that_comes_late_is_found),
        cmocka_unit_test(test_the_dead_are_not_told_what_is_fresh),
        cmocka_unit_test(test_a_partition_heals_and_keeps_both_sides_writes),
        cmocka_unit_test(test_a_long_partition_heals_too),
        cmocka_unit_test(test_deletes_win_over_older_adds_after_a_heal),
        cmocka_unit_test(test_a_link_that_is_cut_is_bridged_by_the_others),
        cmocka_unit_test(test_who_cannot_be_reached_from_here_alone_is_not_accused),
        cmocka_unit_test(test_a_one_way_cut_is_bridged_too),
        cmocka_unit_test(test_a_paused_node_accuses_nobody),
        cmocka_unit_test_teardown(test_a_dead_node_is_gone_everywhere_within_three_seconds,
                                  test_seed_teardown),
        cmocka_unit_test_teardown(test_a_rumour_from_beyond_a_healed_partition_hides_nobody,
                                  test_seed_teardown),
        cmocka_unit_test(test_a_paused_node_is_gone_and_back_at_once),
        cmocka_unit_test(test_who_leaves_is_let_go_by_all_and_for_ever),
        cmocka_unit_test(test_the_forgotten_hear_of_it_when_they_return),
        cmocka_unit_test_teardown(
            test_t23_two_machines_of_one_key_alarm_all_within_a_minute_and_tables_agree,
            test_seed_teardown),
        cmocka_unit_test(test_two_machines_of_one_key_are_an_alarm_and_no_duel),
        cmocka_unit_test(test_a_wrong_key_changes_nothing_and_is_counted),
        cmocka_unit_test(test_another_cluster_with_the_same_key_stays_another),
        cmocka_unit_test(test_a_replay_of_everything_changes_no_table),
        cmocka_unit_test(test_junk_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
