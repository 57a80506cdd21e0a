#include "ipvs/kernel_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Abstract: it belongs to the network namespace, and ends with whoever holds it. */
static const char lock_name[] = "\0gossipvs-ipvs";

static const struct gvs_kernel_sockets no_sockets = {-1, -1, -1};

/* What both sets and services ask. */

struct gvs_range
gvs_kernel_wanted_of(const struct gvs_kernel *k, const struct gvs_slot *s)
{
    return gvs_set_service(k->wanted, &s->id);
}

struct gvs_range
gvs_kernel_configured_of(const struct gvs_kernel *k, const struct gvs_slot *s)
{
    return gvs_set_service(k->configured, &s->id);
}

bool
gvs_kernel_wants(const struct gvs_kernel *k, const struct gvs_slot *s)
{
    struct gvs_item service = gvs_item_make_service(&s->id);

    return gvs_set_get(k->wanted, &service);
}

bool
gvs_ranges_equal(struct gvs_range a, struct gvs_range b)
{
    struct gvs_diff d;
    const struct gvs_item *from, *to;

    gvs_diff_init(&d, a, b);
    return gvs_diff_next(&d, &from, &to) == GVS_DIFF_END;
}

size_t
gvs_range_from(struct gvs_range r, const struct gvs_item *least)
{
    size_t first = 0, last = (size_t)(r.end - r.at);

    while (first < last) {
        size_t middle = first + (last - first) / 2;

        if (gvs_item_cmp(&r.at[middle], least) < 0)
            first = middle + 1;
        else
            last = middle;
    }
    return first;
}

bool
gvs_items_reserve(struct gvs_item **v, size_t *cap, size_t count)
{
    struct gvs_item *more = count > *cap ? reallocarray(*v, count, sizeof *more) : *v;

    if (count > *cap && !more)
        return false;
    *cap = count > *cap ? count : *cap;
    *v = more;
    return true;
}

/* A service that goes is one difference, its destinations go along. */
void
gvs_kernel_recount(struct gvs_kernel *k, struct gvs_slot *s)
{
    const struct gvs_item *from, *to;
    struct gvs_diff d;
    size_t count = 0;

    gvs_diff_init(&d, gvs_kernel_configured_of(k, s), gvs_kernel_wanted_of(k, s));
    while (!s->foreign && gvs_diff_next(&d, &from, &to) != GVS_DIFF_END) {
        count++;
        if (!to && from->kind == GVS_ITEM_SERVICE)
            break;
    }
    gvs_slot_differs(&k->slots, s, count);
}

bool
gvs_kernel_asked(const struct gvs_kernel *k, const struct gvs_slot *s,
                 const struct gvs_item *identity, bool whole)
{
    struct gvs_range r = gvs_kernel_configured_of(k, s);

    if (!gvs_set_get(k->asked, identity))
        return false;
    while (whole && r.at < r.end && gvs_set_get(k->asked, r.at))
        r.at++;
    return !whole || r.at == r.end;
}

void
gvs_kernel_answered(struct gvs_kernel *k, const struct gvs_slot *s)
{
    if (gvs_set_count(k->asked) > 0)
        gvs_set_del_service(k->asked, &s->id);
}

void
gvs_kernel_drop(struct gvs_kernel *k, struct gvs_slot *s)
{
    if (s->list != GVS_SLOT_IDLE || s->present || s->foreign || gvs_kernel_wants(k, s))
        return;
    gvs_kernel_answered(k, s);
    gvs_brake_forget(k, s);
    gvs_slot_free(&k->slots, s);
}

bool
gvs_kernel_own(struct gvs_kernel *k, struct gvs_slot *s)
{
    if (gvs_ledger_service(k->ledger, &s->id, true))
        s->ledger_seq = ++k->ledger_seq;
    return gvs_ledger_has_service(k->ledger, &s->id);
}

