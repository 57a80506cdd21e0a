/* test/net/test_rotate.c: a cluster changes its key while it works (test/lib/cluster.h). */
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
#define MINUTE (60 * SECOND)
#define NODES 5
#define LATE (NODES - 1)

/* The keyring of these keys, the first of them primary, and last in the file. */
static void
make_ring(struct gvs_keyring *ring, const char *seeds)
{
    *ring = (struct gvs_keyring){.count = strlen(seeds)};
    ring->primary = ring->count - 1;
    for (size_t i = 0; i < ring->count; i++) {
        memset(ring->key[i].psk, seeds[ring->primary - i], sizeof ring->key[i].psk);
        gvs_keyring_derive(&ring->key[i]);
    }
}

static uint64_t
key_id(char seed)
{
    struct gvs_keyring ring;

    make_ring(&ring, (char[]){seed, 0});
    return ring.key[0].id;
}

/* As an operator copies a file and reloads. */
static void
give(struct cluster *c, size_t i, const char *seeds)
{
    make_ring(&c->host[i].keyring, seeds);
    if (c->host[i].node)
        gvs_node_set_keyring(c->host[i].node, c->now, &c->host[i].keyring);
}

static struct cluster *
open_cluster(uint64_t seed)
{
    struct cluster *c = cluster_open(&(struct cluster_config){.nodes = NODES, .seed = seed});

    for (size_t i = 0; i < NODES; i++)
        give(c, i, "A");
    cluster_start_all(c);
    assert_true(cluster_run_until(c, 20 * SECOND, cluster_converged));
    return c;
}

/* What node `at` knows of the keys of node `of`. */
static const uint64_t *
keys_of(struct cluster *c, size_t at, size_t of)
{
    static struct gvs_node_member m[NODES];
    struct gvs_id id = gvs_node_self(c->host[of].node);
    size_t count = gvs_node_list(c->host[at].node, m, NODES);

    for (size_t i = 0; i < count; i++)
        if (gvs_id_cmp(&m[i].id, &id) == 0)
            return m[i].value.keys;
    fail_msg("no such member");
    return NULL;
}

static uint64_t
deaths(const struct cluster *c)
{
    uint64_t n = 0;

    for (size_t i = 0; i < NODES; i++)
        n += c->host[i].died;
    return n;
}

struct writes {
    unsigned next;
    uint64_t deaths;
};

/* One second after the other: each running node writes, and nobody is called dead. */
static void
work(struct cluster *c, struct writes *w, uint64_t ms)
{
    for (uint64_t at = 0; at < ms; at += SECOND) {
        for (size_t i = 0; i < NODES; i++) {
            if (!c->host[i].node)
                continue;
            assert_int_equal(cluster_write(c, i, w->next % 1000, w->next % 60000), GVS_OK);
            w->next++;
        }
        cluster_run(c, SECOND);
        assert_int_equal(deaths(c), w->deaths);
    }
}

static size_t
under(const struct cluster *c, char seed)
{
    size_t n = 0;

    for (size_t i = 0; i < NODES; i++)
        if (c->host[i].node)
            n += gvs_node_sessions_under(c->host[i].node, key_id(seed));
    return n;
}

static void
test_a_member_says_which_keys_it_takes(void **state)
{
    struct cluster *c = open_cluster(1);

    (void)state;
    assert_true(keys_of(c, 0, 3)[0] == key_id('A') && keys_of(c, 0, 3)[1] == 0);
    give(c, 3, "BADC");
    assert_true(cluster_run_until(c, 5 * SECOND, cluster_agrees));
    for (size_t i = 0; i < NODES; i++) {
        const uint64_t *keys = keys_of(c, i, 3);

        assert_true(keys[0] == key_id('B'));
        assert_true(keys[1] < keys[2] && keys[2] < keys[3]);
        for (const char *seed = "ACD"; *seed; seed++)
            assert_true(keys[1] == key_id(*seed) || keys[2] == key_id(*seed) ||
                        keys[3] == key_id(*seed));
    }
    assert_int_equal(deaths(c), 0);
    cluster_close(c);
}

