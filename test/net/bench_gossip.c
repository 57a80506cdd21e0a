/* test/net/bench_gossip: N of our nodes over loopback sockets; what a change, silence and catching
 * up cost. Run by tools/bench; judges no time.
 *
 *     bench_gossip MODE [-n NODES] [-e ENTRIES] [-c CHANGES] [-r ROUNDS] [-s SECONDS] [-t LIMIT]
 *
 *     latency   CHANGES, one at a time, at random nodes, until the last table has each; SECONDS of
 *               nothing before, once, so that what idling costs can be taken off
 *     burst     CHANGES at once at one node, until all fingerprints are equal
 *     idle      SECONDS of nothing, in sync, with ENTRIES in every table
 *     catchup   two nodes meet; one lacks 1 % of ENTRIES, which it has never seen
 *     unseen    in a running cluster the last lacks 1 % of ENTRIES from one moment on, unannounced
 *     join      two nodes meet; one is empty
 *     memory    anonymous bytes an entry after a join, and after each entry was overwritten once
 *     flood     CHANGES a second at one node, all over ENTRIES keys, for SECONDS; meanwhile a lone
 *               change a second at another one, until the last table has it
 *     death     one node falls silent, until each of the others has found that out by itself
 *
 * One line of JSON a round, with the names that tools/lib/bench_memberlist uses; rounds of latency
 * and idle are windows of one cluster, all others begin anew. What takes longer than LIMIT seconds
 * says "timeout": true, and then the status is 1. What can be checked is: each change has been
 * carried to each node at least once, and nodes and sockets count alike. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "net/node_impl.h" /* unseen puts entries where no caller can */
#include "test/lib/loopback.h"
#include "test/lib/prng.h"

#define ENTRY_LEN 92       /* the reference entry */
#define ENTRY_TAG 63       /* of its value: one that core/value.h does not know */
#define GAP_US 5000        /* between lone changes: this and up to twice as much on top */
#define TAIL_MS 100        /* what is still sent when all have everything belongs to it */
#define STAGGER_US 30000   /* from one node's start to the next; nothing special about it */
#define SETTLE_MS 3000     /* after a start, before anything is counted */
#define NUMBER_MAX 3000000 /* nothing special about it */
#define LOADED_HLC_MS UINT64_C(1700000000000)

struct options {
    const char *mode;
    unsigned nodes, entries, changes, rounds, seconds, limit;
};

struct round {
    const struct options *o;
    struct loopback l;
    struct gvs_prng prng;
    struct gvs_mono began, limit; /* a round that is not over then is given up */
    struct loopback_sent sent;    /* when counting began */
    uint64_t taken;               /* likewise */
    uint64_t anonymous;           /* before there was any node */
    double cpu;
    bool late, wrong;
    bool unloaded; /* the limit came before the tables were full */
};

/* --- entries --- */

/* The k-th: a backend of the cluster, its value filled up to ENTRY_LEN with random bytes, so that
 * nobody can compress it. Returns the value's length. */
static size_t
make_entry(struct gvs_prng *prng, uint32_t k, struct gvs_key *key, uint8_t *value)
{
    static const struct gvs_id writer = {{1}};
    uint8_t b[GVS_ENTRY_LEN_MAX];
    size_t pad;

    *key = (struct gvs_key){.kind = GVS_KEY_BACKEND};
    key->svc.proto = GVS_PROTO_TCP;
    key->svc.addr = (struct gvs_addr){GVS_FAMILY_V4, {10, 99, (uint8_t)(k >> 16), 1}};
    key->svc.port = 80;
    key->ep.addr =
        (struct gvs_addr){GVS_FAMILY_V4, {10, (uint8_t)(k >> 16), (uint8_t)(k >> 8), (uint8_t)k}};
    key->ep.port = 8080;
    pad = ENTRY_LEN - 2 -
          gvs_entry_build(b, key, gvs_hlc_make(LOADED_HLC_MS, 0), &writer, false, NULL, 0);
    GVS_ASSERT(pad > 0 && pad < 256);
    value[0] = ENTRY_TAG;
    value[1] = (uint8_t)pad;
    gvs_prng_fill(prng, value + 2, pad);
    return pad + 2;
}

