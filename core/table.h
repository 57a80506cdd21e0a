/* core/table.h: the replicated table: entries in key order, merged by maximum.
 *
 * One node holds two of them, one for claims and one for members. The fingerprint is the sum of the
 * ids of all entries, an id being the 64-bit keyed hash of an entry's bytes: two tables with the
 * same fingerprint hold the same entries but for a chance of 2^-64, whatever the order they came
 * in.
 *
 *   I1  Entries ascend strictly by key.
 *   I2  An entry is replaced only by a greater one (core/entry.h).
 *   I3  fingerprint == sum of id over all entries, mod 2^64, at every moment.
 *   I4  A call that fails leaves the table as it was.
 *
 * What a look-up lends stays valid until the next change of this table. All memory is one block
 * that the caller gives at init; nothing is allocated afterwards.
 */
#pragma once

#include "core/entry.h"
#include "core/err.h"

/* A keyed 64-bit hash of len bytes. Core brings none of its own. */
struct gvs_hash {
    uint64_t (*fn)(const void *key, const uint8_t *b, size_t len);
    const void *key; /* borrowed for the life of the table */
};

struct gvs_table;

/* Bytes of the block for at most `entries` entries, of 128 bytes on average: a table of longer ones
 * is full earlier. Pages that are not needed are not touched: an untouched anonymous mapping costs
 * nothing. */
size_t gvs_table_footprint(size_t entries);

/* `mem` is zeroed, aligned for any type, gvs_table_footprint(entries) long; the caller frees it. */
struct gvs_table *gvs_table_init(void *mem, size_t entries, struct gvs_hash hash);

/* Takes the entry if its key is new or if it is greater than the one held. Returns 1 if it was
 * news, 0 if not, GVS_E_FULL if there is no room. `e` was parsed; its bytes are copied. */
int gvs_table_merge(struct gvs_table *t, const struct gvs_entry *e);

/* Lends the entry of a key, tombstones included; false if there is none. */
bool gvs_table_get(const struct gvs_table *t, const uint8_t *key, size_t key_len,
                   struct gvs_entry *out);

/* Lends the first entry whose key is >= key (with `after`: > key); false at the end. A scan is
 * gvs_table_seek(t, NULL, 0, false, &e), then gvs_table_seek(t, e.key, e.key_len, true, &e) ... */
bool gvs_table_seek(const struct gvs_table *t, const uint8_t *key, size_t key_len, bool after,
                    struct gvs_entry *out);

uint64_t gvs_table_fingerprint(const struct gvs_table *t);
size_t gvs_table_count(const struct gvs_table *t); /* tombstones included */
size_t gvs_table_tombstones(const struct gvs_table *t);
size_t gvs_table_capacity(const struct gvs_table *t);

/* --- by id: what reconciliation asks (net/sync.h). --- */

uint64_t gvs_table_id(const struct gvs_table *t, const struct gvs_entry *e);

/* Lends the entry with this id. */
bool gvs_table_get_id(const struct gvs_table *t, uint64_t id, struct gvs_entry *out);

/* How many ids lie in [first, last], and their sum. */
struct gvs_idsum {
    uint64_t sum;
    size_t count;
};
struct gvs_idsum gvs_table_idsum(const struct gvs_table *t, uint64_t first, uint64_t last);

/* The ids of [first, last] in ascending order, at most max of them. Returns how many. */
size_t gvs_table_ids(const struct gvs_table *t, uint64_t first, uint64_t last, uint64_t *out,
                     size_t max);
