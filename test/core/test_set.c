#include "test/core/items.h"

static void
test_items_differ_by_every_field(void **state)
{
    struct gvs_prng p = gvs_prng_init(1);
    struct universe u;

    (void)state;
    universe_random(&u, &p);
    for (size_t i = 0; i < 1 + WORLD_DESTS; i++) {
        for (unsigned a = 0; a < WORLD_VARIANTS; a++) {
            for (unsigned b = 0; b < WORLD_VARIANTS; b++) {
                struct gvs_item x = thing_item(&u, i, a), y = thing_item(&u, i, b);

                assert_int_equal(gvs_item_cmp(&x, &y), 0);
                assert_int_equal(gvs_item_equal(&x, &y), a == b);
            }
        }
    }
}

static void
test_each_field_of_a_destination_counts(void **state)
{
    struct gvs_item base = dest("10.99.0.1:80", "10.77.0.4:80", 1), other;

    (void)state;
    other = base, other.dest.weight++;
    assert_false(gvs_item_equal(&base, &other));
    other = base, other.dest.lower++;
    assert_false(gvs_item_equal(&base, &other));
    other = base, other.dest.upper++;
    assert_false(gvs_item_equal(&base, &other));
    other = base, other.dest.tunnel_port++;
    assert_false(gvs_item_equal(&base, &other));
    other = base, other.dest.forward++;
    assert_false(gvs_item_equal(&base, &other));
    other = base, other.dest.tunnel++;
    assert_false(gvs_item_equal(&base, &other));
    other = base, other.ep.port++;
    assert_false(gvs_item_equal(&base, &other));
}

/* Rubbish between the members, as a compiler may leave it, must not look like a difference. */
static void
test_padding_is_no_difference(void **state)
{
    struct gvs_item a, b;

    (void)state;
    memset(&a, 0xaa, sizeof a);
    memset(&b, 0x55, sizeof b);
    a.svc = b.svc = svcid("10.99.0.1:80");
    a.kind = b.kind = GVS_ITEM_DEST;
    a.ep = b.ep = endpoint("10.77.0.4:80");
    a.dest = b.dest = (struct gvs_item_dest){.weight = 7};
    assert_true(gvs_item_equal(&a, &b));
}

static void
test_order_is_service_kind_endpoint(void **state)
{
    static const struct {
        const char *why, *svc, *ep; /* no ep: the service itself */
    } rows[] = {
        {"a mark is protocol 0 and comes first", "fwmark:4294967295", NULL},
        {"its destination is right behind it", "fwmark:4294967295", "10.77.0.4:80"},
        {"then marks of IPv6", "fwmark:1/v6", NULL},
        {"tcp before udp", "10.99.0.1:80/tcp", NULL},
        {"endpoints ascend by address", "10.99.0.1:80/tcp", "10.77.0.4:9"},
        {"as numbers, not as text", "10.99.0.1:80/tcp", "10.77.0.4:80"},
        {"address before port", "10.99.0.1:80/tcp", "10.77.0.5:1"},
        {"IPv6 behind IPv4", "10.99.0.1:80/tcp", "[::1]:1"},
        {"all of a service before the next port", "10.99.0.1:443/tcp", NULL},
        {"10 behind 9 in the last octet", "10.99.0.10:80/tcp", NULL},
        {"IPv6 services behind IPv4 of the same protocol", "[::2]:80/tcp", NULL},
        {"udp", "10.99.0.1:80/udp", NULL},
        {"sctp", "1.0.0.1:1/sctp", NULL},
    };
    enum { COUNT = sizeof rows / sizeof *rows };
    struct gvs_item items[COUNT];

    (void)state;
    for (size_t i = 0; i < COUNT; i++)
        items[i] = rows[i].ep ? dest(rows[i].svc, rows[i].ep, 1) : service(rows[i].svc);
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t j = 0; j < COUNT; j++) {
            int order = gvs_item_cmp(&items[i], &items[j]);

            if (i < j ? order >= 0 : i > j ? order <= 0 : order != 0)
                fail_msg("%s / %s", rows[i].why, rows[j].why);
        }
    }
}

static void
test_a_full_set_refuses_and_stays(void **state)
{
    struct gvs_set *s = set_new(2);
    struct gvs_item a = service("10.99.0.1:80"), b = service("10.99.0.2:80"),
                    c = service("10.99.0.3:80");

    (void)state;
    assert_int_equal(gvs_set_put(s, &c), GVS_OK);
    assert_int_equal(gvs_set_put(s, &a), GVS_OK);
    assert_int_equal(gvs_set_put(s, &b), GVS_E_FULL);
    assert_int_equal(gvs_set_replace_service(s, &b.svc, (struct gvs_range){&b, &b + 1}),
                     GVS_E_FULL);
    assert_int_equal(gvs_set_count(s), 2);
    assert_null(gvs_set_get(s, &b));
    a.service.persistent = 60;
    assert_int_equal(gvs_set_put(s, &a), GVS_OK); /* a replacement needs no room */
    assert_int_equal(gvs_set_get(s, &a)->service.persistent, 60);
    assert_true(gvs_set_del(s, &c));
    assert_int_equal(gvs_set_put(s, &b), GVS_OK);
    free(s);
}

