/* The store as the agent uses it: what a node's news bring is put, commits go in groups and take
 * their time, and a crash loses what was not committed yet.
 *
 *     news --put--> now --commit, 0 to 5 s later--> durable --at times, a copy--> stale[]
 *     vector, stamp --------------------------------^
 *
 * `now` is also a second opinion on the node: its tables must hold exactly what its news said
 * (oracle.c). A commit may fail, and is tried again until one succeeds. A restart finds `durable`;
 * or one of `stale`, a disk restored from a copy of any age; or nothing, which is a new disk, and,
 * if the key is the same, a damaged store that was set aside. */
#include <stdlib.h>
#include <string.h>

#include "core/vector.h"
#include "tools/sim/world.h"

#define COPY_CHANCE 0.05
#define AGAIN_US SIM_SECOND                          /* after a commit that failed */
#define FLOOR_RESERVE_NS (10 * UINT64_C(1000000000)) /* as the agent reserves */
#define STAMP_RESERVE_MS 10000

/* --- a map of entries --- */

void
sim_map_entry(const struct sim_map *m, size_t i, struct gvs_entry *e)
{
    const uint8_t *b = m->heap + m->v[i].at;
    int rc = gvs_entry_parse(e, b + 2, (size_t)(b[0] << 8 | b[1]));

    GVS_ASSERT(rc == GVS_OK);
}

/* Where the key is, or would be. */
static bool
find_key(const struct sim_map *m, const uint8_t *key, size_t len, size_t *place)
{
    size_t low = 0, high = m->count;
    struct gvs_entry e;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int cmp;

        sim_map_entry(m, middle, &e);
        cmp = gvs_key_cmp(key, len, e.key, e.key_len);
        if (cmp == 0) {
            *place = middle;
            return true;
        }
        if (cmp < 0)
            high = middle;
        else
            low = middle + 1;
    }
    *place = low;
    return false;
}

bool
sim_map_get(const struct sim_map *m, const uint8_t *key, size_t len, struct gvs_entry *e)
{
    size_t i;

    if (!find_key(m, key, len, &i))
        return false;
    sim_map_entry(m, i, e);
    return true;
}

static uint32_t
keep_bytes(struct sim_map *m, const struct gvs_entry *e)
{
    uint32_t at = (uint32_t)m->heap_len;

    if (m->heap_len + 2 + e->len > m->heap_cap) {
        m->heap_cap = 2 * m->heap_cap + 4096;
        m->heap = sim_need(realloc(m->heap, m->heap_cap));
    }
    m->heap[at] = (uint8_t)(e->len >> 8);
    m->heap[at + 1] = (uint8_t)e->len;
    memcpy(m->heap + at + 2, e->b, e->len);
    m->heap_len += 2u + e->len;
    return at;
}

void
sim_map_put(struct sim_map *m, const struct gvs_entry *e, uint64_t place)
{
    size_t i;

    if (find_key(m, e->key, e->key_len, &i)) {
        const uint8_t *b = m->heap + m->v[i].at;

        if ((b[0] << 8 | b[1]) == e->len)
            memcpy(m->heap + m->v[i].at + 2, e->b, e->len);
        else
            m->v[i].at = keep_bytes(m, e);
        m->v[i].place = place;
        return;
    }
    if (m->count == m->cap) {
        m->cap = 2 * m->cap + 64;
        m->v = sim_need(realloc(m->v, m->cap * sizeof *m->v));
    }
    memmove(&m->v[i + 1], &m->v[i], (m->count - i) * sizeof *m->v);
    m->v[i] = (struct sim_record){place, keep_bytes(m, e)};
    m->count++;
}

static void
remove_key(struct sim_map *m, const uint8_t *key, size_t len)
{
    size_t i;

    if (!find_key(m, key, len, &i))
        return;
    memmove(&m->v[i], &m->v[i + 1], (m->count - i - 1) * sizeof *m->v);
    m->count--;
}

void
sim_map_clear(struct sim_map *m)
{
    m->count = 0;
    m->heap_len = 0;
}

static void
copy_map(struct sim_map *to, const struct sim_map *from)
{
    struct gvs_entry e;

    sim_map_clear(to);
    for (size_t i = 0; i < from->count; i++) {
        sim_map_entry(from, i, &e);
        sim_map_put(to, &e, from->v[i].place);
    }
}

