/* test/kernel/nl_live: does ipvs/nl.h hold on a real kernel? Run by test/kernel/t_nl, inside the
 * virtual machine. ipvsadm reads back what we wrote, and writes what we read: it shares no code
 * with us. */
#include "core/set.h"
#include "ipvs/nl.h"
#include "test/kernel/live.h"
#include "test/lib/prng.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOCKETS_MAX 64
#define ITEMS_MAX 60000

static struct gvs_svcid
svcid(const char *text)
{
    struct gvs_svcid s;

    if (gvs_svcid_parse(&s, text, strlen(text), NULL) != GVS_OK)
        abort();
    return s;
}

static struct gvs_op
service_op(uint8_t kind, const char *vip, const char *sched)
{
    struct gvs_svcid id = svcid(vip);
    struct gvs_op op = {.kind = kind, .item = gvs_item_make_service(&id)};

    snprintf(op.item.service.sched, sizeof op.item.service.sched, "%s", sched);
    op.item.service.netmask = id.addr.family == GVS_FAMILY_V6 ? 128 : 32;
    return op;
}

static struct gvs_op
dest_op(uint8_t kind, const char *vip, const char *ep, uint32_t weight)
{
    struct gvs_svcid id = svcid(vip);
    struct gvs_ep e;
    struct gvs_op op = {.kind = kind};

    if (gvs_ep_parse(&e, ep, strlen(ep), NULL) != GVS_OK)
        abort();
    op.item = gvs_item_make_dest(&id, &e);
    op.item.dest.weight = weight;
    return op;
}

static struct gvs_op
anchor_op(uint8_t kind, uint8_t family)
{
    return (struct gvs_op){.kind = kind, .item.svc.addr.family = family};
}

/* What the kernel answers to one operation; -1 if the call fails. */
static int
one(struct gvs_nl *nl, struct gvs_op op)
{
    int error;

    return gvs_nl_apply(nl, &op, 1, &error) == GVS_OK ? error : -1;
}

/* The whole table as a set. */
struct table {
    struct gvs_set *set;
    size_t odd;
    bool good;
};

static bool
take(void *ctx, const struct gvs_nl_found *f)
{
    struct table *t = ctx;

    t->odd += f->odd;
    t->good = t->good && gvs_set_put(t->set, &f->item) == GVS_OK;
    return true;
}

static struct gvs_set *
set_new(void)
{
    void *mem = calloc(1, gvs_set_footprint(ITEMS_MAX));

    if (!mem)
        abort();
    return gvs_set_init(mem, ITEMS_MAX);
}

/* Reads all, services first, as a set must not change under a walk. */
static struct table
read_table(struct gvs_nl *nl)
{
    struct table t = {.set = set_new(), .good = true};
    struct gvs_range r;
    size_t count;
    struct gvs_svcid *ids;

    t.good = gvs_nl_services(nl, take, &t) == GVS_OK && t.good;
    r = gvs_set_all(t.set);
    count = (size_t)(r.end - r.at);
    ids = calloc(count + 1, sizeof *ids);
    for (size_t i = 0; i < count; i++)
        ids[i] = r.at[i].svc;
    for (size_t i = 0; i < count; i++)
        t.good = gvs_nl_dests(nl, &ids[i], take, &t) == GVS_OK && t.good;
    free(ids);
    return t;
}

/* Does the kernel hold exactly these items, each with these fields? */
static bool
table_is(struct gvs_nl *nl, struct gvs_set *want)
{
    struct table t = read_table(nl);
    const struct gvs_item *from, *to;
    struct gvs_diff d;
    bool good;

    gvs_diff_init(&d, gvs_set_all(t.set), gvs_set_all(want));
    good = t.good && t.odd == 0 && gvs_diff_next(&d, &from, &to) == GVS_DIFF_END;
    free(t.set);
    return good;
}

static void
empty_table(void)
{
    check(holds("ipvsadm -C"), "(table emptied)");
}

/* gvs_nl's socket: the one generic netlink socket of this process. */
static int
socket_of(void)
{
    for (int fd = 3; fd < SOCKETS_MAX; fd++) {
        int domain = 0, protocol = 0;
        socklen_t len = sizeof domain;

        if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_NETLINK &&
            getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 && protocol == 16)
            return fd;
    }
    abort();
}

