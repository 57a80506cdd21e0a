/* test/core/test_value.c */
#include "core/err.h"
#include "core/stamp.h"
#include "core/value.h"
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

/* The five kinds behind one face, so that every test below holds for each. */
union any {
    struct gvs_service service;
    struct gvs_backend backend;
    struct gvs_override override;
    struct gvs_member_value member;
    bool force;
};

enum kind { SERVICE, BACKEND, OVERRIDE, MEMBER, TOMBSTONE, KINDS };

static size_t
encode(enum kind kind, uint8_t *out, const union any *v)
{
    switch (kind) {
    case SERVICE:
        return gvs_service_encode(out, &v->service);
    case BACKEND:
        return gvs_backend_encode(out, &v->backend);
    case OVERRIDE:
        return gvs_override_encode(out, &v->override);
    case MEMBER:
        return gvs_member_encode(out, &v->member);
    default:
        return gvs_tombstone_encode(out, v->force);
    }
}

/* Decodes from a block of exactly this size, so that ASan sees a read past the end. On an error the
 * output must be as it was. */
static int
decode(enum kind kind, union any *out, const uint8_t *bytes, size_t len)
{
    uint8_t *b = malloc(len + (len == 0));
    union any before = *out;
    int rc;

    memcpy(b, bytes, len);
    if (kind == SERVICE)
        rc = gvs_service_decode(&out->service, b, len);
    else if (kind == BACKEND)
        rc = gvs_backend_decode(&out->backend, b, len);
    else if (kind == OVERRIDE)
        rc = gvs_override_decode(&out->override, b, len);
    else if (kind == MEMBER)
        rc = gvs_member_decode(&out->member, b, len);
    else
        rc = gvs_tombstone_decode(&out->force, b, len);
    free(b);
    assert_true(rc == GVS_OK || rc == GVS_E_MALFORMED || rc == GVS_E_RANGE);
    if (rc != GVS_OK)
        assert_memory_equal(out, &before, sizeof before);
    return rc;
}

static void
random_text(struct gvs_prng *p, char *out, size_t len, const char *chars)
{
    for (size_t i = 0; i < len; i++)
        out[i] = chars[gvs_prng_below(p, (uint32_t)strlen(chars))];
}

static uint32_t
random_number(struct gvs_prng *p, uint32_t max)
{
    switch (gvs_prng_below(p, 4)) {
    case 0:
        return 0;
    case 1:
        return max;
    case 2:
        return gvs_prng_below(p, 300) % (max < UINT32_MAX ? max + 1 : max);
    default:
        return gvs_prng_below(p, max);
    }
}

#define NAME_CHARS "abcxyz0189" /* and inside also ._- */

static void
random_service(struct gvs_prng *p, struct gvs_service *v)
{
    static const uint8_t forwards[] = {GVS_FORWARD_NAT, GVS_FORWARD_TUN, GVS_FORWARD_DR};

    random_text(p, v->name, 1, NAME_CHARS);
    random_text(p, v->name + 1, gvs_prng_below(p, GVS_NAME_LEN_MAX), NAME_CHARS "._-");
    if (gvs_prng_chance(p, 1, 2))
        strcpy(v->sched, "wlc");
    else
        random_text(p, v->sched, 1 + gvs_prng_below(p, GVS_SCHED_LEN_MAX), NAME_CHARS "_");
    v->flags = (uint32_t)gvs_prng_next(p) & GVS_FLAGS_ALL;
    v->persistent = random_number(p, GVS_PERSISTENT_MAX);
    v->netmask = (uint8_t)random_number(p, 128);
    v->forward = forwards[gvs_prng_below(p, 3)];
    if (gvs_prng_chance(p, 1, 2))
        v->reset = gvs_hlc_make(1 + gvs_prng_next(p) % GVS_HLC_MS_MAX, sample_port(p));
}

static void
random_backend(struct gvs_prng *p, struct gvs_backend *v)
{
    static const uint8_t forwards[] = {GVS_FORWARD_NAT, GVS_FORWARD_TUN, GVS_FORWARD_DR};

    v->weight = gvs_prng_chance(p, 1, 3) ? 1 : random_number(p, GVS_WEIGHT_MAX);
    v->forward = forwards[gvs_prng_below(p, 3)];
    v->tunnel = (uint8_t)gvs_prng_below(p, 3);
    if (v->tunnel == GVS_TUNNEL_GUE)
        v->tunnel_port = (uint16_t)(1 + random_number(p, 65534));
    v->upper = random_number(p, UINT32_MAX);
    v->lower = random_number(p, v->upper != 0 ? v->upper : UINT32_MAX);
}

