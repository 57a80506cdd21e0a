/* test/ipvs/test_kernel_random.c: random wishes, faults, meddling and crashes against
 * ipvs/kernel.h. At rest the kernel is as wanted; no operation ever leads away from it; and a
 * service that nobody touched sees none. In half of the worlds there are connections, and nothing
 * goes before its own have ended, or its time is over. */
#include "test/ipvs/world.h"
#include "test/lib/prng.h"

#define SERVICES 6
#define DESTS 4

static const char *const world_vips[SERVICES] = {
    A, "10.99.0.1:81/tcp", "10.99.0.1:80/udp", "[fd00:99::1]:80/tcp", "fwmark:7", B,
};

/* The last one is wanted all along, and nobody lays hands on it: it must never see an operation. */
#define STEADY (SERVICES - 1)

#define DRAIN_MS 3000

struct model {
    struct gvs_item items[SERVICES][1 + DESTS]; /* ascending; what is wanted */
    size_t count[SERVICES];
    bool drains;
    const struct world *w;
    struct gvs_svcid ids[SERVICES];
    struct gvs_mono unwanted[SERVICES][1 + DESTS]; /* since when: the service, each destination */
};

static struct gvs_mono
stay(void *ctx, const struct gvs_svcid *svc, const struct gvs_ep *ep, uint64_t held_ms)
{
    (void)svc;
    (void)ep;
    (void)held_ms;
    return gvs_mono_add_ms(((const struct model *)ctx)->w->now, DRAIN_MS);
}

static struct gvs_item
random_dest(struct gvs_prng *prng, size_t svc)
{
    char ep[64];

    snprintf(ep, sizeof ep, svc == 3 ? "[fd00:77::%u]:80" : "10.77.0.%u:80",
             1 + gvs_prng_below(prng, DESTS));
    return dest_of(world_vips[svc], ep, gvs_prng_below(prng, 3));
}

/* Destinations are told apart by it: 1 to DESTS. */
static uint8_t
last_byte(const struct gvs_item *dest)
{
    return dest->ep.addr.b[dest->ep.addr.family == GVS_FAMILY_V6 ? 15 : 3];
}

static const struct gvs_item *
model_find(const struct model *m, const struct gvs_item *identity)
{
    for (size_t i = 0; i < SERVICES; i++) {
        for (size_t j = 0; j < m->count[i]; j++) {
            if (gvs_item_cmp(&m->items[i][j], identity) == 0)
                return &m->items[i][j];
        }
    }
    return NULL;
}

static void
model_change(struct model *m, struct gvs_prng *prng, size_t svc)
{
    size_t n = gvs_prng_below(prng, DESTS + 1);

    m->count[svc] = 0;
    if (svc != STEADY && gvs_prng_chance(prng, 1, 4))
        return;
    m->items[svc][m->count[svc]++] =
        service_of(world_vips[svc], gvs_prng_chance(prng, 1, 2) ? "wlc" : "rr");
    for (size_t i = 0; i < n; i++) {
        struct gvs_item dest = random_dest(prng, svc);

        if (!model_find(m, &dest))
            m->items[svc][m->count[svc]++] = dest;
    }
    qsort(m->items[svc], m->count[svc], sizeof m->items[0][0], by_item);
}

/* When it was last wanted, of whatever is not now. */
static void
note_unwanted(struct model *m, const struct model *before, size_t svc)
{
    for (size_t i = 0; i < before->count[svc]; i++) {
        const struct gvs_item *was = &before->items[svc][i];

        if (!model_find(m, was))
            m->unwanted[svc][was->kind == GVS_ITEM_DEST ? last_byte(was) : 0] = m->w->now;
    }
}

static void
model_want(struct world *w, const struct model *m, size_t svc, bool local)
{
    struct gvs_svcid id = svc_of(world_vips[svc]);

    assert_int_equal(gvs_kernel_want(w->k, &id, m->items[svc], m->count[svc], local), GVS_OK);
}

static bool
has_connections(const struct gvs_item *dest)
{
    const struct fake *f = fake_kernel();

    for (size_t i = 0; i < f->conns_count; i++) {
        if (gvs_item_cmp(&f->conns[i].dest, dest) == 0)
            return f->conns[i].active > 0;
    }
    return false;
}

/* I9: what goes has no connections, or had its time. */
static void
check_removal(const struct model *m, const struct gvs_op *op)
{
    const struct fake *f = fake_kernel();
    size_t svc = 0;

    while (gvs_svcid_cmp(&op->item.svc, &m->ids[svc]) != 0)
        svc++;
    for (size_t i = 0; i < f->count && op->item.svc.proto != GVS_PROTO_UDP; i++) {
        const struct gvs_item *there = &f->items[i];
        size_t which = op->kind == GVS_OP_DEST_DEL ? last_byte(&op->item) : 0;

        if (there->kind != GVS_ITEM_DEST || gvs_svcid_cmp(&there->svc, &op->item.svc) != 0 ||
            (which > 0 && gvs_item_cmp(there, &op->item) != 0) || !has_connections(there))
            continue;
        assert_true(gvs_mono_due(gvs_mono_add_ms(m->unwanted[svc][which], DRAIN_MS), m->w->now));
    }
}

