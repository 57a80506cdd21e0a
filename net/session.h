/* net/session.h: sealed datagrams between this node and its peers, sans I/O.
 *
 * A pair of nodes shares a session, opened by one round trip of
 * Noise_IXpsk0_25519_ChaChaPoly_SHA256 under the cluster key, after which each side knows the
 * other's id for certain. Packets, sizes and rules stand in docs/wire.md. Sessions live in memory
 * only: whatever was recorded before a restart of either side opens nothing after it.
 *
 *     (none) --connect--> initiating --RESP opens--------+
 *                                                        +--> current
 *     (none) ---INIT----> pending -----first DATA opens--+       |
 *                                                   (a newer one is current)
 *                                                                |
 *                                    gone <--180 s-- previous <--+    receive only
 *
 *   I1  No counter is accepted twice in a session (RFC 6479 window of 1,984, moved only after the
 *       tag is verified).
 *   I2  No (key, counter) seals twice.
 *   I3  To an address that has not proven itself go no more bytes than came from it, and no state
 *       is kept for it beyond a bounded number of pending handshakes that expire after 5 s. Under
 *       load (net/gate.h) there is none at all, and INIT is answered by COOKIE.
 *   I4  A datagram that does not open changes nothing but a counter.
 *   I5  A session's address is the one that its handshake proved. DATA from elsewhere is dropped.
 *   I6  A responder sends nothing in a session before the initiator's first DATA has opened; the
 *       initiator sends an empty DATA at once, so that this takes one trip.
 *   I7  An init_time not above the newest proven by that id is refused, and so is an INIT that is
 *       one of the 2,048 taken up last: a replayed INIT changes nothing. One that is older, and
 *       never led to a session, is answered once more, as I3 has it: the limit lets 1,400 through
 *       while a handshake is pending, so that no two of one INIT ever are.
 *
 *   I8  A COOKIE is heeded only in answer to the latest INIT. The first after gvs_sessions_connect
 *       makes the next INIT go out at once, the second is kept for the next connect, and no more.
 *   I9  There is no session under a key that is not in the ring, nor with an id that is not
 *       admitted: INIT from such a one is dropped before any DH, and one that stops to be has its
 *       sessions closed and wiped.
 *
 * Rekeying: after 60 min (+-10 %) or 2^40 datagrams if there is traffic (256 datagrams so far),
 * after 24 h (+-10 %) if quiet, by whoever next has something to send. A session whose rekeying
 * does not succeed is used for 63 min more and never for more than 2^60 datagrams. Sessions under a
 * key that stops being primary are due at a random moment of the next ten minutes, quiet ones too.
 */
#pragma once

#include "core/addr.h"
#include "core/time.h"
#include "net/admission.h"
#include "net/keyring.h"
#include "net/packet.h"

#define GVS_PROTOCOL 1            /* the only version of what is inside */
#define GVS_DATAGRAM_LEN_MAX 1232 /* IPv6's minimum MTU of 1,280 less its headers */
#define GVS_BODY_LEN_MAX (GVS_DATAGRAM_LEN_MAX - GVS_DATA_OVERHEAD)

/* Why a datagram was dropped; status names them. One list makes enum and names. */
#define GVS_REJECTS(X)                    \
    X(MALFORMED, "malformed")             \
    X(UNKNOWN_KEY, "unknown_key")         \
    X(BAD_TAG, "bad_tag")                 \
    X(UNKNOWN_SESSION, "unknown_session") \
    X(REPLAY, "replay")                   \
    X(DENIED, "denied")                   \
    X(LIMITED, "limited")
enum gvs_reject {
#define X(name, text) GVS_REJECT_##name,
    GVS_REJECTS(X)
#undef X
        GVS_REJECT_COUNT
};

struct gvs_sessions_config {
    size_t peers_max;                      /* sessions' other ends; 1 to 1,000,000 */
    const char *cluster;                   /* 1 to 255 bytes; copied */
    const struct gvs_keyring *keyring;     /* parsed; copied */
    const struct gvs_admission *admission; /* copied; NULL: everybody */
    uint8_t priv[GVS_KEY_SECRET_LEN];      /* this node's static key */
    uint64_t boot;                         /* random, new with each start */
    uint64_t init_floor; /* init_time starts above this (ns since 1970; the floor on disk) */
    struct gvs_random random;
};

struct gvs_sessions;

/* Takes all its memory here. NULL if memory is short. close wipes and frees; NULL is allowed. */
struct gvs_sessions *gvs_sessions_open(const struct gvs_sessions_config *cfg);
void gvs_sessions_close(struct gvs_sessions *s);

