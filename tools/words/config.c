/* tools/words/config.c: what the words of gossipvs.conf mean.
 *
 * Each option is a row of `rules`: what kind of value it takes, its range, and where it goes. */
#include "tools/words/config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/keyring.h"
#include "tools/process/helper.h"
#include "tools/words/syntax.h"

#define KEYRING_LEN_MAX 4096
#define NETNS_DIR "/run/netns/"
#define LETTERS "abcdefghijklmnopqrstuvwxyz"
#define CAPITALS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

enum option {
    CLUSTER,
    NODE,
    KERNEL,
    CONTROL,
    METRICS,
    LIMITS,
    HOOKS,
    NODE_NAME,
    NODE_BIND,
    NODE_ADVERTISE,
    NODE_PEERS,
    NODE_KEYRING,
    NODE_STATE,
    NODE_SERVICES,
    NODE_ADMISSION,
    NODE_ALLOW,
    NODE_DENY,
    KERNEL_MODE,
    KERNEL_AUDIT,
    KERNEL_DRAIN,
    KERNEL_NAMESPACES,
    KERNEL_INTERFACE,
    KERNEL_VIP_ALLOW,
    CONTROL_SOCKET,
    CONTROL_GROUP,
    CONTROL_ADMIN_GROUP,
    METRICS_LISTEN,
    LIMITS_ENTRIES,
    LIMITS_MEMBERS,
    HOOKS_ON_CHANGE,
};

static const struct gvs_syntax_word node_words[] = {
    {"name", GVS_SYNTAX_VALUE, NODE_NAME, NULL},
    {"bind", GVS_SYNTAX_VALUE, NODE_BIND, NULL},
    {"advertise", GVS_SYNTAX_VALUE, NODE_ADVERTISE, NULL},
    {"peers", GVS_SYNTAX_LIST, NODE_PEERS, NULL},
    {"keyring", GVS_SYNTAX_VALUE, NODE_KEYRING, NULL},
    {"state", GVS_SYNTAX_VALUE, NODE_STATE, NULL},
    {"services", GVS_SYNTAX_VALUE, NODE_SERVICES, NULL},
    {"admission", GVS_SYNTAX_VALUE, NODE_ADMISSION, NULL},
    {"allow", GVS_SYNTAX_LIST, NODE_ALLOW, NULL},
    {"deny", GVS_SYNTAX_LIST, NODE_DENY, NULL},
    {0},
};

static const struct gvs_syntax_word kernel_words[] = {
    {"mode", GVS_SYNTAX_VALUE, KERNEL_MODE, NULL},
    {"audit", GVS_SYNTAX_VALUE, KERNEL_AUDIT, NULL},
    {"drain", GVS_SYNTAX_VALUE, KERNEL_DRAIN, NULL},
    {"namespaces", GVS_SYNTAX_LIST, KERNEL_NAMESPACES, NULL},
    {"interface", GVS_SYNTAX_VALUE, KERNEL_INTERFACE, NULL},
    {"vip-allow", GVS_SYNTAX_LIST, KERNEL_VIP_ALLOW, NULL},
    {0},
};

static const struct gvs_syntax_word control_words[] = {
    {"socket", GVS_SYNTAX_VALUE, CONTROL_SOCKET, NULL},
    {"group", GVS_SYNTAX_VALUE, CONTROL_GROUP, NULL},
    {"admin-group", GVS_SYNTAX_VALUE, CONTROL_ADMIN_GROUP, NULL},
    {0},
};

static const struct gvs_syntax_word metrics_words[] = {
    {"listen", GVS_SYNTAX_VALUE, METRICS_LISTEN, NULL},
    {0},
};

static const struct gvs_syntax_word limits_words[] = {
    {"entries", GVS_SYNTAX_VALUE, LIMITS_ENTRIES, NULL},
    {"members", GVS_SYNTAX_VALUE, LIMITS_MEMBERS, NULL},
    {0},
};

static const struct gvs_syntax_word hooks_words[] = {
    {"on-change", GVS_SYNTAX_VALUE, HOOKS_ON_CHANGE, NULL},
    {0},
};

