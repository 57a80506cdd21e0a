/* tools/cli/list.c: an answer with a long list, an element at a time, as it comes.
 *
 * The line is taken apart without being understood: by its brackets, outside of strings. What
 * stands between those of the list is an element each, and JSON by itself; what is left without
 * them is the document, with an empty list. */
#include <stdlib.h>
#include <string.h>

#include "tools/cli/cli.h"

#define TEXT_MAX ((size_t)1 << 30) /* of an element, or of all that is none */

struct text {
    char *b;
    size_t len, cap;
};

struct scan {
    const char *key;
    struct text rest, element;
    size_t depth; /* of brackets */
    bool string, escaped;
    size_t string_at; /* of the rest: its last string at the top, */
    bool is_key;      /* which is `key` */
    bool inside;      /* the list */
};

static void
put(struct text *t, char b)
{
    if (t->len == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 1024;
        t->b = gvs_print_need(t->cap > TEXT_MAX ? NULL : realloc(t->b, t->cap));
    }
    t->b[t->len++] = b;
}

static void
end_string(struct scan *s)
{
    size_t len = strlen(s->key);

    s->string = false;
    if (s->depth == 1)
        s->is_key = s->rest.len - s->string_at == len + 1 &&
                    memcmp(s->rest.b + s->string_at, s->key, len) == 0;
}

static void
in_string(struct scan *s, char b)
{
    if (s->escaped)
        s->escaped = false;
    else if (b == '\\')
        s->escaped = true;
    else if (b == '"')
        end_string(s);
}

/* True: an element has ended with it. */
static bool
take_byte(struct scan *s, char b)
{
    bool opens = !s->string && (b == '{' || b == '['),
         closes = !s->string && (b == '}' || b == ']');

    if (closes && s->depth == 2)
        s->inside = false;
    if (s->inside && (s->depth > 2 || opens))
        put(&s->element, b);
    else if (!s->inside || b != ',')
        put(&s->rest, b);
    if (s->string) {
        in_string(s, b);
    } else if (b == '"') {
        s->string = true;
        s->string_at = s->rest.len;
    } else if (opens) {
        s->depth++;
        s->inside |= s->depth == 2 && b == '[' && s->is_key;
    } else if (closes && s->depth > 0) {
        s->depth--;
    }
    return closes && s->inside && s->depth == 2;
}

static bool
take_element(struct gvs_cli *c, struct scan *s)
{
    json_t *o = json_loadb(s->element.b, s->element.len, 0, NULL);

    s->element.len = 0;
    if (!o)
        return false;
    c->list.count++;
    c->list.each(c, o);
    json_decref(o);
    return true;
}

static int
take_line(struct gvs_cli *c, struct scan *s, double seconds, bool show, struct gvs_fault *f)
{
    bool end = false, good = true;
    const char *bytes;
    size_t len;

    while (!end) {
        if (gvs_client_piece(&c->client, seconds, &bytes, &len, &end, f) < 0)
            return -1;
        if (show)
            fwrite(bytes, 1, len, stdout);
        for (size_t i = 0; i < len; i++)
            if (take_byte(s, bytes[i]))
                good &= take_element(c, s);
        fflush(stdout); /* whoever waits for the rest has this to read */
    }
    if (show)
        putchar('\n');
    return good ? GVS_OK : gvs_cli_no_document(c, f);
}

int
gvs_cli_hear_list(struct gvs_cli *c, double seconds, bool show, json_t **doc, struct gvs_fault *f)
{
    struct scan s = {.key = c->list.key};
    int rc = take_line(c, &s, seconds, show, f);

    *doc = NULL;
    if (rc == GVS_OK) {
        *doc = json_loadb(s.rest.b ? s.rest.b : "", s.rest.len, 0, NULL);
        if (!json_is_object(*doc)) {
            json_decref(*doc);
            *doc = NULL;
            rc = gvs_cli_no_document(c, f);
        }
    }
    free(s.rest.b);
    free(s.element.b);
    return rc;
}