static void
random_member(struct gvs_prng *p, struct gvs_member_value *v)
{
    random_text(p, v->name, 1, NAME_CHARS);
    random_text(p, v->name + 1, gvs_prng_below(p, GVS_NAME_LEN_MAX), NAME_CHARS "._-");
    sample_ep(p, &v->ep);
    v->ep.port = (uint16_t)(v->ep.port + (v->ep.port == 0));
    v->boot = gvs_prng_chance(p, 1, 4) ? sample_byte(p) : gvs_prng_next(p);
    random_text(p, v->version, gvs_prng_below(p, GVS_VERSION_LEN_MAX + 1), "!0.9az~+-");
    for (size_t i = 0, n = gvs_prng_below(p, GVS_MEMBER_KEYS_MAX + 1); i < n; i++)
        v->keys[i] = (i == 0 ? UINT64_MAX - 9 : v->keys[i - 1] * (i > 1)) + 1 + sample_byte(p) % 9;
}

static void
random_value(struct gvs_prng *p, enum kind kind, union any *v)
{
    memset(v, 0, sizeof *v);
    switch (kind) {
    case SERVICE:
        random_service(p, &v->service);
        break;
    case BACKEND:
        random_backend(p, &v->backend);
        break;
    case OVERRIDE:
        v->override.drain = gvs_prng_chance(p, 1, 2);
        v->override.has_weight = gvs_prng_chance(p, 1, 2);
        v->override.weight = v->override.has_weight ? random_number(p, GVS_WEIGHT_MAX) : 0;
        break;
    case MEMBER:
        random_member(p, &v->member);
        break;
    default:
        v->force = gvs_prng_chance(p, 1, 2);
    }
}

#define WEB "01 03 'web' "
#define LB1 "01 03 'lb1' "
#define AT "02 07 04 0a4d0001 1edc " /* 10.77.0.1:7900 */
#define NAME_63 "'abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0'"

