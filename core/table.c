/* core/table.c: an arena of entries, and what is kept beside it.
 *
 *     tree     numbers of entries in key order          core/tree.h     5.8 bytes an entry
 *     index    ids and numbers in order of id           core/index.h    15 to 23
 *     sketch   cells over the ids, 4,096 at most        core/sketch.h   64 kB in all
 *     arena    the entries' bytes                       core/arena.h    8 and the entry, at most
 *
 * Numbers are the arena's. Ids are not kept beside the entries but in the index: whoever has the
 * entry computes its id again, which costs less than fetching eight bytes more.
 *
 * An entry *counts* if it is no tombstone below the cut. Only what counts is in the fingerprint, in
 * the sketch and in walks by id; the top bit of an item in the index says that it does not. The cut
 * seldom moves: `oldest` is at or below the order of every tombstone that counts, and while the cut
 * is below that too, nothing has to be looked for.
 */
#include "core/table.h"
#include "core/arena.h"
#include "core/index.h"
#include "core/limits.h"
#include "core/tree.h"

#include <string.h>

#define ENTRY_LEN_AVERAGE 128 /* what the arena has room for, times `entries` */
#define CELLS_MIN 64
#define ENTRIES_PER_CELL 16
#define AGED 0x80000000u /* of an item in the index: a tombstone below the cut */

_Static_assert(GVS_ENTRY_LEN_MAX <= GVS_ARENA_STRING_MAX, "an entry is one string");
_Static_assert(GVS_ENTRIES_MAX *(ENTRY_LEN_AVERAGE / GVS_ARENA_GRANULE + 2) < AGED,
               "its number fits");

struct gvs_table {
    struct gvs_hash hash;
    uint64_t fingerprint, cut, oldest;
    size_t count, tombstones, capacity;
    struct gvs_arena arena;
    struct gvs_tree tree;
    struct gvs_index index;
    struct gvs_sketch *sketch;
};

/* --- the block --- */

/* A cell for 16 entries: about a tenth of them may differ until the cells run out. */
static size_t
cells_for(size_t entries)
{
    size_t cells = CELLS_MIN;

    while (cells < GVS_SKETCH_CELLS_MAX && cells * 2 * ENTRIES_PER_CELL <= entries)
        cells *= 2;
    return cells;
}

/* Where the parts begin. */
struct layout {
    size_t sketch, tree, index, arena, arena_len, end;
};

/* The next part of the block, `len` bytes at *end, aligned for a cache line. */
static size_t
part(size_t *end, size_t len)
{
    size_t at = *end;

    *end += (len + 63) / 64 * 64;
    return at;
}

static struct layout
lay_out(size_t entries)
{
    struct layout l = {0};

    GVS_ASSERT(entries > 0 && entries <= GVS_ENTRIES_MAX);
    l.arena_len = gvs_arena_footprint(entries, ENTRY_LEN_AVERAGE);
    part(&l.end, sizeof(struct gvs_table));
    l.sketch = part(&l.end, gvs_sketch_footprint(cells_for(entries)));
    l.tree = part(&l.end, gvs_tree_footprint(entries));
    l.index = part(&l.end, gvs_index_footprint(entries));
    l.arena = part(&l.end, l.arena_len);
    return l;
}

size_t
gvs_table_footprint(size_t entries)
{
    return lay_out(entries).end;
}

struct gvs_table *
gvs_table_init(void *mem, size_t entries, struct gvs_hash hash)
{
    struct layout l = lay_out(entries);
    struct gvs_table *t = mem;
    uint8_t *b = mem;

    GVS_ASSERT(mem && hash.fn);
    *t = (struct gvs_table){.hash = hash, .oldest = UINT64_MAX, .capacity = entries};
    t->sketch = gvs_sketch_init(b + l.sketch, cells_for(entries));
    gvs_arena_init(&t->arena, b + l.arena, l.arena_len);
    gvs_tree_init(&t->tree, b + l.tree, entries, &t->arena);
    gvs_index_init(&t->index, b + l.index, entries);
    return t;
}

