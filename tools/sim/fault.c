/* What goes wrong, tick after tick of 100 ms; and how all of it ends. */
#include "tools/sim/world.h"

#define CALM_DELAY_US 2000
#define CALM_CLOCK_MS 1000

/* --- partitions --- */

enum cut { CUT_HALVES, CUT_ONE_WAY, CUT_RING, CUT_SINGLE, CUT_LINK, CUT_KINDS };

/* Which links a cut takes away follows from its number alone, so that its end undoes just that. */
static bool
cuts(uint64_t number, size_t count, size_t from, size_t to)
{
    uint64_t dice = sim_mix(number);
    size_t single = (dice >> 8) % count, other = (dice >> 24) % count;
    bool left_from = sim_mix(number ^ (from + 1)) & 1, left_to = sim_mix(number ^ (to + 1)) & 1;
    size_t apart = (from + count - to) % count;

    switch ((enum cut)(dice % CUT_KINDS)) {
    case CUT_HALVES:
        return left_from != left_to;
    case CUT_ONE_WAY:
        return left_from && !left_to;
    case CUT_RING:
        return apart != 1 && apart != count - 1;
    case CUT_SINGLE:
        return from == single || to == single;
    default:
        return from == single && to == other;
    }
}

static void
set_cut(struct sim_world *w, uint64_t number, bool on)
{
    for (size_t from = 0; from < w->count; from++) {
        for (size_t to = 0; to < w->count; to++) {
            if (from != to && cuts(number, w->count, from, to))
                sim_cut(w, from, to, on);
        }
    }
}

static void
end_cut(struct sim_world *w, uint64_t number)
{
    if (!w->chaos)
        return; /* the healing ended them all */
    sim_note(w, SIM_FAULT, 0, "cut ends", sim_mix(number) % CUT_KINDS, 0, number);
    set_cut(w, number, false);
}

static void
begin_cut(struct sim_world *w, uint64_t number)
{
    if (!w->chaos)
        return;
    sim_note(w, SIM_FAULT, 0, "cut", sim_mix(number) % CUT_KINDS, 0, number);
    set_cut(w, number, true);
}

/* One in four flaps: it comes and goes. */
static void
cut_something(struct sim_world *w)
{
    uint64_t number = sim_next(&w->prng), us = 1 + sim_below(&w->prng, w->plan.cut_us);
    uint64_t flaps = sim_chance(&w->prng, 0.25) ? 2 + sim_below(&w->prng, 8) : 1;

    for (uint64_t k = 0; k < flaps; k++) {
        sim_call(w, w->now_us + 2 * k * us / flaps, begin_cut, number);
        sim_call(w, w->now_us + (2 * k + 1) * us / flaps, end_cut, number);
    }
}

static void
clog_something(struct sim_world *w)
{
    size_t from = sim_below(&w->prng, w->count), to = sim_below(&w->prng, w->count);
    uint64_t us = sim_below(&w->prng, w->plan.clog_us + 1);

    sim_note(w, SIM_FAULT, from, "clog", to, us, 0);
    sim_link(w, from, to)->clogged_us = w->now_us + us;
}

/* --- hosts --- */

static void
reboot(struct sim_world *w, size_t i)
{
    struct sim_clock *c = &w->host[i].clock;

    sim_note(w, SIM_FAULT, i, "reboot", 0, 0, 0);
    sim_kernel_reboot(w, i);
    c->zero_us = w->now_us - SIM_SECOND;
    c->frozen_ms = 0;
    if (sim_chance(&w->prng, w->plan.boot_1970))
        c->offset_ms = 1000 - (int64_t)sim_true_ms(w);
}

static void
bring_up(struct sim_world *w, size_t i)
{
    enum sim_disk_state found = SIM_DISK_FRESH;

    if (sim_chance(&w->prng, w->plan.stale))
        found = SIM_DISK_STALE;
    else if (sim_chance(&w->prng, w->plan.lost))
        found = SIM_DISK_LOST;
    sim_disk_crash(w, i, found);
    if (found == SIM_DISK_STALE)
        sim_oracle_restored(w, i);
    if (found == SIM_DISK_LOST && sim_chance(&w->prng, w->plan.new_key) &&
        2 * w->keys < w->plan.limits.members) /* there is room for so many */
        sim_host_new_key(w, i);
    if (found != SIM_DISK_FRESH)
        sim_note(w, SIM_FAULT, i, found == SIM_DISK_STALE ? "stale disk" : "lost disk", 0, 0, 0);
    if (sim_chance(&w->prng, w->plan.reboot))
        reboot(w, i);
    sim_host_start(w, i);
}

