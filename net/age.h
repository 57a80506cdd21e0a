/* net/age.h: how tombstones are forgotten, and what is refused because one was.
 *
 * A tombstone keeps a deleted key deleted for as long as somebody may still bring its last value.
 * How long that is no clock can tell: a node may sleep for a year. So each node keeps a version
 * vector (core/vector.h), and:
 *
 *     a tombstone is a week old             it leaves fingerprint and sketch, on all nodes at the
 *                                           same hour, which every probe names (the cut)
 *     the vector covers it for everybody    it leaves memory
 *     an unknown key that the vector covers was deleted here and forgotten: it is refused, and
 *                                           whoever brought it is told, and drops it if it is
 *                                           older than his cut
 *
 * The vector moves by these rules alone; a model (test/core/test_vector.c) shows what each is for:
 *
 *   I1  The component of another writer is taken over from a peer, whose both tables are equal to
 *       ours at that moment.
 *   I2  Our own rises by our own clock, once every member that is not retired was equal to us since
 *       we started: only then is it sure that we know what we wrote in former lives.
 *   I3  That of a retired member rises to the end of time once all others were equal to us since we
 *       heard that it retired: any of them may have been the only one with its last word.
 *   I4  Whoever started with nothing lends its vector to nobody before it was equal to somebody.
 *
 * A member that is dead and not retired therefore holds up all tombstones younger than its death:
 * that is cheap, and `forget` ends it.
 */
#pragma once

#include "core/stamp.h"
#include "core/table.h"
#include "core/vector.h"
#include "net/member.h"

#define GVS_AGE_HOURS (7 * 24) /* after so long a tombstone counts no more */
#define GVS_AGE_HOUR_MS UINT64_C(3600000)
#define GVS_AGE_HOUR_BITS                                                  \
    5 /* so much of the hour is named; neighbours are never that far apart \
       */
#define GVS_AGE_LEND_MS 60000

struct gvs_age {
    struct gvs_table *claims; /* borrowed, as are these: */
    struct gvs_members *members;
    struct gvs_hlc *clock;
    struct gvs_vector *vector;
    void *memory;
    struct gvs_id *ids; /* room for all members */
    size_t max;
    uint64_t hour;    /* tombstones stamped before this hour do not count */
    uint64_t changes; /* of the vector */
    bool lends;       /* I4 */
    bool collecting;  /* after `at` */
    struct gvs_keybuf at;
    struct gvs_mono began;
    struct gvs_mono next; /* the rules are looked at again */
    struct gvs_mono lend_next;
};

/* `members` places. GVS_E_SYS if memory is short; close all the same. */
int gvs_age_open(struct gvs_age *a, struct gvs_table *claims, struct gvs_members *members,
                 struct gvs_hlc *clock, size_t max);
void gvs_age_close(struct gvs_age *a);

/* A chunk of the vector as this node's own disk has it, before it starts; GVS_E_MALFORMED. */
int gvs_age_load(struct gvs_age *a, const uint8_t *b, size_t len);
void gvs_age_start(struct gvs_age *a, struct gvs_mono now);

/* What time it is by the median of clocks: the cut rises with it. And what hour a peer named: with
 * clocks a little apart the first to reach an hour takes all others along. */
void gvs_age_tick(struct gvs_age *a, struct gvs_wall wall);
void gvs_age_named(struct gvs_age *a, unsigned hour);
unsigned gvs_age_name(const struct gvs_age *a); /* the low bits of our hour */

/* Both tables of m are equal to ours. */
void gvs_age_equal(struct gvs_age *a, struct gvs_mono now, struct gvs_wall wall,
                   struct gvs_member *m);

/* Was every member that is not retired equal to us since we started? With `living`: every one that
 * is alive. */
bool gvs_age_all_equal(const struct gvs_age *a, bool living);

/* Is it time to lend the vector to somebody who is equal? Says so once an interval, which is the
 * longer the more writers there are. */
bool gvs_age_lends(struct gvs_age *a, struct gvs_mono now);

/* A chunk of the vector of a peer that is equal to us; GVS_E_MALFORMED or GVS_E_FULL. */
int gvs_age_take(struct gvs_age *a, const uint8_t *b, size_t len);

/* Is this claim, which the table does not hold, one that was deleted and forgotten? */
bool gvs_age_refuses(const struct gvs_age *a, const struct gvs_entry *e);

/* A peer says that this entry, which we hold, was deleted: do we believe it? Only of what is old
 * enough for its tombstone to be forgotten. */
bool gvs_age_yields(const struct gvs_age *a, const struct gvs_entry *e);

/* Removes one tombstone that nobody needs any more, and tells its key; false: there is none now.
 * Looks at so many entries at most; `more` says that it has not seen all. */
bool gvs_age_collect(struct gvs_age *a, size_t look, struct gvs_keybuf *key, bool *more);
