/* export: the services of the table, a page at a time, in key order.
 *
 * A page is an answer of its own, and says what the next begins after: the client asks for as many
 * as there are, the agent keeps nothing for him meanwhile, and no page takes the loop longer than a
 * few milliseconds. Each shows its moment; what changes between two of them may be in or not.
 *
 * As conf and as json it is what the claims say: a drain, which is an override, is left out, and a
 * weight that overrides is in. As ipvsadm it is what this kernel is to hold, what leaves included,
 * in the words of `ipvsadm -Sn` (1.31). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/agent/agent.h"
#include "tools/words/claims_json.h"
#include "tools/words/words.h"

#define PAGE_SERVICES 64 /* a millisecond or two, with a few backends each */
#define PAGE_BACKENDS 1024

enum form { CONF, JSON, IPVSADM, FORMS };

static const char *const forms[] = {[CONF] = "conf", [JSON] = "json", [IPVSADM] = "ipvsadm", NULL};

struct page {
    struct gvs_agent *a;
    FILE *out;    /* CONF, IPVSADM */
    json_t *vips; /* JSON */
    size_t services, backends;
    size_t left_out; /* what this version cannot mean, and backends beyond the most of a service */
};

static bool
is_full(const struct page *p)
{
    return p->services >= PAGE_SERVICES || p->backends >= PAGE_BACKENDS;
}

/* --- values --- */

static uint32_t
weight_of(const struct gvs_view_backend *b)
{
    return b->override.has_weight ? b->override.weight : b->claim.weight;
}

static bool
is_of_cluster(const struct gvs_id *owners, size_t count)
{
    return count > 0 && gvs_id_is_cluster(&owners[0]);
}

/* --- conf --- */

static void
put_owner(struct page *p, const char *indent, const struct gvs_id *owners, size_t count)
{
    char name[64];

    if (is_of_cluster(owners, count))
        return;
    gvs_text_id_name(p->a, &owners[0], name, sizeof name);
    fprintf(p->out, "%s# claimed by %s%s\n", indent, name, count > 1 ? " and others" : "");
}

static void
put_conf_backend(struct page *p, const struct gvs_view_service *v, const struct gvs_view_backend *b)
{
    char ep[GVS_EP_TEXT_LEN], tunnel[GVS_WORDS_TUNNEL_LEN];

    gvs_words_tunnel(tunnel, b->claim.tunnel, b->claim.tunnel_port);
    if (gvs_id_cmp(&v->owners[0], &b->owners[0]) != 0)
        put_owner(p, "  ", b->owners, b->owner_count);
    gvs_ep_format(ep, &b->ep);
    fprintf(p->out, "  backend \"%s\" { weight = %u", ep, weight_of(b));
    if (b->claim.forward != v->claim.forward)
        fprintf(p->out, "  forward = %s", gvs_forward_name(b->claim.forward));
    if (b->claim.forward == GVS_FORWARD_TUN && b->claim.tunnel != GVS_TUNNEL_IPIP)
        fprintf(p->out, "  tunnel = \"%s\"", tunnel);
    if (b->claim.lower)
        fprintf(p->out, "  lower = %u", b->claim.lower);
    if (b->claim.upper)
        fprintf(p->out, "  upper = %u", b->claim.upper);
    fprintf(p->out, " }%s\n", b->override.drain ? " # drained" : "");
}

static void
put_conf_service(struct page *p, const struct gvs_view_service *v)
{
    char vip[GVS_SVCID_TEXT_LEN], mask[16], flags[GVS_WORDS_FLAGS_LEN];

    gvs_svcid_format(vip, &v->id);
    put_owner(p, "", v->owners, v->owner_count);
    fprintf(p->out, "service %s {\n  vip = \"%s\"\n  scheduler = %s\n", v->claim.name, vip,
            v->claim.sched);
    gvs_words_flags(flags, v->claim.flags);
    if (flags[0])
        fprintf(p->out, "  flags = \"%s\"\n", flags);
    if (v->claim.persistent)
        fprintf(p->out, "  persistent = %u\n", v->claim.persistent);
    gvs_text_netmask(mask, &v->id, v->claim.netmask);
    if (v->claim.netmask)
        fprintf(p->out, "  netmask = \"%s\"\n", mask);
    if (v->claim.forward != GVS_FORWARD_NAT)
        fprintf(p->out, "  forward = %s\n", gvs_forward_name(v->claim.forward));
}

/* --- json --- */

static json_t *
owners_json(const struct page *p, const struct gvs_id *owners, size_t count)
{
    json_t *list = json_array();
    char name[64];

    for (size_t i = 0; i < count && i < GVS_VIEW_OWNERS_MAX; i++) {
        gvs_text_id_name(p->a, &owners[i], name, sizeof name);
        json_array_append_new(list, json_string(name));
    }
    return list;
}

