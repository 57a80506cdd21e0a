/* A member gone bad: it has the cluster's key and a session with a node, and says what it likes.
 * The input is the bodies that it sends, in two-byte lengths, each after a byte that says to which
 * of two honest nodes and how much later. Whatever it says, both nodes keep their tables in order
 * (core/table.h), stay alive in their own eyes, and in the end agree with each other. */
#include "core/err.h"
#include "net/node.h"
#include "test/fuzz/golden.h"

#define HONEST 2
#define ENTRIES 64
#define MEMBERS 8

struct net {
    struct gvs_keyring ring;
    struct gvs_node *node[HONEST];
    struct golden bad;
    struct gvs_mono now;
    struct gvs_wall wall;
    uint64_t drawn;
};

static void
net_random(void *ctx, void *buf, size_t len)
{
    struct net *net = ctx;
    uint8_t *b = buf;

    for (size_t i = 0; i < len; i++) {
        net->drawn = net->drawn * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        b[i] = (uint8_t)(net->drawn >> 56);
    }
}

/* Old tombstones count for nothing (gvs_table_set_cut). */
static void
check_table(const struct gvs_table *t)
{
    struct gvs_entry e, last;
    size_t count = 0, tombstones = 0;
    uint64_t sum = 0, id;

    for (bool more = gvs_table_seek(t, NULL, 0, false, &e); more;
         more = gvs_table_seek(t, e.key, e.key_len, true, &e)) {
        if (count > 0)
            must(gvs_key_cmp(last.key, last.key_len, e.key, e.key_len) < 0);
        last = e;
        count++;
        tombstones += e.tombstone;
        id = gvs_table_id(t, &e);
        if (gvs_table_idsum(t, id, id).count > 0)
            sum += id;
        else
            must(e.tombstone);
    }
    must(count == gvs_table_count(t) && count <= gvs_table_capacity(t));
    must(tombstones == gvs_table_tombstones(t) && sum == gvs_table_fingerprint(t));
}

static void
check_node(struct gvs_node *n)
{
    struct gvs_node_member list[MEMBERS];
    struct gvs_id self = gvs_node_self(n);
    size_t count = gvs_node_list(n, list, MEMBERS);
    struct gvs_node_event ev;
    struct gvs_entry e;

    while (gvs_node_news(n, &e))
        must(e.len <= GVS_ENTRY_LEN_MAX);
    while (gvs_node_event(n, &ev))
        must(gvs_id_cmp(&ev.member, &self) != 0 || ev.after == GVS_ALIVE || ev.after == GVS_LEFT);
    check_table(gvs_node_claims(n));
    check_table(gvs_node_members(n));
    for (size_t i = 0; i < count; i++)
        if (list[i].self)
            must(list[i].state == GVS_ALIVE || list[i].state == GVS_LEFT);
}

static void
deliver(struct net *net, size_t from, const struct gvs_ep *to, const uint8_t *b, size_t len)
{
    struct gvs_ep ep = golden_ep((uint8_t)(from + 1));
    size_t i = (size_t)to->addr.b[3] - 1;

    if (i < HONEST)
        gvs_node_recv(net->node[i], net->now, net->wall, &ep, b, len);
    else if (i == HONEST)
        golden_recv(&net->bad, &ep, b, len); /* it listens, so that sessions come up */
}

/* Everybody says what there is to say, until nobody has anything or they have said a lot. */
static void
settle(struct net *net)
{
    uint8_t buf[GVS_DATAGRAM_LEN_MAX];
    bool any = true;
    struct gvs_ep to;
    size_t len;

    for (size_t round = 0; round < 50 && any; round++) {
        any = false;
        for (size_t i = 0; i < HONEST; i++)
            while ((len = gvs_node_next(net->node[i], net->now, net->wall, buf, &to)) > 0) {
                deliver(net, i, &to, buf, len);
                any = true;
            }
        while ((len = gvs_sessions_next(net->bad.s, net->now, buf, &to)) > 0) {
            deliver(net, HONEST, &to, buf, len);
            any = true;
        }
    }
}

