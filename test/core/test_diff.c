#include "test/core/items.h"

#include <inttypes.h>

/* What a walk gave, written down: "+" added, "-" removed, "~" changed, and the number in the row.
 */
#define SCRIPT_LEN 64

static struct gvs_item
numbered(int number)
{
    char text[GVS_SVCID_TEXT_LEN];

    snprintf(text, sizeof text, "10.99.0.1:%d/tcp", number);
    return service(text);
}

static struct gvs_set *
set_of(const int *numbers)
{
    struct gvs_set *s = set_new(16);

    for (; *numbers; numbers++) {
        struct gvs_item item = numbered(*numbers);

        assert_int_equal(gvs_set_put(s, &item), GVS_OK);
    }
    return s;
}

static void
write_down(char *script, char sign, int number)
{
    size_t len = strlen(script);

    snprintf(script + len, SCRIPT_LEN - len, "%s%c%d", len ? " " : "", sign, number);
}

static void
walk_script(char *script, struct gvs_range have, struct gvs_range want)
{
    static const char signs[] = "?+-~";
    const struct gvs_item *from, *to;
    enum gvs_diff_op op;
    struct gvs_diff d;

    *script = 0;
    gvs_diff_init(&d, have, want);
    while ((op = gvs_diff_next(&d, &from, &to)) != GVS_DIFF_END) {
        const struct gvs_item *item = op == GVS_DIFF_REMOVE ? from : to;

        assert_int_equal(from != NULL, op != GVS_DIFF_ADD);
        assert_int_equal(to != NULL, op != GVS_DIFF_REMOVE);
        write_down(script, signs[op], item ? item->svc.port : -1);
    }
    for (int again = 0; again < 3; again++) {
        assert_int_equal(gvs_diff_next(&d, &from, &to), GVS_DIFF_END);
        assert_null(from);
        assert_null(to);
    }
}

static void
test_only_what_differs_is_touched(void **state)
{
    static const struct {
        const char *why;
        int have[8], want[8];
        const char *script;
    } rows[] = {
        {"THE INCIDENT: 3 inserted touches neither 4 nor 5", {1, 2, 4, 5}, {1, 2, 3, 4, 5}, "+3"},
        {"mirrored: 3 removed likewise", {1, 2, 3, 4, 5}, {1, 2, 4, 5}, "-3"},
        {"nothing to nothing", {0}, {0}, ""},
        {"equal is silent", {1, 2, 3}, {1, 2, 3}, ""},
        {"first inserted", {2, 3}, {1, 2, 3}, "+1"},
        {"first removed", {1, 2, 3}, {2, 3}, "-1"},
        {"last inserted", {1, 2}, {1, 2, 3}, "+3"},
        {"last removed", {1, 2, 3}, {1, 2}, "-3"},
        {"from nothing", {0}, {1, 2}, "+1 +2"},
        {"to nothing", {1, 2}, {0}, "-1 -2"},
        {"one replaced by a later one", {1, 3, 9}, {1, 4, 9}, "-3 +4"},
        {"one replaced by an earlier one", {1, 4, 9}, {1, 3, 9}, "+3 -4"},
        {"nothing in common, interleaved", {1, 3, 5}, {2, 4, 6}, "-1 +2 -3 +4 -5 +6"},
        {"nothing in common, one behind the other", {1, 2}, {3, 4}, "-1 -2 +3 +4"},
        {"and the other way round", {3, 4}, {1, 2}, "+1 +2 -3 -4"},
        {"numbers, not digits: 10 is behind 9", {2, 9, 11}, {2, 9, 10, 11}, "+10"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gvs_set *have = set_of(rows[i].have), *want = set_of(rows[i].want);
        char script[SCRIPT_LEN];

        walk_script(script, gvs_set_all(have), gvs_set_all(want));
        if (strcmp(script, rows[i].script) != 0)
            fail_msg("%s: \"%s\", not \"%s\"", rows[i].why, script, rows[i].script);
        free(have);
        free(want);
    }
}

static void
test_a_change_in_place_is_one_change(void **state)
{
    struct gvs_item had = dest("10.99.0.1:80", "10.77.0.4:80", 10), wanted = had;
    struct gvs_range have = {&had, &had + 1}, want = {&wanted, &wanted + 1};
    const struct gvs_item *from, *to;
    struct gvs_diff d;

    (void)state;
    wanted.dest.weight = 20;
    wanted.dest.forward = GVS_FORWARD_DR;
    gvs_diff_init(&d, have, want);
    assert_int_equal(gvs_diff_next(&d, &from, &to), GVS_DIFF_CHANGE);
    assert_ptr_equal(from, &had);
    assert_ptr_equal(to, &wanted);
    assert_int_equal(gvs_diff_next(&d, &from, &to), GVS_DIFF_END);
}

/* A thousand services on as many addresses; `without` is left out. */
static struct gvs_set *
thousand(int without)
{
    struct gvs_set *s = set_new(1000);

    for (int i = 0; i < 1000; i++) {
        char text[GVS_SVCID_TEXT_LEN];
        struct gvs_item item;

        snprintf(text, sizeof text, "10.99.%d.%d:80/tcp", i / 250, i % 250);
        item = service(text);
        if (i != without)
            assert_int_equal(gvs_set_put(s, &item), GVS_OK);
    }
    return s;
}

static void
test_one_of_a_thousand_is_one_operation(void **state)
{
    static const int places[] = {0, 1, 249, 250, 500, 998, 999};

    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct gvs_set *all = thousand(-1), *rest = thousand(places[i]);
        const struct gvs_item *from, *to;
        struct gvs_diff d;

        gvs_diff_init(&d, gvs_set_all(rest), gvs_set_all(all));
        assert_int_equal(gvs_diff_next(&d, &from, &to), GVS_DIFF_ADD);
        assert_ptr_equal(to, gvs_set_all(all).at + places[i]);
        assert_int_equal(gvs_diff_next(&d, &from, &to), GVS_DIFF_END);
        gvs_diff_init(&d, gvs_set_all(all), gvs_set_all(rest));
        assert_int_equal(gvs_diff_next(&d, &from, &to), GVS_DIFF_REMOVE);
        assert_ptr_equal(from, gvs_set_all(all).at + places[i]);
        assert_int_equal(gvs_diff_next(&d, &from, &to), GVS_DIFF_END);
        free(all);
        free(rest);
    }
}

