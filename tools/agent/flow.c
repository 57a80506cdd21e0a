/* From what changed to what the kernel holds.
 *
 *     node news --> store (queued), dirty services --> view --> kernel_want --> kernel_step ...
 *                     |                                |                         |
 *                     |                                +--> watch                +--> ledger
 *                     |                                                                 |
 *                     +--> durable: the answer to a change     store, ledger durable <--+
 *
 * A pump runs all of it, in that order, whoever called: a datagram, a command, a timer, the store.
 * Each pass does a bounded amount of work and asks the kernel timer for another pass at once if
 * there is more, so that the loop's other users get their turn. */
#include <string.h>

#include "core/bytes.h"
#include "tools/agent/agent.h"

#define SERVICES_PER_PASS 256
#define BATCHES_PER_PASS 4
#define HOLD_MS 1000
#define ENTRIES_PER_PASS 2048 /* looked at for owners; a millisecond or so */
#define VECTOR_MS 600000      /* a vector that alone has moved wakes the disk no more often */
#define STAMP_RESERVE_MS 10000
#define NAMES_SPARE 64 /* kept of services that are gone, beside as many as there are */

bool
gvs_agent_complete(const struct gvs_agent *a)
{
    struct gvs_node_counts c = gvs_node_count(a->node);

    return gvs_node_synced(a->node) ||
           (a->cfg.peer_count == 0 && c.alive + c.suspect + c.dead <= 1);
}

bool
gvs_agent_may_write(const struct gvs_agent *a)
{
    struct gvs_node_counts c = gvs_node_count(a->node);

    if (gvs_agent_complete(a))
        return true;
    /* A session with somebody who has died since is nobody to wait for. */
    return (!gvs_node_reached_anyone(a->node) || c.alive + c.suspect <= 1) &&
           gvs_mono_due(gvs_mono_add_ms(a->started, GVS_AGENT_ALONE_MS), gvs_udp_now());
}

/* Fail static: a table that nobody has confirmed deletes nothing, but what is asked for on this
 * very node. Nor does the memory of who was dead (tools/agent/hide.h). */
bool
gvs_agent_may_remove(const struct gvs_agent *a)
{
    struct gvs_node_counts c;

    if (a->hide.unproven)
        return false;
    if (gvs_node_synced(a->node))
        return true;
    if (a->fresh || a->cfg.peer_count > 0)
        return false;
    c = gvs_node_count(a->node);
    return c.alive + c.suspect + c.dead <= 1 && gvs_agent_may_write(a) &&
           gvs_mono_due(gvs_mono_add_ms(a->started, GVS_AGENT_ALONE_MS), gvs_udp_now());
}

static bool
waits(const struct gvs_waiting *w)
{
    return gvs_set_count(w->set[0]) + gvs_set_count(w->set[1]) > 0;
}

static bool
kernels_in_step(const struct gvs_agent *a)
{
    for (struct gvs_netns *ns = gvs_netns_next(a, NULL); ns; ns = gvs_netns_next(a, ns))
        if (!gvs_kernel_status(ns->kernel).in_step)
            return false;
    return gvs_netns_settled(a);
}

bool
gvs_agent_in_step(const struct gvs_agent *a)
{
    return gvs_set_count(a->dirty) == 0 && !a->pass.on && !a->scanning && !a->trial_scanning &&
           !waits(&a->held) && kernels_in_step(a);
}

bool
gvs_agent_observes(const struct gvs_agent *a)
{
    const struct gvs_netns *ns = gvs_netns_next(a, NULL);
    bool all = a->cfg.observe || ns;

    for (; ns && all; ns = gvs_netns_next(a, ns))
        all = gvs_kernel_observing(ns->kernel);
    return all;
}

bool
gvs_agent_owns(const struct gvs_agent *a, const struct gvs_svcid *svc)
{
    for (size_t i = 0; i < a->netns_count; i++)
        if (gvs_ledger_has_service(a->netns[i]->ledger, svc))
            return true;
    return false;
}

