#include "ipvs/nl_codec.h"

#include <arpa/inet.h>
#include <limits.h>
#include <linux/ip_vs.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <string.h>

/* The kernel keeps a timeout in ticks, in 32 bits, and in silence: what does not fit it shows as
 * another one, and that would be drift for ever. No kernel has more than 1,000 ticks a second. */
_Static_assert(GVS_PERSISTENT_MAX <= UINT32_MAX / 1000, "a timeout comes back as it was set");

/* Requests. A put can only fail for want of room in `m`, which GVS_NL_REQUEST_LEN_MAX rules out:
 * the results are collected and asserted once, in put_request. */

static uint16_t
af_of(uint8_t family)
{
    GVS_ASSERT(family == GVS_FAMILY_V4 || family == GVS_FAMILY_V6);
    return family == GVS_FAMILY_V4 ? AF_INET : AF_INET6;
}

/* IPv4: the mask itself, big-endian. IPv6: the prefix length, in host order. */
static uint32_t
netmask_of(uint8_t family, uint8_t bits)
{
    GVS_ASSERT(bits >= 1 && bits <= (family == GVS_FAMILY_V4 ? 32 : 128));
    return family == GVS_FAMILY_V4 ? htonl(UINT32_MAX << (32 - bits)) : bits;
}

static int
put_service_identity(struct nl_msg *m, const struct gvs_svcid *svc)
{
    int bad = nla_put_u16(m, IPVS_SVC_ATTR_AF, af_of(svc->addr.family));

    if (svc->proto == GVS_PROTO_FWMARK)
        return bad | nla_put_u32(m, IPVS_SVC_ATTR_FWMARK, svc->fwmark);
    bad |= nla_put_u16(m, IPVS_SVC_ATTR_PROTOCOL, svc->proto);
    bad |= nla_put(m, IPVS_SVC_ATTR_ADDR, sizeof svc->addr.b, svc->addr.b);
    return bad | nla_put_u16(m, IPVS_SVC_ATTR_PORT, htons(svc->port));
}

static int
put_service_fields(struct nl_msg *m, const struct gvs_item *item)
{
    const struct gvs_item_service *s = &item->service;
    struct ip_vs_flags flags = {.flags = s->flags, .mask = UINT32_MAX};
    int bad = 0;

    GVS_ASSERT((s->flags & ~GVS_FLAGS_ALL) == 0);
    if (s->persistent)
        flags.flags |= IP_VS_SVC_F_PERSISTENT;
    bad |= nla_put_string(m, IPVS_SVC_ATTR_SCHED_NAME, s->sched);
    bad |= nla_put(m, IPVS_SVC_ATTR_FLAGS, sizeof flags, &flags);
    bad |= nla_put_u32(m, IPVS_SVC_ATTR_TIMEOUT, s->persistent);
    return bad |
           nla_put_u32(m, IPVS_SVC_ATTR_NETMASK, netmask_of(item->svc.addr.family, s->netmask));
}

static int
put_service(struct nl_msg *m, const struct gvs_item *item, bool fields)
{
    struct nlattr *nest = nla_nest_start(m, IPVS_CMD_ATTR_SERVICE | NLA_F_NESTED);
    int bad;

    if (!nest)
        return -1;
    bad = put_service_identity(m, &item->svc);
    if (fields)
        bad |= put_service_fields(m, item);
    nla_nest_end(m, nest);
    return bad;
}

static int
put_dest_fields(struct nl_msg *m, const struct gvs_item_dest *d)
{
    int bad = nla_put_u32(m, IPVS_DEST_ATTR_FWD_METHOD, d->forward);

    bad |= nla_put_u32(m, IPVS_DEST_ATTR_WEIGHT, d->weight);
    bad |= nla_put_u32(m, IPVS_DEST_ATTR_U_THRESH, d->upper);
    bad |= nla_put_u32(m, IPVS_DEST_ATTR_L_THRESH, d->lower);
    if (d->forward != GVS_FORWARD_TUN)
        return bad;
    bad |= nla_put_u8(m, IPVS_DEST_ATTR_TUN_TYPE, d->tunnel);
    return bad | nla_put_u16(m, IPVS_DEST_ATTR_TUN_PORT, htons(d->tunnel_port));
}

