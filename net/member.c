/* net/member.c: the rounds of the failure detector; the picture is in net/member.h.
 *
 * Three rules are Lifeguard's. A node that has heard nothing from anybody since it sent a probe has
 * more reason to doubt itself than the one it probed: it becomes slower (`health`) and asks again
 * before it accuses. Suspicion takes longer the less a node trusts itself. And a suspect is told
 * so, so that it can refute (relay sends it the entry like any other).
 *
 * `deadline` is never later than the earliest thing to do; whoever makes something due calls wake.
 */
#include "net/member.h"

#include <stdlib.h>
#include <string.h>

#include "core/err.h"

#define FAVOURS_MAX 16
#define FAVOUR_MS 1000
#define MISSES_MAX 3 /* after so many rounds in a row self-doubt ends; nothing special about 3 */

enum { DUE_PROBE = 1, DUE_CONNECT = 2, DUE_ROUND = 4 };

struct favour {
    struct gvs_member *asker; /* NULL: free */
    struct gvs_member *m;
    uint64_t seq;
    bool answered;
    struct gvs_mono until;
};

struct gvs_members {
    struct gvs_random random;
    size_t max, count;
    size_t scan;            /* where this pass over the members stands */
    unsigned health;        /* 0: well; up to GVS_HEALTH_MAX: we doubt ourselves */
    uint64_t seq;           /* of the latest probe */
    struct gvs_id ring;     /* whom the ring probed last */
    struct gvs_mono period; /* the next one begins */
    struct gvs_mono deadline;
    struct gvs_mono heard_at; /* anything from anybody */
    struct favour favour[FAVOURS_MAX];
    struct gvs_member *place;
    struct gvs_member **by_id;
};

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
    ms->deadline = now;
    ms->place = calloc(max, sizeof *ms->place);
    ms->by_id = calloc(max, sizeof *ms->by_id);
    if (!ms->place || !ms->by_id) {
        gvs_members_close(ms);
        return NULL;
    }
    random.fn(random.ctx, ms->ring.b, sizeof ms->ring.b);
    gvs_member_add(ms, self)->self = true;
    return ms;
}

void
gvs_members_close(struct gvs_members *ms)
{
    if (!ms)
        return;
    free(ms->place);
    free(ms->by_id);
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
    size_t n = 0;

    for (size_t i = 0; i < ms->count; i++)
        n += ms->place[i].known && ms->place[i].state == state;
    return n;
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
    *m = (struct gvs_member){.id = *id, .verdict = GVS_MONO_NEVER, .retry = GVS_MONO_NEVER};
    memmove(ms->by_id + i + 1, ms->by_id + i, (ms->count - i) * sizeof *ms->by_id);
    ms->by_id[i] = m;
    ms->count++;
    return m;
}

/* --- what is known --- */

static void
wake(struct gvs_members *ms, struct gvs_mono at)
{
    ms->deadline = gvs_mono_min(ms->deadline, at);
}

static void
demand(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m, unsigned todo)
{
    if (m->self)
        return;
    m->todo |= todo;
    wake(ms, now);
}

static uint64_t
suspicion_ms(const struct gvs_members *ms)
{
    uint64_t bits = 0;

    for (size_t n = gvs_members_counted(ms, GVS_ALIVE); n > 1; n /= 2)
        bits++;
    return GVS_SUSPICION_MS * (bits > 3 ? bits : 3) / 3 * (2 + ms->health) / 2;
}

static void
begin_suspicion(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m)
{
    m->since = now;
    m->verdict = gvs_mono_add_ms(now, suspicion_ms(ms));
    wake(ms, m->verdict);
}

void
gvs_member_note(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m, uint64_t order,
                const struct gvs_member_value *value)
{
    bool revived = m->known && m->state == GVS_DEAD;

    m->known = true;
    m->state = gvs_member_state(order);
    m->incarnation = gvs_member_incarnation(order);
    m->value = value ? *value : (struct gvs_member_value){.boot = 0};
    m->verdict = GVS_MONO_NEVER;
    m->retry = GVS_MONO_NEVER;
    if (m->self || m->state == GVS_LEFT)
        return;
    if (m->state == GVS_DEAD) { /* a rumour: ask, and then again and again */
        m->stage = GVS_STAGE_IDLE;
        m->retry = now;
        wake(ms, now);
        return;
    }
    if (m->state == GVS_SUSPECT)
        begin_suspicion(ms, now, m);
    if (m->state == GVS_SUSPECT || !m->up || revived)
        demand(ms, now, m, DUE_ROUND);
}

