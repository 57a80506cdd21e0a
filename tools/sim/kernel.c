/* A fake IPVS, and the way from a node's news to operations on it: as tools/agent/flow.c and
 * ipvs/kernel.c go it, with the same view, diff and plan, and without netlink.
 *
 *     news -> dirty service -> view -> wanted -- diff, plan --> operations -> truth
 *                                       configured <--- acknowledgements, audits ---+
 *
 * An operation may be refused, or done or not with its answer lost; others may edit the truth. What
 * an answer did not settle is looked at a second later. Every five seconds an audit reads all.
 *
 *     I6   an operation has a reason: the kernel was not known to hold what is wanted. An item that
 *          is equal in both sees none
 *     I7   so nothing is deleted and added again unless it was unwanted in between
 *     I8   a table that nobody has confirmed only adds
 *     I15  at rest the kernel holds what the table wants, neither more nor less
 *     I22  what is thought of the kernel moves by its acknowledgements and by looking alone; where
 *          an answer was lost, or surprised, nothing is tried (I6) before somebody has looked */
#include <stdlib.h>
#include <string.h>

#include "tools/sim/world.h"

#define ITEMS_MAX 2048
#define AUDIT_US (5 * SIM_SECOND)
#define AGAIN_US SIM_SECOND
#define TRIALS_US (SIM_SECOND / 2)
#define RETIRED_MAX 16

struct sim_kernel {
    struct gvs_set *truth, *configured, *wanted;
    struct gvs_set *dirty;   /* services whose view is out of date */
    struct gvs_set *pending; /* services where wanted is not configured */
    struct gvs_set *unsure;  /* services to be looked at */
    struct gvs_set *blind;   /* the same, as the judge has it: of which no answer tells the state */
    uint64_t audit_us, again_us, trials_us; /* the last: views of what is on trial are looked at */
};

static struct gvs_set *
open_set(void)
{
    return gvs_set_init(sim_need(calloc(1, gvs_set_footprint(ITEMS_MAX))), ITEMS_MAX);
}

struct sim_kernel *
sim_kernel_open(void)
{
    struct sim_kernel *k = sim_need(calloc(1, sizeof *k));

    k->truth = open_set();
    k->configured = open_set();
    k->wanted = open_set();
    k->dirty = open_set();
    k->pending = open_set();
    k->unsure = open_set();
    k->blind = open_set();
    return k;
}

void
sim_kernel_close(struct sim_kernel *k)
{
    if (!k)
        return;
    free(k->truth);
    free(k->configured);
    free(k->wanted);
    free(k->dirty);
    free(k->pending);
    free(k->unsure);
    free(k->blind);
    free(k);
}

static void
put(struct gvs_set *s, const struct gvs_item *item)
{
    int rc = gvs_set_put(s, item);

    GVS_ASSERT(rc == GVS_OK); /* the work is bounded far below */
}

static void
add_service(struct gvs_set *s, const struct gvs_svcid *svc)
{
    struct gvs_item item = gvs_item_make_service(svc);

    put(s, &item);
}

static void
add_services(struct gvs_set *s, struct gvs_set *of)
{
    struct gvs_range r = gvs_set_all(of);

    for (; r.at < r.end; r.at++)
        add_service(s, &r.at->svc);
}

static void
copy_service(struct gvs_set *to, const struct gvs_set *from, const struct gvs_svcid *svc)
{
    struct gvs_range r = gvs_set_service(from, svc);

    gvs_set_del_service(to, svc);
    for (; r.at < r.end; r.at++)
        put(to, r.at);
}

static bool
same(struct gvs_range a, struct gvs_range b)
{
    if (a.end - a.at != b.end - b.at)
        return false;
    for (; a.at < a.end; a.at++, b.at++) {
        if (!gvs_item_equal(a.at, b.at))
            return false;
    }
    return true;
}

static void
make_all_dirty(struct sim_world *w, size_t i)
{
    struct sim_kernel *k = w->host[i].kernel;
    const struct gvs_table *t = gvs_node_claims(w->host[i].node);
    struct gvs_svcid svc;

    add_services(k->dirty, k->truth);
    for (bool more = gvs_view_seek(t, NULL, false, &svc); more;
         more = gvs_view_seek(t, &svc, true, &svc))
        add_service(k->dirty, &svc);
}

