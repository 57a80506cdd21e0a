/* What is in the air, against a list that says so plainly; and what of it a bad link leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/pace.h"
#include "test/lib/prng.h"

#define SENT_MAX 4000

static const struct gvs_cargo nothing;

static struct gvs_cargo
cargo_of(uint64_t seq)
{
    return (struct gvs_cargo){.kind = GVS_CARGO_RANGE, .first = seq, .last = ~seq, .end = 3 * seq};
}

static struct gvs_pace
paced(void)
{
    struct gvs_pace p = {.seq = 0};

    gvs_pace_reset(&p);
    return p;
}

/* Sends as many as it may, at most `max`. Returns how many. */
static unsigned
fill(struct gvs_pace *p, struct gvs_mono now, unsigned max)
{
    unsigned n = 0;

    for (; n < max && gvs_pace_open(p); n++)
        gvs_pace_fly(p, now, &nothing);
    return n;
}

/* --- against a naive model --- */

struct model {
    uint64_t sent[SENT_MAX]; /* when, by number */
    bool flies[SENT_MAX];
    unsigned flying;
};

static void
assert_is(const struct gvs_pace *p, const struct model *m)
{
    uint64_t oldest = UINT64_MAX;
    struct gvs_mono at;

    assert_int_equal(p->flying, m->flying);
    assert_in_range(p->window, GVS_WINDOW_MIN, GVS_FLIGHTS_MAX);
    for (uint64_t seq = p->seq; seq > 0; seq--) {
        assert_int_equal(gvs_pace_sent(p, seq, &at), m->flies[seq]);
        if (!m->flies[seq])
            continue;
        assert_int_equal(at.us, m->sent[seq]);
        oldest = m->sent[seq];
    }
    assert_int_equal(gvs_pace_oldest(p).us, oldest);
    assert_int_equal(gvs_pace_deadline(p).us == UINT64_MAX, m->flying == 0);
    assert_false(gvs_pace_sent(p, 0, &at));
    assert_false(gvs_pace_sent(p, p->seq + 1, &at));
}

static void
model_end(struct model *m, const struct gvs_flight *f, uint64_t seq)
{
    struct gvs_cargo cargo = cargo_of(seq);

    assert_true(m->flies[seq]); /* I2 */
    assert_int_equal(f->sent.us, m->sent[seq]);
    assert_true(f->cargo.first == cargo.first && f->cargo.end == cargo.end);
    assert_int_equal(f->cargo.kind, cargo.kind);
    m->flies[seq] = false;
    m->flying--;
}

static void
model_land(struct gvs_pace *p, struct model *m, uint64_t seq)
{
    const struct gvs_flight *f = gvs_pace_land(p, seq);

    assert_int_equal(f != NULL, seq < SENT_MAX && m->flies[seq]);
    if (f)
        model_end(m, f, seq);
}

static void
test_each_flight_ends_exactly_once(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 100); seed++) {
        struct gvs_prng prng = gvs_prng_init(seed);
        struct model *m = calloc(1, sizeof *m);
        struct gvs_pace p = paced();
        struct gvs_mono now = {1000000};
        uint64_t sent = 0;
        uint32_t mood = 1 + gvs_prng_below(&prng, 6); /* landings among seven events */

        assert_non_null(m);
        while (p.seq < 1000) {
            struct gvs_flight lost;
            uint32_t die = gvs_prng_below(&prng, 8);

            now.us += gvs_prng_below(&prng, 3000);
            if (die > mood) {
                struct gvs_cargo cargo = cargo_of(p.seq + 1);

                assert_true(p.flying < p.window || !gvs_pace_open(&p)); /* I1 */
                if (gvs_pace_open(&p)) {
                    m->sent[p.seq + 1] = now.us;
                    m->flies[p.seq + 1] = true;
                    m->flying++;
                    assert_true(gvs_pace_fly(&p, now, &cargo) == ++sent);
                }
            } else if (die > 0) {
                model_land(&p, m,
                           p.seq - gvs_prng_below(&prng, 1 + (uint32_t)p.flying * 2) % (p.seq + 1));
                gvs_pace_sample(&p, gvs_prng_below(&prng, 20000));
            } else {
                bool due = gvs_pace_deadline(&p).us <= now.us;

                if (gvs_prng_chance(&prng, 1, 50)) {
                    gvs_pace_doom(&p);
                    due = m->flying > 0;
                }
                for (; gvs_pace_expire(&p, now, &lost); due = false)
                    model_end(m, &lost, lost.seq);
                assert_false(due);
            }
            assert_is(&p, m);
        }
        gvs_pace_reset(&p);
        memset(m->flies, 0, sizeof m->flies);
        m->flying = 0;
        assert_is(&p, m);
        assert_true(gvs_pace_fly(&p, now, &nothing) == sent + 1); /* its numbers go on */
        free(m);
    }
}

