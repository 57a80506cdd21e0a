/* ipvs/flight.c: plans services, sends what they need in batches, and takes the answers.
 *
 * A flight carries the operations of many services, so that batches are full. It goes through its
 * stages one after the other; each is answered whole before the next begins, and what an answer
 * forbids is passed over: nothing of a service whose add was refused, nothing that gvs_plan_held
 * holds, nothing more of a service that changed meanwhile, or is not as we believed. Then every
 * service is judged by itself: settled, to be planned again, to be looked at, or to be tried again
 * later.
 *
 * A service is added a stage before its destinations. In one batch they would reach a service that
 * somebody else has put in its place since the last dump. */
#include "ipvs/kernel_impl.h"

#include <errno.h>
#include <stdlib.h>

/* Slots looked at in one step that turn out to need nothing. */
#define BOARD_MAX 4096

bool
gvs_flight_under_way(const struct gvs_kernel *k)
{
    return k->flight.count > 0;
}

bool
gvs_flight_due(const struct gvs_kernel *k)
{
    if (k->observing || !k->read_once)
        return false;
    return k->slots.first[GVS_SLOT_DIRTY] || gvs_anchor_op(k, GVS_FAMILY_V4) ||
           gvs_anchor_op(k, GVS_FAMILY_V6);
}

void
gvs_flight_fini(struct gvs_flight *f)
{
    free(f->ops);
    free(f->slots);
    free(f->failed);
    *f = (struct gvs_flight){0};
}

/* Room for so many more. */
static bool
reserve(struct gvs_flight *f, size_t more)
{
    size_t cap = f->cap ? f->cap : 256;
    struct gvs_op *ops;
    struct gvs_slot **slots;
    bool *failed;

    while (cap < f->count + more)
        cap *= 2;
    if (cap == f->cap)
        return true;
    ops = reallocarray(f->ops, cap, sizeof *ops);
    f->ops = ops ? ops : f->ops;
    slots = reallocarray(f->slots, cap, sizeof(struct gvs_slot *));
    f->slots = slots ? slots : f->slots;
    failed = reallocarray(f->failed, cap, sizeof *failed);
    f->failed = failed ? failed : f->failed;
    if (!ops || !slots || !failed)
        return false;
    f->cap = cap;
    return true;
}

static void
push(struct gvs_flight *f, struct gvs_slot *s, const struct gvs_op *op)
{
    GVS_ASSERT(f->count < f->cap);
    f->ops[f->count] = *op;
    f->slots[f->count] = s;
    f->failed[f->count++] = false;
}

static bool
is_removal(uint8_t kind)
{
    return kind == GVS_OP_SERVICE_DEL || kind == GVS_OP_DEST_DEL || kind == GVS_OP_ADDR_DEL;
}

static bool
is_add(uint8_t kind)
{
    return kind == GVS_OP_SERVICE_ADD || kind == GVS_OP_DEST_ADD;
}

/* Planning. */

static void
push_anchor(struct gvs_kernel *k, uint8_t family, uint8_t kind)
{
    struct gvs_flight *f = &k->flight;
    struct gvs_op op = {.kind = kind, .item = gvs_anchor(family)};

    if (!reserve(f, 1))
        return; /* the next flight tries again */
    f->anchors[family == GVS_FAMILY_V6] = true;
    push(f, NULL, &op);
}

static bool
is_edit(uint8_t kind)
{
    return kind == GVS_OP_SERVICE_EDIT || kind == GVS_OP_DEST_EDIT;
}

static bool
is_asked(const struct gvs_kernel *k, const struct gvs_slot *s, const struct gvs_op *op)
{
    return gvs_kernel_asked(k, s, &op->item,
                            op->kind == GVS_OP_SERVICE_DEL || op->kind == GVS_OP_ADDR_DEL);
}

