/* The process that runs a program, asked as the agent asks it. The programs are shell scripts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/err.h"
#include "tools/process/runner.h"

static char top[] = "/tmp/gossipvs-runner-XXXXXX";
static char text[65536];

static int
set_up(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(top));
    assert_int_equal(chdir(top), 0);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    unlink("program");
    unlink("out");
    assert_int_equal(chdir("/"), 0);
    return rmdir(top);
}

static void
write_program(const char *script)
{
    FILE *f = fopen("program", "w");

    assert_non_null(f);
    fprintf(f, "#!/bin/sh\ncd %s\n%s\n", top, script);
    fclose(f);
    assert_int_equal(chmod("program", 0700), 0);
}

static const char *
out(void)
{
    FILE *f = fopen("out", "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;

    if (f)
        fclose(f);
    text[n] = 0;
    return text;
}

static void
start(struct gvs_child *c)
{
    char path[64];

    unlink("out");
    snprintf(path, sizeof path, "%s/program", top);
    assert_int_equal(gvs_runner_start(c, path), GVS_OK);
}

static int
await(struct gvs_child *c, struct gvs_runner_answer *a)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    int rc;

    do {
        if (poll(&p, 1, 20000) == 0)
            return GVS_E_NOTFOUND;
        rc = gvs_runner_answer(c, a);
    } while (rc == GVS_E_NOTFOUND);
    return rc;
}

static void
run(struct gvs_child *c, unsigned timeout_ms, uint32_t end, int32_t code)
{
    struct gvs_runner_answer a;

    assert_int_equal(gvs_runner_ask(c, timeout_ms, "vip.add", NULL, 0, "{}"), GVS_OK);
    assert_int_equal(await(c, &a), GVS_OK);
    assert_int_equal(a.end, end);
    assert_int_equal(a.code, code);
}

/* Ends it and waits for that. */
static void
end(struct gvs_child *c)
{
    pid_t pid = c->pid;
    char how[32];

    gvs_child_stop(c, how);
    if (c->pid != 0)
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void
test_the_program_is_told_of_the_event_and_of_nothing_else(void **state)
{
    static const char *const words[] = {"GOSSIPVS_EVENT=vip.add", "GOSSIPVS_NAME=a b;$(c)"};
    struct gvs_runner_answer a;
    struct gvs_child c;

    (void)state;
    setenv("OF_THE_AGENT", "1", 1);
    write_program("{ echo $# \"$1\"; tr '\\0' '\\n' </proc/self/environ; cat; } >out");
    start(&c);
    assert_int_equal(gvs_runner_ask(&c, 10000, "vip.add", words, 2, "{\"seq\":1}"), GVS_OK);
    assert_int_equal(await(&c, &a), GVS_OK);
    assert_int_equal(a.end, GVS_RUNNER_EXITED);
    assert_int_equal(a.code, 0);
    assert_non_null(strstr(out(), "1 vip.add\n"));
    assert_non_null(strstr(text, "\nGOSSIPVS_EVENT=vip.add\n"));
    assert_non_null(strstr(text, "\nGOSSIPVS_NAME=a b;$(c)\n"));
    assert_non_null(strstr(text, "PATH=/usr/local/sbin:"));
    assert_null(strstr(text, "OF_THE_AGENT"));
    assert_string_equal(text + strlen(text) - 9, "{\"seq\":1}");
    end(&c);
}

static void
test_how_it_ended_is_told_and_the_next_one_runs(void **state)
{
    struct gvs_child c;

    (void)state;
    write_program("exit 3");
    start(&c);
    run(&c, 10000, GVS_RUNNER_EXITED, 3);
    write_program("kill -TERM $$");
    run(&c, 10000, GVS_RUNNER_KILLED, SIGTERM);
    unlink("program");
    run(&c, 10000, GVS_RUNNER_NOT_RUN, ENOENT);
    write_program("exit 0");
    assert_int_equal(chmod("program", 0600), 0);
    run(&c, 10000, GVS_RUNNER_NOT_RUN, EACCES);
    assert_int_equal(chmod("program", 0700), 0);
    run(&c, 10000, GVS_RUNNER_EXITED, 0);
    end(&c);
}

static bool
is_gone(pid_t pid)
{
    for (int i = 0; i < 400 && kill(pid, 0) == 0; i++)
        usleep(10000);
    return kill(pid, 0) < 0 && errno == ESRCH;
}

static void
test_who_takes_too_long_is_killed_with_all_that_he_started(void **state)
{
    struct gvs_child c;
    long pid;

    (void)state;
    write_program("sleep 1000 & echo $! >out; wait");
    start(&c);
    run(&c, 1000, GVS_RUNNER_LATE, 0);
    pid = strtol(out(), NULL, 10);
    assert_true(pid > 1);
    assert_true(is_gone((pid_t)pid));
    write_program("exit 0");
    run(&c, 10000, GVS_RUNNER_EXITED, 0);
    end(&c);
}

static void
test_it_has_no_descriptor_but_the_three(void **state)
{
    struct gvs_child c;
    int fd = open("/dev/null", O_RDONLY);

    (void)state;
    assert_true(fd > 2); /* left open for a program by mistake */
    write_program("ls /proc/self/fd >out");
    start(&c);
    run(&c, 10000, GVS_RUNNER_EXITED, 0);
    assert_string_equal(out(), "0\n1\n2\n3\n"); /* 3: the directory that is listed */
    close(fd);
    end(&c);
}

static void
test_what_it_says_goes_to_the_log(void **state)
{
    struct gvs_child c;
    int saved = dup(2), fd;

    (void)state;
    write_program("echo one; echo two >&2");
    unlink("out");
    fd = open("out", O_CREAT | O_WRONLY | O_APPEND, 0600);
    assert_true(fd >= 0);
    assert_int_equal(dup2(fd, 2), 2);
    assert_int_equal(gvs_runner_start(&c, "./program"), GVS_OK);
    assert_int_equal(dup2(saved, 2), 2);
    close(saved);
    close(fd);
    run(&c, 10000, GVS_RUNNER_EXITED, 0);
    assert_string_equal(out(), "one\ntwo\n");
    end(&c);
}

static void
test_nobody_waits_for_it_to_read(void **state)
{
    static char input[GVS_RUNNER_REQUEST_MAX];
    struct gvs_runner_answer a;
    struct gvs_child c;

    (void)state;
    write_program("exit 0");
    start(&c);
    memset(input, 'x', sizeof input - 1);
    assert_int_equal(gvs_runner_ask(&c, 10000, "e", NULL, 0, input), GVS_E_NOSPACE);
    input[sizeof input - 3] = 0; /* the event takes two */
    assert_int_equal(gvs_runner_ask(&c, 10000, "e", NULL, 0, input), GVS_OK);
    assert_int_equal(await(&c, &a), GVS_OK);
    assert_int_equal(a.end, GVS_RUNNER_EXITED);
    write_program("wc -c >out");
    assert_int_equal(gvs_runner_ask(&c, 10000, "e", NULL, 0, input), GVS_OK);
    assert_int_equal(await(&c, &a), GVS_OK);
    assert_int_equal(strtol(out(), NULL, 10), sizeof input - 3);
    end(&c);
}

/* What ends the agent by its terminal is not for the runner, and is for the program. */
static void
test_signals_are_as_a_program_expects_them(void **state)
{
    struct gvs_child c;

    (void)state;
    write_program("exec grep -E 'SigBlk|SigIgn' /proc/$$/status >out");
    signal(SIGPIPE, SIG_IGN);
    start(&c);
    run(&c, 10000, GVS_RUNNER_EXITED, 0); /* it has begun */
    assert_int_equal(kill(c.pid, SIGTERM), 0);
    run(&c, 10000, GVS_RUNNER_EXITED, 0);
    assert_string_equal(out(), "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    end(&c);
}

static void
test_it_ends_with_the_agent_and_at_a_request_that_is_none(void **state)
{
    static const struct {
        size_t len;
        uint32_t words;
        char text[8];
    } rows[] = {
        {4, 0, ""},             /* cut */
        {9, 0, ""},             /* an event, and no input */
        {12, 1, "a\0b"},        /* one text too few */
        {14, 0, "a\0b\0c"},     /* one too many */
        {12, 0, "a\0bc"},       /* that does not end */
        {10, 4294967295u, "a"}, /* so many words that there is room for all */
    };
    struct gvs_child c;
    int status;

    (void)state;
    write_program("touch out");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t request[8] = {1000, rows[i].words};

        start(&c);
        memcpy(request + 2, rows[i].text, sizeof rows[i].text);
        assert_int_equal(send(c.fd, request, rows[i].len, 0), rows[i].len);
        assert_int_equal(waitpid(c.pid, &status, 0), c.pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        close(c.fd);
        assert_int_equal(access("out", F_OK), -1);
    }
    start(&c);
    close(c.fd);
    assert_int_equal(waitpid(c.pid, &status, 0), c.pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_program_is_told_of_the_event_and_of_nothing_else),
        cmocka_unit_test(test_how_it_ended_is_told_and_the_next_one_runs),
        cmocka_unit_test(test_who_takes_too_long_is_killed_with_all_that_he_started),
        cmocka_unit_test(test_it_has_no_descriptor_but_the_three),
        cmocka_unit_test(test_what_it_says_goes_to_the_log),
        cmocka_unit_test(test_nobody_waits_for_it_to_read),
        cmocka_unit_test(test_signals_are_as_a_program_expects_them),
        cmocka_unit_test(test_it_ends_with_the_agent_and_at_a_request_that_is_none),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