static const struct gvs_syntax_word file_words[] = {
    {"cluster", GVS_SYNTAX_VALUE, CLUSTER, NULL},
    {"node", GVS_SYNTAX_SECTION, NODE, node_words},
    {"kernel", GVS_SYNTAX_SECTION, KERNEL, kernel_words},
    {"control", GVS_SYNTAX_SECTION, CONTROL, control_words},
    {"metrics", GVS_SYNTAX_SECTION, METRICS, metrics_words},
    {"limits", GVS_SYNTAX_SECTION, LIMITS, limits_words},
    {"hooks", GVS_SYNTAX_SECTION, HOOKS, hooks_words},
    {0},
};

enum kind {
    NOTHING,    /* a section */
    PATH,       /* not empty */
    MAYBE_PATH, /* or empty */
    PROGRAM,    /* an absolute path, or empty */
    WORD,       /* 1 to size - 1 letters, digits, '.', '_', '-' */
    NAME,       /* a label */
    LINK,       /* a network interface, or empty */
    ENDPOINT,   /* ADDRESS:PORT */
    LISTEN,     /* the same, or empty */
    PEER,       /* HOST:PORT, appended */
    PREFIX,     /* appended */
    SECONDS,
    COUNT, /* a size_t */
    MODE,
    ADMISSION,
    IDS,   /* appended */
    NETNS, /* appended */
};

#define SIZE_OF(field) sizeof(((struct gvs_config *)NULL)->field)
#define PLACE(field) .at = offsetof(struct gvs_config, field), .size = SIZE_OF(field)

static const struct rule {
    enum kind kind;
    size_t at, size;
    unsigned min, max;
} rules[] = {
    [CLUSTER] = {.kind = WORD, PLACE(cluster)},
    [NODE_NAME] = {.kind = NAME, PLACE(name)},
    [NODE_BIND] = {.kind = ENDPOINT, PLACE(bind)},
    [NODE_ADVERTISE] = {.kind = ENDPOINT, PLACE(advertise)},
    [NODE_PEERS] = {.kind = PEER},
    [NODE_KEYRING] = {.kind = PATH, PLACE(keyring)},
    [NODE_STATE] = {.kind = PATH, PLACE(state)},
    [NODE_SERVICES] = {.kind = MAYBE_PATH, PLACE(services)},
    [NODE_ADMISSION] = {.kind = ADMISSION},
    [NODE_ALLOW] = {.kind = IDS},
    [NODE_DENY] = {.kind = IDS},
    [KERNEL_MODE] = {.kind = MODE},
    [KERNEL_AUDIT] = {.kind = SECONDS, PLACE(audit_seconds), .min = 1, .max = 3600},
    [KERNEL_DRAIN] = {.kind = SECONDS, PLACE(drain_seconds), .min = 0, .max = 86400},
    [KERNEL_NAMESPACES] = {.kind = NETNS},
    [KERNEL_INTERFACE] = {.kind = LINK, PLACE(interface)},
    [KERNEL_VIP_ALLOW] = {.kind = PREFIX},
    [CONTROL_SOCKET] = {.kind = MAYBE_PATH, PLACE(socket)},
    [CONTROL_GROUP] = {.kind = WORD, PLACE(group)},
    [CONTROL_ADMIN_GROUP] = {.kind = WORD, PLACE(admin_group)},
    [METRICS_LISTEN] = {.kind = LISTEN},
    [LIMITS_ENTRIES] = {.kind = COUNT, PLACE(limits.entries), .min = 1, .max = 4000000},
    [LIMITS_MEMBERS] = {.kind = COUNT, PLACE(limits.members), .min = 1, .max = 10000},
    [HOOKS_ON_CHANGE] = {.kind = PROGRAM, PLACE(on_change)},
};

static_assert(sizeof rules / sizeof *rules <= GVS_CONFIG_WORDS_MAX, "a line for each");

struct parse {
    const char *label;
    struct gvs_config config;
    bool netns_given;
};

