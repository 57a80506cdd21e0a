/* core/limits.h: every maximum in one place, so that a test can set each to 2. */
#pragma once

#include <stddef.h>

#define GVS_ENTRIES_MAX 4000000

struct gvs_limits {
    size_t entries; /* of the claims table; 1..GVS_ENTRIES_MAX */
    size_t members; /* 1..10,000 */
};

/* So many entries are held at most: a tenth more than a node's own writes may fill. What others
 * wrote while they had room then fits everywhere, though they wrote at once; else full tables would
 * differ for ever. */
static inline size_t
gvs_limits_held(const struct gvs_limits *l)
{
    size_t held = l->entries + l->entries / 10;

    return held < GVS_ENTRIES_MAX ? held : GVS_ENTRIES_MAX;
}

#define GVS_LIMITS_DEFAULT ((struct gvs_limits){.entries = 262144, .members = 1024})
