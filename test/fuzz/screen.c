/* Documents from an agent, or from whoever sits at its socket, on a terminal: printable ASCII,
 * newlines of ours, and the colours of words of state (tools/cli/screen.h, I1). The first byte says
 * which screen. */
#include "test/fuzz/fuzz.h"

#include "tools/cli/print.h"
#include "tools/cli/screen.h"

static const char *const colours[] = {"\033[32m", "\033[33m", "\033[31m", "\033[0m"};

static size_t
colour_at(const char *s)
{
    for (size_t i = 0; i < sizeof colours / sizeof *colours; i++)
        if (strncmp(s, colours[i], strlen(colours[i])) == 0)
            return strlen(colours[i]);
    return 0;
}

static void
check_output(const char *s, size_t len, bool colour)
{
    must(strlen(s) == len);
    while (*s) {
        size_t skip = colour ? colour_at(s) : 0;

        must(skip > 0 || *s == '\n' || (*s >= ' ' && *s <= '~'));
        s += skip > 0 ? skip : 1;
    }
}

static void
show_list(const struct gvs_screen *s, const json_t *doc, bool vips)
{
    struct gvs_screen_changes changes = {.last = NULL};
    struct gvs_screen_vips page = {.page = NULL};
    const json_t *o;
    size_t i;

    json_array_foreach(json_object_get(doc, vips ? "vips" : "changes"), i, o)
    {
        if (vips)
            gvs_screen_vips_put(&page, s, o);
        else
            gvs_screen_changes_put(&changes, s, o);
    }
    gvs_screen_vips_end(&page, s);
    gvs_screen_changes_end(&changes, s);
    json_decref(changes.last);
}

static void
show(const struct gvs_screen *s, uint8_t which, const json_t *doc)
{
    switch (which % 6) {
    case 0:
        gvs_screen_status(s, doc, which & 64 ? doc : NULL);
        break;
    case 1:
        gvs_screen_members(s, doc);
        break;
    case 2:
        show_list(s, doc, true);
        break;
    case 3:
        gvs_screen_vip(s, doc);
        break;
    case 4:
        show_list(s, doc, false);
        break;
    default:
        gvs_screen_event(s, doc);
        break;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *b, size_t len)
{
    uint8_t which = len > 0 ? b[0] : 0;
    struct gvs_screen s = {.colour = which & 128};
    json_error_t error;
    char *text, *out;
    size_t out_len;
    json_t *doc;

    if (len == 0)
        return 0;
    text = feed_text(b + 1, len - 1);
    s.out = open_memstream(&out, &out_len);
    must(s.out);
    doc = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (doc)
        show(&s, which & 127, doc);
    gvs_print_line(s.out, "%s", text);
    gvs_print_fault(s.out, text, text);
    fclose(s.out);
    check_output(out, out_len, s.colour);
    json_decref(doc);
    free(out);
    free(text);
    return 0;
}
