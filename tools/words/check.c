/* tools/words/check.c */
#include "tools/words/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/err.h"
#include "tools/words/syntax.h"

#define BLANKS " \t"
#define COUNT_MAX 100
#define SECONDS_MAX 3600

void
gvs_check_begin(struct gvs_check *c, unsigned line)
{
    *c = (struct gvs_check){.interval = 2, .timeout = 1, .rise = 2, .fall = 3, .line = line};
}

__attribute__((format(printf, 4, 5))) static int
refuse(const char *word, const char *text, struct gvs_fault *fault, const char *fmt, ...)
{
    char why[128];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    return gvs_fault_set(fault, GVS_EXIT_USAGE, "%s = %.100s: %s", word, text[0] ? text : "\"\"",
                         why);
}

/* One of two words: true if it is the first. */
static int
either(bool *first, const char *word, const char *text, const char *const two[static 2],
       struct gvs_fault *fault)
{
    *first = strcmp(text, two[0]) == 0;
    if (*first || strcmp(text, two[1]) == 0)
        return GVS_OK;
    return refuse(word, text, fault, "%s or %s expected", two[0], two[1]);
}

static int
give_type(struct gvs_check *c, const char *text, struct gvs_fault *fault)
{
    static const char *const types[] = {"tcp", "exec"};
    bool tcp;

    if (either(&tcp, "type", text, types, fault) < 0)
        return -1;
    c->type = tcp ? GVS_CHECK_TCP : GVS_CHECK_EXEC;
    return GVS_OK;
}

static int
give_start(struct gvs_check *c, const char *text, struct gvs_fault *fault)
{
    static const char *const states[] = {"up", "down"};

    return either(&c->start_up, "start", text, states, fault);
}

static int
give_seconds(unsigned *out, const char *word, const char *text, struct gvs_fault *fault)
{
    if (gvs_syntax_seconds(out, text, 1, SECONDS_MAX) < 0)
        return refuse(word, text, fault, "seconds expected, 1 to %d", SECONDS_MAX);
    return GVS_OK;
}

static int
give_count(unsigned *out, const char *word, const char *text, struct gvs_fault *fault)
{
    if (gvs_syntax_number(out, text, 1, COUNT_MAX) < 0)
        return refuse(word, text, fault, "a number expected, 1 to %d", COUNT_MAX);
    return GVS_OK;
}

static int
give_command(struct gvs_check *c, const char *text, struct gvs_fault *fault)
{
    char copy[GVS_CHECK_COMMAND_MAX], *words[GVS_CHECK_WORDS_MAX + 1];
    size_t len = strlen(text);

    if (text[0] != '/')
        return refuse("command", text, fault, "the whole path of a program expected");
    if (len >= sizeof c->command)
        return refuse("command", text, fault, "longer than %d characters",
                      GVS_CHECK_COMMAND_MAX - 1);
    memcpy(c->command, text, len + 1);
    if (gvs_check_split(copy, text, words) > GVS_CHECK_WORDS_MAX)
        return refuse("command", text, fault, "more than %d words", GVS_CHECK_WORDS_MAX);
    return GVS_OK;
}

int
gvs_check_word(struct gvs_check *c, const char *word, const char *text, struct gvs_fault *fault)
{
    if (strcmp(word, "type") == 0)
        return give_type(c, text, fault);
    if (strcmp(word, "interval") == 0)
        return give_seconds(&c->interval, word, text, fault);
    if (strcmp(word, "timeout") == 0)
        return give_seconds(&c->timeout, word, text, fault);
    if (strcmp(word, "rise") == 0)
        return give_count(&c->rise, word, text, fault);
    if (strcmp(word, "fall") == 0)
        return give_count(&c->fall, word, text, fault);
    if (strcmp(word, "start") == 0)
        return give_start(c, text, fault);
    return give_command(c, text, fault);
}

int
gvs_check_judge(const struct gvs_check *c, const struct gvs_ep *ep, struct gvs_fault *fault)
{
    if (c->type == GVS_CHECK_NOT_GIVEN)
        return gvs_fault_set(fault, GVS_EXIT_USAGE, "check has no type (tcp or exec)");
    if (c->type == GVS_CHECK_EXEC && !c->command[0])
        return gvs_fault_set(fault, GVS_EXIT_USAGE, "check of type exec has no command");
    if (c->type == GVS_CHECK_TCP && c->command[0])
        return gvs_fault_set(fault, GVS_EXIT_USAGE, "check of type tcp runs no command");
    if (c->type == GVS_CHECK_TCP && ep->port == 0)
        return gvs_fault_set(fault, GVS_EXIT_USAGE,
                             "check of type tcp needs a port, and the backend's is 0");
    if (c->timeout > c->interval)
        return gvs_fault_set(fault, GVS_EXIT_USAGE,
                             "check has a timeout (%u s) beyond its interval (%u s)", c->timeout,
                             c->interval);
    return GVS_OK;
}

bool
gvs_check_equal(const struct gvs_check *a, const struct gvs_check *b)
{
    if (!a || !b)
        return a == b;
    return a->type == b->type && a->interval == b->interval && a->timeout == b->timeout &&
           a->rise == b->rise && a->fall == b->fall && a->start_up == b->start_up &&
           a->line == b->line && strcmp(a->command, b->command) == 0;
}

size_t
gvs_check_split(char copy[static GVS_CHECK_COMMAND_MAX], const char *command,
                char *words[static GVS_CHECK_WORDS_MAX + 1])
{
    size_t count = 0;
    char *at = copy;

    memcpy(copy, command, strlen(command) + 1);
    words[0] = NULL;
    while (*(at += strspn(at, BLANKS))) {
        if (count < GVS_CHECK_WORDS_MAX) {
            words[count] = at;
            words[count + 1] = NULL;
        }
        count++;
        at += strcspn(at, BLANKS);
        if (*at)
            *at++ = 0;
    }
    return count;
}
