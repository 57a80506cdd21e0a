#include "core/err.h"
#include "ipvs/doctor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What a row has otherwise than a node on which all is well: an IPv4 tcp VIP with nat backends, on
 * kernel 6.1, alone on its network. */
enum {
    UDP = 1 << 0,
    PERSISTENT = 1 << 1,
    NO_NAT4 = 1 << 2,
    NAT6 = 1 << 3,
    NO_IP_VS = 1 << 4,
    RULES = 1 << 5,
    KERNEL_5_8 = 1 << 6,
    KERNEL_6_2 = 1 << 7,
    MANY = 1 << 8, /* services and destinations */
    MEMBERS = 1 << 9,
    ASKED = 1 << 10,     /* a VIP in the network of eth0 */
    UNPACKS = 1 << 11,   /* a backend with forward tun here, behind tunl0 */
    REUSES = 1 << 12,    /* conntrack, and conn_reuse_mode */
    IN_RANGE = 1 << 13,  /* the agent's port, of what is lent */
    RESERVED = 1 << 14,  /* it, too */
    NO_MODULE = 1 << 15, /* of the scheduler */
    LATER = 1 << 16,     /* it is loaded when it is asked for */
    LINK_RIGHT = 1 << 17,
    TOO_MUCH = 1 << 18, /* is reserved already to be read */
    NO_TCP = 1 << 19,
    REMOTE = 1 << 20, /* two of three servers are behind routers */
    MASQUERADE = 1 << 21,
    NO_TIMEOUTS = 1 << 22, /* were told */
    NO_SERVER = 1 << 23,
    UDP_SHORT = 1 << 24, /* by a second */
    TCP_900 = 1 << 25,
};

static void
set_up(struct gvs_doctor_use *u, struct gvs_doctor_seen *s, unsigned is)
{
    *u = (struct gvs_doctor_use){.items = is & MANY ? 5001 : 2,
                                 .tcp = !(is & NO_TCP),
                                 .udp = is & UDP,
                                 .persistent = is & PERSISTENT,
                                 .nat4 = !(is & NO_NAT4),
                                 .nat6 = is & NAT6,
                                 .server_count = is & NO_SERVER ? 0 : 3,
                                 .servers = {{.family = GVS_FAMILY_V4, .b = {10, 77, 0, 101}},
                                             {.family = GVS_FAMILY_V4, .b = {10, 66, 0, 1}},
                                             {.family = GVS_FAMILY_V4, .b = {10, 66, 0, 2}}},
                                 .members = is & MEMBERS ? 3 : 1,
                                 .port = 7900,
                                 .scheduler_count = 2,
                                 .schedulers = {"wlc", "mh"}};
    *s = (struct gvs_doctor_seen){
        .release = "6.1.0",
        .kernel = GVS_DOCTOR_KERNEL(6, 1),
        .ip_vs = !(is & NO_IP_VS),
        .rules = is & RULES,
        .masquerade = is & MASQUERADE,
        .remote = {false, is & REMOTE, is & REMOTE},
        .tcp_s = is & NO_TIMEOUTS ? 0
                 : is & TCP_900   ? 900
                                  : 7201,
        .tcpfin_s = is & NO_TIMEOUTS ? 0 : 120,
        .udp_s = is & NO_TIMEOUTS ? 0
                 : is & UDP_SHORT ? 119
                                  : 120,
        .unpacks = is & UNPACKS,
        .schedulers = {GVS_DOCTOR_MODULE_LOADED, is & NO_MODULE ? GVS_DOCTOR_MODULE_MISSING
                                                 : is & LATER   ? GVS_DOCTOR_MODULE_THERE
                                                                : GVS_DOCTOR_MODULE_LOADED},
        .sysctl = {[GVS_DOCTOR_EXPIRE_NODEST_CONN] = 1,
                   [GVS_DOCTOR_CONN_REUSE_MODE] = 1,
                   [GVS_DOCTOR_RUN_ESTIMATION] = 1,
                   [GVS_DOCTOR_IP_FORWARD] = 1,
                   [GVS_DOCTOR_TCP_KEEPALIVE_TIME] = 7200},
        .port_first = is & IN_RANGE ? 1024 : 32768,
        .port_last = 60999,
        .reserved_more = is & TOO_MUCH,
        .link_count = 2,
        .links = {{.name = "eth0", .asked = is & ASKED}, {.name = "tunl0", .unpack = true}},
    };
    if (is & KERNEL_5_8)
        s->kernel = GVS_DOCTOR_KERNEL(5, 8);
    if (is & KERNEL_6_2)
        s->kernel = GVS_DOCTOR_KERNEL(6, 2);
    if (is & REUSES)
        s->sysctl[GVS_DOCTOR_CONNTRACK] = 1;
    if (is & RESERVED)
        strcpy(s->reserved, "8080,7000-7900");
    else if (is & IN_RANGE)
        strcpy(s->reserved, "790,7000-7899");
    if (is & LINK_RIGHT) {
        s->links[0].arp_ignore = 1;
        s->links[0].arp_announce = 2;
        s->links[1].rp_filter = 2;
    }
}

