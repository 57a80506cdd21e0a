/* tools/cli/screen.c: the only file that knows libsmartcols. Text is escaped on its way to a cell
 * or a line, in gvs_print() and cell(), and nothing else prints what came from outside. */
#include "tools/cli/screen.h"

#include <assert.h>
#include <libsmartcols/libsmartcols.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/cli/print.h"

#define SHORT_FINGERPRINT 8
#define LAGGING_MAX 3         /* named in the first line of status */
#define PAGE_VIPS 100         /* of vip list */
#define DIFFERS_SECONDS_MIN 2 /* younger is a change that he has not told us of yet */

/* --- colour --- */

enum colour { PLAIN = 0, GREEN, YELLOW, RED };

/* What a state's first word says: "draining 21" is draining. */
static enum colour
colour_of(const char *state)
{
    static const struct {
        const char *word;
        enum colour colour;
    } words[] = {{"ok", GREEN},      {"alive", GREEN},    {"draining", YELLOW}, {"suspect", YELLOW},
                 {"WARN", YELLOW},   {"pending", YELLOW}, {"withheld", YELLOW}, {"empty", YELLOW},
                 {"hidden", YELLOW}, {"orphan", YELLOW},  {"behind", YELLOW},   {"failed", RED},
                 {"dead", RED},      {"CRIT", RED}};
    size_t len = strcspn(state, " ");

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i].word) == len && memcmp(words[i].word, state, len) == 0)
            return words[i].colour;
    return PLAIN;
}

static const char *
code_of(enum colour c)
{
    static const char *const codes[] = {"", "\033[32m", "\033[33m", "\033[31m"};

    return codes[c];
}

static void
put_state(const struct gvs_screen *s, const char *state)
{
    enum colour c = s->colour ? colour_of(state) : PLAIN;

    fputs(code_of(c), s->out);
    gvs_print(s->out, "%s", state);
    if (c != PLAIN)
        fputs("\033[0m", s->out);
}

/* --- values --- */

const char *
gvs_screen_text(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));

    return text && text[0] ? text : "-";
}

static long long
count_of(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static bool
is_true(const json_t *o, const char *key)
{
    return json_is_true(json_object_get(o, key));
}

static const char *
plural(long long n)
{
    return n == 1 ? "" : "s";
}

static void
say_unknown(char text[static 32])
{
    text[0] = '-';
    text[1] = '\0';
}

/* A span of time as a person says it; one figure is enough. */
static void
span(char text[static 32], double seconds)
{
    if (seconds < 10)
        snprintf(text, 32, "%.1f s", seconds > 0 ? seconds : 0);
    else if (seconds < 120)
        snprintf(text, 32, "%.0f s", floor(seconds));
    else if (seconds < 7200)
        snprintf(text, 32, "%.0f min", floor(seconds / 60));
    else if (seconds < 172800)
        snprintf(text, 32, "%.0f h", floor(seconds / 3600));
    else
        snprintf(text, 32, "%.0f d", floor(seconds / 86400));
}

static void
span_of(char text[static 32], const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);

    if (json_is_number(v))
        span(text, json_number_value(v));
    else
        say_unknown(text);
}

/* How long ago `text` was, RFC 3339 in UTC. */
static void
age(char out[static 32], const char *text)
{
    struct tm tm = {0};
    struct timespec t;
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

    say_unknown(out);
    if (!rest)
        return;
    clock_gettime(CLOCK_REALTIME, &t);
    span(out, (double)(t.tv_sec - timegm(&tm)) + (double)t.tv_nsec / 1e9 -
                  (*rest == '.' ? strtod(rest, NULL) : 0));
}

char *
gvs_screen_list(const json_t *list, const char *none)
{
    size_t len = 0, i;
    char *text = NULL;
    const json_t *v;
    FILE *f = gvs_print_need(open_memstream(&text, &len));

    json_array_foreach(list, i, v)
        fprintf(f, "%s%s", i ? "," : "", json_string_value(v) ? json_string_value(v) : "?");
    if (json_array_size(list) == 0)
        fputs(none, f);
    fclose(f);
    return gvs_print_need(text);
}

