#include "test/core/items.h"

#define SVC "10.99.0.1:80/tcp"
#define OTHER "10.99.0.2:80/tcp"
#define A "10.77.0.4:8080"
#define B "10.77.0.5:8080"
#define C "10.77.0.6:8080"

/* --- rows --- */

struct line { /* one item of a row; `svc` NULL ends them */
    const char *svc, *ep;
    uint32_t weight; /* of a service: `persistent`, a field like any other */
    uint8_t forward;
};

static struct gvs_set *
set_of(const struct line *lines)
{
    struct gvs_set *s = set_new(16);

    for (; lines->svc; lines++) {
        struct gvs_item item =
            lines->ep ? dest(lines->svc, lines->ep, lines->weight) : service(lines->svc);

        if (lines->ep)
            item.dest.forward = lines->forward;
        else
            item.service.persistent = lines->weight;
        assert_int_equal(gvs_set_put(s, &item), GVS_OK);
    }
    return s;
}

/* "0 dest_add 5" for each operation; the number is the last octet of the endpoint, or of the VIP.
 */
static void
plan_script(char *script, size_t cap, struct gvs_set *have, struct gvs_set *want)
{
    struct gvs_range h = gvs_set_all(have), w = gvs_set_all(want);
    struct gvs_op *ops = calloc(gvs_plan_max(h, w) + 1, sizeof *ops);
    size_t count = gvs_plan_build(ops, h, w), len = 0;

    assert_non_null(ops);
    *script = 0;
    for (size_t i = 0; i < count; i++) {
        const struct gvs_item *item = &ops[i].item;
        bool is_dest = item->kind == GVS_ITEM_DEST;

        len += (size_t)snprintf(script + len, cap - len, "%s%d %s %d", len ? ", " : "", ops[i].wave,
                                gvs_op_name(ops[i].kind),
                                is_dest ? item->ep.addr.b[3] : item->svc.addr.b[3]);
    }
    free(ops);
}

