/* ipvs/compare.c: what a kernel has against what is wanted of it, a step at a time.
 *
 * A plan is what core/plan.h makes of two sets: wave by wave, in a wave service by service, and a
 * service's operations depend on nothing but the service. So it is walked without being made: once
 * through all services for each wave, then through the addresses; where it is, is a service. A dump
 * of the kernel is read a service at a time as well, and compared then and there: only what differs
 * is kept for the waves. */
#include "ipvs/kernel_impl.h"

#include <stdlib.h>
#include <string.h>

#define SERVICES_PER_STEP 64 /* from memory: some ten microseconds */
#define READS_PER_STEP 4     /* 35 us each, and more where system calls are slow */

enum part { READ, WAVES, COME = WAVES + GVS_PLAN_WAVES, GO, DONE };

/* --- ranges of items --- */

/* What lies behind a service, or all. */
static struct gvs_range
behind(struct gvs_range r, bool after, const struct gvs_svcid *svc)
{
    struct gvs_item least = gvs_item_past(svc);

    if (after && r.at)
        r.at += gvs_range_from(r, &least);
    return r;
}

/* Of a range that begins with a service: that service, if it is this one. */
static struct gvs_range
head(struct gvs_range r, const struct gvs_svcid *svc)
{
    const struct gvs_item *end = r.at;

    while (end < r.end && gvs_svcid_cmp(&end->svc, svc) == 0)
        end++;
    return (struct gvs_range){r.at, end};
}

/* --- a dump --- */

static bool
append(struct gvs_compare *c, const struct gvs_item *item)
{
    if (c->have_count == c->have_cap &&
        !gvs_items_reserve(&c->have, &c->have_cap, 2 * c->have_cap + 256))
        return false;
    c->have[c->have_count++] = *item;
    return true;
}

static int
read_services(struct gvs_kernel *k, struct gvs_compare *c)
{
    int rc = gvs_vip_read(k);

    c->services = calloc(1, sizeof *c->services);
    if (!c->services)
        return GVS_E_FULL;
    if (rc == GVS_OK)
        rc = gvs_look_services(k, c->services);
    c->same = calloc(c->services->count + 1, sizeof *c->same);
    return c->same ? rc : GVS_E_FULL;
}

/* One of the services that are wanted or ours, with its destinations, as the kernel has it now. */
static int
read_service(struct gvs_kernel *k, struct gvs_compare *c, size_t i)
{
    const struct gvs_item *service = &c->services->v[i].item;
    struct gvs_range wanted = gvs_set_service(k->wanted, &service->svc);
    size_t before = c->have_count;
    struct gvs_dump dests = {0};
    int rc;

    if (gvs_anchor_is(&service->svc) ||
        (wanted.at == wanted.end && !gvs_ledger_has_service(k->ledger, &service->svc))) {
        c->same[i] = true; /* nobody's business */
        return GVS_OK;
    }
    rc = gvs_look_dests(k, &service->svc, &dests);
    if (rc == GVS_OK && !append(c, service))
        rc = GVS_E_FULL;
    for (size_t j = 0; rc == GVS_OK && j < dests.count; j++)
        rc = append(c, &dests.v[j].item) ? GVS_OK : GVS_E_FULL;
    free(dests.v);
    c->same[i] =
        rc == GVS_OK &&
        gvs_ranges_equal((struct gvs_range){c->have + before, c->have + c->have_count}, wanted);
    if (c->same[i])
        c->have_count = before;
    return rc;
}

static int
read_some(struct gvs_kernel *k, struct gvs_compare *c)
{
    int rc = c->services ? GVS_OK : read_services(k, c);

    for (int i = 0; rc == GVS_OK && i < READS_PER_STEP && c->read < c->services->count; i++)
        rc = read_service(k, c, c->read++);
    if (rc == GVS_OK && c->read == c->services->count)
        c->part = WAVES;
    return rc < 0 ? rc : 1;
}

/* --- the walk --- */

/* It stands there and is not ours. */
static bool
is_foreign(const struct gvs_kernel *k, const struct gvs_compare *c, const struct gvs_svcid *svc)
{
    struct gvs_item service = gvs_item_make_service(svc);
    char why[192];

    if (!c->dump)
        return gvs_kernel_state_of(k, &service, why, sizeof why) == GVS_KERNEL_FOREIGN;
    return !k->observing && !gvs_ledger_has_service(k->ledger, svc) &&
           gvs_look_find(c->services, svc);
}

static bool
is_same(const struct gvs_compare *c, const struct gvs_svcid *svc)
{
    const struct gvs_found *found = c->dump ? gvs_look_find(c->services, svc) : NULL;

    return found && c->same[found - c->services->v];
}

/* It is not in the dump and is held to be there: has it come since? Of one without destinations
 * that cannot be asked for apart. */
