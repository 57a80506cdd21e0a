/* libgossipvs, as a program has it: two agents in one process on one loop, by gossipvs.h alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "tools/agent/gossipvs.h"

#define VIP "10.99.0.1:80/tcp"
#define SERVER "10.77.0.4:8080"
#define NODES 2

struct node {
    char conf[64];
    struct gvs_agent *agent;
    bool closed;
    json_t *events; /* as watched */
};

struct bench {
    char dir[32], error[GVS_ERROR_LEN];
    uv_loop_t loop;
    struct node nodes[NODES];
};

static void
write_file(const char *path, mode_t mode, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fchmod(fileno(f), mode), 0);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static int
port_of(int i)
{
    return 20000 + getpid() % 20000 + i * 20000;
}

/* `more`: of the section node. */
static void
configure(struct bench *b, int i, const char *more)
{
    char text[1024], dir[sizeof b->dir];

    memcpy(dir, b->dir, sizeof dir);
    snprintf(b->nodes[i].conf, sizeof b->nodes[i].conf, "%s/%d.conf", dir, i);
    snprintf(text, sizeof text,
             "cluster = \"test\"\n"
             "node { name = \"n%d\" bind = \"127.0.0.1:%d\" keyring = \"%s/keyring\"\n"
             "  state = \"%s/state%d\" peers = { \"127.0.0.1:%d\" } %s }\n"
             "kernel { mode = observe }\n"
             "limits { entries = 1000 members = 16 }\n",
             i, port_of(i), b->dir, b->dir, i, port_of(1 - i), more);
    write_file(b->nodes[i].conf, 0644, text);
}

static void
note(void *ctx, const char *line)
{
    struct node *n = ctx;

    json_array_append_new(n->events, json_loads(line, 0, NULL));
}

static void
start(struct bench *b, int i)
{
    struct node *n = &b->nodes[i];

    n->closed = false;
    if (gvs_open(&n->agent, &b->loop, n->conf, NULL, NULL, b->error) < 0)
        fail_msg("%s", b->error);
    json_array_clear(n->events);
    gvs_watch(n->agent, note, n);
    gvs_watch(n->agent, note, n); /* takes the place of the other */
}

static void
begin(struct bench *b)
{
    char path[64];

    *b = (struct bench){.dir = "/tmp/gvs.XXXXXX"};
    assert_non_null(mkdtemp(b->dir));
    snprintf(path, sizeof path, "%s/keyring", b->dir);
    write_file(path, 0600, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= primary\n");
    assert_int_equal(uv_loop_init(&b->loop), 0);
    for (int i = 0; i < NODES; i++) {
        b->nodes[i].events = json_array();
        configure(b, i, "");
    }
}

/* Runs the loop until it is true, or for `seconds`. */
static bool
becomes(struct bench *b, double seconds, bool (*what)(struct bench *b))
{
    uint64_t end = uv_hrtime() + (uint64_t)(seconds * 1e9);

    while (!what(b)) {
        if (uv_hrtime() > end)
            return false;
        uv_run(&b->loop, UV_RUN_NOWAIT);
        usleep(500);
    }
    return true;
}

static bool
never(struct bench *b)
{
    (void)b;
    return false;
}

/* How often node i has seen the event, of that backend (NULL: any). */
static int
seen(const struct bench *b, int i, const char *event, const char *backend)
{
    const json_t *e;
    size_t at;
    int count = 0;

    json_array_foreach(b->nodes[i].events, at, e)
    {
        const char *what = json_string_value(json_object_get(e, "event"));
        const char *who = json_string_value(json_object_get(e, "backend"));

        count += strcmp(what, event) == 0 && (!backend || (who && strcmp(who, backend) == 0));
    }
    return count;
}

/* The latest of that event. */
static const json_t *
latest(const struct bench *b, int i, const char *event)
{
    for (size_t at = json_array_size(b->nodes[i].events); at-- > 0;) {
        const json_t *e = json_array_get(b->nodes[i].events, at);

        if (strcmp(json_string_value(json_object_get(e, "event")), event) == 0)
            return e;
    }
    fail_msg("no %s", event);
    return NULL;
}

static const char *
text_of(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

static json_t *
status_of(const struct bench *b, int i)
{
    const char *text;
    json_t *doc;

    gvs_status(b->nodes[i].agent, &text);
    assert_non_null(text);
    doc = json_loads(text, 0, NULL);
    assert_non_null(doc);
    return doc;
}

static bool
are_members(struct bench *b)
{
    bool both = true;

    for (int i = 0; i < NODES; i++) {
        json_t *doc = status_of(b, i);

        both &= json_integer_value(json_object_get(json_object_get(doc, "members"), "alive")) == 2;
        json_decref(doc);
    }
    return both;
}

static void
start_both(struct bench *b)
{
    start(b, 0);
    start(b, 1);
    assert_true(becomes(b, 20, are_members));
}

static void
is_closed(void *ctx)
{
    ((struct node *)ctx)->closed = true;
}

static bool
first_is_closed(struct bench *b)
{
    return b->nodes[0].closed;
}

static void
stop(struct bench *b, int i)
{
    gvs_close(b->nodes[i].agent, is_closed, &b->nodes[i]);
    assert_false(b->nodes[i].closed);
    b->nodes[i].agent = NULL;
}

static void
stop_first(struct bench *b)
{
    stop(b, 0);
    assert_true(becomes(b, 5, first_is_closed));
}

static void
end(struct bench *b)
{
    char command[64];

    for (int i = 0; i < NODES; i++)
        if (b->nodes[i].agent)
            stop(b, i);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&b->loop), 0);
    for (int i = 0; i < NODES; i++)
        json_decref(b->nodes[i].events);
    snprintf(command, sizeof command, "rm -r %s", b->dir);
    assert_int_equal(system(command), 0);
}

