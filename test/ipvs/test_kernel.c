/* test/ipvs/test_kernel.c: what ipvs/kernel.h promises while nothing goes wrong: programming,
 * restarts, owning.
 *
 * The final table was right in the incident that started this project, too. So most tests compare
 * the *stream* of operations, line by line. */
#include "test/ipvs/world.h"

/* Programming. */

static void
test_first_service_brings_anchor_then_itself_then_address(void **state)
{
    struct world w;
    char why[192];

    (void)state;
    setup(&w);
    want(&w, A, "wlc", "10.77.0.4:8080=1 10.77.0.5:8080=2");
    assert_int_equal(settled(&w, A, why), 0);
    run(&w);
    LOG("anchor_add v4\n"
        "service_add 10.99.0.1:80/tcp wlc\n"
        "dest_add 10.99.0.1:80/tcp 10.77.0.4:8080 1\n"
        "dest_add 10.99.0.1:80/tcp 10.77.0.5:8080 2\n"
        "addr_add 10.99.0.1\n");
    assert_int_equal(settled(&w, A, why), 1);
    assert_int_equal(state_of(&w, service_of(A, ""), why), GVS_KERNEL_OK);
    assert_true(status(&w).in_step);
    assert_int_equal(status(&w).service_add, 1);
    assert_int_equal(status(&w).dest_add, 2);
    assert_int_equal(status(&w).services, 1);
    assert_int_equal(status(&w).destinations, 2);
    assert_int_equal(status(&w).writes, 5);
    teardown(&w);
}

/* The incident: 3 into 1, 2, 4, 5. */
static void
test_insert_in_the_middle_touches_nothing_else(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    want(&w, C, "wlc", "10.77.0.3:8080=1 10.77.0.9:8080=1");
    run(&w);
    LOG("service_add 10.99.0.3:80/tcp wlc\n"
        "dest_add 10.99.0.3:80/tcp 10.77.0.3:8080 1\n"
        "dest_add 10.99.0.3:80/tcp 10.77.0.9:8080 1\n"
        "addr_add 10.99.0.3\n");
    want_none(&w, C);
    run(&w);
    LOG("addr_del 10.99.0.3\n"
        "service_del 10.99.0.3:80/tcp wlc\n");
    assert_int_equal(status(&w).dest_del, 0);
    assert_int_equal(status(&w).service_del, 1);
    teardown(&w);
}

static void
test_weight_is_one_edit(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    want(&w, B, "wlc", "10.77.0.2:8080=7");
    run(&w);
    LOG("dest_edit 10.99.0.2:80/tcp 10.77.0.2:8080 7\n");
    want(&w, B, "rr", "10.77.0.2:8080=7");
    run(&w);
    LOG("service_edit 10.99.0.2:80/tcp rr\n");
    want(&w, B, "rr", "10.77.0.2:8080=7");
    run(&w);
    LOG("");
    teardown(&w);
}

static void
test_replaced_backend_is_added_before_the_old_one_goes(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    want(&w, B, "wlc", "10.77.0.1:8080=1");
    run(&w);
    LOG("dest_add 10.99.0.2:80/tcp 10.77.0.1:8080 1\n"
        "dest_del 10.99.0.2:80/tcp 10.77.0.2:8080 1\n");
    assert_int_equal(status(&w).dest_del, 1);
    teardown(&w);
}

static void
test_old_backend_stays_if_the_new_one_is_refused(void **state)
{
    struct world w;
    char why[192];

    (void)state;
    setup(&w);
    make_five(&w);
    refuse(GVS_OP_DEST_ADD, dest_of(B, "10.77.0.1:8080", 1), EINVAL, 2);
    want(&w, B, "wlc", "10.77.0.1:8080=1");
    run(&w);
    LOG("dest_add 10.99.0.2:80/tcp 10.77.0.1:8080 1 EINVAL\n");
    assert_int_equal(settled(&w, B, why), -1);
    assert_string_equal(why, "10.77.0.1:8080: dest_add: EINVAL");
    elapse(&w, 1000);
    LOG("dest_add 10.99.0.2:80/tcp 10.77.0.1:8080 1 EINVAL\n");
    elapse(&w, 2000);
    LOG("dest_add 10.99.0.2:80/tcp 10.77.0.1:8080 1\n"
        "dest_del 10.99.0.2:80/tcp 10.77.0.2:8080 1\n");
    assert_true(status(&w).in_step);
    teardown(&w);
}

