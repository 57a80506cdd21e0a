/* ipvs/look.c: reads the kernel, and corrects `configured` by what it shows.
 *
 * A reading of one service is always the same: the service as the last dump of all services has it,
 * with the destinations read now, against what `configured` holds of it (take). What brings a
 * service here differs: the first read, a look after answers that were lost or strange, or the
 * sweep of an audit, which also asks by what route the service's address is reached.
 *
 * The kernel's dumps are no snapshot: an entry can be skipped while others come and go. So what one
 * dump does not show is looked for once more before it counts as gone, and what one dump shows too
 * much is not removed before a second one shows it again (slot->once). */
#include "ipvs/kernel_impl.h"

#include <stdlib.h>
#include <string.h>

#define RETRY_MS 1000 /* after a reading that failed; nothing special about it */

/* Dumps. */

static bool
found_one(void *ctx, const struct gvs_nl_found *found)
{
    struct gvs_dump *d = ctx;
    struct gvs_found *f;

    if (d->count == d->cap) {
        size_t cap = d->cap ? d->cap * 2 : 64;

        f = reallocarray(d->v, cap, sizeof *f);
        d->full = !f;
        if (!f)
            return false;
        d->v = f;
        d->cap = cap;
    }
    f = &d->v[d->count++];
    *f = (struct gvs_found){found->item, found->active, found->inactive, found->rates};
    if (found->odd && found->item.kind == GVS_ITEM_SERVICE)
        f->item.service.flags |= GVS_ITEM_ODD;
    if (found->odd && found->item.kind == GVS_ITEM_DEST)
        f->item.dest.lower |= GVS_ITEM_ODD;
    return true;
}

static int
cmp_found(const void *a, const void *b)
{
    return gvs_item_cmp(&((const struct gvs_found *)a)->item, &((const struct gvs_found *)b)->item);
}

/* Ascending, and each once: the kernel may repeat an entry. */
static int
finish_dump(struct gvs_dump *d, int rc)
{
    size_t kept = 0;

    if (rc == GVS_OK && d->full)
        rc = GVS_E_FULL;
    if (rc != GVS_OK)
        d->count = 0;
    if (d->count > 1)
        qsort(d->v, d->count, sizeof *d->v, cmp_found);
    for (size_t i = 0; i < d->count; i++) {
        if (kept == 0 || cmp_found(&d->v[kept - 1], &d->v[i]) != 0)
            d->v[kept++] = d->v[i];
    }
    d->count = kept;
    return rc;
}

int
gvs_look_services(struct gvs_kernel *k, struct gvs_dump *out)
{
    out->count = 0;
    out->full = false;
    return finish_dump(out, k->nl ? gvs_nl_services(k->nl, found_one, out) : GVS_OK);
}

int
gvs_look_dests(struct gvs_kernel *k, const struct gvs_svcid *svc, struct gvs_dump *out)
{
    out->count = 0;
    out->full = false;
    return finish_dump(out, k->nl ? gvs_nl_dests(k->nl, svc, found_one, out) : GVS_OK);
}

const struct gvs_found *
gvs_look_find(const struct gvs_dump *d, const struct gvs_svcid *svc)
{
    size_t first = 0, last = d->count;

    while (first < last) {
        size_t middle = first + (last - first) / 2;
        int cmp = gvs_svcid_cmp(&d->v[middle].item.svc, svc);

        if (cmp == 0)
            return &d->v[middle];
        if (cmp < 0)
            first = middle + 1;
        else
            last = middle;
    }
    return NULL;
}

const struct gvs_found *
gvs_look_dest(const struct gvs_dump *d, const struct gvs_item *identity)
{
    const struct gvs_found key = {.item = *identity};

    return d->count ? bsearch(&key, d->v, d->count, sizeof key, cmp_found) : NULL;
}

bool
gvs_look_saw(const struct gvs_kernel *k, const struct gvs_svcid *svc)
{
    return gvs_look_find(&k->look.services, svc);
}

