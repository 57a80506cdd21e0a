/* core/limits.h: every maximum in one place, so that a test can set each to 2. */
#pragma once

#include <stddef.h>

struct gvs_limits {
    size_t entries; /* of the claims table; 1..4,000,000 */
    size_t members; /* 1..10,000 */
};

#define GVS_LIMITS_DEFAULT ((struct gvs_limits){.entries = 262144, .members = 1024})
