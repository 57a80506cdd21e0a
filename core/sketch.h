/* core/sketch.h: what a set of ids looks like, in as many cells as the difference needs.
 *
 * Two nodes hold nearly the same set of 64-bit ids (core/table.h). One sends its first cells; the
 * other subtracts its own, and from what is left reads exactly the ids that only one of them has
 * and on which side. About 1.4 cells for each of many differences will do, a few more for few,
 * however large the sets are; whoever needs more asks for the next ones, and none was in vain.
 * core/sketch.c explains how. Ids have to be spread like hashes; a keyed one keeps outsiders from
 * choosing ids that collide.
 *
 *   I1  The cells depend on the set alone, not on the order in which it came about.
 *   I2  A difference either accounts for every cell that was taken, or yields nothing.
 *   I3  Any bytes may come: time and memory stay bounded by the number of cells.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A cell in a datagram, big-endian: the sum of its ids mod 2^64, the sum of their checks mod 2^32,
 * how many they are mod 2^8. */
#define GVS_SKETCH_CELL_LEN 13
#define GVS_SKETCH_CELLS_MAX 4096

struct gvs_sketch;

/* Bytes of the block for this many cells, 1..GVS_SKETCH_CELLS_MAX. */
size_t gvs_sketch_footprint(size_t cells);

/* The sketch of the empty set. `mem` is zeroed, aligned for any type, of the footprint's length;
 * the caller frees it. */
struct gvs_sketch *gvs_sketch_init(void *mem, size_t cells);

size_t gvs_sketch_cells(const struct gvs_sketch *s);

/* Adding what is there already, or removing what is not, is remembered as such: sums are linear. */
void gvs_sketch_add(struct gvs_sketch *s, uint64_t id);
void gvs_sketch_remove(struct gvs_sketch *s, uint64_t id);

/* Writes cells [first, first + count) as they travel, first + count <= cells (asserted), into
 * count * GVS_SKETCH_CELL_LEN bytes. */
void gvs_sketch_write(const struct gvs_sketch *s, size_t first, size_t count, uint8_t *out);

/* --- the difference between two sets --- */

enum gvs_sketch_side { GVS_SKETCH_NEITHER = 0, GVS_SKETCH_OURS, GVS_SKETCH_THEIRS };

struct gvs_sketch_diff;

/* Bytes of the block for the difference to a sketch of this many cells. */
size_t gvs_sketch_diff_footprint(size_t cells);

/* Starts with a copy of our sketch; what becomes of it later does not matter. `mem` need not be
 * zeroed, and may be used again and again. */
struct gvs_sketch_diff *gvs_sketch_diff_init(void *mem, const struct gvs_sketch *ours);

/* Takes their next `count` cells, from cell 0 onwards, all of one state of their set. Returns true
 * if all cells taken so far are explained: gvs_sketch_diff_next() names the differences. False:
 * undecided, more cells are needed. Cells beyond our own number are not taken; undecided with all
 * of them taken means that the sets differ too much, or that somebody lied. */
bool gvs_sketch_diff_take(struct gvs_sketch_diff *d, const uint8_t *cells, size_t count);

/* How many cells were taken: the number of the one that has to come next. */
size_t gvs_sketch_diff_taken(const struct gvs_sketch_diff *d);

/* The ids one by one, in no order, once decided: on whose side the next one is, with *id, or
 * NEITHER at the end. *at is 0 to start with. Undecided has none. Whoever made up the cells chose
 * the ids as well: that one of OURS is held, and one of THEIRS not, remains to be looked up. */
enum gvs_sketch_side gvs_sketch_diff_next(const struct gvs_sketch_diff *d, size_t *at,
                                          uint64_t *id);
