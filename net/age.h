/* net/age.h: how tombstones are forgotten, and what is refused because one was.
 *
 * A tombstone keeps a deleted key deleted for as long as somebody may still bring its last value.
 * How long that is no clock can tell: a node may sleep for a year. So each node keeps a version
 * vector (core/vector.h), and:
 *
 *     a tombstone is a week old             it leaves fingerprint and sketch, on all nodes at the
 *                                           same hour, which every probe names (the cut)
 *     the vector covers it for everybody    it leaves memory; but a service's not while a backend
 *                                           is held that it buries
 *     an unknown key, older than the cut,   was deleted here and forgotten: it is refused, and
 *     that the vector covers                whoever brought it is told, and drops it if it is
 *                                           older than his cut
 *     a key older than a tombstone that     whoever brought it gets the tombstone: it is in no
 *     is held and does not count            fingerprint, so nothing else would tell him
 *
 * The vector moves by these rules alone; a model (test/core/test_vector.c) shows what each is for:
 *
 *   I1  The component of another writer is taken over from a peer, whose both tables are equal to
 *       ours at that moment.
 *   I2  Our own is the greatest stamp that we have seen or issued, as all that we write later is
 *       above it, but none in the future: which a clock may be lowered to (net/replica.h). It rises
 *       once every member that is not retired was equal to us since we started, and every
 *       bootstrap peer but ourselves lives or is retired: only then is it sure that we know what we
 *       wrote in former lives. Two that were wiped know of nobody else, and whoever's disk is from
 *       when it was alone knows nobody at all: that one waits for somebody, unless it was born just
 *       now.
 *   I3  That of a retired member rises to the end of time once all others were equal to us since we
 *       heard that it retired: any of them may have been the only one with its last word.
 *   I4  Whoever started with nothing lends its vector to nobody before it was equal to somebody.
 *   I5  The cut is at or above our own clock less a week, and less than a day above it: peers raise
 *       it no further, and it falls when our clock, which was years ahead, is put right.
 *
 * A cluster in which nothing is written raises no component, and has nothing to save.
 *
 * What all this rests on is that no stamp is issued twice, nor below one that others have taken in.
 * The floor on the disk sees to it (net/node.h). Who lost that together with all records, is alone,
 * and has a clock that is wrong by more than a week, writes what will be refused and dropped.
 *
 * A member that is dead and not retired holds up all tombstones younger than its death: that is
 * cheap, and `forget` ends it.
 */
#pragma once

#include "core/stamp.h"
#include "core/table.h"
#include "core/vector.h"
#include "net/member.h"

#define GVS_AGE_HOURS (7 * 24) /* after so long a tombstone counts no more */
#define GVS_AGE_HOUR_MS UINT64_C(3600000)
#define GVS_AGE_HOUR_BITS 6    /* so much of the hour is named */
#define GVS_AGE_HOURS_AHEAD 24 /* I5; less than half of what these bits tell apart */
#define GVS_AGE_LOOK_MS 60000

struct gvs_age {
    struct gvs_table *claims; /* borrowed, as are these: */
    struct gvs_members *members;
    struct gvs_hlc *clock;
    struct gvs_vector *vector;
    void *memory;
    struct gvs_id *ids; /* room for all members */
    bool newborn;       /* nobody has had our key before this start */
    bool lends;         /* I4 */
    bool waits;         /* for whom it was told of and has not met: I2; the owner says so */
    uint64_t own_hour;  /* of the cut, by our own clock */
    uint64_t hour;      /* tombstones stamped before this hour do not count */
    uint64_t changes;   /* of the vector */
    bool collecting;    /* after `at` */
    struct gvs_keybuf at;
    struct gvs_mono began;
    struct gvs_mono next; /* clock and rules are looked at again */
    struct gvs_mono lend_next;
};

/* `max` members. GVS_E_SYS if memory is short; close all the same. */
int gvs_age_open(struct gvs_age *a, struct gvs_table *claims, struct gvs_members *members,
                 struct gvs_hlc *clock, size_t max);
void gvs_age_close(struct gvs_age *a);

/* A chunk of the vector as this node's own disk has it, before it starts; GVS_E_MALFORMED. */
int gvs_age_load(struct gvs_age *a, const uint8_t *b, size_t len);
void gvs_age_start(struct gvs_age *a, struct gvs_mono now);

/* What time it is by the median of clocks: the cut rises with it. To be called now and then; looks
 * at the rules once a minute. And what hour a peer named: with clocks a little apart the first to
 * reach an hour takes all others along. */
void gvs_age_tick(struct gvs_age *a, struct gvs_mono now, struct gvs_wall wall);
void gvs_age_named(struct gvs_age *a, unsigned hour);
unsigned gvs_age_name(const struct gvs_age *a); /* the low bits of our hour */

/* Both tables of m are equal to ours. */
void gvs_age_equal(struct gvs_age *a, struct gvs_mono now, struct gvs_member *m);

/* We have all claims that m has, or would take none of the others: of these rules it moves none. */
void gvs_age_agreed(struct gvs_mono now, struct gvs_member *m);

/* Was every member that is not retired equal to us since we started? */
bool gvs_age_all_equal(const struct gvs_age *a);

/* Did we agree since we started with every one that is alive? In a cluster so large that not all
 * have sessions with all (net/member.h) those count with whom there is one, of whom there have to
 * be enough. Less than equal, since what one clock finds to lie in the future may keep two tables
 * apart for as long as that lies ahead. */
bool gvs_age_living_agree(const struct gvs_age *a);

/* Is it time to lend the vector to m, which is equal? Says so once an interval, which is the longer
 * the more writers there are, and to all in turn; the writers from number *from up to *to are due.
 */
bool gvs_age_lends(struct gvs_age *a, struct gvs_mono now, struct gvs_member *m, size_t *from,
                   size_t *to);

/* A chunk of the vector of a peer that is equal to us; GVS_E_MALFORMED or GVS_E_FULL. GVS_E_RANGE:
 * it speaks of nobody's writes, or of later ones than `latest`, as nobody can have taken in. */
int gvs_age_take(struct gvs_age *a, uint64_t latest, const uint8_t *b, size_t len);

/* Is this claim, which the table does not hold, one that was deleted and forgotten? */
bool gvs_age_refuses(const struct gvs_age *a, const struct gvs_entry *e);

/* Does the table hold a tombstone above it that does not count? It is lent. */
bool gvs_age_outdates(const struct gvs_age *a, const struct gvs_entry *e, struct gvs_entry *held);

/* A peer says that this entry, which we hold, was deleted: do we believe it? Only of what is old
 * enough for its tombstone to be forgotten. */
bool gvs_age_yields(const struct gvs_age *a, const struct gvs_entry *e);

/* Removes up to `max` tombstones that nobody needs any more, and tells their keys in out[]; returns
 * how many. Looks at so many entries at most; `more` says that it has not seen all. */
size_t gvs_age_collect(struct gvs_age *a, size_t look, struct gvs_keybuf *out, size_t max,
                       bool *more);
