/* How soon a death is found, and how often one that lives is found dead: whole nodes on fake time
 * (test/lib/cluster.h), and what the detector itself costs at 1,000 members.
 *
 *     bench_detector found NODES LOSS TIMES     ms from a kill until the last one finds it gone
 *     bench_detector false NODES LOSS SECONDS   suspicions, deaths, gone ones: all of them false
 *     bench_detector cost MEMBERS               us a period, ns a datagram
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "net/member.h"
#include "test/lib/cluster.h"

static struct cluster *
joined(size_t nodes, unsigned loss, uint64_t seed)
{
    struct cluster_config config = {.nodes = nodes,
                                    .seed = seed,
                                    .loss = loss,
                                    .jitter_us = 300,
                                    .limits = {4096, 2 * CLUSTER_NODES_MAX}};
    struct cluster *c = cluster_open(&config);

    for (size_t i = 0; i < nodes; i++)
        c->host[i].skew_ms = (int64_t)gvs_prng_below(&c->prng, 2000) - 1000;
    cluster_start_all(c);
    cluster_run(c, 20000);
    return c;
}

static size_t
count_gone(const struct cluster *c, size_t at, bool *is, const struct gvs_ep *of)
{
    struct gvs_node_member list[CLUSTER_NODES_MAX];
    size_t count = gvs_node_list(c->host[at].node, list, CLUSTER_NODES_MAX), gone = 0;

    for (size_t i = 0; i < count; i++) {
        gone += list[i].gone;
        if (of && gvs_ep_cmp(&list[i].value.ep, of) == 0)
            *is = list[i].gone;
    }
    return gone;
}

static bool
all_find_gone(const struct cluster *c, size_t victim)
{
    for (size_t i = 0; i < c->config.nodes; i++) {
        bool gone = false;

        if (i == victim)
            continue;
        count_gone(c, i, &gone, &c->host[victim].ep);
        if (!gone)
            return false;
    }
    return true;
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void
found(size_t nodes, unsigned loss, size_t times)
{
    double *ms = calloc(times, sizeof *ms);

    assert(ms && times > 0);
    for (size_t k = 0; k < times; k++) {
        struct cluster *c = joined(nodes, loss, 1000 + k);
        size_t victim = gvs_prng_below(&c->prng, (uint32_t)nodes);
        struct gvs_mono began;

        cluster_run(c, gvs_prng_below(&c->prng, 5000));
        began = c->now;
        cluster_kill(c, victim);
        while (!all_find_gone(c, victim))
            cluster_run(c, 5);
        ms[k] = (double)(c->now.us - began.us) / 1000;
        cluster_close(c);
    }
    qsort(ms, times, sizeof *ms, compare);
    printf("%3zu nodes, %2u %% lost: p50 %5.0f  p90 %5.0f  p99 %5.0f  max %5.0f ms (%zu deaths)\n",
           nodes, loss, ms[times / 2], ms[times * 9 / 10], ms[times * 99 / 100], ms[times - 1],
           times);
    free(ms);
}

static uint64_t
incarnations(const struct cluster *c)
{
    uint64_t sum = 0, inc;

    for (size_t i = 0; i < c->config.nodes; i++) {
        cluster_state(c, i, i, &inc);
        sum += inc;
    }
    return sum;
}

static void
false_ones(size_t nodes, unsigned loss, uint64_t seconds)
{
    struct cluster *c = joined(nodes, loss, 7);
    uint64_t died = 0, hid = 0, before = incarnations(c), sent = 0;
    double hours = (double)seconds / 3600;

    for (size_t i = 0; i < nodes; i++) {
        died -= c->host[i].died;
        hid -= c->host[i].hid;
        sent -= c->host[i].sent;
    }
    cluster_run(c, seconds * 1000);
    for (size_t i = 0; i < nodes; i++) {
        died += c->host[i].died;
        hid += c->host[i].hid;
        sent += c->host[i].sent;
    }
    printf("%3zu nodes, %2u %% lost, an hour: %.0f refuted, %.1f found dead (%.2f by each), %.1f "
           "times gone at somebody; %.1f datagrams a node and second\n",
           nodes, loss, (double)(incarnations(c) - before) / hours,
           (double)died / (double)nodes / hours, (double)died / (double)(nodes * nodes) / hours,
           (double)hid / hours, (double)sent / (double)nodes / (double)seconds);
    cluster_close(c);
}

static void
dice(void *ctx, void *buf, size_t len)
{
    gvs_prng_fill(ctx, buf, len);
}

static double
cpu_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void
cost(size_t count)
{
    struct gvs_prng prng = gvs_prng_init(1);
    struct gvs_mono now = {1000000000};
    struct gvs_member_action a;
    struct gvs_members *ms;
    struct gvs_id id;
    double began;

    gvs_prng_fill(&prng, id.b, sizeof id.b);
    ms = gvs_members_open(count, &id, (struct gvs_random){dice, &prng}, now);
    assert(ms);
    gvs_member_note(ms, now, gvs_members_place(ms, 0), gvs_member_order(1, GVS_ALIVE), NULL);
    for (size_t i = 1; i < count; i++) {
        struct gvs_member *m;

        gvs_prng_fill(&prng, id.b, sizeof id.b);
        m = gvs_member_add(ms, &id);
        gvs_member_greeted(ms, now, m, 1);
        gvs_member_note(ms, now, m, gvs_member_order(1, GVS_ALIVE), NULL);
        gvs_member_clock(ms, now, m, 1);
    }
    began = cpu_us();
    for (unsigned period = 0; period < 1000; period++) {
        struct gvs_mono end = gvs_mono_add_ms(now, GVS_PERIOD_MS);

        while (gvs_members_deadline(ms).us < end.us) {
            now = gvs_members_deadline(ms);
            while (gvs_members_next(ms, now, &a)) {
                if (a.act != GVS_ACT_PROBE)
                    continue;
                gvs_member_heard(ms, now, a.m);
                gvs_member_answered(ms, now, a.m, a.seq);
            }
        }
        now = end;
    }
    printf("%zu members: %.1f us a period", count, (cpu_us() - began) / 1000);
    began = cpu_us();
    for (unsigned k = 0; k < 1000000; k++) {
        gvs_member_heard(ms, now, gvs_members_place(ms, 1 + k % (count - 1)));
        while (gvs_members_next(ms, now, &a))
            ;
    }
    printf(", %.1f ns a datagram\n", (cpu_us() - began) / 1000);
    gvs_members_close(ms);
}

int
main(int argc, char **argv)
{
    unsigned long n[3] = {0};

    for (int i = 2; i < argc && i < 5; i++)
        n[i - 2] = strtoul(argv[i], NULL, 10);
    if (argc == 5 && strcmp(argv[1], "found") == 0 && n[0] <= CLUSTER_NODES_MAX)
        found(n[0], (unsigned)n[1], n[2]);
    else if (argc == 5 && strcmp(argv[1], "false") == 0 && n[0] <= CLUSTER_NODES_MAX)
        false_ones(n[0], (unsigned)n[1], n[2]);
    else if (argc == 3 && strcmp(argv[1], "cost") == 0 && n[0] >= 2)
        cost(n[0]);
    else
        return fprintf(stderr, "usage: %s found|false NODES LOSS TIMES|SECONDS, cost MEMBERS\n",
                       argv[0]),
               2;
    return 0;
}
