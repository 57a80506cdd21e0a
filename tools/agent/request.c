/* One request, from the line that came to the last line that goes back.
 *
 * A command answers at once, or leaves a poll function behind that is called after every pump until
 * it has answered. A change waits for three things in turn: that this node may write, that what it
 * wrote is durable, and that this kernel has acknowledged or refused it. The deadline cuts any of
 * the waits short, and the answer says how far it got. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/agent/agent.h"

#define TIMEOUT_MS_DEFAULT 10000
#define TIMEOUT_S_MAX 86400
#define WORD_LOG_MAX 256 /* a word of one command is no longer than a name, an address, a number */
#define LINE_LOG_MAX 640
#define WAITING_MAX 64 /* services of a request that are looked at each time */
#define ASK_MS 50      /* between probes of peers that have not got it yet */

struct command {
    const char *words;
    gvs_command_fn run;
    bool changes;
};

static const struct command commands[] = {
    {"status", gvs_show_status, false},
    {"members", gvs_show_members, false},
    {"vip list", gvs_show_vip_list, false},
    {"vip show", gvs_show_vip, false},
    {"vip add", gvs_change_vip_add, true},
    {"vip set", gvs_change_vip_set, true},
    {"vip del", gvs_change_vip_del, true},
    {"backend add", gvs_change_backend_add, true},
    {"backend set", gvs_change_backend_set, true},
    {"backend del", gvs_change_backend_del, true},
    {"backend drain", gvs_change_backend_drain, true},
    {"backend undrain", gvs_change_backend_undrain, true},
    {"plan", gvs_show_plan, false},
    {"audit", gvs_show_audit, false},
    {"watch", gvs_show_watch, false},
    {"reload", gvs_show_reload, true},
    {"version", gvs_show_version, false},
    {"stage", gvs_change_stage, false},
    {"apply", gvs_change_apply, true},
    {"confirm", gvs_change_confirm, true},
    {"rollback", gvs_change_rollback, true},
    {"export", gvs_show_export, false},
    {"metrics", gvs_show_metrics, false},
    {"conflicts", gvs_show_conflicts, false},
    {"doctor", gvs_show_doctor, false},
    {"config show", gvs_show_config, false},
    {"keys list", gvs_show_keys, false},
    {"forget", gvs_change_forget, true},
    {"leave", gvs_change_leave, true},
    {"brake release", gvs_change_brake_release, true},
};
#define COMMANDS (sizeof commands / sizeof *commands)

json_t *
gvs_fault_json(const struct gvs_fault *f)
{
    return json_pack("{s:s, s:s, s:s}", "code", gvs_exit_name(f->exit), "message", f->text, "hint",
                     f->hint);
}

void
gvs_request_answer(struct gvs_request *r, json_t *doc, bool last)
{
    char *line;

    GVS_ASSERT(!r->done || !last || !r->reply); /* once, unless the client has gone meanwhile */
    if (r->reply && (line = json_dumps(doc, JSON_COMPACT)) != NULL) {
        r->reply(r->ctx, line, last);
        free(line);
    }
    r->done |= last;
    json_decref(doc);
}

void
gvs_request_fault(struct gvs_request *r, const struct gvs_fault *f)
{
    if (!gvs_list_fault(r, f))
        gvs_request_answer(r, json_pack("{s:o}", "error", gvs_fault_json(f)), true);
}

/* --- changes --- */

/* What the store calls back; the request may have been answered and freed before that. */
struct gvs_change_sync {
    struct gvs_agent *a;
    struct gvs_request *r; /* NULL: nobody waits any more */
    struct gvs_change_sync *next;
};

static void
change_synced(void *ctx, int status)
{
    struct gvs_change_sync *s = ctx;
    struct gvs_agent *a = s->a;
    struct gvs_change_sync **link = &a->syncs;

    while (*link != s)
        link = &(*link)->next;
    *link = s->next;
    if (s->r) {
        s->r->durable = status == 0;
        s->r->sync = NULL;
    }
    free(s);
    gvs_agent_pump(a);
}

