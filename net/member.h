/* net/member.h: who is in the cluster, and which of them answer.
 *
 * What a member is (alive, suspect, dead, left) stands in the members table and comes from there by
 * gvs_member_note. This module adds what only this node can know: who answers it, how fast, and
 * when to say in the table that somebody does not. It is SWIM's failure detector (Das et al., 2002)
 * with three rules of Lifeguard's (Dadgar et al., 2017), as a state machine on `now`.
 *
 *              probe sent              no answer in time            none in time either
 *     IDLE --------------> DIRECT ------------------------> INDIRECT ------------------> SUSPECT
 *      ^                      | again, by handshake too,        |      accused, unless
 *      +----------------------+ by up to three others ----------+      we doubt ourselves
 *            any sign of life
 *
 * Once a second the next member of the ring of ids is probed. Whoever is suspect has some seconds
 * to refute it (a higher incarnation of his own entry); then each node for itself finds it dead,
 * unless it has had a sign of life of its own. Dead members are tried every 5 s, for ever.
 *
 *   I1  A node never accuses itself, and nobody for a time in which it did not run itself.
 *   I2  DEAD is found only for a member that was SUSPECT, at the same incarnation, for the whole
 *       time-out, in which this node opened nothing from it.
 */
#pragma once

#include "core/entry.h"
#include "core/time.h"
#include "core/value.h"
#include "net/crypto.h"

#define GVS_PERIOD_MS 1000
#define GVS_PROBE_TIMEOUT_MS_MIN 100
#define GVS_PROBE_TIMEOUT_MS_MAX 500
#define GVS_SUSPICION_MS 2000 /* up to 8 members; grows with their logarithm */
#define GVS_DEAD_RETRY_MS 5000
#define GVS_PAUSE_MS 300 /* woken so much too late, we were stopped, not they */
#define GVS_HELPERS 3
#define GVS_HEALTH_MAX 8
#define GVS_ASKED_MAX 4

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
    int64_t clock_offset_ms;
    bool has_fingerprint;
    uint64_t fingerprint;
    bool in_step;
    struct gvs_mono answered; /* when the latest probe that it answered was sent */

    /* The detector's own. */
    enum gvs_member_stage stage;
    unsigned todo; /* actions that are due at once */
    unsigned misses;
    unsigned helpers_left;
    size_t helper_at;
    struct gvs_mono due;     /* of the stage */
    struct gvs_mono probed;  /* when this round began */
    struct gvs_mono since;   /* suspect for so long */
    struct gvs_mono verdict; /* or NEVER */
    struct gvs_mono retry;   /* or NEVER */
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

struct gvs_member *gvs_member_get(const struct gvs_members *ms, const struct gvs_id *id);
struct gvs_member *gvs_member_add(struct gvs_members *ms, const struct gvs_id *id); /* NULL: full */

/* The table says so now. `value` may be NULL where it cannot be read. */
void gvs_member_note(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m,
                     uint64_t order, const struct gvs_member_value *value);

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

/* Probe it, or everybody with a session, at once and beside the detector's rounds. */
void gvs_member_probe(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m);
void gvs_members_probe_all(struct gvs_members *ms, struct gvs_mono now);

/* The same for some of those with a session, as chance picks them. */
void gvs_members_probe_some(struct gvs_members *ms, struct gvs_mono now, size_t count);

/* Somebody needs a session with it. */
void gvs_member_connect(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m);

void gvs_member_rtt(struct gvs_member *m, uint64_t us); /* a sample */

enum gvs_member_act {
    GVS_ACT_NONE = 0,
    GVS_ACT_PROBE,   /* send m a PROBE with seq */
    GVS_ACT_CONNECT, /* begin a handshake with m */
    GVS_ACT_ASK,     /* send `other` a PROBE_REQ for m with seq */
    GVS_ACT_VOUCH,   /* tell `other` that m has answered its request seq */
    GVS_ACT_SUSPECT, /* write so into the table */
    GVS_ACT_DEAD,    /* likewise */
};
struct gvs_member_action {
    enum gvs_member_act act;
    struct gvs_member *m, *other;
    uint64_t seq;
};

/* The next thing to do; false, and then nothing before the deadline. */
bool gvs_members_next(struct gvs_members *ms, struct gvs_mono now, struct gvs_member_action *a);
struct gvs_mono gvs_members_deadline(const struct gvs_members *ms);
