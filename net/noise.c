/* net/noise.c: the functions of the Noise specification under its own names, and the pattern's
 * tokens, one a line, in the order in which the specification writes them. */
#include "net/noise.h"
#include "core/bytes.h"

#include <assert.h>
#include <string.h>

#define KEY_LEN 32
#define PAYLOAD_LEN 32

static_assert(GVS_AT_S == GVS_AT_E + KEY_LEN, "e");
static_assert(GVS_AT_PAYLOAD == GVS_AT_S + KEY_LEN + GVS_TAG_LEN, "s");
static_assert(GVS_AT_MAC1 == GVS_AT_PAYLOAD + PAYLOAD_LEN + GVS_TAG_LEN, "payload");
static_assert(GVS_AT_MAC2 == GVS_AT_MAC1 + GVS_MAC_LEN, "mac1");
static_assert(GVS_HANDSHAKE_LEN == GVS_AT_MAC2 + GVS_MAC_LEN, "mac2");

static const char protocol[] = "Noise_IXpsk0_25519_ChaChaPoly_SHA256";

/* --- SymmetricState, section 5.2 --- */

static void
mix_hash(struct gvs_noise *n, const void *data, size_t len)
{
    gvs_crypto_sha256(n->h, n->h, sizeof n->h, data, len);
}

static void
mix_key(struct gvs_noise *n, const uint8_t ikm[static KEY_LEN])
{
    gvs_crypto_hkdf(n->ck, n->k, NULL, n->ck, ikm, KEY_LEN);
    n->nonce = 0;
}

static void
mix_key_and_hash(struct gvs_noise *n, const uint8_t ikm[static KEY_LEN])
{
    uint8_t temp_h[32];

    gvs_crypto_hkdf(n->ck, temp_h, n->k, n->ck, ikm, KEY_LEN);
    n->nonce = 0;
    mix_hash(n, temp_h, sizeof temp_h);
    gvs_crypto_wipe(temp_h, sizeof temp_h);
}

static void
encrypt_and_hash(struct gvs_noise *n, uint8_t *out, const uint8_t *msg, size_t len)
{
    gvs_crypto_seal(out, msg, len, n->h, sizeof n->h, n->k, n->nonce++);
    mix_hash(n, out, len + GVS_TAG_LEN);
}

/* len is the message's, without the tag. */
static int
decrypt_and_hash(struct gvs_noise *n, uint8_t *out, const uint8_t *sealed, size_t len)
{
    int rc;

    rc = gvs_crypto_open(out, sealed, len + GVS_TAG_LEN, n->h, sizeof n->h, n->k, n->nonce++);
    if (rc == GVS_OK)
        mix_hash(n, sealed, len + GVS_TAG_LEN);
    return rc;
}

/* --- HandshakeState, section 5.3, with psk as in section 9 --- */

void
gvs_noise_self_init(struct gvs_noise_self *self, const uint8_t priv[static 32], const char *cluster)
{
    static const char label[] = "gossipvs1"; /* its final 0 counts */
    size_t len = strnlen(cluster, 256);
    uint8_t prologue[sizeof label + 1 + 255];

    GVS_ASSERT(len >= 1 && len <= 255);
    memcpy(self->priv, priv, KEY_LEN);
    gvs_crypto_public(self->pub, priv);
    memcpy(prologue, label, sizeof label);
    prologue[sizeof label] = (uint8_t)len;
    memcpy(prologue + sizeof label + 1, cluster, len);
    /* A name longer than a hash is hashed: h = ck = SHA-256(name); MixHash(prologue). */
    gvs_crypto_sha256(self->h, protocol, sizeof protocol - 1, NULL, 0);
    gvs_crypto_sha256(self->h, self->h, sizeof self->h, prologue, sizeof label + 1 + len);
}

static void
start(struct gvs_noise *n, const struct gvs_noise_self *self)
{
    *n = (struct gvs_noise){0};
    memcpy(n->h, self->h, sizeof n->h);
    gvs_crypto_sha256(n->ck, protocol, sizeof protocol - 1, NULL, 0);
}

/* Token "e", when we send it. With a psk in the pattern, e is mixed into the key as well. */
static void
send_e(struct gvs_noise *n, uint8_t *out, const uint8_t e[static KEY_LEN])
{
    memcpy(n->e, e, KEY_LEN);
    gvs_crypto_public(out, e);
    mix_hash(n, out, KEY_LEN);
    mix_key(n, out);
}

static void
recv_e(struct gvs_noise *n, const uint8_t *in)
{
    memcpy(n->re, in, KEY_LEN);
    mix_hash(n, in, KEY_LEN);
    mix_key(n, in);
}