/* A sign of life, from it or about it: the round is over. */
static void
relieve(struct gvs_members *ms, struct gvs_member *m)
{
    if (m->stage != GVS_STAGE_IDLE && ms->health > 0)
        ms->health--;
    m->stage = GVS_STAGE_IDLE;
    m->misses = 0;
    m->helpers_left = 0;
}

void
gvs_member_heard(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m)
{
    m->heard = true;
    m->heard_at = now;
    ms->heard_at = now;
    relieve(ms, m);
    for (size_t i = 0; i < FAVOURS_MAX; i++) {
        if (ms->favour[i].asker && ms->favour[i].m == m) {
            ms->favour[i].answered = true;
            wake(ms, now);
        }
    }
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
    relieve(ms, m);
    gvs_member_rtt(m, now.us - at.us);
    if (m->answered.us < at.us)
        m->answered = at;
    return true;
}

void
gvs_member_vouched(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m, uint64_t seq)
{
    struct gvs_mono at;

    if (!find_asked(m, seq, &at))
        return;
    ms->heard_at = now;
    relieve(ms, m);
}

void
gvs_member_favour(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *asker,
                  uint64_t seq, struct gvs_member *m)
{
    for (size_t i = 0; i < FAVOURS_MAX; i++) {
        struct favour *f = &ms->favour[i];

        if (f->asker && !gvs_mono_due(f->until, now))
            continue;
        *f = (struct favour){
            .asker = asker, .m = m, .seq = seq, .until = gvs_mono_add_ms(now, FAVOUR_MS)};
        demand(ms, now, m, m->up ? DUE_PROBE : DUE_CONNECT);
        return;
    }
}

void
gvs_member_probe(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m)
{
    if (m->up)
        demand(ms, now, m, DUE_PROBE);
}

void
gvs_members_probe_all(struct gvs_members *ms, struct gvs_mono now)
{
    for (size_t i = 0; i < ms->count; i++)
        gvs_member_probe(ms, now, &ms->place[i]);
}

void
gvs_member_rtt(struct gvs_member *m, uint64_t us)
{
    if (us == 0)
        us = 1; /* 0 says unknown */
    m->rtt_us = m->rtt_us == 0 ? us : (7 * m->rtt_us + us) / 8;
}

/* --- rounds --- */

static size_t
random_below(const struct gvs_members *ms, size_t n)
{
    uint32_t r;

    ms->random.fn(ms->random.ctx, &r, sizeof r);
    return r % n;
}

void
gvs_members_probe_some(struct gvs_members *ms, struct gvs_mono now, size_t count)
{
    size_t first = random_below(ms, ms->count);

    for (size_t i = 0; i < ms->count && count > 0; i++) {
        struct gvs_member *m = &ms->place[(first + i) % ms->count];

        if (m->self || !m->up)
            continue;
        demand(ms, now, m, DUE_PROBE);
        count--;
    }
}

void
gvs_member_connect(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m)
{
    demand(ms, now, m, DUE_CONNECT);
}

static uint64_t
timeout_ms(const struct gvs_members *ms, const struct gvs_member *m)
{
    uint64_t ms4 = m->rtt_us == 0 ? GVS_PROBE_TIMEOUT_MS_MAX : 4 * m->rtt_us / 1000;

    if (ms4 < GVS_PROBE_TIMEOUT_MS_MIN)
        ms4 = GVS_PROBE_TIMEOUT_MS_MIN;
    if (ms4 > GVS_PROBE_TIMEOUT_MS_MAX)
        ms4 = GVS_PROBE_TIMEOUT_MS_MAX;
    return ms4 * (1 + ms->health);
}

static void
begin_round(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m)
{
    if (m->stage != GVS_STAGE_IDLE)
        return;
    m->stage = GVS_STAGE_DIRECT;
    m->probed = now;
    m->due = gvs_mono_add_ms(now, timeout_ms(ms, m));
    m->todo |= m->up ? DUE_PROBE : DUE_CONNECT;
}

