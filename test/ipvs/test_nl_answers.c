/* test/ipvs/test_nl_answers.c: what ipvs/nl_codec.h makes of the answers, right ones and others. */
#include "test/ipvs/messages.h"

/* All that a dump found; full at 64. */
struct found {
    struct gvs_nl_found v[64];
    size_t count, limit;
};

static bool
note(void *ctx, const struct gvs_nl_found *f)
{
    struct found *found = ctx;

    assert_true(found->count < 64);
    found->v[found->count++] = *f;
    return found->count != found->limit;
}

/* One datagram, in memory that ends where it ends. */
static int
feed(struct gvs_nl_dump *d, const uint8_t *b, size_t len)
{
    uint8_t *exact = malloc(len ? len : 1);
    int rc;

    assert_non_null(exact);
    memcpy(exact, b, len);
    rc = gvs_nl_dump(d, exact, len);
    free(exact);
    return rc;
}

static struct gvs_nl_dump
dump_of(const struct gvs_svcid *svc, struct found *found)
{
    *found = (struct found){0};
    return (struct gvs_nl_dump){.seq = SEQ, .family = FAMILY, .svc = svc, .fn = note, .ctx = found};
}

/* A dump with this one entry: what it finds, by GVS_OK, or GVS_E_LOST. */
static int
read_one(struct gvs_nl_found *out, const struct gvs_svcid *svc, const struct bytes *in)
{
    struct found found;
    struct gvs_nl_dump d = dump_of(svc, &found);
    struct bytes o = {0};
    int rc;

    put_entry(&o, svc ? 2 : 1, in);
    put_done(&o, 0);
    rc = feed(&d, o.b, o.len);
    if (rc != GVS_OK) {
        assert_int_equal(rc, GVS_E_LOST);
        assert_int_equal(found.count, 0);
        return rc;
    }
    assert_true(d.done);
    assert_int_equal(d.error, 0);
    assert_int_equal(found.count, 1);
    *out = found.v[0];
    return rc;
}

static void
test_a_service_is_read_as_the_kernel_writes_it(void **state)
{
    struct bytes in = kernel_service(0);
    struct gvs_item want = full_service("10.99.0.1:8080/tcp", "mh", GVS_FLAG_FALLBACK, 300, 20);
    struct gvs_nl_found f;

    (void)state;
    assert_int_equal(read_one(&f, NULL, &in), GVS_OK);
    assert_true(gvs_item_equal(&f.item, &want));
    assert_false(f.odd); /* the bit HASHED is the kernel's business */
    assert_int_equal(f.conns, UINT64_C(7) << 40);
    assert_int_equal(f.rates.conns, UINT64_C(1) << 32 | 6);
    assert_int_equal(f.rates.in_packets, UINT64_C(1) << 32 | 7);
    assert_int_equal(f.rates.out_packets, UINT64_C(1) << 32 | 8);
    assert_int_equal(f.rates.in_bytes, UINT64_C(1) << 32 | 9);
    assert_int_equal(f.rates.out_bytes, UINT64_C(1) << 32 | 10);

    in = kernel_service(1u << SVC_STATS64);
    assert_int_equal(read_one(&f, NULL, &in), GVS_OK);
    assert_int_equal(f.conns, 7);
    assert_int_equal(f.rates.conns, 6);
    assert_int_equal(f.rates.out_bytes, 10);
    in = kernel_service(1u << SVC_STATS64 | 1u << SVC_STATS);
    assert_int_equal(read_one(&f, NULL, &in), GVS_OK);
    assert_int_equal(f.conns, 0);

    put(&in, 200, "whatever", 8); /* of a kernel to come */
    put(&in, SVC_STATS64 + 1, "", 0);
    assert_int_equal(read_one(&f, NULL, &in), GVS_OK);
    assert_true(gvs_item_equal(&f.item, &want));
    assert_false(f.odd);
}

