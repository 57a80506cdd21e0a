/* Whom the detector probes and when, with whom it wants sessions, what a thousand dead cost, and
 * whose clock counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/age.h"
#include "net/member.h"
#include "test/lib/prng.h"

#define NODES_MAX 200

static void
dice(void *ctx, void *buf, size_t len)
{
    gvs_prng_fill(ctx, buf, len);
}

/* A cluster of nothing but detectors: everybody answers at once. */
struct ring {
    struct gvs_prng prng;
    struct gvs_mono now;
    size_t count;
    struct gvs_id id[NODES_MAX];
    struct gvs_members *ms[NODES_MAX];
    uint64_t probed_us[NODES_MAX]; /* the latest, by whomever */
    uint64_t gap_max_us, probes;
    bool by[NODES_MAX][NODES_MAX];
    bool knows[NODES_MAX]; /* what a probe tells both ends */
};

static void
open_ring(struct ring *r, size_t count, uint64_t seed)
{
    *r = (struct ring){.prng = gvs_prng_init(seed), .now = {1000000000}, .count = count};
    for (size_t i = 0; i < count; i++)
        gvs_prng_fill(&r->prng, r->id[i].b, GVS_ID_LEN);
    for (size_t i = 0; i < count; i++) {
        struct gvs_random random = {dice, &r->prng};

        r->ms[i] = gvs_members_open(NODES_MAX, &r->id[i], random, r->now);
        assert_non_null(r->ms[i]);
        for (size_t k = 0; k < count; k++) {
            struct gvs_member *m = gvs_member_get(r->ms[i], &r->id[k]);
            struct gvs_member_value value = {.boot = k};

            if (!m)
                m = gvs_member_add(r->ms[i], &r->id[k]);
            if (k != i)
                gvs_member_greeted(r->ms[i], r->now, m, k);
            gvs_member_note(r->ms[i], r->now, m, gvs_member_order(1, GVS_ALIVE), &value);
        }
    }
}

static void
close_ring(struct ring *r)
{
    for (size_t i = 0; i < r->count; i++)
        gvs_members_close(r->ms[i]);
}

static size_t
number_of(const struct ring *r, const struct gvs_id *id)
{
    for (size_t i = 0; i < r->count; i++) {
        if (gvs_id_cmp(&r->id[i], id) == 0)
            return i;
    }
    fail_msg("nobody of that id");
    return 0;
}

static void
step_node(struct ring *r, size_t i)
{
    struct gvs_member_action a;

    while (gvs_members_next(r->ms[i], r->now, &a)) {
        size_t k = number_of(r, &a.m->id);

        assert_int_equal(a.act, GVS_ACT_PROBE);
        gvs_member_heard(r->ms[i], r->now, a.m);
        gvs_member_answered(r->ms[i], r->now, a.m, a.seq);
        if (r->probed_us[k] > 0 && r->now.us - r->probed_us[k] > r->gap_max_us)
            r->gap_max_us = r->now.us - r->probed_us[k];
        r->probed_us[k] = r->now.us;
        r->by[i][k] = true;
        r->knows[i] = r->knows[k] = r->knows[i] || r->knows[k];
        r->probes++;
    }
}

static void
run_ring(struct ring *r, uint64_t ms)
{
    struct gvs_mono end = gvs_mono_add_ms(r->now, ms);

    while (r->now.us < end.us) {
        struct gvs_mono t = end;

        for (size_t i = 0; i < r->count; i++)
            t = gvs_mono_min(t, gvs_members_deadline(r->ms[i]));
        r->now.us = t.us > r->now.us ? t.us : r->now.us;
        for (size_t i = 0; i < r->count; i++)
            step_node(r, i);
    }
}

