/* net/limit.h: a token bucket in one number (the generic cell rate algorithm, ITU-T I.371).
 *
 * What is kept is when the bucket will be full again. Each taking moves that by 1/rate; it may lie
 * ahead by as much as the burst is worth. All zero is a full bucket.
 */
#pragma once

#include <stdbool.h>

#include "core/time.h"

struct gvs_limit {
    uint64_t full_us;
};

/* May one be taken now, at one per every_us and `burst` at once? */
static inline bool
gvs_limit_allows(const struct gvs_limit *l, struct gvs_mono now, uint64_t every_us, uint64_t burst)
{
    return l->full_us <= now.us || l->full_us - now.us <= (burst - 1) * every_us;
}

/* Takes one that gvs_limit_allows. */
static inline void
gvs_limit_take(struct gvs_limit *l, struct gvs_mono now, uint64_t every_us)
{
    l->full_us = (l->full_us > now.us ? l->full_us : now.us) + every_us;
}