static void
free_map(struct sim_map *m)
{
    free(m->v);
    free(m->heap);
}

/* --- what is durable at one time --- */

static void
copy_image(struct sim_image *to, const struct sim_image *from)
{
    copy_map(&to->map, &from->map);
    to->vector = sim_need(realloc(to->vector, from->vector_len + 1));
    if (from->vector_len > 0)
        memcpy(to->vector, from->vector, from->vector_len);
    to->vector_len = from->vector_len;
    to->stamp_ms = from->stamp_ms;
}

static void
clear_image(struct sim_image *m)
{
    sim_map_clear(&m->map);
    m->vector_len = 0;
    m->stamp_ms = 0;
}

static void
take_vector(struct sim_image *m, const struct gvs_node *n)
{
    uint8_t chunk[GVS_VECTOR_CHUNK_MAX];
    size_t from = 0, len;

    m->vector_len = 0;
    while ((len = gvs_node_vector(n, from, chunk, sizeof chunk)) > 0) {
        m->vector = sim_need(realloc(m->vector, m->vector_len + len));
        memcpy(m->vector + m->vector_len, chunk, len);
        m->vector_len += len;
        from += len / GVS_VECTOR_WRITER_LEN;
    }
}

/* --- the disk --- */

/* Of an entry without bytes nothing is held any more. */
void
sim_disk_put(struct sim_world *w, size_t i, const struct gvs_entry *e)
{
    struct sim_disk *d = &w->host[i].disk;

    ++d->place;
    if (e->len > 0) {
        sim_map_put(&d->now, e, d->place);
        return;
    }
    remove_key(&d->now, e->key, e->key_len);
    d->removed = true;
}

/* Handshakes are numbered above this after a restart, as the agent sees to it. */
static void
raise_floor(struct sim_world *w, size_t i)
{
    struct sim_disk *d = &w->host[i].disk;
    uint64_t used = w->host[i].node ? gvs_node_init_time(w->host[i].node) : 0;
    uint64_t now = sim_wall(w, i).ms * UINT64_C(1000000);
    uint64_t want = (used > now ? used : now) + FLOOR_RESERVE_NS;

    if (d->floor < want - FLOOR_RESERVE_NS / 2)
        d->floor = want;
}

/* All that was put since the last time. */
static uint64_t
write_entries(struct sim_disk *d)
{
    struct gvs_entry e;
    uint64_t count = 0;

    if (d->removed)
        copy_map(&d->durable.map, &d->now);
    for (size_t k = 0; k < d->now.count; k++) {
        if (d->now.v[k].place <= d->stored)
            continue;
        sim_map_entry(&d->now, k, &e);
        sim_map_put(&d->durable.map, &e, d->now.v[k].place);
        count++;
    }
    d->removed = false;
    d->stored = d->place;
    return count;
}

/* A sample of all generations that there were (Vitter's algorithm R). */
static void
keep_copy(struct sim_world *w, struct sim_disk *d)
{
    uint64_t place = d->copies++;

    if (place >= SIM_GENERATIONS)
        place = sim_below(&w->prng, d->copies);
    if (place < SIM_GENERATIONS)
        copy_image(&d->stale[place], &d->durable);
}

/* ENOSPC, EIO: what was to be written waits, and so does the floor. */
static void
fail_commit(struct sim_world *w, size_t i)
{
    sim_note(w, SIM_COMMIT, i, "fails", w->host[i].disk.place, 0, 0);
    w->host[i].disk.commit_us = w->now_us + AGAIN_US;
}

/* All that is durable is as of one moment: nothing was left behind. */
static void
check_commit(struct sim_world *w, size_t i)
{
    const struct sim_disk *d = &w->host[i].disk;

    if (d->durable.map.count != d->now.count)
        sim_fail(w, i, "I16", "%zu entries are on its disk after a commit, its news told of %zu",
                 d->durable.map.count, d->now.count);
}