static void
test_a_service_is_a_range_and_goes_as_one(void **state)
{
    struct gvs_set *s = set_new(8);
    struct gvs_svcid id = svcid("10.99.0.2:80"), none = svcid("10.99.0.4:80");
    struct gvs_item items[] = {
        service("10.99.0.1:80"),
        dest("10.99.0.1:80", "10.77.0.9:80", 1),
        service("10.99.0.2:80"),
        dest("10.99.0.2:80", "10.77.0.1:80", 1),
        dest("10.99.0.2:80", "10.77.0.2:80", 1),
        service("10.99.0.3:80"),
    };
    struct gvs_range r;

    (void)state;
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(gvs_set_put(s, &items[i]), GVS_OK);
    r = gvs_set_service(s, &id);
    assert_int_equal(r.end - r.at, 3);
    assert_true(gvs_item_equal(r.at, &items[2]));
    r = gvs_set_service(s, &none);
    assert_ptr_equal(r.at, r.end);
    assert_int_equal(gvs_set_services(s), 3);
    assert_int_equal(gvs_set_del_service(s, &none), 0);
    assert_int_equal(gvs_set_del_service(s, &id), 3);
    assert_int_equal(gvs_set_count(s), 3);
    assert_int_equal(gvs_set_services(s), 2);
    assert_true(gvs_item_equal(gvs_set_get(s, &items[5]), &items[5]));
    assert_int_equal(gvs_set_replace_service(s, &id, (struct gvs_range){items + 2, items + 5}),
                     GVS_OK);
    assert_int_equal(gvs_set_replace_service(s, &none, (struct gvs_range){NULL, NULL}), GVS_OK);
    assert_int_equal(gvs_set_count(s), 6);
    assert_int_equal(gvs_set_del_service(s, &id), 3);
    gvs_set_del_first(s, 0);
    gvs_set_del_first(s, 2);
    assert_int_equal(gvs_set_count(s), 1);
    assert_int_equal(gvs_set_services(s), 1 - (items[5].kind == GVS_ITEM_DEST));
    assert_true(gvs_item_equal(gvs_set_get(s, &items[5]), &items[5]));
    free(s);
}

/* What is not below one of all things, and one that is there. */
static void
check_from(const struct gvs_set *s, const struct universe *u, size_t i)
{
    const struct gvs_item *from = gvs_set_from(s, &u->things[i]);

    for (size_t j = 0; j < WORLD_THINGS; j++) {
        const struct gvs_item *other = gvs_set_get(s, &u->things[j]);

        if (other && gvs_item_cmp(other, &u->things[i]) >= 0) {
            assert_non_null(from);
            assert_true(gvs_item_cmp(from, other) <= 0);
        }
    }
    if (from) {
        assert_true(gvs_item_cmp(from, &u->things[i]) >= 0);
        assert_ptr_equal(gvs_set_get(s, from), from);
    }
}

/* Each is lent as one piece. */
static void
check_services(const struct gvs_set *s, const struct universe *u, const struct world *w)
{
    for (size_t first = 0; first < WORLD_THINGS; first += 1 + WORLD_DESTS) {
        struct gvs_range r = gvs_set_service(s, &u->things[first].svc);
        size_t count = 0;

        for (size_t j = first; j < first + 1 + WORLD_DESTS; j++)
            count += w->cell[j] != 0;
        assert_int_equal(r.end - r.at, count);
        for (; r.at < r.end; r.at++)
            assert_ptr_equal(gvs_set_get(s, r.at), r.at);
    }
}

/* I1, and that the set says what the world says. To look at all of it may move it: not always. */
static void
check_against(struct gvs_set *s, const struct universe *u, const struct world *w, bool all)
{
    size_t count = 0, services = 0;
    struct gvs_range r;

    for (size_t i = 0; i < WORLD_THINGS; i++) {
        const struct gvs_item *got = gvs_set_get(s, &u->things[i]);

        assert_int_equal(got != NULL, w->cell[i] != 0);
        if (!got)
            continue;
        struct gvs_item item = thing_item(u, i, w->cell[i] - 1u);

        assert_memory_equal(got, &item, sizeof item);
        count++;
        services += thing_is_service(i);
    }
    assert_int_equal(gvs_set_count(s), count);
    assert_int_equal(gvs_set_services(s), services);
    check_services(s, u, w);
    if (!all)
        return;
    r = gvs_set_all(s);
    assert_int_equal(r.end - r.at, count);
    for (; r.at + 1 < r.end; r.at++)
        assert_true(gvs_item_cmp(r.at, r.at + 1) < 0);
}

