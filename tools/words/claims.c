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

/* Whose each service is, of those that some version of some file claims. */
struct taken {
    struct gvs_svcid id;
    const struct gvs_claims_file *by; /* NULL: nobody's yet */
};

struct all_taken {
    struct taken *v; /* ascending */
    size_t count;
};

static int
cmp_taken(const void *a, const void *b)
{
    return gvs_svcid_cmp(&((const struct taken *)a)->id, &((const struct taken *)b)->id);
}

static struct taken *
find_taken(const struct all_taken *all, const struct gvs_svcid *id)
{
    const struct taken key = {.id = *id};

    return bsearch(&key, all->v, all->count, sizeof key, cmp_taken);
}

static const struct gvs_claims_file *
taken_by(const struct all_taken *all, const struct gvs_svcid *id)
{
    return find_taken(all, id)->by;
}

static void
take_services(const struct all_taken *all, const struct gvs_claims_file *f)
{
    for (size_t i = 0; i < f->service_count; i++)
        find_taken(all, &f->services[i].id)->by = f;
}

/* Does f claim what is another's? Then *why says so. */
static bool
clashes(const struct gvs_claims_file *f, const struct all_taken *all, const char *dir,
        struct gvs_fault *why)
{
    char label[GVS_CLAIMS_LABEL_MAX], text[GVS_SVCID_TEXT_LEN];

    for (size_t i = 0; i < f->service_count; i++) {
        const char *file;
        const struct gvs_claim_service *s = &f->services[i], *other;
        const struct gvs_claims_file *by = taken_by(all, &s->id);

        if (by == NULL)
            continue;
        other = find_service(by, 1, &s->id, &file);
        gvs_claims_label(label, dir, f->name);
        gvs_svcid_format(text, &s->id);
        gvs_fault_set(why, GVS_EXIT_USAGE, "%s:%u: vip '%s' is already '%s' in %s, line %u", label,
                      s->line, text, other->attr.name, file, other->line);
        return true;
    }
    return false;
}

