/* Runs with a name (scenario.c) about what is remembered: by disks, by vectors, by members; and for
 * how long. */
#include <stdio.h>

#include "tools/sim/world.h"

#define AGED_US (65 * SIM_SECOND) /* so often a node looks at its vector, and what has become old */
#define HOUR_MS UINT64_C(3600000)
#define MANY 1000

/* Away for longer than tombstones live: what was deleted meanwhile stays so. */
bool
sim_run_absence(const struct sim_options *o)
{
    struct sim_plan plan = sim_plan_calm(o->nodes);
    struct sim_world *w = sim_begin(o, &plan, o->seed);
    size_t away = w->count - 1;

    sim_write_some(w, 0, w->count, 0, 50);
    sim_run(w, 10 * SIM_SECOND);
    sim_host_crash(w, away);
    for (unsigned k = 0; k < 25; k++)
        sim_delete_number(w, 0, k);
    sim_run(w, AGED_US);
    sim_leap(w, o->duration_s * 1000);
    sim_run(w, AGED_US);
    sim_write_some(w, 0, away, 100, 10);
    if (!w->failed) {
        sim_disk_crash(w, away, SIM_DISK_FRESH);
        sim_host_start(w, away);
    }
    sim_await_rest(w, "back", 120);
    for (size_t i = 0; i < w->count && !w->failed; i++) {
        for (unsigned k = 0; k < 50; k++) {
            if ((sim_read_number(w, i, k) >= 0) != (k >= 25))
                sim_fail(w, i, "I17", "backend %u, which was %sdeleted, is %sthere", k,
                         k < 25 ? "" : "not ", k < 25 ? "" : "not ");
        }
    }
    return sim_end(w);
}

#define AGES 40
#define AGES_KEYS 30

static void
write_or_delete(struct sim_world *w, unsigned count)
{
    for (; count > 0 && !w->failed; count--) {
        size_t i = sim_below(&w->desk, w->count);
        unsigned k = (unsigned)sim_below(&w->desk, AGES_KEYS);

        if (!w->host[i].node)
            continue;
        if (sim_chance(&w->desk, 0.5))
            sim_delete_number(w, i, k);
        else
            sim_write_number(w, i, k, 1 + count);
        sim_run(w, sim_below(&w->desk, SIM_SECOND));
    }
}

/* Days go by, in which vectors are lent and tombstones collected. */
static void
grow_old(struct sim_world *w)
{
    for (unsigned n = 0; n < 4 && !w->failed; n++) {
        sim_leap(w, (1 + sim_below(&w->prng, 60)) * HOUR_MS);
        sim_run(w, AGED_US);
    }
}

/* Again and again one is down or cut off for days while others write and delete, and so does it. */
bool
sim_run_ages(const struct sim_options *o)
{
    struct sim_plan plan = sim_plan_calm(o->nodes);
    struct sim_world *w = sim_begin(o, &plan, o->seed);

    for (unsigned age = 0; age < AGES && !w->failed; age++) {
        size_t away = sim_below(&w->prng, w->count);
        bool down = sim_chance(&w->prng, 0.5);

        write_or_delete(w, 10);
        if (down && !w->failed)
            sim_host_crash(w, away);
        else
            sim_set_away(w, away, true);
        sim_run(w, 20 * SIM_SECOND);
        write_or_delete(w, 10);
        grow_old(w);
        if (w->failed)
            break;
        if (down) {
            sim_disk_crash(w, away, sim_chance(&w->prng, 0.5) ? SIM_DISK_STALE : SIM_DISK_FRESH);
            sim_oracle_promise(w);
            sim_host_start(w, away);
        } else {
            sim_oracle_promise(w);
            sim_set_away(w, away, false);
        }
        if (!sim_run_till(w, 120 * SIM_SECOND, sim_converged))
            sim_fail(w, away, "I19", "is back from days away: no rest within 120 s");
        grow_old(w);
        if (!w->failed)
            sim_oracle_rest(w);
    }
    if (!w->failed)
        printf("%zu deletions were forgotten\n", sim_oracle_forgotten(w));
    if (sim_oracle_forgotten(w) < AGES_KEYS / 2)
        sim_fail(w, SIM_NOBODY, "I5", "only %zu of %d deletions were ever forgotten",
                 sim_oracle_forgotten(w), AGES_KEYS);
    return sim_end(w);
}

#define JOIN_AGAIN_US 250000

/* Twice in a row one loses its disk and keeps its name: both times it is given everything at once.
 */
bool
sim_run_rejoin(const struct sim_options *o)
{
    struct sim_plan plan = sim_plan_calm(o->nodes);
    struct sim_world *w;

    plan.kernels = false;
    w = sim_begin(o, &plan, o->seed);
    sim_write_some(w, 0, w->count, 0, MANY);
    sim_run(w, 3 * AGED_US);
    sim_oracle_promise(w);
    for (unsigned k = 0; k < 2 && !w->failed; k++) {
        sim_host_crash(w, 0);
        sim_disk_crash(w, 0, SIM_DISK_LOST);
        sim_host_start(w, 0);
        if (!sim_run_till(w, JOIN_AGAIN_US, sim_agreed))
            sim_fail(w, 0, "I19", "has not all of the table %.0f ms after its start",
                     JOIN_AGAIN_US / 1e3);
        sim_await_rest(w, "joined again", 5);
        sim_run(w, 10 * SIM_SECOND);
    }
    return sim_end(w);
}

#define SLOW_US 300000

/* One takes its time with each datagram: between an answer that shows equal tables and the vector
 * that it then lends, others may have written. Whoever missed that must not take the vector. */
