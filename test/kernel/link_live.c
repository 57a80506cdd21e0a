/* test/kernel/link_live: does ipvs/link.h hold on a real kernel? Run by test/kernel/t_link, inside
 * the virtual machine, in its topology:
 *
 *     this node  eth0 10.77.0.1, fd00:77::1 ---- eth0 10.77.0.2, fd00:77::2  namespace srv
 *
 * Both carry the VIPs 10.99.0.1 and fd00:99::1; IPVS here forwards their port 80 to srv's port
 * 8080.
 */
#include "ipvs/link.h"
#include "test/kernel/live.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct gvs_addr vip4 = {GVS_FAMILY_V4, {10, 99, 0, 1}};
static const struct gvs_addr other4 = {GVS_FAMILY_V4, {10, 99, 0, 2}};
static const struct gvs_addr node4 = {GVS_FAMILY_V4, {10, 77, 0, 1}};
static const struct gvs_addr vip6 = {GVS_FAMILY_V6, {0xfd, 0, 0, 0x99, [15] = 1}};
static const struct gvs_addr node6 = {GVS_FAMILY_V6, {0xfd, 0, 0, 0x77, [15] = 1}};
static const struct gvs_addr none = {0};

static bool
joins(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && setns(fd, CLONE_NEWNET) == 0;

    close(fd);
    return good;
}

/* Tells whoever connects the address that it comes from. For ever; ready when *ready can be read.
 */
static void
serve(int ready)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(8080)};
    int fd = socket(AF_INET6, SOCK_STREAM, 0);

    if (bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 8) || write(ready, "", 1) != 1)
        _exit(1);
    for (;;) {
        socklen_t len = sizeof a;
        int c = accept(fd, (struct sockaddr *)&a, &len);

        (void)!write(c, &a.sin6_addr, sizeof a.sin6_addr);
        close(c);
    }
}

/* Does a client on this node reach the service, and is the server told that it comes from `source`
 * (as IPv6)? */
static bool
reaches(const struct gvs_addr *vip, const struct gvs_addr *source)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(80)};
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    struct timeval limit = {.tv_sec = 1, .tv_usec = 500000};
    uint8_t mapped[12] = {[10] = 0xff, 0xff}, got[16] = {0}, want[16];
    bool v4 = vip->family == GVS_FAMILY_V4, good;

    memcpy(a.sin6_addr.s6_addr, v4 ? mapped : vip->b, v4 ? 12 : 16);
    memcpy(want, v4 ? mapped : source->b, v4 ? 12 : 16);
    if (v4) {
        memcpy(a.sin6_addr.s6_addr + 12, vip->b, 4);
        memcpy(want + 12, source->b, 4);
    }
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit); /* connect's, too */
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    good = connect(fd, (struct sockaddr *)&a, sizeof a) == 0 && read(fd, got, 16) == 16 &&
           memcmp(got, want, 16) == 0;
    close(fd);
    return good;
}

/* How often it is called for `wanted`, and where that lies. */
struct seen {
    const struct gvs_addr *wanted;
    unsigned count, link_local;
    char name[32];
};

static bool
note(void *ctx, const struct gvs_addr *addr, const char *name)
{
    struct seen *s = ctx;

    s->link_local += addr->b[0] == 0xfe && addr->b[1] == 0x80;
    if (addr->family == s->wanted->family && !memcmp(addr->b, s->wanted->b, 16)) {
        s->count++;
        snprintf(s->name, sizeof s->name, "%s", name);
    }
    return true;
}

static bool
lists(struct gvs_link *l, bool on_dummy, const struct gvs_addr *wanted, const char *name)
{
    struct seen s = {.wanted = wanted};

    return gvs_link_addresses(l, on_dummy, note, &s) == GVS_OK && s.link_local == 0 &&
           s.count == 1 && !strcmp(s.name, name);
}

/* gvs_link_add with the source that each family is to have. */
static bool
adds(struct gvs_link *l, const struct gvs_addr *vip, bool news)
{
    bool changed = !news;

    return gvs_link_add(l, vip, &changed) == GVS_OK && changed == news;
}

static bool
dels(struct gvs_link *l, const struct gvs_addr *vip, bool news)
{
    bool changed = !news;

    return gvs_link_del(l, vip, &changed) == GVS_OK && changed == news;
}

