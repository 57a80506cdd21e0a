/* net/admission.h: which ids may have a session with this node.
 *
 * Whoever has a cluster key may, unless he is denied; with `listed_only` only those who are allowed
 * as well. An id is a hash of a static key, which the handshake proves, so a list of ids is a list
 * of nodes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/id.h"

#define GVS_ADMISSION_MAX 1024 /* of each list; nothing special about it */

struct gvs_admission { /* zero: everybody */
    bool listed_only;
    size_t allow_count, deny_count;
    struct gvs_id allow[GVS_ADMISSION_MAX], deny[GVS_ADMISSION_MAX]; /* in any order */
};

bool gvs_admission_admits(const struct gvs_admission *a, const struct gvs_id *id);
