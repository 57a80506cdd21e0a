/* net/member.h: who is in the cluster, and which of them answer.
 *
 * What a member is (alive, suspect, dead, left) stands in the members table and comes from there by
 * gvs_member_note. This module adds what only this node can know: who answers it, how fast, by
 * which clock, and when to say in the table that somebody does not. It is SWIM's failure detector
 * (Das et al., 2002) with the three rules of Lifeguard (Dadgar et al., 2017), as a state machine on
 * `now`.
 *
 *              probe sent              no answer in time            none in time either
 *     IDLE --------------> DIRECT ------------------------> INDIRECT ------------------> SUSPECT
 *      ^                      | again, by handshake too,        |      accused, unless
 *      +----------------------+ by up to three others ----------+      we doubt ourselves
 *            any sign of life
 *
 * Whom: the members alive or suspect stand on a ring by id. In period p each probes the one
 * 1 + p mod (n - 1) places further on, and p counts the seconds of a clock that all share (the
 * median of their clocks). With equal views that is one probe for each member and period, and since
 * the probed one's id sets the moment within the period, one every second, whoever sends it: a
 * death waits for the next probe no longer than that. (Each walking the ring from a start of its
 * own, as one might, leaves a member alone in 37 % of the periods: 1.6 s on average, over 4 s in
 * 1 %. Always probing the same neighbour finds a death as soon as this does, but then fingerprints,
 * which travel with probes, meet only neighbours', and a repair takes as many periods as there are
 * members.) Views or clocks that differ cost waiting, nothing else.
 *
 * Up to GVS_MESH_MAX living members have sessions with each other, all with all. In a larger
 * cluster a session is opened when there is something to say: relay wants one with its heads, a
 * suspect and a dead member are tried by handshake, and p goes through 1, 2, 4 and so on places
 * further on, so that what a repair brings to one is with all after log2(n) periods; every 16th
 * period is as above, so that each member meets every other in some hours.
 *
 * Whoever is suspect is probed on and on by everybody, and told, and has a second to refute it (a
 * higher incarnation of his own entry); then each node for itself finds it dead, unless it has had
 * a sign of life of its own. `dead` in the table is a rumour still: hearing it, a node begins a
 * round of its own, by probe and by handshake, and only when that fails, too, is the member `gone`.
 *
 *     in step --DEAD heard--> rumour --our own round fails--> gone --anything is heard--> in step
 *                               |                               | of one that falls again and
 *                               +--anything is heard--> in step | again: after up to 60 s more
 *
 * Whoever is heard, and has left the probes of three rounds in a row unanswered, listens in another
 * session than the one we send in, as after a clone of it fell silent: a handshake gives us one
 * again.
 *
 * Dead members are tried every 5 s, or less often if there are many of them, for ever.
 *
 *   I1  A node never accuses itself, and nobody for a time in which it did not run itself.
 *   I2  DEAD is found only for a member that was SUSPECT, at the same incarnation, for the whole
 *       time-out, in which this node opened nothing from it.
 *   I3  A member becomes gone only when the table says dead, and after a whole round that began
 *       after that was heard, in which this node opened nothing from it.
 *   I4  What a datagram costs here does not depend on how many members there are.
 */
#pragma once

#include "core/entry.h"
#include "core/falls.h"
#include "core/time.h"
#include "core/value.h"
#include "net/crypto.h"

#define GVS_PERIOD_MS 1000
#define GVS_MESH_MAX 128
#define GVS_PROBE_TIMEOUT_MS_MIN 100
#define GVS_PROBE_TIMEOUT_MS_MAX 500
#define GVS_INDIRECT_MS_MIN 300
#define GVS_SUSPICION_MS 1000 /* up to 63 members; grows with their logarithm */
#define GVS_DEAD_RETRY_MS 5000
#define GVS_PAUSE_MS 300 /* woken so much too late, we were stopped, not they */
#define GVS_HELPERS 3
#define GVS_HEALTH_MAX 8
#define GVS_ASKED_MAX 4
#define GVS_CLOCKS_MIN 3       /* fewer cannot outvote a wrong one */
#define GVS_CLOCK_OFF_MS 15000 /* a clock so far from the median is wrong */
#define GVS_CLONE_MS 60000