static const struct {
    const char *why;
    struct line have[6], want[6];
    const char *script;
} waves[] = {
    {"the same is nothing", {{SVC, 0, 0, 0}, {SVC, A, 1, 0}}, {{SVC, 0, 0, 0}, {SVC, A, 1, 0}}, ""},
    {"a service comes before its destinations",
     {{0}},
     {{SVC, 0, 0, 0}, {SVC, A, 1, 0}, {SVC, B, 0, 0}},
     "0 service_add 1, 0 dest_add 4, 0 dest_add 5"},
    {"a service that goes takes its destinations along",
     {{SVC, 0, 0, 0}, {SVC, A, 1, 0}, {SVC, B, 1, 0}},
     {{0}},
     "2 service_del 1"},
    {"only the service edited: its destinations are not touched",
     {{SVC, 0, 0, 0}, {SVC, A, 1, 0}},
     {{SVC, 0, 300, 0}, {SVC, A, 1, 0}},
     "0 service_edit 1"},
    {"weight up is wave 0",
     {{SVC, 0, 0, 0}, {SVC, A, 1, 0}},
     {{SVC, 0, 0, 0}, {SVC, A, 2, 0}},
     "0 dest_edit 4"},
    {"weight down is wave 1",
     {{SVC, 0, 0, 0}, {SVC, A, 2, 0}},
     {{SVC, 0, 0, 0}, {SVC, A, 1, 0}},
     "1 dest_edit 4"},
    {"another field at the same weight is wave 0",
     {{SVC, 0, 0, 0}, {SVC, A, 1, 0}},
     {{SVC, 0, 0, 0}, {SVC, A, 1, GVS_FORWARD_DR}},
     "0 dest_edit 4"},
    {"weight and forward together are one edit, up",
     {{SVC, 0, 0, 0}, {SVC, A, 1, 0}},
     {{SVC, 0, 0, 0}, {SVC, A, 2, GVS_FORWARD_DR}},
     "0 dest_edit 4"},
    {"and down",
     {{SVC, 0, 0, 0}, {SVC, A, 2, 0}},
     {{SVC, 0, 0, 0}, {SVC, A, 1, GVS_FORWARD_DR}},
     "1 dest_edit 4"},
    {"one for one: the new one first",
     {{SVC, 0, 0, 0}, {SVC, A, 1, 0}},
     {{SVC, 0, 0, 0}, {SVC, B, 1, 0}},
     "0 dest_add 5, 1 dest_del 4"},
    {"one for one, the new one sorting before the old",
     {{SVC, 0, 0, 0}, {SVC, B, 1, 0}},
     {{SVC, 0, 0, 0}, {SVC, A, 1, 0}},
     "0 dest_add 4, 1 dest_del 5"},
    {"blue and green: up before down",
     {{SVC, 0, 0, 0}, {SVC, A, 1, 0}, {SVC, B, 0, 0}},
     {{SVC, 0, 0, 0}, {SVC, A, 0, 0}, {SVC, B, 1, 0}},
     "0 dest_edit 5, 1 dest_edit 4"},
    {"the last destination goes, the service stays",
     {{SVC, 0, 0, 0}, {SVC, A, 1, 0}},
     {{SVC, 0, 0, 0}},
     "1 dest_del 4"},
    {"two services, wave by wave, each wave by service",
     {{SVC, 0, 0, 0}, {SVC, A, 1, 0}, {OTHER, 0, 0, 0}, {OTHER, A, 1, 0}},
     {{SVC, 0, 0, 0}, {SVC, B, 1, 0}, {OTHER, 0, 9, 0}, {OTHER, B, 1, 0}},
     "0 dest_add 5, 0 service_edit 2, 0 dest_add 5, 1 dest_del 4, 1 dest_del 4"},
    {"one service replaced by another: the old goes last",
     {{SVC, 0, 0, 0}, {SVC, A, 1, 0}},
     {{OTHER, 0, 0, 0}, {OTHER, A, 1, 0}},
     "0 service_add 2, 0 dest_add 4, 2 service_del 1"},
    {"a service goes, the destinations of the next are its own",
     {{SVC, 0, 0, 0}, {SVC, A, 1, 0}, {OTHER, 0, 0, 0}, {OTHER, A, 1, 0}},
     {{OTHER, 0, 0, 0}, {OTHER, B, 1, 0}},
     "0 dest_add 5, 1 dest_del 4, 2 service_del 1"},
};

static void
test_operations_and_their_waves(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof waves / sizeof *waves; i++) {
        struct gvs_set *have = set_of(waves[i].have), *want = set_of(waves[i].want);
        char script[256];

        plan_script(script, sizeof script, have, want);
        if (strcmp(script, waves[i].script) != 0)
            fail_msg("%s: \"%s\", not \"%s\"", waves[i].why, script, waves[i].script);
        free(have);
        free(want);
    }
}

static void
test_an_edit_knows_both_ends(void **state)
{
    struct gvs_set *have = set_of((struct line[]){{SVC, 0, 0, 0}, {SVC, A, 1, 0}, {0}});
    struct gvs_set *want = set_of((struct line[]){{SVC, 0, 0, 0}, {SVC, A, 7, 0}, {0}});
    struct gvs_op ops[4];

    (void)state;
    assert_int_equal(gvs_plan_build(ops, gvs_set_all(have), gvs_set_all(want)), 1);
    assert_true(gvs_item_equal(&ops[0].before, gvs_set_all(have).at + 1));
    assert_true(gvs_item_equal(&ops[0].item, gvs_set_all(want).at + 1));
    free(have);
    free(want);
}

/* --- held --- */

static struct gvs_op
make_op(enum gvs_op_kind kind, uint8_t wave, const char *ep, uint32_t before, uint32_t after)
{
    struct gvs_op op = {.kind = (uint8_t)kind, .wave = wave};

    op.item = ep ? dest(SVC, ep, after) : service(SVC);
    op.before = ep ? dest(SVC, ep, before) : service(SVC);
    return op;
}

