/* test/net/test_session.c: how sessions come up, whom they are with, which of several is used, and
 * when they end. Who means harm is in test_hostile.c. */
#include "test/net/world.h"

/* --- one handshake --- */

static void
test_a_handshake_takes_one_round_trip_and_a_confirmation(void **state)
{
    struct gvs_id id;
    struct gvs_ep ep;
    struct world w;

    (void)state;
    open_half(&w, 1);
    assert_int_equal(w.log[0].len, GVS_HANDSHAKE_LEN);
    assert_int_equal(w.log[1].len, GVS_HANDSHAKE_LEN);
    assert_int_equal(w.node[0].up + w.node[1].up, 0);
    assert_int_equal(node_say(&w, 0, 1, "early"), GVS_E_NOTFOUND);
    assert_int_equal(node_say(&w, 1, 0, "early"), GVS_E_NOTFOUND);

    world_deliver(&w, &w.log[1]);
    assert_int_equal(w.node[0].last.event, GVS_SESSION_UP);
    assert_true(w.node[0].last.up && w.node[0].last.peer_boot == w.node[1].cfg.boot);
    id = node_id(&w, 1);
    assert_int_equal(gvs_id_cmp(&w.node[0].last.peer, &id), 0);
    assert_int_equal(node_say(&w, 1, 0, "early"), GVS_E_NOTFOUND); /* I6 */

    node_collect(&w, 0);
    assert_int_equal(w.log_count, 3);
    assert_int_equal(w.log[2].len, GVS_DATA_OVERHEAD);
    world_deliver(&w, &w.log[2]);
    assert_int_equal(w.node[1].last.event, GVS_SESSION_UP);
    assert_true(w.node[1].last.up && w.node[1].last.peer_boot == w.node[0].cfg.boot);
    id = node_id(&w, 0);
    assert_int_equal(gvs_id_cmp(&w.node[1].last.peer, &id), 0);
    assert_true(gvs_sessions_have(w.node[1].s, &id, &ep));
    assert_int_equal(gvs_ep_cmp(&ep, &w.node[0].ep), 0);

    w.flying = w.log_count;
    for (int i = 0; i < 100; i++)
        assert_true(node_reaches(&w, i & 1, !(i & 1)));
    assert_int_equal(node_rejected(&w, 0, REJECTS_ALL) + node_rejected(&w, 1, REJECTS_ALL), 0);
    world_close(&w);
}

static void
test_a_body_may_bring_the_session_up_before_the_confirmation(void **state)
{
    struct world w;

    (void)state;
    open_half(&w, 2);
    world_deliver(&w, &w.log[1]);
    assert_int_equal(node_say(&w, 0, 1, "first"), GVS_OK);
    world_deliver(&w, &w.log[2]);
    assert_int_equal(w.node[1].last.event, GVS_SESSION_DATA);
    assert_true(w.node[1].last.up);
    assert_int_equal(w.node[1].last.len, 5);
    assert_memory_equal(w.node[1].last.body, "first", 5);
    node_collect(&w, 0);
    world_deliver(&w, &w.log[3]); /* the empty one comes late and is nothing special */
    assert_int_equal(w.node[1].last.event, GVS_SESSION_DATA);
    assert_false(w.node[1].last.up);
    assert_int_equal(w.node[1].last.len, 0);
    world_close(&w);
}

static void
test_the_longest_body_fits_and_a_longer_datagram_does_not(void **state)
{
    uint8_t body[GVS_BODY_LEN_MAX], buf[GVS_DATAGRAM_LEN_MAX + 1] = {0};
    struct gvs_id id;
    struct gvs_ep to;
    struct world w;

    (void)state;
    open_pair(&w, 3);
    id = node_id(&w, 1);
    memset(body, 0xa7, sizeof body);
    assert_int_equal(
        gvs_sessions_seal(w.node[0].s, w.now, w.wall, &id, body, sizeof body, buf, &to),
        GVS_DATAGRAM_LEN_MAX);
    node_recv(&w, 1, &w.node[0].ep, buf, sizeof buf);
    assert_int_equal(node_rejected(&w, 1, GVS_REJECT_MALFORMED), 1);
    node_recv(&w, 1, &w.node[0].ep, buf, GVS_DATAGRAM_LEN_MAX);
    assert_int_equal(w.node[1].last.len, sizeof body);
    assert_memory_equal(w.node[1].last.body, body, sizeof body);
    world_close(&w);
}