static const char *
base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

static int
set_text(char *field, size_t size, const char *text)
{
    size_t len = strlen(text);

    if (len >= size)
        return GVS_E_NOSPACE;
    memcpy(field, text, len + 1);
    return GVS_OK;
}

/* What an event's value is wrong for: "audit = 5x: seconds expected, 1 to 3600". */
__attribute__((format(printf, 4, 5))) static int
refuse(const struct parse *p, const struct gvs_syntax_event *ev, struct gvs_fault *fault,
       const char *fmt, ...)
{
    char why[192];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    return gvs_fault_set(fault, GVS_EXIT_USAGE, "%s:%u: %s = %.100s: %s", p->label, ev->line,
                         ev->word->name,
                         ev->text == NULL      ? "{}"
                         : ev->text[0] == '\0' ? "\"\""
                                               : ev->text,
                         why);
}

static int
give_endpoint(struct parse *p, const struct gvs_syntax_event *ev, struct gvs_ep *ep,
              struct gvs_fault *fault)
{
    struct gvs_addr_fault why;
    int rc = gvs_ep_parse(ep, ev->text, strlen(ev->text), &why);

    if (rc < 0 && why.why == GVS_ADDR_NO_PORT)
        return refuse(p, ev, fault, "the port is missing");
    if (rc < 0 && why.why == GVS_ADDR_OCTET)
        return refuse(p, ev, fault, "%.*s is over 255", (int)why.len, ev->text + why.at);
    if (rc < 0)
        return refuse(p, ev, fault, "ADDRESS:PORT expected, or [IPV6]:PORT");
    if (ep->port == 0 || gvs_addr_is_multicast(&ep->addr))
        return refuse(p, ev, fault, "%s",
                      ep->port == 0 ? "a port from 1 to 65535 expected"
                                    : "a multicast or broadcast address");
    return GVS_OK;
}

/* Is it `host:port` of a name, of IPv4, or of IPv6 in brackets? A name is labels of letters, digits
 * and '-', which is what a resolver takes; the last of a name is not a number. */
static bool
peer_valid(const char *text)
{
    const char *colon = strrchr(text, ':');
    size_t len = colon == NULL ? 0 : (size_t)(colon - text), label = 0;
    struct gvs_ep ep;
    unsigned port;

    if (gvs_ep_parse(&ep, text, strlen(text), NULL) == GVS_OK)
        return ep.port != 0 && !gvs_addr_is_any(&ep.addr) && !gvs_addr_is_multicast(&ep.addr);
    if (len == 0 || len > 253 || gvs_syntax_number(&port, colon + 1, 1, 65535) < 0)
        return false;
    if (strspn(text, LETTERS CAPITALS DIGITS ".-_") != len)
        return false;
    for (size_t i = 0; i < len; i++) {
        label = text[i] == '.' ? 0 : label + 1;
        if (label > 63 || (text[i] == '.' && (i == 0 || text[i - 1] == '.')))
            return false;
        if (text[i] == '-' && label == 1)
            return false;
    }
    while (len > 0 && text[len - 1] != '.')
        len--;
    return strspn(text + len, DIGITS) != (size_t)(colon - text) - len;
}

static int
give_peer(struct parse *p, const struct gvs_syntax_event *ev, struct gvs_fault *fault)
{
    struct gvs_config *c = &p->config;

    if (ev->text == NULL)
        return GVS_OK;
    if (!peer_valid(ev->text))
        return refuse(p, ev, fault, "HOST:PORT expected, or [IPV6]:PORT");
    if (c->peer_count == GVS_CONFIG_PEERS_MAX)
        return refuse(p, ev, fault, "more than %d peers; any one that is alive is enough",
                      GVS_CONFIG_PEERS_MAX);
    if (set_text(c->peers[c->peer_count], sizeof c->peers[0], ev->text) < 0)
        return refuse(p, ev, fault, "too long");
    c->peer_count++;
    return GVS_OK;
}

