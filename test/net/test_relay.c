/* Relay by arcs: the lanes of one node. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/net/arcs.h"

#define FLIGHTS_MAX 400

/* How many live members lie in our arc of this level, without us. */
static size_t
count_arc(const struct gvs_relay *r, unsigned level)
{
    size_t n = 0;

    for (size_t i = 0; i < gvs_members_count(r->members); i++) {
        const struct gvs_member *m = gvs_members_ith(r->members, i);

        n += is_live(m) && share_bits(&m->id, &r->self, GVS_ARC_BITS * level);
    }
    return n;
}

/* --- the lanes of one node --- */

static void
assert_lanes(const struct gvs_relay *r)
{
    for (unsigned l = 0; l <= GVS_LEVELS_MAX; l++) {
        const struct gvs_level *level = &r->level[l];
        size_t live = count_arc(r, l), lanes = 0;

        assert_int_equal(level->split, live > GVS_DIRECT_MAX && l < GVS_LEVELS_MAX);
        for (size_t i = 0; i < level->lane_count; i++) {
            const struct gvs_member *head = level->lane[i].head;

            lanes += head != NULL;
            if (!head)
                continue;
            assert_true(is_live(head));
            assert_true(share_bits(&head->id, &r->self, GVS_ARC_BITS * l));
            if (level->split)
                assert_false(share_bits(&head->id, &r->self, GVS_ARC_BITS * (l + 1)));
            for (size_t k = 0; k < i; k++) { /* one a member, or one an arc */
                const struct gvs_member *other = level->lane[k].head;

                if (other && level->split)
                    assert_false(share_bits(&head->id, &other->id, GVS_ARC_BITS * (l + 1)));
                assert_true(head != other);
            }
        }
        if (!level->split)
            assert_int_equal(lanes, live);
        for (size_t i = 0; level->split && i < gvs_members_count(r->members); i++) {
            const struct gvs_member *m = gvs_members_ith(r->members, i);
            size_t heads = 0;

            if (!is_live(m) || !share_bits(&m->id, &r->self, GVS_ARC_BITS * l))
                continue;
            for (size_t k = 0; k < level->lane_count; k++)
                heads += level->lane[k].head &&
                         share_bits(&m->id, &level->lane[k].head->id, GVS_ARC_BITS * (l + 1));
            /* our own arc is served one level down */
            assert_int_equal(heads, !share_bits(&m->id, &r->self, GVS_ARC_BITS * (l + 1)));
        }
    }
}

static void
test_each_arc_has_one_head_and_our_own_none(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 200); seed++) {
        struct gvs_prng prng = gvs_prng_init(seed);
        size_t count = 1 + gvs_prng_below(&prng, seed % 2 ? 40 : 300);
        struct gvs_id self = random_id(&prng, (unsigned)(seed % 3) * 3);
        struct gvs_members *ms = gvs_members_open(
            count + 1, &self, (struct gvs_random){same_bytes, NULL}, (struct gvs_mono){1});
        struct gvs_relay r;

        assert_non_null(ms);
        add_member(ms, &self);
        assert_int_equal(gvs_relay_open(&r, ms, &self, 4, hash), GVS_OK);
        gvs_relay_update(&r, (struct gvs_mono){1});
        assert_lanes(&r);
        for (size_t i = 0; i < count; i++) {
            struct gvs_id id = random_id(&prng, i % 2 ? (unsigned)(seed % 3) * 3 : 0);
            struct gvs_member *m = add_member(ms, &id);

            m->up = !gvs_prng_chance(&prng, 1, 4);
            set_state(ms, m, 2, (enum gvs_member_state)(gvs_prng_below(&prng, 8) % 5 % 4));
            if (i % 7 == 0 || i + 1 == count) {
                gvs_relay_update(&r, (struct gvs_mono){1});
                assert_lanes(&r);
            }
        }
        gvs_relay_close(&r);
        gvs_members_close(ms);
    }
}

struct lone { /* one node, and what it knows of others */
    struct store store;
    struct gvs_id self;
    struct gvs_members *members;
    struct gvs_relay relay;
};

static void
open_lone(struct lone *b, size_t log)
{
    open_store(&b->store);
    b->self = (struct gvs_id){{1, [GVS_ID_LEN - 1] = 0}};
    b->members = gvs_members_open(NODES_MAX, &b->self, (struct gvs_random){same_bytes, NULL},
                                  (struct gvs_mono){1});
    assert_non_null(b->members);
    add_member(b->members, &b->self);
    assert_int_equal(gvs_relay_open(&b->relay, b->members, &b->self, log, hash), GVS_OK);
}

