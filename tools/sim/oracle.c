/* All that was ever written, and what must be true.
 *
 * At every step:
 *
 *     I1   no datagram is taken twice, and none of a session from before a restart
 *     I3   per key, what a node holds only becomes greater; its tables hold what its news said; a
 *          local write is stamped above all that it has seen. A key goes only if what was held of
 *          it is nearly as old as tombstones become
 *     I4   where three clocks are known, nothing is taken from the network that is stamped more
 *          than 30 s beyond their median, unless what is held of the key is, or most have seen
 *          stamps that are
 *     I5   tables stay within their limits
 *     I8   nothing goes from a kernel only because a table is empty or old; but a synced node that
 *          ran before may vouch for what a table does not know
 *     I9   to an address that has proven nothing go no more bytes than came from it
 *     I10  a damaged datagram changes nothing, not even which ones have been before
 *     I16  nobody holds what nobody wrote, nor drops what nobody deleted
 *     I21  a member is gone only to who has not heard it for as long as a probe takes
 *
 * At rest:
 *
 *     I14  tables are the same bytes everywhere, but for tombstones past their time, and so are
 *          fingerprints; everybody sees the same members
 *     I15  kernels hold what the tables want (kernel.c)
 *     I16  whatever any node held when the faults ended, in memory or, being down, on its disk, is
 *          there or was replaced by something greater. So an acknowledged, that is durable, write
 *          is lost only with the last disk that had it.
 *     I17  the same, read for deletions: what somebody knows to be deleted lives only if it was
 *          written later; that holds on after the deletion was forgotten
 *
 * I6, I7 and I22 stand in kernel.c, I20 in cover.c, I18 and I19 in run.c. */
#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "tools/sim/oracle_impl.h"

/* A tombstone may be forgotten after seven days by its stamp; less the clocks' faults. */
#define TOMBSTONE_DAYS 6
#define AHEAD_MS 30000 /* beyond the median */
#define ASTRAY_MS 600000
#define CLOCKS_MIN 3
#define SAID_US (300 * SIM_SECOND) /* so long a member's clock counts that is not heard */
#define WINDOW 1984                /* counters behind the greatest */

void
sim_oracle_open(struct sim_world *w)
{
    w->oracle = sim_need(calloc(1, sizeof *w->oracle));
    w->oracle->host = sim_need(calloc(w->count, sizeof *w->oracle->host));
}

static void
free_map(struct sim_map *m)
{
    free(m->v);
    free(m->heap);
}

void
sim_oracle_close(struct sim_world *w)
{
    free(w->oracle->written.v);
    free(w->oracle->forged.v);
    free(w->oracle->past.v);
    free_map(&w->oracle->greatest);
    free_map(&w->oracle->graves);
    free_map(&w->oracle->promise);
    free(w->oracle->host);
    free(w->oracle);
}

/* --- what was written --- */

static size_t
slot_of(const struct sim_hashes *s, uint64_t hash)
{
    size_t i = hash & (s->cap - 1);

    while (s->v[i] != 0 && s->v[i] != hash)
        i = (i + 1) & (s->cap - 1);
    return i;
}

static void
remember(struct sim_hashes *s, uint64_t hash)
{
    struct sim_hashes old = *s;

    if (2 * s->count >= s->cap) {
        s->cap = s->cap ? 2 * s->cap : 1024;
        s->v = sim_need(calloc(s->cap, sizeof *s->v));
        for (size_t i = 0; i < old.cap; i++) {
            if (old.v[i] != 0)
                s->v[slot_of(s, old.v[i])] = old.v[i];
        }
        free(old.v);
    }
    s->v[slot_of(s, hash)] = hash;
    s->count++;
}

static bool
is_in(const struct sim_hashes *s, const struct gvs_entry *e)
{
    return s->cap > 0 && s->v[slot_of(s, sim_hash(e->b, e->len))] != 0;
}

