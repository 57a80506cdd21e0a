/* test/net/test_flood.c: INITs without end, and what they cost the honest ones: limits, load and
 * cookies (net/gate.h, net/cookie.h). */
#include "net/gate.h"
#include "net/noise.h"
#include "test/net/forge.h"
#include "test/net/world.h"

#define HOSTS 200
#define PORTS 8

/* Nodes never seen, who have the cluster key and say what is right in every way. They live at
 * addresses of 10.77.0; some hear there and some do not. */
struct crowd {
    struct gvs_prng prng;
    const struct gvs_keyring_key *key;
    uint64_t number;
    bool alike;                /* all in one name, of which four at most are half open */
    struct gvs_cookie_jar jar; /* by their own addresses */
    size_t in[HOSTS][PORTS], out[HOSTS][PORTS];
    size_t init, resp, cookie; /* what they sent and what came */
};

static void
next_stranger(struct crowd *c, uint8_t pkt[static GVS_HANDSHAKE_LEN])
{
    struct forge f = {.index = (uint32_t)c->number};

    gvs_prng_fill(&c->prng, f.e_pub, 32);
    if (!c->alike)
        gvs_prng_fill(&c->prng, f.s_pub, 32);
    forge_payload(f.payload, ++c->number, 1);
    forge_init(pkt, "prod-eu", c->key, &f);
}

static void
open_crowd(struct crowd *c, struct world *w, uint64_t seed)
{
    *c = (struct crowd){.prng = gvs_prng_init(seed), .key = &w->node[1].ring.key[0]};
}

static struct gvs_ep
crowd_ep(size_t host, size_t port)
{
    return ep_make((uint8_t)(50 + host % HOSTS), (uint16_t)(port % PORTS));
}

/* What node 1 sent to the crowd since log_count was `from`: counted by address; I3. */
static void
count_answers(struct crowd *c, const struct world *w, size_t from)
{
    for (size_t k = from; k < w->log_count; k++) {
        const struct packet *p = &w->log[k];
        uint8_t last = p->to.addr.b[3];

        if (last < 50 || gvs_ep_cmp(&p->from, &w->node[1].ep) != 0)
            continue;
        c->resp += p->b[0] == GVS_PACKET_RESP;
        c->cookie += p->b[0] == GVS_PACKET_COOKIE;
        c->out[last - 50][p->to.port] += p->len;
        assert_true(c->out[last - 50][p->to.port] <= c->in[last - 50][p->to.port]);
    }
}

/* One INIT from there; a COOKIE in answer is kept if they hear there, and used next time. */
static void
knock(struct crowd *c, struct world *w, const struct gvs_ep *from, bool hears)
{
    uint8_t pkt[GVS_HANDSHAKE_LEN];
    size_t sent = w->log_count;

    next_stranger(c, pkt);
    gvs_cookie_use(&c->jar, w->now, from, pkt);
    c->init++;
    c->in[from->addr.b[3] - 50][from->port] += sizeof pkt;
    node_recv(w, 1, from, pkt, sizeof pkt);
    assert_int_equal(w->node[1].last.event, GVS_SESSION_NOTHING);
    node_collect(w, 1);
    count_answers(c, w, sent);
    for (size_t k = sent; hears && k < w->log_count; k++)
        if (w->log[k].b[0] == GVS_PACKET_COOKIE)
            assert_int_equal(gvs_cookie_keep(&c->jar, w->now, from, w->log[k].b, pkt, c->key),
                             GVS_OK);
}

/* A millisecond of a flood from addresses at which nobody hears. */
static void
flood(struct crowd *c, struct world *w, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct gvs_ep from = crowd_ep(gvs_prng_next(&c->prng), gvs_prng_next(&c->prng));

        knock(c, w, &from, false);
    }
    world_sleep(w, 1);
}

