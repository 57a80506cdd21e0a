/* gossipvs: the command line. It turns words into requests of docs/control.md and answers into
 * screens; what the words mean is the agent's business. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/cli/commands.h"

#define SOCKET_DEFAULT "/run/gossipvs/gossipvs.sock"
#define SECONDS_DEFAULT 10
#define HELP_COLUMNS 88 /* of a list of commands */

/* --- the table of commands --- */

#define SEE GVS_COMMAND_SEE
#define CHANGE GVS_COMMAND_CHANGE
#define RUN GVS_COMMAND_RUN

static int help(struct gvs_cli *c);

const struct gvs_command gvs_commands[] = {
    {"status", SEE, " [--wait-converged SECONDS]",
     "Health first, then this node, the table and the kernel; exit 0 if all is well, else 1.\n"
     "With --wait-converged: exit 0 as soon as every alive member has this table in its kernel,\n"
     "7 if that takes longer.",
     gvs_cli_status, NULL},
    {"members", SEE, " [--all]",
     "Who takes part, who is in step; --all: those that have left, too.", gvs_cli_show,
     gvs_screen_members},
    {"vip list", SEE, "", "All VIPs and their backends, with the connections of the last audit.",
     gvs_cli_vip_list, NULL},
    {"vip show", SEE, " VIP", "One VIP in full, with its connections now.", gvs_cli_show,
     gvs_screen_vip},
    {"top", SEE, " [--once]",
     "The busiest VIPs, every two seconds until q: new connections, packets and bytes a second\n"
     "through this node, and open connections, all as of the last audit.",
     gvs_cli_top, NULL},
    {"plan", SEE, " [-f FILE|DIR] [--prune]",
     "What this kernel lacks, from memory; with -f: what apply would write. Exit 1 if that is\n"
     "anything.",
     gvs_cli_plan, NULL},
    {"audit", SEE, " [--fix]",
     "What a look at this kernel finds otherwise than the table wants it; exit 1 if that is\n"
     "anything. --fix: put it right at once, and take over what is not ours in a VIP's place.",
     gvs_cli_changes, NULL},
    {"watch", SEE, " [--since SEQ] [GLOB]",
     "Each event as it happens; GLOB is matched with the event, the VIP, its name, the backend.",
     gvs_cli_watch, NULL},
    {"conflicts", SEE, "",
     "Claims that disagree now, and writes that overwrote one which their writer did not know.",
     gvs_cli_conflicts, NULL},
    {"metrics", SEE, "", "What status and members count, as Prometheus reads it.", gvs_cli_metrics,
     NULL},
    {"doctor", SEE, " [--fix NAME ...]",
     "Does this machine let IPVS do what the table asks of it? Each setting, why it matters, what\n"
     "to do; exit 1 if one is not as wanted. --fix: set what these names stand for, as root.",
     gvs_cli_doctor, NULL},
    {"export", SEE, " [--as conf|json|ipvsadm]",
     "The services of the table, in key order: as a file of services.d, as JSON that apply -f\n"
     "takes, or what this kernel is to hold in the words of ipvsadm -Sn.",
     gvs_cli_export, NULL},
    {"vip add", CHANGE,
     " NAME VIP [scheduler S] [flags F] [persistent SECONDS] [netmask M]\n"
     "                 [forward nat|dr|tun]",
     "Tell the whole cluster about a VIP: 10.99.0.1:80/tcp, [fd00::1]:80/udp, fwmark:5.",
     gvs_cli_change, NULL},
    {"vip set", CHANGE, " VIP WORD VALUE ...", "Change what is said of a VIP.", gvs_cli_change,
     NULL},
    {"vip del", CHANGE, " VIP [--force]",
     "Remove a VIP and its backends; --force: even if that cuts connections.", gvs_cli_change,
     NULL},
    {"backend add", CHANGE,
     " VIP ADDR:PORT [weight N] [forward nat|dr|tun]\n"
     "                 [tunnel ipip|gre|gue:PORT] [lower N] [upper N]",
     "Add a server to a VIP.", gvs_cli_change, NULL},
    {"backend set", CHANGE, " VIP ADDR:PORT WORD VALUE ...", "Change what is said of a server.",
     gvs_cli_change, NULL},
    {"backend drain", CHANGE, " VIP|all ADDR[:PORT] [--wait SECONDS]",
     "No new connections to a server, until undrain. --wait: until it has none on this node,\n"
     "or exit 7.",
     gvs_cli_drain, NULL},
    {"backend undrain", CHANGE, " VIP|all ADDR[:PORT] [--wait SECONDS]",
     "Let a drained server have connections again.", gvs_cli_drain, NULL},
    {"backend del", CHANGE, " VIP ADDR:PORT [--force]",
     "Remove a server when its connections have ended; --force: at once.", gvs_cli_change, NULL},
    {"apply", CHANGE, " -f FILE|DIR [--prune] [--confirm SECONDS] [--force]",
     "Make the cluster's claims what files say: as in services.d, or JSON of export; - is stdin.\n"
     "--prune: and nothing else (never a node's own); --force: even if that cuts connections.\n"
     "--confirm: every node goes back by itself, unless somebody confirms it in time.",
     gvs_cli_apply, NULL},
    {"confirm", CHANGE, " [--peers N]", "Keep what apply --confirm changed. On any node.",
     gvs_cli_change, NULL},
    {"rollback", CHANGE, " [--peers N]",
     "Go back from what apply --confirm changed, at once. On any node.", gvs_cli_change, NULL},
    {"import", CHANGE, " --from ipvsadm|keepalived FILE|- [--prune] [--confirm SECONDS] [--force]",
     "Apply what another program says: ipvsadm -Sn | gossipvs import --from ipvsadm -",
     gvs_cli_import, NULL},
    {"check", RUN, "",
     "A plugin for Nagios and its kin: one line; exit 0 ok, 1 warning, 2 critical, 3 not known.",
     gvs_cli_check, NULL},
    {"keys generate", RUN, "",
     "Print a new key as a line for the keyring: gossipvs keys generate > keyring",
     gvs_cli_keys_generate, NULL},
    {"keys list", RUN, "",
     "The keys of this node and of all members by id: who begins with which, who lacks which.",
     gvs_cli_keys_list, NULL},
    {"reload", RUN, " [--force]",
     "Have the agent read its configuration, its keyring and its claims again.\n"
     "--force: even if a member that is alive lacks the new primary key.",
     gvs_cli_change, NULL},
    {"forget", RUN, " NODE [--peers N]",
     "Retire a dead member, by name or id: what it claimed does not count any more, for ever.",
     gvs_cli_change, NULL},
    {"leave", RUN, " [--withdraw]",
     "Retire this node: its claims count no more, its kernel stays as it is, the agent exits.\n"
     "--withdraw: first all that is ours leaves this kernel, connections within drain seconds.",
     gvs_cli_leave, NULL},
    {"brake release", RUN, "",
     "Let go at once what a mass deletion by others would remove, and the brake holds.",
     gvs_cli_change, NULL},
    {"config check", RUN, " [FILE]", "Would the agent start with this configuration?",
     gvs_cli_config_check, NULL},
    {"config show", RUN, " [--origin]",
     "The configuration that this node's agent runs with, as a file of it; --origin: and where "
     "each\n"
     "value comes from.",
     gvs_cli_config_show, NULL},
    {"completion bash", RUN, "",
     "Print what makes bash complete gossipvs: . <(gossipvs completion bash)", gvs_cli_completion,
     NULL},
    {"help", RUN, " [COMMAND ...]", "What there is, or what a command takes; as --help.", help,
     NULL},
    {"version", RUN, "", "Print the version of this program.", gvs_cli_version, NULL},
    {NULL, 0, NULL, NULL, NULL, NULL},
};
#define COMMANDS (sizeof gvs_commands / sizeof *gvs_commands - 1)