static void
test_encoded_bytes_are_as_the_header_says(void **state)
{
    static const struct {
        const char *why;
        enum kind kind;
        union any v;
        const char *bytes;
    } rows[] = {
        {"an ordinary service says its name",
         SERVICE,
         {.service = {.name = "web", .sched = "wlc"}},
         WEB},
        {"a service that says everything",
         SERVICE,
         {.service = {"web", "mh", GVS_FLAG_PORT | GVS_FLAG_FALLBACK, 300, 24, GVS_FORWARD_DR,
                      0x0190000000000001}},
         WEB "02 02 'mh' 03 01 18 04 02 012c 05 01 18 06 01 03 07 08 0190000000000001"},
        {"the longest name",
         SERVICE,
         {.service = {.name = "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0",
                      .sched = "wlc"}},
         "01 3f " NAME_63},
        {"an ordinary backend says nothing", BACKEND, {.backend = {.weight = 1}}, ""},
        {"weight 0 has a field without bytes", BACKEND, {.backend = {.weight = 0}}, "01 00"},
        {"a backend that says everything",
         BACKEND,
         {.backend = {65535, GVS_FORWARD_TUN, GVS_TUNNEL_GUE, 6080, 100, UINT32_MAX}},
         "01 02 ffff 02 01 02 03 01 64 04 04 ffffffff 05 01 01 06 02 17c0"},
        {"an override that says nothing", OVERRIDE, {.override = {false}}, ""},
        {"drain", OVERRIDE, {.override = {.drain = true}}, "01 01 01"},
        {"a weight of 0", OVERRIDE, {.override = {.has_weight = true}}, "02 00"},
        {"drain and a weight", OVERRIDE, {.override = {true, true, 256}}, "01 01 01 02 02 0100"},
        {"a member",
         MEMBER,
         {.member = {"lb1", {{GVS_FAMILY_V4, {10, 77, 0, 1}}, 7900}, 0x0102, "0.1", {0}}},
         LB1 AT "03 02 0102 04 03 '0.1'"},
        {"a member with a key",
         MEMBER,
         {.member = {"lb1", {{GVS_FAMILY_V4, {10, 77, 0, 1}}, 7900}, 0, "", {0x4f2a}}},
         LB1 AT "05 08 00000000 00004f2a"},
        {"a member with four, its primary one first",
         MEMBER,
         {.member = {"lb1", {{GVS_FAMILY_V4, {10, 77, 0, 1}}, 7900}, 0, "", {3, 1, 2, UINT64_MAX}}},
         LB1 AT "05 20 00000000 00000003 00000000 00000001 00000000 00000002 ffffffff ffffffff"},
        {"a member on IPv6, without boot and version",
         MEMBER,
         {.member = {"lb1", {{GVS_FAMILY_V6, {0xfd, [15] = 1}}, 1}, 0, "", {0}}},
         LB1 "02 13 06 fd000000 00000000 00000000 00000001 0001"},
        {"a tombstone", TOMBSTONE, {.force = false}, ""},
        {"a tombstone with force", TOMBSTONE, {.force = true}, "01 01 01"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t want[GVS_VALUE_LEN_MAX], got[GVS_VALUE_LEN_MAX];
        size_t len = sample_bytes(want, rows[i].bytes);
        union any back;

        print_message("%s\n", rows[i].why);
        memset(&back, 0, sizeof back);
        assert_int_equal(encode(rows[i].kind, got, &rows[i].v), len);
        assert_memory_equal(got, want, len);
        assert_int_equal(decode(rows[i].kind, &back, got, len), GVS_OK);
        assert_memory_equal(&back, &rows[i].v, sizeof back);
    }
}

static void
test_decode_answers_each_bad_value_with_its_error(void **state)
{
    static const struct {
        const char *why;
        enum kind kind;
        int rc;
        const char *bytes;
    } rows[] = {
        /* The frame. */
        {"a tag alone", BACKEND, GVS_E_MALFORMED, "01"},
        {"a length past the end", BACKEND, GVS_E_MALFORMED, "01 02 05"},
        {"a second field cut off", BACKEND, GVS_E_MALFORMED, "01 01 05 02"},
        {"tag 0 is none", BACKEND, GVS_E_MALFORMED, "00 00"},
        {"a tag twice", BACKEND, GVS_E_MALFORMED, "01 01 05 01 01 06"},
        {"tags out of order", BACKEND, GVS_E_MALFORMED, "04 01 05 03 01 06"},
        {"unknown tags out of order", BACKEND, GVS_E_MALFORMED, "41 00 40 00"},
        {"an unknown tag twice", BACKEND, GVS_E_MALFORMED, "41 00 41 00"},
        {"an unknown tag cut off", BACKEND, GVS_E_MALFORMED, "41 02 00"},

        /* Unknown fields. */
        {"an unknown tag is skipped", BACKEND, GVS_OK, "01 01 05 41 03 000000"},
        {"an unknown tag before a known one", SERVICE, GVS_OK, WEB "04 01 07 08 02 ffff"},
        {"the last tag there is", TOMBSTONE, GVS_OK, "ff 00"},

        /* Canonical, or not. */
        {"a leading zero byte", BACKEND, GVS_E_MALFORMED, "01 02 0005"},
        {"zero with a byte", BACKEND, GVS_E_MALFORMED, "01 01 00"},
        {"a default weight", BACKEND, GVS_E_MALFORMED, "01 01 01"},
        {"a default forward", BACKEND, GVS_E_MALFORMED, "02 00"},
        {"a default scheduler", SERVICE, GVS_E_MALFORMED, WEB "02 03 'wlc'"},
        {"a default reset", SERVICE, GVS_E_MALFORMED, WEB "07 00"},
        {"no drain, in writing", OVERRIDE, GVS_E_MALFORMED, "01 00"},
        {"no force, in writing", TOMBSTONE, GVS_E_MALFORMED, "01 00"},
        {"an override's weight has no default", OVERRIDE, GVS_OK, "02 01 01"},
        {"an empty version, in writing", MEMBER, GVS_E_MALFORMED, LB1 AT "04 00"},
        {"boot 0, in writing", MEMBER, GVS_E_MALFORMED, LB1 AT "03 00"},
        {"no keys, in writing", MEMBER, GVS_E_MALFORMED, LB1 AT "05 00"},
        {"half a key", MEMBER, GVS_E_MALFORMED, LB1 AT "05 04 00000001"},
        {"key 0", MEMBER, GVS_E_MALFORMED, LB1 AT "05 08 00000000 00000000"},
        {"a key twice", MEMBER, GVS_E_RANGE, LB1 AT "05 10 00000000 00000001 00000000 00000001"},
        {"keys out of order", MEMBER, GVS_E_RANGE,
         LB1 AT "05 18 00000000 00000001 00000000 00000003 00000000 00000002"},
        {"the primary key again", MEMBER, GVS_E_RANGE,
         LB1 AT "05 18 00000000 00000003 00000000 00000002 00000000 00000003"},
        {"five keys", MEMBER, GVS_E_RANGE,
         LB1 AT "05 28 00000000 00000001 00000000 00000002 00000000 00000003 00000000 00000004"
                "00000000 00000005"},

        /* What is required. */
        {"a service without a name", SERVICE, GVS_E_MALFORMED, ""},
        {"a service with a scheduler and no name", SERVICE, GVS_E_MALFORMED, "02 02 'rr'"},
        {"a service with an empty name", SERVICE, GVS_E_MALFORMED, "01 00"},
        {"a member without a name", MEMBER, GVS_E_MALFORMED, AT},
        {"a member without an endpoint", MEMBER, GVS_E_MALFORMED, LB1},
        {"an endpoint without bytes", MEMBER, GVS_E_MALFORMED, LB1 "02 00"},
        {"half an endpoint", MEMBER, GVS_E_MALFORMED, LB1 "02 05 04 0a4d0001"},
        {"an endpoint with a byte over", MEMBER, GVS_E_MALFORMED, LB1 "02 08 04 0a4d0001 1edc 00"},

        /* Names. */
        {"upper case", SERVICE, GVS_E_RANGE, "01 03 'Web'"},
        {"a dot first", SERVICE, GVS_E_RANGE, "01 03 '.eb'"},
        {"a space", SERVICE, GVS_E_RANGE, "01 03 'w b'"},
        {"a slash", SERVICE, GVS_E_RANGE, "01 03 'w/b'"},
        {"a zero byte at the end", SERVICE, GVS_E_RANGE, "01 04 'web' 00"},
        {"a zero byte first", SERVICE, GVS_E_RANGE, "01 02 00 'w'"},
        {"an escape sequence", SERVICE, GVS_E_RANGE, "01 03 'w' 1b 'c'"},
        {"a byte above ASCII", SERVICE, GVS_E_RANGE, "01 02 'w' e4"},
        {"a name of 64", SERVICE, GVS_E_RANGE, "01 40 " NAME_63 "'1'"},
        {"the owner's word", SERVICE, GVS_E_RANGE, "01 07 'cluster'"},
        {"the word for every service", SERVICE, GVS_E_RANGE, "01 03 'all'"},
        {"a node with a bad name", MEMBER, GVS_E_RANGE, "01 03 'LB1' " AT},
        {"a node called cluster", MEMBER, GVS_E_RANGE, "01 07 'cluster' " AT},

        /* Services. */
        {"a scheduler of 15", SERVICE, GVS_OK, WEB "02 0f 'abcdefghijklmno'"},
        {"a scheduler of 16", SERVICE, GVS_E_RANGE, WEB "02 10 'abcdefghijklmnop'"},
        {"a scheduler of 0", SERVICE, GVS_E_RANGE, WEB "02 00"},
        {"a scheduler that modprobe would misread", SERVICE, GVS_E_RANGE, WEB "02 03 '-rr'"},
        {"a scheduler with a zero byte", SERVICE, GVS_E_RANGE, WEB "02 03 'rr' 00"},
        {"a scheduler this list lacks", SERVICE, GVS_OK, WEB "02 03 'new'"},
        {"all flags", SERVICE, GVS_OK, WEB "03 01 1c"},
        {"the kernel's own flag for persistence", SERVICE, GVS_E_RANGE, WEB "03 01 01"},
        {"a flag beyond", SERVICE, GVS_E_RANGE, WEB "03 01 20"},
        {"a flag far beyond", SERVICE, GVS_E_RANGE, WEB "03 04 80000000"},
        {"31 days of persistence", SERVICE, GVS_OK, WEB "04 03 28de80"},
        {"a second more", SERVICE, GVS_E_RANGE, WEB "04 03 28de81"},
        {"a netmask of 128", SERVICE, GVS_OK, WEB "05 01 80"},
        {"a netmask of 129", SERVICE, GVS_E_RANGE, WEB "05 01 81"},
        {"a netmask that does not fit a byte", SERVICE, GVS_E_RANGE, WEB "05 02 0101"},
        {"forward 1 is the kernel's own local node", SERVICE, GVS_E_RANGE, WEB "06 01 01"},
        {"forward 4 is unknown", SERVICE, GVS_E_RANGE, WEB "06 01 04"},
        {"the last reset", SERVICE, GVS_OK, WEB "07 08 fffffff00000ffff"},
        {"a reset past the end of time", SERVICE, GVS_E_RANGE, WEB "07 08 fffffff000010000"},
        {"a reset before it", SERVICE, GVS_E_RANGE, WEB "07 02 ffff"},
        {"a reset of nine bytes", SERVICE, GVS_E_RANGE, WEB "07 09 010000000000000000"},

        /* Backends. */
        {"weight 65535", BACKEND, GVS_OK, "01 02 ffff"},
        {"weight 65536", BACKEND, GVS_E_RANGE, "01 03 010000"},
        {"weight 2^32 + 1 is not 1", BACKEND, GVS_E_RANGE, "01 05 0100000001"},
        {"weight 2^64 + 5 is not 5", BACKEND, GVS_E_RANGE, "01 09 010000000000000005"},
        {"forward 2", BACKEND, GVS_OK, "02 01 02"},
        {"forward 3", BACKEND, GVS_OK, "02 01 03"},
        {"forward 1", BACKEND, GVS_E_RANGE, "02 01 01"},
        {"forward 256 is not 0", BACKEND, GVS_E_RANGE, "02 02 0100"},
        {"lower without upper", BACKEND, GVS_OK, "03 01 64"},
        {"lower equal to upper", BACKEND, GVS_OK, "03 01 64 04 01 64"},
        {"lower above upper", BACKEND, GVS_E_RANGE, "03 01 65 04 01 64"},
        {"an upper of 33 bits", BACKEND, GVS_E_RANGE, "04 05 0100000000"},
        {"gre", BACKEND, GVS_OK, "05 01 02"},
        {"tunnel 3", BACKEND, GVS_E_RANGE, "05 01 03"},
        {"gue with a port", BACKEND, GVS_OK, "05 01 01 06 02 17c0"},
        {"gue without a port", BACKEND, GVS_E_RANGE, "05 01 01"},
        {"a port without gue", BACKEND, GVS_E_RANGE, "06 02 17c0"},
        {"a tunnel port of 65536", BACKEND, GVS_E_RANGE, "05 01 01 06 03 010000"},

        /* Overrides and tombstones. */
        {"a weight of 65536", OVERRIDE, GVS_E_RANGE, "02 03 010000"},
        {"drain 2", OVERRIDE, GVS_E_RANGE, "01 01 02"},
        {"force 2", TOMBSTONE, GVS_E_RANGE, "01 01 02"},
        {"force 257 is not 1", TOMBSTONE, GVS_E_RANGE, "01 02 0101"},

        /* Members. */
        {"an unknown family", MEMBER, GVS_E_RANGE, LB1 "02 07 05 0a4d0001 1edc"},
        {"no family", MEMBER, GVS_E_RANGE, LB1 "02 03 00 1edc"},
        {"port 0", MEMBER, GVS_E_RANGE, LB1 "02 07 04 0a4d0001 0000"},
        {"a v4-mapped endpoint", MEMBER, GVS_E_RANGE,
         LB1 "02 13 06 00000000 00000000 0000ffff 0a4d0001 1edc"},
        {"a version of 31", MEMBER, GVS_OK, LB1 AT "04 1f 'abcdefghijklmnopqrstuvwxyz01234'"},
        {"a version of 32", MEMBER, GVS_E_RANGE, LB1 AT "04 20 'abcdefghijklmnopqrstuvwxyz012345'"},
        {"a version with a space", MEMBER, GVS_E_RANGE, LB1 AT "04 03 '0 1'"},
        {"a version that clears the screen", MEMBER, GVS_E_RANGE, LB1 AT "04 03 1b 'c0'"},
        {"a version above ASCII", MEMBER, GVS_E_RANGE, LB1 AT "04 01 e4"},
        {"a version with a rubout", MEMBER, GVS_E_RANGE, LB1 AT "04 01 7f"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t b[GVS_VALUE_LEN_MAX];
        union any v;

        memset(&v, 0, sizeof v);
        print_message("%s\n", rows[i].why);
        assert_int_equal(decode(rows[i].kind, &v, b, sample_bytes(b, rows[i].bytes)), rows[i].rc);
    }
}

static void
test_random_values_come_back(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); seed < test_seed_end(20000); seed++) {
        for (enum kind kind = SERVICE; kind < KINDS; kind++) {
            struct gvs_prng prng = gvs_prng_init(seed);
            uint8_t b[GVS_VALUE_LEN_MAX];
            union any v, back;
            size_t len;

            random_value(&prng, kind, &v);
            memset(&back, 0, sizeof back);
            len = encode(kind, b, &v);
            if (!gvs_value_valid(b, len) || decode(kind, &back, b, len) != GVS_OK ||
                !sample_same(&v, &back, sizeof v))
                fail_msg("kind %d, replay with GVS_SEED=%" PRIu64, (int)kind, seed);
        }
    }
}

