#include "test/lib/loopback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH_MAX 64
#define SOCKET_BUFFER_LEN (4 << 20) /* as net/udp.c; the kernel caps it */

struct loopback_batch {
    struct mmsghdr msg[BATCH_MAX];
    struct iovec iov[BATCH_MAX];
    struct sockaddr_in addr[BATCH_MAX];
    uint8_t b[BATCH_MAX][GVS_DATAGRAM_LEN_MAX + 1]; /* one more: what is too long shows */
};

struct gvs_mono
loopback_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (struct gvs_mono){(uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000};
}

struct gvs_wall
loopback_wall(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (struct gvs_wall){(uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000};
}

static void
need(bool good, const char *what)
{
    if (good)
        return;
    perror(what);
    exit(2);
}

/* --- life --- */

/* Where each of a batch's datagrams lies, and how long it is or may be. */
static void
lay_out(struct loopback_batch *b, unsigned i, size_t len)
{
    b->iov[i] = (struct iovec){b->b[i], len};
    b->msg[i].msg_hdr = (struct msghdr){
        .msg_name = &b->addr[i],
        .msg_namelen = sizeof b->addr[i],
        .msg_iov = &b->iov[i],
        .msg_iovlen = 1,
    };
}

static void
open_socket(struct loopback *l, size_t i)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = i};
    struct loopback_node *n = &l->nodes[i];
    socklen_t len = sizeof sin;
    int size = SOCKET_BUFFER_LEN;

    n->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    need(n->fd >= 0, "socket");
    need(setsockopt(n->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) == 0, "SO_RCVBUF");
    need(setsockopt(n->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) == 0, "SO_SNDBUF");
    need(bind(n->fd, (struct sockaddr *)&sin, sizeof sin) == 0, "bind");
    need(getsockname(n->fd, (struct sockaddr *)&sin, &len) == 0, "getsockname");
    need(epoll_ctl(l->epoll, EPOLL_CTL_ADD, n->fd, &event) == 0, "epoll_ctl");
    n->ep.addr.family = GVS_FAMILY_V4;
    memcpy(n->ep.addr.b, &sin.sin_addr, 4);
    n->ep.port = ntohs(sin.sin_port);
}

static void
open_node(struct loopback *l, size_t i, size_t entries, const struct gvs_keyring *ring)
{
    struct gvs_node_config cfg = {
        .limits = {.entries = entries, .members = l->count + 8},
        .cluster = "loopback",
        .keyring = ring,
        .random = {.fn = gvs_crypto_random},
        .version = "0.1.0",
        .advertise = l->nodes[i].ep,
    };
    char name[24];

    snprintf(name, sizeof name, "n%zu", i);
    cfg.name = name;
    gvs_crypto_random(NULL, cfg.priv, sizeof cfg.priv);
    gvs_crypto_random(NULL, &cfg.boot, sizeof cfg.boot);
    l->nodes[i].node = gvs_node_open(&cfg, loopback_now());
    need(l->nodes[i].node != NULL, "gvs_node_open");
    l->nodes[i].deadline = GVS_MONO_NEVER;
}