/* Is something greater than e in the map, of its key? */
bool
sim_oracle_has_above(const struct sim_map *m, const struct gvs_entry *e)
{
    struct gvs_entry held;

    return sim_map_get(m, e->key, e->key_len, &held) && gvs_entry_cmp(e, &held) < 0;
}

void
sim_oracle_put_greatest(struct sim_map *m, const struct gvs_entry *e)
{
    struct gvs_entry held;

    if (!sim_map_get(m, e->key, e->key_len, &held) || gvs_entry_cmp(&held, e) < 0)
        sim_map_put(m, e, 0);
}

/* By the clocks that it knows. */
static uint64_t
by_clocks(const struct sim_world *w, size_t i)
{
    struct gvs_node_clock c = gvs_node_clock(w->host[i].node, sim_mono(w, i));

    return sim_wall(w, i).ms + (uint64_t)c.median_ms + AHEAD_MS;
}

/* How many hosts have seen, in the last minutes, what lies in the future by the clocks that they
 * know? What they have said of it holds for so long. */
static size_t
count_ahead(const struct sim_world *w)
{
    size_t ahead = sim_intruder_was(w); /* who says whatever it likes */

    for (size_t k = 0; k < w->count; k++)
        ahead += w->oracle->host[k].ahead_us + SAID_US > w->now_us;
    return ahead;
}

/* The latest stamp that may be taken now: where fewer than three clocks are known, or most of those
 * who know the time have seen what lies ahead of it, any. */
static uint64_t
latest_ms(const struct sim_world *w, size_t i)
{
    size_t known = gvs_node_clock(w->host[i].node, sim_mono(w, i)).known;
    uint64_t ms = by_clocks(w, i);

    return known < CLOCKS_MIN || 2 * count_ahead(w) > known ? UINT64_MAX : ms;
}

static void
see(struct sim_view_of *v, uint64_t order)
{
    if (order > v->greatest)
        v->greatest = order;
}

/* What a clock was carried along by counts until it is lowered, which only one is that is ahead. */
static void
check_clock(struct sim_world *w, size_t i)
{
    struct sim_view_of *v = &w->oracle->host[i];
    uint64_t last = gvs_node_stamp(w->host[i].node);

    if (last < v->clock) {
        if (gvs_hlc_ms(v->clock) <= by_clocks(w, i))
            sim_fail(w, i, "I3", "lowered its clock, which was not ahead, to %016lx",
                     (unsigned long)last);
        v->greatest = last;
    }
    if (gvs_hlc_ms(last) > by_clocks(w, i))
        v->ahead_us = w->now_us;
    v->clock = last;
}

bool
sim_oracle_was_late(const struct sim_world *w, const struct gvs_entry *e)
{
    return is_in(&w->oracle->past, e);
}

/* Does anybody else hold it, or something greater of its key? */
static bool
others_hold(const struct sim_world *w, size_t i, const struct gvs_entry *e)
{
    struct gvs_entry held;

    for (size_t k = 0; k < w->count; k++) {
        if (k != i && sim_map_get(&w->host[k].disk.now, e->key, e->key_len, &held) &&
            gvs_entry_cmp(e, &held) <= 0)
            return true;
    }
    return false;
}

void
sim_oracle_restored(struct sim_world *w, size_t i)
{
    const struct sim_map *m = &w->host[i].disk.now;
    struct gvs_entry e;

    for (size_t k = 0; k < m->count; k++) {
        sim_map_entry(m, k, &e);
        if (!others_hold(w, i, &e))
            remember(&w->oracle->past, sim_hash(e.b, e.len));
    }
}

/* Has an intruder's stamp been believed here, above which soon nothing can be written? */
bool
sim_oracle_astray(const struct sim_world *w, size_t i)
{
    return sim_intruder_was(w) &&
           gvs_hlc_ms(w->oracle->host[i].greatest) > sim_true_ms(w) + ASTRAY_MS;
}