static void
test_never_more_than_the_places_fly(void **state)
{
    struct gvs_pace p = paced();

    (void)state;
    p.window = GVS_FLIGHTS_MAX;
    assert_int_equal(fill(&p, (struct gvs_mono){1}, 1000), GVS_FLIGHTS_MAX);
    for (uint64_t seq = 2; seq <= p.seq; seq++)
        assert_non_null(gvs_pace_land(&p, seq));
    assert_false(gvs_pace_open(&p)); /* the first still stands where the next one would */
    assert_non_null(gvs_pace_land(&p, 1));
    assert_true(gvs_pace_open(&p));
}

static void
test_what_is_unknown_does_not_land(void **state)
{
    struct gvs_pace p = paced();

    (void)state;
    assert_null(gvs_pace_land(&p, 0));
    assert_null(gvs_pace_land(&p, 1));
    fill(&p, (struct gvs_mono){1}, 3);
    assert_null(gvs_pace_land(&p, 2 + GVS_FLIGHTS_MAX)); /* the same place */
    assert_null(gvs_pace_land(&p, UINT64_MAX));
    assert_non_null(gvs_pace_land(&p, 2));
    assert_null(gvs_pace_land(&p, 2));
    assert_int_equal(p.flying, 2);
}

/* --- when one is lost --- */

static void
test_lost_at_the_time_out_and_not_before(void **state)
{
    struct gvs_pace p = paced();
    struct gvs_flight lost;

    (void)state;
    fill(&p, (struct gvs_mono){5000}, 1);
    assert_int_equal(gvs_pace_deadline(&p).us, 5000 + GVS_RTO_US_START);
    assert_false(gvs_pace_expire(&p, (struct gvs_mono){5000 + GVS_RTO_US_START - 1}, &lost));
    assert_true(gvs_pace_expire(&p, (struct gvs_mono){5000 + GVS_RTO_US_START}, &lost));
    assert_int_equal(lost.seq, 1);
    assert_false(gvs_pace_expire(&p, (struct gvs_mono){UINT64_MAX - 1}, &lost));
    assert_int_equal(gvs_pace_deadline(&p).us, UINT64_MAX);
}

static void
settle_round_trip(struct gvs_pace *p, uint64_t us)
{
    for (unsigned i = 0; i < 100; i++)
        gvs_pace_sample(p, us);
}

static void
test_overtaken_by_eight_is_lost_after_a_quarter_round_trip(void **state)
{
    struct gvs_pace p = paced();
    struct gvs_flight lost;
    uint64_t at;

    (void)state;
    settle_round_trip(&p, 20000);
    fill(&p, (struct gvs_mono){1000000}, 10);
    assert_non_null(gvs_pace_land(&p, 8));
    assert_int_equal(gvs_pace_deadline(&p).us, 1000000 + gvs_pace_rto_us(&p)); /* seven are few */
    assert_non_null(gvs_pace_land(&p, 9));
    at = gvs_pace_deadline(&p).us;
    assert_in_range(at, 1025000, 1025010); /* some samples leave a little variance */
    assert_true(at < 1000000 + gvs_pace_rto_us(&p));
    assert_false(gvs_pace_expire(&p, (struct gvs_mono){at - 1}, &lost));
    assert_true(gvs_pace_expire(&p, (struct gvs_mono){at}, &lost));
    assert_int_equal(lost.seq, 1);
    assert_false(gvs_pace_expire(&p, (struct gvs_mono){at}, &lost)); /* 2 was not overtaken */
}

