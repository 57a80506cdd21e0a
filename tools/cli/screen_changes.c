/* tools/cli/screen_changes.c: what is, was, or is to become otherwise: plan, audit, watch. */
#include <stdlib.h>
#include <string.h>

#include "tools/cli/print.h"
#include "tools/cli/screen.h"

/* Any value in one word or a few. To be freed. */
static char *
value_text(const json_t *v)
{
    if (json_is_string(v))
        return gvs_print_need(strdup(json_string_value(v)));
    if (json_is_array(v))
        return gvs_screen_list(v, "none");
    return gvs_print_need(v ? json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY) : strdup("-"));
}

/* --- plan, audit --- */

/* "persistent_seconds" is the word `persistent` on the command line. */
static void
put_field(FILE *out, const char *gap, const char *key, const char *value)
{
    size_t len = strlen(key);

    if (len > 8 && strcmp(key + len - 8, "_seconds") == 0)
        len -= 8;
    gvs_print(out, "%s%.*s %s", gap, (int)len, key, value);
}

/* What one would not have written oneself, because it is the default. */
static bool
is_default(const char *key, const json_t *v)
{
    const char *text = json_string_value(v);

    if (json_is_array(v))
        return json_array_size(v) == 0;
    if (json_is_integer(v))
        return json_integer_value(v) == 0 && strcmp(key, "weight") != 0;
    return text && strcmp(key, "netmask") == 0 &&
           (strcmp(text, "255.255.255.255") == 0 || strcmp(text, "128") == 0);
}

/* "  scheduler wlc" of what comes or goes, "  weight 10 -> 0" of what becomes something else. */
static void
put_fields(FILE *out, const json_t *before, const json_t *after)
{
    const json_t *all = json_object_size(after) ? after : before, *v;
    bool both = json_object_size(before) && json_object_size(after), first = true;
    const char *key;

    json_object_foreach((json_t *)all, key, v)
    {
        const json_t *was = json_object_get(before, key);
        char *text = value_text(v), *old = value_text(was);

        if (both ? !json_equal(v, was) : !is_default(key, v)) {
            put_field(out, first ? "  " : " ", key, both ? old : text);
            if (both)
                gvs_print(out, " -> %s", text);
            first = false;
        }
        free(text);
        free(old);
    }
}

static bool
is_foreign(const json_t *c)
{
    return json_is_true(json_object_get(c, "foreign"));
}

static char
count_change(struct gvs_screen_changes *sum, const json_t *c)
{
    const char *op = gvs_screen_text(c, "op");

    if (is_foreign(c))
        sum->foreign++;
    if (strcmp(op, "add") == 0) {
        sum->add += !is_foreign(c);
        return '+';
    }
    if (strcmp(op, "remove") == 0) {
        sum->remove += !is_foreign(c);
        return '-';
    }
    sum->edit += !is_foreign(c);
    return '~';
}

static bool
same_place(const json_t *a, const json_t *b)
{
    static const char *const keys[] = {"scope", "node", "namespace"};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(gvs_screen_text(a, keys[i]), gvs_screen_text(b, keys[i])) != 0)
            return false;
    return true;
}

static void
put_place(const struct gvs_screen *s, const json_t *c)
{
    const char *ns = gvs_screen_text(c, "namespace");
    bool other = strcmp(ns, "host") != 0 && strcmp(ns, "-") != 0;

    gvs_print_line(s->out, "%s on %s%s%s", gvs_screen_text(c, "scope"), gvs_screen_text(c, "node"),
                   other ? ", namespace " : "", other ? ns : "");
}

static void
put_change(const struct gvs_screen *s, const json_t *c, char sign)
{
    const char *backend = json_string_value(json_object_get(c, "backend"));

    gvs_print(s->out, "  %c %-7s  %s", sign, gvs_screen_text(c, "kind"), gvs_screen_text(c, "vip"));
    if (backend)
        gvs_print(s->out, " -> %s", backend);
    put_fields(s->out, json_object_get(c, "before"), json_object_get(c, "after"));
    if (is_foreign(c))
        gvs_print(s->out, "  (not ours: left alone)");
    fputc('\n', s->out);
}

void
gvs_screen_changes_put(struct gvs_screen_changes *x, const struct gvs_screen *s,
                       const json_t *change)
{
    if (!x->last || !same_place(x->last, change))
        put_place(s, change);
    put_change(s, change, count_change(x, change));
    json_decref(x->last);
    x->last = json_incref((json_t *)change);
}

void
gvs_screen_changes_end(const struct gvs_screen_changes *x, const struct gvs_screen *s)
{
    gvs_print(s->out, "%lld to add, %lld to change, %lld to remove", x->add, x->edit, x->remove);
    if (x->foreign)
        gvs_print(s->out, " (%lld not ours: left alone)", x->foreign);
    fputc('\n', s->out);
}

/* --- watch --- */

void
gvs_screen_event(const struct gvs_screen *s, const json_t *doc)
{
    const char *time = gvs_screen_text(doc, "time"), *event = gvs_screen_text(doc, "event");
    const char *name = json_string_value(json_object_get(doc, "name"));
    const char *vip = json_string_value(json_object_get(doc, "vip"));
    const char *backend = json_string_value(json_object_get(doc, "backend"));
    const char *reason = json_string_value(json_object_get(doc, "reason"));
    const char *ns = json_string_value(json_object_get(doc, "namespace"));
    const char *by = json_string_value(json_object_get(doc, "by"));
    const char *via = json_string_value(json_object_get(doc, "via"));

    if (strcmp(event, "gap") == 0) {
        if (json_is_null(json_object_get(doc, "missed")))
            gvs_print_line(s->out, "(the agent's numbers begin anew: nobody knows how many events "
                                   "before this are lost)");
        else
            gvs_print_line(s->out, "(%lld events before this are lost)",
                           (long long)json_integer_value(json_object_get(doc, "missed")));
        return;
    }
    if (strlen(time) > 11 && time[10] == 'T')
        time += 11; /* the day can be seen on the wall */
    gvs_print(s->out, "%s %-4s %-14s", time, gvs_screen_text(doc, "node"), event);
    if (vip && (name || backend))
        gvs_print(s->out, "  %s %s", name ? name : vip, backend ? backend : vip);
    else if (vip)
        gvs_print(s->out, "  %s", vip);
    if (ns && strcmp(ns, "host") != 0)
        gvs_print(s->out, "  in %s", ns);
    put_fields(s->out, json_object_get(doc, "before"), json_object_get(doc, "after"));
    if (reason)
        gvs_print(s->out, "  %s", reason);
    if (via)
        gvs_print(s->out, "  (%s%s%s)", via, by ? ", " : "", by ? by : "");
    gvs_print_line(s->out, "%s", "");
}
