/* net/node_in.c: what came, and what it changes. */
#include <string.h>

#include "core/bytes.h"
#include "net/node_impl.h"

#define SETTLE_MS 200 /* pushes younger than this may still explain why fingerprints differ */
#define MASK_MS 1000
#define SYNCED_MS 60000 /* so long those who are missing are waited for */
#define SPREAD_MS 20    /* so that what comes in several datagrams is passed on together */

struct incoming {
    struct gvs_mono now;
    struct gvs_wall wall;
    struct gvs_member *from;
    struct gvs_ep ep;                /* where it came from */
    uint64_t boot;                   /* his */
    bool answered;                   /* a probe of ours: compare once all of the body was handled */
    uint64_t print[GVS_TABLE_COUNT]; /* his fingerprints */
};

static void
note_refusal(struct gvs_node *n, const struct incoming *in, const struct gvs_id *by,
             enum gvs_refusal why)
{
    n->refused[why].count++;
    n->refused[why].at = in->now;
    n->refused[why].by = *by;
    n->refused[why].ep = in->ep;
}

/* What an error of the replica's means to whoever brought the entry. */
static enum gvs_refusal
refusal_of(int rc, bool member)
{
    switch (rc) {
    case GVS_E_DELETED:
        return GVS_REFUSAL_DELETED;
    case GVS_E_RANGE:
        return member ? GVS_REFUSAL_LEAP : GVS_REFUSAL_FUTURE;
    case GVS_E_FULL:
        return GVS_REFUSAL_FULL;
    default:
        return GVS_REFUSAL_ENTRY;
    }
}

/* The sessions count what they reject; whose the latest was they leave to us. */
static void
note_rejected(struct gvs_node *n, const struct gvs_ep *from)
{
    for (size_t why = 0; why < GVS_REJECT_COUNT; why++) {
        uint64_t count = gvs_sessions_rejected(n->sessions, (enum gvs_reject)why);

        if (count != n->rejects_seen[why])
            n->rejected_from[why] = *from;
        n->rejects_seen[why] = count;
    }
}

/* Has every member met all whom it was told of, and we too? Then nobody is missing of whom anybody
 * knows. */
static bool
all_have_met(const struct gvs_node *n)
{
    for (size_t i = 0; i < gvs_members_count(n->members); i++) {
        const struct gvs_member *m = gvs_members_place(n->members, i);

        if (!m->self && m->known && m->state != GVS_LEFT && !m->met)
            return false;
    }
    return gvs_node_meets_all(n);
}

/* We have all that he has, or would take. That makes us synced if he is: two that were wiped, or
 * restored, and meet first would else confirm each other in knowing nothing. Where nobody is, all
 * who can be asked have to agree; whoever is missing is waited for, but not for ever. */
static void
note_agreement(struct gvs_node *n, struct gvs_mono now, struct gvs_member *from)
{
    const struct gvs_age *age = &n->replica.age;
    bool late = gvs_mono_due(gvs_mono_add_ms(age->began, SYNCED_MS), now);

    gvs_age_agreed(now, from);
    if (n->synced)
        return;
    n->synced = from->synced || (late && gvs_age_living_agree(age)) ||
                (all_have_met(n) && gvs_age_all_equal(age));
}

/* A push on its way may be why fingerprints differ. But where all write all the time, one always
 * is: for longer than relay needs, that is no excuse. */
static bool
may_settle(const struct gvs_node_peer *p, struct gvs_mono now, enum gvs_table_no no)
{
    struct gvs_mono oldest = gvs_pace_oldest(&p->pace);

    return oldest.us != GVS_MONO_NEVER.us &&
           !gvs_mono_due(gvs_mono_add_ms(oldest, SETTLE_MS), now) &&
           !gvs_mono_due(gvs_mono_add_ms(p->apart[no], GVS_SYNC_YOUNG_MS), now);
}

/* Where fingerprints differ, search; and look again later. */
static void
compare(struct gvs_node *n, const struct incoming *in, enum gvs_table_no no)
{
    struct gvs_node_peer *p = gvs_node_wake(n, in->from);
    uint64_t again_ms = SETTLE_MS;

    if (in->print[no] == gvs_table_fingerprint(n->replica.table[no])) {
        p->apart[no] = GVS_MONO_NEVER;
        return;
    }
    p->apart[no] = gvs_mono_min(p->apart[no], in->now);
    if (!may_settle(p, in->now, no)) {
        gvs_sync_start(&n->sync, &p->sync, in->now, no, in->print[no], !n->synced);
        again_ms = gvs_sync_interval_ms(&p->sync, no);
        if (no == GVS_TABLE_CLAIMS && gvs_sync_is_vain(&p->sync, no))
            note_agreement(n, in->now, in->from);
    }
    p->check = gvs_mono_min(p->check, gvs_mono_add_ms(in->now, again_ms));
    n->due = gvs_mono_min(n->due, p->check);
}