/* --- unknown words --- */

/* "vip: list, show, add, set or del expected" */
static void
verb_expected(struct gvs_fault *f, const char *noun)
{
    char list[160] = "";
    size_t at = 0;

    for (size_t i = 0; i < COMMANDS; i++)
        if (gvs_command_has_noun(&gvs_commands[i], noun) && at < sizeof list)
            at += (size_t)snprintf(list + at, sizeof list - at, "%s%s", at ? ", " : "",
                                   gvs_command_verb(&gvs_commands[i]));
    gvs_fault_set(f, GVS_EXIT_USAGE, "%s what? (%s)", noun, list);
    gvs_fault_hint(f, "gossipvs %s --help", noun);
}

/* The noun that was meant; "": none is near. */
static void
nearest_noun(char noun[static GVS_USAGE_LEN], const char *word)
{
    char nouns[COMMANDS][GVS_USAGE_LEN];
    const char *known[COMMANDS + 1] = {NULL}, *near;

    for (size_t i = 0; i < COMMANDS; i++) {
        const char *words = gvs_commands[i].words;

        snprintf(nouns[i], sizeof nouns[i], "%.*s", (int)strcspn(words, " "), words);
        known[i] = nouns[i];
    }
    near = gvs_nearest(word, known);
    snprintf(noun, GVS_USAGE_LEN, "%s", near ? near : "");
}

