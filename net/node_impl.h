/* net/node_impl.h: the inside of a node, for net/node*.c and nobody else.
 *
 *     node.c      opening and closing; what the caller asks
 *     node_in.c   datagram --> session --> body --> one handler a message --> tables, notes, work
 *     node_out.c  timers; what waits --> bodies --> sessions --> datagrams
 *
 * What waits is small and holds no entry: all is read from the tables when the body is built. Each
 * queue is bounded and drops when it is full, since everything is repaired by comparing
 * fingerprints; nothing here has to arrive. Peers for whom something waits, is in the air or is due
 * stand in one list, so that nothing is ever looked for among all of them.
 */
#pragma once

#include <sys/queue.h>

#include "net/member.h"
#include "net/node.h"
#include "net/relay.h"
#include "net/replica.h"
#include "net/sync.h"
#include "net/wire.h"

#define GVS_NOTES_MAX 32

struct gvs_note { /* a small message: a probe, an answer, an acknowledgement */
    uint8_t type;
    struct gvs_id id;
    uint64_t seq, news, mask;
};

/* The PUSHes of a peer that have come: the latest, and which of the 64 before it. An
 * acknowledgement says all of that, so that a lost one costs nothing if another follows. Numbers
 * are those of one process: what another one by that name sent last may still come after it. */
struct gvs_received {
    uint64_t boot;
    uint64_t seq, mask, news;
    unsigned unsaid; /* came since the last acknowledgement */
    struct gvs_mono at;
};

struct gvs_node_peer { /* of the member in the same place */
    TAILQ_ENTRY(gvs_node_peer) link;
    bool busy; /* is in the list */
    struct gvs_member *member;
    struct gvs_pace pace;
    struct gvs_sync_peer sync;
    struct gvs_received received;
    unsigned burst; /* datagrams with searches since burst_at */
    struct gvs_mono burst_at;
    struct gvs_mono check;                  /* compare fingerprints again then; NEVER */
    unsigned checks;                        /* of these without an answer */
    struct gvs_mono apart[GVS_TABLE_COUNT]; /* fingerprints differ since then; NEVER: they do not */
    struct gvs_mono since; /* its session came up: what was sent before is no trial of it */
    size_t note_at, note_count;
    struct gvs_note note[GVS_NOTES_MAX];
};
TAILQ_HEAD(gvs_node_peers, gvs_node_peer);

struct gvs_bootstrap {
    struct gvs_ep ep;
    unsigned whose; /* which peer's */
    unsigned tries;
    struct gvs_mono next;
    bool own;      /* what we sent there came to ourselves, and nobody else has answered */
    bool answered; /* somebody did from there: the latest, in that life */
    struct gvs_id who;
    uint64_t boot;
};

struct gvs_node {
    bool started, synced;
    bool in_step;     /* as the caller said, */
    uint64_t step_of; /* of the table of claims with this fingerprint */
    bool observes;
    struct gvs_sessions *sessions;
    struct gvs_id self;
    struct gvs_replica replica;
    struct gvs_members *members; /* the replica's */
    struct gvs_sync sync;
    struct gvs_node_peer *peers;
    struct gvs_node_peers busy;
    struct gvs_bootstrap bootstrap[GVS_NODE_PEERS_MAX];
    size_t bootstrap_count;
    bool regroup;           /* sessions came or went: relay is to be told */
    uint64_t regrouped;     /* the fingerprint of the members that relay knows */
    struct gvs_mono spread; /* what reconciliation brought is passed on then; NEVER: nothing */
    struct gvs_mono spread_next;
    struct gvs_mono collect; /* old tombstones are looked for then */
    struct gvs_mono due;     /* of peers, reconciliation and bootstrap */
    struct gvs_node_counts counts;
    struct gvs_node_refused refused[GVS_REFUSAL_COUNT];
    uint64_t rejects_seen[GVS_REJECT_COUNT]; /* of the sessions' */
    struct gvs_ep rejected_from[GVS_REJECT_COUNT];
};

/* The peer of a member; from now on it is busy until there is nothing left to do for it. */
struct gvs_node_peer *gvs_node_wake(struct gvs_node *n, struct gvs_member *m);

/* Does each bootstrap peer live, or is retired, or ourselves? */
bool gvs_node_meets_all(const struct gvs_node *n);

/* That address is our own. */
void gvs_node_is_own(struct gvs_node *n, const struct gvs_ep *ep);

/* A session has come up with whoever is at that address. */
void gvs_node_answered(struct gvs_node *n, const struct gvs_ep *from, const struct gvs_id *who,
                       uint64_t boot);

/* What came from it is to be acknowledged now. Nothing, if all is. */
void gvs_node_acknowledge(struct gvs_node *n, struct gvs_node_peer *p);

/* It is to learn what the members table says of a member: whoever is accused has to know, and who
 * is retired. */
void gvs_node_tell(struct gvs_node *n, struct gvs_member *m, const struct gvs_id *of);

/* A small message waits for it. Dropped if too many do. */
void gvs_node_note(struct gvs_node *n, struct gvs_member *m, const struct gvs_note *note);
