#include "core/trial.h"

#include <string.h>

static bool
get_trial(const struct gvs_table *t, uint64_t number, struct gvs_entry *e,
          struct gvs_trial_value *v)
{
    struct gvs_key key = {.kind = GVS_KEY_TRIAL, .trial = number};
    struct gvs_keybuf k;

    gvs_key_build(&k, &key);
    return gvs_table_get(t, k.b, k.len, e) && !e->tombstone &&
           gvs_trial_decode(v, e->value, e->value_len) == GVS_OK;
}

enum gvs_trial_outcome
gvs_trial_outcome(const struct gvs_table *t, uint64_t now_ms, uint64_t trial, uint64_t deadline_ms,
                  struct gvs_stamp *since)
{
    struct gvs_stamp when = {.hlc = gvs_hlc_make(deadline_ms, 0)};
    struct gvs_trial_value v = {.word = GVS_TRIAL_OPEN};
    struct gvs_entry e;

    if (get_trial(t, trial, &e, &v) && v.word == GVS_TRIAL_CONFIRMED)
        return GVS_TRIAL_KEPT;
    if (v.word == GVS_TRIAL_ROLLED_BACK)
        when = (struct gvs_stamp){.hlc = e.order, .writer = e.writer};
    else if (now_ms < deadline_ms)
        return GVS_TRIAL_PENDING;
    if (since)
        *since = when;
    return GVS_TRIAL_BACK;
}

/* What was there before is said by the trial's own entry, and as of its order. */
static void
go_back(struct gvs_said *out, const struct gvs_undo *u, const struct gvs_stamp *since)
{
    out->back = true;
    out->e.tombstone = !u->had;
    out->e.value = u->was;
    out->e.value_len = (uint16_t)u->was_len;
    if (since->hlc > out->since.hlc)
        out->since.hlc = since->hlc;
    if (!gvs_id_is_cluster(&since->writer))
        out->since.writer = since->writer;
}

void
gvs_trial_say(struct gvs_said *out, const struct gvs_table *t, uint64_t now_ms,
              const struct gvs_entry *e)
{
    static const uint8_t by_force[] = {1, 1, 1}; /* what gvs_tombstone_encode says */
    struct gvs_stamp since;
    struct gvs_undo u;

    *out = (struct gvs_said){.e = *e, .as = *e, .since = {.hlc = e->order, .writer = e->writer}};
    if (e->tombstone || !gvs_undo_get(&u, e->value, e->value_len))
        return; /* I2 */
    if (gvs_trial_outcome(t, now_ms, u.trial, u.deadline_ms, &since) == GVS_TRIAL_BACK) {
        go_back(out, &u, &since);
    } else if (u.gone) {
        out->e.tombstone = true;
        out->e.value = by_force;
        out->e.value_len = u.force ? sizeof by_force : 0;
    }
}

bool
gvs_trial_get(struct gvs_said *out, const struct gvs_table *t, uint64_t now_ms, const uint8_t *key,
              size_t key_len)
{
    struct gvs_entry e;

    if (!gvs_table_get(t, key, key_len, &e))
        return false;
    gvs_trial_say(out, t, now_ms, &e);
    return true;
}

static uint64_t
reset_in(const struct gvs_entry *e)
{
    struct gvs_service v;

    return gvs_service_decode(&v, e->value, e->value_len) == GVS_OK ? v.reset : 0;
}

/* Where its creation went back, what was buried before is said by the claim that went. */
uint64_t
gvs_said_reset(const struct gvs_said *s)
{
    if (!s->e.tombstone)
        return reset_in(&s->e);
    return s->back ? reset_in(&s->as) : s->e.order;
}

/* As it will be if all that is pending goes back. */
static bool
get_before(struct gvs_said *out, const struct gvs_table *t, const struct gvs_key *key)
{
    struct gvs_keybuf k;

    gvs_key_build(&k, key);
    return gvs_trial_get(out, t, UINT64_MAX, k.b, k.len);
}

/* A claim on a backend that the service's reset has buried is not to come back. */
static bool
is_buried(const struct gvs_table *t, const struct gvs_key *key, const struct gvs_said *held)
{
    struct gvs_key service = {.kind = GVS_KEY_SERVICE, .svc = key->svc};
    struct gvs_said s;

    return key->kind == GVS_KEY_BACKEND && get_before(&s, t, &service) &&
           held->e.order <= gvs_said_reset(&s);
}

/* What there is to go back to. */
static void
find_undo(struct gvs_undo *u, const struct gvs_table *t, const struct gvs_key *key)
{
    struct gvs_said s;

    if (!get_before(&s, t, key) || s.e.tombstone || is_buried(t, key, &s))
        return;
    u->had = true;
    u->was = s.e.value;
    u->was_len = gvs_value_bare(s.e.value, s.e.value_len);
}

/* "Gone" has its field for that, and for the force. */
static void
strip(struct gvs_trial_write *w)
{
    size_t bare = gvs_value_bare(w->value, w->len);

    w->len -= bare;
    memmove(w->value, w->value + bare, w->len);
}

int
gvs_trial_put(struct gvs_trial_write *w, const struct gvs_table *t, const struct gvs_key *key,
              uint64_t trial, uint64_t deadline_ms)
{
    struct gvs_undo u = {.trial = trial, .deadline_ms = deadline_ms, .gone = w->tombstone};
    size_t len;

    find_undo(&u, t, key);
    if (u.gone && !u.had)
        return GVS_OK;
    if (u.gone) {
        u.force = gvs_tombstone_decode(&u.force, w->value, w->len) == GVS_OK && u.force;
        strip(w);
    }
    len = gvs_undo_add(w->value, w->len, &u);
    if (len == 0)
        return GVS_E_FULL;
    w->len = len;
    w->tombstone = false;
    return GVS_OK;
}
