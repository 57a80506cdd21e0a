/* stage: what a client wants to apply, or to plan, in as many lines as it takes.
 *
 * A line of the socket has 64 KiB, a table may have megabytes; so what is to be applied as a whole
 * is gathered first, apart from the table, and belongs to the connection: it goes with it. Each
 * line is judged as it comes, which also keeps any one from taking the loop for long. Once
 * something of it was wrong, all of it is: `apply` of the rest would be half of what was meant.
 *
 * Those who may only look share one measure of it, so that they cannot have all of the memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/agent/apply.h"
#include "tools/words/claims_json.h"

#define SOURCE_LEN_MAX 256 /* nothing special about it, but that it is one */

static void
free_staged(struct gvs_staged *s)
{
    free(s->service.backends);
    free(s->source);
}

void
gvs_stage_free(struct gvs_stage *s)
{
    for (size_t i = 0; i < s->count; i++)
        free_staged(&s->list[i]);
    free(s->list);
    free(s);
}

void
gvs_stage_abandon(struct gvs_agent *a, const void *ctx)
{
    for (struct gvs_stage **p = &a->stages, *s; (s = *p) != NULL;) {
        if (ctx && s->ctx != ctx) {
            p = &s->next;
            continue;
        }
        *p = s->next;
        gvs_stage_free(s);
    }
}

/* The client's; made if he has none. NULL: no memory. */
static struct gvs_stage *
stage_of(const struct gvs_request *r)
{
    struct gvs_stage *s = r->a->stages;

    while (s && s->ctx != r->ctx)
        s = s->next;
    if (s)
        return s;
    s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->ctx = r->ctx;
    s->reader = !r->who.may_change;
    s->next = r->a->stages;
    r->a->stages = s;
    return s;
}

struct gvs_stage *
gvs_stage_take(const struct gvs_request *r)
{
    for (struct gvs_stage **p = &r->a->stages, *s; (s = *p) != NULL; p = &s->next)
        if (s->ctx == r->ctx) {
            *p = s->next;
            return s;
        }
    return NULL;
}

/* Claims in this stage; or in those of all who may only look, if its owner is one. */
static size_t
used(const struct gvs_agent *a, const struct gvs_stage *mine)
{
    size_t sum = 0;

    for (const struct gvs_stage *s = a->stages; s; s = s->next)
        if (s == mine || (mine->reader && s->reader))
            sum += s->claims;
    return sum;
}

/* "site.conf:12: ..." as the client names it, or "vips[3]: ...". */
void
gvs_stage_blame(const char *source, size_t at, struct gvs_fault *f)
{
    struct gvs_fault was = *f;

    if (source)
        gvs_fault_set(f, was.exit, "%s: %s", source, was.text);
    else
        gvs_fault_set(f, was.exit, "vips[%zu]: %s", at, was.text);
    gvs_fault_hint(f, "%s", was.hint);
}

static int
add(struct gvs_stage *s, struct gvs_claim_service *service, const char *source)
{
    if (s->count == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 64;
        struct gvs_staged *more = realloc(s->list, cap * sizeof *more);

        if (!more)
            return GVS_E_FULL;
        s->list = more;
        s->cap = cap;
    }
    s->list[s->count] = (struct gvs_staged){.service = *service};
    s->list[s->count].at = s->count;
    s->list[s->count].source = source ? strndup(source, SOURCE_LEN_MAX) : NULL;
    s->count++;
    s->claims += 1 + service->backend_count;
    service->backends = NULL;
    service->backend_count = 0;
    return GVS_OK;
}

/* One element of `vips`. */
static int
stage_one(const struct gvs_request *r, struct gvs_stage *s, const json_t *vip, struct gvs_fault *f)
{
    const char *source = json_string_value(json_object_get(vip, "source"));
    struct gvs_claims_file one = {0};
    struct gvs_describe d;
    int rc;

    gvs_describe_begin(&d, NULL, &one);
    rc = gvs_claims_json_read(&d, vip, 1, f);
    if (gvs_describe_end(&d, rc, f) < 0) {
        gvs_stage_blame(source, s->count, f);
        return -1;
    }
    if (used(r->a, s) + 1 + one.services->backend_count > r->a->cfg.limits.entries ||
        add(s, one.services, source) < 0)
        rc = gvs_fault_set(f, GVS_EXIT_NO,
                           "more than %zu services and backends (limits { entries })",
                           r->a->cfg.limits.entries);
    gvs_claims_drop_services(&one);
    return rc;
}

