/* The agent as a library, on a loop of the test's: what no other agent would send it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/agent.h"

struct bench {
    char dir[64], conf[128], state[128];
    uv_loop_t loop;
    struct gvs_agent *agent;
    json_t *answer; /* the latest */
};

static void
write_file(const char *dir, const char *name, mode_t mode, const char *text)
{
    char path[256];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fchmod(fileno(f), mode), 0);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void
begin(struct bench *b)
{
    char conf[1024], services[128];

    *b = (struct bench){.dir = "/tmp/gvs.XXXXXX"};
    assert_non_null(mkdtemp(b->dir));
    snprintf(b->state, sizeof b->state, "%s/state", b->dir);
    snprintf(services, sizeof services, "%s/services.d", b->dir);
    snprintf(b->conf, sizeof b->conf, "%s/conf", b->dir);
    assert_int_equal(mkdir(services, 0755), 0);
    write_file(b->dir, "keyring", 0600, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= primary\n");
    snprintf(conf, sizeof conf,
             "cluster = \"test\"\n"
             "node { name = \"lb1\" bind = \"127.0.0.1:%d\" keyring = \"%s/keyring\"\n"
             "  state = \"%s\" services = \"%s\" }\n"
             "kernel { mode = observe }\n"
             "control { socket = \"%s/s\" }\n"
             "limits { entries = 200000 }\n",
             20000 + getpid() % 20000, b->dir, b->state, services, b->dir);
    write_file(b->dir, "conf", 0644, conf);
    assert_int_equal(uv_loop_init(&b->loop), 0);
}

static void
end(struct bench *b)
{
    char command[128];

    if (b->agent)
        gvs_agent_close(b->agent, NULL, NULL);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&b->loop), 0);
    json_decref(b->answer);
    snprintf(command, sizeof command, "rm -r %s", b->dir);
    assert_int_equal(system(command), 0);
}

static void
open_agent(struct bench *b)
{
    struct gvs_fault f;

    if (gvs_agent_open(&b->agent, &b->loop, b->conf, NULL, NULL, &f) < 0)
        fail_msg("%s", f.text);
}

static void
take_answer(void *ctx, const char *line, int last)
{
    struct bench *b = ctx;

    (void)last;
    json_decref(b->answer);
    b->answer = json_loads(line, 0, NULL);
}

static json_t *
ask(struct bench *b, const char *line)
{
    gvs_agent_command(b->agent, line, "test", 1, take_answer, b);
    assert_non_null(b->answer);
    return b->answer;
}

/* Puts an entry into the store of an agent that is not running. */
static void
store_entry(struct gvs_store *store, const struct gvs_key *key, uint64_t order,
            const uint8_t *value, size_t len)
{
    uint8_t bytes[GVS_ENTRY_LEN_MAX];
    struct gvs_entry e;
    size_t n = gvs_entry_build(bytes, key, order, NULL, false, value, len);

    assert_int_equal(gvs_entry_parse(&e, bytes, n), GVS_OK);
    gvs_store_put(store, key->kind == GVS_KEY_MEMBER ? GVS_BUCKET_MEMBER : GVS_BUCKET_ENTRY, e.key,
                  e.key_len, e.b, e.len);
}

static struct gvs_store *
open_store(struct bench *b)
{
    struct gvs_store *store;
    struct gvs_fault f;
    bool aside;

    if (gvs_store_open(&store, &b->loop, b->state, 200000, &aside, &f) < 0)
        fail_msg("%s", f.text);
    return store;
}

static void
close_store(struct bench *b, struct gvs_store *store)
{
    gvs_store_close(store);
    uv_run(&b->loop, UV_RUN_DEFAULT);
}

static size_t
member_value(uint8_t *value)
{
    struct gvs_member_value v = {.name = "lb2", .boot = 1};

    v.ep.addr.family = GVS_FAMILY_V4;
    memcpy(v.ep.addr.b, (uint8_t[]){10, 77, 0, 2}, 4);
    v.ep.port = 7900;
    return gvs_member_encode(value, &v);
}

