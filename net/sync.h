/* net/sync.h: find and mend what two tables do not share, by ranges of ids.
 *
 * The id of an entry is a keyed 64-bit hash of its bytes, so the ids of a table lie evenly, and the
 * sum of those in a range says whether two nodes hold the same there. Whoever sees that
 * fingerprints differ sends the sums of sixteen parts of the whole range; the other compares with
 * its own, and answers for each part that differs:
 *
 *     SUMS  part differs, many ids      --> SUMS of that part
 *           part differs, few           --> IDS: all that I have there
 *           part differs, I have none   --> IDS: nothing, so everything there is pushed
 *           part differs, he has none   --> PUSH, everything there
 *     IDS   ids that he lacks           --> PUSH
 *           ids that I lack             --> WANT
 *     WANT                              --> PUSH
 *
 * Nothing is kept for the other side; every message stands alone and a lost one costs time only.
 * What is to be sent waits as small work items and is read from the table when a datagram is built.
 * Two bounded queues hold it: `ask` for the search, `give` for entries. A queue that is full drops;
 * the next comparison of fingerprints finds the rest.
 */
#pragma once

#include "core/table.h"
#include "core/time.h"
#include "net/relay.h"
#include "net/wire.h"

#define GVS_SYNC_FEW 64 /* so many ids of both sides together are named one by one */
#define GVS_SYNC_INTERVAL_MS 300
#define GVS_SYNC_INTERVAL_MS_MAX 30000
#define GVS_SYNC_QUEUE_MAX 1024

enum gvs_work_kind { GVS_WORK_SUMS, GVS_WORK_IDS, GVS_WORK_WANT, GVS_WORK_RANGE, GVS_WORK_ID };

struct gvs_work {
    uint8_t kind; /* enum gvs_work_kind */
    uint8_t table;
    uint64_t first, last; /* a closed range of ids; WANT and ID: both are the id */
};
struct gvs_work_queue {
    size_t at, count;
    struct gvs_work work[GVS_SYNC_QUEUE_MAX];
};

struct gvs_sync { /* one peer */
    struct gvs_work_queue ask, give;
    unsigned
        idle_answers; /* to pushes of the range at the head of `give`, in a row, with no news */
    struct {
        struct gvs_mono at; /* last started; zero: never */
        uint64_t own, his;  /* the fingerprints then */
        unsigned fruitless; /* starts in a row at which neither had changed */
    } start[GVS_TABLE_COUNT];
};

void gvs_sync_reset(struct gvs_sync *s);

/* The fingerprints of a table differ. Starts a search unless one was started lately or its fruits
 * are still being sent. Returns whether it did. While nothing changes, the interval doubles. */
bool gvs_sync_start(struct gvs_sync *s, struct gvs_mono now, enum gvs_table_no no, uint64_t own,
                    uint64_t his);

/* When a search started at `at` should have ended. */
uint64_t gvs_sync_interval_ms(const struct gvs_sync *s, enum gvs_table_no no);

/* A message came; `t` is the table that it names. `turn` says where of sixteen parts to begin, so
 * that several who give the same ranges to one node do not all begin with the same entries. */
void gvs_sync_sums(struct gvs_sync *s, const struct gvs_table *t, const struct gvs_msg *m,
                   unsigned turn);
void gvs_sync_ids(struct gvs_sync *s, const struct gvs_table *t, const struct gvs_msg *m);
void gvs_sync_want(struct gvs_sync *s, const struct gvs_msg *m);

/* One entry to push, by id. */
void gvs_sync_give_id(struct gvs_sync *s, enum gvs_table_no no, uint64_t id);

/* The next message of the search, at most `room` bytes of bin, which go to bin[]. False: none, or
 * no room. */
bool gvs_sync_ask(struct gvs_sync *s, const struct gvs_table *const table[static GVS_TABLE_COUNT],
                  size_t room, struct gvs_msg *m, uint8_t bin[static GVS_BODY_LEN_MAX]);

/* The next PUSH. False: none. */
bool gvs_sync_give(struct gvs_sync *s, const struct gvs_table *const table[static GVS_TABLE_COUNT],
                   size_t room, struct gvs_msg *m, struct gvs_cargo *cargo);

/* A push landed with so much news, or was lost. */
void gvs_sync_landed(struct gvs_sync *s, const struct gvs_cargo *cargo, uint64_t news);
void gvs_sync_lost(struct gvs_sync *s, const struct gvs_cargo *cargo);
