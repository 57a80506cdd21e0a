/* The failure detector on fake time: members that answer or do not, by a script. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/member.h"
#include "test/lib/prng.h"

#define MAX 16
#define RTT_US 400

struct bench {
    struct gvs_members *ms;
    struct gvs_mono now;
    struct gvs_prng prng;
    size_t count;                         /* members, ourselves included; we are number 0 */
    bool silent[MAX];                     /* answers nothing */
    bool unreachable[MAX];                /* answers others, not us */
    bool sleeping;                        /* we do not run */
    unsigned seen[MAX][GVS_ACT_GONE + 1]; /* actions, by member and kind */
    uint64_t last_us[MAX][GVS_ACT_GONE + 1];
};

static void
bench_random(void *ctx, void *buf, size_t len)
{
    struct bench *b = ctx;

    gvs_prng_fill(&b->prng, buf, len);
}

static struct gvs_id
id_of(size_t i)
{
    struct gvs_id id = {{0}};

    id.b[0] = (uint8_t)(1 + i * 37 % 251); /* the order of ids is not that of numbers */
    id.b[1] = (uint8_t)i;
    return id;
}

static struct gvs_member *
member_of(const struct bench *b, size_t i)
{
    struct gvs_id id = id_of(i);

    return gvs_member_get(b->ms, &id);
}

static void
note(struct bench *b, size_t i, uint64_t incarnation, enum gvs_member_state state)
{
    struct gvs_member_value value = {.boot = i};

    gvs_member_note(b->ms, b->now, member_of(b, i), gvs_member_order(incarnation, state), &value);
}

static void
open_bench(struct bench *b, size_t count, uint64_t seed)
{
    struct gvs_id self = id_of(0);

    *b = (struct bench){.count = count, .now = {1000000000}, .prng = gvs_prng_init(seed)};
    b->ms = gvs_members_open(MAX, &self, (struct gvs_random){bench_random, b}, b->now);
    assert_non_null(b->ms);
    note(b, 0, 1, GVS_ALIVE);
    for (size_t i = 1; i < count; i++) {
        struct gvs_id id = id_of(i);

        assert_non_null(gvs_member_add(b->ms, &id));
        member_of(b, i)->up = true;
        note(b, i, 1, GVS_ALIVE);
    }
}

static void
close_bench(struct bench *b)
{
    gvs_members_close(b->ms);
}

static bool
answers_us(const struct bench *b, size_t i)
{
    return !b->silent[i] && !b->unreachable[i];
}

/* What the network makes of an action, at once but for the clock. */
static void
play(struct bench *b, const struct gvs_member_action *a)
{
    size_t i = a->m->id.b[1], helper = a->other ? a->other->id.b[1] : 0;

    b->seen[i][a->act]++;
    b->last_us[i][a->act] = b->now.us;
    if (a->act == GVS_ACT_PROBE && answers_us(b, i)) {
        b->now.us += RTT_US;
        gvs_member_heard(b->ms, b->now, a->m);
        assert_true(gvs_member_answered(b->ms, b->now, a->m, a->seq));
    }
    if (a->act == GVS_ACT_ASK && answers_us(b, helper) && !b->silent[i]) {
        gvs_member_heard(b->ms, b->now, a->other);
        gvs_member_vouched(b->ms, b->now, a->m, a->seq);
    }
    if (a->act == GVS_ACT_SUSPECT)
        note(b, i, a->m->incarnation, GVS_SUSPECT);
    if (a->act == GVS_ACT_DEAD)
        assert_true(b->now.us - a->m->since.us >= GVS_SUSPICION_MS * 1000); /* I2 */
    if (a->act == GVS_ACT_DEAD)
        note(b, i, a->m->incarnation, GVS_DEAD);
}

static void
run(struct bench *b, uint64_t ms)
{
    struct gvs_mono end = gvs_mono_add_ms(b->now, ms);
    struct gvs_member_action a;
    unsigned turns = 0;

    while (b->now.us < end.us) {
        struct gvs_mono at = gvs_members_deadline(b->ms);

        if (at.us > b->now.us) {
            b->now = gvs_mono_min(at, end);
            turns = 0;
        }
        while (gvs_members_next(b->ms, b->now, &a))
            play(b, &a);
        assert_true(++turns < 20); /* time goes on */
    }
}

