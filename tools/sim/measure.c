/* Figures: how a change spreads among N nodes, what it costs, what silence costs.
 *
 * Changes come one at a time, each at a random node, each watched until all others have it. Delays
 * are the same on all links, so that time divided by delay is hops. Bytes are payload and 28 for
 * each datagram; what silence costs in the same time is taken off. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/sim/world.h"

#define JOIN_US (600 * SIM_SECOND)
#define IDLE_US (20 * SIM_SECOND)
#define WAIT_US (60 * SIM_SECOND) /* for a change to reach the last */
#define AFTER_US (2 * SIM_SECOND) /* for the acknowledgements, and a probe */

struct tally {
    uint64_t bytes, datagrams, taken;
};

struct figures {
    uint64_t *last_us, *all_us; /* of each change; of each change and node */
    size_t changes, arrivals, missed;
    double idle_bytes, idle_datagrams, idle_taken; /* a node and second */
    double bytes, datagrams, copies, join_s;       /* a node and change */
};

static struct tally
count_all(const struct sim_world *w)
{
    struct tally t = {0};

    for (size_t i = 0; i < w->count; i++) {
        t.bytes += w->host[i].sent_bytes;
        t.datagrams += w->host[i].sent;
        t.taken += gvs_node_count(w->host[i].node).taken;
    }
    return t;
}

static bool
everybody_has_it(struct sim_world *w)
{
    return w->watch.count == w->count - 1;
}

static void
measure_silence(struct sim_world *w, struct figures *f)
{
    struct tally before, after;
    double scale = (double)w->count * IDLE_US / 1e6;

    sim_run(w, 10 * SIM_SECOND);
    before = count_all(w);
    sim_run(w, IDLE_US);
    after = count_all(w);
    f->idle_bytes = (double)(after.bytes - before.bytes) / scale;
    f->idle_datagrams = (double)(after.datagrams - before.datagrams) / scale;
    f->idle_taken = (double)(after.taken - before.taken) / scale;
}

static void
measure_changes(struct sim_world *w, struct figures *f, uint64_t changes)
{
    struct tally before = count_all(w), after;
    uint64_t began = w->now_us;
    double scale = (double)(w->count * changes), idle_s;

    for (uint64_t k = 0; k < changes && !w->failed; k++) {
        size_t origin = sim_below(&w->desk, w->count);

        sim_watch(w);
        sim_write_number(w, origin, (unsigned)k, 1);
        f->missed += !sim_run_till(w, WAIT_US, everybody_has_it);
        for (size_t n = 0; n < w->watch.count; n++)
            f->all_us[f->arrivals++] = w->watch.took_us[n];
        f->last_us[f->changes++] =
            w->watch.count > 0 ? w->watch.took_us[w->watch.count - 1] : WAIT_US;
        sim_run(w, AFTER_US);
    }
    after = count_all(w);
    idle_s = (double)(w->now_us - began) / 1e6 * (double)w->count;
    f->bytes = ((double)(after.bytes - before.bytes) - idle_s * f->idle_bytes) / scale;
    f->datagrams =
        ((double)(after.datagrams - before.datagrams) - idle_s * f->idle_datagrams) / scale;
    f->copies = ((double)(after.taken - before.taken) - idle_s * f->idle_taken) /
                (double)((w->count - 1) * changes);
}

static int
ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

void
sim_sort(uint64_t *us, size_t count)
{
    qsort(us, count, sizeof *us, ascending);
}

double
sim_quantile_ms(const uint64_t *us, size_t count, double q)
{
    size_t i = (size_t)(q * (double)count);

    return count == 0 ? 0 : (double)us[i < count ? i : count - 1] / 1e3;
}

/* Of this process, by the kernel; 0 if it does not say. */
static double
resident_kb(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    char line[128] = "", *second;
    unsigned long pages;

    if (!f)
        return 0;
    second = fgets(line, sizeof line, f) ? strchr(line, ' ') : NULL;
    fclose(f);
    pages = second ? strtoul(second, NULL, 10) : 0;
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1024;
}

static void
print_figures(const struct sim_options *o, const struct figures *f, double kb)
{
    double last = sim_quantile_ms(f->last_us, f->changes, 0.5);

    printf("nodes %" PRIu64 ", changes %" PRIu64 ", delay %g ms, loss %g\n", o->nodes, o->changes,
           o->delay_ms, o->loss);
    printf("  joined after            %10.2f s\n", f->join_s);
    printf("  a node has it     p50   %10.2f ms\n", sim_quantile_ms(f->all_us, f->arrivals, 0.5));
    printf("                    p99   %10.2f ms\n", sim_quantile_ms(f->all_us, f->arrivals, 0.99));
    printf("  the last has it   p50   %10.2f ms\n", last);
    printf("                    p99   %10.2f ms\n", sim_quantile_ms(f->last_us, f->changes, 0.99));
    printf("                    max   %10.2f ms\n", sim_quantile_ms(f->last_us, f->changes, 1));
    if (o->delay_ms > 0)
        printf("  hops              p50   %10.2f\n", last / o->delay_ms);
    printf("  not in %2.0f s             %10zu changes\n", WAIT_US / 1e6, f->missed);
    printf("  copies a node           %10.3f\n", f->copies);
    printf("  datagrams a node, change%10.2f\n", f->datagrams);
    printf("  bytes a node, change    %10.1f\n", f->bytes);
    printf("  idle a node             %10.1f B/s, %.2f datagrams/s\n", f->idle_bytes,
           f->idle_datagrams);
    printf("  memory a node           %10.0f kB resident\n", kb / (double)o->nodes);
}

bool
sim_measure(const struct sim_options *o)
{
    struct sim_plan plan = sim_plan_calm(o->nodes);
    struct figures f = {0};
    struct sim_world *w;
    double kb;
    bool good;

    plan.durable = plan.kernels = false;
    plan.limits.entries = o->changes + 1024;
    plan.fixed_delay = true;
    plan.delay_us = o->delay_ms * 1000;
    f.last_us = sim_need(calloc(o->changes + 1, sizeof *f.last_us));
    f.all_us = sim_need(calloc(o->changes * o->nodes + 1, sizeof *f.all_us));
    w = sim_world_open(&plan, o->seed);
    for (size_t i = 0; i < w->count; i++)
        sim_host_start(w, i);
    if (!sim_run_till(w, JOIN_US, sim_converged))
        sim_fail(w, SIM_NOBODY, "I19", "not joined within %.0f s", JOIN_US / 1e6);
    f.join_s = (double)(w->now_us - SIM_BEGIN_US) / 1e6;
    w->plan.loss = o->loss;
    measure_silence(w, &f);
    if (o->changes > 0)
        measure_changes(w, &f, o->changes);
    kb = resident_kb();
    sim_sort(f.last_us, f.changes);
    sim_sort(f.all_us, f.arrivals);
    if (w->failed)
        sim_print_failure(w);
    else
        print_figures(o, &f, kb);
    good = !w->failed && f.missed == 0;
    sim_world_close(w);
    free(f.last_us);
    free(f.all_us);
    return good;
}
