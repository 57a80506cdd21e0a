/* test/ipvs/test_kernel_faults.c: ipvs/kernel.h when others change the kernel, when it refuses, and
 * when its answers are strange or lost. */
#include "test/ipvs/world.h"

/* Drift. */

static void
test_a_deleted_service_comes_back(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    outside(GVS_OP_SERVICE_DEL, service_of(B, ""));
    elapse(&w, 2 * AUDIT_MS);
    LOG("service_add 10.99.0.2:80/tcp wlc\n"
        "dest_add 10.99.0.2:80/tcp 10.77.0.2:8080 1\n");
    assert_int_equal(status(&w).drift_found, 2);
    assert_int_equal(status(&w).drift_repaired, 2);
    assert_true(status(&w).in_step);
    teardown(&w);
}

static void
test_t24_a_weight_set_by_hand_is_set_back(void **state)
{
    struct gvs_kernel_event ev;
    uint64_t missed;
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    while (gvs_kernel_event(w.k, &ev, &missed))
        ;
    outside(GVS_OP_DEST_EDIT, dest_of(B, "10.77.0.2:8080", 7));
    elapse(&w, 2 * AUDIT_MS);
    LOG("dest_edit 10.99.0.2:80/tcp 10.77.0.2:8080 1\n");
    assert_int_equal(status(&w).drift_found, 1);
    assert_int_equal(status(&w).drift_repaired, 1);
    assert_true(gvs_kernel_event(w.k, &ev, &missed));
    assert_int_equal(ev.what, GVS_KERNEL_DRIFT);
    assert_int_equal(ev.op.kind, GVS_OP_DEST_EDIT);
    assert_int_equal(ev.op.before.dest.weight, 7);
    assert_int_equal(ev.op.item.dest.weight, 1);
    assert_true(gvs_kernel_event(w.k, &ev, &missed));
    assert_int_equal(ev.what, GVS_KERNEL_DONE);
    assert_true(ev.repair);
    assert_false(gvs_kernel_event(w.k, &ev, &missed));
    assert_int_equal(missed, 0);
    teardown(&w);
}

static void
test_drift_is_open_until_it_is_put_right(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    assert_int_equal(status(&w).drift_open, 0);
    refuse(GVS_OP_DEST_EDIT, dest_of(B, "10.77.0.2:8080", 0), EBUSY, 2);
    outside(GVS_OP_DEST_EDIT, dest_of(B, "10.77.0.2:8080", 7));
    elapse(&w, AUDIT_MS);
    assert_int_equal(status(&w).drift_found, 1);
    assert_int_equal(status(&w).drift_open, 1);
    assert_int_equal(status(&w).refused[GVS_OP_DEST_EDIT], 1);
    elapse(&w, 2 * AUDIT_MS);
    assert_int_equal(status(&w).drift_open, 0);
    assert_int_equal(status(&w).refused[GVS_OP_DEST_EDIT], 2);
    teardown(&w);
}

static void
test_t24_a_flush_is_repaired_anchor_first(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    want(&w, A, "wlc", "10.77.0.1:8080=1");
    want(&w, B, "rr", "");
    run(&w);
    fake_log();
    outside_flush();
    elapse(&w, 2 * AUDIT_MS);
    LOG("anchor_add v4\n"
        "service_add 10.99.0.1:80/tcp wlc\n"
        "service_add 10.99.0.2:80/tcp rr\n"
        "dest_add 10.99.0.1:80/tcp 10.77.0.1:8080 1\n");
    assert_int_equal(status(&w).drift_found, 3);
    assert_int_equal(status(&w).drift_repaired, 3);
    assert_true(status(&w).in_step);
    teardown(&w);
}

static void
test_a_missing_anchor_is_put_back(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    outside(GVS_OP_SERVICE_DEL, gvs_anchor(GVS_FAMILY_V4));
    elapse(&w, 2 * AUDIT_MS);
    LOG("anchor_add v4\n");
    assert_int_equal(status(&w).drift_found, 0);
    teardown(&w);
}

