#include "net/sync.h"

#include <string.h>

#include "core/bytes.h"
#include "core/err.h"

#define DOUBLINGS_MAX 7    /* 300 ms << 7 is beyond the longest interval */
#define FRUITLESS_MIN 3    /* starts that may fail by mere loss */
#define IDLE_ANSWERS_MAX 3 /* then somebody else has given him this range */
#define READ_MAX 256       /* own ids looked at for one IDS; more are compared by sums again */

/* --- queues --- */

static bool
put_work(struct gvs_work_queue *q, enum gvs_work_kind kind, uint64_t table, uint64_t first,
         uint64_t last)
{
    if (q->count == GVS_SYNC_QUEUE_MAX)
        return false;
    if (q->count == 0)
        q->at = 0; /* stay on the pages that are in use anyway */
    q->work[(q->at + q->count++) % GVS_SYNC_QUEUE_MAX] = (struct gvs_work){
        .kind = (uint8_t)kind, .table = (uint8_t)table, .first = first, .last = last};
    return true;
}

static struct gvs_work *
head_of(struct gvs_work_queue *q)
{
    return q->count > 0 ? &q->work[q->at] : NULL;
}

static void
drop_head(struct gvs_work_queue *q)
{
    GVS_ASSERT(q->count > 0);
    q->at = (q->at + 1) % GVS_SYNC_QUEUE_MAX;
    q->count--;
}

/* Both sides may have started a search at once: the same part of a table is owed once. Parts are
 * aligned, so that their ends tell. */
static void
put_range(struct gvs_sync *s, uint64_t table, uint64_t first, uint64_t last)
{
    const struct gvs_work_queue *q = &s->give;

    for (size_t i = 0; i < q->count; i++) {
        const struct gvs_work *w = &q->work[(q->at + i) % GVS_SYNC_QUEUE_MAX];

        if (w->kind == GVS_WORK_RANGE && w->table == table && w->last == last)
            return;
    }
    put_work(&s->give, GVS_WORK_RANGE, table, first, last);
}

/* --- starting --- */

void
gvs_sync_reset(struct gvs_sync *s)
{
    s->ask.count = 0; /* the work itself is left: most of its pages were never touched */
    s->give.count = 0;
    s->idle_answers = 0;
    memset(s->start, 0, sizeof s->start);
}

static bool
has_work(const struct gvs_work_queue *q, enum gvs_table_no no)
{
    for (size_t i = 0; i < q->count; i++) {
        if (q->work[(q->at + i) % GVS_SYNC_QUEUE_MAX].table == no)
            return true;
    }
    return false;
}

uint64_t
gvs_sync_interval_ms(const struct gvs_sync *s, enum gvs_table_no no)
{
    unsigned n = s->start[no].fruitless;
    uint64_t ms;

    n = n > FRUITLESS_MIN ? n - FRUITLESS_MIN : 0;
    ms = (uint64_t)GVS_SYNC_INTERVAL_MS << (n < DOUBLINGS_MAX ? n : DOUBLINGS_MAX);
    return ms < GVS_SYNC_INTERVAL_MS_MAX ? ms : GVS_SYNC_INTERVAL_MS_MAX;
}

bool
gvs_sync_start(struct gvs_sync *s, struct gvs_mono now, enum gvs_table_no no, uint64_t own,
               uint64_t his)
{
    bool before = s->start[no].at.us != 0;
    bool same = before && s->start[no].own == own && s->start[no].his == his;

    if (has_work(&s->give, no) || has_work(&s->ask, no))
        return false;
    if (!same)
        s->start[no].fruitless = 0;
    if (before && !gvs_mono_due(gvs_mono_add_ms(s->start[no].at, gvs_sync_interval_ms(s, no)), now))
        return false;
    s->start[no].fruitless += same;
    s->start[no].at = now;
    s->start[no].own = own;
    s->start[no].his = his;
    return put_work(&s->ask, GVS_WORK_SUMS, no, 0, UINT64_MAX);
}

