/* test/ipvs/messages.h: operations from text, and the kernel's answers byte by byte, for the tests
 * of ipvs/nl_codec.h.
 *
 * Numbers and layouts are those of <linux/netlink.h>, <linux/genetlink.h> and <linux/ip_vs.h>,
 * written down once more: what is checked must not come from there by way of the code under test.
 */
#pragma once

#include "ipvs/nl_codec.h"
#include "test/core/items.h"

#include <errno.h>

#define FAMILY 0x1122
#define SEQ 0x01020304u

static inline struct gvs_op
op_of(uint8_t kind, struct gvs_item item)
{
    return (struct gvs_op){.kind = kind, .item = item};
}

static inline struct gvs_item
full_service(const char *svc, const char *sched, uint32_t flags, uint32_t persistent,
             uint8_t netmask)
{
    struct gvs_item item = service(svc);

    strcpy(item.service.sched, sched);
    item.service.flags = flags;
    item.service.persistent = persistent;
    item.service.netmask = netmask;
    return item;
}

static inline struct gvs_item
full_dest(const char *svc, const char *ep, struct gvs_item_dest fields)
{
    struct gvs_item item = dest(svc, ep, 0);

    item.dest = fields;
    return item;
}

/* clang-format off */
enum { TYPE_ERROR = 2, TYPE_DONE = 3, FLAG_MULTI = 2, FLAG_INTR = 0x10 };
enum { SVC_AF = 1, SVC_PROTO, SVC_ADDR, SVC_PORT, SVC_MARK, SVC_SCHED, SVC_FLAGS, SVC_TIMEOUT,
       SVC_NETMASK, SVC_STATS, SVC_PE, SVC_STATS64 };
enum { DST_ADDR = 1, DST_PORT, DST_FWD, DST_WEIGHT, DST_UPPER, DST_LOWER, DST_ACTIVE, DST_INACT,
       DST_PERSIST, DST_STATS, DST_AF, DST_STATS64, DST_TUN_TYPE, DST_TUN_PORT, DST_TUN_FLAGS };
/* clang-format on */

struct bytes {
    _Alignas(8) uint8_t b[4096];
    size_t len;
};

static inline void
put(struct bytes *o, uint16_t type, const void *data, size_t len)
{
    uint16_t head[2] = {(uint16_t)(4 + len), type};

    memcpy(o->b + o->len, head, 4);
    memcpy(o->b + o->len + 4, data, len);
    o->len += 4 + (len + 3) / 4 * 4;
}

static inline void
put8(struct bytes *o, uint16_t type, uint8_t v)
{
    put(o, type, &v, 1);
}

static inline void
put16(struct bytes *o, uint16_t type, uint16_t v)
{
    put(o, type, &v, 2);
}

static inline void
put32(struct bytes *o, uint16_t type, uint32_t v)
{
    put(o, type, &v, 4);
}

static inline void
put64(struct bytes *o, uint16_t type, uint64_t v)
{
    put(o, type, &v, 8);
}

/* What was put into `in`, as one attribute. */
static inline void
put_nest(struct bytes *o, uint16_t type, const struct bytes *in)
{
    put(o, type, in->b, in->len);
}

static inline void
put_message(struct bytes *o, uint16_t type, uint16_t flags, uint32_t seq, const void *body,
            size_t len)
{
    struct {
        uint32_t len;
        uint16_t type, flags;
        uint32_t seq, port;
    } head = {(uint32_t)(16 + len), type, flags, seq, 0};

    memcpy(o->b + o->len, &head, 16);
    if (len)
        memcpy(o->b + o->len + 16, body, len);
    o->len += 16 + (len + 3) / 4 * 4;
}

/* One entry of a dump: `in` nested in attribute `what` (1 service, 2 destination). */
static inline void
put_entry(struct bytes *o, uint16_t what, const struct bytes *in)
{
    struct bytes body = {.b = {1, 1}, .len = 4};

    put_nest(&body, what, in);
    put_message(o, FAMILY, FLAG_MULTI, SEQ, body.b, body.len);
}

static inline void
put_done(struct bytes *o, int error)
{
    put_message(o, TYPE_DONE, FLAG_MULTI, SEQ, &error, sizeof error);
}