/* What is in a ledger was in its kernel before a restart, or is on its way out of it; what was
 * shown is or will be there. */
bool
gvs_agent_uses(const void *agent, const struct gvs_svcid *svc)
{
    const struct gvs_agent *a = agent;
    struct gvs_range shown = gvs_set_service(a->shown, svc);

    return shown.at < shown.end || gvs_agent_owns(a, svc);
}

/* --- news --- */

void
gvs_agent_dirty(struct gvs_agent *a, const struct gvs_svcid *svc)
{
    struct gvs_item item = gvs_item_make_service(svc);

    (void)gvs_set_put(a->dirty,
                      &item); /* it has room for as many services as the table has entries */
}

void
gvs_agent_dirty_all(struct gvs_agent *a)
{
    const struct gvs_table *t = gvs_node_claims(a->node);
    struct gvs_range shown = gvs_set_all(a->shown);
    struct gvs_svcid svc = {0};
    bool after = false;

    for (; gvs_view_seek(t, after ? &svc : NULL, after, &svc); after = true)
        gvs_agent_dirty(a, &svc);
    for (; shown.at < shown.end; shown.at++)
        if (shown.at->kind == GVS_ITEM_SERVICE)
            gvs_agent_dirty(a, &shown.at->svc);
}

void
gvs_agent_vector_key(uint8_t key[static GVS_VECTOR_KEY_LEN], size_t i)
{
    static const uint8_t name[6] = {'v', 'e', 'c', 't', 'o', 'r'};

    memcpy(key, name, sizeof name);
    gvs_put16(key + 6, (uint16_t)i);
}

/* Chunks are only ever added: writers do not go. */
static void
store_vector(struct gvs_agent *a, struct gvs_mono now)
{
    uint8_t b[GVS_VECTOR_CHUNK_MAX], key[GVS_VECTOR_KEY_LEN];
    size_t len;

    for (size_t i = 0;
         (len = gvs_node_vector(a->node, i * GVS_VECTOR_WRITERS_MAX, b, sizeof b)) > 0; i++) {
        gvs_agent_vector_key(key, i);
        gvs_store_put(a->store, GVS_BUCKET_META, key, sizeof key, b, len);
    }
    a->vector_changes = gvs_node_vector_changes(a->node);
    a->vector_at = now;
}

/* All that one callback of the loop puts shares a transaction. So the vector is never on the disk
 * before the entries that it covers; nor is a removal there before the vector that stands in for
 * what was removed. By itself it may be late: an older one only promises less. */
static void
save_vector(struct gvs_agent *a)
{
    struct gvs_mono now = gvs_udp_now();

    if (a->vector_changes == gvs_node_vector_changes(a->node))
        return;
    if (a->news_taken || gvs_mono_due(gvs_mono_add_ms(a->vector_at, VECTOR_MS), now))
        store_vector(a, now);
}

/* With the entries, a floor above their stamps, for a clock that is set back before the next start.
 * What a crash leaves uncovered is an entry that was relayed before its transaction was on the
 * disk, the first in 10 s: whoever then comes back with an earlier clock may stamp it again. */
static void
raise_stamp_floor(struct gvs_agent *a)
{
    uint64_t ms = gvs_hlc_ms(gvs_node_stamp(a->node));

    if (ms < a->stamp_floor_ms || ms > GVS_HLC_MS_MAX - STAMP_RESERVE_MS)
        return;
    a->stamp_floor_ms = ms + STAMP_RESERVE_MS;
    gvs_store_put(a->store, GVS_BUCKET_META, "stamp_floor", 11, &a->stamp_floor_ms,
                  sizeof a->stamp_floor_ms);
}

