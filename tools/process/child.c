#include "tools/process/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/err.h"

#define END_MS 100

void
gvs_child_stop(struct gvs_child *c, char how[static 32])
{
    pid_t ended;
    int status;

    how[0] = 0;
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    if (c->pid <= 0)
        return;
    ended = waitpid(c->pid, &status, WNOHANG);
    if (ended == 0 || (ended < 0 && errno != ECHILD))
        return;
    c->pid = 0;
    if (ended < 0)
        snprintf(how, 32, "gone");
    else if (WIFSIGNALED(status))
        snprintf(how, 32, "killed by signal %d", WTERMSIG(status));
    else
        snprintf(how, 32, "exit status %d", WEXITSTATUS(status));
}

void
gvs_child_end(struct gvs_child *c)
{
    const struct timespec ms = {.tv_nsec = 1000000};
    char how[32];

    gvs_child_stop(c, how);
    for (int i = 0; i < END_MS && c->pid > 0; i++) {
        nanosleep(&ms, NULL);
        gvs_child_stop(c, how);
    }
    if (c->pid > 0 && kill(c->pid, SIGKILL) == 0)
        waitpid(c->pid, NULL, 0);
    c->pid = 0;
}

/* --- the other process --- */

static void
reset_signals(void)
{
    sigset_t none;

    for (int i = 1; i < NSIG; i++)
        signal(i, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A handler of the agent's would write into a pipe of the agent's. */
static void
set_signals(void)
{
    static const int for_the_agent[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};

    reset_signals();
    for (size_t i = 0; i < sizeof for_the_agent / sizeof *for_the_agent; i++)
        signal(for_the_agent[i], SIG_IGN);
}

/* I1. */
static void
close_others(int fd, bool keep_stderr)
{
    int null;

    if (fd != GVS_CHILD_SOCKET && dup3(fd, GVS_CHILD_SOCKET, O_CLOEXEC) < 0)
        _exit(1);
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i < (keep_stderr ? 2 : 3); i++)
        if (null < 0 || dup2(null, i) < 0)
            close(i);
    if (close_range(GVS_CHILD_SOCKET + 1, ~0u, 0) < 0) /* before Linux 5.9 */
        for (long i = sysconf(_SC_OPEN_MAX); i > GVS_CHILD_SOCKET; i--)
            close((int)i);
}

static void
begin(int fd, pid_t agent, const char *name, bool keep_stderr)
{
    close_others(fd, keep_stderr);
    prctl(PR_SET_NAME, name, 0, 0, 0);
    set_signals();
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != agent)
        _exit(1);
}

/* Becomes the program; or says why not, through `report`. */
static _Noreturn void
become(char *const argv[], char *const env[], int input, int report)
{
    setpgid(0, 0);
    reset_signals();
    if (dup2(input, 0) >= 0 && dup2(2, 1) >= 0)
        execve(argv[0], argv, env);
    (void)!write(report, &(int){errno}, sizeof(int));
    _exit(127);
}

/* Not by fork: libuv, which the agent had begun to use, would close what it thinks are pipes of its
 * own, by numbers that are ours by now. */
pid_t
gvs_child_exec(char *const argv[], char *const env[], int input)
{
    int report[2], error;
    pid_t pid;

    if (pipe2(report, O_CLOEXEC) < 0)
        return -1;
    pid = _Fork();
    if (pid == 0)
        become(argv, env, input, report[1]);
    error = errno;
    close(report[1]);
    if (pid > 0 && read(report[0], &error, sizeof error) == sizeof error) {
        waitpid(pid, NULL, 0);
        pid = -1;
    }
    close(report[0]);
    errno = error;
    return pid;
}

int
gvs_child_start(struct gvs_child *c, const char *name, bool keep_stderr,
                void (*live)(const void *arg), const void *arg)
{
    pid_t agent = getpid();
    int ends[2];

    *c = (struct gvs_child){.fd = -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return GVS_E_SYS;
    c->pid = fork();
    if (c->pid == 0) {
        begin(ends[1], agent, name, keep_stderr);
        live(arg);
        _exit(0);
    }
    close(ends[1]);
    if (c->pid < 0) {
        c->pid = 0;
        close(ends[0]);
        return GVS_E_SYS;
    }
    c->fd = ends[0];
    return GVS_OK;
}
