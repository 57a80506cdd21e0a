/* What must be true once all has come to rest; the invariants are listed in oracle.c. */
#include <stdlib.h>
#include <string.h>

#include "tools/sim/oracle_impl.h"

bool
sim_oracle_may_lack(const struct sim_world *w, const struct gvs_entry *e)
{
    return (e->tombstone && sim_oracle_forgettable(w, e)) ||
           sim_oracle_has_above(&w->oracle->graves, e);
}

size_t
sim_oracle_forgotten(const struct sim_world *w)
{
    return w->oracle->graves.count;
}

void
sim_oracle_promise(struct sim_world *w)
{
    struct sim_map *promise = &w->oracle->promise;
    struct gvs_entry e;

    for (size_t i = 0; i < w->count; i++) {
        const struct sim_map *m = &w->host[i].disk.now;

        if (w->host[i].spare)
            continue;
        if (!w->host[i].node)
            m = &w->host[i].disk.durable.map;
        for (size_t k = 0; k < m->count; k++) {
            sim_map_entry(m, k, &e);
            if (e.kind != GVS_KEY_MEMBER && !sim_oracle_has_above(&w->oracle->graves, &e))
                sim_oracle_put_greatest(promise, &e);
        }
    }
}

size_t
sim_running(const struct sim_world *w)
{
    size_t count = 0;

    for (size_t i = 0; i < w->count; i++)
        count += w->host[i].node != NULL;
    return count;
}

bool
sim_joined(struct sim_world *w)
{
    size_t running = sim_running(w);

    for (size_t i = 0; i < w->count; i++) {
        if (w->host[i].node && gvs_node_count(w->host[i].node).alive != running)
            return false;
    }
    return true;
}

/* More members than there is room for: each node knows others of them. */
static bool
crowded(const struct sim_world *w)
{
    return sim_intruder_was(w) && w->plan.invented > w->plan.limits.members / 2;
}

bool
sim_agreed(struct sim_world *w)
{
    uint64_t claims = 0, members = 0;
    bool first = true;

    for (size_t i = 0; i < w->count; i++) {
        if (!w->host[i].node)
            continue;
        if (first) {
            claims = gvs_table_fingerprint(sim_oracle_table(w, i, false));
            members = gvs_table_fingerprint(sim_oracle_table(w, i, true));
            first = false;
        }
        if (gvs_table_fingerprint(sim_oracle_table(w, i, false)) != claims ||
            (!crowded(w) && gvs_table_fingerprint(sim_oracle_table(w, i, true)) != members))
            return false;
    }
    return true;
}

bool
sim_converged(struct sim_world *w)
{
    if (!sim_agreed(w) || !sim_joined(w))
        return false;
    for (size_t i = 0; i < w->count; i++) {
        if (w->host[i].node && w->host[i].kernel && !sim_kernel_in_step(w->host[i].kernel))
            return false;
    }
    return true;
}

/* When what is stamped in the future, and so deferred, will be taken by everybody. */
uint64_t
sim_oracle_admission(struct sim_world *w)
{
    uint64_t greatest_ms = 0;
    struct gvs_entry e;

    for (size_t i = 0; i < w->plan.nodes; i++) {
        const struct gvs_table *t = sim_oracle_table(w, i, false);

        for (bool more = gvs_table_seek(t, NULL, 0, false, &e); more;
             more = gvs_table_seek(t, e.key, e.key_len, true, &e))
            greatest_ms = gvs_hlc_ms(e.order) > greatest_ms ? gvs_hlc_ms(e.order) : greatest_ms;
    }
    return greatest_ms > SIM_EPOCH_MS + w->leap_ms
               ? (greatest_ms - SIM_EPOCH_MS - w->leap_ms) * 1000
               : 0;
}

/* The next entry after `e` that counts: tombstones past their time are kept or not, as each likes.
 */
static bool
next_entry(const struct sim_world *w, const struct gvs_table *t, struct gvs_entry *e)
{
    bool more = gvs_table_seek(t, e->key, e->key_len, e->key_len > 0, e);

    while (more && e->tombstone && sim_oracle_forgettable(w, e))
        more = gvs_table_seek(t, e->key, e->key_len, true, e);
    return more;
}

