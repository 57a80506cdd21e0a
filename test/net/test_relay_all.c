/* Relay by arcs: all relays of many nodes, run to the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/net/arcs.h"

/* --- many nodes --- */

struct host {
    struct gvs_members *members;
    struct gvs_relay relay;
    bool dead;
    unsigned got[KEYS];
};

struct swarm {
    struct store store;
    struct gvs_prng prng;
    size_t count;
    struct gvs_id id[NODES_MAX];
    struct host host[NODES_MAX];
    unsigned loss, copies; /* percent; of each datagram */
    size_t datagrams, lost;
};

/* `same` bits of the ids, or of every second id, are the same for all. */
static struct swarm *
open_swarm(size_t count, uint64_t seed, unsigned same, bool half, unsigned dead)
{
    struct swarm *s = calloc(1, sizeof *s);

    assert_non_null(s);
    open_store(&s->store);
    s->prng = gvs_prng_init(seed);
    s->count = count;
    s->copies = 1;
    for (size_t i = 0; i < count; i++) {
        s->id[i] = random_id(&s->prng, half && i % 2 ? 0 : same);
        s->host[i].dead = i > 1 && gvs_prng_chance(&s->prng, dead, 100);
    }
    for (size_t i = 0; i < count; i++) {
        struct host *h = &s->host[i];

        h->members = gvs_members_open(count, &s->id[i], (struct gvs_random){same_bytes, NULL},
                                      (struct gvs_mono){1});
        assert_non_null(h->members);
        for (size_t k = 0; k < count; k++) {
            struct gvs_member *m = add_member(h->members, &s->id[k]);

            if (s->host[k].dead)
                set_state(h->members, m, 1, GVS_DEAD);
        }
        assert_int_equal(gvs_relay_open(&h->relay, h->members, &s->id[i], LOG, hash), GVS_OK);
        gvs_relay_update(&h->relay, (struct gvs_mono){1});
    }
    return s;
}

static void
close_swarm(struct swarm *s)
{
    for (size_t i = 0; i < s->count; i++) {
        gvs_relay_close(&s->host[i].relay);
        gvs_members_close(s->host[i].members);
    }
    close_store(&s->store);
    free(s);
}

static struct host *
host_of(struct swarm *s, const struct gvs_id *id)
{
    for (size_t i = 0; i < s->count; i++) {
        if (gvs_id_cmp(&s->id[i], id) == 0)
            return &s->host[i];
    }
    fail();
    return NULL;
}

/* What net/node_in.c makes of a PUSH. */
static void
receive(struct host *to, const struct gvs_id *from, const struct gvs_msg *m)
{
    const struct gvs_id *self = &to->relay.self;

    assert_false(to->dead);
    if (m->arc > 0) { /* I2: in an arc of the sender's, but not in his own part of it */
        assert_true(m->arc <= GVS_LEVELS_MAX);
        assert_true(share_bits(from, self, GVS_ARC_BITS * ((unsigned)m->arc - 1)));
        assert_false(share_bits(from, self, GVS_ARC_BITS * (unsigned)m->arc));
    }
    for (size_t i = 0; i < m->entry_count; i++) {
        const struct gvs_entry *e = &m->entry[i];

        to->got[number_of(e)]++;
        if (m->arc > 0)
            gvs_relay_serve(&to->relay, (struct gvs_mono){1}, (unsigned)m->arc, e->key, e->key_len,
                            gvs_crypto_siphash(&hash_key, e->b, e->len));
    }
}

static bool
send_one(struct swarm *s, struct host *from)
{
    const struct gvs_table *const table[] = {s->store.table[0], s->store.table[1]};
    struct gvs_flight flight = {.seq = 1, .sent = {1}};
    struct gvs_member *to;
    struct gvs_duty duty;
    struct gvs_msg m;

    if (!gvs_relay_next(&from->relay, always, NULL, &duty))
        return false;
    to = duty.lane->head;
    if (!gvs_relay_build(&from->relay, &duty, table, ROOM, &m, &flight.cargo))
        return true;
    assert_true(m.entry_count > 0);
    s->datagrams++;
    if (gvs_prng_chance(&s->prng, s->loss, 100)) {
        s->lost++;
        gvs_relay_owe(&from->relay, (struct gvs_mono){2}, to, &flight);
        return true;
    }
    for (unsigned i = 0; i < s->copies; i++) {
        receive(host_of(s, &to->id), &from->relay.self, &m);
        while (s->copies > 1 && send_one(s, host_of(s, &to->id)))
            continue; /* the next copy comes when all is done */
    }
    return true;
}

/* Until nobody owes anything. */
static void
run(struct swarm *s)
{
    size_t limit = 0;

    for (bool sent = true; sent;) {
        sent = false;
        for (size_t i = 0; i < s->count; i++) {
            while (!s->host[i].dead && send_one(s, &s->host[i]))
                sent = true;
        }
        assert_true(++limit < 1000);
    }
}

/* How many live nodes did not get key k exactly once; who wrote it needs none. */
static size_t
count_wrong(const struct swarm *s, unsigned k, size_t writer, unsigned at_most)
{
    size_t wrong = 0;

    for (size_t i = 0; i < s->count; i++) {
        if (i != writer && !s->host[i].dead)
            wrong += s->host[i].got[k] == 0 || s->host[i].got[k] > at_most;
    }
    return wrong;
}