/* Of a noun the verb that was meant, or NULL. */
static const char *
nearest_verb(const char *noun, const char *word)
{
    const char *known[COMMANDS + 1] = {NULL};
    size_t count = 0;

    for (size_t i = 0; i < COMMANDS; i++)
        if (gvs_command_has_noun(&gvs_commands[i], noun) && *gvs_command_verb(&gvs_commands[i]))
            known[count++] = gvs_command_verb(&gvs_commands[i]);
    return gvs_nearest(word, known);
}

static bool
has_verbs(const char *noun)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (gvs_command_has_noun(&gvs_commands[i], noun) && *gvs_command_verb(&gvs_commands[i]))
            return true;
    return false;
}

static void
unknown_command(struct gvs_fault *f, char *const *words, size_t count)
{
    char noun[GVS_USAGE_LEN];
    const char *verb;
    bool right, two;

    nearest_noun(noun, words[0]);
    two = count > 1 && has_verbs(noun);
    verb = two ? nearest_verb(noun, words[1]) : NULL;
    right = strcmp(noun, words[0]) == 0;
    if (right && count == 1) {
        verb_expected(f, noun);
        return;
    }
    gvs_fault_set(f, GVS_EXIT_USAGE, "no command '%s%s%s'", words[0], two ? " " : "",
                  two ? words[1] : "");
    if (verb)
        gvs_fault_hint(f, "did you mean '%s %s'?", noun, verb);
    else if (noun[0] && !right)
        gvs_fault_hint(f, "did you mean '%s'?", noun);
    else
        gvs_fault_hint(f, right ? "gossipvs %s --help" : "gossipvs --help", noun);
}

/* --- help --- */

/* "status  members  vip list|show  plan": the verbs of a noun stand together. */
static void
list_group(char *text, size_t cap, enum gvs_command_group group)
{
    const char *noun = "";
    size_t at = 0;

    for (size_t i = 0; i < COMMANDS && at < cap; i++) {
        const char *words = gvs_commands[i].words, *verb = gvs_command_verb(&gvs_commands[i]);
        bool again = *verb && strncmp(noun, words, (size_t)(verb - words)) == 0;

        if (gvs_commands[i].group != group)
            continue;
        at += (size_t)snprintf(text + at, cap - at, "%s%s",
                               again   ? "|"
                               : *noun ? "  "
                                       : "",
                               again ? verb : words);
        noun = words;
    }
}

/* In as many lines as it takes. */
static void
print_group(const char *title, enum gvs_command_group group)
{
    char text[512] = "", *rest = text;
    size_t column = 0;

    list_group(text, sizeof text, group);
    printf("%-9s", title);
    while (*rest) {
        char *end = strstr(rest, "  ");
        size_t len = end ? (size_t)(end - rest) : strlen(rest);

        if (column > 0)
            printf("%s", column + len > HELP_COLUMNS ? "\n         " : "  ");
        column = column + len > HELP_COLUMNS ? 0 : column;
        printf("%.*s", (int)len, rest);
        column += len + 2;
        rest += len + (end ? 2 : 0);
    }
    putchar('\n');
}

