/* tools/words/syntax.c: libconfuse parses; this hears of everything as it goes.
 *
 * Every value is a string to libconfuse, with a callback: a callback knows the line, and strtol
 * with its octal 010 is never asked. What the library's tree ends up with is not looked at.
 *
 * Two words that no file can contain are declared besides those of the caller. CONTEXT, first in
 * every section, carries our pointer to callbacks that have no argument for it ('|' separates the
 * parts of a path in libconfuse, so that a name with one inside is never found). END, at the top of
 * the file, is given by a line that we append: a file cut inside a section would else be accepted,
 * and one cut inside a comment hides that line.
 *
 * When it enters a section libconfuse calls nobody. So whoever is called next looks where that is,
 * and tells of what was opened on the way; the lines of the braces are noted before. */
#include "tools/words/syntax.h"

#include <assert.h>
#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/err.h"

#define CONTEXT "context|"
#define END "__end"
#define FIRST_WORD 1 /* behind CONTEXT */
#define DEPTH_MAX 4
#define OPTS_MAX (FIRST_WORD + GVS_SYNTAX_WORDS_MAX + 2) /* END, and what ends the array */

static pthread_mutex_t lexer = PTHREAD_MUTEX_INITIALIZER; /* libconfuse has one for all */

struct level {
    const cfg_t *cfg;
    const struct gvs_syntax_word *section, *words; /* section: NULL at the top */
    unsigned line, seen, closed;                   /* a bit a word; closed: a section of its kind */
};

struct reading {
    void *self; /* what CONTEXT points at */
    const char *label;
    const struct gvs_syntax_word *words;
    gvs_syntax_fn fn;
    void *ctx;
    struct gvs_fault *fault;
    int rc;         /* of the first fault, which ends it */
    unsigned lines; /* of the file */
    bool ended;     /* END was met */
    struct level level[DEPTH_MAX];
    size_t depth;
    unsigned *braces; /* the lines of those that open a section, in order */
    size_t brace_count, opened;
};

void
gvs_syntax_quote(char *out, size_t cap, const char *text)
{
    GVS_ASSERT(cap >= GVS_SYNTAX_QUOTED(strlen(text)));
    *out++ = '"';
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if (c >= ' ' && c <= '~' && strchr("\"\\$", c) == NULL)
            *out++ = (char)c;
        else
            out += sprintf(out, "\\x%02x", c);
    }
    *out++ = '"';
    *out = '\0';
}

int
gvs_syntax_number(unsigned *out, const char *text, unsigned min, unsigned max)
{
    unsigned long long v = 0;
    const char *p = text;

    for (; *p >= '0' && *p <= '9' && v <= max; p++)
        v = 10 * v + (unsigned)(*p - '0');
    if (p == text || *p != '\0' || v < min || v > max)
        return GVS_E_RANGE;
    *out = (unsigned)v;
    return GVS_OK;
}

int
gvs_syntax_seconds(unsigned *out, const char *text, unsigned min, unsigned max)
{
    size_t len = strlen(text);
    unsigned unit = 1, n;
    char digits[16];

    if (len == 0 || len >= sizeof digits)
        return GVS_E_RANGE;
    memcpy(digits, text, len + 1);
    if (strchr("smh", digits[len - 1]) != NULL) {
        unit = digits[len - 1] == 'h' ? 3600 : digits[len - 1] == 'm' ? 60 : 1;
        digits[len - 1] = '\0';
    }
    if (gvs_syntax_number(&n, digits, 0, max / unit) < 0 || n * unit < min)
        return GVS_E_RANGE;
    *out = n * unit;
    return GVS_OK;
}

/* Faults. */

static struct level *
top(struct reading *r)
{
    GVS_ASSERT(r->depth > 0);
    return &r->level[r->depth - 1];
}

__attribute__((format(printf, 3, 4))) static void
fault_at(struct reading *r, unsigned line, const char *fmt, ...)
{
    char what[384];
    va_list ap;

    if (r->rc < 0)
        return;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    r->rc = gvs_fault_set(r->fault, GVS_EXIT_USAGE, "%s:%u: %s", r->label, line, what);
}