/* Takes out what may not be done yet (I5); returns how many are left. */
static size_t
leave_untrusted_out(const struct gvs_kernel *k, struct gvs_slot *s, struct gvs_op *ops,
                    size_t count)
{
    size_t kept = 0;

    s->gated = false;
    s->trust = k->trust;
    if (k->trust == GVS_TRUST_ALL)
        return count;
    for (size_t i = 0; i < count; i++) {
        if ((!is_removal(ops[i].kind) && (k->trust == GVS_TRUST_EDITS || !is_edit(ops[i].kind))) ||
            is_asked(k, s, &ops[i]) || gvs_drain_may_end(k, &ops[i].item))
            ops[kept++] = ops[i];
    }
    s->gated = kept < count;
    return kept;
}

/* Takes out what is braked (I11); returns how many are left. */
static size_t
leave_braked_out(const struct gvs_kernel *k, struct gvs_op *ops, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (!is_removal(ops[i].kind) || !gvs_brake_holds(k, &ops[i].item))
            ops[kept++] = ops[i];
    }
    return kept;
}

/* Builds the operations of one service behind those of the flight, and returns how many. */
static size_t
build(struct gvs_kernel *k, struct gvs_slot *s)
{
    struct gvs_op *ops = k->flight.ops + k->flight.count;
    size_t count = gvs_plan_build(ops, gvs_kernel_configured_of(k, s), gvs_kernel_wanted_of(k, s));
    enum gvs_op_kind vip = gvs_vip_op(k, s);

    gvs_slot_differs(&k->slots, s, count);
    if (vip != GVS_OP_NONE) {
        ops[count] = (struct gvs_op){.kind = (uint8_t)vip, .wave = 1};
        ops[count++].item = gvs_item_make_service(&s->id);
    }
    count = leave_untrusted_out(k, s, ops, leave_braked_out(k, ops, count));
    gvs_brake_planned(k, s, ops, count);
    return count;
}

/* Nothing of ours or anybody's is under this id, and it is not wanted: it leaves the ledger. */
static void
strike(struct gvs_kernel *k, struct gvs_slot *s)
{
    if (s->present || s->foreign)
        return;
    gvs_kernel_disown(k, s);
    if (gvs_vip_of(k, &s->id))
        gvs_vip_strike(k, &s->id.addr);
}

static void
settle(struct gvs_kernel *k, struct gvs_slot *s)
{
    gvs_failures_purge(&k->slots, s, true);
    s->backoff_ms = 0;
    s->surprises = 0;
    gvs_brake_settled(k, s);
    if (!s->gated)
        gvs_kernel_answered(k, s);
    if (gvs_set_count(k->drifted) > 0)
        gvs_set_del_service(k->drifted, &s->id);
    if (!s->gated && s->leaving > 0)
        gvs_drain_rest(k, s);
    else if (!s->gated)
        gvs_slot_move(&k->slots, s, GVS_SLOT_IDLE);
    else /* trust may have risen while this was in flight */
        gvs_slot_move(&k->slots, s, k->trust > s->trust ? GVS_SLOT_DIRTY : GVS_SLOT_GATED);
    if (!gvs_kernel_wants(k, s))
        strike(k, s);
    gvs_kernel_drop(k, s);
}

static void
refuse(struct gvs_kernel *k, struct gvs_slot *s, const struct gvs_op *op, int error)
{
    gvs_failure_note(&k->slots, s, op, error);
    gvs_report_refused(k, op, error);
}

/* Cannot even be sent. */
static enum gvs_slot_list
cannot(struct gvs_kernel *k, struct gvs_slot *s, int error)
{
    struct gvs_op op = {.kind = GVS_OP_SERVICE_EDIT, .item = gvs_item_make_service(&s->id)};

    refuse(k, s, &op, error);
    return GVS_SLOT_RETRY;
}

