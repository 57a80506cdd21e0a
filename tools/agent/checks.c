/* tools/agent/checks.c: the health checks of this node's own backends (services.d: check { }).
 *
 * Only who claims a backend in a file looks after it, so each costs one look an interval however
 * many nodes there are, and what becomes of it travels as what it is: the weight of that claim, 0
 * while the server is down and as configured while it is up. To every node that is one edit. When
 * a server counts as up or down is tools/agent/health.h's affair; here is how it is looked at.
 *
 *   tcp    a connection from the network namespace where the agent runs, closed at once
 *   exec   the operator's command, run by another process (tools/process/checker.h)
 *
 * What counts before the first answers: where the table has this node's claim, what that says. So a
 * restart changes nothing, neither for who is up nor for who is down, and a check that is added to
 * a backend in use takes nothing away. A claim with a weight is up, one of weight 0 whose file says
 * more is down; one that is new is what `start` says, and so is one whose 0 stands for maintenance.
 *
 * A look that cannot be made is no answer: no program, one that is killed before it could say
 * anything, no process to run it, none of our own file descriptors left. What counts stays, and
 * status says which line of which file is not looked at. Nor is an answer what this process was too
 * late for: after a pause the looks that were under way count for nothing, and all begin anew,
 * spread.
 *
 * There are so many places for connections, and so many for commands. A look that is due when all
 * are taken waits its turn, and that it did is counted and told: from then on servers are found
 * down, and up, the later.
 *
 * There is no threshold beyond which checks are not believed any more ("panic"). That all servers
 * of a service are down is what its operator's own checks say, each for itself, and to send clients
 * there all the same would only hide it: they are refused at once, as of a service that is drained.
 * Who wants it otherwise has `backend set ... weight`, which is above any claim. (What merely
 * seems to be so, that an owner is gone, fails open: core/view.h.) */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/crypto.h"
#include "tools/agent/agent.h"
#include "tools/agent/health.h"
#include "tools/process/checker.h"

#define CONNECTS_MAX 256 /* at once; of the 1,024 descriptors that the unit allows */
#define STEP_MS 10       /* no look is so urgent: one pass over all for what is due in it */
#define PAUSE_MS 500     /* woken so much too late, we were stopped, not they */
#define SILENT_MS 5000   /* what the checker may be late with an answer */

struct probe;

/* One backend's check. */
struct check {
    struct gvs_svcid svc;
    struct gvs_ep ep;
    struct gvs_check check; /* as its file has it */
    struct gvs_health_rule rule;
    struct gvs_health health;
    struct probe *probe;      /* the connection under way, or NULL */
    uint64_t asked;           /* number of the command under way, or 0 */
    struct gvs_mono deadline; /* of either */
    bool waits;               /* a look is due, and there is no place for it */
    bool unable;              /* the latest look could not be made, */
    char why[96];             /* since; or why it is down; or "" */
};

struct gvs_checks {
    struct check **list; /* ascending by service and endpoint; each stays where it is */
    size_t count;
    size_t turn; /* who is looked at first, of those that are due: all have their turn */
    size_t connects, commands;
    uint64_t number;                   /* of the latest command */
    uint64_t late[GVS_CHECK_EXEC + 1]; /* looks that had to wait; [enum gvs_check_type] */
    bool changed;                      /* something in the table, and nobody was told yet */
    struct gvs_mono due;
    uv_timer_t timer;
    struct gvs_child checker;
    uv_poll_t poll;
    char fault[64]; /* the checker has gone: how; else "" */
};

/* A connection under way. It is freed when its handle is closed. */
struct probe {
    uv_tcp_t tcp;
    uv_connect_t connect;
    struct gvs_agent *a;
    struct check *check; /* NULL: nobody wants to know any more */
};

static uint32_t
dice(void)
{
    uint32_t bits;

    gvs_crypto_random(NULL, &bits, sizeof bits);
    return bits;
}

static void arm(struct gvs_agent *a, struct gvs_mono now);

/* --- what came of it --- */