/* Something is wrong with a line behind the last: with the one that we appended. */
static void
fault_cut(struct reading *r)
{
    const struct level *l = top(r);

    if (l->section != NULL)
        fault_at(r, l->line, "the closing brace of this %s is missing", l->section->name);
    else
        fault_at(r, r->lines, "the file ends too early");
}

static void
no_such_word(struct reading *r, unsigned line, const char *name)
{
    const char *known[GVS_SYNTAX_WORDS_MAX + 1] = {NULL}, *near;
    const struct level *l = top(r);
    char hint[48] = "";

    for (size_t i = 0; l->words[i].name != NULL; i++)
        known[i] = l->words[i].name;
    near = gvs_nearest(name, known);
    if (near != NULL)
        snprintf(hint, sizeof hint, " (did you mean %s?)", near);
    if (l->section != NULL)
        fault_at(r, line, "no such option '%.60s' in %s%s", name, l->section->name, hint);
    else
        fault_at(r, line, "no such option '%.60s'%s", name, hint);
}

static struct reading *
reading_of(const cfg_t *cfg)
{
    return *cfg->opts[0].simple_value.ptr;
}

/* Events. */

static int
tell(struct reading *r, enum gvs_syntax_what what, const struct gvs_syntax_word *word,
     const char *text, unsigned line)
{
    struct gvs_syntax_event ev = {what, word, text, line};

    if (r->rc == GVS_OK)
        r->rc = r->fn(r->ctx, &ev, r->fault);
    return r->rc;
}

/* Notes that a word is there; a fault if it was already. */
static void
see_word(struct reading *r, int i, unsigned line)
{
    struct level *l = top(r);

    if ((l->seen & 1u << i) != 0)
        fault_at(r, line, "%s is given twice", l->words[i].name);
    l->seen |= 1u << i;
}

/* The section that was opened last in this one, and is open still; *i is its word. */
static const cfg_t *
open_section(const struct level *l, int *i)
{
    const struct gvs_syntax_word *words = l->words;

    for (*i = 0; words[*i].name != NULL; ++*i) {
        cfg_opt_t *opt = &l->cfg->opts[FIRST_WORD + *i];
        unsigned closed = l->closed >> *i & 1;

        if (words[*i].words != NULL && cfg_opt_size(opt) > closed)
            return cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
    }
    return NULL;
}

static void
push(struct reading *r, const cfg_t *cfg, const struct gvs_syntax_word *section,
     const struct gvs_syntax_word *words, unsigned line)
{
    GVS_ASSERT(r->depth < DEPTH_MAX);
    r->level[r->depth++] =
        (struct level){.cfg = cfg, .section = section, .words = words, .line = line};
}

/* Tells of the sections that were opened since the last callback, down to this one. */
static void
enter(struct reading *r, const cfg_t *cfg)
{
    const cfg_t *inner;
    int i;

    while (r->rc == GVS_OK && top(r)->cfg != cfg && (inner = open_section(top(r), &i)) != NULL) {
        const struct gvs_syntax_word *word = &top(r)->words[i];
        unsigned line = r->opened < r->brace_count ? r->braces[r->opened++] : r->lines;

        if (word->form == GVS_SYNTAX_SECTION)
            see_word(r, i, line);
        push(r, inner, word, word->words, line);
        tell(r, GVS_SYNTAX_OPENED, word, inner->title, line);
    }
}

/* What libconfuse 3.3 complains of, in our words: those that name something, and those that do not.
 * A message that is not among them is still a fault. */