static void
close_lone(struct lone *b)
{
    gvs_relay_close(&b->relay);
    gvs_members_close(b->members);
    close_store(&b->store);
}

/* The n-th member of the arc of that number, of eight. */
static struct gvs_member *
add_to_arc(struct lone *b, unsigned arc, unsigned n)
{
    return add_member(b->members, &(struct gvs_id){{(uint8_t)(arc << 5 | 2), (uint8_t)n, 1}});
}

/* The next datagram of this relay. */
static bool
build_next(struct lone *b, struct gvs_member **to, struct gvs_msg *m, struct gvs_flight *flight)
{
    const struct gvs_table *const table[] = {b->store.table[0], b->store.table[1]};
    struct gvs_duty duty;

    *flight = (struct gvs_flight){.seq = 1, .sent = {1000}};
    while (gvs_relay_next(&b->relay, always, NULL, &duty)) {
        *to = duty.lane->head;
        if (gvs_relay_build(&b->relay, &duty, table, ROOM, m, &flight->cargo))
            return true;
    }
    return false;
}

/* Three in the second arc, and enough elsewhere that the ring is split. */
static void
open_arcs(struct lone *b)
{
    open_lone(b, LOG);
    for (unsigned n = 0; n < 20; n++)
        add_to_arc(b, 0, n);
    for (unsigned n = 0; n < 3; n++)
        add_to_arc(b, 1, n);
    gvs_relay_update(&b->relay, (struct gvs_mono){1});
}

static void
test_a_lost_hand_over_goes_to_another_member_of_the_arc(void **state)
{
    struct gvs_member *to, *then;
    struct gvs_flight flight;
    struct gvs_msg m;
    struct lone b;

    (void)state;
    open_arcs(&b);
    write_key(&b.store, &b.relay, 1);
    assert_true(build_next(&b, &to, &m, &flight));
    assert_int_equal(m.arc, 1);
    assert_int_equal(to->id.b[0] >> 5, 1);
    gvs_relay_owe(&b.relay, (struct gvs_mono){2000}, to, &flight);
    assert_true(build_next(&b, &then, &m, &flight));
    assert_int_equal(then->id.b[0] >> 5, 1);
    assert_true(then != to);
    assert_int_equal(m.entry_count, 1);
    gvs_relay_update(&b.relay, (struct gvs_mono){2000}); /* for any reason: it is not gone back */
    assert_ptr_equal(b.relay.level[0].lane[1].head, then);
    close_lone(&b);
}

/* The dead do not make it go back to the one that did not answer, either. */
static void
test_who_was_left_does_not_become_head_again_by_an_update(void **state)
{
    struct gvs_flight flight = {.seq = 1, .cargo = {.kind = GVS_CARGO_LOG}};

    (void)state;
    for (unsigned dead = 1; dead < 8; dead++) {
        struct gvs_member *head;
        struct lone b;

        open_arcs(&b);
        for (unsigned n = 3; n < 9; n++)
            add_to_arc(&b, 1, n);
        for (unsigned n = 0; n < dead; n++)
            set_state(b.members, add_to_arc(&b, 1, n), 1, GVS_DEAD);
        gvs_relay_update(&b.relay, (struct gvs_mono){1});
        head = b.relay.level[0].lane[1].head;
        write_key(&b.store, &b.relay, 1);
        gvs_relay_owe(&b.relay, (struct gvs_mono){1}, head, &flight);
        assert_true(b.relay.level[0].lane[1].head != head);
        gvs_relay_update(&b.relay, (struct gvs_mono){1});
        assert_true(b.relay.level[0].lane[1].head != head);
        close_lone(&b);
    }
}

static void
test_a_head_that_was_heard_since_stays(void **state)
{
    struct gvs_member *to, *then;
    struct gvs_flight flight;
    struct gvs_msg m;
    struct lone b;

    (void)state;
    open_arcs(&b);
    write_key(&b.store, &b.relay, 1);
    assert_true(build_next(&b, &to, &m, &flight));
    to->heard_at.us = flight.sent.us + 1;
    gvs_relay_owe(&b.relay, (struct gvs_mono){2000}, to, &flight);
    assert_true(build_next(&b, &then, &m, &flight));
    assert_ptr_equal(then, to);
    assert_int_equal(m.arc, 1);
    assert_int_equal(m.entry_count, 1);
    close_lone(&b);
}

