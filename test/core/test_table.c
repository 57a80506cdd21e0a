#include "test/core/entries.h"

#define KEYS 48

/* One of KEYS keys, of all kinds and lengths. */
static struct gvs_key
key_number(uint32_t n)
{
    static const char *const svcs[] = {"10.99.0.1:80/tcp", "10.99.0.1:80/udp", "fwmark:7",
                                       "[fd00:99::1]:80/tcp"};
    static const char *const eps[] = {"10.77.0.4:80", "10.77.0.4:81", "[fd00::4]:80"};
    const char *svc = svcs[n % 4], *ep = eps[n / 4 % 3];
    struct gvs_key key = {.kind = (enum gvs_key_kind)(1 + n / 12)};

    assert_true(n < KEYS);
    if (key.kind == GVS_KEY_MEMBER) {
        key.owner = node((uint8_t)(n + 1));
        return key;
    }
    assert_int_equal(gvs_svcid_parse(&key.svc, svc, strlen(svc), NULL), GVS_OK);
    if (key.kind != GVS_KEY_SERVICE)
        assert_int_equal(gvs_ep_parse(&key.ep, ep, strlen(ep), NULL), GVS_OK);
    if (key.kind != GVS_KEY_OVERRIDE)
        key.owner = node((uint8_t)(n / 4 % 3));
    return key;
}

/* --- a naive table: an array in order of arrival --- */

struct model {
    struct bytes held[KEYS];
    size_t count;
    uint64_t cut;
};

/* Is it compared with other tables, or only held? */
static bool
model_counts(const struct model *m, const struct gvs_entry *e)
{
    return !e->tombstone || e->order >= m->cut;
}

static struct bytes *
model_find(struct model *m, const struct gvs_entry *e)
{
    for (size_t i = 0; i < m->count; i++) {
        struct gvs_entry held = parsed(&m->held[i]);

        if (naive_same_key(&held, e))
            return &m->held[i];
    }
    return NULL;
}

static bool
model_wants(struct model *m, const struct gvs_entry *e)
{
    struct bytes *held = model_find(m, e);
    struct gvs_entry h;

    if (!held)
        return true;
    h = parsed(held);
    return naive_greater(e, &h);
}

static void
model_take(struct model *m, const struct gvs_entry *e)
{
    struct bytes *held = model_find(m, e);

    if (!held)
        held = &m->held[m->count++];
    memcpy(held->b, e->b, e->len);
    held->len = e->len;
}

static void
model_forget(struct model *m, const struct gvs_entry *e)
{
    struct bytes *held = model_find(m, e);

    if (held)
        *held = m->held[--m->count];
}

/* The entry of the model with the least key above (or at) `key`; NULL if there is none. */
static const struct bytes *
model_seek(const struct model *m, const uint8_t *key, size_t key_len, bool after)
{
    const struct bytes *best = NULL;

    for (size_t i = 0; i < m->count; i++) {
        struct gvs_entry e = parsed(&m->held[i]), b;
        int order = naive_bytes_cmp(e.key, e.key_len, key, key_len);

        if (order < 0 || (order == 0 && after))
            continue;
        if (best)
            b = parsed(best);
        if (!best || naive_bytes_cmp(e.key, e.key_len, b.key, b.key_len) < 0)
            best = &m->held[i];
    }
    return best;
}

static void
check_ids(const struct gvs_table *t, const struct model *m, uint64_t first, uint64_t last)
{
    struct gvs_idsum want = {0}, got = gvs_table_idsum(t, first, last);
    uint64_t ids[KEYS + 1];
    size_t count = gvs_table_ids(t, first, last, ids, KEYS + 1);

    for (size_t i = 0; i < m->count; i++) {
        struct gvs_entry e = parsed(&m->held[i]);
        uint64_t id = gvs_table_id(t, &e);
        size_t listed = 0;

        if (!model_counts(m, &e))
            continue;
        for (size_t k = 0; k < count; k++)
            listed += ids[k] == id;
        assert_int_equal(listed > 0, id >= first && id <= last);
        want.sum += id >= first && id <= last ? id : 0;
        want.count += id >= first && id <= last;
    }
    assert_int_equal(got.sum, want.sum);
    assert_int_equal(got.count, want.count);
    assert_int_equal(count, want.count);
    for (size_t k = 1; k < count; k++)
        assert_true(ids[k - 1] <= ids[k]);
    if (count > 1)
        assert_int_equal(gvs_table_ids(t, first, last, ids, 1), 1);
}

