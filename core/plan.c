/* core/plan.c: the diff is walked once for each wave, and a walk writes what belongs to its wave.
 *
 * So the operations come out sorted by wave and, in a wave, by service, without sorting and without
 * memory of our own; a walk over what is equal costs next to nothing. What an item turns into is
 * decided by itself alone, with one exception: a destination of a service that goes is taken along
 * by it, and the service comes first in the diff.
 */
#include "core/plan.h"

#include "core/err.h"

#include <string.h>

size_t
gvs_plan_max(struct gvs_range have, struct gvs_range want)
{
    return (size_t)(have.end - have.at) + (size_t)(want.end - want.at);
}

/* What a difference asks for: the one place that knows the waves. */
static struct gvs_op
make_op(const struct gvs_item *from, const struct gvs_item *to)
{
    struct gvs_op op;
    bool dest = (to ? to : from)->kind == GVS_ITEM_DEST;

    memset(&op, 0, sizeof op);
    op.item = to ? *to : *from;
    if (!to) {
        op.kind = dest ? GVS_OP_DEST_DEL : GVS_OP_SERVICE_DEL;
        op.wave = dest ? 1 : 2;
        return op;
    }
    if (!from) {
        op.kind = dest ? GVS_OP_DEST_ADD : GVS_OP_SERVICE_ADD;
        op.wave = 0;
        return op;
    }
    op.kind = dest ? GVS_OP_DEST_EDIT : GVS_OP_SERVICE_EDIT;
    op.wave = dest && to->dest.weight < from->dest.weight ? 1 : 0;
    op.before = *from;
    return op;
}

/* Writes the operations of one wave and returns how many. */
static size_t
build_wave(struct gvs_op *ops, struct gvs_range have, struct gvs_range want, uint8_t wave)
{
    struct gvs_diff d;
    const struct gvs_item *from, *to, *gone = NULL; /* the last service that goes */
    size_t count = 0;

    gvs_diff_init(&d, have, want);
    while (gvs_diff_next(&d, &from, &to) != GVS_DIFF_END) {
        bool of_gone = gone && gvs_svcid_cmp(&(to ? to : from)->svc, &gone->svc) == 0;
        struct gvs_op op;

        GVS_ASSERT(!of_gone || !to); /* nobody wants a destination without its service */
        if (of_gone)
            continue;
        op = make_op(from, to);
        if (op.kind == GVS_OP_SERVICE_DEL)
            gone = from;
        if (op.wave == wave)
            ops[count++] = op;
    }
    return count;
}

size_t
gvs_plan_build(struct gvs_op *ops, struct gvs_range have, struct gvs_range want)
{
    size_t count = 0;

    for (uint8_t wave = 0; wave < GVS_PLAN_WAVES; wave++)
        count += build_wave(ops + count, have, want, wave);
    GVS_ASSERT(count <= gvs_plan_max(have, want));
    return count;
}

/* Does it bring in a destination that takes new connections? */
static bool
brings_server(const struct gvs_op *op)
{
    if (op->kind == GVS_OP_DEST_ADD)
        return op->item.dest.weight > 0;
    return op->kind == GVS_OP_DEST_EDIT && op->before.dest.weight == 0 && op->item.dest.weight > 0;
}

/* Did everything fail that was to bring in a server? No, if nothing was. */
static bool
all_servers_failed(const struct gvs_op *ops, const bool *failed, size_t count)
{
    bool any = false;

    for (size_t i = 0; i < count; i++) {
        if (!brings_server(&ops[i]))
            continue;
        if (!failed[i])
            return false;
        any = true;
    }
    return any;
}

static bool
service_add_failed(const struct gvs_op *ops, const bool *failed, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (ops[i].kind == GVS_OP_SERVICE_ADD && failed[i])
            return true;
    }
    return false;
}

bool
gvs_plan_held(const struct gvs_op *ops, const bool *failed, size_t count, const struct gvs_op *op)
{
    if (op->wave == 0)
        return false;
    switch (op->kind) {
    case GVS_OP_DEST_DEL:
    case GVS_OP_DEST_EDIT: /* in wave 1: a weight goes down */
        return all_servers_failed(ops, failed, count);
    case GVS_OP_ADDR_ADD:
        return service_add_failed(ops, failed, count);
    default:
        return false;
    }
}

const char *
gvs_op_name(uint8_t kind)
{
    static const char *const names[] = {
        [GVS_OP_NONE] = "none",
        [GVS_OP_SERVICE_ADD] = "service_add",
        [GVS_OP_SERVICE_EDIT] = "service_edit",
        [GVS_OP_SERVICE_DEL] = "service_del",
        [GVS_OP_DEST_ADD] = "dest_add",
        [GVS_OP_DEST_EDIT] = "dest_edit",
        [GVS_OP_DEST_DEL] = "dest_del",
        [GVS_OP_ADDR_ADD] = "addr_add",
        [GVS_OP_ADDR_DEL] = "addr_del",
        [GVS_OP_ANCHOR_ADD] = "anchor_add",
        [GVS_OP_ANCHOR_DEL] = "anchor_del",
    };

    GVS_ASSERT(kind < sizeof names / sizeof *names);
    return names[kind];
}

/* No server ever stands behind an anchor, and "none" is the one scheduler that needs no module. */
struct gvs_item
gvs_anchor(uint8_t family)
{
    bool v6 = family == GVS_FAMILY_V6;
    struct gvs_svcid svc;
    struct gvs_item item;

    GVS_ASSERT(family == GVS_FAMILY_V4 || family == GVS_FAMILY_V6);
    memset(&svc, 0, sizeof svc);
    svc.proto = GVS_PROTO_FWMARK;
    svc.addr.family = family;
    svc.fwmark = v6 ? GVS_ANCHOR_MARK_V6 : GVS_ANCHOR_MARK_V4;
    item = gvs_item_make_service(&svc);
    memcpy(item.service.sched, "none", sizeof "none");
    item.service.netmask = v6 ? 128 : 32;
    return item;
}

bool
gvs_anchor_is(const struct gvs_svcid *svc)
{
    return svc->proto == GVS_PROTO_FWMARK &&
           (svc->fwmark == GVS_ANCHOR_MARK_V4 || svc->fwmark == GVS_ANCHOR_MARK_V6);
}
