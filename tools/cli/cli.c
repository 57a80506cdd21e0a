/* tools/cli/cli.c: the commands that ask the agent. */
#include "tools/cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/addr.h"

#define SLACK_SECONDS 2 /* the agent keeps the deadline; this is for its answer to get here */
#define POLL_SECONDS 0.2

/* --- errors and words --- */

void
gvs_cli_print(json_t *doc)
{
    if (doc)
        json_dumpf(doc, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(doc);
}

int
gvs_cli_fail(const struct gvs_cli *c, const struct gvs_fault *f)
{
    if (c->json)
        gvs_cli_print(json_pack("{s:{s:s, s:s, s:s}}", "error", "code", gvs_exit_name(f->exit),
                                "message", f->text, "hint", f->hint));
    gvs_print_fault(stderr, f->text, f->hint);
    return (int)f->exit;
}

int
gvs_cli_usage(const struct gvs_cli *c, const char *message)
{
    struct gvs_fault f;

    gvs_fault_set(&f, GVS_EXIT_USAGE, "%s", message);
    gvs_fault_hint(&f, "gossipvs %s --help", c->command);
    return gvs_cli_fail(c, &f);
}

void
gvs_cli_say(const struct gvs_cli *c, const char *words)
{
    if (!c->quiet)
        gvs_print_line(stderr, "%s", words);
}

void
gvs_cli_put_text(FILE *out, const char *text)
{
    while (*text) {
        size_t len = strcspn(text, "\n");

        gvs_print_line(out, "%.*s", (int)len, text);
        text += len + (text[len] == '\n');
    }
}

/* --- questions and answers --- */

/* An error of the agent's: its code is our status. */
static int
agent_fault(const json_t *error)
{
    const char *code = json_string_value(json_object_get(error, "code"));
    const char *message = json_string_value(json_object_get(error, "message"));
    const char *hint = json_string_value(json_object_get(error, "hint"));

    gvs_print_fault(stderr, message ? message : "the agent says no, but not why", hint ? hint : "");
    for (enum gvs_exit e = GVS_EXIT_NO; e <= GVS_EXIT_KERNEL; e++)
        if (code && strcmp(code, gvs_exit_name(e)) == 0)
            return (int)e;
    return GVS_EXIT_NO;
}

/* The words of a request, as they are; one that is no text is named by its place. */
static int
pack_words(json_t *list, char *const *words, size_t count, struct gvs_fault *f)
{
    for (size_t i = 0; i < count; i++)
        if (json_array_append_new(list, json_string(words[i])) != 0)
            return gvs_fault_set(f, GVS_EXIT_USAGE, "word %zu, '%s', is not text in UTF-8", i + 1,
                                 words[i]);
    return GVS_OK;
}

/* `vips` (NULL: none) go along; stolen. */
static int
ask(struct gvs_cli *c, const char *command, char *const *words, size_t count, json_t *vips,
    struct gvs_fault *f)
{
    json_t *args = json_array(), *request;
    size_t len;
    char *line;
    int rc = pack_words(args, words, count, f);

    if (rc == GVS_OK && c->client.fd < 0)
        rc = gvs_client_open(&c->client, c->socket, c->seconds + SLACK_SECONDS, f);
    if (rc < 0) {
        json_decref(args);
        json_decref(vips);
        return rc;
    }
    request = json_pack("{s:s, s:o, s:f}", "command", command, "args", args, "timeout", c->seconds);
    if (vips)
        json_object_set_new(request, "vips", vips);
    line = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    if (!line)
        return gvs_fault_set(f, GVS_EXIT_NO, "out of memory");
    len = strlen(line);
    line[len] = '\n'; /* over the 0: the length says where it ends */
    rc = gvs_client_send(&c->client, line, len + 1, c->seconds + SLACK_SECONDS, f);
    free(line);
    return rc;
}

int
gvs_cli_no_document(const struct gvs_cli *c, struct gvs_fault *f)
{
    gvs_fault_set(f, GVS_EXIT_UNREACHABLE, "the answer is no JSON object (%s)", c->socket);
    gvs_fault_hint(f, "is that gossipvsd's socket?");
    return -1;
}

/* The next answer, as it came and as *doc, which is the caller's. */
static int
hear_line(struct gvs_cli *c, double seconds, const char **line, json_t **doc, struct gvs_fault *f)
{
    json_error_t e;
    size_t len;

    *doc = NULL;
    if (gvs_client_line(&c->client, seconds, line, &len, f) < 0)
        return -1;
    *doc = json_loadb(*line, len, 0, &e);
    if (json_is_object(*doc))
        return GVS_OK;
    json_decref(*doc);
    *doc = NULL;
    return gvs_cli_no_document(c, f);
}

/* The same, with what is wrong printed. With -j it is printed as it came, if `show` or if it is an
 * error. Returns the exit status; *doc, NULL if there is none, is the caller's. */
static int
hear(struct gvs_cli *c, double seconds, bool show, json_t **doc)
{
    const json_t *error;
    const char *line = NULL;
    struct gvs_fault f;
    int rc = c->list.key ? gvs_cli_hear_list(c, seconds, c->json && show, doc, &f)
                         : hear_line(c, seconds, &line, doc, &f);

    if (rc < 0)
        return gvs_cli_fail(c, &f);
    error = json_object_get(*doc, "error");
    if (c->json && line && (show || json_is_object(error)))
        printf("%s\n", line);
    else if (c->json && !line && !show && json_is_object(error))
        gvs_cli_print(json_incref(*doc));
    return json_is_object(error) ? agent_fault(error) : GVS_EXIT_OK;
}

int
gvs_cli_ask(struct gvs_cli *c, const char *command, json_t **doc, struct gvs_fault *f)
{
    const json_t *error;
    const char *line, *message;

    *doc = NULL;
    if (ask(c, command, NULL, 0, NULL, f) < 0 ||
        hear_line(c, c->seconds + SLACK_SECONDS, &line, doc, f) < 0)
        return -1;
    error = json_object_get(*doc, "error");
    if (!json_is_object(error)) {
        if (c->json)
            printf("%s\n", line);
        return GVS_OK;
    }
    message = json_string_value(json_object_get(error, "message"));
    gvs_fault_set(f, GVS_EXIT_NO, "%s", message ? message : "the agent says no, but not why");
    json_decref(*doc);
    *doc = NULL;
    return -1;
}

int
gvs_cli_tell(struct gvs_cli *c, const char *command, char *const *words, size_t count, json_t *vips,
             bool show, json_t **doc)
{
    struct gvs_fault f;

    *doc = NULL;
    if (ask(c, command, words, count, vips, &f) < 0)
        return gvs_cli_fail(c, &f);
    return hear(c, c->seconds + SLACK_SECONDS, show, doc);
}

int
gvs_cli_talk(struct gvs_cli *c, const char *command, char *const *words, size_t count, bool show,
             json_t **doc)
{
    return gvs_cli_tell(c, command, words, count, NULL, show, doc);
}

bool
gvs_cli_take(struct gvs_cli *c, const char *option, const char **value)
{
    size_t i = 0, taken;

    *value = NULL;
    while (i < c->count && strcmp(c->words[i], option) != 0)
        i++;
    if (i == c->count)
        return false;
    taken = i + 1 < c->count ? 2 : 1;
    if (taken == 2)
        *value = c->words[i + 1];
    c->count -= taken;
    memmove(&c->words[i], &c->words[i + taken], (c->count - i) * sizeof *c->words);
    return true;
}

/* --- durations --- */

/* Decimal seconds; s, m or h may follow. */
int
gvs_cli_seconds(double *out, const char *what, const char *text, struct gvs_fault *f)
{
    size_t digits = text ? strspn(text, "0123456789.") : 0;
    double v, unit = 1;
    char *end;

    if (!text)
        return gvs_fault_set(f, GVS_EXIT_USAGE, "%s takes seconds", what);
    v = strtod(text, &end);
    if (*end == 'm' || *end == 'h')
        unit = *end == 'h' ? 3600 : 60;
    if (digits == 0 || end != text + digits || (*end && (!strchr("smh", *end) || end[1])) ||
        v * unit > GVS_CLI_SECONDS_MAX)
        return gvs_fault_set(f, GVS_EXIT_USAGE, "%s %s: seconds expected, 0 to %d", what, text,
                             GVS_CLI_SECONDS_MAX);
    *out = v * unit;
    return GVS_OK;
}

/* Takes `name SECONDS` out of the words. 1 it was there, 0 it was not. */
static int
take_seconds(struct gvs_cli *c, const char *name, double *out, struct gvs_fault *f)
{
    const char *value;

    if (!gvs_cli_take(c, name, &value))
        return 0;
    return gvs_cli_seconds(out, name, value, f) < 0 ? -1 : 1;
}

/* --- commands that show --- */

int
gvs_cli_show(struct gvs_cli *c)
{
    json_t *doc;
    int rc = gvs_cli_talk(c, c->command, c->words, c->count, true, &doc);

    if (rc == GVS_EXIT_OK && !c->json)
        c->show(&c->screen, doc);
    json_decref(doc);
    return rc;
}

static int
show_status(struct gvs_cli *c, const json_t *status)
{
    json_t *members;
    int rc;

    if (c->json)
        return GVS_EXIT_OK;
    rc = gvs_cli_talk(c, "members", NULL, 0, false, &members);
    if (rc == GVS_EXIT_OK)
        gvs_screen_status(&c->screen, status, members);
    json_decref(members);
    return rc;
}

/* The agent keeps the time of --wait-converged; we only have to wait as long. */
static int
ask_status(struct gvs_cli *c, bool wait, double limit, json_t **doc)
{
    char seconds[32], *args[] = {(char[]){"--wait-converged"}, seconds};
    struct gvs_fault f;

    *doc = NULL;
    if (!wait)
        return gvs_cli_talk(c, "status", c->words, c->count, true, doc);
    snprintf(seconds, sizeof seconds, "%.3f", limit);
    if (ask(c, "status", args, 2, NULL, &f) < 0)
        return gvs_cli_fail(c, &f);
    return hear(c, limit + SLACK_SECONDS, true, doc);
}

int
gvs_cli_status(struct gvs_cli *c)
{
    struct gvs_fault f;
    double limit = 0;
    int wait = take_seconds(c, "--wait-converged", &limit, &f), rc;
    const char *health;
    json_t *doc;

    if (wait < 0)
        return gvs_cli_fail(c, &f);
    if (wait && c->count)
        return gvs_cli_usage(c, "status: --wait-converged SECONDS, and nothing else");
    rc = ask_status(c, wait, limit, &doc);
    if (rc == GVS_EXIT_OK)
        rc = show_status(c, doc);
    health = json_string_value(json_object_get(doc, "health"));
    if (rc == GVS_EXIT_OK && !wait && (!health || strcmp(health, "ok") != 0))
        rc = GVS_EXIT_NO; /* converged was the question where one waits for it */
    json_decref(doc);
    return rc;
}

static void
put_vip(struct gvs_cli *c, const json_t *vip)
{
    if (!c->json)
        gvs_screen_vips_put(&c->vips, &c->screen, vip);
}

int
gvs_cli_vip_list(struct gvs_cli *c)
{
    json_t *doc;
    int rc;

    c->list.key = "vips";
    c->list.each = put_vip;
    rc = gvs_cli_talk(c, "vip list", c->words, c->count, true, &doc);
    gvs_screen_vips_end(&c->vips, &c->screen);
    if (rc == GVS_EXIT_OK && c->list.count == 0)
        gvs_cli_say(c, "no VIPs");
    json_decref(doc);
    return rc;
}

static void
put_change(struct gvs_cli *c, const json_t *change)
{
    c->differs |= !json_is_true(json_object_get(change, "foreign"));
    if (!c->json)
        gvs_screen_changes_put(&c->changes, &c->screen, change);
}

void
gvs_cli_take_changes(struct gvs_cli *c)
{
    c->list.key = "changes";
    c->list.each = put_change;
}

int
gvs_cli_changes(struct gvs_cli *c)
{
    bool fix = c->count == 1 && strcmp(c->words[0], "--fix") == 0;
    json_t *doc;
    int rc;

    gvs_cli_take_changes(c);
    rc = gvs_cli_talk(c, c->command, c->words, c->count, true, &doc);
    if (rc == GVS_EXIT_OK) {
        if (!c->json)
            gvs_screen_changes_end(&c->changes, &c->screen);
        if (fix && c->list.count > 0)
            gvs_cli_say(c, "being put right; gossipvs audit shows what is left");
        rc = c->differs ? GVS_EXIT_NO : GVS_EXIT_OK;
    }
    json_decref(doc);
    return rc;
}

int
gvs_cli_watch(struct gvs_cli *c)
{
    struct gvs_fault f;
    json_t *doc;
    int rc;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (ask(c, "watch", c->words, c->count, NULL, &f) < 0)
        return gvs_cli_fail(c, &f);
    do {
        rc = hear(c, -1, true, &doc);
        if (rc == GVS_EXIT_OK && !c->json)
            gvs_screen_event(&c->screen, doc);
        json_decref(doc);
    } while (rc == GVS_EXIT_OK && !ferror(stdout));
    return rc;
}

/* --- commands that change --- */

/* What the brake held. */
static void
say_released(const struct gvs_cli *c, const json_t *doc)
{
    long long services = json_integer_value(json_object_get(doc, "services"));
    long long destinations = json_integer_value(json_object_get(doc, "destinations"));
    char text[96];

    snprintf(text, sizeof text, "released: %lld service%s, %lld destination%s", services,
             services == 1 ? "" : "s", destinations, destinations == 1 ? "" : "s");
    gvs_cli_say(c, text);
}

/* What goes back by itself. */
static void
say_pending(const struct gvs_cli *c, const json_t *pending)
{
    const char *number = json_string_value(json_object_get(pending, "apply"));
    double left = json_number_value(json_object_get(pending, "left_seconds"));
    char words[128];

    if (!number)
        return;
    snprintf(words, sizeof words,
             "going back in %.0f s unless you run: gossipvs confirm (apply %.16s)", left, number);
    gvs_cli_say(c, words);
}

void
gvs_cli_say_changed(const struct gvs_cli *c, const json_t *doc)
{
    const char *result = json_string_value(json_object_get(doc, "result"));
    const char *kernel = json_string_value(json_object_get(doc, "kernel"));

    if (json_is_array(json_object_get(doc, "changes"))) { /* --dry-run */
        if (!c->json)
            gvs_screen_changes_end(&c->changes, &c->screen);
        if (c->list.count == 0)
            gvs_cli_say(c, "already so");
        return;
    }
    if (!result)
        return;
    if (kernel && strcmp(kernel, "refused") == 0)
        gvs_cli_say(c, "the change itself is durable, and stays");
    else if (strcmp(result, "already") == 0)
        gvs_cli_say(c, "already so");
    else if (json_is_integer(json_object_get(doc, "destinations")))
        say_released(c, doc);
    else if (kernel && strcmp(kernel, "observe") == 0)
        gvs_cli_say(c, "done (this node only observes: its kernel was not written)");
    else if (!json_object_get(doc, "error"))
        gvs_cli_say(c, "done");
    say_pending(c, json_object_get(doc, "pending"));
}

int
gvs_cli_change(struct gvs_cli *c)
{
    json_t *doc;
    int rc;

    gvs_cli_take_changes(c);
    rc = gvs_cli_talk(c, c->command, c->words, c->count, true, &doc);
    gvs_cli_say_changed(c, doc);
    json_decref(doc);
    return rc;
}

/* Who takes back what is in the kernel waits for connections, as long as the agent lets them. */
int
gvs_cli_leave(struct gvs_cli *c)
{
    if (c->count > 0 && !c->seconds_said)
        c->seconds = GVS_CLI_SECONDS_MAX;
    return gvs_cli_change(c);
}

/* --- drain --wait --- */

struct wait {
    bool drain; /* until no connection is left; else until the backend takes part again */
    const char *backend;
    json_t *vips; /* what to ask for: strings */
    long long left;
    bool unknown; /* a backend whose connections nobody has counted */
};

/* ADDR:PORT is one backend, ADDR all of that address. */
static bool
means_backend(const char *word, const char *address)
{
    struct gvs_ep want, have;

    if (!address || gvs_ep_parse(&have, address, strlen(address), NULL) < 0)
        return false;
    if (gvs_ep_parse(&want, word, strlen(word), NULL) == GVS_OK)
        return gvs_ep_cmp(&want, &have) == 0;
    return gvs_addr_parse(&want.addr, word, strlen(word), NULL) == GVS_OK &&
           gvs_addr_cmp(&want.addr, &have.addr) == 0;
}

static void
count_backend(struct wait *w, const json_t *b)
{
    const json_t *active = json_object_get(b, "active");
    const char *state = json_string_value(json_object_get(b, "state"));

    if (!means_backend(w->backend, json_string_value(json_object_get(b, "address"))))
        return;
    if (!w->drain)
        w->left += !state || strcmp(state, "ok") != 0;
    else if (json_is_integer(active))
        w->left += json_integer_value(active);
    else
        w->unknown = true;
}

static int
poll_once(struct gvs_cli *c, struct wait *w)
{
    const json_t *vip, *b;
    size_t i, j;

    w->left = 0;
    w->unknown = false;
    json_array_foreach(w->vips, i, vip)
    {
        char *word = (char *)json_string_value(vip);
        json_t *doc;
        int rc = gvs_cli_talk(c, "vip show", &word, 1, false, &doc);
        const json_t *shown = json_array_get(json_object_get(doc, "vips"), 0);

        json_array_foreach(json_object_get(shown, "backends"), j, b) count_backend(w, b);
        json_decref(doc);
        if (rc != GVS_EXIT_OK)
            return rc;
    }
    return GVS_EXIT_OK;
}

/* `all` means the services that have such a backend now. */
static int
list_vips(struct gvs_cli *c, struct wait *w, const char *word)
{
    const json_t *v, *b;
    json_t *doc;
    size_t i, j;
    int rc;

    if (strcmp(word, "all") != 0)
        return json_array_append_new(w->vips, json_string(word)) == 0 ? GVS_EXIT_OK : GVS_EXIT_NO;
    rc = gvs_cli_talk(c, "vip list", NULL, 0, false, &doc);
    json_array_foreach(json_object_get(doc, "vips"), i, v) json_array_foreach(
        json_object_get(v, "backends"), j,
        b) if (means_backend(w->backend, json_string_value(json_object_get(b, "address"))))
    {
        json_array_append(w->vips, json_object_get(v, "vip"));
        break;
    }
    json_decref(doc);
    return rc;
}

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int
waited_in_vain(const struct gvs_cli *c, const struct wait *w, double seconds)
{
    struct gvs_fault f;

    if (!w->drain)
        gvs_fault_set(&f, GVS_EXIT_TIMEOUT, "backend '%s' does not take part after %.3g s",
                      w->backend, seconds);
    else if (w->unknown)
        gvs_fault_set(&f, GVS_EXIT_TIMEOUT,
                      "how many connections backend '%s' has is not known after %.3g s", w->backend,
                      seconds);
    else
        gvs_fault_set(&f, GVS_EXIT_TIMEOUT,
                      "backend '%s' still has %lld active connections after %.3g s", w->backend,
                      w->left, seconds);
    gvs_fault_hint(&f, "gossipvs vip list; nothing was undone");
    return gvs_cli_fail(c, &f);
}

static int
wait_for(struct gvs_cli *c, struct wait *w, double seconds)
{
    const struct timespec pause = {0, (long)(POLL_SECONDS * 1e9)};
    double began = now();
    char text[64];

    for (;;) {
        int rc = poll_once(c, w);

        if (rc != GVS_EXIT_OK)
            return rc;
        if (w->left == 0 && !w->unknown)
            break;
        if (now() - began >= seconds)
            return waited_in_vain(c, w, seconds);
        nanosleep(&pause, NULL);
    }
    snprintf(text, sizeof text, "%s in %.1f s", w->drain ? "drained" : "back", now() - began);
    gvs_cli_say(c, text);
    return GVS_EXIT_OK;
}

int
gvs_cli_drain(struct gvs_cli *c)
{
    struct wait w = {.drain = strcmp(c->command, "backend drain") == 0};
    struct gvs_fault f;
    double seconds = 0;
    int wait = take_seconds(c, "--wait", &seconds, &f), rc;

    if (wait < 0)
        return gvs_cli_fail(c, &f);
    rc = gvs_cli_change(c);
    if (!wait || rc != GVS_EXIT_OK || c->count < 2)
        return rc;
    w.backend = c->words[1];
    w.vips = json_array();
    rc = list_vips(c, &w, c->words[0]);
    if (rc == GVS_EXIT_OK)
        rc = wait_for(c, &w, seconds);
    json_decref(w.vips);
    return rc;
}
