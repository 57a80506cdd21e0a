/* sim: runs seeds until one fails. See world.h. */
#include <argp.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tools/sim/world.h"

#define JOBS_MAX 64
#define BUCKETS 48 /* of convergence times: a fourth of an octave from 1 ms on */

/* --- arguments --- */

static uint64_t
number(struct argp_state *state, const char *name, const char *arg, uint64_t max)
{
    char *end;
    uint64_t v = strtoull(arg, &end, 10);

    if (*arg < '0' || *arg > '9' || *end || v > max)
        argp_error(state, "%s %s: a number up to %" PRIu64 " expected", name, arg, max);
    return v;
}

static double
fraction(struct argp_state *state, const char *name, const char *arg, double max)
{
    char *end;
    double v = strtod(arg, &end);

    if (end == arg || *end || !(v >= 0) || !(v <= max))
        argp_error(state, "%s %s: a number from 0 to %g expected", name, arg, max);
    return v;
}

static void
parse_seeds(struct argp_state *state, struct sim_options *o, const char *arg)
{
    const char *dots = strstr(arg, "..");
    char first[24];

    if (!dots) {
        o->first = 0;
        o->last = number(state, "--seeds", arg, INT64_MAX);
    } else {
        snprintf(first, sizeof first, "%.*s", (int)(dots - arg < 20 ? dots - arg : 20), arg);
        o->first = number(state, "--seeds", first, INT64_MAX);
        o->last = number(state, "--seeds", dots + 2, INT64_MAX) + 1;
    }
    if (o->first >= o->last)
        argp_error(state, "--seeds %s: no seed is in it", arg);
}

enum { OPT_NODES = 256, OPT_CHANGES, OPT_DELAY, OPT_LOSS, OPT_TWICE, OPT_ALL, OPT_LIST, OPT_LAST };

