/* apply_check.c: may what was staged be written?
 *
 * The rules are those of `vip add` and `backend add` (tools/agent/change.c); but where these walk
 * over the table for their one service, here one walk serves all: what is new stands in two short
 * lists, by name and by address, and each entry of the table is looked up there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/agent/apply.h"

#define SERVICES_PER_TURN 64
#define BACKENDS_PER_TURN 1024
#define ENTRIES_PER_TURN 2048 /* looked at; a millisecond or so */

/* --- each for itself --- */

static int
check_backends(const struct gvs_request *r, const struct gvs_staged *s, struct gvs_fault *f)
{
    struct gvs_view_service *v = r->a->view; /* as a scratch, of the claim alone */
    char text[512];

    v->id = s->service.id;
    v->claim = s->service.attr;
    v->claimed = true;
    for (size_t i = 0; i < s->service.backend_count; i++) {
        const struct gvs_claim_backend *b = &s->service.backends[i];
        struct gvs_view_backend shown = {.ep = b->ep, .claim = b->attr};

        shown.withheld = gvs_view_judge_backend(v, &shown);
        if (shown.withheld != GVS_SHOWN)
            return gvs_fault_set(f, GVS_EXIT_USAGE, "%s",
                                 gvs_text_withheld(r->a, text, sizeof text, v, &shown));
    }
    return GVS_OK;
}

static int
check_one(struct gvs_request *r, struct gvs_staged *s, struct gvs_fault *f)
{
    const struct gvs_table *t = gvs_node_claims(r->a->node);
    struct gvs_view_env env = gvs_agent_env(r->a);
    const struct gvs_view_service *v = r->a->view;
    struct gvs_svcid id = s->service.id;
    char vip[GVS_SVCID_TEXT_LEN], what[96];
    bool member;

    s->fresh = !gvs_view_service(t, &env, &id, r->a->view) || !v->claimed;
    if (r->has_if_stamp) {
        gvs_svcid_format(vip, &id);
        snprintf(what, sizeof what, "vip '%s'", vip);
        if (gvs_write_check_stamp(r, what, s->fresh ? 0 : v->changed.hlc, f) < 0)
            return -1;
    }
    if (s->service.unnamed && !s->fresh && v->claim.name[0])
        memcpy(s->service.attr.name, v->claim.name, sizeof v->claim.name);
    s->named = s->fresh || strcmp(v->claim.name, s->service.attr.name) != 0;
    member = s->fresh || v->withheld == GVS_WITHHELD_MEMBER_ADDRESS;
    if (s->fresh && gvs_change_check_vip(r, &id, &s->service.attr, f) < 0)
        return -1;
    if (member && gvs_change_refuse_member(r, &id, f) < 0)
        return -1;
    return check_backends(r, s, f);
}

static int
by_name(const void *a, const void *b)
{
    const struct gvs_staged *const *x = a, *const *y = b;
    int sign = strcmp((*x)->service.attr.name, (*y)->service.attr.name);

    return sign != 0 ? sign : ((*x)->at > (*y)->at) - ((*x)->at < (*y)->at);
}

static int
by_addr(const void *a, const void *b)
{
    const struct gvs_staged *const *x = a, *const *y = b;

    return gvs_addr_cmp(&(*x)->service.id.addr, &(*y)->service.id.addr);
}

static int
same_name(const struct gvs_staged *s, const struct gvs_svcid *other, struct gvs_fault *f)
{
    char text[GVS_SVCID_TEXT_LEN];

    gvs_svcid_format(text, other);
    gvs_fault_set(f, GVS_EXIT_CONFLICT, "'%s' is already the name of %s", s->service.attr.name,
                  text);
    gvs_stage_blame(s->source, s->at, f);
    gvs_fault_hint(f, "gossipvs vip show %s", text);
    return -1;
}

