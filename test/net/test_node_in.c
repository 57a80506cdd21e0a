/* What a node makes of the messages of a peer that is a script: one node, and one end of a session.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/node_impl.h"
#include "test/lib/prng.h"

#define SEQS 4000
#define REPLIES_MAX 256

struct bench {
    struct gvs_mono now;
    struct gvs_wall wall;
    struct gvs_prng prng;
    struct gvs_keyring ring;
    struct gvs_node *node;
    struct gvs_sessions *script;
    struct gvs_id id; /* the node's */
    struct gvs_ep node_ep, script_ep;
    struct gvs_msg reply[REPLIES_MAX]; /* of the kinds that are looked at: without lent bytes */
    size_t replies;
};

static void
bench_random(void *ctx, void *buf, size_t len)
{
    gvs_prng_fill(ctx, buf, len);
}

/* What a datagram of the node says. */
static void
hear(struct bench *b, const uint8_t *pkt, size_t len)
{
    struct gvs_session_recv r;
    struct gvs_wire_reader reader;

    gvs_sessions_recv(b->script, b->now, b->wall, &b->node_ep, pkt, len, &r);
    if (r.event != GVS_SESSION_DATA || r.len == 0)
        return;
    assert_int_equal(gvs_wire_open(&reader, r.body, r.len), GVS_OK);
    while (b->replies < REPLIES_MAX && gvs_wire_next(&reader, &b->reply[b->replies]))
        b->replies++;
}

/* All that both want to send, at this moment. */
static void
talk(struct bench *b)
{
    uint8_t pkt[GVS_DATAGRAM_LEN_MAX];
    struct gvs_ep to;
    size_t len;

    for (unsigned n = 0; n < 10; n++) {
        while ((len = gvs_sessions_next(b->script, b->now, pkt, &to)) > 0)
            gvs_node_recv(b->node, b->now, b->wall, &b->script_ep, pkt, len);
        while ((len = gvs_node_next(b->node, b->now, b->wall, pkt, &to)) > 0) {
            if (gvs_ep_cmp(&to, &b->script_ep) == 0)
                hear(b, pkt, len);
        }
    }
}

static void
say(struct bench *b, const struct gvs_msg *m)
{
    uint8_t pkt[GVS_DATAGRAM_LEN_MAX];
    struct gvs_body body;
    struct gvs_ep to;
    int len;

    gvs_body_init(&body);
    assert_int_equal(gvs_body_add(&body, m), GVS_OK);
    len = gvs_sessions_seal(b->script, b->now, b->wall, &b->id, body.b, body.len, pkt, &to);
    assert_true(len > 0);
    gvs_node_recv(b->node, b->now, b->wall, &b->script_ep, pkt, (size_t)len);
}

static void
wait_ms(struct bench *b, uint64_t ms)
{
    b->now = gvs_mono_add_ms(b->now, ms);
    b->wall.ms += ms;
}

/* A process by the script's name. */
static struct gvs_sessions *
open_script(struct bench *b, uint64_t boot)
{
    struct gvs_sessions_config cfg = {
        .peers_max = 4, .cluster = "test", .boot = boot, .keyring = &b->ring};

    cfg.random = (struct gvs_random){bench_random, &b->prng};
    memset(cfg.priv, 2, sizeof cfg.priv);
    return gvs_sessions_open(&cfg);
}

static struct bench *
open_bench(uint64_t seed)
{
    struct bench *b = calloc(1, sizeof *b);
    struct gvs_random random;
    struct gvs_node_config cfg = {.limits = {.entries = 4096, .members = 1024},
                                  .cluster = "test",
                                  .boot = 1,
                                  .name = "node",
                                  .version = "0.1.0"};

    assert_non_null(b);
    b->now = (struct gvs_mono){1000000000};
    b->wall = (struct gvs_wall){1763827200000};
    b->prng = gvs_prng_init(seed);
    b->node_ep = (struct gvs_ep){{GVS_FAMILY_V4, {10, 0, 0, 1}}, 7900};
    b->script_ep = (struct gvs_ep){{GVS_FAMILY_V4, {10, 0, 0, 2}}, 7900};
    b->ring.count = 1;
    memset(b->ring.key[0].psk, 5, sizeof b->ring.key[0].psk);
    gvs_keyring_derive(&b->ring.key[0]);
    random = (struct gvs_random){bench_random, &b->prng};
    cfg.keyring = &b->ring;
    cfg.random = random;
    cfg.advertise = b->node_ep;
    memset(cfg.priv, 1, sizeof cfg.priv);
    b->node = gvs_node_open(&cfg, b->now);
    b->script = open_script(b, 2);
    assert_true(b->node && b->script);
    b->id = gvs_node_self(b->node);
    return b;
}