static int
print_help(void)
{
    static const char *const titles[GVS_COMMAND_GROUPS] = {
        [SEE] = "See:", [CHANGE] = "Change:", [RUN] = "Run:"};

    puts("Usage: gossipvs [OPTIONS] [COMMAND]        with no command: status\n"
         "  gossipvs vip add web 10.99.0.1:80/tcp scheduler mh     "
         "tell the whole cluster about a VIP\n"
         "  gossipvs backend add web 10.77.0.4:80 weight 10        give it a server\n"
         "  gossipvs backend drain web 10.77.0.4:80 --wait 60      "
         "take it out without cutting anybody\n"
         "  gossipvs status --wait-converged 10                    until every node has done it");
    for (enum gvs_command_group g = SEE; g < GVS_COMMAND_GROUPS; g++)
        print_group(titles[g], g);
    puts("Options: -j JSON   -q no confirmations   -n SECONDS to wait (10)   -S SOCKET   "
         "--version\n"
         "More:    gossipvs COMMAND --help, man gossipvs");
    return GVS_EXIT_OK;
}

/* Every command that begins with the words. Returns how many there were. */
static size_t
print_usage(char *const *words, size_t count)
{
    size_t printed = 0;

    for (size_t i = 0; i < COMMANDS; i++) {
        const struct gvs_command *k = &gvs_commands[i];

        if (!gvs_command_matches(k, words, count) &&
            !(count == 1 && gvs_command_has_noun(k, words[0])))
            continue;
        printf("%sgossipvs %s%s\n%s\n", printed ? "\n" : "", k->words, k->args, k->what);
        if (gvs_command_takes_change(k))
            puts("Also:" GVS_USAGE_CHANGE);
        printed++;
    }
    return printed;
}

/* help, and --help behind words: exit 2 if they are no command. */
static int
help(struct gvs_cli *c)
{
    struct gvs_fault f;

    if (c->count == 0)
        return print_help();
    if (print_usage(c->words, c->count) > 0)
        return GVS_EXIT_OK;
    unknown_command(&f, c->words, c->count);
    return gvs_cli_fail(c, &f);
}

/* --- arguments --- */

struct arguments {
    struct gvs_cli cli;
    bool help, version;
    struct gvs_fault fault; /* text "": none */
    char **words;           /* noun, verb and the rest */
    size_t count;
    int next; /* the word behind the last option that was understood; 0: none was */
};

static const struct argp_option options[] = {
    {NULL, 'S', "SOCKET", 0, NULL, 0},
    {NULL, 'j', NULL, 0, NULL, 0},
    {NULL, 'q', NULL, 0, NULL, 0},
    {NULL, 'n', "SECONDS", 0, NULL, 0},
    {"help", 'h', NULL, 0, NULL, 0},
    {"version", 'V', NULL, 0, NULL, 0},
    {0},
};

