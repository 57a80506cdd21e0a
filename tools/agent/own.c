/* This node's claims: what services.d says, as entries in its own name.
 *
 * The directory is the truth. Every pass compares it with the table's entries of this owner, and
 * writes only what differs: an unchanged claim is never stamped anew. While a file does not parse
 * and has no good version from before, nothing is taken back, because what it claimed is unknown;
 * nor while another process goes by our name, a cloned machine, because it might be that one's.
 *
 * Files are parsed by another thread, and a pass goes on in slices, so that a directory of any size
 * keeps nobody waiting for this node. Of several changes the last counts: what is found while a
 * pass goes on begins it anew.
 *
 * A backend that its check calls down (checks.c), or whose service is in maintenance
 * (maintenance.c), is claimed with weight 0: that is all that others hear of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/member.h"
#include "tools/agent/agent.h"

#define WITHDRAW_MS 1900              /* two readings agree */
#define REFUSED_MS 5000               /* what was not taken is tried again; nothing special */
#define DOUBLED_MS (3 * GVS_CLONE_MS) /* clones are noticed once in GVS_CLONE_MS */

#define SERVICES_PER_SLICE 128
#define ENTRIES_PER_SLICE 1024

struct gvs_claims_reading { /* by another thread */
    uv_work_t work;
    struct gvs_agent *a;
    struct gvs_claims_found found;
};

static int
cmp_claim(const void *a, const void *b)
{
    const struct gvs_claim_service *const *x = a, *const *y = b;

    return gvs_svcid_cmp(&(*x)->id, &(*y)->id);
}

static const struct gvs_claim_service *
find_service(const struct gvs_claims_pass *p, const struct gvs_svcid *svc)
{
    const struct gvs_claim_service probe = {.id = *svc}, *key = &probe, **found;

    found = p->count ? bsearch(&key, p->all, p->count, sizeof *p->all, cmp_claim) : NULL;
    return found ? *found : NULL;
}

/* Mostly the table is full, and will not be for ever. */
static void
refused(struct gvs_agent *a, const struct gvs_key *key)
{
    char vip[GVS_SVCID_TEXT_LEN];

    gvs_svcid_format(vip, &key->svc);
    gvs_agent_log_seldom(
        a, GVS_SELDOM_CLAIM,
        "the table (%zu of %zu entries) does not take a claim of this node's on vip "
        "'%s'; it is tried again",
        gvs_table_count(gvs_node_claims(a->node)), a->cfg.limits.entries, vip);
    a->claims_again = gvs_mono_add_ms(gvs_udp_now(), REFUSED_MS);
}

void
gvs_agent_write_claim(struct gvs_agent *a, const struct gvs_moment *now, const struct gvs_key *key,
                      bool tombstone, const uint8_t *value, size_t len)
{
    const struct gvs_table *t = gvs_node_claims(a->node);
    struct gvs_keybuf kb;
    struct gvs_entry e;

    gvs_key_build(&kb, key);
    if (gvs_table_get(t, kb.b, kb.len, &e) && e.tombstone == tombstone &&
        (tombstone || (e.value_len == len && memcmp(e.value, value, len) == 0)))
        return;
    if (gvs_node_write(a->node, now->mono, now->wall, key, tombstone, value, len, NULL) < 0)
        refused(a, key);
    gvs_agent_take_entries(a); /* the node lends them one write at a time */
}

static void
write_backend(struct gvs_agent *a, const struct gvs_moment *now, const struct gvs_claim_service *s,
              const struct gvs_claim_backend *b)
{
    struct gvs_key key = {
        .kind = GVS_KEY_BACKEND, .svc = s->id, .ep = b->ep, .owner = gvs_node_self(a->node)};
    struct gvs_backend attr = b->attr;
    uint8_t value[GVS_VALUE_LEN_MAX];

    if (gvs_maintenance_covers(a, s->attr.name) || gvs_checks_down(a, &s->id, &b->ep))
        attr.weight = 0;
    gvs_agent_write_claim(a, now, &key, false, value, gvs_backend_encode(value, &attr));
}

static void
write_service(struct gvs_agent *a, const struct gvs_claim_service *s)
{
    struct gvs_key key = {.kind = GVS_KEY_SERVICE, .svc = s->id, .owner = gvs_node_self(a->node)};
    struct gvs_moment now = gvs_agent_moment();
    uint8_t value[GVS_VALUE_LEN_MAX];

    gvs_agent_write_claim(a, &now, &key, false, value, gvs_service_encode(value, &s->attr));
    for (size_t i = 0; i < s->backend_count; i++)
        write_backend(a, &now, s, &s->backends[i]);
}

/* Does some file that is bad now have nothing good from before? */
static bool
unknown_claims(const struct gvs_claims *c)
{
    for (size_t i = 0; i < c->file_count; i++)
        if (c->files[i].bad && c->files[i].service_count == 0)
            return true;
    return false;
}