static void
connect_script(struct bench *b)
{
    assert_int_equal(gvs_sessions_connect(b->script, b->now, b->wall, &b->node_ep), GVS_OK);
    talk(b);
    assert_true(gvs_sessions_have(b->script, &b->id, NULL));
    b->replies = 0;
}

static void
meet(struct bench *b)
{
    gvs_node_start(b->node, b->now, b->wall);
    connect_script(b);
}

static void
close_bench(struct bench *b)
{
    gvs_sessions_close(b->script);
    gvs_node_close(b->node);
    free(b);
}

static size_t
count_replies(const struct bench *b, enum gvs_msg_type type)
{
    size_t n = 0;

    for (size_t i = 0; i < b->replies; i++)
        n += b->reply[i].type == type;
    return n;
}

/* --- the duty to serve --- */

static void
add_members(struct bench *b, unsigned count)
{
    uint8_t buf[GVS_ENTRY_LEN_MAX], value[GVS_VALUE_LEN_MAX];
    struct gvs_member_value v = {.name = "other", .boot = 3, .version = "0"};
    struct gvs_key key = {.kind = GVS_KEY_MEMBER};
    struct gvs_entry e;
    size_t len;

    for (unsigned i = 0; i < count; i++) {
        gvs_prng_fill(&b->prng, key.owner.b, sizeof key.owner.b);
        v.ep = (struct gvs_ep){{GVS_FAMILY_V4, {10, 0, 1, (uint8_t)i}}, 7900};
        len = gvs_entry_build(buf, &key, gvs_member_order(1, GVS_ALIVE), NULL, false, value,
                              gvs_member_encode(value, &v));
        assert_int_equal(gvs_entry_parse(&e, buf, len), GVS_OK);
        assert_true(gvs_node_load(b->node, &e) >= 0);
    }
}

static void
push_claim(struct bench *b, uint64_t seq, uint64_t arc, uint32_t mark, uint64_t version)
{
    uint8_t buf[GVS_ENTRY_LEN_MAX], value[GVS_VALUE_LEN_MAX];
    struct gvs_key key = {.kind = GVS_KEY_SERVICE};
    struct gvs_msg m = {.type = GVS_MSG_PUSH, .seq = seq, .arc = arc, .entry_count = 1};
    size_t len;

    key.svc = (struct gvs_svcid){.proto = GVS_PROTO_FWMARK, .fwmark = mark};
    key.svc.addr.family = GVS_FAMILY_V4;
    len = gvs_entry_build(buf, &key, gvs_hlc_make(b->wall.ms, 0) + version, &(struct gvs_id){{1}},
                          true, value, gvs_tombstone_encode(value, false));
    assert_int_equal(gvs_entry_parse(&m.entry[0], buf, len), GVS_OK);
    say(b, &m);
}

static void
test_an_arc_is_served_whether_or_not_the_entry_is_news(void **state)
{
    struct bench *b = open_bench(1);
    const struct gvs_relay *r;
    uint64_t of[3];

    (void)state;
    add_members(b, 40);
    meet(b);
    r = &b->node->replica.relay;
    assert_true(r->level[0].split);
    for (unsigned l = 0; l < 3; l++)
        of[l] = r->level[l].log.head;
    push_claim(b, 1, 0, 1, 1); /* handed to us alone */
    assert_int_equal(r->level[0].log.head, of[0]);
    assert_int_equal(r->level[1].log.head, of[1]);
    push_claim(b, 2, 1, 1, 1); /* known by now: the duty is there all the same */
    assert_int_equal(r->level[0].log.head, of[0]);
    assert_int_equal(r->level[1].log.head, of[1] + 1);
    push_claim(b, 3, 1, 1, 1); /* but once */
    assert_int_equal(r->level[1].log.head, of[1] + 1);
    push_claim(b, 4, 2, 2, 1);
    assert_int_equal(r->level[1].log.head, of[1] + 1);
    assert_int_equal(r->level[2].log.head, of[2] + 1 + r->level[1].split);
    close_bench(b);
}

