/* The commands that change the table: vip add, set, del; backend add, set, del, drain, undrain.
 *
 * Each checks everything before it writes anything, so that nothing is half done; what they write
 * goes into the table as a whole (tools/agent/write.c). What an operator
 * writes are cluster claims and overrides; the claims that nodes make in their own name are theirs,
 * and a command that would have to touch one says whose it is instead. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/agent/agent.h"
#include "tools/words/words.h"

/* --- reading arguments --- */

static bool
fail(struct gvs_request *r, const struct gvs_fault *f)
{
    gvs_request_fault(r, f);
    return false;
}

/* The services that are claimed under a name, the first two of them ascending; returns how many. */
static size_t
find_named(struct gvs_request *r, const char *name, struct gvs_svcid two[static 2])
{
    const struct gvs_table *t = gvs_node_claims(r->a->node);
    struct gvs_view_env env = gvs_agent_env(r->a);
    const struct gvs_named *x = NULL;
    size_t found = 0;

    while ((x = gvs_names_next(&r->a->names, name, x)) != NULL) {
        if (!gvs_view_service(t, &env, &x->svc, r->a->view) || !r->a->view->claimed ||
            strcmp(r->a->view->claim.name, name) != 0)
            continue;
        gvs_names_first_two(two, found++, &x->svc);
    }
    return found;
}

static int
ambiguous(const char *name, const struct gvs_svcid two[static 2], struct gvs_fault *f)
{
    char one[GVS_SVCID_TEXT_LEN], other[GVS_SVCID_TEXT_LEN];

    gvs_svcid_format(one, &two[0]);
    gvs_svcid_format(other, &two[1]);
    return gvs_fault_set(f, GVS_EXIT_CONFLICT, "'%s' is the name of both %s and %s", name, one,
                         other);
}

/* The virtual service that an argument means: its address, or the name of exactly one. */
static int
find_vip(struct gvs_request *r, const char *arg, struct gvs_svcid *svc, struct gvs_fault *f)
{
    struct gvs_svcid two[2];
    size_t found;

    if (strchr(arg, ':') || !gvs_name_valid(arg, strlen(arg)))
        return gvs_words_vip(svc, arg, f);
    found = find_named(r, arg, two);
    if (found > 1)
        return ambiguous(arg, two, f);
    if (found == 1) {
        *svc = two[0];
        return GVS_OK;
    }
    gvs_show_no_vip(r->a, arg, f);
    return -1;
}

/* The view of a service that must be claimed by somebody. */
static int
load_vip(struct gvs_request *r, const char *arg, struct gvs_fault *f)
{
    struct gvs_view_env env = gvs_agent_env(r->a);
    struct gvs_svcid svc;

    if (find_vip(r, arg, &svc, f) < 0)
        return -1;
    if (gvs_view_service(gvs_node_claims(r->a->node), &env, &svc, r->a->view) &&
        r->a->view->claimed)
        return GVS_OK;
    gvs_show_no_vip(r->a, arg, f);
    return -1;
}

/* Of the service that the view holds. Where the port is missing, the hint has the one that is
 * likeliest: of a backend at that address, of another one, of the VIP. */
static int
read_endpoint(const struct gvs_request *r, struct gvs_ep *ep, const char *text, struct gvs_fault *f)
{
    const struct gvs_view_service *v = r->a->view;
    unsigned port = v->backend_count > 0 ? v->backends[0].ep.port : v->id.port;
    struct gvs_addr addr;

    if (gvs_words_endpoint(ep, text, f) == GVS_OK)
        return GVS_OK;
    if (gvs_addr_parse(&addr, text, strlen(text), NULL) < 0 || port == 0)
        return -1;
    for (size_t i = 0; i < v->backend_count; i++)
        if (gvs_addr_cmp(&v->backends[i].ep.addr, &addr) == 0)
            port = v->backends[i].ep.port;
    gvs_fault_hint(f, strchr(text, ':') ? "write [%.80s]:%u" : "write %.80s:%u", text, port);
    return -1;
}

static struct gvs_view_backend *
find_backend(struct gvs_view_service *v, const struct gvs_ep *ep)
{
    for (size_t i = 0; i < v->backend_count; i++)
        if (gvs_ep_cmp(&v->backends[i].ep, ep) == 0)
            return &v->backends[i];
    return NULL;
}

