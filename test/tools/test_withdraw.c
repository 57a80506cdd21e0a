/* leave --withdraw, of an agent on a kernel in memory, which the linker finds before netlink. The
 * same on a real one, with connections that are counted there: test/kernel/t_drain. */
#include <errno.h>
#include <time.h>

#include "test/ipvs/fake.h"
#include "test/tools/agent_bench.h"

#define VIPS 12 /* so many that a brake would hold them */

struct withdrawal {
    struct bench b;
    bool left;
};

static struct gvs_item
service_of(uint8_t vip)
{
    struct gvs_svcid svc = {.proto = GVS_PROTO_TCP, .port = 80};

    svc.addr.family = GVS_FAMILY_V4;
    memcpy(svc.addr.b, (uint8_t[]){10, 99, 0, vip}, 4);
    return gvs_item_make_service(&svc);
}

static struct gvs_item
dest_of(uint8_t vip, uint8_t host)
{
    struct gvs_item item = service_of(vip);

    item.kind = GVS_ITEM_DEST;
    item.ep.addr.family = GVS_FAMILY_V4;
    memcpy(item.ep.addr.b, (uint8_t[]){10, 77, 0, host}, 4);
    item.ep.port = 80;
    return item;
}

static void
on_left(void *ctx)
{
    ((struct withdrawal *)ctx)->left = true;
}

/* Runs the loop until `what` becomes true; false: it does not in `seconds`. */
static bool
becomes(struct withdrawal *w, double seconds, bool (*what)(const struct withdrawal *w))
{
    uint64_t end = gvs_udp_now().us + (uint64_t)(seconds * 1e6);

    while (!what(w)) {
        if (gvs_udp_now().us > end)
            return false;
        uv_run(&w->b.loop, UV_RUN_NOWAIT);
        nanosleep(&(struct timespec){0, 200000}, NULL);
    }
    return true;
}

static bool
has_left(const struct withdrawal *w)
{
    return w->left;
}

static bool
is_answered(const struct withdrawal *w)
{
    return w->b.answer != NULL;
}

static bool
in_step(const struct withdrawal *w)
{
    return gvs_agent_in_step(w->b.agent);
}

static bool
some_are_gone(const struct withdrawal *w)
{
    (void)w;
    return fake_kernel()->count < 3 * VIPS;
}

static void
forget_answer(struct withdrawal *w)
{
    json_decref(w->b.answer);
    w->b.answer = NULL;
}

/* `command` with a name, and an address in 10.99.0 or 10.77.0. */
static void
do_command(struct withdrawal *w, const char *command, unsigned vip, unsigned net, unsigned host)
{
    char line[192];

    snprintf(line, sizeof line, "{\"command\":\"%s\",\"args\":[\"v%u\",\"10.%u.0.%u:80\"]}",
             command, vip, net, host);
    forget_answer(w);
    gvs_agent_command(w->b.agent, line, "test", 1, take_answer, &w->b);
    assert_true(becomes(w, 20, is_answered));
    assert_null(json_object_get(w->b.answer, "error"));
}

/* Twelve services of two servers in the kernel, nobody connected, and one of somebody else's. */
static void
set_up(struct withdrawal *w, unsigned drain)
{
    struct gvs_item foreign = service_of(200), nobody = dest_of(201, 9);
    char kernel[48];

    *w = (struct withdrawal){.left = false};
    begin(&w->b);
    fake_reset();
    fake_connect(&nobody, 1, 0); /* from now on connections are told, and not made up */
    snprintf(foreign.service.sched, sizeof foreign.service.sched, "rr");
    assert_int_equal(fake_do(GVS_OP_SERVICE_ADD, &foreign), 0);
    snprintf(kernel, sizeof kernel, "drain = %u audit = 1", drain);
    w->b.kernel = kernel;
    configure(&w->b, "");
    w->b.kernel = "";
    open_agent(&w->b);
    gvs_agent_on_left(w->b.agent, on_left, w);
    for (unsigned n = 1; n <= VIPS; n++) {
        do_command(w, "vip add", n, 99, n);
        do_command(w, "backend add", n, 77, 4);
        do_command(w, "backend add", n, 77, 5);
    }
    assert_true(becomes(w, 20, in_step));
    assert_int_equal(fake_kernel()->count, 3 * VIPS + 2); /* the anchor, and what is not ours */
    forget_answer(w);
    fake_log();
}