static struct gvs_entry
with_order(uint8_t buf[static GVS_ENTRY_LEN_MAX], const struct gvs_entry *e, uint64_t order)
{
    struct gvs_key key;
    struct gvs_entry out;
    size_t len;

    assert_int_equal(gvs_key_parse(&key, e->key, e->key_len), GVS_OK);
    len = gvs_entry_build(buf, &key, order, NULL, false, e->value, e->value_len);
    assert_int_equal(gvs_entry_parse(&out, buf, len), GVS_OK);
    return out;
}

/* Of many, those have sessions with us that we hand entries to: who they are is found out when all
 * else that was due is done, and no other call is waited for. */
static void
test_whoever_is_to_be_served_is_asked_for_a_session_at_once(void **state)
{
    struct bench *b = open_bench(1);
    const struct gvs_level *level = &b->node->replica.relay.level[0];
    uint8_t pkt[GVS_DATAGRAM_LEN_MAX];
    struct gvs_ep to;
    size_t heads = 0;

    (void)state;
    add_members(b, 200);
    gvs_node_start(b->node, b->now, b->wall);
    while (gvs_node_next(b->node, b->now, b->wall, pkt, &to) > 0)
        continue;
    wait_ms(b, 300);
    while (gvs_node_next(b->node, b->now, b->wall, pkt, &to) > 0)
        continue;
    for (size_t i = 0; i < level->lane_count; i++) {
        struct gvs_entry e;
        uint8_t buf[GVS_ENTRY_LEN_MAX];

        if (!level->lane[i].head)
            continue;
        heads++;
        assert_true(gvs_replica_get_member(&b->node->replica, &level->lane[i].head->id, &e));
        e = with_order(buf, &e, gvs_member_order(1, GVS_LEFT));
        assert_true(gvs_replica_load(&b->node->replica, b->now, &e) >= 0);
    }
    assert_true(heads > 0);
    assert_true(gvs_node_next(b->node, b->now, b->wall, pkt, &to) > 0);
    assert_int_equal(pkt[0], GVS_PACKET_INIT);
    close_bench(b);
}

/* --- acknowledgements --- */

static void
claim(bool *claimed, uint64_t seq)
{
    if (seq > 0 && seq < SEQS)
        claimed[seq] = true;
}

/* What the acknowledgements that came say, all together. */
static void
read_acks(const struct bench *b, bool *claimed)
{
    for (size_t i = 0; i < b->replies; i++) {
        const struct gvs_msg *m = &b->reply[i];

        if (m->type != GVS_MSG_PUSH_ACK)
            continue;
        claim(claimed, m->seq);
        for (unsigned k = 0; k < 64; k++) {
            if (m->mask >> k & 1 && m->seq > k + 1)
                claim(claimed, m->seq - 1 - k);
        }
    }
}

static void
test_acknowledgements_say_what_came_and_nothing_else(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 40); seed++) {
        struct bench *b = open_bench(seed);
        bool *came = calloc(SEQS, sizeof *came), *claimed = calloc(SEQS, sizeof *claimed);
        uint64_t next = 1 + gvs_prng_below(&b->prng, 100);

        assert_true(came && claimed);
        meet(b);
        for (unsigned round = 0; round < 60 && next < SEQS - 1500; round++) {
            bool now[SEQS] = {false};

            for (unsigned n = 1 + gvs_prng_below(&b->prng, 20); n > 0; n--) {
                struct gvs_msg m = {.type = GVS_MSG_PUSH, .seq = next};
                uint32_t die = gvs_prng_below(&b->prng, 12);

                if (die == 0 && next > 20)
                    m.seq -= 1 + gvs_prng_below(&b->prng, 19); /* late, or again */
                else if (die == 1)
                    next = m.seq += gvs_prng_below(&b->prng, 70); /* a gap */
                else if (die == 2)
                    next = m.seq += 64;
                next += m.seq == next;
                now[m.seq] = came[m.seq] = true;
                say(b, &m);
            }
            b->replies = 0;
            talk(b);
            read_acks(b, claimed);
            for (uint64_t seq = 1; seq < SEQS; seq++) {
                assert_true(came[seq] || !claimed[seq]);
                if (now[seq] && next - seq <= 64) /* what is later falls out of it at times */
                    assert_true(claimed[seq]);
            }
            wait_ms(b, gvs_prng_chance(&b->prng, 1, 5) ? 1200 : 1);
        }
        free(came);
        free(claimed);
        close_bench(b);
    }
}

