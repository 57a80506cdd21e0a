#include "net/sync.h"

#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "core/err.h"
#include "net/sync_impl.h"

#define DOUBLINGS_MAX 7 /* 300 ms << 7 is beyond the longest interval */
#define FRUITLESS_MIN 3 /* starts that may fail by mere loss */
#define VAIN_MIN 4      /* nothing special about it */
#define READ_MAX 256    /* own ids looked at for one IDS; more are compared by sums again */
#define BOTH_MS 100     /* two that begin so close together have begun at once */
#define CHUNK 256       /* entries; a few percent of the datagrams are cut short by it */
#define BITS_MAX 16
#define GATHER_MS 100 /* cells that were asked for are late then */
#define GATHER_TRIES 5

/* --- life --- */

int
gvs_sync_open(struct gvs_sync *s, const struct gvs_table *const *table,
              const struct gvs_keylog *news)
{
    *s = (struct gvs_sync){.table = table, .news = news};
    s->work = calloc(GVS_SYNC_WORK_MAX, sizeof *s->work);
    for (size_t i = 0; i < 2; i++)
        s->memory[i] = malloc(gvs_sketch_diff_footprint(GVS_SKETCH_CELLS_MAX));
    return s->work && s->memory[0] && s->memory[1] ? GVS_OK : GVS_E_SYS;
}

void
gvs_sync_close(struct gvs_sync *s)
{
    free(s->work);
    free(s->memory[0]);
    free(s->memory[1]);
}

/* --- queues --- */

struct gvs_work *
gvs_sync_at(const struct gvs_sync *s, uint32_t place)
{
    GVS_ASSERT(place >= 1 && place <= s->used);
    return &s->work[place - 1];
}

static uint32_t
take_place(struct gvs_sync *s)
{
    uint32_t place = s->free;

    if (place == 0)
        return s->used < GVS_SYNC_WORK_MAX ? ++s->used : 0;
    s->free = gvs_sync_at(s, place)->next;
    return place;
}

static bool
has_room(const struct gvs_sync *s, const struct gvs_queue *q)
{
    if (q->count < GVS_SYNC_WORK_SHORT)
        return true;
    return q->count < GVS_SYNC_WORK_PEER_MAX &&
           s->waiting < GVS_SYNC_WORK_MAX - GVS_SYNC_WORK_SPARE;
}

bool
gvs_sync_put(struct gvs_sync *s, struct gvs_queue *q, enum gvs_work_kind kind, uint64_t table,
             uint64_t first, uint64_t last)
{
    uint32_t place = has_room(s, q) ? take_place(s) : 0;

    if (place == 0)
        return false;
    *gvs_sync_at(s, place) = (struct gvs_work){
        .kind = (uint8_t)kind, .table = (uint8_t)table, .first = first, .last = last};
    q->of[table]++;
    if (q->count++ == 0)
        q->head = place;
    else
        gvs_sync_at(s, q->tail)->next = place;
    q->tail = place;
    s->waiting++;
    return true;
}

struct gvs_work *
gvs_sync_head(const struct gvs_sync *s, const struct gvs_queue *q)
{
    return q->count > 0 ? gvs_sync_at(s, q->head) : NULL;
}

void
gvs_sync_drop(struct gvs_sync *s, struct gvs_queue *q)
{
    uint32_t place = q->head;

    GVS_ASSERT(q->count > 0 && s->waiting > 0);
    s->waiting--;
    q->count--;
    q->of[gvs_sync_at(s, place)->table]--;
    q->head = gvs_sync_at(s, place)->next;
    gvs_sync_at(s, place)->next = s->free;
    s->free = place;
}

/* Ids are spread evenly. */
static uint64_t
ids_about(const struct gvs_table *t, uint64_t first, uint64_t last)
{
    return (gvs_table_count(t) * (((last - first) >> 32) + 1)) >> 32;
}

/* Both sides may have started a search at once: the same part of a table is owed once. Parts are
 * aligned, so that their ends tell. */
