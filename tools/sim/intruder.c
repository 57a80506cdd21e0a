/* A member that means ill: it holds the cluster's key, opens real sessions, and says in them
 * whatever parses.
 *
 *     sessions of its own --> honest nodes     all kinds of messages, in any order and unasked
 *                        <--                   probes, some of which it answers, so as to be alive
 *
 * It knows more than any real one: it looks into the tables of whom it speaks to, so as to name ids
 * that are there and fingerprints that are right.
 *
 * What it may do, since every member may: write and delete any claim, in anybody's name and under
 * any stamp that the clocks let pass; accuse, or say that somebody lives elsewhere; retire
 * (`forget`), which it does to members that it has invented only, because a retired node has to
 * begin anew under a new id. By a vector that covers all, or by REFUSED, it takes away what is
 * older than tombstones become: no more than by deleting it. So of claims that old nothing is
 * promised while it was there, and of its vectors' cover nothing at all (I20). Where it lends false
 * vectors there are no claims that old: some would refuse what others, whom it did not reach, give
 * to each other again and again, and tables do not become equal. It may confirm to a node that
 * has lost its disk that it lacks nothing, and that node then takes from its kernel what it does
 * not know, as it would if all of it were deleted (I8). Above incarnation 2^32 a member's entry is
 * taken in steps only (net/replica.h), and who has missed one refuses all later ones: that far it
 * does not lead. All else holds: at every step what oracle.c has; at rest the same tables
 * everywhere, with everything younger that anybody held in them; and whoever then writes a key has
 * the last word (I24).
 *
 * Stamps beyond the clocks' bound it sends to those who know three clocks. A node that knows fewer
 * believes any stamp (net/replica.h), and what it writes from then on the others defer for as long:
 * a run where that happened all the same ends when its faults do. */
#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "core/vector.h"
#include "net/wire.h"
#include "tools/sim/world.h"

#define CLOCKS_MIN 3
#define CONNECT_US SIM_SECOND
#define BODY_MESSAGES 6
#define SERVICES_FLOOD 20000 /* ports from there on are nobody's but its */
#define FLOOD_MAX 1500       /* keys, so that tables are not full by it alone */
#define OVERWRITES 8
#define FREE (UINT64_C(1) << 32)   /* incarnations that are taken whatever is held, */
#define BEYOND (UINT64_C(1) << 40) /* and that are not */
#define ENTRIES_MAX 12
#define OVERWRITE_US (60 * SIM_SECOND)
#define LONG_US (600 * SIM_SECOND)

struct sim_intruder {
    struct gvs_sessions *sessions; /* NULL: not there */
    struct sim_prng prng;
    struct gvs_id id;
    size_t host;
    uint64_t began_us, connect_us;
    uint64_t incarnation, seq, boot;
    unsigned flooded;
    uint8_t entry[ENTRIES_MAX][GVS_ENTRY_LEN_MAX]; /* of the latest PUSH */
    struct sim_heard {                             /* what a host said last */
        uint64_t seq, status;
    } * heard;
};

static void
draw_bytes(void *ctx, void *buf, size_t len)
{
    sim_fill(&((struct sim_intruder *)ctx)->prng, buf, len);
}

static bool
chance(struct sim_intruder *it, double p)
{
    return sim_chance(&it->prng, p);
}

static uint64_t
below(struct sim_intruder *it, uint64_t n)
{
    return sim_below(&it->prng, n);
}

/* All orders of magnitude, and both ends. */
static uint64_t
any_number(struct sim_intruder *it)
{
    if (chance(it, 0.1))
        return UINT64_MAX;
    return sim_next(&it->prng) >> below(it, 64);
}

bool
sim_intruder_was(const struct sim_world *w)
{
    return w->intruder && w->intruder->began_us > 0;
}

bool
sim_intruder_at(const struct sim_world *w, size_t host)
{
    return w->intruder && w->intruder->sessions && host == w->intruder->host;
}

void
sim_intruder_close(struct sim_world *w)
{
    if (!w->intruder)
        return;
    gvs_sessions_close(w->intruder->sessions);
    free(w->intruder->heard);
    free(w->intruder);
    w->intruder = NULL;
}