/* One that comes late after a pause is acknowledged, too. */
static void
test_a_late_push_is_acknowledged_after_a_pause(void **state)
{
    struct bench *b = open_bench(1);
    bool claimed[SEQS] = {false};

    (void)state;
    meet(b);
    say(b, &(struct gvs_msg){.type = GVS_MSG_PUSH, .seq = 10});
    talk(b);
    wait_ms(b, 1500);
    b->replies = 0;
    say(b, &(struct gvs_msg){.type = GVS_MSG_PUSH, .seq = 7});
    talk(b);
    read_acks(b, claimed);
    assert_true(claimed[7]);
    assert_false(claimed[8]);
    assert_false(claimed[9]);
    close_bench(b);
}

static void
test_news_are_counted_once(void **state)
{
    struct bench *b = open_bench(1);
    uint64_t news = 0;

    (void)state;
    meet(b);
    push_claim(b, 1, 0, 1, 1);
    push_claim(b, 2, 0, 2, 1);
    push_claim(b, 3, 0, 2, 1);
    talk(b);
    assert_int_equal(count_replies(b, GVS_MSG_PUSH_ACK), 1); /* one for all three */
    push_claim(b, 4, 0, 3, 1);
    talk(b);
    for (size_t i = 0; i < b->replies; i++)
        news += b->reply[i].type == GVS_MSG_PUSH_ACK ? b->reply[i].news : 0;
    assert_int_equal(news, 3);
    close_bench(b);
}

/* --- cells that do not come --- */

static void
test_cells_that_are_late_are_asked_for_again(void **state)
{
    uint8_t cells[GVS_SKETCH_PIECE * GVS_SKETCH_CELL_LEN];
    struct bench *b = open_bench(1);

    (void)state;
    meet(b);
    for (unsigned i = 0; i < 30; i++) { /* until it has compared, and waits for nothing */
        wait_ms(b, 500);
        talk(b);
    }
    gvs_prng_fill(&b->prng, cells, sizeof cells);
    b->replies = 0;
    say(b,
        &(struct gvs_msg){.type = GVS_MSG_SKETCH, .fingerprint = 5, .bin = {cells, sizeof cells}});
    talk(b);
    assert_int_equal(count_replies(b, GVS_MSG_MORE), 1);
    for (unsigned i = 0; i < 30; i++) {
        wait_ms(b, 10);
        talk(b);
    }
    assert_in_range(count_replies(b, GVS_MSG_MORE), 3, 4);
    for (unsigned i = 0; i < 200; i++) {
        wait_ms(b, 10);
        talk(b);
    }
    assert_in_range(count_replies(b, GVS_MSG_MORE), 4, 7);
    close_bench(b);
}

/* More than one acknowledgement can say come at once: each is in one all the same. */
static void
test_a_burst_is_acknowledged_whole(void **state)
{
    struct bench *b = open_bench(1);
    bool claimed[SEQS] = {false};

    (void)state;
    meet(b);
    for (uint64_t seq = 1; seq <= 300; seq++)
        say(b, &(struct gvs_msg){.type = GVS_MSG_PUSH, .seq = seq});
    talk(b);
    read_acks(b, claimed);
    for (uint64_t seq = 1; seq <= 300; seq++)
        assert_true(claimed[seq]);
    assert_in_range(count_replies(b, GVS_MSG_PUSH_ACK), 5, 6);
    close_bench(b);
}

/* What the former process sent last comes after its successor is heard: numbers begin anew, and
 * those of the successor are acknowledged all the same. */
