/* ipvs/report.c: what the caller may ask of ipvs/kernel.h, events, and words for people. */
#include "ipvs/kernel_impl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Events. */

void
gvs_report_event(struct gvs_kernel *k, uint8_t what, const struct gvs_op *op, int error,
                 bool repair)
{
    if (k->event_end - k->event_first == GVS_EVENTS_MAX) {
        k->event_first++;
        k->event_missed++;
    }
    k->events[k->event_end++ % GVS_EVENTS_MAX] =
        (struct gvs_kernel_event){.what = what, .op = *op, .error = error, .repair = repair};
}

void
gvs_report_brake(struct gvs_kernel *k, uint8_t what, struct gvs_tally held, struct gvs_tally of)
{
    const struct gvs_op none = {.kind = GVS_OP_NONE};
    struct gvs_kernel_event *ev;

    gvs_report_event(k, what, &none, 0, false);
    ev = &k->events[(k->event_end - 1) % GVS_EVENTS_MAX];
    ev->held = held;
    ev->of = of;
}

bool
gvs_kernel_event(struct gvs_kernel *k, struct gvs_kernel_event *ev, uint64_t *missed)
{
    *missed = k->event_missed;
    k->event_missed = 0;
    if (k->event_first == k->event_end)
        return false;
    *ev = k->events[k->event_first++ % GVS_EVENTS_MAX];
    return true;
}

/* Words. */

void
gvs_report_error(struct gvs_kernel *k, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(k->counts.last_error, sizeof k->counts.last_error, fmt, ap);
    va_end(ap);
}

void
gvs_kernel_explain(const struct gvs_kernel *k, char *text, size_t cap, const struct gvs_op *op,
                   int error)
{
    char addr[GVS_ADDR_TEXT_LEN];

    if (error == ENOSPC) {
        snprintf(text, cap, "the agent's limits are too low");
    } else if (op->kind == GVS_OP_ADDR_ADD || op->kind == GVS_OP_ADDR_DEL) {
        gvs_addr_format(addr, &op->item.svc.addr);
        snprintf(text, cap, "address %s on %s: %s", addr, k->interface, strerror(error));
    } else {
        gvs_nl_explain(text, cap, op, error);
    }
}

const char *
gvs_kernel_trouble(int rc)
{
    switch (rc) {
    case GVS_E_REFUSED:
        return "CAP_NET_ADMIN is missing";
    case GVS_E_LOST:
        return "answers were lost";
    case GVS_E_FULL:
        return "out of memory";
    case GVS_E_UNSUPPORTED:
        return "this kernel has no IPVS (module ip_vs)";
    }
    return strerror(errno);
}

/* "10.99.0.1:80/tcp 10.77.0.4:8080: why". */
void
gvs_report_refused(struct gvs_kernel *k, const struct gvs_op *op, int error)
{
    char svc[GVS_SVCID_TEXT_LEN], ep[GVS_EP_TEXT_LEN] = "", why[128];
    const struct gvs_item *item = &op->item;

    gvs_svcid_format(svc, &item->svc);
    if (item->kind == GVS_ITEM_DEST)
        gvs_ep_format(ep, &item->ep);
    gvs_kernel_explain(k, why, sizeof why, op, error);
    gvs_report_error(k, "%s%s%s: %s", svc, *ep ? " " : "", ep, why);
    k->counts.refused[op->kind]++;
    gvs_report_event(k, GVS_KERNEL_REFUSED, op, error, false);
}

static void
explain_failure(const struct gvs_kernel *k, char *why, size_t cap, const struct gvs_failure *f)
{
    struct gvs_op op = {.kind = f->kind, .item = f->item};

    gvs_kernel_explain(k, why, cap, &op, f->error);
}

/* Of a service, an operation of which failed: which, since who asks may have meant another. */
static void
explain_first(const struct gvs_kernel *k, char *why, size_t cap, const struct gvs_failure *f)
{
    char ep[GVS_EP_TEXT_LEN], what[192];

    explain_failure(k, what, sizeof what, f);
    if (f->item.kind == GVS_ITEM_DEST) {
        gvs_ep_format(ep, &f->item.ep);
        snprintf(why, cap, "%s: %s", ep, what);
    } else {
        snprintf(why, cap, "%s", what);
    }
}