/* An attribute that comes twice counts as it comes last: so a row needs only what differs. */
static void
test_services_of_all_kinds_are_read(void **state)
{
    static const uint32_t plain[2] = {2, UINT32_MAX}, persistent[2] = {3, UINT32_MAX},
                          third[2] = {0x22, UINT32_MAX};
    static const uint8_t v6[16] = {0xfd, 0, 0, 0x99, [15] = 1};
    static const struct {
        const char *why;
        uint16_t type;
        size_t len;
        const void *data;
        bool odd;
        uint8_t proto, netmask;
        uint32_t persistent;
    } rows[] = {
        {"an address of 4 bytes", SVC_ADDR, 4, "\x0a\x63\0\1", false, 6, 20, 300},
        {"udp", SVC_PROTO, 2, "\x11\0", false, 17, 20, 300},
        {"sctp", SVC_PROTO, 2, "\x84\0", false, 132, 20, 300},
        {"ah is odd", SVC_PROTO, 2, "\x33\0", true, 51, 20, 300},
        {"protocol 0 is odd", SVC_PROTO, 2, "\0\0", true, 0, 20, 300},
        {"protocol 262 is odd and not 6", SVC_PROTO, 2, "\6\1", true, 255, 20, 300},
        {"seconds of a service that is not persistent say nothing", SVC_FLAGS, 8, plain, false, 6,
         20, 0},
        {"a flag that we do not know is odd", SVC_FLAGS, 8, third, true, 6, 20, 0},
        {"persistent for 0 s is odd", SVC_TIMEOUT, 4, "\0\0\0\0", true, 6, 20, 0},
        {"a persistence engine is odd", SVC_PE, 4, "sip", true, 6, 20, 300},
        {"a whole mask", SVC_NETMASK, 4, "\xff\xff\xff\xff", false, 6, 32, 300},
        {"a mask of one bit", SVC_NETMASK, 4, "\x80\0\0\0", false, 6, 1, 300},
        {"a mask with a hole is odd", SVC_NETMASK, 4, "\xff\0\xff\0", true, 6, 0, 300},
        {"a mask of no bits is odd", SVC_NETMASK, 4, "\0\0\0\0", true, 6, 0, 300},
    };
    struct gvs_item want = full_service("[fd00:99::1]:8080", "mh", 0, 300, 64);
    struct gvs_nl_found f;
    struct bytes in;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("%s\n", rows[i].why);
        in = kernel_service(0);
        put(&in, rows[i].type, rows[i].data, rows[i].len);
        assert_int_equal(read_one(&f, NULL, &in), GVS_OK);
        assert_int_equal(f.odd, rows[i].odd);
        assert_int_equal(f.item.svc.proto, rows[i].proto);
        assert_int_equal(f.item.service.netmask, rows[i].netmask);
        assert_int_equal(f.item.service.persistent, rows[i].persistent);
        assert_memory_equal(f.item.svc.addr.b, ((uint8_t[16]){10, 99, 0, 1}), 16);
        assert_int_equal(f.item.svc.port, 8080);
    }
    in = kernel_service(1u << SVC_FLAGS);
    put(&in, SVC_FLAGS, persistent, 8);
    put16(&in, SVC_AF, 10);
    put(&in, SVC_ADDR, v6, 16);
    put32(&in, SVC_NETMASK, 64);
    assert_int_equal(read_one(&f, NULL, &in), GVS_OK);
    assert_true(gvs_item_equal(&f.item, &want));
    put32(&in, SVC_NETMASK, 129);
    assert_int_equal(read_one(&f, NULL, &in), GVS_OK);
    assert_true(f.odd);
    put32(&in, SVC_NETMASK, 0);
    assert_int_equal(read_one(&f, NULL, &in), GVS_OK);
    assert_true(f.odd);
}

static void
test_marks_are_read(void **state)
{
    static const uint32_t gone = 1u << SVC_PROTO | 1u << SVC_ADDR | 1u << SVC_PORT | 1u << SVC_AF;
    struct bytes in = kernel_service(gone);
    struct gvs_item v4 = full_service("fwmark:4294967295", "mh", GVS_FLAG_FALLBACK, 300, 20);
    struct gvs_item v6 = full_service("fwmark:5/v6", "mh", GVS_FLAG_FALLBACK, 300, 64);
    struct gvs_nl_found f;

    (void)state;
    put16(&in, SVC_AF, 2);
    put32(&in, SVC_MARK, UINT32_MAX);
    assert_int_equal(read_one(&f, NULL, &in), GVS_OK);
    assert_true(gvs_item_equal(&f.item, &v4) && !f.odd);
    put16(&in, SVC_AF, 10);
    put32(&in, SVC_MARK, 5);
    put32(&in, SVC_NETMASK, 64);
    assert_int_equal(read_one(&f, NULL, &in), GVS_OK);
    assert_true(gvs_item_equal(&f.item, &v6) && !f.odd);
    put16(&in, SVC_AF, 1);
    assert_int_equal(read_one(&f, NULL, &in), GVS_E_LOST);
}