static void
set_receive_buffer(int bytes)
{
    if (setsockopt(socket_of(), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes))
        abort();
}

/* From now on no more than so many bytes of each answer arrive; of 0 bytes, nothing does. */
static void
cut_answers(uint32_t bytes)
{
    struct sock_filter code = BPF_STMT(BPF_RET | BPF_K, bytes);
    struct sock_fprog prog = {1, &code};

    if (setsockopt(socket_of(), SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof prog))
        abort();
}

static void
uncut_answers(void)
{
    int unused = 0;

    if (setsockopt(socket_of(), SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof unused))
        abort();
}

static void
test_ipvsadm_reads_what_we_write(struct gvs_nl *nl)
{
    struct gvs_op ops[16];
    size_t n = 0;
    int errors[16];

    empty_table();
    ops[n++] = service_op(GVS_OP_SERVICE_ADD, "10.99.0.1:80/tcp", "mh");
    ops[0].item.service.persistent = 30;
    ops[0].item.service.netmask = 24;
    ops[0].item.service.flags = GVS_FLAG_FALLBACK | GVS_FLAG_PORT;
    ops[n++] = service_op(GVS_OP_SERVICE_ADD, "10.99.0.1:53/udp", "rr");
    ops[1].item.service.flags = GVS_FLAG_OPS;
    ops[n++] = service_op(GVS_OP_SERVICE_ADD, "[fd00:99::1]:80/tcp", "wlc");
    ops[2].item.service.persistent = 40;
    ops[2].item.service.netmask = 64;
    ops[n++] = service_op(GVS_OP_SERVICE_ADD, "10.99.0.1:99/sctp", "sed");
    ops[n++] = service_op(GVS_OP_SERVICE_ADD, "fwmark:5", "wrr");
    ops[n++] = service_op(GVS_OP_SERVICE_ADD, "fwmark:5/v6", "nq");
    ops[n++] = dest_op(GVS_OP_DEST_ADD, "10.99.0.1:80/tcp", "10.77.0.4:8080", 7);
    ops[n - 1].item.dest.upper = 20;
    ops[n - 1].item.dest.lower = 10;
    ops[n++] = dest_op(GVS_OP_DEST_ADD, "10.99.0.1:80/tcp", "10.77.0.5:80", 0);
    ops[n - 1].item.dest.forward = GVS_FORWARD_DR;
    ops[n++] = dest_op(GVS_OP_DEST_ADD, "10.99.0.1:80/tcp", "10.77.0.6:80", 65535);
    ops[n - 1].item.dest.forward = GVS_FORWARD_TUN;
    ops[n - 1].item.dest.tunnel = GVS_TUNNEL_GUE;
    ops[n - 1].item.dest.tunnel_port = 6080;
    ops[n++] = dest_op(GVS_OP_DEST_ADD, "[fd00:99::1]:80/tcp", "[fd00:77::4]:8080", 1);
    ops[n++] = dest_op(GVS_OP_DEST_ADD, "[fd00:99::1]:80/tcp", "10.77.0.4:80", 2);
    ops[n - 1].item.dest.forward = GVS_FORWARD_TUN;
    ops[n++] = dest_op(GVS_OP_DEST_ADD, "fwmark:5", "10.77.0.4:80", 3);
    check(gvs_nl_apply(nl, ops, n, errors) == GVS_OK, "a batch of every kind of add");
    for (size_t i = 0; i < n; i++)
        if (errors[i])
            printf("# %zu: %s\n", i, strerror(errors[i]));
    check(holds("cat >/tmp/want <<'.'\n"
                "-A -f 5 -6 -s nq\n"
                "-A -f 5 -s wrr\n"
                "-A -t 10.99.0.1:80 -s mh -p 30 -M 255.255.255.0 -b mh-fallback,mh-port\n"
                "-A -t [fd00:99::1]:80 -s wlc -p 40 -M 64\n"
                "-A -u 10.99.0.1:53 -s rr -o\n"
                "-A --sctp-service 10.99.0.1:99 -s sed\n"
                "-a -f 5 -r 10.77.0.4:80 -m -w 3\n"
                "-a -t 10.99.0.1:80 -r 10.77.0.4:8080 -m -w 7\n"
                "-a -t 10.99.0.1:80 -r 10.77.0.5:80 -g -w 0\n"
                "-a -t 10.99.0.1:80 -r 10.77.0.6:80 -i -w 65535 --tun-type gue --tun-port 6080 "
                "--tun-nocsum\n"
                "-a -t [fd00:99::1]:80 -r 10.77.0.4:80 -i -w 2 --tun-type ipip\n"
                "-a -t [fd00:99::1]:80 -r [fd00:77::4]:8080 -m -w 1\n"
                ".\n"
                "LC_ALL=C sort /tmp/want >/tmp/want.sorted\n"
                "ipvsadm -Sn | LC_ALL=C sort | diff /tmp/want.sorted -"),
          "ipvsadm shows them, field by field");
    check(holds("ipvsadm -Ln --thresholds | grep -Eq '10.77.0.4:8080 +20 +10 '"),
          "thresholds, too");
}