static void
on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
    static const struct {
        const char *theirs, *ours;
    } naming[] = {
        {"missing equal sign after option '%s'", "'=' is missing after"},
        {"missing opening brace for section '%s'", "'{' is missing after"},
        {"missing title for section '%s'", "a name is missing after"},
        {"attempt to append to non-list option '%s'", "'+=' on an option that takes one value:"},
        {"unexpected token '%s'", "unexpected"},
        {"invalid octal number '%s'", "bad escape in quotes:"},
        {"bad escape sequence '%s'", "bad escape in quotes:"},
    };
    struct reading *r = reading_of(cfg);
    unsigned line = (unsigned)cfg->line;

    enter(r, cfg);
    if (line > r->lines) {
        fault_cut(r);
        return;
    }
    if (strcmp(fmt, "no such option '%s'") == 0)
        no_such_word(r, line, va_arg(ap, const char *));
    for (size_t i = 0; i < sizeof naming / sizeof *naming; i++) {
        if (strcmp(fmt, naming[i].theirs) == 0)
            fault_at(r, line, "%s '%.60s'", naming[i].ours, va_arg(ap, const char *));
    }
    if (strcmp(fmt, "unexpected closing brace") == 0)
        fault_at(r, line, "a closing brace too many");
    fault_at(r, line, "not understood");
}

/* A callback that finds its word is inside the section that is open; libconfuse also takes paths
 * ("kernel|audit" at the top), which we do not. */

/* The word's number in the open section; negative: none. */
static int
word_of(struct reading *r, const cfg_t *cfg, const cfg_opt_t *opt)
{
    const struct gvs_syntax_word *words = top(r)->words;

    for (int i = 0; words[i].name != NULL; i++) {
        if (&cfg->opts[FIRST_WORD + i] == opt && strcmp(words[i].name, opt->name) == 0)
            return i;
    }
    return -1;
}

static int
on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
    struct reading *r = reading_of(cfg);
    unsigned line = (unsigned)cfg->line;
    int i;

    *(const char **)result = value;
    enter(r, cfg);
    if (r->rc < 0)
        return 1;
    i = word_of(r, cfg, opt);
    if (line > r->lines)
        fault_cut(r);
    else if (i < 0)
        no_such_word(r, line, opt->name);
    else if ((opt->flags & CFGF_LIST) == 0 || opt->nvalues == 1)
        see_word(r, i, line);
    return tell(r, GVS_SYNTAX_GIVEN, i < 0 ? NULL : &top(r)->words[i], value, line) < 0;
}

static int
on_end(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
    struct reading *r = reading_of(cfg);

    *(const char **)result = value;
    if ((unsigned)cfg->line <= r->lines)
        no_such_word(r, (unsigned)cfg->line, opt->name);
    r->ended = true;
    return r->rc < 0;
}

/* A list without a value has had no callback. */
static void
tell_empty_lists(struct reading *r, cfg_opt_t *section, unsigned line)
{
    const cfg_t *cfg = cfg_opt_getnsec(section, cfg_opt_size(section) - 1);
    const struct gvs_syntax_word *words = top(r)->words;

    for (int i = 0; words[i].name != NULL; i++) {
        const cfg_opt_t *opt = &cfg->opts[FIRST_WORD + i];

        if (words[i].form == GVS_SYNTAX_LIST && opt->nvalues == 0 &&
            (opt->flags & CFGF_MODIFIED) != 0)
            tell(r, GVS_SYNTAX_GIVEN, &words[i], NULL, line);
    }
}

static int
on_close(cfg_t *cfg, cfg_opt_t *opt)
{
    struct reading *r = reading_of(cfg);
    unsigned line = (unsigned)cfg->line;
    const struct gvs_syntax_word *section;

    enter(r, cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1));
    if (r->rc < 0)
        return 1;
    section = top(r)->section;
    GVS_ASSERT(section != NULL && strcmp(section->name, opt->name) == 0); /* I3 */
    if (section->form == GVS_SYNTAX_SECTION)
        tell_empty_lists(r, opt, line);
    else /* at each new one the library searches all that it keeps, of 20 kB and more */
        cfg_opt_rmnsec(opt, cfg_opt_size(opt) - 1);
    r->depth--;
    if (section->form == GVS_SYNTAX_SECTION)
        top(r)->closed |= 1u << (section - top(r)->words);
    return tell(r, GVS_SYNTAX_CLOSED, section, NULL, line) < 0;
}

/* Declarations. */