static void
check_against(const struct gvs_table *t, const struct model *m)
{
    struct gvs_sketch *built = sketch_like(t);
    uint64_t fingerprint = 0;
    size_t tombstones = 0;
    struct gvs_entry got;

    for (size_t i = 0; i < m->count; i++) {
        struct gvs_entry e = parsed(&m->held[i]);
        uint64_t id = gvs_table_id(t, &e);

        assert_true(gvs_table_get(t, e.key, e.key_len, &got));
        assert_int_equal(got.len, e.len);
        assert_memory_equal(got.b, e.b, e.len);
        assert_true(gvs_table_get_id(t, id, &got));
        assert_int_equal(gvs_table_id(t, &got), id);
        tombstones += e.tombstone;
        if (!model_counts(m, &e))
            continue;
        fingerprint += id;
        gvs_sketch_add(built, id);
    }
    check_sketch(t, built);
    assert_false(gvs_table_get_id(t, 5, &got));              /* no hash here ever gives 5 */
    assert_int_equal(gvs_table_fingerprint(t), fingerprint); /* I3 */
    assert_int_equal(gvs_table_tombstones(t), tombstones);
    assert_int_equal(gvs_table_count(t), m->count);
    check_ids(t, m, 0, UINT64_MAX);
}

static void
check_seek(const struct gvs_table *t, const struct model *m, struct gvs_prng *p)
{
    struct gvs_key key = key_number(gvs_prng_below(p, KEYS));
    bool after = gvs_prng_chance(p, 1, 2), found;
    const struct bytes *want;
    struct gvs_keybuf buf;
    struct gvs_entry got;
    size_t len;

    gvs_key_build(&buf, &key);
    len = gvs_prng_chance(p, 1, 2) ? buf.len : gvs_prng_below(p, buf.len + 1u);
    want = model_seek(m, buf.b, len, after);
    found = gvs_table_seek(t, buf.b, len, after, &got);
    assert_int_equal(found, want != NULL);
    if (want) {
        assert_int_equal(got.len, want->len);
        assert_memory_equal(got.b, want->b, got.len);
    }
    if (len == buf.len)
        assert_int_equal(gvs_table_get(t, buf.b, len, &got),
                         model_seek(m, buf.b, len, false) != model_seek(m, buf.b, len, true));
}

static struct bytes
random_entry(struct gvs_prng *p)
{
    struct gvs_key key = key_number(gvs_prng_below(p, KEYS));
    size_t len = gvs_prng_below(p, gvs_prng_chance(p, 1, 4) ? GVS_VALUE_LEN_MAX + 1 : 40);

    return entry_make(&key, 1 + gvs_prng_below(p, 12), (uint8_t)(1 + gvs_prng_below(p, 3)),
                      gvs_prng_chance(p, 1, 4), len, (uint8_t)gvs_prng_below(p, 4));
}

/* Merges and checks the answer, and on anything but news that nothing at all moved (I4). */
static void
merge_step(struct gvs_table *t, struct model *m, struct gvs_prng *p, bool may_be_full)
{
    static struct image before, after;
    struct bytes bytes = random_entry(p);
    struct gvs_entry e = parsed(&bytes);
    bool news = model_wants(m, &e);
    int rc;

    table_image(&before, t);
    rc = gvs_table_merge(t, &e);
    if (rc == 1) {
        assert_true(news);
        model_take(m, &e);
        memset(&bytes, 0xee, sizeof bytes); /* what was merged was copied */
        return;
    }
    assert_int_equal(rc, news ? GVS_E_FULL : 0);
    assert_true(rc == 0 || may_be_full);
    table_image(&after, t);
    assert_memory_equal(&before, &after, sizeof before);
}

/* Forgets what is held, or finds that it is not. */
static void
remove_step(struct gvs_table *t, struct model *m, struct gvs_prng *p)
{
    struct bytes bytes = random_entry(p);
    struct gvs_entry e = parsed(&bytes), got;
    bool held = model_find(m, &e) != NULL;

    if (held && gvs_prng_chance(p, 1, 2)) /* by the very key that the table lends */
        assert_true(gvs_table_get(t, e.key, e.key_len, &got));
    else
        got = e;
    assert_int_equal(gvs_table_remove(t, got.key, got.key_len), held);
    model_forget(m, &e);
}

static void
cut_step(struct gvs_table *t, struct model *m, struct gvs_prng *p)
{
    uint64_t cut = gvs_hlc_make(1 + gvs_prng_below(p, 13), 0);

    gvs_table_set_cut(t, cut);
    m->cut = cut;
}

