/* One machine: a node, its clocks, its inbox, and the loop that the agent runs around the node.
 *
 *     datagram, deadline, write --> node --> datagrams --> network
 *                                      \---> news --> oracle, disk, kernel
 *
 * What the agent decides by itself about when a table may be written to or trusted
 * (tools/agent/flow.c) is said again here, because nothing below the agent knows it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/sim/world.h"

#define ALONE_US (10 * SIM_SECOND) /* GVS_AGENT_ALONE_MS */
#define WATCHED_MAX 64 /* clusters up to this size are watched address by address (I9) */

#define SPINS_MAX 100

static void
host_random(void *ctx, void *buf, size_t len)
{
    sim_fill(&((struct sim_host *)ctx)->prng, buf, len);
}

/* --- clocks --- */

static uint64_t
mono_at(const struct sim_clock *c, uint64_t world_us)
{
    int64_t up = (int64_t)(world_us - c->zero_us);

    return (uint64_t)(up + up / 1000 * c->ppm / 1000);
}

struct gvs_mono
sim_mono(const struct sim_world *w, size_t i)
{
    return (struct gvs_mono){mono_at(&w->host[i].clock, w->now_us)};
}

uint64_t
sim_world_time(const struct sim_host *h, struct gvs_mono t)
{
    const struct sim_clock *c = &h->clock;
    double guess;
    uint64_t at;

    if (t.us > UINT64_MAX / 4)
        return UINT64_MAX;
    guess = (double)t.us * 1e6 / (1e6 + c->ppm) - 2000;
    at = c->zero_us + (guess > 0 ? (uint64_t)guess : 0);
    while (mono_at(c, at) < t.us)
        at += t.us - mono_at(c, at) > 16 ? (t.us - mono_at(c, at)) / 2 : 1;
    return at;
}

uint64_t
sim_true_ms(const struct sim_world *w)
{
    return SIM_EPOCH_MS + w->leap_ms + w->now_us / 1000;
}

struct gvs_wall
sim_wall(const struct sim_world *w, size_t i)
{
    const struct sim_clock *c = &w->host[i].clock;
    int64_t ms = (int64_t)sim_true_ms(w) + c->offset_ms;

    if (c->frozen_ms != 0)
        return (struct gvs_wall){c->frozen_ms};
    return (struct gvs_wall){ms < 0 ? 0 : (uint64_t)ms};
}

/* --- life --- */

void
sim_host_new_key(struct sim_world *w, size_t i)
{
    w->keys++;
    sim_fill(&w->host[i].prng, w->host[i].priv, sizeof w->host[i].priv);
}

void
sim_host_init(struct sim_world *w, size_t i)
{
    struct sim_host *h = &w->host[i];
    size_t number = i + 1;

    h->spare = i >= w->plan.nodes;
    h->prng.state = sim_next(&w->prng);
    sim_host_new_key(w, i);
    h->ep.addr = (struct gvs_addr){
        GVS_FAMILY_V4, {10, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number}};
    h->ep.port = SIM_PORT;
    h->clock.zero_us = w->now_us - sim_below(&w->prng, 900 * SIM_SECOND);
    if (w->plan.drift_ppm > 0)
        h->clock.ppm =
            (int32_t)sim_below(&w->prng, 2 * w->plan.drift_ppm + 1) - (int32_t)w->plan.drift_ppm;
    if (w->plan.offset_ms > 0)
        h->clock.offset_ms =
            (int64_t)sim_below(&w->prng, 2 * w->plan.offset_ms + 1) - (int64_t)w->plan.offset_ms;
    if (sim_chance(&w->prng, w->plan.slow))
        h->handle_us = w->plan.handle_us;
    h->inbox_end = &h->inbox;
    if (w->plan.kernels)
        h->kernel = sim_kernel_open();
    if (w->count <= WATCHED_MAX)
        h->proof = sim_need(calloc(w->count + SIM_STRANGERS, sizeof *h->proof));
}

static void
empty_inbox(struct sim_host *h)
{
    struct sim_packet *p;

    while ((p = h->inbox) != NULL) {
        h->inbox = p->next;
        sim_packet_drop(p);
    }
    h->inbox_end = &h->inbox;
    h->inbox_count = 0;
}

void
sim_host_fini(struct sim_host *h)
{
    gvs_node_close(h->node);
    empty_inbox(h);
    sim_disk_fini(&h->disk);
    free(h->cover.b);
    sim_kernel_close(h->kernel);
    free(h->proof);
}

/* The same ones at each start, around a ring: so that no restart leaves an island. */
static void
set_peers(struct sim_world *w, size_t i)
{
    struct gvs_ep peers[8];
    size_t count = w->plan.boot_peers < 8 ? w->plan.boot_peers : 8, nodes = w->plan.nodes;

    for (size_t k = 0; k < count; k++)
        peers[k] = w->host[(i + 1 + k * (1 + nodes / 3)) % nodes].ep;
    gvs_node_set_peers(w->host[i].node, peers, NULL, count);
}

