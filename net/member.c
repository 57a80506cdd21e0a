/* net/member.c: places, and what is known of whom; the rounds are in net/detector.c. */
#include "net/detector.h"

#include <stdlib.h>
#include <string.h>

#include "core/err.h"

#define TELL_AGAIN_MS 1000
#define ASKED_MS 1000 /* an answer may take so long; nothing special about it */
#define ALARMS_MAX 8
#define CLOCK_AGE_MS 300000
#define LATE_MS 5000 /* as long as a handshake may take: net/session.c */
#define WALL_STEP_MS 1000

/* --- places --- */

struct gvs_members *
gvs_members_open(size_t max, const struct gvs_id *self, struct gvs_random random,
                 struct gvs_mono now)
{
    struct gvs_members *ms = calloc(1, sizeof *ms);

    GVS_ASSERT(max >= 1);
    if (!ms)
        return NULL;
    ms->max = max;
    ms->random = random;
    ms->period = now;
    ms->next = now;
    ms->clock_stale = true;
    ms->place = calloc(max, sizeof *ms->place);
    ms->by_id = calloc(max, sizeof *ms->by_id);
    ms->heap = calloc(max, sizeof *ms->heap);
    ms->clocks = calloc(max, sizeof *ms->clocks);
    if (!ms->place || !ms->by_id || !ms->heap || !ms->clocks) {
        gvs_members_close(ms);
        return NULL;
    }
    ms->self = gvs_member_add(ms, self);
    ms->self->self = true;
    return ms;
}

void
gvs_members_close(struct gvs_members *ms)
{
    if (!ms)
        return;
    free(ms->place);
    free(ms->by_id);
    free(ms->heap);
    free(ms->clocks);
    free(ms);
}

size_t
gvs_members_count(const struct gvs_members *ms)
{
    return ms->count;
}

struct gvs_member *
gvs_members_ith(const struct gvs_members *ms, size_t i)
{
    GVS_ASSERT(i < ms->count);
    return ms->by_id[i];
}

struct gvs_member *
gvs_members_place(const struct gvs_members *ms, size_t number)
{
    GVS_ASSERT(number < ms->count);
    return &ms->place[number];
}

size_t
gvs_member_number(const struct gvs_members *ms, const struct gvs_member *m)
{
    return (size_t)(m - ms->place);
}

size_t
gvs_members_counted(const struct gvs_members *ms, enum gvs_member_state state)
{
    return ms->counted[state];
}

