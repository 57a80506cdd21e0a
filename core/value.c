/* core/value.c: one table of fields for each kind of value.
 *
 * A table says which member of the struct a tag stands for; a default struct says what is left out.
 * Encoding walks the table, decoding walks the bytes and looks each tag up in the table, so the two
 * cannot disagree about a field. What the members may hold is said once as well, by the _valid
 * functions: encode asserts it, decode answers GVS_E_RANGE.
 */
#include "core/value.h"
#include "core/bytes.h"
#include "core/err.h"
#include "core/stamp.h"

#include <string.h>

enum type {
    NUMBER,   /* an unsigned member of 1, 2, 4 or 8 bytes */
    OPTION,   /* likewise, left out where its `has` is false and not where it is 0 */
    FLAG,     /* a bool */
    TEXT,     /* a char array; its bytes up to the first 0 */
    ENDPOINT, /* a struct gvs_ep: family(1) address(4|16) port(2), as in a key */
    IDS,      /* an array of uint64_t, up to the first 0 */
};

struct field {
    uint8_t tag;
    enum type type;
    size_t at, size; /* of the member */
    size_t has;      /* OPTION: where the bool is */
};

struct schema {
    const struct field *fields; /* tags ascend */
    size_t count;
    const void *fallback; /* the struct with every default */
    size_t size;
};

#define MEMBER(s, m) offsetof(struct s, m), sizeof(((struct s *)NULL)->m)
#define SCHEMA(fields, fallback)                                                 \
    {                                                                            \
        fields, sizeof(fields) / sizeof *(fields), &(fallback), sizeof(fallback) \
    }

struct tombstone {
    bool force;
};

static const struct gvs_service service_default = {.sched = "wlc"};
static const struct gvs_backend backend_default = {.weight = 1};
static const struct gvs_override override_default;
static const struct gvs_member_value member_default;
static const struct tombstone tombstone_default;
static const struct gvs_trial_value trial_default;

static const struct field service_fields[] = {
    {1, TEXT, MEMBER(gvs_service, name), 0},      {2, TEXT, MEMBER(gvs_service, sched), 0},
    {3, NUMBER, MEMBER(gvs_service, flags), 0},   {4, NUMBER, MEMBER(gvs_service, persistent), 0},
    {5, NUMBER, MEMBER(gvs_service, netmask), 0}, {6, NUMBER, MEMBER(gvs_service, forward), 0},
    {7, NUMBER, MEMBER(gvs_service, reset), 0},
};
static const struct field backend_fields[] = {
    {1, NUMBER, MEMBER(gvs_backend, weight), 0}, {2, NUMBER, MEMBER(gvs_backend, forward), 0},
    {3, NUMBER, MEMBER(gvs_backend, lower), 0},  {4, NUMBER, MEMBER(gvs_backend, upper), 0},
    {5, NUMBER, MEMBER(gvs_backend, tunnel), 0}, {6, NUMBER, MEMBER(gvs_backend, tunnel_port), 0},
};
static const struct field override_fields[] = {
    {1, FLAG, MEMBER(gvs_override, drain), 0},
    {2, OPTION, MEMBER(gvs_override, weight), offsetof(struct gvs_override, has_weight)},
};
static const struct field member_fields[] = {
    {1, TEXT, MEMBER(gvs_member_value, name), 0},   {2, ENDPOINT, MEMBER(gvs_member_value, ep), 0},
    {3, NUMBER, MEMBER(gvs_member_value, boot), 0}, {4, TEXT, MEMBER(gvs_member_value, version), 0},
    {5, IDS, MEMBER(gvs_member_value, keys), 0},
};
static const struct field tombstone_fields[] = {
    {1, FLAG, MEMBER(tombstone, force), 0},
};

static const struct field trial_fields[] = {
    {1, NUMBER, MEMBER(gvs_trial_value, deadline_ms), 0},
    {2, NUMBER, MEMBER(gvs_trial_value, word), 0},
};

static const struct schema service_schema = SCHEMA(service_fields, service_default);
static const struct schema backend_schema = SCHEMA(backend_fields, backend_default);
static const struct schema override_schema = SCHEMA(override_fields, override_default);
static const struct schema member_schema = SCHEMA(member_fields, member_default);
static const struct schema tombstone_schema = SCHEMA(tombstone_fields, tombstone_default);
static const struct schema trial_schema = SCHEMA(trial_fields, trial_default);

