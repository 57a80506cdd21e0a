/* tools/cli/import_ipvsadm.c: each line is read by itself; then those of a service are put
 * together, since nothing says that they stand together. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/plan.h"
#include "tools/cli/import.h"
#include "tools/words/describe.h"
#include "tools/words/words.h"

#define WORDS_MAX 40 /* of a line; ipvsadm prints up to 18 */

/* What a line says, as text that lies in it. */
struct line {
    unsigned number;
    bool server; /* -a, not -A */
    char vip[GVS_SVCID_TEXT_LEN + 16];
    struct gvs_svcid id;
    bool v6;
    const char *sched, *persistent, *netmask;
    char flags[24];
    const char *address, *forward, *weight, *upper, *lower, *tun_type, *tun_port;
};

struct lines {
    struct line *v;
    size_t count, cap;
};

/* --- options --- */

enum option {
    ADD_SERVICE,
    ADD_SERVER,
    TCP,
    UDP,
    SCTP,
    MARK,
    V6,
    SCHED,
    PERSISTENT,
    NETMASK,
    OPS,
    FLAGS,
    SERVER,
    MASQ,
    TUNNEL,
    DIRECT,
    WEIGHT,
    UPPER,
    LOWER,
    TUN_TYPE,
    TUN_PORT,
    NOCSUM,
    UNKNOWN
};

static const struct {
    const char *brief, *full;
    enum option option;
    bool takes_value;
} options[] = {
    {"-A", "--add-service", ADD_SERVICE, false},
    {"-a", "--add-server", ADD_SERVER, false},
    {"-t", "--tcp-service", TCP, true},
    {"-u", "--udp-service", UDP, true},
    {"", "--sctp-service", SCTP, true},
    {"-f", "--fwmark-service", MARK, true},
    {"-6", "--ipv6", V6, false},
    {"-s", "--scheduler", SCHED, true},
    {"-p", "--persistent", PERSISTENT, false}, /* may take one */
    {"-M", "--netmask", NETMASK, true},
    {"-o", "--ops", OPS, false},
    {"-b", "--sched-flags", FLAGS, true},
    {"-r", "--real-server", SERVER, true},
    {"-m", "--masquerading", MASQ, false},
    {"-i", "--ipip", TUNNEL, false},
    {"-g", "--gatewaying", DIRECT, false},
    {"-w", "--weight", WEIGHT, true},
    {"-x", "--u-threshold", UPPER, true},
    {"-y", "--l-threshold", LOWER, true},
    {"", "--tun-type", TUN_TYPE, true},
    {"", "--tun-port", TUN_PORT, true},
    {"", "--tun-nocsum", NOCSUM, false}, /* what IPVS does unless told */
};
#define OPTIONS (sizeof options / sizeof *options)

static int
put_flag(struct line *l, const char *flag)
{
    size_t len = strlen(l->flags), more = strlen(flag);

    if (len + more + 2 > sizeof l->flags)
        return GVS_E_FULL;
    snprintf(l->flags + len, sizeof l->flags - len, "%s%s", len ? "," : "", flag);
    return GVS_OK;
}

/* "sh-fallback,sh-port", "flag-1" */
static int
take_flags(struct line *l, char *text)
{
    static const struct {
        const char *theirs, *ours;
    } known[] = {{"sh-fallback", "fallback"}, {"mh-fallback", "fallback"}, {"flag-1", "fallback"},
                 {"sh-port", "port"},         {"mh-port", "port"},         {"flag-2", "port"}};
    char *rest = NULL;

    for (char *flag = strtok_r(text, ",", &rest); flag; flag = strtok_r(NULL, ",", &rest)) {
        size_t i = 0;

        while (i < sizeof known / sizeof *known && strcmp(known[i].theirs, flag) != 0)
            i++;
        if (i == sizeof known / sizeof *known || put_flag(l, known[i].ours) < 0)
            return GVS_E_MALFORMED;
    }
    return GVS_OK;
}

