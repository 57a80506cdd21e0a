/* core/entry.h: the unit of replication, in the canonical bytes that we store, hash and relay.
 *
 *      0        1           1+k      9+k       10+k          26+k
 *     +--------+-----------+--------+---------+-------------+---------+
 *     | k      | key (k)   | order  | flags   | writer (16) | value   |
 *     +--------+-----------+--------+---------+-------------+---------+
 *                           u64 BE   bit 0: tombstone, the others 0
 *
 * `order` is the hlc of the stamp; for a member it is retired(1 bit) incarnation(55) state(8), by
 * which members merge with no clock; a member is never a tombstone, LEFT is the end of it. `writer`
 * is there only where the key does not already name who wrote: for cluster claims and overrides. A
 * node never alters an entry without a new order, and passes on the very bytes that it received.
 *
 * Merge keeps the greater of two entries of one key: by order, then writer, then tombstone above
 * value, then the bytes themselves. That is a maximum in a total order, hence commutative,
 * associative, idempotent.
 */
#pragma once

#include "core/key.h"
#include "core/stamp.h"

#define GVS_ENTRY_LEN_MAX 512
#define GVS_ENTRY_TOMBSTONE 0x01u

/* A read-only look at an entry's bytes; everything lends from `b`. */
struct gvs_entry {
    const uint8_t *b;
    uint16_t len;
    const uint8_t *key;
    uint8_t key_len;
    enum gvs_key_kind kind;
    uint64_t order;
    struct gvs_id writer; /* the owner where the bytes leave it out; zero for members */
    bool tombstone;
    const uint8_t *value;
    uint16_t value_len;
};

/* GVS_E_MALFORMED unless all of b is one entry: valid key, order, flags, writer (a node) and value
 * frame, and nothing over. *out is written on GVS_OK only. */
int gvs_entry_parse(struct gvs_entry *out, const uint8_t *b, size_t len);

/* Writes the bytes of an entry and returns their number. `out` holds GVS_ENTRY_LEN_MAX. The
 * arguments are ours and valid (asserted); value_len <= GVS_VALUE_LEN_MAX. `writer` may be NULL
 * where the bytes leave it out; on a node's claim it is else the owner. */
size_t gvs_entry_build(uint8_t *out, const struct gvs_key *key, uint64_t order,
                       const struct gvs_id *writer, bool tombstone, const uint8_t *value,
                       size_t value_len);

/* Which of two entries of one key (asserted) stays: <0 if a is the lesser, 0 if they are the same
 * bytes. */
int gvs_entry_cmp(const struct gvs_entry *a, const struct gvs_entry *b);

/* The order of a member's entry. LEFT is the retired bit (and state 3), above every incarnation.
 * The last two take the order of an entry that was parsed, or one made here. */
#define GVS_INCARNATION_MAX ((UINT64_C(1) << 55) - 1)
enum gvs_member_state { GVS_ALIVE = 0, GVS_SUSPECT = 1, GVS_DEAD = 2, GVS_LEFT = 3 };
uint64_t gvs_member_order(uint64_t incarnation, enum gvs_member_state state);
uint64_t gvs_member_incarnation(uint64_t order);
enum gvs_member_state gvs_member_state(uint64_t order);
