/* ipvs/brake.c: what would take away most of what the kernel holds waits a minute (I11).
 *
 * A member that lies, or a script that errs, can delete the whole table. The table obeys: what it
 * says is for people to mend. But before the kernels follow, one of those people gets a minute, and
 * an alarm.
 *
 *                   the tenth in 60 s                over half of what there is
 *     OFF ----------------------------> GATHERS (1 s) ------------------------> ON (1 min)
 *      ^ let go: all                       | less                                 |
 *      +-----------------------------------+--------------------------------------+
 *                              nothing is held any more, its time is over, release
 *
 * Deletions come one after the other, as datagrams do, and a burst is not known by its first. So
 * nine go as they come, which is no number for the brake; the next, and all that come within a
 * second of it, are judged as one plan. Services and destinations are counted apart; a service that
 * goes counts as one, and each of its destinations as one, too. "Half" is of what would be there if
 * none of what went in these 60 s had gone.
 *
 * What is held is left out of the plan and of what leaves (drain.c): it is touched by nothing, not
 * even for its weight. It differs from `wanted`, and `plan` shows it as what it is, a removal that
 * is still to come. What is wanted again is no difference any more.
 *
 * After the minute all goes that was held when it began; what came later is judged anew. What the
 * brake has let go does not count towards the next one. By what it had on a restart goes on, the
 * ledger tells until when: then whatever would go is held until then, be it much or little.
 *
 * Each removal counts once, when it is let go (slot->let), however often its service is planned
 * before the kernel has acknowledged it. It is told by number and not by name: whatever is added
 * takes one off again, the latest first, so that a member who comes and goes adds up to nothing.
 *
 * Weight 0 is no removal. What a claim says of weights is obeyed like any other edit, and the
 * weight 0 by which a silent member is hidden (core/view.h) has a rule of its own: it waits if over
 * half of them vanish, and never takes the last server of a service. */
#include "ipvs/kernel_impl.h"

#include <stdlib.h>
#include <string.h>

#define LEAST 10 /* below that it is no mass */
#define GATHER_MS 1000
#define BRAKE_MS 60000

static const struct gvs_tally none = {0, 0};

static bool
is_none(struct gvs_tally t)
{
    return t.services == 0 && t.destinations == 0;
}

static struct gvs_tally
sum(struct gvs_tally a, struct gvs_tally b)
{
    return (struct gvs_tally){a.services + b.services, a.destinations + b.destinations};
}

static size_t
less(size_t a, size_t b)
{
    return a > b ? a - b : 0;
}

static struct gvs_tally
rest(struct gvs_tally a, struct gvs_tally b)
{
    return (struct gvs_tally){less(a.services, b.services), less(a.destinations, b.destinations)};
}