/* --- whom and what it speaks of --- */

static struct gvs_id
invented(const struct sim_world *w, uint64_t k)
{
    struct sim_prng dice = {w->seed ^ (k + 1) << 32};
    struct gvs_id id;

    sim_fill(&dice, id.b, sizeof id.b);
    return id;
}

static struct gvs_id
any_member(struct sim_world *w, struct sim_intruder *it)
{
    uint64_t what = below(it, 10);

    if (what == 0)
        return it->id;
    if (what < 5)
        return invented(w, below(it, w->plan.invented));
    return w->host[below(it, w->plan.nodes)].id;
}

static bool
is_honest(const struct sim_world *w, const struct gvs_id *id)
{
    for (size_t i = 0; i < w->plan.nodes; i++) {
        if (gvs_id_cmp(&w->host[i].id, id) == 0)
            return true;
    }
    return false;
}

/* An address of nobody, or an honest one's. */
static struct gvs_ep
any_place(struct sim_world *w, struct sim_intruder *it)
{
    struct gvs_ep ep = {{GVS_FAMILY_V4, {10, 77, 0, (uint8_t)below(it, 256)}}, SIM_PORT};

    return chance(it, 0.3) ? w->host[below(it, w->plan.nodes)].ep : ep;
}

/* Of its own name up to the bound that needs no comparing, of others also far beyond, which nobody
 * takes. `top` leaves room to refute below that bound where ids go for ever (`plan.new_key`): what
 * an honest node says above it is taken by who has seen the steps or has it from that node. */
static uint64_t
any_incarnation(struct sim_intruder *it, uint64_t held, bool own, uint64_t top)
{
    switch (below(it, 6)) {
    case 0:
        return held + (UINT64_C(1) << 20) < top ? held + (UINT64_C(1) << 20) : held;
    case 1:
        return top;
    case 2:
        return own || top < FREE ? held : (any_number(it) | BEYOND) & GVS_INCARNATION_MAX;
    default:
        return held < top ? held + below(it, 3) : held;
    }
}

static size_t
forge_member(struct sim_world *w, struct sim_intruder *it, size_t to,
             uint8_t b[static GVS_ENTRY_LEN_MAX])
{
    struct gvs_key key = {.kind = GVS_KEY_MEMBER, .owner = any_member(w, it)};
    struct gvs_member_value value = {.name = "x", .version = "9.9", .boot = any_number(it)};
    enum gvs_member_state state = (enum gvs_member_state)below(it, 4);
    bool own = gvs_id_cmp(&key.owner, &it->id) == 0;
    uint8_t v[GVS_VALUE_LEN_MAX];
    uint64_t incarnation, held = 1, top = w->plan.new_key > 0 ? FREE / 2 : FREE;
    struct gvs_keybuf k;
    struct gvs_entry e;
    size_t len;

    gvs_key_build(&k, &key);
    value.ep = own ? w->host[it->host].ep : any_place(w, it);
    len = gvs_member_encode(v, &value);
    if (gvs_table_get(gvs_node_members(w->host[to].node), k.b, k.len, &e)) {
        held = gvs_member_incarnation(e.order);
        if (chance(it, 0.7)) { /* as an accuser does */
            memcpy(v, e.value, e.value_len);
            len = e.value_len;
        }
    }
    if (state == GVS_LEFT && (w->plan.only_invents || own || is_honest(w, &key.owner)))
        state = GVS_DEAD;
    incarnation = any_incarnation(it, held, own, top);
    return gvs_entry_build(b, &key, gvs_member_order(incarnation, state), NULL, false, v, len);
}

/* Does it know so many clocks that no stamp can lead it astray? */
static bool
is_on_guard(struct sim_world *w, size_t to)
{
    return gvs_node_clock(w->host[to].node, sim_mono(w, to)).known >= CLOCKS_MIN;
}

