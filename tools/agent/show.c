/* The commands that show: status, members, plan, audit, and what is left: reload, version. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/agent/agent.h"
#include "tools/words/syntax.h"

#define SCHEMA "gossipvs/1"
#define OP_KINDS (GVS_OP_ANCHOR_DEL + 1)
#define ASK_MS 50 /* between probes of those who have not converged yet */

static double
since(struct gvs_mono then)
{
    return (double)(gvs_udp_now().us - then.us) / 1e6;
}

/* A member's endpoint; he may have told nothing that can be read. */
void
gvs_text_endpoint(char text[static GVS_EP_TEXT_LEN], const struct gvs_node_member *m)
{
    if (m->value.ep.addr.family == GVS_FAMILY_NONE)
        snprintf(text, GVS_EP_TEXT_LEN, "-");
    else
        gvs_ep_format(text, &m->value.ep);
}

struct gvs_node_member *
gvs_list_members(const struct gvs_agent *a, size_t *count)
{
    size_t max = gvs_table_count(gvs_node_members(a->node)) + 1;
    struct gvs_node_member *m = calloc(max, sizeof *m);

    *count = m ? gvs_node_list(a->node, m, max) : 0;
    return m;
}

/* --- status --- */

static json_t *
node_json(const struct gvs_agent *a)
{
    struct gvs_id self = gvs_node_self(a->node);
    char id[GVS_ID_TEXT_LEN + 1], ep[GVS_EP_TEXT_LEN];

    gvs_id_format(id, &self);
    gvs_ep_format(ep, &a->cfg.advertise);
    return json_pack("{s:s, s:s, s:s, s:s, s:f}", "id", id, "name", a->cfg.name, "address", ep,
                     "version", GVS_VERSION, "uptime_seconds", since(a->started));
}

struct gvs_table_counts
gvs_show_table(const struct gvs_agent *a)
{
    const struct gvs_table *t = gvs_node_claims(a->node);
    size_t services = gvs_set_services(a->shown);

    return (struct gvs_table_counts){
        .entries = gvs_table_count(t) - gvs_table_tombstones(t),
        .tombstones = gvs_table_tombstones(t),
        .services = services,
        .backends = gvs_set_count(a->shown) - services,
    };
}

static json_t *
table_json(const struct gvs_agent *a)
{
    struct gvs_table_counts c = gvs_show_table(a);
    char fp[17];

    gvs_text_hex64(fp, gvs_table_fingerprint(gvs_node_claims(a->node)));
    return json_pack("{s:I, s:I, s:s, s:I, s:I, s:o}", "entries", (json_int_t)c.entries,
                     "tombstones", (json_int_t)c.tombstones, "fingerprint", fp, "services",
                     (json_int_t)c.services, "backends", (json_int_t)c.backends, "pending_apply",
                     gvs_trials_json(a));
}

static void
add_status(struct gvs_kernel_status *sum, const struct gvs_kernel_status *k)
{
    sum->services += k->services;
    sum->destinations += k->destinations;
    sum->leaving += k->leaving;
    sum->held.services += k->held.services;
    sum->held.destinations += k->held.destinations;
    sum->pending += k->pending;
    sum->failed += k->failed;
    sum->service_add += k->service_add;
    sum->service_edit += k->service_edit;
    sum->service_del += k->service_del;
    sum->dest_add += k->dest_add;
    sum->dest_edit += k->dest_edit;
    sum->dest_del += k->dest_del;
    for (size_t i = 0; i < OP_KINDS; i++)
        sum->refused[i] += k->refused[i];
    sum->drift_found += k->drift_found;
    sum->drift_repaired += k->drift_repaired;
    sum->drift_open += k->drift_open;
    sum->writes += k->writes;
    sum->audits += k->audits;
    if (k->audit_us > sum->audit_us)
        sum->audit_us = k->audit_us;
    if (!sum->last_error[0])
        memcpy(sum->last_error, k->last_error, sizeof sum->last_error);
}

struct gvs_kernel_status
gvs_show_kernels(const struct gvs_agent *a)
{
    struct gvs_kernel_status sum = {0}, k;
    struct gvs_netns *ns = NULL;

    while ((ns = gvs_netns_next(a, ns)) != NULL) {
        k = gvs_kernel_status(ns->kernel);
        add_status(&sum, &k);
    }
    return sum;
}

