/* tools/claims.c: what a file of services says.
 *
 * Words of a service may come in any order, and its backends take `forward` from it; so a service
 * is gathered as text and judged when it closes. The words and the sentences about wrong ones are
 * those of the command line (tools/words.h): first each value for itself, which tells its line,
 * then all of a service or backend together. */
#include "tools/claims.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "core/err.h"
#include "core/plan.h"
#include "tools/syntax.h"
#include "tools/words.h"

#define LABEL_LEN_MAX 320
#define PAIRS_MAX 5 /* words of a service, or of a backend */

enum word { SERVICE, VIP, PAIR, BACKEND, CHECK, IN_CHECK };

static const struct gvs_syntax_word check_words[] = {
    {"type", GVS_SYNTAX_VALUE, IN_CHECK, NULL},    {"interval", GVS_SYNTAX_VALUE, IN_CHECK, NULL},
    {"timeout", GVS_SYNTAX_VALUE, IN_CHECK, NULL}, {"rise", GVS_SYNTAX_VALUE, IN_CHECK, NULL},
    {"fall", GVS_SYNTAX_VALUE, IN_CHECK, NULL},    {"start", GVS_SYNTAX_VALUE, IN_CHECK, NULL},
    {"command", GVS_SYNTAX_VALUE, IN_CHECK, NULL}, {0},
};

static const struct gvs_syntax_word backend_words[] = {
    {"weight", GVS_SYNTAX_VALUE, PAIR, NULL},
    {"forward", GVS_SYNTAX_VALUE, PAIR, NULL},
    {"tunnel", GVS_SYNTAX_VALUE, PAIR, NULL},
    {"lower", GVS_SYNTAX_VALUE, PAIR, NULL},
    {"upper", GVS_SYNTAX_VALUE, PAIR, NULL},
    {"check", GVS_SYNTAX_SECTION, CHECK, check_words},
    {0},
};

static const struct gvs_syntax_word service_words[] = {
    {"vip", GVS_SYNTAX_VALUE, VIP, NULL},
    {"scheduler", GVS_SYNTAX_VALUE, PAIR, NULL},
    {"flags", GVS_SYNTAX_VALUE, PAIR, NULL},
    {"persistent", GVS_SYNTAX_VALUE, PAIR, NULL},
    {"netmask", GVS_SYNTAX_VALUE, PAIR, NULL},
    {"forward", GVS_SYNTAX_VALUE, PAIR, NULL},
    {"backend", GVS_SYNTAX_TITLED, BACKEND, backend_words},
    {0},
};

static const struct gvs_syntax_word file_words[] = {
    {"service", GVS_SYNTAX_TITLED, SERVICE, service_words},
    {0},
};

/* Words and values as they were met, word[2 * i + 1] being an own copy. */
struct pairs {
    const char *word[2 * PAIRS_MAX];
    unsigned line[PAIRS_MAX];
    size_t count;
};

struct raw_backend {
    struct gvs_ep ep;
    unsigned line;
    struct pairs pairs;
};

struct parse {
    const char *label;
    struct gvs_claims_file *file;
    size_t service_cap;
    /* The service that is open. */
    char name[GVS_NAME_LEN_MAX + 1];
    unsigned line, vip_line; /* vip_line 0: none yet */
    struct gvs_svcid id;
    struct pairs pairs;
    struct raw_backend *backends;
    size_t backend_count, backend_cap;
    bool in_backend;
};

/* Puts "LABEL:LINE: " before what *fault says. */
static int
locate(const struct parse *p, unsigned line, struct gvs_fault *fault)
{
    struct gvs_fault was = *fault;

    gvs_fault_set(fault, was.exit, "%s:%u: %s", p->label, line, was.text);
    gvs_fault_hint(fault, "%s", was.hint);
    return -1;
}

