/* test/net/pair.h: two tables, and a wire between their reconciliations. */
#pragma once

#include "core/bytes.h"
#include "core/value.h"
#include "net/crypto.h"
#include "net/sync.h"
#include "test/lib/prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CAPACITY 60000
#define NEWS 30000

static const struct gvs_siphash_key hash_key;
static const struct gvs_hash hash = {.fn = gvs_crypto_siphash, .key = &hash_key};

struct side {
    void *mem[GVS_TABLE_COUNT];
    struct gvs_table *table[GVS_TABLE_COUNT];
    struct gvs_keylog news;
    struct gvs_sync sync;
    struct gvs_sync_peer peer; /* the other side */
    size_t asks[GVS_MSG_MORE + 1], bytes, pushed;
    bool complete; /* a sketch showed so */
};

struct bench {
    struct side side[2];
    struct gvs_prng prng;
    unsigned loss;
    struct gvs_mono now;
};

static inline struct bench *
open_bench(uint64_t seed)
{
    struct bench *b = calloc(1, sizeof *b);

    assert_non_null(b);
    b->prng = gvs_prng_init(seed);
    b->now.us = 10000000;
    for (size_t i = 0; i < 2; i++) {
        struct side *s = &b->side[i];

        for (size_t no = 0; no < GVS_TABLE_COUNT; no++) {
            s->mem[no] = calloc(1, gvs_table_footprint(CAPACITY));
            assert_non_null(s->mem[no]);
            s->table[no] = gvs_table_init(s->mem[no], CAPACITY, hash);
        }
        assert_int_equal(gvs_keylog_open(&s->news, NEWS, hash), GVS_OK);
        assert_int_equal(
            gvs_sync_open(&s->sync, (const struct gvs_table *const *)s->table, &s->news), GVS_OK);
    }
    return b;
}

static inline void
close_bench(struct bench *b)
{
    for (size_t i = 0; i < 2; i++) {
        gvs_sync_close(&b->side[i].sync);
        gvs_keylog_close(&b->side[i].news);
        free(b->side[i].mem[0]);
        free(b->side[i].mem[1]);
    }
    free(b);
}

/* Returns the id. */
static inline uint64_t
put(struct side *s, uint32_t k, uint64_t version)
{
    struct gvs_key key = {.kind = GVS_KEY_SERVICE};
    uint8_t buf[GVS_ENTRY_LEN_MAX], value[GVS_VALUE_LEN_MAX];
    struct gvs_entry e;
    size_t len;

    key.svc = (struct gvs_svcid){.proto = GVS_PROTO_FWMARK, .fwmark = k + 1};
    key.svc.addr.family = GVS_FAMILY_V4;
    len = gvs_entry_build(buf, &key, gvs_hlc_make(1, 0) + version, &(struct gvs_id){{1}}, true,
                          value, gvs_tombstone_encode(value, false));
    assert_int_equal(gvs_entry_parse(&e, buf, len), GVS_OK);
    assert_true(gvs_table_merge(s->table[GVS_TABLE_CLAIMS], &e) >= 0);
    return gvs_table_id(s->table[GVS_TABLE_CLAIMS], &e);
}

/* The same, as what came this moment. */
static inline uint64_t
put_young(struct side *s, struct gvs_mono now, uint32_t k, uint64_t version)
{
    uint64_t id = put(s, k, version);
    struct gvs_entry e;

    assert_true(gvs_table_get_id(s->table[GVS_TABLE_CLAIMS], id, &e));
    assert_true(gvs_keylog_append(&s->news, now, e.key, e.key_len, id));
    return id;
}

static inline bool
equal(const struct bench *b)
{
    return gvs_table_fingerprint(b->side[0].table[0]) ==
               gvs_table_fingerprint(b->side[1].table[0]) &&
           gvs_table_count(b->side[0].table[0]) == gvs_table_count(b->side[1].table[0]);
}

static inline void
merge(struct bench *b, struct side *to, const struct gvs_msg *m)
{
    for (size_t i = 0; i < m->entry_count; i++) {
        const struct gvs_entry *e = &m->entry[i];

        assert_true(gvs_table_merge(to->table[0], e) >= 0);
        gvs_keylog_append(&to->news, b->now, e->key, e->key_len, gvs_table_id(to->table[0], e));
    }
}

