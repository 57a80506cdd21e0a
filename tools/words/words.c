#include "tools/words/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- addresses --- */

static int
bad_address(struct gvs_fault *f, const char *text, const struct gvs_addr_fault *why)
{
    const char *part = text + why->at;
    int len = (int)why->len;

    switch (why->why) {
    case GVS_ADDR_NO_PORT:
        gvs_fault_set(f, GVS_EXIT_USAGE, "'%.80s' has no port", text);
        break;
    case GVS_ADDR_OCTET:
        gvs_fault_set(f, GVS_EXIT_USAGE, "bad address '%.80s': %.*s is over 255", text, len, part);
        break;
    case GVS_ADDR_PORT:
        gvs_fault_set(f, GVS_EXIT_USAGE, "bad address '%.80s': '%.*s' is no port (0 to 65535)",
                      text, len, part);
        break;
    case GVS_ADDR_PROTO:
        gvs_fault_set(f, GVS_EXIT_USAGE, "bad address '%.80s': '%.*s' is not tcp, udp or sctp",
                      text, len, part);
        break;
    case GVS_ADDR_MAPPED:
        gvs_fault_set(f, GVS_EXIT_USAGE, "bad address '%.80s': an IPv4 address written as IPv6",
                      text);
        break;
    case GVS_ADDR_SCOPED:
        gvs_fault_set(f, GVS_EXIT_USAGE, "bad address '%.80s': an address with a scope ('%.*s')",
                      text, len, part);
        break;
    case GVS_ADDR_MARK:
        gvs_fault_set(f, GVS_EXIT_USAGE, "bad mark '%.*s' (1 to 4294967295)", len, part);
        break;
    case GVS_ADDR_BRACKETS:
        gvs_fault_set(f, GVS_EXIT_USAGE, "bad address '%.80s': IPv6 with a port is [ADDRESS]:PORT",
                      text);
        break;
    default:
        gvs_fault_set(f, GVS_EXIT_USAGE, "bad address '%.80s'", text);
        break;
    }
    return -1;
}

int
gvs_words_vip(struct gvs_svcid *out, const char *text, struct gvs_fault *f)
{
    struct gvs_addr_fault why;

    if (gvs_svcid_parse(out, text, strlen(text), &why) == GVS_OK)
        return GVS_OK;
    bad_address(f, text, &why);
    if (why.why == GVS_ADDR_NO_PORT)
        gvs_fault_hint(f, "write %.80s:80/tcp, or fwmark:5", text);
    return -1;
}

int
gvs_words_endpoint(struct gvs_ep *out, const char *text, struct gvs_fault *f)
{
    struct gvs_addr_fault why;

    if (gvs_ep_parse(out, text, strlen(text), &why) == GVS_OK)
        return GVS_OK;
    bad_address(f, text, &why);
    if (why.why == GVS_ADDR_NO_PORT)
        gvs_fault_hint(f, "write %.80s:8080", text);
    return -1;
}

int
gvs_words_name(char name[static GVS_NAME_LEN_MAX + 1], const char *text, struct gvs_fault *f)
{
    if (!gvs_name_valid(text, strlen(text)))
        return gvs_fault_set(f, GVS_EXIT_USAGE,
                             "bad name '%.80s' (a-z, 0-9, '.', '_', '-', at most %d, not 'cluster' "
                             "or 'all')",
                             text, GVS_NAME_LEN_MAX);
    memcpy(name, text, strlen(text) + 1);
    return GVS_OK;
}

/* --- values --- */

static int
number(uint32_t *out, const char *word, const char *text, uint32_t max, struct gvs_fault *f)
{
    unsigned long long v = 0;
    const char *p = text;

    while (*p >= '0' && *p <= '9' && v <= max)
        v = v * 10 + (unsigned)(*p++ - '0');
    if (p == text || *p || v > max)
        return gvs_fault_set(f, GVS_EXIT_USAGE, "%s %.40s: 0 to %u expected", word, text, max);
    *out = (uint32_t)v;
    return GVS_OK;
}