static void
run_program(size_t capacity, bool weak, uint64_t seed)
{
    void *mem = calloc(1, gvs_table_footprint(capacity));
    struct gvs_table *t = gvs_table_init(mem, capacity, test_hash(weak));
    struct gvs_prng p = gvs_prng_init(seed);
    struct model m = {.count = 0};

    for (int step = 0; step < 200; step++) {
        if (gvs_prng_chance(&p, 1, 6))
            remove_step(t, &m, &p);
        else
            merge_step(t, &m, &p, capacity <= KEYS);
        if (gvs_prng_chance(&p, 1, 50))
            cut_step(t, &m, &p);
        assert_true(gvs_table_count(t) <= capacity);
        check_against(t, &m);
        check_seek(t, &m, &p);
        check_ids(t, &m, gvs_prng_next(&p) >> 1, UINT64_MAX - (gvs_prng_next(&p) >> 1));
    }
    free(mem);
}

static void
test_any_program_ends_as_in_the_model(void **state)
{
    static const size_t capacities[] = {1, 2, 3, 7, 20, KEYS, 4 * KEYS};

    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 10); seed++) {
        for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
            run_program(capacities[i], false, seed);
            run_program(capacities[i], true, seed);
        }
    }
}

static void
test_t14_a_full_table_refuses_new_keys_only(void **state)
{
    struct gvs_table *t = table_new(3);
    static struct image before, after;

    (void)state;
    for (uint32_t n = 1; n <= 3; n++)
        assert_int_equal(merge_number(t, n, 1, 20), 1);
    table_image(&before, t);
    assert_int_equal(merge_number(t, 4, 9, 20), GVS_E_FULL);
    assert_int_equal(merge_number(t, 0, 9, 20), GVS_E_FULL);
    table_image(&after, t);
    assert_memory_equal(&before, &after, sizeof before);
    assert_int_equal(merge_number(t, 2, 2, 20), 1);
    assert_int_equal(gvs_table_capacity(t), 3);
    free(t);
}

/* A table of one holds the longest entry there is, and can replace it. */
static void
test_a_table_of_one_holds_any_entry(void **state)
{
    struct gvs_table *t = table_new(1);

    (void)state;
    assert_int_equal(merge_number(t, 1, 1, 0), 1);
    assert_int_equal(merge_number(t, 1, 2, GVS_VALUE_LEN_MAX), 1);
    assert_int_equal(merge_number(t, 1, 3, 0), 1);
    assert_int_equal(merge_number(t, 1, 4, GVS_VALUE_LEN_MAX), 1);
    free(t);
}

/* Long entries fill the arena before the keys run out. Then whatever fits where it lies still goes
 * in. */
static void
test_a_full_arena_still_replaces_in_place(void **state)
{
    struct gvs_table *t = table_new(64);
    static struct image before, after;
    uint32_t held = 0;

    (void)state;
    while (merge_number(t, held, 1, GVS_VALUE_LEN_MAX) == 1)
        held++;
    assert_true(held >= 64 * 128 / GVS_ENTRY_LEN_MAX && held < 64);
    for (uint32_t n = 0; n < held; n++) {
        assert_int_equal(merge_number(t, n, 2, GVS_VALUE_LEN_MAX), 1);
        assert_int_equal(merge_number(t, n, 3, 0), 1);
        assert_int_equal(merge_number(t, n, 4, GVS_VALUE_LEN_MAX), 1); /* back to its old length */
    }
    assert_int_equal(merge_number(t, held, 5, 0), 1); /* a short one finds what was left over */
    table_image(&before, t);
    assert_int_equal(merge_number(t, held, 6, GVS_VALUE_LEN_MAX), GVS_E_FULL);
    assert_int_equal(merge_number(t, held + 1, 6, GVS_VALUE_LEN_MAX), GVS_E_FULL);
    table_image(&after, t);
    assert_memory_equal(&before, &after, sizeof before);
    free(t);
}

/* Entries that grow leave holes too small for those that grow after them: the holes have to be
 * joined. */
static void
test_room_given_back_is_found_again(void **state)
{
    enum { COUNT = 32 };
    struct gvs_table *t = table_new(COUNT);
    uint64_t ms = 1;

    (void)state;
    for (uint32_t n = 0; n < COUNT; n++)
        assert_int_equal(merge_number(t, n, ms, 0), 1); /* 36 bytes */
    for (size_t len = 32; len <= 64; len += 32) {
        ms++;
        for (uint32_t n = 0; n < COUNT; n++)
            assert_int_equal(merge_number(t, n, ms, len), 1);
    }
    for (uint32_t n = 0; n < COUNT; n++) {
        struct bytes want = entry_number(n, ms, 64);
        struct gvs_entry e = parsed(&want), got;

        assert_true(gvs_table_get(t, e.key, e.key_len, &got));
        assert_memory_equal(got.b, want.b, want.len);
    }
    free(t);
}

