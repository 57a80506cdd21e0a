/* What IPVS needs of the system, one function a check, in the order in which they are shown.
 *
 * The kernel's side: Documentation/networking/ipvs-sysctl.rst and net/netfilter/ipvs. Of
 * arp_ignore, arp_announce and rp_filter the greater of conf/all and the interface's own counts
 * (IN_DEV_MAXCONF, include/linux/inetdevice.h), so that what is too great in conf/all cannot be
 * made right on an interface. */
#include "ipvs/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"

/* Below 6.2 one timer walks all services and destinations every two seconds, on one CPU, with
 * interrupts waiting: tens to hundreds of milliseconds on large tables. From how many on that is
 * felt depends on the machine; nothing special about 5,000. */
#define ESTIMATED_MAX 5000

#define CLIENT_MTU 1500 /* what clients on Ethernet send */

/* After how much silence a machine asks whether the other is still there, if it asks at all, and
 * how much more RFC 5382 (REQ-5) has a NAT wait. No mapping of UDP may last for less: RFC 4787
 * (REQ-5). */
#define KEEPALIVE_S 7200
#define KEEPALIVE_GRACE_S 240
#define UDP_S_MIN 120

struct facts {
    const struct gvs_doctor_use *use;
    const struct gvs_doctor_seen *seen;
};

const char *
gvs_doctor_path(enum gvs_doctor_sysctl which)
{
    static const char *const paths[] = {
#define X(name, path) [GVS_DOCTOR_##name] = (path),
        GVS_DOCTOR_SYSCTLS(X)
#undef X
    };

    GVS_ASSERT(which < GVS_DOCTOR_SYSCTL_COUNT);
    return paths[which];
}

bool
gvs_doctor_assume(struct gvs_doctor_use *use)
{
    if (use->items > 0)
        return false;
    use->nat4 = use->tcp = true;
    use->scheduler_count = 1;
    memcpy(use->schedulers[0], "wlc", sizeof "wlc");
    return true;
}

/* --- what findings have in common --- */

__attribute__((format(printf, 3, 4))) static void
append(char *text, size_t cap, const char *fmt, ...)
{
    size_t at = strlen(text);
    va_list ap;

    va_start(ap, fmt);
    if (vsnprintf(text + at, cap - at, fmt, ap) >= (int)(cap - at))
        memcpy(text + cap - 4, "...", 4);
    va_end(ap);
}

static void
add_write(struct gvs_doctor_finding *f, const char *path, const char *value)
{
    struct gvs_doctor_write *w = &f->writes[f->write_count++];

    GVS_ASSERT(f->write_count <= sizeof f->writes / sizeof *f->writes);
    GVS_ASSERT(!strstr(path, "/conf/all/") && !strstr(path, "/conf/default/")); /* I2 */
    GVS_ASSERT(strlen(path) < sizeof w->path && strlen(value) < sizeof w->value);
    memcpy(w->path, path, strlen(path) + 1);
    memcpy(w->value, value, strlen(value) + 1);
}

static void
unneeded(struct gvs_doctor_finding *f, const char *why)
{
    f->state = GVS_DOCTOR_UNNEEDED;
    f->why = why;
}

/* A number of /proc/sys as it is, and as it should be; false if there is none, or nothing to mend.
 */
static bool
differs(const struct facts *k, struct gvs_doctor_finding *f, enum gvs_doctor_sysctl which,
        int32_t wanted)
{
    int32_t v = k->seen->sysctl[which];

    snprintf(f->wanted, sizeof f->wanted, "%d", (int)wanted);
    if (v < 0)
        snprintf(f->found, sizeof f->found, "none");
    else
        snprintf(f->found, sizeof f->found, "%d", (int)v);
    return v != wanted;
}

/* The same, to be written if it is there. */
static bool
differs_and_set(const struct facts *k, struct gvs_doctor_finding *f, enum gvs_doctor_sysctl which,
                int32_t wanted)
{
    if (!differs(k, f, which, wanted))
        return false;
    if (k->seen->sysctl[which] >= 0)
        add_write(f, gvs_doctor_path(which), f->wanted);
    else
        snprintf(f->fix, sizeof f->fix, "this kernel has no %s: another one",
                 gvs_doctor_path(which));
    return true;
}

/* --- the kernel and its modules --- */