static void
test_what_must_wait_for_an_add_that_failed(void **state)
{
    enum { DEL, DOWN, ADDRESS, SERVICE_GOES, COUNT };
    const struct gvs_op later[COUNT] = {
        [DEL] = make_op(GVS_OP_DEST_DEL, 1, A, 0, 1),
        [DOWN] = make_op(GVS_OP_DEST_EDIT, 1, A, 1, 0),
        [ADDRESS] = make_op(GVS_OP_ADDR_ADD, 1, NULL, 0, 0),
        [SERVICE_GOES] = make_op(GVS_OP_SERVICE_DEL, 2, NULL, 0, 0),
    };
    const struct gvs_op svc = make_op(GVS_OP_SERVICE_ADD, 0, NULL, 0, 0);
    const struct gvs_op edit = make_op(GVS_OP_SERVICE_EDIT, 0, NULL, 0, 0);
    const struct gvs_op b = make_op(GVS_OP_DEST_ADD, 0, B, 0, 1);
    const struct gvs_op c = make_op(GVS_OP_DEST_ADD, 0, C, 0, 1);
    const struct gvs_op idle = make_op(GVS_OP_DEST_ADD, 0, C, 0, 0);
    const struct gvs_op raised = make_op(GVS_OP_DEST_EDIT, 0, B, 0, 1);
    const struct gvs_op heavier = make_op(GVS_OP_DEST_EDIT, 0, B, 1, 2);
    const struct {
        const char *why;
        struct gvs_op first[2];
        bool failed[2];
        bool held[COUNT];
    } rows[] = {
        {"all went well", {b, c}, {0, 0}, {0, 0, 0, 0}},
        {"every add failed: the old ones stay", {b, c}, {1, 1}, {1, 1, 0, 0}},
        {"one add is enough", {b, c}, {1, 0}, {0, 0, 0, 0}},
        {"whichever", {b, c}, {0, 1}, {0, 0, 0, 0}},
        {"an add of weight 0 serves nobody", {b, idle}, {1, 0}, {1, 1, 0, 0}},
        {"and nobody waits for it", {idle, edit}, {1, 0}, {0, 0, 0, 0}},
        {"raised from 0 is as good as added", {raised, edit}, {1, 0}, {1, 1, 0, 0}},
        {"but enough", {raised, b}, {0, 1}, {0, 0, 0, 0}},
        {"a server that only gets heavier was there", {heavier, edit}, {1, 0}, {0, 0, 0, 0}},
        {"a failed edit of the service holds nothing", {edit, b}, {1, 0}, {0, 0, 0, 0}},
        {"no address to a service that is not there", {svc, b}, {1, 1}, {1, 1, 1, 0}},
        {"but to one without a server", {svc, b}, {0, 1}, {1, 1, 0, 0}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gvs_op ops[3] = {rows[i].first[0], rows[i].first[1]};
        bool failed[3] = {rows[i].failed[0], rows[i].failed[1], false};

        for (int k = 0; k < COUNT; k++) {
            ops[2] = later[k];
            if (gvs_plan_held(ops, failed, 3, &ops[2]) != rows[i].held[k])
                fail_msg("%s: %s", rows[i].why, gvs_op_name(later[k].kind));
        }
        assert_false(gvs_plan_held(ops, failed, 3, &ops[0])); /* wave 0 never waits */
    }
}

/* --- properties --- */

struct fixture {
    struct universe u;
    struct world have, want;
    struct gvs_set *h, *w;
    struct gvs_op *ops;
    bool *failed;
    size_t count;
};

static void
fixture_plan(struct fixture *f, uint64_t seed)
{
    struct gvs_prng p = gvs_prng_init(seed);

    universe_random(&f->u, &p);
    f->have = world_random(&p);
    f->want = world_near(&f->have, &p);
    world_set(f->h, &f->u, &f->have, &p);
    world_set(f->w, &f->u, &f->want, &p);
    f->count = gvs_plan_build(f->ops, gvs_set_all(f->h), gvs_set_all(f->w));
    assert_true(f->count <= gvs_plan_max(gvs_set_all(f->h), gvs_set_all(f->w)));
}

static int
fixture_open(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->h = set_new(WORLD_THINGS);
    f->w = set_new(WORLD_THINGS);
    f->ops = calloc(2 * WORLD_THINGS, sizeof *f->ops);
    f->failed = calloc(2 * WORLD_THINGS, sizeof *f->failed);
    *state = f;
    return 0;
}

static int
fixture_close(void **state)
{
    struct fixture *f = *state;

    free(f->h);
    free(f->w);
    free(f->ops);
    free(f->failed);
    free(f);
    return test_seed_teardown(state);
}

/* What the arrays of cells say about a thing. */
static enum gvs_op_kind
expected_kind(const struct fixture *f, size_t thing)
{
    bool is_dest = !thing_is_service(thing);
    uint8_t have = f->have.cell[thing], want = f->want.cell[thing];

    if (have == want || (is_dest && have && !f->want.cell[thing_service(thing)]))
        return GVS_OP_NONE; /* the same, or gone with its service */
    if (!have)
        return is_dest ? GVS_OP_DEST_ADD : GVS_OP_SERVICE_ADD;
    if (!want)
        return is_dest ? GVS_OP_DEST_DEL : GVS_OP_SERVICE_DEL;
    return is_dest ? GVS_OP_DEST_EDIT : GVS_OP_SERVICE_EDIT;
}

static void
test_each_difference_is_one_operation(void **state)
{
    struct fixture *f = *state;

    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 10000); seed++) {
        uint8_t kinds[WORLD_THINGS] = {0};

        fixture_plan(f, seed);
        for (size_t i = 0; i < f->count; i++) {
            size_t thing = thing_of(&f->u, &f->ops[i].item);

            assert_int_equal(kinds[thing], GVS_OP_NONE); /* I1: once */
            kinds[thing] = f->ops[i].kind;
        }
        for (size_t i = 0; i < WORLD_THINGS; i++)
            assert_int_equal(kinds[i], expected_kind(f, i));
    }
}

