/* What watch shows. An event gets the next number, goes into the ring, and to every watcher whose
 * pattern it matches. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/agent/agent.h"

static const char *
via_name(enum gvs_via via)
{
    static const char *const names[] = {"peer", "cli", "file", "audit", "api"};

    return names[via];
}

static bool
matches(const json_t *event, const char *glob)
{
    static const char *const fields[] = {"event", "vip", "name", "backend"};

    if (!glob)
        return true;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const char *s = json_string_value(json_object_get(event, fields[i]));

        if (s && fnmatch(glob, s, 0) == 0)
            return true;
    }
    return false;
}

/* Brings a watcher up to the latest event; what the ring has lost meanwhile is said. */
static void
feed(struct gvs_request *r)
{
    struct gvs_events *e = &r->a->events;

    if (r->since + 1 < e->first) {
        gvs_request_answer(r,
                           json_pack("{s:s, s:I}", "event", "gap", "missed",
                                     (json_int_t)(e->first - r->since - 1)),
                           false);
        r->since = e->first - 1;
    }
    while (r->since < e->seq) {
        json_t *event = gvs_event_doc(e, ++r->since);

        if (matches(event, r->glob))
            gvs_request_answer(r, json_incref(event), false);
    }
}

static bool
poll_watch(struct gvs_request *r, struct gvs_mono now)
{
    (void)now;
    feed(r);
    return false;
}

/* He has seen numbers that this agent has not given: its store was lost, or it was killed before it
 * had stored them. What it has had since is all new to him, and what was before nobody knows. */
static void
begin_anew(struct gvs_request *r)
{
    gvs_request_answer(r, json_pack("{s:s, s:n}", "event", "gap", "missed"), false);
    r->since = r->a->events.first - 1;
}

void
gvs_show_watch(struct gvs_request *r)
{
    const struct gvs_events *e = &r->a->events;
    struct gvs_fault f;

    r->since = e->seq;
    for (size_t i = 0; i < r->argc; i++) {
        const char *number = i + 1 < r->argc ? r->argv[i + 1] : "";
        unsigned long long seq;
        char *end;

        if (strcmp(r->argv[i], "--since") != 0) {
            r->glob = r->argv[i];
            continue;
        }
        seq = strtoull(number, &end, 10);
        if (end > number && !*end) {
            r->since = seq;
            i++;
        } else {
            gvs_fault_set(&f, GVS_EXIT_USAGE, "--since takes the number of an event");
            gvs_request_fault(r, &f);
            return;
        }
    }
    r->deadline = GVS_MONO_NEVER;
    r->poll = poll_watch;
    if (r->since > e->seq)
        begin_anew(r);
    feed(r);
}

struct gvs_moment
gvs_agent_moment(void)
{
    return (struct gvs_moment){gvs_udp_now(), gvs_udp_wall()};
}

/* What it is about; a key that does not apply is there all the same. An address that went with its
 * last service is of none, and stands alone: no mark is 0. */
static void
put_object(json_t *o, const struct gvs_event *e)
{
    char vip[GVS_SVCID_TEXT_LEN], backend[GVS_EP_TEXT_LEN];

    if (e->has_svc && e->svc.proto == GVS_PROTO_FWMARK && e->svc.fwmark == 0)
        gvs_addr_format(vip, &e->svc.addr);
    else if (e->has_svc)
        gvs_svcid_format(vip, &e->svc);
    if (e->has_ep)
        gvs_ep_format(backend, &e->ep);
    json_object_set_new(o, "vip", e->has_svc ? json_string(vip) : json_null());
    if (e->name[0])
        json_object_set_new(o, "name", json_string(e->name));
    json_object_set_new(o, "backend", e->has_ep ? json_string(backend) : json_null());
}

static json_t *
item_doc(const struct gvs_item *item)
{
    return item->kind ? gvs_text_item(item) : json_object();
}

