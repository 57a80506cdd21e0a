/* net/session.c: the states of net/session.h, and who may move them. Sessions live in net/pool.h.
 *
 *     connect ---> INITIATING --RESP (recv_resp)-------+
 *                  (COOKIE: again, with proof)         |
 *                                                      +-(bring_up)-> CURRENT <--(follow)----+
 *     recv_init -> PENDING ----first DATA (recv_data)--+                 |                   |
 *                                                                        +-(take_place)-> PREVIOUS
 *
 * Of the sessions with a peer we keep the latest that it started, the latest that we started, and
 * the one that the younger of these took the place of. We send in one of the first two.
 *
 * Twins. If both sides start at once, both handshakes succeed, and both sides must send in the same
 * session, else one would send for ever in what the other gives up after 180 s. The one is that
 * which the node with the smaller id started. A side can tell if the second handshake had begun
 * before the first was done. It cannot always: the other's INIT may have been long on its way. So
 * the smaller id decides by what it saw, and the greater one follows to where it is spoken to.
 *
 * Outrun. If one side starts twice (two addresses lead to the same peer), the later start counts,
 * in whatever order the answers come: the responder drops what was begun before what is confirmed,
 * and the initiator what was begun before what it has. */
#include "core/bytes.h"
#include "net/secret.h"
#include "net/session_impl.h"

#include <string.h>

#define ATTEMPTS_MAX 256
#define PENDING_MAX 256
#define PENDING_PEER_MAX 4
#define COOKIES_HEEDED 2 /* I8 */

/* The year 2262. A clock or a floor beyond is a broken one, and must not use up the numbers. */
#define INIT_TIME_MAX ((uint64_t)INT64_MAX)

#define RETRY_MS 1000
#define HANDSHAKE_MS 5000
#define PREVIOUS_MS 180000
#define SWEEP_MS 60000
#define MINUTE_MS 60000

#define REKEY_BUSY_MS (60 * MINUTE_MS)
#define REKEY_QUIET_MS (24 * 60 * MINUTE_MS)
#define REKEY_PATIENCE_MS (63 * MINUTE_MS)
#define REKEY_COUNT (UINT64_C(1) << 40)
#define COUNT_MAX (UINT64_C(1) << 60)
#define BUSY_COUNT 256 /* nothing special about it: an hour of probes and answers is below */

static uint32_t
random32(struct gvs_sessions *s)
{
    uint8_t b[4];

    s->random.fn(s->random.ctx, b, sizeof b);
    return gvs_get32(b);
}

static void
reject(struct gvs_sessions *s, enum gvs_reject why)
{
    s->rejected[why]++;
}

static void
turn_away(struct gvs_mono now, struct gvs_stranger *who, const struct gvs_ep *from, uint64_t key,
          const struct gvs_id *id)
{
    who->count++;
    who->last = now;
    who->from = *from;
    who->key = key;
    if (id)
        who->id = *id;
}

/* --- expiry --- */

/* By a new handshake; until that is done e is used. */
static void
begin_rekey(struct gvs_sessions *s, struct gvs_mono now, struct gvs_wall wall,
            struct gvs_session *e)
{
    e->expires = gvs_mono_min(e->expires, gvs_mono_add_ms(now, REKEY_PATIENCE_MS));
    (void)gvs_sessions_connect(s, now, wall, &e->ep); /* FULL: the next one will try again */
}

/* Keys that nobody uses any more do not wait in memory for somebody to ask, and those that a new
 * primary key replaces do not wait for something to be sent. Without a wall clock init_time still
 * grows. */
static void
sweep(struct gvs_sessions *s, struct gvs_mono now)
{
    uint64_t primary = s->ring.key[s->ring.primary].id;

    gvs_pool_expire(&s->pool, GVS_INITIATING, now);
    gvs_pool_expire(&s->pool, GVS_PENDING, now);
    gvs_pool_expire(&s->pool, GVS_PREVIOUS, now);
    if (!gvs_mono_due(s->sweep, now))
        return;
    for (size_t i = 0; i < s->pool.peer_count; i++) {
        struct gvs_session *e = s->pool.peers[i].current;

        if (e == NULL)
            continue;
        if (gvs_mono_due(e->expires, now))
            gvs_pool_release(&s->pool, e);
        else if (e->key != primary && gvs_mono_due(e->up.due_quiet, now))
            begin_rekey(s, now, (struct gvs_wall){0}, e);
    }
    s->sweep = s->pool.counts[GVS_CURRENT] > 0 ? gvs_mono_add_ms(now, SWEEP_MS) : GVS_MONO_NEVER;
}

