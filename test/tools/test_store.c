#include "tools/store/store.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "core/err.h"
#include "net/crypto.h"
#include "test/lib/prng.h"
#include "test/tools/store_bench.h"

/* Facts. */

static void
test_what_is_put_is_there_after_a_restart(void **state)
{
    struct bench b;
    uint8_t val[16];

    (void)state;
    must_open(&b);
    assert_false(b.set_aside);
    gvs_store_put(b.store, GVS_BUCKET_META, "seq", 3, "\0\1\2", 3);
    gvs_store_put(b.store, GVS_BUCKET_META, "empty", 5, "", 0);
    gvs_store_put(b.store, GVS_BUCKET_META, "gone", 4, "x", 1);
    gvs_store_put(b.store, GVS_BUCKET_META, "gone", 4, NULL, 0);
    gvs_store_put(b.store, GVS_BUCKET_META, "never", 5, NULL, 0);
    gvs_store_put(b.store, GVS_BUCKET_LEDGER, "seq", 3, "l", 1);
    assert_int_equal(sync_bench(&b), 0);
    close_bench(&b);

    must_open(&b);
    assert_false(b.set_aside);
    assert_int_equal(gvs_store_get(b.store, GVS_BUCKET_META, "seq", 3, val, sizeof val), 3);
    assert_memory_equal(val, "\0\1\2", 3);
    assert_int_equal(gvs_store_get(b.store, GVS_BUCKET_META, "seq", 3, val, 2), GVS_E_NOSPACE);
    assert_int_equal(gvs_store_get(b.store, GVS_BUCKET_META, "empty", 5, val, 0), 0);
    assert_int_equal(gvs_store_get(b.store, GVS_BUCKET_META, "gone", 4, val, 1), GVS_E_NOTFOUND);
    assert_int_equal(gvs_store_get(b.store, GVS_BUCKET_META, "se", 2, val, 1), GVS_E_NOTFOUND);
    assert_int_equal(gvs_store_get(b.store, GVS_BUCKET_ENTRY, "seq", 3, val, 9), GVS_E_NOTFOUND);
    assert_int_equal(gvs_store_get(b.store, GVS_BUCKET_LEDGER, "seq", 3, val, 9), 1);
    assert_int_equal(val[0], 'l');
    close_bench(&b);
}

static bool
stop_at_two(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *val, size_t val_len)
{
    (void)key, (void)key_len, (void)val, (void)val_len;
    return ++*(int *)ctx < 2;
}

static void
test_a_reader_may_stop(void **state)
{
    struct bench b;
    int count = 0;

    (void)state;
    must_open(&b);
    for (const char *key = "abcde"; *key; key++)
        gvs_store_put(b.store, GVS_BUCKET_ENTRY, key, 1, "", 0);
    close_bench(&b); /* which commits what is queued */
    must_open(&b);
    assert_int_equal(gvs_store_each(b.store, GVS_BUCKET_ENTRY, stop_at_two, &count), GVS_OK);
    assert_int_equal(count, 2);
    close_bench(&b);
}

static void
test_it_agrees_with_a_naive_model(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 12); seed++) {
        struct gvs_prng prng = gvs_prng_init(seed);
        struct model *m = calloc(1, sizeof *m);
        struct bench b;

        for (int round = 0; round < 4; round++) {
            must_open(&b);
            assert_false(b.set_aside);
            for (unsigned bucket = 0; bucket < 4; bucket++)
                assert_true(same_bucket(&b, m, bucket));
            for (uint32_t i = gvs_prng_below(&prng, 1500); i > 0; i--) {
                put_random(&b, m, &prng);
                if (gvs_prng_chance(&prng, 1, 40))
                    assert_int_equal(sync_bench(&b), 0);
            }
            close_bench(&b);
        }
        must_open(&b);
        for (unsigned bucket = 0; bucket < 4; bucket++)
            assert_true(same_bucket(&b, m, bucket));
        close_bench(&b);
        free(m);
        unlink(file("data.mdb"));
        unlink(file("ledger.mdb"));
    }
}

