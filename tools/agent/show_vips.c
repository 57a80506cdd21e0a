/* vip list and vip show: what the view says of each service, and how it stands in the kernels.
 *
 * What nobody claims any more and still leaves a kernel is shown, too: it is added to the view, and
 * told from everything else by having no owner. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/agent/agent.h"
#include "tools/words/words.h"

#define SCHEMA "gossipvs/1"

static bool
is_gone(const struct gvs_agent *a, const struct gvs_id *owner)
{
    for (size_t i = 0; i < a->hide.count; i++)
        if (gvs_id_cmp(&a->hide.owners[i].id, owner) == 0)
            return true;
    return false;
}

static bool
only_gone(const struct gvs_agent *a, const struct gvs_view_backend *b)
{
    for (size_t i = 0; i < b->owner_count && i < GVS_VIEW_OWNERS_MAX; i++)
        if (!is_gone(a, &b->owners[i]))
            return false;
    return b->owner_count <= GVS_VIEW_OWNERS_MAX;
}

static void
gone_text(const struct gvs_agent *a, const struct gvs_view_backend *b, char *text, size_t cap)
{
    char name[64];

    gvs_text_id_name(a, &b->owners[0], name, sizeof name);
    snprintf(text, cap, "claimed by %s%s, gone", name, b->owner_count > 1 ? " and others" : "");
}

/* The worse, the later. */
static int
rank(enum gvs_kernel_state state)
{
    static const int ranks[] = {
        [GVS_KERNEL_OK] = 1,      [GVS_KERNEL_OBSERVED] = 2, [GVS_KERNEL_ABSENT] = 3,
        [GVS_KERNEL_PENDING] = 4, [GVS_KERNEL_FOREIGN] = 5,  [GVS_KERNEL_FAILED] = 6,
    };

    return ranks[state];
}

/* How it stands in the namespace where it stands worst; where its address is the namespace's own it
 * is not to stand at all. */
static enum gvs_kernel_state
state_of(const struct gvs_agent *a, const struct gvs_item *item, char *why, size_t cap)
{
    enum gvs_kernel_state worst = GVS_KERNEL_ABSENT, one;
    char text[256];
    bool any = false;

    for (struct gvs_netns *ns = gvs_netns_next(a, NULL); ns; ns = gvs_netns_next(a, ns)) {
        if (!ns->host && gvs_netns_has(ns, &item->svc.addr))
            continue;
        one = gvs_kernel_state_of(ns->kernel, item, text, sizeof text);
        if (any && rank(one) <= rank(worst))
            continue;
        any = true;
        worst = one;
        snprintf(why, cap, "%s%s%s", ns->host || !text[0] ? "" : ns->name,
                 ns->host || !text[0] ? "" : ": ", text);
    }
    return worst;
}

/* --- what leaves --- */

/* Where it stays longest. */
static void
leaving_text(const struct gvs_agent *a, const struct gvs_item *item, char *text, size_t cap)
{
    struct gvs_mono now = gvs_udp_now(), latest = now, until;

    for (struct gvs_netns *ns = gvs_netns_next(a, NULL); ns; ns = gvs_netns_next(a, ns))
        if (gvs_ledger_leaves(ns->ledger, item, &until) && until.us > latest.us)
            latest = until;
    snprintf(text, cap, "removed: goes with its last connection, in %.0f s at the latest",
             (double)(latest.us - now.us) / 1e6);
}

/* One that has no owner, in its place; unless it is there, or there is no room. */
static void
add_backend(struct gvs_view_service *v, const struct gvs_item *item)
{
    size_t i = 0;

    while (i < v->backend_count && gvs_ep_cmp(&v->backends[i].ep, &item->ep) < 0)
        i++;
    if (v->backend_count == GVS_VIEW_BACKENDS_MAX ||
        (i < v->backend_count && gvs_ep_cmp(&v->backends[i].ep, &item->ep) == 0))
        return;
    memmove(&v->backends[i + 1], &v->backends[i], (v->backend_count - i) * sizeof *v->backends);
    v->backends[i] = (struct gvs_view_backend){
        .ep = item->ep,
        .claim = {.forward = item->dest.forward,
                  .tunnel = item->dest.tunnel,
                  .tunnel_port = item->dest.tunnel_port,
                  .lower = item->dest.lower,
                  .upper = item->dest.upper},
    };
    v->backend_count++;
}

