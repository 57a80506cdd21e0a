/* Runs with a name: one thing goes wrong, on an otherwise calm network, and what must follow is
 * said. Deterministic by --seed; some repeat themselves for several seeds from that one on. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/sim/world.h"

#define HOUR_S UINT64_C(3600)
#define JOIN_US (120 * SIM_SECOND)

static double
seconds(uint64_t us)
{
    return (double)us / 1e6;
}

struct sim_world *
sim_begin(const struct sim_options *o, const struct sim_plan *plan, uint64_t seed)
{
    struct sim_world *w = sim_world_open(plan, seed);

    snprintf(w->replay, sizeof w->replay,
             "sim --scenario %s --seed %" PRIu64 " --nodes %" PRIu64 " --duration %" PRIu64,
             o->scenario, seed, o->nodes, o->duration_s);
    for (size_t i = 0; i < w->plan.nodes; i++)
        sim_host_start(w, i);
    if (!sim_run_till(w, JOIN_US, sim_converged))
        sim_fail(w, SIM_NOBODY, "I19", "not joined within %.0f s", seconds(JOIN_US));
    if (!w->failed)
        sim_write_service(w, 0);
    return w;
}

/* Some of everything, all over the cluster. */
void
sim_write_some(struct sim_world *w, size_t from, size_t to, unsigned first, unsigned count)
{
    for (unsigned k = 0; k < count && !w->failed; k++) {
        sim_write_number(w, from + k % (to - from), first + k, 1 + k % 100);
        sim_run(w, 1000);
    }
}

bool
sim_end(struct sim_world *w)
{
    bool good;

    if (!w->failed)
        sim_run(w, 10 * SIM_SECOND); /* an audit of every kernel */
    if (!w->failed)
        sim_oracle_rest(w);
    if (w->failed)
        sim_print_failure(w);
    good = !w->failed;
    sim_world_close(w);
    return good;
}

void
sim_await_rest(struct sim_world *w, const char *what, uint64_t within_s)
{
    uint64_t began = w->now_us;

    if (w->failed)
        return;
    if (sim_run_till(w, within_s * SIM_SECOND, sim_converged))
        printf("%s: at rest in %.2f s\n", what, seconds(w->now_us - began));
    else
        sim_fail(w, SIM_NOBODY, "I19", "%s: no rest within %" PRIu64 " s", what, within_s);
}

void
sim_check_bytes(struct sim_world *w, const char *what, uint64_t us, double most)
{
    uint64_t before = sim_bytes_sent(w);
    double rate;

    if (w->failed)
        return;
    sim_run(w, us);
    rate = (double)(sim_bytes_sent(w) - before) / (double)sim_running(w) / seconds(us);
    printf("%s: %.0f bytes a second and node\n", what, rate);
    if (rate > most)
        sim_fail(w, SIM_NOBODY, "I18", "%s: %.0f bytes a second and node, more than %.0f", what,
                 rate, most);
}

/* --- partitions --- */

void
sim_set_away(struct sim_world *w, size_t away, bool cut)
{
    for (size_t i = 0; i < w->count; i++) {
        if (i == away)
            continue;
        sim_cut(w, away, i, cut);
        sim_cut(w, i, away, cut);
    }
}

#define EQUAL_S 5.0 /* from the first datagram that gets through to equal fingerprints */

static bool
have_contact(struct sim_world *w)
{
    return w->contact_us != 0;
}

static void
await_equal(struct sim_world *w)
{
    double took;

    if (!sim_run_till(w, 120 * SIM_SECOND, have_contact) ||
        !sim_run_till(w, 120 * SIM_SECOND, sim_agreed)) {
        sim_fail(w, SIM_NOBODY, "I19", "not equal within two minutes");
        return;
    }
    took = seconds(w->now_us - w->contact_us);
    printf("%zu | %zu nodes: fingerprints equal %.2f s after contact\n", w->border,
           w->count - w->border, took);
    if (took > EQUAL_S)
        sim_fail(w, SIM_NOBODY, "I19", "fingerprints equal %.2f s after contact: over %.0f", took,
                 EQUAL_S);
}