static inline void
handle(struct bench *b, struct side *to, struct gvs_sync_peer *p, const struct gvs_msg *m)
{
    switch (m->type) {
    case GVS_MSG_SKETCH:
        to->complete |= gvs_sync_sketch(&to->sync, p, b->now, m);
        break;
    case GVS_MSG_MORE:
        gvs_sync_more(&to->sync, p, m);
        break;
    case GVS_MSG_SUMS:
        gvs_sync_sums(&to->sync, p, b->now, m, gvs_prng_below(&b->prng, 16));
        break;
    case GVS_MSG_IDS:
        gvs_sync_ids(&to->sync, p, b->now, m);
        break;
    case GVS_MSG_WANT:
        gvs_sync_want(&to->sync, p, b->now, m);
        break;
    case GVS_MSG_PUSH:
        merge(b, to, m);
        break;
    default:
        fail();
    }
}

/* Everything goes over the wire, so that what sync makes is what wire takes. False: it got lost. */
static inline bool
deliver(struct bench *b, struct side *from, struct side *to, const struct gvs_msg *sent)
{
    struct gvs_wire_reader r;
    struct gvs_body body;
    struct gvs_msg m;

    gvs_body_init(&body);
    assert_int_equal(gvs_body_add(&body, sent), GVS_OK);
    from->asks[sent->type]++;
    from->bytes += body.len;
    if (gvs_prng_chance(&b->prng, b->loss, 100))
        return false;
    assert_int_equal(gvs_wire_open(&r, body.b, body.len), GVS_OK);
    assert_true(gvs_wire_next(&r, &m));
    handle(b, to, &to->peer, &m);
    return true;
}

/* The room of an empty body. */
static inline size_t
room(void)
{
    struct gvs_body body;

    gvs_body_init(&body);
    return gvs_body_room(&body);
}

static inline bool
next_ask(struct side *s, struct gvs_sync_peer *p, struct gvs_msg *m)
{
    static uint8_t bin[GVS_BODY_LEN_MAX];

    return gvs_sync_ask(&s->sync, p, room(), m, bin);
}

static inline bool
send_ask(struct bench *b, struct side *from, struct side *to)
{
    struct gvs_msg m;
    bool sent = next_ask(from, &from->peer, &m);

    if (sent)
        deliver(b, from, to, &m);
    return sent;
}

static inline bool
send_push(struct bench *b, struct side *from, struct side *to)
{
    struct gvs_cargo cargo;
    struct gvs_msg m;

    if (!gvs_sync_give(&from->sync, &from->peer, b->now, room(), &m, &cargo))
        return false;
    assert_int_equal(m.repair, 1);
    assert_int_equal(m.arc, 0);
    from->pushed += m.entry_count;
    m.seq = 1;
    if (!deliver(b, from, to, &m))
        gvs_sync_lost(&from->sync, &from->peer, &cargo);
    return true;
}

/* Until nobody has anything to say, and nobody waits. */
static inline void
talk(struct bench *b)
{
    struct gvs_mono until[2];

    for (unsigned turns = 0;; turns++) {
        bool sent = false;

        assert_true(turns < 100000);
        for (size_t i = 0; i < 2; i++) {
            sent |= send_ask(b, &b->side[i], &b->side[1 - i]);
            sent |= send_push(b, &b->side[i], &b->side[1 - i]);
        }
        if (sent)
            continue;
        for (size_t i = 0; i < 2; i++)
            until[i] = gvs_sync_run(&b->side[i].sync, b->now);
        if (b->side[0].peer.ask.count + b->side[1].peer.ask.count > 0)
            continue;
        if (gvs_mono_min(until[0], until[1]).us == UINT64_MAX)
            return;
        b->now = gvs_mono_min(until[0], until[1]);
    }
}

/* Searches until both are equal; returns how many were started. */
static inline unsigned
mend(struct bench *b)
{
    for (unsigned rounds = 0; rounds < 200; rounds++) {
        struct side *starter = &b->side[rounds % 2], *other = &b->side[1 - rounds % 2];

        if (equal(b))
            return rounds;
        b->now.us += GVS_SYNC_INTERVAL_MS_MAX * 1000;
        assert_true(gvs_sync_start(&starter->sync, &starter->peer, b->now, GVS_TABLE_CLAIMS,
                                   gvs_table_fingerprint(other->table[0]), false));
        talk(b);
    }
    fail_msg("not mended");
    return 0;
}

static inline size_t
asks(const struct bench *b, enum gvs_msg_type type)
{
    return b->side[0].asks[type] + b->side[1].asks[type];
}
