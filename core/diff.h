/* core/diff.h: walk two ascending ranges as one stream of changes.
 *
 * `have` is what the kernel holds, `want` what it should. The diff lends, one by one, the items
 * that turn the first into the second: the merge step of mergesort, in O(1) space. An item that is
 * equal in every field is passed over in silence, and that silence is the point: here lived the
 * error that cut long-lived connections for twenty months. If have's head is less than want's,
 * nobody wants it: REMOVE, and advance have. If it is greater, want's head is missing: ADD, and
 * advance want. The other way round the final table is right too, after deleting and adding again
 * all that sorts behind the first difference. Only a test that counts operations can see that.
 *
 *   I1  Both ranges ascend strictly. Asserted as the walk passes.
 *   I2  Applying the stream to a copy of `have` yields exactly `want`.
 *   I3  No item that is equal in both is in the stream, and none is in it twice.
 */
#pragma once

#include "core/set.h"

enum gvs_diff_op { GVS_DIFF_END = 0, GVS_DIFF_ADD, GVS_DIFF_REMOVE, GVS_DIFF_CHANGE };

struct gvs_diff {
    struct gvs_range have, want; /* borrowed, unchanged until the walk ends */
};

void gvs_diff_init(struct gvs_diff *d, struct gvs_range have, struct gvs_range want);

/* The next change, or GVS_DIFF_END, and then END for ever. ADD lends *to, REMOVE lends *from,
 * CHANGE both (same identity, other fields); what is not lent is NULL. */
enum gvs_diff_op gvs_diff_next(struct gvs_diff *d, const struct gvs_item **from,
                               const struct gvs_item **to);
