/* The control socket: one JSON object a line, both ways (docs/control.md).
 *
 * The kernel says who is at the other end (SO_PEERCRED, SO_PEERGROUPS: the groups of the process,
 * fixed when it connected). Whoever that is must not keep the loop from its peers and its kernel:
 * each turn of it runs one request of a client, nothing waits for a client, and what a client can
 * hold is bounded: a megabyte and one answer unread (of a list, which leaves in pieces, an eighth
 * of that), 64 KiB of a request for five seconds, 64 requests, and of sixteen connections twelve
 * for those who may only look. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tools/agent/agent.h"

#define CLIENTS_MAX 16
#define READERS_MAX 12 /* those who may change something find room though all others are taken */
#define PENDING_MAX 64 /* requests of one client that wait for their answer */
#define LINE_MAX_BYTES 65536
#define BACKLOG_MAX_BYTES (1 << 20)
#define AHEAD_MAX_BYTES (1 << 17) /* of a list: the rest is made when he has read some */
#define UNFINISHED_MS 5000
#define GROUP_LEN_MAX (1 << 16) /* of the users' database, members included */

struct gvs_control {
    struct gvs_agent *a;
    uv_pipe_t pipe;
    uv_idle_t turn;   /* runs while a client has more requests here */
    unsigned handles; /* of these two, open */
    size_t clients, readers;
    struct client *first;
    bool bound;               /* the file is ours, to be removed */
    bool closed;              /* they are; the last client frees the rest */
    gid_t group, admin_group; /* (gid_t)-1: no such group */
};

struct client {
    struct gvs_control *control;
    struct client *next;
    uv_pipe_t pipe;
    uv_timer_t timer; /* until the rest of a request must be here */
    unsigned handles; /* of these two, open */
    struct gvs_who who;
    bool may_read;
    bool more;             /* a whole request waits for the next turn; nothing is read meanwhile */
    bool ended;            /* he will send no more */
    size_t pending;        /* requests without their last answer */
    const void *under_way; /* whose answer has begun to leave, in pieces. NULL: nobody's. Nothing is
                              read meanwhile, and what else is to be said waits here: */
    char *behind;
    size_t behind_len;
    bool waits; /* a list does, for him to read or for another list to end */
    size_t len;
    char line[LINE_MAX_BYTES];
};

/* --- who is it? --- */

static gid_t
group_id(struct gvs_agent *a, const char *name)
{
    char *room = malloc(GROUP_LEN_MAX);
    struct group one, *g = NULL;
    gid_t id;

    if (room && name[0])
        (void)getgrnam_r(name, &one, room, GROUP_LEN_MAX, &g);
    id = g ? g->gr_gid : (gid_t)-1;
    free(room);
    if (!g && name[0])
        gvs_agent_log(a, GVS_LOG_WARN, "no group '%s': only root and the agent's user are in it",
                      name);
    return id;
}

/* The supplementary groups of the process at the other end; to be freed, if they are not `few`. */
static gid_t *
peer_groups(int fd, gid_t *few, size_t few_count, size_t *count)
{
    socklen_t len = (socklen_t)(few_count * sizeof *few);
    gid_t *groups = few;

    *count = 0;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) != 0) {
        groups = errno == ERANGE ? malloc(len) : NULL; /* len says how much it takes */
        if (!groups || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) != 0)
            return groups;
    }
    *count = len / sizeof *groups;
    return groups;
}

static bool
in_group(gid_t group, gid_t own, const gid_t *groups, size_t count)
{
    if (group == (gid_t)-1)
        return false;
    for (size_t i = 0; i < count; i++)
        if (groups[i] == group)
            return true;
    return own == group;
}

