/* net/sync_give.c: what reconciliation found the other to lack, as PUSHes. */
#include <string.h>

#include "core/err.h"
#include "net/sync_impl.h"

#define IDLE_ANSWERS_MAX 3 /* then somebody else has given him this */

static uint32_t
reversed(uint32_t v, unsigned bits)
{
    uint32_t r = 0;

    for (unsigned i = 0; i < bits; i++)
        r = r << 1 | (v >> i & 1);
    return r;
}

/* The ids of its next chunk, from `at` on. False: a range so small that this chunk is empty. */
static bool
chunk_end(const struct gvs_work *w, uint64_t *first, uint64_t *last)
{
    uint64_t span = w->last - w->first;
    uint64_t step = (span >> w->bits) + 1, r = reversed(w->chunk, w->bits);

    if (w->bits == 0) {
        *first = w->first;
        *last = w->last;
        return true;
    }
    if (r > span / step)
        return false;
    *first = w->first + r * step;
    *last = span - r * step < step ? w->last : *first + step - 1;
    return true;
}

/* To the beginning of the next chunk. False: that was the last. */
static bool
next_chunk(struct gvs_work *w)
{
    uint64_t last;

    while (++w->chunk < UINT32_C(1) << w->bits) {
        if (chunk_end(w, &w->at, &last))
            return true;
    }
    return false;
}

/* Entries of the range at the head, of one chunk. */
static void
give_range(struct gvs_sync *s, struct gvs_sync_peer *p, struct gvs_mono now, struct gvs_work *w,
           size_t room, struct gvs_msg *m, struct gvs_cargo *cargo)
{
    const struct gvs_table *t = s->table[w->table];
    uint64_t own[GVS_PUSH_ENTRIES_MAX], first, last;
    struct gvs_entry e;
    bool any = chunk_end(w, &first, &last);
    size_t count, i;

    GVS_ASSERT(any); /* next_chunk stopped here */
    count = gvs_table_ids(t, w->at, last, own, GVS_PUSH_ENTRIES_MAX);
    for (i = 0; i < count; i++) {
        bool found = gvs_table_get_id(t, own[i], &e);

        GVS_ASSERT(found);
        if (gvs_sync_is_young(s, now, &e))
            continue;
        if (!gvs_msg_add_entry(m, &e, &room))
            break;
    }
    *cargo = (struct gvs_cargo){
        .kind = GVS_CARGO_RANGE, .table = w->table, .first = w->at, .last = last, .end = w->last};
    if (i < count) {
        cargo->last = own[i] - 1;
        w->at = own[i];
    } else if (count == GVS_PUSH_ENTRIES_MAX && own[count - 1] < last) {
        cargo->last = own[count - 1];
        w->at = own[count - 1] + 1;
    } else if (!next_chunk(w)) {
        gvs_sync_drop(s, &p->give);
        p->idle_answers = 0;
    }
}

/* Puts this entry and those behind it into m, up to `most`; *key is the last. Returns whether there
 * are more. */
static bool
load_from(const struct gvs_table *t, struct gvs_entry *e, uint64_t most, size_t room,
          struct gvs_msg *m, struct gvs_keybuf *key)
{
    do {
        if (m->entry_count == most || !gvs_msg_add_entry(m, e, &room))
            return true;
        key->len = e->key_len;
        memcpy(key->b, e->key, e->key_len);
    } while (gvs_table_seek(t, key->b, key->len, true, e));
    return false;
}

/* The table in the order of keys, in which it is quickly read and quickly written. What is lost on
 * the way is named by its first entry. */
static void
give_all(struct gvs_sync *s, struct gvs_sync_peer *p, size_t room, struct gvs_msg *m,
         struct gvs_cargo *cargo)
{
    const struct gvs_table *t = s->table[GVS_TABLE_CLAIMS];
    struct gvs_entry e;
    bool more = gvs_table_seek(t, p->all.b, p->all.len, p->all.len > 0, &e);

    if (more)
        more = load_from(t, &e, GVS_PUSH_ENTRIES_MAX, room, m, &p->all);
    if (m->entry_count > 0)
        *cargo = (struct gvs_cargo){
            .kind = GVS_CARGO_RUN, .first = gvs_table_id(t, &m->entry[0]), .last = m->entry_count};
    if (more)
        return;
    gvs_sync_drop(s, &p->give);
    p->idle_answers = 0;
}