static void
test_destinations_of_all_kinds_are_read(void **state)
{
    static const uint8_t v6[16] = {0xfd, 0, 0, 0x77, [15] = 4};
    struct gvs_svcid svc = svcid("10.99.0.1:80");
    struct gvs_item want = full_dest("10.99.0.1:80", "10.77.0.4:80",
                                     (struct gvs_item_dest){.weight = 70000,
                                                            .lower = 10,
                                                            .upper = 20,
                                                            .forward = 2,
                                                            .tunnel = 1,
                                                            .tunnel_port = 6080});
    struct bytes in = kernel_dest(0);
    struct gvs_nl_found f;

    (void)state;
    assert_int_equal(read_one(&f, &svc, &in), GVS_OK);
    assert_true(gvs_item_equal(&f.item, &want));
    assert_false(f.odd);
    assert_int_equal(f.active, 3);
    assert_int_equal(f.inactive, 4);
    assert_int_equal(f.conns, 9);

    in = kernel_dest(1u << DST_AF | 1u << DST_STATS64); /* before 3.18 and 4.1 */
    assert_int_equal(read_one(&f, &svc, &in), GVS_OK);
    assert_true(gvs_item_equal(&f.item, &want));
    assert_int_equal(f.conns, 8);
    put16(&in, DST_AF, 0);
    assert_int_equal(read_one(&f, &svc, &in), GVS_OK);
    assert_true(gvs_item_equal(&f.item, &want));

    in = kernel_dest(1u << DST_TUN_TYPE | 1u << DST_TUN_PORT | 1u << DST_ACTIVE | 1u << DST_INACT |
                     1u << DST_STATS | 1u << DST_STATS64 | 1u << DST_UPPER | 1u << DST_LOWER);
    put32(&in, DST_FWD, 3);
    put16(&in, DST_AF, 10);
    put(&in, DST_ADDR, v6, 16);
    want = full_dest("10.99.0.1:80", "[fd00:77::4]:80",
                     (struct gvs_item_dest){.weight = 70000, .forward = 3});
    assert_int_equal(read_one(&f, &svc, &in), GVS_OK);
    assert_true(gvs_item_equal(&f.item, &want));
    assert_true(!f.odd && f.active == 0 && f.inactive == 0 && f.conns == 0);

    for (uint32_t forward = 0; forward < 8; forward++) {
        put32(&in, DST_FWD, forward);
        assert_int_equal(read_one(&f, &svc, &in), GVS_OK);
        assert_int_equal(f.odd, forward != 0 && forward != 2 && forward != 3);
    }
    put32(&in, DST_FWD, 2);
    put8(&in, DST_TUN_TYPE, 3);
    assert_int_equal(read_one(&f, &svc, &in), GVS_OK);
    assert_true(f.odd);
    put8(&in, DST_TUN_TYPE, 2);
    put16(&in, DST_TUN_FLAGS, 1);
    assert_int_equal(read_one(&f, &svc, &in), GVS_OK);
    assert_true(f.odd);
}

