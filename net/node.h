/* net/node.h: one member of the cluster: sessions, members, relay and reconciliation, sans I/O.
 *
 * Datagrams and `now` go in, datagrams and a deadline come out; no socket, clock or thread lives
 * here, and so the simulator runs thousands of these. The caller's loop is
 *
 *     gvs_node_recv     a datagram came
 *     gvs_node_next     the next datagram to send: until it is 0, after every other call
 *     gvs_node_deadline when to call gvs_node_next again, if nothing else is called before
 *     gvs_node_news     what changed in the tables: until it is false
 *     gvs_node_event    what happened to members: likewise
 *
 * The node owns both tables: claims (what this program is for) and members. A change goes out at
 * once, to everybody or by heads of arcs of the ring of ids, each hand-over acknowledged or sent
 * again (net/relay.h). Every probe and its answer carry the fingerprints of both tables; where they
 * differ, a sketch tells which entries do, and those are pushed and asked for (net/sync.h). What
 * was deleted is remembered until nobody can need that (net/age.h). Every message stands alone: a
 * lost one costs time only.
 *
 *   I1  Per key, what is held only ever becomes greater (core/entry.h), or is forgotten by the
 *       rules of net/age.h.
 *   I2  Nothing is taken from a peer that has not proven the cluster key.
 *   I3  A node never believes that it is dead: it raises its incarnation above any such rumour.
 *       That it is retired it believes at once, whoever says so.
 *   I4  A local write is stamped above everything that this node has admitted.
 */
#pragma once

#include <limits.h>

#include "core/limits.h"
#include "core/table.h"
#include "core/value.h"
#include "net/session.h"

struct gvs_node_config {
    struct gvs_limits limits;
    const char *cluster;                   /* borrowed during open */
    const struct gvs_keyring *keyring;     /* copied */
    const struct gvs_admission *admission; /* copied; NULL: everybody with a key */
    uint8_t priv[GVS_KEY_SECRET_LEN];
    uint64_t boot;           /* random, new with each start */
    uint64_t init_floor;     /* see net/session.h */
    uint64_t stamp_floor_ms; /* stamps are above it; 0: none is known */
    bool newborn;            /* the key was made just now: nothing was ever written with it */
    struct gvs_random random;
    const char *name;        /* this node's label; copied */
    const char *version;     /* copied */
    struct gvs_ep advertise; /* where others reach us */
};

struct gvs_node;

/* NULL if memory is short. close wipes keys and frees everything. */
struct gvs_node *gvs_node_open(const struct gvs_node_config *cfg, struct gvs_mono now);
void gvs_node_close(struct gvs_node *n);

/* Are all its keys in memory that is never swapped out? The process may be allowed too little. */
bool gvs_node_keys_locked(const struct gvs_node *n);

struct gvs_id gvs_node_self(const struct gvs_node *n);
const struct gvs_table *gvs_node_claims(const struct gvs_node *n);
const struct gvs_table *gvs_node_members(const struct gvs_node *n);

/* An entry from this node's own disk: merged, not relayed, no news. Before the first
 * gvs_node_start. */
int gvs_node_load(struct gvs_node *n, const struct gvs_entry *e);

/* All is loaded: writes this node's own member entry (above the incarnation on disk, and news) and
 * begins to talk. */
void gvs_node_start(struct gvs_node *n, struct gvs_mono now, struct gvs_wall wall);

/* The bootstrap list, resolved; replaces the one before, and what stays keeps its pace. At most
 * GVS_NODE_PEERS_MAX addresses; ones equal to `advertise` are ignored, and others where the node
 * meets itself are not waited for. Those with one number in `whose` (NULL: each has its own) are of
 * one peer, who is met when any of them is. Each where no live member is is tried for ever, every
 * second at first, after thirty times every 10 s: not where a member advertises it, and not where a
 * member has answered, as long as that one lives.
 * GVS_NODE_HINT is nobody's number: there somebody was once. That is tried only while no member is
 * known, dead or alive, who advertises it, and need not be met. */
#define GVS_NODE_PEERS_MAX 128
#define GVS_NODE_HINT UINT_MAX
void gvs_node_set_peers(struct gvs_node *n, const struct gvs_ep *peers, const unsigned *whose,
                        size_t count);

void gvs_node_recv(struct gvs_node *n, struct gvs_mono now, struct gvs_wall wall,
                   const struct gvs_ep *from, const uint8_t *pkt, size_t len);
size_t gvs_node_next(struct gvs_node *n, struct gvs_mono now, struct gvs_wall wall,
                     uint8_t buf[static GVS_DATAGRAM_LEN_MAX], struct gvs_ep *to);
struct gvs_mono gvs_node_deadline(const struct gvs_node *n);

/* A local write: stamped, merged, queued for everybody, and lent by gvs_node_news like any other
 * change. *stamp (may be NULL) is its stamp. GVS_E_FULL: the key is new and the table holds
 * `limits.entries` (core/limits.h), or there is no room; GVS_E_RANGE: the key bears the greatest
 * stamp that there can be; GVS_E_RETIRED: this node is, or the key's owner. Nothing changed then.
 */