/* Without memory they are unknown. */
int
gvs_look_conns(struct gvs_slot *s, const struct gvs_dump *dests)
{
    struct gvs_conns *c = reallocarray(s->conns, dests->count ? dests->count : 1, sizeof *c);

    if (!c) {
        s->conns_count = 0;
        return GVS_E_FULL;
    }
    s->conns = c;
    s->conns_count = dests->count;
    for (size_t i = 0; i < dests->count; i++) {
        const struct gvs_found *f = &dests->v[i];

        c[i] = (struct gvs_conns){f->item.ep, f->active, f->inactive};
    }
    return GVS_OK;
}

void
gvs_look_fini(struct gvs_look *l)
{
    free(l->services.v);
    free(l->next.v);
    free(l->dests.v);
    free(l->items);
}

/* Nothing is concluded from it; all that waits for a reading goes on waiting. */
static void
reading_failed(struct gvs_kernel *k, int rc)
{
    k->look.failing = true;
    k->look.retry_at = gvs_mono_add_ms(k->now, RETRY_MS);
    gvs_report_error(k, "cannot read the kernel's services: %s", gvs_kernel_trouble(rc));
}

/* Drift. */

/* What `configured` had (or NULL) against what the kernel shows (or NULL), named by the operation
 * that undoes it. */
static void
note_drift(struct gvs_kernel *k, const struct gvs_item *had, const struct gvs_item *shows)
{
    struct gvs_op op;
    bool dest = (had ? had : shows)->kind == GVS_ITEM_DEST;

    memset(&op, 0, sizeof op);
    if (!shows)
        op.kind = dest ? GVS_OP_DEST_ADD : GVS_OP_SERVICE_ADD;
    else if (!had)
        op.kind = dest ? GVS_OP_DEST_DEL : GVS_OP_SERVICE_DEL;
    else
        op.kind = dest ? GVS_OP_DEST_EDIT : GVS_OP_SERVICE_EDIT;
    op.item = had ? *had : *shows;
    if (had && shows)
        op.before = *shows;
    k->counts.drift_found++;
    gvs_set_put(k->drifted, &op.item); /* if it is full, the repair is not known for one */
    gvs_report_event(k, GVS_KERNEL_DRIFT, &op, 0, false);
}

/* Our own lost batch is no drift, and nor is what another agent does while we observe. */
static bool
is_drift(const struct gvs_kernel *k, const struct gvs_slot *s)
{
    return s->present && k->read_once && !s->lost && !k->observing;
}

/* Taking a reading. */

/* All that is there is as we wanted it, though not all of it may be there. */
static bool
is_part_of(struct gvs_range part, struct gvs_range whole)
{
    struct gvs_diff d;
    const struct gvs_item *from, *to;
    enum gvs_diff_op op;

    gvs_diff_init(&d, part, whole);
    do
        op = gvs_diff_next(&d, &from, &to);
    while (op == GVS_DIFF_ADD);
    return op == GVS_DIFF_END;
}

/* An address on our interface tells that a service is ours if nothing else can. */
static bool
is_taken_back(const struct gvs_kernel *k, const struct gvs_svcid *svc)
{
    const struct gvs_vip *v;

    if (!k->ledger_lost || k->read_once || !gvs_vip_of(k, svc) || !gvs_svcid_valid(svc))
        return false;
    v = gvs_vip_find(k, &svc->addr);
    return v && v->there;
}

/* Is what stands there ours from now on (I3)? */
static bool
claim(struct gvs_kernel *k, struct gvs_slot *s, struct gvs_range seen)
{
    struct gvs_range wanted = gvs_kernel_wanted_of(k, s);
    bool entered = gvs_ledger_has_service(k->ledger, &s->id);

    if (k->observing)
        return entered || wanted.at < wanted.end;
    if (entered && !s->fresh)
        return true;
    if (is_taken_back(k, &s->id))
        return gvs_kernel_own(k, s);
    if (wanted.at == wanted.end)
        return false;
    if (s->fresh && s->lost && is_part_of(seen, wanted))
        return true; /* the last dump had none, we sent this, and the answer was lost */
    return gvs_ranges_equal(seen, wanted) && gvs_kernel_own(k, s);
}

