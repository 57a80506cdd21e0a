#include "ipvs/nl.h"
#include "ipvs/nl_codec.h"

#include <errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* The kernel makes its dump messages as large as the largest buffer that this socket was ever read
 * with, up to 32 KiB; so all reading is done with one buffer of this size. */
#define IN_LEN 32768

/* No answer is ever late: the kernel has written it before sendmsg returns. 2 s of silence is
 * the end of a batch that the kernel dropped. */
#define SILENCE_S 2

/* 64 answers fit libnl's default; the rest is room for what we have not measured. */
#define SOCKET_BUF_LEN (1 << 20)

struct gvs_nl {
    struct nl_sock *sk;
    uint16_t family;
    uint32_t seq; /* the next to use */
    uint32_t version;
    uint64_t writes;
    alignas(NLMSG_ALIGNTO) uint8_t in[IN_LEN];
    alignas(NLMSG_ALIGNTO) uint8_t out[GVS_NL_BATCH_MAX * GVS_NL_REQUEST_LEN_MAX];
};

/* One send is one batch: the kernel has processed all of it when this returns. A length of 0 is
 * requests for which there was no memory. */
static int
send_bytes(struct gvs_nl *nl, const void *b, size_t len)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    ssize_t n;

    if (len == 0) {
        errno = ENOMEM;
        return GVS_E_SYS;
    }
    do
        n = sendto(nl_socket_get_fd(nl->sk), b, len, 0, (struct sockaddr *)&kernel, sizeof kernel);
    while (n < 0 && errno == EINTR);
    return n < 0 ? GVS_E_SYS : GVS_OK;
}

/* One datagram from the kernel into nl->in; returns its length. GVS_E_LOST: some were lost, this
 * one is cut off, or silence. Then what is still in the queue is useless, too: drain it. */
static int
receive(struct gvs_nl *nl)
{
    int fd = nl_socket_get_fd(nl->sk);
    struct sockaddr_nl from = {.nl_pid = 0};
    socklen_t from_len;
    ssize_t n;

    do {
        from_len = sizeof from;
        n = recvfrom(fd, nl->in, sizeof nl->in, MSG_TRUNC, (struct sockaddr *)&from, &from_len);
    } while (n < 0 ? errno == EINTR : from.nl_pid != 0);
    return n > 0 && n <= (ssize_t)sizeof nl->in ? (int)n : GVS_E_LOST;
}

void
gvs_nl_drain(int fd)
{
    uint8_t b[64]; /* the rest of each is cut off */
    ssize_t n;

    do
        n = recv(fd, b, sizeof b, MSG_DONTWAIT);
    while (n >= 0 || errno == ENOBUFS || errno == EINTR);
}

/* A dump of which a message was left would make the next one fail with EBUSY. */
static void
drain(struct gvs_nl *nl)
{
    gvs_nl_drain(nl_socket_get_fd(nl->sk));
}

/* Looks the family up, which loads the module. 1 if its id is another than it was, 0 if not. */
static int
find_family(struct gvs_nl *nl)
{
    int id = genl_ctrl_resolve(nl->sk, "IPVS");

    if (id == -NLE_OBJ_NOTFOUND)
        return GVS_E_UNSUPPORTED;
    if (id < 0) {
        drain(nl);
        return GVS_E_LOST;
    }
    if (id == nl->family)
        return 0;
    nl->family = (uint16_t)id;
    return 1;
}

static int
apply_once(struct gvs_nl *nl, const struct gvs_op *ops, size_t count, int *errors)
{
    struct gvs_nl_answers a = {.seq = nl->seq, .count = count, .errors = errors};
    size_t len = gvs_nl_encode(nl->out, ops, count, nl->family, nl->seq);
    int rc;

    memset(errors, 0, count * sizeof *errors);
    nl->seq += (uint32_t)count;
    rc = send_bytes(nl, nl->out, len);
    if (rc < 0)
        return rc;
    nl->writes += count;
    while (!a.done && rc >= 0) {
        rc = receive(nl);
        if (rc > 0)
            rc = gvs_nl_answers(&a, nl->in, (size_t)rc);
    }
    if (rc < 0)
        drain(nl);
    return rc < 0 ? rc : GVS_OK;
}

static bool
all_refused(const int *errors, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (errors[i] == 0)
            return false;
    return true;
}

/* A module that was unloaded and loaded again has another family id, and the old one answers ENOENT
 * or whatever its next owner says. IPVS itself says ENOENT, too. So whatever the errors are, if
 * there are no others, the id is looked up. */
