/* tools/cli/import_keepalived.c
 *
 * The text becomes tokens, each with its line; a statement is the words of a line, and a block if
 * a brace follows. A virtual_server is gathered whole before it is described, since its protocol
 * may stand anywhere in it and it may stand for a group of addresses. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "tools/cli/import.h"
#include "tools/words/describe.h"

#define WORDS_MAX 16     /* of a statement; more are not looked at */
#define PERSISTENT "360" /* keepalived.conf(5): persistence_timeout without a number */

struct token {
    char *text; /* NULL: a brace */
    unsigned line;
    char brace; /* { or } */
};

struct reader {
    struct gvs_describe d;
    gvs_import_warn_fn warn;
    void *warn_ctx;
    struct token *tokens;
    size_t count, cap, at;
    struct gvs_fault *f;
};

struct statement {
    unsigned line;
    const char *words[WORDS_MAX];
    size_t count;
    bool block; /* a brace has opened behind it */
};

/* --- tokens --- */

static void
push(struct reader *r, char *text, char brace, unsigned line)
{
    if (r->count == r->cap) {
        r->cap = r->cap ? 2 * r->cap : 256;
        r->tokens = reallocarray(r->tokens, r->cap, sizeof *r->tokens);
        GVS_ASSERT(r->tokens != NULL);
    }
    r->tokens[r->count++] = (struct token){text, line, brace};
}

/* The end of the word that begins at p. */
static char *
word_end(char *p, const char *end)
{
    while (p < end && !strchr(" \t\r\n{}\"", *p))
        p++;
    return p;
}

/* Words end in a 0, which takes the place of whatever was behind them: that is looked at first. */
static int
tokenize(struct reader *r, char *text, size_t len)
{
    char *p = text, *end = text + len;
    unsigned line = 1;

    if (memchr(text, 0, len))
        return gvs_describe_refuse(&r->d, 1, r->f, "a control character (byte 0x00) in the file");
    *end = 0;
    while (p < end) {
        char *stop;

        if (*p == '\n')
            line++;
        if (strchr(" \t\r\n", *p)) {
            p++;
        } else if (*p == '#' || *p == '!') {
            p += strcspn(p, "\n");
        } else if (*p == '{' || *p == '}') {
            push(r, NULL, *p++, line);
        } else if (*p == '"') {
            stop = memchr(p + 1, '"', (size_t)(end - p - 1));
            if (!stop || memchr(p, '\n', (size_t)(stop - p)))
                return gvs_describe_refuse(&r->d, line, r->f, "a closing quote is missing");
            *stop = 0;
            push(r, p + 1, 0, line);
            p = stop + 1;
        } else {
            char behind;

            stop = word_end(p, end);
            behind = *stop;
            *stop = 0;
            push(r, p, 0, line);
            if (behind == '{' || behind == '}')
                push(r, NULL, behind, line);
            line += behind == '\n';
            /* A quote within a word begins another one. */
            if (behind == '"')
                *stop = '"';
            p = behind == '"' ? stop : stop + 1;
        }
    }
    return GVS_OK;
}

/* --- statements --- */

/* 1 a statement, 0 the end of the block, -1 the end of the file. */
static int
next(struct reader *r, struct statement *s)
{
    *s = (struct statement){0};
    if (r->at == r->count)
        return -1;
    s->line = r->tokens[r->at].line;
    if (r->tokens[r->at].brace == '}') {
        r->at++;
        return 0;
    }
    for (; r->at < r->count && r->tokens[r->at].text && r->tokens[r->at].line == s->line; r->at++)
        if (s->count < WORDS_MAX)
            s->words[s->count++] = r->tokens[r->at].text;
    if (r->at < r->count && r->tokens[r->at].brace == '{') {
        s->block = true;
        r->at++;
    }
    return 1;
}

static int
no_end(struct reader *r, const struct statement *s)
{
    return gvs_describe_refuse(&r->d, s->line, r->f, "the closing brace of this %.60s is missing",
                               s->count ? s->words[0] : "block");
}

/* To the end of a block that has opened. */
static int
skip(struct reader *r, const struct statement *s)
{
    unsigned depth = 1;

    for (; s->block && depth > 0; r->at++) {
        if (r->at == r->count)
            return no_end(r, s);
        depth += r->tokens[r->at].brace == '{';
        depth -= r->tokens[r->at].brace == '}';
    }
    return GVS_OK;
}