static int
give_prefix(struct parse *p, const struct gvs_syntax_event *ev, struct gvs_fault *fault)
{
    struct gvs_config *c = &p->config;
    struct gvs_addr_fault why;

    if (ev->text == NULL)
        return GVS_OK;
    if (c->allow_count == GVS_CONFIG_ALLOW_MAX)
        return refuse(p, ev, fault, "more than %d prefixes", GVS_CONFIG_ALLOW_MAX);
    if (gvs_prefix_parse(&c->allow[c->allow_count], ev->text, strlen(ev->text), &why) < 0)
        return refuse(p, ev, fault, "%s",
                      why.why == GVS_ADDR_BITS
                          ? "the length is out of range, or the host's bits are not 0"
                          : "a prefix like 10.99.0.0/16 expected");
    c->allow_count++;
    return GVS_OK;
}

static int
give_admission(struct parse *p, const struct gvs_syntax_event *ev, struct gvs_fault *fault)
{
    p->config.admission.listed_only = strcmp(ev->text, "allowlist") == 0;
    if (p->config.admission.listed_only || strcmp(ev->text, "psk") == 0)
        return GVS_OK;
    return refuse(p, ev, fault, "psk or allowlist expected");
}

static int
give_id(struct parse *p, const struct gvs_syntax_event *ev, struct gvs_fault *fault)
{
    struct gvs_admission *a = &p->config.admission;
    bool deny = ev->word->id == NODE_DENY;
    size_t *count = deny ? &a->deny_count : &a->allow_count;

    if (ev->text == NULL)
        return GVS_OK;
    if (*count == GVS_ADMISSION_MAX)
        return refuse(p, ev, fault, "more than %d ids", GVS_ADMISSION_MAX);
    if (gvs_id_parse(&(deny ? a->deny : a->allow)[*count], ev->text, strlen(ev->text)) < 0)
        return refuse(p, ev, fault, "a node's id expected (gossipvs -j members)");
    ++*count;
    return GVS_OK;
}

static bool
is_pattern(const char *text)
{
    return strpbrk(text, "*?[") &&
           strspn(text, LETTERS CAPITALS DIGITS "@:+=._-*?[]!") == strlen(text);
}

/* "host", a name, or a pattern for those below /run/netns. */
static int
give_netns(struct parse *p, const struct gvs_syntax_event *ev, struct gvs_fault *fault)
{
    struct gvs_config *c = &p->config;
    const char *text = ev->text;
    bool path = text && strncmp(text, NETNS_DIR, sizeof NETNS_DIR - 1) == 0;

    if (!p->netns_given)
        c->netns_host = false;
    p->netns_given = true;
    if (text == NULL)
        return refuse(p, ev, fault, "a namespace is missing; \"host\" is the agent's own");
    if (strcmp(text, "host") == 0) {
        c->netns_host = true;
        return GVS_OK;
    }
    text += path ? sizeof NETNS_DIR - 1 : 0;
    if (!gvs_helper_name_valid(text) && !(path && is_pattern(text)))
        return refuse(p, ev, fault, "host, a name, or /run/netns/PATTERN expected");
    if (c->netns_count == GVS_CONFIG_NETNS_MAX)
        return refuse(p, ev, fault, "more than %d; a pattern will do", GVS_CONFIG_NETNS_MAX);
    if (set_text(c->netns[c->netns_count], sizeof c->netns[0], text) < 0)
        return refuse(p, ev, fault, "too long");
    c->netns_count++;
    return GVS_OK;
}

static int
give_mode(struct parse *p, const struct gvs_syntax_event *ev, struct gvs_fault *fault)
{
    static const char *const modes[] = {"program", "observe", NULL};
    const char *near = gvs_nearest(ev->text, modes);

    p->config.observe = strcmp(ev->text, "observe") == 0;
    if (p->config.observe || strcmp(ev->text, "program") == 0)
        return GVS_OK;
    return refuse(p, ev, fault, "program or observe expected%s%s%s",
                  near != NULL ? " (did you mean " : "", near != NULL ? near : "",
                  near != NULL ? "?)" : "");
}

