/* ipvs/kernel_impl.h: the inside of ipvs/kernel.h, for the files that make it up and nobody else.
 *
 *     kernel.c   open, want, step: who is next
 *     slot.c     one record for each service, and the lists that it moves on
 *     flight.c   plans, sends batches, takes the answers
 *     vip.c      the addresses of services, and the anchors
 *     look.c     reads the kernel: first read, looks, audits
 *     drain.c    what leaves: who may, and for how long
 *     brake.c    what has to wait, since it is too much at once
 *     report.c   what the caller may ask; compare.c, what a kernel lacks
 *
 * A slot is on one list at a time:
 *
 *           want, drift           plan            answers
 *     IDLE -------------> DIRTY ---------> FLIGHT ---------> IDLE
 *                          | ^               | | |
 *        needs a record    | |       refused | | | removals were left out
 *     LEDGER <-------------+ |         RETRY-+ | +-> GATED
 *        | durable           |           |     | lost, or not as we believed
 *        +----------------->-+-<---------+     v
 *                            +------- READ <- LOOK
 *                                         dump
 *
 * All but FLIGHT lead back to DIRTY: RETRY at its time, GATED when trust rises. A plan that would
 * remove what only one reading has shown goes to LOOK, too. LEAVING is IDLE for a service of which
 * something leaves: it is looked at once a second, and is DIRTY when that may go. Both are DIRTY,
 * too, when the brake lets go of what it holds of them.
 *
 * The kernel is read only while nothing is in flight, so what a reading shows otherwise than
 * `configured` is never our own doing, but for a batch whose answers were lost (slot->lost).
 */
#pragma once

#include "core/diff.h"
#include "ipvs/kernel.h"
#include "ipvs/link.h"
#include "ipvs/nl.h"

/* A step takes at most one of these. */
#define GVS_LOOK_SERVICES 64 /* services whose destinations are read in one step, or routes */
#define GVS_LOOK_DESTS 1024  /* destinations after which it stops early */
#define GVS_VIP_BATCH 16     /* addresses: each is a request of its own, with its answer */

/* Operations of one flight, over all its services; above it no other service boards. Large enough
 * that half-full batches between the stages do not count, small enough that a new wish soon gets
 * its turn. */
#define GVS_FLIGHT_OPS 2048

/* A slice of an audit, and the pause after it. Under qemu 64 services with their destinations
 * take 2.2 ms to read; every 110 ms, that is two hundredths of a core. */
#define GVS_SLICE_PAUSE_MS 110

#define GVS_BACKOFF_MS_MIN 1000
#define GVS_BACKOFF_MS_MAX 60000

/* Looks in a row at a service that is never as believed; then back-off. */
#define GVS_SURPRISES_MAX 2

#define GVS_EVENTS_MAX 1024

/* Stands in the flags of an item that was read and has something that items cannot say: it differs
 * from whatever is wanted, and so is edited. No flag of the kernel's is near it. */
#define GVS_ITEM_ODD 0x80000000u

enum gvs_slot_list {
    GVS_SLOT_IDLE = 0,
    GVS_SLOT_DIRTY,  /* to be planned */
    GVS_SLOT_LEDGER, /* waits until its ledger records are durable */
    GVS_SLOT_GATED,  /* what is left to do takes more trust (I5) */
    GVS_SLOT_RETRY,  /* refused; waits for its time */
    GVS_SLOT_LOOK,   /* to be read: waits for a dump of all services */
    GVS_SLOT_READ,   /* to be read: waits for its destinations */
    GVS_SLOT_FLIGHT,
    GVS_SLOT_LEAVING, /* at rest, but for something that leaves */
    GVS_SLOT_LISTS,
};

/* One operation that was refused. */
struct gvs_failure {
    struct gvs_failure *next;
    struct gvs_item item;
    uint8_t kind; /* of the operation */
    bool stale;   /* not tried again in the flight under way */
    int error;
};

struct gvs_conns { /* of one destination, as last read */
    struct gvs_ep ep;
    uint32_t active, inactive;
};

