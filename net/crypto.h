/* net/crypto.h: the only file that knows libsodium: hashes, AEAD, key agreement, wiping.
 *
 * Sizes and names are those of Noise_IXpsk0_25519_ChaChaPoly_SHA256. Randomness is an argument
 * wherever a simulator must be able to repeat a run; gvs_crypto_random is the real one. Numbers
 * that are made of the first bytes of a hash take them in order, the first as the most significant,
 * so that their hexadecimal text is the beginning of the hash's; SipHash's number is SipHash's own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/id.h"

#define GVS_KEY_SECRET_LEN 32 /* psk, private, public and session keys, hashes */
#define GVS_TAG_LEN 16
#define GVS_MAC_LEN 16
#define GVS_XNONCE_LEN 24

/* Fills buf with random bytes. */
struct gvs_random {
    void (*fn)(void *ctx, void *buf, size_t len);
    void *ctx;
};

int gvs_crypto_init(void); /* once a process, before all else here; GVS_E_SYS */
void gvs_crypto_random(void *ctx, void *buf, size_t len);
void gvs_crypto_wipe(void *p, size_t len);
bool gvs_crypto_equal(const void *a, const void *b, size_t len); /* in constant time */

void gvs_crypto_public(uint8_t pub[static GVS_KEY_SECRET_LEN],
                       const uint8_t priv[static GVS_KEY_SECRET_LEN]);
/* X25519 (RFC 7748). GVS_E_FORGED for a point of low order. */
int gvs_crypto_dh(uint8_t out[static GVS_KEY_SECRET_LEN],
                  const uint8_t priv[static GVS_KEY_SECRET_LEN],
                  const uint8_t pub[static GVS_KEY_SECRET_LEN]);

/* SHA-256 over two pieces; HKDF over HMAC-SHA256 as Noise defines it, with n = 2 or 3 outputs (o3
 * NULL for 2). out, o1, o2 and o3 may be one of the inputs. */
void gvs_crypto_sha256(uint8_t out[static 32], const void *a, size_t a_len, const void *b,
                       size_t b_len);
void gvs_crypto_hkdf(uint8_t o1[static 32], uint8_t o2[static 32], uint8_t *o3,
                     const uint8_t ck[static 32], const uint8_t *in, size_t in_len);

/* ChaCha20-Poly1305 (RFC 8439), nonce = 4 zero bytes and n little-endian. out has len + GVS_TAG_LEN
 * bytes. In place is allowed. */
void gvs_crypto_seal(uint8_t *out, const uint8_t *msg, size_t len, const void *ad, size_t ad_len,
                     const uint8_t key[static 32], uint64_t n);
/* len includes the tag. GVS_E_FORGED leaves out untouched or zeroed. In place is allowed. */
int gvs_crypto_open(uint8_t *out, const uint8_t *sealed, size_t len, const void *ad, size_t ad_len,
                    const uint8_t key[static 32], uint64_t n);

/* XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha), whose nonce may be drawn at random; otherwise the
 * same. */
void gvs_crypto_xseal(uint8_t *out, const uint8_t *msg, size_t len, const void *ad, size_t ad_len,
                      const uint8_t key[static 32], const uint8_t nonce[static GVS_XNONCE_LEN]);
int gvs_crypto_xopen(uint8_t *out, const uint8_t *sealed, size_t len, const void *ad, size_t ad_len,
                     const uint8_t key[static 32], const uint8_t nonce[static GVS_XNONCE_LEN]);

/* BLAKE2b-128, keyed with 16 to 64 bytes (RFC 7693). */
void gvs_crypto_mac(uint8_t out[static GVS_MAC_LEN], const void *msg, size_t len,
                    const uint8_t *key, size_t key_len);

/* The psk's id on the wire, and its subkeys for mac1 and for COOKIE: docs/wire.md. */
uint64_t gvs_crypto_key_id(const uint8_t psk[static 32]);
void gvs_crypto_mac1_key(uint8_t out[static 32], const uint8_t psk[static 32]);
void gvs_crypto_cookie_key(uint8_t out[static 32], const uint8_t psk[static 32]);

/* SHA-256("gossipvs-node-id" || public key), first 16 bytes. */
struct gvs_id gvs_crypto_node_id(const uint8_t pub[static 32]);

/* The keyed 64-bit hash of core/table.h: SipHash-2-4; its key is the first 16 bytes of
 * SHA-256("gossipvs-table-key" || the cluster's name) and never rotates. */
struct gvs_siphash_key {
    uint8_t b[16];
};
void gvs_crypto_table_key(struct gvs_siphash_key *out, const char *cluster);
/* key: a struct gvs_siphash_key */
uint64_t gvs_crypto_siphash(const void *key, const uint8_t *b, size_t len);

/* Base64 of exactly 32 bytes, 44 characters. parse: GVS_E_MALFORMED and out untouched. */
int gvs_crypto_key_parse(uint8_t out[static 32], const char *text, size_t len);
void gvs_crypto_key_format(char text[static 45], const uint8_t key[static 32]);

/* CRC-like check of a stored record: the first 8 bytes of BLAKE2b-256. */
uint64_t gvs_crypto_checksum(const void *b, size_t len);
