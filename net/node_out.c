/* net/node_out.c: timers, and what is sent.
 *
 * A body for a member holds all that waits for it: notes first, then one PUSH, then the search of
 * reconciliation. Whose body is next is decided by what is most urgent: answers and probes, on
 * which the time-outs of others depend; then relay, our own changes first; then reconciliation. */
#include <string.h>

#include "core/bytes.h"
#include "net/node_impl.h"

#define BOOTSTRAP_FAST_TRIES 30
#define BOOTSTRAP_FAST_MS 1000
#define BOOTSTRAP_SLOW_MS 10000
#define ASK_BURST_MAX 64 /* datagrams with searches that a peer gets each millisecond */
#define ASK_BURST_US 1000
#define CHECK_MS 500
#define CHECKS_MAX 20
#define SPREAD_PROBES 8
#define COLLECT_MS 10 /* between two bites at old tombstones */
#define SPREAD_INTERVAL_MS 100

/* --- peers for whom there is something to do --- */

struct gvs_node_peer *
gvs_node_wake(struct gvs_node *n, struct gvs_member *m)
{
    struct gvs_node_peer *p = &n->peers[gvs_member_number(n->members, m)];

    if (!p->member) {
        p->member = m;
        p->check = GVS_MONO_NEVER;
        for (size_t no = 0; no < GVS_TABLE_COUNT; no++)
            p->apart[no] = GVS_MONO_NEVER;
        gvs_pace_reset(&p->pace);
    }
    if (!p->busy)
        TAILQ_INSERT_TAIL(&n->busy, p, link);
    p->busy = true;
    return p;
}

void
gvs_node_note(struct gvs_node *n, struct gvs_member *m, const struct gvs_note *note)
{
    struct gvs_node_peer *p = gvs_node_wake(n, m);

    if (p->note_count == GVS_NOTES_MAX)
        return;
    p->note[(p->note_at + p->note_count++) % GVS_NOTES_MAX] = *note;
}

void
gvs_node_tell(struct gvs_node *n, struct gvs_member *m, const struct gvs_id *of)
{
    const struct gvs_table *t = n->replica.table[GVS_TABLE_MEMBERS];
    struct gvs_entry e;

    if (gvs_replica_get_member(&n->replica, of, &e))
        gvs_sync_give_id(&n->sync, &gvs_node_wake(n, m)->sync, GVS_TABLE_MEMBERS,
                         gvs_table_id(t, &e));
}

void
gvs_node_acknowledge(struct gvs_node *n, struct gvs_node_peer *p)
{
    struct gvs_received *r = &p->received;

    if (r->unsaid == 0)
        return;
    gvs_node_note(n, p->member,
                  &(struct gvs_note){
                      .type = GVS_MSG_PUSH_ACK, .seq = r->seq, .mask = r->mask, .news = r->news});
    r->unsaid = 0;
    r->news = 0;
}

/* One whose cells are late is asked again: it has to stay in the list until then. */
static bool
is_idle(const struct gvs_node *n, const struct gvs_node_peer *p)
{
    return p->note_count == 0 && p->received.unsaid == 0 && p->pace.flying == 0 &&
           p->check.us == GVS_MONO_NEVER.us && p->sync.ask.count == 0 && p->sync.give.count == 0 &&
           n->sync.gather.whose != &p->sync;
}

/* --- timers --- */

static bool
is_live_at(const struct gvs_node *n, const struct gvs_ep *ep)
{
    for (size_t i = 0; i < gvs_members_count(n->members); i++) {
        const struct gvs_member *m = gvs_members_ith(n->members, i);

        if (m->known && m->state == GVS_ALIVE && m->up && gvs_ep_cmp(&m->value.ep, ep) == 0)
            return true;
    }
    return false;
}

/* Not to a dead member in whose place another lives: that one would answer, again and again. */
static void
connect_to(struct gvs_node *n, struct gvs_mono now, struct gvs_wall wall, struct gvs_member *m)
{
    const struct gvs_ep *ep = &m->value.ep;

    if (ep->addr.family == GVS_FAMILY_NONE || (m->state == GVS_DEAD && is_live_at(n, ep)))
        return;
    gvs_sessions_connect(n->sessions, now, wall, ep); /* full: next time */
}