static json_t *
refused_json(const struct gvs_kernel_status *k)
{
    json_t *o = json_object();

    for (size_t i = GVS_OP_SERVICE_ADD; i < OP_KINDS; i++)
        json_object_set_new(o, gvs_op_name((uint8_t)i), json_integer((json_int_t)k->refused[i]));
    return o;
}

/* What is told of one namespace, and in sum of all. */
static json_t *
counts_json(const struct gvs_kernel_status *k, bool observe, bool in_step)
{
    json_t *ops =
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "service_add", (json_int_t)k->service_add,
                  "service_edit", (json_int_t)k->service_edit, "service_del",
                  (json_int_t)k->service_del, "dest_add", (json_int_t)k->dest_add, "dest_edit",
                  (json_int_t)k->dest_edit, "dest_del", (json_int_t)k->dest_del);

    return json_pack(
        "{s:s, s:b, s:I, s:I, s:I, s:{s:I, s:I}, s:I, s:I, s:o, s:o, s:{s:I, s:I, s:I}, "
        "s:s, s:I, s:I, s:o}",
        "mode", observe ? "observe" : "program", "in_step", (int)in_step, "services",
        (json_int_t)k->services, "destinations", (json_int_t)k->destinations, "draining",
        (json_int_t)k->leaving, "braked", "services", (json_int_t)k->held.services, "destinations",
        (json_int_t)k->held.destinations, "pending", (json_int_t)k->pending, "failed",
        (json_int_t)k->failed, "operations", ops, "refused", refused_json(k), "drift", "found",
        (json_int_t)k->drift_found, "repaired", (json_int_t)k->drift_repaired, "open",
        (json_int_t)k->drift_open, "last_error", k->last_error, "writes", (json_int_t)k->writes,
        "audits", (json_int_t)k->audits, "audit_seconds",
        k->audits ? json_real((double)k->audit_us / 1e6) : json_null());
}

static json_t *
netns_json(const struct gvs_netns *ns, const struct gvs_kernel_status *k)
{
    json_t *o = counts_json(k, ns->kernel && gvs_kernel_observing(ns->kernel),
                            ns->kernel && !ns->filling && k->in_step);

    json_object_set_new(o, "name", json_string(ns->name));
    json_object_set_new(o, "open", json_boolean(ns->kernel != NULL));
    json_object_set_new(o, "reason",
                        ns->kernel || !ns->why[0] ? json_null() : json_string(ns->why));
    return o;
}

static json_t *
kernel_json(const struct gvs_agent *a)
{
    struct gvs_kernel_status sum = gvs_show_kernels(a);
    json_t *list = json_array(), *o;
    const char *version = "";

    for (size_t i = 0; i < a->netns_count; i++) {
        const struct gvs_netns *ns = a->netns[i];
        struct gvs_kernel_status k = {0};

        if (ns->kernel)
            k = gvs_kernel_status(ns->kernel);
        if (ns->kernel && !*version)
            version = gvs_kernel_version(ns->kernel);
        json_array_append_new(list, netns_json(ns, &k));
    }
    o = counts_json(&sum, gvs_agent_observes(a), gvs_agent_in_step(a));
    json_object_set_new(o, "version", json_string(version));
    json_object_set_new(o, "namespaces", list);
    return o;
}

static json_t *
packets_json(const struct gvs_agent *a)
{
    static const char *const names[] = {
#define X(name, text) [GVS_REJECT_##name] = (text),
        GVS_REJECTS(X)
#undef X
    };
    struct gvs_node_counts c = gvs_node_count(a->node);
    json_t *rejected = json_object();

    for (size_t i = 0; i < GVS_REJECT_COUNT; i++)
        json_object_set_new(rejected, names[i], json_integer((json_int_t)c.rejected[i]));
    return json_pack("{s:I, s:I, s:I, s:I, s:o}", "sent", (json_int_t)c.sent, "received",
                     (json_int_t)c.received, "sent_bytes", (json_int_t)c.sent_bytes,
                     "received_bytes", (json_int_t)c.received_bytes, "rejected", rejected);
}