static void
claim(struct bench *b, int i, const char *backend, const char *words, unsigned flags)
{
    if (gvs_claim(b->nodes[i].agent, VIP, backend, words, flags, b->error) != 0)
        fail_msg("%s", b->error);
}

static bool
other_sees_a_server(struct bench *b)
{
    return seen(b, 1, "backend.add", SERVER) > 0;
}

static bool
other_sees_an_edit(struct bench *b)
{
    return seen(b, 1, "backend.set", SERVER) > 0;
}

static bool
other_sees_it_go(struct bench *b)
{
    return seen(b, 1, "vip.del", NULL) > 0;
}

static bool
other_sees_a_server_go(struct bench *b)
{
    return seen(b, 1, "backend.del", SERVER) > 0;
}

static bool
other_synced(struct bench *b)
{
    json_t *a = status_of(b, 0), *c = status_of(b, 1);
    bool same = strcmp(text_of(json_object_get(a, "table"), "fingerprint"),
                       text_of(json_object_get(c, "table"), "fingerprint")) == 0;

    json_decref(a);
    json_decref(c);
    return same;
}

static void
test_what_one_claims_the_other_sees_and_what_is_withdrawn_goes(void **state)
{
    struct bench b;
    size_t count;
    char by[64];

    (void)state;
    begin(&b);
    start_both(&b);
    claim(&b, 0, NULL, "name web scheduler wrr", 0);
    claim(&b, 0, SERVER, "weight 5", 0);
    assert_true(becomes(&b, 5, other_sees_a_server));
    assert_int_equal(seen(&b, 1, "vip.add", NULL), 1);
    assert_int_equal(seen(&b, 1, "backend.add", NULL), 1);
    assert_string_equal(text_of(latest(&b, 1, "vip.add"), "vip"), VIP);
    assert_string_equal(text_of(latest(&b, 1, "vip.add"), "name"), "web");
    assert_string_equal(text_of(latest(&b, 1, "vip.add"), "node"), "n0");
    assert_string_equal(text_of(json_object_get(latest(&b, 1, "vip.add"), "after"), "scheduler"),
                        "wrr");
    assert_string_equal(text_of(latest(&b, 1, "vip.add"), "via"), "peer");
    assert_string_equal(text_of(latest(&b, 0, "vip.add"), "via"), "api");
    snprintf(by, sizeof by, "%s@n0", program_invocation_short_name);
    assert_string_equal(text_of(latest(&b, 0, "vip.add"), "by"), by);

    count = json_array_size(b.nodes[1].events);
    claim(&b, 0, SERVER, "weight 5", 0); /* the same again */
    claim(&b, 0, NULL, "scheduler wrr name web", 0);
    becomes(&b, 0.5, never);
    assert_int_equal(json_array_size(b.nodes[1].events), count);

    claim(&b, 0, SERVER, "weight 0", 0);
    assert_true(becomes(&b, 5, other_sees_an_edit));
    assert_int_equal(seen(&b, 1, "backend.del", NULL), 0);

    assert_int_equal(gvs_withdraw(b.nodes[0].agent, VIP, SERVER, b.error), 0);
    assert_true(becomes(&b, 5, other_sees_a_server_go));
    assert_int_equal(seen(&b, 1, "vip.del", NULL), 0);
    claim(&b, 0, SERVER, NULL, 0);
    assert_int_equal(gvs_withdraw(b.nodes[0].agent, VIP, NULL, b.error), 0);
    assert_true(becomes(&b, 5, other_sees_it_go));
    assert_int_equal(gvs_withdraw(b.nodes[0].agent, VIP, SERVER, b.error), GVS_ERROR_NOT_FOUND);

    gvs_watch(b.nodes[0].agent, NULL, NULL);
    count = json_array_size(b.nodes[0].events);
    claim(&b, 0, NULL, NULL, 0);
    becomes(&b, 0.2, never);
    assert_int_equal(json_array_size(b.nodes[0].events), count);
    end(&b);
}