/* Which types node 0 and node 1 sent each other since then, as digits. */
static uint64_t
talk_since(const struct world *w, size_t from)
{
    uint64_t digits = 0;

    for (size_t k = from; k < w->log_count; k++)
        if (w->log[k].from.addr.b[3] < 50 && w->log[k].to.addr.b[3] < 50)
            digits = digits * 10 + w->log[k].b[0];
    return digits;
}

/* Each datagram between nodes 0 and 1 takes a millisecond, with 2 INITs of the flood. */
static void
settle_flooded(struct world *w, struct crowd *c)
{
    for (node_collect(w, 0); w->flying < w->log_count; node_collect(w, 0)) {
        struct packet p = w->log[w->flying++];

        if (p.to.addr.b[3] >= 50)
            continue;
        flood(c, w, 2);
        world_deliver(w, &p);
        node_collect(w, 1);
    }
}

/* --- load --- */

/* I3: of 4,000 INITs in 2 s those that came before the load was noticed are answered, 65, and no
 * other costs an opening. Sessions go on. */
static void
test_a_flood_from_everywhere_is_answered_by_cookies(void **state)
{
    struct crowd c;
    struct world w;

    (void)state;
    open_pair(&w, 33);
    open_crowd(&c, &w, 33);
    for (int i = 0; i < 2000; i++)
        flood(&c, &w, 2);
    assert_int_equal(c.resp, 65);
    assert_int_equal(c.cookie, 4000 - 65);
    assert_int_equal(node_rejected(&w, 1, GVS_REJECT_LIMITED), 4000 - 65);
    w.flying = w.log_count;
    assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 1, 0));
    world_close(&w);
}

/* I4 of net/gate.h: what an observer recorded on its way to others is worth one COOKIE. */
static void
test_an_init_gets_one_cookie_wherever_it_comes_from(void **state)
{
    uint8_t pkt[GVS_HANDSHAKE_LEN];
    struct crowd c;
    struct world w;
    size_t at;

    (void)state;
    open_pair(&w, 37);
    open_crowd(&c, &w, 37);
    for (int i = 0; i < 200; i++)
        flood(&c, &w, 2);
    at = w.log_count;
    next_stranger(&c, pkt);
    for (size_t i = 0; i < 10000; i++) {
        struct gvs_ep from = crowd_ep(i, i / HOSTS);

        gvs_prng_fill(&c.prng, pkt + GVS_AT_MAC2, i % 2 * GVS_MAC_LEN);
        node_recv(&w, 1, &from, pkt, sizeof pkt);
        node_collect(&w, 1);
    }
    assert_int_equal(w.log_count, at + 1);
    assert_int_equal(node_rejected(&w, 1, GVS_REJECT_REPLAY), 9999);
    print_message("a new one is asked\n");
    at = c.cookie;
    flood(&c, &w, 1);
    assert_int_equal(c.cookie, at + 1);
    world_close(&w);
}

/* I4: whoever makes new ones without end has the key, and still does not choose what he costs. */
static void
test_cookies_are_5000_a_second(void **state)
{
    struct crowd c;
    struct world w;

    (void)state;
    open_pair(&w, 38);
    open_crowd(&c, &w, 38);
    for (int i = 0; i < 1000; i++)
        flood(&c, &w, 20);
    print_message("%zu cookies\n", c.cookie);
    assert_true(c.cookie >= 5000 && c.cookie <= 1000 + 5000);
    assert_int_equal(node_rejected(&w, 1, GVS_REJECT_LIMITED) + c.resp, 20000);
    w.flying = w.log_count;
    assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 1, 0));
    world_close(&w);
}

/* I1, of INITs whose mac1 begins alike: many of one hash. */
static void
test_what_was_let_through_is_known_whatever_came_after_it(void **state)
{
    struct gvs_gate *g = calloc(1, sizeof *g);
    uint8_t pkt[GVS_HANDSHAKE_LEN] = {0};
    struct gvs_mono now = {1000000};

    (void)state;
    assert_non_null(g);
    for (int again = 0; again < 2; again++)
        for (uint64_t i = 0; i < GVS_GATE_SEEN_MAX; i++) {
            struct gvs_ep from = crowd_ep(i, i / HOSTS);

            now.us += 20000; /* 50 a second are no load */
            gvs_put64(pkt + GVS_AT_MAC1, (i + 1) << 32);
            assert_int_equal(gvs_gate_judge(g, now, &from, pkt, 0),
                             again ? GVS_GATE_SEEN : GVS_GATE_PASS);
        }
    free(g);
}

