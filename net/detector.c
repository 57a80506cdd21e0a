/* net/detector.c: the rounds of the failure detector; the picture is in net/member.h.
 *
 * Three rules are Lifeguard's. A node that has heard nothing from anybody since it sent a probe has
 * more reason to doubt itself than the one it probed: it becomes slower (`health`) and asks again
 * before it accuses. (Those who are asked to probe for us get a probe themselves in the same
 * datagram, and where a rumour of a death is looked into, somebody does: else in a quiet cluster
 * nobody would have reason to speak, and we to doubt.) Suspicion
 * takes longer the less a node trusts itself, and also the more suspicions were refuted of late
 * (`alarms`): what loses much needs time, not deaths. And a suspect is told so at once, by
 * everybody who has a session with it, so that it can refute.
 *
 * Handshakes are bounded in all, whatever asks for them: so many at once, so many a second. One
 * that has to wait stops its round's clock; tries of the dead leave half of the burst to the
 * living.
 */
#include "net/detector.h"

#include "core/err.h"

#define MISSES_MAX 3 /* after so many rounds in a row self-doubt ends; nothing special about 3 */
#define UNANSWERED_MAX 3 /* in a row; one in twenty where a fifth of all datagrams get lost */
#define CONNECT_EVERY_US 10000
#define CONNECT_BURST 128
#define DEAD_EVERY_MS 100 /* tries of the dead, all together */
#define ALARM_MS 10000    /* after which one refuted suspicion is forgotten */
#define PHASES 900        /* the last tenth of a period is left to latecomers */
#define WALK_EVERY 16     /* in a large cluster; periods */
#define BITS_FREE 5       /* of the number of members, that cost suspicion no time */

/* --- who wakes first --- */

static void
put(struct gvs_members *ms, size_t at, struct gvs_member *m)
{
    ms->heap[at] = m;
    m->heap_at = at;
}

static void
sift(struct gvs_members *ms, struct gvs_member *m)
{
    size_t at = m->heap_at, kid;

    for (; at > 0 && m->wake.us < ms->heap[(at - 1) / 2]->wake.us; at = (at - 1) / 2)
        put(ms, at, ms->heap[(at - 1) / 2]);
    while ((kid = 2 * at + 1) < ms->count) {
        kid += kid + 1 < ms->count && ms->heap[kid + 1]->wake.us < ms->heap[kid]->wake.us;
        if (m->wake.us <= ms->heap[kid]->wake.us)
            break;
        put(ms, at, ms->heap[kid]);
        at = kid;
    }
    put(ms, at, m);
}

static uint64_t
connect_burst(const struct gvs_member *m)
{
    return m->known && m->state == GVS_DEAD && m->gone ? CONNECT_BURST / 2 : CONNECT_BURST;
}

static struct gvs_mono
connect_at(const struct gvs_members *ms, struct gvs_mono now, const struct gvs_member *m)
{
    uint64_t burst = connect_burst(m);

    if (gvs_limit_allows(&ms->connects, now, CONNECT_EVERY_US, burst))
        return now;
    return (struct gvs_mono){ms->connects.full_us - (burst - 1) * CONNECT_EVERY_US};
}

void
gvs_detector_arm(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m)
{
    struct gvs_mono t =
        gvs_mono_min(gvs_mono_min(m->verdict, m->retry), gvs_mono_min(m->turn, m->hold));

    if (m->todo & ~(unsigned)GVS_DUE_CONNECT)
        t = gvs_mono_min(t, now);
    if (m->todo & GVS_DUE_CONNECT)
        t = gvs_mono_min(t, connect_at(ms, now, m));
    else if (m->stage != GVS_STAGE_IDLE)
        t = gvs_mono_min(t, m->due);
    m->wake = t;
    sift(ms, m);
    ms->next = gvs_mono_min(ms->next, t);
}