static void
test_bytes_behind_a_text_are_not_said(void **state)
{
    struct gvs_service v = {"web", "wlc", 0, 0, 0, 0, 0}, back;
    uint8_t b[GVS_VALUE_LEN_MAX];

    (void)state;
    memset(v.name + 4, 0xa5, sizeof v.name - 4);
    memset(v.sched + 4, 0xa5, sizeof v.sched - 4);
    assert_int_equal(gvs_service_encode(b, &v), 5);
    assert_int_equal(gvs_service_decode(&back, b, 5), GVS_OK);
    assert_string_equal(back.name, "web");
    for (size_t i = 3; i < sizeof back.name; i++)
        assert_int_equal(back.name[i], 0);
}

/* Adds unknown fields to a value, each where its tag belongs. */
static size_t
add_unknown(struct gvs_prng *p, uint8_t *out, const uint8_t *b, size_t len)
{
    size_t n = 0, at = 0;

    for (unsigned tag = 1; tag < 256; tag++) {
        if (at < len && b[at] == tag) {
            size_t step = 2 + (size_t)b[at + 1];

            memcpy(out + n, b + at, step);
            n += step;
            at += step;
        } else if (tag > 7 && gvs_prng_chance(p, 1, 40)) {
            out[n] = (uint8_t)tag;
            out[n + 1] = (uint8_t)gvs_prng_below(p, 9);
            gvs_prng_fill(p, out + n + 2, out[n + 1]);
            n += 2 + (size_t)out[n + 1];
        }
    }
    return n;
}

