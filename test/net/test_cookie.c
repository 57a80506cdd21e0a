/* test/net/test_cookie.c: a cookie proves one address for a while, and nothing else does. */
#include "net/cookie.h"
#include "test/lib/prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct bench {
    struct gvs_prng prng;
    struct gvs_random random;
    struct gvs_mono now;
    struct gvs_keyring_key key;
    struct gvs_cookie_secrets secrets;
    struct gvs_cookie_jar jar;
    struct gvs_ep a, b; /* who asks, who answers */
    uint8_t init[GVS_HANDSHAKE_LEN], pkt[GVS_COOKIE_LEN];
};

static void
bench_random(void *ctx, void *buf, size_t len)
{
    gvs_prng_fill(ctx, buf, len);
}

static void
next_init(struct bench *b)
{
    gvs_prng_fill(&b->prng, b->init, GVS_AT_MAC2);
    memset(b->init + GVS_AT_MAC2, 0, GVS_MAC_LEN);
}

static void
open_bench(struct bench *b, uint64_t seed)
{
    *b = (struct bench){.prng = gvs_prng_init(seed), .now = {1000}};
    b->random = (struct gvs_random){bench_random, &b->prng};
    b->a = (struct gvs_ep){{GVS_FAMILY_V4, {10, 77, 0, 1}}, 7900};
    b->b = (struct gvs_ep){{GVS_FAMILY_V4, {10, 77, 0, 2}}, 7900};
    memset(b->key.psk, 1, sizeof b->key.psk);
    gvs_keyring_derive(&b->key);
    next_init(b);
}

static void
answer(struct bench *b)
{
    gvs_cookie_answer(&b->secrets, b->now, &b->random, &b->a, b->init, &b->key, b->pkt);
}

static int
keep(struct bench *b)
{
    return gvs_cookie_keep(&b->jar, b->now, &b->b, b->pkt, b->init, &b->key);
}

static bool
proves(const struct bench *b)
{
    return gvs_cookie_proves(&b->secrets, b->now, &b->a, b->init);
}

/* INIT is answered, and the next one has what the answer brought. */
static void
ask(struct bench *b)
{
    answer(b);
    assert_int_equal(keep(b), GVS_OK);
    next_init(b);
    gvs_cookie_use(&b->jar, b->now, &b->b, b->init);
}

