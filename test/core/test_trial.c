/* A table on trial is compared with what it was before, and with one on which the same was written
 * without a trial: those two are the specification. */
#include "core/trial.h"
#include "core/view.h"
#include "test/core/entries.h"

#define DEADLINE_MS 5000
#define TRIAL 0x1a7f

static const uint8_t head[] = {0, 0, 0, 0, 0, 0, 0x1a, 0x7f, 0, 0, 0, 0, 0, 0, 0x13, 0x88};

/* --- tables --- */

static struct gvs_svcid
svc_number(uint32_t n)
{
    struct gvs_svcid svc = {.proto = GVS_PROTO_TCP, .addr = {.family = GVS_FAMILY_V4}, .port = 80};

    svc.addr.b[0] = 10;
    svc.addr.b[3] = (uint8_t)(n + 1);
    return svc;
}

static struct gvs_ep
ep_number(uint32_t n)
{
    struct gvs_ep ep = {.addr = {.family = GVS_FAMILY_V4}, .port = 80};

    ep.addr.b[0] = 10;
    ep.addr.b[1] = 77;
    ep.addr.b[3] = (uint8_t)(n + 1);
    return ep;
}

static struct gvs_key
key_service(uint32_t n)
{
    return (struct gvs_key){.kind = GVS_KEY_SERVICE, .svc = svc_number(n)};
}

static struct gvs_key
key_backend(uint32_t n, uint32_t b)
{
    return (struct gvs_key){.kind = GVS_KEY_BACKEND, .svc = svc_number(n), .ep = ep_number(b)};
}

static void
merge(struct gvs_table *t, const struct gvs_key *key, uint64_t ms, const struct gvs_trial_write *w)
{
    struct gvs_id writer = gvs_id_is_cluster(&key->owner) ? node(9) : key->owner;
    struct bytes bytes;
    struct gvs_entry e;

    bytes.len =
        gvs_entry_build(bytes.b, key, gvs_hlc_make(ms, 0), &writer, w->tombstone, w->value, w->len);
    e = parsed(&bytes);
    assert_true(gvs_table_merge(t, &e) > 0);
}

static void
say_word(struct gvs_table *t, uint64_t ms, uint8_t word)
{
    struct gvs_trial_value v = {.deadline_ms = DEADLINE_MS, .word = word};
    struct gvs_key key = {.kind = GVS_KEY_TRIAL, .trial = TRIAL};
    struct gvs_trial_write w = {.tombstone = false};

    w.len = gvs_trial_encode(w.value, &v);
    merge(t, &key, ms, &w);
}

static struct gvs_trial_write
tombstone(bool force)
{
    struct gvs_trial_write w = {.tombstone = true};

    w.len = gvs_tombstone_encode(w.value, force);
    return w;
}

static struct gvs_trial_write
weight(uint32_t n)
{
    struct gvs_backend b = {.weight = n};
    struct gvs_trial_write w = {.tombstone = false};

    w.len = gvs_backend_encode(w.value, &b);
    return w;
}

static struct gvs_trial_write
service(const char *sched, uint64_t reset_ms)
{
    struct gvs_service s = {.name = "web", .reset = reset_ms ? gvs_hlc_make(reset_ms, 0) : 0};
    struct gvs_trial_write w = {.tombstone = false};

    snprintf(s.sched, sizeof s.sched, "%s", sched);
    w.len = gvs_service_encode(w.value, &s);
    return w;
}

static void
put(struct gvs_table *t, const struct gvs_key *key, uint64_t ms, struct gvs_trial_write w)
{
    merge(t, key, ms, &w);
}

static void
put_on_trial(struct gvs_table *t, const struct gvs_key *key, uint64_t ms, struct gvs_trial_write w)
{
    assert_int_equal(gvs_trial_put(&w, t, key, TRIAL, DEADLINE_MS), GVS_OK);
    merge(t, key, ms, &w);
}