static void
warn(struct reader *r, unsigned line, const char *word)
{
    char text[512];

    snprintf(text, sizeof text, "%s:%u: '%.60s' is left out: it has no counterpart", r->d.label,
             line, word);
    r->warn(r->warn_ctx, text);
}

/* What has no counterpart. */
static int
leave_out(struct reader *r, const struct statement *s)
{
    warn(r, s->line, s->count ? s->words[0] : "{");
    return skip(r, s);
}

static bool
is(const struct statement *s, const char *word)
{
    return s->count > 0 && strcmp(s->words[0], word) == 0;
}

static bool
is_one_of(const struct statement *s, const char *one, const char *two)
{
    return is(s, one) || is(s, two);
}

/* --- a virtual server --- */

struct value {
    const char *text; /* NULL: not given */
    unsigned line;
};

/* lvs_method, and what may follow TUN */
struct method {
    struct value forward;
    char tunnel[48]; /* "": none */
};

struct server {
    unsigned line;
    const char *address, *port;
    struct value weight, upper, lower;
    struct method method;
};

struct virtual_server {
    struct statement head;
    struct value protocol, scheduler, persistent, netmask, weight, family;
    struct method method;
    char flags[24];
    unsigned flags_line;
    struct server *servers;
    size_t count, cap;
};

static void
set(struct value *v, const struct statement *s, const char *otherwise)
{
    *v = (struct value){s->count > 1 ? s->words[1] : otherwise, s->line};
}

/* "lvs_method TUN type gue port 6080 nocsum" */
static int
take_method(struct reader *r, struct method *m, const struct statement *s)
{
    static const struct {
        const char *theirs, *ours;
    } known[] = {{"NAT", "nat"}, {"DR", "dr"}, {"TUN", "tun"}};
    const char *type = "", *port = "", *forward = NULL;

    for (size_t i = 0; i < sizeof known / sizeof *known && s->count > 1; i++)
        if (strcmp(s->words[1], known[i].theirs) == 0)
            forward = known[i].ours;
    m->forward = (struct value){forward, s->line};
    if (!forward)
        return gvs_describe_refuse(&r->d, s->line, r->f, "%s %.60s: NAT, DR or TUN expected",
                                   s->words[0], s->count > 1 ? s->words[1] : "");
    for (size_t i = 2; i < s->count; i++) {
        const char *word = s->words[i], *value = i + 1 < s->count ? s->words[i + 1] : "";

        if (strcmp(word, "type") == 0 || strcmp(word, "port") == 0) {
            *(word[0] == 't' ? &type : &port) = value;
            i++;
        } else if (strcmp(word, "nocsum") != 0) {
            warn(r, s->line, word);
        }
    }
    snprintf(m->tunnel, sizeof m->tunnel, "%.20s%s%.20s", type, port[0] ? ":" : "", port);
    return GVS_OK;
}

static const char *
flag_of(const struct statement *s)
{
    static const struct {
        const char *theirs, *ours;
    } known[] = {{"ops", "ops"},         {"sh-fallback", "fallback"}, {"mh-fallback", "fallback"},
                 {"flag-1", "fallback"}, {"sh-port", "port"},         {"mh-port", "port"},
                 {"flag-2", "port"}};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (is(s, known[i].theirs))
            return known[i].ours;
    return NULL;
}

static void
take_flag(struct virtual_server *v, const struct statement *s)
{
    const char *flag = flag_of(s);
    size_t len = strlen(v->flags);

    if (strstr(v->flags, flag))
        return;
    GVS_ASSERT(len + strlen(flag) + 2 <= sizeof v->flags); /* three flags are no longer */
    snprintf(v->flags + len, sizeof v->flags - len, "%s%s", len ? "," : "", flag);
    v->flags_line = s->line;
}

static int
read_server(struct reader *r, struct virtual_server *v, const struct statement *head)
{
    struct server *rs;
    struct statement s;
    int rc;

    if (head->count < 2 || !head->block)
        return gvs_describe_refuse(&r->d, head->line, r->f,
                                   "real_server ADDRESS [PORT] { expected");
    if (v->count == v->cap) {
        v->cap = v->cap ? 2 * v->cap : 8;
        v->servers = reallocarray(v->servers, v->cap, sizeof *v->servers);
        GVS_ASSERT(v->servers != NULL);
    }
    rs = &v->servers[v->count++];
    *rs = (struct server){.line = head->line,
                          .address = head->words[1],
                          .port = head->count > 2 ? head->words[2] : NULL};
    while ((rc = next(r, &s)) > 0) {
        int one = GVS_OK;

        if (is(&s, "weight") && !s.block)
            set(&rs->weight, &s, "");
        else if (is(&s, "uthreshold") && !s.block)
            set(&rs->upper, &s, "");
        else if (is(&s, "lthreshold") && !s.block)
            set(&rs->lower, &s, "");
        else if (is_one_of(&s, "lvs_method", "lb_kind") && !s.block)
            one = take_method(r, &rs->method, &s);
        else
            one = leave_out(r, &s);
        if (one < 0)
            return -1;
    }
    return rc < 0 ? no_end(r, head) : GVS_OK;
}

