/* test/net/test_keys.c: keyrings and lists of ids that change under running sessions. */
#include "net/noise.h"
#include "test/net/forge.h"
#include "test/net/world.h"

#define MINUTE_MS 60000

/* Node i has these keys from now on (by ring_add's seed), the first of them primary, and last in
 * its file. */
static void
set_ring(struct world *w, size_t i, const char *seeds)
{
    struct gvs_keyring ring = {0};

    for (size_t at = strlen(seeds); at > 0; at--)
        ring_add(&ring, (uint8_t)(seeds[at - 1] - '0'));
    ring.primary = ring.count - 1;
    w->node[i].ring = ring;
    gvs_sessions_set_keyring(w->node[i].s, w->now, &ring);
}

static uint64_t
key_id(uint8_t seed)
{
    struct gvs_keyring ring = {0};

    ring_add(&ring, seed);
    return ring.key[0].id;
}

static size_t
under(const struct world *w, size_t i, uint8_t seed)
{
    size_t count = 0;

    for (size_t j = 0; j < w->count; j++) {
        struct gvs_id id = node_id(w, j);

        count += gvs_sessions_key(w->node[i].s, &id) == key_id(seed);
    }
    return count;
}

/* The key of the INIT at this place of the log. */
static bool
is_under(const struct world *w, size_t at, uint8_t seed)
{
    return w->log[at].b[0] == GVS_PACKET_INIT &&
           gvs_get64(w->log[at].b + GVS_AT_INIT_KEY) == key_id(seed);
}

static void
test_it_begins_with_the_new_primary_and_answers_under_each(void **state)
{
    struct world w;
    size_t at;

    (void)state;
    open_pair(&w, 60);
    set_ring(&w, 0, "12");
    set_ring(&w, 1, "21");
    assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 1, 0));
    assert_int_equal(under(&w, 0, 1), 1);
    for (size_t i = 0; i < 2; i++) {
        world_sleep(&w, 2000);
        at = w.log_count;
        assert_int_equal(node_connect(&w, i, 1 - i), GVS_OK);
        world_settle(&w);
        assert_true(is_under(&w, at, (uint8_t)(1 + i)));
        assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 1, 0));
        assert_int_equal(under(&w, 0, (uint8_t)(1 + i)), 1);
        assert_int_equal(under(&w, 1, (uint8_t)(1 + i)), 1);
    }
    world_close(&w);
}

/* I9, and only those. */
static void
test_sessions_of_a_key_that_is_gone_end_at_once(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, 3, 61);
    set_ring(&w, 0, "12");
    set_ring(&w, 2, "21");
    assert_int_equal(node_connect(&w, 1, 0), GVS_OK);
    assert_int_equal(node_connect(&w, 2, 0), GVS_OK);
    world_settle(&w);
    assert_int_equal(under(&w, 0, 1) * 10 + under(&w, 0, 2), 11);
    assert_int_equal(node_say(&w, 1, 0, "on its way"), GVS_OK);

    set_ring(&w, 0, "2");
    assert_false(node_has(&w, 0, 1));
    assert_int_equal(under(&w, 0, 1) * 10 + under(&w, 0, 2), 1);
    world_settle(&w);
    assert_int_equal(node_rejected(&w, 0, GVS_REJECT_UNKNOWN_SESSION), 1);
    assert_int_equal(w.node[0].data, 0);
    assert_true(node_reaches(&w, 0, 2) && node_reaches(&w, 2, 0));
    world_sleep(&w, 2000);
    assert_int_equal(node_connect(&w, 1, 0), GVS_OK);
    world_settle(&w);
    assert_int_equal(node_rejected(&w, 0, GVS_REJECT_UNKNOWN_KEY), 1);
    assert_true(gvs_sessions_stranger(w.node[0].s)->key == key_id(1));
    world_close(&w);
}