__attribute__((format(printf, 4, 5))) static int
refuse(const struct parse *p, unsigned line, struct gvs_fault *fault, const char *fmt, ...)
{
    char what[384];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return gvs_fault_set(fault, GVS_EXIT_USAGE, "%s:%u: %s", p->label, line, what);
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
pairs_clear(struct pairs *p)
{
    for (size_t i = 0; i < p->count; i++)
        free((char *)p->word[2 * i + 1]);
    *p = (struct pairs){0};
}

static void
service_clear(struct parse *p)
{
    pairs_clear(&p->pairs);
    for (size_t i = 0; i < p->backend_count; i++)
        pairs_clear(&p->backends[i].pairs);
    free(p->backends);
    p->backends = NULL;
    p->backend_count = p->backend_cap = 0;
    p->vip_line = 0;
    p->in_backend = false;
}

/* Gathering. */

static int
open_service(struct parse *p, const struct gvs_syntax_event *ev, struct gvs_fault *fault)
{
    if (gvs_words_name(p->name, ev->text, fault) < 0)
        return locate(p, ev->line, fault);
    p->line = ev->line;
    return GVS_OK;
}

static int
open_backend(struct parse *p, const struct gvs_syntax_event *ev, struct gvs_fault *fault)
{
    struct raw_backend *b;

    p->backends = grow(p->backends, p->backend_count, &p->backend_cap, sizeof *p->backends);
    b = &p->backends[p->backend_count];
    memset(b, 0, sizeof *b);
    b->line = ev->line;
    if (gvs_words_endpoint(&b->ep, ev->text, fault) < 0)
        return locate(p, ev->line, fault);
    if (gvs_addr_is_any(&b->ep.addr) || gvs_addr_is_multicast(&b->ep.addr))
        return refuse(p, ev->line, fault, "backend '%s' is no host's address", ev->text);
    p->backend_count++;
    p->in_backend = true;
    return GVS_OK;
}

static int
give_vip(struct parse *p, const struct gvs_syntax_event *ev, struct gvs_fault *fault)
{
    const struct gvs_svcid *id = &p->id;

    if (gvs_words_vip(&p->id, ev->text, fault) < 0)
        return locate(p, ev->line, fault);
    p->vip_line = ev->line;
    if (id->fwmark == GVS_ANCHOR_MARK_V4 || id->fwmark == GVS_ANCHOR_MARK_V6)
        return refuse(p, ev->line, fault, "vip '%s': this mark is the agent's own", ev->text);
    if (id->proto != GVS_PROTO_FWMARK &&
        (gvs_addr_is_any(&id->addr) || gvs_addr_is_multicast(&id->addr)))
        return refuse(p, ev->line, fault, "vip '%s' is no host's address", ev->text);
    return GVS_OK;
}

/* Does the value mean anything, whatever the rest of the service says? netmask waits: it goes by
 * the family of the vip. */
static int
check_pair(struct parse *p, const struct gvs_syntax_event *ev, struct gvs_fault *fault)
{
    const char *pair[] = {ev->word->name, ev->text};
    size_t len = strlen(pair[0]);
    struct gvs_svcid any_udp = {.proto = GVS_PROTO_UDP, .port = 1};
    struct gvs_service service = {.sched = "mh"};
    struct gvs_backend backend = {.forward = GVS_FORWARD_TUN, .upper = UINT32_MAX};
    struct gvs_fault was;
    int rc;

    if (p->in_backend)
        rc = gvs_words_backend(&backend, pair, 2, fault);
    else if (strcmp(pair[0], "netmask") == 0)
        rc = GVS_OK;
    else
        rc = gvs_words_service(&service, &any_udp, pair, 2, fault);
    if (rc == GVS_OK)
        return GVS_OK;
    was = *fault;
    if (strncmp(was.text, pair[0], len) == 0 && was.text[len] == ' ') /* "weight x: ..." */
        return refuse(p, ev->line, fault, "%s =%s", pair[0], was.text + len);
    return locate(p, ev->line, fault);
}

static int
give_pair(struct parse *p, const struct gvs_syntax_event *ev, struct gvs_fault *fault)
{
    struct pairs *pairs = p->in_backend ? &p->backends[p->backend_count - 1].pairs : &p->pairs;
    char *copy;

    if (check_pair(p, ev, fault) < 0)
        return -1;
    GVS_ASSERT(pairs->count < PAIRS_MAX); /* syntax.h, I3 */
    copy = strdup(ev->text);
    GVS_ASSERT(copy != NULL);
    pairs->word[2 * pairs->count] = ev->word->name;
    pairs->word[2 * pairs->count + 1] = copy;
    pairs->line[pairs->count++] = ev->line;
    return GVS_OK;
}

/* Judging. */

/* The line to blame for what all words together are refused for: a line of several is as good as
 * another, so the last. */
static unsigned
last_line(const struct pairs *pairs, unsigned line)
{
    for (size_t i = 0; i < pairs->count; i++) {
        if (pairs->line[i] > line)
            line = pairs->line[i];
    }
    return line;
}

static int
judge_backend(const struct parse *p, const struct gvs_claim_service *s,
              const struct raw_backend *raw, struct gvs_claim_backend *b, struct gvs_fault *fault)
{
    char text[GVS_EP_TEXT_LEN];
    bool v6 = s->id.addr.family == GVS_FAMILY_V6;

    memset(b, 0, sizeof *b);
    b->ep = raw->ep;
    b->line = raw->line;
    b->attr = (struct gvs_backend){.weight = 1, .forward = s->attr.forward};
    gvs_ep_format(text, &raw->ep);
    if (gvs_words_backend(&b->attr, raw->pairs.word, 2 * raw->pairs.count, fault) < 0)
        return locate(p, last_line(&raw->pairs, raw->line), fault);
    if (raw->ep.addr.family != s->id.addr.family && b->attr.forward != GVS_FORWARD_TUN)
        return refuse(p, raw->line, fault,
                      "backend '%s' is %s but vip '%s' is %s (only forward tun can mix)", text,
                      v6 ? "IPv4" : "IPv6", s->attr.name, v6 ? "IPv6" : "IPv4");
    if (raw->ep.port == 0 && s->id.proto != GVS_PROTO_FWMARK && s->id.port != 0)
        return refuse(p, raw->line, fault, "backend '%s' has port 0 but vip '%s' has not", text,
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
judge_backends(const struct parse *p, struct gvs_claim_service *s, struct gvs_fault *fault)
{
    char text[GVS_EP_TEXT_LEN];

    if (p->backend_count == 0)
        return GVS_OK;
    s->backends = calloc(p->backend_count, sizeof *s->backends);
    GVS_ASSERT(s->backends != NULL);
    for (size_t i = 0; i < p->backend_count; i++) {
        if (judge_backend(p, s, &p->backends[i], &s->backends[i], fault) < 0)
            return -1;
    }
    s->backend_count = p->backend_count;
    qsort(s->backends, s->backend_count, sizeof *s->backends, backend_cmp);
    for (size_t i = 1; i < s->backend_count; i++) {
        const struct gvs_claim_backend *b = &s->backends[i];

        if (gvs_ep_cmp(&b[-1].ep, &b->ep) != 0)
            continue;
        gvs_ep_format(text, &b->ep);
        return refuse(p, b->line, fault, "backend '%s' is already on line %u", text, b[-1].line);
    }
    return GVS_OK;
}

static int
close_service(struct parse *p, struct gvs_fault *fault)
{
    struct gvs_claims_file *f = p->file;
    struct gvs_claim_service *s;

    if (p->vip_line == 0)
        return refuse(p, p->line, fault, "service %s has no vip", p->name);
    f->services = grow(f->services, f->service_count, &p->service_cap, sizeof *f->services);
    s = &f->services[f->service_count++]; /* from here on it is freed with the file */
    memset(s, 0, sizeof *s);
    s->id = p->id;
    s->line = p->vip_line;
    memcpy(s->attr.name, p->name, sizeof p->name);
    memcpy(s->attr.sched, "wlc", sizeof "wlc");
    if (gvs_words_service(&s->attr, &s->id, p->pairs.word, 2 * p->pairs.count, fault) < 0)
        return locate(p, last_line(&p->pairs, p->vip_line), fault);
    if (judge_backends(p, s, fault) < 0)
        return -1;
    service_clear(p);
    return GVS_OK;
}

static int
on_event(void *ctx, const struct gvs_syntax_event *ev, struct gvs_fault *fault)
{
    struct parse *p = ctx;

    switch (ev->word->id) {
    case SERVICE:
        return ev->what == GVS_SYNTAX_OPENED ? open_service(p, ev, fault) : close_service(p, fault);
    case BACKEND:
        if (ev->what == GVS_SYNTAX_OPENED)
            return open_backend(p, ev, fault);
        p->in_backend = false;
        return GVS_OK;
    case VIP:
        return give_vip(p, ev, fault);
    case PAIR:
        return give_pair(p, ev, fault);
    default:
        return refuse(p, ev->line, fault, "check { }: not in this version");
    }
}

/* Files. */

static int
service_cmp(const void *a, const void *b)
{
    const struct gvs_claim_service *x = a, *y = b;
    int sign = gvs_svcid_cmp(&x->id, &y->id);

    return sign != 0 ? sign : (x->line > y->line) - (x->line < y->line);
}

static int
sort_services(struct parse *p, struct gvs_fault *fault)
{
    struct gvs_claims_file *f = p->file;
    char text[GVS_SVCID_TEXT_LEN];

    if (f->service_count == 0)
        return GVS_OK;
    qsort(f->services, f->service_count, sizeof *f->services, service_cmp);
    for (size_t i = 1; i < f->service_count; i++) {
        const struct gvs_claim_service *s = &f->services[i];

        if (gvs_svcid_cmp(&s[-1].id, &s->id) != 0)
            continue;
        gvs_svcid_format(text, &s->id);
        return refuse(p, s->line, fault, "vip '%s' is already '%s' on line %u", text,
                      s[-1].attr.name, s[-1].line);
    }
    return GVS_OK;
}

static void
drop_services(struct gvs_claims_file *f)
{
    for (size_t i = 0; i < f->service_count; i++)
        free(f->services[i].backends);
    free(f->services);
    f->services = NULL;
    f->service_count = 0;
}

void
gvs_claims_file_free(struct gvs_claims_file *f)
{
    drop_services(f);
    *f = (struct gvs_claims_file){0};
}

/* "services.d/web.conf" */
static void
make_label(char label[static LABEL_LEN_MAX], const char *dir, const char *name)
{
    size_t len = strlen(dir), begin;

    while (len > 0 && dir[len - 1] == '/')
        len--;
    for (begin = len; begin > 0 && dir[begin - 1] != '/';)
        begin--;
    if (len == begin)
        snprintf(label, LABEL_LEN_MAX, "%s", name);
    else
        snprintf(label, LABEL_LEN_MAX, "%.*s/%s", (int)(len - begin), dir + begin, name);
}

/* The services of one file; what the file looked like is noted before it is read, so that a change
 * in between is seen the next time. */
static int
read_file(struct gvs_claims_file *out, const char *dir, const char *name, struct gvs_fault *fault)
{
    char path[GVS_CLAIMS_PATH_MAX * 2 + 2], label[LABEL_LEN_MAX];
    struct gvs_claims_file f = {0};
    struct parse p = {.label = label, .file = &f};
    struct stat st;
    int rc;

    make_label(label, dir, name);
    if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, name) >= sizeof path)
        return gvs_fault_set(fault, GVS_EXIT_USAGE, "%s: a path too long", label);
    snprintf(f.name, sizeof f.name, "%s", name);
    if (stat(path, &st) == 0) {
        f.mtime_ns = st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec;
        f.size = (unsigned long long)st.st_size;
        f.inode = st.st_ino;
        /* A second write within the clock's tick would leave the same time. (Not one that lies in
         * the future, of a copy or before the clock was set.) */
        if (llabs((long long)time(NULL) - st.st_mtim.tv_sec) < 2)
            f.mtime_ns = 0;
    }
    rc = gvs_syntax_read(path, label, file_words, on_event, &p, fault);
    if (rc == GVS_E_SYS)
        f.mtime_ns = 0; /* what could not be read may be readable the next time */
    service_clear(&p);
    if (rc == GVS_OK)
        rc = sort_services(&p, fault);
    if (rc < 0)
        drop_services(&f);
    *out = f;
    return rc;
}

int
gvs_claims_read_file(struct gvs_claims_file *out, const char *dir, const char *name,
                     struct gvs_fault *fault)
{
    return read_file(out, dir, name, fault);
}

/* The directory. */

static int
is_claims_file(const struct dirent *d)
{
    size_t len = strlen(d->d_name);

    return d->d_name[0] != '.' && len > 5 && len < GVS_CLAIMS_PATH_MAX &&
           strcmp(d->d_name + len - 5, ".conf") == 0;
}

static int
name_cmp(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name); /* bytes, whatever the locale */
}

