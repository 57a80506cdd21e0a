/* Writes at random, as operators and configuration files make them: claims of the cluster and of
 * nodes on services and backends, overrides, deletions. */
#include "tools/sim/world.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/value.h"

#define BURST_CHANCE 0.03
#define BURST 20
#define TWINS_CHANCE 0.5

static struct gvs_svcid
service_number(unsigned s)
{
    return (struct gvs_svcid){.proto = GVS_PROTO_TCP,
                              .addr = {GVS_FAMILY_V4, {10, 99, 0, 1}},
                              .port = (uint16_t)(80 + s)};
}

static struct gvs_ep
server_number(unsigned b)
{
    return (struct gvs_ep){{GVS_FAMILY_V4, {10, 201, (uint8_t)(b >> 8), (uint8_t)b}}, 8080};
}

/* Is there no room for this key, which is new? */
static bool
is_full(const struct sim_world *w, size_t i, const struct gvs_key *key)
{
    const struct gvs_table *t = gvs_node_claims(w->host[i].node);
    struct gvs_keybuf k;
    struct gvs_entry e;

    gvs_key_build(&k, key);
    return gvs_table_count(t) >= w->plan.limits.entries && !gvs_table_get(t, k.b, k.len, &e);
}

bool
sim_write(struct sim_world *w, size_t i, const struct gvs_key *key, bool tombstone,
          const uint8_t *value, size_t len)
{
    struct gvs_node *n = w->host[i].node;
    struct gvs_stamp stamp;
    struct gvs_keybuf k;
    struct gvs_entry e;
    bool full = is_full(w, i, key);
    int rc = gvs_node_write(n, sim_mono(w, i), sim_wall(w, i), key, tombstone, value, len, &stamp);

    if (full && rc != GVS_E_FULL)
        sim_fail(w, i, "I5", "a local write of a new key (%d) where %zu entries are the limit", rc,
                 w->plan.limits.entries);
    if (full || (rc == GVS_E_RANGE && sim_oracle_astray(w, i)))
        return false;
    if (rc < 0) { /* the table has room, and no stamp is the last one */
        sim_fail(w, i, "I16", "a local %s was refused: error %d", tombstone ? "deletion" : "write",
                 rc);
        return false;
    }
    gvs_key_build(&k, key);
    if (!gvs_table_get(gvs_node_claims(n), k.b, k.len, &e) || e.order != stamp.hlc) {
        sim_fail(w, i, "I16", "what was written with %016lx is not there",
                 (unsigned long)stamp.hlc);
        return false;
    }
    w->writes++;
    sim_note(w, SIM_WRITE, i, tombstone ? "delete" : "put", e.order, e.len, sim_hash(e.b, e.len));
    sim_oracle_written(w, i, &e);
    sim_host_pump(w, i);
    return true;
}

void
sim_watch(struct sim_world *w)
{
    uint64_t *took = w->watch.took_us;

    if (!took)
        took = sim_need(calloc(w->count, sizeof *took));
    w->watch = (struct sim_watch){.began_us = w->now_us, .took_us = took};
}

size_t
sim_draw_value(struct sim_prng *p, const struct gvs_key *key, uint8_t *value)
{
    struct gvs_service service = {.sched = "wlc"};
    struct gvs_backend backend = {.weight = (uint32_t)sim_below(p, 200)};
    struct gvs_override override = {.has_weight = true};

    switch (key->kind) {
    case GVS_KEY_SERVICE:
        snprintf(service.name, sizeof service.name, "s%u", key->svc.port);
        service.persistent = (uint32_t)sim_below(p, 3) * 60;
        return gvs_service_encode(value, &service);
    case GVS_KEY_BACKEND:
        return gvs_backend_encode(value, &backend);
    default:
        override.drain = sim_chance(p, 0.3);
        override.weight = (uint32_t)sim_below(p, 50);
        return gvs_override_encode(value, &override);
    }
}