/* Every operation leads to what is wanted at that moment, whatever happened before. */
static void
watch(void *ctx, const struct gvs_op *op)
{
    const struct model *m = ctx;
    const struct gvs_item *wanted = model_find(m, &op->item);
    struct gvs_svcid steady = svc_of(world_vips[STEADY]);
    bool leaves = m->drains && op->kind == GVS_OP_DEST_EDIT && !wanted && op->item.dest.weight == 0;

    switch (op->kind) {
    case GVS_OP_SERVICE_ADD:
    case GVS_OP_SERVICE_EDIT:
    case GVS_OP_DEST_ADD:
    case GVS_OP_DEST_EDIT:
        assert_true(leaves || (wanted && gvs_item_equal(wanted, &op->item)));
        break;
    case GVS_OP_SERVICE_DEL:
    case GVS_OP_DEST_DEL:
        assert_null(wanted);
        if (m->drains)
            check_removal(m, op);
        break;
    default:
        return;
    }
    assert_int_not_equal(gvs_svcid_cmp(&op->item.svc, &steady), 0);
}

/* Somebody else's hand in a service; what the kernel answers is nobody's business. */
static void
meddle(struct gvs_prng *prng)
{
    size_t svc = gvs_prng_below(prng, STEADY);
    struct gvs_item service =
        service_of(world_vips[svc], gvs_prng_chance(prng, 1, 2) ? "rr" : "sh");
    struct gvs_item dest = random_dest(prng, svc);
    struct gvs_addr addr = service.svc.addr;

    switch (gvs_prng_below(prng, 8)) {
    case 0:
        fake_do(GVS_OP_SERVICE_DEL, &service);
        break;
    case 1:
        fake_do(GVS_OP_SERVICE_ADD, &service);
        break;
    case 2:
        fake_do(GVS_OP_SERVICE_EDIT, &service);
        break;
    case 3:
        fake_do(GVS_OP_DEST_ADD, &dest);
        break;
    case 4:
        fake_do(GVS_OP_DEST_EDIT, &dest);
        break;
    case 5:
        fake_do(GVS_OP_DEST_DEL, &dest);
        break;
    case 6:
        fake_del_addr(&addr);
        break;
    case 7:
        for (size_t i = 0; i < STEADY; i++) {
            service = service_of(world_vips[i], "");
            fake_do(GVS_OP_SERVICE_DEL, &service);
        }
    }
}

static void
break_something(struct gvs_prng *prng)
{
    static const int errors[] = {EINVAL, ENOMEM, ENOENT};
    static const uint8_t kinds[] = {GVS_OP_SERVICE_ADD, GVS_OP_SERVICE_EDIT, GVS_OP_SERVICE_DEL,
                                    GVS_OP_DEST_ADD,    GVS_OP_DEST_EDIT,    GVS_OP_DEST_DEL};
    struct fake *f = fake_kernel();
    uint8_t kind = kinds[gvs_prng_below(prng, 6)];
    size_t svc = gvs_prng_below(prng, STEADY);
    struct gvs_item item = random_dest(prng, svc);

    if (gvs_prng_chance(prng, 1, 3)) {
        f->lose_next = (enum fake_loss)(1 + gvs_prng_below(prng, 3));
        return;
    }
    if (gvs_prng_chance(prng, 1, 8)) {
        f->lose_dumps = gvs_prng_below(prng, 4);
        return;
    }
    if (gvs_prng_chance(prng, 1, 8)) {
        f->addr_error = EPERM;
        return;
    }
    if (kind == GVS_OP_SERVICE_ADD || kind == GVS_OP_SERVICE_EDIT || kind == GVS_OP_SERVICE_DEL)
        item = service_of(world_vips[svc], "");
    for (size_t i = 0; i < FAKE_FAULTS; i++) {
        if (f->faults[i].times == 0) {
            fake_fail(kind, &item, errors[gvs_prng_below(prng, 3)], 1 + gvs_prng_below(prng, 4));
            return;
        }
    }
}

/* While nothing is on its way: who comes between the look and the removal is cut off. */
static void
connect_somebody(struct world *w, struct gvs_prng *prng)
{
    struct gvs_item dest = random_dest(prng, gvs_prng_below(prng, STEADY));

    run(w);
    fake_connect(&dest, gvs_prng_below(prng, 3), gvs_prng_below(prng, 3));
}

static void
restart(struct world *w, const struct model *m, struct gvs_prng *prng)
{
    crash(w);
    if (gvs_prng_chance(prng, 1, 8))
        w->stored_count = 0;
    w->trust = (enum gvs_trust)gvs_prng_below(prng, 3);
    open_kernel(w);
    for (size_t i = 0; i < SERVICES; i++)
        model_want(w, m, i, false);
}