static bool
over(struct round *r)
{
    r->late |= gvs_mono_due(r->limit, loopback_now());
    return r->late;
}

/* Into the first `count` tables, with no relay and no news. */
static void
put_entry(struct round *r, uint32_t k, size_t count)
{
    static const struct gvs_id writer = {{1}};
    uint8_t b[GVS_ENTRY_LEN_MAX], value[GVS_VALUE_LEN_MAX];
    struct gvs_entry e;
    struct gvs_key key;
    size_t len = make_entry(&r->prng, k, &key, value);

    len = gvs_entry_build(b, &key, gvs_hlc_make(LOADED_HLC_MS + k / 1000, (uint16_t)(k % 1000)),
                          &writer, false, value, len);
    GVS_ASSERT(len == ENTRY_LEN && gvs_entry_parse(&e, b, len) == GVS_OK);
    for (size_t i = 0; i < count; i++)
        GVS_ASSERT(gvs_replica_load(&r->l.nodes[i].node->replica, loopback_now(), &e) == GVS_OK);
}

/* Into every table, but for one in `lacks` (0: none) that the last node has not got. */
static void
load(struct round *r, uint32_t lacks)
{
    for (uint32_t k = 0; k < r->o->entries && !over(r); k++)
        put_entry(r, k, r->l.count - (lacks > 0 && k % lacks == 0));
    r->unloaded = r->late;
}

static void
write_entry(struct round *r, size_t i, uint32_t k, struct gvs_keybuf *name)
{
    uint8_t value[GVS_VALUE_LEN_MAX];
    struct gvs_key key;
    size_t len = make_entry(&r->prng, k, &key, value);
    int rc;

    gvs_key_build(name, &key);
    rc = gvs_node_write(r->l.nodes[i].node, loopback_now(), loopback_wall(), &key, false, value,
                        len, NULL);
    GVS_ASSERT(rc == GVS_OK);
}

/* --- counting --- */

static double
cpu_seconds(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static uint64_t
anonymous_bytes(void)
{
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    unsigned long long kb = 0;
    char line[256];

    while (f && fgets(line, sizeof line, f))
        sscanf(line, "Anonymous: %llu kB", &kb);
    if (f)
        fclose(f);
    return kb * 1024;
}

static uint64_t
taken(const struct loopback *l)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < l->count; i++)
        sum += gvs_node_count(l->nodes[i].node).taken;
    return sum;
}

static void
count_from_now(struct round *r)
{
    r->began = loopback_now();
    r->sent = r->l.sent;
    r->taken = taken(&r->l);
    r->cpu = cpu_seconds();
}

static double
seconds_since(struct gvs_mono then)
{
    return (double)(loopback_now().us - then.us) / 1e6;
}

/* What a node received of a change; the one that wrote it receives none. */
static double
copies(const struct round *r, unsigned changes)
{
    return (double)(taken(&r->l) - r->taken) / changes / (r->o->nodes - 1);
}

/* --- running --- */

static void
run_for(struct round *r, uint64_t us)
{
    struct gvs_mono end = {loopback_now().us + us};

    while (!gvs_mono_due(end, loopback_now()))
        loopback_turn(&r->l, end);
}

static void
run_until(struct round *r, bool (*done)(const struct loopback *l))
{
    while (!done(&r->l) && !over(r))
        loopback_turn(&r->l, r->limit);
}

/* Everybody knows everybody, has a session with everybody (whoever writes something needs one), and
 * is quiet. */
static void
warm_up(struct round *r)
{
    struct gvs_keybuf name;

    for (size_t i = 0; i < r->l.count; i++) {
        loopback_start(&r->l, i);
        run_for(r, STAGGER_US);
    }
    run_until(r, loopback_joined);
    for (size_t i = 0; i < r->l.count && !over(r); i++) {
        write_entry(r, i, r->o->entries + (uint32_t)i, &name);
        loopback_flush(&r->l, i);
        run_until(r, loopback_agree);
    }
    run_for(r, SETTLE_MS * UINT64_C(1000));
}

