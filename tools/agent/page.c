/* The page at / of metrics { listen }: who agrees with whom, what is wanted and what the kernels
 * have, what happened lately. To be looked at, by people: no script, no link, nothing to press.
 *
 * Bounded as metrics are: 200 members, 200 VIPs and 20 events, and how many more there are. What
 * status complains of is not there, since looking for it takes tens of milliseconds in a large
 * table, and whoever asks here is nobody we know. All text is escaped, whatever it may be. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/agent/agent.h"

#define ROWS_MAX 200
#define EVENTS_MAX 20

static const char style[] =
    "body{font:14px sans-serif;margin:1.5em;color:#222}table{border-collapse:collapse;margin:1em 0}"
    "th,td{text-align:left;padding:.2em .8em;border-bottom:1px solid #ddd}"
    "td.n{text-align:right}.bad{color:#b00;font-weight:bold}h1{font-size:1.4em}h2{font-size:1.1em}";

static void
put(FILE *f, const char *text)
{
    for (; *text; text++) {
        if (*text < ' ' || *text > '~')
            fputc('?', f);
        else if (strchr("<>&\"'", *text))
            fprintf(f, "&#%d;", *text);
        else
            fputc(*text, f);
    }
}

static void
put_cell(FILE *f, const char *text, bool bad)
{
    fputs(bad ? "<td class=bad>" : "<td>", f);
    put(f, text);
    fputs("</td>", f);
}

static void
put_seconds(FILE *f, bool known, double seconds)
{
    if (known)
        fprintf(f, "<td class=n>%.6g s</td>", seconds);
    else
        fputs("<td class=n>-</td>", f);
}

static void
put_more(FILE *f, size_t count)
{
    if (count > ROWS_MAX)
        fprintf(f, "<p>and %zu more</p>\n", count - ROWS_MAX);
}

/* --- this node --- */

static void
put_node(FILE *f, const struct gvs_agent *a)
{
    struct gvs_kernel_status k = gvs_show_kernels(a);
    struct gvs_table_counts t = gvs_show_table(a);
    char why[192];
    bool ready = gvs_agent_ready(a, why, sizeof why);

    fputs("<h1>", f);
    put(f, a->cfg.name);
    fputs(" of ", f);
    put(f, a->cfg.cluster);
    fprintf(f, "</h1>\n<p>gossipvs " GVS_VERSION ", %s", ready ? "ready" : "<b class=bad>");
    put(f, why);
    fprintf(f,
            "%s</p>\n<table><tr><th><th>VIPs<th>backends<th>draining<th>pending<th>failed</tr>\n",
            ready ? "" : "</b>");
    fprintf(f,
            "<tr><td>wanted<td class=n>%zu<td class=n>%zu<td><td><td></tr>\n"
            "<tr><td>in the kernel%s<td class=n>%zu<td class=n>%zu<td class=n>%zu<td class=n>%zu"
            "<td class=n>%zu</tr></table>\n",
            t.services, t.backends, gvs_agent_observes(a) ? " (only observed)" : "", k.services,
            k.destinations, k.leaving, k.pending, k.failed);
    fprintf(f, "<p>drift: found %" PRIu64 ", repaired %" PRIu64 ", open %zu", k.drift_found,
            k.drift_repaired, k.drift_open);
    if (k.last_error[0]) {
        fputs("; last error: ", f);
        put(f, k.last_error);
    }
    fputs("</p>\n", f);
}

/* --- members --- */

static void
put_member(FILE *f, const struct gvs_agent *a, const struct gvs_node_member *m)
{
    static const char *const states[] = {"alive", "suspect", "dead", "left"};
    bool live = m->state < GVS_DEAD, heard = m->self || m->heard;
    char ep[GVS_EP_TEXT_LEN], fp[17];
    double seen = m->self ? 0 : (double)(gvs_udp_now().us - m->heard_at.us) / 1e6;

    gvs_text_endpoint(ep, m);
    gvs_text_hex64(fp, m->self ? gvs_table_fingerprint(gvs_node_claims(a->node)) : m->fingerprint);
    fputs("<tr>", f);
    put_cell(f, m->value.name, false);
    put_cell(f, ep, false);
    put_cell(f, states[m->state], !live);
    put_seconds(f, heard, seen);
    put_seconds(f, m->rtt_us != 0, (double)m->rtt_us / 1e6);
    put_seconds(f, heard && !m->self, (double)m->clock_offset_ms / 1000);
    put_cell(f, m->self || m->has_fingerprint ? fp : "-", live && !gvs_show_in_sync(a, m));
    put_cell(f, gvs_show_in_step(a, m) ? "in step" : "not in step",
             live && !m->self && !gvs_show_in_step(a, m));
    fputs("</tr>\n", f);
}