struct gvs_slot {
    struct gvs_svcid id;
    bool used;
    uint8_t list;          /* enum gvs_slot_list */
    bool present;          /* it is in `configured` */
    bool foreign;          /* somebody else's is in its place, and in `foreign` */
    bool fresh;            /* its ledger record is for an add that has not been acknowledged */
    bool once;             /* `configured` rests on one reading: no removal before a second */
    bool missing;          /* the last dump did not show it; a second look decides */
    bool again;            /* wanted changed while in flight */
    bool lost;             /* answers were lost: how it stands is not known */
    bool surprised;        /* an answer said that it is not as we believed */
    bool failed;           /* an operation of this flight was refused */
    bool gated;            /* operations were left out of this flight for lack of trust */
    enum gvs_trust trust;  /* what they were left out for */
    uint8_t surprises;     /* in a row */
    uint32_t seen;         /* the dump that last showed it */
    uint32_t differs;      /* objects in which wanted and configured differ */
    uint32_t leaving;      /* items of wanted that nobody wants, but leave; */
    bool whole;            /* the service is one of them */
    struct gvs_tally held; /* braked, as last planned */
    struct gvs_tally let;  /* let go, and not acknowledged yet */
    struct gvs_mono held_at;
    uint64_t held_ms; /* what is let go has waited so long */
    uint32_t backoff_ms;
    struct gvs_mono retry_at;  /* on RETRY; on LEAVING: when to look next */
    uint64_t ledger_seq;       /* durable up to here, it may be written */
    size_t op_first, op_count; /* its operations of this flight */
    struct gvs_failure *failures;
    struct gvs_conns *conns; /* ascending by endpoint */
    size_t conns_count;
    struct gvs_slot *prev, *next; /* on its list; next: in the free ones */
    struct gvs_slot *chain;       /* in its hash bucket */
};

struct gvs_slots {
    struct gvs_slot *pool; /* zeroed at first use only: its memory comes as it is needed */
    size_t max, high;      /* pool[high] and above have never been used */
    struct gvs_slot *free;
    struct gvs_slot **buckets;
    size_t mask;
    struct gvs_slot *first[GVS_SLOT_LISTS], *last[GVS_SLOT_LISTS];
    struct gvs_mono retry_at; /* no earlier one is on RETRY */
    size_t differs;           /* over all slots */
    size_t failures;
    size_t foreign;
};

struct gvs_vip {
    struct gvs_addr addr;
    bool there;   /* on the interface */
    bool read;    /* the reading under way showed it */
    bool checked; /* its route, too, is as it has to be */
    bool drifted;
    uint64_t ledger_seq;
};

struct gvs_vips {
    struct gvs_vip *v; /* ascending by address */
    size_t count, cap;
    bool stray; /* one that nobody needs may be there */
};

struct gvs_own { /* an address of the node itself */
    struct gvs_addr addr;
    char name[16];
};

struct gvs_owns {
    struct gvs_own *v;
    struct gvs_addr *addrs; /* the same without names */
    size_t count, cap;
};

struct gvs_anchor {
    bool there;
    uint32_t backoff_ms;
    struct gvs_mono retry_at;
};

/* The stages of a flight; each is answered before the next is sent. */
enum gvs_stage {
    GVS_STAGE_ANCHOR,
    GVS_STAGE_SERVICE, /* apart from destinations: an add may find a foreign one there */
    GVS_STAGE_DEST,    /* the rest of wave 0 */
    GVS_STAGE_DOWN,    /* wave 1 */
    GVS_STAGE_ADDR,    /* of wave 1 */
    GVS_STAGE_GONE,    /* wave 2 */
    GVS_STAGES,
};

struct gvs_flight {
    struct gvs_op *ops;
    struct gvs_slot **slots; /* slots[i]: whose ops[i] is; NULL: an anchor */
    bool *failed;
    size_t count, cap;
    size_t adds;     /* of them bring in something new */
    bool anchors[2]; /* it takes this family's along */
    uint8_t stage;   /* enum gvs_stage */
    size_t pos;      /* before it, everything of this stage has been sent */
};

struct gvs_found { /* one thing that a dump showed */
    struct gvs_item item;
    uint32_t active, inactive;
    struct gvs_rates rates;
};

struct gvs_dump {
    struct gvs_found *v;
    size_t count, cap;
    bool full; /* memory ran out: nothing may be concluded */
};

struct gvs_look {
    struct gvs_dump services; /* of the last dump, ascending, each once; anchors too */
    struct gvs_dump next;     /* a dump is whole before it takes the other's place */
    struct gvs_dump dests;    /* of the service at hand */
    struct gvs_item *items;   /* the same with its service before it */
    size_t items_cap;
    uint32_t dumps;      /* of services */
    bool sweeping;       /* an audit is going through the destinations */
    bool fast;           /* without pauses */
    bool failing;        /* the last reading failed */
    struct gvs_svcid at; /* sweeping: up to here it is done */
    struct gvs_mono audit_at, slice_at, retry_at;
    struct gvs_mono swept_from; /* sweeping: it began then */
};

