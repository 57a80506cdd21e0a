/* test/ipvs/test_kernel_drain.c: what leaves the kernel: I9 and I10 of ipvs/kernel.h, operation by
 * operation. */
#include "test/ipvs/world.h"

#define ONE "10.77.0.1:80"
#define TWO "10.77.0.2:80"
#define BOTH ONE "=1 " TWO "=1"

struct bench {
    struct world w;
    struct gvs_mono until; /* what leaves may stay */
    bool only_services;    /* what `until` says is for them alone */
    unsigned answers;      /* the last of so many, and all that follow, say now; 0: none does */
};

static struct gvs_mono
stay(void *ctx, const struct gvs_svcid *svc, const struct gvs_ep *ep, uint64_t held_ms)
{
    struct bench *b = ctx;

    (void)svc;
    (void)held_ms;
    if (b->answers > 1 && --b->answers == 1)
        b->until = (struct gvs_mono){0};
    return ep && b->only_services ? GVS_MONO_NEVER : b->until;
}

static struct gvs_mono
in_ms(const struct bench *b, uint64_t ms)
{
    return gvs_mono_add_ms(b->w.now, ms);
}

/* Services A and B, each on two servers without a connection; a minute for what leaves. */
static struct world *
begin(struct bench *b)
{
    struct world *w = &b->w;
    struct gvs_item nobody = dest_of("10.99.9.9:9/tcp", "10.77.9.9:9", 0);

    setup(w);
    *b = (struct bench){.w = *w, .until = in_ms(b, 60000)};
    crash(w);
    w->cfg.stay = stay;
    w->cfg.ctx = b;
    open_kernel(w);
    fake_connect(&nobody, 1, 0); /* from now on connections are told, and not made up */
    want(w, A, "wlc", BOTH);
    want(w, B, "wlc", BOTH);
    run(w);
    fake_log();
    return w;
}

static void
connect_to(const char *vip, const char *ep, uint32_t active, uint32_t inactive)
{
    struct gvs_item dest = dest_of(vip, ep, 0);

    fake_connect(&dest, active, inactive);
}

/* B leaves A's service. */
static void
leave(struct world *w)
{
    connect_to(A, TWO, 3, 0);
    want(w, A, "wlc", ONE "=1");
    run(w);
    LOG("dest_edit " A " " TWO " 0\n");
}

static void
restart(struct world *w, enum gvs_trust trust, const char *dests)
{
    come_back(w, trust);
    if (dests)
        want(w, A, "wlc", dests);
    want(w, B, "wlc", BOTH);
    run(w);
}

static void
test_without_a_connection_it_goes_at_once(void **state)
{
    struct bench b;
    struct world *w = begin(&b);

    (void)state;
    connect_to(A, ONE, 5, 5); /* another's */
    connect_to(B, TWO, 5, 5);
    want(w, A, "wlc", ONE "=1");
    run(w);
    LOG("dest_del " A " " TWO " 1\n");
    elapse(w, 120000);
    LOG("");
    assert_int_equal(w->stored_count, 4); /* two services, two addresses */
    teardown(w);
}

static void
test_with_one_it_leaves_and_goes_when_that_ends(void **state)
{
    struct bench b;
    struct world *w = begin(&b);

    (void)state;
    leave(w);
    assert_int_equal(status(w).leaving, 1);
    assert_true(status(w).in_step);
    elapse(w, 30000);
    LOG("");
    connect_to(A, TWO, 0, 2); /* what is over lingers */
    elapse(w, 1100);
    LOG("dest_del " A " " TWO " 0\n");
    assert_int_equal(status(w).leaving, 0);
    assert_true(status(w).in_step);
    elapse(w, 120000);
    LOG("");
    assert_int_equal(w->stored_count, 4);
    teardown(w);
}

