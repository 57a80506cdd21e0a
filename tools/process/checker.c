/* tools/process/checker.c: above, what the agent calls; below the line, what runs in the other
 * process. */
#include "tools/process/checker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/err.h"
#include "tools/words/claims.h"

struct request {
    uint64_t number;
    struct gvs_svcid svc;
    struct gvs_ep ep;
};

/* --- what the agent calls --- */

int
gvs_checker_ask(struct gvs_child *c, uint64_t number, const struct gvs_svcid *svc,
                const struct gvs_ep *ep)
{
    struct request r;

    memset(&r, 0, sizeof r);
    r.number = number;
    r.svc = *svc;
    r.ep = *ep;
    if (send(c->fd, &r, sizeof r, MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof r)
        return GVS_E_LOST;
    return GVS_OK;
}

int
gvs_checker_answer(struct gvs_child *c, struct gvs_checker_answer *a)
{
    ssize_t n = recv(c->fd, a, sizeof *a, MSG_DONTWAIT | MSG_TRUNC);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? GVS_E_NOTFOUND : GVS_E_LOST;
    return n == sizeof *a && a->end < GVS_CHECKER_ENDS ? GVS_OK : GVS_E_LOST;
}

/* --- the other process --- */

struct job {
    pid_t pid; /* 0: none */
    uint64_t number;
    int64_t end_ms;
    bool late; /* killed, and the agent told so */
};

struct checker {
    const char *dir;
    struct gvs_claims claims;
    struct job jobs[GVS_CHECKER_MAX];
};

static int64_t
now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* There is room for every answer that is owed; who does not read is not there. */
static void
answer(uint64_t number, enum gvs_checker_end end, int code)
{
    struct gvs_checker_answer a;

    memset(&a, 0, sizeof a);
    a.number = number;
    a.end = end;
    a.code = code;
    (void)!send(GVS_CHILD_SOCKET, &a, sizeof a, MSG_NOSIGNAL);
}

/* I1. What it claims is kept when the directory cannot be read. */
static const struct gvs_claim_backend *
find(struct checker *c, const struct request *r, const struct gvs_claim_service **service)
{
    const struct gvs_claim_backend *b;
    struct gvs_fault fault;

    gvs_claims_read(&c->claims, c->dir, &fault);
    *service = gvs_claims_find(&c->claims, &r->svc, NULL);
    b = gvs_claims_find_backend(*service, &r->ep);
    return b && b->check && b->check->type == GVS_CHECK_EXEC ? b : NULL;
}

/* I3. */
static pid_t
launch(const struct gvs_claim_service *s, const struct gvs_claim_backend *b)
{
    char text[4][GVS_NAME_LEN_MAX + 80], port[32], copy[GVS_CHECK_COMMAND_MAX];
    char *argv[GVS_CHECK_WORDS_MAX + 1];
    char *env[] = {(char *)GVS_CHILD_PATH, text[0], text[1], text[2], text[3], port, NULL};
    char vip[GVS_SVCID_TEXT_LEN], ep[GVS_EP_TEXT_LEN], addr[GVS_ADDR_TEXT_LEN];

    gvs_svcid_format(vip, &s->id);
    gvs_ep_format(ep, &b->ep);
    gvs_addr_format(addr, &b->ep.addr);
    snprintf(text[0], sizeof text[0], "GOSSIPVS_VIP=%s", vip);
    snprintf(text[1], sizeof text[1], "GOSSIPVS_NAME=%s", s->attr.name);
    snprintf(text[2], sizeof text[2], "GOSSIPVS_BACKEND=%s", ep);
    snprintf(text[3], sizeof text[3], "GOSSIPVS_ADDRESS=%s", addr);
    snprintf(port, sizeof port, "GOSSIPVS_PORT=%u", b->ep.port);
    gvs_check_split(copy, b->check->command, argv);
    return gvs_child_exec(argv, env, 0);
}

static void
begin(struct checker *c, const struct request *r)
{
    const struct gvs_claim_service *s;
    const struct gvs_claim_backend *b;
    struct job *j = c->jobs;
    pid_t pid;

    while (j < c->jobs + GVS_CHECKER_MAX && j->pid)
        j++;
    if (j == c->jobs + GVS_CHECKER_MAX) { /* I2 */
        answer(r->number, GVS_CHECKER_FULL, 0);
        return;
    }
    b = find(c, r, &s);
    if (!b) {
        answer(r->number, GVS_CHECKER_NOT_FOUND, 0);
        return;
    }
    pid = launch(s, b);
    if (pid < 0)
        answer(r->number, GVS_CHECKER_NOT_RUN, errno);
    else
        *j = (struct job){pid, r->number, now_ms() + (int64_t)b->check->timeout * 1000, false};
}

/* Those that have ended. Each is a zombie until its group is dead: so the group's number is nobody
 * else's meanwhile. */
static void
reap(struct checker *c)
{
    for (struct job *j = c->jobs; j < c->jobs + GVS_CHECKER_MAX; j++) {
        siginfo_t info = {0};
        bool exited;

        if (!j->pid || waitid(P_PID, (id_t)j->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
            info.si_pid == 0)
            continue;
        kill(-j->pid, SIGKILL);
        waitpid(j->pid, NULL, 0);
        exited = info.si_code == CLD_EXITED;
        if (!j->late)
            answer(j->number, exited ? GVS_CHECKER_EXITED : GVS_CHECKER_KILLED, info.si_status);
        j->pid = 0;
    }
}

static void
kill_late(struct checker *c)
{
    for (struct job *j = c->jobs; j < c->jobs + GVS_CHECKER_MAX; j++) {
        if (!j->pid || j->late || j->end_ms > now_ms())
            continue;
        kill(-j->pid, SIGKILL);
        answer(j->number, GVS_CHECKER_LATE, 0);
        j->late = true;
    }
}

/* Milliseconds to the next time that is up; -1: none. */
static int
next_ms(const struct checker *c)
{
    int64_t now = now_ms(), next = -1;

    for (const struct job *j = c->jobs; j < c->jobs + GVS_CHECKER_MAX; j++) {
        int64_t left = j->end_ms > now ? j->end_ms - now : 0;

        if (j->pid && !j->late && (next < 0 || left < next))
            next = left;
    }
    return (int)next;
}

/* True while the agent is there. Whoever asks for something else is not the agent that we know. */
static bool
take_request(struct checker *c)
{
    struct request r;
    ssize_t n = recv(GVS_CHILD_SOCKET, &r, sizeof r, MSG_DONTWAIT | MSG_TRUNC);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (n != sizeof r)
        return false;
    begin(c, &r);
    return true;
}

static int
watch_children(void)
{
    sigset_t child;

    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    return signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void
live(const void *dir)
{
    struct checker c = {.dir = dir};
    struct signalfd_siginfo ignored;
    struct pollfd p[] = {{.fd = GVS_CHILD_SOCKET, .events = POLLIN},
                         {.fd = watch_children(), .events = POLLIN}};

    /* I4: the end of the socket ends it, and not a signal, which would leave commands behind. */
    prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
    while (p[1].fd >= 0) {
        if (poll(p, 2, next_ms(&c)) < 0 && errno != EINTR)
            break;
        while (read(p[1].fd, &ignored, sizeof ignored) > 0)
            ;
        reap(&c);
        kill_late(&c);
        if (p[0].revents && !take_request(&c))
            break;
    }
    for (struct job *j = c.jobs; j < c.jobs + GVS_CHECKER_MAX; j++)
        if (j->pid)
            kill(-j->pid, SIGKILL);
}

int
gvs_checker_start(struct gvs_child *c, const char *dir)
{
    return gvs_child_start(c, "gossipvs-check", false, live, dir);
}