/* The items of one service that nobody wants any more and that stay for now. */
struct gvs_drain {
    struct gvs_item *v; /* ascending, as `configured` has them; weight 0 once it is decided */
    size_t count, cap;
    struct gvs_mono until;   /* the earliest end of one of them */
    struct gvs_mono look_at; /* none on LEAVING is to be looked at before */
    size_t looks;            /* taken by the boarding under way */
    size_t leaving;          /* destinations, over all slots; */
    size_t services;         /* and the services that leave with all of theirs */
};

enum gvs_brake_state {
    GVS_BRAKE_OFF = 0,
    GVS_BRAKE_GATHERS, /* what else comes with it: then it is judged */
    GVS_BRAKE_ON,
};

#define GVS_BRAKE_SECONDS 61 /* the one under way, and the 60 before it */

struct gvs_brake {
    uint8_t state;              /* enum gvs_brake_state */
    struct gvs_mono until;      /* it ends then, unless it is off */
    struct gvs_mono on_at;      /* what was held by then has waited for the whole minute */
    struct gvs_mono resume;     /* a former process had it on until then; 0: it had not */
    struct gvs_tally held, let; /* over all slots */
    struct gvs_tally gone[GVS_BRAKE_SECONDS], gone_sum; /* let go, by second */
    uint64_t second;                                    /* the one under way */
    struct gvs_item *v; /* what is held of the service at hand, ascending */
    size_t count, cap;
};

struct gvs_kernel {
    struct gvs_kernel_config cfg;
    char interface[16], version[16];
    struct gvs_ledger *ledger;
    struct gvs_nl *nl; /* NULL: no IPVS here (observing) */
    struct gvs_link *link;
    int lock_fd;    /* bound: the namespace's lock; -1: not ours to take */
    bool have_lock; /* of one that was locked out at first */
    bool locked_out, observing;
    bool read_once;
    enum gvs_trust trust;
    bool ledger_lost;    /* empty when we came */
    bool orphans;        /* it may name what is neither there nor wanted */
    struct gvs_mono now; /* of the step under way */
    uint64_t slice_pause_ms;
    uint64_t ledger_seq, ledger_durable;

    struct gvs_set *wanted, *configured;
    struct gvs_set *foreign; /* what stands in the place of what is wanted */
    struct gvs_set *drifted; /* identities found drifted and not repaired yet */
    struct gvs_set *asked;   /* taken back or changed on this node, not settled yet (I5, I11) */
    struct gvs_slots slots;
    struct gvs_vips vips;
    struct gvs_owns own;          /* as last read */
    struct gvs_owns own_next;     /* a reading is whole before it takes the other's place */
    struct gvs_anchor anchors[2]; /* IPv4, IPv6 */
    struct gvs_flight flight;
    struct gvs_look look;
    struct gvs_drain drain;
    struct gvs_brake brake;

    struct gvs_kernel_status counts; /* those that only grow, and last_error */
    uint64_t vip_writes;
    struct gvs_kernel_event *events; /* a ring */
    uint64_t event_first, event_end, event_missed;
};

/* slot.c */

int gvs_slots_init(struct gvs_slots *t, size_t max); /* GVS_E_FULL: no memory */
void gvs_slots_fini(struct gvs_slots *t);
struct gvs_slot *gvs_slot_find(const struct gvs_slots *t, const struct gvs_svcid *id);

/* Finds it or makes it, on IDLE; NULL: the pool is full. */
struct gvs_slot *gvs_slot_make(struct gvs_slots *t, const struct gvs_svcid *id);
void gvs_slot_free(struct gvs_slots *t, struct gvs_slot *s); /* it is on IDLE */

void gvs_slot_move(struct gvs_slots *t, struct gvs_slot *s, enum gvs_slot_list list);
void gvs_slot_move_all(struct gvs_slots *t, enum gvs_slot_list from, enum gvs_slot_list to);

/* Onto RETRY, with back-off; and off it again, for those whose time has come. */
void gvs_slot_retry(struct gvs_slots *t, struct gvs_slot *s, struct gvs_mono now);
void gvs_slots_due(struct gvs_slots *t, struct gvs_mono now);

/* Setters that keep the sums. */
void gvs_slot_differs(struct gvs_slots *t, struct gvs_slot *s, size_t count);
void gvs_slot_foreign(struct gvs_slots *t, struct gvs_slot *s, bool foreign);

/* What failed. An address has the identity of its service, and is told apart by the operation's
 * kind. A flight lets all of a slot's failures age, notes those that it meets, and purges the
 * others (with `all`: every one). */
