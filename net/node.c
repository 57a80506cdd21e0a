#include "net/node.h"

#include <stdlib.h>
#include <string.h>

#include "net/node_impl.h"

/* --- life --- */

struct gvs_node *
gvs_node_open(const struct gvs_node_config *cfg, struct gvs_mono now)
{
    struct gvs_sessions_config sessions = {
        .peers_max = cfg->limits.members,
        .cluster = cfg->cluster,
        .keyring = cfg->keyring,
        .admission = cfg->admission,
        .boot = cfg->boot,
        .init_floor = cfg->init_floor,
        .random = cfg->random,
    };
    struct gvs_node *n = calloc(1, sizeof *n);

    GVS_ASSERT(cfg->limits.entries >= 1 && cfg->limits.members >= 1);
    if (!n)
        return NULL;
    memcpy(sessions.priv, cfg->priv, sizeof sessions.priv);
    n->sessions = gvs_sessions_open(&sessions);
    gvs_crypto_wipe(sessions.priv, sizeof sessions.priv);
    if (!n->sessions)
        goto fail;
    n->self = gvs_sessions_self(n->sessions);
    n->due = now;
    n->spread = GVS_MONO_NEVER;
    TAILQ_INIT(&n->busy);
    if (gvs_replica_open(&n->replica, cfg, &n->self, now) < 0)
        goto fail;
    n->members = n->replica.members;
    if (gvs_sync_open(&n->sync, (const struct gvs_table *const *)n->replica.table,
                      &n->replica.news) < 0)
        goto fail;
    n->peers = calloc(cfg->limits.members, sizeof *n->peers);
    if (n->peers)
        return n;
fail:
    gvs_node_close(n);
    return NULL;
}

void
gvs_node_close(struct gvs_node *n)
{
    if (!n)
        return;
    gvs_sessions_close(n->sessions);
    gvs_replica_close(&n->replica);
    gvs_sync_close(&n->sync);
    free(n->peers);
    free(n);
}

bool
gvs_node_keys_locked(const struct gvs_node *n)
{
    return gvs_sessions_locked(n->sessions);
}

struct gvs_id
gvs_node_self(const struct gvs_node *n)
{
    return n->self;
}

const struct gvs_table *
gvs_node_claims(const struct gvs_node *n)
{
    return n->replica.table[GVS_TABLE_CLAIMS];
}

const struct gvs_table *
gvs_node_members(const struct gvs_node *n)
{
    return n->replica.table[GVS_TABLE_MEMBERS];
}

/* --- entries --- */

int
gvs_node_load(struct gvs_node *n, const struct gvs_entry *e)
{
    GVS_ASSERT(!n->started);
    return gvs_replica_load(&n->replica, n->due, e);
}

void
gvs_node_start(struct gvs_node *n, struct gvs_mono now, struct gvs_wall wall)
{
    GVS_ASSERT(!n->started);
    n->started = true;
    n->due = now;
    gvs_replica_start(&n->replica, now, wall);
}

int
gvs_node_write(struct gvs_node *n, struct gvs_mono now, struct gvs_wall wall,
               const struct gvs_key *key, bool tombstone, const uint8_t *value, size_t value_len,
               struct gvs_stamp *stamp)
{
    return gvs_replica_write(&n->replica, now, wall, key, tombstone, value, value_len, stamp);
}

int
gvs_node_load_vector(struct gvs_node *n, const uint8_t *b, size_t len)
{
    GVS_ASSERT(!n->started);
    return gvs_age_load(&n->replica.age, b, len);
}

size_t
gvs_node_vector(const struct gvs_node *n, size_t from, uint8_t *out, size_t cap)
{
    if (from >= gvs_vector_count(n->replica.age.vector))
        return 0;
    return gvs_vector_write(n->replica.age.vector, from, out, cap);
}

uint64_t
gvs_node_vector_changes(const struct gvs_node *n)
{
    return n->replica.age.changes;
}

uint64_t
gvs_node_stamp(const struct gvs_node *n)
{
    return n->replica.clock.last;
}