static void
test_under_a_flood_a_handshake_takes_one_round_trip_more(void **state)
{
    struct crowd c;
    struct world w;
    size_t at;

    (void)state;
    for (uint64_t seed = test_seed_first(); seed < test_seed_end(20); seed++) {
        world_open(&w, 2, seed);
        open_crowd(&c, &w, seed);
        for (int i = 0; i < 200; i++)
            flood(&c, &w, 2);
        w.flying = at = w.log_count;
        assert_int_equal(node_connect(&w, 0, 1), GVS_OK);
        settle_flooded(&w, &c);
        assert_int_equal(talk_since(&w, at), 13124);
        assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 1, 0));

        print_message("the next one has its cookie still\n");
        for (int i = 0; i < 2000; i++)
            flood(&c, &w, 2);
        w.flying = at = w.log_count;
        assert_int_equal(node_connect(&w, 0, 1), GVS_OK);
        settle_flooded(&w, &c);
        assert_int_equal(talk_since(&w, at), 124);

        print_message("one of a former life costs no more than none\n");
        node_start(&w, 1);
        for (int i = 0; i < 2000; i++)
            flood(&c, &w, 2);
        w.flying = at = w.log_count;
        assert_int_equal(node_connect(&w, 0, 1), GVS_OK);
        settle_flooded(&w, &c);
        assert_int_equal(talk_since(&w, at), 13124);
        assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 1, 0));
        world_close(&w);
    }
}

/* What node 0 sent to others, sent here by somebody else from everywhere: right, of a member, and
 * never seen here. */
static void
test_a_flood_of_what_was_sent_to_others_shuts_nobody_out(void **state)
{
    struct packet stolen[GVS_HANDSHAKE_LEN];
    size_t count = sizeof stolen / sizeof *stolen, at;
    struct world w;

    (void)state;
    world_open(&w, 2, 47);
    for (size_t k = 0; k < count; k++) {
        struct gvs_ep to = ep_make(49, (uint16_t)k);

        assert_int_equal(gvs_sessions_connect(w.node[0].s, w.now, w.wall, &to), GVS_OK);
        stolen[k].len = gvs_sessions_next(w.node[0].s, w.now, stolen[k].b, &stolen[k].to);
    }
    world_sleep(&w, 5000);
    for (int round = 0; round < 10; round++)
        for (size_t k = 0; k < count; k++) {
            struct gvs_ep from = crowd_ep(k, (size_t)round);

            node_recv(&w, 1, &from, stolen[k].b, stolen[k].len);
            node_collect(&w, 1);
        }
    w.flying = at = w.log_count;
    assert_int_equal(node_connect(&w, 0, 1), GVS_OK);
    world_settle(&w);
    assert_int_equal(talk_since(&w, at), 13124);
    assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 1, 0));
    world_close(&w);
}

/* By the count alone: 101 a second are load, 100 are not. */
static void
test_load_is_more_than_100_a_second(void **state)
{
    struct crowd c;
    struct world w;

    (void)state;
    world_open(&w, 2, 48);
    open_crowd(&c, &w, 48);
    c.alike = true;
    for (unsigned per_second = 99; per_second <= 102; per_second++) {
        size_t before = c.cookie;

        for (unsigned i = 0; i < 5 * per_second; i++) {
            struct gvs_ep from = crowd_ep(gvs_prng_next(&c.prng), gvs_prng_next(&c.prng));

            knock(&c, &w, &from, false);
            w.now.us += 1000000 / per_second;
        }
        print_message("%u a second: %zu cookies\n", per_second, c.cookie - before);
        assert_int_equal(c.cookie - before > 0, per_second > 100);
        world_sleep(&w, 10000);
    }
    world_close(&w);
}