static void
test_interface(void)
{
    struct gvs_link *l;

    check(gvs_link_open(&l, "gossipvs0", true) == GVS_OK && l, "observing needs no interface");
    check(!holds("ip link show gossipvs0 >/dev/null 2>&1"), "observing makes no interface");
    check(gvs_link_program(l) == GVS_OK && holds("ip link show gossipvs0 up | grep -q gossipvs0") &&
              adds(l, &vip4, true) && dels(l, &vip4, true),
          "who observed may write from now on");
    gvs_link_close(l);
    holds("ip link del gossipvs0");
    check(gvs_link_open(&l, "", false) == GVS_OK && lists(l, false, &node4, "eth0"),
          "without an interface the others' addresses are listed");
    gvs_link_close(l);
    check(gvs_link_open(&l, "eth0", false) == GVS_E_CONFLICT && !l, "eth0 is no dummy");
    check(gvs_link_open(&l, "eth0", true) == GVS_E_CONFLICT && !l, "nor when observing");
    check(gvs_link_open(&l, "a-name-too-long-for-linux", false) == GVS_E_SYS && errno == EINVAL,
          "a name that is too long is refused");
    check(gvs_link_open(&l, "gossipvs0", false) == GVS_OK &&
              holds("ip -d link show gossipvs0 up | grep -qw dummy"),
          "the interface is made, a dummy, up");
    gvs_link_close(l);
    check(holds("ip link set gossipvs0 down") && gvs_link_open(&l, "gossipvs0", false) == GVS_OK &&
              holds("ip link show gossipvs0 up | grep -q gossipvs0"),
          "an interface that is down is set up");
    gvs_link_close(l);
}

static void
test_idempotent(struct gvs_link *l)
{
    static const struct {
        const char *why;
        const struct gvs_addr *vip;
    } rows[] = {{"v4", &vip4}, {"v6", &vip6}};

    for (size_t i = 0; i < 2; i++) {
        const struct gvs_addr *vip = rows[i].vip;

        printf("# %s\n", rows[i].why);
        check(dels(l, vip, false), "what is not there is deleted without a change");
        check(adds(l, vip, true), "add changes the kernel");
        check(adds(l, vip, false), "add again changes nothing");
        check(lists(l, true, vip, "gossipvs0"), "it is listed on the dummy");
        check(dels(l, vip, true), "del changes the kernel");
        check(dels(l, vip, false), "del again changes nothing");
    }
    check(holds("test -z \"$(ip -4 addr show dev gossipvs0)\""), "no IPv4 address is left");
    check(lists(l, false, &node4, "eth0") && lists(l, false, &node6, "eth0"),
          "the node's own addresses are listed, with their interface");
    check(lists(l, false, &(struct gvs_addr){GVS_FAMILY_V4, {127, 0, 0, 1}}, "lo"),
          "so is loopback");
}

static const char *const route6 =
    "test \"$(ip -6 route show table local fd00:99::1 | tr -s ' ')\" = 'local fd00:99::1 dev "
    "gossipvs0 proto static src fd00:77::1 metric 1024 pref medium'";

static void
test_routes(struct gvs_link *l)
{
    static const char *v4 = "ip route show table local dev gossipvs0 | grep -qx "
                            "'local 10.99.0.1 proto kernel scope host src 10.77.0.1 *'";
    bool changed;

    gvs_link_source(l, &none, &none);
    check(adds(l, &vip4, true) && adds(l, &vip6, true), "VIPs without a source");
    check(!reaches(&vip4, &node4) && !reaches(&vip6, &node6),
          "a server with the VIP is then out of a local client's reach");
    gvs_link_source(l, &node4, &node6);
    check(adds(l, &vip4, true) && adds(l, &vip6, true),
          "add mends the source of VIPs there already");
    check(holds(v4), "the local route of the IPv4 VIP has the node as source");
    check(holds(route6), "that of the IPv6 VIP, too, and is the only one");
    check(reaches(&vip4, &node4), "IPv4: a local client reaches the server, as the node");
    check(reaches(&vip6, &node6), "IPv6: likewise");
    check(adds(l, &vip4, false) && adds(l, &vip6, false), "and add has no more to do");
    check(adds(l, &other4, true) && dels(l, &vip4, true) &&
              holds("! ip route show table local | grep -qw 10.99.0.1"),
          "an IPv4 VIP takes its route along while others stay");
    check(dels(l, &vip6, true) && holds("! ip -6 route show table local | grep -qw fd00:99::1"),
          "so does an IPv6 VIP");
    gvs_link_source(l, &(struct gvs_addr){GVS_FAMILY_V4, {10, 1, 2, 3}}, &node6);
    check(gvs_link_add(l, &vip4, &changed) == GVS_E_SYS && errno == EINVAL && changed &&
              lists(l, true, &vip4, "gossipvs0"),
          "a source that the node does not have is refused, the VIP stays");
    gvs_link_source(l, &node4, &node6);
    check(adds(l, &vip4, true) && adds(l, &vip6, true) && holds(v4), "and is mended");
}

