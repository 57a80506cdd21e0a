/* ipvs/slot.c: one record for each service that is wanted, configured or foreign.
 *
 * A hash table with chains over a pool that never moves, so that a pointer to a slot is good until
 * the slot is freed. The lists are first in, first out; a slot is on exactly one, so none of them
 * can overflow, and a service that changes ten times before its turn is planned once. */
#include "ipvs/kernel_impl.h"

#include <stdlib.h>
#include <string.h>

/* FNV-1a. What comes in here was admitted by the table, and its number is bounded: no key is
 * needed. */
static size_t
hash_id(const struct gvs_svcid *id)
{
    const uint8_t *p = (const uint8_t *)&id->fwmark;
    uint64_t h = 0xcbf29ce484222325u;

    h = (h ^ id->proto) * 0x100000001b3u;
    h = (h ^ id->addr.family) * 0x100000001b3u;
    for (size_t i = 0; i < sizeof id->addr.b; i++)
        h = (h ^ id->addr.b[i]) * 0x100000001b3u;
    h = (h ^ id->port) * 0x100000001b3u;
    for (size_t i = 0; i < sizeof id->fwmark; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    return (size_t)(h ^ h >> 32);
}

int
gvs_slots_init(struct gvs_slots *t, size_t max)
{
    size_t buckets = 64;

    while (buckets < max / 8) /* most items are destinations, and few tables are full */
        buckets *= 2;
    *t = (struct gvs_slots){.max = max, .mask = buckets - 1, .retry_at = GVS_MONO_NEVER};
    t->pool = calloc(max, sizeof *t->pool);
    t->buckets = calloc(buckets, sizeof(struct gvs_slot *));
    return t->pool && t->buckets ? GVS_OK : GVS_E_FULL;
}

void
gvs_slots_fini(struct gvs_slots *t)
{
    for (size_t i = 0; i < t->high; i++) {
        gvs_failures_purge(t, &t->pool[i], true);
        free(t->pool[i].conns);
    }
    free(t->pool);
    free(t->buckets);
    *t = (struct gvs_slots){0};
}

struct gvs_slot *
gvs_slot_find(const struct gvs_slots *t, const struct gvs_svcid *id)
{
    struct gvs_slot *s = t->buckets[hash_id(id) & t->mask];

    while (s && gvs_svcid_cmp(&s->id, id) != 0)
        s = s->chain;
    return s;
}

static void
link_last(struct gvs_slots *t, struct gvs_slot *s, enum gvs_slot_list list)
{
    s->list = (uint8_t)list;
    s->prev = t->last[list];
    s->next = NULL;
    if (s->prev)
        s->prev->next = s;
    else
        t->first[list] = s;
    t->last[list] = s;
}

static void
unlink_slot(struct gvs_slots *t, struct gvs_slot *s)
{
    if (s->prev)
        s->prev->next = s->next;
    else
        t->first[s->list] = s->next;
    if (s->next)
        s->next->prev = s->prev;
    else
        t->last[s->list] = s->prev;
}

struct gvs_slot *
gvs_slot_make(struct gvs_slots *t, const struct gvs_svcid *id)
{
    struct gvs_slot *s = gvs_slot_find(t, id), **bucket = &t->buckets[hash_id(id) & t->mask];

    if (s)
        return s;
    if (t->free) {
        s = t->free;
        t->free = s->next;
    } else if (t->high < t->max) {
        s = &t->pool[t->high++];
    } else {
        return NULL;
    }
    *s = (struct gvs_slot){.id = *id, .used = true, .chain = *bucket};
    *bucket = s;
    link_last(t, s, GVS_SLOT_IDLE);
    return s;
}

void
gvs_slot_free(struct gvs_slots *t, struct gvs_slot *s)
{
    struct gvs_slot **at = &t->buckets[hash_id(&s->id) & t->mask];

    GVS_ASSERT(s->used && s->list == GVS_SLOT_IDLE);
    while (*at != s)
        at = &(*at)->chain;
    *at = s->chain;
    unlink_slot(t, s);
    gvs_failures_purge(t, s, true);
    gvs_slot_differs(t, s, 0);
    gvs_slot_foreign(t, s, false);
    free(s->conns);
    *s = (struct gvs_slot){.next = t->free};
    t->free = s;
}

void
gvs_slot_move(struct gvs_slots *t, struct gvs_slot *s, enum gvs_slot_list list)
{
    GVS_ASSERT(s->used);
    if (s->list == list)
        return;
    unlink_slot(t, s);
    link_last(t, s, list);
}

void
gvs_slot_move_all(struct gvs_slots *t, enum gvs_slot_list from, enum gvs_slot_list to)
{
    while (t->first[from])
        gvs_slot_move(t, t->first[from], to);
}

void
gvs_slot_retry(struct gvs_slots *t, struct gvs_slot *s, struct gvs_mono now)
{
    s->backoff_ms = s->backoff_ms == 0 ? GVS_BACKOFF_MS_MIN : s->backoff_ms * 2;
    if (s->backoff_ms > GVS_BACKOFF_MS_MAX)
        s->backoff_ms = GVS_BACKOFF_MS_MAX;
    s->retry_at = gvs_mono_add_ms(now, s->backoff_ms);
    t->retry_at = gvs_mono_min(t->retry_at, s->retry_at);
    gvs_slot_move(t, s, GVS_SLOT_RETRY);
}

/* What surprised us too often is looked at again before it is planned. */
void
gvs_slots_due(struct gvs_slots *t, struct gvs_mono now)
{
    struct gvs_slot *next;

    if (!gvs_mono_due(t->retry_at, now))
        return;
    t->retry_at = GVS_MONO_NEVER;
    for (struct gvs_slot *s = t->first[GVS_SLOT_RETRY]; s; s = next) {
        next = s->next;
        if (gvs_mono_due(s->retry_at, now))
            gvs_slot_move(t, s, s->surprised ? GVS_SLOT_LOOK : GVS_SLOT_DIRTY);
        else
            t->retry_at = gvs_mono_min(t->retry_at, s->retry_at);
    }
}

void
gvs_slot_differs(struct gvs_slots *t, struct gvs_slot *s, size_t count)
{
    GVS_ASSERT(t->differs >= s->differs);
    t->differs = t->differs - s->differs + count;
    s->differs = (uint32_t)count;
}

void
gvs_slot_foreign(struct gvs_slots *t, struct gvs_slot *s, bool foreign)
{
    if (s->foreign != foreign)
        t->foreign += foreign ? 1 : (size_t)-1;
    s->foreign = foreign;
}

static bool
is_address(uint8_t kind)
{
    return kind == GVS_OP_ADDR_ADD || kind == GVS_OP_ADDR_DEL;
}

const struct gvs_failure *
gvs_failure_find(const struct gvs_slot *s, const struct gvs_item *item)
{
    const struct gvs_failure *f = s->failures;

    while (f && gvs_item_cmp(&f->item, item) != 0)
        f = f->next;
    return f;
}

/* Where the failure of the same object is, or would be. */
static struct gvs_failure **
find_failure(struct gvs_slot *s, const struct gvs_op *op)
{
    struct gvs_failure **at = &s->failures;

    while (*at && (gvs_item_cmp(&(*at)->item, &op->item) != 0 ||
                   is_address((*at)->kind) != is_address(op->kind)))
        at = &(*at)->next;
    return at;
}

/* Without memory for the words it is still tried again: slot->failed says so. */
void
gvs_failure_note(struct gvs_slots *t, struct gvs_slot *s, const struct gvs_op *op, int error)
{
    struct gvs_failure **at = find_failure(s, op), *f = *at;

    s->failed = true;
    if (!f) {
        f = *at = calloc(1, sizeof *f);
        if (!f)
            return;
        t->failures++;
    }
    f->item = op->item;
    f->kind = op->kind;
    f->error = error;
    f->stale = false;
}

void
gvs_failure_done(struct gvs_slots *t, struct gvs_slot *s, const struct gvs_op *op)
{
    struct gvs_failure **at = find_failure(s, op), *f = *at;

    if (!f)
        return;
    *at = f->next;
    free(f);
    t->failures--;
}

void
gvs_failures_age(struct gvs_slot *s)
{
    for (struct gvs_failure *f = s->failures; f; f = f->next)
        f->stale = true;
}

void
gvs_failures_purge(struct gvs_slots *t, struct gvs_slot *s, bool all)
{
    struct gvs_failure **at = &s->failures, *f;

    while ((f = *at)) {
        if (!all && !f->stale) {
            at = &f->next;
            continue;
        }
        *at = f->next;
        free(f);
        t->failures--;
    }
}