static bool
unchanged(const struct gvs_claims_file *f, const char *dir)
{
    char path[GVS_CLAIMS_PATH_MAX * 2 + 2];
    struct stat st;

    snprintf(path, sizeof path, "%s/%s", dir, f->name);
    return stat(path, &st) == 0 &&
           f->mtime_ns == st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec &&
           f->size == (unsigned long long)st.st_size && f->inode == st.st_ino;
}

static bool
same_backends(const struct gvs_claim_service *a, const struct gvs_claim_service *b)
{
    uint8_t x[GVS_VALUE_LEN_MAX], y[GVS_VALUE_LEN_MAX];

    if (a->backend_count != b->backend_count)
        return false;
    for (size_t i = 0; i < a->backend_count; i++) {
        size_t len = gvs_backend_encode(x, &a->backends[i].attr);

        if (gvs_ep_cmp(&a->backends[i].ep, &b->backends[i].ep) != 0 ||
            gvs_backend_encode(y, &b->backends[i].attr) != len || memcmp(x, y, len) != 0)
            return false;
    }
    return true;
}

/* The same claims? Lines may differ. */
static bool
same_services(const struct gvs_claims_file *a, const struct gvs_claims_file *b)
{
    uint8_t x[GVS_VALUE_LEN_MAX], y[GVS_VALUE_LEN_MAX];

    if (a->service_count != b->service_count)
        return false;
    for (size_t i = 0; i < a->service_count; i++) {
        size_t len = gvs_service_encode(x, &a->services[i].attr);

        if (gvs_svcid_cmp(&a->services[i].id, &b->services[i].id) != 0 ||
            gvs_service_encode(y, &b->services[i].attr) != len || memcmp(x, y, len) != 0 ||
            !same_backends(&a->services[i], &b->services[i]))
            return false;
    }
    return true;
}