static void
test_what_is_not_durable_ends_with_close_and_the_rest_stays_and_returns(void **state)
{
    struct bench b;

    (void)state;
    begin(&b);
    start_both(&b);
    claim(&b, 0, NULL, "name web", GVS_DURABLE);
    claim(&b, 0, SERVER, "weight 7", GVS_DURABLE);
    claim(&b, 0, "10.77.0.5:8080", NULL, 0);
    claim(&b, 0, "10.77.0.6:8080", NULL, GVS_DURABLE);
    claim(&b, 0, "10.77.0.6:8080", NULL, 0); /* not any more */
    assert_true(becomes(&b, 5, other_sees_a_server));
    assert_true(becomes(&b, 5, other_synced));
    stop_first(&b);
    assert_int_equal(seen(&b, 1, "backend.del", "10.77.0.5:8080"), 1); /* before it is closed */
    assert_int_equal(seen(&b, 1, "backend.del", "10.77.0.6:8080"), 1);
    assert_int_equal(seen(&b, 1, "backend.del", SERVER), 0);
    assert_int_equal(seen(&b, 1, "vip.del", NULL), 0);

    json_array_clear(b.nodes[1].events);
    start(&b, 0);
    assert_true(becomes(&b, 20, are_members));
    becomes(&b, 3, never); /* what nobody claims any more would be withdrawn by now */
    assert_int_equal(seen(&b, 1, "backend.add", NULL), 0);
    assert_int_equal(seen(&b, 1, "backend.del", NULL) + seen(&b, 1, "backend.set", NULL), 0);
    assert_int_equal(seen(&b, 1, "vip.del", NULL) + seen(&b, 1, "vip.set", NULL), 0);

    assert_int_equal(gvs_withdraw(b.nodes[0].agent, VIP, NULL, b.error), 0);
    assert_true(becomes(&b, 5, other_sees_it_go));
    stop_first(&b);
    json_array_clear(b.nodes[1].events);
    start(&b, 0);
    assert_true(becomes(&b, 20, are_members));
    becomes(&b, 3, never);
    assert_int_equal(seen(&b, 1, "vip.add", NULL), 0); /* withdrawn is withdrawn */
    end(&b);
}

struct answer {
    int count, lasts;
    json_t *doc;
};

static void
take_answer(void *ctx, const char *line, int last)
{
    struct answer *a = ctx;

    a->count++;
    a->lasts += last;
    json_decref(a->doc);
    a->doc = json_loads(line, 0, NULL);
}

/* Asks the first node, and waits for the answer. */
static json_t *
ask(struct bench *b, const char *line)
{
    struct answer answer = {0};

    gvs_command(b->nodes[0].agent, line, take_answer, &answer);
    for (int i = 0; i < 150 && answer.lasts == 0; i++)
        becomes(b, 0.1, never);
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.lasts, 1);
    return answer.doc;
}

static void
reopen_first(struct bench *b)
{
    stop_first(b);
    json_array_clear(b->nodes[1].events);
    start(b, 0);
}

/* Under another id, since who has left is retired for ever. */
static void
test_who_left_begins_anew_with_what_is_durable(void **state)
{
    struct bench b;
    json_t *doc;

    (void)state;
    begin(&b);
    start_both(&b);
    claim(&b, 0, NULL, "name web", GVS_DURABLE);
    claim(&b, 0, SERVER, NULL, GVS_DURABLE);
    assert_true(becomes(&b, 5, other_sees_a_server));
    doc = ask(&b, "{\"command\":\"leave\"}");
    assert_string_equal(text_of(doc, "result"), "done");
    json_decref(doc);
    assert_true(becomes(&b, 5, other_sees_it_go));
    assert_int_equal(gvs_claim(b.nodes[0].agent, VIP, NULL, NULL, 0, b.error), GVS_ERROR_CONFLICT);
    assert_non_null(strstr(b.error, "retired"));

    reopen_first(&b);
    assert_true(becomes(&b, 20, other_sees_a_server));
    reopen_first(&b); /* from its new store */
    assert_true(becomes(&b, 20, are_members));
    becomes(&b, 3, never);
    assert_int_equal(seen(&b, 1, "backend.del", SERVER) + seen(&b, 1, "vip.del", NULL), 0);
    end(&b);
}