static void
test_everything_inside_our_service_is_ours(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    outside(GVS_OP_DEST_ADD, dest_of(B, "10.77.0.66:80", 1));
    outside(GVS_OP_DEST_DEL, dest_of(D, "10.77.0.4:8080", 1));
    outside(GVS_OP_SERVICE_EDIT, service_of(E, "rr"));
    elapse(&w, 2 * AUDIT_MS);
    LOG("service_edit 10.99.0.5:80/tcp wlc\n"
        "dest_add 10.99.0.4:80/tcp 10.77.0.4:8080 1\n"
        "dest_del 10.99.0.2:80/tcp 10.77.0.66:80 1\n");
    assert_int_equal(status(&w).drift_found, 3);
    assert_int_equal(status(&w).drift_repaired, 3);
    teardown(&w);
}

/* What made it look odd must not be taken for what it was by half of its fields. */
static void
test_what_an_item_cannot_say_is_drift(void **state)
{
    struct world w;
    struct gvs_item id;

    (void)state;
    setup(&w);
    make_five(&w);
    id = service_of(B, "");
    fake_kernel()->odd[fake_find(&id) - fake_kernel()->items] = true;
    elapse(&w, 2 * AUDIT_MS);
    LOG("service_edit 10.99.0.2:80/tcp wlc\n");
    teardown(&w);
}

static void
test_a_service_that_one_dump_skips_is_not_missing(void **state)
{
    struct gvs_svcid b = svc_of(B);
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    fake_kernel()->skipped = &b;
    elapse(&w, 2 * AUDIT_MS);
    assert_null(fake_kernel()->skipped);
    LOG("");
    assert_int_equal(status(&w).drift_found, 0);
    assert_true(status(&w).in_step);
    teardown(&w);
}

static void
test_a_stranger_that_leaves_before_the_second_look_is_not_removed(void **state)
{
    struct world w;
    struct gvs_mono at;

    (void)state;
    setup(&w);
    make_five(&w);
    outside(GVS_OP_DEST_ADD, dest_of(B, "10.77.0.66:80", 1));
    at = run(&w);
    w.now = at;
    while (status(&w).drift_found == 0)
        gvs_kernel_step(w.k, w.now);
    outside(GVS_OP_DEST_DEL, dest_of(B, "10.77.0.66:80", 1));
    run(&w);
    LOG("");
    assert_true(status(&w).in_step);
    teardown(&w);
}

static void
test_an_address_taken_away_comes_back(void **state)
{
    struct gvs_addr addr = addr_of("10.99.0.2");
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    fake_del_addr(&addr);
    elapse(&w, 2 * AUDIT_MS);
    LOG("addr_add 10.99.0.2\n");
    assert_int_equal(status(&w).drift_found, 1);
    assert_int_equal(status(&w).drift_repaired, 1);
    assert_true(status(&w).in_step);
    teardown(&w);
}

/* Its route was taken away, or has another source. */
static void
test_an_address_that_nothing_reaches_is_mended(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    want(&w, "10.99.0.2:81/tcp", "wlc", ""); /* of the same address: asked once, told once */
    run(&w);
    fake_log();
    fake_kernel()->astray = addr_of("10.99.0.2");
    elapse(&w, 2 * AUDIT_MS);
    LOG("addr_add 10.99.0.2\n");
    assert_int_equal(status(&w).drift_found, 1);
    assert_int_equal(status(&w).drift_repaired, 1);
    assert_true(status(&w).in_step);
    fake_kernel()->astray = addr_of("10.99.0.2");
    fake_kernel()->addr_error = EINVAL; /* not at once */
    elapse(&w, AUDIT_MS + 500);
    LOG("addr_add 10.99.0.2 EINVAL\n");
    assert_false(status(&w).in_step);
    elapse(&w, AUDIT_MS);
    LOG("addr_add 10.99.0.2\n");
    assert_int_equal(status(&w).drift_found, 2);
    assert_true(status(&w).in_step);
    teardown(&w);
}

/* Somebody put it there before the service came, and took it away since. */
static void
test_an_address_that_was_not_ours_becomes_so_when_it_goes(void **state)
{
    struct gvs_addr addr = addr_of("10.99.0.3");
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    fake_kernel()->addrs[fake_kernel()->addr_count++] = addr;
    elapse(&w, AUDIT_MS);
    want(&w, C, "wlc", "10.77.0.3:8080=1");
    run(&w);
    LOG("service_add 10.99.0.3:80/tcp wlc\ndest_add 10.99.0.3:80/tcp 10.77.0.3:8080 1\n");
    fake_del_addr(&addr);
    elapse(&w, 2 * AUDIT_MS);
    LOG("addr_add 10.99.0.3\n");
    assert_int_equal(status(&w).drift_found, 0); /* he may */
    assert_true(status(&w).in_step);
    fake_del_addr(&addr);
    elapse(&w, 2 * AUDIT_MS);
    LOG("addr_add 10.99.0.3\n");
    assert_int_equal(status(&w).drift_found, 1);
    teardown(&w);
}

