/* ipvs/vip.c: the addresses of services on the dummy interface, and the anchors.
 *
 * Both follow from the services: an address is there while a service that carries it is, an anchor
 * while a service of its family is. So nothing is counted; the ordered sets are asked. Services
 * sort by protocol first, and an address is carried by at most as many runs of services as there
 * are protocols. */
#include "ipvs/kernel_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t protos[] = {GVS_PROTO_FWMARK, GVS_PROTO_TCP, GVS_PROTO_UDP, GVS_PROTO_SCTP};
#define PROTOS (sizeof protos / sizeof *protos)

bool
gvs_vip_of(const struct gvs_kernel *k, const struct gvs_svcid *svc)
{
    return k->interface[0] && svc->proto != GVS_PROTO_FWMARK && !gvs_addr_is_any(&svc->addr);
}

/* The first service of `proto` with this address, or with one behind it. */
static struct gvs_item
least_of(uint8_t proto, const struct gvs_addr *addr)
{
    struct gvs_svcid svc;

    memset(&svc, 0, sizeof svc);
    svc.proto = proto;
    svc.addr = *addr;
    return gvs_item_make_service(&svc);
}

/* Is this one served, or about to be? One that was refused and is not there attracts nothing. */
static bool
is_served(const struct gvs_kernel *k, const struct gvs_svcid *svc)
{
    const struct gvs_slot *s = gvs_slot_find(&k->slots, svc);

    GVS_ASSERT(s); /* whatever is wanted or configured has one */
    return !s->foreign && (s->present || !s->failures);
}

static bool
is_undecided(const struct gvs_kernel *k, const struct gvs_svcid *svc)
{
    const struct gvs_slot *s = gvs_slot_find(&k->slots, svc);

    return s->list == GVS_SLOT_DIRTY || gvs_brake_any(s);
}

/* A service of the set that carries the address and that fits (NULL: any does). */
static const struct gvs_item *
find_carrier(const struct gvs_kernel *k, const struct gvs_set *set, const struct gvs_addr *addr,
             bool (*fits)(const struct gvs_kernel *k, const struct gvs_svcid *svc))
{
    for (size_t i = 0; i < PROTOS; i++) {
        struct gvs_item least = least_of(protos[i], addr);

        for (;;) {
            const struct gvs_item *item = gvs_set_from(set, &least);

            if (protos[i] == GVS_PROTO_FWMARK || !item || item->svc.proto != protos[i] ||
                gvs_addr_cmp(&item->svc.addr, addr) != 0)
                break;
            if (!fits || fits(k, &item->svc))
                return item;
            least = gvs_item_past(&item->svc);
        }
    }
    return NULL;
}

bool
gvs_vip_needed(const struct gvs_kernel *k, const struct gvs_addr *addr)
{
    return find_carrier(k, k->wanted, addr, is_served);
}

bool
gvs_vip_undecided(const struct gvs_kernel *k, const struct gvs_addr *addr)
{
    return find_carrier(k, k->configured, addr, is_undecided);
}

/* Index of the first that is not below. */
static size_t
vip_index(const struct gvs_vips *t, const struct gvs_addr *addr)
{
    size_t first = 0, last = t->count;

    while (first < last) {
        size_t middle = first + (last - first) / 2;

        if (gvs_addr_cmp(&t->v[middle].addr, addr) < 0)
            first = middle + 1;
        else
            last = middle;
    }
    return first;
}

struct gvs_vip *
gvs_vip_find(const struct gvs_kernel *k, const struct gvs_addr *addr)
{
    const struct gvs_vips *t = &k->vips;
    size_t at = vip_index(t, addr);

    return at < t->count && gvs_addr_cmp(&t->v[at].addr, addr) == 0 ? &t->v[at] : NULL;
}

/* Finds it or makes it; NULL: no memory. */
static struct gvs_vip *
note_vip(struct gvs_kernel *k, const struct gvs_addr *addr)
{
    struct gvs_vips *t = &k->vips;
    size_t at = vip_index(t, addr);

    if (at < t->count && gvs_addr_cmp(&t->v[at].addr, addr) == 0)
        return &t->v[at];
    if (t->count == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 64;
        struct gvs_vip *v = reallocarray(t->v, cap, sizeof *v);

        if (!v)
            return NULL;
        t->v = v;
        t->cap = cap;
    }
    memmove(&t->v[at + 1], &t->v[at], (t->count - at) * sizeof *t->v);
    t->v[at] = (struct gvs_vip){.addr = *addr};
    t->count++;
    return &t->v[at];
}

