/* tools/cli/top.c: top, which asks for vip list every two seconds and shows it as a table, the
 * busiest first.
 *
 * On a terminal it is drawn over from the first line on, without a blank moment. What that changes
 * of the terminal is changed back however it ends: the signals that end it are blocked, and read
 * like keys. While the agent is asked nobody reads them, and so he gets less time than usual. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "tools/cli/cli.h"

#define PERIOD_MS 2000
#define ASK_SECONDS 1
#define TOP_MAX 1000                     /* that the agent tells */
#define ENTER "\033[2J\033[?25l\033[?7l" /* empty; no cursor; no wrapping */
#define LEAVE "\033[?7h\033[?25h"

struct top {
    struct gvs_cli *cli;
    bool terminal, keys;  /* stdout is one; stdin is one */
    struct termios saved; /* of stdin */
    sigset_t signals;
    int signal_fd;
    int ended_by; /* a signal */
};

static void
open_keys(struct top *t)
{
    struct termios raw;

    t->keys = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &t->saved) == 0;
    if (!t->keys)
        return;
    raw = t->saved;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VSUSP] = _POSIX_VDISABLE; /* whoever stopped it would be left with this screen */
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

static void
open_top(struct top *t)
{
    sigemptyset(&t->signals);
    sigaddset(&t->signals, SIGINT);
    sigaddset(&t->signals, SIGTERM);
    sigaddset(&t->signals, SIGHUP);
    sigaddset(&t->signals, SIGQUIT);
    sigprocmask(SIG_BLOCK, &t->signals, NULL);
    t->signal_fd = signalfd(-1, &t->signals, SFD_CLOEXEC);
    t->terminal = isatty(STDOUT_FILENO);
    if (!t->terminal)
        return;
    open_keys(t);
    fputs(ENTER, stdout);
}

static void
close_top(struct top *t)
{
    if (t->terminal)
        fputs(LEAVE, stdout);
    fflush(stdout);
    if (t->keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &t->saved);
    if (t->signal_fd >= 0)
        close(t->signal_fd);
    if (t->ended_by == 0 || t->ended_by == SIGINT)
        return;
    sigprocmask(SIG_UNBLOCK, &t->signals, NULL);
    raise(t->ended_by);
}

static int
terminal_rows(void)
{
    struct winsize size = {0};

    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : 24;
}

/* So many lines as fit, each to its end, and nothing below. */
static void
draw_over(const char *text)
{
    int rows = terminal_rows();

    fputs("\033[H", stdout);
    for (int row = 1; row < rows && *text; row++) {
        size_t len = strcspn(text, "\n");

        printf("%.*s\033[K\n", (int)len, text);
        text += len + (text[len] == '\n');
    }
    fputs("\033[J", stdout);
}

static void
draw(const struct top *t, const json_t *doc, bool first)
{
    struct gvs_screen s = t->cli->screen;
    char *text = NULL;
    size_t len;

    s.out = gvs_print_need(open_memstream(&text, &len));
    gvs_screen_top(&s, doc);
    fclose(s.out);
    gvs_print_need(text);
    if (t->terminal)
        draw_over(text);
    else
        printf("%s%s", first ? "" : "\n", text);
    fflush(stdout);
    free(text);
}

/* Two seconds, or until a key; false: somebody wants it to end. */
static bool
pause_top(struct top *t)
{
    struct pollfd p[2] = {{t->signal_fd, POLLIN, 0}, {t->keys ? STDIN_FILENO : -1, POLLIN, 0}};
    struct signalfd_siginfo info;
    char key = 0;

    if (poll(p, 2, PERIOD_MS) <= 0)
        return true;
    if (p[0].revents) {
        if (read(t->signal_fd, &info, sizeof info) == sizeof info)
            t->ended_by = (int)info.ssi_signo;
        return false;
    }
    return read(STDIN_FILENO, &key, 1) == 1 && key != 'q' && key != 'Q';
}

/* On a terminal, who is not on the screen need not be told of. */
static int
ask(struct gvs_cli *c, json_t **doc)
{
    char number[16], *words[] = {(char[]){"--top"}, number};
    bool all = c->json || !isatty(STDOUT_FILENO);
    int rows = terminal_rows();

    snprintf(number, sizeof number, "%d", rows < TOP_MAX ? rows : TOP_MAX);
    return gvs_cli_talk(c, "vip list", words, all ? 0 : 2, true, doc);
}

static int
show_once(struct gvs_cli *c)
{
    json_t *doc;
    int rc = gvs_cli_talk(c, "vip list", NULL, 0, true, &doc);

    if (rc == GVS_EXIT_OK && !c->json)
        gvs_screen_top(&c->screen, doc);
    json_decref(doc);
    return rc;
}

int
gvs_cli_top(struct gvs_cli *c)
{
    bool once = c->count == 1 && strcmp(c->words[0], "--once") == 0;
    struct top t = {.cli = c};
    int rc = GVS_EXIT_OK;

    if (c->count > 0 && !once)
        return gvs_cli_usage(c, "top: --once, and nothing else");
    if (once)
        return show_once(c);
    c->seconds = c->seconds < ASK_SECONDS ? c->seconds : ASK_SECONDS;
    for (bool first = true;; first = false) {
        json_t *doc;

        rc = ask(c, &doc);
        if (rc == GVS_EXIT_OK && first)
            open_top(&t); /* what is wrong from the start is told on the screen that is there */
        if (rc == GVS_EXIT_OK && !c->json)
            draw(&t, doc, first);
        json_decref(doc);
        if (rc != GVS_EXIT_OK || ferror(stdout) || !pause_top(&t)) {
            if (rc == GVS_EXIT_OK || !first)
                close_top(&t);
            return rc;
        }
    }
}
