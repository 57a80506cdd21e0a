/* core/entry.c: entries are put together and taken apart; core/entry.h has the layout. */
#include "core/entry.h"
#include "core/bytes.h"
#include "core/err.h"
#include "core/value.h"

#include <string.h>

_Static_assert(1 + GVS_KEY_LEN_MAX + 8 + 1 + GVS_ID_LEN + GVS_VALUE_LEN_MAX <= GVS_ENTRY_LEN_MAX,
               "the longest key and the longest value make an entry");

#define MEMBER_RETIRED (UINT64_C(1) << 63)
#define MEMBER_STATE_BITS 8
#define MEMBER_STATE_MASK ((UINT64_C(1) << MEMBER_STATE_BITS) - 1)

/* One order, one meaning: the retired bit stands with state LEFT, and only with it. */
static bool
member_order_valid(uint64_t order)
{
    uint64_t state = order & MEMBER_STATE_MASK;

    return (order & MEMBER_RETIRED) != 0 ? state == GVS_LEFT : state < GVS_LEFT;
}

static bool
head_valid(enum gvs_key_kind kind, uint64_t order, uint8_t flags)
{
    if (kind == GVS_KEY_MEMBER)
        return member_order_valid(order) && flags == 0;
    return gvs_hlc_valid(order) && (flags & ~GVS_ENTRY_TOMBSTONE) == 0;
}

int
gvs_entry_parse(struct gvs_entry *out, const uint8_t *b, size_t len)
{
    struct gvs_entry e = {.b = b};
    struct gvs_key key;
    uint8_t flags;
    size_t at;

    if (len < 1 || len > GVS_ENTRY_LEN_MAX)
        return GVS_E_MALFORMED;
    e.len = (uint16_t)len;
    e.key = b + 1;
    e.key_len = b[0];
    at = 1 + (size_t)e.key_len;
    if (len < at + 9 || gvs_key_parse(&key, e.key, e.key_len) != GVS_OK)
        return GVS_E_MALFORMED;
    e.kind = key.kind;
    e.order = gvs_get64(b + at);
    flags = b[at + 8];
    at += 9;
    if (!head_valid(e.kind, e.order, flags))
        return GVS_E_MALFORMED;
    e.tombstone = flags == GVS_ENTRY_TOMBSTONE;
    if (gvs_id_is_cluster(&key.owner)) { /* the key does not say who wrote */
        if (len - at < GVS_ID_LEN)
            return GVS_E_MALFORMED;
        memcpy(e.writer.b, b + at, GVS_ID_LEN);
        at += GVS_ID_LEN;
        if (gvs_id_is_cluster(&e.writer))
            return GVS_E_MALFORMED; /* the cluster owns, a node writes */
    } else if (e.kind != GVS_KEY_MEMBER) {
        e.writer = key.owner;
    }
    e.value = b + at;
    e.value_len = (uint16_t)(len - at);
    if (!gvs_value_valid(e.value, e.value_len))
        return GVS_E_MALFORMED;
    *out = e;
    return GVS_OK;
}

size_t
gvs_entry_build(uint8_t *out, const struct gvs_key *key, uint64_t order,
                const struct gvs_id *writer, bool tombstone, const uint8_t *value, size_t value_len)
{
    uint8_t flags = tombstone ? GVS_ENTRY_TOMBSTONE : 0;
    struct gvs_keybuf k;
    size_t at;

    GVS_ASSERT(head_valid(key->kind, order, flags));
    GVS_ASSERT(gvs_value_valid(value, value_len));
    gvs_key_build(&k, key);
    out[0] = k.len;
    memcpy(out + 1, k.b, k.len);
    at = 1 + (size_t)k.len;
    gvs_put64(out + at, order);
    out[at + 8] = flags;
    at += 9;
    if (gvs_id_is_cluster(&key->owner)) { /* the key does not say who wrote */
        GVS_ASSERT(writer != NULL && !gvs_id_is_cluster(writer));
        memcpy(out + at, writer->b, GVS_ID_LEN);
        at += GVS_ID_LEN;
    } else if (key->kind != GVS_KEY_MEMBER && writer != NULL) {
        GVS_ASSERT(gvs_id_cmp(writer, &key->owner) == 0); /* only the owner writes its claims */
    }
    if (value_len != 0)
        memcpy(out + at, value, value_len);
    GVS_ASSERT(at + value_len <= GVS_ENTRY_LEN_MAX);
    return at + value_len;
}

int
gvs_entry_cmp(const struct gvs_entry *a, const struct gvs_entry *b)
{
    int sign;

    GVS_ASSERT(gvs_key_cmp(a->key, a->key_len, b->key, b->key_len) == 0);
    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    sign = gvs_id_cmp(&a->writer, &b->writer);
    if (sign != 0)
        return sign;
    if (a->tombstone != b->tombstone)
        return a->tombstone ? 1 : -1;
    return gvs_key_cmp(a->value, a->value_len, b->value, b->value_len); /* all else is equal */
}

uint64_t
gvs_member_order(uint64_t incarnation, enum gvs_member_state state)
{
    GVS_ASSERT(incarnation <= GVS_INCARNATION_MAX);
    GVS_ASSERT(state <= GVS_LEFT);
    return (state == GVS_LEFT ? MEMBER_RETIRED : 0) | incarnation << MEMBER_STATE_BITS | state;
}

uint64_t
gvs_member_incarnation(uint64_t order)
{
    return (order & ~MEMBER_RETIRED) >> MEMBER_STATE_BITS;
}

enum gvs_member_state
gvs_member_state(uint64_t order)
{
    GVS_ASSERT(member_order_valid(order));
    return (enum gvs_member_state)(order & MEMBER_STATE_MASK);
}