static void
free_request(struct gvs_request *r)
{
    if (r->sync)
        r->sync->r = NULL;
    json_decref(r->doc);
    gvs_writes_free(r);
    gvs_apply_free(r->apply);
    gvs_list_free(r);
    free(r->svcs);
    free(r);
}

void
gvs_requests_fini(struct gvs_agent *a)
{
    struct gvs_change_sync *next;

    for (struct gvs_request *r; (r = a->requests) != NULL;) { /* one that closed us is left */
        a->requests = r->next;
        free_request(r);
    }
    for (struct gvs_change_sync *s = a->syncs; s; s = next) {
        next = s->next;
        free(s);
    }
    a->syncs = NULL;
}

void
gvs_request_sync(struct gvs_request *r)
{
    r->sync = malloc(sizeof *r->sync);
    if (!r->sync)
        return; /* tried again at the next poll */
    *r->sync = (struct gvs_change_sync){r->a, r, r->a->syncs};
    r->a->syncs = r->sync;
    gvs_store_sync(r->a->store, change_synced, r->sync);
}

void
gvs_request_touch(struct gvs_request *r, const struct gvs_svcid *svc)
{
    struct gvs_svcid *more = realloc(r->svcs, (r->svc_count + 1) * sizeof *more);

    if (!more)
        return;
    r->svcs = more;
    r->svcs[r->svc_count++] = *svc;
}

/* 1 all acknowledged, -1 one refused (why), 0 neither yet. */
static int
settled_in(const struct gvs_netns *ns, const struct gvs_svcid *svc, char *why, size_t cap)
{
    char vip[GVS_SVCID_TEXT_LEN], what[192];
    int one;

    if (ns->filling || gvs_kernel_observing(ns->kernel))
        return 1;
    one = gvs_kernel_settled(ns->kernel, svc, what, sizeof what);
    if (one < 0) {
        gvs_svcid_format(vip, svc);
        snprintf(why, cap, "%s%s%s: %s", ns->host ? "" : ns->name, ns->host ? "" : ": ", vip, what);
    }
    return one;
}

/* In all namespaces that are open and have been told what is wanted: nobody waits for others. */
static int
settled_one(const struct gvs_request *r, const struct gvs_svcid *svc, char *why, size_t cap)
{
    int all = 1;

    for (struct gvs_netns *ns = gvs_netns_next(r->a, NULL); ns; ns = gvs_netns_next(r->a, ns)) {
        int one = settled_in(ns, svc, why, cap);

        if (one < 0)
            return -1;
        if (one == 0)
            all = 0;
    }
    return all;
}

/* Those in front that have settled are not asked again, nor are all of thousands that have not. */
static int
settled(struct gvs_request *r, char *why, size_t cap)
{
    size_t waiting = 0;

    for (size_t i = r->svc_settled; i < r->svc_count && waiting < WAITING_MAX; i++) {
        int one = settled_one(r, &r->svcs[i], why, cap);

        if (one < 0)
            return -1;
        waiting += one == 0;
        if (waiting == 0)
            r->svc_settled = i + 1;
    }
    return waiting == 0;
}

/* Peers whose table is ours, by their answer to a probe that was sent after the write: that of the
 * claims, or of the members. */
static size_t
peers_in_sync(const struct gvs_request *r)
{
    uint64_t fp = gvs_table_fingerprint(r->of_members ? gvs_node_members(r->a->node)
                                                      : gvs_node_claims(r->a->node));
    size_t in_sync = 0, count;
    struct gvs_node_member *m = gvs_list_members(r->a, &count);

    for (size_t i = 0; i < count; i++)
        in_sync += !m[i].self && m[i].state < GVS_DEAD && m[i].has_fingerprint &&
                   (r->of_members ? m[i].members_fingerprint : m[i].fingerprint) == fp &&
                   m[i].answered.us >= r->wrote.us;
    free(m);
    return in_sync;
}

