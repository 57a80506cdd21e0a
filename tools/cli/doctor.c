/* tools/cli/doctor.c: doctor. Asks the agent what this node does, goes through the namespaces that
 * it programs, looks, has ipvs/doctor.h judge, and shows; or sets what it is told to.
 *
 * Why the looking and setting is here and not in the agent: tools/agent/show_doctor.c. Other
 * namespaces are entered one after the other, which takes root, and none is left again: the socket
 * to the agent stays what it was. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tools/cli/cli.h"
#include "tools/cli/doctor_look.h"

struct doctor {
    struct gvs_cli *cli;
    struct gvs_doctor_use use;
    struct gvs_doctor_seen seen;
    bool assumed; /* the table is empty */
    const char *interface;
    const char *netns;      /* the one that is looked at */
    const json_t *timeouts; /* of IPVS there */
    json_t *checks;         /* all of them, or */
    json_t *set;            /* what was set */
};

static bool
is_host(const struct doctor *d)
{
    return strcmp(d->netns, "host") == 0;
}

/* --- what the agent says --- */

static void
read_tunnels(struct gvs_doctor_use *u, const json_t *list)
{
    const json_t *o;
    size_t i;

    json_array_foreach(list, i, o)
    {
        const char *addr = json_string_value(json_object_get(o, "address"));
        const char *kind = json_string_value(json_object_get(o, "tunnel"));
        struct gvs_doctor_tunnel *t = &u->tunnels[u->tunnel_count];

        if (!addr || !kind || gvs_addr_parse(&t->addr, addr, strlen(addr), NULL) < 0)
            continue;
        t->kind = strcmp(kind, "gre") == 0   ? GVS_TUNNEL_GRE
                  : strcmp(kind, "gue") == 0 ? GVS_TUNNEL_GUE
                                             : GVS_TUNNEL_IPIP;
        if (++u->tunnel_count == GVS_DOCTOR_TUNNELS_MAX)
            return;
    }
}

static void
read_servers(struct gvs_doctor_use *u, const json_t *list)
{
    const json_t *o;
    size_t i;

    json_array_foreach(list, i, o)
    {
        const char *addr = json_string_value(o);

        if (!addr || gvs_addr_parse(&u->servers[u->server_count], addr, strlen(addr), NULL) < 0)
            continue;
        if (++u->server_count == GVS_DOCTOR_SERVERS_MAX)
            return;
    }
}

static bool
has_word(const json_t *list, const char *word)
{
    const json_t *o;
    size_t i;

    json_array_foreach(list, i, o) if (json_string_value(o) &&
                                       strcmp(json_string_value(o), word) == 0) return true;
    return false;
}

static size_t
count_of(const json_t *doc, const char *key)
{
    json_int_t v = json_integer_value(json_object_get(doc, key));

    return v > 0 ? (size_t)v : 0;
}

static void
read_use(struct doctor *d, const json_t *doc)
{
    const json_t *schedulers = json_object_get(doc, "schedulers"), *o;
    const char *interface = json_string_value(json_object_get(doc, "interface"));
    struct gvs_doctor_use *u = &d->use;
    size_t i;

    u->items = count_of(doc, "services") + count_of(doc, "destinations");
    u->tcp = json_is_true(json_object_get(doc, "tcp"));
    u->udp = json_is_true(json_object_get(doc, "udp"));
    u->persistent = json_is_true(json_object_get(doc, "persistent"));
    u->nat4 = has_word(json_object_get(doc, "nat"), "ipv4");
    u->nat6 = has_word(json_object_get(doc, "nat"), "ipv6");
    u->port = (uint16_t)count_of(doc, "port");
    u->members = count_of(doc, "members");
    json_array_foreach(schedulers, i, o) if (json_string_value(o) &&
                                             u->scheduler_count < GVS_DOCTOR_SCHEDULERS_MAX)
        snprintf(u->schedulers[u->scheduler_count++], sizeof *u->schedulers, "%s",
                 json_string_value(o));
    read_tunnels(u, json_object_get(doc, "tunnels"));
    read_servers(u, json_object_get(doc, "servers"));
    d->interface = interface ? interface : "";
    d->assumed = gvs_doctor_assume(u);
}

