/* What commands write: entries of the cluster's, with the stamp of what each replaces, so that a
 * write that did not know another is seen for what it is. And what asks before: --if-stamp,
 * --dry-run.
 *
 * What a command writes is gathered first and then written as a whole, if there is room for all of
 * it: a table that fills up in the middle would leave a command half done. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/agent/agent.h"

#define LOGGED_MAX 8 /* entries of one command that the log names */

struct gvs_key
gvs_write_key(enum gvs_key_kind kind, const struct gvs_svcid *svc, const struct gvs_ep *ep)
{
    struct gvs_key key = {.kind = kind, .svc = *svc};

    if (ep)
        key.ep = *ep;
    return key;
}

bool
gvs_write_say(const struct gvs_request *r, const struct gvs_key *key, struct gvs_said *said)
{
    struct gvs_keybuf kb;

    gvs_key_build(&kb, key);
    return gvs_trial_get(said, gvs_node_claims(r->a->node), r->a->now_ms, kb.b, kb.len);
}

bool
gvs_write_get(const struct gvs_request *r, const struct gvs_key *key, struct gvs_entry *e)
{
    struct gvs_said said;

    if (!gvs_write_say(r, key, &said))
        return false;
    *e = said.e;
    return true;
}

/* --- dry run --- */

static void
note_dry(struct gvs_request *r, const struct gvs_key *key, const struct gvs_entry *held,
         bool tombstone, const uint8_t *value, size_t len)
{
    static const char *const kinds[] = {[GVS_KEY_SERVICE] = "service",
                                        [GVS_KEY_BACKEND] = "backend",
                                        [GVS_KEY_OVERRIDE] = "override"};
    bool there = held && !held->tombstone;
    char vip[GVS_SVCID_TEXT_LEN], ep[GVS_EP_TEXT_LEN];
    json_t *o;

    gvs_svcid_format(vip, &key->svc);
    o = json_pack("{s:s, s:s, s:n, s:s, s:s, s:s, s:n, s:b}", "scope", "table", "node", "cluster",
                  "namespace", "op",
                  tombstone ? "remove"
                  : there   ? "edit"
                            : "add",
                  "kind", kinds[key->kind], "vip", vip, "backend", "foreign", 0);
    if (key->kind != GVS_KEY_SERVICE) {
        gvs_ep_format(ep, &key->ep);
        json_object_set_new(o, "backend", json_string(ep));
    }
    json_object_set_new(o, "before",
                        there ? gvs_text_claim(key, held->value, held->value_len) : json_object());
    json_object_set_new(o, "after", tombstone ? json_object() : gvs_text_claim(key, value, len));
    if (!r->list)
        gvs_list_open(r, "changes");
    gvs_list_put(r, o);
}

/* --- writing --- */

static void
log_write(struct gvs_request *r, const struct gvs_key *key, bool tombstone)
{
    char vip[GVS_SVCID_TEXT_LEN], ep[GVS_EP_TEXT_LEN] = "";

    if (++r->written > LOGGED_MAX) {
        if (r->written == LOGGED_MAX + 1)
            gvs_agent_log(r->a, GVS_LOG_INFO, "%s: ... and more", r->who.name);
        return;
    }
    gvs_svcid_format(vip, &key->svc);
    if (key->kind != GVS_KEY_SERVICE)
        gvs_ep_format(ep, &key->ep);
    gvs_agent_log(r->a, GVS_LOG_INFO, "%s: %s %s %s%s%s at %016llx", r->who.name,
                  tombstone ? "removed" : "wrote",
                  key->kind == GVS_KEY_SERVICE   ? "vip"
                  : key->kind == GVS_KEY_BACKEND ? "backend"
                                                 : "override",
                  vip, ep[0] ? " " : "", ep, (unsigned long long)r->stamp.hlc);
}