const struct gvs_failure *gvs_failure_find(const struct gvs_slot *s, const struct gvs_item *item);
void gvs_failure_note(struct gvs_slots *t, struct gvs_slot *s, const struct gvs_op *op, int error);
void gvs_failure_done(struct gvs_slots *t, struct gvs_slot *s, const struct gvs_op *op);
void gvs_failures_age(struct gvs_slot *s);
void gvs_failures_purge(struct gvs_slots *t, struct gvs_slot *s, bool all);

/* kernel.c */

struct gvs_range gvs_kernel_wanted_of(const struct gvs_kernel *k, const struct gvs_slot *s);
struct gvs_range gvs_kernel_configured_of(const struct gvs_kernel *k, const struct gvs_slot *s);
bool gvs_kernel_wants(const struct gvs_kernel *k, const struct gvs_slot *s);
void gvs_kernel_recount(struct gvs_kernel *k, struct gvs_slot *s); /* slot->differs */

/* Was it taken back or changed on this node (I5)? `whole`: a service goes, or its address, and
 * takes its destinations along; so all of them have to be. */
bool gvs_kernel_asked(const struct gvs_kernel *k, const struct gvs_slot *s,
                      const struct gvs_item *identity, bool whole);

/* Nothing of what was asked for on this node is left to do. */
void gvs_kernel_answered(struct gvs_kernel *k, const struct gvs_slot *s);

/* Frees it if nothing needs it. */
void gvs_kernel_drop(struct gvs_kernel *k, struct gvs_slot *s);

/* Into the ledger (false: it is full) and out of it. */
bool gvs_kernel_own(struct gvs_kernel *k, struct gvs_slot *s);
void gvs_kernel_disown(struct gvs_kernel *k, struct gvs_slot *s);

/* Ranges: equal in every field? The index of the first item that is not below `least`. */
bool gvs_ranges_equal(struct gvs_range a, struct gvs_range b);
size_t gvs_range_from(struct gvs_range r, const struct gvs_item *least);

/* Room for so many, of which some may be there; false: memory is short, and nothing is lost. */
bool gvs_items_reserve(struct gvs_item **v, size_t *cap, size_t count);

/* flight.c */

bool gvs_flight_under_way(const struct gvs_kernel *k);
bool gvs_flight_due(const struct gvs_kernel *k); /* is there anything to plan? */
void gvs_flight_board(struct gvs_kernel *k);     /* plans; none is under way */
void gvs_flight_step(struct gvs_kernel *k);      /* one batch; without any left, lands */
void gvs_flight_fini(struct gvs_flight *f);

/* vip.c */

bool gvs_vip_of(const struct gvs_kernel *k, const struct gvs_svcid *svc); /* has it an address? */
struct gvs_vip *gvs_vip_find(const struct gvs_kernel *k, const struct gvs_addr *addr);
bool gvs_vip_needed(const struct gvs_kernel *k, const struct gvs_addr *addr);
enum gvs_op_kind gvs_vip_op(const struct gvs_kernel *k, const struct gvs_slot *s);

/* Is a service that carries it still to be planned, or braked? It may be one that leaves. */
bool gvs_vip_undecided(const struct gvs_kernel *k, const struct gvs_addr *addr);

/* Into the ledger (false: it is full or memory is), and out of it unless it is there or needed. */
bool gvs_vip_enter(struct gvs_kernel *k, struct gvs_slot *s);
void gvs_vip_strike(struct gvs_kernel *k, const struct gvs_addr *addr);

int gvs_vip_apply(struct gvs_kernel *k, const struct gvs_op *op); /* 0 or errno */
bool gvs_vip_strays(struct gvs_kernel *k); /* removes some; false: none was left */

/* Is the address of this service, if it is there, one at which it can be reached? Returns whether
 * the kernel was asked, which costs about as much as to read a service's destinations. */
bool gvs_vip_check(struct gvs_kernel *k, const struct gvs_slot *s);

/* The addresses' part of gvs_compare_next: that of a wanted service, if it lacks one; the next one
 * behind `after` (NULL: of all) that nothing needs. Each 1, or 0 if there is none. */
size_t gvs_vip_plan_come(const struct gvs_kernel *k, const struct gvs_item *service,
                         struct gvs_op *op);
size_t gvs_vip_plan_go(const struct gvs_kernel *k, const struct gvs_addr *after, struct gvs_op *op);

/* The addresses of the interface and the node's own. GVS_E_*. */
int gvs_vip_read(struct gvs_kernel *k);
void gvs_vip_fini(struct gvs_kernel *k);