static bool
has(const struct loopback_node *n, const struct gvs_keybuf *name)
{
    struct gvs_entry e;

    return gvs_table_get(gvs_node_claims(n->node), name->b, name->len, &e);
}

/* Writes a new entry at a random node; ms until the last has it. */
static double
change(struct round *r, uint32_t k)
{
    size_t from = gvs_prng_below(&r->prng, r->o->nodes), lacking = 0;
    struct gvs_mono began = loopback_now();
    struct gvs_keybuf name;
    double ms;

    write_entry(r, from, k, &name);
    loopback_flush(&r->l, from);
    for (;;) {
        while (lacking < r->l.count && has(&r->l.nodes[lacking], &name))
            lacking++;
        if (lacking == r->l.count || over(r))
            break;
        loopback_turn(&r->l, r->limit);
    }
    ms = seconds_since(began) * 1e3;
    r->wrong |= !r->late && !loopback_agree(&r->l); /* the change before had come to an end */
    return ms;
}

/* --- what a round says --- */

/* Nodes and sockets must have counted the same datagrams, and each change must have gone to each
 * node at least once, with its random half that no encoding can leave out; else the program is
 * wrong, not slow. */
static void
check(struct round *r, unsigned changes, double copies)
{
    struct gvs_node_counts c;
    uint64_t datagrams = 0, bytes = 0, carried = r->l.sent.bytes - r->sent.bytes;

    for (size_t i = 0; i < r->l.count; i++) {
        c = gvs_node_count(r->l.nodes[i].node);
        datagrams += c.sent;
        bytes += c.sent_bytes + LOOPBACK_HEADERS_LEN * c.sent;
    }
    r->wrong |= datagrams != r->l.sent.datagrams + r->l.sent.refused;
    r->wrong |= r->l.sent.refused == 0 && bytes != r->l.sent.bytes;
    if (!r->late)
        r->wrong |= copies < 1 || carried < (uint64_t)changes * (r->o->nodes - 1) * ENTRY_LEN / 2;
}

static void
print_head(const struct round *r)
{
    printf("{\"side\": \"gossipvs\", \"mode\": \"%s\", \"nodes\": %u, \"entries\": %u, "
           "\"timeout\": %s",
           r->o->mode, r->o->nodes, r->o->entries, r->late ? "true" : "false");
    if (r->unloaded)
        printf(", \"failed\": \"the tables were not full in time\"");
}

static void
print_sent(const struct round *r, const struct loopback_sent *to)
{
    printf(", \"datagrams\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"refused\": %" PRIu64,
           to->datagrams - r->sent.datagrams, to->bytes - r->sent.bytes,
           to->refused - r->sent.refused);
}

static void
print_ms(const double *ms, size_t count)
{
    for (size_t i = 0; i < count; i++)
        printf("%s%.4f", i ? ", " : ", \"ms\": [", ms[i]);
    printf("]");
}

static void
print_tail(const struct round *r)
{
    printf(", \"cpu_s\": %.6f}\n", cpu_seconds() - r->cpu);
    fflush(stdout);
}

/* The k-th change is the first of this window. */
static void
latency_window(struct round *r, unsigned k, double *ms, const struct loopback_sent *idle)
{
    double seconds, made;
    unsigned done = 0;

    count_from_now(r);
    while (done == 0 || (done < r->o->changes && !over(r))) {
        ms[done] = change(r, r->o->entries + r->o->nodes + k + done);
        done++;
        run_for(r, GAP_US + gvs_prng_below(&r->prng, 2 * GAP_US));
    }
    run_for(r, TAIL_MS * 1000);
    seconds = seconds_since(r->began);
    made = copies(r, done);
    check(r, done, made);
    print_head(r);
    printf(", \"changes\": %u, \"seconds\": %.3f, \"copies\": %.4f, \"idle_seconds\": %u, "
           "\"idle_bytes\": %" PRIu64,
           done, seconds, made, r->o->seconds, idle->bytes);
    print_sent(r, &r->l.sent);
    print_ms(ms, done);
    print_tail(r);
}

