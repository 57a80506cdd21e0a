/* core/view.c: one scan over the keys of a service, in the order in which they lie (core/key.h).
 *
 *     claims on the service    the cluster's first: with it comes `reset`
 *     claims on its backends   by endpoint, of each the cluster's first
 *     overrides                by endpoint
 *
 * So each entry is looked at once, and what it needs to know came before it. Judgement, what is
 * withheld and why, follows when everything is known.
 */
#include "core/view.h"

#include "core/plan.h"

#include <string.h>

struct scan {
    const struct gvs_table *t;
    struct gvs_view_service *v;
    const struct gvs_view_env *env;
    uint64_t reset;                   /* cluster claims on backends up to here do not count */
    struct gvs_stamp speaker;         /* of the service, then of the backend at hand */
    struct gvs_ep ep;                 /* the backend at hand */
    struct gvs_stamp changed;         /* the latest stamp seen for it, before anybody claimed it */
    struct gvs_view_backend *backend; /* NULL: nobody claims it so far, or it is one too many */
    bool beyond;                      /* it is one too many */
    size_t overridden;                /* backends below this one have seen their override */
};

/* --- owners --- */

static enum gvs_owner_stage
stage_of(const struct gvs_view_env *env, const struct gvs_id *owner)
{
    size_t lo = 0, hi = env->owner_count;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int cmp = gvs_id_cmp(&env->owners[mid].id, owner);

        if (cmp == 0)
            return env->owners[mid].stage;
        if (cmp < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return GVS_OWNER_THERE; /* the cluster, too */
}

/* --- claims --- */

static struct gvs_stamp
stamp_of(const struct gvs_entry *e)
{
    return (struct gvs_stamp){.hlc = e->order, .writer = e->writer};
}

static void
note_change(struct gvs_stamp *changed, const struct gvs_stamp *stamp)
{
    if (gvs_stamp_cmp(changed, stamp) < 0)
        *changed = *stamp;
}

/* Does a claim speak, after those that came before it? The cluster's does, and it comes first. */
static bool
claim_speaks(const struct scan *s, const struct gvs_id *owners, uint16_t owner_count,
             const struct gvs_entry *e)
{
    struct gvs_stamp stamp = stamp_of(e);

    if (owner_count == 0)
        return true;
    return !gvs_id_is_cluster(&owners[0]) && gvs_stamp_cmp(&s->speaker, &stamp) < 0;
}

/* Adds a claimant. The speaker stands first; whom it displaces goes to the end, if there is room.
 */
static void
add_owner(struct gvs_id *owners, uint16_t *count, const struct gvs_id *owner, bool speaks)
{
    struct gvs_id last = *owner;

    if (speaks && *count > 0) {
        last = owners[0];
        owners[0] = *owner;
    }
    if (*count < GVS_VIEW_OWNERS_MAX)
        owners[*count] = last;
    if (*count < UINT16_MAX)
        ++*count;
}

/* All claims agree exactly if each agrees with the one that spoke when it came. */
static void
claim_service(struct scan *s, const struct gvs_key *key, const struct gvs_said *said)
{
    const struct gvs_entry *e = &said->e;
    struct gvs_view_service *v = s->v;
    struct gvs_service claim = {0};
    enum gvs_withheld withheld = GVS_SHOWN;
    bool cluster = gvs_id_is_cluster(&key->owner), speaks;

    note_change(&v->changed, &said->since);
    if (cluster)
        s->reset = gvs_said_reset(said);
    if (e->tombstone)
        return;
    if (gvs_service_decode(&claim, e->value, e->value_len) != GVS_OK) {
        claim = (struct gvs_service){0};
        withheld = GVS_WITHHELD_UNREADABLE;
    }
    if (v->claimed && (withheld != v->withheld || !gvs_service_equal(&claim, &v->claim)))
        v->conflict = true;
    speaks = claim_speaks(s, v->owners, v->owner_count, e);
    add_owner(v->owners, &v->owner_count, &key->owner, speaks);
    v->claimed = true;
    if (!speaks)
        return;
    s->speaker = stamp_of(e);
    v->claim = claim;
    v->withheld = withheld;
}

/* Turns to the backend of `ep`: the scan meets its claims one after the other. */
static void
turn_to(struct scan *s, const struct gvs_ep *ep)
{
    if (gvs_ep_cmp(&s->ep, ep) == 0)
        return;
    s->ep = *ep;
    s->changed = (struct gvs_stamp){0};
    s->backend = NULL;
    s->beyond = false;
}

/* The backend at hand is claimed: it gets its place, if there is one. */
static void
begin_backend(struct scan *s)
{
    struct gvs_view_service *v = s->v;

    if (s->backend || s->beyond)
        return;
    if (v->backend_count == GVS_VIEW_BACKENDS_MAX) {
        s->beyond = true;
        v->backend_more++;
        return;
    }
    GVS_ASSERT(v->backend_count == 0 ||
               gvs_ep_cmp(&v->backends[v->backend_count - 1].ep, &s->ep) < 0);
    s->backend = &v->backends[v->backend_count++];
    memset(s->backend, 0, sizeof *s->backend);
    s->backend->ep = s->ep;
}

static void
claim_backend(struct scan *s, const struct gvs_key *key, const struct gvs_said *said)
{
    const struct gvs_entry *e = &said->e;
    struct gvs_view_backend *b;
    struct gvs_backend claim = {0};
    enum gvs_withheld withheld = GVS_SHOWN;
    enum gvs_owner_stage stage = stage_of(s->env, &key->owner);
    bool speaks;

    turn_to(s, &key->ep);
    if (gvs_id_is_cluster(&key->owner) && e->order <= s->reset)
        return;
    note_change(&s->changed, &said->since);
    if (!e->tombstone)
        begin_backend(s);
    b = s->backend;
    if (!b)
        return;
    b->changed = s->changed;
    if (e->tombstone)
        return;
    if (gvs_backend_decode(&claim, e->value, e->value_len) != GVS_OK) {
        claim = (struct gvs_backend){0};
        withheld = GVS_WITHHELD_UNREADABLE;
    }
    if (b->owner_count > 0 && (withheld != b->withheld || !gvs_backend_equal(&claim, &b->claim)))
        b->conflict = true;
    if (b->owner_count == 0 || stage < b->hidden)
        b->hidden = stage; /* as long as one claimant is there, it is */
    speaks = claim_speaks(s, b->owners, b->owner_count, e);
    add_owner(b->owners, &b->owner_count, &key->owner, speaks);
    if (!speaks)
        return;
    s->speaker = stamp_of(e);
    b->claim = claim;
    b->withheld = withheld;
}

static void
apply_override(struct scan *s, const struct gvs_key *key, const struct gvs_said *said)
{
    const struct gvs_entry *e = &said->e;
    struct gvs_view_service *v = s->v;
    struct gvs_view_backend *b;

    while (s->overridden < v->backend_count &&
           gvs_ep_cmp(&v->backends[s->overridden].ep, &key->ep) < 0)
        s->overridden++;
    if (s->overridden == v->backend_count)
        return;
    b = &v->backends[s->overridden];
    if (gvs_ep_cmp(&b->ep, &key->ep) != 0)
        return; /* over a backend that nobody claims */
    note_change(&b->changed, &said->since);
    if (e->tombstone)
        return;
    if (gvs_override_decode(&b->override, e->value, e->value_len) != GVS_OK) {
        b->override = (struct gvs_override){0};
        b->withheld = GVS_WITHHELD_UNREADABLE;
    }
}

/* --- judgement --- */

static bool
addr_unusable(const struct gvs_addr *a)
{
    return gvs_addr_is_any(a) || gvs_addr_is_multicast(a) || gvs_addr_is_loopback(a);
}

static bool
addr_allowed(const struct gvs_view_env *env, const struct gvs_addr *a)
{
    for (size_t i = 0; i < env->allow_count; i++) {
        if (gvs_prefix_contains(&env->allow[i], a))
            return true;
    }
    return env->allow_count == 0;
}

static bool
addr_own(const struct gvs_view_env *env, const struct gvs_addr *a)
{
    for (size_t i = 0; i < env->own_count; i++) {
        if (gvs_addr_cmp(&env->own[i], a) == 0)
            return true;
    }
    return false;
}

static bool
addr_of_member(const struct gvs_view_env *env, const struct gvs_addr *a)
{
    size_t lo = 0, hi = env->member_count;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int cmp = gvs_addr_cmp(&env->members[mid], a);

        if (cmp == 0)
            return true;
        if (cmp < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return false;
}

/* The order of events decides: who comes second is in the wrong, and that is told elsewhere. */
static bool
cuts_off_member(const struct gvs_view_service *v, const struct gvs_view_env *env)
{
    if (!addr_of_member(env, &v->id.addr))
        return false;
    if (v->owner_count > 0 && gvs_id_is_cluster(&v->owners[0]))
        return false;
    return !env->in_use || !env->in_use(env->in_use_ctx, &v->id);
}

static bool
flags_fit(const struct gvs_svcid *id, const struct gvs_service *claim)
{
    bool hashes = strcmp(claim->sched, "sh") == 0 || strcmp(claim->sched, "mh") == 0;

    if ((claim->flags & GVS_FLAG_OPS) && id->proto != GVS_PROTO_UDP)
        return false;
    return !(claim->flags & (GVS_FLAG_FALLBACK | GVS_FLAG_PORT)) || hashes;
}

static uint8_t
family_bits(const struct gvs_svcid *id)
{
    return id->addr.family == GVS_FAMILY_V6 ? 128 : 32;
}

enum gvs_withheld
gvs_view_judge_service(const struct gvs_view_service *v, const struct gvs_view_env *env)
{
    const struct gvs_svcid *id = &v->id;

    if (!v->claimed)
        return GVS_WITHHELD_ORPHAN;
    if (v->withheld != GVS_SHOWN)
        return v->withheld;
    if (gvs_anchor_is(id))
        return GVS_WITHHELD_ANCHOR;
    if (v->claim.netmask > family_bits(id))
        return GVS_WITHHELD_UNREADABLE;
    if (!flags_fit(id, &v->claim))
        return GVS_WITHHELD_FLAGS;
    if (id->proto == GVS_PROTO_FWMARK)
        return GVS_SHOWN; /* no address, no port */
    if (addr_unusable(&id->addr))
        return GVS_WITHHELD_ADDRESS;
    if (!addr_allowed(env, &id->addr))
        return GVS_WITHHELD_NOT_ALLOWED;
    if (addr_own(env, &id->addr))
        return GVS_WITHHELD_OWN_ADDRESS;
    if (cuts_off_member(v, env))
        return GVS_WITHHELD_MEMBER_ADDRESS;
    if (id->port == 0 && v->claim.persistent == 0)
        return GVS_WITHHELD_PORT_ZERO;
    return GVS_SHOWN;
}

/* The service's own address and port; a service on port 0 has them all. */
static bool
is_own_vip(const struct gvs_svcid *id, const struct gvs_ep *ep)
{
    return id->proto != GVS_PROTO_FWMARK && gvs_addr_cmp(&id->addr, &ep->addr) == 0 &&
           (id->port == 0 || id->port == ep->port);
}

enum gvs_withheld
gvs_view_judge_backend(const struct gvs_view_service *v, const struct gvs_view_backend *b)
{
    if (!v->claimed)
        return GVS_WITHHELD_ORPHAN;
    if (b->withheld != GVS_SHOWN)
        return b->withheld;
    if (addr_unusable(&b->ep.addr) || is_own_vip(&v->id, &b->ep))
        return GVS_WITHHELD_ADDRESS;
    if (b->ep.port == 0 && v->id.port != 0)
        return GVS_WITHHELD_PORT_ZERO;
    if (b->ep.addr.family != v->id.addr.family && b->claim.forward != GVS_FORWARD_TUN)
        return GVS_WITHHELD_FAMILY;
    return GVS_SHOWN;
}

static uint32_t
weight_in_effect(const struct gvs_view_backend *b)
{
    if (b->override.drain)
        return 0;
    return b->override.has_weight ? b->override.weight : b->claim.weight;
}

/* Does a new connection find a server here? */
static bool
usable(const struct gvs_view_backend *b)
{
    return b->withheld == GVS_SHOWN && b->weight > 0;
}

/* Hides what only the gone claim, unless that leaves no usable destination (fail open). */
static void
hide(struct gvs_view_service *v)
{
    bool any = false, left = false;

    for (size_t i = 0; i < v->backend_count; i++) {
        const struct gvs_view_backend *b = &v->backends[i];

        any |= b->hidden != GVS_OWNER_THERE;
        left |= b->hidden == GVS_OWNER_THERE && usable(b);
    }
    v->open = any && !left;
    for (size_t i = 0; any && i < v->backend_count; i++) {
        struct gvs_view_backend *b = &v->backends[i];

        if (!left)
            b->hidden = GVS_OWNER_THERE;
        else if (b->hidden == GVS_OWNER_GONE && v->id.proto == GVS_PROTO_UDP)
            b->hidden = GVS_OWNER_SILENT;
        if (b->hidden != GVS_OWNER_THERE)
            b->weight = 0;
    }
}

static void
judge(struct gvs_view_service *v, const struct gvs_view_env *env)
{
    v->withheld = gvs_view_judge_service(v, env);
    for (size_t i = 0; i < v->backend_count; i++) {
        struct gvs_view_backend *b = &v->backends[i];

        b->withheld = gvs_view_judge_backend(v, b);
        b->weight = weight_in_effect(b);
    }
    hide(v);
}

/* --- the scan --- */

static void
scan_entry(struct scan *s, const struct gvs_entry *e)
{
    struct gvs_said said;
    struct gvs_key key;
    int rc = gvs_key_parse(&key, e->key, e->key_len);

    GVS_ASSERT(rc == GVS_OK);
    if (stage_of(s->env, &key.owner) == GVS_OWNER_RETIRED)
        return;
    gvs_trial_say(&said, s->t, s->env->now_ms, e);
    if (key.kind == GVS_KEY_SERVICE)
        claim_service(s, &key, &said);
    else if (key.kind == GVS_KEY_BACKEND)
        claim_backend(s, &key, &said);
    else if (key.kind == GVS_KEY_OVERRIDE)
        apply_override(s, &key, &said);
}

bool
gvs_view_service(const struct gvs_table *t, const struct gvs_view_env *env,
                 const struct gvs_svcid *svc, struct gvs_view_service *out)
{
    struct scan s = {.t = t, .v = out, .env = env};
    struct gvs_keybuf prefix;
    struct gvs_entry e;
    bool found;

    memset(out, 0, offsetof(struct gvs_view_service, backends));
    out->id = *svc;
    gvs_key_prefix(&prefix, svc);
    found = gvs_table_seek(t, prefix.b, prefix.len, false, &e);
    while (found && e.key_len > prefix.len && memcmp(e.key, prefix.b, prefix.len) == 0) {
        scan_entry(&s, &e);
        found = gvs_table_seek(t, e.key, e.key_len, true, &e);
    }
    if (!out->claimed && out->backend_count == 0)
        return false;
    judge(out, env);
    return true;
}

bool
gvs_view_seek(const struct gvs_table *t, const struct gvs_svcid *from, bool after,
              struct gvs_svcid *out)
{
    struct gvs_keybuf at = {0};
    struct gvs_key key;
    struct gvs_entry e;
    bool found;
    int rc;

    if (from)
        gvs_key_prefix(&at, from);
    if (from && after)
        at.b[at.len++] = 0xff; /* above all that continues the prefix */
    found = gvs_table_seek(t, at.b, at.len, false, &e);
    while (found && (e.tombstone || e.kind == GVS_KEY_MEMBER))
        found = gvs_table_seek(t, e.key, e.key_len, true, &e);
    if (!found || e.kind == GVS_KEY_TRIAL) /* which stand behind all services */
        return false;
    rc = gvs_key_parse(&key, e.key, e.key_len);
    GVS_ASSERT(rc == GVS_OK);
    *out = key.svc;
    return true;
}

/* --- ends --- */

/* One claim more. */
static void
note_end(struct gvs_view_end *end, bool *claimed, const struct gvs_said *said,
         enum gvs_owner_stage stage)
{
    const struct gvs_entry *e = &said->e;
    bool force;

    if (!e->tombstone) {
        end->silent = (end->silent || !*claimed) && stage != GVS_OWNER_THERE;
        *claimed = true;
    } else if (end->hlc < said->since.hlc) {
        end->hlc = said->since.hlc;
        end->force = gvs_tombstone_decode(&force, e->value, e->value_len) == GVS_OK && force;
        end->back = said->back;
    }
}

struct gvs_view_end
gvs_view_end(const struct gvs_table *t, const struct gvs_view_env *env, const struct gvs_svcid *svc,
             const struct gvs_ep *ep)
{
    struct gvs_key key = {.kind = ep ? GVS_KEY_BACKEND : GVS_KEY_SERVICE, .svc = *svc};
    struct gvs_view_end end = {.silent = false};
    struct gvs_keybuf prefix;
    struct gvs_entry e;
    struct gvs_said said;
    bool claimed = false, found;

    if (ep)
        key.ep = *ep;
    gvs_key_build(&prefix, &key); /* the cluster's: what others' continue */
    found = gvs_table_seek(t, prefix.b, prefix.len, false, &e);
    while (found && e.key_len >= prefix.len && memcmp(e.key, prefix.b, prefix.len) == 0) {
        int rc = gvs_key_parse(&key, e.key, e.key_len);
        enum gvs_owner_stage stage = stage_of(env, &key.owner);

        GVS_ASSERT(rc == GVS_OK);
        gvs_trial_say(&said, t, env->now_ms, &e);
        if (stage != GVS_OWNER_RETIRED)
            note_end(&end, &claimed, &said, stage);
        found = gvs_table_seek(t, e.key, e.key_len, true, &e);
    }
    if (claimed)
        end = (struct gvs_view_end){.silent = ep && end.silent};
    return end;
}

/* --- items --- */

static struct gvs_item
service_item(const struct gvs_view_service *v)
{
    struct gvs_item item = gvs_item_make_service(&v->id);

    memcpy(item.service.sched, v->claim.sched, strlen(v->claim.sched));
    item.service.flags = v->claim.flags;
    item.service.persistent = v->claim.persistent;
    item.service.netmask = v->claim.netmask ? v->claim.netmask : family_bits(&v->id);
    return item;
}

static struct gvs_item
dest_item(const struct gvs_view_service *v, const struct gvs_view_backend *b)
{
    struct gvs_item item = gvs_item_make_dest(&v->id, &b->ep);

    item.dest.weight = b->weight;
    if (b->claim.upper > 0) { /* the kernel refuses a lower one alone, which would mean nothing */
        item.dest.lower = b->claim.lower;
        item.dest.upper = b->claim.upper;
    }
    item.dest.forward = b->claim.forward;
    if (b->claim.forward == GVS_FORWARD_TUN) { /* the kernel keeps them of no other */
        item.dest.tunnel_port = b->claim.tunnel_port;
        item.dest.tunnel = b->claim.tunnel;
    }
    return item;
}

size_t
gvs_view_items(const struct gvs_view_service *v, struct gvs_item *out, size_t max)
{
    size_t count = 0;

    GVS_ASSERT(max > v->backend_count);
    if (v->withheld != GVS_SHOWN)
        return 0;
    out[count++] = service_item(v);
    for (size_t i = 0; i < v->backend_count; i++) {
        if (v->backends[i].withheld == GVS_SHOWN && v->backends[i].hidden != GVS_OWNER_SILENT)
            out[count++] = dest_item(v, &v->backends[i]);
    }
    return count;
}