static void
judge_kernel(const struct facts *k, struct gvs_doctor_finding *f)
{
    bool old = k->seen->kernel < GVS_DOCTOR_KERNEL(5, 9);
    bool slow = old && k->seen->sysctl[GVS_DOCTOR_CONNTRACK] > 0 &&
                k->seen->sysctl[GVS_DOCTOR_CONN_REUSE_MODE] > 0;

    snprintf(f->found, sizeof f->found, "%s", k->seen->release[0] ? k->seen->release : "?");
    snprintf(f->wanted, sizeof f->wanted, "5.9 or later");
    f->why = "from 5.9 on connections to a removed server end at once, and a client's port can be "
             "used again without a pause";
    if (!old)
        return;
    f->state = slow ? GVS_DOCTOR_BAD : GVS_DOCTOR_WARN;
    f->why = slow ? "with conntrack, a client that uses a source port again waits a second; "
                    "connections to a removed server end only at their next packet"
                  : "connections to a removed server end only at their next packet";
    snprintf(f->fix, sizeof f->fix, "a newer kernel");
}

static void
judge_ip_vs(const struct facts *k, struct gvs_doctor_finding *f)
{
    snprintf(f->found, sizeof f->found, k->seen->ip_vs ? "loaded" : "not loaded");
    snprintf(f->wanted, sizeof f->wanted, "loaded");
    f->why = "it is what balances, and has what follows";
    if (k->seen->ip_vs)
        return;
    f->state = GVS_DOCTOR_BAD;
    f->why = "without it nothing is balanced, and nothing can be said of its sysctls";
    snprintf(f->fix, sizeof f->fix, "modprobe ip_vs");
}

/* "loaded: wlc, rr; missing: mh" */
static void
judge_schedulers(const struct facts *k, struct gvs_doctor_finding *f)
{
    static const struct {
        enum gvs_doctor_module module;
        const char *words;
    } groups[] = {
        {GVS_DOCTOR_MODULE_LOADED, "loaded"},
        {GVS_DOCTOR_MODULE_THERE, "available, not loaded yet"},
        {GVS_DOCTOR_MODULE_MISSING, "missing"},
        {GVS_DOCTOR_MODULE_UNKNOWN, "in use, without a list of modules to look them up in"}};

    f->why = "those in use: the kernel loads one when a VIP asks for it, and refuses the VIP if it "
             "cannot";
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
        bool any = false;

        for (size_t i = 0; i < k->use->scheduler_count; i++) {
            const char *name = k->use->schedulers[i];

            if (k->seen->schedulers[i] != groups[g].module)
                continue;
            if (any)
                append(f->found, sizeof f->found, ", %s", name);
            else
                append(f->found, sizeof f->found, "%s%s: %s", f->found[0] ? "; " : "",
                       groups[g].words, name);
            any = true;
            if (groups[g].module != GVS_DOCTOR_MODULE_MISSING)
                continue;
            f->state = GVS_DOCTOR_BAD;
            snprintf(f->fix, sizeof f->fix,
                     "install the module ip_vs_%s, or gossipvs vip set VIP scheduler wlc", name);
        }
    }
}

/* --- what IPVS does with connections --- */

/* Of IPVS's own sysctls nothing can be said without it. */
static bool
without_ip_vs(const struct facts *k, struct gvs_doctor_finding *f)
{
    if (k->seen->ip_vs)
        return false;
    unneeded(f, "ip_vs is not loaded");
    snprintf(f->fix, sizeof f->fix, "modprobe ip_vs");
    return true;
}

/* Measured: by default a UDP client gets EPERM, or no answer, until the entry has timed out. To set
 * it is safe because a service that did not change is never deleted. */
static void
judge_expire_nodest_conn(const struct facts *k, struct gvs_doctor_finding *f)
{
    bool wrong = differs_and_set(k, f, GVS_DOCTOR_EXPIRE_NODEST_CONN, 1);

    f->why = "when a server is removed, its clients get to another one with their next packet "
             "(UDP), or know at once that the connection is over (TCP)";
    if (without_ip_vs(k, f) || !wrong)
        return;
    f->state = k->use->udp ? GVS_DOCTOR_BAD : GVS_DOCTOR_WARN;
    f->why = k->use->udp ? "UDP clients that keep their source port are lost for up to 300 s when "
                           "their server is removed"
                         : "a connection whose server was removed hangs for up to 900 s instead of "
                           "being reset";
}

