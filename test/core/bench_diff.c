/* test/core/bench_diff: what a diff costs with 10,000 services of 10 destinations on either side.
 * Run by tools/bench; prints rows of a table and judges no time, but the number of changes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/diff.h"
#include "core/err.h"

#define SERVICES 10000
#define DESTS 10
#define ITEMS (SERVICES * (1 + DESTS))
#define ROUNDS 25
#define LOOKUPS 10000 /* one is too short for the clock */

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static struct gvs_set *
set_new(void)
{
    void *mem = calloc(1, gvs_set_footprint(ITEMS));

    GVS_ASSERT(mem);
    return gvs_set_init(mem, ITEMS);
}

static struct gvs_svcid
service_id(unsigned s)
{
    return (struct gvs_svcid){.proto = GVS_PROTO_TCP,
                              .addr = {GVS_FAMILY_V4, {10, 99, (uint8_t)(s / 256), (uint8_t)s}},
                              .port = 80};
}

static void
fill(struct gvs_set *set)
{
    for (unsigned s = 0; s < SERVICES; s++) {
        struct gvs_svcid id = service_id(s);
        struct gvs_item item = gvs_item_make_service(&id);

        strcpy(item.service.sched, "wlc");
        item.service.netmask = 32;
        GVS_ASSERT(gvs_set_put(set, &item) == GVS_OK);
        for (unsigned d = 0; d < DESTS; d++) {
            struct gvs_ep ep = {.addr = {GVS_FAMILY_V4, {10, 77, (uint8_t)s, (uint8_t)d}},
                                .port = 8080};

            item = gvs_item_make_dest(&id, &ep);
            item.dest.weight = 1;
            GVS_ASSERT(gvs_set_put(set, &item) == GVS_OK);
        }
    }
}

static size_t
walk(struct gvs_range have, struct gvs_range want)
{
    const struct gvs_item *from, *to;
    struct gvs_diff d;
    size_t changes = 0;

    gvs_diff_init(&d, have, want);
    while (gvs_diff_next(&d, &from, &to) != GVS_DIFF_END)
        changes++;
    return changes;
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void
row(const char *what, double ms[static ROUNDS], size_t changes, size_t expected)
{
    if (changes != expected) {
        fprintf(stderr, "bench_diff: %s: %zu changes, not %zu\n", what, changes, expected);
        exit(1);
    }
    qsort(ms, ROUNDS, sizeof *ms, compare);
    printf("| %-46s | %7zu | %8.4f | %8.4f | %8.4f |\n", what, changes, ms[ROUNDS / 2], ms[0],
           ms[ROUNDS - 1]);
}

static void
whole(const char *what, struct gvs_set *have, struct gvs_set *want, size_t expected)
{
    double ms[ROUNDS];
    size_t changes = 0;

    for (unsigned i = 0; i < ROUNDS; i++) {
        double began = now();

        changes = walk(gvs_set_all(have), gvs_set_all(want));
        ms[i] = now() - began;
    }
    row(what, ms, changes, expected);
}

/* What the agent does: it knows which service has changed, and walks that one. */
static void
one_service(const struct gvs_set *have, const struct gvs_set *want)
{
    double ms[ROUNDS];
    size_t changes = 0;

    for (unsigned i = 0; i < ROUNDS; i++) {
        double began = now();

        for (unsigned j = 0; j < LOOKUPS; j++) {
            struct gvs_svcid id = service_id(j * 7919 % SERVICES);

            changes += walk(gvs_set_service(have, &id), gvs_set_service(want, &id));
        }
        ms[i] = (now() - began) / LOOKUPS;
    }
    row("one service of them, looked up in both", ms, changes / ROUNDS, 1);
}

int
main(void)
{
    struct gvs_set *have = set_new(), *want = set_new(), *none = set_new();
    struct gvs_svcid id = service_id(SERVICES / 2);
    struct gvs_item item;

    fill(have);
    fill(want);
    printf("%d services of %d destinations, %zu bytes an item; ms, %d rounds:\n\n", SERVICES, DESTS,
           sizeof item, ROUNDS);
    puts("| diff                                           | changes |      p50 |      min |      "
         "max |\n"
         "| ---------------------------------------------- | ------: | -------: | -------: | "
         "-------: |");
    whole("equal in everything", have, want, 0);
    item = gvs_set_service(want, &id).at[1];
    item.dest.weight = 2;
    GVS_ASSERT(gvs_set_put(want, &item) == GVS_OK);
    whole("one weight differs", have, want, 1);
    whole("from nothing", none, want, ITEMS);
    whole("to nothing", have, none, ITEMS);
    one_service(have, want);
    free(have);
    free(want);
    free(none);
    return 0;
}