bool
gvs_node_news(struct gvs_node *n, struct gvs_entry *e)
{
    return gvs_replica_news(&n->replica, e);
}

bool
gvs_node_event(struct gvs_node *n, struct gvs_node_event *ev)
{
    return gvs_replica_event(&n->replica, ev);
}

bool
gvs_node_overwrite(struct gvs_node *n, struct gvs_node_overwrite *out, uint64_t *missed)
{
    return gvs_replica_overwrite(&n->replica, out, missed);
}

/* --- what the caller asks --- */

void
gvs_node_set_peers(struct gvs_node *n, const struct gvs_ep *peers, const unsigned *whose,
                   size_t count)
{
    struct gvs_bootstrap old[GVS_NODE_PEERS_MAX];
    size_t old_count = n->bootstrap_count;

    memcpy(old, n->bootstrap, old_count * sizeof *old);
    n->bootstrap_count = 0;
    for (size_t i = 0; i < count && n->bootstrap_count < GVS_NODE_PEERS_MAX; i++) {
        struct gvs_bootstrap *b = &n->bootstrap[n->bootstrap_count];

        if (gvs_ep_cmp(&peers[i], &n->replica.value.ep) == 0)
            continue;
        *b = (struct gvs_bootstrap){.ep = peers[i]};
        for (size_t k = 0; k < old_count; k++)
            if (gvs_ep_cmp(&old[k].ep, &peers[i]) == 0)
                *b = old[k];
        b->whose = whose ? whose[i] : (unsigned)i;
        n->bootstrap_count++;
    }
    n->due = (struct gvs_mono){0};
}

void
gvs_node_set_in_step(struct gvs_node *n, bool in_step)
{
    n->in_step = in_step;
    n->step_of = gvs_table_fingerprint(n->replica.table[GVS_TABLE_CLAIMS]);
}

void
gvs_node_set_observes(struct gvs_node *n, bool observes)
{
    n->observes = observes;
}

void
gvs_node_probe_all(struct gvs_node *n, struct gvs_mono now)
{
    gvs_members_probe_all(n->members, now);
}

bool
gvs_node_synced(const struct gvs_node *n)
{
    return n->synced;
}

bool
gvs_node_reached_anyone(const struct gvs_node *n)
{
    for (size_t i = 0; i < gvs_members_count(n->members); i++) {
        if (gvs_members_place(n->members, i)->up)
            return true;
    }
    return false;
}

size_t
gvs_node_list(const struct gvs_node *n, struct gvs_node_member *out, size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < gvs_members_count(n->members) && count < max; i++) {
        const struct gvs_member *m = gvs_members_ith(n->members, i);

        if (!m->known)
            continue;
        out[count++] = (struct gvs_node_member){
            .id = m->id,
            .value = m->value,
            .state = m->state,
            .incarnation = m->incarnation,
            .self = m->self,
            .heard = m->heard,
            .heard_at = m->heard_at,
            .rtt_us = m->rtt_us,
            .clock_offset_ms = gvs_member_clock_offset_ms(n->members, m),
            .has_fingerprint = m->has_fingerprint,
            .fingerprint = m->fingerprint,
            .members_fingerprint = m->members_fingerprint,
            .in_step = m->in_step,
            .observes = m->observes,
            .answered = m->answered,
            .gone = m->gone,
            .gone_since = m->gone_since,
            .deferred = m->deferred,
            .cloned = m->cloned,
            .cloned_at = m->cloned_at,
        };
    }
    return count;
}

struct gvs_node_counts
gvs_node_count(const struct gvs_node *n)
{
    struct gvs_node_counts c = n->counts;

    for (size_t why = 0; why < GVS_REJECT_COUNT; why++)
        c.rejected[why] += gvs_sessions_rejected(n->sessions, (enum gvs_reject)why);
    c.alive = gvs_members_counted(n->members, GVS_ALIVE);
    c.suspect = gvs_members_counted(n->members, GVS_SUSPECT);
    c.dead = gvs_members_counted(n->members, GVS_DEAD);
    c.left = gvs_members_counted(n->members, GVS_LEFT);
    c.deferred = n->replica.deferred;
    c.ahead = n->replica.ahead;
    c.leaps = n->replica.leaps;
    return c;
}