static void
leave(struct withdrawal *w, const char *request)
{
    gvs_agent_command(w->b.agent, request, "test", 1, take_answer, &w->b);
}

#define LEAVE "{\"command\":\"leave\",\"args\":[\"--withdraw\"],\"timeout\":60}"

static void
assert_answer(const struct withdrawal *w, const char *kernel, const char *code)
{
    const json_t *error = json_object_get(w->b.answer, "error");
    const char *said = json_string_value(json_object_get(error, "code"));

    assert_string_equal(json_string_value(json_object_get(w->b.answer, "kernel")), kernel);
    assert_string_equal(said ? said : "none", code);
}

static void
assert_only_foreign(void)
{
    struct gvs_item foreign = service_of(200);

    assert_int_equal(fake_kernel()->count, 1);
    assert_non_null(fake_find(&foreign));
    assert_int_equal(fake_kernel()->addr_count, 0);
}

static void
tear_down(struct withdrawal *w)
{
    end(&w->b);
}

static void
test_all_that_is_ours_goes_and_nothing_else(void **state)
{
    struct withdrawal w;

    (void)state;
    set_up(&w, 60);
    assert_false(gvs_node_retired(w.b.agent->node));
    leave(&w, LEAVE);
    assert_true(becomes(&w, 10, has_left));
    assert_true(gvs_node_retired(w.b.agent->node));
    assert_answer(&w, "ok", "none");
    assert_only_foreign();
    for (size_t i = 0; i < w.b.agent->netns_count; i++)
        assert_int_equal(gvs_ledger_services(w.b.agent->netns[i]->ledger), 0);
    /* And what the table still says brings nothing back. */
    gvs_agent_dirty_all(w.b.agent);
    gvs_agent_pump(w.b.agent);
    for (int i = 0; i < 100; i++)
        uv_run(&w.b.loop, UV_RUN_NOWAIT);
    assert_only_foreign();
    tear_down(&w);
}

static void
test_who_is_connected_is_waited_for(void **state)
{
    struct gvs_item dest = dest_of(3, 4);
    struct withdrawal w;

    (void)state;
    set_up(&w, 60);
    fake_connect(&dest, 2, 0);
    leave(&w, LEAVE);
    assert_true(becomes(&w, 10, some_are_gone));
    assert_false(becomes(&w, 1.5, has_left));
    assert_false(gvs_node_retired(w.b.agent->node));
    assert_int_equal(fake_kernel()->count, 3 + 2); /* that service as a whole */
    assert_int_equal(fake_find(&dest)->dest.weight, 0);
    fake_connect(&dest, 0, 0);
    assert_true(becomes(&w, 10, has_left));
    assert_answer(&w, "ok", "none");
    assert_only_foreign();
    tear_down(&w);
}

static void
test_but_for_no_longer_than_the_time_to_drain(void **state)
{
    struct gvs_item dest = dest_of(3, 4);
    struct gvs_mono began;
    struct withdrawal w;

    (void)state;
    set_up(&w, 1);
    fake_connect(&dest, 2, 0);
    began = gvs_udp_now();
    leave(&w, LEAVE);
    assert_true(becomes(&w, 10, has_left));
    assert_true(gvs_udp_now().us - began.us >= 900000);
    assert_answer(&w, "ok", "none");
    assert_only_foreign();
    tear_down(&w);
}