/* What two halves did to each other's tables comes to every kernel as so many operations as it now
 * holds items otherwise: nothing was taken out and put back on the way. */
static bool
run_heal(const struct sim_options *o)
{
    struct sim_plan plan = sim_plan_calm(o->nodes);
    struct gvs_set **before = sim_need(calloc(o->nodes, sizeof(*before)));
    struct sim_world *w;
    size_t half, moved = 0;
    uint64_t ops;

    plan.kernels = true;
    w = sim_begin(o, &plan, o->seed);
    half = w->count / 2;
    sim_write_some(w, 0, w->count, 0, 100);
    sim_run(w, SIM_SECOND);
    sim_split(w, half, true);
    sim_run(w, o->duration_s * SIM_SECOND / 2);
    sim_write_some(w, 0, half, 1000, 50);
    sim_write_some(w, half, w->count, 2000, 50);
    for (unsigned k = 0; k < 20 && !w->failed; k++) {
        sim_delete_number(w, 0, k);
        sim_write_number(w, half, 10 + k, 7);
    }
    sim_run(w, o->duration_s * SIM_SECOND / 2);
    if (!w->failed)
        sim_oracle_promise(w);
    for (size_t i = 0; i < w->count; i++)
        before[i] = sim_kernel_copy(w->host[i].kernel);
    ops = w->ops;
    sim_split(w, half, false);
    await_equal(w);
    sim_await_rest(w, "members and kernels", 120);
    for (size_t i = 0; i < w->count; i++) {
        moved += sim_kernel_moved(w->host[i].kernel, before[i]);
        free(before[i]);
    }
    free(before);
    printf("%zu items moved in all kernels, by %" PRIu64 " operations\n", moved, w->ops - ops);
    if (w->ops - ops != moved)
        sim_fail(w, SIM_NOBODY, "I7", "%" PRIu64 " operations where %zu items moved", w->ops - ops,
                 moved);
    return sim_end(w);
}

/* Nobody's list of peers bridges the halves: those who were there once are tried again for ever. */
static bool
run_no_bootstrap(const struct sim_options *o)
{
    struct sim_plan plan = sim_plan_calm(o->nodes);
    struct sim_world *w = sim_begin(o, &plan, o->seed);
    size_t half = w->count / 2;

    sim_run(w, 5 * SIM_SECOND);
    for (size_t i = 0; i < w->count; i++)
        gvs_node_set_peers(w->host[i].node, NULL, NULL, 0);
    sim_split(w, half, true);
    sim_run(w, o->duration_s * SIM_SECOND);
    sim_write_some(w, 0, half, 0, 10);
    sim_write_some(w, half, w->count, 10, 10);
    sim_oracle_promise(w);
    sim_split(w, half, false);
    sim_await_rest(w, "healed", 120);
    return sim_end(w);
}

/* --- loss --- */

static bool
run_loss(const struct sim_options *o)
{
    struct sim_plan plan = sim_plan_calm(o->nodes);
    struct sim_world *w = sim_begin(o, &plan, o->seed);
    uint64_t began;

    w->plan.loss = 0.5;
    sim_run(w, o->duration_s * SIM_SECOND);
    sim_write_some(w, 0, w->count, 0, 200);
    sim_oracle_promise(w);
    began = w->now_us;
    if (sim_run_till(w, 120 * SIM_SECOND, sim_agreed))
        printf("half of all datagrams lost: 200 writes everywhere in %.2f s\n",
               seconds(w->now_us - began));
    else
        sim_fail(w, SIM_NOBODY, "I19", "loss 50 %%: tables differ after 120 s");
    w->plan.loss = 0;
    sim_await_rest(w, "afterwards", 120);
    return sim_end(w);
}

