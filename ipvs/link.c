/* A VIP's address is a plain one, /32 or /128, scope global and for ever: what `ip addr add` makes,
 * what was measured, and what whoever looks expects. The kernel makes its local route with the VIP
 * as source; ours says the node.
 *
 * IPv4: the local route is replaced in place. But when the kernel takes an address away it
 * deletes its local route only if the source is still the address itself, so removal does it by
 * hand. (An interface that was set down and up has both routes: ours, which comes first, and the
 * kernel's, which goes with the address.)
 *
 * IPv6: the kernel's local route has metric 0, which nobody else can write (0 means 1024 there),
 * and comes before every other. So ours is added behind it, and then the kernel's is deleted: there
 * is no moment without one. The kernel does not miss it when the address goes.
 *
 * libnl folds several errnos into one code; the kernel's own is kept by a callback. */
#include "ipvs/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <netlink/addr.h>
#include <netlink/cache.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "ipvs/nl.h"

/* The kernel answers before sendmsg returns; this is for an answer that was lost. */
#define SILENCE_S 2

/* What IPv6 makes of a route without metric (IP6_RT_PRIO_USER, include/uapi/linux/ipv6_route.h). */
#define METRIC_V6 1024

#define AWAIT_MS 50

struct gvs_link {
    struct nl_sock *sk;
    char name[IFNAMSIZ];
    bool observe;
    int ifindex; /* 0: not there */
    struct gvs_addr source4, source6;
    int error; /* the errno in the kernel's last refusal */
};

static int
keep_error(struct sockaddr_nl *from, struct nlmsgerr *e, void *ctx)
{
    struct gvs_link *l = ctx;

    (void)from;
    l->error = -e->error;
    return NL_STOP;
}

/* After each answer that did not come whole, and, should more of it have come since, before all
 * that the caller may ask for: else no request would have its own answer ever again. */
static void
drain(struct gvs_link *l)
{
    gvs_nl_drain(nl_socket_get_fd(l->sk));
}

/* A libnl result as one of ours, with errno. */
static int
result(struct gvs_link *l, int err)
{
    int error = l->error;

    l->error = 0;
    if (err >= 0)
        return GVS_OK;
    if (error == 0)
        drain(l);
    if (error == 0)
        error = err == -NLE_NOMEM ? ENOMEM : err == -NLE_AGAIN ? ETIMEDOUT : EIO;
    errno = error;
    return error == EPERM ? GVS_E_REFUSED : GVS_E_SYS;
}

static int
out_of_memory(void)
{
    errno = ENOMEM;
    return GVS_E_SYS;
}

static int
af_of(const struct gvs_addr *a)
{
    GVS_ASSERT(a->family == GVS_FAMILY_V4 || a->family == GVS_FAMILY_V6);
    return a->family == GVS_FAMILY_V4 ? AF_INET : AF_INET6;
}

static struct nl_addr *
to_nl(const struct gvs_addr *a)
{
    return nl_addr_build(af_of(a), a->b, gvs_addr_bytes(a));
}

/* All zero if it is none. */
static void
from_nl(struct gvs_addr *out, const struct nl_addr *a)
{
    size_t len = a ? nl_addr_get_len(a) : 0;

    *out = (struct gvs_addr){0};
    if (len == 4 && nl_addr_get_family(a) == AF_INET)
        out->family = GVS_FAMILY_V4;
    else if (len == 16 && nl_addr_get_family(a) == AF_INET6)
        out->family = GVS_FAMILY_V6;
    else
        return;
    memcpy(out->b, nl_addr_get_binary_addr(a), len);
}