static void
test_the_only_one_of_an_arc_stays_its_head(void **state)
{
    struct gvs_flight flight = {.seq = 1, .cargo = {.kind = GVS_CARGO_LOG}};
    struct gvs_member *only;
    struct lone b;

    (void)state;
    open_arcs(&b);
    only = add_to_arc(&b, 5, 1);
    gvs_relay_update(&b.relay, (struct gvs_mono){1});
    assert_ptr_equal(b.relay.level[0].lane[5].head, only);
    gvs_relay_owe(&b.relay, (struct gvs_mono){1}, only, &flight);
    assert_ptr_equal(b.relay.level[0].lane[5].head, only);
    close_lone(&b);
}

static void
test_a_live_head_with_a_session_is_preferred(void **state)
{
    struct gvs_member *of[3];
    struct lone b;

    (void)state;
    open_arcs(&b);
    for (unsigned i = 0; i < 3; i++)
        of[i] = add_to_arc(&b, 1, i);
    for (unsigned i = 0; i < 3; i++) {
        struct gvs_member *best = of[i], *second = of[(i + 1) % 3], *third = of[(i + 2) % 3];

        best->up = second->up = true;
        third->up = false;
        set_state(b.members, best, 2 + 2 * i, GVS_ALIVE);
        set_state(b.members, second, 2 + 2 * i, GVS_SUSPECT);
        set_state(b.members, third, 2 + 2 * i, GVS_ALIVE);
        gvs_relay_update(&b.relay, (struct gvs_mono){1});
        assert_ptr_equal(b.relay.level[0].lane[1].head, best);
        set_state(b.members, best, 2 + 2 * i, GVS_DEAD);
        gvs_relay_update(&b.relay, (struct gvs_mono){1});
        assert_ptr_equal(b.relay.level[0].lane[1].head, second);
        set_state(b.members, second, 2 + 2 * i, GVS_DEAD);
        gvs_relay_update(&b.relay, (struct gvs_mono){1});
        assert_ptr_equal(b.relay.level[0].lane[1].head, third);
        assert_true(third->todo != 0); /* it is asked for a session */
        set_state(b.members, third, 2 + 2 * i, GVS_DEAD);
        gvs_relay_update(&b.relay, (struct gvs_mono){1});
        assert_null(b.relay.level[0].lane[1].head);
    }
    close_lone(&b);
}

/* --- what was lost --- */

static void
lose(struct lone *b, struct gvs_member *m, uint64_t first, uint64_t last)
{
    gvs_relay_owe(&b->relay, (struct gvs_mono){1}, m,
                  &(struct gvs_flight){
                      .seq = 1, .cargo = {.kind = GVS_CARGO_LOG, .first = first, .last = last}});
}

static void
test_lost_places_that_lie_together_are_one(void **state)
{
    struct gvs_member *m;
    struct gvs_lane *lane;
    struct lone b;

    (void)state;
    open_lone(&b, LOG);
    m = add_to_arc(&b, 1, 1);
    gvs_relay_update(&b.relay, (struct gvs_mono){1});
    lane = &b.relay.level[0].lane[0];
    lose(&b, m, 10, 12);
    lose(&b, m, 13, 15); /* behind it */
    lose(&b, m, 8, 9);   /* before it */
    lose(&b, m, 11, 11); /* in it */
    assert_int_equal(lane->lost_count, 1);
    assert_int_equal(lane->lost[0].first, 8);
    assert_int_equal(lane->lost[0].last, 15);
    lose(&b, m, 17, 17);
    lose(&b, m, 6, 6);
    assert_int_equal(lane->lost_count, 3);
    lose(&b, m, 0, 0);
    lose(&b, m, 1, 1);
    assert_int_equal(lane->lost_count, 4);
    for (uint64_t i = 0; i < 2 * GVS_LOST_MAX; i++)
        lose(&b, m, 100 + 2 * i, 100 + 2 * i);
    assert_int_equal(lane->lost_count, GVS_LOST_MAX);
    lose(&b, m, 101, 101); /* room for what lies beside one */
    assert_int_equal(lane->lost_count, GVS_LOST_MAX);
    close_lone(&b);
}