static void
test_what_does_not_parse_is_lost(void **state)
{
    static const uint16_t service_needs[] = {SVC_AF,    SVC_PROTO, SVC_ADDR,    SVC_PORT,
                                             SVC_SCHED, SVC_FLAGS, SVC_TIMEOUT, SVC_NETMASK};
    static const uint16_t dest_needs[] = {DST_ADDR, DST_PORT, DST_FWD, DST_WEIGHT};
    static const struct {
        const char *why;
        uint16_t type;
        size_t len;
        const char *data;
    } rows[] = {
        {"a family that we do not know", SVC_AF, 2, "\x63\0"},
        {"a family cut off", SVC_AF, 1, "\2"},
        {"an address of 3 bytes", SVC_ADDR, 3, "\x0a\x63\0"},
        {"a port of one byte", SVC_PORT, 1, "\x50"},
        {"a mark of two bytes", SVC_MARK, 2, "\5\0"},
        {"a scheduler without its end", SVC_SCHED, 3, "wlc"},
        {"a scheduler of no bytes", SVC_SCHED, 0, ""},
        {"a scheduler of 16 letters", SVC_SCHED, 17, "sixteen_letters_"},
        {"flags without a mask", SVC_FLAGS, 4, "\0\0\0\0"},
        {"seconds of two bytes", SVC_TIMEOUT, 2, "\5\0"},
        {"a mask of three bytes", SVC_NETMASK, 3, "\xff\xff\xff"},
        {"counters of two bytes", SVC_STATS64, 8, "\6\0\1\0\5\0\0\0"},
    };
    struct gvs_svcid svc = svcid("10.99.0.1:80"), svc6 = svcid("[fd00::1]:80");
    struct gvs_nl_found f;
    struct bytes in;

    (void)state;
    for (size_t i = 0; i < sizeof service_needs / sizeof *service_needs; i++) {
        in = kernel_service(1u << service_needs[i]);
        assert_int_equal(read_one(&f, NULL, &in), GVS_E_LOST);
    }
    for (size_t i = 0; i < sizeof dest_needs / sizeof *dest_needs; i++) {
        in = kernel_dest(1u << dest_needs[i]);
        assert_int_equal(read_one(&f, &svc, &in), GVS_E_LOST);
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("%s\n", rows[i].why);
        in = kernel_service(0);
        put(&in, rows[i].type, rows[i].data, rows[i].len);
        assert_int_equal(read_one(&f, NULL, &in), GVS_E_LOST);
    }
    in = kernel_dest(1u << DST_AF | 1u << DST_ADDR);
    put(&in, DST_ADDR, "\x0a\x4d\0\4", 4); /* the service's family is IPv6 */
    assert_int_equal(read_one(&f, &svc6, &in), GVS_E_LOST);
    in = kernel_dest(0);
    assert_int_equal(read_one(&f, NULL, &in), GVS_E_LOST); /* in answer to another question */
    in = kernel_service(0);
    assert_int_equal(read_one(&f, &svc, &in), GVS_E_LOST);
}

/* Ten services, by one datagram and by many. */
static void
test_a_dump_may_come_in_pieces(void **state)
{
    struct found found;
    struct gvs_nl_dump d = dump_of(NULL, &found);
    struct bytes all = {0}, in;

    (void)state;
    for (uint8_t i = 0; i < 10; i++) {
        struct bytes one = {0};

        in = kernel_service(0);
        put(&in, SVC_PORT, (uint8_t[]){0, i}, 2);
        put_entry(&all, 1, &in);
        put_entry(&one, 1, &in);
        assert_int_equal(feed(&d, one.b, one.len), GVS_OK);
        assert_false(d.done);
    }
    put_done(&all, 0);
    assert_int_equal(feed(&d, all.b + all.len - 20, 20), GVS_OK);
    assert_true(d.done && d.error == 0);
    assert_int_equal(found.count, 10);
    assert_int_equal(feed(&d, all.b, all.len), GVS_OK); /* what comes behind the end */
    assert_int_equal(found.count, 10);

    d = dump_of(NULL, &found);
    assert_int_equal(feed(&d, all.b, all.len), GVS_OK);
    assert_true(d.done && found.count == 10);
    for (uint16_t i = 0; i < 10; i++)
        assert_int_equal(found.v[i].item.svc.port, i);

    d = dump_of(NULL, &found);
    found.limit = 4;
    assert_int_equal(feed(&d, all.b, all.len), GVS_OK); /* wants no more, but reads to the end */
    assert_true(d.done && found.count == 4);
    d = dump_of(NULL, &found);
    assert_int_equal(feed(&d, all.b, 0), GVS_OK);
    assert_true(!d.done && found.count == 0);
}

/* Cut off anywhere, it is lost, unless between two messages: then it is not done. */
static void
test_a_dump_that_is_cut_off_is_lost(void **state)
{
    struct found found;
    struct gvs_nl_dump d;
    struct bytes in = kernel_service(0), o = {0};
    size_t entry;

    (void)state;
    put_entry(&o, 1, &in);
    entry = o.len;
    put_done(&o, 0);
    for (size_t n = 0; n < o.len; n++) {
        int rc;

        d = dump_of(NULL, &found);
        rc = feed(&d, o.b, n);
        assert_int_equal(rc, n == 0 || n == entry ? GVS_OK : GVS_E_LOST);
        assert_int_equal(found.count, n >= entry);
        assert_false(d.done);
    }
}