static void
test_to_be_overtaken_never_makes_it_later(void **state)
{
    struct gvs_pace p = paced();
    uint64_t at;

    (void)state;
    settle_round_trip(&p, 200000); /* a quarter of it is more than the margin of the time-out */
    fill(&p, (struct gvs_mono){1000000}, 10);
    at = gvs_pace_deadline(&p).us;
    assert_non_null(gvs_pace_land(&p, 9));
    assert_true(gvs_pace_deadline(&p).us <= at);
}

static void
test_the_doomed_are_lost_at_once_and_say_nothing_of_the_link(void **state)
{
    struct gvs_pace p = paced();
    struct gvs_mono now = {1000000};
    struct gvs_flight lost;
    unsigned n;

    (void)state;
    n = fill(&p, now, 100);
    gvs_pace_doom(&p);
    assert_true(gvs_pace_deadline(&p).us <= now.us);
    for (unsigned i = 1; i <= n; i++) {
        assert_true(gvs_pace_expire(&p, now, &lost));
        assert_int_equal(lost.seq, i);
    }
    assert_false(gvs_pace_expire(&p, now, &lost));
    assert_int_equal(p.window, GVS_WINDOW_START);
    assert_int_equal(gvs_pace_rto_us(&p), GVS_RTO_US_START);
    fill(&p, now, 1); /* what is sent later is not doomed */
    assert_false(gvs_pace_expire(&p, now, &lost));
}

/* --- the round trip (RFC 6298) --- */

static void
test_the_time_out_follows_the_round_trip(void **state)
{
    struct gvs_pace p = paced();
    uint64_t calm;

    (void)state;
    assert_int_equal(gvs_pace_rto_us(&p), GVS_RTO_US_START);
    gvs_pace_sample(&p, 1000); /* the first: half of it is the variance */
    assert_int_equal(gvs_pace_rto_us(&p), 1000 + 4 * 500 + GVS_RTO_US_MIN);
    settle_round_trip(&p, 1000);
    calm = gvs_pace_rto_us(&p);
    assert_in_range(calm, 1000 + GVS_RTO_US_MIN, 1010 + GVS_RTO_US_MIN);
    gvs_pace_sample(&p, 9000); /* seven eighths of the old, one of the new; and it varies */
    assert_in_range(gvs_pace_rto_us(&p), 10000 + GVS_RTO_US_MIN, 10010 + GVS_RTO_US_MIN);
    settle_round_trip(&p, 0); /* within one tick of the clock: known all the same */
    assert_in_range(gvs_pace_rto_us(&p), GVS_RTO_US_MIN, 50 + GVS_RTO_US_MIN);
}

static void
test_the_time_out_doubles_until_something_lands(void **state)
{
    struct gvs_pace p = paced();
    struct gvs_mono now = {1000000};
    uint64_t before = 0, rto;
    struct gvs_flight lost;

    (void)state;
    settle_round_trip(&p, 20000);
    for (unsigned i = 0; i < 12; i++) {
        rto = gvs_pace_rto_us(&p);
        assert_true(i == 0 || rto == 2 * before || rto == GVS_RTO_US_MAX);
        before = rto;
        fill(&p, now, 1);
        now = gvs_pace_deadline(&p);
        assert_true(gvs_pace_expire(&p, now, &lost));
    }
    assert_int_equal(before, GVS_RTO_US_MAX);
    fill(&p, now, 1);
    assert_non_null(gvs_pace_land(&p, p.seq));
    assert_in_range(gvs_pace_rto_us(&p), 30000, 30100);
}

/* --- the window --- */

