/* tools/cli/commands.h: what gossipvs knows. One row a command, in gossipvs.c: from it come help,
 * what an unknown word was meant to be, and completion.
 *
 * The usage line is the grammar. Capitals stand for something, what is in small letters or begins
 * with a dash is written as it is; what is in brackets may be left out, and has no order; `a|b` is
 * one of them; `...` as often as one likes; WORD VALUE is a pair of the noun's add:
 *
 *     VIP ADDR:PORT [weight N] [forward nat|dr|tun] [--force]
 */
#pragma once

#include "tools/cli/cli.h"

enum gvs_command_group {
    GVS_COMMAND_SEE = 0,
    GVS_COMMAND_CHANGE,
    GVS_COMMAND_RUN,
    GVS_COMMAND_GROUPS
};

struct gvs_command {
    const char *words; /* noun, or noun and verb */
    enum gvs_command_group group;
    const char *args; /* usage: what follows */
    const char *what; /* help */
    int (*run)(struct gvs_cli *c);
    void (*show)(const struct gvs_screen *s, const json_t *doc);
};

/* Ends with a row whose words are NULL. */
extern const struct gvs_command gvs_commands[];

#define GVS_USAGE_CHANGE " [--peers N] [--if-stamp S] [--dry-run]"
/* Before every command, or behind it. */
#define GVS_USAGE_OPTIONS " [-S SOCKET] [-j] [-q] [-n SECONDS] [-h] [--help] [--version]"

/* "vip" of "vip add"; the verb, or "" for a command of one word. */
bool gvs_command_has_noun(const struct gvs_command *k, const char *noun);
const char *gvs_command_verb(const struct gvs_command *k);
/* Does it take GVS_USAGE_CHANGE, too? What changes does, unless its own line has a part of that. */
bool gvs_command_takes_change(const struct gvs_command *k);
/* How many of the words are the command; 0 if it is another one. */
size_t gvs_command_matches(const struct gvs_command *k, char *const *words, size_t count);

/* usage.c. A part of a usage line: `--wait SECONDS` is a word and what follows it, VIP something
 * without a word. */
#define GVS_USAGE_LEN 32
struct gvs_usage_part {
    char word[GVS_USAGE_LEN];  /* "": none */
    char value[GVS_USAGE_LEN]; /* "": none */
    bool more;                 /* ... */
    bool optional;             /* it stood in brackets */
};

/* False: that was all. */
bool gvs_usage_next(const char **at, struct gvs_usage_part *part);

/* All that a command takes, what it has in common with others included, pairs instead of WORD
 * VALUE. Returns how many there are. */
#define GVS_USAGE_PARTS 32
size_t gvs_usage_parts(struct gvs_usage_part parts[static GVS_USAGE_PARTS],
                       const struct gvs_command *k);

/* GVS_OK, or a negative number with *f: an option that the command does not take, or more or fewer
 * words than it takes. What the words mean is not looked at. */
int gvs_usage_check(const struct gvs_command *k, char *const *words, size_t count,
                    struct gvs_fault *f);

/* complete.c */
int gvs_cli_completion(struct gvs_cli *c); /* completion bash */
/* What the last of the words could become, a line each, or ":files". Silent if the agent is. */
void gvs_cli_complete(struct gvs_cli *c, char **words, size_t count);