static unsigned
all(const struct bench *b, enum gvs_member_act act)
{
    unsigned n = 0;

    for (size_t i = 0; i < b->count; i++)
        n += b->seen[i][act];
    return n;
}

/* --- rounds --- */

static void
test_one_probe_a_second_and_everybody_in_turn(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b, 6, 1);
    run(&b, 50000);
    assert_in_range(all(&b, GVS_ACT_PROBE), 49, 51);
    for (size_t i = 1; i < 6; i++)
        assert_in_range(b.seen[i][GVS_ACT_PROBE], 9, 11);
    assert_int_equal(b.seen[0][GVS_ACT_PROBE], 0);
    assert_int_equal(all(&b, GVS_ACT_ASK) + all(&b, GVS_ACT_SUSPECT), 0);
    close_bench(&b);
}

/* What the former process had begun comes up up to 5 s after the new one's first session. */
static void
test_a_late_session_of_a_former_process_is_no_clone(void **state)
{
    struct gvs_id id = id_of(7);
    struct gvs_member *m;
    struct bench b;

    (void)state;
    open_bench(&b, 3, 17);
    m = gvs_member_add(b.ms, &id);
    assert_non_null(m);
    gvs_member_greeted(b.ms, b.now, m, 1);
    gvs_member_heard(b.ms, b.now, m);
    b.now = gvs_mono_add_ms(b.now, 1000);
    gvs_member_greeted(b.ms, b.now, m, 2);
    b.now = gvs_mono_add_ms(b.now, 4999);
    gvs_member_greeted(b.ms, b.now, m, 1);
    assert_false(m->cloned);
    assert_int_equal(m->boot, 2);
    gvs_member_greeted(b.ms, b.now, m, 2);
    assert_false(m->cloned);
    b.now = gvs_mono_add_ms(b.now, 1);
    gvs_member_greeted(b.ms, b.now, m, 1);
    assert_true(m->cloned);
    assert_int_equal(m->boot, 1);
    close_bench(&b);
}

static void
test_who_has_a_session_only_is_probed_too(void **state)
{
    struct gvs_id id = id_of(7);
    struct bench b;

    (void)state;
    open_bench(&b, 3, 17);
    assert_non_null(gvs_member_add(b.ms, &id));
    b.count = 8;
    gvs_member_greeted(b.ms, b.now, member_of(&b, 7), 7);
    gvs_member_heard(b.ms, b.now, member_of(&b, 7));
    run(&b, 10000);
    assert_in_range(b.seen[7][GVS_ACT_PROBE], 3, 4); /* two others are there */
    b.silent[7] = true;
    run(&b, 10000);
    assert_false(member_of(&b, 7)->up);
    assert_int_equal(all(&b, GVS_ACT_SUSPECT), 0); /* of whom? */
    close_bench(&b);
}

static void
test_silence_becomes_suspicion_and_then_death(void **state)
{
    static const size_t sizes[] = {2, 3, 5, 10};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct bench b;
        uint64_t began, round;

        open_bench(&b, sizes[i], 2);
        run(&b, 20000);
        b.silent[1] = true;
        began = b.now.us;
        run(&b, (sizes[i] - 1) * GVS_PERIOD_MS + 4000);
        assert_int_equal(b.seen[1][GVS_ACT_SUSPECT], 1);
        assert_int_equal(b.seen[1][GVS_ACT_DEAD], 1);
        assert_int_equal(all(&b, GVS_ACT_DEAD), 1);
        round = b.last_us[1][GVS_ACT_SUSPECT] - began;
        assert_true(round <= (sizes[i] - 1) * GVS_PERIOD_MS * 1000 + 700000);
        assert_int_equal(b.last_us[1][GVS_ACT_DEAD] - b.last_us[1][GVS_ACT_SUSPECT],
                         GVS_SUSPICION_MS * 1000);
        assert_int_equal(member_of(&b, 1)->state, GVS_DEAD);
        close_bench(&b);
    }
}

static void
test_a_first_miss_asks_again_and_asks_three_others(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b, 8, 3);
    run(&b, 20000);
    memset(b.seen, 0, sizeof b.seen);
    b.silent[4] = true;
    while (b.seen[4][GVS_ACT_SUSPECT] == 0)
        run(&b, 10);
    assert_int_equal(b.seen[4][GVS_ACT_ASK], GVS_HELPERS);
    assert_int_equal(b.seen[4][GVS_ACT_PROBE], 2 + 1); /* the third on being suspect */
    assert_int_equal(b.seen[4][GVS_ACT_CONNECT], 1);
    close_bench(&b);
}

