/* tools/process/runner.c: above, what the agent calls; below the line, what runs in the other
 * process. */
#include "tools/process/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/err.h"

/* Behind the head: the event, each word, and the input, each ended by 0. */
struct request {
    uint32_t timeout_ms, words;
    char text[GVS_RUNNER_REQUEST_MAX];
};

#define HEAD_LEN offsetof(struct request, text)

/* --- what the agent calls --- */

static int
append(struct request *r, size_t *len, const char *text)
{
    size_t n = strlen(text) + 1;

    if (n > sizeof r->text - *len)
        return GVS_E_NOSPACE;
    memcpy(r->text + *len, text, n);
    *len += n;
    return GVS_OK;
}

int
gvs_runner_ask(struct gvs_child *c, unsigned timeout_ms, const char *event,
               const char *const *words, size_t word_count, const char *input)
{
    struct request r;
    size_t len = 0;
    int rc = append(&r, &len, event);

    GVS_ASSERT(word_count <= GVS_RUNNER_WORDS_MAX);
    r.timeout_ms = timeout_ms;
    r.words = (uint32_t)word_count;
    for (size_t i = 0; i < word_count && rc == GVS_OK; i++)
        rc = append(&r, &len, words[i]);
    if (rc == GVS_OK)
        rc = append(&r, &len, input);
    if (rc < 0)
        return rc;
    len += HEAD_LEN;
    if (send(c->fd, &r, len, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)len)
        return GVS_E_LOST; /* one request always fits */
    return GVS_OK;
}

int
gvs_runner_answer(struct gvs_child *c, struct gvs_runner_answer *a)
{
    ssize_t n = recv(c->fd, a, sizeof *a, MSG_DONTWAIT | MSG_TRUNC);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? GVS_E_NOTFOUND : GVS_E_LOST;
    return n == sizeof *a && a->end < GVS_RUNNER_ENDS ? GVS_OK : GVS_E_LOST;
}

/* --- the other process --- */

struct job {
    const char *program;
    char *event, *input;
    char *words[GVS_RUNNER_WORDS_MAX + 2]; /* PATH before, NULL behind */
};

/* Finds the texts in a request of n bytes; false: it is not one of ours. */
static bool
unpack(struct request *r, size_t n, struct job *j)
{
    char *at = r->text, *end = (char *)r + n, *next[GVS_RUNNER_WORDS_MAX + 2];
    size_t count = 0;

    if (n <= HEAD_LEN || n > sizeof *r || end[-1] != 0 || r->words > GVS_RUNNER_WORDS_MAX)
        return false;
    for (; at < end && count < r->words + 2; at += strlen(at) + 1)
        next[count++] = at;
    if (count != r->words + 2 || at != end)
        return false;
    j->event = next[0];
    j->words[0] = (char *)GVS_CHILD_PATH;
    memcpy(j->words + 1, next + 1, r->words * sizeof *next);
    j->words[r->words + 1] = NULL;
    j->input = next[count - 1];
    return true;
}

/* I3: a file without a name. -1 with errno. */
static int
open_input(const char *text)
{
    size_t len = strlen(text);
    int fd = memfd_create("event", MFD_CLOEXEC);

    if (fd < 0)
        return -1;
    if (write(fd, text, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Forks the program. -1 with errno: it does not run. */
static pid_t
launch(const struct job *j)
{
    char *argv[] = {(char *)j->program, j->event, NULL};
    int input = open_input(j->input), error;
    pid_t pid;

    if (input < 0)
        return -1;
    pid = gvs_child_exec(argv, j->words, input);
    error = errno;
    close(input);
    errno = error;
    return pid;
}

static int64_t
now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Waits for the end of pid, whose SIGCHLD is blocked. False: the time is up. */
static bool
wait_for(pid_t pid, unsigned timeout_ms, int *status)
{
    int64_t end = now_ms() + timeout_ms, left;
    sigset_t child;

    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    while (waitpid(pid, status, WNOHANG) != pid) {
        left = end - now_ms();
        if (left <= 0)
            return false;
        sigtimedwait(&child, NULL, &(struct timespec){left / 1000, left % 1000 * 1000000});
    }
    return true;
}

static struct gvs_runner_answer
run(const struct job *j, unsigned timeout_ms)
{
    pid_t pid = launch(j);
    int status;

    if (pid < 0)
        return (struct gvs_runner_answer){GVS_RUNNER_NOT_RUN, errno};
    if (!wait_for(pid, timeout_ms, &status)) {
        kill(-pid, SIGKILL); /* I2 */
        waitpid(pid, &status, 0);
        return (struct gvs_runner_answer){GVS_RUNNER_LATE, 0};
    }
    if (WIFSIGNALED(status))
        return (struct gvs_runner_answer){GVS_RUNNER_KILLED, WTERMSIG(status)};
    return (struct gvs_runner_answer){GVS_RUNNER_EXITED, WEXITSTATUS(status)};
}

/* Whoever asks for something else is not the agent that we know. */
static void
live(const void *program)
{
    struct job j = {.program = program};
    struct request r;
    sigset_t child;
    ssize_t n;

    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    for (;;) {
        struct gvs_runner_answer a;

        do
            n = recv(GVS_CHILD_SOCKET, &r, sizeof r, MSG_TRUNC); /* its length, were it longer */
        while (n < 0 && errno == EINTR);
        if (n <= 0 || !unpack(&r, (size_t)n, &j))
            return;
        a = run(&j, r.timeout_ms);
        if (send(GVS_CHILD_SOCKET, &a, sizeof a, MSG_NOSIGNAL) != sizeof a)
            return;
    }
}

int
gvs_runner_start(struct gvs_child *c, const char *program)
{
    return gvs_child_start(c, "gossipvs-runner", true, live, program);
}
