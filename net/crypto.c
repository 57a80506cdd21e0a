/* net/crypto.c: the primitives that we need, each in terms of libsodium. Nothing is composed here
 * but HKDF, which is three HMACs. */
#include "net/crypto.h"
#include "core/bytes.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

static_assert(crypto_scalarmult_BYTES == GVS_KEY_SECRET_LEN, "X25519");
static_assert(crypto_hash_sha256_BYTES == 32 && crypto_auth_hmacsha256_BYTES == 32, "SHA-256");
static_assert(crypto_aead_chacha20poly1305_ietf_KEYBYTES == 32, "ChaCha20");
static_assert(crypto_aead_chacha20poly1305_ietf_ABYTES == GVS_TAG_LEN, "Poly1305");
static_assert(crypto_aead_chacha20poly1305_ietf_NPUBBYTES == 12, "RFC 8439, not the first draft");
static_assert(crypto_aead_xchacha20poly1305_ietf_NPUBBYTES == GVS_XNONCE_LEN, "XChaCha20");
static_assert(crypto_aead_xchacha20poly1305_ietf_ABYTES == GVS_TAG_LEN, "Poly1305");
static_assert(crypto_shorthash_KEYBYTES == sizeof(struct gvs_siphash_key), "SipHash-2-4");
static_assert(crypto_kdf_CONTEXTBYTES == 8 && crypto_kdf_KEYBYTES == 32, "crypto_kdf");

int
gvs_crypto_init(void)
{
    if (sodium_init() >= 0)
        return GVS_OK;
    errno = ENOSYS; /* no source of randomness */
    return GVS_E_SYS;
}

void
gvs_crypto_random(void *ctx, void *buf, size_t len)
{
    (void)ctx;
    randombytes_buf(buf, len);
}

void
gvs_crypto_wipe(void *p, size_t len)
{
    sodium_memzero(p, len);
}

bool
gvs_crypto_equal(const void *a, const void *b, size_t len)
{
    return sodium_memcmp(a, b, len) == 0;
}

void
gvs_crypto_public(uint8_t pub[static GVS_KEY_SECRET_LEN],
                  const uint8_t priv[static GVS_KEY_SECRET_LEN])
{
    int rc = crypto_scalarmult_base(pub, priv);

    GVS_ASSERT(rc == 0);
}

int
gvs_crypto_dh(uint8_t out[static GVS_KEY_SECRET_LEN], const uint8_t priv[static GVS_KEY_SECRET_LEN],
              const uint8_t pub[static GVS_KEY_SECRET_LEN])
{
    return crypto_scalarmult(out, priv, pub) == 0 ? GVS_OK : GVS_E_FORGED;
}

void
gvs_crypto_sha256(uint8_t out[static 32], const void *a, size_t a_len, const void *b, size_t b_len)
{
    crypto_hash_sha256_state st;

    crypto_hash_sha256_init(&st);
    crypto_hash_sha256_update(&st, a, a_len);
    crypto_hash_sha256_update(&st, b, b_len);
    crypto_hash_sha256_final(&st, out);
    sodium_memzero(&st, sizeof st);
}

/* HMAC-SHA256(key, a || byte): the two or three calls that HKDF is made of. `last` 0 is no byte. */
static void
hmac(uint8_t out[static 32], const uint8_t key[static 32], const uint8_t *a, size_t a_len,
     uint8_t last)
{
    crypto_auth_hmacsha256_state st;

    crypto_auth_hmacsha256_init(&st, key, 32);
    crypto_auth_hmacsha256_update(&st, a, a_len);
    if (last != 0)
        crypto_auth_hmacsha256_update(&st, &last, 1);
    crypto_auth_hmacsha256_final(&st, out);
    sodium_memzero(&st, sizeof st);
}

/* Noise specification, 4.3: temp = HMAC(ck, in), o1 = HMAC(temp, 1), o2 = HMAC(temp, o1 || 2),
 * o3 = HMAC(temp, o2 || 3). It is RFC 5869 with the salt ck and no info. */
void
gvs_crypto_hkdf(uint8_t o1[static 32], uint8_t o2[static 32], uint8_t *o3,
                const uint8_t ck[static 32], const uint8_t *in, size_t in_len)
{
    uint8_t temp[32];

    hmac(temp, ck, in, in_len, 0);
    hmac(o1, temp, NULL, 0, 1);
    hmac(o2, temp, o1, 32, 2);
    if (o3 != NULL)
        hmac(o3, temp, o2, 32, 3);
    sodium_memzero(temp, sizeof temp);
}

static void
make_nonce(uint8_t nonce[static 12], uint64_t n)
{
    memset(nonce, 0, 4);
    for (int i = 0; i < 8; i++)
        nonce[4 + i] = (uint8_t)(n >> 8 * i);
}