static void
test_whom_others_reach_is_not_accused(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b, 5, 4);
    b.unreachable[2] = true;
    run(&b, 120000);
    assert_true(b.seen[2][GVS_ACT_ASK] > 10);
    assert_int_equal(all(&b, GVS_ACT_SUSPECT), 0);
    close_bench(&b);
}

/* Nor whom we never reached: with no session there is no probe, and helpers are asked all the same.
 */
static void
test_whom_others_reach_is_not_accused_without_a_session(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b, 5, 4);
    b.unreachable[2] = true;
    member_of(&b, 2)->up = false;
    run(&b, 120000);
    assert_int_equal(b.seen[2][GVS_ACT_PROBE], 0);
    assert_true(b.seen[2][GVS_ACT_CONNECT] > 10);
    assert_true(b.seen[2][GVS_ACT_ASK] > 10);
    assert_int_equal(all(&b, GVS_ACT_SUSPECT), 0);
    b.silent[2] = true;
    run(&b, 10000);
    assert_int_equal(b.seen[2][GVS_ACT_SUSPECT], 1);
    close_bench(&b);
}

static void
test_who_speaks_and_never_answers_is_asked_for_a_new_session(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b, 3, 5);
    b.unreachable[1] = true;
    while (b.seen[1][GVS_ACT_CONNECT] == 0) {
        run(&b, 50);
        gvs_member_heard(b.ms, b.now, member_of(&b, 1));
        assert_true(b.seen[1][GVS_ACT_PROBE] <= 4);
    }
    assert_int_equal(b.seen[1][GVS_ACT_PROBE], 4);
    b.unreachable[1] = false;
    run(&b, 60000);
    assert_int_equal(b.seen[1][GVS_ACT_CONNECT], 1);
    assert_int_equal(all(&b, GVS_ACT_CONNECT), 1);
    assert_int_equal(all(&b, GVS_ACT_SUSPECT), 0);
    close_bench(&b);
}

/* --- suspicion --- */

static void
test_a_rumour_is_checked_at_once(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b, 5, 5);
    run(&b, 20000);
    memset(b.seen, 0, sizeof b.seen);
    note(&b, 3, 1, GVS_SUSPECT);
    run(&b, 1);
    assert_int_equal(b.seen[3][GVS_ACT_PROBE], 1);
    close_bench(&b);
}

static void
test_a_sign_of_life_postpones_the_verdict(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b, 5, 6);
    run(&b, 20000);
    note(&b, 3, 1, GVS_SUSPECT); /* it answers us, and never hears that it has to refute */
    run(&b, 60000);
    assert_int_equal(b.seen[3][GVS_ACT_DEAD], 0);
    b.silent[3] = true;
    run(&b, 2 * GVS_SUSPICION_MS + 1000);
    assert_int_equal(b.seen[3][GVS_ACT_DEAD], 1);
    close_bench(&b);
}

static void
test_a_refuted_suspicion_ends(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b, 5, 7);
    run(&b, 20000);
    b.silent[3] = true;
    while (b.seen[3][GVS_ACT_SUSPECT] == 0)
        run(&b, 10);
    run(&b, GVS_SUSPICION_MS - 100);
    note(&b, 3, 2, GVS_ALIVE);
    b.silent[3] = false;
    run(&b, 60000);
    assert_int_equal(all(&b, GVS_ACT_DEAD), 0);
    assert_int_equal(member_of(&b, 3)->incarnation, 2);
    close_bench(&b);
}

static void
test_the_dead_are_tried_for_ever_and_may_return(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b, 4, 8);
    b.silent[1] = true;
    note(&b, 1, 1, GVS_DEAD);
    run(&b, 100000);
    assert_in_range(b.seen[1][GVS_ACT_CONNECT], 18, 27);
    assert_int_equal(b.seen[1][GVS_ACT_SUSPECT], 0);
    memset(b.seen, 0, sizeof b.seen);
    b.silent[1] = false;
    note(&b, 1, 2, GVS_ALIVE);
    run(&b, 1);
    assert_int_equal(b.seen[1][GVS_ACT_PROBE], 1);
    run(&b, 9000);
    assert_int_equal(b.seen[1][GVS_ACT_CONNECT], 0);
    close_bench(&b);
}

