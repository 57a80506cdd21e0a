/* What is admitted, what is answered, and how writes are stamped: net/replica.h without a network.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/err.h"
#include "net/replica.h"
#include "test/lib/prng.h"

#define WALL UINT64_C(1763827200000)
#define PEERS 4
#define YEAR_MS INT64_C(31536000000)
#define BOOT 100 /* ours */

struct bench {
    struct gvs_replica r;
    struct gvs_prng prng;
    struct gvs_mono now;
    struct gvs_wall wall; /* ours */
    struct gvs_id id[PEERS];
};

static void
dice(void *ctx, void *buf, size_t len)
{
    gvs_prng_fill(ctx, buf, len);
}

static struct gvs_member *
member(struct bench *b, size_t i)
{
    return gvs_member_get(b->r.members, &b->id[i]);
}

static struct gvs_entry
member_entry(uint8_t buf[static GVS_ENTRY_LEN_MAX], const struct gvs_id *id, uint64_t incarnation,
             enum gvs_member_state state, uint64_t boot)
{
    struct gvs_member_value value = {.name = "x", .boot = boot, .version = "0.1.0"};
    struct gvs_key key = {.kind = GVS_KEY_MEMBER, .owner = *id};
    uint8_t v[GVS_VALUE_LEN_MAX];
    struct gvs_entry e;
    size_t len;

    value.ep = (struct gvs_ep){{GVS_FAMILY_V4, {10, 9, 9, (uint8_t)boot}}, 7900};
    len = gvs_entry_build(buf, &key, gvs_member_order(incarnation, state), NULL, false, v,
                          gvs_member_encode(v, &value));
    assert_int_equal(gvs_entry_parse(&e, buf, len), GVS_OK);
    return e;
}

static struct gvs_key
claim_key(const struct gvs_id *owner, uint16_t port)
{
    return (struct gvs_key){
        .kind = GVS_KEY_BACKEND,
        .svc = {.proto = 6, .addr = {GVS_FAMILY_V4, {10, 99, 0, 1}}, .port = 80},
        .ep = {{GVS_FAMILY_V4, {10, 1, 0, 1}}, port},
        .owner = *owner,
    };
}

static struct gvs_entry
claim_entry(uint8_t buf[static GVS_ENTRY_LEN_MAX], const struct gvs_id *owner, uint16_t port,
            uint64_t ms)
{
    struct gvs_key key = claim_key(owner, port);
    struct gvs_entry e;
    size_t len = gvs_entry_build(buf, &key, gvs_hlc_make(ms, 0), NULL, false, NULL, 0);

    assert_int_equal(gvs_entry_parse(&e, buf, len), GVS_OK);
    return e;
}

/* Peer 0 is we. The others have a session, a clock as ours, and an entry. */
static void
open_bench(struct bench *b, size_t members_max)
{
    static const struct gvs_keyring ring = {.count = 1, .key = {{.id = 7}}};
    struct gvs_node_config cfg = {.limits = {1000, members_max},
                                  .cluster = "test",
                                  .keyring = &ring,
                                  .boot = BOOT,
                                  .name = "n0",
                                  .version = "0.1.0",
                                  .advertise = {{GVS_FAMILY_V4, {10, 9, 9, 1}}, 7900}};

    *b = (struct bench){.prng = gvs_prng_init(1), .now = {1000000000}, .wall = {WALL}};
    cfg.random = (struct gvs_random){dice, &b->prng};
    for (size_t i = 0; i < PEERS; i++)
        b->id[i] = (struct gvs_id){{1, (uint8_t)i}};
    assert_int_equal(gvs_crypto_init(), GVS_OK);
    assert_int_equal(gvs_replica_open(&b->r, &cfg, &b->id[0], b->now), GVS_OK);
    gvs_members_set_wall(b->r.members, b->now, b->wall);
    gvs_replica_start(&b->r, b->now, b->wall);
    for (size_t i = 1; i < PEERS; i++) {
        struct gvs_member *m = gvs_member_add(b->r.members, &b->id[i]);
        uint8_t buf[GVS_ENTRY_LEN_MAX];
        struct gvs_entry e = member_entry(buf, &b->id[i], 1, GVS_ALIVE, i);

        gvs_member_greeted(b->r.members, b->now, m, i);
        gvs_member_heard(b->r.members, b->now, m);
        assert_int_equal(gvs_replica_take(&b->r, b->now, b->wall, m, &e), 1);
    }
}

