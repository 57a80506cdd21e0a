/* tools/cli/apply.c: apply and plan of files.
 *
 * A file is read and judged here, by the parser of services.d, so that what is wrong with it is
 * told with its line and nothing of it is sent. What is sent is services, in as many lines as they
 * take; the last command has the agent take them together (docs/control.md). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/err.h"
#include "tools/cli/cli.h"
#include "tools/words/claims_json.h"
#include "tools/words/syntax.h"

#define TEXT_MAX ((size_t)256 << 20) /* nothing special about it */
#define LINE_LEN_MAX 49152           /* of the 64 KiB of a request; an element has up to 35,000 */
#define BACKENDS_MAX 200             /* in an element: 170 bytes each at most */

/* --- reading --- */

/* All of a stream, with room for gvs_syntax_text; to be freed. NULL with *f. */
static char *
read_stream(FILE *in, const char *label, size_t *len, struct gvs_fault *f)
{
    size_t cap = 65536, n;
    char *text = gvs_print_need(malloc(cap + GVS_SYNTAX_ROOM));

    *len = 0;
    while ((n = fread(text + *len, 1, cap - *len, in)) > 0) {
        *len += n;
        if (*len == cap) {
            cap *= 2;
            text = gvs_print_need(realloc(text, cap + GVS_SYNTAX_ROOM));
        }
        if (*len > TEXT_MAX)
            break;
    }
    if (!ferror(in) && *len <= TEXT_MAX)
        return text;
    gvs_fault_set(f, GVS_EXIT_USAGE, "cannot read %s (%s)", label,
                  strerror(ferror(in) ? errno : EFBIG));
    free(text);
    return NULL;
}

/* A file's, or with "-" that of stdin. */
char *
gvs_cli_read_text(const char *path, const char **label, size_t *len, struct gvs_fault *f)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *in = standard ? stdin : fopen(path, "rb");
    char *text;

    *label = standard ? "stdin" : path;
    if (!in) {
        gvs_fault_set(f, GVS_EXIT_USAGE, "cannot read %s (%s)", path, strerror(errno));
        return NULL;
    }
    text = read_stream(in, *label, len, f);
    if (!standard)
        fclose(in);
    return text;
}

/* Where the elements of `vips` begin, for faults: jansson does not say. */
struct places {
    const char *at, *end;
    unsigned line, depth;
    bool is_vips; /* the latest key at the top */
    bool inside;  /* its list */
};

static void
skip_string(struct places *p)
{
    const char *begin = ++p->at;

    for (; p->at < p->end && *p->at != '"'; p->at++) {
        p->line += *p->at == '\n';
        p->at += *p->at == '\\';
    }
    if (p->depth == 1)
        p->is_vips = p->at - begin == 4 && memcmp(begin, "vips", 4) == 0;
}

/* The line of the next element. */
static unsigned
next_place(struct places *p)
{
    for (; p->at < p->end; p->at++) {
        switch (*p->at) {
        case '"':
            skip_string(p);
            break;
        case '\n':
            p->line++;
            break;
        case '{':
        case '[':
            p->inside |= p->depth == 1 && p->is_vips && *p->at == '[';
            if (++p->depth == 3 && p->inside) {
                p->at++;
                return p->line;
            }
            break;
        case '}':
        case ']':
            p->depth--;
            p->inside &= p->depth > 1;
            break;
        default:
            break;
        }
    }
    return p->line;
}

static int
describe_vips(struct gvs_describe *d, const json_t *vips, struct places *p, struct gvs_fault *f)
{
    const json_t *vip;
    size_t i;

    if (!json_is_array(vips))
        return gvs_describe_refuse(d, 1, f, "no list of vips (as export --as json prints it)");
    json_array_foreach(vips, i, vip)
    {
        unsigned line = json_is_object(vip) ? next_place(p) : p->line;

        if (gvs_claims_json_read(d, vip, line, f) < 0)
            return -1;
    }
    return GVS_OK;
}

static int
read_json(struct gvs_claims_file *file, const char *label, const char *text, size_t len,
          struct gvs_fault *f)
{
    struct places places = {.at = text, .end = text + len, .line = 1};
    struct gvs_describe d;
    json_error_t e;
    json_t *doc = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
    int rc;

    *file = (struct gvs_claims_file){0};
    gvs_describe_begin(&d, label, file);
    if (!doc)
        rc = gvs_describe_refuse(&d, (unsigned)e.line, f, "no JSON: %s", e.text);
    else
        rc = describe_vips(&d, json_object_get(doc, "vips"), &places, f);
    json_decref(doc);
    return gvs_describe_end(&d, rc, f);
}

static int
read_one(struct gvs_claims *claims, const char *path, struct gvs_fault *f)
{
    const char *label;
    size_t len;
    char *text = gvs_cli_read_text(path, &label, &len, f);
    struct gvs_claims_file *file;
    int rc;

    if (!text)
        return -1;
    file = gvs_print_need(calloc(1, sizeof *file));
    if (len > 0 && text[strspn(text, " \t\r\n")] == '{')
        rc = read_json(file, label, text, len, f);
    else
        rc = gvs_claims_text(file, label, text, len, f);
    free(text);
    *claims = (struct gvs_claims){.file_count = 1, .files = file};
    return rc;
}

/* All faults of a directory's files are told, one each; the last is left in *f. */
static int
read_directory(const struct gvs_cli *c, struct gvs_claims *claims, const char *path,
               struct gvs_fault *f)
{
    struct gvs_fault bad = {.text = ""};

    gvs_claims_read(claims, path, f);
    for (size_t i = 0; i < claims->file_count; i++) {
        if (!claims->files[i].bad)
            continue;
        if (bad.text[0] && !c->json)
            gvs_print_fault(stderr, bad.text, bad.hint);
        bad = claims->files[i].fault;
    }
    if (bad.text[0])
        *f = bad;
    return f->text[0] ? -1 : GVS_OK;
}