const char *const gvs_schedulers[] = {"rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "dh",
                                      "mh", "sed", "nq", "fo",  "ovf",  "twos",  NULL};

bool
gvs_scheduler_known(const char *name)
{
    for (size_t i = 0; gvs_schedulers[i] != NULL; i++)
        if (strcmp(gvs_schedulers[i], name) == 0)
            return true;
    return false;
}

static bool
lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool
gvs_name_valid(const char *name, size_t len)
{
    if (len < 1 || len > GVS_NAME_LEN_MAX || !lower_or_digit(name[0]))
        return false;
    for (size_t i = 1; i < len; i++)
        if (!lower_or_digit(name[i]) && name[i] != '.' && name[i] != '_' && name[i] != '-')
            return false;
    return !(len == 7 && memcmp(name, "cluster", 7) == 0) &&
           !(len == 3 && memcmp(name, "all", 3) == 0);
}

/* The length of the text in a member of this size; `size` if it does not end. */
static size_t
text_len(const char *text, size_t size)
{
    const char *end = memchr(text, 0, size);

    return end == NULL ? size : (size_t)(end - text);
}

/* The kernel finds a scheduler by its name and loads a module by it, so the name may be newer than
 * this list, but nothing that modprobe could misread. */
static bool
sched_valid(const char *sched, size_t len)
{
    if (len < 1 || len > GVS_SCHED_LEN_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!lower_or_digit(sched[i]) && sched[i] != '_')
            return false;
    return true;
}