/* A name that the kernel takes: dev_valid_name() in net/core/dev.c. */
static bool
link_valid(const char *text)
{
    return strcspn(text, "/: \t") == strlen(text) && strcmp(text, ".") != 0 &&
           strcmp(text, "..") != 0;
}

static int
give_text(struct parse *p, const struct gvs_syntax_event *ev, const struct rule *rule, char *field,
          struct gvs_fault *fault)
{
    size_t len = strlen(ev->text);

    if (rule->kind == NAME && !gvs_name_valid(ev->text, len))
        return refuse(p, ev, fault, "a label expected: a-z, 0-9, '.', '_', '-', at most %d",
                      GVS_NAME_LEN_MAX);
    if (rule->kind == LINK && !link_valid(ev->text))
        return refuse(p, ev, fault, "no name for an interface");
    if (rule->kind == WORD && strspn(ev->text, LETTERS CAPITALS DIGITS "._-") != len)
        return refuse(p, ev, fault, "letters, digits, '.', '_', '-' expected");
    if (rule->kind == PROGRAM && len > 0 && ev->text[0] != '/')
        return refuse(p, ev, fault, "the whole path of a program expected");
    if (len == 0 && rule->kind != LINK && rule->kind != PROGRAM && rule->kind != MAYBE_PATH)
        return refuse(p, ev, fault, "must not be empty");
    if (set_text(field, rule->size, ev->text) < 0)
        return refuse(p, ev, fault, "longer than %zu characters", rule->size - 1);
    return GVS_OK;
}

/* Where HTTP is answered. */
static int
give_listen(struct parse *p, const struct gvs_syntax_event *ev, struct gvs_fault *fault)
{
    struct gvs_ep *ep = &p->config.metrics;

    *ep = (struct gvs_ep){0};
    if (ev->text[0] == '\0')
        return GVS_OK;
#ifdef GVS_MICROHTTPD
    return give_endpoint(p, ev, ep, fault);
#else
    return refuse(p, ev, fault, "built without libmicrohttpd; gossipvs metrics has the same");
#endif
}

static int
give(struct parse *p, const struct gvs_syntax_event *ev, struct gvs_fault *fault)
{
    const struct rule *rule = &rules[ev->word->id];
    char *field = (char *)&p->config + rule->at;
    unsigned count;

    switch (rule->kind) {
    case PATH:
    case MAYBE_PATH:
    case PROGRAM:
    case WORD:
    case NAME:
    case LINK:
        return give_text(p, ev, rule, field, fault);
    case ENDPOINT:
        return give_endpoint(p, ev, (struct gvs_ep *)field, fault);
    case LISTEN:
        return give_listen(p, ev, fault);
    case PEER:
        return give_peer(p, ev, fault);
    case PREFIX:
        return give_prefix(p, ev, fault);
    case SECONDS:
        if (gvs_syntax_seconds((unsigned *)field, ev->text, rule->min, rule->max) < 0)
            return refuse(p, ev, fault, "seconds expected, %u to %u", rule->min, rule->max);
        return GVS_OK;
    case COUNT:
        if (gvs_syntax_number(&count, ev->text, rule->min, rule->max) < 0)
            return refuse(p, ev, fault, "a number expected, %u to %u", rule->min, rule->max);
        *(size_t *)field = count;
        return GVS_OK;
    case MODE:
        return give_mode(p, ev, fault);
    case ADMISSION:
        return give_admission(p, ev, fault);
    case NETNS:
        return give_netns(p, ev, fault);
    case IDS:
        return give_id(p, ev, fault);
    case NOTHING:
        break;
    }
    return GVS_OK;
}

static int
on_event(void *ctx, const struct gvs_syntax_event *ev, struct gvs_fault *fault)
{
    struct parse *p = ctx;
    int rc;

    if (ev->what != GVS_SYNTAX_GIVEN)
        return GVS_OK;
    rc = give(p, ev, fault);
    if (ev->text != NULL && p->config.lines[ev->word->id] == 0)
        p->config.lines[ev->word->id] = ev->line;
    return rc;
}

