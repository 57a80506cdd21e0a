/* test/ipvs/test_kernel_brake.c: what would go by the dozen: I11 of ipvs/kernel.h, operation by
 * operation. */
#include "test/ipvs/world.h"

#define SECOND 1000
#define MINUTE 60000
#define MANY 20 /* services of one server each, with which most tests begin */
#define FEW 9   /* that go before anything is held */
#define SERVER "10.77.0.1:80"

struct bench {
    struct world w;
    bool force;           /* all that goes may go at once */
    struct gvs_mono gone; /* what may stay was deleted then */
    uint64_t held_ms;     /* the longest that was told of anything */
};

static struct gvs_mono
stay(void *ctx, const struct gvs_svcid *svc, const struct gvs_ep *ep, uint64_t held_ms)
{
    struct bench *b = ctx;

    (void)svc;
    (void)ep;
    b->held_ms = held_ms > b->held_ms ? held_ms : b->held_ms;
    return gvs_mono_add_ms(b->gone, 10 * SECOND + held_ms);
}

static bool
at_once(void *ctx, const struct gvs_svcid *svc, const struct gvs_ep *ep)
{
    (void)svc;
    (void)ep;
    return ((const struct bench *)ctx)->force;
}

/* The VIP of service i; lent until the second call from now. */
static const char *
vip(unsigned i)
{
    static char text[2][64];
    static unsigned turn;

    turn = !turn;
    snprintf(text[turn], sizeof text[turn], "10.99.1.%u:80/tcp", i + 1);
    return text[turn];
}

/* So many servers, "10.77.0.1:80=1 ...". */
static const char *
servers(unsigned count)
{
    static char text[512];
    int at = 0;

    text[0] = '\0';
    for (unsigned i = 0; i < count; i++)
        at += snprintf(text + at, sizeof text - (size_t)at, "10.77.0.%u:80=1 ", i + 1);
    return text;
}

static void
want_many(struct world *w, unsigned first, unsigned end)
{
    for (unsigned i = first; i < end; i++)
        want(w, vip(i), "wlc", SERVER "=1");
    run(w);
}

static void
drop_many(struct world *w, unsigned first, unsigned end)
{
    for (unsigned i = first; i < end; i++)
        want_none(w, vip(i));
    run(w);
}

/* `count` services of one server each, to which nobody is connected. */
static struct world *
begin(struct bench *b, unsigned count)
{
    struct gvs_item nobody = dest_of("10.99.9.9:9/tcp", "10.77.9.9:9", 0);
    struct world *w = &b->w;

    setup(w);
    *b = (struct bench){.w = *w, .gone = w->now};
    crash(w);
    w->cfg.stay = stay;
    w->cfg.at_once = at_once;
    w->cfg.ctx = b;
    open_kernel(w);
    fake_connect(&nobody, 1, 0);
    want_many(w, 0, count);
    fake_log();
    return w;
}

static void
connect_to(const char *service, uint32_t active)
{
    struct gvs_item dest = dest_of(service, SERVER, 0);

    fake_connect(&dest, active, 0);
}

/* How often the log says this; and it is read. */
static size_t
logged(const char *what)
{
    size_t count = 0;

    for (const char *at = fake_log(); (at = strstr(at, what)); at++)
        count++;
    return count;
}

static size_t
in_kernel(enum gvs_item_kind kind)
{
    const struct fake *f = fake_kernel();
    size_t count = 0;

    for (size_t i = 0; i < f->count; i++)
        count += f->items[i].kind == kind && !gvs_anchor_is(&f->items[i].svc);
    return count;
}

/* The next event of the brake's; 0: there is none. */
static uint8_t
event(struct world *w, struct gvs_kernel_event *ev)
{
    uint64_t missed;

    while (gvs_kernel_event(w->k, ev, &missed)) {
        if (ev->what >= GVS_KERNEL_BRAKE_ON)
            return ev->what;
    }
    return 0;
}

static void
assert_held(const struct world *w, size_t count, size_t dests)
{
    assert_true(status(w).brake);
    assert_int_equal(status(w).held.services, count);
    assert_int_equal(status(w).held.destinations, dests);
}

