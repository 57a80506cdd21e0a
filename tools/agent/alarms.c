/* What somebody has to hear of who does not ask: status lists it among its problems, and the log
 * gets a line of each kind once a minute, as long as it lasts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/member.h"
#include "tools/agent/agent.h"

#define LOG_MS 60000
#define LATELY_MS 120000 /* what is offered again and again comes at least twice in it */
#define CLOCK_MS 1000    /* worth a look at NTP */
#define STAMP_MS 30000   /* as far ahead as others take a stamp (net/replica.h) */

static bool
is_late(struct gvs_mono at, struct gvs_mono now)
{
    return !gvs_mono_due(gvs_mono_add_ms(at, LATELY_MS), now);
}

static double
seconds(int64_t ms)
{
    return (double)llabs(ms) / 1000;
}

/* "lb3 (10.77.0.3:7900)" */
static void
who_text(char *text, size_t cap, const struct gvs_node_member *m)
{
    char ep[GVS_EP_TEXT_LEN];

    gvs_text_endpoint(ep, m);
    snprintf(text, cap, "%s (%s)", m->value.name, ep);
}

/* --- clocks --- */

static void
own_clock(const struct gvs_agent *a, const struct gvs_node_clock *c, struct gvs_problems *p)
{
    char hint[96];

    if (!c->off)
        return;
    snprintf(hint, sizeof hint, "check NTP on %s", a->cfg.name);
    gvs_problem(p, false, "clock", hint,
                "%s's own clock is %.1f s %s the median of %zu (what is written here is stamped by "
                "the median)",
                a->cfg.name, seconds(c->median_ms), c->median_ms < 0 ? "ahead of" : "behind",
                c->known);
}

/* Where ours is known to be wrong, by the median: else everybody else's would seem to be. */
static void
member_clock(const struct gvs_node_clock *c, const struct gvs_node_member *m,
             struct gvs_problems *p)
{
    int64_t ahead = m->clock_offset_ms - (c->off ? c->median_ms : 0);
    char hint[96];

    if (m->self || m->state >= GVS_DEAD || !m->heard || llabs(ahead) <= CLOCK_MS)
        return;
    snprintf(hint, sizeof hint, "check NTP on %s", m->value.name);
    gvs_problem(p, false, "clock", hint, "%s's clock is %.1f s %s %s", m->value.name,
                seconds(ahead), ahead > 0 ? "ahead of" : "behind", c->off ? "the median" : "ours");
}

static void
deferred_entries(const struct gvs_agent *a, size_t i, const struct gvs_node_clock *c,
                 struct gvs_mono now, struct gvs_problems *p)
{
    const struct gvs_node_member *m = &a->members[i];
    const struct gvs_member_note *note = &a->notes[i];
    int64_t ahead = m->clock_offset_ms - c->median_ms;
    char who[128], hint[128], his[48] = "right now";

    if (note->deferred == 0 || !is_late(note->deferred_at, now))
        return;
    who_text(who, sizeof who, m);
    snprintf(hint, sizeof hint, "check NTP on %s; what it wrote is taken once its time has come",
             m->value.name);
    if (llabs(ahead) > CLOCK_MS)
        snprintf(his, sizeof his, "%.1f s %s", seconds(ahead), ahead < 0 ? "behind" : "ahead");
    gvs_problem(p, false, "clock", hint,
                "entries from %s are not taken, %llu times so far (stamped more than %d s ahead of "
                "the median of %zu clocks; its own is %s)",
                who, (unsigned long long)note->deferred, STAMP_MS / 1000, c->known, his);
}

/* Whatever is held is believed, and every write stands above it. */
static void
held_entries(const struct gvs_agent *a, const struct gvs_node_clock *c, struct gvs_problems *p)
{
    int64_t wall_ms = (int64_t)gvs_udp_wall().ms + c->median_ms;
    int64_t ahead = (int64_t)gvs_hlc_ms(gvs_node_stamp(a->node)) - wall_ms;

    if (ahead <= STAMP_MS)
        return;
    if (c->known < GVS_CLOCKS_MIN)
        gvs_problem(
            p, false, "clock", "check NTP on every node",
            "entries here are stamped up to %.1f s ahead of %s's clock (taken, since of %zu "
            "clock%s nobody can tell which is wrong)",
            seconds(ahead), a->cfg.name, c->known, c->known == 1 ? "" : "s");
    else
        gvs_problem(p, false, "clock", "check NTP on every node",
                    "entries here are stamped up to %.1f s ahead of the median of %zu clocks (who "
                    "lacks them does not take them before)",
                    seconds(ahead), c->known);
}

static void
clocks(const struct gvs_agent *a, struct gvs_mono now, struct gvs_problems *p)
{
    struct gvs_node_clock c = gvs_node_clock(a->node, now);

    own_clock(a, &c, p);
    held_entries(a, &c, p);
    for (size_t i = 0; i < a->member_count; i++)
        deferred_entries(a, i, &c, now, p);
    for (size_t i = 0; i < a->member_count; i++)
        member_clock(&c, &a->members[i], p);
}

/* --- clones --- */

/* Where it is. Its writes name nobody, and come from whoever brings them; what it says of itself
 * stands in our own entry until that is outbid. False: it is not known. */
static bool
clone_address(const struct gvs_agent *a, const struct gvs_ep *from, struct gvs_ep *out)
{
    bool brought = false;

    *out = *from;
    for (size_t i = 0; i < a->member_count; i++)
        brought |= !a->members[i].self && gvs_ep_cmp(&a->members[i].value.ep, from) == 0;
    for (size_t i = 0; brought && i < a->member_count; i++) {
        const struct gvs_member_note *note = &a->notes[i];

        if (!a->members[i].self)
            continue;
        *out = gvs_ep_cmp(&note->ep, &a->cfg.advertise) == 0 ? note->former : note->ep;
        return out->addr.family != GVS_FAMILY_NONE && gvs_ep_cmp(out, &a->cfg.advertise) != 0;
    }
    return true;
}