static void
test_address_is_counted_by_services(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    want(&w, A, "wlc", "");
    want(&w, "10.99.0.1:81/tcp", "wlc", "");
    want(&w, "10.99.0.1:53/udp", "wlc", "");
    run(&w);
    LOG("anchor_add v4\n"
        "service_add 10.99.0.1:80/tcp wlc\n"
        "service_add 10.99.0.1:81/tcp wlc\n"
        "service_add 10.99.0.1:53/udp wlc\n"
        "addr_add 10.99.0.1\n");
    want_none(&w, A);
    want_none(&w, "10.99.0.1:53/udp");
    run(&w);
    LOG("service_del 10.99.0.1:80/tcp wlc\n"
        "service_del 10.99.0.1:53/udp wlc\n");
    want_none(&w, "10.99.0.1:81/tcp");
    run(&w);
    LOG("addr_del 10.99.0.1\n"
        "service_del 10.99.0.1:81/tcp wlc\n"
        "anchor_del v4\n");
    teardown(&w);
}

static void
test_the_last_service_replaced_keeps_address_and_anchor(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    want(&w, A, "wlc", "10.77.0.4:8080=1");
    run(&w);
    fake_log();
    want_none(&w, A);
    want(&w, "10.99.0.1:81/tcp", "wlc", "10.77.0.4:8080=1");
    run(&w);
    LOG("service_del 10.99.0.1:80/tcp wlc\n" /* the new one waits for the ledger */
        "service_add 10.99.0.1:81/tcp wlc\n"
        "dest_add 10.99.0.1:81/tcp 10.77.0.4:8080 1\n"); /* the address and the anchor stay */
    teardown(&w);
}

static void
test_what_has_no_address_brings_none(void **state)
{
    static const char *const vips[] = {"fwmark:5", "0.0.0.0:80/tcp"};
    struct world w;

    (void)state;
    setup(&w);
    for (size_t i = 0; i < 2; i++)
        want(&w, vips[i], "wlc", "");
    run(&w);
    LOG("anchor_add v4\n"
        "service_add fwmark:5 wlc\n"
        "service_add 0.0.0.0:80/tcp wlc\n");
    teardown(&w);
}

static void
test_each_family_has_its_anchor(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    want(&w, "[fd00:99::1]:80/tcp", "rr", "[fd00:77::4]:80=1");
    run(&w);
    want(&w, A, "rr", "");
    run(&w);
    LOG("anchor_add v6\n"
        "service_add [fd00:99::1]:80/tcp rr\n"
        "dest_add [fd00:99::1]:80/tcp [fd00:77::4]:80 1\n"
        "addr_add fd00:99::1\n"
        "anchor_add v4\n"
        "service_add 10.99.0.1:80/tcp rr\n"
        "addr_add 10.99.0.1\n");
    want_none(&w, "[fd00:99::1]:80/tcp");
    run(&w);
    LOG("addr_del fd00:99::1\n"
        "service_del [fd00:99::1]:80/tcp rr\n"
        "anchor_del v6\n");
    teardown(&w);
}