/* More than one in a turn of the loop: a disk may be faster than a turn, and then there is nothing
 * else to gather. */
static void
put_four(uv_idle_t *idle)
{
    struct bench *b = idle->data;

    for (int i = 0; i < 4; i++) {
        uint64_t n = (uint64_t)gvs_store_commits(b->store) << 32 | (uint32_t)b->puts++;

        gvs_store_put(b->store, GVS_BUCKET_ENTRY, &n, sizeof n, "value", 5);
        gvs_store_sync(b->store, on_done, b);
    }
    if (b->puts == 5000)
        uv_close((uv_handle_t *)idle, NULL);
}

static void
test_commits_go_in_groups(void **state)
{
    struct bench b;
    uint64_t before;
    uv_idle_t idle;

    (void)state;
    must_open(&b);
    before = gvs_store_commits(b.store);
    uv_idle_init(&b.loop, &idle);
    idle.data = &b;
    uv_idle_start(&idle, put_four);
    uv_run(&b.loop, UV_RUN_DEFAULT);
    assert_int_equal(b.synced, 5000);
    print_message("5,000 puts, each with its sync, in %llu commits\n",
                  (unsigned long long)(gvs_store_commits(b.store) - before));
    assert_in_range(gvs_store_commits(b.store) - before, 1, 2500);
    close_bench(&b);
}

static void
test_ledger_records_do_not_touch_the_data_file(void **state)
{
    struct bench b;
    uint64_t before;

    (void)state;
    must_open(&b);
    gvs_store_put(b.store, GVS_BUCKET_META, "a", 1, "b", 1);
    assert_int_equal(sync_bench(&b), 0);
    before = gvs_store_commits(b.store);
    for (uint32_t i = 0; i < 100; i++) {
        gvs_store_put(b.store, GVS_BUCKET_LEDGER, &i, sizeof i, "", 0);
        assert_int_equal(sync_bench(&b), 0);
    }
    assert_int_equal(gvs_store_commits(b.store), before);
    close_bench(&b);
}

static bool
put_while_reading(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *val, size_t val_len)
{
    struct bench *b = ctx;

    (void)val, (void)val_len;
    b->puts++;
    gvs_store_put(b->store, GVS_BUCKET_LEDGER, key, key_len, NULL, 0);
    gvs_store_put(b->store, GVS_BUCKET_LEDGER, "new", 3, "", 0);
    return true;
}

static void
test_reading_goes_on_until_the_loop_runs(void **state)
{
    struct bench b;

    (void)state;
    must_open(&b);
    for (uint8_t key = 1; key < 10; key++)
        gvs_store_put(b.store, GVS_BUCKET_LEDGER, &key, 1, "", 0);
    close_bench(&b);
    must_open(&b);
    assert_int_equal(gvs_store_each(b.store, GVS_BUCKET_LEDGER, put_while_reading, &b), GVS_OK);
    assert_int_equal(b.puts, 9);
    assert_int_equal(gvs_store_get(b.store, GVS_BUCKET_LEDGER, "\5", 1, NULL, 0), 0); /* still */
    close_bench(&b);
    must_open(&b);
    assert_int_equal(gvs_store_get(b.store, GVS_BUCKET_LEDGER, "\5", 1, NULL, 0), GVS_E_NOTFOUND);
    assert_int_equal(gvs_store_get(b.store, GVS_BUCKET_LEDGER, "new", 3, NULL, 0), 0);
    close_bench(&b);
}

