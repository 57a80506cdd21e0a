/* core/table.h: the replicated table: entries in key order, merged by maximum.
 *
 * One node holds two of them, one for claims and one for members. The fingerprint is the sum of the
 * ids of all entries that count, an id being the 64-bit keyed hash of an entry's bytes: two tables
 * with the same fingerprint hold the same entries but for a chance of 2^-64, whatever the order
 * they came in. The sketch says which ids differ when fingerprints do (core/sketch.h). Every entry
 * counts but a tombstone below the cut: it is held, and found, and no longer compared.
 *
 *   I1  Entries ascend strictly by key.
 *   I2  An entry is replaced only by a greater one (core/entry.h).
 *   I3  fingerprint == sum of id over all entries that count, mod 2^64, at every moment; the sketch
 *       is that of the same ids.
 *   I4  A call that fails leaves the table as it was.
 *
 * What a look-up lends stays valid until the next change of this table. All memory is one block
 * that the caller gives at init; nothing is allocated afterwards. Of a million entries of 92 bytes
 * in any order it uses 115 to 125 bytes each.
 */
#pragma once

#include "core/entry.h"
#include "core/err.h"
#include "core/sketch.h"

/* A keyed 64-bit hash of len bytes. Core brings none of its own. */
struct gvs_hash {
    uint64_t (*fn)(const void *key, const uint8_t *b, size_t len);
    const void *key; /* borrowed for the life of the table */
};

struct gvs_table;

/* Bytes of the block for at most `entries` entries, 1..4,000,000, of 128 bytes on average: a table
 * of longer ones is full earlier. Pages that are not needed are not touched: an untouched anonymous
 * mapping costs nothing. */
size_t gvs_table_footprint(size_t entries);

/* `mem` is zeroed, aligned for any type, gvs_table_footprint(entries) long; the caller frees it. */
struct gvs_table *gvs_table_init(void *mem, size_t entries, struct gvs_hash hash);

/* Takes the entry if its key is new or if it is greater than the one held. Returns 1 if it was
 * news, 0 if not, GVS_E_FULL if there is no room. `e` was parsed; its bytes are copied. */
int gvs_table_merge(struct gvs_table *t, const struct gvs_entry *e);

/* Forgets the entry of a key wholly, as if it had never come; false if there is none. For what all
 * have agreed to forget: any peer that still has it brings it back. */
bool gvs_table_remove(struct gvs_table *t, const uint8_t *key, size_t key_len);

/* Tombstones whose order is below `hlc` do not count from now on, those that are yet to come
 * neither: fingerprint, sketch, gvs_table_idsum() and gvs_table_ids() leave them out. The cut is 0
 * at first. Raising it costs nothing while no tombstone that counts is below; else, and where it
 * falls, one walk over all entries, 30 to 36 ms at 1,000,000. (One walk finds nothing if the oldest
 * tombstone was replaced or removed since the last.) Members have no cut. */
void gvs_table_set_cut(struct gvs_table *t, uint64_t hlc);

/* Lends the entry of a key, tombstones included; false if there is none. */
bool gvs_table_get(const struct gvs_table *t, const uint8_t *key, size_t key_len,
                   struct gvs_entry *out);

/* Lends the first entry whose key is >= key (with `after`: > key); false at the end. A scan is
 * gvs_table_seek(t, NULL, 0, false, &e), then gvs_table_seek(t, e.key, e.key_len, true, &e) ... */
bool gvs_table_seek(const struct gvs_table *t, const uint8_t *key, size_t key_len, bool after,
                    struct gvs_entry *out);

uint64_t gvs_table_fingerprint(const struct gvs_table *t);
size_t gvs_table_count(const struct gvs_table *t);      /* tombstones included */
size_t gvs_table_tombstones(const struct gvs_table *t); /* those below the cut included */
size_t gvs_table_capacity(const struct gvs_table *t);

/* --- by id: what reconciliation asks (net/sync.h). --- */

uint64_t gvs_table_id(const struct gvs_table *t, const struct gvs_entry *e);

/* The sketch of the ids that count, lent for good: it moves with the table. It has a cell for 16
 * entries of the capacity, a power of two from 64 to 4,096. */
const struct gvs_sketch *gvs_table_sketch(const struct gvs_table *t);

/* Lends the entry with this id, whether it counts or not. */
bool gvs_table_get_id(const struct gvs_table *t, uint64_t id, struct gvs_entry *out);

/* How many ids that count lie in [first, last], and their sum. */
struct gvs_idsum {
    uint64_t sum;
    size_t count;
};
struct gvs_idsum gvs_table_idsum(const struct gvs_table *t, uint64_t first, uint64_t last);

/* The ids of [first, last] that count, in ascending order, at most max of them. Returns how many.
 */
size_t gvs_table_ids(const struct gvs_table *t, uint64_t first, uint64_t last, uint64_t *out,
                     size_t max);