/* The caller has taken all news: the vector goes with them or after them. */
static void
commit(struct sim_world *w, size_t i)
{
    struct sim_disk *d = &w->host[i].disk;
    const struct gvs_node *n = w->host[i].node;
    uint64_t count = write_entries(d);

    take_vector(&d->durable, n);
    d->vector_changes = gvs_node_vector_changes(n);
    d->durable.stamp_ms = gvs_hlc_ms(gvs_node_stamp(n)) + STAMP_RESERVE_MS;
    d->floor_durable = d->floor;
    d->commit_us = 0;
    sim_note(w, SIM_COMMIT, i, "commit", count, d->place, 0);
    check_commit(w, i);
    if (sim_chance(&w->prng, COPY_CHANCE))
        keep_copy(w, d);
}

static bool
is_behind(const struct sim_disk *d, const struct gvs_node *n)
{
    return d->stored < d->place || d->floor_durable < d->floor ||
           d->vector_changes != gvs_node_vector_changes(n) ||
           d->durable.stamp_ms < gvs_hlc_ms(gvs_node_stamp(n)) + STAMP_RESERVE_MS / 2;
}

void
sim_disk_run(struct sim_world *w, size_t i)
{
    struct sim_disk *d = &w->host[i].disk;

    if (d->commit_us != 0 && d->commit_us <= w->now_us && w->now_us < d->fails_us)
        fail_commit(w, i);
    else if (d->commit_us != 0 && d->commit_us <= w->now_us)
        commit(w, i);
    raise_floor(w, i);
    if (d->commit_us == 0 && is_behind(d, w->host[i].node))
        d->commit_us = w->now_us + 1000 + sim_below(&w->prng, w->plan.commit_us + 1);
}

void
sim_disk_crash(struct sim_world *w, size_t i, enum sim_disk_state found)
{
    struct sim_disk *d = &w->host[i].disk;
    uint64_t kept = d->copies < SIM_GENERATIONS ? d->copies : SIM_GENERATIONS;

    if (found == SIM_DISK_STALE && kept > 0) /* the floor, too, would be as old: below */
        copy_image(&d->durable, &d->stale[sim_below(&w->prng, kept)]);
    else if (found != SIM_DISK_FRESH)
        clear_image(&d->durable);
    if (found == SIM_DISK_LOST)
        d->copies = 0;
    d->restored |= found != SIM_DISK_FRESH;
    if (found != SIM_DISK_FRESH)
        d->floor_durable = 0;
    copy_map(&d->now, &d->durable.map);
    d->removed = false;
    d->floor = d->floor_durable;
    d->stored = d->place;
    d->vector_changes = 0;
    d->commit_us = 0;
}

void
sim_disk_copy(struct sim_world *w, size_t from, size_t to)
{
    struct sim_disk *d = &w->host[to].disk, *of = &w->host[from].disk;

    copy_image(&d->durable, &of->durable);
    d->floor_durable = of->floor_durable;
    sim_disk_crash(w, to, SIM_DISK_FRESH);
}

static int
load_vector(struct gvs_node *n, const struct sim_image *m)
{
    for (size_t at = 0; at < m->vector_len; at += GVS_VECTOR_CHUNK_MAX) {
        size_t left = m->vector_len - at;
        size_t len = left < GVS_VECTOR_CHUNK_MAX ? left : GVS_VECTOR_CHUNK_MAX;
        int rc = gvs_node_load_vector(n, m->vector + at, len);

        if (rc < 0)
            return rc;
    }
    return GVS_OK;
}

void
sim_disk_load(struct sim_world *w, size_t i)
{
    const struct sim_map *m = &w->host[i].disk.now;
    struct gvs_entry e;

    for (size_t k = 0; k < m->count; k++) {
        sim_map_entry(m, k, &e);
        if (gvs_node_load(w->host[i].node, &e) < 0)
            sim_fail(w, i, "I16", "record %zu of %zu on its disk is not loaded", k, m->count);
    }
    if (load_vector(w->host[i].node, &w->host[i].disk.durable) < 0)
        sim_fail(w, i, "I16", "the vector on its disk is not loaded");
}

void
sim_disk_fini(struct sim_disk *d)
{
    free_map(&d->now);
    free_map(&d->durable.map);
    free(d->durable.vector);
    for (size_t k = 0; k < SIM_GENERATIONS; k++) {
        free_map(&d->stale[k].map);
        free(d->stale[k].vector);
    }
}