static void
test_a_store_whose_key_is_lost_is_anothers_and_so_are_its_claims(void **state)
{
    char path[64];
    struct bench b;

    (void)state;
    begin(&b);
    start_both(&b);
    claim(&b, 0, NULL, "name web", GVS_DURABLE);
    becomes(&b, 0.5, never);
    stop_first(&b);
    snprintf(path, sizeof path, "%s/state0/node.key", b.dir);
    assert_int_equal(unlink(path), 0);
    start(&b, 0);
    assert_int_equal(gvs_withdraw(b.nodes[0].agent, VIP, NULL, NULL), GVS_ERROR_NOT_FOUND);
    end(&b);
}

static void
test_there_are_as_many_claims_as_entries_and_no_more(void **state)
{
    struct bench b;
    char server[32];

    (void)state;
    begin(&b);
    start_both(&b);
    for (int i = 0; i < 1000; i++) {
        snprintf(server, sizeof server, "10.77.0.4:%d", 1000 + i);
        claim(&b, 0, server, NULL, 0);
    }
    assert_int_equal(gvs_claim(b.nodes[0].agent, VIP, NULL, NULL, 0, b.error), GVS_ERROR_NO);
    assert_non_null(strstr(b.error, "1000 claims"));
    claim(&b, 0, server, "weight 2", 0); /* is none more */
    assert_int_equal(gvs_withdraw(b.nodes[0].agent, VIP, server, NULL), 0);
    claim(&b, 0, NULL, NULL, 0);
    end(&b);
}

/* Another process that claims and is killed. */
static void
claim_and_crash(struct bench *b)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        struct bench c = *b;

        uv_loop_init(&c.loop);
        start(&c, 0);
        for (int i = 0; !c.nodes[0].closed; i++) {
            uv_run(&c.loop, UV_RUN_ONCE);
            if (i == 0) {
                claim(&c, 0, NULL, "name web", 0);
                claim(&c, 0, SERVER, NULL, 0);
            }
            if (seen(&c, 0, "backend.add", SERVER) > 0) {
                becomes(&c, 0.5, never); /* and tells the other */
                _exit(0);
            }
        }
    }
    while (waitpid(pid, &status, WNOHANG) == 0) {
        uv_run(&b->loop, UV_RUN_NOWAIT);
        usleep(500);
    }
    assert_int_equal(status, 0);
}

static void
test_what_a_crash_left_goes_unless_it_is_claimed_again(void **state)
{
    struct bench b;

    (void)state;
    begin(&b);
    start(&b, 1);
    claim_and_crash(&b);
    assert_true(becomes(&b, 5, other_sees_a_server));
    json_array_clear(b.nodes[1].events);
    start(&b, 0);
    claim(&b, 0, NULL, "name web", 0);
    claim(&b, 0, SERVER, NULL, 0);
    assert_true(becomes(&b, 20, are_members));
    becomes(&b, 3, never);
    for (int i = 0; i < NODES; i++)
        assert_int_equal(seen(&b, i, "backend.del", SERVER) + seen(&b, i, "vip.del", NULL), 0);
    stop_first(&b);
    assert_int_equal(seen(&b, 1, "vip.del", NULL), 1);

    claim_and_crash(&b);
    json_array_clear(b.nodes[1].events);
    start(&b, 0);
    assert_true(becomes(&b, 20, other_sees_it_go));
    end(&b);
}