/* --- a handshake is complete --- */

/* Sends to p in `chosen`, one of its sessions, from now on; what it sent in before is heard for a
 * while. */
static void
choose(struct gvs_sessions *s, struct gvs_peer *p, struct gvs_session *chosen, struct gvs_mono now)
{
    struct gvs_session *all[] = {p->by[0], p->by[1], p->old};

    for (size_t i = 0; i < 3; i++) {
        if (all[i] == NULL || all[i] == chosen || all[i]->state != GVS_CURRENT)
            continue;
        gvs_pool_move(&s->pool, all[i], GVS_PREVIOUS);
        all[i]->expires = gvs_mono_add_ms(now, PREVIOUS_MS);
    }
    if (chosen->state != GVS_CURRENT)
        gvs_pool_move(&s->pool, chosen, GVS_CURRENT);
    chosen->expires = chosen->up.dies;
    p->current = chosen;
}

/* The peer sends in e: so do we. Only twins can be seen in two orders; of others, a late datagram
 * would call us back to what is going away. */
static void
follow(struct gvs_sessions *s, struct gvs_session *e, struct gvs_mono now)
{
    struct gvs_peer *p = e->up.peer;

    if (p->twins && e != p->current && e != p->old && gvs_id_cmp(&s->id, &p->id) > 0)
        choose(s, p, e, now);
}

/* e is up. Of those that the same side started it is the latest; is it also the one to send in? */
static void
take_place(struct gvs_sessions *s, struct gvs_peer *p, struct gvs_session *e, struct gvs_mono now)
{
    struct gvs_session *other = p->by[!e->started];
    bool smaller = gvs_id_cmp(&s->id, &p->id) < 0;

    if (p->by[e->started] != NULL && p->old != NULL)
        gvs_pool_release(&s->pool, p->old);
    if (p->by[e->started] != NULL)
        p->old = p->by[e->started];
    p->by[e->started] = e;
    p->twins = other != NULL && other->boot == e->boot && e->begun < other->done;
    choose(s, p, p->twins && other->started == smaller ? other : e, now);
}

/* From a handshake to a session. False: there is no place for one more peer, and e is gone. */
static bool
bring_up(struct gvs_sessions *s, struct gvs_session *e, struct gvs_mono now)
{
    struct gvs_peer *p = gvs_pool_find_peer(&s->pool, &e->id);
    uint64_t permille = 900 + random32(s) % 201; /* 1,000 pairs must not rekey at once */

    if (p == NULL)
        p = gvs_pool_add_peer(&s->pool, &e->id);
    if (p == NULL) {
        gvs_pool_release(&s->pool, e);
        return false;
    }
    gvs_pool_dequeue(&s->pool, e);
    gvs_pool_move(&s->pool, e, GVS_CURRENT); /* not a handshake any more */
    gvs_crypto_wipe(&e->hs, sizeof e->hs);
    e->up = (struct gvs_traffic){
        .due_busy = gvs_mono_add_ms(now, REKEY_BUSY_MS / 1000 * permille),
        .due_quiet = gvs_mono_add_ms(now, REKEY_QUIET_MS / 1000 * permille),
        .peer = p,
    };
    e->up.dies = gvs_mono_add_ms(e->up.due_quiet, REKEY_PATIENCE_MS);
    if (e->started && e->key != s->ring.key[s->ring.primary].id)
        gvs_session_hasten(s, now, e); /* it was begun before the switch */
    e->done = ++s->turn;
    s->sweep = gvs_mono_min(s->sweep, gvs_mono_add_ms(now, SWEEP_MS));
    take_place(s, p, e, now);
    return true;
}

/* --- INIT --- */

/* Room for one more handshake in id's name. The oldest gives way, not the newest: an observer who
 * sends us what id sent to others could else keep id out by 4 datagrams in 5 s. */
