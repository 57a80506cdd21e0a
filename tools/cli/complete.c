/* tools/cli/complete.c: what a word that is being typed could become.
 *
 * The shell's part, below, hands over the words up to the cursor. They are walked along the usage
 * line of their command (commands.h); what may stand next there is printed, as far as it begins
 * like the last word. What the cluster has is asked of the agent, who gets half a second: who waits
 * for a completion is better served by none. */
#include <stdlib.h>
#include <string.h>

#include "core/value.h"
#include "ipvs/doctor.h"
#include "tools/cli/commands.h"
#include "tools/words/words.h"

#define ASK_SECONDS 0.5

/* bash cuts words at each ':' too, and wants what is behind the last one alone. */
static const char script[] =
    "# What makes bash complete gossipvs: . <(gossipvs completion bash)\n"
    "_gossipvs()\n"
    "{\n"
    "    local words=() word cur glue='' head='' i\n"
    "    for ((i = 1; i <= COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        [[ $word && ! ${word//[:=]/} ]] && glue=1\n"
    "        if [[ $glue && ${#words[@]} -gt 0 ]]; then\n"
    "            words[-1]+=$word\n"
    "        else\n"
    "            words+=(\"$word\")\n"
    "        fi\n"
    "        glue=''\n"
    "        [[ $word && ! ${word//[:=]/} ]] && glue=1\n"
    "    done\n"
    "    ((${#words[@]})) || words=('')\n"
    "    cur=${words[-1]}\n"
    "    mapfile -t COMPREPLY < <(\"${COMP_WORDS[0]}\" __complete \"${words[@]}\" 2>/dev/null)\n"
    "    if [[ ${COMPREPLY[0]-} == :files ]]; then\n"
    "        compopt -o filenames 2>/dev/null\n"
    "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
    "    fi\n"
    "    [[ $COMP_WORDBREAKS == *:* ]] && head=${cur%\"${cur##*:}\"}\n"
    "    COMPREPLY=(\"${COMPREPLY[@]#\"$head\"}\")\n"
    "}\n"
    "complete -F _gossipvs gossipvs\n";

int
gvs_cli_completion(struct gvs_cli *c)
{
    (void)c;
    fputs(script, stdout);
    return GVS_EXIT_OK;
}

struct completing {
    struct gvs_cli *cli;
    const struct gvs_command *command;
    const char *cur;
    const char *vip; /* the first argument, or NULL */
    size_t offered;
};

static void
offer(struct completing *c, const char *text)
{
    if (strncmp(text, c->cur, strlen(c->cur)) != 0)
        return;
    gvs_print_line(stdout, "%s", text);
    c->offered++;
}

/* --- what the agent knows --- */

/* Its answer, or NULL: nobody is told why. */
static json_t *
ask(struct completing *c, const char *command)
{
    struct gvs_client *client = &c->cli->client;
    struct gvs_fault f;
    const char *line;
    char request[64];
    size_t len = (size_t)snprintf(request, sizeof request, "{\"command\":\"%s\"}\n", command);

    if (gvs_client_open(client, c->cli->socket, ASK_SECONDS, &f) < 0 ||
        gvs_client_send(client, request, len, ASK_SECONDS, &f) < 0 ||
        gvs_client_line(client, ASK_SECONDS, &line, &len, &f) < 0)
        return NULL;
    return json_loadb(line, len, 0, NULL);
}

static void
offer_key(struct completing *c, const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));

    if (text)
        offer(c, text);
}

static void
offer_vips(struct completing *c)
{
    json_t *doc = ask(c, "vip list");
    const json_t *v;
    size_t i;

    json_array_foreach(json_object_get(doc, "vips"), i, v)
    {
        offer_key(c, v, "name");
        offer_key(c, v, "vip");
    }
    json_decref(doc);
}

static bool
is_meant(const struct completing *c, const json_t *v)
{
    return c->vip &&
           (strcmp(c->vip, "all") == 0 || strcmp(gvs_screen_text(v, "name"), c->vip) == 0 ||
            strcmp(gvs_screen_text(v, "vip"), c->vip) == 0);
}

