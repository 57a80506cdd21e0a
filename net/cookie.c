/* net/cookie.c: the cookie is a MAC over the address, COOKIE is its sealed envelope, mac2 is the
 * MAC that it makes. (The scheme is WireGuard's, whose paper argues for it in section 5.3.) */
#include "net/cookie.h"

#include <assert.h>
#include <string.h>

#define MAKES_MS 120000
#define KEPT_MS 120000

static_assert(GVS_COOKIE_LEN == GVS_AT_COOKIE + GVS_MAC_LEN + GVS_TAG_LEN, "COOKIE");
static_assert(GVS_COOKIE_LEN < GVS_HANDSHAKE_LEN, "less out than in");

static void
make(const struct gvs_cookie_secret *secret, const struct gvs_ep *ep,
     uint8_t cookie[static GVS_MAC_LEN])
{
    uint8_t b[GVS_EP_LEN];

    gvs_put_ep(b, ep);
    gvs_crypto_mac(cookie, b, sizeof b, secret->b, sizeof secret->b);
}

static void
make_mac2(uint8_t mac2[static GVS_MAC_LEN], const uint8_t *init,
          const uint8_t cookie[static GVS_MAC_LEN])
{
    gvs_crypto_mac(mac2, init, GVS_AT_MAC2, cookie, GVS_MAC_LEN);
}

/* I1 */
static void
renew(struct gvs_cookie_secrets *s, struct gvs_mono now, const struct gvs_random *random)
{
    if (gvs_mono_add_ms(now, KEPT_MS).us < s->latest.until.us)
        return;
    s->former = s->latest;
    random->fn(random->ctx, s->latest.b, sizeof s->latest.b);
    s->latest.until = gvs_mono_add_ms(now, MAKES_MS + KEPT_MS);
}

void
gvs_cookie_answer(struct gvs_cookie_secrets *s, struct gvs_mono now,
                  const struct gvs_random *random, const struct gvs_ep *from,
                  const uint8_t init[static GVS_HANDSHAKE_LEN], const struct gvs_keyring_key *key,
                  uint8_t pkt[static GVS_COOKIE_LEN])
{
    uint8_t cookie[GVS_MAC_LEN];

    renew(s, now, random);
    make(&s->latest, from, cookie);
    memset(pkt, 0, GVS_COOKIE_LEN);
    pkt[GVS_AT_TYPE] = GVS_PACKET_COOKIE;
    pkt[GVS_AT_VERSION] = GVS_PACKET_VERSION;
    memcpy(pkt + GVS_AT_COOKIE_RECEIVER, init + GVS_AT_SENDER, 4);
    random->fn(random->ctx, pkt + GVS_AT_COOKIE_NONCE, GVS_XNONCE_LEN);
    gvs_crypto_xseal(pkt + GVS_AT_COOKIE, cookie, sizeof cookie, init + GVS_AT_MAC1, GVS_MAC_LEN,
                     key->cookie, pkt + GVS_AT_COOKIE_NONCE);
}

static bool
is_by(const struct gvs_cookie_secret *secret, struct gvs_mono now, const struct gvs_ep *from,
      const uint8_t *init)
{
    uint8_t cookie[GVS_MAC_LEN], mac2[GVS_MAC_LEN];

    if (gvs_mono_due(secret->until, now))
        return false;
    make(secret, from, cookie);
    make_mac2(mac2, init, cookie);
    return gvs_crypto_equal(mac2, init + GVS_AT_MAC2, sizeof mac2);
}

bool
gvs_cookie_proves(const struct gvs_cookie_secrets *s, struct gvs_mono now,
                  const struct gvs_ep *from, const uint8_t init[static GVS_HANDSHAKE_LEN])
{
    static const uint8_t zero[GVS_MAC_LEN];

    if (memcmp(init + GVS_AT_MAC2, zero, sizeof zero) == 0)
        return false; /* at once: a flood is made of these */
    return is_by(&s->latest, now, from, init) || is_by(&s->former, now, from, init);
}

static size_t
cell_of(const struct gvs_cookie_jar *j, const struct gvs_ep *ep)
{
    uint8_t b[GVS_EP_LEN];

    gvs_put_ep(b, ep);
    return gvs_crypto_siphash(&j->key, b, sizeof b) % GVS_COOKIE_JAR;
}

int
gvs_cookie_keep(struct gvs_cookie_jar *j, struct gvs_mono now, const struct gvs_ep *from,
                const uint8_t pkt[static GVS_COOKIE_LEN],
                const uint8_t init[static GVS_HANDSHAKE_LEN], const struct gvs_keyring_key *key)
{
    struct gvs_cookie c = {.ep = *from, .until = gvs_mono_add_ms(now, KEPT_MS)};

    if (gvs_crypto_xopen(c.b, pkt + GVS_AT_COOKIE, GVS_MAC_LEN + GVS_TAG_LEN, init + GVS_AT_MAC1,
                         GVS_MAC_LEN, key->cookie, pkt + GVS_AT_COOKIE_NONCE) < 0)
        return GVS_E_FORGED;
    j->cell[cell_of(j, from)] = c; /* I2 */
    return GVS_OK;
}

void
gvs_cookie_use(const struct gvs_cookie_jar *j, struct gvs_mono now, const struct gvs_ep *to,
               uint8_t init[static GVS_HANDSHAKE_LEN])
{
    const struct gvs_cookie *c = &j->cell[cell_of(j, to)];

    if (!gvs_mono_due(c->until, now) && gvs_ep_cmp(&c->ep, to) == 0)
        make_mac2(init + GVS_AT_MAC2, init, c->b);
}
