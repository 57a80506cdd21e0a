/* net/window.h: which packet counters of a session were seen (RFC 6479).
 *
 * A ring of 32 words of 64 bits, indexed by the counter itself, so that moving forward clears whole
 * words and shifts nothing. The word that the greatest counter lies in may be partly ahead, and so
 * 31 words are sure to be remembered: a counter may be late by less than 1,984.
 *
 * Ask gvs_window_fresh before the tag is verified, which costs nothing, and call gvs_window_mark
 * only after: else anybody could move the window past everything that is on its way.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"

#define GVS_WINDOW_WORDS 32
#define GVS_WINDOW_LEN ((GVS_WINDOW_WORDS - 1) * 64)

struct gvs_window { /* all zero: nothing was seen */
    uint64_t next;  /* the greatest counter seen, and one */
    uint64_t word[GVS_WINDOW_WORDS];
};

/* Neither seen nor too old to tell. */
static inline bool
gvs_window_fresh(const struct gvs_window *w, uint64_t n)
{
    if (n >= w->next)
        return true;
    if (w->next - n > GVS_WINDOW_LEN)
        return false;
    return (w->word[n / 64 % GVS_WINDOW_WORDS] >> n % 64 & 1) == 0;
}

/* `n` is fresh and below 2^64 - 1. */
static inline void
gvs_window_mark(struct gvs_window *w, uint64_t n)
{
    GVS_ASSERT(gvs_window_fresh(w, n));
    GVS_ASSERT(n < UINT64_MAX);
    if (n >= w->next) {
        uint64_t top = w->next > 0 ? (w->next - 1) / 64 : 0; /* the greatest word in use */
        uint64_t ahead = n / 64 - top;

        if (ahead > GVS_WINDOW_WORDS)
            ahead = GVS_WINDOW_WORDS;
        for (uint64_t i = 0; i < ahead; i++)
            w->word[(n / 64 - i) % GVS_WINDOW_WORDS] = 0;
        w->next = n + 1;
    }
    w->word[n / 64 % GVS_WINDOW_WORDS] |= UINT64_C(1) << n % 64;
}