static int
read_word(struct reader *r, struct virtual_server *v, const struct statement *s)
{
    if (is(s, "real_server"))
        return read_server(r, v, s);
    if (s->block)
        return leave_out(r, s);
    if (is_one_of(s, "lvs_sched", "lb_algo"))
        set(&v->scheduler, s, "");
    else if (is_one_of(s, "lvs_method", "lb_kind"))
        return take_method(r, &v->method, s);
    else if (is(s, "protocol"))
        set(&v->protocol, s, "");
    else if (is(s, "persistence_timeout"))
        set(&v->persistent, s, PERSISTENT);
    else if (is(s, "persistence_granularity"))
        set(&v->netmask, s, "");
    else if (is(s, "weight"))
        set(&v->weight, s, "");
    else if (is(s, "ip_family"))
        set(&v->family, s, "");
    else if (flag_of(s))
        take_flag(v, s);
    else
        return leave_out(r, s);
    return GVS_OK;
}

/* --- describing it --- */

/* "TCP" is "tcp", but what is none is told as it stands. */
static const char *
protocol_of(const struct virtual_server *v)
{
    static const char *const known[] = {"tcp", "udp", "sctp"};

    for (size_t i = 0; i < 3 && v->protocol.text; i++)
        if (strcasecmp(v->protocol.text, known[i]) == 0)
            return known[i];
    return v->protocol.text ? v->protocol.text : "tcp";
}

/* 10.0.0.1 and 80 are 10.0.0.1:80, fd00::1 and 80 are [fd00::1]:80. */
static void
join(char *text, size_t cap, const char *address, const char *port, const char *more)
{
    bool v6 = strchr(address, ':');

    snprintf(text, cap, "%s%.60s%s:%.20s%s%.20s", v6 ? "[" : "", address, v6 ? "]" : "", port,
             more[0] ? "/" : "", more);
}

static bool
is_v6(const struct virtual_server *v)
{
    if (v->family.text)
        return strcmp(v->family.text, "inet6") == 0;
    return v->count > 0 && strchr(v->servers[0].address, ':');
}

static int
word(struct reader *r, const char *name, const char *value, unsigned line)
{
    return value ? gvs_describe_word(&r->d, name, value, line, r->f) : GVS_OK;
}

static int
describe_server(struct reader *r, const struct virtual_server *v, const struct server *s,
                const char *vip_port)
{
    const struct value *weight = s->weight.text ? &s->weight : &v->weight;
    const struct method *method = s->method.forward.text ? &s->method : &v->method;
    char text[160];

    join(text, sizeof text, s->address, s->port ? s->port : vip_port, "");
    if (gvs_describe_backend(&r->d, text, s->line, r->f) < 0 ||
        word(r, "weight", weight->text, weight->line) < 0 ||
        word(r, "forward", method->forward.text, method->forward.line) < 0 ||
        word(r, "tunnel", method->tunnel[0] ? method->tunnel : NULL, method->forward.line) < 0 ||
        word(r, "upper", s->upper.text, s->upper.line) < 0 ||
        word(r, "lower", s->lower.text, s->lower.line) < 0)
        return -1;
    gvs_describe_backend_end(&r->d);
    return GVS_OK;
}

static int
describe(struct reader *r, const struct virtual_server *v, const char *vip, const char *port,
         unsigned line)
{
    if (gvs_describe_service(&r->d, NULL, line, r->f) < 0 ||
        gvs_describe_vip(&r->d, vip, line, r->f) < 0 ||
        word(r, "scheduler", v->scheduler.text, v->scheduler.line) < 0 ||
        word(r, "persistent", v->persistent.text, v->persistent.line) < 0 ||
        word(r, "netmask", v->netmask.text, v->netmask.line) < 0 ||
        word(r, "flags", v->flags[0] ? v->flags : NULL, v->flags_line) < 0)
        return -1;
    for (size_t i = 0; i < v->count; i++)
        if (describe_server(r, v, &v->servers[i], port) < 0)
            return -1;
    return gvs_describe_service_end(&r->d, r->f);
}

