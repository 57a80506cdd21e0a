#include "tools/agent/names.h"

#include <stdlib.h>
#include <string.h>

#include "core/err.h"

/* Where the first is that is not below svc; names are first put in ascending order. */
static size_t
lower_bound(const struct gvs_names *n, const struct gvs_svcid *svc)
{
    size_t lo = 0, hi = n->count;

    if (n->count > 0 && gvs_svcid_cmp(&n->list[n->count - 1]->svc, svc) < 0)
        return n->count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (gvs_svcid_cmp(&n->list[mid]->svc, svc) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool
is_at(const struct gvs_names *n, size_t at, const struct gvs_svcid *svc)
{
    return at < n->count && gvs_svcid_cmp(&n->list[at]->svc, svc) == 0;
}

/* FNV-1a. Whoever chooses names so that they meet in one bucket has the cluster's key. */
static struct gvs_named **
bucket_of(const struct gvs_names *n, const char *name)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    return &n->bucket[(h ^ h >> 32) & (n->cap - 1)];
}

static void
hang(struct gvs_names *n, struct gvs_named *x)
{
    struct gvs_named **at = bucket_of(n, x->name);

    x->next = *at;
    *at = x;
}

static void
take_down(struct gvs_names *n, const struct gvs_named *x)
{
    struct gvs_named **at = bucket_of(n, x->name);

    while (*at != x)
        at = &(*at)->next;
    *at = x->next;
}

static bool
make_room(struct gvs_names *n)
{
    size_t cap = n->cap ? 2 * n->cap : 64;
    struct gvs_named **list, **bucket;

    if (n->count < n->cap)
        return true;
    bucket = calloc(cap, sizeof(struct gvs_named *));
    list = bucket ? realloc(n->list, cap * sizeof(struct gvs_named *)) : NULL;
    if (!list) {
        free(bucket);
        return false;
    }
    free(n->bucket);
    *n = (struct gvs_names){list, n->count, cap, bucket};
    for (size_t i = 0; i < n->count; i++)
        hang(n, n->list[i]);
    return true;
}

void
gvs_names_put(struct gvs_names *n, const struct gvs_svcid *svc, const char *name)
{
    size_t at = lower_bound(n, svc), len = strlen(name);
    bool there = is_at(n, at, svc);
    struct gvs_named *x;

    if (there && strcmp(n->list[at]->name, name) == 0)
        return;
    x = malloc(sizeof *x + len + 1);
    if (!x || (!there && !make_room(n))) {
        free(x);
        return;
    }
    x->svc = *svc;
    memcpy(x->name, name, len + 1);
    if (there) {
        take_down(n, n->list[at]);
        free(n->list[at]);
    } else {
        memmove(&n->list[at + 1], &n->list[at], (n->count - at) * sizeof(struct gvs_named *));
        n->count++;
    }
    n->list[at] = x;
    hang(n, x);
}

const char *
gvs_names_get(const struct gvs_names *n, const struct gvs_svcid *svc)
{
    size_t at = lower_bound(n, svc);

    return is_at(n, at, svc) ? n->list[at]->name : NULL;
}

const struct gvs_named *
gvs_names_next(const struct gvs_names *n, const char *name, const struct gvs_named *after)
{
    const struct gvs_named *x = after ? after->next : n->count ? *bucket_of(n, name) : NULL;

    while (x && strcmp(x->name, name) != 0)
        x = x->next;
    return x;
}

void
gvs_names_first_two(struct gvs_svcid two[static 2], size_t found, const struct gvs_svcid *svc)
{
    if (found == 0) {
        two[0] = *svc;
    } else if (gvs_svcid_cmp(svc, &two[0]) < 0) {
        two[1] = two[0];
        two[0] = *svc;
    } else if (found == 1 || gvs_svcid_cmp(svc, &two[1]) < 0) {
        two[1] = *svc;
    }
}

void
gvs_names_keep(struct gvs_names *n, bool (*keep)(void *ctx, const struct gvs_svcid *svc), void *ctx)
{
    size_t kept = 0;

    for (size_t i = 0; i < n->count; i++) {
        if (keep(ctx, &n->list[i]->svc)) {
            n->list[kept++] = n->list[i];
        } else {
            take_down(n, n->list[i]);
            free(n->list[i]);
        }
    }
    n->count = kept;
}

void
gvs_names_free(struct gvs_names *n)
{
    for (size_t i = 0; i < n->count; i++)
        free(n->list[i]);
    free(n->list);
    free(n->bucket);
    *n = (struct gvs_names){.count = 0};
}