/* Tokens "ee", "se", "es": whichever of our secrets and their public keys is meant. */
static int
mix_dh(struct gvs_noise *n, const uint8_t *ours, const uint8_t *theirs)
{
    uint8_t shared[KEY_LEN];
    int rc = gvs_crypto_dh(shared, ours, theirs);

    if (rc == GVS_OK)
        mix_key(n, shared);
    gvs_crypto_wipe(shared, sizeof shared);
    return rc;
}

/* The first key is the initiator's to send with. */
static void
split(const struct gvs_noise *n, uint8_t *initiator, uint8_t *responder)
{
    gvs_crypto_hkdf(initiator, responder, NULL, n->ck, NULL, 0);
}

/* --- the fields around the Noise messages --- */

static void
put_mac1(uint8_t *pkt, const struct gvs_keyring_key *key)
{
    gvs_crypto_mac(pkt + GVS_AT_MAC1, pkt, GVS_AT_MAC1, key->mac1, GVS_KEY_SECRET_LEN);
}

bool
gvs_noise_mac1_ok(const uint8_t pkt[static GVS_HANDSHAKE_LEN], const struct gvs_keyring_key *key)
{
    uint8_t mac[GVS_MAC_LEN];

    gvs_crypto_mac(mac, pkt, GVS_AT_MAC1, key->mac1, GVS_KEY_SECRET_LEN);
    return gvs_crypto_equal(mac, pkt + GVS_AT_MAC1, sizeof mac);
}

/* INIT's payload: init_time u64, boot u64, proto_min u16, proto_max u16, datagram_max u16, flags
 * u16, 8 zero bytes. */
static void
put_init(uint8_t b[static PAYLOAD_LEN], const struct gvs_noise_init *p)
{
    memset(b, 0, PAYLOAD_LEN);
    gvs_put64le(b, p->init_time);
    gvs_put64le(b + 8, p->boot);
    gvs_put16le(b + 16, p->proto_min);
    gvs_put16le(b + 18, p->proto_max);
    gvs_put16le(b + 20, p->datagram_max);
    gvs_put16le(b + 22, p->flags);
}

static int
get_init(struct gvs_noise_init *p, const uint8_t b[static PAYLOAD_LEN])
{
    p->init_time = gvs_get64le(b);
    p->boot = gvs_get64le(b + 8);
    p->proto_min = gvs_get16le(b + 16);
    p->proto_max = gvs_get16le(b + 18);
    p->datagram_max = gvs_get16le(b + 20);
    p->flags = gvs_get16le(b + 22);
    return gvs_get64le(b + 24) == 0 ? GVS_OK : GVS_E_MALFORMED;
}

/* RESP's payload: init_time u64, boot u64, proto u16, datagram_max u16, flags u32, 8 zero bytes. */
static void
put_resp(uint8_t b[static PAYLOAD_LEN], const struct gvs_noise_resp *p)
{
    memset(b, 0, PAYLOAD_LEN);
    gvs_put64le(b, p->init_time);
    gvs_put64le(b + 8, p->boot);
    gvs_put16le(b + 16, p->proto);
    gvs_put16le(b + 18, p->datagram_max);
    gvs_put32le(b + 20, p->flags);
}

static int
get_resp(struct gvs_noise_resp *p, const uint8_t b[static PAYLOAD_LEN])
{
    p->init_time = gvs_get64le(b);
    p->boot = gvs_get64le(b + 8);
    p->proto = gvs_get16le(b + 16);
    p->datagram_max = gvs_get16le(b + 18);
    p->flags = gvs_get32le(b + 20);
    return gvs_get64le(b + 24) == 0 ? GVS_OK : GVS_E_MALFORMED;
}

/* --- the two messages --- */

void
gvs_noise_write_init(struct gvs_noise *n, uint8_t pkt[static GVS_HANDSHAKE_LEN],
                     const struct gvs_noise_self *self, const struct gvs_keyring_key *key,
                     const uint8_t e[static 32], uint32_t index,
                     const struct gvs_noise_init *payload)
{
    uint8_t clear[PAYLOAD_LEN];

    memset(pkt, 0, GVS_HANDSHAKE_LEN);
    pkt[GVS_AT_TYPE] = GVS_PACKET_INIT;
    pkt[GVS_AT_VERSION] = GVS_PACKET_VERSION;
    gvs_put32le(pkt + GVS_AT_SENDER, index);
    gvs_put64(pkt + GVS_AT_INIT_KEY, key->id);
    put_init(clear, payload);

    start(n, self);
    mix_key_and_hash(n, key->psk);                                  /* -> psk */
    send_e(n, pkt + GVS_AT_E, e);                                   /*    e   */
    encrypt_and_hash(n, pkt + GVS_AT_S, self->pub, KEY_LEN);        /*    s   */
    encrypt_and_hash(n, pkt + GVS_AT_PAYLOAD, clear, sizeof clear); /*    payload */
    put_mac1(pkt, key);
}

