/* net/pool.c */
#include "net/pool.h"
#include "core/bytes.h"
#include "net/secret.h"

#include <stdlib.h>

/* The least 2^n - 1 that is no less than `count`. */
static uint32_t
mask_over(size_t count)
{
    uint32_t mask = 1;

    while (mask < count)
        mask = mask << 1 | 1;
    return mask;
}

int
gvs_pool_init(struct gvs_pool *p, size_t peers_max, size_t handshakes)
{
    GVS_ASSERT(peers_max >= 1 && peers_max <= 1000000);
    *p = (struct gvs_pool){0};
    for (int i = 0; i < GVS_SESSION_STATE_COUNT; i++)
        TAILQ_INIT(&p->lists[i]);
    TAILQ_INIT(&p->out);
    p->peers_max = peers_max;
    p->bucket_mask = mask_over(peers_max);
    p->sessions_max = 3 * peers_max + handshakes;
    p->place_mask = mask_over(p->sessions_max);
    p->sessions = gvs_secret_alloc(p->sessions_max, sizeof *p->sessions);
    p->peers = calloc(peers_max, sizeof *p->peers);
    p->buckets = calloc((size_t)p->bucket_mask + 1, sizeof(struct gvs_peer *));
    return p->sessions && p->peers && p->buckets ? GVS_OK : GVS_E_SYS;
}

void
gvs_pool_fini(struct gvs_pool *p)
{
    if (p->sessions != NULL)
        gvs_crypto_wipe(p->sessions, p->used * sizeof *p->sessions);
    gvs_secret_free(p->sessions);
    free(p->peers);
    free(p->buckets);
    *p = (struct gvs_pool){0};
}

static void
enlist(struct gvs_pool *p, struct gvs_session *e, enum gvs_session_state state)
{
    e->state = state;
    p->counts[state]++;
    if (state != GVS_CURRENT)
        TAILQ_INSERT_TAIL(&p->lists[state], e, link);
}

static void
delist(struct gvs_pool *p, struct gvs_session *e)
{
    GVS_ASSERT(p->counts[e->state] > 0);
    if (e->state != GVS_CURRENT)
        TAILQ_REMOVE(&p->lists[e->state], e, link);
    p->counts[e->state]--;
}

struct gvs_session *
gvs_pool_take(struct gvs_pool *p, enum gvs_session_state state, uint32_t random)
{
    struct gvs_session *e = TAILQ_FIRST(&p->lists[GVS_FREE]);

    if (e != NULL)
        delist(p, e);
    else if (p->used < p->sessions_max)
        e = &p->sessions[p->used++];
    GVS_ASSERT(e != NULL);
    e->ours = (random & ~p->place_mask) | (uint32_t)(e - p->sessions);
    enlist(p, e, state);
    return e;
}

void
gvs_pool_move(struct gvs_pool *p, struct gvs_session *e, enum gvs_session_state state)
{
    GVS_ASSERT(e->state != GVS_FREE && state != GVS_FREE);
    delist(p, e);
    enlist(p, e, state);
}

static void
leave_peer(struct gvs_peer *peer, const struct gvs_session *e)
{
    struct gvs_session **slots[] = {&peer->by[0], &peer->by[1], &peer->old, &peer->current};

    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++)
        if (*slots[i] == e)
            *slots[i] = NULL;
}

void
gvs_pool_release(struct gvs_pool *p, struct gvs_session *e)
{
    GVS_ASSERT(e->state != GVS_FREE);
    if (e->state == GVS_CURRENT || e->state == GVS_PREVIOUS)
        leave_peer(e->up.peer, e);
    gvs_pool_dequeue(p, e);
    delist(p, e);
    gvs_crypto_wipe(e, sizeof *e);
    enlist(p, e, GVS_FREE);
}

void
gvs_pool_expire(struct gvs_pool *p, enum gvs_session_state state, struct gvs_mono now)
{
    struct gvs_session *e;

    GVS_ASSERT(state != GVS_FREE && state != GVS_CURRENT);
    while ((e = TAILQ_FIRST(&p->lists[state])) != NULL && gvs_mono_due(e->expires, now))
        gvs_pool_release(p, e);
}

struct gvs_session *
gvs_pool_find(const struct gvs_pool *p, uint32_t index, struct gvs_mono now)
{
    size_t place = index & p->place_mask;
    struct gvs_session *e;

    if (place >= p->used)
        return NULL;
    e = &p->sessions[place];
    if (e->state == GVS_FREE || e->ours != index || gvs_mono_due(e->expires, now))
        return NULL;
    return e;
}

void
gvs_pool_enqueue(struct gvs_pool *p, struct gvs_session *e)
{
    GVS_ASSERT(!e->queued);
    e->queued = true;
    TAILQ_INSERT_TAIL(&p->out, e, out);
}

void
gvs_pool_dequeue(struct gvs_pool *p, struct gvs_session *e)
{
    if (!e->queued)
        return;
    TAILQ_REMOVE(&p->out, e, out);
    e->queued = false;
}

static struct gvs_peer **
bucket(const struct gvs_pool *p, const struct gvs_id *id)
{
    return &p->buckets[gvs_get32(id->b) & p->bucket_mask]; /* an id is a hash already */
}

struct gvs_peer *
gvs_pool_find_peer(const struct gvs_pool *p, const struct gvs_id *id)
{
    struct gvs_peer *peer = *bucket(p, id);

    while (peer != NULL && gvs_id_cmp(&peer->id, id) != 0)
        peer = peer->next;
    return peer;
}

static struct gvs_peer *
find_place(const struct gvs_pool *p)
{
    if (p->peer_count < p->peers_max)
        return &p->peers[p->peer_count];
    for (size_t i = 0; i < p->peer_count; i++)
        if (!p->peers[i].by[0] && !p->peers[i].by[1] && !p->peers[i].old)
            return &p->peers[i];
    return NULL;
}

bool
gvs_pool_has_place(const struct gvs_pool *p)
{
    return find_place(p) != NULL;
}

struct gvs_peer *
gvs_pool_add_peer(struct gvs_pool *p, const struct gvs_id *id)
{
    struct gvs_peer *peer = find_place(p), **at;

    GVS_ASSERT(gvs_pool_find_peer(p, id) == NULL);
    if (peer == NULL)
        return NULL;
    if (peer == &p->peers[p->peer_count]) {
        p->peer_count++;
    } else {
        for (at = bucket(p, &peer->id); *at != peer; at = &(*at)->next)
            continue;
        *at = peer->next;
    }
    at = bucket(p, id);
    *peer = (struct gvs_peer){.next = *at, .id = *id};
    *at = peer;
    return peer;
}