/* It goes to people's screens: printable ASCII, no spaces. */
static bool
version_valid(const char *version, size_t len)
{
    if (len > GVS_VERSION_LEN_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (version[i] <= ' ' || version[i] > '~')
            return false;
    return true;
}

static bool
forward_known(uint8_t forward)
{
    return forward == GVS_FORWARD_NAT || forward == GVS_FORWARD_TUN || forward == GVS_FORWARD_DR;
}

bool
gvs_service_valid(const struct gvs_service *v)
{
    return gvs_name_valid(v->name, text_len(v->name, sizeof v->name)) &&
           sched_valid(v->sched, text_len(v->sched, sizeof v->sched)) &&
           (v->flags & ~GVS_FLAGS_ALL) == 0 && v->persistent <= GVS_PERSISTENT_MAX &&
           v->netmask <= 128 && forward_known(v->forward) &&
           (v->reset == 0 || gvs_hlc_valid(v->reset));
}

bool
gvs_backend_valid(const struct gvs_backend *v)
{
    return v->weight <= GVS_WEIGHT_MAX && forward_known(v->forward) &&
           (v->upper == 0 || v->lower <= v->upper) && v->tunnel <= GVS_TUNNEL_GRE &&
           (v->tunnel == GVS_TUNNEL_GUE) == (v->tunnel_port != 0);
}

bool
gvs_override_valid(const struct gvs_override *v)
{
    return !v->has_weight || v->weight <= GVS_WEIGHT_MAX;
}

/* The first stands for itself, the others ascend, none comes twice, nothing follows a 0. */
static bool
keys_valid(const uint64_t keys[static GVS_MEMBER_KEYS_MAX])
{
    for (size_t i = 1; i < GVS_MEMBER_KEYS_MAX; i++) {
        if (keys[i] == 0)
            continue;
        if (keys[i - 1] == 0 || keys[i] == keys[0] || (i > 1 && keys[i] <= keys[i - 1]))
            return false;
    }
    return true;
}

bool
gvs_member_value_valid(const struct gvs_member_value *v)
{
    return gvs_name_valid(v->name, text_len(v->name, sizeof v->name)) &&
           gvs_addr_valid(&v->ep.addr) && v->ep.port != 0 &&
           version_valid(v->version, text_len(v->version, sizeof v->version)) &&
           keys_valid(v->keys);
}

bool
gvs_trial_value_valid(const struct gvs_trial_value *v)
{
    return v->deadline_ms >= 1 && v->deadline_ms <= GVS_HLC_MS_MAX &&
           v->word <= GVS_TRIAL_ROLLED_BACK;
}

static uint64_t
load(const uint8_t *p, size_t size)
{
    uint16_t v16;
    uint32_t v32;
    uint64_t v64;

    switch (size) {
    case 1:
        return *p;
    case 2:
        memcpy(&v16, p, size);
        return v16;
    case 4:
        memcpy(&v32, p, size);
        return v32;
    default:
        GVS_ASSERT(size == sizeof v64);
        memcpy(&v64, p, size);
        return v64;
    }
}

static void
store(uint8_t *p, size_t size, uint64_t v)
{
    uint16_t v16 = (uint16_t)v;
    uint32_t v32 = (uint32_t)v;

    switch (size) {
    case 1:
        *p = (uint8_t)v;
        return;
    case 2:
        memcpy(p, &v16, size);
        return;
    case 4:
        memcpy(p, &v32, size);
        return;
    default:
        GVS_ASSERT(size == sizeof v);
        memcpy(p, &v, size);
    }
}

/* A value in the making. */
struct sink {
    uint8_t *b;
    size_t len;
};

static void
put_field(struct sink *to, uint8_t tag, const uint8_t *b, size_t len)
{
    GVS_ASSERT(len <= UINT8_MAX);
    GVS_ASSERT(2 + len <= GVS_VALUE_LEN_MAX - to->len);
    to->b[to->len] = tag;
    to->b[to->len + 1] = (uint8_t)len;
    memcpy(to->b + to->len + 2, b, len);
    to->len += 2 + len;
}

static void
put_number(struct sink *to, uint8_t tag, uint64_t v)
{
    uint8_t b[8];
    size_t zeros = 0;

    gvs_put64(b, v);
    while (zeros < sizeof b && b[zeros] == 0)
        zeros++;
    put_field(to, tag, b + zeros, sizeof b - zeros);
}

static void
put_endpoint(struct sink *to, uint8_t tag, const uint8_t *p)
{
    struct gvs_ep ep;
    uint8_t b[1 + 16 + 2];
    size_t n;

    memcpy(&ep, p, sizeof ep);
    n = gvs_addr_bytes(&ep.addr);
    b[0] = ep.addr.family;
    memcpy(b + 1, ep.addr.b, n);
    gvs_put16(b + 1 + n, ep.port);
    put_field(to, tag, b, 1 + n + 2);
}

static void
put_ids(struct sink *to, uint8_t tag, const uint8_t *p, size_t size)
{
    uint8_t b[UINT8_MAX];
    uint64_t id;
    size_t len = 0;

    for (size_t at = 0; at < size && (id = load(p + at, sizeof id)) != 0; at += sizeof id) {
        gvs_put64(b + len, id);
        len += sizeof id;
    }
    put_field(to, tag, b, len);
}

/* Does a struct say of this field what is said by leaving it out? */
static bool
is_default(const struct schema *s, const struct field *f, const uint8_t *v)
{
    const uint8_t *p = v + f->at, *fallback = (const uint8_t *)s->fallback + f->at;

    switch (f->type) {
    case NUMBER:
    case FLAG:
    case IDS:
        return memcmp(p, fallback, f->size) == 0;
    case OPTION:
        return v[f->has] == 0;
    case TEXT:
        return strcmp((const char *)p, (const char *)fallback) == 0;
    case ENDPOINT:
        return false;
    }
    return false;
}

static size_t
encode(uint8_t *out, const struct schema *s, const void *value)
{
    const uint8_t *v = value;
    struct sink to = {out, 0};

    for (const struct field *f = s->fields; f < s->fields + s->count; f++) {
        if (is_default(s, f, v))
            continue;
        if (f->type == TEXT)
            put_field(&to, f->tag, v + f->at, strlen((const char *)v + f->at));
        else if (f->type == ENDPOINT)
            put_endpoint(&to, f->tag, v + f->at);
        else if (f->type == IDS)
            put_ids(&to, f->tag, v + f->at, f->size);
        else
            put_number(&to, f->tag, load(v + f->at, f->size));
    }
    GVS_ASSERT(gvs_value_valid(out, to.len)); /* I1 */
    return to.len;
}

static int
read_number(uint8_t *p, size_t size, uint64_t max, const uint8_t *b, size_t len)
{
    uint64_t v = 0;

    if (len > 0 && b[0] == 0)
        return GVS_E_MALFORMED; /* a second way to write a number */
    if (len > sizeof v)
        return GVS_E_RANGE;
    for (size_t i = 0; i < len; i++)
        v = v << 8 | b[i];
    if (v > max)
        return GVS_E_RANGE;
    store(p, size, v);
    return GVS_OK;
}

static int
read_text(uint8_t *p, size_t size, const uint8_t *b, size_t len)
{
    if (len >= size || memchr(b, 0, len) != NULL)
        return GVS_E_RANGE;
    memset(p, 0, size);
    memcpy(p, b, len);
    return GVS_OK;
}

static int
read_endpoint(uint8_t *p, const uint8_t *b, size_t len)
{
    struct gvs_ep ep;
    size_t n;

    if (len < 1)
        return GVS_E_MALFORMED;
    memset(&ep, 0, sizeof ep); /* padding too (core/addr.h, I2) */
    ep.addr.family = b[0];
    n = gvs_addr_bytes(&ep.addr);
    if (n == 0)
        return GVS_E_RANGE;
    if (len != 1 + n + 2)
        return GVS_E_MALFORMED;
    memcpy(ep.addr.b, b + 1, n);
    ep.port = gvs_get16(b + 1 + n);
    memcpy(p, &ep, sizeof ep);
    return GVS_OK;
}

static int
read_ids(uint8_t *p, size_t size, const uint8_t *b, size_t len)
{
    if (len % 8 != 0)
        return GVS_E_MALFORMED;
    if (len > size)
        return GVS_E_RANGE;
    memset(p, 0, size);
    for (size_t at = 0; at < len; at += 8) {
        if (gvs_get64(b + at) == 0)
            return GVS_E_MALFORMED; /* a second way to end */
        store(p + at, 8, gvs_get64(b + at));
    }
    return GVS_OK;
}

static int
read_field(uint8_t *v, const struct field *f, const uint8_t *b, size_t len)
{
    if (f->type == OPTION)
        v[f->has] = true;
    switch (f->type) {
    case OPTION:
    case NUMBER:
        return read_number(v + f->at, f->size, UINT64_MAX >> (64 - 8 * f->size), b, len);
    case FLAG:
        return read_number(v + f->at, f->size, 1, b, len);
    case TEXT:
        return read_text(v + f->at, f->size, b, len);
    case ENDPOINT:
        return read_endpoint(v + f->at, b, len);
    case IDS:
        return read_ids(v + f->at, f->size, b, len);
    }
    return GVS_E_MALFORMED;
}

static const struct field *
field_of_tag(const struct schema *s, uint8_t tag)
{
    for (const struct field *f = s->fields; f < s->fields + s->count; f++)
        if (f->tag == tag)
            return f;
    return NULL;
}

/* Starts from the defaults and takes field after field. Ranges inside a member's type are left to
 * the caller; on an error *value is half filled, and the caller's to throw away. */
static int
decode(void *value, const struct schema *s, const uint8_t *b, size_t len)
{
    uint8_t *v = value;

    memcpy(v, s->fallback, s->size);
    if (!gvs_value_valid(b, len))
        return GVS_E_MALFORMED;
    for (size_t at = 0; at < len; at += 2 + (size_t)b[at + 1]) {
        const struct field *f = field_of_tag(s, b[at]);
        int rc;

        if (f == NULL)
            continue; /* I2 */
        rc = read_field(v, f, b + at + 2, b[at + 1]);
        if (rc < 0)
            return rc;
        if (is_default(s, f, v))
            return GVS_E_MALFORMED; /* a second way to say nothing */
    }
    return GVS_OK;
}

size_t
gvs_service_encode(uint8_t *out, const struct gvs_service *v)
{
    GVS_ASSERT(gvs_service_valid(v));
    return encode(out, &service_schema, v);
}

size_t
gvs_backend_encode(uint8_t *out, const struct gvs_backend *v)
{
    GVS_ASSERT(gvs_backend_valid(v));
    return encode(out, &backend_schema, v);
}

size_t
gvs_override_encode(uint8_t *out, const struct gvs_override *v)
{
    GVS_ASSERT(gvs_override_valid(v));
    return encode(out, &override_schema, v);
}

size_t
gvs_member_encode(uint8_t *out, const struct gvs_member_value *v)
{
    GVS_ASSERT(gvs_member_value_valid(v));
    return encode(out, &member_schema, v);
}

size_t
gvs_tombstone_encode(uint8_t *out, bool force)
{
    struct tombstone v = {.force = force};

    return encode(out, &tombstone_schema, &v);
}

size_t
gvs_trial_encode(uint8_t *out, const struct gvs_trial_value *v)
{
    GVS_ASSERT(gvs_trial_value_valid(v));
    return encode(out, &trial_schema, v);
}

int
gvs_service_decode(struct gvs_service *out, const uint8_t *b, size_t len)
{
    struct gvs_service v;
    int rc = decode(&v, &service_schema, b, len);

    if (rc < 0)
        return rc;
    if (v.name[0] == 0)
        return GVS_E_MALFORMED; /* required */
    if (!gvs_service_valid(&v))
        return GVS_E_RANGE;
    memcpy(out, &v, sizeof v);
    return GVS_OK;
}

int
gvs_backend_decode(struct gvs_backend *out, const uint8_t *b, size_t len)
{
    struct gvs_backend v;
    int rc = decode(&v, &backend_schema, b, len);

    if (rc < 0)
        return rc;
    if (!gvs_backend_valid(&v))
        return GVS_E_RANGE;
    memcpy(out, &v, sizeof v);
    return GVS_OK;
}

int
gvs_override_decode(struct gvs_override *out, const uint8_t *b, size_t len)
{
    struct gvs_override v;
    int rc = decode(&v, &override_schema, b, len);

    if (rc < 0)
        return rc;
    if (!gvs_override_valid(&v))
        return GVS_E_RANGE;
    memcpy(out, &v, sizeof v);
    return GVS_OK;
}

int
gvs_member_decode(struct gvs_member_value *out, const uint8_t *b, size_t len)
{
    struct gvs_member_value v;
    int rc = decode(&v, &member_schema, b, len);

    if (rc < 0)
        return rc;
    if (v.name[0] == 0 || v.ep.addr.family == GVS_FAMILY_NONE)
        return GVS_E_MALFORMED; /* required */
    if (!gvs_member_value_valid(&v))
        return GVS_E_RANGE;
    memcpy(out, &v, sizeof v);
    return GVS_OK;
}

int
gvs_tombstone_decode(bool *force, const uint8_t *b, size_t len)
{
    struct tombstone v;
    int rc = decode(&v, &tombstone_schema, b, len);

    if (rc < 0)
        return rc;
    *force = v.force;
    return GVS_OK;
}

int
gvs_trial_decode(struct gvs_trial_value *out, const uint8_t *b, size_t len)
{
    struct gvs_trial_value v;
    int rc = decode(&v, &trial_schema, b, len);

    if (rc < 0)
        return rc;
    if (v.deadline_ms == 0)
        return GVS_E_MALFORMED; /* required */
    if (!gvs_trial_value_valid(&v))
        return GVS_E_RANGE;
    memcpy(out, &v, sizeof v);
    return GVS_OK;
}

bool
gvs_value_valid(const uint8_t *b, size_t len)
{
    unsigned last = 0; /* so that tag 0 is none */
    size_t at = 0;

    if (len > GVS_VALUE_LEN_MAX)
        return false;
    while (at < len) {
        if (len - at < 2 || b[at] <= last || len - at - 2 < b[at + 1])
            return false;
        last = b[at];
        at += 2 + (size_t)b[at + 1];
    }
    return true;
}

const char *
gvs_forward_name(uint8_t forward)
{
    switch (forward) {
    case GVS_FORWARD_NAT:
        return "nat";
    case GVS_FORWARD_TUN:
        return "tun";
    case GVS_FORWARD_DR:
        return "dr";
    default:
        return "?";
    }
}

int
gvs_forward_parse(uint8_t *out, const char *text)
{
    static const uint8_t forwards[] = {GVS_FORWARD_NAT, GVS_FORWARD_TUN, GVS_FORWARD_DR};

    for (size_t i = 0; i < sizeof forwards; i++) {
        if (strcmp(gvs_forward_name(forwards[i]), text) == 0) {
            *out = forwards[i];
            return GVS_OK;
        }
    }
    return GVS_E_MALFORMED;
}

bool
gvs_service_equal(const struct gvs_service *a, const struct gvs_service *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->sched, b->sched) == 0 &&
           a->flags == b->flags && a->persistent == b->persistent && a->netmask == b->netmask &&
           a->forward == b->forward;
}