/* Measured with 0: time-out. Any other value is a choice of when, not whether. */
static void
judge_conn_reuse_mode(const struct facts *k, struct gvs_doctor_finding *f)
{
    f->why = "a client that uses a source port again is scheduled anew";
    if (k->seen->sysctl[GVS_DOCTOR_CONN_REUSE_MODE] > 0) {
        snprintf(f->found, sizeof f->found, "%d", (int)k->seen->sysctl[GVS_DOCTOR_CONN_REUSE_MODE]);
        snprintf(f->wanted, sizeof f->wanted, "1");
    } else if (differs_and_set(k, f, GVS_DOCTOR_CONN_REUSE_MODE, 1)) {
        f->state = GVS_DOCTOR_BAD;
        f->why = "a client that uses a source port again is sent to the server that it had before, "
                 "dead or drained";
    }
    without_ip_vs(k, f);
}

static void
judge_expire_quiescent_template(const struct facts *k, struct gvs_doctor_finding *f)
{
    bool wrong = differs_and_set(k, f, GVS_DOCTOR_EXPIRE_QUIESCENT_TEMPLATE, 1);

    f->why = "a persistent client leaves a server of weight 0, as the drained and those of dead "
             "members have";
    if (without_ip_vs(k, f))
        return;
    if (!k->use->persistent) {
        unneeded(f, "no VIP is persistent");
    } else if (wrong) {
        f->state = GVS_DOCTOR_BAD;
        f->why =
            "persistent clients go on being sent to a server of weight 0: one that is drained, "
            "or of a dead member";
    }
}

/* Measured: without it a rule that masquerades sees nothing of what IPVS sends. Which rules mean
 * IPVS cannot be told, but those that say so can. Where no rule does, 1 only costs an entry of
 * conntrack for each connection. */
static void
judge_conntrack(const struct facts *k, struct gvs_doctor_finding *f)
{
    if (k->seen->rules) {
        if (differs_and_set(k, f, GVS_DOCTOR_CONNTRACK, 1))
            f->state = GVS_DOCTOR_BAD;
        append(f->found, sizeof f->found, ", rules with -m ipvs");
        f->why = "rules of iptables with -m ipvs are in use, and see packets of IPVS only with "
                 "conntrack: what they should masquerade times out without";
    } else {
        differs_and_set(k, f, GVS_DOCTOR_CONNTRACK, 1);
        append(f->found, sizeof f->found, ", no rule with -m ipvs");
        snprintf(f->wanted, sizeof f->wanted, "any");
        f->why = "1 is needed only where a rule masquerades what IPVS sends";
    }
    without_ip_vs(k, f);
}

/* Measured: 3 s, and after 4 s of silence the connection is reset. What keepalive a client or a
 * server uses cannot be seen; this node's own is as good a guess as any, and 7200 on most. */
static uint32_t
keepalive_of(const struct facts *k)
{
    int32_t v = k->seen->sysctl[GVS_DOCTOR_TCP_KEEPALIVE_TIME];

    return v > 0 ? (uint32_t)v : KEEPALIVE_S;
}

static void
judge_timeouts_of(const struct facts *k, struct gvs_doctor_finding *f)
{
    const struct gvs_doctor_seen *s = k->seen;
    uint32_t keepalive = keepalive_of(k);
    bool tcp = k->use->tcp && s->tcp_s > 0 && s->tcp_s <= keepalive;
    bool udp = k->use->udp && s->udp_s > 0 && s->udp_s < UDP_S_MIN;

    snprintf(f->found, sizeof f->found, "tcp %u, tcpfin %u, udp %u", s->tcp_s, s->tcpfin_s,
             s->udp_s);
    if (k->use->tcp)
        append(f->wanted, sizeof f->wanted, "tcp over %u", keepalive);
    if (k->use->udp)
        append(f->wanted, sizeof f->wanted, "%sudp %d or more", k->use->tcp ? ", " : "", UDP_S_MIN);
    if (!tcp && !udp)
        return;
    f->state = GVS_DOCTOR_WARN;
    f->why = tcp ? "a connection that is silent for longer than tcp is forgotten, and reset with "
                   "its next packet; keepalive comes only after tcp_keepalive_time, as here so "
                   "likely on clients and servers"
                 : "a UDP client that is silent for longer than udp is forgotten, and gets to "
                   "another server with its next packet";
    snprintf(f->fix, sizeof f->fix,
             "ipvsadm --set %u 0 %d (until the next boot; 0 leaves as it is)",
             tcp ? keepalive + KEEPALIVE_GRACE_S : 0, udp ? UDP_S_MIN : 0);
}

