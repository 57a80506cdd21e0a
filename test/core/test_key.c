/* test/core/test_key.c */
#include "core/err.h"
#include "core/key.h"
#include "test/core/sample.h"
#include "test/lib/child.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

static int
sign_of(int v)
{
    return (v > 0) - (v < 0);
}

/* clang-format off */
#define V4(a, b, c, d) {GVS_FAMILY_V4, {a, b, c, d}}
#define WEB {GVS_PROTO_TCP, V4(10, 99, 0, 1), 80, 0}
#define DNS {GVS_PROTO_UDP, {GVS_FAMILY_V6, {0xfd, 0, 0, 0x99, [15] = 1}}, 53, 0}
#define NODE {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}}
/* clang-format on */
#define WEB_HEX "53 06 04 0a630001 0050"
#define DNS_HEX "53 11 06 fd000099 00000000 00000000 00000001 0035"
#define NODE_HEX "01020304 05060708 090a0b0c 0d0e0f10"

static void
test_bytes_are_as_the_header_draws_them(void **state)
{
    static const struct {
        const char *why;
        struct gvs_key key;
        const char *hex;
    } rows[] = {
        {"a service, the cluster's claim",
         {GVS_KEY_SERVICE, WEB, {{0}, 0}, {{0}}, 0},
         WEB_HEX "41"},
        {"a service, a node's claim",
         {GVS_KEY_SERVICE, WEB, {{0}, 0}, NODE, 0},
         WEB_HEX "41" NODE_HEX},
        {"a backend, the cluster's",
         {GVS_KEY_BACKEND, WEB, {V4(10, 77, 0, 4), 8080}, {{0}}, 0},
         WEB_HEX "42 04 0a4d0004 1f90"},
        {"a backend, a node's",
         {GVS_KEY_BACKEND, WEB, {V4(10, 77, 0, 4), 8080}, NODE, 0},
         WEB_HEX "42 04 0a4d0004 1f90" NODE_HEX},
        {"an override names nobody",
         {GVS_KEY_OVERRIDE, WEB, {V4(10, 77, 0, 4), 8080}, {{0}}, 0},
         WEB_HEX "4f 04 0a4d0004 1f90"},
        {"IPv6 and UDP", {GVS_KEY_SERVICE, DNS, {{0}, 0}, {{0}}, 0}, DNS_HEX "41"},
        {"SCTP, all ports",
         {GVS_KEY_SERVICE, {GVS_PROTO_SCTP, V4(1, 2, 3, 4), 0, 0}, {{0}, 0}, {{0}}, 0},
         "53 84 04 01020304 0000 41"},
        {"a mark of IPv4",
         {GVS_KEY_SERVICE, {GVS_PROTO_FWMARK, {GVS_FAMILY_V4, {0}}, 0, 5}, {{0}, 0}, {{0}}, 0},
         "53 00 04 00000005 41"},
        {"the greatest mark, of IPv6",
         {GVS_KEY_SERVICE,
          {GVS_PROTO_FWMARK, {GVS_FAMILY_V6, {0}}, 0, UINT32_MAX},
          {{0}, 0},
          {{0}},
          0},
         "53 00 06 ffffffff 41"},
        {"a backend of the other family is a matter for the view",
         {GVS_KEY_BACKEND, DNS, {V4(10, 77, 0, 4), 53}, {{0}}, 0},
         DNS_HEX "42 04 0a4d0004 0035"},
        {"a member", {GVS_KEY_MEMBER, {0}, {{0}, 0}, NODE, 0}, "4d" NODE_HEX},
        {"a trial", {GVS_KEY_TRIAL, {0}, {{0}, 0}, {{0}}, 0x1a7f}, "54 0000000000001a7f"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gvs_keybuf got;
        struct gvs_key back;
        uint8_t want[GVS_KEY_LEN_MAX];
        size_t len = sample_bytes(want, rows[i].hex);

        print_message("%s\n", rows[i].why);
        gvs_key_build(&got, &rows[i].key);
        assert_int_equal(got.len, len);
        assert_memory_equal(got.b, want, len);
        assert_int_equal(gvs_key_parse(&back, got.b, got.len), GVS_OK);
        assert_memory_equal(&back, &rows[i].key, sizeof back);
    }
}

static void
test_other_bytes_are_refused_and_leave_the_key_alone(void **state)
{
    static const struct {
        const char *why, *hex;
    } rows[] = {
        {"nothing", ""},
        {"an unknown kind", "55 06 04 0a630001 0050 41"},
        {"a service without its part", WEB_HEX},
        {"an unknown part", WEB_HEX "43"},
        {"an unknown protocol", "53 01 04 0a630001 0050 41"},
        {"no family", "53 06 00 0050 41"},
        {"an unknown family", "53 06 05 0a630001 0050 41"},
        {"a mark of 0", "53 00 04 00000000 41"},
        {"a mark of no family", "53 00 00 00000005 41"},
        {"a mark of an unknown family", "53 00 05 00000005 41"},
        {"a v4-mapped service", "53 06 06 00000000 00000000 0000ffff 0a630001 0050 41"},
        {"a v4-mapped backend", WEB_HEX "42 06 00000000 00000000 0000ffff 0a4d0004 1f90"},
        {"an owner that is all zero", WEB_HEX "41 00000000 00000000 00000000 00000000"},
        {"a backend's owner that is all zero",
         WEB_HEX "42 04 0a4d0004 1f90 00000000 00000000 00000000 00000000"},
        {"half an owner", WEB_HEX "41 11111111 11111111"},
        {"more than an owner", WEB_HEX "41" NODE_HEX "11"},
        {"an override with an owner", WEB_HEX "4f 04 0a4d0004 1f90" NODE_HEX},
        {"an override without an endpoint", WEB_HEX "4f"},
        {"a backend without an endpoint", WEB_HEX "42"},
        {"a member without an id", "4d"},
        {"a member that is all zero", "4d 00000000 00000000 00000000 00000000"},
        {"a member with something behind it", "4d" NODE_HEX "00"},
        {"a trial without a number", "54"},
        {"a trial with half of one", "54 00001a7f"},
        {"a trial whose number is 0", "54 00000000 00000000"},
        {"a trial with something behind it", "54 00000000 00001a7f 00"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t b[2 * GVS_KEY_LEN_MAX];
        struct gvs_key key, before;

        print_message("%s\n", rows[i].why);
        memset(&before, 0xa5, sizeof before);
        memcpy(&key, &before, sizeof key);
        assert_int_equal(gvs_key_parse(&key, b, sample_bytes(b, rows[i].hex)), GVS_E_MALFORMED);
        assert_memory_equal(&key, &before, sizeof key);
    }
}

/* Only build's bytes parse: so every accepted string is the only one for its thing (I1). */
static bool
parses_canonically(const uint8_t *bytes, size_t len)
{
    uint8_t *b = malloc(len + (len == 0)); /* exact, so that ASan sees a read past the end */
    struct gvs_keybuf back;
    struct gvs_key key;
    bool ok = true;

    memcpy(b, bytes, len);
    if (gvs_key_parse(&key, b, len) == GVS_OK) {
        gvs_key_build(&back, &key);
        ok = back.len == len && memcmp(back.b, b, len) == 0;
    }
    free(b);
    return ok;
}

static void
test_random_keys_come_back_and_no_part_of_one_is_another_thing(void **state)
{
    size_t longest = 0;

    (void)state;
    for (uint64_t seed = test_seed_first(); seed < test_seed_end(20000); seed++) {
        struct gvs_prng prng = gvs_prng_init(seed);
        struct gvs_key key, back;
        struct gvs_keybuf k;
        uint8_t bytes[GVS_KEY_LEN_MAX + 1];
        bool ok;

        sample_key(&prng, &key);
        gvs_key_build(&k, &key);
        longest = k.len > longest ? k.len : longest;
        ok = gvs_key_parse(&back, k.b, k.len) == GVS_OK && sample_same(&key, &back, sizeof key);
        for (size_t len = 0; len < k.len; len++)
            ok = ok && parses_canonically(k.b, len);
        for (int i = 0; i < 20; i++) {
            memcpy(bytes, k.b, k.len);
            bytes[k.len] = sample_byte(&prng);
            bytes[gvs_prng_below(&prng, k.len)] = sample_byte(&prng);
            ok = ok && parses_canonically(bytes, k.len) && parses_canonically(bytes, k.len + 1u);
        }
        gvs_prng_fill(&prng, bytes, sizeof bytes);
        bytes[0] = gvs_prng_chance(&prng, 1, 2) ? 'S' : 'M';
        ok = ok && parses_canonically(bytes, gvs_prng_below(&prng, sizeof bytes + 1));
        if (!ok)
            fail_msg("replay with GVS_SEED=%" PRIu64, seed);
    }
    if (test_seed_end(20000) - test_seed_first() >= 1000)
        assert_int_equal(longest, GVS_KEY_LEN_MAX);
}

/* What keys mean, field by field: the slow order that memcmp has to agree with. */
static int
naive_cmp(const struct gvs_key *a, const struct gvs_key *b)
{
    int sign;

    if ((a->kind == GVS_KEY_MEMBER) != (b->kind == GVS_KEY_MEMBER))
        return a->kind == GVS_KEY_MEMBER ? -1 : 1; /* 'M' < 'S' */
    if (a->kind == GVS_KEY_MEMBER)
        return sign_of(gvs_id_cmp(&a->owner, &b->owner));
    sign = sign_of(gvs_svcid_cmp(&a->svc, &b->svc));
    if (sign == 0)
        sign = (a->kind > b->kind) - (a->kind < b->kind);
    if (sign == 0)
        sign = sign_of(gvs_ep_cmp(&a->ep, &b->ep));
    return sign != 0 ? sign : sign_of(gvs_id_cmp(&a->owner, &b->owner));
}

static void
test_order_of_bytes_is_order_of_things(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); seed < test_seed_end(50000); seed++) {
        struct gvs_prng prng = gvs_prng_init(seed);
        struct gvs_key a, b;
        struct gvs_keybuf ka, kb;

        sample_key(&prng, &a);
        sample_key(&prng, &b);
        if (gvs_prng_chance(&prng, 2, 3))
            b.svc = a.svc;
        if (gvs_prng_chance(&prng, 1, 3)) {
            b = a; /* and then one byte apart */
            if (a.kind != GVS_KEY_MEMBER && a.svc.proto != GVS_PROTO_FWMARK)
                b.svc.addr.b[gvs_prng_below(&prng, 4)] ^= 0x80;
        }
        if (b.kind == GVS_KEY_MEMBER)
            memset(&b.svc, 0, sizeof b.svc);
        else if (!gvs_svcid_valid(&b.svc))
            continue; /* of the two: a member's empty service, a byte that made it v4-mapped */
        gvs_key_build(&ka, &a);
        gvs_key_build(&kb, &b);
        if (sign_of(gvs_key_cmp(ka.b, ka.len, kb.b, kb.len)) != naive_cmp(&a, &b) ||
            sign_of(gvs_key_cmp(kb.b, kb.len, ka.b, ka.len)) != naive_cmp(&b, &a))
            fail_msg("replay with GVS_SEED=%" PRIu64, seed);
    }
}

