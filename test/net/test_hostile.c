/* test/net/test_hostile.c: the invariants of net/session.h, each from the side of somebody who
 * would like them broken: who changes what is on its way, replays, floods, speaks in another's
 * name. */
#include "net/noise.h"
#include "test/net/forge.h"
#include "test/net/world.h"

/* --- what was changed on the way --- */

/* Delivers every version of log[at] with one bit changed, or cut, or longer; each is counted once,
 * brings nothing about and provokes no datagram. */
static void
assert_no_change_passes(struct world *w, size_t i, size_t at, size_t covered)
{
    struct packet p = w->log[at];
    size_t sent = w->log_count;
    uint64_t refused = 0, before = node_rejected(w, i, REJECTS_ALL);
    uint8_t longer[GVS_DATAGRAM_LEN_MAX + 1] = {0};

    for (size_t bit = 0; bit < covered * 8; bit++, refused++) {
        p.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        node_recv(w, i, &p.from, p.b, p.len);
        assert_int_equal(w->node[i].last.event, GVS_SESSION_NOTHING);
        p.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t len = 0; len < p.len; len++, refused++) {
        node_recv(w, i, &p.from, p.b, len);
        assert_int_equal(w->node[i].last.event, GVS_SESSION_NOTHING);
    }
    memcpy(longer, p.b, p.len);
    for (size_t len = p.len + 1; len <= sizeof longer; len++, refused++) {
        node_recv(w, i, &p.from, longer, len);
        assert_int_equal(w->node[i].last.event, GVS_SESSION_NOTHING);
    }
    assert_int_equal(node_rejected(w, i, REJECTS_ALL) - before, refused);
    world_collect(w);
    assert_int_equal(w->log_count, sent);
}

static void
test_no_changed_init_is_taken_and_the_true_one_still_is(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, 2, 4);
    node_connect(&w, 0, 1);
    world_collect(&w);
    assert_no_change_passes(&w, 1, 0, GVS_AT_MAC2);
    world_settle(&w);
    assert_true(node_has(&w, 0, 1) && node_has(&w, 1, 0));
    world_close(&w);
}

static void
test_no_changed_resp_is_taken_and_the_true_one_still_is(void **state)
{
    struct world w;

    (void)state;
    open_half(&w, 5);
    assert_no_change_passes(&w, 0, 1, GVS_AT_MAC2);
    world_settle(&w);
    assert_true(node_has(&w, 0, 1) && node_has(&w, 1, 0));
    world_close(&w);
}

static void
test_no_changed_data_is_taken_and_the_true_one_still_is(void **state)
{
    struct world w;

    (void)state;
    print_message("the first, which would bring the session up\n");
    open_half(&w, 6);
    world_deliver(&w, &w.log[w.flying++]);
    node_collect(&w, 0);
    assert_no_change_passes(&w, 1, 2, w.log[2].len);
    assert_false(node_has(&w, 1, 0));
    world_settle(&w);
    assert_true(node_has(&w, 1, 0));

    print_message("a later one\n");
    assert_int_equal(node_say(&w, 1, 0, "forty bytes, or so, that nobody may alter"), GVS_OK);
    assert_no_change_passes(&w, 0, 3, w.log[3].len);
    world_settle(&w);
    assert_int_equal(w.node[0].last.len, 41);
    world_close(&w);
}

/* I1, the window after the tag: a forged counter of 2^50 must not shut out what is on its way. */
static void
test_a_forged_counter_does_not_move_the_window(void **state)
{
    struct packet p;
    struct world w;

    (void)state;
    open_pair(&w, 7);
    node_say(&w, 0, 1, "true");
    p = w.log[3];
    p.b[GVS_AT_DATA_COUNTER + 6] = 4;
    node_recv(&w, 1, &p.from, p.b, p.len);
    assert_int_equal(node_rejected(&w, 1, GVS_REJECT_BAD_TAG), 1);
    world_settle(&w);
    assert_int_equal(w.node[1].data, 1);
    world_close(&w);
}