static unsigned
hour_of(const struct gvs_msg *m)
{
    return (unsigned)(m->status >> GVS_STATUS_HOUR_SHIFT & GVS_STATUS_HOUR_MASK);
}

/* By a clock so far from all others' he forgets tombstones at other hours than we do, and hours are
 * named by their low bits. */
static bool
is_days_off(const struct gvs_node *n, struct gvs_mono now, const struct gvs_member *from)
{
    int64_t off =
        gvs_member_clock_offset_ms(n->members, from) - gvs_members_clock(n->members, now).median_ms;
    int64_t most = GVS_AGE_HOURS_AHEAD * (int64_t)GVS_AGE_HOUR_MS;

    return off < -most || off > most;
}

/* Were both of his tables as ours are now? */
static bool
is_equal(const struct gvs_node *n, const struct incoming *in, const struct gvs_msg *m)
{
    return !is_days_off(n, in->now, in->from) &&
           m->claims == gvs_table_fingerprint(n->replica.table[GVS_TABLE_CLAIMS]) &&
           m->members == gvs_table_fingerprint(n->replica.table[GVS_TABLE_MEMBERS]) &&
           hour_of(m) == gvs_age_name(&n->replica.age);
}

/* In chunks, each of which names what it stands for. */
static void
lend_vector(struct gvs_node *n, struct gvs_mono now, struct gvs_member *to)
{
    size_t from, end;

    if (!gvs_age_lends(&n->replica.age, now, to, &from, &end))
        return;
    for (; from < end; from += GVS_VECTOR_WRITERS_MAX)
        gvs_node_note(n, to, &(struct gvs_note){.type = GVS_MSG_VECTOR, .seq = from});
}

static void
on_vector(struct gvs_node *n, struct incoming *in, const struct gvs_msg *m)
{
    if (is_equal(n, in, m) &&
        gvs_replica_vector(&n->replica, in->now, in->wall, m->bin.b, m->bin.len) < 0) {
        n->counts.refused++;
        note_refusal(n, in, &in->from->id, GVS_REFUSAL_ENTRY);
    }
}

static void
on_refused(struct gvs_node *n, struct incoming *in, const struct gvs_msg *m)
{
    for (size_t at = 0; at < m->bin.len; at += 8)
        n->counts.dropped += gvs_replica_refused(&n->replica, in->now, gvs_get64(m->bin.b + at));
}

static void
take_status(struct gvs_node *n, const struct incoming *in, const struct gvs_msg *m)
{
    struct gvs_member *from = in->from;

    from->has_fingerprint = true;
    from->fingerprint = m->claims;
    from->members_fingerprint = m->members;
    from->in_step = m->status & GVS_STATUS_IN_STEP;
    from->observes = m->status & GVS_STATUS_OBSERVES;
    from->synced = m->status & GVS_STATUS_SYNCED;
    gvs_member_ahead(n->members, from, m->status & GVS_STATUS_AHEAD);
    if (!is_days_off(n, in->now, from))
        gvs_age_named(&n->replica.age, hour_of(m));
    if (is_equal(n, in, m))
        gvs_age_equal(&n->replica.age, in->now, from);
    /* Whom it met since we were equal it may know, and we not. */
    from->met = m->status & GVS_STATUS_MET && (from->met || is_equal(n, in, m));
    if (m->claims == gvs_table_fingerprint(n->replica.table[GVS_TABLE_CLAIMS]))
        note_agreement(n, in->now, from);
}

static void
on_probe(struct gvs_node *n, struct incoming *in, const struct gvs_msg *m)
{
    gvs_member_clock(n->members, in->now, in->from, m->wall_ms);
    take_status(n, in, m);
    gvs_node_note(n, in->from, &(struct gvs_note){.type = GVS_MSG_ACK, .seq = m->seq});
}

/* The one who asked searches: so that of two who see a difference only one begins. */
static void
on_ack(struct gvs_node *n, struct incoming *in, const struct gvs_msg *m)
{
    if (!gvs_member_answered(n->members, in->now, in->from, m->seq))
        return;
    gvs_pace_sample(&gvs_node_wake(n, in->from)->pace, in->from->rtt_us);
    take_status(n, in, m);
    in->answered = true;
    if (is_equal(n, in, m))
        lend_vector(n, in->now, in->from);
    in->print[GVS_TABLE_CLAIMS] = m->claims;
    in->print[GVS_TABLE_MEMBERS] = m->members;
}