int
gvs_noise_read_init(struct gvs_noise *n, const uint8_t pkt[static GVS_HANDSHAKE_LEN],
                    const struct gvs_noise_self *self, const struct gvs_keyring_key *key,
                    struct gvs_noise_init *payload)
{
    uint8_t clear[PAYLOAD_LEN];
    int rc;

    start(n, self);
    mix_key_and_hash(n, key->psk);                            /* -> psk */
    recv_e(n, pkt + GVS_AT_E);                                /*    e   */
    rc = decrypt_and_hash(n, n->rs, pkt + GVS_AT_S, KEY_LEN); /*    s   */
    if (rc == GVS_OK)
        rc = decrypt_and_hash(n, clear, pkt + GVS_AT_PAYLOAD, sizeof clear); /*    payload */
    if (rc == GVS_OK)
        rc = get_init(payload, clear);
    return rc;
}

int
gvs_noise_write_resp(struct gvs_noise *n, uint8_t pkt[static GVS_HANDSHAKE_LEN],
                     const struct gvs_noise_self *self, const struct gvs_keyring_key *key,
                     const uint8_t e[static 32], uint32_t index, uint32_t their_index,
                     const struct gvs_noise_resp *payload, struct gvs_noise_keys *keys)
{
    uint8_t clear[PAYLOAD_LEN];
    int rc;

    memset(pkt, 0, GVS_HANDSHAKE_LEN);
    pkt[GVS_AT_TYPE] = GVS_PACKET_RESP;
    pkt[GVS_AT_VERSION] = GVS_PACKET_VERSION;
    gvs_put32le(pkt + GVS_AT_SENDER, index);
    gvs_put32le(pkt + GVS_AT_RESP_RECEIVER, their_index);
    put_resp(clear, payload);

    send_e(n, pkt + GVS_AT_E, e); /* <- e  */
    rc = mix_dh(n, n->e, n->re);  /*    ee */
    if (rc == GVS_OK)
        rc = mix_dh(n, n->e, n->rs); /*    se: the initiator's static, the responder's ephemeral */
    if (rc < 0)
        return rc;
    encrypt_and_hash(n, pkt + GVS_AT_S, self->pub, KEY_LEN); /*    s  */
    rc =
        mix_dh(n, self->priv, n->re); /*    es: the initiator's ephemeral, the responder's static */
    if (rc < 0)
        return rc;
    encrypt_and_hash(n, pkt + GVS_AT_PAYLOAD, clear, sizeof clear); /*    payload */
    put_mac1(pkt, key);
    split(n, keys->recv, keys->send);
    return GVS_OK;
}

/* On a scratch copy of the state. */
static int
read_resp(struct gvs_noise *n, const uint8_t *pkt, const struct gvs_noise_self *self,
          struct gvs_noise_resp *payload)
{
    uint8_t clear[PAYLOAD_LEN];
    int rc;

    recv_e(n, pkt + GVS_AT_E);   /* <- e  */
    rc = mix_dh(n, n->e, n->re); /*    ee */
    if (rc == GVS_OK)
        rc = mix_dh(n, self->priv, n->re); /*    se */
    if (rc == GVS_OK)
        rc = decrypt_and_hash(n, n->rs, pkt + GVS_AT_S, KEY_LEN); /*    s  */
    if (rc == GVS_OK)
        rc = mix_dh(n, n->e, n->rs); /*    es */
    if (rc == GVS_OK)
        rc = decrypt_and_hash(n, clear, pkt + GVS_AT_PAYLOAD, sizeof clear); /*    payload */
    if (rc == GVS_OK)
        rc = get_resp(payload, clear);
    return rc;
}

int
gvs_noise_read_resp(const struct gvs_noise *n, const uint8_t pkt[static GVS_HANDSHAKE_LEN],
                    const struct gvs_noise_self *self, uint8_t rs[static 32],
                    struct gvs_noise_resp *payload, struct gvs_noise_keys *keys)
{
    struct gvs_noise scratch = *n;
    int rc = read_resp(&scratch, pkt, self, payload);

    if (rc == GVS_OK) {
        memcpy(rs, scratch.rs, KEY_LEN);
        split(&scratch, keys->send, keys->recv);
    }
    gvs_noise_wipe(&scratch);
    return rc;
}

void
gvs_noise_wipe(struct gvs_noise *n)
{
    gvs_crypto_wipe(n, sizeof *n);
}