static void
test_what_is_in_no_table_is_malformed(void **state)
{
    static const struct {
        const char *why;
        uint8_t head[16];
        size_t len;
    } rows[] = {
        {"nothing", {0}, 0},
        {"one byte", {1}, 1},
        {"type 0", {0, 1}, 176},
        {"type 5", {5, 1}, 176},
        {"version 0", {1, 0}, 176},
        {"version 2", {4, 2}, 64},
        {"COOKIE of another length", {3, 1}, 65},
        {"a reserved byte", {4, 1, 0, 1}, 64},
        {"INIT of another length", {1, 1}, 175},
        {"RESP of another length", {2, 1}, 177},
        {"RESP with a reserved byte", {2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 176},
        {"DATA without a tag", {4, 1}, 31},
        {"DATA with a counter beyond 2^60", {4, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16}, 64},
    };
    uint8_t b[256];
    struct world w;

    (void)state;
    open_pair(&w, 8);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("%s\n", rows[i].why);
        memset(b, 0, sizeof b);
        memcpy(b, rows[i].head, 16);
        node_recv(&w, 1, &w.node[0].ep, b, rows[i].len);
        assert_int_equal(node_rejected(&w, 1, GVS_REJECT_MALFORMED), i + 1);
        assert_int_equal(node_rejected(&w, 1, REJECTS_ALL), i + 1);
    }
    world_close(&w);
}

static void
test_an_index_that_is_not_ours_is_an_unknown_session(void **state)
{
    struct packet p;
    struct world w;

    (void)state;
    open_pair(&w, 46);
    node_say(&w, 0, 1, "hello");
    p = w.log[3];
    for (size_t bit = 0; bit < 32; bit++) {
        p.b[GVS_AT_DATA_RECEIVER + bit / 8] ^= (uint8_t)(1u << bit % 8);
        node_recv(&w, 1, &p.from, p.b, p.len);
        assert_int_equal(node_rejected(&w, 1, GVS_REJECT_UNKNOWN_SESSION), bit + 1);
        p.b[GVS_AT_DATA_RECEIVER + bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    world_close(&w);
}

static void
test_noise_of_any_kind_changes_nothing(void **state)
{
    struct world w;

    (void)state;
    open_pair(&w, 9);
    for (uint64_t seed = test_seed_first(); seed < test_seed_end(20000); seed++) {
        struct gvs_prng prng = gvs_prng_init(seed);
        struct packet p = w.log[gvs_prng_below(&prng, 3)];

        if (gvs_prng_chance(&prng, 1, 2)) {
            p.len = gvs_prng_below(&prng, GVS_DATAGRAM_LEN_MAX);
            gvs_prng_fill(&prng, p.b, p.len);
        }
        if (p.len > 0 && gvs_prng_chance(&prng, 1, 2))
            p.b[0] = (uint8_t)(1 + gvs_prng_below(&prng, 4));
        if (p.len > 1 && gvs_prng_chance(&prng, 9, 10))
            p.b[1] = 1;
        if (p.len > 4)
            gvs_prng_fill(&prng, p.b + gvs_prng_below(&prng, (uint32_t)p.len - 4), 4);
        node_recv(&w, seed & 1, &p.from, p.b, p.len);
        if (w.node[seed & 1].last.event != GVS_SESSION_NOTHING)
            fail_msg("replay with GVS_SEED=%" PRIu64, seed);
    }
    world_collect(&w);
    assert_int_equal(w.log_count, 3);
    assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 1, 0));
    world_close(&w);
}

/* --- replay --- */

/* A whole life in the log: a handshake, talk both ways, another handshake, more talk. */
static void
live(struct world *w, uint64_t seed)
{
    open_pair(w, seed);
    for (int i = 0; i < 20; i++)
        assert_true(node_reaches(w, i & 1, !(i & 1)));
    world_sleep(w, 2000);
    assert_int_equal(node_connect(w, 1, 0), GVS_OK);
    world_settle(w);
    for (int i = 0; i < 20; i++)
        assert_true(node_reaches(w, i & 1, !(i & 1)));
}

