/* net/node.c: sessions, members, relay and sync become one node.
 *
 *     datagram --> session --> body --> one handler a message --> tables, notes, work
 *     timers ----> members (probes, accusations), relay (time-outs), bootstrap peers
 *
 *     for each peer with a session, gvs_node_next builds one body of what is waiting:
 *         notes     small messages: probes, answers, acknowledgements
 *         a PUSH    from the log of changes, else from what reconciliation gives
 *         asks      the search of reconciliation, at a bounded pace
 *
 * What waits is small and holds no entry: all is read from the tables when the body is built. Each
 * queue is bounded and drops when it is full, since everything is repaired by comparing
 * fingerprints; nothing here has to arrive.
 */
#include "net/node.h"

#include <stdlib.h>
#include <string.h>

#include "net/member.h"
#include "net/relay.h"
#include "net/replica.h"
#include "net/sync.h"
#include "net/wire.h"

#define NOTES_MAX 64
#define BOOTSTRAP_MAX 64
#define BOOTSTRAP_FAST_TRIES 30
#define BOOTSTRAP_FAST_MS 1000
#define BOOTSTRAP_SLOW_MS 10000
#define ASK_BURST_MAX 16 /* datagrams with searches a peer gets each millisecond */
#define ASK_BURST_US 1000
#define SETTLE_MS 200 /* pushes younger than this may still explain why fingerprints differ */

struct note {
    uint8_t type;
    struct gvs_id id;
    uint64_t seq, news;
};

struct peer { /* of the member in the same place */
    struct gvs_relay relay;
    size_t note_at, note_count;
    struct note note[NOTES_MAX];
    unsigned burst;
    struct gvs_mono burst_at;
    struct gvs_mono check; /* compare fingerprints again then; NEVER */
    struct gvs_sync sync;
};

struct bootstrap {
    struct gvs_ep ep;
    unsigned tries;
    struct gvs_mono next;
};

struct gvs_node {
    bool started, in_step, synced;
    struct gvs_sessions *sessions;
    struct gvs_id self;
    struct gvs_replica replica;
    struct gvs_members *members; /* the replica's */
    struct peer *peers;
    struct bootstrap bootstrap[BOOTSTRAP_MAX];
    size_t bootstrap_count;
    size_t turn;         /* who is sent something next */
    struct gvs_mono due; /* of relay, checks and bootstrap */
    struct gvs_node_counts counts;
};

/* --- life --- */

