/* What a confined process can still do: each case in a child that confines itself and tries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netdb.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/err.h"
#include "tools/process/confine.h"

#define NOBODY 65534
#define SAID_CAP 160

/* What a child may answer with besides what its function returns. */
enum { NOT_CONFINED = 100 };

/* Runs f in a child that is confined, and returns its exit status, or minus the signal it died
 * of. */
static int
confined(int (*f)(void))
{
    char said[SAID_CAP];
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        gvs_confine_memory();
        _exit(gvs_confine(said, sizeof said) < 0 ? NOT_CONFINED : f());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static uint64_t
status_number(const char *name)
{
    char line[256];
    uint64_t caps = UINT64_MAX;
    FILE *f = fopen("/proc/thread-self/status", "re");

    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, name, strlen(name)) == 0)
            caps = strtoull(line + strlen(name) + 1, NULL, 16);
    if (f)
        fclose(f);
    return caps;
}

/* Of a process of ours that stands still. */
static uint64_t
status_of(pid_t pid, const char *name)
{
    char path[64], line[256];
    uint64_t found = UINT64_MAX;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
            found = strtoull(line + strlen(name) + 1, NULL, 16);
    if (f)
        fclose(f);
    return found;
}

#ifdef GVS_SECCOMP
#define HAS_FILTER true
#else
#define HAS_FILTER false
#endif

/* --- privileges --- */

static uint64_t before; /* of the parent, which the child inherits */

static int
check_caps(void)
{
    uint64_t want = before & (UINT64_C(1) << CAP_NET_ADMIN | UINT64_C(1) << CAP_DAC_READ_SEARCH);

    if (status_number("CapPrm") != want || status_number("CapEff") != want)
        return 1;
    if (status_number("CapInh") != 0 || status_number("CapAmb") != 0)
        return 2;
    /* With CAP_SETPCAP only: else it stays. */
    if (before & UINT64_C(1) << CAP_SETPCAP && status_number("CapBnd") != want)
        return 3;
    return status_number("NoNewPrivs") == 1 ? 0 : 4;
}

static void
test_root_keeps_two_capabilities(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    before = status_number("CapPrm");
    assert_int_equal(confined(check_caps), 0);
}

/* As a unit with AmbientCapabilities starts a program. */
static void
become_nobody(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct d[2] = {{.effective = 1u << CAP_NET_ADMIN,
                                           .permitted = 1u << CAP_NET_ADMIN,
                                           .inheritable = 1u << CAP_NET_ADMIN}};

    prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
    if (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0 ||
        syscall(SYS_capset, &head, d) < 0 ||
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0, 0) < 0)
        _exit(NOT_CONFINED + 1);
}