static void
test_handshakes_under_a_key_that_is_gone_end_too(void **state)
{
    struct world w;

    (void)state;
    print_message("that we began\n");
    open_half(&w, 62);
    set_ring(&w, 0, "2");
    world_settle(&w);
    assert_int_equal(node_rejected(&w, 0, GVS_REJECT_UNKNOWN_SESSION), 1);
    assert_false(node_has(&w, 0, 1));
    world_close(&w);

    print_message("that we have answered\n");
    open_half(&w, 63);
    world_deliver(&w, &w.log[w.flying++]);
    node_collect(&w, 0);
    set_ring(&w, 1, "2");
    world_settle(&w);
    assert_int_equal(node_rejected(&w, 1, GVS_REJECT_UNKNOWN_SESSION), 1);
    assert_false(node_has(&w, 1, 0));
    world_close(&w);
}

/* Until when, in ms after both have switched, the session under the old key was the one to send in.
 * `talks` says something each second; else only the timers run. */
static uint64_t
switch_over(uint64_t seed, bool talks)
{
    struct world w;
    uint64_t ms = 0;

    open_pair(&w, seed);
    set_ring(&w, 0, "12");
    set_ring(&w, 1, "12");
    world_sleep(&w, 5 * MINUTE_MS);
    set_ring(&w, 0, "21");
    set_ring(&w, 1, "21");
    for (; under(&w, 0, 1) + under(&w, 1, 1) > 0; ms += 1000) {
        assert_true(ms < 11 * MINUTE_MS);
        if (talks)
            assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 1, 0));
        world_settle(&w);
        world_sleep(&w, 1000);
    }
    assert_int_equal(under(&w, 0, 2) * 10 + under(&w, 1, 2), 11);
    assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 1, 0));
    world_close(&w);
    return ms;
}

static void
test_the_key_that_was_primary_is_out_of_use_in_ten_minutes(void **state)
{
    (void)state;
    for (int talks = 0; talks < 2; talks++) {
        unsigned early = 0, late = 0;

        for (uint64_t seed = 0; seed < 40; seed++) {
            uint64_t ms = switch_over(100 + seed, talks);

            assert_true(ms <= 10 * MINUTE_MS);
            early += ms < 2 * MINUTE_MS;
            late += ms > 3 * MINUTE_MS;
        }
        print_message("%s: of 40 %u within two minutes, %u after three\n",
                      talks ? "with talk" : "quiet", early, late);
        assert_true(early > 0 && late > 4); /* not all at once */
    }
}

/* Begun before, done after. */
static void
test_a_handshake_over_the_switch_is_replaced_too(void **state)
{
    struct world w;
    uint64_t ms = 0;

    (void)state;
    world_open(&w, 2, 64);
    set_ring(&w, 0, "12");
    set_ring(&w, 1, "21");
    assert_int_equal(node_connect(&w, 0, 1), GVS_OK);
    node_collect(&w, 0);
    set_ring(&w, 0, "21");
    world_settle(&w);
    assert_int_equal(under(&w, 0, 1), 1);
    for (; under(&w, 0, 1) > 0; ms += 1000) {
        assert_true(ms <= 10 * MINUTE_MS);
        world_settle(&w);
        world_sleep(&w, 1000);
    }
    assert_int_equal(under(&w, 1, 2), 1);
    world_close(&w);
}

/* A ring that is read again, or in which only keys to accept came and went, starts nothing. */
static void
test_the_same_primary_again_changes_nothing(void **state)
{
    struct world w;
    size_t at;

    (void)state;
    open_pair(&w, 65);
    at = w.log_count;
    set_ring(&w, 0, "1");
    set_ring(&w, 0, "123");
    set_ring(&w, 0, "13");
    for (int i = 0; i < 20; i++) {
        world_sleep(&w, MINUTE_MS);
        world_settle(&w);
    }
    assert_int_equal(w.log_count, at);
    assert_int_equal(under(&w, 0, 1), 1);
    world_close(&w);

    print_message("nor if the other begins with another\n");
    world_open(&w, 2, 67);
    set_ring(&w, 0, "21");
    set_ring(&w, 1, "12");
    node_connect(&w, 0, 1);
    world_settle(&w);
    set_ring(&w, 1, "12");
    at = w.log_count;
    for (int i = 0; i < 20; i++) {
        world_sleep(&w, MINUTE_MS);
        world_settle(&w);
    }
    assert_int_equal(w.log_count, at);
    assert_int_equal(under(&w, 1, 2), 1);
    world_close(&w);
}

