/* tools/agent/gossipvs.h: libgossipvs, the agent on its caller's loop.
 *
 *     struct gvs_agent *agent;
 *     struct gvs_fault fault;
 *     if (gvs_agent_open(&agent, loop, "/etc/gossipvs/gossipvs.conf", log, NULL, &fault) < 0)
 *         fprintf(stderr, "%s\n", fault.text);
 *     uv_run(loop, UV_RUN_DEFAULT);
 *
 * One agent takes part in one cluster and programs the IPVS of the network namespace that it was
 * opened in. If the configuration names others, it forks a helper that opens these, and that needs
 * the CAP_SYS_ADMIN of this moment (tools/process/helper.h). It uses the calling thread, the loop,
 * the loop's worker threads, and two of its own for its store; all of them start when the loop
 * runs, not before. Nothing here may be called from another thread, and nothing here changes what
 * the process may do. gossipvsd is this and a main(); an orchestrator that has a libuv loop needs
 * no second process. Where namespaces come and go, glibc wants mallopt(M_MMAP_THRESHOLD, 1 << 20)
 * from its main(), too (gossipvsd.c says why).
 */
#pragma once

#include <stdbool.h>

#include "tools/words/fault.h"

#ifdef __cplusplus
extern "C" {
#endif

struct uv_loop_s;
struct gvs_agent;

enum gvs_log_level {
    GVS_LOG_ERR = 3,
    GVS_LOG_WARN = 4,
    GVS_LOG_INFO = 6,
    GVS_LOG_DEBUG = 7
}; /* as syslog */
typedef void (*gvs_log_fn)(void *ctx, enum gvs_log_level level, const char *line);

/* Reads the configuration, opens store, kernel, sockets; begins. GVS_OK, or a negative number, *out
 * NULL, *fault filled, and nothing left open. `log` may be NULL. */
int gvs_agent_open(struct gvs_agent **out, struct uv_loop_s *loop, const char *config,
                   gvs_log_fn log, void *log_ctx, struct gvs_fault *fault);

/* Reads configuration, keyring and claims again. On a fault everything stays as it was; so it does
 * if the new primary key is one that a living member lacks, unless `force`. */
int gvs_agent_reload(struct gvs_agent *a, bool force, struct gvs_fault *fault);

/* One request of docs/control.md, as a line of JSON; the answer, or each of them for watch, comes
 * to `reply`, perhaps before this returns. `by` names who asks, for the log; `may_change` is
 * whether he may. */
typedef void (*gvs_reply_fn)(void *ctx, const char *line, int last);
void gvs_agent_command(struct gvs_agent *a, const char *line, const char *by, int may_change,
                       gvs_reply_fn reply, void *ctx);

/* Stops. The kernel and the claims stay as they are, nobody is told. Frees the agent when the loop
 * has let go of everything, and then calls `closed` (may be NULL). */
void gvs_agent_close(struct gvs_agent *a, void (*closed)(void *ctx), void *ctx);

/* `left` is called once, from the loop, when the node has left the cluster by command: its id is
 * retired, the kernel and this agent go on as they are. Close it then. */
void gvs_agent_on_left(struct gvs_agent *a, void (*left)(void *ctx), void *ctx);

const char *gvs_version(void);

#ifdef __cplusplus
}
#endif
