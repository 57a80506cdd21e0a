/* The page at / of metrics { listen }: who agrees with whom, what is wanted and what the kernels
 * have, what happened lately. To be looked at, by people: no script, no link, nothing to press, and
 * nothing that is fetched from anywhere. It says what status, members and vip list say, in their
 * words.
 *
 * Bounded as metrics are: 200 members, 200 VIPs and 300 backends, 20 events, and how many more
 * there are. What status complains of is not there, since looking for it takes tens of milliseconds
 * in a large table, and whoever asks here is nobody we know. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/agent/page.h"

#define MEMBERS_MAX 200
#define EVENTS_MAX 20

/* --- this node --- */

static void
put_fact(FILE *f, const char *name, enum gvs_mark mark, const char *text)
{
    fprintf(f, "<dt>%s<dd>", name);
    gvs_page_mark(f, mark, text);
}

static void
put_count(FILE *f, const char *name, uint64_t count, enum gvs_mark unless_0)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRIu64, count);
    put_fact(f, name, count ? unless_0 : GVS_MARK_DIM, text);
}

static void
begin_card(FILE *f, const char *title)
{
    fprintf(f, "<section><h2>%s</h2><dl>", title);
}

static void
end_card(FILE *f)
{
    fputs("</dl></section>\n", f);
}

static void
put_members_card(FILE *f, const struct gvs_agent *a)
{
    struct gvs_node_counts c = gvs_node_count(a->node);

    begin_card(f, "Members");
    put_count(f, "alive", c.alive, GVS_MARK_NONE);
    put_count(f, "suspect", c.suspect, GVS_MARK_NOTE);
    put_count(f, "dead", c.dead, GVS_MARK_BAD);
    put_count(f, "left for ever", c.left, GVS_MARK_NONE);
    end_card(f);
}

/* Of the living those are counted that have another one, as far as they have told. */
static void
put_table_card(FILE *f, const struct gvs_agent *a, const struct gvs_node_member *m, size_t count)
{
    struct gvs_table_counts t = gvs_show_table(a);
    size_t others = 0;

    for (size_t i = 0; i < count; i++)
        others += m[i].state < GVS_DEAD && (m[i].self || m[i].has_fingerprint) &&
                  !gvs_show_in_sync(a, &m[i]);
    begin_card(f, "Table");
    put_count(f, "entries", t.entries, GVS_MARK_NONE);
    put_count(f, "tombstones", t.tombstones, GVS_MARK_NONE);
    put_count(f, "VIPs wanted", t.services, GVS_MARK_NONE);
    put_count(f, "servers wanted", t.backends, GVS_MARK_NONE);
    put_count(f, "members with another", others, GVS_MARK_DIFFERS);
    end_card(f);
}

static void
put_kernel_card(FILE *f, const struct gvs_agent *a, const struct gvs_kernel_status *k)
{
    bool observes = gvs_agent_observes(a), in_step = gvs_agent_in_step(a);

    begin_card(f, observes ? "Kernel, observing" : "Kernel");
    put_fact(f, "as wanted",
             in_step    ? GVS_MARK_NONE
             : observes ? GVS_MARK_DIM
                        : GVS_MARK_DIFFERS,
             in_step ? "yes" : "no");
    put_count(f, "VIPs", k->services, GVS_MARK_NONE);
    put_count(f, "servers", k->destinations, GVS_MARK_NONE);
    put_count(f, "draining", k->leaving, GVS_MARK_NONE);
    put_count(f, "pending", k->pending, observes ? GVS_MARK_NONE : GVS_MARK_NOTE);
    put_count(f, "failed", k->failed, GVS_MARK_BAD);
    put_count(f, "held by the brake", k->held.services + k->held.destinations, GVS_MARK_NOTE);
    end_card(f);
}

