/* test/core/items.h: items from text, and small worlds of them, for the tests of sets, diffs and
 * plans.
 *
 * A world is an array with one cell for each thing that could exist: there or not, and which of a
 * few sets of fields. What turns one world into another can be read off cell by cell, with no order
 * and no comparison of items: it shares nothing with the code under test.
 */
#pragma once

#include "core/plan.h"
#include "core/set.h"
#include "test/lib/child.h"
#include "test/lib/prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static inline struct gvs_svcid
svcid(const char *text)
{
    struct gvs_svcid s;

    assert_int_equal(gvs_svcid_parse(&s, text, strlen(text), NULL), GVS_OK);
    return s;
}

static inline struct gvs_ep
endpoint(const char *text)
{
    struct gvs_ep e;

    assert_int_equal(gvs_ep_parse(&e, text, strlen(text), NULL), GVS_OK);
    return e;
}

static inline struct gvs_item
service(const char *svc)
{
    struct gvs_svcid id = svcid(svc);
    struct gvs_item item = gvs_item_make_service(&id);

    memcpy(item.service.sched, "wlc", 3);
    item.service.netmask = id.addr.family == GVS_FAMILY_V6 ? 128 : 32;
    return item;
}

static inline struct gvs_item
dest(const char *svc, const char *ep, uint32_t weight)
{
    struct gvs_svcid id = svcid(svc);
    struct gvs_ep e = endpoint(ep);
    struct gvs_item item = gvs_item_make_dest(&id, &e);

    item.dest.weight = weight;
    return item;
}

static inline struct gvs_set *
set_new(size_t items)
{
    void *mem = calloc(1, gvs_set_footprint(items));

    assert_non_null(mem);
    return gvs_set_init(mem, items);
}

/* Does calling it end the process by a signal, as GVS_ASSERT does? */
static inline bool
dies(void (*call)(void))
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        child_begin();
        call();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status);
}

/* --- worlds --- */

#define WORLD_SERVICES 10
#define WORLD_DESTS 6
#define WORLD_THINGS (WORLD_SERVICES * (1 + WORLD_DESTS))
#define WORLD_VARIANTS 6

/* What could exist: thing s * (1 + WORLD_DESTS) is service s, those behind it are its destinations.
 */
struct universe {
    struct gvs_item things[WORLD_THINGS];
};

/* 0: not there. Else 1 + the variant of its fields. */
struct world {
    uint8_t cell[WORLD_THINGS];
};

static inline bool
thing_is_service(size_t thing)
{
    return thing % (1 + WORLD_DESTS) == 0;
}

static inline size_t
thing_service(size_t thing)
{
    return thing - thing % (1 + WORLD_DESTS);
}

/* Addresses, ports and marks from small pools, so that services share them in every way there is;
 * destinations too, among services and with each other. */
static inline struct gvs_svcid
random_svcid(struct gvs_prng *p)
{
    static const char *const texts[] = {
        "10.99.0.1:80/tcp",     "10.99.0.1:80/udp",     "10.99.0.1:81/tcp",  "10.99.0.2:80/tcp",
        "10.99.0.1:443/tcp",    "10.99.1.0:80/tcp",     "9.255.255.255:80",  "10.99.0.1:80/sctp",
        "[fd00:99::1]:80/tcp",  "[fd00:99::1]:80/udp",  "[fd00:99::2]:80",   "[fd00:99::1]:65535",
        "[fd00:99::100]:0/tcp", "10.99.0.1:0/tcp",      "fwmark:1",          "fwmark:256",
        "fwmark:1/v6",          "fwmark:4294967295/v6", "10.99.0.1:256/tcp", "10.99.0.1:1/tcp",
        "[a63:1::]:80/tcp",     "10.99.0.1:65535/udp",  "[ff00::1]:1/sctp",  "fwmark:2",
    };

    return svcid(texts[gvs_prng_below(p, sizeof texts / sizeof *texts)]);
}

static inline struct gvs_ep
random_ep(struct gvs_prng *p)
{
    static const char *const texts[] = {
        "10.77.0.4:8080", "10.77.0.4:8081", "10.77.0.5:8080",  "10.77.0.6:8080",
        "10.77.1.0:8080", "10.77.0.4:1",    "10.77.0.4:65535", "[fd00::4]:8080",
        "[fd00::5]:8080", "[fd00::4]:8081", "[a4d:4::]:8080",  "9.0.0.1:0",
    };

    return endpoint(texts[gvs_prng_below(p, sizeof texts / sizeof *texts)]);
}

/* Is this service, or this destination of its service, in the universe already? */
static inline bool
svcid_taken(const struct universe *u, size_t thing, const struct gvs_svcid *svc)
{
    for (size_t i = 0; i < thing; i += 1 + WORLD_DESTS) {
        const struct gvs_svcid *s = &u->things[i].svc;

        if (s->proto == svc->proto && s->port == svc->port && s->fwmark == svc->fwmark &&
            s->addr.family == svc->addr.family && !memcmp(s->addr.b, svc->addr.b, 16))
            return true;
    }
    return false;
}

static inline bool
same_ep(const struct gvs_ep *a, const struct gvs_ep *b)
{
    return a->port == b->port && a->addr.family == b->addr.family &&
           !memcmp(a->addr.b, b->addr.b, 16);
}

static inline bool
ep_taken(const struct universe *u, size_t thing, const struct gvs_ep *ep)
{
    for (size_t i = thing_service(thing) + 1; i < thing; i++) {
        if (same_ep(&u->things[i].ep, ep))
            return true;
    }
    return false;
}

