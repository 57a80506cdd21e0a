/* test/net/test_crypto.c: every primitive against published vectors, so that a node of ours and
 * one written by somebody else from docs/wire.md understand each other. */
#include "net/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static size_t
unhex(uint8_t *out, const char *hex)
{
    size_t len = strlen(hex) / 2;

    for (size_t i = 0; i < len; i++) {
        char two[3] = {hex[2 * i], hex[2 * i + 1], 0};

        out[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    return len;
}

static void
assert_hex(const uint8_t *got, const char *hex)
{
    uint8_t want[512];
    size_t len = unhex(want, hex);

    assert_memory_equal(got, want, len);
}

/* 00 01 02 ... 1f: the key of several published vectors. */
static void
count_up(uint8_t key[static 32])
{
    for (int i = 0; i < 32; i++)
        key[i] = (uint8_t)i;
}

static void
test_sha256_is_that_of_fips_180_and_takes_two_pieces(void **state)
{
    uint8_t out[32];

    (void)state;
    gvs_crypto_sha256(out, "abc", 3, NULL, 0);
    assert_hex(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    gvs_crypto_sha256(out, "a", 1, "bc", 2);
    assert_hex(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* RFC 5869, test case 3 (no salt is a salt of zeros); its 42 bytes are o1 and the first 10 of o2.
 * The rest is from Python's hmac. */
static void
test_hkdf_is_that_of_rfc_5869(void **state)
{
    static const uint8_t salt[32];
    uint8_t ikm[22], o1[32], o2[32], o3[32], ck[32] = {0};

    (void)state;
    memset(ikm, 0x0b, sizeof ikm);
    gvs_crypto_hkdf(o1, o2, o3, salt, ikm, sizeof ikm);
    assert_hex(o1, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
    assert_hex(o2, "9d201395faa4b61a96c8b2fb61057244b36c6ddd287f634795e7d80d5fe26bfc");
    assert_hex(o3, "36def6dc129c29271a0eb7ab14bd2ca88259f8a3a92ac2ec0e3e4fa046a4b90b");
    gvs_crypto_hkdf(ck, o2, NULL, ck, ikm, sizeof ikm);
    assert_memory_equal(ck, o1, 32); /* in place */
}

#define ALICE "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"
#define ALICE_PUB "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
#define BOB "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"
#define BOB_PUB "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
#define ALICE_BOB "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"

static void
test_x25519_is_that_of_rfc_7748(void **state)
{
    static const struct {
        const char *why, *priv, *pub, *shared;
    } rows[] = {
        {"5.2, the first", "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
         "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
         "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"},
        {"5.2, the second", "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
         "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
         "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"},
        {"6.1, Alice's side", ALICE, BOB_PUB, ALICE_BOB},
        {"6.1, Bob's side", BOB, ALICE_PUB, ALICE_BOB},
    };
    uint8_t priv[32], pub[32], out[32];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("%s\n", rows[i].why);
        unhex(priv, rows[i].priv);
        unhex(pub, rows[i].pub);
        assert_int_equal(gvs_crypto_dh(out, priv, pub), GVS_OK);
        assert_hex(out, rows[i].shared);
    }
    unhex(priv, ALICE);
    gvs_crypto_public(pub, priv);
    assert_hex(pub, ALICE_PUB);
    unhex(priv, BOB);
    gvs_crypto_public(pub, priv);
    assert_hex(pub, BOB_PUB);
}

static void
test_a_point_of_low_order_is_refused(void **state)
{
    static const struct {
        const char *why, *pub;
    } rows[] = {
        {"zero", "0000000000000000000000000000000000000000000000000000000000000000"},
        {"one", "0100000000000000000000000000000000000000000000000000000000000000"},
        {"order 8", "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"},
        {"p - 1", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"},
        {"p, another zero", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t priv[32], pub[32], out[32];

        print_message("%s\n", rows[i].why);
        unhex(priv, ALICE);
        unhex(pub, rows[i].pub);
        assert_int_equal(gvs_crypto_dh(out, priv, pub), GVS_E_FORGED);
    }
}

/* RFC 8439, A.5: its nonce begins with 4 zero bytes, as ours do. */
static void
test_aead_is_that_of_rfc_8439(void **state)
{
    static const char text[] =
        "Internet-Drafts are draft documents valid for a maximum of six months and may be updated, "
        "replaced, or obsoleted by other documents at any time. It is inappropriate to use "
        "Internet-Drafts as reference material or to cite them other than as /"
        "\xe2\x80\x9cwork in progress./\xe2\x80\x9d";
    const size_t len = sizeof text - 1;
    const uint64_t n = UINT64_C(0x0807060504030201);
    uint8_t key[32], ad[12], out[sizeof text - 1 + GVS_TAG_LEN], back[sizeof text - 1];

    (void)state;
    assert_int_equal(len, 265);
    unhex(key, "1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0");
    unhex(ad, "f33388860000000000004e91");
    gvs_crypto_seal(out, (const uint8_t *)text, len, ad, sizeof ad, key, n);
    assert_hex(out, "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb2");
    assert_hex(out + len, "eead9d67890cbb22392336fea1851f38");
    assert_int_equal(gvs_crypto_open(back, out, sizeof out, ad, sizeof ad, key, n), GVS_OK);
    assert_memory_equal(back, text, len);
}

static void
test_what_was_changed_does_not_open(void **state)
{
    uint8_t key[32], msg[40] = "forty bytes", ad[8] = "ad", box[40 + GVS_TAG_LEN], out[40];

    (void)state;
    count_up(key);
    gvs_crypto_seal(box, msg, sizeof msg, ad, sizeof ad, key, 7);
    for (size_t bit = 0; bit < sizeof box * 8; bit++) {
        box[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(gvs_crypto_open(out, box, sizeof box, ad, sizeof ad, key, 7),
                         GVS_E_FORGED);
        box[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t len = 0; len < sizeof box; len++)
        assert_int_equal(gvs_crypto_open(out, box, len, ad, sizeof ad, key, 7), GVS_E_FORGED);
    assert_int_equal(gvs_crypto_open(out, box, sizeof box, ad, 7, key, 7), GVS_E_FORGED);
    assert_int_equal(gvs_crypto_open(out, box, sizeof box, ad, 8, key, 8), GVS_E_FORGED);
    assert_int_equal(gvs_crypto_open(out, box, sizeof box, ad, 8, key, 7), GVS_OK);
    assert_memory_equal(out, msg, sizeof msg);
}

static void
test_a_box_opens_in_place_and_may_be_empty(void **state)
{
    uint8_t key[32], box[5 + GVS_TAG_LEN] = "hello";

    (void)state;
    count_up(key);
    gvs_crypto_seal(box, box, 5, NULL, 0, key, 0);
    assert_memory_not_equal(box, "hello", 5);
    assert_int_equal(gvs_crypto_open(box, box, sizeof box, NULL, 0, key, 0), GVS_OK);
    assert_memory_equal(box, "hello", 5);
    gvs_crypto_seal(box, NULL, 0, NULL, 0, key, 1);
    assert_int_equal(gvs_crypto_open(box, box, GVS_TAG_LEN, NULL, 0, key, 1), GVS_OK);
}

/* Draft-irtf-cfrg-xchacha-03, A.3.1. */
static void
test_xseal_is_xchacha20_poly1305(void **state)
{
    static const char text[] = "Ladies and Gentlemen of the class of '99: If I could offer you "
                               "only one tip for the future, sunscreen would be it.";
    uint8_t key[32], nonce[GVS_XNONCE_LEN], ad[12], out[114 + GVS_TAG_LEN], back[114];

    (void)state;
    for (int i = 0; i < 32; i++)
        key[i] = (uint8_t)(0x80 + i);
    for (int i = 0; i < GVS_XNONCE_LEN; i++)
        nonce[i] = (uint8_t)(0x40 + i);
    unhex(ad, "50515253c0c1c2c3c4c5c6c7");
    gvs_crypto_xseal(out, (const uint8_t *)text, sizeof back, ad, sizeof ad, key, nonce);
    assert_hex(out, "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb"
                    "731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452"
                    "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
                    "21f9664c97637da9768812f615c68b13b52e");
    assert_hex(out + sizeof back, "c0875924c1c7987947deafd8780acf49");
    assert_int_equal(gvs_crypto_xopen(back, out, sizeof out, ad, sizeof ad, key, nonce), GVS_OK);
    assert_memory_equal(back, text, sizeof back);
    assert_int_equal(gvs_crypto_xopen(back, out, sizeof out, ad, 11, key, nonce), GVS_E_FORGED);
    assert_int_equal(gvs_crypto_xopen(back, out, 15, ad, 12, key, nonce), GVS_E_FORGED);
    nonce[23] ^= 1;
    assert_int_equal(gvs_crypto_xopen(back, out, sizeof out, ad, 12, key, nonce), GVS_E_FORGED);
}

/* Values from Python's hashlib.blake2b(digest_size=16, key=...). */
static void
test_mac_is_keyed_blake2b(void **state)
{
    uint8_t key[32], msg[144], out[GVS_MAC_LEN];

    (void)state;
    count_up(key);
    for (size_t i = 0; i < sizeof msg; i++)
        msg[i] = (uint8_t)i;
    gvs_crypto_mac(out, msg, sizeof msg, key, sizeof key);
    assert_hex(out, "e3e2c071ed27922dc3566c08521f5a53");
    gvs_crypto_mac(out, NULL, 0, key, sizeof key);
    assert_hex(out, "3daf97bce7888fd59773c66bf647459c");
    gvs_crypto_mac(out, "abc", 3, key, 16);
    assert_hex(out, "cc611a2673ca66e9f7fc64b995c5467c");
}

/* Values from Python's hashlib: sha256, and blake2b with salt and person for the subkeys. */
static void
test_what_derives_from_a_key_is_what_wire_md_says(void **state)
{
    struct gvs_siphash_key table;
    struct gvs_id id;
    uint8_t psk[32], out[32];

    (void)state;
    count_up(psk);
    assert_true(gvs_crypto_key_id(psk) == UINT64_C(0x3bbbd652ddefa62c));
    gvs_crypto_mac1_key(out, psk);
    assert_hex(out, "a3039b93f3947cad86c67758ba7a51eb4b6de86a208bca5aaa6737899b7104a7");
    gvs_crypto_cookie_key(out, psk);
    assert_hex(out, "f5986b81feea55723e18a687cd91f8458d1ef176572281a971159aa40299813c");
    id = gvs_crypto_node_id(psk);
    assert_hex(id.b, "cb046c24df9fec533db8630146fa441b");
    gvs_crypto_table_key(&table, "prod-eu");
    assert_hex(table.b, "2dafa2d59dd349c8a0ea152ff992844a");
}

/* The table in the reference implementation of Aumasson and Bernstein; the row of 15 bytes is the
 * example of their paper. */
static void
test_siphash_is_siphash_2_4(void **state)
{
    static const struct {
        size_t len;
        uint64_t hash;
    } rows[] = {
        {0, UINT64_C(0x726fdb47dd0e0e31)},
        {1, UINT64_C(0x74f839c593dc67fd)},
        {2, UINT64_C(0x0d6c8009d9a94f5a)},
        {15, UINT64_C(0xa129ca6149be45e5)},
    };
    struct gvs_siphash_key key;
    uint8_t msg[15];

    (void)state;
    for (uint8_t i = 0; i < 16; i++)
        key.b[i] = i;
    for (uint8_t i = 0; i < 15; i++)
        msg[i] = i;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_true(gvs_crypto_siphash(&key, msg, rows[i].len) == rows[i].hash);
}

static void
test_checksum_is_the_beginning_of_blake2b(void **state)
{
    (void)state;
    assert_true(gvs_crypto_checksum("abc", 3) == UINT64_C(0xbddd813c63423972));
    assert_true(gvs_crypto_checksum(NULL, 0) == UINT64_C(0x0e5751c026e543b2));
}

static void
test_a_key_has_one_text_and_only_that_is_read(void **state)
{
    static const char good[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    static const struct {
        const char *why, *text;
    } rows[] = {
        {"31 bytes", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg=="},
        {"33 bytes", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g"},
        {"no padding", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"},
        {"a blank more", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= "},
        {"a stray letter", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh!="},
        {"the alphabet of URLs", "--ECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="},
        {"bits beyond the last byte", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9="},
        {"nothing", ""},
    };
    uint8_t key[32], out[32];
    char text[45];

    (void)state;
    count_up(key);
    gvs_crypto_key_format(text, key);
    assert_string_equal(text, good);
    assert_int_equal(gvs_crypto_key_parse(out, good, 44), GVS_OK);
    assert_memory_equal(out, key, 32);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("%s\n", rows[i].why);
        memset(out, 0x5a, sizeof out);
        assert_int_equal(gvs_crypto_key_parse(out, rows[i].text, strlen(rows[i].text)),
                         GVS_E_MALFORMED);
        for (int j = 0; j < 32; j++)
            assert_int_equal(out[j], 0x5a); /* untouched */
    }
}

static void
test_random_bytes_differ_and_wiped_ones_do_not(void **state)
{
    static const uint8_t zero[32];
    uint8_t a[32], b[32];

    (void)state;
    gvs_crypto_random(NULL, a, sizeof a);
    gvs_crypto_random(NULL, b, sizeof b);
    assert_false(gvs_crypto_equal(a, b, sizeof a));
    gvs_crypto_wipe(a, sizeof a);
    assert_true(gvs_crypto_equal(a, zero, sizeof a));
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
        cmocka_unit_test(test_sha256_is_that_of_fips_180_and_takes_two_pieces),
        cmocka_unit_test(test_hkdf_is_that_of_rfc_5869),
        cmocka_unit_test(test_x25519_is_that_of_rfc_7748),
        cmocka_unit_test(test_a_point_of_low_order_is_refused),
        cmocka_unit_test(test_aead_is_that_of_rfc_8439),
        cmocka_unit_test(test_what_was_changed_does_not_open),
        cmocka_unit_test(test_a_box_opens_in_place_and_may_be_empty),
        cmocka_unit_test(test_xseal_is_xchacha20_poly1305),
        cmocka_unit_test(test_mac_is_keyed_blake2b),
        cmocka_unit_test(test_what_derives_from_a_key_is_what_wire_md_says),
        cmocka_unit_test(test_siphash_is_siphash_2_4),
        cmocka_unit_test(test_checksum_is_the_beginning_of_blake2b),
        cmocka_unit_test(test_a_key_has_one_text_and_only_that_is_read),
        cmocka_unit_test(test_random_bytes_differ_and_wiped_ones_do_not),
    };

    return cmocka_run_group_tests_name("crypto", tests, set_up, NULL);
}