void
gvs_sync_put_range(struct gvs_sync *s, struct gvs_sync_peer *p, uint64_t table, uint64_t first,
                   uint64_t last)
{
    uint32_t place = p->give.head;
    struct gvs_work *w;

    for (uint32_t i = 0; i < p->give.count; i++, place = gvs_sync_at(s, place)->next) {
        w = gvs_sync_at(s, place);
        if (w->kind == GVS_WORK_RANGE && w->table == table && w->last == last)
            return;
    }
    if (!gvs_sync_put(s, &p->give, GVS_WORK_RANGE, table, first, last))
        return;
    w = gvs_sync_at(s, p->give.tail);
    w->at = first;
    for (uint64_t n = ids_about(s->table[table], first, last); n > CHUNK && w->bits < BITS_MAX;
         n /= 2)
        w->bits++;
}

/* --- starting --- */

void
gvs_sync_reset(struct gvs_sync *s, struct gvs_sync_peer *p)
{
    while (p->ask.count > 0)
        gvs_sync_drop(s, &p->ask);
    while (p->give.count > 0)
        gvs_sync_drop(s, &p->give);
    if (s->gather.whose == p)
        s->gather.whose = NULL;
    if (s->pull.from == p)
        s->pull.from = NULL;
    p->idle_answers = 0;
    memset(p->start, 0, sizeof p->start);
}

uint64_t
gvs_sync_interval_ms(const struct gvs_sync_peer *p, enum gvs_table_no no)
{
    unsigned n = p->start[no].fruitless;
    uint64_t ms;

    n = n > FRUITLESS_MIN ? n - FRUITLESS_MIN : 0;
    ms = (uint64_t)GVS_SYNC_INTERVAL_MS << (n < DOUBLINGS_MAX ? n : DOUBLINGS_MAX);
    return ms < GVS_SYNC_INTERVAL_MS_MAX ? ms : GVS_SYNC_INTERVAL_MS_MAX;
}

static bool
is_pulling(const struct gvs_sync *s, struct gvs_mono now, enum gvs_table_no no)
{
    return no == GVS_TABLE_CLAIMS && s->pull.from && !gvs_mono_due(s->pull.until, now);
}

void
gvs_sync_came(struct gvs_sync *s, struct gvs_sync_peer *p, struct gvs_mono now,
              enum gvs_table_no no, uint64_t news)
{
    p->start[no].unanswered = false;
    p->start[no].came = true;
    if (s->pull.from == p && no == GVS_TABLE_CLAIMS && news > 0)
        s->pull.until = gvs_mono_add_ms(now, GVS_SYNC_INTERVAL_MS);
}

bool
gvs_sync_is_vain(const struct gvs_sync_peer *p, enum gvs_table_no no)
{
    return p->start[no].vain >= VAIN_MIN;
}

/* The first message of a search of his: is it for him to begin? */
static bool
may_begin(const struct gvs_sync *s, const struct gvs_sync_peer *p, struct gvs_mono now,
          enum gvs_table_no no)
{
    bool both =
        p->start[no].unanswered && !gvs_mono_due(gvs_mono_add_ms(p->start[no].at, BOTH_MS), now);

    return !is_pulling(s, now, no) && !(both && p->leads);
}

bool
gvs_sync_start(struct gvs_sync *s, struct gvs_sync_peer *p, struct gvs_mono now,
               enum gvs_table_no no, uint64_t his, bool joining)
{
    uint64_t own = gvs_table_fingerprint(s->table[no]);
    bool before = p->start[no].at.us != 0;
    /* Fingerprints are sums: what both have taken in since, or dropped, does not show. */
    bool same = before && p->start[no].own - p->start[no].his == own - his;

    if (p->give.of[no] > 0 || p->ask.of[no] > 0 || is_pulling(s, now, no))
        return false;
    if (!same)
        p->start[no].fruitless = 0;
    if (before && !gvs_mono_due(gvs_mono_add_ms(p->start[no].at, gvs_sync_interval_ms(p, no)), now))
        return false;
    p->start[no].fruitless += same;
    p->start[no].at = now;
    p->start[no].own = own;
    p->start[no].his = his;
    p->start[no].unanswered = true;
    p->start[no].vain = same && p->start[no].came ? p->start[no].vain + 1 : 0;
    p->start[no].came = false;
    if (joining && no == GVS_TABLE_CLAIMS && gvs_table_count(s->table[no]) <= GVS_SYNC_FEW) {
        s->pull.from = p;
        s->pull.until = gvs_mono_add_ms(now, GVS_SYNC_INTERVAL_MS);
        return gvs_sync_put(s, &p->ask, GVS_WORK_PULL, no, 0, UINT64_MAX);
    }
    if (gvs_table_count(s->table[no]) <= GVS_SYNC_FEW)
        return gvs_sync_put(s, &p->ask, GVS_WORK_IDS, no, 0, UINT64_MAX);
    return gvs_sync_put(s, &p->ask, GVS_WORK_SKETCH, no, 0, GVS_SKETCH_PIECE - 1);
}

