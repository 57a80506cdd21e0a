#include "tools/words/fault.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
test_the_nearest_word_is_within_two_edits(void **state)
{
    static const char *const words[] = {"rr",     "wrr",     "lc",  "wlc",       "mh",   "members",
                                        "status", "backend", "vip", "scheduler", "plan", NULL};
    static const struct {
        const char *why, *word, *near;
    } rows[] = {
        {"another letter", "wwr", "wrr"},
        {"two letters swapped", "memebrs", "members"},
        {"a letter too many", "statuss", "status"},
        {"a letter too few", "scheduer", "scheduler"},
        {"two edits", "bakcedn", "backend"},
        {"the word itself", "plan", "plan"},
        {"three edits are too many", "skejuler", NULL},
        {"a word shorter than the distance has nothing in common", "x", NULL},
        {"nor has the empty word", "", NULL},
        {"the nearest, not the first", "wlr", "wrr"},
        {"longer than any word", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *near = gvs_nearest(rows[i].word, words);

        print_message("%s\n", rows[i].why);
        if (rows[i].near == NULL)
            assert_null(near);
        else
            assert_string_equal(near, rows[i].near);
    }
}

/* The plain recursive definition, for short words. */
static size_t
model(const char *a, size_t n, const char *b, size_t m)
{
    size_t best, d;

    if (n == 0 || m == 0)
        return n + m;
    best = model(a, n - 1, b, m - 1) + (a[n - 1] != b[m - 1]);
    d = model(a, n - 1, b, m) + 1;
    best = d < best ? d : best;
    d = model(a, n, b, m - 1) + 1;
    best = d < best ? d : best;
    if (n > 1 && m > 1 && a[n - 1] == b[m - 2] && a[n - 2] == b[m - 1]) {
        d = model(a, n - 2, b, m - 2) + 1;
        best = d < best ? d : best;
    }
    return best;
}

static void
word_of(unsigned n, char *word)
{
    size_t len = 0;

    for (; n > 0; n = (n - 1) / 3)
        word[len++] = (char)('a' + (n - 1) % 3);
    word[len] = '\0';
}

static void
test_distances_are_those_of_the_definition(void **state)
{
    char a[8], b[8];

    (void)state;
    for (unsigned i = 0; i < 3 + 9 + 27 + 81; i++) {
        for (unsigned j = 0; j < 3 + 9 + 27 + 81; j++) {
            const char *const words[] = {b, NULL};
            size_t d;

            word_of(i, a);
            word_of(j, b);
            d = model(a, strlen(a), b, strlen(b));
            assert_int_equal(gvs_nearest(a, words) != NULL, d <= 2 && d < strlen(a));
        }
    }
}

static void
test_a_fault_is_one_printable_line(void **state)
{
    struct gvs_fault f;
    char big[2000];

    (void)state;
    memset(&f, 'x', sizeof f);
    errno = EIO;
    assert_true(gvs_fault_set(&f, GVS_EXIT_CONFLICT, "a\nb\x1b[31m\xff%s", "\t!") < 0);
    assert_int_equal(errno, EIO);
    assert_string_equal(f.text, "a?b?[31m?"
                                "?!");
    assert_string_equal(f.hint, "");
    assert_int_equal(f.exit, GVS_EXIT_CONFLICT);
    gvs_fault_hint(&f, "next\r%d", 5);
    assert_string_equal(f.hint, "next?5");
    memset(big, 'y', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    gvs_fault_set(&f, GVS_EXIT_NO, "%s", big);
    assert_int_equal(strlen(f.text), sizeof f.text - 1);
    assert_string_equal(f.hint, "");
}

static void
test_every_exit_has_its_name(void **state)
{
    static const char *const names[] = {
        "ok",        "no",       "usage",   "unreachable",   "not_permitted",
        "not_found", "conflict", "timeout", "kernel_refused"};
    (void)state;
    for (int i = GVS_EXIT_OK; i <= GVS_EXIT_KERNEL; i++)
        assert_string_equal(gvs_exit_name((enum gvs_exit)i), names[i]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_nearest_word_is_within_two_edits),
        cmocka_unit_test(test_distances_are_those_of_the_definition),
        cmocka_unit_test(test_a_fault_is_one_printable_line),
        cmocka_unit_test(test_every_exit_has_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