static void
test_unknown_fields_change_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); seed < test_seed_end(5000); seed++) {
        for (enum kind kind = SERVICE; kind < KINDS; kind++) {
            struct gvs_prng prng = gvs_prng_init(seed);
            uint8_t b[GVS_VALUE_LEN_MAX], more[4096];
            union any v, back;
            size_t len;
            int rc;

            random_value(&prng, kind, &v);
            memset(&back, 0, sizeof back);
            len = add_unknown(&prng, more, b, encode(kind, b, &v));
            rc = decode(kind, &back, more, len);
            if (len > GVS_VALUE_LEN_MAX ? rc != GVS_E_MALFORMED
                                        : rc != GVS_OK || !sample_same(&v, &back, sizeof v))
                fail_msg("kind %d, replay with GVS_SEED=%" PRIu64, (int)kind, seed);
        }
    }
}

/* Whatever decodes is, without its unknown fields, what encode would have written (I1). */
static bool
only_canonical(enum kind kind, const uint8_t *b, size_t len)
{
    uint8_t back[GVS_VALUE_LEN_MAX];
    size_t n, at = 0;
    union any v;

    memset(&v, 0, sizeof v);
    if (decode(kind, &v, b, len) != GVS_OK)
        return true;
    n = encode(kind, back, &v);
    for (size_t i = 0; i < len; i += 2 + (size_t)b[i + 1]) {
        size_t step = 2 + (size_t)b[i + 1];

        if (at + step <= n && memcmp(back + at, b + i, step) == 0)
            at += step;
        else if (b[i] <= 1)
            return false; /* 1 is known to every kind */
    }
    return at == n;
}

