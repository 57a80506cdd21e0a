/* test/net/test_noise.c: both sides of a handshake agree, nobody else does, and the bytes are those
 * of test/golden/handshake.txt. GVS_GOLDEN=write makes that file anew. */
#include "net/noise.h"
#include "net/session.h"
#include "test/lib/prng.h"
#include "test/net/forge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define GOLDEN "test/golden/handshake.txt"

struct side {
    struct gvs_noise_self self;
    struct gvs_noise noise;
    struct gvs_noise_keys keys;
    uint8_t e[32];
    uint32_t index;
};

struct pair {
    struct gvs_keyring_key key;
    struct side a, b;
    struct gvs_noise_init init;
    struct gvs_noise_resp resp;
    uint8_t init_pkt[GVS_HANDSHAKE_LEN], resp_pkt[GVS_HANDSHAKE_LEN];
};

static void
make_key(struct gvs_keyring_key *key, const uint8_t psk[static 32])
{
    memcpy(key->psk, psk, 32);
    gvs_keyring_derive(key);
}

static void
make_side(struct side *s, struct gvs_prng *prng, const char *cluster)
{
    uint8_t priv[32];

    gvs_prng_fill(prng, priv, sizeof priv);
    gvs_prng_fill(prng, s->e, sizeof s->e);
    s->index = (uint32_t)gvs_prng_next(prng);
    gvs_noise_self_init(&s->self, priv, cluster);
}

static void
make_pair(struct pair *p, uint64_t seed)
{
    struct gvs_prng prng = gvs_prng_init(seed);
    uint8_t psk[32];

    *p = (struct pair){0};
    gvs_prng_fill(&prng, psk, sizeof psk);
    make_key(&p->key, psk);
    make_side(&p->a, &prng, "prod-eu");
    make_side(&p->b, &prng, "prod-eu");
    p->init = (struct gvs_noise_init){gvs_prng_next(&prng), gvs_prng_next(&prng), 1, 2, 1232, 3};
    p->resp = (struct gvs_noise_resp){p->init.init_time, gvs_prng_next(&prng), 2, 1232, 5};
}

/* INIT from a to b; the payload as b read it must be the one written. */
static int
run_init(struct pair *p)
{
    struct gvs_noise_init got = {0};
    int rc;

    gvs_noise_write_init(&p->a.noise, p->init_pkt, &p->a.self, &p->key, p->a.e, p->a.index,
                         &p->init);
    rc = gvs_noise_read_init(&p->b.noise, p->init_pkt, &p->b.self, &p->key, &got);
    if (rc == GVS_OK)
        assert_memory_equal(&got, &p->init, sizeof got);
    return rc;
}

static int
run_resp(struct pair *p)
{
    return gvs_noise_write_resp(&p->b.noise, p->resp_pkt, &p->b.self, &p->key, p->b.e, p->b.index,
                                p->a.index, &p->resp, &p->b.keys);
}

static int
end_resp(struct pair *p, uint8_t rs[static 32])
{
    struct gvs_noise_resp got = {0};
    int rc;

    rc = gvs_noise_read_resp(&p->a.noise, p->resp_pkt, &p->a.self, rs, &got, &p->a.keys);
    if (rc == GVS_OK)
        assert_memory_equal(&got, &p->resp, sizeof got);
    return rc;
}

