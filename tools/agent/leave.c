/* leave and forget: the end of an id. What it claimed does not count from then on, on any node; no
 * other entry is written for that. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/agent/agent.h"

#define LEAVE_MS 1500 /* for a peer to have heard it; clients wait 2 s longer than they ask for */
#define ASK_MS 50
#define WHY_LEN 384
#define STUCK_MS 5000 /* longer than the back-off of the first refusals */

/* --- leave --- */

/* A peer that answered a probe sent behind the announcement has that too: both go to him in one
 * datagram, or in order. */
static size_t
peers_told(const struct gvs_request *r)
{
    size_t told = 0, count;
    struct gvs_node_member *m = gvs_list_members(r->a, &count);

    for (size_t i = 0; i < count; i++)
        told += !m[i].self && m[i].answered.us > r->began.us;
    free(m);
    return told;
}

/* What of our kernels is not as whoever leaves wants it: objects, and one for each kernel that is
 * not known to be empty, the first of which is named. */
static size_t
left_in(const struct gvs_netns *ns, char why[static WHY_LEN])
{
    struct gvs_kernel_status k;
    const char *name = ns->host ? "" : ns->name, *colon = ns->host ? "" : ": ";
    size_t left;

    if (!ns->kernel) {
        left = ns->there ? gvs_ledger_services(ns->ledger) : 0;
        if (left > 0 && !why[0])
            snprintf(why, WHY_LEN, "%s%sit is not open", name, colon);
        return left;
    }
    if (gvs_kernel_observing(ns->kernel))
        return 0;
    k = gvs_kernel_status(ns->kernel);
    left = k.services + k.destinations;
    left += left == 0 && (!k.in_step || ns->filling);
    if (left > 0 && !why[0])
        snprintf(why, WHY_LEN, "%s%s%s", name, colon, k.failed > 0 ? k.last_error : "no answer");
    return left;
}

static size_t
left_over(const struct gvs_agent *a, char why[static WHY_LEN])
{
    size_t left = 0;

    why[0] = '\0';
    for (size_t i = 0; i < a->netns_count; i++)
        left += left_in(a->netns[i], why);
    return left;
}

/* The id is retired from the first moment on, whatever becomes of the disk and of who asked. */
static void
end_leave(struct gvs_request *r, size_t told)
{
    char why[WHY_LEN] = "", kernel[WHY_LEN + 64] = "the kernel stays as it is";
    size_t left = r->a->leaving ? left_over(r->a, why) : 0;
    struct gvs_fault f;

    if (left > 0) {
        snprintf(kernel, sizeof kernel, "%zu objects stay in the kernel (%s)", left, why);
        gvs_fault_set(&f, GVS_EXIT_KERNEL, "left, but %s", kernel);
        gvs_fault_hint(&f, "ipvsadm -Ln; a gossipvsd that starts here takes them over");
    } else if (r->a->leaving) {
        snprintf(kernel, sizeof kernel, "nothing of its own is left in the kernel");
    }
    if (!r->durable) {
        gvs_fault_set(&f, GVS_EXIT_TIMEOUT, "left; not on this disk yet");
        gvs_fault_hint(&f, "df; if gossipvsd starts with its former id, the others tell it so: "
                           "restart it");
    }
    gvs_request_changed(r, told, left > 0 ? "refused" : "ok", left > 0 || !r->durable ? &f : NULL);
    gvs_agent_log(r->a, GVS_LOG_WARN, "%s: left the cluster (%zu peers have heard it); %s%s",
                  r->who.name, told, kernel, r->durable ? "" : ", but this is not on its disk");
    r->a->left = true;
}

static bool
poll_leave(struct gvs_request *r, struct gvs_mono now)
{
    struct gvs_node_counts c = gvs_node_count(r->a->node);
    bool enough = gvs_mono_due(gvs_mono_add_ms(r->began, LEAVE_MS), now);
    size_t told = peers_told(r);

    if (!r->durable && !r->sync)
        gvs_request_sync(r);
    if (r->durable ? told > 0 || c.alive + c.suspect == 0 || enough
                   : enough && gvs_mono_due(r->deadline, now)) {
        end_leave(r, told);
        return true;
    }
    if (gvs_mono_due(gvs_mono_add_ms(r->asked, ASK_MS), now)) {
        gvs_node_probe_all(r->a->node, now);
        r->asked = now;
    }
    r->wake = gvs_mono_add_ms(now, ASK_MS);
    return false;
}

static void
begin_leave(struct gvs_request *r)
{
    r->already = gvs_node_retired(r->a->node);
    r->began = gvs_udp_now();
    gvs_node_leave(r->a->node, r->began);
    gvs_agent_take_news(r->a);
    r->poll = poll_leave;
}

/* --- withdrawal --- */

/* Connections are given the time that the operator gave all of them. What is still there then is
 * there because the kernel refuses it, and is tried for as long as something goes now and then. */
static bool
is_withdrawn(struct gvs_request *r, struct gvs_mono now)
{
    char why[WHY_LEN];
    size_t left = left_over(r->a, why);

    if (left != r->left)
        r->left_at = now;
    r->left = left;
    return left == 0 || (gvs_mono_due(r->a->leave_by, now) &&
                         gvs_mono_due(gvs_mono_add_ms(r->left_at, STUCK_MS), now));
}

