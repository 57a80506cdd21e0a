/* What an agent does about trials (core/trial.h): it wakes up at their deadlines, tells of them,
 * and has the commands that say a word about them.
 *
 * An entry says by itself what it goes back to and when; but views are kept, so somebody has to
 * look again when the time has come. So every trial of which an entry or a word was seen is noted
 * with its deadline. When the outcome of one changes, by the clock or by a word, all services with
 * entries of any trial are viewed again, some a pass, and what comes of it goes the way of every
 * other change: edits, adds and removals that drain. A removal by going back is not the brake's
 * business: most of what there is may be what was added a minute ago. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/crypto.h"
#include "tools/agent/apply.h"

#define ENTRIES_PER_PASS 2048 /* looked at; a millisecond or so */
#define NOTED_MAX 1024        /* nothing special about it: one in use, and those that are over */

/* --- what is known of them --- */

static uint64_t
read_clock(struct gvs_agent *a, struct gvs_mono now)
{
    return gvs_udp_wall().ms + (uint64_t)gvs_node_clock(a->node, now).median_ms;
}

/* The one that is over for longest makes room; who looks again at its services does so unasked. */
static struct gvs_agent_trial *
make_room(struct gvs_agent *a)
{
    struct gvs_agent_trial *oldest = a->trials, *more;

    if (a->trial_count < NOTED_MAX) {
        more = realloc(a->trials, (a->trial_count + 1) * sizeof *more);
        if (!more)
            return NULL;
        a->trials = more;
        return &a->trials[a->trial_count++];
    }
    for (size_t i = 1; i < a->trial_count; i++)
        if (a->trials[i].deadline_ms < oldest->deadline_ms)
            oldest = &a->trials[i];
    return oldest;
}

static void
note(struct gvs_agent *a, uint64_t number, uint64_t deadline_ms)
{
    struct gvs_agent_trial *t;

    for (size_t i = a->trial_count; i > 0; i--)
        if (a->trials[i - 1].number == number)
            return;
    t = make_room(a);
    if (!t)
        return;
    *t = (struct gvs_agent_trial){.number = number, .deadline_ms = deadline_ms};
    a->trials_due = true;
}

void
gvs_trials_note(struct gvs_agent *a, const struct gvs_entry *e)
{
    struct gvs_trial_value v;
    struct gvs_undo u;
    struct gvs_key key;

    if (e->kind == GVS_KEY_TRIAL) {
        a->trials_due = true;
        if (gvs_key_parse(&key, e->key, e->key_len) == GVS_OK && !e->tombstone &&
            gvs_trial_decode(&v, e->value, e->value_len) == GVS_OK)
            note(a, key.trial, v.deadline_ms);
    } else if (gvs_undo_get(&u, e->value, e->value_len)) {
        note(a, u.trial, u.deadline_ms);
    }
}

void
gvs_trials_load(struct gvs_agent *a)
{
    const struct gvs_table *t = gvs_node_claims(a->node);
    struct gvs_entry e;

    for (bool found = gvs_table_seek(t, NULL, 0, false, &e); found;
         found = gvs_table_seek(t, e.key, e.key_len, true, &e))
        gvs_trials_note(a, &e);
}

/* --- what becomes of them --- */

/* The trial's own entry; false: there is none that says anything. */
static bool
get_trial(const struct gvs_agent *a, uint64_t number, struct gvs_entry *e,
          struct gvs_trial_value *v)
{
    struct gvs_key key = {.kind = GVS_KEY_TRIAL, .trial = number};
    struct gvs_keybuf k;

    gvs_key_build(&k, &key);
    return gvs_table_get(gvs_node_claims(a->node), k.b, k.len, e) && !e->tombstone &&
           gvs_trial_decode(v, e->value, e->value_len) == GVS_OK;
}

static void
emit(struct gvs_agent *a, const char *event, const struct gvs_agent_trial *t,
     const struct gvs_id *who)
{
    char number[17], deadline[32];

    gvs_text_hex64(number, t->number);
    gvs_text_time(deadline, t->deadline_ms);
    gvs_event_emit(a, event, NULL, NULL, who,
                   json_pack("{s:s, s:s}", "apply", number, "deadline", deadline));
}

