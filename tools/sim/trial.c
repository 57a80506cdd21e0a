/* Applies on trial (core/trial.h), as tools/agent/trial.c begins them and says words about them:
 * some keys of the cluster's, a deadline within a minute, and perhaps a confirmation or a rollback
 * from any node that still sees it wait. The other writes go on meanwhile, over the same keys.
 *
 * What each entry replaced and said is kept here apart from the table. So is the rule of what
 * counts at rest, when all deadlines are over: the word that the table holds of the trial, and
 * without one what was there before.
 *
 *     I25  at rest each node reads an entry of a trial, where that is what it holds of the key, as
 *          what was there before or as what the trial wrote, by the word about the trial alone */
#include <stdlib.h>
#include <string.h>

#include "tools/sim/world.h"

#define KEYS_MAX 8
#define DEADLINE_MS 60000
#define MARGIN_MS 120000 /* of a clock: whose deadlines are later than that begins none */

struct value {
    bool tombstone;
    size_t len;
    uint8_t b[GVS_VALUE_LEN_MAX];
};

struct tried { /* an entry of a trial */
    uint64_t trial, order;
    struct gvs_id writer;
    struct gvs_keybuf key;
    struct value before, after;
};

struct sim_trials {
    struct sim_prng prng;
    struct tried *v;
    size_t count, cap;
    uint64_t last_ms; /* the latest deadline */
};

static void begin(struct sim_world *w, uint64_t arg);

void
sim_trials_plan(struct sim_world *w)
{
    if (w->plan.trial_s == 0)
        return;
    w->trials = sim_need(calloc(1, sizeof *w->trials));
    w->trials->prng.state = sim_mix(w->seed ^ UINT64_C(0x747269616c));
    sim_call(w, w->now_us + SIM_SECOND, begin, 0);
}

void
sim_trials_close(struct sim_world *w)
{
    if (w->trials)
        free(w->trials->v);
    free(w->trials);
}

uint64_t
sim_trials_clock(const struct sim_world *w, size_t i)
{
    if (!w->trials)
        return 0;
    return sim_wall(w, i).ms + (uint64_t)gvs_node_clock(w->host[i].node, sim_mono(w, i)).median_ms;
}

/* --- what is written --- */

static bool
is_pending(const struct sim_world *w, size_t i, const struct gvs_entry *e, uint64_t *trial,
           struct gvs_trial_value *v)
{
    struct gvs_key key;

    if (e->kind != GVS_KEY_TRIAL || e->tombstone || gvs_key_parse(&key, e->key, e->key_len) < 0 ||
        gvs_trial_decode(v, e->value, e->value_len) < 0)
        return false;
    *trial = key.trial;
    return gvs_trial_outcome(gvs_node_claims(w->host[i].node), sim_trials_clock(w, i), key.trial,
                             v->deadline_ms, NULL) == GVS_TRIAL_PENDING;
}

/* The next trial after *at that waits, as node i sees it; false: none. */
static bool
next_pending(const struct sim_world *w, size_t i, struct gvs_keybuf *at, uint64_t *trial,
             struct gvs_trial_value *v)
{
    struct gvs_entry e;

    while (gvs_table_seek(gvs_node_claims(w->host[i].node), at->b, at->len, true, &e)) {
        at->len = e.key_len;
        memcpy(at->b, e.key, e.key_len);
        if (is_pending(w, i, &e, trial, v))
            return true;
    }
    return false;
}

static struct gvs_keybuf
behind_all_services(void)
{
    return (struct gvs_keybuf){.len = 1, .b = {'T'}};
}

static bool
write_word(struct sim_world *w, size_t i, uint64_t trial, const struct gvs_trial_value *v)
{
    struct gvs_key key = {.kind = GVS_KEY_TRIAL, .trial = trial};
    uint8_t value[GVS_VALUE_LEN_MAX];

    return sim_write(w, i, &key, false, value, gvs_trial_encode(value, v));
}

static void
keep(struct value *to, const struct gvs_entry *e)
{
    to->tombstone = e->tombstone;
    to->len = e->tombstone ? 0 : gvs_value_bare(e->value, e->value_len);
    if (to->len > 0)
        memcpy(to->b, e->value, to->len);
}

/* What is there now; false: it is on another trial, or buried, so not simply what comes back. */
static bool
read_before(const struct sim_world *w, size_t i, const struct gvs_key *key, struct value *before)
{
    const struct gvs_table *t = gvs_node_claims(w->host[i].node);
    struct gvs_key service = {.kind = GVS_KEY_SERVICE, .svc = key->svc};
    uint64_t now_ms = sim_trials_clock(w, i);
    struct gvs_said said, over;
    struct gvs_keybuf k;
    struct gvs_undo u;

    *before = (struct value){.tombstone = true};
    gvs_key_build(&k, key);
    if (!gvs_trial_get(&said, t, now_ms, k.b, k.len))
        return true;
    if (!said.back && gvs_undo_get(&u, said.as.value, said.as.value_len) &&
        gvs_trial_outcome(t, now_ms, u.trial, u.deadline_ms, NULL) == GVS_TRIAL_PENDING)
        return false;
    gvs_key_build(&k, &service);
    if (key->kind == GVS_KEY_BACKEND && gvs_trial_get(&over, t, now_ms, k.b, k.len) &&
        said.e.order <= gvs_said_reset(&over))
        return false; /* who is buried is for the view's tests */
    keep(before, &said.e);
    return true;
}

static void
add(struct sim_trials *ts, const struct tried *one)
{
    if (ts->count == ts->cap) {
        ts->cap = ts->cap ? 2 * ts->cap : 64;
        ts->v = sim_need(realloc(ts->v, ts->cap * sizeof *ts->v));
    }
    ts->v[ts->count++] = *one;
}

