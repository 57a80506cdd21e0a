/* net/cursor.h: read foreign msgpack, and only the part of it that our bodies use.
 *
 * A cursor walks bytes that somebody else chose. It allocates nothing, never believes a declared
 * count that the bytes left could not hold, and takes each thing in its shortest form alone, so
 * that a value has one spelling. Unsigned integers, booleans, bin, arrays and maps exist; maps have
 * integer keys 0 to 127, ascending; all else (str, negative numbers, floats, nil, ext, 32-bit
 * lengths) is malformed.
 *
 * Each call returns false where the bytes say something else; the cursor is of no use then.
 *
 *   I1  Nothing is read at or beyond `end`.
 *   I2  Whatever it accepts, msgpack-c reads as the same value.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gvs_cursor {
    const uint8_t *at, *end; /* borrowed */
};

struct gvs_cursor gvs_cursor_init(const uint8_t *b, size_t len);
bool gvs_cursor_at_end(const struct gvs_cursor *c);

bool gvs_cursor_uint(struct gvs_cursor *c, uint64_t *v);
bool gvs_cursor_bool(struct gvs_cursor *c, bool *v);

/* Lends the bytes; they lie where the body does. */
bool gvs_cursor_bin(struct gvs_cursor *c, const uint8_t **b, size_t *len);

/* Enters: the elements follow. */
bool gvs_cursor_array(struct gvs_cursor *c, size_t *count);
bool gvs_cursor_map(struct gvs_cursor *c, size_t *count);

/* A map's next key. *key is the one before, -1 ahead of the first, and becomes this one. */
bool gvs_cursor_key(struct gvs_cursor *c, int *key);

/* Passes over one value, checked like any other. `depth` is how many arrays and maps it may nest.
 */
bool gvs_cursor_skip(struct gvs_cursor *c, unsigned depth);
