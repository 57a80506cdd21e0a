/* tools/words/check.h: check { } of a backend in services.d: what is asked of a server, how often,
 * and how many answers count.
 *
 * Only the node whose file describes the backend asks. A check belongs to a claim of services.d and
 * never travels: what becomes of it is the weight of that claim.
 *
 *   I1  What gvs_check_judge has passed has a type, a command if and only if that is exec, and a
 *       timeout that ends before the next look begins.
 */
#pragma once

#include <stdbool.h>

#include "core/addr.h"
#include "tools/words/fault.h"

#define GVS_CHECK_COMMAND_MAX 256 /* bytes, with its 0; nothing special about it */
#define GVS_CHECK_WORDS_MAX 16    /* of a command */

enum gvs_check_type { GVS_CHECK_NOT_GIVEN = 0, GVS_CHECK_TCP, GVS_CHECK_EXEC };

struct gvs_check {
    enum gvs_check_type type;
    unsigned interval, timeout;          /* seconds, 1 to 3600 */
    unsigned rise, fall;                 /* 1 to 100 answers in a row */
    bool start_up;                       /* what counts before the first of them */
    char command[GVS_CHECK_COMMAND_MAX]; /* exec: a program's whole path, and words after blanks */
    unsigned line;                       /* of its brace */
};

/* The defaults, with no type. */
void gvs_check_begin(struct gvs_check *c, unsigned line);
/* One word of it. A negative number with "WORD = TEXT: WHAT" in *fault. */
int gvs_check_word(struct gvs_check *c, const char *word, const char *text,
                   struct gvs_fault *fault);
/* All of it, for a backend at this endpoint. */
int gvs_check_judge(const struct gvs_check *c, const struct gvs_ep *ep, struct gvs_fault *fault);
/* Nothing would be done otherwise, nor named by another line. NULL is no check. */
bool gvs_check_equal(const struct gvs_check *a, const struct gvs_check *b);

/* The words of a command, in `copy`, with NULL after the last; what is beyond GVS_CHECK_WORDS_MAX
 * is left out, and refused by gvs_check_word. Returns how many there are. */
size_t gvs_check_split(char copy[static GVS_CHECK_COMMAND_MAX], const char *command,
                       char *words[static GVS_CHECK_WORDS_MAX + 1]);