/* I4: the service and its address are in the ledger, and durable. */
static enum gvs_slot_list
enter_ledger(struct gvs_kernel *k, struct gvs_slot *s, bool vip)
{
    if (!gvs_ledger_has_service(k->ledger, &s->id)) {
        if (!gvs_kernel_own(k, s))
            return cannot(k, s, ENOSPC);
        s->fresh = !s->present;
    }
    if (vip && !gvs_vip_enter(k, s))
        return cannot(k, s, ENOSPC);
    return s->ledger_seq > k->ledger_durable ? GVS_SLOT_LEDGER : GVS_SLOT_FLIGHT;
}

/* Where to with a service whose `count` operations have been built. */
static enum gvs_slot_list
judge(struct gvs_kernel *k, struct gvs_slot *s, const struct gvs_op *ops, size_t count)
{
    size_t adds = 0, removals = 0;
    bool new_service = false, vip = false;

    for (size_t i = 0; i < count; i++) {
        adds += is_add(ops[i].kind);
        removals += is_removal(ops[i].kind);
        new_service |= ops[i].kind == GVS_OP_SERVICE_ADD;
        vip |= ops[i].kind == GVS_OP_ADDR_ADD;
    }
    if (count == 0)
        return GVS_SLOT_IDLE;
    if (removals > 0 && s->once)
        return GVS_SLOT_LOOK;
    if (new_service && !gvs_ledger_has_service(k->ledger, &s->id) && gvs_look_saw(k, &s->id))
        return GVS_SLOT_LOOK; /* somebody's: it may be equal */
    if (gvs_set_count(k->configured) + k->flight.adds + adds > 2 * k->cfg.items_max)
        return cannot(k, s, ENOSPC);
    return enter_ledger(k, s, vip);
}

static void
board(struct gvs_kernel *k, struct gvs_slot *s)
{
    struct gvs_flight *f = &k->flight;
    enum gvs_slot_list list = GVS_SLOT_RETRY;
    size_t count = 0;

    s->again = s->surprised = s->failed = s->gated = false;
    if (s->foreign)
        list = GVS_SLOT_IDLE;
    else if (!gvs_brake_judge(k, s) || !gvs_drain_decide(k, s) ||
             !reserve(f,
                      2 + gvs_plan_max(gvs_kernel_configured_of(k, s), /* an address, an anchor */
                                       gvs_kernel_wanted_of(k, s))))
        cannot(k, s, ENOMEM);
    else
        list = judge(k, s, f->ops + f->count, count = build(k, s));

    if (list == GVS_SLOT_IDLE)
        return settle(k, s);
    if (list == GVS_SLOT_RETRY)
        return gvs_slot_retry(&k->slots, s, k->now);
    gvs_slot_move(&k->slots, s, list);
    if (list != GVS_SLOT_FLIGHT)
        return;
    gvs_failures_age(s);
    s->op_first = f->count;
    s->op_count = count;
    for (size_t i = 0; i < count; i++) {
        struct gvs_op op = f->ops[f->count];

        f->adds += is_add(op.kind);
        push(f, s, &op);
    }
}

/* An anchor comes along with the first service of its family (I6). */
static void
board_anchor(struct gvs_kernel *k, const struct gvs_slot *s)
{
    uint8_t family = s->id.addr.family;

    if (s->list == GVS_SLOT_FLIGHT && k->flight.ops[s->op_first].kind == GVS_OP_SERVICE_ADD &&
        !gvs_anchor_of(k, family)->there && !k->flight.anchors[family == GVS_FAMILY_V6])
        push_anchor(k, family, GVS_OP_ANCHOR_ADD);
}

