#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/bytes.h"
#include "core/sketch.h"
#include "test/lib/prng.h"

#define CELLS GVS_SKETCH_CELLS_MAX
#define DATAGRAM 88 /* cells */

static struct gvs_sketch *
sketch_new(size_t cells)
{
    void *mem = calloc(1, gvs_sketch_footprint(cells));

    assert_non_null(mem);
    return gvs_sketch_init(mem, cells);
}

static uint8_t *
written(const struct gvs_sketch *s)
{
    size_t cells = gvs_sketch_cells(s);
    uint8_t *b = malloc(cells * GVS_SKETCH_CELL_LEN);

    assert_non_null(b);
    gvs_sketch_write(s, 0, cells, b);
    return b;
}

/* --- where ids go --- */

/* The cells of a lone id, first to last. */
static size_t
cells_of(uint64_t id, size_t cells, size_t *out)
{
    struct gvs_sketch *s = sketch_new(cells);
    uint8_t *b;
    size_t count = 0;

    gvs_sketch_add(s, id);
    b = written(s);
    for (size_t i = 0; i < cells; i++) {
        if (b[i * GVS_SKETCH_CELL_LEN + 12] != 0)
            out[count++] = i;
    }
    free(b);
    free(s);
    return count;
}

/* Every machine, and every version, has to find the same cells. These are another program's, which
 * computed the formula of core/sketch.c in fractions. */
static void
test_the_cells_of_an_id_are_fixed(void **state)
{
    static const struct {
        uint64_t id;
        size_t count;
        size_t cells[18];
    } rows[] = {
        {0, 11, {0, 1, 3, 8, 9, 32, 73, 427, 545, 2126, 2234}},
        {1, 15, {0, 2, 4, 5, 6, 8, 11, 13, 27, 99, 126, 314, 520, 1145, 2025}},
        {UINT64_MAX,
         18,
         {0, 1, 2, 4, 6, 10, 13, 14, 23, 31, 66, 567, 689, 849, 982, 1411, 2090, 4035}},
        {UINT64_C(0x0123456789abcdef), 12, {0, 1, 2, 5, 9, 130, 797, 1104, 2062, 2116, 2663, 3315}},
    };
    size_t got[CELLS];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(cells_of(rows[i].id, CELLS, got), rows[i].count);
        for (size_t k = 0; k < rows[i].count; k++)
            assert_int_equal(got[k], rows[i].cells[k]);
    }
}

/* The density that the paper asks for: cell i has an id with probability 1 / (1 + i/2). */
static void
test_density_falls_as_the_paper_says(void **state)
{
    enum { IDS = 20000 };
    static const size_t places[] = {0, 1, 2, 5, 10, 30, 100, 300, 1000, 4000};
    struct gvs_sketch *s = sketch_new(CELLS);
    struct gvs_prng p = gvs_prng_init(3);
    size_t *hits = calloc(CELLS, sizeof *hits), *got = malloc(CELLS * sizeof *got);

    (void)state;
    for (int i = 0; i < IDS; i++) {
        size_t count = cells_of(gvs_prng_next(&p), CELLS, got);

        assert_int_equal(got[0], 0);
        for (size_t k = 0; k < count; k++)
            hits[got[k]]++;
    }
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        size_t at = places[i], width = at / 8 + 1 < CELLS - at ? at / 8 + 1 : CELLS - at, sum = 0;
        double want = 0;

        for (size_t k = at; k < at + width; k++) {
            sum += hits[k];
            want += IDS / (1 + (double)k / 2);
        }
        assert_true((double)sum > want * 0.9 && (double)sum < want * 1.1);
    }
    free(hits);
    free(got);
    free(s);
}

/* --- sets --- */

