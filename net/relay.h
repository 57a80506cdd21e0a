/* net/relay.h: fresh changes to everybody, at once, and again until they are acknowledged.
 *
 * What this node originates is appended to one log of keys, shared by all targets; for each target
 * there is only the place up to which the log was sent. A key that changes again moves to the end
 * of the log, so a busy key costs one entry however often it changes, and the newest value is read
 * when a datagram is built. The log is a ring: a target that falls further behind than it is long
 * is owed nothing any more, and reconciliation (net/sync.h) takes over.
 *
 * Everything with entries that goes to one target, also what reconciliation pushes, flies under one
 * window, which opens with each acknowledgement and halves with each loss:
 *
 *     build (from the log, or by net/sync) --> fly --> acknowledged
 *                                               |
 *                                               +--> lost: what it carried is owed again
 *
 *   I1  At most GVS_WINDOW_MAX datagrams are in the air for one target.
 *   I2  Every place of the log before `next` is acknowledged, in the air, lost and owed again, or
 *       given up as a whole.
 */
#pragma once

#include "core/table.h"
#include "core/time.h"
#include "net/wire.h"

#define GVS_WINDOW_MAX 32
#define GVS_WINDOW_START 4
#define GVS_RELAY_TIMEOUT_MS_MIN 50
#define GVS_RELAY_TIMEOUT_MS_MAX 1000
#define GVS_RELAY_TRIES 5 /* time-outs in a row, then the target is given up */

/* --- a log of keys --- */

struct gvs_keylog_slot {
    struct gvs_keybuf key;
    bool stale;    /* the key stands again further on */
    uint32_t next; /* older slot of the same bucket, from 1; 0: none */
};
struct gvs_keylog {
    uint64_t head; /* where the next key goes; places head - capacity .. head - 1 can be read */
    size_t capacity;
    struct gvs_hash hash;
    struct gvs_keylog_slot *slot;
    uint32_t *bucket;
};

/* GVS_E_SYS if memory is short. `hash.key` is borrowed. */
int gvs_keylog_open(struct gvs_keylog *log, size_t capacity, struct gvs_hash hash);
void gvs_keylog_close(struct gvs_keylog *log);

void gvs_keylog_append(struct gvs_keylog *log, const uint8_t *key, size_t len);

/* The oldest place that can still be read. */
uint64_t gvs_keylog_tail(const struct gvs_keylog *log);

/* The key at a place, lent; NULL if it stands again further on. */
const struct gvs_keybuf *gvs_keylog_get(const struct gvs_keylog *log, uint64_t place);

/* --- what is in the air for one target --- */

/* What a datagram carried, so that it can be owed again. */
enum gvs_cargo_kind {
    GVS_CARGO_LOOSE = 0, /* entries asked for by id: asked for again if they are still missing */
    GVS_CARGO_LOG,       /* places first .. last of the log */
    GVS_CARGO_RANGE,     /* ids first .. last of a table, from a range that ends at `end` */
};
struct gvs_cargo {
    enum gvs_cargo_kind kind;
    uint8_t table;
    uint64_t first, last; /* both included */
    uint64_t end;
};

struct gvs_flight {
    uint64_t seq; /* 0: free */
    bool lost;    /* owed again; not in the air */
    struct gvs_mono sent, due;
    struct gvs_cargo cargo;
};
struct gvs_relay {
    uint64_t next; /* place in the log */
    uint64_t seq;  /* the latest */
    unsigned window, flying, lost;
    unsigned timeouts;   /* in a row */
    struct gvs_mono cut; /* when the window was last halved */
    struct gvs_flight flight[GVS_WINDOW_MAX];
};

/* Nothing is owed but what is appended from now on. */
void gvs_relay_reset(struct gvs_relay *r, const struct gvs_keylog *log);

/* Nothing that stands in the log now is owed; what is in the air stays there. */
void gvs_relay_skip(struct gvs_relay *r, const struct gvs_keylog *log);

/* May one more be sent? */
bool gvs_relay_open(const struct gvs_relay *r);

/* Fills m, a PUSH that may take `room` bytes, with what is owed of the log: lost things first.
 * `table` are the two tables, by enum gvs_table_no. False: nothing owed, or nothing fits. */
bool gvs_relay_build(struct gvs_relay *r, const struct gvs_keylog *log,
                     const struct gvs_table *const table[static GVS_TABLE_COUNT], size_t room,
                     struct gvs_msg *m, struct gvs_cargo *cargo);

/* It is sent now: returns its seq. The window must be open. */
uint64_t gvs_relay_fly(struct gvs_relay *r, struct gvs_mono now, uint64_t rtt_us,
                       const struct gvs_cargo *cargo);

/* The answer to a seq. Lends the flight until the next call; NULL: unknown, or too late. */
const struct gvs_flight *gvs_relay_land(struct gvs_relay *r, struct gvs_mono now, uint64_t seq);

/* The cargo of a flight that was lost just now and that this module does not owe again by itself
 * (ranges and loose ones); false if there is none. Call until false. *gave_up: the target has not
 * answered at all for so long that everything was dropped. */
bool gvs_relay_expire(struct gvs_relay *r, const struct gvs_keylog *log, struct gvs_mono now,
                      struct gvs_cargo *cargo, bool *gave_up);

/* When gvs_relay_expire has something to do; NEVER without flights. */
struct gvs_mono gvs_relay_deadline(const struct gvs_relay *r);

/* Is anything of the log owed that may be sent now? */
bool gvs_relay_owes(const struct gvs_relay *r, const struct gvs_keylog *log);

/* When the oldest datagram still in the air was sent; NEVER if there is none. */
struct gvs_mono gvs_relay_oldest(const struct gvs_relay *r);