static size_t
index_of(const char *name)
{
    size_t i = 0;

    while (strcmp(gvs_doctor_name(i), name) != 0)
        i++;
    return i;
}

/* "net/ipv4/ip_forward=1 ...": all that is to be written. */
static void
writes_of(char text[static 512], const struct gvs_doctor_finding *f)
{
    size_t at = 0;

    text[0] = 0;
    for (size_t i = 0; i < f->write_count; i++)
        at += (size_t)snprintf(text + at, 512 - at, "%s%s=%s", i ? " " : "", f->writes[i].path,
                               f->writes[i].value);
}

#define NONE (-1)
#define OK GVS_DOCTOR_OK
#define UNNEEDED GVS_DOCTOR_UNNEEDED
#define WARN GVS_DOCTOR_WARN
#define BAD GVS_DOCTOR_BAD
#define VS "net/ipv4/vs/"
#define CONF "net/ipv4/conf/"
#define PORTS "net/ipv4/ip_local_reserved_ports=790,7000-7899,7900"

static const struct row {
    const char *why, *check;
    unsigned is;
    int which, value; /* one of /proc/sys, besides; NONE */
    enum gvs_doctor_state state;
    const char *found, *writes;
} rows[] = {
    {"6.1 will do", "kernel", 0, NONE, 0, OK, "6.1.0", ""},
    {"5.8 ends connections late", "kernel", KERNEL_5_8, NONE, 0, WARN, NULL, ""},
    {"5.8 waits where ports are used again", "kernel", KERNEL_5_8 | REUSES, NONE, 0, BAD, NULL, ""},
    {"5.8 does not without reuse", "kernel", KERNEL_5_8 | REUSES, GVS_DOCTOR_CONN_REUSE_MODE, 0,
     WARN, NULL, ""},
    {"6.1 does not wait", "kernel", REUSES, NONE, 0, OK, NULL, ""},
    {"loaded", "ip_vs", 0, NONE, 0, OK, "loaded", ""},
    {"not loaded", "ip_vs", NO_IP_VS, NONE, 0, BAD, "not loaded", ""},
    {"all are loaded", "schedulers", 0, NONE, 0, OK, "loaded: wlc, mh", ""},
    {"one will be", "schedulers", LATER, NONE, 0, OK, "loaded: wlc; available, not loaded yet: mh",
     ""},
    {"one is missing", "schedulers", NO_MODULE, NONE, 0, BAD, "loaded: wlc; missing: mh", ""},

    {"right", "expire_nodest_conn", UDP, NONE, 0, OK, "1", ""},
    {"tcp hangs", "expire_nodest_conn", 0, GVS_DOCTOR_EXPIRE_NODEST_CONN, 0, WARN, "0",
     VS "expire_nodest_conn=1"},
    {"udp is lost", "expire_nodest_conn", UDP, GVS_DOCTOR_EXPIRE_NODEST_CONN, 0, BAD, "0",
     VS "expire_nodest_conn=1"},
    {"nothing without ip_vs", "expire_nodest_conn", UDP | NO_IP_VS, GVS_DOCTOR_EXPIRE_NODEST_CONN,
     -1, UNNEEDED, "none", ""},
    {"a kernel that has none", "expire_nodest_conn", UDP, GVS_DOCTOR_EXPIRE_NODEST_CONN, -1, BAD,
     "none", ""},
    {"right by default", "conn_reuse_mode", 0, NONE, 0, OK, "1", ""},
    {"any but 0 is", "conn_reuse_mode", 0, GVS_DOCTOR_CONN_REUSE_MODE, 3, OK, "3", ""},
    {"the server of before", "conn_reuse_mode", 0, GVS_DOCTOR_CONN_REUSE_MODE, 0, BAD, "0",
     VS "conn_reuse_mode=1"},
    {"of no concern without persistence", "expire_quiescent_template", 0, NONE, 0, UNNEEDED, "0",
     VS "expire_quiescent_template=1"},
    {"with it: clients of the drained", "expire_quiescent_template", PERSISTENT, NONE, 0, BAD, "0",
     VS "expire_quiescent_template=1"},
    {"with it and set", "expire_quiescent_template", PERSISTENT,
     GVS_DOCTOR_EXPIRE_QUIESCENT_TEMPLATE, 1, OK, "1", ""},
    {"no rule, no conntrack", "conntrack", 0, NONE, 0, OK, "0, no rule with -m ipvs",
     VS "conntrack=1"},
    {"no rule, and yet", "conntrack", REUSES, NONE, 0, OK, "1, no rule with -m ipvs", ""},
    {"a rule that sees nothing", "conntrack", RULES, NONE, 0, BAD, "0, rules with -m ipvs",
     VS "conntrack=1"},
    {"a rule that does", "conntrack", RULES | REUSES, NONE, 0, OK, "1, rules with -m ipvs", ""},
    {"keepalive comes in time", "timeouts", UDP, NONE, 0, OK, "tcp 7201, tcpfin 120, udp 120", ""},
    {"and too late", "timeouts", 0, GVS_DOCTOR_TCP_KEEPALIVE_TIME, 7201, WARN, NULL, ""},
    {"by default, too", "timeouts", TCP_900, NONE, 0, WARN, "tcp 900, tcpfin 120, udp 120", ""},
    {"and where nothing is known of it", "timeouts", TCP_900, GVS_DOCTOR_TCP_KEEPALIVE_TIME, -1,
     WARN, NULL, ""},
    {"no tcp", "timeouts", TCP_900 | NO_TCP | UDP, NONE, 0, OK, NULL, ""},
    {"udp clients who pause", "timeouts", UDP | UDP_SHORT, NONE, 0, WARN, NULL, ""},
    {"no udp", "timeouts", UDP_SHORT, NONE, 0, OK, NULL, ""},
    {"neither", "timeouts", NO_TCP | UDP_SHORT | TCP_900, NONE, 0, UNNEEDED, "", ""},
    {"no answer", "timeouts", NO_TIMEOUTS, NONE, 0, WARN, "", ""},
    {"no answer without ip_vs", "timeouts", NO_TIMEOUTS | NO_IP_VS, NONE, 0, UNNEEDED, "", ""},
    {"a small table", "run_estimation", 0, NONE, 0, UNNEEDED, "1", VS "run_estimation=0"},
    {"a large one", "run_estimation", MANY, NONE, 0, WARN, "1", VS "run_estimation=0"},
    {"a large one, off", "run_estimation", MANY, GVS_DOCTOR_RUN_ESTIMATION, 0, OK, "0", ""},
    {"a large one, and no switch", "run_estimation", MANY, GVS_DOCTOR_RUN_ESTIMATION, -1, WARN,
     "none", ""},
    {"a large one, in threads", "run_estimation", MANY | KERNEL_6_2, NONE, 0, UNNEEDED, "1",
     VS "run_estimation=0"},

    {"answers pass", "ip_forward", 0, NONE, 0, OK, "1", ""},
    {"answers are dropped", "ip_forward", 0, GVS_DOCTOR_IP_FORWARD, 0, BAD, "0",
     "net/ipv4/ip_forward=1"},
    {"they come another way", "ip_forward", NO_NAT4, GVS_DOCTOR_IP_FORWARD, 0, UNNEEDED, "0",
     "net/ipv4/ip_forward=1"},
    {"not of IPv6", "ipv6_forwarding", 0, NONE, 0, UNNEEDED, "0", ""},
    {"not ours to write", "ipv6_forwarding", NAT6, NONE, 0, BAD, "0", ""},
    {"set", "ipv6_forwarding", NAT6, GVS_DOCTOR_IPV6_FORWARDING, 1, OK, "1", ""},

    {"servers next door", "masquerade", 0, NONE, 0, OK, "servers in this node's networks", ""},
    {"no servers", "masquerade", NO_SERVER | REMOTE, NONE, 0, UNNEEDED, "", ""},
    {"servers elsewhere", "masquerade", REMOTE, NONE, 0, WARN,
     "10.66.0.1 behind a router, and 1 more, no rule, conntrack 0", ""},
    {"conntrack alone is none", "masquerade", REMOTE, GVS_DOCTOR_CONNTRACK, 1, WARN,
     "10.66.0.1 behind a router, and 1 more, no rule", ""},
    {"a rule that sees nothing", "masquerade", REMOTE | MASQUERADE, NONE, 0, WARN,
     "10.66.0.1 behind a router, and 1 more, rules that masquerade, conntrack 0", ""},
    {"a rule that does", "masquerade", REMOTE | MASQUERADE, GVS_DOCTOR_CONNTRACK, 1, OK,
     "10.66.0.1 behind a router, and 1 more, rules that masquerade", ""},
    {"strict, and nothing unpacked", "rp_filter", 0, GVS_DOCTOR_RP_FILTER, 1, UNNEEDED, "tunl0 1",
     CONF "tunl0/rp_filter=2"},
    {"strict for all", "rp_filter", UNPACKS, GVS_DOCTOR_RP_FILTER, 1, BAD, "tunl0 1",
     CONF "tunl0/rp_filter=2"},
    {"strict for all but this", "rp_filter", UNPACKS | LINK_RIGHT, GVS_DOCTOR_RP_FILTER, 1, OK, "",
     ""},
    {"loose for all", "rp_filter", UNPACKS, GVS_DOCTOR_RP_FILTER, 2, OK, "", ""},
    {"off", "rp_filter", UNPACKS, NONE, 0, OK, "", ""},

    {"nobody asks", "arp", MEMBERS, NONE, 0, UNNEEDED, "", ""},
    {"nobody else answers", "arp", ASKED, NONE, 0, UNNEEDED, "eth0 0 0",
     CONF "eth0/arp_announce=2 " CONF "eth0/arp_ignore=1"},
    {"all answer", "arp", ASKED | MEMBERS, NONE, 0, WARN, "eth0 0 0",
     CONF "eth0/arp_announce=2 " CONF "eth0/arp_ignore=1"},
    {"none does", "arp", ASKED | MEMBERS | LINK_RIGHT, NONE, 0, OK, "", ""},
    {"none does, by all", "arp", ASKED | MEMBERS, GVS_DOCTOR_ARP_IGNORE, 2, WARN, "eth0 2 0",
     CONF "eth0/arp_announce=2"},
    {"3 answers, and cannot be undone here", "arp", ASKED | MEMBERS | LINK_RIGHT,
     GVS_DOCTOR_ARP_IGNORE, 3, WARN, "eth0 3 2", ""},
    {"8 answers nobody", "arp", ASKED | MEMBERS | LINK_RIGHT, GVS_DOCTOR_ARP_IGNORE, 8, OK, "", ""},
    {"announced, by all", "arp", ASKED | MEMBERS, GVS_DOCTOR_ARP_ANNOUNCE, 2, WARN, "eth0 0 2",
     CONF "eth0/arp_ignore=1"},

    {"lent from above it", "local_ports", 0, NONE, 0, OK, "32768 to 60999", ""},
    {"lent", "local_ports", IN_RANGE, NONE, 0, WARN, "1024 to 60999", PORTS},
    {"reserved", "local_ports", IN_RANGE | RESERVED, NONE, 0, OK,
     "1024 to 60999, but 7900 is reserved", ""},
    {"a list that was not read whole", "local_ports", IN_RANGE | TOO_MUCH, NONE, 0, WARN, NULL, ""},
};