static void
forget_vip(struct gvs_kernel *k, struct gvs_vip *v)
{
    struct gvs_vips *t = &k->vips;
    size_t at = (size_t)(v - t->v);

    t->count--;
    memmove(v, v + 1, (t->count - at) * sizeof *v);
}

/* Whether it has to come or go at all; the flight says when. An address of ours that was there
 * before us is added once more: that changes nothing, or mends its route. */
enum gvs_op_kind
gvs_vip_op(const struct gvs_kernel *k, const struct gvs_slot *s)
{
    const struct gvs_addr *addr = &s->id.addr;
    const struct gvs_vip *v;
    bool there, ours;

    if (!gvs_vip_of(k, &s->id) || s->foreign)
        return GVS_OP_NONE;
    v = gvs_vip_find(k, addr);
    there = v && v->there;
    ours = gvs_ledger_has_addr(k->ledger, addr);
    if (gvs_kernel_wants(k, s))
        return there && (v->checked || !ours) ? GVS_OP_NONE : GVS_OP_ADDR_ADD;
    return there && ours && !gvs_vip_needed(k, addr) ? GVS_OP_ADDR_DEL : GVS_OP_NONE;
}

bool
gvs_vip_enter(struct gvs_kernel *k, struct gvs_slot *s)
{
    struct gvs_vip *v = note_vip(k, &s->id.addr);

    if (!v)
        return false;
    if (gvs_ledger_addr(k->ledger, &v->addr, true))
        v->ledger_seq = ++k->ledger_seq;
    if (v->ledger_seq > s->ledger_seq)
        s->ledger_seq = v->ledger_seq;
    return gvs_ledger_has_addr(k->ledger, &v->addr);
}

void
gvs_vip_strike(struct gvs_kernel *k, const struct gvs_addr *addr)
{
    struct gvs_vip *v = gvs_vip_find(k, addr);

    if (v && v->there)
        k->vips.stray = true; /* whether it has to go is seen later */
    if ((v && v->there) || gvs_vip_needed(k, addr))
        return;
    if (gvs_ledger_addr(k->ledger, addr, false))
        k->ledger_seq++;
    if (v)
        forget_vip(k, v);
}

static int
link_change(struct gvs_kernel *k, const struct gvs_addr *addr, bool add, bool *did)
{
    bool changed = false;
    int rc = add ? gvs_link_add(k->link, addr, &changed) : gvs_link_del(k->link, addr, &changed);

    k->vip_writes += changed;
    *did = changed;
    if (rc == GVS_E_REFUSED)
        return EPERM;
    if (rc < 0)
        return rc == GVS_E_SYS && errno ? errno : EIO;
    return 0;
}

int
gvs_vip_apply(struct gvs_kernel *k, const struct gvs_op *op)
{
    struct gvs_addr addr = op->item.svc.addr;
    bool add = op->kind == GVS_OP_ADDR_ADD, did = false, repair;
    struct gvs_vip *v = note_vip(k, &addr);
    int error = v ? link_change(k, &addr, add, &did) : ENOMEM;

    if (error)
        return error;
    repair = add && v->drifted;
    v->there = v->checked = add;
    v->drifted = false;
    if (!add)
        gvs_vip_strike(k, &addr);
    k->counts.drift_repaired += repair;
    if (did)
        gvs_report_event(k, GVS_KERNEL_DONE, op, 0, repair);
    return 0;
}

/* Ours, there, and carried by nothing that is wanted. */
static bool
is_left_over(const struct gvs_kernel *k, const struct gvs_vip *v)
{
    return v->there && gvs_ledger_has_addr(k->ledger, &v->addr) && !gvs_vip_needed(k, &v->addr);
}

/* An address of ours that no service carries any more: of a crash between two batches, or of a
 * service that was refused. The address of one that is to go, goes with it. */
static bool
is_stray(const struct gvs_kernel *k, const struct gvs_vip *v)
{
    return is_left_over(k, v) && !find_carrier(k, k->configured, &v->addr, NULL);
}