/* --- tables --- */

struct column {
    const char *name;
    int flags;
};

/* The library's own branches in ASCII touch the text. */
static void
draw_branches(struct libscols_table *t)
{
    struct libscols_symbols *symbols = gvs_print_need(scols_new_symbols());

    scols_symbols_set_branch(symbols, "|- ");
    scols_symbols_set_right(symbols, "`- ");
    scols_symbols_set_vertical(symbols, "|  ");
    scols_table_set_symbols(t, symbols);
    scols_unref_symbols(symbols);
}

static struct libscols_table *
open_table(const struct gvs_screen *s, const struct column *columns, size_t count)
{
    struct libscols_table *t = gvs_print_need(scols_new_table());

    draw_branches(t);
    scols_table_set_column_separator(t, "  ");
    scols_table_enable_noencoding(t, 1); /* cell() has done it */
    scols_table_enable_colors(t, s->colour);
    for (size_t i = 0; i < count; i++)
        gvs_print_need(scols_table_new_column(t, columns[i].name, 0, columns[i].flags));
    return t;
}

/* Prints it, but for the first lines, and without the blanks that fill up the last column. */
static void
print_table(const struct gvs_screen *s, struct libscols_table *t, size_t left_out)
{
    char *text = NULL, *line, *rest;

    if (scols_print_table_to_string(t, &text) != 0)
        gvs_print_need(NULL);
    rest = text;
    while ((line = strsep(&rest, "\n")) != NULL && (rest || *line)) {
        size_t len = strlen(line);

        while (len > 0 && line[len - 1] == ' ')
            len--;
        if (left_out > 0)
            left_out--;
        else
            fprintf(s->out, "%.*s\n", (int)len, line);
    }
    free(text);
}

static void
close_table(const struct gvs_screen *s, struct libscols_table *t)
{
    print_table(s, t, 0);
    scols_unref_table(t);
}

static struct libscols_line *
add_line(struct libscols_table *t, struct libscols_line *parent)
{
    return gvs_print_need(scols_table_new_line(t, parent));
}

__attribute__((format(printf, 3, 4))) static void
cell(struct libscols_line *line, size_t column, const char *fmt, ...)
{
    va_list ap;
    char *text;

    va_start(ap, fmt);
    text = gvs_print_escaped(fmt, ap);
    va_end(ap);
    if (scols_line_refer_data(line, column, text) != 0) /* the line frees it */
        gvs_print_need(NULL);
}

static void
state_cell(struct libscols_line *line, size_t column, const char *state)
{
    enum colour c = colour_of(state);

    cell(line, column, "%s", state);
    if (c != PLAIN)
        scols_cell_set_color(scols_line_get_cell(line, column), code_of(c));
}

/* A number, or `-` where the document knows none. */
static void
count_cell(struct libscols_line *line, size_t column, const json_t *o, const char *key)
{
    if (json_is_integer(json_object_get(o, key)))
        cell(line, column, "%lld", count_of(o, key));
    else
        cell(line, column, "-");
}

/* --- status --- */

static void
put_members(const struct gvs_screen *s, const json_t *counts)
{
    long long alive = count_of(counts, "alive");
    long long all = alive + count_of(counts, "suspect") + count_of(counts, "dead");

    if (alive == all)
        gvs_print(s->out, "%lld member%s alive", alive, plural(alive));
    else
        gvs_print(s->out, "%lld of %lld members alive", alive, all);
}