static void
close_bench(struct bench *b)
{
    gvs_replica_close(&b->r);
}

static void
set_clocks(struct bench *b, int64_t ahead_ms, size_t count)
{
    for (size_t i = 1; i <= count; i++)
        gvs_member_clock(b->r.members, b->now, member(b, i), b->wall.ms + (uint64_t)ahead_ms);
}

static int
take_claim(struct bench *b, uint16_t port, uint64_t ms)
{
    uint8_t buf[GVS_ENTRY_LEN_MAX];
    struct gvs_entry e = claim_entry(buf, &b->id[1], port, ms);

    return gvs_replica_take(&b->r, b->now, b->wall, member(b, 1), &e);
}

static int
take_member(struct bench *b, size_t from, size_t of, uint64_t incarnation,
            enum gvs_member_state state, uint64_t boot)
{
    uint8_t buf[GVS_ENTRY_LEN_MAX];
    struct gvs_entry e = member_entry(buf, &b->id[of], incarnation, state, boot);

    return gvs_replica_take(&b->r, b->now, b->wall, member(b, from), &e);
}

static int
write_claim(struct bench *b, size_t owner, struct gvs_stamp *stamp)
{
    struct gvs_key key = claim_key(&b->id[owner], 8080);

    return gvs_replica_write(&b->r, b->now, b->wall, &key, false, NULL, 0, stamp);
}

/* Time goes by; what the detector wants of us is done. */
static void
pass(struct bench *b, uint64_t ms)
{
    struct gvs_member_action a;

    for (uint64_t k = 0; k < ms; k += 100) {
        b->now = gvs_mono_add_ms(b->now, 100);
        b->wall.ms += 100;
        while (gvs_members_next(b->r.members, b->now, &a)) {
            if (a.act == GVS_ACT_ASSERT)
                gvs_replica_assert_self(&b->r, b->now);
        }
    }
}

static uint64_t
own_incarnation(struct bench *b, enum gvs_member_state *state)
{
    struct gvs_entry e;

    assert_true(gvs_replica_get_member(&b->r, &b->id[0], &e));
    if (state)
        *state = gvs_member_state(e.order);
    return gvs_member_incarnation(e.order);
}

/* --- stamps --- */