/* MANY services, all of which but the first were deleted elsewhere; the last ten are held. */
static struct world *
brake(struct bench *b)
{
    struct world *w = begin(b, MANY);

    drop_many(w, 1, MANY);
    assert_int_equal(logged("service_del"), FEW);
    elapse(w, SECOND);
    assert_held(w, 10, 10);
    return w;
}

static void
test_over_half_waits_a_minute_and_is_not_touched(void **state)
{
    struct bench b;
    struct world *w;

    (void)state;
    w = begin(&b, MANY);
    for (unsigned i = 0; i < MANY; i++)
        connect_to(vip(i), i < FEW ? 0 : 3);
    drop_many(w, 0, MANY);
    assert_int_equal(logged("service_del"), FEW);
    elapse(w, MINUTE - 1);
    LOG(""); /* nor are the weights, for all their connections */
    assert_int_equal(in_kernel(GVS_ITEM_SERVICE), MANY - FEW);
    elapse(w, 1);
    assert_int_equal(logged("dest_edit"), MANY - FEW);
    teardown(w);
}

static void
test_half_of_them_goes(void **state)
{
    struct bench b;
    struct world *w = begin(&b, MANY);

    (void)state;
    drop_many(w, 0, MANY / 2);
    elapse(w, SECOND);
    assert_int_equal(in_kernel(GVS_ITEM_SERVICE), MANY / 2);
    assert_false(status(w).brake);
    teardown(w);
}

static void
test_nine_are_no_mass(void **state)
{
    struct bench b;
    struct world *w = begin(&b, FEW);

    (void)state;
    drop_many(w, 0, FEW);
    assert_int_equal(in_kernel(GVS_ITEM_SERVICE), 0);
    teardown(w);
}

static void
test_destinations_are_counted_apart(void **state)
{
    struct bench b;
    struct world *w = begin(&b, MANY);

    (void)state;
    want(w, A, "wlc", servers(30));
    run(w);
    want(w, A, "wlc", servers(5)); /* 25 of 50 go */
    elapse(w, SECOND);
    assert_false(status(w).brake);
    want(w, A, "wlc", servers(4));
    elapse(w, SECOND);
    assert_held(w, 0, 1); /* the 26th, with those of the second before */
    assert_int_equal(status(w).of.services, MANY + 1);
    assert_int_equal(status(w).of.destinations, 50);
    teardown(w);
}

static void
test_a_service_counts_with_its_destinations(void **state)
{
    struct bench b;
    struct world *w = begin(&b, MANY);

    (void)state;
    want(w, A, "wlc", servers(21));
    run(w);
    fake_log();
    want_none(w, A); /* one service of 21, 21 destinations of 41 */
    elapse(w, SECOND);
    assert_held(w, 1, 21);
    LOG("");
    teardown(w);
}

static void
test_services_are_counted_apart(void **state)
{
    struct bench b;
    struct world *w = begin(&b, MANY);

    (void)state;
    want(w, A, "wlc", servers(25));
    run(w);
    drop_many(w, 0, 11); /* of 21 services, and of 45 destinations */
    elapse(w, SECOND);
    assert_held(w, 2, 2);
    teardown(w);
}

static void
test_a_burst_is_judged_as_a_whole(void **state)
{
    struct bench b;
    struct world *w = begin(&b, 2 * MANY);

    (void)state;
    drop_many(w, 0, 15);
    elapse(w, SECOND / 2);
    drop_many(w, 15, 30);
    elapse(w, SECOND / 2);
    assert_held(w, 21, 21);
    teardown(w);
}

/* Refused and tried again, or at weight 0 until its connections end: it is there, and counts as
 * gone. */