static error_t
take_option(struct arguments *a, int key, const char *value)
{
    switch (key) {
    case 'S':
        a->cli.socket = value;
        return 0;
    case 'n':
        a->cli.seconds_said = true;
        return gvs_cli_seconds(&a->cli.seconds, "-n", value, &a->fault) < 0 ? EINVAL : 0;
    case 'j':
        a->cli.json = true;
        return 0;
    case 'q':
        a->cli.quiet = true;
        return 0;
    case 'h':
        a->help = true;
        return 0;
    case 'V':
        a->version = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t
parse_option(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;
    error_t rc;

    if (key != ARGP_KEY_ARG) {
        rc = take_option(a, key, arg);
        a->next = rc == 0 ? state->next : a->next;
        return rc;
    }
    a->words = state->argv + state->next - 1;
    a->count = (size_t)state->argc - (size_t)state->next + 1;
    state->next = state->argc; /* the rest is the command's */
    return 0;
}

/* People also write an option behind the command. No command has a word of its own like that. */
static int
take_late_options(struct arguments *a)
{
    size_t kept = 0;

    for (size_t i = 0; i < a->count; i++) {
        const char *word = a->words[i], *value = i + 1 < a->count ? a->words[i + 1] : NULL;
        bool known = word[0] == '-' && word[1] && !word[2] && strchr("jqhnS", word[1]);

        if (strcmp(word, "--help") == 0) {
            a->help = true;
        } else if (strcmp(word, "--version") == 0) {
            a->version = true;
        } else if (!known) {
            a->words[kept++] = a->words[i];
        } else if (!strchr("nS", word[1])) {
            take_option(a, word[1], NULL);
        } else if (!value) {
            return gvs_fault_set(&a->fault, GVS_EXIT_USAGE, "%s takes a value", word);
        } else if (take_option(a, word[1], value) != 0) {
            return -1;
        } else {
            i++;
        }
    }
    a->count = kept;
    return GVS_OK;
}

static void
unknown_option(struct gvs_fault *f, const char *word)
{
    bool valued = strcmp(word, "-n") == 0 || strcmp(word, "-S") == 0;
    struct gvs_usage_part known[GVS_USAGE_PARTS];
    const char *names[GVS_USAGE_PARTS + 1] = {NULL}, *at = GVS_USAGE_OPTIONS, *near;

    for (size_t i = 0; gvs_usage_next(&at, &known[i]); i++)
        names[i] = known[i].word;
    near = word[0] == '-' && word[1] == '-' ? gvs_nearest(word, names) : NULL;
    gvs_fault_set(f, GVS_EXIT_USAGE, valued ? "%s takes a value" : "no option '%s'", word);
    if (near)
        gvs_fault_hint(f, "did you mean '%s'?", near);
}

static int
parse(struct arguments *a, int argc, char **argv)
{
    const struct argp argp = {options, parse_option, NULL, NULL, NULL, NULL, NULL};
    const unsigned flags = ARGP_IN_ORDER | ARGP_NO_ERRS | ARGP_NO_HELP | ARGP_NO_EXIT;

    if (argp_parse(&argp, argc, argv, flags, NULL, a) == 0)
        return take_late_options(a);
    if (!a->fault.text[0])
        unknown_option(&a->fault, argv[a->next ? a->next : 1]);
    if (!a->fault.hint[0])
        gvs_fault_hint(&a->fault, "gossipvs --help");
    return -1;
}

/* `n` of the words are the command. */
static int
run_command(struct arguments *a, const struct gvs_command *k, size_t n)
{
    struct gvs_cli *c = &a->cli;

    c->command = k->words;
    c->show = k->show;
    c->words = a->words + n;
    c->count = a->count - n;
    if (k->run != gvs_cli_check && /* whose exits are another program's */
        gvs_usage_check(k, c->words, c->count, &a->fault) < 0)
        return gvs_cli_fail(c, &a->fault);
    return k->run(c);
}

static int
run(struct arguments *a)
{
    char status[] = "status", *bare[] = {status};
    struct gvs_cli *c = &a->cli;

    if (a->version) {
        c->command = "version";
        return gvs_cli_version(c);
    }
    if (a->help && a->count == 0)
        return print_help();
    if (a->count == 2 && strcmp(a->words[1], "help") == 0 && has_verbs(a->words[0])) {
        a->help = true; /* "vip help": no verb is called so */
        a->count = 1;
    }
    if (a->help && print_usage(a->words, a->count) > 0)
        return GVS_EXIT_OK;
    if (a->count == 0) {
        a->words = bare;
        a->count = 1;
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        size_t n = gvs_command_matches(&gvs_commands[i], a->words, a->count);

        if (n > 0)
            return run_command(a, &gvs_commands[i], n);
    }
    unknown_command(&a->fault, a->words, a->count);
    return gvs_cli_fail(c, &a->fault);
}

static bool
wants_colour(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

    return isatty(STDOUT_FILENO) && !(no && no[0]) && term && strcmp(term, "dumb") != 0;
}

int
main(int argc, char **argv)
{
    const char *socket = getenv("GOSSIPVS_SOCKET");
    struct arguments a = {.cli = {.socket = socket && socket[0] ? socket : SOCKET_DEFAULT,
                                  .seconds = SECONDS_DEFAULT,
                                  .client = {.fd = -1},
                                  .screen = {stdout, wants_colour()}}};
    int rc = GVS_EXIT_OK;

    if (argc > 1 && strcmp(argv[1], "__complete") == 0) /* for the shell: in no help */
        gvs_cli_complete(&a.cli, argv + 2, (size_t)argc - 2);
    else
        rc = parse(&a, argc, argv) < 0 ? gvs_cli_fail(&a.cli, &a.fault) : run(&a);

    gvs_client_close(&a.cli.client);
    json_decref(a.cli.changes.last);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "gossipvs: the answer could not be written: %s\n", strerror(errno));
        rc = rc ? rc : GVS_EXIT_NO;
    }
    return rc;
}