/* What tells the foreign service from the one that is wanted. */
static void
explain_foreign(const struct gvs_kernel *k, char *why, size_t cap, const struct gvs_slot *s)
{
    struct gvs_item id = gvs_item_make_service(&s->id);
    const struct gvs_item *there = gvs_set_get(k->foreign, &id);
    const struct gvs_item *wanted = gvs_set_get(k->wanted, &id);

    if (there && wanted && strcmp(there->service.sched, wanted->service.sched) != 0)
        snprintf(why, cap, "a service that is not ours is there, with scheduler %s, not %s",
                 there->service.sched, wanted->service.sched);
    else if (there && wanted && !gvs_item_equal(there, wanted))
        snprintf(why, cap,
                 "a service that is not ours is there, with other flags, persistence or netmask");
    else
        snprintf(why, cap, "a service that is not ours is there, with other destinations");
}

/* How one object stands. */

enum gvs_kernel_state
gvs_kernel_state_of(const struct gvs_kernel *k, const struct gvs_item *identity, char *why,
                    size_t why_cap)
{
    const struct gvs_slot *s = gvs_slot_find(&k->slots, &identity->svc);
    const struct gvs_item *wanted = gvs_set_get(k->wanted, identity);
    const struct gvs_item *there = gvs_set_get(k->configured, identity);
    const struct gvs_failure *f = s ? gvs_failure_find(s, identity) : NULL;

    if (why_cap > 0)
        *why = '\0';
    if (!wanted && !there)
        return GVS_KERNEL_ABSENT;
    if (k->observing)
        return GVS_KERNEL_OBSERVED;
    if (s && s->foreign) {
        explain_foreign(k, why, why_cap, s);
        return GVS_KERNEL_FOREIGN;
    }
    if (f) {
        explain_failure(k, why, why_cap, f);
        return GVS_KERNEL_FAILED;
    }
    return wanted && there && gvs_item_equal(wanted, there) ? GVS_KERNEL_OK : GVS_KERNEL_PENDING;
}

struct gvs_range
gvs_kernel_wanted(const struct gvs_kernel *k, const struct gvs_svcid *svc)
{
    return gvs_set_service(k->wanted, svc);
}

struct gvs_range
gvs_kernel_configured(const struct gvs_kernel *k, const struct gvs_svcid *svc)
{
    return gvs_set_service(k->configured, svc);
}

/* Waits what was asked for on this node for trust, too? */
static bool
asked_in_vain(const struct gvs_kernel *k, const struct gvs_slot *s)
{
    struct gvs_range r = gvs_set_service(k->asked, &s->id);

    for (; r.at < r.end; r.at++) {
        const struct gvs_item *there = gvs_set_get(k->configured, r.at);
        const struct gvs_item *wanted = gvs_set_get(k->wanted, r.at);

        if (there && (!wanted || !gvs_item_equal(there, wanted)))
            return true;
    }
    return false;
}

int
gvs_kernel_settled(const struct gvs_kernel *k, const struct gvs_svcid *svc, char *why,
                   size_t why_cap)
{
    const struct gvs_slot *s = gvs_slot_find(&k->slots, svc);

    if (why_cap > 0)
        *why = '\0';
    if (!k->read_once)
        return 0;
    if (!s)
        return 1;
    if (s->foreign && s->list == GVS_SLOT_IDLE) {
        explain_foreign(k, why, why_cap, s);
        return -1;
    }
    if (s->list == GVS_SLOT_RETRY && s->failures) {
        explain_first(k, why, why_cap, s->failures);
        return -1;
    }
    if (s->list == GVS_SLOT_GATED)
        return !asked_in_vain(k, s);
    return (s->list == GVS_SLOT_IDLE || s->list == GVS_SLOT_LEAVING) &&
           (s->differs == 0 || gvs_brake_any(s));
}

static const struct gvs_conns *
find_conns(const struct gvs_slot *s, const struct gvs_ep *ep)
{
    size_t first = 0, last = s->conns_count;

    while (first < last) {
        size_t middle = first + (last - first) / 2;
        int cmp = gvs_ep_cmp(&s->conns[middle].ep, ep);

        if (cmp == 0)
            return &s->conns[middle];
        if (cmp < 0)
            first = middle + 1;
        else
            last = middle;
    }
    return NULL;
}