static void
make_room(struct gvs_sessions *s, const struct gvs_id *id, struct gvs_mono now)
{
    struct gvs_session *e, *oldest = NULL;
    size_t count = 0;

    gvs_pool_expire(&s->pool, GVS_PENDING, now);
    for (e = TAILQ_FIRST(&s->pool.lists[GVS_PENDING]); e != NULL; e = TAILQ_NEXT(e, link))
        if (gvs_id_cmp(&e->id, id) == 0 && count++ == 0)
            oldest = e;
    if (count >= PENDING_PEER_MAX)
        gvs_pool_release(&s->pool, oldest);
    else if (s->pool.counts[GVS_PENDING] >= PENDING_MAX)
        gvs_pool_release(&s->pool, TAILQ_FIRST(&s->pool.lists[GVS_PENDING]));
}

/* INIT is fresh and lawful: answer it. The answer is as long as the question (I3). */
static int
respond(struct gvs_sessions *s, struct gvs_noise *n, const struct gvs_keyring_key *key,
        const struct gvs_noise_init *init, const struct gvs_ep *from, uint32_t theirs,
        struct gvs_mono now)
{
    struct gvs_noise_resp resp = {
        .init_time = init->init_time,
        .boot = s->boot,
        .proto = GVS_PROTOCOL,
        .datagram_max = GVS_DATAGRAM_LEN_MAX,
    };
    struct gvs_id id = gvs_crypto_node_id(n->rs);
    struct gvs_session *e;
    uint8_t rand[32];
    int rc;

    make_room(s, &id, now);
    e = gvs_pool_take(&s->pool, GVS_PENDING, random32(s));
    e->id = id;
    e->theirs = theirs;
    e->ep = *from;
    e->boot = init->boot;
    e->key = key->id;
    e->init_time = init->init_time;
    e->begun = ++s->turn;
    e->expires = gvs_mono_add_ms(now, HANDSHAKE_MS);
    s->random.fn(s->random.ctx, rand, sizeof rand);
    rc = gvs_noise_write_resp(n, e->hs.pkt, &s->self, key, rand, e->ours, theirs, &resp, &e->keys);
    gvs_crypto_wipe(rand, sizeof rand);
    if (rc < 0)
        gvs_pool_release(&s->pool, e);
    else
        gvs_pool_enqueue(&s->pool, e);
    return rc;
}

static bool
init_speaks_ours(const struct gvs_noise_init *init)
{
    return init->proto_min <= GVS_PROTOCOL && GVS_PROTOCOL <= init->proto_max &&
           init->datagram_max >= GVS_DATAGRAM_LEN_MAX;
}

/* An INIT in our own name. Is it the very one that we sent, and not a clone's? (Somebody on the way
 * can send it back as well; he who can could also keep everybody there from answering.) */
static void
meet_oneself(const struct gvs_sessions *s, struct gvs_mono now, const uint8_t *pkt,
             uint64_t init_time, struct gvs_session_recv *out)
{
    const struct gvs_session *e = gvs_pool_find(&s->pool, gvs_get32le(pkt + GVS_AT_SENDER), now);

    if (e == NULL || e->state != GVS_INITIATING || e->init_time != init_time)
        return;
    out->event = GVS_SESSION_SELF;
    out->from = e->ep;
}

/* INIT's mac1 is right and the limit allows it. */
static void
judge_init(struct gvs_sessions *s, struct gvs_noise *n, const struct gvs_keyring_key *key,
           const uint8_t *pkt, struct gvs_mono now, struct gvs_session_recv *out)
{
    struct gvs_noise_init init;
    struct gvs_id id;
    struct gvs_peer *p;
    int rc = gvs_noise_read_init(n, pkt, &s->self, key, &init);

    if (rc < 0 || !init_speaks_ours(&init)) {
        reject(s, rc == GVS_E_FORGED ? GVS_REJECT_BAD_TAG : GVS_REJECT_MALFORMED);
        return;
    }
    id = gvs_crypto_node_id(n->rs);
    if (gvs_id_cmp(&id, &s->id) == 0) {
        meet_oneself(s, now, pkt, init.init_time, out);
        return;
    }
    if (!gvs_admission_admits(&s->admission, &id)) {
        turn_away(now, &s->denied, &out->from, key->id, &id);
        reject(s, GVS_REJECT_DENIED); /* I9 */
        return;
    }
    p = gvs_pool_find_peer(&s->pool, &id);
    if (p != NULL && init.init_time <= p->init_time) {
        reject(s, GVS_REJECT_REPLAY); /* I7 */
        return;
    }
    if (p == NULL && !gvs_pool_has_place(&s->pool)) {
        reject(s, GVS_REJECT_LIMITED);
        return;
    }
    if (respond(s, n, key, &init, &out->from, gvs_get32le(pkt + GVS_AT_SENDER), now) < 0)
        reject(s, GVS_REJECT_BAD_TAG);
}