/* --- comparing --- */

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
compare_part(struct gvs_sync *s, const struct gvs_table *t, uint64_t no, uint64_t from, uint64_t to,
             uint64_t sum, uint32_t count)
{
    struct gvs_idsum own = gvs_table_idsum(t, from, to);

    if (own.sum == sum && own.count == count)
        return;
    if (count == 0)
        put_range(s, no, from, to);
    else if (own.count == 0 || own.count + count <= GVS_SYNC_FEW || from == to)
        put_work(&s->ask, GVS_WORK_IDS, no, from, to);
    else
        put_work(&s->ask, GVS_WORK_SUMS, no, from, to);
}

void
gvs_sync_sums(struct gvs_sync *s, const struct gvs_table *t, const struct gvs_msg *m, unsigned turn)
{
    uint64_t from, to;

    for (unsigned k = 0; k < GVS_SUMS_PARTS; k++) {
        unsigned i = (k + turn) % GVS_SUMS_PARTS;

        if (part_of(m->first, m->last, i, &from, &to))
            compare_part(s, t, m->table, from, to, gvs_get64(m->bin.b + 12 * i),
                         gvs_get32(m->bin.b + 12 * i + 8));
    }
}

/* Two ascending lists: what only one has is given or wanted. */
void
gvs_sync_ids(struct gvs_sync *s, const struct gvs_table *t, const struct gvs_msg *m)
{
    size_t own_count, i = 0, at = 0;
    uint64_t own[READ_MAX], his;

    if (m->bin.len == 0) {
        put_range(s, m->table, m->first, m->last);
        return;
    }
    own_count = gvs_table_ids(t, m->first, m->last, own, READ_MAX);
    if (own_count == READ_MAX) {
        put_work(&s->ask, GVS_WORK_SUMS, m->table, m->first, m->last);
        return;
    }
    while (i < own_count || at < m->bin.len) {
        his = at < m->bin.len ? gvs_get64(m->bin.b + at) : 0;
        if (at == m->bin.len || (i < own_count && own[i] < his)) {
            put_work(&s->give, GVS_WORK_ID, m->table, own[i], own[i]);
            i++;
        } else if (i == own_count || his < own[i]) {
            put_work(&s->ask, GVS_WORK_WANT, m->table, his, his);
            at += 8;
        } else {
            i++;
            at += 8;
        }
    }
}

void
gvs_sync_want(struct gvs_sync *s, const struct gvs_msg *m)
{
    for (size_t at = 0; at < m->bin.len; at += 8) {
        uint64_t id = gvs_get64(m->bin.b + at);

        put_work(&s->give, GVS_WORK_ID, m->table, id, id);
    }
}

void
gvs_sync_give_id(struct gvs_sync *s, enum gvs_table_no no, uint64_t id)
{
    put_work(&s->give, GVS_WORK_ID, no, id, id);
}

/* --- the search, as messages --- */

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

/* As many wanted ids as stand together in the queue, ascend and fit; what came meanwhile is wanted
 * no more. */
static bool
ask_want(struct gvs_sync *s, const struct gvs_table *t, size_t room, struct gvs_msg *m,
         uint8_t *bin)
{
    const struct gvs_work *w;
    struct gvs_entry e;
    uint64_t latest = 0;
    size_t len = 0;

    while ((w = head_of(&s->ask)) != NULL && w->kind == GVS_WORK_WANT && w->table == m->table) {
        if (!gvs_table_get_id(t, w->first, &e)) {
            if (len + 8 > room || (len > 0 && w->first <= latest))
                break;
            gvs_put64(bin + len, w->first);
            latest = w->first;
            len += 8;
        }
        drop_head(&s->ask);
    }
    m->type = GVS_MSG_WANT;
    m->bin.len = len;
    return len > 0;
}

bool
gvs_sync_ask(struct gvs_sync *s, const struct gvs_table *const table[static GVS_TABLE_COUNT],
             size_t room, struct gvs_msg *m, uint8_t bin[static GVS_BODY_LEN_MAX])
{
    const struct gvs_work *w;
    bool made;

    while (room > 0 && (w = head_of(&s->ask)) != NULL) {
        *m = (struct gvs_msg){.table = w->table, .first = w->first, .last = w->last};
        m->bin.b = bin;
        if (w->kind == GVS_WORK_WANT) {
            if (ask_want(s, table[m->table], room, m, bin))
                return true;
            if (head_of(&s->ask) == w)
                return false; /* no room */
            continue;
        }
        made = w->kind == GVS_WORK_SUMS ? ask_sums(w, table[w->table], room, m, bin)
                                        : ask_ids(w, table[w->table], room, m, bin);
        if (made)
            drop_head(&s->ask);
        return made;
    }
    return false;
}

