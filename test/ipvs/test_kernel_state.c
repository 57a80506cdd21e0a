/* test/ipvs/test_kernel_state.c: what ipvs/kernel.h says of itself, its bounds, and observing. */
#include "test/ipvs/world.h"

/* Asking. */

static void
test_plan_and_audit_say_what_differs(void **state)
{
    struct gvs_op ops[16];
    bool foreign[16];
    struct world w;

    (void)state;
    setup(&w);
    assert_int_equal(compare(&w, false, NULL, NULL, 0), 0);
    assert_int_equal(compare(&w, true, NULL, NULL, 0), 0);
    make_five(&w);
    w.store_stuck = true; /* nothing new happens */
    outside(GVS_OP_DEST_EDIT, dest_of(A, "10.77.0.1:8080", 7));
    outside_service(C, "rr", "");
    audit(&w);
    outside(GVS_OP_DEST_EDIT, dest_of(B, "10.77.0.2:8080", 7));
    want(&w, C, "wlc", "");
    want(&w, "10.99.0.6:80/tcp", "wlc", "");
    fake_log();
    run(&w);
    LOG("");
    assert_int_equal(compare(&w, false, ops, NULL, 16), 4);
    assert_int_equal(ops[0].kind, GVS_OP_SERVICE_EDIT); /* the foreign one */
    assert_int_equal(ops[1].kind, GVS_OP_SERVICE_ADD);
    assert_int_equal(ops[2].kind, GVS_OP_ADDR_ADD);
    assert_int_equal(ops[3].kind, GVS_OP_ADDR_ADD);
    assert_int_equal(compare(&w, false, ops, NULL, 1), 4);
    assert_int_equal(compare(&w, true, ops, foreign, 16), 5);
    assert_true(ops[0].kind == GVS_OP_SERVICE_EDIT && foreign[0]);
    assert_true(ops[1].kind == GVS_OP_SERVICE_ADD && !foreign[1]);
    assert_true(ops[2].kind == GVS_OP_DEST_EDIT && !foreign[2]);
    assert_int_equal(ops[2].before.dest.weight, 7);
    assert_int_equal(compare(&w, true, ops, foreign, 2), 5);
    LOG("");
    teardown(&w);
}

/* More services than a step looks at, and what differs at both ends and in the middle. */
static void
test_a_comparison_goes_in_steps_and_wave_by_wave(void **state)
{
    static const struct {
        unsigned at;
        uint8_t wave, kind;
    } expected[] = {{0, 0, GVS_OP_DEST_ADD},    {70, 0, GVS_OP_SERVICE_EDIT},
                    {149, 0, GVS_OP_DEST_ADD},  {0, 1, GVS_OP_DEST_DEL},
                    {71, 1, GVS_OP_DEST_EDIT},  {149, 1, GVS_OP_DEST_DEL},
                    {72, 2, GVS_OP_SERVICE_DEL}};
    struct gvs_op ops[16];
    char vip[150][32];
    struct world w;

    (void)state;
    setup(&w);
    for (unsigned i = 0; i < 150; i++) {
        snprintf(vip[i], sizeof vip[i], "10.99.1.%u:80/tcp", i);
        want_here(&w, vip[i], "wlc", "10.77.0.1:80=1");
    }
    run(&w);
    assert_int_equal(compare(&w, true, ops, NULL, 16), 0);
    for (unsigned i = 0; i < 150; i += 149) {
        outside(GVS_OP_DEST_DEL, dest_of(vip[i], "10.77.0.1:80", 1));
        outside(GVS_OP_DEST_ADD, dest_of(vip[i], "10.77.0.2:80", 1));
    }
    outside(GVS_OP_SERVICE_EDIT, service_of(vip[70], "rr"));
    outside(GVS_OP_DEST_EDIT, dest_of(vip[71], "10.77.0.1:80", 7));
    w.store_stuck = true;
    want_none_here(&w, vip[72]); /* and nothing of it is done yet */
    assert_int_equal(compare(&w, true, ops, NULL, 16), 8);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        struct gvs_svcid svc = svc_of(vip[expected[i].at]);

        assert_int_equal(ops[i].kind, expected[i].kind);
        assert_int_equal(ops[i].wave, expected[i].wave);
        assert_int_equal(gvs_svcid_cmp(&ops[i].item.svc, &svc), 0);
    }
    assert_int_equal(ops[7].kind, GVS_OP_ADDR_DEL);
    assert_int_equal(compare(&w, false, ops, NULL, 16), 2); /* what is known of it */
    teardown(&w);
}