/* The service of the first n files that has this id. */
static const struct gvs_claim_service *
find_service(const struct gvs_claims_file *files, size_t n, const struct gvs_svcid *id,
             const char **file)
{
    for (size_t i = 0; i < n; i++) {
        size_t low = 0, high = files[i].service_count;

        *file = files[i].name;
        while (low < high) {
            size_t mid = low + (high - low) / 2;
            int sign = gvs_svcid_cmp(&files[i].services[mid].id, id);

            if (sign == 0)
                return &files[i].services[mid];
            low = sign < 0 ? mid + 1 : low;
            high = sign < 0 ? high : mid;
        }
    }
    return NULL;
}

/* Does f claim what one of the first n files claims? Then *why says so. */
static bool
clashes(const struct gvs_claims_file *f, const struct gvs_claims_file *files, size_t n,
        const char *dir, struct gvs_fault *why)
{
    char label[LABEL_LEN_MAX], text[GVS_SVCID_TEXT_LEN];

    for (size_t i = 0; i < f->service_count; i++) {
        const char *file;
        const struct gvs_claim_service *s = &f->services[i];
        const struct gvs_claim_service *other = find_service(files, n, &s->id, &file);

        if (other == NULL)
            continue;
        make_label(label, dir, f->name);
        gvs_svcid_format(text, &s->id);
        gvs_fault_set(why, GVS_EXIT_USAGE, "%s:%u: vip '%s' is already '%s' in %s, line %u", label,
                      s->line, text, other->attr.name, file, other->line);
        return true;
    }
    return false;
}