/* "table 7f3a91c2 same everywhere", or who has another one. */
static void
put_table(const struct gvs_screen *s, const json_t *status, const json_t *members)
{
    const json_t *m, *since, *list = json_object_get(members, "members");
    size_t i, others = 0, lagging = 0, unsettled = 0;

    gvs_print(s->out, ", table %.*s", SHORT_FINGERPRINT,
              gvs_screen_text(json_object_get(status, "table"), "fingerprint"));
    json_array_foreach(list, i, m)
    {
        if (strcmp(gvs_screen_text(m, "state"), "alive") != 0 || is_true(m, "self"))
            continue;
        others++;
        if (is_true(m, "in_sync"))
            continue;
        unsettled++;
        since = json_object_get(m, "differs_seconds");
        if ((!since || json_number_value(since) > DIFFERS_SECONDS_MIN) && ++lagging <= LAGGING_MAX)
            gvs_print(s->out, "%s %s", lagging == 1 ? " differs on" : ",",
                      gvs_screen_text(m, "name"));
    }
    if (lagging > LAGGING_MAX)
        gvs_print(s->out, " and %zu more", lagging - LAGGING_MAX);
    else if (others && !unsettled)
        gvs_print(s->out, " same everywhere");
}

static void
put_first_line(const struct gvs_screen *s, const json_t *status, const json_t *members)
{
    const char *health = gvs_screen_text(status, "health");
    const json_t *kernel = json_object_get(status, "kernel");
    bool observe = strcmp(gvs_screen_text(kernel, "mode"), "observe") == 0;

    if (strcmp(health, "ok") == 0) {
        put_state(s, "ok");
        fputc(' ', s->out);
    } else {
        put_state(s, strcmp(health, "warn") == 0 ? "WARN" : "CRIT");
    }
    gvs_print(s->out, " %s  ", gvs_screen_text(json_object_get(status, "node"), "name"));
    put_members(s, json_object_get(status, "members"));
    put_table(s, status, members);
    gvs_print_line(s->out, ", kernel %s%s", observe ? "observing, " : "",
                   is_true(kernel, "in_step") ? "in step" : "not in step");
}

static void
put_problems(const struct gvs_screen *s, const json_t *problems)
{
    const json_t *p;
    size_t i;

    json_array_foreach(problems, i, p)
    {
        const char *hint = json_string_value(json_object_get(p, "hint"));

        gvs_print(s->out, "  !  %s", gvs_screen_text(p, "message"));
        if (hint && hint[0])
            gvs_print(s->out, "  -> %s", hint);
        fputc('\n', s->out);
    }
}

static void
put_kernel(const struct gvs_screen *s, const json_t *kernel)
{
    const json_t *ops = json_object_get(kernel, "operations");
    const json_t *drift = json_object_get(kernel, "drift");
    const json_t *round = json_object_get(kernel, "audit_seconds");
    char look[64] = "";
    const char *error = gvs_screen_text(kernel, "last_error");
    long long services = count_of(kernel, "services"), draining = count_of(kernel, "draining");
    long long destinations = count_of(kernel, "destinations");

    gvs_print(s->out, "kernel   ip_vs %s  %lld service%s  %lld destination%s",
              gvs_screen_text(kernel, "version"), services, plural(services), destinations,
              plural(destinations));
    if (draining > 0)
        gvs_print(s->out, " (%lld draining)", draining);
    gvs_print_line(s->out, "  pending %lld  failed %lld", count_of(kernel, "pending"),
                   count_of(kernel, "failed"));
    if (error[0] != '-')
        gvs_print_line(s->out, "         last error: %s", error);
    gvs_print_line(s->out,
                   "writes   services: added %lld  edited %lld  removed %lld"
                   "   destinations: added %lld  edited %lld  removed %lld",
                   count_of(ops, "service_add"), count_of(ops, "service_edit"),
                   count_of(ops, "service_del"), count_of(ops, "dest_add"),
                   count_of(ops, "dest_edit"), count_of(ops, "dest_del"));
    if (json_is_number(round))
        snprintf(look, sizeof look, "  a look at everything takes %.2f s",
                 json_number_value(round));
    gvs_print_line(s->out, "drift    found %lld  repaired %lld%s", count_of(drift, "found"),
                   count_of(drift, "repaired"), look);
}

