/* ipvs/drain.c: what leaves the kernel, and when it may go.
 *
 * What `configured` has of a service and nobody wants is to be removed. Before that is planned, one
 * reading of its destinations tells who has connections: those that do, and whose time is not over,
 * are put into `wanted` as they are, but for weight 0. So a leaving destination is one like any
 * other for the diff, the audit and the screen: it is edited once, it is in step, a hand on it is
 * drift, and when it is wanted again that is a difference in one field. The ledger tells it from
 * what is wanted by the table.
 *
 * Nothing else is remembered. Who leaves is decided anew whenever the service is planned; between
 * that, once a second, a reading tells whether it would be decided otherwise by now.
 *
 * A connection counts as long as IPVS counts it as active. What it counts as inactive is over, as a
 * rule, and lingers for up to two minutes; but it tells that there was traffic a moment ago, and
 * the next connection may come between the reading and the removal. So from whoever has a weight
 * that is taken first, and then it is looked at again. A service that goes as a whole has no other
 * destination for that connection to go to: there it does not count.
 *
 * A reading takes 35 us. Those once a second take no more than an audit may (64 services every
 * 110 ms), whatever leaves. */
#include "ipvs/kernel_impl.h"

#include <stdlib.h>

#define LOOK_MS 1000 /* nothing special about it */

bool
gvs_drain_leaves(const struct gvs_kernel *k, const struct gvs_item *item)
{
    struct gvs_mono until;

    return gvs_ledger_leaves(k->ledger, item, &until);
}

bool
gvs_drain_may_end(const struct gvs_kernel *k, const struct gvs_item *item)
{
    struct gvs_mono until;

    return gvs_ledger_leaves(k->ledger, item, &until) && until.us != GVS_MONO_NEVER.us;
}

void
gvs_drain_fini(struct gvs_drain *d)
{
    free(d->v);
}

/* `whole`: the service is one of them. */
static void
set_leaving(struct gvs_kernel *k, struct gvs_slot *s, size_t count, bool whole)
{
    k->drain.services -= s->whole;
    k->drain.services += whole;
    k->drain.leaving -= s->leaving - s->whole;
    k->drain.leaving += count - whole;
    s->leaving = (uint32_t)count;
    s->whole = whole;
}

/* Who is not wanted. */

/* Nobody wants the service: it is not in `wanted`, or it leaves. */
static bool
is_unwanted(const struct gvs_kernel *k, const struct gvs_slot *s)
{
    struct gvs_range want = gvs_kernel_wanted_of(k, s);

    return want.at == want.end || gvs_drain_leaves(k, want.at);
}

bool
gvs_drain_gather(struct gvs_kernel *k, const struct gvs_slot *s)
{
    struct gvs_range want = gvs_kernel_wanted_of(k, s), have = gvs_kernel_configured_of(k, s);
    struct gvs_drain *d = &k->drain;

    d->count = 0;
    if (!gvs_items_reserve(&d->v, &d->cap, (size_t)(have.end - have.at)))
        return false;
    for (; have.at < have.end; have.at++) {
        while (want.at < want.end && gvs_item_cmp(want.at, have.at) < 0)
            want.at++;
        if (want.at < want.end && gvs_item_cmp(want.at, have.at) == 0 &&
            !gvs_drain_leaves(k, want.at))
            continue;
        d->v[d->count++] = *have.at;
    }
    return true;
}

/* Who may stay. */

static bool
may_leave(const struct gvs_kernel *k, const struct gvs_slot *s, const struct gvs_item *item)
{
    if (gvs_brake_holds(k, item))
        return false;
    return k->trust == GVS_TRUST_ALL || gvs_drain_leaves(k, item) ||
           gvs_kernel_asked(k, s, item, item->kind == GVS_ITEM_SERVICE);
}

/* Until when it may stay. A time that was entered once is kept, and not written anew for a
 * microsecond's difference, or because nobody remembers that it was braked, unless it is to go now.
 */