static void
test_a_dump_may_end_with_an_error(void **state)
{
    struct found found;
    struct gvs_nl_dump d = dump_of(NULL, &found);
    struct bytes in = kernel_service(0), o = {0};

    (void)state;
    put_entry(&o, 1, &in);
    put_done(&o, -ENOMEM);
    assert_int_equal(feed(&d, o.b, o.len), GVS_OK);
    assert_true(d.done && d.error == ENOMEM && found.count == 1);

    o.len = 0;
    put_answer(&o, SEQ, -EPERM);
    d = dump_of(NULL, &found);
    assert_int_equal(feed(&d, o.b, o.len), GVS_OK);
    assert_true(d.done && d.error == EPERM);

    o.len = 0;
    put_done(&o, 1); /* no errno */
    d = dump_of(NULL, &found);
    assert_int_equal(feed(&d, o.b, o.len), GVS_E_LOST);

    o.len = 0;
    put_entry(&o, 1, &in);
    put_done(&o, 0);
    o.b[o.len - 20 + 6] |= FLAG_INTR; /* in the flags of the end: the table changed under it */
    d = dump_of(NULL, &found);
    assert_int_equal(feed(&d, o.b, o.len), GVS_E_LOST);

    o.len = 0;
    put_message(&o, FAMILY + 1, FLAG_MULTI, SEQ, "\1\1\0\0", 4);
    d = dump_of(NULL, &found);
    assert_int_equal(feed(&d, o.b, o.len), GVS_E_LOST);

    o.len = 0;
    put_answer(&o, SEQ - 1, -EPERM); /* of an earlier question */
    put_done(&o, 0);
    d = dump_of(NULL, &found);
    assert_int_equal(feed(&d, o.b, o.len), GVS_OK);
    assert_true(d.done && d.error == 0);
}

/* A request to add and the kernel's listing say the same in the same way: what we write, we read.
 */
static void
test_what_we_write_we_read(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 2000); seed++) {
        struct gvs_prng p = gvs_prng_init(seed);
        struct universe u;

        universe_random(&u, &p);
        for (size_t i = 0; i < WORLD_THINGS; i++) {
            struct gvs_item item = thing_item(&u, i, gvs_prng_below(&p, WORLD_VARIANTS));
            bool is_dest = item.kind == GVS_ITEM_DEST;
            struct gvs_op op = op_of(is_dest ? GVS_OP_DEST_ADD : GVS_OP_SERVICE_ADD, item);
            struct found found;
            struct gvs_nl_dump d = dump_of(is_dest ? &item.svc : NULL, &found);
            _Alignas(4) uint8_t b[GVS_NL_REQUEST_LEN_MAX];
            size_t len;

            if (!is_dest)
                op.item.service.flags &= GVS_FLAGS_ALL;
            if (!is_dest && op.item.service.netmask == 0)
                op.item.service.netmask = 1;
            if (is_dest && op.item.dest.forward != GVS_FORWARD_TUN)
                op.item.dest.tunnel = 0, op.item.dest.tunnel_port = 0;
            len = gvs_nl_encode(b, &op, 1, FAMILY, SEQ);
            assert_int_equal(feed(&d, b, len), GVS_OK);
            assert_int_equal(found.count, 1);
            assert_true(gvs_item_equal(&found.v[0].item, &op.item));
        }
    }
}

static void
test_errors_find_their_requests(void **state)
{
    static const uint32_t firsts[] = {1, 1000, UINT32_MAX - 10};

    (void)state;
    for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++) {
        uint32_t first = firsts[i];
        int errors[GVS_NL_BATCH_MAX] = {0};
        struct gvs_nl_answers a = {.seq = first, .count = GVS_NL_BATCH_MAX, .errors = errors};
        struct bytes o = {0};

        put_answer(&o, first - 1, -EINVAL); /* late, of an earlier batch */
        put_answer(&o, first + 7, -EEXIST);
        put_answer(&o, first + 40, -ESRCH);
        put_answer(&o, first + 64, -EINVAL); /* of none */
        assert_int_equal(gvs_nl_answers(&a, o.b, o.len), GVS_OK);
        assert_false(a.done);
        o.len = 0;
        put_answer(&o, first + 63, i == 0 ? 0 : -ERANGE);
        assert_int_equal(gvs_nl_answers(&a, o.b, o.len), GVS_OK);
        assert_true(a.done);
        for (int n = 0; n < GVS_NL_BATCH_MAX; n++)
            assert_int_equal(errors[n], n == 7    ? EEXIST
                                        : n == 40 ? ESRCH
                                        : n == 63 ? (i == 0 ? 0 : ERANGE)
                                                  : 0);
    }
}

