/* core/vector.c: a sorted array. Writers come seldom, their stamps move all the time. */
#include "core/vector.h"
#include "core/bytes.h"

#include <string.h>

_Static_assert(GVS_VECTOR_CHUNK_MAX <= 1200, "a chunk fits in a datagram's body");

struct gvs_vector {
    size_t count, capacity;
    struct gvs_stamp at[];
};

size_t
gvs_vector_footprint(size_t writers)
{
    GVS_ASSERT(writers > 0);
    return sizeof(struct gvs_vector) + writers * sizeof(struct gvs_stamp);
}

struct gvs_vector *
gvs_vector_init(void *mem, size_t writers)
{
    struct gvs_vector *v = mem;

    GVS_ASSERT(mem && writers > 0);
    v->count = 0;
    v->capacity = writers;
    return v;
}

/* The first place whose writer is not below this one. */
static size_t
lower_bound(const struct gvs_vector *v, const struct gvs_id *writer)
{
    size_t first = 0, last = v->count;

    while (first < last) {
        size_t middle = first + (last - first) / 2;

        if (gvs_id_cmp(&v->at[middle].writer, writer) < 0)
            first = middle + 1;
        else
            last = middle;
    }
    return first;
}

static bool
is_at(const struct gvs_vector *v, size_t at, const struct gvs_id *writer)
{
    return at < v->count && gvs_id_cmp(&v->at[at].writer, writer) == 0;
}

uint64_t
gvs_vector_get(const struct gvs_vector *v, const struct gvs_id *writer)
{
    size_t at = lower_bound(v, writer);

    return is_at(v, at, writer) ? v->at[at].hlc : 0;
}

int
gvs_vector_raise(struct gvs_vector *v, const struct gvs_id *writer, uint64_t hlc)
{
    size_t at = lower_bound(v, writer);

    GVS_ASSERT(!gvs_id_is_cluster(writer)); /* I1 */
    GVS_ASSERT(gvs_hlc_valid(hlc));         /* I2 */
    if (is_at(v, at, writer)) {
        if (hlc <= v->at[at].hlc)
            return 0;
        v->at[at].hlc = hlc;
        return 1;
    }
    if (v->count == v->capacity)
        return GVS_E_FULL;
    memmove(v->at + at + 1, v->at + at, (v->count - at) * sizeof *v->at);
    v->at[at] = (struct gvs_stamp){.hlc = hlc, .writer = *writer};
    v->count++;
    return 1;
}

bool
gvs_vector_covers(const struct gvs_vector *v, const struct gvs_id *writer, uint64_t hlc)
{
    GVS_ASSERT(hlc > 0); /* or a writer without a component would cover it */
    return gvs_vector_get(v, writer) >= hlc;
}

size_t
gvs_vector_count(const struct gvs_vector *v)
{
    return v->count;
}

const struct gvs_stamp *
gvs_vector_nth(const struct gvs_vector *v, size_t i)
{
    GVS_ASSERT(i < v->count);
    return &v->at[i];
}

void
gvs_vector_zero(struct gvs_vector *v)
{
    v->count = 0;
}

/* --- as bytes --- */

static struct gvs_stamp
component_at(const uint8_t *b)
{
    struct gvs_stamp s = {.hlc = gvs_get64(b + GVS_ID_LEN)};

    memcpy(s.writer.b, b, GVS_ID_LEN);
    return s;
}

size_t
gvs_vector_write(const struct gvs_vector *v, size_t from, uint8_t *out, size_t cap)
{
    size_t len = 0;

    GVS_ASSERT(from <= v->count);
    if (cap > GVS_VECTOR_CHUNK_MAX)
        cap = GVS_VECTOR_CHUNK_MAX;
    for (size_t i = from; i < v->count && cap - len >= GVS_VECTOR_WRITER_LEN; i++) {
        memcpy(out + len, v->at[i].writer.b, GVS_ID_LEN);
        gvs_put64(out + len + GVS_ID_LEN, v->at[i].hlc);
        len += GVS_VECTOR_WRITER_LEN;
    }
    return len;
}

/* How many writers of a chunk have no component yet, or GVS_E_MALFORMED. */
static int
count_new(const struct gvs_vector *v, const uint8_t *b, size_t len)
{
    struct gvs_id before = GVS_ID_CLUSTER; /* below every node, so that I1 holds for the first */
    int count = 0;

    if (len > GVS_VECTOR_CHUNK_MAX || len % GVS_VECTOR_WRITER_LEN != 0)
        return GVS_E_MALFORMED;
    for (size_t at = 0; at < len; at += GVS_VECTOR_WRITER_LEN) {
        struct gvs_stamp s = component_at(b + at);

        if (gvs_id_cmp(&before, &s.writer) >= 0 || !gvs_hlc_valid(s.hlc))
            return GVS_E_MALFORMED;
        before = s.writer;
        count += gvs_vector_get(v, &s.writer) == 0;
    }
    return count;
}

int
gvs_vector_read(struct gvs_vector *v, const uint8_t *b, size_t len)
{
    int count = count_new(v, b, len), rose = 0;

    if (count < 0)
        return count;
    if (v->capacity - v->count < (size_t)count)
        return GVS_E_FULL; /* I3 */
    for (size_t at = 0; at < len; at += GVS_VECTOR_WRITER_LEN) {
        struct gvs_stamp s = component_at(b + at);
        int rc = gvs_vector_raise(v, &s.writer, s.hlc);

        GVS_ASSERT(rc >= 0);
        rose += rc;
    }
    return rose;
}

/* --- what it is there for --- */

uint64_t
gvs_vector_least(const struct gvs_vector *v, const struct gvs_id *writers, size_t count)
{
    uint64_t least = count > 0 ? UINT64_MAX : 0;

    for (size_t i = 0; i < count; i++) {
        uint64_t hlc = gvs_vector_get(v, &writers[i]);

        least = hlc < least ? hlc : least;
    }
    return least;
}

bool
gvs_vector_forgettable(const struct gvs_entry *e, uint64_t cut_ms, uint64_t least)
{
    if (!e->tombstone || e->kind == GVS_KEY_MEMBER)
        return false;
    return gvs_hlc_ms(e->order) < cut_ms && e->order <= least;
}

bool
gvs_vector_refuses(const struct gvs_vector *v, const struct gvs_entry *e)
{
    if (e->kind == GVS_KEY_MEMBER)
        return false;
    return gvs_vector_covers(v, &e->writer, e->order);
}
