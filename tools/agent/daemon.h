/* tools/agent/daemon.h: the agent as gossipvsd has it: gossipvs.h, less claims from code, and what
 * a process of its own needs beyond it. Where namespaces come and go, glibc wants mallopt(
 * M_MMAP_THRESHOLD, 1 << 20) from main(), too (gossipvsd.c says why).
 */
#pragma once

#include <stdbool.h>

#include "tools/agent/gossipvs.h"
#include "tools/words/fault.h"

/* As gvs_open, but with the defaults of gossipvs.conf(5), control socket and services.d included,
 * and without the claims from code that the state directory may have. */
int gvs_agent_open(struct gvs_agent **out, struct uv_loop_s *loop, const char *config,
                   gvs_log_fn log, void *log_ctx, struct gvs_fault *fault);

/* Reads configuration, keyring and claims again. On a fault everything stays as it was; so it does
 * if the new primary key is one that a living member lacks, unless `force`. */
int gvs_agent_reload(struct gvs_agent *a, bool force, struct gvs_fault *fault);

/* As gvs_command. `by` names who asks, for the log; `may_change` is whether he may. */
void gvs_agent_command(struct gvs_agent *a, const char *line, const char *by, int may_change,
                       gvs_reply_fn reply, void *ctx);

/* Stops. The kernel and the claims stay as they are, nobody is told. Frees the agent when the loop
 * has let go of everything, and then calls `closed` (may be NULL). */
void gvs_agent_close(struct gvs_agent *a, void (*closed)(void *ctx), void *ctx);

/* `left` is called once, from the loop, when the node has left the cluster by command: its id is
 * retired, the kernel and this agent go on as they are. Close it then. */
void gvs_agent_on_left(struct gvs_agent *a, void (*left)(void *ctx), void *ctx);