static void
test_a_stray_address_of_ours_goes_and_a_strangers_stays(void **state)
{
    struct gvs_addr stranger = addr_of("10.99.0.77");
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    fake_kernel()->addrs[fake_kernel()->addr_count++] = stranger;
    outside(GVS_OP_SERVICE_DEL, service_of(B, ""));
    crash(&w);
    open_kernel(&w);
    want(&w, A, "wlc", "10.77.0.1:8080=1");
    want(&w, D, "wlc", "10.77.0.4:8080=1");
    want(&w, E, "wlc", "10.77.0.5:8080=1");
    elapse(&w, 2 * AUDIT_MS);
    LOG("addr_del 10.99.0.2\n");
    assert_true(fake_has_addr(&stranger));
    teardown(&w);
}

static void
test_an_audit_of_many_goes_in_slices(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    for (unsigned i = 1; i <= 200; i++) {
        char vip[64];

        snprintf(vip, sizeof vip, "10.99.0.%u:80/tcp", i);
        want(&w, vip, "wlc", "10.77.0.4:8080=1");
    }
    run(&w);
    fake_log();
    outside(GVS_OP_DEST_EDIT, dest_of("10.99.0.200:80/tcp", "10.77.0.4:8080", 7));
    for (int i = 0; i < 1000 && status(&w).audits == 0; i++) {
        unsigned before = fake_kernel()->dest_dumps + fake_kernel()->route_asks;
        struct gvs_mono at = gvs_kernel_step(w.k, w.now);

        assert_true(fake_kernel()->dest_dumps + fake_kernel()->route_asks - before <= 65);
        w.now = gvs_mono_due(at, w.now) ? w.now : at;
    }
    run(&w);
    assert_int_equal(status(&w).audits, 1);
    assert_true(fake_kernel()->dest_dumps >= 200);
    assert_int_equal(fake_kernel()->route_asks, 200);
    LOG("dest_edit 10.99.0.200:80/tcp 10.77.0.4:8080 1\n");
    teardown(&w);
}

/* Refusals. */

static void
test_a_refused_service_holds_up_no_other_and_backs_off(void **state)
{
    struct world w;
    char why[192];

    (void)state;
    setup(&w);
    refuse(GVS_OP_SERVICE_ADD, service_of(B, ""), ENOENT, 8); /* no such scheduler */
    want(&w, A, "wlc", "10.77.0.1:8080=1");
    want(&w, B, "xyz", "10.77.0.2:8080=1");
    want(&w, C, "wlc", "10.77.0.3:8080=1");
    run(&w);
    LOG("anchor_add v4\n"
        "service_add 10.99.0.1:80/tcp wlc\n"
        "service_add 10.99.0.2:80/tcp xyz ENOENT\n"
        "service_add 10.99.0.3:80/tcp wlc\n"
        "dest_add 10.99.0.1:80/tcp 10.77.0.1:8080 1\n"
        "dest_add 10.99.0.3:80/tcp 10.77.0.3:8080 1\n"
        "addr_add 10.99.0.1\n"
        "addr_add 10.99.0.3\n");
    assert_int_equal(settled(&w, A, why), 1);
    assert_int_equal(settled(&w, B, why), -1);
    assert_string_equal(why, "service_add: ENOENT");
    assert_int_equal(state_of(&w, service_of(B, ""), why), GVS_KERNEL_FAILED);
    assert_int_equal(state_of(&w, dest_of(B, "10.77.0.2:8080", 0), why), GVS_KERNEL_PENDING);
    assert_int_equal(status(&w).failed, 1);
    assert_int_equal(status(&w).pending, 1);
    assert_string_equal(status(&w).last_error, "10.99.0.2:80/tcp: service_add: ENOENT");
    assert_int_equal(status(&w).refused[GVS_OP_SERVICE_ADD], 1);
    for (unsigned s = 1; s <= 64; s *= 2) { /* 1, 2, 4 ... 32, 60 */
        elapse(&w, (s > 60 ? 60 : s) * 1000 - 1);
        LOG("");
        elapse(&w, 1);
        LOG("service_add 10.99.0.2:80/tcp xyz ENOENT\n");
    }
    elapse(&w, 60000);
    LOG("service_add 10.99.0.2:80/tcp xyz\n"
        "dest_add 10.99.0.2:80/tcp 10.77.0.2:8080 1\n"
        "addr_add 10.99.0.2\n");
    assert_true(status(&w).in_step);
    teardown(&w);
}