static void
test_we_read_what_ipvsadm_writes(struct gvs_nl *nl)
{
    struct table t;
    const struct gvs_item *got;
    struct gvs_item id;

    empty_table();
    check(holds("ipvsadm -R <<'.'\n"
                "-A -t 10.99.0.1:80 -s lblcr -p 300 -M 255.255.0.0\n"
                "-a -t 10.99.0.1:80 -r 10.77.0.4:80 -i --tun-type gre -w 9\n"
                "-A -t [fd00:99::1]:443 -s sh -b sh-port\n"
                "."),
          "ipvsadm writes");
    t = read_table(nl);
    id.svc = svcid("10.99.0.1:80");
    got = gvs_set_service(t.set, &id.svc).at;
    check(t.good && gvs_set_count(t.set) == 3 && t.odd == 0, "all is read");
    check(got->kind == GVS_ITEM_SERVICE && !strcmp(got->service.sched, "lblcr") &&
              got->service.persistent == 300 && got->service.netmask == 16,
          "scheduler, persistence, netmask");
    check(got[1].kind == GVS_ITEM_DEST && got[1].dest.forward == GVS_FORWARD_TUN &&
              got[1].dest.tunnel == GVS_TUNNEL_GRE && got[1].ep.port == 80,
          "tunnel, port");
    id.svc = svcid("[fd00:99::1]:443");
    got = gvs_set_service(t.set, &id.svc).at;
    check(got->service.flags == GVS_FLAG_PORT && got->service.netmask == 128,
          "flags, IPv6 netmask");
    free(t.set);
}

/* Of every kind, with every field at random: the kernel gives back what it was given; by adds into
 * an empty table, then by edits of all, then by removal. */
static struct gvs_item
random_service(struct gvs_prng *p, unsigned n)
{
    static const char *const scheds[] = {"rr", "wrr", "lc", "wlc", "sh", "mh", "fo"};
    struct gvs_svcid id = {.proto = GVS_PROTO_TCP, .addr = {GVS_FAMILY_V4, {10, 99}}};
    struct gvs_item item;

    if (n % 2)
        id.addr = (struct gvs_addr){GVS_FAMILY_V6, {0xfd}};
    id.addr.b[3] = (uint8_t)n;
    id.port = (uint16_t)gvs_prng_next(p);
    if (n % 3 == 1)
        id.proto = n % 4 ? GVS_PROTO_UDP : GVS_PROTO_SCTP;
    if (n % 7 == 0)
        id = (struct gvs_svcid){.addr.family = id.addr.family, .fwmark = n + 1};
    item = gvs_item_make_service(&id);
    strcpy(item.service.sched, scheds[gvs_prng_below(p, 7)]);
    item.service.flags = (uint32_t)gvs_prng_next(p) & GVS_FLAGS_ALL;
    if (id.proto != GVS_PROTO_UDP)
        item.service.flags &= ~GVS_FLAG_OPS;
    item.service.persistent = gvs_prng_below(p, 2) * gvs_prng_below(p, GVS_PERSISTENT_MAX + 1);
    item.service.netmask = (uint8_t)(1 + gvs_prng_below(p, n % 2 ? 128 : 32));
    return item;
}

