/* tools/words/describe.c */
#include "tools/words/describe.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/plan.h"
#include "tools/words/words.h"

/* Puts "LABEL:LINE: " before what *fault says. */
static int
locate(const struct gvs_describe *d, unsigned line, struct gvs_fault *fault)
{
    struct gvs_fault was = *fault;

    if (d->label == NULL)
        return -1;
    gvs_fault_set(fault, was.exit, "%s:%u: %s", d->label, line, was.text);
    gvs_fault_hint(fault, "%s", was.hint);
    return -1;
}

int
gvs_describe_refuse(const struct gvs_describe *d, unsigned line, struct gvs_fault *fault,
                    const char *fmt, ...)
{
    char what[384];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    gvs_fault_set(fault, GVS_EXIT_USAGE, "%s", what);
    return locate(d, line, fault);
}

static void *
grow(void *v, size_t count, size_t *cap, size_t size)
{
    if (count < *cap)
        return v;
    *cap = *cap == 0 ? 8 : 2 * *cap;
    v = reallocarray(v, *cap, size);
    GVS_ASSERT(v != NULL);
    return v;
}

static void
words_clear(struct gvs_describe_words *w)
{
    for (size_t i = 0; i < w->count; i++)
        free((char *)w->word[2 * i + 1]);
    *w = (struct gvs_describe_words){0};
}

static void
service_clear(struct gvs_describe *d)
{
    words_clear(&d->words);
    for (size_t i = 0; i < d->backend_count; i++) {
        words_clear(&d->backends[i].words);
        free(d->backends[i].check);
    }
    free(d->backends);
    d->backends = NULL;
    d->backend_count = d->backend_cap = 0;
    d->vip_line = 0;
    d->in_backend = false;
}

/* Gathering. */

int
gvs_describe_service(struct gvs_describe *d, const char *name, unsigned line,
                     struct gvs_fault *fault)
{
    d->line = line;
    d->name[0] = '\0';
    if (name != NULL && gvs_words_name(d->name, name, fault) < 0)
        return locate(d, line, fault);
    return GVS_OK;
}

int
gvs_describe_backend(struct gvs_describe *d, const char *text, unsigned line,
                     struct gvs_fault *fault)
{
    struct gvs_describe_backend *b;

    d->backends = grow(d->backends, d->backend_count, &d->backend_cap, sizeof *d->backends);
    b = &d->backends[d->backend_count];
    memset(b, 0, sizeof *b);
    b->line = line;
    if (gvs_words_endpoint(&b->ep, text, fault) < 0)
        return locate(d, line, fault);
    if (gvs_addr_is_any(&b->ep.addr) || gvs_addr_is_multicast(&b->ep.addr))
        return gvs_describe_refuse(d, line, fault, "backend '%s' is no host's address", text);
    d->backend_count++;
    d->in_backend = true;
    return GVS_OK;
}

int
gvs_describe_vip(struct gvs_describe *d, const char *text, unsigned line, struct gvs_fault *fault)
{
    const struct gvs_svcid *id = &d->id;

    if (gvs_words_vip(&d->id, text, fault) < 0)
        return locate(d, line, fault);
    d->vip_line = line;
    if (id->fwmark == GVS_ANCHOR_MARK_V4 || id->fwmark == GVS_ANCHOR_MARK_V6)
        return gvs_describe_refuse(d, line, fault, "vip '%s': this mark is the agent's own", text);
    if (id->proto != GVS_PROTO_FWMARK &&
        (gvs_addr_is_any(&id->addr) || gvs_addr_is_multicast(&id->addr)))
        return gvs_describe_refuse(d, line, fault, "vip '%s' is no host's address", text);
    return GVS_OK;
}

/* Does the value mean anything, whatever the rest of the service says? netmask waits: it goes by
 * the family of the vip. */
static int
check_word(struct gvs_describe *d, const char *const pair[static 2], unsigned line,
           struct gvs_fault *fault)
{
    size_t len = strlen(pair[0]);
    struct gvs_svcid any_udp = {.proto = GVS_PROTO_UDP, .port = 1};
    struct gvs_service service = {.sched = "mh"};
    struct gvs_backend backend = {.forward = GVS_FORWARD_TUN, .upper = UINT32_MAX};
    struct gvs_fault was;
    int rc;

    if (d->in_backend)
        rc = gvs_words_backend(&backend, pair, 2, fault);
    else if (strcmp(pair[0], "netmask") == 0)
        rc = GVS_OK;
    else
        rc = gvs_words_service(&service, &any_udp, pair, 2, fault);
    if (rc == GVS_OK)
        return GVS_OK;
    was = *fault;
    if (strncmp(was.text, pair[0], len) == 0 && was.text[len] == ' ') /* "weight x: ..." */
        return gvs_describe_refuse(d, line, fault, "%s =%s", pair[0], was.text + len);
    return locate(d, line, fault);
}

