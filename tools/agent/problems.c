/* What is wrong, for status: kernel, network, members, files, services. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/agent/agent.h"

#define ANSWER_S 5 /* the helper takes a millisecond */
#define OUT_OF_STEP_S 10

static double
since(struct gvs_mono then)
{
    return (double)(gvs_udp_now().us - then.us) / 1e6;
}

void
gvs_problem(struct gvs_problems *p, bool critical, const char *code, const char *hint,
            const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    p->critical |= critical;
    json_array_append_new(
        p->list, json_pack("{s:s, s:s, s:s}", "code", code, "message", text, "hint", hint));
}

static void
member_problems(const struct gvs_agent *a, struct gvs_problems *p)
{
    struct gvs_mono now = gvs_udp_now();
    size_t count;
    struct gvs_node_member *m = gvs_list_members(a, &count);

    for (size_t i = 0; i < count; i++) {
        char ep[GVS_EP_TEXT_LEN];

        gvs_text_endpoint(ep, &m[i]);
        if (m[i].state == GVS_DEAD && m[i].heard)
            gvs_problem(p, false, "member_dead", "gossipvs members --all",
                        "%s is dead (no answer for %.0f s; last seen at %s)", m[i].value.name,
                        (double)(now.us - m[i].heard_at.us) / 1e6, ep);
        else if (m[i].state == GVS_DEAD)
            gvs_problem(p, false, "member_dead", "gossipvs members --all",
                        "%s is dead (not seen since this agent started; known at %s)",
                        m[i].value.name, ep);
        if (m[i].self || m[i].state >= GVS_DEAD)
            continue; /* a name that only the dead bear is free: a node that lost its store has a
                         new id */
        if (strcmp(m[i].value.name, a->cfg.name) == 0)
            gvs_problem(p, false, "name_clash", "set node { name } on one; neither is dropped",
                        "two nodes call themselves '%s': us and %s", a->cfg.name, ep);
    }
    free(m);
}

/* Tombstones wait for the dead (net/age.h): in the end there is no room for anything else. */
static void
tombstone_problem(const struct gvs_agent *a, struct gvs_problems *p)
{
    const struct gvs_table *t = gvs_node_claims(a->node);
    size_t tombstones = gvs_table_tombstones(t), capacity = gvs_table_capacity(t), count;
    struct gvs_node_member *m;

    if (tombstones <= capacity / 5 * 4)
        return;
    m = gvs_list_members(a, &count);
    for (size_t i = 0; i < count; i++) {
        char hint[128];

        if (m[i].state != GVS_DEAD)
            continue;
        snprintf(hint, sizeof hint, "start %s, or gossipvs forget %s", m[i].value.name,
                 m[i].value.name);
        gvs_problem(
            p, false, "full", hint,
            "%zu tombstones of %zu entries: what was deleted is kept until %s, which is dead, "
            "has heard of it",
            tombstones, capacity, m[i].value.name);
    }
    free(m);
}

/* A node with another key gets no answer to anything, and so hears nothing at all. */
static void
alone_problem(const struct gvs_agent *a, struct gvs_problems *p, bool silent)
{
    char list[256];
    size_t at = 0;

    for (size_t i = 0; i < a->cfg.peer_count && at < sizeof list; i++)
        at += (size_t)snprintf(list + at, sizeof list - at, "%s%s", i ? ", " : "", a->cfg.peers[i]);
    if (silent)
        gvs_problem(
            p, false, "alone", "is a peer running, UDP open, are keyring and cluster the same?",
            "alone: no answer from %s (down, firewalled, or another key or cluster name)", list);
    else
        gvs_problem(p, false, "alone", "is a peer running, and UDP open between us?",
                    "alone: nobody answers, neither bootstrap peers (%s) nor members", list);
}

static void
network_problems(const struct gvs_agent *a, struct gvs_problems *p)
{
    struct gvs_node_counts c = gvs_node_count(a->node);
    const struct gvs_stranger *stranger = gvs_node_stranger(a->node);

    if (gvs_node_retired(a->node))
        gvs_problem(p, false, "retired", "restart gossipvsd: it joins with a new id",
                    "this node's id has been retired (leave, or forget on another node): it writes "
                    "nothing any more; its kernel stays as it is");
    if (a->cfg.peer_count > 0 && c.alive <= 1 && since(a->started) > GVS_AGENT_ALONE_MS / 1000.0)
        alone_problem(a, p, c.received == 0);
    if (stranger->count > 0 && since(stranger->last) < 60) {
        char text[192];

        gvs_problem(p, false, "unknown_key", "gossipvs keys list, on both nodes", "%s",
                    gvs_text_stranger(a, text, sizeof text, stranger));
    }
}