static void
own_clone(const struct gvs_agent *a, struct gvs_mono now, struct gvs_problems *p)
{
    char other[GVS_EP_TEXT_LEN] = "an address not yet known", ours[GVS_EP_TEXT_LEN];
    char hint[GVS_CONFIG_PATH_MAX + 96];
    struct gvs_mono when;
    struct gvs_ep from, ep;

    if (!gvs_node_cloned(a->node, &when, &from) || !is_late(when, now))
        return;
    if (clone_address(a, &from, &ep))
        gvs_ep_format(other, &ep);
    gvs_ep_format(ours, &a->cfg.advertise);
    snprintf(hint, sizeof hint, "on the copy: stop gossipvsd, empty %s, start it", a->cfg.state);
    gvs_problem(p, false, "clone", hint,
                "another process has the key of %s (%s): at %s (a copied machine or %s)",
                a->cfg.name, ours, other, a->cfg.state);
}

static void
member_clone(const struct gvs_agent *a, size_t i, struct gvs_mono now, struct gvs_problems *p)
{
    const struct gvs_node_member *m = &a->members[i];
    char ep[GVS_EP_TEXT_LEN], former[GVS_EP_TEXT_LEN] = "another address";

    if (m->self || !m->cloned || !is_late(m->cloned_at, now))
        return;
    gvs_text_endpoint(ep, m);
    if (a->notes[i].former.addr.family != GVS_FAMILY_NONE)
        gvs_ep_format(former, &a->notes[i].former);
    gvs_problem(p, false, "clone",
                "on the copy: stop gossipvsd, empty its state directory, start it",
                "two processes have the key of %s: at %s and at %s (a copied machine)",
                m->value.name, ep, former);
}

/* --- addresses --- */

/* Its balancers do not reach it there: their own kernels take what they send. */
static void
member_address(const struct gvs_agent *a, const struct gvs_node_member *m, struct gvs_problems *p)
{
    char ep[GVS_EP_TEXT_LEN], vip[GVS_SVCID_TEXT_LEN], hint[192];
    struct gvs_svcid svc;

    if (m->state == GVS_LEFT || !gvs_owners_service_at(a, &m->value.ep.addr, &svc))
        return;
    gvs_text_endpoint(ep, m);
    gvs_svcid_format(vip, &svc);
    snprintf(hint, sizeof hint, "set node { advertise } on %s, or gossipvs vip del %s",
             m->value.name, vip);
    gvs_problem(p, false, "conflict", hint,
                "%s takes datagrams at %s, which is the address of vip '%s' (the vip stays in use; "
                "who carries it does not reach %s there)",
                m->value.name, ep, vip, m->value.name);
}

/* --- room --- */

/* Who was refused first: that is what the log tells, if only one line of the kind is due. */
static void
room(const struct gvs_agent *a, struct gvs_mono now, struct gvs_problems *p)
{
    static const char hint[] =
        "raise limits { members } in gossipvs.conf on every node, and restart";
    struct gvs_node_counts c = gvs_node_count(a->node);
    size_t used = c.alive + c.suspect + c.dead + c.left, max = a->cfg.limits.members;
    struct gvs_node_refused refused = gvs_node_refused(a->node, GVS_REFUSAL_MEMBER);
    char text[GVS_EP_TEXT_LEN];

    if (refused.count > 0 && is_late(refused.at, now)) {
        gvs_ep_format(text, &refused.ep);
        gvs_problem(p, false, "full", hint,
                    "%s has the key and cannot join (no room for more than %zu members)", text,
                    max);
    }
    if (used >= max - max / 5)
        gvs_problem(p, false, "full", hint,
                    "%zu of %zu members' places are taken (%zu by members that left, whose ids are "
                    "kept for ever)",
                    used, max, c.left);
}

/* --- calls --- */

void
gvs_alarms(const struct gvs_agent *a, struct gvs_problems *p)
{
    struct gvs_mono now = gvs_udp_now();

    clocks(a, now, p);
    own_clone(a, now, p);
    for (size_t i = 0; i < a->member_count; i++) {
        member_clone(a, i, now, p);
        member_address(a, &a->members[i], p);
    }
    room(a, now, p);
}

static const char *
text_of(const json_t *problem, const char *key)
{
    return json_string_value(json_object_get(problem, key));
}

/* The first of its kind, and how many there are. */
static void
log_kind(struct gvs_agent *a, const json_t *list, const char *code, struct gvs_mono *due)
{
    struct gvs_mono now = gvs_udp_now();
    const json_t *first = NULL;
    char more[32] = "";
    size_t count = 0;

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);

        if (strcmp(text_of(one, "code"), code) == 0 && count++ == 0)
            first = one;
    }
    if (count == 0 || !gvs_mono_due(*due, now))
        return;
    if (count > 1)
        snprintf(more, sizeof more, "; and %zu more", count - 1);
    gvs_agent_log(a, GVS_LOG_WARN, "%s: %s%s", code, text_of(first, "message"), more);
    *due = gvs_mono_add_ms(now, LOG_MS);
}

void
gvs_alarms_log(struct gvs_agent *a)
{
    static const char *const codes[GVS_ALARM_KINDS] = {"clock", "clone", "conflict", "full"};
    struct gvs_problems p = {.list = json_array()};

    gvs_alarms(a, &p);
    for (size_t k = 0; k < GVS_ALARM_KINDS; k++)
        log_kind(a, p.list, codes[k], &a->alarm_due[k]);
    json_decref(p.list);
}