/* The first miss: ask again, by handshake too since it may have restarted, and let others ask. */
static void
widen_round(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m)
{
    uint64_t wait = 2 * timeout_ms(ms, m);

    if (wait < GVS_PROBE_TIMEOUT_MS_MAX)
        wait = GVS_PROBE_TIMEOUT_MS_MAX;
    m->stage = GVS_STAGE_INDIRECT;
    m->due = gvs_mono_add_ms(now, wait);
    m->todo |= DUE_CONNECT | (m->up ? DUE_PROBE : 0u);
    m->helpers_left = m->up ? GVS_HELPERS : 0; /* without a probe there is no seq to ask with */
    m->helper_at = random_below(ms, ms->count);
}

static bool
answers(const struct gvs_member *m)
{
    return !m->self && m->known && m->state == GVS_ALIVE && m->up;
}

static bool
has_others(const struct gvs_members *ms, const struct gvs_member *but)
{
    for (size_t i = 0; i < ms->count; i++) {
        if (&ms->place[i] != but && answers(&ms->place[i]))
            return true;
    }
    return false;
}

/* The round ended without an answer. True: the member is to be accused. */
static bool
end_round(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m)
{
    m->stage = GVS_STAGE_IDLE;
    m->misses++;
    if (m->state != GVS_ALIVE)
        return false; /* its time runs already */
    if (has_others(ms, m) && ms->heard_at.us < m->probed.us && m->misses < MISSES_MAX) {
        if (ms->health < GVS_HEALTH_MAX)
            ms->health++;
        begin_round(ms, now, m);
        return false;
    }
    return true;
}

/* Everybody who is suspect, and one more: the next on the ring. */
static void
begin_period(struct gvs_members *ms, struct gvs_mono now)
{
    size_t at = lower_bound(ms, &ms->ring);
    struct gvs_member *m;

    ms->period = gvs_mono_add_ms(now, GVS_PERIOD_MS);
    for (size_t i = 0; i < ms->count; i++) {
        if (!ms->place[i].self && ms->place[i].known && ms->place[i].state == GVS_SUSPECT)
            ms->place[i].todo |= DUE_ROUND;
    }
    for (size_t i = 0; i < ms->count; i++) {
        m = ms->by_id[(at + i) % ms->count];
        if (m->self || !m->known || m->state != GVS_ALIVE || gvs_id_cmp(&m->id, &ms->ring) == 0)
            continue;
        ms->ring = m->id;
        m->todo |= DUE_ROUND;
        return;
    }
    m = gvs_member_get(ms, &ms->ring); /* the only one, again */
    if (m && !m->self && m->known && m->state == GVS_ALIVE)
        m->todo |= DUE_ROUND;
}

/* I1: we did not run for a while. Whoever did not answer then had no chance to. */
static void
begin_anew(struct gvs_members *ms, struct gvs_mono now)
{
    for (size_t i = 0; i < ms->count; i++) {
        struct gvs_member *m = &ms->place[i];

        m->stage = GVS_STAGE_IDLE;
        m->misses = 0;
        m->helpers_left = 0;
        if (m->known && m->state == GVS_SUSPECT && !m->self)
            begin_suspicion(ms, now, m);
    }
    ms->period = now;
}

/* --- actions --- */

static bool
act_probe(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m,
          struct gvs_member_action *a)
{
    size_t i = m->asked_count++ % GVS_ASKED_MAX;

    m->asked[i].seq = ++ms->seq;
    m->asked[i].at = now;
    *a = (struct gvs_member_action){.act = GVS_ACT_PROBE, .m = m, .seq = ms->seq};
    return true;
}

static bool
act_ask(struct gvs_members *ms, struct gvs_member *m, struct gvs_member_action *a)
{
    size_t latest = (m->asked_count - 1) % GVS_ASKED_MAX;
    struct gvs_member *other;

    for (size_t i = 0; i < ms->count && m->helpers_left > 0; i++) {
        other = ms->by_id[m->helper_at++ % ms->count];
        if (other == m || !answers(other))
            continue;
        m->helpers_left--;
        *a = (struct gvs_member_action){
            .act = GVS_ACT_ASK, .m = m, .other = other, .seq = m->asked[latest].seq};
        return true;
    }
    m->helpers_left = 0;
    return false;
}

