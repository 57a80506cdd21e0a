/* The cursor against msgpack-c: what it accepts, msgpack-c reads as the same; what it refuses, it
 * refuses at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <msgpack.h>

#include "net/cursor.h"
#include "test/lib/prng.h"

#define DEPTH 4
#define LEN_MAX 512

/* --- the same walk by both --- */

static bool same_value(struct gvs_cursor *c, const msgpack_object *o);

static bool
same_map(struct gvs_cursor *c, const msgpack_object *o)
{
    size_t count;
    int key = -1;

    if (!gvs_cursor_map(c, &count) || count != o->via.map.size)
        return false;
    for (size_t i = 0; i < count; i++) {
        const msgpack_object_kv *kv = &o->via.map.ptr[i];

        if (!gvs_cursor_key(c, &key) || kv->key.type != MSGPACK_OBJECT_POSITIVE_INTEGER ||
            kv->key.via.u64 != (uint64_t)key || !same_value(c, &kv->val))
            return false;
    }
    return true;
}

static bool
same_array(struct gvs_cursor *c, const msgpack_object *o)
{
    size_t count;

    if (!gvs_cursor_array(c, &count) || count != o->via.array.size)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!same_value(c, &o->via.array.ptr[i]))
            return false;
    }
    return true;
}

static bool
same_value(struct gvs_cursor *c, const msgpack_object *o)
{
    const uint8_t *b;
    uint64_t v;
    size_t len;
    bool flag;

    switch (o->type) {
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        return gvs_cursor_uint(c, &v) && v == o->via.u64;
    case MSGPACK_OBJECT_BOOLEAN:
        return gvs_cursor_bool(c, &flag) && flag == o->via.boolean;
    case MSGPACK_OBJECT_BIN:
        return gvs_cursor_bin(c, &b, &len) && len == o->via.bin.size &&
               memcmp(b, o->via.bin.ptr, len) == 0;
    case MSGPACK_OBJECT_ARRAY:
        return same_array(c, o);
    case MSGPACK_OBJECT_MAP:
        return same_map(c, o);
    default:
        return false;
    }
}

/* Does the cursor take all of it? If so msgpack-c has to agree (I2). The bytes are copied to a
 * block of their very size, so that the sanitizer sees a read beyond them (I1). */
static bool
accepted(const uint8_t *bytes, size_t len)
{
    uint8_t *b = malloc(len > 0 ? len : 1);
    struct gvs_cursor c;
    msgpack_unpacked unpacked;
    size_t at = 0;
    bool ok;

    assert_non_null(b);
    memcpy(b, bytes, len);
    c = gvs_cursor_init(b, len);
    ok = gvs_cursor_skip(&c, DEPTH) && gvs_cursor_at_end(&c);
    if (ok) {
        msgpack_unpacked_init(&unpacked);
        assert_int_equal(msgpack_unpack_next(&unpacked, (const char *)b, len, &at),
                         MSGPACK_UNPACK_SUCCESS);
        assert_int_equal(at, len);
        c = gvs_cursor_init(b, len);
        assert_true(same_value(&c, &unpacked.data));
        msgpack_unpacked_destroy(&unpacked);
    }
    free(b);
    return ok;
}

/* --- tests --- */

