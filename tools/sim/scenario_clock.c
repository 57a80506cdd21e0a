/* Runs with a name (scenario.c) about clocks that are wrong, or were: whatever they have stamped,
 * nobody may be locked out by it once they are right. */
#include <inttypes.h>
#include <stdio.h>

#include "tools/sim/world.h"

#define HOUR_MS INT64_C(3600000)
#define DAY_MS (24 * HOUR_MS)
#define YEAR_MS (365 * DAY_MS)
#define AT_ONCE_US SIM_SECOND
#define SOON_US (120 * SIM_SECOND)
#define ALONE_US (15 * SIM_SECOND) /* whoever meets nobody for so long writes */

static void
set_clocks(struct sim_world *w, int64_t offset_ms)
{
    for (size_t i = 0; i < w->count; i++)
        w->host[i].clock.offset_ms = offset_ms;
}

static size_t
count_lacking(const struct sim_world *w, unsigned first, uint32_t weight)
{
    size_t lacking = 0;

    for (size_t i = 0; i < w->count; i++) {
        for (size_t k = 0; k < w->count; k++)
            lacking += sim_read_number(w, i, first + (unsigned)k) != weight;
    }
    return lacking;
}

static bool
all_may_write(struct sim_world *w)
{
    for (size_t i = 0; i < w->count; i++) {
        if (!sim_may_write(w, i))
            return false;
    }
    return true;
}

static void
await_leave(struct sim_world *w, const char *when)
{
    uint64_t began = w->now_us;

    if (w->failed)
        return;
    if (sim_run_till(w, SOON_US, all_may_write))
        printf("%s: all may write in %.2f s\n", when, (double)(w->now_us - began) / 1e6);
    else
        sim_fail(w, SIM_NOBODY, "I19", "%s: not all may write within %.0f s", when, SOON_US / 1e6);
}

/* What each of them writes everybody has in time. */
static void
write_at_each(struct sim_world *w, const char *when, unsigned first, uint64_t within_us)
{
    uint64_t began = w->now_us;
    uint32_t weight = 1 + first % 100;

    for (size_t i = 0; i < w->count && !w->failed; i++) {
        if (!sim_may_write(w, i))
            sim_fail(w, i, "I19", "%s: may not write", when);
        sim_write_number(w, i, first + (unsigned)i, weight);
    }
    while (!w->failed && count_lacking(w, first, weight) > 0 && w->now_us < began + within_us)
        sim_run(w, 10000);
    if (w->failed)
        return;
    if (count_lacking(w, first, weight) > 0)
        sim_fail(w, SIM_NOBODY, "I19",
                 "%s: of %zu writes at %zu nodes %zu are lacking after %.0f s", when, w->count,
                 w->count, count_lacking(w, first, weight), (double)within_us / 1e6);
    else
        printf("%s: all have what each wrote in %.2f s\n", when, (double)(w->now_us - began) / 1e6);
}

static void
start_alone(struct sim_world *w, size_t i, int64_t offset_ms)
{
    sim_host_crash(w, i);
    sim_disk_crash(w, i, SIM_DISK_FRESH);
    w->host[i].clock.offset_ms = offset_ms;
    sim_set_away(w, i, true);
    sim_host_start(w, i);
    sim_run(w, ALONE_US);
}

/* One clock of five runs an hour ahead: its writes must not bear the future, and nobody may take
 * what does; once it is right again, it writes as before. */
bool
sim_run_clock_ahead(const struct sim_options *o)
{
    struct sim_plan plan = sim_plan_calm(o->nodes);
    struct sim_world *w = sim_begin(o, &plan, o->seed);
    uint64_t latest_ms;
    struct gvs_entry e;

    w->host[1].clock.offset_ms = 3600000;
    sim_run(w, 30 * SIM_SECOND);
    sim_write_some(w, 1, 2, 0, 10);
    sim_run(w, 5 * SIM_SECOND);
    latest_ms = sim_true_ms(w) + 30000;
    for (size_t i = 0; i < w->count && !w->failed; i++) {
        const struct gvs_table *t = gvs_node_claims(w->host[i].node);

        for (bool more = gvs_table_seek(t, NULL, 0, false, &e); more;
             more = gvs_table_seek(t, e.key, e.key_len, true, &e)) {
            if (gvs_hlc_ms(e.order) > latest_ms)
                sim_fail(w, i, "I4", "holds a stamp %.0f s ahead of four clocks of five",
                         ((double)gvs_hlc_ms(e.order) - (double)latest_ms) / 1e3 + 30);
        }
    }
    w->host[1].clock.offset_ms = 0;
    sim_write_some(w, 1, 2, 0, 10);
    sim_await_rest(w, "clock set right", 120);
    return sim_end(w);
}

/* All of them at once: then everything lies in the future by clocks that are right, and is taken
 * all the same. */
bool
sim_run_clocks_ahead(const struct sim_options *o)
{
    struct sim_plan plan = sim_plan_calm(o->nodes);
    struct sim_world *w = sim_begin(o, &plan, o->seed);
    size_t last = w->count - 1;

    set_clocks(w, HOUR_MS);
    sim_run(w, 30 * SIM_SECOND);
    sim_write_some(w, 0, w->count, 0, 20);
    sim_run(w, 5 * SIM_SECOND);
    set_clocks(w, 0);
    write_at_each(w, "set right just now", 100, AT_ONCE_US);
    sim_run(w, 30 * SIM_SECOND);
    write_at_each(w, "right for half a minute", 200, AT_ONCE_US);
    sim_oracle_promise(w);
    if (!w->failed) {
        sim_host_crash(w, last);
        sim_disk_crash(w, last, SIM_DISK_LOST);
        sim_host_new_key(w, last);
        sim_host_start(w, last);
    }
    sim_await_rest(w, "a new node joins", 120);
    write_at_each(w, "joined", 300, AT_ONCE_US);
    return sim_end(w);
}

