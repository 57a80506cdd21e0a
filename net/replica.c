/* net/replica.c: every way into the tables, and what changes in them. */
#include "net/replica.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"

#define KEYS_MIN 256      /* of a log of changes */
#define COLLECT_MAX 64    /* tombstones at once, */
#define COLLECT_LOOK 4096 /* of so many entries: a millisecond */
#define KEYS_MAX 16384
/* What was taken at the limit is still not ahead when the median moves, as it does among clocks
 * that agree when one of three says another time. */
#define SURELY_AHEAD_MS (GVS_AHEAD_MS + GVS_CLOCK_OFF_MS)
#define ASTRAY_MS 50000 /* for others to say what they have seen, and to be equal to us */

/* --- life --- */

static bool
open_table(struct gvs_replica *r, enum gvs_table_no no, size_t entries, struct gvs_hash hash)
{
    r->memory[no] = calloc(1, gvs_table_footprint(entries));
    if (!r->memory[no])
        return false;
    r->table[no] = gvs_table_init(r->memory[no], entries, hash);
    return true;
}

static void
put_keys(struct gvs_member_value *v, const struct gvs_keyring *ring)
{
    size_t count = 1;

    static_assert(GVS_KEYRING_MAX <= GVS_MEMBER_KEYS_MAX, "every key is said");
    memset(v->keys, 0, sizeof v->keys);
    v->keys[0] = ring->key[ring->primary].id;
    for (size_t i = 0; i < ring->count; i++) {
        size_t at = count;

        if (i == ring->primary)
            continue;
        for (; at > 1 && v->keys[at - 1] > ring->key[i].id; at--)
            v->keys[at] = v->keys[at - 1];
        v->keys[at] = ring->key[i].id;
        count++;
    }
}

int
gvs_replica_open(struct gvs_replica *r, const struct gvs_node_config *cfg,
                 const struct gvs_id *self, struct gvs_mono now)
{
    struct gvs_hash hash = {.fn = gvs_crypto_siphash, .key = &r->hash_key};
    size_t keys = cfg->limits.entries;

    keys = keys < KEYS_MIN ? KEYS_MIN : keys > KEYS_MAX ? KEYS_MAX : keys;
    *r = (struct gvs_replica){.self = *self, .entries = cfg->limits.entries};
    r->value.ep = cfg->advertise;
    r->value.boot = cfg->boot;
    put_keys(&r->value, cfg->keyring);
    snprintf(r->value.name, sizeof r->value.name, "%s", cfg->name);
    snprintf(r->value.version, sizeof r->value.version, "%s", cfg->version);
    if (cfg->stamp_floor_ms > 0 && cfg->stamp_floor_ms <= GVS_HLC_MS_MAX)
        gvs_hlc_witness(&r->clock, gvs_hlc_make(cfg->stamp_floor_ms, 0));
    gvs_crypto_table_key(&r->hash_key, cfg->cluster);
    /* Twice the room for members: their entries are long, and our own must always fit. */
    if (!open_table(r, GVS_TABLE_CLAIMS, gvs_limits_held(&cfg->limits), hash) ||
        !open_table(r, GVS_TABLE_MEMBERS, 2 * cfg->limits.members, hash))
        return GVS_E_SYS;
    if (gvs_keylog_open(&r->news, keys, hash) < 0)
        return GVS_E_SYS;
    r->members = gvs_members_open(cfg->limits.members, self, cfg->random, now);
    if (!r->members)
        return GVS_E_SYS;
    if (gvs_age_open(&r->age, r->table[GVS_TABLE_CLAIMS], r->members, &r->clock,
                     cfg->limits.members) < 0)
        return GVS_E_SYS;
    r->age.newborn = cfg->newborn;
    return gvs_relay_open(&r->relay, r->members, self, keys, hash);
}

void
gvs_replica_close(struct gvs_replica *r)
{
    gvs_members_close(r->members);
    gvs_relay_close(&r->relay);
    gvs_age_close(&r->age);
    gvs_keylog_close(&r->news);
    free(r->overwrite);
    free(r->memory[GVS_TABLE_CLAIMS]);
    free(r->memory[GVS_TABLE_MEMBERS]);
}