/* Answered, and not taken up: it is counted as what it did not get past. The answer is shorter than
 * the question (I3). */
static void
demand_proof(struct gvs_sessions *s, struct gvs_mono now, const struct gvs_keyring_key *key,
             const struct gvs_ep *from, const uint8_t *pkt)
{
    struct gvs_cookie_out *out = &s->cookies[s->cookie_count];

    reject(s, GVS_REJECT_LIMITED);
    if (s->cookie_count == GVS_COOKIES_MAX)
        return;
    out->to = *from;
    gvs_cookie_answer(&s->gate.secrets, now, &s->random, from, pkt, key, out->pkt);
    s->cookie_count++;
}

static void
recv_init(struct gvs_sessions *s, struct gvs_mono now, const struct gvs_ep *from,
          const uint8_t *pkt, struct gvs_session_recv *out)
{
    const struct gvs_keyring_key *key =
        gvs_keyring_find(&s->ring, gvs_get64(pkt + GVS_AT_INIT_KEY));
    struct gvs_noise n;

    if (key == NULL) {
        turn_away(now, &s->stranger, from, gvs_get64(pkt + GVS_AT_INIT_KEY), NULL);
        reject(s, GVS_REJECT_UNKNOWN_KEY);
        return;
    }
    if (!gvs_noise_mac1_ok(pkt, key)) {
        reject(s, GVS_REJECT_BAD_TAG);
        return;
    }
    gvs_pool_expire(&s->pool, GVS_PENDING, now);
    switch (gvs_gate_judge(&s->gate, now, from, pkt, s->pool.counts[GVS_PENDING])) {
    case GVS_GATE_SEEN:
        reject(s, GVS_REJECT_REPLAY);
        break;
    case GVS_GATE_LIMITED:
        reject(s, GVS_REJECT_LIMITED);
        break;
    case GVS_GATE_UNPROVEN:
        demand_proof(s, now, key, from, pkt);
        break;
    case GVS_GATE_PASS:
        judge_init(s, &n, key, pkt, now, out);
        gvs_noise_wipe(&n);
    }
}

/* --- our own INIT --- */

/* max(last + 1, wall clock in ns). */
static uint64_t
next_init_time(struct gvs_sessions *s, struct gvs_wall wall)
{
    uint64_t ns = wall.ms < INIT_TIME_MAX / 1000000 ? wall.ms * 1000000 : 0;

    GVS_ASSERT(s->init_time < UINT64_MAX);
    s->init_time = ns > s->init_time ? ns : s->init_time + 1;
    return s->init_time;
}

/* A handshake with whoever answers at `to`; there is a place for it. */
static struct gvs_session *
begin(struct gvs_sessions *s, struct gvs_mono now, struct gvs_wall wall, const struct gvs_ep *to)
{
    struct gvs_noise_init init = {
        .init_time = next_init_time(s, wall),
        .boot = s->boot,
        .proto_min = GVS_PROTOCOL,
        .proto_max = GVS_PROTOCOL,
        .datagram_max = GVS_DATAGRAM_LEN_MAX,
    };
    struct gvs_session *e = gvs_pool_take(&s->pool, GVS_INITIATING, random32(s));
    const struct gvs_keyring_key *key = &s->ring.key[s->ring.primary];
    uint8_t rand[32];

    e->started = true;
    e->ep = *to;
    e->begun = ++s->turn;
    e->expires = gvs_mono_add_ms(now, HANDSHAKE_MS);
    e->init_time = init.init_time;
    e->hs.retry = gvs_mono_add_ms(now, RETRY_MS);
    e->key = key->id;
    s->random.fn(s->random.ctx, rand, sizeof rand);
    gvs_noise_write_init(&e->hs.noise, e->hs.pkt, &s->self, key, rand, e->ours, &init);
    gvs_crypto_wipe(rand, sizeof rand);
    gvs_cookie_use(&s->jar, now, to, e->hs.pkt);
    gvs_pool_enqueue(&s->pool, e);
    return e;
}