int
gvs_describe_word(struct gvs_describe *d, const char *word, const char *text, unsigned line,
                  struct gvs_fault *fault)
{
    struct gvs_describe_words *words =
        d->in_backend ? &d->backends[d->backend_count - 1].words : &d->words;
    const char *const pair[] = {word, text};
    char *copy;

    if (check_word(d, pair, line, fault) < 0)
        return -1;
    for (size_t i = 0; i < words->count; i++) /* and so there are no more than there are words */
        if (strcmp(words->word[2 * i], word) == 0)
            return gvs_describe_refuse(d, line, fault, "%s is given twice", word);
    GVS_ASSERT(words->count < GVS_DESCRIBE_WORDS_MAX);
    copy = strdup(text);
    GVS_ASSERT(copy != NULL);
    words->word[2 * words->count] = word;
    words->word[2 * words->count + 1] = copy;
    words->line[words->count++] = line;
    return GVS_OK;
}

static struct gvs_describe_backend *
open_backend(struct gvs_describe *d)
{
    GVS_ASSERT(d->in_backend);
    return &d->backends[d->backend_count - 1];
}

void
gvs_describe_check(struct gvs_describe *d, unsigned line)
{
    struct gvs_describe_backend *b = open_backend(d);

    GVS_ASSERT(!b->check);
    b->check = malloc(sizeof *b->check);
    GVS_ASSERT(b->check);
    gvs_check_begin(b->check, line);
}

int
gvs_describe_check_word(struct gvs_describe *d, const char *word, const char *text, unsigned line,
                        struct gvs_fault *fault)
{
    if (gvs_check_word(open_backend(d)->check, word, text, fault) < 0)
        return locate(d, line, fault);
    return GVS_OK;
}

int
gvs_describe_check_end(struct gvs_describe *d, struct gvs_fault *fault)
{
    const struct gvs_describe_backend *b = open_backend(d);

    if (gvs_check_judge(b->check, &b->ep, fault) < 0)
        return locate(d, b->check->line, fault);
    return GVS_OK;
}

/* Judging. */

/* The line to blame for what all words together are refused for: a line of several is as good as
 * another, so the last. */
static unsigned
last_line(const struct gvs_describe_words *words, unsigned line)
{
    for (size_t i = 0; i < words->count; i++) {
        if (words->line[i] > line)
            line = words->line[i];
    }
    return line;
}

static int
judge_backend(const struct gvs_describe *d, const struct gvs_claim_service *s,
              struct gvs_describe_backend *raw, struct gvs_claim_backend *b,
              struct gvs_fault *fault)
{
    char text[GVS_EP_TEXT_LEN];
    bool v6 = s->id.addr.family == GVS_FAMILY_V6;

    memset(b, 0, sizeof *b);
    b->ep = raw->ep;
    b->line = raw->line;
    b->check = raw->check; /* from here on it is freed with the service */
    raw->check = NULL;
    b->attr = (struct gvs_backend){.weight = 1, .forward = s->attr.forward};
    gvs_ep_format(text, &raw->ep);
    if (gvs_words_backend(&b->attr, raw->words.word, 2 * raw->words.count, fault) < 0)
        return locate(d, last_line(&raw->words, raw->line), fault);
    if (raw->ep.addr.family != s->id.addr.family && b->attr.forward != GVS_FORWARD_TUN)
        return gvs_describe_refuse(
            d, raw->line, fault, "backend '%s' is %s but vip '%s' is %s (only forward tun can mix)",
            text, v6 ? "IPv4" : "IPv6", s->attr.name, v6 ? "IPv6" : "IPv4");
    if (raw->ep.port == 0 && s->id.proto != GVS_PROTO_FWMARK && s->id.port != 0)
        return gvs_describe_refuse(d, raw->line, fault,
                                   "backend '%s' has port 0 but vip '%s' has not", text,
                                   s->attr.name);
    return GVS_OK;
}

static int
backend_cmp(const void *a, const void *b)
{
    const struct gvs_claim_backend *x = a, *y = b;
    int sign = gvs_ep_cmp(&x->ep, &y->ep);

    return sign != 0 ? sign : (x->line > y->line) - (x->line < y->line);
}