/* What counts has changed: to the log, to who watches, and to the table. */
static void
tell(struct gvs_agent *a, const struct check *c)
{
    const char *event = c->health.up ? "check.up" : "check.down";
    char ep[GVS_EP_TEXT_LEN], vip[GVS_SVCID_TEXT_LEN];
    enum gvs_via via = a->via;

    gvs_svcid_format(vip, &c->svc);
    gvs_ep_format(ep, &c->ep);
    gvs_agent_log(a, c->health.up ? GVS_LOG_INFO : GVS_LOG_WARN, "check of %s, vip '%s': %s%s%s",
                  ep, vip, c->health.up ? "up" : "down", c->why[0] ? ": " : "", c->why);
    a->via = GVS_VIA_NONE;
    gvs_event_emit(a, event, &c->svc, &c->ep, NULL,
                   c->why[0] ? json_pack("{s:s}", "reason", c->why) : NULL);
    a->via = via;
    gvs_agent_claim_backend(a, &c->svc, &c->ep);
    a->checks->changed = true;
}

/* At the end of whatever brought answers. */
static void
pump(struct gvs_agent *a)
{
    if (!a->checks->changed)
        return;
    a->checks->changed = false;
    gvs_agent_pump(a);
}

static void
describe_rise(struct check *c, struct gvs_mono now)
{
    if (c->health.row < c->rule.rise)
        snprintf(c->why, sizeof c->why, "answers again: %u of %u", c->health.row, c->rule.rise);
    else
        snprintf(c->why, sizeof c->why, "answers again, but fell %u times of late: %.0f s more",
                 c->health.falls.count, (double)(c->health.hold.us - now.us) / 1e6);
}

static void
take_answer(struct gvs_agent *a, struct check *c, bool pass, const char *why)
{
    struct gvs_mono now = gvs_udp_now();
    bool changed = gvs_health_answer(&c->health, &c->rule, pass, now);

    c->unable = false;
    if (pass && !c->health.up)
        describe_rise(c, now);
    else
        snprintf(c->why, sizeof c->why, "%s", why);
    if (changed)
        tell(a, c);
}

/* No answer: what counts stays. */
static void
be_unable(struct check *c, const char *why)
{
    c->unable = true;
    snprintf(c->why, sizeof c->why, "%s", why);
}

/* --- connections --- */

static void
on_probe_closed(uv_handle_t *h)
{
    struct probe *p = h->data;
    struct gvs_agent *a = p->a;

    free(p);
    gvs_agent_handle_closed(a);
}

/* Ends the connection that is under way, if there is one. */
static void
end_probe(struct gvs_agent *a, struct check *c)
{
    struct probe *p = c->probe;

    if (!p)
        return;
    p->check = NULL;
    c->probe = NULL;
    a->checks->connects--;
    uv_close((uv_handle_t *)&p->tcp, on_probe_closed);
}

/* Is it the server, or the way there, that does not answer? Anything else is our own trouble:
 * ports, memory, a filter that forbids us to ask. */
static bool
is_answer(int error)
{
    static const int errors[] = {UV_ECONNREFUSED, UV_ECONNRESET, UV_ETIMEDOUT,   UV_EHOSTUNREACH,
                                 UV_ENETUNREACH,  UV_EHOSTDOWN,  UV_ECONNABORTED};

    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i] == error)
            return true;
    return false;
}

static void
take_connect(struct gvs_agent *a, struct check *c, int status)
{
    if (status == 0 || is_answer(status))
        take_answer(a, c, status == 0, status == 0 ? "" : uv_strerror(status));
    else
        be_unable(c, uv_strerror(status));
}

static void
on_connect(uv_connect_t *connect, int status)
{
    struct probe *p = connect->data;
    struct check *c = p->check;

    if (!c)
        return; /* and closing */
    end_probe(p->a, c);
    take_connect(p->a, c, status);
    pump(p->a);
}

static void
to_sockaddr(struct sockaddr_storage *out, const struct gvs_ep *ep)
{
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;

    memset(out, 0, sizeof *out);
    if (ep->addr.family == GVS_FAMILY_V4) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(ep->port);
        memcpy(&v4->sin_addr, ep->addr.b, 4);
    } else {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(ep->port);
        memcpy(&v6->sin6_addr, ep->addr.b, 16);
    }
}