static void
test_answers_that_make_no_sense_are_lost(void **state)
{
    struct bytes o = {0};
    int errors[2] = {0};
    struct gvs_nl_answers a = {.seq = SEQ, .count = 2, .errors = errors};

    (void)state;
    put_answer(&o, SEQ + 1, 5); /* no errno */
    assert_int_equal(gvs_nl_answers(&a, o.b, o.len), GVS_E_LOST);
    o.len = 0;
    put_answer(&o, SEQ, INT32_MIN);
    assert_int_equal(gvs_nl_answers(&a, o.b, o.len), GVS_E_LOST);
    o.len = 0;
    put_message(&o, TYPE_ERROR, 0, SEQ, "\0\0\0\0", 4); /* an error without its request's header */
    assert_int_equal(gvs_nl_answers(&a, o.b, o.len), GVS_E_LOST);
    o.len = 0;
    put_message(&o, FAMILY, 0, SEQ, "\1\1\0\0", 4); /* no answer to a change */
    assert_int_equal(gvs_nl_answers(&a, o.b, o.len), GVS_E_LOST);
    o.len = 0;
    put_answer(&o, SEQ, -EPERM);
    assert_int_equal(gvs_nl_answers(&a, o.b, o.len - 1), GVS_E_LOST); /* cut off */
    assert_false(a.done);
    assert_int_equal(errors[0], 0);
    assert_int_equal(errors[1], 0);
}

static void
test_the_version_is_read(void **state)
{
    struct bytes body = {.b = {14, 1}, .len = 4}, o = {0};
    uint32_t version = 0;
    int error;

    (void)state;
    put32(&body, 1, 0x010201);
    put32(&body, 2, 4096);
    put_message(&o, FAMILY, 0, SEQ, body.b, body.len);
    assert_int_equal(gvs_nl_info(&version, &error, SEQ, o.b, o.len), GVS_OK);
    assert_int_equal(version, 0x010201);
    assert_int_equal(error, 0);
    assert_int_equal(gvs_nl_info(&version, &error, SEQ + 1, o.b, o.len), GVS_E_LOST);
    assert_int_equal(gvs_nl_info(&version, &error, SEQ, o.b, o.len - 1), GVS_E_LOST);
    o.len = 0;
    put_answer(&o, SEQ, -EPERM);
    assert_int_equal(gvs_nl_info(&version, &error, SEQ, o.b, o.len), GVS_OK);
    assert_int_equal(error, EPERM);
    o.len = 0;
    put_answer(&o, SEQ, 0); /* an acknowledgement is no version */
    assert_int_equal(gvs_nl_info(&version, &error, SEQ, o.b, o.len), GVS_E_LOST);
}

static void
test_the_timeouts_are_read(void **state)
{
    struct bytes body = {.b = {13, 1}, .len = 4}, o = {0};
    struct gvs_timeouts t = {1, 1, 1};
    int error;

    (void)state;
    put32(&body, 4, 900);
    put32(&body, 6, 300); /* a protocol that is not built in is left out */
    put_message(&o, FAMILY, 0, SEQ, body.b, body.len);
    assert_int_equal(gvs_nl_config(&t, &error, SEQ, o.b, o.len), GVS_OK);
    assert_int_equal(error, 0);
    assert_int_equal(t.tcp, 900);
    assert_int_equal(t.tcpfin, 0);
    assert_int_equal(t.udp, 300);
    put32(&body, 5, 120);
    o.len = 0;
    put_message(&o, FAMILY, 0, SEQ, body.b, body.len);
    assert_int_equal(gvs_nl_config(&t, &error, SEQ, o.b, o.len), GVS_OK);
    assert_int_equal(t.tcpfin, 120);
    assert_int_equal(gvs_nl_config(&t, &error, SEQ + 1, o.b, o.len), GVS_E_LOST);
    assert_int_equal(gvs_nl_config(&t, &error, SEQ, o.b, o.len - 1), GVS_E_LOST);
    o.len = 0;
    put_answer(&o, SEQ, -EPERM);
    assert_int_equal(gvs_nl_config(&t, &error, SEQ, o.b, o.len), GVS_OK);
    assert_int_equal(error, EPERM);
}

