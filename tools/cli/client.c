/* tools/cli/client.c */
#include "tools/cli/client.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define FIRST_CAP 65536
#define ANSWER_MAX ((size_t)1 << 30) /* over three times a list of all that a table can hold */

/* --- waiting --- */

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double
until(double seconds)
{
    return seconds < 0 ? INFINITY : now() + seconds;
}

/* 1 the socket is ready, 0 time is up, -1 the system said no. */
static int
await(int fd, short events, double deadline)
{
    struct pollfd p = {fd, events, 0};

    for (;;) {
        double left = deadline - now();
        int ms = left > 3600 ? 3600000 : left <= 0 ? 0 : (int)ceil(left * 1000);
        int rc = poll(&p, 1, ms);

        if (rc > 0)
            return 1;
        if (rc < 0 && errno != EINTR)
            return -1;
        if (now() >= deadline)
            return 0;
    }
}

static int
no_answer(double seconds, struct gvs_fault *f)
{
    gvs_fault_set(f, GVS_EXIT_TIMEOUT, "no answer in %.3g s (the agent is stopped or very busy)",
                  seconds);
    gvs_fault_hint(f, "systemctl status gossipvsd; -n waits longer");
    return GVS_E_SYS;
}

static int
hung_up(const struct gvs_client *c, struct gvs_fault *f)
{
    gvs_fault_set(f, GVS_EXIT_UNREACHABLE, "the agent hung up (%s)", c->path);
    gvs_fault_hint(f, "systemctl status gossipvsd");
    return GVS_E_SYS;
}

/* --- connecting --- */

static int
not_allowed(const char *path, struct gvs_fault *f)
{
    const struct passwd *pw = getpwuid(geteuid());
    const char *user = pw ? pw->pw_name : "?";

    gvs_fault_set(f, GVS_EXIT_NOT_PERMITTED, "not allowed to open %s (you: %s)", path, user);
    gvs_fault_hint(f, "sudo, or adduser %s gossipvs (reading), gossipvs-admin (changing)", user);
    return GVS_E_SYS;
}

static int
not_connected(const char *path, struct gvs_fault *f)
{
    if (errno == EACCES || errno == EPERM)
        return not_allowed(path, f);
    if (errno == ENOENT || errno == ENOTDIR)
        gvs_fault_set(f, GVS_EXIT_UNREACHABLE, "gossipvsd is not running (no %s)", path);
    else if (errno == ECONNREFUSED)
        gvs_fault_set(f, GVS_EXIT_UNREACHABLE, "gossipvsd is not running (nobody answers at %s)",
                      path);
    else
        gvs_fault_set(f, GVS_EXIT_UNREACHABLE, "cannot reach gossipvsd at %s: %s", path,
                      strerror(errno));
    gvs_fault_hint(f, "systemctl status gossipvsd");
    return GVS_E_SYS;
}

int
gvs_client_open(struct gvs_client *c, const char *path, double seconds, struct gvs_fault *fault)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    const struct timespec pause = {0, 20000000};
    double deadline = until(seconds);

    *c = (struct gvs_client){.fd = -1, .path = path};
    if (strlen(path) >= sizeof sa.sun_path) {
        gvs_fault_set(fault, GVS_EXIT_USAGE, "a socket's path has at most %zu characters: %s",
                      sizeof sa.sun_path - 1, path);
        return GVS_E_MALFORMED;
    }
    memcpy(sa.sun_path, path, strlen(path));
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    while (c->fd >= 0 && connect(c->fd, (const struct sockaddr *)&sa, sizeof sa) != 0) {
        if (errno == EAGAIN && now() < deadline) { /* too many wait to be accepted */
            nanosleep(&pause, NULL);
            continue;
        }
        if (errno == EAGAIN)
            no_answer(seconds, fault);
        else
            not_connected(path, fault);
        gvs_client_close(c);
        return GVS_E_SYS;
    }
    return c->fd >= 0 ? GVS_OK : not_connected(path, fault);
}

void
gvs_client_close(struct gvs_client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    free(c->buf);
    *c = (struct gvs_client){.fd = -1, .path = c->path};
}

/* --- talking --- */

int
gvs_client_send(struct gvs_client *c, const char *bytes, size_t len, double seconds,
                struct gvs_fault *fault)
{
    double deadline = until(seconds);

    while (len > 0) {
        ssize_t n = send(c->fd, bytes, len, MSG_NOSIGNAL);

        if (n >= 0) {
            bytes += n;
            len -= (size_t)n;
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return GVS_OK;
        } else if (errno != EAGAIN && errno != EINTR) {
            return not_connected(c->path, fault);
        } else if (await(c->fd, POLLOUT, deadline) == 0) {
            return no_answer(seconds, fault);
        }
    }
    return GVS_OK;
}

/* Makes room behind what was read: first from the lines that are done with. */
static int
make_room(struct gvs_client *c, struct gvs_fault *f)
{
    size_t cap = c->cap ? 2 * c->cap : FIRST_CAP;
    char *more;

    if (c->at > 0) {
        memmove(c->buf, c->buf + c->at, c->len - c->at);
        c->len -= c->at;
        c->scanned -= c->at;
        c->at = 0;
    }
    if (c->len < c->cap)
        return GVS_OK;
    more = cap > ANSWER_MAX ? NULL : realloc(c->buf, cap);
    if (!more) {
        gvs_fault_set(f, GVS_EXIT_NO, "an answer of more than %zu bytes: no room for it", c->len);
        return GVS_E_FULL;
    }
    c->buf = more;
    c->cap = cap;
    return GVS_OK;
}

/* Reads what there is, at least a byte. */
static int
receive(struct gvs_client *c, double deadline, double seconds, struct gvs_fault *f)
{
    if (make_room(c, f) < 0)
        return GVS_E_FULL;
    for (;;) {
        ssize_t n = recv(c->fd, c->buf + c->len, c->cap - c->len, 0);

        if (n > 0) {
            c->len += (size_t)n;
            return GVS_OK;
        }
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            return hung_up(c, f);
        if (await(c->fd, POLLIN, deadline) == 0)
            return no_answer(seconds, f);
    }
}

int
gvs_client_line(struct gvs_client *c, double seconds, const char **line, size_t *len,
                struct gvs_fault *fault)
{
    double deadline = until(seconds);

    for (;;) {
        char *end = NULL;
        int rc;

        if (c->scanned < c->len)
            end = memchr(c->buf + c->scanned, '\n', c->len - c->scanned);
        if (end) {
            *end = '\0';
            *line = c->buf + c->at;
            *len = (size_t)(end - *line);
            c->at = c->scanned = (size_t)(end - c->buf) + 1;
            return GVS_OK;
        }
        c->scanned = c->len;
        rc = receive(c, deadline, seconds, fault);
        if (rc < 0)
            return rc;
    }
}

int
gvs_client_piece(struct gvs_client *c, double seconds, const char **bytes, size_t *len, bool *end,
                 struct gvs_fault *fault)
{
    const char *newline;
    int rc;

    if (c->at == c->len) {
        c->at = c->len = c->scanned = 0;
        rc = receive(c, until(seconds), seconds, fault);
        if (rc < 0)
            return rc;
    }
    *bytes = c->buf + c->at;
    newline = memchr(*bytes, '\n', c->len - c->at);
    *end = newline;
    *len = newline ? (size_t)(newline - *bytes) : c->len - c->at;
    c->at += *len + (newline ? 1 : 0);
    c->scanned = c->at;
    return GVS_OK;
}
