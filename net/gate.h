/* net/gate.h: which INITs may cost a responder an opening.
 *
 *   I1  An INIT that is one of the 2,048 let through last is not let through again.
 *   I2  200 a second pass and 400 at once, and of one address and port 5 a second and 10 at once,
 *       whatever comes.
 *
 * Whoever can make a mac1 has the psk, but whoever has seen one can send it again, from anywhere.
 */
#pragma once

#include "core/addr.h"
#include "net/crypto.h"
#include "net/limit.h"
#include "net/packet.h"

#define GVS_GATE_EP_CELLS 1024
#define GVS_GATE_SEEN_MAX 2048 /* above what passes while a handshake is pending: 1,400 */

enum gvs_gate_verdict {
    GVS_GATE_PASS,
    GVS_GATE_SEEN,    /* I1 */
    GVS_GATE_LIMITED, /* I2 */
};

struct gvs_gate {
    struct gvs_siphash_key key; /* random */
    struct gvs_limit all, ep[GVS_GATE_EP_CELLS];
    uint64_t seen[GVS_GATE_SEEN_MAX]; /* the mac1, begun, of the latest INITs let through: a ring */
    size_t seen_at;
};

/* An INIT whose mac1 is right has come. */
enum gvs_gate_verdict gvs_gate_judge(struct gvs_gate *g, struct gvs_mono now,
                                     const struct gvs_ep *from,
                                     const uint8_t init[static GVS_HANDSHAKE_LEN]);
