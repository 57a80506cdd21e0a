/* ipvs/doctor.h: does this machine let IPVS do what the table asks of it? Facts in, findings out.
 *
 *     use    what the table has this node do     (the agent says)     +
 *     seen   what one network namespace is like  (tools/cli/doctor_look) +-> judge --> findings
 *
 * A judge without eyes or hands: he names each setting of the system that matters to IPVS, as it
 * is, as it should be, why, and what to write where. He reads nothing and writes nothing, so that
 * every verdict is a row of a table in test/ipvs/test_doctor.c. Where a number or a claim comes
 * from stands beside it in doctor.c.
 *
 *   I1  What nobody here uses is UNNEEDED, whatever was found.
 *   I2  Nothing below conf/all or conf/default is ever to be written: that reaches interfaces which
 *       have nothing to do with IPVS.
 *   I3  What was written is right from then on, and asks for nothing more to be written.
 */
#pragma once

#include "core/addr.h"
#include "core/value.h"

#define GVS_DOCTOR_SCHEDULERS_MAX 16 /* the kernel comes with 14 */
#define GVS_DOCTOR_TUNNELS_MAX 64    /* backends whose path is measured; nothing special about it */
#define GVS_DOCTOR_SERVERS_MAX 64    /* the same of those with forward nat */
#define GVS_DOCTOR_LINKS_MAX 32      /* interfaces that matter; nothing special about it */
#define GVS_DOCTOR_PORTS_LEN 112     /* of ip_local_reserved_ports as text, with its end */

/* Numbers in /proc/sys: what they are called here, and their place below it. */
#define GVS_DOCTOR_SYSCTLS(X)                                             \
    X(EXPIRE_NODEST_CONN, "net/ipv4/vs/expire_nodest_conn")               \
    X(EXPIRE_QUIESCENT_TEMPLATE, "net/ipv4/vs/expire_quiescent_template") \
    X(CONN_REUSE_MODE, "net/ipv4/vs/conn_reuse_mode")                     \
    X(CONNTRACK, "net/ipv4/vs/conntrack")                                 \
    X(RUN_ESTIMATION, "net/ipv4/vs/run_estimation")                       \
    X(IP_FORWARD, "net/ipv4/ip_forward")                                  \
    X(IPV6_FORWARDING, "net/ipv6/conf/all/forwarding")                    \
    X(ARP_IGNORE, "net/ipv4/conf/all/arp_ignore")                         \
    X(ARP_ANNOUNCE, "net/ipv4/conf/all/arp_announce")                     \
    X(RP_FILTER, "net/ipv4/conf/all/rp_filter")                           \
    X(TCP_KEEPALIVE_TIME, "net/ipv4/tcp_keepalive_time")

enum gvs_doctor_sysctl {
#define X(name, path) GVS_DOCTOR_##name,
    GVS_DOCTOR_SYSCTLS(X)
#undef X
        GVS_DOCTOR_SYSCTL_COUNT
};
const char *gvs_doctor_path(enum gvs_doctor_sysctl which);

struct gvs_doctor_use {
    size_t items; /* services and destinations */
    bool tcp, udp, persistent;
    bool nat4, nat6;     /* destinations with forward nat in a service of that family */
    size_t server_count; /* destinations with forward nat, each address once */
    struct gvs_addr servers[GVS_DOCTOR_SERVERS_MAX];
    size_t members; /* alive, this node included */
    uint16_t port;  /* of the agent */
    size_t scheduler_count;
    char schedulers[GVS_DOCTOR_SCHEDULERS_MAX][GVS_SCHED_LEN_MAX + 1];
    size_t tunnel_count; /* destinations with forward tun, each address and kind once */
    struct gvs_doctor_tunnel {
        struct gvs_addr addr;
        uint8_t kind; /* enum gvs_tunnel */
    } tunnels[GVS_DOCTOR_TUNNELS_MAX];
};

/* Of an empty table: what the first VIP will need if it is made by the defaults of `vip add`, so
 * that a node can be looked at before it serves anything. True if it was empty. */