/* The process starts: it knows nothing but what it reads in the kernel, and its table. */
void
sim_kernel_begin(struct sim_world *w, size_t i)
{
    struct sim_kernel *k = w->host[i].kernel;
    struct gvs_range all = gvs_set_all(k->truth);

    gvs_set_clear(k->configured);
    gvs_set_clear(k->wanted);
    gvs_set_clear(k->dirty);
    gvs_set_clear(k->pending);
    gvs_set_clear(k->unsure);
    gvs_set_clear(k->blind);
    for (; all.at < all.end; all.at++)
        put(k->configured, all.at);
    make_all_dirty(w, i);
    k->audit_us = w->now_us + AUDIT_US;
    k->again_us = w->now_us;
    k->trials_us = w->trials ? w->now_us : UINT64_MAX;
}

void
sim_kernel_reboot(struct sim_world *w, size_t i)
{
    if (w->host[i].kernel)
        gvs_set_clear(w->host[i].kernel->truth);
}

void
sim_kernel_news(struct sim_world *w, size_t i, const struct gvs_entry *e)
{
    struct gvs_key key;

    if (e->kind == GVS_KEY_MEMBER) {
        if (e->len > 0 && gvs_member_state(e->order) == GVS_LEFT)
            make_all_dirty(w, i);
        return;
    }
    if (e->kind == GVS_KEY_TRIAL)
        w->host[i].kernel->trials_us = w->now_us;
    else if (gvs_key_parse(&key, e->key, e->key_len) == GVS_OK)
        add_service(w->host[i].kernel->dirty, &key.svc);
}

/* --- what is wanted --- */

/* Of what becomes of owners the retired only: whose claims hide when is the agent's affair. */
static size_t
list_retired(const struct sim_world *w, size_t i, struct gvs_view_owner *owners)
{
    const struct gvs_table *t = gvs_node_members(w->host[i].node);
    struct gvs_entry e;
    size_t count = 0;

    if (gvs_node_count(w->host[i].node).left == 0)
        return 0;
    for (bool more = gvs_table_seek(t, NULL, 0, false, &e); more && count < RETIRED_MAX;
         more = gvs_table_seek(t, e.key, e.key_len, true, &e)) {
        if (gvs_member_state(e.order) != GVS_LEFT)
            continue;
        memcpy(owners[count].id.b, e.key + 1, GVS_ID_LEN);
        owners[count++].stage = GVS_OWNER_RETIRED;
    }
    return count;
}

static size_t
view_items(struct sim_world *w, size_t i, const struct gvs_svcid *svc)
{
    struct gvs_view_owner owners[RETIRED_MAX];
    struct gvs_view_env env = {.owners = owners,
                               .owner_count = list_retired(w, i, owners),
                               .now_ms = sim_trials_clock(w, i)};

    if (!gvs_view_service(gvs_node_claims(w->host[i].node), &env, svc, w->view))
        return 0;
    return gvs_view_items(w->view, w->items, 1 + GVS_VIEW_BACKENDS_MAX);
}

static void
refresh(struct sim_world *w, size_t i)
{
    struct sim_kernel *k = w->host[i].kernel;
    struct gvs_range dirty = gvs_set_all(k->dirty);

    for (; dirty.at < dirty.end; dirty.at++) {
        size_t count = view_items(w, i, &dirty.at->svc);

        gvs_set_del_service(k->wanted, &dirty.at->svc);
        for (size_t n = 0; n < count; n++)
            put(k->wanted, &w->items[n]);
        add_service(k->pending, &dirty.at->svc);
        k->again_us = w->now_us;
    }
    gvs_set_clear(k->dirty);
}

/* --- operations --- */

enum answer { DONE, REFUSED, SILENT };

static bool
is_removal(const struct gvs_op *op)
{
    return op->kind == GVS_OP_SERVICE_DEL || op->kind == GVS_OP_DEST_DEL;
}