static void
test_who_has_left_is_let_go(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b, 3, 9);
    note(&b, 1, 1, GVS_LEFT);
    memset(b.seen, 0, sizeof b.seen);
    run(&b, 60000);
    for (unsigned act = 0; act <= GVS_ACT_GONE; act++)
        assert_int_equal(b.seen[1][act], 0);
    close_bench(&b);
}

/* --- doubting ourselves --- */

static void
test_who_hears_nobody_doubts_itself_first(void **state)
{
    struct bench b;
    uint64_t began;

    (void)state;
    open_bench(&b, 6, 10);
    run(&b, 20000);
    began = b.now.us;
    for (size_t i = 1; i < 6; i++)
        b.silent[i] = true;
    while (all(&b, GVS_ACT_SUSPECT) == 0)
        run(&b, 10);
    assert_true(b.now.us - began > 2000000); /* one silent member among talking ones takes 0.6 s */
    run(&b, 60000);
    assert_int_equal(all(&b, GVS_ACT_DEAD), 5); /* but not for ever */
    close_bench(&b);
}

static void
test_who_did_not_run_accuses_nobody(void **state)
{
    static const uint64_t sleeps[] = {1000, 2100, 5000, 3600000};

    (void)state;
    for (size_t i = 0; i < sizeof sleeps / sizeof *sleeps; i++) {
        struct gvs_member_action a;
        struct bench b;

        open_bench(&b, 5, 11 + i);
        b.silent[1] = b.silent[2] = true;
        while (b.seen[1][GVS_ACT_SUSPECT] == 0 ||
               member_of(&b, 2)->stage == GVS_STAGE_IDLE) /* one suspect, one in mid-round */
            run(&b, 10);
        b.silent[1] = b.silent[2] = false;
        memset(b.seen, 0, sizeof b.seen);
        b.now = gvs_mono_add_ms(b.now, sleeps[i]);
        while (gvs_members_next(b.ms, b.now, &a))
            play(&b, &a);
        assert_int_equal(all(&b, GVS_ACT_DEAD) + all(&b, GVS_ACT_SUSPECT), 0);
        run(&b, 10000);
        assert_int_equal(all(&b, GVS_ACT_DEAD), 0);
        close_bench(&b);
    }
}

/* --- gone --- */

static void
test_t16_dead_is_a_rumour_until_our_own_round_failed(void **state)
{
    struct bench b;
    uint64_t heard_of;

    (void)state;
    open_bench(&b, 5, 20);
    run(&b, 20000);
    memset(b.seen, 0, sizeof b.seen);
    note(&b, 3, 1, GVS_DEAD); /* it lives, and answers us: whatever is said */
    assert_false(member_of(&b, 3)->gone);
    run(&b, 60000);
    assert_false(member_of(&b, 3)->gone);
    assert_int_equal(b.seen[3][GVS_ACT_GONE], 0);
    assert_true(b.seen[3][GVS_ACT_TELL] >= 1);
    b.unreachable[3] = true; /* others may vouch for it as they like */
    heard_of = b.now.us;
    run(&b, 3000);
    assert_true(member_of(&b, 3)->gone);
    assert_int_equal(b.seen[3][GVS_ACT_GONE], 1);
    assert_in_range(member_of(&b, 3)->gone_since.us - heard_of, 200000, 1500000);
    assert_int_equal(b.seen[3][GVS_ACT_ASK], 0);
    close_bench(&b);
}

static uint64_t
latest_seq(const struct bench *b, size_t i)
{
    const struct gvs_member *m = member_of(b, i);

    return m->asked[(m->asked_count - 1) % GVS_ASKED_MAX].seq;
}

/* Neither without a handshake of our own, nor before both had their time. */
static void
test_gone_takes_a_whole_round_by_probe_and_handshake(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b, 5, 21);
    run(&b, 20000);
    memset(b.seen, 0, sizeof b.seen);
    b.silent[3] = true;
    note(&b, 3, 1, GVS_DEAD);
    run(&b, 2 * GVS_PROBE_TIMEOUT_MS_MIN - 5);
    gvs_member_vouched(b.ms, b.now, member_of(&b, 3), latest_seq(&b, 3)); /* it is our probe */
    assert_false(member_of(&b, 3)->gone);
    assert_int_equal(b.seen[3][GVS_ACT_CONNECT], 1);
    assert_int_equal(b.seen[3][GVS_ACT_PROBE], 2);
    run(&b, 10);
    assert_true(member_of(&b, 3)->gone);
    run(&b, 20000);
    assert_true(member_of(&b, 3)->gone);
    gvs_member_heard(b.ms, b.now, member_of(&b, 3)); /* that it is dead stands in the table still */
    assert_false(member_of(&b, 3)->gone);
    run(&b, 1);
    assert_int_equal(b.seen[3][GVS_ACT_GONE], 2);
    close_bench(&b);
}