/* An entry that comes and goes for ever needs no room but its own. */
static void
test_a_flapping_backend_leaves_no_holes(void **state)
{
    struct gvs_table *t = table_new(2);

    (void)state;
    assert_int_equal(merge_number(t, 1, 1, 60), 1);
    assert_int_equal(merge_number(t, 2, 1, 60), 1);
    for (uint64_t ms = 2; ms < 10000; ms++)
        assert_int_equal(merge_number(t, 1, ms, ms % 2 ? 60 : 0), 1);
    free(t);
}

/* A table that is full takes a new key again once an entry is forgotten. */
static void
test_what_is_forgotten_makes_room(void **state)
{
    struct gvs_table *t = table_new(3);
    struct bytes bytes = entry_number(2, 1, 20);
    struct gvs_entry e = parsed(&bytes), got;

    (void)state;
    for (uint32_t n = 1; n <= 3; n++)
        assert_int_equal(merge_number(t, n, 1, 20), 1);
    assert_int_equal(merge_number(t, 4, 1, 20), GVS_E_FULL);
    assert_true(gvs_table_remove(t, e.key, e.key_len));
    assert_false(gvs_table_remove(t, e.key, e.key_len));
    assert_false(gvs_table_get(t, e.key, e.key_len, &got));
    assert_false(gvs_table_get_id(t, gvs_table_id(t, &e), &got));
    assert_int_equal(merge_number(t, 4, 1, 20), 1);
    assert_int_equal(merge_number(t, 2, 1, 20), GVS_E_FULL);
    free(t);
}

static int
merge_dead(struct gvs_table *t, uint32_t n, uint64_t ms)
{
    struct bytes live = entry_number(n, ms, 0), dead;
    struct gvs_entry e = parsed(&live);
    struct gvs_key key;

    assert_int_equal(gvs_key_parse(&key, e.key, e.key_len), GVS_OK);
    dead = entry_make(&key, ms, 1, true, 0, 0);
    e = parsed(&dead);
    return gvs_table_merge(t, &e);
}