static size_t
lesser(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Setters that keep the sums. */

static void
set_held(struct gvs_kernel *k, struct gvs_slot *s, struct gvs_tally held)
{
    k->brake.held = sum(rest(k->brake.held, s->held), held);
    s->held = held;
}

static void
set_let(struct gvs_kernel *k, struct gvs_slot *s, struct gvs_tally let)
{
    k->brake.let = sum(rest(k->brake.let, s->let), let);
    s->let = let;
}

bool
gvs_brake_any(const struct gvs_slot *s)
{
    return !is_none(s->held);
}

void
gvs_brake_forget(struct gvs_kernel *k, struct gvs_slot *s)
{
    set_held(k, s, none);
    set_let(k, s, none);
}

void
gvs_brake_fini(struct gvs_brake *b)
{
    free(b->v);
}

/* The latest 60 s. */

static void
turn_clock(struct gvs_kernel *k)
{
    struct gvs_brake *b = &k->brake;
    uint64_t second = k->now.us / 1000000;

    if (second - b->second > GVS_BRAKE_SECONDS)
        b->second = second - GVS_BRAKE_SECONDS;
    while (b->second < second) {
        struct gvs_tally *oldest = &b->gone[++b->second % GVS_BRAKE_SECONDS];

        b->gone_sum = rest(b->gone_sum, *oldest);
        *oldest = none;
    }
}

static void
count_gone(struct gvs_kernel *k, struct gvs_tally t)
{
    struct gvs_brake *b = &k->brake;
    struct gvs_tally *now = &b->gone[b->second % GVS_BRAKE_SECONDS];

    *now = sum(*now, t);
    b->gone_sum = sum(b->gone_sum, t);
}

/* Something was added: that makes up for the latest that went. */
static void
count_back(struct gvs_kernel *k, struct gvs_tally t)
{
    struct gvs_brake *b = &k->brake;

    if (is_none(b->gone_sum))
        return;
    for (uint64_t age = 0; age < GVS_BRAKE_SECONDS && age <= b->second && !is_none(t); age++) {
        struct gvs_tally *gone = &b->gone[(b->second - age) % GVS_BRAKE_SECONDS];
        struct gvs_tally back = {lesser(t.services, gone->services),
                                 lesser(t.destinations, gone->destinations)};

        *gone = rest(*gone, back);
        b->gone_sum = rest(b->gone_sum, back);
        t = rest(t, back);
    }
}

/* What would be there if nothing had gone: what is, but for what leaves or is about to go, which
 * counts as gone. */
static struct gvs_tally
owned(const struct gvs_kernel *k)
{
    size_t services = gvs_set_services(k->configured);
    struct gvs_tally there = {services, gvs_set_count(k->configured) - services};
    const struct gvs_tally leaving = {k->drain.services, k->drain.leaving};

    there = rest(rest(there, leaving), k->brake.let);
    return sum(there, k->brake.gone_sum);
}

static bool
is_most(size_t held, size_t gone, size_t of)
{
    size_t going = held + gone;

    return held > 0 && going >= LEAST && going > of - lesser(going, of);
}

/* Does what is held, with what went before it, amount to over half? */
static bool
is_too_much(const struct gvs_kernel *k)
{
    const struct gvs_brake *b = &k->brake;
    struct gvs_tally of = owned(k);

    return is_most(b->held.services, b->gone_sum.services, of.services) ||
           is_most(b->held.destinations, b->gone_sum.destinations, of.destinations);
}

/* What is to wait. */

/* Did somebody's hand add it? Of what he changed, `drifted` has how it was before. */
static bool
is_stranger(const struct gvs_kernel *k, const struct gvs_item *item)
{
    const struct gvs_item *drift = gvs_set_get(k->drifted, item);

    return drift && gvs_item_equal(drift, item);
}

/* May it go without waiting? It leaves already, nobody ever wanted it, it was taken back on this
 * node, or the table says so. `ep` NULL: a service, with all that it has. */
static bool
is_exempt(const struct gvs_kernel *k, const struct gvs_item *item, const struct gvs_ep *ep)
{
    return gvs_drain_leaves(k, item) || is_stranger(k, item) || gvs_set_get(k->asked, item) ||
           (k->cfg.at_once && k->cfg.at_once(k->cfg.ctx, &item->svc, ep));
}

/* Of a service all that would go, and neither leaves nor is exempt. Where the table is not trusted
 * nothing goes that was not asked for here (I5). */
static bool
find_braked(struct gvs_kernel *k, const struct gvs_slot *s)
{
    struct gvs_brake *b = &k->brake;
    struct gvs_drain *d = &k->drain;
    bool whole;

    b->count = 0;
    if (k->trust < GVS_TRUST_ALL)
        return true;
    if (!gvs_drain_gather(k, s) || !gvs_items_reserve(&b->v, &b->cap, d->count))
        return false;
    whole = d->count > 0 && d->v[0].kind == GVS_ITEM_SERVICE;
    if (whole && is_exempt(k, d->v, NULL))
        return true;
    for (size_t i = 0; i < d->count; i++) {
        const struct gvs_item *item = &d->v[i];

        if (!(whole ? gvs_drain_leaves(k, item) : is_exempt(k, item, &item->ep)))
            b->v[b->count++] = *item;
    }
    return true;
}

bool
gvs_brake_holds(const struct gvs_kernel *k, const struct gvs_item *identity)
{
    const struct gvs_brake *b = &k->brake;
    size_t i;

    if (b->count == 0)
        return false;
    i = gvs_range_from((struct gvs_range){b->v, b->v + b->count}, identity);
    return i < b->count && gvs_item_cmp(&b->v[i], identity) == 0;
}

static void
gather(struct gvs_kernel *k)
{
    k->brake.state = GVS_BRAKE_GATHERS;
    k->brake.until = gvs_mono_add_ms(k->now, GATHER_MS);
}

/* One plan's more: may it go, as far as is known by now? */
static bool
passes(struct gvs_kernel *k, struct gvs_tally more)
{
    struct gvs_brake *b = &k->brake;
    struct gvs_tally total = sum(b->gone_sum, more);
    bool few = (more.services == 0 || total.services < LEAST) &&
               (more.destinations == 0 || total.destinations < LEAST);

    if (b->state != GVS_BRAKE_OFF)
        return false;
    if (few && gvs_mono_due(b->resume, k->now))
        return true;
    gather(k);
    return false;
}

bool
gvs_brake_judge(struct gvs_kernel *k, struct gvs_slot *s)
{
    struct gvs_brake *b = &k->brake;
    struct gvs_tally going, more;
    bool was_held = gvs_brake_any(s);

    if (!find_braked(k, s))
        return false;
    turn_clock(k);
    going.services = b->count > 0 && b->v[0].kind == GVS_ITEM_SERVICE;
    going.destinations = b->count - going.services;
    more = rest(going, s->let);
    set_held(k, s, none);
    if (is_none(more) || passes(k, more)) {
        count_gone(k, more);
        set_let(k, s, going);
        b->count = 0;
        return true;
    }
    if (!was_held)
        s->held_at = k->now;
    set_let(k, s, none);
    set_held(k, s, going);
    return true;
}

bool
gvs_brake_recall(struct gvs_kernel *k, const struct gvs_slot *s)
{
    k->brake.count = 0;
    return !gvs_brake_any(s) || find_braked(k, s);
}

/* What was let go. */

void
gvs_brake_planned(struct gvs_kernel *k, struct gvs_slot *s, const struct gvs_op *ops, size_t count)
{
    struct gvs_tally let = none;

    for (size_t i = 0; i < count; i++) {
        if (ops[i].kind == GVS_OP_SERVICE_DEL)
            let = s->let; /* they go along */
        else if (ops[i].kind == GVS_OP_DEST_DEL)
            let.destinations++;
    }
    let.destinations = lesser(let.destinations, s->let.destinations);
    set_let(k, s, let); /* the others leave */
}

void
gvs_brake_done(struct gvs_kernel *k, struct gvs_slot *s, const struct gvs_op *op)
{
    const struct gvs_tally service = {1, 0}, destination = {0, 1};

    if (op->kind == GVS_OP_SERVICE_DEL)
        set_let(k, s, none);
    else if (op->kind == GVS_OP_DEST_DEL)
        set_let(k, s, rest(s->let, destination));
    else if (op->kind == GVS_OP_SERVICE_ADD)
        count_back(k, service);
    else if (op->kind == GVS_OP_DEST_ADD)
        count_back(k, destination);
}

void
gvs_brake_settled(struct gvs_kernel *k, struct gvs_slot *s)
{
    set_let(k, s, none);
    s->held_ms = 0;
}

/* Its moves. */

static void
begin(struct gvs_kernel *k)
{
    struct gvs_brake *b = &k->brake;
    bool resumes = !gvs_mono_due(b->resume, k->now);

    b->state = GVS_BRAKE_ON;
    b->on_at = k->now;
    b->until = resumes ? b->resume : gvs_mono_add_ms(k->now, BRAKE_MS - GATHER_MS);
    gvs_ledger_brake(k->ledger, b->until);
    gvs_report_brake(k, GVS_KERNEL_BRAKE_ON, b->held, owned(k));
}

/* Plans what is held once more, and lets it go: all, or what has waited for as long as it has to.
 * Returns how much of it goes. */
static struct gvs_tally
let_go(struct gvs_kernel *k, bool all)
{
    struct gvs_brake *b = &k->brake;
    bool resumed = b->resume.us > 0;
    struct gvs_tally gone = none;

    for (size_t i = 0; i < k->slots.high; i++) {
        struct gvs_slot *s = &k->slots.pool[i];

        if (!s->used || !gvs_brake_any(s) || (!all && !gvs_mono_due(s->held_at, b->on_at)))
            continue;
        gone = sum(gone, s->held);
        set_let(k, s, s->held);
        set_held(k, s, none);
        s->held_ms = resumed ? BRAKE_MS : (k->now.us - s->held_at.us) / 1000;
        s->again |= s->list == GVS_SLOT_FLIGHT;
        if (s->list == GVS_SLOT_IDLE || s->list == GVS_SLOT_LEAVING)
            gvs_slot_move(&k->slots, s, GVS_SLOT_DIRTY);
    }
    return gone;
}

/* What it has let go is judged: it counts no more. */
static struct gvs_tally
end(struct gvs_kernel *k, bool all)
{
    struct gvs_brake *b = &k->brake;
    struct gvs_tally gone = let_go(k, all);

    if (is_none(b->held))
        b->state = GVS_BRAKE_OFF;
    else
        gather(k); /* what came later */
    b->resume = (struct gvs_mono){0};
    memset(b->gone, 0, sizeof b->gone);
    b->gone_sum = none;
    gvs_ledger_brake(k->ledger, b->resume);
    return gone;
}

/* What has gathered goes, or waits on. */
static void
judge_all(struct gvs_kernel *k)
{
    turn_clock(k);
    if (is_too_much(k) || !gvs_mono_due(k->brake.resume, k->now)) {
        begin(k);
        return;
    }
    k->brake.state = GVS_BRAKE_OFF;
    count_gone(k, let_go(k, true));
}

void
gvs_brake_step(struct gvs_kernel *k)
{
    struct gvs_brake *b = &k->brake;
    bool any = !is_none(b->held), over = !any || gvs_mono_due(b->until, k->now);

    if (b->state == GVS_BRAKE_ON && over)
        gvs_report_brake(k, GVS_KERNEL_BRAKE_OFF, end(k, false), none);
    else if (b->state == GVS_BRAKE_GATHERS && any && over)
        judge_all(k);
    else if (b->state == GVS_BRAKE_GATHERS && over)
        b->state = GVS_BRAKE_OFF;
}

struct gvs_mono
gvs_brake_deadline(const struct gvs_kernel *k)
{
    if (k->brake.state == GVS_BRAKE_OFF)
        return GVS_MONO_NEVER;
    return is_none(k->brake.held) ? k->now : k->brake.until;
}

void
gvs_brake_resume(struct gvs_kernel *k)
{
    struct gvs_mono until = gvs_ledger_braked(k->ledger);

    if (k->observing || until.us == 0)
        return;
    if (gvs_mono_due(until, k->now) || until.us > gvs_mono_add_ms(k->now, BRAKE_MS).us)
        gvs_ledger_brake(k->ledger, (struct gvs_mono){0}); /* it was over meanwhile */
    else
        k->brake.resume = until;
}

bool
gvs_kernel_release(struct gvs_kernel *k, struct gvs_tally *held)
{
    *held = none;
    if (k->brake.state != GVS_BRAKE_ON)
        return false;
    *held = end(k, true);
    return true;
}

void
gvs_brake_report(const struct gvs_kernel *k, struct gvs_kernel_status *st)
{
    const struct gvs_brake *b = &k->brake;

    st->brake = b->state == GVS_BRAKE_ON;
    if (!st->brake)
        return;
    st->held = b->held;
    st->of = owned(k);
    st->brake_ms = gvs_mono_due(b->until, k->now) ? 0 : (b->until.us - k->now.us) / 1000;
}
