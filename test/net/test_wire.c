/* Bodies: the golden ones byte for byte, and every way to damage them. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/bytes.h"
#include "core/sketch.h"
#include "core/value.h"
#include "net/wire.h"
#include "test/lib/prng.h"

#define GOLDEN "test/golden/bodies.txt"

/* --- the messages of docs/wire-bodies.md --- */

struct sample {
    struct gvs_msg m;
    uint8_t entry[2][GVS_ENTRY_LEN_MAX];
    uint8_t bin[GVS_SKETCH_PIECE * GVS_SKETCH_CELL_LEN];
};

static void
add_sample_entry(struct sample *s, size_t i, const struct gvs_key *key, uint64_t order,
                 const struct gvs_id *writer, bool tombstone, const uint8_t *value, size_t len)
{
    size_t n = gvs_entry_build(s->entry[i], key, order, writer, tombstone, value, len);

    assert_int_equal(gvs_entry_parse(&s->m.entry[i], s->entry[i], n), GVS_OK);
    s->m.entry_count = i + 1;
}

static void
fill_push(struct sample *s)
{
    struct gvs_member_value member = {
        .name = "lb1", .boot = 0x1122334455667788, .version = "0.1.0"};
    struct gvs_key key = {.kind = GVS_KEY_BACKEND};
    uint8_t value[GVS_VALUE_LEN_MAX];
    struct gvs_id writer;

    memset(&writer, 0xa1, sizeof writer);
    key.svc = (struct gvs_svcid){.proto = GVS_PROTO_TCP, .port = 80};
    key.svc.addr = (struct gvs_addr){GVS_FAMILY_V4, {10, 99, 0, 1}};
    key.ep.addr = (struct gvs_addr){GVS_FAMILY_V4, {10, 77, 0, 4}};
    key.ep.port = 8080;
    add_sample_entry(s, 0, &key, gvs_hlc_make(1763827200000, 3), &writer, true, value,
                     gvs_tombstone_encode(value, false));
    member.ep = (struct gvs_ep){.addr = {GVS_FAMILY_V4, {10, 77, 0, 1}}, .port = 7900};
    key = (struct gvs_key){.kind = GVS_KEY_MEMBER, .owner = writer};
    add_sample_entry(s, 1, &key, gvs_member_order(7, GVS_SUSPECT), NULL, false, value,
                     gvs_member_encode(value, &member));
}