bool
gvs_vip_strays(struct gvs_kernel *k)
{
    size_t done = 0;

    if (!k->vips.stray || k->trust < GVS_TRUST_ALL || k->observing)
        return false;
    for (size_t i = k->vips.count; i-- > 0 && done < GVS_VIP_BATCH;) {
        struct gvs_op op = {.kind = GVS_OP_ADDR_DEL, .wave = 1};
        int error;

        if (!is_stray(k, &k->vips.v[i]))
            continue;
        op.item = least_of(GVS_PROTO_FWMARK, &k->vips.v[i].addr);
        error = gvs_vip_apply(k, &op);
        if (error) {
            gvs_report_refused(k, &op, error);
            break; /* the next audit tries again */
        }
        done++;
    }
    k->vips.stray = done == GVS_VIP_BATCH;
    return done > 0;
}

/* Is this the first wanted service of an address that is not there? */
static bool
lacks_address(const struct gvs_kernel *k, const struct gvs_item *item)
{
    const struct gvs_vip *v = gvs_vip_find(k, &item->svc.addr);

    return item->kind == GVS_ITEM_SERVICE && gvs_vip_of(k, &item->svc) && (!v || !v->there) &&
           find_carrier(k, k->wanted, &item->svc.addr, NULL) == item;
}

size_t
gvs_vip_plan_come(const struct gvs_kernel *k, const struct gvs_item *service, struct gvs_op *op)
{
    if (!lacks_address(k, service))
        return 0;
    *op = (struct gvs_op){.kind = GVS_OP_ADDR_ADD, .wave = 1, .item = *service};
    return 1;
}

size_t
gvs_vip_plan_go(const struct gvs_kernel *k, const struct gvs_addr *after, struct gvs_op *op)
{
    for (size_t i = 0; i < k->vips.count; i++) {
        const struct gvs_vip *v = &k->vips.v[i];

        if ((after && gvs_addr_cmp(&v->addr, after) <= 0) || !is_left_over(k, v))
            continue;
        *op = (struct gvs_op){.kind = GVS_OP_ADDR_DEL, .wave = 1};
        op->item = least_of(GVS_PROTO_FWMARK, &v->addr);
        return 1;
    }
    return 0;
}

/* Reading. */

struct vip_reading {
    struct gvs_kernel *k;
    struct gvs_owns own;
    bool no_memory;
};

static bool
found_vip(void *ctx, const struct gvs_addr *addr, const char *name)
{
    struct vip_reading *r = ctx;
    struct gvs_vip *v = note_vip(r->k, addr);

    (void)name;
    r->no_memory |= !v;
    if (v)
        v->read = true;
    return !r->no_memory;
}

static bool
found_own(void *ctx, const struct gvs_addr *addr, const char *name)
{
    struct vip_reading *r = ctx;
    struct gvs_owns *o = &r->own;

    if (o->count == o->cap) {
        size_t cap = o->cap ? o->cap * 2 : 16;
        struct gvs_own *v = reallocarray(o->v, cap, sizeof *v);
        struct gvs_addr *addrs = reallocarray(o->addrs, cap, sizeof *addrs);

        o->v = v ? v : o->v;
        o->addrs = addrs ? addrs : o->addrs;
        r->no_memory = !v || !addrs;
        if (r->no_memory)
            return false;
        o->cap = cap;
    }
    o->v[o->count] = (struct gvs_own){.addr = *addr};
    snprintf(o->v[o->count].name, sizeof o->v->name, "%s", name);
    o->addrs[o->count++] = *addr;
    return true;
}

/* An address of ours is not as we left it. */
static void
note_vip_drift(struct gvs_kernel *k, struct gvs_vip *v, const struct gvs_item *carrier)
{
    struct gvs_op op = {.kind = GVS_OP_ADDR_ADD, .wave = 1, .item = *carrier};

    v->drifted = true;
    k->counts.drift_found++;
    gvs_report_event(k, GVS_KERNEL_DRIFT, &op, 0, false);
}

static void
bring_again(struct gvs_kernel *k, const struct gvs_item *carrier)
{
    struct gvs_slot *s = gvs_slot_find(&k->slots, &carrier->svc);

    if (s->list == GVS_SLOT_IDLE || s->list == GVS_SLOT_GATED || s->list == GVS_SLOT_LEAVING)
        gvs_slot_move(&k->slots, s, GVS_SLOT_DIRTY);
}