static int
need_args(struct gvs_request *r, size_t min, size_t max, const char *usage, struct gvs_fault *f)
{
    size_t forced = 0;

    if (gvs_write_options(r, f) < 0)
        return -1;
    for (size_t i = 0; i < r->argc; i++)
        forced += strcmp(r->argv[i], "--force") == 0 && strstr(usage, "--force");
    if (r->argc - forced >= min && r->argc - forced <= max)
        return GVS_OK;
    gvs_fault_set(f, GVS_EXIT_USAGE, "%s: too %s words", r->words,
                  r->argc - forced < min ? "few" : "many");
    gvs_fault_hint(f, "gossipvs %s %s", r->words, usage);
    return -1;
}

/* --- whose it is --- */

static bool
has_cluster(const struct gvs_id *owners, size_t count)
{
    return count && gvs_id_is_cluster(&owners[0]); /* the cluster speaks first */
}

/* Who beside the cluster claims it, for an error: "lb3" or "lb1 (services.d/web.conf)". False if
 * nobody. */
static bool
claimed_by_node(struct gvs_request *r, const struct gvs_id *owners, size_t count,
                const struct gvs_ep *ep, char *text, size_t cap)
{
    struct gvs_id self = gvs_node_self(r->a->node);
    size_t at = has_cluster(owners, count) ? 1 : 0;
    const char *file = NULL;
    char name[64];

    if (at >= count)
        return false;
    gvs_text_id_name(r->a, &owners[at], name, sizeof name);
    if (gvs_id_cmp(&owners[at], &self) == 0)
        file = gvs_agent_claim_file(r->a, &r->a->view->id, ep);
    if (file)
        snprintf(text, cap, "%s (services.d/%s)", name, file);
    else
        snprintf(text, cap, "%s", name);
    return true;
}

/* How that claim goes, for the hint: with its file, which only its node knows. */
static void
hint_claimed(struct gvs_request *r, const struct gvs_id *owners, size_t count,
             const struct gvs_ep *ep, const char *before, struct gvs_fault *f)
{
    struct gvs_id self = gvs_node_self(r->a->node), owner = owners[has_cluster(owners, count)];
    const char *cluster = has_cluster(owners, count)
                              ? "; what the cluster says of it: gossipvs(1), CLAIMS THAT DISAGREE"
                              : "";
    char name[64];

    gvs_text_id_name(r->a, &owner, name, sizeof name);
    if (gvs_id_cmp(&owner, &self) != 0)
        gvs_fault_hint(f, "%son %s the same command names its file%s", before, name, cluster);
    else if (gvs_agent_claim_file(r->a, &r->a->view->id, ep))
        gvs_fault_hint(f, "%sit goes when that file says so no more%s", before, cluster);
    else
        gvs_fault_hint(f, "%sit goes when the program withdraws it%s", before, cluster);
}

/* --if-stamp, of the service that the view holds or of one of its backends (NULL: it is not there).
 */
static int
check_vip_stamp(struct gvs_request *r, struct gvs_fault *f)
{
    const struct gvs_view_service *v = r->a->view;
    char vip[GVS_SVCID_TEXT_LEN], what[96];

    gvs_svcid_format(vip, &v->id);
    snprintf(what, sizeof what, "vip '%s'", vip);
    return gvs_write_check_stamp(r, what, v->claimed ? v->changed.hlc : 0, f);
}

static int
check_backend_stamp(struct gvs_request *r, const struct gvs_ep *ep,
                    const struct gvs_view_backend *b, struct gvs_fault *f)
{
    char text[GVS_EP_TEXT_LEN], what[192];

    gvs_ep_format(text, ep);
    snprintf(what, sizeof what, "backend '%s' of vip '%s'", text, r->a->view->claim.name);
    return gvs_write_check_stamp(r, what, b ? b->changed.hlc : 0, f);
}

/* The stamp that an answer `already so` names. */
static bool
already(struct gvs_request *r, const struct gvs_svcid *svc, const struct gvs_stamp *stamp)
{
    r->already = true;
    r->stamp = *stamp;
    gvs_request_touch(r, svc);
    return true;
}

