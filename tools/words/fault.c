/* tools/words/fault.c */
#include "tools/words/fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define DISTANCE_MAX 2  /* a letter too many, too few, another, or two swapped; twice */
#define WORD_LEN_MAX 32 /* longer than any word of ours */

static void
keep_printable(char *text)
{
    for (; *text != '\0'; text++) {
        if (*text < ' ' || *text > '~')
            *text = '?';
    }
}

int
gvs_fault_set(struct gvs_fault *f, enum gvs_exit exit, const char *fmt, ...)
{
    int saved = errno;
    va_list ap;

    f->exit = exit;
    f->hint[0] = '\0';
    va_start(ap, fmt);
    vsnprintf(f->text, sizeof f->text, fmt, ap);
    va_end(ap);
    keep_printable(f->text);
    errno = saved;
    return -1;
}

void
gvs_fault_hint(struct gvs_fault *f, const char *fmt, ...)
{
    int saved = errno;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(f->hint, sizeof f->hint, fmt, ap);
    va_end(ap);
    keep_printable(f->hint);
    errno = saved;
}

const char *
gvs_exit_name(enum gvs_exit exit)
{
    switch (exit) {
    case GVS_EXIT_OK:
        return "ok";
    case GVS_EXIT_NO:
        return "no";
    case GVS_EXIT_USAGE:
        return "usage";
    case GVS_EXIT_UNREACHABLE:
        return "unreachable";
    case GVS_EXIT_NOT_PERMITTED:
        return "not_permitted";
    case GVS_EXIT_NOT_FOUND:
        return "not_found";
    case GVS_EXIT_CONFLICT:
        return "conflict";
    case GVS_EXIT_TIMEOUT:
        return "timeout";
    case GVS_EXIT_KERNEL:
        return "kernel_refused";
    }
    return "no";
}

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Damerau's distance in its restricted form (no letter is edited twice): the usual table of
 * prefixes, of which three rows are alive at a time. Both words have at most WORD_LEN_MAX letters.
 */
static size_t
distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][WORD_LEN_MAX + 1];

    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *second = rows[(i + 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            row[j] = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(row[j], least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], second[j - 2] + 1);
        }
    }
    return rows[a_len % 3][b_len];
}

const char *
gvs_nearest(const char *word, const char *const *words)
{
    size_t len = strlen(word), best = least(DISTANCE_MAX + 1, len);
    const char *found = NULL;

    if (len > WORD_LEN_MAX)
        return NULL;
    for (; *words != NULL; words++) {
        size_t n = strlen(*words);
        size_t d = n > WORD_LEN_MAX ? best : distance(word, len, *words, n);

        if (d < best) {
            best = d;
            found = *words;
        }
    }
    return found;
}
