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
#include "tools/sim/world.h"

/* A tombstone may be forgotten after seven days by its stamp; less the clocks' faults. */
#define TOMBSTONE_DAYS 6
#define AHEAD_MS 30000 /* beyond the median */
#define CLOCKS_MIN 3
#define SAID_US (300 * SIM_SECOND) /* so long a member's clock counts that is not heard */
#define WINDOW 1984                /* counters behind the greatest */

struct sim_oracle {
    uint64_t *set; /* hashes of all entries ever written; 0: free */
    size_t count, cap;
    struct sim_map greatest; /* by key: of all that was written */
    struct sim_map graves;   /* deletions that somebody has forgotten */
    struct sim_map promise;
    struct sim_view_of {          /* of a host */
        uint64_t claims, members; /* fingerprints when its tables were last compared */
        uint64_t news;
        uint64_t greatest; /* order of a claim, */
        uint64_t within;   /* and of those that did not lie in the future when it was seen */
        uint64_t ahead_us; /* it had seen what lies in the future, the last time */
        uint64_t looked_us;
        uint64_t took_us, latest_ms; /* its last datagram, and what stamps that could bring */
    } * host;
};

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
    free(w->oracle->set);
    free_map(&w->oracle->greatest);
    free_map(&w->oracle->graves);
    free_map(&w->oracle->promise);
    free(w->oracle->host);
    free(w->oracle);
}

/* --- what was written --- */

static size_t
slot_of(const struct sim_oracle *o, uint64_t hash)
{
    size_t i = hash & (o->cap - 1);

    while (o->set[i] != 0 && o->set[i] != hash)
        i = (i + 1) & (o->cap - 1);
    return i;
}

static void
remember(struct sim_oracle *o, uint64_t hash)
{
    uint64_t *old = o->set;
    size_t old_cap = o->cap;

    if (2 * o->count >= o->cap) {
        o->cap = o->cap ? 2 * o->cap : 1024;
        o->set = sim_need(calloc(o->cap, sizeof *o->set));
        for (size_t i = 0; i < old_cap; i++) {
            if (old[i] != 0)
                o->set[slot_of(o, old[i])] = old[i];
        }
        free(old);
    }
    o->set[slot_of(o, hash)] = hash;
    o->count++;
}

static bool
was_written(const struct sim_oracle *o, const struct gvs_entry *e)
{
    return o->cap > 0 && o->set[slot_of(o, sim_hash(e->b, e->len))] != 0;
}

/* Is something greater than e in the map, of its key? */
static bool
has_above(const struct sim_map *m, const struct gvs_entry *e)
{
    struct gvs_entry held;

    return sim_map_get(m, e->key, e->key_len, &held) && gvs_entry_cmp(e, &held) < 0;
}

static void
put_greatest(struct sim_map *m, const struct gvs_entry *e)
{
    struct gvs_entry held;

    if (!sim_map_get(m, e->key, e->key_len, &held) || gvs_entry_cmp(&held, e) < 0)
        sim_map_put(m, e, 0);
}

/* How many hosts have seen, in the last minutes, what lies in the future by the clocks that they
 * know? What they have said of it holds for so long. */
static size_t
count_ahead(struct sim_world *w, size_t i, uint64_t takes_ms)
{
    size_t ahead = 0;

    if (gvs_hlc_ms(gvs_node_stamp(w->host[i].node)) > takes_ms)
        w->oracle->host[i].ahead_us = w->now_us;
    for (size_t k = 0; k < w->count; k++)
        ahead += w->oracle->host[k].ahead_us + SAID_US > w->now_us;
    return ahead;
}

/* Beyond lies the future, where three clocks or more are known. */
static uint64_t
now_ms(const struct sim_world *w, size_t i)
{
    struct gvs_node_clock c = gvs_node_clock(w->host[i].node, sim_mono(w, i));

    return c.known < CLOCKS_MIN ? UINT64_MAX : sim_wall(w, i).ms + (uint64_t)c.median_ms + AHEAD_MS;
}

