/* test/net/test_crossing.c: handshakes that cross, overtake each other or are cut off by a restart,
 * in every order that a network can think of: in the end both sides send in the same session. */
#include "test/net/world.h"

/* --- who comes first --- */

/* In which session does node i send: that which node 0 or which node 1 started? By the index in its
 * DATA: an initiator's stands in an INIT, a responder's in a RESP. */
static size_t
sends_in(const struct world *w, const struct packet *data)
{
    uint32_t index = gvs_get32le(data->b + GVS_AT_DATA_RECEIVER);

    for (size_t k = w->log_count; k-- > 0;) {
        const struct packet *p = &w->log[k];
        bool init = p->b[0] == GVS_PACKET_INIT;

        if (p->b[0] == GVS_PACKET_DATA || gvs_get32le(p->b + GVS_AT_SENDER) != index ||
            gvs_ep_cmp(&p->from, &data->to) != 0)
            continue;
        return gvs_ep_cmp(init ? &p->from : &p->to, &w->node[1].ep) == 0;
    }
    fail_msg("%s", "a session that nobody started");
    return 0;
}

/* Delivers what is on its way in an order of prng's. */
static void
settle_in_any_order(struct world *w, struct gvs_prng *prng)
{
    for (world_collect(w); w->flying < w->log_count; world_collect(w)) {
        size_t k = w->flying + gvs_prng_below(prng, (uint32_t)(w->log_count - w->flying));
        struct packet p = w->log[k];

        w->log[k] = w->log[w->flying];
        w->log[w->flying++] = p;
        world_deliver(w, &p);
        world_sleep(w, gvs_prng_below(prng, 100));
    }
}

static void
test_if_both_start_at_once_the_smaller_id_s_session_is_used(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); seed < test_seed_end(300); seed++) {
        struct gvs_prng prng = gvs_prng_init(seed);
        struct gvs_id id[2];
        struct world w;
        size_t smaller;

        world_open(&w, 2, seed);
        id[0] = node_id(&w, 0);
        id[1] = node_id(&w, 1);
        smaller = gvs_id_cmp(&id[0], &id[1]) > 0;
        node_connect(&w, 0, 1);
        node_connect(&w, 1, 0);
        world_collect(&w);
        world_deliver(&w, &w.log[w.flying++]);
        world_deliver(&w, &w.log[w.flying++]);
        settle_in_any_order(&w, &prng);
        for (size_t i = 0; i < 2; i++) {
            if (w.node[i].up != 2) /* both complete */
                fail_msg("node %zu: %u up, GVS_SEED=%" PRIu64, i, w.node[i].up, seed);
            assert_true(node_reaches(&w, i, !i));
            if (sends_in(&w, &w.log[w.log_count - 1]) != smaller)
                fail_msg("node %zu, GVS_SEED=%" PRIu64, i, seed);
        }
        world_sleep(&w, 200000);
        assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 1, 0));
        world_close(&w);
    }
}

/* Starts at any time, so that they cross on one side only, or not at all; the session in use before
 * makes a third. Whoever wins, both sides agree, and still do when the other session is gone. */
static void
test_however_handshakes_cross_both_sides_end_in_the_same_session(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); seed < test_seed_end(1000); seed++) {
        struct gvs_prng prng = gvs_prng_init(seed);
        size_t used[2];
        struct world w;

        world_open(&w, 2, seed);
        if (gvs_prng_chance(&prng, 1, 2)) {
            node_connect(&w, gvs_prng_below(&prng, 2), gvs_prng_below(&prng, 2));
            world_settle(&w);
            world_sleep(&w, 3000);
        }
        for (int step = 0; step < 12; step++) {
            size_t i = gvs_prng_below(&prng, 2);

            if (step == 0 || (step < 5 && gvs_prng_chance(&prng, 1, 3)))
                node_connect(&w, i, !i);
            world_collect(&w);
            if (w.flying < w.log_count && gvs_prng_chance(&prng, 3, 4)) {
                size_t k = w.flying + gvs_prng_below(&prng, (uint32_t)(w.log_count - w.flying));
                struct packet p = w.log[k];

                w.log[k] = w.log[w.flying];
                w.log[w.flying++] = p;
                world_deliver(&w, &p);
            }
        }
        settle_in_any_order(&w, &prng);
        /* A word each way, from either side first, and they are agreed. */
        for (size_t k = 0; k < 2; k++) {
            size_t i = (seed + k) & 1;

            if (!node_reaches(&w, i, !i))
                fail_msg("node %zu is not heard, GVS_SEED=%" PRIu64, i, seed);
        }
        for (size_t i = 0; i < 2; i++) {
            if (!node_reaches(&w, i, !i))
                fail_msg("node %zu is not heard, GVS_SEED=%" PRIu64, i, seed);
            used[i] = sends_in(&w, &w.log[w.log_count - 1]);
        }
        if (used[0] != used[1])
            fail_msg("two sessions, GVS_SEED=%" PRIu64, seed);
        world_sleep(&w, 200000);
        world_collect(&w);
        for (size_t i = 0; i < 2; i++)
            if (!node_reaches(&w, i, !i))
                fail_msg("node %zu is not heard any more, GVS_SEED=%" PRIu64, i, seed);
        world_close(&w);
    }
}

