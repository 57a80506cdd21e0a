/* test/ipvs/test_nl.c: what ipvs/nl_codec.h asks the kernel, byte by byte as a little-endian
 * machine writes it, and what is said when the kernel refuses. */
#include "test/ipvs/messages.h"

/* Requests, byte by byte. */

/* A message header: length and flags (REQUEST 1, ACK 4, DUMP 0x300) given, FAMILY, SEQ, no port;
 * then command, version 1. */
#define HEAD(len, flags, cmd) len "000000 2211 " flags " 04030201 00000000 " cmd "01 0000 "
#define TCP4                                                       \
    "0600 0100 0200 0000  0600 0200 0600 0000 " /* AF_INET, TCP */ \
    "1400 0300 0a630001 000000000000000000000000  0600 0400 0050 0000 "
#define UDP6                                                        \
    "0600 0100 0a00 0000  0600 0200 1100 0000 " /* AF_INET6, UDP */ \
    "1400 0300 fd000099000000000000000000000001  0600 0400 0102 0000 "
#define MARK6 "0600 0100 0a00 0000  0800 0500 05000000 "
#define DEST4 \
    "1400 0100 0a4d0004 000000000000000000000000  0600 0200 1f90 0000  0600 0b00 0200 0000 "
#define DEST6 \
    "1400 0100 fd000077000000000000000000000004  0600 0200 1f90 0000  0600 0b00 0a00 0000 "

static size_t
from_hex(uint8_t *out, const char *hex)
{
    size_t n = 0;

    for (; *hex; hex++) {
        unsigned v;

        if (*hex == ' ')
            continue;
        assert_int_equal(sscanf(hex++, "%2x", &v), 1);
        out[n++] = (uint8_t)v;
    }
    return n;
}

static void
test_requests_are_these_bytes(void **state)
{
    static const char t4[] = "10.99.0.1:80/tcp", u6[] = "[fd00:99::1]:258/udp",
                      m6[] = "fwmark:5/v6";
    static const char d4[] = "10.77.0.4:8080", d6[] = "[fd00:77::4]:8080";
    static const struct gvs_item_dest nat = {.weight = 258, .lower = 1, .upper = 2};
    static const struct gvs_item_dest gue = {.forward = 2, .tunnel = 1, .tunnel_port = 258};
    static const struct gvs_item_dest dr = {.weight = 1, .forward = 3};
    /* clang-format off */
    const struct {
        const char *why;
        struct gvs_op op;
        const char *hex;
    } rows[] = {
        {"NEW_SERVICE, IPv4: the port and the mask are big-endian, the rest is not",
         op_of(GVS_OP_SERVICE_ADD, full_service(t4, "wlc", 0, 0, 32)),
         HEAD("68", "0500", "01") "5400 0180 " TCP4
         "0800 0600 776c6300 "
         "0c00 0700 00000000ffffffff  0800 0800 00000000  0800 0900 ffffffff"},
        {"NEW_SERVICE, persistent by /20: the flag, the seconds, the mask",
         op_of(GVS_OP_SERVICE_ADD, full_service(t4, "mh", GVS_FLAG_PORT, 300, 20)),
         HEAD("68", "0500", "01") "5400 0180 " TCP4
         "0700 0600 6d680000 "
         "0c00 0700 11000000ffffffff  0800 0800 2c010000  0800 0900 fffff000"},
        {"SET_SERVICE, IPv6: the prefix length in host order",
         op_of(GVS_OP_SERVICE_EDIT, full_service(u6, "rr", GVS_FLAG_OPS, 0, 128)),
         HEAD("68", "0500", "02") "5400 0180 " UDP6
         "0700 0600 72720000 "
         "0c00 0700 04000000ffffffff  0800 0800 00000000  0800 0900 80000000"},
        {"NEW_SERVICE, mark: neither protocol, address nor port",
         op_of(GVS_OP_SERVICE_ADD, full_service(m6, "lblcr", 0, 0, 128)),
         HEAD("50", "0500", "01") "3c00 0180 " MARK6
         "0a00 0600 6c626c6372000000 "
         "0c00 0700 00000000ffffffff  0800 0800 00000000  0800 0900 80000000"},
        {"DEL_SERVICE: the identity alone",
         op_of(GVS_OP_SERVICE_DEL, full_service(t4, "wlc", 0, 9, 24)),
         HEAD("44", "0500", "03") "3000 0180 " TCP4},
        {"NEW_ANCHOR, IPv6: a mark, and no scheduler",
         op_of(GVS_OP_ANCHOR_ADD, (struct gvs_item){.svc.addr.family = GVS_FAMILY_V6}),
         HEAD("50", "0500", "01") "3c00 0180 0600 0100 0a00 0000  0800 0500 06007667 "
         "0900 0600 6e6f6e6500000000 "
         "0c00 0700 00000000ffffffff  0800 0800 00000000  0800 0900 80000000"},
        {"DEL_ANCHOR, IPv4",
         op_of(GVS_OP_ANCHOR_DEL, (struct gvs_item){.svc.addr.family = GVS_FAMILY_V4}),
         HEAD("28", "0500", "03") "1400 0180 0600 0100 0200 0000  0800 0500 04007667"},
        {"NEW_DEST, nat: no tunnel attributes",
         op_of(GVS_OP_DEST_ADD, full_dest(t4, d4, nat)),
         HEAD("8c", "0500", "05") "3000 0180 " TCP4 "4800 0280 " DEST4
         "0800 0300 00000000  0800 0400 02010000  0800 0500 02000000  0800 0600 01000000"},
        {"SET_DEST, tun by gue: type and port",
         op_of(GVS_OP_DEST_EDIT, full_dest(m6, d6, gue)),
         HEAD("80", "0500", "06") "1400 0180 " MARK6 "5800 0280 " DEST6
         "0800 0300 02000000  0800 0400 00000000  0800 0500 00000000  0800 0600 00000000 "
         "0500 0d00 01000000  0600 0e00 0102 0000"},
        {"NEW_DEST, dr, of the other family",
         op_of(GVS_OP_DEST_ADD, full_dest(u6, d4, dr)),
         HEAD("8c", "0500", "05") "3000 0180 " UDP6 "4800 0280 " DEST4
         "0800 0300 03000000  0800 0400 01000000  0800 0500 00000000  0800 0600 00000000"},
        {"DEL_DEST: both identities alone",
         op_of(GVS_OP_DEST_DEL, full_dest(t4, d4, gue)),
         HEAD("6c", "0500", "07") "3000 0180 " TCP4 "2800 0280 " DEST4},
    };
    /* clang-format on */

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t got[GVS_NL_REQUEST_LEN_MAX], want[GVS_NL_REQUEST_LEN_MAX];
        size_t len = from_hex(want, rows[i].hex);

        print_message("%s\n", rows[i].why);
        assert_int_equal(gvs_nl_encode(got, &rows[i].op, 1, FAMILY, SEQ), len);
        assert_memory_equal(got, want, len);
    }
}