static void
test_each_is_probed_once_a_period_by_somebody(void **state)
{
    static const size_t sizes[] = {2, 3, 4, 10, 41, GVS_MESH_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        static struct ring r;

        open_ring(&r, sizes[i], 50 + i);
        run_ring(&r, 3000);
        r.gap_max_us = r.probes = 0;
        run_ring(&r, GVS_MESH_MAX * GVS_PERIOD_MS);
        print_message("%zu nodes: at most %lu ms between probes\n", sizes[i],
                      (unsigned long)r.gap_max_us / 1000);
        assert_int_equal(r.gap_max_us, GVS_PERIOD_MS * 1000);
        assert_int_equal(r.probes, GVS_MESH_MAX * sizes[i]);
        for (size_t from = 0; from < r.count; from++) /* fingerprints of all pairs meet */
            for (size_t to = 0; to < r.count; to++)
                assert_true(from == to || r.by[from][to]);
        close_ring(&r);
    }
}

/* In a large cluster most probes go by powers of two, so that what one has repaired is with all
 * after as many periods as that has bits; some walk on, so that all meet in the end. */
static void
test_many_are_repaired_in_a_few_periods_and_all_meet(void **state)
{
    static struct ring r;
    size_t known = 0;

    (void)state;
    open_ring(&r, NODES_MAX, 60);
    run_ring(&r, 3000);
    r.gap_max_us = r.probes = 0;
    r.knows[0] = true;
    run_ring(&r, 11 * GVS_PERIOD_MS); /* eight, a walk, and parts of two */
    for (size_t i = 0; i < r.count; i++)
        known += r.knows[i];
    assert_int_equal(known, NODES_MAX);
    run_ring(&r, 100 * GVS_PERIOD_MS);
    assert_int_equal(r.gap_max_us, GVS_PERIOD_MS * 1000);
    assert_int_equal(r.probes, 111 * NODES_MAX);
    run_ring(&r, 16 * NODES_MAX * GVS_PERIOD_MS);
    for (size_t from = 0; from < r.count; from++)
        for (size_t to = 0; to < r.count; to++)
            assert_true(from == to || r.by[from][to]);
    close_ring(&r);
}

/* --- sessions --- */

/* How many are being tried. */
static unsigned
tried(struct gvs_members *ms, struct gvs_mono now)
{
    struct gvs_member_action a;
    unsigned count = 0;

    while (gvs_members_next(ms, now, &a))
        continue;
    for (size_t i = 0; i < gvs_members_count(ms); i++)
        count += gvs_members_place(ms, i)->stage != GVS_STAGE_IDLE;
    return count;
}

/* Few want sessions all with all; of many, those whom we have never heard of ourselves may only
 * take so much of the room. */
static void
test_sessions_are_for_all_of_few_and_for_some_of_many(void **state)
{
    static const struct {
        unsigned others, room, tried;
    } worlds[] = {{10, 1000, 10},
                  {GVS_MESH_MAX - 1, 1000, GVS_MESH_MAX - 1},
                  {200, 1000, GVS_MESH_MAX - 1},
                  {200, 320, 200}};

    (void)state;
    for (size_t i = 0; i < sizeof worlds / sizeof *worlds; i++) {
        struct gvs_prng prng = gvs_prng_init(5);
        struct gvs_mono now = {1000000000};
        struct gvs_id id = {{1}};
        struct gvs_members *ms =
            gvs_members_open(worlds[i].room, &id, (struct gvs_random){dice, &prng}, now);

        gvs_member_note(ms, now, gvs_members_self(ms), gvs_member_order(1, GVS_ALIVE), NULL);
        for (unsigned k = 0; k < worlds[i].others; k++) {
            id = (struct gvs_id){{2, (uint8_t)k}};
            gvs_member_note(ms, now, gvs_member_add(ms, &id), gvs_member_order(1, GVS_ALIVE), NULL);
        }
        print_message("%u others, room for %u\n", worlds[i].others, worlds[i].room);
        assert_int_equal(tried(ms, now), worlds[i].tried);
        gvs_members_close(ms);
    }
}

static void
add_living(struct gvs_age *age, struct gvs_mono now, uint8_t k, bool up, bool equal)
{
    struct gvs_id id = {{2, k}};
    struct gvs_member *m = gvs_member_add(age->members, &id);

    gvs_member_note(age->members, now, m, gvs_member_order(1, GVS_ALIVE), NULL);
    if (up)
        gvs_member_greeted(age->members, now, m, 1);
    if (equal)
        gvs_age_equal(age, now, m);
}

