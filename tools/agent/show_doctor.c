/* doctor: what this node does, as far as the system has to suit it.
 *
 * The agent sets nothing there, nor does it look at more than IPVS: it has given up what that takes
 * (tools/process/confine.h), speaks to other namespaces by sockets alone, and writes no sysctl (it
 * would not be this node's table that it changes, but the machine). So the client looks and sets,
 * with the rights of whoever runs it (tools/cli/doctor.c): to set a sysctl is a matter between him
 * and the kernel, and no permission of the control socket's stands for it. */
#include <string.h>
#include <sys/stat.h>

#include "ipvs/doctor.h"
#include "tools/agent/agent.h"

static void
take_scheduler(struct gvs_doctor_use *u, const char *name)
{
    for (size_t i = 0; i < u->scheduler_count; i++)
        if (strcmp(u->schedulers[i], name) == 0)
            return;
    if (u->scheduler_count < GVS_DOCTOR_SCHEDULERS_MAX)
        memcpy(u->schedulers[u->scheduler_count++], name, sizeof *u->schedulers);
}

static void
take_tunnel(struct gvs_doctor_use *u, const struct gvs_item *item)
{
    for (size_t i = 0; i < u->tunnel_count; i++)
        if (gvs_addr_cmp(&u->tunnels[i].addr, &item->ep.addr) == 0 &&
            u->tunnels[i].kind == item->dest.tunnel)
            return;
    if (u->tunnel_count == GVS_DOCTOR_TUNNELS_MAX)
        return;
    u->tunnels[u->tunnel_count].addr = item->ep.addr;
    u->tunnels[u->tunnel_count++].kind = item->dest.tunnel;
}

/* Of those with forward nat. */
static void
take_server(struct gvs_doctor_use *u, const struct gvs_addr *addr)
{
    for (size_t i = 0; i < u->server_count; i++)
        if (gvs_addr_cmp(&u->servers[i], addr) == 0)
            return;
    if (u->server_count < GVS_DOCTOR_SERVERS_MAX)
        u->servers[u->server_count++] = *addr;
}

/* Of a mark's service the protocol is the firewall's secret: it may be either. */
static void
take_item(struct gvs_doctor_use *u, const struct gvs_item *item)
{
    bool v6 = item->svc.addr.family == GVS_FAMILY_V6;

    u->items++;
    if (item->kind == GVS_ITEM_SERVICE) {
        u->tcp |= item->svc.proto == GVS_PROTO_TCP || item->svc.fwmark > 0;
        u->udp |= item->svc.proto == GVS_PROTO_UDP || item->svc.fwmark > 0;
        u->persistent |= item->service.persistent > 0;
        take_scheduler(u, item->service.sched);
    } else if (item->dest.forward == GVS_FORWARD_NAT) {
        u->nat4 |= !v6;
        u->nat6 |= v6;
        take_server(u, &item->ep.addr);
    } else if (item->dest.forward == GVS_FORWARD_TUN) {
        take_tunnel(u, item);
    }
}

static json_t *
tunnels_json(const struct gvs_doctor_use *u)
{
    static const char *const kinds[] = {
        [GVS_TUNNEL_IPIP] = "ipip", [GVS_TUNNEL_GUE] = "gue", [GVS_TUNNEL_GRE] = "gre"};
    json_t *list = json_array();
    char addr[GVS_ADDR_TEXT_LEN];

    for (size_t i = 0; i < u->tunnel_count; i++) {
        gvs_addr_format(addr, &u->tunnels[i].addr);
        json_array_append_new(
            list, json_pack("{s:s, s:s}", "address", addr, "tunnel", kinds[u->tunnels[i].kind]));
    }
    return list;
}

static json_t *
servers_json(const struct gvs_doctor_use *u)
{
    json_t *list = json_array();
    char addr[GVS_ADDR_TEXT_LEN];

    for (size_t i = 0; i < u->server_count; i++) {
        gvs_addr_format(addr, &u->servers[i]);
        json_array_append_new(list, json_string(addr));
    }
    return list;
}

static json_t *
seconds_json(uint32_t seconds)
{
    return seconds > 0 ? json_integer(seconds) : json_null();
}

/* The one thing of the system that the agent reads: a matter of IPVS, which it speaks to as it is,
 * and which the kernel tells nobody without CAP_NET_ADMIN. */
static json_t *
timeouts_json(struct gvs_netns *ns)
{
    struct gvs_timeouts t;

    if (!ns->kernel || gvs_kernel_timeouts(ns->kernel, &t) < 0)
        return json_null();
    return json_pack("{s:o, s:o, s:o}", "tcp", seconds_json(t.tcp), "tcpfin",
                     seconds_json(t.tcpfin), "udp", seconds_json(t.udp));
}

/* Those that are programmed. By device and inode a client knows the one that he is in. */
static json_t *
namespaces_json(const struct gvs_agent *a)
{
    json_t *list = json_array();
    struct stat st = {0};

    for (struct gvs_netns *ns = gvs_netns_next(a, NULL); ns; ns = gvs_netns_next(a, ns)) {
        st.st_dev = ns->dev;
        st.st_ino = ns->ino;
        if (ns->host && stat("/proc/self/ns/net", &st) < 0)
            memset(&st, 0, sizeof st); /* known to be none that there is */
        json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:o}", "name", ns->name, "device",
                                              (json_int_t)st.st_dev, "inode", (json_int_t)st.st_ino,
                                              "timeouts", timeouts_json(ns)));
    }
    return list;
}

static json_t *
use_json(const struct gvs_agent *a, const struct gvs_doctor_use *u)
{
    json_t *nat = json_array(), *schedulers = json_array();
    size_t services = gvs_set_services(a->shown);

    if (u->nat4)
        json_array_append_new(nat, json_string("ipv4"));
    if (u->nat6)
        json_array_append_new(nat, json_string("ipv6"));
    for (size_t i = 0; i < u->scheduler_count; i++)
        json_array_append_new(schedulers, json_string(u->schedulers[i]));
    return json_pack("{s:s, s:I, s:I, s:b, s:b, s:b, s:o, s:o, s:o, s:o, s:s, s:I, s:I, s:o}",
                     "schema", "gossipvs/1", "services", (json_int_t)services, "destinations",
                     (json_int_t)(u->items - services), "tcp", (int)u->tcp, "udp", (int)u->udp,
                     "persistent", (int)u->persistent, "nat", nat, "servers", servers_json(u),
                     "schedulers", schedulers, "tunnels", tunnels_json(u), "interface",
                     a->cfg.interface, "port", (json_int_t)a->cfg.bind.port, "members",
                     (json_int_t)gvs_node_count(a->node).alive, "namespaces", namespaces_json(a));
}

void
gvs_show_doctor(struct gvs_request *r)
{
    struct gvs_doctor_use u = {0};
    struct gvs_range all = gvs_set_all(r->a->shown);

    if (gvs_show_too_many_words(r, 0))
        return;
    for (; all.at < all.end; all.at++)
        take_item(&u, all.at);
    gvs_request_answer(r, use_json(r->a, &u), true);
}