static void
test_what_is_on_its_way_counts_once(void **state)
{
    struct bench b;
    struct world *w = begin(&b, MANY);

    (void)state;
    for (unsigned i = 0; i < 5; i++)
        refuse(GVS_OP_SERVICE_DEL, service_of(vip(i), "wlc"), EPERM, 9);
    drop_many(w, 0, 5);
    drop_many(w, 5, 11);
    elapse(w, SECOND);
    assert_held(w, 2, 2);
    assert_int_equal(status(w).of.services, MANY);
    teardown(w);

    w = begin(&b, MANY);
    for (unsigned i = 0; i < FEW; i++)
        connect_to(vip(i), 1);
    drop_many(w, 0, 11);
    assert_int_equal(status(w).leaving, FEW);
    elapse(w, SECOND);
    assert_held(w, 2, 2);
    assert_int_equal(status(w).of.services, MANY);
    assert_int_equal(status(w).of.destinations, MANY);
    teardown(w);
}

static void
test_a_trickle_is_summed_up(void **state)
{
    struct bench b;
    struct world *w = begin(&b, MANY);

    (void)state;
    for (unsigned i = 0; i < 11; i++) {
        drop_many(w, i, i + 1);
        elapse(w, 5 * SECOND);
    }
    assert_int_equal(in_kernel(GVS_ITEM_SERVICE), MANY - 10);
    assert_held(w, 1, 1);
    teardown(w);
}

static void
test_what_went_a_minute_ago_counts_no_more(void **state)
{
    struct bench b;
    struct world *w = begin(&b, MANY);

    (void)state;
    drop_many(w, 0, FEW);
    elapse(w, 61 * SECOND);
    drop_many(w, FEW, 2 * FEW);
    assert_int_equal(in_kernel(GVS_ITEM_SERVICE), MANY - 2 * FEW);
    elapse(w, 10 * MINUTE);
    drop_many(w, 2 * FEW, MANY);
    assert_int_equal(in_kernel(GVS_ITEM_SERVICE), 0);
    teardown(w);
}

/* A member that flaps takes its own away and brings it back, and no more than that. */
static void
test_what_came_back_did_not_go(void **state)
{
    struct bench b;
    struct world *w = begin(&b, MANY);

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        drop_many(w, 0, FEW);
        assert_int_equal(in_kernel(GVS_ITEM_SERVICE), MANY - FEW);
        want_many(w, 0, FEW);
        elapse(w, 2 * SECOND);
        assert_int_equal(in_kernel(GVS_ITEM_SERVICE), MANY);
    }
    assert_false(status(w).brake);
    drop_many(w, 0, FEW);
    want_many(w, 0, 1); /* which makes up for one */
    elapse(w, 2 * SECOND);
    drop_many(w, FEW, 2 * FEW);
    elapse(w, SECOND);
    assert_held(w, FEW - 1, FEW - 1);
    teardown(w);
}

static void
test_then_it_goes_and_is_not_braked_again(void **state)
{
    struct gvs_kernel_event ev;
    struct bench b;
    struct world *w = brake(&b);

    (void)state;
    assert_int_equal(event(w, &ev), GVS_KERNEL_BRAKE_ON);
    assert_int_equal(ev.held.services, 10);
    assert_int_equal(ev.of.services, MANY);
    elapse(w, MINUTE - SECOND - 1);
    LOG("");
    elapse(w, 1);
    assert_int_equal(logged("service_del"), 10);
    assert_int_equal(event(w, &ev), GVS_KERNEL_BRAKE_OFF);
    assert_int_equal(ev.held.services, 10);
    assert_false(status(w).brake);
    assert_true(status(w).in_step);
    want_many(w, 1, FEW);
    drop_many(w, 0, FEW); /* all there is, but it is another nine */
    assert_int_equal(in_kernel(GVS_ITEM_SERVICE), 0);
    assert_int_equal(event(w, &ev), 0);
    assert_int_equal(w->stored_count, 0);
    teardown(w);
}

/* Else whoever deletes half, and the rest right before the minute is over, has it all by then. */
static void
test_what_came_later_is_judged_anew(void **state)
{
    struct bench b;
    struct world *w = begin(&b, 2 * MANY);

    (void)state;
    drop_many(w, 0, MANY + 5);
    elapse(w, SECOND);
    assert_held(w, 16, 16);
    elapse(w, 58 * SECOND);
    drop_many(w, MANY + 5, 2 * MANY);
    assert_held(w, 31, 31);
    elapse(w, 2 * SECOND);
    assert_int_equal(in_kernel(GVS_ITEM_SERVICE), 15);
    assert_held(w, 15, 15);
    elapse(w, MINUTE);
    assert_int_equal(in_kernel(GVS_ITEM_SERVICE), 0);
    teardown(w);
}