static void
test_who_got_a_cookie_proves_his_address_by_it(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b, 1);
    assert_false(proves(&b));
    ask(&b);
    assert_true(proves(&b));
    print_message("and by another INIT as well\n");
    next_init(&b);
    assert_false(proves(&b));
    gvs_cookie_use(&b.jar, b.now, &b.b, b.init);
    assert_true(proves(&b));
    print_message("but not one that is changed\n");
    for (size_t bit = 0; bit < sizeof b.init * 8; bit++) {
        b.init[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(proves(&b));
        b.init[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void
test_a_cookie_is_one_address_s_and_port_s(void **state)
{
    static const struct gvs_ep others[] = {
        {{GVS_FAMILY_V4, {10, 77, 0, 1}}, 7901},
        {{GVS_FAMILY_V4, {10, 77, 0, 3}}, 7900},
        {{GVS_FAMILY_V6, {10, 77, 0, 1}}, 7900},
    };
    struct bench b;

    (void)state;
    open_bench(&b, 2);
    ask(&b);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(gvs_cookie_proves(&b.secrets, b.now, &others[i], b.init));
    print_message("and goes to nobody but who sent it\n");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        next_init(&b);
        gvs_cookie_use(&b.jar, b.now, &others[i], b.init);
        assert_false(proves(&b));
    }
}

static void
test_a_cookie_answers_one_init_under_one_key(void **state)
{
    struct gvs_keyring_key other;
    struct bench b;

    (void)state;
    open_bench(&b, 3);
    answer(&b);
    for (size_t bit = GVS_AT_COOKIE_NONCE * 8; bit < sizeof b.pkt * 8; bit++) {
        b.pkt[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(keep(&b), GVS_E_FORGED);
        b.pkt[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    other = b.key;
    other.psk[0] ^= 1;
    gvs_keyring_derive(&other);
    assert_int_equal(gvs_cookie_keep(&b.jar, b.now, &b.b, b.pkt, b.init, &other), GVS_E_FORGED);
    b.init[GVS_AT_MAC1] ^= 1;
    assert_int_equal(keep(&b), GVS_E_FORGED);
    next_init(&b);
    gvs_cookie_use(&b.jar, b.now, &b.b, b.init);
    assert_false(proves(&b)); /* nothing was kept of all that */
}

static void
test_who_got_a_cookie_uses_it_for_120_s(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b, 4);
    ask(&b);
    b.now = gvs_mono_add_ms(b.now, 119999);
    next_init(&b);
    gvs_cookie_use(&b.jar, b.now, &b.b, b.init);
    assert_true(proves(&b));
    b.now = gvs_mono_add_ms(b.now, 1);
    next_init(&b);
    gvs_cookie_use(&b.jar, b.now, &b.b, b.init);
    assert_false(proves(&b));
}

/* I1, from both ends of the secret's 120 s. */
static void
test_a_secret_proves_until_its_last_cookie_is_over(void **state)
{
    static const uint64_t given_ms[] = {0, 119999};
    struct bench b;

    (void)state;
    for (size_t i = 0; i < sizeof given_ms / sizeof *given_ms; i++) {
        struct gvs_cookie_secret first;

        open_bench(&b, 5);
        answer(&b);
        first = b.secrets.latest;
        b.now = gvs_mono_add_ms(b.now, given_ms[i]);
        ask(&b);
        assert_memory_equal(&b.secrets.latest, &first, sizeof first);
        b.now.us = first.until.us - 1;
        assert_true(proves(&b));
        b.now = first.until;
        assert_false(proves(&b));
    }
}

static void
test_after_120_s_there_is_a_new_secret_and_the_one_before_still_proves(void **state)
{
    uint8_t old[GVS_HANDSHAKE_LEN], new[GVS_HANDSHAKE_LEN];
    struct bench b;

    (void)state;
    open_bench(&b, 6);
    ask(&b);
    memcpy(old, b.init, sizeof old);
    b.now = gvs_mono_add_ms(b.now, 120000);
    ask(&b);
    memcpy(new, b.init, sizeof new);
    assert_memory_not_equal(b.secrets.latest.b, b.secrets.former.b, 32);
    assert_true(gvs_cookie_proves(&b.secrets, b.now, &b.a, old));
    assert_true(gvs_cookie_proves(&b.secrets, b.now, &b.a, new));
    b.now = gvs_mono_add_ms(b.now, 120000);
    assert_false(gvs_cookie_proves(&b.secrets, b.now, &b.a, old));
    assert_true(gvs_cookie_proves(&b.secrets, b.now, &b.a, new));
    ask(&b);
    assert_true(gvs_cookie_proves(&b.secrets, b.now, &b.a, new));
}

/* A secret of zeros, which is what there is before the first answer, proves nothing. */
static void
test_before_the_first_answer_nothing_proves(void **state)
{
    static const struct gvs_cookie_secret zero = {{0}, {UINT64_MAX}};
    struct gvs_cookie_secrets secrets = {zero, zero};
    struct bench b;

    (void)state;
    open_bench(&b, 7);
    b.now.us = 0;
    gvs_cookie_answer(&secrets, b.now, &b.random, &b.a, b.init, &b.key, b.pkt);
    assert_int_equal(keep(&b), GVS_OK);
    gvs_cookie_use(&b.jar, b.now, &b.b, b.init);
    assert_true(gvs_cookie_proves(&secrets, b.now, &b.a, b.init));
    assert_false(proves(&b));
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
        cmocka_unit_test(test_who_got_a_cookie_proves_his_address_by_it),
        cmocka_unit_test(test_a_cookie_is_one_address_s_and_port_s),
        cmocka_unit_test(test_a_cookie_answers_one_init_under_one_key),
        cmocka_unit_test(test_who_got_a_cookie_uses_it_for_120_s),
        cmocka_unit_test(test_a_secret_proves_until_its_last_cookie_is_over),
        cmocka_unit_test(test_after_120_s_there_is_a_new_secret_and_the_one_before_still_proves),
        cmocka_unit_test(test_before_the_first_answer_nothing_proves),
    };

    return cmocka_run_group_tests_name("cookie", tests, set_up, NULL);
}