static const struct swarm_row {
    const char *why;
    size_t count;
    unsigned same; /* bits of the ids */
    bool half;     /* of every second id */
    unsigned dead, loss;
} swarms[] = {
    {"two", 2, 0, false, 0, 0},
    {"three, one of whom may be dead", 3, 0, false, 50, 0},
    {"sixteen others: to each", 17, 0, false, 0, 0},
    {"seventeen others: by arcs", 18, 0, false, 0, 0},
    {"a hundred", 100, 0, false, 0, 0},
    {"three hundred", 300, 0, false, 0, 0},
    {"three hundred, a third dead", 300, 0, false, 33, 0},
    {"twelve bits in common", 40, 12, false, 0, 0},
    {"half of them have twelve bits in common", 80, 12, true, 10, 0},
    {"two arcs of eight", 100, 2, false, 0, 0},
    {"loss", 40, 0, false, 0, 30},
    {"loss, with many", 200, 0, false, 10, 30},
    {"loss, and skewed ids", 100, 9, true, 10, 50},
};

/* A lost datagram is told of at once and with certainty here, so that once means once. */
static void
test_everybody_is_reached_exactly_once(void **state)
{
    (void)state;
    for (size_t row = 0; row < sizeof swarms / sizeof *swarms; row++) {
        const struct swarm_row *w = &swarms[row];
        size_t datagrams = 0, lost = 0, reached = 0;

        for (uint64_t seed = test_seed_first(); test_seed_run(seed, 4); seed++) {
            struct swarm *s = open_swarm(w->count, seed, w->same, w->half, w->dead);
            size_t writer = gvs_prng_below(&s->prng, 2); /* of those who live */

            s->loss = w->loss;
            for (unsigned k = 0; k < 5; k++) {
                write_key(&s->store, &s->host[writer].relay, k);
                if (k % 2 == 0)
                    run(s);
            }
            for (unsigned k = 0; k < 5; k++) {
                if (count_wrong(s, k, writer, 1) > 0)
                    fail_msg("%s: not all were reached once", w->why);
                assert_int_equal(s->host[writer].got[k], 0);
            }
            datagrams += s->datagrams;
            lost += s->lost;
            reached += gvs_members_counted(s->host[writer].members, GVS_ALIVE) - 1;
            close_swarm(s);
        }
        print_message("%s: %zu datagrams and %zu lost for %zu members and three turns\n", w->why,
                      datagrams - lost, lost, reached);
        assert_true(datagrams - lost <= 3 * reached);
    }
}

static void
test_two_who_write_the_same_entry_reach_everybody(void **state)
{
    static const size_t counts[] = {3, 18, 40, 100, 300};

    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 10); seed++) {
        size_t count = counts[seed % 5];
        struct swarm *s = open_swarm(count, seed, 0, false, 0);
        struct gvs_entry e;

        write_key(&s->store, &s->host[0].relay, 3);
        assert_true(gvs_table_seek(s->store.table[0], NULL, 0, false, &e));
        gvs_relay_serve(&s->host[1].relay, (struct gvs_mono){1}, 0, e.key, e.key_len,
                        gvs_table_id(s->store.table[0], &e));
        for (size_t i = 0; i < gvs_prng_below(&s->prng, 20); i++) /* one is ahead a little */
            send_one(s, &s->host[0]);
        run(s);
        assert_int_equal(count_wrong(s, 3, 0, 3), 0);
        assert_true(s->datagrams <= 2 * count + 20); /* each origin's, and no echo */
        close_swarm(s);
    }
}

static void
test_what_is_handed_over_twice_is_served_once(void **state)
{
    struct swarm *once = open_swarm(100, 1, 0, false, 0), *twice = open_swarm(100, 1, 0, false, 0);

    (void)state;
    twice->copies = 2;
    write_key(&once->store, &once->host[0].relay, 1);
    write_key(&twice->store, &twice->host[0].relay, 1);
    run(once);
    run(twice);
    assert_int_equal(once->datagrams, 99);
    assert_int_equal(twice->datagrams, 99);
    close_swarm(once);
    close_swarm(twice);
}

/* Beyond what hashes do: more in one arc of the last level than a level has lanes for. Nobody is
 * served twice, and sixteen of each such arc are. */
static void
test_a_crowd_in_the_last_arc_is_left_to_reconciliation(void **state)
{
    struct swarm *s = open_swarm(100, 3, 15, false, 0);

    (void)state;
    write_key(&s->store, &s->host[0].relay, 1);
    run(s);
    assert_int_equal(s->datagrams, GVS_DIRECT_MAX);
    assert_int_equal(count_wrong(s, 1, 0, 1), 99 - GVS_DIRECT_MAX);
    close_swarm(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_everybody_is_reached_exactly_once, test_seed_teardown),
        cmocka_unit_test_teardown(test_two_who_write_the_same_entry_reach_everybody,
                                  test_seed_teardown),
        cmocka_unit_test(test_what_is_handed_over_twice_is_served_once),
        cmocka_unit_test(test_a_crowd_in_the_last_arc_is_left_to_reconciliation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