static int
put_dest(struct nl_msg *m, const struct gvs_item *item, bool fields)
{
    struct nlattr *nest = nla_nest_start(m, IPVS_CMD_ATTR_DEST | NLA_F_NESTED);
    int bad;

    if (!nest)
        return -1;
    bad = nla_put(m, IPVS_DEST_ATTR_ADDR, sizeof item->ep.addr.b, item->ep.addr.b);
    bad |= nla_put_u16(m, IPVS_DEST_ATTR_PORT, htons(item->ep.port));
    bad |= nla_put_u16(m, IPVS_DEST_ATTR_ADDR_FAMILY, af_of(item->ep.addr.family));
    if (fields)
        bad |= put_dest_fields(m, &item->dest);
    nla_nest_end(m, nest);
    return bad;
}

static uint8_t
command_of(uint8_t kind)
{
    switch (kind) {
    case GVS_OP_SERVICE_ADD:
    case GVS_OP_ANCHOR_ADD:
        return IPVS_CMD_NEW_SERVICE;
    case GVS_OP_SERVICE_EDIT:
        return IPVS_CMD_SET_SERVICE;
    case GVS_OP_SERVICE_DEL:
    case GVS_OP_ANCHOR_DEL:
        return IPVS_CMD_DEL_SERVICE;
    case GVS_OP_DEST_ADD:
        return IPVS_CMD_NEW_DEST;
    case GVS_OP_DEST_EDIT:
        return IPVS_CMD_SET_DEST;
    case GVS_OP_DEST_DEL:
        return IPVS_CMD_DEL_DEST;
    }
    return IPVS_CMD_UNSPEC;
}

/* An empty message of ours; nl_msg has no call to be used again. */
static void
begin(struct nl_msg *m, uint16_t family, uint32_t seq, int flags, uint8_t command)
{
    nlmsg_hdr(m)->nlmsg_len = NLMSG_HDRLEN;
    GVS_ASSERT(
        genlmsg_put(m, 0, seq, family, 0, NLM_F_REQUEST | flags, command, IPVS_GENL_VERSION));
}

static void
put_request(struct nl_msg *m, const struct gvs_op *op, uint16_t family, uint32_t seq, int flags)
{
    uint8_t command = command_of(op->kind);
    bool anchor = op->kind == GVS_OP_ANCHOR_ADD || op->kind == GVS_OP_ANCHOR_DEL;
    struct gvs_item item = anchor ? gvs_anchor(op->item.svc.addr.family) : op->item;
    int bad;

    GVS_ASSERT(command != IPVS_CMD_UNSPEC); /* addresses are ipvs/link.c's */
    begin(m, family, seq, flags, command);
    bad = put_service(m, &item, command == IPVS_CMD_NEW_SERVICE || command == IPVS_CMD_SET_SERVICE);
    if (op->kind == GVS_OP_DEST_ADD || op->kind == GVS_OP_DEST_EDIT || op->kind == GVS_OP_DEST_DEL)
        bad |= put_dest(m, &item, op->kind != GVS_OP_DEST_DEL);
    GVS_ASSERT(!bad);
}

/* libnl sends one message at a time, so each is built in an nl_msg and copied behind the others. */
size_t
gvs_nl_encode(uint8_t *out, const struct gvs_op *ops, size_t count, uint16_t family, uint32_t seq)
{
    struct nl_msg *m = nlmsg_alloc_size(GVS_NL_REQUEST_LEN_MAX);
    size_t len = 0;

    if (!m)
        return 0;
    for (size_t i = 0; i < count; i++) {
        const struct nlmsghdr *h = nlmsg_hdr(m);

        put_request(m, &ops[i], family, seq + (uint32_t)i, i == count - 1 ? NLM_F_ACK : 0);
        memcpy(out + len, h, h->nlmsg_len);
        len += NLMSG_ALIGN(h->nlmsg_len);
    }
    nlmsg_free(m);
    return len;
}