/* --- vip --- */

int
gvs_change_check_vip(struct gvs_request *r, const struct gvs_svcid *svc,
                     const struct gvs_service *s, struct gvs_fault *f)
{
    struct gvs_view_env env = gvs_agent_env(r->a);
    struct gvs_view_service *v = r->a->view;
    char text[512];

    v->id = *svc;
    v->claim = *s;
    v->claimed = true;
    v->owner_count = 0;
    v->withheld = GVS_SHOWN;
    env.member_count = 0; /* gvs_change_refuse_member */
    v->withheld = gvs_view_judge_service(v, &env);
    if (v->withheld == GVS_SHOWN)
        return GVS_OK;
    return gvs_fault_set(
        f, v->withheld == GVS_WITHHELD_OWN_ADDRESS ? GVS_EXIT_CONFLICT : GVS_EXIT_USAGE, "%s",
        gvs_text_withheld(r->a, text, sizeof text, v, NULL));
}

/* Balancers that carry the address of a member do not reach it there. The dead count, since they
 * could not come back. Who has a cluster's claim has it from here: no view asks again. */
int
gvs_change_refuse_member(struct gvs_request *r, const struct gvs_svcid *svc, struct gvs_fault *f)
{
    const struct gvs_node_member *m = gvs_owners_at(r->a, &svc->addr);
    bool ours = gvs_addr_cmp(&r->a->cfg.advertise.addr, &svc->addr) == 0;
    const char *name = ours || !m ? r->a->cfg.name : m->value.name;
    char vip[GVS_SVCID_TEXT_LEN];

    if (svc->proto == GVS_PROTO_FWMARK || (!m && !ours))
        return GVS_OK;
    gvs_svcid_format(vip, svc);
    gvs_fault_set(f, GVS_EXIT_CONFLICT, "vip '%s' is %s's own address", vip, name);
    if (!ours && m->state == GVS_DEAD)
        gvs_fault_hint(f, "%s is dead; if for good: gossipvs forget %s", name, name);
    return -1;
}

/* The address of a VIP stands on every balancer, which then reaches no server that has it. */
static int
refuse_server_address(struct gvs_request *r, const struct gvs_svcid *svc, struct gvs_fault *f)
{
    struct gvs_range all = gvs_set_all(r->a->shown); /* in a row, which is quick */
    char vip[GVS_SVCID_TEXT_LEN], other[GVS_SVCID_TEXT_LEN], ep[GVS_EP_TEXT_LEN];

    if (svc->proto == GVS_PROTO_FWMARK || r->a->cfg.interface[0] == 0)
        return GVS_OK;
    for (; all.at < all.end; all.at++) {
        if (all.at->kind != GVS_ITEM_DEST || gvs_addr_cmp(&all.at->ep.addr, &svc->addr) != 0 ||
            gvs_svcid_cmp(&all.at->svc, svc) == 0)
            continue;
        gvs_svcid_format(vip, svc);
        gvs_svcid_format(other, &all.at->svc);
        gvs_ep_format(ep, &all.at->ep);
        return gvs_fault_set(f, GVS_EXIT_CONFLICT,
                             "vip '%s' is the own address of '%s', a backend of %s", vip, ep,
                             other);
    }
    return GVS_OK;
}

/* Is a service with this name, other than svc, there already? */
static bool
name_taken(struct gvs_request *r, const char *name, const struct gvs_svcid *svc,
           struct gvs_fault *f)
{
    char text[GVS_SVCID_TEXT_LEN];
    struct gvs_svcid two[2];
    size_t found = find_named(r, name, two);

    if (found > 1) {
        ambiguous(name, two, f);
        return true;
    }
    if (found == 0 || gvs_svcid_cmp(&two[0], svc) == 0)
        return false;
    gvs_svcid_format(text, &two[0]);
    gvs_fault_set(f, GVS_EXIT_CONFLICT, "'%s' is already the name of %s", name, text);
    gvs_fault_hint(f, "gossipvs vip show %s", text);
    return true;
}

