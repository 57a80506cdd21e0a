/* tools/agent/maintenance.c: maintenance.d, beside services.d: a file there, whatever is in it,
 * drains this node's claims on the services of its name, those of its files and those from code;
 * the file goes, and they are as before.
 *
 * It is looked at as services.d is. A name that begins with a dot does not count (editors). Where
 * there is no directory nothing is in maintenance; if it cannot be read, what was known stays. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/agent/agent.h"

#define NAMES_NEAR_MAX 256 /* own services that a name is held against, for a hint */

static int
no_dot(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

static int
by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool
same_names(const struct gvs_maintenance *m, struct dirent **list, size_t count)
{
    bool same = m->count == count;

    for (size_t i = 0; same && i < count; i++)
        same = strcmp(m->names[i]->d_name, list[i]->d_name) == 0;
    return same;
}

bool
gvs_maintenance_read(struct gvs_agent *a)
{
    struct gvs_maintenance *m = &a->maintenance;
    struct dirent **list = NULL;
    int n = scandir(a->cfg.maintenance, &list, no_dot, by_bytes);
    bool same;

    m->fault = n < 0 && errno != ENOENT ? errno : 0;
    if (m->fault)
        return false;
    same = same_names(m, list, n < 0 ? 0 : (size_t)n);
    gvs_maintenance_free(a);
    m->names = list;
    m->count = n < 0 ? 0 : (size_t)n;
    return !same;
}

void
gvs_maintenance_free(struct gvs_agent *a)
{
    for (size_t i = 0; i < a->maintenance.count; i++)
        free(a->maintenance.names[i]);
    free(a->maintenance.names);
    a->maintenance.names = NULL;
    a->maintenance.count = 0;
}

static int
name_cmp(const void *name, const void *entry)
{
    return strcmp(name, (*(struct dirent *const *)entry)->d_name);
}

bool
gvs_maintenance_covers(const struct gvs_agent *a, const char *name)
{
    const struct gvs_maintenance *m = &a->maintenance;

    return m->count > 0 && bsearch(name, m->names, m->count, sizeof *m->names, name_cmp) != NULL;
}

/* Has an own service this name? Else *near is one that is meant, perhaps. */
static bool
is_own(const struct gvs_agent *a, const char *name, const char **near)
{
    const char *names[NAMES_NEAR_MAX + 1], *coded;
    size_t count = 0, at = 0;

    for (size_t i = 0; i < a->claims.file_count; i++)
        for (size_t j = 0; j < a->claims.files[i].service_count; j++) {
            const char *own = a->claims.files[i].services[j].attr.name;

            if (strcmp(own, name) == 0)
                return true;
            if (count < NAMES_NEAR_MAX)
                names[count++] = own;
        }
    while ((coded = gvs_code_each_name(a, &at)) != NULL) {
        if (strcmp(coded, name) == 0)
            return true;
        if (count < NAMES_NEAR_MAX)
            names[count++] = coded;
    }
    names[count] = NULL;
    *near = gvs_nearest(name, names);
    return false;
}

void
gvs_maintenance_problems(const struct gvs_agent *a, struct gvs_problems *p)
{
    const struct gvs_maintenance *m = &a->maintenance;
    char hint[128];

    if (m->fault)
        gvs_problem(p, false, "maintenance", "what it said before stays", "%s cannot be read: %s",
                    a->cfg.maintenance, strerror(m->fault));
    for (size_t i = 0; i < m->count && json_array_size(p->list) < GVS_PROBLEMS_MAX; i++) {
        const char *near, *name = m->names[i]->d_name;

        if (is_own(a, name, &near))
            continue;
        if (near)
            snprintf(hint, sizeof hint, "did you mean %s?", near);
        else
            snprintf(hint, sizeof hint, "only services that this node itself claims; rm it");
        gvs_problem(p, false, "maintenance", hint,
                    "%s/%.80s: this node claims no service of that name", a->cfg.maintenance, name);
    }
}
