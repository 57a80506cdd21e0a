/* core/index.c: linear probing in the order of the ids.
 *
 * Ids are hashes, so they lie evenly over 2^64, and an array of slots read as a number line says
 * at once where an id should be: its *home*, the id times the number of slots over 2^64. That is an
 * interpolation search whose guess is off by a few slots. An id whose home is taken lies next to
 * it, with all others of that crowd, in ascending order (Amble and Knuth, "Ordered hash tables",
 * The Computer Journal 17(2), 1974, with a hash function that is monotone). So one look-up touches
 * one or two cache lines, and a range of ids is one stretch of memory: a B+tree of ids would take
 * four levels of search for the former and the same 12 bytes an id, half empty nodes included.
 *
 * A new id moves what follows up to the next free slot by one. At the end of the array, where
 * nothing is free behind, what precedes moves down instead. A removal closes its gap the same way,
 * as long as a neighbour comes closer to its home by it: no marks are left behind.
 *
 * The array grows by half when four fifths are in use. All ids then change their homes, but not
 * their order: packed together at the end of the new array and dealt out again from its beginning,
 * they never overtake themselves, so that it takes no second array. (Dealing one out uses a slot
 * that is not behind where it came from: one packed at the end has at least as many slots behind it
 * as ids.) That takes 12 ms on the way to a million ids, most of it for new pages, and at most
 * 40 ms, once, on the way to four million.
 */
#include "core/index.h"
#include "core/err.h"

#include <string.h>

#define SLOTS_MIN 64

_Static_assert(sizeof(struct gvs_index_slot) == 12, "nothing is lost between the members");

static uint64_t
id_at(const struct gvs_index *x, size_t at)
{
    return (uint64_t)x->slot[at].high << 32 | x->slot[at].low;
}

/* Which slot an id should be in. The lower half of it would decide between 2^32 slots and more. */
static size_t
home(const struct gvs_index *x, size_t at)
{
    return (size_t)((uint64_t)x->slot[at].high * x->slots >> 32);
}

/* The first slot of this id's crowd whose id is not below; where it belongs if there is none. */
static size_t
place(const struct gvs_index *x, uint64_t id)
{
    size_t at = (size_t)((id >> 32) * x->slots >> 32);

    if (x->slot[at].item != 0 && id_at(x, at) >= id) {
        while (at > 0 && x->slot[at - 1].item != 0 && id_at(x, at - 1) >= id)
            at--;
        return at;
    }
    while (at < x->slots && x->slot[at].item != 0 && id_at(x, at) < id)
        at++;
    return at;
}

static size_t
slots_for(size_t count_max)
{
    size_t slots = count_max + count_max / 4 + 1;

    return slots < SLOTS_MIN ? SLOTS_MIN : slots;
}

size_t
gvs_index_footprint(size_t count_max)
{
    return slots_for(count_max) * sizeof(struct gvs_index_slot);
}

void
gvs_index_init(struct gvs_index *x, void *mem, size_t count_max)
{
    GVS_ASSERT(mem && slots_for(count_max) < UINT32_MAX); /* home() multiplies in 64 bits */
    *x = (struct gvs_index){
        .slot = mem, .slots = SLOTS_MIN, .slots_max = slots_for(count_max), .count_max = count_max};
}

static void
grow(struct gvs_index *x)
{
    size_t slots = x->slots + x->slots / 2, packed, next = 0;

    if (slots > x->slots_max)
        slots = x->slots_max;
    packed = slots;
    for (size_t at = x->slots; at-- > 0;) {
        if (x->slot[at].item != 0)
            x->slot[--packed] = x->slot[at];
    }
    memset(x->slot, 0, packed * sizeof *x->slot);
    x->slots = slots;
    for (size_t at = packed; at < slots; at++) {
        size_t to = home(x, at);

        to = to < next ? next : to;
        to = to < at ? to : at; /* I2 */
        next = to + 1;
        if (to == at)
            continue;
        x->slot[to] = x->slot[at];
        x->slot[at] = (struct gvs_index_slot){0};
    }
}

/* Frees the slot `at`, or the one before it, for an id that belongs in between. */
static size_t
make_room(struct gvs_index *x, size_t at)
{
    size_t gap = at;

    while (gap < x->slots && x->slot[gap].item != 0)
        gap++;
    if (gap < x->slots) {
        memmove(x->slot + at + 1, x->slot + at, (gap - at) * sizeof *x->slot);
        return at;
    }
    for (gap = at - 1; x->slot[gap].item != 0; gap--)
        GVS_ASSERT(gap > 0);
    memmove(x->slot + gap, x->slot + gap + 1, (at - 1 - gap) * sizeof *x->slot);
    return at - 1;
}

void
gvs_index_add(struct gvs_index *x, uint64_t id, uint32_t item)
{
    size_t at;

    GVS_ASSERT(item != 0 && x->count < x->count_max);
    if (x->count >= x->slots / 5 * 4 && x->slots < x->slots_max)
        grow(x);
    at = make_room(x, place(x, id));
    x->slot[at] =
        (struct gvs_index_slot){.high = (uint32_t)(id >> 32), .low = (uint32_t)id, .item = item};
    x->count++;
}

static size_t
find(const struct gvs_index *x, uint64_t id, uint32_t item)
{
    size_t at = place(x, id);

    GVS_ASSERT(at < x->slots);
    while (x->slot[at].item != item) {
        GVS_ASSERT(id_at(x, at) == id && at + 1 < x->slots);
        at++;
    }
    GVS_ASSERT(id_at(x, at) == id);
    return at;
}

void
gvs_index_remove(struct gvs_index *x, uint64_t id, uint32_t item)
{
    size_t gap = find(x, id, item), first = gap;

    GVS_ASSERT(item != 0);
    while (gap + 1 < x->slots && x->slot[gap + 1].item != 0 && home(x, gap + 1) <= gap) {
        x->slot[gap] = x->slot[gap + 1];
        gap++;
    }
    while (gap <= first && gap > 0 && x->slot[gap - 1].item != 0 && home(x, gap - 1) >= gap) {
        x->slot[gap] = x->slot[gap - 1];
        gap--;
    }
    x->slot[gap] = (struct gvs_index_slot){0};
    x->count--;
}

void
gvs_index_set(struct gvs_index *x, uint64_t id, uint32_t item, uint32_t other)
{
    GVS_ASSERT(item != 0 && other != 0);
    x->slot[find(x, id, item)].item = other;
}

size_t
gvs_index_seek(const struct gvs_index *x, uint64_t id)
{
    return place(x, id);
}

uint32_t
gvs_index_next(const struct gvs_index *x, size_t *at, uint64_t *id)
{
    for (; *at < x->slots; (*at)++) {
        uint32_t item = x->slot[*at].item;

        if (item == 0)
            continue;
        *id = id_at(x, (*at)++);
        return item;
    }
    return 0;
}