static void
test_each_verdict(void **state)
{
    static struct gvs_doctor_finding f;
    static struct gvs_doctor_seen s;
    struct gvs_doctor_use u;
    char writes[512];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *r = &rows[i];

        print_message("%s: %s\n", r->check, r->why);
        set_up(&u, &s, r->is);
        if (r->which >= 0)
            s.sysctl[r->which] = r->value;
        gvs_doctor_judge(index_of(r->check), &u, &s, &f);
        assert_string_equal(f.name, r->check);
        assert_int_equal(f.state, r->state);
        if (r->found)
            assert_string_equal(f.found, r->found);
        writes_of(writes, &f);
        assert_string_equal(writes, r->writes);
        /* What is wrong says what to do. */
        if (f.state == WARN || f.state == BAD)
            assert_true(f.write_count > 0 || f.fix[0]);
    }
}

static void
test_each_check_is_judged_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < gvs_doctor_count(); i++) {
        bool right = false, wrong = false;

        for (size_t j = 0; j < sizeof rows / sizeof *rows; j++) {
            if (strcmp(rows[j].check, gvs_doctor_name(i)) != 0)
                continue;
            right |= rows[j].state == OK;
            wrong |= rows[j].state == WARN || rows[j].state == BAD;
        }
        if (strcmp(gvs_doctor_name(i), "mtu") != 0) /* it has a table of its own */
            assert_true(right && wrong);
    }
}

