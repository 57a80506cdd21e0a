/* core/set.c: a sorted array with a gap where it was changed last.
 *
 *     items:  a b c d [ gap ] e f g
 *
 * Views are taken and plans applied in ascending order: the next change is where the last one was,
 * or a little behind it. Only what lies between the two is moved, across the gap. So ten thousand
 * services go, or come before ten thousand others, at the cost of so many; what is appended needs
 * no gap at all.
 *
 * The gap is never inside a service: whoever is lent one reads it as an array. */
#include "core/set.h"

#include <string.h>

#define SPARE 256 /* a gap that is opened has room for so many more, if there is so much */

struct gvs_set {
    size_t count, services, capacity;
    size_t gap, hole; /* before the item of that number; so wide, and 0 behind the last */
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

/* --- the gap --- */

static size_t
place_of(const struct gvs_set *s, size_t i)
{
    return i < s->gap ? i : i + s->hole;
}

static const struct gvs_item *
item_at(const struct gvs_set *s, size_t i)
{
    return &s->items[place_of(s, i)];
}

static void
move(struct gvs_set *s, size_t to, size_t from, size_t count)
{
    if (to != from)
        memmove(&s->items[to], &s->items[from], count * sizeof *s->items);
}

static void
move_gap(struct gvs_set *s, size_t at)
{
    if (at < s->gap)
        move(s, at + s->hole, at, s->gap - at);
    else
        move(s, s->gap, s->gap + s->hole, at - s->gap);
    s->gap = at;
    s->hole = at < s->count ? s->hole : 0;
}

/* Makes it wide enough for so many; there is room. */
static void
widen_gap(struct gvs_set *s, size_t items)
{
    size_t left = s->capacity - s->count, behind = s->count - s->gap;
    size_t wide = left > items + SPARE ? items + SPARE : left;

    if (behind == 0 || s->hole >= items)
        return;
    move(s, s->gap + wide, s->gap + s->hole, behind);
    s->hole = wide;
}

/* --- */

/* Where the first item that is not below `identity` is, or would be. */
static size_t
lower_bound(const struct gvs_set *s, const struct gvs_item *identity)
{
    size_t first = 0, last = s->count;

    if (s->count > 0 && gvs_item_cmp(item_at(s, s->count - 1), identity) < 0)
        return s->count; /* an append, found without a search */
    while (first < last) {
        size_t middle = first + (last - first) / 2;

        if (gvs_item_cmp(item_at(s, middle), identity) < 0)
            first = middle + 1;
        else
            last = middle;
    }
    return first;
}

static bool
is_at(const struct gvs_set *s, size_t at, const struct gvs_item *identity)
{
    return at < s->count && gvs_item_cmp(item_at(s, at), identity) == 0;
}

/* The number of the first item from `at` on that is of another service. */
static size_t
end_of_service(const struct gvs_set *s, size_t at, const struct gvs_svcid *svc)
{
    while (at < s->count && gvs_svcid_cmp(&item_at(s, at)->svc, svc) == 0)
        at++;
    return at;
}

/* The items of numbers [first, last) give way to `count` others, for which there is room. */
static void
splice(struct gvs_set *s, size_t first, size_t last, const struct gvs_item *items, size_t count)
{
    bool append = first == s->count && place_of(s, first) + count <= s->capacity;
    size_t gone = last - first, behind;

    GVS_ASSERT(first <= last && last <= s->count);
    for (size_t i = first; i < last; i++)
        s->services -= item_at(s, i)->kind == GVS_ITEM_SERVICE;
    for (size_t i = 0; i < count; i++)
        s->services += items[i].kind == GVS_ITEM_SERVICE;
    if (gone != count && !append) {
        move_gap(s, first);
        s->count -= gone;
        s->hole += gone;
        widen_gap(s, count);
        behind = s->count - first;
        s->count += count;
        s->gap += count;
        s->hole = behind > 0 ? s->hole - count : 0;
    } else {
        s->count += count - gone;
    }
    for (size_t i = 0; i < count; i++)
        s->items[place_of(s, first + i)] = items[i];
    if (s->hole > 0 && s->gap > 0)
        move_gap(s, end_of_service(s, s->gap, &item_at(s, s->gap - 1)->svc));
}

int
gvs_set_put(struct gvs_set *s, const struct gvs_item *item)
{
    size_t at = lower_bound(s, item);
    bool there = is_at(s, at, item);

    if (!there && s->count == s->capacity)
        return GVS_E_FULL;
    GVS_ASSERT(at == 0 || gvs_item_cmp(item_at(s, at - 1), item) < 0); /* I1 */
    splice(s, at, at + there, item, 1);
    return GVS_OK;
}

int
gvs_set_replace_service(struct gvs_set *s, const struct gvs_svcid *svc, struct gvs_range items)
{
    struct gvs_item head = gvs_item_make_service(svc);
    size_t first = lower_bound(s, &head), last = end_of_service(s, first, svc);
    size_t count = (size_t)(items.end - items.at);

    if (count > s->capacity - (s->count - (last - first)))
        return GVS_E_FULL;
    for (size_t i = 0; i < count; i++) {
        GVS_ASSERT(gvs_svcid_cmp(&items.at[i].svc, svc) == 0);
        GVS_ASSERT(i == 0 || gvs_item_cmp(&items.at[i - 1], &items.at[i]) < 0); /* I1 */
    }
    splice(s, first, last, items.at, count);
    return GVS_OK;
}

bool
gvs_set_del(struct gvs_set *s, const struct gvs_item *identity)
{
    size_t at = lower_bound(s, identity);

    if (!is_at(s, at, identity))
        return false;
    splice(s, at, at + 1, NULL, 0);
    return true;
}

size_t
gvs_set_del_service(struct gvs_set *s, const struct gvs_svcid *svc)
{
    struct gvs_item head = gvs_item_make_service(svc);
    size_t first = lower_bound(s, &head), last = end_of_service(s, first, svc);

    splice(s, first, last, NULL, 0);
    return last - first;
}

void
gvs_set_del_first(struct gvs_set *s, size_t count)
{
    splice(s, 0, count, NULL, 0);
}

void
gvs_set_clear(struct gvs_set *s)
{
    s->count = s->services = s->gap = s->hole = 0;
}

const struct gvs_item *
gvs_set_get(const struct gvs_set *s, const struct gvs_item *identity)
{
    size_t at = lower_bound(s, identity);

    return is_at(s, at, identity) ? item_at(s, at) : NULL;
}

const struct gvs_item *
gvs_set_from(const struct gvs_set *s, const struct gvs_item *least)
{
    size_t at = lower_bound(s, least);

    return at < s->count ? item_at(s, at) : NULL;
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
gvs_set_all(struct gvs_set *s)
{
    move_gap(s, s->count);
    return (struct gvs_range){s->items, s->items + s->count};
}

/* A service is the least item under its id. Its destinations are few: the end is found by walking.
 */
struct gvs_range
gvs_set_service(const struct gvs_set *s, const struct gvs_svcid *svc)
{
    struct gvs_item head = gvs_item_make_service(svc);
    size_t first = lower_bound(s, &head), count = end_of_service(s, first, svc) - first;
    const struct gvs_item *at = &s->items[place_of(s, first)];

    return (struct gvs_range){at, at + count};
}