static void
take_foreign(struct gvs_kernel *k, struct gvs_slot *s, struct gvs_range seen)
{
    bool entered = s->fresh;

    if (entered)
        gvs_kernel_disown(k, s);
    s->once = s->lost = s->surprised = false;
    gvs_failures_purge(&k->slots, s, true);
    gvs_slot_move(&k->slots, s, GVS_SLOT_IDLE);
    gvs_set_del_service(k->foreign, &s->id);
    gvs_slot_foreign(&k->slots, s, gvs_kernel_wants(k, s));
    for (; s->foreign && seen.at < seen.end; seen.at++)
        gvs_set_put(k->foreign, seen.at); /* if it is full, the rest is not shown */
    if (entered && gvs_vip_of(k, &s->id))
        gvs_vip_strike(k, &s->id.addr);
    gvs_kernel_recount(k, s);
    gvs_kernel_drop(k, s);
}

static void
no_longer_foreign(struct gvs_kernel *k, struct gvs_slot *s)
{
    gvs_set_del_service(k->foreign, &s->id);
    gvs_slot_foreign(&k->slots, s, false);
}

/* I2: the one place that moves `configured` by a reading. True if it moved; GVS_E_FULL as it was.
 */
static int
correct(struct gvs_kernel *k, struct gvs_slot *s, struct gvs_range seen)
{
    struct gvs_range have = gvs_kernel_configured_of(k, s);
    size_t had = (size_t)(have.end - have.at), count = (size_t)(seen.end - seen.at);
    const struct gvs_item *from, *to;
    struct gvs_diff d;

    if (gvs_ranges_equal(have, seen))
        return 0;
    if (gvs_set_count(k->configured) - had + count > 2 * k->cfg.items_max)
        return GVS_E_FULL;
    gvs_diff_init(&d, have, seen);
    while (is_drift(k, s) && gvs_diff_next(&d, &from, &to) != GVS_DIFF_END)
        note_drift(k, from, to);
    gvs_set_del_service(k->configured, &s->id);
    for (; seen.at < seen.end; seen.at++) {
        int rc = gvs_set_put(k->configured, seen.at);

        GVS_ASSERT(rc == GVS_OK);
    }
    return 1;
}

/* To be planned, unless it is on its way or nothing changed for it. */
static void
replan(struct gvs_kernel *k, struct gvs_slot *s, bool changed)
{
    bool waiting = s->list == GVS_SLOT_LOOK || s->list == GVS_SLOT_READ;

    gvs_kernel_recount(k, s);
    if (k->observing) {
        gvs_slot_move(&k->slots, s, GVS_SLOT_IDLE);
        gvs_kernel_drop(k, s);
    } else if (waiting || changed) {
        gvs_slot_move(&k->slots, s, GVS_SLOT_DIRTY);
    }
}

/* The kernel holds exactly `seen` under this id, service first; or nothing. */
static void
take(struct gvs_kernel *k, struct gvs_slot *s, struct gvs_range seen)
{
    bool there = seen.at < seen.end, adopted = false;
    int changed;

    if (there && !s->present) {
        if (!claim(k, s, seen))
            return take_foreign(k, s, seen);
        adopted = true;
        s->fresh = false;
    }
    if (s->foreign)
        no_longer_foreign(k, s);
    changed = correct(k, s, seen);
    if (changed < 0) {
        gvs_report_error(k, "the kernel holds more than %zu items: limits are too low",
                         2 * k->cfg.items_max);
        s->surprised = true; /* look again, later */
        gvs_slot_retry(&k->slots, s, k->now);
        return;
    }
    s->present = there;
    s->once = there && (adopted || changed);
    s->missing = s->lost = s->surprised = false;
    replan(k, s, changed);
}

/* The service and the destinations of the last dump as one range. */
static int
make_range(struct gvs_look *l, const struct gvs_item *service, struct gvs_range *out)
{
    size_t count = 1 + l->dests.count;

    if (!gvs_items_reserve(&l->items, &l->items_cap, count))
        return GVS_E_FULL;
    l->items[0] = *service;
    for (size_t i = 0; i < l->dests.count; i++)
        l->items[1 + i] = l->dests.v[i].item;
    *out = (struct gvs_range){l->items, l->items + count};
    return GVS_OK;
}

/* Reads the destinations of a service that stands there as `service`, and takes it. Returns how
 * many it had. */