static void
on_probe_req(struct gvs_node *n, struct incoming *in, const struct gvs_msg *m)
{
    struct gvs_member *target = gvs_member_get(n->members, &m->id);

    if (target && !target->self && target != in->from)
        gvs_member_favour(n->members, in->now, in->from, m->seq, target);
}

static void
on_vouch(struct gvs_node *n, struct incoming *in, const struct gvs_msg *m)
{
    struct gvs_member *target = gvs_member_get(n->members, &m->id);

    if (target && !target->self)
        gvs_member_vouched(n->members, in->now, target, m->seq);
}

/* Whoever hears first-hand that a member has come tells the others: it may know nobody else. Not a
 * node that is new itself, to which everybody comes. */
static bool
is_arrival(const struct gvs_node *n, const struct gvs_member *from, const struct gvs_entry *e)
{
    return n->synced && e->kind == GVS_KEY_MEMBER && gvs_member_state(e->order) == GVS_ALIVE &&
           memcmp(e->key + 1, from->id.b, GVS_ID_LEN) == 0 &&
           (!from->known || from->state == GVS_DEAD);
}

/* Whoever brings what was deleted long ago was away: he is told. */
static void
refuse(struct gvs_node *n, struct gvs_member *from, const struct gvs_entry *e)
{
    n->counts.deleted++;
    gvs_node_note(n, from,
                  &(struct gvs_note){.type = GVS_MSG_REFUSED,
                                     .seq = gvs_table_id(n->replica.table[GVS_TABLE_CLAIMS], e)});
}

/* The tombstone above what he brought is in no fingerprint: no comparing would give it to him. */
static void
outdate(struct gvs_node *n, struct gvs_member *from, const struct gvs_entry *e)
{
    struct gvs_entry held;

    if (e->kind != GVS_KEY_MEMBER && gvs_age_outdates(&n->replica.age, e, &held))
        gvs_sync_give_id(&n->sync, &gvs_node_wake(n, from)->sync, GVS_TABLE_CLAIMS,
                         gvs_table_id(n->replica.table[GVS_TABLE_CLAIMS], &held));
}

/* Returns whether it was news. The duty to serve an arc is there even if it was not, but not for
 * what was refused. */
static bool
take_entry(struct gvs_node *n, const struct incoming *in, const struct gvs_entry *e, unsigned arc)
{
    bool arrival = is_arrival(n, in->from, e);
    int rc = gvs_replica_take(&n->replica, in->now, in->wall, in->from, e);

    if (rc < 0) {
        n->counts.refused++;
        note_refusal(n, in, &in->from->id, refusal_of(rc, e->kind == GVS_KEY_MEMBER));
        if (rc == GVS_E_DELETED)
            refuse(n, in->from, e);
        return false;
    }
    if (arc > 0 || arrival)
        gvs_replica_serve(&n->replica, in->now, arc, e->key, e->key_len);
    if (rc == 0) {
        outdate(n, in->from, e);
        return false;
    }
    n->counts.merged++;
    if (e->kind != GVS_KEY_MEMBER && gvs_id_cmp(&e->writer, &n->self) == 0)
        n->counts.own_name++;
    return true;
}

/* --- PUSH and its acknowledgement --- */

/* Before a push falls out of the mask it is acknowledged. After a pause the mask begins anew: what
 * is long known need not be said again. */
static void
note_received(struct gvs_node *n, const struct incoming *in, uint64_t seq, uint64_t news)
{
    struct gvs_node_peer *p = gvs_node_wake(n, in->from);
    struct gvs_received *r = &p->received;
    uint64_t ahead;

    if (r->boot != in->boot)
        *r = (struct gvs_received){.boot = in->boot};
    ahead = seq > r->seq ? seq - r->seq : 0;
    if (r->unsaid + ahead > 64)
        gvs_node_acknowledge(n, p);
    if (gvs_mono_due(gvs_mono_add_ms(r->at, MASK_MS), in->now) || ahead > 64)
        r->mask = 0;
    if (ahead > 0 && ahead <= 64)
        r->mask = (ahead < 64 ? r->mask << ahead : 0) | UINT64_C(1) << (ahead - 1);
    else if (seq < r->seq && r->seq - seq <= 64)
        r->mask |= UINT64_C(1) << (r->seq - seq - 1);
    if (ahead > 0)
        r->seq = seq;
    r->news += news;
    r->unsaid++;
    r->at = in->now;
}

