/* tools/cli/keys.c: keys list, as a person reads it: a line a key, and who lacks it by name. */
#include <stdlib.h>
#include <string.h>

#include "tools/cli/cli.h"

#define NAMES_MAX 256

struct row {
    size_t living, primary, accepted; /* of them */
    char lacking[NAMES_MAX];
};

static void
add_name(char names[static NAMES_MAX], const char *name)
{
    size_t at = strlen(names);

    snprintf(names + at, NAMES_MAX - at, "%s%s", at ? ", " : "", name);
}

/* Only of those alive: the dead take what they are given when they come. */
static void
count_members(struct row *row, const json_t *members)
{
    const json_t *m;
    size_t i;

    json_array_foreach(members, i, m)
    {
        const char *role = gvs_screen_text(m, "key");
        bool primary = strcmp(role, "primary") == 0;

        if (strcmp(gvs_screen_text(m, "state"), "dead") == 0)
            continue;
        row->living++;
        row->primary += primary;
        row->accepted += primary || strcmp(role, "accept") == 0;
        if (strcmp(role, "lacks") == 0 || strcmp(role, "unknown") == 0)
            add_name(row->lacking, gvs_screen_text(m, "name"));
    }
}

static void
show_keys(const struct gvs_screen *s, const json_t *doc)
{
    const json_t *k;
    size_t i;

    gvs_print_line(s->out, "%-16s  %-7s  %8s  %-10s  %-10s  %-16s  %s", "KEY", "HERE", "SESSIONS",
                   "PRIMARY", "ACCEPTED", "NOTE", "LACKED BY");
    json_array_foreach(json_object_get(doc, "keys"), i, k)
    {
        struct row row = {0};
        char primary[32], accepted[32];

        count_members(&row, json_object_get(k, "members"));
        snprintf(primary, sizeof primary, "%zu of %zu", row.primary, row.living);
        snprintf(accepted, sizeof accepted, "%zu of %zu", row.accepted, row.living);
        gvs_print_line(s->out, "%-16s  %-7s  %8lld  %-10s  %-10s  %-16s  %s",
                       gvs_screen_text(k, "id"), gvs_screen_text(k, "here"),
                       (long long)json_integer_value(json_object_get(k, "sessions")), primary,
                       accepted, gvs_screen_text(k, "note"), row.lacking[0] ? row.lacking : "-");
    }
}

int
gvs_cli_keys_list(struct gvs_cli *c)
{
    c->show = show_keys;
    return gvs_cli_show(c);
}
