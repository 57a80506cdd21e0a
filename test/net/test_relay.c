/* The log of keys against a naive one, and the window under loss. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/value.h"
#include "net/relay.h"
#include "test/lib/prng.h"

#define KEYS 40
#define ROOM 200 /* a few entries a datagram */

static const struct gvs_siphash_key hash_key;
static const struct gvs_hash hash = {.fn = gvs_crypto_siphash, .key = &hash_key};

/* --- the log --- */

static void
test_the_log_is_the_latest_places_of_each_key(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 200); seed++) {
        struct gvs_prng prng = gvs_prng_init(seed);
        size_t capacity = 1 + gvs_prng_below(&prng, 30);
        uint8_t model[500]; /* the key of each place */
        struct gvs_keylog log;

        assert_int_equal(gvs_keylog_open(&log, capacity, hash), GVS_OK);
        for (size_t i = 0; i < sizeof model; i++) {
            model[i] = (uint8_t)gvs_prng_below(&prng, 1 + gvs_prng_below(&prng, KEYS));
            gvs_keylog_append(&log, (uint8_t[]){'S', model[i]}, 2);
            assert_int_equal(log.head, i + 1);
            assert_int_equal(gvs_keylog_tail(&log), i + 1 > capacity ? i + 1 - capacity : 0);
            for (uint64_t at = gvs_keylog_tail(&log); at < log.head; at++) {
                const struct gvs_keybuf *key = gvs_keylog_get(&log, at);
                bool again = memchr(model + at + 1, model[at], i - at) != NULL;

                assert_int_equal(key == NULL, again);
                if (key)
                    assert_int_equal(key->b[1], model[at]);
            }
        }
        gvs_keylog_close(&log);
    }
}

/* --- a sender and a receiver, with a table of one kind of entry each --- */

struct bench {
    struct gvs_prng prng;
    struct gvs_mono now;
    struct gvs_keylog log;
    void *mem[2];
    struct gvs_table *table[2]; /* the sender's */
    uint64_t order[KEYS];       /* what the receiver has */
    struct gvs_relay relay;
    uint64_t hlc;
    size_t datagrams, entries;
    struct {
        uint64_t seq;
        uint64_t at_us;
    } answer[4 * GVS_WINDOW_MAX]; /* on their way */
    size_t answers;
};

static void
open_bench(struct bench *b, uint64_t seed, size_t capacity)
{
    *b = (struct bench){.prng = gvs_prng_init(seed), .now = {1000000}};
    assert_int_equal(gvs_keylog_open(&b->log, capacity, hash), GVS_OK);
    for (size_t i = 0; i < 2; i++) {
        b->mem[i] = calloc(1, gvs_table_footprint(KEYS));
        assert_non_null(b->mem[i]);
        b->table[i] = gvs_table_init(b->mem[i], KEYS, hash);
    }
    gvs_relay_reset(&b->relay, &b->log);
}

static void
close_bench(struct bench *b)
{
    gvs_keylog_close(&b->log);
    free(b->mem[0]);
    free(b->mem[1]);
}

static void
write_key(struct bench *b, uint8_t k)
{
    struct gvs_key key = {.kind = GVS_KEY_SERVICE};
    uint8_t buf[GVS_ENTRY_LEN_MAX], value[GVS_VALUE_LEN_MAX];
    struct gvs_entry e;
    size_t len;

    key.svc = (struct gvs_svcid){.proto = GVS_PROTO_TCP, .port = 80};
    key.svc.addr = (struct gvs_addr){GVS_FAMILY_V4, {10, 0, 0, k}};
    len = gvs_entry_build(buf, &key, gvs_hlc_make(1, 0) + ++b->hlc, &(struct gvs_id){{1}}, true,
                          value, gvs_tombstone_encode(value, false));
    assert_int_equal(gvs_entry_parse(&e, buf, len), GVS_OK);
    assert_int_equal(gvs_table_merge(b->table[0], &e), 1);
    gvs_keylog_append(&b->log, e.key, e.key_len);
}

/* The receiver takes it, at once; its answer takes a while. */
static void
receive(struct bench *b, const struct gvs_msg *m, uint64_t seq)
{
    for (size_t i = 0; i < m->entry_count; i++) {
        struct gvs_key key;

        assert_int_equal(gvs_key_parse(&key, m->entry[i].key, m->entry[i].key_len), GVS_OK);
        if (b->order[key.svc.addr.b[3]] < m->entry[i].order)
            b->order[key.svc.addr.b[3]] = m->entry[i].order;
    }
    if (b->answers < sizeof b->answer / sizeof *b->answer) {
        b->answer[b->answers].seq = seq;
        b->answer[b->answers++].at_us = b->now.us + 500 + gvs_prng_below(&b->prng, 500);
    }
}