static void
file_problems(const struct gvs_agent *a, struct gvs_problems *p)
{
    char text[192];

    for (size_t i = 0; i < a->claims.file_count; i++)
        if (a->claims.files[i].bad)
            gvs_problem(p, false, "config_bad",
                        "its last good version stays; gossipvs config check", "%s",
                        a->claims.files[i].fault.text);
    if (a->claims_fault.text[0])
        gvs_problem(p, false, "config_bad", "its claims stay", "%s", a->claims_fault.text);
    if (a->config_fault.text[0])
        gvs_problem(p, false, "config_bad",
                    "the running configuration stays; gossipvs config check", "%s",
                    a->config_fault.text);
    if (a->http_fault.text[0])
        gvs_problem(p, false, "config_bad", "it is tried again; metrics { listen } says where",
                    "metrics: %s", a->http_fault.text);
    if (gvs_store_failing(a->store, text, sizeof text))
        gvs_problem(p, true, "storage",
                    "df, dmesg; the kernel and the peers are served from memory",
                    "%s cannot be written: %s", a->cfg.state, text);
    if (gvs_table_count(gvs_node_claims(a->node)) >= a->cfg.limits.entries)
        gvs_problem(p, false, "full", "raise limits { entries } in gossipvs.conf on every node",
                    "the table is full (%zu entries)", a->cfg.limits.entries);
}

static bool
is_full(const struct gvs_problems *p)
{
    return json_array_size(p->list) >= GVS_PROBLEMS_MAX;
}

bool
gvs_problems_has(const struct gvs_view_service *v)
{
    bool any = v->withheld || v->conflict || v->backend_more > 0;

    for (size_t i = 0; i < v->backend_count && !any; i++)
        any = v->backends[i].withheld || v->backends[i].conflict;
    return any;
}

static void
service_problems(struct gvs_agent *a, const struct gvs_view_service *v, struct gvs_problems *p)
{
    static const char conflicts[] = "gossipvs conflicts";
    char text[512], vip[GVS_SVCID_TEXT_LEN], hint[96];

    gvs_svcid_format(vip, &v->id);
    if (v->withheld)
        gvs_problem(p, false, "withheld", "not programmed on this node", "%s",
                    gvs_text_withheld(a, text, sizeof text, v, NULL));
    snprintf(hint, sizeof hint, "gossipvs vip show %s", vip);
    if (v->conflict)
        gvs_problem(p, false, "conflict", conflicts, "claims on vip '%s' disagree", vip);
    if (v->backend_more)
        gvs_problem(p, false, "withheld", hint,
                    "vip '%s' has %zu backends more than the %d that are programmed", vip,
                    v->backend_more, GVS_VIEW_BACKENDS_MAX);
    for (size_t i = 0; i < v->backend_count; i++) {
        const struct gvs_view_backend *b = &v->backends[i];

        if (b->withheld && (v->claimed || b->withheld == GVS_WITHHELD_ORPHAN))
            gvs_problem(p, false, b->withheld == GVS_WITHHELD_ORPHAN ? "orphan" : "withheld", hint,
                        "%s", gvs_text_withheld(a, text, sizeof text, v, b));
        if (b->conflict)
            gvs_problem(p, false, "conflict", conflicts, "claims on a backend of vip '%s' disagree",
                        vip);
    }
}

static void
troubles(struct gvs_agent *a, struct gvs_problems *p)
{
    struct gvs_range all = gvs_set_all(a->troubled);
    struct gvs_view_env env = gvs_agent_env(a);

    for (; all.at < all.end && !is_full(p); all.at++)
        if (gvs_view_service(gvs_node_claims(a->node), &env, &all.at->svc, a->view))
            service_problems(a, a->view, p);
}

static void
foreign_problems(const struct gvs_agent *a, const struct gvs_netns *ns, struct gvs_problems *p)
{
    struct gvs_range all = gvs_set_all(a->shown);
    char vip[GVS_SVCID_TEXT_LEN], text[256];

    if (gvs_kernel_status(ns->kernel).foreign == 0)
        return;
    for (; all.at < all.end && !is_full(p); all.at++) {
        if (all.at->kind != GVS_ITEM_SERVICE ||
            gvs_kernel_state_of(ns->kernel, all.at, text, sizeof text) != GVS_KERNEL_FOREIGN)
            continue;
        gvs_svcid_format(vip, &all.at->svc);
        gvs_problem(p, false, "foreign", "gossipvs audit --fix takes it over",
                    "vip '%s': a service that is not ours stands in its place%s%s", vip,
                    ns->host ? "" : " in namespace ", ns->host ? "" : ns->name);
    }
}