static void
put_drift_card(FILE *f, const struct gvs_kernel_status *k)
{
    char text[24] = "-";

    if (k->audits)
        snprintf(text, sizeof text, "%.2f ms", (double)k->audit_us / 1e3);
    begin_card(f, "Drift");
    put_count(f, "open", k->drift_open, GVS_MARK_DIFFERS);
    put_count(f, "found", k->drift_found, GVS_MARK_NONE);
    put_count(f, "put right", k->drift_repaired, GVS_MARK_NONE);
    put_count(f, "audits", k->audits, GVS_MARK_NONE);
    put_fact(f, "the last took", k->audits ? GVS_MARK_NONE : GVS_MARK_DIM, text);
    end_card(f);
}

static void
put_writes_card(FILE *f, const struct gvs_kernel_status *k)
{
    begin_card(f, "Written since the start");
    put_count(f, "VIPs added", k->service_add, GVS_MARK_NONE);
    put_count(f, "VIPs edited", k->service_edit, GVS_MARK_NONE);
    put_count(f, "VIPs removed", k->service_del, GVS_MARK_NONE);
    put_count(f, "servers added", k->dest_add, GVS_MARK_NONE);
    put_count(f, "servers edited", k->dest_edit, GVS_MARK_NONE);
    put_count(f, "servers removed", k->dest_del, GVS_MARK_NONE);
    end_card(f);
}

static void
put_span(FILE *f, uint64_t seconds)
{
    if (seconds < 60)
        fprintf(f, "%" PRIu64 " s", seconds);
    else if (seconds < 3600)
        fprintf(f, "%" PRIu64 " min", seconds / 60);
    else if (seconds < 48 * UINT64_C(3600))
        fprintf(f, "%" PRIu64 " h", seconds / 3600);
    else
        fprintf(f, "%" PRIu64 " d", seconds / 86400);
}

static void
put_head(FILE *f, const struct gvs_agent *a)
{
    char why[192], now[32];
    bool ready = gvs_agent_ready(a, why, sizeof why);

    gvs_text_time(now, gvs_udp_wall().ms);
    fputs("<header><h1>", f);
    gvs_page_put(f, a->cfg.name);
    fputs(" <i>of ", f);
    gvs_page_put(f, a->cfg.cluster);
    fputs("</i></h1>\n<p>", f);
    gvs_page_mark(f, ready ? GVS_MARK_NONE : GVS_MARK_BAD, ready ? "ready" : "not ready: ");
    if (!ready)
        gvs_page_mark(f, GVS_MARK_NONE, why);
    fputs(" <i>&#183; gossipvs " GVS_VERSION " &#183; up ", f);
    put_span(f, (gvs_udp_now().us - a->started.us) / 1000000);
    fputs(" &#183; as of ", f);
    gvs_page_time(f, now, 19);
    fputs(" UTC, reloads every 10 s</i></p></header>\n", f);
}

static void
put_node(FILE *f, const struct gvs_agent *a, const struct gvs_node_member *m, size_t count)
{
    struct gvs_kernel_status k = gvs_show_kernels(a);

    put_head(f, a);
    fputs("<main>\n", f);
    put_members_card(f, a);
    put_table_card(f, a, m, count);
    put_kernel_card(f, a, &k);
    put_drift_card(f, &k);
    put_writes_card(f, &k);
    fputs("</main>\n", f);
    if (!k.last_error[0])
        return;
    fputs("<p><i>last error</i> ", f);
    gvs_page_put(f, k.last_error);
    fputs("</p>\n", f);
}

/* --- members --- */

static void
put_seconds(FILE *f, bool known, const char *unit, int digits, double value)
{
    if (known)
        gvs_page_cell(f, GVS_MARK_NONE, "%.*f %s", digits, value, unit);
    else
        gvs_page_cell(f, GVS_MARK_DIM, "-");
}

static void
put_clock(FILE *f, const struct gvs_node_member *m)
{
    if (m->heard && !m->self)
        gvs_page_cell(f, GVS_MARK_NONE, "%+.3f s", (double)m->clock_offset_ms / 1e3);
    else
        gvs_page_cell(f, GVS_MARK_DIM, "-");
}

