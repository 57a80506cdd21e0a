/* core/item.h: what a kernel holds for one virtual service or one destination.
 *
 * `wanted`, `configured` and every dump are sets of items, compared in full: all that IPVS can
 * express and we set is a field here, nothing else is. A destination sorts right behind its
 * service.
 *
 *   I1  Unused bytes are zero, in the parts and in the padding that gvs_item_make_* leaves.
 */
#pragma once

#include "core/addr.h"
#include "core/value.h"

enum gvs_item_kind { GVS_ITEM_SERVICE = 1, GVS_ITEM_DEST = 2 };

struct gvs_item_service {
    char sched[GVS_SCHED_LEN_MAX + 1];
    uint32_t flags; /* GVS_FLAG_*; persistence is persistent != 0 */
    uint32_t persistent;
    uint8_t netmask; /* 1..32 or 1..128; 32 or 128 is the whole address */
};

struct gvs_item_dest {
    uint32_t weight;
    uint32_t lower, upper;
    uint16_t tunnel_port;
    uint8_t forward;
    uint8_t tunnel;
};

struct gvs_item {
    struct gvs_svcid svc;
    uint8_t kind;     /* enum gvs_item_kind */
    struct gvs_ep ep; /* DEST */
    union {
        struct gvs_item_service service;
        struct gvs_item_dest dest;
    };
};

/* By service, kind, endpoint: the identity, not the fields. */
int gvs_item_cmp(const struct gvs_item *a, const struct gvs_item *b);

/* Same identity and same fields. */
bool gvs_item_equal(const struct gvs_item *a, const struct gvs_item *b);

/* All zero but for the identity. */
struct gvs_item gvs_item_make_service(const struct gvs_svcid *svc);
struct gvs_item gvs_item_make_dest(const struct gvs_svcid *svc, const struct gvs_ep *ep);
struct gvs_item gvs_item_past(const struct gvs_svcid *svc); /* above all of this service */