/* --- what differs, by id --- */

/* Members are never too young: whoever just came back to life is not served by relay yet. */
bool
gvs_sync_is_young(const struct gvs_sync *s, struct gvs_mono now, const struct gvs_entry *e)
{
    struct gvs_mono at;

    return e->kind != GVS_KEY_MEMBER && gvs_keylog_when(s->news, e->key, e->key_len, &at) &&
           now.us < gvs_mono_add_ms(at, GVS_SYNC_YOUNG_MS).us;
}

/* Only we have it, or he asks for it. */
static void
give(struct gvs_sync *s, struct gvs_sync_peer *p, struct gvs_mono now, uint64_t table, uint64_t id)
{
    struct gvs_entry e;

    if (gvs_table_get_id(s->table[table], id, &e) && !gvs_sync_is_young(s, now, &e))
        gvs_sync_put(s, &p->give, GVS_WORK_ID, table, id, id);
}

/* Only he has it. What we hold and do not count, an old deletion, we do not lack. */
static bool
want(struct gvs_sync *s, struct gvs_sync_peer *p, uint64_t table, uint64_t id)
{
    struct gvs_entry e;

    if (gvs_table_get_id(s->table[table], id, &e))
        return false;
    gvs_sync_put(s, &p->ask, GVS_WORK_WANT, table, id, id);
    return true;
}

void
gvs_sync_want(struct gvs_sync *s, struct gvs_sync_peer *p, struct gvs_mono now,
              const struct gvs_msg *m)
{
    p->start[m->table].unanswered = false;
    for (size_t at = 0; at < m->bin.len; at += 8)
        give(s, p, now, m->table, gvs_get64(m->bin.b + at));
}

void
gvs_sync_give_id(struct gvs_sync *s, struct gvs_sync_peer *p, enum gvs_table_no no, uint64_t id)
{
    gvs_sync_put(s, &p->give, GVS_WORK_ID, no, id, id);
}

/* --- sketches --- */

/* A difference is known: what he lacks is given, what we lack is wanted. Returns whether we lack
 * nothing. */
static bool
settle(struct gvs_sync *s, struct gvs_sync_peer *p, struct gvs_mono now, enum gvs_table_no no,
       const struct gvs_sketch_diff *d)
{
    enum gvs_sketch_side side;
    bool complete = true;
    uint64_t id;
    size_t at = 0;

    while ((side = gvs_sketch_diff_next(d, &at, &id)) != GVS_SKETCH_NEITHER) {
        if (side == GVS_SKETCH_OURS)
            give(s, p, now, no, id);
        else
            complete &= !want(s, p, no, id);
    }
    return complete;
}

static void
ask_more(struct gvs_sync *s, struct gvs_mono now, size_t first)
{
    struct gvs_gather *g = &s->gather;

    GVS_ASSERT(g->whose);
    gvs_sync_put(s, &g->whose->ask, GVS_WORK_MORE, g->table, first, g->want - 1);
    g->due = gvs_mono_add_ms(now, GATHER_MS);
}

/* All that were asked for are here and do not decode: as many again, or ranges of ids if our own
 * sketch has no more, or his, which a last piece of less than a whole one shows. */
static void
need_more(struct gvs_sync *s, struct gvs_mono now, size_t piece)
{
    struct gvs_gather *g = &s->gather;
    size_t most = gvs_sketch_cells(gvs_table_sketch(s->table[g->table]));
    size_t taken = gvs_sketch_diff_taken(g->diff);

    GVS_ASSERT(g->whose);
    if (taken == most || piece < GVS_SKETCH_PIECE) {
        gvs_sync_put(s, &g->whose->ask, GVS_WORK_SUMS, g->table, 0, UINT64_MAX);
        g->whose = NULL;
        return;
    }
    if (taken < g->want)
        return;
    g->want = 2 * g->want < most ? 2 * g->want : most;
    ask_more(s, now, taken);
}

/* The first cells of his sketch, which mostly are enough. If not they are kept, unless those of
 * somebody else are: the next comparison comes soon. */
