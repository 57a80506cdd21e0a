#include "test/ipvs/fake.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake *
fake_kernel(void)
{
    static struct fake fake;

    return &fake;
}

void
fake_reset(void)
{
    struct fake *f = fake_kernel();

    free(f->log);
    memset(f, 0, sizeof *f);
    f->own[0] = (struct gvs_addr){GVS_FAMILY_V4, {10, 77, 0, 1}};
    f->own_count = 1;
}

__attribute__((format(printf, 1, 2))) static void
say(const char *fmt, ...)
{
    struct fake *f = fake_kernel();
    va_list ap;

    if (f->log_cap - f->log_len < 256) {
        f->log_cap = f->log_cap ? f->log_cap * 2 : 4096;
        f->log = realloc(f->log, f->log_cap);
        if (!f->log)
            abort();
    }
    va_start(ap, fmt);
    f->log_len += (size_t)vsnprintf(f->log + f->log_len, f->log_cap - f->log_len, fmt, ap);
    va_end(ap);
}

const char *
fake_log(void)
{
    struct fake *f = fake_kernel();

    if (f->log_len == 0)
        return "";
    f->log_len = 0;
    return f->log;
}

/* "dest_add 10.99.0.1:80/tcp 10.77.0.4:8080 1", and the answer if it was no. */
static void
say_op(const struct gvs_op *op, int error)
{
    const struct gvs_item *i = &op->item;
    char svc[GVS_SVCID_TEXT_LEN], ep[GVS_EP_TEXT_LEN], addr[GVS_ADDR_TEXT_LEN];

    gvs_svcid_format(svc, &i->svc);
    if (op->kind == GVS_OP_ANCHOR_ADD || op->kind == GVS_OP_ANCHOR_DEL) {
        say("%s v%d", gvs_op_name(op->kind), i->svc.addr.family);
    } else if (op->kind == GVS_OP_ADDR_ADD || op->kind == GVS_OP_ADDR_DEL) {
        gvs_addr_format(addr, &i->svc.addr);
        say("%s %s", gvs_op_name(op->kind), addr);
    } else if (i->kind == GVS_ITEM_SERVICE) {
        say("%s %s %s", gvs_op_name(op->kind), svc, i->service.sched);
    } else {
        gvs_ep_format(ep, &i->ep);
        say("%s %s %s %u", gvs_op_name(op->kind), svc, ep, i->dest.weight);
    }
    if (error)
        say(" %s", strerrorname_np(error));
    say("\n");
}

/* The items. */

struct gvs_item *
fake_find(const struct gvs_item *identity)
{
    struct fake *f = fake_kernel();

    for (size_t i = 0; i < f->count; i++) {
        if (gvs_item_cmp(&f->items[i], identity) == 0)
            return &f->items[i];
    }
    return NULL;
}

static int
add_item(const struct gvs_item *item)
{
    struct fake *f = fake_kernel();

    if (fake_find(item))
        return EEXIST;
    if (f->count == FAKE_ITEMS)
        return ENOMEM;
    f->odd[f->count] = false;
    f->items[f->count++] = *item;
    return 0;
}

static void
drop_item(size_t i)
{
    struct fake *f = fake_kernel();

    f->count--;
    f->items[i] = f->items[f->count];
    f->odd[i] = f->odd[f->count];
}

static int
del_service(const struct gvs_svcid *svc)
{
    struct fake *f = fake_kernel();
    size_t before = f->count;

    for (size_t i = f->count; i-- > 0;) {
        if (gvs_svcid_cmp(&f->items[i].svc, svc) == 0)
            drop_item(i);
    }
    return f->count == before ? ESRCH : 0;
}

static int
edit_item(const struct gvs_item *item, int missing)
{
    struct gvs_item *found = fake_find(item);

    if (!found)
        return missing;
    *found = *item;
    fake_kernel()->odd[found - fake_kernel()->items] = false;
    return 0;
}

static int
del_dest(const struct gvs_item *item)
{
    struct gvs_item *found = fake_find(item);

    if (!found)
        return ENOENT;
    drop_item((size_t)(found - fake_kernel()->items));
    return 0;
}

int
fake_do(uint8_t kind, const struct gvs_item *item)
{
    struct gvs_item service = gvs_item_make_service(&item->svc);
    bool known = fake_find(&service);

    switch (kind) {
    case GVS_OP_ANCHOR_ADD:
    case GVS_OP_SERVICE_ADD:
        return add_item(item);
    case GVS_OP_ANCHOR_DEL:
    case GVS_OP_SERVICE_DEL:
        return del_service(&item->svc);
    case GVS_OP_SERVICE_EDIT:
        return edit_item(item, ESRCH);
    case GVS_OP_DEST_ADD:
        return known ? add_item(item) : ESRCH;
    case GVS_OP_DEST_EDIT:
        return known ? edit_item(item, ENOENT) : ESRCH;
    case GVS_OP_DEST_DEL:
        return known ? del_dest(item) : ESRCH;
    }
    abort();
}

