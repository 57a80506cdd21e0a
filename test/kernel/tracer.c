/* test/kernel/tracer LOG HOW N COMMAND...: runs a program one system call at a time, and troubles
 * it at the Nth. Counted is from its first netlink socket on: what comes before is of no interest.
 *
 *     kill N       it is killed (SIGKILL) as it enters its Nth system call
 *     before N     its Nth netlink call (send or receive) fails, and is not made
 *     after N      likewise, but a receive is made, and what came is lost; a send never is: the
 *                  kernel has no such failure
 *     from N       that and all that follow fail, until SIGUSR1
 *     none 0       nothing
 *
 * Sends fail with ENOBUFS (`from`: ENOMEM), receives with ENOBUFS (EAGAIN), as the kernel's do. LOG
 * gets a line `sent HEX` for each sendto on a netlink socket that the kernel was given, and at the
 * end `hit 0|1`, was there an Nth, and `calls N NETLINK`. Exits as the program did, 137 if killed.
 * Linux on x86-64 alone, whose registers it sets. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined __x86_64__

#define FDS_MAX 256

enum how { NONE, KILL, BEFORE, AFTER, FROM };

struct tracer {
    pid_t pid;
    int mem; /* its memory */
    FILE *log;
    enum how how;
    unsigned long n, calls, netlink;
    bool hit, inside; /* a system call */
    bool sockets[FDS_MAX];
    struct user_regs_struct entry;
    long error; /* to be returned by the one that it is in; 0: what the kernel says */
};

static volatile sig_atomic_t healed;

static void
heal(int sig)
{
    (void)sig;
    healed = 1;
}

__attribute__((noreturn)) static void
die(const char *what)
{
    perror(what);
    exit(2);
}

static bool
is_send(const struct user_regs_struct *r)
{
    return r->orig_rax == SYS_sendto || r->orig_rax == SYS_sendmsg;
}

static bool
is_netlink_call(const struct tracer *t, const struct user_regs_struct *r)
{
    bool receives = r->orig_rax == SYS_recvfrom || r->orig_rax == SYS_recvmsg;

    return (is_send(r) || receives) && r->rdi < FDS_MAX && t->sockets[r->rdi];
}

static void
set_regs(struct tracer *t, struct user_regs_struct *r)
{
    if (ptrace(PTRACE_SETREGS, t->pid, NULL, r) < 0)
        die("PTRACE_SETREGS");
}

static bool
is_to_fail(const struct tracer *t)
{
    return t->how == FROM ? t->netlink >= t->n && !healed
                          : (t->how == BEFORE || t->how == AFTER) && t->netlink == t->n;
}

/* What it is now: execve has given it another. */
static void
open_memory(struct tracer *t)
{
    char path[32];

    snprintf(path, sizeof path, "/proc/%d/mem", (int)t->pid);
    t->mem = open(path, O_RDONLY | O_CLOEXEC);
    if (t->mem < 0)
        die(path);
}

/* False: it has been killed. */
static bool
enter(struct tracer *t, struct user_regs_struct *r)
{
    bool send = is_send(r);

    t->entry = *r;
    t->error = 0;
    if (t->calls == 0 && r->orig_rax == SYS_socket && r->rdi == AF_NETLINK)
        open_memory(t);
    t->calls += t->calls > 0 || t->mem > 0;
    if (t->how == KILL && t->calls == t->n) {
        t->hit = true;
        kill(t->pid, SIGKILL);
        return false;
    }
    if (!is_netlink_call(t, r))
        return true;
    t->netlink++;
    if (!is_to_fail(t))
        return true;
    t->hit = true;
    t->error = t->how != FROM ? ENOBUFS : send ? ENOMEM : EAGAIN;
    if (send || t->how != AFTER) {
        r->orig_rax = (unsigned long long)-1; /* no such system call */
        set_regs(t, r);
    }
    return true;
}

static void
log_sent(struct tracer *t, unsigned long long at, unsigned long long len)
{
    static unsigned char b[65536];
    ssize_t n = pread(t->mem, b, len < sizeof b ? len : sizeof b, (off_t)at);

    if (n <= 0)
        die("/proc/PID/mem");
    fputs("sent ", t->log);
    for (ssize_t i = 0; i < n; i++)
        fprintf(t->log, "%02x", b[i]);
    fputc('\n', t->log);
}

static void
leave(struct tracer *t, struct user_regs_struct *r)
{
    const struct user_regs_struct *e = &t->entry;
    bool done = (long long)r->rax >= 0;

    if (t->error > 0) {
        r->rax = (unsigned long long)-t->error;
        set_regs(t, r);
    } else if (e->orig_rax == SYS_sendto && is_netlink_call(t, e) && done) {
        log_sent(t, e->rsi, e->rdx);
    } else if (e->orig_rax == SYS_socket && done && r->rax < FDS_MAX) {
        t->sockets[r->rax] = e->rdi == AF_NETLINK;
    } else if (e->orig_rax == SYS_close && e->rdi < FDS_MAX) {
        t->sockets[e->rdi] = false;
    }
}

/* It has stopped; false if it has been killed. */
static bool
take_stop(struct tracer *t)
{
    struct user_regs_struct r;

    if (ptrace(PTRACE_GETREGS, t->pid, NULL, &r) < 0)
        die("PTRACE_GETREGS");
    t->inside = !t->inside;
    if (t->inside)
        return enter(t, &r);
    leave(t, &r);
    return true;
}

/* Until it has ended; how, as wait says. */
static int
follow(struct tracer *t)
{
    int status, sig = 0;

    for (;;) {
        if (ptrace(PTRACE_SYSCALL, t->pid, NULL, (void *)(long)sig) < 0 && errno != ESRCH)
            die("PTRACE_SYSCALL");
        while (waitpid(t->pid, &status, 0) < 0)
            if (errno != EINTR)
                die("waitpid");
        if (!WIFSTOPPED(status))
            return status;
        sig = WSTOPSIG(status) == (SIGTRAP | 0x80) || WSTOPSIG(status) == SIGTRAP
                  ? 0
                  : WSTOPSIG(status);
        if (WSTOPSIG(status) == (SIGTRAP | 0x80) && !take_stop(t)) {
            waitpid(t->pid, &status, 0);
            return status;
        }
    }
}

static void
start(struct tracer *t, char **argv)
{
    int status;

    t->pid = fork();
    if (t->pid == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        execvp(argv[0], argv);
        die(argv[0]);
    }
    if (t->pid < 0 || waitpid(t->pid, &status, 0) < 0 || !WIFSTOPPED(status))
        die("fork");
    if (ptrace(PTRACE_SETOPTIONS, t->pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) < 0)
        die("PTRACE_SETOPTIONS");
}

int
main(int argc, char **argv)
{
    static const char *const names[] = {"none", "kill", "before", "after", "from"};
    struct sigaction sa = {.sa_handler = heal};
    static struct tracer t;
    int status;

    if (argc < 5)
        return 2;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(argv[2], names[i]) == 0)
            t.how = (enum how)i;
    t.n = strtoul(argv[3], NULL, 10);
    t.log = fopen(argv[1], "we");
    if (!t.log || sigaction(SIGUSR1, &sa, NULL) < 0)
        die(argv[1]);
    start(&t, argv + 4);
    status = follow(&t);
    fprintf(t.log, "hit %d\ncalls %lu %lu\n", t.hit, t.calls, t.netlink);
    fclose(t.log);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

#else

int
main(void)
{
    fputs("tracer: it knows the registers of x86-64 alone\n", stderr);
    return 2;
}

#endif
