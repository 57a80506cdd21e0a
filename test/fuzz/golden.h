/* test/fuzz/golden.h: the responder of test/golden/handshake.txt, so that the packets recorded
 * there are true ones, and an initiator of the same cluster. */
#pragma once

#include "net/session.h"
#include "test/fuzz/fuzz.h"

#define GOLDEN_CLUSTER "prod-eu"

struct golden {
    struct gvs_keyring ring;
    struct gvs_sessions *s;
    struct gvs_mono now;
    struct gvs_wall wall;
    uint8_t drawn; /* random numbers are counted up */
};

static inline void
golden_random(void *ctx, void *buf, size_t len)
{
    struct golden *g = ctx;
    uint8_t *b = buf;

    for (size_t i = 0; i < len; i++)
        b[i] = (uint8_t)(g->drawn + i);
    if (len < 32)
        memset(buf, g->drawn, len); /* an index: 0x80808080 and so on */
}

static inline void
golden_ring(struct gvs_keyring *ring)
{
    struct gvs_keyring_key *key = &ring->key[0];

    *ring = (struct gvs_keyring){.count = 1};
    for (size_t i = 0; i < sizeof key->psk; i++)
        key->psk[i] = (uint8_t)i;
    gvs_keyring_derive(key);
}

/* The static key is first, first + 1, ...: 0x40 the responder's, 0x20 the initiator's. */
static inline void
golden_open(struct golden *g, uint8_t first)
{
    struct gvs_sessions_config cfg = {.peers_max = 4, .cluster = GOLDEN_CLUSTER, .boot = 7};

    must(gvs_crypto_init() == GVS_OK);
    *g = (struct golden){.now = {1000000000}, .wall = {1700000000000}, .drawn = 2 * first};
    golden_ring(&g->ring);
    cfg.keyring = &g->ring;
    cfg.random = (struct gvs_random){golden_random, g};
    for (size_t i = 0; i < sizeof cfg.priv; i++)
        cfg.priv[i] = (uint8_t)(first + i);
    g->s = gvs_sessions_open(&cfg);
    must(g->s);
}

static inline uint64_t
golden_rejected(const struct golden *g)
{
    uint64_t sum = 0;

    for (int why = 0; why < GVS_REJECT_COUNT; why++)
        sum += gvs_sessions_rejected(g->s, (enum gvs_reject)why);
    return sum;
}

/* Delivers; a datagram is either of some use or counted once (net/session.h, I4). */
static inline struct gvs_session_recv
golden_recv(struct golden *g, const struct gvs_ep *from, const uint8_t *b, size_t len)
{
    uint64_t before = golden_rejected(g);
    struct gvs_session_recv got;

    gvs_sessions_recv(g->s, g->now, g->wall, from, b, len, &got);
    must(golden_rejected(g) - before <= 1);
    if (golden_rejected(g) != before)
        must(got.event == GVS_SESSION_NOTHING && !got.up);
    if (got.event == GVS_SESSION_DATA)
        must(got.len <= GVS_BODY_LEN_MAX);
    return got;
}

static inline struct gvs_ep
golden_ep(uint8_t last)
{
    return (struct gvs_ep){{GVS_FAMILY_V4, {10, 77, 0, last}}, 7900};
}