static size_t
encode_query(uint8_t *out, uint8_t command, int flags, const struct gvs_svcid *svc, uint16_t family,
             uint32_t seq)
{
    struct nl_msg *m = nlmsg_alloc_size(GVS_NL_REQUEST_LEN_MAX);
    struct gvs_item item = {0};
    size_t len;

    if (!m)
        return 0;
    begin(m, family, seq, flags, command);
    if (svc) {
        int bad;

        item.svc = *svc;
        bad = put_service(m, &item, false);
        GVS_ASSERT(!bad);
    }
    len = nlmsg_hdr(m)->nlmsg_len;
    memcpy(out, nlmsg_hdr(m), len);
    nlmsg_free(m);
    return len;
}

size_t
gvs_nl_encode_dump(uint8_t *out, const struct gvs_svcid *svc, uint16_t family, uint32_t seq)
{
    return encode_query(out, svc ? IPVS_CMD_GET_DEST : IPVS_CMD_GET_SERVICE, NLM_F_DUMP, svc,
                        family, seq);
}

size_t
gvs_nl_encode_info(uint8_t *out, uint16_t family, uint32_t seq)
{
    return encode_query(out, IPVS_CMD_GET_INFO, 0, NULL, family, seq);
}

size_t
gvs_nl_encode_config(uint8_t *out, uint16_t family, uint32_t seq)
{
    return encode_query(out, IPVS_CMD_GET_CONFIG, 0, NULL, family, seq);
}

/* Answers. */

static const struct nla_policy info_policy[IPVS_INFO_ATTR_MAX + 1] = {
    [IPVS_INFO_ATTR_VERSION] = {.type = NLA_U32},
};

static const struct nla_policy command_policy[IPVS_CMD_ATTR_MAX + 1] = {
    [IPVS_CMD_ATTR_SERVICE] = {.type = NLA_NESTED},
    [IPVS_CMD_ATTR_DEST] = {.type = NLA_NESTED},
    [IPVS_CMD_ATTR_TIMEOUT_TCP] = {.type = NLA_U32},
    [IPVS_CMD_ATTR_TIMEOUT_TCP_FIN] = {.type = NLA_U32},
    [IPVS_CMD_ATTR_TIMEOUT_UDP] = {.type = NLA_U32},
};

static const struct nla_policy service_policy[IPVS_SVC_ATTR_MAX + 1] = {
    [IPVS_SVC_ATTR_AF] = {.type = NLA_U16},
    [IPVS_SVC_ATTR_PROTOCOL] = {.type = NLA_U16},
    [IPVS_SVC_ATTR_ADDR] = {.minlen = 4},
    [IPVS_SVC_ATTR_PORT] = {.type = NLA_U16},
    [IPVS_SVC_ATTR_FWMARK] = {.type = NLA_U32},
    [IPVS_SVC_ATTR_SCHED_NAME] = {.type = NLA_STRING, .maxlen = IP_VS_SCHEDNAME_MAXLEN},
    [IPVS_SVC_ATTR_FLAGS] = {.minlen = sizeof(struct ip_vs_flags)},
    [IPVS_SVC_ATTR_TIMEOUT] = {.type = NLA_U32},
    [IPVS_SVC_ATTR_NETMASK] = {.type = NLA_U32},
    [IPVS_SVC_ATTR_STATS] = {.type = NLA_NESTED},
    [IPVS_SVC_ATTR_STATS64] = {.type = NLA_NESTED},
};

static const struct nla_policy dest_policy[IPVS_DEST_ATTR_MAX + 1] = {
    [IPVS_DEST_ATTR_ADDR] = {.minlen = 4},
    [IPVS_DEST_ATTR_PORT] = {.type = NLA_U16},
    [IPVS_DEST_ATTR_FWD_METHOD] = {.type = NLA_U32},
    [IPVS_DEST_ATTR_WEIGHT] = {.type = NLA_U32},
    [IPVS_DEST_ATTR_U_THRESH] = {.type = NLA_U32},
    [IPVS_DEST_ATTR_L_THRESH] = {.type = NLA_U32},
    [IPVS_DEST_ATTR_ACTIVE_CONNS] = {.type = NLA_U32},
    [IPVS_DEST_ATTR_INACT_CONNS] = {.type = NLA_U32},
    [IPVS_DEST_ATTR_STATS] = {.type = NLA_NESTED},
    [IPVS_DEST_ATTR_ADDR_FAMILY] = {.type = NLA_U16},
    [IPVS_DEST_ATTR_STATS64] = {.type = NLA_NESTED},
    [IPVS_DEST_ATTR_TUN_TYPE] = {.type = NLA_U8},
    [IPVS_DEST_ATTR_TUN_PORT] = {.type = NLA_U16},
    [IPVS_DEST_ATTR_TUN_FLAGS] = {.type = NLA_U16},
};