int
gvs_nl_apply(struct gvs_nl *nl, const struct gvs_op *ops, size_t count, int *errors)
{
    int rc;

    GVS_ASSERT(count <= GVS_NL_BATCH_MAX);
    if (count == 0)
        return GVS_OK;
    rc = apply_once(nl, ops, count, errors);
    if (rc < 0 || !all_refused(errors, count))
        return rc;
    rc = find_family(nl);
    return rc > 0 ? apply_once(nl, ops, count, errors) : rc;
}

static int
code_of(int error)
{
    errno = error;
    return error == EPERM ? GVS_E_REFUSED : error ? GVS_E_SYS : GVS_OK;
}

static int
dump_once(struct gvs_nl *nl, const struct gvs_svcid *svc, gvs_nl_found_fn fn, void *ctx)
{
    struct gvs_nl_dump d = {.seq = nl->seq, .family = nl->family, .svc = svc, .fn = fn, .ctx = ctx};
    size_t len = gvs_nl_encode_dump(nl->out, svc, nl->family, nl->seq++);
    int rc = send_bytes(nl, nl->out, len);

    if (rc < 0)
        return rc;
    while (!d.done && rc >= 0) {
        rc = receive(nl);
        if (rc > 0)
            rc = gvs_nl_dump(&d, nl->in, (size_t)rc);
    }
    if (rc < 0) {
        drain(nl);
        return rc;
    }
    if (d.error == EBUSY) {
        drain(nl); /* of an earlier dump that fell silent: reading this answer set it going again */
        return GVS_E_LOST;
    }
    return code_of(d.error);
}

/* Again if the family has another id, as in gvs_nl_apply; nothing was found under the old one. */
static int
dump(struct gvs_nl *nl, const struct gvs_svcid *svc, gvs_nl_found_fn fn, void *ctx)
{
    int rc = dump_once(nl, svc, fn, ctx), error = errno, found;

    if (rc != GVS_E_SYS)
        return rc;
    found = find_family(nl);
    if (found > 0)
        return dump_once(nl, svc, fn, ctx);
    errno = error;
    return found < 0 ? found : rc;
}

int
gvs_nl_services(struct gvs_nl *nl, gvs_nl_found_fn fn, void *ctx)
{
    return dump(nl, NULL, fn, ctx);
}

int
gvs_nl_dests(struct gvs_nl *nl, const struct gvs_svcid *svc, gvs_nl_found_fn fn, void *ctx)
{
    return dump(nl, svc, fn, ctx);
}

/* The answer to one request of `len` bytes in nl->out: its length in nl->in. */
static int
ask(struct gvs_nl *nl, size_t len)
{
    int rc = send_bytes(nl, nl->out, len);

    return rc < 0 ? rc : receive(nl);
}

/* The version, which also tells whether this thread may ask anything at all. */
static int
ask_version(struct gvs_nl *nl)
{
    int rc = ask(nl, gvs_nl_encode_info(nl->out, nl->family, nl->seq)), error;

    if (rc >= 0)
        rc = gvs_nl_info(&nl->version, &error, nl->seq++, nl->in, (size_t)rc);
    return rc < 0 ? rc : code_of(error);
}

static int
ask_timeouts(struct gvs_nl *nl, struct gvs_timeouts *out)
{
    uint32_t seq = nl->seq++;
    int rc = ask(nl, gvs_nl_encode_config(nl->out, nl->family, seq)), error;

    if (rc >= 0)
        rc = gvs_nl_config(out, &error, seq, nl->in, (size_t)rc);
    if (rc == GVS_E_LOST)
        drain(nl);
    return rc < 0 ? rc : code_of(error);
}

/* Again if the family has another id, as in gvs_nl_apply. */
int
gvs_nl_timeouts(struct gvs_nl *nl, struct gvs_timeouts *out)
{
    int rc = ask_timeouts(nl, out), error = errno, found;

    if (rc != GVS_E_SYS)
        return rc;
    found = find_family(nl);
    if (found > 0)
        return ask_timeouts(nl, out);
    errno = error;
    return found < 0 ? found : rc;
}

int
gvs_nl_socket(void)
{
    return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
}

/* Needs no more than libnl's own buffers, and no right to enlarge them. */
static int
set_up_socket(struct gvs_nl *nl)
{
    struct timeval silence = {.tv_sec = SILENCE_S};
    int fd = nl_socket_get_fd(nl->sk), one = 1, len = SOCKET_BUF_LEN;

    nl_socket_disable_seq_check(nl->sk);
    nl_socket_disable_auto_ack(nl->sk);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof silence) < 0)
        return GVS_E_SYS;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &len, sizeof len) < 0)
        nl_socket_set_buffer_size(nl->sk, SOCKET_BUF_LEN, SOCKET_BUF_LEN);
    /* Without it an error brings the whole request along; that is only more to read. */
    (void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof one);
    return GVS_OK;
}

