/* The agent as a library, on a loop of the test's: what no other agent would send it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/bytes.h"
#include "net/node_impl.h"
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

/* --- tombstones that were forgotten --- */

#define STAMP_MS UINT64_C(1500000000000) /* in 2017: before any cut */

static const struct gvs_id writer = {{7, 7}};

static struct gvs_key
backend_key(uint16_t port)
{
    struct gvs_key key = {.kind = GVS_KEY_BACKEND};

    key.svc = (struct gvs_svcid){.proto = GVS_PROTO_TCP, .port = 80};
    key.svc.addr.family = key.ep.addr.family = GVS_FAMILY_V4;
    memcpy(key.svc.addr.b, (uint8_t[]){10, 99, 0, 1}, 4);
    memcpy(key.ep.addr.b, (uint8_t[]){10, 77, 0, 1}, 4);
    key.ep.port = port;
    key.owner = writer;
    return key;
}

static void
vector_of_one(uint8_t chunk[static GVS_VECTOR_WRITER_LEN], uint64_t ms)
{
    memcpy(chunk, writer.b, GVS_ID_LEN);
    gvs_put64(chunk + GVS_ID_LEN, gvs_hlc_make(ms, 0));
}

/* A backend of the writer's, and a vector that covers it, in the store; an agent has run before. */
static void
begin_with_vector(struct bench *b)
{
    uint8_t chunk[GVS_VECTOR_WRITER_LEN], name[GVS_VECTOR_KEY_LEN];
    struct gvs_key key = backend_key(8080);
    uint64_t floor_ms = STAMP_MS + 5000;
    struct gvs_store *store;

    begin(b);
    store = open_store(b);
    store_entry(store, &key, gvs_hlc_make(STAMP_MS, 0), NULL, 0);
    vector_of_one(chunk, STAMP_MS + 1000);
    gvs_agent_vector_key(name, 0);
    gvs_store_put(store, GVS_BUCKET_META, name, sizeof name, chunk, sizeof chunk);
    gvs_store_put(store, GVS_BUCKET_META, "stamp_floor", 11, &floor_ms, sizeof floor_ms);
    close_store(b, store);
}

static void
close_agent(struct bench *b)
{
    gvs_agent_close(b->agent, NULL, NULL);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    b->agent = NULL;
}

static int
stored(struct bench *b, enum gvs_bucket bucket, const void *key, size_t key_len, void *val,
       size_t cap)
{
    struct gvs_store *store = open_store(b);
    int len = gvs_store_get(store, bucket, key, key_len, val, cap);

    close_store(b, store);
    return len;
}

static int
stored_vector(struct bench *b, uint8_t chunk[static GVS_VECTOR_CHUNK_MAX])
{
    uint8_t name[GVS_VECTOR_KEY_LEN];

    gvs_agent_vector_key(name, 0);
    return stored(b, GVS_BUCKET_META, name, sizeof name, chunk, GVS_VECTOR_CHUNK_MAX);
}

static uint64_t
component_of(const struct bench *b)
{
    return gvs_vector_get(b->agent->node->replica.age.vector, &writer);
}

static void
test_vector_and_floor_outlive_the_process(void **state)
{
    uint8_t chunk[GVS_VECTOR_CHUNK_MAX];
    uint64_t floor_ms = 0, stamp;
    struct bench b;

    (void)state;
    begin_with_vector(&b);
    open_agent(&b);
    assert_int_equal(component_of(&b), gvs_hlc_make(STAMP_MS + 1000, 0));
    assert_true(gvs_node_stamp(b.agent->node) >= gvs_hlc_make(STAMP_MS + 5000, 0));
    b.agent->started.us = 0; /* alone for long enough */
    gvs_agent_command(b.agent, "{\"command\":\"vip add\",\"args\":[\"web\",\"10.99.0.9:80/tcp\"]}",
                      "test", 1, take_answer, &b);
    stamp = gvs_node_stamp(b.agent->node);
    assert_true(gvs_hlc_ms(stamp) > STAMP_MS + 5000);
    close_agent(&b);
    assert_int_equal(stored(&b, GVS_BUCKET_META, "stamp_floor", 11, &floor_ms, sizeof floor_ms), 8);
    assert_true(floor_ms > gvs_hlc_ms(stamp));
    assert_int_equal(stored_vector(&b, chunk), GVS_VECTOR_WRITER_LEN);
    end(&b);
}

