/* tools/cli/conflicts.c: conflicts, as a person reads them. */
#include <stdlib.h>
#include <string.h>

#include "tools/cli/cli.h"

/* "vip web 10.99.0.1:80/tcp", "backend 10.77.0.4:80 of web 10.99.0.1:80/tcp" */
static void
put_place(FILE *out, const json_t *o)
{
    const char *backend = json_string_value(json_object_get(o, "backend"));

    gvs_print(out, "%s ", gvs_screen_text(o, "kind"));
    if (backend)
        gvs_print(out, "%s of ", backend);
    gvs_print(out, "%s %s", gvs_screen_text(o, "name"), gvs_screen_text(o, "vip"));
}

static void
put_side(FILE *out, const char *word, const char *who, const json_t *side)
{
    const json_t *value = json_object_get(side, "value");
    char *text = value && !json_is_null(value) ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY)
                                               : strdup("removed");

    gvs_print_line(out, "    %s %s at %s: %s", word, who, gvs_screen_text(side, "stamp"),
                   text ? text : "-");
    free(text);
}

static void
show_conflicts(const struct gvs_screen *s, const json_t *doc)
{
    const json_t *o, *claim;
    size_t i, j;

    json_array_foreach(json_object_get(doc, "disagreements"), i, o)
    {
        put_place(s->out, o);
        gvs_print_line(s->out, ": claims disagree");
        json_array_foreach(json_object_get(o, "claims"), j, claim)
            put_side(s->out, "from", gvs_screen_text(claim, "owner"), claim);
    }
    json_array_foreach(json_object_get(doc, "overwrites"), i, o)
    {
        const json_t *kept = json_object_get(o, "kept"), *lost = json_object_get(o, "lost");

        put_place(s->out, o);
        gvs_print_line(s->out, ": two wrote at once, seen %s", gvs_screen_text(o, "time"));
        put_side(s->out, "kept", gvs_screen_text(kept, "node"), kept);
        put_side(s->out, "lost", gvs_screen_text(lost, "node"), lost);
    }
}

int
gvs_cli_conflicts(struct gvs_cli *c)
{
    c->show = show_conflicts;
    return gvs_cli_show(c);
}
