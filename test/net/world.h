/* test/net/world.h: a few sessions' nodes and the wire between them, which forgets nothing.
 *
 * What nodes want sent is appended to `log` (world_collect), and stays there to be replayed; the
 * part from `flying` on has not been delivered yet. */
#pragma once

#include "net/session.h"
#include "test/lib/prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define NODES_MAX 4
#define REJECTS_ALL 99

struct packet {
    struct gvs_ep from, to;
    size_t len;
    uint8_t b[GVS_DATAGRAM_LEN_MAX];
};

struct node {
    struct gvs_sessions *s;
    struct gvs_sessions_config cfg;
    struct gvs_keyring ring;
    struct gvs_prng prng;
    struct gvs_ep ep;
    unsigned up, data; /* sessions and bodies so far */
    struct gvs_session_recv last;
    uint8_t body[GVS_BODY_LEN_MAX]; /* the last that was not empty */
    size_t body_len;
};

struct world {
    struct gvs_mono now;
    struct gvs_wall wall;
    size_t count;
    struct node node[NODES_MAX];
    struct packet *log;
    size_t log_count, log_max, flying;
};

static inline void
node_random(void *ctx, void *buf, size_t len)
{
    gvs_prng_fill(ctx, buf, len);
}

static inline struct gvs_ep
ep_make(uint8_t last, uint16_t port)
{
    return (struct gvs_ep){{GVS_FAMILY_V4, {10, 77, 0, last}}, port};
}

static inline void
ring_add(struct gvs_keyring *ring, uint8_t seed)
{
    struct gvs_keyring_key *key = &ring->key[ring->count++];

    memset(key->psk, seed, sizeof key->psk);
    gvs_keyring_derive(key);
}

/* Starts node i, anew if it ran: nothing survives but its key and the floor of its init_time. */
static inline void
node_start(struct world *w, size_t i)
{
    struct node *n = &w->node[i];

    if (n->s != NULL) {
        n->cfg.init_floor = gvs_sessions_init_time(n->s);
        gvs_sessions_close(n->s);
    }
    n->cfg.boot = gvs_prng_next(&n->prng);
    n->cfg.keyring = &n->ring;
    n->cfg.random = (struct gvs_random){node_random, &n->prng};
    n->s = gvs_sessions_open(&n->cfg);
    assert_non_null(n->s);
    n->up = n->data = 0;
}

static inline void
world_open(struct world *w, size_t count, uint64_t seed)
{
    *w = (struct world){.now = {1000000000}, .wall = {1700000000000}, .count = count};
    for (size_t i = 0; i < count; i++) {
        struct node *n = &w->node[i];

        n->prng = gvs_prng_init(seed * NODES_MAX + i);
        n->ep = ep_make((uint8_t)(i + 1), 7900);
        ring_add(&n->ring, 1);
        n->cfg.cluster = "prod-eu";
        n->cfg.peers_max = 16;
        gvs_prng_fill(&n->prng, n->cfg.priv, sizeof n->cfg.priv);
        node_start(w, i);
    }
}

static inline void
world_close(struct world *w)
{
    for (size_t i = 0; i < w->count; i++)
        gvs_sessions_close(w->node[i].s);
    free(w->log);
}

static inline struct packet *
world_append(struct world *w)
{
    if (w->log_count == w->log_max) {
        w->log_max = w->log_max ? 2 * w->log_max : 64;
        w->log = realloc(w->log, w->log_max * sizeof *w->log);
        assert_non_null(w->log);
    }
    return &w->log[w->log_count++];
}

static inline void
world_sleep(struct world *w, uint64_t ms)
{
    w->now = gvs_mono_add_ms(w->now, ms);
    w->wall.ms += ms;
}

static inline struct gvs_id
node_id(const struct world *w, size_t i)
{
    return gvs_sessions_self(w->node[i].s);
}

static inline int
node_connect(struct world *w, size_t i, size_t j)
{
    return gvs_sessions_connect(w->node[i].s, w->now, w->wall, &w->node[j].ep);
}