static void
put_members(FILE *f, const struct gvs_agent *a)
{
    size_t count, shown = 0;
    struct gvs_node_member *m = gvs_list_members(a, &count);

    fputs("<h2>Members: the same table is the same number</h2>\n<table><tr><th>name<th>address"
          "<th>state<th>seen<th>round trip<th>clock<th>table<th>kernel</tr>\n",
          f);
    for (size_t i = 0; i < count; i++)
        if (m[i].state != GVS_LEFT && shown++ < ROWS_MAX)
            put_member(f, a, &m[i]);
    fputs("</table>\n", f);
    put_more(f, shown);
    free(m);
}

/* --- VIPs --- */

/* How it stands in the kernels: the worst of it. */
static void
put_kernels(FILE *f, const struct gvs_agent *a, const struct gvs_svcid *svc)
{
    bool pending = false;
    char why[192];

    for (struct gvs_netns *ns = gvs_netns_next(a, NULL); ns; ns = gvs_netns_next(a, ns)) {
        int one = gvs_kernel_settled(ns->kernel, svc, why, sizeof why);

        if (gvs_kernel_observing(ns->kernel))
            continue;
        if (one < 0) {
            put_cell(f, why, true);
            return;
        }
        pending |= one == 0 || ns->filling;
    }
    put_cell(f, gvs_agent_observes(a) ? "observed" : pending ? "pending" : "as wanted", false);
}

static void
put_vip(FILE *f, const struct gvs_agent *a, struct gvs_range r)
{
    const char *name = gvs_names_get(&a->names, &r.at->svc);
    const struct gvs_item *service = r.at;
    size_t backends = 0, usable = 0;
    char vip[GVS_SVCID_TEXT_LEN];

    for (r.at++; r.at < r.end; r.at++) {
        backends++;
        usable += r.at->dest.weight > 0;
    }
    gvs_svcid_format(vip, &service->svc);
    fputs("<tr>", f);
    put_cell(f, vip, false);
    put_cell(f, name ? name : "", false);
    put_cell(f, service->service.sched, false);
    fprintf(f, "<td class=n>%zu of %zu</td>", usable, backends);
    put_kernels(f, a, &service->svc);
    fputs("</tr>\n", f);
}

static void
put_vips(FILE *f, const struct gvs_agent *a)
{
    struct gvs_range all = gvs_set_all(a->shown), one;
    size_t rows = 0;

    fputs("<h2>VIPs</h2>\n<table><tr><th>VIP<th>name<th>scheduler<th>backends with weight"
          "<th>kernel</tr>\n",
          f);
    for (; all.at < all.end && rows < ROWS_MAX; all.at = one.end, rows++) {
        one = gvs_set_service(a->shown, &all.at->svc);
        if (one.at->kind == GVS_ITEM_SERVICE)
            put_vip(f, a, one);
    }
    fputs("</table>\n", f);
    put_more(f, gvs_set_services(a->shown));
}

/* --- events --- */

static void
put_event(FILE *f, const json_t *event)
{
    static const char *const keys[] = {"time", "event", "vip", "backend", "node", "via", "by"};

    fputs("<tr>", f);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *text = json_string_value(json_object_get(event, keys[i]));

        put_cell(f, text ? text : "", false);
    }
    fputs("</tr>\n", f);
}

/* The latest first. */
static void
put_events(FILE *f, const struct gvs_events *e)
{
    fputs("<h2>Latest events</h2>\n<table><tr><th>time<th>event<th>VIP<th>backend<th>node<th>via"
          "<th>by</tr>\n",
          f);
    for (uint64_t seq = e->seq, n = 0; seq >= e->first && seq > 0 && n < EVENTS_MAX; seq--, n++)
        put_event(f, e->ring[seq % GVS_AGENT_RING]);
    fputs("</table>\n", f);
}

char *
gvs_page_text(const struct gvs_agent *a, size_t *len)
{
    char *text = NULL;
    FILE *f = open_memstream(&text, len);
    bool whole;

    if (!f)
        return NULL;
    fputs("<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8>"
          "<meta http-equiv=refresh content=10><title>gossipvs ",
          f);
    put(f, a->cfg.name);
    fprintf(f, "</title><style>%s</style></head><body>\n", style);
    put_node(f, a);
    put_members(f, a);
    put_vips(f, a);
    put_events(f, &a->events);
    fputs("</body></html>\n", f);
    whole = !ferror(f);
    if (fclose(f) == 0 && whole)
        return text;
    free(text);
    return NULL;
}
