/* leave and forget: the end of an id. What it claimed does not count from then on, on any node; no
 * other entry is written for that. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/agent.h"

#define LEAVE_MS 2000 /* for a peer to have heard it */
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

static bool
poll_leave(struct gvs_request *r, struct gvs_mono now)
{
    struct gvs_node_counts c = gvs_node_count(r->a->node);
    struct gvs_mono end = gvs_mono_add_ms(r->began, LEAVE_MS);
    size_t told = peers_told(r);

    if (!r->durable && !r->sync && !r->already)
        gvs_request_sync(r);
    if ((r->durable || r->already) &&
        (told > 0 || c.alive + c.suspect == 0 || gvs_mono_due(end, now))) {
        gvs_request_changed(r, told, "ok");
        gvs_agent_log(r->a, GVS_LOG_WARN,
                      "%s: left the cluster (%zu peers have heard it); the "
                      "kernel stays as it is",
                      r->who.name, told);
        r->a->left = true;
        return true;
    }
    if (gvs_mono_due(gvs_mono_add_ms(r->asked, ASK_MS), now)) {
        gvs_node_probe_all(r->a->node, now);
        r->asked = now;
    }
    r->wake = gvs_mono_add_ms(now, ASK_MS);
    return false;
}

void
gvs_change_leave(struct gvs_request *r)
{
    struct gvs_fault f;

    if (r->argc > 0) {
        if (strcmp(r->argv[0], "--withdraw") == 0)
            gvs_fault_set(&f, GVS_EXIT_USAGE, "'leave --withdraw': not in this version");
        else
            gvs_fault_set(&f, GVS_EXIT_USAGE, "leave: no such word '%.40s'", r->argv[0]);
        gvs_request_fault(r, &f);
        return;
    }
    r->already = gvs_node_retired(r->a->node);
    gvs_node_leave(r->a->node, gvs_udp_now());
    gvs_agent_take_news(r->a);
    r->poll = poll_leave;
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

    if (gvs_write_options(r, &f) < 0) {
        gvs_request_fault(r, &f);
    } else if (r->argc != 1 || r->has_if_stamp || r->dry) {
        gvs_fault_set(&f, GVS_EXIT_USAGE, "forget: one member expected, by name or id");
        gvs_fault_hint(&f, "gossipvs members --all");
        gvs_request_fault(r, &f);
    } else {
        gvs_request_change(r, do_forget);
    }
}
