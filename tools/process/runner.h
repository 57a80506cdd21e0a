/* tools/process/runner.h: a process that runs a program of the operator's, so that the agent need
 * not be able to start any.
 *
 *     agent    event, environment, input  ---------------->  runner   fork, exec, wait
 *              execve is death                               as privileged as the agent was started
 *              <---  how it ended
 *
 * It is forked where the configuration names a program, and which one it is was settled then:
 * requests name none. Should somebody take over the agent, he gains the operator's own program,
 * told of what never happened. What that program may do is what the unit, or whoever started the
 * agent, allows: it is not confined as the agent is.
 *
 *   I1  Nothing runs but the program that was named as the runner was forked.
 *   I2  One runs at a time, for so long as the request allows; then it is killed, with all that is
 *       still in its process group.
 *   I3  The program has nothing of the agent's but its stderr, which takes its stdout as well. It
 *       reads the input from a file that is its own, whole, so that nobody waits for it to read.
 *   I4  The runner ends with the agent. A program that runs then runs on.
 *
 * And those of tools/process/child.h.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "tools/process/child.h"

#define GVS_RUNNER_REQUEST_MAX 32768 /* bytes, all texts of one; nothing special about it */
#define GVS_RUNNER_WORDS_MAX 64      /* of an environment */

/* `program` is a path of less than 256 bytes. GVS_OK, or GVS_E_SYS with errno. */
int gvs_runner_start(struct gvs_child *c, const char *program);

/* Runs it once: its only argument is `event`, its environment a PATH and the words NAME=VALUE, its
 * stdin `input`. One at a time: the next after the answer. GVS_E_NOSPACE: too long; GVS_E_LOST: the
 * runner has gone. */
int gvs_runner_ask(struct gvs_child *c, unsigned timeout_ms, const char *event,
                   const char *const *words, size_t word_count, const char *input);

enum gvs_runner_end {
    GVS_RUNNER_EXITED = 0, /* with the status `code` */
    GVS_RUNNER_KILLED,     /* by the signal `code` */
    GVS_RUNNER_LATE,       /* the time was up */
    GVS_RUNNER_NOT_RUN,    /* errno `code` */
    GVS_RUNNER_ENDS,
};

struct gvs_runner_answer {
    uint32_t end; /* enum gvs_runner_end */
    int32_t code;
};

/* The answer, if it is there. GVS_E_NOTFOUND: none yet. GVS_E_LOST: the runner has gone, or what
 * came is no answer. */
int gvs_runner_answer(struct gvs_child *c, struct gvs_runner_answer *a);