static const struct nla_policy stats_policy[IPVS_STATS_ATTR_MAX + 1] = {
    [IPVS_STATS_ATTR_CONNS] = {.type = NLA_U32}, [IPVS_STATS_ATTR_CPS] = {.type = NLA_U32},
    [IPVS_STATS_ATTR_INPPS] = {.type = NLA_U32}, [IPVS_STATS_ATTR_OUTPPS] = {.type = NLA_U32},
    [IPVS_STATS_ATTR_INBPS] = {.type = NLA_U32}, [IPVS_STATS_ATTR_OUTBPS] = {.type = NLA_U32},
};

static const struct nla_policy stats64_policy[IPVS_STATS_ATTR_MAX + 1] = {
    [IPVS_STATS_ATTR_CONNS] = {.type = NLA_U64}, [IPVS_STATS_ATTR_CPS] = {.type = NLA_U64},
    [IPVS_STATS_ATTR_INPPS] = {.type = NLA_U64}, [IPVS_STATS_ATTR_OUTPPS] = {.type = NLA_U64},
    [IPVS_STATS_ATTR_INBPS] = {.type = NLA_U64}, [IPVS_STATS_ATTR_OUTBPS] = {.type = NLA_U64},
};

/* IPv4 comes in 16 bytes, in 4 from kernels that send no more than it takes. */
static bool
get_addr(struct gvs_addr *out, uint16_t af, struct nlattr *a)
{
    size_t len = af == AF_INET ? 4 : 16;

    if (af != AF_INET && af != AF_INET6)
        return false;
    out->family = af == AF_INET ? GVS_FAMILY_V4 : GVS_FAMILY_V6;
    if (!a || (size_t)nla_len(a) < len)
        return false;
    memcpy(out->b, nla_data(a), len);
    return true;
}

static void
get_count(uint64_t *out, struct nlattr *a, bool wide)
{
    if (a)
        *out = wide ? nla_get_u64(a) : nla_get_u32(a);
}

/* The 64-bit counters if the kernel has them (4.1), else those that wrap. */
static bool
get_stats(struct gvs_nl_found *f, struct nlattr *stats64, struct nlattr *stats)
{
    struct nlattr *tb[IPVS_STATS_ATTR_MAX + 1];
    const struct nla_policy *policy = stats64 ? stats64_policy : stats_policy;

    if (!stats64 && !stats)
        return true;
    if (nla_parse_nested(tb, IPVS_STATS_ATTR_MAX, stats64 ? stats64 : stats, policy) < 0)
        return false;
    get_count(&f->conns, tb[IPVS_STATS_ATTR_CONNS], stats64);
    if (f->item.kind != GVS_ITEM_SERVICE)
        return true;
    get_count(&f->rates.conns, tb[IPVS_STATS_ATTR_CPS], stats64);
    get_count(&f->rates.in_packets, tb[IPVS_STATS_ATTR_INPPS], stats64);
    get_count(&f->rates.out_packets, tb[IPVS_STATS_ATTR_OUTPPS], stats64);
    get_count(&f->rates.in_bytes, tb[IPVS_STATS_ATTR_INBPS], stats64);
    get_count(&f->rates.out_bytes, tb[IPVS_STATS_ATTR_OUTBPS], stats64);
    return true;
}

