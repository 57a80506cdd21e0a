/* What status, vip list, watch and the error texts say alike. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tools/agent/agent.h"
#include "tools/words/words.h"

void
gvs_text_id_name(const struct gvs_agent *a, const struct gvs_id *id, char *text, size_t cap)
{
    struct gvs_keybuf kb;
    struct gvs_key key = {.kind = GVS_KEY_MEMBER, .owner = *id};
    struct gvs_member_value v;
    struct gvs_entry e;

    if (gvs_id_is_cluster(id)) {
        snprintf(text, cap, "cluster");
        return;
    }
    gvs_key_build(&kb, &key);
    if (gvs_table_get(gvs_node_members(a->node), kb.b, kb.len, &e) &&
        gvs_member_decode(&v, e.value, e.value_len) == GVS_OK) {
        snprintf(text, cap, "%s", v.name);
    } else {
        char id_text[GVS_ID_TEXT_LEN + 1];

        gvs_id_format(id_text, id);
        snprintf(text, cap, "%s", id_text);
    }
}

/* "10.77.0.9:7900 (lb9)", by who is known to live there: not proven. */
static void
put_address(const struct gvs_agent *a, char *text, size_t cap, const struct gvs_ep *ep)
{
    char ep_text[GVS_EP_TEXT_LEN];
    const char *name = NULL;

    gvs_ep_format(ep_text, ep);
    for (size_t i = 0; i < a->member_count; i++)
        if (gvs_ep_cmp(&a->members[i].value.ep, ep) == 0)
            name = a->members[i].value.name;
    snprintf(text, cap, "%s%s%s%s", ep_text, name ? " (" : "", name ? name : "", name ? ")" : "");
}

const char *
gvs_text_stranger(const struct gvs_agent *a, char *text, size_t cap, const struct gvs_stranger *s)
{
    char who[GVS_EP_TEXT_LEN + GVS_NAME_LEN_MAX + 4];

    put_address(a, who, sizeof who, &s->from);
    snprintf(text, cap,
             "%s uses key %016" PRIx64 ", which this node's keyring lacks (%" PRIu64
             " times so far)",
             who, s->key, s->count);
    return text;
}

const char *
gvs_text_denied(const struct gvs_agent *a, char *text, size_t cap, const struct gvs_stranger *s)
{
    char who[GVS_EP_TEXT_LEN + GVS_NAME_LEN_MAX + 4], id[GVS_ID_TEXT_LEN + 1];

    put_address(a, who, sizeof who, &s->from);
    gvs_id_format(id, &s->id);
    snprintf(text, cap, "node %s at %s is not admitted (%" PRIu64 " times so far)", id, who,
             s->count);
    return text;
}

void
gvs_text_hex64(char text[static 17], uint64_t v)
{
    snprintf(text, 17, "%016llx", (unsigned long long)v);
}

void
gvs_text_time(char text[static 32], uint64_t unix_ms)
{
    time_t t = (time_t)(unix_ms / 1000);
    struct tm tm;
    char day[24];

    gmtime_r(&t, &tm);
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text, 32, "%s.%03uZ", day, (unsigned)(unix_ms % 1000));
}

json_t *
gvs_text_item(const struct gvs_item *item)
{
    json_t *o;
    char mask[16], tunnel[GVS_WORDS_TUNNEL_LEN];

    if (item->kind == GVS_ITEM_SERVICE) {
        gvs_text_netmask(mask, &item->svc, item->service.netmask);
        return json_pack("{s:s, s:o, s:I, s:s}", "scheduler", item->service.sched, "flags",
                         gvs_text_flags(item->service.flags), "persistent_seconds",
                         (json_int_t)item->service.persistent, "netmask", mask);
    }
    o = json_pack("{s:I, s:s, s:I, s:I}", "weight", (json_int_t)item->dest.weight, "forward",
                  gvs_forward_name(item->dest.forward), "lower", (json_int_t)item->dest.lower,
                  "upper", (json_int_t)item->dest.upper);
    if (item->dest.forward == GVS_FORWARD_TUN) {
        gvs_words_tunnel(tunnel, item->dest.tunnel, item->dest.tunnel_port);
        json_object_set_new(o, "tunnel", json_string(tunnel));
    }
    return o;
}

