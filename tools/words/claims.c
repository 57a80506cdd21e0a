/* tools/words/claims.c: the files of services.d. What is said in one is tools/words/describe.c's
 * business. */
#include "tools/words/claims.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "core/err.h"
#include "tools/words/describe.h"
#include "tools/words/syntax.h"

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

static int
on_event(void *ctx, const struct gvs_syntax_event *ev, struct gvs_fault *fault)
{
    bool opened = ev->what == GVS_SYNTAX_OPENED;
    struct gvs_describe *d = ctx;

    switch (ev->word->id) {
    case SERVICE:
        return opened ? gvs_describe_service(d, ev->text, ev->line, fault)
                      : gvs_describe_service_end(d, fault);
    case BACKEND:
        if (opened)
            return gvs_describe_backend(d, ev->text, ev->line, fault);
        gvs_describe_backend_end(d);
        return GVS_OK;
    case VIP:
        return gvs_describe_vip(d, ev->text, ev->line, fault);
    case PAIR:
        return gvs_describe_word(d, ev->word->name, ev->text, ev->line, fault);
    case CHECK:
        if (opened)
            gvs_describe_check(d, ev->line);
        return opened ? GVS_OK : gvs_describe_check_end(d, fault);
    default:
        return gvs_describe_check_word(d, ev->word->name, ev->text, ev->line, fault);
    }
}

/* Files. */

static void
free_backends(struct gvs_claim_service *s)
{
    for (size_t i = 0; i < s->backend_count; i++)
        free(s->backends[i].check);
    free(s->backends);
}

void
gvs_claims_drop_services(struct gvs_claims_file *f)
{
    for (size_t i = 0; i < f->service_count; i++)
        free_backends(&f->services[i]);
    free(f->services);
    f->services = NULL;
    f->service_count = 0;
}

void
gvs_claims_file_free(struct gvs_claims_file *f)
{
    gvs_claims_drop_services(f);
    *f = (struct gvs_claims_file){0};
}

void
gvs_claims_label(char label[static GVS_CLAIMS_LABEL_MAX], const char *dir, const char *name)
{
    size_t len = strlen(dir), begin;

    while (len > 0 && dir[len - 1] == '/')
        len--;
    for (begin = len; begin > 0 && dir[begin - 1] != '/';)
        begin--;
    if (len == begin)
        snprintf(label, GVS_CLAIMS_LABEL_MAX, "%s", name);
    else
        snprintf(label, GVS_CLAIMS_LABEL_MAX, "%.*s/%s", (int)(len - begin), dir + begin, name);
}

/* The services of one file; what the file looked like is noted before it is read, so that a change
 * in between is seen the next time. */
static int
read_file(struct gvs_claims_file *out, const char *dir, const char *name, struct gvs_fault *fault)
{
    char path[GVS_CLAIMS_PATH_MAX * 2 + 2], label[GVS_CLAIMS_LABEL_MAX];
    struct gvs_claims_file f = {0};
    struct gvs_describe d;
    struct stat st;
    int rc;

    gvs_claims_label(label, dir, name);
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
    gvs_describe_begin(&d, label, &f);
    rc = gvs_syntax_read(path, label, file_words, on_event, &d, fault);
    if (rc == GVS_E_SYS)
        f.mtime_ns = 0; /* what could not be read may be readable the next time */
    rc = gvs_describe_end(&d, rc, fault);
    *out = f;
    return rc;
}

int
gvs_claims_read_file(struct gvs_claims_file *out, const char *dir, const char *name,
                     struct gvs_fault *fault)
{
    return read_file(out, dir, name, fault);
}

int
gvs_claims_text(struct gvs_claims_file *out, const char *label, char *text, size_t len,
                struct gvs_fault *fault)
{
    struct gvs_describe d;

    *out = (struct gvs_claims_file){0};
    gvs_describe_begin(&d, label, out);
    return gvs_describe_end(&d, gvs_syntax_text(text, len, label, file_words, on_event, &d, fault),
                            fault);
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
            gvs_backend_encode(y, &b->backends[i].attr) != len || memcmp(x, y, len) != 0 ||
            !gvs_check_equal(a->backends[i].check, b->backends[i].check))
            return false;
    }
    return true;
}

/* The same claims? Lines may differ, but for those of checks, which problems name later. */
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

const struct gvs_claim_service *
gvs_claims_find(const struct gvs_claims *c, const struct gvs_svcid *id, const char **file)
{
    const char *ignored;

    return find_service(c->files, c->file_count, id, file ? file : &ignored);
}

const struct gvs_claim_backend *
gvs_claims_find_backend(const struct gvs_claim_service *s, const struct gvs_ep *ep)
{
    for (size_t i = 0; s && i < s->backend_count; i++)
        if (gvs_ep_cmp(&s->backends[i].ep, ep) == 0)
            return &s->backends[i];
    return NULL;
}

const struct gvs_check *
gvs_claims_first_check(const struct gvs_claims_file *f, bool exec)
{
    for (size_t i = 0; i < f->service_count; i++)
        for (size_t j = 0; j < f->services[i].backend_count; j++) {
            const struct gvs_check *c = f->services[i].backends[j].check;

            if (c && (!exec || c->type == GVS_CHECK_EXEC))
                return c;
        }
    return NULL;
}

/* Does f claim what one of the first n files claims? Then *why says so. */
static bool
clashes(const struct gvs_claims_file *f, const struct gvs_claims_file *files, size_t n,
        const char *dir, struct gvs_fault *why)
{
    char label[GVS_CLAIMS_LABEL_MAX], text[GVS_SVCID_TEXT_LEN];

    for (size_t i = 0; i < f->service_count; i++) {
        const char *file;
        const struct gvs_claim_service *s = &f->services[i];
        const struct gvs_claim_service *other = find_service(files, n, &s->id, &file);

        if (other == NULL)
            continue;
        gvs_claims_label(label, dir, f->name);
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
            free_backends(&f->services[i]);
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
    gvs_claims_drop_services(f);
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
        gvs_claims_drop_services(&c->files[i]);
    free(c->files);
    *c = (struct gvs_claims){0};
}
