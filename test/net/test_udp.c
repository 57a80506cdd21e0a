/* Two nodes on loopback sockets of one libuv loop: what a datagram's way really costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "net/udp.h"

#define WRITES 1000
#define ENTRIES 50000
#define PATIENCE_MS 30000

struct end {
    struct gvs_node *node;
    struct gvs_udp *udp;
    struct gvs_ep ep;
    struct pair *pair;
    size_t news;      /* claims lent */
    uint64_t news_us; /* when the latest was */
    size_t woken;
    bool kicks; /* whenever it is woken */
    bool closed;
};

struct pair {
    uv_loop_t loop;
    uv_timer_t patience;
    bool impatient;
    struct end end[2];
};

static void
on_woken(void *ctx)
{
    struct end *end = ctx;
    struct gvs_entry e;

    end->woken++;
    if (end->kicks)
        gvs_udp_kick(end->udp);
    while (gvs_node_news(end->node, &e)) {
        if (e.kind == GVS_KEY_MEMBER)
            continue;
        end->news++;
        end->news_us = gvs_udp_now().us;
    }
}

static void
on_patience(uv_timer_t *timer)
{
    struct pair *p = timer->data;

    p->impatient = true;
}

static void
open_end(struct pair *p, size_t i, uint8_t family, bool everywhere)
{
    static const char ring[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= primary\n";
    struct gvs_node_config cfg = {
        .limits = {.entries = 2 * ENTRIES, .members = 8},
        .cluster = "udp",
        .boot = i + 1,
        .random = {.fn = gvs_crypto_random},
        .name = i == 0 ? "a" : "b",
        .version = "0.1.0",
    };
    struct gvs_keyring_fault fault;
    struct gvs_keyring keyring;
    struct end *end = &p->end[i];
    struct gvs_ep bind;

    assert_int_equal(gvs_keyring_parse(&keyring, ring, strlen(ring), &fault), GVS_OK);
    gvs_crypto_random(NULL, cfg.priv, sizeof cfg.priv);
    end->pair = p;
    end->ep.addr.family = family;
    if (family == GVS_FAMILY_V4)
        memcpy(end->ep.addr.b, (uint8_t[]){127, 0, 0, 1}, 4);
    else
        end->ep.addr.b[15] = 1;
    cfg.keyring = &keyring;
    /* A port that is free: somebody else's tests may run beside this one. */
    for (uint16_t port = (uint16_t)(20000 + uv_os_getpid() % 20000); !end->udp; port++) {
        end->ep.port = port;
        cfg.advertise = end->ep;
        end->node = gvs_node_open(&cfg, gvs_udp_now());
        assert_non_null(end->node);
        bind = end->ep;
        if (everywhere)
            memset(bind.addr.b, 0, sizeof bind.addr.b);
        end->udp = gvs_udp_open(&p->loop, &bind, end->node, on_woken, end);
        if (!end->udp) {
            assert_int_equal(errno, EADDRINUSE);
            gvs_node_close(end->node);
        }
    }
}

static void
open_loop(struct pair *p)
{
    memset(p, 0, sizeof *p);
    assert_int_equal(gvs_crypto_init(), GVS_OK);
    assert_int_equal(uv_loop_init(&p->loop), 0);
    uv_timer_init(&p->loop, &p->patience);
    p->patience.data = p;
    uv_timer_start(&p->patience, on_patience, PATIENCE_MS, 0);
}

static void
open_pair(struct pair *p, uint8_t family)
{
    open_loop(p);
    open_end(p, 0, family, false);
    open_end(p, 1, family, false);
    gvs_node_set_peers(p->end[1].node, &p->end[0].ep, NULL, 1);
}

static void
start_end(struct end *end)
{
    gvs_node_start(end->node, gvs_udp_now(), gvs_udp_wall());
    gvs_udp_kick(end->udp);
}

static void
on_udp_closed(void *ctx)
{
    struct end *end = ctx;

    end->closed = true;
}

static void
close_pair(struct pair *p)
{
    uv_close((uv_handle_t *)&p->patience, NULL);
    for (size_t i = 0; i < 2; i++)
        gvs_udp_close(p->end[i].udp, on_udp_closed, &p->end[i]);
    uv_run(&p->loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < 2; i++) {
        assert_true(p->end[i].closed);
        gvs_node_close(p->end[i].node);
    }
    assert_int_equal(uv_loop_close(&p->loop), 0);
}

static void
write_claim(struct end *end, unsigned k, uint32_t weight)
{
    struct gvs_backend backend = {.weight = weight};
    uint8_t value[GVS_VALUE_LEN_MAX];
    struct gvs_key key = {.kind = GVS_KEY_BACKEND};

    key.svc.proto = GVS_PROTO_TCP;
    key.svc.addr = (struct gvs_addr){GVS_FAMILY_V4, {10, 99, 0, 1}};
    key.svc.port = 80;
    key.ep.addr = (struct gvs_addr){GVS_FAMILY_V4, {10, 1, (uint8_t)(k >> 8), (uint8_t)k}};
    key.ep.port = 8080;
    assert_int_equal(gvs_node_write(end->node, gvs_udp_now(), gvs_udp_wall(), &key, false, value,
                                    gvs_backend_encode(value, &backend), NULL),
                     GVS_OK);
}

static void
run_once(struct pair *p)
{
    uv_run(&p->loop, UV_RUN_ONCE);
    if (p->impatient)
        fail_msg("nothing came of it in %d ms", PATIENCE_MS);
}

static bool
pair_agrees(const struct pair *p)
{
    return gvs_table_fingerprint(gvs_node_claims(p->end[0].node)) ==
           gvs_table_fingerprint(gvs_node_claims(p->end[1].node));
}

static void
run_until_joined(struct pair *p)
{
    while (gvs_node_count(p->end[0].node).alive < 2 || gvs_node_count(p->end[1].node).alive < 2)
        run_once(p);
}

static int
by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void
test_a_write_is_news_at_the_other_end(void **state)
{
    static struct pair p;
    uint64_t us[WRITES], began;
    size_t before;

    (void)state;
    open_pair(&p, GVS_FAMILY_V4);
    start_end(&p.end[0]);
    start_end(&p.end[1]);
    run_until_joined(&p);
    for (unsigned i = 0; i < WRITES; i++) {
        before = p.end[1].news;
        began = gvs_udp_now().us;
        write_claim(&p.end[0], i % 100, i);
        gvs_udp_kick(p.end[0].udp);
        while (p.end[1].news == before)
            run_once(&p);
        us[i] = p.end[1].news_us - began;
    }
    qsort(us, WRITES, sizeof *us, by_value);
    print_message("write to news over loopback, us: p50 %lu p99 %lu worst %lu\n",
                  (unsigned long)us[WRITES / 2], (unsigned long)us[WRITES * 99 / 100],
                  (unsigned long)us[WRITES - 1]);
    assert_true(us[WRITES / 2] < 20000); /* no tick is in the way */
    assert_int_equal(gvs_node_count(p.end[1].node).refused, 0);
    while (!pair_agrees(&p))
        run_once(&p);
    close_pair(&p);
}

static void
test_an_empty_node_takes_over_a_large_table(void **state)
{
    static struct pair p;
    uint64_t began;

    (void)state;
    open_pair(&p, GVS_FAMILY_V4);
    start_end(&p.end[0]);
    for (unsigned k = 0; k < ENTRIES; k++)
        write_claim(&p.end[0], k, 1);
    gvs_udp_kick(p.end[0].udp);
    began = gvs_udp_now().us;
    start_end(&p.end[1]);
    while (!pair_agrees(&p))
        run_once(&p);
    print_message("%d entries joined in %lu ms, %lu datagrams, %.1f bytes an entry\n", ENTRIES,
                  (unsigned long)((gvs_udp_now().us - began) / 1000),
                  (unsigned long)gvs_node_count(p.end[0].node).sent,
                  (double)gvs_node_count(p.end[0].node).sent_bytes / ENTRIES);
    assert_int_equal(gvs_table_count(gvs_node_claims(p.end[1].node)), ENTRIES);
    close_pair(&p);
}

static void
test_v6_sockets_work_alike(void **state)
{
    static struct pair p;

    (void)state;
    open_pair(&p, GVS_FAMILY_V6);
    start_end(&p.end[0]);
    start_end(&p.end[1]);
    run_until_joined(&p);
    write_claim(&p.end[1], 1, 1);
    gvs_udp_kick(p.end[1].udp);
    while (p.end[0].news == 0)
        run_once(&p);
    close_pair(&p);
}

/* What a name with both kinds of addresses comes to, at a socket that takes both. */
static void
test_a_peer_is_called_at_each_address_that_the_socket_reaches(void **state)
{
    static struct pair p;
    struct gvs_ep peers[2];

    (void)state;
    open_loop(&p);
    open_end(&p, 0, GVS_FAMILY_V4, false);
    open_end(&p, 1, GVS_FAMILY_V6, true);
    assert_true(gvs_udp_reaches(p.end[0].udp, GVS_FAMILY_V4));
    assert_false(gvs_udp_reaches(p.end[0].udp, GVS_FAMILY_V6));
    assert_true(gvs_udp_reaches(p.end[1].udp, GVS_FAMILY_V4));
    assert_true(gvs_udp_reaches(p.end[1].udp, GVS_FAMILY_V6));
    peers[0] = (struct gvs_ep){.addr = {GVS_FAMILY_V6, {[15] = 1}}, .port = p.end[0].ep.port};
    peers[1] = p.end[0].ep; /* at the other there is nobody */
    gvs_node_set_peers(p.end[1].node, peers, (unsigned[]){0, 0}, 2);
    start_end(&p.end[0]);
    start_end(&p.end[1]);
    run_until_joined(&p);
    close_pair(&p);
}

static void
test_a_socket_at_one_v6_address_reaches_no_v4(void **state)
{
    static struct pair p;

    (void)state;
    open_pair(&p, GVS_FAMILY_V6);
    assert_false(gvs_udp_reaches(p.end[0].udp, GVS_FAMILY_V4));
    close_pair(&p);
}

static void
test_a_taken_port_fails_and_leaves_nothing(void **state)
{
    static struct pair p;

    (void)state;
    open_pair(&p, GVS_FAMILY_V4);
    errno = 0;
    assert_null(gvs_udp_open(&p.loop, &p.end[0].ep, p.end[1].node, on_woken, &p.end[1]));
    assert_int_equal(errno, EADDRINUSE);
    close_pair(&p); /* the loop closes only if no handle is left */
}

static void
test_who_kicks_when_woken_is_not_woken_for_it(void **state)
{
    static struct pair p;

    (void)state;
    open_pair(&p, GVS_FAMILY_V4);
    start_end(&p.end[0]);
    start_end(&p.end[1]);
    run_until_joined(&p);
    p.end[0].kicks = true;
    p.end[0].woken = 0;
    for (int i = 0; i < 1000; i++)
        uv_run(&p.loop, UV_RUN_NOWAIT);
    print_message("woken %zu times in 1,000 turns\n", p.end[0].woken);
    assert_true(p.end[0].woken < 100);
    close_pair(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_write_is_news_at_the_other_end),
        cmocka_unit_test(test_an_empty_node_takes_over_a_large_table),
        cmocka_unit_test(test_v6_sockets_work_alike),
        cmocka_unit_test(test_a_peer_is_called_at_each_address_that_the_socket_reaches),
        cmocka_unit_test(test_a_socket_at_one_v6_address_reaches_no_v4),
        cmocka_unit_test(test_a_taken_port_fails_and_leaves_nothing),
        cmocka_unit_test(test_who_kicks_when_woken_is_not_woken_for_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