static void
test_stamps_are_held_against_the_median_of_now(void **state)
{
    static const struct {
        const char *why;
        size_t clocks;     /* of others */
        int64_t clocks_ms; /* ahead of ours */
        int64_t stamp_ms;  /* likewise */
        int rc;
    } rows[] = {
        {"now", 3, 0, 0, 1},
        {"long ago", 3, 0, -INT64_C(1700000000000), 1},
        {"30 s ahead", 3, 0, 30000, 1},
        {"a little more", 3, 0, 30001, GVS_E_RANGE},
        {"a year ahead", 3, 0, INT64_C(31536000000), GVS_E_RANGE},
        {"our clock is slow: the others' now", 2, 3600000, 3600000, 1},
        {"and beyond it", 2, 3600000, 3600000 + 30001, GVS_E_RANGE},
        {"our clock is fast: what we think of it is no matter", 3, -3600000, 0, GVS_E_RANGE},
        {"two clocks only: taken", 1, 0, 3600000, 1},
        {"our own only: taken", 0, 0, 3600000, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool deferred = rows[i].rc != 1;
        struct bench b;
        uint64_t clock;

        print_message("%s\n", rows[i].why);
        open_bench(&b, 16);
        set_clocks(&b, rows[i].clocks_ms, rows[i].clocks);
        clock = b.r.clock.last;
        assert_int_equal(take_claim(&b, 1, WALL + (uint64_t)rows[i].stamp_ms), rows[i].rc);
        assert_int_equal(member(&b, 1)->deferred, deferred);
        assert_int_equal(b.r.deferred, deferred);
        assert_int_equal(b.r.ahead, rows[i].clocks < 2);
        assert_int_equal(gvs_table_count(b.r.table[GVS_TABLE_CLAIMS]), !deferred);
        if (deferred)
            assert_int_equal(b.r.clock.last, clock); /* only what is admitted moves our clock */
        close_bench(&b);
    }
}

/* Offered again it is taken once its time has come. A table whose newest entry is old shuts out
 * nothing: it is not with history that stamps are compared. */
static void
test_what_was_deferred_is_taken_when_its_time_has_come(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b, 16);
    set_clocks(&b, 0, 3);
    assert_int_equal(take_claim(&b, 1, WALL + 40000), GVS_E_RANGE);
    pass(&b, 5000);
    assert_int_equal(take_claim(&b, 1, WALL + 40000), GVS_E_RANGE);
    pass(&b, 5000);
    assert_int_equal(take_claim(&b, 1, WALL + 40000), 1);
    pass(&b, 250000);
    set_clocks(&b, 0, 3);
    assert_int_equal(take_claim(&b, 2, b.wall.ms), 1); /* minutes after anything that is held */
    assert_int_equal(take_claim(&b, 1, WALL + 40000), 0);
    close_bench(&b);
}

/* A key that a wrong clock has written would else be locked for as long as that clock was wrong.
 * But thirty seconds an edit, nothing else with it, and not one edit after the other from what
 * anybody may write. */
static void
test_what_lies_ahead_can_be_edited(void **state)
{
    const uint64_t far = WALL + UINT64_C(31536000000);
    uint8_t buf[GVS_ENTRY_LEN_MAX];
    struct gvs_entry e;
    struct bench b;

    (void)state;
    open_bench(&b, 16);
    set_clocks(&b, 0, 3);
    e = claim_entry(buf, &b.id[1], 1, far);
    assert_int_equal(gvs_replica_load(&b.r, b.now, &e), GVS_OK);
    assert_int_equal(take_claim(&b, 1, far + 30001), GVS_E_RANGE);
    assert_int_equal(take_claim(&b, 1, far + 30000), 1);
    assert_int_equal(take_claim(&b, 2, far), GVS_E_RANGE); /* another key */
    assert_int_equal(take_claim(&b, 2, WALL), 1);
    assert_int_equal(take_claim(&b, 2, far), GVS_E_RANGE);
    assert_int_equal(take_claim(&b, 2, WALL + 30000), 1);
    assert_int_equal(take_claim(&b, 2, WALL + 30001), GVS_E_RANGE);
    assert_int_equal(b.r.ahead, 0);
    close_bench(&b);
}

/* More than half of those whose clocks are known, and we are one of them. */
static void
test_what_most_have_seen_is_not_deferred(void **state)
{
    static const struct {
        const char *why;
        size_t clocks; /* of others */
        bool say[PEERS];
        int rc;
    } rows[] = {
        {"nobody", 3, {0}, GVS_E_RANGE},
        {"two others of four", 3, {0, 1, 1, 0}, GVS_E_RANGE},
        {"another and we, of four", 3, {1, 0, 1, 0}, GVS_E_RANGE},
        {"three others of four", 3, {0, 1, 1, 1}, 1},
        {"two others and we, of four", 3, {1, 0, 1, 1}, 1},
        {"another of three", 2, {0, 0, 1, 0}, GVS_E_RANGE},
        {"another and we, of three", 2, {1, 0, 1, 0}, 1},
        {"whose clock is not known has no say", 2, {1, 0, 0, 1}, GVS_E_RANGE},
    };
    const uint64_t far = WALL + UINT64_C(31536000000);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bench b;

        print_message("%s\n", rows[i].why);
        open_bench(&b, 16);
        set_clocks(&b, 0, rows[i].clocks);
        for (size_t k = 1; k < PEERS; k++)
            gvs_member_ahead(b.r.members, member(&b, k), rows[i].say[k]);
        if (rows[i].say[0])
            gvs_hlc_witness(&b.r.clock, gvs_hlc_make(far, 0));
        assert_int_equal(gvs_replica_is_ahead(&b.r, b.now, b.wall), rows[i].say[0]);
        assert_int_equal(take_claim(&b, 1, far), rows[i].rc);
        close_bench(&b);
    }
}

