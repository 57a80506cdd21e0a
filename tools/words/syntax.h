/* tools/words/syntax.h: files of `word = value` and `section { }`, read as a stream of events.
 *
 * The only file that knows libconfuse. Which words there are and where is declared; what they mean
 * is the caller's (tools/words/config.c, tools/words/claims.c), who is told of each as it is met,
 * with its line. Values are text: the caller's ranges and units apply, not the library's.
 *
 *   I1  A file is read to its end or there is a fault: one that was cut short, inside a section, a
 *       quote or a comment, is never taken for a shorter one.
 *   I2  Of several faults the first is told, in our words, as FILE:LINE: WHAT.
 *   I3  Sections nest as declared; no value word and no section that is not `many` comes twice.
 *
 * libconfuse has one lexer for the process: threads that read wait for each other.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "tools/words/fault.h"

#define GVS_SYNTAX_WORDS_MAX 24         /* in one section */
#define GVS_SYNTAX_FILE_MAX (16u << 20) /* bytes; nothing special about it */

enum gvs_syntax_form {
    GVS_SYNTAX_VALUE,   /* word = value */
    GVS_SYNTAX_LIST,    /* word = { value, value } */
    GVS_SYNTAX_SECTION, /* word { ... } */
    GVS_SYNTAX_TITLED,  /* word title { ... }, as many as one likes */
};

struct gvs_syntax_word {
    const char *name; /* NULL ends a list of words */
    enum gvs_syntax_form form;
    int id;                              /* the caller's */
    const struct gvs_syntax_word *words; /* of a section */
};

enum gvs_syntax_what { GVS_SYNTAX_OPENED, GVS_SYNTAX_GIVEN, GVS_SYNTAX_CLOSED };

struct gvs_syntax_event {
    enum gvs_syntax_what what;
    const struct gvs_syntax_word *word;
    const char *text; /* OPENED: the title, else NULL; GIVEN: a value; NULL: the empty list */
    unsigned line;    /* OPENED: of the brace; GIVEN: where the value begins; CLOSED: of the end */
};

/* A negative number, with *fault filled, ends the reading. The event's texts end with the call. */
typedef int (*gvs_syntax_fn)(void *ctx, const struct gvs_syntax_event *ev, struct gvs_fault *fault);

/* GVS_OK, or a negative number with *fault (exit 2): GVS_E_SYS if the file could not be read at
 * all. `label` is the file's name in faults. */
int gvs_syntax_read(const char *path, const char *label, const struct gvs_syntax_word *words,
                    gvs_syntax_fn fn, void *ctx, struct gvs_fault *fault);

/* The same of a text, `len` bytes in a block with GVS_SYNTAX_ROOM more; it is changed. */
#define GVS_SYNTAX_ROOM 16
int gvs_syntax_text(char *text, size_t len, const char *label, const struct gvs_syntax_word *words,
                    gvs_syntax_fn fn, void *ctx, struct gvs_fault *fault);

/* `text` as a value that reads back the same: in quotes, and in printable ASCII. */
#define GVS_SYNTAX_QUOTED(len) (4 * (len) + 3)
void gvs_syntax_quote(char *out, size_t cap, const char *text); /* cap: GVS_SYNTAX_QUOTED */

/* Decimal digits; seconds may end in s, m or h. GVS_OK, or GVS_E_RANGE if it is something else or
 * not min to max. */
int gvs_syntax_number(unsigned *out, const char *text, unsigned min, unsigned max);
int gvs_syntax_seconds(unsigned *out, const char *text, unsigned min, unsigned max);