static json_t *
status_json(struct gvs_agent *a)
{
    struct gvs_node_counts c = gvs_node_count(a->node);
    bool critical;
    json_t *problems = gvs_problems(a, &critical);
    const char *health = critical ? "critical" : json_array_size(problems) ? "warn" : "ok";

    return json_pack("{s:s, s:o, s:s, s:o, s:{s:I, s:I, s:I, s:I}, s:o, s:o, s:o, s:o}", "schema",
                     SCHEMA, "node", node_json(a), "health", health, "problems", problems,
                     "members", "alive", (json_int_t)c.alive, "suspect", (json_int_t)c.suspect,
                     "dead", (json_int_t)c.dead, "left", (json_int_t)c.left, "table", table_json(a),
                     "kernel", kernel_json(a), "packets", packets_json(a), "refused",
                     gvs_refused_json(a));
}

/* Everybody alive has said, in answer to a probe sent after this command began, that his table is
 * ours and his kernel in step with it. Otherwise names the first who has not. */
static bool
converged(const struct gvs_request *r, char *lags, size_t cap)
{
    const struct gvs_agent *a = r->a;
    uint64_t fp = gvs_table_fingerprint(gvs_node_claims(a->node));
    size_t count;
    struct gvs_node_member *m;
    bool all = true;

    if (!gvs_agent_in_step(a) && !gvs_agent_observes(a)) {
        snprintf(lags, cap, "%s: its kernel is not in step", a->cfg.name);
        return false;
    }
    m = gvs_list_members(a, &count);
    for (size_t i = 0; all && i < count; i++) {
        const struct gvs_node_member *x = &m[i];

        if (x->self || x->state >= GVS_DEAD)
            continue;
        all = false;
        if (x->answered.us < r->began.us)
            snprintf(lags, cap, "%s: no answer", x->value.name);
        else if (!x->has_fingerprint || x->fingerprint != fp)
            snprintf(lags, cap, "%s: its table differs", x->value.name);
        else if (!x->in_step && !x->observes)
            snprintf(lags, cap, "%s: its kernel is not in step", x->value.name);
        else
            all = true;
    }
    free(m);
    return all;
}

static bool
poll_converged(struct gvs_request *r, struct gvs_mono now)
{
    struct gvs_fault f;
    char lags[160];

    if (converged(r, lags, sizeof lags)) {
        gvs_request_answer(r, status_json(r->a), true);
        return true;
    }
    if (gvs_mono_due(r->deadline, now)) {
        gvs_fault_set(&f, GVS_EXIT_TIMEOUT, "not converged in time (%s)", lags);
        gvs_fault_hint(&f, "gossipvs members");
        gvs_request_fault(r, &f);
        return true;
    }
    if (gvs_mono_due(gvs_mono_add_ms(r->asked, ASK_MS), now)) {
        gvs_node_probe_all(r->a->node, now);
        r->asked = now;
    }
    r->wake = gvs_mono_min(gvs_mono_add_ms(r->asked, ASK_MS), r->deadline);
    return false;
}

void
gvs_show_status(struct gvs_request *r)
{
    struct gvs_fault f;
    double seconds = 10;
    char *end = NULL;

    if (r->argc == 0) {
        gvs_request_answer(r, status_json(r->a), true);
        return;
    }
    if (strcmp(r->argv[0], "--wait-converged") != 0 || r->argc > 2) {
        gvs_fault_set(&f, GVS_EXIT_USAGE, "status: no such word '%.40s'", r->argv[0]);
        gvs_fault_hint(&f, "gossipvs status --wait-converged SECONDS");
        gvs_request_fault(r, &f);
        return;
    }
    if (r->argc == 2)
        seconds = strtod(r->argv[1], &end);
    if (end && (end == r->argv[1] || *end || !(seconds >= 0 && seconds <= 86400))) {
        gvs_fault_set(&f, GVS_EXIT_USAGE, "--wait-converged %.40s: seconds expected", r->argv[1]);
        gvs_request_fault(r, &f);
        return;
    }
    r->deadline = gvs_mono_add_ms(r->began, (uint64_t)(seconds * 1000));
    r->poll = poll_converged;
}

/* --- members --- */

bool
gvs_show_in_sync(const struct gvs_agent *a, const struct gvs_node_member *m)
{
    return m->self || (m->has_fingerprint &&
                       m->fingerprint == gvs_table_fingerprint(gvs_node_claims(a->node)));
}