static void
latency(struct round *r)
{
    double *ms = calloc(r->o->changes, sizeof *ms);
    struct loopback_sent idle;

    GVS_ASSERT(ms);
    warm_up(r);
    count_from_now(r);
    run_for(r, r->o->seconds * UINT64_C(1000000));
    idle.bytes = r->l.sent.bytes - r->sent.bytes;
    for (unsigned i = 0; i < r->o->rounds && (i == 0 || !r->late); i++)
        latency_window(r, i * r->o->changes, ms, &idle);
    free(ms);
}

static void
burst(struct round *r)
{
    struct gvs_keybuf name;
    double seconds;

    warm_up(r);
    count_from_now(r);
    for (uint32_t k = 0; k < r->o->changes; k++)
        write_entry(r, 0, r->o->entries + r->o->nodes + k, &name);
    loopback_flush(&r->l, 0);
    run_until(r, loopback_agree);
    seconds = seconds_since(r->began);
    run_for(r, TAIL_MS * 1000);
    check(r, r->o->changes, copies(r, r->o->changes));
    print_head(r);
    printf(", \"changes\": %u, \"seconds\": %.6f, \"copies\": %.4f", r->o->changes, seconds,
           copies(r, r->o->changes));
    print_sent(r, &r->l.sent);
    print_tail(r);
}

static void
idle(struct round *r)
{
    load(r, 0);
    warm_up(r);
    for (unsigned i = 0; i < r->o->rounds && (i == 0 || !r->late); i++) {
        count_from_now(r);
        r->late |= !loopback_agree(&r->l);
        run_for(r, r->o->seconds * UINT64_C(1000000));
        r->late |= !loopback_agree(&r->l);
        print_head(r);
        printf(", \"seconds\": %.3f", seconds_since(r->began));
        print_sent(r, &r->l.sent);
        print_tail(r);
    }
}

/* The last node meets the first and takes over what it lacks. */
static void
meet(struct round *r, uint32_t lacks)
{
    uint32_t missing = lacks ? (r->o->entries + lacks - 1) / lacks : r->o->entries;
    double seconds;

    load(r, lacks);
    count_from_now(r);
    loopback_start(&r->l, 0);
    loopback_start(&r->l, 1);
    run_until(r, loopback_agree);
    seconds = seconds_since(r->began);
    run_for(r, TAIL_MS * 1000);
    check(r, missing, copies(r, missing));
    print_head(r);
    printf(", \"lacking\": %u, \"seconds\": %.6f", missing, seconds);
    print_sent(r, &r->l.sent);
    print_tail(r);
}

static void
catchup(struct round *r)
{
    meet(r, 100);
}

/* It has noticed when the first of them is in its table: a round trip later than it knew. */
static void
unseen(struct round *r)
{
    uint32_t k = 0, common = r->o->entries - r->o->entries / 100;
    const struct gvs_table *last = gvs_node_claims(r->l.nodes[r->l.count - 1].node);
    double noticed;
    size_t had;

    while (k < common && !over(r))
        put_entry(r, k++, r->l.count);
    warm_up(r);
    run_for(r, gvs_prng_below(&r->prng, 1000000)); /* anywhere in a probe's period */
    had = gvs_table_count(last);
    while (k < r->o->entries && !over(r))
        put_entry(r, k++, r->l.count - 1);
    count_from_now(r);
    while (gvs_table_count(last) == had && !over(r))
        loopback_turn(&r->l, r->limit);
    noticed = seconds_since(r->began);
    run_until(r, loopback_agree);
    print_head(r);
    printf(", \"noticed\": %.6f, \"seconds\": %.6f", noticed, seconds_since(r->began));
    print_sent(r, &r->l.sent);
    print_tail(r);
}

static void
join(struct round *r)
{
    meet(r, 1);
}