/* Sends all that may be sent. Returns whether the target was given up meanwhile. */
static bool
turn(struct bench *b, unsigned loss)
{
    const struct gvs_table *const table[] = {b->table[0], b->table[1]};
    struct gvs_cargo cargo;
    bool gave_up;
    struct gvs_msg m;

    for (size_t i = 0; i < b->answers;) {
        if (b->answer[i].at_us > b->now.us) {
            i++;
            continue;
        }
        if (!gvs_prng_chance(&b->prng, loss, 100))
            gvs_relay_land(&b->relay, b->now, b->answer[i].seq);
        b->answer[i] = b->answer[--b->answers];
    }
    while (gvs_relay_expire(&b->relay, &b->log, b->now, &cargo, &gave_up))
        fail_msg("only the log flies here");
    while (gvs_relay_open(&b->relay) &&
           gvs_relay_build(&b->relay, &b->log, table, ROOM, &m, &cargo)) {
        uint64_t seq = gvs_relay_fly(&b->relay, b->now, 1000, &cargo);

        assert_true(b->relay.flying <= b->relay.window);
        assert_true(b->relay.window <= GVS_WINDOW_MAX); /* I1 */
        assert_true(m.entry_count > 0);
        b->datagrams++;
        b->entries += m.entry_count;
        if (!gvs_prng_chance(&b->prng, loss, 100))
            receive(b, &m, seq);
    }
    return gave_up;
}

static bool
all_there(const struct bench *b)
{
    for (uint8_t k = 0; k < KEYS; k++) {
        struct gvs_key key = {.kind = GVS_KEY_SERVICE};
        struct gvs_keybuf buf;
        struct gvs_entry e;

        key.svc = (struct gvs_svcid){.proto = GVS_PROTO_TCP, .port = 80};
        key.svc.addr = (struct gvs_addr){GVS_FAMILY_V4, {10, 0, 0, k}};
        gvs_key_build(&buf, &key);
        if (gvs_table_get(b->table[0], buf.b, buf.len, &e) && b->order[k] != e.order)
            return false;
    }
    return true;
}

static void
test_everything_arrives_whatever_is_lost(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 300); seed++) {
        struct bench b;
        unsigned loss = (unsigned)(seed % 4) * 10;
        bool gave_up = false;

        open_bench(&b, seed, 1024);
        for (unsigned i = 0; i < 200; i++) {
            for (unsigned n = gvs_prng_below(&b.prng, 4); n > 0; n--)
                write_key(&b, (uint8_t)gvs_prng_below(&b.prng, KEYS));
            gave_up |= turn(&b, loss);
            b.now.us += gvs_prng_below(&b.prng, 1000);
        }
        for (unsigned i = 0; i < 30000 && !all_there(&b) && !gave_up; i++) {
            b.now.us += 1000;
            gave_up |= turn(&b, loss);
        }
        if (loss <= 10)
            assert_false(gave_up);
        if (!gave_up)
            assert_true(all_there(&b));
        b.now.us += 100000; /* I2: all landed, nothing is owed */
        for (unsigned i = 0; i < 1000 && !gave_up; i++) {
            b.now.us += 10000;
            gave_up |= turn(&b, 0);
        }
        assert_int_equal(b.relay.flying, 0);
        assert_int_equal(b.relay.lost, 0);
        assert_false(gvs_relay_owes(&b.relay, &b.log));
        assert_int_equal(gvs_relay_deadline(&b.relay).us, UINT64_MAX);
        close_bench(&b);
    }
}

static void
test_without_loss_everything_is_sent_once(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b, 1, 1024);
    for (uint8_t k = 0; k < KEYS; k++)
        write_key(&b, k);
    for (unsigned i = 0; i < 100; i++) {
        turn(&b, 0);
        b.now.us += 500;
    }
    assert_true(all_there(&b));
    assert_int_equal(b.entries, KEYS);
    close_bench(&b);
}

