#include "test/lib/cluster.h"

#include "core/vector.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the heap --- */

static bool
earlier(const struct cluster_packet *a, const struct cluster_packet *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->no < b->no;
}

static void
swap(struct cluster *c, size_t a, size_t b)
{
    struct cluster_packet *p = c->queue[a];

    c->queue[a] = c->queue[b];
    c->queue[b] = p;
}

static void
push_packet(struct cluster *c, struct cluster_packet *p)
{
    size_t i = c->queue_count++;

    if (i == c->queue_cap) {
        c->queue_cap = c->queue_cap * 2 + 64;
        c->queue = realloc(c->queue, c->queue_cap * sizeof *c->queue);
        assert(c->queue);
    }
    c->queue[i] = p;
    for (; i > 0 && earlier(c->queue[i], c->queue[(i - 1) / 2]); i = (i - 1) / 2)
        swap(c, i, (i - 1) / 2);
}

static struct cluster_packet *
pop_packet(struct cluster *c)
{
    struct cluster_packet *p = c->queue[0];
    size_t i = 0, kid;

    c->queue[0] = c->queue[--c->queue_count];
    while ((kid = 2 * i + 1) < c->queue_count) {
        if (kid + 1 < c->queue_count && earlier(c->queue[kid + 1], c->queue[kid]))
            kid++;
        if (!earlier(c->queue[kid], c->queue[i]))
            break;
        swap(c, i, kid);
        i = kid;
    }
    return p;
}

/* --- the network --- */

