/* The control socket: one JSON object a line, both ways (docs/control.md).
 *
 * The kernel says who is at the other end (SO_PEERCRED, fixed when he connected). A client that
 * does not read is closed when a megabyte waits for him; one that sends a longer line than 64 KiB,
 * at once. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tools/agent.h"

#define CLIENTS_MAX 16
#define PENDING_MAX 64 /* requests of one client that wait for their answer */
#define LINE_MAX_BYTES 65536
#define BACKLOG_MAX_BYTES (1 << 20)

struct gvs_control {
    struct gvs_agent *a;
    uv_pipe_t pipe;
    size_t clients;
    struct client *first;
    bool closed;              /* the pipe is; the last client frees the rest */
    gid_t group, admin_group; /* (gid_t)-1: no such group */
};

struct client {
    struct gvs_control *control;
    struct client *next;
    uv_pipe_t pipe;
    char by[160]; /* user@node */
    long pid;
    bool may_read, may_change;
    bool ended;     /* he will send no more */
    size_t pending; /* requests without their last answer */
    size_t len;
    char line[LINE_MAX_BYTES];
};

/* --- who is it? ---------------------------------------------------------------------------------
 */

static gid_t
group_id(struct gvs_agent *a, const char *name)
{
    struct group *g = name[0] ? getgrnam(name) : NULL;

    if (g)
        return g->gr_gid;
    if (name[0])
        gvs_agent_log(a, GVS_LOG_WARN, "no group '%s': only root and the agent's user are in it",
                      name);
    return (gid_t)-1;
}

static bool
in_group(const struct ucred *cred, const char *user, gid_t group)
{
    gid_t groups[256];
    int count = 256;

    if (group == (gid_t)-1)
        return false;
    if (cred->gid == group)
        return true;
    if (getgrouplist(user, cred->gid, groups, &count) < 0)
        return false;
    for (int i = 0; i < count; i++)
        if (groups[i] == group)
            return true;
    return false;
}

static void
identify(struct client *c)
{
    struct ucred cred = {.uid = (uid_t)-1};
    socklen_t len = sizeof cred;
    struct passwd *pw;
    uv_os_fd_t fd;
    bool self;

    if (uv_fileno((uv_handle_t *)&c->pipe, &fd) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
        return;
    pw = getpwuid(cred.uid);
    snprintf(c->by, sizeof c->by, "%s@%s", pw ? pw->pw_name : "?", c->control->a->cfg.name);
    c->pid = (long)cred.pid;
    self = cred.uid == 0 || cred.uid == geteuid();
    c->may_change = self || (pw && in_group(&cred, pw->pw_name, c->control->admin_group));
    c->may_read = c->may_change || (pw && in_group(&cred, pw->pw_name, c->control->group));
}

/* --- answers ------------------------------------------------------------------------------------
 */

static void
release(struct gvs_control *control)
{
    struct gvs_agent *a = control->a;

    if (control->closed && !control->first)
        free(control);
    gvs_agent_handle_closed(a);
}

static void
client_closed(uv_handle_t *h)
{
    struct client *c = h->data;
    struct gvs_control *control = c->control;

    for (struct client **p = &control->first; *p; p = &(*p)->next)
        if (*p == c) {
            *p = c->next;
            break;
        }
    control->clients--;
    free(c);
    release(control);
}

static void
drop(struct client *c)
{
    if (uv_is_closing((uv_handle_t *)&c->pipe))
        return;
    gvs_requests_abandon(c->control->a, c);
    uv_close((uv_handle_t *)&c->pipe, client_closed);
}

static void
written(uv_write_t *w, int status)
{
    struct client *c = w->handle->data;

    free(w->data);
    free(w);
    if (status == UV_ECANCELED)
        return;
    if (status < 0 || (c->ended && c->pending == 0 &&
                       uv_stream_get_write_queue_size((uv_stream_t *)&c->pipe) == 0))
        drop(c);
}

static void
send_line(void *ctx, const char *line, int last)
{
    struct client *c = ctx;
    size_t len = strlen(line);
    uv_write_t *w;
    uv_buf_t buf;
    char *copy;

    if (last)
        c->pending--;
    if (uv_is_closing((uv_handle_t *)&c->pipe))
        return;
    if (uv_stream_get_write_queue_size((uv_stream_t *)&c->pipe) > BACKLOG_MAX_BYTES) {
        gvs_agent_log(c->control->a, GVS_LOG_WARN, "%s does not read what he asked for: closed",
                      c->by);
        drop(c);
        return;
    }
    w = malloc(sizeof *w);
    copy = malloc(len + 1);
    if (!w || !copy) {
        free(w);
        free(copy);
        drop(c);
        return;
    }
    memcpy(copy, line, len);
    copy[len] = '\n';
    w->data = copy;
    buf = uv_buf_init(copy, (unsigned)len + 1);
    if (uv_write(w, (uv_stream_t *)&c->pipe, &buf, 1, written) != 0) {
        free(w);
        free(copy);
        drop(c);
    }
}

/* --- requests -----------------------------------------------------------------------------------
 */

static void
refuse(struct client *c, const char *code, const char *message, const char *hint)
{
    char line[512];

    snprintf(line, sizeof line, "{\"error\":{\"code\":\"%s\",\"message\":\"%s\",\"hint\":\"%s\"}}",
             code, message, hint);
    send_line(c, line, 1);
}

/* Runs every whole line of the buffer, and keeps the rest. */
static void
take_lines(struct client *c)
{
    struct gvs_agent *a = c->control->a;
    char *start = c->line, *end;

    while ((end = memchr(start, '\n', c->len - (size_t)(start - c->line))) != NULL) {
        *end = 0;
        c->pending++;
        if (c->pending > PENDING_MAX)
            refuse(c, "no", "too many requests at once", "");
        else if (c->may_read)
            gvs_request_begin(a, start, c->by, c->pid, c->may_change, send_line, c);
        else
            refuse(c, "not_permitted", "you may not read here",
                   "sudo, or adduser to the group of gossipvs.conf");
        start = end + 1;
        if (uv_is_closing((uv_handle_t *)&c->pipe))
            return;
    }
    c->len -= (size_t)(start - c->line);
    memmove(c->line, start, c->len);
    if (c->len == LINE_MAX_BYTES) {
        c->pending++;
        refuse(c, "usage", "a request line is longer than 64 KiB", "");
        drop(c);
    }
}

static void
give_buffer(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    struct client *c = h->data;

    (void)suggested;
    *buf = uv_buf_init(c->line + c->len, (unsigned)(LINE_MAX_BYTES - c->len));
}

static void
on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct client *c = s->data;

    (void)buf;
    if (n == UV_EOF &&
        (gvs_requests_end(c->control->a, c) || uv_stream_get_write_queue_size(s) > 0)) {
        c->ended = true; /* he waits for his answers, as `echo ... | socat` does */
        uv_read_stop(s);
        return;
    }
    if (n < 0) {
        drop(c);
        return;
    }
    c->len += (size_t)n;
    take_lines(c);
}