int gvs_node_write(struct gvs_node *n, struct gvs_mono now, struct gvs_wall wall,
                   const struct gvs_key *key, bool tombstone, const uint8_t *value,
                   size_t value_len, struct gvs_stamp *stamp);

/* The next entry of either table (its key's kind tells which) that is news since it was last asked
 * for. Lent until the next call on n. One with no bytes (len 0) has a key and a kind: of that,
 * nothing is held any more. A key that changed twice is lent once, as it is now. Whoever
 * does not ask for so long that the ring of changed keys (as long as the table, 256 to 16,384)
 * runs over is lent every entry once, and is not told of what is held no more. */
bool gvs_node_news(struct gvs_node *n, struct gvs_entry *e);

/* The version vector (net/age.h), for the disk: it counts its changes, and is lent in chunks, from
 * the component numbered `from` on (0 bytes: there are no more). It has to reach the disk together
 * with all news, or after. What was on the disk is loaded like entries; GVS_E_MALFORMED. Whoever
 * has lost a record does not. */
uint64_t gvs_node_vector_changes(const struct gvs_node *n);
size_t gvs_node_vector(const struct gvs_node *n, size_t from, uint8_t *out, size_t cap);
int gvs_node_load_vector(struct gvs_node *n, const uint8_t *b, size_t len);

/* The greatest stamp seen or issued. A floor somewhat above it belongs on the disk (ms, loaded as
 * cfg->stamp_floor_ms), so that no stamp is issued twice, whatever the clock does meanwhile. */
uint64_t gvs_node_stamp(const struct gvs_node *n);

struct gvs_node_event {
    struct gvs_id member;
    enum gvs_member_state before, after;
    bool first; /* not known before */
    bool gone;  /* as below, after; an event comes also when only this has changed */
};
bool gvs_node_event(struct gvs_node *n,
                    struct gvs_node_event *ev); /* the ring holds 256; older ones are lost */

/* --- members that leave, for good --- */

/* A member that is retired stays so for ever, in every table: LEFT is above all that can be said of
 * it, nothing is written in its name any more, and what it claimed counts for nothing (the view's
 * business: entries stay as they are). A node that returns after it was retired needs a new id.
 *
 * leave retires this node, forget another one, which may be dead or alive and is told. 0 also if it
 * was retired already. GVS_E_NOTFOUND: no such member; GVS_E_RANGE: forget does not take this
 * node's own id; GVS_E_RETIRED: this node has no say any more. leave wants a started node. */
int gvs_node_leave(struct gvs_node *n, struct gvs_mono now);
int gvs_node_forget(struct gvs_node *n, struct gvs_mono now, const struct gvs_id *id);

/* Is this node, or whoever it is? */
bool gvs_node_retired(const struct gvs_node *n);
bool gvs_node_is_retired(const struct gvs_node *n, const struct gvs_id *id);

/* --- keys and ids, while it runs --- */

/* From now on this is the ring (net/session.h), and every member is told its ids. Members to whom
 * this leaves no session are called at once. Of a started node. */
void gvs_node_set_keyring(struct gvs_node *n, struct gvs_mono now, const struct gvs_keyring *ring);

/* A member that is not admitted any more has no session from now on. Its entries stay. */
void gvs_node_set_admission(struct gvs_node *n, struct gvs_mono now,
                            const struct gvs_admission *admission);

/* With how many living members is the session under this key? */
size_t gvs_node_sessions_under(const struct gvs_node *n, uint64_t key);

/* --- what this node makes of it --- */

/* Two writes of one key of the cluster's, neither of whose writers knew the other: the greater
 * stays, and what was lost is lent here once. The ring holds 256; older ones are lost and counted
 * in *missed (since the last call). */
struct gvs_node_overwrite {
    uint16_t kept_len, lost_len;
    uint8_t kept[GVS_ENTRY_LEN_MAX], lost[GVS_ENTRY_LEN_MAX];
};
bool gvs_node_overwrite(struct gvs_node *n, struct gvs_node_overwrite *out, uint64_t *missed);

/* Is our kernel as the table of claims wants it now? Carried in probes; false until told, and from
 * the next change of that table until told again. */
void gvs_node_set_in_step(struct gvs_node *n, bool in_step);

/* Do we only observe our kernel? Then nobody has to wait for it. Carried likewise, until told
 * otherwise. */
void gvs_node_set_observes(struct gvs_node *n, bool observes);

/* Probe everybody now, not when it is their turn. */
void gvs_node_probe_all(struct gvs_node *n, struct gvs_mono now);

/* True once this node is not behind any more: since its start it had all that a synced peer has;
 * or, where nobody is synced, all that every member has, each of whom has met its bootstrap peers;
 * after a minute those that live are enough. */
bool gvs_node_synced(const struct gvs_node *n);

