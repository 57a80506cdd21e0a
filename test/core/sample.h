/* test/core/sample.h: random parts of keys, and bytes written out, for tests.
 *
 * Bytes come from a few values, zero most often: long runs of zeros, equal prefixes and neighbours
 * that differ in one place are then common, and these are what text and order stumble over.
 */
#pragma once

#include "core/key.h"
#include "test/lib/prng.h"

#include <string.h>

/* The bytes of hexadecimal digits in pairs and of 'text' in quotes; blanks are skipped. Returns how
 * many. For the rows of tests: anything else stops the test. */
static inline size_t
sample_bytes(uint8_t *out, const char *s)
{
    static const char digits[] = "0123456789abcdef";
    size_t n = 0;

    for (; *s != 0; s++) {
        if (*s == ' ')
            continue;
        if (*s == '\'') {
            while (*++s != '\'')
                out[n++] = (uint8_t)*s;
            continue;
        }
        if (s[1] == 0 || strchr(digits, s[0]) == NULL || strchr(digits, s[1]) == NULL) {
            fprintf(stderr, "no bytes: %s\n", s);
            abort();
        }
        out[n++] =
            (uint8_t)((strchr(digits, s[0]) - digits) << 4 | (strchr(digits, s[1]) - digits));
        s++;
    }
    return n;
}

/* Are all bytes the same, those between the members too? */
static inline bool
sample_same(const void *a, const void *b, size_t len)
{
    return memcmp(a, b, len) == 0;
}

static inline uint8_t
sample_byte(struct gvs_prng *p)
{
    static const uint8_t bytes[] = {0, 0, 0, 0, 1, 2, 10, 127, 128, 255};

    if (gvs_prng_chance(p, 1, 4))
        return (uint8_t)gvs_prng_next(p);
    return bytes[gvs_prng_below(p, sizeof bytes)];
}

static inline uint16_t
sample_port(struct gvs_prng *p)
{
    return (uint16_t)(sample_byte(p) << 8 | sample_byte(p));
}

/* Of any kind but v4-mapped. */
static inline struct gvs_addr
sample_addr(struct gvs_prng *p)
{
    struct gvs_addr a;
    bool plain = gvs_prng_chance(p, 1, 3); /* every bit a coin */

    do {
        a = (struct gvs_addr){.family = gvs_prng_chance(p, 1, 2) ? GVS_FAMILY_V4 : GVS_FAMILY_V6};
        for (size_t i = 0; i < gvs_addr_bytes(&a); i++)
            a.b[i] = plain ? (uint8_t)gvs_prng_next(p) : sample_byte(p);
        if (gvs_prng_chance(p, 1, 16)) /* :: to ::255.255.255.255 and their neighbours */
            memset(a.b, 0, a.family == GVS_FAMILY_V6 ? 8 + gvs_prng_below(p, 9) : 0);
    } while (gvs_addr_is_mapped(&a));
    return a;
}

static inline void
sample_ep(struct gvs_prng *p, struct gvs_ep *out)
{
    memset(out, 0, sizeof *out);
    out->addr = sample_addr(p);
    out->port = sample_port(p);
}

static inline struct gvs_svcid
sample_svcid(struct gvs_prng *p)
{
    static const uint8_t protos[] = {GVS_PROTO_FWMARK, GVS_PROTO_TCP, GVS_PROTO_UDP,
                                     GVS_PROTO_SCTP};
    struct gvs_svcid s = {.proto = protos[gvs_prng_below(p, sizeof protos)]};

    s.addr = sample_addr(p);
    if (s.proto == GVS_PROTO_FWMARK) {
        memset(s.addr.b, 0, sizeof s.addr.b);
        s.fwmark = (uint32_t)sample_port(p) << 16 | sample_port(p);
        s.fwmark += s.fwmark == 0;
    } else {
        s.port = sample_port(p);
    }
    return s;
}

/* Of a node: not all zero. */
static inline struct gvs_id
sample_id(struct gvs_prng *p)
{
    struct gvs_id id = {{0}};

    for (size_t i = 0; i < sizeof id.b; i++)
        id.b[i] = sample_byte(p);
    if (gvs_id_is_cluster(&id))
        id.b[gvs_prng_below(p, sizeof id.b)] = 1;
    return id;
}

static inline void
sample_key(struct gvs_prng *p, struct gvs_key *out)
{
    memset(out, 0, sizeof *out);
    out->kind = (enum gvs_key_kind)(GVS_KEY_SERVICE + gvs_prng_below(p, 4));
    if (out->kind != GVS_KEY_MEMBER)
        out->svc = sample_svcid(p);
    if (out->kind == GVS_KEY_BACKEND || out->kind == GVS_KEY_OVERRIDE)
        sample_ep(p, &out->ep);
    if (out->kind == GVS_KEY_MEMBER || (out->kind != GVS_KEY_OVERRIDE && gvs_prng_chance(p, 1, 2)))
        out->owner = sample_id(p);
}