static void
fill_sample(struct sample *s, enum gvs_msg_type type)
{
    *s = (struct sample){.m = {.type = type}};
    switch (type) {
    case GVS_MSG_PROBE:
    case GVS_MSG_ACK:
        s->m.seq = 300;
        s->m.claims = 0x0123456789abcdef;
        s->m.members = 0xfedcba9876543210;
        s->m.wall_ms = type == GVS_MSG_PROBE ? 1763827200123 : 0;
        s->m.status = type == GVS_MSG_PROBE ? GVS_STATUS_IN_STEP : 0;
        break;
    case GVS_MSG_PROBE_REQ:
    case GVS_MSG_VOUCH:
        s->m.seq = 127;
        memset(&s->m.id, 0xb2, sizeof s->m.id);
        break;
    case GVS_MSG_PUSH:
        s->m.seq = 1;
        s->m.arc = 2;
        fill_push(s);
        break;
    case GVS_MSG_PUSH_ACK:
        s->m.seq = 70000;
        s->m.news = 2;
        s->m.mask = 0x8000000000000007;
        break;
    case GVS_MSG_SUMS:
        s->m.last = UINT64_MAX;
        for (size_t i = 0; i < GVS_SUMS_PARTS; i++) {
            gvs_put64(s->bin + 12 * i, i * 0x1111111111111111);
            gvs_put32(s->bin + 12 * i + 8, (uint32_t)i);
        }
        s->m.bin = (struct gvs_bytes){s->bin, GVS_SUMS_LEN};
        break;
    case GVS_MSG_SKETCH:
        s->m.fingerprint = 0x0123456789abcdef;
        s->m.first = 88;
        for (size_t i = 0; i < 2; i++) {
            uint8_t *cell = s->bin + i * GVS_SKETCH_CELL_LEN;

            gvs_put64(cell, 0x1111111111111111 * (i + 1));
            gvs_put32(cell + 8, (uint32_t)(0xc0ffee00 + i));
            cell[12] = (uint8_t)(5 + i);
        }
        s->m.bin = (struct gvs_bytes){s->bin, 2 * GVS_SKETCH_CELL_LEN};
        break;
    case GVS_MSG_MORE:
        s->m.table = GVS_TABLE_MEMBERS;
        s->m.first = 88;
        s->m.last = 175;
        break;
    case GVS_MSG_VECTOR:
        s->m.claims = 0x0123456789abcdef;
        s->m.members = 0xfedcba9876543210;
        s->m.status = GVS_STATUS_IN_STEP;
        memset(s->bin, 0xa1, GVS_ID_LEN);
        gvs_put64(s->bin + GVS_ID_LEN, 0x019aac4b30000003);
        s->m.bin = (struct gvs_bytes){s->bin, GVS_ID_LEN + 8};
        break;
    case GVS_MSG_REFUSED:
        gvs_put64(s->bin, 0x1000000000000000);
        s->m.bin = (struct gvs_bytes){s->bin, 8};
        break;
    case GVS_MSG_IDS:
    case GVS_MSG_WANT:
        s->m.table = type == GVS_MSG_IDS ? GVS_TABLE_MEMBERS : GVS_TABLE_CLAIMS;
        s->m.first = type == GVS_MSG_IDS ? 0x1000000000000000 : 0;
        s->m.last = type == GVS_MSG_IDS ? 0x1fffffffffffffff : 0;
        gvs_put64(s->bin, 0x1000000000000000);
        gvs_put64(s->bin + 8, 0x1fffffffffffffff);
        s->m.bin = (struct gvs_bytes){s->bin, 16};
        break;
    }
}

static const struct {
    const char *name;
    enum gvs_msg_type type;
} rows[] = {
    {"PROBE", GVS_MSG_PROBE},     {"ACK", GVS_MSG_ACK},           {"PROBE_REQ", GVS_MSG_PROBE_REQ},
    {"PUSH", GVS_MSG_PUSH},       {"PUSH_ACK", GVS_MSG_PUSH_ACK}, {"SUMS", GVS_MSG_SUMS},
    {"IDS", GVS_MSG_IDS},         {"WANT", GVS_MSG_WANT},         {"SKETCH", GVS_MSG_SKETCH},
    {"VOUCH", GVS_MSG_VOUCH},     {"MORE", GVS_MSG_MORE},         {"VECTOR", GVS_MSG_VECTOR},
    {"REFUSED", GVS_MSG_REFUSED},
};
#define ROWS (sizeof rows / sizeof *rows)

static void
assert_same(const struct gvs_msg *a, const struct gvs_msg *b)
{
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->seq, b->seq);
    assert_int_equal(a->claims, b->claims);
    assert_int_equal(a->members, b->members);
    assert_int_equal(a->wall_ms, b->wall_ms);
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->arc, b->arc);
    assert_int_equal(a->repair, b->repair);
    assert_int_equal(a->news, b->news);
    assert_int_equal(a->mask, b->mask);
    assert_int_equal(a->fingerprint, b->fingerprint);
    assert_int_equal(a->table, b->table);
    assert_int_equal(a->first, b->first);
    assert_int_equal(a->last, b->last);
    assert_memory_equal(&a->id, &b->id, sizeof a->id);
    assert_int_equal(a->bin.len, b->bin.len);
    if (a->bin.len > 0)
        assert_memory_equal(a->bin.b, b->bin.b, a->bin.len);
    assert_int_equal(a->entry_count, b->entry_count);
    for (size_t i = 0; i < a->entry_count; i++) {
        assert_int_equal(a->entry[i].len, b->entry[i].len);
        assert_memory_equal(a->entry[i].b, b->entry[i].b, a->entry[i].len);
    }
}

/* A body's messages; -1 if it is malformed. Copied to a block of its very size, for the sanitizer.
 */