/* Seconds; s, m or h may follow. */
static int
seconds(uint32_t *out, const char *word, const char *text, uint32_t max, struct gvs_fault *f)
{
    size_t len = strlen(text);
    uint32_t unit = 1, n;
    char digits[16];

    if (len && strchr("smh", text[len - 1])) {
        unit = text[len - 1] == 'h' ? 3600 : text[len - 1] == 'm' ? 60 : 1;
        len--;
    }
    if (len == 0 || len >= sizeof digits)
        return gvs_fault_set(f, GVS_EXIT_USAGE, "%s %.40s: seconds expected, 0 to %u", word, text,
                             max);
    memcpy(digits, text, len);
    digits[len] = 0;
    if (number(&n, word, digits, max / unit, f) < 0)
        return gvs_fault_set(f, GVS_EXIT_USAGE, "%s %.40s: seconds expected, 0 to %u", word, text,
                             max);
    *out = n * unit;
    return GVS_OK;
}

static int
scheduler(char *out, const char *text, struct gvs_fault *f)
{
    char have[128] = "";
    const char *near;

    if (gvs_scheduler_known(text)) {
        memcpy(out, text, strlen(text) + 1);
        return GVS_OK;
    }
    near = gvs_nearest(text, gvs_schedulers);
    for (size_t i = 0; gvs_schedulers[i]; i++)
        snprintf(have + strlen(have), sizeof have - strlen(have), " %s", gvs_schedulers[i]);
    return gvs_fault_set(f, GVS_EXIT_USAGE, "unknown scheduler '%.40s' (%s%s%shave:%s)", text,
                         near ? "did you mean " : "", near ? near : "", near ? "? " : "", have);
}

static const struct {
    const char *name;
    uint32_t bit;
} known_flags[] = {{"fallback", GVS_FLAG_FALLBACK}, {"ops", GVS_FLAG_OPS}, {"port", GVS_FLAG_PORT}};
#define FLAGS (sizeof known_flags / sizeof *known_flags)

static int
flags(uint32_t *out, const char *text, struct gvs_fault *f)
{
    uint32_t all = 0;

    *out = 0;
    if (strcmp(text, "none") == 0)
        return GVS_OK;
    for (const char *p = text;;) {
        size_t len = strcspn(p, ","), i = 0;

        while (i < FLAGS &&
               (strlen(known_flags[i].name) != len || strncmp(known_flags[i].name, p, len) != 0))
            i++;
        if (i == FLAGS)
            return gvs_fault_set(f, GVS_EXIT_USAGE,
                                 "flags %.60s: a comma list of fallback, ops, port, or none", text);
        all |= known_flags[i].bit;
        if (!p[len])
            break;
        p += len + 1;
    }
    *out = all;
    return GVS_OK;
}

void
gvs_words_flags(char text[static GVS_WORDS_FLAGS_LEN], uint32_t flags)
{
    size_t at = 0;

    text[0] = 0;
    for (size_t i = 0; i < FLAGS; i++)
        if (flags & known_flags[i].bit)
            at += (size_t)snprintf(text + at, GVS_WORDS_FLAGS_LEN - at, "%s%s", at ? "," : "",
                                   known_flags[i].name);
}

/* 255.255.255.0, or the bits of the mask; IPv6: bits. */
static int
netmask(uint8_t *out, const struct gvs_svcid *svc, const char *text, struct gvs_fault *f)
{
    bool v6 = svc->addr.family == GVS_FAMILY_V6;
    struct gvs_addr a;
    uint32_t bits;

    if (!v6 && gvs_addr_parse(&a, text, strlen(text), NULL) == GVS_OK &&
        a.family == GVS_FAMILY_V4) {
        uint32_t m =
            (uint32_t)a.b[0] << 24 | (uint32_t)a.b[1] << 16 | (uint32_t)a.b[2] << 8 | a.b[3];

        bits = (uint32_t)__builtin_popcount(m);
        if (m && (m == UINT32_MAX || m << bits == 0)) {
            *out = bits == 32 ? 0 : (uint8_t)bits;
            return GVS_OK;
        }
    } else if (number(&bits, "netmask", text, v6 ? 128 : 32, f) == GVS_OK && bits > 0) {
        *out = bits == (v6 ? 128 : 32) ? 0 : (uint8_t)bits;
        return GVS_OK;
    }
    return gvs_fault_set(f, GVS_EXIT_USAGE, "netmask %.40s: %s expected", text,
                         v6 ? "1 to 128" : "a mask like 255.255.255.0");
}