/* Faults. */

void
fake_fail(uint8_t kind, const struct gvs_item *item, int error, unsigned times)
{
    struct fake *f = fake_kernel();

    for (size_t i = 0; i < FAKE_FAULTS; i++) {
        if (f->faults[i].times > 0)
            continue;
        f->faults[i] = (struct fake_fault){kind, *item, error, times};
        return;
    }
    abort();
}

static int
fault_of(const struct gvs_op *op)
{
    struct fake *f = fake_kernel();

    for (size_t i = 0; i < FAKE_FAULTS; i++) {
        struct fake_fault *t = &f->faults[i];

        if (t->times > 0 && t->kind == op->kind && gvs_item_cmp(&t->item, &op->item) == 0) {
            t->times--;
            return t->error;
        }
    }
    return 0;
}

/* ipvs/nl.h */

int
gvs_nl_open(struct gvs_nl **out)
{
    struct fake *f = fake_kernel();

    *out = f->no_ipvs || f->no_right ? NULL : (struct gvs_nl *)f;
    return *out ? GVS_OK : f->no_ipvs ? GVS_E_UNSUPPORTED : GVS_E_REFUSED;
}

int
gvs_nl_socket(void)
{
    errno = ENOSYS;
    return -1;
}

int
gvs_nl_open_on(struct gvs_nl **out, int fd)
{
    (void)fd;
    return gvs_nl_open(out);
}

void
gvs_nl_close(struct gvs_nl *nl)
{
    (void)nl;
}

int
gvs_nl_apply(struct gvs_nl *nl, const struct gvs_op *ops, size_t count, int *errors)
{
    struct fake *f = (struct fake *)nl;
    enum fake_loss loss = f->lose_next;
    size_t done = loss == FAKE_LOSS_UNDONE ? 0 : loss == FAKE_LOSS_HALF ? count / 2 : count;

    GVS_ASSERT(count > 0 && count <= GVS_NL_BATCH_MAX);
    f->lose_next = FAKE_LOSS_NONE;
    f->batch_max = count > f->batch_max ? count : f->batch_max;
    f->writes += count;
    for (size_t i = 0; i < done; i++) {
        if (f->watch)
            f->watch(f->watch_ctx, &ops[i]);
        errors[i] = fault_of(&ops[i]);
        if (!errors[i])
            errors[i] = fake_do(ops[i].kind, &ops[i].item);
        f->ops += !errors[i];
        say_op(&ops[i], errors[i]);
    }
    if (loss == FAKE_LOSS_NONE)
        return GVS_OK;
    say("lost\n");
    return GVS_E_LOST;
}

static bool
dump_lost(struct fake *f)
{
    if (f->lose_dumps == 0)
        return false;
    f->lose_dumps--;
    return true;
}

int
gvs_nl_services(struct gvs_nl *nl, gvs_nl_found_fn fn, void *ctx)
{
    struct fake *f = (struct fake *)nl;
    const struct gvs_svcid *skipped = f->skipped;

    f->service_dumps++;
    f->skipped = NULL;
    for (size_t i = 0; i < f->count; i++) {
        struct gvs_nl_found found = {.item = f->items[i], .odd = f->odd[i]};

        if (found.item.kind != GVS_ITEM_SERVICE ||
            (skipped && gvs_svcid_cmp(&found.item.svc, skipped) == 0))
            continue;
        if (!fn(ctx, &found))
            break;
    }
    return dump_lost(f) ? GVS_E_LOST : GVS_OK;
}

void
fake_connect(const struct gvs_item *dest, uint32_t active, uint32_t inactive)
{
    struct fake *f = fake_kernel();
    size_t i = 0;

    while (i < f->conns_count && gvs_item_cmp(&f->conns[i].dest, dest) != 0)
        i++;
    if (i == FAKE_CONNS)
        abort();
    f->conns_count += i == f->conns_count;
    f->conns[i] = (struct fake_conns){*dest, active, inactive};
}

/* Nobody has said any: those of a destination are its port and its weight. */
static void
count_connections(const struct fake *f, struct gvs_nl_found *found)
{
    const struct gvs_item *dest = &found->item;

    if (f->conns_count == 0) {
        found->active = dest->dest.weight > 0 ? dest->ep.port : 0;
        found->inactive = dest->dest.weight;
    }
    for (size_t i = 0; i < f->conns_count; i++) {
        if (gvs_item_cmp(&f->conns[i].dest, dest) != 0)
            continue;
        found->active = f->conns[i].active;
        found->inactive = f->conns[i].inactive;
    }
}