static int
count_messages(const uint8_t *bytes, size_t len)
{
    uint8_t *b = malloc(len > 0 ? len : 1);
    struct gvs_wire_reader r;
    struct gvs_msg m;
    int count = -1;

    assert_non_null(b);
    memcpy(b, bytes, len);
    if (gvs_wire_open(&r, b, len) == GVS_OK) {
        for (count = 0; gvs_wire_next(&r, &m); count++)
            continue;
        count += (int)r.unknown;
    }
    free(b);
    return count;
}

static void
body_of(struct gvs_body *body, enum gvs_msg_type type)
{
    struct sample s;

    fill_sample(&s, type);
    gvs_body_init(body);
    assert_int_equal(gvs_body_add(body, &s.m), GVS_OK);
}

/* --- golden --- */

/* One line: NAME, then hex in any grouping; lines that begin with white space go on. Returns the
 * length. */
static size_t
read_golden(const char *name, uint8_t *b, size_t cap)
{
    FILE *f = fopen(GOLDEN, "r");
    char line[256];
    bool ours = false;
    size_t len = 0;

    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        const char *p = line;

        if (*p == '#' || *p == '\n')
            continue;
        if (!isspace((unsigned char)*p)) {
            size_t n = strcspn(line, " \n");

            ours = strlen(name) == n && strncmp(line, name, n) == 0;
            p += n;
        }
        for (unsigned byte; ours && sscanf(p, " %2x", &byte) == 1; p += 2) {
            p += strspn(p, " \n");
            assert_true(len < cap);
            b[len++] = (uint8_t)byte;
        }
    }
    fclose(f);
    return len;
}

static void
test_golden_bodies_are_read_and_written_byte_for_byte(void **state)
{
    uint8_t golden[GVS_BODY_LEN_MAX];
    struct gvs_wire_reader r;
    struct gvs_body body;
    struct gvs_msg m;
    struct sample s;

    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        size_t len = read_golden(rows[i].name, golden, sizeof golden);

        print_message("%s: %zu bytes\n", rows[i].name, len);
        fill_sample(&s, rows[i].type);
        body_of(&body, rows[i].type);
        assert_int_equal(body.len, len);
        assert_memory_equal(body.b, golden, len);
        assert_int_equal(gvs_wire_open(&r, golden, len), GVS_OK);
        m = (struct gvs_msg){.type = 0};
        assert_true(gvs_wire_next(&r, &m));
        assert_same(&m, &s.m);
        assert_false(gvs_wire_next(&r, &m));
    }
}

static void
test_messages_share_a_body_in_order(void **state)
{
    struct gvs_wire_reader r;
    struct gvs_body body;
    struct gvs_msg m;
    struct sample s[ROWS];

    (void)state;
    gvs_body_init(&body);
    for (size_t i = 0; i < ROWS; i++) {
        fill_sample(&s[i], rows[i].type);
        assert_int_equal(gvs_body_add(&body, &s[i].m), GVS_OK);
    }
    assert_int_equal(gvs_wire_open(&r, body.b, body.len), GVS_OK);
    for (size_t i = 0; i < ROWS; i++) {
        m = (struct gvs_msg){.type = 0};
        assert_true(gvs_wire_next(&r, &m));
        assert_same(&m, &s[i].m);
    }
    assert_false(gvs_wire_next(&r, &m));
}

/* --- damage --- */

static void
test_every_truncation_is_malformed(void **state)
{
    struct gvs_body body;

    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        body_of(&body, rows[i].type);
        for (size_t len = 0; len < body.len; len++)
            assert_int_equal(count_messages(body.b, len), -1);
        assert_int_equal(count_messages(body.b, body.len), 1);
    }
}

/* Flips in numbers and bytes give other messages, those of the frame none; nothing is read outside,
 * and what is read is written again: in the same bytes but for keys that were passed over. */