/* --- sending --- */

struct sending {
    struct gvs_cli *c;
    json_t *vips; /* of the next line, */
    size_t len;   /* so many bytes */
};

static int
flush(struct sending *s)
{
    json_t *doc;
    int rc;

    if (json_array_size(s->vips) == 0)
        return GVS_EXIT_OK;
    rc = gvs_cli_tell(s->c, "stage", NULL, 0, s->vips, false, &doc);
    json_decref(doc);
    s->vips = json_array();
    s->len = 0;
    return rc;
}

static int
put(struct sending *s, json_t *vip)
{
    char *text = gvs_print_need(json_dumps(vip, JSON_COMPACT));
    size_t len = strlen(text) + 1;
    int rc = s->len + len > LINE_LEN_MAX ? flush(s) : GVS_EXIT_OK;

    free(text);
    s->len += len;
    json_array_append_new(s->vips, vip);
    return rc;
}

/* A service in as many elements as it takes. */
static int
put_service(struct sending *s, const struct gvs_claim_service *service, const char *file)
{
    size_t from = 0;
    int rc;

    do {
        size_t left = service->backend_count - from,
               count = left < BACKENDS_MAX ? left : BACKENDS_MAX;
        json_t *vip = gvs_print_need(gvs_claims_json(service, from, count));

        json_object_set_new(vip, "source", json_sprintf("%s:%u", file, service->line));
        rc = put(s, vip);
        from += count;
    } while (rc == GVS_EXIT_OK && from < service->backend_count);
    return rc;
}

/* `label` is the file's, or the directory's. */
static int
put_claims(struct sending *s, const struct gvs_claims *claims, const char *label)
{
    char file[2 * GVS_CLAIMS_PATH_MAX];
    int rc = GVS_EXIT_OK;

    for (size_t i = 0; i < claims->file_count; i++) {
        const struct gvs_claims_file *f = &claims->files[i];

        snprintf(file, sizeof file, "%s%s%s", label, f->name[0] ? "/" : "", f->name);
        for (size_t j = 0; j < f->service_count && rc == GVS_EXIT_OK; j++)
            rc = put_service(s, &f->services[j], file);
    }
    return rc;
}

int
gvs_cli_send_claims(struct gvs_cli *c, const struct gvs_claims *claims, const char *label,
                    const char *command, json_t **doc)
{
    struct sending s = {.c = c, .vips = json_array()};
    int rc = put_claims(&s, claims, label);

    *doc = NULL;
    if (rc == GVS_EXIT_OK)
        rc = flush(&s);
    if (rc != GVS_EXIT_OK) {
        json_decref(s.vips);
        return rc;
    }
    gvs_cli_take_changes(c);
    return gvs_cli_tell(c, command, c->words, c->count, s.vips, true, doc);
}

/* --- the commands --- */

/* A check is run by the node whose file it is, and what is applied is nobody's: rather no than
 * without it. */
static int
refuse_checks(const struct gvs_claims *claims, const char *label, struct gvs_fault *f)
{
    for (size_t i = 0; i < claims->file_count; i++) {
        const struct gvs_claims_file *file = &claims->files[i];
        const struct gvs_check *check = gvs_claims_first_check(file, false);

        if (check)
            return gvs_fault_set(
                f, GVS_EXIT_USAGE,
                "%s%s%s:%u: check { }: only in services.d, by whose node it is run", label,
                file->name[0] ? "/" : "", file->name, check->line);
    }
    return GVS_OK;
}

static int
run_files(struct gvs_cli *c, const char *command, const char *path, json_t **doc)
{
    struct gvs_claims claims = {0};
    struct gvs_fault f;
    struct stat st;
    bool dir = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    int rc = dir ? read_directory(c, &claims, path, &f) : read_one(&claims, path, &f);

    *doc = NULL;
    if (rc == GVS_OK)
        rc = refuse_checks(&claims, path, &f);
    if (rc < 0)
        rc = gvs_cli_fail(c, &f);
    else
        rc = gvs_cli_send_claims(c, &claims, strcmp(path, "-") == 0 ? "stdin" : path, command, doc);
    gvs_claims_free(&claims);
    return rc;
}

int
gvs_cli_apply(struct gvs_cli *c)
{
    const char *path;
    json_t *doc;
    int rc;

    (void)gvs_cli_take(c, "-f", &path);
    if (!path)
        return gvs_cli_usage(c, "apply -f FILE, or -f DIR");
    rc = run_files(c, "apply", path, &doc);
    gvs_cli_say_changed(c, doc);
    json_decref(doc);
    return rc;
}

static void
say_kept(const struct gvs_cli *c, const json_t *doc)
{
    long long kept = (long long)json_integer_value(json_object_get(doc, "kept"));
    char words[96];

    if (kept == 0)
        return;
    snprintf(words, sizeof words, "%lld of the cluster's are in no file: --prune would remove them",
             kept);
    gvs_cli_say(c, words);
}

int
gvs_cli_plan(struct gvs_cli *c)
{
    const char *path;
    json_t *doc;
    int rc;

    if (!gvs_cli_take(c, "-f", &path))
        return gvs_cli_changes(c);
    if (!path)
        return gvs_cli_usage(c, "plan -f FILE, or -f DIR");
    rc = run_files(c, "plan", path, &doc);
    if (rc == GVS_EXIT_OK) {
        if (!c->json)
            gvs_screen_changes_end(&c->changes, &c->screen);
        say_kept(c, doc);
        rc = c->list.count > 0 ? GVS_EXIT_NO : GVS_EXIT_OK;
    }
    json_decref(doc);
    return rc;
}