static void
test_what_is_heard_in_the_round_saves_it(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b, 5, 22);
    run(&b, 20000);
    for (unsigned k = 0; k < 50; k++) {
        b.silent[3] = true;
        note(&b, 3, 1 + k, GVS_DEAD);
        run(&b, 150);
        gvs_member_heard(b.ms, b.now, member_of(&b, 3)); /* a datagram, of whatever kind */
        b.silent[3] = false;
        run(&b, 2000);
        assert_false(member_of(&b, 3)->gone);
    }
    close_bench(&b);
}

static void
test_suspects_and_the_living_are_never_gone(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b, 2, 23);
    run(&b, 20000);
    b.silent[1] = true;
    while (b.seen[1][GVS_ACT_DEAD] == 0) {
        assert_false(member_of(&b, 1)->gone);
        run(&b, 1);
    }
    run(&b, 500);
    assert_true(member_of(&b, 1)->gone);
    note(&b, 1, 2, GVS_ALIVE); /* somebody else has heard it refute */
    assert_false(member_of(&b, 1)->gone);
    run(&b, 1);
    assert_int_equal(b.seen[1][GVS_ACT_GONE], 2);
    close_bench(&b);
}

/* How long until it is believed again. */
static void
test_who_falls_again_and_again_is_believed_later_and_later(void **state)
{
    static const struct {
        unsigned fall;
        uint64_t hold_ms;
    } rows[] = {{1, 0}, {2, 0}, {3, 4000}, {4, 8000}, {5, 16000}, {6, 32000}, {7, 60000}};
    struct bench b;
    uint64_t began;

    (void)state;
    open_bench(&b, 3, 24);
    run(&b, 20000);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        b.silent[1] = true;
        note(&b, 1, rows[i].fall, GVS_DEAD);
        run(&b, 5000);
        assert_true(member_of(&b, 1)->gone); /* and never later than the first time */
        b.silent[1] = false;
        note(&b, 1, rows[i].fall + 1, GVS_ALIVE);
        began = b.now.us;
        while (member_of(&b, 1)->gone)
            run(&b, 10);
        assert_in_range(b.now.us - began, rows[i].hold_ms * 1000, rows[i].hold_ms * 1000 + 20000);
    }
    run(&b, 1000000); /* forgotten after a while */
    b.silent[1] = true;
    note(&b, 1, 20, GVS_DEAD);
    run(&b, 5000);
    note(&b, 1, 21, GVS_ALIVE);
    assert_false(member_of(&b, 1)->gone);
    close_bench(&b);
}

static void
test_a_fall_while_it_is_held_begins_anew(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b, 3, 25);
    run(&b, 20000);
    for (unsigned k = 1; k <= 4; k++) {
        b.silent[1] = true;
        note(&b, 1, 2 * k, GVS_DEAD);
        run(&b, 3000);
        b.silent[1] = false;
        note(&b, 1, 2 * k + 1, GVS_ALIVE);
        run(&b, 10);
    }
    assert_true(member_of(&b, 1)->gone);
    run(&b, 8000 - 50); /* the fourth holds it for 8 s */
    b.silent[1] = true;
    note(&b, 1, 20, GVS_DEAD);
    for (unsigned k = 0; k < 1400; k++) { /* nobody hears it, or once: no hold runs out */
        if (k == 700)
            gvs_member_heard(b.ms, b.now, member_of(&b, 1));
        run(&b, 100);
        assert_true(member_of(&b, 1)->gone);
    }
    close_bench(&b);
}

static void
test_a_rumour_is_not_believed_for_a_time_in_which_we_did_not_run(void **state)
{
    struct gvs_member_action a;
    struct bench b;

    (void)state;
    open_bench(&b, 5, 26);
    run(&b, 20000);
    b.silent[3] = true;
    note(&b, 3, 1, GVS_DEAD);
    run(&b, 50);
    b.silent[3] = false;
    b.now = gvs_mono_add_ms(b.now, 60000);
    while (gvs_members_next(b.ms, b.now, &a))
        play(&b, &a);
    run(&b, 5000);
    assert_false(member_of(&b, 3)->gone);
    assert_int_equal(b.seen[3][GVS_ACT_GONE], 0);
    close_bench(&b);
}