void
gvs_kernel_disown(struct gvs_kernel *k, struct gvs_slot *s)
{
    if (gvs_ledger_service(k->ledger, &s->id, false))
        k->ledger_seq++;
    s->fresh = false;
}

/* Opening. */

static int
lock_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

int
gvs_kernel_sockets_make(struct gvs_kernel_sockets *s)
{
    s->nl = gvs_nl_socket();
    s->link = gvs_link_socket();
    s->lock = lock_socket();
    if (s->nl >= 0 && s->link >= 0 && s->lock >= 0)
        return GVS_OK;
    gvs_kernel_sockets_close(s);
    return GVS_E_SYS;
}

void
gvs_kernel_sockets_close(struct gvs_kernel_sockets *s)
{
    int *fds[] = {&s->nl, &s->link, &s->lock}, error = errno;

    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
    errno = error;
}

/* GVS_E_CONFLICT: another agent has it. */
static int
take_lock(struct gvs_kernel *k)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof lock_name - 1);

    memcpy(a.sun_path, lock_name, sizeof lock_name - 1);
    if (bind(k->lock_fd, (const struct sockaddr *)&a, len) == 0)
        return GVS_OK;
    return errno == EADDRINUSE ? GVS_E_CONFLICT : GVS_E_SYS;
}

/* The socket is of the namespace where it was made, so it is kept for later tries. */
static int
open_lock(struct gvs_kernel *k)
{
    int rc;

    k->observing = k->cfg.observe;
    if (k->cfg.observe)
        return GVS_OK;
    if (k->lock_fd < 0)
        k->lock_fd = lock_socket();
    if (k->lock_fd < 0)
        return GVS_E_SYS;
    rc = take_lock(k);
    k->locked_out = k->observing = rc == GVS_E_CONFLICT;
    return rc == GVS_E_CONFLICT ? GVS_OK : rc;
}