/* Of the whole process, both nodes; the base is what it had before they were opened. */
static void
memory(struct round *r)
{
    uint64_t joined;
    struct gvs_keybuf name;

    load(r, 1);
    loopback_start(&r->l, 0);
    loopback_start(&r->l, 1);
    run_until(r, loopback_agree);
    joined = anonymous_bytes();
    for (uint32_t k = 0; k < r->o->entries && !over(r); k++) {
        write_entry(r, 0, k, &name);
        if (k % 64 != 63)
            continue;
        loopback_flush(&r->l, 0);
        loopback_turn(&r->l, loopback_now());
    }
    loopback_flush(&r->l, 0);
    run_until(r, loopback_agree);
    print_head(r);
    printf(", \"joined\": %" PRIu64 ", \"churned\": %" PRIu64, joined - r->anonymous,
           anonymous_bytes() - r->anonymous);
    print_tail(r);
}

static size_t
dead_to_anybody(const struct loopback *l)
{
    size_t dead = 0;

    for (size_t i = 0; i < l->count; i++)
        dead += gvs_node_count(l->nodes[i].node).dead;
    return dead;
}

/* One second of it; returns the lone change's ms. */
static double
flood_second(struct round *r, uint32_t second, uint64_t *written)
{
    struct gvs_mono began = loopback_now(), lone = {began.us + 300000};
    struct gvs_keybuf key, name = {.len = 0}; /* of the lone one */
    size_t lacking = 0;
    bool waits = false;
    double ms = -1;

    while (seconds_since(began) < 1 && !over(r)) {
        uint64_t due = *written + 16, all = (uint64_t)r->o->changes * second +
                                            (uint64_t)(seconds_since(began) * r->o->changes);

        for (; *written < all && *written < due; ++*written)
            write_entry(r, 0, (uint32_t)(*written % r->o->entries), &key);
        loopback_flush(&r->l, 0);
        if (ms < 0 && !waits && gvs_mono_due(lone, loopback_now())) {
            lone = loopback_now();
            write_entry(r, 1, r->o->entries + r->o->nodes + second, &name);
            loopback_flush(&r->l, 1);
            waits = true;
        }
        loopback_turn(&r->l, (struct gvs_mono){loopback_now().us + 500});
        while (waits && lacking < r->l.count && has(&r->l.nodes[lacking], &name))
            lacking++;
        if (waits && lacking == r->l.count) {
            ms = seconds_since(lone) * 1e3;
            waits = false;
        }
    }
    return ms < 0 ? 1000 : ms;
}

static void
flood(struct round *r)
{
    double *ms = calloc(r->o->seconds, sizeof *ms);
    uint64_t written = 0, early = 0, dead = 0;
    unsigned done = 0;

    GVS_ASSERT(ms && r->o->entries > 0 && r->o->nodes > 1);
    warm_up(r);
    count_from_now(r);
    for (; done < r->o->seconds && !over(r); done++) {
        ms[done] = flood_second(r, done, &written);
        dead += dead_to_anybody(&r->l);
        if (done == r->o->seconds / 4)
            early = anonymous_bytes();
    }
    print_head(r);
    printf(", \"seconds\": %.3f, \"changes\": %" PRIu64 ", \"early\": %" PRIu64
           ", \"end\": %" PRIu64 ", \"dead\": %" PRIu64,
           seconds_since(r->began), written, early, anonymous_bytes(), dead);
    print_ms(ms, done);
    print_sent(r, &r->l.sent);
    print_tail(r);
    free(ms);
}

/* Of whom this node knows by a probe of its own that he is gone: an agent hides him then. */
static bool
misses_anyone(const struct loopback_node *n, struct gvs_node_member *list, size_t max)
{
    size_t count = gvs_node_list(n->node, list, max), gone = 0;

    for (size_t i = 0; i < count; i++)
        gone += list[i].gone;
    return gone > 0;
}