static bool
begin_sketch(struct gvs_sync *s, struct gvs_sync_peer *p, struct gvs_mono now,
             const struct gvs_msg *m)
{
    enum gvs_table_no no = (enum gvs_table_no)m->table;
    size_t count = m->bin.len / GVS_SKETCH_CELL_LEN;
    struct gvs_gather *g = &s->gather;
    struct gvs_sketch_diff *d =
        gvs_sketch_diff_init(s->memory[s->turn], gvs_table_sketch(s->table[no]));
    bool again = g->whose == p && g->table == no;

    if (gvs_sketch_diff_take(d, m->bin.b, count)) {
        if (again)
            g->whose = NULL;
        return settle(s, p, now, no, d);
    }
    if (g->whose && g->whose != p && !gvs_mono_due(g->due, now))
        return false;
    *g = (struct gvs_gather){.whose = p,
                             .table = no,
                             .fingerprint = m->fingerprint,
                             .want = again && g->want > count ? g->want : count,
                             .diff = d,
                             .due = gvs_mono_add_ms(now, GATHER_MS)};
    s->turn = !s->turn; /* its memory is in use */
    need_more(s, now, count);
    return false;
}

bool
gvs_sync_sketch(struct gvs_sync *s, struct gvs_sync_peer *p, struct gvs_mono now,
                const struct gvs_msg *m)
{
    enum gvs_table_no no = (enum gvs_table_no)m->table;
    size_t count = m->bin.len / GVS_SKETCH_CELL_LEN;
    struct gvs_gather *g = &s->gather;

    if (m->fingerprint == gvs_table_fingerprint(s->table[no])) {
        if (g->whose == p && g->table == no)
            g->whose = NULL; /* mended meanwhile */
        return true;
    }
    if (m->first == 0)
        return (g->whose == p || may_begin(s, p, now, no)) && begin_sketch(s, p, now, m);
    if (g->whose != p || g->table != no || m->first != gvs_sketch_diff_taken(g->diff))
        return false;
    if (m->fingerprint != g->fingerprint) { /* of another moment: all of them once more */
        ask_more(s, now, 0);
        g->fingerprint = 0;
        return false;
    }
    g->tries = 0;
    if (gvs_sketch_diff_take(g->diff, m->bin.b, count)) {
        g->whose = NULL;
        return settle(s, p, now, no, g->diff);
    }
    need_more(s, now, count);
    return false;
}

void
gvs_sync_more(struct gvs_sync *s, struct gvs_sync_peer *p, const struct gvs_msg *m)
{
    size_t most = gvs_sketch_cells(gvs_table_sketch(s->table[m->table]));

    p->start[m->table].unanswered = false;
    for (uint64_t at = m->first; at <= m->last && at < most; at += GVS_SKETCH_PIECE) {
        uint64_t last = at + GVS_SKETCH_PIECE - 1;

        gvs_sync_put(s, &p->ask, GVS_WORK_SKETCH, m->table, at, last < m->last ? last : m->last);
    }
}

struct gvs_mono
gvs_sync_run(struct gvs_sync *s, struct gvs_mono now)
{
    struct gvs_gather *g = &s->gather;

    if (!g->whose)
        return GVS_MONO_NEVER;
    if (!gvs_mono_due(g->due, now))
        return g->due;
    if (++g->tries > GATHER_TRIES) {
        g->whose = NULL;
        return GVS_MONO_NEVER;
    }
    ask_more(s, now, g->fingerprint == 0 ? 0 : gvs_sketch_diff_taken(g->diff));
    return g->due;
}

/* --- ranges of ids --- */

/* The i-th of sixteen equal parts of first .. last; false if the range is too small to have it. */
static bool
part_of(uint64_t first, uint64_t last, unsigned i, uint64_t *from, uint64_t *to)
{
    uint64_t span = last - first;
    uint64_t step = span / GVS_SUMS_PARTS + 1;

    if (i * step > span)
        return false;
    *from = first + i * step;
    *to = span - i * step < step ? last : *from + step - 1;
    return true;
}

static void
compare_part(struct gvs_sync *s, struct gvs_sync_peer *p, uint64_t no, uint64_t from, uint64_t to,
             uint64_t sum, uint32_t count)
{
    struct gvs_idsum own = gvs_table_idsum(s->table[no], from, to);

    if (own.sum == sum && own.count == count)
        return;
    if (count == 0)
        gvs_sync_put_range(s, p, no, from, to);
    else if (own.count == 0 || own.count + count <= GVS_SYNC_FEW || from == to)
        gvs_sync_put(s, &p->ask, GVS_WORK_IDS, no, from, to);
    else
        gvs_sync_put(s, &p->ask, GVS_WORK_SUMS, no, from, to);
}

