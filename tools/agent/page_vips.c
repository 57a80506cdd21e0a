/* The VIPs of the page: what vip list says, and beside what is wanted of each what this kernel has.
 *
 * Of several network namespaces the one is shown where it is not the same; else the first. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/diff.h"
#include "tools/agent/page.h"

#define VIPS_MAX 200
#define LINES_MAX 300 /* some 4 ms of the loop; with 1,000 it was 18 */

/* A service in one kernel. */
struct stand {
    const struct gvs_netns *ns;   /* NULL: in none */
    struct gvs_range wanted, has; /* whole */
    bool differs;
    bool quiet; /* nothing is programmed, nor is anything there: no difference */
};

static struct stand
stand_in(const struct gvs_netns *ns, const struct gvs_svcid *svc)
{
    struct stand s = {.ns = ns,
                      .wanted = gvs_kernel_wanted(ns->kernel, svc),
                      .has = gvs_kernel_configured(ns->kernel, svc)};
    const struct gvs_item *from, *to;
    struct gvs_diff d;

    s.quiet = gvs_kernel_observing(ns->kernel) && s.has.at == s.has.end;
    gvs_diff_init(&d, s.has, s.wanted);
    s.differs = !s.quiet && gvs_diff_next(&d, &from, &to) != GVS_DIFF_END;
    return s;
}

static struct stand
stand_of(const struct gvs_agent *a, const struct gvs_svcid *svc)
{
    struct stand s = {.quiet = true}, one;

    for (struct gvs_netns *ns = gvs_netns_next(a, NULL); ns; ns = gvs_netns_next(a, ns)) {
        if (!ns->host && gvs_netns_has(ns, &svc->addr))
            continue;
        one = stand_in(ns, svc);
        if (one.differs)
            return one;
        if (!s.ns)
            s = one;
    }
    return s;
}

static int
cmp_items(const void *x, const void *y)
{
    return gvs_item_cmp(x, y);
}

static const struct gvs_item *
find(struct gvs_range r, const struct gvs_item *identity)
{
    size_t count = (size_t)(r.end - r.at);

    return count ? bsearch(identity, r.at, count, sizeof *r.at, cmp_items) : NULL;
}

/* --- cells --- */

static void
put_number(FILE *f, const json_t *number)
{
    if (json_is_integer(number))
        gvs_page_cell(f, GVS_MARK_NONE, "%" JSON_INTEGER_FORMAT, json_integer_value(number));
    else
        gvs_page_cell(f, GVS_MARK_DIM, "-");
}

static void
put_state(FILE *f, const json_t *o)
{
    static const struct {
        const char *state;
        enum gvs_mark mark;
    } marks[] = {{"ok", GVS_MARK_NONE}, {"observed", GVS_MARK_NONE}, {"failed", GVS_MARK_BAD}};
    const char *state = gvs_page_word(o, "state"), *reason = gvs_page_word(o, "reason");
    enum gvs_mark mark = GVS_MARK_NOTE;

    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (strcmp(marks[i].state, state) == 0)
            mark = marks[i].mark;
    gvs_page_cell(f, mark, "%s", state);
    if (!*reason)
        return;
    fputc(' ', f);
    gvs_page_mark(f, GVS_MARK_DIM, reason);
}

/* How many servers the kernel has, and how many of them with weight; or that the service itself is
 * not there, or is another than wanted. */