static int
take_vip(struct line *l, enum option option, const char *value)
{
    static const char *const protos[] = {[TCP] = "/tcp", [UDP] = "/udp", [SCTP] = "/sctp"};
    long number;
    int len;

    if (l->vip[0])
        return GVS_E_MALFORMED;
    if (option != MARK)
        len = snprintf(l->vip, sizeof l->vip, "%s%s", value, protos[option]);
    else if (value[0] == '-' && (number = strtol(value, NULL, 10)) >= INT32_MIN)
        /* ipvsadm prints marks from 2^31 on as negative numbers, which it does not take itself. */
        len = snprintf(l->vip, sizeof l->vip, "fwmark:%" PRIu32, (uint32_t)number);
    else
        len = snprintf(l->vip, sizeof l->vip, "fwmark:%s", value);
    return (size_t)len + sizeof "/v6" <= sizeof l->vip ? GVS_OK : GVS_E_MALFORMED;
}

/* Once each. */
static int
take(const char **out, const char *value)
{
    if (*out)
        return GVS_E_MALFORMED;
    *out = value;
    return GVS_OK;
}

static int
take_option(struct line *l, enum option option, char *value)
{
    switch (option) {
    case TCP:
    case UDP:
    case SCTP:
    case MARK:
        return take_vip(l, option, value);
    case V6:
        l->v6 = true;
        return GVS_OK;
    case SCHED:
        return take(&l->sched, value);
    case PERSISTENT:
        return take(&l->persistent, value ? value : "300");
    case NETMASK:
        return take(&l->netmask, value);
    case OPS:
        return put_flag(l, "ops");
    case FLAGS:
        return take_flags(l, value);
    case SERVER:
        return take(&l->address, value);
    case MASQ:
        return take(&l->forward, "nat");
    case TUNNEL:
        return take(&l->forward, "tun");
    case DIRECT:
        return take(&l->forward, "dr");
    case WEIGHT:
        return take(&l->weight, value);
    case UPPER:
        return take(&l->upper, value);
    case LOWER:
        return take(&l->lower, value);
    case TUN_TYPE:
        return take(&l->tun_type, value);
    case TUN_PORT:
        return take(&l->tun_port, value);
    default:
        return GVS_OK;
    }
}

/* Options that a line of the other kind has. */
static bool
belongs(const struct line *l, enum option option)
{
    if (option == SCHED || option == PERSISTENT || option == NETMASK || option == OPS ||
        option == FLAGS)
        return !l->server;
    return option < SERVER || l->server;
}

/* --- a line --- */

static size_t
split(char *text, char *words[static WORDS_MAX])
{
    char *rest = NULL;
    size_t n = 0;

    for (char *w = strtok_r(text, " \t\r", &rest); w && n < WORDS_MAX;
         w = strtok_r(NULL, " \t\r", &rest))
        words[n++] = w;
    return n;
}

static size_t
find_option(const char *word)
{
    size_t i = 0;

    while (i < OPTIONS && strcmp(options[i].brief, word) != 0 && strcmp(options[i].full, word) != 0)
        i++;
    return i;
}

static int
read_options(const struct gvs_describe *d, struct line *l, char **words, size_t count,
             struct gvs_fault *f)
{
    for (size_t i = 0; i < count; i++) {
        size_t o = find_option(words[i]);
        const char *word = words[i];
        char *value = NULL;

        if (o == OPTIONS || options[o].option <= ADD_SERVER)
            return gvs_describe_refuse(d, l->number, f, "'%.60s' has no counterpart here", word);
        if (!belongs(l, options[o].option))
            return gvs_describe_refuse(d, l->number, f, "'%.60s' does not go with %s", word,
                                       l->server ? "-a" : "-A");
        if (options[o].takes_value && i + 1 == count)
            return gvs_describe_refuse(d, l->number, f, "'%.60s' has no value", word);
        if (options[o].takes_value ||
            (options[o].option == PERSISTENT && i + 1 < count && words[i + 1][0] != '-'))
            value = words[++i];
        if (take_option(l, options[o].option, value) < 0)
            return gvs_describe_refuse(d, l->number, f,
                                       "'%.60s%s%.60s' cannot be, or is one too many", word,
                                       value ? " " : "", value ? value : "");
    }
    return GVS_OK;
}

