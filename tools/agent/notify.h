/* tools/agent/notify.h: what a service manager is told (sd_notify(3)): that the agent serves, that
 * it reads its configuration anew, that it stops; and, if the manager asks for that, that the loop
 * still turns. Nothing happens where none asks, or if libsystemd was not there at build. */
#pragma once

#include <uv.h>

struct gvs_notify {
    uv_timer_t beat; /* at half the time after which a manager gives a silent agent up */
};

/* The agent serves. To be closed before the loop. */
void gvs_notify_ready(struct gvs_notify *n, uv_loop_t *loop);

/* Around a reload. The fault, "" if there was none, is what `systemctl status` shows until the
 * next one: the agent goes on with what it had. */
void gvs_notify_reloading(void);
void gvs_notify_reloaded(const char *fault);

/* The agent stops. */
void gvs_notify_close(struct gvs_notify *n);
