/* test/core/test_addr.c */
#include "core/addr.h"
#include "core/err.h"
#include "test/core/sample.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

/* The four things that have a text, behind one face. */
union any {
    struct gvs_addr addr;
    struct gvs_ep ep;
    struct gvs_svcid svcid;
    struct gvs_prefix prefix;
};

enum kind { ADDR, EP, SVCID, PREFIX, KINDS };

#define TEXT_LEN GVS_SVCID_TEXT_LEN /* the longest of the four */

/* Parses from a block of exactly this size, so that ASan sees a read past the end. On a fault the
 * output must be as it was, and the fault must name a part of the text. */
static int
parse(enum kind kind, union any *out, const char *text, size_t len, struct gvs_addr_fault *fault)
{
    char *block = malloc(len + (len == 0));
    union any before = *out;
    int rc;

    memcpy(block, text, len);
    if (kind == ADDR)
        rc = gvs_addr_parse(&out->addr, block, len, fault);
    else if (kind == EP)
        rc = gvs_ep_parse(&out->ep, block, len, fault);
    else if (kind == SVCID)
        rc = gvs_svcid_parse(&out->svcid, block, len, fault);
    else
        rc = gvs_prefix_parse(&out->prefix, block, len, fault);
    free(block);
    assert_true(rc == GVS_OK || rc == GVS_E_MALFORMED);
    assert_int_equal(rc == GVS_OK, fault->why == GVS_ADDR_OK);
    assert_true(fault->at <= len && fault->len <= len - fault->at);
    if (rc != GVS_OK)
        assert_memory_equal(out, &before, sizeof before);
    return rc;
}

static size_t
format(enum kind kind, char *text, const union any *v)
{
    switch (kind) {
    case ADDR:
        return gvs_addr_format(text, &v->addr);
    case EP:
        return gvs_ep_format(text, &v->ep);
    case SVCID:
        return gvs_svcid_format(text, &v->svcid);
    default:
        return gvs_prefix_format(text, &v->prefix);
    }
}