static void
death(struct round *r)
{
    size_t victim = r->l.count - 1, done = 0;
    struct gvs_node_member *list = calloc(r->l.count, sizeof *list);
    bool *knows = calloc(r->l.count, sizeof *knows);
    double *ms = calloc(r->l.count, sizeof *ms);

    GVS_ASSERT(list && knows && ms);
    warm_up(r);
    run_for(r, gvs_prng_below(&r->prng, 1000000)); /* anywhere in a probe's period */
    epoll_ctl(r->l.epoll, EPOLL_CTL_DEL, r->l.nodes[victim].fd, NULL);
    r->l.nodes[victim].deadline = GVS_MONO_NEVER;
    count_from_now(r);
    while (done < victim && !over(r)) {
        loopback_turn(&r->l, r->limit);
        for (size_t i = 0; i < victim; i++) {
            if (knows[i] || !misses_anyone(&r->l.nodes[i], list, r->l.count))
                continue;
            knows[i] = true;
            ms[done++] = seconds_since(r->began) * 1e3;
        }
    }
    print_head(r);
    printf(", \"seconds\": %.3f", seconds_since(r->began));
    print_ms(ms, done);
    print_tail(r);
    free(list);
    free(knows);
    free(ms);
}

static const struct mode {
    const char *name;
    void (*run)(struct round *r);
    unsigned nodes; /* fixed; 0: as asked for */
    bool windows;   /* its rounds are windows of one cluster */
} modes[] = {
    {"latency", latency, 0, true},  {"idle", idle, 0, true},      {"burst", burst, 0, false},
    {"catchup", catchup, 2, false}, {"unseen", unseen, 0, false}, {"join", join, 2, false},
    {"memory", memory, 2, false},   {"flood", flood, 0, false},   {"death", death, 0, false},
};

static size_t
room_for(const struct options *o)
{
    return 1024 + (o->entries + o->changes * o->rounds + o->nodes) * (size_t)9 / 8;
}

/* Returns whether all was well. */
static bool
run_round(const struct options *o, const struct mode *mode, uint64_t seed)
{
    struct round r = {.o = o, .prng = gvs_prng_init(seed), .anonymous = anonymous_bytes()};

    r.limit = gvs_mono_add_ms(loopback_now(), o->limit * UINT64_C(1000));
    loopback_open(&r.l, o->nodes, room_for(o));
    count_from_now(&r);
    mode->run(&r);
    loopback_close(&r.l);
    if (r.wrong)
        fprintf(stderr, "bench_gossip: what was counted cannot be\n");
    return !r.late && !r.wrong;
}

static int
usage(void)
{
    fprintf(stderr, "usage: bench_gossip latency|burst|idle|catchup|unseen|join|memory|flood|death "
                    "[-n NODES] [-e ENTRIES] [-c CHANGES] [-r ROUNDS] [-s SECONDS] [-t LIMIT]\n");
    return 2;
}

static bool
take_option(struct options *o, int option, const char *text)
{
    unsigned long value;
    char *end;

    if (option == '?') /* and then there is no text */
        return false;
    value = strtoul(text, &end, 10);
    if (end == text || *end != '\0' || value > NUMBER_MAX)
        return false;
    switch (option) {
    case 'n':
        o->nodes = (unsigned)value;
        return value >= 2 && value <= 1000;
    case 'e':
        o->entries = (unsigned)value;
        return true;
    case 'c':
        o->changes = (unsigned)value;
        return value > 0;
    case 'r':
        o->rounds = (unsigned)value;
        return value > 0;
    case 's':
        o->seconds = (unsigned)value;
        return value > 0;
    case 't':
        o->limit = (unsigned)value;
        return value > 0;
    default:
        return false;
    }
}

int
main(int argc, char **argv)
{
    struct options o = {.nodes = 3, .changes = 1000, .rounds = 1, .seconds = 5, .limit = 120};
    const struct mode *mode = NULL;
    bool good = true;
    int option;

    for (size_t i = 0; argc > 1 && i < sizeof modes / sizeof *modes; i++) {
        if (strcmp(argv[1], modes[i].name) == 0)
            mode = &modes[i];
    }
    if (!mode)
        return usage();
    for (argv++, argc--; (option = getopt(argc, argv, "n:e:c:r:s:t:")) != -1;) {
        if (!take_option(&o, option, optarg))
            return usage();
    }
    if (optind < argc)
        return usage();
    o.mode = mode->name;
    o.nodes = mode->nodes ? mode->nodes : o.nodes;
    for (unsigned i = 0; i < (mode->windows ? 1 : o.rounds); i++)
        good &= run_round(&o, mode, i);
    return good ? 0 : 1;
}
