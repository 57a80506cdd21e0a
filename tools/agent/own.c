/* This node's claims: what services.d says, as entries in its own name.
 *
 * The directory is the truth. Every pass compares it with the table's entries of this owner, and
 * writes only what differs: an unchanged claim is never stamped anew. While a file does not parse
 * and has no good version from before, nothing is taken back, because what it claimed is unknown;
 * nor while another process goes by our name, a cloned machine, because it might be that one's.
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

struct claim { /* borrowed from a file */
    const struct gvs_claim_service *service;
};

static int
cmp_claim(const void *a, const void *b)
{
    const struct claim *x = a, *y = b;

    return gvs_svcid_cmp(&x->service->id, &y->service->id);
}

/* All services of all files, ascending. NULL with *count 0 if there are none, or no memory. */
static struct claim *
all_services(const struct gvs_claims *c, size_t *count)
{
    struct claim *all;
    size_t n = 0;

    for (size_t i = 0; i < c->file_count; i++)
        n += c->files[i].service_count;
    *count = 0;
    all = n ? calloc(n, sizeof *all) : NULL;
    if (!all)
        return NULL;
    for (size_t i = 0; i < c->file_count; i++)
        for (size_t j = 0; j < c->files[i].service_count; j++)
            all[(*count)++].service = &c->files[i].services[j];
    qsort(all, *count, sizeof *all, cmp_claim);
    return all;
}

static const struct gvs_claim_service *
find_service(const struct claim *all, size_t count, const struct gvs_svcid *svc)
{
    struct gvs_claim_service probe = {.id = *svc};
    struct claim key = {&probe}, *found = NULL;

    if (count)
        found = bsearch(&key, all, count, sizeof *all, cmp_claim);
    return found ? found->service : NULL;
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

static void
withdraw_others(struct gvs_agent *a, struct claim *all, size_t count)
{
    struct gvs_moment now = gvs_agent_moment();
    struct gvs_id self = gvs_node_self(a->node);
    struct gvs_keybuf at = {0};
    struct gvs_entry e;
    uint8_t value[GVS_VALUE_LEN_MAX];

    while (gvs_table_seek(gvs_node_claims(a->node), at.b, at.len, at.len > 0, &e)) {
        const struct gvs_claim_service *s;
        struct gvs_key key;

        at.len = e.key_len;
        memcpy(at.b, e.key, e.key_len);
        if (e.tombstone || gvs_key_parse(&key, e.key, e.key_len) < 0 ||
            key.kind == GVS_KEY_OVERRIDE || gvs_id_cmp(&key.owner, &self) != 0 ||
            gvs_code_has(a, &key))
            continue;
        s = find_service(all, count, &key.svc);
        if (key.kind == GVS_KEY_SERVICE ? s != NULL : gvs_claims_find_backend(s, &key.ep) != NULL)
            continue;
        gvs_agent_write_claim(a, &now, &key, true, value, gvs_tombstone_encode(value, false));
    }
}

/* Adds and edits at once. What is missing is withdrawn when it has been missing for a while: a file
 * that is being rewritten in place is empty for a moment, and an editor moves the old one away
 * before the new one is there. */
static void
make_so(struct gvs_agent *a, bool withdraw)
{
    size_t count;
    struct claim *all = all_services(&a->claims, &count);

    gvs_agent_absorb(a); /* what peers caused is not attributed to the files */
    a->claims_again = GVS_MONO_NEVER;
    a->via = GVS_VIA_FILE;
    for (size_t i = 0; i < count; i++)
        write_service(a, all[i].service);
    if (withdraw && !unknown_claims(&a->claims))
        withdraw_others(a, all, count);
    gvs_agent_absorb(a);
    a->via = GVS_VIA_PEER;
    free(all);
    gvs_code_write(a);
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

void
gvs_agent_read_claims(struct gvs_agent *a)
{
    struct gvs_mono now = gvs_udp_now();
    uint64_t own_name = gvs_node_count(a->node).own_name;
    bool changed, drained, withdraw;

    if (!gvs_agent_may_write(a) || gvs_node_retired(a->node))
        return;
    a->claims_tried = true;
    changed = gvs_claims_read(&a->claims, a->cfg.services, &a->claims_fault);
    if (changed)
        tell_bad_files(a);
    drained = gvs_maintenance_read(a);
    if (changed || !a->claims_read)
        gvs_checks_sync(a);
    if (a->claims_fault.text[0]) { /* unreadable: what it claimed before stays */
        if (drained || a->code.due)
            make_so(a, false);
        return;
    }
    if (changed || drained || a->code.due || !a->claims_read || must_insist(a, own_name, now)) {
        a->claims_read = true;
        a->own_name = own_name;
        a->insist = gvs_mono_add_ms(now, GVS_CLONE_MS);
        a->withdraw = gvs_mono_add_ms(now, WITHDRAW_MS);
        make_so(a, false);
    } else if (gvs_mono_due(a->claims_again, now)) {
        make_so(a, false);
    }
    /* What is not in our files may be in the other's, and in use. */
    withdraw = gvs_mono_due(a->withdraw, now) && !is_doubled(a, now);
    if (withdraw) {
        a->withdraw = GVS_MONO_NEVER;
        make_so(a, true);
    }
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

    if (!gvs_claims_find_backend(s, ep))
        return false;
    if (!gvs_maintenance_covers(a, s->attr.name))
        return gvs_checks_reason(a, svc, ep, text, cap);
    snprintf(text, cap, "maintenance.d/%s", s->attr.name);
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
