/* test/net/test_noise_flynn.c: our handshake is the one of the Noise Protocol Framework, as
 * somebody else has written it: test/golden/noise.txt, byte for byte, from the same keys. */
#include "net/noise.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GOLDEN "test/golden/noise.txt"

enum {
    PSK,
    STATIC_A,
    STATIC_B,
    E_A,
    E_B,
    PAYLOAD_INIT,
    PAYLOAD_RESP,
    INIT,
    RESP,
    DATA_A0,
    DATA_B0,
    DATA_A1,
    DATA_B1,
    FIELDS
};

static const char *const names[FIELDS] = {
    "psk",  "static_a", "static_b", "e_a",     "e_b",     "payload_init", "payload_resp",
    "init", "resp",     "data_a0",  "data_b0", "data_a1", "data_b1"};

struct vector {
    char cluster[256];
    uint8_t b[FIELDS][128];
    size_t len[FIELDS];
};

static void
read_field(FILE *f, struct vector *v, int field)
{
    char name[32], hex[257];

    assert_int_equal(fscanf(f, "%31s %256s\n", name, hex), 2);
    assert_string_equal(name, names[field]);
    for (v->len[field] = 0; hex[2 * v->len[field]] != 0; v->len[field]++) {
        char two[3] = {hex[2 * v->len[field]], hex[2 * v->len[field] + 1], 0}, *end;

        v->b[field][v->len[field]] = (uint8_t)strtoul(two, &end, 16);
        assert_ptr_equal(end, two + 2);
    }
}

/* False: there is no further one. */
static bool
read_vector(FILE *f, struct vector *v)
{
    if (fscanf(f, "cluster %255s\n", v->cluster) != 1)
        return false;
    for (int i = 0; i < FIELDS; i++)
        read_field(f, v, i);
    return true;
}

static void
assert_field(const struct vector *v, int field, const uint8_t *got, size_t len)
{
    print_message("%s\n", names[field]);
    assert_int_equal(v->len[field], len);
    assert_memory_equal(v->b[field], got, len);
}

static void
assert_sealed(const struct vector *v, int field, const uint8_t key[static 32], uint64_t counter)
{
    uint8_t body = (uint8_t)('0' + counter), out[1 + GVS_TAG_LEN];

    gvs_crypto_seal(out, &body, 1, NULL, 0, key, counter);
    assert_field(v, field, out, sizeof out);
}

/* Both sides are ours; what they say is what the others' said. */
static void
replay(const struct vector *v)
{
    const uint8_t *pi = v->b[PAYLOAD_INIT], *pr = v->b[PAYLOAD_RESP];
    struct gvs_noise_init init = {gvs_get64le(pi),      gvs_get64le(pi + 8),  gvs_get16le(pi + 16),
                                  gvs_get16le(pi + 18), gvs_get16le(pi + 20), gvs_get16le(pi + 22)};
    struct gvs_noise_resp resp = {gvs_get64le(pr), gvs_get64le(pr + 8), gvs_get16le(pr + 16),
                                  gvs_get16le(pr + 18), gvs_get32le(pr + 20)};
    uint8_t init_pkt[GVS_HANDSHAKE_LEN], resp_pkt[GVS_HANDSHAKE_LEN], rs[32];
    struct gvs_noise_self self_a, self_b;
    struct gvs_noise_keys a, b;
    struct gvs_noise na, nb;
    struct gvs_noise_init got_init;
    struct gvs_noise_resp got_resp;
    struct gvs_keyring_key key;

    memcpy(key.psk, v->b[PSK], sizeof key.psk);
    gvs_keyring_derive(&key);
    gvs_noise_self_init(&self_a, v->b[STATIC_A], v->cluster);
    gvs_noise_self_init(&self_b, v->b[STATIC_B], v->cluster);
    gvs_noise_write_init(&na, init_pkt, &self_a, &key, v->b[E_A], 1, &init);
    assert_field(v, INIT, init_pkt + GVS_AT_E, GVS_AT_MAC1 - GVS_AT_E);
    assert_int_equal(gvs_noise_read_init(&nb, init_pkt, &self_b, &key, &got_init), GVS_OK);
    assert_memory_equal(&got_init, &init, sizeof init);
    assert_int_equal(gvs_noise_write_resp(&nb, resp_pkt, &self_b, &key, v->b[E_B], 2, 1, &resp, &b),
                     GVS_OK);
    assert_field(v, RESP, resp_pkt + GVS_AT_E, GVS_AT_MAC1 - GVS_AT_E);
    assert_int_equal(gvs_noise_read_resp(&na, resp_pkt, &self_a, rs, &got_resp, &a), GVS_OK);
    assert_memory_equal(&got_resp, &resp, sizeof resp);
    assert_sealed(v, DATA_A0, a.send, 0);
    assert_sealed(v, DATA_A1, b.recv, 1);
    assert_sealed(v, DATA_B0, b.send, 0);
    assert_sealed(v, DATA_B1, a.recv, 1);
}

static void
test_another_implementation_says_the_same(void **state)
{
    FILE *f = fopen(GOLDEN, "r");
    size_t count = 0, longest = 0;
    struct vector v;
    int c;

    (void)state;
    assert_non_null(f);
    while ((c = fgetc(f)) == '#')
        assert_int_equal(fscanf(f, "%*[^\n]\n"), 0);
    ungetc(c, f);
    for (; read_vector(f, &v); count++) {
        replay(&v);
        longest = strlen(v.cluster) > longest ? strlen(v.cluster) : longest;
    }
    assert_true(feof(f) != 0);
    fclose(f);
    assert_int_equal(count, 3);
    assert_int_equal(longest, 255);
}

static int
set_up(void **state)
{
    (void)state;
    return gvs_crypto_init();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_another_implementation_says_the_same),
    };

    return cmocka_run_group_tests_name("noise_flynn", tests, set_up, NULL);
}