static void
test_what_was_lost_goes_first_and_with_its_newest_value(void **state)
{
    struct gvs_flight flight;
    struct gvs_member *to;
    struct gvs_msg m;
    struct lone b;

    (void)state;
    open_lone(&b, LOG);
    add_to_arc(&b, 1, 1);
    gvs_relay_update(&b.relay, (struct gvs_mono){1});
    write_key(&b.store, &b.relay, 1);
    write_key(&b.store, &b.relay, 2);
    assert_true(build_next(&b, &to, &m, &flight));
    assert_int_equal(m.arc, 0);
    assert_int_equal(m.entry_count, 2);
    write_key(&b.store, &b.relay, 2); /* stands further on now */
    write_key(&b.store, &b.relay, 3);
    gvs_relay_owe(&b.relay, (struct gvs_mono){1}, to, &flight);
    assert_true(build_next(&b, &to, &m, &flight));
    assert_int_equal(m.entry_count, 1);
    assert_int_equal(number_of(&m.entry[0]), 1);
    assert_true(build_next(&b, &to, &m, &flight));
    assert_int_equal(m.entry_count, 2);
    assert_int_equal(m.entry[0].order, gvs_hlc_make(1, 0) + 3);
    assert_false(build_next(&b, &to, &m, &flight));
    close_lone(&b);
}

/* A datagram takes a part; the rest stays owed, and nothing twice. */
static void
test_what_does_not_fit_comes_with_the_next(void **state)
{
    const struct gvs_table *table[2];
    unsigned got[KEYS] = {0};
    struct gvs_cargo cargo;
    struct gvs_duty duty;
    uint64_t next = 0;
    struct gvs_msg m;
    struct lone b;

    (void)state;
    open_lone(&b, LOG);
    table[0] = b.store.table[0];
    table[1] = b.store.table[1];
    add_to_arc(&b, 1, 1);
    gvs_relay_update(&b.relay, (struct gvs_mono){1});
    for (unsigned k = 0; k < 30; k++)
        write_key(&b.store, &b.relay, k);
    for (unsigned i = 0; gvs_relay_next(&b.relay, always, NULL, &duty); i++) {
        assert_true(i < 1000);
        if (!gvs_relay_build(&b.relay, &duty, table, 150, &m, &cargo))
            continue;
        if (i % 3 == 1) {
            gvs_relay_owe(&b.relay, (struct gvs_mono){1}, duty.lane->head,
                          &(struct gvs_flight){.seq = 1, .cargo = cargo});
            continue;
        }
        next = cargo.last + 1;
        for (size_t n = 0; n < m.entry_count; n++)
            got[number_of(&m.entry[n])]++;
        assert_false(gvs_relay_build(&b.relay, &duty, table, 10, &m, &cargo)); /* no room */
    }
    assert_int_equal(next, 30);
    for (unsigned k = 0; k < 30; k++)
        assert_int_equal(got[k], 1);
    close_lone(&b);
}

static void
test_who_falls_behind_the_log_is_owed_what_comes_later(void **state)
{
    struct gvs_flight flight;
    struct gvs_member *to;
    struct gvs_msg m;
    struct lone b;

    (void)state;
    open_lone(&b, 8);
    add_to_arc(&b, 1, 1);
    gvs_relay_update(&b.relay, (struct gvs_mono){1});
    for (unsigned k = 0; k < 20; k++)
        write_key(&b.store, &b.relay, k);
    assert_false(build_next(&b, &to, &m, &flight));
    write_key(&b.store, &b.relay, 30);
    assert_true(build_next(&b, &to, &m, &flight));
    assert_int_equal(m.entry_count, 1);
    for (unsigned k = 0; k < 8; k++) /* exactly as long as the log is not too far */
        write_key(&b.store, &b.relay, k);
    assert_true(build_next(&b, &to, &m, &flight));
    assert_int_equal(m.entry_count, 8);
    gvs_relay_owe(&b.relay, (struct gvs_mono){1}, to, &flight);
    for (unsigned k = 8; k < 13; k++)
        write_key(&b.store, &b.relay, k);
    assert_true(build_next(&b, &to, &m, &flight)); /* of the lost ones, what can still be read */
    assert_int_equal(m.entry_count, 3);
    assert_true(build_next(&b, &to, &m, &flight));
    assert_int_equal(m.entry_count, 5);
    close_lone(&b);
}

