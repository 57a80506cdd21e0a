/* tools/sim/world.h: a cluster of the nodes that we ship, on fake time, network, disk, clocks and
 * kernels.
 *
 *     plan      which faults this run has, and how strong; drawn from the seed, or a scenario's
 *     world     time: a heap of events; the log of what happened and its hash
 *     network   datagrams on links that delay, lose, repeat, reorder, corrupt, stop
 *     host      one machine: node, clock, inbox, and the loop around them
 *     disk      what of a node's news is durable, and what a restart finds
 *     kernel    a fake IPVS, and the way from news to operations on it
 *     fault     what goes wrong when, and the healing of it all
 *     clone     one machine that is there twice
 *     intruder  a member that means ill
 *     work      writes at random
 *     trial     applies that go back unless they are confirmed
 *     oracle    all that was ever written; what must be true at every step
 *     rest      what must be true at rest
 *     cover     what a node's version vector may cover
 *     run       the schedule of one seed: faults, heal, rest
 *     scenario  runs with a name
 *     measure   figures instead of faults
 *
 * All dice come from one seed, so a run is (seed, commit) and nothing else, and the hash over every
 * datagram, write, commit and operation is the same in every run of it. The node is known by
 * net/node.h only: what its messages mean is not known here, but to intruder.c.
 *
 * Whoever sees something that must not be calls sim_fail, once; the run then ends. Names like I8
 * are those of the invariants in oracle.c. Memory that is short ends the process.
 */
#pragma once

#include "core/plan.h"
#include "core/view.h"
#include "net/node.h"
#include "tools/sim/prng.h"

#define SIM_SECOND UINT64_C(1000000)     /* the world counts microseconds */
#define SIM_BEGIN_US (1000 * SIM_SECOND) /* so that there is a time before */
#define SIM_EPOCH_MS UINT64_C(1763827200000)
#define SIM_PORT 7900
#define SIM_GENERATIONS 4  /* copies of a disk */
#define SIM_STRANGERS 4    /* addresses of nobody, from which old packets come back */
#define SIM_LOG 256        /* the latest events, for a report */
#define SIM_INBOX_MAX 4096 /* as a socket's receive buffer: what comes on top is lost */

/* --- plan --- */

/* All probabilities are 0 to 1; `tick` is 100 ms. Zero: there is no such fault. */
struct sim_plan {
    size_t nodes; /* hosts, but for those that a fault brings */
    struct gvs_limits limits;
    unsigned boot_peers; /* how many others a node is told of at first */
    bool durable, kernels;

    uint64_t chaos_us;     /* faults and writes for so long, then everything heals */
    double delay_us, tail; /* a link's mean delay; how many take up to tail_us more */
    uint64_t tail_us;
    double spread;    /* how much links differ: means lie in delay / spread .. delay */
    bool fixed_delay; /* always the same, in order, nothing drawn */
    double loss, duplicate, replay, corrupt, truncate;
    double clog_tick, cut_tick;
    uint64_t clog_us, cut_us; /* at most so long */

    double crash_tick, reboot; /* of a host; how many of the restarts are of the machine */
    uint64_t down_us;
    double stale, lost, new_key; /* how many restarts find such a disk */
    uint64_t clone_us;           /* a host's disk and key are copied so late; 0: never; */
    uint64_t clone_for_us;       /* the copy runs so long, or until it was noticed after the end */
    uint64_t commit_us;          /* a group commit takes up to so long */
    double disk_tick;            /* a disk takes nothing any more, */
    uint64_t disk_us;            /* for up to so long */

    uint64_t intruder_us;  /* it comes so late; 0: never; it goes with the faults */
    double intruder_per_s; /* datagrams */
    uint64_t invented;     /* members that it speaks of and that there are not */
    bool false_vectors;    /* it says that it had taken in everything */
    bool only_invents;     /* it says nothing but that there are such members */

    uint64_t offset_ms, step_ms; /* of wall clocks, at most */
    double step_tick, boot_1970, freeze_tick;
    unsigned drift_ppm;
    uint64_t
        leap_ms; /* all clocks go on by so much, half-way through the faults and at their end */