void
sim_oracle_written(struct sim_world *w, size_t i, const struct gvs_entry *e)
{
    struct sim_view_of *v = &w->oracle->host[i];

    remember(&w->oracle->written, sim_hash(e->b, e->len));
    sim_oracle_put_greatest(&w->oracle->greatest, e);
    if (w->host[i].disk.restored && gvs_hlc_ms(e->order) + AHEAD_MS < sim_true_ms(w))
        remember(&w->oracle->past, sim_hash(e->b, e->len));
    if (w->watch.took_us && w->watch.hash == 0)
        w->watch.hash = sim_hash(e->b, e->len);
    if (e->order <= v->greatest && !sim_oracle_astray(w, i))
        sim_fail(w, i, "I3", "a local write bears %016lx, not above %016lx, which it has seen",
                 (unsigned long)e->order, (unsigned long)v->greatest);
    if (e->order <= gvs_node_stamp(w->host[i].node))
        see(v, e->order);
}

void
sim_oracle_forged(struct sim_world *w, const struct gvs_entry *e)
{
    remember(&w->oracle->written, sim_hash(e->b, e->len));
    remember(&w->oracle->forged, sim_hash(e->b, e->len));
    sim_oracle_put_greatest(&w->oracle->greatest, e);
}

bool
sim_oracle_was_forged(const struct sim_world *w, const struct gvs_entry *e)
{
    return is_in(&w->oracle->forged, e);
}

/* --- what a node holds --- */

bool
sim_oracle_forgettable(const struct sim_world *w, const struct gvs_entry *e)
{
    return gvs_hlc_ms(e->order) + TOMBSTONE_DAYS * UINT64_C(86400000) < sim_true_ms(w);
}

/* May an intruder have taken it away, by a vector or by REFUSED? Only what is old. */
bool
sim_oracle_at_mercy(const struct sim_world *w, const struct gvs_entry *e)
{
    return sim_intruder_was(w) && sim_oracle_forgettable(w, e);
}

/* I4: by its own clocks, as they were when its last datagram was handled; `held` is what it had. */
static void
check_stamp(struct sim_world *w, size_t i, const struct gvs_entry *e, const struct gvs_entry *held)
{
    const struct sim_view_of *v = &w->oracle->host[i];

    if (e->kind == GVS_KEY_MEMBER || v->took_us != w->now_us ||
        gvs_id_cmp(&e->writer, &w->host[i].id) == 0)
        return;
    if (held && gvs_hlc_ms(held->order) >= v->latest_ms &&
        gvs_hlc_ms(e->order) <= gvs_hlc_ms(held->order) + AHEAD_MS)
        return;
    if (gvs_hlc_ms(e->order) > v->latest_ms)
        sim_fail(w, i, "I4", "took a stamp %.1f s beyond the median of clocks",
                 (double)(gvs_hlc_ms(e->order) - v->latest_ms + AHEAD_MS) / 1e3);
}

static void
replace_in(struct sim_map *m, const struct gvs_entry *old, const struct gvs_entry *e)
{
    struct gvs_entry held;

    if (sim_map_get(m, e->key, e->key_len, &held) && gvs_entry_cmp(&held, old) == 0)
        sim_map_put(m, e, 0);
}

/* What a node wrote beyond what others take it may write again, with a lesser stamp. */
static bool
is_rewritten(struct sim_world *w, size_t i, const struct gvs_entry *held, const struct gvs_entry *e)
{
    if (gvs_id_cmp(&held->writer, &w->host[i].id) != 0 ||
        gvs_id_cmp(&e->writer, &w->host[i].id) != 0 || gvs_hlc_ms(held->order) <= by_clocks(w, i) ||
        gvs_hlc_ms(e->order) > by_clocks(w, i) || held->tombstone != e->tombstone ||
        held->value_len != e->value_len || memcmp(held->value, e->value, e->value_len) != 0)
        return false;
    remember(&w->oracle->written, sim_hash(e->b, e->len));
    replace_in(&w->oracle->greatest, held, e);
    replace_in(&w->oracle->promise, held, e);
    return true;
}

