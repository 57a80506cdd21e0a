/* Records are slots of one array, found by a chained hash table. A slot that changed also stands in
 * a queue until the store has fetched it; only then is one that was struck out free again. Slots
 * are named by number, 1 and up, so that zeroed memory is an empty ledger. */
#include "ipvs/ledger.h"
#include "core/bytes.h"
#include "core/key.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static_assert(GVS_LEDGER_REC_MAX == GVS_KEY_LEN_MAX - sizeof(struct gvs_id),
              "the cluster's claim on an IPv6 backend fits");

static const struct gvs_ledger_rec brake_rec = {
    .len = 2, .b = {'B'}, .value_len = GVS_LEDGER_VALUE_MAX};

struct slot {
    uint32_t chain; /* the next of its bucket, or the next free one; 0 ends it */
    uint32_t queue; /* the next that waits */
    bool waits;
    struct gvs_ledger_rec rec;
};

struct gvs_ledger {
    uint32_t slots, buckets; /* how many; buckets is a power of two */
    uint32_t used;           /* slots 1..used have been used before */
    uint32_t free;           /* first of those that are free again */
    uint32_t first, last;    /* of the queue */
    size_t services, leaving;
    struct slot *slot; /* slot[number - 1] */
    uint32_t *bucket;
};

static uint32_t
buckets_for(size_t records)
{
    uint32_t n = 1;

    GVS_ASSERT(records > 0 && records <= UINT32_MAX / 4);
    while (n < records)
        n *= 2;
    return n;
}

size_t
gvs_ledger_footprint(size_t records)
{
    return sizeof(struct gvs_ledger) + records * sizeof(struct slot) +
           buckets_for(records) * sizeof(uint32_t);
}

struct gvs_ledger *
gvs_ledger_init(void *mem, size_t records)
{
    struct gvs_ledger *l = mem;

    l->slots = (uint32_t)records;
    l->buckets = buckets_for(records);
    l->slot = (struct slot *)(l + 1);
    l->bucket = (uint32_t *)(l->slot + records);
    return l;
}

static struct slot *
slot_of(const struct gvs_ledger *l, uint32_t number)
{
    GVS_ASSERT(number >= 1 && number <= l->used);
    return &l->slot[number - 1];
}

/* FNV-1a. The keys are ours: nobody gains by making them collide. */
static uint32_t *
bucket_of(const struct gvs_ledger *l, const struct gvs_ledger_rec *rec)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < rec->len; i++)
        h = (h ^ rec->b[i]) * 16777619u;
    return &l->bucket[h & (l->buckets - 1)];
}

/* The link that leads to the record, or to the 0 where it would be. */
static uint32_t *
find(const struct gvs_ledger *l, const struct gvs_ledger_rec *rec)
{
    uint32_t *link = bucket_of(l, rec);

    while (*link) {
        struct slot *s = slot_of(l, *link);

        if (s->rec.len == rec->len && memcmp(s->rec.b, rec->b, rec->len) == 0)
            break;
        link = &s->chain;
    }
    return link;
}

static bool
has(const struct gvs_ledger *l, const struct gvs_ledger_rec *rec)
{
    uint32_t number = *find(l, rec);

    return number && !slot_of(l, number)->rec.gone;
}

/* A new slot for the record, struck out; NULL if there is no room. */
static struct slot *
take_slot(struct gvs_ledger *l, const struct gvs_ledger_rec *rec)
{
    uint32_t *link = find(l, rec), number = l->free;
    struct slot *s;

    GVS_ASSERT(*link == 0);
    if (number)
        l->free = slot_of(l, number)->chain;
    else if (l->used < l->slots)
        number = ++l->used;
    else
        return NULL;
    s = slot_of(l, number);
    *s = (struct slot){.rec = *rec};
    s->rec.gone = true;
    *link = number;
    return s;
}

static void
free_slot(struct gvs_ledger *l, struct slot *s)
{
    uint32_t *link = find(l, &s->rec), number = *link;

    GVS_ASSERT(slot_of(l, number) == s && s->rec.gone && !s->waits);
    *link = s->chain;
    s->chain = l->free;
    l->free = number;
}