static int
vip_clash(struct gvs_request *r, const struct gvs_service *want, struct gvs_fault *f)
{
    const struct gvs_view_service *v = r->a->view;
    char vip[GVS_SVCID_TEXT_LEN], who[64], diff[192];

    gvs_svcid_format(vip, &v->id);
    gvs_text_id_name(r->a, &v->owners[0], who, sizeof who);
    gvs_words_difference(diff, sizeof diff, &v->claim, want);
    gvs_fault_set(f, GVS_EXIT_CONFLICT, "vip '%s' is already '%s' (from %s), and differs: %s", vip,
                  v->claim.name, who, diff);
    gvs_fault_hint(f, "gossipvs vip set %s ... changes it", v->claim.name);
    return -1;
}

static bool
do_vip_add(struct gvs_request *r)
{
    struct gvs_service s = {0};
    struct gvs_view_env env;
    struct gvs_svcid svc;
    struct gvs_fault f;
    bool claimed;

    if (gvs_words_name(s.name, r->argv[0], &f) < 0 || gvs_words_vip(&svc, r->argv[1], &f) < 0)
        return fail(r, &f);
    memcpy(s.sched, "wlc", 4);
    if (gvs_words_service(&s, &svc, r->argv + 2, r->argc - 2, &f) < 0 ||
        gvs_change_check_vip(r, &svc, &s, &f) < 0 || refuse_server_address(r, &svc, &f) < 0 ||
        name_taken(r, s.name, &svc, &f))
        return fail(r, &f);
    env = gvs_agent_env(r->a);
    claimed = gvs_view_service(gvs_node_claims(r->a->node), &env, &svc, r->a->view) &&
              r->a->view->claimed;
    if (check_vip_stamp(r, &f) < 0)
        return fail(r, &f);
    if (claimed && r->a->view->withheld != GVS_WITHHELD_MEMBER_ADDRESS) {
        if (!gvs_service_equal(&r->a->view->claim, &s)) {
            vip_clash(r, &s, &f);
            return fail(r, &f);
        }
        return already(r, &svc, &r->a->view->changed);
    }
    if (gvs_change_refuse_member(r, &svc, &f) < 0)
        return fail(r, &f);
    gvs_request_touch(r, &svc);
    return gvs_write_service(r, &svc, &s);
}

void
gvs_change_vip_add(struct gvs_request *r)
{
    struct gvs_fault f;

    if (need_args(r, 2, SIZE_MAX,
                  "NAME VIP [scheduler S] [flags F] [persistent SECONDS] [netmask M] [forward F]",
                  &f) < 0)
        gvs_request_fault(r, &f);
    else
        gvs_request_change(r, do_vip_add);
}

static bool
do_vip_set(struct gvs_request *r)
{
    struct gvs_service s;
    struct gvs_svcid svc;
    struct gvs_fault f;

    if (load_vip(r, r->argv[0], &f) < 0 || check_vip_stamp(r, &f) < 0)
        return fail(r, &f);
    svc = r->a->view->id;
    s = r->a->view->claim;
    if (gvs_words_service(&s, &svc, r->argv + 1, r->argc - 1, &f) < 0)
        return fail(r, &f);
    if (gvs_service_equal(&s, &r->a->view->claim))
        return already(r, &svc, &r->a->view->changed);
    if (r->a->view->withheld == GVS_WITHHELD_MEMBER_ADDRESS &&
        gvs_change_refuse_member(r, &svc, &f) < 0)
        return fail(r, &f); /* it would be the cluster's claim, and programmed */
    gvs_request_touch(r, &svc);
    return gvs_write_service(r, &svc, &s);
}

void
gvs_change_vip_set(struct gvs_request *r)
{
    struct gvs_fault f;

    if (need_args(r, 3, SIZE_MAX, "VIP WORD VALUE ...", &f) < 0)
        gvs_request_fault(r, &f);
    else
        gvs_request_change(r, do_vip_set);
}

/* Takes --force out of the arguments. */
static bool
take_force(struct gvs_request *r)
{
    for (size_t i = 0; i < r->argc; i++)
        if (strcmp(r->argv[i], "--force") == 0) {
            memmove(&r->argv[i], &r->argv[i + 1], (r->argc - i - 1) * sizeof *r->argv);
            r->argc--;
            return true;
        }
    return false;
}

