/* test/tools/agent_bench.h: the agent as a library, on a loop of the test's. */
#pragma once

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

#include "core/bytes.h"
#include "net/node_impl.h"
#include "tools/agent/agent.h"

struct bench {
    char dir[64], conf[128], state[128];
    unsigned members;   /* at most */
    const char *kernel; /* the section of that name */
    uv_loop_t loop;
    struct gvs_agent *agent;
    json_t *answer; /* the latest */
};

static inline void
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

/* `node`: more of the section of that name. */
static inline void
configure(const struct bench *b, const char *node)
{
    char conf[2048];

    snprintf(conf, sizeof conf,
             "cluster = \"test\"\n"
             "node { name = \"lb1\" bind = \"127.0.0.1:%d\" keyring = \"%s/keyring\"\n"
             "  state = \"%s\" services = \"%s/services.d\" %s }\n"
             "kernel { %s }\n"
             "control { socket = \"%s/s\" }\n"
             "limits { entries = 200000 members = %u }\n",
             20000 + getpid() % 20000, b->dir, b->state, b->dir, node, b->kernel, b->dir,
             b->members);
    write_file(b->dir, "conf", 0644, conf);
}

static inline void
begin_for(struct bench *b, unsigned members)
{
    char services[128];

    *b = (struct bench){.dir = "/tmp/gvs.XXXXXX", .members = members, .kernel = "mode = observe"};
    assert_non_null(mkdtemp(b->dir));
    snprintf(b->state, sizeof b->state, "%s/state", b->dir);
    snprintf(services, sizeof services, "%s/services.d", b->dir);
    snprintf(b->conf, sizeof b->conf, "%s/conf", b->dir);
    assert_int_equal(mkdir(services, 0755), 0);
    write_file(b->dir, "keyring", 0600, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= primary\n");
    configure(b, "");
    assert_int_equal(uv_loop_init(&b->loop), 0);
}

static inline void
begin(struct bench *b)
{
    begin_for(b, 1024);
}

static inline void
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

/* What services.d says is read, and written. */
static inline void
read_claims(struct bench *b)
{
    gvs_agent_read_claims(b->agent);
    gvs_agent_pump(b->agent);
    while (b->agent->reading || b->agent->pass.on)
        uv_run(&b->loop, UV_RUN_ONCE);
}

static inline void
open_agent(struct bench *b)
{
    struct gvs_fault f;

    if (gvs_agent_open(&b->agent, &b->loop, b->conf, NULL, NULL, &f) < 0)
        fail_msg("%s", f.text);
}

static inline void
take_answer(void *ctx, const char *line, int last)
{
    struct bench *b = ctx;

    (void)last;
    json_decref(b->answer);
    b->answer = json_loads(line, 0, NULL);
}

static inline json_t *
ask(struct bench *b, const char *line)
{
    gvs_agent_command(b->agent, line, "test", 1, take_answer, b);
    assert_non_null(b->answer);
    return b->answer;
}

/* Puts an entry into the store of an agent that is not running. */
static inline void
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

static inline struct gvs_store *
open_store(struct bench *b)
{
    struct gvs_store *store;
    struct gvs_fault f;
    bool aside;

    if (gvs_store_open(&store, &b->loop, b->state, 200000, &aside, &f) < 0)
        fail_msg("%s", f.text);
    return store;
}

static inline void
close_store(struct bench *b, struct gvs_store *store)
{
    gvs_store_close(store);
    uv_run(&b->loop, UV_RUN_DEFAULT);
}

static inline size_t
member_value_at(uint8_t *value, uint8_t host)
{
    struct gvs_member_value v = {.boot = 1};

    snprintf(v.name, sizeof v.name, "lb%u", host);
    v.ep.addr.family = GVS_FAMILY_V4;
    memcpy(v.ep.addr.b, (uint8_t[]){10, 77, 0, host}, 4);
    v.ep.port = 7900;
    return gvs_member_encode(value, &v);
}

static const struct gvs_id writer = {{7, 7}};

static inline struct gvs_key
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

static inline void
close_agent(struct bench *b)
{
    gvs_agent_close(b->agent, NULL, NULL);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    b->agent = NULL;
}

static inline int
stored(struct bench *b, enum gvs_bucket bucket, const void *key, size_t key_len, void *val,
       size_t cap)
{
    struct gvs_store *store = open_store(b);
    int len = gvs_store_get(store, bucket, key, key_len, val, cap);

    close_store(b, store);
    return len;
}

static inline void
reopen(struct bench *b)
{
    close_agent(b);
    open_agent(b);
}