static void
randomize_dest(struct gvs_prng *p, struct gvs_item *item)
{
    static const uint8_t forwards[] = {GVS_FORWARD_NAT, GVS_FORWARD_TUN, GVS_FORWARD_DR};

    item->dest = (struct gvs_item_dest){.weight = gvs_prng_below(p, GVS_WEIGHT_MAX + 1)};
    item->dest.forward = item->ep.addr.family == item->svc.addr.family
                             ? forwards[gvs_prng_below(p, 3)]
                             : GVS_FORWARD_TUN;
    item->dest.upper = gvs_prng_below(p, 1000);
    item->dest.lower = gvs_prng_below(p, item->dest.upper + 1);
    if (item->dest.forward == GVS_FORWARD_TUN)
        item->dest.tunnel = (uint8_t)gvs_prng_below(p, 3);
    if (item->dest.tunnel == GVS_TUNNEL_GUE)
        item->dest.tunnel_port = (uint16_t)(1 + gvs_prng_below(p, 65535));
}

static struct gvs_item
random_dest(struct gvs_prng *p, const struct gvs_svcid *svc, unsigned n)
{
    struct gvs_ep ep = {.addr = {GVS_FAMILY_V4, {10, 77, 0, (uint8_t)(n + 1)}}};
    struct gvs_item item;

    if ((svc->addr.family == GVS_FAMILY_V6) != gvs_prng_chance(p, 1, 8))
        ep.addr = (struct gvs_addr){GVS_FAMILY_V6, {0xfd, [15] = (uint8_t)(n + 1)}};
    ep.port = (uint16_t)gvs_prng_next(p);
    item = gvs_item_make_dest(svc, &ep);
    randomize_dest(p, &item);
    return item;
}

/* All items of the set, by this kind of operation for services and that for destinations. */
static bool
apply_set(struct gvs_nl *nl, struct gvs_set *set, uint8_t for_services, uint8_t for_dests)
{
    struct gvs_range r = gvs_set_all(set);
    static struct gvs_op ops[GVS_NL_BATCH_MAX];
    int errors[GVS_NL_BATCH_MAX];

    while (r.at < r.end) {
        size_t n = 0;

        for (; n < GVS_NL_BATCH_MAX && r.at < r.end; r.at++) {
            uint8_t kind = r.at->kind == GVS_ITEM_SERVICE ? for_services : for_dests;

            if (kind)
                ops[n++] = (struct gvs_op){.kind = kind, .item = *r.at};
        }
        if (gvs_nl_apply(nl, ops, n, errors) != GVS_OK)
            return false;
        for (size_t i = 0; i < n; i++) {
            char why[200];

            if (errors[i] == 0)
                continue;
            gvs_nl_explain(why, sizeof why, &ops[i], errors[i]);
            printf("# %s %zu: %s\n", gvs_op_name(ops[i].kind), i, why);
            return false;
        }
    }
    return true;
}

static void
test_random_tables_come_back(struct gvs_nl *nl)
{
    struct gvs_prng p = gvs_prng_init(1);
    struct gvs_set *have = set_new(), *next = set_new();
    struct gvs_range r;

    empty_table();
    for (unsigned s = 0; s < 120; s++) {
        struct gvs_item service = random_service(&p, s);

        gvs_set_put(have, &service);
        for (unsigned d = gvs_prng_below(&p, 6); d > 0; d--) {
            struct gvs_item dest = random_dest(&p, &service.svc, d);

            gvs_set_put(have, &dest);
        }
    }
    check(apply_set(nl, have, GVS_OP_SERVICE_ADD, GVS_OP_DEST_ADD), "a random table is added");
    check(table_is(nl, have), "and is read back as it was written");
    for (r = gvs_set_all(have); r.at < r.end; r.at++) {
        struct gvs_item item = *r.at;

        if (item.kind == GVS_ITEM_SERVICE)
            item.service = random_service(&p, item.svc.addr.family == GVS_FAMILY_V6).service;
        else
            randomize_dest(&p, &item);
        gvs_set_put(next, &item);
    }
    check(apply_set(nl, next, GVS_OP_SERVICE_EDIT, GVS_OP_DEST_EDIT),
          "every field of it is edited");
    check(table_is(nl, next), "and is read back as it was edited");
    check(apply_set(nl, next, GVS_OP_NONE, GVS_OP_DEST_DEL), "every destination is deleted");
    check(apply_set(nl, next, GVS_OP_SERVICE_DEL, GVS_OP_NONE), "every service is deleted");
    gvs_set_clear(next);
    check(table_is(nl, next), "and the table is empty");
    free(have);
    free(next);
}