/* A round: as many as may fly, of which the first `losses` are lost; the others land. */
static void
fly_round(struct gvs_pace *p, struct gvs_mono *now, unsigned losses)
{
    uint64_t first = p->seq + 1;
    unsigned n = fill(p, *now, GVS_FLIGHTS_MAX);
    struct gvs_flight lost;

    now->us += 1000;
    for (unsigned i = losses; i < n; i++)
        assert_non_null(gvs_pace_land(p, first + i));
    while (p->flying > 0) {
        *now = gvs_pace_deadline(p);
        assert_true(gvs_pace_expire(p, *now, &lost));
    }
}

/* The air is always full. */
static void
test_the_window_grows_by_half_a_round_without_loss(void **state)
{
    struct gvs_mono now = {1000000};
    struct gvs_pace p = paced();
    unsigned before = p.window, since = 0, rounds = 0;

    (void)state;
    fill(&p, now, GVS_FLIGHTS_MAX);
    while (p.window < GVS_FLIGHTS_MAX) {
        assert_non_null(gvs_pace_land(&p, p.oldest));
        since++;
        fill(&p, now, GVS_FLIGHTS_MAX);
        if (p.window == before)
            continue;
        assert_true(3 * since >= 2 * before - 3); /* what was in the air */
        assert_true(p.window == before + before / 2 || p.window == GVS_FLIGHTS_MAX);
        assert_true(++rounds <= 6);
        before = p.window;
        since = 0;
    }
    for (unsigned i = 0; i < 1000; i++) {
        assert_non_null(gvs_pace_land(&p, p.oldest));
        fill(&p, now, 1);
    }
    assert_int_equal(p.window, GVS_FLIGHTS_MAX);
}

/* A burst that is lost as a whole is lost at one time, and is one time-out. */
static void
test_a_lost_burst_is_one_time_out(void **state)
{
    struct gvs_mono now = {1000000};
    struct gvs_pace p = paced();
    struct gvs_flight lost;

    (void)state;
    assert_int_equal(fill(&p, now, GVS_FLIGHTS_MAX), GVS_WINDOW_START);
    now = gvs_pace_deadline(&p);
    for (unsigned i = 0; i < GVS_WINDOW_START; i++)
        assert_true(gvs_pace_expire(&p, now, &lost));
    assert_int_equal(gvs_pace_rto_us(&p), 2 * GVS_RTO_US_START);
    assert_int_equal(p.window, GVS_WINDOW_START / 2);
}

static void
test_the_window_stays_with_a_fifth_lost_and_halves_with_half(void **state)
{
    struct gvs_mono now = {1000000};
    struct gvs_pace p = paced();
    unsigned before;

    (void)state;
    for (unsigned i = 0; i < 10; i++)
        fly_round(&p, &now, 0);
    fly_round(&p, &now, 10);
    before = p.window;
    for (unsigned i = 0; i < 10; i++) {
        fly_round(&p, &now, p.window / 6);
        assert_int_equal(p.window, before);
    }
    fly_round(&p, &now, p.window / 2);
    assert_in_range(p.window, before / 4, before / 2);
    for (unsigned i = 0; i < 10; i++)
        fly_round(&p, &now, p.window - 1);
    assert_int_equal(p.window, GVS_WINDOW_MIN);
}

/* Somebody who never has more than one to send learns nothing of what the link can take. */
static void
test_a_window_that_is_not_used_does_not_grow(void **state)
{
    struct gvs_pace p = paced();

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        fill(&p, (struct gvs_mono){1000 * i}, 1);
        assert_non_null(gvs_pace_land(&p, p.seq));
    }
    assert_int_equal(p.window, GVS_WINDOW_START);
}

/* --- a link --- */

struct link {
    uint64_t rtt_us, each_us; /* of a datagram, at the bottleneck */
    unsigned loss, room;      /* percent; datagrams that wait there */
};

