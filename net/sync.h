/* net/sync.h: find and mend what two tables do not share.
 *
 * Whoever learns that fingerprints differ sends the first cells of its table's sketch
 * (core/sketch.h). The other subtracts its own, and what is left decodes into exactly the ids that
 * differ, and says on which side each is; 88 cells, one datagram, settle about forty. If they do
 * not, it asks for twice as many, until they do:
 *
 *     SKETCH  decodes      --> PUSH what only I have, WANT what only he has
 *             not yet      --> MORE, answered by SKETCH
 *             not at all   --> SUMS: compare ranges of ids
 *     SUMS    part differs, many ids      --> SUMS of that part
 *             part differs, few           --> IDS: all that I have there
 *             part differs, I have none   --> IDS: nothing, so everything there is pushed
 *             part differs, he has none   --> PUSH, everything there
 *     IDS     ids that he lacks           --> PUSH
 *             ids that I lack             --> WANT
 *     WANT                                --> PUSH
 *
 * A node that joins and has next to nothing begins with IDS: nothing, and is given everything; a
 * table of a few entries begins with IDS as well, which is shorter than a sketch.
 *
 * Every message stands alone and a lost one costs time only. Nothing is kept for the other side but
 * cells that wait for more, of one peer at a time; cells count together only if they are of the
 * same moment, which the fingerprint beside them tells. What is to be sent waits as small work
 * items, in one pool for all peers, and is read from the table when a datagram is built; when the
 * pool is full, items are dropped, and the next comparison of fingerprints finds the rest. A part
 * of it is for short queues only: a peer or two for whom much waits, and who take their time, would
 * else keep all others from so much as beginning to search.
 *
 * Both sides of a pair may begin at once, and would mend everything twice: the one with the smaller
 * id leads, and does not answer the other's first message. Whoever is being given everything
 * answers nobody's, and asks nobody else for everything.
 *
 * A range is given in chunks whose order is bit-reversed, so that its ids come in no order: an
 * index in the order of ids (core/index.h) that is filled from one end is slow.
 *
 * Entries that came within the last second are left to relay: they are probably on their way to
 * the other already.
 */
#pragma once

#include "core/sketch.h"
#include "core/table.h"
#include "core/time.h"
#include "net/keylog.h"
#include "net/pace.h"
#include "net/wire.h"

#define GVS_SYNC_FEW 64 /* so many ids of both sides together are named one by one */
#define GVS_SYNC_INTERVAL_MS 300
#define GVS_SYNC_INTERVAL_MS_MAX 30000
#define GVS_SYNC_YOUNG_MS 1000
#define GVS_SYNC_WORK_MAX 16384
#define GVS_SYNC_WORK_PEER_MAX 8192 /* of these, in one queue of a peer */
#define GVS_SYNC_WORK_SPARE 2048    /* of these, kept for queues that are shorter than */
#define GVS_SYNC_WORK_SHORT 64

enum gvs_work_kind {
    GVS_WORK_SKETCH, /* cells first .. last */
    GVS_WORK_MORE,   /* likewise, of his */
    GVS_WORK_SUMS,
    GVS_WORK_IDS,
    GVS_WORK_PULL, /* IDS, as if we had nothing at all */
    GVS_WORK_WANT,
    GVS_WORK_RANGE,
    GVS_WORK_ALL, /* all claims, for a node that has none: young ones too */
    GVS_WORK_RUN, /* of these, `last` entries from the one with the id `first` on, once more */
    GVS_WORK_ID,
};

struct gvs_work {
    uint32_t next; /* in its queue, from 1; 0: the last */
    uint8_t kind;  /* enum gvs_work_kind */
    uint8_t table;
    uint8_t bits;         /* RANGE: it is given in so many chunks (a power of 2), */
    uint32_t chunk;       /* of which this is the next, */
    uint64_t at;          /* from this id on */
    uint64_t first, last; /* a closed range of ids, or of cells; WANT and ID: both are the id */
};

struct gvs_queue {
    uint32_t head, tail; /* from 1; 0: empty */
    uint32_t count;
    uint32_t of[GVS_TABLE_COUNT]; /* how many of these are about a table */
};

struct gvs_sync_peer {
    struct gvs_queue ask, give; /* for the search, and for entries */
    struct gvs_keybuf all;      /* ALL: what was given last */
    unsigned
        idle_answers; /* to pushes of the range at the head of `give`, in a row, with no news */
    struct {
        struct gvs_mono at; /* last started; zero: never */
        uint64_t own, his;  /* the fingerprints then */
        unsigned fruitless; /* starts in a row at which the difference was the same */
        unsigned vain;      /* the latest of these between which he gave us something */
        bool unanswered, came;
    } start[GVS_TABLE_COUNT];
    bool leads; /* where both of us search at once, our search counts and his does not */
};