/* The host's name up to the first dot, in small letters. */
static int
default_name(struct parse *p, struct gvs_fault *fault)
{
    char host[256] = "";

    if (gethostname(host, sizeof host - 1) < 0)
        host[0] = '\0';
    host[strcspn(host, ".")] = '\0';
    for (char *c = host; *c != '\0'; c++) {
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    }
    if (!gvs_name_valid(host, strlen(host)))
        return gvs_fault_set(fault, GVS_EXIT_USAGE,
                             "%s: node.name is missing (the host name '%.80s' is no label)",
                             p->label, host);
    return set_text(p->config.name, sizeof p->config.name, host);
}

/* "/etc/gossipvs/services.d/" -> "/etc/gossipvs/maintenance.d" */
static void
set_maintenance(struct gvs_config *c)
{
    size_t len = strlen(c->services);

    c->maintenance[0] = '\0';
    if (len == 0)
        return;
    while (len > 1 && c->services[len - 1] == '/')
        len--;
    while (len > 0 && c->services[len - 1] != '/')
        len--;
    snprintf(c->maintenance, sizeof c->maintenance, "%.*smaintenance.d", (int)len, c->services);
}

/* What no single option can be blamed for. */
static int
complete(struct parse *p, struct gvs_fault *fault)
{
    struct gvs_config *c = &p->config;

    if (c->cluster[0] == '\0')
        return gvs_fault_set(fault, GVS_EXIT_USAGE, "%s: cluster is missing", p->label);
    if (c->name[0] == '\0' && default_name(p, fault) < 0)
        return -1;
    if (c->admission.listed_only && c->admission.allow_count == 0) {
        gvs_fault_set(fault, GVS_EXIT_USAGE,
                      "%s: admission = allowlist, and node.allow is empty: nobody could join",
                      p->label);
        gvs_fault_hint(fault, "gossipvs -j members shows the ids");
        return -1;
    }
    if (c->lines[NODE_ADVERTISE] == 0 && gvs_addr_is_any(&c->bind.addr)) {
        gvs_fault_set(fault, GVS_EXIT_USAGE, "%s: node.advertise is missing (bind is %s)", p->label,
                      c->lines[NODE_BIND] == 0 ? "not given either" : "every address");
        gvs_fault_hint(fault, "advertise = \"ADDRESS:PORT\" that the other nodes reach");
        return -1;
    }
    set_maintenance(c);
    if (c->lines[NODE_ADVERTISE] == 0)
        c->advertise = c->bind;
    if (gvs_addr_is_any(&c->advertise.addr))
        return gvs_fault_set(fault, GVS_EXIT_USAGE,
                             "%s:%u: advertise: an address that other nodes reach expected",
                             p->label, c->lines[NODE_ADVERTISE]);
    return GVS_OK;
}

static void
set_defaults(struct gvs_config *c)
{
    *c = (struct gvs_config){
        .bind = {.addr = {.family = GVS_FAMILY_V4}, .port = 7900},
        .keyring = "/etc/gossipvs/keyring",
        .state = "/var/lib/gossipvs",
        .services = "/etc/gossipvs/services.d",
        .audit_seconds = 5,
        .drain_seconds = 60,
        .netns_host = true,
        .interface = "gossipvs0",
        .socket = "/run/gossipvs/gossipvs.sock",
        .group = "gossipvs",
        .admin_group = "gossipvs-admin",
        .limits = GVS_LIMITS_DEFAULT,
    };
}

int
gvs_config_read(struct gvs_config *out, const char *path, struct gvs_fault *fault)
{
    struct parse p = {.label = base_name(path)};

    set_defaults(&p.config);
    if (set_text(p.config.path, sizeof p.config.path, path) < 0)
        return gvs_fault_set(fault, GVS_EXIT_USAGE, "%.80s...: a path too long", path);
    if (gvs_syntax_read(path, p.label, file_words, on_event, &p, fault) < 0)
        return -1;
    if (complete(&p, fault) < 0)
        return -1;
    *out = p.config;
    return GVS_OK;
}

