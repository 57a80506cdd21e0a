/* tools/agent's use of the brake of ipvs/kernel.h, on a kernel in memory, which the linker finds
 * before netlink: what it tells, what it lets go, and what it never holds. How long it holds is
 * test/ipvs/test_kernel_brake.c's; all of it on real kernels, test/kernel/t_brake's. */
#include <errno.h>
#include <time.h>

#include "test/ipvs/fake.h"
#include "test/tools/agent_bench.h"

#define VIPS 24             /* with a server each */
#define HELD (VIPS - 9)     /* the first nine go as they come */
#define FULL (2 * VIPS + 1) /* the anchor */

/* Runs the loop until `what` becomes true; false: it does not in `seconds`. */
static bool
becomes(struct bench *b, double seconds, bool (*what)(struct bench *b))
{
    uint64_t end = gvs_udp_now().us + (uint64_t)(seconds * 1e6);

    while (!what(b)) {
        if (gvs_udp_now().us > end)
            return false;
        uv_run(&b->loop, UV_RUN_NOWAIT);
        nanosleep(&(struct timespec){0, 200000}, NULL);
    }
    return true;
}

static bool
is_answered(struct bench *b)
{
    return b->answer != NULL;
}

static bool
is_full(struct bench *b)
{
    (void)b;
    return fake_kernel()->count == FULL;
}

/* Whether the anchor goes is a matter of trust. */
static bool
is_empty(struct bench *b)
{
    (void)b;
    return fake_kernel()->count <= 1;
}

static struct gvs_kernel_status
status_of(const struct bench *b)
{
    return gvs_kernel_status(b->agent->netns[0]->kernel);
}

static bool
is_braked(struct bench *b)
{
    return status_of(b).brake;
}

static bool
is_off(struct bench *b)
{
    return !status_of(b).brake;
}

static json_t *
command(struct bench *b, const char *line)
{
    json_decref(b->answer);
    b->answer = NULL;
    gvs_agent_command(b->agent, line, "test", 1, take_answer, b);
    assert_true(becomes(b, 20, is_answered));
    assert_null(json_object_get(b->answer, "error"));
    return b->answer;
}

/* With a word behind its name; NULL: its address. */
static void
for_each_vip(struct bench *b, const char *what, const char *word)
{
    char line[192], address[32];

    for (unsigned n = 1; n <= VIPS; n++) {
        snprintf(address, sizeof address, "10.99.0.%u:80", n);
        snprintf(line, sizeof line, "{\"command\":\"%s\",\"args\":[\"v%u\",\"%s\"]}", what, n,
                 word ? word : address);
        command(b, line);
    }
}

static void
fill(struct bench *b)
{
    for_each_vip(b, "vip add", NULL);
    for_each_vip(b, "backend add", "10.77.0.4:80");
}

static void
empty(struct bench *b, bool force)
{
    char line[96];

    for (unsigned n = 1; n <= VIPS; n++) {
        snprintf(line, sizeof line, "{\"command\":\"vip del\",\"args\":[\"v%u\"%s]}", n,
                 force ? ",\"--force\"" : "");
        command(b, line);
    }
}

static void
open_in(struct bench *b, const char *kernel)
{
    if (b->agent)
        close_agent(b);
    b->kernel = kernel;
    configure(b, "");
    open_agent(b);
    b->agent->started.us -= 1000ULL * GVS_AGENT_ALONE_MS; /* alone for long enough to remove */
}

/* Twelve VIPs in the kernel, nobody connected. */
static void
set_up(struct bench *b)
{
    begin(b);
    fake_reset();
    fake_connect(&(struct gvs_item){.kind = GVS_ITEM_DEST}, 1, 0); /* others have none */
    open_in(b, "audit = 1 drain = 0");
    fill(b);
    assert_true(becomes(b, 20, is_full));
    fake_log();
}

/* All of it is deleted while nobody programs: who does so next finds it gone. */
static void
lose_all(struct bench *b, bool force)
{
    open_in(b, "mode = observe");
    empty(b, force);
    assert_int_equal(fake_kernel()->count, FULL);
    open_in(b, "audit = 30 drain = 0"); /* no audit helps */
}

