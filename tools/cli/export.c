/* tools/cli/export.c: export. The agent gives the table a page at a time; what is printed is whole
 * or nothing, so that a file that was cut short is never taken for a smaller table. */
#include <stdlib.h>
#include <string.h>

#include "core/addr.h"
#include "tools/cli/cli.h"

struct export
{
    bool json; /* --as json: one document, a VIP a line */
    bool any;  /* a VIP has been put, */
    FILE *out; /* into this: */
    char *text;
    size_t len;
    long long left_out;
};

/* --- one page --- */

static void
put_vips(struct export *e, const json_t *vips)
{
    const json_t *vip;
    size_t i;

    json_array_foreach(vips, i, vip)
    {
        fputs(e->any ? ",\n" : "\n", e->out);
        json_dumpf(vip, e->out, JSON_COMPACT | JSON_ENSURE_ASCII);
        e->any = true;
    }
}

static void
put_page(struct export *e, const json_t *page)
{
    const char *text = json_string_value(json_object_get(page, "text"));

    if (e->json)
        put_vips(e, json_object_get(page, "vips"));
    else
        gvs_cli_put_text(e->out, text ? text : "");
    e->left_out += (long long)json_integer_value(json_object_get(page, "left_out"));
}

/* --- all of them --- */

/* Asks until there is no next; `next` ascends, so that this ends. */
static int
take_pages(struct gvs_cli *c, struct export *e, const char *as)
{
    char after[GVS_SVCID_TEXT_LEN] = "", form[16];
    char *words[] = {(char[]){"--as"}, form, (char[]){"--after"}, after};
    bool raw = c->json && !e->json;

    snprintf(form, sizeof form, "%s", as);
    for (;;) {
        json_t *page;
        int rc = gvs_cli_talk(c, "export", words, after[0] ? 4 : 2, raw, &page);
        const char *next = json_string_value(json_object_get(page, "next"));

        if (rc == GVS_EXIT_OK)
            put_page(e, page);
        if (rc != GVS_EXIT_OK || !next || !next[0] || strcmp(next, after) == 0) {
            json_decref(page);
            return rc;
        }
        snprintf(after, sizeof after, "%s", next);
        json_decref(page);
    }
}

static void
print(const struct gvs_cli *c, const struct export *e)
{
    char words[96];

    if (e->json || !c->json)
        fwrite(e->text, 1, e->len, stdout);
    if (e->left_out == 0)
        return;
    snprintf(words, sizeof words, "left out: %lld of which this version cannot say all",
             e->left_out);
    gvs_cli_say(c, words);
}

int
gvs_cli_export(struct gvs_cli *c)
{
    const char *as = c->json ? "json" : "conf";
    struct export e = {.text = NULL};
    int rc;

    if (c->count == 2 && strcmp(c->words[0], "--as") == 0)
        as = c->words[1];
    else if (c->count != 0)
        return gvs_cli_usage(c, "export: --as conf, json or ipvsadm, and nothing else");
    e.json = strcmp(as, "json") == 0;
    e.out = gvs_print_need(open_memstream(&e.text, &e.len));
    if (e.json)
        fputs("{\"schema\":\"" GVS_CLI_SCHEMA "\",\"vips\":[", e.out);
    rc = take_pages(c, &e, as);
    if (e.json)
        fputs("]}\n", e.out);
    fclose(e.out);
    if (rc == GVS_EXIT_OK)
        print(c, &e);
    free(gvs_print_need(e.text));
    return rc;
}