/* Somebody took away an address that a service of ours needs; it may have been his own. */
static void
note_missing(struct gvs_kernel *k, struct gvs_vip *v)
{
    const struct gvs_item *carrier = find_carrier(k, k->wanted, &v->addr, is_served);

    v->there = v->checked = false;
    if (!carrier || k->observing)
        return;
    if (gvs_ledger_has_addr(k->ledger, &v->addr))
        note_vip_drift(k, v, carrier);
    bring_again(k, carrier);
}

bool
gvs_vip_check(struct gvs_kernel *k, const struct gvs_slot *s)
{
    struct gvs_vip *v = gvs_vip_of(k, &s->id) ? gvs_vip_find(k, &s->id.addr) : NULL;
    const struct gvs_item *carrier;

    if (!v || !v->there || !v->checked || k->observing)
        return false;
    carrier = find_carrier(k, k->wanted, &v->addr, is_served);
    if (!carrier || gvs_svcid_cmp(&carrier->svc, &s->id) != 0) /* one of them asks for all */
        return false;
    if (gvs_link_serves(k->link, &v->addr))
        return true;
    v->checked = false;
    note_vip_drift(k, v, carrier);
    bring_again(k, carrier);
    return true;
}

/* The ledger was lost, and this is on our interface: it was ours. */
static void
take_back(struct gvs_kernel *k, struct gvs_vip *v)
{
    if (k->ledger_lost && !k->read_once && !k->observing && gvs_addr_valid(&v->addr) &&
        gvs_ledger_addr(k->ledger, &v->addr, true))
        v->ledger_seq = ++k->ledger_seq;
}

static int
read_interface(struct gvs_kernel *k)
{
    struct vip_reading r = {.k = k};
    int rc;

    for (size_t i = 0; i < k->vips.count; i++)
        k->vips.v[i].read = false;
    rc = gvs_link_addresses(k->link, true, found_vip, &r);
    if (rc < 0 || r.no_memory)
        return rc < 0 ? rc : GVS_E_FULL;
    for (size_t i = 0; i < k->vips.count; i++) {
        struct gvs_vip *v = &k->vips.v[i];

        if (v->there && !v->read)
            note_missing(k, v);
        if (!v->there && v->read)
            take_back(k, v);
        v->there = v->read;
    }
    k->vips.stray = true;
    return GVS_OK;
}

int
gvs_vip_read(struct gvs_kernel *k)
{
    struct vip_reading r = {.k = k, .own = k->own_next};
    int rc = k->interface[0] ? read_interface(k) : GVS_OK;

    if (rc < 0)
        return rc;
    r.own.count = 0;
    rc = gvs_link_addresses(k->link, false, found_own, &r);
    k->own_next = r.own;
    if (rc < 0 || r.no_memory)
        return rc < 0 ? rc : GVS_E_FULL;
    k->own_next = k->own; /* what was read whole takes its place */
    k->own = r.own;
    return GVS_OK;
}

void
gvs_vip_fini(struct gvs_kernel *k)
{
    free(k->vips.v);
    free(k->own.v);
    free(k->own.addrs);
    free(k->own_next.v);
    free(k->own_next.addrs);
}

/* Anchors. */

struct gvs_anchor *
gvs_anchor_of(struct gvs_kernel *k, uint8_t family)
{
    GVS_ASSERT(family == GVS_FAMILY_V4 || family == GVS_FAMILY_V6);
    return &k->anchors[family == GVS_FAMILY_V6];
}

static bool
has_family(const struct gvs_set *set, uint8_t family)
{
    const struct gvs_addr zero = {.family = family};

    for (size_t i = 0; i < PROTOS; i++) {
        struct gvs_item least = least_of(protos[i], &zero);
        const struct gvs_item *item = gvs_set_from(set, &least);

        if (item && item->svc.proto == protos[i] && item->svc.addr.family == family)
            return true;
    }
    return false;
}

enum gvs_op_kind
gvs_anchor_op(const struct gvs_kernel *k, uint8_t family)
{
    const struct gvs_anchor *a = &k->anchors[family == GVS_FAMILY_V6];

    if (k->observing || !gvs_mono_due(a->retry_at, k->now))
        return GVS_OP_NONE;
    if (!a->there)
        return has_family(k->configured, family) ? GVS_OP_ANCHOR_ADD : GVS_OP_NONE;
    if (k->trust < GVS_TRUST_ALL || has_family(k->configured, family) ||
        has_family(k->wanted, family))
        return GVS_OP_NONE;
    return GVS_OP_ANCHOR_DEL;
}