static void
test_another_user_keeps_one_and_may_hand_on_none(void **state)
{
    uint64_t net_admin = UINT64_C(1) << CAP_NET_ADMIN;
    char said[SAID_CAP];
    int status;
    pid_t pid;

    (void)state;
    if (geteuid() != 0 || (status_number("CapPrm") & net_admin) == 0)
        skip();
    pid = fork();
    if (pid == 0) {
        become_nobody();
        if (gvs_confine(said, sizeof said) < 0)
            _exit(NOT_CONFINED);
        if (status_number("CapPrm") != net_admin || status_number("CapEff") != net_admin)
            _exit(1);
        _exit(status_number("CapInh") == 0 && status_number("CapAmb") == 0 ? 0 : 2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void
test_the_helper_keeps_two_others(void **state)
{
    uint64_t want = UINT64_C(1) << CAP_NET_ADMIN | UINT64_C(1) << CAP_SYS_ADMIN;
    struct msghdr m = {0};
    int ends[2], status;
    char byte;
    pid_t pid;

    (void)state;
    if (geteuid() != 0 || (status_number("CapPrm") & want) != want)
        skip();
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    pid = fork();
    if (pid == 0) { /* says how it went, and stays until the other end is closed */
        close(ends[0]);
        m.msg_iovlen = 1;
        m.msg_iov = &(struct iovec){gvs_confine_helper() < 0 ? "n" : "y", 1};
        sendmsg(ends[1], &m, 0);
        recv(ends[1], &byte, 1, 0);
        _exit(0);
    }
    close(ends[1]);
    assert_int_equal(recv(ends[0], &byte, 1, 0), 1);
    assert_int_equal(byte, 'y');
    assert_int_equal(status_of(pid, "CapPrm"), want);
    assert_int_equal(status_of(pid, "CapEff"), want);
    assert_int_equal(status_of(pid, "CapInh"), 0);
    assert_int_equal(status_of(pid, "CapBnd"), want);
    assert_int_equal(status_of(pid, "NoNewPrivs"), 1);
    assert_int_equal(status_of(pid, "Seccomp"), HAS_FILTER ? 2 : 0);
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static int
check_memory(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_CORE, &r) < 0 || r.rlim_cur != 0 || r.rlim_max != 0)
        return 1;
    return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
}

static int
die_of_quit(void)
{
    /* The kernel tells whether it wrote a core. */
    return raise(SIGQUIT);
}

static void
test_no_core_file_is_written(void **state)
{
    const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
    char said[SAID_CAP];
    int status;
    pid_t pid;

    (void)state;
    /* prctl(PR_GET_DUMPABLE) is not an agent's call: without the filter. */
    pid = fork();
    if (pid == 0) {
        gvs_confine_memory();
        _exit(check_memory());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    pid = fork();
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &all);
        gvs_confine_memory();
        gvs_confine(said, sizeof said);
        _exit(die_of_quit());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGQUIT);
    assert_false(WCOREDUMP(status));
}

static void
test_what_is_left_is_told(void **state)
{
    char said[SAID_CAP] = "";
    int status;
    pid_t pid = fork();

    (void)state;
    if (pid == 0)
        _exit(gvs_confine(said, sizeof said) == GVS_OK && strncmp(said, "confined to ", 12) == 0 &&
                      (strstr(said, " system calls") != NULL) == HAS_FILTER
                  ? 0
                  : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* --- system calls --- */

#ifdef GVS_SECCOMP
static long deadly;

static int
try_deadly(void)
{
    static char *none[] = {NULL};

    if (deadly == SYS_execve)
        execve("/bin/true", none, none);
    else
        syscall(deadly, 0, 0, 0, 0, 0, 0);
    return 0;
}

static void
test_what_only_an_intruder_means_kills(void **state)
{
    static const struct {
        const char *why;
        long call;
    } rows[] = {
        {"execve", SYS_execve},
        {"execveat", SYS_execveat},
        {"ptrace", SYS_ptrace},
        {"bpf", SYS_bpf},
        {"mount", SYS_mount},
        {"umount2", SYS_umount2},
        {"pivot_root", SYS_pivot_root},
        {"init_module", SYS_init_module},
        {"finit_module", SYS_finit_module},
        {"delete_module", SYS_delete_module},
        {"kexec_load", SYS_kexec_load},
        {"setns", SYS_setns},
        {"unshare", SYS_unshare},
        {"userfaultfd", SYS_userfaultfd},
        {"process_vm_readv", SYS_process_vm_readv},
        {"process_vm_writev", SYS_process_vm_writev},
        {"open_by_handle_at", SYS_open_by_handle_at},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("%s\n", rows[i].why);
        deadly = rows[i].call;
        assert_int_equal(confined(try_deadly), -SIGSYS);
    }
}

/* What the other process alone may do, and how far. */
static const struct {
    const char *why;
    long call, arg[3];
    int error; /* that the call fails with; minus the signal that ends the process */
} of_helper[] = {
    {"a network namespace", SYS_setns, {-1, CLONE_NEWNET, 0}, EBADF},
    {"a mount namespace", SYS_setns, {-1, CLONE_NEWNS, 0}, -SIGSYS},
    {"whatever a descriptor is", SYS_setns, {-1, 0, 0}, -SIGSYS},
    {"a program", SYS_execve, {0, 0, 0}, -SIGSYS},
    {"a file to read", SYS_openat, {-1, 0, O_RDONLY | O_CLOEXEC}, EFAULT},
    {"a file to write", SYS_openat, {-1, 0, O_WRONLY}, ENOSYS},
    {"a new file", SYS_openat, {-1, 0, O_RDONLY | O_CREAT}, ENOSYS},
    {"a raw view of the network", SYS_socket, {AF_PACKET, SOCK_RAW, 0}, ENOSYS},
    {"reading", SYS_read, {-1, 0, 0}, ENOSYS},
    {"a thread", SYS_clone, {CLONE_THREAD, 0, 0}, ENOSYS},
    {"a capability", SYS_capset, {0, 0, 0}, ENOSYS},
    {"a signal", SYS_kill, {1, 0, 0}, ENOSYS},
};

static void
test_the_helper_enters_network_namespaces_and_little_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof of_helper / sizeof *of_helper; i++) {
        const long *arg = of_helper[i].arg;
        int status;
        pid_t pid;

        print_message("%s\n", of_helper[i].why);
        pid = fork();
        if (pid == 0) {
            if (gvs_confine_helper() < 0)
                _exit(NOT_CONFINED + 100);
            syscall(of_helper[i].call, arg[0], arg[1], arg[2], 0, 0, 0);
            _exit(errno);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status),
                         of_helper[i].error);
    }
}

