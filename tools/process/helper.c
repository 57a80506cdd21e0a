/* tools/process/helper.c: above, what the agent calls; below the line, what runs in the other
 * process. */
#include "tools/process/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/process/confine.h"

#define NSFS_MAGIC 0x6e736673 /* linux/magic.h */
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* asm-generic/socket.h, Linux 5.14 */
#endif

#define SOCKETS 3

struct request {
    char name[GVS_HELPER_NAME_MAX + 1]; /* ended by 0, and 0 after that */
};

/* Room for the descriptors that come with an answer. */
union control {
    struct cmsghdr head;
    char room[CMSG_SPACE(SOCKETS * sizeof(int))];
};

bool
gvs_helper_name_valid(const char *name)
{
    size_t len = strnlen(name, GVS_HELPER_NAME_MAX + 1);

    return len > 0 && len <= GVS_HELPER_NAME_MAX && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@:+=._-") ==
               len;
}

int
gvs_helper_ask(struct gvs_child *c, const char *name)
{
    struct request r = {0};

    GVS_ASSERT(gvs_helper_name_valid(name));
    memcpy(r.name, name, strlen(name));
    if (send(c->fd, &r, sizeof r, MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof r)
        return GVS_E_LOST; /* one request always fits */
    return GVS_OK;
}

/* The descriptors of a message into fds; how many there were. Those beyond are closed. */
static size_t
take_descriptors(struct msghdr *m, int fds[static SOCKETS])
{
    size_t count = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        size_t len = c->cmsg_len - CMSG_LEN(0);

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < len / sizeof(int); i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (count < SOCKETS)
                fds[count++] = fd;
            else
                close(fd);
        }
    }
    return count;
}

static bool
is_answer(const struct gvs_helper_answer *a)
{
    return a->where < GVS_HELPER_WHERES && memchr(a->name, 0, sizeof a->name) &&
           (a->name[0] == 0 || gvs_helper_name_valid(a->name)) &&
           (a->where == GVS_HELPER_DONE) == (a->error == 0);
}

int
gvs_helper_answer(struct gvs_child *c, struct gvs_helper_answer *a,
                  struct gvs_kernel_sockets *sockets)
{
    union control control;
    struct iovec body = {a, sizeof *a};
    struct msghdr m = {.msg_iov = &body,
                       .msg_iovlen = 1,
                       .msg_control = control.room,
                       .msg_controllen = sizeof control.room};
    int fds[SOCKETS] = {-1, -1, -1};
    ssize_t n = recvmsg(c->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    size_t count, expected;

    *sockets = (struct gvs_kernel_sockets){-1, -1, -1};
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? GVS_E_NOTFOUND : GVS_E_LOST;
    count = take_descriptors(&m, fds);
    *sockets = (struct gvs_kernel_sockets){fds[0], fds[1], fds[2]};
    if (n == sizeof *a && is_answer(a)) {
        expected = a->where == GVS_HELPER_DONE && a->name[0] ? SOCKETS : 0;
        if (count == expected)
            return GVS_OK;
        if (m.msg_flags & MSG_CTRUNC) { /* the kernel had no more numbers for us */
            gvs_kernel_sockets_close(sockets);
            a->where = GVS_HELPER_TAKING;
            a->error = EMFILE;
            return GVS_OK;
        }
    }
    gvs_kernel_sockets_close(sockets);
    return GVS_E_LOST;
}

/* --- the other process --- */

static int
netns_open(const char *name, struct gvs_helper_answer *a)
{
    int dir = open("/run/netns", O_PATH | O_DIRECTORY | O_CLOEXEC), fd, error;

    fd = dir < 0 ? -1 : openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    error = errno;
    if (dir >= 0)
        close(dir);
    errno = error;
    a->where = GVS_HELPER_OPENING;
    return fd;
}

/* I1: a namespace, whichever kind; setns asks which. */
static bool
is_namespace(int fd, struct gvs_helper_answer *a)
{
    struct statfs fs;
    struct stat st;

    a->where = GVS_HELPER_KIND;
    if (fstatfs(fd, &fs) < 0 || fstat(fd, &st) < 0)
        return false;
    errno = EINVAL;
    a->dev = st.st_dev;
    a->ino = st.st_ino;
    return fs.f_type == NSFS_MAGIC;
}

/* I2. */
static bool
make_inside(int home, int netns, struct gvs_helper_answer *a, struct gvs_kernel_sockets *s)
{
    socklen_t len = sizeof a->cookie;
    int error;

    a->where = GVS_HELPER_ENTERING;
    if (setns(netns, CLONE_NEWNET) < 0)
        return false;
    a->where = gvs_kernel_sockets_make(s) < 0 ? GVS_HELPER_MAKING : GVS_HELPER_DONE;
    error = errno;
    if (setns(home, CLONE_NEWNET) < 0)
        _exit(1);
    errno = error;
    if (a->where != GVS_HELPER_DONE)
        return false;
    if (getsockopt(s->lock, SOL_SOCKET, SO_NETNS_COOKIE, &a->cookie, &len) < 0)
        a->cookie = 0;
    return true;
}

static void
serve_one(int home, const char *name, struct gvs_helper_answer *a, struct gvs_kernel_sockets *s)
{
    int netns = netns_open(name, a);
    bool done = netns >= 0 && is_namespace(netns, a) && make_inside(home, netns, a, s);

    a->error = done ? 0 : errno;
    if (netns >= 0)
        close(netns);
}

static void
answer(const struct gvs_helper_answer *a, const struct gvs_kernel_sockets *s)
{
    int fds[SOCKETS] = {s->nl, s->link, s->lock};
    union control control = {0};
    struct iovec body = {(void *)a, sizeof *a};
    struct msghdr m = {.msg_iov = &body, .msg_iovlen = 1};

    if (s->nl >= 0) {
        m.msg_control = control.room;
        m.msg_controllen = sizeof control.room;
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(sizeof fds);
        memcpy(CMSG_DATA(&control.head), fds, sizeof fds);
    }
    if (sendmsg(GVS_CHILD_SOCKET, &m, MSG_NOSIGNAL) != sizeof *a)
        _exit(0);
}

/* Whoever asks for something else than a name is not the agent that we know. */
static void
serve(int home)
{
    struct request r;
    ssize_t n;

    for (;;) {
        struct gvs_kernel_sockets s = {-1, -1, -1};
        struct gvs_helper_answer a = {0};

        do
            n = recv(GVS_CHILD_SOCKET, &r, sizeof r, MSG_TRUNC); /* its length, were it longer */
        while (n < 0 && errno == EINTR);
        if (n != sizeof r || !memchr(r.name, 0, sizeof r.name) || !gvs_helper_name_valid(r.name))
            _exit(0);
        memcpy(a.name, r.name, strlen(r.name));
        serve_one(home, r.name, &a, &s);
        answer(&a, &s);
        gvs_kernel_sockets_close(&s);
    }
}

static void
live(const void *nothing)
{
    struct gvs_helper_answer hello = {0};
    const struct gvs_kernel_sockets none = {-1, -1, -1};
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

    (void)nothing;
    if (home < 0)
        _exit(1);
    if (gvs_confine_helper() < 0) {
        hello.where = GVS_HELPER_STARTING;
        hello.error = errno;
    }
    answer(&hello, &none);
    serve(home);
}

int
gvs_helper_start(struct gvs_child *c)
{
    return gvs_child_start(c, "gossipvs-helper", false, live, NULL);
}