static void
enqueue(struct gvs_ledger *l, struct slot *s)
{
    uint32_t number = (uint32_t)(s - l->slot) + 1;

    if (s->waits)
        return;
    s->waits = true;
    s->queue = 0;
    if (l->last)
        slot_of(l, l->last)->queue = number;
    else
        l->first = number;
    l->last = number;
}

static void
set_gone(struct gvs_ledger *l, struct slot *s, bool gone)
{
    GVS_ASSERT(s->rec.gone != gone);
    s->rec.gone = gone;
    if (s->rec.b[0] == 'S')
        l->services += gone ? (size_t)-1 : 1;
    if (s->rec.b[0] == 'L')
        l->leaving += gone ? (size_t)-1 : 1;
}

/* Makes it so, its value included; false: it was so already, or there is no room. */
static bool
change(struct gvs_ledger *l, const struct gvs_ledger_rec *rec, bool in)
{
    uint32_t number = *find(l, rec);
    struct slot *s = number ? slot_of(l, number) : NULL;
    bool was = s && !s->rec.gone;

    if (was == in && (!in || memcmp(s->rec.value, rec->value, sizeof rec->value) == 0))
        return false;
    s = s ? s : take_slot(l, rec);
    if (!s)
        return false;
    if (was != in)
        set_gone(l, s, !in);
    memcpy(s->rec.value, rec->value, sizeof rec->value);
    enqueue(l, s);
    return true;
}

static struct gvs_ledger_rec
service_rec(const struct gvs_svcid *svc)
{
    struct gvs_ledger_rec rec = {0};
    struct gvs_keybuf key;

    gvs_key_prefix(&key, svc);
    rec.len = key.len;
    memcpy(rec.b, key.b, key.len);
    return rec;
}

static struct gvs_ledger_rec
addr_rec(const struct gvs_addr *addr)
{
    size_t len = gvs_addr_bytes(addr);
    struct gvs_ledger_rec rec = {.len = (uint8_t)(2 + len), .b = {'A', addr->family}};

    GVS_ASSERT(gvs_addr_valid(addr));
    memcpy(rec.b + 2, addr->b, len);
    return rec;
}

/* The key of the cluster's claim on it, but for the first letter. False: it has none, and is in the
 * kernel by somebody else's doing. */
static bool
leaving_rec(struct gvs_ledger_rec *rec, const struct gvs_item *identity)
{
    bool dest = identity->kind == GVS_ITEM_DEST;
    struct gvs_key key = {.kind = dest ? GVS_KEY_BACKEND : GVS_KEY_SERVICE, .svc = identity->svc};
    struct gvs_keybuf b;

    if (!gvs_svcid_valid(&identity->svc) || (dest && !gvs_addr_valid(&identity->ep.addr)))
        return false;
    if (dest)
        key.ep = identity->ep;
    gvs_key_build(&b, &key);
    *rec = (struct gvs_ledger_rec){.len = b.len, .value_len = GVS_LEDGER_VALUE_MAX};
    memcpy(rec->b, b.b, b.len);
    rec->b[0] = 'L';
    return true;
}

/* Of a record that was found valid. */
static struct gvs_item
leaving_item(const struct gvs_ledger_rec *rec)
{
    uint8_t b[GVS_LEDGER_REC_MAX];
    struct gvs_key key;
    int rc;

    memcpy(b, rec->b, rec->len);
    b[0] = 'S';
    rc = gvs_key_parse(&key, b, rec->len);
    GVS_ASSERT(rc == GVS_OK);
    return key.kind == GVS_KEY_BACKEND ? gvs_item_make_dest(&key.svc, &key.ep)
                                       : gvs_item_make_service(&key.svc);
}

static bool
moment_valid(const uint8_t *value, size_t value_len)
{
    return value_len == GVS_LEDGER_VALUE_MAX && gvs_get64(value) > 0;
}

static bool
leaving_rec_valid(const uint8_t *b, size_t len, const uint8_t *value, size_t value_len)
{
    uint8_t key[GVS_LEDGER_REC_MAX];
    struct gvs_key parts;

    memcpy(key, b, len);
    key[0] = 'S';
    return moment_valid(value, value_len) && gvs_key_parse(&parts, key, len) == GVS_OK &&
           gvs_id_is_cluster(&parts.owner) &&
           (parts.kind == GVS_KEY_SERVICE || parts.kind == GVS_KEY_BACKEND);
}