static uint64_t
any_stamp(struct sim_world *w, struct sim_intruder *it, size_t to)
{
    uint64_t now_ms = sim_true_ms(w), ms = now_ms - below(it, 60000);

    if (chance(it, 0.2))
        ms = now_ms + below(it, 29000);
    else if (chance(it, 0.1) && !w->plan.false_vectors)
        ms = now_ms - below(it, UINT64_C(10) * 86400000);
    else if (chance(it, 0.3) && is_on_guard(w, to))
        ms = chance(it, 0.2) ? GVS_HLC_MS_MAX : now_ms + (any_number(it) >> 17);
    ms = ms < 1 ? 1 : ms > GVS_HLC_MS_MAX ? GVS_HLC_MS_MAX : ms;
    return gvs_hlc_make(ms, (uint16_t)any_number(it));
}

static size_t
forge_claim(struct sim_world *w, struct sim_intruder *it, size_t to,
            uint8_t b[static GVS_ENTRY_LEN_MAX])
{
    struct gvs_id who = any_member(w, it), writer = any_member(w, it);
    struct gvs_key key = sim_draw_key(w, &it->prng, &who);
    bool tombstone = chance(it, 0.3);
    uint8_t v[GVS_VALUE_LEN_MAX];
    size_t len;

    if (chance(it, 0.2) && it->flooded < FLOOD_MAX)
        key = (struct gvs_key){
            .kind = GVS_KEY_OVERRIDE,
            .svc = key.svc,
            .ep = {{GVS_FAMILY_V4, {10, 1, 1, 1}}, (uint16_t)(SERVICES_FLOOD + it->flooded++)}};
    len = tombstone ? gvs_tombstone_encode(v, chance(it, 0.5)) : sim_draw_value(&it->prng, &key, v);
    return gvs_entry_build(b, &key, any_stamp(w, it, to),
                           gvs_id_is_cluster(&key.owner) ? &writer : NULL, tombstone, v, len);
}

/* --- its messages --- */

static uint64_t
any_print(struct sim_intruder *it, const struct gvs_table *t)
{
    return chance(it, 0.6) ? gvs_table_fingerprint(t) : any_number(it);
}

/* Ids in ascending order, of entries that it holds or of none. */
static void
draw_ids(struct sim_world *w, struct sim_intruder *it, size_t to, bool members, struct gvs_msg *m,
         uint8_t *bin)
{
    const struct gvs_table *t =
        members ? gvs_node_members(w->host[to].node) : gvs_node_claims(w->host[to].node);
    uint64_t ids[32], first = chance(it, 0.5) ? 0 : sim_next(&it->prng);
    size_t count = gvs_table_ids(t, first, UINT64_MAX, ids, below(it, 32));

    if (count == 0 || chance(it, 0.3)) {
        count = below(it, 32);
        for (size_t i = 0; i < count; i++)
            ids[i] = (i + 1) * (UINT64_MAX / 40) + (any_number(it) >> 8);
    }
    for (size_t i = 0; i < count; i++)
        gvs_put64(bin + 8 * i, ids[i]);
    m->bin = (struct gvs_bytes){bin, 8 * count};
}

static void
draw_range(struct sim_intruder *it, struct gvs_msg *m)
{
    uint64_t a = any_number(it), b = any_number(it);

    m->first = a < b ? a : b;
    m->last = a < b ? b : a;
    if (chance(it, 0.3)) {
        m->first = 0;
        m->last = UINT64_MAX;
    }
}

/* Over all ids that it is to have. */
static void
stretch_range(struct gvs_msg *m)
{
    uint64_t first, last;

    if (m->bin.len == 0)
        return;
    first = gvs_get64(m->bin.b);
    last = gvs_get64(m->bin.b + m->bin.len - 8);
    m->first = first < m->first ? first : m->first;
    m->last = last > m->last ? last : m->last;
}

static int
by_id(const void *a, const void *b)
{
    return memcmp(a, b, GVS_ID_LEN);
}

/* Of all honest writers, and of one that there is not: everything that a clock lets pass, or more.
 */