static void
test_a_late_push_of_a_former_process_silences_no_acknowledgement(void **state)
{
    struct bench *b = open_bench(1);
    struct gvs_sessions *former = b->script, *successor = open_script(b, 3);
    bool claimed[SEQS] = {false};

    (void)state;
    meet(b);
    say(b, &(struct gvs_msg){.type = GVS_MSG_PUSH, .seq = 499});
    talk(b);
    wait_ms(b, 1000);
    b->script = successor;
    connect_script(b);
    b->script = former;
    say(b, &(struct gvs_msg){.type = GVS_MSG_PUSH, .seq = 500});
    b->script = successor;
    for (uint64_t seq = 1; seq <= 3; seq++)
        say(b, &(struct gvs_msg){.type = GVS_MSG_PUSH, .seq = seq});
    talk(b);
    read_acks(b, claimed);
    for (uint64_t seq = 1; seq <= 3; seq++)
        assert_true(claimed[seq]);
    gvs_sessions_close(former);
    close_bench(b);
}

/* It has the key, and gets no further: nobody would know why. */
static void
test_who_finds_no_room_is_counted(void **state)
{
    struct bench *b = open_bench(1);
    struct gvs_node_refused refused;
    struct gvs_id id = {{9}}, script = gvs_sessions_self(b->script);

    (void)state;
    gvs_node_start(b->node, b->now, b->wall);
    while (gvs_member_add(b->node->members, &id)) {
        if (++id.b[1] == 0)
            id.b[2]++;
    }
    assert_int_equal(gvs_node_refused(b->node, GVS_REFUSAL_MEMBER).count, 0);
    wait_ms(b, 1000);
    assert_int_equal(gvs_sessions_connect(b->script, b->now, b->wall, &b->node_ep), GVS_OK);
    talk(b);
    refused = gvs_node_refused(b->node, GVS_REFUSAL_MEMBER);
    assert_int_equal(refused.count, 1);
    assert_int_equal(gvs_id_cmp(&refused.by, &script), 0);
    assert_int_equal(gvs_ep_cmp(&refused.ep, &b->script_ep), 0);
    assert_int_equal(refused.at.us, b->now.us);
    assert_int_equal(gvs_node_refused(b->node, GVS_REFUSAL_FULL).count, 0);
    close_bench(b);
}

/* --- what is not taken --- */

static void
push_member(struct bench *b, uint64_t seq, uint8_t id, uint64_t incarnation)
{
    uint8_t buf[GVS_ENTRY_LEN_MAX], value[GVS_VALUE_LEN_MAX];
    struct gvs_member_value v = {.name = "other", .boot = 3, .version = "0"};
    struct gvs_msg m = {.type = GVS_MSG_PUSH, .seq = seq, .entry_count = 1};
    struct gvs_key key = {.kind = GVS_KEY_MEMBER};
    size_t len;

    memset(key.owner.b, id, sizeof key.owner.b);
    v.ep = (struct gvs_ep){{GVS_FAMILY_V4, {10, 0, 2, id}}, 7900};
    len = gvs_entry_build(buf, &key, gvs_member_order(incarnation, GVS_ALIVE), NULL, false, value,
                          gvs_member_encode(value, &v));
    assert_int_equal(gvs_entry_parse(&m.entry[0], buf, len), GVS_OK);
    say(b, &m);
}

static void
refused_so_far(const struct bench *b, enum gvs_refusal why, uint64_t want)
{
    struct gvs_node_refused r = gvs_node_refused(b->node, why);
    struct gvs_id script = gvs_sessions_self(b->script);

    assert_int_equal(r.count, want);
    if (want == 0)
        return;
    assert_int_equal(gvs_id_cmp(&r.by, &script), 0);
    assert_int_equal(gvs_ep_cmp(&r.ep, &b->script_ep), 0);
}