/* What a program reads when something is wrong. */
static void
test_errors_say_what_and_why(void **state)
{
    static const struct {
        const char *vip, *backend, *words;
        int code;
        const char *text;
    } rows[] = {
        {"10.99.0.1", NULL, NULL, GVS_ERROR_USAGE, "port"},
        {"web", NULL, NULL, GVS_ERROR_USAGE, "'web'"},
        {VIP, NULL, "name", GVS_ERROR_USAGE, "name: a value is missing"},
        {VIP, NULL, "name Web", GVS_ERROR_USAGE, "'Web'"},
        {VIP, NULL, "weight 5", GVS_ERROR_USAGE, "weight"},
        {VIP, SERVER, "weight 70000", GVS_ERROR_USAGE, "65535"},
        {VIP, SERVER, "weight 1 weight 2", GVS_ERROR_USAGE, "weight is given twice"},
        {VIP, SERVER, "name web", GVS_ERROR_USAGE, "name"},
        {VIP, SERVER, "wieght 5", GVS_ERROR_USAGE, "wieght"},
        {VIP, "10.77.0.4", NULL, GVS_ERROR_USAGE, "port"},
        {VIP, "[fd00::4]:80", NULL, GVS_ERROR_USAGE, "only forward tun can mix"},
        {VIP, "224.0.0.1:80", NULL, GVS_ERROR_USAGE, "no host's address"},
        {"fwmark:1735786500", NULL, NULL, GVS_ERROR_USAGE, "agent's own"},
    };
    struct bench b;

    (void)state;
    begin(&b);
    start(&b, 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        memset(b.error, 'x', sizeof b.error);
        assert_int_equal(
            gvs_claim(b.nodes[0].agent, rows[i].vip, rows[i].backend, rows[i].words, 0, b.error),
            rows[i].code);
        print_message("%s\n", b.error);
        assert_non_null(strstr(b.error, rows[i].text));
        assert_int_equal(gvs_withdraw(b.nodes[0].agent, VIP, rows[i].backend, NULL) < 0, true);
    }
    assert_int_equal(gvs_claim(b.nodes[0].agent, VIP, NULL, NULL, 2, b.error), GVS_ERROR_USAGE);
    assert_int_equal(gvs_claim(b.nodes[0].agent, "x", NULL, NULL, 0, NULL), GVS_ERROR_USAGE);
    end(&b);
}

static void
test_a_second_agent_on_the_directory_is_told_who_has_it(void **state)
{
    char text[128], *conf;
    struct bench b;

    (void)state;
    begin(&b);
    conf = b.nodes[0].conf;
    start(&b, 0);
    assert_int_equal(gvs_open(&b.nodes[1].agent, &b.loop, conf, NULL, NULL, b.error),
                     GVS_ERROR_USAGE);
    assert_null(b.nodes[1].agent);
    snprintf(text, sizeof text, "%s/state0 is in use by pid %ld, another agent\nhint: ps -fp %ld",
             b.dir, (long)getpid(), (long)getpid());
    assert_string_equal(b.error, text);
    stop_first(&b);
    start(&b, 0); /* it is free again */

    assert_int_equal(gvs_open(&b.nodes[1].agent, &b.loop, "/nowhere", NULL, NULL, b.error),
                     GVS_ERROR_USAGE);
    assert_non_null(strstr(b.error, "/nowhere"));
    write_file(b.nodes[1].conf, 0644, "cluster = \"x\"\nkernel { audit = 5x }\n");
    assert_int_equal(gvs_open(&b.nodes[1].agent, &b.loop, b.nodes[1].conf, NULL, NULL, b.error),
                     GVS_ERROR_USAGE);
    assert_string_equal(b.error, "1.conf:2: audit = 5x: seconds expected, 1 to 3600");
    end(&b);
}

/* --- what a file says --- */

/* What is in force; of the latest asked for alone. */
static const char *
option_of(struct bench *b, const char *name)
{
    static char text[128];
    json_t *doc = ask(b, "{\"command\":\"config show\"}");
    const json_t *option;
    size_t at;

    snprintf(text, sizeof text, "not there");
    json_array_foreach(json_object_get(doc, "options"), at, option)
    {
        if (strcmp(text_of(option, "name"), name) == 0)
            snprintf(text, sizeof text, "%s", text_of(option, "value"));
    }
    json_decref(doc);
    return text;
}

static void
test_a_file_goes_before_the_code_and_what_is_not_named_is_not_there(void **state)
{
    char more[128], path[80];
    struct bench b;

    (void)state;
    begin(&b);
    start_both(&b);
    assert_string_equal(option_of(&b, "socket"), "");
    assert_string_equal(option_of(&b, "services"), "");
    stop_first(&b);

    snprintf(path, sizeof path, "%s/services.d", b.dir);
    assert_int_equal(mkdir(path, 0755), 0);
    snprintf(more, sizeof more, "services = \"%s\"", path);
    configure(&b, 0, more);
    snprintf(path, sizeof path, "%s/services.d/web.conf", b.dir);
    write_file(
        path, 0644,
        "service web { vip = \"10.99.0.1:80\"\n backend \"10.77.0.4:8080\" { weight = 9 } }\n");
    start(&b, 0);
    claim(&b, 0, SERVER, "weight 3", 0);
    assert_true(becomes(&b, 20, other_sees_a_server));
    becomes(&b, 1, never);
    assert_int_equal(seen(&b, 1, "backend.set", NULL), 0);
    assert_int_equal(json_integer_value(json_object_get(
                         json_object_get(latest(&b, 1, "backend.add"), "after"), "weight")),
                     9);
    claim(&b, 0, NULL, "name web", 0);
    unlink(path);
    assert_true(becomes(&b, 10, other_sees_an_edit));
    becomes(&b, 3, never);
    assert_int_equal(seen(&b, 1, "backend.del", NULL) + seen(&b, 1, "vip.del", NULL), 0);
    assert_int_equal(json_integer_value(json_object_get(
                         json_object_get(latest(&b, 1, "backend.set"), "after"), "weight")),
                     3);
    end(&b);
}

