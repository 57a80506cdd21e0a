/* test/net/arcs.h: entries, ids and members, for the tests of relay. */
#pragma once

#include "core/value.h"
#include "net/relay.h"
#include "test/lib/prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KEYS 48
#define LOG 256
#define ROOM 1000
#define NODES_MAX 300

static const struct gvs_siphash_key hash_key;
static const struct gvs_hash hash = {.fn = gvs_crypto_siphash, .key = &hash_key};

static inline void
same_bytes(void *ctx, void *buf, size_t len)
{
    (void)ctx;
    memset(buf, 7, len);
}

/* --- entries, which all nodes read from the same tables --- */

struct store {
    void *mem[GVS_TABLE_COUNT];
    struct gvs_table *table[GVS_TABLE_COUNT];
    uint64_t hlc;
};

static inline void
open_store(struct store *s)
{
    *s = (struct store){.hlc = 0};
    for (size_t i = 0; i < GVS_TABLE_COUNT; i++) {
        s->mem[i] = calloc(1, gvs_table_footprint(KEYS));
        assert_non_null(s->mem[i]);
        s->table[i] = gvs_table_init(s->mem[i], KEYS, hash);
    }
}

static inline void
close_store(struct store *s)
{
    free(s->mem[0]);
    free(s->mem[1]);
}

static inline void
key_of(struct gvs_key *key, unsigned k)
{
    *key = (struct gvs_key){.kind = GVS_KEY_SERVICE};
    key->svc = (struct gvs_svcid){.proto = GVS_PROTO_FWMARK, .fwmark = k + 1};
    key->svc.addr.family = GVS_FAMILY_V4;
}

static inline unsigned
number_of(const struct gvs_entry *e)
{
    struct gvs_key key;

    assert_int_equal(gvs_key_parse(&key, e->key, e->key_len), GVS_OK);
    return key.svc.fwmark - 1;
}

/* Key k has a new value, which this relay is to bring to everybody. */
static inline void
write_key(struct store *s, struct gvs_relay *r, unsigned k)
{
    uint8_t buf[GVS_ENTRY_LEN_MAX], value[GVS_VALUE_LEN_MAX];
    struct gvs_entry e;
    struct gvs_key key;
    size_t len;

    key_of(&key, k);
    len = gvs_entry_build(buf, &key, gvs_hlc_make(1, 0) + ++s->hlc, &(struct gvs_id){{1}}, true,
                          value, gvs_tombstone_encode(value, false));
    assert_int_equal(gvs_entry_parse(&e, buf, len), GVS_OK);
    assert_int_equal(gvs_table_merge(s->table[0], &e), 1);
    gvs_relay_serve(r, (struct gvs_mono){1}, 0, e.key, e.key_len, gvs_table_id(s->table[0], &e));
}

/* --- ids --- */

/* The first `same` bits are those of all, or of every second. */
static inline struct gvs_id
random_id(struct gvs_prng *prng, unsigned same)
{
    struct gvs_id id;

    gvs_prng_fill(prng, id.b, sizeof id.b);
    for (unsigned i = 0; i < same; i++)
        id.b[i / 8] = (uint8_t)(id.b[i / 8] & ~(0x80u >> i % 8));
    id.b[0] |= same == 0; /* never the cluster's */
    id.b[GVS_ID_LEN - 1] |= 1;
    return id;
}

static inline bool
share_bits(const struct gvs_id *a, const struct gvs_id *b, unsigned bits)
{
    for (unsigned i = 0; i < bits; i++) {
        if ((a->b[i / 8] ^ b->b[i / 8]) >> (7 - i % 8) & 1)
            return false;
    }
    return true;
}

static inline bool
is_live(const struct gvs_member *m)
{
    return !m->self && m->known && m->state <= GVS_SUSPECT;
}

static inline void
set_state(struct gvs_members *ms, struct gvs_member *m, uint64_t incarnation,
          enum gvs_member_state state)
{
    struct gvs_member_value value = {.boot = 1};

    gvs_member_note(ms, (struct gvs_mono){1}, m, gvs_member_order(incarnation, state), &value);
}

static inline struct gvs_member *
add_member(struct gvs_members *ms, const struct gvs_id *id)
{
    struct gvs_member *m = gvs_member_get(ms, id);

    if (!m)
        m = gvs_member_add(ms, id);
    assert_non_null(m);
    m->up = true;
    set_state(ms, m, 1, GVS_ALIVE);
    return m;
}

static inline bool
always(void *ctx, const struct gvs_member *m)
{
    (void)ctx;
    return m->up;
}