static bool
is_link_local(const struct gvs_addr *a)
{
    return a->family == GVS_FAMILY_V6 && a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

/* The interface. */

/* GVS_E_NOTFOUND, or *up. */
static int
find_interface(struct gvs_link *l, bool *up)
{
    struct rtnl_link *link;
    const char *type;
    int err = rtnl_link_get_kernel(l->sk, 0, l->name, &link);

    l->ifindex = 0;
    if (err == -NLE_OBJ_NOTFOUND || err == -NLE_NODEV) {
        l->error = 0;
        return GVS_E_NOTFOUND;
    }
    if (err < 0)
        return result(l, err);
    type = rtnl_link_get_type(link);
    *up = rtnl_link_get_flags(link) & IFF_UP;
    if (type && strcmp(type, "dummy") == 0)
        l->ifindex = rtnl_link_get_ifindex(link);
    rtnl_link_put(link);
    return l->ifindex ? GVS_OK : GVS_E_CONFLICT;
}

/* Makes it, up, or sets the one up that is there. */
static int
make_interface(struct gvs_link *l)
{
    struct rtnl_link *link = rtnl_link_alloc();
    int err;

    if (!link)
        return out_of_memory();
    rtnl_link_set_name(link, l->name);
    rtnl_link_set_flags(link, IFF_UP);
    if (l->ifindex) {
        rtnl_link_set_ifindex(link, l->ifindex);
        err = rtnl_link_change(l->sk, link, link, 0);
    } else {
        err = rtnl_link_set_type(link, "dummy");
        if (err >= 0)
            err = rtnl_link_add(l->sk, link, NLM_F_CREATE | NLM_F_EXCL);
    }
    rtnl_link_put(link);
    return result(l, err);
}

/* There, a dummy, and up. */
static int
ensure_interface(struct gvs_link *l)
{
    bool up = false;
    int rc = find_interface(l, &up);

    if (rc == GVS_OK && up)
        return GVS_OK;
    if (rc != GVS_OK && rc != GVS_E_NOTFOUND)
        return rc;
    rc = make_interface(l);
    return rc == GVS_OK ? find_interface(l, &up) : rc;
}

/* Addresses. */

static int
change_addr(struct gvs_link *l, const struct gvs_addr *vip, bool add)
{
    struct rtnl_addr *addr = rtnl_addr_alloc();
    struct nl_addr *local = to_nl(vip);
    int err = -NLE_NOMEM;

    if (!addr || !local)
        goto out;
    rtnl_addr_set_ifindex(addr, l->ifindex);
    err = rtnl_addr_set_local(addr, local); /* with it family and prefix length */
    if (err < 0)
        goto out;
    if (vip->family == GVS_FAMILY_V6)
        rtnl_addr_set_flags(addr, IFA_F_NODAD);
    err = add ? rtnl_addr_add(l->sk, addr, NLM_F_CREATE | NLM_F_EXCL)
              : rtnl_addr_delete(l->sk, addr, 0);
out:
    nl_addr_put(local);
    rtnl_addr_put(addr);
    return result(l, err);
}

static int
add_addr(struct gvs_link *l, const struct gvs_addr *vip, bool *changed)
{
    int rc = change_addr(l, vip, true);

    if (rc == GVS_E_SYS && errno == ENODEV) {
        rc = ensure_interface(l);
        if (rc == GVS_OK)
            rc = change_addr(l, vip, true);
    }
    if (rc == GVS_E_SYS && errno == EEXIST)
        return GVS_OK;
    *changed |= rc == GVS_OK;
    return rc;
}

/* Routes. */

/* The local route of a VIP, all but source and metric. NULL: no memory. */
static struct rtnl_route *
make_route(const struct gvs_link *l, const struct gvs_addr *vip, uint8_t protocol)
{
    struct rtnl_route *route = rtnl_route_alloc();
    struct rtnl_nexthop *nh = rtnl_route_nh_alloc();
    struct nl_addr *dst = to_nl(vip);

    if (!route || !nh || !dst || rtnl_route_set_dst(route, dst) < 0) {
        rtnl_route_put(route);
        route = NULL;
        if (nh) /* of libnl's, this one alone minds */
            rtnl_route_nh_free(nh);
        goto out;
    }
    rtnl_route_set_table(route, RT_TABLE_LOCAL);
    rtnl_route_set_type(route, RTN_LOCAL);
    rtnl_route_set_scope(route, RT_SCOPE_HOST);
    rtnl_route_set_protocol(route, protocol);
    rtnl_route_nh_set_ifindex(nh, l->ifindex);
    rtnl_route_add_nexthop(route, nh); /* takes it over */
out:
    nl_addr_put(dst);
    return route;
}

static uint8_t
protocol_of(const struct gvs_addr *vip)
{
    return vip->family == GVS_FAMILY_V4 ? RTPROT_KERNEL : RTPROT_STATIC;
}

static int
put_route(struct gvs_link *l, const struct gvs_addr *vip, const struct gvs_addr *source)
{
    struct rtnl_route *route = make_route(l, vip, protocol_of(vip));
    struct nl_addr *src = to_nl(source);
    int err = -NLE_NOMEM;

    if (!route || !src)
        goto out;
    if (vip->family == GVS_FAMILY_V6)
        rtnl_route_set_priority(route, METRIC_V6);
    err = rtnl_route_set_pref_src(route, src);
    if (err >= 0)
        err = rtnl_route_add(l->sk, route, NLM_F_CREATE | NLM_F_REPLACE);
out:
    nl_addr_put(src);
    rtnl_route_put(route);
    return result(l, err);
}

static int
del_route(struct gvs_link *l, const struct gvs_addr *vip, uint8_t protocol, bool *changed)
{
    struct rtnl_route *route = make_route(l, vip, protocol);
    int rc;

    if (!route)
        return out_of_memory();
    rc = result(l, rtnl_route_delete(l->sk, route, 0));
    rtnl_route_put(route);
    if (rc == GVS_E_SYS && (errno == ESRCH || errno == ENODEV))
        return GVS_OK;
    *changed |= rc == GVS_OK;
    return rc;
}

/* The route that the kernel would take to a VIP. */
struct route_seen {
    bool answered, local;
    uint8_t protocol;
    struct gvs_addr source; /* NONE: it names none */
};

static int
see_route(struct nl_msg *m, void *ctx)
{
    struct route_seen *seen = ctx;
    struct rtnl_route *route;

    if (rtnl_route_parse(nlmsg_hdr(m), &route) < 0)
        return NL_STOP;
    seen->answered = true;
    seen->local = rtnl_route_get_type(route) == RTN_LOCAL;
    seen->protocol = rtnl_route_get_protocol(route);
    from_nl(&seen->source, rtnl_route_get_pref_src(route));
    rtnl_route_put(route);
    return NL_STOP;
}

/* If the question fails, nothing is seen, and the answer to what is then done about it says why. */
static struct route_seen
look_up_route(struct gvs_link *l, const struct gvs_addr *vip)
{
    struct route_seen seen = {0};
    struct rtmsg rtm = {.rtm_family = (uint8_t)af_of(vip),
                        .rtm_dst_len = (uint8_t)(8 * gvs_addr_bytes(vip)),
                        .rtm_flags = RTM_F_FIB_MATCH}; /* the entry, not what came of it */
    struct nl_msg *m = nlmsg_alloc_simple(RTM_GETROUTE, 0);
    struct nl_cb *own = nl_socket_get_cb(l->sk), *cb = nl_cb_clone(own);

    if (!m || !cb || nlmsg_append(m, &rtm, sizeof rtm, NLMSG_ALIGNTO) < 0 ||
        nla_put(m, RTA_DST, (int)gvs_addr_bytes(vip), vip->b) < 0)
        goto out;
    nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, see_route, &seen);
    nl_complete_msg(l->sk, m);
    nlmsg_hdr(m)->nlmsg_flags &= (uint16_t)~NLM_F_ACK; /* the route, or an error, is the answer */
    if (nl_send(l->sk, m) >= 0 && nl_recvmsgs(l->sk, cb) < 0 && l->error == 0)
        drain(l);
    seen.answered |= l->error != 0; /* by there is none */
    l->error = 0;
out:
    nl_cb_put(cb);
    nl_cb_put(own);
    nlmsg_free(m);
    return seen;
}