static bool
is_add(const struct gvs_op *op)
{
    return op->kind == GVS_OP_SERVICE_ADD || op->kind == GVS_OP_DEST_ADD;
}

/* Fail static, as tools/agent/flow.c has it: unconfirmed tables add, and after ten seconds alone
 * edit. */
static bool
trusted(const struct sim_world *w, size_t i, const struct gvs_op *op)
{
    if (is_add(op) || gvs_node_synced(w->host[i].node))
        return true;
    return !is_removal(op) && sim_may_write(w, i);
}

/* Judged without the diff's help. */
static void
check_reason(struct sim_world *w, size_t i, const struct gvs_op *op)
{
    const struct sim_kernel *k = w->host[i].kernel;
    const struct gvs_item *had = gvs_set_get(k->configured, &op->item);
    const struct gvs_item *want = gvs_set_get(k->wanted, &op->item);
    struct gvs_item name = gvs_item_make_service(&op->item.svc);
    bool reason;

    if (is_removal(op))
        reason = had && !want;
    else if (is_add(op))
        reason = want && !had;
    else
        reason = had && want && !gvs_item_equal(had, want);
    if (!reason)
        sim_fail(w, i, is_add(op) ? "I7" : "I6", "%s without a reason: %s and %s",
                 gvs_op_name(op->kind), had ? "configured" : "not configured",
                 want ? "wanted" : "not wanted");
    if (gvs_set_get(k->blind, &name))
        sim_fail(w, i, "I6", "%s before anybody looked what became of the one before",
                 gvs_op_name(op->kind));
    if (!is_removal(op))
        return;
    if (!gvs_node_synced(w->host[i].node))
        sim_fail(w, i, "I8", "%s from a table that nobody has confirmed", gvs_op_name(op->kind));
    sim_oracle_removal(w, i, &op->item);
}

/* What the kernel itself does; false: EEXIST, ESRCH, ENOENT. */
static bool
execute(struct sim_kernel *k, const struct gvs_op *op)
{
    bool there = gvs_set_get(k->truth, &op->item) != NULL;

    if (is_add(op) == there)
        return false;
    if (op->kind == GVS_OP_SERVICE_DEL)
        gvs_set_del_service(k->truth, &op->item.svc);
    else if (op->kind == GVS_OP_DEST_DEL)
        gvs_set_del(k->truth, &op->item);
    else
        put(k->truth, &op->item);
    return true;
}

static enum answer
ask_kernel(struct sim_world *w, struct sim_kernel *k, const struct gvs_op *op)
{
    if (sim_chance(&w->prng, w->plan.op_lost)) {
        if (sim_chance(&w->prng, 0.5))
            execute(k, op);
        add_service(k->blind, &op->item.svc);
        return SILENT;
    }
    if (sim_chance(&w->prng, w->plan.op_refused))
        return REFUSED;
    if (execute(k, op))
        return DONE;
    add_service(k->blind, &op->item.svc);
    return SILENT; /* the kernel is not as was thought: a look will tell */
}

static void
do_answer(struct sim_kernel *k, const struct gvs_op *op, enum answer answer)
{
    if (answer == SILENT)
        add_service(k->unsure, &op->item.svc);
    if (answer != DONE)
        return;
    if (op->kind == GVS_OP_SERVICE_DEL)
        gvs_set_del_service(k->configured, &op->item.svc);
    else if (op->kind == GVS_OP_DEST_DEL)
        gvs_set_del(k->configured, &op->item);
    else
        put(k->configured, &op->item);
}

static enum answer
do_op(struct sim_world *w, size_t i, const struct gvs_op *op)
{
    struct sim_kernel *k = w->host[i].kernel;
    const struct gvs_item *had = gvs_set_get(k->configured, &op->item), *has;
    struct gvs_item was = had ? *had : op->item;
    enum answer answer;

    check_reason(w, i, op);
    w->ops++;
    answer = ask_kernel(w, k, op);
    sim_note(w, SIM_OP, i, gvs_op_name(op->kind), op->item.svc.port, (uint64_t)answer,
             sim_hash(&op->item.ep, sizeof op->item.ep));
    do_answer(k, op, answer);
    has = gvs_set_get(k->configured, &op->item);
    if (answer != DONE && (!had != !has || (has && !gvs_item_equal(has, &was))))
        sim_fail(w, i, "I22", "takes a %s for done that nobody acknowledged",
                 gvs_op_name(op->kind));
    return answer;
}