/* Naive: every cell is the sum over the ids that go there, found one id at a time. */
static void
test_a_sketch_is_the_sum_over_its_set(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 50); seed++) {
        struct gvs_prng p = gvs_prng_init(seed);
        size_t cells = 1 + gvs_prng_below(&p, 200), held = 0, at[CELLS];
        struct gvs_sketch *s = sketch_new(cells);
        uint64_t sum[200] = {0}, ids[300];
        uint8_t count[200] = {0}, *b;

        for (int step = 0; step < 300; step++) {
            if (held > 0 && gvs_prng_chance(&p, 2, 5)) {
                size_t i = gvs_prng_below(&p, (uint32_t)held);

                gvs_sketch_remove(s, ids[i]);
                ids[i] = ids[--held];
                continue;
            }
            ids[held] = gvs_prng_chance(&p, 1, 9) ? 7 : gvs_prng_next(&p); /* some twice */
            gvs_sketch_add(s, ids[held++]);
        }
        for (size_t i = 0; i < held; i++) {
            size_t n = cells_of(ids[i], cells, at);

            for (size_t k = 0; k < n; k++) {
                sum[at[k]] += ids[i];
                count[at[k]]++;
            }
        }
        b = written(s);
        for (size_t i = 0; i < cells; i++) {
            assert_int_equal(gvs_get64(b + i * GVS_SKETCH_CELL_LEN), sum[i]);
            assert_int_equal(b[i * GVS_SKETCH_CELL_LEN + 12], count[i]);
        }
        while (held > 0) /* nothing is left of what has gone */
            gvs_sketch_remove(s, ids[--held]);
        gvs_sketch_write(s, 0, cells, b);
        for (size_t i = 0; i < cells * GVS_SKETCH_CELL_LEN; i++)
            assert_int_equal(b[i], 0);
        free(b);
        free(s);
    }
}

static void
test_pieces_are_written_as_the_whole(void **state)
{
    struct gvs_sketch *s = sketch_new(100);
    uint8_t *whole, piece[100 * GVS_SKETCH_CELL_LEN];

    (void)state;
    for (uint64_t i = 1; i < 50; i++)
        gvs_sketch_add(s, i * UINT64_C(0x9e3779b97f4a7c15));
    whole = written(s);
    for (size_t first = 0; first <= 100; first += 7) {
        size_t count = 100 - first < 20 ? 100 - first : 20;

        gvs_sketch_write(s, first, count, piece);
        assert_memory_equal(piece, whole + first * GVS_SKETCH_CELL_LEN,
                            count * GVS_SKETCH_CELL_LEN);
    }
    free(whole);
    free(s);
}

/* --- differences --- */

struct pair {
    struct gvs_sketch *ours, *theirs;
    uint64_t *id;  /* those that differ */
    bool *is_ours; /* likewise */
    size_t count, cells;
    uint8_t *wire;
    struct gvs_sketch_diff *diff;
};

/* Both have `common` ids; of the `differ` others, `ours_of_16` out of 16 are ours. */
static void
pair_open(struct pair *pr, struct gvs_prng *p, size_t cells, size_t common, size_t differ,
          uint32_t ours_of_16)
{
    *pr = (struct pair){.count = differ, .cells = cells};
    pr->ours = sketch_new(cells);
    pr->theirs = sketch_new(cells);
    pr->id = calloc(differ + 1, sizeof *pr->id);
    pr->is_ours = calloc(differ + 1, sizeof *pr->is_ours);
    for (size_t i = 0; i < common; i++) {
        uint64_t id = gvs_prng_next(p);

        gvs_sketch_add(pr->ours, id);
        gvs_sketch_add(pr->theirs, id);
    }
    for (size_t i = 0; i < differ; i++) {
        pr->id[i] = gvs_prng_next(p);
        pr->is_ours[i] = gvs_prng_chance(p, ours_of_16, 16);
        gvs_sketch_add(pr->is_ours[i] ? pr->ours : pr->theirs, pr->id[i]);
    }
    pr->wire = written(pr->theirs);
    pr->diff = gvs_sketch_diff_init(malloc(gvs_sketch_diff_footprint(cells)), pr->ours);
}

static void
pair_close(struct pair *pr)
{
    free(pr->ours);
    free(pr->theirs);
    free(pr->id);
    free(pr->is_ours);
    free(pr->wire);
    free(pr->diff);
}