static void
test_or_when_its_time_is_over(void **state)
{
    struct bench b;
    struct world *w = begin(&b);

    (void)state;
    b.until = in_ms(&b, 60500); /* no look is due then */
    leave(w);
    elapse(w, 60400);
    LOG("");
    elapse(w, 200);
    LOG("dest_del " A " " TWO " 0\n");
    teardown(w);
}

static void
test_each_has_a_time_of_its_own(void **state)
{
    struct bench b;
    struct world *w = begin(&b);

    (void)state;
    leave(w);
    elapse(w, 30000);
    b.until = in_ms(&b, 60000);
    connect_to(A, ONE, 1, 0);
    want(w, A, "wlc", "");
    run(w);
    LOG("dest_edit " A " " ONE " 0\n");
    elapse(w, 30100);
    LOG("dest_del " A " " TWO " 0\n");
    assert_int_equal(status(w).leaving, 1);
    elapse(w, 29800);
    LOG("");
    elapse(w, 400);
    LOG("dest_del " A " " ONE " 0\n");
    teardown(w);
}

/* A time that was entered once does not move, in either direction. */
static void
test_a_restart_resumes_it(void **state)
{
    struct bench b;
    struct world *w = begin(&b);

    (void)state;
    leave(w);
    elapse(w, 20000);
    b.until = in_ms(&b, 3600000);
    restart(w, GVS_TRUST_ALL, ONE "=1");
    LOG("");
    assert_int_equal(status(w).leaving, 1);
    elapse(w, 39800);
    LOG("");
    elapse(w, 400);
    LOG("dest_del " A " " TWO " 0\n");
    teardown(w);
}

/* I10: it was decided when the table was trusted. */
static void
test_what_has_begun_ends_without_trust(void **state)
{
    struct bench b;
    struct world *w = begin(&b);

    (void)state;
    leave(w);
    want_none(w, B);
    connect_to(B, ONE, 1, 0);
    run(w);
    LOG("dest_edit " B " " ONE " 0\ndest_edit " B " " TWO " 0\n");
    crash(w);
    w->trust = GVS_TRUST_NONE;
    open_kernel(w);
    want(w, A, "wlc", ONE "=1");
    elapse(w, 2000);
    LOG("");
    connect_to(A, TWO, 0, 0);
    connect_to(B, ONE, 0, 0);
    elapse(w, 1100);
    LOG("dest_del " A " " TWO " 0\naddr_del 10.99.0.2\nservice_del " B " wlc\n");
    teardown(w);
}

/* I5 */
static void
test_nothing_begins_without_trust(void **state)
{
    struct bench b;
    struct world *w = begin(&b);

    (void)state;
    restart(w, GVS_TRUST_EDITS, BOTH);
    connect_to(A, TWO, 1, 0);
    want(w, A, "wlc", ONE "=1");
    elapse(w, 10000);
    LOG("");
    gvs_kernel_trust(w->k, GVS_TRUST_ALL);
    run(w);
    LOG("dest_edit " A " " TWO " 0\n");
    teardown(w);
}

static void
test_whoever_asked_for_it_here_need_not_wait_for_trust(void **state)
{
    struct gvs_svcid a = svc_of(A);
    struct gvs_item items[3];
    struct bench b;
    struct world *w = begin(&b);

    (void)state;
    restart(w, GVS_TRUST_NONE, BOTH);
    connect_to(A, TWO, 1, 0);
    assert_int_equal(gvs_kernel_want(w->k, &a, items, items_of(items, A, "wlc", ONE "=1"), true),
                     GVS_OK);
    run(w);
    LOG("dest_edit " A " " TWO " 0\n");
    connect_to(A, TWO, 0, 0);
    elapse(w, 1100);
    LOG("dest_del " A " " TWO " 0\n");
    teardown(w);
}