static int
compare(const void *a, const void *b)
{
    return gvs_item_cmp(a, b);
}

static void
random_step(struct gvs_set *s, const struct universe *u, struct world *w, struct gvs_prng *p)
{
    size_t i = gvs_prng_below(p, WORLD_THINGS), first = thing_service(i), gone = 0;

    if (gvs_prng_chance(p, 1, 4)) {
        struct gvs_item items[1 + WORLD_DESTS];
        struct gvs_range r = {items, items};
        struct gvs_svcid svc = u->things[first].svc;

        for (size_t j = first; j < first + 1 + WORLD_DESTS; j++) {
            w->cell[j] = (uint8_t)gvs_prng_below(p, 1 + WORLD_VARIANTS);
            if (w->cell[j])
                items[r.end++ - items] = thing_item(u, j, w->cell[j] - 1u);
        }
        qsort(items, (size_t)(r.end - r.at), sizeof *items, compare);
        assert_int_equal(gvs_set_replace_service(s, &svc, r), GVS_OK);
    } else if (gvs_prng_chance(p, 2, 3)) {
        unsigned variant = gvs_prng_below(p, WORLD_VARIANTS);
        struct gvs_item item = thing_item(u, i, variant);

        assert_int_equal(gvs_set_put(s, &item), GVS_OK);
        w->cell[i] = (uint8_t)(1 + variant);
    } else if (gvs_prng_chance(p, 4, 5)) {
        assert_int_equal(gvs_set_del(s, &u->things[i]), w->cell[i] != 0);
        w->cell[i] = 0;
    } else {
        for (size_t j = first; j < first + 1 + WORLD_DESTS; j++) {
            gone += w->cell[j] != 0;
            w->cell[j] = 0;
        }
        assert_int_equal(gvs_set_del_service(s, &u->things[i].svc), gone);
    }
}

static void
test_any_program_ends_as_in_the_model(void **state)
{
    struct gvs_set *s = set_new(WORLD_THINGS);
    struct universe u;

    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 300); seed++) {
        struct gvs_prng p = gvs_prng_init(seed);
        struct world w = {{0}};

        universe_random(&u, &p);
        gvs_set_clear(s);
        for (int step = 0; step < 100; step++) {
            random_step(s, &u, &w, &p);
            check_against(s, &u, &w, gvs_prng_chance(&p, 1, 10));
            check_from(s, &u, gvs_prng_below(&p, WORLD_THINGS));
        }
    }
    free(s);
}

/* Of many, in order: away, and back before those that stayed; the hole is opened more than once. */
static void
test_many_go_and_return_in_order(void **state)
{
    enum { MANY = 3000 };
    struct gvs_set *s = set_new(2 * MANY + 2);
    struct gvs_item pair[2], last = service("10.99.0.1:80/udp");

    (void)state;
    assert_int_equal(gvs_set_put(s, &last), GVS_OK);
    for (int round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 2 * MANY; i++) {
            struct gvs_svcid svc = {.proto = GVS_PROTO_TCP, .port = (uint16_t)(1 + i % MANY)};

            svc.addr = last.svc.addr;
            pair[0] = gvs_item_make_service(&svc);
            pair[1] = dest("10.99.0.1:80", "10.77.0.4:80", 1);
            pair[1].svc = svc;
            if (i < MANY)
                assert_int_equal(
                    gvs_set_replace_service(s, &svc, (struct gvs_range){pair, pair + 2}), GVS_OK);
            else if (round == 1)
                assert_int_equal(gvs_set_del_service(s, &svc), 2);
            else
                assert_true(gvs_set_del(s, &pair[1]) && gvs_set_del(s, &pair[0]));
            assert_int_equal(gvs_set_count(s), 1 + 2 * (i < MANY ? i + 1 : 2 * MANY - 1 - i));
            assert_int_equal(gvs_set_service(s, &last.svc).end - gvs_set_get(s, &last), 1);
            assert_int_equal(gvs_set_service(s, &svc).end - gvs_set_service(s, &svc).at,
                             i < MANY ? 2 : 0);
        }
    }
    assert_int_equal(gvs_set_all(s).end - gvs_set_all(s).at, 1);
    free(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items_differ_by_every_field),
        cmocka_unit_test(test_each_field_of_a_destination_counts),
        cmocka_unit_test(test_padding_is_no_difference),
        cmocka_unit_test(test_order_is_service_kind_endpoint),
        cmocka_unit_test(test_a_full_set_refuses_and_stays),
        cmocka_unit_test(test_a_service_is_a_range_and_goes_as_one),
        cmocka_unit_test(test_many_go_and_return_in_order),
        cmocka_unit_test_teardown(test_any_program_ends_as_in_the_model, test_seed_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
