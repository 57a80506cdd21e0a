/* Runs with a name (scenario.c) about who is who: former lives, twins, those who have met nobody
 * yet, and members that there are not. */
#include <stdio.h>

#include "tools/sim/world.h"

#define HOUR_MS INT64_C(3600000)

/* --- a former life --- */

#define BEHIND_MS INT64_C(120000)
#define APART_US (100 * SIM_SECOND) /* less than it is behind, and by less than GVS_AHEAD_MS */

/* What one wrote last is not on its disk, and others bring it so late that by its own clock it is
 * from this life: stamped long after the start, and not in the future. By theirs it is not. */
static void
lose_seconds(struct sim_world *w, const char *when, int64_t offset_ms, unsigned first)
{
    w->host[1].disk.fails_us = w->now_us + 10 * SIM_SECOND;
    sim_write_some(w, 1, 2, first, 10);
    sim_run(w, SIM_SECOND);
    if (w->failed)
        return;
    sim_host_crash(w, 1);
    sim_disk_crash(w, 1, SIM_DISK_FRESH);
    sim_oracle_promise(w);
    w->host[1].clock.offset_ms = offset_ms;
    sim_set_away(w, 1, true);
    sim_host_start(w, 1);
    sim_run(w, APART_US);
    sim_set_away(w, 1, false);
    sim_await_rest(w, when, 120);
    sim_clone_check(w);
    w->host[1].clock.offset_ms = 0;
    sim_run(w, 10 * SIM_SECOND);
}

bool
sim_run_former_life(const struct sim_options *o)
{
    struct sim_plan plan = sim_plan_calm(o->nodes);
    struct sim_world *w = sim_begin(o, &plan, o->seed);

    lose_seconds(w, "two minutes behind", -BEHIND_MS, 0);
    lose_seconds(w, "back in 1970", 1000 - (int64_t)sim_true_ms(w), 100);
    return sim_end(w);
}

/* --- two without disks --- */

#define DELAY_US 50000 /* from hearing who the third is to being given what it has */

static bool
second_knows_third(struct sim_world *w)
{
    return gvs_node_count(w->host[1].node).alive == w->count;
}

static void
cut_third(struct sim_world *w, bool cut)
{
    sim_cut(w, 1, 2, cut);
    sim_cut(w, 2, 1, cut);
}

/* Two lost what they had, and are equal. Then the second meets the third, the only one that it was
 * told of, and hears no more than who it is. It has met everybody then, and has nothing: which must
 * not make the first believe that there is nothing. The third has started anew, too, so that relay
 * owes nobody anything. */
bool
sim_run_half_met(const struct sim_options *o)
{
    struct sim_plan plan = sim_plan_calm(o->nodes);
    struct sim_world *w;

    plan.boot_peers = 1; /* of each the next one */
    plan.fixed_delay = true;
    w = sim_begin(o, &plan, o->seed);
    sim_write_some(w, 0, w->count, 0, 20);
    sim_run(w, 10 * SIM_SECOND);
    sim_oracle_promise(w);
    sim_set_away(w, 2, true);
    for (size_t i = 0; i < w->count && !w->failed; i++) {
        sim_host_crash(w, i);
        sim_disk_crash(w, i, i < 2 ? SIM_DISK_LOST : SIM_DISK_FRESH);
        sim_host_start(w, i);
    }
    sim_run(w, 10 * SIM_SECOND);
    sim_link(w, 1, 2)->delay_us = sim_link(w, 2, 1)->delay_us = DELAY_US;
    cut_third(w, false);
    if (!sim_run_till(w, 30 * SIM_SECOND, second_knows_third))
        sim_fail(w, 1, "I14", "does not hear of the third within 30 s");
    cut_third(w, true);
    sim_run(w, 10 * SIM_SECOND);
    cut_third(w, false);
    sim_set_away(w, 2, false);
    sim_await_rest(w, "all met", 120);
    return sim_end(w);
}

/* --- members that there are not --- */

#define INVENTED_PER_S 100

/* Somebody speaks of more members than there is room for. Whoever then comes, and is one, gets in.
 */
bool
sim_run_invented(const struct sim_options *o)
{
    struct sim_plan plan = sim_plan_calm(o->nodes);
    size_t last = plan.nodes - 1, most = plan.limits.members;
    struct sim_world *w;

    plan.intruder_us = 1;
    plan.intruder_per_s = INVENTED_PER_S;
    plan.invented = 4 * most;
    plan.only_invents = true;
    w = sim_begin(o, &plan, o->seed);
    w->chaos = true; /* in which it comes */
    sim_intruder_plan(w);
    sim_run(w, o->duration_s * SIM_SECOND);
    sim_intruder_end(w);
    w->chaos = false;
    for (size_t i = 0; i < plan.nodes && !w->failed; i++) {
        if (gvs_table_count(gvs_node_members(w->host[i].node)) < plan.nodes + most / 2)
            sim_fail(w, i, "I24", "knows %zu members: too few for it to matter",
                     gvs_table_count(gvs_node_members(w->host[i].node)));
    }
    if (!w->failed) {
        sim_host_crash(w, last);
        sim_disk_crash(w, last, SIM_DISK_LOST);
        sim_host_new_key(w, last);
        sim_host_start(w, last);
    }
    sim_await_rest(w, "one more has come", 120);
    return sim_end(w);
}

/* --- twins --- */

#define TWINS 20    /* seeds: it takes that the first ones are not it, and an order of ids */
#define STRANGERS 2 /* to its twin */
#define ASSERT_US (60 * SIM_SECOND) /* the one that is left speaks up once a minute */
#define QUIET_US (20 * SIM_SECOND)
#define DUEL_BYTES 1000.0 /* it takes 540 to 690; 1,600 and more where they duel */

/* While both run they do not duel. When one is copied its clock is ahead, and then set right: so
 * from then on nobody takes up a session that it begins, since its twin has begun later ones. With
 * those who spoke to the twin it is in two sessions, one for each way, until they begin one with
 * it; and the others say that they live. */
static bool
silence_twin(const struct sim_options *o, uint64_t seed)
{
    struct sim_plan plan = sim_plan_calm(o->nodes);
    struct sim_world *w;

    plan.clone_us = 1;
    plan.clone_for_us = (1 + o->duration_s) * SIM_SECOND;
    w = sim_begin(o, &plan, seed);
    for (size_t i = 0; i < w->count; i++)
        w->host[i].clock.offset_ms = HOUR_MS;
    sim_run(w, 30 * SIM_SECOND);
    for (size_t i = 0; i < STRANGERS; i++) {
        sim_cut(w, i, plan.nodes, true);
        sim_cut(w, plan.nodes, i, true);
    }
    w->chaos = true; /* in which it is copied */
    sim_clone_plan(w);
    sim_run(w, SIM_SECOND);
    for (size_t i = 0; i < w->count; i++)
        w->host[i].clock.offset_ms = 0;
    sim_check_bytes(w, "it has a twin", o->duration_s * SIM_SECOND, DUEL_BYTES);
    sim_run(w, SIM_SECOND);
    w->chaos = false;
    sim_run(w, ASSERT_US);
    sim_check_bytes(w, "its twin is silent", QUIET_US, SIM_REST_BYTES);
    return sim_end(w);
}

bool
sim_run_silent_twin(const struct sim_options *o)
{
    bool good = true;

    for (uint64_t seed = o->seed; seed < o->seed + TWINS && good; seed++)
        good = silence_twin(o, seed);
    return good;
}
