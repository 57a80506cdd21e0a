#include "net/relay.h"

#include <string.h>

#include "core/err.h"

int
gvs_relay_open(struct gvs_relay *r, struct gvs_members *members, const struct gvs_id *self,
               size_t keys, struct gvs_hash hash)
{
    *r = (struct gvs_relay){.members = members, .self = *self};
    for (unsigned l = 0; l <= GVS_LEVELS_MAX; l++) {
        if (gvs_keylog_open(&r->level[l].log, keys, hash) < 0)
            return GVS_E_SYS;
    }
    return GVS_OK;
}

void
gvs_relay_close(struct gvs_relay *r)
{
    for (unsigned l = 0; l <= GVS_LEVELS_MAX; l++)
        gvs_keylog_close(&r->level[l].log);
}

void
gvs_relay_serve(struct gvs_relay *r, struct gvs_mono now, unsigned level, const uint8_t *key,
                size_t len, uint64_t id)
{
    GVS_ASSERT(level <= GVS_LEVELS_MAX);
    while (gvs_keylog_append(&r->level[level].log, now, key, len, id) && r->level[level].split)
        level++; /* our own arc in this one */
}

/* --- arcs: stretches of the members in order of ids --- */

struct arc {
    size_t first, end; /* by gvs_members_ith */
};

/* The id's first `bits` bits, then all ones or all zeros. */
static struct gvs_id
edge(const struct gvs_id *id, unsigned bits, bool upper)
{
    struct gvs_id e = *id;

    for (unsigned i = bits; i < 8 * GVS_ID_LEN; i++) {
        uint8_t bit = (uint8_t)(0x80u >> i % 8);

        e.b[i / 8] = (uint8_t)(upper ? e.b[i / 8] | bit : e.b[i / 8] & ~bit);
    }
    return e;
}

