/* core/stamp.h: when something was written, in an order that all nodes share.
 *
 * A hybrid logical clock (Kulkarni et al., 2014) in 64 bits: 48 of Unix milliseconds and 16 of
 * counter. It never runs backwards, whatever the wall clock does, and a local write is stamped
 * above everything that this node has seen, so that the later of two writes wins even if its
 * writer's clock is behind. When the counter is full it carries into the milliseconds.
 *
 * What a wrong clock has once stamped carries along whoever sees it, to where others may not take
 * what he writes. Where it is known what they take, a clock can be lowered to that.
 *
 *   I1  What a clock issues is valid, and above all that it issued or witnessed since it was
 *       lowered last; only at the greatest valid stamp, in the year 10889, does it stand still. (A
 *       stamp past the end would be refused by everybody, and an assertion would let one hostile
 *       stamp stop every node.)
 *   I2  It is lowered to nothing that it has issued within a limit.
 */
#pragma once

#include "core/id.h"
#include "core/time.h"

#define GVS_HLC_COUNTER_BITS 16
/* 2^48 - 2^20 ms: the year 10889. Beyond it, and at ms = 0, a stamp is malformed. */
#define GVS_HLC_MS_MAX ((UINT64_C(1) << 48) - (UINT64_C(1) << 20))

struct gvs_stamp {
    uint64_t hlc;
    struct gvs_id writer;
};

struct gvs_hlc { /* a node's clock; zero is a valid start */
    uint64_t last;
    uint64_t issued; /* the latest within its limit */
};

#define GVS_HLC_NO_LIMIT UINT64_MAX

uint64_t gvs_hlc_make(uint64_t ms, uint16_t counter); /* ms < 2^48 */
uint64_t gvs_hlc_ms(uint64_t hlc);
bool gvs_hlc_valid(uint64_t hlc); /* 1 <= ms <= GVS_HLC_MS_MAX */

/* The stamp of a local write: above all that this clock has issued or witnessed, above `above`
 * (what the write replaces; 0 for nothing), at `wall` if that is later. A wall clock out of bounds
 * counts as the nearest bound. `limit` is the latest that others take; what is replaced and lies
 * beyond carries this one stamp along, and not the clock. */
uint64_t gvs_hlc_issue(struct gvs_hlc *c, struct gvs_wall wall, uint64_t above, uint64_t limit);

/* Comes down to `to`, or to what I2 allows. */
void gvs_hlc_lower(struct gvs_hlc *c, uint64_t to);

/* A stamp was seen: what is issued from now on is above it. */
void gvs_hlc_witness(struct gvs_hlc *c, uint64_t hlc);

int gvs_stamp_cmp(const struct gvs_stamp *a, const struct gvs_stamp *b); /* clock, then writer */