static bool
parse_service_rec(struct gvs_svcid *svc, const uint8_t *b, size_t len)
{
    uint8_t key[GVS_LEDGER_REC_MAX + 1];
    struct gvs_key parts;

    memcpy(key, b, len);
    key[len] = 'A'; /* makes it the key of the cluster's claim on the service */
    if (gvs_key_parse(&parts, key, len + 1) < 0 || parts.kind != GVS_KEY_SERVICE ||
        !gvs_id_is_cluster(&parts.owner))
        return false;
    *svc = parts.svc;
    return true;
}

static bool
addr_rec_valid(const uint8_t *b, size_t len)
{
    struct gvs_addr addr = {.family = b[1]};

    if (len < 2 || len - 2 != gvs_addr_bytes(&addr))
        return false;
    memcpy(addr.b, b + 2, len - 2);
    return gvs_addr_valid(&addr);
}

static bool
rec_valid(const uint8_t *b, size_t len, const uint8_t *value, size_t value_len)
{
    struct gvs_svcid svc;

    if (len < 2 || len > GVS_LEDGER_REC_MAX)
        return false;
    switch (b[0]) {
    case 'A':
        return addr_rec_valid(b, len);
    case 'L':
        return leaving_rec_valid(b, len, value, value_len);
    case 'B':
        return len == brake_rec.len && b[1] == 0 && moment_valid(value, value_len);
    default:
        return parse_service_rec(&svc, b, len);
    }
}

int
gvs_ledger_load(struct gvs_ledger *l, const uint8_t *b, size_t len, const uint8_t *value,
                size_t value_len)
{
    struct gvs_ledger_rec rec = {.len = (uint8_t)len};
    struct slot *s;

    if (!rec_valid(b, len, value, value_len))
        return GVS_E_MALFORMED;
    memcpy(rec.b, b, len);
    if (b[0] == 'L' || b[0] == 'B') {
        rec.value_len = (uint8_t)value_len;
        memcpy(rec.value, value, value_len);
    }
    if (*find(l, &rec))
        return GVS_OK;
    s = take_slot(l, &rec);
    if (!s)
        return GVS_E_FULL;
    set_gone(l, s, false);
    return GVS_OK;
}

bool
gvs_ledger_has_service(const struct gvs_ledger *l, const struct gvs_svcid *svc)
{
    struct gvs_ledger_rec rec;

    if (!gvs_svcid_valid(svc))
        return false;
    rec = service_rec(svc);
    return has(l, &rec);
}

bool
gvs_ledger_has_addr(const struct gvs_ledger *l, const struct gvs_addr *addr)
{
    struct gvs_ledger_rec rec;

    if (!gvs_addr_valid(addr))
        return false;
    rec = addr_rec(addr);
    return has(l, &rec);
}

bool
gvs_ledger_service(struct gvs_ledger *l, const struct gvs_svcid *svc, bool ours)
{
    struct gvs_ledger_rec rec = service_rec(svc);

    return change(l, &rec, ours);
}

bool
gvs_ledger_addr(struct gvs_ledger *l, const struct gvs_addr *addr, bool ours)
{
    struct gvs_ledger_rec rec = addr_rec(addr);

    return change(l, &rec, ours);
}

bool
gvs_ledger_leave(struct gvs_ledger *l, const struct gvs_item *identity, struct gvs_mono until)
{
    struct gvs_ledger_rec rec;

    GVS_ASSERT(until.us > 0);
    if (!leaving_rec(&rec, identity))
        return false;
    gvs_put64(rec.value, until.us);
    change(l, &rec, true);
    return has(l, &rec);
}

void
gvs_ledger_stay(struct gvs_ledger *l, const struct gvs_item *identity)
{
    struct gvs_ledger_rec rec;

    if (l->leaving > 0 && leaving_rec(&rec, identity))
        change(l, &rec, false);
}