bool
sim_run_slow_lender(const struct sim_options *o)
{
    struct sim_plan plan = sim_plan_calm(o->nodes);
    struct sim_world *w;

    plan.kernels = false;
    w = sim_begin(o, &plan, o->seed);
    w->host[1].handle_us = SLOW_US;
    w->plan.loss = 0.2;
    for (uint64_t s = 0; s < o->duration_s && !w->failed; s++) {
        sim_write_number(w, s % 2 * 2, (unsigned)sim_below(&w->desk, 100), 1 + (uint32_t)s % 100);
        sim_run(w, sim_below(&w->desk, 4 * SIM_SECOND));
    }
    w->plan.loss = 0;
    w->host[1].handle_us = 0;
    sim_oracle_promise(w);
    sim_await_rest(w, "afterwards", 120);
    return sim_end(w);
}

#define RETURNS 40

/* With an old copy of its disk, it meets the others for a moment only, and writes: it must not take
 * for known what it wrote before and has lost. */
bool
sim_run_stale_return(const struct sim_options *o)
{
    struct sim_plan plan = sim_plan_calm(o->nodes);
    struct sim_world *w;

    plan.delay_us = 20000;
    w = sim_begin(o, &plan, o->seed);
    for (unsigned n = 0; n < RETURNS && !w->failed; n++) {
        sim_write_some(w, 0, 1, 10 * n, 10);
        sim_run(w, 2 * AGED_US);
        if (w->failed)
            break;
        sim_host_crash(w, 0);
        sim_disk_crash(w, 0, SIM_DISK_STALE);
        sim_oracle_promise(w);
        sim_host_start(w, 0);
        sim_run(w, sim_below(&w->prng, SIM_SECOND / 4));
        sim_set_away(w, 0, true);
        sim_run(w, 20 * SIM_SECOND);
        sim_write_some(w, 0, 1, 10 * n, 1);
        sim_run(w, 2 * AGED_US);
        sim_set_away(w, 0, false);
        if (!sim_run_till(w, 120 * SIM_SECOND, sim_converged))
            sim_fail(w, 0, "I19", "is back with an old disk: no rest within 120 s");
    }
    return sim_end(w);
}

/* Alone, without its disk, and an hour behind, one writes below what others have had of it. It is
 * younger than a week, so nobody takes it for deleted. */
bool
sim_run_clock_behind(const struct sim_options *o)
{
    struct sim_plan plan = sim_plan_calm(o->nodes);
    struct sim_world *w = sim_begin(o, &plan, o->seed);

    sim_write_some(w, 0, w->count, 0, 20);
    sim_run(w, 5 * AGED_US);
    if (!w->failed) {
        sim_host_crash(w, 0);
        sim_disk_crash(w, 0, SIM_DISK_LOST);
        w->host[0].clock.offset_ms = -3600000;
        sim_set_away(w, 0, true);
        sim_host_start(w, 0);
    }
    sim_run(w, 15 * SIM_SECOND);
    sim_write_some(w, 0, 1, 1000, 10);
    sim_run(w, SIM_SECOND);
    sim_oracle_promise(w);
    sim_set_away(w, 0, false);
    sim_await_rest(w, "met again", 120);
    return sim_end(w);
}

/* --- members --- */

static bool
write_own(struct sim_world *w, size_t i, struct gvs_key *key, unsigned k)
{
    struct gvs_backend backend = {.weight = 1};
    uint8_t value[GVS_VALUE_LEN_MAX];

    sim_backend_key(key, k);
    key->owner = w->host[i].id;
    return sim_write(w, i, key, false, value, gvs_backend_encode(value, &backend));
}

/* A member is forgotten by one that has not heard its last word: it stays retired when it comes
 * back with its old disk, and what it claimed is in no kernel. */
bool
sim_run_retired(const struct sim_options *o)
{
    struct sim_plan plan = sim_plan_calm(o->nodes);
    struct sim_world *w = sim_begin(o, &plan, o->seed);
    size_t away = w->count - 1;
    struct gvs_key key, last;

    write_own(w, away, &key, 7);
    sim_run(w, 3 * AGED_US);
    for (size_t i = 0; i < w->count && !w->failed; i++) {
        if (!sim_kernel_has(w->host[i].kernel, &key.svc, &key.ep))
            sim_fail(w, i, "I15", "its kernel lacks a member's backend");
    }
    sim_set_away(w, 0, true);
    write_own(w, away, &last, 8);
    sim_run(w, SIM_SECOND);
    sim_host_crash(w, away);
    sim_run(w, o->duration_s * SIM_SECOND);
    if (!w->failed)
        gvs_node_forget(w->host[0].node, sim_mono(w, 0), &w->host[away].id);
    sim_run(w, 3 * AGED_US);
    sim_set_away(w, 0, false);
    sim_run(w, 10 * SIM_SECOND);
    if (!w->failed) {
        sim_disk_crash(w, away, SIM_DISK_FRESH);
        sim_host_start(w, away);
    }
    sim_run(w, 30 * SIM_SECOND);
    for (size_t i = 0; i < away && !w->failed; i++) {
        if (gvs_node_count(w->host[i].node).alive != away)
            sim_fail(w, i, "I14", "sees %zu alive: who was forgotten is back",
                     gvs_node_count(w->host[i].node).alive);
        if (sim_kernel_has(w->host[i].kernel, &key.svc, &key.ep))
            sim_fail(w, i, "I17", "its kernel holds a backend of a member that was forgotten");
    }
    if (!w->failed && !gvs_node_retired(w->host[away].node))
        sim_fail(w, away, "I14", "was forgotten, and does not know");
    if (!w->failed)
        sim_host_crash(w, away);
    return sim_end(w);
}