/* Between two honest clocks a third moves the median by as much as those differ. What was taken at
 * the limit before is then beyond it, and neither proves that clocks are wrong nor carries anything
 * further. */
static void
test_t21_one_liar_of_three_gains_nothing_by_moving_the_median(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b, 16);
    set_clocks(&b, 0, 1);
    gvs_member_clock(b.r.members, b.now, member(&b, 2), b.wall.ms - 11000);
    assert_int_equal(take_claim(&b, 1, b.wall.ms + 30000), 1);
    set_clocks(&b, -3600000, 1);
    gvs_member_ahead(b.r.members, member(&b, 1), true);
    assert_int_equal(gvs_members_clock(b.r.members, b.now).median_ms, -11000);
    assert_int_equal(take_claim(&b, 2, b.wall.ms + 30000), GVS_E_RANGE);
    assert_false(gvs_replica_is_ahead(&b.r, b.now, b.wall));
    assert_int_equal(take_claim(&b, 2, b.wall.ms + 3600000), GVS_E_RANGE);
    assert_int_equal(take_claim(&b, 1, b.wall.ms + 30001), GVS_E_RANGE);
    close_bench(&b);
}

static void
test_our_own_disk_is_taken_whatever_its_stamps(void **state)
{
    const uint64_t far = WALL + UINT64_C(31536000000);
    uint8_t buf[GVS_ENTRY_LEN_MAX];
    struct gvs_stamp stamp;
    struct gvs_entry e;
    struct bench b;

    (void)state;
    open_bench(&b, 16);
    set_clocks(&b, 0, 3);
    e = claim_entry(buf, &b.id[1], 1, far);
    assert_int_equal(gvs_replica_load(&b.r, b.now, &e), GVS_OK);
    assert_int_equal(take_claim(&b, 1, far), 0); /* what is held already is not deferred */
    assert_int_equal(b.r.deferred, 0);
    assert_int_equal(write_claim(&b, 0, &stamp), GVS_OK);
    assert_true(stamp.hlc > gvs_hlc_make(far, 0)); /* above all that was seen */
    e = member_entry(buf, &b.id[2], GVS_INCARNATION_MAX, GVS_DEAD, 2);
    assert_int_equal(gvs_replica_load(&b.r, b.now, &e), GVS_OK);
    close_bench(&b);
}