/* "wlc" or "-"; then the weights of the service's backends, "." where there is none. */
static const char *
look(const struct gvs_table *t, uint64_t now_ms, uint32_t n)
{
    static struct gvs_view_service v;
    static char text[128];
    struct gvs_view_env env = {.now_ms = now_ms};
    struct gvs_svcid svc = svc_number(n);
    size_t len, at = 0;

    if (!gvs_view_service(t, &env, &svc, &v))
        return "";
    len = (size_t)snprintf(text, sizeof text, "%s", v.claimed ? v.claim.sched : "-");
    for (uint32_t b = 0; b < 4; b++) {
        struct gvs_ep ep = ep_number(b);
        bool there = at < v.backend_count && gvs_ep_cmp(&v.backends[at].ep, &ep) == 0;

        if (there)
            len += (size_t)snprintf(text + len, sizeof text - len, " %u", v.backends[at++].weight);
        else
            len += (size_t)snprintf(text + len, sizeof text - len, " .");
    }
    return text;
}

/* --- facts --- */

static void
test_an_undo_comes_back_as_it_was_written(void **state)
{
    uint8_t was[] = {1, 1, 7}, value[GVS_VALUE_LEN_MAX] = {1, 1, 9};
    const struct gvs_undo rows[] = {
        {.trial = TRIAL, .deadline_ms = DEADLINE_MS},
        {.trial = TRIAL, .deadline_ms = DEADLINE_MS, .had = true, .was = was},
        {.trial = 1, .deadline_ms = 1, .had = true, .was = was, .was_len = sizeof was},
        {.trial = UINT64_MAX, .deadline_ms = GVS_HLC_MS_MAX, .gone = true, .had = true, .was = was},
        {.trial = 1, .deadline_ms = 1, .gone = true, .force = true, .had = true, .was = was},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t len = gvs_prev_add(value, 3, 77);
        struct gvs_undo u;

        assert_false(gvs_undo_get(&u, value, len));
        len = gvs_undo_add(value, len, &rows[i]);
        assert_true(gvs_undo_get(&u, value, len));
        assert_true(u.trial == rows[i].trial && u.deadline_ms == rows[i].deadline_ms);
        assert_true(u.gone == rows[i].gone && u.force == rows[i].force && u.had == rows[i].had);
        assert_int_equal(u.was_len, rows[i].was_len);
        assert_memory_equal(u.was, was, u.was_len);
        assert_int_equal(gvs_prev_get(value, len), 77);
        assert_int_equal(gvs_value_bare(value, len), 3);
    }
}

static void
test_what_is_too_long_for_an_undo_is_refused_and_the_value_left_alone(void **state)
{
    static const struct {
        size_t value_len, was_len;
        bool fits;
    } rows[] = {
        {0, 238, true},    {0, 239, false}, {127, 238, true},
        {128, 238, false}, {365, 0, true},  {366, 0, false},
    };
    uint8_t value[GVS_VALUE_LEN_MAX], copy[GVS_VALUE_LEN_MAX], was[GVS_VALUE_LEN_MAX];
    struct gvs_undo u = {.trial = TRIAL, .deadline_ms = DEADLINE_MS, .had = true, .was = was};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t len = 0;

        u.was_len = 0;
        for (uint8_t tag = 20; u.was_len < rows[i].was_len; tag++) {
            size_t field = rows[i].was_len - u.was_len;

            field = field > 120 ? 100 : field;
            was[u.was_len] = tag;
            was[u.was_len + 1] = (uint8_t)(field - 2);
            memset(was + u.was_len + 2, 1, field - 2);
            u.was_len += field;
        }
        for (uint8_t tag = 20; len < rows[i].value_len; tag++) {
            size_t field = rows[i].value_len - len;

            field = field > 120 ? 100 : field;
            value[len] = tag;
            value[len + 1] = (uint8_t)(field - 2);
            memset(value + len + 2, 2, field - 2);
            len += field;
        }
        memcpy(copy, value, len);
        assert_int_equal(gvs_undo_add(value, len, &u) > 0, rows[i].fits);
        assert_memory_equal(value, copy, len);
    }
}