static void
add_service(const struct gvs_agent *a, struct gvs_view_service *v, const struct gvs_item *item)
{
    const char *name = gvs_names_get(&a->names, &item->svc);

    v->claimed = true;
    snprintf(v->claim.name, sizeof v->claim.name, "%s", name ? name : "");
    memcpy(v->claim.sched, item->service.sched, sizeof v->claim.sched);
    v->claim.flags = item->service.flags;
    v->claim.persistent = item->service.persistent;
    v->claim.netmask = item->service.netmask;
}

/* Adds to the view of a service what leaves it. */
static void
add_leaving(const struct gvs_agent *a, struct gvs_view_service *v)
{
    for (struct gvs_netns *ns = gvs_netns_next(a, NULL); ns; ns = gvs_netns_next(a, ns)) {
        size_t count = gvs_kernel_leaving(ns->kernel, &v->id, a->items, 1 + GVS_VIEW_BACKENDS_MAX);

        for (size_t i = 0; i < count; i++) {
            if (a->items[i].kind == GVS_ITEM_DEST)
                add_backend(v, &a->items[i]);
            else if (!v->claimed)
                add_service(a, v, &a->items[i]);
        }
    }
}

/* Its claimant takes it out of service by the weight of the claim: no operator's word that can be
 * seen in it. This node knows why, if it is the claimant; what others hear is the weight alone. */
static bool
rests(const struct gvs_agent *a, const struct gvs_view_service *v, const struct gvs_view_backend *b,
      char *why, size_t cap)
{
    struct gvs_id self = gvs_node_self(a->node);
    char name[64];

    if (gvs_agent_claim_held(a, &v->id, &b->ep, why, cap))
        return b->weight == 0;
    if (b->claim.weight > 0 || b->override.has_weight || gvs_id_is_cluster(&b->owners[0]))
        return false;
    gvs_text_id_name(a, &b->owners[0], name, sizeof name);
    if (gvs_id_cmp(&b->owners[0], &self) == 0)
        snprintf(why, cap, "this node's file says weight 0");
    else
        snprintf(why, cap, "%s claims it with weight 0: by its check, maintenance or file", name);
    return true;
}

static const char *
backend_state(const struct gvs_agent *a, const struct gvs_view_service *v,
              const struct gvs_view_backend *b, char *why, size_t cap)
{
    struct gvs_item item = gvs_item_make_dest(&v->id, &b->ep);

    why[0] = 0;
    if (b->owner_count == 0) {
        leaving_text(a, &item, why, cap);
        return "draining";
    }
    if (b->withheld == GVS_WITHHELD_ORPHAN || !v->claimed)
        return "orphan";
    if (b->withheld) {
        gvs_text_withheld(a, why, cap, v, b);
        return "failed";
    }
    if (b->hidden != GVS_OWNER_THERE) {
        gone_text(a, b, why, cap);
        return "hidden";
    }
    if (v->open && only_gone(a, b)) {
        gone_text(a, b, why, cap);
        snprintf(why + strlen(why), cap - strlen(why), "; kept, nothing else is left");
        return "ok";
    }
    switch (state_of(a, &item, why, cap)) {
    case GVS_KERNEL_FAILED:
        return "failed";
    case GVS_KERNEL_OK:
    case GVS_KERNEL_OBSERVED:
        return rests(a, v, b, why, cap) || b->override.drain ? "draining" : "ok";
    default:
        return "pending";
    }
}

static json_t *
backend_json(struct gvs_agent *a, const struct gvs_view_service *v,
             const struct gvs_view_backend *b)
{
    struct gvs_item item = gvs_item_make_dest(&v->id, &b->ep);
    json_t *owners = json_array(), *o;
    uint64_t active, inactive;
    char ep[GVS_EP_TEXT_LEN], tunnel[GVS_WORDS_TUNNEL_LEN], name[64], stamp[17], why[512];
    const char *state = backend_state(a, v, b, why, sizeof why);

    gvs_ep_format(ep, &b->ep);
    for (size_t i = 0; i < b->owner_count && i < GVS_VIEW_OWNERS_MAX; i++) {
        gvs_text_id_name(a, &b->owners[i], name, sizeof name);
        json_array_append_new(owners, json_string(name));
    }
    o = json_pack("{s:s, s:I, s:s, s:I, s:I, s:s, s:o}", "address", ep, "weight",
                  (json_int_t)b->weight, "forward", gvs_forward_name(b->claim.forward), "lower",
                  (json_int_t)b->claim.lower, "upper", (json_int_t)b->claim.upper, "state", state,
                  "owners", owners);
    gvs_words_tunnel(tunnel, b->claim.tunnel, b->claim.tunnel_port);
    if (b->claim.forward == GVS_FORWARD_TUN)
        json_object_set_new(o, "tunnel", json_string(tunnel));
    if (gvs_netns_conns(a, &item, &active, &inactive)) {
        json_object_set_new(o, "active", json_integer((json_int_t)active));
        json_object_set_new(o, "inactive", json_integer((json_int_t)inactive));
    } else {
        json_object_set_new(o, "active", json_null());
        json_object_set_new(o, "inactive", json_null());
    }
    gvs_text_hex64(stamp, b->changed.hlc);
    json_object_set_new(o, "stamp", b->owner_count ? json_string(stamp) : json_null());
    if (b->override.drain)
        json_object_set_new(
            o, "weight_before_drain",
            json_integer(b->override.has_weight ? b->override.weight : b->claim.weight));
    if (why[0])
        json_object_set_new(o, "reason", json_string(why));
    return o;
}