#define NETNS_ROWS 16 /* of more, those that are well are not listed */

static void
put_netns(const struct gvs_screen *s, const json_t *n)
{
    bool open = is_true(n, "open"), observe = strcmp(gvs_screen_text(n, "mode"), "observe") == 0;
    long long services = count_of(n, "services"), destinations = count_of(n, "destinations");

    if (!open) {
        gvs_print_line(s->out, "         %s  not open: %s", gvs_screen_text(n, "name"),
                       gvs_screen_text(n, "reason"));
        return;
    }
    gvs_print_line(s->out, "         %s  %lld service%s  %lld destination%s  %s%s",
                   gvs_screen_text(n, "name"), services, plural(services), destinations,
                   plural(destinations), observe ? "observing, " : "",
                   is_true(n, "in_step") ? "in step" : "not in step");
}

/* Where there is more than the host's. */
static void
put_all_netns(const struct gvs_screen *s, const json_t *list)
{
    size_t count = json_array_size(list), in_step = 0, i;
    const json_t *n;

    if (count == 0 ||
        (count == 1 && strcmp(gvs_screen_text(json_array_get(list, 0), "name"), "host") == 0))
        return;
    json_array_foreach(list, i, n) in_step += is_true(n, "in_step");
    gvs_print_line(s->out, "netns    %zu namespace%s  %zu in step", count, plural((long long)count),
                   in_step);
    json_array_foreach(list, i, n)
    {
        if (count <= NETNS_ROWS || !is_true(n, "in_step"))
            put_netns(s, n);
    }
}

static void
put_packets(const struct gvs_screen *s, const json_t *packets)
{
    const json_t *rejected = json_object_get(packets, "rejected"), *v;
    const char *reason, *before = "  rejected ";

    gvs_print(s->out, "packets  sent %lld  received %lld", count_of(packets, "sent"),
              count_of(packets, "received"));
    json_object_foreach((json_t *)rejected, reason, v)
    {
        if (json_integer_value(v) == 0)
            continue;
        gvs_print(s->out, "%s%s %lld", before, reason, (long long)json_integer_value(v));
        before = ", ";
    }
    fputc('\n', s->out);
}

static void
put_pending(const struct gvs_screen *s, const json_t *pending)
{
    if (!json_is_object(pending))
        return;
    gvs_print_line(s->out, "apply    %s by %s goes back in %.0f s unless: gossipvs confirm",
                   gvs_screen_text(pending, "apply"), gvs_screen_text(pending, "node"),
                   json_number_value(json_object_get(pending, "left_seconds")));
}

void
gvs_screen_status(const struct gvs_screen *s, const json_t *status, const json_t *members)
{
    const json_t *node = json_object_get(status, "node");
    const json_t *table = json_object_get(status, "table");
    long long vips = count_of(table, "services"), backends = count_of(table, "backends");
    char up[32];

    put_first_line(s, status, members);
    put_problems(s, json_object_get(status, "problems"));
    span_of(up, node, "uptime_seconds");
    gvs_print_line(s->out, "node     %s  %s  up %s  gossipvs %s", gvs_screen_text(node, "name"),
                   gvs_screen_text(node, "address"), up, gvs_screen_text(node, "version"));
    gvs_print_line(s->out, "table    %lld VIP%s  %lld backend%s  entries %lld  tombstones %lld",
                   vips, plural(vips), backends, plural(backends), count_of(table, "entries"),
                   count_of(table, "tombstones"));
    put_pending(s, json_object_get(table, "pending_apply"));
    put_kernel(s, json_object_get(status, "kernel"));
    put_all_netns(s, json_object_get(json_object_get(status, "kernel"), "namespaces"));
    put_packets(s, json_object_get(status, "packets"));
}

/* --- members --- */

static void
clock_text(char text[static 32], const json_t *m)
{
    const json_t *v = json_object_get(m, "clock_offset_seconds");
    double seconds = json_number_value(v);

    if (!json_is_number(v))
        say_unknown(text);
    else if (fabs(seconds) < 1)
        snprintf(text, 32, "%+.0f ms", seconds * 1000);
    else
        snprintf(text, 32, "%+.1f s", seconds);
}