static void
test_every_usual_spelling_has_one_canonical_text(void **state)
{
    static const struct {
        const char *why;
        enum kind kind;
        const char *text, *canonical;
    } rows[] = {
        {"IPv4", ADDR, "10.99.0.1", "10.99.0.1"},
        {"the least", ADDR, "0.0.0.0", "0.0.0.0"},
        {"the greatest", ADDR, "255.255.255.255", "255.255.255.255"},
        {"IPv6", ADDR, "fd00:99::1", "fd00:99::1"},
        {"nothing but zeros", ADDR, "::", "::"},
        {"loopback", ADDR, "::1", "::1"},
        {"zeros last", ADDR, "1::", "1::"},
        {"all eight groups", ADDR, "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
        {"the longest", ADDR, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"upper case (RFC 5952, 4.3)", ADDR, "FD00:ABCD::EF", "fd00:abcd::ef"},
        {"leading zeros (4.1)", ADDR, "2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"},
        {"zeros not shortened (4.2.1)", ADDR, "2001:db8:0:0:0:0:2:1", "2001:db8::2:1"},
        {"one group is not shortened (4.2.2)", ADDR, "2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        {"one group at the end neither", ADDR, "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
        {"one group in front neither", ADDR, "::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
        {"the longest run (4.2.3)", ADDR, "2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
        {"the first of equals (4.2.3)", ADDR, "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        {"the wrong run shortened", ADDR, "2001:db8:0:0:1::1", "2001:db8::1:0:0:1"},
        {"IPv4 in the last groups", ADDR, "64:ff9b::10.0.0.1", "64:ff9b::a00:1"},
        {"IPv4 behind six groups", ADDR, "1:2:3:4:5:6:7.8.9.10", "1:2:3:4:5:6:708:90a"},
        {"IPv4-compatible is not mapped", ADDR, "::10.0.0.1", "::a00:1"},
        {"nor is a neighbour", ADDR, "::fffe:10.0.0.1", "::fffe:a00:1"},
        {"nor one with a bit before", ADDR, "::1:0:ffff:a00:1", "::1:0:ffff:a00:1"},

        {"endpoint", EP, "10.99.0.1:80", "10.99.0.1:80"},
        {"the last port", EP, "10.99.0.1:65535", "10.99.0.1:65535"},
        {"port 0", EP, "10.99.0.1:0", "10.99.0.1:0"},
        {"IPv6 in brackets", EP, "[fd00:99::1]:80", "[fd00:99::1]:80"},
        {"inside brackets, too", EP, "[FD00:099:0::0001]:80", "[fd00:99::1]:80"},
        {"the longest endpoint", EP, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},

        {"tcp", SVCID, "10.99.0.1:80/tcp", "10.99.0.1:80/tcp"},
        {"tcp left out", SVCID, "10.99.0.1:80", "10.99.0.1:80/tcp"},
        {"tcp left out, IPv6", SVCID, "[::1]:80", "[::1]:80/tcp"},
        {"udp", SVCID, "[fd00:99::1]:80/udp", "[fd00:99::1]:80/udp"},
        {"sctp", SVCID, "10.99.0.1:0/sctp", "10.99.0.1:0/sctp"},
        {"the longest service", SVCID, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535/sctp",
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535/sctp"},
        {"a mark", SVCID, "fwmark:5", "fwmark:5"},
        {"a mark of IPv6", SVCID, "fwmark:5/v6", "fwmark:5/v6"},
        {"a mark of IPv4", SVCID, "fwmark:5/v4", "fwmark:5"},
        {"the first mark", SVCID, "fwmark:1", "fwmark:1"},
        {"the last mark", SVCID, "fwmark:4294967295/v6", "fwmark:4294967295/v6"},

        {"prefix", PREFIX, "10.99.0.0/16", "10.99.0.0/16"},
        {"prefix of IPv6", PREFIX, "fd00:99::/64", "fd00:99::/64"},
        {"a host", PREFIX, "10.99.0.1", "10.99.0.1/32"},
        {"a host of IPv6", PREFIX, "fd00:99::1", "fd00:99::1/128"},
        {"everything", PREFIX, "0.0.0.0/0", "0.0.0.0/0"},
        {"everything of IPv6", PREFIX, "::/0", "::/0"},
        {"a length inside a byte", PREFIX, "10.99.0.128/25", "10.99.0.128/25"},
        {"one bit", PREFIX, "128.0.0.0/1", "128.0.0.0/1"},
        {"all but one bit", PREFIX, "fd00::fffe/127", "fd00::fffe/127"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gvs_addr_fault fault;
        char text[TEXT_LEN];
        union any v, back;

        print_message("%s: %s\n", rows[i].why, rows[i].text);
        memset(&v, 0, sizeof v);
        memset(&back, 0, sizeof back);
        assert_int_equal(parse(rows[i].kind, &v, rows[i].text, strlen(rows[i].text), &fault),
                         GVS_OK);
        assert_int_equal(format(rows[i].kind, text, &v), strlen(rows[i].canonical));
        assert_string_equal(text, rows[i].canonical);
        assert_int_equal(parse(rows[i].kind, &back, text, strlen(text), &fault), GVS_OK);
        assert_memory_equal(&v, &back, sizeof v); /* I1, I2 */
    }
}

static void
test_each_refused_text_names_its_reason_and_its_part(void **state)
{
    static const struct {
        enum kind kind;
        enum gvs_addr_why why;
        const char *text;
        const char *part; /* what is wrong */
    } rows[] = {
        {ADDR, GVS_ADDR_BAD, "", ""},
        {ADDR, GVS_ADDR_BAD, "web", "web"},
        {ADDR, GVS_ADDR_BAD, "10.99.0", "10.99.0"},
        {ADDR, GVS_ADDR_BAD, "10.99.0.", "10.99.0."},
        {ADDR, GVS_ADDR_BAD, ".10.99.0", ".10.99.0"},
        {ADDR, GVS_ADDR_BAD, "10..0.1", "10..0.1"},
        {ADDR, GVS_ADDR_BAD, "10.99.0.1.2", "10.99.0.1.2"},
        {ADDR, GVS_ADDR_BAD, "10.99.0.1 ", "10.99.0.1 "},
        {ADDR, GVS_ADDR_BAD, " 10.99.0.1", " 10.99.0.1"},
        {ADDR, GVS_ADDR_BAD, "10.99.0.-1", "10.99.0.-1"},
        {ADDR, GVS_ADDR_BAD, "10.99.0.+1", "10.99.0.+1"},
        {ADDR, GVS_ADDR_BAD, "0x0a.99.0.1", "0x0a.99.0.1"},
        {ADDR, GVS_ADDR_BAD, "174260225", "174260225"},
        {ADDR, GVS_ADDR_BAD, "300.example.com", "300.example.com"},
        {ADDR, GVS_ADDR_BAD, "10.099.0.1", "099"},
        {ADDR, GVS_ADDR_BAD, "10.99.00.1", "00"},
        {ADDR, GVS_ADDR_OCTET, "10.99.0.256", "256"},
        {ADDR, GVS_ADDR_OCTET, "300.99.0.1", "300"},
        {ADDR, GVS_ADDR_OCTET, "10.4294967297.0.1", "4294967297"},
        {ADDR, GVS_ADDR_OCTET, "10.18446744073709551617.0.1", "18446744073709551617"},
        {ADDR, GVS_ADDR_BAD, ":", ":"},
        {ADDR, GVS_ADDR_BAD, ":::", ":::"},
        {ADDR, GVS_ADDR_BAD, "1:", "1:"},
        {ADDR, GVS_ADDR_BAD, ":1", ":1"},
        {ADDR, GVS_ADDR_BAD, "::1:", "::1:"},
        {ADDR, GVS_ADDR_BAD, "1::2::3", "1::2::3"},
        {ADDR, GVS_ADDR_BAD, "1:2:3:4:5:6:7", "1:2:3:4:5:6:7"},
        {ADDR, GVS_ADDR_BAD, "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8:9"},
        {ADDR, GVS_ADDR_BAD, "1:2:3:4:5:6:7:8::", "1:2:3:4:5:6:7:8::"},
        {ADDR, GVS_ADDR_BAD, "::1:2:3:4:5:6:7:8", "::1:2:3:4:5:6:7:8"},
        {ADDR, GVS_ADDR_BAD, "1:2:3:4::5:6:7:8", "1:2:3:4::5:6:7:8"},
        {ADDR, GVS_ADDR_BAD, "1:2:3:4:5:6:7:8:", "1:2:3:4:5:6:7:8:"},
        {ADDR, GVS_ADDR_BAD, "fd00::00001", "fd00::00001"},
        {ADDR, GVS_ADDR_BAD, "fd00::g", "fd00::g"},
        {ADDR, GVS_ADDR_BAD, "fd00::`", "fd00::`"},
        {ADDR, GVS_ADDR_BAD, "fd00::@", "fd00::@"},
        {ADDR, GVS_ADDR_BAD, "1:2:3:4:5:6:7:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4"},
        {ADDR, GVS_ADDR_BAD, "1.2.3.4::", "1.2.3.4::"},
        {ADDR, GVS_ADDR_BAD, "::1.2.3.4:5", "::1.2.3.4:5"},
        {ADDR, GVS_ADDR_BAD, "::1.2.3", "1.2.3"},
        {ADDR, GVS_ADDR_OCTET, "::1.2.3.256", "256"},
        {ADDR, GVS_ADDR_BAD, "[fd00::1]", "[fd00::1]"},
        {ADDR, GVS_ADDR_MAPPED, "::ffff:10.0.0.1", "::ffff:10.0.0.1"},
        {ADDR, GVS_ADDR_MAPPED, "::ffff:a00:1", "::ffff:a00:1"},
        {ADDR, GVS_ADDR_MAPPED, "0:0:0:0:0:FFFF:0:0", "0:0:0:0:0:FFFF:0:0"},
        {ADDR, GVS_ADDR_SCOPED, "fe80::1%eth0", "%eth0"},
        {ADDR, GVS_ADDR_SCOPED, "10.0.0.1%eth0", "%eth0"},
        {ADDR, GVS_ADDR_SCOPED, "fe80::1%", "%"},
        {ADDR, GVS_ADDR_BAD, "web%eth0", "web"},
        {ADDR, GVS_ADDR_BAD, "10.0.0.1:80", "10.0.0.1:80"},
        {ADDR, GVS_ADDR_BAD, "10.0.0.0/8", "10.0.0.0/8"},

        {EP, GVS_ADDR_BAD, "", ""},
        {EP, GVS_ADDR_BAD, ":80", ":80"},
        {EP, GVS_ADDR_BAD, "lb3.example:80", "lb3.example"},
        {EP, GVS_ADDR_OCTET, "10.0.0.300:80", "300"},
        {EP, GVS_ADDR_NO_PORT, "10.99.0.1", ""},
        {EP, GVS_ADDR_NO_PORT, "10.99.0.1:", ""},
        {EP, GVS_ADDR_NO_PORT, "[fd00::1]", ""},
        {EP, GVS_ADDR_NO_PORT, "[fd00::1]:", ""},
        {EP, GVS_ADDR_PORT, "10.99.0.1:65536", "65536"},
        {EP, GVS_ADDR_PORT, "10.99.0.1:4294967376", "4294967376"},
        {EP, GVS_ADDR_PORT, "10.99.0.1:http", "http"},
        {EP, GVS_ADDR_PORT, "10.99.0.1:080", "080"},
        {EP, GVS_ADDR_PORT, "10.99.0.1:+80", "+80"},
        {EP, GVS_ADDR_PORT, "10.99.0.1: 80", " 80"},
        {EP, GVS_ADDR_PORT, "10.99.0.1:80 ", "80 "},
        {EP, GVS_ADDR_PORT, "10.99.0.1:80/tcp", "80/tcp"},
        {EP, GVS_ADDR_PORT, "[fd00::1]:99999", "99999"},
        {EP, GVS_ADDR_BRACKETS, "fd00::1", "fd00::1"},
        {EP, GVS_ADDR_BRACKETS, "fd00::1:80", "fd00::1:80"},
        {EP, GVS_ADDR_BRACKETS, "1:2:3:4:5:6:7:8:80", "1:2:3:4:5:6:7:8:80"},
        {EP, GVS_ADDR_BRACKETS, "fd00:::80", "fd00:::80"},
        {EP, GVS_ADDR_BAD, "10.0.0.1:80:90", "10.0.0.1:80:90"},
        {EP, GVS_ADDR_BAD, "[fd00::1:80", "[fd00::1:80"},
        {EP, GVS_ADDR_BAD, "[]:80", "[]:80"},
        {EP, GVS_ADDR_BAD, "[10.0.0.1]:80", "[10.0.0.1]"},
        {EP, GVS_ADDR_BAD, "[fd00::1]80", "80"},
        {EP, GVS_ADDR_BAD, "[fd00::x]:80", "fd00::x"},
        {EP, GVS_ADDR_BAD, "fd00::1]:80", "fd00::1]:80"},
        {EP, GVS_ADDR_MAPPED, "[::ffff:10.0.0.1]:80", "::ffff:10.0.0.1"},
        {EP, GVS_ADDR_MAPPED, "::ffff:10.0.0.1:80", "::ffff:10.0.0.1"},
        {EP, GVS_ADDR_MAPPED, "::ffff:10.0.0.1", "::ffff:10.0.0.1"},
        {EP, GVS_ADDR_SCOPED, "[fe80::1%eth0]:80", "%eth0"},
        {EP, GVS_ADDR_SCOPED, "fe80::1%eth0:80", "%eth0"},
        {EP, GVS_ADDR_SCOPED, "fe80::1%eth0", "%eth0"},
        {EP, GVS_ADDR_SCOPED, "10.0.0.1%eth0:80", "%eth0"},

        {SVCID, GVS_ADDR_BAD, "", ""},
        {SVCID, GVS_ADDR_BAD, "web", "web"},
        {SVCID, GVS_ADDR_BAD, "/tcp", ""},
        {SVCID, GVS_ADDR_NO_PORT, "10.99.0.1", ""},
        {SVCID, GVS_ADDR_NO_PORT, "10.99.0.1:/tcp", ""},
        {SVCID, GVS_ADDR_PROTO, "10.99.0.1:80/", ""},
        {SVCID, GVS_ADDR_PROTO, "10.99.0.1:80/icmp", "icmp"},
        {SVCID, GVS_ADDR_PROTO, "10.99.0.1:80/TCP", "TCP"},
        {SVCID, GVS_ADDR_PROTO, "10.99.0.1:80/6", "6"},
        {SVCID, GVS_ADDR_PROTO, "10.99.0.1:80/fwmark", "fwmark"},
        {SVCID, GVS_ADDR_PROTO, "10.99.0.1:80/tcp ", "tcp "},
        {SVCID, GVS_ADDR_PROTO, "10.99.0.1:80/tcp/udp", "tcp/udp"},
        {SVCID, GVS_ADDR_PORT, "10.99.0.1:99999/tcp", "99999"},
        {SVCID, GVS_ADDR_OCTET, "10.99.0.999:80/tcp", "999"},
        {SVCID, GVS_ADDR_BRACKETS, "fd00::1:80/tcp", "fd00::1:80"},
        {SVCID, GVS_ADDR_MAPPED, "[::ffff:1.2.3.4]:80/tcp", "::ffff:1.2.3.4"},
        {SVCID, GVS_ADDR_SCOPED, "[fe80::1%lo]:80/tcp", "%lo"},
        {SVCID, GVS_ADDR_MARK, "fwmark:0", "0"},
        {SVCID, GVS_ADDR_MARK, "fwmark:", ""},
        {SVCID, GVS_ADDR_MARK, "fwmark:05", "05"},
        {SVCID, GVS_ADDR_MARK, "fwmark:0x5", "0x5"},
        {SVCID, GVS_ADDR_MARK, "fwmark:-1", "-1"},
        {SVCID, GVS_ADDR_MARK, "fwmark:4294967296", "4294967296"},
        {SVCID, GVS_ADDR_MARK, "fwmark:18446744073709551617", "18446744073709551617"},
        {SVCID, GVS_ADDR_MARK, "fwmark:/v6", ""},
        {SVCID, GVS_ADDR_BAD, "fwmark:5/tcp", "/tcp"},
        {SVCID, GVS_ADDR_BAD, "fwmark:5/", "/"},
        {SVCID, GVS_ADDR_BAD, "fwmark:5/v6x", "/v6x"},
        {SVCID, GVS_ADDR_BAD, "fwmark", "fwmark"},

        {PREFIX, GVS_ADDR_BAD, "", ""},
        {PREFIX, GVS_ADDR_BITS, "10.99.0.0/", ""},
        {PREFIX, GVS_ADDR_BITS, "10.99.0.0/33", "33"},
        {PREFIX, GVS_ADDR_BITS, "fd00::/129", "129"},
        {PREFIX, GVS_ADDR_BITS, "10.99.0.0/016", "016"},
        {PREFIX, GVS_ADDR_BITS, "10.99.0.0/-1", "-1"},
        {PREFIX, GVS_ADDR_BITS, "10.99.0.0/255.255.0.0", "255.255.0.0"},
        {PREFIX, GVS_ADDR_BITS, "10.99.0.1/16", "10.99.0.1/16"},
        {PREFIX, GVS_ADDR_BITS, "10.99.0.64/25", "10.99.0.64/25"},
        {PREFIX, GVS_ADDR_BITS, "0.0.0.1/0", "0.0.0.1/0"},
        {PREFIX, GVS_ADDR_BITS, "fd00::1/127", "fd00::1/127"},
        {PREFIX, GVS_ADDR_MAPPED, "::ffff:0:0/96", "::ffff:0:0"},
        {PREFIX, GVS_ADDR_SCOPED, "fe80::%eth0/64", "%eth0"},
        {PREFIX, GVS_ADDR_OCTET, "10.256.0.0/16", "256"},
        {PREFIX, GVS_ADDR_BAD, "10.99/16", "10.99"},
    };
    unsigned reached = 0;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gvs_addr_fault fault;
        char part[64] = {0};
        union any v;

        print_message("'%s': '%s'\n", rows[i].text, rows[i].part);
        memset(&v, 0xa5, sizeof v);
        assert_int_equal(parse(rows[i].kind, &v, rows[i].text, strlen(rows[i].text), &fault),
                         GVS_E_MALFORMED);
        assert_int_equal(fault.why, rows[i].why);
        memcpy(part, rows[i].text + fault.at, fault.len);
        assert_string_equal(part, rows[i].part);
        reached |= 1u << fault.why;
    }
    for (enum gvs_addr_why why = GVS_ADDR_BAD; why <= GVS_ADDR_BITS; why++)
        assert_true(reached & 1u << why);
}

static void
test_a_missing_port_is_missed_where_it_belongs(void **state)
{
    struct gvs_addr_fault fault;
    struct gvs_svcid svc;

    (void)state;
    assert_int_equal(gvs_svcid_parse(&svc, "10.99.0.1/tcp", 13, &fault), GVS_E_MALFORMED);
    assert_int_equal(fault.why, GVS_ADDR_NO_PORT);
    assert_int_equal(fault.at, 9);
    assert_int_equal(fault.len, 0);
    assert_int_equal(gvs_svcid_parse(&svc, "10.99.0.1/tcp", 13, NULL), GVS_E_MALFORMED);
    assert_int_equal(gvs_svcid_parse(&svc, NULL, 0, NULL), GVS_E_MALFORMED);
    assert_int_equal(gvs_svcid_parse(&svc, "1.2.3.4:5678", 9, NULL), GVS_OK); /* len counts */
    assert_int_equal(svc.port, 5);
}

/* What inet_pton says of a text, with v4-mapped refused. */
static bool
libc_parse(struct gvs_addr *out, const char *text)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    *out = (struct gvs_addr){0};
    if (inet_pton(AF_INET, text, out->b) == 1) {
        out->family = GVS_FAMILY_V4;
        return true;
    }
    if (inet_pton(AF_INET6, text, out->b) != 1)
        return false;
    out->family = GVS_FAMILY_V6;
    return memcmp(out->b, mapped, sizeof mapped) != 0;
}

static bool
agrees_with_libc(const char *text)
{
    struct gvs_addr libc, ours;
    bool ok = libc_parse(&libc, text);

    if ((gvs_addr_parse(&ours, text, strlen(text), NULL) == GVS_OK) != ok)
        return false;
    return !ok || memcmp(&libc, &ours, sizeof ours) == 0;
}

static void
test_text_is_libcs_for_250000_random_addresses(void **state)
{
    size_t embedded = 0;

    (void)state;
    for (uint64_t seed = test_seed_first(); seed < test_seed_end(250000); seed++) {
        struct gvs_prng prng = gvs_prng_init(seed);
        struct gvs_addr a = sample_addr(&prng), back;
        char ours[GVS_ADDR_TEXT_LEN], libc[INET6_ADDRSTRLEN];
        size_t len = gvs_addr_format(ours, &a);

        inet_ntop(a.family == GVS_FAMILY_V4 ? AF_INET : AF_INET6, a.b, libc, sizeof libc);
        if (strchr(libc, ':') != NULL && strchr(libc, '.') != NULL)
            embedded++; /* libc writes ::10.0.0.1 where we write ::a00:1 */
        else if (strcmp(ours, libc) != 0)
            fail_msg("%s is %s to libc, replay with GVS_SEED=%" PRIu64, ours, libc, seed);
        if (strlen(ours) != len || gvs_addr_parse(&back, libc, strlen(libc), NULL) != GVS_OK ||
            memcmp(&a, &back, sizeof a) != 0 || !agrees_with_libc(ours))
            fail_msg("%s, replay with GVS_SEED=%" PRIu64, ours, seed);
    }
    print_message("%zu with embedded IPv4\n", embedded);
}

static void
test_every_short_text_is_taken_or_refused_as_by_libc(void **state)
{
    static const char chars[] = {':', '.', '0', '1'};
    size_t count = 1, taken = 0;

    (void)state;
    for (size_t len = 0; len <= 9; len++, count *= sizeof chars) {
        for (size_t n = 0; n < count; n++) {
            char text[10] = {0};
            struct gvs_addr a;

            for (size_t i = 0, rest = n; i < len; i++, rest /= sizeof chars)
                text[i] = chars[rest % sizeof chars];
            if (!agrees_with_libc(text))
                fail_msg("%s", text);
            taken += gvs_addr_parse(&a, text, len, NULL) == GVS_OK;
        }
    }
    assert_true(taken > 100);
}

/* Up to ten groups, each there or left out, with and without IPv4 at the end. */
static void
test_every_shape_of_groups_is_taken_or_refused_as_by_libc(void **state)
{
    static const char *const ends[] = {"", ":", "1.2.3.4", "1.2.3"};

    (void)state;
    for (unsigned count = 1; count <= 10; count++) {
        for (unsigned shape = 0; shape < 1u << count; shape++) {
            for (size_t e = 0; e < sizeof ends / sizeof *ends; e++) {
                char text[64];
                size_t n = 0;

                for (unsigned i = 0; i < count; i++) {
                    if (i > 0)
                        text[n++] = ':';
                    if (shape >> i & 1)
                        text[n++] = (char)('1' + i % 9);
                }
                memcpy(text + n, ends[e], strlen(ends[e]) + 1);
                if (!agrees_with_libc(text))
                    fail_msg("%s", text);
            }
        }
    }
}

static void
test_mutated_texts_are_taken_or_refused_as_by_libc(void **state)
{
    static const char chars[] = "0123456789abcdefABCDEFgx:::...%/[] -";
    size_t taken = 0;

    (void)state;
    for (uint64_t seed = test_seed_first(); seed < test_seed_end(200000); seed++) {
        struct gvs_prng prng = gvs_prng_init(seed);
        struct gvs_addr a = sample_addr(&prng);
        char text[GVS_ADDR_TEXT_LEN + 4];
        size_t len;

        if (gvs_prng_chance(&prng, 1, 8) && a.family == GVS_FAMILY_V6)
            memcpy(a.b, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12); /* on the edge of what is mapped */
        len = gvs_addr_format(text, &a);
        if (gvs_prng_chance(&prng, 1, 8)) {
            len = (size_t)snprintf(text, sizeof text, "::ffff:%u.%u.%u.%u", a.b[0], a.b[1], a.b[2],
                                   a.b[3]);
        }
        for (uint32_t i = gvs_prng_below(&prng, 3); i < 3; i++) {
            size_t at = gvs_prng_below(&prng, (uint32_t)len + 1);
            char c = chars[gvs_prng_below(&prng, sizeof chars - 1)];

            if (gvs_prng_chance(&prng, 1, 3)) { /* insert */
                memmove(text + at + 1, text + at, len + 1 - at);
                text[at] = c;
                len++;
            } else if (at < len && gvs_prng_chance(&prng, 1, 2)) { /* replace */
                text[at] = c;
            } else if (at < len && len > 1) { /* remove */
                memmove(text + at, text + at + 1, len - at);
                len--;
            }
        }
        if (!agrees_with_libc(text))
            fail_msg("%s, replay with GVS_SEED=%" PRIu64, text, seed);
        taken += gvs_addr_parse(&a, text, len, NULL) == GVS_OK;
    }
    print_message("%zu taken\n", taken);
}

static void
random_any(struct gvs_prng *p, enum kind kind, union any *v)
{
    memset(v, 0, sizeof *v);
    if (kind == ADDR)
        v->addr = sample_addr(p);
    else if (kind == EP)
        sample_ep(p, &v->ep);
    else if (kind == SVCID)
        v->svcid = sample_svcid(p);
    if (kind != PREFIX)
        return;
    do {
        v->prefix.addr = sample_addr(p);
        v->prefix.bits =
            (uint8_t)gvs_prng_below(p, (uint32_t)(8 * gvs_addr_bytes(&v->prefix.addr)) + 1);
        for (unsigned i = v->prefix.bits; i < 8 * gvs_addr_bytes(&v->prefix.addr); i++)
            v->prefix.addr.b[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
    } while (gvs_addr_is_mapped(&v->prefix.addr));
}

/* What parses has a canonical text that parses to the same; what does not, does no harm. */
static bool
is_stable(enum kind kind, const char *text, size_t len)
{
    struct gvs_addr_fault fault;
    char canonical[TEXT_LEN];
    union any v, back;
    size_t n;

    memset(&v, 0, sizeof v);
    memset(&back, 0, sizeof back);
    if (parse(kind, &v, text, len, &fault) != GVS_OK)
        return true;
    n = format(kind, canonical, &v);
    return strlen(canonical) == n && parse(kind, &back, canonical, n, &fault) == GVS_OK &&
           sample_same(&v, &back, sizeof v);
}

static void
test_random_things_come_back_and_damaged_texts_do_no_harm(void **state)
{
    static const char chars[] = "0123456789abcdef::..[]//%tcpudsfwmrkv6 \xff";

    (void)state;
    for (uint64_t seed = test_seed_first(); seed < test_seed_end(1000); seed++) {
        for (enum kind kind = ADDR; kind < KINDS; kind++) {
            struct gvs_prng prng = gvs_prng_init(seed);
            struct gvs_addr_fault fault;
            char text[TEXT_LEN], noise[TEXT_LEN];
            union any v, back;
            size_t len;
            bool ok;

            random_any(&prng, kind, &v);
            memset(&back, 0, sizeof back);
            len = format(kind, text, &v);
            ok =
                parse(kind, &back, text, len, &fault) == GVS_OK && sample_same(&v, &back, sizeof v);
            for (enum kind as = ADDR; as < KINDS; as++) {
                for (size_t n = 0; n < len; n++)
                    ok = ok && is_stable(as, text, n) && is_stable(as, text + n, len - n);
                for (int i = 0; i < 10; i++) {
                    memcpy(noise, text, len);
                    noise[gvs_prng_below(&prng, (uint32_t)len)] =
                        chars[gvs_prng_below(&prng, sizeof chars)]; /* the final 0, too */
                    ok = ok && is_stable(as, noise, len);
                }
            }
            if (!ok)
                fail_msg("kind %d, replay with GVS_SEED=%" PRIu64, (int)kind, seed);
        }
    }
}

/* I2: also what lies between the members, whatever was there before. */
static void
test_parsed_endpoints_are_equal_under_memcmp(void **state)
{
    struct gvs_ep a, b;

    (void)state;
    memset(&a, 0xff, sizeof a);
    memset(&b, 0, sizeof b);
    assert_int_equal(gvs_ep_parse(&a, "10.0.0.1:80", 11, NULL), GVS_OK);
    assert_int_equal(gvs_ep_parse(&b, "10.0.0.1:80", 11, NULL), GVS_OK);
    assert_memory_equal(&a, &b, sizeof a);
}

static void
test_a_v4_mapped_address_of_the_kernels_still_has_a_text(void **state)
{
    struct gvs_addr a = {GVS_FAMILY_V6, {[10] = 0xff, [11] = 0xff, 10, 0, 0, 1}};
    char text[GVS_ADDR_TEXT_LEN];

    (void)state;
    assert_int_equal(gvs_addr_format(text, &a), 12);
    assert_string_equal(text, "::ffff:a00:1");
}

static void
test_kinds_of_addresses(void **state)
{
    static const struct {
        const char *text;
        bool any, loopback, multicast;
    } rows[] = {
        {"0.0.0.0", true, false, false},
        {"0.0.0.1", false, false, false},
        {"::", true, false, false},
        {"126.255.255.255", false, false, false},
        {"127.0.0.0", false, true, false},
        {"127.0.0.1", false, true, false},
        {"127.255.255.255", false, true, false},
        {"128.0.0.0", false, false, false},
        {"::1", false, true, false},
        {"::2", false, false, false},
        {"1::1", false, false, false},
        {"7f00::", false, false, false},
        {"223.255.255.255", false, false, false},
        {"224.0.0.0", false, false, true},
        {"239.255.255.255", false, false, true},
        {"240.0.0.0", false, false, false},
        {"255.255.255.254", false, false, false},
        {"255.255.255.255", false, false, true},
        {"ff00::", false, false, true},
        {"ff02::1", false, false, true},
        {"fe80::1", false, false, false},
        {"e000::", false, false, false},
        {"ffff:ffff::", false, false, true},
    };
    static const struct gvs_addr none = {0};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gvs_addr a;

        print_message("%s\n", rows[i].text);
        assert_int_equal(gvs_addr_parse(&a, rows[i].text, strlen(rows[i].text), NULL), GVS_OK);
        assert_int_equal(gvs_addr_is_any(&a), rows[i].any);
        assert_int_equal(gvs_addr_is_loopback(&a), rows[i].loopback);
        assert_int_equal(gvs_addr_is_multicast(&a), rows[i].multicast);
        assert_int_equal(gvs_addr_bytes(&a), strchr(rows[i].text, ':') != NULL ? 16 : 4);
        assert_true(gvs_addr_valid(&a));
    }
    assert_int_equal(gvs_addr_bytes(&none), 0);
    assert_false(gvs_addr_is_any(&none));
    assert_false(gvs_addr_is_loopback(&none));
    assert_false(gvs_addr_is_multicast(&none));
    assert_false(gvs_addr_valid(&none));
}

static bool
naive_contains(const struct gvs_prefix *p, const struct gvs_addr *a)
{
    if (p->addr.family != a->family)
        return false;
    for (unsigned i = 0; i < p->bits; i++)
        if (((p->addr.b[i / 8] ^ a->b[i / 8]) & 0x80 >> i % 8) != 0)
            return false;
    return true;
}

static void
test_a_prefix_contains_what_shares_its_bits(void **state)
{
    size_t inside = 0;

    (void)state;
    for (uint64_t seed = test_seed_first(); seed < test_seed_end(50000); seed++) {
        struct gvs_prng prng = gvs_prng_init(seed);
        struct gvs_addr a = sample_addr(&prng);
        union any v;

        random_any(&prng, PREFIX, &v);
        if (gvs_prng_chance(&prng, 2, 3)) {
            a = v.prefix.addr;
            if (gvs_prng_chance(&prng, 3, 4)) /* one bit apart, inside or outside */
                a.b[gvs_prng_below(&prng, (uint32_t)gvs_addr_bytes(&a))] ^=
                    (uint8_t)(1u << gvs_prng_below(&prng, 8));
        }
        inside += gvs_prefix_contains(&v.prefix, &a);
        if (gvs_prefix_contains(&v.prefix, &a) != naive_contains(&v.prefix, &a))
            fail_msg("replay with GVS_SEED=%" PRIu64, seed);
    }
    print_message("%zu inside\n", inside);
}

static int
sign_of(int v)
{
    return (v > 0) - (v < 0);
}

static void
test_order_is_family_then_bytes_then_port(void **state)
{
    static const char *const ascending[] = {
        "fwmark:1",        "fwmark:255",      "fwmark:256",      "fwmark:4294967295",
        "fwmark:1/v6",     "1.2.3.4:0/tcp",   "1.2.3.4:255/tcp", "1.2.3.4:256/tcp",
        "1.2.3.5:0/tcp",   "127.0.0.1:1/tcp", "128.0.0.1:1/tcp", "255.0.0.0:65535/tcp",
        "[::]:0/tcp",      "[::1]:80/tcp",    "[7fff::]:1/tcp",  "[8000::]:1/tcp",
        "0.0.0.0:0/udp",   "1.2.3.4:5/udp",   "[::]:9/udp",      "0.0.0.0:0/sctp",
        "[ffff::]:1/sctp",
    };
    const size_t count = sizeof ascending / sizeof *ascending;

    (void)state;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            struct gvs_svcid a, b;
            int sign = (i > j) - (i < j);
            struct gvs_ep ea, eb;

            assert_int_equal(gvs_svcid_parse(&a, ascending[i], strlen(ascending[i]), NULL), 0);
            assert_int_equal(gvs_svcid_parse(&b, ascending[j], strlen(ascending[j]), NULL), 0);
            assert_int_equal(sign_of(gvs_svcid_cmp(&a, &b)), sign);
            if (a.proto != b.proto || a.proto == GVS_PROTO_FWMARK)
                continue;
            ea = (struct gvs_ep){a.addr, a.port};
            eb = (struct gvs_ep){b.addr, b.port};
            assert_int_equal(sign_of(gvs_ep_cmp(&ea, &eb)), sign);
            if (gvs_addr_cmp(&a.addr, &b.addr) != 0)
                assert_int_equal(sign_of(gvs_addr_cmp(&a.addr, &b.addr)), sign);
            else
                assert_int_equal((a.port > b.port) - (a.port < b.port), sign);
        }
    }
}

static void
test_protocols_have_names(void **state)
{
    (void)state;
    assert_string_equal(gvs_proto_name(GVS_PROTO_FWMARK), "fwmark");
    assert_string_equal(gvs_proto_name(6), "tcp");
    assert_string_equal(gvs_proto_name(17), "udp");
    assert_string_equal(gvs_proto_name(132), "sctp");
    assert_string_equal(gvs_proto_name(1), "?");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_usual_spelling_has_one_canonical_text),
        cmocka_unit_test(test_each_refused_text_names_its_reason_and_its_part),
        cmocka_unit_test(test_a_missing_port_is_missed_where_it_belongs),
        cmocka_unit_test(test_text_is_libcs_for_250000_random_addresses),
        cmocka_unit_test(test_every_short_text_is_taken_or_refused_as_by_libc),
        cmocka_unit_test(test_every_shape_of_groups_is_taken_or_refused_as_by_libc),
        cmocka_unit_test(test_mutated_texts_are_taken_or_refused_as_by_libc),
        cmocka_unit_test(test_random_things_come_back_and_damaged_texts_do_no_harm),
        cmocka_unit_test(test_parsed_endpoints_are_equal_under_memcmp),
        cmocka_unit_test(test_a_v4_mapped_address_of_the_kernels_still_has_a_text),
        cmocka_unit_test(test_kinds_of_addresses),
        cmocka_unit_test(test_a_prefix_contains_what_shares_its_bits),
        cmocka_unit_test(test_order_is_family_then_bytes_then_port),
        cmocka_unit_test(test_protocols_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