static void
test_a_thousand_services_fill_their_batches(void **state)
{
    struct world w;
    struct gvs_item items[3];
    char vip[64];

    (void)state;
    setup(&w);
    w.cfg.interface = "";
    crash(&w);
    open_kernel(&w);
    for (unsigned i = 0; i < 1000; i++) {
        struct gvs_svcid svc;

        snprintf(vip, sizeof vip, "10.99.%u.%u:80/tcp", i / 250, i % 250 + 1);
        svc = svc_of(vip);
        items[0] = service_of(vip, "wlc");
        items[1] = dest_of(vip, "10.77.0.4:8080", 1);
        items[2] = dest_of(vip, "10.77.0.5:8080", 1);
        assert_int_equal(gvs_kernel_want(w.k, &svc, items, 3, false), GVS_OK);
    }
    assert_int_equal(status(&w).pending, 3000);
    run(&w);
    assert_int_equal(status(&w).pending, 0);
    assert_int_equal(fake_kernel()->ops, 3001);
    assert_int_equal(fake_kernel()->batch_max, GVS_NL_BATCH_MAX);
    assert_true(status(&w).in_step);
    fake_log();

    crash(&w);
    open_kernel(&w);
    assert_int_equal(status(&w).writes, 3001); /* the fake kernel goes on counting */
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(vip, sizeof vip, "10.99.%u.%u:80/tcp", i / 250, i % 250 + 1);
        want(&w, vip, "wlc", "10.77.0.4:8080=1 10.77.0.5:8080=1");
    }
    elapse(&w, 60000);
    LOG("");
    assert_true(status(&w).in_step);
    assert_true(status(&w).audits > 0);
    /* slices of 64, a pause before each but the first */
    assert_in_range(status(&w).audit_us, 15 * 110000, 16 * 111000);
    teardown(&w);
}

/* Restart. */

static void
test_restart_on_an_unchanged_table_writes_nothing(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    crash(&w);
    open_kernel(&w);
    want(&w, A, "wlc", "10.77.0.1:8080=1");
    want(&w, B, "wlc", "10.77.0.2:8080=1");
    want(&w, D, "wlc", "10.77.0.4:8080=1");
    want(&w, E, "wlc", "10.77.0.5:8080=1");
    elapse(&w, 60000);
    LOG("");
    assert_true(status(&w).in_step);
    assert_int_equal(status(&w).services, 4);
    assert_int_equal(status(&w).service_add + status(&w).dest_add + status(&w).dest_edit, 0);
    assert_int_equal(status(&w).drift_found, 0);
    teardown(&w);
}

static void
test_changes_made_while_down_are_exactly_those_operations(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    crash(&w);
    open_kernel(&w);
    want(&w, A, "wlc", "10.77.0.1:8080=9"); /* weight */
    want(&w, C, "wlc", "10.77.0.3:8080=1"); /* new */
    want(&w, D, "wlc", "10.77.0.4:8080=1");
    want(&w, E, "wlc", "10.77.0.5:8080=1"); /* and B is gone */
    run(&w);
    LOG("dest_edit 10.99.0.1:80/tcp 10.77.0.1:8080 9\n"
        "service_add 10.99.0.3:80/tcp wlc\n"
        "dest_add 10.99.0.3:80/tcp 10.77.0.3:8080 1\n"
        "addr_add 10.99.0.3\n"
        "addr_del 10.99.0.2\n"
        "service_del 10.99.0.2:80/tcp wlc\n");
    assert_true(status(&w).in_step);
    teardown(&w);
}

static void
test_trust_gives_adds_then_edits_then_removals(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    come_back(&w, GVS_TRUST_NONE);
    want(&w, A, "wlc", "10.77.0.9:8080=1");
    want(&w, B, "rr", "10.77.0.2:8080=5");
    want(&w, C, "wlc", "");
    elapse(&w, 60000);
    LOG("dest_add 10.99.0.1:80/tcp 10.77.0.9:8080 1\n"
        "service_add 10.99.0.3:80/tcp wlc\n"
        "addr_add 10.99.0.3\n");
    assert_false(status(&w).in_step);
    gvs_kernel_trust(w.k, GVS_TRUST_EDITS);
    elapse(&w, 60000);
    LOG("service_edit 10.99.0.2:80/tcp rr\n"
        "dest_edit 10.99.0.2:80/tcp 10.77.0.2:8080 5\n");
    assert_false(status(&w).in_step);
    gvs_kernel_trust(w.k, GVS_TRUST_NONE); /* it only rises */
    gvs_kernel_trust(w.k, GVS_TRUST_ALL);
    run(&w);
    LOG("dest_del 10.99.0.1:80/tcp 10.77.0.1:8080 1\n"
        "addr_del 10.99.0.4\n"
        "addr_del 10.99.0.5\n"
        "service_del 10.99.0.4:80/tcp wlc\n"
        "service_del 10.99.0.5:80/tcp wlc\n");
    assert_true(status(&w).in_step);
    teardown(&w);
}