void
gvs_flight_board(struct gvs_kernel *k)
{
    static const uint8_t families[] = {GVS_FAMILY_V4, GVS_FAMILY_V6};
    struct gvs_flight *f = &k->flight;
    struct gvs_slot *s;

    GVS_ASSERT(f->count == 0 && k->read_once && !k->observing);
    f->stage = 0;
    f->pos = f->adds = 0;
    f->anchors[0] = f->anchors[1] = false;
    k->drain.looks = 0;
    for (size_t i = 0; i < 2; i++) {
        enum gvs_op_kind kind = gvs_anchor_op(k, families[i]);

        if (kind != GVS_OP_NONE)
            push_anchor(k, families[i], (uint8_t)kind);
    }
    for (size_t i = 0;
         i < BOARD_MAX && f->count < GVS_FLIGHT_OPS && k->drain.looks < GVS_LOOK_SERVICES; i++) {
        s = k->slots.first[GVS_SLOT_DIRTY];
        if (!s)
            break;
        board(k, s);
        if (s->used)
            board_anchor(k, s);
    }
}

/* Sending. */

static enum gvs_stage
stage_of(const struct gvs_op *op)
{
    switch (op->kind) {
    case GVS_OP_ANCHOR_ADD:
    case GVS_OP_ANCHOR_DEL:
        return GVS_STAGE_ANCHOR;
    case GVS_OP_SERVICE_ADD:
    case GVS_OP_SERVICE_EDIT:
        return GVS_STAGE_SERVICE;
    case GVS_OP_SERVICE_DEL:
        return GVS_STAGE_GONE;
    case GVS_OP_ADDR_ADD:
    case GVS_OP_ADDR_DEL:
        return GVS_STAGE_ADDR;
    default:
        return op->wave == 0 ? GVS_STAGE_DEST : GVS_STAGE_DOWN;
    }
}

static bool
address_failed(const struct gvs_flight *f, const struct gvs_slot *s)
{
    for (size_t i = s->op_first; i < s->op_first + s->op_count; i++) {
        if (f->ops[i].kind == GVS_OP_ADDR_DEL && f->failed[i])
            return true;
    }
    return false;
}

/* Do the answers so far allow it? */
static bool
may_go(struct gvs_kernel *k, size_t i)
{
    struct gvs_flight *f = &k->flight;
    const struct gvs_slot *s = f->slots[i];
    const struct gvs_op *op = &f->ops[i];

    if (!s)
        return true;
    if (s->again || s->lost || s->surprised)
        return false;
    if (op->kind == GVS_OP_SERVICE_ADD)
        return gvs_anchor_of(k, s->id.addr.family)->there;
    if (!s->present)
        return false;
    if (op->kind == GVS_OP_ADDR_DEL && gvs_vip_undecided(k, &s->id.addr))
        return false; /* it goes with that one, or stays for it */
    if (op->kind == GVS_OP_ADDR_ADD || op->kind == GVS_OP_ADDR_DEL)
        return gvs_vip_op(k, s) == op->kind;
    if (op->kind == GVS_OP_SERVICE_DEL)
        return !address_failed(f, s);
    return !gvs_plan_held(f->ops + s->op_first, f->failed + s->op_first, s->op_count, op);
}

/* The next batch; 0: all has been sent. */
static size_t
pick(struct gvs_kernel *k, size_t picked[static GVS_NL_BATCH_MAX])
{
    struct gvs_flight *f = &k->flight;

    for (; f->stage < GVS_STAGES; f->stage++, f->pos = 0) {
        size_t max = f->stage == GVS_STAGE_ADDR ? GVS_VIP_BATCH : GVS_NL_BATCH_MAX, n = 0;

        for (; f->pos < f->count && n < max; f->pos++) {
            if (stage_of(&f->ops[f->pos]) == f->stage && may_go(k, f->pos))
                picked[n++] = f->pos;
        }
        if (n > 0)
            return n;
    }
    return 0;
}

/* The answers. */

/* Not a refusal: the kernel is not as `configured` has it. ENOENT for a service is a scheduler that
 * is not known. */
static bool
is_surprise(uint8_t kind, int error)
{
    if (error == EEXIST)
        return is_add(kind);
    if (error == ESRCH)
        return kind != GVS_OP_SERVICE_DEL;
    return error == ENOENT && kind == GVS_OP_DEST_EDIT;
}

