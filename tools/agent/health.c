#include "tools/agent/health.h"

#include "core/err.h"

#define HOLD_MS 4000 /* as for members: doubles with each further fall */
#define HOLD_MS_MAX 60000
#define FALLS_FREE 2
#define FALLS_MAX 8
#define FALLS_HALVE_MS 300000

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

static uint64_t
hold_ms(const struct gvs_health *h)
{
    uint64_t ms;

    if (h->falls <= FALLS_FREE)
        return 0;
    ms = (uint64_t)HOLD_MS << (h->falls - FALLS_FREE - 1);
    return ms < HOLD_MS_MAX ? ms : HOLD_MS_MAX;
}

static void
fall(struct gvs_health *h, struct gvs_mono now)
{
    uint64_t halvings = (now.us - h->fell.us) / 1000 / FALLS_HALVE_MS;

    h->falls = halvings < FALLS_MAX ? h->falls >> halvings : 0;
    if (h->falls < FALLS_MAX)
        h->falls++;
    h->fell = now;
    h->hold = gvs_mono_add_ms(now, hold_ms(h));
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
    if (!pass)
        fall(h, now);
    return true;
}