void
gvs_detector_demand(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m,
                    unsigned todo)
{
    if (m->self)
        return;
    m->todo |= todo;
    gvs_detector_arm(ms, now, m);
}

/* --- rounds --- */

static size_t
random_below(const struct gvs_members *ms, size_t n)
{
    uint32_t r;

    ms->random.fn(ms->random.ctx, &r, sizeof r);
    return r % n;
}

static uint64_t
suspicion_ms(const struct gvs_members *ms)
{
    uint64_t bits = 0;

    for (size_t n = ms->counted[GVS_ALIVE]; n > 1; n /= 2)
        bits++;
    if (bits < BITS_FREE)
        bits = BITS_FREE;
    return GVS_SUSPICION_MS * bits / BITS_FREE * (2 + ms->health) / 2 * (4 + ms->alarms) / 4;
}

void
gvs_detector_suspect(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m)
{
    m->since = now;
    m->verdict = gvs_mono_add_ms(now, suspicion_ms(ms));
}

void
gvs_detector_relieve(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m)
{
    m->misses = 0;
    if (m->stage == GVS_STAGE_IDLE)
        return;
    if (ms->health > 0)
        ms->health--;
    m->stage = GVS_STAGE_IDLE;
    m->todo &= ~(unsigned)(GVS_DUE_ASK | GVS_DUE_CONNECT);
    gvs_detector_arm(ms, now, m);
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

/* A probe's number, by which it is answered and helpers are asked. */
static uint64_t
number_probe(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m)
{
    size_t i = m->asked_count++ % GVS_ASKED_MAX;

    m->asked[i].seq = ++ms->seq;
    m->asked[i].at = now;
    return ms->seq;
}

static bool
answers(const struct gvs_member *m)
{
    return !m->self && m->known && m->state == GVS_ALIVE && m->up;
}

/* Does anybody hear us? In a quiet cluster nobody else would say so while a round lasts. */
static void
probe_another(struct gvs_members *ms, struct gvs_mono now)
{
    size_t at = random_below(ms, ms->count);

    for (size_t i = 0; i < ms->count; i++) {
        struct gvs_member *other = &ms->place[(at + i) % ms->count];

        if (!answers(other))
            continue;
        gvs_detector_demand(ms, now, other, GVS_DUE_PROBE);
        return;
    }
}

/* Of the dead we want to know at once whether they can be reached at all. */
static void
begin_round(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m)
{
    if (m->stage != GVS_STAGE_IDLE)
        return;
    m->stage = GVS_STAGE_DIRECT;
    m->probed = now;
    m->due = gvs_mono_add_ms(now, timeout_ms(ms, m));
    m->todo |= m->up ? GVS_DUE_PROBE : 0u;
    m->todo |=
        !m->up || m->state == GVS_DEAD || m->unanswered >= UNANSWERED_MAX ? GVS_DUE_CONNECT : 0u;
    m->unanswered += m->up;
    if (m->state == GVS_DEAD && !m->gone)
        probe_another(ms, now);
}

/* The first miss: ask again, by handshake too since it may have restarted, and let others ask: also
 * about whom we have no session with, since two whom the network keeps apart would else accuse each
 * other for ever. Not for who is accused: everybody asks already, on and on, and one handshake of
 * each will do. */
static void
widen_round(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m)
{
    uint64_t wait = timeout_ms(ms, m);

    m->stage = GVS_STAGE_INDIRECT;
    m->todo |= m->up ? GVS_DUE_PROBE : 0u;
    m->todo |= m->misses == 0 && m->state != GVS_DEAD ? GVS_DUE_CONNECT : 0u;
    if (m->state == GVS_ALIVE) {
        wait = 2 * wait < GVS_INDIRECT_MS_MIN ? GVS_INDIRECT_MS_MIN : 2 * wait;
        if (!m->up)
            number_probe(ms, now, m); /* of one that cannot be sent: helpers are asked by it */
        m->todo |= GVS_DUE_ASK;
        m->helpers_left = GVS_HELPERS;
        m->helper_at = random_below(ms, ms->count);
    }
    m->due = gvs_mono_add_ms(now, wait);
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
    if (!m->known) {
        m->up = false; /* whoever named it to us connects anew */
        return false;
    }
    if (m->state == GVS_SUSPECT) { /* its time runs; ask until it has run out */
        begin_round(ms, now, m);
        return false;
    }
    if (m->state == GVS_ALIVE && !m->up && m->misses < MISSES_MAX) {
        begin_round(ms, now, m); /* a handshake is three datagrams, and one was lost perhaps */
        return false;
    }
    if (ms->heard_at.us < m->probed.us && m->misses < MISSES_MAX && has_others(ms, m)) {
        gvs_members_doubt(ms);
        begin_round(ms, now, m);
        return false;
    }
    if (m->state == GVS_ALIVE)
        return true;
    m->hold = GVS_MONO_NEVER;
    if (!m->gone) { /* I3 */
        m->gone = true;
        ms->clock_stale = true; /* the dead have no say in what time it is */
        m->gone_since = now;
        m->todo |= GVS_DUE_EVENT;
    }
    return false;
}

/* --- periods --- */

/* Also one that has a session and no entry yet: if its greeting was lost, nothing but fingerprints,
 * which travel with probes, show that we have never told each other who we are. */
static bool
on_ring(const struct gvs_member *m)
{
    return !m->self && (m->known ? m->state <= GVS_SUSPECT : m->up);
}

/* How many places behind the next one, of so many others. */
static uint64_t
distance(uint64_t p, size_t others)
{
    uint64_t bits = 0;

    if (others < GVS_MESH_MAX)
        return p % others;
    if (p % WALK_EVERY == 0)
        return p / WALK_EVERY % others;
    while (others >> (bits + 1) > 0)
        bits++;
    return (UINT64_C(1) << (p - p / WALK_EVERY) % bits) - 1;
}

/* Whose turn it is to be probed by us, of the others on the ring. */
static struct gvs_member *
whose_turn(const struct gvs_members *ms, uint64_t p)
{
    size_t others = 0, before = 0, want;

    for (size_t i = 0; i < ms->count; i++) {
        if (ms->by_id[i]->self)
            before = others;
        others += on_ring(ms->by_id[i]);
    }
    if (others == 0)
        return NULL;
    want = (before + distance(p, others)) % others;
    for (size_t i = 0; i < ms->count; i++) {
        if (on_ring(ms->by_id[i]) && want-- == 0)
            return ms->by_id[i];
    }
    return NULL;
}

/* Periods are those of the shared clock. A quarter of one is allowed for it to move: after any step
 * of it the next begins in 0.25 to 1.25 s. */
static void
begin_period(struct gvs_members *ms, struct gvs_mono now)
{
    struct gvs_clock clock = gvs_members_clock(ms, now);
    int64_t shared = (int64_t)(now.us / 1000) + ms->wall_ms + clock.median_ms;
    uint64_t ms_now = shared > 0 ? (uint64_t)shared : 0;
    uint64_t p = (ms_now + GVS_PERIOD_MS / 4) / GVS_PERIOD_MS, at;
    struct gvs_member *m = whose_turn(ms, p);

    ms->clock_stale = true;
    ms->period = gvs_mono_add_ms(now, (p + 1) * GVS_PERIOD_MS - ms_now);
    if (ms->alarms > 0 && gvs_mono_due(gvs_mono_add_ms(ms->alarmed, ALARM_MS), now)) {
        ms->alarms--;
        ms->alarmed = now;
    }
    if (!m || gvs_mono_due(m->turn, now))
        return;
    at = p * GVS_PERIOD_MS + ((unsigned)m->id.b[14] << 8 | m->id.b[15]) % PHASES;
    m->turn = gvs_mono_add_ms(now, at > ms_now ? at - ms_now : 0);
    gvs_detector_arm(ms, now, m);
}

/* I1: we did not run for a while. Whoever did not answer then had no chance to. */
static void
begin_anew(struct gvs_members *ms, struct gvs_mono now)
{
    for (size_t i = 0; i < ms->count; i++) {
        struct gvs_member *m = &ms->place[i];

        m->stage = GVS_STAGE_IDLE;
        m->misses = 0;
        if (m->self || !m->known)
            continue;
        if (m->state == GVS_SUSPECT) {
            gvs_detector_suspect(ms, now, m);
            m->todo |= GVS_DUE_ROUND;
        }
        if (m->state == GVS_DEAD && !m->gone)
            m->retry = now;
        gvs_detector_arm(ms, now, m);
    }
    gvs_members_doubt(ms);
    ms->period = now;
}

/* --- actions --- */

static bool
act(struct gvs_member_action *a, enum gvs_member_act what, struct gvs_member *m)
{
    *a = (struct gvs_member_action){.act = what, .m = m};
    return true;
}

static bool
act_probe(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m,
          struct gvs_member_action *a)
{
    uint64_t seq = number_probe(ms, now, m);

    *a = (struct gvs_member_action){.act = GVS_ACT_PROBE, .m = m, .seq = seq};
    return true;
}

/* One helper each time; the last one done, false. */
static bool
act_ask(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m,
        struct gvs_member_action *a)
{
    size_t latest = (m->asked_count - 1) % GVS_ASKED_MAX;
    struct gvs_member *other;

    for (size_t i = 0; i < ms->count && m->helpers_left > 0; i++) {
        other = ms->by_id[m->helper_at++ % ms->count];
        if (other == m || !answers(other))
            continue;
        m->helpers_left--;
        gvs_detector_demand(ms, now, other, GVS_DUE_PROBE); /* does anybody hear us? */
        *a = (struct gvs_member_action){
            .act = GVS_ACT_ASK, .m = m, .other = other, .seq = m->asked[latest].seq};
        return true;
    }
    m->todo &= ~(unsigned)GVS_DUE_ASK;
    return false;
}

/* The round's clock starts when the handshake does. */
static bool
act_connect(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m,
            struct gvs_member_action *a)
{
    struct gvs_mono due = gvs_mono_add_ms(now, timeout_ms(ms, m));

    if (!gvs_limit_allows(&ms->connects, now, CONNECT_EVERY_US, connect_burst(m)))
        return false;
    gvs_limit_take(&ms->connects, now, CONNECT_EVERY_US);
    m->todo &= ~(unsigned)GVS_DUE_CONNECT;
    m->due = m->due.us > due.us ? m->due : due;
    return act(a, GVS_ACT_CONNECT, m);
}

static bool
take(struct gvs_member *m, enum gvs_due what)
{
    bool due = m->todo & what;

    m->todo &= ~(unsigned)what;
    return due;
}

static bool
act_todo(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m,
         struct gvs_member_action *a)
{
    if (take(m, GVS_DUE_EVENT))
        return act(a, GVS_ACT_GONE, m);
    if (take(m, GVS_DUE_TELL)) {
        m->told = now;
        return act(a, GVS_ACT_TELL, m);
    }
    if (take(m, GVS_DUE_ROUND))
        begin_round(ms, now, m);
    if (take(m, GVS_DUE_PROBE) && m->up)
        return act_probe(ms, now, m, a);
    if ((m->todo & GVS_DUE_ASK) && act_ask(ms, now, m, a))
        return true;
    return (m->todo & GVS_DUE_CONNECT) && act_connect(ms, now, m, a);
}

/* The more are dead, the less often each is tried; and not all at once, though all may have died at
 * once. */
static uint64_t
retry_ms(const struct gvs_members *ms, const struct gvs_member *m)
{
    uint64_t each = ms->counted[GVS_DEAD] * DEAD_EVERY_MS;

    if (!m->gone || m->hold.us != GVS_MONO_NEVER.us)
        return GVS_PERIOD_MS; /* is it, or not? */
    if (each < GVS_DEAD_RETRY_MS)
        each = GVS_DEAD_RETRY_MS;
    return each * 4 / 5 + random_below(ms, each * 2 / 5);
}

/* What is due by m's timers but the round's and the verdict. */
static void
run_timers(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m)
{
    if (gvs_mono_due(m->turn, now)) {
        m->turn = GVS_MONO_NEVER;
        if (on_ring(m))
            begin_round(ms, now, m);
    }
    if (gvs_mono_due(m->retry, now)) {
        begin_round(ms, now, m);
        m->retry = gvs_mono_add_ms(now, retry_ms(ms, m));
    }
    if (gvs_mono_due(m->hold, now)) {
        m->hold = GVS_MONO_NEVER;
        m->gone = false;
        m->todo |= GVS_DUE_EVENT;
    }
}

static bool
act_verdict(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m,
            struct gvs_member_action *a)
{
    if (!gvs_mono_due(m->verdict, now))
        return false;
    m->verdict = GVS_MONO_NEVER;
    if (m->state != GVS_SUSPECT)
        return false;
    if (!m->heard || m->heard_at.us < m->since.us)
        return act(a, GVS_ACT_DEAD, m);
    gvs_detector_suspect(ms, now, m); /* I2: it answers, but does not refute; ask on */
    m->todo |= GVS_DUE_ROUND;
    return false;
}

static bool
act_for(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m,
        struct gvs_member_action *a)
{
    bool due =
        m->stage != GVS_STAGE_IDLE && !(m->todo & GVS_DUE_CONNECT) && gvs_mono_due(m->due, now);

    if (m->self) {
        m->retry = GVS_MONO_NEVER;
        return act(a, GVS_ACT_ASSERT, m);
    }
    run_timers(ms, now, m);
    if (due && m->stage == GVS_STAGE_DIRECT)
        widen_round(ms, now, m);
    else if (due && end_round(ms, now, m))
        return act(a, GVS_ACT_SUSPECT, m);
    return act_verdict(ms, now, m, a) || act_todo(ms, now, m, a);
}

static bool
act_favour(struct gvs_members *ms, struct gvs_mono now, struct gvs_member_action *a)
{
    for (size_t i = 0; i < GVS_FAVOURS_MAX && ms->favours > 0; i++) {
        struct gvs_favour *f = &ms->favour[i];

        if (!f->asker || (!f->answered && !gvs_mono_due(f->until, now)))
            continue;
        *a = (struct gvs_member_action){
            .act = GVS_ACT_VOUCH, .m = f->m, .other = f->asker, .seq = f->seq};
        f->asker = NULL;
        ms->favours--;
        if (!gvs_mono_due(f->until, now))
            return true;
    }
    return false;
}

bool
gvs_members_next(struct gvs_members *ms, struct gvs_mono now, struct gvs_member_action *a)
{
    if (!gvs_mono_due(ms->next, now))
        return false;
    if (gvs_mono_due(gvs_mono_add_ms(ms->next, GVS_PAUSE_MS), now))
        begin_anew(ms, now);
    ms->next = now;
    if (gvs_mono_due(ms->period, now))
        begin_period(ms, now);
    if (act_favour(ms, now, a))
        return true;
    while (gvs_mono_due(ms->heap[0]->wake, now)) {
        struct gvs_member *m = ms->heap[0];
        bool done = act_for(ms, now, m, a);

        gvs_detector_arm(ms, now, m);
        if (done)
            return true;
    }
    ms->next = gvs_mono_min(ms->period, ms->heap[0]->wake);
    return false;
}

struct gvs_mono
gvs_members_deadline(const struct gvs_members *ms)
{
    return ms->next;
}