/* VIPs at an address that is the namespace's own. */
static void
own_address_problems(struct gvs_agent *a, const struct gvs_netns *ns, const struct gvs_addr *own,
                     uint8_t proto, struct gvs_problems *p)
{
    const struct gvs_table *t = gvs_node_claims(a->node);
    struct gvs_view_env env = gvs_agent_env(a);
    struct gvs_svcid svc = {.proto = proto, .addr = *own};
    char vip[GVS_SVCID_TEXT_LEN];

    for (bool after = false; !is_full(p) && gvs_view_seek(t, &svc, after, &svc) &&
                             svc.proto == proto && gvs_addr_cmp(&svc.addr, own) == 0;
         after = true) {
        if (!gvs_view_service(t, &env, &svc, a->view) || !a->view->claimed)
            continue;
        gvs_svcid_format(vip, &svc);
        gvs_problem(p, false, "withheld", "not programmed there",
                    "vip '%s' is an own address of %s in namespace %s", vip, a->cfg.name, ns->name);
    }
}

static void
netns_troubles(struct gvs_agent *a, const struct gvs_netns *ns, struct gvs_problems *p)
{
    static const uint8_t protos[] = {GVS_PROTO_TCP, GVS_PROTO_UDP, GVS_PROTO_SCTP};

    foreign_problems(a, ns, p);
    for (size_t i = 0; !ns->host && i < ns->own_count; i++)
        for (size_t j = 0; j < sizeof protos; j++)
            own_address_problems(a, ns, &ns->own[i], protos[j], p);
}

static void
kernel_problems_in(const struct gvs_agent *a, const struct gvs_netns *ns, struct gvs_problems *p)
{
    struct gvs_kernel_status k = gvs_kernel_status(ns->kernel);
    const char *name = ns->host ? "" : ns->name, *colon = ns->host ? "" : ": ";

    if (gvs_kernel_locked_out(ns->kernel))
        gvs_problem(p, false, "foreign", "stop the other agent, or set mode = observe here",
                    "%s%sanother agent programs this network namespace: only observing", name,
                    colon);
    if (gvs_kernel_observing(ns->kernel))
        return;
    gvs_agent_brake_problem(ns, &k, p);
    if (k.failed)
        gvs_problem(p, true, "kernel_refused", "gossipvs plan", "%s%s%s", name, colon,
                    k.last_error);
    else if (a->out_of_step.us != GVS_MONO_NEVER.us && since(a->out_of_step) > OUT_OF_STEP_S &&
             !a->hide.unproven && !k.brake && (gvs_netns_alone(a) || !k.in_step))
        gvs_problem(p, true, "drift", "gossipvs plan; gossipvs audit",
                    "%s%sthis kernel has not been as wanted for %.0f s", name, colon,
                    since(a->out_of_step));
}

/* How many namespaces beside this one, before or after it, are kept shut by the same. */
static size_t
also_shut(const struct gvs_agent *a, size_t i, bool before)
{
    size_t count = 0;

    for (size_t j = before ? 0 : i + 1; j < (before ? i : a->netns_count); j++)
        count += !a->netns[j]->kernel && a->netns[j]->there == a->netns[i]->there &&
                 strcmp(a->netns[j]->why, a->netns[i]->why) == 0;
    return count;
}

/* Those that are not open, and why; one line for all that share a reason. One that is there and is
 * not programmed is as bad as a kernel that refuses. */
static void
shut_problems(const struct gvs_agent *a, struct gvs_problems *p)
{
    for (size_t i = 0; i < a->netns_count; i++) {
        const struct gvs_netns *ns = a->netns[i];
        char more[48] = "";
        size_t others;

        if (ns->kernel || !ns->why[0] || also_shut(a, i, true) > 0)
            continue;
        others = also_shut(a, i, false);
        if (others > 0)
            snprintf(more, sizeof more, " (and %zu more)", others);
        gvs_problem(p, ns->there, "namespace",
                    strstr(ns->why, "CAP_SYS_ADMIN") ? "gossipvs.conf(5), namespaces, has a drop-in"
                                                     : "ip netns; it is tried again",
                    "namespace %s%s: %s", ns->name, more, ns->why);
    }
}