/* The latest stamp that may be taken now: where fewer than three clocks are known, or most of those
 * who know the time have seen what lies ahead of it, any. */
static uint64_t
latest_ms(struct sim_world *w, size_t i)
{
    struct gvs_node_clock c = gvs_node_clock(w->host[i].node, sim_mono(w, i));
    uint64_t ms = now_ms(w, i);
    size_t ahead = count_ahead(w, i, sim_wall(w, i).ms + (uint64_t)c.median_ms + AHEAD_MS);

    return 2 * ahead > c.known ? UINT64_MAX : ms;
}

/* Where too few clocks are known nothing says that it does not lie in the future. */
static void
see(struct sim_view_of *v, uint64_t order, uint64_t now)
{
    if (order > v->greatest)
        v->greatest = order;
    if (order > v->within && now != UINT64_MAX && gvs_hlc_ms(order) <= now)
        v->within = order;
}

void
sim_oracle_written(struct sim_world *w, size_t i, const struct gvs_entry *e)
{
    struct sim_view_of *v = &w->oracle->host[i];
    uint64_t now = now_ms(w, i), seen = v->greatest;

    remember(w->oracle, sim_hash(e->b, e->len));
    put_greatest(&w->oracle->greatest, e);
    if (w->watch.took_us && w->watch.hash == 0)
        w->watch.hash = sim_hash(e->b, e->len);
    if (gvs_hlc_ms(seen) > now)
        seen = v->within;
    if (e->order <= seen)
        sim_fail(w, i, "I3", "a local write bears %016lx, not above %016lx, which it has seen",
                 (unsigned long)e->order, (unsigned long)seen);
    see(v, e->order, now);
}

/* --- what a node holds --- */

static bool
forgettable(const struct sim_world *w, const struct gvs_entry *e)
{
    return gvs_hlc_ms(e->order) + TOMBSTONE_DAYS * UINT64_C(86400000) < sim_true_ms(w);
}

