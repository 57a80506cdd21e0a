/* ipvs/kernel.h: keeps the IPVS of one network namespace as the table wants it.
 *
 *     want()  -->  wanted --- diff, plan ---> operations, batches of 64 ---> kernel
 *                     |                                                       |
 *                     +---- diff <---- configured <--- acknowledgements, dumps +
 *
 * `wanted` comes from the table; `configured` is what the kernel acknowledged or showed in a dump,
 * and moves for no other reason. On opening, the kernel is read once and every field compared, so
 * that a restart writes only what truly differs. Each audit reads the kernel again: what it shows
 * otherwise than `configured` is drift, is counted, named and repaired by the smallest edit; a
 * removal that rests on a dump alone is confirmed by a second look first.
 *
 * Work is done in steps that each take no longer than one batch; the caller's loop runs between
 * them. Nothing happens but in a step: after a call that changes what there is to do (want, trust,
 * ledger_durable, take, audit_now), step soon.
 *
 *   I1  An item equal in `wanted` and `configured` sees no operation.
 *   I2  `configured` changes only by an acknowledged operation or by a dump.
 *   I3  What the ledger does not name is never edited or removed (ipvs/ledger.h). Wanted, present
 *       and not ours: equal in every field, it becomes ours at no operation; different, it is
 *       foreign and left alone until told (gvs_kernel_take). With an empty ledger, whatever stands
 *       on an address of our interface at the first read is ours.
 *   I4  A service is written only after its ledger record is durable; others do not wait for it.
 *   I5  Nothing is edited or removed before the table is trusted (gvs_kernel_trust): an empty or
 *       stale one only adds. What an operator took back or changed on this node is done at once;
 *       what the table never said he cannot have meant, and no service takes it along.
 *   I6  The anchor of a family is there before its first service of ours and until after the last.
 *   I7  A refused operation marks its object, is tried again with back-off (1 s doubling to 60 s),
 *       and holds up no other service.
 *   I8  The address of a service comes after its adds were acknowledged, and goes before the last
 *       service that carries it.
 *   I9  What has a connection leaves before it goes: a destination that is not wanted any more gets
 *       weight 0, one edit, and is removed when it has none, or when its time is over (`stay` in
 *       the configuration); of a service all of them do, and one removal takes them along. While it
 *       leaves it is as wanted as any other; its return is an edit. Datagrams have no connections.
 *   I10 What leaves is in the ledger, with its time: a restart changes nothing about it. Nothing
 *       begins to leave that might not be removed (I5); what has begun may end.
 *   I11 What would take away over half of our services or of our destinations, and at least 10 of
 *       them, counted over 60 s less what was added since, waits a minute: it stays as it is, its
 *       weight too. Whatever adds, edits, or mends drift goes on; what is wanted again meanwhile
 *       costs no operation. What was taken back on this node, or may go at once (`at_once`),
 *       neither waits nor counts. A restart changes nothing about the minute (ipvs/brake.c).
 */
#pragma once

#include "core/plan.h"
#include "core/time.h"
#include "ipvs/ledger.h"
#include "ipvs/nl.h"

/* What it takes to program a namespace from outside: sockets made inside. A netlink socket speaks
 * to the namespace where it was made, whoever uses it, and an abstract Unix name is bound there;
 * and for as long as one is open, the namespace lives. */
struct gvs_kernel_sockets {
    int nl, link, lock;
};

/* Makes them in the namespace of the calling thread. Makes system calls and nothing else. GVS_E_SYS
 * with errno: none is left open. */
int gvs_kernel_sockets_make(struct gvs_kernel_sockets *s);
void gvs_kernel_sockets_close(struct gvs_kernel_sockets *s);

struct gvs_kernel_config {
    bool observe;                             /* read only; nothing is ever written */
    const char *interface;                    /* dummy for the VIPs, at most 15 bytes; "" = none */
    struct gvs_addr source4, source6;         /* of the VIPs' local routes; family NONE = none */
    uint32_t audit_ms;                        /* between audits; 1,000 to 3,600,000 */
    size_t items_max;                         /* of wanted; configured takes twice as many */
    const struct gvs_kernel_sockets *sockets; /* of another namespace; NULL: makes its own */
    /* How long what is not wanted any more may stay for the sake of its connections: a destination
     * of a service that stays, or (`ep` is NULL) a service as a whole; the brake has held it for
     * `held_ms`, which are not to count. What is over already: not at all; NEVER: as long as it has
     * any. Asked whenever one is looked at: the first answer counts, and any that is 0, which cuts
     * short what was said before. NULL: nothing stays. */
    struct gvs_mono (*stay)(void *ctx, const struct gvs_svcid *svc, const struct gvs_ep *ep,
                            uint64_t held_ms);
    /* Is such a one no business of the brake's (I11)? NULL: all are. */
    bool (*at_once)(void *ctx, const struct gvs_svcid *svc, const struct gvs_ep *ep);
    void *ctx;
};

struct gvs_kernel;
struct gvs_dump;