/* Services that come and go while the others are being read are no difference; what somebody else
 * removes is. */
static void
test_what_comes_during_an_audit_is_not_missed(void **state)
{
    const struct gvs_svcid gone = svc_of("10.99.2.2:80/tcp");
    struct gvs_compare c = {.dump = true};
    char vip[20][32];
    size_t said = 0;
    struct world w;
    int rc;

    (void)state;
    setup(&w);
    for (unsigned i = 0; i < 20; i++) {
        snprintf(vip[i], sizeof vip[i], "10.99.1.%u:80/tcp", i);
        want_here(&w, vip[i], "wlc", "10.77.0.1:80=1");
    }
    run(&w);
    assert_int_equal(gvs_compare_next(w.k, &c), 1);
    want_here(&w, "10.99.0.1:80/tcp", "wlc", "10.77.0.1:80=1");
    want_here(&w, "10.99.2.1:80/tcp", "wlc", "10.77.0.1:80=1");
    want_here(&w, "10.99.2.2:80/tcp", "wlc", "10.77.0.1:80=1");
    want_none_here(&w, vip[2]);
    want_none_here(&w, vip[19]);
    run(&w);
    outside(GVS_OP_SERVICE_DEL, service_of("10.99.2.2:80/tcp", "wlc"));
    while ((rc = gvs_compare_next(w.k, &c)) > 0)
        for (size_t i = 0; i < c.count; i++, said++)
            assert_int_equal(gvs_svcid_cmp(&c.ops[i].item.svc, &gone), 0);
    assert_int_equal(rc, 0);
    assert_int_equal(said, 2);
    gvs_compare_end(&c);
    teardown(&w);
}

static void
test_connections_are_those_of_the_last_audit(void **state)
{
    struct gvs_item dest;
    struct gvs_svcid b = svc_of(B), nobody = svc_of("10.99.0.99:80/tcp");
    struct world w;
    uint32_t active, inactive;

    (void)state;
    setup(&w);
    make_five(&w);
    dest = dest_of(B, "10.77.0.2:8080", 0);
    assert_false(gvs_kernel_conns(w.k, &dest, &active, &inactive));
    audit(&w);
    assert_true(gvs_kernel_conns(w.k, &dest, &active, &inactive));
    assert_int_equal(active, 8080);
    assert_int_equal(inactive, 1);
    outside(GVS_OP_DEST_EDIT, dest_of(B, "10.77.0.2:8080", 3));
    assert_int_equal(gvs_kernel_refresh_conns(w.k, &b), GVS_OK);
    assert_true(gvs_kernel_conns(w.k, &dest, &active, &inactive));
    assert_int_equal(inactive, 3);
    assert_int_equal(gvs_kernel_refresh_conns(w.k, &nobody), GVS_E_NOTFOUND);
    teardown(&w);
}

static void
test_own_addresses_are_those_of_other_interfaces(void **state)
{
    const struct gvs_addr *own;
    struct gvs_addr eth = addr_of("10.77.0.1"), vip = addr_of("10.99.0.1");
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    assert_int_equal(gvs_kernel_own_addresses(w.k, &own), 1);
    assert_int_equal(gvs_addr_cmp(&own[0], &eth), 0);
    assert_string_equal(gvs_kernel_own_interface(w.k, &eth), "eth0");
    assert_null(gvs_kernel_own_interface(w.k, &vip));
    teardown(&w);
}