static const struct gvs_addr *
source_of(const struct gvs_link *l, const struct gvs_addr *vip)
{
    return vip->family == GVS_FAMILY_V4 ? &l->source4 : &l->source6;
}

static bool
route_is_right(const struct route_seen *seen, const struct gvs_addr *source)
{
    return seen->local &&
           (source->family == GVS_FAMILY_NONE || gvs_addr_cmp(&seen->source, source) == 0);
}

bool
gvs_link_serves(struct gvs_link *l, const struct gvs_addr *vip)
{
    struct route_seen seen;

    drain(l);
    seen = look_up_route(l, vip);
    return !seen.answered || route_is_right(&seen, source_of(l, vip));
}

/* The kernel adds its own route to a new IPv6 address from a work queue, shortly after it said that
 * the address is there. Deleted too early it would come all the same, and stay. If it takes longer
 * than this, the next add mends it. */
static void
await_kernel_route(struct gvs_link *l, const struct gvs_addr *vip)
{
    struct timespec ms = {.tv_nsec = 1000000};

    for (int i = 0; i < AWAIT_MS; i++) {
        struct route_seen seen = look_up_route(l, vip);

        if (seen.local && seen.protocol == RTPROT_KERNEL)
            return;
        nanosleep(&ms, NULL);
    }
}

int
gvs_link_add(struct gvs_link *l, const struct gvs_addr *vip, bool *changed)
{
    const struct gvs_addr *source = source_of(l, vip);
    struct route_seen seen;
    int rc;

    GVS_ASSERT(!l->observe);
    drain(l);
    *changed = false;
    rc = add_addr(l, vip, changed);
    if (*changed && vip->family == GVS_FAMILY_V6)
        await_kernel_route(l, vip);
    if (rc < 0)
        return rc;
    seen = look_up_route(l, vip);
    if (route_is_right(&seen, source))
        return GVS_OK;
    rc = ensure_interface(l);
    if (rc == GVS_OK)
        rc = put_route(l, vip, source->family == GVS_FAMILY_NONE ? vip : source);
    if (rc < 0)
        return rc;
    *changed = true;
    if (vip->family == GVS_FAMILY_V6)
        rc = del_route(l, vip, RTPROT_KERNEL, changed);
    return rc;
}