/* Takes what it uses of the sockets, and leaves -1 in its place. */
static int
take_socket(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

static int
open_link(struct gvs_kernel *k, struct gvs_kernel_sockets *s)
{
    int rc = s->link < 0
                 ? gvs_link_open(&k->link, k->interface, k->observing)
                 : gvs_link_open_on(&k->link, take_socket(&s->link), k->interface, k->observing);

    if (rc == GVS_OK)
        gvs_link_source(k->link, &k->cfg.source4, &k->cfg.source6);
    return rc;
}

static int
open_nl(struct gvs_kernel *k, struct gvs_kernel_sockets *s)
{
    int rc = s->nl < 0 ? gvs_nl_open(&k->nl) : gvs_nl_open_on(&k->nl, take_socket(&s->nl));

    if (rc == GVS_OK)
        gvs_nl_version(k->nl, k->version);
    if (!k->cfg.observe || (rc != GVS_E_UNSUPPORTED && rc != GVS_E_REFUSED))
        return rc;
    if (rc == GVS_E_REFUSED) /* to read IPVS takes it, too */
        gvs_report_error(k, "IPVS is not read: %s", gvs_kernel_trouble(rc));
    return GVS_OK;
}

/* Its pages come with the items: nothing is touched here. */
static struct gvs_set *
make_set(size_t items)
{
    void *mem = calloc(1, gvs_set_footprint(items));

    return mem ? gvs_set_init(mem, items) : NULL;
}

/* `configured` has room for all of one table beside all of another that is to replace it, `wanted`
 * for all of that to leave beside what is wanted. */
static int
make_state(struct gvs_kernel *k)
{
    size_t max = k->cfg.items_max;

    k->wanted = make_set(3 * max);
    k->configured = make_set(2 * max);
    k->foreign = make_set(max);
    k->drifted = make_set(max);
    k->asked = make_set(max);
    k->events = calloc(GVS_EVENTS_MAX, sizeof *k->events);
    if (!k->wanted || !k->configured || !k->foreign || !k->drifted || !k->asked || !k->events)
        return GVS_E_FULL;
    return gvs_slots_init(&k->slots, 3 * max);
}

int
gvs_kernel_open(struct gvs_kernel **out, const struct gvs_kernel_config *cfg,
                struct gvs_ledger *ledger, struct gvs_mono now)
{
    struct gvs_kernel_sockets s = cfg->sockets ? *cfg->sockets : no_sockets;
    struct gvs_kernel *k = calloc(1, sizeof *k);
    int rc;

    GVS_ASSERT(cfg->audit_ms >= 1000 && cfg->audit_ms <= 3600000);
    GVS_ASSERT(strlen(cfg->interface) < sizeof k->interface);
    *out = NULL;
    if (!k) {
        gvs_kernel_sockets_close(&s);
        return GVS_E_FULL;
    }
    k->cfg = *cfg;
    k->cfg.sockets = NULL;
    k->lock_fd = take_socket(&s.lock);
    k->ledger = ledger;
    k->ledger_lost = gvs_ledger_services(ledger) == 0;
    k->orphans = !k->ledger_lost;
    k->now = now;
    k->slice_pause_ms = GVS_SLICE_PAUSE_MS;
    snprintf(k->interface, sizeof k->interface, "%s", cfg->interface);
    k->cfg.interface = k->interface;
    rc = make_state(k);
    if (rc == GVS_OK)
        rc = open_nl(k, &s);
    if (rc == GVS_OK)
        rc = open_lock(k);
    if (rc == GVS_OK)
        rc = open_link(k, &s);
    gvs_kernel_sockets_close(&s); /* those that were not come to */
    if (rc == GVS_OK)
        *out = k;
    else
        gvs_kernel_close(k);
    return rc;
}

void
gvs_kernel_close(struct gvs_kernel *k)
{
    int error = errno;

    gvs_link_close(k->link);
    gvs_nl_close(k->nl);
    if (k->lock_fd >= 0)
        close(k->lock_fd);
    gvs_flight_fini(&k->flight);
    gvs_look_fini(&k->look);
    gvs_drain_fini(&k->drain);
    gvs_brake_fini(&k->brake);
    gvs_vip_fini(k);
    gvs_slots_fini(&k->slots);
    free(k->wanted);
    free(k->configured);
    free(k->foreign);
    free(k->drifted);
    free(k->asked);
    free(k->events);
    free(k);
    errno = error;
}

/* When the lock comes free. */

/* Forgets what was read, and keeps what is wanted. */
static void
start_over(struct gvs_kernel *k)
{
    gvs_set_clear(k->configured);
    gvs_set_clear(k->foreign);
    gvs_set_clear(k->drifted);
    gvs_set_clear(k->asked);
    k->vips.count = 0;
    k->look.dumps = 0;
    k->look.sweeping = k->read_once = false;
    for (size_t i = 0; i < k->slots.high; i++) {
        struct gvs_slot *s = &k->slots.pool[i];

        if (!s->used)
            continue;
        s->present = s->once = s->missing = false;
        gvs_brake_forget(k, s);
        gvs_kernel_recount(k, s);
        gvs_slot_move(&k->slots, s, gvs_kernel_wants(k, s) ? GVS_SLOT_DIRTY : GVS_SLOT_IDLE);
        gvs_kernel_drop(k, s);
    }
}

/* Until the link is there the lock is held, and nothing is written: the next audit tries again. */
static void
try_lock(struct gvs_kernel *k)
{
    bool held = k->have_lock || take_lock(k) == GVS_OK;

    k->have_lock = held;
    if (!held)
        return;
    k->observing = false;
    if (gvs_link_program(k->link) != GVS_OK) {
        k->observing = true;
        gvs_report_error(k, "cannot program this namespace: the interface %s failed", k->interface);
        return;
    }
    k->locked_out = false;
    start_over(k);
}

bool
gvs_kernel_observing(const struct gvs_kernel *k)
{
    return k->observing;
}

bool
gvs_kernel_locked_out(const struct gvs_kernel *k)
{
    return k->locked_out;
}

/* What is wanted. */

static bool
is_one_service(const struct gvs_svcid *svc, const struct gvs_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (gvs_svcid_cmp(&items[i].svc, svc) != 0 ||
            (items[i].kind == GVS_ITEM_SERVICE) != (i == 0))
            return false;
    }
    return true;
}

