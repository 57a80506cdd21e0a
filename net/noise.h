/* net/noise.h: one handshake, Noise_IXpsk0_25519_ChaChaPoly_SHA256, written to and read from INIT
 * and RESP (net/packet.h).
 *
 *     IXpsk0:
 *       -> psk, e, s, payload            INIT
 *       <- e, ee, se, s, es, payload     RESP
 *
 * Each side learns the other's static key. The psk comes first: INIT opens without any DH, and so a
 * responder knows who claims to be calling before it spends 0.15 ms. A claim it is until the first
 * DATA opens: INIT proves the psk, not the static key. The initiator has both proven by RESP.
 *
 * Nothing here keeps order or time: that is net/session.h. All functions but gvs_noise_read_resp
 * change *n also when they fail; then nothing but gvs_noise_wipe may follow. (The Noise Protocol
 * Framework, revision 34.)
 */
#pragma once

#include "net/keyring.h"
#include "net/packet.h"

/* Who we are, and how every transcript of this cluster begins. */
struct gvs_noise_self {
    uint8_t priv[32], pub[32];
    uint8_t h[32]; /* after the prologue */
};

/* The name has 1 to 255 bytes. */
void gvs_noise_self_init(struct gvs_noise_self *self, const uint8_t priv[static 32],
                         const char *cluster);

/* A handshake under way. */
struct gvs_noise {
    uint8_t h[32], ck[32]; /* the transcript's hash; the chaining key */
    uint8_t k[32];         /* the key for what is sealed next; its nonce: */
    uint64_t nonce;
    uint8_t e[32];          /* our ephemeral secret */
    uint8_t re[32], rs[32]; /* their ephemeral and static public keys, as far as known */
};

struct gvs_noise_init { /* INIT's payload */
    uint64_t init_time, boot;
    uint16_t proto_min, proto_max;
    uint16_t datagram_max, flags;
};

struct gvs_noise_resp { /* RESP's */
    uint64_t init_time, boot;
    uint16_t proto, datagram_max;
    uint32_t flags;
};

struct gvs_noise_keys { /* of the session */
    uint8_t send[32], recv[32];
};

/* mac1 proves to whoever has the psk that the sender has it too. */
bool gvs_noise_mac1_ok(const uint8_t pkt[static GVS_HANDSHAKE_LEN],
                       const struct gvs_keyring_key *key);

/* The initiator's first step: fills pkt. `e` is 32 fresh random bytes, `index` names the session to
 * us. */
void gvs_noise_write_init(struct gvs_noise *n, uint8_t pkt[static GVS_HANDSHAKE_LEN],
                          const struct gvs_noise_self *self, const struct gvs_keyring_key *key,
                          const uint8_t e[static 32], uint32_t index,
                          const struct gvs_noise_init *payload);

/* The responder's: opens INIT, whose mac1 is right, with no DH. n->rs is the caller's static key,
 * so he says. GVS_E_FORGED: another cluster, or not what its sender made; GVS_E_MALFORMED: the
 * payload has bits set where none may be. */
int gvs_noise_read_init(struct gvs_noise *n, const uint8_t pkt[static GVS_HANDSHAKE_LEN],
                        const struct gvs_noise_self *self, const struct gvs_keyring_key *key,
                        struct gvs_noise_init *payload);

/* The responder's second: fills pkt and *keys. GVS_E_FORGED: one of the caller's keys is a point of
 * low order. */
int gvs_noise_write_resp(struct gvs_noise *n, uint8_t pkt[static GVS_HANDSHAKE_LEN],
                         const struct gvs_noise_self *self, const struct gvs_keyring_key *key,
                         const uint8_t e[static 32], uint32_t index, uint32_t their_index,
                         const struct gvs_noise_resp *payload, struct gvs_noise_keys *keys);

/* The initiator's last: opens RESP, whose mac1 is right. *n stays as it was after write_init, so
 * that a false RESP costs the true one nothing. rs is the responder's static key, proven. Errors as
 * of gvs_noise_read_init. */
int gvs_noise_read_resp(const struct gvs_noise *n, const uint8_t pkt[static GVS_HANDSHAKE_LEN],
                        const struct gvs_noise_self *self, uint8_t rs[static 32],
                        struct gvs_noise_resp *payload, struct gvs_noise_keys *keys);

void gvs_noise_wipe(struct gvs_noise *n);