void
gvs_agent_take_entries(struct gvs_agent *a)
{
    struct gvs_entry e;
    struct gvs_key key;

    for (; gvs_node_news(a->node, &e); a->news_taken = true) {
        bool member = e.kind == GVS_KEY_MEMBER;

        gvs_store_put(a->store, member ? GVS_BUCKET_MEMBER : GVS_BUCKET_ENTRY, e.key, e.key_len,
                      e.len > 0 ? e.b : NULL, e.len);
        if (member || gvs_key_parse(&key, e.key, e.key_len) < 0)
            continue;
        gvs_trials_note(a, &e);
        if (key.kind != GVS_KEY_TRIAL) {
            gvs_agent_dirty(a, &key.svc);
            gvs_spread_begin(a, &e, &key);
        }
    }
}

void
gvs_agent_take_news(struct gvs_agent *a)
{
    gvs_agent_take_entries(a);
    if (a->news_taken)
        raise_stamp_floor(a);
    save_vector(a);
    a->news_taken = false;
}

static void
take_member_events(struct gvs_agent *a)
{
    struct gvs_node_event ev;

    while (gvs_node_event(a->node, &ev)) {
        a->members_due = true;
        gvs_event_member(a, &ev);
    }
}

/* --- view --- */

/* The writer of the latest change to a service, for watch: gone with its entries if nothing is left
 * of it. */
static const struct gvs_id *
latest_writer(const struct gvs_view_service *v)
{
    const struct gvs_stamp *latest = &v->changed;

    for (size_t i = 0; i < v->backend_count; i++)
        if (gvs_stamp_cmp(latest, &v->backends[i].changed) < 0)
            latest = &v->backends[i].changed;
    return &latest->writer;
}

static bool
any_usable(struct gvs_range items)
{
    for (; items.at < items.end; items.at++)
        if (items.at->kind == GVS_ITEM_DEST && items.at->dest.weight > 0)
            return true;
    return false;
}

/* Entries arrive in any order: the deletion of an old server may be here before its successor, or
 * the deletion of the backends before that of their service. So what peers say waits a second
 * before it takes the last usable destination from a service that stays. */
static bool
hold(struct gvs_agent *a, const struct gvs_svcid *svc, struct gvs_range before,
     struct gvs_range after)
{
    struct gvs_item item = gvs_item_make_service(svc);

    if (after.at == after.end || !any_usable(before) || any_usable(after))
        return false;
    if (!waits(&a->held))
        a->held.turn = gvs_mono_add_ms(gvs_udp_now(), HOLD_MS);
    return gvs_set_put(a->held.set[0], &item) == GVS_OK;
}

static bool
same_items(struct gvs_range a, struct gvs_range b)
{
    if (a.end - a.at != b.end - b.at)
        return false;
    for (; a.at < a.end; a.at++, b.at++)
        if (!gvs_item_equal(a.at, b.at))
            return false;
    return true;
}

/* What watch and the screen know of the service becomes what the view says now. */
static void
show_service(struct gvs_agent *a, const struct gvs_svcid *svc, struct gvs_range items,
             const struct gvs_id *writer)
{
    if (same_items(gvs_set_service(a->shown, svc), items))
        return;
    if (!a->quiet)
        gvs_event_items(a, gvs_set_service(a->shown, svc), items, writer);
    /* As large as the table; if it were full after all, only watch would miss it. */
    (void)gvs_set_replace_service(a->shown, svc, items);
}

/* a->view and a->items become what this namespace is to hold (NULL, and no host: what all are, but
 * for addresses of their own); returns how many items. */
static size_t
view_in(struct gvs_agent *a, const struct gvs_svcid *svc, const struct gvs_netns *ns, bool *alive)
{
    struct gvs_view_env env = gvs_agent_env_in(a, ns);

    *alive = gvs_view_service(gvs_node_claims(a->node), &env, svc, a->view);
    if (!*alive)
        return 0;
    return gvs_view_items(a->view, a->items, 1 + GVS_VIEW_BACKENDS_MAX);
}

/* Of who leaves and takes all back nothing is wanted, whatever the table says. */
static void
want(struct gvs_agent *a, struct gvs_netns *ns, const struct gvs_svcid *svc, size_t count,
     bool local)
{
    ns->due = (struct gvs_mono){0};
    if (gvs_kernel_want(ns->kernel, svc, a->items, a->leaving ? 0 : count, local) < 0)
        gvs_agent_log(a, GVS_LOG_ERR, "no room to program more than %zu objects",
                      a->cfg.limits.entries);
}