static void
draw_vector(struct sim_world *w, struct sim_intruder *it, struct gvs_msg *m, uint8_t *bin)
{
    size_t count = w->plan.nodes + chance(it, 0.2);
    uint64_t latest = gvs_hlc_make(sim_true_ms(w) + 25000, 0xffff);

    for (size_t i = 0; i < count; i++) {
        struct gvs_id id = i < w->plan.nodes ? w->host[i].id : invented(w, 0);
        uint64_t hlc = chance(it, 0.1) ? GVS_VECTOR_END : latest;

        memcpy(bin + i * GVS_VECTOR_WRITER_LEN, id.b, GVS_ID_LEN);
        gvs_put64(bin + i * GVS_VECTOR_WRITER_LEN + GVS_ID_LEN, hlc);
    }
    qsort(bin, count, GVS_VECTOR_WRITER_LEN, by_id);
    m->bin = (struct gvs_bytes){bin, count * GVS_VECTOR_WRITER_LEN};
}

static void
draw_push(struct sim_world *w, struct sim_intruder *it, size_t to, struct gvs_msg *m, size_t room)
{
    size_t count = 1 + below(it, ENTRIES_MAX);
    bool members = w->plan.only_invents || chance(it, 0.3);

    m->seq = chance(it, 0.1) ? 1 + (any_number(it) >> 1) : ++it->seq;
    m->arc = below(it, GVS_ARC_MAX + 1);
    m->repair = below(it, 2);
    for (size_t i = 0; i < count; i++) {
        uint8_t b[GVS_ENTRY_LEN_MAX];
        struct gvs_entry e;
        size_t len = members ? forge_member(w, it, to, b) : forge_claim(w, it, to, b);
        int rc = gvs_entry_parse(&e, b, len);

        GVS_ASSERT(rc == GVS_OK);
        if (len > room)
            break;
        memcpy(it->entry[i], b, len);
        rc = gvs_entry_parse(&e, it->entry[i], len);
        GVS_ASSERT(rc == GVS_OK);
        if (!gvs_msg_add_entry(m, &e, &room))
            break;
        if (!members)
            sim_oracle_forged(w, &e);
    }
}

/* Some message; false: not this time. */
static bool
draw_message(struct sim_world *w, struct sim_intruder *it, size_t to, struct gvs_msg *m,
             uint8_t *bin, size_t room)
{
    const struct gvs_node *n = w->host[to].node;

    *m = (struct gvs_msg){.type = 1 + below(it, GVS_MSG_REFUSED),
                          .seq = chance(it, 0.5) ? any_number(it) : below(it, 100),
                          .claims = any_print(it, gvs_node_claims(n)),
                          .members = any_print(it, gvs_node_members(n)),
                          .wall_ms = chance(it, 0.7) ? sim_true_ms(w) : any_number(it),
                          .status = chance(it, 0.5) ? it->heard[to].status : any_number(it),
                          .id = any_member(w, it),
                          .news = any_number(it),
                          .mask = any_number(it),
                          .table = below(it, 2)};
    m->fingerprint = m->table ? m->members : m->claims;
    if (w->plan.only_invents)
        m->type = GVS_MSG_PUSH;
    switch ((enum gvs_msg_type)m->type) {
    case GVS_MSG_PUSH:
        draw_push(w, it, to, m, room);
        return m->entry_count > 0;
    case GVS_MSG_SUMS:
        draw_range(it, m);
        sim_fill(&it->prng, bin, GVS_SUMS_LEN);
        m->bin = (struct gvs_bytes){bin, GVS_SUMS_LEN};
        return true;
    case GVS_MSG_MORE:
        draw_range(it, m);
        return true;
    case GVS_MSG_IDS:
        draw_range(it, m);
        draw_ids(w, it, to, m->table, m, bin);
        stretch_range(m);
        return true;
    case GVS_MSG_WANT:
        draw_ids(w, it, to, m->table, m, bin);
        return m->bin.len > 0;
    case GVS_MSG_REFUSED:
        draw_ids(w, it, to, false, m, bin);
        return m->bin.len > 0;
    case GVS_MSG_SKETCH:
        m->first = chance(it, 0.7) ? 0 : any_number(it);
        m->bin = (struct gvs_bytes){bin, (1 + below(it, 20)) * GVS_SKETCH_CELL_LEN};
        sim_fill(&it->prng, bin, m->bin.len);
        return true;
    case GVS_MSG_VECTOR:
        draw_vector(w, it, m, bin);
        return w->plan.false_vectors;
    default:
        return true;
    }
}

