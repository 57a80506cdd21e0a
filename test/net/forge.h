/* test/net/forge.h: INIT as somebody who has the cluster key may write it: any ephemeral, any
 * static key, any payload. Written from the Noise specification and docs/wire.md apart from
 * net/noise.c, whose first message it therefore checks as well. */
#pragma once

#include <string.h>

#include "core/bytes.h"
#include "net/keyring.h"
#include "net/packet.h"

struct forge {
    uint8_t e_pub[32], s_pub[32];
    uint8_t payload[32];
    uint32_t index;
};

/* The payload that a node of version 1 sends. */
static inline void
forge_payload(uint8_t payload[static 32], uint64_t init_time, uint64_t boot)
{
    memset(payload, 0, 32);
    gvs_put64le(payload, init_time);
    gvs_put64le(payload + 8, boot);
    gvs_put16le(payload + 16, 1);
    gvs_put16le(payload + 18, 1);
    gvs_put16le(payload + 20, 1232);
}

static inline void
forge_mac1(uint8_t pkt[static 176], const struct gvs_keyring_key *key)
{
    gvs_crypto_mac(pkt + 144, pkt, 144, key->mac1, GVS_KEY_SECRET_LEN);
}

static inline void
forge_init(uint8_t pkt[static 176], const char *cluster, const struct gvs_keyring_key *key,
           const struct forge *f)
{
    static const char name[] = "Noise_IXpsk0_25519_ChaChaPoly_SHA256";
    uint8_t h[32], ck[32], k[32], temp[32], prologue[300] = "gossipvs1";
    size_t len = strnlen(cluster, 255);

    prologue[10] = (uint8_t)len;
    memcpy(prologue + 11, cluster, len);
    memset(pkt, 0, 176);
    pkt[0] = 1;
    pkt[1] = 1;
    gvs_put32le(pkt + 4, f->index);
    gvs_put64(pkt + 8, key->id);

    gvs_crypto_sha256(h, name, 36, NULL, 0);
    memcpy(ck, h, 32);
    gvs_crypto_sha256(h, h, 32, prologue, 11 + len);

    gvs_crypto_hkdf(ck, temp, k, ck, key->psk, 32); /* psk */
    gvs_crypto_sha256(h, h, 32, temp, 32);

    memcpy(pkt + 16, f->e_pub, 32); /* e */
    gvs_crypto_sha256(h, h, 32, pkt + 16, 32);
    gvs_crypto_hkdf(ck, k, NULL, ck, pkt + 16, 32);

    gvs_crypto_seal(pkt + 48, f->s_pub, 32, h, 32, k, 0); /* s */
    gvs_crypto_sha256(h, h, 32, pkt + 48, 48);

    gvs_crypto_seal(pkt + 96, f->payload, 32, h, 32, k, 1); /* payload */
    forge_mac1(pkt, key);
}