static void
act(struct gvs_node *n, struct gvs_mono now, struct gvs_wall wall,
    const struct gvs_member_action *a)
{
    struct gvs_note note = {.id = a->m->id, .seq = a->seq};

    switch (a->act) {
    case GVS_ACT_NONE:
        break;
    case GVS_ACT_PROBE:
        note.type = GVS_MSG_PROBE;
        gvs_node_note(n, a->m, &note);
        break;
    case GVS_ACT_CONNECT:
        connect_to(n, now, wall, a->m);
        break;
    case GVS_ACT_ASK:
        note.type = GVS_MSG_PROBE_REQ;
        gvs_node_note(n, a->other, &note);
        break;
    case GVS_ACT_VOUCH:
        note.type = GVS_MSG_VOUCH;
        gvs_node_note(n, a->other, &note);
        break;
    case GVS_ACT_TELL:
        gvs_node_tell(n, a->m, &a->m->id);
        break;
    case GVS_ACT_ASSERT:
        gvs_replica_assert_self(&n->replica, now);
        break;
    case GVS_ACT_GONE:
        gvs_replica_gone(&n->replica, a->m);
        break;
    case GVS_ACT_SUSPECT:
        gvs_replica_accuse(&n->replica, now, a->m, GVS_SUSPECT);
        break;
    case GVS_ACT_DEAD:
        gvs_replica_accuse(&n->replica, now, a->m, GVS_DEAD);
        break;
    }
}

/* A member may be reached where it does not advertise to be: by another of its addresses, or
 * through somebody who translates them. One that has started anew may have moved away. */
static bool
is_met(const struct gvs_node *n, const struct gvs_bootstrap *b)
{
    const struct gvs_member *m = b->answered ? gvs_member_get(n->members, &b->who) : NULL;

    return (m && m->known && m->state == GVS_ALIVE && m->up && m->boot == b->boot) ||
           is_live_at(n, &b->ep);
}

/* Somebody in this state, or one behind it, who advertises to be there. */
static bool
is_known_at(const struct gvs_node *n, const struct gvs_ep *ep, enum gvs_member_state least)
{
    for (size_t i = 0; i < gvs_members_count(n->members); i++) {
        const struct gvs_member *m = gvs_members_ith(n->members, i);

        if (m->known && m->state >= least && gvs_ep_cmp(&m->value.ep, ep) == 0)
            return true;
    }
    return false;
}

/* Nobody waits for himself, nor for who has left: both may stand in configurations for ever. A
 * host's own name leads to an address that it does not advertise, as 127.0.1.1, often enough. */
static bool
is_missing(const struct gvs_node *n, const struct gvs_bootstrap *b)
{
    return !b->own && !is_met(n, b) && !is_known_at(n, &b->ep, GVS_LEFT);
}

bool
gvs_node_meets_all(const struct gvs_node *n)
{
    bool met[GVS_NODE_PEERS_MAX];

    for (size_t i = 0; i < n->bootstrap_count; i++)
        met[i] = !is_missing(n, &n->bootstrap[i]);
    for (size_t i = 0; i < n->bootstrap_count; i++) {
        bool any = met[i] || n->bootstrap[i].whose == GVS_NODE_HINT;

        for (size_t k = 0; k < n->bootstrap_count && !any; k++)
            any = met[k] && n->bootstrap[k].whose == n->bootstrap[i].whose;
        if (!any)
            return false;
    }
    return true;
}

void
gvs_node_answered(struct gvs_node *n, const struct gvs_ep *from, const struct gvs_id *who,
                  uint64_t boot)
{
    for (size_t i = 0; i < n->bootstrap_count; i++) {
        if (gvs_ep_cmp(&n->bootstrap[i].ep, from) != 0)
            continue;
        n->bootstrap[i].own = false;
        n->bootstrap[i].answered = true;
        n->bootstrap[i].who = *who;
        n->bootstrap[i].boot = boot;
    }
}

void
gvs_node_is_own(struct gvs_node *n, const struct gvs_ep *ep)
{
    for (size_t i = 0; i < n->bootstrap_count; i++) {
        if (gvs_ep_cmp(&n->bootstrap[i].ep, ep) == 0)
            n->bootstrap[i].own = true;
    }
}

static void
try_bootstrap(struct gvs_node *n, struct gvs_mono now, struct gvs_wall wall,
              struct gvs_bootstrap *b)
{
    bool slow = b->tries >= BOOTSTRAP_FAST_TRIES;

    if (!gvs_mono_due(b->next, now))
        return;
    b->next = gvs_mono_add_ms(now, slow ? BOOTSTRAP_SLOW_MS : BOOTSTRAP_FAST_MS);
    if (is_met(n, b) || (b->whose == GVS_NODE_HINT && is_known_at(n, &b->ep, GVS_ALIVE))) {
        b->tries = 0;
        return;
    }
    b->tries++;
    gvs_sessions_connect(n->sessions, now, wall, &b->ep); /* full: next time */
}