static void
test_questions_are_these_bytes(void **state)
{
    struct gvs_svcid t4 = svcid("10.99.0.1:80"), m6 = svcid("fwmark:5/v6");
    uint8_t got[GVS_NL_REQUEST_LEN_MAX], want[GVS_NL_REQUEST_LEN_MAX];
    size_t len;

    (void)state;
    len = from_hex(want, HEAD("14", "0103", "04"));
    assert_int_equal(gvs_nl_encode_dump(got, NULL, FAMILY, SEQ), len);
    assert_memory_equal(got, want, len);
    len = from_hex(want, HEAD("44", "0103", "08") "3000 0180 " TCP4);
    assert_int_equal(gvs_nl_encode_dump(got, &t4, FAMILY, SEQ), len);
    assert_memory_equal(got, want, len);
    len = from_hex(want, HEAD("28", "0103", "08") "1400 0180 " MARK6);
    assert_int_equal(gvs_nl_encode_dump(got, &m6, FAMILY, SEQ), len);
    assert_memory_equal(got, want, len);
    len = from_hex(want, HEAD("14", "0100", "0f"));
    assert_int_equal(gvs_nl_encode_info(got, FAMILY, SEQ), len);
    assert_memory_equal(got, want, len);
    len = from_hex(want, HEAD("14", "0100", "0d"));
    assert_int_equal(gvs_nl_encode_config(got, FAMILY, SEQ), len);
    assert_memory_equal(got, want, len);
}