enum gvs_member_stage { GVS_STAGE_IDLE = 0, GVS_STAGE_DIRECT, GVS_STAGE_INDIRECT };

struct gvs_member {
    struct gvs_id id;
    bool self;
    bool known; /* the table has an entry; else all that we have is a session */
    enum gvs_member_state state;
    uint64_t incarnation;
    struct gvs_member_value value;

    bool up; /* a session with it is usable */
    uint64_t boot;
    bool heard;
    struct gvs_mono heard_at;
    uint64_t rtt_us; /* smoothed; 0 = unknown */
    bool has_fingerprint;
    uint64_t fingerprint, members_fingerprint;
    bool in_step, synced, ahead; /* as it said last, */
    bool observes;               /* and that */
    bool met;                    /* it has met all whom it was told of, and we know them */
    struct gvs_mono answered;    /* when the latest probe that it answered was sent */
    bool was_equal;              /* both of its tables were as ours, */
    struct gvs_mono equal_at;    /* the last time */
    bool agreed;                 /* we had all claims that it has, but for those that we do not */
    struct gvs_mono agreed_at;   /* take; the last time */
    struct gvs_mono noted;       /* what the table says of it changed */
    struct gvs_mono lend_next;   /* it is not its turn before (net/age.h); then begins */
    size_t lend_from;            /* this writer */
    uint64_t deferred;           /* entries it brought whose stamps lie in the future */
    bool gone;
    struct gvs_mono gone_since;
    bool cloned;               /* two processes went by its name inside a minute, */
    struct gvs_mono cloned_at; /* the last time */

    /* Its wall clock less our monotonic one: that neither jumps when ours is set, nor ages. */
    bool has_clock;
    int64_t clock_ms;
    struct gvs_mono clock_at;

    /* The detector's own. */
    enum gvs_member_stage stage;
    unsigned todo; /* what is due at once */
    unsigned misses;
    unsigned unanswered; /* rounds in a row, whatever else was heard of it */
    unsigned helpers_left;
    size_t helper_at;
    struct gvs_falls falls;    /* into death */
    struct gvs_mono due;       /* of the stage */
    struct gvs_mono probed;    /* when this round began */
    struct gvs_mono since;     /* suspect or dead for so long */
    struct gvs_mono verdict;   /* these four: or NEVER */
    struct gvs_mono retry;     /* of the dead; of our own entry */
    struct gvs_mono turn;      /* ours to probe it, on the ring */
    struct gvs_mono hold;      /* gone until then, though it answers */
    struct gvs_mono told;      /* what is said of it */
    struct gvs_mono boot_at;   /* `boot` came then */
    uint64_t former_boot;      /* it had before */
    struct gvs_mono former_at; /* and was last heard with */
    size_t heap_at;            /* its place among those that wait, */
    struct gvs_mono wake;      /* until then */
    struct {
        uint64_t seq;
        struct gvs_mono at;
    } asked[GVS_ASKED_MAX]; /* the latest probes */
    size_t asked_count;
};

struct gvs_members;

/* NULL if memory is short. `self` takes one of the `max` places. */
struct gvs_members *gvs_members_open(size_t max, const struct gvs_id *self,
                                     struct gvs_random random, struct gvs_mono now);
void gvs_members_close(struct gvs_members *ms);

/* Places keep their number for life, 0 <= number < max; the i-th is in order of ids. */
size_t gvs_members_count(const struct gvs_members *ms);
struct gvs_member *gvs_members_ith(const struct gvs_members *ms, size_t i);
struct gvs_member *gvs_members_place(const struct gvs_members *ms, size_t number);
size_t gvs_member_number(const struct gvs_members *ms, const struct gvs_member *m);
size_t gvs_members_counted(const struct gvs_members *ms, enum gvs_member_state state);

struct gvs_member *gvs_members_self(const struct gvs_members *ms);
struct gvs_member *gvs_member_get(const struct gvs_members *ms, const struct gvs_id *id);
struct gvs_member *gvs_member_add(struct gvs_members *ms, const struct gvs_id *id); /* NULL: full */

