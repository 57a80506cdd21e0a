/* core/sketch.c: a rateless invertible Bloom look-up table.
 *
 * Lei Yang, Yossi Gilad, Mohammad Alizadeh, "Practical Rateless Set Reconciliation", SIGCOMM 2024
 * (arXiv 2402.02668). The set is written as an endless row of cells, of which we keep the first.
 * Every id goes into cell 0, into cell i with probability 1 / (1 + i/2), into which ones the id
 * itself decides. A cell sums up its ids: so the cells of two sets subtract, what both have
 * cancels out, and what is left are the cells of the symmetric difference, counted +1 for theirs
 * and -1 for ours. A cell with one id left, a *pure* one, names it; taken out of its other cells,
 * that id makes others pure, and so on until all cells are empty. The density is such that 1.35
 * to 1.8 cells a difference suffice, at every length of the row: hence nobody has to guess the
 * number of differences beforehand.
 *
 * The next cell after i (section 4.2 there, alpha = 0.5) is, with r uniform in [0, 1),
 *
 *     i + ceil((1.5 + i) * (1/sqrt(1 - r) - 1)).
 *
 * All machines must agree on it, so there must be no rounding in it. The greater of two uniform
 * numbers a and b is distributed like the square root of one: P(max <= x) = x^2 = P(sqrt(u) <= x).
 * So max(a, b) takes the place of sqrt(1 - r). With 32-bit integers a and b and M = max(a, b), the
 * step is ceil((2i + 3) * (2^32 - M) / 2M), in integers, exactly. Both numbers come from one step
 * of splitmix64 (Steele, Lea, Flood, 2014) that the id seeds. M is made odd, hence never 0.
 *
 * Cells add mod 2^64 instead of the paper's XOR. Cell 0 then holds the table's fingerprint, the
 * sum of all ids; and an id that two entries share, or that somebody claims to have twice, counts
 * twice instead of vanishing. The price is the sign: an id of ours is left as its negative.
 *
 * `check` is a hash of the id, unrelated to the generator above. A cell of several ids whose count
 * says 1 (mod 256) passes it once in 2^32 times; what passes is also asked whether this cell is
 * one of its own. An error that slips through leaves cells that never empty, so that nothing is
 * told (I2).
 *
 * A difference is computed in place. Each cell starts as minus our own, is owed theirs until it is
 * taken, and has found ids subtracted whether it was taken or not, as sums do not mind the order:
 * so cells that come later need no second walk over what is known. The cells to look at hang in a
 * list through the cells themselves. A found id is written into the pure cell that named it, which
 * is empty from then on: that is all the memory there is, and what bounds the time, since no cell
 * names two (I3). Should a cell that was pure be hit by another id, the cells were no set's.
 */
#include "core/sketch.h"
#include "core/bytes.h"
#include "core/err.h"

#include <string.h>

struct cell {
    uint64_t sum;
    uint32_t check;
    uint8_t count;  /* mod 256 */
    uint8_t found;  /* differences: enum gvs_sketch_side; `sum` is the id then */
    uint16_t after; /* differences: the next to look at, plus one; LAST at the end, 0 for none */
};

#define LAST UINT16_MAX

_Static_assert(sizeof(struct cell) == 16, "nothing is lost between the members");
_Static_assert(GVS_SKETCH_CELLS_MAX < LAST, "a cell's number plus one fits");

struct gvs_sketch {
    size_t cells;
    struct cell cell[];
};

struct gvs_sketch_diff {
    size_t cells, taken;
    bool broken;   /* the cells were no set's */
    bool decided;  /* all cells taken are explained */
    uint16_t look; /* the first cell to look at, as in `after` */
    struct cell cell[];
};

/* --- where an id goes --- */

struct walk { /* start with {id} */
    uint64_t state;
    uint64_t at; /* the cell */
};