/* Does a node claim the service or one of its backends? Then it is not ours to delete. */
static int
refuse_claimed(struct gvs_request *r, struct gvs_fault *f)
{
    const struct gvs_view_service *v = r->a->view;
    char who[160], ep[GVS_EP_TEXT_LEN];

    if (claimed_by_node(r, v->owners, v->owner_count, NULL, who, sizeof who)) {
        gvs_fault_set(f, GVS_EXIT_CONFLICT, "vip '%s' is claimed by %s; nothing changed",
                      v->claim.name, who);
        hint_claimed(r, v->owners, v->owner_count, NULL, "", f);
        return -1;
    }
    for (size_t i = 0; i < v->backend_count; i++) {
        const struct gvs_view_backend *b = &v->backends[i];

        gvs_ep_format(ep, &b->ep);
        if (claimed_by_node(r, b->owners, b->owner_count, &b->ep, who, sizeof who)) {
            gvs_fault_set(f, GVS_EXIT_CONFLICT,
                          "backend '%s' of vip '%s' is claimed by %s; nothing changed", ep,
                          v->claim.name, who);
            hint_claimed(r, b->owners, b->owner_count, &b->ep, "", f);
            return -1;
        }
    }
    return GVS_OK;
}

int
gvs_change_refuse_active(struct gvs_request *r, struct gvs_fault *f)
{
    const struct gvs_view_service *v = r->a->view;
    uint64_t total = 0;

    gvs_netns_refresh_conns(r->a, &v->id);
    for (size_t i = 0; i < v->backend_count; i++) {
        struct gvs_item item = gvs_item_make_dest(&v->id, &v->backends[i].ep);
        uint64_t active, inactive;

        if (gvs_netns_conns(r->a, &item, &active, &inactive))
            total += active;
    }
    if (total == 0)
        return GVS_OK;
    gvs_fault_set(f, GVS_EXIT_CONFLICT, "vip '%s' has %llu active connections on this node",
                  v->claim.name, (unsigned long long)total);
    gvs_fault_hint(f, "gossipvs vip del %s --force cuts them", v->claim.name);
    return -1;
}

/* Everything that the cluster says of a service: its backends, the overrides, and last the service
 * itself. */
static bool
bury_service(struct gvs_request *r, const struct gvs_svcid *svc, bool force)
{
    const struct gvs_table *t = gvs_node_claims(r->a->node);
    struct gvs_keybuf prefix;
    struct gvs_entry e;
    struct gvs_key key;
    bool found;

    gvs_key_prefix(&prefix, svc);
    for (found = gvs_table_seek(t, prefix.b, prefix.len, false, &e);
         found && e.key_len > prefix.len && memcmp(e.key, prefix.b, prefix.len) == 0;
         found = gvs_table_seek(t, e.key, e.key_len, true, &e)) {
        if (gvs_key_parse(&key, e.key, e.key_len) < 0 || key.kind == GVS_KEY_SERVICE ||
            !gvs_id_is_cluster(&key.owner))
            continue;
        if (!gvs_write_tombstone(r, &key, force))
            return false;
    }
    key = gvs_write_key(GVS_KEY_SERVICE, svc, NULL);
    return gvs_write_tombstone(r, &key, force);
}

static bool
do_vip_del(struct gvs_request *r)
{
    bool force = take_force(r);
    struct gvs_svcid svc;
    struct gvs_fault f;

    if (force && gvs_words_vip(&svc, r->argv[0], &f) == GVS_OK && gvs_write_leaves(r, &svc, NULL))
        return gvs_write_hasten(r, &svc, NULL);
    if (load_vip(r, r->argv[0], &f) < 0 || check_vip_stamp(r, &f) < 0 ||
        refuse_claimed(r, &f) < 0 || (!force && gvs_change_refuse_active(r, &f) < 0))
        return fail(r, &f);
    svc = r->a->view->id;
    gvs_request_touch(r, &svc);
    return bury_service(r, &svc, force);
}

void
gvs_change_vip_del(struct gvs_request *r)
{
    struct gvs_fault f;

    if (need_args(r, 1, 1, "VIP [--force]", &f) < 0)
        gvs_request_fault(r, &f);
    else
        gvs_request_change(r, do_vip_del);
}

