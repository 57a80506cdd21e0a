#include "core/falls.h"

#define FREE 2 /* so often it may come back at once; a restart is one */
#define COUNT_MAX 8
#define HALVE_MS 300000
#define HOLD_MS 4000 /* doubles with each further fall; nothing special about it */

void
gvs_falls_note(struct gvs_falls *f, struct gvs_mono now)
{
    uint64_t halvings = (now.us - f->last.us) / 1000 / HALVE_MS;

    f->count = halvings < COUNT_MAX ? f->count >> halvings : 0;
    if (f->count < COUNT_MAX)
        f->count++;
    f->last = now;
}

uint64_t
gvs_falls_hold_ms(const struct gvs_falls *f)
{
    uint64_t ms;

    if (f->count <= FREE)
        return 0;
    ms = (uint64_t)HOLD_MS << (f->count - FREE - 1);
    return ms < GVS_FALLS_HOLD_MS_MAX ? ms : GVS_FALLS_HOLD_MS_MAX;
}
