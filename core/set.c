/* core/set.c: a sorted array. Kernels are read and plans are applied in ascending order, which
 * appends; anything else moves what lies behind. */
#include "core/set.h"

#include <string.h>

struct gvs_set {
    size_t count, services, capacity;
    struct gvs_item items[];
};

size_t
gvs_set_footprint(size_t items)
{
    GVS_ASSERT(items <= (SIZE_MAX - sizeof(struct gvs_set)) / sizeof(struct gvs_item));
    return sizeof(struct gvs_set) + items * sizeof(struct gvs_item);
}

struct gvs_set *
gvs_set_init(void *mem, size_t items)
{
    struct gvs_set *s = mem;

    *s = (struct gvs_set){.capacity = items};
    return s;
}

/* Where the first item that is not below `identity` is, or would be. */
static size_t
lower_bound(const struct gvs_set *s, const struct gvs_item *identity)
{
    size_t first = 0, last = s->count;

    if (s->count > 0 && gvs_item_cmp(&s->items[s->count - 1], identity) < 0)
        return s->count; /* an append, found without a search */
    while (first < last) {
        size_t middle = first + (last - first) / 2;

        if (gvs_item_cmp(&s->items[middle], identity) < 0)
            first = middle + 1;
        else
            last = middle;
    }
    return first;
}

static bool
is_at(const struct gvs_set *s, size_t at, const struct gvs_item *identity)
{
    return at < s->count && gvs_item_cmp(&s->items[at], identity) == 0;
}

int
gvs_set_put(struct gvs_set *s, const struct gvs_item *item)
{
    size_t at = lower_bound(s, item);

    if (is_at(s, at, item)) {
        s->items[at] = *item;
        return GVS_OK;
    }
    if (s->count == s->capacity)
        return GVS_E_FULL;
    GVS_ASSERT(at == 0 || gvs_item_cmp(&s->items[at - 1], item) < 0); /* I1 */
    memmove(&s->items[at + 1], &s->items[at], (s->count - at) * sizeof *item);
    s->items[at] = *item;
    s->count++;
    s->services += item->kind == GVS_ITEM_SERVICE;
    return GVS_OK;
}

/* Closes the gap over [first, last). */
static void
cut(struct gvs_set *s, size_t first, size_t last)
{
    GVS_ASSERT(first <= last && last <= s->count);
    for (size_t i = first; i < last; i++)
        s->services -= s->items[i].kind == GVS_ITEM_SERVICE;
    memmove(&s->items[first], &s->items[last], (s->count - last) * sizeof *s->items);
    s->count -= last - first;
}

int
gvs_set_replace_service(struct gvs_set *s, const struct gvs_svcid *svc, struct gvs_range items)
{
    struct gvs_range old = gvs_set_service(s, svc);
    size_t at = (size_t)(old.at - s->items), behind = (size_t)(old.end - s->items);
    size_t count = (size_t)(items.end - items.at), left = s->count - behind;

    if (count > s->capacity - (at + left))
        return GVS_E_FULL;
    for (; old.at < old.end; old.at++)
        s->services -= old.at->kind == GVS_ITEM_SERVICE;
    if (at + count != behind)
        memmove(&s->items[at + count], &s->items[behind], left * sizeof *s->items);
    s->count = at + count + left;
    for (size_t i = 0; i < count; i++) {
        GVS_ASSERT(gvs_svcid_cmp(&items.at[i].svc, svc) == 0);
        GVS_ASSERT(i == 0 || gvs_item_cmp(&items.at[i - 1], &items.at[i]) < 0); /* I1 */
        s->items[at + i] = items.at[i];
        s->services += items.at[i].kind == GVS_ITEM_SERVICE;
    }
    return GVS_OK;
}

bool
gvs_set_del(struct gvs_set *s, const struct gvs_item *identity)
{
    size_t at = lower_bound(s, identity);

    if (!is_at(s, at, identity))
        return false;
    cut(s, at, at + 1);
    return true;
}

size_t
gvs_set_del_service(struct gvs_set *s, const struct gvs_svcid *svc)
{
    struct gvs_range r = gvs_set_service(s, svc);
    size_t count = (size_t)(r.end - r.at);

    cut(s, (size_t)(r.at - s->items), (size_t)(r.end - s->items));
    return count;
}

void
gvs_set_del_first(struct gvs_set *s, size_t count)
{
    cut(s, 0, count);
}

void
gvs_set_clear(struct gvs_set *s)
{
    s->count = 0;
    s->services = 0;
}

const struct gvs_item *
gvs_set_get(const struct gvs_set *s, const struct gvs_item *identity)
{
    size_t at = lower_bound(s, identity);

    return is_at(s, at, identity) ? &s->items[at] : NULL;
}

size_t
gvs_set_count(const struct gvs_set *s)
{
    return s->count;
}

size_t
gvs_set_services(const struct gvs_set *s)
{
    return s->services;
}

struct gvs_range
gvs_set_all(const struct gvs_set *s)
{
    return (struct gvs_range){s->items, s->items + s->count};
}

/* A service is the least item under its id. Its destinations are few: the end is found by walking.
 */
struct gvs_range
gvs_set_service(const struct gvs_set *s, const struct gvs_svcid *svc)
{
    struct gvs_item head = gvs_item_make_service(svc);
    size_t first = lower_bound(s, &head), last = first;

    while (last < s->count && gvs_svcid_cmp(&s->items[last].svc, svc) == 0)
        last++;
    return (struct gvs_range){s->items + first, s->items + last};
}