/* Is half of the room taken by members that this node knows by hearsay only? The other half is for
 * those who prove by a session that they exist: whoever invents members cannot keep them out, but
 * by inventing retired ones. Who is retired is no hearsay: after a start that is all that there is
 * of him, and who does not know him would count his claims. */
bool gvs_members_crowded(const struct gvs_members *ms);

/* --- what is known --- */

/* The table says so now. `value` may be NULL where it cannot be read. */
void gvs_member_note(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m,
                     uint64_t order, const struct gvs_member_value *value);

/* A session with it came up, or it started anew. Sets `up` and `boot`; a former process whose last
 * session comes up late is not taken for one that came back. */
void gvs_member_greeted(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m,
                        uint64_t boot);

/* Something from it was opened. */
void gvs_member_heard(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m);

/* It answered the probe `seq`; false if that is none of the latest. */
bool gvs_member_answered(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m,
                         uint64_t seq);

/* Another member says that it has answered, on our request `seq`. */
void gvs_member_vouched(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m,
                        uint64_t seq);

/* `asker` wants to know whether m answers us. */
void gvs_member_favour(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *asker,
                       uint64_t seq, struct gvs_member *m);

/* Probe it, or everybody with a session, at once and beside the detector's rounds. The latter, and
 * the next, may be asked for however often: whoever owes GVS_ASKED_MAX answers is let alone for a
 * second, else one who is slower than we are impatient would never have answered any of the latest.
 */
void gvs_member_probe(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m);
void gvs_members_probe_all(struct gvs_members *ms, struct gvs_mono now);

/* The same for some of those with a session, as chance picks them. */
void gvs_members_probe_some(struct gvs_members *ms, struct gvs_mono now, size_t count);

/* Are there so few alive that each has a session with all? */
bool gvs_members_meshed(const struct gvs_members *ms);

/* Somebody needs a session with it. */
void gvs_member_connect(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m);

void gvs_member_rtt(struct gvs_member *m, uint64_t us); /* a sample */

/* We were accused, and run: a reason to be slower with accusing others. */
void gvs_members_doubt(struct gvs_members *ms);

/* GVS_ACT_ASSERT is to come then, instead of any earlier order. */
void gvs_members_assert_at(struct gvs_members *ms, struct gvs_mono at);

/* --- clocks --- */

struct gvs_clock {
    size_t known; /* clocks, our own among them, heard in the last minutes, of who is not gone */
    size_t ahead; /* of them, but for us: who holds stamps that lie in the future by them */
    int64_t median_ms; /* of them, less our own; 0 while fewer than GVS_CLOCKS_MIN are known */
};

/* Ours, and a sample of a member's. */
void gvs_members_set_wall(struct gvs_members *ms, struct gvs_mono now, struct gvs_wall wall);
void gvs_member_clock(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m,
                      uint64_t wall_ms);

/* It says that what it has seen lies beyond what clocks allow, or does not. */
void gvs_member_ahead(struct gvs_members *ms, struct gvs_member *m, bool ahead);

struct gvs_clock gvs_members_clock(struct gvs_members *ms, struct gvs_mono now);
int64_t gvs_member_clock_offset_ms(const struct gvs_members *ms, const struct gvs_member *m);

/* --- what to do --- */

enum gvs_member_act {
    GVS_ACT_NONE = 0,
    GVS_ACT_PROBE,   /* send m a PROBE with seq */
    GVS_ACT_CONNECT, /* begin a handshake with m */
    GVS_ACT_ASK,     /* send `other` a PROBE_REQ for m with seq */
    GVS_ACT_VOUCH,   /* tell `other` that m has answered its request seq */
    GVS_ACT_TELL,    /* send m its own entry: it is accused */
    GVS_ACT_SUSPECT, /* write so into the table */
    GVS_ACT_DEAD,    /* likewise */
    GVS_ACT_ASSERT,  /* write our own entry again */
    GVS_ACT_GONE,    /* m->gone has changed */
};
struct gvs_member_action {
    enum gvs_member_act act;
    struct gvs_member *m, *other;
    uint64_t seq;
};

/* The next thing to do; false, and then nothing before the deadline. */
bool gvs_members_next(struct gvs_members *ms, struct gvs_mono now, struct gvs_member_action *a);
struct gvs_mono gvs_members_deadline(const struct gvs_members *ms);