void
gvs_crypto_seal(uint8_t *out, const uint8_t *msg, size_t len, const void *ad, size_t ad_len,
                const uint8_t key[static 32], uint64_t n)
{
    uint8_t nonce[12];

    make_nonce(nonce, n);
    crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, msg, len, ad, ad_len, NULL, nonce, key);
}

int
gvs_crypto_open(uint8_t *out, const uint8_t *sealed, size_t len, const void *ad, size_t ad_len,
                const uint8_t key[static 32], uint64_t n)
{
    uint8_t nonce[12];
    int rc;

    if (len < GVS_TAG_LEN)
        return GVS_E_FORGED;
    make_nonce(nonce, n);
    rc = crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed, len, ad, ad_len, nonce,
                                                   key);
    return rc == 0 ? GVS_OK : GVS_E_FORGED;
}

void
gvs_crypto_xseal(uint8_t *out, const uint8_t *msg, size_t len, const void *ad, size_t ad_len,
                 const uint8_t key[static 32], const uint8_t nonce[static GVS_XNONCE_LEN])
{
    crypto_aead_xchacha20poly1305_ietf_encrypt(out, NULL, msg, len, ad, ad_len, NULL, nonce, key);
}

int
gvs_crypto_xopen(uint8_t *out, const uint8_t *sealed, size_t len, const void *ad, size_t ad_len,
                 const uint8_t key[static 32], const uint8_t nonce[static GVS_XNONCE_LEN])
{
    int rc;

    if (len < GVS_TAG_LEN)
        return GVS_E_FORGED;
    rc = crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed, len, ad, ad_len, nonce,
                                                    key);
    return rc == 0 ? GVS_OK : GVS_E_FORGED;
}

void
gvs_crypto_mac(uint8_t out[static GVS_MAC_LEN], const void *msg, size_t len, const uint8_t *key,
               size_t key_len)
{
    GVS_ASSERT(key_len >= crypto_generichash_KEYBYTES_MIN &&
               key_len <= crypto_generichash_KEYBYTES_MAX);
    crypto_generichash(out, GVS_MAC_LEN, msg, len, key, key_len);
}

uint64_t
gvs_crypto_key_id(const uint8_t psk[static 32])
{
    static const char label[] = "gossipvs-key-id";
    uint8_t h[32];

    gvs_crypto_sha256(h, label, sizeof label - 1, psk, 32);
    return gvs_get64(h);
}

void
gvs_crypto_mac1_key(uint8_t out[static 32], const uint8_t psk[static 32])
{
    crypto_kdf_derive_from_key(out, 32, 1, "vgpsk__1", psk);
}

void
gvs_crypto_cookie_key(uint8_t out[static 32], const uint8_t psk[static 32])
{
    crypto_kdf_derive_from_key(out, 32, 2, "vgpsk__1", psk);
}

struct gvs_id
gvs_crypto_node_id(const uint8_t pub[static 32])
{
    static const char label[] = "gossipvs-node-id";
    struct gvs_id id;
    uint8_t h[32];

    gvs_crypto_sha256(h, label, sizeof label - 1, pub, 32);
    memcpy(id.b, h, sizeof id.b);
    return id;
}

void
gvs_crypto_table_key(struct gvs_siphash_key *out, const char *cluster)
{
    static const char label[] = "gossipvs-table-key";
    uint8_t h[32];

    gvs_crypto_sha256(h, label, sizeof label - 1, cluster, strlen(cluster));
    memcpy(out->b, h, sizeof out->b);
}

uint64_t
gvs_crypto_siphash(const void *key, const uint8_t *b, size_t len)
{
    const struct gvs_siphash_key *k = key;
    uint8_t out[crypto_shorthash_BYTES];
    uint64_t h = 0;

    crypto_shorthash(out, b, len, k->b);
    for (int i = 0; i < 8; i++)
        h |= (uint64_t)out[i] << 8 * i;
    return h;
}

int
gvs_crypto_key_parse(uint8_t out[static 32], const char *text, size_t len)
{
    uint8_t bin[32];
    size_t bin_len = 0;
    int rc;

    if (len != 44)
        return GVS_E_MALFORMED;
    rc = sodium_base642bin(bin, sizeof bin, text, len, NULL, &bin_len, NULL,
                           sodium_base64_VARIANT_ORIGINAL);
    if (rc == 0 && bin_len == sizeof bin)
        memcpy(out, bin, sizeof bin);
    else
        rc = GVS_E_MALFORMED;
    sodium_memzero(bin, sizeof bin);
    return rc;
}

void
gvs_crypto_key_format(char text[static 45], const uint8_t key[static 32])
{
    sodium_bin2base64(text, 45, key, 32, sodium_base64_VARIANT_ORIGINAL);
}

uint64_t
gvs_crypto_checksum(const void *b, size_t len)
{
    uint8_t h[32];

    crypto_generichash(h, sizeof h, b, len, NULL, 0);
    return gvs_get64(h);
}