int
gvs_stage_add(struct gvs_request *r, struct gvs_fault *f)
{
    json_t *vips = json_object_get(r->doc, "vips");
    struct gvs_stage *s;
    const json_t *vip;
    size_t i;

    if (!vips)
        return GVS_OK;
    s = stage_of(r);
    if (!s)
        return gvs_fault_set(f, GVS_EXIT_NO, "out of memory");
    if (s->wrong) {
        *f = s->fault;
        return -1;
    }
    if (!json_is_array(vips)) {
        s->wrong = true;
        gvs_fault_set(f, GVS_EXIT_USAGE, "vips: a list expected");
    }
    json_array_foreach(vips, i, vip) if (!s->wrong) s->wrong = stage_one(r, s, vip, f) < 0;
    if (s->wrong)
        s->fault = *f;
    return s->wrong ? -1 : GVS_OK;
}

void
gvs_change_stage(struct gvs_request *r)
{
    const struct gvs_stage *s;
    struct gvs_fault f;

    if (gvs_show_too_many_words(r, 0))
        return;
    if (!json_object_get(r->doc, "vips")) {
        gvs_fault_set(&f, GVS_EXIT_USAGE, "stage: the request has no vips");
        gvs_request_fault(r, &f);
    } else if (gvs_stage_add(r, &f) < 0) {
        gvs_request_fault(r, &f);
    } else {
        s = stage_of(r);
        gvs_request_answer(r,
                           json_pack("{s:s, s:s, s:I}", "schema", "gossipvs/1", "result", "staged",
                                     "claims", (json_int_t)s->claims),
                           true);
    }
}

/* --- one list of them --- */

static int
staged_cmp(const void *a, const void *b)
{
    const struct gvs_staged *x = a, *y = b;
    int sign = gvs_svcid_cmp(&x->service.id, &y->service.id);

    return sign != 0 ? sign : (x->at > y->at) - (x->at < y->at);
}

static int
backend_cmp(const void *a, const void *b)
{
    const struct gvs_claim_backend *x = a, *y = b;

    return gvs_ep_cmp(&x->ep, &y->ep);
}

/* What did not fit in one line goes on in another. */
static int
join(struct gvs_staged *to, struct gvs_staged *from, struct gvs_fault *f)
{
    size_t count = to->service.backend_count + from->service.backend_count;
    struct gvs_claim_backend *all;
    char vip[GVS_SVCID_TEXT_LEN];

    gvs_svcid_format(vip, &to->service.id);
    if (!gvs_service_equal(&to->service.attr, &from->service.attr))
        return gvs_fault_set(f, GVS_EXIT_USAGE,
                             "vip '%s' stands twice, and not with the same words", vip);
    all = reallocarray(to->service.backends, count + 1, sizeof *all);
    if (!all)
        return gvs_fault_set(f, GVS_EXIT_NO, "out of memory");
    to->service.backends = all;
    for (size_t i = to->service.backend_count; i < count; i++)
        all[i] = from->service.backends[i - to->service.backend_count];
    to->service.backend_count = count;
    to->joined = true;
    return GVS_OK;
}

static int
order_backends(struct gvs_staged *s, struct gvs_fault *f)
{
    const struct gvs_claim_backend *b = s->service.backends;
    char text[GVS_EP_TEXT_LEN];

    if (!s->joined)
        return GVS_OK;
    qsort(s->service.backends, s->service.backend_count, sizeof *b, backend_cmp);
    for (size_t i = 1; i < s->service.backend_count; i++) {
        if (gvs_ep_cmp(&b[i - 1].ep, &b[i].ep) != 0)
            continue;
        gvs_ep_format(text, &b[i].ep);
        gvs_fault_set(f, GVS_EXIT_USAGE, "backend '%s' stands twice", text);
        gvs_stage_blame(s->source, s->at, f);
        return -1;
    }
    return GVS_OK;
}

int
gvs_stage_order(struct gvs_stage *s, struct gvs_fault *f)
{
    size_t kept = 0;
    int rc = GVS_OK;

    if (s->count)
        qsort(s->list, s->count, sizeof *s->list, staged_cmp);
    for (size_t i = 0; i < s->count; i++) {
        struct gvs_staged *x = &s->list[i];

        if (kept == 0 || gvs_svcid_cmp(&s->list[kept - 1].service.id, &x->service.id) != 0) {
            s->list[kept++] = *x;
            continue;
        }
        if (rc == GVS_OK && join(&s->list[kept - 1], x, f) < 0) {
            gvs_stage_blame(x->source, x->at, f);
            rc = -1;
        }
        free_staged(x);
    }
    s->count = kept;
    for (size_t i = 0; rc == GVS_OK && i < s->count; i++)
        rc = order_backends(&s->list[i], f);
    return rc;
}