static void
judge_timeouts(const struct facts *k, struct gvs_doctor_finding *f)
{
    f->why = "who is silent for longer is forgotten: an open connection is reset with its next "
             "packet, and datagrams get to another server";
    if (without_ip_vs(k, f))
        return;
    if (!k->use->tcp && !k->use->udp) {
        unneeded(f, "no VIP of tcp or udp");
    } else if (k->seen->tcp_s + k->seen->tcpfin_s + k->seen->udp_s == 0) {
        f->state = GVS_DOCTOR_WARN;
        f->why = "the agent got no answer about them from the kernel";
        snprintf(f->fix, sizeof f->fix, "ipvsadm -l --timeout");
    } else {
        judge_timeouts_of(k, f);
    }
}

static void
judge_run_estimation(const struct facts *k, struct gvs_doctor_finding *f)
{
    bool wrong = differs_and_set(k, f, GVS_DOCTOR_RUN_ESTIMATION, 0);

    if (without_ip_vs(k, f))
        return;
    if (k->seen->kernel >= GVS_DOCTOR_KERNEL(6, 2)) {
        unneeded(f, "this kernel estimates rates in threads of their own");
    } else if (k->use->items <= ESTIMATED_MAX) {
        unneeded(f, "the table is small");
    } else {
        f->state = wrong ? GVS_DOCTOR_WARN : GVS_DOCTOR_OK;
        f->why = "every two seconds a timer walks all services and servers to estimate rates, and "
                 "holds up one CPU's packets meanwhile; gossipvs reads no rates";
    }
}

/* --- what the node does with packets --- */

static void
judge_ip_forward(const struct facts *k, struct gvs_doctor_finding *f)
{
    bool wrong = differs_and_set(k, f, GVS_DOCTOR_IP_FORWARD, 1);

    f->why = "answers of servers behind forward nat pass through this node";
    if (!k->use->nat4) {
        unneeded(f, "no IPv4 backend with forward nat");
    } else if (wrong) {
        f->state = GVS_DOCTOR_BAD;
        f->why =
            "answers of servers behind forward nat are dropped here: clients on other machines "
            "time out";
    }
}

/* The kernel forwards IPv6 only if conf/all says so, which has every interface stop taking router
 * advertisements: a node could lose its default route by it. Not ours to write (I2). */
static void
judge_ipv6_forwarding(const struct facts *k, struct gvs_doctor_finding *f)
{
    bool wrong = differs(k, f, GVS_DOCTOR_IPV6_FORWARDING, 1);

    f->why = "answers of servers behind forward nat pass through this node";
    if (!k->use->nat6) {
        unneeded(f, "no IPv6 backend with forward nat");
    } else if (wrong) {
        f->state = GVS_DOCTOR_BAD;
        f->why =
            "answers of servers behind forward nat are dropped here: clients on other machines "
            "time out";
        snprintf(f->fix, sizeof f->fix,
                 "sysctl -w net.ipv6.conf.all.forwarding=1 (it has interfaces ignore router "
                 "advertisements, unless their accept_ra is 2)");
    }
}

/* Which way a server's answers take is a matter of its own routes, and cannot be seen from here;
 * nor which packets a rule means. What can: a server in no network of this node's has a router
 * between, by whose routes its answers go, and whether any rule masquerades at all. */
static void
judge_masquerade_of(const struct facts *k, size_t remote, size_t first,
                    struct gvs_doctor_finding *f)
{
    char addr[GVS_ADDR_TEXT_LEN];
    bool sees = k->seen->sysctl[GVS_DOCTOR_CONNTRACK] > 0;