/* Else a VIP at such an address would be programmed for the moment. */
static void
test_a_reading_of_own_addresses_that_fails_is_none(void **state)
{
    const struct gvs_addr *own;
    struct world w;

    (void)state;
    setup(&w);
    fake_kernel()->own[1] = addr_of("10.78.0.1");
    fake_kernel()->own_count = 2;
    make_five(&w);
    fake_kernel()->lose_addrs = 1;
    elapse(&w, AUDIT_MS);
    assert_int_equal(fake_kernel()->lose_addrs, 0);
    assert_int_equal(gvs_kernel_own_addresses(w.k, &own), 2);
    assert_false(status(&w).in_step);
    fake_kernel()->own_count = 1;
    elapse(&w, AUDIT_MS);
    assert_int_equal(gvs_kernel_own_addresses(w.k, &own), 1);
    assert_true(status(&w).in_step);
    teardown(&w);
}

static void
test_events_that_nobody_fetched_are_counted(void **state)
{
    struct gvs_kernel_event ev;
    struct world w;
    uint64_t missed, n = 0, lost = 0;
    char dests[64];

    (void)state;
    setup(&w);
    want(&w, A, "wlc", "10.77.0.1:8080=1");
    for (int i = 2; i <= 1500; i++) {
        run(&w);
        snprintf(dests, sizeof dests, "10.77.0.1:8080=%d", i);
        want(&w, A, "wlc", dests);
    }
    run(&w);
    while (gvs_kernel_event(w.k, &ev, &missed)) {
        lost += missed;
        n++;
    }
    assert_int_equal(n, 1024);
    assert_int_equal(lost, 3 + 1499 - 1024); /* service, destination, address, and the edits */
    teardown(&w);
}

/* Bounds. */

static void
test_more_than_fits_is_refused_whole(void **state)
{
    struct gvs_item items[4];
    struct gvs_svcid b = svc_of(B);
    struct world w;
    size_t n;

    (void)state;
    setup(&w);
    crash(&w);
    w.cfg.items_max = 4;
    open_kernel(&w);
    want(&w, A, "wlc", "10.77.0.1:8080=1");
    n = items_of(items, B, "wlc", "10.77.0.1:8080=1 10.77.0.2:8080=1");
    assert_int_equal(gvs_kernel_want(w.k, &b, items, n, false), GVS_E_FULL);
    run(&w);
    assert_null(strstr(fake_log(), B));
    assert_int_equal(gvs_kernel_want(w.k, &b, items, n - 1, false), GVS_OK);
    run(&w);
    assert_int_equal(status(&w).destinations, 2);
    for (unsigned i = 0; i < 12; i++) { /* a service that somebody stuffed */
        char ep[32];

        snprintf(ep, sizeof ep, "10.77.1.%u:80", i + 1);
        outside(GVS_OP_DEST_ADD, dest_of(A, ep, 1));
    }
    fake_log();
    elapse(&w, 20000);
    LOG("");
    assert_non_null(strstr(status(&w).last_error, "limits"));
    assert_false(status(&w).in_step);
    teardown(&w);
}

/* Observing. */

static void
test_an_observer_reads_and_never_writes(void **state)
{
    struct world w;
    char why[192];

    (void)state;
    setup(&w);
    crash(&w);
    w.cfg.observe = true;
    outside_service(A, "wlc", "10.77.0.1:8080=1");
    open_kernel(&w);
    assert_true(gvs_kernel_observing(w.k));
    assert_false(gvs_kernel_locked_out(w.k));
    want(&w, A, "wlc", "10.77.0.1:8080=1");
    run(&w);
    assert_true(status(&w).in_step);
    assert_int_equal(state_of(&w, service_of(A, ""), why), GVS_KERNEL_OBSERVED);
    want(&w, B, "wlc", "");
    run(&w);
    assert_false(status(&w).in_step);
    outside_service(B, "wlc", "");
    outside(GVS_OP_DEST_EDIT, dest_of(A, "10.77.0.1:8080", 5));
    elapse(&w, 2 * AUDIT_MS);
    assert_false(status(&w).in_step);
    want(&w, A, "wlc", "10.77.0.1:8080=5");
    run(&w);
    assert_true(status(&w).in_step);
    want_none(&w, B);
    elapse(&w, 2 * AUDIT_MS);
    assert_false(status(&w).in_step); /* it is still there */
    outside(GVS_OP_SERVICE_DEL, service_of(B, ""));
    elapse(&w, 2 * AUDIT_MS);
    assert_true(status(&w).in_step);
    LOG("");
    assert_int_equal(status(&w).writes, 0);
    assert_int_equal(status(&w).drift_found, 0);
    teardown(&w);
}

