/* Where writers disagree: claims that say different things now, and writes of the cluster's entries
 * that overwrote one which their writer did not know. The table keeps the later; this keeps what
 * was lost, for people to see. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/agent/agent.h"

#define LOG_MS 1000

/* --- overwrites --- */

static json_t *
side_json(const struct gvs_agent *a, const struct gvs_key *key, const struct gvs_entry *e)
{
    char stamp[17], node[64];

    snprintf(stamp, sizeof stamp, "%016llx", (unsigned long long)e->order);
    gvs_text_id_name(a, &e->writer, node, sizeof node);
    return json_pack("{s:s, s:s, s:o}", "stamp", stamp, "node", node, "value",
                     e->tombstone ? json_null() : gvs_text_claim(key, e->value, e->value_len));
}

static const char *
kind_name(enum gvs_key_kind kind)
{
    return kind == GVS_KEY_SERVICE ? "vip" : kind == GVS_KEY_BACKEND ? "backend" : "override";
}

static void
place_json(json_t *o, const struct gvs_agent *a, const struct gvs_key *key)
{
    char vip[GVS_SVCID_TEXT_LEN], ep[GVS_EP_TEXT_LEN];
    const char *name = gvs_names_get(&a->names, &key->svc);

    gvs_svcid_format(vip, &key->svc);
    json_object_set_new(o, "kind", json_string(kind_name(key->kind)));
    json_object_set_new(o, "vip", json_string(vip));
    json_object_set_new(o, "name", name ? json_string(name) : json_null());
    if (key->kind == GVS_KEY_SERVICE) {
        json_object_set_new(o, "backend", json_null());
        return;
    }
    gvs_ep_format(ep, &key->ep);
    json_object_set_new(o, "backend", json_string(ep));
}

static void
log_overwrite(struct gvs_agent *a, const json_t *o)
{
    struct gvs_mono now = gvs_udp_now();
    char *text;

    a->overwrites_unlogged++;
    if (!gvs_mono_due(gvs_mono_add_ms(a->overwrite_logged, LOG_MS), now))
        return;
    text = json_dumps(o, JSON_COMPACT);
    gvs_agent_log(a, GVS_LOG_WARN, "two wrote without knowing of each other (%llu times): %s",
                  (unsigned long long)a->overwrites_unlogged, text ? text : "");
    free(text);
    a->overwrite_logged = now;
    a->overwrites_unlogged = 0;
}

/* The same loser may be met again: by retransmission, or from another peer. */
static bool
is_known(const struct gvs_agent *a, const json_t *kept, const json_t *lost)
{
    for (size_t i = 0; i < a->overwrite_count && i < GVS_AGENT_OVERWRITES; i++)
        if (json_equal(json_object_get(a->overwrites[i], "kept"), kept) &&
            json_equal(json_object_get(a->overwrites[i], "lost"), lost))
            return true;
    return false;
}

static void
take_overwrite(struct gvs_agent *a, const struct gvs_node_overwrite *w)
{
    struct gvs_entry kept, lost;
    json_t *o, *k, *l, **slot;
    struct gvs_key key;
    char time[32];

    if (gvs_entry_parse(&kept, w->kept, w->kept_len) < 0 ||
        gvs_entry_parse(&lost, w->lost, w->lost_len) < 0 ||
        gvs_key_parse(&key, kept.key, kept.key_len) < 0 || key.kind == GVS_KEY_TRIAL)
        return; /* of two words about a trial the later counts */
    k = side_json(a, &key, &kept);
    l = side_json(a, &key, &lost);
    if (json_equal(json_object_get(k, "value"), json_object_get(l, "value")) ||
        is_known(a, k, l)) { /* both wanted the same: nothing is lost */
        json_decref(k);
        json_decref(l);
        return;
    }
    gvs_text_time(time, gvs_udp_wall().ms);
    o = json_pack("{s:s}", "time", time);
    place_json(o, a, &key);
    json_object_set_new(o, "kept", k);
    json_object_set_new(o, "lost", l);
    slot = &a->overwrites[a->overwrite_count++ % GVS_AGENT_OVERWRITES];
    json_decref(*slot);
    *slot = o;
    log_overwrite(a, o);
}

