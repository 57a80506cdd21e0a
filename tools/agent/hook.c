/* tools/agent/hook.c: the operator's program that is told of every event (hooks { on-change }).
 *
 * It follows the ring as a watcher does, one event after the other, each when the program is done
 * with the one before; what the ring has lost meanwhile it is told as `gap`. It begins with what
 * happens after the start. Whatever becomes of the program, the agent goes on. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/agent/agent.h"

#define TIMEOUT_MS 10000

static void
lost(struct gvs_agent *a, const char *why)
{
    char how[32];

    uv_poll_stop(&a->runner_poll);
    gvs_child_stop(&a->runner, how);
    snprintf(a->hook_fault, sizeof a->hook_fault, "the process that runs it has gone (%s)",
             how[0] ? how : why);
    gvs_agent_log(a, GVS_LOG_ERR, "hook %s: %s: it runs no more before a restart", a->cfg.on_change,
                  a->hook_fault);
}

static void
failed(struct gvs_agent *a, const char *how)
{
    a->hook_failed++;
    snprintf(a->hook_fault, sizeof a->hook_fault, "%s", how);
    gvs_agent_log_seldom(a, GVS_SELDOM_HOOK, "hook %s: %s", a->cfg.on_change, how);
}

static json_t *
next_event(struct gvs_agent *a)
{
    struct gvs_events *e = &a->events;
    uint64_t missed;

    if (a->hook_seq + 1 < e->first) {
        missed = e->first - a->hook_seq - 1;
        a->hook_seq = e->first - 1;
        return json_pack("{s:s, s:I}", "event", "gap", "missed", (json_int_t)missed);
    }
    return json_incref(gvs_event_doc(e, ++a->hook_seq));
}

/* GOSSIPVS_NAME=value; NULL: it is neither text nor a whole number, and stands in the input only.
 */
static char *
word_of(const char *name, const json_t *value)
{
    char *word = NULL;
    int len = -1;

    if (json_is_string(value))
        len = asprintf(&word, "GOSSIPVS_%s=%s", name, json_string_value(value));
    else if (json_is_integer(value))
        len = asprintf(&word, "GOSSIPVS_%s=%lld", name, (long long)json_integer_value(value));
    if (len < 0)
        return NULL;
    for (char *p = word; *p != '='; p++)
        *p = (char)toupper((unsigned char)*p);
    return word;
}

static int
tell(struct gvs_agent *a, json_t *event)
{
    char where[sizeof a->cfg.socket + sizeof "GOSSIPVS_SOCKET="];
    char *words[GVS_RUNNER_WORDS_MAX], *input = json_dumps(event, JSON_COMPACT);
    size_t count = 1; /* the first is no word of the event's */
    json_t *value;
    const char *name;
    int rc = GVS_E_SYS;

    snprintf(where, sizeof where, "GOSSIPVS_SOCKET=%s", a->cfg.socket);
    words[0] = where;
    json_object_foreach(event, name, value)
    {
        char *word = count < GVS_RUNNER_WORDS_MAX ? word_of(name, value) : NULL;

        if (word)
            words[count++] = word;
    }
    if (input)
        rc = gvs_runner_ask(&a->runner, TIMEOUT_MS,
                            json_string_value(json_object_get(event, "event")),
                            (const char *const *)words, count, input);
    for (size_t i = 1; i < count; i++)
        free(words[i]);
    free(input);
    return rc;
}

void
gvs_hook_run(struct gvs_agent *a)
{
    while (a->runner.fd >= 0 && !a->hook_busy && a->hook_seq < a->events.seq) {
        json_t *event = next_event(a);
        int rc = tell(a, event);

        json_decref(event);
        a->hook_busy = rc == GVS_OK;
        if (rc == GVS_E_LOST)
            lost(a, "it takes no request");
        else if (rc < 0)
            failed(a, "it was not told of an event, which is too long");
    }
}

static void
note_end(struct gvs_agent *a, const struct gvs_runner_answer *end)
{
    char how[96] = "";

    if (end->end == GVS_RUNNER_EXITED && end->code != 0)
        snprintf(how, sizeof how, "exit status %d", end->code);
    else if (end->end == GVS_RUNNER_KILLED)
        snprintf(how, sizeof how, "killed by signal %d", end->code);
    else if (end->end == GVS_RUNNER_LATE)
        snprintf(how, sizeof how, "killed, as it was not done after %d s", TIMEOUT_MS / 1000);
    else if (end->end == GVS_RUNNER_NOT_RUN)
        snprintf(how, sizeof how, "it cannot be run: %s", strerror(end->code));
    if (how[0]) {
        failed(a, how);
        return;
    }
    a->hook_done++;
    a->hook_fault[0] = 0;
}

static void
on_answer(uv_poll_t *p, int status, int events)
{
    struct gvs_agent *a = p->data;
    struct gvs_runner_answer end;
    int rc = status < 0 ? GVS_E_LOST : gvs_runner_answer(&a->runner, &end);

    (void)events;
    if (rc == GVS_E_NOTFOUND)
        return;
    a->hook_busy = false;
    if (rc == GVS_OK)
        note_end(a, &end);
    else
        lost(a, "its socket was closed");
    gvs_hook_run(a);
}

void
gvs_hook_fork(struct gvs_agent *a)
{
    if (a->cfg.on_change[0] == 0 || gvs_runner_start(&a->runner, a->cfg.on_change) == GVS_OK)
        return;
    snprintf(a->hook_fault, sizeof a->hook_fault, "no process to run it: %s", strerror(errno));
    gvs_agent_log(a, GVS_LOG_ERR, "hook %s: %s", a->cfg.on_change, a->hook_fault);
}

void
gvs_hook_begin(struct gvs_agent *a)
{
    a->hook_seq = a->events.seq;
    if (a->runner.fd < 0)
        return;
    uv_poll_init(a->loop, &a->runner_poll, a->runner.fd);
    a->runner_poll.data = a;
    a->handles++;
    uv_poll_start(&a->runner_poll, UV_READABLE, on_answer);
}

void
gvs_hook_free(struct gvs_agent *a)
{
    gvs_child_end(&a->runner);
}