static void
test_a_clock_that_is_off_stamps_nothing(void **state)
{
    static const struct {
        const char *why;
        size_t clocks;
        int64_t clocks_ms;
        int64_t stamp_ms;
    } rows[] = {
        {"right", 3, 0, 0},
        {"15 s slow is right enough", 3, 15000, 0},
        {"more is not", 3, 15001, 15001},
        {"a year slow", 2, INT64_C(31536000000), INT64_C(31536000000)},
        {"an hour fast", 3, -3600000, -3600000},
        {"whom to believe?", 1, 3600000, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gvs_stamp stamp, next;
        struct bench b;

        print_message("%s\n", rows[i].why);
        open_bench(&b, 16);
        set_clocks(&b, rows[i].clocks_ms, rows[i].clocks);
        assert_int_equal(write_claim(&b, 0, &stamp), GVS_OK);
        assert_int_equal(gvs_hlc_ms(stamp.hlc), WALL + (uint64_t)rows[i].stamp_ms);
        b.wall.ms -= 10000; /* ours is set back */
        assert_int_equal(write_claim(&b, 0, &next), GVS_OK);
        assert_true(next.hlc > stamp.hlc);
        close_bench(&b);
    }
}

/* --- incarnations --- */

static void
test_incarnations_that_nobody_can_have_are_refused(void **state)
{
    static const uint64_t free = GVS_INCARNATION_FREE, step = GVS_INCARNATION_STEP;
    const struct {
        const char *why;
        size_t from, of;
        uint64_t incarnation;
        enum gvs_member_state state;
        int rc;
    } rows[] = {
        {"a year of refuting, seen by one who was away", 1, 2, 31536000, GVS_DEAD, 1},
        {"a jump within what is possible", 1, 2, free, GVS_DEAD, 1},
        {"beyond", 1, 2, free + 1, GVS_DEAD, GVS_E_RANGE},
        {"the last one", 1, 2, GVS_INCARNATION_MAX, GVS_DEAD, GVS_E_RANGE},
        {"retired, from there", 1, 2, GVS_INCARNATION_MAX, GVS_LEFT, GVS_E_RANGE},
        {"about us, from a life that we know nothing of", 1, 0, free + 2, GVS_DEAD, 1},
        {"the same, alive", 1, 0, free + 2, GVS_ALIVE, 1},
        {"about us, as far as anything is possible", 1, 0, GVS_INCARNATION_OWN, GVS_DEAD, 1},
        {"beyond", 1, 0, GVS_INCARNATION_OWN + 1, GVS_DEAD, GVS_E_RANGE},
        {"about us, the last one", 1, 0, GVS_INCARNATION_MAX, GVS_DEAD, GVS_E_RANGE},
        {"alive, says another", 1, 2, GVS_INCARNATION_MAX, GVS_ALIVE, GVS_E_RANGE},
        {"alive, it says itself", 2, 2, GVS_INCARNATION_MAX, GVS_ALIVE, 1},
        {"dead, it says itself", 2, 2, GVS_INCARNATION_MAX, GVS_DEAD, GVS_E_RANGE},
    };
    struct bench b;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("%s\n", rows[i].why);
        open_bench(&b, 16);
        assert_int_equal(
            take_member(&b, rows[i].from, rows[i].of, rows[i].incarnation, rows[i].state, 2),
            rows[i].rc);
        assert_int_equal(b.r.leaps, rows[i].rc != 1);
        close_bench(&b);
    }
    open_bench(&b, 16); /* step by step it can be refuted for ever */
    for (uint64_t inc = GVS_INCARNATION_OWN; inc < GVS_INCARNATION_OWN + 100 * step;
         inc = own_incarnation(&b, NULL) + step) {
        assert_int_equal(take_member(&b, 1, 0, inc, GVS_DEAD, BOOT), 1);
        assert_int_equal(own_incarnation(&b, NULL), inc + 1);
    }
    close_bench(&b);
}

static void
test_rumours_about_us_are_refuted_above_them(void **state)
{
    static const enum gvs_member_state said[] = {GVS_SUSPECT, GVS_DEAD};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        enum gvs_member_state is;
        struct gvs_node_event ev;
        struct bench b;

        open_bench(&b, 16);
        assert_int_equal(take_member(&b, 1, 0, 7, said[i], BOOT), 1);
        assert_int_equal(own_incarnation(&b, &is), 8);
        assert_int_equal(is, GVS_ALIVE);
        assert_int_equal(take_member(&b, 1, 0, 7, GVS_DEAD, BOOT), 0); /* below: no news */
        assert_int_equal(own_incarnation(&b, NULL), 8);
        while (gvs_replica_event(&b.r, &ev)) /* it is refuted before anybody is told */
            assert_int_equal(ev.after, GVS_ALIVE);
        assert_false(b.r.cloned);
        close_bench(&b);
    }
}