static void
upset_clock(struct sim_world *w, size_t i)
{
    struct sim_clock *c = &w->host[i].clock;
    uint64_t span = w->plan.step_ms;

    if (sim_chance(&w->prng, w->plan.step_tick)) {
        c->offset_ms += (int64_t)sim_below(&w->prng, 2 * span + 1) - (int64_t)span;
        sim_note(w, SIM_FAULT, i, "clock step", (uint64_t)c->offset_ms, 0, 0);
    }
    if (sim_chance(&w->prng, w->plan.freeze_tick)) {
        c->frozen_ms = c->frozen_ms ? 0 : sim_wall(w, i).ms;
        sim_note(w, SIM_FAULT, i, "clock freeze", c->frozen_ms, 0, 0);
    }
}

static void
upset_host(struct sim_world *w, size_t i)
{
    const struct sim_plan *p = &w->plan;
    struct sim_host *h = &w->host[i];

    if (!h->node) {
        if (h->up_us != 0 && h->up_us <= w->now_us)
            bring_up(w, i);
        return;
    }
    upset_clock(w, i);
    if (sim_chance(&w->prng, p->pause_tick))
        sim_host_pause(w, i, sim_below(&w->prng, p->pause_us + 1));
    if (sim_chance(&w->prng, p->disk_tick))
        h->disk.fails_us = w->now_us + sim_below(&w->prng, p->disk_us + 1);
    if (h->kernel && sim_chance(&w->prng, p->edit_tick))
        sim_kernel_edit(w, i);
    if (!h->spare && sim_chance(&w->prng, p->crash_tick)) {
        sim_host_crash(w, i);
        h->up_us = w->now_us + 1 + sim_below(&w->prng, p->down_us + 1);
    }
}

void
sim_tick(struct sim_world *w)
{
    if (!w->chaos)
        return;
    for (size_t i = 0; i < w->count; i++)
        upset_host(w, i);
    if (sim_chance(&w->prng, w->plan.cut_tick))
        cut_something(w);
    if (sim_chance(&w->prng, w->plan.clog_tick))
        clog_something(w);
}

/* Days in which nobody runs, as if all machines had been suspended at once. */
void
sim_leap(struct sim_world *w, uint64_t ms)
{
    sim_note(w, SIM_FAULT, 0, "leap", ms, 0, 0);
    w->leap_ms += ms;
}

/* --- the end of all that --- */

static void
calm_plan(struct sim_plan *p)
{
    p->tail = p->loss = p->duplicate = p->replay = p->corrupt = p->truncate = 0;
    p->op_refused = p->op_lost = 0;
}

static void
calm_clock(struct sim_world *w, size_t i)
{
    struct sim_clock *c = &w->host[i].clock;

    c->frozen_ms = 0;
    c->offset_ms = (int64_t)sim_below(&w->prng, CALM_CLOCK_MS) - CALM_CLOCK_MS / 2;
}

void
sim_heal(struct sim_world *w)
{
    sim_note(w, SIM_FAULT, 0, "all heals", 0, 0, 0);
    w->chaos = false;
    calm_plan(&w->plan);
    sim_intruder_end(w);
    for (size_t k = 0; k < w->count * w->count; k++) {
        w->link[k].cut = 0;
        w->link[k].clogged_us = 0;
        if (!w->plan.fixed_delay)
            w->link[k].delay_us = CALM_DELAY_US;
    }
    sim_oracle_promise(w);
    for (size_t i = 0; i < w->count; i++) {
        struct sim_host *h = &w->host[i];

        calm_clock(w, i);
        h->handle_us = 0;
        h->disk.fails_us = 0;
        h->busy_us = w->now_us;
        if (h->node) {
            sim_host_pump(w, i);
        } else if (!h->spare) {
            sim_disk_crash(w, i, SIM_DISK_FRESH);
            sim_host_start(w, i);
        }
    }
}