/* What reconciliation brings is not relayed: most have it, and it may be a whole table. But those
 * that lack it as well are found at once, by comparing. */
static void
spread_later(struct gvs_node *n, struct gvs_mono now)
{
    if (n->spread.us != GVS_MONO_NEVER.us)
        return;
    n->spread = gvs_mono_add_ms(now, SPREAD_MS);
    if (n->spread.us < n->spread_next.us)
        n->spread = n->spread_next;
    n->due = gvs_mono_min(n->due, n->spread);
}

static void
on_push(struct gvs_node *n, struct incoming *in, const struct gvs_msg *m)
{
    uint64_t news = 0;

    for (size_t i = 0; i < m->entry_count; i++)
        news += take_entry(n, in, &m->entry[i], (unsigned)m->arc);
    n->counts.taken += m->entry_count;
    note_received(n, in, m->seq, news);
    if (m->repair && m->entry_count > 0)
        gvs_sync_came(&n->sync, &gvs_node_wake(n, in->from)->sync, in->now,
                      m->entry[0].kind == GVS_KEY_MEMBER ? GVS_TABLE_MEMBERS : GVS_TABLE_CLAIMS,
                      news);
    if (news > 0 && m->repair)
        spread_later(n, in->now);
}

static void
land(struct gvs_node *n, struct gvs_node_peer *p, uint64_t seq, uint64_t news)
{
    const struct gvs_flight *f = gvs_pace_land(&p->pace, seq);

    if (f)
        gvs_sync_landed(&n->sync, &p->sync, &f->cargo, news);
}

static void
on_push_ack(struct gvs_node *n, struct incoming *in, const struct gvs_msg *m)
{
    struct gvs_node_peer *p = gvs_node_wake(n, in->from);
    struct gvs_mono sent;

    if (gvs_pace_sent(&p->pace, m->seq, &sent)) {
        gvs_member_rtt(in->from, in->now.us - sent.us);
        gvs_pace_sample(&p->pace, in->now.us - sent.us);
    }
    gvs_pace_late(&p->pace, in->now, m->seq);
    land(n, p, m->seq, m->news);
    for (unsigned i = 0; i < 64 && i + 1 < m->seq; i++) {
        if (m->mask >> i & 1)
            land(n, p, m->seq - 1 - i, m->news);
    }
    n->due = gvs_mono_min(n->due, gvs_pace_deadline(&p->pace)); /* others may be overtaken */
}

/* --- reconciliation --- */

static void
on_sketch(struct gvs_node *n, struct incoming *in, const struct gvs_msg *m)
{
    struct gvs_node_peer *p = gvs_node_wake(n, in->from);

    if (gvs_sync_sketch(&n->sync, &p->sync, in->now, m) && m->table == GVS_TABLE_CLAIMS)
        note_agreement(n, in->now, in->from);
}

static void
on_more(struct gvs_node *n, struct incoming *in, const struct gvs_msg *m)
{
    gvs_sync_more(&n->sync, &gvs_node_wake(n, in->from)->sync, m);
}

static void
on_sums(struct gvs_node *n, struct incoming *in, const struct gvs_msg *m)
{
    gvs_sync_sums(&n->sync, &gvs_node_wake(n, in->from)->sync, in->now, m, n->self.b[0]);
}

static void
on_ids(struct gvs_node *n, struct incoming *in, const struct gvs_msg *m)
{
    struct gvs_node_peer *p = gvs_node_wake(n, in->from);

    if (gvs_sync_ids(&n->sync, &p->sync, in->now, m) && m->table == GVS_TABLE_CLAIMS)
        note_agreement(n, in->now, in->from);
}

static void
on_want(struct gvs_node *n, struct incoming *in, const struct gvs_msg *m)
{
    gvs_sync_want(&n->sync, &gvs_node_wake(n, in->from)->sync, in->now, m);
}

static const struct {
    uint64_t type;
    void (*handle)(struct gvs_node *n, struct incoming *in, const struct gvs_msg *m);
} handlers[] = {
    {GVS_MSG_PROBE, on_probe},     {GVS_MSG_ACK, on_ack},   {GVS_MSG_PROBE_REQ, on_probe_req},
    {GVS_MSG_VOUCH, on_vouch},     {GVS_MSG_PUSH, on_push}, {GVS_MSG_PUSH_ACK, on_push_ack},
    {GVS_MSG_SKETCH, on_sketch},   {GVS_MSG_MORE, on_more}, {GVS_MSG_SUMS, on_sums},
    {GVS_MSG_IDS, on_ids},         {GVS_MSG_WANT, on_want}, {GVS_MSG_VECTOR, on_vector},
    {GVS_MSG_REFUSED, on_refused},
};