static void
test_hearsay_about_strangers_leaves_room_for_who_comes_himself(void **state)
{
    uint8_t buf[GVS_ENTRY_LEN_MAX];
    struct gvs_entry e;
    struct gvs_member *m;
    struct gvs_id id;
    struct bench b;

    (void)state;
    open_bench(&b, 20);
    for (uint8_t i = 0; i < 20; i++) {
        id = (struct gvs_id){{7, i}};
        e = member_entry(buf, &id, 1, GVS_DEAD, 1);
        assert_int_equal(gvs_replica_take(&b.r, b.now, b.wall, member(&b, 1), &e),
                         i < 10 ? 1 : GVS_E_FULL);
    }
    id = (struct gvs_id){{8}};
    m = gvs_member_add(b.r.members, &id);
    gvs_member_greeted(b.r.members, b.now, m, 5);
    gvs_member_heard(b.r.members, b.now, m);
    e = member_entry(buf, &id, 1, GVS_ALIVE, 5);
    assert_int_equal(gvs_replica_take(&b.r, b.now, b.wall, m, &e), 1);
    e = member_entry(buf, &b.id[2], 9, GVS_DEAD, 5); /* whom we know is no stranger */
    assert_int_equal(gvs_replica_take(&b.r, b.now, b.wall, member(&b, 1), &e), 1);
    close_bench(&b);
}

/* --- retired --- */

static void
test_a_retired_node_says_nothing_any_more(void **state)
{
    static const struct {
        const char *why;
        bool by_others, told_before_start;
    } rows[] = {{"it left", false, false}, {"others say so", true, false}, {"disk", true, true}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum gvs_member_state is;
        struct gvs_key shared = claim_key(&GVS_ID_CLUSTER, 8080);
        uint8_t buf[GVS_ENTRY_LEN_MAX];
        struct gvs_entry e;
        struct bench b;
        uint64_t before;

        print_message("%s\n", rows[i].why);
        open_bench(&b, 16);
        e = member_entry(buf, &b.id[0], 5, GVS_LEFT, BOOT);
        if (rows[i].told_before_start)
            assert_int_equal(gvs_replica_load(&b.r, b.now, &e), GVS_OK);
        else if (rows[i].by_others)
            assert_int_equal(gvs_replica_take(&b.r, b.now, b.wall, member(&b, 1), &e), 1);
        else
            assert_int_equal(gvs_replica_retire(&b.r, b.now, member(&b, 0)), GVS_OK);
        gvs_replica_start(&b.r, b.now, b.wall);
        assert_true(gvs_replica_retired(&b.r, &b.id[0]));
        before = own_incarnation(&b, &is);
        assert_int_equal(is, GVS_LEFT);
        assert_int_equal(gvs_replica_retire(&b.r, b.now, member(&b, 0)), GVS_OK);
        assert_int_equal(write_claim(&b, 0, NULL), GVS_E_RETIRED);
        assert_int_equal(gvs_replica_write(&b.r, b.now, b.wall, &shared, false, NULL, 0, NULL),
                         GVS_E_RETIRED);
        assert_int_equal(gvs_replica_retire(&b.r, b.now, member(&b, 2)), GVS_E_RETIRED);
        gvs_replica_accuse(&b.r, b.now, member(&b, 2), GVS_DEAD);
        assert_int_equal(member(&b, 2)->state, GVS_ALIVE);
        take_member(&b, 1, 0, 9, GVS_DEAD, BOOT);
        pass(&b, 70000);
        assert_int_equal(own_incarnation(&b, &is), before);
        assert_int_equal(is, GVS_LEFT);
        close_bench(&b);
    }
}