/* The ring has it: I9. */
static const struct gvs_keyring_key *
key_of(const struct gvs_sessions *s, const struct gvs_session *e)
{
    const struct gvs_keyring_key *key = gvs_keyring_find(&s->ring, e->key);

    GVS_ASSERT(key != NULL);
    return key;
}

/* --- COOKIE --- */

/* The responder is under load. Somebody on the way who has the psk could answer each INIT with one
 * of these; he would keep us from connecting, as he can anyhow, and not busy (I8). */
static void
recv_cookie(struct gvs_sessions *s, struct gvs_mono now, struct gvs_wall wall,
            const struct gvs_ep *from, const uint8_t *pkt)
{
    struct gvs_session *e = gvs_pool_find(&s->pool, gvs_get32le(pkt + GVS_AT_COOKIE_RECEIVER), now);

    if (e == NULL || e->state != GVS_INITIATING || gvs_ep_cmp(&e->ep, from) != 0) {
        reject(s, GVS_REJECT_UNKNOWN_SESSION);
        return;
    }
    if (e->hs.cookies == COOKIES_HEEDED) {
        reject(s, GVS_REJECT_REPLAY);
        return;
    }
    if (gvs_cookie_keep(&s->jar, now, from, pkt, e->hs.pkt, key_of(s, e)) < 0) {
        reject(s, GVS_REJECT_BAD_TAG);
        return;
    }
    if (++e->hs.cookies == COOKIES_HEEDED)
        return;
    gvs_pool_release(&s->pool, e);
    begin(s, now, wall, from)->hs.cookies = 1;
}

/* --- RESP --- */

/* Is there a session that we started after e? */
static bool
is_outrun(const struct gvs_sessions *s, const struct gvs_session *e)
{
    const struct gvs_peer *p = gvs_pool_find_peer(&s->pool, &e->id);

    return p != NULL && p->by[true] != NULL && p->by[true]->init_time > e->init_time;
}

/* RESP is what it should be, and from e->id. A session that is not admitted is one that we asked
 * for: at an address where somebody else lives now. */
static void
complete(struct gvs_sessions *s, struct gvs_session *e, struct gvs_mono now,
         struct gvs_session_recv *out)
{
    if (gvs_id_cmp(&e->id, &s->id) == 0 || is_outrun(s, e)) {
        gvs_pool_release(&s->pool, e); /* who has our key, the members will find out */
        return;
    }
    if (!gvs_admission_admits(&s->admission, &e->id)) {
        turn_away(now, &s->denied, &e->ep, e->key, &e->id);
        reject(s, GVS_REJECT_DENIED); /* I9 */
        gvs_pool_release(&s->pool, e);
        return;
    }
    if (!bring_up(s, e, now)) {
        reject(s, GVS_REJECT_LIMITED);
        return;
    }
    gvs_pool_enqueue(&s->pool, e); /* I6: the empty DATA */
    out->event = GVS_SESSION_UP;
    out->up = true;
    out->peer = e->id;
    out->peer_boot = e->boot;
}

static bool
resp_speaks_ours(const struct gvs_noise_resp *resp)
{
    return resp->proto == GVS_PROTOCOL && resp->datagram_max >= GVS_DATAGRAM_LEN_MAX;
}

static void
recv_resp(struct gvs_sessions *s, struct gvs_mono now, const struct gvs_ep *from,
          const uint8_t *pkt, struct gvs_session_recv *out)
{
    struct gvs_session *e = gvs_pool_find(&s->pool, gvs_get32le(pkt + GVS_AT_RESP_RECEIVER), now);
    struct gvs_noise_resp resp;
    struct gvs_noise_keys keys;
    uint8_t rs[32];
    int rc;

    if (e == NULL || e->state != GVS_INITIATING || gvs_ep_cmp(&e->ep, from) != 0) {
        reject(s, GVS_REJECT_UNKNOWN_SESSION);
        return;
    }
    if (!gvs_noise_mac1_ok(pkt, key_of(s, e))) {
        reject(s, GVS_REJECT_BAD_TAG);
        return;
    }
    rc = gvs_noise_read_resp(&e->hs.noise, pkt, &s->self, rs, &resp, &keys);
    if (rc < 0 || resp.init_time != e->init_time || !resp_speaks_ours(&resp)) {
        reject(s, rc == GVS_E_FORGED ? GVS_REJECT_BAD_TAG : GVS_REJECT_MALFORMED);
    } else {
        e->id = gvs_crypto_node_id(rs);
        e->keys = keys;
        e->theirs = gvs_get32le(pkt + GVS_AT_SENDER);
        e->boot = resp.boot;
        complete(s, e, now, out);
    }
    gvs_crypto_wipe(&keys, sizeof keys);
}

