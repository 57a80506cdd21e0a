/* net/detector.h: the inside of net/member.h, which has two halves.
 *
 * net/member.c keeps what is known of whom; net/detector.c runs the rounds and hands out what is to
 * be done. Each member has one moment at which it next needs a look (`wake`), and those moments
 * stand in a heap: so neither a datagram nor a pass over what is due looks at everybody. Whoever
 * changes a member's timers or what it has to do calls gvs_detector_arm.
 */
#pragma once

#include "net/limit.h"
#include "net/member.h"

#define GVS_FAVOURS_MAX 16
#define GVS_FAVOUR_MS 1000

/* What is due for a member at once, in the order in which it is done. */
enum gvs_due {
    GVS_DUE_EVENT = 1,
    GVS_DUE_TELL = 2,
    GVS_DUE_ROUND = 4,
    GVS_DUE_PROBE = 8,
    GVS_DUE_ASK = 16,
    GVS_DUE_CONNECT = 32,
};

struct gvs_favour {
    struct gvs_member *asker; /* NULL: free */
    struct gvs_member *m;
    uint64_t seq;
    bool answered;
    struct gvs_mono until;
};

struct gvs_members {
    struct gvs_random random;
    size_t max, count;
    size_t counted[GVS_LEFT + 1]; /* known ones, by state */
    size_t hearsay;               /* known, not retired, and never heard */
    struct gvs_member *self;
    struct gvs_member *place;
    struct gvs_member **by_id;
    struct gvs_member **heap; /* all, the one to wake first on top */

    unsigned health;          /* 0: well; up to GVS_HEALTH_MAX: we doubt ourselves */
    unsigned alarms;          /* suspicions refuted of late: the network loses much */
    struct gvs_mono alarmed;  /* when that number last changed */
    uint64_t seq;             /* of the latest probe */
    struct gvs_mono period;   /* the next one begins */
    struct gvs_mono next;     /* period, heap and answered favours: never later than these */
    struct gvs_mono heard_at; /* anything from anybody */
    struct gvs_limit connects;
    size_t favours; /* open ones */
    struct gvs_favour favour[GVS_FAVOURS_MAX];

    int64_t wall_ms; /* our wall clock less the monotonic one */
    bool clock_stale;
    struct gvs_clock clock; /* as of the last look; its median is on the monotonic clock */
    int64_t *clocks;        /* room for `max` */
};

/* m's timers or duties changed: it is looked at again when the earliest is due. */
void gvs_detector_arm(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m);

/* These are due, for anybody but ourselves. */
void gvs_detector_demand(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m,
                         unsigned todo);

/* It is suspect from now on, and has so long to refute it. */
void gvs_detector_suspect(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m);

/* A sign of life, from it or about it: the round is over. */
void gvs_detector_relieve(struct gvs_members *ms, struct gvs_mono now, struct gvs_member *m);
