/* Text, tables and looks of the page: see page.h.
 *
 * A narrow window has no columns: there the cells of a row flow like text, and those that do not
 * speak for themselves are told by the style sheet, by their place. So no cell of a wide window
 * costs more than four bytes. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tools/agent/page.h"

/* Colours have a contrast of at least 4.5 to what is behind them (WCAG 2.1, 1.4.3). */
const char gvs_page_style[] =
    ":root{color-scheme:light dark;--bg:#fff;--fg:#1d2125;--dim:#596069;--line:#e2e5e9;"
    "--card:#f7f8f9;--bad:#b0231a;--note:#805000}"
    "@media(prefers-color-scheme:dark){:root{--bg:#15181b;--fg:#dde1e6;--dim:#98a1ab;"
    "--line:#2c3137;--card:#1c2024;--bad:#ff8b80;--note:#e8b056}}"
    "*{box-sizing:border-box}"
    "body{margin:0 auto;max-width:92em;padding:1.4em 1.8em 3em;background:var(--bg);"
    "color:var(--fg);font:13px/1.55 system-ui,sans-serif;font-variant-numeric:tabular-nums;"
    "overflow-wrap:anywhere}"
    "h1{font-size:1.55em;line-height:1.3;margin:0}h2{font-size:1em;margin:0 0 .3em}"
    "h1,h2,b{font-weight:600}i,th,dt{font-style:normal;font-weight:400;color:var(--dim)}"
    "b{color:var(--note)}b.x{color:var(--bad)}"
    "header{margin:0 0 1.3em}header p{margin:.1em 0}"
    "main{display:grid;grid-template-columns:repeat(auto-fit,minmax(13.4em,1fr));gap:.9em}"
    "section{background:var(--card);border:1px solid var(--line);border-radius:.4em;"
    "padding:.6em .9em .7em}"
    "dl{display:grid;grid-template-columns:1fr auto;column-gap:1em;margin:0}"
    "dd{margin:0;text-align:right;white-space:nowrap}article{margin:1.9em 0 0}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;vertical-align:baseline;padding:.16em 1.4em .16em 0;"
    "white-space:nowrap}tr:not(.s) td{border-top:1px solid var(--line)}"
    "th:last-child,td:last-child{padding-right:0}tr.s td:first-child{padding-left:1.4em}"
    "#m :is(th,td):is(:nth-child(4),:nth-child(5),:nth-child(6)),"
    "#v :is(th,td):is(:nth-child(4),:nth-child(5),:nth-child(6),:nth-child(7)){text-align:right}"
    "#v td:nth-child(8),#e td:nth-child(5){white-space:normal}#e td:nth-child(5){width:100%}"
    "@media(max-width:60em){body{padding:1em}table,tbody,tr{display:block}th{display:none}"
    "tr:not(.s){border-top:1px solid var(--line);margin:.3em 0 0;padding:.3em 0 0}"
    "tr.s{padding-left:1.4em}tr:not(.s) td,tr.s td:first-child,td{display:inline;border:0;"
    "padding:0 .7em 0 0}tr:not(.s) td:empty,tr.s "
    "td:empty,tr:first-child{display:none}td::before{color:var(--dim)}"
    "#m td:nth-child(4)::before{content:'heard '}#m td:nth-child(5)::before{content:'trip '}"
    "#m td:nth-child(6)::before{content:'clock '}#m td:nth-child(7)::before{content:'table '}"
    "#m td:nth-child(8)::before{content:'kernel '}"
    "#v td:nth-child(4)::before{content:'wanted '}"
    "#v td:nth-child(5)::before{content:'in the kernel '}"
    "#v td:nth-child(6)::before{content:'active '}"
    "#v td:nth-child(7)::before{content:'inactive '}#v td:nth-child(9)::before{content:'of '}"
    "#v td:nth-child(10)::before{content:'changed '}"
    "#e td:nth-child(6)::before{content:'on '}#e td:nth-child(7)::before{content:'via '}"
    "#e td:nth-child(8)::before{content:'by '}}";

void
gvs_page_put(FILE *f, const char *text)
{
    for (; *text; text++) {
        if (*text < ' ' || *text > '~')
            fputc('?', f);
        else if (strchr("<>&\"'", *text))
            fprintf(f, "&#%d;", *text);
        else
            fputc(*text, f);
    }
}

void
gvs_page_mark(FILE *f, enum gvs_mark mark, const char *text)
{
    static const char *const begins[] = {
        [GVS_MARK_NONE] = "",
        [GVS_MARK_DIM] = "<i>",
        [GVS_MARK_NOTE] = "<b>! ",
        [GVS_MARK_DIFFERS] = "<b class=x>&#8800; ",
        [GVS_MARK_BAD] = "<b class=x>&#215; ",
    };
    static const char *const ends[] = {
        [GVS_MARK_NONE] = "",        [GVS_MARK_DIM] = "</i>", [GVS_MARK_NOTE] = "</b>",
        [GVS_MARK_DIFFERS] = "</b>", [GVS_MARK_BAD] = "</b>",
    };

    fputs(begins[mark], f);
    gvs_page_put(f, text);
    fputs(ends[mark], f);
}

void
gvs_page_cell(FILE *f, enum gvs_mark mark, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fputs("<td>", f);
    if (text[0])
        gvs_page_mark(f, mark, text);
}

/* Without its T and Z, which the title of a column tells. */
void
gvs_page_time(FILE *f, const char *rfc3339, size_t len)
{
    char text[24];

    snprintf(text, sizeof text, "%.*s", (int)len, rfc3339);
    for (char *t = text; *t; t++)
        if (*t == 'T')
            *t = ' ';
    gvs_page_put(f, text);
}

void
gvs_page_table(FILE *f, const char *id, const char *title, const char *heads)
{
    fprintf(f, "<article><h2>%s</h2>\n<table id=%s><tr>%s</tr>\n", title, id, heads);
}

void
gvs_page_table_end(FILE *f, size_t more)
{
    fputs("</table>\n", f);
    if (more > 0)
        fprintf(f, "<p>and %zu more</p>\n", more);
    fputs("</article>\n", f);
}

const char *
gvs_page_word(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));

    return text ? text : "";
}