static void
note_came(struct sim_world *w, size_t i, const struct gvs_entry *e)
{
    struct sim_view_of *v = &w->oracle->host[i];
    struct sim_came *came = &v->came[v->came_at++ % SIM_CAME];
    int rc = gvs_key_parse(&came->key, e->key, e->key_len);

    GVS_ASSERT(rc == GVS_OK);
    came->at_us = w->now_us;
}

static void
check_entry(struct sim_world *w, size_t i, const struct gvs_entry *e)
{
    struct gvs_entry held;
    bool had = sim_map_get(&w->host[i].disk.now, e->key, e->key_len, &held);
    bool less = had && gvs_entry_cmp(e, &held) < 0;

    if (!had && e->kind != GVS_KEY_MEMBER)
        note_came(w, i, e);
    check_stamp(w, i, e, had ? &held : NULL);
    if (less && e->kind != GVS_KEY_MEMBER && is_rewritten(w, i, &held, e))
        return;
    if (e->kind != GVS_KEY_MEMBER && !is_in(&w->oracle->written, e))
        sim_fail(w, i, "I16", "holds an entry, order %016lx, that nobody wrote",
                 (unsigned long)e->order);
    if (less)
        sim_fail(w, i, "I3", "order %016lx was replaced by the lesser %016lx",
                 (unsigned long)held.order, (unsigned long)e->order);
}

/* Nothing is held of the key any more. */
static void
check_dropped(struct sim_world *w, size_t i, const struct gvs_entry *e)
{
    struct gvs_entry held;

    if (!sim_map_get(&w->host[i].disk.now, e->key, e->key_len, &held))
        return;
    if (e->kind == GVS_KEY_MEMBER || !sim_oracle_forgettable(w, &held))
        sim_fail(w, i, "I3", "dropped a key, order %016lx, that it had", (unsigned long)held.order);
    else if (held.tombstone)
        sim_oracle_put_greatest(&w->oracle->graves, &held);
    else if (!sim_oracle_at_mercy(w, &held) && !sim_oracle_has_above(&w->oracle->greatest, &held))
        sim_fail(w, i, "I16", "dropped a key, order %016lx, that nobody has deleted",
                 (unsigned long)held.order);
}

void
sim_oracle_news(struct sim_world *w, size_t i, const struct gvs_entry *e)
{
    struct sim_view_of *v = &w->oracle->host[i];

    v->news++;
    if (e->len == 0) {
        if (w->plan.durable && !w->failed)
            check_dropped(w, i, e);
        return;
    }
    if (w->watch.took_us && w->watch.count < w->count - 1 &&
        sim_hash(e->b, e->len) == w->watch.hash)
        w->watch.took_us[w->watch.count++] = w->now_us - w->watch.began_us;
    if (e->kind != GVS_KEY_MEMBER && e->order <= gvs_node_stamp(w->host[i].node))
        see(v, e->order);
    if (w->plan.durable && !w->failed)
        check_entry(w, i, e);
}

const struct gvs_table *
sim_oracle_table(const struct sim_world *w, size_t i, bool members)
{
    const struct gvs_node *n = w->host[i].node;

    return members ? gvs_node_members(n) : gvs_node_claims(n);
}

/* Everything in the map is in the table, byte for byte. */
static size_t
find_in_tables(struct sim_world *w, size_t i, const struct sim_map *m)
{
    struct gvs_entry e, held;
    size_t found = 0;

    for (size_t k = 0; k < m->count; k++) {
        sim_map_entry(m, k, &e);
        if (gvs_table_get(sim_oracle_table(w, i, e.kind == GVS_KEY_MEMBER), e.key, e.key_len,
                          &held)) {
            found++;
            if (held.len != e.len || memcmp(held.b, e.b, e.len) != 0)
                sim_fail(w, i, "I3", "holds order %016lx where its news said %016lx",
                         (unsigned long)held.order, (unsigned long)e.order);
        } else {
            sim_fail(w, i, "I3", "lost a key, order %016lx, that it had", (unsigned long)e.order);
        }
    }
    return found;
}