static void
test_who_asked_for_it_here_does_not_wait(void **state)
{
    struct bench b;
    struct world *w = begin(&b, MANY);

    (void)state;
    for (unsigned i = 0; i < MANY - 1; i++)
        want_none_here(w, vip(i));
    run(w);
    assert_int_equal(in_kernel(GVS_ITEM_SERVICE), 1);
    assert_false(status(w).brake);
    teardown(w);

    w = brake(&b);
    want_here(w, vip(0), "wlc", "");
    run(w);
    LOG("dest_del 10.99.1.1:80/tcp " SERVER " 1\n");
    want_none_here(w, vip(0));
    run(w);
    LOG("addr_del 10.99.1.1\nservice_del 10.99.1.1:80/tcp wlc\n");
    elapse(w, 1);
    assert_held(w, 10, 10);
    teardown(w);
}

/* He took it back, and somebody else claims it again, and that goes: this is not his doing. */
static void
test_what_was_asked_for_once_is_not_so_for_ever(void **state)
{
    struct bench b;
    struct world *w = brake(&b);

    (void)state;
    want_none_here(w, vip(0));
    want(w, vip(0), "wlc", SERVER "=1");
    want_none(w, vip(0));
    elapse(w, SECOND);
    assert_held(w, 11, 11);
    LOG("");
    teardown(w);
}

static void
test_by_force_it_goes_also_when_it_is_held(void **state)
{
    char why[192];
    struct bench b;
    struct world *w = begin(&b, MANY);

    (void)state;
    b.force = true;
    drop_many(w, 0, MANY);
    assert_int_equal(in_kernel(GVS_ITEM_SERVICE), 0);
    teardown(w);

    w = brake(&b);
    assert_int_equal(settled(w, vip(MANY - 1), why), 1); /* nobody waits for it */
    b.force = true;
    want_none(w, vip(MANY - 1));
    run(w);
    LOG("addr_del 10.99.1.20\nservice_del 10.99.1.20:80/tcp wlc\n");
    assert_held(w, 9, 9);
    teardown(w);
}

static void
test_its_return_costs_nothing(void **state)
{
    struct gvs_kernel_event ev;
    struct bench b;
    struct world *w = brake(&b);

    (void)state;
    assert_int_equal(event(w, &ev), GVS_KERNEL_BRAKE_ON);
    want_many(w, 10, MANY - 1);
    assert_held(w, 1, 1);
    assert_int_equal(event(w, &ev), 0);
    want_many(w, MANY - 1, MANY);
    LOG("");
    assert_false(status(w).brake);
    assert_true(status(w).in_step);
    assert_int_equal(event(w, &ev), GVS_KERNEL_BRAKE_OFF);
    assert_int_equal(ev.held.services, 0);
    elapse(w, 2 * MINUTE);
    LOG("");
    assert_int_equal(gvs_ledger_braked(w->ledger).us, 0);
    teardown(w);
}

static void
test_all_else_goes_on(void **state)
{
    char why[192];
    struct bench b;
    struct world *w = begin(&b, 1);

    (void)state;
    want(w, A, "wlc", servers(30));
    run(w);
    fake_log();
    want(w, A, "rr", "10.77.0.1:80=5 10.77.9.9:80=1");
    elapse(w, SECOND);
    assert_held(w, 0, 29);
    LOG("service_edit " A " rr\ndest_edit " A " 10.77.0.1:80 5\ndest_add " A " 10.77.9.9:80 1\n");
    want(w, A, "rr", "10.77.0.1:80=0 10.77.9.9:80=1");
    want_many(w, 1, 3);
    assert_int_equal(settled(w, A, why), 1); /* who asked for that waits no longer */
    assert_int_equal(logged("\n"), 7);       /* an edit; twice an address, a service, its server */
    assert_held(w, 0, 29);
    outside(GVS_OP_DEST_EDIT, dest_of(vip(1), SERVER, 7));
    outside(GVS_OP_DEST_ADD, dest_of(A, "10.77.8.8:80", 1)); /* where something is held */
    audit(w);
    assert_int_equal(logged("\n"), 2);
    assert_int_equal(status(w).drift_repaired, 2);
    assert_held(w, 0, 29);
    teardown(w);
}