static bool
act_todo(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m,
         struct gvs_member_action *a)
{
    if (m->todo & DUE_ROUND)
        begin_round(ms, now, m);
    m->todo &= ~(unsigned)DUE_ROUND;
    if (m->todo & DUE_PROBE) {
        m->todo &= ~(unsigned)DUE_PROBE;
        return act_probe(ms, now, m, a);
    }
    if (m->todo & DUE_CONNECT) {
        m->todo &= ~(unsigned)DUE_CONNECT;
        *a = (struct gvs_member_action){.act = GVS_ACT_CONNECT, .m = m};
        return true;
    }
    return act_ask(ms, m, a);
}

static void
retry(struct gvs_member *m, struct gvs_mono now)
{
    m->retry = gvs_mono_add_ms(now, GVS_DEAD_RETRY_MS);
    m->todo |= DUE_CONNECT | (m->up ? DUE_PROBE : 0u);
}

static bool
act_timers(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m,
           struct gvs_member_action *a)
{
    enum gvs_member_act act = GVS_ACT_NONE;

    if (gvs_mono_due(m->retry, now))
        retry(m, now);
    if (m->stage == GVS_STAGE_DIRECT && gvs_mono_due(m->due, now)) {
        widen_round(ms, now, m);
    } else if (m->stage == GVS_STAGE_INDIRECT && gvs_mono_due(m->due, now)) {
        if (end_round(ms, now, m))
            act = GVS_ACT_SUSPECT;
    }
    if (m->state == GVS_SUSPECT && gvs_mono_due(m->verdict, now)) {
        if (m->heard && m->heard_at.us >= m->since.us)
            begin_suspicion(ms, now, m); /* I2 */
        else
            act = GVS_ACT_DEAD;
    }
    if (act == GVS_ACT_NONE)
        return false;
    m->verdict = GVS_MONO_NEVER;
    *a = (struct gvs_member_action){.act = act, .m = m};
    return true;
}

static bool
act_favour(struct gvs_members *ms, struct gvs_mono now, struct gvs_member_action *a)
{
    for (size_t i = 0; i < FAVOURS_MAX; i++) {
        struct favour *f = &ms->favour[i];

        if (!f->asker || !f->answered)
            continue;
        *a = (struct gvs_member_action){
            .act = GVS_ACT_VOUCH, .m = f->m, .other = f->asker, .seq = f->seq};
        f->asker = NULL;
        if (!gvs_mono_due(f->until, now))
            return true;
    }
    return false;
}

static struct gvs_mono
next_due(const struct gvs_members *ms, struct gvs_mono now)
{
    struct gvs_mono t = ms->period;

    for (size_t i = 0; i < FAVOURS_MAX; i++) {
        if (ms->favour[i].asker && ms->favour[i].answered)
            return now;
    }
    for (size_t i = 0; i < ms->count; i++) {
        const struct gvs_member *m = &ms->place[i];

        if (m->todo != 0)
            return now;
        if (m->stage != GVS_STAGE_IDLE)
            t = gvs_mono_min(t, m->due);
        t = gvs_mono_min(t, gvs_mono_min(m->verdict, m->retry));
    }
    return t;
}

bool
gvs_members_next(struct gvs_members *ms, struct gvs_mono now, struct gvs_member_action *a)
{
    if (!gvs_mono_due(ms->deadline, now))
        return false;
    if (gvs_mono_due(gvs_mono_add_ms(ms->deadline, GVS_PAUSE_MS), now))
        begin_anew(ms, now);
    ms->deadline = now;
    if (gvs_mono_due(ms->period, now))
        begin_period(ms, now);
    if (act_favour(ms, now, a))
        return true;
    for (; ms->scan < ms->count; ms->scan++) {
        struct gvs_member *m = &ms->place[ms->scan];

        if (m->self)
            continue;
        if (act_timers(ms, now, m, a) || act_todo(ms, now, m, a))
            return true;
    }
    ms->scan = 0;
    ms->deadline = next_due(ms, now);
    return false;
}

struct gvs_mono
gvs_members_deadline(const struct gvs_members *ms)
{
    return ms->deadline;
}