static void
test_schedulers(struct gvs_nl *nl)
{
    static const char vip[] = "10.99.0.1:80";
    struct gvs_set *want = set_new();
    unsigned good = 0, lacking = 0, count = 0;

    check(one(nl, service_op(GVS_OP_SERVICE_ADD, vip, "rr")) == 0, "a service to edit");
    for (const char *const *s = gvs_schedulers; *s; s++, count++) {
        struct gvs_op op = service_op(GVS_OP_SERVICE_EDIT, vip, *s);
        int error = one(nl, op);

        gvs_set_clear(want);
        gvs_set_put(want, &op.item);
        good += error == 0 && table_is(nl, want);
        lacking += error == ENOENT;
        if (error)
            printf("# this kernel has no %s\n", *s);
    }
    check(good + lacking == count && good >= 13, "every scheduler loads and reads back");
    check(one(nl, service_op(GVS_OP_SERVICE_DEL, vip, "rr")) == 0, "gone");
    free(want);
}

static void
test_errors(struct gvs_nl *nl)
{
    static const char a[] = "10.99.0.1:80", b[] = "10.99.0.2:80";
    struct gvs_op heavy = dest_op(GVS_OP_DEST_ADD, a, "10.77.0.9:80", 0x80000000u);
    struct gvs_op crossed = dest_op(GVS_OP_DEST_ADD, a, "10.77.0.9:80", 1);
    struct gvs_op mixed = dest_op(GVS_OP_DEST_ADD, a, "[fd00::9]:80", 1);

    crossed.item.dest.lower = 2;
    crossed.item.dest.upper = 1;
    empty_table();
    check(one(nl, service_op(GVS_OP_SERVICE_ADD, a, "rr")) == 0, "service added");
    check(one(nl, service_op(GVS_OP_SERVICE_ADD, a, "wlc")) == EEXIST, "again: EEXIST");
    check(one(nl, service_op(GVS_OP_SERVICE_ADD, b, "nosuch")) == ENOENT, "no scheduler: ENOENT");
    check(one(nl, service_op(GVS_OP_SERVICE_EDIT, a, "nosuch")) == ENOENT, "in an edit, too");
    check(one(nl, service_op(GVS_OP_SERVICE_EDIT, b, "rr")) == ESRCH, "edit of none: ESRCH");
    check(one(nl, service_op(GVS_OP_SERVICE_DEL, b, "rr")) == ESRCH, "delete of none: ESRCH");
    check(one(nl, dest_op(GVS_OP_DEST_ADD, a, "10.77.0.4:80", 1)) == 0, "destination added");
    check(one(nl, dest_op(GVS_OP_DEST_ADD, a, "10.77.0.4:80", 2)) == EEXIST, "again: EEXIST");
    check(one(nl, dest_op(GVS_OP_DEST_EDIT, a, "10.77.0.5:80", 2)) == ENOENT, "edit: ENOENT");
    check(one(nl, dest_op(GVS_OP_DEST_DEL, a, "10.77.0.5:80", 2)) == ENOENT, "delete: ENOENT");
    check(one(nl, dest_op(GVS_OP_DEST_ADD, b, "10.77.0.5:80", 2)) == ESRCH, "no service: ESRCH");
    check(one(nl, dest_op(GVS_OP_DEST_ADD, a, "224.0.0.1:80", 2)) == EINVAL, "multicast: EINVAL");
    check(one(nl, heavy) == ERANGE, "weight 2^31: ERANGE");
    check(one(nl, crossed) == ERANGE, "lower above upper: ERANGE");
    check(one(nl, mixed) == EINVAL, "families mixed without tunnel: EINVAL");
    check(one(nl, anchor_op(GVS_OP_ANCHOR_ADD, GVS_FAMILY_V4)) == 0 &&
              one(nl, anchor_op(GVS_OP_ANCHOR_ADD, GVS_FAMILY_V6)) == 0,
          "anchors added");
    check(one(nl, anchor_op(GVS_OP_ANCHOR_ADD, GVS_FAMILY_V6)) == EEXIST, "again: EEXIST");
    check(holds("ipvsadm -Sn | grep -qx -e '-A -f 1735786500 -s none'"), "ipvsadm shows it");
    check(one(nl, anchor_op(GVS_OP_ANCHOR_DEL, GVS_FAMILY_V4)) == 0 &&
              one(nl, anchor_op(GVS_OP_ANCHOR_DEL, GVS_FAMILY_V6)) == 0,
          "anchors deleted");
    check(one(nl, anchor_op(GVS_OP_ANCHOR_DEL, GVS_FAMILY_V6)) == ESRCH, "again: ESRCH");
}

