/* One seed: faults for a while, then all heals, then at most two minutes to rest.
 *
 *     0            chaos_us                   + at most 120 s          + settling, 40 s
 *     |-- faults, writes --|-- nothing but the node's own repair --|-- silence: idle traffic --|
 *
 * A node whose clock was ahead, and knew fewer than two others, holds what everybody else defers
 * (net/replica.h): the two minutes begin when no stamp lies in the future any more.
 *
 * Swarm testing (Groce et al., 2012): each seed draws which faults there are at all, and then how
 * strong each is. A run with every fault at once hides those that only show when others are absent.
 *
 *     I18  at rest traffic falls to the idle rate, and no kernel sees an operation
 *     I19  rest comes within 120 s; how long it took is reported */
#include "tools/sim/world.h"

#define TRIALS 0.3     /* of the seeds without worse have applies on trial, */
#define TRIALS_FROM 60 /* but for those in which test/tools/mutants_sim finds most */
#define REST_US (120 * SIM_SECOND)
#define SETTLE_US (40 * SIM_SECOND) /* what clogged links held back is over by then */
#define ASSERT_US (60 * SIM_SECOND) /* after a clone its original speaks up once a minute */
#define IDLE_US (20 * SIM_SECOND)
#define AGE_US (62 * SIM_SECOND) /* all have seen by then that it is days later */
/* A probe and an answer each second are 200 to 206 bytes; a window may catch one pair more. Each
 * member that will not come back is tried every 4 to 6 s: a probe, and where another answers at its
 * address an INIT, a RESP and a confirmation, 568 bytes at most. */
#define IDLE_BYTES 230.0
#define IDLE_BYTES_DEAD 125.0 /* a dead member, at each node */

static bool
has(struct sim_prng *p, double chance)
{
    return sim_chance(p, chance);
}

static void
draw_network(struct sim_prng *p, struct sim_plan *plan)
{
    plan->delay_us = sim_spread(p, 200, has(p, 0.2) ? 2e6 : 50000);
    plan->spread = has(p, 0.5) ? sim_spread(p, 1, 100) : 1;
    plan->tail = has(p, 0.3) ? sim_spread(p, 0.001, 0.05) : 0;
    plan->tail_us = (uint64_t)sim_spread(p, 10000, plan->tail > 0 ? 60e6 : 10000);
    plan->loss = has(p, 0.5) ? sim_spread(p, 0.005, 0.5) : 0;
    plan->duplicate = has(p, 0.4) ? sim_spread(p, 0.01, 0.5) : 0;
    plan->replay = has(p, 0.4) ? sim_spread(p, 0.01, 0.5) : 0;
    plan->corrupt = has(p, 0.3) ? sim_spread(p, 0.001, 0.05) : 0;
    plan->truncate = has(p, 0.3) ? sim_spread(p, 0.001, 0.05) : 0;
    plan->clog_tick = has(p, 0.3) ? sim_spread(p, 0.001, 0.05) : 0;
    plan->clog_us = 30 * SIM_SECOND;
    plan->cut_tick = has(p, 0.5) ? sim_spread(p, 0.001, 0.03) : 0;
    plan->cut_us = (uint64_t)(sim_spread(p, 0.5, 120) * 1e6);
}

static void
draw_hosts(struct sim_prng *p, struct sim_plan *plan)
{
    plan->crash_tick = has(p, 0.5) ? sim_spread(p, 0.0001, 0.01) : 0;
    plan->reboot = sim_unit(p);
    plan->down_us = (uint64_t)(sim_spread(p, 0.1, 60) * 1e6);
    plan->stale = has(p, 0.4) ? sim_unit(p) / 2 : 0;
    plan->lost = has(p, 0.4) ? sim_unit(p) / 2 : 0;
    plan->new_key = has(p, 0.5) ? 1 : 0;
    plan->commit_us = has(p, 0.3) ? (uint64_t)(sim_unit(p) * 5e6) : 5000;
    plan->disk_tick = has(p, 0.15) ? sim_spread(p, 0.001, 0.02) : 0;
    plan->disk_us = (uint64_t)(sim_spread(p, 0.1, 120) * 1e6);
    plan->drift_ppm = has(p, 0.5) ? 500 : 0;
    plan->offset_ms = has(p, 0.4) ? (uint64_t)sim_spread(p, 10, 60000) : 100;
    plan->step_ms = (uint64_t)sim_spread(p, 100, 3.6e6);
    plan->step_tick = has(p, 0.2) ? sim_spread(p, 0.0001, 0.005) : 0;
    plan->boot_1970 = has(p, 0.2) ? 0.5 : 0;
    plan->freeze_tick = has(p, 0.1) ? 0.002 : 0;
    plan->pause_tick = has(p, 0.3) ? sim_spread(p, 0.0003, 0.01) : 0;
    plan->pause_us = (uint64_t)(sim_spread(p, 0.1, 30) * 1e6);
    plan->slow = has(p, 0.2) ? 0.3 : 0;
    plan->handle_us = (uint64_t)sim_spread(p, 200, 20000);
    plan->op_refused = has(p, 0.3) ? sim_spread(p, 0.01, 0.3) : 0;
    plan->op_lost = has(p, 0.3) ? sim_spread(p, 0.01, 0.3) : 0;
    plan->edit_tick = has(p, 0.3) ? sim_spread(p, 0.0005, 0.01) : 0;
}