/* libuv tells of some errors by the call and of others later. */
static void
begin_connect(struct gvs_agent *a, struct check *c)
{
    struct probe *p = calloc(1, sizeof *p);
    struct sockaddr_storage to;
    int rc;

    if (!p) {
        be_unable(c, "out of memory");
        return;
    }
    p->a = a;
    p->check = c;
    p->tcp.data = p->connect.data = p;
    rc = uv_tcp_init(a->loop, &p->tcp);
    if (rc < 0) { /* then there is no handle */
        free(p);
        be_unable(c, uv_strerror(rc));
        return;
    }
    a->handles++;
    a->checks->connects++;
    c->probe = p;
    to_sockaddr(&to, &c->ep);
    rc = uv_tcp_connect(&p->connect, &p->tcp, (struct sockaddr *)&to, on_connect);
    if (rc == 0)
        return;
    end_probe(a, c);
    take_connect(a, c, rc);
}

/* --- commands --- */

static void
lose_checker(struct gvs_agent *a, const char *why)
{
    struct gvs_checks *s = a->checks;
    char how[32];

    uv_poll_stop(&s->poll);
    gvs_child_stop(&s->checker, how);
    snprintf(s->fault, sizeof s->fault, "%s", how[0] ? how : why);
    gvs_agent_log(a, GVS_LOG_ERR,
                  "the process that runs checks has gone (%s): no command runs before a restart",
                  s->fault);
    s->commands = 0;
    for (size_t i = 0; i < s->count; i++)
        s->list[i]->asked = 0;
}

static void
begin_command(struct gvs_agent *a, struct check *c)
{
    struct gvs_checks *s = a->checks;

    if (s->checker.fd < 0) {
        be_unable(c, s->fault[0] ? "the process that runs it has gone; a restart brings it back"
                                 : "no check had a command when the agent started; restart it");
        return;
    }
    if (gvs_checker_ask(&s->checker, s->number + 1, &c->svc, &c->ep) < 0) {
        lose_checker(a, "it takes no request");
        return;
    }
    c->asked = ++s->number;
    s->commands++;
}

static struct check *
asked_by(const struct gvs_checks *s, uint64_t number)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->list[i]->asked == number)
            return s->list[i];
    return NULL;
}

static void
take_end(struct gvs_agent *a, struct check *c, const struct gvs_checker_answer *end)
{
    char how[96];

    switch (end->end) {
    case GVS_CHECKER_EXITED:
        snprintf(how, sizeof how, "exit status %d", end->code);
        take_answer(a, c, end->code == 0, end->code == 0 ? "" : how);
        return;
    case GVS_CHECKER_KILLED: /* it crashed, or the service manager ends us all */
        snprintf(how, sizeof how, "killed by signal %d", end->code);
        be_unable(c, how);
        return;
    case GVS_CHECKER_LATE:
        snprintf(how, sizeof how, "killed, as it was not done after %u s", c->check.timeout);
        take_answer(a, c, false, how);
        return;
    case GVS_CHECKER_NOT_RUN:
        be_unable(c, strerror(end->code));
        return;
    case GVS_CHECKER_FULL:
        be_unable(c, "too many commands that do not end");
        return;
    default: /* who was first to read a file that has just changed? */
        be_unable(c, "the process that runs it finds no such check");
        return;
    }
}

static void
on_answer(uv_poll_t *p, int status, int events)
{
    struct gvs_agent *a = p->data;
    struct gvs_checks *s = a->checks;
    struct gvs_checker_answer end;
    int rc = GVS_OK;

    (void)events;
    while (rc == GVS_OK && s->checker.fd >= 0) {
        struct check *c;

        rc = status < 0 ? GVS_E_LOST : gvs_checker_answer(&s->checker, &end);
        if (rc == GVS_E_LOST)
            lose_checker(a, "its socket was closed");
        if (rc < 0)
            break;
        s->commands -= s->commands > 0;
        c = asked_by(s, end.number);
        if (!c)
            continue; /* its check went meanwhile */
        c->asked = 0;
        take_end(a, c, &end);
    }
    arm(a, gvs_udp_now());
    pump(a);
}

/* --- when --- */

/* What it needs is there. */
static bool
has_room(const struct gvs_checks *s, const struct check *c)
{
    return c->check.type == GVS_CHECK_TCP ? s->connects < CONNECTS_MAX
                                          : s->commands < GVS_CHECKER_MAX;
}