static void
test_every_form_has_one_spelling(void **state)
{
    static const struct {
        const char *why;
        bool ok;
        size_t len;
        uint8_t b[12];
    } rows[] = {
        {"zero", true, 1, {0x00}},
        {"127 is the last fixint", true, 1, {0x7f}},
        {"128 takes uint8", true, 2, {0xcc, 0x80}},
        {"127 in uint8 has a shorter form", false, 2, {0xcc, 0x7f}},
        {"256 takes uint16", true, 3, {0xcd, 1, 0}},
        {"255 in uint16 has a shorter form", false, 3, {0xcd, 0, 0xff}},
        {"65536 takes uint32", true, 5, {0xce, 0, 1, 0, 0}},
        {"65535 in uint32 has a shorter form", false, 5, {0xce, 0, 0, 0xff, 0xff}},
        {"2^32 takes uint64", true, 9, {0xcf, 0, 0, 0, 1, 0, 0, 0, 0}},
        {"2^32 - 1 in uint64 has a shorter form", false, 9, {0xcf, 0, 0, 0, 0, 255, 255, 255, 255}},
        {"false", true, 1, {0xc2}},
        {"true", true, 1, {0xc3}},
        {"nil does not exist", false, 1, {0xc0}},
        {"c1 is nothing in msgpack", false, 1, {0xc1}},
        {"float32 does not exist", false, 5, {0xca, 0, 0, 0, 0}},
        {"float64 does not exist", false, 9, {0xcb}},
        {"int8 does not exist", false, 2, {0xd0, 5}},
        {"negative fixint does not exist", false, 1, {0xff}},
        {"fixstr does not exist", false, 2, {0xa1, 'a'}},
        {"str8 does not exist", false, 3, {0xd9, 1, 'a'}},
        {"fixext does not exist", false, 3, {0xd4, 0, 0}},
        {"ext8 does not exist", false, 4, {0xc7, 1, 0, 0}},
        {"an empty bin", true, 2, {0xc4, 0}},
        {"a bin of two", true, 4, {0xc4, 2, 1, 2}},
        {"a bin longer than the bytes", false, 3, {0xc4, 2, 1}},
        {"2 in bin16 has a shorter form", false, 5, {0xc5, 0, 2, 1, 2}},
        {"bin32 does not exist", false, 6, {0xc6, 0, 0, 0, 1, 1}},
        {"an empty array", true, 1, {0x90}},
        {"an array of two", true, 3, {0x92, 1, 2}},
        {"an array that ends early", false, 2, {0x92, 1}},
        {"15 in array16 has a shorter form", false, 3, {0xdc, 0, 15}},
        {"array32 does not exist", false, 5, {0xdd, 0, 0, 0, 0}},
        {"an empty map", true, 1, {0x80}},
        {"a map", true, 5, {0x82, 1, 7, 2, 8}},
        {"a map with equal keys", false, 5, {0x82, 1, 7, 1, 8}},
        {"a map with descending keys", false, 5, {0x82, 2, 7, 1, 8}},
        {"a map with key 0", true, 3, {0x81, 0, 7}},
        {"a map with key 127", true, 3, {0x81, 0x7f, 7}},
        {"a map with key 128", false, 4, {0x81, 0xcc, 0x80, 7}},
        {"a map with a bin for a key", false, 4, {0x81, 0xc4, 0, 7}},
        {"a map without a value", false, 2, {0x81, 1}},
        {"map32 does not exist", false, 5, {0xdf, 0, 0, 0, 0}},
        {"four levels", true, 4, {0x91, 0x91, 0x91, 0x90}},
        {"five levels", false, 5, {0x91, 0x91, 0x91, 0x91, 0x90}},
        {"five levels by maps", false, 9, {0x81, 1, 0x81, 1, 0x81, 1, 0x81, 1, 0x80}},
        {"trailing bytes", false, 2, {0x01, 0x01}},
        {"nothing", false, 0, {0}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (accepted(rows[i].b, rows[i].len) != rows[i].ok)
            fail_msg("%s", rows[i].why);
    }
}

static void
test_t17_a_declared_length_alone_is_refused(void **state)
{
    static const uint8_t wide[] = {0xc4, 0xc5, 0xc6, 0xdc, 0xdd, 0xde, 0xdf,
                                   0xd9, 0xda, 0xdb, 0xc7, 0xc8, 0xc9};
    struct gvs_cursor c;
    uint8_t b[6];
    size_t count;

    (void)state;
    c = gvs_cursor_init((const uint8_t *)"\xdc\x00\x10\x01\x01", 5);
    assert_false(gvs_cursor_array(&c, &count)); /* at once, not at the first that is missing */
    c = gvs_cursor_init((const uint8_t *)"\x82\x01\x01\x02", 4);
    assert_false(gvs_cursor_map(&c, &count));
    for (size_t i = 0; i < sizeof wide; i++) {
        memset(b, 0xff, sizeof b);
        b[0] = wide[i];
        for (size_t len = 1; len <= sizeof b; len++)
            assert_false(accepted(b, len));
    }
}

static void
test_a_deep_nest_is_refused_without_descending(void **state)
{
    uint8_t b[LEN_MAX];

    (void)state;
    memset(b, 0x91, sizeof b);
    assert_false(accepted(b, sizeof b));
    for (size_t i = 0; i < sizeof b; i++)
        b[i] = i % 2 == 0 ? 0x81 : (uint8_t)1;
    assert_false(accepted(b, sizeof b));
    for (size_t i = 0; i + 2 < sizeof b; i += 3)
        memcpy(b + i, "\xdc\x00\x10", 3);
    assert_false(accepted(b, sizeof b));
}

/* --- random values, packed by msgpack-c --- */

struct sink {
    size_t len;
    uint8_t b[LEN_MAX];
};

static int
put_bytes(void *ctx, const char *b, size_t len)
{
    struct sink *s = ctx;

    if (len > sizeof s->b - s->len)
        return -1;
    memcpy(s->b + s->len, b, len);
    s->len += len;
    return 0;
}

static bool
pack_random(msgpack_packer *p, struct gvs_prng *prng, unsigned depth)
{
    uint8_t bin[300];
    uint32_t count = gvs_prng_below(prng, 5);
    uint32_t kind = gvs_prng_below(prng, depth > 0 ? 5 : 3);
    bool ok;

    if (gvs_prng_chance(prng, 1, 20))
        count += 14;
    switch (kind) {
    case 0:
        return msgpack_pack_uint64(p, gvs_prng_next(prng) >> gvs_prng_below(prng, 64)) == 0;
    case 1:
        return (gvs_prng_chance(prng, 1, 2) ? msgpack_pack_true(p) : msgpack_pack_false(p)) == 0;
    case 2:
        count = gvs_prng_chance(prng, 1, 20) ? 290 : gvs_prng_below(prng, 20);
        gvs_prng_fill(prng, bin, count);
        return msgpack_pack_bin(p, count) == 0 && msgpack_pack_bin_body(p, bin, count) == 0;
    case 3:
        ok = msgpack_pack_array(p, count) == 0;
        for (uint32_t i = 0; i < count && ok; i++)
            ok = pack_random(p, prng, depth - 1);
        return ok;
    default:
        ok = msgpack_pack_map(p, count) == 0;
        for (uint32_t i = 0; i < count && ok; i++)
            ok = msgpack_pack_uint64(p, 3 * i) == 0 && pack_random(p, prng, depth - 1);
        return ok;
    }
}

static void
test_what_msgpack_c_packs_is_read_the_same(void **state)
{
    struct sink s;
    msgpack_packer packer;

    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 20000); seed++) {
        struct gvs_prng prng = gvs_prng_init(seed);

        s.len = 0;
        msgpack_packer_init(&packer, &s, put_bytes);
        if (!pack_random(&packer, &prng, DEPTH))
            continue; /* too long */
        assert_true(accepted(s.b, s.len));
        for (size_t len = 0; len < s.len; len++)
            assert_false(accepted(s.b, len)); /* no proper prefix of a value is one */
        for (unsigned flips = 0; flips < 8; flips++) {
            uint32_t bit = gvs_prng_below(&prng, (uint32_t)s.len * 8);

            s.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
            accepted(s.b, s.len); /* whatever it says, both say the same */
        }
    }
}

static void
test_random_bytes_are_read_the_same_or_refused(void **state)
{
    uint8_t b[64];
    size_t taken = 0, len;

    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 200000); seed++) {
        struct gvs_prng prng = gvs_prng_init(seed);

        len = gvs_prng_below(&prng, sizeof b);
        gvs_prng_fill(&prng, b, len);
        if (len > 0 && gvs_prng_chance(&prng, 3, 4))
            b[0] = (uint8_t)(0x80 | (b[0] & 0x1f)); /* often a container */
        taken += accepted(b, len);
    }
    print_message("%zu accepted\n", taken);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_form_has_one_spelling),
        cmocka_unit_test(test_t17_a_declared_length_alone_is_refused),
        cmocka_unit_test(test_a_deep_nest_is_refused_without_descending),
        cmocka_unit_test_teardown(test_what_msgpack_c_packs_is_read_the_same, test_seed_teardown),
        cmocka_unit_test_teardown(test_random_bytes_are_read_the_same_or_refused,
                                  test_seed_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