static void
test_cmp_puts_a_prefix_before_what_continues_it(void **state)
{
    static const struct {
        const char *why;
        uint8_t a[3], a_len, b[3], b_len;
        int sign;
    } rows[] = {
        {"nothing and nothing", {0}, 0, {0}, 0, 0},
        {"nothing and something", {0}, 0, {0}, 1, -1},
        {"equal", {1, 2}, 2, {1, 2}, 2, 0},
        {"a prefix", {1, 2}, 2, {1, 2, 0}, 3, -1},
        {"bytes come before lengths", {2}, 1, {1, 2, 3}, 3, 1},
        {"bytes are unsigned", {0x80}, 1, {0x7f}, 1, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("%s\n", rows[i].why);
        assert_int_equal(sign_of(gvs_key_cmp(rows[i].a, rows[i].a_len, rows[i].b, rows[i].b_len)),
                         rows[i].sign);
        assert_int_equal(sign_of(gvs_key_cmp(rows[i].b, rows[i].b_len, rows[i].a, rows[i].a_len)),
                         -rows[i].sign);
    }
    assert_int_equal(gvs_key_cmp(NULL, 0, NULL, 0), 0);
}

static void
test_the_prefix_begins_the_keys_of_its_service_and_of_no_other(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); seed < test_seed_end(20000); seed++) {
        struct gvs_prng prng = gvs_prng_init(seed);
        struct gvs_svcid svc = sample_svcid(&prng);
        struct gvs_keybuf prefix, k;
        struct gvs_key key;
        bool begins, same;

        sample_key(&prng, &key);
        if (key.kind != GVS_KEY_MEMBER && gvs_prng_chance(&prng, 1, 2))
            key.svc = svc;
        gvs_key_prefix(&prefix, &svc);
        gvs_key_build(&k, &key);
        begins = k.len >= prefix.len && memcmp(k.b, prefix.b, prefix.len) == 0;
        same = key.kind != GVS_KEY_MEMBER && gvs_svcid_cmp(&key.svc, &svc) == 0;
        if (begins != same)
            fail_msg("replay with GVS_SEED=%" PRIu64, seed);
    }
}