/* --- into a namespace --- */

/* The agent's own is ours, or that of the process at the other end of the socket. */
static int
enter_host(const struct doctor *d, uint64_t dev, uint64_t ino)
{
    struct ucred peer = {0};
    socklen_t len = sizeof peer;
    char path[48];

    if (gvs_doctor_enter("/proc/self/ns/net", dev, ino) != GVS_E_NOTFOUND)
        return GVS_OK; /* to enter it again may be refused, and changes nothing */
    if (getsockopt(d->cli->client.fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return GVS_E_SYS;
    snprintf(path, sizeof path, "/proc/%ld/ns/net", (long)peer.pid);
    return gvs_doctor_enter(path, dev, ino);
}

static int
enter(struct doctor *d, const json_t *o)
{
    const char *name = json_string_value(json_object_get(o, "name"));
    uint64_t dev = count_of(o, "device"), ino = count_of(o, "inode");
    char path[256];

    d->netns = name ? name : "?";
    d->timeouts = json_object_get(o, "timeouts");
    if (is_host(d))
        return enter_host(d, dev, ino);
    snprintf(path, sizeof path, "/run/netns/%s", d->netns);
    return gvs_doctor_enter(path, dev, ino);
}

/* --- findings --- */

/* "net.ipv4.ip_forward"; with slashes as sysctl(8) takes it, too, if an interface's name has dots.
 */
static void
key_of(char key[static 64], const char *path)
{
    snprintf(key, 64, "%s", path);
    if (!strchr(path, '.'))
        for (char *at = key; (at = strchr(at, '/')) != NULL;)
            *at = '.';
}

/* What does by hand what --fix does. To be freed. */
static char *
command_of(const struct doctor *d, const struct gvs_doctor_finding *f)
{
    char *text = NULL, key[64];
    size_t len = 0;
    FILE *out = gvs_print_need(open_memstream(&text, &len));

    if (!is_host(d))
        fprintf(out, "ip netns exec %s ", d->netns);
    fputs("sysctl -w", out);
    for (size_t i = 0; i < f->write_count; i++) {
        key_of(key, f->writes[i].path);
        fprintf(out, " %s=%s", key, f->writes[i].value);
    }
    fclose(out);
    return gvs_print_need(text);
}

static json_t *
text_or_null(const char *text)
{
    return text[0] ? json_string(text) : json_null();
}

static void
append_finding(struct doctor *d, const struct gvs_doctor_finding *f, bool settable)
{
    static const char *const states[] = {
        [GVS_DOCTOR_OK] = "ok",
        [GVS_DOCTOR_UNNEEDED] = "unneeded",
        [GVS_DOCTOR_WARN] = "warn",
        [GVS_DOCTOR_BAD] = "bad",
    };
    bool wrong = f->state == GVS_DOCTOR_WARN || f->state == GVS_DOCTOR_BAD;
    char *command = wrong && f->write_count > 0 ? command_of(d, f) : NULL;
    json_t *o =
        json_pack("{s:s, s:s, s:s}", "name", f->name, "state", states[f->state], "why", f->why);

    json_object_set_new(o, "namespace",
                        f->scope == GVS_DOCTOR_MACHINE ? json_null() : json_string(d->netns));
    json_object_set_new(o, "found", text_or_null(f->found));
    json_object_set_new(o, "wanted", text_or_null(f->wanted));
    json_object_set_new(o, "fix",
                        command ? json_string(command) : text_or_null(wrong ? f->fix : ""));
    json_object_set_new(o, "settable", json_boolean(wrong && settable && f->write_count > 0));
    json_array_append_new(d->checks, o);
    free(command);
}

/* What is the same for all namespaces is told of the first. */
static bool
concerns(const struct doctor *d, const struct gvs_doctor_finding *f, bool first)
{
    return f->scope == GVS_DOCTOR_MACHINE ? first : f->scope != GVS_DOCTOR_AGENT || is_host(d);
}

static void
look(struct doctor *d)
{
    gvs_doctor_look(&d->seen, &d->use, d->interface);
    d->seen.tcp_s = (uint32_t)count_of(d->timeouts, "tcp");
    d->seen.tcpfin_s = (uint32_t)count_of(d->timeouts, "tcpfin");
    d->seen.udp_s = (uint32_t)count_of(d->timeouts, "udp");
}

static void
examine(struct doctor *d, bool first)
{
    struct gvs_doctor_finding f;

    look(d);
    for (size_t i = 0; i < gvs_doctor_count(); i++) {
        gvs_doctor_judge(i, &d->use, &d->seen, &f);
        if (concerns(d, &f, first))
            append_finding(d, &f, gvs_doctor_sets(i));
    }
}

/* Said, not passed over: nobody knows how things are in there. */
static void
say_not_examined(struct doctor *d, int rc)
{
    struct gvs_doctor_finding f = {.name = "namespace",
                                   .state = GVS_DOCTOR_WARN,
                                   .why = "nothing is known of it: only root enters another one"};

    snprintf(f.found, sizeof f.found, "not examined: %s",
             rc == GVS_E_NOTFOUND ? "another one by that name" : strerror(errno));
    snprintf(f.fix, sizeof f.fix, "run gossipvs doctor as root, where the agent runs");
    append_finding(d, &f, false);
}

/* --- the screen --- */

static bool
is_wrong(const json_t *check)
{
    const char *state = gvs_screen_text(check, "state");

    return strcmp(state, "warn") == 0 || strcmp(state, "bad") == 0;
}

static bool
is_unneeded(const json_t *check)
{
    return strcmp(gvs_screen_text(check, "state"), "unneeded") == 0;
}

#define COLUMNS 5

/* NAMESPACE is empty where there is but one. */
static void
cells_of(const char *cells[static COLUMNS], const json_t *check, bool several)
{
    cells[0] = several ? gvs_screen_text(check, "namespace") : "";
    cells[1] = gvs_screen_text(check, "name");
    cells[2] = is_unneeded(check) ? "not needed" : gvs_screen_text(check, "state");
    cells[3] = gvs_screen_text(check, "found");
    cells[4] =
        is_unneeded(check) ? gvs_screen_text(check, "why") : gvs_screen_text(check, "wanted");
}

static void
print_row(FILE *out, const char *const cells[static COLUMNS], const size_t widths[static COLUMNS])
{
    for (size_t i = 0; i < COLUMNS; i++)
        if (widths[i] > 0 && i + 1 < COLUMNS)
            gvs_print(out, "%-*s  ", (int)widths[i], cells[i]);
    gvs_print_line(out, "%s", cells[COLUMNS - 1]);
}

static void
print_table(const struct doctor *d, bool several)
{
    static const char *const heads[COLUMNS] = {"NAMESPACE", "CHECK", "STATE", "FOUND", "WANTED"};
    const char *cells[COLUMNS];
    size_t widths[COLUMNS], i;
    const json_t *check;

    for (size_t n = 0; n < COLUMNS; n++)
        widths[n] = n > 0 || several ? strlen(heads[n]) : 0;
    json_array_foreach(d->checks, i, check)
    {
        cells_of(cells, check, several);
        for (size_t n = 0; n < COLUMNS; n++)
            widths[n] = strlen(cells[n]) > widths[n] ? strlen(cells[n]) : widths[n];
    }
    print_row(d->cli->screen.out, heads, widths);
    json_array_foreach(d->checks, i, check)
    {
        cells_of(cells, check, several);
        print_row(d->cli->screen.out, cells, widths);
    }
}

/* What is wrong, why, and what to do. */
static void
print_wrongs(const struct doctor *d, bool several)
{
    FILE *out = d->cli->screen.out;
    const json_t *check;
    size_t i;

    json_array_foreach(d->checks, i, check)
    {
        bool place = several && !json_is_null(json_object_get(check, "namespace"));

        if (!is_wrong(check))
            continue;
        fputc('\n', out);
        gvs_print_line(out, "%s%s%s: %s", gvs_screen_text(check, "name"), place ? " in " : "",
                       place ? gvs_screen_text(check, "namespace") : "",
                       gvs_screen_text(check, "why"));
        gvs_print_line(out, "    %s", gvs_screen_text(check, "fix"));
        if (json_is_true(json_object_get(check, "settable")))
            gvs_print_line(out, "    or: gossipvs doctor --fix %s", gvs_screen_text(check, "name"));
    }
}

static bool
is_several(const json_t *checks)
{
    const json_t *check, *ns;
    size_t i;

    json_array_foreach(checks, i, check)
    {
        ns = json_object_get(check, "namespace");
        if (json_is_string(ns) && strcmp(json_string_value(ns), "host") != 0)
            return true;
    }
    return false;
}

static int
tell(struct doctor *d)
{
    bool several = is_several(d->checks);
    size_t wrong = 0, i;
    const json_t *check;

    json_array_foreach(d->checks, i, check) wrong += is_wrong(check);
    if (d->cli->json) {
        gvs_cli_print(json_pack("{s:s, s:b, s:O}", "schema", GVS_CLI_SCHEMA, "assumed",
                                (int)d->assumed, "checks", d->checks));
        return wrong > 0 ? GVS_EXIT_NO : GVS_EXIT_OK;
    }
    if (d->assumed)
        gvs_cli_say(d->cli, "no VIPs yet: examined for one by the defaults of vip add");
    print_table(d, several);
    print_wrongs(d, several);
    if (wrong > 0)
        fprintf(d->cli->screen.out, "\n%zu of %zu not as wanted\n", wrong,
                json_array_size(d->checks));
    return wrong > 0 ? GVS_EXIT_NO : GVS_EXIT_OK;
}

/* --- --fix --- */

static int
index_of(const char *name)
{
    for (size_t i = 0; i < gvs_doctor_count(); i++)
        if (strcmp(gvs_doctor_name(i), name) == 0)
            return (int)i;
    return -1;
}

/* Before anything is set. */
static int
check_names(const struct gvs_cli *c, struct gvs_fault *f)
{
    char list[256] = "";
    size_t at = 0;

    for (size_t i = 0; i < gvs_doctor_count(); i++)
        if (gvs_doctor_sets(i) && at < sizeof list)
            at += (size_t)snprintf(list + at, sizeof list - at, "%s%s", at ? ", " : "",
                                   gvs_doctor_name(i));
    if (c->count == 1)
        return gvs_fault_set(f, GVS_EXIT_USAGE, "--fix what? (%s)", list);
    for (size_t i = 1; i < c->count; i++) {
        int check = index_of(c->words[i]);

        if (check >= 0 && gvs_doctor_sets((size_t)check))
            continue;
        return gvs_fault_set(f, GVS_EXIT_USAGE, "--fix %s: %s (%s)", c->words[i],
                             check < 0 ? "no such check" : "doctor shows it, but cannot set it",
                             list);
    }
    return GVS_OK;
}

static int
set_one(struct doctor *d, const struct gvs_doctor_finding *f, const struct gvs_doctor_write *w,
        struct gvs_fault *fault)
{
    char key[64], before[sizeof w->value], in[160] = "", text[512];

    key_of(key, w->path);
    if (!is_host(d))
        snprintf(in, sizeof in, " in %.128s", d->netns);
    gvs_doctor_read(before, sizeof before, w->path);
    if (gvs_doctor_write(w) < 0) {
        bool may_not = errno == EACCES || errno == EPERM || errno == EROFS;

        gvs_fault_set(fault, may_not ? GVS_EXIT_NOT_PERMITTED : GVS_EXIT_NO,
                      "%s%s cannot be set: %s", key, in, strerror(errno));
        if (may_not)
            gvs_fault_hint(fault, "as root: gossipvs doctor --fix %s", f->name);
        return -1;
    }
    json_array_append_new(d->set,
                          json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", f->name, "namespace",
                                    d->netns, "key", key, "before", before, "after", w->value));
    snprintf(text, sizeof text, "%s = %s%s (was %s)", key, w->value, in, before[0] ? before : "-");
    gvs_cli_say(d->cli, text);
    return GVS_OK;
}

/* Sets what makes it right, and looks whether it is. */
static int
mend(struct doctor *d, size_t check, struct gvs_fault *fault)
{
    struct gvs_doctor_finding f;

    gvs_doctor_judge(check, &d->use, &d->seen, &f);
    if (!concerns(d, &f, true))
        return GVS_OK;
    for (size_t i = 0; i < f.write_count; i++)
        if (set_one(d, &f, &f.writes[i], fault) < 0)
            return -1;
    if (f.write_count > 0) {
        look(d);
        gvs_doctor_judge(check, &d->use, &d->seen, &f);
    }
    if (f.fix[0])
        return gvs_fault_set(fault, GVS_EXIT_NO, "%s: %s", f.name, f.fix);
    if (f.write_count > 0)
        return gvs_fault_set(fault, GVS_EXIT_NO, "%s: was set, and is not as it was set", f.name);
    return GVS_OK;
}

static int
mend_all(struct doctor *d, struct gvs_fault *fault)
{
    look(d);
    for (size_t i = 1; i < d->cli->count; i++)
        if (mend(d, (size_t)index_of(d->cli->words[i]), fault) < 0)
            return -1;
    return GVS_OK;
}

static int
tell_set(const struct doctor *d)
{
    bool any = json_array_size(d->set) > 0;

    if (d->cli->json)
        gvs_cli_print(json_pack("{s:s, s:s, s:O}", "schema", GVS_CLI_SCHEMA, "result",
                                any ? "done" : "already", "set", d->set));
    gvs_cli_say(d->cli, any ? "until the next boot; a file in /etc/sysctl.d sets it at each"
                            : "already so");
    return GVS_EXIT_OK;
}

/* --- the command --- */

/* In each namespace: look and judge, or set. */
static int
go_through(struct doctor *d, const json_t *namespaces, bool fix)
{
    struct gvs_fault fault;
    const json_t *o;
    size_t i;

    json_array_foreach(namespaces, i, o)
    {
        int rc = enter(d, o);

        if (rc < 0 && fix) {
            gvs_fault_set(&fault, GVS_EXIT_NOT_PERMITTED, "namespace %s cannot be entered: %s",
                          d->netns,
                          rc == GVS_E_NOTFOUND ? "another one by that name" : strerror(errno));
            return gvs_cli_fail(d->cli, &fault);
        }
        if (rc < 0)
            say_not_examined(d, rc);
        else if (!fix)
            examine(d, i == 0);
        else if (mend_all(d, &fault) < 0)
            return gvs_cli_fail(d->cli, &fault);
    }
    return fix ? tell_set(d) : tell(d);
}

int
gvs_cli_doctor(struct gvs_cli *c)
{
    struct doctor d = {.cli = c, .netns = "host", .checks = json_array(), .set = json_array()};
    bool fix = c->count > 0 && strcmp(c->words[0], "--fix") == 0;
    struct gvs_fault fault;
    json_t *doc = NULL;
    int rc;

    if (fix && check_names(c, &fault) < 0)
        rc = gvs_cli_fail(c, &fault);
    else
        rc = gvs_cli_talk(c, "doctor", NULL, 0, false, &doc);
    if (doc && rc == GVS_EXIT_OK) {
        read_use(&d, doc);
        rc = go_through(&d, json_object_get(doc, "namespaces"), fix);
    }
    json_decref(doc);
    json_decref(d.checks);
    json_decref(d.set);
    return rc;
}