static json_t *
make_doc(const struct gvs_event *e, uint64_t seq)
{
    json_t *o = json_object();
    char time[32];

    gvs_text_time(time, e->when.wall.ms);
    json_object_set_new(o, "seq", json_integer((json_int_t)seq));
    json_object_set_new(o, "time", json_string(time));
    json_object_set_new(o, "monotonic_us", json_integer((json_int_t)e->when.mono.us));
    json_object_set_new(o, "node", json_string(e->node));
    json_object_set_new(o, "event", json_string(e->event));
    put_object(o, e);
    json_object_set_new(o, "before", item_doc(&e->before));
    json_object_set_new(o, "after", item_doc(&e->after));
    if (e->netns[0])
        json_object_set_new(o, "namespace", json_string(e->netns));
    if (e->extra)
        json_object_update(o, e->extra);
    json_object_set_new(o, "by", e->by[0] ? json_string(e->by) : json_null());
    json_object_set_new(o, "via",
                        e->via != GVS_VIA_NONE ? json_string(via_name(e->via)) : json_null());
    return o;
}

json_t *
gvs_event_doc(struct gvs_events *events, uint64_t seq)
{
    struct gvs_event *e = &events->ring[seq % GVS_AGENT_RING];

    GVS_ASSERT(seq >= events->first && seq <= events->seq);
    if (!e->doc)
        e->doc = make_doc(e, seq);
    return e->doc;
}

static void
forget(struct gvs_event *e)
{
    json_decref(e->extra);
    json_decref(e->doc);
    e->extra = e->doc = NULL;
}

/* As much of the text as there is room for. There are thousands of events a second, of which few
 * are read: snprintf took 7 % of the time in which services were programmed. */
static void
put(char *to, size_t cap, const char *text)
{
    size_t len = strnlen(text, cap - 1);

    memcpy(to, text, len);
    to[len] = 0;
}

/* The next event, about which only who caused it is known. */
static struct gvs_event *
next_event(struct gvs_agent *a, const char *event, const struct gvs_moment *when,
           const struct gvs_svcid *svc, const struct gvs_ep *ep, const struct gvs_id *node)
{
    struct gvs_events *ring = &a->events;
    struct gvs_event *e = &ring->ring[++ring->seq % GVS_AGENT_RING];
    const char *name = svc ? gvs_names_get(&a->names, svc) : NULL;
    const char *by = a->via != GVS_VIA_NONE ? a->by : NULL;

    forget(e);
    e->when = *when;
    put(e->event, sizeof e->event, event);
    if (node)
        gvs_text_id_name(a, node, e->node, sizeof e->node);
    else
        put(e->node, sizeof e->node, a->cfg.name);
    put(e->name, sizeof e->name, name ? name : "");
    put(e->by, sizeof e->by, by ? by : "");
    e->netns[0] = 0;
    e->via = a->via;
    e->has_svc = svc;
    e->has_ep = ep;
    e->svc = svc ? *svc : (struct gvs_svcid){0};
    e->ep = ep ? *ep : (struct gvs_ep){0};
    e->before = e->after = (struct gvs_item){0};
    if (ring->seq - ring->first >= GVS_AGENT_RING)
        ring->first = ring->seq - GVS_AGENT_RING + 1;
    return e;
}

void
gvs_event_emit(struct gvs_agent *a, const char *event, const struct gvs_svcid *svc,
               const struct gvs_ep *ep, const struct gvs_id *node, json_t *extra)
{
    struct gvs_moment now = gvs_agent_moment();

    next_event(a, event, &now, svc, ep, node)->extra = extra;
}

void
gvs_event_items(struct gvs_agent *a, struct gvs_range before, struct gvs_range after,
                const struct gvs_id *node)
{
    static const char *const names[][4] = {
        [GVS_ITEM_SERVICE] = {"", "vip.add", "vip.del", "vip.set"},
        [GVS_ITEM_DEST] = {"", "backend.add", "backend.del", "backend.set"},
    };
    const struct gvs_item *from, *to;
    enum gvs_diff_op op;
    struct gvs_moment now = gvs_agent_moment();
    struct gvs_diff d;

    gvs_diff_init(&d, before, after);
    while ((op = gvs_diff_next(&d, &from, &to)) != GVS_DIFF_END) {
        const struct gvs_item *item = to ? to : from;
        struct gvs_event *e = next_event(a, names[item->kind][op], &now, &item->svc,
                                         item->kind == GVS_ITEM_DEST ? &item->ep : NULL, node);

        e->before = from ? *from : (struct gvs_item){0};
        e->after = to ? *to : (struct gvs_item){0};
    }
}