/* Whose table it has, and whether its kernel follows; of who is dead only what he last had. */
static void
put_agreement(FILE *f, const struct gvs_agent *a, const struct gvs_node_member *m)
{
    bool live = m->state < GVS_DEAD, known = m->self || m->has_fingerprint;
    bool in_step = gvs_show_in_step(a, m), observes = gvs_show_observes(a, m);
    bool differs = live && known && !gvs_show_in_sync(a, m);
    char fp[17];

    gvs_text_hex64(fp, m->self ? gvs_table_fingerprint(gvs_node_claims(a->node)) : m->fingerprint);
    gvs_page_cell(f,
                  differs         ? GVS_MARK_DIFFERS
                  : live && known ? GVS_MARK_NONE
                                  : GVS_MARK_DIM,
                  "%s", known ? fp : "-");
    if (!live)
        gvs_page_cell(f, GVS_MARK_DIM, "-");
    else if (in_step || observes)
        gvs_page_cell(f, GVS_MARK_NONE, observes ? "observing" : "in step");
    else
        gvs_page_cell(f, GVS_MARK_DIFFERS, "not in step");
}

static void
put_member(FILE *f, const struct gvs_agent *a, const struct gvs_node_member *m)
{
    static const struct {
        enum gvs_mark mark;
        const char *name;
    } states[] = {{GVS_MARK_NONE, "alive"},
                  {GVS_MARK_NOTE, "suspect"},
                  {GVS_MARK_BAD, "dead"},
                  {GVS_MARK_DIM, "left"}};
    double heard = m->self ? 0 : (double)(gvs_udp_now().us - m->heard_at.us) / 1e6;
    char ep[GVS_EP_TEXT_LEN];

    gvs_text_endpoint(ep, m);
    fputs("<tr>", f);
    gvs_page_cell(f, GVS_MARK_NONE, "%s", m->value.name);
    fputs(m->self ? " <i>(this node)</i>" : "", f);
    gvs_page_cell(f, GVS_MARK_NONE, "%s", ep);
    gvs_page_cell(f, states[m->state].mark, "%s", states[m->state].name);
    put_seconds(f, m->heard && !m->self, "s", 1, heard);
    put_seconds(f, m->rtt_us != 0, "ms", 2, (double)m->rtt_us / 1e3);
    put_clock(f, m);
    put_agreement(f, a, m);
    gvs_page_cell(f, GVS_MARK_DIM, "%s", m->value.version);
    fputs("</tr>\n", f);
}

static void
put_members(FILE *f, const struct gvs_agent *a, const struct gvs_node_member *m, size_t count)
{
    size_t shown = 0;

    gvs_page_table(f, "m", "Members <i>one number, one table</i>",
                   "<th>name<th>address<th>state<th>heard<th>round trip<th>clock<th>table"
                   "<th>kernel<th>version");
    for (size_t i = 0; i < count; i++)
        if (m[i].state != GVS_LEFT && shown++ < MEMBERS_MAX)
            put_member(f, a, &m[i]);
    gvs_page_table_end(f, shown > MEMBERS_MAX ? shown - MEMBERS_MAX : 0);
}

/* --- events --- */

