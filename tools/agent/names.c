#include "tools/agent/names.h"

#include <stdlib.h>
#include <string.h>

#include "core/err.h"

/* Where the first is that is not below svc; names are first put in ascending order. */
static size_t
lower_bound(const struct gvs_names *n, const struct gvs_svcid *svc)
{
    size_t lo = 0, hi = n->count;

    if (n->count > 0 && gvs_svcid_cmp(&n->list[n->count - 1].svc, svc) < 0)
        return n->count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (gvs_svcid_cmp(&n->list[mid].svc, svc) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct gvs_named *
find(const struct gvs_names *n, const struct gvs_svcid *svc)
{
    size_t at = lower_bound(n, svc);

    return at < n->count && gvs_svcid_cmp(&n->list[at].svc, svc) == 0 ? &n->list[at] : NULL;
}

static bool
make_room(struct gvs_names *n)
{
    size_t cap = n->cap ? 2 * n->cap : 64;
    struct gvs_named *more;

    if (n->count < n->cap)
        return true;
    more = realloc(n->list, cap * sizeof *more);
    if (!more)
        return false;
    n->list = more;
    n->cap = cap;
    return true;
}

void
gvs_names_put(struct gvs_names *n, const struct gvs_svcid *svc, const char *name)
{
    struct gvs_named *at = find(n, svc);
    size_t place;
    char *copy;

    if (at && strcmp(at->name, name) == 0)
        return;
    copy = strdup(name);
    if (!copy || (!at && !make_room(n))) {
        free(copy);
        return;
    }
    if (at) {
        free(at->name);
        at->name = copy;
        return;
    }
    GVS_ASSERT(n->list);
    place = lower_bound(n, svc);
    memmove(&n->list[place + 1], &n->list[place], (n->count - place) * sizeof *n->list);
    n->list[place] = (struct gvs_named){*svc, copy};
    n->count++;
}

const char *
gvs_names_get(const struct gvs_names *n, const struct gvs_svcid *svc)
{
    const struct gvs_named *at = find(n, svc);

    return at ? at->name : NULL;
}

void
gvs_names_keep(struct gvs_names *n, bool (*keep)(const void *ctx, const struct gvs_svcid *svc),
               const void *ctx)
{
    size_t kept = 0;

    for (size_t i = 0; i < n->count; i++) {
        if (keep(ctx, &n->list[i].svc))
            n->list[kept++] = n->list[i];
        else
            free(n->list[i].name);
    }
    n->count = kept;
}

void
gvs_names_free(struct gvs_names *n)
{
    for (size_t i = 0; i < n->count; i++)
        free(n->list[i].name);
    free(n->list);
    *n = (struct gvs_names){.count = 0};
}
