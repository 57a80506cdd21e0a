/* net/gate.h: which INITs may cost a responder an opening.
 *
 * Under load, which is more than 100 INITs in this second or the one before, or more than 64
 * half-open handshakes, only those that have proven their address by mac2 (net/cookie.h) go on to
 * the limit; the others are to be answered by COOKIE. So a flood from forged addresses takes
 * nothing from the honest ones, who lose a round trip.
 *
 *   I1  An INIT that is one of the 2,048 let through last is not let through again.
 *   I2  200 a second pass and 400 at once, and of one address and port 5 a second and 10 at once,
 *       whatever comes.
 *
 *   I3  Under load no INIT passes without proof, and without load mac2 is not looked at.
 *   I4  A COOKIE, which costs several times what refusing does, is due once for an INIT, as long as
 *       we remember it (the honest send each but once), and 5,000 times a second, 1,000 at once.
 *
 * Whoever can make a mac1 has the psk, but whoever has seen one can send it again, from anywhere.
 */
#pragma once

#include "core/addr.h"
#include "net/cookie.h"
#include "net/limit.h"
#include "net/packet.h"

#define GVS_GATE_EP_CELLS 1024
#define GVS_GATE_SEEN_MAX 2048 /* above what passes while a handshake is pending: 1,400 */
#define GVS_GATE_MET_SETS 1024
#define GVS_GATE_MET_WAYS 4

enum gvs_gate_verdict {
    GVS_GATE_PASS,
    GVS_GATE_SEEN,     /* I1, I4 */
    GVS_GATE_LIMITED,  /* I2, I4 */
    GVS_GATE_UNPROVEN, /* I3: a COOKIE is due */
};

struct gvs_gate {
    struct gvs_siphash_key key; /* random */
    struct gvs_limit all, ep[GVS_GATE_EP_CELLS];
    uint64_t seen[GVS_GATE_SEEN_MAX]; /* the mac1, begun, of the latest INITs let through: a ring */
    size_t seen_at;
    /* Likewise of those let through or answered by COOKIE: the latest of each hash, in order. */
    uint64_t met[GVS_GATE_MET_SETS][GVS_GATE_MET_WAYS];
    struct gvs_limit cookies;
    struct gvs_cookie_secrets secrets;
    struct gvs_mono second; /* INITs are counted from then on */
    unsigned count, before; /* in this second, and in the one before */
};

/* An INIT whose mac1 is right has come, while this many handshakes are half open. */
enum gvs_gate_verdict gvs_gate_judge(struct gvs_gate *g, struct gvs_mono now,
                                     const struct gvs_ep *from,
                                     const uint8_t init[static GVS_HANDSHAKE_LEN], size_t pending);