static bool
all_have_it(struct sim_world *w)
{
    return w->watch.count == w->count - 1;
}

/* Lone changes at random nodes, 100 ms apart: into `took` how long each needs to the last node,
 * ascending. Returns how many there are; fewer than `count` if something failed. */
static size_t
lone_changes(struct sim_world *w, size_t count, uint64_t *took)
{
    size_t done = 0;

    while (done < count && !w->failed) {
        sim_watch(w);
        sim_write_number(w, sim_below(&w->desk, w->count), (unsigned)done, 1);
        if (!sim_run_till(w, 60 * SIM_SECOND, all_have_it))
            sim_fail(w, SIM_NOBODY, "I19", "a lone change is not everywhere after a minute");
        else
            took[done++] = w->watch.took_us[w->count - 2];
        sim_run(w, 100000);
    }
    sim_sort(took, done);
    return done;
}

/* At 5 % loss a lone change is everywhere within 100 ms (p99) and a second (p99.9). */
static bool
run_loss_5(const struct sim_options *o)
{
    struct sim_plan plan = sim_plan_calm(o->nodes);
    struct sim_world *w = sim_begin(o, &plan, o->seed);
    uint64_t took[1000];
    size_t count;

    w->plan.loss = 0.05;
    count = lone_changes(w, 1000, took);
    if (!w->failed) {
        double p99 = sim_quantile_ms(took, count, 0.99);
        double p999 = sim_quantile_ms(took, count, 0.999);

        printf("5 %% loss, %zu nodes: everywhere in p50 %.1f ms, p99 %.1f ms, p99.9 %.1f ms\n",
               w->count, sim_quantile_ms(took, count, 0.5), p99, p999);
        if (p99 > 100 || p999 > 1000)
            sim_fail(w, SIM_NOBODY, "I19", "p99 %.1f ms, p99.9 %.1f ms: over 100 and 1000", p99,
                     p999);
    }
    w->plan.loss = 0;
    sim_oracle_promise(w);
    sim_await_rest(w, "afterwards", 120);
    return sim_end(w);
}

#define MANY_MS 15.0

/* A thousand nodes, a millisecond apart: a few hops, not a few hundred. */
static bool
run_many(const struct sim_options *o)
{
    struct sim_plan plan = sim_plan_calm(o->nodes);
    uint64_t took[50];
    struct sim_world *w;
    size_t count;

    plan.fixed_delay = true;
    plan.delay_us = 1000;
    w = sim_begin(o, &plan, o->seed);
    sim_run(w, 5 * SIM_SECOND);
    count = lone_changes(w, sizeof took / sizeof *took, took);
    if (!w->failed) {
        double worst = sim_quantile_ms(took, count, 1);

        printf("%zu nodes at 1 ms a link: a lone change is everywhere in p50 %.1f ms, worst %.1f "
               "ms\n",
               w->count, sim_quantile_ms(took, count, 0.5), worst);
        if (worst > MANY_MS)
            sim_fail(w, SIM_NOBODY, "I19", "%.1f ms to the last node: over %.0f", worst, MANY_MS);
    }
    return sim_end(w);
}

/* Only its first words to another node are lost, five times and more: they must not be its last. */
static bool
run_first_words(const struct sim_options *o)
{
    bool good = true;

    for (uint64_t seed = o->seed; seed < o->seed + 200 && good; seed++) {
        struct sim_plan plan = sim_plan_calm(o->nodes);
        struct sim_world *w;

        plan.boot_peers = 1;
        w = sim_world_open(&plan, seed);
        snprintf(w->replay, sizeof w->replay, "sim --scenario first-words --seed %" PRIu64, seed);
        w->plan.loss = 0.7;
        for (size_t i = 0; i < w->count; i++)
            sim_host_start(w, i);
        sim_run(w, o->duration_s * SIM_SECOND);
        w->plan.loss = 0;
        if (!sim_run_till(w, JOIN_US, sim_converged))
            sim_fail(w, SIM_NOBODY, "I14", "still strangers 120 s after the loss ended");
        good = sim_end(w);
    }
    return good;
}