    double pause_tick, slow; /* how many hosts are slow */
    uint64_t pause_us, handle_us;

    double op_refused, op_lost, edit_tick; /* kernel: operations, edits by others */

    double writes_per_s;
    unsigned services, backends; /* in all; of a service */
    double deletes;              /* how many of the writes */
    double trial_s;              /* an apply on trial each so many seconds; 0: none */
};

/* --- events --- */

enum sim_kind {
    SIM_SENT, /* what */
    SIM_DELIVERED,
    SIM_DROPPED,
    SIM_WRITE,
    SIM_COMMIT,
    SIM_OP,
    SIM_OPENED,
    SIM_CRASHED,
    SIM_FAULT,
};
struct sim_event {
    uint64_t at_us, a, b, hash;
    uint32_t host;
    uint8_t kind; /* enum sim_kind */
    const char *word;
};

enum sim_timer { SIM_ARRIVAL, SIM_WAKE, SIM_TICK, SIM_WORK, SIM_CALL };
struct sim_world;
struct sim_alarm {
    uint64_t at_us, no; /* ordered by both */
    uint32_t host;
    uint8_t timer;
    struct sim_packet *packet;
    void (*call)(struct sim_world *w, uint64_t arg);
    uint64_t arg;
};
struct sim_queue {
    struct sim_alarm *v;
    size_t count, cap;
};

/* --- network --- */

struct sim_packet { /* shared by all its copies; freed with the last */
    unsigned refs;
    uint32_t from, to; /* hosts; `from` may be a stranger */
    uint64_t hash;
    uint64_t life;  /* of the receiver that first took this one in, 0: none did */
    bool sound;     /* as it was sent */
    bool witnessed; /* there are more of it, so what becomes of it is watched */
    uint16_t len;
    struct sim_packet *next; /* in an inbox */
    uint8_t b[];
};

struct sim_link {
    uint32_t delay_us;
    uint8_t cut; /* by how many */
    uint64_t clogged_us, last_us;
};

/* What went between a host and an address since the host started: I9. */
struct sim_proof {
    bool proven;
    uint64_t in, out;
    uint32_t session; /* of the latest DATA from there that was taken, and the greatest counter */
    uint64_t counter;
    uint64_t took_us; /* when that was */
};

/* --- host --- */

struct sim_clock {
    uint64_t zero_us; /* the world's time when the machine came up */
    int32_t ppm;
    int64_t offset_ms;
    uint64_t frozen_ms; /* 0: it runs */
};

struct sim_record { /* an entry on a disk */
    uint64_t place; /* in the log of the disk */
    uint32_t at;    /* of its bytes in the heap; their length lies before them */
};
struct sim_map { /* entries by key, ascending: what a node's news say that its tables hold */
    struct sim_record *v;
    size_t count, cap;
    uint8_t *heap;
    size_t heap_len, heap_cap;
};
struct sim_image { /* of a disk, at one time */
    struct sim_map map;
    uint8_t *vector; /* net/age.h */
    size_t vector_len;
    uint64_t stamp_ms; /* stamps are above it */
};
struct sim_disk {
    struct sim_map now;      /* durable or about to be */
    uint64_t place, stored;  /* of the latest record; up to here it is durable */
    bool removed;            /* some keys were, since the last commit */
    uint64_t vector_changes; /* of the vector that is durable */
    uint64_t commit_us;      /* when the commit under way ends; 0: none is */
    struct sim_image durable;
    struct sim_image stale[SIM_GENERATIONS]; /* of earlier commits, any of them */
    uint64_t copies;                         /* that were ever taken, of which those are some */
    bool restored;                           /* or lost, at some time: its floor as well */
    uint64_t fails_us;                       /* no commit succeeds before */
    uint64_t floor, floor_durable;
};

struct sim_kernel;

struct sim_cover { /* a version vector, as of its latest change */
    uint8_t *b;
    size_t len;
    uint64_t changes;
};