/* --- who may not come in --- */

static void
test_another_key_is_told_apart_and_remembered(void **state)
{
    struct gvs_mono last;
    struct gvs_ep from;
    struct world w;
    uint64_t count;

    (void)state;
    world_open(&w, 2, 16);
    w.node[0].ring.count = 0;
    ring_add(&w.node[0].ring, 2);
    node_start(&w, 0);
    assert_false(gvs_sessions_stranger(w.node[1].s, &from, &count, &last));
    for (int i = 0; i < 3; i++) {
        world_sleep(&w, 1000);
        node_connect(&w, 0, 1);
        world_settle(&w);
    }
    assert_int_equal(node_rejected(&w, 1, GVS_REJECT_UNKNOWN_KEY), 3);
    assert_true(gvs_sessions_stranger(w.node[1].s, &from, &count, &last));
    assert_int_equal(gvs_ep_cmp(&from, &w.node[0].ep), 0);
    assert_int_equal(count, 3);
    assert_true(last.us == w.now.us);
    assert_int_equal(w.log_count, 3); /* no answer */
    world_close(&w);
}

static void
test_a_known_key_id_without_the_key_is_a_bad_tag(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, 2, 17);
    w.node[0].ring.key[0].mac1[3] ^= 1;
    node_start(&w, 0);
    node_connect(&w, 0, 1);
    world_settle(&w);
    assert_int_equal(node_rejected(&w, 1, GVS_REJECT_BAD_TAG), 1);
    assert_int_equal(w.log_count, 1);
    print_message("also with the right mac1\n");
    w.node[0].ring.key[0].mac1[3] ^= 1;
    w.node[0].ring.key[0].psk[3] ^= 1;
    node_start(&w, 0);
    node_connect(&w, 0, 1);
    world_settle(&w);
    assert_int_equal(node_rejected(&w, 1, GVS_REJECT_BAD_TAG), 2);
    assert_int_equal(w.log_count, 2);
    world_close(&w);
}

static void
test_another_cluster_is_a_bad_tag(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, 2, 18);
    w.node[0].cfg.cluster = "prod-us";
    node_start(&w, 0);
    node_connect(&w, 0, 1);
    node_connect(&w, 1, 0);
    world_settle(&w);
    assert_int_equal(node_rejected(&w, 0, GVS_REJECT_BAD_TAG), 1);
    assert_int_equal(node_rejected(&w, 1, GVS_REJECT_BAD_TAG), 1);
    assert_int_equal(w.log_count, 2);
    world_close(&w);
}

static void
test_init_is_answered_under_its_own_key(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, 2, 19);
    ring_add(&w.node[0].ring, 2);
    ring_add(&w.node[1].ring, 2);
    w.node[0].ring.primary = 1; /* the key is being changed: 0 is done, 1 is not */
    node_start(&w, 0);
    node_start(&w, 1);
    node_connect(&w, 0, 1);
    world_settle(&w);
    assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 1, 0));
    world_sleep(&w, 2000);
    node_connect(&w, 1, 0);
    world_settle(&w);
    assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 1, 0));
    assert_int_equal(node_rejected(&w, 0, REJECTS_ALL) + node_rejected(&w, 1, REJECTS_ALL), 0);
    world_close(&w);
}

static void
test_no_session_with_oneself(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, 2, 20);
    assert_int_equal(node_connect(&w, 0, 0), GVS_OK);
    world_settle(&w);
    assert_int_equal(w.log_count, 1);
    assert_false(node_has(&w, 0, 0));
    assert_int_equal(node_rejected(&w, 0, REJECTS_ALL), 0); /* quietly */

    print_message("nor with a clone that answers\n");
    memcpy(w.node[1].cfg.priv, w.node[0].cfg.priv, 32);
    node_start(&w, 1);
    node_connect(&w, 0, 1);
    world_settle(&w);
    assert_false(node_has(&w, 0, 1) || node_has(&w, 1, 0));
    world_close(&w);
}

/* --- addresses --- */