/* I2, I3: whatever is wrong at once. */
static void
put(struct gvs_doctor_seen *s, const struct gvs_doctor_write *w)
{
    char path[64];

    assert_null(strstr(w->path, "/all/"));
    assert_null(strstr(w->path, "/default/"));
    for (enum gvs_doctor_sysctl i = 0; i < GVS_DOCTOR_SYSCTL_COUNT; i++)
        if (strcmp(gvs_doctor_path(i), w->path) == 0) {
            s->sysctl[i] = atoi(w->value);
            return;
        }
    for (size_t i = 0; i < s->link_count; i++) {
        const char *names[] = {"arp_ignore", "arp_announce", "rp_filter"};
        int32_t *values[] = {&s->links[i].arp_ignore, &s->links[i].arp_announce,
                             &s->links[i].rp_filter};

        for (size_t n = 0; n < 3; n++) {
            snprintf(path, sizeof path, CONF "%s/%s", s->links[i].name, names[n]);
            if (strcmp(path, w->path) == 0) {
                *values[n] = atoi(w->value);
                return;
            }
        }
    }
    assert_string_equal(w->path, "net/ipv4/ip_local_reserved_ports");
    strcpy(s->reserved, w->value);
}

static void
test_what_was_set_is_right(void **state)
{
    static struct gvs_doctor_finding f;
    static struct gvs_doctor_seen s;
    struct gvs_doctor_use u;

    (void)state;
    for (unsigned all = 0; all < 3; all++) {
        set_up(&u, &s, UDP | PERSISTENT | RULES | MANY | MEMBERS | ASKED | UNPACKS | IN_RANGE);
        s.sysctl[GVS_DOCTOR_EXPIRE_NODEST_CONN] = s.sysctl[GVS_DOCTOR_CONN_REUSE_MODE] = 0;
        s.sysctl[GVS_DOCTOR_IP_FORWARD] = 0;
        s.sysctl[GVS_DOCTOR_ARP_IGNORE] = s.sysctl[GVS_DOCTOR_ARP_ANNOUNCE] = (int32_t)all;
        s.sysctl[GVS_DOCTOR_RP_FILTER] = (int32_t)all;
        s.links[1].asked = true;
        for (size_t i = 0; i < gvs_doctor_count(); i++) {
            if (!gvs_doctor_sets(i))
                continue;
            gvs_doctor_judge(i, &u, &s, &f);
            for (size_t n = 0; n < f.write_count; n++)
                put(&s, &f.writes[n]);
            gvs_doctor_judge(i, &u, &s, &f);
            print_message("%s\n", f.name);
            assert_int_equal(f.state, OK);
            assert_int_equal(f.write_count, 0);
            assert_string_equal(f.fix, "");
        }
    }
}