static void
test_a_new_wish_does_not_wait_for_the_back_off(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    refuse(GVS_OP_SERVICE_ADD, service_of(B, ""), ENOENT, 1);
    want(&w, B, "xyz", "");
    run(&w);
    fake_log();
    want(&w, B, "wlc", "");
    run(&w);
    LOG("service_add 10.99.0.2:80/tcp wlc\naddr_add 10.99.0.2\n");
    teardown(&w);
}

static void
test_one_bad_destination_costs_only_itself(void **state)
{
    struct world w;
    char why[192];

    (void)state;
    setup(&w);
    refuse(GVS_OP_DEST_ADD, dest_of(A, "10.77.0.2:8080", 0), EINVAL, 1000);
    want(&w, A, "wlc", "10.77.0.1:8080=1 10.77.0.2:8080=1 10.77.0.3:8080=1");
    elapse(&w, 600000);
    assert_true(status(&w).failed == 1 && status(&w).pending == 0);
    assert_int_equal(state_of(&w, dest_of(A, "10.77.0.2:8080", 0), why), GVS_KERNEL_FAILED);
    assert_int_equal(state_of(&w, dest_of(A, "10.77.0.3:8080", 0), why), GVS_KERNEL_OK);
    assert_int_equal(state_of(&w, service_of(A, ""), why), GVS_KERNEL_OK);
    assert_int_equal(status(&w).service_add, 1);
    assert_int_equal(status(&w).dest_add, 2);
    assert_int_equal(settled(&w, A, why), -1); /* whoever asked for another hears which it is */
    assert_string_equal(why, "10.77.0.2:8080: dest_add: EINVAL");
    want(&w, A, "wlc", "10.77.0.1:8080=1 10.77.0.3:8080=1");
    run(&w);
    assert_true(status(&w).in_step);
    teardown(&w);
}

static void
test_a_refused_address_is_told_and_tried_again(void **state)
{
    struct world w;
    char why[192];

    (void)state;
    setup(&w);
    fake_kernel()->addr_error = EPERM;
    want(&w, A, "wlc", "");
    run(&w);
    assert_int_equal(state_of(&w, service_of(A, ""), why), GVS_KERNEL_FAILED);
    assert_string_equal(why, "address 10.99.0.1 on gossipvs0: Operation not permitted");
    assert_false(status(&w).in_step);
    fake_log();
    elapse(&w, 1000);
    LOG("addr_add 10.99.0.1\n");
    assert_true(status(&w).in_step);
    fake_kernel()->addr_error = EPERM; /* and a service whose address stays, stays */
    want_none(&w, A);
    run(&w);
    LOG("addr_del 10.99.0.1 EPERM\n");
    elapse(&w, 1000);
    LOG("addr_del 10.99.0.1\nservice_del 10.99.0.1:80/tcp wlc\nanchor_del v4\n");
    teardown(&w);
}

static void
test_no_service_comes_without_its_anchor(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    refuse(GVS_OP_ANCHOR_ADD, gvs_anchor(GVS_FAMILY_V4), ENOMEM, 1);
    want(&w, A, "wlc", "");
    want(&w, "[fd00:99::1]:80/tcp", "wlc", "");
    run(&w);
    LOG("anchor_add v4 ENOMEM\n"
        "anchor_add v6\n"
        "service_add [fd00:99::1]:80/tcp wlc\n"
        "addr_add fd00:99::1\n");
    elapse(&w, 1000);
    LOG("anchor_add v4\nservice_add 10.99.0.1:80/tcp wlc\naddr_add 10.99.0.1\n");
    teardown(&w);
}

/* Surprises. */

