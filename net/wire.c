/* net/wire.c: messages to bytes and back, both by one table.
 *
 *     body     [ message, message, ... ]
 *     message  [ type, { key: value, key: value, ... } ]      keys ascending
 *
 * Writing goes through msgpack-c into a body's own bytes; reading goes through net/cursor.h, since
 * msgpack-c allocates whatever a foreign length asks for. */
#include "net/wire.h"

#include <assert.h>
#include <msgpack.h>
#include <string.h>

#include "core/bytes.h"
#include "core/err.h"
#include "core/sketch.h"
#include "core/vector.h"

#define FIELDS_MAX 6
#define DEPTH_MESSAGE_MAP \
    2                     /* a message's map may nest one array: four levels with the body's own */
#define PUSH_HEAD_LEN 26  /* [type, {1: u64, 2: array16, 3: u8, 4: u8}] */
#define RANGE_HEAD_LEN 32 /* [type, {1: u8, 2: u64, 3: u64, 4: bin16}]; no other has more */

static_assert(RANGE_HEAD_LEN >= PUSH_HEAD_LEN, "gvs_body_room serves both");
static_assert(GVS_BODY_LEN_MAX / 27 < GVS_PUSH_ENTRIES_MAX, "a body's entries fit a message");

/* OPTIONAL is a number that may be left out and then says 0; it is never written as 0. */
enum form { NUMBER, OPTIONAL, TABLE, ID, SUMS, IDS, CELLS, CHUNK, ENTRIES };

struct field {
    uint8_t key; /* 0: no more fields */
    uint8_t form;
    uint8_t max; /* OPTIONAL; 0: any number */
    uint16_t at; /* in struct gvs_msg */
};

struct layout {
    uint8_t type;
    struct field field[FIELDS_MAX + 1];
};

#define FIELD(key, form, member)                       \
    {                                                  \
        key, form, 0, offsetof(struct gvs_msg, member) \
    }
#define OPTION(key, max, member)                             \
    {                                                        \
        key, OPTIONAL, max, offsetof(struct gvs_msg, member) \
    }
#define SEEN FIELD(1, NUMBER, seq), FIELD(2, NUMBER, claims), FIELD(3, NUMBER, members)

/* clang-format off */
static const struct layout layouts[] = {
    {GVS_MSG_PROBE,     {SEEN, FIELD(4, NUMBER, wall_ms), FIELD(5, NUMBER, status)}},
    {GVS_MSG_ACK,       {SEEN, FIELD(5, NUMBER, status)}},
    {GVS_MSG_PROBE_REQ, {FIELD(1, NUMBER, seq), FIELD(2, ID, id)}},
    {GVS_MSG_PUSH,      {FIELD(1, NUMBER, seq), FIELD(2, ENTRIES, entry),
                         OPTION(3, GVS_ARC_MAX, arc), OPTION(4, 1, repair)}},
    {GVS_MSG_PUSH_ACK,  {FIELD(1, NUMBER, seq), FIELD(2, NUMBER, news), OPTION(3, 0, mask)}},
    {GVS_MSG_SUMS,      {FIELD(1, TABLE, table), FIELD(2, NUMBER, first), FIELD(3, NUMBER, last),
                         FIELD(4, SUMS, bin)}},
    {GVS_MSG_IDS,       {FIELD(1, TABLE, table), FIELD(2, NUMBER, first), FIELD(3, NUMBER, last),
                         FIELD(4, IDS, bin)}},
    {GVS_MSG_WANT,      {FIELD(1, TABLE, table), FIELD(2, IDS, bin)}},
    {GVS_MSG_SKETCH,    {FIELD(1, TABLE, table), FIELD(2, NUMBER, fingerprint),
                         FIELD(3, NUMBER, first), FIELD(4, CELLS, bin)}},
    {GVS_MSG_VOUCH,     {FIELD(1, NUMBER, seq), FIELD(2, ID, id)}},
    {GVS_MSG_VECTOR,    {FIELD(1, NUMBER, claims), FIELD(2, NUMBER, members),
                         FIELD(3, NUMBER, status), FIELD(4, CHUNK, bin)}},
    {GVS_MSG_REFUSED,   {FIELD(1, IDS, bin)}},
    {GVS_MSG_MORE,      {FIELD(1, TABLE, table), FIELD(2, NUMBER, first), FIELD(3, NUMBER, last)}},
};
/* clang-format on */

static const struct layout *
find_layout(uint64_t type)
{
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
        if (layouts[i].type == type)
            return &layouts[i];
    }
    return NULL;
}

static void *
field_of(struct gvs_msg *m, const struct field *f)
{
    return (char *)m + f->at;
}

static const void *
const_field_of(const struct gvs_msg *m, const struct field *f)
{
    return (const char *)m + f->at;
}

/* --- reading --- */