static void
test_nothing_is_written_in_a_retired_members_name(void **state)
{
    uint8_t buf[GVS_ENTRY_LEN_MAX];
    struct gvs_entry e;
    struct bench b;

    (void)state;
    open_bench(&b, 16);
    assert_int_equal(gvs_replica_retire(&b.r, b.now, member(&b, 1)), GVS_OK);
    assert_int_equal(gvs_replica_retire(&b.r, b.now, member(&b, 1)), GVS_OK);
    assert_true(gvs_replica_get_member(&b.r, &b.id[1], &e));
    assert_int_equal(gvs_member_state(e.order), GVS_LEFT);
    assert_true(e.value_len > 0); /* its value is kept */
    assert_int_equal(write_claim(&b, 1, NULL), GVS_E_RETIRED);
    e = claim_entry(buf, &b.id[1], 1, WALL); /* what exists merges in any order */
    assert_int_equal(gvs_replica_take(&b.r, b.now, b.wall, member(&b, 2), &e), 1);
    assert_int_equal(take_member(&b, 1, 1, 99, GVS_ALIVE, 1), 0);
    assert_int_equal(take_member(&b, 1, 1, GVS_INCARNATION_MAX, GVS_ALIVE, 1), 0);
    assert_true(gvs_replica_retired(&b.r, &b.id[1]));
    close_bench(&b);
}

/* --- clones --- */

static void
test_a_former_life_is_outbid_and_a_clone_is_not_duelled_with(void **state)
{
    struct bench b;
    uint64_t inc, rounds = 0;

    (void)state;
    open_bench(&b, 16);
    assert_int_equal(take_member(&b, 1, 0, 50, GVS_ALIVE, 77), 1); /* from before our start */
    assert_int_equal(own_incarnation(&b, NULL), 51);
    assert_false(b.r.cloned);
    assert_int_equal(take_member(&b, 1, 0, 52, GVS_ALIVE, 77), 1);
    assert_true(b.r.cloned);
    assert_int_equal(b.r.cloned_at.us, b.now.us);
    assert_int_equal(b.r.cloned_ep.addr.b[3], 77);
    pass(&b, 14000);
    assert_int_equal(own_incarnation(&b, NULL), 52);
    pass(&b, 2000); /* so that it knows, too, within the minute */
    assert_int_equal(own_incarnation(&b, NULL), 53);
    for (unsigned s = 0; s < 600; s++) { /* it refutes within a second, for ten minutes */
        inc = own_incarnation(&b, NULL);
        if (member(&b, 0)->value.boot == BOOT) {
            rounds++;
            take_member(&b, 1, 0, inc + 1, GVS_ALIVE, 77);
        }
        pass(&b, 1000);
    }
    assert_in_range(rounds, 9, 11);
    close_bench(&b);
}

static void
test_an_accusation_is_refuted_at_once_whatever_clones_do(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b, 16);
    for (uint64_t inc = 10; inc < 20; inc += 2)
        take_member(&b, 1, 0, inc, GVS_ALIVE, 77);
    assert_true(b.r.cloned);
    assert_int_equal(take_member(&b, 1, 0, 30, GVS_SUSPECT, 77), 1);
    assert_int_equal(own_incarnation(&b, NULL), 31);
    assert_int_equal(member(&b, 0)->value.boot, BOOT);
    close_bench(&b);
}