static const char *
service_state(const struct gvs_agent *a, const struct gvs_view_service *v, char *why, size_t cap)
{
    struct gvs_item item = gvs_item_make_service(&v->id);

    why[0] = 0;
    if (v->claimed && v->owner_count == 0) {
        leaving_text(a, &item, why, cap);
        return "empty";
    }
    if (v->withheld) {
        gvs_text_withheld(a, why, cap, v, NULL);
        return "withheld";
    }
    switch (state_of(a, &item, why, cap)) {
    case GVS_KERNEL_OBSERVED:
        return "observed";
    case GVS_KERNEL_FAILED:
        return "failed";
    case GVS_KERNEL_FOREIGN:
        return "withheld";
    case GVS_KERNEL_OK:
        break;
    default:
        return gvs_agent_observes(a) ? "observed" : "pending";
    }
    for (size_t i = 0; i < v->backend_count; i++)
        if (!v->backends[i].withheld && v->backends[i].weight > 0)
            return "ok";
    return "empty";
}

/* In all namespaces together; null: in none of them. */
static json_t *
rates_json(const struct gvs_agent *a, const struct gvs_svcid *svc)
{
    struct gvs_rates sum = {0}, one;
    bool known = false;

    for (struct gvs_netns *ns = gvs_netns_next(a, NULL); ns; ns = gvs_netns_next(a, ns)) {
        if (!gvs_kernel_rates(ns->kernel, svc, &one))
            continue;
        known = true;
        sum.conns += one.conns;
        sum.in_packets += one.in_packets;
        sum.out_packets += one.out_packets;
        sum.in_bytes += one.in_bytes;
        sum.out_bytes += one.out_bytes;
    }
    if (!known)
        return json_null();
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "connections", (json_int_t)sum.conns,
                     "packets_in", (json_int_t)sum.in_packets, "packets_out",
                     (json_int_t)sum.out_packets, "bytes_in", (json_int_t)sum.in_bytes, "bytes_out",
                     (json_int_t)sum.out_bytes);
}

static json_t *
vip_json(struct gvs_agent *a, const struct gvs_view_service *v)
{
    json_t *backends = json_array(), *o;
    char vip[GVS_SVCID_TEXT_LEN], mask[16], owner[64], changed[32], stamp[17], why[512];
    const char *state = service_state(a, v, why, sizeof why);
    const struct gvs_stamp *latest = &v->changed;

    for (size_t i = 0; i < v->backend_count; i++) {
        json_array_append_new(backends, backend_json(a, v, &v->backends[i]));
        if (gvs_stamp_cmp(latest, &v->backends[i].changed) < 0)
            latest = &v->backends[i].changed;
    }
    gvs_svcid_format(vip, &v->id);
    gvs_text_netmask(mask, &v->id, v->claim.netmask);
    if (v->owner_count)
        gvs_text_id_name(a, &v->owners[0], owner, sizeof owner);
    gvs_text_time(changed, gvs_hlc_ms(latest->hlc));
    o = json_pack("{s:s, s:s, s:s, s:s, s:o, s:I, s:s, s:s, s:s, s:o}", "name", v->claim.name,
                  "vip", vip, "protocol", gvs_proto_name(v->id.proto), "scheduler", v->claim.sched,
                  "flags", gvs_text_flags(v->claim.flags), "persistent_seconds",
                  (json_int_t)v->claim.persistent, "netmask", mask, "state", state, "changed",
                  changed, "backends", backends);
    gvs_text_hex64(stamp, v->changed.hlc);
    json_object_set_new(o, "stamp",
                        v->claimed && v->owner_count ? json_string(stamp) : json_null());
    json_object_set_new(o, "rates", rates_json(a, &v->id));
    json_object_set_new(o, "owner", v->owner_count ? json_string(owner) : json_null());
    json_object_set_new(o, "reason", why[0] ? json_string(why) : json_null());
    return o;
}

/* --- all of them --- */