/* The end of it: what all words together are. */
static int
finish(const struct gvs_describe *d, struct line *l, struct gvs_fault *f)
{
    struct gvs_fault was;

    if (!l->vip[0])
        return gvs_describe_refuse(d, l->number, f, "which service? (-t, -u, --sctp-service, -f)");
    if (l->server && !l->address)
        return gvs_describe_refuse(d, l->number, f, "which server? (-r)");
    if (l->v6 && strncmp(l->vip, "fwmark:", 7) == 0)
        snprintf(l->vip + strlen(l->vip), sizeof l->vip - strlen(l->vip), "/v6");
    if (gvs_words_vip(&l->id, l->vip, &was) < 0) {
        gvs_describe_refuse(d, l->number, f, "%s", was.text);
        gvs_fault_hint(f, "ipvsadm -Sn prints numbers");
        return -1;
    }
    return GVS_OK;
}

/* 1 it is one, 0 there is nothing on it. */
static int
read_line(const struct gvs_describe *d, struct line *l, char *text, struct gvs_fault *f)
{
    char *words[WORDS_MAX];
    size_t count = split(text, words), at = 0;

    if (count > 0 && (strcmp(words[0], "ipvsadm") == 0 ||
                      (strlen(words[0]) > 8 && strcmp(strrchr(words[0], 0) - 8, "/ipvsadm") == 0)))
        at++;
    if (at == count || words[at][0] == '#')
        return 0;
    if (count == WORDS_MAX)
        return gvs_describe_refuse(d, l->number, f, "too many words");
    if (find_option(words[at]) > 1)
        return gvs_describe_refuse(d, l->number, f, "'%.60s': a line begins with -A or -a",
                                   words[at]);
    l->server = options[find_option(words[at])].option == ADD_SERVER;
    if (read_options(d, l, words + at + 1, count - at - 1, f) < 0 || finish(d, l, f) < 0)
        return -1;
    return 1;
}

static int
read_lines(const struct gvs_describe *d, struct lines *all, char *text, size_t len,
           struct gvs_fault *f)
{
    char *end = text + len;
    unsigned number = 0;

    while (text < end) {
        char *next = memchr(text, '\n', (size_t)(end - text));
        struct line *l;
        int rc;

        if (all->count == all->cap) {
            all->cap = all->cap ? 2 * all->cap : 64;
            all->v = reallocarray(all->v, all->cap, sizeof *all->v);
            GVS_ASSERT(all->v != NULL);
        }
        next = next ? next : end;
        l = &all->v[all->count];
        *l = (struct line){.number = ++number};
        if (memchr(text, 0, (size_t)(next - text)))
            return gvs_describe_refuse(d, number, f, "a control character (byte 0x00)");
        *next = 0; /* the last has room behind it */
        rc = read_line(d, l, text, f);
        if (rc < 0)
            return rc;
        all->count += (size_t)rc;
        text = next + 1;
    }
    return GVS_OK;
}

/* --- together --- */

/* A service before its servers, each in the order of the lines. */
static int
cmp(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    int sign = gvs_svcid_cmp(&x->id, &y->id);

    if (sign != 0 || x->server != y->server)
        return sign != 0 ? sign : x->server - y->server;
    return (x->number > y->number) - (x->number < y->number);
}

static int
word(struct gvs_describe *d, const struct line *l, const char *name, const char *value,
     struct gvs_fault *f)
{
    return value && value[0] ? gvs_describe_word(d, name, value, l->number, f) : GVS_OK;
}

