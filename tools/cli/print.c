/* tools/cli/print.c */
#include "tools/cli/print.h"

#include <stdlib.h>
#include <string.h>

#include "tools/words/fault.h"

void *
gvs_print_need(void *p)
{
    if (p)
        return p;
    fputs("gossipvs: out of memory\n", stderr);
    exit(GVS_EXIT_NO);
}

static char *
escape(const char *text)
{
    char *copy = gvs_print_need(malloc(4 * strlen(text) + 1)), *to = copy;

    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if (c >= ' ' && c <= '~')
            *to++ = (char)c;
        else
            to += sprintf(to, "\\x%02x", c);
    }
    *to = '\0';
    return copy;
}

char *
gvs_print_escaped(const char *fmt, va_list ap)
{
    char *text, *safe;

    if (vasprintf(&text, fmt, ap) < 0)
        text = NULL;
    safe = escape(gvs_print_need(text));
    free(text);
    return safe;
}

void
gvs_print(FILE *out, const char *fmt, ...)
{
    va_list ap;
    char *text;

    va_start(ap, fmt);
    text = gvs_print_escaped(fmt, ap);
    va_end(ap);
    fputs(text, out);
    free(text);
}

void
gvs_print_line(FILE *out, const char *fmt, ...)
{
    va_list ap;
    char *text;

    va_start(ap, fmt);
    text = gvs_print_escaped(fmt, ap);
    va_end(ap);
    fprintf(out, "%s\n", text);
    free(text);
}

void
gvs_print_fault(FILE *out, const char *message, const char *hint)
{
    gvs_print_line(out, "gossipvs: %s", message);
    if (hint[0])
        gvs_print_line(out, "hint: %s", hint);
}
