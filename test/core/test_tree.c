#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "core/bytes.h"
#include "core/tree.h"
#include "test/lib/prng.h"

#define KEYS 400
#define KEY_LEN 3

/* A tree over keys 1..KEYS, each a string of two bytes of number and one of another: naively, an
 * array that says which are in. */
struct world {
    struct gvs_arena arena;
    struct gvs_tree tree;
    uint32_t item[KEYS + 1]; /* 0: not in */
    size_t count;
};

static void
key_number(uint8_t key[static KEY_LEN], uint32_t n)
{
    gvs_put16(key, (uint16_t)n);
    key[2] = 5;
}

static void
world_open(struct world *w, uint32_t leaf_max, uint32_t inner_max)
{
    size_t len = gvs_arena_footprint(2 * KEYS, 8);
    size_t items = KEYS * 400; /* so many nodes that small ones suffice */

    memset(w, 0, sizeof *w);
    gvs_arena_init(&w->arena, calloc(1, len), len);
    gvs_tree_init(&w->tree, calloc(1, gvs_tree_footprint(items)), items, &w->arena);
    w->tree.leaf_max = leaf_max;
    w->tree.inner_max = inner_max;
}

static void
world_close(struct world *w)
{
    free(w->arena.mem);
    free(w->tree.node);
}

/* --- structure: I1 to I3, from the root down --- */

struct census {
    uint32_t last; /* the item before, in key order */
    size_t items, nodes;
};

static uint32_t
number_of(const struct world *w, uint32_t item)
{
    return gvs_get16(gvs_arena_get(&w->arena, item) + 1);
}

static void
check_node(const struct world *w, uint32_t n, uint32_t level, bool right_edge, struct census *c)
{
    const struct gvs_tree_node *node = &w->tree.node[n];
    bool leaf = level + 1 == w->tree.depth;
    uint32_t max = leaf ? w->tree.leaf_max : w->tree.inner_max;

    c->nodes++;
    assert_true(n > 0 && n < w->tree.top);
    assert_true(node->count <= max);
    assert_true(right_edge || node->count >= max / 2);
    assert_true(leaf || node->count >= 2);
    assert_true(level == 0 || node->count >= 1);
    for (uint32_t i = 0; i < node->count; i++) {
        if (leaf) {
            uint32_t key = number_of(w, node->item[i]);

            assert_true(c->last == 0 || key > number_of(w, c->last));
            assert_int_equal(w->item[key], node->item[i]);
            c->last = node->item[i];
            c->items++;
        } else {
            assert_int_equal(node->first[i], w->tree.node[node->child[i]].item[0]);
            check_node(w, node->child[i], level + 1, right_edge && i + 1 == node->count, c);
        }
    }
}

static void
check_structure(const struct world *w)
{
    struct census c = {0};

    check_node(w, w->tree.root, 0, true, &c);
    assert_int_equal(c.items, w->count);
    for (uint32_t n = w->tree.free; n != 0; n = w->tree.node[n].child[0])
        c.nodes++;
    assert_int_equal(c.nodes, w->tree.top - 1); /* none is lost */
}

/* --- operations, each against the array --- */

static void
insert(struct world *w, uint32_t n)
{
    uint8_t b[1 + KEY_LEN + 2] = {KEY_LEN};
    struct gvs_tree_path p;

    key_number(b + 1, n);
    assert_false(gvs_tree_find(&w->tree, b + 1, KEY_LEN, &p));
    w->item[n] = gvs_arena_put(&w->arena, b, sizeof b);
    assert_int_not_equal(w->item[n], 0);
    gvs_tree_insert(&w->tree, &p, w->item[n]);
    w->count++;
}

static void
drop(struct world *w, uint32_t n)
{
    uint8_t key[KEY_LEN];
    struct gvs_tree_path p;

    key_number(key, n);
    assert_true(gvs_tree_find(&w->tree, key, KEY_LEN, &p));
    assert_int_equal(gvs_tree_item(&w->tree, &p), w->item[n]);
    gvs_tree_remove(&w->tree, &p);
    gvs_arena_drop(&w->arena, w->item[n]);
    w->item[n] = 0;
    w->count--;
}

/* The string moves to another place. */
static void
move(struct world *w, uint32_t n)
{
    uint8_t b[1 + KEY_LEN + 2] = {KEY_LEN};
    uint32_t was = w->item[n];
    struct gvs_tree_path p;

    key_number(b + 1, n);
    assert_true(gvs_tree_find(&w->tree, b + 1, KEY_LEN, &p));
    w->item[n] = gvs_arena_put(&w->arena, b, sizeof b);
    gvs_tree_set(&w->tree, &p, w->item[n]);
    gvs_arena_drop(&w->arena, was);
}

/* Finds the key and the one after it, or the next one. */
static void
check_walk(const struct world *w, uint32_t from, bool prefix)
{
    struct gvs_tree_path p;
    uint8_t key[KEY_LEN];
    bool found;

    key_number(key, from);
    found = gvs_tree_find(&w->tree, key, prefix ? 2 : KEY_LEN, &p);
    assert_int_equal(found, !prefix && from <= KEYS && w->item[from] != 0);
    for (uint32_t n = from, steps = 0; n <= KEYS; n++) {
        if (w->item[n] == 0)
            continue;
        assert_int_equal(gvs_tree_item(&w->tree, &p), w->item[n]);
        if (!found || ++steps == 2)
            return;
        gvs_tree_step(&w->tree, &p);
    }
    assert_int_equal(gvs_tree_item(&w->tree, &p), 0);
}