/* Whether there is more in the table to look at. */
static bool
withdraw_some(struct gvs_agent *a, struct gvs_claims_pass *p)
{
    struct gvs_moment now = gvs_agent_moment();
    struct gvs_id self = gvs_node_self(a->node);
    struct gvs_keybuf *at = &p->behind;
    struct gvs_entry e;
    uint8_t value[GVS_VALUE_LEN_MAX];

    for (int i = 0; i < ENTRIES_PER_SLICE; i++) {
        const struct gvs_claim_service *s;
        struct gvs_key key;

        if (!gvs_table_seek(gvs_node_claims(a->node), at->b, at->len, at->len > 0, &e))
            return false;
        at->len = e.key_len;
        memcpy(at->b, e.key, e.key_len);
        if (e.tombstone || gvs_key_parse(&key, e.key, e.key_len) < 0 ||
            key.kind == GVS_KEY_OVERRIDE || gvs_id_cmp(&key.owner, &self) != 0 ||
            gvs_code_has(a, &key))
            continue;
        s = find_service(p, &key.svc);
        if (key.kind == GVS_KEY_SERVICE ? s != NULL : gvs_claims_find_backend(s, &key.ep) != NULL)
            continue;
        gvs_agent_write_claim(a, &now, &key, true, value, gvs_tombstone_encode(value, false));
    }
    return true;
}

static void
end_pass(struct gvs_claims_pass *p)
{
    free(p->all);
    *p = (struct gvs_claims_pass){.on = false};
}

/* Adds and edits at once. What is missing is withdrawn when it has been missing for a while: a file
 * that is being rewritten in place is empty for a moment, and an editor moves the old one away
 * before the new one is there. */
static void
begin_pass(struct gvs_agent *a, bool withdraw)
{
    struct gvs_claims_pass *p = &a->pass;
    size_t n = 0;

    end_pass(p);
    for (size_t i = 0; i < a->claims.file_count; i++)
        n += a->claims.files[i].service_count;
    p->all = calloc(n + 1, sizeof *p->all);
    GVS_ASSERT(p->all);
    for (size_t i = 0; i < a->claims.file_count; i++)
        for (size_t j = 0; j < a->claims.files[i].service_count; j++)
            p->all[p->count++] = &a->claims.files[i].services[j];
    qsort(p->all, p->count, sizeof *p->all, cmp_claim);
    p->on = true;
    p->withdraw = withdraw && !unknown_claims(&a->claims);
    a->claims_again = GVS_MONO_NEVER;
}

bool
gvs_agent_claim_next(struct gvs_agent *a)
{
    struct gvs_claims_pass *p = &a->pass;

    if (gvs_node_retired(a->node))
        end_pass(p);
    if (!p->on || (p->at == p->count && a->reading))
        return false;    /* what is being read may name what would be withdrawn */
    gvs_agent_absorb(a); /* what peers caused is not attributed to the files */
    a->via = GVS_VIA_FILE;
    if (p->at < p->count) {
        for (int i = 0; i < SERVICES_PER_SLICE && p->at < p->count; i++)
            write_service(a, p->all[p->at++]);
        p->on = p->at < p->count || p->withdraw;
    } else {
        p->on = p->withdraw && withdraw_some(a, p);
    }
    gvs_agent_absorb(a);
    a->via = GVS_VIA_PEER;
    if (p->on)
        return true;
    end_pass(p);
    a->claims_tried = true;
    gvs_code_write(a);
    return false;
}

static void
tell_bad_files(struct gvs_agent *a)
{
    for (size_t i = 0; i < a->claims.file_count; i++)
        if (a->claims.files[i].bad)
            gvs_agent_log(a, GVS_LOG_ERR, "%s", a->claims.files[i].fault.text);
}

static bool
is_doubled(const struct gvs_agent *a, struct gvs_mono now)
{
    struct gvs_mono when;
    struct gvs_ep ep;

    return gvs_node_cloned(a->node, &when, &ep) &&
           !gvs_mono_due(gvs_mono_add_ms(when, DOUBLED_MS), now);
}

/* Did somebody write in our name? What a former life of ours left is put right at once. Of two
 * processes that go by one name, each of which would take back what the other one says, neither
 * insists more often than once a minute. */
static bool
must_insist(const struct gvs_agent *a, uint64_t own_name, struct gvs_mono now)
{
    return own_name != a->own_name && (!is_doubled(a, now) || gvs_mono_due(a->insist, now));
}