static bool
read_entries(struct gvs_cursor *c, struct gvs_msg *m)
{
    size_t count, len;
    const uint8_t *b;

    if (!gvs_cursor_array(c, &count) || count > GVS_PUSH_ENTRIES_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!gvs_cursor_bin(c, &b, &len) || gvs_entry_parse(&m->entry[i], b, len) != GVS_OK)
            return false;
    }
    m->entry_count = count;
    return true;
}

static bool
read_id(struct gvs_cursor *c, struct gvs_id *id)
{
    const uint8_t *b;
    size_t len;

    if (!gvs_cursor_bin(c, &b, &len) || len != GVS_ID_LEN)
        return false;
    memcpy(id->b, b, GVS_ID_LEN);
    return !gvs_id_is_cluster(id);
}

static bool
ids_ascend(const struct gvs_bytes *ids)
{
    if (ids->len % 8 != 0)
        return false;
    for (size_t i = 8; i < ids->len; i += 8) {
        if (gvs_get64(ids->b + i - 8) >= gvs_get64(ids->b + i))
            return false;
    }
    return true;
}

static bool
read_field(struct gvs_cursor *c, struct gvs_msg *m, const struct field *f)
{
    void *to = field_of(m, f);

    switch ((enum form)f->form) {
    case NUMBER:
        return gvs_cursor_uint(c, to);
    case OPTIONAL:
        return gvs_cursor_uint(c, to) && *(uint64_t *)to >= 1 &&
               (f->max == 0 || *(uint64_t *)to <= f->max);
    case TABLE:
        return gvs_cursor_uint(c, to) && m->table < GVS_TABLE_COUNT;
    case ID:
        return read_id(c, to);
    case SUMS:
        return gvs_cursor_bin(c, &m->bin.b, &m->bin.len) && m->bin.len == GVS_SUMS_LEN;
    case IDS:
        return gvs_cursor_bin(c, &m->bin.b, &m->bin.len) && ids_ascend(&m->bin);
    case CELLS:
        return gvs_cursor_bin(c, &m->bin.b, &m->bin.len) && m->bin.len > 0 &&
               m->bin.len % GVS_SKETCH_CELL_LEN == 0 &&
               m->bin.len <= GVS_SKETCH_PIECE * GVS_SKETCH_CELL_LEN;
    case CHUNK:
        return gvs_cursor_bin(c, &m->bin.b, &m->bin.len) && m->bin.len <= GVS_VECTOR_CHUNK_MAX;
    case ENTRIES:
        return read_entries(c, m);
    }
    return false;
}

/* What two fields must be to each other. */
static bool
consistent(const struct gvs_msg *m)
{
    if (m->type != GVS_MSG_SUMS && m->type != GVS_MSG_IDS && m->type != GVS_MSG_MORE)
        return true;
    if (m->first > m->last)
        return false;
    if (m->type != GVS_MSG_IDS || m->bin.len == 0)
        return true;
    return gvs_get64(m->bin.b) >= m->first && gvs_get64(m->bin.b + m->bin.len - 8) <= m->last;
}

/* The fields that are left out before `key` (0: the end). */
static const struct field *
pass_options(const struct field *f, struct gvs_msg *m, int key)
{
    for (; f->form == OPTIONAL && (key == 0 || f->key < key); f++)
        *(uint64_t *)field_of(m, f) = 0;
    return f;
}

/* The map: keys ascend, those of the row are all there, others are passed over. */
static bool
read_fields(struct gvs_cursor *c, struct gvs_msg *m, const struct layout *layout)
{
    const struct field *f = layout->field;
    size_t count;
    int key = -1;

    if (!gvs_cursor_map(c, &count))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!gvs_cursor_key(c, &key))
            return false;
        f = pass_options(f, m, key);
        if (key == f->key && f->key != 0) {
            if (!read_field(c, m, f++))
                return false;
        } else if (!gvs_cursor_skip(c, DEPTH_MESSAGE_MAP - 1)) {
            return false;
        }
    }
    return pass_options(f, m, 0)->key == 0 && consistent(m);
}

/* *known says whether m was filled: a type that we do not know is only checked. */
static bool
read_message(struct gvs_cursor *c, struct gvs_msg *m, bool *known)
{
    const struct layout *layout;
    size_t count;

    if (!gvs_cursor_array(c, &count) || count != 2 || !gvs_cursor_uint(c, &m->type))
        return false;
    layout = find_layout(m->type);
    *known = layout != NULL;
    if (*known)
        return read_fields(c, m, layout);
    return c->at < c->end && (*c->at & 0xf0) == 0x80 && gvs_cursor_skip(c, DEPTH_MESSAGE_MAP);
}