/* Are all keys in memory that is never swapped out? (net/secret.h) */
bool gvs_sessions_locked(const struct gvs_sessions *s);

struct gvs_id gvs_sessions_self(const struct gvs_sessions *s);

enum gvs_session_event {
    GVS_SESSION_NOTHING = 0, /* consumed (a handshake step) or rejected and counted */
    GVS_SESSION_UP,          /* a session with peer is usable from now on; both directions proven */
    GVS_SESSION_DATA, /* body holds what peer sent; may also have brought the session up: `up` */
    GVS_SESSION_SELF, /* our own INIT came back: `from`, where it went, is an address of ours */
};

struct gvs_session_recv {
    enum gvs_session_event event;
    bool up;
    struct gvs_id peer;
    struct gvs_ep from;
    uint64_t peer_boot;
    const uint8_t *body; /* lent until the next call on s; len may be 0 */
    size_t len;
};

/* A datagram came. `wall` only numbers our own handshakes: a COOKIE makes us begin anew. */
void gvs_sessions_recv(struct gvs_sessions *s, struct gvs_mono now, struct gvs_wall wall,
                       const struct gvs_ep *from, const uint8_t *pkt, size_t len,
                       struct gvs_session_recv *out);

/* Begin a handshake with whoever answers at `to`. Repeated calls while one is under way (1 s) do
 * nothing; after that a new one takes its place. Without an answer it is over after 5 s, and nobody
 * is told. GVS_E_FULL: too many at once (256). */
int gvs_sessions_connect(struct gvs_sessions *s, struct gvs_mono now, struct gvs_wall wall,
                         const struct gvs_ep *to);

/* Datagrams that the sessions themselves want sent (handshakes, confirmations). Returns the length
 * written to buf (GVS_DATAGRAM_LEN_MAX bytes), 0 if there is none. */
size_t gvs_sessions_next(struct gvs_sessions *s, struct gvs_mono now, uint8_t *buf,
                         struct gvs_ep *to);

/* Seals a body of at most GVS_BODY_LEN_MAX bytes for a peer into buf (GVS_DATAGRAM_LEN_MAX bytes).
 * Returns the datagram's length and where it goes; GVS_E_NOTFOUND without a usable session
 * (connect, and try again when it is UP). Starts a rekey by itself when one is due. */
int gvs_sessions_seal(struct gvs_sessions *s, struct gvs_mono now, struct gvs_wall wall,
                      const struct gvs_id *peer, const uint8_t *body, size_t len, uint8_t *buf,
                      struct gvs_ep *to);

/* Is there a session to seal in? It may have run out up to a minute ago. */
bool gvs_sessions_have(const struct gvs_sessions *s, const struct gvs_id *peer,
                       struct gvs_ep *ep /* may be NULL */);

/* Forget the peer's sessions and handshakes, and wipe their keys. */
void gvs_sessions_drop(struct gvs_sessions *s, const struct gvs_id *peer);

/* --- keys and ids, while it runs --- */

/* Begins with the new primary key from now on, and answers under every key of this ring. */
void gvs_sessions_set_keyring(struct gvs_sessions *s, struct gvs_mono now,
                              const struct gvs_keyring *ring);

void gvs_sessions_set_admission(struct gvs_sessions *s, const struct gvs_admission *admission);

/* The id of the key of the session that we send to it in; 0: there is none. */
uint64_t gvs_sessions_key(const struct gvs_sessions *s, const struct gvs_id *peer);

/* When to call gvs_sessions_next again if nothing else happens. */
struct gvs_mono gvs_sessions_deadline(const struct gvs_sessions *s);

/* For status: how many datagrams were dropped, by reason. */
uint64_t gvs_sessions_rejected(const struct gvs_sessions *s, enum gvs_reject why);

/* The latest who was turned away, and how many INITs and RESPs were, for the same reason: under a
 * key that we do not have, and not admitted. The former can be anybody, the latter has a cluster
 * key. Lent for the life of s; count 0: nobody. */
struct gvs_stranger {
    uint64_t count;
    struct gvs_mono last;
    struct gvs_ep from;
    uint64_t key;     /* its id */
    struct gvs_id id; /* of one not admitted */
};
const struct gvs_stranger *gvs_sessions_stranger(const struct gvs_sessions *s);
const struct gvs_stranger *gvs_sessions_denied(const struct gvs_sessions *s);

/* The largest init_time used: keep a floor at or above it on disk. */
uint64_t gvs_sessions_init_time(const struct gvs_sessions *s);