void
sim_oracle_compare(struct sim_world *w, size_t i)
{
    const struct gvs_table *claims = sim_oracle_table(w, i, false),
                           *members = sim_oracle_table(w, i, true);
    size_t found = find_in_tables(w, i, &w->host[i].disk.now);
    size_t held = gvs_table_count(claims) + gvs_table_count(members);

    if (found != held)
        sim_fail(w, i, "I3", "holds %zu entries, its news told of %zu", held, found);
    if (gvs_table_count(claims) > w->plan.limits.entries + w->plan.limits.entries / 10)
        sim_fail(w, i, "I5", "holds %zu claims; the limit is %zu", gvs_table_count(claims),
                 w->plan.limits.entries);
}

static void
looked(struct sim_world *w, size_t i)
{
    struct sim_view_of *v = &w->oracle->host[i];

    v->claims = gvs_table_fingerprint(sim_oracle_table(w, i, false));
    v->members = gvs_table_fingerprint(sim_oracle_table(w, i, true));
    v->news = 0;
}

/* In full once a second, and at once where a fingerprint changed without news. */
void
sim_oracle_step(struct sim_world *w, size_t i)
{
    struct sim_view_of *v = &w->oracle->host[i];
    bool changed;

    if (!w->plan.durable)
        return;
    sim_cover_check(w, i);
    check_clock(w, i);
    changed = v->claims != gvs_table_fingerprint(sim_oracle_table(w, i, false)) ||
              v->members != gvs_table_fingerprint(sim_oracle_table(w, i, true));
    if ((changed && v->news == 0) || w->now_us - v->looked_us >= SIM_SECOND) {
        sim_oracle_compare(w, i);
        v->looked_us = w->now_us;
    }
    looked(w, i);
}

void
sim_oracle_loaded(struct sim_world *w, size_t i)
{
    struct sim_view_of *v = &w->oracle->host[i];
    const struct sim_map *m = &w->host[i].disk.now;
    struct gvs_entry e;

    v->greatest = v->clock = 0;
    w->host[i].cover.changes = UINT64_MAX;
    for (size_t k = 0; k < m->count; k++) {
        sim_map_entry(m, k, &e);
        if (e.kind != GVS_KEY_MEMBER)
            see(v, e.order);
    }
    if (!w->plan.durable)
        return;
    sim_oracle_compare(w, i);
    looked(w, i);
}

/* --- who is gone --- */

#define SILENCE_US 100000 /* the shortest that a probe is waited for */

/* Gone is who did not answer a probe of our own, and not who others say is dead. */
void
sim_oracle_gone(struct sim_world *w, size_t i, const struct gvs_id *id)
{
    size_t max = w->plan.limits.members, count;
    struct gvs_node_member *list;

    if (!w->host[i].proof)
        return; /* in a large cluster half of which vanishes these are too many */
    list = sim_need(calloc(max, sizeof *list));
    count = gvs_node_list(w->host[i].node, list, max);
    for (size_t k = 0; k < count; k++) {
        uint64_t heard_us = list[k].heard_at.us, gone_us = list[k].gone_since.us;

        if (gvs_id_cmp(&list[k].id, id) == 0 && list[k].gone && list[k].heard &&
            heard_us <= gone_us && gone_us < heard_us + SILENCE_US)
            sim_fail(w, i, "I21", "says gone of one that it heard %.3f s before",
                     (double)(gone_us - heard_us) / 1e6);
    }
    free(list);
}

/* --- datagrams --- */

static uint64_t
rejections(const struct gvs_node *n)
{
    struct gvs_node_counts c = gvs_node_count(n);
    uint64_t sum = 0;

    for (size_t why = 0; why < GVS_REJECT_COUNT; why++)
        sum += c.rejected[why];
    return sum;
}

