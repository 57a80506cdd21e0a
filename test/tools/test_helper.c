/* The process that enters namespaces, asked as the agent asks it, in a /run of our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/err.h"
#include "tools/process/helper.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

static const struct gvs_kernel_sockets none = {-1, -1, -1};
static char how[32];

/* What a namespace of another kind, or of no name, would have to be. */
static void
hold(const char *name, const char *kind)
{
    char path[64];
    int fd;

    snprintf(path, sizeof path, "/run/netns/%s", name);
    fd = open(path, O_CREAT | O_RDONLY | O_CLOEXEC, 0);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(mount(kind, path, NULL, MS_BIND, NULL), 0);
}

static uint64_t
cookie_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof cookie;

    getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len);
    return cookie;
}

/* Everything below happens in namespaces of this test's own; "one" is another network. */
static int
set_up(void **state)
{
    (void)state;
    if (geteuid() != 0 || unshare(CLONE_NEWNS | CLONE_NEWNET) < 0)
        return 0; /* each test skips */
    assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    assert_int_equal(mount("run", "/run", "tmpfs", 0, NULL), 0);
    assert_int_equal(mkdir("/run/netns", 0755), 0);
    hold("one", "/proc/thread-self/ns/net");
    assert_int_equal(unshare(CLONE_NEWNET), 0);
    return 0;
}

static bool
can_try(void)
{
    return access("/run/netns/one", F_OK) == 0;
}

/* The next answer, for which it gets two seconds. */
static int
await(struct gvs_child *h, struct gvs_helper_answer *a, struct gvs_kernel_sockets *s)
{
    struct pollfd p = {.fd = h->fd, .events = POLLIN};
    int rc;

    do {
        if (poll(&p, 1, 2000) == 0)
            return GVS_E_NOTFOUND;
        rc = gvs_helper_answer(h, a, s);
    } while (rc == GVS_E_NOTFOUND);
    return rc;
}

static void
start(struct gvs_child *h)
{
    struct gvs_helper_answer a;
    struct gvs_kernel_sockets s;

    assert_int_equal(gvs_helper_start(h), GVS_OK);
    assert_int_equal(await(h, &a, &s), GVS_OK);
    assert_string_equal(a.name, "");
    assert_int_equal(a.where, GVS_HELPER_DONE);
}

/* Ends it and waits for that. */
static void
end(struct gvs_child *h)
{
    pid_t pid = h->pid;

    gvs_child_stop(h, how);
    if (h->pid != 0)
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void
test_sockets_are_of_the_namespace_that_was_asked_for(void **state)
{
    struct gvs_helper_answer a;
    struct gvs_kernel_sockets s;
    struct gvs_child h;
    struct stat st;
    char mine[64], its[64], path[64];
    int here = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)state;
    if (!can_try())
        skip();
    start(&h);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(gvs_helper_ask(&h, "one"), GVS_OK);
        assert_int_equal(await(&h, &a, &s), GVS_OK);
        assert_string_equal(a.name, "one");
        assert_int_equal(a.where, GVS_HELPER_DONE);
        assert_int_equal(stat("/run/netns/one", &st), 0);
        assert_true(a.dev == st.st_dev && a.ino == st.st_ino);
        assert_true(a.cookie == cookie_of(s.nl) && a.cookie == cookie_of(s.link) &&
                    a.cookie == cookie_of(s.lock));
        assert_true(a.cookie == 0 || a.cookie != cookie_of(here));
        assert_true(fcntl(s.nl, F_GETFD) & FD_CLOEXEC && fcntl(s.link, F_GETFD) & FD_CLOEXEC &&
                    fcntl(s.lock, F_GETFD) & FD_CLOEXEC);
        gvs_kernel_sockets_close(&s);
    }
    /* I2 */
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)h.pid);
    assert_true(readlink("/proc/self/ns/net", mine, sizeof mine) > 0);
    assert_true(readlink(path, its, sizeof its) > 0);
    assert_memory_equal(mine, its, 16);
    end(&h);
    close(here);
}

static size_t
descriptors_of(pid_t pid)
{
    char path[64];
    size_t count = 0;
    DIR *d;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    d = opendir(path);
    assert_non_null(d);
    for (struct dirent *e = readdir(d); e; e = readdir(d))
        count += e->d_name[0] != '.';
    closedir(d);
    return count;
}