/* --- members --- */

static struct gvs_key
member_key(const struct gvs_id *id)
{
    return (struct gvs_key){.kind = GVS_KEY_MEMBER, .owner = *id};
}

bool
gvs_replica_get_member(const struct gvs_replica *r, const struct gvs_id *id, struct gvs_entry *e)
{
    struct gvs_key key = member_key(id);
    struct gvs_keybuf k;

    gvs_key_build(&k, &key);
    return gvs_table_get(r->table[GVS_TABLE_MEMBERS], k.b, k.len, e);
}

static void
add_event(struct gvs_replica *r, const struct gvs_node_event *ev)
{
    if (r->event_count == GVS_EVENTS_MAX) {
        r->event_at = (r->event_at + 1) % GVS_EVENTS_MAX;
        r->event_count--;
    }
    r->event[(r->event_at + r->event_count++) % GVS_EVENTS_MAX] = *ev;
}

/* Tells the detector and, unless the entry comes from the disk, the caller. That we are called
 * dead is over before the call that brought it returns (answer_rumour), and no event. */
static void
member_changed(struct gvs_replica *r, struct gvs_mono now, struct gvs_member *m,
               const struct gvs_entry *e, bool quiet)
{
    struct gvs_node_event ev = {.member = m->id, .before = m->state, .first = !m->known};
    struct gvs_member_value value;
    bool readable = gvs_member_decode(&value, e->value, e->value_len) == GVS_OK;

    gvs_member_note(r->members, now, m, e->order, readable ? &value : NULL);
    ev.after = m->state;
    ev.gone = m->gone;
    if (m->self && ev.after != GVS_LEFT)
        quiet |= !ev.first;
    if (!quiet && (ev.first || ev.before != ev.after))
        add_event(r, &ev);
}

/* An entry that this node makes itself: merged, news, and owed to everybody. */
static int
originate(struct gvs_replica *r, struct gvs_mono now, enum gvs_table_no no, const uint8_t *b,
          size_t len, struct gvs_entry *e)
{
    uint64_t id;
    int rc = gvs_entry_parse(e, b, len);

    GVS_ASSERT(rc == GVS_OK);
    rc = gvs_table_merge(r->table[no], e);
    if (rc <= 0)
        return rc;
    id = gvs_table_id(r->table[no], e);
    gvs_keylog_append(&r->news, now, e->key, e->key_len, id);
    gvs_relay_serve(&r->relay, now, 0, e->key, e->key_len, id);
    return rc;
}

static void
write_member(struct gvs_replica *r, struct gvs_mono now, struct gvs_member *m, uint64_t order,
             const uint8_t *value, size_t value_len)
{
    struct gvs_key key = member_key(&m->id);
    uint8_t b[GVS_ENTRY_LEN_MAX];
    struct gvs_entry e;
    size_t len = gvs_entry_build(b, &key, order, NULL, false, value, value_len);

    if (originate(r, now, GVS_TABLE_MEMBERS, b, len, &e) > 0)
        member_changed(r, now, m, &e, false);
}

/* Does our own entry say what it should? */
static bool
is_asserted(const struct gvs_replica *r, const struct gvs_entry *e)
{
    uint8_t value[GVS_VALUE_LEN_MAX];
    size_t len = gvs_member_encode(value, &r->value);

    return gvs_member_state(e->order) == GVS_ALIVE && len == e->value_len &&
           memcmp(value, e->value, len) == 0;
}

/* A retired id is above every incarnation, and at the last one, which nobody reaches
 * (net/replica.h), a rumour could not be topped: then the table keeps its word. */