static int
forward(uint8_t *out, const char *text, struct gvs_fault *f)
{
    if (gvs_forward_parse(out, text) == GVS_OK)
        return GVS_OK;
    return gvs_fault_set(f, GVS_EXIT_USAGE, "forward %.40s: nat, dr or tun expected", text);
}

/* ipip, gre, or gue:PORT */
static int
tunnel(struct gvs_backend *b, const char *text, struct gvs_fault *f)
{
    uint32_t port = 0;

    b->tunnel_port = 0;
    if (strcmp(text, "ipip") == 0) {
        b->tunnel = GVS_TUNNEL_IPIP;
    } else if (strcmp(text, "gre") == 0) {
        b->tunnel = GVS_TUNNEL_GRE;
    } else if (strncmp(text, "gue:", 4) == 0 &&
               number(&port, "tunnel", text + 4, 65535, f) == GVS_OK && port > 0) {
        b->tunnel = GVS_TUNNEL_GUE;
        b->tunnel_port = (uint16_t)port;
    } else {
        return gvs_fault_set(f, GVS_EXIT_USAGE, "tunnel %.40s: ipip, gre or gue:PORT expected",
                             text);
    }
    return GVS_OK;
}

void
gvs_words_tunnel(char text[static GVS_WORDS_TUNNEL_LEN], uint8_t tunnel, uint16_t port)
{
    if (tunnel == GVS_TUNNEL_GUE)
        snprintf(text, GVS_WORDS_TUNNEL_LEN, "gue:%u", port);
    else
        snprintf(text, GVS_WORDS_TUNNEL_LEN, "%s", tunnel == GVS_TUNNEL_GRE ? "gre" : "ipip");
}

/* --- pairs --- */

/* Each word once, each with a value. Returns the index in `known`, or a negative number. */
static int
pair(const char *const *known, unsigned *seen, const char *const *words, size_t count,
     struct gvs_fault *f)
{
    const char *near;

    for (int i = 0; known[i]; i++) {
        if (strcmp(known[i], words[0]) != 0)
            continue;
        if (*seen & 1u << i)
            return gvs_fault_set(f, GVS_EXIT_USAGE, "'%s' is given twice", words[0]);
        if (count < 2)
            return gvs_fault_set(f, GVS_EXIT_USAGE, "'%s' has no value", words[0]);
        *seen |= 1u << i;
        return i;
    }
    near = gvs_nearest(words[0], known);
    gvs_fault_set(f, GVS_EXIT_USAGE, "no such word '%.40s'", words[0]);
    if (near)
        gvs_fault_hint(f, "did you mean '%s'?", near);
    return -1;
}

static int
check_service(const struct gvs_service *s, const struct gvs_svcid *svc, struct gvs_fault *f)
{
    bool hashed = strcmp(s->sched, "sh") == 0 || strcmp(s->sched, "mh") == 0;

    if (s->flags & GVS_FLAG_OPS && svc->proto != GVS_PROTO_UDP)
        return gvs_fault_set(f, GVS_EXIT_USAGE, "flags ops: only udp can be one-packet");
    if (s->flags & (GVS_FLAG_FALLBACK | GVS_FLAG_PORT) && !hashed)
        return gvs_fault_set(f, GVS_EXIT_USAGE,
                             "flags fallback and port go with scheduler sh or mh, not %s",
                             s->sched);
    if (svc->proto != GVS_PROTO_FWMARK && svc->port == 0 && s->persistent == 0)
        return gvs_fault_set(f, GVS_EXIT_USAGE, "port 0 (any port) takes persistent");
    return GVS_OK;
}

int
gvs_words_service(struct gvs_service *s, const struct gvs_svcid *svc, const char *const *words,
                  size_t count, struct gvs_fault *f)
{
    static const char *const known[] = {"scheduler", "flags",   "persistent",
                                        "netmask",   "forward", NULL};
    struct gvs_service out = *s;
    unsigned seen = 0;

    for (size_t i = 0; i < count; i += 2) {
        int rc, which = pair(known, &seen, words + i, count - i, f);
        const char *value;

        if (which < 0)
            return -1;
        value = words[i + 1];
        switch (which) {
        case 0:
            rc = scheduler(out.sched, value, f);
            break;
        case 1:
            rc = flags(&out.flags, value, f);
            break;
        case 2:
            rc = seconds(&out.persistent, "persistent", value, GVS_PERSISTENT_MAX, f);
            break;
        case 3:
            rc = netmask(&out.netmask, svc, value, f);
            break;
        default:
            rc = forward(&out.forward, value, f);
            break;
        }
        if (rc < 0)
            return -1;
    }
    if (check_service(&out, svc, f) < 0)
        return -1;
    *s = out;
    return GVS_OK;
}

