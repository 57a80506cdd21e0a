/* core/addr_text.c: the text of addresses, endpoints, services and prefixes.
 *
 * Every parser here works on a part of the caller's text, so that a fault names its place in the
 * whole; it writes its result only when all of it is right. */
#include "core/addr.h"
#include "core/bytes.h"
#include "core/err.h"

#include <string.h>

struct part { /* s[at..end) */
    const char *s;
    size_t at, end;
};

static struct part
part_of(struct part p, size_t at, size_t end)
{
    GVS_ASSERT(p.at <= at && at <= end && end <= p.end);
    return (struct part){p.s, at, end};
}

/* Where c stands first, or p.end. */
static size_t
find(struct part p, char c)
{
    while (p.at < p.end && p.s[p.at] != c)
        p.at++;
    return p.at;
}

/* Where c stands last, or p.end. */
static size_t
find_last(struct part p, char c)
{
    for (size_t i = p.end; i > p.at; i--)
        if (p.s[i - 1] == c)
            return i - 1;
    return p.end;
}

static bool
is(struct part p, const char *word)
{
    size_t len = strlen(word);

    return p.end - p.at == len && memcmp(p.s + p.at, word, len) == 0;
}

static int
refuse(struct gvs_addr_fault *fault, enum gvs_addr_why why, struct part p)
{
    *fault = (struct gvs_addr_fault){why, p.at, p.end - p.at};
    return GVS_E_MALFORMED;
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
all_digits(struct part p)
{
    if (p.at == p.end)
        return false;
    for (; p.at < p.end; p.at++)
        if (!is_digit(p.s[p.at]))
            return false;
    return true;
}

/* Digits without a leading zero: "010" is 8 to inet_aton and 10 to inet_pton, so it is nothing to
 * us. */
static bool
is_decimal(struct part p)
{
    return all_digits(p) && (p.s[p.at] != '0' || p.end - p.at == 1);
}

/* A decimal number of at most max <= UINT32_MAX. */
static bool
parse_number(struct part p, uint32_t max, uint32_t *out)
{
    uint64_t v = 0;

    if (!is_decimal(p))
        return false;
    for (; p.at < p.end; p.at++) {
        v = v * 10 + (uint64_t)(p.s[p.at] - '0');
        if (v > max)
            return false;
    }
    *out = (uint32_t)v;
    return true;
}

/* Four runs of digits with dots between. Told first, so that "300.example" is no octet over 255. */
static bool
looks_like_v4(struct part p)
{
    for (int dots = 0; dots < 3; dots++) {
        size_t dot = find(p, '.');

        if (dot == p.end || !all_digits(part_of(p, p.at, dot)))
            return false;
        p.at = dot + 1;
    }
    return all_digits(p);
}

static int
parse_v4(uint8_t out[static 4], struct part p, struct gvs_addr_fault *fault)
{
    struct part rest = p;

    if (!looks_like_v4(p))
        return refuse(fault, GVS_ADDR_BAD, p);
    for (size_t i = 0; i < 4; i++) {
        struct part octet = part_of(rest, rest.at, find(rest, '.'));
        uint32_t v;

        if (!is_decimal(octet))
            return refuse(fault, GVS_ADDR_BAD, octet);
        if (!parse_number(octet, 255, &v))
            return refuse(fault, GVS_ADDR_OCTET, octet);
        out[i] = (uint8_t)v;
        rest.at = octet.end + (octet.end < rest.end);
    }
    return GVS_OK;
}

/* One group: 1 to 4 hexadecimal digits. */
static bool
parse_group(struct part p, uint8_t out[static 2])
{
    unsigned v = 0;

    if (p.at == p.end || p.end - p.at > 4)
        return false;
    for (; p.at < p.end; p.at++) {
        char c = p.s[p.at];

        if (is_digit(c))
            v = v << 4 | (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            v = v << 4 | (unsigned)(c - 'a' + 10);
        else if (c >= 'A' && c <= 'F')
            v = v << 4 | (unsigned)(c - 'A' + 10);
        else
            return false;
    }
    gvs_put16(out, (uint16_t)v);
    return true;
}

/* Is there a "::" at p.at? */
static bool
at_gap(struct part p)
{
    return p.end - p.at >= 2 && p.s[p.at] == ':' && p.s[p.at + 1] == ':';
}

#define NO_GAP SIZE_MAX

/* RFC 4291, 2.2: eight groups, of which the last two may be written as IPv4; one or more that are
 * zero may be left out where "::" stands, once. The groups are read one behind the other, and then
 * those after the gap move to the end. */
static int
parse_v6(uint8_t out[static 16], struct part p, struct gvs_addr_fault *fault)
{
    struct part rest = p;
    size_t n = 0;        /* bytes so far */
    size_t gap = NO_GAP; /* how many of them stand before it */

    memset(out, 0, 16);
    if (at_gap(rest)) {
        gap = 0;
        rest.at += 2;
    }
    while (rest.at < rest.end) {
        struct part group = part_of(rest, rest.at, find(rest, ':'));

        if (group.end == p.end && find(group, '.') != group.end && n <= 12) {
            if (parse_v4(out + n, group, fault) < 0)
                return GVS_E_MALFORMED;
            n += 4;
            break;
        }
        if (n == 16 || !parse_group(group, out + n))
            return refuse(fault, GVS_ADDR_BAD, p);
        n += 2;
        rest.at = group.end;
        if (gap == NO_GAP && at_gap(rest)) {
            gap = n;
            rest.at += 2;
        } else if (rest.at < rest.end) {
            rest.at++;
            if (rest.at == rest.end)
                return refuse(fault, GVS_ADDR_BAD, p); /* ends in a single colon */
        }
    }
    if ((gap == NO_GAP) != (n == 16))
        return refuse(fault, GVS_ADDR_BAD, p);
    if (gap != NO_GAP) {
        memmove(out + 16 - (n - gap), out + gap, n - gap);
        memset(out + gap, 0, 16 - n);
    }
    return GVS_OK;
}

/* An address and nothing else: no port, no scope. */
static int
parse_plain(struct gvs_addr *out, struct part p, struct gvs_addr_fault *fault)
{
    struct gvs_addr a = {0};
    int rc;

    if (find(p, ':') == p.end) {
        a.family = GVS_FAMILY_V4;
        rc = parse_v4(a.b, p, fault);
    } else {
        a.family = GVS_FAMILY_V6;
        rc = parse_v6(a.b, p, fault);
    }
    if (rc < 0)
        return rc;
    if (gvs_addr_is_mapped(&a))
        return refuse(fault, GVS_ADDR_MAPPED, p);
    *out = a;
    return GVS_OK;
}

static int
parse_addr(struct gvs_addr *out, struct part p, struct gvs_addr_fault *fault)
{
    size_t scope = find(p, '%');
    struct gvs_addr a;
    int rc = parse_plain(&a, part_of(p, p.at, scope), fault);

    if (rc < 0)
        return rc;
    if (scope < p.end)
        return refuse(fault, GVS_ADDR_SCOPED, part_of(p, scope, p.end));
    *out = a;
    return GVS_OK;
}

/* The port behind the colon, which is at `colon` if it is there at all. */
static int
parse_port(uint16_t *out, struct part p, size_t colon, struct gvs_addr_fault *fault)
{
    struct part port;
    uint32_t v;

    if (colon == p.end || colon + 1 == p.end)
        return refuse(fault, GVS_ADDR_NO_PORT, part_of(p, p.end, p.end));
    port = part_of(p, colon + 1, p.end);
    if (!parse_number(port, 65535, &v))
        return refuse(fault, GVS_ADDR_PORT, port);
    *out = (uint16_t)v;
    return GVS_OK;
}

/* Several colons and no bracket is always wrong; say the thing that helps most. "fd00::1:80" may
 * mean two things, which is why it needs brackets. */
static int
refuse_bare_v6(struct part p, struct gvs_addr_fault *fault)
{
    struct part head = part_of(p, p.at, find_last(p, ':'));
    struct gvs_addr_fault head_fault = {0};
    struct gvs_addr a;

    if (parse_addr(&a, p, fault) == GVS_OK)
        return refuse(fault, GVS_ADDR_BRACKETS, p);
    if (fault->why == GVS_ADDR_MAPPED)
        return GVS_E_MALFORMED;
    if (parse_addr(&a, head, &head_fault) == GVS_OK)
        return refuse(fault, GVS_ADDR_BRACKETS, p);
    if (head_fault.why == GVS_ADDR_MAPPED || head_fault.why == GVS_ADDR_SCOPED)
        *fault = head_fault;
    return GVS_E_MALFORMED;
}

/* [IPv6]:port */
static int
parse_bracketed(struct gvs_ep *out, struct part p, struct gvs_addr_fault *fault)
{
    size_t close = find(p, ']');
    int rc;

    if (close == p.end || close == p.at + 1)
        return refuse(fault, GVS_ADDR_BAD, p);
    rc = parse_addr(&out->addr, part_of(p, p.at + 1, close), fault);
    if (rc < 0)
        return rc;
    if (out->addr.family != GVS_FAMILY_V6)
        return refuse(fault, GVS_ADDR_BAD, part_of(p, p.at, close + 1));
    if (close + 1 < p.end && p.s[close + 1] != ':')
        return refuse(fault, GVS_ADDR_BAD, part_of(p, close + 1, p.end));
    return parse_port(&out->port, p, close + 1, fault);
}

/* On a fault *out is half written: the public functions hand in a copy. */
static int
parse_ep(struct gvs_ep *out, struct part p, struct gvs_addr_fault *fault)
{
    size_t colon = find(p, ':');
    int rc;

    if (p.at < p.end && p.s[p.at] == '[')
        return parse_bracketed(out, p, fault);
    if (colon != find_last(p, ':'))
        return refuse_bare_v6(p, fault);
    if (colon == p.at)
        return refuse(fault, GVS_ADDR_BAD, p);
    rc = parse_addr(&out->addr, part_of(p, p.at, colon), fault);
    return rc < 0 ? rc : parse_port(&out->port, p, colon, fault);
}

/* What follows "fwmark:": the number, and perhaps a family. */
static int
parse_mark(struct gvs_svcid *out, struct part p, struct gvs_addr_fault *fault)
{
    struct part number = part_of(p, p.at, find(p, '/'));

    out->proto = GVS_PROTO_FWMARK;
    out->addr.family = GVS_FAMILY_V4;
    if (!parse_number(number, UINT32_MAX, &out->fwmark) || out->fwmark == 0)
        return refuse(fault, GVS_ADDR_MARK, number);
    p.at = number.end;
    if (is(p, "/v6"))
        out->addr.family = GVS_FAMILY_V6;
    else if (p.at < p.end && !is(p, "/v4"))
        return refuse(fault, GVS_ADDR_BAD, p);
    return GVS_OK;
}

static int
parse_proto(uint8_t *out, struct part p, struct gvs_addr_fault *fault)
{
    static const uint8_t protos[] = {GVS_PROTO_TCP, GVS_PROTO_UDP, GVS_PROTO_SCTP};

    for (size_t i = 0; i < sizeof protos; i++) {
        if (is(p, gvs_proto_name(protos[i]))) {
            *out = protos[i];
            return GVS_OK;
        }
    }
    return refuse(fault, GVS_ADDR_PROTO, p);
}

static int
parse_svcid(struct gvs_svcid *out, struct part p, struct gvs_addr_fault *fault)
{
    static const char fwmark[] = "fwmark:";
    size_t slash = find(p, '/');
    struct gvs_ep ep;
    int rc;

    if (p.end - p.at >= strlen(fwmark) && memcmp(p.s + p.at, fwmark, strlen(fwmark)) == 0)
        return parse_mark(out, part_of(p, p.at + strlen(fwmark), p.end), fault);
    rc = parse_ep(&ep, part_of(p, p.at, slash), fault);
    if (rc < 0)
        return rc;
    out->addr = ep.addr;
    out->port = ep.port;
    out->proto = GVS_PROTO_TCP;
    return slash == p.end ? GVS_OK : parse_proto(&out->proto, part_of(p, slash + 1, p.end), fault);
}

static bool
host_bits_clear(const struct gvs_prefix *p)
{
    for (size_t i = p->bits / 8; i < gvs_addr_bytes(&p->addr); i++) {
        unsigned mask = i == p->bits / 8 ? 0xffu >> p->bits % 8 : 0xffu;

        if ((p->addr.b[i] & mask) != 0)
            return false;
    }
    return true;
}

static int
parse_prefix(struct gvs_prefix *out, struct part p, struct gvs_addr_fault *fault)
{
    size_t slash = find(p, '/');
    uint32_t bits;
    int rc = parse_addr(&out->addr, part_of(p, p.at, slash), fault);

    if (rc < 0)
        return rc;
    bits = 8 * (uint32_t)gvs_addr_bytes(&out->addr);
    if (slash < p.end && !parse_number(part_of(p, slash + 1, p.end), bits, &bits))
        return refuse(fault, GVS_ADDR_BITS, part_of(p, slash + 1, p.end));
    out->bits = (uint8_t)bits;
    return host_bits_clear(out) ? GVS_OK : refuse(fault, GVS_ADDR_BITS, p);
}

int
gvs_addr_parse(struct gvs_addr *out, const char *text, size_t len, struct gvs_addr_fault *fault)
{
    struct gvs_addr_fault mine = {0};
    int rc = parse_addr(out, (struct part){text, 0, len}, &mine);

    if (fault != NULL)
        *fault = mine;
    return rc;
}

int
gvs_ep_parse(struct gvs_ep *out, const char *text, size_t len, struct gvs_addr_fault *fault)
{
    struct gvs_addr_fault mine = {0};
    struct gvs_ep got;
    int rc;

    memset(&got, 0, sizeof got); /* padding too (I2) */
    rc = parse_ep(&got, (struct part){text, 0, len}, &mine);
    if (rc == GVS_OK)
        memcpy(out, &got, sizeof got);
    if (fault != NULL)
        *fault = mine;
    return rc;
}

int
gvs_svcid_parse(struct gvs_svcid *out, const char *text, size_t len, struct gvs_addr_fault *fault)
{
    struct gvs_addr_fault mine = {0};
    struct gvs_svcid got = {0};
    int rc = parse_svcid(&got, (struct part){text, 0, len}, &mine);

    if (rc == GVS_OK)
        *out = got;
    if (fault != NULL)
        *fault = mine;
    return rc;
}

int
gvs_prefix_parse(struct gvs_prefix *out, const char *text, size_t len, struct gvs_addr_fault *fault)
{
    struct gvs_addr_fault mine = {0};
    struct gvs_prefix got = {0};
    int rc = parse_prefix(&got, (struct part){text, 0, len}, &mine);

    if (rc == GVS_OK)
        *out = got;
    if (fault != NULL)
        *fault = mine;
    return rc;
}

/* A text in the making. The callers' arrays have room for the longest. */
struct sink {
    char *text;
    size_t len;
};

static void
put_char(struct sink *to, char c)
{
    to->text[to->len++] = c;
}

static void
put_word(struct sink *to, const char *word)
{
    while (*word != 0)
        put_char(to, *word++);
}

/* In base 10 or 16, without leading zeros. */
static void
put_number(struct sink *to, uint32_t v, uint32_t base)
{
    char digits[10]; /* the last first */
    size_t n = 0;

    GVS_ASSERT(base == 10 || base == 16);
    do {
        digits[n++] = "0123456789abcdef"[v % base];
        v /= base;
    } while (v != 0);
    while (n > 0)
        put_char(to, digits[--n]);
}

static void
put_v4(struct sink *to, const uint8_t b[static 4])
{
    for (size_t i = 0; i < 4; i++) {
        if (i > 0)
            put_char(to, '.');
        put_number(to, b[i], 10);
    }
}

/* RFC 5952, 4.2: the first of the longest runs of at least two zero groups. No such run: start 8.
 */
static void
longest_run(const uint8_t b[static 16], size_t *start, size_t *count)
{
    size_t run = 0;

    *start = 8;
    *count = 1;
    for (size_t i = 0; i < 8; i++) {
        run = gvs_get16(b + 2 * i) == 0 ? run + 1 : 0;
        if (run > *count) {
            *count = run;
            *start = i + 1 - run;
        }
    }
}

static void
put_v6(struct sink *to, const uint8_t b[static 16])
{
    size_t start, count;

    longest_run(b, &start, &count);
    for (size_t i = 0; i < 8; i++) {
        if (i == start) {
            put_word(to, "::");
            i += count - 1;
            continue;
        }
        if (i > 0 && i != start + count)
            put_char(to, ':');
        put_number(to, gvs_get16(b + 2 * i), 16);
    }
}

static void
put_addr(struct sink *to, const struct gvs_addr *a)
{
    GVS_ASSERT(gvs_addr_bytes(a) != 0);
    if (a->family == GVS_FAMILY_V4)
        put_v4(to, a->b);
    else
        put_v6(to, a->b);
}

static void
put_ep(struct sink *to, const struct gvs_addr *a, uint16_t port)
{
    bool brackets = a->family == GVS_FAMILY_V6;

    if (brackets)
        put_char(to, '[');
    put_addr(to, a);
    put_word(to, brackets ? "]:" : ":");
    put_number(to, port, 10);
}

static size_t
end_text(struct sink *to, size_t cap)
{
    GVS_ASSERT(to->len < cap);
    to->text[to->len] = 0;
    return to->len;
}

size_t
gvs_addr_format(char text[static GVS_ADDR_TEXT_LEN], const struct gvs_addr *a)
{
    struct sink to = {text, 0};

    put_addr(&to, a);
    return end_text(&to, GVS_ADDR_TEXT_LEN);
}

size_t
gvs_ep_format(char text[static GVS_EP_TEXT_LEN], const struct gvs_ep *e)
{
    struct sink to = {text, 0};

    put_ep(&to, &e->addr, e->port);
    return end_text(&to, GVS_EP_TEXT_LEN);
}

size_t
gvs_svcid_format(char text[static GVS_SVCID_TEXT_LEN], const struct gvs_svcid *s)
{
    struct sink to = {text, 0};

    if (s->proto == GVS_PROTO_FWMARK) {
        put_word(&to, "fwmark:");
        put_number(&to, s->fwmark, 10);
        put_word(&to, s->addr.family == GVS_FAMILY_V6 ? "/v6" : "");
    } else {
        put_ep(&to, &s->addr, s->port);
        put_char(&to, '/');
        put_word(&to, gvs_proto_name(s->proto));
    }
    return end_text(&to, GVS_SVCID_TEXT_LEN);
}

size_t
gvs_prefix_format(char text[static GVS_PREFIX_TEXT_LEN], const struct gvs_prefix *p)
{
    struct sink to = {text, 0};

    put_addr(&to, &p->addr);
    put_char(&to, '/');
    put_number(&to, p->bits, 10);
    return end_text(&to, GVS_PREFIX_TEXT_LEN);
}