static void
test_truncated_mutated_and_random_bytes_never_decode_to_anything_else(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); seed < test_seed_end(5000); seed++) {
        struct gvs_prng prng = gvs_prng_init(seed);
        enum kind kind = (enum kind)gvs_prng_below(&prng, KINDS);
        uint8_t b[GVS_VALUE_LEN_MAX] = {0}, noise[GVS_VALUE_LEN_MAX + 8] = {0};
        bool ok = true;
        union any v;
        size_t len;

        random_value(&prng, kind, &v);
        len = encode(kind, b, &v);
        for (size_t n = 0; n < len; n++)
            ok = ok && only_canonical(kind, b, n);
        for (int i = 0; i < 20 && len > 0; i++) {
            memcpy(noise, b, len);
            noise[gvs_prng_below(&prng, (uint32_t)len)] = sample_byte(&prng);
            for (enum kind as = SERVICE; as < KINDS; as++)
                ok = ok && only_canonical(as, noise, len);
        }
        for (int i = 0; i < 20; i++) {
            size_t n = gvs_prng_below(&prng, i % 2 ? 12 : sizeof noise + 1);

            for (size_t k = 0; k < n; k++) /* small bytes: tags and lengths that fit often */
                noise[k] = (uint8_t)gvs_prng_below(&prng, i % 4 < 2 ? 5 : 256);
            for (enum kind as = SERVICE; as < KINDS; as++)
                ok = ok && only_canonical(as, noise, n);
        }
        if (!ok)
            fail_msg("replay with GVS_SEED=%" PRIu64, seed);
    }
}