/* Feeds pieces until decided; returns the cells used, or 0 if never. */
static size_t
pair_decide(struct pair *pr, size_t piece)
{
    bool decided = false;

    while (!decided && gvs_sketch_diff_taken(pr->diff) < pr->cells) {
        size_t at = gvs_sketch_diff_taken(pr->diff), left = pr->cells - at;

        decided = gvs_sketch_diff_take(pr->diff, pr->wire + at * GVS_SKETCH_CELL_LEN,
                                       piece < left ? piece : left);
    }
    return decided ? gvs_sketch_diff_taken(pr->diff) : 0;
}

struct side_id {
    uint64_t id;
    bool ours;
};

static int
by_id(const void *a, const void *b)
{
    const struct side_id *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

/* Named are exactly those that differ, each once, on its side. */
static void
pair_check(const struct pair *pr)
{
    struct side_id *want = calloc(pr->count + 1, sizeof *want);
    struct side_id *got = calloc(pr->count + 1, sizeof *got);
    enum gvs_sketch_side side;
    size_t at = 0, count = 0;
    uint64_t id;

    while ((side = gvs_sketch_diff_next(pr->diff, &at, &id)) != GVS_SKETCH_NEITHER) {
        assert_true(count < pr->count);
        got[count++] = (struct side_id){id, side == GVS_SKETCH_OURS};
    }
    assert_int_equal(count, pr->count);
    for (size_t i = 0; i < count; i++)
        want[i] = (struct side_id){pr->id[i], pr->is_ours[i]};
    qsort(want, count, sizeof *want, by_id);
    qsort(got, count, sizeof *got, by_id);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(got[i].id, want[i].id);
        assert_int_equal(got[i].ours, want[i].ours);
    }
    free(want);
    free(got);
}

static void
check_undecided(const struct gvs_sketch_diff *d)
{
    size_t at = 0;
    uint64_t id;

    assert_int_equal(gvs_sketch_diff_next(d, &at, &id), GVS_SKETCH_NEITHER);
}

static void
test_a_difference_is_named_exactly(void **state)
{
    static const size_t counts[] = {0, 1, 2, 3, 10, 40, 100, 400};

    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 60); seed++) {
        struct gvs_prng p = gvs_prng_init(seed);

        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            uint32_t ours_of_16 = (uint32_t)(seed * 8 % 24); /* none, half, all of them */
            size_t piece = gvs_prng_chance(&p, 1, 3) ? 1 + gvs_prng_below(&p, 9) : DATAGRAM;
            struct pair pr;

            pair_open(&pr, &p, 1024, gvs_prng_below(&p, 2000), counts[i], ours_of_16);
            assert_true(pair_decide(&pr, piece) > 0);
            pair_check(&pr);
            pair_close(&pr);
        }
    }
}

/* What is measured in the paper and by a prototype: cells a difference, cell by cell. */
static void
test_cells_needed(void **state)
{
    static const struct {
        size_t differ;
        double mean; /* at most */
        size_t runs;
    } rows[] = {
        {1, 1.0, 100},  {10, 2.0, 100},  {40, 1.75, 50},  {100, 1.6, 40},
        {300, 1.6, 20}, {1000, 1.5, 10}, {2000, 1.45, 6}, {2900, 1.45, 4},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (uint32_t ours = 0; ours <= 16; ours += 8) {
            struct gvs_prng p = gvs_prng_init(100 * i + ours);
            double sum = 0;

            for (size_t run = 0; run < rows[i].runs; run++) {
                struct pair pr;
                size_t used;

                pair_open(&pr, &p, CELLS, 500, rows[i].differ, ours);
                used = pair_decide(&pr, rows[i].differ < 300 ? 1 : 10);
                assert_true(used > 0);
                pair_check(&pr);
                sum += (double)used;
                pair_close(&pr);
            }
            sum /= (double)(rows[i].runs * rows[i].differ);
            print_message("%zu differences, %u of 16 ours: %.3f cells each\n", rows[i].differ, ours,
                          sum);
            assert_true(sum <= rows[i].mean);
        }
    }
}

/* One datagram settles 40 differences nearly always, whatever the tables' size. */
static void
test_a_datagram_settles_forty(void **state)
{
    uint64_t runs = test_seed_end(300) - test_seed_first(), settled = 0;

    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 300); seed++) {
        struct gvs_prng p = gvs_prng_init(seed);
        struct pair pr;

        pair_open(&pr, &p, DATAGRAM, 100, 40, 8);
        settled += pair_decide(&pr, DATAGRAM) > 0;
        pair_close(&pr);
    }
    assert_true(runs < 100 || settled * 100 >= runs * 97);
}