bool
gvs_write_entry(struct gvs_request *r, const struct gvs_key *key, bool tombstone,
                const uint8_t *value, size_t len)
{
    struct gvs_write *w = malloc(sizeof *w + len);
    struct gvs_fault f;

    if (!w) {
        gvs_fault_set(&f, GVS_EXIT_NO, "out of memory; nothing changed");
        gvs_request_fault(r, &f);
        return false;
    }
    *w = (struct gvs_write){.key = *key, .tombstone = tombstone, .len = len};
    memcpy(w->value, value, len);
    if (r->writes_end)
        r->writes_end->next = w;
    else
        r->writes = w;
    r->writes_end = w;
    return true;
}

void
gvs_writes_free(struct gvs_request *r)
{
    struct gvs_write *next;

    for (struct gvs_write *w = r->writes; w; w = next) {
        next = w->next;
        free(w);
    }
    r->writes = r->writes_end = NULL;
}

size_t
gvs_writes_room(const struct gvs_request *r)
{
    struct gvs_entry held;
    size_t count = 0;

    for (const struct gvs_write *w = r->writes; w; w = w->next)
        count += !gvs_write_get(r, &w->key, &held);
    return count;
}

int
gvs_write_check_room(const struct gvs_request *r, size_t needed, struct gvs_fault *f)
{
    size_t used = gvs_table_count(gvs_node_claims(r->a->node)), max = r->a->cfg.limits.entries;
    size_t room = used < max ? max - used : 0; /* what is above it is for others' */

    if (needed <= room)
        return GVS_OK;
    if (r->written > 0)
        gvs_fault_set(
            f, GVS_EXIT_NO,
            "the table (%zu entries) has filled up meanwhile: %zu are written, the rest is "
            "not; the same again goes on",
            max, r->written);
    else
        gvs_fault_set(f, GVS_EXIT_NO,
                      "the table is full (%zu entries, room for %zu, needed %zu); nothing changed",
                      max, room, needed);
    gvs_fault_hint(f, "raise limits { entries } in gossipvs.conf on every node");
    return -1;
}

/* Of other writers': what this node overwrites of its own says nothing of whom it has heard. */
static uint64_t
known_before(const struct gvs_request *r, const struct gvs_entry *held)
{
    struct gvs_id self = gvs_node_self(r->a->node);

    if (gvs_id_cmp(&held->writer, &self) == 0)
        return gvs_prev_get(held->value, held->value_len);
    return held->order;
}

/* --- on trial --- */

static int
too_long(const struct gvs_request *r, const struct gvs_key *key, struct gvs_fault *f)
{
    char vip[GVS_SVCID_TEXT_LEN];

    gvs_svcid_format(vip, &key->svc);
    gvs_fault_set(f, GVS_EXIT_NO, "what is said of %s is too long to be kept for going back; %s",
                  vip, r->written > 0 ? "the rest is not written" : "nothing changed");
    gvs_fault_hint(f, "apply without --confirm");
    return -1;
}

/* Cluster claims on backends of the service that are stamped up to here do not count. */
static uint64_t
reset_of(const struct gvs_request *r, const struct gvs_svcid *svc)
{
    struct gvs_key key = gvs_write_key(GVS_KEY_SERVICE, svc, NULL);
    struct gvs_said said;

    return gvs_write_say(r, &key, &said) ? gvs_said_reset(&said) : 0;
}

static bool
get_held(const struct gvs_request *r, const struct gvs_key *key, struct gvs_entry *held)
{
    struct gvs_keybuf kb;

    gvs_key_build(&kb, key);
    return gvs_table_get(gvs_node_claims(r->a->node), kb.b, kb.len, held);
}

/* The value of an entry, as it is to be written; `trial`: on this one. */
static int
make_value(const struct gvs_request *r, const struct gvs_write *w, const struct gvs_undo *trial,
           struct gvs_trial_write *out, struct gvs_fault *f)
{
    struct gvs_entry held;

    out->tombstone = w->tombstone;
    out->len = w->len;
    memcpy(out->value, w->value, w->len);
    if (get_held(r, &w->key, &held))
        out->len = gvs_prev_add(out->value, out->len, known_before(r, &held));
    if (trial && gvs_trial_put(out, gvs_node_claims(r->a->node), &w->key, trial->trial,
                               trial->deadline_ms) < 0)
        return too_long(r, &w->key, f);
    return GVS_OK;
}