int
gvs_wire_open(struct gvs_wire_reader *r, const uint8_t *b, size_t len)
{
    struct gvs_cursor c = gvs_cursor_init(b, len);
    struct gvs_msg m;
    bool known;

    *r = (struct gvs_wire_reader){.left = 0};
    if (!gvs_cursor_array(&c, &r->left))
        return GVS_E_MALFORMED;
    r->cursor = c;
    for (size_t i = 0; i < r->left; i++) {
        if (!read_message(&c, &m, &known))
            return GVS_E_MALFORMED;
        r->unknown += !known;
    }
    return gvs_cursor_at_end(&c) ? GVS_OK : GVS_E_MALFORMED;
}

bool
gvs_wire_next(struct gvs_wire_reader *r, struct gvs_msg *m)
{
    bool known = false, read;

    while (r->left > 0 && !known) {
        r->left--;
        read = read_message(&r->cursor, m, &known);
        GVS_ASSERT(read); /* I1 */
    }
    return known;
}

/* --- writing --- */

struct sink {
    uint8_t *b;
    size_t len, cap;
};

static int
put_bytes(void *ctx, const char *b, size_t len)
{
    struct sink *s = ctx;

    if (len > s->cap - s->len)
        return -1;
    memcpy(s->b + s->len, b, len);
    s->len += len;
    return 0;
}

static bool
put_bin(msgpack_packer *p, const uint8_t *b, size_t len)
{
    return msgpack_pack_bin(p, len) == 0 && (len == 0 || msgpack_pack_bin_body(p, b, len) == 0);
}

static bool
put_entries(msgpack_packer *p, const struct gvs_msg *m)
{
    if (msgpack_pack_array(p, m->entry_count) != 0)
        return false;
    for (size_t i = 0; i < m->entry_count; i++) {
        if (!put_bin(p, m->entry[i].b, m->entry[i].len))
            return false;
    }
    return true;
}

static bool
put_number(msgpack_packer *p, const uint64_t *v)
{
    return msgpack_pack_uint64(p, *v) == 0;
}

static bool
put_field(msgpack_packer *p, const struct gvs_msg *m, const struct field *f)
{
    const void *from = const_field_of(m, f);

    if (msgpack_pack_uint8(p, f->key) != 0)
        return false;
    switch ((enum form)f->form) {
    case NUMBER:
    case OPTIONAL:
    case TABLE:
        return put_number(p, from);
    case ID:
        return put_bin(p, m->id.b, GVS_ID_LEN);
    case SUMS:
    case IDS:
    case CELLS:
    case CHUNK:
        return put_bin(p, m->bin.b, m->bin.len);
    case ENTRIES:
        return put_entries(p, m);
    }
    return false;
}

static bool
is_left_out(const struct gvs_msg *m, const struct field *f)
{
    return f->form == OPTIONAL && *(const uint64_t *)const_field_of(m, f) == 0;
}

static bool
put_message(msgpack_packer *p, const struct gvs_msg *m)
{
    const struct layout *layout = find_layout(m->type);
    size_t count = 0;

    GVS_ASSERT(layout != NULL);
    for (const struct field *f = layout->field; f->key != 0; f++)
        count += !is_left_out(m, f);
    if (msgpack_pack_array(p, 2) != 0 || msgpack_pack_uint8(p, layout->type) != 0 ||
        msgpack_pack_map(p, count) != 0)
        return false;
    for (const struct field *f = layout->field; f->key != 0; f++) {
        if (!is_left_out(m, f) && !put_field(p, m, f))
            return false;
    }
    return true;
}

void
gvs_body_init(struct gvs_body *body)
{
    body->b[0] = 0x90; /* an array of none; each message adds one, and 15 still fit this byte */
    body->len = 1;
    body->count = 0;
}

int
gvs_body_add(struct gvs_body *body, const struct gvs_msg *m)
{
    struct sink sink = {.b = body->b, .len = body->len, .cap = sizeof body->b};
    msgpack_packer packer;

    GVS_ASSERT(body->len >= 1);
    if (body->count == GVS_BODY_MESSAGES_MAX)
        return GVS_E_NOSPACE;
    msgpack_packer_init(&packer, &sink, put_bytes);
    if (!put_message(&packer, m))
        return GVS_E_NOSPACE;
    body->len = sink.len;
    body->b[0] = (uint8_t)(0x90 | ++body->count);
    return GVS_OK;
}

size_t
gvs_body_room(const struct gvs_body *body)
{
    size_t left = sizeof body->b - body->len;

    if (body->count == GVS_BODY_MESSAGES_MAX || left < RANGE_HEAD_LEN)
        return 0;
    return left - RANGE_HEAD_LEN;
}

bool
gvs_msg_add_entry(struct gvs_msg *m, const struct gvs_entry *e, size_t *room)
{
    size_t len = (e->len <= UINT8_MAX ? 2 : 3) + (size_t)e->len;

    if (m->entry_count == GVS_PUSH_ENTRIES_MAX || len > *room)
        return false;
    m->entry[m->entry_count++] = *e;
    *room -= len;
    return true;
}