void
gvs_replica_assert_self(struct gvs_replica *r, struct gvs_mono now)
{
    uint8_t value[GVS_VALUE_LEN_MAX];
    uint64_t incarnation = 0;
    struct gvs_entry e;

    if (gvs_replica_get_member(r, &r->self, &e)) {
        incarnation = gvs_member_incarnation(e.order);
        if (gvs_member_state(e.order) == GVS_LEFT || incarnation == GVS_INCARNATION_MAX ||
            is_asserted(r, &e))
            return;
    }
    write_member(r, now, gvs_member_get(r->members, &r->self),
                 gvs_member_order(incarnation + 1, GVS_ALIVE), value,
                 gvs_member_encode(value, &r->value));
}

void
gvs_replica_start(struct gvs_replica *r, struct gvs_mono now, struct gvs_wall wall)
{
    gvs_members_set_wall(r->members, now, wall);
    r->astray = GVS_MONO_NEVER;
    gvs_age_start(&r->age, now);
    gvs_replica_assert_self(r, now);
}

/* The member's own entry in another state, with its own value. */
static void
rewrite_member(struct gvs_replica *r, struct gvs_mono now, struct gvs_member *m,
               const struct gvs_entry *e, enum gvs_member_state state)
{
    uint8_t value[GVS_VALUE_LEN_MAX];

    memcpy(value, e->value, e->value_len);
    write_member(r, now, m, gvs_member_order(gvs_member_incarnation(e->order), state), value,
                 e->value_len);
}

void
gvs_replica_accuse(struct gvs_replica *r, struct gvs_mono now, struct gvs_member *m,
                   enum gvs_member_state state)
{
    struct gvs_entry e;

    GVS_ASSERT(!m->self);
    GVS_ASSERT(state == GVS_SUSPECT || state == GVS_DEAD);
    if (gvs_replica_retired(r, &r->self) || !gvs_replica_get_member(r, &m->id, &e) ||
        gvs_member_state(e.order) >= state)
        return;
    rewrite_member(r, now, m, &e, state);
}

void
gvs_replica_set_keys(struct gvs_replica *r, struct gvs_mono now, const struct gvs_keyring *ring)
{
    put_keys(&r->value, ring);
    gvs_replica_assert_self(r, now);
}

int
gvs_replica_retire(struct gvs_replica *r, struct gvs_mono now, struct gvs_member *m)
{
    struct gvs_entry e;

    if (!gvs_replica_get_member(r, &m->id, &e))
        return GVS_E_NOTFOUND;
    if (gvs_member_state(e.order) == GVS_LEFT)
        return GVS_OK;
    if (gvs_replica_retired(r, &r->self))
        return GVS_E_RETIRED;
    rewrite_member(r, now, m, &e, GVS_LEFT);
    return GVS_OK;
}

bool
gvs_replica_retired(const struct gvs_replica *r, const struct gvs_id *id)
{
    const struct gvs_member *m = gvs_member_get(r->members, id);

    return m && m->known && m->state == GVS_LEFT;
}

void
gvs_replica_gone(struct gvs_replica *r, const struct gvs_member *m)
{
    add_event(r, &(struct gvs_node_event){
                     .member = m->id, .before = m->state, .after = m->state, .gone = m->gone});
}

/* --- clones --- */

void
gvs_replica_cloned(struct gvs_replica *r, struct gvs_mono now, const struct gvs_ep *ep)
{
    r->cloned = true;
    r->cloned_at = now;
    r->cloned_ep = *ep;
}

/* Another process asserted our name. Once that is our own former life, from a time that our disk
 * knows nothing of, and outbid at once. Again, after it was outbid, and it is alive; then two
 * processes that both refute would duel as fast as the network allows. The other one knows it only
 * when it is outbid once more, and is to know it within the minute, too, though sessions that go
 * from one to the other delay it: the first time we wait a quarter as long. */
static void
answer_usurper(struct gvs_replica *r, struct gvs_mono now, const struct gvs_member_value *value)
{
    if (++r->usurped == 1) {
        gvs_replica_assert_self(r, now);
        return;
    }
    gvs_replica_cloned(r, now, &value->ep);
    if (gvs_mono_due(r->reassert_at, now))
        r->reassert_at = gvs_mono_add_ms(now, r->usurped > 2 ? GVS_CLONE_MS : GVS_CLONE_MS / 4);
    gvs_members_assert_at(r->members, r->reassert_at);
}