static void
tell_late(struct gvs_agent *a, const struct check *c, struct gvs_mono now)
{
    bool tcp = c->check.type == GVS_CHECK_TCP;
    char ep[GVS_EP_TEXT_LEN], vip[GVS_SVCID_TEXT_LEN];

    a->checks->late[c->check.type]++;
    gvs_svcid_format(vip, &c->svc);
    gvs_ep_format(ep, &c->ep);
    gvs_agent_log_seldom(a, GVS_SELDOM_LATE,
                         "checks are late: %d %s at a time are not enough; that of %s, vip '%s', "
                         "began after %.1f s more than its interval",
                         tcp ? CONNECTS_MAX : GVS_CHECKER_MAX, tcp ? "connections" : "commands", ep,
                         vip, (double)(now.us - c->health.next.us) / 1e6);
}

static void
step(struct gvs_agent *a, struct check *c, struct gvs_mono now)
{
    char why[48];

    if (c->probe && gvs_mono_due(c->deadline, now)) {
        end_probe(a, c);
        snprintf(why, sizeof why, "no answer in %u s", c->check.timeout);
        take_answer(a, c, false, why);
    }
    if (c->probe || c->asked || !gvs_mono_due(c->health.next, now))
        return;
    if (!has_room(a->checks, c)) {
        c->waits = true;
        return;
    }
    if (c->waits)
        tell_late(a, c, now);
    c->waits = false;
    gvs_health_look(&c->health, &c->rule, now, dice());
    c->deadline = gvs_mono_add_ms(now, c->check.timeout * UINT64_C(1000));
    if (c->check.type == GVS_CHECK_TCP)
        begin_connect(a, c);
    else
        begin_command(a, c);
}

/* Commands have been given their time by another process, which was not stopped. */
static void
resume(struct gvs_agent *a, struct gvs_mono now)
{
    for (size_t i = 0; i < a->checks->count; i++) {
        struct check *c = a->checks->list[i];

        end_probe(a, c);
        c->waits = false;
        gvs_health_spread(&c->health, &c->rule, now, dice());
    }
}

static void
on_timer(uv_timer_t *t)
{
    struct gvs_agent *a = t->data;
    struct gvs_checks *s = a->checks;
    struct gvs_mono now = gvs_udp_now();

    if (gvs_mono_due(gvs_mono_add_ms(s->due, PAUSE_MS), now))
        resume(a, now);
    for (size_t i = 0, first = s->turn; i < s->count; i++) {
        size_t at = (first + i) % s->count;
        bool waits = s->list[at]->probe || s->list[at]->asked;

        step(a, s->list[at], now);
        if (!waits && (s->list[at]->probe || s->list[at]->asked))
            s->turn = (at + 1) % s->count;
    }
    arm(a, now);
    pump(a);
}

/* When something happens to a check by time alone. */
static struct gvs_mono
next_of(const struct check *c)
{
    if (c->probe)
        return c->deadline;
    return c->asked ? GVS_MONO_NEVER : c->health.next;
}

static void
arm(struct gvs_agent *a, struct gvs_mono now)
{
    struct gvs_checks *s = a->checks;
    struct gvs_mono due = GVS_MONO_NEVER, soonest = gvs_mono_add_ms(now, STEP_MS);

    for (size_t i = 0; i < s->count; i++)
        due = gvs_mono_min(due, next_of(s->list[i]));
    s->due = due.us < soonest.us ? soonest : due;
    if (due.us == GVS_MONO_NEVER.us)
        uv_timer_stop(&s->timer);
    else
        uv_timer_start(&s->timer, on_timer, (s->due.us - now.us) / 1000, 0);
}

/* --- which --- */

static int
cmp_check(const void *x, const void *y)
{
    const struct check *a = *(struct check *const *)x, *b = *(struct check *const *)y;
    int sign = gvs_svcid_cmp(&a->svc, &b->svc);

    return sign ? sign : gvs_ep_cmp(&a->ep, &b->ep);
}

static struct check *
find(const struct gvs_checks *s, const struct gvs_svcid *svc, const struct gvs_ep *ep)
{
    struct check key = {.svc = *svc, .ep = *ep}, *probe = &key, **found = NULL;

    if (s && s->count)
        found = bsearch(&probe, s->list, s->count, sizeof *s->list, cmp_check);
    return found ? *found : NULL;
}