static void
test_what_is_asked_for_here_needs_no_trust(void **state)
{
    struct gvs_svcid b = svc_of(B);
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    come_back(&w, GVS_TRUST_NONE);
    want(&w, B, "wlc", "10.77.0.2:8080=1");
    want_here(&w, B, "wlc", "10.77.0.7:8080=1");
    run(&w);
    LOG("dest_add 10.99.0.2:80/tcp 10.77.0.7:8080 1\n"
        "dest_del 10.99.0.2:80/tcp 10.77.0.2:8080 1\n");
    assert_int_equal(gvs_kernel_want(w.k, &b, NULL, 0, true), GVS_OK);
    elapse(&w, 60000);
    LOG("addr_del 10.99.0.2\nservice_del 10.99.0.2:80/tcp wlc\n");
    want(&w, C, "wlc", "10.77.0.3:8080=1");
    run(&w);
    fake_log();
    want(&w, C, "wlc", "10.77.0.3:8080=2"); /* by somebody else again */
    elapse(&w, 60000);
    LOG("");
    teardown(&w);
}

/* The store was lost, nobody answers, and the claims of services.d are all that the table says. */
static void
test_asking_for_one_server_takes_no_other_away(void **state)
{
    char why[192];
    struct world w;

    (void)state;
    setup(&w);
    want(&w, B, "wlc", "10.77.0.1:8080=1 10.77.0.2:8080=1 10.77.0.3:8080=1");
    run(&w);
    fake_log();
    come_back(&w, GVS_TRUST_EDITS);
    want_here(&w, B, "wlc", "10.77.0.2:8080=5");
    elapse(&w, 60000);
    LOG("dest_edit 10.99.0.2:80/tcp 10.77.0.2:8080 5\n");
    assert_int_equal(settled(&w, B, why), 1); /* nobody waits for the others */
    want_here(&w, B, "wlc", "10.77.0.2:8080=5 10.77.0.4:8080=1");
    run(&w);
    want(&w, B, "wlc", "10.77.0.2:8080=5"); /* by somebody else */
    elapse(&w, 60000);
    LOG("dest_add 10.99.0.2:80/tcp 10.77.0.4:8080 1\n");
    want(&w, B, "wlc", "10.77.0.1:8080=1 10.77.0.2:8080=5 10.77.0.3:8080=1"); /* synced */
    gvs_kernel_trust(w.k, GVS_TRUST_ALL);
    run(&w);
    LOG("dest_del 10.99.0.2:80/tcp 10.77.0.4:8080 1\n");
    assert_true(status(&w).in_step);
    teardown(&w);
}

static void
test_a_service_that_is_taken_back_here_takes_no_server_along_that_was_not(void **state)
{
    struct gvs_svcid b = svc_of(B);
    char why[192];
    struct world w;

    (void)state;
    setup(&w);
    want(&w, B, "wlc", "10.77.0.1:8080=1 10.77.0.2:8080=1");
    run(&w);
    fake_log();
    come_back(&w, GVS_TRUST_EDITS);
    want_here(&w, B, "wlc", "10.77.0.2:8080=1");
    run(&w);
    assert_int_equal(gvs_kernel_want(w.k, &b, NULL, 0, true), GVS_OK);
    elapse(&w, 60000);
    LOG("");
    assert_int_equal(settled(&w, B, why), 0); /* it is there, and he meant it to go */
    gvs_kernel_trust(w.k, GVS_TRUST_ALL);
    run(&w);
    LOG("addr_del 10.99.0.2\nservice_del 10.99.0.2:80/tcp wlc\nanchor_del v4\n");
    assert_int_equal(settled(&w, B, why), 1);
    teardown(&w);
}

