/* Which merges overwrite something that the writer did not know. A row is what is taken, one after
 * the other: `OWNER WRITER MS PREV`, with owner 0 for the cluster. */
#include "test/core/entries.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "net/crypto.h"
#include "net/replica.h"

static const struct gvs_mono now = {1000000};

static void
open_replica(struct gvs_replica *r)
{
    static const struct gvs_keyring ring = {.count = 1, .key = {{.id = 7}}};
    struct gvs_node_config cfg = {.limits = {.entries = 600, .members = 2},
                                  .cluster = "test",
                                  .keyring = &ring,
                                  .random = {gvs_crypto_random, NULL},
                                  .name = "n1",
                                  .version = ""};
    struct gvs_id self = node(1);

    cfg.advertise.addr.family = GVS_FAMILY_V4;
    cfg.advertise.port = 1;
    assert_int_equal(gvs_replica_open(r, &cfg, &self, now), GVS_OK);
}

static void
take(struct gvs_replica *r, unsigned port, unsigned owner, unsigned writer, unsigned ms,
     unsigned prev)
{
    struct gvs_key key = {.kind = GVS_KEY_SERVICE,
                          .svc = {.proto = GVS_PROTO_TCP, .port = (uint16_t)port}};
    struct gvs_service s = {.name = "web", .sched = "wlc"};
    uint8_t value[GVS_VALUE_LEN_MAX], b[GVS_ENTRY_LEN_MAX];
    struct gvs_id by = node((uint8_t)writer);
    struct gvs_entry e;
    size_t len;

    key.svc.addr.family = GVS_FAMILY_V4;
    if (owner)
        key.owner = node((uint8_t)owner);
    len = gvs_service_encode(value, &s);
    len = gvs_prev_add(value, len, prev ? gvs_hlc_make(prev, 0) : 0);
    len = gvs_entry_build(b, &key, gvs_hlc_make(ms, 0), &by, false, value, len);
    assert_int_equal(gvs_entry_parse(&e, b, len), GVS_OK);
    assert_true(gvs_replica_take(r, now, (struct gvs_wall){1}, gvs_member_get(r->members, &r->self),
                                 &e) >= 0);
}

static void
test_what_the_writer_did_not_know_is_lent(void **state)
{
    static const struct {
        const char *why, *entries, *kept_over_lost;
    } rows[] = {
        {"a first one", "0 2 10 0", ""},
        {"one after the other", "0 2 10 0; 0 3 20 10; 0 2 30 20", ""},
        {"two first ones", "0 2 10 0; 0 3 20 0", "20>10"},
        {"two first ones, the lesser comes later", "0 3 20 0; 0 2 10 0", "20>10"},
        {"two after the same", "0 2 10 0; 0 3 20 10; 0 4 30 10", "30>20"},
        {"two after the same, in the other order", "0 2 10 0; 0 4 30 10; 0 3 20 10", "30>20"},
        {"one in between was missed", "0 2 10 0; 0 3 30 20", ""},
        {"an old one comes late", "0 2 10 0; 0 3 30 20; 0 2 20 10", ""},
        {"or an even older", "0 3 30 20; 0 2 10 0", ""},
        {"who wrote twice knew no more", "0 2 10 0; 0 3 20 0; 0 3 30 0", "20>10"},
        {"of which the first was missed", "0 2 10 0; 0 3 30 0", "30>10"},
        {"nobody races with himself", "0 2 10 0; 0 2 20 0", ""},
        {"the same again", "0 2 10 0; 0 3 20 0; 0 3 20 0", "20>10"},
        {"an owner does not race", "2 2 10 0; 2 2 20 0", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gvs_node_overwrite w;
        char copy[128], text[128] = "", *at = copy;
        struct gvs_replica r;
        uint64_t missed;

        open_replica(&r);
        snprintf(copy, sizeof copy, "%s", rows[i].entries);
        for (char *one; (one = strsep(&at, ";"));) {
            unsigned owner, writer, ms, prev;

            assert_int_equal(sscanf(one, "%u %u %u %u", &owner, &writer, &ms, &prev), 4);
            take(&r, 80, owner, writer, ms, prev);
        }
        while (gvs_replica_overwrite(&r, &w, &missed)) {
            struct gvs_entry kept, lost;
            size_t len = strlen(text);

            assert_int_equal(gvs_entry_parse(&kept, w.kept, w.kept_len), GVS_OK);
            assert_int_equal(gvs_entry_parse(&lost, w.lost, w.lost_len), GVS_OK);
            snprintf(text + len, sizeof text - len, "%s%u>%u", len ? " " : "",
                     (unsigned)gvs_hlc_ms(kept.order), (unsigned)gvs_hlc_ms(lost.order));
        }
        if (strcmp(text, rows[i].kept_over_lost) != 0)
            fail_msg("%s: \"%s\"", rows[i].why, text);
        gvs_replica_close(&r);
    }
}

static void
test_a_full_ring_counts_what_is_lost(void **state)
{
    struct gvs_node_overwrite w;
    struct gvs_replica r;
    uint64_t missed, count = 0;

    (void)state;
    open_replica(&r);
    for (unsigned i = 0; i < GVS_OVERWRITES_MAX + 5; i++) {
        take(&r, 1 + i, 0, 2, 10, 0);
        take(&r, 1 + i, 0, 3, 20, 0);
    }
    assert_true(gvs_replica_overwrite(&r, &w, &missed));
    assert_int_equal(missed, 5);
    for (count = 1; gvs_replica_overwrite(&r, &w, &missed); count++)
        assert_int_equal(missed, 0);
    assert_int_equal(count, GVS_OVERWRITES_MAX);
    gvs_replica_close(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_writer_did_not_know_is_lent),
        cmocka_unit_test(test_a_full_ring_counts_what_is_lost),
    };

    assert_int_equal(gvs_crypto_init(), 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
