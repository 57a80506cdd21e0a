/* The process that runs the commands of checks, asked as the agent asks it. The commands are shell
 * scripts, beside the files of services.d that name them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
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
#include "tools/process/checker.h"

static char top[] = "/tmp/gossipvs-checker-XXXXXX";
static char text[65536];
static struct gvs_svcid web;
static struct gvs_ep server;

static int
set_up(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(top));
    assert_int_equal(chdir(top), 0);
    assert_int_equal(mkdir("services.d", 0700), 0);
    assert_int_equal(gvs_svcid_parse(&web, "10.99.0.1:80/tcp", 16, NULL), GVS_OK);
    assert_int_equal(gvs_ep_parse(&server, "10.77.0.4:8080", 14, NULL), GVS_OK);
    return 0;
}

static int
tear_down(void **state)
{
    static const char *const files[] = {"program", "out", "services.d/web.conf"};

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        unlink(files[i]);
    rmdir("services.d");
    assert_int_equal(chdir("/"), 0);
    return rmdir(top);
}

__attribute__((format(printf, 2, 3))) static void
write_file(const char *name, const char *fmt, ...)
{
    FILE *f = fopen(name, "w");
    va_list ap;

    assert_non_null(f);
    va_start(ap, fmt);
    vfprintf(f, fmt, ap);
    va_end(ap);
    fclose(f);
}

static void
write_program(const char *script)
{
    write_file("program", "#!/bin/sh\ncd %s\n%s\n", top, script);
    assert_int_equal(chmod("program", 0700), 0);
}

static void
claim(const char *check)
{
    write_file("services.d/web.conf",
               "service web {\n vip = 10.99.0.1:80/tcp\n backend 10.77.0.4:8080 { %s }\n}\n",
               check);
}

/* `words` follow the program's path. */
static void
claim_within(const char *words, unsigned seconds)
{
    char check[400];

    snprintf(check, sizeof check,
             "check { type = exec interval = %u timeout = %u command = \"%s/program%s\" }",
             5 * seconds, seconds, top, words);
    claim(check);
}

static void
claim_command(const char *words)
{
    claim_within(words, 1);
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
    static char dir[64];

    unlink("out");
    snprintf(dir, sizeof dir, "%s/services.d", top);
    assert_int_equal(gvs_checker_start(c, dir), GVS_OK);
}

static int
await(struct gvs_child *c, struct gvs_checker_answer *a)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    int rc;

    do {
        if (poll(&p, 1, 20000) == 0)
            return GVS_E_NOTFOUND;
        rc = gvs_checker_answer(c, a);
    } while (rc == GVS_E_NOTFOUND);
    return rc;
}

static void
run(struct gvs_child *c, uint32_t end, int32_t code)
{
    static uint64_t number;
    struct gvs_checker_answer a;

    assert_int_equal(gvs_checker_ask(c, ++number, &web, &server), GVS_OK);
    assert_int_equal(await(c, &a), GVS_OK);
    assert_int_equal(a.number, number);
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

/* Waits for a process to be no more, or a zombie whose parent has gone. */
static bool
goes(pid_t pid)
{
    for (int i = 0; i < 500; i++) {
        char path[64], state = 0;
        FILE *f;

        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        f = fopen(path, "r");
        if (!f)
            return true;
        if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1 || state == 'Z')
            state = 0;
        fclose(f);
        if (!state)
            return true;
        usleep(20000);
    }
    return false;
}

static pid_t
pid_in_out(void)
{
    for (int i = 0; i < 500 && !strchr(out(), '\n'); i++)
        usleep(20000);
    return (pid_t)atoi(text);
}

static void
test_a_command_has_its_words_its_backend_and_nothing_else(void **state)
{
    struct gvs_child c;

    (void)state;
    write_program("{ printf '[%s]' \"$@\"; env | grep -v '^PWD=\\|^SHLVL=\\|^_=\\|^OLDPWD=' | sort;"
                  " ls -l /proc/$$/fd | grep -c 'socket\\|anon_inode\\|services'; } >out; exit 3");
    claim_command("  one $(two)\ttwo;");
    start(&c);
    run(&c, GVS_CHECKER_EXITED, 3);
    assert_non_null(strstr(out(), "[one][$(two)][two;]"));
    assert_non_null(strstr(text, "GOSSIPVS_ADDRESS=10.77.0.4\nGOSSIPVS_BACKEND=10.77.0.4:8080\n"
                                 "GOSSIPVS_NAME=web\nGOSSIPVS_PORT=8080\n"
                                 "GOSSIPVS_VIP=10.99.0.1:80/tcp\nPATH=/usr/local/sbin"));
    assert_non_null(strstr(text, "/sbin:/bin\n0\n"));
    end(&c);
}

static void
test_each_way_to_end_is_told(void **state)
{
    struct gvs_child c;

    (void)state;
    claim_command("");
    start(&c);
    write_program("exit 0");
    run(&c, GVS_CHECKER_EXITED, 0);
    write_program("kill -TERM $$");
    run(&c, GVS_CHECKER_KILLED, SIGTERM);
    assert_int_equal(unlink("program"), 0);
    run(&c, GVS_CHECKER_NOT_RUN, ENOENT);
    write_program("exit 0");
    assert_int_equal(chmod("program", 0600), 0);
    run(&c, GVS_CHECKER_NOT_RUN, EACCES);
    end(&c);
}