bool
gvs_backend_equal(const struct gvs_backend *a, const struct gvs_backend *b)
{
    return a->weight == b->weight && a->forward == b->forward && a->lower == b->lower &&
           a->upper == b->upper && a->tunnel == b->tunnel && a->tunnel_port == b->tunnel_port;
}

#define TAG_PREV 64

size_t
gvs_prev_add(uint8_t *value, size_t len, uint64_t hlc)
{
    struct sink to = {value, len};

    if (hlc == 0)
        return len;
    put_number(&to, TAG_PREV, hlc);
    GVS_ASSERT(gvs_value_valid(value, to.len));
    return to.len;
}

uint64_t
gvs_prev_get(const uint8_t *b, size_t len)
{
    uint64_t hlc = 0;

    if (!gvs_value_valid(b, len))
        return 0;
    for (size_t at = 0; at < len; at += 2 + (size_t)b[at + 1]) {
        if (b[at] == TAG_PREV &&
            read_number((uint8_t *)&hlc, sizeof hlc, UINT64_MAX, b + at + 2, b[at + 1]) < 0)
            return 0;
    }
    return hlc;
}

#define TAG_UNDO 67
#define TAG_WRITERS 64 /* from here on fields are about who wrote */

enum { UNDO_GONE = 1, UNDO_HAD = 2, UNDO_FORCE = 4, UNDO_HEAD = 17 };