static void
rtt_text(char text[static 32], const json_t *m)
{
    const json_t *v = json_object_get(m, "rtt_seconds");

    if (json_is_number(v))
        snprintf(text, 32, "%.2f ms", json_number_value(v) * 1000);
    else
        say_unknown(text);
}

enum { M_NODE, M_ADDRESS, M_STATE, M_SEEN, M_RTT, M_CLOCK, M_TABLE, M_KERNEL, M_VERSION };

/* What it says of its kernel; nothing yet, if it has not been heard. */
static const char *
kernel_word(const json_t *m)
{
    if (json_is_null(json_object_get(m, "mode")))
        return "-";
    if (strcmp(gvs_screen_text(m, "mode"), "observe") == 0)
        return "observing";
    return is_true(m, "in_step") ? "in step" : "behind";
}

static void
add_member(struct libscols_table *t, const json_t *m)
{
    struct libscols_line *line = add_line(t, NULL);
    const char *state = gvs_screen_text(m, "state");
    bool self = is_true(m, "self"), gone = strcmp(state, "dead") == 0 || strcmp(state, "left") == 0;
    char seen[32], rtt[32], clock[32];

    span_of(seen, m, "seen_seconds");
    rtt_text(rtt, m);
    clock_text(clock, m);
    cell(line, M_NODE, "%s%s", gvs_screen_text(m, "name"), self ? " *" : "");
    cell(line, M_ADDRESS, "%s", gvs_screen_text(m, "address"));
    state_cell(line, M_STATE, state);
    cell(line, M_SEEN, "%s", self ? "-" : seen);
    cell(line, M_RTT, "%s", rtt);
    cell(line, M_CLOCK, "%s", clock);
    cell(line, M_TABLE, "%.*s", SHORT_FINGERPRINT, gvs_screen_text(m, "fingerprint"));
    state_cell(line, M_KERNEL, gone ? "-" : kernel_word(m));
    cell(line, M_VERSION, "%s", gvs_screen_text(m, "version"));
}

void
gvs_screen_members(const struct gvs_screen *s, const json_t *doc)
{
    static const struct column columns[] = {
        [M_NODE] = {"NODE", 0},   [M_ADDRESS] = {"ADDRESS", 0}, [M_STATE] = {"STATE", 0},
        [M_SEEN] = {"SEEN", 0},   [M_RTT] = {"RTT", 0},         [M_CLOCK] = {"CLOCK", 0},
        [M_TABLE] = {"TABLE", 0}, [M_KERNEL] = {"KERNEL", 0},   [M_VERSION] = {"VERSION", 0}};
    struct libscols_table *t = open_table(s, columns, sizeof columns / sizeof *columns);
    const json_t *m;
    size_t i;

    json_array_foreach(json_object_get(doc, "members"), i, m) add_member(t, m);
    close_table(s, t);
}

/* --- vip list, vip show --- */

/* Both are the same table; each leaves out the columns of the other. */
enum {
    V_VIP,
    V_SCHED,
    V_FWD,
    V_WEIGHT,
    V_LOWER,
    V_UPPER,
    V_ACTIVE,
    V_INACT,
    V_STATE,
    V_OWNER,
    V_CHANGED,
    V_NOTE,
};
static_assert(V_NOTE + 1 == GVS_SCREEN_VIPS_COLUMNS, "all columns");