static void
test_load_is_over_two_seconds_after_the_flood(void **state)
{
    struct gvs_ep from = crowd_ep(0, 0);
    struct crowd c;
    struct world w;
    size_t before;

    (void)state;
    world_open(&w, 2, 49);
    open_crowd(&c, &w, 49);
    for (int i = 0; i < 6000; i++) /* long enough that the first 65 are not half open any more */
        flood(&c, &w, 1);
    before = c.cookie;
    knock(&c, &w, &from, false);
    assert_int_equal(c.cookie, before + 1);
    print_message("who is right in his second, the next, is still asked\n");
    world_sleep(&w, 900);
    knock(&c, &w, &from, false);
    assert_int_equal(c.cookie, before + 2);
    world_sleep(&w, 2000);
    knock(&c, &w, &from, false);
    assert_int_equal(c.cookie, before + 2);
    world_close(&w);
}

static void
test_half_open_handshakes_are_load_as_well(void **state)
{
    struct crowd c;
    struct world w;

    (void)state;
    world_open(&w, 2, 50);
    open_crowd(&c, &w, 50);
    for (size_t i = 0; i < 80; i++) { /* 20 a second */
        struct gvs_ep from = crowd_ep(i, i / HOSTS);

        knock(&c, &w, &from, false);
        assert_int_equal(c.cookie > 0, i >= 65);
        world_sleep(&w, 50);
    }
    print_message("until they are over\n");
    world_sleep(&w, 5000);
    knock(&c, &w, &(struct gvs_ep){{GVS_FAMILY_V4, {10, 77, 0, 90}}, 1}, false);
    assert_int_equal(c.resp, 66);
    world_close(&w);
}

static void
test_without_load_nobody_looks_at_mac2(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, 2, 51);
    node_connect(&w, 0, 1);
    world_collect(&w);
    memset(w.log[0].b + GVS_AT_MAC2, 0x5a, GVS_MAC_LEN);
    world_settle(&w);
    assert_int_equal(talk_since(&w, 0), 124);
    world_close(&w);
}

/* --- who asked --- */

/* Node 0's INIT is in the log and node 1's COOKIE in answer to it, not delivered. */
static void
open_cookie(struct world *w, struct crowd *c, uint64_t seed)
{
    world_open(w, 2, seed);
    open_crowd(c, w, seed);
    for (int i = 0; i < 100; i++)
        flood(c, w, 2);
    w->flying = w->log_count;
    node_connect(w, 0, 1);
    node_collect(w, 0);
    world_deliver(w, &w->log[w->flying++]);
    node_collect(w, 1);
    assert_int_equal(w->log[w->flying].b[0], GVS_PACKET_COOKIE);
}

static void
assert_refused(struct world *w, const struct gvs_ep *from, const struct packet *p, int why)
{
    uint64_t before = node_rejected(w, 0, why), all = node_rejected(w, 0, REJECTS_ALL);
    size_t sent = w->log_count;

    node_recv(w, 0, from, p->b, p->len);
    node_collect(w, 0);
    assert_int_equal(node_rejected(w, 0, why), before + 1);
    assert_int_equal(node_rejected(w, 0, REJECTS_ALL), all + 1);
    assert_int_equal(w->log_count, sent);
}