static void
put_value(FILE *f, const json_t *v)
{
    const char *text = json_string_value(v);

    if (text)
        gvs_page_put(f, text);
    else if (json_is_integer(v))
        fprintf(f, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
    else if (json_is_boolean(v))
        fputs(json_is_true(v) ? "yes" : "no", f);
    else if (json_array_size(v) == 0)
        fputs("none", f);
    for (size_t i = 0; i < json_array_size(v); i++) {
        fputs(i ? "," : "", f);
        put_value(f, json_array_get(v, i));
    }
}

/* Of what was there before, what has become another; of what is new, what it is known by. False:
 * nothing. */
static bool
put_change(FILE *f, const json_t *before, const json_t *after)
{
    static const char *const known_by[] = {"scheduler", "weight", "state"};
    bool any = false;
    const char *key;
    json_t *now;

    json_object_foreach((json_t *)after, key, now)
    {
        const json_t *was = json_object_get(before, key);
        bool told = was && !json_equal(was, now);

        for (size_t i = 0; i < sizeof known_by / sizeof *known_by; i++)
            told |= !was && strcmp(key, known_by[i]) == 0;
        if (!told)
            continue;
        fputs(any ? ", " : "", f);
        any = true;
        gvs_page_put(f, key);
        fputc(' ', f);
        if (was) {
            put_value(f, was);
            fputs(" &#8594; ", f);
        }
        put_value(f, now);
    }
    return any;
}

static enum gvs_mark
mark_of(const char *event)
{
    static const struct {
        const char *event;
        enum gvs_mark mark;
    } marks[] = {{"kernel.drift", GVS_MARK_DIFFERS}, {"kernel.refused", GVS_MARK_BAD},
                 {"member.dead", GVS_MARK_BAD},      {"member.suspect", GVS_MARK_NOTE},
                 {"check.down", GVS_MARK_BAD},       {"brake.on", GVS_MARK_NOTE}};

    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (strcmp(marks[i].event, event) == 0)
            return marks[i].mark;
    return GVS_MARK_NONE;
}

static void
put_event(FILE *f, const json_t *e)
{
    const char *event = gvs_page_word(e, "event"), *reason = gvs_page_word(e, "reason");

    fputs("<tr><td>", f);
    gvs_page_time(f, gvs_page_word(e, "time"), 23);
    gvs_page_cell(f, mark_of(event), "%s", event);
    gvs_page_cell(f, GVS_MARK_NONE, "%s", gvs_page_word(e, "vip"));
    gvs_page_cell(f, GVS_MARK_NONE, "%s", gvs_page_word(e, "backend"));
    fputs("<td>", f);
    if (put_change(f, json_object_get(e, "before"), json_object_get(e, "after")) && *reason)
        fputs("; ", f);
    gvs_page_put(f, reason);
    gvs_page_cell(f, GVS_MARK_NONE, "%s", gvs_page_word(e, "node"));
    gvs_page_cell(f, GVS_MARK_NONE, "%s", gvs_page_word(e, "via"));
    gvs_page_cell(f, GVS_MARK_NONE, "%s", gvs_page_word(e, "by"));
    fputs("</tr>\n", f);
}

/* The latest first. */
static void
put_events(FILE *f, struct gvs_events *e)
{
    gvs_page_table(f, "e", "Latest events",
                   "<th>time (UTC)<th>event<th>VIP<th>server<th>what<th>node<th>via<th>by");
    for (uint64_t seq = e->seq, n = 0; seq >= e->first && seq > 0 && n < EVENTS_MAX; seq--, n++)
        put_event(f, gvs_event_doc(e, seq));
    gvs_page_table_end(f, 0);
}

char *
gvs_page_text(struct gvs_agent *a, size_t *len)
{
    struct gvs_node_member *m;
    char *text = NULL;
    FILE *f = open_memstream(&text, len);
    size_t count;
    bool whole;

    if (!f)
        return NULL;
    m = gvs_list_members(a, &count);
    fputs("<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8>"
          "<meta name=viewport content=\"width=device-width\">"
          "<meta http-equiv=refresh content=10><title>",
          f);
    gvs_page_put(f, a->cfg.name);
    fprintf(f, " - gossipvs</title><style>%s</style></head><body>\n", gvs_page_style);
    put_node(f, a, m, count);
    put_members(f, a, m, count);
    free(m);
    gvs_page_vips(f, a);
    put_events(f, &a->events);
    fputs("</body></html>\n", f);
    whole = !ferror(f);
    if (fclose(f) == 0 && whole)
        return text;
    free(text);
    return NULL;
}