/* All that was said under keys 1 and 2 is sent again under 3, and once more when 1 is back. */
static void
test_what_was_recorded_is_refused_over_rotations(void **state)
{
    static const char *const steps[] = {"12", "21", "2", "23", "32", "3", "31"};
    struct world w;

    (void)state;
    open_pair(&w, 66);
    for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
        size_t count = w.log_count;
        unsigned up[2], data[2];

        for (size_t i = 0; i < 2; i++)
            set_ring(&w, i, steps[k]);
        world_sleep(&w, 2000);
        assert_int_equal(node_connect(&w, k & 1, !(k & 1)), GVS_OK);
        world_settle(&w);
        assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 1, 0));
        for (size_t i = 0; i < 2; i++) {
            up[i] = w.node[i].up;
            data[i] = w.node[i].data;
        }
        for (size_t at = 0; at < count; at++) {
            world_sleep(&w, 100);
            world_deliver(&w, &w.log[at]);
        }
        world_collect(&w);
        for (size_t i = 0; i < 2; i++) {
            assert_int_equal(w.node[i].up, up[i]);
            assert_int_equal(w.node[i].data, data[i]);
        }
        w.flying = w.log_count;
        assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 1, 0));
    }
    world_close(&w);
}

/* --- whose ids --- */

static void
admit(struct world *w, size_t i, bool listed_only, const struct gvs_id *allow,
      const struct gvs_id *deny)
{
    static struct gvs_admission a;

    memset(&a, 0, sizeof a);
    a.listed_only = listed_only;
    if (allow)
        a.allow[a.allow_count++] = *allow;
    if (deny)
        a.deny[a.deny_count++] = *deny;
    gvs_sessions_set_admission(w->node[i].s, &a);
}

static void
test_who_is_admitted(void **state)
{
    static const struct {
        const char *why;
        bool listed_only, allow, deny, admitted;
    } rows[] = {
        {"by the key alone", false, false, false, true},
        {"who is allowed needs no list", false, true, false, true},
        {"who is denied", false, false, true, false},
        {"who is on both lists", false, true, true, false},
        {"the list is what counts: on it", true, true, false, true},
        {"not on it", true, false, false, false},
        {"on both", true, true, true, false},
    };

    (void)state;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
        for (size_t opener = 0; opener < 2; opener++) {
            struct world w;
            struct gvs_id id;

            print_message("%s, %s\n", rows[k].why, opener ? "called" : "calling");
            world_open(&w, 2, 70 + k);
            id = node_id(&w, 0);
            admit(&w, 1, rows[k].listed_only, rows[k].allow ? &id : NULL,
                  rows[k].deny ? &id : NULL);
            node_connect(&w, opener, 1 - opener);
            world_settle(&w);
            assert_int_equal(node_has(&w, 1, 0), rows[k].admitted);
            assert_int_equal(node_rejected(&w, 1, GVS_REJECT_DENIED), !rows[k].admitted);
            if (!rows[k].admitted) {
                const struct gvs_stranger *d = gvs_sessions_denied(w.node[1].s);

                assert_int_equal(d->count, 1);
                assert_int_equal(gvs_id_cmp(&d->id, &id), 0);
                assert_int_equal(gvs_ep_cmp(&d->from, &w.node[0].ep), 0);
                assert_int_equal(w.log_count, 1 + opener); /* no answer, no confirmation */
                assert_false(node_has(&w, 0, 1));
            }
            world_close(&w);
        }
}