static void
send_body(struct sim_world *w, struct sim_intruder *it, size_t to, const struct gvs_body *body)
{
    uint8_t buf[GVS_DATAGRAM_LEN_MAX];
    struct gvs_wire_reader reader;
    struct gvs_ep ep;
    int len, rc;

    if (body->count == 0)
        return;
    rc = gvs_wire_open(&reader, body->b, body->len);
    GVS_ASSERT(rc == GVS_OK); /* it parses, whatever it says */
    len = gvs_sessions_seal(it->sessions, (struct gvs_mono){w->now_us},
                            (struct gvs_wall){sim_true_ms(w)}, &w->host[to].id, body->b, body->len,
                            buf, &ep);
    if (len > 0)
        sim_send(w, it->host, &ep, buf, (size_t)len);
}

static void
speak(struct sim_world *w, struct sim_intruder *it, size_t to)
{
    uint8_t bin[GVS_BODY_LEN_MAX];
    struct gvs_body body;
    struct gvs_msg m;

    gvs_body_init(&body);
    for (uint64_t k = 1 + below(it, BODY_MESSAGES); k > 0; k--) {
        if (draw_message(w, it, to, &m, bin, gvs_body_room(&body)))
            gvs_body_add(&body, &m); /* or it does not fit */
    }
    send_body(w, it, to, &body);
}

/* --- its life --- */

static void
drain(struct sim_world *w, struct sim_intruder *it)
{
    uint8_t buf[GVS_DATAGRAM_LEN_MAX];
    struct gvs_ep to;
    size_t len;

    while ((len = gvs_sessions_next(it->sessions, (struct gvs_mono){w->now_us}, buf, &to)) > 0)
        sim_send(w, it->host, &to, buf, len);
}

static void
connect_to_all(struct sim_world *w, struct sim_intruder *it)
{
    if (w->now_us < it->connect_us)
        return;
    it->connect_us = w->now_us + CONNECT_US;
    for (size_t i = 0; i < w->plan.nodes; i++) {
        if (w->host[i].node && !gvs_sessions_have(it->sessions, &w->host[i].id, NULL))
            gvs_sessions_connect(it->sessions, (struct gvs_mono){w->now_us},
                                 (struct gvs_wall){sim_true_ms(w)}, &w->host[i].ep);
    }
}

static void
act(struct sim_world *w, uint64_t arg)
{
    struct sim_intruder *it = w->intruder;
    size_t to = below(it, w->plan.nodes);

    (void)arg;
    if (!it->sessions)
        return;
    connect_to_all(w, it);
    if (w->host[to].node)
        speak(w, it, to);
    drain(w, it);
    sim_call(w, w->now_us + 1 + (uint64_t)(1e6 * sim_wait(&it->prng, 1 / w->plan.intruder_per_s)),
             act, 0);
}

/* An honest answer, so that it passes for alive. */
static void
answer(struct sim_world *w, struct sim_intruder *it, size_t to, const struct gvs_msg *m)
{
    const struct gvs_node *n = w->host[to].node;
    struct gvs_msg ack = {.type = m->type == GVS_MSG_PROBE ? GVS_MSG_ACK : GVS_MSG_PUSH_ACK,
                          .seq = m->seq,
                          .status = it->heard[to].status};
    struct gvs_body body;

    if (n && chance(it, 0.6)) {
        ack.claims = gvs_table_fingerprint(gvs_node_claims(n));
        ack.members = gvs_table_fingerprint(gvs_node_members(n));
    }
    gvs_body_init(&body);
    gvs_body_add(&body, &ack);
    send_body(w, it, to, &body);
}

void
sim_intruder_take(struct sim_world *w, const struct sim_packet *p)
{
    struct sim_intruder *it = w->intruder;
    struct gvs_wire_reader reader;
    struct gvs_session_recv r;
    struct gvs_msg m;

    if (p->from >= w->count)
        return;
    gvs_sessions_recv(it->sessions, (struct gvs_mono){w->now_us}, (struct gvs_wall){sim_true_ms(w)},
                      &w->host[p->from].ep, p->b, p->len, &r);
    if (r.event == GVS_SESSION_DATA && gvs_wire_open(&reader, r.body, r.len) == GVS_OK) {
        while (gvs_wire_next(&reader, &m)) {
            if (m.type == GVS_MSG_PROBE || m.type == GVS_MSG_ACK)
                it->heard[p->from].status = m.status;
            if ((m.type == GVS_MSG_PROBE && chance(it, 0.9)) ||
                (m.type == GVS_MSG_PUSH && chance(it, 0.5)))
                answer(w, it, p->from, &m);
        }
    }
    drain(w, it);
}