/* --- giving --- */

/* Entries of the range at the head, from its beginning on, which moves. */
static void
give_range(struct gvs_sync *s, struct gvs_work *w, const struct gvs_table *t, size_t room,
           struct gvs_msg *m, struct gvs_cargo *cargo)
{
    uint64_t own[GVS_PUSH_ENTRIES_MAX];
    size_t count = gvs_table_ids(t, w->first, w->last, own, GVS_PUSH_ENTRIES_MAX);
    struct gvs_entry e;
    size_t i;

    for (i = 0; i < count; i++) {
        bool found = gvs_table_get_id(t, own[i], &e);

        GVS_ASSERT(found);
        if (!gvs_msg_add_entry(m, &e, &room))
            break;
    }
    *cargo = (struct gvs_cargo){.kind = GVS_CARGO_RANGE,
                                .table = w->table,
                                .first = w->first,
                                .last = w->last,
                                .end = w->last};
    if (i < count) {
        GVS_ASSERT(i > 0 || m->entry_count == 0);
        cargo->last = own[i] - 1;
        w->first = own[i];
    } else if (count == GVS_PUSH_ENTRIES_MAX && own[count - 1] < w->last) {
        cargo->last = own[count - 1];
        w->first = own[count - 1] + 1;
    } else {
        drop_head(&s->give);
        s->idle_answers = 0;
    }
}

/* As many entries by id as stand together in the queue and fit. */
static void
give_ids(struct gvs_sync *s, const struct gvs_table *const *table, size_t room, struct gvs_msg *m,
         struct gvs_cargo *cargo)
{
    const struct gvs_work *w;
    struct gvs_entry e;

    *cargo = (struct gvs_cargo){.kind = GVS_CARGO_LOOSE};
    while ((w = head_of(&s->give)) != NULL && w->kind == GVS_WORK_ID) {
        if (gvs_table_get_id(table[w->table], w->first, &e) && !gvs_msg_add_entry(m, &e, &room))
            break;
        drop_head(&s->give);
    }
}

bool
gvs_sync_give(struct gvs_sync *s, const struct gvs_table *const table[static GVS_TABLE_COUNT],
              size_t room, struct gvs_msg *m, struct gvs_cargo *cargo)
{
    struct gvs_work *w;

    *m = (struct gvs_msg){.type = GVS_MSG_PUSH};
    if (room < GVS_ENTRY_LEN_MAX + 3)
        return false; /* so that at least one entry fits, whichever it is */
    while (m->entry_count == 0 && (w = head_of(&s->give)) != NULL) {
        if (w->kind == GVS_WORK_RANGE)
            give_range(s, w, table[w->table], room, m, cargo);
        else
            give_ids(s, table, room, m, cargo);
    }
    return m->entry_count > 0;
}

/* Nobody needs a range that others have given him already: they began elsewhere and have come here.
 */
void
gvs_sync_landed(struct gvs_sync *s, const struct gvs_cargo *cargo, uint64_t news)
{
    const struct gvs_work *w = head_of(&s->give);

    if (!w || cargo->kind != GVS_CARGO_RANGE || w->kind != GVS_WORK_RANGE)
        return;
    if (w->table != cargo->table || w->last != cargo->end)
        return;
    s->idle_answers = news > 0 ? 0 : s->idle_answers + 1;
    if (s->idle_answers < IDLE_ANSWERS_MAX)
        return;
    drop_head(&s->give);
    s->idle_answers = 0;
}

void
gvs_sync_lost(struct gvs_sync *s, const struct gvs_cargo *cargo)
{
    if (cargo->kind == GVS_CARGO_RANGE)
        put_work(&s->give, GVS_WORK_RANGE, cargo->table, cargo->first, cargo->last);
}
