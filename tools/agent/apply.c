/* apply: the cluster's claims become what was staged; plan with `vips` says what that would be.
 *
 *     CHECK -> SERVERS -> LOOK -> WRITE -> PRUNE
 *
 * All is asked before anything is written. Each phase goes a few milliseconds at a time, once a
 * pump, so that ten thousand services hold up nobody; what others write meanwhile counts, since
 * each service is compared with the table when its turn has come, and only what differs is written.
 * From the first write on the request goes on to its end, whether or not its client still waits,
 * and no deadline cuts it short. An agent that is killed in between leaves the rest unwritten; the
 * same again writes it. */
#include <stdlib.h>
#include <string.h>

#include "tools/agent/apply.h"
#include "tools/words/syntax.h"

#define SERVICES_PER_TURN 16 /* with what follows from each: 5 ms, where there are ten thousand */
#define WRITES_PER_TURN 64
#define SEEKS_PER_TURN 512

static int
by_svc(const void *svc, const void *staged)
{
    return gvs_svcid_cmp(svc, &((const struct gvs_staged *)staged)->service.id);
}

static int
by_ep(const void *ep, const void *backend)
{
    return gvs_ep_cmp(ep, &((const struct gvs_claim_backend *)backend)->ep);
}

struct gvs_staged *
gvs_apply_find(const struct gvs_apply *p, const struct gvs_svcid *svc)
{
    const struct gvs_stage *s = p->stage;

    return s->count > 0 ? bsearch(svc, s->list, s->count, sizeof *s->list, by_svc) : NULL;
}

bool
gvs_apply_has(const struct gvs_staged *s, const struct gvs_ep *ep)
{
    return s && s->service.backend_count > 0 &&
           bsearch(ep, s->service.backends, s->service.backend_count, sizeof *s->service.backends,
                   by_ep);
}

/* --- what is lacking --- */

static void
note_stamp(struct gvs_request *r, const struct gvs_entry *held)
{
    struct gvs_stamp *latest = &r->apply->latest;

    if (held->order > latest->hlc)
        *latest = (struct gvs_stamp){.hlc = held->order, .writer = held->writer};
}

/* The cluster's claim on the service. *reset: older claims on its backends do not count. */
static bool
gather_service(struct gvs_request *r, const struct gvs_claim_service *s, uint64_t *reset)
{
    struct gvs_key key = gvs_write_key(GVS_KEY_SERVICE, &s->id, NULL);
    struct gvs_service want = s->attr, held;
    struct gvs_said said;
    bool is_held = gvs_write_say(r, &key, &said);

    *reset = is_held ? gvs_said_reset(&said) : 0;
    if (is_held && !said.e.tombstone &&
        gvs_service_decode(&held, said.e.value, said.e.value_len) == GVS_OK &&
        gvs_service_equal(&held, &want)) {
        note_stamp(r, &said.e);
        return true;
    }
    return gvs_write_service(r, &s->id, &want);
}

/* A weight that an operator gave over the claims gives way to what he says now; a drain stays. */
static bool
gather_override(struct gvs_request *r, const struct gvs_svcid *svc, const struct gvs_ep *ep)
{
    struct gvs_key key = gvs_write_key(GVS_KEY_OVERRIDE, svc, ep);
    struct gvs_override o;
    struct gvs_entry e;

    if (!gvs_write_get(r, &key, &e) || e.tombstone ||
        gvs_override_decode(&o, e.value, e.value_len) < 0 || !o.has_weight)
        return true;
    o.has_weight = false;
    o.weight = 0;
    return gvs_write_override(r, svc, ep, &o);
}

static bool
gather_backend(struct gvs_request *r, const struct gvs_svcid *svc,
               const struct gvs_claim_backend *b, uint64_t reset)
{
    struct gvs_key key = gvs_write_key(GVS_KEY_BACKEND, svc, &b->ep);
    struct gvs_backend held;
    struct gvs_entry e;

    if (gvs_write_get(r, &key, &e) && !e.tombstone && e.order > reset &&
        gvs_backend_decode(&held, e.value, e.value_len) == GVS_OK &&
        gvs_backend_equal(&held, &b->attr))
        note_stamp(r, &e);
    else if (!gvs_write_backend(r, svc, &b->ep, &b->attr))
        return false;
    return gather_override(r, svc, &b->ep);
}

bool
gvs_apply_gather(struct gvs_request *r, const struct gvs_staged *s)
{
    uint64_t reset;

    if (!gather_service(r, &s->service, &reset))
        return false;
    for (size_t i = 0; i < s->service.backend_count; i++)
        if (!gather_backend(r, &s->service.id, &s->service.backends[i], reset))
            return false;
    return true;
}