/* --- restarts, pauses --- */

static bool
run_restart_all(const struct sim_options *o)
{
    bool good = true;

    for (uint64_t seed = o->seed; seed < o->seed + 20 && good; seed++) {
        struct sim_plan plan = sim_plan_calm(o->nodes);
        struct sim_world *w = sim_begin(o, &plan, seed);
        uint64_t began;

        sim_write_some(w, 0, w->count, 0, 50);
        for (unsigned k = 0; k < 10; k++)
            sim_delete_number(w, k % w->count, k);
        sim_run(w, 10 * SIM_SECOND);
        began = w->now_us;
        for (size_t i = 0; i < w->count && !w->failed; i++) {
            sim_host_crash(w, i);
            w->host[i].up_us = w->now_us + 1 + sim_below(&w->prng, 5 * SIM_SECOND);
            sim_disk_crash(w, i, i % 3 == 2 ? SIM_DISK_LOST : SIM_DISK_FRESH);
            if (i % 3 == 2)
                sim_host_new_key(w, i);
        }
        sim_oracle_promise(w);
        w->chaos = true; /* which starts them, each in its time */
        sim_run(w, 6 * SIM_SECOND);
        w->chaos = false;
        if (!w->failed && !sim_run_till(w, 120 * SIM_SECOND, sim_converged))
            sim_fail(w, SIM_NOBODY, "I19", "no rest within 120 s");
        if (!w->failed)
            printf("seed %" PRIu64 ": at rest %.2f s after the kill\n", seed,
                   seconds(w->now_us - began));
        good = sim_end(w);
    }
    return good;
}

/* Two that lost everything meet before the third is back: they agree, on nothing. Their kernels
 * forward on. */
static bool
run_wiped_pair(const struct sim_options *o)
{
    struct sim_plan plan = sim_plan_calm(o->nodes);
    struct sim_world *w = sim_begin(o, &plan, o->seed);

    sim_write_some(w, 0, w->count, 0, 20);
    sim_run(w, 10 * SIM_SECOND);
    for (size_t i = 0; i < w->count && !w->failed; i++) {
        sim_host_crash(w, i);
        sim_disk_crash(w, i, i < 2 ? SIM_DISK_LOST : SIM_DISK_FRESH);
    }
    sim_oracle_promise(w);
    for (size_t i = 0; i < w->count && !w->failed; i++) {
        if (i == 2)
            sim_run(w, o->duration_s * SIM_SECOND);
        if (!w->failed)
            sim_host_start(w, i);
    }
    sim_await_rest(w, "all back", 120);
    return sim_end(w);
}

static void
check_accused(struct sim_world *w, size_t but)
{
    for (size_t i = 0; i < w->count; i++) {
        if (i != but && w->host[i].accused > 0)
            sim_fail(w, i, "I14", "was called dead %lu times, and was well",
                     (unsigned long)w->host[i].accused);
    }
}

static bool
run_stop(const struct sim_options *o)
{
    struct sim_plan plan = sim_plan_calm(o->nodes);
    struct sim_world *w = sim_begin(o, &plan, o->seed);

    sim_write_some(w, 0, w->count, 0, 50);
    sim_run(w, 5 * SIM_SECOND);
    for (size_t i = 0; i < w->count; i++)
        w->host[i].accused = 0;
    sim_host_pause(w, 1, o->duration_s * SIM_SECOND);
    sim_run(w, o->duration_s * SIM_SECOND);
    sim_write_some(w, 2, w->count, 100, 10);
    sim_oracle_promise(w);
    sim_await_rest(w, "resumed", 120);
    sim_run(w, 30 * SIM_SECOND);
    check_accused(w, 1);
    return sim_end(w);
}