size_t
gvs_value_bare(const uint8_t *b, size_t len)
{
    size_t at = 0;

    GVS_ASSERT(gvs_value_valid(b, len));
    while (at < len && b[at] < TAG_WRITERS)
        at += 2 + (size_t)b[at + 1];
    return at;
}

size_t
gvs_undo_add(uint8_t *value, size_t len, const struct gvs_undo *u)
{
    size_t field = UNDO_HEAD + u->was_len;
    uint8_t *b = value + len + 2;

    GVS_ASSERT(u->trial != 0 && u->deadline_ms != 0);
    GVS_ASSERT(u->had || u->was_len == 0);
    if (field > UINT8_MAX || len + 2 + field > GVS_VALUE_LEN_MAX)
        return 0;
    value[len] = TAG_UNDO;
    value[len + 1] = (uint8_t)field;
    gvs_put64(b, u->trial);
    gvs_put64(b + 8, u->deadline_ms);
    b[16] = (uint8_t)((u->gone ? UNDO_GONE : 0) | (u->had ? UNDO_HAD : 0) |
                      (u->gone && u->force ? UNDO_FORCE : 0));
    if (u->was_len > 0)
        memcpy(b + UNDO_HEAD, u->was, u->was_len);
    GVS_ASSERT(gvs_value_valid(value, len + 2 + field));
    return len + 2 + field;
}

