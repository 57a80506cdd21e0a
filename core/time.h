/* core/time.h: the two clocks, as two types that do not mix.
 *
 * Nothing here reads a clock: whoever calls passes `now`.
 */
#pragma once

#include <stdint.h>

/* Monotonic, suspended time included (CLOCK_BOOTTIME): timers, round trips, timeouts. */
struct gvs_mono {
    uint64_t us;
};

/* Wall clock, Unix epoch: stamps and what people read, nothing else. */
struct gvs_wall {
    uint64_t ms;
};

#define GVS_MONO_NEVER ((struct gvs_mono){UINT64_MAX})

static inline struct gvs_mono
gvs_mono_add_ms(struct gvs_mono t, uint64_t ms)
{
    return (struct gvs_mono){t.us + ms * 1000};
}

static inline struct gvs_mono
gvs_mono_min(struct gvs_mono a, struct gvs_mono b)
{
    return a.us < b.us ? a : b;
}

/* Has `t` come? */
static inline int
gvs_mono_due(struct gvs_mono t, struct gvs_mono now)
{
    return t.us <= now.us;
}