/* Sends all of the log again, with the true addresses. No session, no body; and no more bytes come
 * back than went out (I3). */
static void
assert_replay_does_nothing(struct world *w)
{
    size_t count = w->log_count, in[2] = {0}, out[2] = {0};
    unsigned up[2], data[2];

    for (size_t i = 0; i < 2; i++) {
        up[i] = w->node[i].up;
        data[i] = w->node[i].data;
    }
    for (size_t k = 0; k < count; k++) {
        world_deliver(w, &w->log[k]);
        in[gvs_ep_cmp(&w->log[k].to, &w->node[1].ep) == 0] += w->log[k].len;
        world_sleep(w, 100);
        world_collect(w);
    }
    for (size_t k = count; k < w->log_count; k++) {
        assert_int_equal(w->log[k].b[0], GVS_PACKET_RESP);
        out[gvs_ep_cmp(&w->log[k].from, &w->node[1].ep) == 0] += w->log[k].len;
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(w->node[i].up, up[i]);
        assert_int_equal(w->node[i].data, data[i]);
        assert_true(out[i] <= in[i]);
    }
    w->flying = w->log_count; /* who hears the answers, we saw: nobody */
}

static void
test_a_replay_of_everything_changes_nothing_but_counters(void **state)
{
    struct world w;

    (void)state;
    live(&w, 10);
    assert_replay_does_nothing(&w);
    assert_int_equal(w.flying, 3 + 20 + 3 + 20); /* not even an answer */
    assert_true(node_rejected(&w, 0, GVS_REJECT_REPLAY) >= 20);
    assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 1, 0));
    world_close(&w);
}

static void
test_a_replay_after_any_restart_brings_nothing_up(void **state)
{
    static const struct {
        const char *why;
        bool restart[2];
    } rows[] = {{"the initiator restarted", {true, false}},
                {"the responder did", {false, true}},
                {"both did", {true, true}}};
    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct world w;

        print_message("%s\n", rows[r].why);
        live(&w, 11 + r);
        for (size_t i = 0; i < 2; i++)
            if (rows[r].restart[i])
                node_start(&w, i);
        assert_replay_does_nothing(&w);
        for (size_t i = 0; i < 2; i++)
            if (rows[r].restart[i])
                assert_false(node_has(&w, i, !i));
        world_sleep(&w, 10000);
        print_message("  and the true ones find each other\n");
        node_connect(&w, 0, 1);
        world_settle(&w);
        assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 1, 0));
        assert_replay_does_nothing(&w);
        assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 1, 0));
        world_close(&w);
    }
}

/* I7, both ways: what was taken up lately is known by its mac; what is long forgotten, by its
 * number. */
static void
test_an_old_init_is_refused(void **state)
{
    struct gvs_session_recv r;
    struct world w;

    (void)state;
    live(&w, 14);
    node_recv(&w, 1, &w.node[0].ep, w.log[0].b, w.log[0].len);
    assert_int_equal(node_rejected(&w, 1, GVS_REJECT_REPLAY), 1);
    world_collect(&w);
    assert_int_equal(w.log_count, 46);

    print_message("a number below, in an INIT never seen\n");
    struct forge f = {.index = 5};
    uint8_t pkt[GVS_HANDSHAKE_LEN], e[32] = {9};

    gvs_crypto_public(f.e_pub, e);
    gvs_crypto_public(f.s_pub, w.node[0].cfg.priv);
    forge_payload(f.payload, gvs_sessions_init_time(w.node[0].s), w.node[0].cfg.boot);
    forge_init(pkt, "prod-eu", &w.node[0].ring.key[0], &f);
    gvs_sessions_recv(w.node[1].s, w.now, w.wall, &w.node[0].ep, pkt, sizeof pkt, &r);
    assert_int_equal(node_rejected(&w, 1, GVS_REJECT_REPLAY), 2);
    world_collect(&w);
    assert_int_equal(w.log_count, 46);

    print_message("one above is answered\n");
    forge_payload(f.payload, gvs_sessions_init_time(w.node[0].s) + 1, w.node[0].cfg.boot);
    forge_init(pkt, "prod-eu", &w.node[0].ring.key[0], &f);
    gvs_sessions_recv(w.node[1].s, w.now, w.wall, &w.node[0].ep, pkt, sizeof pkt, &r);
    world_collect(&w);
    assert_int_equal(w.log_count, 47);
    world_close(&w);
}

