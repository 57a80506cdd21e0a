/* One machine that is there twice: its disk and its key are copied to another host, and both run.
 *
 *     I23  two processes with one key are noticed, by one of them and by another member, within
 *          60 s of both having been heard by one node, where nothing else goes wrong; and nobody is
 *          called a clone without there being one
 *     I18  while both run they do not duel: what is said of it costs little
 *
 * The copy is a process like any other, and so everything that is true of a member at every step is
 * true of it. What it wrote and nobody else has goes when it does, like the last disk. */
#include <stdlib.h>
#include <string.h>

#include "tools/sim/world.h"

#define SPEAK_US (60 * SIM_SECOND) /* so long we wait for both to be heard */
#define NOTICE_US (60 * SIM_SECOND)
#define REPAIR_US (40 * SIM_SECOND) /* of what the faults left */
#define DUEL_US (20 * SIM_SECOND)
#define DUEL_BYTES 3000.0 /* a node and second: three times what it mostly takes */
#define AGAIN_US SIM_SECOND

bool
sim_is_cloned(const struct sim_world *w, const struct gvs_id *id)
{
    return w->clone.began_us > 0 && gvs_id_cmp(&w->clone.id, id) == 0;
}

bool
sim_clone_runs(const struct sim_world *w)
{
    return w->clone.began_us > 0 && w->host[w->clone.host].node != NULL;
}

/* The original may have lost its disk since, and have a new key. */
static bool
is_twin(const struct sim_world *w)
{
    return gvs_id_cmp(&w->host[w->clone.of].id, &w->clone.id) == 0;
}

static void
stop(struct sim_world *w)
{
    struct sim_host *h = &w->host[w->clone.host];

    sim_host_crash(w, w->clone.host);
    sim_disk_crash(w, w->clone.host, SIM_DISK_LOST);
    h->id = (struct gvs_id){{0}};
}

/* What outlives the faults is stopped by sim_clone_end. */
static void
time_is_up(struct sim_world *w, uint64_t arg)
{
    (void)arg;
    if (w->chaos)
        stop(w);
}

static void
begin(struct sim_world *w, uint64_t of)
{
    struct sim_host *h = &w->host[w->clone.host], *original = &w->host[of];

    if (!w->chaos)
        return;
    if (!original->node) {
        sim_call(w, w->now_us + AGAIN_US, begin, of);
        return;
    }
    memcpy(h->priv, original->priv, sizeof h->priv);
    h->clock.offset_ms = original->clock.offset_ms;
    h->clock.frozen_ms = original->clock.frozen_ms;
    sim_disk_copy(w, of, w->clone.host);
    sim_note(w, SIM_FAULT, of, "cloned", w->clone.host, 0, 0);
    w->clone.of = of;
    w->clone.id = original->id;
    w->clone.began_us = w->now_us;
    sim_host_start(w, w->clone.host);
    sim_call(w, w->now_us + w->plan.clone_for_us, time_is_up, 0);
}

void
sim_clone_plan(struct sim_world *w)
{
    if (w->plan.clone_us == 0)
        return;
    w->clone.host = w->plan.nodes;
    sim_call(w, w->now_us + w->plan.clone_us, begin, sim_below(&w->prng, w->plan.nodes));
}

/* --- is it noticed --- */

/* One that is no party to it has heard both since all is well. */
static bool
both_spoke(struct sim_world *w)
{
    const struct sim_clone *c = &w->clone;

    for (size_t i = 0; i < w->plan.nodes; i++) {
        const struct sim_proof *p = w->host[i].proof;

        if (i != c->of && p[c->of].took_us > w->healed_us && p[c->host].took_us > w->healed_us)
            return true;
    }
    return false;
}

static bool
calls_cloned(const struct sim_world *w, size_t i, const struct gvs_id *id)
{
    size_t max = w->plan.limits.members, count;
    struct gvs_node_member *list = sim_need(calloc(max, sizeof *list));
    bool found = false;

    count = gvs_node_list(w->host[i].node, list, max);
    for (size_t k = 0; k < count; k++)
        found |= list[k].cloned && (!id || gvs_id_cmp(&list[k].id, id) == 0);
    free(list);
    return found;
}

/* By one of the two, and by one that is no party to it. */
static bool
is_noticed(struct sim_world *w)
{
    bool by_itself = false, by_others = false;
    struct gvs_mono when;
    struct gvs_ep ep;

    for (size_t i = 0; i < w->count; i++) {
        if (!w->host[i].node)
            continue;
        if (i == w->clone.of || i == w->clone.host)
            by_itself |= gvs_node_cloned(w->host[i].node, &when, &ep);
        else
            by_others |= calls_cloned(w, i, &w->clone.id);
    }
    return by_itself && by_others;
}

static void
check_duel(struct sim_world *w)
{
    uint64_t before;
    double rate;

    sim_run(w, REPAIR_US);
    before = sim_bytes_sent(w);
    sim_run(w, DUEL_US);
    rate = (double)(sim_bytes_sent(w) - before) / (double)sim_running(w) / (DUEL_US / 1e6);
    if (rate > DUEL_BYTES)
        sim_fail(w, SIM_NOBODY, "I18", "%.0f bytes a second and node while two have one key", rate);
}

void
sim_clone_end(struct sim_world *w)
{
    w->healed_us = w->now_us;
    if (w->failed || !sim_clone_runs(w))
        return;
    if (is_twin(w) && sim_run_till(w, SPEAK_US, both_spoke) &&
        !sim_run_till(w, NOTICE_US, is_noticed))
        sim_fail(w, w->clone.of, "I23",
                 "another process has its key, and not both it and others noticed in 60 s");
    if (!w->failed && !sim_intruder_was(w)) /* whose dead are tried all the time */
        check_duel(w);
    if (!w->failed)
        stop(w);
}

/* By its own word or by others'. Who has lost what it wrote, and hears it from one whose clock is
 * behind, may take its own former life for a clone. */
static const char *
says_clone(const struct sim_world *w, size_t i)
{
    struct gvs_mono when;
    struct gvs_ep ep;

    if (!w->host[i].node)
        return NULL;
    if (gvs_node_cloned(w->host[i].node, &when, &ep) && !w->host[i].disk.restored)
        return "its own key";
    return calls_cloned(w, i, NULL) ? "a key" : NULL;
}

void
sim_clone_check(struct sim_world *w)
{
    for (size_t i = 0; i < w->count && !w->failed; i++) {
        const char *whose = says_clone(w, i);

        if (whose && w->clone.began_us == 0 && !sim_intruder_was(w))
            sim_fail(w, i, "I23", "says that %s is used twice, and none is", whose);
    }
}
