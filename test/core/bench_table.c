/* test/core/bench_table [ENTRIES [CAPACITY]]: what a table costs an entry of 92 bytes, in time and
 * in memory. Run by tools/bench; prints rows of a table and judges nothing but the counts.
 *
 * The hash is a cheap one, its share is a row of its own. Memory is anonymous memory, the
 * difference that the kernel sees (smaps_rollup), with everything that the table has touched. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "core/err.h"
#include "core/table.h"
#include "test/lib/prng.h"

#define ENTRY_LEN 92
#define VALUE_MAX 150
#define OVERHEAD 43 /* a v4 backend of a node: length of the key, 33 of key, order, flags */

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double
anonymous(void)
{
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    char line[256];
    double kb = 0;

    GVS_ASSERT(f);
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "Anonymous: %lf", &kb) == 1)
            break;
    }
    fclose(f);
    return kb * 1024;
}

/* FNV-1a a word at a time, stirred. */
static uint64_t
hash(const void *key, const uint8_t *b, size_t len)
{
    uint64_t h = *(const uint64_t *)key ^ len, word;

    for (; len >= sizeof word; b += sizeof word, len -= sizeof word) {
        memcpy(&word, b, sizeof word);
        h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
    }
    for (; len > 0; b++, len--)
        h = (h ^ *b) * UINT64_C(0x100000001b3);
    return gvs_prng_next(&(struct gvs_prng){h});
}

/* Backend `n` of ten a service, spread over services so that numbers ascend as keys do. */
static struct gvs_key
key_number(uint32_t n)
{
    struct gvs_key key = {.kind = GVS_KEY_BACKEND,
                          .svc = {.proto = GVS_PROTO_TCP, .addr = {.family = GVS_FAMILY_V4}},
                          .ep = {.addr = {.family = GVS_FAMILY_V4}, .port = 8080}};
    uint32_t s = n / 10;

    key.svc.addr.b[0] = 10;
    key.svc.addr.b[1] = (uint8_t)(s >> 16);
    key.svc.addr.b[2] = (uint8_t)(s >> 8);
    key.svc.addr.b[3] = (uint8_t)s;
    key.svc.port = 80;
    key.ep.addr.b[0] = 10;
    key.ep.addr.b[3] = (uint8_t)(n % 10);
    key.owner.b[0] = (uint8_t)(1 + n % 10);
    return key;
}

/* A value of that many bytes, not 1. */
static size_t
entry_number(uint8_t *out, uint32_t n, uint64_t ms, bool tombstone, size_t value_len)
{
    struct gvs_key key = key_number(n);
    uint8_t value[VALUE_MAX + 2] = {100, (uint8_t)(value_len - 2)};

    return gvs_entry_build(out, &key, gvs_hlc_make(ms, 0), NULL, tombstone, value,
                           value_len < 2 ? 0 : value_len);
}

static void
merge(struct gvs_table *t, uint32_t n, uint64_t ms, bool tombstone, size_t value_len)
{
    uint8_t b[GVS_ENTRY_LEN_MAX];
    struct gvs_entry e;
    size_t len = entry_number(b, n, ms, tombstone, value_len);

    GVS_ASSERT(gvs_entry_parse(&e, b, len) == GVS_OK);
    GVS_ASSERT(gvs_table_merge(t, &e) == 1);
}

static uint32_t *
shuffled(uint32_t count, struct gvs_prng *p)
{
    uint32_t *v = malloc(count * sizeof *v);

    GVS_ASSERT(v);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t j = gvs_prng_below(p, i + 1);

        v[i] = v[j];
        v[j] = i;
    }
    return v;
}

struct block {
    void *mem;
    size_t len;
    struct gvs_table *table;
};

static struct block
open_table(uint32_t capacity)
{
    static const uint64_t key = 42;
    struct block b = {.len = gvs_table_footprint(capacity)};

    b.mem = mmap(NULL, b.len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                 -1, 0);
    GVS_ASSERT(b.mem != MAP_FAILED);
    madvise(b.mem, b.len, MADV_NOHUGEPAGE); /* a huge page would blur what was touched */
    b.table = gvs_table_init(b.mem, capacity, (struct gvs_hash){hash, &key});
    return b;
}

static void
row(const char *what, double value, const char *unit)
{
    printf("| %-46s | %9.1f | %-8s |\n", what, value, unit);
    fflush(stdout);
}

/* What making and parsing an entry costs before the table sees it. */
static double
making(const uint32_t *order, uint32_t count)
{
    double began = now();
    size_t sum = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint8_t b[GVS_ENTRY_LEN_MAX];
        struct gvs_entry e;
        size_t len = entry_number(b, order[i], 1, false, ENTRY_LEN - OVERHEAD);

        GVS_ASSERT(gvs_entry_parse(&e, b, len) == GVS_OK && e.len == ENTRY_LEN);
        sum += e.value[0];
    }
    GVS_ASSERT(sum == 100 * (size_t)count);
    return (now() - began) / count;
}

static void
fill(struct gvs_table *t, const char *what, const uint32_t *order, uint32_t count, double less)
{
    double began = now();

    for (uint32_t i = 0; i < count; i++)
        merge(t, order ? order[i] : i, 1, false, ENTRY_LEN - OVERHEAD);
    row(what, (now() - began) / count - less, "ns");
}

static void
look_up(struct gvs_table *t, const uint32_t *order, uint32_t count)
{
    uint64_t *ids = malloc(count * sizeof *ids);
    double began = now();
    struct gvs_entry e;

    GVS_ASSERT(ids);
    for (uint32_t i = 0; i < count; i++) {
        struct gvs_key key = key_number(order[i]);
        struct gvs_keybuf b;

        gvs_key_build(&b, &key);
        GVS_ASSERT(gvs_table_get(t, b.b, b.len, &e));
        ids[i] = gvs_table_id(t, &e);
    }
    row("look-up by key, random", (now() - began) / count, "ns");
    began = now();
    for (uint32_t i = 0; i < count; i++)
        GVS_ASSERT(gvs_table_get_id(t, ids[i], &e));
    row("look-up by id, random", (now() - began) / count, "ns");
    free(ids);
}