void
gvs_config_embed(struct gvs_config *c)
{
    if (c->lines[CONTROL_SOCKET] == 0)
        c->socket[0] = '\0';
    if (c->lines[NODE_SERVICES] == 0)
        c->services[0] = '\0';
    set_maintenance(c);
}

/* What is in force. */

/* The i-th word that takes a value, and the section that it is in, or NULL. */
static const struct gvs_syntax_word *
nth_word(size_t i, const struct gvs_syntax_word **section)
{
    for (const struct gvs_syntax_word *w = file_words; w->name != NULL; w++) {
        *section = w->form == GVS_SYNTAX_SECTION ? w : NULL;
        for (const struct gvs_syntax_word *v = *section ? w->words : w; v->name != NULL; v++) {
            if (i-- == 0)
                return v;
            if (*section == NULL)
                break;
        }
    }
    return NULL;
}

bool
gvs_config_option(struct gvs_config_option *out, const struct gvs_config *c, size_t i)
{
    const struct gvs_syntax_word *section, *w = nth_word(i, &section);
    enum kind kind = w == NULL ? NOTHING : rules[w->id].kind;

    if (w == NULL)
        return false;
    *out = (struct gvs_config_option){
        .section = section == NULL ? "" : section->name,
        .name = w->name,
        .list = w->form == GVS_SYNTAX_LIST,
        .number = kind == SECONDS || kind == COUNT,
        .word = kind == MODE || kind == ADMISSION,
        .line = c->lines[w->id],
    };
    return true;
}

/* A name that is "host" is not the one that means the agent's own. */
static bool
netns_text(char text[static GVS_CONFIG_PATH_MAX], const struct gvs_config *c, size_t n)
{
    const char *name;

    if (c->netns_host && n == 0)
        return set_text(text, GVS_CONFIG_PATH_MAX, "host") == GVS_OK;
    n -= c->netns_host;
    if (n >= c->netns_count)
        return false;
    name = c->netns[n];
    snprintf(text, GVS_CONFIG_PATH_MAX, "%s%s",
             is_pattern(name) || strcmp(name, "host") == 0 ? NETNS_DIR : "", name);
    return true;
}

static bool
id_text(char text[static GVS_CONFIG_PATH_MAX], const struct gvs_config *c, bool deny, size_t n)
{
    const struct gvs_admission *a = &c->admission;

    if (n >= (deny ? a->deny_count : a->allow_count))
        return false;
    gvs_id_format(text, &(deny ? a->deny : a->allow)[n]);
    return true;
}

/* Of what is no list. */
static void
single_text(char text[static GVS_CONFIG_PATH_MAX], const struct gvs_config *c,
            const struct rule *rule)
{
    const char *field = (const char *)c + rule->at;

    switch (rule->kind) {
    case ENDPOINT:
        gvs_ep_format(text, (const struct gvs_ep *)field);
        return;
    case SECONDS:
        snprintf(text, GVS_CONFIG_PATH_MAX, "%u", *(const unsigned *)field);
        return;
    case COUNT:
        snprintf(text, GVS_CONFIG_PATH_MAX, "%zu", *(const size_t *)field);
        return;
    case MODE:
        field = c->observe ? "observe" : "program";
        break;
    case ADMISSION:
        field = c->admission.listed_only ? "allowlist" : "psk";
        break;
    case LISTEN:
        text[0] = '\0';
        if (c->metrics.addr.family != GVS_FAMILY_NONE)
            gvs_ep_format(text, &c->metrics);
        return;
    default:
        break;
    }
    snprintf(text, GVS_CONFIG_PATH_MAX, "%s", field);
}