static void
test_both_sides_get_the_same_keys_and_each_other(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); seed < test_seed_end(100); seed++) {
        struct pair p;
        uint8_t rs[32];

        make_pair(&p, seed);
        assert_int_equal(run_init(&p), GVS_OK);
        assert_true(gvs_noise_mac1_ok(p.init_pkt, &p.key));
        assert_memory_equal(p.b.noise.rs, p.a.self.pub, 32);
        assert_int_equal(run_resp(&p), GVS_OK);
        assert_true(gvs_noise_mac1_ok(p.resp_pkt, &p.key));
        assert_int_equal(end_resp(&p, rs), GVS_OK);
        assert_memory_equal(rs, p.b.self.pub, 32);
        assert_memory_equal(p.a.keys.send, p.b.keys.recv, 32);
        assert_memory_equal(p.a.keys.recv, p.b.keys.send, 32);
        assert_memory_not_equal(p.a.keys.send, p.a.keys.recv, 32);
        assert_int_equal(gvs_get32le(p.init_pkt + GVS_AT_SENDER), p.a.index);
        assert_int_equal(gvs_get32le(p.resp_pkt + GVS_AT_SENDER), p.b.index);
        assert_int_equal(gvs_get32le(p.resp_pkt + GVS_AT_RESP_RECEIVER), p.a.index);
    }
}

static void
test_a_new_ephemeral_makes_new_keys(void **state)
{
    struct pair p, q;
    uint8_t rs[32];

    (void)state;
    make_pair(&p, 1);
    make_pair(&q, 1);
    q.b.e[7] ^= 1;
    assert_int_equal(run_init(&p) | run_init(&q), GVS_OK);
    assert_int_equal(run_resp(&p) | run_resp(&q), GVS_OK);
    assert_int_equal(end_resp(&p, rs) | end_resp(&q, rs), GVS_OK);
    assert_memory_not_equal(p.a.keys.send, q.a.keys.send, 32);
    assert_memory_not_equal(p.a.keys.recv, q.a.keys.recv, 32);
}

