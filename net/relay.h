/* net/relay.h: fresh changes to everybody, at once, and again until they are acknowledged.
 *
 * Ids are hashes, so members lie evenly on the ring of ids. An *arc* of level l is those members
 * whose ids begin with the same 3 * l bits: level 0 is the whole ring, and each arc is made of
 * eight of the next level. A node serves only arcs that it lies in itself, so one a level:
 *
 *     whoever writes an entry serves level 0 with it. To serve a level is
 *         with 16 live others or fewer in the arc: to hand the entry to each of them;
 *         with more: to hand it to one live member, the head, of each of the eight arcs in it,
 *         and with it the duty to serve that arc. Our own of the eight we serve ourselves.
 *
 * So each member receives a change once, after as many hops as there are levels. What is queued is
 * keys, one log a level (net/keylog.h), and a *lane* reads it for each head: a place in the log,
 * and what was lost on the way. The value is read when the datagram is built.
 *
 * A duty is apart from news: a level is served with an entry even if the entry was known, but
 * never twice with the same one. (Without the first, two origins of one entry leave nodes out;
 * without the second, every lost acknowledgement would send an arc its entries twice. Both sides
 * agree on what an arc is whatever members they know, and that is why arcs are bits of an id and
 * not a share of a list.)
 *
 * A hand-over that is not acknowledged goes to another member of the same arc, unless the head has
 * been heard from since: then only a datagram was lost. Where members come and go, a level is split
 * or joined, and what was owed or in the air is owed to whoever leads there now. A head that dies
 * after acknowledging, a lane that falls further behind than the log is long or has lost more than
 * it can note, a member that nobody knew, more than sixteen in an arc of the last level: all that
 * is left to reconciliation (net/sync.h).
 *
 *   I1  Every place of a log before a lane's `next` is acknowledged by a head, in the air, owed
 *       again, or given up as a whole.
 *   I2  Nobody is handed an arc that he does not lie in.
 */
#pragma once

#include "core/table.h"
#include "net/keylog.h"
#include "net/member.h"
#include "net/pace.h"
#include "net/wire.h"

#define GVS_ARC_BITS 3
#define GVS_ARCS (1 << GVS_ARC_BITS)
#define GVS_DIRECT_MAX 16
#define GVS_LEVELS_MAX GVS_ARC_MAX /* 15 bits: more arcs than there can be members */
#define GVS_LOST_MAX 64

struct gvs_lane {
    struct gvs_member *head; /* NULL: our own arc, or one without a live member */
    uint64_t next;           /* place in the log */
    unsigned turn;           /* which of the arc's members is head */
    unsigned lost_count;
    struct {
        uint64_t first, last;
    } lost[GVS_LOST_MAX]; /* owed again */
};

struct gvs_level {
    struct gvs_keylog log;
    bool split;        /* lane i is the i-th arc of eight; else each lane is one member */
    size_t lane_count; /* 0: nobody else in this arc, or not looked at yet */
    struct gvs_lane lane[GVS_DIRECT_MAX];
};

struct gvs_relay {
    struct gvs_members *members; /* borrowed */
    struct gvs_id self;
    struct gvs_level level[GVS_LEVELS_MAX + 1];
    size_t turn; /* lanes of a level take turns */
};

/* `keys` is how many each log holds. GVS_E_SYS if memory is short; close all the same. `members`
 * and hash.key outlive it. */
int gvs_relay_open(struct gvs_relay *r, struct gvs_members *members, const struct gvs_id *self,
                   size_t keys, struct gvs_hash hash);
void gvs_relay_close(struct gvs_relay *r);

/* This entry is owed to everybody in our arc of that level (0: everybody). Who that is was said by
 * the latest gvs_relay_update. */
void gvs_relay_serve(struct gvs_relay *r, struct gvs_mono now, unsigned level, const uint8_t *key,
                     size_t len, uint64_t id);

/* Who lives has changed, or with whom there is a session. Heads that have no session are asked for
 * one. */
void gvs_relay_update(struct gvs_relay *r, struct gvs_mono now);

/* A lane that owes something which may be sent now. */
struct gvs_duty {
    unsigned level;
    struct gvs_lane *lane;
};

/* The next one, of the lowest level that has any; may_send says whether a member can take a
 * datagram. False: none. */
bool gvs_relay_next(struct gvs_relay *r, bool (*may_send)(void *ctx, const struct gvs_member *m),
                    void *ctx, struct gvs_duty *duty);

/* One that this very member is owed: for a datagram that goes to it anyway. */
bool gvs_relay_owes(struct gvs_relay *r, const struct gvs_member *m, struct gvs_duty *duty);

/* Fills m, a PUSH whose entries may take `room` bytes. `table` are the two tables, by enum
 * gvs_table_no. False: nothing is owed after all, or nothing fits. */
bool gvs_relay_build(struct gvs_relay *r, const struct gvs_duty *duty,
                     const struct gvs_table *const table[static GVS_TABLE_COUNT], size_t room,
                     struct gvs_msg *m, struct gvs_cargo *cargo);

/* The flight to m with this cargo was lost. */
void gvs_relay_owe(struct gvs_relay *r, struct gvs_mono now, const struct gvs_member *m,
                   const struct gvs_flight *flight);