static void
test_an_undo_in_any_other_form_is_none(void **state)
{
    static const struct {
        const char *why;
        uint8_t flags;
        uint8_t rest[8];
        size_t rest_len, cut;
        bool counts;
    } rows[] = {
        {"nothing was there", 0, {0}, 0, 0, true},
        {"something was", 2, {1, 1, 7}, 3, 0, true},
        {"it said nothing but defaults", 2, {0}, 0, 0, true},
        {"gone", 3, {0}, 0, 0, true},
        {"by force", 7, {0}, 0, 0, true},
        {"a flag of later", 8, {0}, 0, 0, false},
        {"force without gone", 6, {0}, 0, 0, false},
        {"a value that was not there", 0, {1, 1, 7}, 3, 0, false},
        {"a broken value", 2, {1, 2, 7}, 3, 0, false},
        {"a value with its writer's fields", 2, {64, 1, 7}, 3, 0, false},
        {"too short", 0, {0}, 0, 1, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t value[64] = {67, 0};
        struct gvs_undo u;
        size_t len = 2;

        print_message("%s\n", rows[i].why);
        memcpy(value + len, head, sizeof head);
        len += sizeof head;
        value[len++] = rows[i].flags;
        memcpy(value + len, rows[i].rest, rows[i].rest_len);
        len += rows[i].rest_len - rows[i].cut;
        value[1] = (uint8_t)(len - 2);
        assert_int_equal(gvs_undo_get(&u, value, len), rows[i].counts);
        memset(value + 2, 0, 8);
        assert_false(gvs_undo_get(&u, value, len)); /* of trial 0 */
        memcpy(value + 2, head, sizeof head);
        memset(value + 10, 0, 8);
        assert_false(gvs_undo_get(&u, value, len)); /* no deadline */
        memset(value + 10, 0xff, 8);
        assert_false(gvs_undo_get(&u, value, len)); /* beyond all time */
    }
}

static void
test_the_word_counts_before_the_clock(void **state)
{
    static const struct {
        const char *why;
        int word; /* -1: no trial there */
        uint64_t now_ms;
        enum gvs_trial_outcome outcome;
        uint64_t since_ms;
    } rows[] = {
        {"no trial, before", -1, DEADLINE_MS - 1, GVS_TRIAL_PENDING, 0},
        {"no trial, at the deadline", -1, DEADLINE_MS, GVS_TRIAL_BACK, DEADLINE_MS},
        {"no trial, long after", -1, UINT64_MAX, GVS_TRIAL_BACK, DEADLINE_MS},
        {"no clock", GVS_TRIAL_OPEN, 0, GVS_TRIAL_PENDING, 0},
        {"no word, before", GVS_TRIAL_OPEN, DEADLINE_MS - 1, GVS_TRIAL_PENDING, 0},
        {"no word, after", GVS_TRIAL_OPEN, DEADLINE_MS, GVS_TRIAL_BACK, DEADLINE_MS},
        {"confirmed, before", GVS_TRIAL_CONFIRMED, 1, GVS_TRIAL_KEPT, 0},
        {"confirmed, after", GVS_TRIAL_CONFIRMED, DEADLINE_MS + 1, GVS_TRIAL_KEPT, 0},
        {"rolled back, before", GVS_TRIAL_ROLLED_BACK, 1, GVS_TRIAL_BACK, 3000},
        {"rolled back, after", GVS_TRIAL_ROLLED_BACK, DEADLINE_MS + 1, GVS_TRIAL_BACK, 3000},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gvs_table *t = table_new(16);
        struct gvs_stamp since = {.hlc = 0};

        print_message("%s\n", rows[i].why);
        if (rows[i].word >= 0)
            say_word(t, 3000, (uint8_t)rows[i].word);
        assert_int_equal(gvs_trial_outcome(t, rows[i].now_ms, TRIAL, DEADLINE_MS, &since),
                         rows[i].outcome);
        assert_int_equal(gvs_hlc_ms(since.hlc), rows[i].since_ms);
        free(t);
    }
}

/* Each row is a table and what is written on trial at 1000; then what the view says before and
 * after. */
static void
test_what_comes_back_is_what_was_there(void **state)
{
    const struct gvs_key web = key_service(0), b0 = key_backend(0, 0), b1 = key_backend(0, 1);
    const struct gvs_key b2 = key_backend(0, 2);
    struct gvs_table *t = table_new(64);
    (void)state;

    /* A service that was deleted once: what was under it then stays buried, whatever goes back. */
    put(t, &b2, 100, weight(9));
    put(t, &web, 200, tombstone(false));
    put(t, &web, 300, service("rr", 200));
    put(t, &b0, 400, weight(5));
    assert_string_equal(look(t, 0, 0), "rr 5 . . .");
    put_on_trial(t, &web, 1000, service("wrr", 200));
    put_on_trial(t, &b0, 1001, weight(6));
    put_on_trial(t, &b1, 1002, weight(7));
    put_on_trial(t, &b2, 1003, weight(8)); /* over what is buried: nothing was there */
    assert_string_equal(look(t, DEADLINE_MS - 1, 0), "wrr 6 7 8 .");
    assert_string_equal(look(t, DEADLINE_MS, 0), "rr 5 . . .");
    say_word(t, 2000, GVS_TRIAL_CONFIRMED);
    assert_string_equal(look(t, DEADLINE_MS, 0), "wrr 6 7 8 .");
    say_word(t, 2001, GVS_TRIAL_ROLLED_BACK);
    assert_string_equal(look(t, 2001, 0), "rr 5 . . .");
    free(t);
}

static void
test_what_was_deleted_on_trial_comes_back(void **state)
{
    const struct gvs_key web = key_service(0), b0 = key_backend(0, 0), b1 = key_backend(0, 1);
    struct gvs_view_env env = {.now_ms = 1002};
    struct gvs_svcid svc = svc_number(0), found;
    struct gvs_table *t = table_new(64);
    struct gvs_view_end end;
    (void)state;

    put(t, &web, 100, service("rr", 0));
    put(t, &b0, 101, weight(5));
    put_on_trial(t, &b0, 1000, tombstone(false));
    put_on_trial(t, &web, 1001, tombstone(true));
    put(t, &b1, 1002, weight(3)); /* somebody's own, meanwhile */
    assert_string_equal(look(t, 1002, 0), "- . 3 . .");
    end = gvs_view_end(t, &env, &svc, NULL);
    assert_true(gvs_hlc_ms(end.hlc) == 1001 && end.force && !end.back);
    end = gvs_view_end(t, &env, &svc, &b0.ep);
    assert_true(gvs_hlc_ms(end.hlc) == 1000 && !end.force && !end.back);
    assert_int_equal(gvs_table_tombstones(t), 0); /* or all would one day forget it */
    assert_true(gvs_view_seek(t, NULL, false, &found));
    say_word(t, 1003, GVS_TRIAL_OPEN);
    assert_false(gvs_view_seek(t, &svc, true, &found)); /* a trial is no service */
    assert_string_equal(look(t, DEADLINE_MS, 0), "rr 5 3 . .");
    free(t);
}

static void
test_what_an_apply_added_ends_when_it_goes_back_and_buries_nothing(void **state)
{
    const struct gvs_key web = key_service(0), b0 = key_backend(0, 0), b1 = key_backend(0, 1);
    struct gvs_key file = key_service(0);
    struct gvs_view_env env = {.now_ms = DEADLINE_MS};
    struct gvs_svcid svc = svc_number(0);
    struct gvs_table *t = table_new(64);
    struct gvs_view_end end;
    struct gvs_said said;
    struct gvs_keybuf k;
    (void)state;

    file.owner = node(1);
    put(t, &file, 100, service("sh", 0));
    put(t, &b1, 101, weight(3)); /* an operator's, under a node's service */
    put_on_trial(t, &web, 1000, service("wrr", 0));
    put_on_trial(t, &b0, 1001, weight(6));
    assert_string_equal(look(t, 1001, 0), "wrr 6 3 . .");
    assert_string_equal(look(t, DEADLINE_MS, 0), "sh . 3 . .");
    end = gvs_view_end(t, &env, &svc, &b0.ep);
    assert_true(gvs_hlc_ms(end.hlc) == DEADLINE_MS && !end.force && end.back);
    gvs_key_build(&k, &web);
    assert_true(gvs_trial_get(&said, t, DEADLINE_MS, k.b, k.len));
    assert_true(said.e.tombstone && gvs_said_reset(&said) == 0);
    free(t);
}

static void
test_what_was_written_meanwhile_stays(void **state)
{
    const struct gvs_key web = key_service(0), b0 = key_backend(0, 0), b1 = key_backend(0, 1);
    struct gvs_table *t = table_new(64);
    (void)state;

    put(t, &web, 100, service("rr", 0));
    put(t, &b0, 101, weight(5));
    put(t, &b1, 102, weight(5));
    put_on_trial(t, &web, 1000, service("wrr", 0));
    put_on_trial(t, &b0, 1001, weight(6));
    put_on_trial(t, &b1, 1002, weight(6));
    put(t, &b0, 1003, weight(7));
    assert_string_equal(look(t, DEADLINE_MS, 0), "rr 7 5 . .");
    put(t, &web, DEADLINE_MS - 1, tombstone(false)); /* which buries the trial's, too */
    assert_string_equal(look(t, DEADLINE_MS, 0), "");
    free(t);
}

static void
test_of_two_trials_at_once_what_was_before_both_comes_back(void **state)
{
    const struct gvs_key web = key_service(0), b0 = key_backend(0, 0);
    struct gvs_trial_write second = weight(8);
    struct gvs_table *t = table_new(64);
    (void)state;

    put(t, &web, 100, service("rr", 0));
    put(t, &b0, 101, weight(5));
    put_on_trial(t, &b0, 1000, weight(6));
    assert_int_equal(gvs_trial_put(&second, t, &b0, TRIAL + 1, DEADLINE_MS + 1000), GVS_OK);
    merge(t, &b0, 1001, &second);
    assert_string_equal(look(t, DEADLINE_MS, 0), "rr 8 . . .");
    assert_string_equal(look(t, DEADLINE_MS + 1000, 0), "rr 5 . . .");
    /* One that is over is as good as any entry. */
    second = weight(9);
    assert_int_equal(gvs_trial_put(&second, t, &b0, TRIAL + 2, 10000), GVS_OK);
    merge(t, &b0, 9000, &second);
    assert_string_equal(look(t, 9999, 0), "rr 9 . . .");
    assert_string_equal(look(t, 10000, 0), "rr 5 . . .");
    free(t);
}

/* A value of a later version, which is kept whole or not at all. */
static void
test_what_does_not_fit_is_refused(void **state)
{
    const struct gvs_key b0 = key_backend(0, 0);
    static const struct {
        size_t len;
        int rc;
    } rows[] = {{236, GVS_OK}, {237, GVS_E_FULL}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gvs_trial_write long_one = {.len = 2 + rows[i].len}, edit = weight(5);
        struct gvs_trial_write gone = tombstone(false);
        struct gvs_table *t = table_new(64);

        long_one.value[0] = 63;
        long_one.value[1] = (uint8_t)rows[i].len;
        put(t, &b0, 100, long_one);
        assert_int_equal(gvs_trial_put(&edit, t, &b0, TRIAL, DEADLINE_MS), rows[i].rc);
        assert_int_equal(gvs_trial_put(&gone, t, &b0, TRIAL, DEADLINE_MS), rows[i].rc);
        free(t);
    }
}

/* --- random tables --- */

static struct gvs_key
random_key(struct gvs_prng *p, bool owners)
{
    struct gvs_key key = {.svc = svc_number((uint32_t)gvs_prng_below(p, 3))};
    uint64_t what = gvs_prng_below(p, 5);

    key.kind = what == 0 ? GVS_KEY_SERVICE : what < 4 ? GVS_KEY_BACKEND : GVS_KEY_OVERRIDE;
    if (key.kind != GVS_KEY_SERVICE)
        key.ep = ep_number((uint32_t)gvs_prng_below(p, 4));
    if (owners && key.kind != GVS_KEY_OVERRIDE && gvs_prng_chance(p, 1, 3))
        key.owner = node(1);
    return key;
}

/* As commands write: a service knows of its last deletion. */
static struct gvs_trial_write
random_write(struct gvs_prng *p, const struct gvs_table *t, uint64_t now_ms,
             const struct gvs_key *key)
{
    static const char *const scheds[] = {"rr", "wrr", "lc"};
    struct gvs_override o = {.has_weight = true, .weight = (uint32_t)gvs_prng_below(p, 9)};
    struct gvs_trial_write w;
    struct gvs_said said;
    struct gvs_keybuf k;
    uint64_t reset = 0;

    if (gvs_prng_chance(p, 1, 3))
        return tombstone(gvs_prng_chance(p, 1, 4));
    if (key->kind == GVS_KEY_BACKEND)
        return weight((uint32_t)gvs_prng_below(p, 9));
    if (key->kind == GVS_KEY_OVERRIDE) {
        w = (struct gvs_trial_write){.tombstone = false};
        w.len = gvs_override_encode(w.value, &o);
        return w;
    }
    gvs_key_build(&k, key);
    if (gvs_id_is_cluster(&key->owner) && gvs_trial_get(&said, t, now_ms, k.b, k.len))
        reset = gvs_hlc_ms(gvs_said_reset(&said));
    return service(scheds[gvs_prng_below(p, 3)], reset);
}

static void
look_at_all(char *text, const struct gvs_table *t, uint64_t now_ms)
{
    text[0] = 0;
    for (uint32_t n = 0; n < 3; n++) {
        strcat(text, look(t, now_ms, n));
        strcat(text, "; ");
    }
}

/* Would an apply write this? Each key once, and no deletion of what is not there. */
static bool
is_written(const struct gvs_table *t, const struct gvs_key *key, uint64_t ms,
           const struct gvs_trial_write *w)
{
    struct gvs_said said;
    struct gvs_keybuf k;

    gvs_key_build(&k, key);
    if (!gvs_trial_get(&said, t, ms, k.b, k.len))
        return !w->tombstone;
    return gvs_hlc_ms(said.e.order) < 1000 && !(w->tombstone && said.e.tombstone);
}

static void
test_confirmed_is_as_if_written_plainly_and_back_as_if_never(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); seed < test_seed_end(4000); seed++) {
        struct gvs_table *plain = table_new(64), *t = table_new(64);
        char before[512], after[512], got[512];
        struct gvs_prng p = gvs_prng_init(seed);
        bool ok = true;

        for (uint64_t ms = 10; ms < 30; ms++) {
            struct gvs_key key = random_key(&p, true);
            struct gvs_trial_write w = random_write(&p, t, ms, &key);

            put(t, &key, ms, w);
            put(plain, &key, ms, w);
        }
        look_at_all(before, t, 30);
        for (uint64_t ms = 1000; ms < 1010; ms++) {
            struct gvs_key key = random_key(&p, false);
            struct gvs_trial_write w = random_write(&p, t, ms, &key);

            if (!is_written(t, &key, ms, &w))
                continue;
            put(plain, &key, ms, w);
            put_on_trial(t, &key, ms, w);
        }
        look_at_all(after, plain, 1010);
        look_at_all(got, t, 1010);
        ok = ok && strcmp(got, after) == 0;
        look_at_all(got, t, DEADLINE_MS);
        ok = ok && strcmp(got, before) == 0;
        say_word(t, 2000, GVS_TRIAL_CONFIRMED);
        look_at_all(got, t, DEADLINE_MS);
        ok = ok && strcmp(got, after) == 0;
        say_word(t, 2001, GVS_TRIAL_ROLLED_BACK);
        look_at_all(got, t, 2002);
        ok = ok && strcmp(got, before) == 0;
        if (!ok)
            fail_msg("replay with GVS_SEED=%" PRIu64 ": before %s after %s got %s", seed, before,
                     after, got);
        free(plain);
        free(t);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_undo_comes_back_as_it_was_written),
        cmocka_unit_test(test_what_is_too_long_for_an_undo_is_refused_and_the_value_left_alone),
        cmocka_unit_test(test_an_undo_in_any_other_form_is_none),
        cmocka_unit_test(test_the_word_counts_before_the_clock),
        cmocka_unit_test(test_what_comes_back_is_what_was_there),
        cmocka_unit_test(test_what_was_deleted_on_trial_comes_back),
        cmocka_unit_test(test_what_an_apply_added_ends_when_it_goes_back_and_buries_nothing),
        cmocka_unit_test(test_what_was_written_meanwhile_stays),
        cmocka_unit_test(test_of_two_trials_at_once_what_was_before_both_comes_back),
        cmocka_unit_test(test_what_does_not_fit_is_refused),
        cmocka_unit_test(test_confirmed_is_as_if_written_plainly_and_back_as_if_never),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
