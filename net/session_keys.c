/* net/session_keys.c: which cluster keys and whose ids count, and what follows when that changes.
 *
 * A session knows its key by the id. Those under a key that is gone end at once, with all that was
 * begun under it. Those under one that was primary go on, and are replaced one by one: a thousand
 * handshakes at one moment would be a flood. That moment is drawn by either side for itself, and
 * the earlier counts. */
#include "net/session_impl.h"

#define SWITCH_MS (9 * 60000) /* and up to a minute for a quiet one to be looked at */

void
gvs_session_hasten(struct gvs_sessions *s, struct gvs_mono now, struct gvs_session *e)
{
    uint64_t random;

    s->random.fn(s->random.ctx, &random, sizeof random);
    e->up.due_quiet = gvs_mono_min(e->up.due_quiet, gvs_mono_add_ms(now, random % SWITCH_MS));
}

void
gvs_sessions_set_keyring(struct gvs_sessions *s, struct gvs_mono now,
                         const struct gvs_keyring *ring)
{
    uint64_t primary = ring->key[ring->primary].id;
    bool changed = primary != s->ring.key[s->ring.primary].id;

    GVS_ASSERT(ring->count >= 1 && ring->primary < ring->count);
    gvs_keyring_wipe(&s->ring);
    s->ring = *ring;
    for (size_t i = 0; i < s->pool.used; i++) {
        struct gvs_session *e = &s->pool.sessions[i];

        if (e->state == GVS_FREE)
            continue;
        if (gvs_keyring_find(&s->ring, e->key) == NULL)
            gvs_pool_release(&s->pool, e);
        else if (changed && e->state == GVS_CURRENT && e->key != primary)
            gvs_session_hasten(s, now, e);
    }
}

/* Handshakes that we began have no id yet, and are judged when they have. */
void
gvs_sessions_set_admission(struct gvs_sessions *s, const struct gvs_admission *admission)
{
    s->admission = *admission;
    for (size_t i = 0; i < s->pool.used; i++) {
        struct gvs_session *e = &s->pool.sessions[i];

        if (e->state != GVS_FREE && e->state != GVS_INITIATING &&
            !gvs_admission_admits(admission, &e->id))
            gvs_pool_release(&s->pool, e);
    }
}

uint64_t
gvs_sessions_key(const struct gvs_sessions *s, const struct gvs_id *peer)
{
    const struct gvs_peer *p = gvs_pool_find_peer(&s->pool, peer);

    return p != NULL && p->current != NULL ? p->current->key : 0;
}

uint64_t
gvs_sessions_rejected(const struct gvs_sessions *s, enum gvs_reject why)
{
    GVS_ASSERT(why < GVS_REJECT_COUNT);
    return s->rejected[why];
}

const struct gvs_stranger *
gvs_sessions_stranger(const struct gvs_sessions *s)
{
    return &s->stranger;
}

const struct gvs_stranger *
gvs_sessions_denied(const struct gvs_sessions *s)
{
    return &s->denied;
}