static inline void
universe_random(struct universe *u, struct gvs_prng *p)
{
    struct gvs_svcid svc;
    struct gvs_ep ep;

    for (size_t i = 0; i < WORLD_THINGS; i++) {
        if (thing_is_service(i)) {
            do {
                svc = random_svcid(p);
            } while (svcid_taken(u, i, &svc));
            u->things[i] = gvs_item_make_service(&svc);
        } else {
            do {
                ep = random_ep(p);
            } while (ep_taken(u, i, &ep));
            u->things[i] = gvs_item_make_dest(&svc, &ep);
        }
    }
}

/* Which thing an item is; every item of a test is one. */
static inline size_t
thing_of(const struct universe *u, const struct gvs_item *item)
{
    for (size_t i = 0; i < WORLD_THINGS; i++) {
        const struct gvs_item *t = &u->things[i];

        if (t->kind == item->kind && t->svc.proto == item->svc.proto &&
            t->svc.port == item->svc.port && t->svc.fwmark == item->svc.fwmark &&
            t->svc.addr.family == item->svc.addr.family &&
            !memcmp(t->svc.addr.b, item->svc.addr.b, 16) && same_ep(&t->ep, &item->ep))
            return i;
    }
    fail_msg("an item that was never made");
    return 0;
}

/* Variants differ from variant 0 in one field each. */
static inline struct gvs_item
thing_item(const struct universe *u, size_t thing, unsigned variant)
{
    static const uint32_t weights[WORLD_VARIANTS] = {0, 1, 1, 1, 2, 1};
    struct gvs_item item = u->things[thing];

    if (thing_is_service(thing)) {
        memcpy(item.service.sched, variant == 1 ? "wlcx" : "wlc", 4);
        item.service.flags = variant == 2 ? GVS_FLAG_OPS : variant == 3 ? GVS_FLAG_PORT : 0;
        item.service.persistent = variant == 4 ? 300 : 0;
        item.service.netmask = variant == 5 ? 24 : 32;
        return item;
    }
    item.dest.weight = weights[variant % WORLD_VARIANTS];
    item.dest.forward = variant == 2 ? GVS_FORWARD_TUN : GVS_FORWARD_NAT;
    item.dest.upper = variant == 3 ? 100 : 0;
    item.dest.tunnel_port = variant == 5 ? 6080 : 0;
    return item;
}

/* Weight that a thing contributes to its service. */
static inline uint32_t
thing_weight(const struct universe *u, const struct world *w, size_t thing)
{
    if (thing_is_service(thing) || w->cell[thing] == 0)
        return 0;
    return thing_item(u, thing, w->cell[thing] - 1u).dest.weight;
}

/* A destination is there only under its service. */
static inline struct world
world_random(struct gvs_prng *p)
{
    struct world w = {{0}};
    uint32_t fill = 1 + gvs_prng_below(p, 8);

    for (size_t i = 0; i < WORLD_THINGS; i++) {
        if (gvs_prng_chance(p, fill, 8) && (thing_is_service(i) || w.cell[thing_service(i)]))
            w.cell[i] = (uint8_t)(1 + gvs_prng_below(p, WORLD_VARIANTS));
    }
    return w;
}

/* A few cells of it changed, or, now and then, everything. */
static inline struct world
world_near(const struct world *from, struct gvs_prng *p)
{
    struct world w = *from;
    uint32_t changes = gvs_prng_below(p, 6);

    if (gvs_prng_chance(p, 1, 4))
        return world_random(p);
    while (changes-- > 0) {
        size_t i = gvs_prng_below(p, WORLD_THINGS);

        w.cell[i] = (uint8_t)gvs_prng_below(p, 1 + WORLD_VARIANTS);
    }
    for (size_t i = 0; i < WORLD_THINGS; i++) {
        if (!w.cell[thing_service(i)])
            w.cell[i] = 0;
    }
    return w;
}

/* The set of a world, its items put in random order. */
static inline void
world_set(struct gvs_set *s, const struct universe *u, const struct world *w, struct gvs_prng *p)
{
    size_t order[WORLD_THINGS];

    for (size_t i = 0; i < WORLD_THINGS; i++) {
        size_t j = gvs_prng_below(p, (uint32_t)i + 1);

        order[i] = order[j];
        order[j] = i;
    }
    gvs_set_clear(s);
    for (size_t i = 0; i < WORLD_THINGS; i++) {
        struct gvs_item item;

        if (!w->cell[order[i]])
            continue;
        item = thing_item(u, order[i], w->cell[order[i]] - 1u);
        assert_int_equal(gvs_set_put(s, &item), GVS_OK);
    }
}

static inline bool
same_fields(const struct gvs_item *a, const struct gvs_item *b)
{
    if (a->kind == GVS_ITEM_SERVICE)
        return !strcmp(a->service.sched, b->service.sched) &&
               a->service.flags == b->service.flags &&
               a->service.persistent == b->service.persistent &&
               a->service.netmask == b->service.netmask;
    return a->dest.weight == b->dest.weight && a->dest.forward == b->dest.forward &&
           a->dest.upper == b->dest.upper && a->dest.tunnel_port == b->dest.tunnel_port;
}

/* A world in which a thing has become this item. */
static inline void
world_put(struct world *w, const struct universe *u, size_t thing, const struct gvs_item *item)
{
    for (unsigned v = 0; v < WORLD_VARIANTS; v++) {
        struct gvs_item candidate = thing_item(u, thing, v);

        if (same_fields(&candidate, item)) {
            w->cell[thing] = (uint8_t)(1 + v);
            return;
        }
    }
    fail_msg("fields that were never made");
}
