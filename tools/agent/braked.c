/* The brake of ipvs/kernel.h, as people meet it: what status, the log and watch say of it, and the
 * command that lets go. Each namespace has its own. */
#include <stdio.h>

#include "tools/agent/agent.h"

static const char *
plural(size_t n)
{
    return n == 1 ? "" : "s";
}

/* "10 services and 20 destinations" */
static const char *
held_text(char *text, size_t cap, struct gvs_tally t)
{
    snprintf(text, cap, "%zu service%s and %zu destination%s", t.services, plural(t.services),
             t.destinations, plural(t.destinations));
    return text;
}

/* "10 of 15 services and 20 of 30 destinations" */
static const char *
share_text(char *text, size_t cap, struct gvs_tally t, struct gvs_tally of)
{
    snprintf(text, cap, "%zu of %zu services and %zu of %zu destinations", t.services, of.services,
             t.destinations, of.destinations);
    return text;
}

void
gvs_agent_brake_problem(const struct gvs_netns *ns, const struct gvs_kernel_status *k,
                        struct gvs_problems *p)
{
    char text[128];

    if (!k->brake)
        return;
    gvs_problem(p, true, "brake", "gossipvs brake release, if that is meant; gossipvs plan",
                "%s%s%s are deleted and stay for %llu s more (over half, within a minute)",
                ns->host ? "" : ns->name, ns->host ? "" : ": ",
                share_text(text, sizeof text, k->held, k->of),
                (unsigned long long)(k->brake_ms + 999) / 1000);
}

static void
emit(struct gvs_agent *a, const struct gvs_netns *ns, const char *event, struct gvs_tally held,
     const char *reason)
{
    gvs_event_emit(a, event, NULL, NULL, NULL,
                   json_pack("{s:s, s:I, s:I, s:s}", "namespace", ns->name, "services",
                             (json_int_t)held.services, "destinations",
                             (json_int_t)held.destinations, "reason", reason));
}

void
gvs_agent_brake_event(struct gvs_agent *a, const struct gvs_netns *ns,
                      const struct gvs_kernel_event *ev)
{
    const char *name = ns->host ? "" : ns->name, *colon = ns->host ? "" : ": ";
    enum gvs_via via = a->via;
    char held[128], text[192];

    a->via = GVS_VIA_NONE;
    if (ev->what == GVS_KERNEL_BRAKE_ON) {
        snprintf(text, sizeof text, "%s would go at once: they stay for a minute",
                 share_text(held, sizeof held, ev->held, ev->of));
        gvs_agent_log(a, GVS_LOG_ERR,
                      "%s%sbrake: %s (gossipvs plan shows them, gossipvs brake release lets go)",
                      name, colon, text);
        emit(a, ns, "brake.on", ev->held, text);
    } else {
        snprintf(text, sizeof text, "%s go", held_text(held, sizeof held, ev->held));
        gvs_agent_log(a, GVS_LOG_WARN, "%s%sbrake: off, %s", name, colon, text);
        emit(a, ns, "brake.off", ev->held, text);
    }
    a->via = via;
}

static void
release(struct gvs_request *r, struct gvs_netns *ns, struct gvs_tally held)
{
    struct gvs_agent *a = r->a;
    enum gvs_via via = a->via;
    char text[128], reason[160];

    snprintf(reason, sizeof reason, "%s go", held_text(text, sizeof text, held));
    gvs_agent_log(a, GVS_LOG_WARN, "%s%sbrake: released by %s, %s", ns->host ? "" : ns->name,
                  ns->host ? "" : ": ", r->who.name, reason);
    a->via = GVS_VIA_CLI;
    a->by = r->who.name;
    emit(a, ns, "brake.release", held, reason);
    a->via = via;
    a->by = NULL;
    ns->due = (struct gvs_mono){0};
}

void
gvs_change_brake_release(struct gvs_request *r)
{
    struct gvs_tally sum = {0}, held;
    bool any = false;

    if (gvs_show_too_many_words(r, 0))
        return;
    for (struct gvs_netns *ns = gvs_netns_next(r->a, NULL); ns; ns = gvs_netns_next(r->a, ns)) {
        if (!gvs_kernel_release(ns->kernel, &held))
            continue;
        any = true;
        sum.services += held.services;
        sum.destinations += held.destinations;
        release(r, ns, held);
    }
    gvs_request_answer(r,
                       json_pack("{s:s, s:s, s:I, s:I}", "schema", "gossipvs/1", "result",
                                 any ? "done" : "already", "services", (json_int_t)sum.services,
                                 "destinations", (json_int_t)sum.destinations),
                       true);
}