static void
test_its_return_is_one_edit(void **state)
{
    struct bench b;
    struct world *w = begin(&b);

    (void)state;
    leave(w);
    elapse(w, 5000);
    want(w, A, "wlc", BOTH);
    run(w);
    LOG("dest_edit " A " " TWO " 1\n");
    assert_int_equal(status(w).leaving, 0);
    elapse(w, 120000);
    LOG("");
    restart(w, GVS_TRUST_ALL, BOTH);
    elapse(w, 10000);
    LOG("");
    /* At weight 0, so that nothing differs: it is wanted all the same. */
    b.until = in_ms(&b, 60000);
    leave(w);
    want(w, A, "wlc", ONE "=1 " TWO "=0");
    connect_to(A, TWO, 0, 0);
    elapse(w, 120000);
    LOG("");
    teardown(w);
}

static void
test_it_returns_while_the_agent_is_away(void **state)
{
    struct bench b;
    struct world *w = begin(&b);

    (void)state;
    leave(w);
    restart(w, GVS_TRUST_ALL, BOTH);
    LOG("dest_edit " A " " TWO " 1\n");
    elapse(w, 120000);
    LOG("");
    assert_int_equal(w->stored_count, 4);
    teardown(w);
}

static void
test_by_force_it_goes_at_once(void **state)
{
    struct bench b;
    struct world *w = begin(&b);

    (void)state;
    b.until = (struct gvs_mono){0};
    connect_to(A, TWO, 3, 0);
    want(w, A, "wlc", ONE "=1");
    run(w);
    LOG("dest_del " A " " TWO " 1\n");
    /* Also when it is leaving already. */
    b.until = in_ms(&b, 60000);
    connect_to(B, TWO, 3, 0);
    want(w, B, "wlc", ONE "=1");
    run(w);
    LOG("dest_edit " B " " TWO " 0\n");
    b.until = (struct gvs_mono){0};
    elapse(w, 1100);
    LOG("dest_del " B " " TWO " 0\n");
    teardown(w);
}

static void
test_datagrams_go_at_once(void **state)
{
    static const char dns[] = "10.99.0.1:53/udp";
    struct bench b;
    struct world *w = begin(&b);

    (void)state;
    want(w, dns, "wlc", BOTH);
    run(w);
    fake_log();
    connect_to(dns, TWO, 3, 3);
    connect_to(dns, ONE, 3, 3);
    want(w, dns, "wlc", ONE "=1");
    run(w);
    LOG("dest_del 10.99.0.1:53/udp " TWO " 1\n");
    want_none(w, dns);
    run(w);
    LOG("service_del 10.99.0.1:53/udp wlc\n");
    teardown(w);
}

/* What came and went a moment ago may come again before the removal: not without a weight. */
static void
test_of_whom_was_busy_a_moment_ago_the_weight_goes_first(void **state)
{
    struct bench b;
    struct world *w = begin(&b);

    (void)state;
    connect_to(A, TWO, 0, 7);
    want(w, A, "wlc", ONE "=1");
    run(w);
    LOG("dest_edit " A " " TWO " 0\ndest_del " A " " TWO " 0\n");
    want(w, B, "wlc", ONE "=1 " TWO "=0");
    run(w);
    fake_log();
    connect_to(B, TWO, 0, 7);
    want(w, B, "wlc", ONE "=1");
    run(w);
    LOG("dest_del " B " " TWO " 0\n");
    teardown(w);
}

static void
test_the_last_one_leaves_and_returns(void **state)
{
    struct bench b;
    struct world *w = begin(&b);

    (void)state;
    want(w, A, "wlc", ONE "=1");
    run(w);
    fake_log();
    connect_to(A, ONE, 1, 0);
    want(w, A, "wlc", "");
    elapse(w, 10000);
    LOG("dest_edit " A " " ONE " 0\n");
    want(w, A, "wlc", ONE "=1");
    elapse(w, 10000);
    LOG("dest_edit " A " " ONE " 1\n");
    want(w, A, "wlc", "");
    run(w);
    connect_to(A, ONE, 0, 0);
    elapse(w, 2000);
    LOG("dest_edit " A " " ONE " 0\ndest_del " A " " ONE " 0\n");
    assert_true(status(w).in_step && status(w).services == 2);
    teardown(w);
}