static void
identify(struct client *c)
{
    const struct gvs_control *control = c->control;
    struct ucred cred = {.uid = (uid_t)-1};
    socklen_t len = sizeof cred;
    gid_t few[64], *groups;
    struct passwd one, *pw = NULL;
    char room[1024];
    uv_os_fd_t fd;
    size_t count;

    c->who.uid = -1;
    snprintf(c->who.name, sizeof c->who.name, "?@%s", control->a->cfg.name);
    if (uv_fileno((uv_handle_t *)&c->pipe, &fd) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
        return;
    (void)getpwuid_r(cred.uid, &one, room, sizeof room, &pw);
    if (pw)
        snprintf(c->who.name, sizeof c->who.name, "%s@%s", pw->pw_name, control->a->cfg.name);
    else
        snprintf(c->who.name, sizeof c->who.name, "uid-%ld@%s", (long)cred.uid,
                 control->a->cfg.name);
    c->who.uid = (long)cred.uid;
    c->who.pid = (long)cred.pid;
    groups = peer_groups(fd, few, sizeof few / sizeof *few, &count);
    c->who.may_change = cred.uid == 0 || cred.uid == geteuid() ||
                        in_group(control->admin_group, cred.gid, groups, count);
    c->may_read = c->who.may_change || in_group(control->group, cred.gid, groups, count);
    if (groups != few)
        free(groups);
}

/* --- answers --- */

static void pause_reading(struct client *c);
static void resume_reading(struct client *c);

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

    if (--c->handles > 0)
        return;
    for (struct client **p = &control->first; *p; p = &(*p)->next)
        if (*p == c) {
            *p = c->next;
            break;
        }
    free(c->behind);
    free(c);
    release(control);
}

/* From here on it takes nobody's room, also of those who come before the loop has closed it. */
static void
drop(struct client *c)
{
    if (uv_is_closing((uv_handle_t *)&c->pipe))
        return;
    c->control->clients--;
    c->control->readers -= !c->who.may_change;
    gvs_requests_abandon(c->control->a, c);
    uv_close((uv_handle_t *)&c->pipe, client_closed);
    uv_close((uv_handle_t *)&c->timer, client_closed);
}

static void
hang_up(struct client *c, const char *why)
{
    gvs_agent_log_seldom(c->control->a, GVS_SELDOM_CLIENT, "%s (uid %ld, pid %ld) %s: closed",
                         c->who.name, c->who.uid, c->who.pid, why);
    drop(c);
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
    else if (c->waits) {
        c->waits = false;
        gvs_agent_pump(c->control->a); /* which makes the next piece, if there is room for it */
    }
}

/* Takes the bytes; NULL: there was no memory for them. */
static void
send_bytes(struct client *c, char *bytes, size_t len)
{
    uv_write_t *w = malloc(sizeof *w);
    uv_buf_t buf = uv_buf_init(bytes, (unsigned)len);

    if (w)
        w->data = bytes;
    if (w && bytes && uv_write(w, (uv_stream_t *)&c->pipe, &buf, 1, written) == 0)
        return;
    free(w);
    free(bytes);
    drop(c);
}

static void
send_behind(struct client *c)
{
    char *bytes = c->behind;
    size_t len = c->behind_len;

    c->behind = NULL;
    c->behind_len = 0;
    if (len > 0)
        send_bytes(c, bytes, len);
}

static size_t
backlog(const struct client *c)
{
    return uv_stream_get_write_queue_size((const uv_stream_t *)&c->pipe) + c->behind_len;
}

static void
put_behind(struct client *c, const char *bytes, size_t len)
{
    char *more = realloc(c->behind, c->behind_len + len);

    if (!more) {
        drop(c);
        return;
    }
    memcpy(more + c->behind_len, bytes, len);
    c->behind = more;
    c->behind_len += len;
}

static void
send_line(void *ctx, const char *line, int last)
{
    struct client *c = ctx;

    if (last)
        c->pending--;
    if (uv_is_closing((uv_handle_t *)&c->pipe))
        return;
    if (backlog(c) > BACKLOG_MAX_BYTES) {
        hang_up(c, "does not read what he asked for");
        return;
    }
    put_behind(c, line, strlen(line));
    put_behind(c, "\n", 1);
    if (!c->under_way)
        send_behind(c);
}

/* It begins whatever is unread before it, so that it keeps its place among the answers. */
static bool
ready_for(void *ctx, const void *of)
{
    struct client *c = ctx;
    size_t unread = uv_stream_get_write_queue_size((const uv_stream_t *)&c->pipe);
    bool ready = !c->under_way || (c->under_way == of && unread < AHEAD_MAX_BYTES);

    c->waits |= !ready;
    return ready;
}

static void
send_piece(void *ctx, const void *of, const char *bytes, size_t len, bool last)
{
    struct client *c = ctx;
    bool first = !c->under_way;
    char *copy;

    if (last)
        c->pending--;
    if (uv_is_closing((uv_handle_t *)&c->pipe))
        return;
    if (!first && c->under_way != of) { /* all there is of it: nothing of it was asked for before */
        put_behind(c, bytes, len);
        return;
    }
    c->under_way = last ? NULL : of;
    if (first && !last)
        pause_reading(c);
    copy = malloc(len);
    if (copy)
        memcpy(copy, bytes, len);
    send_bytes(c, copy, len);
    if (!last || uv_is_closing((uv_handle_t *)&c->pipe))
        return;
    send_behind(c);
    if (!first)
        resume_reading(c);
}