static void
test_lanes_take_turns_and_what_waits_for_one_is_found(void **state)
{
    unsigned turns[4] = {0};
    struct gvs_duty duty;
    struct lone b;

    (void)state;
    open_lone(&b, LOG);
    for (unsigned n = 0; n < 4; n++)
        add_to_arc(&b, n, 1)->up = n != 2;
    gvs_relay_update(&b.relay, (struct gvs_mono){1});
    assert_false(gvs_relay_owes(&b.relay, add_to_arc(&b, 1, 1), &duty));
    write_key(&b.store, &b.relay, 1);
    add_to_arc(&b, 2, 1)->up = false;
    for (unsigned i = 0; i < 30; i++) {
        assert_true(gvs_relay_next(&b.relay, always, NULL, &duty));
        turns[duty.lane->head->id.b[0] >> 5]++;
    }
    assert_int_equal(turns[2], 0); /* no session: it waits */
    assert_true(turns[0] >= 7 && turns[1] >= 7 && turns[3] >= 7);
    assert_true(gvs_relay_owes(&b.relay, add_to_arc(&b, 2, 1), &duty));
    assert_int_equal(duty.level, 0);
    assert_int_equal(duty.lane->head->id.b[0] >> 5, 2);
    close_lone(&b);
}

/* --- who lives changes --- */

struct air { /* what is in the air */
    struct gvs_member *to;
    struct gvs_flight flight;
    uint64_t arc;
    size_t count;
    unsigned key[GVS_PUSH_ENTRIES_MAX];
    uint64_t order[GVS_PUSH_ENTRIES_MAX];
};

struct churn {
    struct lone b;
    struct gvs_prng prng;
    bool stays[NODES_MAX]; /* by place: has lived since the beginning */
    uint64_t got[NODES_MAX][KEYS];
    struct air air[FLIGHTS_MAX];
    size_t flying;
};

static void
take(struct churn *c, const struct gvs_member *m, const struct air *a)
{
    uint64_t *got = c->got[gvs_member_number(c->b.members, m)];

    for (size_t i = 0; i < a->count; i++) {
        if (got[a->key[i]] < a->order[i])
            got[a->key[i]] = a->order[i];
    }
}

/* It lands, and the head does its duty; or it is lost. */
static void
end_flight(struct churn *c, size_t i, bool lost)
{
    struct air a = c->air[i];

    c->air[i] = c->air[--c->flying];
    if (lost) {
        gvs_relay_owe(&c->b.relay, (struct gvs_mono){2000}, a.to, &a.flight);
        return;
    }
    take(c, a.to, &a);
    for (size_t k = 0; a.arc > 0 && k < gvs_members_count(c->b.members); k++) {
        const struct gvs_member *m = gvs_members_ith(c->b.members, k);

        if (share_bits(&m->id, &a.to->id, GVS_ARC_BITS * (unsigned)a.arc))
            take(c, m, &a);
    }
}

static bool
send_flight(struct churn *c)
{
    struct air *a = &c->air[c->flying];
    struct gvs_msg m;

    if (c->flying == FLIGHTS_MAX || !build_next(&c->b, &a->to, &m, &a->flight))
        return false;
    a->arc = m.arc;
    a->count = m.entry_count;
    for (size_t i = 0; i < m.entry_count; i++) {
        a->key[i] = number_of(&m.entry[i]);
        a->order[i] = m.entry[i].order;
    }
    c->flying++;
    return true;
}

static void
change_members(struct churn *c, size_t count)
{
    for (unsigned n = 1 + gvs_prng_below(&c->prng, 6); n > 0; n--) {
        size_t i = 1 + gvs_prng_below(&c->prng, (uint32_t)count);
        struct gvs_member *m = gvs_members_place(c->b.members, i);
        bool dies = m->state == GVS_ALIVE && !c->stays[i];

        set_state(c->b.members, m, m->incarnation + !dies, dies ? GVS_DEAD : GVS_ALIVE);
    }
    gvs_relay_update(&c->b.relay, (struct gvs_mono){1});
    assert_lanes(&c->b.relay);
}

/* Some members stay, others come and go, so that levels are split and joined all the time. Whoever
 * stays gets everything, whatever was in the air meanwhile. */