static bool
get_service_identity(struct gvs_nl_found *f, struct nlattr **tb)
{
    struct gvs_svcid *svc = &f->item.svc;
    uint16_t af, proto;

    if (!tb[IPVS_SVC_ATTR_AF])
        return false;
    af = nla_get_u16(tb[IPVS_SVC_ATTR_AF]);
    if (tb[IPVS_SVC_ATTR_FWMARK]) {
        svc->fwmark = nla_get_u32(tb[IPVS_SVC_ATTR_FWMARK]);
        svc->addr.family = af == AF_INET ? GVS_FAMILY_V4 : GVS_FAMILY_V6;
        return af == AF_INET || af == AF_INET6;
    }
    if (!tb[IPVS_SVC_ATTR_PROTOCOL] || !tb[IPVS_SVC_ATTR_PORT])
        return false;
    proto = nla_get_u16(tb[IPVS_SVC_ATTR_PROTOCOL]);
    svc->proto = proto > UINT8_MAX ? UINT8_MAX : (uint8_t)proto;
    f->odd |= proto != GVS_PROTO_TCP && proto != GVS_PROTO_UDP && proto != GVS_PROTO_SCTP;
    svc->port = ntohs(nla_get_u16(tb[IPVS_SVC_ATTR_PORT]));
    return get_addr(&svc->addr, af, tb[IPVS_SVC_ATTR_ADDR]);
}

static void
get_netmask(struct gvs_nl_found *f, uint32_t netmask)
{
    uint8_t bits;

    if (f->item.svc.addr.family == GVS_FAMILY_V6) {
        bits = netmask > 128 ? 0 : (uint8_t)netmask;
    } else {
        netmask = ntohl(netmask);
        bits = (uint8_t)__builtin_popcount(netmask);
        if (bits > 0 && netmask != UINT32_MAX << (32 - bits))
            bits = 0;
    }
    f->item.service.netmask = bits;
    f->odd |= bits == 0;
}

static bool
get_service_fields(struct gvs_nl_found *f, struct nlattr **tb)
{
    struct gvs_item_service *s = &f->item.service;
    struct ip_vs_flags flags;

    if (!tb[IPVS_SVC_ATTR_SCHED_NAME] || !tb[IPVS_SVC_ATTR_FLAGS] || !tb[IPVS_SVC_ATTR_TIMEOUT] ||
        !tb[IPVS_SVC_ATTR_NETMASK])
        return false;
    nla_strlcpy(s->sched, tb[IPVS_SVC_ATTR_SCHED_NAME], sizeof s->sched);
    memcpy(&flags, nla_data(tb[IPVS_SVC_ATTR_FLAGS]), sizeof flags);
    flags.flags &= ~(uint32_t)IP_VS_SVC_F_HASHED; /* the kernel's own, always there */
    s->flags = flags.flags & GVS_FLAGS_ALL;
    if (flags.flags & IP_VS_SVC_F_PERSISTENT) {
        s->persistent = nla_get_u32(tb[IPVS_SVC_ATTR_TIMEOUT]);
        f->odd |= s->persistent == 0;
    }
    f->odd |= (flags.flags & ~(GVS_FLAGS_ALL | IP_VS_SVC_F_PERSISTENT)) != 0;
    f->odd |= tb[IPVS_SVC_ATTR_PE_NAME] != NULL;
    get_netmask(f, nla_get_u32(tb[IPVS_SVC_ATTR_NETMASK]));
    return true;
}

static bool
get_service(struct gvs_nl_found *f, struct nlattr *nest)
{
    struct nlattr *tb[IPVS_SVC_ATTR_MAX + 1];

    *f = (struct gvs_nl_found){.item.kind = GVS_ITEM_SERVICE};
    if (!nest || nla_parse_nested(tb, IPVS_SVC_ATTR_MAX, nest, service_policy) < 0)
        return false;
    return get_service_identity(f, tb) && get_service_fields(f, tb) &&
           get_stats(f, tb[IPVS_SVC_ATTR_STATS64], tb[IPVS_SVC_ATTR_STATS]);
}

static uint32_t
get_u32(struct nlattr *a)
{
    return a ? nla_get_u32(a) : 0;
}