static void
test_the_accused_is_told_at_once_and_again_when_it_speaks(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b, 5, 27);
    run(&b, 20000);
    b.silent[3] = true;
    note(&b, 3, 1, GVS_SUSPECT);
    run(&b, 1);
    assert_int_equal(b.seen[3][GVS_ACT_TELL], 1);
    run(&b, 5000);
    assert_int_equal(b.seen[3][GVS_ACT_DEAD], 1);
    assert_int_equal(b.seen[3][GVS_ACT_TELL], 2);
    for (unsigned k = 0; k < 10; k++) {
        gvs_member_heard(b.ms, b.now, member_of(&b, 3));
        run(&b, 1);
    }
    assert_int_equal(b.seen[3][GVS_ACT_TELL], 3); /* not for each datagram */
    close_bench(&b);
}

/* --- how long suspicion lasts --- */

static void
test_a_network_that_cries_wolf_gets_more_time(void **state)
{
    struct bench b;
    uint64_t first, later;

    (void)state;
    open_bench(&b, 5, 28);
    run(&b, 20000);
    note(&b, 3, 1, GVS_SUSPECT);
    first = member_of(&b, 3)->verdict.us - b.now.us;
    assert_int_equal(first, GVS_SUSPICION_MS * 1000);
    for (uint64_t k = 2; k < 20; k++) {
        note(&b, 3, k, GVS_ALIVE);
        note(&b, 3, k, GVS_SUSPECT);
    }
    later = member_of(&b, 3)->verdict.us - b.now.us;
    assert_int_equal(later, 3 * first);
    note(&b, 3, 30, GVS_ALIVE);
    run(&b, 120000); /* and then forgets */
    note(&b, 3, 30, GVS_SUSPECT);
    assert_int_equal(member_of(&b, 3)->verdict.us - b.now.us, first);
    close_bench(&b);
}

static void
test_a_quiet_cluster_is_no_reason_for_doubt(void **state)
{
    struct bench b;
    uint64_t began;

    (void)state;
    open_bench(&b, 3, 29);
    run(&b, 20000);
    b.silent[1] = true;
    while (member_of(&b, 1)->stage == GVS_STAGE_IDLE)
        run(&b, 1);
    began = b.now.us;
    while (b.seen[1][GVS_ACT_SUSPECT] == 0)
        run(&b, 1);
    assert_true(b.now.us - began <= 410000); /* the other one was asked, and it answered us */
    close_bench(&b);
}

static void
test_a_rumour_in_a_quiet_cluster_is_no_reason_for_doubt(void **state)
{
    (void)state;
    for (uint64_t k = 0; k < 10; k++) {
        struct bench b;

        open_bench(&b, 3, 37);
        run(&b, 20000 + 97 * k); /* at whatever time of a period */
        b.silent[1] = true;
        note(&b, 1, 1, GVS_DEAD);
        run(&b, 2 * GVS_PROBE_TIMEOUT_MS_MIN + 5);
        assert_true(member_of(&b, 1)->gone); /* the other one was asked, and it answered us */
        close_bench(&b);
    }
}

/* --- favours, samples, places --- */

static void
test_a_favour_is_done_once_and_only_on_an_answer(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b, 5, 14);
    run(&b, 20000);
    gvs_member_favour(b.ms, b.now, member_of(&b, 1), 77, member_of(&b, 2));
    run(&b, 10);
    assert_int_equal(b.seen[2][GVS_ACT_VOUCH], 1);
    b.silent[3] = true;
    gvs_member_favour(b.ms, b.now, member_of(&b, 1), 78, member_of(&b, 3));
    run(&b, 1500);
    b.silent[3] = false;
    gvs_member_heard(b.ms, b.now, member_of(&b, 3)); /* too late */
    run(&b, 3000);
    assert_int_equal(b.seen[3][GVS_ACT_VOUCH], 0);
    for (uint64_t seq = 100; seq < 200; seq++) /* more than are remembered */
        gvs_member_favour(b.ms, b.now, member_of(&b, 1), seq, member_of(&b, 2));
    run(&b, 10);
    assert_in_range(b.seen[2][GVS_ACT_VOUCH], 2, 40);
    close_bench(&b);
}