void
gvs_sync_sums(struct gvs_sync *s, struct gvs_sync_peer *p, struct gvs_mono now,
              const struct gvs_msg *m, unsigned turn)
{
    uint64_t from, to;

    if (is_pulling(s, now, (enum gvs_table_no)m->table))
        return;

    p->start[m->table].unanswered = false;
    for (unsigned k = 0; k < GVS_SUMS_PARTS; k++) {
        unsigned i = (k + turn) % GVS_SUMS_PARTS;

        if (part_of(m->first, m->last, i, &from, &to))
            compare_part(s, p, m->table, from, to, gvs_get64(m->bin.b + 12 * i),
                         gvs_get32(m->bin.b + 12 * i + 8));
    }
}

/* Two ascending lists: what only one has is given or wanted. Returns whether we lack nothing. */
static bool
merge_ids(struct gvs_sync *s, struct gvs_sync_peer *p, struct gvs_mono now, const struct gvs_msg *m,
          const uint64_t *own, size_t own_count)
{
    bool complete = true;
    size_t i = 0, at = 0;
    uint64_t his;

    while (i < own_count || at < m->bin.len) {
        his = at < m->bin.len ? gvs_get64(m->bin.b + at) : 0;
        if (at == m->bin.len || (i < own_count && own[i] < his)) {
            give(s, p, now, m->table, own[i++]);
        } else if (i == own_count || his < own[i]) {
            complete &= !want(s, p, m->table, his);
            at += 8;
        } else {
            i++;
            at += 8;
        }
    }
    return complete;
}

/* From the beginning, also if he is being given it: he has lost track. */
static void
put_all(struct gvs_sync *s, struct gvs_sync_peer *p)
{
    const struct gvs_work *w = gvs_sync_head(s, &p->give);

    p->all.len = 0;
    if (!w || w->kind != GVS_WORK_ALL)
        gvs_sync_put(s, &p->give, GVS_WORK_ALL, GVS_TABLE_CLAIMS, 0, UINT64_MAX);
}

bool
gvs_sync_ids(struct gvs_sync *s, struct gvs_sync_peer *p, struct gvs_mono now,
             const struct gvs_msg *m)
{
    uint64_t own[READ_MAX];
    size_t own_count = gvs_table_ids(s->table[m->table], m->first, m->last, own, READ_MAX);
    bool whole = m->first == 0 && m->last == UINT64_MAX;

    if (m->bin.len > 0 && whole && !may_begin(s, p, now, (enum gvs_table_no)m->table))
        return false;
    if (m->bin.len == 0 && whole && m->table == GVS_TABLE_CLAIMS)
        put_all(s, p);
    else if (m->bin.len == 0)
        gvs_sync_put_range(s, p, m->table, m->first, m->last);
    else if (own_count == READ_MAX)
        gvs_sync_put(s, &p->ask, GVS_WORK_SUMS, m->table, m->first, m->last);
    else
        return merge_ids(s, p, now, m, own, own_count) && whole;
    return false;
}

/* --- the search, as messages --- */

static bool
ask_sketch(const struct gvs_work *w, const struct gvs_table *t, size_t room, struct gvs_msg *m,
           uint8_t *bin)
{
    const struct gvs_sketch *sketch = gvs_table_sketch(t);
    size_t most = gvs_sketch_cells(sketch);
    size_t end = w->last < most ? (size_t)w->last + 1 : most;
    size_t count = end - (size_t)w->first;

    GVS_ASSERT(w->first < end);
    if (room < count * GVS_SKETCH_CELL_LEN)
        return false;
    gvs_sketch_write(sketch, (size_t)w->first, count, bin);
    m->type = GVS_MSG_SKETCH;
    m->fingerprint = gvs_table_fingerprint(t);
    m->bin.len = count * GVS_SKETCH_CELL_LEN;
    return true;
}