static bool
get_dest_identity(struct gvs_nl_found *f, struct nlattr **tb)
{
    uint16_t af = af_of(f->item.svc.addr.family);

    if (!tb[IPVS_DEST_ATTR_PORT])
        return false;
    /* Absent, or 0, before 3.18. */
    if (tb[IPVS_DEST_ATTR_ADDR_FAMILY] && nla_get_u16(tb[IPVS_DEST_ATTR_ADDR_FAMILY]))
        af = nla_get_u16(tb[IPVS_DEST_ATTR_ADDR_FAMILY]);
    f->item.ep.port = ntohs(nla_get_u16(tb[IPVS_DEST_ATTR_PORT]));
    return get_addr(&f->item.ep.addr, af, tb[IPVS_DEST_ATTR_ADDR]);
}

static bool
get_dest_fields(struct gvs_nl_found *f, struct nlattr **tb)
{
    struct gvs_item_dest *d = &f->item.dest;
    uint32_t forward;

    if (!tb[IPVS_DEST_ATTR_FWD_METHOD] || !tb[IPVS_DEST_ATTR_WEIGHT])
        return false;
    forward = nla_get_u32(tb[IPVS_DEST_ATTR_FWD_METHOD]) & IP_VS_CONN_F_FWD_MASK;
    d->forward = (uint8_t)forward;
    f->odd |= forward != GVS_FORWARD_NAT && forward != GVS_FORWARD_TUN && forward != GVS_FORWARD_DR;
    d->weight = nla_get_u32(tb[IPVS_DEST_ATTR_WEIGHT]);
    d->upper = get_u32(tb[IPVS_DEST_ATTR_U_THRESH]);
    d->lower = get_u32(tb[IPVS_DEST_ATTR_L_THRESH]);
    if (tb[IPVS_DEST_ATTR_TUN_TYPE])
        d->tunnel = nla_get_u8(tb[IPVS_DEST_ATTR_TUN_TYPE]);
    if (tb[IPVS_DEST_ATTR_TUN_PORT])
        d->tunnel_port = ntohs(nla_get_u16(tb[IPVS_DEST_ATTR_TUN_PORT]));
    f->odd |= d->tunnel > GVS_TUNNEL_GRE;
    f->odd |= tb[IPVS_DEST_ATTR_TUN_FLAGS] && nla_get_u16(tb[IPVS_DEST_ATTR_TUN_FLAGS]);
    f->active = get_u32(tb[IPVS_DEST_ATTR_ACTIVE_CONNS]);
    f->inactive = get_u32(tb[IPVS_DEST_ATTR_INACT_CONNS]);
    return true;
}

static bool
get_dest(struct gvs_nl_found *f, const struct gvs_svcid *svc, struct nlattr *nest)
{
    struct nlattr *tb[IPVS_DEST_ATTR_MAX + 1];

    *f = (struct gvs_nl_found){.item.kind = GVS_ITEM_DEST, .item.svc = *svc};
    if (!nest || nla_parse_nested(tb, IPVS_DEST_ATTR_MAX, nest, dest_policy) < 0)
        return false;
    return get_dest_identity(f, tb) && get_dest_fields(f, tb) &&
           get_stats(f, tb[IPVS_DEST_ATTR_STATS64], tb[IPVS_DEST_ATTR_STATS]);
}

/* The errno of an NLMSG_ERROR, 0 for an acknowledgement; negative if it is neither. */
static int
error_of(struct nlmsghdr *h)
{
    struct nlmsgerr *e = nlmsg_data(h);

    if (!nlmsg_valid_hdr(h, sizeof *e) || e->error == INT_MIN)
        return -1;
    return -e->error;
}

int
gvs_nl_answers(struct gvs_nl_answers *a, void *b, size_t len)
{
    struct nlmsghdr *h = b;
    int left = (int)len;

    for (; nlmsg_ok(h, left); h = nlmsg_next(h, &left)) {
        uint32_t i = h->nlmsg_seq - a->seq;
        int error;

        if (i >= a->count)
            continue; /* to an earlier batch, which fell silent */
        error = h->nlmsg_type == NLMSG_ERROR ? error_of(h) : -1;
        if (error < 0)
            return GVS_E_LOST;
        a->errors[i] = error;
        a->done |= i == a->count - 1;
    }
    return left > 0 ? GVS_E_LOST : GVS_OK;
}

