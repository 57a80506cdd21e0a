/* core/index.h: 32-bit numbers found by a 64-bit hash, and walked in its order.
 *
 *   I1  Slots in use ascend by id.
 *   I2  Between a slot and the home of its id all slots are in use.
 *
 * It grows with what it holds: memory that was never needed is not touched.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gvs_index_slot {
    uint32_t high, low; /* of the id; 12 bytes a slot, not 16 */
    uint32_t item;      /* 0: not in use */
};

struct gvs_index {
    struct gvs_index_slot *slot; /* borrowed */
    size_t slots, slots_max;
    size_t count, count_max;
};

size_t gvs_index_footprint(size_t count_max);

/* `mem` is zeroed, aligned to 4 bytes, of the footprint's length, lent for good. */
void gvs_index_init(struct gvs_index *x, void *mem, size_t count_max);

/* `item` is not 0. Ids may repeat; (id, item) does not. count < count_max (asserted). */
void gvs_index_add(struct gvs_index *x, uint64_t id, uint32_t item);

/* Of a pair that is there (asserted). */
void gvs_index_remove(struct gvs_index *x, uint64_t id, uint32_t item);

/* Puts another item in the place of one that is there (asserted). */
void gvs_index_set(struct gvs_index *x, uint64_t id, uint32_t item, uint32_t other);

/* A walk starts at the first slot that may have an id >= the one given. Each step returns the item
 * of the next slot in use and its id, or 0 at the end; the index does not change meanwhile. */
size_t gvs_index_seek(const struct gvs_index *x, uint64_t id);
uint32_t gvs_index_next(const struct gvs_index *x, size_t *at, uint64_t *id);
