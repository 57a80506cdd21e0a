/* net/udp.c: the loop around gvs_node that net/node.h describes, as libuv callbacks.
 *
 *     readable --> gvs_node_recv for each datagram (libuv stops after 32) --> flush
 *     timer    --> flush
 *
 * flush sends all that the node has and sets the timer to its deadline. It runs in a prepare
 * handle, right before the loop would sleep, so that the answers to datagrams that came together
 * leave together. A datagram that the socket does not take at once is lost, like any other that the
 * network loses. */
#include "net/udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#define LATE_US 50000               /* nothing special about it */
#define SOCKET_BUFFER_LEN (4 << 20) /* the kernel halves it, and caps it by its own limits */

struct gvs_udp {
    uv_udp_t socket;
    uv_timer_t timer;
    uv_prepare_t prepare;
    struct gvs_node *node;
    bool v6;       /* the socket's family is */
    bool v4, late; /* it speaks to such addresses */
    bool dirty;    /* the node is to be asked what it wants to send */
    bool received; /* it was given something since */
    unsigned open; /* handles that libuv still holds */
    void (*woken)(void *ctx);
    void *ctx;
    void (*closed)(void *ctx);
    void *closed_ctx;
    uint8_t in[GVS_DATAGRAM_LEN_MAX + 1]; /* one more, so that what is too long shows */
};

struct gvs_mono
gvs_udp_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (struct gvs_mono){(uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000};
}

struct gvs_wall
gvs_udp_wall(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    if (ts.tv_sec < 0)
        return (struct gvs_wall){0};
    return (struct gvs_wall){(uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000};
}

/* --- addresses --- */

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* A v6 socket speaks to v4 addresses in their mapped form. */
static void
to_sockaddr(struct sockaddr_storage *ss, const struct gvs_ep *ep, bool v6)
{
    struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ss;
    struct sockaddr_in *sin = (struct sockaddr_in *)ss;

    memset(ss, 0, sizeof *ss);
    if (ep->addr.family == GVS_FAMILY_V4 && !v6) {
        sin->sin_family = AF_INET;
        sin->sin_port = htons(ep->port);
        memcpy(&sin->sin_addr, ep->addr.b, 4);
        return;
    }
    sin6->sin6_family = AF_INET6;
    sin6->sin6_port = htons(ep->port);
    if (ep->addr.family == GVS_FAMILY_V4) {
        memcpy(sin6->sin6_addr.s6_addr, mapped, sizeof mapped);
        memcpy(sin6->sin6_addr.s6_addr + sizeof mapped, ep->addr.b, 4);
    } else {
        memcpy(sin6->sin6_addr.s6_addr, ep->addr.b, 16);
    }
}

static void
from_sockaddr(struct gvs_ep *ep, const struct sockaddr *sa)
{
    const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)(const void *)sa;
    const struct sockaddr_in *sin = (const struct sockaddr_in *)(const void *)sa;

    memset(ep, 0, sizeof *ep);
    if (sa->sa_family == AF_INET) {
        ep->addr.family = GVS_FAMILY_V4;
        memcpy(ep->addr.b, &sin->sin_addr, 4);
        ep->port = ntohs(sin->sin_port);
        return;
    }
    ep->port = ntohs(sin6->sin6_port);
    if (memcmp(sin6->sin6_addr.s6_addr, mapped, sizeof mapped) == 0) {
        ep->addr.family = GVS_FAMILY_V4;
        memcpy(ep->addr.b, sin6->sin6_addr.s6_addr + sizeof mapped, 4);
    } else {
        ep->addr.family = GVS_FAMILY_V6;
        memcpy(ep->addr.b, sin6->sin6_addr.s6_addr, 16);
    }
}

/* --- the loop --- */

static void on_timer(uv_timer_t *timer);

static void
set_timer(struct gvs_udp *u, struct gvs_mono now)
{
    struct gvs_mono at = gvs_node_deadline(u->node);
    uint64_t ms = 0;

    if (at.us == GVS_MONO_NEVER.us) {
        uv_timer_stop(&u->timer);
        return;
    }
    if (at.us > now.us)
        ms = (at.us - now.us + 999) / 1000;
    uv_update_time(u->timer.loop); /* else the timer counts from when the loop last woke */
    uv_timer_start(&u->timer, on_timer, ms, 0);
}

bool
gvs_udp_reaches(const struct gvs_udp *u, uint8_t family)
{
    return family == GVS_FAMILY_V6 ? u->v6 : u->v4;
}

static void
flush(struct gvs_udp *u)
{
    uint8_t buf[GVS_DATAGRAM_LEN_MAX];
    struct sockaddr_storage ss;
    struct gvs_mono now = gvs_udp_now();
    struct gvs_wall wall = gvs_udp_wall();
    bool news = u->received || gvs_mono_due(gvs_node_deadline(u->node), now);
    struct gvs_ep to;
    uv_buf_t out;
    size_t len;

    u->dirty = u->received = false;
    while ((len = gvs_node_next(u->node, now, wall, buf, &to)) > 0) {
        if (!gvs_udp_reaches(u, to.addr.family))
            continue;
        to_sockaddr(&ss, &to, u->v6);
        out = uv_buf_init((char *)buf, (unsigned)len);
        uv_udp_try_send(&u->socket, &out, 1, (const struct sockaddr *)&ss); /* or it is lost */
    }
    set_timer(u, now);
    if (news) /* not for a kick alone: whoever is woken may kick, and would be woken for ever */
        u->woken(u->ctx);
}