/* What node i wants sent goes into the log. */
static inline void
node_collect(struct world *w, size_t i)
{
    struct packet p = {.from = w->node[i].ep};

    while ((p.len = gvs_sessions_next(w->node[i].s, w->now, p.b, &p.to)) > 0)
        *world_append(w) = p;
}

/* Node i says something to node j, into the log; NOTFOUND if it cannot. */
static inline int
node_say(struct world *w, size_t i, size_t j, const char *text)
{
    struct gvs_id id = node_id(w, j);
    struct packet p = {.from = w->node[i].ep};
    int len;

    len = gvs_sessions_seal(w->node[i].s, w->now, w->wall, &id, (const uint8_t *)text, strlen(text),
                            p.b, &p.to);
    if (len < 0)
        return len;
    p.len = (size_t)len;
    *world_append(w) = p;
    return GVS_OK;
}

static inline void
node_recv(struct world *w, size_t i, const struct gvs_ep *from, const uint8_t *b, size_t len)
{
    struct node *n = &w->node[i];
    uint8_t *exact = malloc(len ? len : 1); /* so that ASan sees a step beyond */

    assert_non_null(exact);
    if (len > 0)
        memcpy(exact, b, len);
    gvs_sessions_recv(n->s, w->now, w->wall, from, exact, len, &n->last);
    free(exact);
    n->up += n->last.up;
    if (n->last.event != GVS_SESSION_DATA || n->last.len == 0)
        return;
    n->data++;
    n->body_len = n->last.len;
    memcpy(n->body, n->last.body, n->last.len);
}

/* To whomever it is addressed; nobody may live there. */
static inline void
world_deliver(struct world *w, const struct packet *lent)
{
    struct packet p = *lent; /* the log may move */

    for (size_t i = 0; i < w->count; i++)
        if (gvs_ep_cmp(&w->node[i].ep, &p.to) == 0)
            node_recv(w, i, &p.from, p.b, p.len);
}

static inline void
world_collect(struct world *w)
{
    for (size_t i = 0; i < w->count; i++)
        node_collect(w, i);
}

/* Delivers, in order and without loss, until nobody has anything to send. */
static inline void
world_settle(struct world *w)
{
    for (world_collect(w); w->flying < w->log_count; world_collect(w))
        world_deliver(w, &w->log[w->flying++]);
}

static inline uint64_t
node_rejected(const struct world *w, size_t i, int why)
{
    uint64_t sum = 0;

    if (why != REJECTS_ALL)
        return gvs_sessions_rejected(w->node[i].s, (enum gvs_reject)why);
    for (int r = 0; r < GVS_REJECT_COUNT; r++)
        sum += gvs_sessions_rejected(w->node[i].s, (enum gvs_reject)r);
    return sum;
}

static inline bool
node_has(const struct world *w, size_t i, size_t j)
{
    struct gvs_id id = node_id(w, j);

    return gvs_sessions_have(w->node[i].s, &id, NULL);
}

/* Does what i says reach j, now and whole? */
static inline bool
node_reaches(struct world *w, size_t i, size_t j)
{
    unsigned before = w->node[j].data;

    if (node_say(w, i, j, "are you there") < 0)
        return false;
    world_settle(w);
    return w->node[j].data == before + 1 && w->node[j].body_len == 13 &&
           memcmp(w->node[j].body, "are you there", 13) == 0;
}

/* INIT and RESP are in the log, RESP and what follows from it not delivered yet. */
static inline void
open_half(struct world *w, uint64_t seed)
{
    world_open(w, 2, seed);
    assert_int_equal(node_connect(w, 0, 1), GVS_OK);
    world_collect(w);
    world_deliver(w, &w->log[w->flying++]);
    world_collect(w);
    assert_int_equal(w->log_count, 2);
}

static inline void
open_pair(struct world *w, uint64_t seed)
{
    world_open(w, 2, seed);
    assert_int_equal(node_connect(w, 0, 1), GVS_OK);
    world_settle(w);
    assert_int_equal(w->log_count, 3);
    assert_true(node_has(w, 0, 1) && node_has(w, 1, 0));
}