static void
test_the_path_of_a_tunnel_has_room_for_what_is_around(void **state)
{
    static const struct {
        const char *why, *addr;
        uint8_t kind;
        uint32_t mtu;
        enum gvs_doctor_state state;
        const char *found, *wanted;
    } paths[] = {
        {"ipip fits", "10.77.0.9", GVS_TUNNEL_IPIP, 1520, OK, "1520 to 10.77.0.9", "1520"},
        {"ipip does not", "10.77.0.9", GVS_TUNNEL_IPIP, 1519, WARN, "1519 to 10.77.0.9", "1520"},
        {"gre takes 4 more", "10.77.0.9", GVS_TUNNEL_GRE, 1523, WARN, NULL, "1524"},
        {"gre fits", "10.77.0.9", GVS_TUNNEL_GRE, 1524, OK, NULL, "1524"},
        {"gue takes 12 more", "10.77.0.9", GVS_TUNNEL_GUE, 1531, WARN, NULL, "1532"},
        {"gue fits", "10.77.0.9", GVS_TUNNEL_GUE, 1532, OK, NULL, "1532"},
        {"in IPv6 20 more", "fd00::9", GVS_TUNNEL_IPIP, 1539, WARN, NULL, "1540"},
        {"which fits", "fd00::9", GVS_TUNNEL_IPIP, 1540, OK, NULL, "1540"},
        {"no way", "10.77.0.9", GVS_TUNNEL_IPIP, 0, BAD, "no route to 10.77.0.9", "1520"},
    };
    static struct gvs_doctor_finding f;
    static struct gvs_doctor_seen s;
    struct gvs_doctor_use u;

    (void)state;
    set_up(&u, &s, 0);
    gvs_doctor_judge(index_of("mtu"), &u, &s, &f);
    assert_int_equal(f.state, UNNEEDED);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        print_message("%s\n", paths[i].why);
        u.tunnel_count = 1;
        assert_int_equal(
            gvs_addr_parse(&u.tunnels[0].addr, paths[i].addr, strlen(paths[i].addr), NULL), GVS_OK);
        u.tunnels[0].kind = paths[i].kind;
        s.mtu[0] = paths[i].mtu;
        gvs_doctor_judge(index_of("mtu"), &u, &s, &f);
        assert_int_equal(f.state, paths[i].state);
        assert_string_equal(f.wanted, paths[i].wanted);
        if (paths[i].found)
            assert_string_equal(f.found, paths[i].found);
        assert_int_equal(f.state == OK, f.fix[0] == 0);
    }
    /* The worst of several speaks, with what it wants. */
    u.tunnel_count = 3;
    u.tunnels[1] = u.tunnels[2] = u.tunnels[0];
    u.tunnels[1].kind = GVS_TUNNEL_GUE;
    s.mtu[0] = s.mtu[2] = 9000;
    s.mtu[1] = 1500;
    gvs_doctor_judge(index_of("mtu"), &u, &s, &f);
    assert_int_equal(f.state, WARN);
    assert_string_equal(f.found, "1500 to 10.77.0.9");
    assert_string_equal(f.wanted, "1532");
}