/* Numbers in a message, where the test looks at it. */
static uint32_t
get32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static uint16_t
get16(const uint8_t *p)
{
    uint16_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

/* The longest that there are, 64 of them: in order, numbered, and within the room that is promised.
 */
static void
test_a_batch_asks_for_one_acknowledgement(void **state)
{
    static uint8_t out[GVS_NL_BATCH_MAX * GVS_NL_REQUEST_LEN_MAX];
    struct gvs_op ops[GVS_NL_BATCH_MAX];
    size_t len, at = 0, n = 0;

    (void)state;
    for (size_t i = 0; i < GVS_NL_BATCH_MAX; i++)
        ops[i] = i % 2 ? op_of(GVS_OP_DEST_ADD,
                               full_dest("[fd00::1]:1", "[fd00::2]:2",
                                         (struct gvs_item_dest){.forward = GVS_FORWARD_TUN}))
                       : op_of(GVS_OP_SERVICE_ADD,
                               full_service("[fd00::1]:1", "fifteen_letters", 0, 0, 128));
    len = gvs_nl_encode(out, ops, GVS_NL_BATCH_MAX, FAMILY, UINT32_MAX - 1);
    for (; at < len; n++) {
        assert_true(get32(out + at) <= GVS_NL_REQUEST_LEN_MAX);
        assert_int_equal(get16(out + at + 6), n == GVS_NL_BATCH_MAX - 1 ? 5 : 1);
        assert_int_equal(get32(out + at + 8), UINT32_MAX - 1 + (uint32_t)n);
        assert_int_equal(out[at + 16], n % 2 ? 5 : 1);
        at += get32(out + at);
    }
    assert_int_equal(at, len);
    assert_int_equal(n, GVS_NL_BATCH_MAX);
}

static void
encode_address(void)
{
    struct gvs_op op = op_of(GVS_OP_ADDR_ADD, service("10.99.0.1:80"));
    uint8_t out[GVS_NL_REQUEST_LEN_MAX];

    gvs_nl_encode(out, &op, 1, FAMILY, SEQ);
}

static void
encode_netmask_0(void)
{
    struct gvs_op op = op_of(GVS_OP_SERVICE_ADD, full_service("10.99.0.1:80", "rr", 0, 0, 0));
    uint8_t out[GVS_NL_REQUEST_LEN_MAX];

    gvs_nl_encode(out, &op, 1, FAMILY, SEQ);
}

static void
encode_netmask_33(void)
{
    struct gvs_op op = op_of(GVS_OP_SERVICE_EDIT, full_service("10.99.0.1:80", "rr", 0, 0, 33));
    uint8_t out[GVS_NL_REQUEST_LEN_MAX];

    gvs_nl_encode(out, &op, 1, FAMILY, SEQ);
}

static void
encode_flag_hashed(void)
{
    struct gvs_op op = op_of(GVS_OP_SERVICE_EDIT, full_service("10.99.0.1:80", "rr", 2, 0, 32));
    uint8_t out[GVS_NL_REQUEST_LEN_MAX];

    gvs_nl_encode(out, &op, 1, FAMILY, SEQ);
}

static void
test_what_must_not_be_sent_ends_the_process(void **state)
{
    (void)state;
    assert_true(dies(encode_address));
    assert_true(dies(encode_netmask_0));
    assert_true(dies(encode_netmask_33));
    assert_true(dies(encode_flag_hashed));
}

static void
test_errors_are_said_in_words(void **state)
{
    static const struct {
        uint8_t kind;
        int error;
        const char *part;
    } rows[] = {
        {GVS_OP_SERVICE_ADD, ENOENT, "kernel has no scheduler 'maglev' (module ip_vs_maglev)"},
        {GVS_OP_SERVICE_EDIT, ENOENT, "ip_vs_maglev"},
        {GVS_OP_SERVICE_ADD, EEXIST, "there already"},
        {GVS_OP_SERVICE_EDIT, ESRCH, "the service is not there"},
        {GVS_OP_SERVICE_ADD, EAFNOSUPPORT, "IPv6 is disabled"},
        {GVS_OP_SERVICE_ADD, EPERM, "CAP_NET_ADMIN"},
        {GVS_OP_ANCHOR_ADD, ENOMEM, "out of memory"},
        {GVS_OP_DEST_ADD, ESRCH, "its service is not there"},
        {GVS_OP_DEST_EDIT, ENOENT, "the destination is not there"},
        {GVS_OP_DEST_ADD, EEXIST, "there already"},
        {GVS_OP_DEST_ADD, EINVAL, "is lo down?"},
        {GVS_OP_DEST_ADD, ERANGE, "out of range"},
        {GVS_OP_DEST_DEL, EBUSY, "the kernel says: Device or resource busy"},
    };
    char text[200], small[8];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gvs_op op = {.kind = rows[i].kind};

        if (op.kind == GVS_OP_SERVICE_ADD || op.kind == GVS_OP_SERVICE_EDIT)
            op.item = full_service("10.99.0.1:80", "maglev", 0, 0, 32);
        gvs_nl_explain(text, sizeof text, &op, rows[i].error);
        print_message("%s: %s\n", gvs_op_name(op.kind), text);
        assert_non_null(strstr(text, rows[i].part));
        gvs_nl_explain(small, sizeof small, &op, rows[i].error);
        assert_int_equal(strlen(small), 7);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_are_these_bytes),
        cmocka_unit_test(test_questions_are_these_bytes),
        cmocka_unit_test(test_a_batch_asks_for_one_acknowledgement),
        cmocka_unit_test(test_what_must_not_be_sent_ends_the_process),
        cmocka_unit_test(test_errors_are_said_in_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
