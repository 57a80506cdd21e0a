/* net/keylog.h: a ring of keys that changed, each standing in it once.
 *
 * Whoever wants to know what changed keeps a place and reads on from there. A key that changes
 * again moves to the end, so a busy key costs one entry however often it changes, and what is read
 * is the key: the value is looked up when it is needed, and is then the newest. A reader that falls
 * further behind than the ring is long has missed something, and is told by gvs_keylog_tail.
 *
 *   I1  No key stands at two places that can be read.
 *   I2  A place is never used again: places only rise.
 */
#pragma once

#include "core/key.h"
#include "core/table.h"
#include "core/time.h"

struct gvs_keylog_slot {
    struct gvs_keybuf key;
    bool stale;    /* the key stands again further on */
    uint32_t next; /* older slot of the same bucket, from 1; 0: none */
    uint64_t id;   /* of the entry, as it was appended */
    struct gvs_mono at;
};

struct gvs_keylog {
    uint64_t head; /* where the next key goes; places head - capacity .. head - 1 can be read */
    size_t capacity;
    struct gvs_hash hash;
    struct gvs_keylog_slot *slot;
    uint32_t *bucket;
};

/* GVS_E_SYS if memory is short. `hash.key` is borrowed. Pages that no key needed are not touched.
 */
int gvs_keylog_open(struct gvs_keylog *log, size_t capacity, struct gvs_hash hash);
void gvs_keylog_close(struct gvs_keylog *log);

/* The entry of this key is now the one with this id. False, and nothing happens, if the ring says
 * so already. */
bool gvs_keylog_append(struct gvs_keylog *log, struct gvs_mono now, const uint8_t *key, size_t len,
                       uint64_t id);

/* The oldest place that can still be read. */
uint64_t gvs_keylog_tail(const struct gvs_keylog *log);

/* What stands at a place, lent; NULL if its key stands again further on. */
const struct gvs_keylog_slot *gvs_keylog_get(const struct gvs_keylog *log, uint64_t place);

/* When a key was appended last; false if the ring does not have it. */
bool gvs_keylog_when(const struct gvs_keylog *log, const uint8_t *key, size_t len,
                     struct gvs_mono *at);