/* I3: it was not we who wrote it. */
static void
answer_rumour(struct gvs_replica *r, struct gvs_mono now, const struct gvs_entry *e)
{
    struct gvs_member_value value;

    if (gvs_member_state(e->order) == GVS_ALIVE &&
        gvs_member_decode(&value, e->value, e->value_len) == GVS_OK &&
        value.boot != r->value.boot) {
        answer_usurper(r, now, &value);
        return;
    }
    gvs_members_doubt(r->members);
    gvs_replica_assert_self(r, now);
}

/* By the median of clocks, or by our own while fewer than three are known. */
static uint64_t
by_clocks(const struct gvs_clock *clock, struct gvs_wall wall, uint64_t beyond_ms)
{
    uint64_t ms = wall.ms + (uint64_t)clock->median_ms + beyond_ms;

    return gvs_hlc_make(ms < GVS_HLC_MS_MAX ? ms : GVS_HLC_MS_MAX, 0);
}

/* A claim of ours that we did not write, stamped a while after our start: no former life did. When
 * that was is reckoned back from what time it is by the median of clocks or by the clock of him who
 * brings it, whichever is later: a machine that boots in 1970 has only former lives after that. A
 * stamp in the future proves nothing but that a clock was wrong. */
static void
suspect_clone(struct gvs_replica *r, struct gvs_mono now, struct gvs_wall wall,
              const struct gvs_member *from, const struct gvs_entry *e)
{
    struct gvs_clock clock = gvs_members_clock(r->members, now);
    int64_t his_ms = gvs_member_clock_offset_ms(r->members, from);
    int64_t wall_ms = (int64_t)wall.ms + (his_ms > clock.median_ms ? his_ms : clock.median_ms);
    int64_t start_ms = wall_ms - (int64_t)((now.us - r->age.began.us) / 1000);
    int64_t stamp_ms = (int64_t)gvs_hlc_ms(e->order);

    if (clock.known < GVS_CLOCKS_MIN && !from->has_clock)
        return; /* our own may be wrong */
    if (e->order <= r->rewritten || stamp_ms > wall_ms + GVS_AHEAD_MS)
        return; /* that was we ourselves, by a wrong clock */
    if (stamp_ms > start_ms + GVS_CLONE_MS)
        gvs_replica_cloned(r, now, &from->value.ep);
}

/* --- what is admitted --- */

bool
gvs_replica_is_ahead(const struct gvs_replica *r, struct gvs_mono now, struct gvs_wall wall)
{
    struct gvs_clock clock = gvs_members_clock(r->members, now);

    return r->clock.last > by_clocks(&clock, wall, SURELY_AHEAD_MS);
}

/* The latest stamp that is taken now; without a judgement there is none. Where most have seen what
 * lies in the future, it is the clocks that are wrong, or were. */
static uint64_t
latest(const struct gvs_replica *r, struct gvs_mono now, struct gvs_wall wall)
{
    struct gvs_clock clock = gvs_members_clock(r->members, now);
    size_t ahead = clock.ahead + gvs_replica_is_ahead(r, now, wall);

    if (clock.known < GVS_CLOCKS_MIN || 2 * ahead > clock.known)
        return GVS_HLC_NO_LIMIT;
    return by_clocks(&clock, wall, GVS_AHEAD_MS);
}

int
gvs_replica_vector(struct gvs_replica *r, struct gvs_mono now, struct gvs_wall wall,
                   const uint8_t *b, size_t len)
{
    uint64_t limit = latest(r, now, wall);

    return gvs_age_take(&r->age, limit < GVS_VECTOR_END ? limit : GVS_VECTOR_END - 1, b, len);
}

/* Is what is held of this key as far ahead already? Then clocks were wrong when it was written, and
 * the key would be locked for as long as they were. What is not ahead carries nothing further, or
 * one entry after the other would climb as far as it likes. */