/* Cells of one peer's sketch that did not decode yet. */
struct gvs_gather {
    struct gvs_sync_peer *whose; /* NULL: nobody's */
    enum gvs_table_no table;
    uint64_t fingerprint; /* that came with them; 0: they are to come once more */
    size_t want;          /* cells that were asked for */
    struct gvs_sketch_diff *diff;
    struct gvs_mono due;
    unsigned tries;
};

struct gvs_sync {
    const struct gvs_table *const *table; /* the two; borrowed */
    const struct gvs_keylog *news;        /* what came lately; borrowed */
    struct gvs_work *work;
    uint32_t used, free; /* places of `work`: those ever used; the first free one, from 1 */
    uint32_t waiting;    /* those in a queue */
    struct gvs_gather gather;
    struct {
        const struct gvs_sync_peer *from; /* NULL: nobody */
        struct gvs_mono until;            /* if nothing comes */
    } pull;                               /* of claims */
    void *memory[2]; /* for two differences: the one gathered, and the one at hand */
    unsigned turn;
};

/* GVS_E_SYS if memory is short; close all the same. */
int gvs_sync_open(struct gvs_sync *s, const struct gvs_table *const *table,
                  const struct gvs_keylog *news);
void gvs_sync_close(struct gvs_sync *s);

/* Nothing is owed to this peer any more, nor expected from it. */
void gvs_sync_reset(struct gvs_sync *s, struct gvs_sync_peer *p);

/* The fingerprints of a table differ. Starts a search unless one was started lately or its fruits
 * are still being sent. Returns whether it did. While nothing changes, the interval doubles. A node
 * that is joining and has next to nothing does not search: it takes everything. */
bool gvs_sync_start(struct gvs_sync *s, struct gvs_sync_peer *p, struct gvs_mono now,
                    enum gvs_table_no no, uint64_t his, bool joining);

/* He gave us entries of that table, of which so many were news. */
void gvs_sync_came(struct gvs_sync *s, struct gvs_sync_peer *p, struct gvs_mono now,
                   enum gvs_table_no no, uint64_t news);

/* Has search after search brought what we do not take, and nothing else? */
bool gvs_sync_is_vain(const struct gvs_sync_peer *p, enum gvs_table_no no);

/* When a search that was started now should have ended. */
uint64_t gvs_sync_interval_ms(const struct gvs_sync_peer *p, enum gvs_table_no no);

/* A message came. Sketch and ids return whether it showed that we lack nothing of that table.
 * `turn` says where of sixteen parts to begin, so that several who give the same ranges to one node
 * do not all begin with the same entries. */
bool gvs_sync_sketch(struct gvs_sync *s, struct gvs_sync_peer *p, struct gvs_mono now,
                     const struct gvs_msg *m);
void gvs_sync_more(struct gvs_sync *s, struct gvs_sync_peer *p, const struct gvs_msg *m);
void gvs_sync_sums(struct gvs_sync *s, struct gvs_sync_peer *p, struct gvs_mono now,
                   const struct gvs_msg *m, unsigned turn);
bool gvs_sync_ids(struct gvs_sync *s, struct gvs_sync_peer *p, struct gvs_mono now,
                  const struct gvs_msg *m);
void gvs_sync_want(struct gvs_sync *s, struct gvs_sync_peer *p, struct gvs_mono now,
                   const struct gvs_msg *m);

/* One entry to push, by id. */
void gvs_sync_give_id(struct gvs_sync *s, struct gvs_sync_peer *p, enum gvs_table_no no,
                      uint64_t id);

/* The next message of the search, at most `room` bytes of bin, which go to bin[]. False: none, or
 * no room. */
bool gvs_sync_ask(struct gvs_sync *s, struct gvs_sync_peer *p, size_t room, struct gvs_msg *m,
                  uint8_t bin[static GVS_BODY_LEN_MAX]);

/* The next PUSH. False: none. */
bool gvs_sync_give(struct gvs_sync *s, struct gvs_sync_peer *p, struct gvs_mono now, size_t room,
                   struct gvs_msg *m, struct gvs_cargo *cargo);

/* A push landed with so much news, or was lost. */
void gvs_sync_landed(struct gvs_sync *s, struct gvs_sync_peer *p, const struct gvs_cargo *cargo,
                     uint64_t news);
void gvs_sync_lost(struct gvs_sync *s, struct gvs_sync_peer *p, const struct gvs_cargo *cargo);

/* Asks again for cells that did not come; returns when to call again. */
struct gvs_mono gvs_sync_run(struct gvs_sync *s, struct gvs_mono now);