/* splitmix64's output function; two multiplications spread every bit over all. */
static uint64_t
mix(uint64_t z)
{
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* To the next cell. at < 2^30, so that the product fits; the caller stops long before. */
static void
walk_on(struct walk *w)
{
    uint64_t z = mix(w->state += UINT64_C(0x9e3779b97f4a7c15));
    uint64_t a = z >> 32, b = z & UINT32_MAX, max = (a > b ? a : b) | 1;
    uint64_t rise = (2 * w->at + 3) * ((UINT64_C(1) << 32) - max);

    w->at += (rise + 2 * max - 1) / (2 * max);
}

/* Its multiplier is Murmur3's: the check must not repeat what decides the cells. */
static uint32_t
check_of(uint64_t id)
{
    id ^= id >> 32;
    id *= UINT64_C(0xff51afd7ed558ccd);
    id ^= id >> 29;
    id *= UINT64_C(0xc4ceb9fe1a85ec53);
    return (uint32_t)(id >> 32);
}

/* --- a set --- */

size_t
gvs_sketch_footprint(size_t cells)
{
    GVS_ASSERT(cells > 0 && cells <= GVS_SKETCH_CELLS_MAX);
    return sizeof(struct gvs_sketch) + cells * sizeof(struct cell);
}

struct gvs_sketch *
gvs_sketch_init(void *mem, size_t cells)
{
    struct gvs_sketch *s = mem;

    GVS_ASSERT(mem && cells > 0 && cells <= GVS_SKETCH_CELLS_MAX);
    s->cells = cells;
    return s;
}

size_t
gvs_sketch_cells(const struct gvs_sketch *s)
{
    return s->cells;
}

void
gvs_sketch_add(struct gvs_sketch *s, uint64_t id)
{
    uint32_t check = check_of(id);

    for (struct walk w = {.state = id}; w.at < s->cells; walk_on(&w)) {
        struct cell *c = &s->cell[w.at];

        c->sum += id;
        c->check += check;
        c->count++;
    }
}

void
gvs_sketch_remove(struct gvs_sketch *s, uint64_t id)
{
    uint32_t check = check_of(id);

    for (struct walk w = {.state = id}; w.at < s->cells; walk_on(&w)) {
        struct cell *c = &s->cell[w.at];

        c->sum -= id;
        c->check -= check;
        c->count--;
    }
}

void
gvs_sketch_write(const struct gvs_sketch *s, size_t first, size_t count, uint8_t *out)
{
    GVS_ASSERT(first <= s->cells && count <= s->cells - first);
    for (const struct cell *c = s->cell + first; count > 0; c++, count--) {
        gvs_put64(out, c->sum);
        gvs_put32(out + 8, c->check);
        out[12] = c->count;
        out += GVS_SKETCH_CELL_LEN;
    }
}

/* --- a difference --- */

size_t
gvs_sketch_diff_footprint(size_t cells)
{
    GVS_ASSERT(cells > 0 && cells <= GVS_SKETCH_CELLS_MAX);
    return sizeof(struct gvs_sketch_diff) + cells * sizeof(struct cell);
}

struct gvs_sketch_diff *
gvs_sketch_diff_init(void *mem, const struct gvs_sketch *ours)
{
    struct gvs_sketch_diff *d = mem;

    GVS_ASSERT(mem);
    *d = (struct gvs_sketch_diff){.cells = ours->cells, .look = LAST};
    for (size_t i = 0; i < d->cells; i++) {
        const struct cell *c = &ours->cell[i];

        d->cell[i] = (struct cell){
            .sum = 0 - c->sum, .check = 0 - c->check, .count = (uint8_t)(0 - c->count)};
    }
    return d;
}

/* The one id that a cell seems to hold, and whose. */
static enum gvs_sketch_side
pure(const struct cell *c, uint64_t *id)
{
    enum gvs_sketch_side side = c->count == 1 ? GVS_SKETCH_THEIRS : GVS_SKETCH_OURS;

    if (c->found || (c->count != 1 && c->count != UINT8_MAX))
        return GVS_SKETCH_NEITHER;
    *id = side == GVS_SKETCH_THEIRS ? c->sum : 0 - c->sum;
    if (check_of(*id) != (side == GVS_SKETCH_THEIRS ? c->check : 0 - c->check))
        return GVS_SKETCH_NEITHER;
    return side;
}

static bool
goes_to(uint64_t id, size_t at)
{
    struct walk w = {.state = id};

    while (w.at < at)
        walk_on(&w);
    return w.at == at;
}

/* A cell has changed: it is to be looked at if it may be pure, once. */
static void
mark(struct gvs_sketch_diff *d, size_t at)
{
    struct cell *c = &d->cell[at];

    if (at >= d->taken || c->after != 0 || (c->count != 1 && c->count != UINT8_MAX))
        return;
    c->after = d->look;
    d->look = (uint16_t)(at + 1);
}

/* Takes a found id out of all its cells, those that are yet to come too. */
static void
take_out(struct gvs_sketch_diff *d, uint64_t id, enum gvs_sketch_side side)
{
    bool theirs = side == GVS_SKETCH_THEIRS;
    uint64_t sum = theirs ? id : 0 - id;
    uint32_t check = theirs ? check_of(id) : 0 - check_of(id);

    for (struct walk w = {.state = id}; w.at < d->cells; walk_on(&w)) {
        struct cell *c = &d->cell[w.at];

        if (c->found) {
            d->broken = true;
            return;
        }
        c->sum -= sum;
        c->check -= check;
        c->count = (uint8_t)(c->count - (theirs ? 1 : UINT8_MAX));
        mark(d, w.at);
    }
}

static void
peel(struct gvs_sketch_diff *d)
{
    while (d->look != LAST && !d->broken) {
        size_t at = d->look - 1u;
        struct cell *c = &d->cell[at];
        enum gvs_sketch_side side;
        uint64_t id;

        d->look = c->after;
        c->after = 0;
        side = pure(c, &id);
        if (side == GVS_SKETCH_NEITHER || !goes_to(id, at))
            continue;
        take_out(d, id, side);
        c->sum = id;
        c->found = (uint8_t)side;
    }
}

/* Are all cells taken empty, but for the ids found in them? Cell 0 has all ids: most often it says
 * no at once. */
static bool
explained(const struct gvs_sketch_diff *d)
{
    for (size_t i = 0; i < d->taken; i++) {
        const struct cell *c = &d->cell[i];

        if (!c->found && (c->sum != 0 || c->check != 0 || c->count != 0))
            return false;
    }
    return d->taken > 0 && !d->broken;
}

bool
gvs_sketch_diff_take(struct gvs_sketch_diff *d, const uint8_t *cells, size_t count)
{
    for (; count > 0 && d->taken < d->cells; count--) {
        struct cell *c = &d->cell[d->taken++];

        GVS_ASSERT(!c->found); /* no cell is pure before it is taken */
        c->sum += gvs_get64(cells);
        c->check += gvs_get32(cells + 8);
        c->count = (uint8_t)(c->count + cells[12]);
        mark(d, d->taken - 1);
        cells += GVS_SKETCH_CELL_LEN;
    }
    peel(d);
    d->decided = explained(d);
    return d->decided;
}

size_t
gvs_sketch_diff_taken(const struct gvs_sketch_diff *d)
{
    return d->taken;
}

enum gvs_sketch_side
gvs_sketch_diff_next(const struct gvs_sketch_diff *d, size_t *at, uint64_t *id)
{
    while (d->decided && *at < d->taken) {
        const struct cell *c = &d->cell[(*at)++];

        if (!c->found)
            continue;
        *id = c->sum;
        return (enum gvs_sketch_side)c->found;
    }
    return GVS_SKETCH_NEITHER;
}
