/* The agent and whom it calls: peers by name, and those that it knew. */
#include "test/tools/agent_bench.h"

#include <arpa/inet.h>
#include <netdb.h>

/* What each name comes to: addresses with a blank between. "": the resolver is down. */
static const char *volatile zone = "";

#define IN_PLACE_OF_LIBCS __attribute__((visibility("default")))

IN_PLACE_OF_LIBCS int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
            struct addrinfo **out)
{
    struct slot {
        struct addrinfo info;
        struct sockaddr_in6 sa;
    } *slots = calloc(16, sizeof *slots);
    char text[256], *save = NULL;
    size_t count = 0;

    (void)node, (void)service, (void)hints;
    assert_non_null(slots);
    snprintf(text, sizeof text, "%s", zone);
    for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        struct slot *s = &slots[count];
        struct sockaddr_in *sin = (struct sockaddr_in *)(void *)&s->sa;

        s->info.ai_addr = (struct sockaddr *)&s->sa;
        s->info.ai_family = strchr(word, ':') ? AF_INET6 : AF_INET;
        inet_pton(s->info.ai_family, word,
                  strchr(word, ':') ? (void *)&s->sa.sin6_addr : (void *)&sin->sin_addr);
        if (count++ > 0)
            slots[count - 2].info.ai_next = &s->info;
    }
    *out = count ? &slots[0].info : NULL;
    if (count == 0)
        free(slots);
    return count ? 0 : EAI_AGAIN;
}

IN_PLACE_OF_LIBCS void
freeaddrinfo(struct addrinfo *list)
{
    free(list);
}

static void
await_look_ups(struct bench *b)
{
    bool looking = true;

    while (looking) {
        uv_run(&b->loop, UV_RUN_ONCE);
        looking = false;
        for (size_t i = 0; i < b->agent->peer_count; i++)
            looking |= b->agent->peers[i].looking;
    }
}

/* Once more, when half a minute has passed. */
static void
look_up(struct bench *b, const char *now)
{
    await_look_ups(b);
    zone = now;
    b->agent->resolved.us = 0;
    gvs_peers_tick(b->agent, gvs_udp_now());
    await_look_ups(b);
}

/* What the node calls, in order: "127.0.0.2:7900/0", the last being whose it is. */
static const char *
called(const struct bench *b)
{
    static char text[GVS_NODE_PEERS_MAX * (GVS_EP_TEXT_LEN + 8)];
    char ep[GVS_EP_TEXT_LEN];
    size_t at = 0;

    text[0] = 0;
    for (size_t i = 0; i < b->agent->node->bootstrap_count; i++) {
        gvs_ep_format(ep, &b->agent->node->bootstrap[i].ep);
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s/", i ? " " : "", ep);
        if (b->agent->node->bootstrap[i].whose == GVS_NODE_HINT)
            at += (size_t)snprintf(text + at, sizeof text - at, "hint");
        else
            at += (size_t)snprintf(text + at, sizeof text - at, "%u",
                                   b->agent->node->bootstrap[i].whose);
    }
    return text;
}

static void
test_a_name_is_all_its_addresses_that_can_be_reached(void **state)
{
    struct bench b;

    (void)state;
    begin(&b);
    configure(&b, "peers = { \"one.example:7900\", \"127.0.0.9:7901\" }");
    zone = "";
    open_agent(&b);
    assert_string_equal(called(&b), "127.0.0.9:7901/1"); /* and waits for no resolver */
    look_up(&b, "::1 127.0.0.2 fd00::1 127.0.0.3 127.0.0.2");
    assert_string_equal(called(&b), "127.0.0.2:7900/0 127.0.0.9:7901/1 127.0.0.3:7900/0");
    end(&b);
}

/* A host's own name may be 127.0.1.1, and what is bound elsewhere is called by nobody there. */
static void
test_a_loopback_address_is_nobody_elses(void **state)
{
    struct bench b;

    (void)state;
    begin(&b);
    configure(&b, "peers = { \"one.example:7900\" }");
    open_agent(&b);
    b.agent->cfg.bind.addr = (struct gvs_addr){GVS_FAMILY_V4, {10, 9, 9, 1}};
    look_up(&b, "127.0.1.1 10.9.9.2");
    assert_string_equal(called(&b), "10.9.9.2:7900/0");
    look_up(&b, "127.0.1.1");
    assert_string_equal(called(&b), "");
    b.agent->cfg.bind.addr = (struct gvs_addr){GVS_FAMILY_V4, {0}};
    look_up(&b, "127.0.1.1");
    assert_string_equal(called(&b), "127.0.1.1:7900/0"); /* the node will see who is there */
    end(&b);
}

