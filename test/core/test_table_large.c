#include "test/core/entries.h"

#include <sys/mman.h>
#include <unistd.h>

/* --- several levels of nodes, against an array by number --- */

#define LARGE 6000

struct large {
    struct bytes held[LARGE]; /* len 0: none */
    size_t count;
};

static int
compare_ids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void
check_large(const struct gvs_table *t, const struct large *l)
{
    static uint64_t want[LARGE], got[LARGE + 1];
    struct gvs_sketch *built = sketch_like(t);
    struct gvs_entry e;
    bool more = gvs_table_seek(t, NULL, 0, false, &e);
    uint64_t sum = 0;
    size_t count = 0;

    for (size_t n = 0; n < LARGE; n++) {
        if (l->held[n].len == 0)
            continue;
        assert_true(more);
        assert_int_equal(e.len, l->held[n].len);
        assert_memory_equal(e.b, l->held[n].b, e.len);
        want[count] = gvs_table_id(t, &e);
        gvs_sketch_add(built, want[count]);
        sum += want[count++];
        more = gvs_table_seek(t, e.key, e.key_len, true, &e);
    }
    assert_false(more);
    assert_int_equal(count, l->count);
    assert_int_equal(gvs_table_count(t), count);
    assert_int_equal(gvs_table_fingerprint(t), sum);
    check_sketch(t, built);
    qsort(want, count, sizeof *want, compare_ids);
    assert_int_equal(gvs_table_ids(t, 0, UINT64_MAX, got, LARGE + 1), count);
    assert_memory_equal(got, want, count * sizeof *want);
    for (size_t i = 0; i < count; i++)
        assert_true(gvs_table_get_id(t, want[i], &e));
}

static void
large_step(struct gvs_table *t, struct large *l, struct gvs_prng *p, uint64_t ms, bool grow)
{
    uint32_t n = gvs_prng_below(p, LARGE);
    struct bytes bytes = entry_number(n, ms, gvs_prng_below(p, 90));
    struct gvs_entry e = parsed(&bytes);

    if (gvs_prng_chance(p, grow ? 3 : 1, 4)) {
        assert_int_equal(gvs_table_merge(t, &e), 1);
        l->count += l->held[n].len == 0;
        l->held[n] = bytes;
        return;
    }
    assert_int_equal(gvs_table_remove(t, e.key, e.key_len), l->held[n].len != 0);
    l->count -= l->held[n].len != 0;
    l->held[n].len = 0;
}

static void
test_a_large_table_comes_and_goes(void **state)
{
    static struct large l;

    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 2); seed++) {
        struct gvs_table *t = table_new(LARGE);
        struct gvs_prng p = gvs_prng_init(seed);

        memset(&l, 0, sizeof l);
        for (uint64_t ms = 1; ms <= 60000; ms++) {
            large_step(t, &l, &p, ms, ms % 20000 < 12000);
            if (ms % 4000 == 0)
                check_large(t, &l);
        }
        free(t);
    }
}

/* --- memory --- */

static size_t
resident(uint8_t *mem, size_t len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (len + page - 1) / page, sum = 0;
    unsigned char *v = malloc(pages);

    assert_non_null(v);
    assert_int_equal(mincore(mem, len, v), 0);
    for (size_t i = 0; i < pages; i++)
        sum += (v[i] & 1) * page;
    free(v);
    return sum;
}

/* Room for four million costs nothing; 50,000 entries of 92 bytes, in random order, 150 bytes each
 * at most, and 170 once all have changed their lengths three times. */
static void
test_memory_follows_what_is_held(void **state)
{
    enum { COUNT = 50000, VALUE = 92 - 29 };
    size_t len = gvs_table_footprint(4000000);
    uint8_t *mem =
        mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct gvs_prng p = gvs_prng_init(1);
    struct gvs_table *t;

    (void)state;
    assert_ptr_not_equal(mem, MAP_FAILED);
    (void)madvise(mem, len, MADV_NOHUGEPAGE); /* not every kernel has them */
    t = gvs_table_init(mem, 4000000, test_hash(false));
    assert_true(resident(mem, len) <= 64 * 1024);
    for (uint32_t n = 0; n < COUNT; n++)
        assert_int_equal(merge_number(t, n * 7919 % COUNT, 1, VALUE), 1);
    print_message("%zu bytes an entry\n", resident(mem, len) / COUNT);
    assert_true(resident(mem, len) <= 150 * (size_t)COUNT);
    for (uint64_t ms = 2; ms < 8; ms++) {
        for (uint32_t n = 0; n < COUNT; n++) {
            uint32_t i = (n * 7919 + (uint32_t)ms * 1000) % COUNT;

            assert_int_equal(
                merge_number(t, i, ms, ms % 2 ? 2 + gvs_prng_below(&p, 2 * VALUE - 3) : 0), 1);
        }
    }
    print_message("%zu bytes an entry after churn\n", resident(mem, len) / COUNT);
    assert_true(resident(mem, len) <= 170 * (size_t)COUNT);
    munmap(mem, len);
}

static void
test_footprint_grows_linearly(void **state)
{
    size_t one = gvs_table_footprint(1000), ten = gvs_table_footprint(10000);

    (void)state;
    assert_true(ten > 9 * one && ten <= 10 * one);
    assert_true(ten / 10000 < 192);
}

static void
test_cells_follow_from_the_capacity(void **state)
{
    static const struct {
        size_t entries, cells;
    } rows[] = {{1, 64},       {1024, 64},    {2047, 64},     {2048, 128},
                {65535, 2048}, {65536, 4096}, {262144, 4096}, {1000000, 4096}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gvs_table *t = table_new(rows[i].entries);

        assert_int_equal(gvs_sketch_cells(gvs_table_sketch(t)), rows[i].cells);
        free(t);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_a_large_table_comes_and_goes, test_seed_teardown),
        cmocka_unit_test(test_memory_follows_what_is_held),
        cmocka_unit_test(test_cells_follow_from_the_capacity),
        cmocka_unit_test(test_footprint_grows_linearly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
