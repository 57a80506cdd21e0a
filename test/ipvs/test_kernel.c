/* test/ipvs/test_kernel.c: what ipvs/kernel.h promises, against a kernel in memory
 * (test/ipvs/fake.h).
 *
 * The final table was right in the incident that started this project, too. So most tests compare
 * the *stream* of operations, line by line. */
#include "ipvs/kernel.h"
#include "test/ipvs/fake.h"
#include "test/lib/prng.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ITEMS_MAX 4096
#define RECORDS_MAX 8192
#define AUDIT_MS 5000

/* An agent: the kernel handle, its ledger, and the store that keeps the ledger over restarts. */
struct world {
    struct gvs_kernel *k;
    struct gvs_ledger *ledger;
    struct gvs_mono now;
    struct gvs_ledger_rec stored[RECORDS_MAX];
    size_t stored_count;
    bool store_stuck; /* nothing becomes durable */
    bool closed_gate; /* removal is not allowed after opening */
    struct gvs_kernel_config cfg;
};

/* Items from text. */

static struct gvs_svcid
svc_of(const char *text)
{
    struct gvs_svcid svc;

    assert_int_equal(gvs_svcid_parse(&svc, text, strlen(text), NULL), GVS_OK);
    return svc;
}

static struct gvs_addr
addr_of(const char *text)
{
    struct gvs_addr addr;

    assert_int_equal(gvs_addr_parse(&addr, text, strlen(text), NULL), GVS_OK);
    return addr;
}

static struct gvs_item
service_of(const char *vip, const char *sched)
{
    struct gvs_svcid svc = svc_of(vip);
    struct gvs_item item = gvs_item_make_service(&svc);

    strncpy(item.service.sched, sched, sizeof item.service.sched - 1);
    item.service.netmask = svc.addr.family == GVS_FAMILY_V6 ? 128 : 32;
    return item;
}

static struct gvs_item
dest_of(const char *vip, const char *ep, uint32_t weight)
{
    struct gvs_svcid svc = svc_of(vip);
    struct gvs_item item;
    struct gvs_ep e;

    assert_int_equal(gvs_ep_parse(&e, ep, strlen(ep), NULL), GVS_OK);
    item = gvs_item_make_dest(&svc, &e);
    item.dest.weight = weight;
    return item;
}

static int
by_item(const void *a, const void *b)
{
    return gvs_item_cmp(a, b);
}

/* A service and "10.77.0.4:8080=1 10.77.0.5:8080=2", ascending. */
static size_t
items_of(struct gvs_item *out, const char *vip, const char *sched, const char *dests)
{
    char text[512], *at = text, *one;
    size_t n = 0;

    out[n++] = service_of(vip, sched);
    snprintf(text, sizeof text, "%s", dests);
    while ((one = strsep(&at, " "))) {
        char *weight = strchr(one, '=');

        if (!weight)
            continue;
        *weight = '\0';
        out[n++] = dest_of(vip, one, (uint32_t)atoi(weight + 1));
    }
    qsort(out, n, sizeof *out, by_item);
    return n;
}

/* The agent's life. */

static void
store(struct world *w, bool durable)
{
    uint64_t upto = gvs_kernel_ledger_wanted(w->k);
    struct gvs_ledger_rec rec;

    while (gvs_ledger_next(w->ledger, &rec)) {
        size_t i = 0;

        while (i < w->stored_count &&
               (w->stored[i].len != rec.len || memcmp(w->stored[i].b, rec.b, rec.len) != 0))
            i++;
        if (rec.gone && i < w->stored_count)
            w->stored[i] = w->stored[--w->stored_count];
        else if (!rec.gone && i == w->stored_count)
            w->stored[w->stored_count++] = rec;
    }
    if (durable)
        gvs_kernel_ledger_durable(w->k, upto);
}

/* Steps until there is nothing to do now; returns when there will be. */
static struct gvs_mono
run(struct world *w)
{
    struct gvs_mono at = w->now;

    for (int i = 0; i < 100000; i++) {
        at = gvs_kernel_step(w->k, w->now);
        if (!w->store_stuck && gvs_kernel_ledger_wanted(w->k) > 0) {
            store(w, true);
            at = gvs_kernel_step(w->k, w->now);
        }
        if (!gvs_mono_due(at, w->now))
            return at;
    }
    fail_msg("it never rests");
    return at;
}