/* 64 adds, three of which are of what is there already. */
static void
test_three_bad_of_64(struct gvs_nl *nl)
{
    struct gvs_op ops[GVS_NL_BATCH_MAX];
    struct gvs_set *want = set_new();
    int errors[GVS_NL_BATCH_MAX];
    uint64_t writes = gvs_nl_writes(nl);
    bool good = true;

    empty_table();
    for (unsigned i = 0; i < GVS_NL_BATCH_MAX; i++) {
        char vip[32];

        snprintf(vip, sizeof vip, "10.99.1.%u:80", i == 10 || i == 40 || i == 63 ? 0 : i);
        ops[i] = service_op(GVS_OP_SERVICE_ADD, vip, "rr");
        gvs_set_put(want, &ops[i].item);
        errors[i] = -5;
    }
    check(gvs_nl_apply(nl, ops, GVS_NL_BATCH_MAX, errors) == GVS_OK, "64 in one batch");
    for (unsigned i = 0; i < GVS_NL_BATCH_MAX; i++)
        good = good && errors[i] == (i == 10 || i == 40 || i == 63 ? EEXIST : 0);
    check(good, "the three are named, the last among them, and no other");
    check(gvs_set_count(want) == 61 && table_is(nl, want), "the other 61 are in the table");
    check(gvs_nl_writes(nl) == writes + 64, "64 writes are counted");
    check(gvs_nl_apply(nl, NULL, 0, NULL) == GVS_OK && gvs_nl_writes(nl) == writes + 64,
          "an empty batch sends nothing");
    free(want);
}

static void
test_lost_answers(struct gvs_nl *nl)
{
    struct gvs_op ops[GVS_NL_BATCH_MAX];
    struct gvs_set *want = set_new();
    int errors[GVS_NL_BATCH_MAX];
    struct table t;
    double start;

    empty_table();
    for (unsigned i = 0; i < GVS_NL_BATCH_MAX; i++) {
        ops[i] = service_op(GVS_OP_SERVICE_ADD, "10.99.0.1:80", "rr");
        ops[i].item.svc.port = (uint16_t)(80 + i / 2); /* every other one is refused */
        gvs_set_put(want, &ops[i].item);
    }
    set_receive_buffer(1);
    start = now();
    check(gvs_nl_apply(nl, ops, GVS_NL_BATCH_MAX, errors) == GVS_E_LOST, "ENOBUFS is LOST");
    check(now() - start < 1, "at once");
    check(one(nl, service_op(GVS_OP_SERVICE_DEL, "10.99.0.1:80", "rr")) == 0,
          "the next batch is answered, even then");
    check(one(nl, service_op(GVS_OP_SERVICE_ADD, "10.99.0.1:80", "rr")) == 0, "and the next");
    set_receive_buffer(1 << 20);
    check(table_is(nl, want), "a look tells that all was done");

    cut_answers(0);
    start = now();
    check(one(nl, service_op(GVS_OP_SERVICE_DEL, "10.99.0.1:80", "rr")) == -1, "silence is LOST");
    check(now() - start > 1.5 && now() - start < 3, "after 2 s");
    t = (struct table){.set = set_new(), .good = true};
    check(gvs_nl_services(nl, take, &t) == GVS_E_LOST, "in a dump, too");
    uncut_answers();
    check(gvs_nl_services(nl, take, &t) == GVS_E_LOST, "the kernel still has that dump in hand");
    check(gvs_nl_services(nl, take, &t) == GVS_OK, "but the next one goes through");
    cut_answers(100);
    check(gvs_nl_services(nl, take, &t) == GVS_E_LOST, "a dump that is cut off is LOST");
    uncut_answers();
    free(t.set);
    gvs_set_del(want, &ops[0].item);
    check(table_is(nl, want), "afterwards all is as if nothing had been");
    free(want);
}

