/* tools/cli/print.h: words from outside, safe on a terminal.
 *
 * What these print is printable ASCII and newlines of ours: any other byte of what a format makes,
 * a terminal's escape or a newline included, shows as \xNN. Short of memory, they end the process
 * with status 1.
 */
#pragma once

#include <stdarg.h>
#include <stdio.h>

void gvs_print(FILE *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void gvs_print_line(FILE *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* `gossipvs: MESSAGE` and, unless it is empty, `hint: HINT`. */
void gvs_print_fault(FILE *out, const char *message, const char *hint);

/* The same as text; to be freed. */
char *gvs_print_escaped(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

/* `p`, or the end if it is NULL. */
void *gvs_print_need(void *p);