/* As an audit sees it. */
static bool
is_well(struct gvs_link *l, const struct gvs_addr *vip)
{
    return lists(l, true, vip, "gossipvs0") && gvs_link_serves(l, vip);
}

/* The same VIPs, after what other people do to a node. */
static void
test_mending(struct gvs_link *l)
{
    static const struct {
        const char *why, *command;
        bool v4; /* is there something to mend? */
        enum { NO, YES, LOOK } v6;
    } rows[] = {
        {"nothing was done", "true", false, NO},
        {"down and up: IPv6 addresses go, IPv4 routes stay",
         "ip link set gossipvs0 down; ip link set gossipvs0 up", false, YES},
        {"the interface is down", "ip link set gossipvs0 down", false, YES},
        {"the interface was deleted", "ip link del gossipvs0", true, YES},
        {"the node's IPv4 address went and came back",
         "ip addr del 10.77.0.1/24 dev eth0; ip addr add 10.77.0.1/24 dev eth0", false, NO},
        {"so did its IPv6 address",
         "ip addr del fd00:77::1/64 dev eth0; ip addr add fd00:77::1/64 dev eth0 nodad", false,
         LOOK}, /* since Linux 6.12 or before, not in 6.1, the route of another device loses it */
        {"the IPv4 VIP was deleted", "ip addr del 10.99.0.1/32 dev gossipvs0", true, NO},
        {"the IPv6 VIP was deleted", "ip addr del fd00:99::1/128 dev gossipvs0", false, YES},
        {"the IPv4 route was deleted", "ip route del local 10.99.0.1 dev gossipvs0 table local",
         true, NO},
        {"the IPv6 route was deleted", "ip -6 route del local fd00:99::1 dev gossipvs0 table local",
         false, YES},
        {"the IPv4 route got another source",
         "ip route change local 10.99.0.1 dev gossipvs0 table local proto kernel scope host src "
         "10.99.0.1",
         true, NO},
        {"the IPv6 route got another source",
         "ip -6 route change local fd00:99::1 dev gossipvs0 table local proto static metric 1024 "
         "src fd00:99::1",
         false, YES},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool hurt6;

        printf("# %s\n", rows[i].why);
        check(holds(rows[i].command), "prepared");
        hurt6 = rows[i].v6 == LOOK ? !holds(route6) : rows[i].v6 == YES;
        check(is_well(l, &vip4) == !rows[i].v4 && is_well(l, &vip6) == !hurt6,
              "what was hurt is seen to be so");
        check(adds(l, &vip4, rows[i].v4), "add mends what was hurt of IPv4 and nothing else");
        check(adds(l, &vip6, hurt6), "add mends what was hurt of IPv6 and nothing else");
        check(adds(l, &vip4, false) && adds(l, &vip6, false), "and then is content");
        check(reaches(&vip4, &node4), "a local client reaches the server by IPv4");
        check(reaches(&vip6, &node6), "and by IPv6");
    }
    check(holds("ip link set gossipvs0 down; ip link set gossipvs0 up") && dels(l, &vip4, true) &&
              holds("! ip route show table local | grep -qw 10.99.0.1"),
          "what the kernel made twice goes at once");
}

#define MANY 1000

/* How many of MANY VIPs took `what` as told. */
static unsigned
each(struct gvs_link *l, struct gvs_addr a,
     bool (*what)(struct gvs_link *, const struct gvs_addr *, bool), bool news)
{
    unsigned good = 0;

    for (unsigned i = 0; i < MANY; i++) {
        a.b[2] = (uint8_t)(i >> 8);
        a.b[3] = (uint8_t)i;
        good += what(l, &a, news);
    }
    return good;
}