#define DEAF_TIMES 20

/* Who hears nobody for some seconds has itself to blame. */
static bool
run_deaf(const struct sim_options *o)
{
    struct sim_plan plan = sim_plan_calm(o->nodes);
    struct sim_world *w = sim_begin(o, &plan, o->seed);

    sim_run(w, 10 * SIM_SECOND);
    for (unsigned n = 0; n < DEAF_TIMES && !w->failed; n++) {
        for (size_t i = 0; i < w->count; i++)
            sim_cut(w, i, 1, i != 1);
        sim_run(w, o->duration_s * SIM_SECOND);
        for (size_t i = 0; i < w->count; i++)
            sim_cut(w, i, 1, false);
        sim_run(w, 20 * SIM_SECOND);
    }
    check_accused(w, 1);
    return sim_end(w);
}

/* A fifth of all datagrams lost is no death. */
static bool
run_loss_20(const struct sim_options *o)
{
    struct sim_plan plan = sim_plan_calm(o->nodes);
    struct sim_world *w = sim_begin(o, &plan, o->seed);

    w->plan.loss = 0.2;
    sim_run(w, o->duration_s * SIM_SECOND);
    check_accused(w, SIM_NOBODY);
    w->plan.loss = 0;
    sim_await_rest(w, "afterwards", 120);
    return sim_end(w);
}

/* --- flood --- */

#define FLOOD_PER_S 10000
#define FLOOD_KEYS 5000

static void
flood(struct sim_world *w, uint64_t left)
{
    sim_write_number(w, 0, (unsigned)(left % FLOOD_KEYS), (uint32_t)(left / FLOOD_KEYS % 60000));
    if (left > 1)
        sim_call(w, w->now_us + SIM_SECOND / FLOOD_PER_S, flood, left - 1);
}

static bool
run_flood(const struct sim_options *o)
{
    struct sim_plan plan = sim_plan_calm(o->nodes);
    struct sim_world *w;
    uint64_t *took = sim_need(calloc(o->duration_s + 1, sizeof *took));
    size_t count = 0;

    plan.durable = plan.kernels = false;
    w = sim_begin(o, &plan, o->seed);
    sim_call(w, w->now_us + 1, flood, o->duration_s * FLOOD_PER_S);
    for (uint64_t s = 0; s < o->duration_s && !w->failed; s++) {
        sim_run(w, SIM_SECOND / 3);
        sim_watch(w);
        sim_write_number(w, 1, 100000 + (unsigned)s, 1);
        sim_run(w, SIM_SECOND - SIM_SECOND / 3);
        took[count++] =
            w->watch.count == w->count - 1 ? w->watch.took_us[w->count - 2] : SIM_SECOND;
    }
    sim_sort(took, count);
    if (count > 0)
        printf("during %" PRIu64
               " s of %d changes a second at n0, a lone change at n1 reached all: "
               "p50 %.1f ms, p99 %.1f ms, worst %.1f ms (1 s: or later)\n",
               o->duration_s, FLOOD_PER_S, sim_quantile_ms(took, count, 0.5),
               sim_quantile_ms(took, count, 0.99), sim_quantile_ms(took, count, 1));
    if (sim_quantile_ms(took, count, 0.99) >= 1000)
        sim_fail(w, 1, "I19", "its lone change waits a second and more for another node's flood");
    sim_await_rest(w, "afterwards", 120);
    free(took);
    return sim_end(w);
}

/* --- relay --- */

#define SILENT_ROUNDS 100
#define ARC_BITS 3
#define TAKEN_OVER_US 400000 /* reconciliation may take three times as long */

/* Another host of the same arc, from a random one on; `h` itself if it is the only one. */
static size_t
neighbour_of(struct sim_world *w, size_t h)
{
    size_t first = sim_below(&w->prng, w->count);

    for (size_t k = 0; k < w->count; k++) {
        size_t i = (first + k) % w->count;

        if (i != h && w->host[i].id.b[0] >> (8 - ARC_BITS) == w->host[h].id.b[0] >> (8 - ARC_BITS))
            return i;
    }
    return h;
}