static void
elapse(struct world *w, uint64_t ms)
{
    struct gvs_mono end = gvs_mono_add_ms(w->now, ms);

    for (;;) {
        struct gvs_mono at = run(w);

        if (!gvs_mono_due(at, end))
            break;
        w->now = at;
    }
    w->now = end;
    run(w);
}

static void
open_kernel(struct world *w)
{
    w->ledger = gvs_ledger_init(calloc(1, gvs_ledger_footprint(RECORDS_MAX)), RECORDS_MAX);
    for (size_t i = 0; i < w->stored_count; i++)
        assert_int_equal(gvs_ledger_load(w->ledger, w->stored[i].b, w->stored[i].len), GVS_OK);
    assert_int_equal(gvs_kernel_open(&w->k, &w->cfg, w->ledger, w->now), GVS_OK);
    if (!w->closed_gate)
        gvs_kernel_allow_removal(w->k);
}

/* kill -9: what the store did not get is gone. */
static void
crash(struct world *w)
{
    gvs_kernel_close(w->k);
    free(w->ledger);
    w->k = NULL;
}

static void
setup(struct world *w)
{
    fake_reset();
    *w = (struct world){.now = {1000000000}};
    w->cfg = (struct gvs_kernel_config){
        .interface = "gossipvs0", .audit_ms = AUDIT_MS, .items_max = ITEMS_MAX};
    open_kernel(w);
}

static void
teardown(struct world *w)
{
    crash(w);
    fake_reset();
}

static void
want(struct world *w, const char *vip, const char *sched, const char *dests)
{
    struct gvs_item items[64];
    struct gvs_svcid svc = svc_of(vip);
    size_t n = items_of(items, vip, sched, dests);

    assert_int_equal(gvs_kernel_want(w->k, &svc, items, n, false), GVS_OK);
}

static void
want_none(struct world *w, const char *vip)
{
    struct gvs_svcid svc = svc_of(vip);

    assert_int_equal(gvs_kernel_want(w->k, &svc, NULL, 0, false), GVS_OK);
}

/* By hand, or by another program. */
static void
outside(uint8_t kind, struct gvs_item item)
{
    assert_int_equal(fake_do(kind, &item), 0);
}

static void
outside_service(const char *vip, const char *sched, const char *dests)
{
    struct gvs_item items[64];
    size_t n = items_of(items, vip, sched, dests);

    for (size_t i = 0; i < n; i++)
        outside(i == 0 ? GVS_OP_SERVICE_ADD : GVS_OP_DEST_ADD, items[i]);
}

static void
refuse(uint8_t kind, struct gvs_item item, int error, unsigned times)
{
    fake_fail(kind, &item, error, times);
}

/* ipvsadm -C */
static void
outside_flush(void)
{
    fake_kernel()->count = 0;
}

static struct gvs_kernel_status
status(const struct world *w)
{
    return gvs_kernel_status(w->k);
}

static enum gvs_kernel_state
state_of(const struct world *w, struct gvs_item item, char why[static 192])
{
    return gvs_kernel_state_of(w->k, &item, why, 192);
}

static int
settled(const struct world *w, const char *vip, char why[static 192])
{
    struct gvs_svcid svc = svc_of(vip);

    return gvs_kernel_settled(w->k, &svc, why, 192);
}

static void
audit(struct world *w)
{
    uint64_t before = status(w).audits;

    gvs_kernel_audit_now(w->k);
    for (int i = 0; i < 100 && status(w).audits == before; i++)
        elapse(w, 200);
    run(w);
}

#define LOG(text) assert_string_equal(fake_log(), text)

#define A "10.99.0.1:80/tcp"
#define B "10.99.0.2:80/tcp"
#define C "10.99.0.3:80/tcp"
#define D "10.99.0.4:80/tcp"
#define E "10.99.0.5:80/tcp"

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