/* I5. What is not in `old` is nothing that anybody could take back here: others may claim it, and
 * this table may not know them yet. */
static void
note_asked(struct gvs_kernel *k, struct gvs_range old, struct gvs_range new_items, bool local)
{
    const struct gvs_item *from, *to;
    struct gvs_diff d;
    enum gvs_diff_op op;

    gvs_diff_init(&d, old, new_items);
    while ((op = gvs_diff_next(&d, &from, &to)) != GVS_DIFF_END) {
        if (local && op != GVS_DIFF_ADD)
            gvs_set_put(k->asked, from); /* if it is full, nobody has asked */
        else
            gvs_set_del(k->asked, op == GVS_DIFF_REMOVE ? from : to);
    }
}

static void
wish_changed(struct gvs_kernel *k, struct gvs_slot *s)
{
    s->backoff_ms = 0;
    if (s->foreign && !gvs_kernel_wants(k, s)) {
        gvs_set_del_service(k->foreign, &s->id);
        gvs_slot_foreign(&k->slots, s, false);
    }
    gvs_kernel_recount(k, s);
    if (s->list == GVS_SLOT_FLIGHT)
        s->again = true;
    else if (k->observing || s->foreign || s->lost || s->surprised)
        gvs_slot_move(&k->slots, s, GVS_SLOT_LOOK);
    else if (s->list != GVS_SLOT_LOOK && s->list != GVS_SLOT_READ)
        gvs_slot_move(&k->slots, s, GVS_SLOT_DIRTY);
}

int
gvs_kernel_want(struct gvs_kernel *k, const struct gvs_svcid *svc, const struct gvs_item *items,
                size_t count, bool local)
{
    const struct gvs_range new_items = {items, count ? items + count : items};
    struct gvs_slot *s = gvs_slot_find(&k->slots, svc);
    struct gvs_range old;
    size_t others;
    int rc;

    GVS_ASSERT(is_one_service(svc, items, count) && !gvs_anchor_is(svc));
    if (!s && count == 0)
        return GVS_OK;
    s = gvs_slot_make(&k->slots, svc);
    if (!s)
        return GVS_E_FULL;
    old = gvs_kernel_wanted_of(k, s);
    others = gvs_set_count(k->wanted) - (size_t)(old.end - old.at) -
             (k->drain.leaving - (s->leaving - s->whole));
    if (others + count > k->cfg.items_max) {
        gvs_kernel_drop(k, s);
        return GVS_E_FULL;
    }
    if (s->leaving == 0 && !gvs_brake_any(s) && gvs_ranges_equal(old, new_items))
        return GVS_OK; /* what leaves, or is braked, may have to go at once by now */
    if (local || gvs_set_count(k->asked) > 0)
        note_asked(k, old, new_items, local);
    gvs_drain_forget(k, s, new_items);
    rc = gvs_set_replace_service(k->wanted, svc, new_items);
    GVS_ASSERT(rc == GVS_OK); /* its room is larger than items_max */
    wish_changed(k, s);
    return GVS_OK;
}

void
gvs_kernel_trust(struct gvs_kernel *k, enum gvs_trust trust)
{
    if (trust <= k->trust)
        return;
    k->trust = trust;
    k->vips.stray = true;
    gvs_slot_move_all(&k->slots, GVS_SLOT_GATED, GVS_SLOT_DIRTY);
}

