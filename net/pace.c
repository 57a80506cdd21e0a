#include "net/pace.h"

#include "core/err.h"

#define OVERTAKEN 8 /* landings of so much later ones say that one is lost, before its time-out */
#define DOUBLINGS_MAX 7

void
gvs_pace_reset(struct gvs_pace *p)
{
    for (size_t i = 0; i < GVS_FLIGHTS_MAX && p->flying > 0; i++)
        p->flight[i].seq = 0;
    p->window = GVS_WINDOW_START;
    p->flying = p->timeouts = p->landed = p->lost = 0;
    p->oldest = p->round = p->seq + 1;
    p->highest = p->doomed = p->seq;
}

bool
gvs_pace_open(const struct gvs_pace *p)
{
    return p->flying < p->window && p->seq + 1 - p->oldest < GVS_FLIGHTS_MAX;
}

uint64_t
gvs_pace_fly(struct gvs_pace *p, struct gvs_mono now, const struct gvs_cargo *cargo)
{
    struct gvs_flight *f = &p->flight[++p->seq % GVS_FLIGHTS_MAX];

    GVS_ASSERT(p->flying < p->window && f->seq == 0); /* I1 */
    *f = (struct gvs_flight){.seq = p->seq, .sent = now, .cargo = *cargo};
    if (p->flying++ == 0)
        p->round = p->seq + p->window; /* the first for which this window's worth makes room */
    return p->seq;
}

/* --- the end of a flight --- */

/* One window's worth of datagrams has ended: what does it say of the link? */
static void
judge_round(struct gvs_pace *p)
{
    if (p->lost == 0)
        p->window += p->window / 2;
    else if (p->lost > (p->landed + p->lost) / 5 + 1)
        p->window /= 2;
    if (p->window < GVS_WINDOW_MIN)
        p->window = GVS_WINDOW_MIN;
    if (p->window > GVS_FLIGHTS_MAX)
        p->window = GVS_FLIGHTS_MAX;
    p->landed = p->lost = 0;
    p->round = p->seq + 1;
}

static struct gvs_flight
end_flight(struct gvs_pace *p, struct gvs_flight *f)
{
    struct gvs_flight ended = *f;

    GVS_ASSERT(f->seq != 0 && p->flying > 0); /* I2 */
    f->seq = 0;
    p->flying--;
    while (p->oldest <= p->seq && p->flight[p->oldest % GVS_FLIGHTS_MAX].seq == 0)
        p->oldest++;
    return ended;
}

const struct gvs_flight *
gvs_pace_land(struct gvs_pace *p, uint64_t seq)
{
    struct gvs_flight *f = &p->flight[seq % GVS_FLIGHTS_MAX];

    if (seq == 0 || f->seq != seq)
        return NULL;
    end_flight(p, f);
    if (p->highest < seq)
        p->highest = seq;
    p->timeouts = 0;
    p->landed++;
    if (seq >= p->round)
        judge_round(p);
    return f;
}

bool
gvs_pace_sent(const struct gvs_pace *p, uint64_t seq, struct gvs_mono *at)
{
    const struct gvs_flight *f = &p->flight[seq % GVS_FLIGHTS_MAX];

    if (seq == 0 || f->seq != seq)
        return false;
    *at = f->sent;
    return true;
}

/* When the oldest in the air counts as lost. One that was overtaken needs no time-out, but a
 * moment, since datagrams that leave together may arrive in another order (as RFC 8985 has it). */
static uint64_t
lost_at_us(const struct gvs_pace *p)
{
    const struct gvs_flight *f = &p->flight[p->oldest % GVS_FLIGHTS_MAX];
    uint64_t moment = p->srtt_us + p->srtt_us / 4 + 2 * p->var_us, rto = gvs_pace_rto_us(p);

    if (f->seq <= p->doomed)
        return 0;
    if (f->seq + OVERTAKEN <= p->highest && moment < rto)
        return f->sent.us + moment;
    return f->sent.us + rto;
}

/* They fly in the order of their numbers, so the oldest is lost first. */
bool
gvs_pace_expire(struct gvs_pace *p, struct gvs_mono now, struct gvs_flight *lost)
{
    struct gvs_flight *f = &p->flight[p->oldest % GVS_FLIGHTS_MAX];
    bool overtaken;

    if (p->flying == 0 || now.us < lost_at_us(p))
        return false;
    overtaken = f->seq + OVERTAKEN <= p->highest;
    *lost = end_flight(p, f);
    f->late = lost->seq;
    if (lost->seq <= p->doomed)
        return true; /* which says nothing of the link */
    p->lost++;
    if (lost->seq >= p->round || p->flying == 0) {
        p->timeouts += !overtaken && p->timeouts < DOUBLINGS_MAX;
        judge_round(p);
    }
    return true;
}

void
gvs_pace_late(struct gvs_pace *p, struct gvs_mono now, uint64_t seq)
{
    struct gvs_flight *f = &p->flight[seq % GVS_FLIGHTS_MAX];

    if (seq == 0 || f->seq != 0 || f->late != seq || seq <= p->doomed)
        return;
    f->late = 0;
    gvs_pace_sample(p, now.us - f->sent.us);
}

void
gvs_pace_doom(struct gvs_pace *p)
{
    p->doomed = p->seq;
}

/* --- time --- */

struct gvs_mono
gvs_pace_oldest(const struct gvs_pace *p)
{
    return p->flying > 0 ? p->flight[p->oldest % GVS_FLIGHTS_MAX].sent : GVS_MONO_NEVER;
}

struct gvs_mono
gvs_pace_deadline(const struct gvs_pace *p)
{
    return p->flying > 0 ? (struct gvs_mono){lost_at_us(p)} : GVS_MONO_NEVER;
}

void
gvs_pace_sample(struct gvs_pace *p, uint64_t us)
{
    uint64_t off = us > p->srtt_us ? us - p->srtt_us : p->srtt_us - us;

    if (us == 0)
        us = 1; /* 0 says unknown */
    if (p->srtt_us == 0) {
        p->srtt_us = us;
        p->var_us = us / 2;
        return;
    }
    p->var_us = (3 * p->var_us + off) / 4;
    p->srtt_us = (7 * p->srtt_us + us) / 8;
}

/* A receiver that is busy with a burst answers late: the margin is never below the least. */
uint64_t
gvs_pace_rto_us(const struct gvs_pace *p)
{
    uint64_t us = p->srtt_us == 0 ? GVS_RTO_US_START : p->srtt_us + 4 * p->var_us + GVS_RTO_US_MIN;

    us <<= p->timeouts;
    return us < GVS_RTO_US_MAX ? us : GVS_RTO_US_MAX;
}