/* All of its destinations refuse new connections; then one removal takes it whole. */
static void
test_a_service_leaves_as_a_whole(void **state)
{
    struct bench b;
    struct world *w = begin(&b);

    (void)state;
    b.only_services = true;
    connect_to(A, ONE, 2, 0);
    want_none(w, A);
    run(w);
    LOG("dest_edit " A " " ONE " 0\ndest_edit " A " " TWO " 0\n");
    assert_true(status(w).in_step);
    assert_int_equal(status(w).services, 2);
    assert_int_equal(status(w).leaving, 2);
    elapse(w, 30000);
    restart(w, GVS_TRUST_ALL, NULL);
    elapse(w, 29800);
    LOG("");
    elapse(w, 400);
    LOG("addr_del 10.99.0.1\nservice_del " A " wlc\n");
    assert_int_equal(w->stored_count, 2);
    /* It had none: at once, though some are over. */
    b.until = in_ms(&b, 60000);
    connect_to(B, ONE, 0, 9);
    want_none(w, B);
    run(w);
    LOG("addr_del 10.99.0.2\nservice_del " B " wlc\nanchor_del v4\n");
    teardown(w);
}

static void
test_a_service_returns_by_edits(void **state)
{
    struct bench b;
    struct world *w = begin(&b);

    (void)state;
    connect_to(A, ONE, 2, 0);
    connect_to(A, TWO, 2, 0);
    want_none(w, A);
    run(w);
    fake_log();
    want_none(w, A); /* somebody looked again */
    elapse(w, 5000);
    LOG("");
    want(w, A, "wlc", ONE "=1");
    elapse(w, 5000);
    LOG("dest_edit " A " " ONE " 1\n");
    connect_to(A, TWO, 0, 0);
    elapse(w, 1100);
    LOG("dest_del " A " " TWO " 0\n");
    elapse(w, 120000);
    LOG("");
    teardown(w);
}

/* Of many services that go some are looked at later, one of them on an address that another has. */
static void
test_an_address_stays_for_whoever_is_still_to_be_decided(void **state)
{
    struct bench b;
    struct world *w = begin(&b);
    struct gvs_addr addr = addr_of("10.99.0.1");
    char vip[64];

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        snprintf(vip, sizeof vip, "10.99.1.%u:80/tcp", i + 1);
        want(w, vip, "wlc", ONE "=1");
    }
    want(w, "10.99.0.1:443/tcp", "wlc", ONE "=1");
    run(w);
    fake_log();
    connect_to("10.99.0.1:443/tcp", ONE, 1, 0);
    want_none_here(w, A);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(vip, sizeof vip, "10.99.1.%u:80/tcp", i + 1);
        want_none_here(w, vip);
    }
    want_none_here(w, "10.99.0.1:443/tcp");
    for (int i = 0; i < 1000; i++) {
        gvs_kernel_step(w->k, w->now);
        assert_true(fake_has_addr(&addr));
    }
    assert_null(strstr(fake_log(), "addr_del 10.99.0.1\n"));
    connect_to("10.99.0.1:443/tcp", ONE, 0, 0);
    elapse(w, 1100);
    LOG("addr_del 10.99.0.1\nservice_del 10.99.0.1:443/tcp wlc\n");
    teardown(w);
}

/* Who is asked how long has a clock of his own, and is asked more than once. */
static void
test_its_time_may_come_between_two_questions(void **state)
{
    (void)state;
    for (unsigned answers = 2; answers < 10; answers++) {
        struct bench b;
        struct world *w = begin(&b);

        connect_to(A, ONE, 1, 0);
        connect_to(B, ONE, 1, 0);
        b.answers = answers;
        want(w, A, "wlc", TWO "=1");
        want_none(w, B);
        elapse(w, 2000);
        assert_true(status(w).in_step);
        assert_int_equal(status(w).services + status(w).destinations, 2);
        assert_int_equal(status(w).leaving, 0);
        assert_int_equal(w->stored_count, 2);
        teardown(w);
    }
}