static bool
is_add(const struct gvs_op *op)
{
    return op->kind == GVS_OP_SERVICE_ADD || op->kind == GVS_OP_DEST_ADD;
}

static bool
is_removal(const struct gvs_op *op)
{
    return op->kind == GVS_OP_SERVICE_DEL || op->kind == GVS_OP_DEST_DEL;
}

static void
test_adds_precede_removals_and_waves_ascend(void **state)
{
    struct fixture *f = *state;

    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 2000); seed++) {
        bool removed[WORLD_THINGS] = {false}; /* something of this service */

        fixture_plan(f, seed);
        for (size_t i = 0; i < f->count; i++) {
            const struct gvs_op *op = &f->ops[i];
            size_t svc = thing_service(thing_of(&f->u, &op->item));

            assert_false(is_add(op) && removed[svc]); /* I2 */
            removed[svc] |= is_removal(op);
            if (i == 0)
                continue;
            assert_true(op->wave >= op[-1].wave);
            if (op->wave == op[-1].wave)
                assert_true(gvs_svcid_cmp(&op[-1].item.svc, &op->item.svc) <= 0);
        }
    }
}

static void
apply(struct fixture *f, struct world *now, const struct gvs_op *op)
{
    size_t thing = thing_of(&f->u, &op->item), svc = thing_service(thing);

    assert_int_equal(now->cell[thing] != 0, !is_add(op)); /* EEXIST or ESRCH otherwise */
    assert_true(thing == svc || now->cell[svc]);
    if (!is_removal(op)) {
        world_put(now, &f->u, thing, &op->item);
    } else if (thing == svc) {
        memset(&now->cell[svc], 0, 1 + WORLD_DESTS);
    } else {
        now->cell[thing] = 0;
    }
}

/* Destinations with weight. */
static unsigned
servers(const struct fixture *f, const struct world *w, size_t svc)
{
    unsigned count = 0;

    for (size_t i = svc + 1; i <= svc + WORLD_DESTS; i++)
        count += thing_weight(&f->u, w, i) > 0;
    return count;
}