/* Undecided tells nothing; the same difference goes on with more cells, and once decided it stays
 * so with all that follow. */
static void
test_undecided_goes_on(void **state)
{
    struct gvs_prng p = gvs_prng_init(5);
    struct pair pr;

    (void)state;
    pair_open(&pr, &p, CELLS, 1000, 600, 8);
    assert_false(gvs_sketch_diff_take(pr.diff, pr.wire, 500));
    check_undecided(pr.diff);
    assert_int_equal(gvs_sketch_diff_taken(pr.diff), 500);
    assert_true(gvs_sketch_diff_take(pr.diff, pr.wire + 500 * GVS_SKETCH_CELL_LEN, 500));
    pair_check(&pr);
    assert_true(gvs_sketch_diff_take(pr.diff, pr.wire + 1000 * GVS_SKETCH_CELL_LEN, CELLS - 1000));
    pair_check(&pr);
    pair_close(&pr);
}

static void
test_too_many_differences_stay_undecided(void **state)
{
    struct gvs_prng p = gvs_prng_init(6);
    struct pair pr;
    uint8_t extra[GVS_SKETCH_CELL_LEN] = {0};

    (void)state;
    pair_open(&pr, &p, 64, 10, 200, 8);
    assert_int_equal(pair_decide(&pr, DATAGRAM), 0);
    assert_int_equal(gvs_sketch_diff_taken(pr.diff), 64);
    assert_false(gvs_sketch_diff_take(pr.diff, extra, 1)); /* beyond the last: not taken */
    assert_int_equal(gvs_sketch_diff_taken(pr.diff), 64);
    check_undecided(pr.diff);
    pair_close(&pr);
}

/* The table of one node is larger than that of the other: so is its sketch. */
static void
test_sketches_of_two_sizes_compare(void **state)
{
    struct gvs_prng p = gvs_prng_init(8);
    struct gvs_sketch *small = sketch_new(64), *large = sketch_new(1024);
    struct gvs_sketch_diff *d = malloc(gvs_sketch_diff_footprint(1024));
    uint8_t *few, *many;
    size_t at = 0;
    uint64_t id;

    (void)state;
    assert_non_null(d);
    for (int i = 0; i < 500; i++) {
        id = gvs_prng_next(&p);
        gvs_sketch_add(small, id);
        gvs_sketch_add(large, id);
    }
    gvs_sketch_add(large, 99);
    few = written(small);
    many = written(large);
    assert_true(gvs_sketch_diff_take(gvs_sketch_diff_init(d, large), few, 64));
    assert_int_equal(gvs_sketch_diff_next(d, &at, &id), GVS_SKETCH_OURS);
    assert_int_equal(id, 99);
    assert_true(gvs_sketch_diff_take(gvs_sketch_diff_init(d, small), many, 1024));
    assert_int_equal(gvs_sketch_diff_taken(d), 64);
    at = 0;
    assert_int_equal(gvs_sketch_diff_next(d, &at, &id), GVS_SKETCH_THEIRS);
    assert_int_equal(gvs_sketch_diff_next(d, &at, &id), GVS_SKETCH_NEITHER);
    free(d);
    free(few);
    free(many);
    free(small);
    free(large);
}

/* Two entries of one id: sums are linear, one more is one difference, two more are none that could
 * be told. */