static struct gvs_mono
end_of(const struct gvs_kernel *k, const struct gvs_slot *s, const struct gvs_item *item,
       const struct gvs_ep *ep)
{
    struct gvs_mono until = k->cfg.stay(k->cfg.ctx, &item->svc, ep, s->held_ms), entered;

    if (until.us == 0 || !gvs_ledger_leaves(k->ledger, item, &entered) ||
        entered.us == GVS_MONO_NEVER.us)
        return until;
    return entered;
}

/* A kernel that does not answer may have any. */
static bool
is_busy(const struct gvs_dump *dests, int rc, const struct gvs_item *item)
{
    const struct gvs_found *f;

    if (rc != GVS_OK)
        return rc != GVS_E_NOTFOUND;
    f = gvs_look_dest(dests, item);
    return f && (f->active > 0 || (f->inactive > 0 && item->dest.weight > 0));
}

/* Is any, also such as somebody else has just added? */
static bool
is_any_busy(const struct gvs_dump *dests, int rc)
{
    bool any = rc != GVS_OK && rc != GVS_E_NOTFOUND;

    for (size_t i = 0; i < dests->count; i++)
        any |= dests->v[i].active > 0;
    return any;
}

/* It stays, and is wanted like that. */
static bool
enter(struct gvs_kernel *k, struct gvs_item *item, struct gvs_mono until)
{
    k->drain.until = gvs_mono_min(k->drain.until, until);
    if (item->kind == GVS_ITEM_DEST) {
        item->dest.weight = 0;
        item->dest.lower &= ~GVS_ITEM_ODD;
    } else {
        item->service.flags &= ~GVS_ITEM_ODD;
    }
    return gvs_ledger_leave(k->ledger, item, until);
}

/* Of the gathered destinations of a service that stays, those that do so, too. */
static void
keep_busy(struct gvs_kernel *k, const struct gvs_slot *s, int rc)
{
    struct gvs_drain *d = &k->drain;
    size_t kept = 0;

    for (size_t i = 0; i < d->count; i++) {
        struct gvs_item item = d->v[i];
        struct gvs_mono until = end_of(k, s, &item, &item.ep);

        if (!may_leave(k, s, &item) || gvs_mono_due(until, k->now) ||
            !is_busy(&k->look.dests, rc, &item))
            continue;
        if (enter(k, &item, until))
            d->v[kept++] = item;
    }
    d->count = kept;
}

/* A service that may leave (is_worth_a_look) stays whole, for the sake of one of its destinations.
 * Whoever was asked has a clock of his own: the time may have come meanwhile. */
static void
keep_whole(struct gvs_kernel *k, const struct gvs_slot *s, int rc)
{
    struct gvs_drain *d = &k->drain;
    struct gvs_mono until = end_of(k, s, d->v, NULL);
    bool stays = !gvs_mono_due(until, k->now) && is_any_busy(&k->look.dests, rc);

    for (size_t i = 0; i < d->count && stays; i++)
        stays = enter(k, &d->v[i], until);
    d->count = stays ? d->count : 0;
}

/* Could any of them stay, if it has connections? */
static bool
is_worth_a_look(const struct gvs_kernel *k, const struct gvs_slot *s, bool whole)
{
    const struct gvs_drain *d = &k->drain;

    if (!k->cfg.stay || s->id.proto == GVS_PROTO_UDP)
        return false;
    for (size_t i = 0; i < d->count; i++) {
        const struct gvs_item *item = &d->v[i];

        if (may_leave(k, s, item) &&
            !gvs_mono_due(end_of(k, s, item, whole ? NULL : &item->ep), k->now))
            return true;
        if (whole)
            break;
    }
    return false;
}

/* k->drain: what is to stay of what nobody wants. False: memory is short, and nothing is known. */
static bool
judge(struct gvs_kernel *k, struct gvs_slot *s)
{
    bool whole = s->present && is_unwanted(k, s);
    int rc;

    k->drain.until = GVS_MONO_NEVER;
    if (!gvs_drain_gather(k, s))
        return false;
    if (!is_worth_a_look(k, s, whole)) {
        k->drain.count = 0;
        return true;
    }
    k->drain.looks++;
    rc = gvs_look_dests(k, &s->id, &k->look.dests);
    if (rc == GVS_OK)
        gvs_look_conns(s, &k->look.dests);
    if (whole)
        keep_whole(k, s, rc);
    else
        keep_busy(k, s, rc);
    return true;
}