static void
test_hands_on_what_leaves(void **state)
{
    struct bench b;
    struct world *w = begin(&b);

    (void)state;
    leave(w);
    outside(GVS_OP_DEST_EDIT, dest_of(A, TWO, 5));
    audit(w);
    LOG("dest_edit " A " " TWO " 0\n");
    assert_int_equal(status(w).drift_found, 1);
    assert_int_equal(status(w).drift_repaired, 1);
    outside(GVS_OP_DEST_DEL, dest_of(A, TWO, 0));
    audit(w);
    elapse(w, 120000);
    LOG(""); /* it does not come back */
    assert_true(status(w).in_step);
    assert_int_equal(status(w).leaving, 0);
    assert_int_equal(w->stored_count, 4);
    teardown(w);
}

/* An address that goes is put back, also where its service rests only until something leaves. */
static void
test_hands_on_the_address_of_what_leaves(void **state)
{
    struct bench b;
    struct world *w = begin(&b);
    struct gvs_addr addr = addr_of("10.99.0.1");

    (void)state;
    leave(w);
    fake_del_addr(&addr);
    audit(w);
    LOG("addr_add 10.99.0.1\n");
    assert_true(status(w).in_step);
    teardown(w);
}

static void
test_it_goes_while_the_agent_is_away(void **state)
{
    struct bench b;
    struct world *w = begin(&b);

    (void)state;
    leave(w);
    assert_int_equal(w->stored_count, 5);
    crash(w);
    outside(GVS_OP_DEST_DEL, dest_of(A, TWO, 0));
    open_kernel(w);
    want(w, A, "wlc", ONE "=1");
    want(w, B, "wlc", BOTH);
    elapse(w, 10000);
    LOG("");
    assert_int_equal(w->stored_count, 4);
    teardown(w);
}

static void
test_a_kernel_that_does_not_answer_may_have_connections(void **state)
{
    struct bench b;
    struct world *w = begin(&b);

    (void)state;
    want(w, A, "wlc", ONE "=1");
    fake_kernel()->lose_dumps = 1;
    gvs_kernel_step(w->k, w->now);
    gvs_kernel_step(w->k, w->now);
    LOG("dest_edit " A " " TWO " 0\n");
    run(w);
    LOG("dest_del " A " " TWO " 0\n");
    teardown(w);
}

/* core/plan.h: better the old server than none. */
static void
test_nobody_leaves_for_a_server_that_was_refused(void **state)
{
    struct bench b;
    struct world *w = begin(&b);

    (void)state;
    connect_to(A, TWO, 3, 0);
    refuse(GVS_OP_DEST_ADD, dest_of(A, "10.77.0.3:80", 1), EINVAL, 1);
    want(w, A, "wlc", ONE "=1 10.77.0.3:80=1");
    run(w);
    LOG("dest_add " A " 10.77.0.3:80 1 EINVAL\n");
    elapse(w, 1500);
    LOG("dest_add " A " 10.77.0.3:80 1\ndest_edit " A " " TWO " 0\n");
    teardown(w);
}

static void
test_what_leaves_is_told(void **state)
{
    struct gvs_item out[4];
    struct gvs_mono until;
    struct gvs_svcid a = svc_of(A), c = svc_of(C);
    struct gvs_item two = dest_of(A, TWO, 0);
    char why[192];
    struct bench b;
    struct world *w = begin(&b);

    (void)state;
    leave(w);
    assert_int_equal(gvs_kernel_leaving(w->k, &a, out, 4), 1);
    assert_true(gvs_item_equal(&out[0], &two));
    assert_true(gvs_ledger_leaves(w->ledger, &two, &until));
    assert_int_equal(until.us, b.until.us);
    assert_int_equal(gvs_kernel_leaving(w->k, &a, out, 0), 0);
    assert_int_equal(gvs_kernel_leaving(w->k, &c, out, 4), 0);
    assert_int_equal(state_of(w, two, why), GVS_KERNEL_OK);
    assert_int_equal(settled(w, A, why), 1);
    assert_int_equal(compare(w, false, NULL, NULL, 0), 0);
    assert_int_equal(compare(w, true, NULL, NULL, 0), 0);
    teardown(w);
}