/* Checks one lent change against the worlds, and applies it to the first. */
static void
check_change(struct world *have, const struct universe *u, const struct world *want,
             enum gvs_diff_op op, const struct gvs_item *from, const struct gvs_item *to)
{
    size_t thing = thing_of(u, to ? to : from);
    struct world before = {{0}};

    assert_int_not_equal(have->cell[thing], want->cell[thing]); /* I3 */
    assert_int_equal(op == GVS_DIFF_ADD, have->cell[thing] == 0);
    assert_int_equal(op == GVS_DIFF_REMOVE, want->cell[thing] == 0);
    assert_int_equal(from != NULL, have->cell[thing] != 0);
    assert_int_equal(to != NULL, want->cell[thing] != 0);
    if (from) {
        world_put(&before, u, thing, from);
        assert_int_equal(before.cell[thing], have->cell[thing]);
    }
    have->cell[thing] = 0;
    if (to)
        world_put(have, u, thing, to);
}

static size_t
cells_that_differ(const struct world *a, const struct world *b)
{
    size_t count = 0;

    for (size_t i = 0; i < WORLD_THINGS; i++)
        count += a->cell[i] != b->cell[i];
    return count;
}

/* I2 and I3, for 10,000 pairs of tables: the operations are the difference of the two arrays of
 * cells, taken cell by cell; what they make of `have` is `want`; and once applied there is nothing
 * left to do. */
static void
test_operations_are_the_set_difference(void **state)
{
    struct gvs_set *sets[2] = {set_new(WORLD_THINGS), set_new(WORLD_THINGS)};
    struct universe u;

    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 10000); seed++) {
        struct gvs_prng p = gvs_prng_init(seed);
        struct world have = world_random(&p), want = world_near(&have, &p);
        size_t expected = cells_that_differ(&have, &want), count = 0;
        const struct gvs_item *from, *to;
        enum gvs_diff_op op;
        struct gvs_diff d;

        universe_random(&u, &p);
        world_set(sets[0], &u, &have, &p);
        world_set(sets[1], &u, &want, &p);
        gvs_diff_init(&d, gvs_set_all(sets[0]), gvs_set_all(sets[1]));
        for (; (op = gvs_diff_next(&d, &from, &to)) != GVS_DIFF_END; count++)
            check_change(&have, &u, &want, op, from, to);
        assert_int_equal(count, expected);
        assert_memory_equal(&have, &want, sizeof have);
        world_set(sets[0], &u, &have, &p);
        gvs_diff_init(&d, gvs_set_all(sets[0]), gvs_set_all(sets[1]));
        assert_int_equal(gvs_diff_next(&d, &from, &to), GVS_DIFF_END);
    }
    free(sets[0]);
    free(sets[1]);
}

/* The range of one service gives the operations of that service, in as many steps. */
static void
test_a_range_confines_the_walk(void **state)
{
    struct gvs_set *have = set_of((const int[]){1, 2, 4, 5, 0});
    struct gvs_set *want = set_of((const int[]){2, 3, 4, 6, 0});
    struct gvs_svcid id = svcid("10.99.0.1:3/tcp");
    char script[SCRIPT_LEN];

    (void)state;
    walk_script(script, gvs_set_service(have, &id), gvs_set_service(want, &id));
    assert_string_equal(script, "+3");
    id.port = 2;
    walk_script(script, gvs_set_service(have, &id), gvs_set_service(want, &id));
    assert_string_equal(script, "");
    free(have);
    free(want);
}

static void
walk_ports(int a, int b, int c, bool as_have)
{
    struct gvs_item items[] = {numbered(a), numbered(b), numbered(c)};
    struct gvs_range some = {items, items + 3}, none = {NULL, NULL};
    const struct gvs_item *from, *to;
    struct gvs_diff d;

    gvs_diff_init(&d, as_have ? some : none, as_have ? none : some);
    while (gvs_diff_next(&d, &from, &to) != GVS_DIFF_END)
        ;
}

static void
have_ascends(void)
{
    walk_ports(1, 2, 3, true);
}

static void
have_descends(void)
{
    walk_ports(1, 3, 2, true);
}

static void
want_descends(void)
{
    walk_ports(1, 3, 2, false);
}

static void
want_repeats(void)
{
    walk_ports(1, 2, 2, false);
}

static void
test_disorder_stops_the_process(void **state)
{
    (void)state;
    assert_false(dies(have_ascends));
    assert_true(dies(have_descends));
    assert_true(dies(want_descends));
    assert_true(dies(want_repeats));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_what_differs_is_touched),
        cmocka_unit_test(test_a_change_in_place_is_one_change),
        cmocka_unit_test(test_one_of_a_thousand_is_one_operation),
        cmocka_unit_test_teardown(test_operations_are_the_set_difference, test_seed_teardown),
        cmocka_unit_test(test_a_range_confines_the_walk),
        cmocka_unit_test(test_disorder_stops_the_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