/* Is there a session with anybody now, whose entries a node that is not synced may wait for? */
bool gvs_node_reached_anyone(const struct gvs_node *n);

struct gvs_node_member { /* zero and false where unknown */
    struct gvs_id id;
    struct gvs_member_value value;
    enum gvs_member_state state;
    uint64_t incarnation;
    bool self;
    bool heard;               /* ever, since our start */
    struct gvs_mono heard_at; /* the latest datagram of his */
    uint64_t rtt_us;          /* smoothed; 0 = unknown */
    int64_t clock_offset_ms;  /* his wall clock minus ours */
    bool has_fingerprint;
    uint64_t fingerprint;         /* of his claims, as of his latest probe or answer, */
    uint64_t members_fingerprint; /* and of his table of members */
    bool in_step, observes;       /* likewise */
    struct gvs_mono answered;     /* when the latest probe that he answered was sent */

    /* The table says that he is dead, and our own probe and handshake, begun after that was heard,
     * were not answered either. Ends when anything of his is opened or the table says otherwise, at
     * once the first times; for one that dies again and again within minutes after 4 s, 8 s and so
     * on up to 60. */
    bool gone;
    struct gvs_mono gone_since;

    uint64_t deferred;         /* entries he brought that were stamped in the future */
    bool cloned;               /* two processes went by his name within a minute, */
    struct gvs_mono cloned_at; /* the last time */
};
/* Members in id order, ourselves included. Returns how many were written. */
size_t gvs_node_list(const struct gvs_node *n, struct gvs_node_member *out, size_t max);

struct gvs_node_counts {
    uint64_t sent, received;             /* datagrams */
    uint64_t sent_bytes, received_bytes; /* payload */
    uint64_t rejected[GVS_REJECT_COUNT]; /* those of the sessions, and bodies that do not parse */
    uint64_t pushed, taken;              /* entries: sent, received */
    uint64_t merged, refused;            /* of these: news to us, not taken */
    uint64_t deleted;                    /* refused, since they were deleted long ago */
    uint64_t dropped;                    /* ours, that others refused so */
    uint64_t own_name;                   /* news in this node's own name that it did not write */
    uint64_t deferred;                   /* entries not taken now: stamped > 30 s in the future */
    uint64_t ahead;   /* the same, but taken: fewer than three clocks to judge by */
    uint64_t leaps;   /* members' entries not taken: incarnations that nobody can have */
    uint64_t unknown; /* messages of types that this version does not know */
    size_t alive, suspect, dead, left;
};
struct gvs_node_counts gvs_node_count(const struct gvs_node *n);

/* Why something that a member said was not taken; status names them. One list makes enum and names.
 * They are below rejected (of datagrams, by whoever sent them) and refused (of entries, of any
 * kind) in struct gvs_node_counts, and never renumbered. */
#define GVS_REFUSALS(X)                                             \
    X(BODY, "body")       /* a body that does not parse */          \
    X(ENTRY, "entry")     /* an entry or vector that does not */    \
    X(DELETED, "deleted") /* an entry that was deleted long ago */  \
    X(FUTURE, "future")   /* one stamped too far ahead */           \
    X(LEAP, "leap")       /* an incarnation that nobody can have */ \
    X(FULL, "full")       /* no room in the table */                \
    X(MEMBER, "member")   /* who has the key would be one member too many: no session */
enum gvs_refusal {
#define X(name, text) GVS_REFUSAL_##name,
    GVS_REFUSALS(X)
#undef X
        GVS_REFUSAL_COUNT
};

/* How often, and whose the latest was, and when. */
struct gvs_node_refused {
    uint64_t count;
    struct gvs_mono at;
    struct gvs_id by;
    struct gvs_ep ep; /* his session's */
};
struct gvs_node_refused gvs_node_refused(const struct gvs_node *n, enum gvs_refusal why);

/* Where the latest datagram came from that was rejected for this reason. False: none was. */
bool gvs_node_rejected_from(const struct gvs_node *n, enum gvs_reject why, struct gvs_ep *from);

/* The wall clocks of this node and of those whom it heard in the last five minutes. */
struct gvs_node_clock {
    size_t known;      /* our own among them */
    int64_t median_ms; /* their median less ours; 0 while fewer than three are known */
    bool off;          /* ours is more than 15 s off: local writes are stamped by the median */
};
struct gvs_node_clock gvs_node_clock(struct gvs_node *n, struct gvs_mono now);

/* Another process uses this node's key: true if one was ever noticed; when last, and where it is.
 * Our own entry is then asserted against it after half a minute, and once a minute, no more. */
bool gvs_node_cloned(const struct gvs_node *n, struct gvs_mono *when, struct gvs_ep *ep);

/* Who uses a key that we do not have; who is not admitted (net/session.h). */
const struct gvs_stranger *gvs_node_stranger(const struct gvs_node *n);
const struct gvs_stranger *gvs_node_denied(const struct gvs_node *n);

uint64_t gvs_node_init_time(const struct gvs_node *n); /* see gvs_sessions_init_time */