/* What was found in services.d, and is read, is what this node claims from now on. */
static void
take_claims(struct gvs_agent *a, struct gvs_claims_found *found)
{
    struct gvs_mono now = gvs_udp_now();
    uint64_t own_name = gvs_node_count(a->node).own_name;
    bool withdraw = a->pass.on && a->pass.withdraw;
    bool cut = a->pass.on && found->any; /* it borrows what goes now */
    bool changed, drained, code;

    changed = gvs_claims_take(&a->claims, found, &a->claims_fault);
    if (changed || !a->claims_read)
        tell_bad_files(a);
    drained = gvs_maintenance_read(a);
    if (changed || !a->claims_read)
        gvs_checks_sync(a);
    code = a->code.due && !a->pass.on; /* which writes it at its end */
    if (a->claims_fault.text[0]) {     /* unreadable: what it claimed before stays */
        a->claims_tried = true;
        if (drained || code)
            begin_pass(a, withdraw);
        return;
    }
    if (changed || drained || code || !a->claims_read || must_insist(a, own_name, now)) {
        a->claims_read = true;
        a->own_name = own_name;
        a->insist = gvs_mono_add_ms(now, GVS_CLONE_MS);
        a->withdraw = gvs_mono_add_ms(now, WITHDRAW_MS);
        begin_pass(a, false);
    } else if (cut || (gvs_mono_due(a->claims_again, now) && !a->pass.on)) {
        begin_pass(a, withdraw);
    }
    /* What is not in our files may be in the other's, and in use. */
    if (gvs_mono_due(a->withdraw, now) && !is_doubled(a, now)) {
        a->withdraw = GVS_MONO_NEVER;
        begin_pass(a, true);
    }
}

static void
parse(uv_work_t *work)
{
    struct gvs_claims_reading *r = work->data;

    gvs_claims_parse(&r->found);
}

static void
parsed(uv_work_t *work, int status)
{
    struct gvs_claims_reading *r = work->data;
    struct gvs_agent *a = r->a;
    bool again = a->read_again, last = a->reading == r;

    (void)status; /* nobody cancels it */
    if (last)
        a->reading = NULL;
    if (!last || a->closing || gvs_node_retired(a->node)) {
        gvs_claims_found_free(&r->found);
    } else {
        a->read_again = false;
        take_claims(a, &r->found);
        if (again)
            gvs_agent_read_claims(a);
        gvs_agent_pump(a);
    }
    free(r);
    gvs_agent_handle_closed(a);
}

static void
read_by_thread(struct gvs_agent *a, const struct gvs_claims_found *found)
{
    struct gvs_claims_reading *r = calloc(1, sizeof *r);
    int rc;

    GVS_ASSERT(r);
    r->a = a;
    r->found = *found;
    r->work.data = r;
    a->reading = r;
    a->handles++;
    rc = uv_queue_work(a->loop, &r->work, parse, parsed);
    GVS_ASSERT(rc == 0); /* there is no other reason than no function */
}

static bool
may_claim(const struct gvs_agent *a)
{
    return gvs_agent_may_write(a) && !gvs_node_retired(a->node);
}

void
gvs_agent_read_claims(struct gvs_agent *a)
{
    struct gvs_claims_found found;

    if (!may_claim(a))
        return;
    if (a->reading)
        a->read_again = true;
    else if (gvs_claims_look(&found, &a->claims, a->cfg.services))
        read_by_thread(a, &found);
    else
        take_claims(a, &found);
}

void
gvs_agent_read_claims_now(struct gvs_agent *a)
{
    struct gvs_claims_found found;

    if (!may_claim(a))
        return;
    a->reading = NULL; /* what is found by then is not looked at */
    if (gvs_claims_look(&found, &a->claims, a->cfg.services))
        gvs_claims_parse(&found);
    take_claims(a, &found);
    while (gvs_agent_claim_next(a))
        ;
}

void
gvs_agent_claim_backend(struct gvs_agent *a, const struct gvs_svcid *svc, const struct gvs_ep *ep)
{
    const struct gvs_claim_service *s = gvs_claims_find(&a->claims, svc, NULL);
    const struct gvs_claim_backend *b = gvs_claims_find_backend(s, ep);
    struct gvs_moment now = gvs_agent_moment();

    if (!b || gvs_node_retired(a->node))
        return;
    gvs_agent_absorb(a);
    a->via = GVS_VIA_FILE;
    write_backend(a, &now, s, b);
    gvs_agent_absorb(a);
    a->via = GVS_VIA_PEER;
}

bool
gvs_agent_claim_held(const struct gvs_agent *a, const struct gvs_svcid *svc,
                     const struct gvs_ep *ep, char *text, size_t cap)
{
    const struct gvs_claim_service *s = gvs_claims_find(&a->claims, svc, NULL);
    const struct gvs_key key = {.kind = GVS_KEY_BACKEND, .svc = *svc, .ep = *ep};
    bool filed = gvs_claims_find_backend(s, ep) != NULL;
    const char *name;

    if (filed && !gvs_maintenance_covers(a, s->attr.name))
        return gvs_checks_reason(a, svc, ep, text, cap);
    name = filed ? s->attr.name : gvs_code_drains(a, &key);
    if (!name)
        return false;
    snprintf(text, cap, "maintenance.d/%s", name);
    return true;
}

const char *
gvs_agent_claim_file(const struct gvs_agent *a, const struct gvs_svcid *svc,
                     const struct gvs_ep *ep)
{
    for (size_t i = 0; i < a->claims.file_count; i++) {
        const struct gvs_claims_file *f = &a->claims.files[i];

        for (size_t j = 0; j < f->service_count; j++)
            if (gvs_svcid_cmp(&f->services[j].id, svc) == 0 &&
                (!ep || gvs_claims_find_backend(&f->services[j], ep)))
                return f->name;
    }
    return NULL;
}