/* A socket of libnl's own with fd -1. */
static int
connect_socket(struct gvs_nl *nl, int fd)
{
    nl->sk = nl_socket_alloc();
    if (nl->sk && fd < 0)
        return genl_connect(nl->sk) < 0 ? GVS_E_SYS : GVS_OK;
    if (nl->sk && nl_socket_set_fd(nl->sk, NETLINK_GENERIC, fd) == 0)
        return GVS_OK;
    errno = nl->sk ? EINVAL : ENOMEM;
    if (fd >= 0)
        close(fd);
    return GVS_E_SYS;
}

static int
open_on(struct gvs_nl **out, int fd)
{
    struct gvs_nl *nl = calloc(1, sizeof *nl);
    int rc;

    *out = NULL;
    if (!nl) {
        if (fd >= 0)
            close(fd);
        errno = ENOMEM;
        return GVS_E_SYS;
    }
    nl->seq = 1;
    rc = connect_socket(nl, fd);
    if (rc == GVS_OK)
        rc = set_up_socket(nl);
    if (rc == GVS_OK)
        rc = find_family(nl);
    if (rc >= 0)
        rc = ask_version(nl);
    if (rc == GVS_OK)
        *out = nl;
    else
        gvs_nl_close(nl); /* keeps errno */
    return rc;
}

int
gvs_nl_open(struct gvs_nl **out)
{
    return open_on(out, -1);
}

int
gvs_nl_open_on(struct gvs_nl **out, int fd)
{
    GVS_ASSERT(fd >= 0);
    return open_on(out, fd);
}

void
gvs_nl_close(struct gvs_nl *nl)
{
    int error = errno;

    if (!nl)
        return;
    if (nl->sk)
        nl_socket_free(nl->sk); /* closes */
    free(nl);
    errno = error;
}

void
gvs_nl_version(const struct gvs_nl *nl, char text[static 16])
{
    snprintf(text, 16, "%u.%u.%u", nl->version >> 16 & 0xff, nl->version >> 8 & 0xff,
             nl->version & 0xff);
}

uint64_t
gvs_nl_writes(const struct gvs_nl *nl)
{
    return nl->writes;
}

static const char *
words_for_service(int error)
{
    switch (error) {
    case EEXIST:
        return "such a service is there already";
    case ESRCH:
        return "the service is not there";
    case EINVAL:
        return "the kernel finds a field of the service invalid";
    }
    return NULL;
}

static const char *
words_for_dest(int error)
{
    switch (error) {
    case EEXIST:
        return "such a destination is there already";
    case ESRCH:
        return "its service is not there";
    case ENOENT:
        return "the destination is not there";
    case EINVAL:
        return "the kernel does not take this address: neither unicast nor local, another family "
               "without forward tun, or no address at all in this namespace (is lo down?)";
    case ERANGE:
        return "weight or thresholds are out of range";
    }
    return NULL;
}

static const char *
words_for_any(int error)
{
    switch (error) {
    case EPERM:
        return "the agent has no CAP_NET_ADMIN";
    case EAFNOSUPPORT:
        return "IPv6 is disabled on this node";
    case ENOMEM:
    case ENOBUFS:
        return "the kernel is out of memory";
    case EOPNOTSUPP:
        return "this kernel's IPVS does not know the request";
    }
    return NULL;
}

void
gvs_nl_explain(char *text, size_t cap, const struct gvs_op *op, int error)
{
    bool dest =
        op->kind == GVS_OP_DEST_ADD || op->kind == GVS_OP_DEST_EDIT || op->kind == GVS_OP_DEST_DEL;
    bool scheduled = op->kind == GVS_OP_SERVICE_ADD || op->kind == GVS_OP_SERVICE_EDIT;
    const char *words = dest ? words_for_dest(error) : words_for_service(error);
    const char *sched = op->item.service.sched;

    if (!words)
        words = words_for_any(error);
    if (words)
        snprintf(text, cap, "%s", words);
    else if (error == ENOENT && scheduled)
        snprintf(text, cap, "kernel has no scheduler '%s' (module ip_vs_%s)", sched, sched);
    else
        snprintf(text, cap, "the kernel says: %s", strerror(error));
}
