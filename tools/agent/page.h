/* tools/agent/page.h: what the files share that make the page at / of metrics { listen }. page.c
 * has the whole, page_vips.c the VIPs, page_text.c what both make tables of.
 *
 * Text is escaped by whatever writes it here; nothing else prints what came from outside. */
#pragma once

#include <stdio.h>

#include "tools/agent/agent.h"

/* How something is. What is not well has a sign and is bold, whatever colours somebody sees. */
enum gvs_mark {
    GVS_MARK_NONE = 0,
    GVS_MARK_DIM,     /* of no account */
    GVS_MARK_NOTE,    /* ! */
    GVS_MARK_DIFFERS, /* not equal */
    GVS_MARK_BAD,     /* a cross */
};

extern const char gvs_page_style[];

void gvs_page_put(FILE *f, const char *text);
void gvs_page_mark(FILE *f, enum gvs_mark mark, const char *text);
void gvs_page_cell(FILE *f, enum gvs_mark mark, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* So much of an RFC 3339 moment: 19 bytes to the second, 23 to the millisecond. */
void gvs_page_time(FILE *f, const char *rfc3339, size_t len);
/* The style sheet knows a table by its id. `heads` is HTML; `more`: so many rows had no room. */
void gvs_page_table(FILE *f, const char *id, const char *title, const char *heads);
void gvs_page_table_end(FILE *f, size_t more);
/* A text of an object; "" where there is none. */
const char *gvs_page_word(const json_t *o, const char *key);

void gvs_page_vips(FILE *f, struct gvs_agent *a);