/* Those of the VIP that was typed. */
static void
offer_backends(struct completing *c)
{
    json_t *doc = ask(c, "vip list");
    const json_t *v, *b;
    size_t i, j;

    json_array_foreach(json_object_get(doc, "vips"), i, v)
    {
        if (!is_meant(c, v))
            continue;
        json_array_foreach(json_object_get(v, "backends"), j, b) offer_key(c, b, "address");
    }
    json_decref(doc);
}

static void
offer_members(struct completing *c)
{
    json_t *doc = ask(c, "members");
    const json_t *m;
    size_t i;

    json_array_foreach(json_object_get(doc, "members"), i, m) offer_key(c, m, "name");
    json_decref(doc);
}

/* --- what we know --- */

static void
offer_files(struct completing *c)
{
    puts(":files");
    c->offered++;
}

static void
offer_schedulers(struct completing *c)
{
    for (size_t i = 0; gvs_schedulers[i]; i++)
        offer(c, gvs_schedulers[i]);
}

/* A comma list: what stands before the last comma stays. */
static void
offer_flags(struct completing *c)
{
    const char *comma = strrchr(c->cur, ',');
    int head = comma ? (int)(comma + 1 - c->cur) : 0;

    for (uint32_t bit = 1; bit; bit <<= 1) {
        char name[GVS_WORDS_FLAGS_LEN], text[256];

        gvs_words_flags(name, bit);
        snprintf(text, sizeof text, "%.*s%s", head, c->cur, name);
        if (name[0])
            offer(c, text);
    }
    if (!comma)
        offer(c, "none");
}

static void
offer_checks(struct completing *c)
{
    for (size_t i = 0; i < gvs_doctor_count(); i++)
        if (gvs_doctor_sets(i))
            offer(c, gvs_doctor_name(i));
}

/* --- along the usage line --- */

static void
offer_one(struct completing *c, const struct gvs_usage_part *part, const char *what)
{
    static const struct {
        const char *what;
        void (*offer)(struct completing *c);
    } known[] = {{"VIP", offer_vips},
                 {"ADDR:PORT", offer_backends},
                 {"ADDR[:PORT]", offer_backends},
                 {"NODE", offer_members},
                 {"FILE", offer_files},
                 {"SOCKET", offer_files},
                 {"S", offer_schedulers},
                 {"F", offer_flags}};

    if (strpbrk(what, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == NULL)
        offer(c, what);
    if (strcmp(part->word, "--fix") == 0)
        offer_checks(c);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].what, what) == 0 && strcmp(part->word, "--if-stamp") != 0)
            known[i].offer(c);
}

/* Each of `a|b`. */
static void
offer_value(struct completing *c, const struct gvs_usage_part *part)
{
    char values[GVS_USAGE_LEN], *rest = values, *one;

    snprintf(values, sizeof values, "%s", part->value);
    while ((one = strsep(&rest, "|")) != NULL)
        offer_one(c, part, one);
}

static bool
is_option(const struct gvs_usage_part *part)
{
    return part->word[0] == '-';
}

static void
offer_words(struct completing *c, const struct gvs_usage_part *parts, size_t count,
            const bool *used, bool options)
{
    for (size_t i = 0; i < count; i++)
        if (parts[i].word[0] && !used[i] && is_option(&parts[i]) == options)
            offer(c, parts[i].word);
}

static size_t
find_word(const struct gvs_usage_part *parts, size_t count, const char *word)
{
    size_t i = 0;

    while (i < count && (!parts[i].word[0] || strcmp(parts[i].word, word) != 0))
        i++;
    return i;
}

/* The argument that comes next, after `n` of them; or NULL. */
static const struct gvs_usage_part *
nth_argument(const struct gvs_usage_part *parts, size_t count, size_t n)
{
    for (size_t i = 0; i < count; i++)
        if (!parts[i].word[0] && n-- == 0)
            return &parts[i];
    return NULL;
}

