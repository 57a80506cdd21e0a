#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "core/index.h"
#include "test/lib/prng.h"

struct pair {
    uint64_t id;
    uint32_t item;
};

static struct gvs_index
index_new(size_t count_max)
{
    void *mem = calloc(1, gvs_index_footprint(count_max));
    struct gvs_index x;

    assert_non_null(mem);
    gvs_index_init(&x, mem, count_max);
    return x;
}

/* I1 and I2, and a walk from `from` meets exactly the pairs at or above it. */
static void
check(const struct gvs_index *x, const struct pair *held, size_t count, uint64_t from)
{
    size_t used = 0, want = 0, got = 0, at;
    uint64_t id, last = 0;
    uint32_t item;

    for (size_t i = 0; i < x->slots; i++) {
        const struct gvs_index_slot *s = &x->slot[i];
        size_t home = (size_t)((uint64_t)s->high * x->slots >> 32);

        if (s->item == 0)
            continue;
        id = (uint64_t)s->high << 32 | s->low;
        assert_true(id >= last);
        last = id;
        used++;
        for (size_t k = i; k != home; k += k < home ? 1 : SIZE_MAX)
            assert_int_not_equal(x->slot[k].item, 0);
    }
    assert_int_equal(used, count);
    assert_int_equal(x->count, count);
    for (size_t i = 0; i < count; i++)
        want += held[i].id >= from;
    at = gvs_index_seek(x, from);
    while ((item = gvs_index_next(x, &at, &id)) != 0) {
        size_t i = 0;

        assert_true(id >= from);
        while (i < count && (held[i].id != id || held[i].item != item))
            i++;
        assert_true(i < count);
        got++;
    }
    assert_int_equal(got, want);
}

/* Hashes, or ids that crowd: at both ends, in one place, all the same. */
static uint64_t
random_id(struct gvs_prng *p, uint32_t crowd)
{
    static const uint64_t ends[] = {0, 1, UINT64_MAX, UINT64_MAX - 1};

    switch (crowd) {
    case 0:
        return gvs_prng_next(p);
    case 1:
        return ends[gvs_prng_below(p, 4)];
    case 2:
        return UINT64_MAX - gvs_prng_below(p, 20);
    default:
        return (UINT64_C(1) << 63) + ((uint64_t)gvs_prng_below(p, 3) << 40);
    }
}

static void
run_program(uint64_t seed, size_t count_max, uint32_t crowd)
{
    struct gvs_prng p = gvs_prng_init(seed);
    struct gvs_index x = index_new(count_max);
    struct pair held[300];
    size_t count = 0;

    for (uint32_t step = 1; step < 600; step++) {
        size_t i = count > 0 ? gvs_prng_below(&p, (uint32_t)count) : 0;
        bool grows = gvs_prng_chance(&p, step < 350 ? 3 : 1, 4);

        if (grows && count < count_max) {
            held[count++] = (struct pair){random_id(&p, crowd), step};
            gvs_index_add(&x, held[count - 1].id, step);
        } else if (count > 0 && gvs_prng_chance(&p, 1, 5)) {
            gvs_index_set(&x, held[i].id, held[i].item, step);
            held[i].item = step;
        } else if (count > 0) {
            gvs_index_remove(&x, held[i].id, held[i].item);
            held[i] = held[--count];
        }
        check(&x, held, count, count > 0 && step % 2 ? held[0].id : random_id(&p, crowd));
    }
    check(&x, held, count, 0);
    assert_true(x.slots <= x.slots_max);
    free(x.slot);
}

static void
test_any_program_keeps_order(void **state)
{
    static const size_t maxima[] = {1, 2, 60, 64, 100, 300};

    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 20); seed++) {
        for (size_t i = 0; i < sizeof maxima / sizeof *maxima; i++) {
            for (uint32_t crowd = 0; crowd < 4; crowd++)
                run_program(seed, maxima[i], crowd);
        }
    }
}

/* It grows in steps, and what it has not reached is not touched. */
static void
test_it_touches_what_it_needs(void **state)
{
    enum { MAX = 100000, COUNT = 1000 };
    struct gvs_index x = index_new(MAX);
    struct gvs_prng p = gvs_prng_init(1);
    const struct gvs_index_slot none = {0};

    (void)state;
    for (uint32_t i = 1; i <= COUNT; i++)
        gvs_index_add(&x, gvs_prng_next(&p), i);
    assert_true(x.slots <= 2 * COUNT);
    for (size_t i = x.slots; i < x.slots_max; i++)
        assert_memory_equal(&x.slot[i], &none, sizeof none);
    free(x.slot);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_any_program_keeps_order, test_seed_teardown),
        cmocka_unit_test(test_it_touches_what_it_needs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
