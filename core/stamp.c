/* core/stamp.c: a hybrid logical clock in one 64-bit number, so that counting up carries by itself.
 */
#include "core/stamp.h"
#include "core/err.h"

#define HLC_MAX (GVS_HLC_MS_MAX << GVS_HLC_COUNTER_BITS | 0xffff)
_Static_assert(GVS_HLC_MS_MAX < UINT64_C(1) << (64 - GVS_HLC_COUNTER_BITS), "ms fit into an hlc");

uint64_t
gvs_hlc_make(uint64_t ms, uint16_t counter)
{
    GVS_ASSERT(ms < UINT64_C(1) << (64 - GVS_HLC_COUNTER_BITS));
    return ms << GVS_HLC_COUNTER_BITS | counter;
}

uint64_t
gvs_hlc_ms(uint64_t hlc)
{
    return hlc >> GVS_HLC_COUNTER_BITS;
}

bool
gvs_hlc_valid(uint64_t hlc)
{
    uint64_t ms = gvs_hlc_ms(hlc);

    return ms >= 1 && ms <= GVS_HLC_MS_MAX;
}

/* The stamp of this moment, as if nothing had been seen. */
static uint64_t
hlc_of_wall(struct gvs_wall wall)
{
    if (wall.ms < 1)
        return gvs_hlc_make(1, 0);
    return gvs_hlc_make(wall.ms < GVS_HLC_MS_MAX ? wall.ms : GVS_HLC_MS_MAX, 0);
}

uint64_t
gvs_hlc_issue(struct gvs_hlc *c, struct gvs_wall wall, uint64_t above, uint64_t limit)
{
    uint64_t now = hlc_of_wall(wall);

    if (above > limit && above > c->last)
        return above < HLC_MAX ? above + 1 : HLC_MAX;
    gvs_hlc_witness(c, above);
    if (now > c->last)
        c->last = now;
    else if (c->last < HLC_MAX)
        c->last++;
    GVS_ASSERT(gvs_hlc_valid(c->last)); /* I1 */
    if (limit != GVS_HLC_NO_LIMIT && c->last <= limit)
        c->issued = c->last;
    return c->last;
}

void
gvs_hlc_lower(struct gvs_hlc *c, uint64_t to)
{
    uint64_t floor = to > c->issued ? to : c->issued; /* I2 */

    if (c->last > floor)
        c->last = floor;
}

void
gvs_hlc_witness(struct gvs_hlc *c, uint64_t hlc)
{
    if (hlc > HLC_MAX)
        hlc = HLC_MAX;
    if (hlc > c->last)
        c->last = hlc;
}

int
gvs_stamp_cmp(const struct gvs_stamp *a, const struct gvs_stamp *b)
{
    if (a->hlc != b->hlc)
        return a->hlc < b->hlc ? -1 : 1;
    return gvs_id_cmp(&a->writer, &b->writer);
}
