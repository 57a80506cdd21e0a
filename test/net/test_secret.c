/* The memory of keys, as the kernel describes it in /proc/self/smaps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/secret.h"
#include "net/session.h"

/* The flags of the mapping that holds this address: "rd wr mr mw me lo ac dd"; its resident kB. */
static const char *
flags_at(const void *p, unsigned long *resident_kb)
{
    static char line[512];
    uintptr_t from, to, at = (uintptr_t)p;
    FILE *f = fopen("/proc/self/smaps", "re");
    bool here = false;

    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &from, &to) == 2)
            here = from <= at && at < to;
        if (here && resident_kb)
            sscanf(line, "Rss: %lu kB", resident_kb);
        if (here && strncmp(line, "VmFlags: ", 9) == 0)
            break;
    }
    fclose(f);
    assert_true(here);
    return line;
}

static void
test_t19_it_is_zeroed_locked_and_in_no_core_file(void **state)
{
    uint8_t *p = gvs_secret_alloc(3, 5000);

    (void)state;
    assert_non_null(p);
    for (size_t i = 0; i < 15000; i++)
        assert_int_equal(p[i], 0);
    memset(p, 1, 15000);
    assert_non_null(strstr(flags_at(p, NULL), " dd"));
    assert_int_equal(strstr(flags_at(p, NULL), " lo") != NULL, gvs_secret_locked(p));
    assert_non_null(strstr(flags_at(p + 14999, NULL), " dd"));
    assert_int_equal((uintptr_t)p % 64, 0);
    gvs_secret_free(p);
    gvs_secret_free(NULL);
}

/* Runs f(p) in a child; what it died of, or 0. */
static int
child(void (*f)(uint8_t *p), uint8_t *p)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL); /* cmocka's would fail the test */
        f(p);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

static void
run_over(uint8_t *p)
{
    for (size_t i = 0;; i++)
        *(volatile uint8_t *)(p + i) = 1;
}

static void
run_under(uint8_t *p)
{
    for (size_t i = 0;; i++)
        *(volatile uint8_t *)(p - i) = 1;
}

static void
test_what_runs_over_an_end_faults(void **state)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *p = gvs_secret_alloc(1, 100), *first = p - (uintptr_t)p % page;

    (void)state;
    assert_null(strstr(flags_at(first - 1, NULL), " rd"));
    assert_null(strstr(flags_at(first + page, NULL), " rd"));
    assert_int_equal(child(run_over, p), SIGSEGV);
    assert_int_equal(child(run_under, p), SIGSEGV);
    gvs_secret_free(p);
}

static void
test_what_is_never_touched_costs_nothing(void **state)
{
    unsigned long kb = 0;
    uint8_t *p = gvs_secret_alloc(10000, 2000);

    (void)state;
    assert_non_null(p);
    p[0] = 1;
    flags_at(p, &kb);
    assert_in_range(kb, 1, 64);
    gvs_secret_free(p);
}

static void
test_a_size_that_overflows_is_refused(void **state)
{
    (void)state;
    assert_null(gvs_secret_alloc(SIZE_MAX / 2, 3));
    assert_null(gvs_secret_alloc((size_t)1 << 32, (size_t)1 << 32));
    assert_null(gvs_secret_alloc(1, SIZE_MAX));
    assert_null(gvs_secret_alloc(1, SIZE_MAX - 5000));
    assert_null(gvs_secret_alloc(1, SIZE_MAX / 4));
}

static void
without_locks(uint8_t *ignored)
{
    const struct rlimit none = {0, 0};
    uint8_t *p;

    (void)ignored;
    if (setrlimit(RLIMIT_MEMLOCK, &none) < 0 || (geteuid() == 0 && setuid(65534) < 0))
        _exit(100);
    p = gvs_secret_alloc(1, 100);
    if (!p)
        _exit(101);
    p[99] = 1;
    _exit(gvs_secret_locked(p) ? 102 : 0);
}

static void
test_without_the_right_to_lock_it_is_used_and_says_so(void **state)
{
    (void)state;
    assert_int_equal(child(without_locks, NULL), 0);
}

static void
no_random(void *ctx, void *buf, size_t len)
{
    (void)ctx;
    memset(buf, 7, len);
}

/* All of them, wherever the compiler puts what is in there. */
static void
test_sessions_live_in_it(void **state)
{
    static const char text[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= primary\n";
    struct gvs_sessions_config cfg = {
        .peers_max = 10, .cluster = "test", .boot = 1, .random = {no_random, NULL}};
    struct gvs_keyring_fault fault;
    struct gvs_keyring ring;
    struct gvs_sessions *s;

    (void)state;
    assert_int_equal(gvs_crypto_init(), GVS_OK);
    assert_int_equal(gvs_keyring_parse(&ring, text, sizeof text - 1, &fault), GVS_OK);
    cfg.keyring = &ring;
    memset(cfg.priv, 9, sizeof cfg.priv);
    s = gvs_sessions_open(&cfg);
    assert_non_null(s);
    assert_non_null(strstr(flags_at(s, NULL), " dd"));
    assert_int_equal(gvs_sessions_locked(s), strstr(flags_at(s, NULL), " lo") != NULL);
    gvs_sessions_close(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_t19_it_is_zeroed_locked_and_in_no_core_file),
        cmocka_unit_test(test_what_runs_over_an_end_faults),
        cmocka_unit_test(test_what_is_never_touched_costs_nothing),
        cmocka_unit_test(test_a_size_that_overflows_is_refused),
        cmocka_unit_test(test_without_the_right_to_lock_it_is_used_and_says_so),
        cmocka_unit_test(test_sessions_live_in_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