static void
test_an_id_that_is_there_twice(void **state)
{
    static const struct {
        const char *why;
        unsigned ours, theirs;
        size_t named;
        bool decided;
    } rows[] = {
        {"the same number of times is no difference", 2, 2, 0, true},
        {"once more is one difference", 1, 2, 1, true},
        {"and so it is on the other side", 3, 2, 1, true},
        {"twice more is undecided, not nothing", 0, 2, 0, false},
        {"256 times more is undecided: counts are mod 256, sums are not", 0, 256, 0, false},
        {"257 times more is not taken for once", 0, 257, 0, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gvs_sketch *ours = sketch_new(DATAGRAM), *theirs = sketch_new(DATAGRAM);
        struct gvs_sketch_diff *d = malloc(gvs_sketch_diff_footprint(DATAGRAM));
        uint8_t *b;
        size_t at = 0, named = 0;
        uint64_t id;

        print_message("%s\n", rows[i].why);
        assert_non_null(d);
        for (unsigned n = 0; n < rows[i].ours; n++)
            gvs_sketch_add(ours, 0x1234);
        for (unsigned n = 0; n < rows[i].theirs; n++)
            gvs_sketch_add(theirs, 0x1234);
        b = written(theirs);
        assert_int_equal(gvs_sketch_diff_take(gvs_sketch_diff_init(d, ours), b, DATAGRAM),
                         rows[i].decided);
        while (gvs_sketch_diff_next(d, &at, &id) != GVS_SKETCH_NEITHER)
            named += id == 0x1234;
        assert_int_equal(named, rows[i].named);
        free(b);
        free(d);
        free(ours);
        free(theirs);
    }
}

/* --- bytes that somebody made up --- */

/* I2: what is decided accounts for every cell taken, whoever wrote them. */
static void
check_accounted(const struct gvs_sketch_diff *d, const struct gvs_sketch *ours, const uint8_t *wire)
{
    size_t cells = gvs_sketch_cells(ours), at = 0, taken = gvs_sketch_diff_taken(d);
    struct gvs_sketch *sum = calloc(1, gvs_sketch_footprint(cells));
    enum gvs_sketch_side side;
    uint64_t id;
    uint8_t *b;

    assert_non_null(sum);
    memcpy(sum, ours, gvs_sketch_footprint(cells));
    while ((side = gvs_sketch_diff_next(d, &at, &id)) != GVS_SKETCH_NEITHER) {
        if (side == GVS_SKETCH_THEIRS)
            gvs_sketch_add(sum, id);
        else
            gvs_sketch_remove(sum, id);
    }
    b = written(sum);
    assert_memory_equal(b, wire, taken * GVS_SKETCH_CELL_LEN);
    free(b);
    free(sum);
}

/* A cell with one id that looks right in itself, whether it belongs there or not. */
static void
forge_pure(struct gvs_prng *p, uint8_t *cell, const struct gvs_sketch *ours, size_t at)
{
    struct gvs_sketch *one = sketch_new(1);
    uint8_t own[GVS_SKETCH_CELL_LEN], b[GVS_SKETCH_CELL_LEN];
    bool minus = gvs_prng_chance(p, 1, 2);

    if (minus)
        gvs_sketch_remove(one, gvs_prng_below(p, 30));
    else
        gvs_sketch_add(one, gvs_prng_below(p, 30));
    gvs_sketch_write(one, 0, 1, b);
    gvs_sketch_write(ours, at, 1, own);
    gvs_put64(cell, gvs_get64(own) + gvs_get64(b));
    gvs_put32(cell + 8, gvs_get32(own + 8) + gvs_get32(b + 8));
    cell[12] = (uint8_t)(own[12] + b[12]);
    free(one);
}

static void
forge(struct gvs_prng *p, uint8_t *wire, const struct gvs_sketch *ours)
{
    size_t cells = gvs_sketch_cells(ours);
    uint32_t how = gvs_prng_below(p, 4);

    for (size_t i = 0; i < cells; i++) {
        uint8_t *cell = wire + i * GVS_SKETCH_CELL_LEN;

        if (how == 0) /* noise */
            gvs_prng_fill(p, cell, GVS_SKETCH_CELL_LEN);
        else if (how == 1 && gvs_prng_chance(p, 1, 20)) /* a flipped bit here and there */
            cell[gvs_prng_below(p, GVS_SKETCH_CELL_LEN)] ^= (uint8_t)(1u << gvs_prng_below(p, 8));
        else if (how == 2 && gvs_prng_chance(p, 1, 4))
            forge_pure(p, cell, ours, i);
        else if (how == 3) /* small numbers, counts around 0 */
            cell[gvs_prng_below(p, GVS_SKETCH_CELL_LEN)] = (uint8_t)(gvs_prng_below(p, 3) - 1u);
    }
}

static void
test_no_bytes_do_harm(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 4000); seed++) {
        struct gvs_prng p = gvs_prng_init(seed);
        size_t cells = 1 + gvs_prng_below(&p, 120);
        struct pair pr;
        size_t used;

        pair_open(&pr, &p, cells, 20, gvs_prng_below(&p, 60), 8);
        forge(&p, pr.wire, pr.ours);
        used = pair_decide(&pr, 1 + gvs_prng_below(&p, 50));
        assert_true(used <= cells);
        if (used > 0)
            check_accounted(pr.diff, pr.ours, pr.wire);
        else
            check_undecided(pr.diff);
        pair_close(&pr);
    }
}