/* One falls silent to all but a neighbour: where it is the head of its arc, and the neighbour is
 * the next, that has the arc to serve all the same, though the entry is no news to it. Else the
 * others of the arc are left to reconciliation. */
static bool
run_silent_head(const struct sim_options *o)
{
    struct sim_plan plan = sim_plan_calm(o->nodes);
    struct sim_world *w;

    plan.fixed_delay = true;
    w = sim_begin(o, &plan, o->seed);
    for (unsigned round = 0; round < SILENT_ROUNDS && !w->failed; round++) {
        size_t silent = sim_below(&w->prng, w->count), next = neighbour_of(w, silent);
        size_t origin = (silent + 1 + sim_below(&w->prng, w->count - 1)) % w->count;

        for (size_t i = 0; i < w->count; i++)
            sim_cut(w, silent, i, i != next);
        sim_watch(w);
        sim_write_number(w, origin, round, 1);
        if (!sim_run_till(w, TAKEN_OVER_US, all_have_it))
            sim_fail(w, silent, "I19",
                     "is silent, and what n%zu wrote is not everywhere in %.0f ms", origin,
                     TAKEN_OVER_US / 1e3);
        for (size_t i = 0; i < w->count; i++)
            sim_cut(w, silent, i, false);
        sim_run(w, 3 * SIM_SECOND);
    }
    return sim_end(w);
}

/* --- reconciliation --- */

#define LARGE 1000
#define CHANGED 20
#define CHEAP_BYTES 20000 /* 40 entries twice over, and ten times the cells that it takes */

/* A table where everything was written twice, beside one that was read from the disk: what they
 * differ by is found at the price of the difference. */
static bool
run_small_difference(const struct sim_options *o)
{
    struct sim_plan plan = sim_plan_calm(o->nodes);
    struct sim_world *w;
    uint64_t before;

    plan.kernels = false;
    w = sim_begin(o, &plan, o->seed);
    sim_write_some(w, 0, w->count, 0, LARGE);
    sim_write_some(w, 0, w->count, 0, LARGE);
    sim_run(w, 10 * SIM_SECOND);
    if (!w->failed) {
        sim_host_crash(w, 0);
        sim_disk_crash(w, 0, SIM_DISK_FRESH);
        sim_host_start(w, 0);
    }
    sim_await_rest(w, "back", 120);
    sim_split(w, 1, true);
    sim_write_some(w, 0, 1, 0, CHANGED);
    sim_write_some(w, 1, w->count, CHANGED, CHANGED);
    sim_run(w, 30 * SIM_SECOND);
    sim_oracle_promise(w);
    before = sim_bytes_sent(w);
    sim_split(w, 1, false);
    sim_await_rest(w, "healed", 120);
    printf("for %" PRIu64 " bytes\n", sim_bytes_sent(w) - before);
    if (!w->failed && sim_bytes_sent(w) - before > CHEAP_BYTES * w->count)
        sim_fail(w, SIM_NOBODY, "I18", "%d entries each way cost %" PRIu64 " bytes", CHANGED,
                 sim_bytes_sent(w) - before);
    return sim_end(w);
}

/* --- the list --- */