static void
test_what_the_kernel_keeps_is_told_and_the_node_leaves(void **state)
{
    struct gvs_item service = service_of(3);
    struct withdrawal w;
    const char *message;

    (void)state;
    set_up(&w, 0);
    fake_fail(GVS_OP_SERVICE_DEL, &service, EPERM, 1000);
    leave(&w, LEAVE);
    assert_false(becomes(&w, 3, has_left));
    assert_true(becomes(&w, 20, has_left));
    assert_answer(&w, "refused", "kernel_refused");
    message = json_string_value(json_object_get(json_object_get(w.b.answer, "error"), "message"));
    assert_non_null(strstr(message, "left, but "));
    assert_non_null(strstr(message, "10.99.0.3:80"));
    assert_true(gvs_node_retired(w.b.agent->node));
    assert_non_null(fake_find(&service));
    tear_down(&w);
}

static void
test_a_refusal_that_passes_is_none(void **state)
{
    struct gvs_item service = service_of(3);
    struct withdrawal w;

    (void)state;
    set_up(&w, 0);
    fake_fail(GVS_OP_SERVICE_DEL, &service, EBUSY, 2); /* for 3 s, by the back-off */
    leave(&w, LEAVE);
    assert_true(becomes(&w, 20, has_left));
    assert_answer(&w, "ok", "none");
    assert_only_foreign();
    tear_down(&w);
}

static void
test_who_does_not_want_to_wait_is_told_and_it_goes_on(void **state)
{
    struct gvs_item dest = dest_of(3, 4);
    struct withdrawal w;

    (void)state;
    set_up(&w, 60);
    fake_connect(&dest, 2, 0);
    leave(&w, "{\"command\":\"leave\",\"args\":[\"--withdraw\"],\"timeout\":1}");
    assert_true(becomes(&w, 10, is_answered));
    assert_answer(&w, "unknown", "timeout");
    assert_false(w.left);
    fake_connect(&dest, 0, 0);
    assert_true(becomes(&w, 10, has_left));
    assert_only_foreign();
    tear_down(&w);
}

/* A table that nobody has confirmed removes nothing, but for who says so. */
static void
test_an_agent_that_is_alone_takes_back_what_is_its_own(void **state)
{
    struct withdrawal w;

    (void)state;
    set_up(&w, 60);
    close_agent(&w.b);
    w.b.kernel = "audit = 1";
    configure(&w.b, "peers = { \"127.0.0.9:1\" }");
    open_agent(&w.b);
    gvs_agent_on_left(w.b.agent, on_left, &w);
    assert_true(becomes(&w, 20, in_step));
    assert_false(gvs_agent_may_remove(w.b.agent));
    assert_int_equal(fake_kernel()->count, 3 * VIPS + 2);
    leave(&w, LEAVE);
    assert_true(becomes(&w, 10, has_left));
    assert_only_foreign();
    tear_down(&w);
}

/* By leave alone, meanwhile, it goes at once; the kernel stays as it is then. */
static void
test_to_leave_at_once_ends_the_waiting(void **state)
{
    struct gvs_item dest = dest_of(3, 4);
    struct withdrawal w;

    (void)state;
    set_up(&w, 60);
    fake_connect(&dest, 2, 0);
    leave(&w, LEAVE);
    assert_true(becomes(&w, 10, some_are_gone));
    leave(&w, "{\"command\":\"leave\"}");
    assert_true(becomes(&w, 10, has_left));
    assert_non_null(fake_find(&dest));
    tear_down(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_that_is_ours_goes_and_nothing_else),
        cmocka_unit_test(test_who_is_connected_is_waited_for),
        cmocka_unit_test(test_but_for_no_longer_than_the_time_to_drain),
        cmocka_unit_test(test_what_the_kernel_keeps_is_told_and_the_node_leaves),
        cmocka_unit_test(test_a_refusal_that_passes_is_none),
        cmocka_unit_test(test_who_does_not_want_to_wait_is_told_and_it_goes_on),
        cmocka_unit_test(test_an_agent_that_is_alone_takes_back_what_is_its_own),
        cmocka_unit_test(test_to_leave_at_once_ends_the_waiting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
