/* core/key.c: keys are built and read front to back; core/key.h has the layout. */
#include "core/key.h"
#include "core/bytes.h"
#include "core/err.h"

#include <string.h>

#define SVC_LEN_MAX (1 + 1 + 16 + 2)
#define EP_LEN_MAX (1 + 16 + 2)
_Static_assert(GVS_KEY_LEN_MAX == 1 + SVC_LEN_MAX + 1 + EP_LEN_MAX + GVS_ID_LEN,
               "the longest key: a node's claim on an IPv6 backend of an IPv6 service");
_Static_assert(GVS_KEY_LEN_MAX <= UINT8_MAX, "a length fits into a byte");

/* The first byte of a key, and the one behind the service. */
enum { LEAD_SERVICE = 'S', LEAD_MEMBER = 'M', LEAD_TRIAL = 'T' };
enum { PART_CLAIM = 'A', PART_BACKEND = 'B', PART_OVERRIDE = 'O' };

static void
put_byte(struct gvs_keybuf *k, uint8_t v)
{
    GVS_ASSERT(k->len < sizeof k->b);
    k->b[k->len++] = v;
}

static void
put_bytes(struct gvs_keybuf *k, const uint8_t *b, size_t len)
{
    GVS_ASSERT(len <= sizeof k->b - k->len);
    memcpy(k->b + k->len, b, len);
    k->len = (uint8_t)(k->len + len);
}

static void
put_port(struct gvs_keybuf *k, uint16_t port)
{
    uint8_t b[2];

    gvs_put16(b, port);
    put_bytes(k, b, sizeof b);
}

static void
put_ep(struct gvs_keybuf *k, const struct gvs_ep *ep)
{
    GVS_ASSERT(gvs_addr_valid(&ep->addr));
    put_byte(k, ep->addr.family);
    put_bytes(k, ep->addr.b, gvs_addr_bytes(&ep->addr));
    put_port(k, ep->port);
}

static void
put_owner(struct gvs_keybuf *k, const struct gvs_id *owner)
{
    if (!gvs_id_is_cluster(owner))
        put_bytes(k, owner->b, sizeof owner->b);
}

void
gvs_key_prefix(struct gvs_keybuf *out, const struct gvs_svcid *svc)
{
    uint8_t mark[4];

    GVS_ASSERT(gvs_svcid_valid(svc));
    *out = (struct gvs_keybuf){0};
    put_byte(out, LEAD_SERVICE);
    put_byte(out, svc->proto);
    put_byte(out, svc->addr.family);
    if (svc->proto == GVS_PROTO_FWMARK) {
        gvs_put32(mark, svc->fwmark);
        put_bytes(out, mark, sizeof mark);
        return;
    }
    put_bytes(out, svc->addr.b, gvs_addr_bytes(&svc->addr));
    put_port(out, svc->port);
}

static void
build_trial(struct gvs_keybuf *out, uint64_t number)
{
    uint8_t b[8];

    GVS_ASSERT(number != 0);
    *out = (struct gvs_keybuf){0};
    put_byte(out, LEAD_TRIAL);
    gvs_put64(b, number);
    put_bytes(out, b, sizeof b);
}

void
gvs_key_build(struct gvs_keybuf *out, const struct gvs_key *key)
{
    GVS_ASSERT(key->kind >= GVS_KEY_SERVICE && key->kind <= GVS_KEY_TRIAL);
    if (key->kind == GVS_KEY_TRIAL) {
        GVS_ASSERT(gvs_id_is_cluster(&key->owner));
        build_trial(out, key->trial);
        return;
    }
    if (key->kind == GVS_KEY_MEMBER) {
        GVS_ASSERT(!gvs_id_is_cluster(&key->owner));
        *out = (struct gvs_keybuf){0};
        put_byte(out, LEAD_MEMBER);
        put_owner(out, &key->owner);
        return;
    }
    gvs_key_prefix(out, &key->svc);
    if (key->kind == GVS_KEY_SERVICE) {
        put_byte(out, PART_CLAIM);
        put_owner(out, &key->owner);
    } else if (key->kind == GVS_KEY_BACKEND) {
        put_byte(out, PART_BACKEND);
        put_ep(out, &key->ep);
        put_owner(out, &key->owner);
    } else {
        GVS_ASSERT(gvs_id_is_cluster(&key->owner));
        put_byte(out, PART_OVERRIDE);
        put_ep(out, &key->ep);
    }
}