static void
test_only_the_latest_probes_can_be_answered(void **state)
{
    struct gvs_member_action a;
    struct gvs_member *m;
    struct bench b;
    uint64_t seq[6];

    (void)state;
    open_bench(&b, 3, 15);
    m = member_of(&b, 1);
    for (size_t i = 0; i < 6; i++) {
        gvs_member_probe(b.ms, b.now, m);
        do
            assert_true(gvs_members_next(b.ms, b.now, &a));
        while (a.act != GVS_ACT_PROBE || a.m != m);
        seq[i] = a.seq;
        b.now.us += 1000;
    }
    assert_false(gvs_member_answered(b.ms, b.now, m, 0));
    assert_false(gvs_member_answered(b.ms, b.now, m, seq[0]));
    assert_false(gvs_member_answered(b.ms, b.now, member_of(&b, 2), seq[5]));
    assert_true(gvs_member_answered(b.ms, b.now, m, seq[5]));
    assert_int_equal(m->answered.us, b.now.us - 1000);
    assert_int_equal(m->rtt_us, 1000);
    assert_true(gvs_member_answered(b.ms, b.now, m, seq[3])); /* late, but an answer */
    assert_int_equal(m->answered.us, b.now.us - 1000);
    close_bench(&b);
}

/* Somebody waits for what all hold, and asks every 50 ms; the network is slow. */
static void
test_who_answers_slowly_has_answered_however_often_we_ask(void **state)
{
    static const uint64_t rtts[] = {0, 199000, 250000, 400000, 900000};

    (void)state;
    for (size_t i = 0; i < 2 * sizeof rtts / sizeof *rtts; i++) {
        uint64_t rtt = rtts[i / 2], seq[200], sent[200], first;
        size_t asked = 0, answered = 0;
        struct gvs_member_action a;
        struct gvs_member *m;
        struct bench b;

        open_bench(&b, 2, 16);
        m = member_of(&b, 1);
        first = b.now.us;
        for (; b.now.us < first + 2000000; b.now.us += 1000) {
            if ((b.now.us - first) % 50000 == 0 && i % 2 == 0)
                gvs_members_probe_all(b.ms, b.now);
            else if ((b.now.us - first) % 50000 == 0)
                gvs_members_probe_some(b.ms, b.now, 8);
            while (gvs_members_next(b.ms, b.now, &a)) {
                if (a.act == GVS_ACT_PROBE) {
                    seq[asked] = a.seq;
                    sent[asked++] = b.now.us;
                }
            }
            for (; answered < asked && sent[answered] + rtt <= b.now.us; answered++) {
                gvs_member_heard(b.ms, b.now, m);
                gvs_member_answered(b.ms, b.now, m, seq[answered]);
            }
        }
        assert_true(m->answered.us + rtt + 500000 > b.now.us);
        close_bench(&b);
    }
}

/* But not for ever: what is lost is asked again. */
static void
test_who_owes_four_answers_is_asked_again_after_a_second(void **state)
{
    struct bench b;
    unsigned asked;

    (void)state;
    open_bench(&b, 2, 17);
    b.silent[1] = true;
    for (size_t i = 0; i < 18; i++) {
        gvs_members_probe_all(b.ms, b.now);
        run(&b, 50);
    }
    assert_in_range(b.seen[1][GVS_ACT_PROBE], 4, 5); /* the detector's own may be one of them */
    run(&b, 400);
    asked = b.seen[1][GVS_ACT_PROBE];
    gvs_members_probe_all(b.ms, b.now);
    run(&b, 1);
    assert_int_equal(b.seen[1][GVS_ACT_PROBE], asked + 1);
    close_bench(&b);
}

static void
test_places_are_bounded_and_in_order_of_ids(void **state)
{
    struct bench b;
    struct gvs_id id;

    (void)state;
    open_bench(&b, MAX, 16);
    id = id_of(MAX);
    assert_null(gvs_member_add(b.ms, &id));
    assert_null(gvs_member_get(b.ms, &id));
    assert_int_equal(gvs_members_count(b.ms), MAX);
    for (size_t i = 1; i < MAX; i++)
        assert_true(gvs_id_cmp(&gvs_members_ith(b.ms, i - 1)->id, &gvs_members_ith(b.ms, i)->id) <
                    0);
    for (size_t i = 0; i < MAX; i++)
        assert_int_equal(gvs_member_number(b.ms, gvs_members_place(b.ms, i)), i);
    assert_int_equal(gvs_members_counted(b.ms, GVS_ALIVE), MAX);
    run(&b, 100000);
    close_bench(&b);
}