/* Leaves out of f what is another's. True if there was any. */
static bool
drop_clashing(struct gvs_claims_file *f, const struct all_taken *all)
{
    size_t kept = 0, count = f->service_count;

    for (size_t i = 0; i < count; i++) {
        if (taken_by(all, &f->services[i].id) == NULL)
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

static int
cmp_file_name(const void *name, const void *file)
{
    return strcmp(name, ((const struct gvs_claims_file *)file)->name);
}

/* The file of that name as it was; NULL: a new one. */
static struct gvs_claims_file *
file_before(const struct gvs_claims *c, const char *name)
{
    if (c->file_count == 0)
        return NULL;
    return bsearch(name, c->files, c->file_count, sizeof *c->files, cmp_file_name);
}

bool
gvs_claims_look(struct gvs_claims_found *found, const struct gvs_claims *c, const char *dir)
{
    struct dirent **list = NULL;
    size_t before = 0, to_read = 0;
    int n = scandir(dir, &list, is_claims_file, name_cmp);

    *found = (struct gvs_claims_found){.dir = strdup(dir)};
    GVS_ASSERT(found->dir != NULL);
    if (n < 0 && errno != ENOENT) {
        gvs_fault_set(&found->fault, GVS_EXIT_USAGE,
                      "cannot read %s (%s); its claims stay in force", dir, strerror(errno));
        return false;
    }
    found->file_count = n < 0 ? 0 : (size_t)n;
    found->files = calloc(found->file_count + 1, sizeof *found->files);
    GVS_ASSERT(found->files != NULL);
    for (size_t i = 0; i < found->file_count; i++) {
        struct gvs_claims_found_file *f = &found->files[i];
        const struct gvs_claims_file *old = file_before(c, list[i]->d_name);

        snprintf(f->file.name, sizeof f->file.name, "%s", list[i]->d_name);
        f->read = old == NULL || !unchanged(old, dir);
        before += old != NULL;
        to_read += f->read;
        free(list[i]);
    }
    free(list);
    found->any = to_read > 0 || before != c->file_count;
    /* What is bad may have been so for the sake of another one. */
    for (size_t i = 0; found->any && i < found->file_count; i++) {
        struct gvs_claims_found_file *f = &found->files[i];

        if (!f->read && file_before(c, f->file.name)->bad)
            f->read = true, to_read++;
    }
    return to_read > 0;
}

void
gvs_claims_parse(struct gvs_claims_found *found)
{
    for (size_t i = 0; i < found->file_count; i++) {
        struct gvs_claims_file *f = &found->files[i].file;
        char name[GVS_CLAIMS_PATH_MAX];
        struct gvs_fault why;

        if (!found->files[i].read)
            continue;
        memcpy(name, f->name, sizeof name);
        if (read_file(f, found->dir, name, &why) < 0) {
            f->bad = true;
            f->fault = why;
        }
    }
}

static size_t
add_ids(struct taken *v, const struct gvs_claims_file *f)
{
    for (size_t i = 0; v != NULL && f != NULL && i < f->service_count; i++)
        v[i].id = f->services[i].id;
    return f != NULL ? f->service_count : 0;
}

/* What is read may clash, and then what was before counts. Returns how many; v may be NULL. */
static size_t
add_all_ids(struct taken *v, const struct gvs_claims *c, const struct gvs_claims_found *found)
{
    size_t count = 0;

    for (size_t i = 0; i < found->file_count; i++) {
        const struct gvs_claims_file *f = &found->files[i].file;

        count += add_ids(v ? v + count : NULL, f);
        count += add_ids(v ? v + count : NULL, file_before(c, f->name));
    }
    return count;
}

static struct all_taken
list_taken(const struct gvs_claims *c, const struct gvs_claims_found *found)
{
    size_t count = add_all_ids(NULL, c, found);
    struct all_taken all = {.v = calloc(count + 1, sizeof *all.v)};

    GVS_ASSERT(all.v != NULL);
    add_all_ids(all.v, c, found);
    qsort(all.v, count, sizeof *all.v, cmp_taken);
    for (size_t i = 0; i < count; i++)
        if (all.count == 0 || cmp_taken(&all.v[all.count - 1], &all.v[i]) != 0)
            all.v[all.count++] = all.v[i];
    return all;
}

/* *f becomes the file as it is to count, behind those before it: as it was read, or as it was
 * before. True if anything changed. */
static bool
take_file(struct gvs_claims_file *f, struct gvs_claims_found_file *found,
          struct gvs_claims_file *old, const struct all_taken *all, const char *dir)
{
    struct gvs_claims_file *now = found->read ? &found->file : old;
    struct gvs_fault why;
    bool bad, changed;

    GVS_ASSERT(now != NULL); /* what is new is read */
    why = now->fault;
    bad = now->bad || clashes(now, all, dir, &why);
    *f = *now;
    now->services = NULL;
    now->service_count = 0;
    if (found->read) {
        changed = replace(f, old, bad ? &why : NULL);
    } else {
        changed = bad && !f->bad;
        if (changed)
            gvs_fault_set(&f->fault, why.exit, "%s; its last good version stays in force",
                          why.text);
        f->bad = bad;
    }
    changed |= drop_clashing(f, all);
    take_services(all, f);
    return changed;
}

bool
gvs_claims_take(struct gvs_claims *c, struct gvs_claims_found *found, struct gvs_fault *fault)
{
    struct gvs_claims next = {.file_count = found->file_count};
    struct all_taken all;
    bool changed = false;
    size_t before = 0;

    *fault = found->fault;
    if (!found->any) {
        gvs_claims_found_free(found);
        return false;
    }
    all = list_taken(c, found);
    next.files = calloc(next.file_count + 1, sizeof *next.files);
    GVS_ASSERT(next.files != NULL);
    for (size_t i = 0; i < next.file_count; i++) {
        struct gvs_claims_file *old = file_before(c, found->files[i].file.name);

        before += old != NULL;
        changed |= take_file(&next.files[i], &found->files[i], old, &all, found->dir);
    }
    changed |= before != c->file_count;
    free(all.v);
    gvs_claims_found_free(found);
    gvs_claims_free(c);
    *c = next;
    return changed;
}

void
gvs_claims_found_free(struct gvs_claims_found *found)
{
    for (size_t i = 0; i < found->file_count; i++)
        gvs_claims_drop_services(&found->files[i].file);
    free(found->files);
    free(found->dir);
    *found = (struct gvs_claims_found){0};
}

bool
gvs_claims_read(struct gvs_claims *c, const char *dir, struct gvs_fault *fault)
{
    struct gvs_claims_found found;

    if (gvs_claims_look(&found, c, dir))
        gvs_claims_parse(&found);
    return gvs_claims_take(c, &found, fault);
}

void
gvs_claims_free(struct gvs_claims *c)
{
    for (size_t i = 0; i < c->file_count; i++)
        gvs_claims_drop_services(&c->files[i]);
    free(c->files);
    *c = (struct gvs_claims){0};
}
