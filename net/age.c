#include "net/age.h"

#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "core/err.h"

#define LEND_BYTES_A_SECOND 10 /* of a vector of many writers */
#define LEND_CHUNKS 8          /* at once */
#define NEIGHBOURS_MIN 16      /* in a large cluster, whose word counts for all */
#define HOUR_MASK ((1u << GVS_AGE_HOUR_BITS) - 1)

int
gvs_age_open(struct gvs_age *a, struct gvs_table *claims, struct gvs_members *members,
             struct gvs_hlc *clock, size_t max)
{
    *a = (struct gvs_age){.claims = claims, .members = members, .clock = clock};
    a->memory = calloc(1, gvs_vector_footprint(max));
    a->ids = calloc(max, sizeof *a->ids);
    if (!a->memory || !a->ids)
        return GVS_E_SYS;
    a->vector = gvs_vector_init(a->memory, max);
    return GVS_OK;
}

void
gvs_age_close(struct gvs_age *a)
{
    free(a->memory);
    free(a->ids);
}

/* Our own component among them: what we write from now on is above all that was taken in of us. And
 * the others', or the last tombstone of a cluster that then falls silent would wait for whoever
 * came after it had ceased to count, and never saw it. */
static void
witness_all(struct gvs_age *a)
{
    for (size_t i = 0; i < gvs_vector_count(a->vector); i++) {
        uint64_t hlc = gvs_vector_nth(a->vector, i)->hlc;

        if (hlc < GVS_VECTOR_END)
            gvs_hlc_witness(a->clock, hlc);
    }
}

int
gvs_age_load(struct gvs_age *a, const uint8_t *b, size_t len)
{
    int rc = gvs_vector_read(a->vector, b, len);

    a->lends |= rc > 0;
    witness_all(a);
    return rc < 0 ? rc : GVS_OK;
}

void
gvs_age_start(struct gvs_age *a, struct gvs_mono now)
{
    a->began = now;
    a->lend_next = now;
}

/* --- the cut --- */

static void
set_hour(struct gvs_age *a, uint64_t hour)
{
    a->hour = hour;
    gvs_table_set_cut(a->claims, gvs_hlc_make(hour * GVS_AGE_HOUR_MS, 0));
    a->collecting = true;
    a->at.len = 0;
}

/* I5 */
static void
look_at_clock(struct gvs_age *a, struct gvs_wall wall)
{
    uint64_t hour = (wall.ms < GVS_HLC_MS_MAX ? wall.ms : GVS_HLC_MS_MAX) / GVS_AGE_HOUR_MS;

    a->own_hour = hour > GVS_AGE_HOURS ? hour - GVS_AGE_HOURS : 0;
    if (a->hour < a->own_hour || a->hour > a->own_hour + GVS_AGE_HOURS_AHEAD)
        set_hour(a, a->own_hour);
}

void
gvs_age_named(struct gvs_age *a, unsigned hour)
{
    uint64_t ahead = (hour - gvs_age_name(a)) & HOUR_MASK;

    if (ahead > 0 && a->hour + ahead <= a->own_hour + GVS_AGE_HOURS_AHEAD)
        set_hour(a, a->hour + ahead);
}

unsigned
gvs_age_name(const struct gvs_age *a)
{
    return (unsigned)a->hour & HOUR_MASK;
}

/* --- the vector --- */

static void
raise(struct gvs_age *a, const struct gvs_id *writer, uint64_t hlc)
{
    if (gvs_vector_raise(a->vector, writer, hlc) > 0)
        a->changes++;
}

static bool
is_retired(const struct gvs_member *m)
{
    return m->known && m->state == GVS_LEFT;
}

/* Was every member that is not retired, but for ourselves, equal to us since then? Of none at all
 * that is true for the newborn only. */
static bool
all_equal_since(const struct gvs_age *a, struct gvs_mono since)
{
    bool any = a->newborn;

    for (size_t i = 0; i < gvs_members_count(a->members); i++) {
        const struct gvs_member *m = gvs_members_place(a->members, i);

        if (m->self || !m->known || is_retired(m))
            continue;
        if (!m->was_equal || m->equal_at.us < since.us)
            return false;
        any = true;
    }
    return any;
}

