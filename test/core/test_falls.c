#include "core/falls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const uint64_t holds[] = {0, 0, 4000, 8000, 16000, 32000, 60000, 60000, 60000, 60000};

static void
test_each_fall_holds_it_longer_and_none_for_more_than_a_minute(void **state)
{
    struct gvs_falls f = {0};
    struct gvs_mono now = {7000000};

    (void)state;
    assert_int_equal(gvs_falls_hold_ms(&f), 0);
    for (size_t i = 0; i < sizeof holds / sizeof *holds; i++) {
        gvs_falls_note(&f, now);
        assert_int_equal(gvs_falls_hold_ms(&f), holds[i]);
        now = gvs_mono_add_ms(now, 299999);
    }
}

/* Rows of: so many falls, then so long a rest, then a fall, which counts as the n-th. */
static void
test_they_are_forgotten_by_halves(void **state)
{
    static const struct {
        unsigned falls;
        uint64_t rest_ms;
        unsigned nth;
    } rows[] = {
        {4, 299999, 5},
        {4, 300000, 3},
        {7, 300000, 4},
        {4, 600000, 2},
        {4, 900000, 1},
        {8, 2100000, 1},
        {8, UINT64_C(1) << 40, 1},
        {40, 600000, 3},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gvs_falls f = {0};
        struct gvs_mono now = {1};

        for (unsigned n = 0; n < rows[i].falls; n++)
            gvs_falls_note(&f, now);
        gvs_falls_note(&f, gvs_mono_add_ms(now, rows[i].rest_ms));
        assert_int_equal(f.count, rows[i].nth);
        assert_int_equal(gvs_falls_hold_ms(&f), holds[rows[i].nth - 1]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_fall_holds_it_longer_and_none_for_more_than_a_minute),
        cmocka_unit_test(test_they_are_forgotten_by_halves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