struct sim_host {
    struct gvs_node *node; /* NULL: down */
    bool spare;            /* no member by itself: only a fault runs it */
    struct gvs_id id;
    uint8_t priv[GVS_KEY_SECRET_LEN];
    struct gvs_ep ep;
    struct sim_prng prng; /* what the node draws */
    struct sim_clock clock;
    struct sim_disk disk;
    struct sim_cover cover;
    struct sim_kernel *kernel;
    struct sim_proof *proof;  /* by address; NULL: not watched */
    uint64_t life;            /* counts starts, from 1 */
    uint64_t began_us, up_us; /* this life; when it comes back, 0: it is not to */
    uint64_t wake_us;         /* the wake-up that counts */
    uint64_t busy_us;         /* handles nothing before */
    uint64_t handle_us;       /* a datagram costs so much */
    unsigned spins;           /* deadlines in the past, in a row */
    struct sim_packet *inbox, **inbox_end;
    size_t inbox_count;
    uint64_t sent, sent_bytes, news; /* 28 bytes a datagram on top */
    uint64_t accused;                /* events anywhere that said it is dead while it was well */
};

/* --- world --- */

struct sim_oracle;
struct sim_intruder;
struct sim_trials;

struct sim_watch { /* a change, and who has it */
    uint64_t hash, began_us;
    size_t count;      /* of others */
    uint64_t *took_us; /* one each, in order */
};

struct sim_clone {
    size_t of, host;   /* which was copied, and which runs the copy */
    struct gvs_id id;  /* of both; nobody: there was none yet */
    uint64_t began_us; /* when the copy began to run */
};

struct sim_world {
    struct sim_plan plan;
    uint64_t seed, now_us;
    uint64_t leap_ms;     /* wall clocks are so much further: days in which nothing happened */
    struct sim_prng prng; /* faults and schedule */
    struct sim_prng air;  /* links */
    struct sim_prng desk; /* work */
    uint64_t hash, no;
    struct sim_queue queue;
    struct gvs_keyring *ring;
    size_t keys;  /* that hosts have had: so many members are known in the end */
    size_t count; /* of hosts; those from plan.nodes on are spare */
    struct sim_host *host;
    struct sim_link *link; /* [from * count + to] */
    struct sim_oracle *oracle;
    struct sim_watch watch;
    size_t border;       /* of the latest split: hosts below it, and the others; */
    uint64_t contact_us; /* when a datagram first crossed it after it healed, 0: none has yet */
    struct sim_clone clone;
    struct sim_intruder *intruder; /* NULL: none is to come */
    struct sim_trials *trials;     /* NULL: there are none */
    bool chaos;                    /* faults happen, writes too */
    uint64_t healed_us;

    struct sim_packet *tape[1024]; /* recorded packets, a sample */
    uint64_t tape_seen;
    uint64_t sent, delivered, dropped, writes, ops, crashes;

    struct sim_event log[SIM_LOG];
    uint64_t logged;
    bool failed;
    char verdict[768];             /* what failed: invariant, time, node, expected, seen */
    char replay[160];              /* the command that shows it again */
    struct gvs_view_service *view; /* scratch */
    struct gvs_item *items;
};

void *sim_need(void *p); /* p; without memory the process ends */

/* world.c */
struct sim_world *sim_world_open(const struct sim_plan *plan, uint64_t seed);
void sim_world_close(struct sim_world *w);
/* Until that time, or a failure. */
void sim_run_until(struct sim_world *w, uint64_t until_us);
void sim_run(struct sim_world *w, uint64_t us);
/* True as soon as `holds`, which is asked every 10 ms; false if it does not within `us`. */
bool sim_run_till(struct sim_world *w, uint64_t us, bool (*holds)(struct sim_world *w));
void sim_alarm(struct sim_world *w, const struct sim_alarm *alarm); /* `no` is filled in */
void sim_call(struct sim_world *w, uint64_t at_us, void (*call)(struct sim_world *w, uint64_t arg),
              uint64_t arg);
void sim_note(struct sim_world *w, enum sim_kind kind, size_t host, const char *word, uint64_t a,
              uint64_t b, uint64_t hash);
