/* The log of keys against a naive one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/crypto.h"
#include "net/keylog.h"
#include "test/lib/prng.h"

#define KEYS 40
#define APPENDS 500

static const struct gvs_siphash_key hash_key;

/* All keys in one bucket, or in two: the lists of a bucket are the part that is easily wrong. */
static uint64_t
hash_weak(const void *key, const uint8_t *b, size_t len)
{
    (void)key;
    return b[len - 1] % 2u;
}

static struct gvs_hash
hash_for(uint64_t seed)
{
    return seed % 2 ? (struct gvs_hash){.fn = hash_weak}
                    : (struct gvs_hash){.fn = gvs_crypto_siphash, .key = &hash_key};
}

/* What was appended, in order. */
struct model {
    size_t count;
    uint8_t key[APPENDS];
    uint64_t id[APPENDS];
};

/* The place of a key that can still be read; -1 if there is none. */
static int
model_find(const struct model *m, size_t tail, uint8_t key)
{
    for (size_t at = m->count; at > tail; at--) {
        if (m->key[at - 1] == key)
            return (int)at - 1;
    }
    return -1;
}

static struct gvs_mono
time_of(size_t place)
{
    return (struct gvs_mono){1000 + 7 * place};
}

static void
assert_is(const struct gvs_keylog *log, const struct model *m)
{
    size_t tail = m->count > log->capacity ? m->count - log->capacity : 0;
    struct gvs_mono at;

    assert_int_equal(log->head, m->count);
    assert_int_equal(gvs_keylog_tail(log), tail);
    for (size_t place = tail; place < m->count; place++) {
        const struct gvs_keylog_slot *slot = gvs_keylog_get(log, place);
        bool latest = model_find(m, tail, m->key[place]) == (int)place;

        assert_int_equal(slot != NULL, latest); /* I1 */
        if (slot) {
            assert_int_equal(slot->key.len, 2);
            assert_int_equal(slot->key.b[1], m->key[place]);
            assert_int_equal(slot->id, m->id[place]);
        }
    }
    for (uint8_t k = 0; k < KEYS; k++) {
        int place = model_find(m, tail, k);

        assert_int_equal(gvs_keylog_when(log, (uint8_t[]){'S', k}, 2, &at), place >= 0);
        if (place >= 0)
            assert_int_equal(at.us, time_of((size_t)place).us);
    }
}

static void
test_the_log_is_the_latest_place_of_each_key(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 100); seed++) {
        struct gvs_prng prng = gvs_prng_init(seed);
        size_t capacity = 1 + gvs_prng_below(&prng, 30);
        struct model m = {.count = 0};
        struct gvs_keylog log;

        assert_int_equal(gvs_keylog_open(&log, capacity, hash_for(seed)), GVS_OK);
        assert_is(&log, &m);
        while (m.count < APPENDS) {
            uint8_t k = (uint8_t)gvs_prng_below(&prng, 1 + gvs_prng_below(&prng, KEYS));
            uint64_t id = gvs_prng_below(&prng, 3);
            int held = model_find(&m, (size_t)gvs_keylog_tail(&log), k);
            bool news = held < 0 || m.id[held] != id;

            assert_int_equal(gvs_keylog_append(&log, time_of(m.count), (uint8_t[]){'S', k}, 2, id),
                             news);
            if (news) {
                m.key[m.count] = k;
                m.id[m.count++] = id;
            }
            if (m.count % 5 == 0)
                assert_is(&log, &m);
        }
        gvs_keylog_close(&log);
    }
}

static void
test_the_same_key_and_id_again_is_no_news(void **state)
{
    const uint8_t key[] = {'S', 1};
    struct gvs_keylog log;
    struct gvs_mono at;

    (void)state;
    assert_int_equal(gvs_keylog_open(&log, 4, hash_for(0)), GVS_OK);
    assert_true(gvs_keylog_append(&log, (struct gvs_mono){5}, key, 2, 77));
    assert_false(gvs_keylog_append(&log, (struct gvs_mono){9}, key, 2, 77));
    assert_int_equal(log.head, 1);
    assert_true(gvs_keylog_when(&log, key, 2, &at));
    assert_int_equal(at.us, 5); /* nothing happened */
    assert_true(gvs_keylog_append(&log, (struct gvs_mono){9}, key, 2, 78));
    assert_int_equal(log.head, 2);
    assert_null(gvs_keylog_get(&log, 0));
    assert_true(gvs_keylog_when(&log, key, 2, &at));
    assert_int_equal(at.us, 9);
    gvs_keylog_close(&log);
}

static void
test_a_key_that_fell_out_of_the_ring_is_news(void **state)
{
    struct gvs_keylog log;
    struct gvs_mono at = {3};

    (void)state;
    assert_int_equal(gvs_keylog_open(&log, 3, hash_for(1)), GVS_OK);
    for (uint8_t k = 0; k < 4; k++)
        assert_true(gvs_keylog_append(&log, (struct gvs_mono){k}, (uint8_t[]){'S', k}, 2, 1));
    assert_false(gvs_keylog_when(&log, (const uint8_t[]){'S', 0}, 2, &at));
    assert_int_equal(at.us, 3); /* as it was */
    assert_true(gvs_keylog_append(&log, (struct gvs_mono){9}, (uint8_t[]){'S', 0}, 2, 1));
    assert_int_equal(gvs_keylog_tail(&log), 2);
    gvs_keylog_close(&log);
}

/* One key is a prefix of the other, and both share a bucket. */
static void
test_keys_are_compared_whole(void **state)
{
    const uint8_t key[] = {'S', 1, 1, 1};
    struct gvs_keylog log;

    (void)state;
    assert_int_equal(gvs_keylog_open(&log, 8, hash_for(1)), GVS_OK);
    assert_true(gvs_keylog_append(&log, (struct gvs_mono){1}, key, 2, 1));
    assert_true(gvs_keylog_append(&log, (struct gvs_mono){2}, key, 4, 1));
    assert_non_null(gvs_keylog_get(&log, 0));
    assert_int_equal(gvs_keylog_get(&log, 1)->key.len, 4);
    assert_true(gvs_keylog_append(&log, (struct gvs_mono){3}, key, 3, 1));
    assert_non_null(gvs_keylog_get(&log, 1));
    gvs_keylog_close(&log);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_the_log_is_the_latest_place_of_each_key, test_seed_teardown),
        cmocka_unit_test(test_the_same_key_and_id_again_is_no_news),
        cmocka_unit_test(test_a_key_that_fell_out_of_the_ring_is_news),
        cmocka_unit_test(test_keys_are_compared_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