/* There are a few keys more than nodes may write themselves, and not more than they hold. */
static void
draw_full(struct sim_prng *p, struct sim_plan *plan)
{
    size_t keys, least;

    plan->services = 1 + (unsigned)sim_below(p, 2);
    plan->backends = 3 + (unsigned)sim_below(p, 4);
    plan->writes_per_s = sim_spread(p, 5, 50);
    plan->new_key = 0; /* who has a new one has new keys */
    keys = plan->services * (1 + plan->nodes + plan->backends * (2 + plan->nodes));
    for (least = keys; least - 1 + (least - 1) / 10 >= keys; least--)
        ;
    plan->limits.entries = least + sim_below(p, keys - least + 1);
}

/* Most are small and short, so that there can be many. */
struct sim_plan
sim_plan_draw(uint64_t seed)
{
    struct sim_prng dice = {sim_mix(seed ^ UINT64_C(0x706c616e))}, *p = &dice;
    struct sim_plan plan = {.durable = true, .kernels = true};

    plan.nodes = 2 + sim_below(p, has(p, 0.3) ? 8 : 4);
    plan.limits = (struct gvs_limits){.entries = 4096, .members = plan.nodes + 120};
    plan.boot_peers = 1 + (unsigned)sim_below(p, 3);
    plan.chaos_us = (uint64_t)(sim_spread(p, 5, has(p, 0.02) ? 3600 : 90) * 1e6);
    plan.services = 1 + (unsigned)sim_below(p, 8);
    plan.backends = 1 + (unsigned)sim_below(p, 12);
    plan.writes_per_s = sim_spread(p, 0.2, has(p, 0.1) ? 50 : 20);
    plan.deletes = sim_unit(p) * 0.6;
    draw_network(p, &plan);
    draw_hosts(p, &plan);
    if (has(p, 0.08)) {
        draw_full(p, &plan);
        return plan;
    }
    if (has(p, 0.1)) {
        plan.clone_us = 1 + sim_below(p, plan.chaos_us);
        plan.clone_for_us = (uint64_t)(sim_spread(p, 1, 300) * 1e6);
    } else if (plan.stale == 0 && plan.lost == 0 && has(p, 0.3)) {
        plan.leap_ms = (uint64_t)(sim_spread(p, 1, 60) * 86.4e6);
    }
    if (has(p, 0.1)) {
        plan.intruder_us = 1 + sim_below(p, plan.chaos_us);
        plan.intruder_per_s = sim_spread(p, 1, 100);
        plan.invented = has(p, 0.3) ? 4 * plan.limits.members : plan.limits.members / 4;
        plan.false_vectors = plan.leap_ms == 0 && has(p, 0.5);
    }
    if (plan.clone_us == 0 && plan.intruder_us == 0 && plan.leap_ms == 0 && seed >= TRIALS_FROM &&
        has(p, TRIALS))
        plan.trial_s = sim_spread(p, 2, 60);
    return plan;
}

/* A local network where nothing goes wrong, for scenarios to spoil. */
struct sim_plan
sim_plan_calm(size_t nodes)
{
    bool small = nodes <= 16;

    return (struct sim_plan){
        .nodes = nodes,
        .limits = {.entries = 16384, .members = 4 * nodes + 8},
        .boot_peers = 3,
        .durable = small,
        .kernels = small,
        .delay_us = 200,
        .commit_us = 5000,
    };
}