static void
test_it_keeps_nothing_of_ours_and_nothing_of_theirs(void **state)
{
    int fd = open("/etc/passwd", O_RDONLY), high = fcntl(fd, F_DUPFD, 200);
    struct gvs_helper_answer a;
    struct gvs_kernel_sockets s;
    struct gvs_child h;

    (void)state;
    if (!can_try())
        skip();
    start(&h);
    assert_int_equal(descriptors_of(h.pid), 5); /* three to nowhere, us, the way home */
    assert_int_equal(gvs_helper_ask(&h, "one"), GVS_OK);
    assert_int_equal(await(&h, &a, &s), GVS_OK);
    gvs_kernel_sockets_close(&s);
    assert_int_equal(gvs_helper_ask(&h, "missing"), GVS_OK);
    assert_int_equal(await(&h, &a, &s), GVS_OK);
    assert_int_equal(descriptors_of(h.pid), 5);
    end(&h);
    close(fd);
    close(high);
}

static void
test_nothing_but_a_network_namespace_in_that_very_place(void **state)
{
    static const struct {
        const char *name;
        enum gvs_helper_where where;
        int error;
    } rows[] = {
        {"missing", GVS_HELPER_OPENING, ENOENT},
        {"link", GVS_HELPER_OPENING, ELOOP}, /* to /proc/self/ns/net */
        {"near", GVS_HELPER_OPENING, ELOOP}, /* to one */
        {"file", GVS_HELPER_KIND, EINVAL},
        {"fifo", GVS_HELPER_KIND, EINVAL}, /* nobody writes: open would wait */
        {"dir", GVS_HELPER_KIND, EINVAL},
        {"uts", GVS_HELPER_ENTERING, EINVAL},
    };
    struct gvs_helper_answer a;
    struct gvs_kernel_sockets s;
    struct gvs_child h;

    (void)state;
    if (!can_try())
        skip();
    assert_int_equal(symlink("/proc/self/ns/net", "/run/netns/link"), 0);
    assert_int_equal(symlink("one", "/run/netns/near"), 0);
    assert_int_equal(mkfifo("/run/netns/fifo", 0600), 0);
    assert_int_equal(mkdir("/run/netns/dir", 0755), 0);
    close(open("/run/netns/file", O_CREAT | O_RDONLY, 0644));
    hold("uts", "/proc/self/ns/uts");
    start(&h);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("%s\n", rows[i].name);
        assert_int_equal(gvs_helper_ask(&h, rows[i].name), GVS_OK);
        assert_int_equal(await(&h, &a, &s), GVS_OK);
        assert_string_equal(a.name, rows[i].name);
        assert_int_equal(a.where, rows[i].where);
        assert_int_equal(a.error, rows[i].error);
        assert_memory_equal(&s, &none, sizeof s);
    }
    end(&h);
}

static void
test_what_a_name_is(void **state)
{
    static const struct {
        const char *name;
        bool valid;
    } rows[] = {
        {"one", true},   {"cni-0f6e@1:2+3=4", true},
        {"..a", true},   {"", false},
        {".", false},    {"..", false},
        {"a/b", false},  {"/", false},
        {"../x", false}, {"a b", false},
        {"a\n", false},  {"\xc3\xa4", false},
        {"a*", false},   {"\"", false},
    };
    char longest[GVS_HELPER_NAME_MAX + 2];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(gvs_helper_name_valid(rows[i].name), rows[i].valid);
    memset(longest, 'a', sizeof longest);
    longest[GVS_HELPER_NAME_MAX + 1] = 0;
    assert_false(gvs_helper_name_valid(longest));
    longest[GVS_HELPER_NAME_MAX] = 0;
    assert_true(gvs_helper_name_valid(longest));
}