bool
gvs_kernel_conns(const struct gvs_kernel *k, const struct gvs_item *identity, uint32_t *active,
                 uint32_t *inactive)
{
    const struct gvs_slot *s = gvs_slot_find(&k->slots, &identity->svc);
    const struct gvs_conns *c = s ? find_conns(s, &identity->ep) : NULL;

    if (!c || identity->kind != GVS_ITEM_DEST)
        return false;
    *active = c->active;
    *inactive = c->inactive;
    return true;
}

bool
gvs_kernel_rates(const struct gvs_kernel *k, const struct gvs_svcid *svc, struct gvs_rates *out)
{
    const struct gvs_slot *s = gvs_slot_find(&k->slots, svc);
    const struct gvs_found *f = s && s->present ? gvs_look_find(&k->look.services, svc) : NULL;

    if (f)
        *out = f->rates;
    return f;
}

int
gvs_kernel_refresh_conns(struct gvs_kernel *k, const struct gvs_svcid *svc)
{
    struct gvs_slot *s = gvs_slot_find(&k->slots, svc);
    int rc;

    if (!s)
        return GVS_E_NOTFOUND;
    rc = gvs_look_dests(k, svc, &k->look.dests);
    return rc == GVS_OK ? gvs_look_conns(s, &k->look.dests) : rc;
}

int
gvs_kernel_timeouts(struct gvs_kernel *k, struct gvs_timeouts *out)
{
    return k->nl ? gvs_nl_timeouts(k->nl, out) : GVS_E_UNSUPPORTED;
}

size_t
gvs_kernel_leaving(const struct gvs_kernel *k, const struct gvs_svcid *svc, struct gvs_item *out,
                   size_t max)
{
    struct gvs_range r = gvs_set_service(k->wanted, svc);
    size_t count = 0;

    for (; r.at < r.end && count < max; r.at++) {
        if (gvs_drain_leaves(k, r.at))
            out[count++] = *r.at;
    }
    return count;
}

/* Is anything on its way, or waiting for its time? */
static bool
at_rest(const struct gvs_kernel *k)
{
    for (int list = GVS_SLOT_IDLE + 1; list < GVS_SLOT_LISTS; list++) {
        if (k->slots.first[list] && list != GVS_SLOT_LEAVING)
            return false;
    }
    return !gvs_flight_under_way(k);
}

struct gvs_kernel_status
gvs_kernel_status(const struct gvs_kernel *k)
{
    struct gvs_kernel_status st = k->counts;
    const struct gvs_slots *t = &k->slots;

    st.read_once = k->read_once;
    st.in_step = k->read_once && !k->look.failing && t->differs == 0 && t->failures == 0 &&
                 t->foreign == 0 && at_rest(k);
    st.services = gvs_set_services(k->configured);
    st.destinations = gvs_set_count(k->configured) - st.services;
    st.leaving = k->drain.leaving;
    st.failed = t->failures;
    st.pending = t->differs > t->failures ? t->differs - t->failures : 0;
    st.foreign = t->foreign;
    st.drift_open = gvs_set_count(k->drifted);
    gvs_brake_report(k, &st);
    st.writes = k->vip_writes + (k->nl ? gvs_nl_writes(k->nl) : 0);
    return st;
}

const char *
gvs_kernel_version(const struct gvs_kernel *k)
{
    return k->version;
}

int
gvs_kernel_read_addresses(struct gvs_kernel *k)
{
    return gvs_vip_read(k);
}

size_t
gvs_kernel_own_addresses(const struct gvs_kernel *k, const struct gvs_addr **out)
{
    *out = k->own.addrs;
    return k->own.count;
}

const char *
gvs_kernel_own_interface(const struct gvs_kernel *k, const struct gvs_addr *addr)
{
    for (size_t i = 0; i < k->own.count; i++) {
        if (gvs_addr_cmp(&k->own.v[i].addr, addr) == 0)
            return k->own.v[i].name;
    }
    return NULL;
}