/* A preflight: of an empty table the first VIP's needs are asked for. */
static void
test_an_empty_table_is_judged_as_for_the_first_vip(void **state)
{
    static struct gvs_doctor_finding f;
    static struct gvs_doctor_seen s;
    struct gvs_doctor_use u, full;

    (void)state;
    set_up(&full, &s, NO_NAT4);
    u = full;
    assert_false(gvs_doctor_assume(&u));
    assert_memory_equal(&u, &full, sizeof u);
    memset(&u, 0, sizeof u);
    assert_true(gvs_doctor_assume(&u));
    s.sysctl[GVS_DOCTOR_IP_FORWARD] = 0;
    gvs_doctor_judge(index_of("ip_forward"), &u, &s, &f);
    assert_int_equal(f.state, BAD);
    gvs_doctor_judge(index_of("schedulers"), &u, &s, &f);
    assert_string_equal(f.found, "loaded: wlc");
    s.schedulers[0] = GVS_DOCTOR_MODULE_UNKNOWN;
    gvs_doctor_judge(index_of("schedulers"), &u, &s, &f);
    assert_string_equal(f.found, "in use, without a list of modules to look them up in: wlc");
    assert_int_equal(f.state, OK);
    s.tcp_s = 900;
    gvs_doctor_judge(index_of("timeouts"), &u, &s, &f);
    assert_int_equal(f.state, WARN);
}