static cfg_opt_t *
declare(struct reading *r, const struct gvs_syntax_word *words)
{
    cfg_opt_t *opts = calloc(OPTS_MAX, sizeof *opts), *opt = opts;

    GVS_ASSERT(opts != NULL);
    *opt++ = (cfg_opt_t){.name = CONTEXT, .type = CFGT_PTR, .simple_value.ptr = &r->self};
    for (; words->name != NULL; words++, opt++) {
        GVS_ASSERT(opt < opts + FIRST_WORD + GVS_SYNTAX_WORDS_MAX);
        *opt = (cfg_opt_t){.name = words->name, .type = CFGT_STR, .parsecb = on_value};
        if (words->form == GVS_SYNTAX_LIST)
            opt->flags = CFGF_LIST;
        if (words->words != NULL) {
            *opt = (cfg_opt_t){.name = words->name, .type = CFGT_SEC, .validcb = on_close};
            opt->flags = CFGF_MULTI | (words->form == GVS_SYNTAX_TITLED ? CFGF_TITLE : 0);
            opt->subopts = declare(r, words->words);
        }
    }
    return opts;
}

static void
forget(cfg_opt_t *opts)
{
    for (cfg_opt_t *opt = opts; opt->name != NULL; opt++) {
        if (opt->subopts != NULL)
            forget(opt->subopts);
    }
    free(opts);
}

/* text ends in the line that says END. */
static void
parse(struct reading *r, const char *text)
{
    cfg_opt_t *opts = declare(r, r->words), *end = opts;
    cfg_t *cfg;

    while (end->name != NULL)
        end++;
    *end = (cfg_opt_t){.name = END, .type = CFGT_STR, .parsecb = on_end};
    cfg = cfg_init(opts, CFGF_NONE); /* copies them */
    GVS_ASSERT(cfg != NULL);
    forget(opts);
    cfg_set_error_function(cfg, on_error);
    push(r, cfg, NULL, r->words, 0);
    if (cfg_parse_buf(cfg, text) != CFG_SUCCESS)
        fault_at(r, r->lines, "not understood");
    else if (!r->ended)
        fault_cut(r);
    cfg_free(cfg);
}

/* The text before libconfuse sees it. */

static bool
begins_token(const char *text, const char *at)
{
    return at == text || strchr(" \t\r\n={}(),+\"'", at[-1]) != NULL;
}

/* Overwrites a comment by blanks and returns its end; NULL: it has none. */
static char *
blank_comment(char *p, unsigned *line)
{
    bool block = p[0] == '/' && p[1] == '*';
    char *end = block ? strstr(p + 2, "*/") : strchrnul(p, '\n');

    if (end == NULL)
        return NULL;
    for (end += block ? 2 : 0; p < end; p++) {
        *line += *p == '\n';
        if (*p != '\n')
            *p = ' ';
    }
    return end;
}

/* The end of a quoted value; NULL: not on this line. */
static char *
skip_quoted(char *p)
{
    for (char quote = *p++; *p != '\0' && *p != '\n'; p++) {
        if (*p == quote)
            return p + 1;
        if (*p == '\\' && p[1] != '\0' && p[1] != '\n')
            p++;
    }
    return NULL;
}

static void
note_brace(struct reading *r, unsigned line)
{
    if ((r->brace_count & (r->brace_count - 1)) == 0) { /* at 0, 1, 2, 4 ...: for twice as many */
        r->braces = reallocarray(r->braces, 2 * r->brace_count + 1, sizeof *r->braces);
        GVS_ASSERT(r->braces != NULL);
    }
    r->braces[r->brace_count++] = line;
}

/* Blanks comments: libconfuse takes them between options only, not inside a list. And refuses what
 * it would take further than anyone means: a quote that swallows lines, and ${NAME}. Notes where
 * sections are opened: a brace behind '=' opens a list. */