/* A run that was lost. If its first entry has changed meanwhile, it is found by the next
 * comparison. */
static void
give_run(struct gvs_sync *s, struct gvs_sync_peer *p, const struct gvs_work *w, size_t room,
         struct gvs_msg *m, struct gvs_cargo *cargo)
{
    const struct gvs_table *t = s->table[GVS_TABLE_CLAIMS];
    struct gvs_keybuf key;
    struct gvs_entry e;

    if (gvs_table_get_id(t, w->first, &e))
        load_from(t, &e, w->last, room, m, &key);
    *cargo = (struct gvs_cargo){.kind = GVS_CARGO_RUN, .first = w->first, .last = m->entry_count};
    gvs_sync_drop(s, &p->give);
}

/* As many entries by id as stand together in the queue and fit. */
static void
give_ids(struct gvs_sync *s, struct gvs_sync_peer *p, size_t room, struct gvs_msg *m,
         struct gvs_cargo *cargo)
{
    const struct gvs_work *w;
    struct gvs_entry e;

    *cargo = (struct gvs_cargo){.kind = GVS_CARGO_LOOSE};
    while ((w = gvs_sync_head(s, &p->give)) != NULL && w->kind == GVS_WORK_ID) {
        if (gvs_table_get_id(s->table[w->table], w->first, &e) && !gvs_msg_add_entry(m, &e, &room))
            break;
        gvs_sync_drop(s, &p->give);
    }
}

bool
gvs_sync_give(struct gvs_sync *s, struct gvs_sync_peer *p, struct gvs_mono now, size_t room,
              struct gvs_msg *m, struct gvs_cargo *cargo)
{
    struct gvs_work *w;

    *m = (struct gvs_msg){.type = GVS_MSG_PUSH, .repair = 1};
    if (room < GVS_ENTRY_LEN_MAX + 3)
        return false; /* so that at least one entry fits, whichever it is */
    while (m->entry_count == 0 && (w = gvs_sync_head(s, &p->give)) != NULL) {
        if (w->kind == GVS_WORK_RANGE)
            give_range(s, p, now, w, room, m, cargo);
        else if (w->kind == GVS_WORK_ALL)
            give_all(s, p, room, m, cargo);
        else if (w->kind == GVS_WORK_RUN)
            give_run(s, p, w, room, m, cargo);
        else
            give_ids(s, p, room, m, cargo);
    }
    return m->entry_count > 0;
}

/* Is this cargo of the work that is being done? */
static bool
is_of(const struct gvs_work *w, const struct gvs_cargo *cargo)
{
    if (w->kind == GVS_WORK_ALL)
        return cargo->kind == GVS_CARGO_RUN;
    return w->kind == GVS_WORK_RANGE && cargo->kind == GVS_CARGO_RANGE &&
           w->table == cargo->table && w->last == cargo->end;
}

/* Nobody needs what others have given him already: they began elsewhere and have come here. */
void
gvs_sync_landed(struct gvs_sync *s, struct gvs_sync_peer *p, const struct gvs_cargo *cargo,
                uint64_t news)
{
    const struct gvs_work *w = gvs_sync_head(s, &p->give);

    if (!w || !is_of(w, cargo))
        return;
    p->idle_answers = news > 0 ? 0 : p->idle_answers + 1;
    if (p->idle_answers < IDLE_ANSWERS_MAX)
        return;
    gvs_sync_drop(s, &p->give);
    p->idle_answers = 0;
}

void
gvs_sync_lost(struct gvs_sync *s, struct gvs_sync_peer *p, const struct gvs_cargo *cargo)
{
    if (cargo->kind == GVS_CARGO_RANGE)
        gvs_sync_put_range(s, p, cargo->table, cargo->first, cargo->last);
    else if (cargo->kind == GVS_CARGO_RUN)
        gvs_sync_put(s, &p->give, GVS_WORK_RUN, GVS_TABLE_CLAIMS, cargo->first, cargo->last);
}