struct gvs_node_refused
gvs_node_refused(const struct gvs_node *n, enum gvs_refusal why)
{
    GVS_ASSERT(why < GVS_REFUSAL_COUNT);
    return n->refused[why];
}

bool
gvs_node_rejected_from(const struct gvs_node *n, enum gvs_reject why, struct gvs_ep *from)
{
    GVS_ASSERT(why < GVS_REJECT_COUNT);
    *from = n->rejected_from[why];
    return n->rejects_seen[why] > 0;
}

int
gvs_node_leave(struct gvs_node *n, struct gvs_mono now)
{
    GVS_ASSERT(n->started);
    return gvs_replica_retire(&n->replica, now, gvs_member_get(n->members, &n->self));
}

int
gvs_node_forget(struct gvs_node *n, struct gvs_mono now, const struct gvs_id *id)
{
    struct gvs_member *m = gvs_member_get(n->members, id);

    if (!m)
        return GVS_E_NOTFOUND;
    return m->self ? GVS_E_RANGE : gvs_replica_retire(&n->replica, now, m);
}

bool
gvs_node_retired(const struct gvs_node *n)
{
    return gvs_replica_retired(&n->replica, &n->self);
}

bool
gvs_node_is_retired(const struct gvs_node *n, const struct gvs_id *id)
{
    return gvs_replica_retired(&n->replica, id);
}

struct gvs_node_clock
gvs_node_clock(struct gvs_node *n, struct gvs_mono now)
{
    struct gvs_clock c = gvs_members_clock(n->members, now);

    return (struct gvs_node_clock){
        .known = c.known,
        .median_ms = c.median_ms,
        .off = c.median_ms < -GVS_CLOCK_OFF_MS || c.median_ms > GVS_CLOCK_OFF_MS,
    };
}

bool
gvs_node_cloned(const struct gvs_node *n, struct gvs_mono *when, struct gvs_ep *ep)
{
    *when = n->replica.cloned_at;
    *ep = n->replica.cloned_ep;
    return n->replica.cloned;
}

const struct gvs_stranger *
gvs_node_stranger(const struct gvs_node *n)
{
    return gvs_sessions_stranger(n->sessions);
}

const struct gvs_stranger *
gvs_node_denied(const struct gvs_node *n)
{
    return gvs_sessions_denied(n->sessions);
}

/* Members whose sessions were closed: the detector need not find that out by time-outs. */
static void
note_closed(struct gvs_node *n, struct gvs_mono now, bool connect)
{
    for (size_t i = 0; i < gvs_members_count(n->members); i++) {
        struct gvs_member *m = gvs_members_place(n->members, i);

        if (!m->up || gvs_sessions_have(n->sessions, &m->id, NULL))
            continue;
        m->up = false;
        n->regroup = true;
        if (connect)
            gvs_member_connect(n->members, now, m);
    }
}

void
gvs_node_set_keyring(struct gvs_node *n, struct gvs_mono now, const struct gvs_keyring *ring)
{
    GVS_ASSERT(n->started);
    gvs_sessions_set_keyring(n->sessions, now, ring);
    note_closed(n, now, true);
    gvs_replica_set_keys(&n->replica, now, ring);
}

void
gvs_node_set_admission(struct gvs_node *n, struct gvs_mono now,
                       const struct gvs_admission *admission)
{
    gvs_sessions_set_admission(n->sessions, admission);
    note_closed(n, now, false);
}

size_t
gvs_node_sessions_under(const struct gvs_node *n, uint64_t key)
{
    size_t count = 0;

    for (size_t i = 0; i < gvs_members_count(n->members); i++) {
        const struct gvs_member *m = gvs_members_place(n->members, i);

        count +=
            m->known && m->state <= GVS_SUSPECT && gvs_sessions_key(n->sessions, &m->id) == key;
    }
    return count;
}

uint64_t
gvs_node_init_time(const struct gvs_node *n)
{
    return gvs_sessions_init_time(n->sessions);
}
