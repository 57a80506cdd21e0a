/* test/ipvs/fake.h: a kernel in memory, behind the prototypes of ipvs/nl.h and ipvs/link.h.
 *
 * It answers as Linux 6.1 does (EEXIST, ESRCH, ENOENT, and a batch whose errors do not stop the
 * rest), writes down every operation with its answer, and fails on demand. There is one, as there
 * is one kernel: the handles that nl.h and link.h give out point to it.
 */
#pragma once

#include "ipvs/link.h"
#include "ipvs/nl.h"

#define FAKE_ITEMS 8192
#define FAKE_ADDRS 1024
#define FAKE_FAULTS 16
#define FAKE_CONNS 2048

enum fake_loss { FAKE_LOSS_NONE = 0, FAKE_LOSS_UNDONE, FAKE_LOSS_DONE, FAKE_LOSS_HALF };

/* An operation of this kind on this item is answered by `error`, `times` times. */
struct fake_fault {
    uint8_t kind;
    struct gvs_item item;
    int error;
    unsigned times;
};

struct fake_conns {
    struct gvs_item dest;
    uint32_t active, inactive;
};

struct fake {
    struct gvs_item items[FAKE_ITEMS]; /* in no order */
    bool odd[FAKE_ITEMS];
    size_t count;
    struct fake_conns conns[FAKE_CONNS]; /* none of them: connections are made up */
    size_t conns_count;
    struct gvs_addr addrs[FAKE_ADDRS]; /* on the dummy */
    size_t addr_count;
    struct gvs_addr own[4];
    size_t own_count;

    struct fake_fault faults[FAKE_FAULTS];
    enum fake_loss lose_next;        /* the answers of the next batch */
    unsigned lose_dumps;             /* the next dumps */
    const struct gvs_svcid *skipped; /* left out of the next dump of services */
    bool no_ipvs, no_right;
    int addr_error;         /* of the next change of an address */
    unsigned lose_addrs;    /* the next readings of the node's own: half of them come */
    struct gvs_addr astray; /* what comes for it does not arrive; until it is added again */

    /* Told of every operation before it is processed; assertions live here. */
    void (*watch)(void *ctx, const struct gvs_op *op);
    void *watch_ctx;

    char *log; /* one line an operation, in the order of their processing */
    size_t log_len, log_cap;
    uint64_t ops, writes; /* operations that changed something; messages */
    size_t batch_max;     /* the largest so far */
    unsigned service_dumps, dest_dumps, route_asks;
};

struct fake *fake_kernel(void);
void fake_reset(void);

/* By somebody else: no line is written. The answer is the kernel's. */
int fake_do(uint8_t kind, const struct gvs_item *item);
struct gvs_item *fake_find(const struct gvs_item *identity);
bool fake_has_addr(const struct gvs_addr *addr);
void fake_del_addr(const struct gvs_addr *addr);
void fake_fail(uint8_t kind, const struct gvs_item *item, int error, unsigned times);

/* Connections of a destination; from the first call on those of all others are 0. */
void fake_connect(const struct gvs_item *dest, uint32_t active, uint32_t inactive);

/* The lines since the last call; valid until the next. */
const char *fake_log(void);