void
sim_host_start(struct sim_world *w, size_t i)
{
    struct sim_host *h = &w->host[i];
    char name[24];
    struct gvs_node_config cfg = {
        .limits = w->plan.limits,
        .cluster = "sim",
        .keyring = w->ring,
        .init_floor = h->disk.floor,
        .stamp_floor_ms = h->disk.durable.stamp_ms,
        .random = {.fn = host_random, .ctx = h},
        .name = name,
        .version = GVS_VERSION,
        .advertise = h->ep,
    };

    GVS_ASSERT(!h->node);
    snprintf(name, sizeof name, "n%zu", i);
    memcpy(cfg.priv, h->priv, sizeof cfg.priv);
    cfg.boot = sim_next(&h->prng);
    h->life++;
    h->began_us = h->busy_us = w->now_us;
    h->up_us = 0;
    if (h->proof)
        memset(h->proof, 0, (w->count + SIM_STRANGERS) * sizeof *h->proof);
    h->node = sim_need(gvs_node_open(&cfg, sim_mono(w, i)));
    h->id = gvs_node_self(h->node);
    sim_note(w, SIM_OPENED, i, "records", h->life, h->disk.now.count, 0);
    sim_disk_load(w, i);
    set_peers(w, i);
    sim_oracle_loaded(w, i);
    if (h->kernel)
        sim_kernel_begin(w, i);
    gvs_node_start(h->node, sim_mono(w, i), sim_wall(w, i));
    sim_host_pump(w, i);
}

void
sim_host_crash(struct sim_world *w, size_t i)
{
    struct sim_host *h = &w->host[i];

    sim_note(w, SIM_CRASHED, i, "", h->life, 0, 0);
    w->crashes++;
    gvs_node_close(h->node);
    h->node = NULL;
    h->wake_us = 0;
    empty_inbox(h);
}

void
sim_host_pause(struct sim_world *w, size_t i, uint64_t us)
{
    struct sim_host *h = &w->host[i];

    sim_note(w, SIM_FAULT, i, "pause", us, 0, 0);
    if (h->busy_us < w->now_us + us)
        h->busy_us = w->now_us + us;
}

/* --- what the agent decides --- */

static bool
is_alone(const struct sim_world *w, size_t i)
{
    const struct sim_host *h = &w->host[i];
    struct gvs_node_counts c = gvs_node_count(h->node);

    return (!gvs_node_reached_anyone(h->node) || c.alive + c.suspect <= 1) &&
           w->now_us - h->began_us >= ALONE_US;
}

bool
sim_may_write(const struct sim_world *w, size_t i)
{
    return gvs_node_synced(w->host[i].node) || w->count == 1 || is_alone(w, i);
}

/* --- the loop --- */

static void
take_events(struct sim_world *w, size_t i)
{
    struct gvs_node_event ev;

    while (gvs_node_event(w->host[i].node, &ev)) {
        if (ev.gone)
            sim_oracle_gone(w, i, &ev.member);
        for (size_t k = 0; ev.after == GVS_DEAD && k < w->count; k++) {
            struct sim_host *h = &w->host[k];

            h->accused += h->node && h->busy_us <= w->now_us && gvs_id_cmp(&h->id, &ev.member) == 0;
        }
    }
}

static void
take_news(struct sim_world *w, size_t i)
{
    struct sim_host *h = &w->host[i];
    struct gvs_entry e;

    while (gvs_node_news(h->node, &e)) {
        h->news++;
        sim_oracle_news(w, i, &e);
        if (w->plan.durable)
            sim_disk_put(w, i, &e);
        if (h->kernel)
            sim_kernel_news(w, i, &e);
    }
}

/* A deadline that has passed right after the node was asked for all it had to send: once or twice
 * is rounding, for ever is a processor that spins. */
static void
check_deadline(struct sim_world *w, size_t i)
{
    struct sim_host *h = &w->host[i];

    h->spins = gvs_node_deadline(h->node).us <= sim_mono(w, i).us ? h->spins + 1 : 0;
    if (h->spins == SPINS_MAX)
        sim_fail(w, i, "I18", "its deadline has passed and it has nothing to do, %u times in a row",
                 h->spins);
}

static void
set_wake(struct sim_world *w, size_t i)
{
    struct sim_host *h = &w->host[i];
    uint64_t at = sim_world_time(h, gvs_node_deadline(h->node));

    if (h->inbox_count > 0)
        at = 0;
    if (h->kernel && sim_kernel_due(h->kernel) < at)
        at = sim_kernel_due(h->kernel);
    if (h->disk.commit_us != 0 && h->disk.commit_us < at)
        at = h->disk.commit_us;
    if (at < h->busy_us)
        at = h->busy_us;
    if (at <= w->now_us)
        at = w->now_us + 1;
    if (at == UINT64_MAX || at == h->wake_us)
        return;
    h->wake_us = at;
    sim_alarm(w, &(struct sim_alarm){.at_us = at, .timer = SIM_WAKE, .host = (uint32_t)i});
}

void
sim_host_pump(struct sim_world *w, size_t i)
{
    struct sim_host *h = &w->host[i];
    uint8_t buf[GVS_DATAGRAM_LEN_MAX];
    struct gvs_ep to;
    size_t len;

    if (h->busy_us <= w->now_us) {
        take_news(w, i);
        if (h->kernel) {
            sim_kernel_run(w, i);
            gvs_node_set_in_step(h->node, sim_kernel_in_step(h->kernel));
        }
        while ((len = gvs_node_next(h->node, sim_mono(w, i), sim_wall(w, i), buf, &to)) > 0)
            sim_send(w, i, &to, buf, len);
        take_news(w, i); /* of what its timers wrote */
        take_events(w, i);
        if (w->plan.durable)
            sim_disk_run(w, i);
        sim_oracle_step(w, i);
        check_deadline(w, i);
    }
    set_wake(w, i);
}

void
sim_host_wake(struct sim_world *w, size_t i)
{
    struct sim_host *h = &w->host[i];
    struct sim_packet *p = h->inbox;

    h->wake_us = 0;
    if (!h->node)
        return;
    if (p && h->busy_us <= w->now_us) {
        h->inbox = p->next;
        if (--h->inbox_count == 0)
            h->inbox_end = &h->inbox;
        sim_oracle_take(w, i, p);
        sim_packet_drop(p);
    }
    sim_host_pump(w, i);
}