static void
test_every_flipped_bit_is_read_whole_or_not_at_all(void **state)
{
    size_t read = 0, refused = 0;
    struct gvs_wire_reader r;
    struct gvs_body body, again;
    struct gvs_msg m;

    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        body_of(&body, rows[i].type);
        for (size_t bit = 0; bit < 8 * body.len; bit++) {
            body.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (count_messages(body.b, body.len) < 0) {
                refused++;
            } else {
                read++;
                gvs_body_init(&again);
                assert_int_equal(gvs_wire_open(&r, body.b, body.len), GVS_OK);
                while (gvs_wire_next(&r, &m))
                    assert_int_equal(gvs_body_add(&again, &m), GVS_OK);
                assert_true(again.len <= body.len);
                assert_int_equal(count_messages(again.b, again.len), again.count);
                if (again.len == body.len)
                    assert_memory_equal(again.b, body.b, body.len); /* I2 */
            }
            body.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
    print_message("%zu read as another message, %zu refused\n", read, refused);
    assert_true(refused > 1000);
}

static void
test_a_body_counts_whole_or_not_at_all(void **state)
{
    struct gvs_body body;
    struct sample s;

    (void)state;
    gvs_body_init(&body);
    fill_sample(&s, GVS_MSG_PUSH);
    assert_int_equal(gvs_body_add(&body, &s.m), GVS_OK);
    fill_sample(&s, GVS_MSG_PUSH_ACK);
    s.m.mask = 0;
    assert_int_equal(gvs_body_add(&body, &s.m), GVS_OK);
    assert_int_equal(count_messages(body.b, body.len), 2);
    body.b[body.len - 1] = 0xc0; /* the last message's last value becomes nil */
    assert_int_equal(count_messages(body.b, body.len), -1);
}

/* --- what may and may not stand in a body --- */

static void
test_rows_of_the_format(void **state)
{
    static const struct {
        const char *why;
        int messages; /* -1: malformed */
        size_t len;
        uint8_t b[40];
    } cases[] = {
        {"no message", 0, 1, {0x90}},
        {"not an array", -1, 1, {0x80}},
        {"an acknowledgement", 1, 8, {0x91, 0x92, 5, 0x82, 1, 9, 2, 1}},
        {"with trailing bytes", -1, 9, {0x91, 0x92, 5, 0x82, 1, 9, 2, 1, 0}},
        {"an acknowledgement with a mask", 1, 10, {0x91, 0x92, 5, 0x83, 1, 9, 2, 1, 3, 7}},
        {"a mask of nothing", -1, 10, {0x91, 0x92, 5, 0x83, 1, 9, 2, 1, 3, 0}},
        {"a mask that is a bool", -1, 10, {0x91, 0x92, 5, 0x83, 1, 9, 2, 1, 3, 0xc3}},
        {"a mask, and no news", -1, 8, {0x91, 0x92, 5, 0x82, 1, 9, 3, 1}},
        {"an unknown key behind", 1, 10, {0x91, 0x92, 5, 0x83, 1, 9, 2, 1, 4, 0xc3}},
        {"an unknown key behind a mask", 1, 12, {0x91, 0x92, 5, 0x84, 1, 9, 2, 1, 3, 7, 4, 0xc3}},
        {"an unknown key with an array", 1, 11, {0x91, 0x92, 5, 0x83, 1, 9, 2, 1, 4, 0x91, 1}},
        {"an unknown key too deep", -1, 12, {0x91, 0x92, 5, 0x83, 1, 9, 2, 1, 4, 0x91, 0x91, 1}},
        {"an unknown key in front", 1, 10, {0x91, 0x92, 5, 0x83, 0, 0xc3, 1, 9, 2, 1}},
        {"a key twice", -1, 10, {0x91, 0x92, 5, 0x83, 1, 9, 1, 9, 2, 1}},
        {"descending keys", -1, 8, {0x91, 0x92, 5, 0x82, 2, 1, 1, 9}},
        {"a key is missing", -1, 6, {0x91, 0x92, 5, 0x81, 1, 9}},
        {"a number is a bool", -1, 8, {0x91, 0x92, 5, 0x82, 1, 0xc3, 2, 1}},
        {"a message of one element", -1, 3, {0x91, 0x91, 5}},
        {"a message of three", -1, 9, {0x91, 0x93, 5, 0x82, 1, 9, 2, 1, 0}},
        {"an unknown type, passed over", 1, 9, {0x91, 0x92, 99, 0x81, 1, 0x92, 7, 0xc4, 0}},
        {"an unknown type, but malformed", -1, 8, {0x91, 0x92, 99, 0x81, 1, 0xa1, 'a', 0}},
        {"an unknown type without a map", -1, 4, {0x91, 0x92, 99, 1}},
        {"an unknown type too deep", -1, 8, {0x91, 0x92, 99, 0x81, 1, 0x91, 0x91, 1}},
        {"a probe", 1, 14, {0x91, 0x92, 1, 0x85, 1, 9, 2, 1, 3, 1, 4, 1, 5, 0}},
        {"a probe whose status has a bit of tomorrow",
         1,
         15,
         {0x91, 0x92, 1, 0x85, 1, 9, 2, 1, 3, 1, 4, 1, 5, 0xcc, 0x81}},
        {"a probe whose status is a bool",
         -1,
         14,
         {0x91, 0x92, 1, 0x85, 1, 9, 2, 1, 3, 1, 4, 1, 5, 0xc2}},
        {"a probe without a clock", -1, 12, {0x91, 0x92, 1, 0x84, 1, 9, 2, 1, 3, 1, 5, 0}},
        {"an answer to a probe, which has no clock",
         1,
         12,
         {0x91, 0x92, 2, 0x84, 1, 9, 2, 1, 3, 1, 5, 1}},
        {"one with a clock, which is passed over",
         1,
         14,
         {0x91, 0x92, 2, 0x85, 1, 9, 2, 1, 3, 1, 4, 1, 5, 1}},
        {"one without a status", -1, 10, {0x91, 0x92, 2, 0x83, 1, 9, 2, 1, 3, 1}},
        {"an empty push", 1, 8, {0x91, 0x92, 4, 0x82, 1, 1, 2, 0x90}},
        {"a push with an arc", 1, 10, {0x91, 0x92, 4, 0x83, 1, 1, 2, 0x90, 3, 1}},
        {"of the last level", 1, 10, {0x91, 0x92, 4, 0x83, 1, 1, 2, 0x90, 3, 5}},
        {"of a level that there is not", -1, 10, {0x91, 0x92, 4, 0x83, 1, 1, 2, 0x90, 3, 6}},
        {"an arc written as 0", -1, 10, {0x91, 0x92, 4, 0x83, 1, 1, 2, 0x90, 3, 0}},
        {"a push of reconciliation", 1, 10, {0x91, 0x92, 4, 0x83, 1, 1, 2, 0x90, 4, 1}},
        {"repair 2", -1, 10, {0x91, 0x92, 4, 0x83, 1, 1, 2, 0x90, 4, 2}},
        {"repair written as 0", -1, 10, {0x91, 0x92, 4, 0x83, 1, 1, 2, 0x90, 4, 0}},
        {"both", 1, 12, {0x91, 0x92, 4, 0x84, 1, 1, 2, 0x90, 3, 5, 4, 1}},
        {"both, descending", -1, 12, {0x91, 0x92, 4, 0x84, 1, 1, 2, 0x90, 4, 1, 3, 5}},
        {"an arc, and an unknown key", 1, 12, {0x91, 0x92, 4, 0x84, 1, 1, 2, 0x90, 3, 5, 9, 1}},
        {"an arc that is bytes", -1, 11, {0x91, 0x92, 4, 0x83, 1, 1, 2, 0x90, 3, 0xc4, 0}},
        {"more cells", 1, 10, {0x91, 0x92, 11, 0x83, 1, 0, 2, 88, 3, 89}},
        {"more cells backwards", -1, 10, {0x91, 0x92, 11, 0x83, 1, 0, 2, 88, 3, 87}},
        {"more cells of a third table", -1, 10, {0x91, 0x92, 11, 0x83, 1, 2, 2, 88, 3, 89}},
        {"one cell", 1, 26, {0x91, 0x92, 9, 0x84, 1, 0, 2, 7, 3, 0, 4, 0xc4, 13}},
        {"no cell", -1, 13, {0x91, 0x92, 9, 0x84, 1, 0, 2, 7, 3, 0, 4, 0xc4, 0}},
        {"a part of a cell", -1, 25, {0x91, 0x92, 9, 0x84, 1, 0, 2, 7, 3, 0, 4, 0xc4, 12}},
        {"a cell without its table's fingerprint",
         -1,
         24,
         {0x91, 0x92, 9, 0x83, 1, 0, 3, 0, 4, 0xc4, 13}},
        {"a push of what is no entry", -1, 11, {0x91, 0x92, 4, 0x82, 1, 1, 2, 0x91, 0xc4, 1, 0}},
        {"ids in order", 1, 25, {0x91, 0x92, 8, 0x82, 1, 0, 2, 0xc4, 16, 0, 0, 0, 0,
                                 0,    0,    0, 1,    0, 0, 0, 0,    0,  0, 0, 2}},
        {"ids twice", -1, 25, {0x91, 0x92, 8, 0x82, 1, 0, 2, 0xc4, 16, 0, 0, 0, 0,
                               0,    0,    0, 1,    0, 0, 0, 0,    0,  0, 0, 1}},
        {"an id and a half", -1, 21, {0x91, 0x92, 8, 0x82, 1, 0, 2, 0xc4, 12, 0, 0,
                                      0,    0,    0, 0,    0, 1, 0, 0,    0,  0}},
        {"a third table", -1, 9, {0x91, 0x92, 8, 0x82, 1, 2, 2, 0xc4, 0}},
        {"ids of a range, none", 1, 13, {0x91, 0x92, 7, 0x84, 1, 0, 2, 5, 3, 5, 4, 0xc4, 0}},
        {"a range backwards", -1, 13, {0x91, 0x92, 7, 0x84, 1, 0, 2, 6, 3, 5, 4, 0xc4, 0}},
        {"an id above the range", -1, 21, {0x91, 0x92, 7, 0x84, 1, 0, 2, 5, 3, 5, 4,
                                           0xc4, 8,    0, 0,    0, 0, 0, 0, 0, 6}},
        {"an id below the range", -1, 21, {0x91, 0x92, 7, 0x84, 1, 0, 2, 5, 3, 5, 4,
                                           0xc4, 8,    0, 0,    0, 0, 0, 0, 0, 4}},
        {"sums of the wrong length",
         -1,
         14,
         {0x91, 0x92, 6, 0x84, 1, 0, 2, 5, 3, 5, 4, 0xc4, 1, 0}},
        {"an id of all zeros", -1, 25, {0x91, 0x92, 3, 0x82, 1, 1, 2, 0xc4, 16}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (count_messages(cases[i].b, cases[i].len) != cases[i].messages)
            fail_msg("%s", cases[i].why);
    }
}

static void
test_random_bodies_are_read_whole_or_not_at_all(void **state)
{
    struct gvs_body body;

    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 20000); seed++) {
        struct gvs_prng prng = gvs_prng_init(seed);

        body_of(&body, rows[gvs_prng_below(&prng, ROWS)].type);
        for (unsigned n = gvs_prng_below(&prng, 6); n > 0; n--)
            body.b[gvs_prng_below(&prng, (uint32_t)body.len)] = (uint8_t)gvs_prng_next(&prng);
        count_messages(body.b, gvs_prng_below(&prng, 4) == 0
                                   ? gvs_prng_below(&prng, (uint32_t)body.len)
                                   : body.len);
    }
}