static void
test_a_destination_that_is_there_already_is_edited(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    outside(GVS_OP_DEST_ADD, dest_of(B, "10.77.0.6:8080", 1));
    outside(GVS_OP_DEST_ADD, dest_of(B, "10.77.0.7:8080", 4));
    want(&w, B, "wlc", "10.77.0.2:8080=1 10.77.0.6:8080=1 10.77.0.7:8080=1");
    run(&w);
    LOG("dest_add 10.99.0.2:80/tcp 10.77.0.6:8080 1 EEXIST\n"
        "dest_add 10.99.0.2:80/tcp 10.77.0.7:8080 1 EEXIST\n"
        "dest_edit 10.99.0.2:80/tcp 10.77.0.7:8080 1\n");
    assert_int_equal(status(&w).dest_add, 4);
    assert_int_equal(status(&w).dest_edit, 1);
    assert_true(status(&w).in_step);
    teardown(&w);
}

static void
test_what_is_gone_already_is_removed(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    outside(GVS_OP_DEST_DEL, dest_of(A, "10.77.0.1:8080", 0));
    outside(GVS_OP_SERVICE_DEL, service_of(B, ""));
    want(&w, A, "wlc", "");
    want_none(&w, B);
    run(&w);
    LOG("dest_del 10.99.0.1:80/tcp 10.77.0.1:8080 1 ENOENT\n"
        "addr_del 10.99.0.2\n"
        "service_del 10.99.0.2:80/tcp wlc ESRCH\n");
    assert_int_equal(status(&w).dest_del + status(&w).service_del, 0);
    assert_true(status(&w).in_step);
    teardown(&w);
}

static void
test_a_service_that_vanished_is_noticed_by_the_answer(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    outside(GVS_OP_SERVICE_DEL, service_of(B, ""));
    want(&w, B, "wlc", "10.77.0.2:8080=1 10.77.0.3:8080=1");
    run(&w);
    LOG("dest_add 10.99.0.2:80/tcp 10.77.0.3:8080 1 ESRCH\n"
        "service_add 10.99.0.2:80/tcp wlc\n"
        "dest_add 10.99.0.2:80/tcp 10.77.0.2:8080 1\n"
        "dest_add 10.99.0.2:80/tcp 10.77.0.3:8080 1\n");
    assert_int_equal(status(&w).drift_found, 2);
    assert_int_equal(status(&w).drift_repaired, 2);
    teardown(&w);
}

static void
test_lost_answers_lead_to_a_look_never_to_a_guess(void **state)
{
    static const struct {
        const char *why;
        enum fake_loss loss;
        const char *log;
    } rows[] = {
        {"nothing was done", FAKE_LOSS_UNDONE,
         "lost\n"
         "service_add 10.99.0.3:80/tcp wlc\n"
         "dest_add 10.99.0.3:80/tcp 10.77.0.3:8080 1\n"
         "addr_add 10.99.0.3\n"},
        {"all was done", FAKE_LOSS_DONE,
         "service_add 10.99.0.3:80/tcp wlc\n"
         "lost\n"
         "dest_add 10.99.0.3:80/tcp 10.77.0.3:8080 1\n"
         "addr_add 10.99.0.3\n"},
    };
    struct world w;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("%s\n", rows[i].why);
        setup(&w);
        make_five(&w);
        fake_kernel()->lose_next = rows[i].loss;
        want(&w, C, "wlc", "10.77.0.3:8080=1");
        run(&w);
        LOG(rows[i].log);
        assert_int_equal(status(&w).drift_found, 0);
        assert_true(status(&w).in_step);
        teardown(&w);
    }
}

static void
test_a_removal_whose_answer_was_lost(void **state)
{
    struct world w;

    (void)state;
    for (int done = 0; done < 2; done++) {
        setup(&w);
        make_five(&w);
        fake_kernel()->lose_next = done ? FAKE_LOSS_DONE : FAKE_LOSS_UNDONE;
        want(&w, B, "wlc", "");
        run(&w);
        LOG(done ? "dest_del 10.99.0.2:80/tcp 10.77.0.2:8080 1\nlost\n"
                 : "lost\ndest_del 10.99.0.2:80/tcp 10.77.0.2:8080 1\n");
        assert_int_equal(status(&w).drift_found, 0);
        assert_true(status(&w).in_step);
        teardown(&w);
    }
}

