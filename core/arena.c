/* core/arena.c: runs of 8-byte granules, joined when they are freed.
 *
 * Below `top` the block is tiled with runs, each in use or free. The number of a string is the
 * first granule of its run; granule 0 is never used, so that 0 can mean none. Every run starts
 * with a head of two bytes:
 *
 *      15     14          13      12 ... 0
 *     +------+-----------+-------+---------------------------------------+
 *     | free | after one | spare | bytes of the string / granules if free|
 *     +------+-----------+-------+---------------------------------------+
 *             that is free
 *
 * A run in use has the string behind its head, and as many granules as that needs, or one more
 * (`spare`): one granule alone is too small to be a free run. A free run, of two granules or more,
 * has its two neighbours in the list of its length at offset 4, and its length once more in its
 * last two bytes, where the run behind it looks when it is freed itself (`after one that is free`).
 * These are Knuth's boundary tags (The Art of Computer Programming, vol. 1, 2.5), which let free
 * neighbours be joined at once, in constant time. 13 bits of length end at 64 kB: longer stretches
 * stay two runs.
 *
 * There is one list for each length that a string can need: the first run that fits exactly is
 * taken, else the smallest that is longer, else one cut from the top. That keeps what a table has
 * once used dense. Entries that change their length all the time leave about a sixth of it free.
 *
 * A string that becomes shorter gives the rest of its run away at once, and one that grows takes
 * it from behind if it still is there. An entry that becomes its tombstone and comes back thus
 * finds its room again, unless somebody else needed it.
 */
#include "core/arena.h"

#include <string.h>

#define HEAD_LEN 2
#define HEAD_FREE 0x8000u
#define HEAD_AFTER_FREE 0x4000u
#define HEAD_SPARE 0x2000u
#define HEAD_LENGTH 0x1fffu
#define FREE_MIN 2u /* granules; heads and links of a free run have 14 bytes */
#define BIN_LONG (GVS_ARENA_RUN_MAX + 1u)

_Static_assert((HEAD_LEN + GVS_ARENA_STRING_MAX + GVS_ARENA_GRANULE - 1) / GVS_ARENA_GRANULE ==
                   GVS_ARENA_RUN_MAX,
               "the longest string fills the longest run");
_Static_assert(GVS_ARENA_STRING_MAX <= HEAD_LENGTH, "a length fits into a head");

struct link {
    uint32_t next, prev; /* 0 is none */
};

/* --- what stands in a run --- */

static uint8_t *
at(const struct gvs_arena *a, uint32_t run)
{
    return a->mem + (size_t)run * GVS_ARENA_GRANULE;
}

static unsigned
head_get(const struct gvs_arena *a, uint32_t run)
{
    uint16_t head;

    memcpy(&head, at(a, run), sizeof head);
    return head;
}

static void
head_put(struct gvs_arena *a, uint32_t run, unsigned head)
{
    uint16_t h = (uint16_t)head;

    memcpy(at(a, run), &h, sizeof h);
}

static struct link
link_get(const struct gvs_arena *a, uint32_t run)
{
    struct link l;

    memcpy(&l, at(a, run) + 4, sizeof l);
    return l;
}

static void
link_put(struct gvs_arena *a, uint32_t run, struct link l)
{
    memcpy(at(a, run) + 4, &l, sizeof l);
}

static uint32_t
granules_for(size_t len)
{
    uint32_t granules = (uint32_t)((HEAD_LEN + len + GVS_ARENA_GRANULE - 1) / GVS_ARENA_GRANULE);

    GVS_ASSERT(len > 0 && len <= GVS_ARENA_STRING_MAX);
    return granules < FREE_MIN ? FREE_MIN : granules; /* it will be a free run one day */
}

/* Of any run, by its head. */
static uint32_t
granules_of(unsigned head)
{
    if (head & HEAD_FREE)
        return head & HEAD_LENGTH;
    return granules_for(head & HEAD_LENGTH) + (head & HEAD_SPARE ? 1 : 0);
}