/* --- options --- */

static void
test_an_option_is_left_out_or_says_something(void **state)
{
    static const struct {
        uint64_t arc, repair;
        size_t len;
    } cases[] = {{0, 0, 8}, {1, 0, 10}, {5, 0, 10}, {0, 1, 10}, {3, 1, 12}};
    struct gvs_wire_reader r;
    struct gvs_body body;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gvs_msg m = {
            .type = GVS_MSG_PUSH, .seq = 1, .arc = cases[i].arc, .repair = cases[i].repair};

        gvs_body_init(&body);
        assert_int_equal(gvs_body_add(&body, &m), GVS_OK);
        assert_int_equal(body.len, cases[i].len);
        assert_int_equal(gvs_wire_open(&r, body.b, body.len), GVS_OK);
        m.arc = m.repair = 77; /* of an earlier message */
        assert_true(gvs_wire_next(&r, &m));
        assert_int_equal(m.arc, cases[i].arc);
        assert_int_equal(m.repair, cases[i].repair);
    }
}

/* One message has no more cells than a datagram, and that many it has. */
static void
test_a_sketch_of_the_room_fits(void **state)
{
    struct gvs_body body;
    struct sample s;

    (void)state;
    fill_sample(&s, GVS_MSG_SKETCH);
    s.m.fingerprint = UINT64_MAX;
    s.m.first = UINT64_MAX;
    s.m.bin.len = GVS_SKETCH_PIECE * GVS_SKETCH_CELL_LEN;
    gvs_body_init(&body);
    assert_true(gvs_body_room(&body) >= s.m.bin.len);
    assert_int_equal(gvs_body_add(&body, &s.m), GVS_OK);
    assert_int_equal(count_messages(body.b, body.len), 1);
}