static bool
is_matched(const struct gvs_replica *r, const struct gvs_clock *clock, struct gvs_wall wall,
           const struct gvs_entry *e)
{
    uint64_t limit = by_clocks(clock, wall, SURELY_AHEAD_MS);
    struct gvs_entry held;

    return gvs_table_get(r->table[GVS_TABLE_CLAIMS], e->key, e->key_len, &held) &&
           held.order > limit && gvs_hlc_ms(e->order) <= gvs_hlc_ms(held.order) + GVS_AHEAD_MS;
}

static int
admit_claim(struct gvs_replica *r, struct gvs_mono now, struct gvs_wall wall,
            struct gvs_member *from, const struct gvs_entry *e)
{
    struct gvs_clock clock = gvs_members_clock(r->members, now);

    if (gvs_age_refuses(&r->age, e))
        return GVS_E_DELETED;
    if (e->order <= by_clocks(&clock, wall, GVS_AHEAD_MS) || is_matched(r, &clock, wall, e))
        return GVS_OK;
    if (latest(r, now, wall) == GVS_HLC_NO_LIMIT) {
        r->ahead++;
        return GVS_OK;
    }
    r->deferred++;
    from->deferred++;
    return GVS_E_RANGE;
}

static int
admit_member(struct gvs_replica *r, const struct gvs_member *from, const struct gvs_entry *e)
{
    uint64_t incarnation = gvs_member_incarnation(e->order), held = 0, possible;
    const struct gvs_member *m;
    struct gvs_id id;

    memcpy(id.b, e->key + 1, GVS_ID_LEN);
    m = gvs_member_get(r->members, &id);
    if (m == from && gvs_member_state(e->order) == GVS_ALIVE)
        return GVS_OK;
    if (m && m->known)
        held = m->incarnation;
    possible = m && m->self ? GVS_INCARNATION_OWN : GVS_INCARNATION_FREE;
    if (incarnation > possible && incarnation > held + GVS_INCARNATION_STEP) {
        r->leaps++;
        return GVS_E_RANGE;
    }
    if (!(m && (m->known || m->heard)) && gvs_members_crowded(r->members))
        return GVS_E_FULL;
    return GVS_OK;
}

/* --- entries from elsewhere, and of our own --- */

/* 1: news; 0: not; or an error, and the tables are as they were. */
static int
merge_member(struct gvs_replica *r, struct gvs_mono now, const struct gvs_entry *e, bool quiet)
{
    struct gvs_member_value value;
    struct gvs_member *m;
    struct gvs_key key;
    int rc = gvs_key_parse(&key, e->key, e->key_len);

    GVS_ASSERT(rc == GVS_OK);
    if (gvs_member_decode(&value, e->value, e->value_len) == GVS_E_MALFORMED)
        return GVS_E_MALFORMED;
    m = gvs_member_get(r->members, &key.owner);
    if (!m)
        m = gvs_member_add(r->members, &key.owner);
    if (!m)
        return GVS_E_FULL;
    rc = gvs_table_merge(r->table[GVS_TABLE_MEMBERS], e);
    if (rc > 0)
        member_changed(r, now, m, e, quiet);
    return rc;
}

static void
add_overwrite(struct gvs_replica *r, const struct gvs_entry *kept, const struct gvs_entry *lost)
{
    struct gvs_node_overwrite *o;

    if (!r->overwrite)
        r->overwrite = calloc(GVS_OVERWRITES_MAX, sizeof *r->overwrite);
    if (!r->overwrite || r->overwrite_count == GVS_OVERWRITES_MAX) {
        r->overwrite_missed++;
        return;
    }
    o = &r->overwrite[(r->overwrite_at + r->overwrite_count++) % GVS_OVERWRITES_MAX];
    o->kept_len = kept->len;
    memcpy(o->kept, kept->b, kept->len);
    o->lost_len = lost->len;
    memcpy(o->lost, lost->b, lost->len);
}

/* The writer of a cluster's entry says in it what of others' it has replaced last (`prev`; nothing:
 * 0). If that is below what loses now, it did not know the loser: else the table would have held
 * that, or more. Equal is an ordinary write; above it, this node has missed one in between. Nobody
 * races with himself, an owner least of all. */