static bool
has_come(struct gvs_kernel *k, const struct gvs_compare *c, const struct gvs_svcid *svc)
{
    struct gvs_item service = gvs_item_make_service(svc);
    struct gvs_dump dests = {0};
    bool come = false;

    if (c->dump && !gvs_look_find(c->services, svc) && gvs_set_get(k->configured, &service))
        come = gvs_look_dests(k, svc, &dests) == GVS_OK && dests.count > 0;
    free(dests.v);
    return come;
}

static bool
make_room(struct gvs_compare *c, size_t count)
{
    struct gvs_op *more = count > c->cap ? reallocarray(c->ops, count, sizeof *more) : c->ops;

    if (!more && count > 0)
        return false;
    c->ops = more;
    c->cap = count > c->cap ? count : c->cap;
    return true;
}

/* The operations of the service in this wave. What stands foreign in its place is not configured,
 * and what is configured is not foreign. */
static int
plan_service(struct gvs_kernel *k, struct gvs_compare *c, struct gvs_range have,
             struct gvs_range want)
{
    size_t count;

    if (gvs_ranges_equal(have, want) || is_same(c, &c->at) || has_come(k, c, &c->at))
        return GVS_OK;
    if (!make_room(c, gvs_plan_max(have, want)))
        return GVS_E_FULL;
    count = gvs_plan_build(c->ops, have, want);
    for (size_t i = 0; i < count; i++)
        if (c->ops[i].wave == c->part - WAVES)
            c->ops[c->count++] = c->ops[i];
    c->foreign = c->count > 0 && is_foreign(k, c, &c->at);
    return GVS_OK;
}

/* The next service of all; false: there is none in this wave. */
static bool
next_service(struct gvs_kernel *k, struct gvs_compare *c, int *rc)
{
    struct gvs_range want = behind(gvs_set_all(k->wanted), c->after, &c->at);
    struct gvs_range other = {NULL, NULL}, have = {c->have, c->have};
    const struct gvs_svcid *svc;

    if (c->dump)
        have.end = c->have ? c->have + c->have_count : NULL;
    else
        have = gvs_set_all(k->configured), other = gvs_set_all(k->foreign);
    have = behind(have, c->after, &c->at);
    other = behind(other, c->after, &c->at);
    svc = want.at < want.end ? &want.at->svc : NULL;
    if (have.at < have.end && (!svc || gvs_svcid_cmp(&have.at->svc, svc) < 0))
        svc = &have.at->svc;
    if (other.at < other.end && (!svc || gvs_svcid_cmp(&other.at->svc, svc) < 0))
        svc = &other.at->svc;
    if (!svc)
        return false;
    c->at = *svc;
    c->after = true;
    have = head(have, &c->at);
    *rc = plan_service(k, c, have.at < have.end ? have : head(other, &c->at), head(want, &c->at));
    return true;
}

/* The next address that a service lacks. */
static bool
next_to_come(const struct gvs_kernel *k, struct gvs_compare *c)
{
    struct gvs_range want = behind(gvs_set_all(k->wanted), c->after, &c->at);

    if (!want.at || want.at == want.end)
        return false;
    c->at = want.at->svc;
    c->after = true;
    c->count = gvs_vip_plan_come(k, want.at, c->ops);
    return true;
}

/* The next address that nothing needs. */
static bool
next_to_go(const struct gvs_kernel *k, struct gvs_compare *c)
{
    c->count = gvs_vip_plan_go(k, c->after ? &c->at.addr : NULL, c->ops);
    if (c->count == 0)
        return false;
    c->at.addr = c->ops->item.svc.addr;
    c->after = true;
    return true;
}

int
gvs_compare_next(struct gvs_kernel *k, struct gvs_compare *c)
{
    int rc = make_room(c, 1) ? GVS_OK : GVS_E_FULL;

    c->count = 0;
    c->foreign = false;
    if (rc == GVS_OK && c->part == READ && c->dump)
        return read_some(k, c);
    c->part = c->part == READ ? WAVES : c->part;
    for (int i = 0; rc == GVS_OK && c->part < DONE && c->count == 0 && i < SERVICES_PER_STEP; i++) {
        bool more = c->part < COME    ? next_service(k, c, &rc)
                    : c->part == COME ? next_to_come(k, c)
                                      : next_to_go(k, c);

        c->part += !more;
        c->after &= more;
    }
    return rc < 0 ? rc : c->part < DONE || c->count > 0;
}

void
gvs_compare_end(struct gvs_compare *c)
{
    if (c->services)
        free(c->services->v);
    free(c->services);
    free(c->same);
    free(c->have);
    free(c->ops);
    *c = (struct gvs_compare){.dump = c->dump};
}