/* A kill between the two would leave a key that neither a tombstone nor a vector keeps away. */
static void
test_what_was_dropped_leaves_the_disk_with_the_vector_that_covers_it(void **state)
{
    struct gvs_key key = backend_key(8080);
    uint8_t chunk[GVS_VECTOR_CHUNK_MAX];
    struct gvs_keybuf k;
    struct gvs_entry e;
    struct gvs_replica *r;
    uint8_t val[1024], component[GVS_VECTOR_WRITER_LEN];
    uint64_t changes;
    struct bench b;
    int len;

    (void)state;
    begin_with_vector(&b);
    open_agent(&b);
    r = &b.agent->node->replica;
    gvs_key_build(&k, &key);
    assert_true(gvs_table_get(r->table[GVS_TABLE_CLAIMS], k.b, k.len, &e));
    gvs_age_tick(&r->age, gvs_udp_now(), gvs_udp_wall());
    vector_of_one(chunk, STAMP_MS + 2000);
    gvs_vector_read(r->age.vector, chunk, GVS_VECTOR_WRITER_LEN);
    r->age.changes++;
    b.agent->vector_at = gvs_udp_now();
    gvs_agent_take_news(b.agent);
    uv_run(&b.loop, UV_RUN_NOWAIT);
    assert_true(b.agent->vector_changes != gvs_node_vector_changes(b.agent->node));
    changes = r->age.changes;
    assert_true(
        gvs_replica_refused(r, gvs_udp_now(), gvs_table_id(r->table[GVS_TABLE_CLAIMS], &e)));
    gvs_agent_take_news(b.agent); /* one call: one transaction */
    assert_int_equal(b.agent->vector_changes, changes);
    close_agent(&b);
    assert_int_equal(stored(&b, GVS_BUCKET_ENTRY, k.b, k.len, val, sizeof val), GVS_E_NOTFOUND);
    len = stored_vector(&b, chunk); /* our own component stands there too */
    vector_of_one(component, STAMP_MS + 2000);
    assert_true(len > 0 && memmem(chunk, (size_t)len, component, sizeof component));
    end(&b);
}

static void
test_a_vector_over_lost_records_is_void(void **state)
{
    struct gvs_key key = backend_key(9090);
    uint8_t chunk[GVS_VECTOR_CHUNK_MAX];
    struct gvs_store *store;
    struct gvs_keybuf k;
    struct bench b;

    (void)state;
    begin_with_vector(&b);
    store = open_store(&b);
    gvs_key_build(&k, &key);
    gvs_store_put(store, GVS_BUCKET_ENTRY, k.b, k.len, "no entry", 8);
    close_store(&b, store);
    open_agent(&b);
    assert_int_equal(component_of(&b), 0);
    close_agent(&b);
    assert_int_equal(stored_vector(&b, chunk), GVS_E_NOTFOUND); /* nor is it there the next time */
    end(&b);
}

static void
test_a_store_that_was_set_aside_takes_the_vector_along(void **state)
{
    char path[256], bytes[65536], *at;
    struct bench b;
    size_t len;
    FILE *f;

    (void)state;
    begin_with_vector(&b);
    snprintf(path, sizeof path, "%s/data.mdb", b.state);
    f = fopen(path, "r+");
    assert_non_null(f);
    len = fread(bytes, 1, sizeof bytes, f);
    at = memmem(bytes, len, "vector", 6);
    assert_non_null(at);
    assert_int_equal(fseek(f, at - bytes + 12, SEEK_SET), 0);
    fputc(bytes[at - bytes + 12] ^ 1, f);
    assert_int_equal(fclose(f), 0);
    open_agent(&b);
    assert_true(b.agent->lost && b.agent->fresh);
    assert_int_equal(component_of(&b), 0);
    assert_int_equal(gvs_table_count(gvs_node_claims(b.agent->node)), 0);
    end(&b);
}

/* --- the node's key --- */

static struct gvs_id
id_of(struct bench *b)
{
    struct gvs_id id;

    open_agent(b);
    id = gvs_node_self(b->agent->node);
    assert_null(b->agent->priv); /* nobody needs it any more */
    gvs_agent_close(b->agent, NULL, NULL);
    b->agent = NULL;
    uv_run(&b->loop, UV_RUN_DEFAULT);
    return id;
}

