/* test/tools/test_agent_claims.c: what services.d says, in the table (tools/agent/own.c). */
#include <time.h>

#include "test/ipvs/fake.h"
#include "test/tools/agent_bench.h"

/* --- another process by our name --- */

static struct gvs_key
own_service(struct bench *b, uint8_t last)
{
    struct gvs_key key = {.kind = GVS_KEY_SERVICE, .owner = gvs_node_self(b->agent->node)};

    key.svc = (struct gvs_svcid){.proto = GVS_PROTO_TCP, .port = 80};
    key.svc.addr.family = GVS_FAMILY_V4;
    memcpy(key.svc.addr.b, (uint8_t[]){10, 99, 0, last}, 4);
    return key;
}

/* It claims 10.99.0.LAST with a scheduler that our files do not name. */
static void
usurp(struct bench *b, uint8_t last)
{
    struct gvs_service attr = {.name = "web", .sched = "mh"};
    uint8_t value[GVS_VALUE_LEN_MAX];
    struct gvs_key key = own_service(b, last);

    assert_int_equal(gvs_node_write(b->agent->node, gvs_udp_now(), gvs_udp_wall(), &key, false,
                                    value, gvs_service_encode(value, &attr), NULL),
                     GVS_OK);
    b->agent->node->counts.own_name++;
}

/* The scheduler that is claimed in our name for 10.99.0.LAST, or "". */
static const char *
claimed(struct bench *b, uint8_t last, struct gvs_service *attr)
{
    struct gvs_key key = own_service(b, last);
    struct gvs_keybuf k;
    struct gvs_entry e;

    gvs_key_build(&k, &key);
    if (!gvs_table_get(gvs_node_claims(b->agent->node), k.b, k.len, &e) || e.tombstone)
        return "";
    assert_int_equal(gvs_service_decode(attr, e.value, e.value_len), GVS_OK);
    return attr->sched;
}

static void
test_of_two_by_one_name_none_insists_more_than_once_a_minute(void **state)
{
    struct gvs_service attr;
    char services[128];
    struct bench b;

    (void)state;
    begin(&b);
    snprintf(services, sizeof services, "%s/services.d", b.dir);
    write_file(services, "web.conf", 0644, "service web { vip = \"10.99.0.1:80\" }\n");
    open_agent(&b);
    assert_string_equal(claimed(&b, 1, &attr), "wlc");
    usurp(&b, 1); /* a former life, as far as we know: */
    usurp(&b, 2);
    read_claims(&b);
    assert_string_equal(claimed(&b, 1, &attr), "wlc");
    assert_string_equal(claimed(&b, 2, &attr), "mh");
    b.agent->withdraw = gvs_udp_now();
    read_claims(&b);
    assert_string_equal(claimed(&b, 2, &attr), "");

    gvs_replica_cloned(&b.agent->node->replica, gvs_udp_now(), &(struct gvs_ep){.port = 1});
    usurp(&b, 1);
    usurp(&b, 2);
    read_claims(&b);
    assert_string_equal(claimed(&b, 1, &attr), "mh");
    assert_true(b.agent->insist.us > gvs_udp_now().us + 55000000);
    b.agent->insist = b.agent->withdraw = gvs_udp_now(); /* a minute later */
    read_claims(&b);
    assert_string_equal(claimed(&b, 1, &attr), "wlc");
    b.agent->withdraw = gvs_udp_now();
    read_claims(&b);
    assert_string_equal(claimed(&b, 2, &attr), "mh"); /* the other's, and in use */
    usurp(&b, 1);
    write_file(services, "web.conf", 0644,
               "service web { vip = \"10.99.0.1:80\" scheduler = sh }\n");
    read_claims(&b);
    assert_string_equal(claimed(&b, 1, &attr), "sh"); /* a command is a command */

    b.agent->node->replica.cloned_at.us = 0; /* long ago */
    b.agent->withdraw = gvs_udp_now();
    read_claims(&b);
    assert_string_equal(claimed(&b, 2, &attr), "");
    end(&b);
}

/* --- claims that find no room, or no directory --- */