/* Compares with it, by a probe; once more if that is not answered, for a while. */
static void
check_again(struct gvs_node *n, struct gvs_mono now, struct gvs_node_peer *p)
{
    p->check = ++p->checks < CHECKS_MAX ? gvs_mono_add_ms(now, CHECK_MS) : GVS_MONO_NEVER;
    gvs_member_probe(n->members, now, p->member);
}

/* What was lost is owed again. A dead member is owed nothing. */
static void
run_peer(struct gvs_node *n, struct gvs_mono now, struct gvs_node_peer *p)
{
    struct gvs_flight lost;

    while (gvs_pace_expire(&p->pace, now, &lost)) {
        if (lost.cargo.kind == GVS_CARGO_LOG)
            gvs_relay_owe(&n->replica.relay, now, p->member, &lost);
        else
            gvs_sync_lost(&n->sync, &p->sync, &lost.cargo);
    }
    if (p->member->state > GVS_SUSPECT &&
        (!p->member->up || p->pace.timeouts >= GVS_TIMEOUTS_SILENT))
        gvs_sync_reset(&n->sync, &p->sync); /* its next answer shows what it lacks */
    if (gvs_mono_due(p->check, now))
        check_again(n, now, p);
}

static void
run_spread(struct gvs_node *n, struct gvs_mono now)
{
    if (!gvs_mono_due(n->spread, now))
        return;
    n->spread = GVS_MONO_NEVER;
    n->spread_next = gvs_mono_add_ms(now, SPREAD_INTERVAL_MS);
    gvs_members_probe_some(n->members, now, SPREAD_PROBES);
}

static void
run_age(struct gvs_node *n, struct gvs_mono now, struct gvs_wall wall)
{
    uint64_t median_ms = (uint64_t)gvs_members_clock(n->members, now).median_ms;
    bool more;

    if (!gvs_mono_due(n->collect, now))
        return;
    n->replica.age.waits = !gvs_node_meets_all(n);
    gvs_replica_look_at_clock(&n->replica, now, wall);
    gvs_age_tick(&n->replica.age, now, (struct gvs_wall){wall.ms + median_ms});
    more = gvs_replica_collect(&n->replica, now);
    n->collect = gvs_mono_add_ms(now, more ? COLLECT_MS : GVS_AGE_LOOK_MS);
}

static void
run_timers(struct gvs_node *n, struct gvs_mono now, struct gvs_wall wall)
{
    struct gvs_node_peer *p;

    if (!gvs_mono_due(n->due, now))
        return;
    TAILQ_FOREACH(p, &n->busy, link)
        run_peer(n, now, p);
    for (size_t i = 0; i < n->bootstrap_count; i++)
        try_bootstrap(n, now, wall, &n->bootstrap[i]);
    run_spread(n, now);
    run_age(n, now, wall);
    gvs_sync_run(&n->sync, now);
    n->due = GVS_MONO_NEVER; /* set once all is sent */
}

/* Who lives, and with whom there is a session, decides whom relay hands entries to. Returns whether
 * that has changed. */
static bool
regroup(struct gvs_node *n, struct gvs_mono now)
{
    uint64_t members = gvs_table_fingerprint(n->replica.table[GVS_TABLE_MEMBERS]);

    if (!n->regroup && members == n->regrouped)
        return false;
    n->regroup = false;
    n->regrouped = members;
    gvs_relay_update(&n->replica.relay, now);
    return true;
}

/* What is found out about members changes who is handed entries, and those may want a session. */
static void
run_members(struct gvs_node *n, struct gvs_mono now, struct gvs_wall wall)
{
    struct gvs_member_action a;

    gvs_members_set_wall(n->members, now, wall);
    do {
        while (gvs_members_next(n->members, now, &a))
            act(n, now, wall, &a);
    } while (regroup(n, now));
}

static struct gvs_mono
peer_due(const struct gvs_node_peer *p)
{
    struct gvs_mono t = gvs_mono_min(p->check, gvs_pace_deadline(&p->pace));

    if (p->member->up && p->sync.ask.count > 0)
        t = gvs_mono_min(t, (struct gvs_mono){p->burst_at.us + ASK_BURST_US});
    return t;
}

static void
set_due(struct gvs_node *n, struct gvs_mono now)
{
    struct gvs_node_peer *p, *next;

    for (p = TAILQ_FIRST(&n->busy); p; p = next) {
        next = TAILQ_NEXT(p, link);
        if (is_idle(n, p)) {
            TAILQ_REMOVE(&n->busy, p, link);
            p->busy = false;
        } else {
            n->due = gvs_mono_min(n->due, peer_due(p));
        }
    }
    for (size_t i = 0; i < n->bootstrap_count; i++)
        n->due = gvs_mono_min(n->due, n->bootstrap[i].next);
    n->due = gvs_mono_min(n->due, gvs_mono_min(n->spread, n->collect));
    n->due = gvs_mono_min(n->due, gvs_sync_run(&n->sync, now));
}