/* The three steps, one node after the other, while all write. One node is off throughout. */
static void
test_a_rotation_costs_nothing_and_who_missed_it_says_what_it_lacks(void **state)
{
    static const char *const steps[] = {"AB", "BA", "B"};

    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 4); seed++) {
        struct cluster *c = open_cluster(seed);
        struct writes w = {0};
        const struct gvs_stranger *s;

        cluster_kill(c, LATE);
        cluster_run(c, 20 * SECOND);
        w.deaths = deaths(c);
        for (size_t step = 0; step < 3; step++) {
            for (size_t i = 0; i < LATE; i++) {
                give(c, i, steps[step]);
                work(c, &w, 3 * SECOND);
            }
            work(c, &w, step == 1 ? 11 * MINUTE : 30 * SECOND);
            assert_int_equal(under(c, 'A'), step == 0 ? LATE * (LATE - 1) : 0);
            assert_int_equal(under(c, 'B'), step == 0 ? 0 : LATE * (LATE - 1));
        }
        cluster_start(c, LATE);
        cluster_run(c, MINUTE);
        assert_int_equal(cluster_alive(c, LATE), 1);
        s = gvs_node_stranger(c->host[LATE].node);
        assert_true(s->count > 0 && s->key == key_id('B'));
        s = gvs_node_stranger(c->host[0].node);
        assert_true(s->count > 0 && s->key == key_id('A'));
        assert_int_equal(gvs_ep_cmp(&s->from, &c->host[LATE].ep), 0);

        give(c, LATE, "B");
        assert_true(cluster_run_until(c, 30 * SECOND, cluster_converged));
        for (unsigned k = 0; k < 1000 && k < w.next; k++)
            assert_int_equal(cluster_read(c, LATE, k), cluster_read(c, 0, k));
        assert_int_equal(cluster_read(c, LATE, (w.next - 1) % 1000), (w.next - 1) % 60000);
        cluster_close(c);
    }
}

/* With force, or too early: the key in use is taken away on one node after the other. Two islands
 * for as long as that takes, and then one again; nothing is lost. */
static void
test_a_key_that_is_torn_out_makes_islands_until_all_have_the_new_one(void **state)
{
    struct cluster *c = open_cluster(7);

    (void)state;
    for (size_t i = 0; i < NODES; i++) {
        give(c, i, "B");
        assert_int_equal(cluster_write(c, i, (unsigned)i, 100 + (uint32_t)i), GVS_OK);
        cluster_run(c, SECOND);
    }
    assert_true(cluster_run_until(c, MINUTE, cluster_converged));
    for (unsigned k = 0; k < NODES; k++)
        assert_int_equal(cluster_read(c, 0, k), 100 + k);
    assert_int_equal(under(c, 'B'), NODES * (NODES - 1));
    cluster_close(c);
}

/* Where both ends still have a common key a closed session is replaced before a probe misses it. */
static void
test_sessions_that_a_reload_closes_are_opened_again_at_once(void **state)
{
    struct cluster *c = open_cluster(8);

    (void)state;
    for (size_t i = 0; i < NODES; i++)
        give(c, i, "AB");
    cluster_run(c, SECOND);
    give(c, 0, "B"); /* too early: the sessions are under A */
    assert_int_equal(gvs_node_sessions_under(c->host[0].node, key_id('A')), 0);
    cluster_run(c, 100);
    assert_int_equal(gvs_node_sessions_under(c->host[0].node, key_id('B')), NODES - 1);
    cluster_run(c, MINUTE);
    assert_int_equal(deaths(c), 0);
    cluster_close(c);
}

static void
test_who_is_denied_by_all_is_out_and_the_others_stay(void **state)
{
    static struct gvs_admission a;
    struct cluster *c = open_cluster(9);

    (void)state;
    a = (struct gvs_admission){.deny_count = 1};
    a.deny[0] = gvs_node_self(c->host[LATE].node);
    for (size_t i = 0; i < LATE; i++)
        gvs_node_set_admission(c->host[i].node, c->now, &a);
    cluster_write(c, LATE, 1, 1);
    cluster_run(c, MINUTE);
    for (size_t i = 0; i < LATE; i++) {
        assert_int_equal(cluster_alive(c, i), LATE);
        assert_int_equal(cluster_read(c, i, 1), -1);
        assert_true(gvs_node_count(c->host[i].node).rejected[GVS_REJECT_DENIED] > 0);
    }
    assert_int_equal(gvs_id_cmp(&gvs_node_denied(c->host[0].node)->id, &a.deny[0]), 0);
    a.deny_count = 0;
    for (size_t i = 0; i < LATE; i++)
        gvs_node_set_admission(c->host[i].node, c->now, &a);
    assert_true(cluster_run_until(c, MINUTE, cluster_converged));
    assert_int_equal(cluster_read(c, 0, 1), 1);
    cluster_close(c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_member_says_which_keys_it_takes),
        cmocka_unit_test(test_a_rotation_costs_nothing_and_who_missed_it_says_what_it_lacks),
        cmocka_unit_test(test_a_key_that_is_torn_out_makes_islands_until_all_have_the_new_one),
        cmocka_unit_test(test_sessions_that_a_reload_closes_are_opened_again_at_once),
        cmocka_unit_test(test_who_is_denied_by_all_is_out_and_the_others_stay),
    };

    return cmocka_run_group_tests_name("rotate", tests, NULL, NULL);
}