static int
read_one(struct gvs_kernel *k, struct gvs_slot *s, const struct gvs_item *service)
{
    struct gvs_look *l = &k->look;
    struct gvs_range seen;
    int rc = gvs_look_dests(k, &s->id, &l->dests);

    if (rc == GVS_OK)
        rc = make_range(l, service, &seen);
    if (rc != GVS_OK)
        return rc;
    gvs_look_conns(s, &l->dests);
    take(k, s, seen);
    return (int)l->dests.count;
}

/* Some of those that wait for their destinations. */
static void
read_waiting(struct gvs_kernel *k)
{
    const struct gvs_range none = {NULL, NULL};
    struct gvs_slot *s;
    int dests = 0;

    for (int i = 0; i < GVS_LOOK_SERVICES && dests < GVS_LOOK_DESTS; i++) {
        const struct gvs_found *f;
        int n = 0;

        s = k->slots.first[GVS_SLOT_READ];
        if (!s)
            return;
        f = gvs_look_find(&k->look.services, &s->id);
        if (f) {
            n = read_one(k, s, &f->item);
        } else if (s->present && !s->missing) {
            s->missing = true;
            gvs_slot_move(&k->slots, s, GVS_SLOT_LOOK);
        } else {
            take(k, s, none);
        }
        if (n < 0) {
            reading_failed(k, n);
            return;
        }
        dests += n;
    }
}

/* The dump of all services. */

/* A service that is ours and that only the service itself tells of: its destinations come with the
 * sweep. */
static void
meet_present(struct gvs_kernel *k, struct gvs_slot *s, const struct gvs_item *shows)
{
    const struct gvs_item *had = gvs_set_get(k->configured, shows);
    int rc;

    GVS_ASSERT(had);
    if (gvs_item_equal(had, shows))
        return;
    if (is_drift(k, s))
        note_drift(k, had, shows);
    rc = gvs_set_put(k->configured, shows);
    GVS_ASSERT(rc == GVS_OK); /* it replaces one */
    replan(k, s, true);
}

static void
meet(struct gvs_kernel *k, const struct gvs_item *shows)
{
    struct gvs_slot *s = gvs_slot_find(&k->slots, &shows->svc);

    if (gvs_anchor_is(&shows->svc)) {
        gvs_anchor_of(k, shows->svc.addr.family)->there = true;
        return;
    }
    if (!s) {
        if (!gvs_ledger_has_service(k->ledger, &shows->svc) && !is_taken_back(k, &shows->svc))
            return; /* neither wanted nor ours */
        s = gvs_slot_make(&k->slots, &shows->svc);
        if (!s) {
            gvs_report_error(k, "the kernel holds too many services: limits are too low");
            return;
        }
    }
    s->seen = k->look.dumps;
    s->missing = false;
    if (s->present)
        meet_present(k, s, shows);
    else
        gvs_slot_move(&k->slots, s, GVS_SLOT_READ);
}

static void
miss(struct gvs_kernel *k, struct gvs_slot *s)
{
    if (s->foreign) {
        no_longer_foreign(k, s);
        replan(k, s, true);
    } else if (s->present && s->list != GVS_SLOT_READ) {
        s->missing = true;
        gvs_slot_move(&k->slots, s, GVS_SLOT_LOOK);
    }
}

/* What a former process entered, and what neither the first reading nor this one shows: it was
 * removed while nobody was here, and the table lets go of it. Whoever makes such a service from now
 * on makes it for himself. */
static void
strike_orphans(struct gvs_kernel *k)
{
    struct gvs_svcid svc;
    uint32_t at = 0;

    k->orphans = false;
    while (gvs_ledger_each(k->ledger, &at, &svc)) {
        if (gvs_slot_find(&k->slots, &svc) || gvs_look_saw(k, &svc))
            continue;
        gvs_ledger_service(k->ledger, &svc, false);
        k->ledger_seq++;
        if (gvs_vip_of(k, &svc))
            gvs_vip_strike(k, &svc.addr);
    }
}