static inline void
put_answer(struct bytes *o, uint32_t seq, int error)
{
    int32_t body[5] = {error, 20, 0, (int32_t)seq, 0};

    put_message(o, TYPE_ERROR, 0, seq, body, sizeof body);
}

static inline void
put_conns(struct bytes *o, uint16_t type, bool wide, uint64_t conns)
{
    struct bytes in = {0};

    if (wide) {
        put(&in, 11, "", 0); /* padding, as the kernel aligns 64-bit numbers */
        put64(&in, 1, conns);
    } else {
        put32(&in, 1, (uint32_t)conns);
    }
    put32(&in, 2, 99);
    for (uint16_t rate = 6; rate <= 10; rate++) { /* conns, packets, bytes a second */
        if (wide)
            put64(&in, rate, UINT64_C(1) << 32 | rate);
        else
            put32(&in, rate, rate);
    }
    put_nest(o, type, &in);
}

/* Each attribute of a service as the kernel writes it, but for those in `without` (bits). */
static inline struct bytes
kernel_service(uint32_t without)
{
    static const uint8_t addr[16] = {10, 99, 0, 1};
    static const uint32_t flags[2] = {1 | 2 | 8, UINT32_MAX}; /* persistent, hashed, fallback */
    struct bytes o = {0};

    if (!(without & 1u << SVC_AF))
        put16(&o, SVC_AF, 2);
    if (!(without & 1u << SVC_PROTO))
        put16(&o, SVC_PROTO, 6);
    if (!(without & 1u << SVC_ADDR))
        put(&o, SVC_ADDR, addr, 16);
    if (!(without & 1u << SVC_PORT))
        put(&o, SVC_PORT, "\x1f\x90", 2);
    if (!(without & 1u << SVC_SCHED))
        put(&o, SVC_SCHED, "mh", 3);
    if (!(without & 1u << SVC_FLAGS))
        put(&o, SVC_FLAGS, flags, 8);
    if (!(without & 1u << SVC_TIMEOUT))
        put32(&o, SVC_TIMEOUT, 300);
    if (!(without & 1u << SVC_NETMASK))
        put(&o, SVC_NETMASK, "\xff\xff\xf0\0", 4);
    if (!(without & 1u << SVC_STATS))
        put_conns(&o, SVC_STATS, false, 7);
    if (!(without & 1u << SVC_STATS64))
        put_conns(&o, SVC_STATS64, true, UINT64_C(7) << 40);
    return o;
}

static inline struct bytes
kernel_dest(uint32_t without)
{
    static const uint8_t addr[16] = {10, 77, 0, 4};
    struct bytes o = {0};

    if (!(without & 1u << DST_ADDR))
        put(&o, DST_ADDR, addr, 16);
    if (!(without & 1u << DST_PORT))
        put(&o, DST_PORT, "\0\x50", 2);
    if (!(without & 1u << DST_FWD))
        put32(&o, DST_FWD, 0x100 | 2); /* what is above the low three bits is no method */
    if (!(without & 1u << DST_WEIGHT))
        put32(&o, DST_WEIGHT, 70000);
    if (!(without & 1u << DST_UPPER))
        put32(&o, DST_UPPER, 20);
    if (!(without & 1u << DST_LOWER))
        put32(&o, DST_LOWER, 10);
    if (!(without & 1u << DST_ACTIVE))
        put32(&o, DST_ACTIVE, 3);
    if (!(without & 1u << DST_INACT))
        put32(&o, DST_INACT, 4);
    put32(&o, DST_PERSIST, 5);
    if (!(without & 1u << DST_STATS))
        put_conns(&o, DST_STATS, false, 8);
    if (!(without & 1u << DST_AF))
        put16(&o, DST_AF, 2);
    if (!(without & 1u << DST_STATS64))
        put_conns(&o, DST_STATS64, true, 9);
    if (!(without & 1u << DST_TUN_TYPE))
        put8(&o, DST_TUN_TYPE, 1);
    if (!(without & 1u << DST_TUN_PORT))
        put(&o, DST_TUN_PORT, "\x17\xc0", 2);
    return o;
}