static void
run_program(struct world *w, struct gvs_prng *p, uint32_t keys, int steps)
{
    for (int i = 0; i < steps; i++) {
        uint32_t n = 1 + gvs_prng_below(p, keys);
        bool grows = gvs_prng_chance(p, i < steps / 2 ? 3 : 1, 4); /* first up, then down */

        if (w->item[n] == 0 && grows)
            insert(w, n);
        else if (w->item[n] != 0 && !grows)
            drop(w, n);
        else if (w->item[n] != 0)
            move(w, n);
        check_structure(w);
        check_walk(w, gvs_prng_below(p, keys + 2), gvs_prng_chance(p, 1, 4));
    }
}

static void
test_any_program_keeps_the_tree(void **state)
{
    static const struct {
        uint32_t leaf_max, inner_max, keys;
    } rows[] = {{2, 4, 40}, {4, 4, 100}, {5, 5, 100}, {6, 4, 200}, {126, 63, KEYS}};

    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 20); seed++) {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            struct gvs_prng p = gvs_prng_init(seed);
            struct world w;

            world_open(&w, rows[i].leaf_max, rows[i].inner_max);
            run_program(&w, &p, rows[i].keys, 500);
            for (uint32_t n = 1; n <= KEYS; n++) {
                if (w.item[n] != 0)
                    drop(&w, n);
                check_structure(&w);
            }
            assert_int_equal(w.tree.depth, 1);
            world_close(&w);
        }
    }
}

/* Every order of insertion, and after each every order of removal. */
static void
permute(struct world *w, const uint32_t *order, uint32_t count, uint32_t taken, bool up)
{
    for (uint32_t i = 0; i < count; i++) {
        if (taken & 1u << i)
            continue;
        if (up)
            insert(w, order[i]);
        else
            drop(w, order[i]);
        check_structure(w);
        if ((taken | 1u << i) + 1 == 1u << count && up)
            permute(w, order, count, 0, false);
        else
            permute(w, order, count, taken | 1u << i, up);
        if (up) /* undone as an operation of its own: also a program */
            drop(w, order[i]);
        else
            insert(w, order[i]);
        check_structure(w);
    }
}

static void
test_every_order_of_five(void **state)
{
    static const uint32_t order[] = {10, 20, 30, 40, 50};
    struct world w;

    (void)state;
    world_open(&w, 2, 4);
    permute(&w, order, 5, 0, true);
    assert_int_equal(w.count, 0);
    world_close(&w);
}

/* Leaves are full where keys came in ascending order, but the last. */
static void
test_ascending_keys_fill_leaves(void **state)
{
    struct world w;
    struct census c = {0};

    (void)state;
    world_open(&w, 10, 4);
    for (uint32_t n = 1; n <= KEYS; n++) {
        insert(&w, n);
        check_structure(&w);
    }
    check_node(&w, w.tree.root, 0, true, &c);
    assert_int_equal(KEYS % 10, 0);
    assert_true(c.nodes <= KEYS / 10 + KEYS / 10 / 3 * 2); /* 40 leaves, inner nodes of 3 */
    for (uint32_t n = KEYS; n > 0; n--) {
        drop(&w, n);
        check_structure(&w);
    }
    world_close(&w);
}

/* The block has as many nodes as the worst order can need: half full ones throughout. */
static void
test_nodes_suffice(void **state)
{
    enum { ITEMS = 20000 };
    static uint32_t item[ITEMS];
    size_t len = gvs_arena_footprint(ITEMS, 8);
    struct gvs_arena a;
    struct gvs_tree t;
    struct gvs_tree_path p;
    uint8_t b[5] = {4};

    (void)state;
    gvs_arena_init(&a, calloc(1, len), len);
    gvs_tree_init(&t, calloc(1, gvs_tree_footprint(ITEMS)), ITEMS, &a);
    for (uint32_t i = ITEMS; i-- > 0;) { /* descending: each split leaves a half behind */
        gvs_put32(b + 1, i);
        assert_false(gvs_tree_find(&t, b + 1, 4, &p));
        item[i] = gvs_arena_put(&a, b, sizeof b);
        gvs_tree_insert(&t, &p, item[i]);
    }
    assert_true(t.top <= t.nodes && t.top > t.nodes * 9 / 10);
    for (uint32_t i = 0; i < ITEMS; i++) {
        gvs_put32(b + 1, i);
        assert_true(gvs_tree_find(&t, b + 1, 4, &p));
        assert_int_equal(gvs_tree_item(&t, &p), item[i]);
    }
    free(a.mem);
    free(t.node);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_any_program_keeps_the_tree, test_seed_teardown),
        cmocka_unit_test(test_every_order_of_five),
        cmocka_unit_test(test_ascending_keys_fill_leaves),
        cmocka_unit_test(test_nodes_suffice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