/* --- bodies --- */

/* Datagrams are answered before the caller looks at what they brought. */
static bool
is_in_step(const struct gvs_node *n)
{
    return n->in_step && n->step_of == gvs_table_fingerprint(n->replica.table[GVS_TABLE_CLAIMS]);
}

static uint64_t
status_of(const struct gvs_node *n, struct gvs_mono now, struct gvs_wall wall)
{
    uint64_t hour = gvs_age_name(&n->replica.age);

    return (gvs_replica_is_ahead(&n->replica, now, wall) ? GVS_STATUS_AHEAD : 0) |
           (n->observes ? GVS_STATUS_OBSERVES : 0) | (is_in_step(n) ? GVS_STATUS_IN_STEP : 0) |
           (n->synced ? GVS_STATUS_SYNCED : 0) | (gvs_node_meets_all(n) ? GVS_STATUS_MET : 0) |
           hour << GVS_STATUS_HOUR_SHIFT;
}

static bool
says_status(const struct gvs_note *note)
{
    return note->type == GVS_MSG_PROBE || note->type == GVS_MSG_ACK || note->type == GVS_MSG_VECTOR;
}

/* What some notes have beside numbers, into bin; returns its length. */
static size_t
note_bin(const struct gvs_node *n, const struct gvs_note *note,
         uint8_t bin[static GVS_VECTOR_CHUNK_MAX])
{
    if (note->type == GVS_MSG_VECTOR)
        return gvs_vector_write(n->replica.age.vector, (size_t)note->seq, bin,
                                GVS_VECTOR_CHUNK_MAX);
    if (note->type != GVS_MSG_REFUSED)
        return 0;
    gvs_put64(bin, note->seq);
    return 8;
}

static void
add_notes(const struct gvs_node *n, struct gvs_mono now, struct gvs_wall wall,
          struct gvs_node_peer *p, struct gvs_body *body)
{
    while (p->note_count > 0) {
        const struct gvs_note *note = &p->note[p->note_at];
        struct gvs_msg m = {
            .type = note->type,
            .seq = note->seq,
            .id = note->id,
            .news = note->news,
            .mask = note->mask,
            .claims = gvs_table_fingerprint(n->replica.table[GVS_TABLE_CLAIMS]),
            .members = gvs_table_fingerprint(n->replica.table[GVS_TABLE_MEMBERS]),
            .wall_ms = wall.ms,
            .status = says_status(note) ? status_of(n, now, wall) : 0,
        };
        uint8_t bin[GVS_VECTOR_CHUNK_MAX];

        m.bin.b = bin;
        m.bin.len = note_bin(n, note, bin);
        if (gvs_body_add(body, &m) < 0)
            return;
        p->note_at = (p->note_at + 1) % GVS_NOTES_MAX;
        p->note_count--;
    }
}

/* One PUSH: of the duty, if there is one, else of what reconciliation gives. */
static void
add_push(struct gvs_node *n, struct gvs_mono now, struct gvs_node_peer *p,
         const struct gvs_duty *duty, struct gvs_body *body)
{
    const struct gvs_table *const *table = (const struct gvs_table *const *)n->replica.table;
    size_t room = gvs_body_room(body);
    struct gvs_cargo cargo;
    struct gvs_msg push;
    int rc;

    if (!gvs_pace_open(&p->pace))
        return;
    if (!(duty && gvs_relay_build(&n->replica.relay, duty, table, room, &push, &cargo)) &&
        !gvs_sync_give(&n->sync, &p->sync, now, room, &push, &cargo))
        return;
    push.seq = gvs_pace_fly(&p->pace, now, &cargo);
    n->counts.pushed += push.entry_count;
    rc = gvs_body_add(body, &push);
    GVS_ASSERT(rc == GVS_OK);
}

static bool
may_ask(struct gvs_node_peer *p, struct gvs_mono now)
{
    if (now.us >= p->burst_at.us + ASK_BURST_US) {
        p->burst_at = now;
        p->burst = 0;
    }
    return p->sync.ask.count > 0 && p->burst < ASK_BURST_MAX;
}