int
gvs_nl_dests(struct gvs_nl *nl, const struct gvs_svcid *svc, gvs_nl_found_fn fn, void *ctx)
{
    struct fake *f = (struct fake *)nl;

    f->dest_dumps++;
    for (size_t i = 0; i < f->count; i++) {
        struct gvs_nl_found found = {.item = f->items[i], .odd = f->odd[i]};

        if (found.item.kind != GVS_ITEM_DEST || gvs_svcid_cmp(&found.item.svc, svc) != 0)
            continue;
        count_connections(f, &found);
        if (!fn(ctx, &found))
            break;
    }
    return dump_lost(f) ? GVS_E_LOST : GVS_OK;
}

int
gvs_nl_timeouts(struct gvs_nl *nl, struct gvs_timeouts *out)
{
    (void)nl;
    *out = (struct gvs_timeouts){900, 120, 300};
    return GVS_OK;
}

void
gvs_nl_version(const struct gvs_nl *nl, char text[static 16])
{
    (void)nl;
    snprintf(text, 16, "1.2.1");
}

void
gvs_nl_explain(char *text, size_t cap, const struct gvs_op *op, int error)
{
    snprintf(text, cap, "%s: %s", gvs_op_name(op->kind), strerrorname_np(error));
}

uint64_t
gvs_nl_writes(const struct gvs_nl *nl)
{
    return ((const struct fake *)nl)->writes;
}

/* ipvs/link.h */

int
gvs_link_open(struct gvs_link **out, const char *interface, bool observe)
{
    (void)interface;
    (void)observe;
    *out = (struct gvs_link *)fake_kernel();
    return GVS_OK;
}

int
gvs_link_socket(void)
{
    errno = ENOSYS;
    return -1;
}

int
gvs_link_open_on(struct gvs_link **out, int fd, const char *interface, bool observe)
{
    (void)fd;
    return gvs_link_open(out, interface, observe);
}

int
gvs_link_program(struct gvs_link *l)
{
    (void)l;
    return GVS_OK;
}

void
gvs_link_close(struct gvs_link *l)
{
    (void)l;
}

void
gvs_link_source(struct gvs_link *l, const struct gvs_addr *v4, const struct gvs_addr *v6)
{
    (void)l;
    (void)v4;
    (void)v6;
}

static size_t
addr_index(const struct gvs_addr *addr)
{
    const struct fake *f = fake_kernel();
    size_t i = 0;

    while (i < f->addr_count && gvs_addr_cmp(&f->addrs[i], addr) != 0)
        i++;
    return i;
}

bool
fake_has_addr(const struct gvs_addr *addr)
{
    return addr_index(addr) < fake_kernel()->addr_count;
}

void
fake_del_addr(const struct gvs_addr *addr)
{
    struct fake *f = fake_kernel();
    size_t i = addr_index(addr);

    if (i < f->addr_count)
        f->addrs[i] = f->addrs[--f->addr_count];
}

static int
change_addr(struct fake *f, const struct gvs_addr *vip, bool add, bool *changed)
{
    struct gvs_op op = {.kind = add ? GVS_OP_ADDR_ADD : GVS_OP_ADDR_DEL};
    const struct gvs_svcid svc = {.addr = *vip};
    int error = f->addr_error;

    op.item = gvs_item_make_service(&svc);
    if (f->watch)
        f->watch(f->watch_ctx, &op);
    f->addr_error = 0;
    *changed = !error && (fake_has_addr(vip) != add || gvs_addr_cmp(&f->astray, vip) == 0);
    if (*changed || error)
        say_op(&op, error);
    errno = error;
    if (error)
        return GVS_E_SYS;
    if (gvs_addr_cmp(&f->astray, vip) == 0)
        f->astray = (struct gvs_addr){0};
    if (*changed && add && !fake_has_addr(vip))
        f->addrs[f->addr_count++] = *vip;
    if (*changed && !add)
        fake_del_addr(vip);
    return GVS_OK;
}

int
gvs_link_add(struct gvs_link *l, const struct gvs_addr *vip, bool *changed)
{
    return change_addr((struct fake *)l, vip, true, changed);
}

int
gvs_link_del(struct gvs_link *l, const struct gvs_addr *vip, bool *changed)
{
    return change_addr((struct fake *)l, vip, false, changed);
}

bool
gvs_link_serves(struct gvs_link *l, const struct gvs_addr *vip)
{
    struct fake *f = (struct fake *)l;

    f->route_asks++;
    return gvs_addr_cmp(&f->astray, vip) != 0;
}

int
gvs_link_addresses(struct gvs_link *l, bool on_dummy, gvs_link_found_fn fn, void *ctx)
{
    struct fake *f = (struct fake *)l;
    const struct gvs_addr *addrs = on_dummy ? f->addrs : f->own;
    size_t count = on_dummy ? f->addr_count : f->own_count;
    bool lost = !on_dummy && f->lose_addrs > 0;

    f->lose_addrs -= lost;
    for (size_t i = 0; i < (lost ? count / 2 : count); i++) {
        if (!fn(ctx, &addrs[i], on_dummy ? "gossipvs0" : "eth0"))
            break;
    }
    return lost ? GVS_E_LOST : GVS_OK;
}