static void
put_service_there(FILE *f, const struct stand *s)
{
    enum gvs_mark mark = s->differs ? GVS_MARK_DIFFERS : s->quiet ? GVS_MARK_DIM : GVS_MARK_NONE;
    const struct gvs_item *wanted = s->wanted.at < s->wanted.end ? s->wanted.at : NULL;
    const struct gvs_item *has = s->has.at < s->has.end ? s->has.at : NULL;
    bool host = !s->ns || s->ns->host;
    size_t usable = 0;

    if (!has) {
        gvs_page_cell(f, mark, "none%s%s", host ? "" : " in ", host ? "" : s->ns->name);
        return;
    }
    for (const struct gvs_item *d = has + 1; d < s->has.end; d++)
        usable += d->dest.weight > 0;
    gvs_page_cell(f, mark, "%s%s%zu of %zu%s%s",
                  wanted && !gvs_item_equal(wanted, has) ? has->service.sched : "",
                  wanted && !gvs_item_equal(wanted, has) ? ", " : "", usable,
                  (size_t)(s->has.end - has) - 1, host ? "" : " in ", host ? "" : s->ns->name);
}

/* The weight that a destination has there. */
static void
put_dest_there(FILE *f, const struct stand *s, const struct gvs_item *dest)
{
    const struct gvs_item *wanted = find(s->wanted, dest), *has = find(s->has, dest);
    enum gvs_mark mark = GVS_MARK_NONE;

    if (s->quiet || (!wanted && !has))
        mark = GVS_MARK_DIM;
    else if (!wanted || !has || !gvs_item_equal(wanted, has))
        mark = GVS_MARK_DIFFERS;
    if (!has)
        gvs_page_cell(f, mark, "none");
    else if (mark == GVS_MARK_DIFFERS && wanted && wanted->dest.weight == has->dest.weight)
        gvs_page_cell(f, mark, "%" PRIu32 ", other settings", has->dest.weight);
    else
        gvs_page_cell(f, mark, "%" PRIu32, has->dest.weight);
}

/* --- rows --- */

static void
put_backend(FILE *f, const struct stand *s, const struct gvs_svcid *svc, const json_t *b)
{
    const char *address = gvs_page_word(b, "address"), *tunnel = gvs_page_word(b, "tunnel");
    const json_t *owners = json_object_get(b, "owners");
    struct gvs_ep ep = {0};
    struct gvs_item dest;

    gvs_ep_parse(&ep, address, strlen(address), NULL);
    dest = gvs_item_make_dest(svc, &ep);
    fputs("<tr class=s>", f);
    gvs_page_cell(f, GVS_MARK_NONE, "%s", address);
    gvs_page_cell(f, GVS_MARK_NONE, "%s", "");
    gvs_page_cell(f, GVS_MARK_NONE, "%s%s%s", gvs_page_word(b, "forward"), *tunnel ? " " : "",
                  tunnel);
    put_number(f, json_object_get(b, "weight"));
    put_dest_there(f, s, &dest);
    put_number(f, json_object_get(b, "active"));
    put_number(f, json_object_get(b, "inactive"));
    put_state(f, b);
    gvs_page_cell(f, GVS_MARK_NONE, "%s", "");
    for (size_t i = 0; i < json_array_size(owners); i++) {
        fputs(i ? ", " : "", f);
        gvs_page_put(f, json_string_value(json_array_get(owners, i)));
    }
    fputs("<td></tr>\n", f);
}

/* Somebody's hand added it to what is ours. */
static void
put_unwanted(FILE *f, const struct stand *s, const struct gvs_item *dest)
{
    char ep[GVS_EP_TEXT_LEN];

    gvs_ep_format(ep, &dest->ep);
    fputs("<tr class=s>", f);
    gvs_page_cell(f, GVS_MARK_NONE, "%s", ep);
    fputs("<td>", f);
    gvs_page_cell(f, GVS_MARK_NONE, "%s", gvs_forward_name(dest->dest.forward));
    gvs_page_cell(f, GVS_MARK_DIM, "-");
    put_dest_there(f, s, dest);
    fputs("<td><td>", f);
    gvs_page_cell(f, GVS_MARK_DIFFERS, "not wanted");
    fputs("<td><td></tr>\n", f);
}