/* Any number is as long as any other. */
static const struct gvs_undo some_trial = {.trial = 1, .deadline_ms = 1};

int
gvs_write_check_trial(const struct gvs_request *r, struct gvs_fault *f)
{
    struct gvs_trial_write out;

    for (const struct gvs_write *w = r->writes; w; w = w->next)
        if (make_value(r, w, &some_trial, &out, f) < 0)
            return -1;
    return GVS_OK;
}

int
gvs_write_check_undo(const struct gvs_request *r, const struct gvs_key *key, struct gvs_fault *f)
{
    const struct gvs_write w = {.key = *key, .tombstone = true};
    struct gvs_trial_write out;

    return make_value(r, &w, &some_trial, &out, f);
}

/* --- */

static int
write_one(struct gvs_request *r, const struct gvs_write *w, struct gvs_fault *f)
{
    struct gvs_trial_write out;
    int rc = make_value(r, w, r->trial, &out, f);

    if (rc < 0)
        return rc;
    rc = gvs_node_write(r->a->node, gvs_udp_now(), gvs_udp_wall(), &w->key, out.tombstone,
                        out.value, out.len, &r->stamp);
    if (rc < 0) /* no room for very long entries; or a stamp that cannot be surpassed */
        return gvs_fault_set(f, GVS_EXIT_NO, "the table does not take it (error %d)", rc);
    gvs_agent_take_news(r->a); /* the node lends them one write at a time */
    log_write(r, &w->key, w->tombstone);
    return GVS_OK;
}

bool
gvs_writes_commit(struct gvs_request *r)
{
    struct gvs_entry held;
    struct gvs_fault f;
    int rc = gvs_write_check_room(r, gvs_writes_room(r), &f);

    for (const struct gvs_write *w = r->writes; w && rc == GVS_OK; w = w->next) {
        if (r->dry)
            note_dry(r, &w->key, gvs_write_get(r, &w->key, &held) ? &held : NULL, w->tombstone,
                     w->value, w->len);
        else
            rc = write_one(r, w, &f);
    }
    gvs_writes_free(r);
    if (rc < 0)
        gvs_request_fault(r, &f);
    return rc == GVS_OK;
}

bool
gvs_write_service(struct gvs_request *r, const struct gvs_svcid *svc, struct gvs_service *s)
{
    struct gvs_key key = gvs_write_key(GVS_KEY_SERVICE, svc, NULL);
    uint8_t value[GVS_VALUE_LEN_MAX];

    s->reset = reset_of(r, svc);
    return gvs_write_entry(r, &key, false, value, gvs_service_encode(value, s));
}

bool
gvs_write_backend(struct gvs_request *r, const struct gvs_svcid *svc, const struct gvs_ep *ep,
                  const struct gvs_backend *b)
{
    struct gvs_key key = gvs_write_key(GVS_KEY_BACKEND, svc, ep);
    uint8_t value[GVS_VALUE_LEN_MAX];

    return gvs_write_entry(r, &key, false, value, gvs_backend_encode(value, b));
}

bool
gvs_write_override(struct gvs_request *r, const struct gvs_svcid *svc, const struct gvs_ep *ep,
                   const struct gvs_override *o)
{
    struct gvs_key key = gvs_write_key(GVS_KEY_OVERRIDE, svc, ep);
    uint8_t value[GVS_VALUE_LEN_MAX];

    if (!o->drain && !o->has_weight)
        return gvs_write_entry(r, &key, true, value, gvs_tombstone_encode(value, false));
    return gvs_write_entry(r, &key, false, value, gvs_override_encode(value, o));
}

bool
gvs_write_tombstone(struct gvs_request *r, const struct gvs_key *key, bool force)
{
    uint8_t value[GVS_VALUE_LEN_MAX];
    struct gvs_entry e;

    if (!gvs_write_get(r, key, &e) || e.tombstone)
        return true;
    return gvs_write_entry(r, key, true, value, gvs_tombstone_encode(value, force));
}

