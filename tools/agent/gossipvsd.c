/* gossipvsd: the agent as a process: arguments, signals, a log. */
#include <argp.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "net/keyring.h"
#include "tools/agent/daemon.h"
#include "tools/agent/notify.h"
#include "tools/process/confine.h"
#include "tools/words/claims.h"
#include "tools/words/config.h"

struct options {
    const char *config;
    enum gvs_log_level level;
    bool check, version;
};

struct process {
    struct gvs_agent *agent;
    enum gvs_log_level level;
    uv_signal_t term, intr, hup;
    struct gvs_notify notify;
};

static error_t
parse_option(int key, char *arg, struct argp_state *state)
{
    static const struct {
        const char *name;
        enum gvs_log_level level;
    } levels[] = {{"err", GVS_LOG_ERR},
                  {"warn", GVS_LOG_WARN},
                  {"info", GVS_LOG_INFO},
                  {"debug", GVS_LOG_DEBUG}};
    struct options *o = state->input;

    switch (key) {
    case 'c':
        o->config = arg;
        return 0;
    case 'k':
        o->check = true;
        return 0;
    case 'V':
        o->version = true;
        return 0;
    case 'l':
        for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
            if (strcmp(levels[i].name, arg) == 0) {
                o->level = levels[i].level;
                return 0;
            }
        argp_error(state, "--log %s: err, warn, info or debug expected", arg);
        return EINVAL;
    case ARGP_KEY_ARG:
        argp_error(state, "no such word '%s'", arg);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option known[] = {
    {"config", 'c', "FILE", 0, "the configuration (default /etc/gossipvs/gossipvs.conf)", 0},
    {"check", 'k', 0, 0, "check the configuration, the keyring and services.d, and exit", 0},
    {"log", 'l', "LEVEL", 0, "err, warn, info (default) or debug", 0},
    {"version", 'V', 0, 0, "print the version and exit", 0},
    {0},
};

/* systemd's journal takes the level from a prefix; a terminal is spared it. */
static void
say(enum gvs_log_level level, const char *what, const char *line)
{
    if (getenv("JOURNAL_STREAM"))
        fprintf(stderr, "<%d>", (int)level);
    fprintf(stderr, "%s: %s\n", what, line);
}

static void
log_line(void *ctx, enum gvs_log_level level, const char *line)
{
    struct process *p = ctx;

    if (level <= p->level)
        say(level, "gossipvsd", line);
}

static int
report(const struct gvs_fault *f)
{
    say(GVS_LOG_ERR, "gossipvsd", f->text);
    if (f->hint[0])
        say(GVS_LOG_ERR, "hint", f->hint);
    return (int)f->exit;
}

static int
check(const struct options *o)
{
    static struct gvs_config cfg;
    struct gvs_claims claims = {0};
    struct gvs_keyring ring;
    struct gvs_fault f;
    int rc = 0;

    if (gvs_config_read(&cfg, o->config, &f) < 0 || gvs_config_keyring(&ring, cfg.keyring, &f) < 0)
        return report(&f);
    gvs_keyring_wipe(&ring);
    gvs_claims_read(&claims, cfg.services, &f);
    if (f.text[0])
        rc = report(&f);
    for (size_t i = 0; i < claims.file_count; i++)
        if (claims.files[i].bad)
            rc = report(&claims.files[i].fault);
    gvs_claims_free(&claims);
    return rc;
}

static void
stop(void *ctx)
{
    struct process *p = ctx;

    uv_close((uv_handle_t *)&p->term, NULL);
    uv_close((uv_handle_t *)&p->intr, NULL);
    uv_close((uv_handle_t *)&p->hup, NULL);
    gvs_notify_close(&p->notify);
    gvs_agent_close(p->agent, NULL, NULL);
}

static void
on_signal(uv_signal_t *s, int signum)
{
    struct process *p = s->data;
    struct gvs_fault f;
    int rc;

    if (signum == SIGHUP) {
        gvs_notify_reloading();
        rc = gvs_agent_reload(p->agent, false, &f); /* which logs how it went */
        gvs_notify_reloaded(rc < 0 ? f.text : "");
        return;
    }
    stop(p);
}

static void
catch_signal(uv_loop_t *loop, struct process *p, uv_signal_t *s, int signum)
{
    uv_signal_init(loop, s);
    s->data = p;
    uv_signal_start(s, on_signal, signum);
}

int
main(int argc, char **argv)
{
    const struct argp argp = {known,
                              parse_option,
                              NULL,
                              "gossipvsd - the agent of gossipvs\v"
                              "Runs in the foreground. SIGHUP reloads; SIGTERM stops, and leaves "
                              "the kernel as it is.",
                              NULL,
                              NULL,
                              NULL};
    struct options o = {"/etc/gossipvs/gossipvs.conf", GVS_LOG_INFO, false, false};
    struct process p = {0};
    struct gvs_fault fault;
    char text[160];
    uv_loop_t loop;

    argp_err_exit_status = GVS_EXIT_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    if (o.version) {
        printf("gossipvsd %s\n", gvs_version());
        return 0;
    }
    if (o.check)
        return check(&o);
    /* Sets are large, zeroed, and touched as they fill. The C library gives such a block back by
     * clearing one that was freed, whole, unless it is told to ask the kernel each time: a
     * namespace that comes after one has gone cost 100 MB and seconds. */
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    /* The thread of the disk would have an arena of its own, which grows and shrinks by two system
     * calls with every page of the database. */
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TRIM_THRESHOLD, 1 << 20);
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stderr, NULL, _IOLBF, 0);
    gvs_confine_memory();
    p.level = o.level;
    uv_loop_init(&loop);
    if (gvs_agent_open(&p.agent, &loop, o.config, log_line, &p, &fault) < 0) {
        uv_run(&loop, UV_RUN_DEFAULT); /* what was opened closes */
        uv_loop_close(&loop);
        return report(&fault);
    }
    log_line(&p, gvs_confine(text, sizeof text) < 0 ? GVS_LOG_WARN : GVS_LOG_INFO, text);
    catch_signal(&loop, &p, &p.term, SIGTERM);
    catch_signal(&loop, &p, &p.intr, SIGINT);
    catch_signal(&loop, &p, &p.hup, SIGHUP);
    gvs_agent_on_left(p.agent, stop, &p);
    gvs_notify_ready(&p.notify, &loop);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    return 0;
}