static bool
is_listed(const json_t *backends, const struct gvs_item *dest)
{
    char ep[GVS_EP_TEXT_LEN];

    gvs_ep_format(ep, &dest->ep);
    for (size_t i = 0; i < json_array_size(backends); i++)
        if (strcmp(gvs_page_word(json_array_get(backends, i), "address"), ep) == 0)
            return true;
    return false;
}

static void
put_service(FILE *f, const struct stand *s, const json_t *v)
{
    const json_t *backends = json_object_get(v, "backends");
    size_t count = json_array_size(backends), usable = 0;

    for (size_t i = 0; i < count; i++)
        usable += json_integer_value(json_object_get(json_array_get(backends, i), "weight")) > 0;
    fputs("<tr>", f);
    gvs_page_cell(f, GVS_MARK_NONE, "%s", gvs_page_word(v, "vip"));
    gvs_page_cell(f, GVS_MARK_NONE, "%s", gvs_page_word(v, "name"));
    gvs_page_cell(f, GVS_MARK_NONE, "%s", gvs_page_word(v, "scheduler"));
    gvs_page_cell(f, GVS_MARK_NONE, "%zu of %zu", usable, count);
    put_service_there(f, s);
    fputs("<td><td>", f);
    put_state(f, v);
    gvs_page_cell(f, GVS_MARK_NONE, "%s", gvs_page_word(v, "owner"));
    fputs("<td>", f);
    gvs_page_time(f, gvs_page_word(v, "changed"), 19);
    fputs("</tr>\n", f);
}

/* Returns how many of its servers it shows: `room` at most. */
static size_t
put_vip(FILE *f, const struct gvs_agent *a, const json_t *v, size_t room)
{
    const json_t *backends = json_object_get(v, "backends");
    size_t count = json_array_size(backends), shown = 0;
    const char *vip = gvs_page_word(v, "vip");
    const struct gvs_item *has;
    struct gvs_svcid svc;
    struct stand s;

    if (gvs_svcid_parse(&svc, vip, strlen(vip), NULL) < 0)
        return 0;
    s = stand_of(a, &svc);
    put_service(f, &s, v);
    for (; shown < count && shown < room; shown++)
        put_backend(f, &s, &svc, json_array_get(backends, shown));
    if (shown < count)
        fprintf(f, "<tr class=s><td>and %zu more</tr>\n", count - shown);
    for (has = s.has.at; has < s.has.end && shown < room; has++) {
        if (has->kind != GVS_ITEM_DEST || find(s.wanted, has) || is_listed(backends, has))
            continue;
        put_unwanted(f, &s, has);
        shown++;
    }
    return shown;
}

/* Of those that are programmed here; of others status tells. */
static size_t
count_rest(const struct gvs_agent *a, const json_t *vips)
{
    size_t rest = gvs_set_services(a->shown);

    for (size_t i = 0; i < json_array_size(vips); i++) {
        const char *vip = gvs_page_word(json_array_get(vips, i), "vip");
        struct gvs_item service;
        struct gvs_svcid svc;

        if (gvs_svcid_parse(&svc, vip, strlen(vip), NULL) < 0)
            continue;
        service = gvs_item_make_service(&svc);
        rest -= gvs_set_get(a->shown, &service) != NULL;
    }
    return rest;
}

void
gvs_page_vips(FILE *f, struct gvs_agent *a)
{
    json_t *vips = gvs_show_vips(a, VIPS_MAX, LINES_MAX);
    size_t room = LINES_MAX;

    gvs_page_table(
        f, "v", "VIPs <i>what is wanted, and what this kernel has</i>",
        "<th>VIP, server<th>name<th>sched, fwd<th>wanted<th>in the kernel<th>active<th>inactive"
        "<th>state<th>owner<th>changed (UTC)");
    for (size_t i = 0; i < json_array_size(vips); i++)
        room -= put_vip(f, a, json_array_get(vips, i), room);
    gvs_page_table_end(f, count_rest(a, vips));
    json_decref(vips);
}