    gvs_addr_format(addr, &k->use->servers[first]);
    snprintf(f->found, sizeof f->found, "%s behind a router", addr);
    if (remote > 1)
        append(f->found, sizeof f->found, ", and %zu more", remote - 1);
    append(f->found, sizeof f->found, ", %s%s",
           k->seen->masquerade ? "rules that masquerade" : "no rule", sees ? "" : ", conntrack 0");
    snprintf(f->wanted, sizeof f->wanted, "a rule, conntrack 1");
    if (k->seen->masquerade && sees)
        return;
    f->state = GVS_DOCTOR_WARN;
    f->why = k->seen->masquerade
                 ? "a server's answers pass its router by that one's routes; should a rule that "
                   "masquerades lead them here, it sees nothing of IPVS without conntrack"
                 : "a server's answers pass its router by that one's routes; where these do not "
                   "lead here, and nothing masquerades what goes to it, clients time out";
    snprintf(f->fix, sizeof f->fix, "%sgossipvs doctor --fix conntrack",
             k->seen->masquerade ? ""
                                 : "iptables -t nat -A POSTROUTING -m ipvs --ipvs --vdir ORIGINAL "
                                   "--vmethod MASQ -j MASQUERADE; ");
}

static void
judge_masquerade(const struct facts *k, struct gvs_doctor_finding *f)
{
    size_t remote = 0, first = 0;

    for (size_t i = k->use->server_count; i-- > 0;)
        if (k->seen->remote[i]) {
            remote++;
            first = i;
        }
    f->why = "answers of servers behind forward nat have to come back through this node: because "
             "it is their way to clients, or a rule masquerades what goes to them";
    if (k->use->server_count == 0)
        unneeded(f, "no backend with forward nat");
    else if (remote > 0)
        judge_masquerade_of(k, remote, first, f);
    else
        snprintf(f->found, sizeof f->found, "servers in this node's networks");
    if (k->use->server_count == GVS_DOCTOR_SERVERS_MAX)
        append(f->found, sizeof f->found, " (%d looked at)", GVS_DOCTOR_SERVERS_MAX);
}

