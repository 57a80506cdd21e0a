#include "tools/agent/hide.h"

#include <stdlib.h>
#include <string.h>

bool
gvs_hide_open(struct gvs_hide *h, size_t members_max)
{
    *h = (struct gvs_hide){.max = members_max};
    h->owners = calloc(members_max, sizeof *h->owners);
    h->before = calloc(members_max, sizeof *h->before);
    h->changed = calloc(members_max, sizeof *h->changed);
    h->known_dead = calloc(members_max, sizeof *h->known_dead);
    return h->owners && h->before && h->changed && h->known_dead;
}

void
gvs_hide_close(struct gvs_hide *h)
{
    free(h->owners);
    free(h->before);
    free(h->changed);
    free(h->known_dead);
    *h = (struct gvs_hide){.max = 0};
}

/* --- stages --- */

static int
by_id(const void *a, const void *b)
{
    return gvs_id_cmp(a, b);
}

static bool
is_known_dead(const struct gvs_hide *h, const struct gvs_id *id)
{
    return bsearch(id, h->known_dead, h->known_dead_count, sizeof *id, by_id) != NULL;
}

/* Dead since before this process, and not heard since. */
static bool
is_old_news(const struct gvs_hide *h, const struct gvs_node_member *m)
{
    return m->state == GVS_DEAD && !m->heard && is_known_dead(h, &m->id);
}

/* Whoever was heard, or alive in the table, is one like any other from then on. */
static void
strike_news(struct gvs_hide *h, const struct gvs_node_member *m, size_t count)
{
    size_t kept = 0, k = 0;

    for (size_t i = 0; i < count && k < h->known_dead_count; i++) {
        if (gvs_id_cmp(&h->known_dead[k], &m[i].id) != 0)
            continue;
        if (is_old_news(h, &m[i]))
            h->known_dead[kept++] = h->known_dead[k];
        k++;
    }
    GVS_ASSERT(k == h->known_dead_count); /* members stay */
    h->known_dead_count = kept;
}

static void
add_owner(struct gvs_hide *h, const struct gvs_id *id, enum gvs_owner_stage stage)
{
    GVS_ASSERT(h->count < h->max);
    GVS_ASSERT(h->count == 0 || gvs_id_cmp(&h->owners[h->count - 1].id, id) < 0); /* I1 */
    h->owners[h->count++] = (struct gvs_view_owner){*id, stage};
}

/* Over half of those who were here until now went within the time? */
static void
judge_mass(struct gvs_hide *h, const struct gvs_node_member *m, size_t count, struct gvs_mono now)
{
    size_t here = 0, went = 0, doubtful = 0;

    for (size_t i = 0; i < count; i++) {
        if (m[i].state == GVS_LEFT || is_old_news(h, &m[i]))
            continue;
        here += m[i].self || !m[i].gone;
        doubtful += !m[i].self && !m[i].gone && m[i].state != GVS_ALIVE;
        went += m[i].gone && !gvs_mono_due(gvs_mono_add_ms(m[i].gone_since, GVS_HIDE_MASS_MS), now);
    }
    h->unsure = 2 * (went + doubtful) > here + went;
    if (h->holding && gvs_mono_due(h->hold_until, now))
        h->holding = false;
    if (h->holding || 2 * went <= here + went)
        return;
    h->holding = true;
    h->hold_from.us = now.us > GVS_HIDE_MASS_MS * 1000 ? now.us - GVS_HIDE_MASS_MS * 1000 : 0;
    h->hold_until = gvs_mono_add_ms(now, GVS_HIDE_HOLD_MS);
}

/* When the hiding of a member begins that went at `since`. */
static struct gvs_mono
hidden_from(const struct gvs_hide *h, struct gvs_mono since)
{
    bool held = h->hold_from.us <= since.us && since.us < h->hold_until.us;

    return held ? h->hold_until : since;
}

static bool
was_hidden(const struct gvs_hide *h, size_t before_count, const struct gvs_id *id)
{
    for (size_t i = 0; i < before_count; i++)
        if (gvs_id_cmp(&h->before[i].id, id) == 0)
            return true;
    return false;
}

/* Until when nothing is removed on the disk's word that he is dead. If it has that of over half,
 * they all wait as others would. */