void
gvs_request_changed(struct gvs_request *r, size_t peers, const char *kernel,
                    const struct gvs_fault *f)
{
    char stamp[17];
    json_t *doc;

    /* Of a member nothing is stamped. */
    snprintf(stamp, sizeof stamp, "%016llx", (unsigned long long)r->stamp.hlc);
    doc = json_pack("{s:s, s:s, s:s?, s:I, s:s}", "schema", "gossipvs/1", "result",
                    r->already ? "already" : "done", "stamp", r->of_members ? NULL : stamp, "peers",
                    (json_int_t)peers, "kernel", kernel);
    if (r->trial)
        gvs_trial_describe(r, r->trial, doc);
    if (f)
        json_object_set_new(doc, "error", gvs_fault_json(f));
    gvs_request_answer(r, doc, true);
}

/* More than there are never come. */
static void
too_few_peers(const struct gvs_request *r, size_t peers, struct gvs_fault *f)
{
    struct gvs_node_counts c = gvs_node_count(r->a->node);
    size_t others = c.alive + c.suspect + c.dead - 1;
    char known[64] = "";

    if (r->peers > others)
        snprintf(known, sizeof known, " (this node knows of %zu)", others);
    gvs_fault_set(f, GVS_EXIT_TIMEOUT, "done here, but only %zu of %zu peers have it in time%s",
                  peers, r->peers, known);
    gvs_fault_hint(f, "gossipvs members; -n waits longer");
}

static bool
timed_out(struct gvs_request *r, int state)
{
    size_t peers = r->change ? 0 : peers_in_sync(r);
    struct gvs_fault f;

    if (r->change && r->more)
        gvs_fault_set(&f, GVS_EXIT_TIMEOUT, "not all was looked at in time; nothing was changed");
    else if (r->change)
        gvs_fault_set(&f, GVS_EXIT_TIMEOUT,
                      "no peer has confirmed this node's table yet; nothing was changed");
    else if (!r->durable)
        gvs_fault_set(&f, GVS_EXIT_TIMEOUT, "the change is not on this disk yet (see status)");
    else if (state == 0)
        gvs_fault_set(&f, GVS_EXIT_TIMEOUT, "durable, but this kernel has not answered in time");
    else
        too_few_peers(r, peers, &f);
    if (r->change) {
        gvs_fault_hint(&f, "gossipvs members; -n waits longer");
        gvs_request_fault(r, &f);
    } else {
        gvs_request_changed(r, peers,
                            state == 0                 ? "unknown"
                            : gvs_agent_observes(r->a) ? "observe"
                                                       : "ok",
                            &f);
    }
    return true;
}

/* Have as many peers acknowledged as were asked for? Asks them until they have. */
static bool
peers_have_it(struct gvs_request *r, struct gvs_mono now)
{
    if (r->peers == 0 || peers_in_sync(r) >= r->peers)
        return true;
    if (gvs_mono_due(gvs_mono_add_ms(r->asked, ASK_MS), now)) {
        gvs_node_probe_all(r->a->node, now);
        r->asked = now;
    }
    r->wake = gvs_mono_min(r->wake, gvs_mono_add_ms(r->asked, ASK_MS));
    return false;
}

static bool
refuse_retired(struct gvs_request *r)
{
    struct gvs_fault f;

    if (!gvs_node_retired(r->a->node))
        return false;
    gvs_fault_set(&f, GVS_EXIT_CONFLICT,
                  "this node's id has been retired (leave, or forget on another node); it writes "
                  "nothing any more");
    gvs_fault_hint(&f, "restart gossipvsd: it joins with a new id, its kernel stays as it is");
    gvs_request_fault(r, &f);
    return true;
}

/* The change, or the next part of it, under the name of whoever asked for it. */
static bool
run_change(struct gvs_request *r)
{
    bool (*change)(struct gvs_request *) = r->change;
    bool written;

    gvs_agent_absorb(r->a); /* what peers did is theirs */
    r->a->via = GVS_VIA_CLI;
    r->a->by = r->who.name;
    r->change = NULL;
    r->more = false;
    written = change(r) && gvs_writes_commit(r);
    gvs_agent_absorb(r->a);
    r->a->via = GVS_VIA_PEER;
    r->a->by = NULL;
    if (r->more)
        r->change = change;
    return written;
}