static void
test_the_map_grows(void **state)
{
    static uint8_t big[60000];
    struct bench b;
    uint8_t back[60000];

    (void)state;
    must_open(&b); /* a map for 1,000 entries: 16.5 MB */
    for (uint32_t i = 0; i < 400; i++) {
        memset(big, (int)i, sizeof big);
        gvs_store_put(b.store, GVS_BUCKET_META, &i, sizeof i, big, sizeof big);
    }
    assert_int_equal(sync_bench(&b), 0);
    close_bench(&b);
    must_open(&b);
    assert_false(b.set_aside);
    for (uint32_t i = 0; i < 400; i++) {
        memset(big, (int)i, sizeof big);
        assert_int_equal(gvs_store_get(b.store, GVS_BUCKET_META, &i, sizeof i, back, sizeof back),
                         sizeof back);
        assert_memory_equal(back, big, sizeof big);
    }
    for (uint32_t i = 0; i < 400; i++)
        gvs_store_put(b.store, GVS_BUCKET_META, &i, sizeof i, NULL, 0);
    close_bench(&b);
    must_open(&b);
    assert_false(b.set_aside); /* with 6,000 free pages listed */
    close_bench(&b);
}

static void
test_a_second_agent_is_told_who_holds_it(void **state)
{
    struct bench a, b;
    char text[256];

    (void)state;
    must_open(&a);
    assert_true(open_bench(&b) < 0);
    assert_null(b.store);
    snprintf(text, sizeof text, "%s is in use by pid %d, another agent", dir, (int)getpid());
    assert_string_equal(b.fault.text, text);
    snprintf(text, sizeof text, "ps -fp %d", (int)getpid());
    assert_string_equal(b.fault.hint, text);
    assert_int_equal(b.fault.exit, GVS_EXIT_USAGE);
    assert_int_equal(uv_loop_close(&b.loop), 0);
    gvs_store_put(a.store, GVS_BUCKET_META, "a", 1, "b", 1); /* the first is none the worse */
    assert_int_equal(sync_bench(&a), 0);
    close_bench(&a);
    must_open(&b);
    close_bench(&b);
}

static void
test_a_directory_that_cannot_be_is_a_fault(void **state)
{
    char was[sizeof dir];
    struct bench b;

    (void)state;
    strcpy(was, dir);
    snprintf(dir, sizeof dir, "%s/no/such", base);
    assert_true(open_bench(&b) < 0);
    assert_non_null(strstr(b.fault.text, "cannot make "));
    assert_non_null(strstr(b.fault.text, "(No such file or directory)"));
    assert_int_equal(uv_loop_close(&b.loop), 0);
    strcpy(dir, was);
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(mkdir(file("data.mdb"), 0700), 0);
    assert_true(open_bench(&b) < 0);
    assert_int_equal(uv_loop_close(&b.loop), 0);
    assert_int_equal(rmdir(file("data.mdb")), 0);
}

