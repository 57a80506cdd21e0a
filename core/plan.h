/* core/plan.h: from a diff to operations in an order in which no moment is worse than both ends.
 *
 * The operations of one service, by wave:
 *
 *     0  the service is added, or edited in place; destinations are added; weights go up, and edits
 *        that keep the weight
 *     1  weights go down; destinations are removed; the address comes (to a service that is there)
 *        or goes (from one that is to go)
 *     2  the service is removed, which takes its destinations along: they get no operation of their
 *        own
 *
 * A wave is sent when the one before has been answered, so whatever relies on an add comes after
 * its acknowledgement. If everything in wave 0 that was to bring in a server failed, what goes down
 * in wave 1 is held back (gvs_plan_held): better the old server than none. The waves of different
 * services do not wait for each other's failures. What is changed is edited: no identity is ever
 * removed and added again.
 *
 * The anchors frame it: one for each family, before its first service and after its last (DESIGN:
 * the kernel unhooks IPVS with the last service of a family, and then the node itself answers
 * established connections with RST).
 *
 *   I1  Each item of the diff is in the plan exactly once, or went with its service.
 *   I2  In each service, every ADD comes before every REMOVE.
 *   I3  An address operation comes after the add, or before the removal, of every service that it
 *       carries.
 */
#pragma once

#include "core/diff.h"

enum gvs_op_kind {
    GVS_OP_NONE = 0,
    GVS_OP_SERVICE_ADD,
    GVS_OP_SERVICE_EDIT,
    GVS_OP_SERVICE_DEL,
    GVS_OP_DEST_ADD,
    GVS_OP_DEST_EDIT,
    GVS_OP_DEST_DEL,
    GVS_OP_ADDR_ADD, /* item.svc.addr onto the dummy interface */
    GVS_OP_ADDR_DEL,
    GVS_OP_ANCHOR_ADD, /* item.svc.addr.family */
    GVS_OP_ANCHOR_DEL,
};

#define GVS_PLAN_WAVES 3

struct gvs_op {
    uint8_t kind; /* enum gvs_op_kind */
    uint8_t wave;
    struct gvs_item item;   /* as it is to become; for removals, as it was */
    struct gvs_item before; /* edits: as it was */
};

/* The most operations that a diff of `have` and `want` can give. */
size_t gvs_plan_max(struct gvs_range have, struct gvs_range want);

/* Writes the operations on services and destinations, ordered by wave and, in a wave, by service;
 * returns how many. `ops` has room for gvs_plan_max. Addresses and anchors are counted over all
 * services and are the caller's to add (ipvs/kernel.h). */
size_t gvs_plan_build(struct gvs_op *ops, struct gvs_range have, struct gvs_range want);

/* Given the operations of one service and which of them failed, must this one of a later wave wait?
 * A destination stays, and keeps its weight, if servers were to come (added with a weight, or
 * raised from 0) and every one of them failed; an address does not come to a service whose add
 * failed. */
bool gvs_plan_held(const struct gvs_op *ops, const bool *failed, size_t count,
                   const struct gvs_op *op);

const char *gvs_op_name(uint8_t kind); /* "service_add" ... */

/* The anchors' fwmarks; no virtual service may have them. */
#define GVS_ANCHOR_MARK_V4 1735786500u /* "gv", and the family */
#define GVS_ANCHOR_MARK_V6 1735786502u
struct gvs_item gvs_anchor(uint8_t family);
bool gvs_anchor_is(const struct gvs_svcid *svc);