static void
compare_tables(struct sim_world *w, size_t a, size_t b, bool members)
{
    const struct gvs_table *ta = sim_oracle_table(w, a, members),
                           *tb = sim_oracle_table(w, b, members);
    struct gvs_entry ea = {0}, eb = {0};
    bool ma = next_entry(w, ta, &ea), mb = next_entry(w, tb, &eb);

    for (; ma && mb; ma = next_entry(w, ta, &ea), mb = next_entry(w, tb, &eb)) {
        if (ea.len != eb.len || memcmp(ea.b, eb.b, ea.len) != 0)
            sim_fail(w, b, "I14", "holds order %016lx where n%zu holds %016lx (%s)",
                     (unsigned long)eb.order, a, (unsigned long)ea.order,
                     members ? "members" : "claims");
    }
    if (ma != mb)
        sim_fail(w, b, "I14", "holds %zu %s, n%zu %zu", gvs_table_count(tb),
                 members ? "members" : "claims", a, gvs_table_count(ta));
}

static void
check_members(struct sim_world *w, size_t i)
{
    struct gvs_node_member *list;
    size_t count, max = w->plan.limits.members;

    list = sim_need(calloc(max, sizeof *list));
    count = gvs_node_list(w->host[i].node, list, max);
    for (size_t k = 0; k < w->count; k++) {
        bool seen = false;

        for (size_t m = 0; m < count; m++)
            seen |= list[m].state == GVS_ALIVE && gvs_id_cmp(&list[m].id, &w->host[k].id) == 0;
        if (seen != (w->host[k].node != NULL))
            sim_fail(w, i, "I14", "sees n%zu %s", k, seen ? "alive" : "not alive");
    }
    free(list);
}

/* Two deletions of one key, neither of which counts any more: who slept through the later one is
 * told of it by nobody, and needs not be. */
static bool
both_past(const struct sim_world *w, const struct gvs_entry *a, const struct gvs_entry *b)
{
    return a->tombstone && b->tombstone && sim_oracle_forgettable(w, a) &&
           sim_oracle_forgettable(w, b);
}

static void
check_promise(struct sim_world *w, size_t i)
{
    struct gvs_entry e, held;
    struct sim_map *promise = &w->oracle->promise;

    for (size_t k = 0; k < promise->count; k++) {
        sim_map_entry(promise, k, &e);
        if (sim_oracle_at_mercy(w, &e))
            continue;
        if (!gvs_table_get(sim_oracle_table(w, i, false), e.key, e.key_len, &held)) {
            if ((!e.tombstone || !sim_oracle_forgettable(w, &e)) &&
                !sim_oracle_has_above(&w->oracle->graves, &e))
                sim_fail(w, i, "I16", "lacks a key, order %016lx, that was held when faults ended",
                         (unsigned long)e.order);
        } else if (gvs_entry_cmp(&held, &e) < 0 && !both_past(w, &held, &e)) {
            sim_fail(w, i, e.tombstone && !held.tombstone ? "I17" : "I16",
                     "holds order %016lx where %016lx%s was held when faults ended",
                     (unsigned long)held.order, (unsigned long)e.order,
                     e.tombstone ? ", a deletion," : "");
        }
    }
}

/* What was forgotten after all had heard of it stays deleted. */
static void
check_graves(struct sim_world *w, size_t i)
{
    struct sim_map *graves = &w->oracle->graves;
    struct gvs_entry e, held;

    for (size_t k = 0; k < graves->count; k++) {
        sim_map_entry(graves, k, &e);
        if (gvs_table_get(sim_oracle_table(w, i, false), e.key, e.key_len, &held) &&
            gvs_entry_cmp(&held, &e) < 0 && !sim_oracle_was_forged(w, &held))
            sim_fail(w, i, "I17", "holds order %016lx, whose deletion %016lx was forgotten",
                     (unsigned long)held.order, (unsigned long)e.order);
    }
}

void
sim_oracle_rest(struct sim_world *w)
{
    size_t first = SIZE_MAX;

    for (size_t i = 0; i < w->count; i++) {
        if (!w->host[i].node)
            continue;
        if (first == SIZE_MAX)
            first = i;
        compare_tables(w, first, i, false);
        if (!crowded(w))
            compare_tables(w, first, i, true);
        check_members(w, i);
        check_promise(w, i);
        check_graves(w, i);
        if (w->plan.durable)
            sim_oracle_compare(w, i);
        if (w->host[i].kernel)
            sim_kernel_check(w, i);
    }
}