static void
test_only_tombstones_below_the_cut_stop_counting(void **state)
{
    static const struct {
        const char *why;
        uint64_t live, dead, cut, late, again; /* ms of each step; 0 leaves it out */
        bool count;
    } rows[] = {
        {"a live entry counts however old", 1, 0, 9, 0, 0, true},
        {"a tombstone at the cut counts", 0, 9, 9, 0, 0, true},
        {"one just below does not", 0, 8, 9, 0, 0, false},
        {"nor one that comes after the cut rose", 0, 0, 9, 8, 0, false},
        {"nor one that replaces a live entry then", 1, 0, 9, 8, 0, false},
        {"a newer tombstone counts again", 0, 3, 9, 9, 0, true},
        {"a newer one that is old as well does not", 0, 3, 9, 4, 0, false},
        {"a live entry over an aged tombstone counts", 0, 3, 9, 0, 4, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gvs_table *t = table_new(4);
        struct gvs_entry e;
        size_t dead = rows[i].again ? 0 : rows[i].dead || rows[i].late ? 1 : 0;

        print_message("%s\n", rows[i].why);
        if (rows[i].live)
            assert_int_equal(merge_number(t, 1, rows[i].live, 9), 1);
        if (rows[i].dead)
            assert_int_equal(merge_dead(t, 1, rows[i].dead), 1);
        gvs_table_set_cut(t, gvs_hlc_make(rows[i].cut, 0));
        if (rows[i].late)
            assert_int_equal(merge_dead(t, 1, rows[i].late), 1);
        if (rows[i].again)
            assert_int_equal(merge_number(t, 1, rows[i].again, 9), 1);
        assert_int_equal(gvs_table_fingerprint(t) != 0, rows[i].count);
        assert_int_equal(gvs_table_idsum(t, 0, UINT64_MAX).count, rows[i].count);
        assert_int_equal(gvs_table_count(t), 1);
        assert_int_equal(gvs_table_tombstones(t), dead);
        assert_true(gvs_table_seek(t, NULL, 0, false, &e));
        assert_true(gvs_table_get_id(t, gvs_table_id(t, &e), &e));
        gvs_table_set_cut(t, gvs_hlc_make(1, 0)); /* a clock was years ahead */
        assert_int_equal(gvs_table_fingerprint(t), gvs_table_id(t, &e));
        assert_int_equal(gvs_table_idsum(t, 0, UINT64_MAX).count, 1);
        free(t);
    }
}

/* Nodes raise their cuts at different moments, and forget at different moments. */
static void
test_the_moment_of_the_cut_does_not_matter(void **state)
{
    enum { COUNT = 60 };
    static struct image one, other;
    struct gvs_table *a = table_new(COUNT), *b = table_new(COUNT);

    (void)state;
    gvs_table_set_cut(b, gvs_hlc_make(20, 0));
    for (uint32_t n = 0; n < COUNT; n++) {
        uint32_t m = COUNT - 1 - n;

        assert_int_equal(n % 3 ? merge_number(a, n, 1 + n, 9) : merge_dead(a, n, 1 + n), 1);
        assert_int_equal(m % 3 ? merge_number(b, m, 1 + m, 9) : merge_dead(b, m, 1 + m), 1);
    }
    gvs_table_set_cut(a, gvs_hlc_make(20, 0));
    gvs_table_set_cut(a, gvs_hlc_make(40, 0));
    gvs_table_set_cut(b, gvs_hlc_make(40, 0));
    table_image(&one, a);
    table_image(&other, b);
    assert_memory_equal(&one, &other, sizeof one);
    for (uint32_t n = 0; n < 39; n += 3) { /* those below are forgotten here */
        struct bytes bytes = entry_number(n, 1, 0);
        struct gvs_entry e = parsed(&bytes);

        assert_true(gvs_table_remove(a, e.key, e.key_len));
    }
    assert_int_equal(gvs_table_fingerprint(a), gvs_table_fingerprint(b));
    assert_int_equal(gvs_table_count(a), gvs_table_count(b) - 13);
    free(a);
    free(b);
}

/* What two tables lack of each other, by their sketches and ids alone. */
static void
test_sketches_name_what_differs(void **state)
{
    enum { COUNT = 3000, CAPACITY = 4096 };
    struct gvs_table *a = table_new(CAPACITY), *b = table_new(CAPACITY);
    const struct gvs_sketch *theirs = gvs_table_sketch(b);
    size_t cells = gvs_sketch_cells(theirs), at = 0, ours = 0, missing = 0;
    uint8_t *wire = malloc(cells * GVS_SKETCH_CELL_LEN);
    struct gvs_sketch_diff *d = malloc(gvs_sketch_diff_footprint(cells));
    enum gvs_sketch_side side;
    struct gvs_entry e;
    uint64_t id;

    (void)state;
    assert_true(wire && d);
    assert_int_equal(cells, CAPACITY / 16);
    for (uint32_t n = 0; n < COUNT; n++) {
        if (n % 100 != 0)
            assert_int_equal(merge_number(a, n, 1, 30), 1);
        assert_int_equal(merge_number(b, n, n % 75 ? 1 : 2, 30), 1);
    }
    gvs_sketch_write(theirs, 0, cells, wire);
    d = gvs_sketch_diff_init(d, gvs_table_sketch(a));
    assert_true(gvs_sketch_diff_take(d, wire, cells));
    while ((side = gvs_sketch_diff_next(d, &at, &id)) != GVS_SKETCH_NEITHER) {
        assert_int_equal(gvs_table_get_id(a, id, &e), side == GVS_SKETCH_OURS);
        assert_int_equal(gvs_table_get_id(b, id, &e), side == GVS_SKETCH_THEIRS);
        ours += side == GVS_SKETCH_OURS;
        missing += side == GVS_SKETCH_THEIRS;
    }
    assert_int_equal(ours, 30);         /* older: multiples of 75 that are not missing */
    assert_int_equal(missing, 30 + 30); /* newer, or missing altogether */
    free(wire);
    free(d);
    free(a);
    free(b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_any_program_ends_as_in_the_model, test_seed_teardown),
        cmocka_unit_test(test_t14_a_full_table_refuses_new_keys_only),
        cmocka_unit_test(test_a_table_of_one_holds_any_entry),
        cmocka_unit_test(test_a_full_arena_still_replaces_in_place),
        cmocka_unit_test(test_room_given_back_is_found_again),
        cmocka_unit_test(test_a_flapping_backend_leaves_no_holes),
        cmocka_unit_test(test_what_is_forgotten_makes_room),
        cmocka_unit_test(test_only_tombstones_below_the_cut_stop_counting),
        cmocka_unit_test(test_the_moment_of_the_cut_does_not_matter),
        cmocka_unit_test(test_sketches_name_what_differs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