/* --- DATA --- */

/* Ends what id has begun as initiator up to this init_time, and not completed. */
static void
end_pending(struct gvs_sessions *s, const struct gvs_id *id, uint64_t init_time)
{
    struct gvs_session *e, *next;

    for (e = TAILQ_FIRST(&s->pool.lists[GVS_PENDING]); e != NULL; e = next) {
        next = TAILQ_NEXT(e, link);
        if (gvs_id_cmp(&e->id, id) == 0 && e->init_time <= init_time)
            gvs_pool_release(&s->pool, e);
    }
}

/* The first DATA of e has opened: the caller is who he said, and hears us where he said. Handshakes
 * that he began before this one are over. */
static bool
confirm(struct gvs_sessions *s, struct gvs_session *e, struct gvs_mono now)
{
    uint64_t init_time = e->init_time;
    struct gvs_id id = e->id;
    struct gvs_peer *p;

    if (!bring_up(s, e, now))
        return false;
    p = gvs_pool_find_peer(&s->pool, &id);
    GVS_ASSERT(p != NULL);
    if (init_time > p->init_time)
        p->init_time = init_time;
    end_pending(s, &id, init_time);
    return true;
}

static void
recv_data(struct gvs_sessions *s, struct gvs_mono now, const struct gvs_ep *from,
          const uint8_t *pkt, size_t len, struct gvs_session_recv *out)
{
    struct gvs_session *e = gvs_pool_find(&s->pool, gvs_get32le(pkt + GVS_AT_DATA_RECEIVER), now);
    uint64_t counter = gvs_get64le(pkt + GVS_AT_DATA_COUNTER);
    bool up;

    if (counter >= COUNT_MAX) {
        reject(s, GVS_REJECT_MALFORMED);
        return;
    }
    if (e == NULL || e->state == GVS_INITIATING || gvs_ep_cmp(&e->ep, from) != 0) {
        reject(s, GVS_REJECT_UNKNOWN_SESSION); /* I5 */
        return;
    }
    up = e->state == GVS_PENDING;
    if (!up && !gvs_window_fresh(&e->up.window, counter)) {
        reject(s, GVS_REJECT_REPLAY);
        return;
    }
    if (gvs_crypto_open(s->body, pkt + GVS_AT_DATA_BODY, len - GVS_AT_DATA_BODY, pkt,
                        GVS_AT_DATA_BODY, e->keys.recv, counter) < 0) {
        reject(s, GVS_REJECT_BAD_TAG);
        return;
    }
    if (up && !confirm(s, e, now)) {
        reject(s, GVS_REJECT_LIMITED);
        return;
    }
    gvs_window_mark(&e->up.window, counter); /* I1 */
    e->up.opened++;
    follow(s, e, now);
    out->peer = e->id;
    out->peer_boot = e->boot;
    out->up = up;
    out->len = len - GVS_DATA_OVERHEAD;
    out->event = up && out->len == 0 ? GVS_SESSION_UP : GVS_SESSION_DATA;
}

/* --- what callers call --- */

struct gvs_sessions *
gvs_sessions_open(const struct gvs_sessions_config *cfg)
{
    struct gvs_sessions *s;

    GVS_ASSERT(cfg->keyring->count >= 1 && cfg->keyring->primary < cfg->keyring->count);
    s = gvs_secret_alloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    gvs_noise_self_init(&s->self, cfg->priv, cfg->cluster);
    s->id = gvs_crypto_node_id(s->self.pub);
    s->ring = *cfg->keyring;
    if (cfg->admission != NULL)
        s->admission = *cfg->admission;
    s->random = cfg->random;
    s->boot = cfg->boot;
    s->init_time = cfg->init_floor < INIT_TIME_MAX ? cfg->init_floor : INIT_TIME_MAX;
    s->sweep = GVS_MONO_NEVER;
    s->random.fn(s->random.ctx, s->gate.key.b, sizeof s->gate.key.b);
    s->random.fn(s->random.ctx, s->jar.key.b, sizeof s->jar.key.b);
    if (gvs_pool_init(&s->pool, cfg->peers_max, ATTEMPTS_MAX + PENDING_MAX) < 0) {
        gvs_sessions_close(s);
        return NULL;
    }
    return s;
}