static void
make_five(struct world *w)
{
    want(w, A, "wlc", "10.77.0.1:8080=1");
    want(w, B, "wlc", "10.77.0.2:8080=1");
    want(w, D, "wlc", "10.77.0.4:8080=1");
    want(w, E, "wlc", "10.77.0.5:8080=1");
    run(w);
    assert_true(status(w).in_step);
    fake_log();
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
    assert_string_equal(why, "dest_add: EINVAL");
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
    w.closed_gate = true;
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
test_nothing_is_removed_before_it_is_allowed(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    crash(&w);
    w.closed_gate = true;
    open_kernel(&w);
    want(&w, A, "wlc", "10.77.0.9:8080=1");
    want(&w, C, "wlc", "");
    elapse(&w, 60000);
    LOG("dest_add 10.99.0.1:80/tcp 10.77.0.9:8080 1\n"
        "service_add 10.99.0.3:80/tcp wlc\n"
        "addr_add 10.99.0.3\n");
    assert_false(status(&w).in_step);
    gvs_kernel_allow_removal(w.k);
    run(&w);
    LOG("dest_del 10.99.0.1:80/tcp 10.77.0.1:8080 1\n"
        "addr_del 10.99.0.2\n"
        "addr_del 10.99.0.4\n"
        "addr_del 10.99.0.5\n"
        "service_del 10.99.0.2:80/tcp wlc\n"
        "service_del 10.99.0.4:80/tcp wlc\n"
        "service_del 10.99.0.5:80/tcp wlc\n");
    assert_true(status(&w).in_step);
    teardown(&w);
}

static void
test_removal_allowed_in_mid_flight_is_done_after_it(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    crash(&w);
    w.closed_gate = true;
    open_kernel(&w);
    want(&w, A, "wlc", "10.77.0.9:8080=1");
    want(&w, B, "wlc", "10.77.0.2:8080=1");
    want(&w, D, "wlc", "10.77.0.4:8080=1");
    want(&w, E, "wlc", "10.77.0.5:8080=1");
    while (status(&w).dest_add == 0)
        gvs_kernel_step(w.k, w.now);
    gvs_kernel_allow_removal(w.k);
    run(&w);
    LOG("dest_add 10.99.0.1:80/tcp 10.77.0.9:8080 1\n"
        "dest_del 10.99.0.1:80/tcp 10.77.0.1:8080 1\n");
    teardown(&w);
}

static void
test_an_empty_table_deletes_nothing_unallowed(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    make_five(&w);
    crash(&w);
    w.closed_gate = true;
    open_kernel(&w);
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
test_a_weight_set_by_hand_is_set_back(void **state)
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
test_a_flush_is_repaired_anchor_first(void **state)
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
    while (status(&w).audits == 0) {
        unsigned before = fake_kernel()->dest_dumps;
        struct gvs_mono at = gvs_kernel_step(w.k, w.now);

        assert_true(fake_kernel()->dest_dumps - before <= 64);
        w.now = gvs_mono_due(at, w.now) ? w.now : at;
    }
    assert_true(fake_kernel()->dest_dumps >= 200);
    LOG("");
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
test_a_dump_that_is_lost_concludes_nothing(void **state)
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

/* Asking. */

static void
test_plan_and_audit_say_what_differs(void **state)
{
    struct gvs_op ops[16];
    bool foreign[16];
    struct world w;

    (void)state;
    setup(&w);
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
    assert_int_equal(gvs_kernel_plan(w.k, ops, 16), 4);
    assert_int_equal(ops[0].kind, GVS_OP_SERVICE_EDIT); /* the foreign one */
    assert_int_equal(ops[1].kind, GVS_OP_SERVICE_ADD);
    assert_int_equal(ops[2].kind, GVS_OP_ADDR_ADD);
    assert_int_equal(ops[3].kind, GVS_OP_ADDR_ADD);
    assert_int_equal(gvs_kernel_plan(w.k, ops, 1), 4);
    assert_int_equal(gvs_kernel_audit(w.k, ops, foreign, 16), 5);
    assert_true(ops[0].kind == GVS_OP_SERVICE_EDIT && foreign[0]);
    assert_true(ops[1].kind == GVS_OP_SERVICE_ADD && !foreign[1]);
    assert_true(ops[2].kind == GVS_OP_DEST_EDIT && !foreign[2]);
    assert_int_equal(ops[2].before.dest.weight, 7);
    assert_int_equal(gvs_kernel_audit(w.k, ops, foreign, 2), 5);
    LOG("");
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

static void
test_an_observer_without_ipvs_sees_an_empty_kernel(void **state)
{
    struct world w;
    struct gvs_kernel *k;

    (void)state;
    setup(&w);
    crash(&w);
    fake_kernel()->no_ipvs = true;
    w.ledger = gvs_ledger_init(calloc(1, gvs_ledger_footprint(8)), 8);
    assert_int_equal(gvs_kernel_open(&k, &w.cfg, w.ledger, w.now), GVS_E_UNSUPPORTED);
    assert_null(k);
    free(w.ledger);
    w.cfg.observe = true;
    open_kernel(&w);
    run(&w);
    assert_true(status(&w).in_step);
    assert_string_equal(gvs_kernel_version(w.k), "");
    want(&w, A, "wlc", "");
    run(&w);
    assert_false(status(&w).in_step);
    teardown(&w);
}

static void
test_a_second_agent_observes_until_the_first_has_gone(void **state)
{
    struct world w, second;

    (void)state;
    setup(&w);
    make_five(&w);
    assert_false(gvs_kernel_observing(w.k));
    second = (struct world){.now = w.now, .cfg = w.cfg};
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

/* Random programs. */

#define SERVICES 6
#define DESTS 4

static const char *const world_vips[SERVICES] = {
    A, "10.99.0.1:81/tcp", "10.99.0.1:80/udp", "[fd00:99::1]:80/tcp", "fwmark:7", B,
};

/* The last one is wanted all along, and nobody lays hands on it: it must never see an operation. */
#define STEADY (SERVICES - 1)

struct model {
    struct gvs_item items[SERVICES][1 + DESTS]; /* ascending; what is wanted */
    size_t count[SERVICES];
};

static struct gvs_item
random_dest(struct gvs_prng *prng, size_t svc)
{
    char ep[64];

    snprintf(ep, sizeof ep, svc == 3 ? "[fd00:77::%u]:80" : "10.77.0.%u:80",
             1 + gvs_prng_below(prng, DESTS));
    return dest_of(world_vips[svc], ep, gvs_prng_below(prng, 3));
}

static const struct gvs_item *
model_find(const struct model *m, const struct gvs_item *identity)
{
    for (size_t i = 0; i < SERVICES; i++) {
        for (size_t j = 0; j < m->count[i]; j++) {
            if (gvs_item_cmp(&m->items[i][j], identity) == 0)
                return &m->items[i][j];
        }
    }
    return NULL;
}

static void
model_change(struct model *m, struct gvs_prng *prng, size_t svc)
{
    size_t n = gvs_prng_below(prng, DESTS + 1);

    m->count[svc] = 0;
    if (svc != STEADY && gvs_prng_chance(prng, 1, 4))
        return;
    m->items[svc][m->count[svc]++] =
        service_of(world_vips[svc], gvs_prng_chance(prng, 1, 2) ? "wlc" : "rr");
    for (size_t i = 0; i < n; i++) {
        struct gvs_item dest = random_dest(prng, svc);

        if (!model_find(m, &dest))
            m->items[svc][m->count[svc]++] = dest;
    }
    qsort(m->items[svc], m->count[svc], sizeof m->items[0][0], by_item);
}

static void
model_want(struct world *w, const struct model *m, size_t svc)
{
    struct gvs_svcid id = svc_of(world_vips[svc]);

    assert_int_equal(gvs_kernel_want(w->k, &id, m->items[svc], m->count[svc], false), GVS_OK);
}

/* Every operation leads to what is wanted at that moment, whatever happened before. */
static void
watch(void *ctx, const struct gvs_op *op)
{
    const struct gvs_item *wanted = model_find(ctx, &op->item);
    struct gvs_svcid steady = svc_of(world_vips[STEADY]);

    switch (op->kind) {
    case GVS_OP_SERVICE_ADD:
    case GVS_OP_SERVICE_EDIT:
    case GVS_OP_DEST_ADD:
    case GVS_OP_DEST_EDIT:
        assert_true(wanted && gvs_item_equal(wanted, &op->item));
        break;
    case GVS_OP_SERVICE_DEL:
    case GVS_OP_DEST_DEL:
        assert_null(wanted);
        break;
    default:
        return;
    }
    assert_int_not_equal(gvs_svcid_cmp(&op->item.svc, &steady), 0);
}

/* Somebody else's hand in a service; what the kernel answers is nobody's business. */
static void
meddle(struct gvs_prng *prng)
{
    size_t svc = gvs_prng_below(prng, STEADY);
    struct gvs_item service =
        service_of(world_vips[svc], gvs_prng_chance(prng, 1, 2) ? "rr" : "sh");
    struct gvs_item dest = random_dest(prng, svc);
    struct gvs_addr addr = service.svc.addr;

    switch (gvs_prng_below(prng, 8)) {
    case 0:
        fake_do(GVS_OP_SERVICE_DEL, &service);
        break;
    case 1:
        fake_do(GVS_OP_SERVICE_ADD, &service);
        break;
    case 2:
        fake_do(GVS_OP_SERVICE_EDIT, &service);
        break;
    case 3:
        fake_do(GVS_OP_DEST_ADD, &dest);
        break;
    case 4:
        fake_do(GVS_OP_DEST_EDIT, &dest);
        break;
    case 5:
        fake_do(GVS_OP_DEST_DEL, &dest);
        break;
    case 6:
        fake_del_addr(&addr);
        break;
    case 7:
        for (size_t i = 0; i < STEADY; i++) {
            service = service_of(world_vips[i], "");
            fake_do(GVS_OP_SERVICE_DEL, &service);
        }
    }
}

static void
break_something(struct gvs_prng *prng)
{
    static const int errors[] = {EINVAL, ENOMEM, ENOENT};
    static const uint8_t kinds[] = {GVS_OP_SERVICE_ADD, GVS_OP_SERVICE_EDIT, GVS_OP_SERVICE_DEL,
                                    GVS_OP_DEST_ADD,    GVS_OP_DEST_EDIT,    GVS_OP_DEST_DEL};
    struct fake *f = fake_kernel();
    uint8_t kind = kinds[gvs_prng_below(prng, 6)];
    size_t svc = gvs_prng_below(prng, STEADY);
    struct gvs_item item = random_dest(prng, svc);

    if (gvs_prng_chance(prng, 1, 3)) {
        f->lose_next = (enum fake_loss)(1 + gvs_prng_below(prng, 3));
        return;
    }
    if (gvs_prng_chance(prng, 1, 8)) {
        f->lose_dumps = gvs_prng_below(prng, 4);
        return;
    }
    if (gvs_prng_chance(prng, 1, 8)) {
        f->addr_error = EPERM;
        return;
    }
    if (kind == GVS_OP_SERVICE_ADD || kind == GVS_OP_SERVICE_EDIT || kind == GVS_OP_SERVICE_DEL)
        item = service_of(world_vips[svc], "");
    for (size_t i = 0; i < FAKE_FAULTS; i++) {
        if (f->faults[i].times == 0) {
            fake_fail(kind, &item, errors[gvs_prng_below(prng, 3)], 1 + gvs_prng_below(prng, 4));
            return;
        }
    }
}

static void
restart(struct world *w, const struct model *m, struct gvs_prng *prng)
{
    crash(w);
    if (gvs_prng_chance(prng, 1, 8))
        w->stored_count = 0;
    w->closed_gate = gvs_prng_chance(prng, 1, 2);
    open_kernel(w);
    for (size_t i = 0; i < SERVICES; i++)
        model_want(w, m, i);
}

static void
act(struct world *w, struct model *m, struct gvs_prng *prng)
{
    size_t svc = gvs_prng_below(prng, STEADY);

    switch (gvs_prng_below(prng, 10)) {
    case 0:
    case 1:
    case 2:
        model_change(m, prng, svc);
        model_want(w, m, svc);
        break;
    case 3:
        meddle(prng);
        break;
    case 4:
        break_something(prng);
        break;
    case 5:
        w->store_stuck = !w->store_stuck;
        break;
    case 6:
        restart(w, m, prng);
        break;
    case 7:
        elapse(w, gvs_prng_below(prng, 8000));
        break;
    default:
        for (uint32_t n = gvs_prng_below(prng, 12); n > 0; n--) {
            gvs_kernel_step(w->k, w->now);
            if (!w->store_stuck)
                store(w, true);
        }
    }
}

/* In the kernel: the model and nothing else, but for anchors and strangers. */
static void
assert_kernel_is(const struct model *m)
{
    const struct fake *f = fake_kernel();
    size_t wanted = 0, found = 0;

    for (size_t i = 0; i < SERVICES; i++)
        wanted += m->count[i];
    for (size_t i = 0; i < f->count; i++) {
        const struct gvs_item *item = model_find(m, &f->items[i]);

        found += item && gvs_item_equal(item, &f->items[i]);
    }
    assert_int_equal(found, wanted);
}

static void
calm_down(struct world *w)
{
    struct fake *f = fake_kernel();

    memset(f->faults, 0, sizeof f->faults);
    f->lose_next = FAKE_LOSS_NONE;
    f->lose_dumps = 0;
    f->addr_error = 0;
    w->store_stuck = false;
    gvs_kernel_allow_removal(w->k);
    elapse(w, 130000); /* every back-off ends, and audits look everywhere */
    gvs_kernel_take(w->k);
    elapse(w, 30000);
}

static void
test_whatever_happens_it_ends_as_wanted_and_the_steady_one_is_never_touched(void **state)
{
    static const char *const strangers[] = {"10.98.0.1:80/tcp", "fwmark:99"};
    struct world w;

    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 400); seed++) {
        struct gvs_prng prng = gvs_prng_init(seed);
        struct model m = {0};
        struct gvs_kernel_status st;

        setup(&w);
        for (size_t i = 0; i < 2; i++)
            outside_service(strangers[i], "lc", "10.77.0.1:80=1");
        for (size_t i = 0; i < SERVICES; i++) {
            model_change(&m, &prng, i);
            model_want(&w, &m, i);
        }
        run(&w);
        assert_kernel_is(&m);
        fake_kernel()->watch = watch;
        fake_kernel()->watch_ctx = &m;
        for (int i = 0; i < 80; i++)
            act(&w, &m, &prng);
        calm_down(&w);

        st = status(&w);
        assert_true(st.in_step);
        assert_int_equal(st.failed + st.pending + st.foreign, 0);
        assert_kernel_is(&m);
        for (size_t i = 0; i < 2; i++) {
            struct gvs_item service = service_of(strangers[i], "lc"), *s = fake_find(&service);
            struct gvs_item dest = dest_of(strangers[i], "10.77.0.1:80", 1), *d = fake_find(&dest);

            assert_true(s && gvs_item_equal(s, &service) && d && gvs_item_equal(d, &dest));
        }
        for (size_t i = 0; i < SERVICES; i++) {
            struct gvs_addr addr = svc_of(world_vips[i]).addr;

            if (m.count[i] > 0 && !gvs_addr_is_any(&addr) && strncmp(world_vips[i], "fw", 2) != 0)
                assert_true(fake_has_addr(&addr));
        }
        fake_log();
        crash(&w);
        open_kernel(&w);
        for (size_t i = 0; i < SERVICES; i++)
            model_want(&w, &m, i);
        elapse(&w, 60000);
        LOG(""); /* and all of it is recognized again */
        teardown(&w);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_service_brings_anchor_then_itself_then_address),
        cmocka_unit_test(test_insert_in_the_middle_touches_nothing_else),
        cmocka_unit_test(test_weight_is_one_edit),
        cmocka_unit_test(test_replaced_backend_is_added_before_the_old_one_goes),
        cmocka_unit_test(test_old_backend_stays_if_the_new_one_is_refused),
        cmocka_unit_test(test_address_is_counted_by_services),
        cmocka_unit_test(test_the_last_service_replaced_keeps_address_and_anchor),
        cmocka_unit_test(test_what_has_no_address_brings_none),
        cmocka_unit_test(test_each_family_has_its_anchor),
        cmocka_unit_test(test_a_thousand_services_fill_their_batches),
        cmocka_unit_test(test_restart_on_an_unchanged_table_writes_nothing),
        cmocka_unit_test(test_changes_made_while_down_are_exactly_those_operations),
        cmocka_unit_test(test_nothing_is_removed_before_it_is_allowed),
        cmocka_unit_test(test_removal_allowed_in_mid_flight_is_done_after_it),
        cmocka_unit_test(test_an_empty_table_deletes_nothing_unallowed),
        cmocka_unit_test(test_a_crash_in_mid_flight_loses_and_repeats_nothing),
        cmocka_unit_test(test_nothing_is_sent_before_the_ledger_is_durable),
        cmocka_unit_test(test_an_equal_service_of_somebody_becomes_ours_at_no_operation),
        cmocka_unit_test(test_a_different_service_of_somebody_is_left_alone_until_told),
        cmocka_unit_test(test_a_foreign_service_that_goes_makes_room),
        cmocka_unit_test(test_no_destination_reaches_a_service_that_came_in_between),
        cmocka_unit_test(test_an_equal_service_that_came_in_between_is_adopted),
        cmocka_unit_test(test_without_a_ledger_a_vip_on_our_interface_is_ours),
        cmocka_unit_test(test_with_a_ledger_a_service_on_our_vip_may_be_somebodys),
        cmocka_unit_test(test_a_deleted_service_comes_back),
        cmocka_unit_test(test_a_weight_set_by_hand_is_set_back),
        cmocka_unit_test(test_a_flush_is_repaired_anchor_first),
        cmocka_unit_test(test_a_missing_anchor_is_put_back),
        cmocka_unit_test(test_everything_inside_our_service_is_ours),
        cmocka_unit_test(test_what_an_item_cannot_say_is_drift),
        cmocka_unit_test(test_a_service_that_one_dump_skips_is_not_missing),
        cmocka_unit_test(test_a_stranger_that_leaves_before_the_second_look_is_not_removed),
        cmocka_unit_test(test_an_address_taken_away_comes_back),
        cmocka_unit_test(test_a_stray_address_of_ours_goes_and_a_strangers_stays),
        cmocka_unit_test(test_an_audit_of_many_goes_in_slices),
        cmocka_unit_test(test_a_refused_service_holds_up_no_other_and_backs_off),
        cmocka_unit_test(test_a_new_wish_does_not_wait_for_the_back_off),
        cmocka_unit_test(test_one_bad_destination_costs_only_itself),
        cmocka_unit_test(test_a_refused_address_is_told_and_tried_again),
        cmocka_unit_test(test_no_service_comes_without_its_anchor),
        cmocka_unit_test(test_a_destination_that_is_there_already_is_edited),
        cmocka_unit_test(test_what_is_gone_already_is_removed),
        cmocka_unit_test(test_a_service_that_vanished_is_noticed_by_the_answer),
        cmocka_unit_test(test_lost_answers_lead_to_a_look_never_to_a_guess),
        cmocka_unit_test(test_a_removal_whose_answer_was_lost),
        cmocka_unit_test(test_a_dump_that_is_lost_concludes_nothing),
        cmocka_unit_test(test_a_wish_taken_back_under_way_stops_the_rest),
        cmocka_unit_test(test_what_is_wanted_and_unwanted_before_its_turn_leaves_nothing),
        cmocka_unit_test(test_plan_and_audit_say_what_differs),
        cmocka_unit_test(test_connections_are_those_of_the_last_audit),
        cmocka_unit_test(test_own_addresses_are_those_of_other_interfaces),
        cmocka_unit_test(test_events_that_nobody_fetched_are_counted),
        cmocka_unit_test(test_more_than_fits_is_refused_whole),
        cmocka_unit_test(test_an_observer_reads_and_never_writes),
        cmocka_unit_test(test_an_observer_without_ipvs_sees_an_empty_kernel),
        cmocka_unit_test(test_a_second_agent_observes_until_the_first_has_gone),
        cmocka_unit_test_teardown(
            test_whatever_happens_it_ends_as_wanted_and_the_steady_one_is_never_touched,
            test_seed_teardown),
    };

    /* The lock is real, and of the namespace: two builds may be tested at once. */
    if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
        print_message("no namespace of its own; another agent here would be seen\n");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
