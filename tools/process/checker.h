/* tools/process/checker.h: a process that runs the commands of checks (check { } of services.d), so
 * that the agent need not be able to start any program.
 *
 *     agent    number, service, backend  --------------->  checker   reads services.d, forks, execs
 *              execve is death                             as privileged as the agent was started
 *              <---  number, how it ended
 *
 * Which commands there are stands in the files of services.d, which belong to the operator, and the
 * checker reads them there by itself: its directory is settled before any key is read, and requests
 * name a backend, never a command nor a file. Why not send the command, which the agent has read as
 * well? Because then whoever takes over the agent would have a process that runs what he likes. So
 * he gains the commands that the operator wrote, for the backends that they stand beside, with
 * their time-outs. The price is a look at the directory for each command (its files are read again
 * when they have changed), and that both may have read it at different moments: what the checker
 * does not find it does not run, and says so.
 *
 *   I1  Nothing runs but a command of a check that stands in the directory (its last good version,
 *       as everywhere), for that check's backend. No shell reads it.
 *   I2  At most GVS_CHECKER_MAX run at once. Each has its check's timeout; then it is killed with
 *       its process group, and so is what it leaves behind when it ends by itself.
 *   I3  A command has nothing of the agent's: 0 to 2 lead nowhere, its environment is a PATH and
 *       GOSSIPVS_VIP, _NAME, _BACKEND, _ADDRESS, _PORT.
 *   I4  With the agent ends the checker, and with it every command.
 *
 * And those of tools/process/child.h.
 */
#pragma once

#include "core/addr.h"
#include "tools/process/child.h"

#define GVS_CHECKER_MAX 16 /* nothing special about it */

/* `dir` is that of services.d, of less than 256 bytes. GVS_OK, or GVS_E_SYS with errno. */
int gvs_checker_start(struct gvs_child *c, const char *dir);

/* Runs a check once. `number` is the caller's, and comes back with the answer. GVS_E_LOST: the
 * checker has gone, or takes no more. */
int gvs_checker_ask(struct gvs_child *c, uint64_t number, const struct gvs_svcid *svc,
                    const struct gvs_ep *ep);

enum gvs_checker_end {
    GVS_CHECKER_EXITED = 0, /* with the status `code` */
    GVS_CHECKER_KILLED,     /* by the signal `code` */
    GVS_CHECKER_LATE,       /* the time was up */
    GVS_CHECKER_NOT_RUN,    /* errno `code` */
    GVS_CHECKER_NOT_FOUND,  /* no such check stands there */
    GVS_CHECKER_FULL,       /* too many run: some that were killed have not ended yet */
    GVS_CHECKER_ENDS,
};

struct gvs_checker_answer {
    uint64_t number;
    uint32_t end; /* enum gvs_checker_end */
    int32_t code;
};

/* The next answer, if there is one. GVS_E_NOTFOUND: none yet. GVS_E_LOST: the checker has gone, or
 * what came is no answer. */
int gvs_checker_answer(struct gvs_child *c, struct gvs_checker_answer *a);