struct gvs_anchor *gvs_anchor_of(struct gvs_kernel *k, uint8_t family);
enum gvs_op_kind gvs_anchor_op(const struct gvs_kernel *k, uint8_t family); /* what is due now */

/* look.c */

bool gvs_look_step(struct gvs_kernel *k); /* false: nothing to read now */
struct gvs_mono gvs_look_deadline(const struct gvs_kernel *k);
bool gvs_look_saw(const struct gvs_kernel *k, const struct gvs_svcid *svc); /* in the last dump */

/* Dumps, ascending, each thing once; *out is reused. GVS_E_*: then it is empty. */
int gvs_look_services(struct gvs_kernel *k, struct gvs_dump *out);
int gvs_look_dests(struct gvs_kernel *k, const struct gvs_svcid *svc, struct gvs_dump *out);
const struct gvs_found *gvs_look_find(const struct gvs_dump *d, const struct gvs_svcid *svc);
const struct gvs_found *gvs_look_dest(const struct gvs_dump *d, const struct gvs_item *identity);
int gvs_look_conns(struct gvs_slot *s, const struct gvs_dump *dests);
void gvs_look_fini(struct gvs_look *l);

/* brake.c */

/* What of a service is to wait, before it is planned; false: memory is short, and nothing is known.
 * And of the service judged last, is this to? */
bool gvs_brake_judge(struct gvs_kernel *k, struct gvs_slot *s);
bool gvs_brake_holds(const struct gvs_kernel *k, const struct gvs_item *identity);

/* The same for one that is only looked at. */
bool gvs_brake_recall(struct gvs_kernel *k, const struct gvs_slot *s);

/* What was let go: these operations will do it; this one has; all of it is done. */
void gvs_brake_planned(struct gvs_kernel *k, struct gvs_slot *s, const struct gvs_op *ops,
                       size_t count);
void gvs_brake_done(struct gvs_kernel *k, struct gvs_slot *s, const struct gvs_op *op);
void gvs_brake_settled(struct gvs_kernel *k, struct gvs_slot *s);

bool gvs_brake_any(const struct gvs_slot *s); /* is anything of it held? */
void gvs_brake_forget(struct gvs_kernel *k, struct gvs_slot *s);
void gvs_brake_resume(struct gvs_kernel *k); /* after the first read */
void gvs_brake_step(struct gvs_kernel *k);   /* nothing is in flight */
struct gvs_mono gvs_brake_deadline(const struct gvs_kernel *k);
void gvs_brake_report(const struct gvs_kernel *k, struct gvs_kernel_status *st);
void gvs_brake_fini(struct gvs_brake *b);

/* drain.c */

/* k->drain becomes what is configured of a service and wanted by nobody, what leaves included; the
 * service first, if it is one of them. False: memory is short. */
bool gvs_drain_gather(struct gvs_kernel *k, const struct gvs_slot *s);

/* Is it in `wanted` only because it leaves? */
bool gvs_drain_leaves(const struct gvs_kernel *k, const struct gvs_item *item);

/* May it go though the table is not trusted? It was, when the item began to leave. */
bool gvs_drain_may_end(const struct gvs_kernel *k, const struct gvs_item *item);

/* Makes `wanted` hold, beside what is wanted of a service, what leaves it; before it is planned.
 * False: memory is short, and it is as it was. */
bool gvs_drain_decide(struct gvs_kernel *k, struct gvs_slot *s);

/* What is wanted is about to be replaced by these: they do not leave (any more). */
void gvs_drain_forget(struct gvs_kernel *k, struct gvs_slot *s, struct gvs_range wanted);

/* After the first read: strikes out what left while nobody looked. */
void gvs_drain_resume(struct gvs_kernel *k);

/* Those on LEAVING whose time has come: a few of them. */
void gvs_drain_rest(struct gvs_kernel *k, struct gvs_slot *s); /* onto LEAVING */
bool gvs_drain_look(struct gvs_kernel *k);                     /* false: none is due */
struct gvs_mono gvs_drain_deadline(const struct gvs_kernel *k);
void gvs_drain_fini(struct gvs_drain *d);

/* report.c */

void gvs_report_event(struct gvs_kernel *k, uint8_t what, const struct gvs_op *op, int error,
                      bool repair);
void gvs_report_brake(struct gvs_kernel *k, uint8_t what, struct gvs_tally held,
                      struct gvs_tally of);

/* An event and last_error; and last_error alone. */
void gvs_report_refused(struct gvs_kernel *k, const struct gvs_op *op, int error);
__attribute__((format(printf, 2, 3))) void gvs_report_error(struct gvs_kernel *k, const char *fmt,
                                                            ...);
