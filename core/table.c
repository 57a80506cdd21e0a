/* core/table.c: two sorted arrays of slot numbers over an arena of bytes.
 *
 *     by_key   slots in key order         by_id   slots in order of id, then of slot
 *         \                                  /
 *          slots   id, place and length of an entry; a slot keeps its number for life
 *              \
 *               arena   granules of 32 bytes, in runs of 1 to 16, which is GVS_ENTRY_LEN_MAX
 *
 * Look-ups are binary searches; an insertion moves four bytes for each entry behind it, in both
 * arrays.
 *
 * The arena is tiled with runs, each in use or free; `runs` says at a run's first granule how long
 * it is. Free runs hang in one list a length, linked through their own first bytes; what no list
 * can serve is cut from a longer run or from the untouched end. Only when all of that fails are
 * free neighbours joined, in one walk over the arena. A run never shrinks: an entry that becomes
 * its tombstone and comes back finds its room again, so that a flapping backend leaves no holes
 * behind and needs no free space at all.
 */
#include "core/table.h"

#include <string.h>

#define GRANULE_LEN 32
#define RUN_MAX (GVS_ENTRY_LEN_MAX / GRANULE_LEN)
#define ENTRY_LEN_AVERAGE 128 /* what the arena has room for, times `entries` */
#define RUN_USED 0x80u
#define NONE UINT32_MAX

_Static_assert(GVS_ENTRY_LEN_MAX % GRANULE_LEN == 0, "the longest entry fills its run");
_Static_assert(RUN_MAX < RUN_USED, "a length leaves the top bit free");

struct slot {
    uint64_t id;
    uint32_t run; /* its first granule */
    uint16_t len;
};

struct gvs_table {
    struct gvs_hash hash;
    uint64_t fingerprint;
    size_t count, tombstones, capacity;
    uint32_t granules; /* of the arena */
    uint32_t top;      /* granules from here on were never used */
    bool freed;        /* since free runs were last joined */
    uint32_t free[RUN_MAX + 1];
    uint32_t *by_key, *by_id;
    struct slot *slots;
    uint8_t *runs; /* length, and RUN_USED; only at the first granule of a run */
    uint8_t *arena;
};

/* --- the block --- */

/* One entry more than the average allows for: a table of one can hold any entry. */
static size_t
granules_for(size_t entries)
{
    return (entries * ENTRY_LEN_AVERAGE + GVS_ENTRY_LEN_MAX) / GRANULE_LEN;
}

/* The next part of the block: `len` bytes at *at, aligned for a cache line. */
static void *
part(uint8_t *mem, size_t *at, size_t len)
{
    void *p = mem ? mem + *at : NULL;

    *at += (len + 63) / 64 * 64;
    return p;
}

/* Places all parts; without memory, only their total counts. */
static size_t
lay_out(struct gvs_table *t, uint8_t *mem, size_t entries)
{
    size_t granules = granules_for(entries), at = 0;

    GVS_ASSERT(entries > 0 && granules < NONE);
    part(mem, &at, sizeof *t);
    t->capacity = entries;
    t->granules = (uint32_t)granules;
    t->by_key = part(mem, &at, entries * sizeof *t->by_key);
    t->by_id = part(mem, &at, entries * sizeof *t->by_id);
    t->slots = part(mem, &at, entries * sizeof *t->slots);
    t->runs = part(mem, &at, granules);
    t->arena = part(mem, &at, granules * GRANULE_LEN);
    return at;
}

size_t
gvs_table_footprint(size_t entries)
{
    struct gvs_table t;

    return lay_out(&t, NULL, entries);
}

static void
forget_free_runs(struct gvs_table *t)
{
    for (size_t len = 0; len <= RUN_MAX; len++)
        t->free[len] = NONE;
}

struct gvs_table *
gvs_table_init(void *mem, size_t entries, struct gvs_hash hash)
{
    struct gvs_table *t = mem;

    GVS_ASSERT(mem && hash.fn);
    *t = (struct gvs_table){.hash = hash};
    lay_out(t, mem, entries);
    forget_free_runs(t);
    return t;
}

/* --- the arena --- */

static uint32_t
granules_of(size_t len)
{
    GVS_ASSERT(len > 0 && len <= GVS_ENTRY_LEN_MAX);
    return (uint32_t)((len + GRANULE_LEN - 1) / GRANULE_LEN);
}

static uint8_t *
run_bytes(const struct gvs_table *t, uint32_t run)
{
    GVS_ASSERT(run < t->top);
    return t->arena + (size_t)run * GRANULE_LEN;
}

static void
push_free(struct gvs_table *t, uint32_t run, uint32_t len)
{
    GVS_ASSERT(len > 0 && len <= RUN_MAX);
    t->runs[run] = (uint8_t)len;
    memcpy(run_bytes(t, run), &t->free[len], sizeof t->free[len]);
    t->free[len] = run;
}