/* --- writing --- */

/* 1 it has ended, 0 there is more, -1 answered with a fault. */
static int
write_turn(struct gvs_request *r)
{
    struct gvs_apply *p = r->apply;
    size_t limit = r->written + WRITES_PER_TURN;

    for (int i = 0; i < SERVICES_PER_TURN && r->written < limit; i++, p->at++) {
        const struct gvs_staged *s;

        if (p->at == p->stage->count)
            return 1;
        s = &p->stage->list[p->at];
        gvs_request_touch(r, &s->service.id);
        if (!gvs_apply_gather(r, s) || !gvs_writes_commit(r))
            return -1;
    }
    return 0;
}

/* Does anybody but the cluster claim this backend? Behind its claim stand theirs. */
static bool
others_claim(const struct gvs_request *r, const struct gvs_entry *claim)
{
    const struct gvs_table *t = gvs_node_claims(r->a->node);
    size_t len = claim->key_len;
    struct gvs_entry e = *claim;
    struct gvs_key key;

    while (gvs_table_seek(t, e.key, e.key_len, true, &e) && e.key_len > len &&
           memcmp(e.key, claim->key, len) == 0)
        if (!e.tombstone && gvs_key_parse(&key, e.key, e.key_len) == GVS_OK &&
            !gvs_node_is_retired(r->a->node, &key.owner))
            return true;
    return false;
}

static bool
prune_backend(struct gvs_request *r, const struct gvs_key *key, const struct gvs_entry *e)
{
    struct gvs_key override = gvs_write_key(GVS_KEY_OVERRIDE, &key->svc, &key->ep);

    return (others_claim(r, e) || gvs_write_tombstone(r, &override, r->apply->force)) &&
           gvs_write_tombstone(r, key, r->apply->force);
}

/* Of one service what the cluster claims and the files lack; the service last. */
static bool
prune_service(struct gvs_request *r, const struct gvs_svcid *svc)
{
    const struct gvs_table *t = gvs_node_claims(r->a->node);
    const struct gvs_staged *s = gvs_apply_find(r->apply, svc);
    struct gvs_keybuf prefix;
    struct gvs_said said;
    struct gvs_entry e;
    struct gvs_key key;

    gvs_key_prefix(&prefix, svc);
    for (bool found = gvs_table_seek(t, prefix.b, prefix.len, false, &e);
         found && e.key_len > prefix.len && memcmp(e.key, prefix.b, prefix.len) == 0;
         found = gvs_table_seek(t, e.key, e.key_len, true, &e)) {
        gvs_trial_say(&said, t, r->a->now_ms, &e);
        if (gvs_key_parse(&key, e.key, e.key_len) < 0 || key.kind != GVS_KEY_BACKEND ||
            said.e.tombstone || !gvs_id_is_cluster(&key.owner) || gvs_apply_has(s, &key.ep))
            continue;
        if (!prune_backend(r, &key, &e))
            return false;
    }
    key = gvs_write_key(GVS_KEY_SERVICE, svc, NULL);
    if (!s && !gvs_write_tombstone(r, &key, r->apply->force))
        return false;
    if (r->writes)
        gvs_request_touch(r, svc);
    return gvs_writes_commit(r);
}

static int
prune_turn(struct gvs_request *r)
{
    struct gvs_apply *p = r->apply;
    const struct gvs_table *t = gvs_node_claims(r->a->node);
    size_t limit = r->written + WRITES_PER_TURN;

    for (int i = 0; i < SEEKS_PER_TURN && r->written < limit; i++) {
        if (!p->prune || !gvs_view_seek(t, p->any ? &p->svc : NULL, p->any, &p->svc))
            return 1;
        p->any = true;
        if (!prune_service(r, &p->svc))
            return -1;
    }
    return 0;
}

/* --- the phases --- */

/* Nothing is written yet: this is the last moment to find that another one waits. */
static int
begin_writing(struct gvs_request *r, struct gvs_fault *f)
{
    struct gvs_apply *p = r->apply;

    if (r->dry || r->trial || r->written > 0 || p->at > 0)
        return GVS_OK;
    if (gvs_trial_refuse_second(r, f) < 0)
        return -1;
    if (p->confirm == 0 || p->differs == 0)
        return GVS_OK;
    r->trial = &p->undo;
    return gvs_trial_begin(r, p->confirm, &p->undo, f);
}

static int
turn(struct gvs_request *r, struct gvs_fault *f)
{
    if (r->apply->phase == GVS_APPLY_WRITE && begin_writing(r, f) < 0)
        return -1;
    switch (r->apply->phase) {
    case GVS_APPLY_CHECK:
        return gvs_apply_check(r, f);
    case GVS_APPLY_SERVERS:
        return gvs_apply_servers(r, f);
    case GVS_APPLY_LOOK:
        return gvs_apply_look(r, f);
    case GVS_APPLY_WRITE:
        return write_turn(r);
    case GVS_APPLY_PRUNE:
        return prune_turn(r);
    default:
        return 1;
    }
}