static void
test_claims_of_ours_that_we_did_not_write(void **state)
{
    static const struct {
        const char *why;
        int64_t after_start_ms;
        int64_t clocks_ms; /* of others, beyond ours; */
        size_t clocks;     /* so many */
        bool cloned;
    } rows[] = {{"from a former life", -1000000, 0, 1, false},
                {"from a former life whose clock was ahead", 30000, 0, 1, false},
                {"from nobody but a clone", 70000, 0, 1, true},
                {"the same, by the median of three", 70000, 0, 2, true},
                {"from a former life; we boot a year behind", YEAR_MS, YEAR_MS, 1, false},
                {"from a clone; we boot a year behind", YEAR_MS + 70000, YEAR_MS, 1, true},
                {"nobody knows what time it is", YEAR_MS, 0, 0, false},
                {"nor whether it was a minute after our start", 70000, 0, 0, false}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t buf[GVS_ENTRY_LEN_MAX];
        struct gvs_entry e;
        struct bench b;

        print_message("%s\n", rows[i].why);
        open_bench(&b, 16);
        pass(&b, 80000);
        set_clocks(&b, rows[i].clocks_ms, rows[i].clocks);
        e = claim_entry(buf, &b.id[0], 1, WALL + (uint64_t)rows[i].after_start_ms);
        assert_int_equal(gvs_replica_take(&b.r, b.now, b.wall, member(&b, 1), &e), 1);
        assert_int_equal(b.r.cloned, rows[i].cloned);
        close_bench(&b);
    }
}

/* --- a full table --- */

static struct gvs_key
number_key(unsigned k)
{
    struct gvs_id cluster = {{0}};

    return claim_key(&cluster, (uint16_t)(1 + k));
}

static int
write_number(struct bench *b, unsigned k)
{
    struct gvs_key key = number_key(k);

    return gvs_replica_write(&b->r, b->now, b->wall, &key, true, NULL, 0, NULL);
}

static int
take_number(struct bench *b, unsigned k)
{
    struct gvs_key key = number_key(k);
    uint8_t buf[GVS_ENTRY_LEN_MAX];
    struct gvs_entry e;
    size_t len = gvs_entry_build(buf, &key, gvs_hlc_make(WALL, 0), &b->id[1], true, NULL, 0);

    assert_int_equal(gvs_entry_parse(&e, buf, len), GVS_OK);
    return gvs_replica_take(&b->r, b->now, b->wall, member(b, 1), &e);
}

static void
test_the_last_tenth_of_a_table_is_for_what_others_wrote(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b, 16); /* 1,000 entries */
    for (unsigned k = 0; k < 1000; k++)
        assert_int_equal(write_number(&b, k), GVS_OK);
    assert_int_equal(write_number(&b, 1000), GVS_E_FULL);
    for (unsigned k = 1000; k < 1100; k++)
        assert_int_equal(take_number(&b, k), 1);
    assert_int_equal(take_number(&b, 1100), GVS_E_FULL);
    assert_int_equal(write_number(&b, 1100), GVS_E_FULL);
    assert_int_equal(write_number(&b, 1050), GVS_OK); /* what is there can change */
    assert_int_equal(gvs_table_count(b.r.table[GVS_TABLE_CLAIMS]), 1100);
    close_bench(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stamps_are_held_against_the_median_of_now),
        cmocka_unit_test(test_what_lies_ahead_can_be_edited),
        cmocka_unit_test(test_what_most_have_seen_is_not_deferred),
        cmocka_unit_test(test_what_was_deferred_is_taken_when_its_time_has_come),
        cmocka_unit_test(test_t21_one_liar_of_three_gains_nothing_by_moving_the_median),
        cmocka_unit_test(test_our_own_disk_is_taken_whatever_its_stamps),
        cmocka_unit_test(test_a_clock_that_is_off_stamps_nothing),
        cmocka_unit_test(test_the_last_tenth_of_a_table_is_for_what_others_wrote),
        cmocka_unit_test(test_incarnations_that_nobody_can_have_are_refused),
        cmocka_unit_test(test_rumours_about_us_are_refuted_above_them),
        cmocka_unit_test(test_hearsay_about_strangers_leaves_room_for_who_comes_himself),
        cmocka_unit_test(test_a_retired_node_says_nothing_any_more),
        cmocka_unit_test(test_nothing_is_written_in_a_retired_members_name),
        cmocka_unit_test(test_a_former_life_is_outbid_and_a_clone_is_not_duelled_with),
        cmocka_unit_test(test_an_accusation_is_refuted_at_once_whatever_clones_do),
        cmocka_unit_test(test_claims_of_ours_that_we_did_not_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