/* What somebody changed is still held; what he removed has gone. */
static void
test_hands_on_what_is_held(void **state)
{
    struct bench b;
    struct world *w = begin(&b, 1);

    (void)state;
    want(w, A, "wlc", servers(30));
    run(w);
    want(w, A, "wlc", servers(1));
    elapse(w, SECOND);
    fake_log();
    outside(GVS_OP_DEST_EDIT, dest_of(A, "10.77.0.9:80", 7));
    outside(GVS_OP_DEST_DEL, dest_of(A, "10.77.0.10:80", 1));
    audit(w);
    LOG("");
    assert_held(w, 0, 28);
    teardown(w);
}

static void
test_release_lets_it_go(void **state)
{
    struct gvs_kernel_event ev;
    struct gvs_tally held;
    struct bench b;
    struct world *w = begin(&b, MANY);

    (void)state;
    assert_false(gvs_kernel_release(w->k, &held));
    teardown(w);
    w = brake(&b);
    assert_int_equal(event(w, &ev), GVS_KERNEL_BRAKE_ON);
    elapse(w, SECOND);
    drop_many(w, 0, 1); /* it came later */
    assert_true(gvs_kernel_release(w->k, &held));
    assert_int_equal(held.services, 11);
    assert_int_equal(held.destinations, 11);
    run(w);
    assert_int_equal(logged("service_del"), 11);
    assert_false(gvs_kernel_release(w->k, &held));
    assert_int_equal(held.services, 0);
    elapse(w, 2 * MINUTE);
    assert_int_equal(event(w, &ev), 0);
    assert_true(status(w).in_step);
    teardown(w);
}

/* Also what flies: it may come in the middle of that. */
static void
test_release_lets_go_in_mid_flight(void **state)
{
    struct gvs_tally held;
    struct bench b;
    struct world *w = begin(&b, 1);

    (void)state;
    want(w, A, "wlc", servers(30));
    run(w);
    want(w, A, "wlc", servers(1));
    elapse(w, SECOND);
    fake_log();
    want(w, A, "wlc", "10.77.0.1:80=3");
    gvs_kernel_step(w->k, w->now); /* plans, and sends the edit */
    assert_true(gvs_kernel_release(w->k, &held));
    assert_int_equal(held.destinations, 29);
    run(w);
    assert_int_equal(logged("dest_del"), 29);
    assert_true(status(w).in_step);
    teardown(w);
}

static void
test_the_first_plan_after_a_start_is_judged_too(void **state)
{
    struct bench b;
    struct world *w = begin(&b, MANY);

    (void)state;
    come_back(w, GVS_TRUST_ALL);
    want_many(w, 0, 1);
    assert_int_equal(in_kernel(GVS_ITEM_SERVICE), MANY - FEW);
    elapse(w, MINUTE - 1);
    assert_held(w, 10, 10);
    elapse(w, 1);
    assert_int_equal(in_kernel(GVS_ITEM_SERVICE), 1);
    teardown(w);
}

/* What is left is no half any more, and is held all the same, for as long as it was to be. */
static void
test_a_restart_resumes_the_minute(void **state)
{
    struct bench b;
    struct world *w = brake(&b);

    (void)state;
    elapse(w, 20 * SECOND);
    come_back(w, GVS_TRUST_ALL);
    want_many(w, 0, MANY - 5);
    elapse(w, 38 * SECOND + 999);
    assert_int_equal(in_kernel(GVS_ITEM_SERVICE), MANY);
    assert_held(w, 5, 5);
    elapse(w, 1);
    assert_int_equal(in_kernel(GVS_ITEM_SERVICE), MANY - 5);
    assert_false(status(w).brake);
    assert_int_equal(gvs_ledger_braked(w->ledger).us, 0);
    teardown(w);
}

