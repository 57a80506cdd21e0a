/* What status and members count, in the text format of Prometheus (0.0.4), for the control socket
 * and for http.c.
 *
 * Nothing is counted here: each number is made where status has it from. What the kernel counts
 * itself is left to node_exporter (node_ipvs_*), and so there is nothing of backends. Series are
 * bounded: a hundred, five for each of 1,024 members, one for each of 1,024 VIPs; beyond that
 * gossipvs_left_out says how many are missing. All of it is 600 KB at most, made in a few
 * milliseconds.
 *
 * A label holds printable ASCII, whatever was said; a member is known by name and id, as two may
 * bear one name, and a series that stands twice costs the whole scrape. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/agent/agent.h"

#define MEMBERS_MAX 1024
#define VIPS_MAX 1024
#define LABEL_MAX (4 * GVS_NAME_LEN_MAX + 1)

/* --- the format --- */

static void
put_head(FILE *f, const char *name, const char *type, const char *help)
{
    fprintf(f, "# HELP gossipvs_%s %s\n# TYPE gossipvs_%s %s\n", name, help, name, type);
}

static void
put(FILE *f, const char *name, const char *label, const char *value, uint64_t n)
{
    fprintf(f, "gossipvs_%s{%s=\"%s\"} %" PRIu64 "\n", name, label, value, n);
}

static void
put_count(FILE *f, const char *name, const char *help, uint64_t n)
{
    put_head(f, name, "counter", help);
    fprintf(f, "gossipvs_%s %" PRIu64 "\n", name, n);
}

static void
put_gauge(FILE *f, const char *name, const char *help, uint64_t n)
{
    put_head(f, name, "gauge", help);
    fprintf(f, "gossipvs_%s %" PRIu64 "\n", name, n);
}

static void
escape(char out[static LABEL_MAX], const char *text)
{
    size_t at = 0;

    for (; *text && at + 5 < LABEL_MAX; text++) {
        bool plain = *text >= ' ' && *text <= '~' && *text != '"' && *text != '\\';

        at += (size_t)snprintf(out + at, LABEL_MAX - at, plain ? "%c" : "?%02x",
                               (unsigned char)*text);
    }
    out[at] = '\0';
}

/* --- this node --- */

static void
put_node(FILE *f, const struct gvs_agent *a)
{
    char why[192];
    bool ready = gvs_agent_ready(a, why, sizeof why);

    put_head(f, "build_info", "gauge", "1; which version, and of what it speaks to others.");
    fprintf(f, "gossipvs_build_info{version=\"%s\",protocol=\"%d\"} 1\n", GVS_VERSION,
            GVS_PROTOCOL);
    put_gauge(f, "ready", "1: this node has what the others have, and its kernel what it wants.",
              ready);
    put_count(f, "events_total", "Events of watch, over restarts too.", a->events.seq);
    put_count(f, "overwrites_total", "Writes that overwrote one which their writer did not know.",
              a->overwrite_count);
}