static void
test_a_directory_that_cannot_be_read_holds_up_no_code(void **state)
{
    struct bench b;
    char more[64];

    (void)state;
    begin(&b);
    snprintf(more, sizeof more, "services = \"%s/keyring\"", b.dir);
    configure(&b, 0, more);
    start(&b, 0);
    claim(&b, 0, NULL, NULL, 0);
    claim(&b, 0, SERVER, NULL, 0);
    start(&b, 1);
    assert_true(becomes(&b, 20, other_sees_a_server));
    end(&b);
}

/* --- from within callbacks --- */

static void
act(void *ctx, const char *line)
{
    struct node *n = ctx;

    if (strstr(line, "\"vip.add\""))
        assert_int_equal(gvs_claim(n->agent, VIP, SERVER, NULL, 0, NULL), 0);
    if (strstr(line, "\"backend.add\""))
        assert_int_equal(gvs_withdraw(n->agent, VIP, SERVER, NULL), 0);
    if (strstr(line, "\"backend.del\"")) {
        assert_true(gvs_status(n->agent, NULL) >= 0);
        gvs_close(n->agent, is_closed, n);
    }
}

/* How the first node shows a backend: "WEIGHT STATE", and why; of the latest asked for alone. */
static const char *
shown(struct bench *b, const char *backend)
{
    static char text[128];
    json_t *doc = ask(b, "{\"command\":\"vip show\",\"args\":[\"" VIP "\"]}");
    const json_t *vip = json_array_get(json_object_get(doc, "vips"), 0), *one;
    const char *why;
    size_t at;

    snprintf(text, sizeof text, "not there");
    json_array_foreach(json_object_get(vip, "backends"), at, one)
    {
        if (strcmp(text_of(one, "address"), backend) != 0)
            continue;
        why = text_of(one, "reason");
        snprintf(text, sizeof text, "%d %s%s%s",
                 (int)json_integer_value(json_object_get(one, "weight")), text_of(one, "state"),
                 why ? ": " : "", why ? why : "");
    }
    json_decref(doc);
    return text;
}

static bool
other_sees_two_edits(struct bench *b)
{
    return seen(b, 1, "backend.set", NULL) > 1;
}

static bool
has_problem(struct bench *b, const char *code)
{
    json_t *doc = status_of(b, 0), *problem;
    bool found = false;
    size_t at;

    json_array_foreach(json_object_get(doc, "problems"), at, problem)
    {
        found |= strcmp(text_of(problem, "code"), code) == 0;
    }
    json_decref(doc);
    return found;
}

static bool
is_told_of_maintenance(struct bench *b)
{
    return has_problem(b, "maintenance");
}