static int32_t
greater(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

static void
set_link(struct gvs_doctor_finding *f, const char *link, const char *what, const char *value)
{
    char path[sizeof f->writes->path];

    snprintf(path, sizeof path, "net/ipv4/conf/%s/%s", link, what);
    add_write(f, path, value);
}

/* Packets that come out of a tunnel have the clients' addresses, to which no route leads by way of
 * the tunnel: strictly filtered they are dropped (martians). */
static void
judge_rp_filter(const struct facts *k, struct gvs_doctor_finding *f)
{
    const struct gvs_doctor_seen *s = k->seen;

    f->why = "what comes out of a tunnel has clients' addresses, to which no route leads by way of "
             "it; strictly filtered (1) it is dropped";
    for (size_t i = 0; i < s->link_count; i++) {
        const struct gvs_doctor_link *l = &s->links[i];

        if (!l->unpack || greater(s->sysctl[GVS_DOCTOR_RP_FILTER], l->rp_filter) != 1)
            continue;
        append(f->found, sizeof f->found, "%s%s 1", f->found[0] ? ", " : "", l->name);
        set_link(f, l->name, "rp_filter", "2");
        f->state = GVS_DOCTOR_BAD;
    }
    snprintf(f->wanted, sizeof f->wanted, "0 or 2");
    if (!s->unpacks)
        unneeded(f, "no backend with forward tun on this node");
}

/* An address on the dummy interface is as good as any to the kernel. 1, 2 and 8 have it answer only
 * for what is on the interface where it was asked; 3 would answer for a VIP, whose scope is global
 * (arp_ignore in net/ipv4/arp.c). */
static bool
answers(int32_t arp_ignore)
{
    return arp_ignore != 1 && arp_ignore != 2 && arp_ignore != 8;
}

static void
judge_arp_on(const struct gvs_doctor_seen *s, const struct gvs_doctor_link *l,
             struct gvs_doctor_finding *f)
{
    int32_t ignore = greater(s->sysctl[GVS_DOCTOR_ARP_IGNORE], l->arp_ignore);
    int32_t announce = greater(s->sysctl[GVS_DOCTOR_ARP_ANNOUNCE], l->arp_announce);

    if (!answers(ignore) && announce == 2)
        return;
    f->state = GVS_DOCTOR_WARN;
    append(f->found, sizeof f->found, "%s%s %d %d", f->found[0] ? ", " : "", l->name, (int)ignore,
           (int)announce);
    if (announce < 2)
        set_link(f, l->name, "arp_announce", "2");
    if (answers(ignore) && s->sysctl[GVS_DOCTOR_ARP_IGNORE] <= 0)
        set_link(f, l->name, "arp_ignore", "1");
    else if (answers(ignore))
        snprintf(f->fix, sizeof f->fix, "net.ipv4.conf.all.arp_ignore is %d: not ours to lower",
                 (int)s->sysctl[GVS_DOCTOR_ARP_IGNORE]);
}

static void
judge_arp(const struct facts *k, struct gvs_doctor_finding *f)
{
    bool asked = false;

    for (size_t i = 0; i < k->seen->link_count; i++) {
        if (!k->seen->links[i].asked)
            continue;
        asked = true;
        judge_arp_on(k->seen, &k->seen->links[i], f);
    }
    snprintf(f->wanted, sizeof f->wanted, "arp_ignore 1, arp_announce 2");
    f->why =
        "every member has every VIP, and each that is asked by a neighbour who has it answers: "
        "which one is heard is chance. Once none does, a route or VRRP has to lead to one";
    if (!asked)
        unneeded(f, "no IPv4 VIP lies in a network of an interface: no neighbour asks for one");
    else if (k->use->members < 2)
        unneeded(f, "no other member would answer for the VIPs");
}

/* --- tunnels --- */

/* Bytes around a packet (ip_vs_tunnel_xmit): the outer header, GRE's or GUE's own. */
static uint32_t
overhead(const struct gvs_doctor_tunnel *t)
{
    uint32_t outer = t->addr.family == GVS_FAMILY_V6 ? 40 : 20;

    return outer + (t->kind == GVS_TUNNEL_GRE ? 4 : t->kind == GVS_TUNNEL_GUE ? 8 + 4 : 0);
}

static void
judge_path(const struct gvs_doctor_tunnel *t, uint32_t mtu, struct gvs_doctor_finding *f)
{
    uint32_t need = CLIENT_MTU + overhead(t), headers = t->addr.family == GVS_FAMILY_V6 ? 60 : 40;
    uint32_t room = mtu > overhead(t) + headers ? mtu - overhead(t) - headers : 0;
    char addr[GVS_ADDR_TEXT_LEN];

    gvs_addr_format(addr, &t->addr);
    snprintf(f->wanted, sizeof f->wanted, "%u", need);
    snprintf(f->found, sizeof f->found, "%u to %s", mtu, addr);
    if (mtu == 0) {
        f->state = GVS_DOCTOR_BAD;
        f->why = "a server that cannot be reached serves nobody";
        snprintf(f->found, sizeof f->found, "no route to %s", addr);
        snprintf(f->fix, sizeof f->fix, "ip route get %s", addr);
    } else if (mtu < need) {
        f->state = GVS_DOCTOR_WARN;
        f->why = "a client's full packet does not fit into the tunnel: each has to be told to send "
                 "smaller ones, and hangs where such messages are filtered";
        snprintf(f->fix, sizeof f->fix,
                 "a greater MTU on the way there, or ip route change ... advmss %u on the servers",
                 room);
    }
}

/* The worst path counts, and of equals the first. */
static void
judge_mtu(const struct facts *k, struct gvs_doctor_finding *f)
{
    f->why = "full packets of clients fit into the tunnels";
    if (k->use->tunnel_count == 0)
        unneeded(f, "no backend with forward tun");
    for (size_t i = 0; i < k->use->tunnel_count; i++) {
        struct gvs_doctor_finding one = *f;

        one.state = GVS_DOCTOR_OK;
        judge_path(&k->use->tunnels[i], k->seen->mtu[i], &one);
        if (i == 0 || one.state > f->state)
            *f = one;
    }
}

/* --- the agent's own port --- */

/* Is the port in a list such as "8080,9148-9150"? */
static bool
is_reserved(const char *list, uint16_t port)
{
    while (*list) {
        char *end;
        unsigned long first = strtoul(list, &end, 10), last = first;

        if (*end == '-')
            last = strtoul(end + 1, &end, 10);
        if (first <= port && port <= last)
            return true;
        list = end + strcspn(end, ",");
        list += *list == ',';
    }
    return false;
}

static void
judge_local_ports(const struct facts *k, struct gvs_doctor_finding *f)
{
    const struct gvs_doctor_seen *s = k->seen;
    char list[sizeof f->writes->value];

    snprintf(f->found, sizeof f->found, "%u to %u", s->port_first, s->port_last);
    snprintf(f->wanted, sizeof f->wanted, "without %u", k->use->port);
    f->why = "the system lends no other program the agent's port while the agent is down";
    if (k->use->port < s->port_first || k->use->port > s->port_last)
        return;
    if (is_reserved(s->reserved, k->use->port)) {
        append(f->found, sizeof f->found, ", but %u is reserved", k->use->port);
        return;
    }
    f->state = GVS_DOCTOR_WARN;
    f->why = "while the agent is down, the system may lend its port to another program; then it "
             "does not start";
    snprintf(list, sizeof list, "%s%s%u", s->reserved, s->reserved[0] ? "," : "", k->use->port);
    if (!s->reserved_more)
        add_write(f, "net/ipv4/ip_local_reserved_ports", list);
    else
        snprintf(f->fix, sizeof f->fix, "add %u to net.ipv4.ip_local_reserved_ports", k->use->port);
}

/* --- all of them --- */

static const struct {
    const char *name;
    void (*judge)(const struct facts *k, struct gvs_doctor_finding *f);
    enum gvs_doctor_scope scope;
    bool sets;
} checks[] = {
    {"kernel", judge_kernel, GVS_DOCTOR_MACHINE, false},
    {"ip_vs", judge_ip_vs, GVS_DOCTOR_MACHINE, false},
    {"schedulers", judge_schedulers, GVS_DOCTOR_MACHINE, false},
    {"expire_nodest_conn", judge_expire_nodest_conn, GVS_DOCTOR_NAMESPACE, true},
    {"expire_quiescent_template", judge_expire_quiescent_template, GVS_DOCTOR_NAMESPACE, true},
    {"conn_reuse_mode", judge_conn_reuse_mode, GVS_DOCTOR_NAMESPACE, true},
    {"timeouts", judge_timeouts, GVS_DOCTOR_NAMESPACE, false},
    {"conntrack", judge_conntrack, GVS_DOCTOR_NAMESPACE, true},
    {"masquerade", judge_masquerade, GVS_DOCTOR_NAMESPACE, false},
    {"run_estimation", judge_run_estimation, GVS_DOCTOR_NAMESPACE, true},
    {"ip_forward", judge_ip_forward, GVS_DOCTOR_NAMESPACE, true},
    {"ipv6_forwarding", judge_ipv6_forwarding, GVS_DOCTOR_NAMESPACE, false},
    {"rp_filter", judge_rp_filter, GVS_DOCTOR_NAMESPACE, true},
    {"arp", judge_arp, GVS_DOCTOR_NAMESPACE, true},
    {"mtu", judge_mtu, GVS_DOCTOR_NAMESPACE, false},
    {"local_ports", judge_local_ports, GVS_DOCTOR_AGENT, true},
};

size_t
gvs_doctor_count(void)
{
    return sizeof checks / sizeof *checks;
}

const char *
gvs_doctor_name(size_t i)
{
    GVS_ASSERT(i < gvs_doctor_count());
    return checks[i].name;
}

bool
gvs_doctor_sets(size_t i)
{
    GVS_ASSERT(i < gvs_doctor_count());
    return checks[i].sets;
}

void
gvs_doctor_judge(size_t i, const struct gvs_doctor_use *use, const struct gvs_doctor_seen *seen,
                 struct gvs_doctor_finding *out)
{
    struct facts k = {use, seen};

    GVS_ASSERT(i < gvs_doctor_count());
    GVS_ASSERT(use->scheduler_count <= GVS_DOCTOR_SCHEDULERS_MAX);
    GVS_ASSERT(use->tunnel_count <= GVS_DOCTOR_TUNNELS_MAX);
    GVS_ASSERT(use->server_count <= GVS_DOCTOR_SERVERS_MAX);
    GVS_ASSERT(seen->link_count <= GVS_DOCTOR_LINKS_MAX);
    memset(out, 0, sizeof *out);
    out->name = checks[i].name;
    out->scope = checks[i].scope;
    checks[i].judge(&k, out);
    GVS_ASSERT(checks[i].sets || out->write_count == 0);
    GVS_ASSERT(out->why != NULL);
}
