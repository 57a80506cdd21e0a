/* core/arena.h: byte strings of one block, each known by a 32-bit number.
 *
 *   I1  A string keeps its number until it is dropped or replaced.
 *   I2  A call that finds no room leaves everything as it was.
 *   I3  Two free pieces are never neighbours, unless both together were longer than 64 kB.
 *
 * Memory beyond the highest string that there ever was is not touched.
 */
#pragma once

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GVS_ARENA_STRING_MAX 512 /* bytes; at least 1 */

#define GVS_ARENA_GRANULE 8   /* bytes; a number counts these */
#define GVS_ARENA_RUN_MAX 65u /* granules of the longest string and the head before it */

struct gvs_arena {
    uint8_t *mem;                         /* borrowed */
    uint32_t end;                         /* granules of mem */
    uint32_t top;                         /* from here on all is free */
    uint32_t bin[GVS_ARENA_RUN_MAX + 2u]; /* free runs below top, by length; the last has longer */
};

/* Bytes that hold `strings` of them, of `average` bytes each, and one longest besides. */
size_t gvs_arena_footprint(size_t strings, size_t average);

/* `mem` is zeroed, aligned to 8 bytes, `len` long, lent for the life of the arena. */
void gvs_arena_init(struct gvs_arena *a, void *mem, size_t len);

/* Copies the string and returns its number, which is not 0; 0 if there is no room. */
uint32_t gvs_arena_put(struct gvs_arena *a, const uint8_t *b, size_t len);

/* Puts another string in the place of `n`. It keeps its place and number if it fits there, or if
 * what follows is free. Returns its number, 0 if there is no room. `b` is not within the arena. */
uint32_t gvs_arena_replace(struct gvs_arena *a, uint32_t n, const uint8_t *b, size_t len);

/* Would gvs_arena_replace() find room? */
bool gvs_arena_fits(const struct gvs_arena *a, uint32_t n, size_t len);

void gvs_arena_drop(struct gvs_arena *a, uint32_t n);

size_t gvs_arena_len(const struct gvs_arena *a, uint32_t n);

/* The strings in order of place: the first after `n`, or of all for 0; 0 at the end. */
uint32_t gvs_arena_next(const struct gvs_arena *a, uint32_t n);

/* Lends the string until the arena changes. */
static inline const uint8_t *
gvs_arena_get(const struct gvs_arena *a, uint32_t n)
{
    GVS_ASSERT(n > 0 && n < a->top);
    return a->mem + (size_t)n * GVS_ARENA_GRANULE + 2;
}
