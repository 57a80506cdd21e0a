/* What gossipvs.h promises, by what an agent has anyway. */
#include "tools/agent/gossipvs.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/agent/agent.h"

#define CLOSE_MS 2000
#define CLOSE_PEERS 3 /* who have it spread it; nothing special about three */

static_assert(GVS_ERROR_NO == -(int)GVS_EXIT_NO && GVS_ERROR_USAGE == -(int)GVS_EXIT_USAGE &&
                  GVS_ERROR_NOT_PERMITTED == -(int)GVS_EXIT_NOT_PERMITTED &&
                  GVS_ERROR_NOT_FOUND == -(int)GVS_EXIT_NOT_FOUND &&
                  GVS_ERROR_CONFLICT == -(int)GVS_EXIT_CONFLICT &&
                  GVS_ERROR_KERNEL == -(int)GVS_EXIT_KERNEL,
              "exit codes, as they are");
static_assert(sizeof((struct gvs_fault *)NULL)->text + sizeof((struct gvs_fault *)NULL)->hint +
                      sizeof "\nhint: " <=
                  GVS_ERROR_LEN,
              "a text and its hint");

static int
give(const struct gvs_fault *f, char *error)
{
    if (error)
        snprintf(error, GVS_ERROR_LEN, "%s%s%s", f->text, f->hint[0] ? "\nhint: " : "", f->hint);
    return -(int)f->exit;
}

int
gvs_open(struct gvs_agent **out, struct uv_loop_s *loop, const char *config, gvs_log_fn log,
         void *log_ctx, char *error)
{
    const struct gvs_agent_setup setup = {loop, config, log, log_ctx, .embedded = true};
    struct gvs_fault f;

    return gvs_agent_set_up(out, &setup, &f) < 0 ? give(&f, error) : 0;
}

int
gvs_claim(struct gvs_agent *a, const char *vip, const char *backend, const char *words,
          unsigned flags, char *error)
{
    struct gvs_fault f;
    int rc;

    GVS_ASSERT(!a->ending);
    if (flags & ~GVS_DURABLE)
        rc = gvs_fault_set(&f, GVS_EXIT_USAGE, "flags %#x: GVS_DURABLE or 0 expected", flags);
    else
        rc = gvs_code_claim(a, vip, backend, words ? words : "", flags & GVS_DURABLE, &f);
    return rc < 0 ? give(&f, error) : 0;
}

int
gvs_withdraw(struct gvs_agent *a, const char *vip, const char *backend, char *error)
{
    struct gvs_fault f;

    GVS_ASSERT(!a->ending);
    return gvs_code_withdraw(a, vip, backend, &f) < 0 ? give(&f, error) : 0;
}

/* --- questions --- */

void
gvs_command(struct gvs_agent *a, const char *line, gvs_reply_fn reply, void *ctx)
{
    GVS_ASSERT(!a->ending);
    gvs_agent_command(a, line, a->program, 1, reply, ctx);
}

static void
on_event(void *ctx, const char *line, int last)
{
    struct gvs_watcher *w = ctx;

    (void)last; /* only for want of memory */
    if (w->event)
        w->event(w->ctx, line);
}

void
gvs_watch(struct gvs_agent *a, void (*event)(void *ctx, const char *line), void *ctx)
{
    GVS_ASSERT(!a->ending);
    gvs_requests_abandon(a, &a->watcher);
    a->watcher = (struct gvs_watcher){event, ctx};
    if (event)
        gvs_agent_command(a, "{\"command\":\"watch\"}", a->program, 0, on_event, &a->watcher);
}

static void
keep_status(void *ctx, const char *line, int last)
{
    struct gvs_agent *a = ctx;

    (void)last;
    a->status = strdup(line);
}

int
gvs_status(struct gvs_agent *a, const char **json)
{
    const char *health;
    json_t *doc;
    int h;

    GVS_ASSERT(!a->ending);
    free(a->status);
    a->status = NULL;
    gvs_agent_command(a, "{\"command\":\"status\"}", a->program, 0, keep_status, a);
    doc = a->status ? json_loads(a->status, 0, NULL) : NULL;
    health = json_string_value(json_object_get(doc, "health"));
    h = health && strcmp(health, "ok") == 0     ? GVS_HEALTH_OK
        : health && strcmp(health, "warn") == 0 ? GVS_HEALTH_WARN
                                                : GVS_HEALTH_CRITICAL;
    json_decref(doc);
    if (json)
        *json = a->status;
    return h;
}

/* --- the end --- */

struct end {
    uv_timer_t timer; /* outlives the agent */
    struct gvs_agent *a;
    void (*closed)(void *ctx);
    void *ctx;
};

static void
timer_closed(uv_handle_t *timer)
{
    struct end *e = timer->data;

    if (e->closed)
        e->closed(e->ctx);
    free(e);
}

/* The agent is gone, but for a handle of its store, which closes in the same pass of the loop. */
static void
agent_closed(void *ctx)
{
    struct end *e = ctx;

    uv_close((uv_handle_t *)&e->timer, timer_closed);
}

static void
close_agent(uv_timer_t *timer)
{
    struct end *e = timer->data;

    gvs_agent_close(e->a, agent_closed, e);
}

/* Not from within the request that answers, nor from within gvs_close. */
static void
close_soon(struct end *e)
{
    uv_timer_start(&e->timer, close_agent, 0, 0);
}

static void
on_ended(void *ctx, const char *line, int last)
{
    (void)line, (void)last;
    close_soon(ctx);
}

static void
run_end(struct gvs_request *r)
{
    struct gvs_node_counts c = gvs_node_count(r->a->node);

    r->peers = c.alive - 1 < CLOSE_PEERS ? c.alive - 1 : CLOSE_PEERS;
    gvs_request_change(r, gvs_code_end_passing);
}

void
gvs_close(struct gvs_agent *a, void (*closed)(void *ctx), void *ctx)
{
    struct end *e = calloc(1, sizeof *e);

    GVS_ASSERT(!a->ending && e != NULL);
    *e = (struct end){.a = a, .closed = closed, .ctx = ctx};
    a->ending = true;
    uv_timer_init(a->loop, &e->timer);
    e->timer.data = e;
    gvs_requests_abandon(a, NULL);
    if (gvs_code_any_passing(a))
        gvs_request_run(a, CLOSE_MS, run_end, on_ended, e);
    else
        close_soon(e);
}