static void
test_what_is_refused_is_counted_by_reason_and_bringer(void **state)
{
    static const uint8_t junk[] = {0xc1, 0xc1, 0xc1};
    struct bench *b = open_bench(70);
    uint8_t pkt[GVS_DATAGRAM_LEN_MAX];
    struct gvs_ep to;
    uint64_t seq = 1;
    int len;

    (void)state;
    meet(b);
    for (unsigned why = 0; why < GVS_REFUSAL_COUNT; why++)
        refused_so_far(b, (enum gvs_refusal)why, 0);
    push_claim(b, seq++, 0, 1, 1);
    push_member(b, seq++, 9, 5);
    for (unsigned why = 0; why < GVS_REFUSAL_COUNT; why++)
        refused_so_far(b, (enum gvs_refusal)why, 0);

    push_member(b, seq++, 10, UINT64_C(1) << 40);
    refused_so_far(b, GVS_REFUSAL_LEAP, 1);
    len = gvs_sessions_seal(b->script, b->now, b->wall, &b->id, junk, sizeof junk, pkt, &to);
    gvs_node_recv(b->node, b->now, b->wall, &b->script_ep, pkt, (size_t)len);
    refused_so_far(b, GVS_REFUSAL_BODY, 1);
    for (uint32_t mark = 2; mark < 4600; mark++) /* a tenth more than 4096 are held */
        push_claim(b, seq++, 0, mark, 1);
    assert_true(gvs_node_refused(b->node, GVS_REFUSAL_FULL).count > 90);
    refused_so_far(b, GVS_REFUSAL_FULL, gvs_node_refused(b->node, GVS_REFUSAL_FULL).count);
    refused_so_far(b, GVS_REFUSAL_LEAP, 1);
    refused_so_far(b, GVS_REFUSAL_BODY, 1);
    refused_so_far(b, GVS_REFUSAL_FUTURE, 0);
    close_bench(b);
}

static void
test_t13_what_is_stamped_in_the_future_is_refused_by_name(void **state)
{
    struct bench *b = open_bench(71);
    struct gvs_members *ms;

    (void)state;
    add_members(b, 3);
    meet(b);
    /* Three clocks: our own, the script's, and one more that was heard. */
    ms = b->node->members;
    for (size_t i = 0; i < gvs_members_count(ms); i++) {
        struct gvs_member *m = gvs_members_place(ms, i);

        if (m->self)
            continue;
        gvs_member_heard(ms, b->now, m);
        gvs_member_clock(ms, b->now, m, b->wall.ms);
    }
    push_claim(b, 1, 0, 7, gvs_hlc_make(29000, 0));
    refused_so_far(b, GVS_REFUSAL_FUTURE, 0);
    push_claim(b, 2, 0, 8, gvs_hlc_make(31000, 0));
    refused_so_far(b, GVS_REFUSAL_FUTURE, 1);
    close_bench(b);
}

static void
test_whose_datagram_was_rejected_last_is_known(void **state)
{
    struct bench *b = open_bench(72);
    struct gvs_ep first = {{GVS_FAMILY_V4, {10, 9, 0, 1}}, 1}, last = first, from;
    uint8_t pkt[64] = {4, 1};

    (void)state;
    meet(b);
    last.port = 2;
    for (unsigned why = 0; why < GVS_REJECT_COUNT; why++)
        assert_false(gvs_node_rejected_from(b->node, (enum gvs_reject)why, &from));
    gvs_node_recv(b->node, b->now, b->wall, &first, pkt, sizeof pkt);
    gvs_node_recv(b->node, b->now, b->wall, &last, pkt, sizeof pkt);
    gvs_node_recv(b->node, b->now, b->wall, &first, pkt, 3);
    assert_true(gvs_node_rejected_from(b->node, GVS_REJECT_UNKNOWN_SESSION, &from));
    assert_int_equal(gvs_ep_cmp(&from, &last), 0);
    assert_true(gvs_node_rejected_from(b->node, GVS_REJECT_MALFORMED, &from));
    assert_int_equal(gvs_ep_cmp(&from, &first), 0);
    assert_false(gvs_node_rejected_from(b->node, GVS_REJECT_BAD_TAG, &from));
    close_bench(b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_arc_is_served_whether_or_not_the_entry_is_news),
        cmocka_unit_test(test_whoever_is_to_be_served_is_asked_for_a_session_at_once),
        cmocka_unit_test_teardown(test_acknowledgements_say_what_came_and_nothing_else,
                                  test_seed_teardown),
        cmocka_unit_test(test_a_late_push_is_acknowledged_after_a_pause),
        cmocka_unit_test(test_news_are_counted_once),
        cmocka_unit_test(test_cells_that_are_late_are_asked_for_again),
        cmocka_unit_test(test_a_burst_is_acknowledged_whole),
        cmocka_unit_test(test_a_late_push_of_a_former_process_silences_no_acknowledgement),
        cmocka_unit_test(test_who_finds_no_room_is_counted),
        cmocka_unit_test(test_what_is_refused_is_counted_by_reason_and_bringer),
        cmocka_unit_test(test_t13_what_is_stamped_in_the_future_is_refused_by_name),
        cmocka_unit_test(test_whose_datagram_was_rejected_last_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
