/* Handshakes by somebody who has the cluster's key and writes into INIT and RESP what he likes.
 *
 *   as initiator   any ephemeral, static key and payload, sealed as it should be; then changes
 *   as responder   true RESPs to a true INIT, changed on the way, mac1 made right again or not
 *   under load     true COOKIEs to a true INIT, changed on the way or sealed anew
 */
#include "net/cookie.h"
#include "test/fuzz/golden.h"
#include "test/net/forge.h"

static void
change(struct feed *f, uint8_t *pkt, const struct golden *g)
{
    uint8_t count = feed_byte(f);

    for (uint8_t i = 0; i < (count & 7); i++) {
        uint8_t at = feed_byte(f);

        pkt[at % GVS_HANDSHAKE_LEN] ^= feed_byte(f);
    }
    if (count & 0x80)
        forge_mac1(pkt, &g->ring.key[0]);
}

static void
initiate(struct golden *g, struct feed *f)
{
    struct gvs_ep from = golden_ep(1), to;
    uint8_t pkt[GVS_HANDSHAKE_LEN], buf[GVS_DATAGRAM_LEN_MAX];
    struct gvs_session_recv got;
    struct forge init = {.index = 5};
    size_t len, sum = 0;

    forge_payload(init.payload, UINT64_C(1700000000000000000), 7);
    gvs_crypto_public(init.e_pub, g->ring.key[0].psk);
    gvs_crypto_public(init.s_pub, g->ring.key[0].mac1);
    if (feed_byte(f) & 1)
        feed_copy(f, init.e_pub, 32);
    if (feed_byte(f) & 1)
        feed_copy(f, init.s_pub, 32);
    for (size_t i = 0; i < sizeof init.payload; i++)
        init.payload[i] ^= feed_byte(f);
    forge_init(pkt, GOLDEN_CLUSTER, &g->ring.key[0], &init);
    change(f, pkt, g);
    got = golden_recv(g, &from, pkt, sizeof pkt);
    must(got.event == GVS_SESSION_NOTHING); /* INIT alone brings nothing up */
    while ((len = gvs_sessions_next(g->s, g->now, buf, &to)) > 0) {
        must(gvs_ep_cmp(&to, &from) == 0);
        sum += len;
    }
    must(sum <= sizeof pkt);
}

static void
respond(struct golden *g, struct feed *f)
{
    struct gvs_ep here = golden_ep(1), there = golden_ep(2), to;
    uint8_t pkt[GVS_DATAGRAM_LEN_MAX], true_pkt[GVS_HANDSHAKE_LEN];
    struct golden peer;

    golden_open(&peer, 0x20);
    must(gvs_sessions_connect(g->s, g->now, g->wall, &there) == GVS_OK);
    must(gvs_sessions_next(g->s, g->now, pkt, &to) == GVS_HANDSHAKE_LEN);
    golden_recv(&peer, &here, pkt, GVS_HANDSHAKE_LEN);
    must(gvs_sessions_next(peer.s, peer.now, pkt, &to) == GVS_HANDSHAKE_LEN);
    memcpy(true_pkt, pkt, sizeof true_pkt);
    change(f, pkt, g);
    /* The sender's index stands under mac1 alone: who has the key and sits on the way can give a
     * session to nobody, as he could by keeping the packet. */
    if (memcmp(pkt + GVS_AT_SENDER, true_pkt + GVS_AT_SENDER, 4) == 0 &&
        memcmp(pkt, true_pkt, GVS_AT_MAC2) != 0) {
        must(golden_recv(g, &there, pkt, GVS_HANDSHAKE_LEN).event == GVS_SESSION_NOTHING);
        /* A false RESP costs the true one nothing. */
        must(golden_recv(g, &there, true_pkt, sizeof true_pkt).event == GVS_SESSION_UP);
    }
    gvs_sessions_close(peer.s);
}

/* How many INITs there are to send. */
static size_t
count_inits(struct golden *g)
{
    uint8_t buf[GVS_DATAGRAM_LEN_MAX];
    struct gvs_ep to;
    size_t len, count = 0;

    for (; (len = gvs_sessions_next(g->s, g->now, buf, &to)) > 0; count++)
        must(len == GVS_HANDSHAKE_LEN && buf[0] == GVS_PACKET_INIT);
    return count;
}

static void
demand(struct golden *g, struct feed *f)
{
    struct gvs_random random = {golden_random, g};
    struct gvs_cookie_secrets secrets = {0};
    struct gvs_ep here = golden_ep(1), there = golden_ep(2), to;
    uint8_t init[GVS_DATAGRAM_LEN_MAX], pkt[GVS_COOKIE_LEN], true_pkt[GVS_COOKIE_LEN];
    uint8_t how = feed_byte(f);

    must(gvs_sessions_connect(g->s, g->now, g->wall, &there) == GVS_OK);
    must(gvs_sessions_next(g->s, g->now, init, &to) == GVS_HANDSHAKE_LEN);
    gvs_cookie_answer(&secrets, g->now, &random, &here, init, &g->ring.key[0], pkt);
    memcpy(true_pkt, pkt, sizeof pkt);
    if (how & 0x80) { /* any cookie, sealed as it should be */
        feed_copy(f, pkt + GVS_AT_COOKIE, GVS_MAC_LEN);
        gvs_crypto_xseal(pkt + GVS_AT_COOKIE, pkt + GVS_AT_COOKIE, GVS_MAC_LEN, init + GVS_AT_MAC1,
                         GVS_MAC_LEN, g->ring.key[0].cookie, pkt + GVS_AT_COOKIE_NONCE);
    }
    for (uint8_t i = 0; !(how & 0x80) && i < (how & 7); i++) {
        uint8_t at = feed_byte(f);

        pkt[at % sizeof pkt] ^= feed_byte(f);
    }
    must(golden_recv(g, &there, pkt, sizeof pkt).event == GVS_SESSION_NOTHING);
    if ((how & 0x80) || memcmp(pkt, true_pkt, sizeof pkt) == 0) {
        must(count_inits(g) == 1);
    } else { /* a false one costs the true one nothing */
        must(count_inits(g) == 0);
        must(golden_recv(g, &there, true_pkt, sizeof true_pkt).event == GVS_SESSION_NOTHING);
        must(count_inits(g) == 1);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *b, size_t len)
{
    struct feed f = {b, b + len};
    struct golden g;

    uint8_t role;

    golden_open(&g, 0x40);
    role = feed_byte(&f);
    if (role & 1)
        respond(&g, &f);
    else if (role & 2)
        demand(&g, &f);
    else
        initiate(&g, &f);
    gvs_sessions_close(g.s);
    return 0;
}
