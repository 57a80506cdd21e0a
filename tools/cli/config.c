/* tools/cli/config.c: config show. What is printed is a gossipvs.conf with every option in it, and
 * says of this node what the agent's file says. */
#include <stdlib.h>
#include <string.h>

#include "tools/cli/cli.h"

#define ORIGIN_COLUMN 56 /* of more, behind the value */

/* "{ a, b }", or the one value. To be freed. */
static char *
value_of(const json_t *text)
{
    char *value = NULL;
    size_t len, i;
    const json_t *one;
    FILE *out = gvs_print_need(open_memstream(&value, &len));

    fputs(json_is_string(text) ? json_string_value(text) : "{", out);
    json_array_foreach(text, i, one)
        fprintf(out, "%s%s", i ? ", " : " ", json_is_string(one) ? json_string_value(one) : "");
    if (!json_is_string(text))
        fputs(json_array_size(text) > 0 ? " }" : "}", out);
    fclose(out);
    return gvs_print_need(value);
}

/* How wide the names of a section are, from its first option on. */
static int
width_of(const json_t *options, size_t i)
{
    const char *section = gvs_screen_text(json_array_get(options, i), "section");
    size_t width = 0;

    for (; i < json_array_size(options); i++) {
        const json_t *o = json_array_get(options, i);
        size_t len = strlen(gvs_screen_text(o, "name"));

        if (strcmp(gvs_screen_text(o, "section"), section) != 0)
            break;
        width = len > width ? len : width;
    }
    return (int)width;
}

static void
put_option(const struct gvs_screen *s, const json_t *o, int width, bool origin)
{
    bool inside = strcmp(gvs_screen_text(o, "section"), "-") != 0;
    char *value = value_of(json_object_get(o, "text"));
    int left = ORIGIN_COLUMN - (inside ? 2 : 0) - width - 3 - (int)strlen(value);

    gvs_print(s->out, "%s%-*s = %s", inside ? "  " : "", width, gvs_screen_text(o, "name"), value);
    if (origin)
        gvs_print(s->out, "%*s  # %s", left > 0 ? left : 0, "", gvs_screen_text(o, "origin"));
    gvs_print_line(s->out, "%s", "");
    free(value);
}

static void
put_options(const struct gvs_screen *s, const json_t *options, bool origin)
{
    const char *section = "-";
    int width = 0;
    const json_t *o;
    size_t i;

    json_array_foreach(options, i, o)
    {
        const char *its = gvs_screen_text(o, "section");

        if (i == 0 || strcmp(its, section) != 0) {
            if (strcmp(section, "-") != 0)
                gvs_print_line(s->out, "}");
            if (strcmp(its, "-") != 0)
                gvs_print_line(s->out, "%s {", its);
            width = width_of(options, i);
        }
        section = its;
        put_option(s, o, width, origin);
    }
    if (strcmp(section, "-") != 0)
        gvs_print_line(s->out, "}");
}

int
gvs_cli_config_show(struct gvs_cli *c)
{
    bool origin = c->count == 1 && strcmp(c->words[0], "--origin") == 0;
    json_t *doc;
    int rc;

    if (c->count > 0 && !origin)
        return gvs_cli_usage(c, "config show: --origin, and nothing else");
    rc = gvs_cli_talk(c, "config show", NULL, 0, true, &doc);
    if (rc == GVS_EXIT_OK && !c->json) {
        if (origin)
            gvs_print_line(c->screen.out, "# %s", gvs_screen_text(doc, "file"));
        put_options(&c->screen, json_object_get(doc, "options"), origin);
    }
    json_decref(doc);
    return rc;
}
