/* test/net/test_keyring.c: what a keyring file may say, and what is said about one that may not. */
#include "net/keyring.h"
#include "test/lib/prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define K1 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define K2 "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
#define K3 "QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8="
#define K4 "YGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6e3x9fn8="
#define K5 "gIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaXmJmam5ydnp8="

static void
test_what_a_keyring_may_say(void **state)
{
    static const struct {
        const char *why, *text;
        size_t count, primary;
    } rows[] = {
        {"one key", K1 " primary\n", 1, 0},
        {"no newline at the end", K1 " primary", 1, 0},
        {"a note", K1 " primary # from lb1, 2026-11\n", 1, 0},
        {"a note that touches", K1 " primary #x\n", 1, 0},
        {"tabs, blanks and a carriage return", "\t" K1 "  \t primary \r\n", 1, 0},
        {"the primary may come last", K1 " accept\n" K2 " primary\n", 2, 1},
        {"four keys", K1 " accept\n" K2 " accept\n" K3 " primary\n" K4 " accept\n", 4, 2},
        {"comments and blank lines", "# ours\n\n   \n" K1 " primary\n  # " K2 " accept\n", 1, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gvs_keyring_fault fault;
        struct gvs_keyring k;

        print_message("%s\n", rows[i].why);
        assert_int_equal(gvs_keyring_parse(&k, rows[i].text, strlen(rows[i].text), &fault), GVS_OK);
        assert_int_equal(k.count, rows[i].count);
        assert_int_equal(k.primary, rows[i].primary);
        assert_int_equal(k.key[0].psk[31], 0x1f);
        for (size_t j = 0; j < k.count; j++) {
            uint8_t subkey[32];

            gvs_crypto_mac1_key(subkey, k.key[j].psk);
            assert_memory_equal(k.key[j].mac1, subkey, sizeof subkey);
            gvs_crypto_cookie_key(subkey, k.key[j].psk);
            assert_memory_equal(k.key[j].cookie, subkey, sizeof subkey);
            assert_true(k.key[j].id == gvs_crypto_key_id(k.key[j].psk));
            assert_ptr_equal(gvs_keyring_find(&k, k.key[j].id), &k.key[j]);
        }
        assert_null(gvs_keyring_find(&k, 1));
    }
}

static void
test_a_note_is_kept_as_far_as_it_can_be_shown(void **state)
{
    static const struct {
        const char *why, *text, *note;
    } rows[] = {
        {"none", K1 " primary\n", ""},
        {"an empty one", K1 " primary #\n", ""},
        {"blanks around it", K1 " primary #  march 2026 \t\r\n", "march 2026"},
        {"a second #", K1 " primary # a # b\n", "a # b"},
        {"at the end of the text", K1 " primary # last", "last"},
        {"too long", K1 " primary # 0123456789012345678901234567890123456789\n",
         "0123456789012345678901234567890"},
        {"bytes of a terminal", K1 " primary # a\033[1mb\xc3\xa4\n", "a?[1mb??"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gvs_keyring_fault fault;
        struct gvs_keyring k;

        print_message("%s\n", rows[i].why);
        assert_int_equal(gvs_keyring_parse(&k, rows[i].text, strlen(rows[i].text), &fault), GVS_OK);
        assert_string_equal(k.key[0].note, rows[i].note);
    }
}

static void
test_what_it_may_not(void **state)
{
    static const struct {
        const char *why, *text;
        size_t line;
        const char *says;
    } rows[] = {
        {"empty", "", 0, "no key"},
        {"comments only", "# " K1 " primary\n", 0, "no key"},
        {"nobody is primary", K1 " accept\n" K2 " accept\n", 0, "no key is primary"},
        {"two are", K1 " primary\n\n" K2 " primary\n", 3, "a second primary key"},
        {"too short", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8 primary\n", 1,
         "43 characters, a key has 44"},
        {"a passphrase", "secret primary\n", 1, "6 characters, a key has 44"},
        {"not base64", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh!= primary\n", 1,
         "not the base64 of 32 bytes"},
        {"31 bytes", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg== primary\n", 1,
         "not the base64 of 32 bytes"},
        {"zeros", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= primary\n", 1,
         "a key of zeros is not a secret"},
        {"no role", K1 "\n", 1, "primary or accept expected after the key"},
        {"another role", K1 " secondary\n", 1, "primary or accept expected after the key"},
        {"a role that goes on", K1 " primary# note\n", 1,
         "primary or accept expected after the key"},
        {"something after the role", K1 " primary 2026\n", 1, "only a note, after #, may follow"},
        {"the same twice", K1 " primary\n" K1 " accept\n", 2, "the same key a second time"},
        {"five", K1 " primary\n" K2 " accept\n" K3 " accept\n" K4 " accept\n" K5 " accept\n", 5,
         "more than 4 keys"},
        {"the third line is wrong", K1 " primary\n" K2 " accept\nx\n", 3,
         "1 characters, a key has 44"},
    };
    static const struct gvs_keyring nothing;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gvs_keyring_fault fault;
        struct gvs_keyring k;

        print_message("%s\n", rows[i].why);
        memset(&k, 0x5a, sizeof k);
        assert_int_equal(gvs_keyring_parse(&k, rows[i].text, strlen(rows[i].text), &fault),
                         GVS_E_MALFORMED);
        assert_int_equal(fault.line, rows[i].line);
        assert_string_equal(fault.text, rows[i].says);
        assert_memory_equal(&k, &nothing, sizeof k);
    }
}

static void
test_a_zero_byte_is_no_end(void **state)
{
    static const char text[] = K1 " primary\n\0" K2 " accept\n";
    struct gvs_keyring_fault fault;
    struct gvs_keyring k;

    (void)state;
    assert_int_equal(gvs_keyring_parse(&k, text, sizeof text - 1, &fault), GVS_E_MALFORMED);
    assert_int_equal(fault.line, 2);
}

/* Cuts, flips and doubles of a good file: parsed or refused, never half, and no byte of a key in
 * what is said. The text is on the heap and has no final 0, so that ASan sees a step too far. */
static void
test_a_damaged_file_is_whole_or_refused(void **state)
{
    static const char good[] = "# ring\n" K1 " accept # old\n" K2 " primary\n";
    static const struct gvs_keyring nothing;

    (void)state;
    for (uint64_t seed = test_seed_first(); seed < test_seed_end(20000); seed++) {
        struct gvs_prng prng = gvs_prng_init(seed);
        size_t len = gvs_prng_below(&prng, (uint32_t)sizeof good);
        struct gvs_keyring_fault fault;
        struct gvs_keyring k;
        char *text;

        if (gvs_prng_chance(&prng, 1, 2))
            len = sizeof good - 1;
        text = malloc(len ? len : 1);
        assert_non_null(text);
        memcpy(text, good, len);
        for (uint32_t n = gvs_prng_below(&prng, 3); n > 0 && len > 0; n--)
            text[gvs_prng_below(&prng, (uint32_t)len)] ^= (char)(1 << gvs_prng_below(&prng, 8));
        if (gvs_keyring_parse(&k, text, len, &fault) < 0) {
            if (memcmp(&k, &nothing, sizeof k) != 0 || fault.text[0] == 0 ||
                strstr(fault.text, "AAEC") || strstr(fault.text, "ICEi"))
                fail_msg("replay with GVS_SEED=%" PRIu64, seed);
        } else if (k.count < 1 || k.count > 2 || k.primary >= k.count) {
            fail_msg("replay with GVS_SEED=%" PRIu64, seed);
        }
        free(text);
    }
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
        cmocka_unit_test(test_what_a_keyring_may_say),
        cmocka_unit_test(test_a_note_is_kept_as_far_as_it_can_be_shown),
        cmocka_unit_test(test_what_it_may_not),
        cmocka_unit_test(test_a_zero_byte_is_no_end),
        cmocka_unit_test(test_a_damaged_file_is_whole_or_refused),
    };

    return cmocka_run_group_tests_name("keyring", tests, set_up, NULL);
}