/* An ephemeral of low order would be found out by the first DH. */
static void
test_who_is_denied_costs_no_dh(void **state)
{
    struct gvs_id id;
    struct forge f = {.index = 7};
    uint8_t pkt[GVS_HANDSHAKE_LEN];
    struct world w;

    (void)state;
    world_open(&w, 2, 80);
    id = node_id(&w, 0);
    gvs_crypto_public(f.s_pub, w.node[0].cfg.priv);
    for (uint64_t denied = 0; denied < 2; denied++) {
        admit(&w, 1, false, NULL, denied ? &id : NULL);
        forge_payload(f.payload, 1 + denied, 1);
        forge_init(pkt, "prod-eu", &w.node[1].ring.key[0], &f);
        node_recv(&w, 1, &w.node[0].ep, pkt, sizeof pkt);
        assert_int_equal(node_rejected(&w, 1, GVS_REJECT_BAD_TAG), 1);
        assert_int_equal(node_rejected(&w, 1, GVS_REJECT_DENIED), denied);
    }
    world_close(&w);
}

static void
test_who_becomes_denied_is_out_at_once(void **state)
{
    struct gvs_id id;
    struct world w;

    (void)state;
    world_open(&w, 3, 81);
    node_connect(&w, 0, 1);
    node_connect(&w, 1, 2);
    world_settle(&w);
    id = node_id(&w, 0);
    admit(&w, 1, false, NULL, &id);
    assert_false(node_has(&w, 1, 0));
    assert_int_equal(node_say(&w, 0, 1, "am I still here"), GVS_OK);
    world_settle(&w);
    assert_int_equal(w.node[1].data, 0);
    assert_int_equal(node_rejected(&w, 1, GVS_REJECT_UNKNOWN_SESSION), 1);
    assert_true(node_reaches(&w, 1, 2) && node_reaches(&w, 2, 1));

    print_message("in the middle of a handshake as well\n");
    admit(&w, 1, false, NULL, NULL);
    world_sleep(&w, 2000);
    node_connect(&w, 0, 1);
    node_collect(&w, 0);
    world_deliver(&w, &w.log[w.flying++]);
    admit(&w, 1, false, NULL, &id);
    world_settle(&w);
    assert_false(node_has(&w, 1, 0));

    print_message("one that we began is judged when it is known whose it is\n");
    world_sleep(&w, 2000);
    node_connect(&w, 1, 2);
    id = node_id(&w, 2);
    admit(&w, 1, true, &id, NULL);
    world_settle(&w);
    assert_int_equal(w.node[1].up, 3);

    print_message("and in again when he may\n");
    admit(&w, 1, false, NULL, NULL);
    world_sleep(&w, 2000);
    node_connect(&w, 0, 1);
    world_settle(&w);
    assert_true(node_reaches(&w, 0, 1) && node_reaches(&w, 1, 0));
    world_close(&w);
}

static int
set_up(void **state)
{
    (void)state;
    return gvs_crypto_init();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_begins_with_the_new_primary_and_answers_under_each),
        cmocka_unit_test(test_sessions_of_a_key_that_is_gone_end_at_once),
        cmocka_unit_test(test_handshakes_under_a_key_that_is_gone_end_too),
        cmocka_unit_test(test_the_key_that_was_primary_is_out_of_use_in_ten_minutes),
        cmocka_unit_test(test_a_handshake_over_the_switch_is_replaced_too),
        cmocka_unit_test(test_the_same_primary_again_changes_nothing),
        cmocka_unit_test(test_what_was_recorded_is_refused_over_rotations),
        cmocka_unit_test(test_who_is_admitted),
        cmocka_unit_test(test_who_is_denied_costs_no_dh),
        cmocka_unit_test(test_who_becomes_denied_is_out_at_once),
    };

    return cmocka_run_group_tests_name("keys", tests, set_up, NULL);
}