static void
test_no_moment_is_worse_than_both_ends(void **state)
{
    struct fixture *f = *state;

    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 10000); seed++) {
        struct world now;

        fixture_plan(f, seed);
        now = f->have;
        for (size_t i = 0; i < f->count; i++) {
            size_t svc = thing_service(thing_of(&f->u, &f->ops[i].item));
            unsigned before = servers(f, &f->have, svc), after = servers(f, &f->want, svc);

            apply(f, &now, &f->ops[i]);
            assert_true(servers(f, &now, svc) >= (before < after ? before : after));
        }
        assert_memory_equal(&now, &f->want, sizeof now);
    }
}

/* The operations of one service out of a plan, and the simulated answers: those of wave 0 fail at
 * random, what is held is not sent. */
static void
apply_with_failures(struct fixture *f, struct world *now, size_t svc, struct gvs_prng *p)
{
    struct gvs_op ops[2 * (1 + WORLD_DESTS)];
    size_t count = 0;

    memset(f->failed, 0, 2 * WORLD_THINGS * sizeof *f->failed);
    for (size_t i = 0; i < f->count; i++) {
        if (thing_service(thing_of(&f->u, &f->ops[i].item)) == svc)
            ops[count++] = f->ops[i];
    }
    for (size_t i = 0; i < count; i++) {
        bool orphan = ops[i].item.kind == GVS_ITEM_DEST && !now->cell[svc]; /* ESRCH */

        f->failed[i] = ops[i].wave == 0 && (orphan || gvs_prng_chance(p, 1, 2));
        if (!f->failed[i] && !gvs_plan_held(ops, f->failed, count, &ops[i]))
            apply(f, now, &ops[i]);
        if (servers(f, &f->have, svc) && servers(f, &f->want, svc))
            assert_true(servers(f, now, svc) > 0);
    }
}

static void
test_failed_adds_never_leave_a_service_without_server(void **state)
{
    struct fixture *f = *state;

    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 10000); seed++) {
        struct gvs_prng p = gvs_prng_init(~seed);
        struct world now;

        fixture_plan(f, seed);
        now = f->have;
        for (size_t svc = 0; svc < WORLD_THINGS; svc += 1 + WORLD_DESTS)
            apply_with_failures(f, &now, svc, &p);
    }
}

static void
test_anchors_are_marks_of_their_family(void **state)
{
    struct gvs_item v4 = gvs_anchor(GVS_FAMILY_V4), v6 = gvs_anchor(GVS_FAMILY_V6);
    struct gvs_svcid mark = svcid("fwmark:1735786501"), web = svcid(SVC);

    (void)state;
    assert_int_equal(v4.svc.addr.family, GVS_FAMILY_V4);
    assert_int_equal(v4.svc.fwmark, 1735786500);
    assert_int_equal(v4.service.netmask, 32);
    assert_int_equal(v6.svc.addr.family, GVS_FAMILY_V6);
    assert_int_equal(v6.svc.fwmark, 1735786502);
    assert_int_equal(v6.service.netmask, 128);
    assert_true(gvs_anchor_is(&v4.svc));
    assert_true(gvs_anchor_is(&v6.svc));
    assert_false(gvs_anchor_is(&mark));
    assert_false(gvs_anchor_is(&web));
}

#define PROPERTY(test) cmocka_unit_test_setup_teardown(test, fixture_open, fixture_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operations_and_their_waves),
        cmocka_unit_test(test_an_edit_knows_both_ends),
        cmocka_unit_test(test_what_must_wait_for_an_add_that_failed),
        PROPERTY(test_each_difference_is_one_operation),
        PROPERTY(test_adds_precede_removals_and_waves_ascend),
        PROPERTY(test_no_moment_is_worse_than_both_ends),
        PROPERTY(test_failed_adds_never_leave_a_service_without_server),
        cmocka_unit_test(test_anchors_are_marks_of_their_family),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