void
gvs_event_kernel(struct gvs_agent *a, const struct gvs_netns *ns, const struct gvs_kernel_event *ev,
                 const struct gvs_moment *when)
{
    const struct gvs_op *op = &ev->op;
    bool dest = op->item.kind == GVS_ITEM_DEST;
    bool address = op->kind == GVS_OP_ADDR_ADD || op->kind == GVS_OP_ADDR_DEL;
    bool fields = !address && op->kind != GVS_OP_ANCHOR_ADD && op->kind != GVS_OP_ANCHOR_DEL;
    enum gvs_via via = a->via;
    char event[48] = "kernel.", why[192], vip[GVS_SVCID_TEXT_LEN], ep[GVS_EP_TEXT_LEN] = "";
    struct gvs_event *e;
    json_t *extra = NULL;

    if (ev->what == GVS_KERNEL_BRAKE_ON || ev->what == GVS_KERNEL_BRAKE_OFF) {
        gvs_agent_brake_event(a, ns, ev);
        return;
    }
    if (ev->what == GVS_KERNEL_DONE && !ev->repair && fields)
        gvs_spread_end(a, &op->item, when);
    if (ev->what == GVS_KERNEL_REFUSED) {
        gvs_kernel_explain(ns->kernel, why, sizeof why, op, ev->error);
        gvs_svcid_format(vip, &op->item.svc);
        if (dest)
            gvs_ep_format(ep, &op->item.ep);
        gvs_agent_log(a, GVS_LOG_ERR, "%s%s%s%s%s: %s (%s)", ns->host ? "" : ns->name,
                      ns->host ? "" : ": ", vip, dest ? " " : "", ep, why, gvs_op_name(op->kind));
        extra = json_pack("{s:s, s:s}", "operation", gvs_op_name(op->kind), "reason", why);
    }
    put(event + 7, sizeof event - 7,
        ev->what == GVS_KERNEL_DRIFT     ? "drift"
        : ev->what == GVS_KERNEL_REFUSED ? "refused"
                                         : gvs_op_name(op->kind));
    /* The kernel does what the table wants; who wanted it stands in the table's own event. */
    a->via = ev->what == GVS_KERNEL_DRIFT || ev->repair ? GVS_VIA_AUDIT : GVS_VIA_NONE;
    e = next_event(a, event, when, &op->item.svc, dest ? &op->item.ep : NULL, NULL);
    a->via = via;
    put(e->netns, sizeof e->netns, ns->name);
    e->extra = extra;
    if (fields) {
        e->before = op->before;
        e->after = op->item;
    }
}

void
gvs_event_member(struct gvs_agent *a, const struct gvs_node_event *ev)
{
    static const char *const states[] = {"alive", "suspect", "dead", "left"};
    struct gvs_id self = gvs_node_self(a->node);
    char name[GVS_NAME_LEN_MAX + 1], event[32];
    json_t *extra;

    if (gvs_id_cmp(&ev->member, &self) == 0)
        return; /* who asks is answered by somebody alive */
    if (!ev->first && ev->before == ev->after)
        return; /* only whether it is gone: the view's business */
    gvs_text_id_name(a, &ev->member, name, sizeof name);
    snprintf(event, sizeof event, "member.%s", states[ev->after]);
    gvs_agent_log(a, ev->after == GVS_ALIVE ? GVS_LOG_INFO : GVS_LOG_WARN, "member %s: %s%s%s",
                  name, ev->first ? "" : states[ev->before], ev->first ? "" : " -> ",
                  states[ev->after]);
    extra = json_pack("{s:{s:s}}", "after", "state", states[ev->after]);
    if (!ev->first)
        json_object_set_new(extra, "before", json_pack("{s:s}", "state", states[ev->before]));
    gvs_event_emit(a, event, NULL, NULL, &ev->member, extra);
}

void
gvs_events_free(struct gvs_events *e)
{
    for (size_t i = 0; i < GVS_AGENT_RING; i++)
        forget(&e->ring[i]);
}