/* As an observer it is opened all the same, and sees nothing. */
static void
open_blind(struct world *w, int refusal, const char *why)
{
    struct gvs_kernel *k;

    crash(w);
    w->ledger = gvs_ledger_init(calloc(1, gvs_ledger_footprint(8)), 8);
    assert_int_equal(gvs_kernel_open(&k, &w->cfg, w->ledger, w->now), refusal);
    assert_null(k);
    free(w->ledger);
    w->cfg.observe = true;
    open_kernel(w);
    run(w);
    assert_true(status(w).in_step);
    assert_string_equal(gvs_kernel_version(w->k), "");
    assert_string_equal(status(w).last_error, why);
    want(w, A, "wlc", "");
    run(w);
    assert_false(status(w).in_step);
    teardown(w);
}

static void
test_an_observer_without_ipvs_sees_an_empty_kernel(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    fake_kernel()->no_ipvs = true;
    open_blind(&w, GVS_E_UNSUPPORTED, "");
}

static void
test_an_observer_that_may_not_read_ipvs_sees_an_empty_kernel_and_says_why(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    fake_kernel()->no_right = true;
    open_blind(&w, GVS_E_REFUSED, "IPVS is not read: CAP_NET_ADMIN is missing");
}

static void
test_a_second_agent_observes_until_the_first_has_gone(void **state)
{
    struct world w, second;

    (void)state;
    setup(&w);
    make_five(&w);
    assert_false(gvs_kernel_observing(w.k));
    second = (struct world){.now = w.now, .cfg = w.cfg, .trust = w.trust};
    memcpy(second.stored, w.stored, sizeof w.stored); /* the store that the two share, later */
    second.stored_count = w.stored_count;
    open_kernel(&second);
    assert_true(gvs_kernel_observing(second.k));
    assert_true(gvs_kernel_locked_out(second.k));
    want(&second, A, "rr", "10.77.0.1:8080=1");
    elapse(&second, 20000);
    LOG("");
    crash(&w);
    elapse(&second, 2 * AUDIT_MS);
    assert_false(gvs_kernel_observing(second.k));
    assert_false(gvs_kernel_locked_out(second.k));
    LOG("service_edit 10.99.0.1:80/tcp rr\n"
        "addr_del 10.99.0.2\n"
        "addr_del 10.99.0.4\n"
        "addr_del 10.99.0.5\n"
        "service_del 10.99.0.2:80/tcp wlc\n"
        "service_del 10.99.0.4:80/tcp wlc\n"
        "service_del 10.99.0.5:80/tcp wlc\n");
    assert_true(status(&second).in_step);
    teardown(&second);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_plan_and_audit_say_what_differs),
        TEST(test_a_comparison_goes_in_steps_and_wave_by_wave),
        TEST(test_what_comes_during_an_audit_is_not_missed),
        TEST(test_connections_are_those_of_the_last_audit),
        TEST(test_own_addresses_are_those_of_other_interfaces),
        TEST(test_a_reading_of_own_addresses_that_fails_is_none),
        TEST(test_events_that_nobody_fetched_are_counted),
        TEST(test_more_than_fits_is_refused_whole),
        TEST(test_an_observer_reads_and_never_writes),
        TEST(test_an_observer_without_ipvs_sees_an_empty_kernel),
        TEST(test_an_observer_that_may_not_read_ipvs_sees_an_empty_kernel_and_says_why),
        TEST(test_a_second_agent_observes_until_the_first_has_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