static void
add_asks(struct gvs_node *n, struct gvs_mono now, struct gvs_node_peer *p, struct gvs_body *body)
{
    uint8_t bin[GVS_BODY_LEN_MAX];
    struct gvs_msg m;
    bool added = false;
    int rc;

    if (!may_ask(p, now))
        return;
    while (gvs_sync_ask(&n->sync, &p->sync, gvs_body_room(body), &m, bin)) {
        rc = gvs_body_add(body, &m);
        GVS_ASSERT(rc == GVS_OK);
        added = true;
    }
    p->burst += added;
}

/* A datagram with all that waits for it; 0 if that is nothing after all. */
static size_t
build_for(struct gvs_node *n, struct gvs_mono now, struct gvs_wall wall, struct gvs_node_peer *p,
          const struct gvs_duty *duty, uint8_t *buf, struct gvs_ep *to)
{
    struct gvs_duty owed;
    struct gvs_body body;
    int len;

    if (!duty && gvs_relay_owes(&n->replica.relay, p->member, &owed))
        duty = &owed;
    gvs_body_init(&body);
    gvs_node_acknowledge(n, p);
    add_notes(n, now, wall, p, &body);
    add_push(n, now, p, duty, &body);
    add_asks(n, now, p, &body);
    if (body.count == 0)
        return 0;
    len = gvs_sessions_seal(n->sessions, now, wall, &p->member->id, body.b, body.len, buf, to);
    if (len > 0)
        return (size_t)len;
    p->member->up = false; /* the detector connects */
    n->regroup = true;
    return 0;
}

/* --- whose turn it is --- */

/* To the end: all take turns. */
static void
move_back(struct gvs_node *n, struct gvs_node_peer *p)
{
    TAILQ_REMOVE(&n->busy, p, link);
    TAILQ_INSERT_TAIL(&n->busy, p, link);
}

static bool
has_notes(struct gvs_node_peer *p, struct gvs_mono now)
{
    (void)now;
    return p->note_count > 0 || p->received.unsaid > 0;
}

static bool
has_repair(struct gvs_node_peer *p, struct gvs_mono now)
{
    return may_ask(p, now) || (p->sync.give.count > 0 && gvs_pace_open(&p->pace));
}

/* The next peer for whom there is such work. */
static size_t
next_peer(struct gvs_node *n, struct gvs_mono now, struct gvs_wall wall,
          bool (*has)(struct gvs_node_peer *p, struct gvs_mono now), uint8_t *buf,
          struct gvs_ep *to)
{
    struct gvs_node_peer *p;
    size_t len;

    TAILQ_FOREACH(p, &n->busy, link) {
        if (!p->member->up || !has(p, now))
            continue;
        len = build_for(n, now, wall, p, NULL, buf, to);
        if (len == 0)
            continue;
        move_back(n, p);
        return len;
    }
    return 0;
}

static bool
may_send(void *ctx, const struct gvs_member *m)
{
    const struct gvs_node *n = ctx;
    const struct gvs_node_peer *p = &n->peers[gvs_member_number(n->members, m)];

    return m->up && (!p->member || gvs_pace_open(&p->pace));
}

static size_t
next_duty(struct gvs_node *n, struct gvs_mono now, struct gvs_wall wall, uint8_t *buf,
          struct gvs_ep *to)
{
    struct gvs_duty duty;
    size_t len;

    while (gvs_relay_next(&n->replica.relay, may_send, n, &duty)) {
        len = build_for(n, now, wall, gvs_node_wake(n, duty.lane->head), &duty, buf, to);
        if (len > 0)
            return len;
    }
    return 0;
}

size_t
gvs_node_next(struct gvs_node *n, struct gvs_mono now, struct gvs_wall wall,
              uint8_t buf[static GVS_DATAGRAM_LEN_MAX], struct gvs_ep *to)
{
    size_t len;

    if (!n->started)
        return 0;
    run_timers(n, now, wall);
    run_members(n, now, wall);
    len = gvs_sessions_next(n->sessions, now, buf, to);
    if (len == 0)
        len = next_peer(n, now, wall, has_notes, buf, to);
    if (len == 0)
        len = next_duty(n, now, wall, buf, to);
    if (len == 0)
        len = next_peer(n, now, wall, has_repair, buf, to);
    if (len == 0) {
        set_due(n, now);
        return 0;
    }
    n->counts.sent++;
    n->counts.sent_bytes += len;
    return len;
}

struct gvs_mono
gvs_node_deadline(const struct gvs_node *n)
{
    struct gvs_mono t = gvs_mono_min(n->due, gvs_members_deadline(n->members));

    if (!n->started)
        return GVS_MONO_NEVER;
    return gvs_mono_min(t, gvs_sessions_deadline(n->sessions));
}
