/* net/pool.h: where sessions and peers live: fixed memory, lists by state, look-up by index and by
 * id.
 *
 * The low bits of a session's index, the number by which the other side names it to us, are its
 * place in the pool and the others are random: looking one up is one array access, and the index of
 * an earlier owner of the place does not fit.
 *
 * Sessions that wait for something wait in a list of their state. All waits of a state are of the
 * same length, and so each list is in the order of time with no sorting, and the next to run out is
 * its first. CURRENT ones are in no list: they live for a day, and somebody looks through the peers
 * now and then.
 *
 *   I1  A session is in the list of its state, and counted there; FREE ones are wiped.
 *   I2  A peer's `current` is CURRENT, its other sessions are PREVIOUS, and all name the peer.
 *   I3  Pages that were never needed are not touched.
 *
 * Nothing here knows what a state means: that is net/session.c, the only user.
 */
#pragma once

#include <sys/queue.h>

#include "core/addr.h"
#include "core/time.h"
#include "net/noise.h"
#include "net/window.h"

enum gvs_session_state {
    GVS_FREE = 0,
    GVS_INITIATING,
    GVS_PENDING,
    GVS_CURRENT,
    GVS_PREVIOUS,
    GVS_SESSION_STATE_COUNT
};

struct gvs_handshake {      /* INITIATING, PENDING */
    struct gvs_noise noise; /* INITIATING */
    struct gvs_mono retry;
    unsigned cookies;               /* INITIATING: that were heeded since gvs_sessions_connect */
    uint8_t pkt[GVS_HANDSHAKE_LEN]; /* to be sent */
};

struct gvs_traffic { /* CURRENT, PREVIOUS */
    struct gvs_window window;
    uint64_t sent, opened;
    struct gvs_mono due_busy, due_quiet, dies;
    struct gvs_peer *peer;
};

struct gvs_session {
    TAILQ_ENTRY(gvs_session) link; /* of its state's list */
    TAILQ_ENTRY(gvs_session) out;  /* of what is to be sent, if queued */
    enum gvs_session_state state;
    bool queued;
    bool started;          /* by us */
    uint32_t ours, theirs; /* indexes */
    struct gvs_mono expires;
    uint64_t begun, done; /* turns: the handshake's first message came or went; it was complete */
    uint64_t init_time;
    uint64_t key; /* the id of the cluster's */
    struct gvs_ep ep;
    struct gvs_id id; /* from here on unknown while INITIATING, and only claimed while PENDING */
    uint64_t boot;
    struct gvs_noise_keys keys;
    union {
        struct gvs_handshake hs;
        struct gvs_traffic up;
    };
};
TAILQ_HEAD(gvs_session_list, gvs_session);

struct gvs_peer {          /* one that has proven itself */
    struct gvs_peer *next; /* in its bucket */
    struct gvs_id id;
    uint64_t init_time;          /* the newest that it has proven */
    struct gvs_session *by[2];   /* the latest that [0] it, [1] we started */
    struct gvs_session *old;     /* what one of these took the place of */
    struct gvs_session *current; /* one of the first two: the one to send in */
    bool twins;                  /* those two are: net/session.c */
};

struct gvs_pool {
    struct gvs_session *sessions;
    size_t sessions_max, used; /* beyond `used` none was taken yet */
    uint32_t place_mask;
    struct gvs_session_list lists[GVS_SESSION_STATE_COUNT]; /* CURRENT's is not used */
    size_t counts[GVS_SESSION_STATE_COUNT];
    struct gvs_session_list out;
    struct gvs_peer *peers;
    size_t peers_max, peer_count;
    struct gvs_peer **buckets;
    uint32_t bucket_mask;
};

/* Room for three sessions a peer and for `handshakes`. GVS_E_SYS: memory is short; fini all the
 * same.
 */
int gvs_pool_init(struct gvs_pool *p, size_t peers_max, size_t handshakes);
void gvs_pool_fini(struct gvs_pool *p); /* wipes */

/* A wiped session in this state, with an index made of `random`. The caller keeps within his
 * bounds: there is one (asserted). */
struct gvs_session *gvs_pool_take(struct gvs_pool *p, enum gvs_session_state state,
                                  uint32_t random);

/* To the end of another state's list. A peer's pointers are the caller's business. */
void gvs_pool_move(struct gvs_pool *p, struct gvs_session *e, enum gvs_session_state state);

/* Wipes it and gives it back; its peer and the queue let go of it. */
void gvs_pool_release(struct gvs_pool *p, struct gvs_session *e);

/* Releases the sessions of a listed state whose time has come. */
void gvs_pool_expire(struct gvs_pool *p, enum gvs_session_state state, struct gvs_mono now);

/* The session that an index of ours names; NULL if there is none or if its time is over. */
struct gvs_session *gvs_pool_find(const struct gvs_pool *p, uint32_t index, struct gvs_mono now);

/* The queue of what is to be sent: each session at most once. */
void gvs_pool_enqueue(struct gvs_pool *p, struct gvs_session *e);
void gvs_pool_dequeue(struct gvs_pool *p, struct gvs_session *e); /* nothing, if it is not queued */

struct gvs_peer *gvs_pool_find_peer(const struct gvs_pool *p, const struct gvs_id *id);

/* Is there a place for one more peer: an unused one, or that of one with no session left? */
bool gvs_pool_has_place(const struct gvs_pool *p);

/* A peer that is not there yet; NULL without a place. */
struct gvs_peer *gvs_pool_add_peer(struct gvs_pool *p, const struct gvs_id *id);