bool
gvs_show_in_step(const struct gvs_agent *a, const struct gvs_node_member *m)
{
    return m->self ? gvs_agent_in_step(a) : m->in_step;
}

bool
gvs_show_observes(const struct gvs_agent *a, const struct gvs_node_member *m)
{
    return m->self ? gvs_agent_observes(a) : m->observes;
}

static json_t *
member_json(const struct gvs_agent *a, const struct gvs_node_member *m)
{
    static const char *const states[] = {"alive", "suspect", "dead", "left"};
    uint64_t ours = gvs_table_fingerprint(gvs_node_claims(a->node));
    uint64_t fp = m->self ? ours : m->fingerprint;
    bool known = m->self || m->has_fingerprint;
    uint64_t differs;
    char id[GVS_ID_TEXT_LEN + 1], ep[GVS_EP_TEXT_LEN], hex[17];
    json_t *o;

    gvs_id_format(id, &m->id);
    gvs_text_endpoint(ep, m);
    gvs_text_hex64(hex, fp);
    differs = gvs_owners_differs_ms(a, &m->id);
    o = json_pack("{s:s, s:s, s:s, s:s, s:I, s:b, s:b, s:s, s:b}", "id", id, "name", m->value.name,
                  "address", ep, "state", states[m->state], "incarnation",
                  (json_int_t)m->incarnation, "in_sync", (int)gvs_show_in_sync(a, m), "in_step",
                  (int)gvs_show_in_step(a, m), "version", m->value.version, "self", (int)m->self);
    json_object_set_new(o, "seen_seconds",
                        m->self    ? json_real(0)
                        : m->heard ? json_real(since(m->heard_at))
                                   : json_null());
    json_object_set_new(o, "rtt_seconds",
                        m->rtt_us ? json_real((double)m->rtt_us / 1e6) : json_null());
    json_object_set_new(o, "clock_offset_seconds",
                        m->heard && !m->self ? json_real((double)m->clock_offset_ms / 1000)
                                             : json_null());
    json_object_set_new(o, "differs_seconds",
                        differs > 0 && fp != ours ? json_real((double)differs / 1000)
                                                  : json_null());
    json_object_set_new(o, "fingerprint", known ? json_string(hex) : json_null());
    json_object_set_new(o, "mode",
                        known ? json_string(gvs_show_observes(a, m) ? "observe" : "program")
                              : json_null());
    return o;
}

bool
gvs_show_too_many_words(struct gvs_request *r, size_t max)
{
    struct gvs_fault f;

    if (r->argc <= max)
        return false;
    gvs_fault_set(&f, GVS_EXIT_USAGE, "%s: no such word '%.40s'", r->words, r->argv[max]);
    gvs_request_fault(r, &f);
    return true;
}

void
gvs_show_members(struct gvs_request *r)
{
    bool all = r->argc > 0 && strcmp(r->argv[0], "--all") == 0;
    json_t *list;
    struct gvs_node_member *m;
    size_t count;

    if (gvs_show_too_many_words(r, all ? 1 : 0))
        return;
    list = json_array();
    m = gvs_list_members(r->a, &count);
    for (size_t i = 0; i < count; i++)
        if (all || m[i].state != GVS_LEFT)
            json_array_append_new(list, member_json(r->a, &m[i]));
    free(m);
    gvs_request_answer(r, json_pack("{s:s, s:o}", "schema", SCHEMA, "members", list), true);
}

/* --- plan, audit --- */