/* One service, wave after wave; an unsettled answer ends it until somebody has looked. */
static void
program(struct sim_world *w, size_t i, const struct gvs_svcid *svc)
{
    struct sim_kernel *k = w->host[i].kernel;
    struct gvs_range have = gvs_set_service(k->configured, svc);
    struct gvs_range want = gvs_set_service(k->wanted, svc);
    struct gvs_item name = gvs_item_make_service(svc);
    size_t max = gvs_plan_max(have, want), count;
    struct gvs_op *ops;
    bool *failed;

    if (max == 0)
        return;
    ops = sim_need(calloc(max, sizeof *ops));
    failed = sim_need(calloc(max, sizeof *failed));
    count = gvs_plan_build(ops, have, want);
    for (size_t n = 0; n < count && !w->failed; n++) {
        if (!trusted(w, i, &ops[n]) || gvs_plan_held(ops, failed, n, &ops[n])) {
            failed[n] = true;
            continue;
        }
        failed[n] = do_op(w, i, &ops[n]) != DONE;
        if (gvs_set_get(k->unsure, &name) || (ops[n].kind == GVS_OP_SERVICE_ADD && failed[n]))
            break;
    }
    free(ops);
    free(failed);
}

static void
program_pending(struct sim_world *w, size_t i)
{
    struct sim_kernel *k = w->host[i].kernel;
    struct gvs_range all = gvs_set_all(k->pending);
    size_t count = (size_t)(all.end - all.at);
    bool left = false;

    for (size_t n = count; n-- > 0;) { /* from behind: what is done goes */
        struct gvs_svcid svc = gvs_set_all(k->pending).at[n].svc;
        struct gvs_item name = gvs_item_make_service(&svc);

        if (!gvs_set_get(k->unsure, &name))
            program(w, i, &svc);
        if (!gvs_set_get(k->unsure, &name) &&
            same(gvs_set_service(k->configured, &svc), gvs_set_service(k->wanted, &svc)))
            gvs_set_del_service(k->pending, &svc);
        else
            left = true;
    }
    if (left)
        k->again_us = w->now_us + AGAIN_US;
}

/* Reads a service; what is otherwise than thought is mended by the smallest edit. */
static void
look(struct sim_kernel *k, const struct gvs_svcid *svc)
{
    struct gvs_item name = gvs_item_make_service(svc);

    gvs_set_del(k->unsure, &name);
    gvs_set_del(k->blind, &name);
    if (same(gvs_set_service(k->truth, svc), gvs_set_service(k->configured, svc)) &&
        same(gvs_set_service(k->truth, svc), gvs_set_service(k->wanted, svc)))
        return;
    copy_service(k->configured, k->truth, svc);
    add_service(k->pending, svc);
}

static void
look_at(struct sim_kernel *k, struct gvs_set *which)
{
    while (gvs_set_count(which) > 0) {
        struct gvs_svcid svc = gvs_set_all(which).at->svc;
        struct gvs_item name = gvs_item_make_service(&svc);

        gvs_set_del(which, &name);
        look(k, &svc);
    }
}

static void
audit(struct sim_world *w, struct sim_kernel *k)
{
    struct gvs_set *all = open_set();

    add_services(all, k->truth);
    add_services(all, k->configured);
    look_at(k, all);
    free(all);
    k->audit_us = w->now_us + AUDIT_US;
    k->again_us = w->now_us;
}