/* Leaves out of f what the first n files claim. True if there was any. */
static bool
drop_clashing(struct gvs_claims_file *f, const struct gvs_claims_file *files, size_t n)
{
    size_t kept = 0, count = f->service_count;
    const char *file;

    for (size_t i = 0; i < count; i++) {
        if (find_service(files, n, &f->services[i].id, &file) == NULL)
            f->services[kept++] = f->services[i];
        else
            free(f->services[i].backends);
    }
    f->service_count = kept;
    return kept != count;
}

/* f, which is good or of which *why says what is wrong, takes the place of old (NULL: a new file),
 * whose services it may inherit. True if anything changed. */
static bool
replace(struct gvs_claims_file *f, struct gvs_claims_file *old, const struct gvs_fault *why)
{
    bool was_bad = old != NULL && old->bad;

    if (why == NULL)
        return old == NULL || was_bad || !same_services(old, f);
    f->bad = true;
    f->fault = *why;
    drop_services(f);
    if (old == NULL)
        return true;
    if (!was_bad || old->service_count != 0)
        gvs_fault_set(&f->fault, why->exit, "%s; its last good version stays in force", why->text);
    f->services = old->services;
    f->service_count = old->service_count;
    old->services = NULL;
    old->service_count = 0;
    return !was_bad || strcmp(old->fault.text, f->fault.text) != 0;
}

