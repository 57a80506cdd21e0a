/* net/packet.h: the four kinds of datagram, byte by byte. docs/wire.md says what they mean.
 *
 *     INIT, 176 bytes                              RESP, 176 bytes
 *       0  1  type 1                                 0  1  type 2
 *       1  1  version                                1  1  version
 *       2  2  zero                                   2  2  zero
 *       4  4  sender index                           4  4  sender index
 *       8  8  key id                                 8  4  receiver index
 *                                                   12  4  zero
 *      16 32  e                                     16 32  e
 *      48 48  s, sealed                             48 48  s, sealed
 *      96 48  payload, sealed                       96 48  payload, sealed
 *     144 16  mac1                                 144 16  mac1
 *     160 16  mac2                                 160 16  mac2
 *
 *     COOKIE, 64 bytes                             DATA, 32 + n bytes
 *       0  1  type 3                                 0  1  type 4
 *       1  1  version                                1  1  version
 *       2  2  zero                                   2  2  zero
 *       4  4  receiver index                         4  4  receiver index
 *       8 24  nonce                                  8  8  counter
 *      32 32  cookie, sealed                        16  n  body, sealed
 *                                                 16+n 16  tag
 *
 * Numbers are little-endian; a key id is bytes of a hash, in order.
 */
#pragma once

#include <stdint.h>
#include <string.h>

#include "core/addr.h"

#define GVS_PACKET_VERSION 1
#define GVS_HANDSHAKE_LEN 176
#define GVS_COOKIE_LEN 64
#define GVS_DATA_OVERHEAD 32

enum gvs_packet_type {
    GVS_PACKET_INIT = 1,
    GVS_PACKET_RESP = 2,
    GVS_PACKET_COOKIE = 3,
    GVS_PACKET_DATA = 4,
};

enum { /* where a field begins */
       GVS_AT_TYPE = 0,
       GVS_AT_VERSION = 1,
       GVS_AT_RESERVED = 2,
       GVS_AT_SENDER = 4, /* INIT, RESP */
       GVS_AT_INIT_KEY = 8,
       GVS_AT_RESP_RECEIVER = 8,
       GVS_AT_RESP_RESERVED = 12,
       GVS_AT_E = 16,
       GVS_AT_S = 48,
       GVS_AT_PAYLOAD = 96,
       GVS_AT_MAC1 = 144,
       GVS_AT_MAC2 = 160,
       GVS_AT_COOKIE_RECEIVER = 4,
       GVS_AT_COOKIE_NONCE = 8,
       GVS_AT_COOKIE = 32,
       GVS_AT_DATA_RECEIVER = 4,
       GVS_AT_DATA_COUNTER = 8,
       GVS_AT_DATA_BODY = 16,
};

static inline void
gvs_put16le(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void
gvs_put32le(uint8_t *p, uint32_t v)
{
    gvs_put16le(p, (uint16_t)v);
    gvs_put16le(p + 2, (uint16_t)(v >> 16));
}

static inline void
gvs_put64le(uint8_t *p, uint64_t v)
{
    gvs_put32le(p, (uint32_t)v);
    gvs_put32le(p + 4, (uint32_t)(v >> 32));
}

/* An address and port, for hashing. */
#define GVS_EP_LEN 19
static inline void
gvs_put_ep(uint8_t p[static GVS_EP_LEN], const struct gvs_ep *ep)
{
    p[0] = ep->addr.family;
    memcpy(p + 1, ep->addr.b, 16);
    gvs_put16le(p + 17, ep->port);
}

static inline uint16_t
gvs_get16le(const uint8_t *p)
{
    return (uint16_t)(p[1] << 8 | p[0]);
}

static inline uint32_t
gvs_get32le(const uint8_t *p)
{
    return (uint32_t)gvs_get16le(p + 2) << 16 | gvs_get16le(p);
}

static inline uint64_t
gvs_get64le(const uint8_t *p)
{
    return (uint64_t)gvs_get32le(p + 4) << 32 | gvs_get32le(p);
}