static double
check_silence(struct sim_world *w)
{
    uint64_t before, ops;
    double rate, limit;

    sim_run(w, SETTLE_US + w->plan.tail_us + (w->clone.began_us > 0 ? ASSERT_US : 0));
    if (!w->failed)
        sim_oracle_rest(w);
    before = sim_bytes_sent(w);
    ops = w->ops;
    sim_run(w, IDLE_US);
    rate = (double)(sim_bytes_sent(w) - before) / (double)w->plan.nodes / (IDLE_US / 1e6);
    limit = IDLE_BYTES + IDLE_BYTES_DEAD * (double)gvs_node_count(w->host[0].node).dead;
    if (rate > limit)
        sim_fail(w, SIM_NOBODY, "I18", "%.0f bytes a second and node at rest, more than %.0f", rate,
                 limit);
    if (w->ops != ops)
        sim_fail(w, SIM_NOBODY, "I6", "%lu operations on kernels at rest",
                 (unsigned long)(w->ops - ops));
    if (!sim_converged(w))
        sim_fail(w, SIM_NOBODY, "I14", "rest did not last");
    return rate;
}

/* What keeps it from rest, in words. */
static void
fail_restless(struct sim_world *w)
{
    for (size_t i = 0; i < w->plan.nodes; i++) {
        struct gvs_node_counts c = gvs_node_count(w->host[i].node);

        if (c.alive != sim_running(w))
            sim_fail(w, i, "I14", "sees %zu of %zu alive, %zu suspect, %zu dead after 120 s",
                     c.alive, sim_running(w), c.suspect, c.dead);
    }
    for (size_t i = 0; i < w->plan.nodes; i++) {
        const struct sim_host *h = &w->host[i];

        if (h->kernel && !sim_kernel_in_step(h->kernel))
            sim_fail(w, i, "I15", "its kernel is not in step after 120 s (%s)",
                     gvs_node_synced(h->node) ? "synced" : "never synced");
    }
    sim_oracle_rest(w);
    sim_fail(w, SIM_NOBODY, "I19", "no rest within 120 s");
}

static uint64_t
rest_within(struct sim_world *w)
{
    uint64_t at = w->failed ? 0 : sim_oracle_admission(w);

    return REST_US + (at > w->now_us ? at - w->now_us : 0);
}

struct sim_result
sim_run_seed(uint64_t seed)
{
    struct sim_plan plan = sim_plan_draw(seed);
    struct sim_world *w = sim_world_open(&plan, seed);
    struct sim_result r = {0};
    uint64_t healed;

    w->chaos = true;
    for (size_t i = 0; i < w->plan.nodes; i++)
        sim_host_start(w, i);
    sim_clone_plan(w);
    sim_intruder_plan(w);
    sim_trials_plan(w);
    sim_alarm(w, &(struct sim_alarm){.at_us = w->now_us + SIM_SECOND, .timer = SIM_WORK});
    sim_run(w, plan.chaos_us / 2);
    if (!w->failed && plan.leap_ms > 0)
        sim_leap(w, plan.leap_ms);
    sim_run(w, plan.chaos_us - plan.chaos_us / 2);
    if (!w->failed && plan.leap_ms > 0)
        sim_leap(w, plan.leap_ms);
    if (!w->failed)
        sim_heal(w);
    sim_clone_end(w);
    if (!w->failed && plan.leap_ms > 0)
        sim_run(w, AGE_US);
    if (!w->failed)
        sim_run(w, sim_trials_over_us(w));
    healed = w->now_us;
    if (!w->failed && sim_intruder_led_astray(w))
        goto out;
    if (!sim_run_till(w, rest_within(w), sim_converged) && !w->failed)
        fail_restless(w);
    r.converge_us = w->now_us - healed;
    if (!w->failed)
        r.idle_bytes = check_silence(w);
    sim_clone_check(w);
    if (!w->failed)
        sim_intruder_check(w);
    if (!w->failed)
        sim_trials_check(w);
out:
    r.failed = w->failed;
    r.hash = w->hash;
    r.virtual_us = w->now_us - SIM_BEGIN_US;
    r.delivered = w->delivered;
    r.writes = w->writes;
    r.ops = w->ops;
    r.crashes = w->crashes;
    if (w->failed)
        sim_print_failure(w);
    sim_world_close(w);
    return r;
}