void
gvs_sessions_close(struct gvs_sessions *s)
{
    if (s == NULL)
        return;
    gvs_pool_fini(&s->pool);
    gvs_crypto_wipe(s, sizeof *s);
    gvs_secret_free(s);
}

bool
gvs_sessions_locked(const struct gvs_sessions *s)
{
    return gvs_secret_locked(s) && gvs_secret_locked(s->pool.sessions);
}

struct gvs_id
gvs_sessions_self(const struct gvs_sessions *s)
{
    return s->id;
}

/* The table of lengths and types. */
static enum gvs_packet_type
classify(const uint8_t *pkt, size_t len)
{
    if (len < GVS_DATA_OVERHEAD || len > GVS_DATAGRAM_LEN_MAX)
        return 0;
    if (pkt[GVS_AT_VERSION] != GVS_PACKET_VERSION || gvs_get16le(pkt + GVS_AT_RESERVED) != 0)
        return 0;
    switch (pkt[GVS_AT_TYPE]) {
    case GVS_PACKET_INIT:
        return len == GVS_HANDSHAKE_LEN ? GVS_PACKET_INIT : 0;
    case GVS_PACKET_RESP:
        if (len != GVS_HANDSHAKE_LEN || gvs_get32le(pkt + GVS_AT_RESP_RESERVED) != 0)
            return 0;
        return GVS_PACKET_RESP;
    case GVS_PACKET_COOKIE:
        return len == GVS_COOKIE_LEN ? GVS_PACKET_COOKIE : 0;
    case GVS_PACKET_DATA:
        return GVS_PACKET_DATA;
    default:
        return 0;
    }
}

void
gvs_sessions_recv(struct gvs_sessions *s, struct gvs_mono now, struct gvs_wall wall,
                  const struct gvs_ep *from, const uint8_t *pkt, size_t len,
                  struct gvs_session_recv *out)
{
    *out = (struct gvs_session_recv){.from = *from, .body = s->body};
    switch (classify(pkt, len)) {
    case GVS_PACKET_INIT:
        recv_init(s, now, from, pkt, out);
        break;
    case GVS_PACKET_RESP:
        recv_resp(s, now, from, pkt, out);
        break;
    case GVS_PACKET_COOKIE:
        recv_cookie(s, now, wall, from, pkt);
        break;
    case GVS_PACKET_DATA:
        recv_data(s, now, from, pkt, len, out);
        break;
    default:
        reject(s, GVS_REJECT_MALFORMED);
    }
}

static struct gvs_session *
find_attempt(const struct gvs_sessions *s, const struct gvs_ep *to)
{
    struct gvs_session *e;

    for (e = TAILQ_FIRST(&s->pool.lists[GVS_INITIATING]); e != NULL; e = TAILQ_NEXT(e, link))
        if (gvs_ep_cmp(&e->ep, to) == 0)
            return e;
    return NULL;
}

int
gvs_sessions_connect(struct gvs_sessions *s, struct gvs_mono now, struct gvs_wall wall,
                     const struct gvs_ep *to)
{
    struct gvs_session *e = find_attempt(s, to);

    if (e != NULL && !gvs_mono_due(e->hs.retry, now))
        return GVS_OK;
    if (e != NULL)
        gvs_pool_release(&s->pool, e);
    gvs_pool_expire(&s->pool, GVS_INITIATING, now);
    if (s->pool.counts[GVS_INITIATING] >= ATTEMPTS_MAX)
        return GVS_E_FULL;
    begin(s, now, wall, to);
    return GVS_OK;
}

/* I2: the one place that seals, and the counter moves here. */
static size_t
seal_in(struct gvs_session *e, const uint8_t *body, size_t len, uint8_t *buf)
{
    GVS_ASSERT(e->state == GVS_CURRENT || e->state == GVS_PREVIOUS);
    GVS_ASSERT(e->up.sent < COUNT_MAX);
    memset(buf, 0, GVS_AT_DATA_BODY);
    buf[GVS_AT_TYPE] = GVS_PACKET_DATA;
    buf[GVS_AT_VERSION] = GVS_PACKET_VERSION;
    gvs_put32le(buf + GVS_AT_DATA_RECEIVER, e->theirs);
    gvs_put64le(buf + GVS_AT_DATA_COUNTER, e->up.sent);
    gvs_crypto_seal(buf + GVS_AT_DATA_BODY, body, len, buf, GVS_AT_DATA_BODY, e->keys.send,
                    e->up.sent);
    e->up.sent++;
    return len + GVS_DATA_OVERHEAD;
}

