/* tools/helper.c: above, what the agent calls; below the line, what runs in the other process. */
#include "tools/helper.h"

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
#include <time.h>
#include <unistd.h>

#include "tools/confine.h"

#define NSFS_MAGIC 0x6e736673 /* linux/magic.h */
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* asm-generic/socket.h, Linux 5.14 */
#endif

#define SOCKETS 3
#define END_MS 100

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
gvs_helper_ask(struct gvs_helper *h, const char *name)
{
    struct request r = {0};

    GVS_ASSERT(gvs_helper_name_valid(name));
    memcpy(r.name, name, strlen(name));
    if (send(h->fd, &r, sizeof r, MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof r)
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
gvs_helper_answer(struct gvs_helper *h, struct gvs_helper_answer *a,
                  struct gvs_kernel_sockets *sockets)
{
    union control control;
    struct iovec body = {a, sizeof *a};
    struct msghdr m = {.msg_iov = &body,
                       .msg_iovlen = 1,
                       .msg_control = control.room,
                       .msg_controllen = sizeof control.room};
    int fds[SOCKETS] = {-1, -1, -1};
    ssize_t n = recvmsg(h->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
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

void
gvs_helper_stop(struct gvs_helper *h, char how[static 32])
{
    pid_t ended;
    int status;

    how[0] = 0;
    if (h->fd >= 0)
        close(h->fd);
    h->fd = -1;
    if (h->pid <= 0)
        return;
    ended = waitpid(h->pid, &status, WNOHANG);
    if (ended == 0 || (ended < 0 && errno != ECHILD))
        return;
    h->pid = 0;
    if (ended < 0)
        snprintf(how, 32, "gone");
    else if (WIFSIGNALED(status))
        snprintf(how, 32, "killed by signal %d", WTERMSIG(status));
    else
        snprintf(how, 32, "exit status %d", WEXITSTATUS(status));
}

void
gvs_helper_end(struct gvs_helper *h)
{
    const struct timespec ms = {.tv_nsec = 1000000};
    char how[32];

    gvs_helper_stop(h, how);
    for (int i = 0; i < END_MS && h->pid > 0; i++) {
        nanosleep(&ms, NULL);
        gvs_helper_stop(h, how);
    }
}

/* --- the other process --- */

struct helper {
    int fd, home; /* its end of the socket; the namespace where it was forked */
};

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
make_inside(const struct helper *h, int netns, struct gvs_helper_answer *a,
            struct gvs_kernel_sockets *s)
{
    socklen_t len = sizeof a->cookie;
    int error;

    a->where = GVS_HELPER_ENTERING;
    if (setns(netns, CLONE_NEWNET) < 0)
        return false;
    a->where = gvs_kernel_sockets_make(s) < 0 ? GVS_HELPER_MAKING : GVS_HELPER_DONE;
    error = errno;
    if (setns(h->home, CLONE_NEWNET) < 0)
        _exit(1);
    errno = error;
    if (a->where != GVS_HELPER_DONE)
        return false;
    if (getsockopt(s->lock, SOL_SOCKET, SO_NETNS_COOKIE, &a->cookie, &len) < 0)
        a->cookie = 0;
    return true;
}

static void
serve_one(const struct helper *h, const char *name, struct gvs_helper_answer *a,
          struct gvs_kernel_sockets *s)
{
    int netns = netns_open(name, a);
    bool done = netns >= 0 && is_namespace(netns, a) && make_inside(h, netns, a, s);

    a->error = done ? 0 : errno;
    if (netns >= 0)
        close(netns);
}

static void
answer(const struct helper *h, const struct gvs_helper_answer *a,
       const struct gvs_kernel_sockets *s)
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
    if (sendmsg(h->fd, &m, MSG_NOSIGNAL) != sizeof *a)
        _exit(0);
}

/* Whoever asks for something else than a name is not the agent that we know. */
static void
serve(const struct helper *h)
{
    struct request r;
    ssize_t n;

    for (;;) {
        struct gvs_kernel_sockets s = {-1, -1, -1};
        struct gvs_helper_answer a = {0};

        do
            n = recv(h->fd, &r, sizeof r, MSG_TRUNC); /* its length, were it longer */
        while (n < 0 && errno == EINTR);
        if (n != sizeof r || !memchr(r.name, 0, sizeof r.name) || !gvs_helper_name_valid(r.name))
            _exit(0);
        memcpy(a.name, r.name, strlen(r.name));
        serve_one(h, r.name, &a, &s);
        answer(h, &a, &s);
        gvs_kernel_sockets_close(&s);
    }
}

/* A handler of the agent's would write into a pipe of the agent's. What ends the agent is for it
 * alone: ^C and systemd send it to all. */
static void
reset_signals(void)
{
    static const int for_the_agent[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    sigset_t none;

    for (int i = 1; i < NSIG; i++)
        signal(i, SIG_DFL);
    for (size_t i = 0; i < sizeof for_the_agent / sizeof *for_the_agent; i++)
        signal(for_the_agent[i], SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* I3: all but this one, which becomes number 3 (0 to 2 lead nowhere). */
static int
close_others(int fd)
{
    int null;

    if (fd != 3 && dup3(fd, 3, O_CLOEXEC) < 0)
        _exit(1);
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i < 3; i++)
        if (null < 0 || dup2(null, i) < 0)
            close(i);
    if (close_range(4, ~0u, 0) < 0) /* before Linux 5.9 */
        for (long i = sysconf(_SC_OPEN_MAX); i > 3; i--)
            close((int)i);
    return 3;
}

static _Noreturn void
live(int fd, pid_t agent)
{
    struct gvs_helper_answer hello = {0};
    const struct gvs_kernel_sockets none = {-1, -1, -1};
    struct helper h = {.fd = close_others(fd)};

    prctl(PR_SET_NAME, "gossipvs-helper", 0, 0, 0);
    reset_signals();
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    h.home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (h.home < 0 || getppid() != agent)
        _exit(1);
    if (gvs_confine_helper() < 0) {
        hello.where = GVS_HELPER_STARTING;
        hello.error = errno;
    }
    answer(&h, &hello, &none);
    serve(&h);
    _exit(0);
}

int
gvs_helper_start(struct gvs_helper *h)
{
    pid_t agent = getpid();
    int ends[2];

    *h = (struct gvs_helper){.fd = -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return GVS_E_SYS;
    h->pid = fork();
    if (h->pid == 0)
        live(ends[1], agent);
    close(ends[1]);
    if (h->pid < 0) {
        h->pid = 0;
        close(ends[0]);
        return GVS_E_SYS;
    }
    h->fd = ends[0];
    return GVS_OK;
}