/* Does building this key stop the process? */
static bool
build_dies(const struct gvs_key *key)
{
    struct gvs_keybuf out;
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        child_begin();
        gvs_key_build(&out, key);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status);
}

static void
test_building_an_impossible_key_stops_the_process(void **state)
{
    static const struct {
        const char *why;
        struct gvs_key key;
        bool dies;
    } rows[] = {
        {"a good one does not", {GVS_KEY_SERVICE, WEB, {{0}, 0}, NODE, 0}, false},
        {"no kind", {GVS_KEY_NONE, WEB, {{0}, 0}, {{0}}, 0}, true},
        {"a trial without a number", {GVS_KEY_TRIAL, {0}, {{0}, 0}, {{0}}, 0}, true},
        {"a trial of a node's", {GVS_KEY_TRIAL, {0}, {{0}, 0}, NODE, 1}, true},
        {"no protocol of ours",
         {GVS_KEY_SERVICE, {1, V4(1, 2, 3, 4), 1, 0}, {{0}, 0}, {{0}}, 0},
         true},
        {"no family", {GVS_KEY_SERVICE, {GVS_PROTO_TCP, {0}, 1, 0}, {{0}, 0}, {{0}}, 0}, true},
        {"a mark beside an address",
         {GVS_KEY_SERVICE, {GVS_PROTO_TCP, V4(1, 2, 3, 4), 1, 5}, {{0}, 0}, {{0}}, 0},
         true},
        {"an address beside a mark",
         {GVS_KEY_SERVICE, {GVS_PROTO_FWMARK, V4(1, 2, 3, 4), 0, 5}, {{0}, 0}, {{0}}, 0},
         true},
        {"a port beside a mark",
         {GVS_KEY_SERVICE, {GVS_PROTO_FWMARK, {GVS_FAMILY_V4, {0}}, 1, 5}, {{0}, 0}, {{0}}, 0},
         true},
        {"bytes beyond an IPv4 address",
         {GVS_KEY_SERVICE, {GVS_PROTO_TCP, {GVS_FAMILY_V4, {[4] = 1}}, 1, 0}, {{0}, 0}, {{0}}, 0},
         true},
        {"a backend without an endpoint", {GVS_KEY_BACKEND, WEB, {{0}, 0}, {{0}}, 0}, true},
        {"an override with an owner", {GVS_KEY_OVERRIDE, WEB, {V4(1, 2, 3, 4), 1}, NODE, 0}, true},
        {"the cluster as a member", {GVS_KEY_MEMBER, {0}, {{0}, 0}, {{0}}, 0}, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("%s\n", rows[i].why);
        assert_int_equal(build_dies(&rows[i].key), rows[i].dies);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_are_as_the_header_draws_them),
        cmocka_unit_test(test_other_bytes_are_refused_and_leave_the_key_alone),
        cmocka_unit_test(test_random_keys_come_back_and_no_part_of_one_is_another_thing),
        cmocka_unit_test(test_order_of_bytes_is_order_of_things),
        cmocka_unit_test(test_cmp_puts_a_prefix_before_what_continues_it),
        cmocka_unit_test(test_the_prefix_begins_the_keys_of_its_service_and_of_no_other),
        cmocka_unit_test(test_building_an_impossible_key_stops_the_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