/* I4: by its own clocks, as they were when its last datagram was handled; `held` is what it had. */
static void
check_stamp(struct sim_world *w, size_t i, const struct gvs_entry *e, const struct gvs_entry *held)
{
    const struct sim_view_of *v = &w->oracle->host[i];

    if (e->kind == GVS_KEY_MEMBER || v->took_us != w->now_us ||
        gvs_id_cmp(&e->writer, &w->host[i].id) == 0)
        return;
    if (held && gvs_hlc_ms(e->order) <= gvs_hlc_ms(held->order) + AHEAD_MS)
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

/* What a node wrote beyond what others take it may write again, the same and with a lesser stamp.
 * Most may have seen what lies in the future minutes ago, and say no more that they have. */
static bool
is_rewritten(struct sim_world *w, size_t i, const struct gvs_entry *held, const struct gvs_entry *e)
{
    if (gvs_id_cmp(&held->writer, &w->host[i].id) != 0 ||
        gvs_id_cmp(&e->writer, &w->host[i].id) != 0 || gvs_hlc_ms(held->order) <= now_ms(w, i) ||
        gvs_hlc_ms(e->order) > now_ms(w, i) || held->tombstone != e->tombstone ||
        held->value_len != e->value_len || memcmp(held->value, e->value, e->value_len) != 0)
        return false;
    remember(w->oracle, sim_hash(e->b, e->len));
    replace_in(&w->oracle->greatest, held, e);
    replace_in(&w->oracle->promise, held, e);
    return true;
}

static void
check_entry(struct sim_world *w, size_t i, const struct gvs_entry *e)
{
    struct gvs_entry held;
    bool had = sim_map_get(&w->host[i].disk.now, e->key, e->key_len, &held);
    bool less = had && gvs_entry_cmp(e, &held) < 0;

    check_stamp(w, i, e, had ? &held : NULL);
    if (less && e->kind != GVS_KEY_MEMBER && is_rewritten(w, i, &held, e))
        return;
    if (e->kind != GVS_KEY_MEMBER && !was_written(w->oracle, e))
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
    if (e->kind == GVS_KEY_MEMBER || !forgettable(w, &held))
        sim_fail(w, i, "I3", "dropped a key, order %016lx, that it had", (unsigned long)held.order);
    else if (held.tombstone)
        put_greatest(&w->oracle->graves, &held);
    else if (!has_above(&w->oracle->greatest, &held))
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
    if (e->kind != GVS_KEY_MEMBER)
        see(v, e->order, now_ms(w, i));
    if (w->plan.durable && !w->failed)
        check_entry(w, i, e);
}

static const struct gvs_table *
table_of(const struct sim_world *w, size_t i, bool members)
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
        if (gvs_table_get(table_of(w, i, e.kind == GVS_KEY_MEMBER), e.key, e.key_len, &held)) {
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

static void
compare_with_news(struct sim_world *w, size_t i)
{
    const struct gvs_table *claims = table_of(w, i, false), *members = table_of(w, i, true);
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

    v->claims = gvs_table_fingerprint(table_of(w, i, false));
    v->members = gvs_table_fingerprint(table_of(w, i, true));
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
    changed = v->claims != gvs_table_fingerprint(table_of(w, i, false)) ||
              v->members != gvs_table_fingerprint(table_of(w, i, true));
    if ((changed && v->news == 0) || w->now_us - v->looked_us >= SIM_SECOND) {
        compare_with_news(w, i);
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

    v->greatest = v->within = 0;
    w->host[i].cover.changes = UINT64_MAX;
    for (size_t k = 0; k < m->count; k++) {
        sim_map_entry(m, k, &e);
        if (e.kind != GVS_KEY_MEMBER)
            see(v, e.order, sim_wall(w, i).ms);
    }
    if (!w->plan.durable)
        return;
    compare_with_news(w, i);
    looked(w, i);
}

/* --- who is gone --- */

#define SILENCE_US 100000 /* the shortest that a probe is waited for */

/* Gone is who did not answer a probe of our own, and not who others say is dead. */
void
sim_oracle_gone(struct sim_world *w, size_t i, const struct gvs_id *id)
{
    size_t max = w->plan.limits.members, count;
    struct gvs_node_member *list = sim_need(calloc(max, sizeof *list));

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

    if (!p || p[to].proven || (to < w->count && b[0] == GVS_PACKET_INIT))
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
note_counter(struct sim_proof *p, const uint8_t *b)
{
    uint32_t session = gvs_get32le(b + 4);
    uint64_t counter = gvs_get64le(b + 8);

    if (p->session != session)
        p->counter = 0;
    p->session = session;
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
        note_counter(&h->proof[p->from], p->b);
    else if (data && replays(h->node) != replayed)
        check_replay(w, i, p);
    h->busy_us = w->now_us + h->handle_us;
}

/* --- I8 --- */

/* Has the map anything to say of the item: the entries of its service, or of that backend? */
static bool
speaks_of(const struct gvs_entry *e, const struct gvs_item *item)
{
    struct gvs_key key;

    if (e->kind == GVS_KEY_MEMBER || gvs_key_parse(&key, e->key, e->key_len) != GVS_OK ||
        gvs_svcid_cmp(&key.svc, &item->svc) != 0)
        return false;
    if (item->kind == GVS_ITEM_SERVICE)
        return key.kind == GVS_KEY_SERVICE;
    return key.kind == GVS_KEY_BACKEND && gvs_ep_cmp(&key.ep, &item->ep) == 0;
}

static bool
any_speaks(const struct sim_map *m, const struct gvs_item *item, bool live)
{
    struct gvs_entry e;

    for (size_t k = 0; k < m->count; k++) {
        sim_map_entry(m, k, &e);
        if (speaks_of(&e, item) && (!live || !e.tombstone))
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
            !any_speaks(&h->disk.now, item, false))
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

    if (!w->plan.durable || any_speaks(&w->host[i].disk.now, item, false) ||
        has_confirmer(w, i, item))
        return;
    gvs_svcid_format(text, &item->svc);
    for (size_t k = 0; k < w->count; k++) {
        if (any_speaks(&w->host[k].disk.now, item, true))
            sim_fail(w, i, "I8",
                     "removes a %s of %s, of which its table (%zu entries, %s) knows "
                     "nothing, and n%zu holds a claim",
                     item->kind == GVS_ITEM_SERVICE ? "service" : "destination", text,
                     gvs_table_count(table_of(w, i, false)),
                     gvs_node_synced(w->host[i].node) ? "synced" : "not synced", k);
    }
}

/* --- rest --- */

bool
sim_oracle_may_lack(const struct sim_world *w, const struct gvs_entry *e)
{
    return (e->tombstone && forgettable(w, e)) || has_above(&w->oracle->graves, e);
}

size_t
sim_oracle_forgotten(const struct sim_world *w)
{
    return w->oracle->graves.count;
}

void
sim_oracle_promise(struct sim_world *w)
{
    struct sim_map *promise = &w->oracle->promise;
    struct gvs_entry e;

    for (size_t i = 0; i < w->count; i++) {
        const struct sim_map *m = &w->host[i].disk.now;

        if (!w->host[i].node)
            m = &w->host[i].disk.durable.map;
        for (size_t k = 0; k < m->count; k++) {
            sim_map_entry(m, k, &e);
            if (e.kind != GVS_KEY_MEMBER && !has_above(&w->oracle->graves, &e))
                put_greatest(promise, &e);
        }
    }
}

size_t
sim_running(const struct sim_world *w)
{
    size_t count = 0;

    for (size_t i = 0; i < w->count; i++)
        count += w->host[i].node != NULL;
    return count;
}

bool
sim_joined(struct sim_world *w)
{
    size_t running = sim_running(w);

    for (size_t i = 0; i < w->count; i++) {
        if (w->host[i].node && gvs_node_count(w->host[i].node).alive != running)
            return false;
    }
    return true;
}

bool
sim_agreed(struct sim_world *w)
{
    uint64_t claims = 0, members = 0;
    bool first = true;

    for (size_t i = 0; i < w->count; i++) {
        if (!w->host[i].node)
            continue;
        if (first) {
            claims = gvs_table_fingerprint(table_of(w, i, false));
            members = gvs_table_fingerprint(table_of(w, i, true));
            first = false;
        }
        if (gvs_table_fingerprint(table_of(w, i, false)) != claims ||
            gvs_table_fingerprint(table_of(w, i, true)) != members)
            return false;
    }
    return true;
}

bool
sim_converged(struct sim_world *w)
{
    if (!sim_agreed(w) || !sim_joined(w))
        return false;
    for (size_t i = 0; i < w->count; i++) {
        if (w->host[i].node && w->host[i].kernel && !sim_kernel_in_step(w->host[i].kernel))
            return false;
    }
    return true;
}

/* When what is stamped in the future, and so deferred, will be taken by everybody. */
uint64_t
sim_oracle_admission(struct sim_world *w)
{
    uint64_t greatest_ms = 0;
    struct gvs_entry e;

    for (size_t i = 0; i < w->count; i++) {
        const struct gvs_table *t = table_of(w, i, false);

        for (bool more = gvs_table_seek(t, NULL, 0, false, &e); more;
             more = gvs_table_seek(t, e.key, e.key_len, true, &e))
            greatest_ms = gvs_hlc_ms(e.order) > greatest_ms ? gvs_hlc_ms(e.order) : greatest_ms;
    }
    return greatest_ms > SIM_EPOCH_MS + w->leap_ms
               ? (greatest_ms - SIM_EPOCH_MS - w->leap_ms) * 1000
               : 0;
}

/* The next entry after `e` that counts: tombstones past their time are kept or not, as each likes.
 */
static bool
next_entry(const struct sim_world *w, const struct gvs_table *t, struct gvs_entry *e)
{
    bool more = gvs_table_seek(t, e->key, e->key_len, e->key_len > 0, e);

    while (more && e->tombstone && forgettable(w, e))
        more = gvs_table_seek(t, e->key, e->key_len, true, e);
    return more;
}

static void
compare_tables(struct sim_world *w, size_t a, size_t b, bool members)
{
    const struct gvs_table *ta = table_of(w, a, members), *tb = table_of(w, b, members);
    struct gvs_entry ea = {0}, eb = {0};
    bool ma = next_entry(w, ta, &ea), mb = next_entry(w, tb, &eb);

    for (; ma && mb; ma = next_entry(w, ta, &ea), mb = next_entry(w, tb, &eb)) {
        if (ea.len != eb.len || memcmp(ea.b, eb.b, ea.len) != 0)
            sim_fail(w, b, "I14", "holds order %016lx where n%zu holds %016lx (%s)",
                     (unsigned long)eb.order, a, (unsigned long)ea.order,
                     members ? "members" : "claims");
    }
    if (ma != mb)
        sim_fail(w, b, "I14", "holds %zu %s, n%zu %zu", gvs_table_count(tb),
                 members ? "members" : "claims", a, gvs_table_count(ta));
}

static void
check_members(struct sim_world *w, size_t i)
{
    struct gvs_node_member *list;
    size_t count, max = w->plan.limits.members;

    list = sim_need(calloc(max, sizeof *list));
    count = gvs_node_list(w->host[i].node, list, max);
    for (size_t k = 0; k < w->count; k++) {
        bool seen = false;

        for (size_t m = 0; m < count; m++)
            seen |= list[m].state == GVS_ALIVE && gvs_id_cmp(&list[m].id, &w->host[k].id) == 0;
        if (seen != (w->host[k].node != NULL))
            sim_fail(w, i, "I14", "sees n%zu %s", k, seen ? "alive" : "not alive");
    }
    free(list);
}

/* Two deletions of a key that are both past their time are one: neither counts any more, and nobody
 * who has the lesser is given the greater. */
static bool
is_spent(const struct sim_world *w, const struct gvs_entry *held, const struct gvs_entry *e)
{
    return held->tombstone && e->tombstone && forgettable(w, e);
}

static void
check_promise(struct sim_world *w, size_t i)
{
    struct gvs_entry e, held;
    struct sim_map *promise = &w->oracle->promise;

    for (size_t k = 0; k < promise->count; k++) {
        sim_map_entry(promise, k, &e);
        if (!gvs_table_get(table_of(w, i, false), e.key, e.key_len, &held)) {
            if ((!e.tombstone || !forgettable(w, &e)) && !has_above(&w->oracle->graves, &e))
                sim_fail(w, i, "I16", "lacks a key, order %016lx, that was held when faults ended",
                         (unsigned long)e.order);
        } else if (gvs_entry_cmp(&held, &e) < 0 && !is_spent(w, &held, &e)) {
            sim_fail(w, i, e.tombstone && !held.tombstone ? "I17" : "I16",
                     "holds order %016lx where %016lx%s was held when faults ended",
                     (unsigned long)held.order, (unsigned long)e.order,
                     e.tombstone ? ", a deletion," : "");
        }
    }
}

/* What was forgotten after all had heard of it stays deleted. */
static void
check_graves(struct sim_world *w, size_t i)
{
    struct sim_map *graves = &w->oracle->graves;
    struct gvs_entry e, held;

    for (size_t k = 0; k < graves->count; k++) {
        sim_map_entry(graves, k, &e);
        if (gvs_table_get(table_of(w, i, false), e.key, e.key_len, &held) &&
            gvs_entry_cmp(&held, &e) < 0)
            sim_fail(w, i, "I17", "holds order %016lx, whose deletion %016lx was forgotten",
                     (unsigned long)held.order, (unsigned long)e.order);
    }
}

void
sim_oracle_rest(struct sim_world *w)
{
    size_t first = SIZE_MAX;

    for (size_t i = 0; i < w->count; i++) {
        if (!w->host[i].node)
            continue;
        if (first == SIZE_MAX)
            first = i;
        compare_tables(w, first, i, false);
        compare_tables(w, first, i, true);
        check_members(w, i);
        check_promise(w, i);
        check_graves(w, i);
        if (w->plan.durable)
            compare_with_news(w, i);
        if (w->host[i].kernel)
            sim_kernel_check(w, i);
    }
}