/* All namespaces want the same, but where the address of the service is one's own and not the
 * host's, or the other way round: these have a view of theirs. */
static void
want_everywhere(struct gvs_agent *a, const struct gvs_svcid *svc, size_t count, bool local)
{
    const struct gvs_netns *host = gvs_netns_host(a);
    bool here = host && gvs_netns_has(host, &svc->addr), others = false, alive;
    struct gvs_netns *ns;

    for (ns = gvs_netns_next(a, NULL); ns; ns = gvs_netns_next(a, ns)) {
        if (gvs_netns_has(ns, &svc->addr) == here)
            want(a, ns, svc, count, local);
        else
            others = true;
    }
    for (ns = others ? gvs_netns_next(a, NULL) : NULL; ns; ns = gvs_netns_next(a, ns))
        if (gvs_netns_has(ns, &svc->addr) != here)
            want(a, ns, svc, view_in(a, svc, ns, &alive), local);
}

/* What has a name in the table, or one that somebody may still mention. Overwrites the view. */
static bool
has_name(void *agent, const struct gvs_svcid *svc)
{
    struct gvs_agent *a = agent;
    struct gvs_view_env env = gvs_agent_env(a);

    return gvs_agent_uses(a, svc) ||
           (gvs_view_service(gvs_node_claims(a->node), &env, svc, a->view) && a->view->claimed);
}

/* Names of services that are gone are forgotten before they are more than the others. */
static void
forget_names(struct gvs_agent *a)
{
    if (a->names.count <= 2 * a->names_kept + NAMES_SPARE)
        return;
    gvs_names_keep(&a->names, has_name, a);
    a->names_kept = a->names.count;
}

/* So that who asks what is wrong need not look at what is not. */
static void
note_trouble(struct gvs_agent *a, const struct gvs_svcid *svc, bool troubled)
{
    struct gvs_item item = gvs_item_make_service(svc);

    if (troubled)
        (void)gvs_set_put(a->troubled, &item); /* as large as the table */
    else
        gvs_set_del(a->troubled, &item);
}

/* `writer`: who causes it; NULL: whoever wrote last. */
static void
refresh_service(struct gvs_agent *a, const struct gvs_svcid *svc, bool insist,
                const struct gvs_id *writer)
{
    bool alive, local = a->via == GVS_VIA_CLI || a->via == GVS_VIA_API || a->via == GVS_VIA_FILE;
    size_t count = view_in(a, svc, gvs_netns_host(a), &alive);
    struct gvs_range after = {a->items, a->items + count};

    note_trouble(a, svc, alive && gvs_problems_has(a->view));
    if (alive && a->view->claimed)
        gvs_names_put(&a->names, svc, a->view->claim.name);
    if (!local && !insist && hold(a, svc, gvs_set_service(a->shown, svc), after))
        return;
    if (!writer && alive)
        writer = latest_writer(a->view);
    show_service(a, svc, after, writer);
    want_everywhere(a, svc, count, local);
    forget_names(a);
}

/* A namespace that is new, or has other addresses than before, is told what is wanted in it.
 */
static void
fill(struct gvs_agent *a, struct gvs_netns *ns)
{
    const struct gvs_table *t = gvs_node_claims(a->node);
    bool alive;

    for (int i = 0; ns->filling && i < SERVICES_PER_PASS; i++) {
        struct gvs_svcid svc = ns->filled;

        ns->filling = gvs_view_seek(t, ns->filled_any ? &svc : NULL, ns->filled_any, &ns->filled);
        ns->filled_any = true;
        if (ns->filling)
            want(a, ns, &ns->filled, view_in(a, &ns->filled, ns, &alive), false);
    }
    ns->due = (struct gvs_mono){0};
}