static struct libscols_table *
open_vips(const struct gvs_screen *s, int in_list, int in_show)
{
    const struct column columns[] = {
        [V_VIP] = {in_list ? "BACKEND" : "VIP / BACKEND", in_list ? 0 : SCOLS_FL_TREE},
        [V_SCHED] = {"SCHED", in_list},
        [V_FWD] = {"FWD", 0},
        [V_WEIGHT] = {"WEIGHT", SCOLS_FL_RIGHT},
        [V_LOWER] = {"LOWER", SCOLS_FL_RIGHT | in_show},
        [V_UPPER] = {"UPPER", SCOLS_FL_RIGHT | in_show},
        [V_ACTIVE] = {"ACTIVE", SCOLS_FL_RIGHT},
        [V_INACT] = {"INACT", SCOLS_FL_RIGHT},
        [V_STATE] = {"STATE", 0},
        [V_OWNER] = {"OWNER", 0},
        [V_CHANGED] = {"CHANGED", in_list},
        [V_NOTE] = {"NOTE", in_show},
    };

    return open_table(s, columns, sizeof columns / sizeof *columns);
}

/* A sum over the backends, or `-` if not one of them knows. */
static void
sum_cell(struct libscols_line *line, size_t column, const json_t *backends, const char *key)
{
    long long sum = 0;
    bool known = false;
    const json_t *b;
    size_t i;

    json_array_foreach(backends, i, b)
    {
        known |= json_is_integer(json_object_get(b, key));
        sum += count_of(b, key);
    }
    if (known)
        cell(line, column, "%lld", sum);
    else
        cell(line, column, "-");
}

/* "draining 21": how many are still there is what one waits for. */
static void
backend_state_cell(struct libscols_line *line, const json_t *b)
{
    const char *state = gvs_screen_text(b, "state");
    char text[48];

    if (strcmp(state, "draining") == 0 && json_is_integer(json_object_get(b, "active"))) {
        snprintf(text, sizeof text, "draining %lld", count_of(b, "active"));
        state = text;
    }
    state_cell(line, V_STATE, state);
}

static void
note_cell(struct libscols_line *line, const json_t *b)
{
    const json_t *was = json_object_get(b, "weight_before_drain");
    const char *reason = json_string_value(json_object_get(b, "reason"));

    if (json_is_integer(was))
        cell(line, V_NOTE, "was %lld%s%s", (long long)json_integer_value(was), reason ? "; " : "",
             reason ? reason : "");
    else
        cell(line, V_NOTE, "%s", reason ? reason : "");
}

static void
add_backends(struct libscols_table *t, struct libscols_line *parent, const json_t *backends)
{
    const json_t *b;
    size_t i;

    json_array_foreach(backends, i, b)
    {
        struct libscols_line *line = add_line(t, parent);
        char *owners = gvs_screen_list(json_object_get(b, "owners"), "-");

        cell(line, V_VIP, "%s", gvs_screen_text(b, "address"));
        cell(line, V_FWD, "%s", gvs_screen_text(b, "forward"));
        count_cell(line, V_WEIGHT, b, "weight");
        count_cell(line, V_LOWER, b, "lower");
        count_cell(line, V_UPPER, b, "upper");
        count_cell(line, V_ACTIVE, b, "active");
        count_cell(line, V_INACT, b, "inactive");
        backend_state_cell(line, b);
        cell(line, V_OWNER, "%s", owners);
        note_cell(line, b);
        free(owners);
    }
}

static void
add_vip(struct libscols_table *t, const json_t *v)
{
    const json_t *backends = json_object_get(v, "backends");
    struct libscols_line *line = add_line(t, NULL);
    char changed[32];

    age(changed, gvs_screen_text(v, "changed"));
    cell(line, V_VIP, "%s  %s", gvs_screen_text(v, "name"), gvs_screen_text(v, "vip"));
    cell(line, V_SCHED, "%s", gvs_screen_text(v, "scheduler"));
    sum_cell(line, V_ACTIVE, backends, "active");
    sum_cell(line, V_INACT, backends, "inactive");
    state_cell(line, V_STATE, gvs_screen_text(v, "state"));
    cell(line, V_OWNER, "%s", gvs_screen_text(v, "owner"));
    cell(line, V_CHANGED, "%s", changed);
    add_backends(t, line, backends);
}