/* It trusts nobody who asks for anything else. */
static void
test_a_request_that_is_none_ends_it(void **state)
{
    static const struct {
        const char *why, *bytes;
        size_t len;
    } rows[] = {
        {"a way out", "../../proc/self/ns/net", GVS_HELPER_NAME_MAX + 1},
        {"no name", "", GVS_HELPER_NAME_MAX + 1},
        {"too short", "one", 3},
        {"too long", "one", GVS_HELPER_NAME_MAX + 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char b[GVS_HELPER_NAME_MAX + 2] = "";
        struct gvs_helper_answer a;
        struct gvs_kernel_sockets s;
        struct gvs_child h;

        print_message("%s\n", rows[i].why);
        start(&h);
        memcpy(b, rows[i].bytes, strlen(rows[i].bytes));
        assert_int_equal(send(h.fd, b, rows[i].len, 0), rows[i].len);
        assert_int_equal(await(&h, &a, &s), GVS_E_LOST);
        end(&h);
    }
}

static void
test_its_end_is_told(void **state)
{
    struct gvs_helper_answer a;
    struct gvs_kernel_sockets s;
    struct gvs_child h;
    siginfo_t info;

    (void)state;
    start(&h);
    assert_int_equal(gvs_helper_answer(&h, &a, &s), GVS_E_NOTFOUND);
    for (int sig = SIGTERM; sig; sig = sig == SIGTERM ? SIGINT : 0)
        kill(h.pid, sig); /* what is meant for the agent is not for it */
    assert_int_equal(gvs_helper_ask(&h, "missing"), GVS_OK);
    assert_int_equal(await(&h, &a, &s), GVS_OK);
    kill(h.pid, SIGKILL);
    assert_int_equal(await(&h, &a, &s), GVS_E_LOST);
    assert_int_equal(waitid(P_PID, (id_t)h.pid, &info, WEXITED | WNOWAIT), 0);
    gvs_child_stop(&h, how);
    assert_string_equal(how, "killed by signal 9");
    assert_int_equal(h.fd, -1);
}

static void
test_who_goes_on_without_it_has_no_zombie(void **state)
{
    struct gvs_child h;
    pid_t pid;

    (void)state;
    start(&h);
    pid = h.pid;
    gvs_child_end(&h);
    assert_int_equal(h.pid, 0);
    assert_true(waitpid(pid, NULL, WNOHANG) < 0 && errno == ECHILD);
    gvs_child_end(&h); /* nothing is left to do */
    start(&h);
    kill(h.pid, SIGKILL);
    assert_int_equal(waitpid(h.pid, NULL, 0), h.pid); /* by somebody else of the same process */
    gvs_child_stop(&h, how);
    assert_string_equal(how, "gone");
    assert_int_equal(h.pid, 0);
}

/* Has it ended, whether or not anybody has taken note? */
static bool
has_ended(pid_t pid)
{
    char path[64], state[2] = "Z";
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    f = fopen(path, "re");
    if (!f)
        return true;
    if (fscanf(f, "%*d %*s %1s", state) != 1)
        state[0] = 'Z';
    fclose(f);
    return state[0] == 'Z';
}

/* Each way in which an agent ends. */
static void
test_it_ends_with_the_agent(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        pid_t agent, helper = 0;
        int ends[2], wait = 500;

        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        agent = fork();
        if (agent == 0) {
            struct gvs_child h;

            start(&h);
            if (write(ends[1], &h.pid, sizeof h.pid) != sizeof h.pid)
                _exit(1);
            if (way == 0)
                _exit(0);
            raise(SIGKILL);
        }
        close(ends[1]);
        assert_int_equal(read(ends[0], &helper, sizeof helper), sizeof helper);
        close(ends[0]);
        assert_int_equal(waitpid(agent, NULL, 0), agent);
        while (wait > 0 && !has_ended(helper)) {
            usleep(10000);
            wait--;
        }
        assert_true(wait > 0);
    }
}

static void
test_without_the_capability_it_says_so(void **state)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct d[2];
    struct gvs_helper_answer a;
    struct gvs_kernel_sockets s;
    struct gvs_child h;
    int status;
    pid_t pid;

    (void)state;
    if (!can_try())
        skip();
    pid = fork();
    if (pid == 0) {
        syscall(SYS_capget, &head, d);
        d[0].effective = d[0].permitted = 1u << CAP_NET_ADMIN;
        d[1].effective = d[1].permitted = 0;
        d[0].inheritable = d[1].inheritable = 0;
        if (syscall(SYS_capset, &head, d) < 0)
            _exit(9);
        start(&h);
        gvs_helper_ask(&h, "one");
        _exit(await(&h, &a, &s) == GVS_OK && a.where == GVS_HELPER_ENTERING && a.error == EPERM
                  ? 0
                  : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_name_is),
        cmocka_unit_test(test_sockets_are_of_the_namespace_that_was_asked_for),
        cmocka_unit_test(test_it_keeps_nothing_of_ours_and_nothing_of_theirs),
        cmocka_unit_test(test_nothing_but_a_network_namespace_in_that_very_place),
        cmocka_unit_test(test_a_request_that_is_none_ends_it),
        cmocka_unit_test(test_its_end_is_told),
        cmocka_unit_test(test_who_goes_on_without_it_has_no_zombie),
        cmocka_unit_test(test_it_ends_with_the_agent),
        cmocka_unit_test(test_without_the_capability_it_says_so),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
