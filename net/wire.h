/* net/wire.h: the bodies of datagrams: what members say to each other.
 *
 * A body is one msgpack array of messages, each [type, {key: value, ...}]. The format, key by key,
 * stands in docs/wire-bodies.md; the table at the head of net/wire.c is the same in C and serves
 * both directions. A message of an unknown type and an unknown key are passed over: that is how the
 * format grows.
 *
 *   I1  A body is checked as a whole before anything in it is lent: all of it counts, or nothing.
 *   I2  What is written is read back as the same, and has one spelling only.
 */
#pragma once

#include "core/entry.h"
#include "net/cursor.h"
#include "net/session.h"

/* Never renumber. */
enum gvs_msg_type {
    GVS_MSG_PROBE = 1,     /* are you there? this is how I stand */
    GVS_MSG_ACK = 2,       /* the answer to a PROBE */
    GVS_MSG_PROBE_REQ = 3, /* please probe that member for me */
    GVS_MSG_PUSH = 4,      /* entries */
    GVS_MSG_PUSH_ACK = 5,  /* the answer to a PUSH */
    GVS_MSG_SUMS = 6,      /* what I hold of a range of ids, in sixteen parts */
    GVS_MSG_IDS = 7,       /* all ids that I hold of a range */
    GVS_MSG_WANT = 8,      /* ids whose entries I lack */
    GVS_MSG_SKETCH = 9,    /* cells of my sketch of a table */
    GVS_MSG_VOUCH = 10,    /* the member of your PROBE_REQ has answered me */
    GVS_MSG_MORE = 11,     /* cells of yours that I need to tell what differs */
    GVS_MSG_VECTOR = 12,   /* up to which stamp I have taken in each writer */
    GVS_MSG_REFUSED = 13,  /* ids of yours that were deleted long ago */
};

enum gvs_table_no { GVS_TABLE_CLAIMS = 0, GVS_TABLE_MEMBERS = 1, GVS_TABLE_COUNT };

#define GVS_SUMS_PARTS 16
#define GVS_SUMS_LEN (GVS_SUMS_PARTS * 12) /* each: sum (u64), count (u32), big-endian */

#define GVS_SKETCH_PIECE 88 /* cells in one message */

/* What a PROBE and an ACK say in one number; higher bits are kept. */
#define GVS_STATUS_IN_STEP 0x01u /* the sender's kernel is as its table wants it */
#define GVS_STATUS_SYNCED 0x02u  /* the sender is not behind (gvs_node_synced) */
#define GVS_STATUS_MET 0x04u /* each of the sender's other bootstrap peers has a session, or left */
#define GVS_STATUS_HOUR_SHIFT 3 /* six bits: the hour up to which tombstones do not count */
#define GVS_STATUS_HOUR_MASK 0x3fu
#define GVS_STATUS_AHEAD \
    0x200u /* stamps that the sender has seen lie in the future by its clocks */
#define GVS_STATUS_OBSERVES 0x400u /* the sender writes nothing to its kernel */

#define GVS_ARC_MAX 5 /* net/relay.h */

/* A body holds no more: the shortest entry takes 27 bytes, and 2 for its length. */
#define GVS_PUSH_ENTRIES_MAX 48

struct gvs_bytes {
    const uint8_t *b;
    size_t len;
};

/* Of the members below `type`, a message uses those that its row of the table names. */
struct gvs_msg {
    uint64_t type;
    uint64_t seq;
    uint64_t claims, members; /* fingerprints */
    uint64_t wall_ms;
    uint64_t status; /* GVS_STATUS_* */
    struct gvs_id id;
    uint64_t arc;    /* PUSH: the level that the receiver is to serve; 0: none */
    uint64_t repair; /* PUSH: 1 if reconciliation sends it */
    uint64_t news;   /* PUSH_ACK: how many of the entries were */
    uint64_t mask;   /* PUSH_ACK: bit i says that seq - 1 - i has come as well */
    uint64_t table;
    uint64_t fingerprint; /* of that table, at this moment */
    uint64_t first, last; /* a closed range of ids; SKETCH: first cell; MORE: cells */
    struct gvs_bytes bin; /* SUMS: the parts; IDS and WANT: ascending ids, 8 bytes each,
                big-endian; SKETCH: cells (core/sketch.h); VECTOR: a chunk (core/vector.h) */
    size_t entry_count;
    struct gvs_entry entry[GVS_PUSH_ENTRIES_MAX];
};

/* --- reading --- */

struct gvs_wire_reader {
    struct gvs_cursor cursor; /* borrowed: the body must outlive the reader */
    size_t left;
    size_t unknown; /* messages of types that this version does not know */
};

/* Checks all of the body; GVS_E_MALFORMED. */
int gvs_wire_open(struct gvs_wire_reader *r, const uint8_t *b, size_t len);

/* The next message of a known type; false at the end. Its bytes are lent from the body. */
bool gvs_wire_next(struct gvs_wire_reader *r, struct gvs_msg *m);

/* --- writing --- */

#define GVS_BODY_MESSAGES_MAX 15

struct gvs_body {
    size_t len, count;
    uint8_t b[GVS_BODY_LEN_MAX];
};

void gvs_body_init(struct gvs_body *body);

/* Appends a message. GVS_E_NOSPACE: it does not fit, the body is as it was. */
int gvs_body_add(struct gvs_body *body, const struct gvs_msg *m);

/* How many bytes the array of a PUSH, or the bin of another message, may still take. */
size_t gvs_body_room(const struct gvs_body *body);

/* Adds an entry to a PUSH that has *room bytes left, and takes from them. False: it does not fit.
 */
bool gvs_msg_add_entry(struct gvs_msg *m, const struct gvs_entry *e, size_t *room);