static void
test_a_look_that_misses_the_service_looks_again(void **state)
{
    struct gvs_svcid b = svc_of(B);
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    fake_kernel()->lose_next = FAKE_LOSS_UNDONE;
    fake_kernel()->skipped = &b;
    want(&w, B, "wlc", "10.77.0.2:8080=2");
    run(&w);
    LOG("lost\ndest_edit 10.99.0.2:80/tcp 10.77.0.2:8080 2\n");
    teardown(&w);
}

static void
test_t24_a_dump_that_is_lost_concludes_nothing(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    crash(&w);
    fake_kernel()->lose_dumps = 8;
    open_kernel(&w);
    want(&w, A, "wlc", "10.77.0.1:8080=1");
    want(&w, B, "wlc", "10.77.0.2:8080=1");
    want(&w, D, "wlc", "10.77.0.4:8080=1");
    want(&w, E, "wlc", "10.77.0.5:8080=1");
    run(&w);
    assert_false(status(&w).read_once);
    elapse(&w, 20000);
    LOG("");
    assert_true(status(&w).in_step);
    fake_kernel()->lose_dumps = 6;
    elapse(&w, 20000);
    LOG("");
    assert_int_equal(status(&w).drift_found, 0);
    teardown(&w);
}

/* Wishes that change under way. */

static void
test_a_wish_taken_back_under_way_stops_the_rest(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    want(&w, B, "wlc", "10.77.0.9:8080=1");
    while (status(&w).dest_add == 4)
        gvs_kernel_step(w.k, w.now);
    want(&w, B, "wlc", "10.77.0.2:8080=1 10.77.0.9:8080=1"); /* the old one is to stay after all */
    run(&w);
    LOG("dest_add 10.99.0.2:80/tcp 10.77.0.9:8080 1\n");
    assert_true(status(&w).in_step);
    teardown(&w);
}

static void
test_what_is_wanted_and_unwanted_before_its_turn_leaves_nothing(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    want(&w, C, "wlc", "");
    want_none(&w, C);
    run(&w);
    LOG("");
    w.store_stuck = true;
    want(&w, C, "wlc", "");
    run(&w);
    want_none(&w, C);
    w.store_stuck = false;
    run(&w);
    LOG("");
    assert_true(status(&w).in_step);
    assert_int_equal(w.stored_count, 8); /* four services, four addresses */
    teardown(&w);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_a_deleted_service_comes_back),
        TEST(test_t24_a_weight_set_by_hand_is_set_back),
        TEST(test_drift_is_open_until_it_is_put_right),
        TEST(test_t24_a_flush_is_repaired_anchor_first),
        TEST(test_a_missing_anchor_is_put_back),
        TEST(test_everything_inside_our_service_is_ours),
        TEST(test_what_an_item_cannot_say_is_drift),
        TEST(test_a_service_that_one_dump_skips_is_not_missing),
        TEST(test_a_stranger_that_leaves_before_the_second_look_is_not_removed),
        TEST(test_an_address_taken_away_comes_back),
        TEST(test_an_address_that_nothing_reaches_is_mended),
        TEST(test_an_address_that_was_not_ours_becomes_so_when_it_goes),
        TEST(test_a_stray_address_of_ours_goes_and_a_strangers_stays),
        TEST(test_an_audit_of_many_goes_in_slices),
        TEST(test_a_refused_service_holds_up_no_other_and_backs_off),
        TEST(test_a_new_wish_does_not_wait_for_the_back_off),
        TEST(test_one_bad_destination_costs_only_itself),
        TEST(test_a_refused_address_is_told_and_tried_again),
        TEST(test_no_service_comes_without_its_anchor),
        TEST(test_a_destination_that_is_there_already_is_edited),
        TEST(test_what_is_gone_already_is_removed),
        TEST(test_a_service_that_vanished_is_noticed_by_the_answer),
        TEST(test_lost_answers_lead_to_a_look_never_to_a_guess),
        TEST(test_a_removal_whose_answer_was_lost),
        TEST(test_a_look_that_misses_the_service_looks_again),
        TEST(test_t24_a_dump_that_is_lost_concludes_nothing),
        TEST(test_a_wish_taken_back_under_way_stops_the_rest),
        TEST(test_what_is_wanted_and_unwanted_before_its_turn_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