static void
prepare(struct reading *r, char *text)
{
    unsigned line = 1;
    char before = '\0'; /* the last that is no blank */

    for (char *p = text; *p != '\0';) {
        if (*p == '#' || (*p == '/' && (p[1] == '/' || p[1] == '*') && begins_token(text, p))) {
            unsigned begin = line;

            p = blank_comment(p, &line);
            if (p == NULL) {
                fault_at(r, begin, "the comment that begins here has no end");
                return;
            }
        } else if (*p == '"' || *p == '\'') {
            char *end = skip_quoted(p);

            if (end == NULL || memmem(p, (size_t)(end - p), "${", 2) != NULL) {
                fault_at(r, line, end == NULL ? "a closing quote is missing" : "'${' in a value");
                return;
            }
            p = end;
            before = '"';
        } else if (*p == '$' && p[1] == '{') {
            fault_at(r, line, "'${' in a value");
            return;
        } else {
            if (*p == '{' && before != '=')
                note_brace(r, line);
            if (strchr(" \t\r\n", *p) == NULL)
                before = *p;
            line += *p++ == '\n';
        }
    }
}

static void
check_bytes(struct reading *r, const char *text, size_t len)
{
    unsigned line = 1;

    for (size_t i = 0; i < len && r->rc == GVS_OK; i++) {
        unsigned char c = (unsigned char)text[i];

        if ((c < ' ' && strchr("\t\r\n", c) == NULL) || c == '\0' || c == 0x7f)
            fault_at(r, line, "a control character (byte 0x%02x)", c);
        line += c == '\n';
    }
}

static int
cannot_read(const char *path, struct gvs_fault *fault, int err)
{
    return gvs_fault_set(fault, GVS_EXIT_USAGE, "cannot read %s (%s)", path, strerror(err));
}

/* The file, with `room` bytes left behind it; NULL with *fault. */
static char *
read_file(const char *path, size_t *len, size_t room, struct gvs_fault *fault)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not stop the agent */
    char *text = NULL;
    struct stat st;
    ssize_t n = 0;

    *len = 0;
    if (fd < 0 || fstat(fd, &st) < 0) {
        cannot_read(path, fault, errno);
    } else if (!S_ISREG(st.st_mode)) {
        gvs_fault_set(fault, GVS_EXIT_USAGE, "cannot read %s (not a file)", path);
    } else if (st.st_size > (off_t)GVS_SYNTAX_FILE_MAX) {
        cannot_read(path, fault, EFBIG);
    } else {
        text = malloc((size_t)st.st_size + room);
        GVS_ASSERT(text != NULL);
        while (*len < (size_t)st.st_size &&
               (n = read(fd, text + *len, (size_t)st.st_size - *len)) > 0)
            *len += (size_t)n;
    }
    if (n < 0) {
        cannot_read(path, fault, errno);
        free(text);
        text = NULL;
    }
    if (fd >= 0)
        close(fd);
    return text;
}

int
gvs_syntax_text(char *text, size_t len, const char *label, const struct gvs_syntax_word *words,
                gvs_syntax_fn fn, void *ctx, struct gvs_fault *fault)
{
    static const char end[] = "\n" END " = x\n";
    struct reading r = {.label = label, .words = words, .fn = fn, .ctx = ctx, .fault = fault};

    static_assert(sizeof end <= GVS_SYNTAX_ROOM, "what is appended has room");
    r.self = &r;
    r.lines = 1;
    for (size_t i = 0; i + 1 < len; i++)
        r.lines += text[i] == '\n';
    check_bytes(&r, text, len);
    if (r.rc == GVS_OK) {
        text[len] = '\0';
        prepare(&r, text);
    }
    if (r.rc == GVS_OK) {
        memcpy(text + len, end, sizeof end);
        pthread_mutex_lock(&lexer);
        parse(&r, text);
        pthread_mutex_unlock(&lexer);
    }
    free(r.braces);
    return r.rc;
}

int
gvs_syntax_read(const char *path, const char *label, const struct gvs_syntax_word *words,
                gvs_syntax_fn fn, void *ctx, struct gvs_fault *fault)
{
    size_t len;
    char *text = read_file(path, &len, GVS_SYNTAX_ROOM, fault);
    int rc;

    if (text == NULL)
        return GVS_E_SYS;
    rc = gvs_syntax_text(text, len, label, words, fn, ctx, fault);
    free(text);
    return rc;
}