bool
gvs_age_all_equal(const struct gvs_age *a)
{
    return all_equal_since(a, a->began);
}

bool
gvs_age_living_agree(const struct gvs_age *a)
{
    bool meshed = gvs_members_meshed(a->members);
    size_t others = 0;

    for (size_t i = 0; i < gvs_members_count(a->members); i++) {
        const struct gvs_member *m = gvs_members_place(a->members, i);

        if (m->self || !m->known || m->state > GVS_SUSPECT || !(meshed || m->up))
            continue;
        if (!m->agreed || m->agreed_at.us < a->began.us)
            return false;
        others++;
    }
    return meshed || others >= NEIGHBOURS_MIN;
}

static void
raise_retired(struct gvs_age *a)
{
    for (size_t i = 0; i < gvs_members_count(a->members); i++) {
        const struct gvs_member *m = gvs_members_place(a->members, i);

        if (is_retired(m) && !gvs_vector_covers(a->vector, &m->id, GVS_VECTOR_END) &&
            all_equal_since(a, m->noted))
            raise(a, &m->id, GVS_VECTOR_END); /* I3 */
    }
}

/* Whoever started with nothing, under a name that it had before, knows not even whom to ask. */
static void
raise_own(struct gvs_age *a, struct gvs_wall wall)
{
    const struct gvs_member *self = gvs_members_self(a->members);
    uint64_t now = gvs_hlc_make(wall.ms < GVS_HLC_MS_MAX ? wall.ms : GVS_HLC_MS_MAX, 0);
    uint64_t hlc = a->clock->last < now ? a->clock->last : now;

    if (a->waits || is_retired(self) || hlc == 0)
        return;
    if (all_equal_since(a, a->began))
        raise(a, &self->id, hlc); /* I2 */
}

void
gvs_age_tick(struct gvs_age *a, struct gvs_mono now, struct gvs_wall wall)
{
    if (!gvs_mono_due(a->next, now))
        return;
    a->next = gvs_mono_add_ms(now, GVS_AGE_LOOK_MS);
    look_at_clock(a, wall);
    raise_own(a, wall);
    raise_retired(a);
}

void
gvs_age_equal(struct gvs_age *a, struct gvs_mono now, struct gvs_member *m)
{
    m->was_equal = true;
    m->equal_at = now;
    a->lends = true; /* I4 */
    gvs_age_agreed(now, m);
}

void
gvs_age_agreed(struct gvs_mono now, struct gvs_member *m)
{
    m->agreed = true;
    m->agreed_at = now;
}

/* All take turns: else whoever answers at the wrong second would never get any. */
bool
gvs_age_lends(struct gvs_age *a, struct gvs_mono now, struct gvs_member *m, size_t *from,
              size_t *to)
{
    size_t count = gvs_vector_count(a->vector), alive = gvs_members_counted(a->members, GVS_ALIVE);
    uint64_t ms;

    if (!a->lends || count == 0 || !gvs_mono_due(a->lend_next, now) ||
        !gvs_mono_due(m->lend_next, now))
        return false;
    *from = m->lend_from < count ? m->lend_from : 0;
    *to = *from + LEND_CHUNKS * (size_t)GVS_VECTOR_WRITERS_MAX;
    *to = *to < count ? *to : count;
    m->lend_from = *to;
    ms = (*to - *from) * GVS_VECTOR_WRITER_LEN * 1000 / LEND_BYTES_A_SECOND;
    ms = ms > GVS_AGE_LOOK_MS ? ms : GVS_AGE_LOOK_MS;
    a->lend_next = gvs_mono_add_ms(now, ms);
    m->lend_next = gvs_mono_add_ms(now, ms * (alive > 2 ? alive - 1 : 1));
    return true;
}

/* The end of time is for the retired, and for members alone is there room. */
static bool
is_sane(const struct gvs_age *a, uint64_t latest, const uint8_t *component)
{
    uint64_t hlc = gvs_get64(component + GVS_ID_LEN);
    const struct gvs_member *m;
    struct gvs_id id;

    memcpy(id.b, component, GVS_ID_LEN);
    m = gvs_member_get(a->members, &id);
    if (!m || !m->known)
        return false;
    return hlc <= latest || (hlc == GVS_VECTOR_END && is_retired(m));
}