void
sim_kernel_run(struct sim_world *w, size_t i)
{
    struct sim_kernel *k = w->host[i].kernel;

    if (k->trials_us <= w->now_us) { /* a deadline may have passed since */
        make_all_dirty(w, i);
        k->trials_us = w->now_us + TRIALS_US;
    }
    refresh(w, i);
    if (k->audit_us <= w->now_us)
        audit(w, k);
    if (gvs_set_count(k->pending) == 0 || k->again_us > w->now_us)
        return;
    program_pending(w, i);
    look_at(k, k->unsure); /* which is programmed when its turn comes */
}

uint64_t
sim_kernel_due(const struct sim_kernel *k)
{
    uint64_t at = k->audit_us < k->trials_us ? k->audit_us : k->trials_us;

    return gvs_set_count(k->pending) > 0 && k->again_us < at ? k->again_us : at;
}

bool
sim_kernel_has(const struct sim_kernel *k, const struct gvs_svcid *svc, const struct gvs_ep *ep)
{
    struct gvs_item item = gvs_item_make_service(svc);

    item.kind = GVS_ITEM_DEST;
    item.ep = *ep;
    return gvs_set_get(k->truth, &item) != NULL;
}

struct gvs_set *
sim_kernel_copy(const struct sim_kernel *k)
{
    struct gvs_range all = gvs_set_all(k->truth);
    struct gvs_set *copy = open_set();

    for (; all.at < all.end; all.at++)
        put(copy, all.at);
    return copy;
}

/* Without the diff, which is what may be wrong. */
size_t
sim_kernel_moved(const struct sim_kernel *k, struct gvs_set *since)
{
    struct gvs_range now = gvs_set_all(k->truth), was = gvs_set_all(since);
    size_t moved = 0;

    for (; now.at < now.end; now.at++) {
        const struct gvs_item *had = gvs_set_get(since, now.at);

        moved += !had || !gvs_item_equal(had, now.at);
    }
    for (; was.at < was.end; was.at++)
        moved += !gvs_set_get(k->truth, was.at);
    return moved;
}

bool
sim_kernel_in_step(const struct sim_kernel *k)
{
    return gvs_set_count(k->dirty) == 0 && gvs_set_count(k->pending) == 0 &&
           gvs_set_count(k->unsure) == 0;
}

/* Another hand takes something out, changes a weight, or adds a server. */
void
sim_kernel_edit(struct sim_world *w, size_t i)
{
    struct gvs_set *truth = w->host[i].kernel->truth;
    struct gvs_range all = gvs_set_all(truth);
    struct gvs_item item;

    if (all.at == all.end)
        return;
    item = all.at[sim_below(&w->prng, (uint64_t)(all.end - all.at))];
    sim_note(w, SIM_FAULT, i, "outside edit", item.svc.port, item.kind, 0);
    if (item.kind == GVS_ITEM_DEST && sim_chance(&w->prng, 0.5)) {
        item.dest.weight = (uint32_t)sim_below(&w->prng, 100);
        item.ep.addr.b[3] ^= sim_chance(&w->prng, 0.5) ? 0x80 : 0;
        put(truth, &item);
    } else if (item.kind == GVS_ITEM_DEST) {
        gvs_set_del(truth, &item);
    } else if (sim_chance(&w->prng, 0.3)) {
        gvs_set_clear(truth); /* ipvsadm -C */
    } else {
        gvs_set_del_service(truth, &item.svc);
    }
}

void
sim_kernel_check(struct sim_world *w, size_t i)
{
    struct sim_kernel *k = w->host[i].kernel;
    const struct gvs_table *t = gvs_node_claims(w->host[i].node);
    size_t items = 0;
    struct gvs_svcid svc;

    for (bool more = gvs_view_seek(t, NULL, false, &svc); more;
         more = gvs_view_seek(t, &svc, true, &svc)) {
        size_t count = view_items(w, i, &svc);

        items += count;
        if (!same(gvs_set_service(k->truth, &svc), (struct gvs_range){w->items, w->items + count}))
            sim_fail(w, i, "I15", "its kernel holds port %u otherwise than its table wants",
                     svc.port);
    }
    if (items != gvs_set_count(k->truth))
        sim_fail(w, i, "I15", "its kernel holds %zu items, its table wants %zu",
                 gvs_set_count(k->truth), items);
}