/* One of them in a pass; false: none was waiting. */
static bool
fill_next(struct gvs_agent *a)
{
    struct gvs_netns *ns = gvs_netns_next(a, NULL);

    while (ns && (!ns->filling || ns->bare))
        ns = gvs_netns_next(a, ns);
    if (ns)
        fill(a, ns);
    return ns;
}

/* Ascending, so that sets that are filled for the first time grow at their end. Returns whether
 * some are left for the next pass. */
static bool
refresh_dirty(struct gvs_agent *a, size_t max)
{
    struct gvs_range all = gvs_set_all(a->dirty);
    size_t count = (size_t)(all.end - all.at);
    bool more = count > max;

    count = more ? max : count;
    for (size_t i = 0; i < count; i++)
        refresh_service(a, &all.at[i].svc, false, NULL); /* which marks nothing dirty */
    gvs_set_del_first(a->dirty, count);
    return more;
}

/* Looks at those that have waited long enough; the others, and whoever waits anew, are next. */
static void
run_held(struct gvs_agent *a, struct gvs_mono now)
{
    struct gvs_waiting *w = &a->held;
    struct gvs_set *due = w->set[1];
    struct gvs_range all = gvs_set_all(due);

    if (!waits(w) || !gvs_mono_due(w->turn, now))
        return;
    for (; all.at < all.end; all.at++)
        refresh_service(a, &all.at->svc, true, NULL);
    gvs_set_clear(due);
    w->set[1] = w->set[0];
    w->set[0] = due;
    w->turn = gvs_mono_add_ms(now, HOLD_MS);
}

/* Members that went or came back: nobody wrote anything, it is this node that says so. Returns
 * whether some services are left for the next pass. */
static bool
refresh_owners(struct gvs_agent *a)
{
    struct gvs_id self = gvs_node_self(a->node);
    size_t budget = ENTRIES_PER_PASS;
    struct gvs_svcid svc;

    a->via = GVS_VIA_NONE;
    for (int i = 0; i < SERVICES_PER_PASS && gvs_owners_next(a, &budget, &svc); i++)
        refresh_service(a, &svc, false, &self);
    a->via = GVS_VIA_PEER;
    return a->scanning;
}

void
gvs_agent_absorb(struct gvs_agent *a)
{
    gvs_agent_take_news(a);
    gvs_trials_look(a, gvs_udp_now());
    refresh_dirty(a, SIZE_MAX);
}

/* The kernel's audit reads the addresses of its namespace; a VIP equal to one of them must not be
 * programmed there. The host's are also the screen's. */
static void
take_own_addresses(struct gvs_agent *a)
{
    for (struct gvs_netns *ns = gvs_netns_next(a, NULL); ns; ns = gvs_netns_next(a, ns)) {
        if (!gvs_netns_take_own(ns))
            continue;
        if (ns->host)
            gvs_agent_dirty_all(a);
        else
            gvs_netns_refill(ns);
    }
}

/* --- kernel --- */

/* How long what is not wanted any more may stay for its connections (ipvs/kernel.h). The time runs
 * from the deletion, on all nodes alike, and so by the clock that most of them go by; where nothing
 * tells when that was, from now. While it was braked it had all its connections, and new ones. */
struct gvs_mono
gvs_agent_stay(void *ctx, const struct gvs_svcid *svc, const struct gvs_ep *ep, uint64_t held_ms)
{
    struct gvs_agent *a = ctx;
    struct gvs_view_env env = gvs_agent_env(a);
    struct gvs_view_end end = gvs_view_end(gvs_node_claims(a->node), &env, svc, ep);
    struct gvs_mono now = gvs_udp_now();
    int64_t left = (int64_t)a->cfg.drain_seconds * 1000, gone;

    if (a->leaving)
        return left == 0 ? (struct gvs_mono){0} : a->leave_by;
    if (end.silent)
        return GVS_MONO_NEVER; /* they may have lost their gossip alone: the servers answer */
    if (end.force || left == 0)
        return (struct gvs_mono){0};
    if (end.hlc == 0)
        return gvs_mono_add_ms(now, (uint64_t)left);
    gone = (int64_t)gvs_udp_wall().ms + gvs_node_clock(a->node, now).median_ms -
           (int64_t)gvs_hlc_ms(end.hlc) - (int64_t)held_ms;
    left -= gone > 0 ? gone : 0;
    return left > 0 ? gvs_mono_add_ms(now, (uint64_t)left) : now;
}