int
gvs_link_del(struct gvs_link *l, const struct gvs_addr *vip, bool *changed)
{
    int rc;

    GVS_ASSERT(!l->observe);
    drain(l);
    *changed = false;
    rc = del_route(l, vip, protocol_of(vip), changed);
    if (rc < 0)
        return rc;
    rc = change_addr(l, vip, false);
    if (rc == GVS_E_SYS && (errno == EADDRNOTAVAIL || errno == ENODEV))
        return GVS_OK;
    *changed |= rc == GVS_OK;
    return rc;
}

void
gvs_link_source(struct gvs_link *l, const struct gvs_addr *v4, const struct gvs_addr *v6)
{
    l->source4 = *v4;
    l->source6 = *v6;
}

int
gvs_link_addresses(struct gvs_link *l, bool on_dummy, gvs_link_found_fn fn, void *ctx)
{
    struct nl_cache *links = NULL, *addrs = NULL;
    int err;

    drain(l);
    err = rtnl_link_alloc_cache(l->sk, AF_UNSPEC, &links);
    if (err >= 0)
        err = rtnl_addr_alloc_cache(l->sk, &addrs);
    if (err < 0)
        goto out;
    for (struct nl_object *o = nl_cache_get_first(addrs); o; o = nl_cache_get_next(o)) {
        struct rtnl_addr *addr = (struct rtnl_addr *)o;
        char name[IFNAMSIZ] = "";
        struct gvs_addr found;

        rtnl_link_i2name(links, rtnl_addr_get_ifindex(addr), name, sizeof name);
        from_nl(&found, rtnl_addr_get_local(addr));
        if (found.family == GVS_FAMILY_NONE || is_link_local(&found) ||
            (strcmp(name, l->name) == 0) != on_dummy)
            continue;
        if (!fn(ctx, &found, name))
            break;
    }
out:
    nl_cache_free(addrs);
    nl_cache_free(links);
    return result(l, err);
}

int
gvs_link_socket(void)
{
    return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
}

/* A socket of libnl's own with fd -1. */
static int
connect_socket(struct gvs_link *l, int fd)
{
    l->sk = nl_socket_alloc();
    if (l->sk && fd < 0)
        return nl_connect(l->sk, NETLINK_ROUTE) < 0 ? GVS_E_SYS : GVS_OK;
    if (l->sk && nl_socket_set_fd(l->sk, NETLINK_ROUTE, fd) == 0)
        return GVS_OK;
    errno = l->sk ? EINVAL : ENOMEM;
    if (fd >= 0)
        close(fd);
    return GVS_E_SYS;
}

static int
set_up_socket(struct gvs_link *l)
{
    struct timeval silence = {.tv_sec = SILENCE_S};

    /* One lost answer must not put all later ones out of step. */
    nl_socket_disable_seq_check(l->sk);
    nl_socket_modify_err_cb(l->sk, NL_CB_CUSTOM, keep_error, l);
    return setsockopt(nl_socket_get_fd(l->sk), SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof silence) <
                   0
               ? GVS_E_SYS
               : GVS_OK;
}

static int
open_on(struct gvs_link **out, int fd, const char *interface, bool observe)
{
    struct gvs_link *l = calloc(1, sizeof *l);
    bool up;
    int rc;

    *out = NULL;
    if (!l) {
        if (fd >= 0)
            close(fd);
        return out_of_memory();
    }
    l->observe = observe || !*interface;
    rc = connect_socket(l, fd);
    if (rc == GVS_OK && strlen(interface) >= sizeof l->name) {
        errno = EINVAL;
        rc = GVS_E_SYS;
    }
    if (rc == GVS_OK)
        rc = set_up_socket(l);
    if (rc < 0)
        goto out;
    memcpy(l->name, interface, strlen(interface) + 1);
    if (!l->observe)
        rc = ensure_interface(l);
    else if (*interface && find_interface(l, &up) == GVS_E_CONFLICT)
        rc = GVS_E_CONFLICT;
    if (rc == GVS_OK)
        *out = l;
out:
    if (rc < 0)
        gvs_link_close(l); /* keeps errno */
    return rc;
}

int
gvs_link_open(struct gvs_link **out, const char *interface, bool observe)
{
    return open_on(out, -1, interface, observe);
}

int
gvs_link_open_on(struct gvs_link **out, int fd, const char *interface, bool observe)
{
    GVS_ASSERT(fd >= 0);
    return open_on(out, fd, interface, observe);
}

int
gvs_link_program(struct gvs_link *l)
{
    int rc;

    drain(l);
    rc = *l->name ? ensure_interface(l) : GVS_OK;
    l->observe = rc != GVS_OK || !*l->name;
    return rc;
}

void
gvs_link_close(struct gvs_link *l)
{
    int error = errno;

    if (!l)
        return;
    nl_socket_free(l->sk); /* NULL is fine, and so for all of libnl's */
    free(l);
    errno = error;
}