static void
note_overwrite(struct gvs_replica *r, const struct gvs_entry *e)
{
    const struct gvs_entry *kept = e, *lost;
    struct gvs_entry held;
    struct gvs_key key;
    int cmp, rc;

    if (!gvs_table_get(r->table[GVS_TABLE_CLAIMS], e->key, e->key_len, &held))
        return;
    cmp = gvs_entry_cmp(e, &held);
    if (cmp == 0)
        return;
    lost = &held;
    if (cmp < 0) {
        kept = &held;
        lost = e;
    }
    if (gvs_id_cmp(&kept->writer, &lost->writer) == 0 ||
        gvs_prev_get(kept->value, kept->value_len) >= lost->order)
        return;
    rc = gvs_key_parse(&key, e->key, e->key_len);
    GVS_ASSERT(rc == GVS_OK);
    if (gvs_id_is_cluster(&key.owner))
        add_overwrite(r, kept, lost);
}

static int
merge(struct gvs_replica *r, struct gvs_mono now, const struct gvs_entry *e, bool quiet)
{
    int rc;

    if (e->kind == GVS_KEY_MEMBER)
        return merge_member(r, now, e, quiet);
    if (!quiet)
        note_overwrite(r, e);
    rc = gvs_table_merge(r->table[GVS_TABLE_CLAIMS], e);
    if (rc > 0)
        gvs_hlc_witness(&r->clock, e->order);
    return rc;
}

int
gvs_replica_load(struct gvs_replica *r, struct gvs_mono now, const struct gvs_entry *e)
{
    int rc = merge(r, now, e, true);

    return rc < 0 ? rc : GVS_OK;
}

int
gvs_replica_take(struct gvs_replica *r, struct gvs_mono now, struct gvs_wall wall,
                 struct gvs_member *from, const struct gvs_entry *e)
{
    bool member = e->kind == GVS_KEY_MEMBER;
    int rc = member ? admit_member(r, from, e) : admit_claim(r, now, wall, from, e);

    if (rc == GVS_OK)
        rc = merge(r, now, e, false);
    if (rc <= 0)
        return rc;
    gvs_keylog_append(&r->news, now, e->key, e->key_len, gvs_table_id(r->table[member], e));
    if (member && memcmp(e->key + 1, r->self.b, GVS_ID_LEN) == 0)
        answer_rumour(r, now, e);
    else if (!member && gvs_id_cmp(&e->writer, &r->self) == 0)
        suspect_clone(r, now, wall, from, e);
    return rc;
}

/* Nothing is held of this key any more, which is news too. */
static void
drop(struct gvs_replica *r, struct gvs_mono now, const uint8_t *key, size_t len)
{
    gvs_keylog_append(&r->news, now, key, len, 0);
}

bool
gvs_replica_refused(struct gvs_replica *r, struct gvs_mono now, uint64_t id)
{
    struct gvs_keybuf key;
    struct gvs_entry e;

    if (!gvs_table_get_id(r->table[GVS_TABLE_CLAIMS], id, &e) || !gvs_age_yields(&r->age, &e))
        return false;
    key.len = e.key_len;
    memcpy(key.b, e.key, e.key_len);
    gvs_table_remove(r->table[GVS_TABLE_CLAIMS], key.b, key.len);
    drop(r, now, key.b, key.len);
    return true;
}

bool
gvs_replica_collect(struct gvs_replica *r, struct gvs_mono now)
{
    struct gvs_keybuf keys[COLLECT_MAX];
    bool more = false;
    size_t n = gvs_age_collect(&r->age, COLLECT_LOOK, keys, COLLECT_MAX, &more);

    for (size_t i = 0; i < n; i++)
        drop(r, now, keys[i].b, keys[i].len);
    return more;
}

