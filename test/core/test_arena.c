#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "core/arena.h"
#include "test/lib/prng.h"

#define STRINGS 64

/* --- naive: the strings themselves, each in an array --- */

struct model {
    uint32_t number[STRINGS];
    size_t len[STRINGS];
    uint8_t b[STRINGS][GVS_ARENA_STRING_MAX];
    size_t count;
};

static struct gvs_arena
arena_new(size_t strings, size_t average)
{
    size_t len = gvs_arena_footprint(strings, average);
    struct gvs_arena a;
    void *mem = calloc(1, len);

    assert_non_null(mem);
    gvs_arena_init(&a, mem, len);
    return a;
}

static unsigned
head(const struct gvs_arena *a, uint32_t run)
{
    uint16_t h;

    memcpy(&h, a->mem + (size_t)run * GVS_ARENA_GRANULE, sizeof h);
    return h;
}

/* The runs tile the arena up to the top, no two free ones are neighbours, each knows what is before
 * it, and the lists have the free ones and no others. */
static void
check_runs(const struct gvs_arena *a, const struct model *m)
{
    size_t used = 0, free_runs = 0, listed = 0;
    bool after_free = false;

    for (uint32_t run = 1; run < a->top;) {
        unsigned h = head(a, run);
        uint32_t len = h & 0x1fff;

        assert_int_equal((h & 0x4000) != 0, after_free);
        if (h & 0x8000) {
            assert_false(after_free); /* I3: nothing here is as long as 64 kB */
            assert_true(len >= 2 && run + len < a->top);
            free_runs++;
        } else {
            len = (len + 2 + 7) / 8;
            len = (len < 2 ? 2 : len) + (h & 0x2000 ? 1 : 0);
            used++;
        }
        after_free = (h & 0x8000) != 0;
        run += len;
        assert_true(run <= a->top);
    }
    assert_true(a->top <= a->end);
    assert_int_equal(used, m->count);
    for (uint32_t i = 0; i < GVS_ARENA_RUN_MAX + 2; i++) {
        for (uint32_t run = a->bin[i], n; run != 0; run = n) {
            uint32_t len = head(a, run) & 0x1fff;

            assert_int_equal(len < GVS_ARENA_RUN_MAX + 1 ? len : GVS_ARENA_RUN_MAX + 1, i);
            memcpy(&n, a->mem + (size_t)run * GVS_ARENA_GRANULE + 4, sizeof n);
            listed++;
            assert_true(listed <= free_runs);
        }
    }
    assert_int_equal(listed, free_runs);
}

static void
check_strings(const struct gvs_arena *a, const struct model *m)
{
    size_t walked = 0;

    for (size_t i = 0; i < m->count; i++) {
        assert_int_equal(gvs_arena_len(a, m->number[i]), m->len[i]);
        assert_memory_equal(gvs_arena_get(a, m->number[i]), m->b[i], m->len[i]);
    }
    for (uint32_t n = 0; (n = gvs_arena_next(a, n)) != 0; walked++) {
        size_t i = 0;

        while (i < m->count && m->number[i] != n)
            i++;
        assert_true(i < m->count);
    }
    assert_int_equal(walked, m->count);
}

static size_t
random_string(struct gvs_prng *p, uint8_t *b)
{
    uint32_t max = gvs_prng_chance(p, 1, 8) ? GVS_ARENA_STRING_MAX : 60;
    size_t len = 1 + gvs_prng_below(p, max);

    gvs_prng_fill(p, b, len);
    return len;
}

static void
step(struct gvs_arena *a, struct model *m, struct gvs_prng *p)
{
    size_t i = m->count > 0 ? gvs_prng_below(p, (uint32_t)m->count) : 0, len;
    uint8_t b[GVS_ARENA_STRING_MAX];
    uint32_t n, what = gvs_prng_below(p, 4);
    bool fits;

    if (what == 0 && m->count > 0) {
        gvs_arena_drop(a, m->number[i]);
        m->count--;
        m->number[i] = m->number[m->count];
        m->len[i] = m->len[m->count];
        memcpy(m->b[i], m->b[m->count], m->len[i]);
        return;
    }
    len = random_string(p, b);
    if (what < 3 && m->count > 0) {
        fits = gvs_arena_fits(a, m->number[i], len);
        n = gvs_arena_replace(a, m->number[i], b, len);
        assert_int_equal(n != 0, fits);
        if (len <= m->len[i])
            assert_int_equal(n, m->number[i]); /* what shrinks stays */
    } else {
        i = m->count;
        n = i < STRINGS ? gvs_arena_put(a, b, len) : 0;
        m->count += n != 0;
    }
    if (n == 0)
        return;
    m->number[i] = n;
    m->len[i] = len;
    memcpy(m->b[i], b, len);
}