/* In a small cluster all have to agree; in a large one all those with whom there is a session, and
 * they have to be enough. */
static void
test_in_a_large_cluster_the_word_of_neighbours_counts(void **state)
{
    struct gvs_prng prng = gvs_prng_init(6);
    struct gvs_mono now = {1000000000};
    struct gvs_id id = {{1}}, last = {{2, 16}};
    struct gvs_members *ms = gvs_members_open(1000, &id, (struct gvs_random){dice, &prng}, now);
    struct gvs_age age = {.members = ms, .began = now};
    uint8_t k = 0;

    (void)state;
    gvs_member_note(ms, now, gvs_members_self(ms), gvs_member_order(1, GVS_ALIVE), NULL);
    for (; k < 15; k++) {
        assert_true(gvs_age_living_agree(&age));
        add_living(&age, now, k, true, true);
    }
    for (; k < 200; k++) {
        add_living(&age, now, k, false, false);
        assert_false(gvs_age_living_agree(&age));
    }
    add_living(&age, now, k++, true, true);
    assert_true(gvs_age_living_agree(&age));
    assert_false(gvs_age_all_equal(&age));
    gvs_member_greeted(ms, now, gvs_member_get(ms, &last), 1);
    assert_false(gvs_age_living_agree(&age));
    gvs_age_equal(&age, now, gvs_member_get(ms, &last));
    assert_true(gvs_age_living_agree(&age));
    gvs_members_close(ms);
}

/* Constant differences of clocks are no matter where there are enough to know the median; steps
 * only cost a while of waiting, and never a burst. */
static void
test_clocks_that_differ_cost_waiting_only(void **state)
{
    static struct ring r;
    uint64_t offset[10];

    (void)state;
    open_ring(&r, 10, 70);
    for (size_t i = 0; i < r.count; i++)
        offset[i] = UINT64_C(1763827200000) + gvs_prng_below(&r.prng, 8000);
    for (size_t i = 0; i < r.count; i++) {
        gvs_members_set_wall(r.ms[i], r.now, (struct gvs_wall){offset[i]});
        for (size_t k = 0; k < r.count; k++) {
            if (k != i)
                gvs_member_clock(r.ms[i], r.now, gvs_member_get(r.ms[i], &r.id[k]), offset[k]);
        }
    }
    run_ring(&r, 3000);
    r.gap_max_us = 0;
    run_ring(&r, 50 * GVS_PERIOD_MS);
    assert_true(r.gap_max_us <= GVS_PERIOD_MS * 1000 + 2000);
    r.probes = 0;
    for (unsigned k = 0; k < 100; k++) { /* ours jumps about, a year this way or that */
        uint64_t year = gvs_prng_below(&r.prng, 2) ? UINT64_C(31536000000) : 0;

        gvs_members_set_wall(r.ms[0], r.now,
                             (struct gvs_wall){offset[0] + year + gvs_prng_below(&r.prng, 5000)});
        run_ring(&r, GVS_PERIOD_MS);
    }
    assert_in_range(r.probes, 950, 1100);
    close_ring(&r);
}

/* --- a thousand dead --- */