/* The view of a service, with what leaves it. False: there is nothing to show. */
static bool
view_all(struct gvs_agent *a, const struct gvs_svcid *svc)
{
    struct gvs_view_env env = gvs_agent_env(a);

    (void)gvs_view_service(gvs_node_claims(a->node), &env, svc, a->view);
    add_leaving(a, a->view);
    return a->view->claimed || a->view->backend_count > 0;
}

/* Through what the table has and what leaves as a whole, in the order of keys. */
struct walk {
    struct gvs_svcid *leaving; /* those that did when it began; owned */
    size_t next, count;
    struct gvs_svcid at;
    bool after;
};

static struct walk
begin_walk(struct gvs_agent *a)
{
    struct walk w = {.after = false};

    w.leaving = gvs_netns_leaving(a, NULL, &w.count);
    return w;
}

/* w->at is the next. False: that was all. */
static bool
step(struct gvs_agent *a, struct walk *w)
{
    struct gvs_svcid svc;
    bool any = gvs_view_seek(gvs_node_claims(a->node), w->after ? &w->at : NULL, w->after, &svc);

    while (w->next < w->count && w->after && gvs_svcid_cmp(&w->leaving[w->next], &w->at) <= 0)
        w->next++;
    if (w->next < w->count && (!any || gvs_svcid_cmp(&w->leaving[w->next], &svc) < 0))
        svc = w->leaving[w->next];
    else if (!any)
        return false;
    w->at = svc;
    w->after = true;
    return true;
}

json_t *
gvs_show_vips(struct gvs_agent *a, size_t max, size_t rows_max)
{
    struct walk w = begin_walk(a);
    json_t *list = json_array();
    size_t rows = 0;

    while (json_array_size(list) < max && rows < rows_max && step(a, &w)) {
        if (!view_all(a, &w.at))
            continue;
        rows += 1 + a->view->backend_count;
        json_array_append_new(list, vip_json(a, a->view));
    }
    free(w.leaving);
    return list;
}

static bool
put_next(struct gvs_request *r)
{
    struct walk *w = r->walk;

    if (!step(r->a, w))
        return false;
    if (view_all(r->a, &w->at))
        gvs_list_put(r, vip_json(r->a, r->a->view));
    return true;
}

static void
free_walk(void *walk)
{
    free(((struct walk *)walk)->leaving);
    free(walk);
}

/* --- the busiest of them --- */

#define TOP_MAX 1000 /* nothing special about it: screens have fewer lines */

struct busy {
    struct gvs_svcid svc;
    uint64_t rate, active; /* new connections a second; open ones */
};

struct top {
    struct walk walk; /* first, for free_walk */
    bool walked;
    size_t max, count, put;
    struct busy list[TOP_MAX]; /* the busiest first; of equals as they come */
};

static struct busy
busy_of(const struct gvs_agent *a, const struct gvs_svcid *svc)
{
    struct gvs_range items = gvs_set_service(a->shown, svc);
    struct busy b = {.svc = *svc};
    uint64_t active, inactive;
    struct gvs_rates rates;

    for (struct gvs_netns *ns = gvs_netns_next(a, NULL); ns; ns = gvs_netns_next(a, ns))
        if (gvs_kernel_rates(ns->kernel, svc, &rates))
            b.rate += rates.conns;
    for (; items.at < items.end; items.at++)
        if (items.at->kind == GVS_ITEM_DEST && gvs_netns_conns(a, items.at, &active, &inactive))
            b.active += active;
    return b;
}

static void
enter(struct top *t, const struct busy *b)
{
    size_t at = t->count;

    while (at > 0 && (t->list[at - 1].rate < b->rate ||
                      (t->list[at - 1].rate == b->rate && t->list[at - 1].active < b->active)))
        at--;
    if (at == t->max)
        return;
    t->count += t->count < t->max;
    memmove(&t->list[at + 1], &t->list[at], (t->count - at - 1) * sizeof *t->list);
    t->list[at] = *b;
}

static bool
put_busiest(struct gvs_request *r)
{
    struct top *t = r->walk;
    struct busy b;

    t->walked |= !step(r->a, &t->walk);
    if (!t->walked) {
        b = busy_of(r->a, &t->walk.at);
        enter(t, &b);
        return true;
    }
    if (t->put == t->count)
        return false;
    if (view_all(r->a, &t->list[t->put++].svc))
        gvs_list_put(r, vip_json(r->a, r->a->view));
    return true;
}

