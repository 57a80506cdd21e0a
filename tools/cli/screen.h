/* tools/cli/screen.h: the agent's answers (docs/control.md) as a person reads them.
 *
 *   I1  Only printable ASCII and newlines of ours are printed, and the colours of words of state.
 * Any other byte of a document, a terminal's escape included, shows as \xNN. I2  A document may
 * lack any key, or have another type in its place: that shows as `-` or 0. I3  Nothing is cut to
 * the width of the terminal: what is too long wraps.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct gvs_screen {
    FILE *out;
    bool colour;
};

/* The text under a key, or "-". */
const char *gvs_screen_text(const json_t *o, const char *key);

/* A list of strings with commas between them; `none` if there are none. To be freed. */
char *gvs_screen_list(const json_t *list, const char *none);

/* status and members are two documents; without members (NULL) nothing is said of other nodes'
 * tables. */
void gvs_screen_status(const struct gvs_screen *s, const json_t *status, const json_t *members);
void gvs_screen_members(const struct gvs_screen *s, const json_t *doc);
void gvs_screen_vip(const struct gvs_screen *s, const json_t *doc); /* vip show */
void gvs_screen_top(const struct gvs_screen *s, const json_t *doc); /* vip list, as top */

/* vip list, as it comes: a page of VIPs at a time, whose columns are at least as wide as those of
 * the page before. All zero begins; _end prints what is left. */
#define GVS_SCREEN_VIPS_COLUMNS 12
struct gvs_screen_vips {
    json_t *page;
    size_t width[GVS_SCREEN_VIPS_COLUMNS]; /* of the page before; 0: there was none */
};
void gvs_screen_vips_put(struct gvs_screen_vips *v, const struct gvs_screen *s, const json_t *vip);
void gvs_screen_vips_end(struct gvs_screen_vips *v, const struct gvs_screen *s);

/* screen_changes.c. plan, audit, what --dry-run says: each change as it comes; _end says how many
 * there were. All zero begins. */
struct gvs_screen_changes {
    json_t *last; /* to be released */
    long long add, edit, remove, foreign;
};
void gvs_screen_changes_put(struct gvs_screen_changes *x, const struct gvs_screen *s,
                            const json_t *change);
void gvs_screen_changes_end(const struct gvs_screen_changes *x, const struct gvs_screen *s);
void gvs_screen_event(const struct gvs_screen *s, const json_t *doc); /* one line of watch */