/* Seconds that put both right, and leave alone what is. */
static void
test_timeouts_are_wanted_as_they_are_set(void **state)
{
    static const struct {
        unsigned is;
        const char *wanted, *fix;
    } cases[] = {
        {UDP | TCP_900, "tcp over 7200, udp 120 or more", "ipvsadm --set 7440 0 0 ("},
        {UDP | UDP_SHORT, "tcp over 7200, udp 120 or more", "ipvsadm --set 0 0 120 ("},
        {UDP | UDP_SHORT | TCP_900, "tcp over 7200, udp 120 or more", "ipvsadm --set 7440 0 120 ("},
        {NO_TCP | UDP | UDP_SHORT, "udp 120 or more", "ipvsadm --set 0 0 120 ("},
        {TCP_900, "tcp over 7200", "ipvsadm --set 7440 0 0 ("},
    };
    static struct gvs_doctor_finding f;
    static struct gvs_doctor_seen s;
    struct gvs_doctor_use u;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        set_up(&u, &s, cases[i].is);
        gvs_doctor_judge(index_of("timeouts"), &u, &s, &f);
        assert_string_equal(f.wanted, cases[i].wanted);
        assert_memory_equal(f.fix, cases[i].fix, strlen(cases[i].fix));
    }
}

/* As many links as there may be, under the longest names. */
static void
test_the_bounds_hold(void **state)
{
    static struct gvs_doctor_finding f;
    static struct gvs_doctor_seen s;
    struct gvs_doctor_use u;

    (void)state;
    set_up(&u, &s, MEMBERS | IN_RANGE);
    s.link_count = GVS_DOCTOR_LINKS_MAX;
    for (size_t i = 0; i < s.link_count; i++) {
        s.links[i] = (struct gvs_doctor_link){.asked = true};
        snprintf(s.links[i].name, sizeof s.links[i].name, "interface%06u", (unsigned)i % 1000000);
    }
    gvs_doctor_judge(index_of("arp"), &u, &s, &f);
    assert_int_equal(f.write_count, 2 * GVS_DOCTOR_LINKS_MAX);
    assert_int_equal(strlen(f.found), sizeof f.found - 1);
    assert_string_equal(f.found + sizeof f.found - 4, "...");
    u.server_count = GVS_DOCTOR_SERVERS_MAX;
    gvs_doctor_judge(index_of("masquerade"), &u, &s, &f);
    assert_string_equal(f.found, "servers in this node's networks (64 looked at)");
    memset(s.reserved, '7', sizeof s.reserved - 1);
    gvs_doctor_judge(index_of("local_ports"), &u, &s, &f);
    assert_int_equal(f.write_count, 1);
    assert_int_equal(strlen(f.writes[0].value), sizeof s.reserved - 1 + strlen(",7900"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_verdict),
        cmocka_unit_test(test_each_check_is_judged_both_ways),
        cmocka_unit_test(test_what_was_set_is_right),
        cmocka_unit_test(test_the_path_of_a_tunnel_has_room_for_what_is_around),
        cmocka_unit_test(test_an_empty_table_is_judged_as_for_the_first_vip),
        cmocka_unit_test(test_timeouts_are_wanted_as_they_are_set),
        cmocka_unit_test(test_the_bounds_hold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