/* The others are told when it is done: until then this node takes part, but for its kernel. */
static bool
poll_withdraw(struct gvs_request *r, struct gvs_mono now)
{
    struct gvs_fault f;

    r->wake = gvs_mono_add_ms(now, ASK_MS);
    if (is_withdrawn(r, now)) {
        begin_leave(r);
        return false;
    }
    if (gvs_mono_due(r->deadline, now)) {
        gvs_fault_set(&f, GVS_EXIT_TIMEOUT,
                      "%zu objects are still in the kernel; it goes on, and then the node leaves",
                      r->left);
        gvs_fault_hint(&f, "gossipvs status; gossipvs leave leaves at once");
        gvs_request_early(r, &f);
    }
    return false;
}

static void
begin_withdrawal(struct gvs_request *r)
{
    struct gvs_agent *a = r->a;
    struct gvs_tally held;

    r->poll = poll_withdraw;
    r->left_at = r->began;
    if (a->leaving)
        return;
    a->leaving = true;
    a->leave_by = gvs_mono_add_ms(r->began, (uint64_t)a->cfg.drain_seconds * 1000);
    gvs_agent_log(a, GVS_LOG_WARN, "%s: takes back all that is this node's in its kernel, to leave",
                  r->who.name);
    for (struct gvs_netns *ns = gvs_netns_next(a, NULL); ns; ns = gvs_netns_next(a, ns)) {
        (void)gvs_kernel_release(ns->kernel, &held);
        gvs_netns_refill(ns); /* which tells the kernel of every service, that it is not wanted */
    }
}

static bool
is_option(const char *word)
{
    static const char *const options[] = {"--peers", "--if-stamp", "--dry-run"};

    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (strcmp(word, options[i]) == 0)
            return true;
    return false;
}

void
gvs_change_leave(struct gvs_request *r)
{
    bool withdraw = r->argc > 0 && strcmp(r->argv[0], "--withdraw") == 0;
    const char *word = r->argc > withdraw ? r->argv[withdraw] : NULL;
    struct gvs_fault f;

    if (word) {
        if (is_option(word))
            gvs_fault_set(&f, GVS_EXIT_USAGE, "'leave %s': not in this version", word);
        else
            gvs_fault_set(&f, GVS_EXIT_USAGE, "leave: no such word '%.40s'", word);
        gvs_request_fault(r, &f);
        return;
    }
    r->stays = r->of_members = true;
    if (withdraw)
        begin_withdrawal(r);
    else
        begin_leave(r);
}

/* --- forget --- */

struct found {
    struct gvs_node_member *member;
    size_t dead, alive, left; /* members that the word names */
};

/* An id names one member; a name may be that of several: a node that lost its store comes back with
 * another id. */
static struct found
find_members(struct gvs_node_member *m, size_t count, const char *word)
{
    struct found found = {NULL, 0, 0, 0};
    struct gvs_id id;
    bool by_id = gvs_id_parse(&id, word, strlen(word)) == GVS_OK;

    for (size_t i = 0; i < count; i++) {
        if (by_id ? gvs_id_cmp(&m[i].id, &id) != 0 : strcmp(m[i].value.name, word) != 0)
            continue;
        if (m[i].state == GVS_DEAD || !found.member)
            found.member = &m[i];
        found.dead += m[i].state == GVS_DEAD;
        found.alive += m[i].state < GVS_DEAD;
        found.left += m[i].state == GVS_LEFT;
    }
    return found;
}

static int
refuse_forget(const struct gvs_request *r, const struct found *found, struct gvs_fault *f)
{
    const char *word = r->argv[0];

    if (!found->member) {
        gvs_fault_set(f, GVS_EXIT_NOT_FOUND, "no member '%.80s'", word);
        gvs_fault_hint(f, "gossipvs members --all");
        return -1;
    }
    if (found->dead > 1) {
        gvs_fault_set(f, GVS_EXIT_CONFLICT, "'%s' is the name of %zu dead members", word,
                      found->dead);
        gvs_fault_hint(f, "gossipvs -j members --all; gossipvs forget ID");
        return -1;
    }
    if (found->dead == 0 && found->alive > 0) {
        gvs_fault_set(f, GVS_EXIT_CONFLICT, "member '%.80s' is alive; only the dead are forgotten",
                      word);
        gvs_fault_hint(f, "gossipvs leave, on that node");
        return -1;
    }
    return GVS_OK;
}

static bool
do_forget(struct gvs_request *r)
{
    size_t count;
    struct gvs_node_member *m = gvs_list_members(r->a, &count);
    struct found found = find_members(m, count, r->argv[0]);
    struct gvs_fault f;
    bool refused = refuse_forget(r, &found, &f) < 0;

    if (refused)
        gvs_request_fault(r, &f);
    else if (found.dead == 0)
        r->already = true;
    else
        (void)gvs_node_forget(r->a->node, gvs_udp_now(), &found.member->id);
    gvs_agent_take_news(r->a);
    free(m);
    return !refused;
}

void
gvs_change_forget(struct gvs_request *r)
{
    struct gvs_fault f;

    r->of_members = true;
    if (gvs_write_options(r, &f) < 0) {
        gvs_request_fault(r, &f);
    } else if (r->has_if_stamp || r->dry) {
        gvs_fault_set(&f, GVS_EXIT_USAGE, "'forget %s': not in this version",
                      r->dry ? "--dry-run" : "--if-stamp");
        gvs_request_fault(r, &f);
    } else if (r->argc != 1) {
        gvs_fault_set(&f, GVS_EXIT_USAGE, "forget: one member expected, by name or id");
        gvs_fault_hint(&f, "gossipvs members --all");
        gvs_request_fault(r, &f);
    } else {
        gvs_request_change(r, do_forget);
    }
}
