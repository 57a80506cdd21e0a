/* net/pace.h: what is in the air for one peer, and how much may be.
 *
 * Every datagram with entries carries a number that its receiver repeats in an acknowledgement. Of
 * each that is not acknowledged yet this remembers its cargo: where its entries came from, so that
 * they can be owed again. The round trip is measured (RFC 6298), and a datagram is lost when its
 * time-out has passed, or when ones sent much later were acknowledged.
 *
 *     fly --> in the air --> land       acknowledged: a sample of the round trip
 *                    |
 *                    +-----> expire     lost: the cargo goes back to whoever owes it
 *
 * The window is judged once a round, which is one window's worth of datagrams, or when all that was
 * in the air got lost: it grows by half while a round loses nothing, stays while it loses up to a
 * fifth (a bad link, not a full one), and halves beyond that. Who sends little ends no round. A
 * table crosses a link with 5 % loss at the speed of the link, and an overrun receive buffer is
 * noticed within one round trip.
 *
 *   I1  No more than `window` are sent into the air, and never more than GVS_FLIGHTS_MAX.
 *   I2  Each flight ends exactly once: it lands, or it expires.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/time.h"

#define GVS_FLIGHTS_MAX 128
#define GVS_WINDOW_START 16
#define GVS_WINDOW_MIN 4
#define GVS_RTO_US_MIN 10000
#define GVS_RTO_US_MAX 1000000
#define GVS_RTO_US_START 100000 /* before the round trip is known */
#define GVS_TIMEOUTS_SILENT 4   /* so many in a row: nobody is there */

/* Where the entries of a datagram came from. */
enum gvs_cargo_kind {
    GVS_CARGO_LOOSE = 0, /* ids that were asked for: asked for again if they are still missing */
    GVS_CARGO_LOG,       /* places first .. last of a level's log (net/relay.h) */
    GVS_CARGO_RUN,       /* `last` claims from the one with the id `first` on, by keys */
    GVS_CARGO_RANGE,     /* ids first .. last of a table, from a range that ends at `end` */
};
struct gvs_cargo {
    uint8_t kind;         /* enum gvs_cargo_kind */
    uint8_t table;        /* RANGE */
    uint8_t level, arc;   /* LOG; the arc that went with it, or 0 */
    uint64_t first, last; /* both included */
    uint64_t end;
};

struct gvs_flight {
    uint64_t seq;  /* 0: free */
    uint64_t late; /* of the one that was lost here last */
    struct gvs_mono sent;
    struct gvs_cargo cargo;
};

struct gvs_pace {
    uint64_t seq;     /* the latest */
    uint64_t oldest;  /* none below this is in the air */
    uint64_t highest; /* the latest that landed */
    uint64_t doomed;  /* up to here all are lost: the peer has started anew */
    unsigned window, flying;
    unsigned timeouts;                         /* in a row, without anything landing */
    uint64_t round;                            /* ends when this one has ended */
    unsigned landed, lost;                     /* in this round */
    uint64_t srtt_us, var_us;                  /* 0: unknown */
    struct gvs_flight flight[GVS_FLIGHTS_MAX]; /* seq stands at seq % GVS_FLIGHTS_MAX */
};

/* `p` is zero, or had its life already: its numbers go on, and nothing is in the air. */
void gvs_pace_reset(struct gvs_pace *p);

/* May one more be sent? */
bool gvs_pace_open(const struct gvs_pace *p);

/* One is sent now: returns its number. Must be open (asserted). */
uint64_t gvs_pace_fly(struct gvs_pace *p, struct gvs_mono now, const struct gvs_cargo *cargo);

/* An acknowledgement of `seq`. Lends the flight until the next call; NULL: unknown, or too late. */
const struct gvs_flight *gvs_pace_land(struct gvs_pace *p, uint64_t seq);

/* When the one with this number was sent; false if it is not in the air. */
bool gvs_pace_sent(const struct gvs_pace *p, uint64_t seq, struct gvs_mono *at);

/* An acknowledgement of what was given up came after all: the round trip is longer than we thought.
 */
void gvs_pace_late(struct gvs_pace *p, struct gvs_mono now, uint64_t seq);

/* Takes the cargo of one flight that is lost by now; false if there is none. Call until false. */
bool gvs_pace_expire(struct gvs_pace *p, struct gvs_mono now, struct gvs_flight *lost);

/* All that is in the air is lost. */
void gvs_pace_doom(struct gvs_pace *p);

/* When gvs_pace_expire has something to do if nothing lands; NEVER without flights. */
struct gvs_mono gvs_pace_deadline(const struct gvs_pace *p);

/* When the oldest that is still in the air was sent; NEVER if there is none. */
struct gvs_mono gvs_pace_oldest(const struct gvs_pace *p);

/* A round trip was measured, here or elsewhere. */
void gvs_pace_sample(struct gvs_pace *p, uint64_t us);

uint64_t gvs_pace_rto_us(const struct gvs_pace *p);