static bool
is_free(const struct gvs_arena *a, uint32_t run)
{
    return run < a->top && (head_get(a, run) & HEAD_FREE) != 0;
}

/* Tells the run that starts here whether the one before it is free. */
static void
tell(struct gvs_arena *a, uint32_t run, bool after_free)
{
    unsigned head;

    if (run >= a->top)
        return;
    head = head_get(a, run) & ~HEAD_AFTER_FREE;
    head_put(a, run, head | (after_free ? HEAD_AFTER_FREE : 0));
}

/* --- free runs --- */

static uint32_t *
bin_of(struct gvs_arena *a, uint32_t granules)
{
    return &a->bin[granules < BIN_LONG ? granules : BIN_LONG];
}

/* The granules become a free run. What is said of the run before them is kept. */
static void
enlist(struct gvs_arena *a, uint32_t run, uint32_t granules)
{
    uint32_t *bin = bin_of(a, granules);
    uint16_t foot = (uint16_t)granules;

    GVS_ASSERT(granules >= FREE_MIN && granules <= HEAD_LENGTH);
    head_put(a, run, HEAD_FREE | (head_get(a, run) & HEAD_AFTER_FREE) | granules);
    link_put(a, run, (struct link){.next = *bin});
    memcpy(at(a, run + granules) - sizeof foot, &foot, sizeof foot);
    if (*bin != 0) {
        struct link l = link_get(a, *bin);

        l.prev = run;
        link_put(a, *bin, l);
    }
    *bin = run;
    tell(a, run + granules, true);
}

/* The free run leaves its list. Returns its length. */
static uint32_t
delist(struct gvs_arena *a, uint32_t run)
{
    uint32_t granules = granules_of(head_get(a, run));
    struct link l = link_get(a, run);

    GVS_ASSERT(is_free(a, run));
    if (l.next != 0) {
        struct link next = link_get(a, l.next);

        next.prev = l.prev;
        link_put(a, l.next, next);
    }
    if (l.prev != 0) {
        struct link prev = link_get(a, l.prev);

        prev.next = l.next;
        link_put(a, l.prev, prev);
    } else {
        *bin_of(a, granules) = l.next;
    }
    return granules;
}

/* The free run that ends where this one begins, or 0. */
static uint32_t
free_before(const struct gvs_arena *a, uint32_t run)
{
    uint16_t foot;

    if ((head_get(a, run) & HEAD_AFTER_FREE) == 0)
        return 0;
    memcpy(&foot, at(a, run) - sizeof foot, sizeof foot);
    return run - foot;
}

/* Granules that nobody uses any more join what is free on either side. */
static void
give(struct gvs_arena *a, uint32_t run, uint32_t granules)
{
    uint32_t before = free_before(a, run), behind = run + granules;

    if (before != 0 && run - before + granules <= HEAD_LENGTH) {
        granules += delist(a, before);
        run = before;
    }
    if (is_free(a, behind) && granules + granules_of(head_get(a, behind)) <= HEAD_LENGTH)
        granules += delist(a, behind);
    if (run + granules < a->top) {
        enlist(a, run, granules);
        return;
    }
    a->top = run;
    while ((before = free_before(a, a->top)) != 0) {
        delist(a, before);
        a->top = before;
    }
}

/* A free run of at least that many granules, or 0. */
static uint32_t
find_free(const struct gvs_arena *a, uint32_t granules)
{
    for (uint32_t i = granules; i <= BIN_LONG; i++) {
        if (a->bin[i] != 0)
            return a->bin[i];
    }
    return 0;
}

/* Of the `have` granules at `run`, which are in no list, the first `granules` will be used. Sets
 * free what is over; returns HEAD_SPARE if that is too little for a run. */
static unsigned
cut(struct gvs_arena *a, uint32_t run, uint32_t have, uint32_t granules)
{
    uint32_t rest = have - granules;

    GVS_ASSERT(have >= granules);
    if (rest >= FREE_MIN) {
        head_put(a, run + granules, 0);
        give(a, run + granules, rest);
        return 0;
    }
    tell(a, run + have, false);
    return rest > 0 ? HEAD_SPARE : 0;
}