bool
gvs_write_leaves(const struct gvs_request *r, const struct gvs_svcid *svc, const struct gvs_ep *ep)
{
    struct gvs_view_env env = gvs_agent_env(r->a);
    struct gvs_view_end end = gvs_view_end(gvs_node_claims(r->a->node), &env, svc, ep);

    return end.hlc > 0 && !end.force;
}

bool
gvs_write_hasten(struct gvs_request *r, const struct gvs_svcid *svc, const struct gvs_ep *ep)
{
    struct gvs_key key = gvs_write_key(ep ? GVS_KEY_BACKEND : GVS_KEY_SERVICE, svc, ep);
    uint8_t value[GVS_VALUE_LEN_MAX];

    gvs_request_touch(r, svc);
    return gvs_write_entry(r, &key, true, value, gvs_tombstone_encode(value, true));
}

/* --- the options of every change --- */

static void
cut_args(struct gvs_request *r, size_t at, size_t count)
{
    r->argc -= count;
    memmove(&r->argv[at], &r->argv[at + count], (r->argc - at) * sizeof *r->argv);
}

static int
take_peers(struct gvs_request *r, const char *text, struct gvs_fault *f)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end || n > r->a->cfg.limits.members)
        return gvs_fault_set(f, GVS_EXIT_USAGE, "--peers %.40s: 0 to %zu expected", text,
                             r->a->cfg.limits.members);
    r->peers = n;
    return GVS_OK;
}

static int
take_stamp(struct gvs_request *r, const char *text, struct gvs_fault *f)
{
    size_t digits = strspn(text, "0123456789abcdef");

    if (digits == 0 || digits > 16 || text[digits])
        return gvs_fault_set(f, GVS_EXIT_USAGE,
                             "--if-stamp %.40s: a stamp as -j prints it "
                             "expected, or 0 for nothing there",
                             text);
    r->if_stamp = strtoull(text, NULL, 16);
    r->has_if_stamp = true;
    return GVS_OK;
}

int
gvs_write_options(struct gvs_request *r, struct gvs_fault *f)
{
    for (size_t i = 0; i < r->argc;) {
        const char *value = i + 1 < r->argc ? r->argv[i + 1] : "";
        int rc;

        if (strcmp(r->argv[i], "--dry-run") == 0) {
            r->dry = true;
            cut_args(r, i, 1);
            continue;
        }
        if (strcmp(r->argv[i], "--peers") == 0)
            rc = take_peers(r, value, f);
        else if (strcmp(r->argv[i], "--if-stamp") == 0)
            rc = take_stamp(r, value, f);
        else {
            i++;
            continue;
        }
        if (rc < 0)
            return rc;
        cut_args(r, i, 2);
    }
    return GVS_OK;
}

int
gvs_write_check_stamp(const struct gvs_request *r, const char *what, uint64_t held,
                      struct gvs_fault *f)
{
    unsigned long long has = held, expected = r->if_stamp;
    char vip[GVS_SVCID_TEXT_LEN];

    if (!r->has_if_stamp || r->if_stamp == held)
        return GVS_OK;
    if (held == 0) {
        gvs_fault_set(f, GVS_EXIT_CONFLICT,
                      "%s is not there, and --if-stamp expects it at %016llx; nothing changed",
                      what, expected);
        gvs_fault_hint(f, "somebody removed it; if the change is still right: --if-stamp 0");
        return -1;
    }
    if (expected == 0)
        gvs_fault_set(f, GVS_EXIT_CONFLICT,
                      "%s is at stamp %016llx, and --if-stamp 0 expects that it is not there; "
                      "nothing changed",
                      what, has);
    else
        gvs_fault_set(f, GVS_EXIT_CONFLICT,
                      "%s is at stamp %016llx, not %016llx as --if-stamp expects; nothing changed",
                      what, has, expected);
    gvs_svcid_format(vip, &r->a->view->id);
    gvs_fault_hint(f, "gossipvs -j vip show %s; if the change is still right: --if-stamp %016llx",
                   vip, has);
    return -1;
}