static error_t
parse_option(int key, char *arg, struct argp_state *state)
{
    struct sim_options *o = state->input;

    switch (key) {
    case 'n':
        o->first = number(state, "--seed", arg, INT64_MAX);
        o->last = o->first + 1;
        o->seed = o->first;
        return 0;
    case 's':
        parse_seeds(state, o, arg);
        o->seed = o->first;
        return 0;
    case 't':
        o->seconds = fraction(state, "--seconds", arg, 1e6);
        return 0;
    case 'j':
        o->jobs = (unsigned)number(state, "--jobs", arg, JOBS_MAX);
        if (o->jobs == 0)
            argp_error(state, "--jobs 0: one is the least");
        return 0;
    case 'c':
        o->scenario = arg;
        return 0;
    case OPT_LIST:
        o->list = true;
        return 0;
    case OPT_TWICE:
        o->twice = true;
        return 0;
    case OPT_ALL:
        o->all = true;
        return 0;
    case OPT_NODES:
        o->nodes = number(state, "--nodes", arg, 10000);
        return 0;
    case OPT_CHANGES:
        o->changes = number(state, "--changes", arg, 1000000);
        return 0;
    case OPT_DELAY:
        o->delay_ms = fraction(state, "--delay-ms", arg, 10000);
        return 0;
    case OPT_LOSS:
        o->loss = fraction(state, "--loss", arg, 0.99);
        return 0;
    case OPT_LAST:
        o->duration_s = number(state, "--duration", arg, 100000000);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "no such word '%s'", arg);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option known[] = {
    {0, 0, 0, 0, "Seeds:", 1},
    {"seed", 'n', "N", 0, "run this one", 1},
    {"seeds", 's', "COUNT|FIRST..LAST", 0, "run these (default 2000)", 1},
    {"seconds", 't', "S", 0, "begin no seed after so long", 1},
    {"jobs", 'j', "N", 0, "as many processes (default 1)", 1},
    {"twice", OPT_TWICE, 0, 0, "run each twice: the logs must be the same", 1},
    {"all", OPT_ALL, 0, 0, "go on after a failure", 1},
    {0, 0, 0, 0, "Scenarios:", 2},
    {"list", OPT_LIST, 0, 0, "their names", 2},
    {"scenario", 'c', "NAME", 0, "run one, with --seed, --nodes, --duration", 2},
    {"duration", OPT_LAST, "S", 0, "virtual seconds of what it is about", 2},
    {0, 0, 0, 0, "Figures:", 3},
    {"nodes", OPT_NODES, "N", 0, "how a change spreads among so many nodes", 3},
    {"changes", OPT_CHANGES, "K", 0, "by so many changes (default 20)", 3},
    {"delay-ms", OPT_DELAY, "D", 0, "a link's delay (default 1)", 3},
    {"loss", OPT_LOSS, "P", 0, "of datagrams (default 0)", 3},
    {0},
};

/* --- jobs --- */

struct job { /* shared with its process */
    uint64_t seed;
    bool running, failed;
    uint64_t hashes; /* the sum of the logs' */
    uint64_t seeds, failures, virtual_us, delivered, writes, ops, crashes;
    uint64_t worst_us, took[BUCKETS];
    double idle_sum, idle_worst;
    uint64_t idle_seed, worst_seed;
};
struct shared {
    bool stop;
    struct job job[JOBS_MAX];
};

static double
real_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static size_t
bucket_of(uint64_t us)
{
    double v = us < 1000 ? 0 : 4 * log2((double)us / 1000);

    return v >= BUCKETS ? BUCKETS - 1 : (size_t)v;
}

static void
count_result(struct job *j, uint64_t seed, const struct sim_result *r)
{
    j->seeds++;
    j->hashes += r->hash;
    j->failures += r->failed;
    j->virtual_us += r->virtual_us;
    j->delivered += r->delivered;
    j->writes += r->writes;
    j->ops += r->ops;
    j->crashes += r->crashes;
    if (r->failed)
        return;
    j->took[bucket_of(r->converge_us)]++;
    j->idle_sum += r->idle_bytes;
    if (r->converge_us > j->worst_us) {
        j->worst_us = r->converge_us;
        j->worst_seed = seed;
    }
    if (r->idle_bytes > j->idle_worst) {
        j->idle_worst = r->idle_bytes;
        j->idle_seed = seed;
    }
}

static void
run_seed(const struct sim_options *o, struct job *j, uint64_t seed)
{
    struct sim_result r = sim_run_seed(seed), again;

    if (o->twice && !r.failed) {
        again = sim_run_seed(seed);
        if (again.hash != r.hash) {
            printf("seed %" PRIu64 " FAILED: two runs differ: %016" PRIx64 ", %016" PRIx64 "\n",
                   seed, r.hash, again.hash);
            r.failed = true;
        }
    }
    count_result(j, seed, &r);
    fflush(stdout);
}

static void
run_job(const struct sim_options *o, struct shared *s, unsigned number, double began)
{
    struct job *j = &s->job[number];

    for (uint64_t seed = o->first + number; seed < o->last; seed += o->jobs) {
        if (s->stop || (o->seconds > 0 && real_seconds() - began > o->seconds))
            break;
        j->seed = seed;
        j->running = true;
        run_seed(o, j, seed);
        j->running = false;
        if (j->failures > 0 && !o->all)
            s->stop = true;
    }
}

/* A process that ended by a signal failed at the seed that it had begun. */
static bool
await_job(struct job *j, pid_t pid)
{
    int status = 0;

    waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    j->failures++;
    if (WIFSIGNALED(status))
        printf("seed %" PRIu64 " FAILED: %s, an assertion most likely\nreplay: sim --seed %" PRIu64
               "\n",
               j->seed, strsignal(WTERMSIG(status)), j->seed);
    return false;
}

static double
quantile_s(const uint64_t took[static BUCKETS], double q)
{
    uint64_t sum = 0, upto = 0;

    for (size_t i = 0; i < BUCKETS; i++)
        sum += took[i];
    for (size_t i = 0; i < BUCKETS; i++) {
        upto += took[i];
        if ((double)upto >= q * (double)sum)
            return exp2((double)(i + 1) / 4) / 1000;
    }
    return 0;
}

static void
report(const struct shared *s, unsigned jobs, double real)
{
    struct job all = {0};

    for (unsigned n = 0; n < jobs; n++) {
        const struct job *j = &s->job[n];

        all.seeds += j->seeds;
        all.hashes += j->hashes;
        all.failures += j->failures;
        all.virtual_us += j->virtual_us;
        all.delivered += j->delivered;
        all.writes += j->writes;
        all.ops += j->ops;
        all.crashes += j->crashes;
        all.idle_sum += j->idle_sum;
        for (size_t i = 0; i < BUCKETS; i++)
            all.took[i] += j->took[i];
        if (j->worst_us > all.worst_us) {
            all.worst_us = j->worst_us;
            all.worst_seed = j->worst_seed;
        }
        if (j->idle_worst > all.idle_worst) {
            all.idle_worst = j->idle_worst;
            all.idle_seed = j->idle_seed;
        }
    }
    printf("%" PRIu64 " seeds, %" PRIu64 " failed; %.1f s, %.1f seeds/s, %.0f virtual seconds a "
           "second\n",
           all.seeds, all.failures, real, (double)all.seeds / real,
           (double)all.virtual_us / 1e6 / real);
    printf("%" PRIu64 " datagrams delivered, %" PRIu64 " writes, %" PRIu64
           " kernel operations, %" PRIu64 " crashes; logs %016" PRIx64 "\n",
           all.delivered, all.writes, all.ops, all.crashes, all.hashes);
    if (all.seeds == all.failures)
        return;
    printf("rest after healing: p50 %.2f s, p99 %.2f s, longest %.2f s (seed %" PRIu64 ")\n",
           quantile_s(all.took, 0.5), quantile_s(all.took, 0.99), (double)all.worst_us / 1e6,
           all.worst_seed);
    printf("idle: %.0f B/s a node, most %.0f (seed %" PRIu64 ")\n",
           all.idle_sum / (double)(all.seeds - all.failures), all.idle_worst, all.idle_seed);
}

static int
run_seeds(struct sim_options *o)
{
    struct shared *s =
        mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    double began = real_seconds();
    uint64_t failures = 0;
    pid_t pid[JOBS_MAX];

    if (s == MAP_FAILED)
        sim_need(NULL);
    if (o->last - o->first < o->jobs)
        o->jobs = (unsigned)(o->last - o->first);
    fflush(stdout);
    for (unsigned n = 0; n < o->jobs; n++) {
        pid[n] = fork();
        if (pid[n] == 0) {
            run_job(o, s, n, began);
            exit(0);
        }
        if (pid[n] < 0)
            sim_need(NULL);
    }
    for (unsigned n = 0; n < o->jobs; n++) {
        if (!await_job(&s->job[n], pid[n]) && !o->all)
            s->stop = true;
        failures += s->job[n].failures;
    }
    report(s, o->jobs, real_seconds() - began);
    munmap(s, sizeof *s);
    return failures > 0;
}

int
main(int argc, char **argv)
{
    struct sim_options o = {.last = 2000, .jobs = 1, .changes = 20, .delay_ms = 1};
    const struct argp argp = {known,
                              parse_option,
                              NULL,
                              "The node that we ship, by the thousand, on fake time, network, "
                              "disk, clocks and kernels. Exits 1 if anything failed.",
                              NULL,
                              NULL,
                              NULL};

    argp_err_exit_status = 2;
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    if (o.list) {
        sim_scenario_list();
        return 0;
    }
    if (o.scenario)
        return sim_scenario_run(&o) ? 0 : 1;
    if (o.nodes > 0)
        return sim_measure(&o) ? 0 : 1;
    return run_seeds(&o);
}