/* How many of 20,000 datagrams a second are delivered, once it runs; each counts once. */
static double
deliver(const struct link *l, uint64_t seed, unsigned *sent)
{
    static const uint64_t need = 20000;
    struct gvs_prng prng = gvs_prng_init(seed);
    struct gvs_pace p = paced();
    struct gvs_mono now = {1000000};
    uint64_t *due = calloc(GVS_FLIGHTS_MAX, sizeof *due); /* acknowledgements, by number */
    uint64_t landed = 0, busy_until = now.us;
    struct gvs_flight lost;

    assert_non_null(due);
    for (*sent = 0; landed < need; now.us += 50) {
        assert_true(now.us < 300000000);
        for (uint64_t seq = p.oldest; seq <= p.seq; seq++) {
            uint64_t at = due[seq % GVS_FLIGHTS_MAX];
            const struct gvs_flight *f = at <= now.us ? gvs_pace_land(&p, seq) : NULL;

            if (!f)
                continue;
            gvs_pace_sample(&p, now.us - f->sent.us);
            landed++;
        }
        while (gvs_pace_expire(&p, now, &lost))
            continue;
        while (gvs_pace_open(&p)) {
            uint64_t seq = gvs_pace_fly(&p, now, &nothing);
            bool full = busy_until > now.us + l->room * l->each_us;

            ++*sent;
            due[seq % GVS_FLIGHTS_MAX] = UINT64_MAX;
            if (full)
                continue;
            busy_until = (busy_until > now.us ? busy_until : now.us) + l->each_us;
            if (!gvs_prng_chance(&prng, l->loss, 100))
                due[seq % GVS_FLIGHTS_MAX] = busy_until + l->rtt_us;
        }
    }
    free(due);
    return (double)landed * 1e6 / (double)(now.us - 1000000);
}

static void
test_a_bad_link_is_used_at_its_speed(void **state)
{
    static const struct {
        const char *why;
        struct link link;
        double least; /* of what could be delivered without losses */
    } rows[] = {
        {"a clean link", {1000, 20, 0, 200}, 0.9},
        {"5 percent lost", {1000, 20, 5, 200}, 0.8},
        {"10 percent lost", {1000, 20, 10, 200}, 0.5},
        {"20 percent lost", {1000, 20, 20, 200}, 0.08},
        {"a slow link with little room", {1000, 200, 0, 30}, 0.6},
        {"a long one", {50000, 20, 0, 200}, 0.9},
        {"a long one, 5 percent lost", {50000, 20, 5, 200}, 0.6},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct link *l = &rows[i].link;
        double full = 1e6 / (double)l->each_us, window = 1e6 * GVS_FLIGHTS_MAX / (double)l->rtt_us;
        double best = full < window ? full : window, got;
        unsigned sent;

        got = deliver(l, i, &sent);
        print_message("%s: %.0f a second of %.0f, %u sent\n", rows[i].why, got, best, sent);
        if (got < rows[i].least * best)
            fail_msg("%s", rows[i].why);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_each_flight_ends_exactly_once, test_seed_teardown),
        cmocka_unit_test(test_never_more_than_the_places_fly),
        cmocka_unit_test(test_what_is_unknown_does_not_land),
        cmocka_unit_test(test_lost_at_the_time_out_and_not_before),
        cmocka_unit_test(test_overtaken_by_eight_is_lost_after_a_quarter_round_trip),
        cmocka_unit_test(test_to_be_overtaken_never_makes_it_later),
        cmocka_unit_test(test_the_doomed_are_lost_at_once_and_say_nothing_of_the_link),
        cmocka_unit_test(test_the_time_out_follows_the_round_trip),
        cmocka_unit_test(test_the_time_out_doubles_until_something_lands),
        cmocka_unit_test(test_the_window_grows_by_half_a_round_without_loss),
        cmocka_unit_test(test_a_lost_burst_is_one_time_out),
        cmocka_unit_test(test_the_window_stays_with_a_fifth_lost_and_halves_with_half),
        cmocka_unit_test(test_a_window_that_is_not_used_does_not_grow),
        cmocka_unit_test(test_a_bad_link_is_used_at_its_speed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
