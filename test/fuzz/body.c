/* A body after its tag was verified (net/wire.h): taken whole or not at all; what was taken is
 * written again and reads as the same, in one spelling. */
#include "test/fuzz/fuzz.h"

#include "net/wire.h"

static void
check_entries(const struct gvs_msg *m)
{
    must(m->entry_count <= GVS_PUSH_ENTRIES_MAX);
    for (size_t i = 0; i < m->entry_count; i++) {
        struct gvs_entry e;

        must(gvs_entry_parse(&e, m->entry[i].b, m->entry[i].len) == GVS_OK);
        must(gvs_entry_cmp(&e, &m->entry[i]) == 0);
    }
}

/* Reads an accepted body and writes what it understood. Returns how many messages that was. */
static size_t
rewrite(struct gvs_body *out, const uint8_t *b, size_t len, size_t *unknown)
{
    struct gvs_wire_reader r;
    struct gvs_msg m;
    size_t count = 0;

    must(gvs_wire_open(&r, b, len) == GVS_OK);
    gvs_body_init(out);
    for (; gvs_wire_next(&r, &m); count++) {
        if (m.type == GVS_MSG_PUSH)
            check_entries(&m);
        must(gvs_body_add(out, &m) == GVS_OK); /* no longer than what it came from */
    }
    *unknown = r.unknown;
    return count;
}

int
LLVMFuzzerTestOneInput(const uint8_t *b, size_t len)
{
    struct gvs_body first, second;
    struct gvs_wire_reader r;
    size_t count, unknown;

    if (len > GVS_BODY_LEN_MAX || gvs_wire_open(&r, b, len) != GVS_OK)
        return 0;
    count = rewrite(&first, b, len, &unknown);
    must(first.len <= len);
    must(rewrite(&second, first.b, first.len, &unknown) == count && unknown == 0);
    must(second.len == first.len && memcmp(second.b, first.b, first.len) == 0);
    if (first.len == len)
        must(memcmp(first.b, b, len) == 0); /* no unknown key in it: the same bytes */
    return 0;
}