/* An INIT to somebody whose address we were told is a question of our own, and no answer. */
void
sim_oracle_sent(struct sim_world *w, size_t from, size_t to, const uint8_t *b, size_t len)
{
    struct sim_proof *p = w->host[from].proof;

    if (!p || !w->host[from].node || p[to].proven || (to < w->count && b[0] == GVS_PACKET_INIT))
        return;
    p[to].out += len;
    if (p[to].out > p[to].in)
        sim_fail(w, from, "I9", "%lu bytes went to an address that sent %lu and proved nothing",
                 (unsigned long)p[to].out, (unsigned long)p[to].in);
}

static struct gvs_ep
address_of(const struct sim_world *w, size_t from)
{
    struct gvs_ep ep = {.addr = {GVS_FAMILY_V4, {192, 0, 2, 0}}, .port = SIM_PORT};

    if (from < w->count)
        return w->host[from].ep;
    ep.addr.b[3] = (uint8_t)(from - w->count);
    return ep;
}

static void
judge(struct sim_world *w, size_t i, struct sim_packet *p, bool taken)
{
    struct sim_host *h = &w->host[i];

    if (!taken)
        return;
    if (!p->sound)
        sim_fail(w, i, "I10", "a damaged datagram of %u bytes, type %u, was not refused", p->len,
                 p->b[0]);
    if (p->life == h->life)
        sim_fail(w, i, "I1", "a datagram of %u bytes, type %u, was taken twice", p->len, p->b[0]);
    if (p->life != 0 && p->life != h->life && p->b[0] == GVS_PACKET_DATA)
        sim_fail(w, i, "I1", "a datagram from before its restart was taken");
    if (p->from >= w->count && p->b[0] != GVS_PACKET_INIT)
        sim_fail(w, i, "I1", "a datagram of a session was taken from another address");
    p->life = h->life;
    if (h->proof && p->b[0] != GVS_PACKET_INIT && p->b[0] != GVS_PACKET_COOKIE)
        h->proof[p->from].proven = true;
}

/* The latest DATA of a session: a window may have left behind what is much older. */
static void
note_counter(struct sim_proof *p, const uint8_t *b, uint64_t now_us)
{
    uint32_t session = gvs_get32le(b + 4);
    uint64_t counter = gvs_get64le(b + 8);

    if (p->session != session)
        p->counter = 0;
    p->session = session;
    p->took_us = now_us;
    if (counter > p->counter)
        p->counter = counter;
}

/* There is one copy of it, and it was refused as if it had come before: so it is something else
 * that has been taken for it, which no key can have sealed. */
static void
check_replay(struct sim_world *w, size_t i, const struct sim_packet *p)
{
    const struct sim_proof *proof = &w->host[i].proof[p->from];

    if (!p->sound || p->witnessed || proof->session != gvs_get32le(p->b + 4) ||
        gvs_get64le(p->b + 8) + WINDOW <= proof->counter)
        return;
    sim_fail(w, i, "I10", "refuses a datagram of n%u as a replay, and there was none before",
             p->from);
}

static uint64_t
replays(const struct gvs_node *n)
{
    return gvs_node_count(n).rejected[GVS_REJECT_REPLAY];
}

void
sim_oracle_take(struct sim_world *w, size_t i, struct sim_packet *p)
{
    struct sim_host *h = &w->host[i];
    struct sim_view_of *v = &w->oracle->host[i];
    struct gvs_ep from = address_of(w, p->from);
    bool watch = p->witnessed || !p->sound || (h->proof && !h->proof[p->from].proven);
    bool data = h->proof && p->len >= GVS_DATA_OVERHEAD && p->b[0] == GVS_PACKET_DATA;
    uint64_t before = watch || data ? rejections(h->node) : 0, after_ms;
    uint64_t replayed = data ? replays(h->node) : 0;

    w->delivered++;
    sim_note(w, SIM_DELIVERED, i, p->sound ? "from" : "damaged, from", p->from, p->len, p->hash);
    if (h->proof)
        h->proof[p->from].in += p->len;
    v->took_us = w->now_us;
    v->latest_ms = latest_ms(w, i);
    gvs_node_recv(h->node, sim_mono(w, i), sim_wall(w, i), &from, p->b, p->len);
    after_ms = latest_ms(w, i); /* it may have told the time, too */
    v->latest_ms = after_ms > v->latest_ms ? after_ms : v->latest_ms;
    if (watch)
        judge(w, i, p, rejections(h->node) == before);
    if (data && rejections(h->node) == before)
        note_counter(&h->proof[p->from], p->b, w->now_us);
    else if (data && replays(h->node) != replayed)
        check_replay(w, i, p);
    h->busy_us = w->now_us + h->handle_us;
}