/* A removal of what is gone already is done. */
static bool
is_gone(uint8_t kind, int error)
{
    return (kind == GVS_OP_DEST_DEL && error == ENOENT) ||
           (kind == GVS_OP_SERVICE_DEL && error == ESRCH);
}

static uint64_t *
counter_of(struct gvs_kernel *k, uint8_t kind)
{
    switch (kind) {
    case GVS_OP_SERVICE_ADD:
        return &k->counts.service_add;
    case GVS_OP_SERVICE_EDIT:
        return &k->counts.service_edit;
    case GVS_OP_SERVICE_DEL:
        return &k->counts.service_del;
    case GVS_OP_DEST_ADD:
        return &k->counts.dest_add;
    case GVS_OP_DEST_EDIT:
        return &k->counts.dest_edit;
    default:
        GVS_ASSERT(kind == GVS_OP_DEST_DEL);
        return &k->counts.dest_del;
    }
}

/* I2: the one place that moves `configured` by an answer. */
static void
record(struct gvs_kernel *k, struct gvs_slot *s, const struct gvs_op *op)
{
    int rc = GVS_OK;

    gvs_brake_done(k, s, op);
    switch (op->kind) {
    case GVS_OP_SERVICE_DEL:
        for (struct gvs_range r = gvs_kernel_configured_of(k, s); r.at < r.end; r.at++)
            gvs_ledger_stay(k->ledger, r.at);
        gvs_set_del_service(k->configured, &s->id);
        s->present = s->once = false;
        break;
    case GVS_OP_DEST_DEL:
        gvs_ledger_stay(k->ledger, &op->item);
        gvs_set_del(k->configured, &op->item);
        break;
    case GVS_OP_SERVICE_ADD:
        s->present = true;
        s->fresh = s->once = false;
        rc = gvs_set_put(k->configured, &op->item);
        break;
    default:
        rc = gvs_set_put(k->configured, &op->item);
    }
    GVS_ASSERT(rc == GVS_OK); /* judge saw to the room */
}

/* Acknowledged. `changed`: by us, just now. */
static void
acknowledge(struct gvs_kernel *k, struct gvs_slot *s, const struct gvs_op *op, bool changed)
{
    bool repair = gvs_set_count(k->drifted) > 0 && gvs_set_del(k->drifted, &op->item);

    record(k, s, op);
    gvs_failure_done(&k->slots, s, op);
    if (s->differs > 0)
        gvs_slot_differs(&k->slots, s, s->differs - 1);
    if (!changed)
        return;
    ++*counter_of(k, op->kind);
    k->counts.drift_repaired += repair;
    gvs_report_event(k, GVS_KERNEL_DONE, op, 0, repair);
}

/* Without its anchor no service of the family is added. */
static void
refuse_family(struct gvs_kernel *k, uint8_t family, int error)
{
    struct gvs_flight *f = &k->flight;

    for (size_t i = 0; i < f->count; i++) {
        if (f->slots[i] && f->ops[i].kind == GVS_OP_SERVICE_ADD &&
            f->slots[i]->id.addr.family == family) {
            f->failed[i] = true;
            refuse(k, f->slots[i], &f->ops[i], error);
        }
    }
}

static void
anchor_answered(struct gvs_kernel *k, const struct gvs_op *op, int error)
{
    uint8_t family = op->item.svc.addr.family;
    struct gvs_anchor *a = gvs_anchor_of(k, family);
    bool add = op->kind == GVS_OP_ANCHOR_ADD;

    if (!error || error == (add ? EEXIST : ESRCH)) {
        *a = (struct gvs_anchor){.there = add};
        return;
    }
    a->backoff_ms = a->backoff_ms == 0 ? GVS_BACKOFF_MS_MIN : a->backoff_ms * 2;
    if (a->backoff_ms > GVS_BACKOFF_MS_MAX)
        a->backoff_ms = GVS_BACKOFF_MS_MAX;
    a->retry_at = gvs_mono_add_ms(k->now, a->backoff_ms);
    gvs_report_refused(k, op, error);
    if (add)
        refuse_family(k, family, error);
}