/* What an entry says, in the words of before and after; null if this version cannot mean it. */
json_t *
gvs_text_claim(const struct gvs_key *key, const uint8_t *value, size_t len)
{
    struct gvs_service s;
    struct gvs_backend b;
    struct gvs_override o;
    struct gvs_item item = gvs_item_make_service(&key->svc);
    json_t *doc;

    if (key->kind == GVS_KEY_SERVICE && gvs_service_decode(&s, value, len) == GVS_OK) {
        memcpy(item.service.sched, s.sched, strlen(s.sched));
        item.service.flags = s.flags;
        item.service.persistent = s.persistent;
        item.service.netmask = s.netmask;
        doc = gvs_text_item(&item);
        json_object_set_new(doc, "name", json_string(s.name));
        return doc;
    }
    if (key->kind == GVS_KEY_BACKEND && gvs_backend_decode(&b, value, len) == GVS_OK) {
        item = gvs_item_make_dest(&key->svc, &key->ep);
        item.dest.weight = b.weight;
        item.dest.forward = b.forward;
        item.dest.lower = b.lower;
        item.dest.upper = b.upper;
        item.dest.tunnel = b.tunnel;
        item.dest.tunnel_port = b.tunnel_port;
        return gvs_text_item(&item);
    }
    if (key->kind == GVS_KEY_OVERRIDE && gvs_override_decode(&o, value, len) == GVS_OK)
        return json_pack("{s:b, s:o}", "drain", (int)o.drain, "weight",
                         o.has_weight ? json_integer(o.weight) : json_null());
    return json_null();
}

static void
allowed_text(const struct gvs_agent *a, char *text, size_t cap)
{
    size_t at = 0;

    text[0] = 0;
    for (size_t i = 0; i < a->cfg.allow_count && at + GVS_PREFIX_TEXT_LEN + 3 < cap; i++) {
        char p[GVS_PREFIX_TEXT_LEN];

        gvs_prefix_format(p, &a->cfg.allow[i]);
        at += (size_t)snprintf(text + at, cap - at, "%s%s", i ? ", " : "", p);
    }
}

const char *
gvs_text_withheld(const struct gvs_agent *a, char *text, size_t cap,
                  const struct gvs_view_service *v, const struct gvs_view_backend *b)
{
    enum gvs_withheld why = b ? b->withheld : v->withheld;
    char vip[GVS_SVCID_TEXT_LEN], ep[GVS_EP_TEXT_LEN] = "", allow[256];
    const struct gvs_node_member *member;
    const struct gvs_netns *host;
    const char *interface;

    gvs_svcid_format(vip, &v->id);
    if (b)
        gvs_ep_format(ep, &b->ep);
    switch (why) {
    case GVS_SHOWN:
        return "";
    case GVS_WITHHELD_UNREADABLE:
        snprintf(text, cap, "%s '%s' says something that version %s cannot mean",
                 b ? "backend" : "vip", b ? ep : vip, GVS_VERSION);
        break;
    case GVS_WITHHELD_NOT_ALLOWED:
        allowed_text(a, allow, sizeof allow);
        snprintf(text, cap, "vip '%s' is outside vip-allow on %s (%s)", vip, a->cfg.name, allow);
        break;
    case GVS_WITHHELD_OWN_ADDRESS:
        host = gvs_netns_host(a);
        interface = host ? gvs_kernel_own_interface(host->kernel, &v->id.addr) : NULL;
        snprintf(text, cap, "vip '%s' is %s's own address (%s)", vip, a->cfg.name,
                 interface ? interface : "gone meanwhile");
        break;
    case GVS_WITHHELD_MEMBER_ADDRESS:
        member = gvs_owners_at(a, &v->id.addr);
        snprintf(text, cap, "vip '%s' is %s's own address", vip,
                 member ? member->value.name : "a member");
        break;
    case GVS_WITHHELD_FAMILY:
        snprintf(text, cap,
                 "backend '%s' is IPv%u but vip '%s' is IPv%u (only forward tun can mix)", ep,
                 b ? b->ep.addr.family : 0u, v->claimed ? v->claim.name : vip, v->id.addr.family);
        break;
    case GVS_WITHHELD_PORT_ZERO:
        if (b)
            snprintf(text, cap, "backend '%s' has port 0, but vip '%s' has not", ep,
                     v->claimed ? v->claim.name : vip);
        else
            snprintf(text, cap, "vip '%s' has port 0, which takes persistent", vip);
        break;
    case GVS_WITHHELD_FLAGS:
        snprintf(text, cap, "vip '%s': flags do not go with %s and scheduler %s", vip,
                 gvs_proto_name(v->id.proto), v->claim.sched);
        break;
    case GVS_WITHHELD_ADDRESS:
        snprintf(text, cap, "%s '%s' is no address that can be %s", b ? "backend" : "vip",
                 b ? ep : vip, b ? "a server's" : "a VIP");
        break;
    case GVS_WITHHELD_ORPHAN:
        snprintf(text, cap, "backend '%s' of vip '%s', which nobody claims", ep, vip);
        break;
    case GVS_WITHHELD_ANCHOR:
        snprintf(text, cap, "'%s' is the mark of gossipvs' own anchor", vip);
        break;
    }
    return text;
}