/* What is left of the bytes to parse. Each take_ moves past what it took, or returns false. */
struct rest {
    const uint8_t *b;
    size_t len;
};

static bool
take_bytes(struct rest *r, uint8_t *out, size_t n)
{
    if (r->len < n)
        return false;
    memcpy(out, r->b, n);
    r->b += n;
    r->len -= n;
    return true;
}

static bool
take_port(struct rest *r, uint16_t *port)
{
    uint8_t b[2];

    if (!take_bytes(r, b, sizeof b))
        return false;
    *port = gvs_get16(b);
    return true;
}

static bool
take_addr(struct rest *r, struct gvs_addr *a)
{
    return take_bytes(r, &a->family, 1) && take_bytes(r, a->b, gvs_addr_bytes(a)) &&
           gvs_addr_valid(a);
}

static bool
take_ep(struct rest *r, struct gvs_ep *ep)
{
    return take_addr(r, &ep->addr) && take_port(r, &ep->port);
}

static bool
take_svcid(struct rest *r, struct gvs_svcid *svc)
{
    uint8_t mark[4];

    if (!take_bytes(r, &svc->proto, 1))
        return false;
    if (svc->proto != GVS_PROTO_FWMARK)
        return take_addr(r, &svc->addr) && take_port(r, &svc->port) && gvs_svcid_valid(svc);
    if (!take_bytes(r, &svc->addr.family, 1) || !take_bytes(r, mark, sizeof mark))
        return false;
    svc->fwmark = gvs_get32(mark);
    return gvs_svcid_valid(svc);
}

/* Nothing for the cluster, or the id of a node. */
static bool
take_owner(struct rest *r, struct gvs_id *owner)
{
    if (r->len == 0)
        return true;
    return take_bytes(r, owner->b, sizeof owner->b) && !gvs_id_is_cluster(owner);
}

static bool
take_member(struct rest *r, struct gvs_key *key)
{
    key->kind = GVS_KEY_MEMBER;
    return r->len != 0 && take_owner(r, &key->owner);
}

static bool
take_trial(struct rest *r, struct gvs_key *key)
{
    uint8_t b[8];

    key->kind = GVS_KEY_TRIAL;
    if (!take_bytes(r, b, sizeof b))
        return false;
    key->trial = gvs_get64(b);
    return key->trial != 0;
}

static bool
take_service(struct rest *r, struct gvs_key *key)
{
    uint8_t part;

    if (!take_svcid(r, &key->svc) || !take_bytes(r, &part, 1))
        return false;
    switch (part) {
    case PART_CLAIM:
        key->kind = GVS_KEY_SERVICE;
        return take_owner(r, &key->owner);
    case PART_BACKEND:
        key->kind = GVS_KEY_BACKEND;
        return take_ep(r, &key->ep) && take_owner(r, &key->owner);
    case PART_OVERRIDE:
        key->kind = GVS_KEY_OVERRIDE;
        return take_ep(r, &key->ep);
    default:
        return false;
    }
}

int
gvs_key_parse(struct gvs_key *out, const uint8_t *b, size_t len)
{
    struct rest r = {b, len};
    struct gvs_key key;
    uint8_t lead;
    bool ok = false;

    memset(&key, 0, sizeof key); /* padding too (core/addr.h, I2) */
    if (!take_bytes(&r, &lead, 1))
        return GVS_E_MALFORMED;
    if (lead == LEAD_MEMBER)
        ok = take_member(&r, &key);
    else if (lead == LEAD_SERVICE)
        ok = take_service(&r, &key);
    else if (lead == LEAD_TRIAL)
        ok = take_trial(&r, &key);
    if (!ok || r.len != 0)
        return GVS_E_MALFORMED;
    memcpy(out, &key, sizeof key);
    return GVS_OK;
}

int
gvs_key_cmp(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    size_t n = a_len < b_len ? a_len : b_len;
    int sign = n == 0 ? 0 : memcmp(a, b, n);

    return sign != 0 ? sign : (a_len > b_len) - (a_len < b_len);
}