static json_t *
backend_json(const struct page *p, const struct gvs_view_backend *b)
{
    struct gvs_claim_backend claim = {.ep = b->ep, .attr = b->claim};
    json_t *o;

    claim.attr.weight = weight_of(b);
    o = gvs_claims_json_backend(&claim);
    json_object_set_new(o, "owners", owners_json(p, b->owners, b->owner_count));
    return o;
}

static json_t *
service_json(const struct page *p, const struct gvs_view_service *v, json_t *backends)
{
    struct gvs_claim_service claim = {.id = v->id, .attr = v->claim};
    json_t *o = gvs_claims_json(&claim, 0, 0);

    json_object_set_new(o, "owners", owners_json(p, v->owners, v->owner_count));
    json_object_set_new(o, "backends", backends);
    return o;
}

/* The service that the view holds. */
static void
put_claims(struct page *p)
{
    const struct gvs_view_service *v = p->a->view;
    json_t *backends = p->vips ? json_array() : NULL;

    p->services++;
    if (p->out)
        put_conf_service(p, v);
    for (size_t i = 0; i < v->backend_count; i++) {
        const struct gvs_view_backend *b = &v->backends[i];

        p->backends++;
        if (b->withheld == GVS_WITHHELD_UNREADABLE)
            p->left_out++;
        else if (p->out)
            put_conf_backend(p, v, b);
        else
            json_array_append_new(backends, backend_json(p, b));
    }
    p->left_out += v->backend_more;
    if (p->out)
        fputs("}\n", p->out);
    else
        json_array_append_new(p->vips, service_json(p, v, backends));
}

/* From behind *at on (`after`), or from the start. True: there is more, behind *at. */
static bool
claims_page(struct page *p, bool after, struct gvs_svcid *at)
{
    const struct gvs_table *t = gvs_node_claims(p->a->node);
    struct gvs_view_env env = gvs_agent_env(p->a);

    for (; gvs_view_seek(t, after ? at : NULL, after, at); after = true) {
        if (gvs_view_service(t, &env, at, p->a->view) && p->a->view->claimed) {
            if (p->a->view->withheld == GVS_WITHHELD_UNREADABLE)
                p->left_out++;
            else
                put_claims(p);
        }
        if (is_full(p))
            return true;
    }
    return false;
}

/* --- ipvsadm --- */

/* "-t 10.99.0.1:80", "-f 5 -6" */
static void
put_vip(FILE *out, const struct gvs_svcid *svc)
{
    char text[GVS_SVCID_TEXT_LEN];

    if (svc->proto == GVS_PROTO_FWMARK) {
        fprintf(out, "-f %u%s", svc->fwmark, svc->addr.family == GVS_FAMILY_V6 ? " -6" : "");
        return;
    }
    gvs_svcid_format(text, svc);
    *strrchr(text, '/') = 0;
    fprintf(out, "%s %s",
            svc->proto == GVS_PROTO_TCP   ? "-t"
            : svc->proto == GVS_PROTO_UDP ? "-u"
                                          : "--sctp-service",
            text);
}

/* The names of the flags go by the scheduler. */
static void
put_service_line(FILE *out, const struct gvs_item *item)
{
    const struct gvs_item_service *s = &item->service;
    bool v6 = item->svc.addr.family == GVS_FAMILY_V6;
    char mask[16];

    fputs("-A ", out);
    put_vip(out, &item->svc);
    fprintf(out, " -s %s", s->sched);
    if (s->persistent)
        fprintf(out, " -p %u", s->persistent);
    gvs_text_netmask(mask, &item->svc, s->netmask);
    if (s->persistent && s->netmask != (v6 ? 128 : 32))
        fprintf(out, " -M %s", mask);
    if (s->flags & GVS_FLAG_OPS)
        fputs(" -o", out);
    if (s->flags & (GVS_FLAG_FALLBACK | GVS_FLAG_PORT))
        fputs(" -b ", out);
    if (s->flags & GVS_FLAG_FALLBACK)
        fprintf(out, "%s-fallback", s->sched);
    if (s->flags & GVS_FLAG_PORT)
        fprintf(out, "%s%s-port", s->flags & GVS_FLAG_FALLBACK ? "," : "", s->sched);
    fputc('\n', out);
}

static void
put_dest_line(FILE *out, const struct gvs_item *item)
{
    const struct gvs_item_dest *d = &item->dest;
    char ep[GVS_EP_TEXT_LEN];

    gvs_ep_format(ep, &item->ep);
    fputs("-a ", out);
    put_vip(out, &item->svc);
    fprintf(out, " -r %s -%c -w %u", ep,
            d->forward == GVS_FORWARD_NAT  ? 'm'
            : d->forward == GVS_FORWARD_DR ? 'g'
                                           : 'i',
            d->weight);
    if (d->forward == GVS_FORWARD_TUN && d->tunnel == GVS_TUNNEL_IPIP)
        fputs(" --tun-type ipip", out);
    else if (d->forward == GVS_FORWARD_TUN && d->tunnel == GVS_TUNNEL_GRE)
        fputs(" --tun-type gre --tun-nocsum", out);
    else if (d->forward == GVS_FORWARD_TUN)
        fprintf(out, " --tun-type gue --tun-port %u --tun-nocsum", d->tunnel_port);
    fputc('\n', out);
}