static int
dump_end(struct gvs_nl_dump *d, struct nlmsghdr *h)
{
    int error = 0;

    if (h->nlmsg_type == NLMSG_ERROR) {
        error = error_of(h);
    } else if (nlmsg_datalen(h) >= (int)sizeof error) {
        memcpy(&error, nlmsg_data(h), sizeof error);
        error = error == INT_MIN ? -1 : -error;
    }
    if (error < 0)
        return GVS_E_LOST;
    d->error = error;
    d->done = true;
    return GVS_OK;
}

static int
dump_entry(struct gvs_nl_dump *d, struct nlmsghdr *h)
{
    struct nlattr *tb[IPVS_CMD_ATTR_MAX + 1];
    struct gvs_nl_found found;
    bool good;

    if (h->nlmsg_type != d->family ||
        genlmsg_parse(h, 0, tb, IPVS_CMD_ATTR_MAX, command_policy) < 0)
        return GVS_E_LOST;
    if (d->svc)
        good = get_dest(&found, d->svc, tb[IPVS_CMD_ATTR_DEST]);
    else
        good = get_service(&found, tb[IPVS_CMD_ATTR_SERVICE]);
    if (!good)
        return GVS_E_LOST;
    if (d->fn && !d->fn(d->ctx, &found))
        d->fn = NULL;
    return GVS_OK;
}

int
gvs_nl_dump(struct gvs_nl_dump *d, void *b, size_t len)
{
    struct nlmsghdr *h = b;
    int left = (int)len, rc;

    for (; nlmsg_ok(h, left); h = nlmsg_next(h, &left)) {
        if (h->nlmsg_seq != d->seq || d->done)
            continue;
        if (h->nlmsg_flags & NLM_F_DUMP_INTR)
            return GVS_E_LOST;
        if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
            rc = dump_end(d, h);
        else
            rc = dump_entry(d, h);
        if (rc < 0)
            return rc;
    }
    return left > 0 ? GVS_E_LOST : GVS_OK;
}

/* One answer, of at most `max` attributes: an errno that is not 0, or 0 and what there is in tb. */
static int
read_answer(struct nlattr **tb, int max, const struct nla_policy *policy, int *error, uint32_t seq,
            void *b, size_t len)
{
    struct nlmsghdr *h = b;

    *error = 0;
    if (!nlmsg_ok(h, (int)len) || h->nlmsg_seq != seq)
        return GVS_E_LOST;
    if (h->nlmsg_type == NLMSG_ERROR) {
        *error = error_of(h);
        return *error > 0 ? GVS_OK : GVS_E_LOST;
    }
    return genlmsg_parse(h, 0, tb, max, policy) < 0 ? GVS_E_LOST : GVS_OK;
}

int
gvs_nl_info(uint32_t *version, int *error, uint32_t seq, void *b, size_t len)
{
    struct nlattr *tb[IPVS_INFO_ATTR_MAX + 1];
    int rc = read_answer(tb, IPVS_INFO_ATTR_MAX, info_policy, error, seq, b, len);

    if (rc < 0 || *error > 0)
        return rc;
    if (!tb[IPVS_INFO_ATTR_VERSION])
        return GVS_E_LOST;
    *version = nla_get_u32(tb[IPVS_INFO_ATTR_VERSION]);
    return GVS_OK;
}

/* A protocol that was not built in is left out. */
static uint32_t
get_seconds(struct nlattr *a)
{
    return a ? nla_get_u32(a) : 0;
}

int
gvs_nl_config(struct gvs_timeouts *out, int *error, uint32_t seq, void *b, size_t len)
{
    struct nlattr *tb[IPVS_CMD_ATTR_MAX + 1];
    int rc = read_answer(tb, IPVS_CMD_ATTR_MAX, command_policy, error, seq, b, len);

    if (rc < 0 || *error > 0)
        return rc;
    out->tcp = get_seconds(tb[IPVS_CMD_ATTR_TIMEOUT_TCP]);
    out->tcpfin = get_seconds(tb[IPVS_CMD_ATTR_TIMEOUT_TCP_FIN]);
    out->udp = get_seconds(tb[IPVS_CMD_ATTR_TIMEOUT_UDP]);
    return GVS_OK;
}