/* Need it not be read again, behind the first n of `files`, `anew` if any of these was? A bad one
 * is as bad as before, unless it was what one of these claims that was wrong with it. */
static bool
is_as_before(const struct gvs_claims_file *f, const struct gvs_claims_file *files, size_t n,
             const char *dir, bool anew)
{
    struct gvs_fault why;

    return unchanged(f, dir) && (f->bad ? !anew : !clashes(f, files, n, dir, &why));
}

/* The file as it is to count next, behind the first n of `files`. True if anything changed. */
static bool
take_file(struct gvs_claims_file *f, struct gvs_claims_file *old,
          const struct gvs_claims_file *files, size_t n, const char *dir, const char *name)
{
    struct gvs_fault why;
    bool changed;

    if (read_file(f, dir, name, &why) < 0 || clashes(f, files, n, dir, &why))
        changed = replace(f, old, &why);
    else
        changed = replace(f, old, NULL);
    return drop_clashing(f, files, n) || changed;
}

bool
gvs_claims_read(struct gvs_claims *c, const char *dir, struct gvs_fault *fault)
{
    struct dirent **list = NULL;
    struct gvs_claims next = {0};
    bool changed = false, anew = false;
    size_t o = 0;
    int n = scandir(dir, &list, is_claims_file, name_cmp);

    fault->text[0] = fault->hint[0] = '\0';
    fault->exit = GVS_EXIT_OK;
    if (n < 0 && errno != ENOENT) {
        gvs_fault_set(fault, GVS_EXIT_USAGE, "cannot read %s (%s); its claims stay in force", dir,
                      strerror(errno));
        return false;
    }
    next.file_count = n < 0 ? 0 : (size_t)n;
    next.files = calloc(next.file_count + 1, sizeof *next.files);
    GVS_ASSERT(next.files != NULL);
    for (size_t i = 0; i < next.file_count; i++) {
        const char *name = list[i]->d_name;
        struct gvs_claims_file *old = NULL;

        for (; o < c->file_count && strcmp(c->files[o].name, name) < 0; o++)
            changed = anew = true; /* a file that is gone */
        if (o < c->file_count && strcmp(c->files[o].name, name) == 0)
            old = &c->files[o++];
        if (old != NULL && is_as_before(old, next.files, i, dir, anew)) {
            next.files[i] = *old;
            old->services = NULL;
            old->service_count = 0;
        } else {
            changed |= take_file(&next.files[i], old, next.files, i, dir, name);
            anew = true;
        }
        free(list[i]);
    }
    changed |= o < c->file_count;
    free(list);
    gvs_claims_free(c);
    *c = next;
    return changed;
}

void
gvs_claims_free(struct gvs_claims *c)
{
    for (size_t i = 0; i < c->file_count; i++)
        drop_services(&c->files[i]);
    free(c->files);
    *c = (struct gvs_claims){0};
}