/* Somebody who has the cluster key can make mac1; what Noise covers still cannot be changed. */
static void
test_no_bit_of_init_can_be_changed_even_with_mac1_made_anew(void **state)
{
    struct gvs_noise_init got;
    struct pair p;

    (void)state;
    make_pair(&p, 2);
    assert_int_equal(run_init(&p), GVS_OK);
    for (size_t bit = GVS_AT_E * 8; bit < GVS_AT_MAC1 * 8; bit++) {
        p.init_pkt[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(gvs_noise_mac1_ok(p.init_pkt, &p.key));
        assert_int_equal(gvs_noise_read_init(&p.b.noise, p.init_pkt, &p.b.self, &p.key, &got),
                         GVS_E_FORGED);
        p.init_pkt[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void
test_no_bit_of_resp_can_be_changed_and_the_true_one_still_opens(void **state)
{
    struct gvs_noise_resp got;
    struct gvs_noise_keys keys;
    struct pair p;
    uint8_t rs[32];

    (void)state;
    make_pair(&p, 3);
    assert_int_equal(run_init(&p) | run_resp(&p), GVS_OK);
    for (size_t bit = GVS_AT_E * 8; bit < GVS_AT_MAC1 * 8; bit++) {
        int rc;

        /* Its 256th bit is not part of a point (RFC 7748), but it is part of the transcript. */
        p.resp_pkt[bit / 8] ^= (uint8_t)(1u << bit % 8);
        rc = gvs_noise_read_resp(&p.a.noise, p.resp_pkt, &p.a.self, rs, &got, &keys);
        assert_int_equal(rc, GVS_E_FORGED);
        p.resp_pkt[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(end_resp(&p, rs), GVS_OK);
    assert_memory_equal(p.a.keys.send, p.b.keys.recv, 32);
}

static void
test_another_key_or_cluster_does_not_open_init(void **state)
{
    struct gvs_noise_init got;
    struct gvs_noise_self other;
    struct gvs_keyring_key key;
    struct pair p;

    (void)state;
    make_pair(&p, 4);
    assert_int_equal(run_init(&p), GVS_OK);
    key = p.key;
    key.psk[0] ^= 1;
    assert_int_equal(gvs_noise_read_init(&p.b.noise, p.init_pkt, &p.b.self, &key, &got),
                     GVS_E_FORGED);
    gvs_noise_self_init(&other, p.b.self.priv, "prod-us");
    assert_int_equal(gvs_noise_read_init(&p.b.noise, p.init_pkt, &other, &p.key, &got),
                     GVS_E_FORGED);
    gvs_noise_self_init(&other, p.b.self.priv, "prod-eu2");
    assert_int_equal(gvs_noise_read_init(&p.b.noise, p.init_pkt, &other, &p.key, &got),
                     GVS_E_FORGED);
}

static void
test_resp_to_another_init_does_not_open(void **state)
{
    struct pair p, q;
    uint8_t rs[32];

    (void)state;
    make_pair(&p, 5);
    make_pair(&q, 5);
    q.init.init_time++;
    assert_int_equal(run_init(&p) | run_init(&q), GVS_OK);
    assert_int_equal(run_resp(&p) | run_resp(&q), GVS_OK);
    memcpy(p.resp_pkt, q.resp_pkt, sizeof p.resp_pkt);
    assert_int_equal(end_resp(&p, rs), GVS_E_FORGED);
}

/* Noise proves the responder by es: who has the psk and has seen INIT, but not the static key that
 * he names, cannot make a RESP that opens. */
static void
test_a_responder_cannot_name_a_key_that_it_has_not(void **state)
{
    struct pair p;
    uint8_t rs[32];

    (void)state;
    make_pair(&p, 6);
    assert_int_equal(run_init(&p), GVS_OK);
    p.b.self.pub[0] ^= 4;
    assert_int_equal(run_resp(&p), GVS_OK);
    assert_int_equal(end_resp(&p, rs), GVS_E_FORGED);
}

static void
test_a_forger_writes_what_we_write_and_what_we_refuse(void **state)
{
    struct gvs_noise_init got;
    struct forge f = {.index = 0x01020304};
    struct pair p;
    uint8_t pkt[GVS_HANDSHAKE_LEN];

    (void)state;
    make_pair(&p, 7);
    p.init = (struct gvs_noise_init){99, 77, 1, 1, 1232, 0};
    p.a.index = f.index;
    gvs_noise_write_init(&p.a.noise, p.init_pkt, &p.a.self, &p.key, p.a.e, p.a.index, &p.init);
    gvs_crypto_public(f.e_pub, p.a.e);
    memcpy(f.s_pub, p.a.self.pub, 32);
    forge_payload(f.payload, 99, 77);
    forge_init(pkt, "prod-eu", &p.key, &f);
    assert_memory_equal(pkt, p.init_pkt, sizeof pkt);

    print_message("a bit in the payload's zeros\n");
    for (size_t i = 24; i < 32; i++) {
        f.payload[i] = 0x80;
        forge_init(pkt, "prod-eu", &p.key, &f);
        assert_int_equal(gvs_noise_read_init(&p.b.noise, pkt, &p.b.self, &p.key, &got),
                         GVS_E_MALFORMED);
        f.payload[i] = 0;
    }
    print_message("an ephemeral of low order\n");
    memset(f.e_pub, 0, 32);
    forge_init(pkt, "prod-eu", &p.key, &f);
    assert_int_equal(gvs_noise_read_init(&p.b.noise, pkt, &p.b.self, &p.key, &got), GVS_OK);
    assert_int_equal(run_resp(&p), GVS_E_FORGED);

    print_message("a static key of low order\n");
    gvs_crypto_public(f.e_pub, p.a.e);
    memset(f.s_pub, 0, 32);
    forge_init(pkt, "prod-eu", &p.key, &f);
    assert_int_equal(gvs_noise_read_init(&p.b.noise, pkt, &p.b.self, &p.key, &got), GVS_OK);
    assert_int_equal(run_resp(&p), GVS_E_FORGED);
}

/* --- golden --- */

enum {
    PSK,
    A_STATIC,
    B_STATIC,
    A_E,
    B_E,
    INIT,
    RESP,
    CONFIRM,
    HELLO,
    WORLD,
    COOKIE,
    INIT_MAC2,
    FIELDS
};

static const char *const field_names[FIELDS] = {"psk",
                                                "initiator_static",
                                                "responder_static",
                                                "initiator_e",
                                                "responder_e",
                                                "INIT",
                                                "RESP",
                                                "DATA_empty",
                                                "DATA_hello_to_resp",
                                                "DATA_world_to_init",
                                                "COOKIE",
                                                "INIT_mac2"};

static const char golden_head[] =
    "# A handshake and what follows, byte for byte, from fixed keys. docs/wire.md explains it.\n"
    "# cluster prod-eu; init_time 1700000000000000000; boots 0x1111111111111111 (initiator) and\n"
    "# 0x2222222222222222; indexes as in the packets. DATA_empty and DATA_hello_to_resp are the\n"
    "# initiator's counters 0 and 1, DATA_world_to_init is the responder's 0. COOKIE is what INIT "
    "gets\n"
    "# from a responder under load, whose secret is responder_e, at 10.77.0.1:7900; INIT_mac2 is "
    "what\n"
    "# the initiator makes of it: init_time one more, the same e and index.\n";

#define CLUSTER "prod-eu"
#define GOLDEN_INIT_TIME UINT64_C(1700000000000000000)
#define GOLDEN_BOOT_A UINT64_C(0x1111111111111111)
#define GOLDEN_BOOT_B UINT64_C(0x2222222222222222)

struct golden {
    size_t len[FIELDS];
    uint8_t b[FIELDS][GVS_HANDSHAKE_LEN];
};

static void
set_field(struct golden *g, int field, const uint8_t *b, size_t len)
{
    assert_true(len <= sizeof g->b[field]);
    memcpy(g->b[field], b, len);
    g->len[field] = len;
}

/* What a node draws: its ephemeral where 32 bytes are asked for, else one byte again and again. */
static void
fixed_random(void *ctx, void *buf, size_t len)
{
    const uint8_t *e = ctx;

    if (len == 32)
        memcpy(buf, e, 32);
    else
        memset(buf, e[0], len);
}

static struct gvs_sessions *
open_golden(const struct golden *g, int priv, int e, uint64_t boot)
{
    struct gvs_sessions_config cfg = {.peers_max = 8, .cluster = CLUSTER, .boot = boot};
    struct gvs_keyring ring = {.count = 1};
    struct gvs_sessions *s;

    make_key(&ring.key[0], g->b[PSK]);
    cfg.keyring = &ring;
    memcpy(cfg.priv, g->b[priv], 32);
    cfg.random = (struct gvs_random){fixed_random, (void *)(uintptr_t)g->b[e]};
    s = gvs_sessions_open(&cfg);
    assert_non_null(s);
    return s;
}

/* Two nodes talk, and their datagrams are the fields. */
static void
play_golden(struct golden *g)
{
    const struct gvs_ep ea = {{GVS_FAMILY_V4, {10, 77, 0, 1}}, 7900};
    const struct gvs_ep eb = {{GVS_FAMILY_V4, {10, 77, 0, 2}}, 7900};
    const struct gvs_mono now = {1000};
    const struct gvs_wall wall = {GOLDEN_INIT_TIME / 1000000};
    struct gvs_sessions *a = open_golden(g, A_STATIC, A_E, GOLDEN_BOOT_A);
    struct gvs_sessions *b = open_golden(g, B_STATIC, B_E, GOLDEN_BOOT_B);
    struct gvs_id ida = gvs_sessions_self(a), idb = gvs_sessions_self(b);
    struct gvs_session_recv r;
    uint8_t buf[GVS_DATAGRAM_LEN_MAX];
    struct gvs_ep to;
    int len;

    assert_int_equal(gvs_sessions_connect(a, now, wall, &eb), GVS_OK);
    set_field(g, INIT, buf, gvs_sessions_next(a, now, buf, &to));
    gvs_sessions_recv(b, now, wall, &ea, g->b[INIT], g->len[INIT], &r);
    set_field(g, RESP, buf, gvs_sessions_next(b, now, buf, &to));
    gvs_sessions_recv(a, now, wall, &eb, g->b[RESP], g->len[RESP], &r);
    assert_int_equal(r.event, GVS_SESSION_UP);
    set_field(g, CONFIRM, buf, gvs_sessions_next(a, now, buf, &to));
    gvs_sessions_recv(b, now, wall, &ea, g->b[CONFIRM], g->len[CONFIRM], &r);
    assert_int_equal(r.event, GVS_SESSION_UP);
    len = gvs_sessions_seal(a, now, wall, &idb, (const uint8_t *)"hello", 5, buf, &to);
    set_field(g, HELLO, buf, (size_t)len);
    gvs_sessions_recv(b, now, wall, &ea, buf, (size_t)len, &r);
    assert_int_equal(r.len, 5);
    assert_memory_equal(r.body, "hello", 5);
    len = gvs_sessions_seal(b, now, wall, &ida, (const uint8_t *)"world", 5, buf, &to);
    set_field(g, WORLD, buf, (size_t)len);
    gvs_sessions_recv(a, now, wall, &eb, buf, (size_t)len, &r);
    assert_int_equal(r.len, 5);
    assert_memory_equal(r.body, "world", 5);
    gvs_sessions_close(a);
    gvs_sessions_close(b);
}

/* More INITs than it takes, none of which is INIT. */
static void
load_golden(const struct golden *g, struct gvs_sessions *b)
{
    const struct gvs_wall later = {GOLDEN_INIT_TIME / 1000000 + 1};
    struct gvs_sessions *crowd = open_golden(g, A_STATIC, A_E, GOLDEN_BOOT_A);
    struct gvs_session_recv r;
    uint8_t buf[GVS_DATAGRAM_LEN_MAX];
    struct gvs_ep ep, to;

    for (uint16_t port = 1; port <= 101; port++) {
        ep = (struct gvs_ep){{GVS_FAMILY_V4, {10, 77, 0, 9}}, port};
        assert_int_equal(gvs_sessions_connect(crowd, (struct gvs_mono){1000}, later, &ep), GVS_OK);
        gvs_sessions_next(crowd, (struct gvs_mono){1000}, buf, &to);
        gvs_sessions_recv(b, (struct gvs_mono){1000}, later, &ep, buf, GVS_HANDSHAKE_LEN, &r);
        while (gvs_sessions_next(b, (struct gvs_mono){1000}, buf, &to) > 0)
            continue;
    }
    gvs_sessions_close(crowd);
}

/* The same INIT meets a responder under load. */
static void
play_cookie(struct golden *g)
{
    const struct gvs_ep ea = {{GVS_FAMILY_V4, {10, 77, 0, 1}}, 7900};
    const struct gvs_ep eb = {{GVS_FAMILY_V4, {10, 77, 0, 2}}, 7900};
    const struct gvs_mono now = {1000};
    const struct gvs_wall wall = {GOLDEN_INIT_TIME / 1000000};
    struct gvs_sessions *a = open_golden(g, A_STATIC, A_E, GOLDEN_BOOT_A);
    struct gvs_sessions *b = open_golden(g, B_STATIC, B_E, GOLDEN_BOOT_B);
    struct gvs_session_recv r;
    uint8_t buf[GVS_DATAGRAM_LEN_MAX];
    struct gvs_ep to;

    load_golden(g, b);
    assert_int_equal(gvs_sessions_connect(a, now, wall, &eb), GVS_OK);
    gvs_sessions_next(a, now, buf, &to);
    assert_memory_equal(buf, g->b[INIT], GVS_HANDSHAKE_LEN);
    gvs_sessions_recv(b, now, wall, &ea, buf, GVS_HANDSHAKE_LEN, &r);
    set_field(g, COOKIE, buf, gvs_sessions_next(b, now, buf, &to));
    gvs_sessions_recv(a, now, wall, &eb, g->b[COOKIE], g->len[COOKIE], &r);
    set_field(g, INIT_MAC2, buf, gvs_sessions_next(a, now, buf, &to));
    gvs_sessions_recv(b, now, wall, &ea, g->b[INIT_MAC2], g->len[INIT_MAC2], &r);
    assert_int_equal(gvs_sessions_next(b, now, buf, &to), GVS_HANDSHAKE_LEN);
    assert_int_equal(buf[0], GVS_PACKET_RESP);
    gvs_sessions_close(a);
    gvs_sessions_close(b);
}

static void
write_golden(void)
{
    struct golden g = {0};
    FILE *f = fopen(GOLDEN, "w");

    assert_non_null(f);
    for (int i = PSK; i <= B_E; i++) {
        uint8_t b[32];

        for (size_t j = 0; j < sizeof b; j++)
            b[j] = (uint8_t)(0x20 * i + (int)j);
        set_field(&g, i, b, sizeof b);
    }
    play_golden(&g);
    play_cookie(&g);
    fputs(golden_head, f);
    for (int i = 0; i < FIELDS; i++) {
        fprintf(f, "%s ", field_names[i]);
        for (size_t j = 0; j < g.len[i]; j++)
            fprintf(f, "%02x", g.b[i][j]);
        fputc('\n', f);
    }
    assert_int_equal(fclose(f), 0);
}

static void
read_golden(struct golden *g)
{
    char name[32], hex[2 * GVS_HANDSHAKE_LEN + 1], line[512];
    FILE *f = fopen(GOLDEN, "r");
    int field = 0;

    assert_non_null(f);
    *g = (struct golden){0};
    while (fgets(line, sizeof line, f) != NULL) {
        if (line[0] == '#')
            continue;
        assert_int_equal(sscanf(line, "%31s %352s", name, hex), 2);
        assert_true(field < FIELDS);
        assert_string_equal(name, field_names[field]);
        for (size_t i = 0; hex[2 * i] != 0; i++) {
            char two[3] = {hex[2 * i], hex[2 * i + 1], 0}, *end;

            g->b[field][g->len[field]++] = (uint8_t)strtoul(two, &end, 16);
            assert_ptr_equal(end, two + 2);
        }
        field++;
    }
    fclose(f);
    assert_int_equal(field, FIELDS);
}

static void
test_two_nodes_say_what_the_golden_file_says(void **state)
{
    struct golden want, got = {0};

    (void)state;
    read_golden(&want);
    for (int i = PSK; i <= B_E; i++)
        set_field(&got, i, want.b[i], want.len[i]);
    play_golden(&got);
    play_cookie(&got);
    for (int i = 0; i < FIELDS; i++) {
        print_message("%s\n", field_names[i]);
        assert_int_equal(got.len[i], want.len[i]);
        assert_memory_equal(got.b[i], want.b[i], want.len[i]);
    }
}

static void
assert_data(const struct golden *g, int field, const uint8_t key[static 32], uint64_t counter,
            const char *body)
{
    const uint8_t *pkt = g->b[field];
    uint8_t out[GVS_HANDSHAKE_LEN];

    assert_int_equal(g->len[field], GVS_DATA_OVERHEAD + strlen(body));
    assert_true(gvs_get64le(pkt + 8) == counter);
    assert_int_equal(gvs_crypto_open(out, pkt + 16, g->len[field] - 16, pkt, 16, key, counter),
                     GVS_OK);
    assert_memory_equal(out, body, strlen(body));
}

/* The same packets from the keys alone, with no session around them. */
static void
test_the_golden_file_follows_from_its_keys(void **state)
{
    struct golden g;
    struct pair p = {0};
    uint8_t rs[32];

    (void)state;
    read_golden(&g);
    make_key(&p.key, g.b[PSK]);
    gvs_noise_self_init(&p.a.self, g.b[A_STATIC], CLUSTER);
    gvs_noise_self_init(&p.b.self, g.b[B_STATIC], CLUSTER);
    memcpy(p.a.e, g.b[A_E], 32);
    memcpy(p.b.e, g.b[B_E], 32);
    p.a.index = gvs_get32le(g.b[INIT] + GVS_AT_SENDER);
    p.b.index = gvs_get32le(g.b[RESP] + GVS_AT_SENDER);
    p.init = (struct gvs_noise_init){GOLDEN_INIT_TIME, GOLDEN_BOOT_A, 1, 1, 1232, 0};
    p.resp = (struct gvs_noise_resp){GOLDEN_INIT_TIME, GOLDEN_BOOT_B, 1, 1232, 0};
    assert_int_equal(run_init(&p), GVS_OK);
    assert_int_equal(g.len[INIT], GVS_HANDSHAKE_LEN);
    assert_memory_equal(p.init_pkt, g.b[INIT], GVS_HANDSHAKE_LEN);
    assert_int_equal(run_resp(&p), GVS_OK);
    assert_int_equal(g.len[RESP], GVS_HANDSHAKE_LEN);
    assert_memory_equal(p.resp_pkt, g.b[RESP], GVS_HANDSHAKE_LEN);
    assert_int_equal(end_resp(&p, rs), GVS_OK);
    assert_data(&g, CONFIRM, p.b.keys.recv, 0, "");
    assert_data(&g, HELLO, p.b.keys.recv, 1, "hello");
    assert_data(&g, WORLD, p.a.keys.recv, 0, "world");
}

/* COOKIE and mac2 as docs/wire.md has them, with the primitives alone. */
static void
test_the_golden_cookie_follows_from_the_key(void **state)
{
    uint8_t cookie[GVS_MAC_LEN], mac2[GVS_MAC_LEN];
    struct gvs_keyring_key key;
    struct golden g;

    (void)state;
    read_golden(&g);
    make_key(&key, g.b[PSK]);
    assert_int_equal(g.len[COOKIE], 64);
    assert_int_equal(gvs_crypto_xopen(cookie, g.b[COOKIE] + 32, 32, g.b[INIT] + 144, 16, key.cookie,
                                      g.b[COOKIE] + 8),
                     GVS_OK);
    assert_memory_equal(g.b[COOKIE] + 4, g.b[INIT] + 4, 4);
    gvs_crypto_mac(mac2, g.b[INIT_MAC2], 160, cookie, sizeof cookie);
    assert_memory_equal(g.b[INIT_MAC2] + 160, mac2, sizeof mac2);
    assert_true(gvs_noise_mac1_ok(g.b[INIT_MAC2], &key));
}

static int
set_up(void **state)
{
    const char *golden = getenv("GVS_GOLDEN");

    (void)state;
    if (gvs_crypto_init() < 0)
        return -1;
    if (golden != NULL && strcmp(golden, "write") == 0)
        write_golden();
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_sides_get_the_same_keys_and_each_other),
        cmocka_unit_test(test_a_new_ephemeral_makes_new_keys),
        cmocka_unit_test(test_no_bit_of_init_can_be_changed_even_with_mac1_made_anew),
        cmocka_unit_test(test_no_bit_of_resp_can_be_changed_and_the_true_one_still_opens),
        cmocka_unit_test(test_another_key_or_cluster_does_not_open_init),
        cmocka_unit_test(test_resp_to_another_init_does_not_open),
        cmocka_unit_test(test_a_responder_cannot_name_a_key_that_it_has_not),
        cmocka_unit_test(test_a_forger_writes_what_we_write_and_what_we_refuse),
        cmocka_unit_test(test_two_nodes_say_what_the_golden_file_says),
        cmocka_unit_test(test_the_golden_file_follows_from_its_keys),
        cmocka_unit_test(test_the_golden_cookie_follows_from_the_key),
    };

    return cmocka_run_group_tests_name("noise", tests, set_up, NULL);
}