static void
put_item(struct page *p, const struct gvs_item *item)
{
    if (item->kind == GVS_ITEM_SERVICE) {
        p->services++;
        put_service_line(p->out, item);
    } else {
        p->backends++;
        put_dest_line(p->out, item);
    }
}

/* What is wanted of a service and what leaves it, merged. Nothing is in both. */
static void
put_items(struct page *p, const struct gvs_netns *host, const struct gvs_svcid *svc)
{
    struct gvs_range shown = gvs_set_service(p->a->shown, svc);
    const struct gvs_item *leaving = p->a->items;
    size_t left =
        host ? gvs_kernel_leaving(host->kernel, svc, p->a->items, 1 + GVS_VIEW_BACKENDS_MAX) : 0;

    while (shown.at < shown.end || left > 0) {
        if (left > 0 && (shown.at == shown.end || gvs_item_cmp(leaving, shown.at) < 0)) {
            put_item(p, leaving++);
            left--;
        } else {
            put_item(p, shown.at++);
        }
    }
}

/* The first service of the set behind *svc, or of all. */
static const struct gvs_item *
next_shown(const struct gvs_agent *a, bool after, const struct gvs_svcid *svc)
{
    const struct gvs_svcid first = {.proto = 0};
    struct gvs_item least = after ? gvs_item_past(svc) : gvs_item_make_service(&first);

    return gvs_set_from(a->shown, &least);
}

static bool
kernel_page(struct page *p, bool after, struct gvs_svcid *at)
{
    const struct gvs_netns *host = gvs_netns_host(p->a);
    struct gvs_svcid *leaving = NULL;
    size_t count = 0, l = 0;
    const struct gvs_item *shown;
    bool more = true;

    if (host && !host->kernel)
        host = NULL;
    if (host)
        leaving = gvs_netns_leaving(p->a, host, &count);
    for (; more && !is_full(p); after = true) {
        shown = next_shown(p->a, after, at);
        while (l < count && after && gvs_svcid_cmp(&leaving[l], at) <= 0)
            l++;
        more = shown || l < count;
        if (!more)
            break;
        *at = shown && (l == count || gvs_svcid_cmp(&shown->svc, &leaving[l]) <= 0) ? shown->svc
                                                                                    : leaving[l];
        put_items(p, host, at);
    }
    free(leaving);
    return more;
}

/* --- the command --- */

struct question {
    enum form form;
    bool after;
    struct gvs_svcid at;
};

static int
read_words(const struct gvs_request *r, struct question *q, struct gvs_fault *f)
{
    for (size_t i = 0; i < r->argc; i += 2) {
        const char *word = r->argv[i], *value = i + 1 < r->argc ? r->argv[i + 1] : "";

        if (strcmp(word, "--as") == 0) {
            for (q->form = CONF; q->form < FORMS; q->form++)
                if (strcmp(value, forms[q->form]) == 0)
                    break;
            if (q->form == FORMS)
                return gvs_fault_set(f, GVS_EXIT_USAGE,
                                     "--as %.40s: conf, json or ipvsadm expected", value);
        } else if (strcmp(word, "--after") == 0) {
            if (gvs_svcid_parse(&q->at, value, strlen(value), NULL) < 0)
                return gvs_fault_set(f, GVS_EXIT_USAGE,
                                     "--after %.80s: a VIP as the page before names it expected",
                                     value);
            q->after = true;
        } else {
            return gvs_fault_set(f, GVS_EXIT_USAGE, "export: no such word '%.40s'", word);
        }
    }
    return GVS_OK;
}

void
gvs_show_export(struct gvs_request *r)
{
    struct question q = {.form = CONF};
    struct page p = {.a = r->a};
    char *text = NULL, next[GVS_SVCID_TEXT_LEN];
    struct gvs_fault f;
    size_t len;
    json_t *doc;
    bool more;

    if (read_words(r, &q, &f) < 0) {
        gvs_request_fault(r, &f);
        return;
    }
    if (q.form == JSON)
        p.vips = json_array();
    else
        p.out = open_memstream(&text, &len);
    GVS_ASSERT(p.vips || p.out);
    more = q.form == IPVSADM ? kernel_page(&p, q.after, &q.at) : claims_page(&p, q.after, &q.at);
    doc = json_pack("{s:s, s:s, s:I}", "schema", "gossipvs/1", "as", forms[q.form], "left_out",
                    (json_int_t)p.left_out);
    if (p.out) {
        fclose(p.out);
        GVS_ASSERT(text != NULL);
        json_object_set_new(doc, "text", json_string(text));
        free(text);
    } else {
        json_object_set_new(doc, "vips", p.vips);
    }
    if (more)
        gvs_svcid_format(next, &q.at);
    json_object_set_new(doc, "next", more ? json_string(next) : json_null());
    gvs_request_answer(r, doc, true);
}