/* The first in order of ids that is not below `id`. */
static size_t
lower_bound(const struct gvs_members *ms, const struct gvs_id *id)
{
    size_t lo = 0, hi = ms->count, mid;

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;
        if (gvs_id_cmp(&ms->by_id[mid]->id, id) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

struct gvs_member *
gvs_members_self(const struct gvs_members *ms)
{
    return ms->self;
}

struct gvs_member *
gvs_member_get(const struct gvs_members *ms, const struct gvs_id *id)
{
    size_t i = lower_bound(ms, id);

    if (i == ms->count || gvs_id_cmp(&ms->by_id[i]->id, id) != 0)
        return NULL;
    return ms->by_id[i];
}

struct gvs_member *
gvs_member_add(struct gvs_members *ms, const struct gvs_id *id)
{
    size_t i = lower_bound(ms, id);
    struct gvs_member *m;

    GVS_ASSERT(i == ms->count || gvs_id_cmp(&ms->by_id[i]->id, id) != 0);
    if (ms->count == ms->max)
        return NULL;
    m = &ms->place[ms->count];
    *m = (struct gvs_member){
        .id = *id,
        .verdict = GVS_MONO_NEVER,
        .retry = GVS_MONO_NEVER,
        .turn = GVS_MONO_NEVER,
        .hold = GVS_MONO_NEVER,
        .wake = GVS_MONO_NEVER,
        .heap_at = ms->count,
    };
    ms->heap[ms->count] = m; /* whoever waits for ever stands well at the end */
    memmove(ms->by_id + i + 1, ms->by_id + i, (ms->count - i) * sizeof *ms->by_id);
    ms->by_id[i] = m;
    ms->count++;
    return m;
}

bool
gvs_members_crowded(const struct gvs_members *ms)
{
    return ms->hearsay >= (ms->max + 1) / 2;
}

/* --- gone, and back --- */

/* It lives. */
static void
bring_back(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m)
{
    uint64_t wait = gvs_falls_hold_ms(&m->falls);

    if (!m->gone || m->hold.us != GVS_MONO_NEVER.us)
        return;
    if (wait == 0) {
        m->gone = false;
        ms->clock_stale = true;
        m->todo |= GVS_DUE_EVENT;
    } else {
        m->hold = gvs_mono_add_ms(now, wait);
    }
    gvs_detector_arm(ms, now, m);
}

/* --- what is known --- */

/* Of who left there is nothing but hearsay, and nobody waits for him. */
static bool
is_hearsay(const struct gvs_member *m)
{
    return m->known && !m->heard && !m->self && m->state != GVS_LEFT;
}

static void
set_state(struct gvs_members *ms, struct gvs_member *m, enum gvs_member_state state)
{
    if (m->known)
        ms->counted[m->state]--;
    ms->hearsay -= is_hearsay(m);
    m->known = true;
    m->state = state;
    ms->counted[state]++;
    ms->hearsay += is_hearsay(m);
}

/* A suspicion was refuted by the process that was suspected: there was nothing to it. */
static bool
is_false_alarm(const struct gvs_member *m, enum gvs_member_state state,
               const struct gvs_member_value *value)
{
    return m->known && !m->self && m->state == GVS_SUSPECT && state == GVS_ALIVE && value &&
           value->boot == m->value.boot;
}

static void
note_living(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m, bool revived)
{
    if (m->state == GVS_SUSPECT) {
        gvs_detector_suspect(ms, now, m);
        m->hold = GVS_MONO_NEVER;
    } else { /* its own word, whoever brought it */
        gvs_detector_relieve(ms, now, m);
        bring_back(ms, now, m);
    }
    if (m->state == GVS_SUSPECT || (gvs_members_meshed(ms) && (!m->up || revived)))
        m->todo |= GVS_DUE_ROUND;
}

/* A rumour: ask for ourselves, and then again and again. */
static void
note_dead(struct gvs_mono now, struct gvs_member *m, bool fresh)
{
    if (fresh)
        gvs_falls_note(&m->falls, now);
    m->stage = GVS_STAGE_IDLE;
    m->misses = 0;
    m->since = now;
    m->retry = now;
    m->hold = GVS_MONO_NEVER;
}

void
gvs_member_note(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m, uint64_t order,
                const struct gvs_member_value *value)
{
    enum gvs_member_state state = gvs_member_state(order);
    bool was_dead = m->known && m->state == GVS_DEAD;

    if (is_false_alarm(m, state, value) && ms->alarms < ALARMS_MAX) {
        ms->alarms++;
        ms->alarmed = now;
    }
    set_state(ms, m, state);
    m->noted = now;
    ms->clock_stale = true; /* the retired have no say in what time it is */
    m->incarnation = gvs_member_incarnation(order);
    m->value = value ? *value : (struct gvs_member_value){.boot = 0};
    m->verdict = GVS_MONO_NEVER;
    if (m->self)
        return;
    m->retry = GVS_MONO_NEVER;
    if ((state == GVS_SUSPECT || state == GVS_DEAD) && m->up)
        m->todo |= GVS_DUE_TELL;
    if (state == GVS_LEFT) {
        m->stage = GVS_STAGE_IDLE;
        m->todo = 0;
        m->turn = m->hold = GVS_MONO_NEVER;
        m->gone = false; /* what is retired is more than gone, and nobody asks any more */
    } else if (state == GVS_DEAD) {
        note_dead(now, m, !was_dead);
    } else {
        note_living(ms, now, m, was_dead);
    }
    gvs_detector_arm(ms, now, m);
}

/* A process that was replaced does not come back. But what it had begun before may come up late. */
static bool
is_late(const struct gvs_member *m, struct gvs_mono now, uint64_t boot)
{
    return boot == m->former_boot && now.us - m->boot_at.us < LATE_MS * 1000;
}

void
gvs_member_greeted(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m, uint64_t boot)
{
    (void)ms;
    m->up = true;
    if (m->boot == boot)
        return;
    if (is_late(m, now, boot)) {
        m->former_at = now;
        return;
    }
    if (boot == m->former_boot && now.us - m->former_at.us < GVS_CLONE_MS * 1000) {
        m->cloned = true;
        m->cloned_at = now;
    }
    m->former_boot = m->boot;
    m->former_at = m->heard_at;
    m->boot = boot;
    m->boot_at = now;
}

static void
answer_favours(struct gvs_members *ms, struct gvs_mono now, const struct gvs_member *m)
{
    for (size_t i = 0; i < GVS_FAVOURS_MAX; i++) {
        if (ms->favour[i].asker && ms->favour[i].m == m) {
            ms->favour[i].answered = true;
            ms->next = gvs_mono_min(ms->next, now);
        }
    }
}

void
gvs_member_heard(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m)
{
    bool accused = m->known && (m->state == GVS_SUSPECT || m->state == GVS_DEAD);

    ms->hearsay -= is_hearsay(m);
    m->heard = true;
    m->heard_at = now;
    ms->heard_at = now;
    gvs_detector_relieve(ms, now, m);
    bring_back(ms, now, m);
    if (accused && m->up && gvs_mono_due(gvs_mono_add_ms(m->told, TELL_AGAIN_MS), now))
        gvs_detector_demand(ms, now, m, GVS_DUE_TELL);
    if (ms->favours > 0)
        answer_favours(ms, now, m);
}

/* When the probe was sent; false if it is none of the latest. */
static bool
find_asked(const struct gvs_member *m, uint64_t seq, struct gvs_mono *at)
{
    for (size_t i = 0; i < GVS_ASKED_MAX && i < m->asked_count; i++) {
        if (m->asked[i].seq == seq) {
            *at = m->asked[i].at;
            return true;
        }
    }
    return false;
}

bool
gvs_member_answered(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m, uint64_t seq)
{
    struct gvs_mono at;

    if (!find_asked(m, seq, &at))
        return false;
    gvs_detector_relieve(ms, now, m);
    m->unanswered = 0;
    gvs_member_rtt(m, now.us - at.us);
    if (m->answered.us < at.us)
        m->answered = at;
    return true;
}

/* For one that is dead in the table nobody else's word counts: we want to know whether it answers
 * us. */
void
gvs_member_vouched(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m, uint64_t seq)
{
    struct gvs_mono at;

    if (m->state >= GVS_DEAD || !find_asked(m, seq, &at))
        return;
    ms->heard_at = now;
    gvs_detector_relieve(ms, now, m);
}

void
gvs_member_favour(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *asker,
                  uint64_t seq, struct gvs_member *m)
{
    for (size_t i = 0; i < GVS_FAVOURS_MAX; i++) {
        struct gvs_favour *f = &ms->favour[i];

        if (f->asker && !gvs_mono_due(f->until, now))
            continue;
        ms->favours += f->asker == NULL;
        *f = (struct gvs_favour){
            .asker = asker, .m = m, .seq = seq, .until = gvs_mono_add_ms(now, GVS_FAVOUR_MS)};
        gvs_detector_demand(ms, now, m, m->up ? GVS_DUE_PROBE : GVS_DUE_CONNECT);
        return;
    }
}

void
gvs_member_probe(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m)
{
    if (m->up)
        gvs_detector_demand(ms, now, m, GVS_DUE_PROBE);
}

/* Would one more probe push out another whose answer may still be on its way? */
static bool
is_asked_enough(const struct gvs_member *m, struct gvs_mono now)
{
    struct gvs_mono oldest = m->asked[m->asked_count % GVS_ASKED_MAX].at;

    return m->asked_count >= GVS_ASKED_MAX && oldest.us > m->answered.us &&
           !gvs_mono_due(gvs_mono_add_ms(oldest, ASKED_MS), now);
}

void
gvs_members_probe_all(struct gvs_members *ms, struct gvs_mono now)
{
    for (size_t i = 0; i < ms->count; i++) {
        if (!is_asked_enough(&ms->place[i], now))
            gvs_member_probe(ms, now, &ms->place[i]);
    }
}

void
gvs_member_rtt(struct gvs_member *m, uint64_t us)
{
    if (us == 0)
        us = 1; /* 0 says unknown */
    m->rtt_us = m->rtt_us == 0 ? us : (7 * m->rtt_us + us) / 8;
}

void
gvs_members_doubt(struct gvs_members *ms)
{
    if (ms->health < GVS_HEALTH_MAX)
        ms->health++;
}

void
gvs_members_probe_some(struct gvs_members *ms, struct gvs_mono now, size_t count)
{
    uint32_t first;

    ms->random.fn(ms->random.ctx, &first, sizeof first);
    for (size_t i = 0; i < ms->count && count > 0; i++) {
        struct gvs_member *m = &ms->place[(first + i) % ms->count];

        if (m->self || !m->up || is_asked_enough(m, now))
            continue;
        gvs_detector_demand(ms, now, m, GVS_DUE_PROBE);
        count--;
    }
}

bool
gvs_members_meshed(const struct gvs_members *ms)
{
    return ms->counted[GVS_ALIVE] + ms->counted[GVS_SUSPECT] <= GVS_MESH_MAX ||
           ms->hearsay >= (ms->max + 1) / 4;
}

void
gvs_member_connect(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m)
{
    gvs_detector_demand(ms, now, m, GVS_DUE_CONNECT);
}

void
gvs_members_assert_at(struct gvs_members *ms, struct gvs_mono at)
{
    ms->self->retry = at;
    gvs_detector_arm(ms, at, ms->self);
}

/* --- clocks --- */

void
gvs_members_set_wall(struct gvs_members *ms, struct gvs_mono now, struct gvs_wall wall)
{
    int64_t was = ms->wall_ms;

    ms->wall_ms = (int64_t)(wall.ms - now.us / 1000);
    if (was - ms->wall_ms > WALL_STEP_MS || ms->wall_ms - was > WALL_STEP_MS)
        ms->clock_stale = true;
}

void
gvs_member_clock(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m,
                 uint64_t wall_ms)
{
    if (wall_ms > GVS_HLC_MS_MAX)
        wall_ms = GVS_HLC_MS_MAX; /* or differences of two clocks would overflow */
    ms->clock_stale |= !m->has_clock;
    m->has_clock = true;
    m->clock_ms = (int64_t)(wall_ms - now.us / 1000 + m->rtt_us / 2000);
    m->clock_at = now;
}

void
gvs_member_ahead(struct gvs_members *ms, struct gvs_member *m, bool ahead)
{
    ms->clock_stale |= m->ahead != ahead;
    m->ahead = ahead;
}

static int
compare_clocks(const void *a, const void *b)
{
    int64_t x, y;

    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

/* Of an even number there are two. Where both may be right all meet in the middle; else the one
 * nearer to our own counts: half of the clocks against the other half convince nobody. */
static int64_t
median(int64_t *clocks, size_t count, int64_t own)
{
    int64_t lo, hi;

    qsort(clocks, count, sizeof *clocks, compare_clocks);
    lo = clocks[(count - 1) / 2];
    hi = clocks[count / 2];
    if (hi - lo <= GVS_CLOCK_OFF_MS)
        return lo + (hi - lo) / 2;
    return own - lo < hi - own ? lo : hi;
}

/* Whoever was alone says of all others that they are dead. If that made us forget what time it is,
 * we would take from it whatever a wrong clock had stamped. */
static bool
has_say(const struct gvs_member *m, struct gvs_mono now)
{
    return m->has_clock && m->state != GVS_LEFT && !(m->state == GVS_DEAD && m->gone) &&
           now.us - m->clock_at.us < CLOCK_AGE_MS * 1000;
}

/* A look at all of them once a period, or when there is a new one. */
struct gvs_clock
gvs_members_clock(struct gvs_members *ms, struct gvs_mono now)
{
    struct gvs_clock c;
    size_t n = 0, ahead = 0;

    if (ms->clock_stale) {
        ms->clock_stale = false;
        ms->clocks[n++] = ms->wall_ms;
        for (size_t i = 0; i < ms->count; i++) {
            const struct gvs_member *m = &ms->place[i];

            if (!has_say(m, now))
                continue;
            ms->clocks[n++] = m->clock_ms;
            ahead += m->ahead;
        }
        ms->clock = (struct gvs_clock){n, ahead, median(ms->clocks, n, ms->wall_ms)};
    }
    c = ms->clock;
    c.median_ms = c.known < GVS_CLOCKS_MIN ? 0 : c.median_ms - ms->wall_ms;
    return c;
}

int64_t
gvs_member_clock_offset_ms(const struct gvs_members *ms, const struct gvs_member *m)
{
    return m->has_clock ? m->clock_ms - ms->wall_ms : 0;
}