static void
on_connection(uv_stream_t *server, int status)
{
    struct gvs_control *control = server->data;
    struct client *c;

    if (status < 0 || control->a->closing)
        return;
    c = calloc(1, sizeof *c);
    if (!c)
        return;
    c->control = control;
    uv_pipe_init(control->a->loop, &c->pipe, 0);
    c->pipe.data = c;
    c->next = control->first;
    control->first = c;
    control->clients++;
    control->a->handles++;
    if (uv_accept(server, (uv_stream_t *)&c->pipe) != 0) {
        drop(c);
        return;
    }
    identify(c);
    if (control->clients > CLIENTS_MAX) {
        c->pending++;
        refuse(c, "no", "too many clients at once", "");
        drop(c);
        return;
    }
    uv_read_start((uv_stream_t *)&c->pipe, give_buffer, on_read);
}

/* --- the socket ---------------------------------------------------------------------------------
 */

/* Is somebody listening there? Then it is not a leftover. */
static bool
alive(const char *path)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool yes;

    snprintf(sa.sun_path, sizeof sa.sun_path, "%s", path);
    yes = fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0;
    if (fd >= 0)
        close(fd);
    return yes;
}

static void
make_parent(const char *path)
{
    char dir[108], *slash;

    snprintf(dir, sizeof dir, "%s", path);
    slash = strrchr(dir, '/');
    if (slash && slash != dir) {
        *slash = 0;
        mkdir(dir, 0755);
    }
}

int
gvs_control_open(struct gvs_control **out, struct gvs_agent *a, struct gvs_fault *fault)
{
    struct gvs_control *c;
    mode_t mask;
    int rc;

    *out = NULL;
    if (alive(a->cfg.socket))
        return gvs_fault_set(fault, GVS_EXIT_USAGE, "another agent answers at %s", a->cfg.socket);
    c = calloc(1, sizeof *c);
    if (!c)
        return gvs_fault_set(fault, GVS_EXIT_NO, "out of memory");
    c->a = a;
    c->group = group_id(a, a->cfg.group);
    c->admin_group = group_id(a, a->cfg.admin_group);
    make_parent(a->cfg.socket);
    unlink(a->cfg.socket);
    uv_pipe_init(a->loop, &c->pipe, 0);
    c->pipe.data = c;
    a->handles++;
    *out = c;
    mask = umask(0117); /* 0660 from the first moment */
    rc = uv_pipe_bind(&c->pipe, a->cfg.socket);
    umask(mask);
    if (rc == 0 && c->group != (gid_t)-1 && chown(a->cfg.socket, (uid_t)-1, c->group) != 0)
        gvs_agent_log(a, GVS_LOG_WARN, "%s stays with this user's group: %s", a->cfg.socket,
                      strerror(errno));
    if (rc == 0)
        rc = uv_listen((uv_stream_t *)&c->pipe, CLIENTS_MAX, on_connection);
    if (rc != 0)
        return gvs_fault_set(fault, GVS_EXIT_USAGE, "cannot listen at %s: %s", a->cfg.socket,
                             uv_strerror(rc));
    return GVS_OK;
}

static void
server_closed(uv_handle_t *h)
{
    struct gvs_control *c = h->data;

    c->closed = true;
    release(c);
}

void
gvs_control_close(struct gvs_control *c)
{
    for (struct client *client = c->first, *next; client; client = next) {
        next = client->next;
        drop(client);
    }
    uv_close((uv_handle_t *)&c->pipe, server_closed);
}