static void
stir(struct cluster *c, const void *b, size_t len)
{
    const uint8_t *p = b;

    for (size_t i = 0; i < len; i++)
        c->hash = (c->hash ^ p[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
}

static void
launch(struct cluster *c, size_t from, size_t to, const uint8_t *b, size_t len)
{
    struct cluster_packet *p;
    uint64_t jitter = 0;

    if (gvs_prng_chance(&c->prng, c->config.loss, 100))
        return;
    if (c->config.jitter_us > 0)
        jitter = gvs_prng_below(&c->prng, (uint32_t)c->config.jitter_us);
    p = malloc(sizeof *p);
    assert(p);
    p->at_us = c->now.us + c->config.latency_us + jitter;
    p->no = c->packets++;
    p->from = from;
    p->to = to;
    p->len = len;
    memcpy(p->b, b, len);
    push_packet(c, p);
}

static void
keep_record(struct cluster *c, const struct cluster_packet *p)
{
    if (c->record_count == c->record_cap) {
        c->record_cap = c->record_cap * 2 + 256;
        c->record = realloc(c->record, c->record_cap * sizeof *c->record);
        assert(c->record);
    }
    c->record[c->record_count++] = *p;
}

static void
transmit(struct cluster *c, size_t from, const struct gvs_ep *ep, const uint8_t *b, size_t len)
{
    size_t to = (size_t)ep->addr.b[3] - 1;

    c->host[from].sent++;
    c->host[from].sent_bytes += len + 28;
    if (to >= c->config.nodes || gvs_ep_cmp(ep, &c->host[to].ep) != 0)
        return;
    launch(c, from, to, b, len);
    if (gvs_prng_chance(&c->prng, c->config.duplication, 100))
        launch(c, from, to, b, len);
}

/* --- nodes --- */

struct gvs_wall
cluster_wall(const struct cluster *c, size_t i)
{
    int64_t ms = (int64_t)(CLUSTER_WALL_MS + c->now.us / 1000) + c->host[i].skew_ms;

    return (struct gvs_wall){(uint64_t)ms};
}

static void
host_random(void *ctx, void *buf, size_t len)
{
    struct cluster_host *h = ctx;

    gvs_prng_fill(&h->prng, buf, len);
}

/* --- disks --- */

#define VECTOR_SAVE_MS 600000
#define STAMP_RESERVE_MS 10000

static uint64_t
store_hash(const void *key, const uint8_t *b, size_t len)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    (void)key;
    for (size_t i = 0; i < len; i++)
        h = (h ^ b[i]) * UINT64_C(0x100000001b3);
    return h;
}

static void
store_clear(struct cluster *c, struct cluster_host *h)
{
    for (size_t k = 0; k < 2; k++) {
        free(h->store[k]);
        h->store[k] = calloc(1, gvs_table_footprint(2 * c->config.limits.entries));
        assert(h->store[k]);
        gvs_table_init(h->store[k], 2 * c->config.limits.entries,
                       (struct gvs_hash){store_hash, NULL});
    }
}

static void
save_vector(struct cluster *c, struct cluster_host *h)
{
    size_t len;

    h->vector_changes = gvs_node_vector_changes(h->node);
    h->vector_at = c->now;
    h->vector_len = 0;
    do {
        h->vector = realloc(h->vector, h->vector_len + GVS_VECTOR_CHUNK_MAX);
        assert(h->vector);
        len = gvs_node_vector(h->node, h->vector_len / GVS_VECTOR_WRITER_LEN,
                              h->vector + h->vector_len, GVS_VECTOR_CHUNK_MAX);
        h->vector_len += len;
    } while (len > 0);
}

static void
save_news(struct cluster *c, struct cluster_host *h)
{
    bool removed = false;
    struct gvs_entry e;

    for (; gvs_node_news(h->node, &e); h->news++) {
        struct gvs_table *store = h->store[e.kind == GVS_KEY_MEMBER];

        if (!store)
            continue;
        removed |= e.len == 0;
        if (e.len == 0)
            gvs_table_remove(store, e.key, e.key_len);
        else
            gvs_table_merge(store, &e);
        if (gvs_hlc_ms(gvs_node_stamp(h->node)) >= h->stamp_floor_ms)
            h->stamp_floor_ms = gvs_hlc_ms(gvs_node_stamp(h->node)) + STAMP_RESERVE_MS;
    }
    if (!c->config.disks || h->vector_changes == gvs_node_vector_changes(h->node))
        return;
    if (removed || gvs_mono_due(gvs_mono_add_ms(h->vector_at, VECTOR_SAVE_MS), c->now))
        save_vector(c, h);
}

/* Everything that a node has to say after it was called. */
static void
pump(struct cluster *c, size_t i)
{
    struct cluster_host *h = &c->host[i];
    uint8_t buf[GVS_DATAGRAM_LEN_MAX];
    struct gvs_node_event ev;
    struct gvs_ep to;
    size_t len;

    if (!h->node || h->paused)
        return;
    while ((len = gvs_node_next(h->node, c->now, cluster_wall(c, i), buf, &to)) > 0)
        transmit(c, i, &to, buf, len);
    save_news(c, h);
    while (gvs_node_event(h->node, &ev)) {
        h->died += ev.after == GVS_DEAD && (ev.first || ev.before != GVS_DEAD);
        h->hid += ev.before == ev.after && ev.gone;
    }
}

struct cluster *
cluster_open(const struct cluster_config *config)
{
    struct cluster *c = calloc(1, sizeof *c);
    struct gvs_keyring_fault fault;
    char line[80], key[45];
    uint8_t psk[32];
    int rc;

    assert(c && config->nodes <= CLUSTER_NODES_MAX);
    rc = gvs_crypto_init();
    assert(rc == GVS_OK);
    c->config = *config;
    c->now.us = UINT64_C(1000000000);
    c->hash = UINT64_C(0xcbf29ce484222325);
    c->prng = gvs_prng_init(config->seed);
    if (c->config.latency_us == 0)
        c->config.latency_us = 200;
    if (c->config.limits.entries == 0)
        c->config.limits = (struct gvs_limits){.entries = 4096, .members = 64};
    gvs_prng_fill(&c->prng, psk, sizeof psk);
    gvs_crypto_key_format(key, psk);
    snprintf(line, sizeof line, "%s primary\n", key);
    for (size_t i = 0; i < config->nodes; i++) {
        struct cluster_host *h = &c->host[i];

        h->cluster = c;
        h->cluster_name = "test";
        h->prng = gvs_prng_init(gvs_prng_next(&c->prng));
        gvs_prng_fill(&h->prng, h->priv, sizeof h->priv);
        h->ep.addr = (struct gvs_addr){GVS_FAMILY_V4, {10, 0, 0, (uint8_t)(i + 1)}};
        h->ep.port = 7900;
        rc = gvs_keyring_parse(&h->keyring, line, strlen(line), &fault);
        assert(rc == GVS_OK);
        if (i > 0)
            h->peers[h->peer_count++] = i - 1;
    }
    return c;
}

void
cluster_close(struct cluster *c)
{
    for (size_t i = 0; i < c->config.nodes; i++) {
        gvs_node_close(c->host[i].node);
        free(c->host[i].disk);
        free(c->host[i].vector);
        free(c->host[i].store[0]);
        free(c->host[i].store[1]);
    }
    for (size_t i = 0; i < c->queue_count; i++)
        free(c->queue[i]);
    free(c->queue);
    free(c->record);
    free(c);
}

static void
load_vector(const struct cluster_host *h)
{
    for (size_t at = 0; at < h->vector_len;) {
        size_t len = h->vector_len - at;
        int rc;

        len = len < GVS_VECTOR_CHUNK_MAX ? len : GVS_VECTOR_CHUNK_MAX;
        rc = gvs_node_load_vector(h->node, h->vector + at, len);
        assert(rc == GVS_OK);
        at += len;
    }
}

static void
load_disk(struct cluster *c, struct cluster_host *h)
{
    struct gvs_entry e;
    int rc;

    if (c->config.disks)
        store_clear(c, h);

    for (size_t at = 0; at < h->disk_len;) {
        size_t len = (size_t)h->disk[at] << 8 | h->disk[at + 1];

        rc = gvs_entry_parse(&e, h->disk + at + 2, len);
        assert(rc == GVS_OK);
        rc = gvs_node_load(h->node, &e);
        assert(rc == GVS_OK);
        if (c->config.disks)
            gvs_table_merge(h->store[e.kind == GVS_KEY_MEMBER], &e);
        at += 2 + len;
    }
    load_vector(h);
}

static void
save_table(struct cluster_host *h, const struct gvs_table *t)
{
    struct gvs_entry e;

    for (bool more = gvs_table_seek(t, NULL, 0, false, &e); more;
         more = gvs_table_seek(t, e.key, e.key_len, true, &e)) {
        h->disk = realloc(h->disk, h->disk_len + 2 + e.len);
        assert(h->disk);
        h->disk[h->disk_len++] = (uint8_t)(e.len >> 8);
        h->disk[h->disk_len++] = (uint8_t)e.len;
        memcpy(h->disk + h->disk_len, e.b, e.len);
        h->disk_len += e.len;
    }
}

static void
apply_peers(struct cluster *c, size_t i)
{
    struct cluster_host *h = &c->host[i];
    struct gvs_ep peers[CLUSTER_NODES_MAX];

    for (size_t k = 0; k < h->peer_count; k++)
        peers[k] = c->host[h->peers[k]].ep;
    gvs_node_set_peers(h->node, peers, NULL, h->peer_count);
}

void
cluster_start(struct cluster *c, size_t i)
{
    struct cluster_host *h = &c->host[i];
    char name[24];
    struct gvs_node_config cfg = {
        .limits = c->config.limits,
        .cluster = h->cluster_name,
        .keyring = &h->keyring,
        .init_floor = h->init_floor,
        .stamp_floor_ms = h->stamp_floor_ms,
        .newborn = !h->born,
        .random = {.fn = host_random, .ctx = h},
        .name = name,
        .version = "0.1.0",
        .advertise = h->ep,
    };

    assert(!h->node);
    snprintf(name, sizeof name, "n%zu", i);
    memcpy(cfg.priv, h->priv, sizeof cfg.priv);
    cfg.boot = gvs_prng_next(&h->prng);
    h->paused = false;
    h->born = true;
    h->vector_changes = 0;
    h->node = gvs_node_open(&cfg, c->now);
    assert(h->node);
    load_disk(c, h);
    apply_peers(c, i);
    gvs_node_start(h->node, c->now, cluster_wall(c, i));
    pump(c, i);
}

void
cluster_start_all(struct cluster *c)
{
    for (size_t i = 0; i < c->config.nodes; i++)
        cluster_start(c, i);
}

void
cluster_kill(struct cluster *c, size_t i)
{
    struct cluster_host *h = &c->host[i];

    h->disk_len = 0;
    save_table(h, c->config.disks ? h->store[0] : gvs_node_claims(h->node));
    save_table(h, c->config.disks ? h->store[1] : gvs_node_members(h->node));
    h->init_floor = gvs_node_init_time(h->node);
    gvs_node_close(h->node);
    h->node = NULL;
}

void
cluster_wipe(struct cluster *c, size_t i)
{
    c->host[i].disk_len = 0;
    c->host[i].vector_len = 0;
    c->host[i].stamp_floor_ms = 0;
}

void
cluster_rekey(struct cluster *c, size_t i)
{
    struct cluster_host *h = &c->host[i];

    cluster_wipe(c, i);
    gvs_prng_fill(&h->prng, h->priv, sizeof h->priv);
    h->born = false;
}

void
cluster_set_peers(struct cluster *c, size_t i, const size_t *peers, size_t count)
{
    struct cluster_host *h = &c->host[i];

    for (size_t k = 0; k < count; k++)
        h->peers[k] = peers[k];
    h->peer_count = count;
    if (!h->node)
        return;
    apply_peers(c, i);
    pump(c, i);
}

/* --- time --- */

static void
deliver(struct cluster *c)
{
    struct cluster_packet *p = pop_packet(c);
    struct cluster_host *h = &c->host[p->to];

    if (h->node && h->paused) {
        p->at_us = c->now.us + 1000; /* it waits in the socket */
        push_packet(c, p);
        return;
    }
    if (h->node && !c->cut[p->from][p->to]) {
        stir(c, &p->at_us, sizeof p->at_us);
        stir(c, &p->from, sizeof p->from);
        stir(c, p->b, p->len);
        if (c->recording)
            keep_record(c, p);
        gvs_node_recv(h->node, c->now, cluster_wall(c, p->to), &c->host[p->from].ep, p->b, p->len);
        pump(c, p->to);
    }
    free(p);
}

static uint64_t
next_event(const struct cluster *c)
{
    uint64_t t = c->queue_count > 0 ? c->queue[0]->at_us : UINT64_MAX;

    for (size_t i = 0; i < c->config.nodes; i++) {
        const struct cluster_host *h = &c->host[i];

        if (h->node && !h->paused && gvs_node_deadline(h->node).us < t)
            t = gvs_node_deadline(h->node).us;
    }
    return t;
}

static void
step_until(struct cluster *c, uint64_t limit_us)
{
    uint64_t t = next_event(c);

    if (t > limit_us) {
        c->now.us = limit_us;
        return;
    }
    if (t > c->now.us)
        c->now.us = t;
    while (c->queue_count > 0 && c->queue[0]->at_us <= c->now.us)
        deliver(c);
    for (size_t i = 0; i < c->config.nodes; i++) {
        struct cluster_host *h = &c->host[i];

        if (!h->node || h->paused || gvs_node_deadline(h->node).us > c->now.us)
            continue;
        pump(c, i);
        assert(gvs_node_deadline(h->node).us > c->now.us); /* else time would stand still */
    }
}

void
cluster_step(struct cluster *c)
{
    step_until(c, c->now.us + 1000000);
}

void
cluster_run(struct cluster *c, uint64_t ms)
{
    uint64_t end = c->now.us + ms * 1000;

    while (c->now.us < end)
        step_until(c, end);
}

bool
cluster_run_until(struct cluster *c, uint64_t ms, bool (*holds)(struct cluster *c))
{
    uint64_t end = c->now.us + ms * 1000;

    while (!holds(c)) {
        if (c->now.us >= end)
            return false;
        step_until(c, end);
    }
    return true;
}

/* --- faults --- */

void
cluster_cut(struct cluster *c, size_t from, size_t to)
{
    c->cut[from][to] = true;
}

void
cluster_split(struct cluster *c, size_t first)
{
    for (size_t a = 0; a < c->config.nodes; a++) {
        for (size_t b = 0; b < c->config.nodes; b++)
            c->cut[a][b] = (a < first) != (b < first);
    }
}

void
cluster_heal(struct cluster *c)
{
    memset(c->cut, 0, sizeof c->cut);
}

void
cluster_pause(struct cluster *c, size_t i)
{
    c->host[i].paused = true;
}

void
cluster_resume(struct cluster *c, size_t i)
{
    c->host[i].paused = false;
    pump(c, i);
}

/* --- claims --- */

void
cluster_key(struct gvs_key *key, unsigned k)
{
    *key = (struct gvs_key){.kind = GVS_KEY_BACKEND};
    key->svc.proto = GVS_PROTO_TCP;
    key->svc.addr = (struct gvs_addr){GVS_FAMILY_V4, {10, 99, 0, 1}};
    key->svc.port = 80;
    key->ep.addr = (struct gvs_addr){GVS_FAMILY_V4,
                                     {10, (uint8_t)(1 + (k >> 16)), (uint8_t)(k >> 8), (uint8_t)k}};
    key->ep.port = 8080;
}

int
cluster_write(struct cluster *c, size_t i, unsigned k, uint32_t weight)
{
    struct gvs_backend backend = {.weight = weight};
    uint8_t value[GVS_VALUE_LEN_MAX];
    struct gvs_key key;
    int rc;

    cluster_key(&key, k);
    rc = gvs_node_write(c->host[i].node, c->now, cluster_wall(c, i), &key, false, value,
                        gvs_backend_encode(value, &backend), NULL);
    pump(c, i);
    return rc;
}

void
cluster_delete(struct cluster *c, size_t i, unsigned k)
{
    uint8_t value[GVS_VALUE_LEN_MAX];
    struct gvs_key key;
    int rc;

    cluster_key(&key, k);
    rc = gvs_node_write(c->host[i].node, c->now, cluster_wall(c, i), &key, true, value,
                        gvs_tombstone_encode(value, false), NULL);
    assert(rc == GVS_OK);
    pump(c, i);
}

static bool
get_claim(const struct cluster *c, size_t i, unsigned k, struct gvs_entry *e)
{
    struct gvs_keybuf buf;
    struct gvs_key key;

    cluster_key(&key, k);
    gvs_key_build(&buf, &key);
    return gvs_table_get(gvs_node_claims(c->host[i].node), buf.b, buf.len, e);
}

uint64_t
cluster_order(const struct cluster *c, size_t i, unsigned k)
{
    struct gvs_entry e;

    return get_claim(c, i, k, &e) ? e.order : 0;
}

int64_t
cluster_read(const struct cluster *c, size_t i, unsigned k)
{
    struct gvs_backend backend;
    struct gvs_entry e;

    if (!get_claim(c, i, k, &e) || e.tombstone)
        return -1;
    if (gvs_backend_decode(&backend, e.value, e.value_len) != GVS_OK)
        return -1;
    return backend.weight;
}

/* --- questions --- */

size_t
cluster_alive(const struct cluster *c, size_t i)
{
    return gvs_node_count(c->host[i].node).alive;
}

enum gvs_member_state
cluster_state(const struct cluster *c, size_t at, size_t of, uint64_t *inc)
{
    struct gvs_node_member list[CLUSTER_NODES_MAX];
    size_t count = gvs_node_list(c->host[at].node, list, CLUSTER_NODES_MAX);

    for (size_t i = 0; i < count; i++) {
        if (gvs_ep_cmp(&list[i].value.ep, &c->host[of].ep) != 0)
            continue;
        if (inc)
            *inc = list[i].incarnation;
        return list[i].state;
    }
    return GVS_LEFT; /* unknown; nobody leaves here */
}

bool
cluster_joined(struct cluster *c)
{
    size_t running = 0;

    for (size_t i = 0; i < c->config.nodes; i++)
        running += c->host[i].node != NULL;
    for (size_t i = 0; i < c->config.nodes; i++) {
        if (c->host[i].node && cluster_alive(c, i) != running)
            return false;
    }
    return true;
}

bool
cluster_agrees(struct cluster *c)
{
    const struct gvs_node *first = NULL;

    for (size_t i = 0; i < c->config.nodes; i++) {
        const struct gvs_node *n = c->host[i].node;

        if (!n)
            continue;
        if (!first)
            first = n;
        if (gvs_table_fingerprint(gvs_node_claims(n)) !=
                gvs_table_fingerprint(gvs_node_claims(first)) ||
            gvs_table_fingerprint(gvs_node_members(n)) !=
                gvs_table_fingerprint(gvs_node_members(first)))
            return false;
    }
    return true;
}

bool
cluster_converged(struct cluster *c)
{
    return cluster_joined(c) && cluster_agrees(c);
}