/* Far too late, this process was stopped: what came meanwhile is read before timers judge anybody.
 */
static void
on_timer(uv_timer_t *timer)
{
    struct gvs_udp *u = timer->data;
    bool late = gvs_udp_now().us > gvs_node_deadline(u->node).us + LATE_US;

    if (late && !u->late) {
        u->late = true;
        uv_timer_start(timer, on_timer, 0, 0);
        return;
    }
    u->late = false;
    u->dirty = true;
}

static void
on_prepare(uv_prepare_t *prepare)
{
    struct gvs_udp *u = prepare->data;

    if (u->dirty)
        flush(u);
}

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct gvs_udp *u = handle->data;

    (void)suggested;
    *buf = uv_buf_init((char *)u->in, sizeof u->in);
}

static void
on_recv(uv_udp_t *socket, ssize_t len, const uv_buf_t *buf, const struct sockaddr *from,
        unsigned flags)
{
    struct gvs_udp *u = socket->data;
    struct gvs_ep ep;

    (void)flags;
    if (len < 0 || !from) /* an error of the socket (ICMP's), or nothing more to read */
        return;
    from_sockaddr(&ep, from);
    gvs_node_recv(u->node, gvs_udp_now(), gvs_udp_wall(), &ep, (const uint8_t *)buf->base,
                  (size_t)len);
    u->dirty = u->received = true;
}

/* Not at once: the caller may stand inside `woken`. A timer that is due keeps the loop from
 * sleeping before the flush. */
void
gvs_udp_kick(struct gvs_udp *u)
{
    u->dirty = true;
    uv_timer_start(&u->timer, on_timer, 0, 0);
}

/* --- life --- */

static void
on_closed(uv_handle_t *handle)
{
    struct gvs_udp *u = handle->data;

    if (--u->open > 0)
        return;
    if (u->closed)
        u->closed(u->closed_ctx);
    free(u);
}

void
gvs_udp_close(struct gvs_udp *u, void (*closed)(void *ctx), void *ctx)
{
    u->closed = closed;
    u->closed_ctx = ctx;
    uv_close((uv_handle_t *)&u->timer, on_closed);
    uv_close((uv_handle_t *)&u->prepare, on_closed);
    uv_close((uv_handle_t *)&u->socket, on_closed);
}

/* A v6 socket speaks to v4 addresses as well if it stands on all of its own, and unless the
 * system's own default (net.ipv6.bindv6only) is against that. */
static bool
speaks_v4(const struct gvs_ep *bind, uv_os_fd_t fd)
{
    int only = 0;
    socklen_t len = sizeof only;

    if (bind->addr.family == GVS_FAMILY_V4)
        return true;
    return gvs_addr_is_any(&bind->addr) &&
           getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &len) == 0 && !only;
}

static int
start_socket(struct gvs_udp *u, const struct gvs_ep *bind)
{
    struct sockaddr_storage ss;
    int len = SOCKET_BUFFER_LEN;
    uv_os_fd_t fd;
    int rc;

    to_sockaddr(&ss, bind, u->v6);
    rc = uv_udp_bind(&u->socket, (const struct sockaddr *)&ss, 0);
    if (rc < 0)
        return rc;
    uv_recv_buffer_size((uv_handle_t *)&u->socket, &len); /* as large as the kernel lets us */
    uv_send_buffer_size((uv_handle_t *)&u->socket, &len);
    if (uv_fileno((uv_handle_t *)&u->socket, &fd) == 0) {
        u->v4 = speaks_v4(bind, fd);
        len = SOCKET_BUFFER_LEN; /* and beyond, with CAP_NET_ADMIN */
        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &len, sizeof len);
    }
    return uv_udp_recv_start(&u->socket, on_alloc, on_recv);
}

struct gvs_udp *
gvs_udp_open(struct uv_loop_s *loop, const struct gvs_ep *bind, struct gvs_node *n,
             void (*woken)(void *ctx), void *ctx)
{
    struct gvs_udp *u = calloc(1, sizeof *u);
    int rc;

    if (!u)
        return NULL;
    u->node = n;
    u->v6 = bind->addr.family == GVS_FAMILY_V6;
    u->woken = woken;
    u->ctx = ctx;
    rc = uv_udp_init(loop, &u->socket);
    if (rc < 0) {
        free(u);
        errno = -rc;
        return NULL;
    }
    uv_timer_init(loop, &u->timer); /* this and the next cannot fail */
    uv_prepare_init(loop, &u->prepare);
    u->socket.data = u->timer.data = u->prepare.data = u;
    u->open = 3;
    rc = start_socket(u, bind);
    if (rc < 0) {
        gvs_udp_close(u, NULL, NULL); /* the loop frees u */
        errno = -rc;
        return NULL;
    }
    uv_prepare_start(&u->prepare, on_prepare);
    gvs_udp_kick(u);
    return u;
}