static void
test_nothing_is_skipped_for_whoever_stays(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 150); seed++) {
        struct churn *c = calloc(1, sizeof *c);
        struct gvs_entry e;
        size_t count;

        assert_non_null(c);
        c->prng = gvs_prng_init(seed);
        count = 18 + gvs_prng_below(&c->prng, seed % 2 ? 10 : 60);
        open_lone(&c->b, 4096);
        for (size_t i = 1; i <= count; i++) {
            struct gvs_id id = random_id(&c->prng, gvs_prng_chance(&c->prng, 1, 3) ? 6 : 0);
            struct gvs_member *m = add_member(c->b.members, &id);

            c->stays[gvs_member_number(c->b.members, m)] = i <= 10;
        }
        gvs_relay_update(&c->b.relay, (struct gvs_mono){1});
        for (unsigned step = 0; step < 150; step++) {
            uint32_t die = gvs_prng_below(&c->prng, 10);

            if (die < 2)
                write_key(&c->b.store, &c->b.relay, gvs_prng_below(&c->prng, KEYS));
            else if (die < 3)
                change_members(c, count);
            else if (die < 7)
                send_flight(c);
            else if (c->flying > 0)
                end_flight(c, gvs_prng_below(&c->prng, (uint32_t)c->flying), die == 9);
        }
        while (c->flying > 0 || send_flight(c))
            end_flight(c, c->flying - 1, gvs_prng_chance(&c->prng, 1, 10));
        for (bool found = gvs_table_seek(c->b.store.table[0], NULL, 0, false, &e); found;
             found = gvs_table_seek(c->b.store.table[0], e.key, e.key_len, true, &e)) {
            for (size_t i = 1; i <= count; i++) {
                if (c->stays[i])
                    assert_int_equal(c->got[i][number_of(&e)], e.order);
            }
        }
        close_lone(&c->b);
        free(c);
    }
}

/* Sixteen others, two of them in our own arc; then a seventeenth. What a datagram to one of the two
 * carried is lost before that, or after. */
static void
test_what_is_lost_on_the_way_to_our_own_arc_outlives_a_split(void **state)
{
    (void)state;
    for (unsigned later = 0; later < 2; later++) {
        struct gvs_flight flight, lost = {.seq = 0};
        struct gvs_member *to, *ours;
        struct gvs_msg m;
        struct lone b;

        open_lone(&b, LOG);
        ours = add_to_arc(&b, 0, 1);
        add_to_arc(&b, 0, 2);
        for (unsigned n = 0; n < 14; n++)
            add_to_arc(&b, 1 + n % 7, n);
        gvs_relay_update(&b.relay, (struct gvs_mono){1});
        write_key(&b.store, &b.relay, 1);
        while (build_next(&b, &to, &m, &flight)) {
            assert_int_equal(m.arc, 0);
            if (to == ours)
                lost = flight;
        }
        assert_true(lost.seq != 0);
        if (!later)
            gvs_relay_owe(&b.relay, (struct gvs_mono){2000}, ours, &lost);
        add_to_arc(&b, 3, 99);
        gvs_relay_update(&b.relay, (struct gvs_mono){2000});
        assert_true(b.relay.level[0].split);
        if (later)
            gvs_relay_owe(&b.relay, (struct gvs_mono){2000}, ours, &lost);
        do
            assert_true(build_next(&b, &to, &m, &flight));
        while (to != ours);
        assert_int_equal(m.entry_count, 1);
        assert_int_equal(flight.cargo.level, 1);
        close_lone(&b);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_each_arc_has_one_head_and_our_own_none, test_seed_teardown),
        cmocka_unit_test(test_a_lost_hand_over_goes_to_another_member_of_the_arc),
        cmocka_unit_test(test_who_was_left_does_not_become_head_again_by_an_update),
        cmocka_unit_test(test_a_head_that_was_heard_since_stays),
        cmocka_unit_test(test_the_only_one_of_an_arc_stays_its_head),
        cmocka_unit_test(test_a_live_head_with_a_session_is_preferred),
        cmocka_unit_test(test_lost_places_that_lie_together_are_one),
        cmocka_unit_test(test_what_was_lost_goes_first_and_with_its_newest_value),
        cmocka_unit_test(test_what_does_not_fit_comes_with_the_next),
        cmocka_unit_test(test_who_falls_behind_the_log_is_owed_what_comes_later),
        cmocka_unit_test(test_lanes_take_turns_and_what_waits_for_one_is_found),
        cmocka_unit_test_teardown(test_nothing_is_skipped_for_whoever_stays, test_seed_teardown),
        cmocka_unit_test(test_what_is_lost_on_the_way_to_our_own_arc_outlives_a_split),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
