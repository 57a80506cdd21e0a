/* core/bytes.h: big-endian integers in byte strings, so that memcmp orders them as numbers. */
#pragma once

#include <stdint.h>

static inline void
gvs_put16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void
gvs_put32(uint8_t *p, uint32_t v)
{
    gvs_put16(p, (uint16_t)(v >> 16));
    gvs_put16(p + 2, (uint16_t)v);
}

static inline void
gvs_put64(uint8_t *p, uint64_t v)
{
    gvs_put32(p, (uint32_t)(v >> 32));
    gvs_put32(p + 4, (uint32_t)v);
}

static inline uint16_t
gvs_get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t
gvs_get32(const uint8_t *p)
{
    return (uint32_t)gvs_get16(p) << 16 | gvs_get16(p + 2);
}

static inline uint64_t
gvs_get64(const uint8_t *p)
{
    return (uint64_t)gvs_get32(p) << 32 | gvs_get32(p + 4);
}