bool gvs_doctor_assume(struct gvs_doctor_use *use);

enum gvs_doctor_module {
    GVS_DOCTOR_MODULE_UNKNOWN = 0, /* no list of modules could be read */
    GVS_DOCTOR_MODULE_LOADED,      /* or built in */
    GVS_DOCTOR_MODULE_THERE,       /* the kernel loads it when it is asked for */
    GVS_DOCTOR_MODULE_MISSING,
};

struct gvs_doctor_link { /* an interface that is up; neither lo nor the one that carries the VIPs */
    char name[16];
    bool asked;  /* an IPv4 VIP lies in a network of it, so that neighbours ask who has it */
    bool unpack; /* what comes out of a tunnel arrives on it */
    int32_t arp_ignore, arp_announce, rp_filter; /* its own, without conf/all */
};

struct gvs_doctor_seen {
    char release[65]; /* "6.1.0-28-amd64"; "": not known */
    uint32_t kernel;  /* of that, GVS_DOCTOR_KERNEL */
    bool ip_vs;       /* loaded */
    bool rules;       /* a rule of iptables with -m ipvs is in use, in whatever namespace */
    bool masquerade;  /* likewise one that masquerades */
    bool remote[GVS_DOCTOR_SERVERS_MAX]; /* each in use: in no network of an interface's */
    uint32_t tcp_s, tcpfin_s, udp_s;     /* struct gvs_timeouts; 0: not known */
    bool unpacks;                        /* an address of this namespace is among use->tunnels */
    enum gvs_doctor_module schedulers[GVS_DOCTOR_SCHEDULERS_MAX]; /* as in use */
    uint32_t mtu[GVS_DOCTOR_TUNNELS_MAX];    /* of the path to each in use; 0: there is no route */
    int32_t sysctl[GVS_DOCTOR_SYSCTL_COUNT]; /* -1: there is none of that name */
    uint16_t port_first, port_last;          /* ip_local_port_range; 0 0: not known */
    char reserved[GVS_DOCTOR_PORTS_LEN];     /* ip_local_reserved_ports: "8080,9148-9150" */
    bool reserved_more;                      /* that is not all of it */
    size_t link_count;
    struct gvs_doctor_link links[GVS_DOCTOR_LINKS_MAX];
};
#define GVS_DOCTOR_KERNEL(major, minor) ((uint32_t)(major)*1000 + (minor))

enum gvs_doctor_state {
    GVS_DOCTOR_OK = 0,
    GVS_DOCTOR_UNNEEDED,
    GVS_DOCTOR_WARN, /* it does harm in a case that cannot be seen from here, or slows down */
    GVS_DOCTOR_BAD,  /* connections are lost, or never come about */
};

/* What a finding speaks for. */
enum gvs_doctor_scope {
    GVS_DOCTOR_NAMESPACE = 0,
    GVS_DOCTOR_MACHINE, /* all namespaces have it in common */
    GVS_DOCTOR_AGENT,   /* the namespace where the agent has its own socket */
};

struct gvs_doctor_finding {
    const char *name;
    enum gvs_doctor_state state;
    enum gvs_doctor_scope scope;
    char found[200], wanted[48]; /* "" if there is nothing to say */
    const char *why;             /* it matters, or that it does not; static */
    char fix[160];               /* where a write does not help, needed or not: what does; or "" */
    size_t write_count;          /* what has it as wanted, needed or not */
    struct gvs_doctor_write {
        char path[64]; /* below /proc/sys */
        char value[GVS_DOCTOR_PORTS_LEN + 8];
    } writes[2 * GVS_DOCTOR_LINKS_MAX];
};

size_t gvs_doctor_count(void);
const char *gvs_doctor_name(size_t i);
bool gvs_doctor_sets(size_t i); /* is it of those that a write can make right? */

/* The finding of check `i` below gvs_doctor_count(). */
void gvs_doctor_judge(size_t i, const struct gvs_doctor_use *use,
                      const struct gvs_doctor_seen *seen, struct gvs_doctor_finding *out);