/* A clock that is off is not what claims are stamped by. */
static struct gvs_wall
stamping_wall(struct gvs_replica *r, struct gvs_mono now, struct gvs_wall wall)
{
    int64_t median_ms;

    gvs_members_set_wall(r->members, now, wall);
    median_ms = gvs_members_clock(r->members, now).median_ms;
    if (median_ms < -GVS_CLOCK_OFF_MS || median_ms > GVS_CLOCK_OFF_MS)
        wall.ms += (uint64_t)median_ms;
    return wall;
}

static uint64_t
issue(struct gvs_replica *r, struct gvs_mono now, struct gvs_wall wall, uint64_t above)
{
    struct gvs_wall by = stamping_wall(r, now, wall);

    return gvs_hlc_issue(&r->clock, by, above, latest(r, now, wall));
}

/* With the same value, and a lesser stamp. It was there, so there is room. */
static void
write_again(struct gvs_replica *r, struct gvs_mono now, struct gvs_wall wall,
            const struct gvs_entry *held)
{
    uint8_t b[GVS_ENTRY_LEN_MAX];
    struct gvs_entry e;
    struct gvs_key key;
    size_t len;
    int rc = gvs_key_parse(&key, held->key, held->key_len);

    GVS_ASSERT(rc == GVS_OK);
    r->rewritten = held->order > r->rewritten ? held->order : r->rewritten;
    len = gvs_entry_build(b, &key, issue(r, now, wall, 0), &r->self, held->tombstone, held->value,
                          held->value_len);
    gvs_table_remove(r->table[GVS_TABLE_CLAIMS], held->key, held->key_len);
    rc = originate(r, now, GVS_TABLE_CLAIMS, b, len, &e);
    GVS_ASSERT(rc > 0);
}

/* Whoever was equal to us since then holds all that we hold. */
static bool
has_equal(const struct gvs_replica *r, struct gvs_mono since)
{
    for (size_t i = 0; i < gvs_members_count(r->members); i++) {
        const struct gvs_member *m = gvs_members_place(r->members, i);

        if (m->was_equal && m->equal_at.us >= since.us)
            return true;
    }
    return false;
}

static void
write_all_again(struct gvs_replica *r, struct gvs_mono now, struct gvs_wall wall, uint64_t limit)
{
    const struct gvs_table *t = r->table[GVS_TABLE_CLAIMS];
    struct gvs_keybuf at;
    struct gvs_entry e;

    for (bool more = gvs_table_seek(t, NULL, 0, false, &e); more;
         more = gvs_table_seek(t, at.b, at.len, true, &e)) {
        at.len = e.key_len;
        memcpy(at.b, e.key, e.key_len);
        if (e.order > limit && gvs_id_cmp(&e.writer, &r->self) == 0)
            write_again(r, now, wall, &e);
    }
}

void
gvs_replica_look_at_clock(struct gvs_replica *r, struct gvs_mono now, struct gvs_wall wall)
{
    uint64_t limit = latest(r, now, wall), own = gvs_vector_get(r->age.vector, &r->self);
    struct gvs_mono since = r->astray;

    if (limit == GVS_HLC_NO_LIMIT || r->clock.last <= limit) {
        r->astray = GVS_MONO_NEVER;
        return;
    }
    r->astray = gvs_mono_min(since, now);
    if (since.us == GVS_MONO_NEVER.us || !gvs_mono_due(gvs_mono_add_ms(since, ASTRAY_MS), now))
        return;
    gvs_hlc_lower(&r->clock, limit > own ? limit : own); /* above what others refuse */
    if (r->clock.last <= limit && !has_equal(r, since) && !gvs_replica_retired(r, &r->self))
        write_all_again(r, now, wall, limit);
}

int
gvs_replica_write(struct gvs_replica *r, struct gvs_mono now, struct gvs_wall wall,
                  const struct gvs_key *key, bool tombstone, const uint8_t *value, size_t value_len,
                  struct gvs_stamp *stamp)
{
    uint8_t b[GVS_ENTRY_LEN_MAX];
    struct gvs_keybuf k;
    struct gvs_entry e;
    uint64_t above = 0;
    size_t len;
    int rc;