static bool
ask_sums(const struct gvs_work *w, const struct gvs_table *t, size_t room, struct gvs_msg *m,
         uint8_t *bin)
{
    uint64_t from, to;

    if (room < GVS_SUMS_LEN)
        return false;
    memset(bin, 0, GVS_SUMS_LEN);
    for (unsigned i = 0; i < GVS_SUMS_PARTS; i++) {
        struct gvs_idsum own;

        if (!part_of(w->first, w->last, i, &from, &to))
            continue;
        own = gvs_table_idsum(t, from, to);
        gvs_put64(bin + 12 * i, own.sum);
        gvs_put32(bin + 12 * i + 8, (uint32_t)own.count);
    }
    m->type = GVS_MSG_SUMS;
    m->bin.len = GVS_SUMS_LEN;
    return true;
}

/* Becomes SUMS if there are too many by now. */
static bool
ask_ids(const struct gvs_work *w, const struct gvs_table *t, size_t room, struct gvs_msg *m,
        uint8_t *bin)
{
    uint64_t own[GVS_SYNC_FEW + 1];
    size_t count = gvs_table_ids(t, w->first, w->last, own, GVS_SYNC_FEW + 1);

    if (count > GVS_SYNC_FEW)
        return ask_sums(w, t, room, m, bin);
    if (room < 8 * count)
        return false;
    for (size_t i = 0; i < count; i++)
        gvs_put64(bin + 8 * i, own[i]);
    m->type = GVS_MSG_IDS;
    m->bin.len = 8 * count;
    return true;
}

/* Puts an id in its place among ascending ones, once. False: there is no room. */
static bool
insert_id(uint8_t *bin, size_t *len, size_t room, uint64_t id)
{
    size_t at = *len;

    while (at > 0 && gvs_get64(bin + at - 8) > id)
        at -= 8;
    if (at > 0 && gvs_get64(bin + at - 8) == id)
        return true;
    if (*len + 8 > room)
        return false;
    memmove(bin + at + 8, bin + at, *len - at);
    gvs_put64(bin + at, id);
    *len += 8;
    return true;
}

/* As many wanted ids as stand together in the queue and fit; what came meanwhile is wanted no more.
 */
static bool
ask_want(struct gvs_sync *s, struct gvs_sync_peer *p, size_t room, struct gvs_msg *m, uint8_t *bin)
{
    const struct gvs_work *w;
    struct gvs_entry e;
    size_t len = 0;

    while ((w = gvs_sync_head(s, &p->ask)) != NULL && w->kind == GVS_WORK_WANT &&
           w->table == m->table) {
        if (!gvs_table_get_id(s->table[m->table], w->first, &e) &&
            !insert_id(bin, &len, room, w->first))
            break;
        gvs_sync_drop(s, &p->ask);
    }
    m->type = GVS_MSG_WANT;
    m->bin.len = len;
    return len > 0;
}

/* The work at the head as a message. False: there is no room for it. */
static bool
ask_one(const struct gvs_work *w, const struct gvs_table *t, size_t room, struct gvs_msg *m,
        uint8_t *bin)
{
    switch ((enum gvs_work_kind)w->kind) {
    case GVS_WORK_SKETCH:
        return ask_sketch(w, t, room, m, bin);
    case GVS_WORK_MORE:
        m->type = GVS_MSG_MORE;
        return true;
    case GVS_WORK_SUMS:
        return ask_sums(w, t, room, m, bin);
    case GVS_WORK_IDS:
        return ask_ids(w, t, room, m, bin);
    case GVS_WORK_PULL:
        m->type = GVS_MSG_IDS;
        return true;
    case GVS_WORK_WANT:
    case GVS_WORK_RANGE:
    case GVS_WORK_ALL:
    case GVS_WORK_RUN:
    case GVS_WORK_ID:
        break;
    }
    GVS_ASSERT(false);
    return false;
}

bool
gvs_sync_ask(struct gvs_sync *s, struct gvs_sync_peer *p, size_t room, struct gvs_msg *m,
             uint8_t bin[static GVS_BODY_LEN_MAX])
{
    const struct gvs_work *w;

    while (room > 0 && (w = gvs_sync_head(s, &p->ask)) != NULL) {
        *m = (struct gvs_msg){.table = w->table, .first = w->first, .last = w->last};
        m->bin.b = bin;
        if (w->kind == GVS_WORK_WANT) {
            if (ask_want(s, p, room, m, bin))
                return true;
            if (gvs_sync_head(s, &p->ask) == w)
                return false; /* no room */
            continue;
        }
        if (!ask_one(w, s->table[w->table], room, m, bin))
            return false;
        gvs_sync_drop(s, &p->ask);
        return true;
    }
    return false;
}