/* Nobody takes what it stamped; so it says it once more. */
bool
sim_run_clock_was_ahead(const struct sim_options *o)
{
    struct sim_plan plan = sim_plan_calm(o->nodes);
    struct sim_world *w = sim_begin(o, &plan, o->seed);

    sim_write_some(w, 0, w->count, 0, 20);
    sim_run(w, 5 * SIM_SECOND);
    start_alone(w, 1, HOUR_MS);
    sim_write_some(w, 1, 2, 10, 30); /* some that others hold, and some that they do not */
    sim_delete_number(w, 1, 0);
    sim_run(w, SIM_SECOND);
    w->host[1].clock.offset_ms = 0;
    sim_oracle_promise(w);
    sim_set_away(w, 1, false);
    sim_await_rest(w, "clock set right", 120);
    write_at_each(w, "then", 100, AT_ONCE_US);
    return sim_end(w);
}

/* Two know each other's clocks alone, and so no median: the one takes from the other what lies a
 * year ahead. Whatever becomes of that, all three go on. */
bool
sim_run_clock_spreads(const struct sim_options *o)
{
    struct sim_plan plan = sim_plan_calm(o->nodes);
    struct sim_world *w = sim_begin(o, &plan, o->seed);

    sim_write_some(w, 0, w->count, 0, 20);
    sim_run(w, 5 * SIM_SECOND);
    start_alone(w, 2, YEAR_MS);
    sim_write_some(w, 2, 3, 10, 20);
    w->host[2].clock.offset_ms = 0;
    sim_host_crash(w, 1);
    sim_run(w, 10 * SIM_SECOND);
    sim_set_away(w, 2, false);
    sim_await_rest(w, "two meet", 120);
    sim_delete_number(w, 0, 15);
    sim_write_some(w, 0, 1, 0, 5);
    sim_run(w, SIM_SECOND);
    sim_oracle_promise(w);
    if (!w->failed) {
        sim_disk_crash(w, 1, SIM_DISK_FRESH);
        sim_host_start(w, 1);
    }
    sim_await_rest(w, "the third is back", 120);
    write_at_each(w, "then", 100, AT_ONCE_US);
    sim_run(w, 3 * SOON_US / 2);
    write_at_each(w, "minutes later", 200, AT_ONCE_US);
    return sim_end(w);
}

/* What is on the disks lies half a century ahead. */
bool
sim_run_clocks_1970(const struct sim_options *o)
{
    struct sim_plan plan = sim_plan_calm(o->nodes);
    struct sim_world *w = sim_begin(o, &plan, o->seed);

    sim_write_some(w, 0, w->count, 0, 20);
    sim_run(w, 5 * SIM_SECOND);
    for (size_t i = 0; i < w->count && !w->failed; i++) {
        sim_host_crash(w, i);
        sim_disk_crash(w, i, SIM_DISK_FRESH);
    }
    sim_oracle_promise(w);
    set_clocks(w, 1000 - (int64_t)sim_true_ms(w));
    for (size_t i = 0; i < w->count && !w->failed; i++)
        sim_host_start(w, i);
    sim_run(w, SIM_SECOND);
    await_leave(w, "all back");
    write_at_each(w, "in 1970", 100, AT_ONCE_US);
    sim_run(w, 30 * SIM_SECOND);
    write_at_each(w, "half a minute later", 200, AT_ONCE_US);
    set_clocks(w, 0);
    write_at_each(w, "set right just now", 300, AT_ONCE_US);
    sim_run(w, 30 * SIM_SECOND);
    write_at_each(w, "right for half a minute", 400, AT_ONCE_US);
    return sim_end(w);
}

/* --- cuts --- */

#define AGED_US (65 * SIM_SECOND) /* so often a node looks at what has become old */
#define REST_US (600 * SIM_SECOND)

/* What is a week old for the one is five days old for the other: it forgets deletions that the
 * other counts. */
bool
sim_run_clocks_apart(const struct sim_options *o)
{
    struct sim_plan plan = sim_plan_calm(o->nodes);
    struct sim_world *w = sim_begin(o, &plan, o->seed);

    w->host[0].clock.offset_ms = 2 * DAY_MS;
    sim_run(w, 30 * SIM_SECOND);
    sim_write_some(w, 1, 2, 0, 1000);
    sim_run(w, AGED_US);
    for (unsigned k = 0; k < 200 && !w->failed; k++)
        sim_delete_number(w, 1, k);
    sim_run(w, AGED_US);
    sim_check_bytes(w, "deleted just now", REST_US, SIM_REST_BYTES);
    for (unsigned hour = 0; hour < 7 * 24 + 3 && !w->failed; hour++) {
        sim_leap(w, (uint64_t)HOUR_MS);
        sim_run(w, AGED_US);
    }
    sim_check_bytes(w, "deleted a week ago", REST_US, SIM_REST_BYTES);
    for (size_t i = 0; i < w->count && !w->failed; i++) {
        sim_host_crash(w, i);
        sim_disk_crash(w, i, SIM_DISK_FRESH);
        sim_host_start(w, i);
        sim_run(w, SOON_US);
        if (!gvs_node_synced(w->host[i].node))
            sim_fail(w, i, "I19", "started again, and is not synced");
    }
    write_at_each(w, "then", 2000, AT_ONCE_US);
    return sim_end(w);
}