/* The largest sketch, all of it pure by itself: the longest that anybody can make us work. */
static void
test_the_most_work_is_bounded(void **state)
{
    struct gvs_prng p = gvs_prng_init(9);
    struct pair pr;

    (void)state;
    pair_open(&pr, &p, CELLS, 0, 0, 8);
    for (size_t i = 0; i < CELLS; i++)
        forge_pure(&p, pr.wire + i * GVS_SKETCH_CELL_LEN, pr.ours, i);
    assert_int_equal(pair_decide(&pr, DATAGRAM), 0);
    pair_close(&pr);
}

/* A lie in any one cell, in any part of it, is not believed. */
static void
test_one_wrong_bit_spoils_all(void **state)
{
    struct gvs_prng p = gvs_prng_init(10);
    struct pair pr;

    (void)state;
    pair_open(&pr, &p, DATAGRAM, 50, 20, 8);
    for (size_t bit = 0; bit < DATAGRAM * GVS_SKETCH_CELL_LEN * 8; bit++) {
        pr.wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
        gvs_sketch_diff_init(pr.diff, pr.ours);
        assert_false(gvs_sketch_diff_take(pr.diff, pr.wire, DATAGRAM));
        check_undecided(pr.diff);
        pr.wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    gvs_sketch_diff_init(pr.diff, pr.ours); /* the block serves again */
    assert_true(gvs_sketch_diff_take(pr.diff, pr.wire, DATAGRAM));
    pair_check(&pr);
    pair_close(&pr);
}

/* A cell says, all by itself and with the right check, that it holds an id which never goes there.
 */
static void
test_an_id_in_a_foreign_cell_is_not_named(void **state)
{
    uint8_t wire[2 * GVS_SKETCH_CELL_LEN] = {0};
    struct gvs_sketch *ours = sketch_new(2), *one = sketch_new(1);
    struct gvs_sketch_diff *d = malloc(gvs_sketch_diff_footprint(2));
    size_t at[2];
    uint64_t id = 1;

    (void)state;
    assert_non_null(d);
    while (cells_of(id, 2, at) == 2)
        id++;
    gvs_sketch_add(one, id);
    gvs_sketch_write(one, 0, 1, wire + GVS_SKETCH_CELL_LEN); /* into cell 1 */
    assert_false(gvs_sketch_diff_take(gvs_sketch_diff_init(d, ours), wire, 2));
    check_undecided(d);
    free(ours);
    free(one);
    free(d);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_cells_of_an_id_are_fixed),
        cmocka_unit_test(test_density_falls_as_the_paper_says),
        cmocka_unit_test_teardown(test_a_sketch_is_the_sum_over_its_set, test_seed_teardown),
        cmocka_unit_test(test_pieces_are_written_as_the_whole),
        cmocka_unit_test_teardown(test_a_difference_is_named_exactly, test_seed_teardown),
        cmocka_unit_test(test_cells_needed),
        cmocka_unit_test_teardown(test_a_datagram_settles_forty, test_seed_teardown),
        cmocka_unit_test(test_undecided_goes_on),
        cmocka_unit_test(test_too_many_differences_stay_undecided),
        cmocka_unit_test(test_sketches_of_two_sizes_compare),
        cmocka_unit_test(test_an_id_that_is_there_twice),
        cmocka_unit_test_teardown(test_no_bytes_do_harm, test_seed_teardown),
        cmocka_unit_test(test_the_most_work_is_bounded),
        cmocka_unit_test(test_one_wrong_bit_spoils_all),
        cmocka_unit_test(test_an_id_in_a_foreign_cell_is_not_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