static void
answer_dry(struct gvs_request *r)
{
    if (!r->list)
        gvs_list_open(r, "changes");
    gvs_list_end(r, r->apply ? json_pack("{s:I}", "kept", (json_int_t)gvs_apply_kept(r->apply))
                             : NULL);
}

void
gvs_request_early(struct gvs_request *r, const struct gvs_fault *f)
{
    if (!r->reply)
        return;
    gvs_request_changed(r, 0, "unknown", f);
    r->reply = NULL;
    r->ctx = NULL;
    r->done = false;
}

/* What is being written is written to its end, but nobody waits for longer than he said. */
static void
answer_early(struct gvs_request *r)
{
    struct gvs_fault f;

    gvs_fault_set(&f, GVS_EXIT_TIMEOUT, "not all is written yet (%zu entries are); it goes on",
                  r->written);
    gvs_fault_hint(&f, "the same again says when it is so");
    gvs_request_early(r, &f);
}

static bool
poll_change(struct gvs_request *r, struct gvs_mono now)
{
    char why[512] = "";
    struct gvs_fault f;
    int state;

    if (r->change && refuse_retired(r))
        return true;
    if (r->dry && !gvs_list_ready(r)) {
        r->wake = GVS_MONO_NEVER; /* he reads, or goes */
        return false;
    }
    if (r->change && (r->stays || gvs_agent_may_write(r->a))) {
        if (!run_change(r))
            return true;
        r->wake = now; /* the next part's turn, or the kernel's, comes with the next pump */
        if (r->change && r->stays && gvs_mono_due(r->deadline, now))
            answer_early(r);
        if (r->change)
            return !r->stays && !r->list && gvs_mono_due(r->deadline, now) && timed_out(r, 0);
        if (r->dry) {
            answer_dry(r);
            return true;
        }
        r->wrote = now;
    }
    if (!r->change && !r->durable && !r->sync)
        gvs_request_sync(r);
    state = r->durable ? settled(r, why, sizeof why) : 0;
    if (state > 0 && peers_have_it(r, now)) {
        gvs_request_changed(r, peers_in_sync(r), gvs_agent_observes(r->a) ? "observe" : "ok", NULL);
        return true;
    }
    if (state < 0) {
        gvs_fault_set(&f, GVS_EXIT_KERNEL, "%s", why);
        gvs_fault_hint(&f, "other nodes are not affected; gossipvs plan");
        gvs_request_changed(r, peers_in_sync(r), "refused", &f);
        return true;
    }
    return gvs_mono_due(r->deadline, now) && timed_out(r, state);
}

void
gvs_request_change(struct gvs_request *r, bool (*change)(struct gvs_request *r))
{
    r->change = change;
    r->poll = poll_change;
}

/* --- the list of those that wait --- */

static void
sweep(struct gvs_agent *a)
{
    for (struct gvs_request **p = &a->requests; *p;) {
        struct gvs_request *r = *p;

        if (!r->done || r->running) {
            p = &r->next;
            continue;
        }
        *p = r->next;
        free_request(r);
    }
}

struct gvs_mono
gvs_requests_poll(struct gvs_agent *a)
{
    struct gvs_mono now = gvs_udp_now(), next = GVS_MONO_NEVER;

    for (struct gvs_request *r = a->requests; r; r = r->next) {
        if (r->done || r->running || !r->poll)
            continue;
        r->wake = r->deadline;
        r->running = true; /* who is answered may ask, or close, from within */
        r->done |= r->poll(r, now);
        r->running = false;
        if (!r->done)
            next = gvs_mono_min(next, r->wake);
    }
    sweep(a);
    return next;
}

bool
gvs_requests_end(const struct gvs_agent *a, const void *ctx)
{
    bool any = false;

    for (const struct gvs_request *r = a->requests; r; r = r->next) {
        if (r->ctx != ctx || r->done)
            continue;
        if (r->deadline.us == GVS_MONO_NEVER.us)
            return false;
        any = true;
    }
    return any;
}