static void
test_a_thousand_dead_cost_a_bounded_rate_of_handshakes(void **state)
{
    static unsigned tried[1000];
    struct gvs_prng prng = gvs_prng_init(3);
    struct gvs_mono now = {1000000000}, second = now, end;
    struct gvs_member_action a;
    struct gvs_members *ms;
    struct gvs_id id = {{0}};
    unsigned burst = 0, worst = 0, total = 0;

    (void)state;
    memset(tried, 0, sizeof tried);
    id.b[0] = 1;
    ms = gvs_members_open(1001, &id, (struct gvs_random){dice, &prng}, now);
    for (unsigned i = 0; i < 1000; i++) {
        id = (struct gvs_id){{2, (uint8_t)(i >> 8), (uint8_t)i}};
        gvs_member_note(ms, now, gvs_member_add(ms, &id), gvs_member_order(1, GVS_DEAD), NULL);
    }
    end = gvs_mono_add_ms(now, 200000);
    while (now.us < end.us) {
        now.us = gvs_members_deadline(ms).us > now.us ? gvs_members_deadline(ms).us : now.us;
        if (gvs_mono_due(gvs_mono_add_ms(second, 1000), now)) {
            second = now;
            burst = 0;
        }
        while (gvs_members_next(ms, now, &a)) {
            if (a.act != GVS_ACT_CONNECT)
                continue;
            tried[a.m->id.b[1] << 8 | a.m->id.b[2]]++;
            total++;
            worst = ++burst > worst ? burst : worst;
        }
    }
    print_message("%.1f handshakes a second, %u in the worst one\n", total / 200.0, worst);
    assert_true(worst <= 128 + 101);
    assert_in_range(total, 2600, 3800); /* first all of them, then 10 a second */
    for (unsigned i = 0; i < 1000; i++)
        assert_in_range(tried[i], 2, 5);
    gvs_members_close(ms);
}

static void
test_hearsay_takes_half_of_the_room(void **state)
{
    struct gvs_prng prng = gvs_prng_init(4);
    struct gvs_mono now = {1000000000};
    struct gvs_members *ms;
    struct gvs_id id = {{1}};

    (void)state;
    ms = gvs_members_open(20, &id, (struct gvs_random){dice, &prng}, now);
    for (uint8_t i = 0; i < 10; i++) {
        assert_false(gvs_members_crowded(ms));
        id = (struct gvs_id){{2, i}};
        gvs_member_note(ms, now, gvs_member_add(ms, &id), gvs_member_order(1, GVS_DEAD), NULL);
    }
    assert_true(gvs_members_crowded(ms));
    gvs_member_heard(ms, now, gvs_member_get(ms, &id));
    assert_false(gvs_members_crowded(ms));
    gvs_members_close(ms);
}

/* All that a node knows of them after a start is hearsay, and they only become more. */
static void
test_who_left_is_no_hearsay(void **state)
{
    struct gvs_prng prng = gvs_prng_init(4);
    struct gvs_mono now = {1000000000};
    struct gvs_members *ms;
    struct gvs_id id = {{1}};

    (void)state;
    ms = gvs_members_open(40, &id, (struct gvs_random){dice, &prng}, now);
    for (uint8_t i = 0; i < 12; i++) {
        struct gvs_member *m;

        id = (struct gvs_id){{2, i}};
        m = gvs_member_add(ms, &id);
        if (i % 3 == 0)
            gvs_member_note(ms, now, m, gvs_member_order(1, GVS_ALIVE), NULL);
        gvs_member_note(ms, now, m, gvs_member_order(1, GVS_LEFT), NULL);
        if (i % 2 == 0) /* his last words */
            gvs_member_heard(ms, now, m);
        assert_false(gvs_members_crowded(ms));
    }
    for (uint8_t i = 0; i < 20; i++) {
        assert_false(gvs_members_crowded(ms));
        id = (struct gvs_id){{3, i}};
        gvs_member_note(ms, now, gvs_member_add(ms, &id), gvs_member_order(1, GVS_DEAD), NULL);
    }
    assert_true(gvs_members_crowded(ms));
    gvs_member_note(ms, now, gvs_member_get(ms, &id), gvs_member_order(1, GVS_LEFT), NULL);
    assert_false(gvs_members_crowded(ms));
    gvs_members_close(ms);
}

/* --- clocks --- */

