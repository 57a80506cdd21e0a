/* tools/agent/keys.c: the keyring while the agent runs: read again, shown, and who lacks what.
 *
 * Of the file the agent keeps only what may be shown: ids, roles and notes. The keys themselves are
 * the sessions' (net/session.h). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/agent/agent.h"

#define LOG_MS 60000
#define KEYS_SHOWN 64 /* ids that members say beyond this are not listed */

/* --- reading it again --- */

static bool
takes(const struct gvs_member_value *v, uint64_t key)
{
    for (size_t i = 0; i < GVS_MEMBER_KEYS_MAX; i++)
        if (v->keys[i] == key && key != 0)
            return true;
    return false;
}

static bool
is_living(const struct gvs_node_member *m)
{
    return m->state == GVS_ALIVE || m->state == GVS_SUSPECT;
}

/* A key with which some member could not be called any more does not become primary. A node that
 * reaches nobody has only old words of theirs, and a new key may be just what it needs. */
static int
refuse_primary(struct gvs_agent *a, uint64_t key, struct gvs_fault *fault)
{
    size_t count, lacking = 0, at = 0;
    struct gvs_node_member *m = gvs_list_members(a, &count);
    char names[256] = "";

    if (!gvs_node_reached_anyone(a->node))
        count = 0;
    for (size_t i = 0; i < count; i++) {
        if (m[i].self || !is_living(&m[i]) || takes(&m[i].value, key))
            continue;
        if (at < sizeof names)
            at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", lacking ? ", " : "",
                                   m[i].value.name);
        lacking++;
    }
    free(m);
    if (lacking == 0)
        return GVS_OK;
    gvs_fault_set(fault, GVS_EXIT_CONFLICT,
                  "key %016" PRIx64 " cannot become primary: %s %s not have it; nothing reloaded",
                  key, names, lacking == 1 ? "does" : "do");
    gvs_fault_hint(fault, "give it to them as 'accept' and reload there; or reload --force");
    return -1;
}

void
gvs_keys_note(struct gvs_agent *a, const struct gvs_keyring *ring)
{
    a->key_count = ring->count;
    for (size_t i = 0; i < ring->count; i++) {
        a->keys[i] = (struct gvs_agent_key){.id = ring->key[i].id, .primary = i == ring->primary};
        memcpy(a->keys[i].note, ring->key[i].note, sizeof a->keys[i].note);
    }
}

static uint64_t
primary_of(const struct gvs_agent *a)
{
    for (size_t i = 0; i < a->key_count; i++)
        if (a->keys[i].primary)
            return a->keys[i].id;
    return 0;
}

int
gvs_keys_check(struct gvs_agent *a, const struct gvs_config *cfg, bool force,
               struct gvs_keyring *ring, struct gvs_fault *fault)
{
    uint64_t key;

    if (gvs_config_keyring(ring, cfg->keyring, fault) < 0)
        return -1;
    key = ring->key[ring->primary].id;
    if (force || key == primary_of(a) || refuse_primary(a, key, fault) == GVS_OK)
        return GVS_OK;
    gvs_keyring_wipe(ring);
    return -1;
}

void
gvs_keys_use(struct gvs_agent *a, const struct gvs_keyring *ring)
{
    uint64_t before = primary_of(a);

    gvs_keys_note(a, ring);
    gvs_node_set_keyring(a->node, gvs_udp_now(), ring);
    if (primary_of(a) != before)
        gvs_agent_log(a, GVS_LOG_INFO, "key %016" PRIx64 " is primary now, %016" PRIx64 " was",
                      primary_of(a), before);
}

/* --- who was turned away --- */

/* At most once a minute for each reason, and only if somebody came meanwhile. */
static bool
is_due(struct gvs_agent_turned *t, const struct gvs_stranger *s)
{
    struct gvs_mono now = gvs_udp_now();

    if (s->count == t->logged || !gvs_mono_due(t->next, now))
        return false;
    t->logged = s->count;
    t->next = gvs_mono_add_ms(now, LOG_MS);
    return true;
}

void
gvs_keys_log_strangers(struct gvs_agent *a)
{
    const struct gvs_stranger *s = gvs_node_stranger(a->node), *d = gvs_node_denied(a->node);
    char text[256];

    if (is_due(&a->strangers, s))
        gvs_agent_log(a, GVS_LOG_WARN, "%s", gvs_text_stranger(a, text, sizeof text, s));
    if (is_due(&a->denied, d))
        gvs_agent_log(a, GVS_LOG_WARN, "%s", gvs_text_denied(a, text, sizeof text, d));
}

/* --- keys list --- */

static bool
add_key(uint64_t *keys, size_t *count, uint64_t key)
{
    for (size_t i = 0; i < *count; i++)
        if (keys[i] == key)
            return false;
    if (key == 0 || *count == KEYS_SHOWN)
        return false;
    keys[(*count)++] = key;
    return true;
}

/* Ours in the order of the file, then what members have besides. */
static size_t
collect_keys(const struct gvs_agent *a, const struct gvs_node_member *m, size_t count,
             uint64_t keys[static KEYS_SHOWN])
{
    size_t n = 0;

    for (size_t i = 0; i < a->key_count; i++)
        add_key(keys, &n, a->keys[i].id);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; m[i].state != GVS_LEFT && k < GVS_MEMBER_KEYS_MAX; k++)
            add_key(keys, &n, m[i].value.keys[k]);
    return n;
}

static const char *
role_at(const struct gvs_member_value *v, uint64_t key)
{
    if (v->keys[0] == 0)
        return "unknown"; /* it does not say: another version */
    return v->keys[0] == key ? "primary" : takes(v, key) ? "accept" : "lacks";
}

static json_t *
key_json(const struct gvs_agent *a, const struct gvs_node_member *m, size_t count, uint64_t key)
{
    static const char *const states[] = {"alive", "suspect", "dead", "left"};
    const struct gvs_agent_key *ours = NULL;
    json_t *members = json_array();
    char id[GVS_ID_TEXT_LEN + 1], hex[17];

    for (size_t i = 0; i < a->key_count; i++)
        ours = a->keys[i].id == key ? &a->keys[i] : ours;
    for (size_t i = 0; i < count; i++) {
        if (m[i].state == GVS_LEFT)
            continue;
        gvs_id_format(id, &m[i].id);
        json_array_append_new(members, json_pack("{s:s, s:s, s:s, s:s}", "id", id, "name",
                                                 m[i].value.name, "state", states[m[i].state],
                                                 "key", role_at(&m[i].value, key)));
    }
    snprintf(hex, sizeof hex, "%016" PRIx64, key);
    return json_pack("{s:s, s:s?, s:s, s:I, s:o}", "id", hex, "note",
                     ours && ours->note[0] ? ours->note : NULL, "here",
                     !ours           ? "lacks"
                     : ours->primary ? "primary"
                                     : "accept",
                     "sessions", (json_int_t)gvs_node_sessions_under(a->node, key), "members",
                     members);
}

void
gvs_show_keys(struct gvs_request *r)
{
    struct gvs_node_member *m;
    uint64_t keys[KEYS_SHOWN];
    size_t count, n;
    json_t *list;

    if (gvs_show_too_many_words(r, 0))
        return;
    list = json_array();
    m = gvs_list_members(r->a, &count);
    n = collect_keys(r->a, m, count, keys);
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, key_json(r->a, m, count, keys[i]));
    free(m);
    gvs_request_answer(r, json_pack("{s:s, s:o}", "schema", "gossipvs/1", "keys", list), true);
}
