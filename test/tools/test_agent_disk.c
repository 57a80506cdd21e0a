/* The agent and what it finds in its state directory, and leaves there. */
#include "test/tools/agent_bench.h"

#include <glob.h>

#define STAMP_MS UINT64_C(1500000000000) /* in 2017: before any cut */

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

/* No commit leaves that behind; a copy that failed does, or somebody's >. */
static void
test_an_empty_store_is_a_lost_one(void **state)
{
    struct bench b;

    (void)state;
    begin_with_vector(&b);
    write_file(b.state, "data.mdb", 0600, "");
    open_agent(&b);
    assert_true(b.agent->lost && b.agent->fresh && b.agent->newborn);
    reopen(&b);
    assert_false(b.agent->lost || b.agent->fresh || b.agent->newborn);
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
    write_file(b.state, "data.mdb", 0600, "");
    again = id_of(&b);
    assert_int_equal(gvs_id_cmp(&id, &again), 0);
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
test_t19_a_key_that_others_can_read_is_refused(void **state)
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
        cmocka_unit_test(test_vector_and_floor_outlive_the_process),
        cmocka_unit_test(test_what_was_dropped_leaves_the_disk_with_the_vector_that_covers_it),
        cmocka_unit_test(test_a_vector_over_lost_records_is_void),
        cmocka_unit_test(test_a_store_that_was_set_aside_takes_the_vector_along),
        cmocka_unit_test(test_an_empty_store_is_a_lost_one),
        cmocka_unit_test(test_the_key_outlives_restarts_and_a_damaged_store),
        cmocka_unit_test(test_a_store_without_its_key_is_another_nodes),
        cmocka_unit_test(test_t19_a_key_that_others_can_read_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
