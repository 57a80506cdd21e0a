/* tools/process/child.h: a process of the agent's own that shares nothing with it but one socket.
 *
 * For what the agent itself must not be able to do once it is confined: enter namespaces
 * (helper.h), start programs (runner.h, checker.h). It is forked before any key is read and before
 * privileges are dropped, has its own memory as of then, and the caller's uid.
 *
 *   I1  It has no descriptor of the agent's but its end of the socket, which is number 3; 0 to 2
 *       lead nowhere, but that 2 is the agent's, if asked for.
 *   I2  It ends with the agent: by the end of the socket, or by SIGKILL as the thread that forked
 *       it ends (PR_SET_PDEATHSIG). What ends the agent otherwise is for the agent alone: ^C and
 *       systemd send it to all.
 *   I3  No message is cut or joined to another (SOCK_SEQPACKET), and the agent never waits.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#define GVS_CHILD_SOCKET 3

struct gvs_child {
    int fd; /* -1: there is none, or no more. To be polled for reading. */
    pid_t pid;
};

/* Forks it; it runs `live`, and ends when that returns. `name` is at most 15 bytes. GVS_OK, or
 * GVS_E_SYS with errno, and c->fd -1. In a process with several threads this is safe as far as
 * malloc after fork is, which glibc's is. */
int gvs_child_start(struct gvs_child *c, const char *name, bool keep_stderr,
                    void (*live)(const void *arg), const void *arg);

/* Closes the socket, which ends it, and takes note of its end if that has come: `how` then says so
 * ("killed by signal 9"; "gone", if somebody else of this process took note before), else it is "".
 */
void gvs_child_stop(struct gvs_child *c, char how[static 32]);

/* The same, and waits for its end, a millisecond or so: a process that goes on without the agent is
 * to have no zombie of it. What has not ended after a tenth of a second is killed. */
void gvs_child_end(struct gvs_child *c);

/* In the child: forks a program, in a process group of its own, with every signal as a program
 * expects it at its start. Its stdin is `input`, its stdout and stderr are our stderr. -1 with
 * errno: it does not run. */
#define GVS_CHILD_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
pid_t gvs_child_exec(char *const argv[], char *const env[], int input);