    GVS_ASSERT(key->kind != GVS_KEY_MEMBER);
    if (gvs_replica_retired(r, &r->self) || gvs_replica_retired(r, &key->owner))
        return GVS_E_RETIRED;
    gvs_key_build(&k, key);
    if (gvs_table_get(r->table[GVS_TABLE_CLAIMS], k.b, k.len, &e))
        above = e.order;
    else if (gvs_table_count(r->table[GVS_TABLE_CLAIMS]) >= r->entries)
        return GVS_E_FULL; /* the last tenth is for what others wrote meanwhile */
    len =
        gvs_entry_build(b, key, issue(r, now, wall, above), &r->self, tombstone, value, value_len);
    rc = originate(r, now, GVS_TABLE_CLAIMS, b, len, &e);
    if (rc == 0)
        return GVS_E_RANGE; /* somebody's stamp is the greatest there is: nothing can be above it */
    if (rc < 0)
        return rc;
    if (stamp)
        *stamp = (struct gvs_stamp){.hlc = e.order, .writer = r->self};
    return GVS_OK;
}

void
gvs_replica_serve(struct gvs_replica *r, struct gvs_mono now, unsigned level, const uint8_t *key,
                  size_t len)
{
    const struct gvs_table *t = r->table[key[0] == 'M'];
    struct gvs_entry e;

    if (gvs_table_get(t, key, len, &e))
        gvs_relay_serve(&r->relay, now, level, key, len, gvs_table_id(t, &e));
}

/* --- what changed --- */

/* After the ring of news ran over: one entry after the other, of both tables. */
static bool
scan_next(struct gvs_replica *r, struct gvs_entry *e)
{
    for (; r->scan_table < GVS_TABLE_COUNT; r->scan_table++, r->scan_key.len = 0) {
        if (!gvs_table_seek(r->table[r->scan_table], r->scan_key.b, r->scan_key.len,
                            r->scan_key.len > 0, e))
            continue;
        r->scan_key.len = e->key_len;
        memcpy(r->scan_key.b, e->key, e->key_len);
        return true;
    }
    r->scan = false;
    return false;
}

/* Of a key of which nothing is held any more. */
static void
lend_key(struct gvs_entry *e, const struct gvs_keybuf *key)
{
    struct gvs_key parts;
    int rc = gvs_key_parse(&parts, key->b, key->len);

    GVS_ASSERT(rc == GVS_OK);
    *e = (struct gvs_entry){.key = key->b, .key_len = key->len, .kind = parts.kind};
}

bool
gvs_replica_news(struct gvs_replica *r, struct gvs_entry *e)
{
    const struct gvs_keylog_slot *slot;

    if (r->news_at < gvs_keylog_tail(&r->news)) {
        r->news_at = r->news.head;
        r->scan = true;
        r->scan_table = GVS_TABLE_CLAIMS;
        r->scan_key.len = 0;
    }
    if (r->scan && scan_next(r, e))
        return true;
    while (r->news_at < r->news.head) {
        slot = gvs_keylog_get(&r->news, r->news_at++);
        if (!slot)
            continue;
        if (!gvs_table_get(r->table[slot->key.b[0] == 'M'], slot->key.b, slot->key.len, e))
            lend_key(e, &slot->key);
        return true;
    }
    return false;
}

bool
gvs_replica_event(struct gvs_replica *r, struct gvs_node_event *ev)
{
    if (r->event_count == 0)
        return false;
    *ev = r->event[r->event_at];
    r->event_at = (r->event_at + 1) % GVS_EVENTS_MAX;
    r->event_count--;
    return true;
}

bool
gvs_replica_overwrite(struct gvs_replica *r, struct gvs_node_overwrite *out, uint64_t *missed)
{
    *missed = r->overwrite_missed;
    r->overwrite_missed = 0;
    if (r->overwrite_count == 0)
        return false;
    *out = r->overwrite[r->overwrite_at];
    r->overwrite_at = (r->overwrite_at + 1) % GVS_OVERWRITES_MAX;
    r->overwrite_count--;
    return true;
}
