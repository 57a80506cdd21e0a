/* Lines of ipvsadm, and the same bytes as keepalived.conf and as a text of services.d: all or
 * nothing, one printable sentence for what is wrong. What comes of any of them is valid, ascends,
 * and is the same when it has travelled as JSON. */
#include "tools/cli/import.h"
#include "core/err.h"
#include "test/fuzz/fuzz.h"
#include "tools/words/claims_json.h"
#include "tools/words/syntax.h"

static void
check_text(const char *s)
{
    for (; *s; s++)
        must(*s >= ' ' && *s <= '~');
}

static void
check_backends(const struct gvs_claim_service *s, const struct gvs_claim_service *t)
{
    must(s->backend_count == t->backend_count);
    for (size_t k = 0; k < s->backend_count; k++) {
        must(gvs_backend_valid(&s->backends[k].attr));
        must(gvs_ep_cmp(&s->backends[k].ep, &t->backends[k].ep) == 0);
        must(gvs_backend_equal(&s->backends[k].attr, &t->backends[k].attr));
        if (k > 0)
            must(gvs_ep_cmp(&s->backends[k - 1].ep, &s->backends[k].ep) < 0);
    }
}

static void
check_service(const struct gvs_claim_service *s)
{
    json_t *doc = gvs_claims_json(s, 0, s->backend_count);
    struct gvs_claims_file again = {0};
    struct gvs_describe d;
    struct gvs_fault fault;

    must(gvs_service_valid(&s->attr) && gvs_svcid_valid(&s->id));
    must(s->unnamed == (json_object_get(doc, "name") == NULL));
    gvs_describe_begin(&d, NULL, &again);
    must(gvs_describe_end(&d, gvs_claims_json_read(&d, doc, 1, &fault), &fault) == GVS_OK);
    must(again.service_count == 1 && gvs_svcid_cmp(&again.services->id, &s->id) == 0);
    must(gvs_service_equal(&again.services->attr, &s->attr));
    check_backends(s, again.services);
    gvs_claims_drop_services(&again);
    json_decref(doc);
}

static void
check(int rc, struct gvs_claims_file *file, const struct gvs_fault *f)
{
    if (rc < 0) {
        must(f->text[0] != '\0' && file->service_count == 0);
        check_text(f->text);
        check_text(f->hint);
        return;
    }
    for (size_t i = 0; i < file->service_count; i++) {
        if (i > 0)
            must(gvs_svcid_cmp(&file->services[i - 1].id, &file->services[i].id) < 0);
        check_service(&file->services[i]);
    }
    gvs_claims_drop_services(file);
}

static void
count(void *ctx, const char *what)
{
    must(what[0] != '\0');
    ++*(size_t *)ctx;
}

/* A copy in a block of its very size. */
static char *
copy(const uint8_t *b, size_t len)
{
    char *text = malloc(len + GVS_SYNTAX_ROOM);

    must(text);
    if (len > 0)
        memcpy(text, b, len);
    return text;
}

int
LLVMFuzzerTestOneInput(const uint8_t *b, size_t len)
{
    struct gvs_claims_file file;
    struct gvs_fault fault;
    size_t warnings = 0;
    char *text = copy(b, len);

    check(gvs_import_ipvsadm(&file, "x", text, len, &fault), &file, &fault);
    free(text);
    text = copy(b, len);
    check(gvs_import_keepalived(&file, "x", text, len, count, &warnings, &fault), &file, &fault);
    must(warnings <= len);
    free(text);
    text = copy(b, len);
    check(gvs_claims_text(&file, "x", text, len, &fault), &file, &fault);
    free(text);
    return 0;
}