/* A line that is as wide as the page before, and is not printed: nor is the head, once it was. */
static void
add_filler(struct libscols_table *t, const size_t width[static GVS_SCREEN_VIPS_COLUMNS])
{
    struct libscols_line *line = add_line(t, NULL);

    for (size_t i = 0; i < GVS_SCREEN_VIPS_COLUMNS; i++)
        cell(line, i, "%*s", (int)width[i], "x");
}

static void
print_page(struct gvs_screen_vips *page, const struct gvs_screen *s)
{
    struct libscols_table *t = open_vips(s, 0, SCOLS_FL_HIDDEN);
    bool first = page->width[0] == 0;
    const json_t *v;
    size_t i;

    if (!first)
        add_filler(t, page->width);
    json_array_foreach(page->page, i, v) add_vip(t, v);
    print_table(s, t, first ? 0 : 2);
    for (i = 0; i < GVS_SCREEN_VIPS_COLUMNS; i++)
        page->width[i] = scols_column_get_width(scols_table_get_column(t, i));
    scols_unref_table(t);
    json_array_clear(page->page);
}

void
gvs_screen_vips_put(struct gvs_screen_vips *page, const struct gvs_screen *s, const json_t *vip)
{
    if (!page->page)
        page->page = gvs_print_need(json_array());
    json_array_append(page->page, (json_t *)vip);
    if (json_array_size(page->page) == PAGE_VIPS)
        print_page(page, s);
}

void
gvs_screen_vips_end(struct gvs_screen_vips *page, const struct gvs_screen *s)
{
    if (json_array_size(page->page) > 0)
        print_page(page, s);
    json_decref(page->page);
    *page = (struct gvs_screen_vips){.page = NULL};
}

static void
put_vip(const struct gvs_screen *s, const json_t *v)
{
    const char *reason = json_string_value(json_object_get(v, "reason"));
    char *flags = gvs_screen_list(json_object_get(v, "flags"), "none"), changed[32];

    age(changed, gvs_screen_text(v, "changed"));
    gvs_print_line(s->out, "%s  %s  scheduler %s  flags %s  persistent %lld s  netmask %s",
                   gvs_screen_text(v, "name"), gvs_screen_text(v, "vip"),
                   gvs_screen_text(v, "scheduler"), flags, count_of(v, "persistent_seconds"),
                   gvs_screen_text(v, "netmask"));
    fputs("state    ", s->out);
    put_state(s, gvs_screen_text(v, "state"));
    gvs_print_line(s->out, "%s%s%s", reason ? " (" : "", reason ? reason : "", reason ? ")" : "");
    gvs_print_line(s->out, "owner    %s", gvs_screen_text(v, "owner"));
    gvs_print_line(s->out, "changed  %s ago (%s)", changed, gvs_screen_text(v, "changed"));
    free(flags);
}

void
gvs_screen_vip(const struct gvs_screen *s, const json_t *doc)
{
    const json_t *v;
    size_t i;

    json_array_foreach(json_object_get(doc, "vips"), i, v)
    {
        struct libscols_table *t = open_vips(s, SCOLS_FL_HIDDEN, 0);

        put_vip(s, v);
        add_backends(t, NULL, json_object_get(v, "backends"));
        close_table(s, t);
    }
}

/* --- top --- */

static const struct rate {
    const char *name, *key;
} rates[] = {{"CONN/S", "connections"},
             {"IN PKT/S", "packets_in"},
             {"OUT PKT/S", "packets_out"},
             {"IN BYTE/S", "bytes_in"},
             {"OUT BYTE/S", "bytes_out"}};
#define RATES (sizeof rates / sizeof *rates)

enum { T_VIP, T_RATES, T_ACTIVE = T_RATES + RATES, T_INACT, T_BACKENDS, T_COLUMNS };