static void
test_what_does_not_end_is_killed_with_all_its_kin(void **state)
{
    struct gvs_child c;
    pid_t kin;

    (void)state;
    write_program("sleep 60 & echo $! >out; wait");
    claim_command("");
    start(&c);
    run(&c, GVS_CHECKER_LATE, 0);
    kin = pid_in_out();
    assert_true(kin > 1 && goes(kin));
    end(&c);
}

static void
test_what_a_command_leaves_behind_is_killed(void **state)
{
    struct gvs_child c;
    pid_t kin;

    (void)state;
    write_program("sleep 60 & echo $! >out");
    claim_command("");
    start(&c);
    run(&c, GVS_CHECKER_EXITED, 0);
    kin = pid_in_out();
    assert_true(kin > 1 && goes(kin));
    end(&c);
}

static void
test_with_the_agent_goes_what_runs(void **state)
{
    struct gvs_child c;
    pid_t kin;

    (void)state;
    write_program("sleep 60 & echo $! >out; wait");
    claim("check { type = exec interval = 60 timeout = 60 command = /nowhere }");
    claim_command("");
    start(&c);
    assert_int_equal(gvs_checker_ask(&c, 1, &web, &server), GVS_OK);
    kin = pid_in_out();
    end(&c);
    assert_true(kin > 1 && goes(kin));
}

static void
test_nothing_runs_that_does_not_stand_there(void **state)
{
    struct gvs_svcid other = web;
    struct gvs_ep elsewhere = server;
    struct gvs_checker_answer a;
    struct gvs_child c;

    (void)state;
    write_program("echo >>out");
    claim_command("");
    start(&c);
    other.port++;
    elsewhere.port++;
    assert_int_equal(gvs_checker_ask(&c, 1, &other, &server), GVS_OK);
    assert_int_equal(await(&c, &a), GVS_OK);
    assert_int_equal(a.end, GVS_CHECKER_NOT_FOUND);
    assert_int_equal(gvs_checker_ask(&c, 2, &web, &elsewhere), GVS_OK);
    assert_int_equal(await(&c, &a), GVS_OK);
    assert_int_equal(a.end, GVS_CHECKER_NOT_FOUND);
    print_message("no command of a check that has none, nor of one that went\n");
    claim("check { type = tcp }");
    usleep(20000);
    run(&c, GVS_CHECKER_NOT_FOUND, 0);
    claim_command("");
    run(&c, GVS_CHECKER_EXITED, 0);
    assert_string_equal(out(), "\n");
    print_message("a file that is wrong keeps its last good version\n");
    claim("check { type = smtp }");
    run(&c, GVS_CHECKER_EXITED, 0);
    assert_int_equal(unlink("services.d/web.conf"), 0);
    run(&c, GVS_CHECKER_NOT_FOUND, 0);
    end(&c);
}

static void
test_so_many_at_once_and_no_more(void **state)
{
    struct gvs_checker_answer a;
    struct gvs_child c;
    unsigned full = 0, late = 0;

    (void)state;
    write_program("sleep 60");
    claim_within("", 10); /* the first is not to be late before the last has been asked for */
    start(&c);
    for (uint64_t i = 1; i <= GVS_CHECKER_MAX + 3; i++)
        assert_int_equal(gvs_checker_ask(&c, i, &web, &server), GVS_OK);
    for (size_t i = 0; i < GVS_CHECKER_MAX + 3; i++) {
        assert_int_equal(await(&c, &a), GVS_OK);
        full += a.end == GVS_CHECKER_FULL;
        late += a.end == GVS_CHECKER_LATE;
    }
    assert_int_equal(full, 3);
    assert_int_equal(late, GVS_CHECKER_MAX);
    write_program("exit 0");
    run(&c, GVS_CHECKER_EXITED, 0);
    end(&c);
}

static void
test_who_asks_for_something_else_is_not_the_agent(void **state)
{
    struct gvs_checker_answer a;
    struct gvs_child c;

    (void)state;
    start(&c);
    assert_int_equal(send(c.fd, "/bin/sh -c true", 15, MSG_NOSIGNAL), 15);
    assert_int_equal(await(&c, &a), GVS_E_LOST);
    end(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_command_has_its_words_its_backend_and_nothing_else),
        cmocka_unit_test(test_each_way_to_end_is_told),
        cmocka_unit_test(test_what_does_not_end_is_killed_with_all_its_kin),
        cmocka_unit_test(test_what_a_command_leaves_behind_is_killed),
        cmocka_unit_test(test_with_the_agent_goes_what_runs),
        cmocka_unit_test(test_nothing_runs_that_does_not_stand_there),
        cmocka_unit_test(test_so_many_at_once_and_no_more),
        cmocka_unit_test(test_who_asks_for_something_else_is_not_the_agent),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