static bool
read_undo(struct gvs_undo *out, const uint8_t *b, size_t len)
{
    if (len < UNDO_HEAD || (b[16] & ~(UNDO_GONE | UNDO_HAD | UNDO_FORCE)) != 0)
        return false;
    *out = (struct gvs_undo){
        .trial = gvs_get64(b),
        .deadline_ms = gvs_get64(b + 8),
        .gone = (b[16] & UNDO_GONE) != 0,
        .had = (b[16] & UNDO_HAD) != 0,
        .force = (b[16] & UNDO_FORCE) != 0,
        .was = b + UNDO_HEAD,
        .was_len = len - UNDO_HEAD,
    };
    return out->trial != 0 && out->deadline_ms != 0 && out->deadline_ms <= GVS_HLC_MS_MAX &&
           (out->had || out->was_len == 0) && (out->gone || !out->force) &&
           gvs_value_valid(out->was, out->was_len) &&
           gvs_value_bare(out->was, out->was_len) == out->was_len;
}

bool
gvs_undo_get(struct gvs_undo *out, const uint8_t *b, size_t len)
{
    size_t at = gvs_value_valid(b, len) ? gvs_value_bare(b, len) : len;

    for (; at < len && b[at] <= TAG_UNDO; at += 2 + (size_t)b[at + 1])
        if (b[at] == TAG_UNDO)
            return read_undo(out, b + at + 2, b[at + 1]);
    return false;
}
