/* net/cookie.h: proof that somebody hears at his address, before he costs work.
 *
 *     initiator                                    responder, under load
 *        |--- INIT, mac2 zero ----------------------->|  cookie = MAC(secret, address): not kept
 *        |<-- COOKIE, sealed for this very INIT ------|
 *        |--- INIT, a new one, mac2 by the cookie --->|  cookie made again: it is right, go on
 *
 * Who forges his address never sees COOKIE, which is shorter than INIT, and the responder keeps
 * nothing for him. Only who has the psk can read or make one, and only for an INIT that he saw.
 *
 *   I1  A secret makes cookies for 120 s and proves them for 240 s: as long as one that it made
 *       last may be used by who got it.
 *   I2  What others can make us keep is 256 cookies, one per hash of an address.
 */
#pragma once

#include "core/addr.h"
#include "core/time.h"
#include "net/keyring.h"
#include "net/packet.h"

#define GVS_COOKIE_JAR 256

/* --- who answers --- */

struct gvs_cookie_secrets { /* zero: none yet */
    struct gvs_cookie_secret {
        uint8_t b[32];
        struct gvs_mono until; /* it proves until then */
    } latest, former;
};

/* Answers INIT, whose mac1 is right, from there: fills pkt. */
void gvs_cookie_answer(struct gvs_cookie_secrets *s, struct gvs_mono now,
                       const struct gvs_random *random, const struct gvs_ep *from,
                       const uint8_t init[static GVS_HANDSHAKE_LEN],
                       const struct gvs_keyring_key *key, uint8_t pkt[static GVS_COOKIE_LEN]);

/* Is INIT's mac2 by a cookie that was sent there, not too long ago? */
bool gvs_cookie_proves(const struct gvs_cookie_secrets *s, struct gvs_mono now,
                       const struct gvs_ep *from, const uint8_t init[static GVS_HANDSHAKE_LEN]);

/* --- who asked --- */

struct gvs_cookie_jar {
    struct gvs_siphash_key key; /* random */
    struct gvs_cookie {
        struct gvs_ep ep;
        struct gvs_mono until; /* 0: none */
        uint8_t b[GVS_MAC_LEN];
    } cell[GVS_COOKIE_JAR];
};

/* Keeps for 120 s the cookie in COOKIE, which came from there in answer to INIT. GVS_E_FORGED: it
 * is no answer to this INIT, made under this key. */
int gvs_cookie_keep(struct gvs_cookie_jar *j, struct gvs_mono now, const struct gvs_ep *from,
                    const uint8_t pkt[static GVS_COOKIE_LEN],
                    const uint8_t init[static GVS_HANDSHAKE_LEN],
                    const struct gvs_keyring_key *key);

/* Makes INIT's mac2 by the cookie that is kept for where it goes; leaves it alone without one. */
void gvs_cookie_use(const struct gvs_cookie_jar *j, struct gvs_mono now, const struct gvs_ep *to,
                    uint8_t init[static GVS_HANDSHAKE_LEN]);