/* One address of it: `words` are ADDRESS [PORT], or fwmark MARK. */
static int
describe_one(struct reader *r, const struct virtual_server *v, const char *const *words,
             size_t count, unsigned line)
{
    bool mark = count > 1 && strcmp(words[0], "fwmark") == 0;
    const char *port = mark || count < 2 ? "0" : words[1];
    char vip[160];

    if (mark)
        snprintf(vip, sizeof vip, "fwmark:%.40s%s", words[1], is_v6(v) ? "/v6" : "");
    else
        join(vip, sizeof vip, words[0], port, protocol_of(v));
    return describe(r, v, vip, port, line);
}

/* --- groups --- */

/* A group may stand behind what names it: the tokens are gone through anew. */
static int
find_group(struct reader *r, const char *name, const struct statement *by)
{
    size_t depth = 0;

    for (size_t i = 0; i + 2 < r->count; i++) {
        const struct token *t = &r->tokens[i];

        depth += t->brace == '{';
        depth -= t->brace == '}' && depth > 0;
        if (depth == 0 && t->text && strcmp(t->text, "virtual_server_group") == 0 && t[1].text &&
            strcmp(t[1].text, name) == 0 && t[2].brace == '{') {
            r->at = i + 3;
            return GVS_OK;
        }
    }
    return gvs_describe_refuse(&r->d, by->line, r->f, "no virtual_server_group '%.60s'", name);
}

static int
describe_group(struct reader *r, const struct virtual_server *v)
{
    size_t was = r->at;
    struct statement s;
    int rc = 0, one = find_group(r, v->head.words[2], &v->head);

    while (one == GVS_OK && (rc = next(r, &s)) > 0) {
        if (s.block || s.count == 0 ||
            (strchr(s.words[0], '-') && strcmp(s.words[0], "fwmark") != 0))
            one = leave_out(r, &s); /* a range of addresses */
        else
            one = describe_one(r, v, s.words, s.count, s.line);
    }
    if (one == GVS_OK && rc < 0)
        one = no_end(r, &v->head);
    r->at = was;
    return one;
}

static int
read_virtual_server(struct reader *r, const struct statement *head)
{
    struct virtual_server v = {.head = *head};
    struct statement s;
    int rc, one = GVS_OK;

    if (head->count < 2 || !head->block)
        return gvs_describe_refuse(&r->d, head->line, r->f,
                                   "virtual_server ADDRESS PORT {, fwmark MARK { or group NAME { "
                                   "expected");
    while (one == GVS_OK && (rc = next(r, &s)) > 0)
        one = read_word(r, &v, &s);
    if (one == GVS_OK && rc < 0)
        one = no_end(r, head);
    if (one == GVS_OK && head->count > 2 && strcmp(head->words[1], "group") == 0)
        one = describe_group(r, &v);
    else if (one == GVS_OK)
        one = describe_one(r, &v, head->words + 1, head->count - 1, head->line);
    free(v.servers);
    return one;
}

/* --- the file --- */

static int
read_file(struct reader *r)
{
    struct statement s;
    int rc, one = GVS_OK;

    while (one == GVS_OK && (rc = next(r, &s)) >= 0) {
        if (rc == 0)
            return gvs_describe_refuse(&r->d, s.line, r->f, "a closing brace too many");
        if (is(&s, "virtual_server"))
            one = read_virtual_server(r, &s);
        else if (is(&s, "virtual_server_group"))
            one = skip(r, &s);
        else
            one = leave_out(r, &s);
    }
    return one;
}

int
gvs_import_keepalived(struct gvs_claims_file *out, const char *label, char *text, size_t len,
                      gvs_import_warn_fn warn_fn, void *ctx, struct gvs_fault *f)
{
    struct reader r = {.warn = warn_fn, .warn_ctx = ctx, .f = f};
    int rc;

    *out = (struct gvs_claims_file){0};
    gvs_describe_begin(&r.d, label, out);
    rc = tokenize(&r, text, len);
    if (rc == GVS_OK)
        rc = read_file(&r);
    free(r.tokens);
    return gvs_describe_end(&r.d, rc, f);
}
