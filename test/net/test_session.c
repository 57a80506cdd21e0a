/* test/net/test_session.c: how sessions come up, whom they are with, and when they end. Several at
 * once are in test_crossing.c, who means harm is in test_hostile.c. */
#include "test/net/forge.h"
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
    const struct gvs_stranger *stranger;
    struct world w;

    (void)state;
    world_open(&w, 2, 16);
    w.node[0].ring.count = 0;
    ring_add(&w.node[0].ring, 2);
    node_start(&w, 0);
    stranger = gvs_sessions_stranger(w.node[1].s);
    assert_int_equal(stranger->count, 0);
    for (int i = 0; i < 3; i++) {
        world_sleep(&w, 1000);
        node_connect(&w, 0, 1);
        world_settle(&w);
    }
    assert_int_equal(node_rejected(&w, 1, GVS_REJECT_UNKNOWN_KEY), 3);
    assert_int_equal(gvs_ep_cmp(&stranger->from, &w.node[0].ep), 0);
    assert_int_equal(stranger->count, 3);
    assert_true(stranger->key == w.node[0].ring.key[0].id);
    assert_true(stranger->last.us == w.now.us);
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
    uint8_t pkt[GVS_HANDSHAKE_LEN];
    struct forge f = {.index = 0};
    struct world w;

    (void)state;
    world_open(&w, 2, 20);
    assert_int_equal(node_connect(&w, 0, 0), GVS_OK);
    world_settle(&w);
    assert_int_equal(w.log_count, 1);
    assert_false(node_has(&w, 0, 0));
    assert_int_equal(node_rejected(&w, 0, REJECTS_ALL), 0); /* quietly */
    assert_int_equal(w.node[0].last.event, GVS_SESSION_SELF);
    assert_int_equal(gvs_ep_cmp(&w.node[0].last.from, &w.node[0].ep), 0);

    print_message("what a clone sends in this name is not ours\n");
    gvs_crypto_public(f.s_pub, w.node[0].cfg.priv);
    gvs_crypto_public(f.e_pub, w.node[1].cfg.priv);
    f.index = gvs_get32le(w.log[0].b + GVS_AT_SENDER);
    for (uint64_t later = 2; later-- > 0;) {
        forge_payload(f.payload, gvs_sessions_init_time(w.node[0].s) + later, 1);
        forge_init(pkt, "prod-eu", &w.node[0].ring.key[0], &f);
        node_recv(&w, 0, &w.node[1].ep, pkt, sizeof pkt);
        assert_int_equal(w.node[0].last.event, later ? GVS_SESSION_NOTHING : GVS_SESSION_SELF);
    }

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