/* Making it so. */

static bool
is_kept(const struct gvs_drain *d, const struct gvs_item *item)
{
    const struct gvs_range kept = {d->v, d->v + d->count};
    size_t i = gvs_range_from(kept, item);

    return i < d->count && gvs_item_cmp(&d->v[i], item) == 0;
}

/* They stay in the ledger until the kernel has let go of them. */
static void
drop_ended(struct gvs_kernel *k, struct gvs_slot *s)
{
    struct gvs_range want = gvs_kernel_wanted_of(k, s);

    for (size_t i = (size_t)(want.end - want.at); s->leaving > 0 && i-- > 0;) {
        struct gvs_item item = gvs_kernel_wanted_of(k, s).at[i]; /* the set moves under it */

        if (!gvs_drain_leaves(k, &item) || is_kept(&k->drain, &item))
            continue;
        if (!gvs_set_get(k->configured, &item))
            gvs_ledger_stay(k->ledger, &item);
        gvs_set_del(k->wanted, &item);
    }
}

bool
gvs_drain_decide(struct gvs_kernel *k, struct gvs_slot *s)
{
    struct gvs_drain *d = &k->drain;

    if (!judge(k, s))
        return false;
    drop_ended(k, s);
    for (size_t i = 0; i < d->count; i++) {
        int rc = gvs_set_put(k->wanted, &d->v[i]);

        GVS_ASSERT(rc == GVS_OK); /* it has room for all that is configured, too */
    }
    set_leaving(k, s, d->count, d->count > 0 && d->v[0].kind == GVS_ITEM_SERVICE);
    return true;
}

void
gvs_drain_forget(struct gvs_kernel *k, struct gvs_slot *s, struct gvs_range wanted)
{
    for (; wanted.at < wanted.end; wanted.at++)
        gvs_ledger_stay(k->ledger, wanted.at);
    set_leaving(k, s, 0, false);
}

void
gvs_drain_resume(struct gvs_kernel *k)
{
    struct gvs_item item;
    size_t at = 0;

    while (gvs_ledger_each_leaving(k->ledger, &at, &item)) {
        if (!gvs_set_get(k->configured, &item))
            gvs_ledger_stay(k->ledger, &item);
    }
}

/* Looking again. */

void
gvs_drain_rest(struct gvs_kernel *k, struct gvs_slot *s)
{
    s->retry_at = k->now;
    k->drain.look_at = gvs_mono_min(k->drain.look_at, k->now);
    gvs_slot_move(&k->slots, s, GVS_SLOT_LEAVING);
}

static void
look_at(struct gvs_kernel *k, struct gvs_slot *s)
{
    if (gvs_brake_recall(k, s) && judge(k, s) && k->drain.count < s->leaving)
        gvs_slot_move(&k->slots, s, GVS_SLOT_DIRTY);
    else
        s->retry_at = gvs_mono_min(gvs_mono_add_ms(k->now, LOOK_MS), k->drain.until);
}

bool
gvs_drain_look(struct gvs_kernel *k)
{
    struct gvs_drain *d = &k->drain;
    struct gvs_mono at = GVS_MONO_NEVER;
    struct gvs_slot *next;

    if (!k->slots.first[GVS_SLOT_LEAVING] || !gvs_mono_due(d->look_at, k->now))
        return false;
    d->looks = 0;
    for (struct gvs_slot *s = k->slots.first[GVS_SLOT_LEAVING]; s; s = next) {
        next = s->next;
        if (d->looks < GVS_LOOK_SERVICES && gvs_mono_due(s->retry_at, k->now))
            look_at(k, s);
        if (s->list == GVS_SLOT_LEAVING)
            at = gvs_mono_min(at, s->retry_at);
    }
    d->look_at = at;
    if (gvs_mono_due(at, k->now))
        d->look_at = gvs_mono_add_ms(k->now, k->slice_pause_ms);
    return true;
}

struct gvs_mono
gvs_drain_deadline(const struct gvs_kernel *k)
{
    return k->slots.first[GVS_SLOT_LEAVING] ? k->drain.look_at : GVS_MONO_NEVER;
}