static void
sleep_ms(struct net *net, uint64_t ms)
{
    net->now = gvs_mono_add_ms(net->now, ms);
    net->wall.ms += ms;
    net->bad.now = net->now;
    net->bad.wall = net->wall;
    settle(net);
}

static void
open_node(struct net *net, size_t i)
{
    struct gvs_node_config cfg = {
        .limits = {.entries = ENTRIES, .members = MEMBERS},
        .cluster = GOLDEN_CLUSTER,
        .keyring = &net->ring,
        .boot = i + 1,
        .random = {net_random, net},
        .name = i == 0 ? "one" : "two",
        .version = "1",
        .advertise = golden_ep((uint8_t)(i + 1)),
    };

    memset(cfg.priv, (int)i + 1, sizeof cfg.priv);
    net->node[i] = gvs_node_open(&cfg, net->now);
    must(net->node[i]);
    gvs_node_start(net->node[i], net->now, net->wall);
}

static void
net_open(struct net *net)
{
    struct gvs_ep ep[HONEST];

    memset(net, 0, sizeof *net);
    golden_open(&net->bad, 0x40);
    net->now = net->bad.now;
    net->wall = net->bad.wall;
    golden_ring(&net->ring);
    for (size_t i = 0; i < HONEST; i++) {
        open_node(net, i);
        ep[i] = golden_ep((uint8_t)(i + 1));
    }
    gvs_node_set_peers(net->node[0], &ep[1], NULL, 1);
    for (size_t i = 0; i < HONEST; i++)
        must(gvs_sessions_connect(net->bad.s, net->now, net->wall, &ep[i]) == GVS_OK);
    settle(net);
    sleep_ms(net, 100);
}

static void
say(struct net *net, size_t i, const uint8_t *b, size_t len)
{
    struct gvs_id id = gvs_node_self(net->node[i]);
    uint8_t buf[GVS_DATAGRAM_LEN_MAX];
    struct gvs_ep to;
    int n = gvs_sessions_seal(net->bad.s, net->now, net->wall, &id, b, len, buf, &to);

    if (n > 0)
        deliver(net, HONEST, &to, buf, (size_t)n);
}

/* The bad one is silent; entries that only one of them took, they hand on. With a full table they
 * cannot agree. */
static void
check_agreement(struct net *net)
{
    const struct gvs_table *a = gvs_node_claims(net->node[0]), *b = gvs_node_claims(net->node[1]);
    size_t room = ENTRIES - 8;

    for (size_t i = 0; i < 100 && gvs_table_fingerprint(a) != gvs_table_fingerprint(b); i++)
        sleep_ms(net, 500);
    if (gvs_table_count(a) < room && gvs_table_count(b) < room)
        must(gvs_table_fingerprint(a) == gvs_table_fingerprint(b));
}

int
LLVMFuzzerTestOneInput(const uint8_t *b, size_t len)
{
    static const uint16_t pauses[] = {0, 1, 200, 5000};
    struct feed f = {b, b + len};
    struct net net;

    net_open(&net);
    for (size_t said = 0; feed_left(&f) > 0 && said < 32; said++) {
        uint8_t how = feed_byte(&f);
        size_t n;
        uint8_t *body = feed_piece(&f, GVS_BODY_LEN_MAX, &n);

        say(&net, how & 1, body, n);
        free(body);
        settle(&net);
        sleep_ms(&net, pauses[how >> 1 & 3]);
        for (size_t i = 0; i < HONEST; i++)
            check_node(net.node[i]);
    }
    check_agreement(&net);
    for (size_t i = 0; i < HONEST; i++) {
        check_node(net.node[i]);
        gvs_node_close(net.node[i]);
    }
    gvs_sessions_close(net.bad.s);
    return 0;
}