static void
test_the_median_counts_and_who_is_half_convinces_nobody(void **state)
{
    enum { H = 3600000 };
    static const struct {
        const char *why;
        size_t count;
        int64_t peer[6]; /* ahead of us, ms */
        size_t known;
        int64_t median;
    } rows[] = {
        {"alone", 0, {0}, 1, 0},
        {"one other cannot outvote us", 1, {H}, 2, 0},
        {"nor move us half the way", 1, {8000}, 2, 0},
        {"two of three say that we are slow", 2, {H, H + 100}, 3, H},
        {"two of three say that we are fast", 2, {-H, -H - 100}, 3, -H},
        {"one of three is wrong", 2, {H, 20}, 3, 20},
        {"four: two against two", 3, {10, H, H}, 4, 10},
        {"four: two against two, the other way", 3, {-10, -H, -H}, 4, -10},
        {"four: three against us", 3, {H, H, H}, 4, H},
        {"near ones meet in the middle", 3, {100, 200, 300}, 4, 150},
        {"a liar of each kind", 4, {INT64_C(1) << 45, -H, 4, 8}, 5, 4},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gvs_prng prng = gvs_prng_init(4);
        struct gvs_mono now = {1000000000};
        const uint64_t wall = UINT64_C(1763827200000);
        struct gvs_members *ms;
        struct gvs_id id = {{1}};
        struct gvs_clock c;

        print_message("%s\n", rows[i].why);
        ms = gvs_members_open(20, &id, (struct gvs_random){dice, &prng}, now);
        gvs_members_set_wall(ms, now, (struct gvs_wall){wall});
        for (uint8_t k = 0; k < rows[i].count; k++) {
            id = (struct gvs_id){{2, k}};
            gvs_member_clock(ms, now, gvs_member_add(ms, &id), wall + (uint64_t)rows[i].peer[k]);
            assert_int_equal(gvs_member_clock_offset_ms(ms, gvs_member_get(ms, &id)),
                             rows[i].peer[k]);
        }
        c = gvs_members_clock(ms, now);
        assert_int_equal(c.known, rows[i].known);
        assert_int_equal(c.median_ms, rows[i].median);
        now = gvs_mono_add_ms(now, 1000); /* ours is set: what we know of others stays true */
        gvs_members_set_wall(ms, now, (struct gvs_wall){wall + 1000 + 500});
        c = gvs_members_clock(ms, now);
        if (rows[i].count == 4)
            assert_int_equal(c.median_ms, rows[i].median - 500);
        gvs_members_close(ms);
    }
}

/* What somebody says it is need not be a time at all. */
static void
test_a_clock_beyond_all_time_is_one_that_is_wrong(void **state)
{
    static const uint64_t lies[] = {UINT64_MAX, UINT64_C(1) << 63, (UINT64_C(1) << 63) + 1000000};
    static struct ring r;

    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        open_ring(&r, 4, 80);
        r.now = (struct gvs_mono){1000000000};
        gvs_members_set_wall(r.ms[0], r.now, (struct gvs_wall){1763827200000});
        gvs_member_clock(r.ms[0], r.now, gvs_member_get(r.ms[0], &r.id[1]), 1763827200020);
        gvs_member_clock(r.ms[0], r.now, gvs_member_get(r.ms[0], &r.id[2]), lies[i]);
        gvs_member_clock(r.ms[0], r.now, gvs_member_get(r.ms[0], &r.id[3]), lies[i]);
        assert_in_range(gvs_members_clock(r.ms[0], r.now).median_ms, 0, 20);
        close_ring(&r);
    }
}

static void
test_a_clock_not_heard_for_minutes_does_not_count(void **state)
{
    static struct ring r;
    struct gvs_clock c;

    (void)state;
    open_ring(&r, 3, 80);
    gvs_members_set_wall(r.ms[0], r.now, (struct gvs_wall){1000000});
    gvs_member_clock(r.ms[0], r.now, gvs_member_get(r.ms[0], &r.id[1]), 2000000);
    gvs_member_clock(r.ms[0], r.now, gvs_member_get(r.ms[0], &r.id[2]), 2000000);
    c = gvs_members_clock(r.ms[0], r.now);
    assert_int_equal(c.known, 3);
    assert_int_equal(c.median_ms, 1000000);
    run_ring(&r, 310000);
    c = gvs_members_clock(r.ms[0], r.now);
    assert_int_equal(c.known, 1);
    assert_int_equal(c.median_ms, 0);
    close_ring(&r);
}

