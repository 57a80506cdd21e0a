#include "tools/agent/health.h"

#include "core/err.h"

void
gvs_health_init(struct gvs_health *h, const struct gvs_health_rule *r, bool up, struct gvs_mono now,
                uint32_t dice)
{
    *h = (struct gvs_health){.up = up};
    gvs_health_spread(h, r, now, dice);
}

void
gvs_health_spread(struct gvs_health *h, const struct gvs_health_rule *r, struct gvs_mono now,
                  uint32_t dice)
{
    GVS_ASSERT(r->interval_ms > 0);
    h->next = gvs_mono_add_ms(now, dice % r->interval_ms);
}

void
gvs_health_look(struct gvs_health *h, const struct gvs_health_rule *r, struct gvs_mono now,
                uint32_t dice)
{
    uint64_t thousandths = 900 + dice % 201;

    h->next = gvs_mono_add_ms(now, r->interval_ms * thousandths / 1000); /* I2 */
}

bool
gvs_health_answer(struct gvs_health *h, const struct gvs_health_rule *r, bool pass,
                  struct gvs_mono now)
{
    GVS_ASSERT(r->rise > 0 && r->fall > 0);
    if (pass == h->up) {
        h->row = 0; /* I1 */
        return false;
    }
    if (h->row < (h->up ? r->fall : r->rise))
        h->row++;
    if (h->row < (h->up ? r->fall : r->rise) || (pass && !gvs_mono_due(h->hold, now)))
        return false;
    h->up = pass;
    h->row = 0;
    if (!pass) {
        gvs_falls_note(&h->falls, now);
        h->hold = gvs_mono_add_ms(now, gvs_falls_hold_ms(&h->falls));
    }
    return true;
}
