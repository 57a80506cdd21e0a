/* test/core/test_id.c */
#include "core/err.h"
#include "core/id.h"
#include "test/core/sample.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#define ZEROS "aaaaaaaaaaaaaaaaaaaaaaaaa" /* 25 of the 26 characters */

/* Every row was made with coreutils' base32. */
static void
test_text_is_rfc_4648_in_lower_case(void **state)
{
    static const struct {
        const char *why;
        struct gvs_id id;
        const char *text;
    } rows[] = {
        {"the cluster is all zero", {{0}}, ZEROS "a"},
        {"the last bit is the top of the last character's 3 bits", {{[15] = 1}}, ZEROS "e"},
        {"the first bit leads", {{0x80}}, "qaaaaaaaaaaaaaaaaaaaaaaaaa"},
        {"all ones",
         {{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}},
         "77777777777777777777777774"},
        {"bytes in order",
         {{0, 17, 34, 51, 68, 85, 102, 119, 136, 153, 170, 187, 204, 221, 238, 255}},
         "aaisem2ekvthpcezvk54zxpo74"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[GVS_ID_TEXT_LEN + 1];
        struct gvs_id back;

        print_message("%s\n", rows[i].why);
        gvs_id_format(text, &rows[i].id);
        assert_string_equal(text, rows[i].text);
        assert_int_equal(gvs_id_parse(&back, text, GVS_ID_TEXT_LEN), GVS_OK);
        assert_memory_equal(&back, &rows[i].id, sizeof back);
    }
}

static void
test_other_texts_are_refused_and_leave_the_id_alone(void **state)
{
    static const struct {
        const char *why, *text;
    } rows[] = {
        {"empty", ""},
        {"one character short", ZEROS},
        {"one character long", ZEROS "aa"},
        {"upper case is not canonical", "A" ZEROS},
        {"0 is not in the alphabet", "0" ZEROS},
        {"1 is not in the alphabet", "1" ZEROS},
        {"8 is not in the alphabet", "8" ZEROS},
        {"a space is not in the alphabet", " " ZEROS},
        {"padding is not written", ZEROS "="},
        {"the lowest bit of the last character is not ours", ZEROS "b"},
        {"nor is the one above it", ZEROS "c"},
        {"nor both", ZEROS "7"},
        {"a byte above ASCII", "\xe1" ZEROS},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gvs_id id = {{0xa5}}, before = id;

        print_message("%s\n", rows[i].why);
        assert_int_equal(gvs_id_parse(&id, rows[i].text, strlen(rows[i].text)), GVS_E_MALFORMED);
        assert_memory_equal(&id, &before, sizeof id);
    }
}

static void
test_a_zero_byte_inside_is_refused(void **state)
{
    char text[GVS_ID_TEXT_LEN] = ZEROS "a";
    struct gvs_id id;

    (void)state;
    text[13] = 0;
    assert_int_equal(gvs_id_parse(&id, text, sizeof text), GVS_E_MALFORMED);
}

static void
test_each_last_character_is_canonical_exactly_if_its_low_bits_are_clear(void **state)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";

    (void)state;
    for (size_t i = 0; i < 32; i++) {
        char text[] = ZEROS "a";
        struct gvs_id id;

        text[GVS_ID_TEXT_LEN - 1] = alphabet[i];
        assert_int_equal(gvs_id_parse(&id, text, GVS_ID_TEXT_LEN),
                         i % 4 == 0 ? GVS_OK : GVS_E_MALFORMED);
    }
}

static void
test_random_ids_come_back_and_texts_sort_apart(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); seed < test_seed_end(20000); seed++) {
        struct gvs_prng prng = gvs_prng_init(seed);
        struct gvs_id a = sample_id(&prng), b = sample_id(&prng), back;
        char text[GVS_ID_TEXT_LEN + 1], other[GVS_ID_TEXT_LEN + 1];

        gvs_id_format(text, &a);
        gvs_id_format(other, &b);
        if (strlen(text) != GVS_ID_TEXT_LEN ||
            gvs_id_parse(&back, text, GVS_ID_TEXT_LEN) != GVS_OK || gvs_id_cmp(&a, &back) != 0 ||
            (strcmp(text, other) == 0) != (gvs_id_cmp(&a, &b) == 0))
            fail_msg("replay with GVS_SEED=%" PRIu64, seed);
    }
}

static void
test_only_all_zero_is_the_cluster(void **state)
{
    struct gvs_id id = GVS_ID_CLUSTER;

    (void)state;
    assert_true(gvs_id_is_cluster(&id));
    for (size_t i = 0; i < sizeof id.b; i++) {
        id = GVS_ID_CLUSTER;
        id.b[i] = 1;
        assert_false(gvs_id_is_cluster(&id));
        assert_true(gvs_id_cmp(&id, &GVS_ID_CLUSTER) > 0);
        assert_true(gvs_id_cmp(&GVS_ID_CLUSTER, &id) < 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_is_rfc_4648_in_lower_case),
        cmocka_unit_test(test_other_texts_are_refused_and_leave_the_id_alone),
        cmocka_unit_test(test_a_zero_byte_inside_is_refused),
        cmocka_unit_test(test_each_last_character_is_canonical_exactly_if_its_low_bits_are_clear),
        cmocka_unit_test(test_random_ids_come_back_and_texts_sort_apart),
        cmocka_unit_test(test_only_all_zero_is_the_cluster),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
