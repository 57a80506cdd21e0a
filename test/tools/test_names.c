#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "test/lib/prng.h"
#include "tools/agent/names.h"

static struct gvs_svcid
service(uint16_t port)
{
    struct gvs_svcid svc = {.proto = GVS_PROTO_TCP, .port = port};

    svc.addr.family = GVS_FAMILY_V4;
    svc.addr.b[0] = 10;
    return svc;
}

static bool
is_wanted(void *ctx, const struct gvs_svcid *svc)
{
    return ((const unsigned *)ctx)[svc->port] > 0;
}

/* Those of a name are all that have it, each once. */
static void
check_named(const struct gvs_names *n, unsigned i, const unsigned want[static 200])
{
    const struct gvs_named *x = NULL;
    size_t all = 0, found = 0;
    bool seen[200] = {false};
    char name[16];

    snprintf(name, sizeof name, "n%u", i);
    for (size_t port = 0; port < 200; port++)
        all += i > 0 && want[port] == i;
    for (; (x = gvs_names_next(n, name, x)) != NULL; found++) {
        assert_int_equal(want[x->svc.port], i);
        assert_false(seen[x->svc.port]);
        seen[x->svc.port] = true;
    }
    assert_int_equal(found, all);
}

static void
test_a_name_is_what_was_put_last_until_it_is_dropped(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 200); seed++) {
        struct gvs_prng p = gvs_prng_init(seed);
        struct gvs_names n = {.count = 0};
        unsigned want[200] = {0};

        for (int i = 0; i < 1000; i++) {
            uint16_t port = (uint16_t)gvs_prng_below(&p, 200);
            struct gvs_svcid svc = service(port);
            char name[16];

            want[port] = gvs_prng_below(&p, 4);
            snprintf(name, sizeof name, "n%u", want[port]);
            if (want[port])
                gvs_names_put(&n, &svc, name);
            else
                gvs_names_keep(&n, is_wanted, want);
        }
        for (uint16_t port = 0; port < 200; port++) {
            struct gvs_svcid svc = service(port);
            const char *name = gvs_names_get(&n, &svc);
            char text[16];

            snprintf(text, sizeof text, "n%u", want[port]);
            if (want[port])
                assert_string_equal(name, text);
            else
                assert_null(name);
        }
        for (unsigned i = 0; i < 5; i++)
            check_named(&n, i, want);
        gvs_names_free(&n);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_a_name_is_what_was_put_last_until_it_is_dropped,
                                  test_seed_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