static void
test_init_time_only_grows(void **state)
{
    struct world w;
    uint64_t last;

    (void)state;
    world_open(&w, 2, 15);
    node_connect(&w, 0, 1);
    last = gvs_sessions_init_time(w.node[0].s);
    assert_true(last == UINT64_C(1700000000000) * 1000000);
    print_message("the wall clock falls back to 1970, and the node restarts\n");
    w.wall.ms = 0;
    world_sleep(&w, 1000);
    node_connect(&w, 0, 1);
    assert_true(gvs_sessions_init_time(w.node[0].s) == last + 1);
    node_start(&w, 0);
    assert_true(gvs_sessions_init_time(w.node[0].s) == last + 1);
    node_connect(&w, 0, 1);
    assert_true(gvs_sessions_init_time(w.node[0].s) == last + 2);
    world_settle(&w);
    assert_true(node_has(&w, 1, 0));
    print_message("and leaps to the end of time\n");
    w.wall.ms = UINT64_MAX / 2;
    world_sleep(&w, 1000);
    node_connect(&w, 0, 1);
    assert_true(gvs_sessions_init_time(w.node[0].s) == last + 3);
    world_settle(&w);
    assert_true(node_reaches(&w, 1, 0));
    world_close(&w);
}

/* I2, and what the counters of a session may look like. */
static void
test_no_counter_is_used_twice_in_a_session(void **state)
{
    struct world w;

    (void)state;
    live(&w, 32);
    for (size_t a = 0; a < w.log_count; a++)
        for (size_t b = a + 1; b < w.log_count; b++)
            if (w.log[a].b[0] == GVS_PACKET_DATA && w.log[b].b[0] == GVS_PACKET_DATA &&
                gvs_ep_cmp(&w.log[a].to, &w.log[b].to) == 0)
                assert_memory_not_equal(w.log[a].b, w.log[b].b, GVS_AT_DATA_BODY);
    world_close(&w);
}

/* --- in somebody else's name --- */

/* An observer sends to node 1 what node 0 sent to others: right, never seen here, and of node 0. */
static void
test_replays_from_elsewhere_do_not_push_out_the_true_handshake(void **state)
{
    struct gvs_ep thief = ep_make(66, 66);
    struct packet stolen[12];
    struct world w;

    (void)state;
    world_open(&w, 2, 37);
    for (uint16_t k = 0; k < 12; k++) {
        struct gvs_ep to = ep_make(88, k);

        gvs_sessions_connect(w.node[0].s, w.now, w.wall, &to);
        stolen[k].len = gvs_sessions_next(w.node[0].s, w.now, stolen[k].b, &stolen[k].to);
    }
    for (size_t k = 0; k < 8; k++)
        node_recv(&w, 1, &thief, stolen[k].b, stolen[k].len);
    world_sleep(&w, 1000);
    node_connect(&w, 0, 1);
    world_collect(&w);
    for (size_t k = 0; k < w.log_count; k++) /* all the answers, the thief's too, and the INIT */
        if (gvs_ep_cmp(&w.log[k].to, &w.node[1].ep) == 0)
            world_deliver(&w, &w.log[k]);
    w.flying = w.log_count;
    for (size_t k = 8; k < 11; k++) /* three more while RESP is on its way */
        node_recv(&w, 1, &thief, stolen[k].b, stolen[k].len);
    world_settle(&w);
    assert_true(node_has(&w, 0, 1) && node_has(&w, 1, 0));
    assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 1, 0));
    world_close(&w);
}

