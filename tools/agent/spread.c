/* How long it takes from a change on another node to this kernel: from its stamp, by that node's
 * clock, to the acknowledgement, by this one's.
 *
 * Of the changes that are under way the latest 64 are known, each by the service or backend that it
 * is about; the first operation on that, within a minute, is its end. A burst is measured in part,
 * and a change that takes no operation not at all. What was said before this agent started is
 * history. */
#include "tools/agent/agent.h"

#define UNDER_WAY_MS 60000

const uint32_t gvs_spread_bounds_ms[GVS_SPREAD_BOUNDS] = {5,   10,   25,   50,    100,  250,
                                                          500, 1000, 2500, 10000, 30000};

static struct gvs_item
object_of(const struct gvs_key *key)
{
    return key->kind == GVS_KEY_SERVICE ? gvs_item_make_service(&key->svc)
                                        : gvs_item_make_dest(&key->svc, &key->ep);
}

void
gvs_spread_begin(struct gvs_agent *a, const struct gvs_entry *e, const struct gvs_key *key)
{
    struct gvs_spread *s = &a->spread;
    struct gvs_id self = gvs_node_self(a->node);

    if (e->len == 0 || gvs_id_cmp(&e->writer, &self) == 0 ||
        gvs_hlc_ms(e->order) < a->started_wall.ms)
        return;
    s->under_way[s->next++ % GVS_SPREAD_UNDER_WAY] = (struct gvs_under_way){
        .item = object_of(key),
        .ms = gvs_hlc_ms(e->order),
        .until = gvs_mono_add_ms(gvs_udp_now(), UNDER_WAY_MS),
    };
}

static void
count(struct gvs_spread *s, uint64_t ms)
{
    size_t i = 0;

    while (i < GVS_SPREAD_BOUNDS && ms > gvs_spread_bounds_ms[i])
        i++;
    s->counts[i]++;
    s->sum_ms += ms;
}

void
gvs_spread_end(struct gvs_agent *a, const struct gvs_item *item, const struct gvs_moment *when)
{
    uint64_t wall = when->wall.ms;

    for (size_t i = 0; i < GVS_SPREAD_UNDER_WAY; i++) {
        struct gvs_under_way *u = &a->spread.under_way[i];

        if (u->until.us == 0 || gvs_item_cmp(&u->item, item) != 0)
            continue;
        if (!gvs_mono_due(u->until, when->mono))
            count(&a->spread, wall > u->ms ? wall - u->ms : 0);
        u->until = (struct gvs_mono){0};
    }
}