static void
note(struct ring *r, size_t k, enum gvs_member_state state)
{
    gvs_member_note(r->ms[0], r->now, gvs_member_get(r->ms[0], &r->id[k]),
                    gvs_member_order(1, state), NULL);
}

/* A machine that came up in 1970, and has a new id since its clock is right, would outvote us. But
 * whoever was alone says of everybody that he is dead, and may be the one whose clock is wrong. */
static void
test_the_clock_of_the_dead_counts_until_they_are_gone(void **state)
{
    static struct ring r;
    struct gvs_clock c;

    (void)state;
    open_ring(&r, 3, 81);
    gvs_members_set_wall(r.ms[0], r.now, (struct gvs_wall){1000000});
    gvs_member_clock(r.ms[0], r.now, gvs_member_get(r.ms[0], &r.id[1]), 2000000);
    gvs_member_clock(r.ms[0], r.now, gvs_member_get(r.ms[0], &r.id[2]), 2000000);
    assert_int_equal(gvs_members_clock(r.ms[0], r.now).known, 3);
    note(&r, 1, GVS_DEAD);
    c = gvs_members_clock(r.ms[0], r.now);
    assert_int_equal(c.known, 3);
    assert_int_equal(c.median_ms, 1000000);
    gvs_member_get(r.ms[0], &r.id[1])->gone = true;
    note(&r, 1, GVS_DEAD);
    c = gvs_members_clock(r.ms[0], r.now);
    assert_int_equal(c.known, 2);
    assert_int_equal(c.median_ms, 0);
    note(&r, 2, GVS_LEFT);
    assert_int_equal(gvs_members_clock(r.ms[0], r.now).known, 1);
    close_ring(&r);
}

/* --- two processes of one name --- */

static void
test_a_boot_that_comes_back_is_a_clone(void **state)
{
    static const struct {
        const char *why;
        uint64_t boot[4];
        uint64_t after_ms;
        bool cloned;
    } rows[] = {
        {"one start after the other", {1, 2, 3, 4}, 100, false},
        {"the same again", {1, 1, 1, 1}, 100, false},
        {"back and forth", {1, 2, 1, 2}, 5000, true},
        {"back once", {1, 2, 1, 1}, 5000, true},
        {"back before one can know", {1, 2, 1, 2}, 4999, false},
        {"long ago", {1, 2, 2, 1}, 40000, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static struct ring r;
        struct gvs_member *m;

        print_message("%s\n", rows[i].why);
        open_ring(&r, 2, 90);
        m = gvs_member_get(r.ms[0], &r.id[1]);
        for (size_t k = 0; k < 4; k++) {
            r.now = gvs_mono_add_ms(r.now, rows[i].after_ms);
            gvs_member_greeted(r.ms[0], r.now, m, rows[i].boot[k]);
            gvs_member_heard(r.ms[0], r.now, m);
        }
        assert_int_equal(m->cloned, rows[i].cloned);
        close_ring(&r);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_is_probed_once_a_period_by_somebody),
        cmocka_unit_test(test_many_are_repaired_in_a_few_periods_and_all_meet),
        cmocka_unit_test(test_sessions_are_for_all_of_few_and_for_some_of_many),
        cmocka_unit_test(test_in_a_large_cluster_the_word_of_neighbours_counts),
        cmocka_unit_test(test_clocks_that_differ_cost_waiting_only),
        cmocka_unit_test(test_a_thousand_dead_cost_a_bounded_rate_of_handshakes),
        cmocka_unit_test(test_hearsay_takes_half_of_the_room),
        cmocka_unit_test(test_who_left_is_no_hearsay),
        cmocka_unit_test(test_the_median_counts_and_who_is_half_convinces_nobody),
        cmocka_unit_test(test_a_clock_beyond_all_time_is_one_that_is_wrong),
        cmocka_unit_test(test_a_clock_not_heard_for_minutes_does_not_count),
        cmocka_unit_test(test_the_clock_of_the_dead_counts_until_they_are_gone),
        cmocka_unit_test(test_a_boot_that_comes_back_is_a_clone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