static void
write_tried(struct sim_world *w, size_t i, uint64_t trial, uint64_t deadline_ms)
{
    struct sim_trials *ts = w->trials;
    struct gvs_key key = sim_draw_key(w, &ts->prng, &w->host[i].id);
    struct gvs_trial_write out = {.tombstone = sim_chance(&ts->prng, 0.4)};
    const struct gvs_table *t = gvs_node_claims(w->host[i].node);
    struct tried one = {.trial = trial};
    struct gvs_entry e;
    bool known;

    key.owner = (struct gvs_id){{0}};
    out.len = out.tombstone ? gvs_tombstone_encode(out.value, false)
                            : sim_draw_value(&ts->prng, &key, out.value);
    known = read_before(w, i, &key, &one.before);
    if (out.tombstone && known && one.before.tombstone)
        return; /* no command deletes what is not there */
    one.after = (struct value){.tombstone = out.tombstone, .len = out.tombstone ? 0 : out.len};
    memcpy(one.after.b, out.value, one.after.len);
    if (gvs_trial_put(&out, t, &key, trial, deadline_ms) < 0 ||
        !sim_write(w, i, &key, out.tombstone, out.value, out.len))
        return;
    gvs_key_build(&one.key, &key);
    if (!known || out.tombstone || !gvs_table_get(t, one.key.b, one.key.len, &e))
        return;
    one.order = e.order;
    one.writer = e.writer;
    add(ts, &one);
}

/* From any node, about all that wait there. */
static void
say(struct sim_world *w, uint64_t arg)
{
    struct sim_trials *ts = w->trials;
    size_t i = sim_below(&ts->prng, w->count);
    struct gvs_keybuf at = behind_all_services();
    struct gvs_trial_value v;
    uint64_t trial;

    if (!w->chaos || !sim_may_work(w, i))
        return;
    while (!w->failed && next_pending(w, i, &at, &trial, &v)) {
        v.word = arg ? GVS_TRIAL_CONFIRMED : GVS_TRIAL_ROLLED_BACK;
        if (!write_word(w, i, trial, &v))
            return;
    }
}

static void
begin(struct sim_world *w, uint64_t arg)
{
    struct sim_trials *ts = w->trials;
    size_t i = sim_below(&ts->prng, w->count);
    struct gvs_keybuf at = behind_all_services();
    struct gvs_trial_value v = {.word = GVS_TRIAL_OPEN}, other;
    uint64_t trial = sim_next(&ts->prng) | 1, waits, keys = 1 + sim_below(&ts->prng, KEYS_MAX);
    uint64_t seconds_us = (uint64_t)(1e6 * sim_wait(&ts->prng, w->plan.trial_s));

    (void)arg;
    if (!w->chaos)
        return;
    sim_call(w, w->now_us + 1 + seconds_us, begin, 0);
    if (!sim_may_work(w, i) || next_pending(w, i, &at, &waits, &other))
        return;
    v.deadline_ms = sim_trials_clock(w, i) + 1000 + sim_below(&ts->prng, DEADLINE_MS);
    if (v.deadline_ms > sim_true_ms(w) + MARGIN_MS || !write_word(w, i, trial, &v))
        return;
    if (v.deadline_ms > ts->last_ms)
        ts->last_ms = v.deadline_ms;
    while (keys-- > 0 && !w->failed)
        write_tried(w, i, trial, v.deadline_ms);
    if (sim_chance(&ts->prng, 0.7))
        sim_call(w, w->now_us + 1 + sim_below(&ts->prng, 90 * SIM_SECOND), say,
                 sim_chance(&ts->prng, 0.6));
}

/* --- at rest --- */

uint64_t
sim_trials_over_us(const struct sim_world *w)
{
    uint64_t now_ms = sim_true_ms(w);

    if (!w->trials || w->trials->last_ms < now_ms)
        return 0;
    return (w->trials->last_ms - now_ms) * 1000 + 5 * SIM_SECOND; /* clocks agree but for less */
}

/* The rule, once more. */
static bool
is_kept(const struct gvs_table *t, uint64_t trial)
{
    struct gvs_key key = {.kind = GVS_KEY_TRIAL, .trial = trial};
    struct gvs_trial_value v;
    struct gvs_keybuf k;
    struct gvs_entry e;

    gvs_key_build(&k, &key);
    return gvs_table_get(t, k.b, k.len, &e) && !e.tombstone &&
           gvs_trial_decode(&v, e.value, e.value_len) == GVS_OK && v.word == GVS_TRIAL_CONFIRMED;
}

static void
check_one(struct sim_world *w, size_t i, const struct tried *one)
{
    const struct gvs_table *t = gvs_node_claims(w->host[i].node);
    bool kept = is_kept(t, one->trial);
    const struct value *want = kept ? &one->after : &one->before;
    struct gvs_said said;
    struct value have;

    if (!gvs_trial_get(&said, t, sim_trials_clock(w, i), one->key.b, one->key.len) ||
        said.as.order != one->order || gvs_id_cmp(&said.as.writer, &one->writer) != 0)
        return; /* somebody wrote something else */
    keep(&have, &said.e);
    if (have.tombstone != want->tombstone || have.len != want->len ||
        memcmp(have.b, want->b, want->len) != 0)
        sim_fail(w, i, "I25", "reads order %016lx of a trial that was %s as something else",
                 (unsigned long)one->order, kept ? "confirmed" : "not confirmed");
}

void
sim_trials_check(struct sim_world *w)
{
    for (size_t i = 0; w->trials && i < w->count; i++)
        for (size_t k = 0; w->host[i].node && k < w->trials->count && !w->failed; k++)
            check_one(w, i, &w->trials->v[k]);
}