/* In watch and in the log. Of what was over when this node heard of it nobody is told. */
static void
tell(struct gvs_agent *a, const struct gvs_agent_trial *t, enum gvs_trial_outcome now)
{
    struct gvs_trial_value v = {.word = GVS_TRIAL_OPEN};
    struct gvs_id self = gvs_node_self(a->node), who = self;
    enum gvs_via via = a->via;
    struct gvs_entry e;
    char number[17], name[64];

    if (get_trial(a, t->number, &e, &v))
        who = e.writer;
    if ((!t->known && now != GVS_TRIAL_PENDING) || (now == GVS_TRIAL_PENDING && t->known))
        return;
    gvs_text_hex64(number, t->number);
    gvs_text_id_name(a, &who, name, sizeof name);
    if (now == GVS_TRIAL_PENDING) {
        gvs_agent_log(a, GVS_LOG_INFO, "apply %s (by %s) goes back in %.1f s unless confirmed",
                      number, name, (double)(t->deadline_ms - a->now_ms) / 1000);
        emit(a, "apply.pending", t, &who);
    } else if (now == GVS_TRIAL_KEPT) {
        gvs_agent_log(a, GVS_LOG_INFO, "confirmed %s (by %s)", number, name);
        emit(a, "apply.confirmed", t, &who);
    } else if (v.word == GVS_TRIAL_ROLLED_BACK) {
        gvs_agent_log(a, GVS_LOG_WARN, "rolled back %s (by %s)", number, name);
        emit(a, "apply.rolled_back", t, &who);
    } else { /* by this node's clock: nobody caused it */
        a->via = GVS_VIA_NONE;
        gvs_agent_log(a, GVS_LOG_WARN, "rolled back %s (not confirmed in time)", number);
        emit(a, "apply.rolled_back", t, &self);
        a->via = via;
    }
}

static void
scan_again(struct gvs_agent *a)
{
    a->trial_scanning = true;
    a->trial_key.len = 0;
}

/* While it is pending an entry says what it says when it is confirmed. */
static bool
changes_views(const struct gvs_agent_trial *t, enum gvs_trial_outcome now)
{
    if (!t->known)
        return now != GVS_TRIAL_PENDING; /* it may have been noted before, and made room */
    return t->outcome == GVS_TRIAL_BACK || now == GVS_TRIAL_BACK;
}

static void
look_at(struct gvs_agent *a, struct gvs_agent_trial *t)
{
    enum gvs_trial_outcome now =
        gvs_trial_outcome(gvs_node_claims(a->node), a->now_ms, t->number, t->deadline_ms, NULL);

    if (t->known && now == t->outcome)
        return;
    if (!a->quiet)
        tell(a, t, now);
    if (changes_views(t, now))
        scan_again(a);
    t->known = true;
    t->outcome = now;
}

/* Clocks may be set back, and then the outcome of one may be open again. */
struct gvs_mono
gvs_trials_look(struct gvs_agent *a, struct gvs_mono now)
{
    if (a->trial_count == 0)
        return GVS_MONO_NEVER;
    a->now_ms = read_clock(a, now);
    if (a->trials_due || a->now_ms >= a->trial_next_ms || a->now_ms < a->trial_last_ms) {
        a->trials_due = false;
        a->trial_next_ms = UINT64_MAX;
        a->trial_last_ms = 0;
        for (size_t i = 0; i < a->trial_count; i++) {
            struct gvs_agent_trial *t = &a->trials[i];

            look_at(a, t);
            if (t->deadline_ms > a->now_ms && t->deadline_ms < a->trial_next_ms)
                a->trial_next_ms = t->deadline_ms;
            if (t->deadline_ms <= a->now_ms && t->deadline_ms > a->trial_last_ms)
                a->trial_last_ms = t->deadline_ms;
        }
    }
    if (a->trial_next_ms == UINT64_MAX)
        return GVS_MONO_NEVER;
    return gvs_mono_add_ms(now, a->trial_next_ms - a->now_ms);
}

/* Marks services with entries of trials from *at on, which moves; at most so many entries are
 * looked at. `mark` gets each service once. False: that was the last. */
static bool
scan(struct gvs_agent *a, struct gvs_keybuf *at, void (*mark)(void *ctx, const struct gvs_svcid *),
     void *ctx)
{
    const struct gvs_table *t = gvs_node_claims(a->node);
    struct gvs_undo u;
    struct gvs_entry e;
    struct gvs_key key;

    for (int i = 0; i < ENTRIES_PER_PASS; i++) {
        if (!gvs_table_seek(t, at->b, at->len, at->len > 0, &e) || e.kind == GVS_KEY_TRIAL)
            return false;
        at->len = e.key_len;
        memcpy(at->b, e.key, e.key_len);
        if (!gvs_undo_get(&u, e.value, e.value_len) || gvs_key_parse(&key, e.key, e.key_len) < 0)
            continue;
        mark(ctx, &key.svc);
        gvs_key_prefix(at, &key.svc);
        at->b[at->len++] = 0xff; /* above all that continues it: the next service */
    }
    return true;
}