static void
test_a_claim_that_found_no_room_is_written_when_there_is(void **state)
{
    struct gvs_service attr;
    char services[128];
    struct gvs_mono withdraw;
    size_t *room;
    struct bench b;

    (void)state;
    begin(&b);
    snprintf(services, sizeof services, "%s/services.d", b.dir);
    open_agent(&b);
    room = &b.agent->node->replica.entries;
    *room = 0;
    write_file(services, "web.conf", 0644, "service web { vip = \"10.99.0.1:80\" }\n");
    read_claims(&b);
    assert_string_equal(claimed(&b, 1, &attr), "");
    withdraw = b.agent->withdraw;
    *room = 100;
    read_claims(&b);
    assert_string_equal(claimed(&b, 1, &attr), ""); /* it does not try all the time */
    b.agent->claims_again = gvs_udp_now();
    read_claims(&b);
    assert_string_equal(claimed(&b, 1, &attr), "wlc");
    assert_int_equal(b.agent->claims_again.us, GVS_MONO_NEVER.us);
    assert_int_equal(b.agent->withdraw.us, withdraw.us); /* which may be what makes room */
    end(&b);
}

static void
test_a_reload_does_not_take_claims_back_for_a_directory_that_is_not_there(void **state)
{
    struct gvs_service attr;
    struct gvs_fault f;
    char services[128], command[200];
    struct bench b;

    (void)state;
    begin(&b);
    snprintf(services, sizeof services, "%s/services.d", b.dir);
    write_file(services, "web.conf", 0644, "service web { vip = \"10.99.0.1:80\" }\n");
    open_agent(&b);
    assert_string_equal(claimed(&b, 1, &attr), "wlc");
    snprintf(command, sizeof command, "sed -i s/services\\.d/servcies.d/ %s", b.conf);
    assert_int_equal(system(command), 0);
    assert_true(gvs_agent_reload(b.agent, false, &f) < 0);
    assert_non_null(strstr(f.text, "servcies.d: No such file or directory; nothing reloaded"));
    b.agent->withdraw = gvs_udp_now();
    read_claims(&b);
    assert_string_equal(claimed(&b, 1, &attr), "wlc");
    snprintf(command, sizeof command, "mkdir %s/servcies.d", b.dir);
    assert_int_equal(system(command), 0);
    assert_int_equal(gvs_agent_reload(b.agent, false, &f), GVS_OK);
    b.agent->withdraw = gvs_udp_now();
    read_claims(&b);
    assert_string_equal(claimed(&b, 1, &attr), "");
    end(&b);
}

/* --- many claims --- */

#define MANY 2000
#define OF_EACH (1 + 3)    /* entries of a service */
#define SLICE 128          /* services in a pass of the loop, */
#define LOOKED_AT 1024     /* or entries that are held against the files */
#define PASSES_MAX 1000000 /* until it is as it should be */

static void
begin_programming(struct bench *b)
{
    begin(b);
    b->kernel = "interface = \"\"";
    configure(b, "");
    fake_reset();
}

static int
rename_in(const struct bench *b, const char *from, const char *to)
{
    char old[160], new[160];

    snprintf(old, sizeof old, "%s/%s", b->dir, from);
    snprintf(new, sizeof new, "%s/%s", b->dir, to);
    return rename(old, new);
}

/* Services FROM to TO, each with three backends, in the file of that name; old enough to be read
 * once. */