static void
test_the_last_addresses_stay_while_a_name_is_not_found(void **state)
{
    struct gvs_bootstrap *first;
    struct bench b;

    (void)state;
    begin(&b);
    configure(&b, "peers = { \"one.example:7900\" }");
    open_agent(&b);
    look_up(&b, "127.0.0.2 127.0.0.3");
    first = &b.agent->node->bootstrap[0];
    first->tries = 77;
    first->next = gvs_mono_add_ms(gvs_udp_now(), 60000); /* it counts no further meanwhile */
    look_up(&b, "");
    assert_true(b.agent->peers[0].failing);
    assert_string_equal(called(&b), "127.0.0.2:7900/0 127.0.0.3:7900/0");
    look_up(&b, "::1");
    assert_true(b.agent->peers[0].failing);
    assert_string_equal(called(&b), "127.0.0.2:7900/0 127.0.0.3:7900/0");
    assert_false(gvs_node_meets_all(b.agent->node));
    look_up(&b, "127.0.0.4 127.0.0.2");
    assert_false(b.agent->peers[0].failing);
    assert_string_equal(called(&b), "127.0.0.4:7900/0 127.0.0.2:7900/0");
    assert_int_equal(first[1].tries, 77); /* the pace, too */
    end(&b);
}

static void
test_a_reload_keeps_what_is_known_of_the_names_that_stay(void **state)
{
    struct gvs_fault f;
    struct bench b;

    (void)state;
    begin(&b);
    configure(&b, "peers = { \"one.example:7900\", \"two.example:7900\" }");
    open_agent(&b);
    look_up(&b, "127.0.0.2");
    zone = "";
    configure(&b, "peers = { \"three.example:7900\", \"two.example:7900\", \"two.example:7900\" }");
    assert_int_equal(gvs_agent_reload(b.agent, false, &f), GVS_OK);
    assert_string_equal(called(&b), "127.0.0.2:7900/1");
    look_up(&b, "127.0.0.5");
    assert_string_equal(called(&b), "127.0.0.5:7900/0 127.0.0.5:7900/1");
    end(&b);
}

static void
test_many_addresses_of_one_name_push_out_nobody(void **state)
{
    char node[1200] = "peers = {";
    struct bench b;

    (void)state;
    begin(&b);
    for (int i = 0; i < 30; i++)
        snprintf(node + strlen(node), sizeof node - strlen(node), "%s \"n%d.example:7900\"",
                 i ? "," : "", i);
    strcat(node, ", \"127.0.1.1:7900\" }");
    configure(&b, node);
    open_agent(&b);
    look_up(&b, "127.0.0.2 127.0.0.3 127.0.0.4 127.0.0.5 127.0.0.6 127.0.0.7");
    assert_int_equal(b.agent->node->bootstrap_count, GVS_NODE_PEERS_MAX);
    assert_non_null(strstr(called(&b), "127.0.1.1:7900/30"));
    end(&b);
}

/* The successor of a retired id begins with an empty table: it would know nobody but its configured
 * peers, and those may be gone for good. */
static void
test_who_was_retired_calls_at_those_whom_it_knew(void **state)
{
    struct gvs_key key = {.kind = GVS_KEY_MEMBER};
    uint8_t value[GVS_VALUE_LEN_MAX];
    struct gvs_store *store;
    struct bench b;

    (void)state;
    begin(&b);
    store = open_store(&b);
    for (uint8_t id = 2; id < 6; id++) { /* in all four states */
        size_t len = member_value_at(value, id);

        memset(key.owner.b, id, GVS_ID_LEN);
        store_entry(store, &key, gvs_member_order(3, (enum gvs_member_state)(5 - id)), value, len);
    }
    close_store(&b, store);
    open_agent(&b);
    assert_string_equal(called(&b), "");
    assert_int_equal(gvs_node_leave(b.agent->node, gvs_udp_now()), GVS_OK);
    gvs_agent_take_news(b.agent);
    reopen(&b);
    assert_false(gvs_node_retired(b.agent->node));
    assert_string_equal(called(&b), "10.77.0.5:7900/hint 10.77.0.4:7900/hint 10.77.0.3:7900/hint");
    reopen(&b); /* still nobody is known */
    assert_string_equal(called(&b), "10.77.0.5:7900/hint 10.77.0.4:7900/hint 10.77.0.3:7900/hint");
    assert_int_equal(gvs_node_leave(b.agent->node, gvs_udp_now()), GVS_OK);
    gvs_agent_take_news(b.agent);
    reopen(&b); /* nor did that one know anybody */
    assert_string_equal(called(&b), "10.77.0.5:7900/hint 10.77.0.4:7900/hint 10.77.0.3:7900/hint");
    close_agent(&b);
    store = open_store(&b);
    store_entry(store, &key, gvs_member_order(3, GVS_ALIVE), value, member_value_at(value, 5));
    close_store(&b, store);
    open_agent(&b);
    assert_string_equal(called(&b), "");
    close_agent(&b);
    assert_int_equal(stored(&b, GVS_BUCKET_META, "former", 6, value, sizeof value), GVS_E_NOTFOUND);
    end(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_name_is_all_its_addresses_that_can_be_reached),
        cmocka_unit_test(test_a_loopback_address_is_nobody_elses),
        cmocka_unit_test(test_the_last_addresses_stay_while_a_name_is_not_found),
        cmocka_unit_test(test_a_reload_keeps_what_is_known_of_the_names_that_stay),
        cmocka_unit_test(test_many_addresses_of_one_name_push_out_nobody),
        cmocka_unit_test(test_who_was_retired_calls_at_those_whom_it_knew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