static void
act(struct world *w, struct model *m, struct gvs_prng *prng)
{
    size_t svc = gvs_prng_below(prng, STEADY);
    struct model before = *m;

    if (m->drains && gvs_prng_chance(prng, 1, 2))
        connect_somebody(w, prng);
    switch (gvs_prng_below(prng, 10)) {
    case 0:
    case 1:
    case 2:
        model_change(m, prng, svc);
        note_unwanted(m, &before, svc);
        model_want(w, m, svc, gvs_prng_chance(prng, 1, 3));
        if (m->drains)
            store(w, true); /* as an agent does, in the same turn */
        break;
    case 3:
        meddle(prng);
        break;
    case 4:
        break_something(prng);
        break;
    case 5:
        w->store_stuck =
            !w->store_stuck && !m->drains; /* with a time that was lost it goes early */
        break;
    case 6:
        restart(w, m, prng);
        break;
    case 7:
        elapse(w, gvs_prng_below(prng, 8000));
        break;
    default:
        for (uint32_t n = gvs_prng_below(prng, 12); n > 0; n--) {
            gvs_kernel_step(w->k, w->now);
            if (!w->store_stuck)
                store(w, true);
        }
    }
}

/* In the kernel: the model and nothing else, but for anchors and strangers. */
static void
assert_kernel_is(const struct model *m)
{
    const struct fake *f = fake_kernel();
    size_t wanted = 0, found = 0;

    for (size_t i = 0; i < SERVICES; i++)
        wanted += m->count[i];
    for (size_t i = 0; i < f->count; i++) {
        const struct gvs_item *item = model_find(m, &f->items[i]);

        found += item && gvs_item_equal(item, &f->items[i]);
    }
    assert_int_equal(found, wanted);
}

static void
calm_down(struct world *w)
{
    struct fake *f = fake_kernel();

    memset(f->faults, 0, sizeof f->faults);
    f->lose_next = FAKE_LOSS_NONE;
    f->lose_dumps = 0;
    f->addr_error = 0;
    w->store_stuck = false;
    gvs_kernel_trust(w->k, GVS_TRUST_ALL);
    elapse(w, 130000); /* every back-off ends, and audits look everywhere */
    gvs_kernel_take(w->k);
    elapse(w, 30000);
}

static void
test_t24_whatever_happens_it_ends_as_wanted_and_the_steady_one_is_never_touched(void **state)
{
    static const char *const strangers[] = {"10.98.0.1:80/tcp", "fwmark:99"};
    struct world w;

    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 400); seed++) {
        struct gvs_prng prng = gvs_prng_init(seed);
        struct model m = {0};
        struct gvs_kernel_status st;

        setup(&w);
        m.w = &w;
        m.drains = gvs_prng_chance(&prng, 1, 2);
        if (m.drains) {
            crash(&w);
            w.cfg.stay = stay;
            w.cfg.ctx = &m;
            open_kernel(&w);
            connect_somebody(&w, &prng);
        }
        for (size_t i = 0; i < SERVICES; i++)
            m.ids[i] = svc_of(world_vips[i]);
        for (size_t i = 0; i < 2; i++)
            outside_service(strangers[i], "lc", "10.77.0.1:80=1");
        for (size_t i = 0; i < SERVICES; i++) {
            model_change(&m, &prng, i);
            model_want(&w, &m, i, false);
        }
        run(&w);
        assert_kernel_is(&m);
        fake_kernel()->watch = watch;
        fake_kernel()->watch_ctx = &m;
        for (int i = 0; i < 80; i++)
            act(&w, &m, &prng);
        calm_down(&w);

        st = status(&w);
        assert_true(st.in_step);
        assert_int_equal(st.failed + st.pending + st.foreign, 0);
        assert_kernel_is(&m);
        for (size_t i = 0; i < 2; i++) {
            struct gvs_item service = service_of(strangers[i], "lc"), *s = fake_find(&service);
            struct gvs_item dest = dest_of(strangers[i], "10.77.0.1:80", 1), *d = fake_find(&dest);

            assert_true(s && gvs_item_equal(s, &service) && d && gvs_item_equal(d, &dest));
        }
        for (size_t i = 0; i < SERVICES; i++) {
            struct gvs_addr addr = svc_of(world_vips[i]).addr;

            if (m.count[i] > 0 && !gvs_addr_is_any(&addr) && strncmp(world_vips[i], "fw", 2) != 0)
                assert_true(fake_has_addr(&addr));
        }
        fake_log();
        crash(&w);
        open_kernel(&w);
        for (size_t i = 0; i < SERVICES; i++)
            model_want(&w, &m, i, false);
        elapse(&w, 60000);
        LOG(""); /* and all of it is recognized again */
        teardown(&w);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_t24_whatever_happens_it_ends_as_wanted_and_the_steady_one_is_never_touched,
            own_namespace, test_seed_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