/* Once; later ones are consequences. `host` may be SIM_NOBODY. */
#define SIM_NOBODY SIZE_MAX
void sim_fail(struct sim_world *w, size_t host, const char *invariant, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void sim_print_failure(const struct sim_world *w);
uint64_t sim_hash(const void *b, size_t len);

/* network.c */
void sim_network_open(struct sim_world *w);
void sim_network_close(struct sim_world *w);
void sim_send(struct sim_world *w, size_t from, const struct gvs_ep *to, const uint8_t *b,
              size_t len);
void sim_arrive(struct sim_world *w, struct sim_packet *p); /* takes p */
void sim_packet_drop(struct sim_packet *p);
struct sim_link *sim_link(struct sim_world *w, size_t from, size_t to);
void sim_replay(struct sim_world *w); /* something from the tape, from anywhere */
void sim_cut(struct sim_world *w, size_t from, size_t to, bool cut);
void sim_split(struct sim_world *w, size_t first, bool cut); /* below `first` | the rest */
uint64_t sim_bytes_sent(const struct sim_world *w);          /* by all hosts */

/* host.c */
void sim_host_init(struct sim_world *w, size_t i);
void sim_host_start(struct sim_world *w, size_t i);
void sim_host_crash(struct sim_world *w, size_t i); /* the process: no word to anybody */
void sim_host_new_key(struct sim_world *w, size_t i);
void sim_host_wake(struct sim_world *w, size_t i);
void sim_host_pump(struct sim_world *w, size_t i); /* all that follows after a call on the node */
void sim_host_pause(struct sim_world *w, size_t i, uint64_t us);
void sim_host_fini(struct sim_host *h);
struct gvs_mono sim_mono(const struct sim_world *w, size_t i);
struct gvs_wall sim_wall(const struct sim_world *w, size_t i);
uint64_t sim_world_time(const struct sim_host *h, struct gvs_mono t); /* when it will be t there */
uint64_t sim_true_ms(const struct sim_world *w); /* what a clock that is right shows */
bool sim_may_write(const struct sim_world *w, size_t i);

/* disk.c */
void sim_map_put(struct sim_map *m, const struct gvs_entry *e, uint64_t place);
bool sim_map_get(const struct sim_map *m, const uint8_t *key, size_t len, struct gvs_entry *e);
void sim_map_entry(const struct sim_map *m, size_t i, struct gvs_entry *e);
void sim_map_clear(struct sim_map *m);
void sim_disk_put(struct sim_world *w, size_t i, const struct gvs_entry *e);
void sim_disk_run(struct sim_world *w, size_t i); /* a commit may be over */
enum sim_disk_state { SIM_DISK_FRESH, SIM_DISK_STALE, SIM_DISK_LOST };
void sim_disk_crash(struct sim_world *w, size_t i, enum sim_disk_state found);
void sim_disk_load(struct sim_world *w, size_t i);
void sim_disk_copy(struct sim_world *w, size_t from, size_t to); /* what is durable */
void sim_disk_fini(struct sim_disk *d);

/* kernel.c */
struct sim_kernel *sim_kernel_open(void);
void sim_kernel_close(struct sim_kernel *k);
void sim_kernel_begin(struct sim_world *w, size_t i); /* the process starts: adopts what is there */
void sim_kernel_reboot(struct sim_world *w, size_t i);
void sim_kernel_news(struct sim_world *w, size_t i, const struct gvs_entry *e);
void sim_kernel_run(struct sim_world *w, size_t i);
uint64_t sim_kernel_due(const struct sim_kernel *k); /* UINT64_MAX: nothing to do */
void sim_kernel_edit(struct sim_world *w, size_t i); /* by another hand */
bool sim_kernel_in_step(const struct sim_kernel *k);
bool sim_kernel_has(const struct sim_kernel *k, const struct gvs_svcid *svc,
                    const struct gvs_ep *ep); /* the destination */
/* What it holds, to be freed; and how many items it now holds otherwise: as many operations turn
 * the one into the other. */
struct gvs_set *sim_kernel_copy(const struct sim_kernel *k);
size_t sim_kernel_moved(const struct sim_kernel *k, struct gvs_set *since);
void sim_kernel_check(struct sim_world *w, size_t i); /* I15, at rest */

/* fault.c */
void sim_tick(struct sim_world *w);
void sim_leap(struct sim_world *w, uint64_t ms);
void sim_heal(struct sim_world *w);

/* clone.c */
void sim_clone_plan(struct sim_world *w); /* to happen when it is time */
bool sim_is_cloned(const struct sim_world *w, const struct gvs_id *id); /* is it, or was it? */
bool sim_clone_runs(const struct sim_world *w);
/* All is healed, and the copy may run still: it has to be noticed, and be quiet; then it stops. */
void sim_clone_end(struct sim_world *w);
void sim_clone_check(struct sim_world *w); /* nobody was called a clone that is none */

/* intruder.c */
void sim_intruder_plan(struct sim_world *w); /* to come when it is time */
void sim_intruder_end(struct sim_world *w);
void sim_intruder_close(struct sim_world *w);
bool sim_intruder_was(const struct sim_world *w);             /* is it there, or was it? */
bool sim_intruder_at(const struct sim_world *w, size_t host); /* is it there now? */
void sim_intruder_take(struct sim_world *w, const struct sim_packet *p);
/* Has somebody believed a stamp that lies in the far future? */
bool sim_intruder_led_astray(struct sim_world *w);
void sim_intruder_check(struct sim_world *w); /* I24, at rest */

/* trial.c */
void sim_trials_plan(struct sim_world *w); /* to begin when it is time */
void sim_trials_close(struct sim_world *w);
uint64_t sim_trials_clock(const struct sim_world *w, size_t i); /* that they end by; 0: none do */
uint64_t sim_trials_over_us(const struct sim_world *w);         /* in so much time all are over */
void sim_trials_check(struct sim_world *w);                     /* I25, at rest */

/* work.c */
void sim_work(struct sim_world *w);
bool sim_may_work(const struct sim_world *w, size_t i);
bool sim_write(struct sim_world *w, size_t i, const struct gvs_key *key, bool tombstone,
               const uint8_t *value, size_t len);
bool sim_write_service(struct sim_world *w, size_t i); /* the cluster's, number 0 */
/* Of those that the work is about; of a cluster's or a node's. */
struct gvs_key sim_draw_key(struct sim_world *w, struct sim_prng *p, const struct gvs_id *self);
size_t sim_draw_value(struct sim_prng *p, const struct gvs_key *key, uint8_t *value);
/* The cluster's backend number k, below 65,536 of that service. */
void sim_backend_key(struct gvs_key *key, unsigned k);
bool sim_write_number(struct sim_world *w, size_t i, unsigned k, uint32_t weight);
bool sim_delete_number(struct sim_world *w, size_t i, unsigned k);
int64_t sim_read_number(const struct sim_world *w, size_t i, unsigned k); /* -1: not there */
/* From now on the write that follows is watched: w->watch tells who has it, and since when. */
void sim_watch(struct sim_world *w);

/* oracle.c */
void sim_oracle_open(struct sim_world *w);
void sim_oracle_close(struct sim_world *w);
void sim_oracle_written(struct sim_world *w, size_t i, const struct gvs_entry *e);
void sim_oracle_forged(struct sim_world *w, const struct gvs_entry *e); /* by an intruder */
void sim_oracle_restored(struct sim_world *w, size_t i); /* its disk is an old copy now */
/* Written, by one whose disk had been lost or restored, with a stamp of the past; or brought back
 * by an old copy, when nobody had it any more? */
bool sim_oracle_was_late(const struct sim_world *w, const struct gvs_entry *e);
bool sim_oracle_astray(const struct sim_world *w, size_t i);
bool sim_oracle_at_mercy(const struct sim_world *w, const struct gvs_entry *e); /* an intruder's */
bool sim_oracle_was_forged(const struct sim_world *w, const struct gvs_entry *e);
void sim_oracle_news(struct sim_world *w, size_t i, const struct gvs_entry *e);
void sim_oracle_loaded(struct sim_world *w, size_t i);
void sim_oracle_sent(struct sim_world *w, size_t from, size_t to, const uint8_t *b, size_t len);
void sim_oracle_take(struct sim_world *w, size_t i, struct sim_packet *p); /* hands it over */
void sim_oracle_removal(struct sim_world *w, size_t i, const struct gvs_item *item);
void sim_oracle_step(struct sim_world *w, size_t i); /* the tables against the news */
void sim_oracle_gone(struct sim_world *w, size_t i, const struct gvs_id *id); /* says node i */
size_t sim_oracle_forgotten(const struct sim_world *w); /* keys whose deletion somebody forgot */
void sim_oracle_promise(struct sim_world *w);           /* what there is now must not be lost */
uint64_t sim_oracle_admission(struct sim_world *w);     /* nothing is stamped later; all are up */
void sim_oracle_rest(struct sim_world *w);              /* all that must be true at rest */
bool sim_joined(struct sim_world *w); /* each running node sees exactly the running ones alive */
bool sim_agreed(struct sim_world *w); /* equal fingerprints */
bool sim_converged(struct sim_world *w);
size_t sim_running(const struct sim_world *w);

/* May a node lack it, though others hold it? What is deleted and old. */
bool sim_oracle_may_lack(const struct sim_world *w, const struct gvs_entry *e);

/* cover.c */
void sim_cover_check(struct sim_world *w, size_t i);

/* run.c */
struct sim_plan sim_plan_calm(size_t nodes);
struct sim_result {
    bool failed;
    uint64_t hash, converge_us, virtual_us, delivered, writes, ops, crashes;
    double idle_bytes; /* a node and second */
};
struct sim_plan sim_plan_draw(uint64_t seed);
struct sim_result sim_run_seed(uint64_t seed); /* prints what failed */

/* scenario.c */
struct sim_options {
    uint64_t seed, first, last;
    double seconds;
    unsigned jobs;
    bool twice, all, list;
    const char *scenario;
    uint64_t nodes, changes, duration_s;
    double delay_ms, loss;
};
/* Starts all of them and waits until they have met; ends it with what must be true at rest. */
struct sim_world *sim_begin(const struct sim_options *o, const struct sim_plan *plan,
                            uint64_t seed);
bool sim_end(struct sim_world *w);
void sim_await_rest(struct sim_world *w, const char *what, uint64_t within_s);
/* For so long no more goes over the network, a second and node. */
#define SIM_REST_BYTES 230.0 /* a probe and its answer */
void sim_check_bytes(struct sim_world *w, const char *what, uint64_t us, double most);
/* Some of everything, written by the hosts from .. to - 1 in turn. */
void sim_write_some(struct sim_world *w, size_t from, size_t to, unsigned first, unsigned count);
void sim_set_away(struct sim_world *w, size_t away, bool cut); /* from all others */
bool sim_scenario_run(const struct sim_options *o); /* false: it failed, or there is none */
void sim_scenario_list(void);

/* measure.c */
bool sim_measure(const struct sim_options *o);
void sim_sort(uint64_t *us, size_t count);
double sim_quantile_ms(const uint64_t *us, size_t count, double q); /* sorted; 0 of none */

/* scenario_age.c: true if it went well. */
bool sim_run_absence(const struct sim_options *o);
bool sim_run_ages(const struct sim_options *o);
bool sim_run_rejoin(const struct sim_options *o);
bool sim_run_slow_lender(const struct sim_options *o);
bool sim_run_stale_return(const struct sim_options *o);
bool sim_run_clock_behind(const struct sim_options *o);
bool sim_run_retired(const struct sim_options *o);

/* scenario_clock.c: likewise. */
bool sim_run_clock_ahead(const struct sim_options *o);
bool sim_run_clocks_ahead(const struct sim_options *o);
bool sim_run_clock_was_ahead(const struct sim_options *o);
bool sim_run_clock_spreads(const struct sim_options *o);
bool sim_run_clocks_1970(const struct sim_options *o);
bool sim_run_clocks_apart(const struct sim_options *o);

/* scenario_member.c: likewise. */
bool sim_run_former_life(const struct sim_options *o);
bool sim_run_half_met(const struct sim_options *o);
bool sim_run_invented(const struct sim_options *o);
bool sim_run_silent_twin(const struct sim_options *o);