static const struct gvs_pieces pieces = {ready_for, send_piece};

/* --- requests --- */

static void
refuse(struct client *c, const char *code, const char *message, const char *hint)
{
    char line[512];

    snprintf(line, sizeof line, "{\"error\":{\"code\":\"%s\",\"message\":\"%s\",\"hint\":\"%s\"}}",
             code, message, hint);
    send_line(c, line, 1);
}

static void
run_line(struct client *c, const char *line)
{
    c->pending++;
    if (c->pending > PENDING_MAX)
        refuse(c, "no", "too many requests at once", "");
    else if (c->may_read)
        gvs_request_begin(c->control->a, line, &c->who, send_line, &pieces, c);
    else
        refuse(c, "not_permitted", "you may not read here",
               "sudo, or adduser to the group of gossipvs.conf");
}

static void
on_timer(uv_timer_t *t)
{
    struct client *c = t->data;

    c->pending++;
    refuse(c, "timeout", "the rest of the request has not come in 5 s", "");
    hang_up(c, "did not finish a request");
}

static void take_line(struct client *c);

/* Once each time the loop comes round, the next request of each who has one waiting. */
static void
on_turn(uv_idle_t *turn)
{
    struct gvs_control *control = turn->data;
    bool more = false;

    for (struct client *c = control->first; c; c = c->next) {
        if (!c->more || c->under_way || uv_is_closing((uv_handle_t *)&c->pipe))
            continue;
        take_line(c);
        more |= c->more && !c->under_way;
    }
    if (!more)
        uv_idle_stop(turn);
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
        uv_timer_stop(&c->timer);
        return;
    }
    if (n < 0) {
        drop(c);
        return;
    }
    c->len += (size_t)n;
    take_line(c);
}

/* What is left in the buffer: another whole request, which has to let others go first; the
 * beginning of one, the rest of which has to come in time; or nothing. `whole`: one was taken out
 * before it. */
static void
await_more(struct client *c, bool whole)
{
    bool before = c->more;

    if (c->under_way)
        return; /* resume_reading calls again */
    c->more = memchr(c->line, '\n', c->len) != NULL;
    if (c->more) {
        uv_read_stop((uv_stream_t *)&c->pipe);
        uv_timer_stop(&c->timer);
        uv_idle_start(&c->control->turn, on_turn);
        return;
    }
    if (before)
        uv_read_start((uv_stream_t *)&c->pipe, give_buffer, on_read);
    if (c->len == 0)
        uv_timer_stop(&c->timer);
    else if (whole || !uv_is_active((uv_handle_t *)&c->timer))
        uv_timer_start(&c->timer, on_timer, UNFINISHED_MS, 0);
}

static void
pause_reading(struct client *c)
{
    uv_read_stop((uv_stream_t *)&c->pipe);
    uv_timer_stop(&c->timer);
}

static void
resume_reading(struct client *c)
{
    if (c->ended || uv_is_closing((uv_handle_t *)&c->pipe))
        return;
    c->more = true; /* so that it reads on, unless there is */
    await_more(c, true);
}

/* Runs the first whole line of the buffer. */
static void
take_line(struct client *c)
{
    char *end = memchr(c->line, '\n', c->len);
    size_t len;

    if (end) {
        *end = 0;
        len = (size_t)(end - c->line) + 1;
        run_line(c, c->line);
        if (uv_is_closing((uv_handle_t *)&c->pipe))
            return;
        c->len -= len;
        memmove(c->line, c->line + len, c->len);
    }
    if (c->len == LINE_MAX_BYTES && !memchr(c->line, '\n', c->len)) {
        c->pending++;
        refuse(c, "usage", "a request line is longer than 64 KiB", "");
        hang_up(c, "sent a request longer than 64 KiB");
        return;
    }
    await_more(c, end != NULL);
}