static void
answered(struct gvs_kernel *k, size_t i, int error)
{
    const struct gvs_op *op = &k->flight.ops[i];
    struct gvs_slot *s = k->flight.slots[i];

    if (!s) {
        anchor_answered(k, op, error);
        return;
    }
    if (!error || is_gone(op->kind, error)) {
        acknowledge(k, s, op, !error);
        return;
    }
    k->flight.failed[i] = true;
    if (is_surprise(op->kind, error))
        s->surprised = true;
    else
        refuse(k, s, op, error);
}

static void
send_addresses(struct gvs_kernel *k, const size_t *picked, size_t n)
{
    struct gvs_flight *f = &k->flight;

    for (size_t j = 0; j < n; j++) {
        size_t i = picked[j];
        int error;

        if (!may_go(k, i))
            continue; /* another service of this batch has brought it, or taken it away */
        error = gvs_vip_apply(k, &f->ops[i]);
        f->failed[i] = error != 0;
        if (error)
            refuse(k, f->slots[i], &f->ops[i], error);
        else
            gvs_failure_done(&k->slots, f->slots[i], &f->ops[i]);
    }
}

/* Nobody knows whether the anchor is there, so nothing is added: a look shows both. */
static void
lose_anchor(struct gvs_kernel *k)
{
    struct gvs_flight *f = &k->flight;

    for (size_t i = 0; i < f->count; i++) {
        if (f->slots[i] && f->ops[i].kind == GVS_OP_SERVICE_ADD)
            f->slots[i]->lost = true;
    }
    k->look.audit_at = k->now;
}

static void
send_batch(struct gvs_kernel *k, const size_t *picked, size_t n)
{
    struct gvs_flight *f = &k->flight;
    struct gvs_op ops[GVS_NL_BATCH_MAX] = {0};
    int errors[GVS_NL_BATCH_MAX];
    int rc;

    for (size_t j = 0; j < n; j++)
        ops[j] = f->ops[picked[j]];
    rc = gvs_nl_apply(k->nl, ops, n, errors);
    for (size_t j = 0; j < n; j++) {
        struct gvs_slot *s = f->slots[picked[j]];

        if (rc == GVS_OK)
            answered(k, picked[j], errors[j]);
        else if (s)
            s->lost = true;
        else
            lose_anchor(k);
    }
    if (rc < 0)
        gvs_report_error(k, "the kernel's answers to %zu operations were lost", n);
}

/* Where to with a service after its flight. */
static void
disembark(struct gvs_kernel *k, struct gvs_slot *s)
{
    gvs_failures_purge(&k->slots, s, false);
    gvs_kernel_recount(k, s);
    if (s->lost || s->surprised) {
        s->surprised = true;
        if (++s->surprises > GVS_SURPRISES_MAX)
            gvs_slot_retry(&k->slots, s, k->now);
        else
            gvs_slot_move(&k->slots, s, GVS_SLOT_LOOK);
    } else if (s->again) {
        gvs_slot_move(&k->slots, s, GVS_SLOT_DIRTY);
    } else if (s->failed || (s->differs > 0 && !s->gated && !gvs_brake_any(s))) {
        gvs_slot_retry(&k->slots, s, k->now);
    } else {
        settle(k, s);
    }
}

void
gvs_flight_step(struct gvs_kernel *k)
{
    struct gvs_flight *f = &k->flight;
    size_t picked[GVS_NL_BATCH_MAX], n = pick(k, picked);

    if (n > 0 && f->stage == GVS_STAGE_ADDR)
        return send_addresses(k, picked, n);
    if (n > 0)
        return send_batch(k, picked, n);
    while (k->slots.first[GVS_SLOT_FLIGHT])
        disembark(k, k->slots.first[GVS_SLOT_FLIGHT]);
    f->count = 0;
}