size_t
gvs_sessions_next(struct gvs_sessions *s, struct gvs_mono now, uint8_t *buf, struct gvs_ep *to)
{
    struct gvs_session *e;

    sweep(s, now);
    if (s->cookie_count > 0) {
        const struct gvs_cookie_out *out = &s->cookies[--s->cookie_count];

        *to = out->to;
        memcpy(buf, out->pkt, GVS_COOKIE_LEN);
        return GVS_COOKIE_LEN;
    }
    e = TAILQ_FIRST(&s->pool.out);
    if (e == NULL)
        return 0;
    gvs_pool_dequeue(&s->pool, e);
    *to = e->ep;
    if (e->state == GVS_CURRENT || e->state == GVS_PREVIOUS)
        return seal_in(e, NULL, 0, buf);
    memcpy(buf, e->hs.pkt, GVS_HANDSHAKE_LEN);
    return GVS_HANDSHAKE_LEN;
}

static bool
rekey_due(const struct gvs_session *e, struct gvs_mono now)
{
    if (e->up.sent >= REKEY_COUNT || gvs_mono_due(e->up.due_quiet, now))
        return true;
    return e->up.sent + e->up.opened >= BUSY_COUNT && gvs_mono_due(e->up.due_busy, now);
}

int
gvs_sessions_seal(struct gvs_sessions *s, struct gvs_mono now, struct gvs_wall wall,
                  const struct gvs_id *peer, const uint8_t *body, size_t len, uint8_t *buf,
                  struct gvs_ep *to)
{
    struct gvs_peer *p = gvs_pool_find_peer(&s->pool, peer);
    struct gvs_session *e = p != NULL ? p->current : NULL;

    GVS_ASSERT(len <= GVS_BODY_LEN_MAX);
    if (e == NULL || gvs_mono_due(e->expires, now) || e->up.sent >= COUNT_MAX)
        return GVS_E_NOTFOUND;
    if (rekey_due(e, now))
        begin_rekey(s, now, wall, e);
    *to = e->ep;
    return (int)seal_in(e, body, len, buf);
}

bool
gvs_sessions_have(const struct gvs_sessions *s, const struct gvs_id *peer, struct gvs_ep *ep)
{
    const struct gvs_peer *p = gvs_pool_find_peer(&s->pool, peer);

    if (p == NULL || p->current == NULL)
        return false;
    if (ep != NULL)
        *ep = p->current->ep;
    return true;
}

void
gvs_sessions_drop(struct gvs_sessions *s, const struct gvs_id *peer)
{
    struct gvs_peer *p = gvs_pool_find_peer(&s->pool, peer);
    struct gvs_session *e;

    end_pending(s, peer, UINT64_MAX);
    if (p == NULL)
        return;
    e = p->current != NULL ? find_attempt(s, &p->current->ep) : NULL;
    if (e != NULL)
        gvs_pool_release(&s->pool, e);
    for (int started = 0; started < 2; started++)
        if (p->by[started] != NULL)
            gvs_pool_release(&s->pool, p->by[started]);
    if (p->old != NULL)
        gvs_pool_release(&s->pool, p->old);
}

struct gvs_mono
gvs_sessions_deadline(const struct gvs_sessions *s)
{
    static const enum gvs_session_state waiting[] = {GVS_INITIATING, GVS_PENDING, GVS_PREVIOUS};
    struct gvs_mono at = s->sweep;

    if (!TAILQ_EMPTY(&s->pool.out) || s->cookie_count > 0)
        return (struct gvs_mono){0};
    for (size_t i = 0; i < sizeof waiting / sizeof *waiting; i++) {
        const struct gvs_session *e = TAILQ_FIRST(&s->pool.lists[waiting[i]]);

        if (e != NULL)
            at = gvs_mono_min(at, e->expires);
    }
    return at;
}

uint64_t
gvs_sessions_init_time(const struct gvs_sessions *s)
{
    return s->init_time;
}