/* Anything may come: nothing is read or written beyond it, and all ends. */
static void
feed_all(const uint8_t *b, size_t len)
{
    struct gvs_svcid svc = svcid("[fd00::1]:80");
    uint8_t *exact = malloc(len);
    int errors[GVS_NL_BATCH_MAX] = {0}, error;
    struct gvs_nl_answers a = {.seq = SEQ - 5, .count = GVS_NL_BATCH_MAX, .errors = errors};
    struct found found;
    struct gvs_nl_dump d = dump_of(NULL, &found);
    struct gvs_timeouts timeouts;
    uint32_t version;

    assert_non_null(exact);
    memcpy(exact, b, len);
    gvs_nl_dump(&d, exact, len);
    d = dump_of(&svc, &found);
    gvs_nl_dump(&d, exact, len);
    gvs_nl_answers(&a, exact, len);
    gvs_nl_info(&version, &error, SEQ, exact, len);
    gvs_nl_config(&timeouts, &error, SEQ, exact, len);
    for (size_t i = 0; i < GVS_NL_BATCH_MAX; i++)
        assert_true(errors[i] >= 0);
    free(exact);
}

static void
test_random_bytes_do_no_harm(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 30000); seed++) {
        struct gvs_prng p = gvs_prng_init(seed);
        uint8_t b[200];
        size_t len = 1 + gvs_prng_below(&p, sizeof b);

        gvs_prng_fill(&p, b, len);
        feed_all(b, len);
    }
}

/* Right answers of which a few bytes are wrong: these get far. */
static void
test_spoiled_answers_do_no_harm(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 30000); seed++) {
        struct gvs_prng p = gvs_prng_init(seed);
        struct bytes in, o = {0};
        size_t len;

        in = kernel_service((uint32_t)(gvs_prng_next(&p) & gvs_prng_next(&p) & gvs_prng_next(&p)));
        put_entry(&o, 1, &in);
        in = kernel_dest((uint32_t)(gvs_prng_next(&p) & gvs_prng_next(&p) & gvs_prng_next(&p)));
        put_entry(&o, 2, &in);
        put_answer(&o, SEQ, -EEXIST);
        put_done(&o, 0);
        for (uint32_t n = gvs_prng_below(&p, 6); n > 0; n--)
            o.b[gvs_prng_below(&p, (uint32_t)o.len)] = (uint8_t)(gvs_prng_next(&p) >> 8);
        if (gvs_prng_chance(&p, 1, 2)) /* or a length, by a little */
            o.b[4 * gvs_prng_below(&p, (uint32_t)(o.len / 4))] += (uint8_t)gvs_prng_below(&p, 9);
        len = gvs_prng_chance(&p, 1, 2) ? o.len : 1 + gvs_prng_below(&p, (uint32_t)o.len);
        feed_all(o.b, len);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_service_is_read_as_the_kernel_writes_it),
        cmocka_unit_test(test_services_of_all_kinds_are_read),
        cmocka_unit_test(test_marks_are_read),
        cmocka_unit_test(test_destinations_of_all_kinds_are_read),
        cmocka_unit_test(test_what_does_not_parse_is_lost),
        cmocka_unit_test(test_a_dump_may_come_in_pieces),
        cmocka_unit_test(test_a_dump_that_is_cut_off_is_lost),
        cmocka_unit_test(test_a_dump_may_end_with_an_error),
        cmocka_unit_test_teardown(test_what_we_write_we_read, test_seed_teardown),
        cmocka_unit_test(test_errors_find_their_requests),
        cmocka_unit_test(test_answers_that_make_no_sense_are_lost),
        cmocka_unit_test(test_the_version_is_read),
        cmocka_unit_test(test_the_timeouts_are_read),
        cmocka_unit_test_teardown(test_random_bytes_do_no_harm, test_seed_teardown),
        cmocka_unit_test_teardown(test_spoiled_answers_do_no_harm, test_seed_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