/* What an add names last is new. */
static bool
is_new(const struct completing *c, const struct gvs_usage_part *argument)
{
    return strcmp(gvs_command_verb(c->command), "add") == 0 && argument[1].word[0];
}

/* The words behind the command: options and pairs in any order, arguments in theirs. */
static void
complete_words(struct completing *c, char *const *words, size_t count)
{
    struct gvs_usage_part parts[GVS_USAGE_PARTS];
    size_t part_count = gvs_usage_parts(parts, c->command), arguments = 0;
    const struct gvs_usage_part *open = NULL, *argument;
    bool used[GVS_USAGE_PARTS] = {false};

    for (size_t i = 0; i < count; i++) {
        size_t at = find_word(parts, part_count, words[i]);

        if (open && (!open->more || at == part_count)) {
            open = open->more ? open : NULL;
        } else if (at < part_count) {
            used[at] = true;
            open = parts[at].value[0] ? &parts[at] : NULL;
        } else {
            c->vip = c->vip ? c->vip : words[i];
            arguments++;
        }
    }
    argument = nth_argument(parts, part_count, arguments);
    if (c->cur[0] == '-')
        offer_words(c, parts, part_count, used, true);
    else if (open)
        offer_value(c, open);
    else if (argument && !is_new(c, argument))
        offer_value(c, argument);
    else if (!argument)
        offer_words(c, parts, part_count, used, false);
    if (!open && !argument && !c->offered && !c->cur[0])
        offer_words(c, parts, part_count, used, true);
}

/* The first of a noun's commands speaks for it. */
static bool
is_first(const struct gvs_command *command, const char *noun)
{
    for (const struct gvs_command *k = gvs_commands; k < command; k++)
        if (gvs_command_has_noun(k, noun))
            return false;
    return true;
}

static void
offer_nouns(struct completing *c)
{
    for (const struct gvs_command *k = gvs_commands; k->words; k++) {
        char noun[GVS_USAGE_LEN];

        snprintf(noun, sizeof noun, "%.*s", (int)strcspn(k->words, " "), k->words);
        if (is_first(k, noun))
            offer(c, noun);
    }
}

static void
complete_command(struct completing *c, char *const *words, size_t count)
{
    for (const struct gvs_command *k = gvs_commands; k->words; k++) {
        size_t n = gvs_command_matches(k, words, count);

        if (n > 0) {
            c->command = k;
            complete_words(c, words + n, count - n);
            return;
        }
        if (count == 1 && gvs_command_has_noun(k, words[0]))
            offer(c, gvs_command_verb(k));
    }
    if (count == 0)
        offer_nouns(c);
}

/* Takes our own options out of the words. Returns the one that waits for its value, or NULL. */
static const struct gvs_usage_part *
take_options(struct completing *c, const struct gvs_usage_part *options, size_t option_count,
             char **words, size_t *count)
{
    const struct gvs_usage_part *open = NULL;
    size_t kept = 0;

    for (size_t i = 0; i < *count; i++) {
        size_t at = find_word(options, option_count, words[i]);

        if (open) {
            c->cli->socket = strcmp(open->word, "-S") == 0 ? words[i] : c->cli->socket;
            open = NULL;
        } else if (at == option_count) {
            words[kept++] = words[i];
        } else if (options[at].value[0]) {
            open = &options[at];
        }
    }
    *count = kept;
    return open;
}

void
gvs_cli_complete(struct gvs_cli *cli, char **words, size_t count)
{
    struct completing c = {.cli = cli, .cur = count ? words[count - 1] : ""};
    struct gvs_usage_part options[GVS_USAGE_PARTS];
    const struct gvs_usage_part *open;
    const bool unused[GVS_USAGE_PARTS] = {false};
    const char *at = GVS_USAGE_OPTIONS;
    size_t option_count = 0;

    while (gvs_usage_next(&at, &options[option_count]))
        option_count++;
    count -= count > 0;
    open = take_options(&c, options, option_count, words, &count);
    if (open)
        offer_value(&c, open);
    else if (count == 0 && c.cur[0] == '-')
        offer_words(&c, options, option_count, unused, true);
    else
        complete_command(&c, words, count);
}