void
loopback_open(struct loopback *l, size_t count, size_t entries)
{
    static const char text[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= primary\n";
    struct gvs_keyring_fault fault;
    struct gvs_keyring ring;

    need(gvs_crypto_init() == GVS_OK, "gvs_crypto_init");
    GVS_ASSERT(gvs_keyring_parse(&ring, text, strlen(text), &fault) == GVS_OK);
    *l = (struct loopback){.count = count, .epoll = epoll_create1(EPOLL_CLOEXEC)};
    need(l->epoll >= 0, "epoll_create1");
    l->nodes = calloc(count, sizeof *l->nodes);
    l->in = calloc(1, sizeof *l->in);
    l->out = calloc(1, sizeof *l->out);
    need(l->nodes != NULL && l->in != NULL && l->out != NULL, "calloc");
    for (unsigned i = 0; i < BATCH_MAX; i++)
        lay_out(l->in, i, sizeof l->in->b[i]);
    for (size_t i = 0; i < count; i++) {
        open_socket(l, i);
        open_node(l, i, entries, &ring);
    }
}

void
loopback_close(struct loopback *l)
{
    for (size_t i = 0; i < l->count; i++) {
        gvs_node_close(l->nodes[i].node);
        close(l->nodes[i].fd);
    }
    close(l->epoll);
    free(l->nodes);
    free(l->in);
    free(l->out);
}

void
loopback_start(struct loopback *l, size_t i)
{
    if (i > 0)
        gvs_node_set_peers(l->nodes[i].node, &l->nodes[0].ep, NULL, 1);
    gvs_node_start(l->nodes[i].node, loopback_now(), loopback_wall());
    loopback_flush(l, i);
}

/* --- datagrams --- */

static void
send_batch(struct loopback *l, int fd, struct loopback_batch *out, unsigned count)
{
    for (unsigned at = 0; at < count;) {
        int n = sendmmsg(fd, out->msg + at, count - at, 0);

        if (n <= 0) {
            l->sent.refused++;
            at++;
            continue;
        }
        for (int i = 0; i < n; i++, at++) {
            l->sent.datagrams++;
            l->sent.bytes += out->msg[at].msg_len + LOOPBACK_HEADERS_LEN;
        }
    }
}

/* The caller of a node takes what is new; the agent would store and program it. */
static void
take_news(struct gvs_node *n)
{
    struct gvs_node_event event;
    struct gvs_entry e;

    while (gvs_node_news(n, &e))
        ;
    while (gvs_node_event(n, &event))
        ;
}

void
loopback_flush(struct loopback *l, size_t i)
{
    struct loopback_node *n = &l->nodes[i];
    struct gvs_mono now = loopback_now();
    struct gvs_wall wall = loopback_wall();
    struct loopback_batch *out = l->out;
    unsigned count = 0;
    struct gvs_ep to;
    size_t len;

    while ((len = gvs_node_next(n->node, now, wall, out->b[count], &to)) > 0) {
        out->addr[count] = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(to.port)};
        memcpy(&out->addr[count].sin_addr, to.addr.b, 4);
        lay_out(out, count, len);
        if (++count < BATCH_MAX)
            continue;
        send_batch(l, n->fd, out, count);
        count = 0;
    }
    send_batch(l, n->fd, out, count);
    take_news(n->node);
    n->deadline = gvs_node_deadline(n->node);
}

static void
receive(struct loopback *l, size_t i)
{
    struct loopback_node *n = &l->nodes[i];
    struct loopback_batch *in = l->in;
    int count = recvmmsg(n->fd, in->msg, BATCH_MAX, 0, NULL);
    struct gvs_mono now = loopback_now();
    struct gvs_wall wall = loopback_wall();

    for (int m = 0; m < count; m++) {
        struct gvs_ep from = {.addr.family = GVS_FAMILY_V4, .port = ntohs(in->addr[m].sin_port)};

        memcpy(from.addr.b, &in->addr[m].sin_addr, 4);
        gvs_node_recv(n->node, now, wall, &from, in->b[m], in->msg[m].msg_len);
        n->received++;
        lay_out(in, (unsigned)m, sizeof in->b[m]);
    }
    loopback_flush(l, i);
}

void
loopback_turn(struct loopback *l, struct gvs_mono until)
{
    struct epoll_event event[BATCH_MAX];
    struct gvs_mono now = loopback_now();
    struct timespec wait = {0};
    int count;

    for (size_t i = 0; i < l->count; i++) {
        if (gvs_mono_due(l->nodes[i].deadline, now))
            loopback_flush(l, i);
        until = gvs_mono_min(until, l->nodes[i].deadline);
    }
    now = loopback_now();
    if (until.us > now.us) {
        wait.tv_sec = (time_t)((until.us - now.us) / 1000000);
        wait.tv_nsec = (long)((until.us - now.us) % 1000000) * 1000;
    }
    count = epoll_pwait2(l->epoll, event, BATCH_MAX, &wait, NULL);
    for (int i = 0; i < count; i++)
        receive(l, event[i].data.u64);
}

/* --- what is known --- */

bool
loopback_joined(const struct loopback *l)
{
    for (size_t i = 0; i < l->count; i++) {
        if (gvs_node_count(l->nodes[i].node).alive != l->count)
            return false;
    }
    return true;
}

bool
loopback_agree(const struct loopback *l)
{
    uint64_t first = gvs_table_fingerprint(gvs_node_claims(l->nodes[0].node));

    for (size_t i = 1; i < l->count; i++) {
        if (gvs_table_fingerprint(gvs_node_claims(l->nodes[i].node)) != first)
            return false;
    }
    return true;
}