static void
start_audit(struct gvs_kernel *k)
{
    struct gvs_look *l = &k->look;

    l->audit_at = gvs_mono_add_ms(k->now, k->cfg.audit_ms);
    if (l->sweeping || !k->read_once)
        return;
    l->sweeping = true;
    l->swept_from = k->now;
    memset(&l->at, 0, sizeof l->at);
    l->slice_at = gvs_mono_add_ms(k->now, k->slice_pause_ms - GVS_SLICE_PAUSE_MS);
}

static void
dump_services(struct gvs_kernel *k)
{
    struct gvs_look *l = &k->look;
    bool audit = l->dumps == 0 || gvs_mono_due(l->audit_at, k->now);
    struct gvs_dump last = l->services;
    int rc = audit ? gvs_vip_read(k) : GVS_OK;

    if (rc == GVS_OK)
        rc = gvs_look_services(k, &l->next);
    if (rc != GVS_OK) {
        reading_failed(k, rc);
        return;
    }
    l->services = l->next;
    l->next = last;
    l->failing = false;
    l->dumps++;
    k->anchors[0].there = k->anchors[1].there = false;
    gvs_slot_move_all(&k->slots, GVS_SLOT_LOOK, GVS_SLOT_READ); /* first: see miss */
    for (size_t i = 0; i < l->services.count; i++)
        meet(k, &l->services.v[i].item);
    for (size_t i = 0; i < k->slots.high; i++) {
        struct gvs_slot *s = &k->slots.pool[i];

        if (s->used && s->seen != l->dumps)
            miss(k, s);
    }
    if (audit && k->orphans && k->read_once && k->trust == GVS_TRUST_ALL && !k->observing)
        strike_orphans(k);
    if (audit)
        start_audit(k);
}

/* The sweep. */

/* The next service of ours after l->at, or NULL. */
static const struct gvs_item *
next_service(const struct gvs_kernel *k)
{
    struct gvs_item least = gvs_item_past(&k->look.at);

    return gvs_set_from(k->configured, &least);
}

static void
sweep(struct gvs_kernel *k)
{
    struct gvs_look *l = &k->look;
    int dests = 0;

    for (int i = 0; i < GVS_LOOK_SERVICES && dests < GVS_LOOK_DESTS; i++) {
        const struct gvs_item *item = next_service(k);
        struct gvs_item service;
        struct gvs_slot *s;
        int n;

        if (!item) {
            l->sweeping = l->fast = false;
            k->counts.audits++;
            k->counts.audit_us = k->now.us - l->swept_from.us;
            return;
        }
        service = *item; /* taking it may move the set */
        l->at = service.svc;
        s = gvs_slot_find(&k->slots, &service.svc);
        GVS_ASSERT(s && s->present);
        i += gvs_vip_check(k, s);
        n = s->missing ? 0 : read_one(k, s, &service);
        if (n < 0) {
            reading_failed(k, n);
            return;
        }
        dests += n;
    }
    l->slice_at = l->fast ? k->now : gvs_mono_add_ms(k->now, k->slice_pause_ms);
}

bool
gvs_look_step(struct gvs_kernel *k)
{
    struct gvs_look *l = &k->look;

    if (!gvs_mono_due(l->retry_at, k->now))
        return false;
    if (k->slots.first[GVS_SLOT_READ]) {
        read_waiting(k);
    } else if (l->dumps == 0 || k->slots.first[GVS_SLOT_LOOK] ||
               gvs_mono_due(l->audit_at, k->now)) {
        dump_services(k);
    } else if (l->sweeping && gvs_mono_due(l->slice_at, k->now)) {
        sweep(k);
    } else if (!k->read_once) {
        k->read_once = true;
        gvs_drain_resume(k);
        gvs_brake_resume(k);
    } else {
        return gvs_drain_look(k);
    }
    return true;
}

struct gvs_mono
gvs_look_deadline(const struct gvs_kernel *k)
{
    const struct gvs_look *l = &k->look;
    struct gvs_mono at = l->audit_at;

    if (!k->read_once || k->slots.first[GVS_SLOT_READ] || k->slots.first[GVS_SLOT_LOOK])
        at = k->now;
    else if (l->sweeping)
        at = gvs_mono_min(at, l->slice_at);
    at = gvs_mono_min(at, gvs_drain_deadline(k));
    return gvs_mono_due(l->retry_at, at) ? at : l->retry_at;
}