static void
begin(struct sim_world *w, uint64_t arg)
{
    struct sim_intruder *it = w->intruder;
    struct gvs_sessions_config cfg = {
        .peers_max = w->count,
        .cluster = "sim",
        .keyring = w->ring,
        .random = {.fn = draw_bytes, .ctx = it},
    };

    (void)arg;
    if (!w->chaos)
        return;
    memcpy(cfg.priv, w->host[it->host].priv, sizeof cfg.priv);
    cfg.boot = it->boot = sim_next(&it->prng);
    it->sessions = sim_need(gvs_sessions_open(&cfg));
    it->id = gvs_sessions_self(it->sessions);
    it->began_us = w->now_us;
    sim_note(w, SIM_FAULT, it->host, "intruder", 0, 0, 0);
    act(w, 0);
}

void
sim_intruder_plan(struct sim_world *w)
{
    struct sim_intruder *it;

    if (w->plan.intruder_us == 0)
        return;
    it = w->intruder = sim_need(calloc(1, sizeof *it));
    it->prng.state = sim_next(&w->prng);
    it->host = w->count - 1;
    it->heard = sim_need(calloc(w->count, sizeof *it->heard));
    sim_call(w, w->now_us + w->plan.intruder_us, begin, 0);
}

void
sim_intruder_end(struct sim_world *w)
{
    if (!w->intruder || !w->intruder->sessions)
        return;
    sim_note(w, SIM_FAULT, w->intruder->host, "intruder ends", 0, 0, 0);
    gvs_sessions_close(w->intruder->sessions);
    w->intruder->sessions = NULL;
}

/* --- what it leaves behind --- */

bool
sim_intruder_led_astray(struct sim_world *w)
{
    return sim_intruder_was(w) && sim_oracle_admission(w) > w->now_us + LONG_US;
}

/* Some host writes a claim of the cluster that there is; false: there was none. */
static bool
overwrite_one(struct sim_world *w, struct gvs_keybuf *k)
{
    struct sim_intruder *it = w->intruder;
    const struct gvs_table *t = gvs_node_claims(w->host[0].node);
    uint8_t v[GVS_VALUE_LEN_MAX];
    struct gvs_entry e;
    struct gvs_key key;
    uint64_t id;

    if (gvs_table_ids(t, sim_next(&it->prng), UINT64_MAX, &id, 1) == 0 ||
        !gvs_table_get_id(t, id, &e) || gvs_key_parse(&key, e.key, e.key_len) != GVS_OK ||
        !gvs_id_is_cluster(&key.owner))
        return false;
    gvs_key_build(k, &key);
    return sim_write(w, below(it, w->plan.nodes), &key, false, v,
                     sim_draw_value(&it->prng, &key, v));
}

/* The last word is an honest one's, whatever was said before. */
void
sim_intruder_check(struct sim_world *w)
{
    struct gvs_keybuf key[OVERWRITES];
    struct gvs_entry held;
    size_t count = 0;

    if (!sim_intruder_was(w))
        return;
    for (int tries = 0; tries < OVERWRITES && !w->failed; tries++)
        count += overwrite_one(w, &key[count]);
    if (!w->failed && !sim_run_till(w, OVERWRITE_US, sim_agreed))
        sim_fail(w, SIM_NOBODY, "I24", "what is written after an intruder reaches not everybody");
    for (size_t k = 0; k < count; k++) {
        for (size_t i = 0; i < w->plan.nodes; i++) {
            if (!gvs_table_get(gvs_node_claims(w->host[i].node), key[k].b, key[k].len, &held) ||
                held.tombstone || !is_honest(w, &held.writer))
                sim_fail(w, i, "I24", "what was written last, after an intruder, does not count");
        }
    }
}