static void
scan(struct gvs_table *t, uint32_t count)
{
    struct gvs_idsum sum;
    double began = now();
    struct gvs_entry e;
    uint32_t found = 0;

    for (bool more = gvs_table_seek(t, NULL, 0, false, &e); more;
         more = gvs_table_seek(t, e.key, e.key_len, true, &e))
        found++;
    GVS_ASSERT(found == count);
    row("step of a scan by key", (now() - began) / count, "ns");
    began = now();
    sum = gvs_table_idsum(t, 0, UINT64_MAX);
    GVS_ASSERT(sum.count == count && sum.sum == gvs_table_fingerprint(t));
    row("step of a sum by id", (now() - began) / count, "ns");
}

static void
sketch(uint32_t capacity, uint32_t count)
{
    struct block b = open_table(capacity);
    size_t cells = gvs_sketch_cells(gvs_table_sketch(b.table));
    struct gvs_sketch *s = gvs_sketch_init(calloc(1, gvs_sketch_footprint(cells)), cells);
    struct gvs_prng p = gvs_prng_init(7);
    double began = now();

    for (uint32_t i = 0; i < count; i++)
        gvs_sketch_add(s, gvs_prng_next(&p));
    row("  of it the sketch, an addition or removal", (now() - began) / count, "ns");
    free(s);
    munmap(b.mem, b.len);
}

static void
cut(struct gvs_table *t, const uint32_t *order, uint32_t count, uint64_t ms)
{
    size_t before = gvs_table_tombstones(t);
    double began;

    for (uint32_t i = 0; i < count / 100; i++)
        merge(t, order[i], ms, true, 0);
    began = now();
    gvs_table_set_cut(t, gvs_hlc_make(1, 0));
    row("cut, no tombstone crosses", now() - began, "ns");
    began = now();
    gvs_table_set_cut(t, gvs_hlc_make(ms + 1, 0));
    row("cut, 1 % of the entries cross", (now() - began) / 1e6, "ms");
    GVS_ASSERT(gvs_table_tombstones(t) == before + count / 100);
    GVS_ASSERT(gvs_table_idsum(t, 0, UINT64_MAX).count == count - before - count / 100);
}

/* Every entry is written anew five times, in other orders, with 2 to 97 bytes of value, 49 on
 * average as before; one time in three it is deleted first, one in eight wholly. */
static uint64_t
churn(struct gvs_table *t, uint32_t count, struct gvs_prng *p)
{
    uint64_t ms = 2;

    for (int round = 0; round < 5; round++) {
        uint32_t *order = shuffled(count, p);

        for (uint32_t i = 0; i < count; i++) {
            bool last = round == 4;

            if (gvs_prng_chance(p, 1, 3))
                merge(t, order[i], ms, true, 0);
            if (gvs_prng_chance(p, 1, 8)) {
                struct gvs_key key = key_number(order[i]);
                struct gvs_keybuf b;

                gvs_key_build(&b, &key);
                GVS_ASSERT(gvs_table_remove(t, b.b, b.len));
            }
            merge(t, order[i], ms + 1, false,
                  last && i % 2 ? ENTRY_LEN - OVERHEAD : 2 + gvs_prng_below(p, 96));
        }
        ms += 2;
        free(order);
    }
    return ms;
}

static void
remove_all(struct gvs_table *t, const uint32_t *order, uint32_t count)
{
    double began = now();

    for (uint32_t i = 0; i < count; i++) {
        struct gvs_key key = key_number(order[i]);
        struct gvs_keybuf b;

        gvs_key_build(&b, &key);
        GVS_ASSERT(gvs_table_remove(t, b.b, b.len));
    }
    row("removal, random", (now() - began) / count, "ns");
    GVS_ASSERT(gvs_table_count(t) == 0 && gvs_table_fingerprint(t) == 0);
}

int
main(int argc, char **argv)
{
    uint32_t count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
    uint32_t capacity = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : count;
    struct gvs_prng p = gvs_prng_init(1);
    uint32_t *order = shuffled(count, &p);
    double made = making(order, count), before = anonymous(), began;
    struct block b = open_table(capacity);
    uint64_t ms;

    printf("%" PRIu32 " entries of %d bytes, room for %" PRIu32 "\n\n", count, ENTRY_LEN, capacity);
    printf("| %-46s | %9s | %-8s |\n|---|---:|---|\n", "what", "", "unit");
    fill(b.table, "insertion, random", order, count, made);
    row("memory after that, an entry", (anonymous() - before) / count, "bytes");
    sketch(capacity, count);
    look_up(b.table, order, count);
    scan(b.table, count);
    began = now();
    for (uint32_t i = 0; i < count; i++)
        merge(b.table, order[i], 2, false, ENTRY_LEN - OVERHEAD);
    row("overwriting, random", (now() - began) / count - made, "ns");
    ms = churn(b.table, count, &p);
    row("memory after churn, an entry", (anonymous() - before) / count, "bytes");
    cut(b.table, order, count, ms + 1);
    remove_all(b.table, order, count);
    munmap(b.mem, b.len);
    before = anonymous();
    b = open_table(capacity);
    fill(b.table, "insertion, ascending", NULL, count, made);
    row("memory after that, an entry", (anonymous() - before) / count, "bytes");
    munmap(b.mem, b.len);
    free(order);
    return 0;
}