/* --- backend --- */

static int
check_family(struct gvs_request *r, const struct gvs_ep *ep, const struct gvs_backend *b,
             struct gvs_fault *f)
{
    const struct gvs_view_service *v = r->a->view;
    struct gvs_view_backend shown = {.ep = *ep, .claim = *b};
    char text[256];

    shown.withheld = gvs_view_judge_backend(v, &shown);
    if (shown.withheld == GVS_SHOWN)
        return GVS_OK;
    return gvs_fault_set(f, GVS_EXIT_USAGE, "%s",
                         gvs_text_withheld(r->a, text, sizeof text, v, &shown));
}

static bool
do_backend_add(struct gvs_request *r)
{
    struct gvs_view_service *v = r->a->view;
    struct gvs_backend b = {.weight = 1}, have;
    const struct gvs_view_backend *old;
    struct gvs_ep ep;
    struct gvs_fault f;
    char text[GVS_EP_TEXT_LEN], diff[192];

    if (load_vip(r, r->argv[0], &f) < 0 || read_endpoint(r, &ep, r->argv[1], &f) < 0)
        return fail(r, &f);
    b.forward = v->claim.forward;
    if (gvs_words_backend(&b, r->argv + 2, r->argc - 2, &f) < 0 || check_family(r, &ep, &b, &f) < 0)
        return fail(r, &f);
    gvs_ep_format(text, &ep);
    old = find_backend(v, &ep);
    if (check_backend_stamp(r, &ep, old, &f) < 0)
        return fail(r, &f);
    if (old) { /* what is in effect is what the operator sees, and compares with */
        have = old->claim;
        have.weight = old->override.has_weight ? old->override.weight : have.weight;
    }
    if (old && gvs_backend_equal(&have, &b))
        return already(r, &v->id, &old->changed);
    if (old) {
        gvs_words_backend_difference(diff, sizeof diff, &have, &b);
        gvs_fault_set(&f, GVS_EXIT_CONFLICT, "backend '%s' of vip '%s' is there and differs: %s",
                      text, v->claim.name, diff);
        gvs_fault_hint(&f, "gossipvs backend set %s %s ... changes it", v->claim.name, text);
        return fail(r, &f);
    }
    gvs_request_touch(r, &v->id);
    return gvs_write_backend(r, &v->id, &ep, &b);
}

void
gvs_change_backend_add(struct gvs_request *r)
{
    struct gvs_fault f;

    if (need_args(r, 2, SIZE_MAX,
                  "VIP ADDR:PORT [weight N] [forward F] [tunnel T] [lower N] [upper N]", &f) < 0)
        gvs_request_fault(r, &f);
    else
        gvs_request_change(r, do_backend_add);
}

/* The service and one of its backends that the first two arguments name. */
static int
load_backend(struct gvs_request *r, struct gvs_view_backend **out, struct gvs_fault *f)
{
    char text[GVS_EP_TEXT_LEN];
    struct gvs_ep ep;

    if (load_vip(r, r->argv[0], f) < 0 || read_endpoint(r, &ep, r->argv[1], f) < 0)
        return -1;
    *out = find_backend(r->a->view, &ep);
    if (*out)
        return GVS_OK;
    gvs_ep_format(text, &ep);
    gvs_fault_set(f, GVS_EXIT_NOT_FOUND, "vip '%s' has no backend '%s'", r->a->view->claim.name,
                  text);
    gvs_fault_hint(f, "gossipvs vip show %s", r->a->view->claim.name);
    return -1;
}

/* The weight of what only nodes claim is an operator's override; everything else becomes a cluster
 * claim with the values that are shown and the change. */