/* Opens sockets, takes the namespace's lock (an abstract Unix socket; if another agent has it,
 * observes and tries again at each audit: see gvs_kernel_locked_out), does not read yet. `ledger`
 * is borrowed until close, loaded already. Everything belongs to the network namespace of the
 * sockets in `cfg`, which are taken over, on failure too; else to that of the calling thread. On
 * failure: GVS_E_UNSUPPORTED (no IPVS; in observe mode that is GVS_OK with an empty kernel),
 * GVS_E_REFUSED, GVS_E_CONFLICT (interface), GVS_E_SYS, GVS_E_LOST, GVS_E_FULL (memory). */
int gvs_kernel_open(struct gvs_kernel **out, const struct gvs_kernel_config *cfg,
                    struct gvs_ledger *ledger, struct gvs_mono now);
void gvs_kernel_close(struct gvs_kernel *k); /* leaves the kernel as it is */

bool gvs_kernel_observing(const struct gvs_kernel *k);
bool gvs_kernel_locked_out(const struct gvs_kernel *k); /* observes: another agent programs here */
const char *gvs_kernel_version(const struct gvs_kernel *k); /* "1.2.1", or "" */

/* What the table wants of one service, from now on: a service item and its destinations, ascending;
 * count 0: nothing. `local`: asked for on this node; what it takes back or changes of what was
 * wanted before is done whatever the trust, and is not braked. GVS_E_FULL: as before the call. */
int gvs_kernel_want(struct gvs_kernel *k, const struct gvs_svcid *svc, const struct gvs_item *items,
                    size_t count, bool local);

/* How far the table is to be trusted (I5). It only rises. */
enum gvs_trust {
    GVS_TRUST_NONE = 0, /* what is missing is added */
    GVS_TRUST_EDITS,    /* what differs is edited */
    GVS_TRUST_ALL,      /* what is ours and not wanted goes */
};
void gvs_kernel_trust(struct gvs_kernel *k, enum gvs_trust trust);

/* So many kernels share the time that audits may take, this one included (1 until told): each reads
 * its slices so many times more slowly. */
void gvs_kernel_share(struct gvs_kernel *k, size_t kernels);

/* Does up to one batch of whatever is due: first read, plan, a batch, a slice of an audit. Returns
 * when to be called again (`now` itself: there is more to do; call once more after the loop
 * turned).
 */
struct gvs_mono gvs_kernel_step(struct gvs_kernel *k, struct gvs_mono now);

/* Ledger records that must be durable before their services are written: fetch all with
 * gvs_ledger_next, store them, then call this with the value that gvs_kernel_ledger_wanted gave
 * when they were fetched. */
uint64_t gvs_kernel_ledger_wanted(const struct gvs_kernel *k);
void gvs_kernel_ledger_durable(struct gvs_kernel *k, uint64_t upto);

/* How one object stands. A service whose address was refused has FAILED. */
enum gvs_kernel_state {
    GVS_KERNEL_ABSENT = 0, /* not wanted, not there */
    GVS_KERNEL_OK,
    GVS_KERNEL_PENDING, /* wanted and not acknowledged yet, or to be removed and still there */
    GVS_KERNEL_FAILED,  /* refused at its last try */
    GVS_KERNEL_FOREIGN, /* somebody else's stands in its place */
    GVS_KERNEL_OBSERVED,
};
enum gvs_kernel_state gvs_kernel_state_of(const struct gvs_kernel *k,
                                          const struct gvs_item *identity, char *why,
                                          size_t why_cap); /* FAILED, FOREIGN: in words */

/* A service and its destinations as they are wanted, what leaves included, and as configured. Lent
 * until the next step or want. */
struct gvs_range gvs_kernel_wanted(const struct gvs_kernel *k, const struct gvs_svcid *svc);
struct gvs_range gvs_kernel_configured(const struct gvs_kernel *k, const struct gvs_svcid *svc);

/* Connections of a destination as last read; false if unknown. */
bool gvs_kernel_conns(const struct gvs_kernel *k, const struct gvs_item *identity, uint32_t *active,
                      uint32_t *inactive);
/* What passes a service that is in `configured`, as of the last dump; false if unknown. */
bool gvs_kernel_rates(const struct gvs_kernel *k, const struct gvs_svcid *svc,
                      struct gvs_rates *out);
/* Connections of one service and its destinations, read now. GVS_E_NOTFOUND: neither wanted nor
 * ours; or as gvs_nl_dests. */
int gvs_kernel_refresh_conns(struct gvs_kernel *k, const struct gvs_svcid *svc);

/* How long IPVS remembers who is silent, read now. GVS_E_UNSUPPORTED: there is none; or as
 * gvs_nl_timeouts. */
int gvs_kernel_timeouts(struct gvs_kernel *k, struct gvs_timeouts *out);

/* What leaves of a service, ascending, as it is wanted meanwhile: some destinations, or itself and
 * all of them. Writes at most max, and returns how many. Until when, the ledger says. */
size_t gvs_kernel_leaving(const struct gvs_kernel *k, const struct gvs_svcid *svc,
                          struct gvs_item *out, size_t max);

/* Has this service settled: every first operation since its last want acknowledged, but for those
 * that nobody asked for here and that wait for trust or are braked (1), refused or foreign (-1: why
 * has words), or neither yet (0)? */