/* Before the first answer. */
static bool
begins_up(const struct gvs_agent *a, const struct gvs_claim_service *service,
          const struct gvs_claim_backend *b)
{
    struct gvs_key key = {
        .kind = GVS_KEY_BACKEND, .svc = service->id, .ep = b->ep, .owner = gvs_node_self(a->node)};
    struct gvs_backend held;
    struct gvs_keybuf kb;
    struct gvs_entry e;

    gvs_key_build(&kb, &key);
    if (!gvs_table_get(gvs_node_claims(a->node), kb.b, kb.len, &e) || e.tombstone ||
        gvs_backend_decode(&held, e.value, e.value_len) < 0)
        return b->check->start_up;
    if (held.weight > 0 || b->attr.weight == 0)
        return true;
    return gvs_maintenance_covers(a, service->attr.name) && b->check->start_up;
}

/* The check of a backend as its file has it now, with what was known of it. */
static struct check *
make(struct gvs_agent *a, const struct gvs_claim_service *service,
     const struct gvs_claim_backend *b, struct check *old)
{
    struct check *c = old ? old : calloc(1, sizeof *c);
    bool anew = !old || old->check.interval != b->check->interval;

    GVS_ASSERT(c);
    c->svc = service->id;
    c->ep = b->ep;
    if (old && !gvs_check_equal(&old->check, b->check)) { /* what it asks now, nobody asked yet */
        end_probe(a, c);
        c->asked = 0;
        c->health.row = 0;
    }
    c->check = *b->check;
    c->rule =
        (struct gvs_health_rule){c->check.interval * UINT64_C(1000), c->check.rise, c->check.fall};
    if (!old) {
        gvs_health_init(&c->health, &c->rule, begins_up(a, service, b), gvs_udp_now(), dice());
        if (!c->health.up)
            snprintf(c->why, sizeof c->why, "has not answered yet");
    } else if (anew) {
        c->waits = false;
        gvs_health_spread(&c->health, &c->rule, gvs_udp_now(), dice());
    }
    return c;
}

/* Those of old that are in no file any more; each that is has become NULL. */
static void
drop(struct gvs_agent *a, struct check **old, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!old[i])
            continue;
        end_probe(a, old[i]);
        free(old[i]);
    }
    free(old);
}

static size_t
count_checks(const struct gvs_claims *claims)
{
    size_t count = 0;

    for (size_t i = 0; i < claims->file_count; i++)
        for (size_t j = 0; j < claims->files[i].service_count; j++)
            for (size_t k = 0; k < claims->files[i].services[j].backend_count; k++)
                count += claims->files[i].services[j].backends[k].check != NULL;
    return count;
}

static void
add_service(struct gvs_agent *a, struct check **list, size_t *count,
            const struct gvs_claim_service *service, const struct gvs_checks *before)
{
    for (size_t i = 0; i < service->backend_count; i++) {
        const struct gvs_claim_backend *b = &service->backends[i];

        if (b->check) {
            list[*count] = make(a, service, b, find(before, &service->id, &b->ep));
            ++*count;
        }
    }
}

static bool
contains(struct check **list, size_t count, struct check *c)
{
    return count && bsearch(&c, list, count, sizeof *list, cmp_check);
}

void
gvs_checks_sync(struct gvs_agent *a)
{
    struct gvs_checks *s = a->checks;
    size_t count = 0, old_count = s->count;
    struct check **list = calloc(count_checks(&a->claims) + 1, sizeof *list), **old = s->list;

    GVS_ASSERT(list);
    for (size_t i = 0; i < a->claims.file_count; i++)
        for (size_t j = 0; j < a->claims.files[i].service_count; j++)
            add_service(a, list, &count, &a->claims.files[i].services[j], s);
    qsort(list, count, sizeof *list, cmp_check);
    for (size_t i = 0; i < old_count; i++)
        if (contains(list, count, old[i]))
            old[i] = NULL;
    s->list = list;
    s->count = count;
    s->turn = 0;
    drop(a, old, old_count);
    arm(a, gvs_udp_now());
}

/* --- what others ask --- */

bool
gvs_checks_down(const struct gvs_agent *a, const struct gvs_svcid *svc, const struct gvs_ep *ep)
{
    const struct check *c = find(a->checks, svc, ep);

    return c && !c->health.up;
}

