/* core/vector.h: a version vector: up to which stamp a node has taken in each writer's writes.
 *
 * A tombstone that is forgotten after a while comes back to life with the first node that slept
 * through that while. So a node forgets one only when it would know by sight whatever the tombstone
 * still keeps away: for every member its vector reaches the tombstone's stamp, hence every older
 * write is here or was here, and an older write of an unknown key was deleted. The rules that the
 * vector lives by are its users' to keep; test/core/test_vector.c shows what each is there for:
 *
 *   - A component is raised to that of a peer only while both tables of both nodes are equal.
 *   - A node's own component is raised by nothing but its own clock, and only while it knows
 *     everything that it ever wrote: after a loss of records, once it has been equal with every
 *     member.
 *   - A loss of records, a restored state too, zeroes the vector; until it has been equal with a
 *     peer, such a node lends its vector to nobody.
 *   - A retired writer's component is raised to GVS_VECTOR_END by a node that has been equal with
 *     every member not retired since it heard of the retirement: any of them may be the only one
 *     that has the last that he wrote. Till then his silence holds tombstones up like anybody's.
 *   - No component covers an entry that was refused for any reason but its own age.
 *
 * Invariants:
 *
 *   I1  Writers ascend strictly; none is the cluster.
 *   I2  Every component is a valid hlc (core/stamp.h) and never falls, but for zero.
 *   I3  A call that fails leaves the vector as it was.
 *
 * All memory is one block that the caller gives at init.
 */
#pragma once

#include "core/entry.h"
#include "core/err.h"

#define GVS_VECTOR_WRITERS_MAX 48 /* in a chunk of bytes: it fits in a datagram */
#define GVS_VECTOR_WRITER_LEN (GVS_ID_LEN + 8)
#define GVS_VECTOR_CHUNK_MAX ((size_t)GVS_VECTOR_WRITERS_MAX * GVS_VECTOR_WRITER_LEN)

/* The greatest valid hlc: nothing is written after it. */
#define GVS_VECTOR_END (GVS_HLC_MS_MAX << GVS_HLC_COUNTER_BITS | 0xffff)

struct gvs_vector;

/* Bytes of the block for at most `writers` writers, retired ones included. */
size_t gvs_vector_footprint(size_t writers);

/* `mem` is aligned for any type, gvs_vector_footprint(writers) long; the caller frees it. */
struct gvs_vector *gvs_vector_init(void *mem, size_t writers);

/* The component of a writer; 0 if it has none. */
uint64_t gvs_vector_get(const struct gvs_vector *v, const struct gvs_id *writer);

/* Component = max(component, hlc). `writer` is a node and hlc valid (asserted). Returns 1 if it
 * rose, 0 if not, GVS_E_FULL if there is no room for another writer. */
int gvs_vector_raise(struct gvs_vector *v, const struct gvs_id *writer, uint64_t hlc);

/* Was everything taken in that this writer wrote up to hlc? */
bool gvs_vector_covers(const struct gvs_vector *v, const struct gvs_id *writer, uint64_t hlc);

size_t gvs_vector_count(const struct gvs_vector *v);

/* Lends the i-th component in order of writers, i < count. Valid until the next change. */
const struct gvs_stamp *gvs_vector_nth(const struct gvs_vector *v, size_t i);

/* Nothing is covered any more. */
void gvs_vector_zero(struct gvs_vector *v);

/* --- as bytes: id(16) hlc(8, big-endian) for each writer, ascending by id --- */

/* Writes the components from index `from` on, as many as fit in `cap` and in a chunk. Returns the
 * bytes written, 0 at the end (or if none fits); the next chunk begins at
 * from + bytes / GVS_VECTOR_WRITER_LEN. */
size_t gvs_vector_write(const struct gvs_vector *v, size_t from, uint8_t *out, size_t cap);

/* Raises every component to what a chunk says. Returns how many rose; GVS_E_MALFORMED unless all of
 * `b` is one chunk of nodes that ascend strictly, each with a valid hlc; GVS_E_FULL if not all of
 * them find room. */
int gvs_vector_read(struct gvs_vector *v, const uint8_t *b, size_t len);

/* --- what it is there for --- */

/* Up to which stamp all of these writers' components reach. 0 for no writers at all: a node that
 * knows nobody, not even itself, knows nothing. */
uint64_t gvs_vector_least(const struct gvs_vector *v, const struct gvs_id *writers, size_t count);

/* May this entry leave memory? A tombstone, not of a member, whose stamp is before cut_ms (Unix
 * milliseconds) and not above `least`, that of every member ever known, this node too. */
bool gvs_vector_forgettable(const struct gvs_entry *e, uint64_t cut_ms, uint64_t least);

/* Is this entry, of a key that the table does not hold and from before the cut, one that was
 * deleted and forgotten here? It is refused then, and whoever brought it is told: if it is older
 * than their cut, they drop it. Members are outside all of this: never. (What is not from before
 * the cut is taken whatever the vector says: its tombstone would still be held.) */
bool gvs_vector_refuses(const struct gvs_vector *v, const struct gvs_entry *e);