int
gvs_age_take(struct gvs_age *a, uint64_t latest, const uint8_t *b, size_t len)
{
    int rc;

    for (size_t at = 0; len - at >= GVS_VECTOR_WRITER_LEN; at += GVS_VECTOR_WRITER_LEN) {
        if (!is_sane(a, latest, b + at))
            return GVS_E_RANGE;
    }
    rc = gvs_vector_read(a->vector, b, len);
    if (rc > 0) {
        a->changes++;
        witness_all(a);
    }
    return rc;
}

/* --- what was deleted --- */

static bool
is_before_cut(const struct gvs_age *a, const struct gvs_entry *e)
{
    return gvs_hlc_ms(e->order) < a->hour * GVS_AGE_HOUR_MS;
}

bool
gvs_age_refuses(const struct gvs_age *a, const struct gvs_entry *e)
{
    struct gvs_entry held;

    return is_before_cut(a, e) && gvs_vector_refuses(a->vector, e) &&
           !gvs_table_get(a->claims, e->key, e->key_len, &held);
}

bool
gvs_age_outdates(const struct gvs_age *a, const struct gvs_entry *e, struct gvs_entry *held)
{
    return !e->tombstone && is_before_cut(a, e) &&
           gvs_table_get(a->claims, e->key, e->key_len, held) && held->tombstone &&
           is_before_cut(a, held) && gvs_entry_cmp(e, held) < 0;
}

bool
gvs_age_yields(const struct gvs_age *a, const struct gvs_entry *e)
{
    return e->kind != GVS_KEY_MEMBER && is_before_cut(a, e);
}

/* Up to which stamp the vector covers every member ever known. */
static uint64_t
covered(const struct gvs_age *a)
{
    size_t count = 0;

    for (size_t i = 0; i < gvs_members_count(a->members); i++) {
        const struct gvs_member *m = gvs_members_place(a->members, i);

        if (m->known)
            a->ids[count++] = m->id;
    }
    return gvs_vector_least(a->vector, a->ids, count);
}

/* A deleted service buries the cluster's backends that are no younger than its tombstone, too
 * (core/view.h): while one of these is held, that tombstone is needed. */
static bool
buries(const struct gvs_age *a, const struct gvs_entry *e)
{
    struct gvs_key service, key;
    struct gvs_entry held = *e;
    int rc = gvs_key_parse(&service, e->key, e->key_len);

    GVS_ASSERT(rc == GVS_OK);
    if (service.kind != GVS_KEY_SERVICE || !gvs_id_is_cluster(&service.owner))
        return false;
    while (gvs_table_seek(a->claims, held.key, held.key_len, true, &held)) {
        rc = gvs_key_parse(&key, held.key, held.key_len);
        GVS_ASSERT(rc == GVS_OK);
        if (gvs_svcid_cmp(&key.svc, &service.svc) != 0)
            return false;
        if (key.kind == GVS_KEY_BACKEND && gvs_id_is_cluster(&key.owner) && !held.tombstone &&
            held.order <= e->order)
            return true;
    }
    return false;
}

size_t
gvs_age_collect(struct gvs_age *a, size_t look, struct gvs_keybuf *out, size_t max, bool *more)
{
    uint64_t cut_ms = a->hour * GVS_AGE_HOUR_MS, least = a->collecting ? covered(a) : 0;
    struct gvs_entry e;
    size_t n = 0;

    for (; a->collecting && look > 0 && n < max; look--) {
        if (!gvs_table_seek(a->claims, a->at.b, a->at.len, a->at.len > 0, &e)) {
            a->collecting = false;
            break;
        }
        a->at.len = e.key_len;
        memcpy(a->at.b, e.key, e.key_len);
        if (!gvs_vector_forgettable(&e, cut_ms, least) || buries(a, &e))
            continue;
        out[n++] = a->at;
        gvs_table_remove(a->claims, a->at.b, a->at.len);
    }
    *more = a->collecting;
    return n;
}