static void
test_a_cookie_that_answers_nothing_of_ours_is_only_counted(void **state)
{
    struct gvs_ep elsewhere = ep_make(2, 7901);
    struct packet p, other;
    struct crowd c;
    struct world w;

    (void)state;
    open_cookie(&w, &c, 52);
    p = w.log[w.flying];
    print_message("each bit\n");
    for (size_t bit = 0; bit < p.len * 8; bit++) {
        other = p;
        other.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_refused(&w, &p.from, &other,
                       bit < 32   ? GVS_REJECT_MALFORMED
                       : bit < 64 ? GVS_REJECT_UNKNOWN_SESSION
                                  : GVS_REJECT_BAD_TAG);
    }
    print_message("another address\n");
    assert_refused(&w, &elsewhere, &p, GVS_REJECT_UNKNOWN_SESSION);

    print_message("the true one, once: after that it answers an INIT that is no more\n");
    world_settle(&w);
    assert_true(node_has(&w, 0, 1) && node_has(&w, 1, 0));
    assert_refused(&w, &p.from, &p, GVS_REJECT_UNKNOWN_SESSION);
    assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 1, 0));
    world_close(&w);
}

/* I8: somebody who has the key answers every INIT by a COOKIE. Two INITs a second, and the latest
 * cookie is used. */
static void
test_cookies_without_end_do_not_make_inits_without_end(void **state)
{
    struct gvs_cookie_secrets secrets = {0};
    struct gvs_random random;
    struct crowd c;
    struct world w;

    (void)state;
    world_open(&w, 2, 53);
    open_crowd(&c, &w, 53);
    random = (struct gvs_random){node_random, &c.prng};
    for (int second = 0; second < 10; second++) {
        size_t at = w.log_count;

        assert_int_equal(node_connect(&w, 0, 1), GVS_OK);
        node_collect(&w, 0);
        for (size_t k = at; k < w.log_count; k++) {
            uint8_t pkt[GVS_COOKIE_LEN];

            assert_int_equal(w.log[k].b[0], GVS_PACKET_INIT);
            assert_int_equal(gvs_cookie_proves(&secrets, w.now, &w.node[0].ep, w.log[k].b),
                             second > 0 || k > at);
            gvs_cookie_answer(&secrets, w.now, &random, &w.node[0].ep, w.log[k].b, c.key, pkt);
            node_recv(&w, 0, &w.node[1].ep, pkt, sizeof pkt);
            node_collect(&w, 0);
            assert_true(w.log_count - at <= 2);
            if (k > at) { /* the same again */
                struct packet again = {.len = sizeof pkt};

                memcpy(again.b, pkt, sizeof pkt);
                assert_refused(&w, &w.node[1].ep, &again, GVS_REJECT_REPLAY);
            }
        }
        assert_int_equal(w.log_count - at, 2);
        world_sleep(&w, 1000);
    }
    world_close(&w);
}

/* --- limits, for those who have proven their addresses --- */

/* 400 at once and 200 a second. */
static void
test_proven_addresses_cost_what_the_limit_says(void **state)
{
    struct crowd c;
    struct world w;

    (void)state;
    open_pair(&w, 54);
    open_crowd(&c, &w, 54);
    for (size_t i = 0; i < 4000; i++) { /* 2 s */
        struct gvs_ep from = crowd_ep(i, 0);

        knock(&c, &w, &from, true);
        w.now.us += 500;
    }
    print_message("%zu answers, %zu cookies\n", c.resp, c.cookie);
    assert_true(c.resp > 600 && c.resp <= 400 + 2 * 200 + 1);
    assert_int_equal(node_rejected(&w, 1, GVS_REJECT_LIMITED) + c.resp, 4000);
    w.flying = w.log_count;
    assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 1, 0));
    world_sleep(&w, 2000);
    node_connect(&w, 0, 1);
    world_settle(&w);
    assert_int_equal(w.node[1].up, 2);
    world_close(&w);
}