static void
mark_dirty(void *ctx, const struct gvs_svcid *svc)
{
    gvs_agent_dirty(ctx, svc);
}

bool
gvs_trials_scan(struct gvs_agent *a)
{
    if (a->trial_scanning)
        a->trial_scanning = scan(a, &a->trial_key, mark_dirty, a);
    return a->trial_scanning;
}

/* --- what is shown --- */

/* The one that waits; of several the one that does so for longest. NULL: none. */
static const struct gvs_agent_trial *
pending(const struct gvs_agent *a)
{
    const struct gvs_agent_trial *last = NULL;

    for (size_t i = 0; i < a->trial_count; i++) {
        const struct gvs_agent_trial *t = &a->trials[i];

        if (gvs_trial_outcome(gvs_node_claims(a->node), a->now_ms, t->number, t->deadline_ms,
                              NULL) == GVS_TRIAL_PENDING &&
            (!last || t->deadline_ms > last->deadline_ms))
            last = t;
    }
    return last;
}

static json_t *
trial_json(const struct gvs_agent *a, uint64_t number, uint64_t deadline_ms)
{
    struct gvs_trial_value v;
    struct gvs_entry e;
    char text[17], deadline[32], name[64];
    bool there = get_trial(a, number, &e, &v);

    gvs_text_hex64(text, number);
    gvs_text_time(deadline, deadline_ms);
    if (there)
        gvs_text_id_name(a, &e.writer, name, sizeof name);
    return json_pack("{s:s, s:s, s:f, s:s?}", "apply", text, "deadline", deadline, "left_seconds",
                     deadline_ms > a->now_ms ? (double)(deadline_ms - a->now_ms) / 1000 : 0.0,
                     "node", there ? name : NULL);
}

json_t *
gvs_trials_json(const struct gvs_agent *a)
{
    const struct gvs_agent_trial *t = pending(a);

    return t ? trial_json(a, t->number, t->deadline_ms) : json_null();
}

/* --- apply --- */

int
gvs_trial_refuse_second(const struct gvs_request *r, struct gvs_fault *f)
{
    const struct gvs_agent_trial *t = pending(r->a);
    struct gvs_trial_value v;
    struct gvs_entry e;
    char number[17], name[64] = "another node";

    if (!t)
        return GVS_OK;
    gvs_text_hex64(number, t->number);
    if (get_trial(r->a, t->number, &e, &v))
        gvs_text_id_name(r->a, &e.writer, name, sizeof name);
    gvs_fault_set(f, GVS_EXIT_CONFLICT,
                  "apply %s of %s waits to be confirmed (%.1f s are left); nothing changed", number,
                  name, (double)(t->deadline_ms - r->a->now_ms) / 1000);
    gvs_fault_hint(f, "gossipvs confirm, or gossipvs rollback");
    return -1;
}

/* No command's entry: it has neither a service nor anything that it replaces. */
static int
write_word(struct gvs_request *r, uint64_t number, const struct gvs_trial_value *v,
           struct gvs_fault *f)
{
    struct gvs_key key = {.kind = GVS_KEY_TRIAL, .trial = number};
    uint8_t value[GVS_VALUE_LEN_MAX];
    struct gvs_entry held;
    struct gvs_keybuf k;
    size_t len = gvs_trial_encode(value, v);
    int rc;

    gvs_key_build(&k, &key);
    if (gvs_table_get(gvs_node_claims(r->a->node), k.b, k.len, &held))
        len = gvs_prev_add(value, len, held.order);
    rc = gvs_node_write(r->a->node, gvs_udp_now(), gvs_udp_wall(), &key, false, value, len,
                        &r->stamp);
    if (rc < 0)
        return gvs_fault_set(f, GVS_EXIT_NO, "the table does not take it (error %d)", rc);
    gvs_agent_take_news(r->a);
    return GVS_OK;
}

int
gvs_trial_begin(struct gvs_request *r, unsigned seconds, struct gvs_undo *undo, struct gvs_fault *f)
{
    struct gvs_agent *a = r->a;
    struct gvs_trial_value v = {.word = GVS_TRIAL_OPEN};

    a->now_ms = read_clock(a, gvs_udp_now());
    while (undo->trial == 0)
        gvs_crypto_random(NULL, &undo->trial, sizeof undo->trial);
    undo->deadline_ms = v.deadline_ms = a->now_ms + (uint64_t)seconds * 1000;
    return write_word(r, undo->trial, &v, f);
}

