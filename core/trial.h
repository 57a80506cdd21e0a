/* core/trial.h: a change on trial: it goes back by itself, everywhere, unless somebody confirms it.
 *
 * `apply --confirm 60` is for the change that may cut off the hand that made it. So nothing that
 * undoes it may depend on anybody: not on the node that took the command, not on a message, not on
 * who is alive at the deadline. What each entry goes back to, and when, stands in the entry:
 *
 *     claim of the cluster's   its new value, and field 67: the number of the trial, the deadline,
 *                              and the value that it replaced, or that nothing was there
 *     'T' number               the trial itself: deadline, and one word, confirmed or rolled back,
 *                              if somebody has said so
 *
 * and what an entry says is read, each time, from the table and a clock:
 *
 *                    the word of the trial   | before the deadline | at it and after
 *                    none, or no trial there | the new value       | what was there before
 *                    confirmed               | the new value       | the new value
 *                    rolled back             | what was there      | what was there
 *
 * So no node writes anything for a change to go back. There is no moment at which it is undone,
 * and none at which that could be missed: a node that slept, restarts, was cut off, or hears of
 * the change only after the deadline, reads the same as everybody else. Two tables that are equal
 * agree at the latest when both clocks have passed the deadline; a clock that is off moves its own
 * node's going back by as much.
 *
 * Who wins? The word is an entry like any other: the later stamp stays. Whoever says it has looked
 * at his own clock before: after the deadline nobody says "confirmed". That decides, and not when
 * it arrives: a confirmation that was said in time on the far side of a split and comes an hour
 * late takes every node forward again, on which the change had gone back. (Comparing its stamp
 * with the deadline would not do: a stamp may run ahead of the clock, and a confirmation in time
 * would be lost.) "Confirmed" and "rolled back" said at once, by two who did not hear each other:
 * the later one stays, everywhere.
 *
 * What others write meanwhile is an entry of its own, above the trial's, without field 67: there
 * is nothing to go back to, and it stays as it is. It was written over what was seen, so a change
 * of one field keeps the rest as the trial had it. A trial that meets another one, as two sides of
 * a split can begin them, goes back to what was there before both.
 *
 * A deletion on trial is no tombstone, which all would one day forget, and with it what to go back
 * to; it is an entry that says "gone". A service's reset (core/value.h) is what it was before, if
 * its creation or deletion goes back: what operators put under it meanwhile is not buried.
 *
 * What is over stays as it is, until somebody writes the key again: an entry that went back still
 * has both values, since a confirmation may yet come, and one that was confirmed costs the old
 * one's bytes.
 *
 * Not chosen: saved copies under keys of their own. Of two entries that belong together one may
 * come without the other, and "no copy" would be either "nothing was there" or "not yet here". Nor
 * real entries that somebody writes at the deadline: their stamps would be above a change that was
 * made elsewhere and is still on its way, and a confirmation that comes late would find nothing to
 * go forward to.
 *
 *   I1  What an entry says is a function of the table and the time, and changes with time once at
 *       most: at the deadline.
 *   I2  An entry without field 67 says what it says, whatever becomes of any trial.
 */
#pragma once

#include "core/table.h"
#include "core/value.h"

#define GVS_TRIAL_SECONDS_MAX 3600

enum gvs_trial_outcome {
    GVS_TRIAL_PENDING = 0, /* nobody has said anything, and there is time */
    GVS_TRIAL_KEPT,
    GVS_TRIAL_BACK
};

/* What has become of it, now (ms since 1970; 0: long ago). `deadline_ms`: as an entry of it says,
 * where the trial itself is not there. *since (may be NULL): if it is back, since when: the writer
 * is zero if nobody said so. */
enum gvs_trial_outcome gvs_trial_outcome(const struct gvs_table *t, uint64_t now_ms, uint64_t trial,
                                         uint64_t deadline_ms, struct gvs_stamp *since);

/* What an entry says now. */
struct gvs_said {
    struct gvs_entry e; /* its key, order and writer; tombstone and value are as they count now */
    struct gvs_stamp since; /* that of the entry, or of its going back */
    bool back;              /* it went back: */
    struct gvs_entry as;    /* the entry as it is held */
};
void gvs_trial_say(struct gvs_said *out, const struct gvs_table *t, uint64_t now_ms,
                   const struct gvs_entry *e);

/* gvs_table_get, and what it says. */
bool gvs_trial_get(struct gvs_said *out, const struct gvs_table *t, uint64_t now_ms,
                   const uint8_t *key, size_t key_len);

/* Of the cluster's claim on a service: cluster claims on its backends that are stamped up to here
 * do not count. */
uint64_t gvs_said_reset(const struct gvs_said *s);

/* A write that is to be on trial: it becomes what is to be in the table, so that all of it goes
 * back. The value may have fields up to 64 (prev); of a tombstone it is what gvs_tombstone_encode
 * says. A tombstone over nothing stays one: there is nothing to go back to. A trial over one that
 * is pending goes back to what was there before both. GVS_E_FULL: there is no room for what was
 * there. */
struct gvs_trial_write {
    bool tombstone;
    size_t len;
    uint8_t value[GVS_VALUE_LEN_MAX];
};
int gvs_trial_put(struct gvs_trial_write *w, const struct gvs_table *t, const struct gvs_key *key,
                  uint64_t trial, uint64_t deadline_ms);