static long absent, absent_arg;

static int
try_absent(void)
{
    long rc = syscall(absent, absent_arg, 0, 0, 0, 0, 0);

    return rc == -1 && errno == ENOSYS ? 0 : 1;
}

static void
test_what_an_agent_does_not_do_is_not_implemented(void **state)
{
    static const struct {
        const char *why;
        long call, arg;
    } rows[] = {
        {"io_uring_setup, which libuv tries and does without", SYS_io_uring_setup, 1},
        {"a child process", SYS_clone, SIGCHLD},
        {"clone3, after which libc tries clone", SYS_clone3, 0},
        {"a raw view of the network", SYS_socket, AF_PACKET},
        {"another family", SYS_socket, AF_VSOCK},
        {"another user", SYS_setuid, 0},
        {"another root", SYS_chroot, 0},
        {"a key of the kernel's", SYS_keyctl, 0},
        {"another capability", SYS_capset, 0},
        {"dumpable again", SYS_prctl, PR_SET_DUMPABLE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("%s\n", rows[i].why);
        absent = rows[i].call;
        absent_arg = rows[i].arg;
        assert_int_equal(confined(try_absent), 0);
    }
}

static int
set_a_limit(void)
{
    const struct rlimit r = {1, 1};

    return syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &r, NULL) == -1 && errno == ENOSYS ? 0 : 1;
}

static void
test_limits_are_read_only(void **state)
{
    (void)state;
    assert_int_equal(confined(set_a_limit), 0);
}
#endif

static void *
on_thread(void *arg)
{
    *(int *)arg = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
    return NULL;
}

/* Of what libraries do for an agent: threads, the resolver, the users' database, limits. */
static int
live(void)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM};
    struct addrinfo *res = NULL;
    struct rlimit r;
    pthread_t t;
    int fd = -1, rc;

    if (pthread_create(&t, NULL, on_thread, &fd) != 0 || pthread_join(t, NULL) != 0 || fd < 0)
        return 1;
    rc = getaddrinfo("localhost", "7900", &hints, &res);
    if (rc != 0 && rc != EAI_NONAME && rc != EAI_AGAIN)
        return 2;
    if (res)
        freeaddrinfo(res);
    if (getpwuid(0) == NULL)
        return 3;
    if (getrlimit(RLIMIT_NOFILE, &r) < 0)
        return 4;
    fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, 4096) < 0 || fsync(fd) < 0)
        return 5;
    return 0;
}

static void
test_what_libraries_do_for_an_agent_still_works(void **state)
{
    (void)state;
    assert_int_equal(confined(live), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_root_keeps_two_capabilities),
        cmocka_unit_test(test_another_user_keeps_one_and_may_hand_on_none),
        cmocka_unit_test(test_the_helper_keeps_two_others),
        cmocka_unit_test(test_no_core_file_is_written),
        cmocka_unit_test(test_what_is_left_is_told),
#ifdef GVS_SECCOMP
        cmocka_unit_test(test_what_only_an_intruder_means_kills),
        cmocka_unit_test(test_what_an_agent_does_not_do_is_not_implemented),
        cmocka_unit_test(test_the_helper_enters_network_namespaces_and_little_else),
        cmocka_unit_test(test_limits_are_read_only),
#endif
        cmocka_unit_test(test_what_libraries_do_for_an_agent_still_works),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