void
gvs_agent_take_overwrites(struct gvs_agent *a)
{
    struct gvs_node_overwrite w;
    uint64_t missed;

    while (gvs_node_overwrite(a->node, &w, &missed)) {
        a->overwrites_missed += missed;
        take_overwrite(a, &w);
    }
    a->overwrites_missed += missed;
}

/* --- disagreements --- */

/* All claims on the service, or on one of its backends. */
static json_t *
claims_json(const struct gvs_agent *a, const struct gvs_svcid *svc, const struct gvs_ep *ep)
{
    const struct gvs_table *t = gvs_node_claims(a->node);
    json_t *list = json_array();
    struct gvs_keybuf prefix;
    struct gvs_said said;
    struct gvs_entry e;
    struct gvs_key key;

    gvs_key_prefix(&prefix, svc);
    for (bool found = gvs_table_seek(t, prefix.b, prefix.len, false, &e);
         found && e.key_len > prefix.len && memcmp(e.key, prefix.b, prefix.len) == 0;
         found = gvs_table_seek(t, e.key, e.key_len, true, &e)) {
        char owner[64];
        json_t *o;

        gvs_trial_say(&said, t, a->now_ms, &e);
        if (said.e.tombstone || gvs_key_parse(&key, e.key, e.key_len) < 0 ||
            key.kind != (ep ? GVS_KEY_BACKEND : GVS_KEY_SERVICE) ||
            (ep && gvs_ep_cmp(&key.ep, ep) != 0) || gvs_node_is_retired(a->node, &key.owner))
            continue;
        gvs_text_id_name(a, &key.owner, owner, sizeof owner);
        o = side_json(a, &key, &said.e);
        json_object_set_new(o, "owner", json_string(owner));
        json_array_append_new(list, o);
    }
    return list;
}

static void
add_disagreement(const struct gvs_agent *a, json_t *list, const struct gvs_svcid *svc,
                 const struct gvs_ep *ep)
{
    struct gvs_key key = gvs_write_key(ep ? GVS_KEY_BACKEND : GVS_KEY_SERVICE, svc, ep);
    json_t *o = json_object();

    place_json(o, a, &key);
    json_object_set_new(o, "claims", claims_json(a, svc, ep));
    json_array_append_new(list, o);
}

static json_t *
disagreements(struct gvs_agent *a)
{
    const struct gvs_table *t = gvs_node_claims(a->node);
    struct gvs_range all = gvs_set_all(a->troubled);
    struct gvs_view_env env = gvs_agent_env(a);
    json_t *list = json_array();

    for (; all.at < all.end; all.at++) {
        struct gvs_svcid svc = all.at->svc;

        if (!gvs_view_service(t, &env, &svc, a->view))
            continue;
        if (a->view->conflict)
            add_disagreement(a, list, &svc, NULL);
        for (size_t i = 0; i < a->view->backend_count; i++)
            if (a->view->backends[i].conflict)
                add_disagreement(a, list, &svc, &a->view->backends[i].ep);
    }
    return list;
}

void
gvs_show_conflicts(struct gvs_request *r)
{
    struct gvs_agent *a = r->a;
    uint64_t first =
        a->overwrite_count > GVS_AGENT_OVERWRITES ? a->overwrite_count - GVS_AGENT_OVERWRITES : 0;
    json_t *overwrites;

    if (gvs_show_too_many_words(r, 0))
        return;
    overwrites = json_array();
    for (uint64_t i = first; i < a->overwrite_count; i++)
        json_array_append(overwrites, a->overwrites[i % GVS_AGENT_OVERWRITES]);
    gvs_request_answer(r,
                       json_pack("{s:s, s:o, s:o, s:I}", "schema", "gossipvs/1", "disagreements",
                                 disagreements(a), "overwrites", overwrites, "missed",
                                 (json_int_t)a->overwrites_missed + (json_int_t)first),
                       true);
}

void
gvs_agent_free_overwrites(struct gvs_agent *a)
{
    for (size_t i = 0; i < GVS_AGENT_OVERWRITES; i++)
        json_decref(a->overwrites[i]);
}