/* --- bounds of writing --- */

static void
test_a_body_takes_fifteen_messages(void **state)
{
    struct gvs_body body;
    struct sample s;

    (void)state;
    fill_sample(&s, GVS_MSG_PUSH_ACK);
    gvs_body_init(&body);
    for (int i = 0; i < GVS_BODY_MESSAGES_MAX; i++)
        assert_int_equal(gvs_body_add(&body, &s.m), GVS_OK);
    assert_int_equal(gvs_body_add(&body, &s.m), GVS_E_NOSPACE);
    assert_int_equal(gvs_body_room(&body), 0);
    assert_int_equal(count_messages(body.b, body.len), GVS_BODY_MESSAGES_MAX);
}

static void
test_what_does_not_fit_leaves_the_body_as_it_was(void **state)
{
    struct gvs_body body, before;
    struct sample s;

    (void)state;
    fill_sample(&s, GVS_MSG_SUMS);
    gvs_body_init(&body);
    do
        before = body;
    while (gvs_body_add(&body, &s.m) == GVS_OK);
    assert_int_equal(body.len, before.len);
    assert_int_equal(body.count, before.count);
    assert_memory_equal(body.b, before.b, body.len);
    assert_int_equal(count_messages(body.b, body.len), (int)body.count);
}

/* The promise of gvs_body_room: whatever fits into it fits into the body. */
static void
test_a_push_of_the_room_fits(void **state)
{
    struct gvs_body body;
    struct gvs_msg m;
    struct sample s;

    (void)state;
    for (int acks = 0; acks < GVS_BODY_MESSAGES_MAX; acks++) {
        size_t room;

        gvs_body_init(&body);
        fill_sample(&s, GVS_MSG_ACK);
        for (int i = 0; i < acks; i++)
            assert_int_equal(gvs_body_add(&body, &s.m), GVS_OK);
        room = gvs_body_room(&body);
        fill_sample(&s, GVS_MSG_PUSH);
        m = (struct gvs_msg){.type = GVS_MSG_PUSH, .seq = UINT64_MAX};
        while (gvs_msg_add_entry(&m, &s.m.entry[0], &room))
            continue;
        assert_int_equal(gvs_body_add(&body, &m), GVS_OK);
        assert_int_equal(count_messages(body.b, body.len), acks + 1);
        assert_true(body.len <= GVS_BODY_LEN_MAX);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_bodies_are_read_and_written_byte_for_byte),
        cmocka_unit_test(test_messages_share_a_body_in_order),
        cmocka_unit_test(test_every_truncation_is_malformed),
        cmocka_unit_test(test_every_flipped_bit_is_read_whole_or_not_at_all),
        cmocka_unit_test(test_a_body_counts_whole_or_not_at_all),
        cmocka_unit_test(test_rows_of_the_format),
        cmocka_unit_test_teardown(test_random_bodies_are_read_whole_or_not_at_all,
                                  test_seed_teardown),
        cmocka_unit_test(test_an_option_is_left_out_or_says_something),
        cmocka_unit_test(test_a_sketch_of_the_room_fits),
        cmocka_unit_test(test_a_body_takes_fifteen_messages),
        cmocka_unit_test(test_what_does_not_fit_leaves_the_body_as_it_was),
        cmocka_unit_test(test_a_push_of_the_room_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