/* Taken back here, and said again by somebody before the kernel had its turn. */
static void
test_what_is_taken_back_here_and_returns_is_as_before(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    come_back(&w, GVS_TRUST_EDITS);
    want(&w, A, "wlc", "10.77.0.1:8080=1");
    want_here(&w, A, "wlc", "");
    want(&w, A, "wlc", "10.77.0.1:8080=1");
    want(&w, A, "wlc", "");
    elapse(&w, 60000);
    LOG("");
    teardown(&w);
}

static void
test_trust_that_rises_in_mid_flight_counts_after_it(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    come_back(&w, GVS_TRUST_NONE);
    want(&w, A, "wlc", "10.77.0.9:8080=1");
    want(&w, B, "wlc", "10.77.0.2:8080=1");
    want(&w, D, "wlc", "10.77.0.4:8080=1");
    want(&w, E, "wlc", "10.77.0.5:8080=1");
    while (status(&w).dest_add == 0)
        gvs_kernel_step(w.k, w.now);
    gvs_kernel_trust(w.k, GVS_TRUST_ALL);
    run(&w);
    LOG("dest_add 10.99.0.1:80/tcp 10.77.0.9:8080 1\n"
        "dest_del 10.99.0.1:80/tcp 10.77.0.1:8080 1\n");
    teardown(&w);
}

static void
test_an_empty_table_that_is_not_trusted_does_nothing(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    come_back(&w, GVS_TRUST_NONE);
    elapse(&w, 60000);
    LOG("");
    teardown(&w);
}

static void
test_a_crash_in_mid_flight_loses_and_repeats_nothing(void **state)
{
    (void)state;
    for (int steps = 0; steps < 40; steps++) {
        struct world w;

        setup(&w);
        for (int life = 0; life < 2; life++) {
            for (unsigned i = 1; i <= 100; i++) {
                char vip[64];

                snprintf(vip, sizeof vip, "10.99.0.%u:80/tcp", i);
                want(&w, vip, "wlc", "10.77.0.4:8080=1 10.77.0.5:8080=1");
            }
            for (int i = 0; life == 0 && i < steps; i++) {
                gvs_kernel_step(w.k, w.now);
                store(&w, true);
            }
            if (life == 0) {
                crash(&w);
                open_kernel(&w);
            }
        }
        run(&w);
        assert_int_equal(fake_kernel()->ops, 301); /* each exactly once, and the anchor */
        assert_int_equal(fake_kernel()->count, 301);
        assert_int_equal(fake_kernel()->addr_count, 100);
        assert_null(strstr(fake_log(), "_del"));
        assert_true(status(&w).in_step);
        teardown(&w);
    }
}

/* Owning. */

static void
test_nothing_is_sent_before_the_ledger_is_durable(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    w.store_stuck = true;
    want(&w, C, "wlc", "");
    want(&w, B, "wlc", "10.77.0.2:8080=3"); /* needs no new record */
    elapse(&w, 20000);
    LOG("dest_edit 10.99.0.2:80/tcp 10.77.0.2:8080 3\n");
    assert_int_equal(status(&w).pending, 1);
    store(&w, false);
    elapse(&w, 20000);
    LOG("");
    w.store_stuck = false;
    run(&w);
    LOG("service_add 10.99.0.3:80/tcp wlc\n"
        "addr_add 10.99.0.3\n");
    teardown(&w);
}

static void
test_an_equal_service_of_somebody_becomes_ours_at_no_operation(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    outside_service(A, "wlc", "10.77.0.4:8080=1");
    want(&w, A, "wlc", "10.77.0.4:8080=1");
    run(&w);
    LOG("anchor_add v4\naddr_add 10.99.0.1\n");
    want(&w, A, "wlc", "10.77.0.4:8080=2");
    run(&w);
    LOG("dest_edit 10.99.0.1:80/tcp 10.77.0.4:8080 2\n");
    teardown(&w);
}

