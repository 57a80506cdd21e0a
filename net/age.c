#include "net/age.h"

#include <stdlib.h>
#include <string.h>

#include "core/err.h"

#define LOOK_MS 60000          /* between two looks at the rules */
#define LEND_BYTES_A_SECOND 10 /* of a vector of many writers */

int
gvs_age_open(struct gvs_age *a, struct gvs_table *claims, struct gvs_members *members,
             struct gvs_hlc *clock, size_t max)
{
    *a = (struct gvs_age){.claims = claims, .members = members, .clock = clock, .max = max};
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

int
gvs_age_load(struct gvs_age *a, const uint8_t *b, size_t len)
{
    int rc = gvs_vector_read(a->vector, b, len);

    a->lends |= rc > 0;
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

void
gvs_age_tick(struct gvs_age *a, struct gvs_wall wall)
{
    uint64_t hour = wall.ms / GVS_AGE_HOUR_MS;

    if (wall.ms <= GVS_HLC_MS_MAX && hour > GVS_AGE_HOURS && hour - GVS_AGE_HOURS > a->hour)
        set_hour(a, hour - GVS_AGE_HOURS);
}

void
gvs_age_named(struct gvs_age *a, unsigned hour)
{
    if (a->hour > 0 && hour == ((a->hour + 1) & ((1u << GVS_AGE_HOUR_BITS) - 1)))
        set_hour(a, a->hour + 1);
}

unsigned
gvs_age_name(const struct gvs_age *a)
{
    return (unsigned)(a->hour & ((1u << GVS_AGE_HOUR_BITS) - 1));
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

/* Was every member that is not retired, but for ourselves, equal to us since then? */
static bool
all_equal_since(const struct gvs_age *a, struct gvs_mono since, bool living)
{
    for (size_t i = 0; i < gvs_members_count(a->members); i++) {
        const struct gvs_member *m = gvs_members_place(a->members, i);

        if (m->self || !m->known || is_retired(m) || (living && m->state == GVS_DEAD))
            continue;
        if (!m->was_equal || m->equal_at.us < since.us)
            return false;
    }
    return true;
}

bool
gvs_age_all_equal(const struct gvs_age *a, bool living)
{
    return all_equal_since(a, a->began, living);
}

static void
raise_retired(struct gvs_age *a)
{
    for (size_t i = 0; i < gvs_members_count(a->members); i++) {
        const struct gvs_member *m = gvs_members_place(a->members, i);

        if (is_retired(m) && !gvs_vector_covers(a->vector, &m->id, GVS_VECTOR_END) &&
            all_equal_since(a, m->noted, false))
            raise(a, &m->id, GVS_VECTOR_END); /* I3 */
    }
}

/* A stamp is spent for our own component, so that all that we write later is above it. */
static void
apply_rules(struct gvs_age *a, struct gvs_wall wall)
{
    const struct gvs_member *self = gvs_members_self(a->members);

    if (!is_retired(self) && all_equal_since(a, a->began, false))
        raise(a, &self->id, gvs_hlc_issue(a->clock, wall, 0)); /* I2 */
    raise_retired(a);
}

void
gvs_age_equal(struct gvs_age *a, struct gvs_mono now, struct gvs_wall wall, struct gvs_member *m)
{
    m->was_equal = true;
    m->equal_at = now;
    a->lends = true; /* I4 */
    if (!gvs_mono_due(a->next, now))
        return;
    a->next = gvs_mono_add_ms(now, LOOK_MS);
    apply_rules(a, wall);
}

bool
gvs_age_lends(struct gvs_age *a, struct gvs_mono now)
{
    uint64_t ms = gvs_vector_count(a->vector) * GVS_VECTOR_WRITER_LEN * 1000 / LEND_BYTES_A_SECOND;

    if (!a->lends || gvs_vector_count(a->vector) == 0 || !gvs_mono_due(a->lend_next, now))
        return false;
    a->lend_next = gvs_mono_add_ms(now, ms > GVS_AGE_LEND_MS ? ms : GVS_AGE_LEND_MS);
    return true;
}

int
gvs_age_take(struct gvs_age *a, const uint8_t *b, size_t len)
{
    int rc = gvs_vector_read(a->vector, b, len);

    a->changes += rc > 0;
    return rc;
}

/* --- what was deleted --- */

bool
gvs_age_refuses(const struct gvs_age *a, const struct gvs_entry *e)
{
    struct gvs_entry held;

    return !gvs_table_get(a->claims, e->key, e->key_len, &held) && gvs_vector_refuses(a->vector, e);
}

bool
gvs_age_yields(const struct gvs_age *a, const struct gvs_entry *e)
{
    return e->kind != GVS_KEY_MEMBER && gvs_hlc_ms(e->order) < a->hour * GVS_AGE_HOUR_MS;
}

static size_t
known_members(const struct gvs_age *a)
{
    size_t count = 0;

    for (size_t i = 0; i < gvs_members_count(a->members); i++) {
        const struct gvs_member *m = gvs_members_place(a->members, i);

        if (m->known)
            a->ids[count++] = m->id;
    }
    return count;
}

bool
gvs_age_collect(struct gvs_age *a, size_t look, struct gvs_keybuf *key, bool *more)
{
    uint64_t cut_ms = a->hour * GVS_AGE_HOUR_MS;
    size_t count = a->collecting ? known_members(a) : 0;
    struct gvs_entry e;

    for (; a->collecting && look > 0; look--) {
        if (!gvs_table_seek(a->claims, a->at.b, a->at.len, a->at.len > 0, &e)) {
            a->collecting = false;
            break;
        }
        a->at.len = e.key_len;
        memcpy(a->at.b, e.key, e.key_len);
        if (!gvs_vector_forgettable(a->vector, &e, cut_ms, a->ids, count))
            continue;
        *key = a->at;
        gvs_table_remove(a->claims, key->b, key->len);
        *more = true;
        return true;
    }
    *more = a->collecting;
    return false;
}
