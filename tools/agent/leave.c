/* leave and forget: the end of an id. What it claimed does not count from then on, on any node; no
 * other entry is written for that. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/agent/agent.h"

#define LEAVE_MS 1500 /* for a peer to have heard it; clients wait 2 s longer than they ask for */
#define ASK_MS 50

/* --- leave ----------------------------------------------------------------------------------- */

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

/* The id is retired from the first moment on, whatever becomes of the disk and of who asked. */
static void
end_leave(struct gvs_request *r, size_t told)
{
    struct gvs_fault f;

    if (r->durable) {
        gvs_request_changed(r, told, "ok", NULL);
    } else {
        gvs_fault_set(&f, GVS_EXIT_TIMEOUT, "left; not on this disk yet");
        gvs_fault_hint(&f, "df; if gossipvsd starts with its former id, the others tell it so: "
                           "restart it");
        gvs_request_changed(r, told, "ok", &f);
    }
    gvs_agent_log(r->a, GVS_LOG_WARN,
                  "%s: left the cluster (%zu peers have heard it); the kernel stays as it is%s",
                  r->who.name, told, r->durable ? "" : ", but this is not on its disk");
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

static bool
is_option(const char *word)
{
    static const char *const options[] = {"--withdraw", "--peers", "--if-stamp", "--dry-run"};

    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (strcmp(word, options[i]) == 0)
            return true;
    return false;
}

void
gvs_change_leave(struct gvs_request *r)
{
    struct gvs_fault f;

    if (r->argc > 0) {
        if (is_option(r->argv[0]))
            gvs_fault_set(&f, GVS_EXIT_USAGE, "'leave %s': not in this version", r->argv[0]);
        else
            gvs_fault_set(&f, GVS_EXIT_USAGE, "leave: no such word '%.40s'", r->argv[0]);
        gvs_request_fault(r, &f);
        return;
    }
    r->already = gvs_node_retired(r->a->node);
    gvs_node_leave(r->a->node, gvs_udp_now());
    gvs_agent_take_news(r->a);
    r->poll = poll_leave;
    r->stays = r->of_members = true;
}

/* --- forget ---------------------------------------------------------------------------------- */

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