static json_t *
change_json(const struct gvs_agent *a, const struct gvs_netns *ns, const struct gvs_op *op,
            bool foreign)
{
    static const struct {
        const char *op, *kind;
    } names[] = {
        [GVS_OP_NONE] = {"", ""},
        [GVS_OP_SERVICE_ADD] = {"add", "service"},
        [GVS_OP_SERVICE_EDIT] = {"edit", "service"},
        [GVS_OP_SERVICE_DEL] = {"remove", "service"},
        [GVS_OP_DEST_ADD] = {"add", "backend"},
        [GVS_OP_DEST_EDIT] = {"edit", "backend"},
        [GVS_OP_DEST_DEL] = {"remove", "backend"},
        [GVS_OP_ADDR_ADD] = {"add", "address"},
        [GVS_OP_ADDR_DEL] = {"remove", "address"},
        [GVS_OP_ANCHOR_ADD] = {"add", "service"},
        [GVS_OP_ANCHOR_DEL] = {"remove", "service"},
    };
    bool address = op->kind == GVS_OP_ADDR_ADD || op->kind == GVS_OP_ADDR_DEL;
    bool gone = strcmp(names[op->kind].op, "remove") == 0, fields = !address && op->item.kind;
    const struct gvs_item *before;
    char vip[GVS_SVCID_TEXT_LEN], ep[GVS_EP_TEXT_LEN];
    json_t *o;

    if (address)
        gvs_addr_format(vip, &op->item.svc.addr);
    else
        gvs_svcid_format(vip, &op->item.svc);
    o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "scope", "kernel", "node", a->cfg.name,
                  "namespace", ns->name, "op", names[op->kind].op, "kind", names[op->kind].kind,
                  "vip", vip, "foreign", (int)foreign);
    if (op->item.kind == GVS_ITEM_DEST) {
        gvs_ep_format(ep, &op->item.ep);
        json_object_set_new(o, "backend", json_string(ep));
    } else {
        json_object_set_new(o, "backend", json_null());
    }
    before = fields && op->before.kind ? &op->before : fields && gone ? &op->item : NULL;
    json_object_set_new(o, "before", before ? gvs_text_item(before) : json_object());
    json_object_set_new(o, "after", fields && !gone ? gvs_text_item(&op->item) : json_object());
    return o;
}

/* Through the kernels of all namespaces. */
struct walk {
    struct gvs_compare c;
    size_t at;                                      /* of the agent's namespaces, */
    char name[sizeof((struct gvs_netns *)0)->name]; /* this one; "": not begun */
    bool fix;                                       /* and then put it right */
};

static void
free_walk(void *walk)
{
    gvs_compare_end(&((struct walk *)walk)->c);
    free(walk);
}

/* Where the walk is. One that goes meanwhile, or becomes another, ends for it. */
static const struct gvs_netns *
walked(const struct gvs_agent *a, struct walk *w)
{
    const struct gvs_netns *ns;

    while (w->at < a->netns_count && !a->netns[w->at]->kernel)
        w->at++;
    if (w->at >= a->netns_count)
        return NULL;
    ns = a->netns[w->at];
    if (strcmp(ns->name, w->name) != 0) {
        gvs_compare_end(&w->c);
        snprintf(w->name, sizeof w->name, "%s", ns->name);
    }
    return ns;
}

static void
fix_all(struct gvs_agent *a)
{
    for (struct gvs_netns *ns = gvs_netns_next(a, NULL); ns; ns = gvs_netns_next(a, ns)) {
        gvs_kernel_take(ns->kernel);
        gvs_kernel_audit_now(ns->kernel);
        ns->due = (struct gvs_mono){0};
    }
}

static bool
put_changes(struct gvs_request *r)
{
    struct walk *w = r->walk;
    const struct gvs_netns *ns = walked(r->a, w);
    struct gvs_fault f;
    int rc;

    if (!ns) {
        if (w->fix)
            fix_all(r->a);
        return false;
    }
    rc = gvs_compare_next(ns->kernel, &w->c);
    if (rc < 0) {
        gvs_fault_set(&f, GVS_EXIT_NO, "the kernel could not be read%s%s: %s",
                      ns->host ? "" : " in ", ns->host ? "" : ns->name, gvs_kernel_trouble(rc));
        gvs_request_fault(r, &f);
        return false;
    }
    for (size_t i = 0; i < w->c.count; i++)
        if (w->c.ops[i].kind != GVS_OP_ANCHOR_ADD && w->c.ops[i].kind != GVS_OP_ANCHOR_DEL)
            gvs_list_put(r, change_json(r->a, ns, &w->c.ops[i], w->c.foreign));
    if (rc == 0) {
        w->name[0] = 0;
        w->at++;
    }
    return true;
}

static void
answer_changes(struct gvs_request *r, bool dump, bool fix)
{
    struct walk *w = calloc(1, sizeof *w);

    GVS_ASSERT(w != NULL);
    w->c.dump = dump;
    w->fix = r->stays = fix;
    gvs_list_begin(r, "changes", put_changes, w, free_walk);
}