static void
take_body(struct gvs_node *n, struct incoming *in, const uint8_t *b, size_t len)
{
    struct gvs_wire_reader reader;
    struct gvs_node_peer *p;
    struct gvs_msg m;

    if (gvs_wire_open(&reader, b, len) < 0) {
        n->counts.rejected[GVS_REJECT_MALFORMED]++;
        note_refusal(n, in, &in->from->id, GVS_REFUSAL_BODY);
        return;
    }
    n->counts.unknown += reader.unknown;
    while (gvs_wire_next(&reader, &m)) {
        for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++) {
            if (handlers[i].type == m.type)
                handlers[i].handle(n, in, &m);
        }
    }
    if (!in->answered)
        return;
    p = gvs_node_wake(n, in->from);
    if (gvs_mono_due(p->since, in->from->answered)) {
        p->check = GVS_MONO_NEVER;
        p->checks = 0;
    }
    compare(n, in, GVS_TABLE_MEMBERS);
    compare(n, in, GVS_TABLE_CLAIMS);
}

/* It had no session, or has started anew: nothing is owed from before. It is told who we are, and
 * what is said of it where that wants refuting. */
static void
meet(struct gvs_node *n, struct gvs_mono now, struct gvs_node_peer *p, uint64_t boot)
{
    struct gvs_member *m = p->member;

    gvs_member_greeted(n->members, now, m, boot);
    n->regroup = true;
    gvs_pace_doom(&p->pace); /* relay owes it again */
    gvs_sync_reset(&n->sync, &p->sync);
    p->sync.leads = gvs_id_cmp(&n->self, &m->id) < 0;
    p->note_count = 0;
    p->received = (struct gvs_received){0};
    gvs_node_tell(n, m, &n->self);
    if (m->known && m->state != GVS_ALIVE)
        gvs_node_tell(n, m, &m->id);
}

/* A session has come up. It is tried until there is an answer, also where it only took the place of
 * another: if what confirms it was lost, and nothing else is said in it, the other side gives it up
 * and does not hear us any more. */
static void
greet(struct gvs_node *n, struct gvs_mono now, struct gvs_member *m, uint64_t boot)
{
    struct gvs_node_peer *p = gvs_node_wake(n, m);

    if (!m->up || m->boot != boot)
        meet(n, now, p, boot);
    p->since = now;
    p->check = gvs_mono_add_ms(now, SETTLE_MS);
    p->checks = 0;
    n->due = now;
    gvs_member_probe(n->members, now, m);
}

void
gvs_node_recv(struct gvs_node *n, struct gvs_mono now, struct gvs_wall wall,
              const struct gvs_ep *from, const uint8_t *pkt, size_t len)
{
    struct incoming in = {.now = now, .wall = wall, .ep = *from};
    struct gvs_session_recv r;

    if (!n->started)
        return;
    n->counts.received++;
    n->counts.received_bytes += len;
    gvs_sessions_recv(n->sessions, now, wall, from, pkt, len, &r);
    if (r.event == GVS_SESSION_NOTHING) {
        note_rejected(n, from);
        return;
    }
    if (r.event == GVS_SESSION_SELF) {
        gvs_node_is_own(n, &r.from);
        return;
    }
    in.from = gvs_member_get(n->members, &r.peer);
    if (!in.from)
        in.from = gvs_member_add(n->members, &r.peer);
    if (in.from && in.from->self && r.peer_boot != n->replica.value.boot)
        gvs_replica_cloned(&n->replica, now, &r.from);
    if (!in.from)
        note_refusal(n, &in, &r.peer, GVS_REFUSAL_MEMBER);
    if (!in.from || in.from->self) {
        gvs_sessions_drop(n->sessions, &r.peer);
        return;
    }
    if (r.event == GVS_SESSION_UP || r.up) {
        gvs_node_answered(n, &r.from, &r.peer, r.peer_boot);
        greet(n, now, in.from, r.peer_boot);
    }
    in.boot = r.peer_boot;
    gvs_member_heard(n->members, now, in.from);
    if (r.event == GVS_SESSION_DATA && r.len > 0)
        take_body(n, &in, r.body, r.len);
}