bool
gvs_ledger_leaves(const struct gvs_ledger *l, const struct gvs_item *identity,
                  struct gvs_mono *until)
{
    struct gvs_ledger_rec rec;
    uint32_t number;

    if (l->leaving == 0 || !leaving_rec(&rec, identity))
        return false; /* most of the time there is nothing to look for */
    number = *find(l, &rec);
    if (!number || slot_of(l, number)->rec.gone)
        return false;
    until->us = gvs_get64(slot_of(l, number)->rec.value);
    return true;
}

bool
gvs_ledger_each_leaving(const struct gvs_ledger *l, size_t *at, struct gvs_item *identity)
{
    while (l->leaving > 0 && *at < l->used) {
        const struct gvs_ledger_rec *rec = &l->slot[(*at)++].rec;

        if (rec->gone || rec->b[0] != 'L')
            continue; /* or free */
        *identity = leaving_item(rec);
        return true;
    }
    return false;
}

void
gvs_ledger_brake(struct gvs_ledger *l, struct gvs_mono until)
{
    struct gvs_ledger_rec rec = brake_rec;

    gvs_put64(rec.value, until.us);
    change(l, &rec, until.us > 0); /* without room for it, a restart judges anew */
}

struct gvs_mono
gvs_ledger_braked(const struct gvs_ledger *l)
{
    uint32_t number = *find(l, &brake_rec);
    struct gvs_mono until = {0};

    if (number && !slot_of(l, number)->rec.gone)
        until.us = gvs_get64(slot_of(l, number)->rec.value);
    return until;
}

void
gvs_ledger_clear(struct gvs_ledger *l)
{
    for (uint32_t number = 1; number <= l->used; number++) {
        struct slot *s = slot_of(l, number);

        if (s->rec.gone)
            continue; /* or free */
        set_gone(l, s, true);
        enqueue(l, s);
    }
}

bool
gvs_ledger_next(struct gvs_ledger *l, struct gvs_ledger_rec *rec)
{
    struct slot *s;

    if (!l->first)
        return false;
    s = slot_of(l, l->first);
    l->first = s->queue;
    if (!l->first)
        l->last = 0;
    s->waits = false;
    *rec = s->rec;
    if (s->rec.gone)
        free_slot(l, s);
    return true;
}

size_t
gvs_ledger_services(const struct gvs_ledger *l)
{
    return l->services;
}

bool
gvs_ledger_each(const struct gvs_ledger *l, uint32_t *at, struct gvs_svcid *svc)
{
    while (*at < l->used) {
        const struct gvs_ledger_rec *rec = &slot_of(l, ++*at)->rec;
        bool valid;

        if (rec->gone || rec->b[0] != 'S')
            continue; /* or free */
        valid = parse_service_rec(svc, rec->b, rec->len);
        GVS_ASSERT(valid);
        return true;
    }
    return false;
}

/* The first line of a small file. */
static int
read_line(const char *path, char *line, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return GVS_E_SYS;
    n = read(fd, line, cap - 1);
    close(fd);
    if (n <= 0)
        return GVS_E_SYS;
    line[n] = 0;
    line[strcspn(line, "\n")] = 0;
    return GVS_OK;
}

static int
read_boot(char boot[static 48])
{
    return read_line("/proc/sys/kernel/random/boot_id", boot, 48);
}

int
gvs_ledger_place(char text[static 96])
{
    char boot[48];
    struct stat ns;

    if (read_boot(boot) < 0)
        return GVS_E_SYS;
    if (stat("/proc/thread-self/ns/net", &ns) < 0) /* a thread may be in one of its own */
        return GVS_E_SYS;
    snprintf(text, 96, "%s %ju:%ju", boot, (uintmax_t)ns.st_dev, (uintmax_t)ns.st_ino);
    return GVS_OK;
}

int
gvs_ledger_place_of(char text[static 96], uint64_t dev, uint64_t ino, uint64_t cookie)
{
    char boot[48];

    if (read_boot(boot) < 0)
        return GVS_E_SYS;
    snprintf(text, 96, "%s %ju:%ju %jx", boot, (uintmax_t)dev, (uintmax_t)ino, (uintmax_t)cookie);
    return GVS_OK;
}
