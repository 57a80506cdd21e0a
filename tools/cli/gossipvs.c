/* gossipvs: the command line. It turns words into requests of docs/control.md and answers into
 * screens; what the words mean is the agent's business. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/cli/cli.h"

#define SOCKET_DEFAULT "/run/gossipvs/gossipvs.sock"
#define SECONDS_DEFAULT 10

/* --- the table of commands ------------------------------------------------------------------ */

enum group { LATER = 0, SEE, CHANGE, RUN, GROUPS };

struct command {
    const char *words;
    enum group group; /* LATER: not in this version */
    const char *args;
    const char *what;
    int (*run)(struct gvs_cli *c);
    void (*show)(const struct gvs_screen *s, const json_t *doc);
};

static const struct command commands[] = {
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
    {"confirm", CHANGE, "", "Keep what apply --confirm changed. On any node.", gvs_cli_change,
     NULL},
    {"rollback", CHANGE, "", "Go back from what apply --confirm changed, at once. On any node.",
     gvs_cli_change, NULL},
    {"import", CHANGE, " --from ipvsadm|keepalived FILE|-",
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
    {"forget", RUN, " NODE",
     "Retire a dead member, by name or id: what it claimed does not count any more, for ever.",
     gvs_cli_change, NULL},
    {"leave", RUN, " [--withdraw]",
     "Retire this node: its claims count no more, its kernel stays as it is, the agent exits.\n"
     "--withdraw: not in this version.",
     gvs_cli_change, NULL},
    {"brake release", RUN, "",
     "Let go at once what a mass deletion by others would remove, and the brake holds.",
     gvs_cli_change, NULL},
    {"config check", RUN, " [FILE]", "Would the agent start with this configuration?",
     gvs_cli_config_check, NULL},
    {"version", RUN, "", "Print the version of this program.", gvs_cli_version, NULL},
    {"top", LATER, "", "", NULL, NULL},
    {"config show", LATER, "", "", NULL, NULL},
    {"completion bash", LATER, "", "", NULL, NULL},
};
#define COMMANDS (sizeof commands / sizeof *commands)

static size_t
noun_len(const char *words)
{
    return strcspn(words, " ");
}

static bool
is_noun(const char *words, const char *noun)
{
    return strlen(noun) == noun_len(words) && memcmp(words, noun, noun_len(words)) == 0;
}

/* How many of the words are the command; 0 if it is another one. */
static size_t
matches(const struct command *k, char *const *words, size_t count)
{
    const char *verb = k->words + noun_len(k->words);

    if (count == 0 || !is_noun(k->words, words[0]))
        return 0;
    if (*verb == '\0')
        return 1;
    return count > 1 && strcmp(verb + 1, words[1]) == 0 ? 2 : 0;
}

/* --- unknown words -------------------------------------------------------------------------- */

/* "vip: list, show, add, set or del expected" */
static void
verb_expected(struct gvs_fault *f, const char *noun)
{
    char list[160] = "";
    size_t at = 0;

    for (size_t i = 0; i < COMMANDS; i++)
        if (is_noun(commands[i].words, noun) && at < sizeof list)
            at += (size_t)snprintf(list + at, sizeof list - at, "%s%s", at ? ", " : "",
                                   commands[i].words + strlen(noun) + 1);
    gvs_fault_set(f, GVS_EXIT_USAGE, "%s what? (%s)", noun, list);
    gvs_fault_hint(f, "gossipvs %s --help", noun);
}

static void
unknown_command(struct gvs_fault *f, char *const *words, size_t count)
{
    const char *known[COMMANDS + 1] = {NULL}, *near;
    bool noun = false;
    char pair[96];

    for (size_t i = 0; i < COMMANDS; i++) {
        known[i] = commands[i].words;
        noun |= is_noun(commands[i].words, words[0]);
    }
    if (noun && count == 1) {
        verb_expected(f, words[0]);
        return;
    }
    snprintf(pair, sizeof pair, "%s%s%s", words[0], count > 1 ? " " : "",
             count > 1 ? words[1] : "");
    near = gvs_nearest(pair, known);
    gvs_fault_set(f, GVS_EXIT_USAGE, "no command '%s'", noun || near ? pair : words[0]);
    if (!near && !noun)
        near = gvs_nearest(words[0], known);
    if (near)
        gvs_fault_hint(f, "did you mean '%s'?", near);
    else
        gvs_fault_hint(f, noun ? "gossipvs %s --help" : "gossipvs --help", words[0]);
}

/* --- help ----------------------------------------------------------------------------------- */

/* "See:     status  members  vip list|show  plan": the verbs of a noun stand together. */
static void
print_group(const char *title, enum group group)
{
    const char *noun = "";

    printf("%-9s", title);
    for (size_t i = 0; i < COMMANDS; i++) {
        const char *words = commands[i].words, *verb = words + noun_len(words);

        if (commands[i].group != group)
            continue;
        if (*verb && strncmp(noun, words, noun_len(words) + 1) == 0)
            printf("|%s", verb + 1);
        else
            printf("%s%s", *noun ? "  " : "", words);
        noun = words;
    }
    putchar('\n');
}

static int
print_help(void)
{
    static const char *const titles[GROUPS] = {
        [SEE] = "See:", [CHANGE] = "Change:", [RUN] = "Run:"};

    puts("Usage: gossipvs [OPTIONS] [COMMAND]        with no command: status\n"
         "  gossipvs vip add web 10.99.0.1:80/tcp scheduler mh     "
         "tell the whole cluster about a VIP\n"
         "  gossipvs backend add web 10.77.0.4:80 weight 10        give it a server\n"
         "  gossipvs backend drain web 10.77.0.4:80 --wait 60      "
         "take it out without cutting anybody\n"
         "  gossipvs status --wait-converged 10                    until every node has done it");
    for (enum group g = SEE; g < GROUPS; g++)
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
        const struct command *k = &commands[i];

        if (!matches(k, words, count) && !(count == 1 && is_noun(k->words, words[0])))
            continue;
        printf("%sgossipvs %s%s\n%s\n", printed ? "\n" : "", k->words, k->args,
               k->group == LATER ? "Not in this version." : k->what);
        printed++;
    }
    return printed;
}