int gvs_kernel_settled(const struct gvs_kernel *k, const struct gvs_svcid *svc, char *why,
                       size_t why_cap);

/* A service that goes counts as one, and each of its destinations, too. */
struct gvs_tally {
    size_t services, destinations;
};

/* Lets go at once what the brake holds; how much that is. No event tells it. False: it is off. */
bool gvs_kernel_release(struct gvs_kernel *k, struct gvs_tally *held);

struct gvs_kernel_status {
    bool read_once; /* the first read is done */
    bool in_step;   /* wanted equals configured, nothing failed, pending or foreign, the last
                       reading succeeded and left nothing unrepaired */
    size_t services, destinations;   /* ours, in the kernel; anchors not counted */
    size_t leaving;                  /* destinations, of these */
    size_t pending, failed, foreign; /* objects; of `foreign`, services that are wanted */
    bool brake;                      /* it is on: */
    struct gvs_tally held, of;       /* so much of so much that would be there without */
    uint64_t brake_ms;               /* and for so long still */
    /* Acknowledged operations that changed the kernel, repairs included. */
    uint64_t service_add, service_edit, service_del, dest_add, dest_edit, dest_del;
    uint64_t refused[GVS_OP_ANCHOR_DEL + 1]; /* by the kernel, each try; [enum gvs_op_kind] */
    uint64_t drift_found, drift_repaired;    /* services, destinations and addresses, one by one */
    size_t drift_open; /* of services and destinations: found, and not put right yet */
    uint64_t writes;   /* netlink messages that could change the kernel, and changes of addresses */
    uint64_t audits;   /* ended */
    uint64_t audit_us; /* that the last of them took, from dump to last slice */
    char last_error[192];
};
struct gvs_kernel_status gvs_kernel_status(const struct gvs_kernel *k);

/* What happened, for watch and the log; the ring holds 1,024, older ones are lost and counted in
 * *missed (since the last call). */
enum gvs_kernel_what {
    GVS_KERNEL_DONE = 1,
    GVS_KERNEL_REFUSED,
    GVS_KERNEL_DRIFT,
    GVS_KERNEL_BRAKE_ON,
    GVS_KERNEL_BRAKE_OFF, /* its minute is over, or all that it held is wanted again */
};
struct gvs_kernel_event {
    uint8_t what;
    struct gvs_op op;          /* DRIFT: what would undo it; `before` is what the kernel shows */
    int error;                 /* REFUSED: errno */
    bool repair;               /* DONE: mended drift */
    struct gvs_tally held, of; /* BRAKE_ON; OFF: `held` is what goes now */
};
bool gvs_kernel_event(struct gvs_kernel *k, struct gvs_kernel_event *ev, uint64_t *missed);

/* In words: why an operation was refused; what a code of this file's calls means (GVS_E_SYS: what
 * errno does). */
void gvs_kernel_explain(const struct gvs_kernel *k, char *text, size_t cap, const struct gvs_op *op,
                        int error);
const char *gvs_kernel_trouble(int rc);

/* compare.c: what a kernel lacks, as operations in plan order, addresses last, anchors nowhere;
 * what would touch a foreign service included. A step at a time, each of some ten microseconds, or
 * with `dump` of a few system calls: what changes between two of them may be in or not.
 *
 *     struct gvs_compare c = {.dump = audit};
 *     while ((rc = gvs_compare_next(k, &c)) > 0)
 *         the next c.count of c.ops, lent until the next call: often none
 *     gvs_compare_end(&c);
 */
struct gvs_compare {
    bool dump; /* not what is configured, from memory, but the kernel as it is now */
    struct gvs_op *ops;
    size_t count, cap;
    bool foreign; /* they would touch what is not ours, and are not done */
    /* Where it is; compare.c's own. */
    int part;
    bool after;
    struct gvs_svcid at;
    struct gvs_dump *services; /* dump: of all services, */
    bool *same;                /* which of these are as wanted, */
    size_t read;               /* so far; */
    struct gvs_item *have;     /* the others with their destinations, ascending */
    size_t have_count, have_cap;
};

int gvs_compare_next(struct gvs_kernel *k, struct gvs_compare *c); /* 0: that was all; GVS_E_* */
void gvs_compare_end(struct gvs_compare *c);                       /* also one that is all zero */

/* Take over the foreign services that are wanted (audit --fix). */
void gvs_kernel_take(struct gvs_kernel *k);

/* An audit as soon as possible, without pauses. */
void gvs_kernel_audit_now(struct gvs_kernel *k);

/* The addresses of this node (not those on our interface), as of the last audit, or reading; lent
 * until the next step. And the name of the interface that has one; NULL: it is none of them. */
size_t gvs_kernel_own_addresses(const struct gvs_kernel *k, const struct gvs_addr **out);
const char *gvs_kernel_own_interface(const struct gvs_kernel *k, const struct gvs_addr *addr);

/* Reads them now, for who wants to know before he wants anything. GVS_E_* of netlink. */
int gvs_kernel_read_addresses(struct gvs_kernel *k);