static const struct scenario {
    const char *name, *what;
    bool (*run)(const struct sim_options *o);
    uint64_t nodes, duration_s;
} scenarios[] = {
    {"heal-30s", "two halves, 30 s apart", run_heal, 6, 30},
    {"heal-1h", "two halves, an hour apart", run_heal, 6, HOUR_S},
    {"heal-25h", "two halves, 25 hours apart: every session is over", run_heal, 6, 25 * HOUR_S},
    {"halves", "500 nodes against 500, two minutes apart", run_heal, 1000, 120},
    {"no-bootstrap", "two halves that no configuration bridges", run_no_bootstrap, 6, 120},
    {"loss-50", "every other datagram is lost", run_loss, 9, 20},
    {"loss-5", "lone changes at 5 % loss, each as fast as promised", run_loss_5, 9, 0},
    {"many", "a thousand nodes, a lone change at one", run_many, 1000, 0},
    {"first-words", "two nodes' first minute has 70 % loss; 200 seeds", run_first_words, 2, 60},
    {"restart-all", "all die at once, a third without its state; 20 seeds", run_restart_all, 9, 0},
    {"wiped-pair", "two that lost their state meet first", run_wiped_pair, 3, 30},
    {"stop-60s", "one is stopped for a minute: nobody else is called dead", run_stop, 9, 60},
    {"deaf", "one hears nobody for three seconds, 20 times", run_deaf, 9, 3},
    {"loss-20", "every fifth datagram is lost: nobody is called dead", run_loss_20, 9, 300},
    {"flood", "10,000 changes a second at one node, a lone one at another", run_flood, 5, 60},
    {"silent-head", "whoever serves an arc falls silent in the middle of it", run_silent_head, 40,
     0},
    {"small-difference", "1,000 entries, 20 of them other ones on each side", run_small_difference,
     3, 0},
    {"rejoin", "a disk is lost twice, and its node's name is not", sim_run_rejoin, 2, 0},
    {"retired", "a member that was forgotten comes back", sim_run_retired, 4, 60},
    {"slow-lender", "one of three is slow, and lends its vector", sim_run_slow_lender, 3, 3600},
    {"absence", "eight days away, longer than tombstones live", sim_run_absence, 3,
     8 * 24 * HOUR_S},
    {"stale-return", "back with an old disk, for a moment", sim_run_stale_return, 3, 0},
    {"clock-behind", "without a disk, alone and an hour behind", sim_run_clock_behind, 3, 0},
    {"ages", "one after the other is away for days", sim_run_ages, 4, 0},
    {"clock-ahead", "one clock of five is an hour ahead", sim_run_clock_ahead, 5, 0},
    {"clocks-ahead", "all were an hour ahead, and are right since then", sim_run_clocks_ahead, 5,
     0},
    {"clock-was-ahead", "one was an hour ahead while it was alone", sim_run_clock_was_ahead, 5, 0},
    {"clock-spreads", "what a wrong clock stamped reaches one of two others", sim_run_clock_spreads,
     3, 0},
    {"clocks-1970", "all lose power, and their clocks with it", sim_run_clocks_1970, 5, 0},
    {"clocks-apart", "two clocks 48 hours apart, a week after deletions", sim_run_clocks_apart, 2,
     0},
    {"former-life", "back without its last seconds, and its clock behind", sim_run_former_life, 3,
     0},
    {"half-met", "two that lost their state, and one has just met a third", sim_run_half_met, 3, 0},
    {"invented", "somebody invents members, and then one joins", sim_run_invented, 4, 30},
    {"silent-twin", "of two machines with one key one falls silent; 20 seeds", sim_run_silent_twin,
     5, 20},
};

void
sim_scenario_list(void)
{
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
        printf("%-16s  %s (%" PRIu64 " nodes, %" PRIu64 " s)\n", scenarios[i].name,
               scenarios[i].what, scenarios[i].nodes, scenarios[i].duration_s);
}

bool
sim_scenario_run(const struct sim_options *o)
{
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        const struct scenario *s = &scenarios[i];
        struct sim_options with = *o;

        if (strcmp(s->name, o->scenario) != 0)
            continue;
        if (with.nodes == 0)
            with.nodes = s->nodes;
        if (with.duration_s == 0)
            with.duration_s = s->duration_s;
        return s->run(&with);
    }
    fprintf(stderr, "sim: no scenario %s; sim --list names them\n", o->scenario);
    return false;
}