/* An operator who forces it, on whatever node, means it; so does who lets an apply go back, which
 * takes away what came with it. And for datagrams it is to be hidden that takes a silent member's
 * servers away (core/view.h), which has a brake of its own (tools/agent/hide.h). */
bool
gvs_agent_goes_at_once(void *ctx, const struct gvs_svcid *svc, const struct gvs_ep *ep)
{
    const struct gvs_agent *a = ctx;
    struct gvs_view_env env = gvs_agent_env(a);
    struct gvs_view_end end = gvs_view_end(gvs_node_claims(a->node), &env, svc, ep);

    return a->leaving || end.force || end.back || (end.silent && svc->proto == GVS_PROTO_UDP);
}

static void
ledger_durable(void *ctx, int status)
{
    struct gvs_agent *a = ctx;
    struct gvs_netns *ns = NULL;

    a->ledger_pending = false;
    a->ledger_again = status != 0; /* the store keeps what it could not write, and tries again */
    while (status == 0 && (ns = gvs_netns_next(a, ns)) != NULL) {
        gvs_kernel_ledger_durable(ns->kernel, ns->ledger_upto);
        ns->due = (struct gvs_mono){0};
    }
    gvs_agent_pump(a);
}

static void
store_ledgers(struct gvs_agent *a)
{
    bool any = a->ledger_again;
    struct gvs_netns *ns = NULL;
    struct gvs_ledger_rec rec;

    if (a->ledger_pending)
        return;
    while ((ns = gvs_netns_next(a, ns)) != NULL) {
        while (gvs_ledger_next(ns->ledger, &rec)) {
            gvs_netns_put(a, ns, rec.b, rec.len, rec.gone ? NULL : rec.value, rec.value_len);
            any = true;
        }
        ns->ledger_upto = gvs_kernel_ledger_wanted(ns->kernel);
    }
    a->ledger_pending = any;
    if (any)
        gvs_store_sync_ledger(a->store, ledger_durable, a);
}

static void
take_kernel_events(struct gvs_agent *a)
{
    struct gvs_moment now = {0};
    struct gvs_kernel_event ev;
    uint64_t missed;

    for (struct gvs_netns *ns = gvs_netns_next(a, NULL); ns; ns = gvs_netns_next(a, ns)) {
        while (gvs_kernel_event(ns->kernel, &ev, &missed)) {
            now = now.mono.us ? now : gvs_agent_moment();
            gvs_event_kernel(a, ns, &ev, &now);
        }
    }
}

static void
trust_kernels(struct gvs_agent *a)
{
    bool all = (gvs_agent_may_remove(a) && a->claims_tried) || a->leaving;
    enum gvs_trust trust = all                      ? GVS_TRUST_ALL
                           : gvs_agent_may_write(a) ? GVS_TRUST_EDITS
                                                    : GVS_TRUST_NONE;

    for (struct gvs_netns *ns = gvs_netns_next(a, NULL); ns; ns = gvs_netns_next(a, ns)) {
        if (ns->filling || trust <= ns->trust)
            continue; /* what it has not been told of is not to be taken for unwanted */
        ns->trust = trust;
        gvs_kernel_trust(ns->kernel, trust);
        ns->due = (struct gvs_mono){0};
    }
}