/* The entry of a number. It was valid when it came in. */
static void
lend(const struct gvs_table *t, uint32_t item, struct gvs_entry *out)
{
    int rc = gvs_entry_parse(out, gvs_arena_get(&t->arena, item), gvs_arena_len(&t->arena, item));

    GVS_ASSERT(rc == GVS_OK);
}

/* --- what counts --- */

static bool
counts(const struct gvs_table *t, const struct gvs_entry *e)
{
    return !e->tombstone || e->order >= t->cut;
}

static void
count_in(struct gvs_table *t, uint64_t id)
{
    t->fingerprint += id;
    gvs_sketch_add(t->sketch, id);
}

static void
count_out(struct gvs_table *t, uint64_t id)
{
    t->fingerprint -= id;
    gvs_sketch_remove(t->sketch, id);
}

/* The entry is in the arena and in the tree under this number: now the rest of it. */
static void
take_in(struct gvs_table *t, const struct gvs_entry *e, uint32_t item)
{
    uint64_t id = gvs_table_id(t, e);

    t->count++;
    t->tombstones += e->tombstone;
    gvs_index_add(&t->index, id, counts(t, e) ? item : item | AGED);
    if (!counts(t, e))
        return;
    count_in(t, id);
    if (e->tombstone && e->order < t->oldest)
        t->oldest = e->order;
}

/* The reverse, while the entry is still there. */
static void
take_out(struct gvs_table *t, const struct gvs_entry *e, uint32_t item)
{
    uint64_t id = gvs_table_id(t, e);

    t->count--;
    t->tombstones -= e->tombstone;
    gvs_index_remove(&t->index, id, counts(t, e) ? item : item | AGED);
    if (counts(t, e))
        count_out(t, id);
}

/* --- merge --- */

static int
insert(struct gvs_table *t, const struct gvs_tree_path *p, const struct gvs_entry *e)
{
    uint32_t item;

    if (t->count == t->capacity)
        return GVS_E_FULL;
    item = gvs_arena_put(&t->arena, e->b, e->len);
    if (item == 0)
        return GVS_E_FULL;
    gvs_tree_insert(&t->tree, p, item);
    take_in(t, e, item);
    return 1;
}

static int
replace(struct gvs_table *t, const struct gvs_tree_path *p, const struct gvs_entry *e)
{
    uint32_t was = gvs_tree_item(&t->tree, p), item;
    struct gvs_entry held;

    lend(t, was, &held);
    if (gvs_entry_cmp(e, &held) <= 0)
        return 0; /* I2 */
    if (!gvs_arena_fits(&t->arena, was, e->len))
        return GVS_E_FULL; /* I4 */
    take_out(t, &held, was);
    item = gvs_arena_replace(&t->arena, was, e->b, e->len);
    GVS_ASSERT(item != 0);
    if (item != was)
        gvs_tree_set(&t->tree, p, item);
    take_in(t, e, item);
    return 1;
}

int
gvs_table_merge(struct gvs_table *t, const struct gvs_entry *e)
{
    struct gvs_tree_path p;

    GVS_ASSERT(e->key_len > 0 && e->len <= GVS_ENTRY_LEN_MAX);
    if (gvs_tree_find(&t->tree, e->key, e->key_len, &p))
        return replace(t, &p, e);
    return insert(t, &p, e);
}

bool
gvs_table_remove(struct gvs_table *t, const uint8_t *key, size_t key_len)
{
    struct gvs_tree_path p;
    struct gvs_entry held;
    uint32_t item;

    GVS_ASSERT(key && key_len > 0);
    if (!gvs_tree_find(&t->tree, key, key_len, &p))
        return false;
    item = gvs_tree_item(&t->tree, &p);
    lend(t, item, &held);
    take_out(t, &held, item);
    gvs_tree_remove(&t->tree, &p);
    gvs_arena_drop(&t->arena, item); /* the last: `key` may be lent from it */
    return true;
}

/* --- the cut --- */

/* Without parsing the whole: most entries are no tombstones. core/entry.h has the layout. */
static bool
is_tombstone(const uint8_t *b)
{
    return (b[1 + b[0] + 8] & GVS_ENTRY_TOMBSTONE) != 0;
}

/* One walk over the arena, in order of place: no tree, no index but for what counts no longer, or
 * again. */