static void
test_many(struct gvs_link *l)
{
    static const struct gvs_addr v4 = {GVS_FAMILY_V4, {10, 98}}, v6 = {GVS_FAMILY_V6, {0xfd, 1}};
    double t[6];
    bool good;

    t[0] = now();
    good = each(l, v4, adds, true) == MANY;
    t[1] = now();
    good = good && each(l, v6, adds, true) == MANY;
    t[2] = now();
    good = good && each(l, v4, adds, false) == MANY && each(l, v6, adds, false) == MANY;
    t[3] = now();
    check(good && lists(l, true, &v4, "gossipvs0") && lists(l, true, &v6, "gossipvs0"),
          "a thousand VIPs of each family");
    check(holds("test $(ip -6 route show table local proto static | grep -c ^local) = 1000 && "
                "! ip -6 route show table local proto kernel | grep -q '^local fd01:'"),
          "each of which has its route, and no other");
    t[4] = now();
    good = each(l, v4, dels, true) == MANY && each(l, v6, dels, true) == MANY;
    t[5] = now();
    check(good && holds("! ip route show table local | grep -qF 10.98. && "
                        "! ip -6 route show table local | grep -qF fd01:"),
          "which go with them");
    printf("# us each: add %.0f (IPv4), %.0f (IPv6), add again %.0f, del %.0f\n",
           (t[1] - t[0]) * 1e6 / MANY, (t[2] - t[1]) * 1e6 / MANY, (t[3] - t[2]) * 5e5 / MANY,
           (t[5] - t[4]) * 5e5 / MANY);
}

/* What is left of an answer that was lost, as in a queue that overflowed: somebody has asked for
 * all addresses on our socket and never listened. */
static bool
leaves(int fd)
{
    struct {
        struct nlmsghdr h;
        struct rtgenmsg g;
    } ask = {{sizeof ask, RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, 1, 0}, {AF_UNSPEC}};

    return send(fd, &ask, sizeof ask, 0) == (ssize_t)sizeof ask;
}

static void
test_left_over(void)
{
    int fd = gvs_link_socket();
    struct gvs_link *l;

    check(gvs_link_open_on(&l, fd, "gossipvs0", false) == GVS_OK, "open on a socket");
    check(leaves(fd) && lists(l, false, &node4, "eth0"),
          "what is left of a lost answer is no answer to a list");
    check(leaves(fd) && adds(l, &other4, true) && lists(l, true, &other4, "gossipvs0"),
          "nor to an add");
    check(leaves(fd) && gvs_link_serves(l, &other4), "nor to the question for a route");
    check(leaves(fd) && gvs_link_program(l) == GVS_OK, "nor for the interface");
    check(leaves(fd) && dels(l, &other4, true) && dels(l, &other4, false), "nor to a removal");
    gvs_link_close(l);
}

static void
test_refused(void)
{
    struct gvs_link *l;
    bool changed;
    int status;

    fflush(stdout);
    if (fork() == 0) {
        if (gvs_link_open(&l, "gossipvs0", false) || setresuid(65534, 65534, 65534))
            _exit(9);
        _exit(gvs_link_add(l, &other4, &changed) == GVS_E_REFUSED && !changed ? 0 : 1);
    }
    wait(&status);
    check(status == 0, "without CAP_NET_ADMIN an add is refused");
    if (fork() == 0) {
        if (setresuid(65534, 65534, 65534))
            _exit(9);
        _exit(gvs_link_open(&l, "gossipvs9", false) == GVS_E_REFUSED && !l ? 0 : 1);
    }
    wait(&status);
    check(status == 0, "and so is making the interface");
}

int
main(void)
{
    struct gvs_link *l = NULL;
    int ready[2];
    pid_t server;
    char c;

    if (pipe(ready) < 0 || (server = fork()) < 0)
        return 2;
    if (server == 0) {
        if (!joins("/run/netns/srv"))
            _exit(1);
        serve(ready[1]);
    }
    check(read(ready[0], &c, 1) == 1, "the server listens");
    test_interface();
    if (gvs_link_open(&l, "gossipvs0", false) == GVS_OK) {
        gvs_link_source(l, &node4, &node6);
        test_idempotent(l);
        test_routes(l);
        test_mending(l);
        test_many(l);
    }
    check(l, "open");
    gvs_link_close(l);
    test_left_over();
    test_refused();
    kill(server, SIGKILL);
    return *live_failed();
}