static void
test_any_program_keeps_all_strings(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 200); seed++) {
        struct gvs_prng p = gvs_prng_init(seed);
        struct gvs_arena a = arena_new(1 + gvs_prng_below(&p, STRINGS), 40);
        static struct model m;

        m.count = 0;
        for (int i = 0; i < 400; i++) {
            step(&a, &m, &p);
            check_runs(&a, &m);
            check_strings(&a, &m);
        }
        while (m.count > 0)
            gvs_arena_drop(&a, m.number[--m.count]);
        assert_int_equal(a.top, 1); /* all of it is one again */
        free(a.mem);
    }
}

static void
test_it_holds_what_it_was_made_for(void **state)
{
    static const uint8_t b[GVS_ARENA_STRING_MAX];

    (void)state;
    for (size_t len = 1; len <= GVS_ARENA_STRING_MAX; len += 37) {
        struct gvs_arena a = arena_new(50, len);

        for (int i = 0; i < 50; i++)
            assert_int_not_equal(gvs_arena_put(&a, b, len), 0);
        assert_int_not_equal(gvs_arena_put(&a, b, GVS_ARENA_STRING_MAX), 0);
        free(a.mem);
    }
}

/* More free granules in a row than a head can count. */
static void
test_long_stretches_are_used_again(void **state)
{
    enum { COUNT = 1000 };
    static const uint8_t b[GVS_ARENA_STRING_MAX];
    struct gvs_arena a = arena_new(COUNT + 1, GVS_ARENA_STRING_MAX);
    uint32_t n[COUNT + 1], top;

    (void)state;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i <= COUNT; i++)
            n[i] = gvs_arena_put(&a, b, sizeof b);
        top = a.top;
        for (int i = 0; i < COUNT; i++) /* the last stays: all before it is free */
            gvs_arena_drop(&a, n[round == 1 ? COUNT - 1 - i : i * 7 % COUNT]);
        assert_int_equal(a.top, top);
        assert_int_equal(gvs_arena_next(&a, 0), n[COUNT]);
        for (int i = 0; i < COUNT; i++)
            n[i] = gvs_arena_put(&a, b, sizeof b);
        assert_true(a.top <= top + 10 * GVS_ARENA_RUN_MAX); /* a bit of each 64 kB is lost */
        for (int i = 0; i <= COUNT; i++)
            gvs_arena_drop(&a, n[i]);
        assert_int_equal(a.top, 1);
    }
    free(a.mem);
}

/* Nothing is free, and still one can shrink and grow again: nobody takes its room meanwhile. */
static void
test_a_full_arena_lets_a_string_come_and_go(void **state)
{
    static const uint8_t b[GVS_ARENA_STRING_MAX];
    struct gvs_arena a = arena_new(10, 100);
    uint32_t n, last = 0;

    (void)state;
    while ((n = gvs_arena_put(&a, b, 100)) != 0)
        last = n;
    for (n = 0; (n = gvs_arena_next(&a, n)) != 0;) {
        assert_int_equal(gvs_arena_replace(&a, n, b, 20), n);
        assert_int_equal(gvs_arena_replace(&a, n, b, 100), n);
        if (n != last) {
            assert_false(gvs_arena_fits(&a, n, GVS_ARENA_STRING_MAX));
            assert_int_equal(gvs_arena_replace(&a, n, b, GVS_ARENA_STRING_MAX), 0);
        }
        assert_int_equal(gvs_arena_len(&a, n), 100);
    }
    free(a.mem);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_any_program_keeps_all_strings, test_seed_teardown),
        cmocka_unit_test(test_it_holds_what_it_was_made_for),
        cmocka_unit_test(test_long_stretches_are_used_again),
        cmocka_unit_test(test_a_full_arena_lets_a_string_come_and_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