/* --- I8 --- */

/* Has the map anything to say of the item: the entries of its service, or of that backend? What is
 * on trial may be a claim or none, and is not counted as a live one. */
static bool
speaks_of(const struct gvs_entry *e, const struct gvs_item *item)
{
    struct gvs_key key;

    if (e->kind == GVS_KEY_MEMBER || e->kind == GVS_KEY_TRIAL ||
        gvs_key_parse(&key, e->key, e->key_len) != GVS_OK ||
        gvs_svcid_cmp(&key.svc, &item->svc) != 0)
        return false;
    if (item->kind == GVS_ITEM_SERVICE)
        return key.kind == GVS_KEY_SERVICE;
    return key.kind == GVS_KEY_BACKEND && gvs_ep_cmp(&key.ep, &item->ep) == 0;
}

static bool
any_speaks(const struct sim_map *m, const struct gvs_item *item, bool live)
{
    struct gvs_undo undo;
    struct gvs_entry e;

    for (size_t k = 0; k < m->count; k++) {
        sim_map_entry(m, k, &e);
        if (speaks_of(&e, item) &&
            (!live || (!e.tombstone && !gvs_undo_get(&undo, e.value, e.value_len))))
            return true;
    }
    return false;
}

/* Did host k hear of it since then? Who asked it meanwhile may have been told that it knew nothing.
 */
static bool
came_since(const struct sim_world *w, size_t k, const struct gvs_item *item, uint64_t since_us)
{
    const struct sim_view_of *v = &w->oracle->host[k];

    for (size_t n = 0; n < SIM_CAME; n++) {
        const struct gvs_key *key = &v->came[n].key;

        if (v->came[n].at_us >= since_us && key->kind != GVS_KEY_MEMBER &&
            gvs_svcid_cmp(&key->svc, &item->svc) == 0 &&
            (item->kind == GVS_ITEM_SERVICE || gvs_ep_cmp(&key->ep, &item->ep) == 0))
            return true;
    }
    return false;
}

/* Who may have told node i that its table, which does not speak of the item, is all there is. */
static bool
has_confirmer(const struct sim_world *w, size_t i, const struct gvs_item *item)
{
    for (size_t k = 0; k < w->count; k++) {
        const struct sim_host *h = &w->host[k];

        if (h->node && h->began_us < w->host[i].began_us && gvs_node_synced(h->node) &&
            (!any_speaks(&h->disk.now, item, false) || came_since(w, k, item, w->host[i].began_us)))
            return true;
    }
    return false;
}

/* A table that never heard of an item is no reason to take it from a kernel, if somebody else holds
 * a claim on it. */
void
sim_oracle_removal(struct sim_world *w, size_t i, const struct gvs_item *item)
{
    char text[GVS_SVCID_TEXT_LEN];

    if (!w->plan.durable || any_speaks(&w->host[i].disk.now, item, false) || sim_intruder_was(w) ||
        has_confirmer(w, i, item))
        return;
    gvs_svcid_format(text, &item->svc);
    for (size_t k = 0; k < w->count; k++) {
        if (any_speaks(&w->host[k].disk.now, item, true))
            sim_fail(w, i, "I8",
                     "removes a %s of %s, of which its table (%zu entries, %s) knows "
                     "nothing, and n%zu holds a claim",
                     item->kind == GVS_ITEM_SERVICE ? "service" : "destination", text,
                     gvs_table_count(sim_oracle_table(w, i, false)),
                     gvs_node_synced(w->host[i].node) ? "synced" : "not synced", k);
    }
}