static void
test_after_its_end_a_restart_judges_anew(void **state)
{
    struct bench b;
    struct world *w = brake(&b);

    (void)state;
    crash(w);
    w->now = gvs_mono_add_ms(w->now, 5 * MINUTE);
    open_kernel(w);
    want_many(w, 0, MANY - 5);
    assert_int_equal(in_kernel(GVS_ITEM_SERVICE), MANY - 5); /* five are no mass */
    assert_int_equal(gvs_ledger_braked(w->ledger).us, 0);
    teardown(w);
}

/* It begins when it is let go: until then it had new connections, too. */
static void
test_what_was_held_leaves_as_any_other(void **state)
{
    struct bench b;
    struct world *w = begin(&b, MANY);

    (void)state;
    connect_to(vip(MANY - 1), 3);
    drop_many(w, 1, MANY);
    elapse(w, MINUTE);
    assert_int_equal(logged("dest_edit"), 1);
    assert_int_equal(status(w).leaving, 1);
    assert_int_equal(in_kernel(GVS_ITEM_SERVICE), 2);
    assert_int_equal(b.held_ms, MINUTE);
    elapse(w, 9 * SECOND);
    LOG("");
    elapse(w, 2 * SECOND);
    assert_int_equal(logged("service_del"), 1);
    teardown(w);
}

static void
test_what_leaves_already_goes_on_leaving(void **state)
{
    struct bench b;
    struct world *w = begin(&b, MANY);

    (void)state;
    want(w, vip(0), "wlc", SERVER "=1 10.77.0.2:80=1");
    run(w);
    connect_to(vip(0), 1);
    want(w, vip(0), "wlc", "10.77.0.2:80=1");
    run(w);
    connect_to(vip(1), 1);
    drop_many(w, 1, MANY);
    elapse(w, 2 * SECOND);
    fake_log();
    assert_int_equal(status(w).leaving, 2);
    assert_held(w, 11, 11); /* eight and the one that leaves had gone */
    connect_to(vip(0), 0);
    elapse(w, SECOND);
    LOG("dest_del 10.99.1.1:80/tcp " SERVER " 0\n");
    connect_to(vip(1), 0);
    elapse(w, SECOND);
    LOG("addr_del 10.99.1.2\nservice_del 10.99.1.2:80/tcp wlc\n");
    assert_held(w, 11, 11);
    teardown(w);
}

static void
test_an_address_stays_for_what_is_held(void **state)
{
    struct gvs_addr addr = addr_of("10.99.1.20");
    struct bench b;
    struct world *w = begin(&b, MANY);

    (void)state;
    want(w, "10.99.1.20:443/tcp", "wlc", SERVER "=1");
    drop_many(w, 0, MANY);
    elapse(w, SECOND);
    want_none_here(w, "10.99.1.20:443/tcp");
    fake_log();
    run(w);
    LOG("service_del 10.99.1.20:443/tcp wlc\n");
    assert_true(fake_has_addr(&addr));
    elapse(w, MINUTE);
    assert_false(fake_has_addr(&addr));
    assert_int_equal(in_kernel(GVS_ITEM_SERVICE), 0);
    assert_true(status(w).in_step);
    teardown(w);
}

static void
test_what_is_held_is_told(void **state)
{
    struct gvs_op ops[64];
    char why[192];
    struct bench b;
    struct world *w = brake(&b);

    (void)state;
    assert_int_equal(status(w).of.services, MANY);
    assert_int_equal(status(w).of.destinations, MANY);
    assert_in_range(status(w).brake_ms, 58 * SECOND, 59 * SECOND);
    assert_int_equal(status(w).pending, 10);
    assert_false(status(w).in_step);
    assert_int_equal(compare(w, false, ops, NULL, 64), 20); /* services and their addresses */
    assert_int_equal(ops[0].kind, GVS_OP_SERVICE_DEL);
    assert_int_equal(state_of(w, service_of(vip(MANY - 1), "wlc"), why), GVS_KERNEL_PENDING);
    teardown(w);
}