static bool
do_backend_set(struct gvs_request *r)
{
    struct gvs_view_service *v = r->a->view;
    struct gvs_view_backend *old, was;
    struct gvs_override o;
    struct gvs_backend b;
    struct gvs_svcid svc;
    struct gvs_fault f;
    bool weight_only;

    if (load_backend(r, &old, &f) < 0 || check_backend_stamp(r, &old->ep, old, &f) < 0)
        return fail(r, &f);
    was = *old;
    svc = v->id;
    b = was.claim;
    if (was.override.has_weight)
        b.weight = was.override.weight;
    if (gvs_words_backend(&b, r->argv + 2, r->argc - 2, &f) < 0 ||
        check_family(r, &was.ep, &b, &f) < 0)
        return fail(r, &f);
    if (gvs_backend_equal(&b, &was.claim) && !was.override.has_weight)
        return already(r, &svc, &was.changed);
    if (was.override.has_weight && b.weight == was.override.weight) {
        struct gvs_backend rest = b;

        rest.weight = was.claim.weight;
        if (gvs_backend_equal(&rest, &was.claim))
            return already(r, &svc, &was.changed);
    }
    gvs_request_touch(r, &svc);
    o = was.override;
    weight_only = !has_cluster(was.owners, was.owner_count);
    if (weight_only) {
        struct gvs_backend rest = b;

        rest.weight = was.claim.weight;
        weight_only = gvs_backend_equal(&rest, &was.claim);
    }
    if (weight_only) {
        o.has_weight = b.weight != was.claim.weight;
        o.weight = o.has_weight ? b.weight : 0;
        return gvs_write_override(r, &svc, &was.ep, &o);
    }
    if (!gvs_write_backend(r, &svc, &was.ep, &b))
        return false;
    o.has_weight = false;
    o.weight = 0;
    return !was.override.has_weight || gvs_write_override(r, &svc, &was.ep, &o);
}

void
gvs_change_backend_set(struct gvs_request *r)
{
    struct gvs_fault f;

    if (need_args(r, 4, SIZE_MAX, "VIP ADDR:PORT WORD VALUE ...", &f) < 0)
        gvs_request_fault(r, &f);
    else
        gvs_request_change(r, do_backend_set);
}

static bool
do_backend_del(struct gvs_request *r)
{
    bool force = take_force(r);
    struct gvs_view_backend *b;
    char who[160], text[GVS_EP_TEXT_LEN], drain[192];
    struct gvs_svcid svc;
    struct gvs_key key;
    struct gvs_ep ep;
    struct gvs_fault f;

    if (load_vip(r, r->argv[0], &f) < 0 || read_endpoint(r, &ep, r->argv[1], &f) < 0)
        return fail(r, &f);
    svc = r->a->view->id;
    if (force && gvs_write_leaves(r, &svc, &ep))
        return gvs_write_hasten(r, &svc, &ep);
    if (load_backend(r, &b, &f) < 0 || check_backend_stamp(r, &ep, b, &f) < 0)
        return fail(r, &f);
    if (claimed_by_node(r, b->owners, b->owner_count, &ep, who, sizeof who)) {
        gvs_ep_format(text, &ep);
        gvs_fault_set(&f, GVS_EXIT_CONFLICT,
                      "backend '%s' of vip '%s' is claimed by %s; nothing changed", text,
                      r->a->view->claim.name, who);
        snprintf(drain, sizeof drain, "gossipvs backend drain %s %s; ", r->a->view->claim.name,
                 text);
        hint_claimed(r, b->owners, b->owner_count, &ep, drain, &f);
        return fail(r, &f);
    }
    gvs_request_touch(r, &svc);
    key = gvs_write_key(GVS_KEY_OVERRIDE, &svc, &ep);
    if (!gvs_write_tombstone(r, &key, force))
        return false;
    key = gvs_write_key(GVS_KEY_BACKEND, &svc, &ep);
    return gvs_write_tombstone(r, &key, force);
}

void
gvs_change_backend_del(struct gvs_request *r)
{
    struct gvs_fault f;

    if (need_args(r, 2, 2, "VIP ADDR:PORT [--force]", &f) < 0)
        gvs_request_fault(r, &f);
    else
        gvs_request_change(r, do_backend_del);
}

/* --- drain --- */

struct drain {
    bool drain;
    struct gvs_ep ep;
    bool any_port;
    size_t matched, written;
};