/* The two lists, and what they say of each other. */
static int
make_lists(const struct gvs_request *r, struct gvs_apply *p, struct gvs_fault *f)
{
    struct gvs_stage *st = p->stage;

    p->by_name = calloc(st->count + 1, sizeof(struct gvs_staged *));
    p->by_addr = calloc(st->count + 1, sizeof(struct gvs_staged *));
    if (!p->by_name || !p->by_addr)
        return gvs_fault_set(f, GVS_EXIT_NO, "out of memory; nothing changed");
    for (size_t i = 0; i < st->count; i++) {
        struct gvs_staged *s = &st->list[i];

        p->by_name[i] = s;
        if (s->fresh && s->service.id.proto != GVS_PROTO_FWMARK && r->a->cfg.interface[0])
            p->by_addr[p->addr_count++] = s;
    }
    qsort(p->by_name, st->count, sizeof(struct gvs_staged *), by_name);
    qsort(p->by_addr, p->addr_count, sizeof(struct gvs_staged *), by_addr);
    for (size_t i = 1; i < st->count; i++) {
        const struct gvs_staged *one = p->by_name[i - 1], *two = p->by_name[i];

        if ((one->named || two->named) &&
            strcmp(one->service.attr.name, two->service.attr.name) == 0)
            return same_name(two, &one->service.id, f);
    }
    return GVS_OK;
}

/* Keys that the table has not yet, be it as tombstones. False: answered with a fault. */
static bool
count_room(struct gvs_request *r, const struct gvs_staged *s)
{
    bool gathered = gvs_apply_gather(r, s), fits = true;
    struct gvs_fault f;

    r->apply->room += gvs_writes_room(r);
    for (const struct gvs_write *w = r->writes; w; w = w->next)
        r->apply->differs++;
    if (gathered && r->apply->confirm > 0 && gvs_write_check_trial(r, &f) < 0) {
        gvs_stage_blame(s->source, s->at, &f);
        gvs_request_fault(r, &f);
        fits = false;
    }
    gvs_writes_free(r);
    return gathered && fits;
}

int
gvs_apply_check(struct gvs_request *r, struct gvs_fault *f)
{
    struct gvs_apply *p = r->apply;
    size_t backends = 0;

    for (int i = 0; i < SERVICES_PER_TURN && backends < BACKENDS_PER_TURN; i++) {
        struct gvs_staged *s;

        if (p->at == p->stage->count &&
            (make_lists(r, p, f) < 0 || gvs_write_check_room(r, p->room + (p->confirm > 0), f) < 0))
            return -1;
        if (p->at == p->stage->count)
            return 1;
        s = &p->stage->list[p->at];
        if (check_one(r, s, f) < 0) {
            gvs_stage_blame(s->source, s->at, f);
            return -1;
        }
        if (!count_room(r, s))
            return -1;
        backends += s->service.backend_count;
        p->at++;
    }
    return 0;
}

/* --- servers ---
 *
 * The address of a VIP stands on every balancer, which then reaches no server that has it. */