/* Every string of up to six bytes from five: the frame against its definition. */
static bool
naive_frame(const uint8_t *b, size_t len)
{
    int last = 0;

    while (len > 0) {
        if (len < 2 || b[0] <= last || (size_t)b[1] + 2 > len)
            return false;
        last = b[0];
        len -= 2 + (size_t)b[1];
        b += 2 + (size_t)b[1];
    }
    return true;
}

static void
test_frame_is_right_for_every_short_string(void **state)
{
    static const uint8_t bytes[] = {0, 1, 2, 3, 255};
    size_t count = 1;

    (void)state;
    for (size_t len = 0; len <= 6; len++, count *= 5) {
        for (size_t n = 0; n < count; n++) {
            uint8_t b[6];

            for (size_t i = 0, rest = n; i < len; i++, rest /= 5)
                b[i] = bytes[rest % 5];
            assert_int_equal(gvs_value_valid(b, len), naive_frame(b, len));
        }
    }
}

static void
test_the_longest_frame_is_taken_and_a_longer_one_is_not(void **state)
{
    uint8_t b[GVS_VALUE_LEN_MAX + 1] = {100, 255};

    (void)state;
    b[257] = 101;
    b[258] = GVS_VALUE_LEN_MAX - 257 - 2;
    assert_true(gvs_value_valid(b, GVS_VALUE_LEN_MAX));
    b[258]++;
    assert_false(gvs_value_valid(b, GVS_VALUE_LEN_MAX + 1));
    assert_true(gvs_value_valid(NULL, 0));
}

static void
test_names(void **state)
{
    static const struct {
        const char *why, *name;
        bool valid;
    } rows[] = {
        {"empty", "", false},
        {"one letter", "w", true},
        {"one digit", "1", true},
        {"everything allowed", "a0.b_c-d", true},
        {"a dash first", "-a", false},
        {"an underscore first", "_a", false},
        {"a dash last", "a-", true},
        {"upper case", "aB", false},
        {"a colon would look like a VIP", "a:1", false},
        {"the cluster", "cluster", false},
        {"all", "all", false},
        {"a beginning of it", "al", true},
        {"more than it", "all2", true},
        {"more than the cluster", "cluster-1", true},
        {"the character below a", "`a", false},
        {"the character above z", "a{", false},
        {"the character below 0", "a/", false},
        {"the character above 9", "9:", false},
        {"63", "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0", true},
        {"64", "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz01", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("%s\n", rows[i].why);
        assert_int_equal(gvs_name_valid(rows[i].name, strlen(rows[i].name)), rows[i].valid);
    }
    assert_true(gvs_name_valid("all", 2)); /* only len bytes count */
}

static void
test_words_for_forwarding_and_schedulers(void **state)
{
    static const char *const words[] = {"nat", "tun", "dr"};
    uint8_t forward = 9;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(gvs_forward_parse(&forward, words[i]), GVS_OK);
        assert_string_equal(gvs_forward_name(forward), words[i]);
    }
    assert_int_equal(gvs_forward_parse(&forward, "nat"), GVS_OK);
    assert_int_equal(forward, 0);
    assert_int_equal(gvs_forward_parse(&forward, "tun"), GVS_OK);
    assert_int_equal(forward, 2);
    assert_int_equal(gvs_forward_parse(&forward, "dr"), GVS_OK);
    assert_int_equal(forward, 3);
    assert_int_equal(gvs_forward_parse(&forward, "?"), GVS_E_MALFORMED);
    assert_int_equal(gvs_forward_parse(&forward, ""), GVS_E_MALFORMED);
    assert_int_equal(gvs_forward_parse(&forward, "NAT"), GVS_E_MALFORMED);
    assert_int_equal(forward, 3);
    assert_string_equal(gvs_forward_name(1), "?");
    assert_string_equal(gvs_forward_name(255), "?");

    for (size_t i = 0; gvs_schedulers[i] != NULL; i++) {
        struct gvs_service v = {.name = "web"};

        assert_true(gvs_scheduler_known(gvs_schedulers[i]));
        strncpy(v.sched, gvs_schedulers[i], sizeof v.sched - 1);
        assert_true(gvs_service_valid(&v));
    }
    assert_true(gvs_scheduler_known("wlc"));
    assert_true(gvs_scheduler_known("twos"));
    assert_false(gvs_scheduler_known("wwr"));
    assert_false(gvs_scheduler_known(""));
}

