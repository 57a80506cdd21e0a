/* Who takes part, kept for everything that asks often: which claims are hidden, which addresses are
 * the members' own, whose table has not been ours for how long. */
#include <stdlib.h>
#include <string.h>

#include "tools/agent/agent.h"

/* --- whose table differs --- */

/* The place of a member among `count`, in order of ids. */
static size_t
place_of(const struct gvs_node_member *m, size_t count, const struct gvs_id *id)
{
    size_t lo = 0, hi = count;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (gvs_id_cmp(&m[mid].id, id) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < count && gvs_id_cmp(&m[lo].id, id) == 0 ? lo : count;
}

/* Members are only ever added, anywhere in the order: a note moves along with its member. */
static void
move_notes(struct gvs_agent *a, const struct gvs_id *ids, size_t count)
{
    size_t from = count;

    for (size_t to = a->member_count; to-- > 0;) {
        bool old = from > 0 && gvs_id_cmp(&ids[from - 1], &a->members[to].id) == 0;

        a->notes[to] = old ? a->notes[--from] : (struct gvs_member_note){.differs = GVS_MONO_NEVER};
    }
}

static void
note_differences(struct gvs_agent *a, struct gvs_mono now)
{
    uint64_t ours = gvs_table_fingerprint(gvs_node_claims(a->node));

    for (size_t i = 0; i < a->member_count; i++) {
        const struct gvs_node_member *m = &a->members[i];

        if (m->self || m->state > GVS_SUSPECT || !m->has_fingerprint || m->fingerprint == ours)
            a->notes[i].differs = GVS_MONO_NEVER;
        else if (a->notes[i].differs.us == GVS_MONO_NEVER.us)
            a->notes[i].differs = now;
    }
}

static void
note_changes(struct gvs_agent *a, struct gvs_mono now)
{
    for (size_t i = 0; i < a->member_count; i++) {
        const struct gvs_node_member *m = &a->members[i];
        struct gvs_member_note *note = &a->notes[i];

        if (note->deferred != m->deferred)
            note->deferred_at = now;
        note->deferred = m->deferred;
        if (gvs_ep_cmp(&note->ep, &m->value.ep) != 0)
            note->former = note->ep;
        note->ep = m->value.ep;
    }
}

uint64_t
gvs_owners_differs_ms(const struct gvs_agent *a, const struct gvs_id *id)
{
    size_t at = place_of(a->members, a->member_count, id);

    if (at == a->member_count || a->notes[at].differs.us == GVS_MONO_NEVER.us)
        return 0;
    return (gvs_udp_now().us - a->notes[at].differs.us) / 1000;
}

/* --- addresses --- */

static int
cmp_addr(const void *a, const void *b)
{
    return gvs_addr_cmp(a, b);
}

const struct gvs_node_member *
gvs_owners_at(const struct gvs_agent *a, const struct gvs_addr *addr)
{
    const struct gvs_node_member *found = NULL;

    for (size_t i = 0; i < a->member_count; i++)
        if (a->members[i].state != GVS_LEFT &&
            gvs_addr_cmp(&a->members[i].value.ep.addr, addr) == 0 &&
            (!found || a->members[i].state < found->state))
            found = &a->members[i];
    return found;
}

static const uint8_t protos[] = {GVS_PROTO_TCP, GVS_PROTO_UDP, GVS_PROTO_SCTP};

bool
gvs_owners_service_at(const struct gvs_agent *a, const struct gvs_addr *addr, struct gvs_svcid *out)
{
    const struct gvs_table *t = gvs_node_claims(a->node);

    for (size_t i = 0; i < sizeof protos / sizeof *protos; i++) {
        struct gvs_svcid at = {.proto = protos[i], .addr = *addr};

        for (bool after = false; gvs_view_seek(t, &at, after, &at) && at.proto == protos[i] &&
                                 gvs_addr_cmp(&at.addr, addr) == 0;
             after = true) {
            struct gvs_range shown = gvs_set_service(a->shown, &at);

            if (shown.at == shown.end)
                continue;
            *out = at;
            return true;
        }
    }
    return false;
}

/* Every service on this address is viewed anew; they lie together, by protocol. */
static void
dirty_address(struct gvs_agent *a, const struct gvs_addr *addr)
{
    const struct gvs_table *t = gvs_node_claims(a->node);

    for (size_t i = 0; i < sizeof protos / sizeof *protos; i++) {
        struct gvs_svcid at = {.proto = protos[i], .addr = *addr};

        for (bool after = false; gvs_view_seek(t, &at, after, &at) && at.proto == protos[i] &&
                                 gvs_addr_cmp(&at.addr, addr) == 0;
             after = true)
            gvs_agent_dirty(a, &at);
    }
}

/* Of whoever lives, and our own from the first moment on. The dead keep nobody from an address. */
static void
take_addresses(struct gvs_agent *a)
{
    size_t count = 0, was_count = a->member_addr_count, i = 0, j = 0;
    struct gvs_addr *is = calloc(a->member_count + 1, sizeof *is), *was = a->member_addrs;

    if (!is)
        return; /* with the next event */
    is[count++] = a->cfg.advertise.addr;
    for (size_t k = 0; k < a->member_count; k++)
        if (!a->members[k].self && a->members[k].state < GVS_DEAD &&
            a->members[k].value.ep.addr.family != GVS_FAMILY_NONE)
            is[count++] = a->members[k].value.ep.addr;
    qsort(is, count, sizeof *is, cmp_addr);
    while (i < was_count || j < count) {
        int cmp = i == was_count ? 1 : j == count ? -1 : gvs_addr_cmp(&was[i], &is[j]);

        if (cmp != 0)
            dirty_address(a, cmp < 0 ? &was[i] : &is[j]);
        i += cmp <= 0;
        j += cmp >= 0;
    }
    memcpy(a->member_addrs, is, count * sizeof *is);
    a->member_addr_count = count;
    free(is);
}

/* --- opening and closing --- */

int
gvs_owners_open(struct gvs_agent *a)
{
    size_t max = a->cfg.limits.members;

    a->members = calloc(max, sizeof *a->members);
    a->member_addrs = calloc(max + 1, sizeof *a->member_addrs);
    a->notes = calloc(max, sizeof *a->notes);
    if (!gvs_hide_open(&a->hide, max) || !a->members || !a->member_addrs || !a->notes)
        return GVS_E_FULL;
    a->member_count = gvs_node_list(a->node, a->members, max);
    for (size_t i = 0; i < max; i++)
        a->notes[i].differs = GVS_MONO_NEVER;
    gvs_hide_begin(&a->hide, a->members, a->member_count);
    take_addresses(a); /* before the first view: what that shows is in use from then on */
    a->hide_next = GVS_MONO_NEVER;
    a->members_due = true;
    return GVS_OK;
}

void
gvs_owners_close(struct gvs_agent *a)
{
    gvs_hide_close(&a->hide);
    free(a->members);
    free(a->member_addrs);
    free(a->notes);
}

/* --- the list --- */

static void
list_members(struct gvs_agent *a)
{
    size_t count = a->member_count;
    struct gvs_id *ids = calloc(count + 1, sizeof *ids);

    for (size_t i = 0; ids && i < count; i++)
        ids[i] = a->members[i].id;
    a->member_count = gvs_node_list(a->node, a->members, a->cfg.limits.members);
    if (ids)
        move_notes(a, ids, count);
    free(ids);
}

struct gvs_mono
gvs_owners_refresh(struct gvs_agent *a, struct gvs_mono now)
{
    if (!a->members_due && !gvs_mono_due(a->hide_next, now))
        return a->hide_next;
    a->members_due = false;
    list_members(a);
    note_differences(a, now);
    note_changes(a, now);
    take_addresses(a);
    a->hide_next = gvs_hide_update(&a->hide, a->members, a->member_count, now);
    if (a->hide.changed_count > 0) {
        a->scanning = true; /* from the start, if it was under way: for all of them */
        a->scan_key.len = 0;
    }
    if (gvs_node_retired(a->node) && !a->retired) {
        a->retired = true;
        gvs_agent_log(
            a, GVS_LOG_ERR,
            "this node's id has been retired: it writes nothing any more, its kernel stays "
            "as it is; restart gossipvsd to join with a new id");
    }
    return a->hide_next;
}

/* --- their services --- */

static bool
is_changed(const struct gvs_agent *a, const struct gvs_id *owner)
{
    for (size_t i = 0; i < a->hide.changed_count; i++)
        if (gvs_id_cmp(&a->hide.changed[i], owner) == 0)
            return true;
    return false;
}

bool
gvs_owners_next(struct gvs_agent *a, size_t *budget, struct gvs_svcid *out)
{
    const struct gvs_table *t = gvs_node_claims(a->node);
    struct gvs_entry e;
    struct gvs_key key;

    for (; a->scanning && *budget > 0; --*budget) {
        if (!gvs_table_seek(t, a->scan_key.b, a->scan_key.len, a->scan_key.len > 0, &e)) {
            a->scanning = false;
            a->hide.changed_count = 0;
            return false;
        }
        a->scan_key.len = e.key_len;
        memcpy(a->scan_key.b, e.key, e.key_len);
        if (e.tombstone || e.kind == GVS_KEY_OVERRIDE ||
            gvs_key_parse(&key, e.key, e.key_len) < 0 || !is_changed(a, &key.owner))
            continue;
        gvs_key_prefix(&a->scan_key, &key.svc);
        a->scan_key.b[a->scan_key.len++] = 0xff; /* above all that continues it: the next service */
        *out = key.svc;
        return true;
    }
    return false;
}
