/* test/core/entries.h: entries by hand, tables to put them into, and the naive order of entries,
 * for the tests of tables, merges and views. */
#pragma once

#include "core/entry.h"
#include "core/table.h"
#include "core/value.h"
#include "test/lib/prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Node `n` has an id of n's; 0 is the cluster. */
static inline struct gvs_id
node(uint8_t n)
{
    struct gvs_id id;

    memset(id.b, n, sizeof id.b);
    return id;
}

struct bytes {
    uint8_t b[GVS_ENTRY_LEN_MAX];
    size_t len;
};

static inline struct gvs_entry
parsed(const struct bytes *bytes)
{
    struct gvs_entry e;

    assert_int_equal(gvs_entry_parse(&e, bytes->b, bytes->len), GVS_OK);
    return e;
}

/* FNV-1a, keyed by a number, stirred at the end. */
static inline uint64_t
hash_strong(const void *key, const uint8_t *b, size_t len)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325) ^ *(const uint64_t *)key;

    for (size_t i = 0; i < len; i++)
        h = (h ^ b[i]) * UINT64_C(0x100000001b3);
    return gvs_prng_next(&(struct gvs_prng){h});
}

/* So weak that ids collide all the time, with an extreme among them. */
static inline uint64_t
hash_weak(const void *key, const uint8_t *b, size_t len)
{
    static const uint64_t ids[] = {0, 1, 7, UINT64_MAX, UINT64_MAX - 1};

    return ids[hash_strong(key, b, len) % 5];
}

static inline struct gvs_hash
test_hash(bool weak)
{
    static const uint64_t key = 42;

    return (struct gvs_hash){weak ? hash_weak : hash_strong, &key};
}

static inline struct gvs_table *
table_new(size_t entries)
{
    void *mem = calloc(1, gvs_table_footprint(entries));

    assert_non_null(mem);
    return gvs_table_init(mem, entries, test_hash(false));
}

/* --- entries by number --- */

/* One field of a tag that nobody knows, or several: the value is `len` bytes long, 0 or 2 and more.
 */
static inline size_t
value_fill(uint8_t *value, size_t len, uint8_t byte)
{
    uint8_t tag = 100;
    size_t at = 0;

    while (len - at >= 2) {
        size_t n = len - at - 2 < 255 ? len - at - 2 : 250;

        value[at++] = tag++;
        value[at++] = (uint8_t)n;
        memset(value + at, byte, n);
        at += n;
    }
    return at;
}

static inline struct bytes
entry_make(const struct gvs_key *key, uint64_t ms, uint8_t writer, bool tombstone, size_t value_len,
           uint8_t byte)
{
    bool member = key->kind == GVS_KEY_MEMBER;
    uint64_t order =
        member ? gvs_member_order(ms, (enum gvs_member_state)(byte % 3)) : gvs_hlc_make(ms, 0);
    struct gvs_id w = gvs_id_is_cluster(&key->owner) ? node(writer) : key->owner;
    uint8_t value[GVS_VALUE_LEN_MAX];
    struct bytes out;

    value_len = value_fill(value, value_len, byte);
    out.len = gvs_entry_build(out.b, key, order, &w, tombstone && !member, value, value_len);
    return out;
}

static inline struct bytes
entry_number(uint32_t n, uint64_t ms, size_t value_len)
{
    struct gvs_svcid svc = {.proto = GVS_PROTO_TCP, .addr = {.family = GVS_FAMILY_V4}};
    struct gvs_key key = {.kind = GVS_KEY_SERVICE, .owner = node(1)};

    svc.addr.b[0] = 10;
    svc.port = (uint16_t)n;
    key.svc = svc;
    return entry_make(&key, ms, 1, false, value_len, (uint8_t)n);
}

static inline int
merge_number(struct gvs_table *t, uint32_t n, uint64_t ms, size_t value_len)
{
    struct bytes bytes = entry_number(n, ms, value_len);
    struct gvs_entry e = parsed(&bytes);

    return gvs_table_merge(t, &e);
}

static inline struct gvs_sketch *
sketch_like(const struct gvs_table *t)
{
    size_t cells = gvs_sketch_cells(gvs_table_sketch(t));
    void *mem = calloc(1, gvs_sketch_footprint(cells));

    assert_non_null(mem);
    return gvs_sketch_init(mem, cells);
}

/* The sketch that the table keeps is the one that its ids make, built from nothing. */
static inline void
check_sketch(const struct gvs_table *t, struct gvs_sketch *built)
{
    size_t cells = gvs_sketch_cells(gvs_table_sketch(t));
    uint8_t *kept = malloc(2 * cells * GVS_SKETCH_CELL_LEN);
    uint8_t *fresh = kept + cells * GVS_SKETCH_CELL_LEN;

    assert_non_null(kept);
    assert_int_equal(gvs_sketch_cells(built), cells);
    gvs_sketch_write(gvs_table_sketch(t), 0, cells, kept);
    gvs_sketch_write(built, 0, cells, fresh);
    assert_memory_equal(kept, fresh, cells * GVS_SKETCH_CELL_LEN);
    free(kept);
    free(built);
}

/* --- the specification of what merge keeps, in the words of core/entry.h --- */

static inline int
naive_bytes_cmp(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    for (size_t i = 0; i < a_len && i < b_len; i++) {
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    }
    return (a_len > b_len) - (a_len < b_len);
}

static inline bool
naive_same_key(const struct gvs_entry *a, const struct gvs_entry *b)
{
    return naive_bytes_cmp(a->key, a->key_len, b->key, b->key_len) == 0;
}

static inline bool
naive_greater(const struct gvs_entry *a, const struct gvs_entry *b)
{
    int writer = naive_bytes_cmp(a->writer.b, GVS_ID_LEN, b->writer.b, GVS_ID_LEN);

    if (a->order != b->order)
        return a->order > b->order;
    if (writer != 0)
        return writer > 0;
    if (a->tombstone != b->tombstone)
        return a->tombstone;
    return naive_bytes_cmp(a->b, a->len, b->b, b->len) > 0;
}

/* --- everything a table says, as bytes that can be compared --- */

struct image {
    uint64_t fingerprint, id_sum;
    size_t count, tombstones, ids, len;
    uint8_t cells[64 * GVS_SKETCH_CELL_LEN]; /* the first ones */
    uint8_t bytes[64 * 1024];
};

static inline void
table_image(struct image *image, const struct gvs_table *t)
{
    struct gvs_idsum sum = gvs_table_idsum(t, 0, UINT64_MAX);
    struct gvs_entry e;
    bool found = gvs_table_seek(t, NULL, 0, false, &e);

    memset(image, 0, sizeof *image);
    image->fingerprint = gvs_table_fingerprint(t);
    image->id_sum = sum.sum;
    image->ids = sum.count;
    image->count = gvs_table_count(t);
    image->tombstones = gvs_table_tombstones(t);
    gvs_sketch_write(gvs_table_sketch(t), 0, 64, image->cells);
    while (found) {
        assert_true(image->len + e.len <= sizeof image->bytes);
        memcpy(image->bytes + image->len, e.b, e.len);
        image->len += e.len;
        found = gvs_table_seek(t, e.key, e.key_len, true, &e);
    }
}
