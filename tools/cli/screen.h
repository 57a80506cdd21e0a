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
void gvs_screen_vips(const struct gvs_screen *s, const json_t *doc); /* vip list */
void gvs_screen_vip(const struct gvs_screen *s, const json_t *doc);  /* vip show */
void gvs_screen_top(const struct gvs_screen *s, const json_t *doc);  /* vip list, as top */

/* screen_changes.c */
void gvs_screen_changes(const struct gvs_screen *s, const json_t *doc); /* plan, audit */
void gvs_screen_event(const struct gvs_screen *s, const json_t *doc);   /* one line of watch */