/* A new VIP at this address, other than the server's own service. */
static const struct gvs_staged *
vip_at(const struct gvs_apply *p, const struct gvs_addr *addr, const struct gvs_svcid *svc)
{
    size_t low = 0, high = p->addr_count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (gvs_addr_cmp(&p->by_addr[mid]->service.id.addr, addr) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    for (; low < p->addr_count; low++) {
        const struct gvs_staged *s = p->by_addr[low];

        if (gvs_addr_cmp(&s->service.id.addr, addr) != 0)
            return NULL;
        if (gvs_svcid_cmp(&s->service.id, svc) != 0)
            return s;
    }
    return NULL;
}

static int
refuse_server(const struct gvs_apply *p, const struct gvs_svcid *svc, const struct gvs_ep *ep,
              struct gvs_fault *f)
{
    const struct gvs_staged *s = vip_at(p, &ep->addr, svc);
    char vip[GVS_SVCID_TEXT_LEN], other[GVS_SVCID_TEXT_LEN], text[GVS_EP_TEXT_LEN];

    if (!s)
        return GVS_OK;
    gvs_svcid_format(vip, &s->service.id);
    gvs_svcid_format(other, svc);
    gvs_ep_format(text, ep);
    gvs_fault_set(f, GVS_EXIT_CONFLICT, "vip '%s' is the own address of '%s', a backend of %s", vip,
                  text, other);
    gvs_stage_blame(s->source, s->at, f);
    return -1;
}

int
gvs_apply_servers(struct gvs_request *r, struct gvs_fault *f)
{
    struct gvs_apply *p = r->apply;

    for (size_t backends = 0; backends < ENTRIES_PER_TURN; p->at++) {
        const struct gvs_claim_service *s;

        if (p->at == p->stage->count || p->addr_count == 0)
            return 1;
        s = &p->stage->list[p->at].service;
        for (size_t i = 0; i < s->backend_count; i++)
            if (refuse_server(p, &s->id, &s->backends[i].ep, f) < 0)
                return -1;
        backends += 1 + s->backend_count;
    }
    return 0;
}

/* --- the table --- */

static int
cmp_name(const void *name, const void *staged)
{
    return strcmp(name, (*(const struct gvs_staged *const *)staged)->service.attr.name);
}

/* Goes by the name of another one that stays as it is. */
static int
refuse_name(const struct gvs_apply *p, const struct gvs_key *key, const struct gvs_entry *e,
            struct gvs_fault *f)
{
    struct gvs_staged *const *want;
    struct gvs_service held;

    if (p->stage->count == 0 || gvs_service_decode(&held, e->value, e->value_len) < 0 ||
        gvs_apply_find(p, &key->svc) || (p->prune && gvs_id_is_cluster(&key->owner)))
        return GVS_OK;
    /* Of two by one name none is `named` (make_lists). */
    want = bsearch(held.name, p->by_name, p->stage->count, sizeof(struct gvs_staged *), cmp_name);
    return want && (*want)->named ? same_name(*want, &key->svc, f) : GVS_OK;
}

/* A VIP of the cluster's alone, which goes. */
static int
refuse_active(struct gvs_request *r, const struct gvs_svcid *svc, struct gvs_fault *f)
{
    struct gvs_view_env env = gvs_agent_env(r->a);

    if (!gvs_view_service(gvs_node_claims(r->a->node), &env, svc, r->a->view) ||
        !r->a->view->claimed || r->a->view->owner_count > 1 || gvs_change_refuse_active(r, f) == 0)
        return GVS_OK;
    gvs_fault_hint(f, "--force cuts them");
    return -1;
}

static int
look_at(struct gvs_request *r, const struct gvs_entry *held, struct gvs_fault *f)
{
    const struct gvs_entry *e;
    struct gvs_apply *p = r->apply;
    struct gvs_said said;
    struct gvs_staged *s;
    struct gvs_key key;
    bool lacks;

    gvs_trial_say(&said, gvs_node_claims(r->a->node), r->a->now_ms, held);
    e = &said.e;
    if (e->tombstone || gvs_key_parse(&key, e->key, e->key_len) < 0)
        return GVS_OK;
    if (p->confirm > 0 && p->prune && gvs_id_is_cluster(&key.owner) &&
        gvs_write_check_undo(r, &key, f) < 0)
        return -1;
    if ((key.kind != GVS_KEY_SERVICE && key.kind != GVS_KEY_BACKEND) ||
        gvs_node_is_retired(r->a->node, &key.owner))
        return GVS_OK;
    if (key.kind == GVS_KEY_SERVICE ? refuse_name(p, &key, e, f) < 0
                                    : refuse_server(p, &key.svc, &key.ep, f) < 0)
        return -1;
    if (!gvs_id_is_cluster(&key.owner))
        return GVS_OK;
    s = gvs_apply_find(p, &key.svc);
    lacks = key.kind == GVS_KEY_SERVICE ? !s : !gvs_apply_has(s, &key.ep);
    p->kept += lacks;
    p->differs += lacks && p->prune;
    if (!lacks || key.kind != GVS_KEY_SERVICE || !p->prune || p->force || r->dry)
        return GVS_OK;
    return refuse_active(r, &key.svc, f);
}

int
gvs_apply_look(struct gvs_request *r, struct gvs_fault *f)
{
    const struct gvs_table *t = gvs_node_claims(r->a->node);
    struct gvs_keybuf *at = &r->apply->key;
    struct gvs_entry e;

    for (int i = 0; i < ENTRIES_PER_TURN; i++) {
        if (!gvs_table_seek(t, at->b, at->len, at->len > 0, &e))
            return 1;
        at->len = (uint8_t)e.key_len;
        memcpy(at->b, e.key, e.key_len);
        if (look_at(r, &e, f) < 0)
            return -1;
    }
    return 0;
}