static void
test_a_different_service_of_somebody_is_left_alone_until_told(void **state)
{
    static const struct {
        const char *why, *sched, *dests;
    } rows[] = {
        {"another scheduler", "rr", "10.77.0.4:8080=1"},
        {"another weight", "wlc", "10.77.0.4:8080=2"},
        {"a destination too many", "wlc", "10.77.0.4:8080=1 10.77.0.5:8080=1"},
        {"a destination too few", "wlc", ""},
    };
    struct world w;
    char why[192];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("%s\n", rows[i].why);
        setup(&w);
        outside_service(A, rows[i].sched, rows[i].dests);
        want(&w, A, "wlc", "10.77.0.4:8080=1");
        elapse(&w, 60000);
        LOG("");
        assert_int_equal(state_of(&w, service_of(A, ""), why), GVS_KERNEL_FOREIGN);
        assert_true(strstr(why, "not ours"));
        assert_int_equal(settled(&w, A, why), -1);
        assert_int_equal(status(&w).foreign, 1);
        assert_false(status(&w).in_step);
        assert_int_equal(w.stored_count, 0);
        gvs_kernel_take(w.k);
        run(&w);
        assert_non_null(strstr(fake_log(), "addr_add 10.99.0.1\n"));
        assert_true(status(&w).in_step);
        assert_int_equal(status(&w).foreign, 0);
        assert_int_equal(status(&w).service_del + status(&w).service_add, 0);
        assert_int_equal(fake_kernel()->count, 3); /* with the anchor */
        teardown(&w);
    }
}

static void
test_a_foreign_service_that_goes_makes_room(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    outside_service(A, "rr", "");
    want(&w, A, "wlc", "");
    run(&w);
    outside(GVS_OP_SERVICE_DEL, service_of(A, ""));
    audit(&w);
    LOG("anchor_add v4\nservice_add 10.99.0.1:80/tcp wlc\naddr_add 10.99.0.1\n");
    outside_service(B, "rr", ""); /* nobody wants it */
    audit(&w);
    want_none(&w, B);
    crash(&w);
    open_kernel(&w);
    want(&w, A, "wlc", "");
    elapse(&w, 60000);
    LOG("");
    assert_true(status(&w).in_step);
    teardown(&w);
}

static void
test_no_destination_reaches_a_service_that_came_in_between(void **state)
{
    struct world w;
    char why[192];

    (void)state;
    setup(&w);
    run(&w);
    outside_service(A, "rr", "10.77.0.9:80=1"); /* after our last dump */
    want(&w, A, "wlc", "10.77.0.4:8080=1");
    elapse(&w, 60000);
    LOG("anchor_add v4\n"
        "service_add 10.99.0.1:80/tcp wlc EEXIST\n");
    assert_int_equal(state_of(&w, service_of(A, ""), why), GVS_KERNEL_FOREIGN);
    assert_int_equal(w.stored_count, 0); /* no record claims it */
    assert_int_equal(status(&w).service_add, 0);
    teardown(&w);
}

static void
test_an_equal_service_that_came_in_between_is_adopted(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    run(&w);
    outside_service(A, "wlc", "10.77.0.4:8080=1");
    want(&w, A, "wlc", "10.77.0.4:8080=1");
    run(&w);
    LOG("anchor_add v4\n"
        "service_add 10.99.0.1:80/tcp wlc EEXIST\n"
        "addr_add 10.99.0.1\n");
    assert_true(status(&w).in_step);
    assert_int_equal(status(&w).service_add, 0); /* not ours to count */
    teardown(&w);
}