static bool
has_room(const struct gvs_control *control, const struct client *c)
{
    return control->clients <= CLIENTS_MAX &&
           (c->who.may_change || control->readers <= READERS_MAX);
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
    uv_timer_init(control->a->loop, &c->timer);
    c->pipe.data = c->timer.data = c;
    c->handles = 2;
    c->next = control->first;
    control->first = c;
    control->clients++;
    control->readers++; /* until we know better */
    control->a->handles++;
    if (uv_accept(server, (uv_stream_t *)&c->pipe) != 0) {
        drop(c);
        return;
    }
    identify(c);
    control->readers -= c->who.may_change;
    if (!has_room(control, c)) {
        c->pending++;
        refuse(c, "no", "too many clients at once", "");
        hang_up(c, "is one client too many");
        return;
    }
    uv_read_start((uv_stream_t *)&c->pipe, give_buffer, on_read);
}

/* --- the socket --- */

/* Is somebody listening there, be it that he has no time? Then it is not a leftover. */
static bool
alive(const char *path)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool yes;

    snprintf(sa.sun_path, sizeof sa.sun_path, "%s", path);
    yes = fd >= 0 && (connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0 || errno == EAGAIN);
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

/* A leftover goes; anything else that bears the name stays. The state directory is locked: no agent
 * of the same configuration makes a socket meanwhile. */
static int
clear_path(const char *path, struct gvs_fault *fault)
{
    struct stat st;

    if (lstat(path, &st) != 0)
        return GVS_OK;
    if (!S_ISSOCK(st.st_mode))
        return gvs_fault_set(fault, GVS_EXIT_USAGE, "%s exists and is no socket; refusing", path);
    if (alive(path))
        return gvs_fault_set(fault, GVS_EXIT_USAGE, "another agent answers at %s", path);
    unlink(path);
    return GVS_OK;
}

/* To the group of those who may ask: by name, but not through a link that somebody put there. */
static void
give_to_group(struct gvs_control *c)
{
    const char *path = c->a->cfg.socket;
    struct stat st;

    if (c->group == (gid_t)-1 || (lstat(path, &st) == 0 && st.st_gid == c->group))
        return;
    if (lchown(path, (uid_t)-1, c->group) != 0)
        gvs_agent_log(c->a, GVS_LOG_WARN, "%s stays with this user's group: %s", path,
                      strerror(errno));
}

/* What the umask took of 0660; by name, but not through a link that somebody put there. */
static int
give_back(const char *path)
{
    struct stat st;

    if (lstat(path, &st) == 0 && (st.st_mode & 0660) == 0660)
        return 0;
    return fchmodat(AT_FDCWD, path, 0660, AT_SYMLINK_NOFOLLOW);
}

/* 0660 at most from the first moment, and without the umask, which is the process's: bind(2) gives
 * the file the socket's own mode, less what the umask has. */
static int
bind_at(struct gvs_control *c, const char *path)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), rc;
    struct sockaddr_un sa = {.sun_family = AF_UNIX};

    snprintf(sa.sun_path, sizeof sa.sun_path, "%s", path);
    if (fd < 0 || fchmod(fd, 0660) < 0 || bind(fd, (struct sockaddr *)&sa, sizeof sa) < 0) {
        rc = uv_translate_sys_error(errno);
        if (fd >= 0)
            close(fd);
        return rc;
    }
    c->bound = true;
    rc = uv_pipe_open(&c->pipe, fd);
    if (rc != 0)
        close(fd);
    else if (give_back(path) < 0)
        rc = uv_translate_sys_error(errno);
    return rc;
}

int
gvs_control_open(struct gvs_control **out, struct gvs_agent *a, struct gvs_fault *fault)
{
    struct gvs_control *c;
    int rc;

    *out = NULL;
    if (a->cfg.socket[0] == '\0')
        return GVS_OK;
    if (clear_path(a->cfg.socket, fault) < 0)
        return -1;
    c = calloc(1, sizeof *c);
    if (!c)
        return gvs_fault_set(fault, GVS_EXIT_NO, "out of memory");
    c->a = a;
    c->group = group_id(a, a->cfg.group);
    c->admin_group = group_id(a, a->cfg.admin_group);
    make_parent(a->cfg.socket);
    uv_pipe_init(a->loop, &c->pipe, 0);
    uv_idle_init(a->loop, &c->turn);
    c->pipe.data = c->turn.data = c;
    c->handles = 2;
    a->handles++;
    *out = c;
    rc = bind_at(c, a->cfg.socket);
    if (rc == 0)
        give_to_group(c);
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

    if (--c->handles > 0)
        return;
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
    if (c->bound)
        unlink(c->a->cfg.socket);
    uv_close((uv_handle_t *)&c->pipe, server_closed);
    uv_close((uv_handle_t *)&c->turn, server_closed);
}
