#include "net/cursor.h"

#include "core/bytes.h"
#include "core/err.h"

enum { /* the first bytes that we know; msgpack's specification */
       FIXINT_MAX = 0x7f,
       FIXMAP = 0x80,
       FIXARRAY = 0x90,
       FALSE = 0xc2,
       TRUE = 0xc3,
       BIN8 = 0xc4,
       BIN16 = 0xc5,
       UINT8 = 0xcc,
       UINT16 = 0xcd,
       UINT32 = 0xce,
       UINT64 = 0xcf,
       ARRAY16 = 0xdc,
       MAP16 = 0xde,
};
#define FIXCOUNT_MAX 15

struct gvs_cursor
gvs_cursor_init(const uint8_t *b, size_t len)
{
    GVS_ASSERT(b || len == 0);
    return (struct gvs_cursor){.at = b, .end = len > 0 ? b + len : b};
}

bool
gvs_cursor_at_end(const struct gvs_cursor *c)
{
    return c->at == c->end;
}

static size_t
left(const struct gvs_cursor *c)
{
    GVS_ASSERT(c->at <= c->end); /* I1 */
    return (size_t)(c->end - c->at);
}

static bool
take_byte(struct gvs_cursor *c, uint8_t *b)
{
    if (left(c) < 1)
        return false;
    *b = *c->at++;
    return true;
}

/* A big-endian number of `bytes` bytes that a shorter form could not have said: it is at least
 * `least`. */
static bool
take_number(struct gvs_cursor *c, size_t bytes, uint64_t least, uint64_t *v)
{
    uint64_t n = 0;

    if (left(c) < bytes)
        return false;
    for (size_t i = 0; i < bytes; i++)
        n = n << 8 | *c->at++;
    *v = n;
    return n >= least;
}

bool
gvs_cursor_uint(struct gvs_cursor *c, uint64_t *v)
{
    uint8_t tag;

    if (!take_byte(c, &tag))
        return false;
    switch (tag) {
    case UINT8:
        return take_number(c, 1, FIXINT_MAX + 1, v);
    case UINT16:
        return take_number(c, 2, UINT8_MAX + 1, v);
    case UINT32:
        return take_number(c, 4, UINT16_MAX + 1, v);
    case UINT64:
        return take_number(c, 8, (uint64_t)UINT32_MAX + 1, v);
    default:
        *v = tag;
        return tag <= FIXINT_MAX;
    }
}

bool
gvs_cursor_bool(struct gvs_cursor *c, bool *v)
{
    uint8_t tag;

    if (!take_byte(c, &tag))
        return false;
    *v = tag == TRUE;
    return tag == TRUE || tag == FALSE;
}

bool
gvs_cursor_bin(struct gvs_cursor *c, const uint8_t **b, size_t *len)
{
    uint64_t n;
    uint8_t tag;

    if (!take_byte(c, &tag) || (tag != BIN8 && tag != BIN16))
        return false;
    if (!take_number(c, tag == BIN8 ? 1 : 2, tag == BIN8 ? 0 : UINT8_MAX + 1, &n))
        return false;
    if (n > left(c))
        return false;
    *b = c->at;
    *len = (size_t)n;
    c->at += n;
    return true;
}

/* The count of an array or a map, each element of which takes at least `bytes` bytes. */
static bool
take_count(struct gvs_cursor *c, uint8_t fix, uint8_t wide, size_t bytes, size_t *count)
{
    uint64_t n;
    uint8_t tag;

    if (!take_byte(c, &tag))
        return false;
    if (tag == wide) {
        if (!take_number(c, 2, FIXCOUNT_MAX + 1, &n))
            return false;
    } else if ((tag & ~FIXCOUNT_MAX) == fix) {
        n = tag & FIXCOUNT_MAX;
    } else {
        return false;
    }
    *count = (size_t)n;
    return n * bytes <= left(c);
}

bool
gvs_cursor_array(struct gvs_cursor *c, size_t *count)
{
    return take_count(c, FIXARRAY, ARRAY16, 1, count);
}

bool
gvs_cursor_map(struct gvs_cursor *c, size_t *count)
{
    return take_count(c, FIXMAP, MAP16, 2, count);
}

bool
gvs_cursor_key(struct gvs_cursor *c, int *key)
{
    uint8_t tag;

    if (!take_byte(c, &tag) || tag > FIXINT_MAX || (int)tag <= *key)
        return false;
    *key = tag;
    return true;
}

static bool
skip_map(struct gvs_cursor *c, unsigned depth)
{
    size_t count;
    int key = -1;

    if (depth == 0 || !gvs_cursor_map(c, &count))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!gvs_cursor_key(c, &key) || !gvs_cursor_skip(c, depth - 1))
            return false;
    }
    return true;
}

static bool
skip_array(struct gvs_cursor *c, unsigned depth)
{
    size_t count;

    if (depth == 0 || !gvs_cursor_array(c, &count))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!gvs_cursor_skip(c, depth - 1))
            return false;
    }
    return true;
}

/* Recursion ends with `depth`, which is ours and small. */
bool
gvs_cursor_skip(struct gvs_cursor *c, unsigned depth)
{
    const uint8_t *b;
    uint64_t v;
    size_t len;
    bool flag;

    if (left(c) < 1)
        return false;
    switch (*c->at) {
    case FALSE:
    case TRUE:
        return gvs_cursor_bool(c, &flag);
    case BIN8:
    case BIN16:
        return gvs_cursor_bin(c, &b, &len);
    case ARRAY16:
        return skip_array(c, depth);
    case MAP16:
        return skip_map(c, depth);
    default:
        if ((*c->at & ~FIXCOUNT_MAX) == FIXARRAY)
            return skip_array(c, depth);
        if ((*c->at & ~FIXCOUNT_MAX) == FIXMAP)
            return skip_map(c, depth);
        return gvs_cursor_uint(c, &v);
    }
}