/* Of the whole process, which is somebody else's where the agent is a library. */
static void
put_process(FILE *f, const struct gvs_agent *a)
{
    uint64_t up_us = gvs_udp_now().us - a->started.us;
    uv_rusage_t used;
    size_t rss;

    if (uv_getrusage(&used) == 0)
        fprintf(f,
                "# HELP process_cpu_seconds_total Processor time, of user and system.\n"
                "# TYPE process_cpu_seconds_total counter\n"
                "process_cpu_seconds_total %.6f\n",
                (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                    (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
    if (uv_resident_set_memory(&rss) == 0)
        fprintf(f,
                "# HELP process_resident_memory_bytes Memory that is there.\n"
                "# TYPE process_resident_memory_bytes gauge\n"
                "process_resident_memory_bytes %zu\n",
                rss);
    put_head(f, "uptime_seconds", "gauge", "Since the agent started.");
    fprintf(f, "gossipvs_uptime_seconds %.6f\n", (double)up_us / 1e6);
}

static void
put_files(FILE *f, const struct gvs_agent *a)
{
    bool conf_bad = a->config_fault.text[0], dir_bad = a->claims_fault.text[0];
    uint64_t all = (uint64_t)a->claims.file_count + 1 + dir_bad, bad = (uint64_t)conf_bad + dir_bad;
    const struct {
        const char *result;
        uint64_t count;
    } runs[] = {{"ok", a->hook_done}, {"failed", a->hook_failed}};

    for (size_t i = 0; i < a->claims.file_count; i++)
        bad += a->claims.files[i].bad;
    put_head(f, "config_files", "gauge",
             "gossipvs.conf and those of services.d, by what the latest reading of each gave.");
    put(f, "config_files", "state", "ok", all - bad);
    put(f, "config_files", "state", "bad", bad);
    put_head(f, "config_last_reload_success_timestamp_seconds", "gauge",
             "When gossipvs.conf was last read and taken.");
    fprintf(f, "gossipvs_config_last_reload_success_timestamp_seconds %.3f\n",
            (double)a->configured.ms / 1000);
    put_head(f, "hook_runs_total", "counter", "Runs of the program of hooks { on-change }.");
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++)
        put(f, "hook_runs_total", "result", runs[i].result, runs[i].count);
    put_gauge(f, "storage_failing", "1: the state directory cannot be written.",
              gvs_store_failing(a->store, NULL, 0) != 0);
}

static void
put_checks(FILE *f, const struct gvs_agent *a)
{
    put_head(f, "checks_late_total", "counter",
             "Looks of health checks that were due and had to wait for a place.");
    put(f, "checks_late_total", "type", "tcp", gvs_checks_late(a, GVS_CHECK_TCP));
    put(f, "checks_late_total", "type", "exec", gvs_checks_late(a, GVS_CHECK_EXEC));
}

/* --- the cluster --- */

static void
put_packets(FILE *f, const struct gvs_node_counts *c)
{
    static const char *const names[] = {
#define X(name, text) [GVS_REJECT_##name] = (text),
        GVS_REJECTS(X)
#undef X
    };

    put_head(f, "packets_total", "counter", "Datagrams.");
    put(f, "packets_total", "dir", "sent", c->sent);
    put(f, "packets_total", "dir", "received", c->received);
    put_head(f, "bytes_total", "counter", "Their payload.");
    put(f, "bytes_total", "dir", "sent", c->sent_bytes);
    put(f, "bytes_total", "dir", "received", c->received_bytes);
    put_head(f, "packets_rejected_total", "counter", "Datagrams that nothing was made of, by why.");
    for (size_t i = 0; i < GVS_REJECT_COUNT; i++)
        put(f, "packets_rejected_total", "reason", names[i], c->rejected[i]);
}

static void
put_refused(FILE *f, const struct gvs_agent *a)
{
    static const char *const names[] = {
#define X(name, text) [GVS_REFUSAL_##name] = (text),
        GVS_REFUSALS(X)
#undef X
    };

    put_head(f, "refused_total", "counter", "What members said and was not taken, by why.");
    for (size_t i = 0; i < GVS_REFUSAL_COUNT; i++)
        put(f, "refused_total", "reason", names[i],
            gvs_node_refused(a->node, (enum gvs_refusal)i).count);
}

static void
put_table(FILE *f, const struct gvs_agent *a)
{
    struct gvs_table_counts c = gvs_show_table(a);

    put_head(f, "table_entries", "gauge", "Entries held, without tombstones: claims, members.");
    put(f, "table_entries", "kind", "claim", c.entries);
    put(f, "table_entries", "kind", "member", gvs_table_count(gvs_node_members(a->node)));
    put_gauge(f, "table_entries_limit", "How many claims it may be (limits { entries }).",
              a->cfg.limits.entries);
    put_gauge(f, "table_tombstones", "Of what was deleted, and is remembered.", c.tombstones);
    put_gauge(f, "table_services", "VIPs that the table has for this kernel.", c.services);
    put_gauge(f, "table_backends", "And their backends.", c.backends);
}

/* One series of a member. */
static void
put_member(FILE *f, const char *name, const struct gvs_node_member *m, double value)
{
    char id[GVS_ID_TEXT_LEN + 1], label[LABEL_MAX];

    gvs_id_format(id, &m->id);
    escape(label, m->value.name);
    fprintf(f, "gossipvs_%s{peer=\"%s\",id=\"%s\"} %.9g\n", name, label, id, value);
}

static bool
is_live(const struct gvs_node_member *m)
{
    return m->state < GVS_DEAD;
}

/* The series of members one kind after the other, as the format wants it. Of who is dead, that. */
static void
put_peers(FILE *f, const struct gvs_agent *a, const struct gvs_node_member *m, size_t count)
{
    put_head(f, "member_up", "gauge", "1: alive or suspect; 0: dead.");
    for (size_t i = 0; i < count; i++)
        put_member(f, "member_up", &m[i], is_live(&m[i]));
    put_head(f, "member_rtt_seconds", "gauge", "Round trip, smoothed.");
    for (size_t i = 0; i < count; i++)
        if (is_live(&m[i]) && m[i].rtt_us)
            put_member(f, "member_rtt_seconds", &m[i], (double)m[i].rtt_us / 1e6);
    put_head(f, "member_clock_offset_seconds", "gauge", "Its wall clock less this node's.");
    for (size_t i = 0; i < count; i++)
        if (is_live(&m[i]) && m[i].heard)
            put_member(f, "member_clock_offset_seconds", &m[i],
                       (double)m[i].clock_offset_ms / 1000);
    put_head(f, "member_in_step", "gauge", "1: its kernel is as its table wants it, it says.");
    for (size_t i = 0; i < count; i++)
        if (is_live(&m[i]) && m[i].heard)
            put_member(f, "member_in_step", &m[i], gvs_show_in_step(a, &m[i]));
    put_head(f, "member_observes", "gauge", "1: nothing is programmed there.");
    for (size_t i = 0; i < count; i++)
        if (is_live(&m[i]) && m[i].heard)
            put_member(f, "member_observes", &m[i], gvs_show_observes(a, &m[i]));
    put_head(f, "table_digest_equal", "gauge", "1: its table is this node's.");
    for (size_t i = 0; i < count; i++)
        if (is_live(&m[i]) && m[i].has_fingerprint)
            put_member(f, "table_digest_equal", &m[i], gvs_show_in_sync(a, &m[i]));
}

/* All but ourselves and who has left, for ever, to the front. Returns how many. */
static size_t
pick_peers(struct gvs_node_member *m, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++)
        if (!m[i].self && m[i].state != GVS_LEFT)
            m[kept++] = m[i];
    return kept;
}

/* Returns how many members are left out. */
static size_t
put_members(FILE *f, const struct gvs_agent *a, const struct gvs_node_counts *c)
{
    size_t count, peers;
    struct gvs_node_member *m = gvs_list_members(a, &count);

    put_head(f, "members", "gauge", "Members by state, this node included.");
    put(f, "members", "state", "alive", c->alive);
    put(f, "members", "state", "suspect", c->suspect);
    put(f, "members", "state", "dead", c->dead);
    put(f, "members", "state", "left", c->left);
    peers = pick_peers(m, count);
    put_peers(f, a, m, peers < MEMBERS_MAX ? peers : MEMBERS_MAX);
    free(m);
    return peers > MEMBERS_MAX ? peers - MEMBERS_MAX : 0;
}

/* --- the kernel --- */

static void
put_writes(FILE *f, const struct gvs_kernel_status *k)
{
    const uint64_t done[] = {
        [GVS_OP_SERVICE_ADD] = k->service_add, [GVS_OP_SERVICE_EDIT] = k->service_edit,
        [GVS_OP_SERVICE_DEL] = k->service_del, [GVS_OP_DEST_ADD] = k->dest_add,
        [GVS_OP_DEST_EDIT] = k->dest_edit,     [GVS_OP_DEST_DEL] = k->dest_del,
    };

    put_head(
        f, "kernel_writes_total", "counter",
        "Operations that this kernel has acknowledged and that changed it, and those refused.");
    for (size_t op = GVS_OP_SERVICE_ADD; op < sizeof done / sizeof *done; op++)
        fprintf(f, "gossipvs_kernel_writes_total{op=\"%s\",result=\"ok\"} %" PRIu64 "\n",
                gvs_op_name((uint8_t)op), done[op]);
    for (size_t op = GVS_OP_SERVICE_ADD; op < sizeof k->refused / sizeof *k->refused; op++)
        fprintf(f, "gossipvs_kernel_writes_total{op=\"%s\",result=\"error\"} %" PRIu64 "\n",
                gvs_op_name((uint8_t)op), k->refused[op]);
    put_count(f, "kernel_messages_total", "Messages that could change it, and its addresses.",
              k->writes);
}

static void
put_audits(FILE *f, const struct gvs_kernel_status *k)
{
    put_gauge(f, "kernel_drift", "What an audit found otherwise than wanted, not yet put right.",
              k->drift_open);
    put_count(f, "kernel_drift_found_total", "What audits found otherwise than wanted.",
              k->drift_found);
    put_count(f, "kernel_drift_repaired_total", "Of that, put right.", k->drift_repaired);
    put_count(f, "kernel_audits_total", "Rounds of the audit.", k->audits);
    put_head(f, "kernel_audit_seconds", "gauge",
             "The last one's, of all namespaces the longest; NaN before the first.");
    if (k->audits)
        fprintf(f, "gossipvs_kernel_audit_seconds %.6f\n", (double)k->audit_us / 1e6);
    else
        fprintf(f, "gossipvs_kernel_audit_seconds NaN\n");
}

static void
put_kernel(FILE *f, const struct gvs_agent *a)
{
    struct gvs_kernel_status k = gvs_show_kernels(a);
    size_t open = 0;

    for (size_t i = 0; i < a->netns_count; i++)
        open += a->netns[i]->kernel != NULL;
    put_head(f, "namespaces", "gauge", "Network namespaces that are meant and known.");
    put(f, "namespaces", "state", "open", open);
    put(f, "namespaces", "state", "shut", a->netns_count - open);
    put_gauge(f, "kernel_observes", "1: nothing is programmed here.", gvs_agent_observes(a));
    put_gauge(f, "kernel_in_step", "1: this kernel is as the table wants it.",
              gvs_agent_in_step(a));
    put_gauge(f, "kernel_services", "Services in it that are ours.", k.services);
    put_gauge(f, "kernel_destinations", "And their destinations.", k.destinations);
    put_gauge(f, "kernel_draining", "Of them, removed, and leaving with their connections.",
              k.leaving);
    put_gauge(f, "kernel_pending", "Operations that are wanted and not acknowledged.", k.pending);
    put_gauge(f, "kernel_failed", "Objects that it refused at the last try.", k.failed);
    put_head(f, "kernel_braked", "gauge", "What the brake holds of a mass deletion.");
    put(f, "kernel_braked", "kind", "service", k.held.services);
    put(f, "kernel_braked", "kind", "destination", k.held.destinations);
    put_writes(f, &k);
    put_audits(f, &k);
}

static void
put_spread(FILE *f, const struct gvs_agent *a)
{
    const struct gvs_spread *s = &a->spread;
    uint64_t count = 0;

    put_head(f, "convergence_seconds", "histogram",
             "From a change on another node, by its clock, to this kernel.");
    for (size_t i = 0; i < GVS_SPREAD_BOUNDS; i++) {
        count += s->counts[i];
        fprintf(f, "gossipvs_convergence_seconds_bucket{le=\"%g\"} %" PRIu64 "\n",
                gvs_spread_bounds_ms[i] / 1000.0, count);
    }
    count += s->counts[GVS_SPREAD_BOUNDS];
    fprintf(f, "gossipvs_convergence_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n", count);
    fprintf(f, "gossipvs_convergence_seconds_sum %.3f\n", (double)s->sum_ms / 1000);
    fprintf(f, "gossipvs_convergence_seconds_count %" PRIu64 "\n", count);
}

/* Returns how many VIPs are left out. */
static size_t
put_vips(FILE *f, const struct gvs_agent *a)
{
    struct gvs_range r = gvs_set_all(a->shown);
    size_t left = VIPS_MAX;

    put_head(f, "vip_info", "gauge", "1; what a VIP is called, to join by.");
    for (; r.at < r.end && left > 0; r.at++) {
        char vip[GVS_SVCID_TEXT_LEN], label[LABEL_MAX];
        const char *name = gvs_names_get(&a->names, &r.at->svc);

        if (r.at->kind != GVS_ITEM_SERVICE)
            continue;
        left--;
        gvs_svcid_format(vip, &r.at->svc);
        escape(label, name ? name : "");
        fprintf(f, "gossipvs_vip_info{vip=\"%s\",name=\"%s\"} 1\n", vip, label);
    }
    return gvs_set_services(a->shown) - (VIPS_MAX - left);
}

char *
gvs_metrics_text(const struct gvs_agent *a, size_t *len)
{
    struct gvs_node_counts c = gvs_node_count(a->node);
    size_t members, vips;
    char *text = NULL;
    FILE *f = open_memstream(&text, len);
    bool whole;

    if (!f)
        return NULL;
    put_node(f, a);
    put_process(f, a);
    put_files(f, a);
    put_checks(f, a);
    members = put_members(f, a, &c);
    put_table(f, a);
    put_packets(f, &c);
    put_refused(f, a);
    put_kernel(f, a);
    put_spread(f, a);
    vips = put_vips(f, a);
    put_head(f, "left_out", "gauge", "What has no series of its own here, for lack of room.");
    put(f, "left_out", "of", "members", members);
    put(f, "left_out", "of", "vips", vips);
    whole = !ferror(f);
    if (fclose(f) == 0 && whole)
        return text;
    free(text);
    return NULL;
}

void
gvs_show_metrics(struct gvs_request *r)
{
    struct gvs_fault f;
    size_t len;
    char *text;

    if (gvs_show_too_many_words(r, 0))
        return;
    text = gvs_metrics_text(r->a, &len);
    if (!text) {
        gvs_fault_set(&f, GVS_EXIT_NO, "out of memory");
        gvs_request_fault(r, &f);
        return;
    }
    gvs_request_answer(r, json_pack("{s:s, s:s}", "schema", "gossipvs/1", "text", text), true);
    free(text);
}