struct gvs_key
sim_draw_key(struct sim_world *w, struct sim_prng *p, const struct gvs_id *self)
{
    struct gvs_key key = {.svc = service_number((unsigned)sim_below(p, w->plan.services))};
    bool own = sim_chance(p, 0.4);
    uint64_t what = sim_below(p, 10);

    key.kind = what < 2 ? GVS_KEY_SERVICE : what < 9 ? GVS_KEY_BACKEND : GVS_KEY_OVERRIDE;
    if (key.kind != GVS_KEY_SERVICE)
        key.ep = server_number((unsigned)sim_below(p, w->plan.backends));
    if (own && key.kind != GVS_KEY_OVERRIDE)
        key.owner = *self;
    return key;
}

static void
write_key(struct sim_world *w, size_t i, const struct gvs_key *key)
{
    bool tombstone = sim_chance(&w->desk, w->plan.deletes);
    uint8_t value[GVS_VALUE_LEN_MAX];

    sim_write(w, i, key, tombstone, value,
              tombstone ? gvs_tombstone_encode(value, false)
                        : sim_draw_value(&w->desk, key, value));
}

bool
sim_may_work(const struct sim_world *w, size_t i)
{
    return w->host[i].node && w->host[i].busy_us <= w->now_us && sim_may_write(w, i);
}

/* Some of what a machine that is there twice writes both write, at one time: the stamps are the
 * same then, if their clocks are. */
static void
write_one(struct sim_world *w, size_t i)
{
    struct gvs_key key = sim_draw_key(w, &w->desk, &w->host[i].id);
    size_t twin = i == w->clone.of ? w->clone.host : w->clone.of;

    write_key(w, i, &key);
    if (sim_clone_runs(w) && gvs_id_cmp(&w->host[i].id, &w->host[twin].id) == 0 &&
        (i == w->clone.of || i == w->clone.host) && sim_may_work(w, twin) &&
        sim_chance(&w->desk, TWINS_CHANCE))
        write_key(w, twin, &key);
}

void
sim_work(struct sim_world *w)
{
    size_t i = sim_below(&w->desk, w->count);
    double mean_s = 1 / w->plan.writes_per_s;
    uint64_t count = sim_chance(&w->desk, BURST_CHANCE) ? BURST : 1;

    if (!w->chaos)
        return;
    sim_alarm(w, &(struct sim_alarm){.at_us = w->now_us + 1 +
                                              (uint64_t)(1e6 * sim_wait(&w->desk, mean_s)),
                                     .timer = SIM_WORK});
    if (!sim_may_work(w, i))
        return;
    while (count-- > 0 && !w->failed)
        write_one(w, i);
}

/* --- numbered backends, for scenarios --- */

void
sim_backend_key(struct gvs_key *key, unsigned k)
{
    *key = (struct gvs_key){.kind = GVS_KEY_BACKEND, .svc = service_number(k >> 16)};
    key->ep = server_number(k & 0xffff);
}

bool
sim_write_service(struct sim_world *w, size_t i)
{
    struct gvs_key key = {.kind = GVS_KEY_SERVICE, .svc = service_number(0)};
    uint8_t value[GVS_VALUE_LEN_MAX];

    return sim_write(w, i, &key, false, value, sim_draw_value(&w->desk, &key, value));
}

bool
sim_write_number(struct sim_world *w, size_t i, unsigned k, uint32_t weight)
{
    struct gvs_backend backend = {.weight = weight};
    uint8_t value[GVS_VALUE_LEN_MAX];
    struct gvs_key key;

    sim_backend_key(&key, k);
    return sim_write(w, i, &key, false, value, gvs_backend_encode(value, &backend));
}

bool
sim_delete_number(struct sim_world *w, size_t i, unsigned k)
{
    uint8_t value[GVS_VALUE_LEN_MAX];
    struct gvs_key key;

    sim_backend_key(&key, k);
    return sim_write(w, i, &key, true, value, gvs_tombstone_encode(value, false));
}

int64_t
sim_read_number(const struct sim_world *w, size_t i, unsigned k)
{
    struct gvs_backend backend;
    struct gvs_keybuf b;
    struct gvs_entry e;
    struct gvs_key key;

    sim_backend_key(&key, k);
    gvs_key_build(&b, &key);
    if (!gvs_table_get(gvs_node_claims(w->host[i].node), b.b, b.len, &e) || e.tombstone ||
        gvs_backend_decode(&backend, e.value, e.value_len) != GVS_OK)
        return -1;
    return backend.weight;
}