/* I5: somebody on the path passes true datagrams on from an address of his. */
static void
test_a_datagram_from_another_address_is_dropped(void **state)
{
    struct gvs_ep other = ep_make(1, 7901), ep;
    struct gvs_id id;
    struct world w;

    (void)state;
    print_message("RESP\n");
    open_half(&w, 21);
    node_recv(&w, 0, &other, w.log[1].b, w.log[1].len);
    assert_int_equal(node_rejected(&w, 0, GVS_REJECT_UNKNOWN_SESSION), 1);
    world_deliver(&w, &w.log[1]);
    node_collect(&w, 0);

    print_message("the first DATA\n");
    node_recv(&w, 1, &other, w.log[2].b, w.log[2].len);
    assert_int_equal(node_rejected(&w, 1, GVS_REJECT_UNKNOWN_SESSION), 1);
    assert_false(node_has(&w, 1, 0));
    world_deliver(&w, &w.log[2]);

    print_message("a later DATA\n");
    node_say(&w, 0, 1, "hello");
    node_recv(&w, 1, &other, w.log[3].b, w.log[3].len);
    assert_int_equal(w.node[1].last.event, GVS_SESSION_NOTHING);
    assert_int_equal(node_rejected(&w, 1, GVS_REJECT_UNKNOWN_SESSION), 2);
    id = node_id(&w, 0);
    assert_true(gvs_sessions_have(w.node[1].s, &id, &ep));
    assert_int_equal(gvs_ep_cmp(&ep, &w.node[0].ep), 0);
    world_deliver(&w, &w.log[3]);
    assert_int_equal(w.node[1].data, 1);
    world_close(&w);
}

static void
test_who_moves_makes_a_new_handshake(void **state)
{
    struct gvs_id id;
    struct gvs_ep ep;
    struct world w;

    (void)state;
    open_pair(&w, 22);
    w.node[0].ep = ep_make(9, 7900);
    assert_false(node_reaches(&w, 0, 1));
    node_connect(&w, 0, 1);
    world_settle(&w);
    assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 1, 0));
    id = node_id(&w, 0);
    assert_true(gvs_sessions_have(w.node[1].s, &id, &ep));
    assert_int_equal(gvs_ep_cmp(&ep, &w.node[0].ep), 0);
    world_close(&w);
}

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

/* --- time --- */

static void
test_a_pending_handshake_is_over_after_5_s(void **state)
{
    struct world w;

    (void)state;
    open_half(&w, 25);
    world_deliver(&w, &w.log[1]);
    node_collect(&w, 0);
    assert_true(gvs_sessions_deadline(w.node[1].s).us == w.now.us + 5000000);
    world_sleep(&w, 5000);
    world_deliver(&w, &w.log[2]);
    assert_int_equal(node_rejected(&w, 1, GVS_REJECT_UNKNOWN_SESSION), 1);
    assert_false(node_has(&w, 1, 0));
    node_collect(&w, 1);
    assert_true(gvs_sessions_deadline(w.node[1].s).us == GVS_MONO_NEVER.us);
    world_close(&w);
}

static void
test_connect_sends_once_a_second_at_most_and_gives_up_after_5_s(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, 1, 26);
    for (int i = 0; i < 10; i++) { /* every 200 ms, for 2 s */
        struct gvs_ep to = ep_make(99, 7900);

        assert_int_equal(gvs_sessions_connect(w.node[0].s, w.now, w.wall, &to), GVS_OK);
        world_collect(&w);
        world_sleep(&w, 200);
    }
    assert_int_equal(w.log_count, 2);
    assert_memory_not_equal(w.log[0].b + GVS_AT_E, w.log[1].b + GVS_AT_E, 32);
    world_sleep(&w, 10000);
    world_collect(&w);
    assert_int_equal(w.log_count, 2); /* never by itself */
    assert_true(gvs_sessions_deadline(w.node[0].s).us == GVS_MONO_NEVER.us);
    world_close(&w);
}

static void
test_a_resp_after_5_s_is_too_late(void **state)
{
    struct world w;

    (void)state;
    open_half(&w, 27);
    world_sleep(&w, 5000);
    world_deliver(&w, &w.log[1]);
    assert_int_equal(node_rejected(&w, 0, GVS_REJECT_UNKNOWN_SESSION), 1);
    assert_false(node_has(&w, 0, 1));
    world_close(&w);
}

static void
test_256_handshakes_at_once_and_no_more(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, 1, 28);
    for (uint16_t port = 1; port <= 256; port++) {
        struct gvs_ep to = ep_make(99, port);

        assert_int_equal(gvs_sessions_connect(w.node[0].s, w.now, w.wall, &to), GVS_OK);
    }
    struct gvs_ep to = ep_make(99, 257);

    assert_int_equal(gvs_sessions_connect(w.node[0].s, w.now, w.wall, &to), GVS_E_FULL);
    world_sleep(&w, 5000);
    assert_int_equal(gvs_sessions_connect(w.node[0].s, w.now, w.wall, &to), GVS_OK);
    world_close(&w);
}