bool
gvs_config_value(char text[static GVS_CONFIG_PATH_MAX], const struct gvs_config *c, size_t i,
                 size_t n)
{
    const struct gvs_syntax_word *section, *w = nth_word(i, &section);

    GVS_ASSERT(w != NULL);
    switch (rules[w->id].kind) {
    case PEER:
        return n < c->peer_count && set_text(text, GVS_CONFIG_PATH_MAX, c->peers[n]) == GVS_OK;
    case PREFIX:
        return n < c->allow_count && gvs_prefix_format(text, &c->allow[n]) > 0;
    case IDS:
        return id_text(text, c, w->id == NODE_DENY, n);
    case NETNS:
        return netns_text(text, c, n);
    default:
        break;
    }
    if (n > 0 || w->form == GVS_SYNTAX_LIST)
        return false;
    single_text(text, c, &rules[w->id]);
    return true;
}

/* The keyring. */

static int
unreadable(const char *path, struct gvs_fault *fault)
{
    int err = errno;
    struct passwd one, *pw = NULL;
    char uid[32], room[1024];

    snprintf(uid, sizeof uid, "uid %ld", (long)geteuid());
    (void)getpwuid_r(geteuid(), &one, room, sizeof room, &pw);
    gvs_fault_set(fault, GVS_EXIT_USAGE, "cannot read key %s: %s (running as %s)", path,
                  strerror(err), pw != NULL ? pw->pw_name : uid);
    if (err == ENOENT)
        gvs_fault_hint(fault, "gossipvs keys generate");
    else if (err == EACCES)
        gvs_fault_hint(fault, "LoadCredential=%s:%s in the unit, or chmod 0640, chgrp gossipvs",
                       base_name(path), path);
    return -1;
}

static int
check_keyring_file(const struct stat *st, const char *path, struct gvs_fault *fault)
{
    unsigned mode = st->st_mode & 07777;
    const char *what = NULL;

    if (!S_ISREG(st->st_mode))
        return gvs_fault_set(fault, GVS_EXIT_USAGE, "%s is not a file; refusing", path);
    if ((mode & 04) != 0)
        what = "readable by everyone";
    else if ((mode & 03) != 0)
        what = "open to everyone";
    else if ((mode & 020) != 0)
        what = "writable by its group";
    if (what != NULL) {
        gvs_fault_set(fault, GVS_EXIT_USAGE, "%s is %s (%04o); refusing", path, what, mode);
        gvs_fault_hint(fault, "chmod 0600 %s", path);
        return -1;
    }
    if (st->st_nlink > 1)
        return gvs_fault_set(fault, GVS_EXIT_USAGE, "%s has %lu names (hard links); refusing", path,
                             (unsigned long)st->st_nlink);
    if (st->st_size > KEYRING_LEN_MAX)
        return gvs_fault_set(fault, GVS_EXIT_USAGE, "%s has %lld bytes, a keyring at most %d", path,
                             (long long)st->st_size, KEYRING_LEN_MAX);
    return GVS_OK;
}

static int
parse_keyring(struct gvs_keyring *out, const char *text, size_t len, const char *path,
              struct gvs_fault *fault)
{
    struct gvs_keyring_fault why;

    if (gvs_keyring_parse(out, text, len, &why) == GVS_OK)
        return GVS_OK;
    if (why.line == 0)
        return gvs_fault_set(fault, GVS_EXIT_USAGE, "%s: %s", base_name(path), why.text);
    return gvs_fault_set(fault, GVS_EXIT_USAGE, "%s line %zu: %s", base_name(path), why.line,
                         why.text);
}

int
gvs_config_keyring(struct gvs_keyring *out, const char *path, struct gvs_fault *fault)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc = -1;
    char text[KEYRING_LEN_MAX];
    struct stat st;
    size_t len = 0;
    ssize_t n;

    gvs_keyring_wipe(out);
    if (fd < 0)
        return unreadable(path, fault);
    if (fstat(fd, &st) < 0) {
        unreadable(path, fault);
        goto out;
    }
    if (check_keyring_file(&st, path, fault) < 0)
        goto out;
    while ((n = read(fd, text + len, sizeof text - len)) > 0)
        len += (size_t)n;
    if (n < 0)
        unreadable(path, fault);
    else
        rc = parse_keyring(out, text, len, path, fault);
out:
    gvs_crypto_wipe(text, sizeof text);
    close(fd);
    return rc;
}
