/* tools/cli/check.c: check and metrics, for what watches. */
#include <stdlib.h>
#include <string.h>

#include "tools/cli/cli.h"

/* What a plugin of Nagios exits with: 3, not 2, also where the question was wrong. */
enum state { OK = 0, WARNING, CRITICAL, UNKNOWN };

#define PROBLEMS_MAX 3 /* said; a line is short */
#define WORD_MAX 300   /* of each */

static const char *const names[] = {
    [OK] = "OK", [WARNING] = "WARNING", [CRITICAL] = "CRITICAL", [UNKNOWN] = "UNKNOWN"};

static long long
number(const json_t *doc, const char *group, const char *key)
{
    return json_integer_value(json_object_get(json_object_get(doc, group), key));
}

/* A bar would begin the numbers. */
static void
put_word(FILE *out, const char *text)
{
    for (size_t i = 0; text[i] && i < WORD_MAX; i++)
        fputc(text[i] == '|' ? '/' : text[i], out);
}

static void
put_problems(FILE *out, const json_t *problems)
{
    size_t count = json_array_size(problems), i;
    const json_t *p;

    json_array_foreach(problems, i, p)
    {
        const char *text = json_string_value(json_object_get(p, "message"));

        if (i == PROBLEMS_MAX)
            break;
        fputs(i ? "; " : "", out);
        put_word(out, text ? text : "?");
    }
    if (count > PROBLEMS_MAX)
        fprintf(out, "; and %zu more", count - PROBLEMS_MAX);
}

static void
put_well(FILE *out, const json_t *doc)
{
    bool in_step = json_is_true(json_object_get(json_object_get(doc, "kernel"), "in_step"));
    const char *mode = json_string_value(json_object_get(json_object_get(doc, "kernel"), "mode"));

    long long alive = number(doc, "members", "alive"), vips = number(doc, "table", "services");

    fprintf(out, "%lld member%s alive, %lld VIP%s, ", alive, alive == 1 ? "" : "s", vips,
            vips == 1 ? "" : "s");
    if (mode && strcmp(mode, "observe") == 0)
        fputs("observing", out);
    else
        fputs(in_step ? "kernel in step" : "kernel about to be in step", out);
}

/* label=value; c: it only grows. */
static void
put_numbers(FILE *out, const json_t *doc)
{
    const json_t *drift = json_object_get(json_object_get(doc, "kernel"), "drift");
    const json_t *up = json_object_get(json_object_get(doc, "node"), "uptime_seconds");

    fprintf(out, " | alive=%lld suspect=%lld dead=%lld vips=%lld backends=%lld",
            number(doc, "members", "alive"), number(doc, "members", "suspect"),
            number(doc, "members", "dead"), number(doc, "table", "services"),
            number(doc, "table", "backends"));
    fprintf(out, " pending=%lld failed=%lld drift=%lldc problems=%zu uptime=%.0fs",
            number(doc, "kernel", "pending"), number(doc, "kernel", "failed"),
            (long long)json_integer_value(json_object_get(drift, "found")),
            json_array_size(json_object_get(doc, "problems")), json_number_value(up));
}

static enum state
state_of(const json_t *doc)
{
    static const char *const healths[] = {[OK] = "ok", [WARNING] = "warn", [CRITICAL] = "critical"};
    const char *health = json_string_value(json_object_get(doc, "health"));

    for (enum state s = OK; health && s <= CRITICAL; s++)
        if (strcmp(health, healths[s]) == 0)
            return s;
    return UNKNOWN;
}

/* Status, in one line. */
static enum state
say_status(const json_t *doc)
{
    const json_t *problems = json_object_get(doc, "problems");
    enum state s = state_of(doc);
    char *text = NULL;
    size_t len;
    FILE *out = gvs_print_need(open_memstream(&text, &len));

    if (s == UNKNOWN)
        fputs("the agent does not say how it is", out);
    else if (json_array_size(problems) > 0)
        put_problems(out, problems);
    else
        put_well(out, doc);
    if (s != UNKNOWN)
        put_numbers(out, doc);
    fclose(out);
    gvs_print_line(stdout, "GOSSIPVS %s - %s", names[s], (char *)gvs_print_need(text));
    free(text);
    return s;
}

static int
say_fault(const struct gvs_cli *c, const struct gvs_fault *f)
{
    if (c->json)
        gvs_cli_fail(c, f);
    else
        gvs_print_line(stdout, "GOSSIPVS %s - %s", names[UNKNOWN], f->text);
    return UNKNOWN;
}

int
gvs_cli_check(struct gvs_cli *c)
{
    struct gvs_fault f;
    enum state s;
    json_t *doc;

    if (c->count > 0) {
        gvs_fault_set(&f, GVS_EXIT_USAGE, "check takes no words");
        return say_fault(c, &f);
    }
    if (gvs_cli_ask(c, "status", &doc, &f) < 0)
        return say_fault(c, &f);
    s = c->json ? state_of(doc) : say_status(doc);
    json_decref(doc);
    return (int)s;
}

int
gvs_cli_metrics(struct gvs_cli *c)
{
    const char *text;
    json_t *doc;
    int rc = gvs_cli_talk(c, "metrics", c->words, c->count, true, &doc);

    text = json_string_value(json_object_get(doc, "text"));
    if (rc == GVS_EXIT_OK && text && !c->json)
        gvs_cli_put_text(stdout, text);
    json_decref(doc);
    return rc;
}
