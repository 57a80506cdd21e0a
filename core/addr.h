/* core/addr.h: addresses, endpoints, virtual services and prefixes, in bytes and in text.
 *
 * Each has one canonical text (RFC 5952 for IPv6: lower case, longest run of zeros shortened, the
 * first of equals, never a single group; no embedded IPv4), and parsing accepts every usual
 * spelling of it:
 *
 *     address    10.99.0.1         fd00:99::1
 *     endpoint   10.99.0.1:80      [fd00:99::1]:80
 *     service    10.99.0.1:80/tcp  [fd00:99::1]:53/udp  (/tcp may be left out)
 *                fwmark:5          fwmark:5/v6          (/v4 may be written)
 *     prefix     10.99.0.0/16      fd00:99::/64         (host bits clear; no length: a host)
 *
 * Refused whatever the use: numbers with leading zeros (octets, ports, marks, lengths), v4-mapped
 * (::ffff:0:0/96) and scoped (%eth0) addresses, ports above 65535, trailing bytes. No function here
 * reads past `len` or needs a final 0.
 *
 *   I1  format(parse(t)) is canonical, and parse(format(x)) == x.
 *   I2  Unused bytes of a struct are zero, so that two equal things are equal under memcmp: what is
 *       written here is zero in its padding too. (An initializer promises nothing about that.)
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gvs_family { GVS_FAMILY_NONE = 0, GVS_FAMILY_V4 = 4, GVS_FAMILY_V6 = 6 };

/* The IP protocol number; FWMARK, for a service named by a firewall mark, is no protocol. */
enum gvs_proto {
    GVS_PROTO_FWMARK = 0,
    GVS_PROTO_TCP = 6,
    GVS_PROTO_UDP = 17,
    GVS_PROTO_SCTP = 132
};

struct gvs_addr {
    uint8_t family; /* enum gvs_family */
    uint8_t b[16];  /* network order; IPv4 in the first four */
};

struct gvs_ep { /* an endpoint */
    struct gvs_addr addr;
    uint16_t port; /* host order */
};

/* What a virtual service is known by. */
struct gvs_svcid {
    uint8_t proto;        /* enum gvs_proto */
    struct gvs_addr addr; /* with FWMARK only the family */
    uint16_t port;        /* host order; 0 = every port of the address; 0 with FWMARK */
    uint32_t fwmark;      /* 1..2^32-1 with FWMARK, else 0 */
};

struct gvs_prefix {
    struct gvs_addr addr;
    uint8_t bits; /* 0..32 or 0..128 */
};

/* Room for the longest text and a final 0. */
#define GVS_ADDR_TEXT_LEN 40
#define GVS_EP_TEXT_LEN 48
#define GVS_SVCID_TEXT_LEN 56
#define GVS_PREFIX_TEXT_LEN 44

/* Why a text does not parse; the CLI turns it into a sentence. `at`..`at+len` is the part that is
 * wrong: the octet, the port without its colon, %interface; the whole address where no part of it
 * is to blame. What is missing has no length. */
enum gvs_addr_why {
    GVS_ADDR_OK = 0,
    GVS_ADDR_BAD,      /* not an address at all; a mark with something else behind it */
    GVS_ADDR_OCTET,    /* an octet over 255 */
    GVS_ADDR_NO_PORT,  /* the port is missing */
    GVS_ADDR_PORT,     /* not a port, or over 65535 */
    GVS_ADDR_PROTO,    /* neither tcp, udp nor sctp */
    GVS_ADDR_MAPPED,   /* IPv4 in IPv6's clothes */
    GVS_ADDR_SCOPED,   /* %interface */
    GVS_ADDR_MARK,     /* a mark outside 1..4294967295 */
    GVS_ADDR_BRACKETS, /* an IPv6 address with a port needs [ ] */
    GVS_ADDR_BITS,     /* a prefix length out of range, or host bits set */
};

struct gvs_addr_fault {
    enum gvs_addr_why why;
    size_t at, len; /* half-open part of the input: [at, at+len) */
};

/* Each returns GVS_OK, or GVS_E_MALFORMED with *fault (may be NULL) filled and *out untouched. On
 * GVS_OK *fault is zero. */
int gvs_addr_parse(struct gvs_addr *out, const char *text, size_t len,
                   struct gvs_addr_fault *fault);
int gvs_ep_parse(struct gvs_ep *out, const char *text, size_t len, struct gvs_addr_fault *fault);
int gvs_svcid_parse(struct gvs_svcid *out, const char *text, size_t len,
                    struct gvs_addr_fault *fault);
int gvs_prefix_parse(struct gvs_prefix *out, const char *text, size_t len,
                     struct gvs_addr_fault *fault);

/* Each writes the canonical text and a final 0, and returns the length without it. The family is
 * IPv4 or IPv6 (asserted); what else a kernel may hold (a v4-mapped address) has a text as well. */
size_t gvs_addr_format(char text[static GVS_ADDR_TEXT_LEN], const struct gvs_addr *a);
size_t gvs_ep_format(char text[static GVS_EP_TEXT_LEN], const struct gvs_ep *e);
size_t gvs_svcid_format(char text[static GVS_SVCID_TEXT_LEN], const struct gvs_svcid *s);
size_t gvs_prefix_format(char text[static GVS_PREFIX_TEXT_LEN], const struct gvs_prefix *p);

/* "tcp", "udp", "sctp" or "fwmark"; "?" for what IPVS does not know. */
const char *gvs_proto_name(uint8_t proto);

/* Total orders: family, bytes; then port. Services: protocol, family, address, port or mark; the
 * order of their keys (core/key.h). */
int gvs_addr_cmp(const struct gvs_addr *a, const struct gvs_addr *b);
int gvs_ep_cmp(const struct gvs_ep *a, const struct gvs_ep *b);
int gvs_svcid_cmp(const struct gvs_svcid *a, const struct gvs_svcid *b);

/* What a key can hold: a known family, unused bytes zero (I2), not v4-mapped; for a service also a
 * known protocol, and a mark with FWMARK only. */
bool gvs_addr_valid(const struct gvs_addr *a);
bool gvs_svcid_valid(const struct gvs_svcid *s);

size_t gvs_addr_bytes(const struct gvs_addr *a);   /* 4, 16, or 0 for NONE */
bool gvs_addr_is_mapped(const struct gvs_addr *a); /* ::ffff:0:0/96 */
bool gvs_addr_is_any(const struct gvs_addr *a);    /* 0.0.0.0 or :: */
bool gvs_addr_is_loopback(const struct gvs_addr *a);
bool gvs_addr_is_multicast(const struct gvs_addr *a); /* 255.255.255.255 counts */
bool gvs_prefix_contains(const struct gvs_prefix *p, const struct gvs_addr *a);
