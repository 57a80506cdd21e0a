#include "tools/agent/notify.h"

#include <stdio.h>

#ifdef GVS_SYSTEMD
#include <systemd/sd-daemon.h>
#else
static int
sd_notify(int unset, const char *state)
{
    (void)unset;
    (void)state;
    return 0;
}

static int
sd_watchdog_enabled(int unset, uint64_t *us)
{
    (void)unset;
    (void)us;
    return 0;
}
#endif

static void
beat(uv_timer_t *t)
{
    (void)t;
    sd_notify(0, "WATCHDOG=1");
}

void
gvs_notify_ready(struct gvs_notify *n, uv_loop_t *loop)
{
    uint64_t us = 0;

    uv_timer_init(loop, &n->beat);
    if (sd_watchdog_enabled(0, &us) > 0)
        uv_timer_start(&n->beat, beat, 0, us / 2000);
    sd_notify(0, "READY=1");
}

void
gvs_notify_reloading(void)
{
    sd_notify(0, "RELOADING=1");
}

void
gvs_notify_reloaded(const char *fault)
{
    char state[640];

    snprintf(state, sizeof state, "READY=1\nSTATUS=%s%s", fault[0] ? "reload refused: " : "",
             fault);
    sd_notify(0, state);
}

void
gvs_notify_close(struct gvs_notify *n)
{
    sd_notify(0, "STOPPING=1");
    uv_close((uv_handle_t *)&n->beat, NULL);
}
