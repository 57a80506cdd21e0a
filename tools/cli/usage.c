/* tools/cli/usage.c: usage lines, read. They are ours: what does not parse is our bug. */
#include <ctype.h>
#include <string.h>

#include "core/err.h"
#include "tools/cli/commands.h"

bool
gvs_command_has_noun(const struct gvs_command *k, const char *noun)
{
    size_t len = strcspn(k->words, " ");

    return strlen(noun) == len && memcmp(k->words, noun, len) == 0;
}

bool
gvs_command_takes_change(const struct gvs_command *k)
{
    return k->group == GVS_COMMAND_CHANGE && !strstr(k->args, "--peers");
}

const char *
gvs_command_verb(const struct gvs_command *k)
{
    const char *verb = strchr(k->words, ' ');

    return verb ? verb + 1 : "";
}

size_t
gvs_command_matches(const struct gvs_command *k, char *const *words, size_t count)
{
    const char *verb = gvs_command_verb(k);

    if (count == 0 || !gvs_command_has_noun(k, words[0]))
        return 0;
    if (!*verb)
        return 1;
    return count > 1 && strcmp(verb, words[1]) == 0 ? 2 : 0;
}

/* --- parts --- */

/* To the next blank, or to the bracket that closes what was opened before it: not that of
 * ADDR[:PORT]. */
static const char *
take(char text[static GVS_USAGE_LEN], const char *p)
{
    size_t len, depth = 0;

    for (len = 0; p[len] && p[len] != ' ' && p[len] != '\n'; len++) {
        if (p[len] == ']' && depth == 0)
            break;
        depth += p[len] == '[';
        depth -= p[len] == ']';
    }
    GVS_ASSERT(len > 0 && len < GVS_USAGE_LEN);
    memcpy(text, p, len);
    text[len] = '\0';
    return p + len;
}

bool
gvs_usage_next(const char **at, struct gvs_usage_part *part)
{
    const char *p = *at + strspn(*at, " \n");
    bool bracket = *p == '[', word;

    if (!*p)
        return false;
    p += bracket;
    word = islower((unsigned char)*p) || (*p == '-' && p[1] != ' ');
    *part = (struct gvs_usage_part){.optional = bracket};
    p = take(word ? part->word : part->value, p);
    if (word && *p != ']')
        p = take(part->value, p + 1);
    part->more = strncmp(p, " ...", 4) == 0;
    p += part->more ? 4 : 0;
    GVS_ASSERT(!bracket || *p == ']');
    *at = p + bracket;
    return true;
}

static size_t
add_parts(struct gvs_usage_part *parts, size_t count, const char *usage, bool words_only)
{
    struct gvs_usage_part part;

    while (gvs_usage_next(&usage, &part)) {
        if (words_only && !part.word[0])
            continue;
        GVS_ASSERT(count < GVS_USAGE_PARTS);
        parts[count++] = part;
    }
    return count;
}

/* WORD and VALUE, the last two, give way to what the noun's add takes in pairs. */
static size_t
add_pairs(struct gvs_usage_part *parts, size_t count, const struct gvs_command *set)
{
    char noun[GVS_USAGE_LEN];

    take(noun, set->words);
    for (const struct gvs_command *k = gvs_commands; k->words; k++)
        if (gvs_command_has_noun(k, noun) && strcmp(gvs_command_verb(k), "add") == 0)
            return add_parts(parts, count - 2, k->args, true);
    return count - 2;
}

size_t
gvs_usage_parts(struct gvs_usage_part parts[static GVS_USAGE_PARTS], const struct gvs_command *k)
{
    size_t count = add_parts(parts, 0, k->args, false);

    if (count > 1 && strcmp(parts[count - 2].value, "WORD") == 0)
        count = add_pairs(parts, count, k);
    if (gvs_command_takes_change(k))
        count = add_parts(parts, count, GVS_USAGE_CHANGE, false);
    return add_parts(parts, count, GVS_USAGE_OPTIONS, false);
}

/* --- words that are no command's --- */

/* "gossipvs vip show VIP", on one line. */
static void
hint_usage(const struct gvs_command *k, struct gvs_fault *f)
{
    char args[sizeof f->hint];
    size_t len = 0;

    for (const char *p = k->args; *p && len < sizeof args - 1; p++)
        if ((*p != ' ' && *p != '\n') || (p[1] && p[1] != ' ' && p[1] != '\n'))
            args[len++] = *p == '\n' ? ' ' : *p;
    args[len] = '\0';
    gvs_fault_hint(f, "gossipvs %s%s", k->words, args);
}

static int
no_such_word(const struct gvs_command *k, const char *word, struct gvs_fault *f)
{
    gvs_fault_set(f, GVS_EXIT_USAGE, "%s: no such word '%.40s'", k->words, word);
    if (strcmp(k->words, "vip list") == 0 && word[0] != '-')
        gvs_fault_hint(f, "did you mean 'vip show %.40s'?", word);
    else
        hint_usage(k, f);
    return -1;
}

static int
wrong_count(const struct gvs_command *k, const char *how, struct gvs_fault *f)
{
    gvs_fault_set(f, GVS_EXIT_USAGE, "%s: too %s words", k->words, how);
    hint_usage(k, f);
    return -1;
}

static int
no_such_option(const struct gvs_command *k, const struct gvs_usage_part *parts, size_t count,
               const char *word, struct gvs_fault *f)
{
    const char *known[GVS_USAGE_PARTS + 1] = {NULL}, *near;
    size_t options = 0;

    for (size_t i = 0; i < count; i++)
        if (strncmp(parts[i].word, "--", 2) == 0)
            known[options++] = parts[i].word;
    near = gvs_nearest(word, known);
    no_such_word(k, word, f);
    if (near)
        gvs_fault_hint(f, "did you mean '%s'?", near);
    return -1;
}

/* How many words stand by themselves: at least, and at most where no pairs may follow. */
static void
count_places(const struct gvs_command *k, size_t *min, size_t *max)
{
    const char *at = k->args;
    struct gvs_usage_part part;
    bool open = false;

    *min = *max = 0;
    while (gvs_usage_next(&at, &part)) {
        *min += !part.word[0] && !part.optional;
        *max += !part.word[0];
        open |= part.word[0] ? part.word[0] != '-' : part.more;
    }
    if (open)
        *max = SIZE_MAX;
}

static const struct gvs_usage_part *
find_option(const struct gvs_usage_part *parts, size_t count, const char *word)
{
    for (size_t i = 0; i < count; i++)
        if (word[0] == '-' && strcmp(parts[i].word, word) == 0)
            return &parts[i];
    return NULL;
}

int
gvs_usage_check(const struct gvs_command *k, char *const *words, size_t count, struct gvs_fault *f)
{
    struct gvs_usage_part parts[GVS_USAGE_PARTS];
    size_t part_count = gvs_usage_parts(parts, k), places = 0, min, max;

    count_places(k, &min, &max);
    for (size_t i = 0; i < count; i++) {
        const struct gvs_usage_part *option = find_option(parts, part_count, words[i]);

        if (option && option->more)
            i = count;
        else if (option)
            i += option->value[0] != 0;
        else if (strncmp(words[i], "--", 2) == 0)
            return no_such_option(k, parts, part_count, words[i], f);
        else if (++places > max)
            return max == 0 ? no_such_word(k, words[i], f) : wrong_count(k, "many", f);
    }
    return places >= min ? GVS_OK : wrong_count(k, "few", f);
}