/* Whatever happens: never an accusation of ourselves, DEAD only after the whole time-out as
 * SUSPECT, and time goes on. */
static void
test_invariants_hold_under_random_scripts(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 300); seed++) {
        struct bench b;

        open_bench(&b, 2 + seed % (MAX - 1), seed);
        for (unsigned step = 0; step < 60; step++) {
            size_t i = 1 + gvs_prng_below(&b.prng, (uint32_t)b.count - 1);

            switch (gvs_prng_below(&b.prng, 6)) {
            case 0:
                b.silent[i] = !b.silent[i];
                break;
            case 1:
                b.unreachable[i] = !b.unreachable[i];
                break;
            case 2:
                note(&b, i, member_of(&b, i)->incarnation + 1, GVS_ALIVE);
                break;
            case 3:
                member_of(&b, i)->up = !member_of(&b, i)->up;
                break;
            case 4:
                gvs_member_favour(b.ms, b.now, member_of(&b, i), step, member_of(&b, 1));
                break;
            default:
                b.now = gvs_mono_add_ms(b.now, gvs_prng_below(&b.prng, 8000)); /* we slept */
            }
            run(&b, gvs_prng_below(&b.prng, 3000));
        }
        for (unsigned act = 0; act <= GVS_ACT_GONE; act++)
            assert_int_equal(b.seen[0][act], 0);
        close_bench(&b);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_probe_a_second_and_everybody_in_turn),
        cmocka_unit_test(test_a_late_session_of_a_former_process_is_no_clone),
        cmocka_unit_test(test_who_has_a_session_only_is_probed_too),
        cmocka_unit_test(test_silence_becomes_suspicion_and_then_death),
        cmocka_unit_test(test_a_first_miss_asks_again_and_asks_three_others),
        cmocka_unit_test(test_whom_others_reach_is_not_accused),
        cmocka_unit_test(test_whom_others_reach_is_not_accused_without_a_session),
        cmocka_unit_test(test_who_speaks_and_never_answers_is_asked_for_a_new_session),
        cmocka_unit_test(test_a_rumour_is_checked_at_once),
        cmocka_unit_test(test_a_sign_of_life_postpones_the_verdict),
        cmocka_unit_test(test_a_refuted_suspicion_ends),
        cmocka_unit_test(test_the_dead_are_tried_for_ever_and_may_return),
        cmocka_unit_test(test_who_has_left_is_let_go),
        cmocka_unit_test(test_who_hears_nobody_doubts_itself_first),
        cmocka_unit_test(test_who_did_not_run_accuses_nobody),
        cmocka_unit_test(test_t16_dead_is_a_rumour_until_our_own_round_failed),
        cmocka_unit_test(test_gone_takes_a_whole_round_by_probe_and_handshake),
        cmocka_unit_test(test_what_is_heard_in_the_round_saves_it),
        cmocka_unit_test(test_suspects_and_the_living_are_never_gone),
        cmocka_unit_test(test_who_falls_again_and_again_is_believed_later_and_later),
        cmocka_unit_test(test_a_fall_while_it_is_held_begins_anew),
        cmocka_unit_test(test_a_rumour_is_not_believed_for_a_time_in_which_we_did_not_run),
        cmocka_unit_test(test_the_accused_is_told_at_once_and_again_when_it_speaks),
        cmocka_unit_test(test_a_network_that_cries_wolf_gets_more_time),
        cmocka_unit_test(test_a_quiet_cluster_is_no_reason_for_doubt),
        cmocka_unit_test(test_a_rumour_in_a_quiet_cluster_is_no_reason_for_doubt),
        cmocka_unit_test(test_a_favour_is_done_once_and_only_on_an_answer),
        cmocka_unit_test(test_only_the_latest_probes_can_be_answered),
        cmocka_unit_test(test_who_answers_slowly_has_answered_however_often_we_ask),
        cmocka_unit_test(test_who_owes_four_answers_is_asked_again_after_a_second),
        cmocka_unit_test(test_places_are_bounded_and_in_order_of_ids),
        cmocka_unit_test_teardown(test_invariants_hold_under_random_scripts, test_seed_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