/* Two addresses lead to one peer, and the answers come in the other order. */
static void
test_of_two_starts_of_one_side_the_later_counts_on_both(void **state)
{
    struct gvs_ep alias = ep_make(77, 7900);
    struct packet init[2], resp[2], data[2];
    struct gvs_ep to;
    struct world w;

    (void)state;
    for (int reversed = 0; reversed < 2; reversed++) {
        world_open(&w, 2, 23);
        gvs_sessions_connect(w.node[0].s, w.now, w.wall, &w.node[1].ep);
        gvs_sessions_connect(w.node[0].s, w.now, w.wall, &alias);
        for (int k = 0; k < 2; k++)
            init[k].len = gvs_sessions_next(w.node[0].s, w.now, init[k].b, &init[k].to);
        for (int k = 0; k < 2; k++) {
            node_recv(&w, 1, &w.node[0].ep, init[k].b, init[k].len);
            resp[k].len = gvs_sessions_next(w.node[1].s, w.now, resp[k].b, &to);
        }
        for (int k = 0; k < 2; k++) {
            int which = reversed ? !k : k;

            node_recv(&w, 0, &init[which].to, resp[which].b, resp[which].len);
            data[k].len = gvs_sessions_next(w.node[0].s, w.now, data[k].b, &to);
            if (data[k].len > 0)
                node_recv(&w, 1, &w.node[0].ep, data[k].b, data[k].len);
        }
        assert_int_equal(w.node[0].up, reversed ? 1 : 2);
        assert_int_equal(node_say(&w, 0, 1, "to the alias"), GVS_OK);
        assert_int_equal(gvs_ep_cmp(&w.log[0].to, &alias), 0);
        node_recv(&w, 1, &w.node[0].ep, w.log[0].b, w.log[0].len);
        assert_int_equal(w.node[1].last.event, GVS_SESSION_DATA);
        assert_int_equal(node_say(&w, 1, 0, "back"), GVS_OK);
        node_recv(&w, 0, &alias, w.log[1].b, w.log[1].len);
        assert_int_equal(w.node[0].last.event, GVS_SESSION_DATA);
        world_close(&w);
    }
}

static void
test_a_restarted_peer_is_believed_at_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) { /* whichever has the smaller id */
        struct world w;

        open_pair(&w, 24);
        node_start(&w, i);
        node_connect(&w, i, !i);
        world_settle(&w);
        assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 1, 0));
        assert_true(w.node[!i].last.peer_boot == w.node[i].cfg.boot);
        world_close(&w);
    }
}

/* Its last RESP before the restart comes after its first INIT: the two are no twins, one is dead.
 */
static void
test_a_word_from_before_a_restart_does_not_win(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) { /* whichever has the smaller id */
        struct world w;

        world_open(&w, 2, 43);
        node_connect(&w, i, !i);
        world_collect(&w);
        world_deliver(&w, &w.log[0]);
        world_collect(&w); /* log[1] is the RESP */
        node_start(&w, !i);
        node_connect(&w, !i, i);
        world_collect(&w);
        world_deliver(&w, &w.log[2]);
        world_deliver(&w, &w.log[1]);
        w.flying = 3;
        world_settle(&w);
        assert_int_equal(w.node[i].up, 2);
        assert_true(node_reaches(&w, i, !i) && node_reaches(&w, !i, i));
        world_close(&w);
    }
}

/* --- all together --- */

struct storm {
    struct world w;
    struct gvs_prng prng;
    bool heard[4096]; /* by number of the body */
    uint32_t said;
};