static int
describe_service(struct gvs_describe *d, const struct line *l, struct gvs_fault *f)
{
    if (gvs_describe_service(d, NULL, l->number, f) < 0 ||
        gvs_describe_vip(d, l->vip, l->number, f) < 0 || word(d, l, "scheduler", l->sched, f) < 0 ||
        word(d, l, "flags", l->flags, f) < 0 || word(d, l, "persistent", l->persistent, f) < 0)
        return -1;
    return word(d, l, "netmask", l->netmask, f);
}

/* "gue" and its port are two words to ipvsadm. */
static int
describe_tunnel(struct gvs_describe *d, const struct line *l, struct gvs_fault *f)
{
    bool gue = l->tun_type && strcmp(l->tun_type, "gue") == 0;
    char text[64];

    if (!gue && l->tun_port)
        return gvs_describe_refuse(d, l->number, f, "--tun-port goes with --tun-type gue");
    snprintf(text, sizeof text, gue ? "gue:%.40s" : "%.40s",
             gue ? (l->tun_port ? l->tun_port : "") : (l->tun_type ? l->tun_type : ""));
    return word(d, l, "tunnel", text, f);
}

/* Without a port it is the service's. */
static int
describe_address(struct gvs_describe *d, const struct line *l, struct gvs_fault *f)
{
    struct gvs_addr addr;
    char text[GVS_EP_TEXT_LEN];
    struct gvs_ep ep;

    if (gvs_addr_parse(&addr, l->address, strlen(l->address), NULL) < 0)
        return gvs_describe_backend(d, l->address, l->number, f);
    memset(&ep, 0, sizeof ep);
    ep.addr = addr;
    ep.port = l->id.port;
    gvs_ep_format(text, &ep);
    return gvs_describe_backend(d, text, l->number, f);
}

static int
describe_server(struct gvs_describe *d, const struct line *l, struct gvs_fault *f)
{
    if (describe_address(d, l, f) < 0 ||
        word(d, l, "forward", l->forward ? l->forward : "dr", f) < 0 ||
        describe_tunnel(d, l, f) < 0 || word(d, l, "weight", l->weight, f) < 0 ||
        word(d, l, "upper", l->upper, f) < 0 || word(d, l, "lower", l->lower, f) < 0)
        return -1;
    gvs_describe_backend_end(d);
    return GVS_OK;
}

static bool
is_anchor(const struct line *l)
{
    return l->id.fwmark == GVS_ANCHOR_MARK_V4 || l->id.fwmark == GVS_ANCHOR_MARK_V6;
}

static int
describe(struct gvs_describe *d, const struct lines *all, struct gvs_fault *f)
{
    const struct line *open = NULL;

    for (size_t i = 0; i < all->count; i++) {
        const struct line *l = &all->v[i];
        bool same = open && gvs_svcid_cmp(&open->id, &l->id) == 0;

        if (is_anchor(l))
            continue;
        if (l->server && !same)
            return gvs_describe_refuse(d, l->number, f, "no -A line adds the service %s", l->vip);
        if (!l->server && open && gvs_describe_service_end(d, f) < 0)
            return -1;
        if ((l->server ? describe_server(d, l, f) : describe_service(d, l, f)) < 0)
            return -1;
        open = l->server ? open : l;
    }
    return open ? gvs_describe_service_end(d, f) : GVS_OK;
}

int
gvs_import_ipvsadm(struct gvs_claims_file *out, const char *label, char *text, size_t len,
                   struct gvs_fault *f)
{
    struct lines all = {NULL, 0, 0};
    struct gvs_describe d;
    int rc;

    *out = (struct gvs_claims_file){0};
    gvs_describe_begin(&d, label, out);
    rc = read_lines(&d, &all, text, len, f);
    if (rc == GVS_OK && all.count > 0) {
        qsort(all.v, all.count, sizeof *all.v, cmp);
        rc = describe(&d, &all, f);
    }
    free(all.v);
    return gvs_describe_end(&d, rc, f);
}