/* Writes the tables of N services with D destinations each, by one socket in batches of 64. */
static void
test_big_table(struct gvs_nl *nl, unsigned services, unsigned dests)
{
    struct gvs_set *want = set_new();
    struct gvs_op op = service_op(GVS_OP_SERVICE_EDIT, "10.99.0.0:80", "wlc");
    double t[5];

    empty_table();
    for (unsigned s = 0; s < services; s++) {
        struct gvs_svcid id = {.proto = GVS_PROTO_TCP,
                               .addr = {GVS_FAMILY_V4, {10, 99, (uint8_t)(s / 256), (uint8_t)s}},
                               .port = 80};
        struct gvs_item item = gvs_item_make_service(&id);

        strcpy(item.service.sched, "rr");
        item.service.netmask = 32;
        gvs_set_put(want, &item);
        for (unsigned d = 0; d < dests; d++) {
            struct gvs_ep ep = {.addr = {GVS_FAMILY_V4, {10, 77, (uint8_t)s, (uint8_t)d}},
                                .port = 8080};

            item = gvs_item_make_dest(&id, &ep);
            item.dest.weight = 1;
            gvs_set_put(want, &item);
        }
    }
    t[0] = now();
    check(apply_set(nl, want, GVS_OP_SERVICE_ADD, GVS_OP_DEST_ADD), "10,000 services with 4 each");
    t[1] = now();
    check(table_is(nl, want), "are there");
    t[2] = now();
    check(one(nl, op) == 0, "one of them is edited");
    t[3] = now();
    check(apply_set(nl, want, GVS_OP_SERVICE_DEL, GVS_OP_NONE), "they are deleted");
    t[4] = now();
    printf("# %u x %u: write %.3f s (%.0f/s), read %.3f s, one edit %.1f ms, delete %.3f s\n",
           services, dests, t[1] - t[0], services * (1 + dests) / (t[1] - t[0]), t[2] - t[1],
           (t[3] - t[2]) * 1e3, t[4] - t[3]);
    free(want);
}

static bool
stop(void *ctx, const struct gvs_nl_found *f)
{
    (void)f;
    return ++*(unsigned *)ctx < 3;
}

static void
test_dumps(struct gvs_nl *nl)
{
    struct gvs_svcid none = svcid("10.99.9.9:80");
    unsigned calls = 0;
    struct table t;

    empty_table();
    for (unsigned i = 0; i < 500; i++) {
        struct gvs_op op = service_op(GVS_OP_SERVICE_ADD, "10.99.0.1:80", "rr");

        op.item.svc.port = (uint16_t)(1 + i);
        one(nl, op);
    }
    check(gvs_nl_services(nl, stop, &calls) == GVS_OK && calls == 3, "a dump stops when told");
    t = read_table(nl);
    check(t.good && gvs_set_count(t.set) == 500, "and was drained: the next one works");
    free(t.set);
    calls = 0;
    check(gvs_nl_dests(nl, &none, stop, &calls) == GVS_OK && calls == 0,
          "a service that is not there has no destinations");
    empty_table();
}

/* In a process of its own, since it gives up what it needs. */
static void
test_capability(struct gvs_nl *nl)
{
    struct gvs_op op = service_op(GVS_OP_SERVICE_ADD, "10.99.0.1:80", "rr");
    unsigned calls = 0;
    int status;

    fflush(stdout);
    if (fork() == 0) {
        struct gvs_nl *mine = nl;

        if (setresuid(65534, 65534, 65534))
            _exit(9);
        if (one(nl, op) != EPERM)
            _exit(1);
        if (gvs_nl_services(nl, stop, &calls) != GVS_E_REFUSED)
            _exit(2);
        _exit(gvs_nl_open(&mine) == GVS_E_REFUSED && mine == NULL ? 0 : 3);
    }
    wait(&status);
    check(status == 0, "without CAP_NET_ADMIN: EPERM, REFUSED, and no opening");
}