/* --- strings --- */

size_t
gvs_arena_footprint(size_t strings, size_t average)
{
    return (strings * granules_for(average) + GVS_ARENA_RUN_MAX + 1) * GVS_ARENA_GRANULE;
}

void
gvs_arena_init(struct gvs_arena *a, void *mem, size_t len)
{
    GVS_ASSERT(mem && len / GVS_ARENA_GRANULE < UINT32_MAX);
    *a = (struct gvs_arena){.mem = mem, .end = (uint32_t)(len / GVS_ARENA_GRANULE), .top = 1};
}

uint32_t
gvs_arena_put(struct gvs_arena *a, const uint8_t *b, size_t len)
{
    uint32_t granules = granules_for(len), run = find_free(a, granules);
    unsigned head = (unsigned)len;

    if (run != 0) {
        head |= head_get(a, run) & HEAD_AFTER_FREE;
        head |= cut(a, run, delist(a, run), granules);
    } else if (a->end - a->top >= granules) {
        run = a->top;
        a->top += granules;
    } else {
        return 0;
    }
    head_put(a, run, head);
    memcpy(at(a, run) + HEAD_LEN, b, len);
    return run;
}

/* How many granules the run has or could have where it lies. */
static uint32_t
room_at(const struct gvs_arena *a, uint32_t run)
{
    uint32_t have = granules_of(head_get(a, run)), behind = run + have;

    if (behind == a->top)
        return have + (a->end - a->top);
    return have + (is_free(a, behind) ? granules_of(head_get(a, behind)) : 0);
}

/* The run gets at least `granules`, for which there is room. Returns how many it has then. */
static uint32_t
widen(struct gvs_arena *a, uint32_t run, uint32_t granules)
{
    uint32_t have = granules_of(head_get(a, run));

    if (have >= granules)
        return have;
    if (run + have == a->top) {
        a->top = run + granules;
        return granules;
    }
    return have + delist(a, run + have);
}

bool
gvs_arena_fits(const struct gvs_arena *a, uint32_t n, size_t len)
{
    uint32_t granules = granules_for(len);

    GVS_ASSERT(n > 0 && n < a->top);
    return room_at(a, n) >= granules || find_free(a, granules) != 0 || a->end - a->top >= granules;
}

uint32_t
gvs_arena_replace(struct gvs_arena *a, uint32_t n, const uint8_t *b, size_t len)
{
    uint32_t granules = granules_for(len), have;
    unsigned head = head_get(a, n);

    GVS_ASSERT(n > 0 && n < a->top && (head & HEAD_FREE) == 0);
    if (room_at(a, n) < granules) {
        uint32_t other = gvs_arena_put(a, b, len);

        if (other != 0)
            gvs_arena_drop(a, n);
        return other;
    }
    have = widen(a, n, granules);
    head_put(a, n, (head & HEAD_AFTER_FREE) | (unsigned)len | cut(a, n, have, granules));
    memcpy(at(a, n) + HEAD_LEN, b, len);
    return n;
}

void
gvs_arena_drop(struct gvs_arena *a, uint32_t n)
{
    unsigned head = head_get(a, n);

    GVS_ASSERT(n > 0 && n < a->top && (head & HEAD_FREE) == 0);
    give(a, n, granules_of(head));
}

size_t
gvs_arena_len(const struct gvs_arena *a, uint32_t n)
{
    GVS_ASSERT(n > 0 && n < a->top);
    return head_get(a, n) & HEAD_LENGTH;
}

uint32_t
gvs_arena_next(const struct gvs_arena *a, uint32_t n)
{
    n = n == 0 ? 1 : n + granules_of(head_get(a, n));
    while (is_free(a, n))
        n += granules_of(head_get(a, n));
    return n < a->top ? n : 0;
}