/* Does encoding this stop the process? */
static bool
encode_dies(enum kind kind, const union any *v)
{
    uint8_t out[GVS_VALUE_LEN_MAX];
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        child_begin();
        encode(kind, out, v);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status);
}

static void
test_encoding_what_nobody_could_decode_stops_the_process(void **state)
{
    struct gvs_service endless = {.sched = "wlc"};
    const struct {
        const char *why;
        enum kind kind;
        bool dies;
        union any v;
    } rows[] = {
        {"a good one does not", SERVICE, false, {.service = {.name = "web", .sched = "wlc"}}},
        {"no name", SERVICE, true, {.service = {.name = "", .sched = "wlc"}}},
        {"no scheduler", SERVICE, true, {.service = {.name = "web", .sched = ""}}},
        {"an unknown flag", SERVICE, true, {.service = {"web", "wlc", .flags = 1}}},
        {"weight 65536", BACKEND, true, {.backend = {.weight = 65536}}},
        {"lower above upper", BACKEND, true, {.backend = {.lower = 2, .upper = 1}}},
        {"an override's weight", OVERRIDE, true, {.override = {false, true, 65536}}},
        {"a weight that does not count", OVERRIDE, false, {.override = {false, false, 65536}}},
        {"a member without an address", MEMBER, true, {.member = {.name = "lb1"}}},
        {"a member whose keys have a gap",
         MEMBER,
         true,
         {.member = {"lb1", {{GVS_FAMILY_V4, {10}}, 1}, 0, "", {1, 0, 2}}}},
    };
    union any v;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("%s\n", rows[i].why);
        assert_int_equal(encode_dies(rows[i].kind, &rows[i].v), rows[i].dies);
    }
    memset(endless.name, 'a', sizeof endless.name);
    memset(&v, 0, sizeof v);
    v.service = endless;
    assert_true(encode_dies(SERVICE, &v));
}

static void
test_what_was_replaced_is_said_behind_all_else(void **state)
{
    static const uint64_t hlcs[] = {1, 0xff, 0x100, UINT64_C(0x0198f0f0aabb0000), UINT64_MAX};
    static const uint8_t strange[] = {64, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9}; /* no number of 64 bits */
    static const uint8_t later[] = {64, 1, 7, 65, 1, 1};
    struct gvs_backend b = {.weight = 10}, read;
    uint8_t value[GVS_VALUE_LEN_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof hlcs / sizeof *hlcs; i++) {
        size_t len = gvs_prev_add(value, gvs_backend_encode(value, &b), hlcs[i]);

        assert_int_equal(gvs_prev_get(value, len), hlcs[i]);
        assert_int_equal(gvs_backend_decode(&read, value, len), GVS_OK);
        assert_true(gvs_backend_equal(&b, &read));
    }
    assert_int_equal(gvs_prev_add(value, 3, 0), 3);
    assert_int_equal(gvs_prev_get(value, gvs_backend_encode(value, &b)), 0);
    assert_int_equal(gvs_prev_get(strange, sizeof strange), 0);
    assert_int_equal(gvs_prev_get(later, sizeof later), 7);
    assert_int_equal(gvs_prev_get(later, 2), 0); /* no frame */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_replaced_is_said_behind_all_else),
        cmocka_unit_test(test_encoded_bytes_are_as_the_header_says),
        cmocka_unit_test(test_decode_answers_each_bad_value_with_its_error),
        cmocka_unit_test(test_random_values_come_back),
        cmocka_unit_test(test_bytes_behind_a_text_are_not_said),
        cmocka_unit_test(test_unknown_fields_change_nothing),
        cmocka_unit_test(test_truncated_mutated_and_random_bytes_never_decode_to_anything_else),
        cmocka_unit_test(test_frame_is_right_for_every_short_string),
        cmocka_unit_test(test_the_longest_frame_is_taken_and_a_longer_one_is_not),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_words_for_forwarding_and_schedulers),
        cmocka_unit_test(test_encoding_what_nobody_could_decode_stops_the_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