static void
test_a_silent_target_is_given_up(void **state)
{
    struct bench b;
    uint64_t began;

    (void)state;
    open_bench(&b, 2, 1024);
    write_key(&b, 1);
    began = b.now.us;
    while (!turn(&b, 100)) {
        b.now.us += 1000;
        assert_true(b.now.us - began < 10000000);
    }
    assert_true(b.now.us - began > 1000000); /* 50 + 100 + 200 + ... ms */
    assert_int_equal(b.datagrams, GVS_RELAY_TRIES + 1);
    assert_false(gvs_relay_owes(&b.relay, &b.log));
    write_key(&b, 2); /* what comes later is owed again */
    assert_true(gvs_relay_owes(&b.relay, &b.log));
    close_bench(&b);
}

static void
test_who_falls_behind_the_log_is_owed_nothing(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b, 3, 8);
    for (uint8_t k = 0; k < 20; k++)
        write_key(&b, k);
    turn(&b, 0);
    assert_int_equal(b.datagrams, 0);
    write_key(&b, 30);
    turn(&b, 0);
    assert_int_equal(b.entries, 1);
    close_bench(&b);
}

static void
test_what_was_lost_goes_first_and_with_its_newest_value(void **state)
{
    const struct gvs_table *table[2];
    struct gvs_cargo cargo;
    struct gvs_msg m;
    struct bench b;
    bool gave_up;

    (void)state;
    open_bench(&b, 4, 64);
    table[0] = b.table[0];
    table[1] = b.table[1];
    write_key(&b, 1);
    write_key(&b, 2);
    assert_true(gvs_relay_build(&b.relay, &b.log, table, ROOM, &m, &cargo));
    gvs_relay_fly(&b.relay, b.now, 1000, &cargo);
    write_key(&b, 2); /* stands further on now */
    write_key(&b, 3);
    b.now = gvs_relay_deadline(&b.relay);
    assert_false(gvs_relay_expire(&b.relay, &b.log, b.now, &cargo, &gave_up));
    assert_true(gvs_relay_build(&b.relay, &b.log, table, ROOM, &m, &cargo));
    assert_int_equal(m.entry_count, 1);
    assert_int_equal(m.entry[0].key[6], 1); /* S, protocol, family, 10.0.0.1 */
    gvs_relay_fly(&b.relay, b.now, 1000, &cargo);
    assert_true(gvs_relay_build(&b.relay, &b.log, table, ROOM, &m, &cargo));
    assert_int_equal(m.entry_count, 2);
    assert_int_equal(m.entry[0].order, gvs_hlc_make(1, 0) + 3);
    close_bench(&b);
}

static void
test_an_overtaken_datagram_is_lost_before_its_time(void **state)
{
    const struct gvs_table *table[2];
    uint64_t seq[10], due;
    struct gvs_cargo cargo;
    struct gvs_msg m;
    struct bench b;

    (void)state;
    open_bench(&b, 5, 64);
    table[0] = b.table[0];
    table[1] = b.table[1];
    b.relay.window = GVS_WINDOW_MAX;
    for (uint8_t k = 0; k < 10; k++) {
        write_key(&b, k);
        assert_true(gvs_relay_build(&b.relay, &b.log, table, ROOM, &m, &cargo));
        seq[k] = gvs_relay_fly(&b.relay, b.now, 1000, &cargo);
    }
    due = gvs_relay_deadline(&b.relay).us;
    assert_int_equal(due, b.now.us + GVS_RELAY_TIMEOUT_MS_MIN * 1000);
    b.now.us += 1000;
    assert_non_null(gvs_relay_land(&b.relay, b.now, seq[7]));
    assert_int_equal(gvs_relay_deadline(&b.relay).us, due);
    assert_non_null(gvs_relay_land(&b.relay, b.now, seq[8]));
    assert_int_equal(gvs_relay_deadline(&b.relay).us, b.now.us); /* seq[0] */
    assert_null(gvs_relay_land(&b.relay, b.now, seq[8]));
    assert_null(gvs_relay_land(&b.relay, b.now, 0));
    assert_null(gvs_relay_land(&b.relay, b.now, 999));
    close_bench(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_the_log_is_the_latest_places_of_each_key,
                                  test_seed_teardown),
        cmocka_unit_test_teardown(test_everything_arrives_whatever_is_lost, test_seed_teardown),
        cmocka_unit_test(test_without_loss_everything_is_sent_once),
        cmocka_unit_test(test_a_silent_target_is_given_up),
        cmocka_unit_test(test_who_falls_behind_the_log_is_owed_nothing),
        cmocka_unit_test(test_what_was_lost_goes_first_and_with_its_newest_value),
        cmocka_unit_test(test_an_overtaken_datagram_is_lost_before_its_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