/* Somebody with the cluster key, but not node 0's, speaks in its name with the greatest number. */
static void
test_an_init_in_another_s_name_locks_nobody_out(void **state)
{
    struct forge f = {.index = 7};
    struct gvs_ep thief = ep_make(66, 66);
    uint8_t pkt[GVS_HANDSHAKE_LEN], e[32] = {5};
    struct world w;

    (void)state;
    world_open(&w, 2, 38);
    gvs_crypto_public(f.e_pub, e);
    gvs_crypto_public(f.s_pub, w.node[0].cfg.priv);
    forge_payload(f.payload, UINT64_MAX, 1);
    forge_init(pkt, "prod-eu", &w.node[0].ring.key[0], &f);
    node_recv(&w, 1, &thief, pkt, sizeof pkt);
    node_collect(&w, 1);
    assert_int_equal(w.log_count, 1);
    w.flying = 1;
    node_connect(&w, 0, 1);
    world_settle(&w);
    assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 1, 0));
    world_close(&w);
}

/* A responder with the cluster key that does as it likes. */
static void
test_a_resp_that_does_not_fit_is_refused_and_the_true_one_still_taken(void **state)
{
    static const struct {
        const char *why;
        uint64_t init_time;
        uint16_t proto, datagram;
        int reject;
    } rows[] = {
        {"the init_time of another INIT", 1, 1, 1232, GVS_REJECT_MALFORMED},
        {"a version that was not offered", 0, 2, 1232, GVS_REJECT_MALFORMED},
        {"no version", 0, 0, 1232, GVS_REJECT_MALFORMED},
        {"smaller datagrams", 0, 1, 1231, GVS_REJECT_MALFORMED},
    };
    struct gvs_noise_self self;
    struct world w;

    (void)state;
    open_half(&w, 44);
    gvs_noise_self_init(&self, w.node[1].cfg.priv, "prod-eu");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct gvs_keyring_key *key = &w.node[1].ring.key[0];
        uint8_t pkt[GVS_HANDSHAKE_LEN], e[32] = {3};
        struct gvs_noise_init init;
        struct gvs_noise_resp resp;
        struct gvs_noise_keys keys;
        struct gvs_noise n;

        print_message("%s\n", rows[i].why);
        assert_int_equal(gvs_noise_read_init(&n, w.log[0].b, &self, key, &init), GVS_OK);
        resp = (struct gvs_noise_resp){.init_time = init.init_time + rows[i].init_time,
                                       .proto = rows[i].proto,
                                       .datagram_max = rows[i].datagram};
        assert_int_equal(gvs_noise_write_resp(&n, pkt, &self, key, e, 1,
                                              gvs_get32le(w.log[0].b + GVS_AT_SENDER), &resp,
                                              &keys),
                         GVS_OK);
        node_recv(&w, 0, &w.node[1].ep, pkt, sizeof pkt);
        assert_int_equal(w.node[0].last.event, GVS_SESSION_NOTHING);
        assert_int_equal(node_rejected(&w, 0, rows[i].reject), i + 1);
    }
    world_settle(&w);
    assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 1, 0));
    world_close(&w);
}

/* A clone that, unlike ours, answers its own kind. */
static void
test_a_resp_under_our_own_key_makes_no_session(void **state)
{
    struct gvs_noise_resp resp = {.proto = 1, .datagram_max = 1232};
    uint8_t pkt[GVS_HANDSHAKE_LEN], e[32] = {3};
    struct gvs_noise_self self;
    struct gvs_noise_init init;
    struct gvs_noise_keys keys;
    struct gvs_noise n;
    struct world w;

    (void)state;
    open_half(&w, 45);
    gvs_noise_self_init(&self, w.node[0].cfg.priv, "prod-eu");
    gvs_noise_read_init(&n, w.log[0].b, &self, &w.node[0].ring.key[0], &init);
    resp.init_time = init.init_time;
    gvs_noise_write_resp(&n, pkt, &self, &w.node[0].ring.key[0], e, 1,
                         gvs_get32le(w.log[0].b + GVS_AT_SENDER), &resp, &keys);
    node_recv(&w, 0, &w.node[1].ep, pkt, sizeof pkt);
    assert_int_equal(w.node[0].last.event, GVS_SESSION_NOTHING);
    assert_false(node_has(&w, 0, 0));
    node_collect(&w, 0);
    assert_int_equal(w.log_count, 2); /* nothing is confirmed */
    world_close(&w);
}