static void
key_path(const struct bench *b, char path[static 160])
{
    snprintf(path, 160, "%s/node.key", b->state);
}

static size_t
count_files(const struct bench *b, const char *pattern)
{
    char path[256];
    glob_t g;
    size_t n;

    snprintf(path, sizeof path, "%s/%s", b->state, pattern);
    n = glob(path, 0, NULL, &g) == 0 ? g.gl_pathc : 0;
    globfree(&g);
    return n;
}

static void
test_the_key_outlives_restarts_and_a_damaged_store(void **state)
{
    struct gvs_id id, again;
    struct bench b;
    struct stat st;
    char path[160];

    (void)state;
    begin(&b);
    id = id_of(&b);
    key_path(&b, path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_size, 40);
    again = id_of(&b);
    assert_int_equal(gvs_id_cmp(&id, &again), 0);
    write_file(b.state, "data.mdb", 0600, "no store at all");
    again = id_of(&b);
    assert_int_equal(gvs_id_cmp(&id, &again), 0);
    assert_int_equal(count_files(&b, "data.mdb.damaged-*"), 1);
    end(&b);
}

static void
test_a_store_without_its_key_is_another_nodes(void **state)
{
    static const struct {
        const char *why, *text; /* NULL: the file is gone */
    } rows[] = {
        {"the key is gone", NULL},
        {"the key is empty", ""},
        {"a bit of it is wrong", "0123456789abcdef0123456789abcdef01234567"},
        {"it is too long", "0123456789abcdef0123456789abcdef0123456789"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gvs_id id, again;
        struct bench b;
        char path[160];

        print_message("%s\n", rows[i].why);
        begin(&b);
        id = id_of(&b);
        key_path(&b, path);
        if (rows[i].text)
            write_file(b.state, "node.key", 0600, rows[i].text);
        else
            assert_int_equal(unlink(path), 0);
        again = id_of(&b);
        assert_int_not_equal(gvs_id_cmp(&id, &again), 0);
        assert_int_equal(count_files(&b, "data.mdb.retired-*"), 1);
        id = id_of(&b);
        assert_int_equal(gvs_id_cmp(&id, &again), 0);
        assert_int_equal(count_files(&b, "data.mdb.retired-*"), 1);
        end(&b);
    }
}

static void
test_a_key_that_others_can_read_is_refused(void **state)
{
    struct gvs_fault f;
    struct bench b;
    char path[160], more[170];

    (void)state;
    begin(&b);
    id_of(&b);
    key_path(&b, path);
    assert_int_equal(chmod(path, 0640), 0);
    assert_true(gvs_agent_open(&b.agent, &b.loop, b.conf, NULL, NULL, &f) < 0);
    assert_non_null(strstr(f.text, "node.key is open to others (0640)"));
    uv_run(&b.loop, UV_RUN_DEFAULT);
    assert_int_equal(chmod(path, 0600), 0);
    snprintf(more, sizeof more, "%s.2", path);
    assert_int_equal(link(path, more), 0);
    assert_true(gvs_agent_open(&b.agent, &b.loop, b.conf, NULL, NULL, &f) < 0);
    assert_non_null(strstr(f.text, "not a file of one name"));
    uv_run(&b.loop, UV_RUN_DEFAULT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink(more, path), 0);
    assert_true(gvs_agent_open(&b.agent, &b.loop, b.conf, NULL, NULL, &f) < 0);
    uv_run(&b.loop, UV_RUN_DEFAULT);
    end(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_member_that_cannot_be_read_is_shown_as_far_as_it_can),
        cmocka_unit_test(test_the_services_of_an_owner_are_found_in_slices),
        cmocka_unit_test(test_vector_and_floor_outlive_the_process),
        cmocka_unit_test(test_what_was_dropped_leaves_the_disk_with_the_vector_that_covers_it),
        cmocka_unit_test(test_a_vector_over_lost_records_is_void),
        cmocka_unit_test(test_a_store_that_was_set_aside_takes_the_vector_along),
        cmocka_unit_test(test_the_key_outlives_restarts_and_a_damaged_store),
        cmocka_unit_test(test_a_store_without_its_key_is_another_nodes),
        cmocka_unit_test(test_a_key_that_others_can_read_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
