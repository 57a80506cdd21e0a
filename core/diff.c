/* core/diff.c: the merge step of mergesort, once over both ranges.
 *
 * Both ascend, so the lesser of the two heads cannot occur further on in the other range: the whole
 * algorithm is to compare the heads and to advance the side that is behind.
 *
 *     have < want   nobody wants have's head:  REMOVE it, advance have
 *     have > want   nobody has want's head:    ADD it, advance want
 *     have = want   they are the same thing:   CHANGE if a field differs; advance both
 *
 * Swap the first two and 3 put into [1,2,4,5] comes out as ADD 3, and then 4 and 5 each deleted and
 * added again: an error that the table at the end does not show, because it is right. It is what
 * the operations do to the connections in between that counts. That is why the tests look at
 * operations.
 */
#include "core/diff.h"

#include "core/err.h"

void
gvs_diff_init(struct gvs_diff *d, struct gvs_range have, struct gvs_range want)
{
    GVS_ASSERT(have.at <= have.end);
    GVS_ASSERT(want.at <= want.end);
    *d = (struct gvs_diff){.have = have, .want = want};
}

/* Takes the head off a range, and looks at the next on the way. */
static const struct gvs_item *
pass(struct gvs_range *r)
{
    const struct gvs_item *head = r->at++;

    GVS_ASSERT(r->at == r->end || gvs_item_cmp(head, r->at) < 0); /* I1 */
    return head;
}

/* Which head is behind: <0 have's, >0 want's, 0 they are the same thing. An empty range is never
 * behind. */
static int
compare_heads(const struct gvs_diff *d)
{
    if (d->want.at == d->want.end)
        return -1;
    if (d->have.at == d->have.end)
        return 1;
    return gvs_item_cmp(d->have.at, d->want.at);
}

enum gvs_diff_op
gvs_diff_next(struct gvs_diff *d, const struct gvs_item **from, const struct gvs_item **to)
{
    *from = NULL;
    *to = NULL;
    while (d->have.at < d->have.end || d->want.at < d->want.end) {
        int order = compare_heads(d);

        if (order < 0) {
            *from = pass(&d->have);
            return GVS_DIFF_REMOVE;
        }
        if (order > 0) {
            *to = pass(&d->want);
            return GVS_DIFF_ADD;
        }
        const struct gvs_item *had = pass(&d->have), *wanted = pass(&d->want);

        if (!gvs_item_equal(had, wanted)) {
            *from = had;
            *to = wanted;
            return GVS_DIFF_CHANGE;
        }
    }
    return GVS_DIFF_END;
}