static void
recount(struct gvs_table *t, uint64_t before)
{
    t->oldest = UINT64_MAX;
    for (uint32_t item = gvs_arena_next(&t->arena, 0); item != 0;
         item = gvs_arena_next(&t->arena, item)) {
        struct gvs_entry e;

        if (!is_tombstone(gvs_arena_get(&t->arena, item)))
            continue;
        lend(t, item, &e);
        if (counts(t, &e) && e.order < t->oldest)
            t->oldest = e.order;
        if (counts(t, &e) == (e.order >= before))
            continue;
        if (counts(t, &e)) {
            count_in(t, gvs_table_id(t, &e));
            gvs_index_set(&t->index, gvs_table_id(t, &e), item | AGED, item);
        } else {
            count_out(t, gvs_table_id(t, &e));
            gvs_index_set(&t->index, gvs_table_id(t, &e), item, item | AGED);
        }
    }
}

void
gvs_table_set_cut(struct gvs_table *t, uint64_t hlc)
{
    uint64_t before = t->cut;

    t->cut = hlc;
    if (hlc < before || t->oldest < hlc)
        recount(t, before);
    GVS_ASSERT(t->oldest >= t->cut);
}

/* --- look-ups --- */

bool
gvs_table_get(const struct gvs_table *t, const uint8_t *key, size_t key_len, struct gvs_entry *out)
{
    struct gvs_tree_path p;

    GVS_ASSERT(key && key_len > 0);
    if (!gvs_tree_find(&t->tree, key, key_len, &p))
        return false;
    lend(t, gvs_tree_item(&t->tree, &p), out);
    return true;
}

bool
gvs_table_seek(const struct gvs_table *t, const uint8_t *key, size_t key_len, bool after,
               struct gvs_entry *out)
{
    struct gvs_tree_path p;
    uint32_t item;

    GVS_ASSERT(key || key_len == 0);
    if (gvs_tree_find(&t->tree, key, key_len, &p) && after)
        gvs_tree_step(&t->tree, &p);
    item = gvs_tree_item(&t->tree, &p);
    if (item == 0)
        return false;
    lend(t, item, out);
    return true;
}

uint64_t
gvs_table_fingerprint(const struct gvs_table *t)
{
    return t->fingerprint;
}

const struct gvs_sketch *
gvs_table_sketch(const struct gvs_table *t)
{
    return t->sketch;
}

size_t
gvs_table_count(const struct gvs_table *t)
{
    return t->count;
}

size_t
gvs_table_tombstones(const struct gvs_table *t)
{
    return t->tombstones;
}

size_t
gvs_table_capacity(const struct gvs_table *t)
{
    return t->capacity;
}

uint64_t
gvs_table_id(const struct gvs_table *t, const struct gvs_entry *e)
{
    return t->hash.fn(t->hash.key, e->b, e->len);
}

bool
gvs_table_get_id(const struct gvs_table *t, uint64_t id, struct gvs_entry *out)
{
    size_t at = gvs_index_seek(&t->index, id);
    uint64_t found;
    uint32_t item = gvs_index_next(&t->index, &at, &found);

    if (item == 0 || found != id)
        return false;
    lend(t, item & ~AGED, out);
    return true;
}

/* The next id of a walk that counts and is not beyond `last`. */
static bool
next_id(const struct gvs_table *t, size_t *at, uint64_t last, uint64_t *id)
{
    uint32_t item;

    do
        item = gvs_index_next(&t->index, at, id);
    while ((item & AGED) != 0);
    return item != 0 && *id <= last;
}

struct gvs_idsum
gvs_table_idsum(const struct gvs_table *t, uint64_t first, uint64_t last)
{
    size_t at = gvs_index_seek(&t->index, first);
    struct gvs_idsum s = {0};
    uint64_t id;

    while (next_id(t, &at, last, &id)) {
        s.sum += id;
        s.count++;
    }
    return s;
}

size_t
gvs_table_ids(const struct gvs_table *t, uint64_t first, uint64_t last, uint64_t *out, size_t max)
{
    size_t at = gvs_index_seek(&t->index, first), count = 0;

    while (count < max && next_id(t, &at, last, &out[count]))
        count++;
    return count;
}