/* Drains or undrains what matches in the service that the view holds. */
static bool
drain_service(struct gvs_request *r, struct drain *d)
{
    struct gvs_svcid svc = r->a->view->id;
    struct gvs_fault f;

    for (size_t i = 0; i < r->a->view->backend_count; i++) {
        struct gvs_view_backend *b = &r->a->view->backends[i];
        struct gvs_override o = b->override;

        if (gvs_addr_cmp(&b->ep.addr, &d->ep.addr) != 0 ||
            (!d->any_port && b->ep.port != d->ep.port))
            continue;
        if (check_backend_stamp(r, &b->ep, b, &f) < 0)
            return fail(r, &f);
        if (gvs_stamp_cmp(&r->stamp, &b->changed) < 0)
            r->stamp = b->changed;
        d->matched++;
        if (o.drain == d->drain)
            continue;
        o.drain = d->drain;
        if (!gvs_write_override(r, &svc, &b->ep, &o))
            return false;
        d->written++;
    }
    gvs_request_touch(r, &svc);
    return true;
}

static bool
drain_all(struct gvs_request *r, struct drain *d)
{
    const struct gvs_table *t = gvs_node_claims(r->a->node);
    struct gvs_view_env env = gvs_agent_env(r->a);
    struct gvs_svcid at = {0};

    for (bool after = false; gvs_view_seek(t, after ? &at : NULL, after, &at); after = true) {
        size_t before = d->matched;

        if (!gvs_view_service(t, &env, &at, r->a->view))
            continue;
        if (!drain_service(r, d))
            return false;
        if (d->matched == before && r->svc_count)
            r->svc_count--; /* nothing of it is touched: nothing to wait for */
    }
    return true;
}

static bool
do_drain(struct gvs_request *r, bool on)
{
    struct drain d = {.drain = on};
    struct gvs_fault f;

    if (gvs_words_endpoint(&d.ep, r->argv[1], &f) < 0) {
        if (gvs_addr_parse(&d.ep.addr, r->argv[1], strlen(r->argv[1]), NULL) < 0)
            return fail(r, &f);
        d.any_port = true;
    }
    if (r->has_if_stamp && (d.any_port || strcmp(r->argv[0], "all") == 0)) {
        gvs_fault_set(&f, GVS_EXIT_USAGE, "--if-stamp takes one vip and one ADDR:PORT");
        return fail(r, &f);
    }
    if (strcmp(r->argv[0], "all") == 0) {
        if (!drain_all(r, &d))
            return false;
    } else {
        if (load_vip(r, r->argv[0], &f) < 0)
            return fail(r, &f);
        if (!drain_service(r, &d))
            return false;
    }
    if (d.matched == 0) {
        gvs_fault_set(&f, GVS_EXIT_NOT_FOUND, "no backend '%s' in %s", r->argv[1], r->argv[0]);
        return fail(r, &f);
    }
    r->already = d.written == 0;
    return true;
}

static bool
do_backend_drain(struct gvs_request *r)
{
    return do_drain(r, true);
}

static bool
do_backend_undrain(struct gvs_request *r)
{
    return do_drain(r, false);
}

/* Known to everybody who knows the command line, and not ours to do. */
static int
refuse_wait(const struct gvs_request *r, struct gvs_fault *f)
{
    for (size_t i = 0; i < r->argc; i++)
        if (strcmp(r->argv[i], "--wait") == 0) {
            gvs_fault_set(f, GVS_EXIT_USAGE,
                          "'%s --wait': not in this version of the agent (gossipvs itself waits)",
                          r->words);
            gvs_fault_hint(f, "ask vip show until active is 0");
            return -1;
        }
    return GVS_OK;
}

void
gvs_change_backend_drain(struct gvs_request *r)
{
    struct gvs_fault f;

    if (refuse_wait(r, &f) < 0 || need_args(r, 2, 2, "VIP|all ADDR[:PORT]", &f) < 0)
        gvs_request_fault(r, &f);
    else
        gvs_request_change(r, do_backend_drain);
}

void
gvs_change_backend_undrain(struct gvs_request *r)
{
    struct gvs_fault f;

    if (refuse_wait(r, &f) < 0 || need_args(r, 2, 2, "VIP|all ADDR[:PORT]", &f) < 0)
        gvs_request_fault(r, &f);
    else
        gvs_request_change(r, do_backend_undrain);
}