/* The first member at or (with `after`) behind `id`. */
static size_t
bound(const struct gvs_members *ms, const struct gvs_id *id, bool after)
{
    size_t lo = 0, hi = gvs_members_count(ms), mid;

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;
        if (gvs_id_cmp(&gvs_members_ith(ms, mid)->id, id) < (after ? 1 : 0))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct arc
arc_of(const struct gvs_members *ms, const struct gvs_id *id, unsigned level)
{
    struct gvs_id lower = edge(id, GVS_ARC_BITS * level, false);
    struct gvs_id upper = edge(id, GVS_ARC_BITS * level, true);

    return (struct arc){bound(ms, &lower, false), bound(ms, &upper, true)};
}

/* Which of the eight arcs in an arc of this level an id lies in. */
static unsigned
arc_index(const struct gvs_id *id, unsigned level)
{
    unsigned index = 0;

    for (unsigned i = GVS_ARC_BITS * level; i < GVS_ARC_BITS * (level + 1); i++)
        index = index << 1 | ((unsigned)id->b[i / 8] >> (7 - i % 8) & 1u);
    return index;
}

static bool
is_served(const struct gvs_member *m)
{
    return !m->self && m->known && m->state <= GVS_SUSPECT;
}

static size_t
count_served(const struct gvs_members *ms, struct arc arc)
{
    size_t n = 0;

    for (size_t i = arc.first; i < arc.end; i++)
        n += is_served(gvs_members_ith(ms, i));
    return n;
}

/* A live member with a session before a suspect one, one with a session before all others, and
 * `avoid` (may be NULL) last; of equals each node begins with another, so that heading is shared.
 */
static struct gvs_member *
choose_head(const struct gvs_relay *r, struct arc arc, unsigned turn,
            const struct gvs_member *avoid)
{
    size_t count = arc.end - arc.first;
    struct gvs_member *best = NULL;
    int rank, best_rank = 0;

    for (size_t i = 0; i < count; i++) {
        size_t at = arc.first + (i + turn + r->self.b[GVS_ID_LEN - 1]) % count;
        struct gvs_member *m = gvs_members_ith(r->members, at);

        if (!is_served(m))
            continue;
        rank = m == avoid ? 1 : 2 + 2 * m->up + (m->state == GVS_ALIVE);
        if (rank > best_rank) {
            best = m;
            best_rank = rank;
        }
    }
    return best;
}

/* --- lanes --- */

/* Where a lane that now leads to m takes over from: whoever led there before. NULL: nobody. */
static struct gvs_lane *
lane_to(struct gvs_level *level, unsigned l, const struct gvs_member *m)
{
    if (level->split)
        return &level->lane[arc_index(&m->id, l)];
    for (size_t i = 0; i < level->lane_count; i++) {
        if (level->lane[i].head == m)
            return &level->lane[i];
    }
    return NULL;
}

/* Datagrams that were lost together carried places that lie together. */
static void
add_lost(struct gvs_lane *lane, uint64_t first, uint64_t last)
{
    for (unsigned i = 0; i < lane->lost_count; i++) {
        if (first > lane->lost[i].last + 1 || last + 1 < lane->lost[i].first)
            continue;
        lane->lost[i].first = first < lane->lost[i].first ? first : lane->lost[i].first;
        lane->lost[i].last = last > lane->lost[i].last ? last : lane->lost[i].last;
        return;
    }
    if (lane->lost_count == GVS_LOST_MAX)
        return; /* reconciliation finds it */
    lane->lost[lane->lost_count].first = first;
    lane->lost[lane->lost_count++].last = last;
}

/* A lane begins where the lanes to its members stood, at the one furthest behind. */
static void
inherit(struct gvs_lane *lane, const struct gvs_lane *old)
{
    if (!old || !old->head)
        return;
    if (old->next < lane->next)
        lane->next = old->next;
    for (unsigned i = 0; i < old->lost_count; i++)
        add_lost(lane, old->lost[i].first, old->lost[i].last);
}

/* What is owed to our own arc of this level is served one level down. */
static void
serve_below(struct gvs_relay *r, struct gvs_mono now, unsigned l, uint64_t first, uint64_t end)
{
    const struct gvs_keylog *log = &r->level[l].log;
    const struct gvs_keylog_slot *slot;

    for (uint64_t at = first; at < end; at++) {
        slot = at >= gvs_keylog_tail(log) ? gvs_keylog_get(log, at) : NULL;
        if (slot)
            gvs_relay_serve(r, now, l + 1, slot->key.b, slot->key.len, slot->id);
    }
}

/* A head that does its duty stays, else its arc's next one is it. */
static struct gvs_member *
next_head(const struct gvs_relay *r, struct arc arc, const struct gvs_lane *was)
{
    struct gvs_member *head = was ? was->head : NULL;

    if (head && is_served(head) && head->up && head->state == GVS_ALIVE)
        return head;
    return choose_head(r, arc, was ? was->turn : 0, NULL);
}

static void
split_level(struct gvs_relay *r, struct gvs_mono now, unsigned l, struct gvs_level *old,
            struct arc whole)
{
    struct gvs_level *level = &r->level[l];
    struct gvs_lane ours = {.next = level->log.head};

    level->split = true;
    level->lane_count = GVS_ARCS;
    for (unsigned i = 0; i < GVS_ARCS; i++)
        level->lane[i] = (struct gvs_lane){.next = level->log.head};
    for (size_t i = whole.first; i < whole.end; i++) {
        const struct gvs_member *m = gvs_members_ith(r->members, i);
        bool own = arc_index(&m->id, l) == arc_index(&r->self, l);
        struct gvs_lane *lane = own ? &ours : &level->lane[arc_index(&m->id, l)];
        const struct gvs_lane *was = lane_to(old, l, m);

        if (!is_served(m))
            continue;
        if (!old->split || !lane->head)
            inherit(lane, was);
        if (own || lane->head)
            continue;
        lane->head = next_head(r, arc_of(r->members, &m->id, l + 1), old->split ? was : NULL);
        lane->turn = old->split ? was->turn : 0;
    }
    for (unsigned i = 0; i < ours.lost_count; i++)
        serve_below(r, now, l, ours.lost[i].first, ours.lost[i].last + 1);
    serve_below(r, now, l, ours.next, level->log.head);
}

static void
fan_level(struct gvs_relay *r, unsigned l, struct gvs_level *old, struct arc whole)
{
    struct gvs_level *level = &r->level[l];

    level->split = false;
    level->lane_count = 0;
    for (size_t i = whole.first; i < whole.end; i++) {
        struct gvs_member *m = gvs_members_ith(r->members, i);
        struct gvs_lane *lane;

        if (!is_served(m) || level->lane_count == GVS_DIRECT_MAX)
            continue; /* of more at the last level, hostile ones, reconciliation takes care */
        lane = &level->lane[level->lane_count++];
        *lane = (struct gvs_lane){.head = m, .next = level->log.head};
        inherit(lane, lane_to(old, l, m));
    }
}

static void
connect_head(struct gvs_relay *r, struct gvs_mono now, const struct gvs_lane *lane)
{
    if (lane->head && !lane->head->up)
        gvs_member_connect(r->members, now, lane->head);
}

void
gvs_relay_update(struct gvs_relay *r, struct gvs_mono now)
{
    for (unsigned l = 0; l <= GVS_LEVELS_MAX; l++) {
        struct gvs_level *level = &r->level[l];
        struct gvs_level old = *level;
        struct arc whole = arc_of(r->members, &r->self, l);

        if (count_served(r->members, whole) > GVS_DIRECT_MAX && l < GVS_LEVELS_MAX)
            split_level(r, now, l, &old, whole);
        else
            fan_level(r, l, &old, whole);
        for (size_t i = 0; i < level->lane_count; i++)
            connect_head(r, now, &level->lane[i]);
    }
}

/* --- sending --- */

static bool
owes(const struct gvs_level *level, const struct gvs_lane *lane)
{
    return lane->head && (lane->lost_count > 0 || lane->next != level->log.head);
}

bool
gvs_relay_next(struct gvs_relay *r, bool (*may_send)(void *ctx, const struct gvs_member *m),
               void *ctx, struct gvs_duty *duty)
{
    for (unsigned l = 0; l <= GVS_LEVELS_MAX; l++) {
        struct gvs_level *level = &r->level[l];

        for (size_t i = 0; i < level->lane_count; i++) {
            struct gvs_lane *lane = &level->lane[(r->turn + i) % level->lane_count];

            if (!owes(level, lane) || !may_send(ctx, lane->head))
                continue;
            r->turn += i + 1;
            *duty = (struct gvs_duty){l, lane};
            return true;
        }
    }
    return false;
}

bool
gvs_relay_owes(struct gvs_relay *r, const struct gvs_member *m, struct gvs_duty *duty)
{
    for (unsigned l = 0; l <= GVS_LEVELS_MAX; l++) {
        for (size_t i = 0; i < r->level[l].lane_count; i++) {
            *duty = (struct gvs_duty){l, &r->level[l].lane[i]};
            if (duty->lane->head == m && owes(&r->level[l], duty->lane))
                return true;
        }
    }
    return false;
}

/* Puts the entries of places first .. last into m until it is full. Returns the first place left
 * out. */
static uint64_t
load(const struct gvs_keylog *log, const struct gvs_table *const *table, uint64_t first,
     uint64_t last, size_t *room, struct gvs_msg *m)
{
    const struct gvs_keylog_slot *slot;
    struct gvs_entry e;
    uint64_t at = first;

    for (; at <= last; at++) {
        slot = at >= gvs_keylog_tail(log) ? gvs_keylog_get(log, at) : NULL;
        if (!slot)
            continue;
        if (!gvs_table_get(table[slot->key.b[0] == 'M'], slot->key.b, slot->key.len, &e))
            continue;
        if (!gvs_msg_add_entry(m, &e, room))
            break;
    }
    return at;
}

/* What was lost first: it is the oldest. False: there is none, or no room for it. */
static bool
load_lost(struct gvs_lane *lane, const struct gvs_keylog *log, const struct gvs_table *const *table,
          size_t *room, struct gvs_msg *m, struct gvs_cargo *cargo)
{
    while (lane->lost_count > 0) {
        cargo->first = lane->lost[0].first;
        lane->lost[0].first = load(log, table, cargo->first, lane->lost[0].last, room, m);
        cargo->last = lane->lost[0].first - 1;
        if (lane->lost[0].first <= lane->lost[0].last)
            return m->entry_count > 0;
        lane->lost[0] = lane->lost[--lane->lost_count];
        if (m->entry_count > 0)
            return true; /* else all of it stands again further on */
    }
    return false;
}

bool
gvs_relay_build(struct gvs_relay *r, const struct gvs_duty *duty,
                const struct gvs_table *const table[static GVS_TABLE_COUNT], size_t room,
                struct gvs_msg *m, struct gvs_cargo *cargo)
{
    struct gvs_level *level = &r->level[duty->level];
    struct gvs_lane *lane = duty->lane;
    unsigned arc = level->split ? duty->level + 1 : 0;

    *m = (struct gvs_msg){.type = GVS_MSG_PUSH, .arc = arc};
    *cargo = (struct gvs_cargo){
        .kind = GVS_CARGO_LOG, .level = (uint8_t)duty->level, .arc = (uint8_t)arc};
    if (load_lost(lane, &level->log, table, &room, m, cargo))
        return true;
    if (lane->next < gvs_keylog_tail(&level->log))
        lane->next = level->log.head; /* too far behind: left to reconciliation */
    if (lane->next == level->log.head)
        return false;
    cargo->first = lane->next;
    lane->next = load(&level->log, table, lane->next, level->log.head - 1, &room, m);
    cargo->last = lane->next - 1;
    return m->entry_count > 0;
}

/* The level was split when it left, and is not any more: all of the arc are owed it. */
static void
owe_arc(struct gvs_level *level, const struct gvs_member *m, const struct gvs_cargo *cargo)
{
    for (size_t i = 0; i < level->lane_count; i++) {
        if (arc_index(&level->lane[i].head->id, cargo->level) == arc_index(&m->id, cargo->level))
            add_lost(&level->lane[i], cargo->first, cargo->last);
    }
}

void
gvs_relay_owe(struct gvs_relay *r, struct gvs_mono now, const struct gvs_member *m,
              const struct gvs_flight *flight)
{
    const struct gvs_cargo *cargo = &flight->cargo;
    struct gvs_level *level = &r->level[cargo->level];
    struct gvs_lane *lane = lane_to(level, cargo->level, m);

    GVS_ASSERT(cargo->kind == GVS_CARGO_LOG);
    if (!level->split && cargo->arc > 0) {
        owe_arc(level, m, cargo);
        return;
    }
    if (level->split && arc_index(&m->id, cargo->level) == arc_index(&r->self, cargo->level))
        serve_below(r, now, cargo->level, cargo->first, cargo->last + 1);
    if (!lane || !lane->head)
        return;
    add_lost(lane, cargo->first, cargo->last);
    if (!level->split || lane->head != m || m->heard_at.us > flight->sent.us)
        return;
    lane->head = choose_head(r, arc_of(r->members, &m->id, cargo->level + 1u), ++lane->turn, m);
    connect_head(r, now, lane);
}
