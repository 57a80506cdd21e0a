/* test/ipvs/world.h: an agent's life around ipvs/kernel.h, for its tests: items from text, a store
 * for the ledger, time, crashes, and other people's hands in the kernel (test/ipvs/fake.h).
 */
#pragma once

#include "ipvs/kernel.h"
#include "test/ipvs/fake.h"

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
    bool store_stuck;     /* nothing becomes durable */
    enum gvs_trust trust; /* after opening */
    struct gvs_kernel_config cfg;
};

/* Items from text. */

static inline struct gvs_svcid
svc_of(const char *text)
{
    struct gvs_svcid svc;

    assert_int_equal(gvs_svcid_parse(&svc, text, strlen(text), NULL), GVS_OK);
    return svc;
}

static inline struct gvs_addr
addr_of(const char *text)
{
    struct gvs_addr addr;

    assert_int_equal(gvs_addr_parse(&addr, text, strlen(text), NULL), GVS_OK);
    return addr;
}

static inline struct gvs_item
service_of(const char *vip, const char *sched)
{
    struct gvs_svcid svc = svc_of(vip);
    struct gvs_item item = gvs_item_make_service(&svc);

    strncpy(item.service.sched, sched, sizeof item.service.sched - 1);
    item.service.netmask = svc.addr.family == GVS_FAMILY_V6 ? 128 : 32;
    return item;
}

static inline struct gvs_item
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

static inline int
by_item(const void *a, const void *b)
{
    return gvs_item_cmp(a, b);
}

/* A service and "10.77.0.4:8080=1 10.77.0.5:8080=2", ascending. */
static inline size_t
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

static inline void
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
        else if (!rec.gone)
            w->stored[i == w->stored_count ? w->stored_count++ : i] = rec;
    }
    if (durable)
        gvs_kernel_ledger_durable(w->k, upto);
}

/* Steps until there is nothing to do now; returns when there will be. */
static inline struct gvs_mono
run(struct world *w)
{
    struct gvs_mono at = w->now;

    for (int i = 0; i < 100000; i++) {
        at = gvs_kernel_step(w->k, w->now);
        if (!w->store_stuck)
            store(w, true);
        if (!w->store_stuck && gvs_kernel_ledger_wanted(w->k) > 0)
            at = gvs_kernel_step(w->k, w->now);
        if (!gvs_mono_due(at, w->now))
            return at;
    }
    fail_msg("it never rests");
    return at;
}

static inline void
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

static inline void
open_kernel(struct world *w)
{
    w->ledger = gvs_ledger_init(calloc(1, gvs_ledger_footprint(RECORDS_MAX)), RECORDS_MAX);
    for (size_t i = 0; i < w->stored_count; i++) {
        const struct gvs_ledger_rec *rec = &w->stored[i];

        assert_int_equal(gvs_ledger_load(w->ledger, rec->b, rec->len, rec->value, rec->value_len),
                         GVS_OK);
    }
    assert_int_equal(gvs_kernel_open(&w->k, &w->cfg, w->ledger, w->now), GVS_OK);
    gvs_kernel_trust(w->k, w->trust);
}

/* kill -9: what the store did not get is gone. */
static inline void
crash(struct world *w)
{
    gvs_kernel_close(w->k);
    free(w->ledger);
    w->k = NULL;
}

static inline void
setup(struct world *w)
{
    fake_reset();
    *w = (struct world){.now = {1000000000}, .trust = GVS_TRUST_ALL};
    w->cfg = (struct gvs_kernel_config){
        .interface = "gossipvs0", .audit_ms = AUDIT_MS, .items_max = ITEMS_MAX};
    open_kernel(w);
}

static inline void
teardown(struct world *w)
{
    crash(w);
    fake_reset();
}

/* The agent is killed, and starts again; so far is its table trusted. */
static inline void
come_back(struct world *w, enum gvs_trust trust)
{
    crash(w);
    w->trust = trust;
    open_kernel(w);
}

static inline void
want_from(struct world *w, const char *vip, const char *sched, const char *dests, bool local)
{
    struct gvs_item items[64];
    struct gvs_svcid svc = svc_of(vip);
    size_t n = items_of(items, vip, sched, dests);

    assert_int_equal(gvs_kernel_want(w->k, &svc, items, n, local), GVS_OK);
}

static inline void
want(struct world *w, const char *vip, const char *sched, const char *dests)
{
    want_from(w, vip, sched, dests, false);
}

static inline void
want_here(struct world *w, const char *vip, const char *sched, const char *dests)
{
    want_from(w, vip, sched, dests, true);
}

static inline void
want_none(struct world *w, const char *vip)
{
    struct gvs_svcid svc = svc_of(vip);

    assert_int_equal(gvs_kernel_want(w->k, &svc, NULL, 0, false), GVS_OK);
}

/* Taken back on this node: no brake has a say in that. */
static inline void
want_none_here(struct world *w, const char *vip)
{
    struct gvs_svcid svc = svc_of(vip);

    assert_int_equal(gvs_kernel_want(w->k, &svc, NULL, 0, true), GVS_OK);
}

/* By hand, or by another program. */
static inline void
outside(uint8_t kind, struct gvs_item item)
{
    assert_int_equal(fake_do(kind, &item), 0);
}

static inline void
outside_service(const char *vip, const char *sched, const char *dests)
{
    struct gvs_item items[64];
    size_t n = items_of(items, vip, sched, dests);

    for (size_t i = 0; i < n; i++)
        outside(i == 0 ? GVS_OP_SERVICE_ADD : GVS_OP_DEST_ADD, items[i]);
}

static inline void
refuse(uint8_t kind, struct gvs_item item, int error, unsigned times)
{
    fake_fail(kind, &item, error, times);
}

/* ipvsadm -C */
static inline void
outside_flush(void)
{
    fake_kernel()->count = 0;
}

/* What a comparison says, up to `max` of it (foreign may be NULL); returns how much there is. */
static inline size_t
compare(const struct world *w, bool dump, struct gvs_op *ops, bool *foreign, size_t max)
{
    struct gvs_compare c = {.dump = dump};
    size_t n = 0;
    int rc;

    while ((rc = gvs_compare_next(w->k, &c)) > 0)
        for (size_t i = 0; i < c.count; i++, n++) {
            if (n < max)
                ops[n] = c.ops[i];
            if (n < max && foreign)
                foreign[n] = c.foreign;
        }
    assert_int_equal(rc, 0);
    assert_int_equal(c.count, 0);
    gvs_compare_end(&c);
    return n;
}

static inline struct gvs_kernel_status
status(const struct world *w)
{
    return gvs_kernel_status(w->k);
}

static inline enum gvs_kernel_state
state_of(const struct world *w, struct gvs_item item, char why[static 192])
{
    return gvs_kernel_state_of(w->k, &item, why, 192);
}

static inline int
settled(const struct world *w, const char *vip, char why[static 192])
{
    struct gvs_svcid svc = svc_of(vip);

    return gvs_kernel_settled(w->k, &svc, why, 192);
}

static inline void
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

static inline void
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

/* The lock is real, and of the namespace: two builds may be tested at once, and a test that failed
 * holds it still. */
static inline int
own_namespace(void **state)
{
    (void)state;
    if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
        print_message("no namespace of its own: another agent here would be seen\n");
    return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, own_namespace)