uint64_t
gvs_checks_late(const struct gvs_agent *a, enum gvs_check_type type)
{
    return a->checks->late[type];
}

bool
gvs_checks_reason(const struct gvs_agent *a, const struct gvs_svcid *svc, const struct gvs_ep *ep,
                  char *text, size_t cap)
{
    const struct check *c = find(a->checks, svc, ep);

    if (!c || c->health.up)
        return false;
    snprintf(text, cap, "check: %s%s", c->unable ? "cannot be run: " : "", c->why);
    return true;
}

static void
problem_of(const struct gvs_agent *a, const struct check *c, struct gvs_problems *p)
{
    char ep[GVS_EP_TEXT_LEN], vip[GVS_SVCID_TEXT_LEN], label[GVS_CLAIMS_LABEL_MAX], hint[96];
    const char *file;

    if (!c->unable && c->health.up)
        return;
    gvs_ep_format(ep, &c->ep);
    gvs_svcid_format(vip, &c->svc);
    file = gvs_agent_claim_file(a, &c->svc, &c->ep);
    gvs_claims_label(label, a->cfg.services, file ? file : "?");
    snprintf(hint, sizeof hint, "gossipvs vip show %s", vip);
    if (c->unable)
        gvs_problem(p, false, "check", hint,
                    "%s:%u: the check of %s cannot be run (%s): it stays %s", label, c->check.line,
                    ep, c->why, c->health.up ? "up" : "down");
    else
        gvs_problem(p, false, "check", hint, "backend %s of vip '%s' is down: %s (%s:%u)", ep, vip,
                    c->why, label, c->check.line);
}

void
gvs_checks_problems(const struct gvs_agent *a, struct gvs_problems *p)
{
    const struct gvs_checks *s = a->checks;
    struct gvs_mono now = gvs_udp_now();
    bool silent = false;

    for (size_t i = 0; i < s->count; i++) {
        const struct check *c = s->list[i];

        silent |= c->asked && gvs_mono_due(gvs_mono_add_ms(c->deadline, SILENT_MS), now);
        if (json_array_size(p->list) < GVS_PROBLEMS_MAX)
            problem_of(a, c, p);
    }
    if (silent)
        gvs_problem(p, false, "check", "systemctl restart gossipvsd (connections stay)",
                    "the process that runs commands of checks does not answer");
}

/* --- beginning and end --- */

bool
gvs_checks_fork(struct gvs_agent *a)
{
    struct gvs_checks *s = a->checks = calloc(1, sizeof *s);
    bool needed = false;

    if (!s)
        return false;
    s->checker.fd = -1;
    gvs_claims_read(&a->claims, a->cfg.services, &a->claims_fault);
    for (size_t i = 0; i < a->claims.file_count && !needed; i++)
        needed = gvs_claims_first_check(&a->claims.files[i], true) != NULL;
    if (needed && gvs_checker_start(&s->checker, a->cfg.services) < 0) {
        snprintf(s->fault, sizeof s->fault, "%s", strerror(errno));
        gvs_agent_log(a, GVS_LOG_ERR, "no process to run checks: %s", s->fault);
    }
    return true;
}

bool
gvs_checks_fixed(const struct gvs_agent *a)
{
    return a->checks->checker.fd >= 0;
}

void
gvs_checks_begin(struct gvs_agent *a)
{
    struct gvs_checks *s = a->checks;

    uv_timer_init(a->loop, &s->timer);
    s->timer.data = a;
    a->handles++;
    if (s->checker.fd < 0)
        return;
    uv_poll_init(a->loop, &s->poll, s->checker.fd);
    s->poll.data = a;
    a->handles++;
    uv_poll_start(&s->poll, UV_READABLE, on_answer);
}

void
gvs_checks_close(struct gvs_agent *a, void (*close_handle)(void *handle))
{
    struct gvs_checks *s = a->checks;

    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++)
        end_probe(a, s->list[i]);
    close_handle(&s->timer);
    close_handle(&s->poll);
}

void
gvs_checks_free(struct gvs_agent *a)
{
    if (!a->checks)
        return;
    drop(a, a->checks->list, a->checks->count);
    gvs_child_end(&a->checks->checker);
    free(a->checks);
}