static void
write_many(struct bench *b, const char *name, unsigned from, unsigned to)
{
    const struct timespec minute_ago[2] = {{time(NULL) - 60, 0}, {time(NULL) - 60, 0}};
    char path[160], in_services[100];
    FILE *f;

    snprintf(path, sizeof path, "%s/new", b->dir);
    snprintf(in_services, sizeof in_services, "services.d/%s", name);
    f = fopen(path, "w");
    assert_non_null(f);
    for (unsigned i = from; i < to; i++) {
        fprintf(f, "service s%u { vip = \"10.99.%u.%u:80\"\n", i, i / 250, 1 + i % 250);
        for (unsigned d = 0; d < OF_EACH - 1; d++)
            fprintf(f, "backend \"10.77.0.%u:8080\" { }\n", 1 + d);
        fputs("}\n", f);
    }
    assert_int_equal(fflush(f), 0);
    assert_int_equal(futimens(fileno(f), minute_ago), 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(rename_in(b, "new", in_services), 0);
}

static size_t
entries(const struct bench *b, bool tombstones)
{
    const struct gvs_table *t = gvs_node_claims(b->agent->node);
    struct gvs_keybuf at = {0};
    struct gvs_entry e;
    size_t count = 0;

    while (gvs_table_seek(t, at.b, at.len, at.len > 0, &e)) {
        at.len = e.key_len;
        memcpy(at.b, e.key, e.key_len);
        count += e.tombstone == tombstones;
    }
    return count;
}

static bool
busy(const struct bench *b)
{
    return b->agent->reading || b->agent->pass.on;
}

static void
turn(struct bench *b)
{
    uv_run(&b->loop, UV_RUN_ONCE);
}

/* In no pass are there more than that many entries more, or fewer that stand. Passes of our own: a
 * turn of the loop may have several, by a timer and by the disk. Returns how many it took. */
static unsigned
until_done(struct bench *b, size_t most)
{
    size_t before = entries(b, false), now;
    unsigned passes = 0;

    for (; b->agent->pass.on; before = now) {
        assert_true(passes++ < PASSES_MAX);
        gvs_agent_pump(b->agent);
        now = entries(b, false);
        assert_true(now <= before + most);
        assert_true(before <= now + most);
    }
    return passes;
}

static void
test_many_claims_keep_nobody_waiting(void **state)
{
    struct bench b;

    (void)state;
    begin(&b);
    open_agent(&b);
    write_many(&b, "web.conf", 0, MANY);
    gvs_agent_read_claims(b.agent);
    assert_non_null(b.agent->reading); /* elsewhere: whoever asks meanwhile is answered */
    assert_int_equal(entries(&b, false), 0);
    ask(&b, "{\"command\":\"version\"}");
    while (b.agent->reading)
        turn(&b);
    assert_true(b.agent->pass.on);
    until_done(&b, SLICE * OF_EACH);
    assert_int_equal(entries(&b, false), MANY * OF_EACH);

    /* Half of them go: they are held against the table in slices, too. */
    write_many(&b, "web.conf", 0, MANY / 2);
    read_claims(&b);
    assert_int_equal(entries(&b, true), 0);
    b.agent->withdraw = gvs_udp_now();
    gvs_agent_read_claims(b.agent);
    assert_true(b.agent->pass.on);
    gvs_agent_pump(b.agent);
    assert_true(until_done(&b, LOOKED_AT) >= MANY * OF_EACH / LOOKED_AT + MANY / 2 / SLICE);
    assert_int_equal(entries(&b, false), MANY / 2 * OF_EACH);
    assert_int_equal(entries(&b, true), MANY / 2 * OF_EACH);
    end(&b);
}

/* What the slices go through is a file's that is not there any more. */
static void
test_files_that_change_while_they_are_claimed_are_claimed_as_they_are_last(void **state)
{
    const struct gvs_claims_reading *first;
    struct bench b;

    (void)state;
    begin(&b);
    open_agent(&b);
    uv_fs_event_stop(&b.agent->watch); /* it hears of files from us alone */
    write_many(&b, "a.conf", 0, MANY);
    gvs_agent_read_claims(b.agent);
    while (b.agent->reading)
        turn(&b);
    assert_true(b.agent->pass.on && b.agent->pass.at > 0 && b.agent->pass.at < MANY);
    write_many(&b, "a.conf", MANY / 2, MANY);
    gvs_agent_read_claims(b.agent);
    first = b.agent->reading;
    write_many(&b, "b.conf", MANY, MANY + 10);
    gvs_agent_read_claims(b.agent);
    while (b.agent->reading == first)
        turn(&b);
    assert_non_null(b.agent->reading);
    while (busy(&b))
        turn(&b);
    b.agent->withdraw = gvs_udp_now();
    read_claims(&b);
    assert_int_equal(entries(&b, false), (MANY / 2 + 10) * OF_EACH);
    end(&b);
}

/* It is rewritten as it was; what was read before is freed all the same. */
static void
test_a_file_that_is_only_touched_begins_the_pass_anew(void **state)
{
    struct bench b;

    (void)state;
    begin(&b);
    open_agent(&b);
    write_many(&b, "a.conf", 0, MANY);
    gvs_agent_read_claims(b.agent);
    while (b.agent->reading)
        turn(&b);
    write_many(&b, "a.conf", 0, MANY);
    gvs_agent_read_claims(b.agent);
    b.agent->pass.at = MANY; /* as if it were done, but for what goes */
    b.agent->pass.withdraw = true;
    while (b.agent->reading)
        turn(&b);
    assert_ptr_equal(b.agent->pass.all[0], b.agent->claims.files[0].services);
    assert_true(b.agent->pass.withdraw);
    assert_true(until_done(&b, SLICE * OF_EACH) >= MANY / SLICE - 1);
    assert_int_equal(entries(&b, false), MANY * OF_EACH);
    end(&b);
}

/* The file is away for longer than an editor needs, and there again before anybody noticed. */
static void
test_nothing_is_withdrawn_while_something_is_being_read(void **state)
{
    struct bench b;

    (void)state;
    begin(&b);
    open_agent(&b);
    write_many(&b, "a.conf", 0, 10);
    write_many(&b, "b.conf", 10, SLICE);
    read_claims(&b);
    assert_int_equal(rename_in(&b, "services.d/a.conf", "a.conf"), 0);
    read_claims(&b);
    b.agent->withdraw = gvs_udp_now();
    gvs_agent_read_claims(b.agent); /* which begins to take it back, */
    assert_true(b.agent->pass.on && b.agent->pass.withdraw);
    assert_int_equal(rename_in(&b, "a.conf", "services.d/a.conf"), 0);
    gvs_agent_read_claims(b.agent); /* when it is found again */
    assert_non_null(b.agent->reading);
    for (int i = 0; i < 3; i++)
        gvs_agent_pump(b.agent);
    assert_int_equal(entries(&b, true), 0);
    while (busy(&b))
        turn(&b);
    assert_int_equal(entries(&b, true), 0);
    assert_int_equal(entries(&b, false), SLICE * OF_EACH);
    b.agent->withdraw = gvs_udp_now();
    read_claims(&b);
    assert_int_equal(entries(&b, true), 0);
    end(&b);
}

/* What is there already is not to be edited or removed for want of what this node claims of it. */
static void
test_no_kernel_is_trusted_with_a_table_that_lacks_our_claims(void **state)
{
    unsigned turns = 0;
    struct bench b;

    (void)state;
    begin_programming(&b);
    configure(&b, "peers = { \"127.0.0.1:1\" }");
    write_many(&b, "web.conf", 0, MANY);
    open_agent(&b);
    assert_false(gvs_agent_may_write(b.agent));
    b.agent->started.us = 0; /* alone for long enough */
    gvs_agent_pump(b.agent);
    for (; !b.agent->claims_tried; turns++) {
        assert_int_equal(b.agent->netns[0]->trust, GVS_TRUST_NONE);
        turn(&b);
    }
    assert_true(turns >= MANY / SLICE - 1);
    assert_int_equal(entries(&b, false), MANY * OF_EACH);
    turn(&b);
    assert_int_not_equal(b.agent->netns[0]->trust, GVS_TRUST_NONE);
    end(&b);
}

/* Between two slices the kernel may have all that it has been told of. */
static void
test_who_has_claims_to_write_is_not_in_step(void **state)
{
    struct bench b;

    (void)state;
    begin_programming(&b);
    open_agent(&b);
    while (!gvs_agent_in_step(b.agent))
        turn(&b);
    write_many(&b, "web.conf", 0, MANY);
    gvs_agent_read_claims(b.agent);
    while (b.agent->reading)
        turn(&b);
    b.agent->pass.at = MANY;
    b.agent->pass.withdraw = true;
    b.agent->reading = (struct gvs_claims_reading *)&b; /* nothing goes on before that has ended */
    while (fake_kernel()->count < SLICE * OF_EACH)
        turn(&b);
    while (!gvs_kernel_status(b.agent->netns[0]->kernel).in_step)
        turn(&b);
    assert_int_equal(gvs_set_count(b.agent->dirty), 0);
    assert_false(gvs_agent_in_step(b.agent));
    b.agent->reading = NULL;
    b.agent->pass.at = 0;
    while (!gvs_agent_in_step(b.agent))
        turn(&b);
    assert_int_equal(fake_kernel()->count, 1 + MANY * OF_EACH);
    end(&b);
}

/* Who reloads is told how it went; what another thread reads meanwhile is older. */
static void
test_a_reload_waits_for_what_the_files_say(void **state)
{
    struct gvs_fault f;
    struct bench b;

    (void)state;
    begin(&b);
    open_agent(&b);
    write_many(&b, "web.conf", 0, MANY);
    gvs_agent_read_claims(b.agent);
    assert_non_null(b.agent->reading);
    write_many(&b, "web.conf", 0, MANY + 1);
    assert_int_equal(gvs_agent_reload(b.agent, false, &f), GVS_OK);
    assert_int_equal(entries(&b, false), (MANY + 1) * OF_EACH);
    for (int i = 0; i < 100; i++)
        uv_run(&b.loop, UV_RUN_NOWAIT);
    assert_int_equal(b.agent->claims.files[0].service_count, MANY + 1);
    end(&b);
}

static void
test_who_closes_while_something_is_read_waits_for_it(void **state)
{
    struct bench b;

    (void)state;
    begin(&b);
    open_agent(&b);
    write_many(&b, "web.conf", 0, MANY);
    gvs_agent_read_claims(b.agent);
    assert_non_null(b.agent->reading);
    end(&b);
}

/* Its kernel goes on without it. */
static void
test_who_is_retired_while_something_is_read_waits_for_nothing_after_it(void **state)
{
    struct gvs_mono late;
    struct bench b;

    (void)state;
    begin_programming(&b);
    configure(&b, "peers = { \"127.0.0.1:1\" }");
    write_many(&b, "web.conf", 0, MANY);
    open_agent(&b);
    write_many(&b, "web.conf", 0, MANY + 1);
    b.agent->started.us = 0; /* alone for long enough */
    gvs_agent_read_claims(b.agent);
    assert_non_null(b.agent->reading);
    gvs_node_leave(b.agent->node, gvs_udp_now());
    late = gvs_mono_add_ms(gvs_udp_now(), 10000);
    while ((b.agent->reading || b.agent->netns[0]->trust == GVS_TRUST_NONE) &&
           !gvs_mono_due(late, gvs_udp_now()))
        turn(&b);
    assert_null(b.agent->reading);
    assert_int_not_equal(b.agent->netns[0]->trust, GVS_TRUST_NONE);
    end(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_two_by_one_name_none_insists_more_than_once_a_minute),
        cmocka_unit_test(test_a_claim_that_found_no_room_is_written_when_there_is),
        cmocka_unit_test(test_a_reload_does_not_take_claims_back_for_a_directory_that_is_not_there),
        cmocka_unit_test(test_many_claims_keep_nobody_waiting),
        cmocka_unit_test(
            test_files_that_change_while_they_are_claimed_are_claimed_as_they_are_last),
        cmocka_unit_test(test_a_file_that_is_only_touched_begins_the_pass_anew),
        cmocka_unit_test(test_nothing_is_withdrawn_while_something_is_being_read),
        cmocka_unit_test(test_no_kernel_is_trusted_with_a_table_that_lacks_our_claims),
        cmocka_unit_test(test_who_has_claims_to_write_is_not_in_step),
        cmocka_unit_test(test_a_reload_waits_for_what_the_files_say),
        cmocka_unit_test(test_who_closes_while_something_is_read_waits_for_it),
        cmocka_unit_test(test_who_is_retired_while_something_is_read_waits_for_nothing_after_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