/* Nobody collects: what waits to be sent is bounded as the handshakes are. */
static void
test_pending_handshakes_are_256_at_most(void **state)
{
    size_t at, answers = 0;
    struct crowd c;
    struct world w;

    (void)state;
    world_open(&w, 2, 34);
    open_crowd(&c, &w, 34);
    for (int i = 0; i < 200; i++)
        flood(&c, &w, 2);
    for (size_t i = 0; i < 200; i++) {
        struct gvs_ep from = crowd_ep(i, i);

        knock(&c, &w, &from, true);
    }
    world_sleep(&w, 5000);
    node_collect(&w, 1);
    at = w.log_count;
    for (size_t i = 0; i < 400; i++) {
        struct gvs_ep from = crowd_ep(i, i % 200);
        uint8_t pkt[GVS_HANDSHAKE_LEN];

        next_stranger(&c, pkt);
        gvs_cookie_use(&c.jar, w.now, &from, pkt);
        node_recv(&w, 1, &from, pkt, sizeof pkt);
    }
    node_collect(&w, 1);
    for (size_t k = at; k < w.log_count; k++)
        answers += w.log[k].b[0] == GVS_PACKET_RESP;
    print_message("%zu answers, %zu cookies\n", answers, w.log_count - at - answers);
    assert_true(answers <= 256 && answers > 200);
    assert_true(w.log_count - at - answers <= 64);
    world_close(&w);
}

static void
test_one_address_gets_ten_and_then_five_a_second(void **state)
{
    struct gvs_ep from = crowd_ep(0, 1), other = crowd_ep(0, 2);
    struct crowd c;
    struct world w;

    (void)state;
    world_open(&w, 2, 35);
    open_crowd(&c, &w, 35);
    for (int i = 0; i < 3000; i++) { /* 3 s */
        knock(&c, &w, &from, true);
        world_sleep(&w, 1);
    }
    assert_int_equal(c.resp, 10 + 3 * 5 - 1);
    print_message("another port of it is somebody else\n");
    for (int i = 0; i < 12; i++)
        knock(&c, &w, &other, true);
    assert_int_equal(c.resp, 10 + 3 * 5 - 1 + 10);
    world_close(&w);
}

/* What was recorded costs the honest ones nothing of the limit, and is no load. */
static void
test_a_flood_of_a_recorded_init_shuts_nobody_out(void **state)
{
    struct world w;
    size_t at;

    (void)state;
    world_open(&w, 3, 36);
    node_connect(&w, 0, 1);
    world_settle(&w);
    for (uint16_t i = 0; i < 20000; i++) {
        struct gvs_ep from = ep_make((uint8_t)i, i);

        node_recv(&w, 1, &from, w.log[0].b, w.log[0].len);
    }
    assert_int_equal(node_rejected(&w, 1, GVS_REJECT_REPLAY), 20000);
    at = w.log_count;
    node_connect(&w, 2, 1);
    world_settle(&w);
    assert_int_equal(talk_since(&w, at), 124);
    assert_true(node_reaches(&w, 2, 1) && node_reaches(&w, 1, 0));
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
        cmocka_unit_test(test_a_flood_from_everywhere_is_answered_by_cookies),
        cmocka_unit_test(test_an_init_gets_one_cookie_wherever_it_comes_from),
        cmocka_unit_test(test_cookies_are_5000_a_second),
        cmocka_unit_test(test_what_was_let_through_is_known_whatever_came_after_it),
        cmocka_unit_test(test_under_a_flood_a_handshake_takes_one_round_trip_more),
        cmocka_unit_test(test_a_flood_of_what_was_sent_to_others_shuts_nobody_out),
        cmocka_unit_test(test_load_is_more_than_100_a_second),
        cmocka_unit_test(test_load_is_over_two_seconds_after_the_flood),
        cmocka_unit_test(test_half_open_handshakes_are_load_as_well),
        cmocka_unit_test(test_without_load_nobody_looks_at_mac2),
        cmocka_unit_test(test_a_cookie_that_answers_nothing_of_ours_is_only_counted),
        cmocka_unit_test(test_cookies_without_end_do_not_make_inits_without_end),
        cmocka_unit_test(test_proven_addresses_cost_what_the_limit_says),
        cmocka_unit_test(test_pending_handshakes_are_256_at_most),
        cmocka_unit_test(test_one_address_gets_ten_and_then_five_a_second),
        cmocka_unit_test(test_a_flood_of_a_recorded_init_shuts_nobody_out),
    };

    return cmocka_run_group_tests_name("flood", tests, set_up, NULL);
}