static void
test_the_directory_is_closed_to_others(void **state)
{
    struct bench b;
    struct stat st;

    (void)state;
    must_open(&b);
    close_bench(&b);
    assert_int_equal(stat(dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(stat(file("data.mdb"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

/* Death. */

/* Puts consecutive numbers for ever and tells each that was acknowledged. */
struct child {
    struct bench bench;
    uint32_t next;
    bool started;
    int tell;
};

static void
child_round(void *ctx, int status)
{
    struct child *c = ctx;
    uint32_t value;

    if (status != 0)
        _exit(9);
    if (c->started && write(c->tell, &c->next, sizeof c->next) != sizeof c->next)
        _exit(8);
    c->started = true;
    value = ++c->next;
    for (uint32_t key = 0; key < 40; key++) {
        uint32_t k = (key * 7919 + value) % 997;

        gvs_store_put(c->bench.store, GVS_BUCKET_ENTRY, &k, sizeof k, &value, sizeof value);
    }
    gvs_store_put(c->bench.store, GVS_BUCKET_META, "last", 4, &value, sizeof value);
    gvs_store_put(c->bench.store, GVS_BUCKET_LEDGER, "last", 4, &value, sizeof value);
    gvs_store_sync(c->bench.store, child_round, c);
}

static void
run_child(int tell)
{
    static struct child c;

    c.tell = tell;
    if (open_bench(&c.bench) < 0 || c.bench.set_aside)
        _exit(7);
    if (gvs_store_get(c.bench.store, GVS_BUCKET_META, "last", 4, &c.next, sizeof c.next) < 0)
        c.next = 0;
    child_round(&c, 0);
    uv_run(&c.bench.loop, UV_RUN_DEFAULT);
    _exit(6);
}

/* The last number that the child was told is durable, before it was killed. */
static uint32_t
kill_child(uint32_t after_us)
{
    uint32_t last = 0;
    int fds[2], status;
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(fds[0]);
        run_child(fds[1]);
    }
    close(fds[1]);
    assert_int_equal(read(fds[0], &last, sizeof last), sizeof last);
    usleep(after_us);
    assert_int_equal(kill(pid, SIGKILL), 0);
    while (read(fds[0], &last, sizeof last) == sizeof last)
        ;
    close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    return last;
}

static bool
read_rounds(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *val, size_t val_len)
{
    uint32_t *newest = ctx, k, value;

    assert_int_equal(key_len, sizeof k);
    assert_int_equal(val_len, sizeof value);
    memcpy(&k, key, sizeof k);
    memcpy(&value, val, sizeof value);
    newest[k] = value;
    return true;
}

static void
test_what_was_acknowledged_survives_kill_9(void **state)
{
    struct gvs_prng prng = gvs_prng_init(3);
    uint32_t rounds = 0;

    (void)state;
    for (int i = 0; i < 30; i++) {
        static uint32_t found[997], want[997];
        uint32_t told = kill_child(gvs_prng_below(&prng, 60000)), last = 0, ledger = 0;
        struct bench b;

        must_open(&b);
        assert_false(b.set_aside);
        assert_int_equal(gvs_store_get(b.store, GVS_BUCKET_META, "last", 4, &last, sizeof last), 4);
        assert_in_range(last, told, told + 1); /* one more may have been on its way */
        assert_int_equal(gvs_store_get(b.store, GVS_BUCKET_LEDGER, "last", 4, &ledger, 4), 4);
        assert_in_range(ledger, told, told + 1);
        /* All of a round or nothing of it. */
        memset(want, 0, sizeof want);
        memset(found, 0, sizeof found);
        for (uint32_t value = 1; value <= last; value++) {
            for (uint32_t key = 0; key < 40; key++)
                want[(key * 7919 + value) % 997] = value;
        }
        assert_int_equal(gvs_store_each(b.store, GVS_BUCKET_ENTRY, read_rounds, found), GVS_OK);
        assert_memory_equal(found, want, sizeof want);
        close_bench(&b);
        rounds = last;
    }
    print_message("30 kills, %u rounds\n", rounds);
}

/* A disk without room. */

static void
fill_until_it_fails(struct bench *b, uint32_t *count)
{
    static const uint8_t val[200];

    for (int i = 0; i < 200 && b->status == 0; i++) {
        for (int j = 0; j < 100; j++) {
            (*count)++;
            gvs_store_put(b->store, GVS_BUCKET_ENTRY, count, sizeof *count, val, sizeof val);
        }
        sync_bench(b);
    }
}

static void
expect_recovery(struct bench *b, uint32_t count)
{
    char text[256];
    uint32_t found = 0;

    for (int i = 0; i < 100 && sync_bench(b) != 0; i++)
        ;
    assert_int_equal(b->status, 0);
    assert_int_equal(gvs_store_failing(b->store, text, sizeof text), 0);
    close_bench(b);
    must_open(b);
    assert_false(b->set_aside);
    for (uint32_t i = 1; i <= count; i++)
        found += gvs_store_get(b->store, GVS_BUCKET_ENTRY, &i, sizeof i, text, sizeof text) == 200;
    assert_int_equal(found, count); /* what was put while it failed is there too */
    close_bench(b);
}

static void
expect_failing(struct bench *b, int code, const char *why)
{
    char text[256], want[256];

    assert_int_equal(b->status, code);
    assert_int_equal(gvs_store_failing(b->store, text, sizeof text), code);
    snprintf(want, sizeof want, "%s (kept in memory, tried again each second)", why);
    assert_string_equal(text, want);
}

static void
test_a_limit_on_files_is_told_and_outlived(void **state)
{
    struct rlimit was, now;
    struct bench b;
    uint32_t count = 0;

    (void)state;
    must_open(&b);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    now = (struct rlimit){1 << 20, was.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
    fill_until_it_fails(&b, &count);
    expect_failing(&b, -EIO, "Input/output error"); /* LMDB's word for a write cut short */
    assert_int_not_equal(sync_bench(&b), 0);        /* again a second later */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    expect_recovery(&b, count);
}

static void
test_the_ledger_does_not_wait_for_the_data(void **state)
{
    struct rlimit was, now;
    struct bench b;
    uint32_t count = 0;
    char text[256];

    (void)state;
    must_open(&b);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    now = (struct rlimit){1 << 20, was.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
    fill_until_it_fails(&b, &count);
    gvs_store_put(b.store, GVS_BUCKET_LEDGER, "mine", 4, "", 0);
    gvs_store_sync_ledger(b.store, on_done, &b);
    uv_run(&b.loop, UV_RUN_DEFAULT);
    assert_int_equal(b.status, 0);
    assert_int_not_equal(gvs_store_failing(b.store, text, sizeof text), 0);
    gvs_store_put(b.store, GVS_BUCKET_LEDGER, "too", 3, "", 0);
    assert_int_not_equal(sync_bench(&b), 0); /* which waits for both */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    expect_recovery(&b, count);
}

/* Run by the next test, in a process and mount namespace of its own. */
static void
test_inside_a_full_disk(void **state)
{
    struct bench b;
    uint32_t count = 0;
    int fd;

    (void)state;
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mkdir(dir, 0700) < 0 || mount("tmpfs", dir, "tmpfs", 0, "size=2m") < 0)
        exit(77);
    must_open(&b);
    fd = open(file("ballast"), O_WRONLY | O_CREAT, 0600);
    assert_int_equal(posix_fallocate(fd, 0, 1 << 20), 0);
    close(fd);
    fill_until_it_fails(&b, &count);
    expect_failing(&b, -ENOSPC, "No space left on device");
    assert_int_equal(unlink(file("ballast")), 0);
    expect_recovery(&b, count);
    assert_int_equal(umount(dir), 0);
}

static void
test_t20_a_full_disk_is_told_and_outlived(void **state)
{
    int status;
    pid_t pid = fork();

    (void)state;
    assert_true(pid >= 0);
    if (pid == 0) {
        execl("/proc/self/exe", "test_store", "inside", (char *)NULL);
        _exit(1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip(); /* needs to be root */
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void
test_a_busy_key_does_not_grow_the_queue_while_the_disk_is_full(void **state)
{
    static uint8_t val[4000];
    struct rlimit was, now;
    struct bench b;
    size_t before;

    (void)state;
    must_open(&b);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    now = (struct rlimit){4096, was.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
    gvs_store_put(b.store, GVS_BUCKET_META, "busy", 4, val, sizeof val);
    assert_int_not_equal(sync_bench(&b), 0);
    before = mallinfo2().uordblks;
    for (int i = 0; i < 5000; i++) /* 20 MB */
        gvs_store_put(b.store, GVS_BUCKET_META, "busy", 4, val, sizeof val);
    if (before != 0) /* a sanitizer's allocator does not count */
        assert_true(mallinfo2().uordblks > before + 15000000);
    assert_int_not_equal(sync_bench(&b), 0);
    if (before != 0)
        assert_true(mallinfo2().uordblks < before + 200000);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    for (int i = 0; i < 10 && sync_bench(&b) != 0; i++)
        ;
    assert_int_equal(b.status, 0);
    close_bench(&b);
}

/* Ends. */

static void
must_not_run(void *ctx, int status)
{
    (void)ctx, (void)status;
    fail_msg("called after the store was closed");
}

static void
test_closing_commits_and_calls_nobody(void **state)
{
    struct bench b;
    uint8_t val;

    (void)state;
    for (int i = 0; i < 20; i++) {
        must_open(&b);
        gvs_store_put(b.store, GVS_BUCKET_META, "a", 1, "b", 1);
        gvs_store_sync(b.store, must_not_run, NULL);
        close_bench(&b);
    }
    must_open(&b);
    assert_int_equal(gvs_store_get(b.store, GVS_BUCKET_META, "a", 1, &val, 1), 1);
    close_bench(&b);
}

static unsigned threads_refused;

/* In place of libuv's. */
__attribute__((visibility("default"))) int
uv_thread_create(uv_thread_t *thread, uv_thread_cb entry, void *arg)
{
    int (*real)(uv_thread_t *, uv_thread_cb, void *);

    if (threads_refused > 0) {
        threads_refused--;
        return UV_EAGAIN;
    }
    *(void **)&real = dlsym(RTLD_NEXT, "uv_thread_create");
    return real(thread, entry, arg);
}

/* The kernel waits for the ledger, and asks once. */
static void
test_a_writer_that_could_not_start_starts_with_the_next_put_of_all(void **state)
{
    struct bench b;
    char text[128];

    (void)state;
    must_open(&b);
    threads_refused = 1;
    gvs_store_put(b.store, GVS_BUCKET_LEDGER, "a", 1, "", 0);
    gvs_store_sync_ledger(b.store, on_done, &b);
    for (int i = 0; i < 100; i++)
        uv_run(&b.loop, UV_RUN_NOWAIT);
    assert_int_equal(threads_refused, 0);
    assert_int_equal(b.synced, 0);
    assert_int_equal(gvs_store_failing(b.store, text, sizeof text), UV_EAGAIN);
    gvs_store_put(b.store, GVS_BUCKET_META, "seq", 3, "1", 1);
    for (int i = 0; i < 2000 && b.synced == 0; i++) {
        uv_run(&b.loop, UV_RUN_NOWAIT);
        usleep(1000);
    }
    assert_int_equal(b.synced, 1);
    assert_int_equal(gvs_store_failing(b.store, text, sizeof text), 0);
    close_bench(&b);
}

static void
close_here(void *ctx, int status)
{
    struct bench *b = ctx;

    assert_int_equal(status, 0);
    gvs_store_close(b->store);
    b->store = NULL;
}

static void
test_a_callback_may_close_the_store(void **state)
{
    struct bench b;

    (void)state;
    must_open(&b);
    gvs_store_put(b.store, GVS_BUCKET_META, "a", 1, "b", 1);
    gvs_store_sync(b.store, close_here, &b);
    gvs_store_sync(b.store, must_not_run, NULL);
    uv_run(&b.loop, UV_RUN_DEFAULT);
    assert_null(b.store);
    assert_int_equal(uv_loop_close(&b.loop), 0);
    gvs_store_close(NULL);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest inside[] = {TEST(test_inside_a_full_disk)};
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_put_is_there_after_a_restart),
        TEST(test_a_reader_may_stop),
        TEST(test_it_agrees_with_a_naive_model),
        TEST(test_commits_go_in_groups),
        TEST(test_ledger_records_do_not_touch_the_data_file),
        TEST(test_reading_goes_on_until_the_loop_runs),
        TEST(test_the_map_grows),
        TEST(test_a_second_agent_is_told_who_holds_it),
        TEST(test_a_directory_that_cannot_be_is_a_fault),
        TEST(test_the_directory_is_closed_to_others),
        TEST(test_what_was_acknowledged_survives_kill_9),
        TEST(test_a_limit_on_files_is_told_and_outlived),
        TEST(test_the_ledger_does_not_wait_for_the_data),
        TEST(test_t20_a_full_disk_is_told_and_outlived),
        TEST(test_a_busy_key_does_not_grow_the_queue_while_the_disk_is_full),
        TEST(test_closing_commits_and_calls_nobody),
        TEST(test_a_writer_that_could_not_start_starts_with_the_next_put_of_all),
        TEST(test_a_callback_may_close_the_store),
    };
    if (gvs_crypto_init() < 0)
        return 1;
    if (argc > 1 && strcmp(argv[1], "inside") == 0)
        return cmocka_run_group_tests(inside, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