/* Others have written all of it meanwhile. */
void
gvs_trial_drop(struct gvs_request *r, const struct gvs_undo *undo)
{
    struct gvs_trial_value v = {.deadline_ms = undo->deadline_ms, .word = GVS_TRIAL_CONFIRMED};
    struct gvs_fault f;

    (void)write_word(r, undo->trial, &v, &f); /* else it ends at its deadline, with no entry */
}

void
gvs_trial_describe(const struct gvs_request *r, const struct gvs_undo *undo, json_t *doc)
{
    json_object_set_new(doc, "pending", trial_json(r->a, undo->trial, undo->deadline_ms));
}

/* --- confirm, rollback --- */

/* The latest that is over, of which anything is known. */
static const struct gvs_agent_trial *
latest(const struct gvs_agent *a)
{
    const struct gvs_agent_trial *last = NULL;

    for (size_t i = 0; i < a->trial_count; i++)
        if (!last || a->trials[i].deadline_ms > last->deadline_ms)
            last = &a->trials[i];
    return last;
}

/* Nothing waits. Was the same said before? */
static bool
answer_none(struct gvs_request *r, uint8_t word)
{
    const struct gvs_agent_trial *t = latest(r->a);
    enum gvs_trial_outcome wanted = word == GVS_TRIAL_CONFIRMED ? GVS_TRIAL_KEPT : GVS_TRIAL_BACK;
    struct gvs_trial_value v;
    struct gvs_entry e;
    struct gvs_fault f;
    char number[17];

    if (!t) {
        gvs_fault_set(&f, GVS_EXIT_NOT_FOUND, "no apply waits to be confirmed");
        gvs_request_fault(r, &f);
        return false;
    }
    if (t->outcome == wanted) {
        r->already = true;
        if (get_trial(r->a, t->number, &e, &v))
            r->stamp = (struct gvs_stamp){.hlc = e.order, .writer = e.writer};
        return true;
    }
    gvs_text_hex64(number, t->number);
    if (t->outcome == GVS_TRIAL_KEPT)
        gvs_fault_set(&f, GVS_EXIT_CONFLICT, "apply %s was confirmed, and stays", number);
    else
        gvs_fault_set(&f, GVS_EXIT_CONFLICT, "apply %s was rolled back already", number);
    gvs_request_fault(r, &f);
    return false;
}

/* Of all that wait: where two sides of a split began one each there may be two. */
static bool
say(struct gvs_request *r, uint8_t word)
{
    struct gvs_agent *a = r->a;
    bool any = false;
    struct gvs_fault f;

    a->now_ms = read_clock(a, gvs_udp_now());
    for (size_t i = 0; i < a->trial_count; i++) {
        struct gvs_agent_trial *t = &a->trials[i];
        struct gvs_trial_value v = {.deadline_ms = t->deadline_ms, .word = word};

        if (gvs_trial_outcome(gvs_node_claims(a->node), a->now_ms, t->number, t->deadline_ms,
                              NULL) != GVS_TRIAL_PENDING)
            continue;
        any = true;
        if (write_word(r, t->number, &v, &f) < 0) {
            gvs_request_fault(r, &f);
            return false;
        }
    }
    return any || answer_none(r, word);
}

static bool
do_confirm(struct gvs_request *r)
{
    return say(r, GVS_TRIAL_CONFIRMED);
}

static void
mark_touched(void *ctx, const struct gvs_svcid *svc)
{
    struct gvs_request *r = ctx;

    gvs_request_touch(r, svc);
    gvs_agent_dirty(r->a, svc);
}

/* What it touches is viewed under the name of who asked for it, and waited for. */
static bool
do_rollback(struct gvs_request *r)
{
    if (!r->stays && !say(r, GVS_TRIAL_ROLLED_BACK))
        return false;
    if (r->already)
        return true;
    r->stays = true; /* the word is said */
    r->more = scan(r->a, &r->trial_key, mark_touched, r);
    return true;
}

static void
begin(struct gvs_request *r, bool (*change)(struct gvs_request *r))
{
    struct gvs_fault f;

    if (gvs_write_options(r, &f) < 0) {
        gvs_request_fault(r, &f);
    } else if (r->dry || r->has_if_stamp) {
        gvs_fault_set(&f, GVS_EXIT_USAGE, "%s takes neither --dry-run nor --if-stamp", r->words);
        gvs_request_fault(r, &f);
    } else if (!gvs_show_too_many_words(r, 0)) {
        gvs_request_change(r, change);
    }
}

void
gvs_change_confirm(struct gvs_request *r)
{
    begin(r, do_confirm);
}

void
gvs_change_rollback(struct gvs_request *r)
{
    begin(r, do_rollback);
}