/* How many INITs are in the log. */
static size_t
count_inits(const struct world *w)
{
    size_t count = 0;

    for (size_t k = 0; k < w->log_count; k++)
        count += w->log[k].b[0] == GVS_PACKET_INIT;
    return count;
}

#define HOUR_MS (60 * 60 * 1000)

static void
test_a_busy_session_rekeys_within_the_hour_and_is_heard_throughout(void **state)
{
    struct packet late;
    struct world w;

    (void)state;
    open_pair(&w, 29);
    for (int i = 0; i < 150; i++)
        assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 1, 0));
    world_sleep(&w, HOUR_MS * 89 / 100);
    assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 1, 0));
    assert_int_equal(count_inits(&w), 1);

    world_sleep(&w, HOUR_MS * 22 / 100);
    assert_int_equal(node_say(&w, 0, 1, "late"), GVS_OK);
    late = w.log[--w.log_count];
    assert_int_equal(node_say(&w, 0, 1, "later"), GVS_OK);
    world_settle(&w);
    assert_int_equal(count_inits(&w), 2);
    assert_int_equal(w.node[0].up, 2);
    assert_int_equal(w.node[1].up, 2);
    assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 1, 0));
    assert_int_equal(gvs_get64le(w.log[w.log_count - 1].b + GVS_AT_DATA_COUNTER), 0);

    print_message("what was on its way under the old keys is heard for 180 s\n");
    world_sleep(&w, 179999);
    world_deliver(&w, &late);
    assert_int_equal(w.node[1].last.len, 4);
    world_deliver(&w, &late);
    assert_int_equal(node_rejected(&w, 1, GVS_REJECT_REPLAY), 1);
    world_sleep(&w, 1);
    world_deliver(&w, &late);
    assert_int_equal(node_rejected(&w, 1, GVS_REJECT_UNKNOWN_SESSION), 1);
    assert_int_equal(count_inits(&w), 2);
    world_close(&w);
}

static void
test_a_quiet_session_rekeys_once_a_day(void **state)
{
    struct world w;

    (void)state;
    open_pair(&w, 30);
    for (int hour = 0; hour < 21; hour++) {
        world_sleep(&w, HOUR_MS);
        assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 1, 0));
    }
    assert_int_equal(count_inits(&w), 1);
    for (int half = 0; half < 11; half++) {
        world_sleep(&w, HOUR_MS / 2);
        assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 1, 0));
    }
    assert_int_equal(count_inits(&w), 2);
    world_close(&w);
}

static void
test_a_session_that_cannot_be_renewed_ends(void **state)
{
    struct world w;
    int minutes = 0;

    (void)state;
    open_pair(&w, 31);
    for (int i = 0; i < 150; i++)
        assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 1, 0));
    world_sleep(&w, HOUR_MS * 111 / 100);
    while (node_say(&w, 0, 1, "nobody answers") == GVS_OK) {
        node_collect(&w, 0);
        w.flying = w.log_count;
        world_sleep(&w, 60000);
        minutes++;
    }
    assert_int_equal(minutes, 63);
    world_collect(&w);
    assert_false(node_has(&w, 0, 1));
    assert_int_equal(count_inits(&w), 64);
    world_sleep(&w, 30 * HOUR_MS);
    world_collect(&w);
    assert_false(node_has(&w, 1, 0)); /* the other side's end: nobody asked for it */
    assert_true(gvs_sessions_deadline(w.node[1].s).us == GVS_MONO_NEVER.us);
    world_close(&w);
}

/* --- bounds --- */