static void
test_a_member_that_cannot_be_read_is_shown_as_far_as_it_can(void **state)
{
    static const uint8_t strange[] = {1, 3, 'a', ' ', 'b'}; /* no name of ours, no endpoint */
    struct gvs_key key = {.kind = GVS_KEY_MEMBER};
    struct gvs_store *store;
    struct bench b;
    json_t *list;
    bool seen = false;

    (void)state;
    begin(&b);
    store = open_store(&b);
    for (uint8_t id = 1; id < 5; id++) {
        memset(key.owner.b, id, GVS_ID_LEN);
        store_entry(store, &key, gvs_member_order(3, (enum gvs_member_state)(id - 1)), strange,
                    sizeof strange);
    }
    close_store(&b, store);
    open_agent(&b);
    list = json_object_get(ask(&b, "{\"command\":\"members\",\"args\":[\"--all\"]}"), "members");
    for (size_t i = 0; i < json_array_size(list); i++)
        seen |= json_is_true(json_object_get(json_array_get(list, i), "self"));
    assert_true(seen);
    assert_non_null(json_object_get(ask(&b, "{\"command\":\"status\"}"), "health"));
    assert_non_null(json_object_get(ask(&b, "{\"command\":\"vip list\"}"), "vips"));
    end(&b);
}

/* One owner's hundred thousand backends and one of another's: what is looked for when he goes. */
static void
test_the_services_of_an_owner_are_found_in_slices(void **state)
{
    struct gvs_key key = {.kind = GVS_KEY_MEMBER};
    uint8_t value[GVS_VALUE_LEN_MAX];
    size_t entries = 100000, found = 0, passes = 0;
    struct gvs_store *store;
    struct gvs_svcid svc;
    struct gvs_mono began, slice;
    uint64_t worst = 0, total;
    struct bench b;

    (void)state;
    begin(&b);
    store = open_store(&b);
    memset(key.owner.b, 2, GVS_ID_LEN);
    store_entry(store, &key, gvs_member_order(3, GVS_ALIVE), value, member_value(value));
    for (size_t i = 0; i < entries; i++) {
        key = (struct gvs_key){.kind = GVS_KEY_BACKEND};
        key.svc =
            (struct gvs_svcid){.proto = GVS_PROTO_TCP, .port = (uint16_t)(1 + i / 10 % 60000)};
        key.svc.addr.family = key.ep.addr.family = GVS_FAMILY_V4;
        memcpy(key.svc.addr.b, (uint8_t[]){10, 99, 0, 1}, 4);
        memcpy(key.ep.addr.b, (uint8_t[]){10, 77, 0, 1}, 4);
        key.ep.port = (uint16_t)(1 + i % 10);
        memset(key.owner.b, i == entries / 2 ? 2 : 3, GVS_ID_LEN);
        store_entry(store, &key, gvs_hlc_make(1000, 0), value, 0);
    }
    close_store(&b, store);
    open_agent(&b);
    memset(b.agent->hide.changed[0].b, 2, GVS_ID_LEN);
    b.agent->hide.changed_count = 1;
    b.agent->scanning = true;
    b.agent->scan_key.len = 0;
    began = gvs_udp_now();
    while (b.agent->scanning) {
        size_t budget = 4096;

        slice = gvs_udp_now();
        while (gvs_owners_next(b.agent, &budget, &svc)) {
            found++;
            assert_int_equal(svc.port, 1 + entries / 2 / 10 % 60000);
        }
        slice.us = gvs_udp_now().us - slice.us;
        worst = slice.us > worst ? slice.us : worst;
        passes++;
    }
    total = gvs_udp_now().us - began.us;
    print_message("%zu entries: %zu slices, %llu us, the longest %llu us\n", entries, passes,
                  (unsigned long long)total, (unsigned long long)worst);
    assert_int_equal(found, 1);
    assert_int_equal(passes, entries / 4096 + 1);
    assert_int_equal(b.agent->hide.changed_count, 0);
    end(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_member_that_cannot_be_read_is_shown_as_far_as_it_can),
        cmocka_unit_test(test_the_services_of_an_owner_are_found_in_slices),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