void
gvs_requests_abandon(struct gvs_agent *a, void *ctx)
{
    struct gvs_mono soon = gvs_mono_add_ms(gvs_udp_now(), TIMEOUT_MS_DEFAULT);

    gvs_stage_abandon(a, ctx);
    for (struct gvs_request *r = a->requests; r; r = r->next) {
        if (ctx && r->ctx != ctx)
            continue;
        r->reply = NULL;
        r->ctx = NULL; /* the next client may have the same place */
        r->done |= !ctx || !r->stays;
        r->deadline = gvs_mono_min(r->deadline, soon);
    }
    if (!ctx)
        sweep(a);
}

/* --- from a line to a command --- */

static int
unknown_command(const char *words, struct gvs_fault *f)
{
    const char *known[COMMANDS + 1] = {0};
    const char *near;

    for (size_t i = 0; i < COMMANDS; i++)
        known[i] = commands[i].words;
    near = gvs_nearest(words, known);
    gvs_fault_set(f, GVS_EXIT_USAGE, "no command '%.64s'", words);
    if (near)
        gvs_fault_hint(f, "did you mean '%s'?", near);
    return -1;
}

/* To look is everybody's who may ask; `audit --fix`, which has no other word, is more. */
static bool
is_change(const struct gvs_request *r, const struct command *c)
{
    return c->changes || (c->run == gvs_show_audit && r->argc > 0);
}

static int
forbid(const struct gvs_request *r, struct gvs_fault *f)
{
    gvs_agent_log_seldom(r->a, GVS_SELDOM_FORBIDDEN, "%s (uid %ld, pid %ld) may not: %s",
                         r->who.name, r->who.uid, r->who.pid, r->words);
    return gvs_fault_set(f, GVS_EXIT_NOT_PERMITTED,
                         "%s may not change anything (only root, the agent's user and group %s)",
                         r->who.name, r->a->cfg.admin_group);
}

static int
find_command(struct gvs_request *r, const struct command **out, struct gvs_fault *f)
{
    GVS_ASSERT(r->words != NULL); /* read_request's */
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].words, r->words) == 0) {
            *out = &commands[i];
            if (is_change(r, &commands[i]) && !r->who.may_change)
                return forbid(r, f);
            return GVS_OK;
        }
    return unknown_command(r->words, f);
}

static int
read_args(struct gvs_request *r, struct gvs_fault *f)
{
    json_t *args = json_object_get(r->doc, "args");
    size_t n = json_array_size(args);

    if ((args && !json_is_array(args)) || n > sizeof r->argv / sizeof *r->argv)
        return gvs_fault_set(f, GVS_EXIT_USAGE, "args: a list of at most 64 strings expected");
    for (size_t i = 0; i < n; i++) {
        r->argv[i] = json_string_value(json_array_get(args, i));
        if (!r->argv[i])
            return gvs_fault_set(f, GVS_EXIT_USAGE, "args[%zu]: a string expected", i);
    }
    r->argc = n;
    return GVS_OK;
}

static int
read_request(struct gvs_request *r, const char *line, struct gvs_fault *f)
{
    json_error_t e;
    json_t *timeout;
    double seconds = TIMEOUT_MS_DEFAULT / 1000.0;

    r->doc = json_loads(line, JSON_REJECT_DUPLICATES, &e);
    if (!r->doc)
        return gvs_fault_set(f, GVS_EXIT_USAGE, "the request is no JSON: %s (column %d)", e.text,
                             e.column);
    r->words = json_string_value(json_object_get(r->doc, "command"));
    if (!r->words)
        return gvs_fault_set(f, GVS_EXIT_USAGE, "the request has no command");
    timeout = json_object_get(r->doc, "timeout");
    if (timeout) {
        seconds = json_number_value(timeout);
        if (!json_is_number(timeout) || !(seconds >= 0 && seconds <= TIMEOUT_S_MAX))
            return gvs_fault_set(f, GVS_EXIT_USAGE, "timeout: 0 to %d seconds expected",
                                 TIMEOUT_S_MAX);
    }
    r->deadline = gvs_mono_add_ms(r->began, (uint64_t)(seconds * 1000));
    return read_args(r, f);
}