/* "1904", "141 k", "2.1 M": three figures tell who is first. */
static void
quantity(char text[static 32], const json_t *v)
{
    static const char units[] = " kMGTPE";
    double n = json_number_value(v);
    size_t unit = 0;

    if (!json_is_number(v)) {
        say_unknown(text);
        return;
    }
    if (n < 10000) {
        snprintf(text, 32, "%.0f", n > 0 ? n : 0);
        return;
    }
    for (; n >= 999.5 && units[unit + 1]; unit++)
        n /= 1000;
    snprintf(text, 32, n < 9.95 ? "%.1f %c" : "%.0f %c", n, units[unit]);
}

/* "3 ok, 1 draining": in the order in which they are met. */
static void
count_states(char *text, size_t cap, const json_t *backends)
{
    const json_t *b, *other;
    size_t i, j, at = 0;

    text[0] = '\0';
    json_array_foreach(backends, i, b)
    {
        const char *state = gvs_screen_text(b, "state");
        size_t same = 0, before = 0;

        json_array_foreach(backends, j, other)
        {
            bool is = strcmp(gvs_screen_text(other, "state"), state) == 0;

            same += is;
            before += is && j < i;
        }
        if (before == 0 && at < cap)
            at += (size_t)snprintf(text + at, cap - at, "%s%zu %s", at ? ", " : "", same, state);
    }
}

static double
sum_of(const json_t *v, const char *key)
{
    double sum = 0;
    const json_t *b;
    size_t i;

    json_array_foreach(json_object_get(v, "backends"), i, b) sum +=
        json_number_value(json_object_get(b, key));
    return sum;
}

/* The most new connections first, then the most open ones; else as they come. */
static int
busier(const void *a, const void *b)
{
    const json_t *const *x = a, *const *y = b;
    double p = json_number_value(json_object_get(json_object_get(*x, "rates"), "connections"));
    double q = json_number_value(json_object_get(json_object_get(*y, "rates"), "connections"));

    if (p == q) {
        p = sum_of(*x, "active");
        q = sum_of(*y, "active");
    }
    if (p == q)
        return strcmp(gvs_screen_text(*x, "vip"), gvs_screen_text(*y, "vip"));
    return p < q ? 1 : -1;
}

static void
add_busy(struct libscols_table *t, const json_t *v)
{
    const json_t *backends = json_object_get(v, "backends"), *its = json_object_get(v, "rates");
    struct libscols_line *line = add_line(t, NULL);
    char text[32], states[96];

    cell(line, T_VIP, "%s  %s", gvs_screen_text(v, "name"), gvs_screen_text(v, "vip"));
    for (size_t i = 0; i < RATES; i++) {
        quantity(text, json_object_get(its, rates[i].key));
        cell(line, T_RATES + i, "%s", text);
    }
    sum_cell(line, T_ACTIVE, backends, "active");
    sum_cell(line, T_INACT, backends, "inactive");
    count_states(states, sizeof states, backends);
    cell(line, T_BACKENDS, "%s", states[0] ? states : "none");
}

void
gvs_screen_top(const struct gvs_screen *s, const json_t *doc)
{
    const json_t *vips = json_object_get(doc, "vips"), **sorted, *v;
    struct column columns[T_COLUMNS] = {[T_VIP] = {"VIP", 0},
                                        [T_ACTIVE] = {"ACTIVE", SCOLS_FL_RIGHT},
                                        [T_INACT] = {"INACT", SCOLS_FL_RIGHT},
                                        [T_BACKENDS] = {"BACKENDS", 0}};
    size_t count = json_array_size(vips), i;
    struct libscols_table *t;

    for (i = 0; i < RATES; i++)
        columns[T_RATES + i] = (struct column){rates[i].name, SCOLS_FL_RIGHT};
    t = open_table(s, columns, T_COLUMNS);
    sorted = gvs_print_need(calloc(count + 1, sizeof *sorted));
    json_array_foreach(vips, i, v) sorted[i] = v;
    qsort(sorted, count, sizeof *sorted, busier);
    for (i = 0; i < count; i++)
        add_busy(t, sorted[i]);
    free(sorted);
    close_table(s, t);
}