/* Each body carries who says it to whom, and a number: it comes from him, to him, and once. */
static void
storm_check(struct storm *s, uint64_t seed)
{
    for (size_t i = 0; i < s->w.count; i++) {
        struct node *n = &s->w.node[i];
        unsigned long from, to, number;
        char text[32] = {0}, *at = text;
        struct gvs_id id;

        if (n->last.event != GVS_SESSION_DATA || n->last.len == 0)
            continue;
        memcpy(text, n->body, n->last.len < 31 ? n->last.len : 31);
        n->last.event = GVS_SESSION_NOTHING;
        from = strtoul(at, &at, 10);
        to = strtoul(at + (*at == '>'), &at, 10);
        number = strtoul(at + (*at == ':'), &at, 10);
        if (*at != 0 || from >= s->w.count || to != i || number >= s->said)
            fail_msg("'%s' at node %zu, GVS_SEED=%" PRIu64, text, i, seed);
        id = node_id(&s->w, from);
        if (gvs_id_cmp(&id, &n->last.peer) != 0 || s->heard[number])
            fail_msg("'%s' again, or of another, GVS_SEED=%" PRIu64, text, seed);
        s->heard[number] = true;
    }
}

static void
storm_step(struct storm *s)
{
    struct world *w = &s->w;
    size_t i = gvs_prng_below(&s->prng, (uint32_t)w->count);
    size_t j = (i + 1 + gvs_prng_below(&s->prng, (uint32_t)w->count - 1)) % w->count;
    char text[32];

    switch (gvs_prng_below(&s->prng, 12)) {
    case 0:
        node_connect(w, i, j);
        break;
    case 1:
        world_sleep(w, gvs_prng_chance(&s->prng, 1, 40) ? 4000000 : 300);
        break;
    case 2:
        if (gvs_prng_chance(&s->prng, 1, 20))
            node_start(w, i);
        break;
    case 3:
        if (gvs_prng_chance(&s->prng, 1, 20)) {
            struct gvs_id id = node_id(w, j);

            gvs_sessions_drop(w->node[i].s, &id);
        }
        break;
    case 4:
    case 5:
    case 6:
        snprintf(text, sizeof text, "%zu>%zu:%u", i, j, s->said);
        if (s->said < 4096 && node_say(w, i, j, text) == GVS_OK)
            s->said++;
        break;
    default:
        world_collect(w);
        if (w->log_count > 0) { /* any datagram ever sent, so early, late, twice or never */
            size_t back = gvs_prng_below(&s->prng, gvs_prng_chance(&s->prng, 3, 4) ? 4 : 4000);
            struct packet p = w->log[w->log_count - 1 - back % w->log_count];

            if (gvs_prng_chance(&s->prng, 1, 10))
                p.b[gvs_prng_below(&s->prng, (uint32_t)p.len)] ^= 0x10;
            if (gvs_prng_chance(&s->prng, 1, 20))
                p.from.port++;
            world_deliver(w, &p);
        }
    }
}

static void
test_whatever_the_weather_a_body_comes_once_and_from_who_sent_it(void **state)
{
    static struct storm s;

    (void)state;
    for (uint64_t seed = test_seed_first(); seed < test_seed_end(60); seed++) {
        s = (struct storm){.prng = gvs_prng_init(seed)};
        world_open(&s.w, 3, seed);
        for (int step = 0; step < 3000; step++) {
            storm_step(&s);
            storm_check(&s, seed);
        }
        /* It clears up: a second or so, and everybody hears everybody. */
        world_collect(&s.w);
        s.w.flying = s.w.log_count;
        world_sleep(&s.w, 6000);
        for (size_t i = 0; i < 3; i++)
            for (size_t j = 0; j < 3; j++)
                if (i != j && !node_reaches(&s.w, i, j)) {
                    world_sleep(&s.w, 2000);
                    node_connect(&s.w, i, j);
                    world_settle(&s.w);
                    if (!node_reaches(&s.w, i, j))
                        fail_msg("%zu does not reach %zu, GVS_SEED=%" PRIu64, i, j, seed);
                }
        world_close(&s.w);
    }
}

static int
set_up(void **state)
{
    (void)state;
    return gvs_crypto_init();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_if_both_start_at_once_the_smaller_id_s_session_is_used),
        cmocka_unit_test(test_however_handshakes_cross_both_sides_end_in_the_same_session),
        cmocka_unit_test(test_of_two_starts_of_one_side_the_later_counts_on_both),
        cmocka_unit_test(test_a_restarted_peer_is_believed_at_once),
        cmocka_unit_test(test_a_word_from_before_a_restart_does_not_win),
        cmocka_unit_test(test_whatever_the_weather_a_body_comes_once_and_from_who_sent_it),
    };

    return cmocka_run_group_tests_name("crossing", tests, set_up, NULL);
}