/* One step of the next whose time has come; false: of none. */
static bool
step_one(struct gvs_agent *a, struct gvs_mono now)
{
    for (size_t i = 0; i < a->netns_count; i++) {
        struct gvs_netns *ns = a->netns[(a->netns_turn + i) % a->netns_count];

        if (!ns->kernel || ns->filling || !gvs_mono_due(ns->due, now))
            continue;
        ns->due = gvs_kernel_step(ns->kernel, now);
        a->netns_turn = (a->netns_turn + i + 1) % a->netns_count;
        return true;
    }
    return false;
}

static struct gvs_mono
run_kernels(struct gvs_agent *a, struct gvs_mono now)
{
    struct gvs_mono next = GVS_MONO_NEVER;

    trust_kernels(a);
    for (int i = 0; i < BATCHES_PER_PASS && step_one(a, now); i++)
        ;
    for (struct gvs_netns *ns = gvs_netns_next(a, NULL); ns; ns = gvs_netns_next(a, ns))
        if (!ns->filling)
            next = gvs_mono_min(next, ns->due);
    store_ledgers(a);
    take_kernel_events(a);
    return next;
}

static void
note_step(struct gvs_agent *a, struct gvs_mono now)
{
    bool in_step = gvs_agent_in_step(a);

    a->was_in_step |= in_step;
    if (in_step)
        a->out_of_step = GVS_MONO_NEVER;
    else if (a->out_of_step.us == GVS_MONO_NEVER.us)
        a->out_of_step = now;
    gvs_node_set_in_step(a->node, in_step && !a->leaving);
    gvs_node_set_observes(a->node, gvs_agent_observes(a));
}

static void
store_seq(struct gvs_agent *a)
{
    if (a->events.stored == a->events.seq)
        return;
    a->events.stored = a->events.seq;
    gvs_store_put(a->store, GVS_BUCKET_META, "seq", 3, &a->events.seq, sizeof a->events.seq);
}

/* The next pass is once the loop has looked at its sockets, or when something is due. */
static void
schedule(struct gvs_agent *a, struct gvs_mono now, struct gvs_mono next, bool more)
{
    uint64_t ms = 60000;

    if (more || gvs_mono_due(next, now)) {
        uv_idle_start(&a->more, a->more.idle_cb);
        return;
    }
    uv_idle_stop(&a->more);
    if (next.us != GVS_MONO_NEVER.us)
        ms = (next.us - now.us + 999) / 1000;
    uv_timer_start(&a->kernel_timer, a->kernel_timer.timer_cb, ms, 0);
}

static bool
claiming(const struct gvs_agent *a)
{
    return a->reading || a->pass.on;
}

void
gvs_agent_pump(struct gvs_agent *a)
{
    struct gvs_mono now, next, owners, netns, trials;
    bool more;

    if (a->closing || a->pumping)
        return;
    a->pumping = true;
    gvs_agent_take_news(a);
    take_member_events(a);
    gvs_agent_take_overwrites(a);
    now = gvs_udp_now();
    owners = gvs_owners_refresh(a, now);
    netns = gvs_netns_run(a, now);
    trials = gvs_trials_look(a, now);
    more = gvs_trials_scan(a);
    if (!a->claims_tried && !claiming(a))
        gvs_agent_read_claims(a);
    more |= refresh_dirty(a, SERVICES_PER_PASS) || gvs_agent_claim_next(a);
    more |= refresh_owners(a);
    more |= fill_next(a);
    run_held(a, now);
    /* What we claim is not to be missed, were it for a moment. */
    next = a->claims_tried || !claiming(a) ? run_kernels(a, now) : GVS_MONO_NEVER;
    next = gvs_mono_min(next, owners);
    next = gvs_mono_min(next, netns);
    next = gvs_mono_min(next, trials);
    next = gvs_mono_min(next, waits(&a->held) ? a->held.turn : GVS_MONO_NEVER);
    take_own_addresses(a);
    note_step(a, now);
    store_seq(a);
    gvs_hook_run(a);
    a->pumping = false;
    next = gvs_mono_min(next, gvs_requests_poll(a));
    schedule(a, gvs_udp_now(), next, more || (a->left && a->on_left));
    gvs_udp_kick(a->udp);
}
