/* tools/words/fault.h: one error, as a person and as a program reads it.
 *
 * text: WHAT (WHY), naming file:line, the value or the peer. hint: the next command, or "". exit:
 * the exit status of gossipvs(1). Both texts are one line of printable ASCII whatever went into
 * them: a byte that is none shows as '?', so that a file's bytes can reach neither a terminal nor a
 * JSON writer.
 */
#pragma once

enum gvs_exit {
    GVS_EXIT_OK = 0,
    GVS_EXIT_NO = 1,
    GVS_EXIT_USAGE = 2,
    GVS_EXIT_UNREACHABLE = 3,
    GVS_EXIT_NOT_PERMITTED = 4,
    GVS_EXIT_NOT_FOUND = 5,
    GVS_EXIT_CONFLICT = 6,
    GVS_EXIT_TIMEOUT = 7,
    GVS_EXIT_KERNEL = 8,
};

struct gvs_fault {
    enum gvs_exit exit;
    char text[512];
    char hint[256];
};

/* Fills it (hint empty) and returns a negative number, so that a caller can return what this
 * returns. What does not fit is cut off. errno stays as it was. */
int gvs_fault_set(struct gvs_fault *f, enum gvs_exit exit, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void gvs_fault_hint(struct gvs_fault *f, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* "no", "usage", "unreachable", ...: the code in JSON. */
const char *gvs_exit_name(enum gvs_exit exit);

/* The nearest of a 0-terminated list of words (Damerau distance at most 2 and below the length of
 * the word; the first of equals), or NULL. */
const char *gvs_nearest(const char *word, const char *const *words);