/* --- arguments ------------------------------------------------------------------------------ */

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

static int
parse(struct arguments *a, int argc, char **argv)
{
    const struct argp argp = {options, parse_option, NULL, NULL, NULL, NULL, NULL};
    const unsigned flags = ARGP_IN_ORDER | ARGP_NO_ERRS | ARGP_NO_HELP | ARGP_NO_EXIT;

    if (argp_parse(&argp, argc, argv, flags, NULL, a) == 0)
        return take_late_options(a);
    if (!a->fault.text[0]) {
        const char *word = argv[a->next ? a->next : 1];

        gvs_fault_set(&a->fault, GVS_EXIT_USAGE,
                      strcmp(word, "-n") == 0 || strcmp(word, "-S") == 0 ? "%s takes a value"
                                                                         : "no option '%s'",
                      word);
    }
    gvs_fault_hint(&a->fault, "gossipvs --help");
    return -1;
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
    if (a->help && print_usage(a->words, a->count) > 0)
        return GVS_EXIT_OK;
    if (a->count == 0) {
        a->words = bare;
        a->count = 1;
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        size_t n = matches(&commands[i], a->words, a->count);

        if (n == 0)
            continue;
        if (commands[i].group == LATER) {
            gvs_fault_set(&a->fault, GVS_EXIT_USAGE, "'%s': not in this version",
                          commands[i].words);
            return gvs_cli_fail(c, &a->fault);
        }
        c->command = commands[i].words;
        c->show = commands[i].show;
        c->words = a->words + n;
        c->count = a->count - n;
        return commands[i].run(c);
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
    int rc = parse(&a, argc, argv) < 0 ? gvs_cli_fail(&a.cli, &a.fault) : run(&a);

    gvs_client_close(&a.cli.client);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "gossipvs: the answer could not be written: %s\n", strerror(errno));
        rc = rc ? rc : GVS_EXIT_NO;
    }
    return rc;
}
