/* What a node's version vector covers (net/age.h), against what others hold.
 *
 *     I20  what it covers the node holds, or something greater; only what is deleted and old may it
 *          lack
 *
 * A node that covers what it never had will refuse it one day as deleted and forgotten, and those
 * that have it then drop it. That day is a week away: so it is the vector that is looked at.
 *
 * Left out is what was written below what others had taken in: by a node that is alone, behind the
 * time, and without the floor that its disk had (net/age.h: it is lost if that time is a week); and
 * under a name that two machines bear, each of which stamps above all that it has seen, and not
 * above what the other writes. What an intruder forged is anything, and what is old enough for its
 * REFUSED is at its mercy. And what had been lost everywhere until an old copy of a disk brought it
 * back: meanwhile all had agreed without it. */
#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "core/vector.h"
#include "tools/sim/world.h"

static uint64_t
component(const struct sim_cover *v, const struct gvs_id *writer)
{
    size_t lo = 0, hi = v->len / GVS_VECTOR_WRITER_LEN;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const uint8_t *at = v->b + mid * GVS_VECTOR_WRITER_LEN;
        int cmp = memcmp(writer->b, at, GVS_ID_LEN);

        if (cmp == 0)
            return gvs_get64(at + GVS_ID_LEN);
        if (cmp < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return 0;
}

/* Of all that host `other` holds. What is deleted and old may be forgotten, or not known at all. */
static void
compare_with_vector(struct sim_world *w, size_t i, size_t other)
{
    const struct sim_cover *v = &w->host[i].cover;
    const struct sim_map *own = &w->host[i].disk.now, *map = &w->host[other].disk.now;
    struct gvs_entry e, held;

    for (size_t k = 0; k < map->count; k++) {
        sim_map_entry(map, k, &e);
        if (e.kind == GVS_KEY_MEMBER || component(v, &e.writer) < e.order ||
            sim_is_cloned(w, &e.writer) || sim_oracle_was_forged(w, &e) ||
            sim_oracle_was_late(w, &e) || sim_oracle_may_lack(w, &e) || sim_oracle_at_mercy(w, &e))
            continue;
        if (!sim_map_get(own, e.key, e.key_len, &held) || gvs_entry_cmp(&held, &e) < 0)
            sim_fail(w, i, "I20",
                     "its vector covers %016lx of its writer, and it lacks %016lx, which n%zu has",
                     (unsigned long)component(v, &e.writer), (unsigned long)e.order, other);
    }
}

/* It changes once a minute or so. */
void
sim_cover_check(struct sim_world *w, size_t i)
{
    struct sim_cover *v = &w->host[i].cover;
    const struct gvs_node *n = w->host[i].node;
    uint8_t chunk[GVS_VECTOR_CHUNK_MAX];
    size_t len;

    if (v->changes == gvs_node_vector_changes(n) || (w->plan.false_vectors && sim_intruder_was(w)))
        return;
    v->changes = gvs_node_vector_changes(n);
    v->len = 0;
    while ((len = gvs_node_vector(n, v->len / GVS_VECTOR_WRITER_LEN, chunk, sizeof chunk)) > 0) {
        v->b = sim_need(realloc(v->b, v->len + len));
        memcpy(v->b + v->len, chunk, len);
        v->len += len;
    }
    for (size_t k = 0; k < w->count; k++) {
        if (k != i)
            compare_with_vector(w, i, k);
    }
}
