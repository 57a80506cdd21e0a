/* tools/agent/health.h: is a server up? From the answers of its check, one after the other.
 *
 *     up --- `fall` looks in a row fail ---> down
 *     down --- `rise` looks in a row pass, and it has been down for as long as it must ---> up
 *
 * Looks begin once an interval, the first at a random moment of the first and each later one up to
 * a tenth earlier or later than due, so that the checks of a thousand servers are spread over the
 * interval, from the start on, and stay so.
 *
 * One that comes and goes goes at once, each time, and is back later and later (core/falls.h): so
 * however it flaps, it costs the table two writes a minute in the long run.
 *
 * A look that could not be made is no answer: who calls does not tell of it.
 *
 *   I1  What counts changes by answers alone, and by no single one against it before `fall` or
 *       `rise` of them: a look that agrees with what counts begins the row anew.
 *   I2  Two looks begin no closer than nine tenths of an interval, and no further apart than eleven
 *       for whoever calls in time.
 *   I3  From 7 falls of late on a return takes a minute at least.
 */
#pragma once

#include <stdbool.h>

#include "core/falls.h"

struct gvs_health_rule {
    uint64_t interval_ms;
    unsigned rise, fall; /* 1 or more */
};

struct gvs_health {
    bool up;
    unsigned row;         /* answers against what counts, in a row */
    struct gvs_mono next; /* a look is due then */
    struct gvs_mono hold; /* not up again before then */
    struct gvs_falls falls;
};

/* `dice` are 32 random bits, wherever they are asked for. */
void gvs_health_init(struct gvs_health *h, const struct gvs_health_rule *r, bool up,
                     struct gvs_mono now, uint32_t dice);
/* Another interval, or a time in which nobody looked: the next look at a random moment of one. */
void gvs_health_spread(struct gvs_health *h, const struct gvs_health_rule *r, struct gvs_mono now,
                       uint32_t dice);
/* A look begins: sets `next`. */
void gvs_health_look(struct gvs_health *h, const struct gvs_health_rule *r, struct gvs_mono now,
                     uint32_t dice);
/* What it said. True: `up` has changed. */
bool gvs_health_answer(struct gvs_health *h, const struct gvs_health_rule *r, bool pass,
                       struct gvs_mono now);