static void
netns_problems(const struct gvs_agent *a, struct gvs_problems *p)
{
    shut_problems(a, p);
    if (a->asked[0] && since(a->asked_at) > ANSWER_S)
        gvs_problem(p, false, "namespace", "systemctl restart gossipvsd (connections stay)",
                    "the helper that opens namespaces has not answered for %.0f s",
                    since(a->asked_at));
    if (a->helper_fault[0])
        gvs_problem(p, false, "namespace", "systemctl restart gossipvsd (connections stay)",
                    "the helper that opens namespaces has gone (%s): those that are open go on, no "
                    "other is opened",
                    a->helper_fault);
    if (a->netns_fault[0])
        gvs_problem(p, false, "namespace", "ls -ld /run/netns", "/run/netns cannot be read: %s",
                    a->netns_fault);
    if (a->netns_more > 0)
        gvs_problem(p, true, "namespace", "a narrower pattern in kernel { namespaces }",
                    "%zu namespaces more than the %d that one agent programs", a->netns_more,
                    GVS_AGENT_NETNS_MAX);
}

static void
hook_problems(const struct gvs_agent *a, struct gvs_problems *p)
{
    if (a->hook_fault[0])
        gvs_problem(p, false, "hook", "what it said is in the log", "hook %s: %s", a->cfg.on_change,
                    a->hook_fault);
}

/* In the namespace where the agent is: it sees no other's /proc/sys. */
static bool
is_zero(const char *path)
{
    FILE *f = fopen(path, "re");
    bool zero = f && fgetc(f) == '0';

    if (f)
        fclose(f);
    return zero;
}

/* One setting is told of before anybody asks doctor: by default it costs UDP clients whatever goes
 * through a server that goes. All others cost nothing, or everything, in which case people look. */
static void
sysctl_problem(const struct gvs_agent *a, struct gvs_problems *p)
{
    const struct gvs_netns *host = gvs_netns_host(a);
    const struct gvs_svcid udp = {.proto = GVS_PROTO_UDP};
    const struct gvs_item least = gvs_item_make_service(&udp), *first;

    if (!host || !host->kernel || gvs_kernel_observing(host->kernel))
        return;
    first = gvs_set_from(a->shown, &least);
    if (first && first->svc.proto == GVS_PROTO_UDP &&
        is_zero("/proc/sys/net/ipv4/vs/expire_nodest_conn"))
        gvs_problem(p, false, "sysctl", "gossipvs doctor --fix expire_nodest_conn",
                    "net.ipv4.vs.expire_nodest_conn is 0: UDP clients that keep their source port "
                    "are lost for up to 300 s when their server is removed");
}

static void
kernel_problems(const struct gvs_agent *a, struct gvs_problems *p)
{
    sysctl_problem(a, p);
    for (struct gvs_netns *ns = gvs_netns_next(a, NULL); ns; ns = gvs_netns_next(a, ns))
        kernel_problems_in(a, ns, p);
    netns_problems(a, p);
}

/* For a moment after each change it is not, and nobody asks about moments: what was in step may be
 * out of it for as long as health lets it. */
static bool
kernel_ready(const struct gvs_agent *a)
{
    return gvs_agent_observes(a) || gvs_agent_in_step(a) ||
           (a->was_in_step && since(a->out_of_step) <= OUT_OF_STEP_S);
}

bool
gvs_agent_ready(const struct gvs_agent *a, char *why, size_t cap)
{
    struct gvs_kernel_status k;

    why[0] = '\0';
    if (gvs_node_retired(a->node)) {
        snprintf(why, cap, "this node's id has been retired");
    } else if (!gvs_agent_complete(a)) {
        snprintf(why, cap, "no peer has confirmed this node's table yet");
    } else if (!kernel_ready(a)) {
        k = gvs_show_kernels(a);
        snprintf(why, cap, "this kernel is not in step (pending %zu, failed %zu)", k.pending,
                 k.failed);
    }
    return why[0] == '\0';
}

/* Looks only at services of which there is something to say, and lists up to a hundred of that. */
json_t *
gvs_problems(struct gvs_agent *a, bool *critical)
{
    struct gvs_problems p = {.list = json_array()};

    kernel_problems(a, &p);
    hook_problems(a, &p);
    network_problems(a, &p);
    member_problems(a, &p);
    gvs_alarms(a, &p);
    tombstone_problem(a, &p);
    file_problems(a, &p);
    gvs_maintenance_problems(a, &p);
    gvs_checks_problems(a, &p);
    troubles(a, &p);
    for (struct gvs_netns *ns = gvs_netns_next(a, NULL); ns; ns = gvs_netns_next(a, ns))
        netns_troubles(a, ns, &p);
    *critical = p.critical;
    return p.list;
}
