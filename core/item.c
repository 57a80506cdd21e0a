/* core/item.c: compared field by field, not as bytes: a compiler may leave anything in the padding
 * of a struct that somebody filled by name, and an item that differs in nothing else would be
 * written to the kernel for no reason at every audit. */
#include "core/item.h"

#include "core/err.h"

#include <string.h>

/* A field that is added must be compared below; then its size is corrected here. */
_Static_assert(sizeof(struct gvs_item_service) == GVS_SCHED_LEN_MAX + 1 + 12, "a new field");
_Static_assert(sizeof(struct gvs_item_dest) == 16, "a new field");

int
gvs_item_cmp(const struct gvs_item *a, const struct gvs_item *b)
{
    int order = 0;

    GVS_ASSERT(a->kind == GVS_ITEM_SERVICE || a->kind == GVS_ITEM_DEST);
    GVS_ASSERT(b->kind == GVS_ITEM_SERVICE || b->kind == GVS_ITEM_DEST);
    if (memcmp(&a->svc, &b->svc, sizeof a->svc) != 0) /* mostly not: neighbours share a service */
        order = gvs_svcid_cmp(&a->svc, &b->svc);
    if (order != 0)
        return order;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    return a->kind == GVS_ITEM_DEST ? gvs_ep_cmp(&a->ep, &b->ep) : 0;
}

static bool
same_service(const struct gvs_item_service *a, const struct gvs_item_service *b)
{
    return a->flags == b->flags && a->persistent == b->persistent && a->netmask == b->netmask &&
           strncmp(a->sched, b->sched, sizeof a->sched) == 0;
}

static bool
same_dest(const struct gvs_item_dest *a, const struct gvs_item_dest *b)
{
    return a->weight == b->weight && a->lower == b->lower && a->upper == b->upper &&
           a->tunnel_port == b->tunnel_port && a->forward == b->forward && a->tunnel == b->tunnel;
}

bool
gvs_item_equal(const struct gvs_item *a, const struct gvs_item *b)
{
    if (gvs_item_cmp(a, b) != 0)
        return false;
    return a->kind == GVS_ITEM_SERVICE ? same_service(&a->service, &b->service)
                                       : same_dest(&a->dest, &b->dest);
}

/* memset, not an initializer: the padding too is zero (I1). */
struct gvs_item
gvs_item_make_service(const struct gvs_svcid *svc)
{
    struct gvs_item item;

    memset(&item, 0, sizeof item);
    item.svc = *svc;
    item.kind = GVS_ITEM_SERVICE;
    return item;
}

struct gvs_item
gvs_item_make_dest(const struct gvs_svcid *svc, const struct gvs_ep *ep)
{
    struct gvs_item item;

    memset(&item, 0, sizeof item);
    item.svc = *svc;
    item.kind = GVS_ITEM_DEST;
    item.ep = *ep;
    return item;
}

struct gvs_item
gvs_item_past(const struct gvs_svcid *svc)
{
    const struct gvs_ep past = {.addr.family = UINT8_MAX}; /* above every family */

    return gvs_item_make_dest(svc, &past);
}