/* As an operator would have it: what this node serves of it, whoever on it says so. */
static void
test_maintenance_drains_what_code_claims_too(void **state)
{
    char more[128], path[80], name[128];
    struct bench b;

    (void)state;
    begin(&b);
    snprintf(path, sizeof path, "%s/services.d", b.dir);
    assert_int_equal(mkdir(path, 0755), 0);
    snprintf(more, sizeof more, "services = \"%s\"", path);
    configure(&b, 0, more);
    snprintf(path, sizeof path, "%s/maintenance.d", b.dir);
    assert_int_equal(mkdir(path, 0755), 0);
    snprintf(name, sizeof name, "%s/web", path);
    start_both(&b);
    claim(&b, 0, SERVER, "weight 7", GVS_DURABLE); /* before its service has a name */
    claim(&b, 0, NULL, "name web", GVS_DURABLE);
    claim(&b, 0, "10.77.0.9:80", "weight 3", 0);
    assert_int_equal(gvs_claim(b.nodes[0].agent, "10.99.0.2:80/tcp", NULL, "name api", 0, b.error),
                     0);
    assert_int_equal(
        gvs_claim(b.nodes[0].agent, "10.99.0.2:80/tcp", "10.77.0.5:80", NULL, 0, b.error), 0);
    assert_true(becomes(&b, 20, other_sees_a_server) && becomes(&b, 5, other_synced));

    write_file(name, 0644, "");
    assert_true(becomes(&b, 10, other_sees_two_edits));
    assert_int_equal(seen(&b, 1, "backend.set", SERVER), 1);
    assert_int_equal(seen(&b, 1, "backend.set", "10.77.0.5:80"), 0); /* of another service */
    assert_string_equal(shown(&b, SERVER), "0 draining: maintenance.d/web");
    assert_false(has_problem(&b, "maintenance"));

    claim(&b, 0, SERVER, "weight 8", GVS_DURABLE); /* counts when it is over */
    reopen_first(&b);
    claim(&b, 0, "10.77.0.9:80", "weight 3", 0);
    assert_true(becomes(&b, 20, are_members));
    becomes(&b, 3, never);
    assert_int_equal(seen(&b, 1, "backend.set", SERVER), 0);

    json_array_clear(b.nodes[1].events);
    assert_int_equal(unlink(name), 0);
    assert_true(becomes(&b, 10, other_sees_two_edits));
    assert_string_equal(shown(&b, SERVER), "8 ok");
    assert_string_equal(shown(&b, "10.77.0.9:80"), "3 ok");

    json_array_clear(b.nodes[1].events);
    snprintf(name, sizeof name, "%s/new", path);
    write_file(name, 0644, "");
    assert_true(becomes(&b, 10, is_told_of_maintenance)); /* nobody claims it */
    becomes(&b, 3, never);                                /* what the directories say is settled */
    claim(&b, 0, NULL, "name new", GVS_DURABLE);
    assert_true(becomes(&b, 10, other_sees_two_edits));
    assert_string_equal(shown(&b, SERVER), "0 draining: maintenance.d/new");
    assert_false(has_problem(&b, "maintenance"));
    end(&b);
}

static void
test_callbacks_may_call_anything(void **state)
{
    json_t *doc, *table;
    struct bench b;

    (void)state;
    begin(&b);
    start_both(&b);
    gvs_watch(b.nodes[0].agent, act, &b.nodes[0]);
    claim(&b, 0, NULL, NULL, 0);
    assert_true(becomes(&b, 10, first_is_closed));
    assert_int_equal(seen(&b, 0, "vip.add", NULL), 0); /* the first watcher was replaced */
    /* All of it came and went before the other heard of it; what it has to hear, it has. */
    doc = status_of(&b, 1);
    table = json_object_get(doc, "table");
    assert_int_equal(json_integer_value(json_object_get(table, "services")), 0);
    assert_int_equal(json_integer_value(json_object_get(table, "tombstones")), 2);
    json_decref(doc);
    b.nodes[0].agent = NULL;
    end(&b);
}

static void
test_status_and_commands_are_those_of_the_control_protocol(void **state)
{
    const char *json;
    struct bench b;
    json_t *doc;
    int health;

    (void)state;
    begin(&b);
    start_both(&b);
    health = gvs_status(b.nodes[0].agent, &json);
    doc = json_loads(json, 0, NULL);
    assert_string_equal(text_of(doc, "schema"), "gossipvs/1");
    assert_string_equal(text_of(json_object_get(doc, "node"), "name"), "n0");
    assert_string_equal(text_of(doc, "health"), health == GVS_HEALTH_OK     ? "ok"
                                                : health == GVS_HEALTH_WARN ? "warn"
                                                                            : "critical");
    json_decref(doc);
    doc = ask(&b, "{\"command\":\"members\"}");
    assert_int_equal(json_array_size(json_object_get(doc, "members")), 2);
    json_decref(doc);
    /* A change, with the right to. */
    doc = ask(&b, "{\"command\":\"vip add\",\"args\":[\"web\",\"" VIP "\"]}");
    assert_string_equal(text_of(doc, "result"), "done");
    json_decref(doc);
    end(&b);
}

/* --- the process --- */

static int umask_calls; /* not even for a moment: other threads make files */

__attribute__((visibility("default"))) mode_t
umask(mode_t mask)
{
    umask_calls++;
    return (mode_t)syscall(SYS_umask, mask);
}

struct traces {
    void (*handlers[NSIG])(int);
    int flags[NSIG];
    bool blocked[NSIG];
    mode_t umask;
    struct rlimit limits[RLIMIT_NLIMITS];
    int dumpable, no_new_privs, seccomp, pdeathsig, children;
    char cwd[256], name[16];
    uint64_t caps[2];
};

static int
count_entries(const char *path)
{
    struct dirent *d;
    DIR *dir = opendir(path);
    int count = 0;

    assert_non_null(dir);
    while ((d = readdir(dir)) != NULL)
        count += d->d_name[0] != '.';
    closedir(dir);
    return count;
}