static int
judge_backends(struct gvs_describe *d, struct gvs_claim_service *s, struct gvs_fault *fault)
{
    char text[GVS_EP_TEXT_LEN];

    if (d->backend_count == 0)
        return GVS_OK;
    s->backends = calloc(d->backend_count, sizeof *s->backends);
    GVS_ASSERT(s->backends != NULL);
    s->backend_count = d->backend_count;
    for (size_t i = 0; i < d->backend_count; i++) {
        if (judge_backend(d, s, &d->backends[i], &s->backends[i], fault) < 0)
            return -1;
    }
    qsort(s->backends, s->backend_count, sizeof *s->backends, backend_cmp);
    for (size_t i = 1; i < s->backend_count; i++) {
        const struct gvs_claim_backend *b = &s->backends[i];

        if (gvs_ep_cmp(&b[-1].ep, &b->ep) != 0)
            continue;
        gvs_ep_format(text, &b->ep);
        if (b->line == b[-1].line)
            return gvs_describe_refuse(d, b->line, fault, "backend '%s' stands twice", text);
        return gvs_describe_refuse(d, b->line, fault, "backend '%s' is already on line %u", text,
                                   b[-1].line);
    }
    return GVS_OK;
}

void
gvs_describe_name(char name[static GVS_NAME_LEN_MAX + 1], const struct gvs_svcid *id)
{
    bool v6 = id->addr.family == GVS_FAMILY_V6;
    char addr[GVS_ADDR_TEXT_LEN];

    if (id->proto == GVS_PROTO_FWMARK) {
        snprintf(name, GVS_NAME_LEN_MAX + 1, "fwmark-%u%s", id->fwmark, v6 ? "-v6" : "");
        return;
    }
    gvs_addr_format(addr, &id->addr);
    for (char *p = addr; *p != '\0'; p++)
        *p = *p == ':' ? '-' : *p;
    snprintf(name, GVS_NAME_LEN_MAX + 1, "%s-%s-%u", gvs_proto_name(id->proto), addr, id->port);
}

int
gvs_describe_service_end(struct gvs_describe *d, struct gvs_fault *fault)
{
    struct gvs_claims_file *f = d->file;
    struct gvs_claim_service *s;

    if (d->vip_line == 0)
        return gvs_describe_refuse(d, d->line, fault, "service%s%s has no vip",
                                   d->name[0] ? " " : "", d->name);
    f->services = grow(f->services, f->service_count, &d->service_cap, sizeof *f->services);
    s = &f->services[f->service_count++]; /* from here on it is freed with the file */
    memset(s, 0, sizeof *s);
    s->id = d->id;
    s->line = d->vip_line;
    s->unnamed = d->name[0] == '\0';
    if (s->unnamed)
        gvs_describe_name(d->name, &d->id);
    memcpy(s->attr.name, d->name, sizeof d->name);
    memcpy(s->attr.sched, "wlc", sizeof "wlc");
    if (gvs_words_service(&s->attr, &s->id, d->words.word, 2 * d->words.count, fault) < 0)
        return locate(d, last_line(&d->words, d->vip_line), fault);
    if (judge_backends(d, s, fault) < 0)
        return -1;
    service_clear(d);
    return GVS_OK;
}

/* The whole. */

static int
service_cmp(const void *a, const void *b)
{
    const struct gvs_claim_service *x = a, *y = b;
    int sign = gvs_svcid_cmp(&x->id, &y->id);

    return sign != 0 ? sign : (x->line > y->line) - (x->line < y->line);
}

static int
sort_services(struct gvs_describe *d, struct gvs_fault *fault)
{
    struct gvs_claims_file *f = d->file;
    char text[GVS_SVCID_TEXT_LEN];

    if (f->service_count == 0)
        return GVS_OK;
    qsort(f->services, f->service_count, sizeof *f->services, service_cmp);
    for (size_t i = 1; i < f->service_count; i++) {
        const struct gvs_claim_service *s = &f->services[i];

        if (gvs_svcid_cmp(&s[-1].id, &s->id) != 0)
            continue;
        gvs_svcid_format(text, &s->id);
        return gvs_describe_refuse(d, s->line, fault, "vip '%s' is already '%s' on line %u", text,
                                   s[-1].attr.name, s[-1].line);
    }
    return GVS_OK;
}

void
gvs_describe_begin(struct gvs_describe *d, const char *label, struct gvs_claims_file *file)
{
    *d = (struct gvs_describe){.label = label, .file = file};
}

void
gvs_describe_backend_end(struct gvs_describe *d)
{
    d->in_backend = false;
}

int
gvs_describe_end(struct gvs_describe *d, int rc, struct gvs_fault *fault)
{
    service_clear(d);
    if (rc == GVS_OK)
        rc = sort_services(d, fault);
    if (rc < 0)
        gvs_claims_drop_services(d->file);
    return rc;
}