/* Two hundredths of a core, as an audit. */
static void
test_many_that_leave_are_looked_at_more_slowly(void **state)
{
    struct bench b;
    struct world *w = begin(&b);
    unsigned before;
    char vip[64];

    (void)state;
    w->cfg.audit_ms = 3600000;
    crash(w);
    open_kernel(w);
    want(w, A, "wlc", BOTH);
    want(w, B, "wlc", BOTH);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(vip, sizeof vip, "10.99.%u.%u:80/tcp", 1 + i / 250, 1 + i % 250);
        want(w, vip, "wlc", ONE "=1");
        connect_to(vip, ONE, 1, 0);
    }
    run(w);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(vip, sizeof vip, "10.99.%u.%u:80/tcp", 1 + i / 250, 1 + i % 250);
        want_here(w, vip, "wlc", "");
    }
    run(w);
    assert_int_equal(status(w).leaving, 1000);
    elapse(w, 5000);
    before = fake_kernel()->dest_dumps;
    elapse(w, 5500);
    assert_in_range(fake_kernel()->dest_dumps - before, 2800, 3300); /* 50 times 64 */
    teardown(w);
}

static void
test_where_the_ledger_is_full_it_goes_at_once(void **state)
{
    struct bench b;
    struct world *w = begin(&b);
    struct gvs_addr addr = {GVS_FAMILY_V4, {10, 98}};

    (void)state;
    for (unsigned i = 0; i < RECORDS_MAX; i++) { /* until it is full */
        addr.b[2] = (uint8_t)(i / 256);
        addr.b[3] = (uint8_t)(i % 256);
        gvs_ledger_addr(w->ledger, &addr, true);
    }
    connect_to(A, TWO, 3, 0);
    want(w, A, "wlc", ONE "=1");
    for (int i = 0; i < 10; i++)
        gvs_kernel_step(w->k, w->now);
    LOG("dest_del " A " " TWO " 1\n");
    teardown(w);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_without_a_connection_it_goes_at_once),
        TEST(test_with_one_it_leaves_and_goes_when_that_ends),
        TEST(test_or_when_its_time_is_over),
        TEST(test_each_has_a_time_of_its_own),
        TEST(test_a_restart_resumes_it),
        TEST(test_what_has_begun_ends_without_trust),
        TEST(test_nothing_begins_without_trust),
        TEST(test_whoever_asked_for_it_here_need_not_wait_for_trust),
        TEST(test_its_return_is_one_edit),
        TEST(test_it_returns_while_the_agent_is_away),
        TEST(test_by_force_it_goes_at_once),
        TEST(test_datagrams_go_at_once),
        TEST(test_of_whom_was_busy_a_moment_ago_the_weight_goes_first),
        TEST(test_the_last_one_leaves_and_returns),
        TEST(test_a_service_leaves_as_a_whole),
        TEST(test_a_service_returns_by_edits),
        TEST(test_an_address_stays_for_whoever_is_still_to_be_decided),
        TEST(test_its_time_may_come_between_two_questions),
        TEST(test_hands_on_what_leaves),
        TEST(test_hands_on_the_address_of_what_leaves),
        TEST(test_it_goes_while_the_agent_is_away),
        TEST(test_a_kernel_that_does_not_answer_may_have_connections),
        TEST(test_nobody_leaves_for_a_server_that_was_refused),
        TEST(test_what_leaves_is_told),
        TEST(test_many_that_leave_are_looked_at_more_slowly),
        TEST(test_where_the_ledger_is_full_it_goes_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