static uint64_t
status_number(const char *key, int base)
{
    char line[256];
    uint64_t n = 0;
    FILE *f = fopen("/proc/self/status", "r");

    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0)
            n = strtoull(line + strlen(key), NULL, base);
    fclose(f);
    return n;
}

static void
look(struct traces *t)
{
    struct sigaction action;
    sigset_t mask;

    memset(t, 0, sizeof *t);
    sigprocmask(SIG_SETMASK, NULL, &mask);
    for (int i = 1; i < NSIG; i++) {
        t->blocked[i] = sigismember(&mask, i) == 1;
        if (sigaction(i, NULL, &action) != 0)
            continue; /* two are glibc's own */
        t->handlers[i] = action.sa_handler;
        t->flags[i] = action.sa_flags;
    }
    t->umask = (mode_t)status_number("Umask:", 8);
    for (int i = 0; i < RLIMIT_NLIMITS; i++)
        getrlimit((__rlimit_resource_t)i, &t->limits[i]);
    t->dumpable = prctl(PR_GET_DUMPABLE);
    t->no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
    t->seccomp = (int)status_number("Seccomp:", 10);
    t->caps[0] = status_number("CapEff:", 16);
    t->caps[1] = status_number("CapBnd:", 16);
    prctl(PR_GET_PDEATHSIG, &t->pdeathsig);
    prctl(PR_GET_NAME, t->name);
    assert_non_null(getcwd(t->cwd, sizeof t->cwd));
    t->children = waitpid(-1, NULL, WNOHANG);
}

static struct traces before; /* any agent */

static void
test_the_process_stays_as_it_is(void **state)
{
    struct traces open, after;
    int threads, fds;
    struct bench b;
    char more[96];

    (void)state;
    look(&after); /* cmocka has handlers of its own for each test */
    memcpy(before.handlers, after.handlers, sizeof before.handlers);
    memcpy(before.flags, after.flags, sizeof before.flags);
    begin(&b);
    /* A loop makes its own signal handling and descriptors when it first runs. */
    uv_run(&b.loop, UV_RUN_NOWAIT);
    for (int i = 0; i < NODES; i++) {
        snprintf(more, sizeof more, "} control { socket = \"%s/s%d\"", b.dir, i);
        configure(&b, i, more);
    }
    start_both(&b); /* once, so that libraries have opened what they keep */
    stop(&b, 0);
    stop(&b, 1);
    uv_run(&b.loop, UV_RUN_DEFAULT);
    threads = count_entries("/proc/self/task");
    fds = count_entries("/proc/self/fd");
    start_both(&b);
    claim(&b, 0, NULL, NULL, 0);
    becomes(&b, 0.5, never);
    look(&open);
    assert_memory_equal(&before, &open, sizeof before);
    stop(&b, 0);
    stop(&b, 1);
    b.nodes[0].agent = b.nodes[1].agent = NULL;
    uv_run(&b.loop, UV_RUN_DEFAULT);
    look(&after);
    assert_memory_equal(&before, &after, sizeof before);
    assert_int_equal(umask_calls, 0);
    assert_int_equal(count_entries("/proc/self/task"), threads);
    assert_int_equal(count_entries("/proc/self/fd"), fds);
    end(&b);
}

/* An argument is a pattern of names: test/tools/mutants_agents tries single tests. */
int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_one_claims_the_other_sees_and_what_is_withdrawn_goes),
        cmocka_unit_test(test_what_is_not_durable_ends_with_close_and_the_rest_stays_and_returns),
        cmocka_unit_test(test_who_left_begins_anew_with_what_is_durable),
        cmocka_unit_test(test_a_store_whose_key_is_lost_is_anothers_and_so_are_its_claims),
        cmocka_unit_test(test_there_are_as_many_claims_as_entries_and_no_more),
        cmocka_unit_test(test_a_directory_that_cannot_be_read_holds_up_no_code),
        cmocka_unit_test(test_what_a_crash_left_goes_unless_it_is_claimed_again),
        cmocka_unit_test(test_errors_say_what_and_why),
        cmocka_unit_test(test_a_second_agent_on_the_directory_is_told_who_has_it),
        cmocka_unit_test(test_a_file_goes_before_the_code_and_what_is_not_named_is_not_there),
        cmocka_unit_test(test_maintenance_drains_what_code_claims_too),
        cmocka_unit_test(test_callbacks_may_call_anything),
        cmocka_unit_test(test_status_and_commands_are_those_of_the_control_protocol),
        cmocka_unit_test(test_the_process_stays_as_it_is),
    };

    look(&before);
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