static void
test_an_init_of_low_order_or_of_another_time_leaves_nothing(void **state)
{
    static const struct {
        const char *why;
        bool low;
        uint16_t proto_min, proto_max, datagram;
        int reject;
    } rows[] = {
        {"an ephemeral of low order", true, 1, 1, 1232, GVS_REJECT_BAD_TAG},
        {"only newer versions", false, 2, 9, 1232, GVS_REJECT_MALFORMED},
        {"only older versions", false, 0, 0, 1232, GVS_REJECT_MALFORMED},
        {"smaller datagrams", false, 1, 1, 1231, GVS_REJECT_MALFORMED},
        {"ours among others, and larger datagrams", false, 0, 9, 9000, -1},
    };
    struct world w;

    (void)state;
    world_open(&w, 2, 39);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct forge f = {.index = (uint32_t)i};
        uint8_t pkt[GVS_HANDSHAKE_LEN], e[32] = {(uint8_t)i};

        print_message("%s\n", rows[i].why);
        if (!rows[i].low)
            gvs_crypto_public(f.e_pub, e);
        gvs_crypto_public(f.s_pub, e);
        forge_payload(f.payload, i + 1, 1);
        gvs_put16le(f.payload + 16, rows[i].proto_min);
        gvs_put16le(f.payload + 18, rows[i].proto_max);
        gvs_put16le(f.payload + 20, rows[i].datagram);
        forge_init(pkt, "prod-eu", &w.node[1].ring.key[0], &f);
        if (rows[i].reject >= 0) {
            uint64_t before = node_rejected(&w, 1, rows[i].reject);

            node_recv(&w, 1, &w.node[0].ep, pkt, sizeof pkt);
            assert_int_equal(node_rejected(&w, 1, rows[i].reject), before + 1);
        } else {
            node_recv(&w, 1, &w.node[0].ep, pkt, sizeof pkt);
        }
        node_collect(&w, 1);
        assert_int_equal(w.log_count, rows[i].reject < 0);
    }
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
        cmocka_unit_test(test_no_changed_init_is_taken_and_the_true_one_still_is),
        cmocka_unit_test(test_no_changed_resp_is_taken_and_the_true_one_still_is),
        cmocka_unit_test(test_no_changed_data_is_taken_and_the_true_one_still_is),
        cmocka_unit_test(test_a_forged_counter_does_not_move_the_window),
        cmocka_unit_test(test_what_is_in_no_table_is_malformed),
        cmocka_unit_test(test_an_index_that_is_not_ours_is_an_unknown_session),
        cmocka_unit_test(test_noise_of_any_kind_changes_nothing),
        cmocka_unit_test(test_a_replay_of_everything_changes_nothing_but_counters),
        cmocka_unit_test(test_a_replay_after_any_restart_brings_nothing_up),
        cmocka_unit_test(test_an_old_init_is_refused),
        cmocka_unit_test(test_init_time_only_grows),
        cmocka_unit_test(test_no_counter_is_used_twice_in_a_session),
        cmocka_unit_test(test_replays_from_elsewhere_do_not_push_out_the_true_handshake),
        cmocka_unit_test(test_an_init_in_another_s_name_locks_nobody_out),
        cmocka_unit_test(test_a_resp_that_does_not_fit_is_refused_and_the_true_one_still_taken),
        cmocka_unit_test(test_a_resp_under_our_own_key_makes_no_session),
        cmocka_unit_test(test_an_init_of_low_order_or_of_another_time_leaves_nothing),
    };

    return cmocka_run_group_tests_name("hostile", tests, set_up, NULL);
}