static void
list_busiest(struct gvs_request *r)
{
    const char *number = r->argc == 2 && strcmp(r->argv[0], "--top") == 0 ? r->argv[1] : "";
    struct gvs_fault f;
    struct top *t;
    char *end;
    unsigned long max = strtoul(number, &end, 10);

    if (number[0] < '0' || number[0] > '9' || *end || max < 1 || max > TOP_MAX) {
        gvs_fault_set(&f, GVS_EXIT_USAGE, "vip list: --top 1 to %d, or nothing, expected", TOP_MAX);
        gvs_request_fault(r, &f);
        return;
    }
    t = calloc(1, sizeof *t);
    GVS_ASSERT(t != NULL);
    t->walk = begin_walk(r->a);
    t->max = max;
    gvs_list_begin(r, "vips", put_busiest, t, free_walk);
}

void
gvs_show_vip_list(struct gvs_request *r)
{
    struct walk *w;

    if (r->argc > 0) {
        list_busiest(r);
        return;
    }
    w = malloc(sizeof *w);
    GVS_ASSERT(w != NULL);
    *w = begin_walk(r->a);
    gvs_list_begin(r, "vips", put_next, w, free_walk);
}

/* --- one of them --- */

/* The services that are shown under a name, of those that the table has or of those that only leave
 * (whose names may be others' by now): how many, and the first two. */
static size_t
find_shown(struct gvs_agent *a, const char *name, bool in_table, struct gvs_svcid two[static 2])
{
    const struct gvs_table *t = gvs_node_claims(a->node);
    struct gvs_view_env env = gvs_agent_env(a);
    const struct gvs_named *x = NULL;
    size_t found = 0;

    while ((x = gvs_names_next(&a->names, name, x)) != NULL) {
        if (gvs_view_service(t, &env, &x->svc, a->view) != in_table || !view_all(a, &x->svc) ||
            strcmp(a->view->claim.name, name) != 0)
            continue;
        gvs_names_first_two(two, found++, &x->svc);
    }
    return found;
}

/* A name that is like one of those that there are was that one. */
void
gvs_show_no_vip(struct gvs_agent *a, const char *word, struct gvs_fault *f)
{
    const struct gvs_table *t = gvs_node_claims(a->node);
    struct gvs_view_env env = gvs_agent_env(a);
    const char *near = NULL;

    for (size_t i = 0; i < a->names.count; i++) {
        const struct gvs_named *x = a->names.list[i];
        const char *both[] = {near ? near : x->name, near ? x->name : NULL, NULL};

        if (gvs_nearest(word, both) == x->name && gvs_view_service(t, &env, &x->svc, a->view) &&
            a->view->claimed && strcmp(a->view->claim.name, x->name) == 0)
            near = x->name;
    }
    gvs_fault_set(f, GVS_EXIT_NOT_FOUND, "no vip '%.80s'", word);
    if (near)
        gvs_fault_hint(f, "did you mean '%s'?", near);
    else
        gvs_fault_hint(f, "gossipvs vip list");
}

/* The service that is meant by its VIP or its name. */
static int
find_one(struct gvs_agent *a, const char *word, struct gvs_svcid *svc, struct gvs_fault *f)
{
    char one[GVS_SVCID_TEXT_LEN], other[GVS_SVCID_TEXT_LEN];
    struct gvs_svcid two[2] = {{0}};
    size_t found;

    if (gvs_svcid_parse(svc, word, strlen(word), NULL) == GVS_OK) {
        found = view_all(a, svc);
    } else {
        found = find_shown(a, word, true, two);
        if (found == 0)
            found = find_shown(a, word, false, two);
        *svc = two[0];
    }
    if (found == 1)
        return GVS_OK;
    if (found == 0) {
        gvs_show_no_vip(a, word, f);
        return -1;
    }
    gvs_svcid_format(one, &two[0]);
    gvs_svcid_format(other, &two[1]);
    return gvs_fault_set(f, GVS_EXIT_CONFLICT, "'%.80s' is the name of both %s and %s", word, one,
                         other);
}

void
gvs_show_vip(struct gvs_request *r)
{
    struct gvs_svcid svc;
    struct gvs_fault f;

    if (r->argc != 1) {
        gvs_fault_set(&f, GVS_EXIT_USAGE, "vip show: one VIP or name expected");
        gvs_request_fault(r, &f);
        return;
    }
    if (find_one(r->a, r->argv[0], &svc, &f) < 0) {
        gvs_request_fault(r, &f);
        return;
    }
    gvs_netns_refresh_conns(r->a, &svc);
    (void)view_all(r->a, &svc);
    gvs_request_answer(
        r, json_pack("{s:s, s:[o]}", "schema", SCHEMA, "vips", vip_json(r->a, r->a->view)), true);
}