/* A socket belongs to the namespace where it was opened. */
static void
test_namespaces(struct gvs_nl *nl)
{
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    struct gvs_set *none = set_new(), *want = set_new();
    struct gvs_op op = service_op(GVS_OP_SERVICE_ADD, "10.99.0.1:80", "rr");
    struct gvs_nl *other = NULL;

    if (!check(unshare(CLONE_NEWNET) == 0 && gvs_nl_open(&other) == GVS_OK, "opened elsewhere"))
        return;
    check(setns(home, CLONE_NEWNET) == 0 && one(other, op) == 0, "written from here");
    gvs_set_put(want, &op.item);
    check(table_is(other, want) && table_is(nl, none), "it is there and not here");
    gvs_nl_close(other);
    close(home);
    free(none);
    free(want);
}

static bool
timeouts_are(struct gvs_nl *nl, uint32_t tcp, uint32_t tcpfin, uint32_t udp)
{
    struct gvs_timeouts t;

    return gvs_nl_timeouts(nl, &t) == GVS_OK && t.tcp == tcp && t.tcpfin == tcpfin && t.udp == udp;
}

static void
test_timeouts(struct gvs_nl *nl)
{
    check(timeouts_are(nl, 900, 120, 300), "the timeouts as the kernel starts with them");
    check(holds("ipvsadm --set 7440 121 299") && timeouts_are(nl, 7440, 121, 299),
          "and as ipvsadm sets them");
    check(holds("ipvsadm --set 900 120 300"), "and back");
}

/* Last, for it takes the module away. Only where that is a module, as in user-mode Linux. */
static void
test_reload(struct gvs_nl *nl)
{
    static const char unload[] = "modprobe -r $(lsmod | grep -o '^ip_vs_[a-z0-9_]*') ip_vs && ! "
                                 "grep -q '^ip_vs ' /proc/modules";
    struct gvs_op ops[2] = {service_op(GVS_OP_SERVICE_ADD, "10.99.0.1:80", "rr"),
                            dest_op(GVS_OP_DEST_ADD, "10.99.0.1:80", "10.77.0.4:80", 1)};
    struct gvs_set *want = set_new();
    struct gvs_nl *second = NULL;
    unsigned calls = 0;
    int errors[2] = {9, 9};

    if (!holds(unload)) {
        puts("# IPVS cannot be unloaded here: reloading is not tested");
        free(want);
        return;
    }
    check(gvs_nl_apply(nl, ops, 2, errors) == GVS_OK && errors[0] == 0 && errors[1] == 0,
          "a batch after the module has gone loads it and is done");
    gvs_set_put(want, &ops[0].item);
    gvs_set_put(want, &ops[1].item);
    check(table_is(nl, want), "as it should");
    empty_table();
    check(holds(unload) && gvs_nl_services(nl, stop, &calls) == GVS_OK && calls == 0,
          "so does a dump");
    check(holds(unload) && timeouts_are(nl, 900, 120, 300), "so does asking for the timeouts");
    check(holds(unload) && holds("echo /bin/false >/proc/sys/kernel/modprobe"),
          "no module any more");
    check(gvs_nl_apply(nl, ops, 2, errors) == GVS_E_UNSUPPORTED, "then a batch is UNSUPPORTED");
    check(gvs_nl_services(nl, stop, &calls) == GVS_E_UNSUPPORTED, "a dump as well");
    check(gvs_nl_open(&second) == GVS_E_UNSUPPORTED && !second, "and opening");
    free(want);
}

int
main(void)
{
    struct gvs_nl *nl;
    char version[16];

    if (!check(gvs_nl_open(&nl) == GVS_OK, "open, which loads the module"))
        return 1;
    gvs_nl_version(nl, version);
    check(holds("ipvsadm -Ln >/tmp/version") && strlen(version) >= 5, "the version");
    test_timeouts(nl);
    test_ipvsadm_reads_what_we_write(nl);
    test_we_read_what_ipvsadm_writes(nl);
    test_random_tables_come_back(nl);
    test_schedulers(nl);
    test_errors(nl);
    test_three_bad_of_64(nl);
    test_lost_answers(nl);
    test_dumps(nl);
    test_capability(nl);
    test_namespaces(nl);
    test_big_table(nl, 10000, 4);
    test_reload(nl);
    gvs_nl_close(nl);
    return *live_failed();
}