static void
test_peers_are_bounded_on_both_sides_of_a_handshake(void **state)
{
    struct gvs_id id;
    struct world w;

    (void)state;
    world_open(&w, 4, 40);
    w.node[0].cfg.peers_max = 2;
    node_start(&w, 0);
    node_connect(&w, 1, 0);
    node_connect(&w, 2, 0);
    world_settle(&w);
    assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 0, 2));

    print_message("as responder\n");
    node_connect(&w, 3, 0);
    world_settle(&w);
    assert_int_equal(node_rejected(&w, 0, GVS_REJECT_LIMITED), 1);
    assert_false(node_has(&w, 0, 3) || node_has(&w, 3, 0));

    print_message("as initiator\n");
    node_connect(&w, 0, 3);
    world_settle(&w);
    assert_int_equal(node_rejected(&w, 0, GVS_REJECT_LIMITED), 2);
    assert_false(node_has(&w, 0, 3));
    assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 0, 2));

    print_message("one that is dropped makes room, and its peer's keys are void\n");
    id = node_id(&w, 1);
    gvs_sessions_drop(w.node[0].s, &id);
    assert_false(node_has(&w, 0, 1));
    assert_false(node_reaches(&w, 1, 0));
    world_sleep(&w, 6000);
    node_connect(&w, 3, 0);
    world_settle(&w);
    assert_true(node_reaches(&w, 0, 3) && node_reaches(&w, 3, 0) && node_reaches(&w, 0, 2));
    world_close(&w);
}

/* The last place is taken between INIT and the first DATA. */
static void
test_the_last_place_goes_to_who_confirms_first(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, 3, 41);
    w.node[0].cfg.peers_max = 1;
    node_start(&w, 0);
    node_connect(&w, 1, 0);
    node_connect(&w, 2, 0);
    world_settle(&w);
    assert_int_equal(w.node[0].up, 1);
    assert_int_equal(node_rejected(&w, 0, GVS_REJECT_LIMITED), 1);
    assert_true(node_reaches(&w, 0, 1));
    world_close(&w);
}

static void
test_drop_ends_a_handshake_too(void **state)
{
    struct gvs_id id;
    struct world w;

    (void)state;
    open_half(&w, 42);
    id = node_id(&w, 0);
    gvs_sessions_drop(w.node[1].s, &id); /* pending here */
    world_settle(&w);
    assert_false(node_has(&w, 1, 0));
    assert_int_equal(node_rejected(&w, 1, GVS_REJECT_UNKNOWN_SESSION), 1);
    id = node_id(&w, 1);
    world_sleep(&w, 1000);
    node_connect(&w, 0, 1);
    gvs_sessions_drop(w.node[0].s, &id); /* current, and a new one under way */
    world_settle(&w);
    assert_false(node_has(&w, 0, 1) || node_has(&w, 1, 0));
    world_close(&w);
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
        cmocka_unit_test(test_a_handshake_takes_one_round_trip_and_a_confirmation),
        cmocka_unit_test(test_a_body_may_bring_the_session_up_before_the_confirmation),
        cmocka_unit_test(test_the_longest_body_fits_and_a_longer_datagram_does_not),
        cmocka_unit_test(test_another_key_is_told_apart_and_remembered),
        cmocka_unit_test(test_a_known_key_id_without_the_key_is_a_bad_tag),
        cmocka_unit_test(test_another_cluster_is_a_bad_tag),
        cmocka_unit_test(test_init_is_answered_under_its_own_key),
        cmocka_unit_test(test_no_session_with_oneself),
        cmocka_unit_test(test_a_datagram_from_another_address_is_dropped),
        cmocka_unit_test(test_who_moves_makes_a_new_handshake),
        cmocka_unit_test(test_if_both_start_at_once_the_smaller_id_s_session_is_used),
        cmocka_unit_test(test_however_handshakes_cross_both_sides_end_in_the_same_session),
        cmocka_unit_test(test_of_two_starts_of_one_side_the_later_counts_on_both),
        cmocka_unit_test(test_a_restarted_peer_is_believed_at_once),
        cmocka_unit_test(test_a_word_from_before_a_restart_does_not_win),
        cmocka_unit_test(test_a_pending_handshake_is_over_after_5_s),
        cmocka_unit_test(test_connect_sends_once_a_second_at_most_and_gives_up_after_5_s),
        cmocka_unit_test(test_a_resp_after_5_s_is_too_late),
        cmocka_unit_test(test_256_handshakes_at_once_and_no_more),
        cmocka_unit_test(test_a_busy_session_rekeys_within_the_hour_and_is_heard_throughout),
        cmocka_unit_test(test_a_quiet_session_rekeys_once_a_day),
        cmocka_unit_test(test_a_session_that_cannot_be_renewed_ends),
        cmocka_unit_test(test_peers_are_bounded_on_both_sides_of_a_handshake),
        cmocka_unit_test(test_the_last_place_goes_to_who_confirms_first),
        cmocka_unit_test(test_drop_ends_a_handshake_too),
    };

    return cmocka_run_group_tests_name("session", tests, set_up, NULL);
}
