/* core/addr.c: order and kinds of addresses; the text is in core/addr_text.c. */
#include "core/addr.h"
#include "core/err.h"

#include <string.h>

_Static_assert(sizeof(struct gvs_addr) == 17, "an address has no padding");
_Static_assert(sizeof(struct gvs_svcid) == 24, "a service id has no padding");

static int
order(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

int
gvs_addr_cmp(const struct gvs_addr *a, const struct gvs_addr *b)
{
    if (a->family != b->family)
        return order(a->family, b->family);
    return memcmp(a->b, b->b, sizeof a->b); /* I2: the bytes that IPv4 leaves over are 0 */
}

int
gvs_ep_cmp(const struct gvs_ep *a, const struct gvs_ep *b)
{
    int sign = gvs_addr_cmp(&a->addr, &b->addr);

    return sign != 0 ? sign : order(a->port, b->port);
}

int
gvs_svcid_cmp(const struct gvs_svcid *a, const struct gvs_svcid *b)
{
    int sign = order(a->proto, b->proto);

    if (sign == 0)
        sign = gvs_addr_cmp(&a->addr, &b->addr);
    if (sign == 0)
        sign = order(a->port, b->port);
    return sign != 0 ? sign : order(a->fwmark, b->fwmark);
}

size_t
gvs_addr_bytes(const struct gvs_addr *a)
{
    switch (a->family) {
    case GVS_FAMILY_V4:
        return 4;
    case GVS_FAMILY_V6:
        return 16;
    default:
        return 0;
    }
}

/* Are the bytes from..16 all zero? */
static bool
zero_from(const struct gvs_addr *a, size_t from)
{
    static const uint8_t zero[16];

    GVS_ASSERT(from <= sizeof zero);
    return memcmp(a->b + from, zero, sizeof zero - from) == 0;
}

bool
gvs_addr_is_mapped(const struct gvs_addr *a)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    return a->family == GVS_FAMILY_V6 && memcmp(a->b, mapped, sizeof mapped) == 0;
}

bool
gvs_addr_valid(const struct gvs_addr *a)
{
    size_t n = gvs_addr_bytes(a);

    return n != 0 && zero_from(a, n) && !gvs_addr_is_mapped(a);
}

bool
gvs_svcid_valid(const struct gvs_svcid *s)
{
    switch (s->proto) {
    case GVS_PROTO_FWMARK:
        return s->fwmark != 0 && s->port == 0 && gvs_addr_bytes(&s->addr) != 0 &&
               zero_from(&s->addr, 0);
    case GVS_PROTO_TCP:
    case GVS_PROTO_UDP:
    case GVS_PROTO_SCTP:
        return s->fwmark == 0 && gvs_addr_valid(&s->addr);
    default:
        return false;
    }
}

bool
gvs_addr_is_any(const struct gvs_addr *a)
{
    return gvs_addr_bytes(a) != 0 && zero_from(a, 0);
}

bool
gvs_addr_is_loopback(const struct gvs_addr *a)
{
    static const uint8_t one[16] = {[15] = 1};

    if (a->family == GVS_FAMILY_V4)
        return a->b[0] == 127;
    return a->family == GVS_FAMILY_V6 && memcmp(a->b, one, sizeof one) == 0;
}

bool
gvs_addr_is_multicast(const struct gvs_addr *a)
{
    static const uint8_t broadcast[4] = {255, 255, 255, 255};

    if (a->family == GVS_FAMILY_V4)
        return (a->b[0] & 0xf0) == 0xe0 || memcmp(a->b, broadcast, sizeof broadcast) == 0;
    return a->family == GVS_FAMILY_V6 && a->b[0] == 0xff;
}

bool
gvs_prefix_contains(const struct gvs_prefix *p, const struct gvs_addr *a)
{
    size_t whole = p->bits / 8;
    unsigned rest = p->bits % 8;

    GVS_ASSERT(p->bits <= 8 * gvs_addr_bytes(&p->addr));
    if (p->addr.family != a->family || memcmp(p->addr.b, a->b, whole) != 0)
        return false;
    return rest == 0 || (p->addr.b[whole] ^ a->b[whole]) >> (8 - rest) == 0;
}

const char *
gvs_proto_name(uint8_t proto)
{
    switch (proto) {
    case GVS_PROTO_FWMARK:
        return "fwmark";
    case GVS_PROTO_TCP:
        return "tcp";
    case GVS_PROTO_UDP:
        return "udp";
    case GVS_PROTO_SCTP:
        return "sctp";
    default:
        return "?";
    }
}