static const json_t *
problem_of(struct bench *b, const char *code)
{
    const json_t *list = json_object_get(command(b, "{\"command\":\"status\"}"), "problems"), *p;
    size_t i;

    json_array_foreach(
        list, i, p) if (strcmp(json_string_value(json_object_get(p, "code")), code) == 0) return p;
    return NULL;
}

static json_int_t
number_at(const json_t *o, const char *a, const char *b, const char *c)
{
    o = json_object_get(json_object_get(o, a), b);
    return json_integer_value(c ? json_object_get(o, c) : o);
}

static void
test_what_is_held_is_told_everywhere(void **state)
{
    struct bench b;
    const json_t *p, *kernel;
    const char *text;

    (void)state;
    set_up(&b);
    lose_all(&b, false);
    assert_true(becomes(&b, 10, is_braked));
    assert_int_equal(fake_kernel()->count, 2 * HELD + 1);
    fake_log();
    p = problem_of(&b, "brake");
    assert_non_null(p);
    text = json_string_value(json_object_get(p, "message"));
    assert_non_null(strstr(text, "15 of 24 services and 15 of 24 destinations"));
    assert_non_null(
        strstr(json_string_value(json_object_get(p, "hint")), "gossipvs brake release"));
    assert_string_equal(json_string_value(json_object_get(b.answer, "health")), "critical");
    assert_int_equal(number_at(b.answer, "kernel", "braked", "services"), HELD);
    assert_int_equal(number_at(b.answer, "kernel", "braked", "destinations"), HELD);
    kernel = json_object_get(b.answer, "kernel");
    assert_true(json_is_false(json_object_get(kernel, "in_step")));
    kernel = json_array_get(json_object_get(kernel, "namespaces"), 0);
    assert_true(json_is_false(json_object_get(kernel, "in_step")));
    text = json_string_value(json_object_get(command(&b, "{\"command\":\"metrics\"}"), "text"));
    assert_non_null(strstr(text, "gossipvs_kernel_braked{kind=\"service\"} 15\n"));
    assert_non_null(strstr(text, "gossipvs_kernel_braked{kind=\"destination\"} 15\n"));
    assert_string_equal(fake_log(), "");
    end(&b);
}

static void
test_it_goes_when_it_is_released_and_is_counted(void **state)
{
    struct bench b;
    json_t *said;

    (void)state;
    set_up(&b);
    lose_all(&b, false);
    assert_true(becomes(&b, 10, is_braked));
    said = command(&b, "{\"command\":\"brake release\"}");
    assert_string_equal(json_string_value(json_object_get(said, "result")), "done");
    assert_int_equal(json_integer_value(json_object_get(said, "services")), HELD);
    assert_int_equal(json_integer_value(json_object_get(said, "destinations")), HELD);
    assert_true(becomes(&b, 5, is_empty));
    assert_null(problem_of(&b, "brake"));
    said = command(&b, "{\"command\":\"brake release\"}");
    assert_string_equal(json_string_value(json_object_get(said, "result")), "already");
    assert_int_equal(json_integer_value(json_object_get(said, "services")), 0);
    end(&b);
}

static void
test_what_is_wanted_again_is_let_off(void **state)
{
    struct bench b;

    (void)state;
    set_up(&b);
    lose_all(&b, false);
    assert_true(becomes(&b, 10, is_braked));
    fake_log();
    fill(&b);
    assert_true(becomes(&b, 5, is_off));
    assert_null(problem_of(&b, "brake"));
    assert_true(becomes(&b, 5, is_full));
    assert_null(strstr(fake_log(), "del")); /* what had gone is added, and nothing else */
    end(&b);
}

static void
test_by_force_nothing_is_held(void **state)
{
    struct bench b;

    (void)state;
    set_up(&b);
    lose_all(&b, true);
    assert_true(becomes(&b, 10, is_empty));
    assert_false(is_braked(&b));
    end(&b);
}

static void
test_who_deletes_here_is_not_held(void **state)
{
    struct bench b;

    (void)state;
    set_up(&b);
    empty(&b, false);
    assert_true(becomes(&b, 5, is_empty));
    assert_null(problem_of(&b, "brake"));
    end(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_held_is_told_everywhere),
        cmocka_unit_test(test_it_goes_when_it_is_released_and_is_counted),
        cmocka_unit_test(test_what_is_wanted_again_is_let_off),
        cmocka_unit_test(test_by_force_nothing_is_held),
        cmocka_unit_test(test_who_deletes_here_is_not_held),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