static uint32_t
pop_free(struct gvs_table *t, uint32_t len)
{
    uint32_t run = t->free[len];

    GVS_ASSERT(t->runs[run] == len);
    memcpy(&t->free[len], run_bytes(t, run), sizeof t->free[len]);
    return run;
}

/* Free granules [first, end) as runs, the longest first. */
static void
push_free_stretch(struct gvs_table *t, uint32_t first, uint32_t end)
{
    while (first < end) {
        uint32_t len = end - first < RUN_MAX ? end - first : RUN_MAX;

        push_free(t, first, len);
        first += len;
    }
}

/* Joins free neighbours; a free stretch at the end of what is used counts as never used again. */
static void
join_free_runs(struct gvs_table *t)
{
    uint32_t first = 0; /* of the free stretch that ends at `at` */

    forget_free_runs(t);
    for (uint32_t at = 0; at < t->top;) {
        uint32_t len = t->runs[at] & ~RUN_USED;

        GVS_ASSERT(len > 0 && len <= RUN_MAX);
        if (t->runs[at] & RUN_USED) {
            push_free_stretch(t, first, at);
            first = at + len;
        }
        at += len;
    }
    t->top = first;
    t->freed = false;
}

/* A run from the lists or from the end, or NONE. */
static uint32_t
find_run(struct gvs_table *t, uint32_t len)
{
    uint32_t run;

    if (t->free[len] != NONE)
        return pop_free(t, len);
    if (t->granules - t->top >= len) {
        run = t->top;
        t->top += len;
        return run;
    }
    for (uint32_t longer = len + 1; longer <= RUN_MAX; longer++) {
        if (t->free[longer] == NONE)
            continue;
        run = pop_free(t, longer);
        push_free(t, run + len, longer - len);
        return run;
    }
    return NONE;
}

static uint32_t
take_run(struct gvs_table *t, uint32_t len)
{
    uint32_t run = find_run(t, len);

    if (run == NONE && t->freed) {
        join_free_runs(t);
        run = find_run(t, len);
    }
    if (run != NONE)
        t->runs[run] = (uint8_t)(len | RUN_USED);
    return run;
}

static void
give_run(struct gvs_table *t, uint32_t run)
{
    GVS_ASSERT(t->runs[run] & RUN_USED);
    push_free(t, run, t->runs[run] & ~RUN_USED);
    t->freed = true;
}

/* --- the two orders --- */

/* The entry in a slot. It was valid when it came in. */
static void
lend(const struct gvs_table *t, uint32_t slot, struct gvs_entry *out)
{
    const struct slot *s = &t->slots[slot];
    int rc = gvs_entry_parse(out, run_bytes(t, s->run), s->len);

    GVS_ASSERT(rc == GVS_OK);
}

/* The first place in by_key whose key is not below the one given. Needs only the head of an entry:
 * the length of its key and the key. */
static size_t
key_lower_bound(const struct gvs_table *t, const uint8_t *key, size_t key_len)
{
    size_t first = 0, last = t->count;

    while (key_len > 0 && first < last) {
        size_t middle = first + (last - first) / 2;
        const uint8_t *b = run_bytes(t, t->slots[t->by_key[middle]].run);

        if (gvs_key_cmp(b + 1, b[0], key, key_len) < 0)
            first = middle + 1;
        else
            last = middle;
    }
    return first;
}

static bool
key_is_at(const struct gvs_table *t, size_t at, const uint8_t *key, size_t key_len)
{
    const uint8_t *b;

    if (at == t->count)
        return false;
    b = run_bytes(t, t->slots[t->by_key[at]].run);
    return gvs_key_cmp(b + 1, b[0], key, key_len) == 0;
}

/* The first place in by_id with an id not below `id` and, for that very id, a slot not below
 * `slot`. */
static size_t
id_lower_bound(const struct gvs_table *t, uint64_t id, uint32_t slot)
{
    size_t first = 0, last = t->count;

    while (first < last) {
        size_t middle = first + (last - first) / 2;
        uint32_t other = t->by_id[middle];
        uint64_t other_id = t->slots[other].id;

        if (other_id < id || (other_id == id && other < slot))
            first = middle + 1;
        else
            last = middle;
    }
    return first;
}

/* Puts `slot` at place `at` of an order that has `count` of them. */
static void
order_insert(uint32_t *order, size_t count, size_t at, uint32_t slot)
{
    GVS_ASSERT(at <= count);
    memmove(order + at + 1, order + at, (count - at) * sizeof *order);
    order[at] = slot;
}

/* --- merge --- */

/* A slot's id changes from `was` to `id`: its place in by_id too. What lies between moves by one.
 */