void
gvs_show_plan(struct gvs_request *r)
{
    struct gvs_fault f;

    if (json_object_get(r->doc, "vips")) {
        gvs_show_plan_of(r);
        return;
    }
    if (r->argc) {
        gvs_fault_set(&f, GVS_EXIT_USAGE, "plan: no such word '%.40s' (--prune goes with -f)",
                      r->argv[0]);
        gvs_request_fault(r, &f);
        return;
    }
    answer_changes(r, false, false);
}

void
gvs_show_audit(struct gvs_request *r)
{
    bool fix = r->argc == 1 && strcmp(r->argv[0], "--fix") == 0;
    struct gvs_fault f;

    if (r->argc && !fix) {
        gvs_fault_set(&f, GVS_EXIT_USAGE, "audit: no such word '%.40s'", r->argv[0]);
        gvs_request_fault(r, &f);
        return;
    }
    answer_changes(r, true, fix);
}

/* --- the rest --- */

void
gvs_show_version(struct gvs_request *r)
{
    if (gvs_show_too_many_words(r, 0))
        return;
    gvs_request_answer(r, json_pack("{s:s, s:s}", "schema", SCHEMA, "version", GVS_VERSION), true);
}

/* A value by itself, and as gossipvs.conf has it. NULL where JSON cannot say it: no UTF-8. */
static json_t *
config_value(const struct gvs_config_option *o, const char *value)
{
    return o->number ? json_integer(strtoll(value, NULL, 10)) : json_string(value);
}

static void
config_text(char *text, size_t cap, const struct gvs_config_option *o, const char *value)
{
    if (o->number || o->word)
        snprintf(text, cap, "%s", value);
    else
        gvs_syntax_quote(text, cap, value);
}

static json_t *
config_option(const struct gvs_agent *a, const struct gvs_config_option *o, size_t i)
{
    char value[GVS_CONFIG_PATH_MAX], text[GVS_SYNTAX_QUOTED(GVS_CONFIG_PATH_MAX)];
    const char *slash = strrchr(a->cfg.path, '/');
    json_t *values = json_array(), *texts = json_array(), *doc;

    for (size_t n = 0; gvs_config_value(value, &a->cfg, i, n); n++) {
        json_t *v = config_value(o, value);

        config_text(text, sizeof text, o, value);
        json_array_append_new(values, v ? v : json_null());
        json_array_append_new(texts, json_string(text));
    }
    doc = json_pack("{s:s?, s:s, s:O, s:O}", "section", o->section[0] ? o->section : NULL, "name",
                    o->name, "value", o->list ? values : json_array_get(values, 0), "text",
                    o->list ? texts : json_array_get(texts, 0));
    json_object_set_new(doc, "origin",
                        o->line ? json_sprintf("%s:%u", slash ? slash + 1 : a->cfg.path, o->line)
                                : json_string("default"));
    json_decref(values);
    json_decref(texts);
    return doc;
}

void
gvs_show_config(struct gvs_request *r)
{
    struct gvs_config_option o;
    json_t *list = json_array();

    if (gvs_show_too_many_words(r, 0)) {
        json_decref(list);
        return;
    }
    for (size_t i = 0; gvs_config_option(&o, &r->a->cfg, i); i++)
        json_array_append_new(list, config_option(r->a, &o, i));
    gvs_request_answer(
        r, json_pack("{s:s, s:s?, s:o}", "schema", SCHEMA, "file", r->a->cfg.path, "options", list),
        true);
}

void
gvs_show_reload(struct gvs_request *r)
{
    bool force = r->argc > 0 && strcmp(r->argv[0], "--force") == 0;
    struct gvs_fault f;
    char first[512];

    if (gvs_show_too_many_words(r, force ? 1 : 0))
        return;
    if (gvs_agent_reload(r->a, force, &f) < 0) {
        gvs_request_fault(r, &f);
        return;
    }
    for (size_t i = 0; i < r->a->claims.file_count; i++) {
        if (!r->a->claims.files[i].bad)
            continue;
        snprintf(first, sizeof first, "%s", r->a->claims.files[i].fault.text);
        gvs_fault_set(&f, GVS_EXIT_USAGE, "%s", first);
        gvs_fault_hint(&f, "its last good version stays; everything else was reloaded");
        gvs_request_fault(r, &f);
        return;
    }
    gvs_request_answer(r, json_pack("{s:s, s:s}", "schema", SCHEMA, "result", "done"), true);
}