struct gvs_node *
gvs_node_open(const struct gvs_node_config *cfg, struct gvs_mono now)
{
    struct gvs_sessions_config sessions = {
        .peers_max = cfg->limits.members,
        .cluster = cfg->cluster,
        .keyring = cfg->keyring,
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
    if (gvs_replica_open(&n->replica, cfg, &n->self, now) < 0)
        goto fail;
    n->members = n->replica.members;
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
    free(n->peers);
    free(n);
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

static const struct gvs_table *const *
tables(const struct gvs_node *n)
{
    return (const struct gvs_table *const *)n->replica.table;
}

static struct peer *
peer_of(struct gvs_node *n, const struct gvs_member *m)
{
    return &n->peers[gvs_member_number(n->members, m)];
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
    (void)wall;
    GVS_ASSERT(!n->started);
    n->started = true;
    n->due = now;
    gvs_replica_assert_self(&n->replica, now);
}

int
gvs_node_write(struct gvs_node *n, struct gvs_mono now, struct gvs_wall wall,
               const struct gvs_key *key, bool tombstone, const uint8_t *value, size_t value_len,
               struct gvs_stamp *stamp)
{
    (void)now;
    return gvs_replica_write(&n->replica, wall, key, tombstone, value, value_len, stamp);
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

/* --- messages --- */

static void
note_later(struct peer *p, const struct note *note)
{
    if (p->note_count == NOTES_MAX)
        return;
    p->note[(p->note_at + p->note_count++) % NOTES_MAX] = *note;
}

struct incoming {
    struct gvs_mono now;
    struct gvs_wall wall;
    struct gvs_member *from;
    bool answered;                   /* a probe of ours: compare once all of the body was handled */
    uint64_t print[GVS_TABLE_COUNT]; /* his fingerprints */
};

/* Where fingerprints differ, search, unless a push on its way may be why; and look again later. */
static void
compare(struct gvs_node *n, const struct incoming *in, enum gvs_table_no no)
{
    uint64_t own = gvs_table_fingerprint(n->replica.table[no]);
    struct peer *p = peer_of(n, in->from);
    struct gvs_mono oldest = gvs_relay_oldest(&p->relay);
    uint64_t again_ms = SETTLE_MS;

    if (own == in->print[no])
        return;
    if (oldest.us == GVS_MONO_NEVER.us || in->now.us - oldest.us >= SETTLE_MS * 1000) {
        gvs_sync_start(&p->sync, in->now, no, own, in->print[no]);
        again_ms = gvs_sync_interval_ms(&p->sync, no);
    }
    p->check = gvs_mono_min(p->check, gvs_mono_add_ms(in->now, again_ms));
    n->due = gvs_mono_min(n->due, p->check);
}

static void
take_status(struct gvs_node *n, const struct incoming *in, const struct gvs_msg *m)
{
    struct gvs_member *from = in->from;

    from->has_fingerprint = true;
    from->fingerprint = m->claims;
    from->in_step = m->in_step;
    from->clock_offset_ms = (int64_t)(m->wall_ms - in->wall.ms + from->rtt_us / 2000);
    if (m->claims == gvs_table_fingerprint(n->replica.table[GVS_TABLE_CLAIMS]))
        n->synced = true;
}

static void
on_probe(struct gvs_node *n, struct incoming *in, const struct gvs_msg *m)
{
    take_status(n, in, m);
    note_later(peer_of(n, in->from), &(struct note){.type = GVS_MSG_ACK, .seq = m->seq});
}

/* The one who asked searches: so that of two who see a difference only one begins. */
static void
on_ack(struct gvs_node *n, struct incoming *in, const struct gvs_msg *m)
{
    if (!gvs_member_answered(n->members, in->now, in->from, m->seq))
        return;
    take_status(n, in, m);
    in->answered = true;
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

/* Returns whether it was news. What came by a push is not passed on: its origin tells everybody. */
static bool
take_entry(struct gvs_node *n, const struct incoming *in, const struct gvs_entry *e)
{
    bool arrival = is_arrival(n, in->from, e);
    int rc = gvs_replica_take(&n->replica, in->now, e);

    if (rc < 0)
        n->counts.refused++;
    if (rc <= 0)
        return false;
    n->counts.merged++;
    if (arrival)
        gvs_keylog_append(&n->replica.log, e->key, e->key_len);
    if (e->kind != GVS_KEY_MEMBER && gvs_id_cmp(&e->writer, &n->self) == 0)
        n->counts.own_name++;
    return true;
}

static void
on_push(struct gvs_node *n, struct incoming *in, const struct gvs_msg *m)
{
    struct note answer = {.type = GVS_MSG_PUSH_ACK, .seq = m->seq};

    for (size_t i = 0; i < m->entry_count; i++)
        answer.news += take_entry(n, in, &m->entry[i]);
    note_later(peer_of(n, in->from), &answer);
}

static void
on_push_ack(struct gvs_node *n, struct incoming *in, const struct gvs_msg *m)
{
    struct peer *p = peer_of(n, in->from);
    const struct gvs_flight *f = gvs_relay_land(&p->relay, in->now, m->seq);

    if (!f)
        return;
    gvs_member_rtt(in->from, in->now.us - f->sent.us);
    gvs_sync_landed(&p->sync, &f->cargo, m->news);
    n->due = in->now; /* others may have been overtaken */
}

static void
on_sums(struct gvs_node *n, struct incoming *in, const struct gvs_msg *m)
{
    gvs_sync_sums(&peer_of(n, in->from)->sync, n->replica.table[m->table], m, n->self.b[0]);
}

static void
on_ids(struct gvs_node *n, struct incoming *in, const struct gvs_msg *m)
{
    gvs_sync_ids(&peer_of(n, in->from)->sync, n->replica.table[m->table], m);
}

static void
on_want(struct gvs_node *n, struct incoming *in, const struct gvs_msg *m)
{
    gvs_sync_want(&peer_of(n, in->from)->sync, m);
}

static const struct {
    uint64_t type;
    void (*handle)(struct gvs_node *n, struct incoming *in, const struct gvs_msg *m);
} handlers[] = {
    {GVS_MSG_PROBE, on_probe}, {GVS_MSG_ACK, on_ack},           {GVS_MSG_PROBE_REQ, on_probe_req},
    {GVS_MSG_PUSH, on_push},   {GVS_MSG_PUSH_ACK, on_push_ack}, {GVS_MSG_SUMS, on_sums},
    {GVS_MSG_IDS, on_ids},     {GVS_MSG_WANT, on_want},         {GVS_MSG_VOUCH, on_vouch},
};

static void
take_body(struct gvs_node *n, struct incoming *in, const uint8_t *b, size_t len)
{
    struct gvs_wire_reader reader;
    struct gvs_msg m;

    if (gvs_wire_open(&reader, b, len) < 0) {
        n->counts.rejected[GVS_REJECT_MALFORMED]++;
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
    peer_of(n, in->from)->check = GVS_MONO_NEVER;
    compare(n, in, GVS_TABLE_MEMBERS);
    compare(n, in, GVS_TABLE_CLAIMS);
}

/* A session with a member that had none, or that has started anew: nothing is owed from before. It
 * is told who we are, and what is said of it where that wants refuting. */
static void
greet(struct gvs_node *n, struct gvs_mono now, struct gvs_member *m, uint64_t boot)
{
    struct peer *p = peer_of(n, m);
    struct gvs_entry e;

    if (m->up && m->boot == boot)
        return;
    m->up = true;
    m->boot = boot;
    gvs_relay_reset(&p->relay, &n->replica.log);
    gvs_sync_reset(&p->sync);
    p->note_count = 0;
    p->check = GVS_MONO_NEVER;
    if (gvs_replica_get_member(&n->replica, &n->self, &e))
        gvs_sync_give_id(&p->sync, GVS_TABLE_MEMBERS,
                         gvs_table_id(n->replica.table[GVS_TABLE_MEMBERS], &e));
    if (m->known && m->state != GVS_ALIVE && gvs_replica_get_member(&n->replica, &m->id, &e))
        gvs_sync_give_id(&p->sync, GVS_TABLE_MEMBERS,
                         gvs_table_id(n->replica.table[GVS_TABLE_MEMBERS], &e));
    gvs_member_probe(n->members, now, m);
}

void
gvs_node_recv(struct gvs_node *n, struct gvs_mono now, struct gvs_wall wall,
              const struct gvs_ep *from, const uint8_t *pkt, size_t len)
{
    struct incoming in = {.now = now, .wall = wall};
    struct gvs_session_recv r;

    if (!n->started)
        return;
    n->counts.received++;
    n->counts.received_bytes += len;
    gvs_sessions_recv(n->sessions, now, wall, from, pkt, len, &r);
    if (r.event == GVS_SESSION_NOTHING)
        return;
    in.from = gvs_member_get(n->members, &r.peer);
    if (!in.from)
        in.from = gvs_member_add(n->members, &r.peer);
    if (!in.from || in.from->self) {
        gvs_sessions_drop(n->sessions, &r.peer);
        return;
    }
    if (r.event == GVS_SESSION_UP || r.up)
        greet(n, now, in.from, r.peer_boot);
    gvs_member_heard(n->members, now, in.from);
    if (r.event == GVS_SESSION_DATA && r.len > 0)
        take_body(n, &in, r.body, r.len);
}

/* --- timers --- */

static void
act(struct gvs_node *n, struct gvs_mono now, struct gvs_wall wall,
    const struct gvs_member_action *a)
{
    struct note note = {.id = a->m->id, .seq = a->seq};

    switch (a->act) {
    case GVS_ACT_NONE:
        break;
    case GVS_ACT_PROBE:
        note.type = GVS_MSG_PROBE;
        note_later(peer_of(n, a->m), &note);
        break;
    case GVS_ACT_CONNECT:
        if (a->m->value.ep.addr.family != GVS_FAMILY_NONE)
            gvs_sessions_connect(n->sessions, now, wall, &a->m->value.ep); /* full: next time */
        break;
    case GVS_ACT_ASK:
        note.type = GVS_MSG_PROBE_REQ;
        note_later(peer_of(n, a->other), &note);
        break;
    case GVS_ACT_VOUCH:
        note.type = GVS_MSG_VOUCH;
        note_later(peer_of(n, a->other), &note);
        break;
    case GVS_ACT_SUSPECT:
        gvs_replica_accuse(&n->replica, now, a->m, GVS_SUSPECT);
        break;
    case GVS_ACT_DEAD:
        gvs_replica_accuse(&n->replica, now, a->m, GVS_DEAD);
        break;
    }
}

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

static void
try_bootstrap(struct gvs_node *n, struct gvs_mono now, struct gvs_wall wall, struct bootstrap *b)
{
    bool slow = b->tries >= BOOTSTRAP_FAST_TRIES;

    if (!gvs_mono_due(b->next, now))
        return;
    b->next = gvs_mono_add_ms(now, slow ? BOOTSTRAP_SLOW_MS : BOOTSTRAP_FAST_MS);
    if (is_live_at(n, &b->ep)) {
        b->tries = 0;
        return;
    }
    b->tries++;
    gvs_sessions_connect(n->sessions, now, wall, &b->ep); /* full: next time */
}

static void
run_peer(struct gvs_node *n, struct gvs_mono now, struct gvs_member *m)
{
    struct peer *p = peer_of(n, m);
    struct gvs_cargo cargo;
    bool gave_up;

    while (gvs_relay_expire(&p->relay, &n->replica.log, now, &cargo, &gave_up))
        gvs_sync_lost(&p->sync, &cargo);
    if (gave_up)
        gvs_sync_reset(&p->sync); /* its next answer shows what it lacks */
    if (gvs_mono_due(p->check, now)) {
        p->check = GVS_MONO_NEVER;
        gvs_member_probe(n->members, now, m);
    }
}

static void
run_timers(struct gvs_node *n, struct gvs_mono now, struct gvs_wall wall)
{
    struct gvs_member_action a;

    if (gvs_mono_due(n->due, now)) {
        for (size_t i = 0; i < gvs_members_count(n->members); i++)
            run_peer(n, now, gvs_members_place(n->members, i));
        for (size_t i = 0; i < n->bootstrap_count; i++)
            try_bootstrap(n, now, wall, &n->bootstrap[i]);
        n->due = GVS_MONO_NEVER; /* set once all is sent */
    }
    while (gvs_members_next(n->members, now, &a))
        act(n, now, wall, &a);
}

static struct gvs_mono
peer_due(const struct peer *p)
{
    struct gvs_mono t = gvs_mono_min(p->check, gvs_relay_deadline(&p->relay));

    if (p->sync.ask.count > 0)
        t = gvs_mono_min(t, (struct gvs_mono){p->burst_at.us + ASK_BURST_US});
    return t;
}

static void
set_due(struct gvs_node *n)
{
    for (size_t i = 0; i < gvs_members_count(n->members); i++) {
        if (gvs_members_place(n->members, i)->up)
            n->due = gvs_mono_min(n->due, peer_due(&n->peers[i]));
    }
    for (size_t i = 0; i < n->bootstrap_count; i++)
        n->due = gvs_mono_min(n->due, n->bootstrap[i].next);
}

/* --- sending --- */

static void
add_notes(const struct gvs_node *n, struct gvs_wall wall, struct peer *p, struct gvs_body *body)
{
    while (p->note_count > 0) {
        const struct note *note = &p->note[p->note_at];
        struct gvs_msg m = {
            .type = note->type,
            .seq = note->seq,
            .id = note->id,
            .news = note->news,
            .claims = gvs_table_fingerprint(n->replica.table[GVS_TABLE_CLAIMS]),
            .members = gvs_table_fingerprint(n->replica.table[GVS_TABLE_MEMBERS]),
            .wall_ms = wall.ms,
            .in_step = n->in_step,
            .claims_count = gvs_table_count(n->replica.table[GVS_TABLE_CLAIMS]),
        };

        if (gvs_body_add(body, &m) < 0)
            return;
        p->note_at = (p->note_at + 1) % NOTES_MAX;
        p->note_count--;
    }
}

static void
add_push(struct gvs_node *n, struct gvs_mono now, const struct gvs_member *m, struct peer *p,
         struct gvs_body *body)
{
    size_t room = gvs_body_room(body);
    struct gvs_cargo cargo;
    struct gvs_msg push;
    int rc;

    if (!gvs_relay_open(&p->relay))
        return;
    if (!gvs_relay_build(&p->relay, &n->replica.log, tables(n), room, &push, &cargo) &&
        !gvs_sync_give(&p->sync, tables(n), room, &push, &cargo))
        return;
    push.seq = gvs_relay_fly(&p->relay, now, m->rtt_us, &cargo);
    n->counts.pushed += push.entry_count;
    rc = gvs_body_add(body, &push);
    GVS_ASSERT(rc == GVS_OK);
}

static void
add_asks(const struct gvs_node *n, struct gvs_mono now, struct peer *p, struct gvs_body *body)
{
    uint8_t bin[GVS_BODY_LEN_MAX];
    struct gvs_msg m;
    bool added = false;
    int rc;

    if (now.us >= p->burst_at.us + ASK_BURST_US) {
        p->burst_at = now;
        p->burst = 0;
    }
    if (p->burst >= ASK_BURST_MAX)
        return;
    while (gvs_sync_ask(&p->sync, tables(n), gvs_body_room(body), &m, bin)) {
        rc = gvs_body_add(body, &m);
        GVS_ASSERT(rc == GVS_OK);
        added = true;
    }
    p->burst += added;
}

/* Does anything wait for it, as far as a look can tell? The dead are not told what is fresh. */
static bool
waits(const struct gvs_node *n, const struct gvs_member *m, struct peer *p)
{
    if (m->known && m->state > GVS_SUSPECT)
        gvs_relay_skip(&p->relay, &n->replica.log);
    return p->note_count > 0 || p->sync.ask.count > 0 ||
           gvs_relay_owes(&p->relay, &n->replica.log) ||
           (p->sync.give.count > 0 && gvs_relay_open(&p->relay));
}

/* The next datagram for one member; 0 if nothing waits for it. */
static size_t
next_for(struct gvs_node *n, struct gvs_mono now, struct gvs_wall wall, struct gvs_member *m,
         uint8_t *buf, struct gvs_ep *to)
{
    struct peer *p = peer_of(n, m);
    struct gvs_body body;
    int len;

    if (!m->up || !waits(n, m, p))
        return 0;
    gvs_body_init(&body);
    add_notes(n, wall, p, &body);
    add_push(n, now, m, p, &body);
    add_asks(n, now, p, &body);
    if (body.count == 0)
        return 0;
    len = gvs_sessions_seal(n->sessions, now, wall, &m->id, body.b, body.len, buf, to);
    if (len > 0)
        return (size_t)len;
    m->up = false; /* the detector connects */
    return 0;
}

static size_t
next_datagram(struct gvs_node *n, struct gvs_mono now, struct gvs_wall wall, uint8_t *buf,
              struct gvs_ep *to)
{
    size_t len = gvs_sessions_next(n->sessions, now, buf, to);
    size_t count = gvs_members_count(n->members);

    for (size_t i = 0; i < count && len == 0; i++) {
        n->turn = (n->turn + 1) % count;
        len = next_for(n, now, wall, gvs_members_place(n->members, n->turn), buf, to);
    }
    return len;
}

size_t
gvs_node_next(struct gvs_node *n, struct gvs_mono now, struct gvs_wall wall,
              uint8_t buf[static GVS_DATAGRAM_LEN_MAX], struct gvs_ep *to)
{
    size_t len;

    if (!n->started)
        return 0;
    run_timers(n, now, wall);
    len = next_datagram(n, now, wall, buf, to);
    if (len == 0) {
        set_due(n);
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

/* --- what the caller asks --- */

void
gvs_node_set_peers(struct gvs_node *n, const struct gvs_ep *peers, size_t count)
{
    n->bootstrap_count = 0;
    for (size_t i = 0; i < count && n->bootstrap_count < BOOTSTRAP_MAX; i++) {
        if (gvs_ep_cmp(&peers[i], &n->replica.value.ep) == 0)
            continue;
        n->bootstrap[n->bootstrap_count++] = (struct bootstrap){.ep = peers[i]};
    }
    n->due = (struct gvs_mono){0};
}

void
gvs_node_set_in_step(struct gvs_node *n, bool in_step)
{
    n->in_step = in_step;
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
            .clock_offset_ms = m->clock_offset_ms,
            .has_fingerprint = m->has_fingerprint,
            .fingerprint = m->fingerprint,
            .in_step = m->in_step,
            .answered = m->answered,
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
    return c;
}

bool
gvs_node_stranger(const struct gvs_node *n, struct gvs_ep *from, uint64_t *count,
                  struct gvs_mono *last)
{
    return gvs_sessions_stranger(n->sessions, from, count, last);
}

uint64_t
gvs_node_init_time(const struct gvs_node *n)
{
    return gvs_sessions_init_time(n->sessions);
}