/* One part of what there is to do; r->more: there is more. */
static bool
do_apply(struct gvs_request *r)
{
    struct gvs_apply *p = r->apply;
    struct gvs_fault f;
    int rc = turn(r, &f);

    if (rc < 0 && !r->done) /* what is gathered and written answers by itself */
        gvs_request_fault(r, &f);
    if (rc < 0)
        return false;
    if (rc > 0) {
        p->phase++;
        p->at = 0;
    }
    r->more = p->phase < GVS_APPLY_DONE;
    r->stays = p->phase >= GVS_APPLY_WRITE && !r->dry;
    if (p->prune && !r->more)
        p->kept = 0;
    r->already = !r->more && r->written == 0;
    if (r->already && r->trial) {
        gvs_trial_drop(r, r->trial);
        r->trial = NULL;
    }
    if (r->already)
        r->stamp = p->latest;
    return true;
}

void
gvs_apply_free(struct gvs_apply *p)
{
    if (!p)
        return;
    if (p->stage)
        gvs_stage_free(p->stage);
    free(p->by_name);
    free(p->by_addr);
    free(p);
}

size_t
gvs_apply_kept(const struct gvs_apply *p)
{
    return p->kept;
}

/* --- the commands --- */

static int
take_confirm(struct gvs_apply *p, const char *text, struct gvs_fault *f)
{
    if (gvs_syntax_seconds(&p->confirm, text, 1, GVS_TRIAL_SECONDS_MAX) == GVS_OK)
        return GVS_OK;
    return gvs_fault_set(f, GVS_EXIT_USAGE, "--confirm %.40s: seconds expected, 1 to %d", text,
                         GVS_TRIAL_SECONDS_MAX);
}

/* --prune, --force, --confirm, and nothing else. */
static int
take_words(struct gvs_request *r, struct gvs_apply *p, struct gvs_fault *f)
{
    for (size_t i = 0; i < r->argc; i++) {
        if (strcmp(r->argv[i], "--prune") == 0)
            p->prune = true;
        else if (strcmp(r->argv[i], "--force") == 0 && strcmp(r->words, "apply") == 0)
            p->force = true;
        else if (strcmp(r->argv[i], "--confirm") == 0 && strcmp(r->words, "apply") == 0) {
            if (take_confirm(p, i + 1 < r->argc ? r->argv[i + 1] : "", f) < 0)
                return -1;
            i++;
        } else
            return gvs_fault_set(f, GVS_EXIT_USAGE, "%s: no such word '%.40s'", r->words,
                                 r->argv[i]);
    }
    return GVS_OK;
}

static int
check_stage(struct gvs_request *r, struct gvs_fault *f)
{
    struct gvs_apply *p = r->apply;

    if (!p->stage)
        return gvs_fault_set(f, GVS_EXIT_USAGE, "%s: no services came with it (vips)", r->words);
    if (p->stage->wrong) {
        *f = p->stage->fault;
        return -1;
    }
    if (gvs_stage_order(p->stage, f) < 0)
        return -1;
    if (r->has_if_stamp && (p->stage->count != 1 || p->prune))
        return gvs_fault_set(f, GVS_EXIT_USAGE, "--if-stamp takes one vip, and no --prune");
    if (p->stage->count > 0 || !p->prune || p->force || r->dry)
        return GVS_OK;
    gvs_fault_set(f, GVS_EXIT_CONFLICT,
                  "no service at all: --prune would remove everything that the cluster claims");
    gvs_fault_hint(f, "--force does that");
    return -1;
}

/* What is staged is the client's no longer, whatever comes of it. */
static void
begin(struct gvs_request *r, bool changes)
{
    struct gvs_fault f;

    r->apply = calloc(1, sizeof *r->apply);
    GVS_ASSERT(r->apply != NULL);
    (void)gvs_stage_add(r, &f); /* what is wrong with it the stage knows, too */
    r->apply->stage = gvs_stage_take(r);
    if ((changes && gvs_write_options(r, &f) < 0) || take_words(r, r->apply, &f) < 0 ||
        check_stage(r, &f) < 0)
        gvs_request_fault(r, &f);
    else
        gvs_request_change(r, do_apply);
}

void
gvs_change_apply(struct gvs_request *r)
{
    begin(r, true);
}

void
gvs_show_plan_of(struct gvs_request *r)
{
    r->dry = true;
    begin(r, false);
}