static struct gvs_mono
proven_from(const struct gvs_hide *h, const struct gvs_node_member *m, size_t here)
{
    uint64_t ms = GVS_HIDE_SILENT_MS;

    if (!m->gone)
        return GVS_MONO_NEVER; /* our own probe fails or succeeds, and that is an event */
    if (2 * h->known_dead_count > here)
        ms += GVS_HIDE_HOLD_MS;
    return gvs_mono_add_ms(m->gone_since, ms);
}

static struct gvs_mono
judge_old_news(struct gvs_hide *h, const struct gvs_node_member *m, size_t here,
               struct gvs_mono now)
{
    struct gvs_mono from = proven_from(h, m, here);

    add_owner(h, &m->id, GVS_OWNER_SILENT);
    if (gvs_mono_due(from, now))
        return GVS_MONO_NEVER;
    h->unproven = true;
    return from;
}

static struct gvs_mono
judge_gone(struct gvs_hide *h, size_t before_count, const struct gvs_node_member *m,
           struct gvs_mono now)
{
    struct gvs_mono from = hidden_from(h, m->gone_since);
    struct gvs_mono silent = gvs_mono_add_ms(from, GVS_HIDE_SILENT_MS);

    if (!gvs_mono_due(from, now))
        return from;
    if (h->unsure && !was_hidden(h, before_count, &m->id))
        return GVS_MONO_NEVER; /* those in doubt are found alive or dead, and that is an event */
    add_owner(h, &m->id, gvs_mono_due(silent, now) ? GVS_OWNER_SILENT : GVS_OWNER_GONE);
    return gvs_mono_due(silent, now) ? GVS_MONO_NEVER : silent;
}

/* --- what changed --- */

static void
note_changed(struct gvs_hide *h, const struct gvs_id *id)
{
    for (size_t i = 0; i < h->changed_count; i++)
        if (gvs_id_cmp(&h->changed[i], id) == 0)
            return;
    GVS_ASSERT(h->changed_count < h->max);
    h->changed[h->changed_count++] = *id;
}

/* Both ascend: a merge tells who is in one only, or in both with different stages. */
static void
compare(struct gvs_hide *h, size_t before_count)
{
    const struct gvs_view_owner *was = h->before, *was_end = was + before_count;
    const struct gvs_view_owner *is = h->owners, *is_end = is + h->count;

    while (was < was_end || is < is_end) {
        int cmp = was == was_end ? 1 : is == is_end ? -1 : gvs_id_cmp(&was->id, &is->id);

        if (cmp != 0 || was->stage != is->stage)
            note_changed(h, cmp <= 0 ? &was->id : &is->id);
        was += cmp <= 0;
        is += cmp >= 0;
    }
}

/* --- calls --- */

void
gvs_hide_begin(struct gvs_hide *h, const struct gvs_node_member *m, size_t count)
{
    GVS_ASSERT(count <= h->max);
    for (size_t i = 0; i < count; i++)
        if (!m[i].self && m[i].state == GVS_DEAD)
            h->known_dead[h->known_dead_count++] = m[i].id;
    gvs_hide_update(h, m, count, (struct gvs_mono){0});
    h->changed_count = 0;
}

struct gvs_mono
gvs_hide_update(struct gvs_hide *h, const struct gvs_node_member *m, size_t count,
                struct gvs_mono now)
{
    struct gvs_mono next = GVS_MONO_NEVER;
    size_t before_count = h->count, here = 0;

    GVS_ASSERT(count <= h->max);
    memcpy(h->before, h->owners, before_count * sizeof *h->before);
    h->count = 0;
    h->unproven = false;
    strike_news(h, m, count);
    judge_mass(h, m, count, now);
    for (size_t i = 0; i < count; i++)
        here += m[i].state != GVS_LEFT;
    for (size_t i = 0; i < count; i++) {
        if (m[i].self)
            continue; /* retired or not: our own kernel keeps what we claim */
        if (m[i].state == GVS_LEFT)
            add_owner(h, &m[i].id, GVS_OWNER_RETIRED);
        else if (is_old_news(h, &m[i]))
            next = gvs_mono_min(next, judge_old_news(h, &m[i], here, now));
        else if (m[i].gone) /* what the node says of one that comes and goes, too */
            next = gvs_mono_min(next, judge_gone(h, before_count, &m[i], now));
    }
    compare(h, before_count);
    return next;
}