/* I5 comes first: what is not to go at all does not wait for the brake. */
static void
test_without_trust_nothing_is_braked(void **state)
{
    struct bench b;
    struct world *w = begin(&b, MANY);

    (void)state;
    come_back(w, GVS_TRUST_EDITS);
    want_many(w, 0, MANY);
    for (unsigned i = 0; i < MANY; i++)
        (i < 5 ? want_none_here : want_none)(w, vip(i));
    elapse(w, 2 * SECOND);
    assert_int_equal(logged("service_del"), 5);
    assert_false(status(w).brake);
    gvs_kernel_trust(w->k, GVS_TRUST_ALL);
    elapse(w, 2 * SECOND);
    assert_int_equal(logged("service_del"), 9);
    assert_held(w, 6, 6);
    teardown(w);
}

/* However often it is planned. */
static void
test_a_removal_counts_once(void **state)
{
    struct bench b;
    struct world *w = begin(&b, MANY);

    (void)state;
    for (unsigned i = 0; i < 5; i++)
        refuse(GVS_OP_SERVICE_DEL, service_of(vip(i), "wlc"), EPERM, 4);
    drop_many(w, 0, 5);
    elapse(w, 40 * SECOND); /* four times, with back-off */
    assert_int_equal(in_kernel(GVS_ITEM_SERVICE), MANY - 5);
    drop_many(w, 5, FEW);
    assert_int_equal(in_kernel(GVS_ITEM_SERVICE), MANY - FEW);
    assert_false(status(w).brake);
    teardown(w);
}

/* Half is of what there was, not of what is left. */
static void
test_what_goes_makes_the_whole_no_smaller(void **state)
{
    struct bench b;
    struct world *w = begin(&b, 2 * MANY);

    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        drop_many(w, i, i + 1);
        elapse(w, 2 * SECOND);
    }
    assert_int_equal(in_kernel(GVS_ITEM_SERVICE), MANY);
    assert_false(status(w).brake);
    drop_many(w, MANY, MANY + 1);
    elapse(w, 2 * SECOND);
    assert_held(w, 1, 1);
    teardown(w);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_over_half_waits_a_minute_and_is_not_touched),
        TEST(test_half_of_them_goes),
        TEST(test_nine_are_no_mass),
        TEST(test_destinations_are_counted_apart),
        TEST(test_a_service_counts_with_its_destinations),
        TEST(test_services_are_counted_apart),
        TEST(test_a_burst_is_judged_as_a_whole),
        TEST(test_what_is_on_its_way_counts_once),
        TEST(test_a_trickle_is_summed_up),
        TEST(test_what_went_a_minute_ago_counts_no_more),
        TEST(test_what_came_back_did_not_go),
        TEST(test_then_it_goes_and_is_not_braked_again),
        TEST(test_what_came_later_is_judged_anew),
        TEST(test_who_asked_for_it_here_does_not_wait),
        TEST(test_what_was_asked_for_once_is_not_so_for_ever),
        TEST(test_by_force_it_goes_also_when_it_is_held),
        TEST(test_its_return_costs_nothing),
        TEST(test_all_else_goes_on),
        TEST(test_hands_on_what_is_held),
        TEST(test_release_lets_it_go),
        TEST(test_release_lets_go_in_mid_flight),
        TEST(test_the_first_plan_after_a_start_is_judged_too),
        TEST(test_a_restart_resumes_the_minute),
        TEST(test_after_its_end_a_restart_judges_anew),
        TEST(test_what_was_held_leaves_as_any_other),
        TEST(test_what_leaves_already_goes_on_leaving),
        TEST(test_an_address_stays_for_what_is_held),
        TEST(test_what_is_held_is_told),
        TEST(test_without_trust_nothing_is_braked),
        TEST(test_a_removal_counts_once),
        TEST(test_what_goes_makes_the_whole_no_smaller),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