/* Both were ours. While nobody was here somebody removed one and the table let go of both. */
static void
test_what_goes_while_nobody_is_here_is_not_ours_when_it_returns(void **state)
{
    struct gvs_addr addr = addr_of("10.99.0.1");
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    outside(GVS_OP_SERVICE_DEL, service_of(A, ""));
    fake_del_addr(&addr);
    come_back(&w, GVS_TRUST_EDITS);
    want(&w, D, "wlc", "10.77.0.4:8080=1");
    want(&w, E, "wlc", "10.77.0.5:8080=1");
    elapse(&w, 3 * AUDIT_MS);
    assert_int_equal(gvs_ledger_services(w.ledger), 4); /* not yet: the table may not know it */
    gvs_kernel_trust(w.k, GVS_TRUST_ALL);
    elapse(&w, 2 * AUDIT_MS);
    LOG("addr_del 10.99.0.2\nservice_del 10.99.0.2:80/tcp wlc\n");
    assert_int_equal(gvs_ledger_services(w.ledger), 2);
    assert_int_equal(w.stored_count, 4); /* and their addresses */
    outside_service(A, "rr", "10.77.0.9:8080=1");
    fake_kernel()->addrs[fake_kernel()->addr_count++] = addr;
    elapse(&w, 3 * AUDIT_MS);
    LOG("");
    assert_true(status(&w).in_step);
    teardown(&w);
}

static void
test_without_a_ledger_a_vip_on_our_interface_is_ours(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    crash(&w);
    w.stored_count = 0;
    open_kernel(&w);
    want(&w, A, "wlc", "10.77.0.1:8080=5");
    want(&w, B, "wlc", "10.77.0.2:8080=1");
    want(&w, D, "wlc", "10.77.0.4:8080=1"); /* and E is not */
    run(&w);
    LOG("dest_edit 10.99.0.1:80/tcp 10.77.0.1:8080 5\n"
        "addr_del 10.99.0.5\n"
        "service_del 10.99.0.5:80/tcp wlc\n");
    assert_true(status(&w).in_step);
    teardown(&w);
}

static void
test_with_a_ledger_a_service_on_our_vip_may_be_somebodys(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    outside_service("10.99.0.1:22/tcp", "rr", "10.77.0.4:22=1");
    crash(&w);
    open_kernel(&w);
    want(&w, A, "wlc", "10.77.0.1:8080=1");
    want(&w, B, "wlc", "10.77.0.2:8080=1");
    want(&w, D, "wlc", "10.77.0.4:8080=1");
    want(&w, E, "wlc", "10.77.0.5:8080=1");
    elapse(&w, 60000);
    LOG("");
    teardown(&w);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_first_service_brings_anchor_then_itself_then_address),
        TEST(test_insert_in_the_middle_touches_nothing_else),
        TEST(test_weight_is_one_edit),
        TEST(test_replaced_backend_is_added_before_the_old_one_goes),
        TEST(test_old_backend_stays_if_the_new_one_is_refused),
        TEST(test_address_is_counted_by_services),
        TEST(test_the_last_service_replaced_keeps_address_and_anchor),
        TEST(test_what_has_no_address_brings_none),
        TEST(test_each_family_has_its_anchor),
        TEST(test_a_thousand_services_fill_their_batches),
        TEST(test_restart_on_an_unchanged_table_writes_nothing),
        TEST(test_changes_made_while_down_are_exactly_those_operations),
        TEST(test_trust_gives_adds_then_edits_then_removals),
        TEST(test_what_is_asked_for_here_needs_no_trust),
        TEST(test_asking_for_one_server_takes_no_other_away),
        TEST(test_a_service_that_is_taken_back_here_takes_no_server_along_that_was_not),
        TEST(test_what_is_taken_back_here_and_returns_is_as_before),
        TEST(test_trust_that_rises_in_mid_flight_counts_after_it),
        TEST(test_an_empty_table_that_is_not_trusted_does_nothing),
        TEST(test_a_crash_in_mid_flight_loses_and_repeats_nothing),
        TEST(test_nothing_is_sent_before_the_ledger_is_durable),
        TEST(test_an_equal_service_of_somebody_becomes_ours_at_no_operation),
        TEST(test_a_different_service_of_somebody_is_left_alone_until_told),
        TEST(test_a_foreign_service_that_goes_makes_room),
        TEST(test_no_destination_reaches_a_service_that_came_in_between),
        TEST(test_an_equal_service_that_came_in_between_is_adopted),
        TEST(test_what_goes_while_nobody_is_here_is_not_ours_when_it_returns),
        TEST(test_without_a_ledger_a_vip_on_our_interface_is_ours),
        TEST(test_with_a_ledger_a_service_on_our_vip_may_be_somebodys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
