/* tools/agent/refused.c: bounds that were reached and lies that were told, for status and the log.
 *
 * Whoever sends can make each of them happen as often as he likes, so a line tells of all since the
 * line before, and only of the latest who it was. What others tell with more words is not told
 * here as well: strangers by tools/agent/keys.c, clocks and members without room by
 * tools/agent/alarms.c. */
#include <stdio.h>

#include "tools/agent/agent.h"

#define TELL_MS 60000

static const char *const rejects[GVS_REJECT_COUNT] = {
    /* NULL: keys.c tells */
    [GVS_REJECT_MALFORMED] = "are no packets of ours",
    [GVS_REJECT_BAD_TAG] = "are not what their sender made, or of another cluster",
    [GVS_REJECT_UNKNOWN_SESSION] = "belong to no session, or not to that address",
    [GVS_REJECT_REPLAY] = "came before",
    [GVS_REJECT_LIMITED] = "are more handshakes than are answered, or one member too many",
};

static const char *const refusals[GVS_REFUSAL_COUNT] = {
    /* NULL: alarms.c does */
    [GVS_REFUSAL_BODY] = "a body that does not parse",
    [GVS_REFUSAL_ENTRY] = "an entry that does not parse",
    [GVS_REFUSAL_DELETED] = "an entry that was deleted long ago",
    [GVS_REFUSAL_LEAP] = "an incarnation that nobody can have",
    [GVS_REFUSAL_FULL] = "an entry for which there is no room",
};

/* Is it time for a line, and of how many? */
static uint64_t
due(struct gvs_agent *a, size_t no, uint64_t count)
{
    uint64_t fresh = count - a->told[no].count;
    struct gvs_mono now = gvs_udp_now();

    if (fresh == 0 || !gvs_mono_due(a->told[no].next, now))
        return 0;
    a->told[no].count = count;
    a->told[no].next = gvs_mono_add_ms(now, TELL_MS);
    return fresh;
}

static void
tell_rejects(struct gvs_agent *a)
{
    struct gvs_node_counts c = gvs_node_count(a->node);
    char ep[GVS_EP_TEXT_LEN];
    struct gvs_ep from;
    uint64_t fresh;

    for (size_t why = 0; why < GVS_REJECT_COUNT; why++) {
        /* Those of members' bodies, which count as malformed too, are told with the member. */
        if (!rejects[why] || !gvs_node_rejected_from(a->node, (enum gvs_reject)why, &from))
            continue;
        fresh = due(a, why, c.rejected[why]);
        if (fresh == 0)
            continue;
        gvs_ep_format(ep, &from);
        gvs_agent_log(a, GVS_LOG_WARN, "datagrams that %s: %llu; the latest from %s", rejects[why],
                      (unsigned long long)fresh, ep);
    }
}

static void
tell_refusals(struct gvs_agent *a)
{
    char name[GVS_NAME_LEN_MAX + 1], ep[GVS_EP_TEXT_LEN];

    for (size_t why = 0; why < GVS_REFUSAL_COUNT; why++) {
        struct gvs_node_refused r = gvs_node_refused(a->node, (enum gvs_refusal)why);
        uint64_t fresh = refusals[why] ? due(a, GVS_REJECT_COUNT + why, r.count) : 0;

        if (fresh == 0)
            continue;
        gvs_text_id_name(a, &r.by, name, sizeof name);
        gvs_ep_format(ep, &r.ep);
        gvs_agent_log(a, GVS_LOG_WARN, "refused %s: %llu; the latest of %s at %s", refusals[why],
                      (unsigned long long)fresh, name, ep);
    }
}

void
gvs_agent_tell_refused(struct gvs_agent *a)
{
    tell_rejects(a);
    tell_refusals(a);
}

json_t *
gvs_refused_json(const struct gvs_agent *a)
{
    static const char *const names[] = {
#define X(name, text) [GVS_REFUSAL_##name] = (text),
        GVS_REFUSALS(X)
#undef X
    };
    json_t *refused = json_object();

    for (size_t why = 0; why < GVS_REFUSAL_COUNT; why++)
        json_object_set_new(
            refused, names[why],
            json_integer((json_int_t)gvs_node_refused(a->node, (enum gvs_refusal)why).count));
    return refused;
}