int
gvs_words_backend(struct gvs_backend *b, const char *const *words, size_t count,
                  struct gvs_fault *f)
{
    static const char *const known[] = {"weight", "forward", "tunnel", "lower", "upper", NULL};
    struct gvs_backend out = *b;
    unsigned seen = 0;

    for (size_t i = 0; i < count; i += 2) {
        int rc, which = pair(known, &seen, words + i, count - i, f);
        const char *value;

        if (which < 0)
            return -1;
        value = words[i + 1];
        switch (which) {
        case 0:
            rc = number(&out.weight, "weight", value, GVS_WEIGHT_MAX, f);
            break;
        case 1:
            rc = forward(&out.forward, value, f);
            break;
        case 2:
            rc = tunnel(&out, value, f);
            break;
        case 3:
            rc = number(&out.lower, "lower", value, UINT32_MAX, f);
            break;
        default:
            rc = number(&out.upper, "upper", value, UINT32_MAX, f);
            break;
        }
        if (rc < 0)
            return -1;
    }
    if (out.upper && out.lower > out.upper)
        return gvs_fault_set(f, GVS_EXIT_USAGE, "lower %u is above upper %u", out.lower, out.upper);
    if (seen & 1u << 3 && out.lower && !out.upper) /* upper taken away alone leaves it in peace */
        return gvs_fault_set(f, GVS_EXIT_USAGE, "lower %u means nothing without upper", out.lower);
    if (seen & 1u << 2 && out.forward != GVS_FORWARD_TUN)
        return gvs_fault_set(f, GVS_EXIT_USAGE, "tunnel goes with forward tun");
    *b = out;
    return GVS_OK;
}

/* --- differences --- */

struct list {
    char *text;
    size_t cap, at;
};

static void
differ_text(struct list *l, const char *what, const char *have, const char *want)
{
    if (strcmp(have, want) == 0 || l->at >= l->cap)
        return;
    l->at += (size_t)snprintf(l->text + l->at, l->cap - l->at, "%s%s %s, not %s", l->at ? "; " : "",
                              what, have, want);
}

static void
differ_number(struct list *l, const char *what, uint32_t have, uint32_t want)
{
    char a[16], b[16];

    snprintf(a, sizeof a, "%u", have);
    snprintf(b, sizeof b, "%u", want);
    differ_text(l, what, a, b);
}

void
gvs_words_difference(char *text, size_t cap, const struct gvs_service *have,
                     const struct gvs_service *want)
{
    struct list l = {text, cap, 0};

    text[0] = 0;
    differ_text(&l, "name", have->name, want->name);
    differ_text(&l, "scheduler", have->sched, want->sched);
    differ_number(&l, "flags", have->flags, want->flags);
    differ_number(&l, "persistent", have->persistent, want->persistent);
    differ_number(&l, "netmask bits", have->netmask, want->netmask);
    differ_text(&l, "forward", gvs_forward_name(have->forward), gvs_forward_name(want->forward));
}

void
gvs_words_backend_difference(char *text, size_t cap, const struct gvs_backend *have,
                             const struct gvs_backend *want)
{
    struct list l = {text, cap, 0};
    char a[GVS_WORDS_TUNNEL_LEN], b[GVS_WORDS_TUNNEL_LEN];

    text[0] = 0;
    differ_number(&l, "weight", have->weight, want->weight);
    differ_text(&l, "forward", gvs_forward_name(have->forward), gvs_forward_name(want->forward));
    differ_number(&l, "lower", have->lower, want->lower);
    differ_number(&l, "upper", have->upper, want->upper);
    gvs_words_tunnel(a, have->tunnel, have->tunnel_port);
    gvs_words_tunnel(b, want->tunnel, want->tunnel_port);
    differ_text(&l, "tunnel", a, b);
}