static void
id_move(struct gvs_table *t, uint32_t slot, uint64_t id)
{
    size_t from = id_lower_bound(t, t->slots[slot].id, slot);
    size_t to = id_lower_bound(t, id, slot);

    GVS_ASSERT(from < t->count && t->by_id[from] == slot);
    if (to > from) {
        to--; /* the place that it leaves does not count */
        memmove(t->by_id + from, t->by_id + from + 1, (to - from) * sizeof *t->by_id);
    } else {
        memmove(t->by_id + to + 1, t->by_id + to, (from - to) * sizeof *t->by_id);
    }
    t->by_id[to] = slot;
    t->slots[slot].id = id;
}

static int
insert(struct gvs_table *t, size_t at, const struct gvs_entry *e)
{
    uint32_t slot = (uint32_t)t->count;
    uint64_t id = gvs_table_id(t, e);
    uint32_t run;

    if (t->count == t->capacity)
        return GVS_E_FULL;
    run = take_run(t, granules_of(e->len));
    if (run == NONE)
        return GVS_E_FULL;
    memcpy(run_bytes(t, run), e->b, e->len);
    t->slots[slot] = (struct slot){.id = id, .run = run, .len = e->len};
    order_insert(t->by_key, t->count, at, slot);
    order_insert(t->by_id, t->count, id_lower_bound(t, id, slot), slot);
    t->count++;
    t->tombstones += e->tombstone;
    t->fingerprint += id;
    return 1;
}

/* The entry stays in its run if it fits: no room is needed then. */
static int
replace(struct gvs_table *t, uint32_t slot, const struct gvs_entry *e)
{
    struct slot *s = &t->slots[slot];
    uint64_t id = gvs_table_id(t, e);
    uint32_t run = s->run, len = granules_of(e->len);
    struct gvs_entry held;

    lend(t, slot, &held);
    if (gvs_entry_cmp(e, &held) <= 0)
        return 0; /* I2 */
    if (len > (t->runs[run] & ~RUN_USED)) {
        run = take_run(t, len);
        if (run == NONE)
            return GVS_E_FULL; /* I4 */
    }
    t->tombstones += (size_t)e->tombstone - (size_t)held.tombstone;
    t->fingerprint += id - s->id;
    memcpy(run_bytes(t, run), e->b, e->len);
    if (run != s->run)
        give_run(t, s->run);
    s->run = run;
    s->len = e->len;
    id_move(t, slot, id);
    return 1;
}

int
gvs_table_merge(struct gvs_table *t, const struct gvs_entry *e)
{
    size_t at = key_lower_bound(t, e->key, e->key_len);

    GVS_ASSERT(e->key_len > 0 && e->len <= GVS_ENTRY_LEN_MAX);
    if (key_is_at(t, at, e->key, e->key_len))
        return replace(t, t->by_key[at], e);
    return insert(t, at, e);
}

/* --- look-ups --- */

bool
gvs_table_get(const struct gvs_table *t, const uint8_t *key, size_t key_len, struct gvs_entry *out)
{
    size_t at = key_lower_bound(t, key, key_len);

    GVS_ASSERT(key && key_len > 0);
    if (!key_is_at(t, at, key, key_len))
        return false;
    lend(t, t->by_key[at], out);
    return true;
}

bool
gvs_table_seek(const struct gvs_table *t, const uint8_t *key, size_t key_len, bool after,
               struct gvs_entry *out)
{
    size_t at = key_lower_bound(t, key, key_len);

    GVS_ASSERT(key || key_len == 0);
    if (after && key_len > 0 && key_is_at(t, at, key, key_len))
        at++;
    if (at == t->count)
        return false;
    lend(t, t->by_key[at], out);
    return true;
}

uint64_t
gvs_table_fingerprint(const struct gvs_table *t)
{
    return t->fingerprint;
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
    size_t at = id_lower_bound(t, id, 0);

    if (at == t->count || t->slots[t->by_id[at]].id != id)
        return false;
    lend(t, t->by_id[at], out);
    return true;
}

struct gvs_idsum
gvs_table_idsum(const struct gvs_table *t, uint64_t first, uint64_t last)
{
    struct gvs_idsum s = {0};

    for (size_t at = id_lower_bound(t, first, 0); at < t->count; at++) {
        uint64_t id = t->slots[t->by_id[at]].id;

        if (id > last)
            break;
        s.sum += id;
        s.count++;
    }
    return s;
}

size_t
gvs_table_ids(const struct gvs_table *t, uint64_t first, uint64_t last, uint64_t *out, size_t max)
{
    size_t count = 0;

    for (size_t at = id_lower_bound(t, first, 0); at < t->count && count < max; at++) {
        uint64_t id = t->slots[t->by_id[at]].id;

        if (id > last)
            break;
        out[count++] = id;
    }
    return count;
}