void
gvs_kernel_share(struct gvs_kernel *k, size_t kernels)
{
    GVS_ASSERT(kernels > 0);
    k->slice_pause_ms = GVS_SLICE_PAUSE_MS * kernels;
}

uint64_t
gvs_kernel_ledger_wanted(const struct gvs_kernel *k)
{
    return k->ledger_seq;
}

void
gvs_kernel_ledger_durable(struct gvs_kernel *k, uint64_t upto)
{
    struct gvs_slot *next;

    GVS_ASSERT(upto <= k->ledger_seq);
    if (upto <= k->ledger_durable)
        return;
    k->ledger_durable = upto;
    for (struct gvs_slot *s = k->slots.first[GVS_SLOT_LEDGER]; s; s = next) {
        next = s->next;
        if (s->ledger_seq <= upto)
            gvs_slot_move(&k->slots, s, GVS_SLOT_DIRTY);
    }
}

/* Only what the last reading showed of them is known: no removal before another. */
static void
take_over(struct gvs_kernel *k, struct gvs_slot *s)
{
    struct gvs_range r = gvs_set_service(k->foreign, &s->id);
    size_t count = (size_t)(r.end - r.at);

    if (gvs_set_count(k->configured) + count > 2 * k->cfg.items_max || !gvs_kernel_own(k, s)) {
        gvs_report_error(k, "cannot take a service over: limits are too low");
        return;
    }
    for (; r.at < r.end; r.at++) {
        int rc = gvs_set_put(k->configured, r.at);

        GVS_ASSERT(rc == GVS_OK);
    }
    gvs_set_del_service(k->foreign, &s->id);
    gvs_slot_foreign(&k->slots, s, false);
    s->present = s->once = true;
    gvs_kernel_recount(k, s);
    gvs_slot_move(&k->slots, s, GVS_SLOT_DIRTY);
}

void
gvs_kernel_take(struct gvs_kernel *k)
{
    for (size_t i = 0; i < k->slots.high; i++) {
        struct gvs_slot *s = &k->slots.pool[i];

        if (s->used && s->foreign) /* none while observing */
            take_over(k, s);
    }
}

void
gvs_kernel_audit_now(struct gvs_kernel *k)
{
    k->look.audit_at = (struct gvs_mono){0};
    k->look.sweeping = false;
    k->look.fast = true;
}

/* A step. */

static struct gvs_mono
deadline(const struct gvs_kernel *k)
{
    struct gvs_mono at = gvs_look_deadline(k);

    if (gvs_flight_under_way(k) || gvs_flight_due(k))
        return k->now;
    if (k->vips.stray && k->trust == GVS_TRUST_ALL && k->read_once && !k->observing)
        return k->now;
    if (!k->observing)
        at = gvs_mono_min(gvs_mono_min(at, k->slots.retry_at), gvs_brake_deadline(k));
    for (size_t i = 0; i < 2; i++) {
        if (k->anchors[i].retry_at.us > k->now.us)
            at = gvs_mono_min(at, k->anchors[i].retry_at);
    }
    return gvs_mono_due(at, k->now) ? k->now : at;
}

/* A flight is never broken into by a reading, so that what is read and what was acknowledged do not
 * mix. */
struct gvs_mono
gvs_kernel_step(struct gvs_kernel *k, struct gvs_mono now)
{
    k->now = now;
    if (gvs_flight_under_way(k)) {
        gvs_flight_step(k);
        return deadline(k);
    }
    if (k->locked_out && gvs_mono_due(k->look.audit_at, now))
        try_lock(k);
    gvs_slots_due(&k->slots, now);
    gvs_brake_step(k);
    if (gvs_look_step(k))
        return deadline(k);
    if (gvs_flight_due(k)) {
        gvs_flight_board(k);
        gvs_flight_step(k);
    } else if (k->read_once) {
        gvs_vip_strays(k);
    }
    return deadline(k);
}