/* One argument in printable ASCII: anything else is told byte by byte. Returns its length. */
static size_t
escape(char *text, size_t cap, const char *arg)
{
    size_t at = 0;

    for (; *arg && at + 5 < cap; arg++)
        at += (size_t)snprintf(text + at, cap - at,
                               *arg > ' ' && *arg <= '~' && *arg != '\\' ? "%c" : "\\x%02x",
                               (unsigned char)*arg);
    if (*arg)
        at += (size_t)snprintf(text + at, cap - at, "...");
    return at;
}

/* Who asks for what: all of it, in as many lines as it takes, since what is left out is where
 * somebody would hide. No word that means something is cut short. */
static void
log_request(const struct gvs_request *r)
{
    char who[sizeof r->who.name + 64], word[WORD_LOG_MAX], text[LINE_LOG_MAX];
    const char *head = "";
    size_t at = 0, len;

    if (r->who.pid > 0)
        snprintf(who, sizeof who, "%s (uid %ld, pid %ld)", r->who.name, r->who.uid, r->who.pid);
    else
        snprintf(who, sizeof who, "%s", r->who.name);
    text[0] = 0;
    for (size_t i = 0; i < r->argc; i++) {
        len = escape(word, sizeof word, r->argv[i]);
        if (at + len + 2 > sizeof text) {
            gvs_agent_log(r->a, GVS_LOG_INFO, "%s: %s%s%s", who, head, r->words, text);
            head = "... ";
            at = 0;
        }
        at += (size_t)snprintf(text + at, sizeof text - at, " %s", word);
    }
    gvs_agent_log(r->a, GVS_LOG_INFO, "%s: %s%s%s", who, head, r->words, text);
}

void
gvs_agent_command(struct gvs_agent *a, const char *line, const char *by, int may_change,
                  gvs_reply_fn reply, void *ctx)
{
    struct gvs_who who = {.uid = -1, .may_change = may_change != 0};

    snprintf(who.name, sizeof who.name, "%s", by);
    gvs_request_begin(a, line, &who, reply, NULL, ctx);
}

/* NULL, having answered: no memory. */
static struct gvs_request *
new_request(struct gvs_agent *a, const struct gvs_who *who, gvs_reply_fn reply, void *ctx)
{
    struct gvs_request *r = calloc(1, sizeof *r);

    if (!r) {
        reply(ctx, "{\"error\":{\"code\":\"no\",\"message\":\"out of memory\",\"hint\":\"\"}}", 1);
        return NULL;
    }
    r->a = a;
    r->reply = reply;
    r->ctx = ctx;
    r->who = *who;
    r->began = gvs_udp_now();
    r->next = a->requests;
    a->requests = r;
    return r;
}

void
gvs_request_run(struct gvs_agent *a, uint64_t timeout_ms, void (*run)(struct gvs_request *r),
                gvs_reply_fn reply, void *ctx)
{
    struct gvs_who who = {.uid = -1, .may_change = true};
    struct gvs_request *r;

    snprintf(who.name, sizeof who.name, "%s", a->program);
    r = new_request(a, &who, reply, ctx);
    if (!r)
        return;
    r->deadline = gvs_mono_add_ms(r->began, timeout_ms);
    run(r);
    gvs_agent_pump(a);
}

void
gvs_request_begin(struct gvs_agent *a, const char *line, const struct gvs_who *who,
                  gvs_reply_fn reply, const struct gvs_pieces *pieces, void *ctx)
{
    struct gvs_request *r = new_request(a, who, reply, ctx);
    const struct command *command;
    struct gvs_fault f;

    if (!r)
        return;
    r->pieces = pieces;
    if (read_request(r, line, &f) < 0 || find_command(r, &command, &f) < 0) {
        gvs_request_fault(r, &f);
    } else {
        if (is_change(r, command))
            log_request(r);
        r->running = true;
        command->run(r);
        r->running = false;
    }
    gvs_agent_pump(a);
}
