/* core/falls.h: who falls again and again is believed later and later.
 *
 * For what is up or down by somebody's verdict: a member (net/member.h), a server (tools/agent/
 * health.h). It goes at once, each time. From the third fall of late on, its return has to wait for
 * 4, 8, 16, 32, 60, 60 s; "of late" is a count that halves every five minutes since the last.
 *
 *   I1  However it flaps, in the long run it costs two changes a minute.
 */
#pragma once

#include "core/time.h"

#define GVS_FALLS_HOLD_MS_MAX 60000

struct gvs_falls {  /* zeroed: none */
    unsigned count; /* of late; nothing is halved before the next fall */
    struct gvs_mono last;
};

void gvs_falls_note(struct gvs_falls *f, struct gvs_mono now);
/* How long a return has to wait, in ms: 0, or 4000 to GVS_FALLS_HOLD_MS_MAX. */
uint64_t gvs_falls_hold_ms(const struct gvs_falls *f);
