/* tools/agent/agent.h: the inside of the agent, shared by the files of this directory and by nobody
 * else.
 *
 *     agent.c      opening, closing, reloading, the timers
 *     flow.c       news from the node -> view -> kernel; ledger and store; what happens when
 *     peers.c      the bootstrap peers: names to addresses, again and again
 *     netns.c      the network namespaces that are programmed, and the helper that opens them
 *     hook.c       the program that is told of changes
 *     gossipvs.c   what gossipvs.h has for a program around the agent
 *     own.c        this node's claims from services.d, written as entries
 *     code.c       those of the program around the agent
 *     checks.c     health checks of what they claim (by health.h); maintenance.c, what they drain
 *     owners.c     who takes part: whose claims are hidden (by hide.h), who is in sync
 *     events.c     what watch shows
 *     request.c    one request: parsing, the table of commands, waiting, answering; list.c,
 *                  answers that are too long for one piece
 *     change.c     the commands that change the table; write.c, what they share
 *     apply.c      apply, and plan of files; stage.c, what was sent for them; apply_check.c, may it
 *                  be written?
 *     braked.c     what the brakes hold: what is said of it, and its release
 *     show.c       the commands that show; show_vips.c, those that show VIPs; export.c, export;
 *                  problems.c, what status complains of; alarms.c, what the log does, too
 *     conflicts.c  claims that disagree, and writes that overwrote each other
 *     show_doctor.c  what this node does, for doctor
 *     refused.c    what came from elsewhere and was not taken
 *     trial.c      applies that wait to be confirmed: their deadlines, confirm, rollback
 *     keys.c       keys list, and whom a reload would shut out
 *     leave.c      leave and forget
 *     text.c       what several of them say alike; port.c, who has our port
 *     spread.c     how long changes of others take to this kernel
 *     metrics.c    what is counted, as Prometheus reads it
 *     page.c       what people see of it (page.h: page_vips.c, VIPs; page_text.c, text and looks)
 *     http.c       both, and health, over HTTP
 *     control.c    the Unix socket
 */
#pragma once

#include <jansson.h>
#include <uv.h>

#include "core/set.h"
#include "core/vector.h"
#include "core/view.h"
#include "ipvs/kernel.h"
#include "net/node.h"
#include "net/udp.h"
#include "tools/agent/daemon.h"
#include "tools/agent/hide.h"
#include "tools/agent/names.h"
#include "tools/process/helper.h"
#include "tools/process/runner.h"
#include "tools/store/store.h"
#include "tools/words/claims.h"
#include "tools/words/claims_json.h"
#include "tools/words/config.h"

#define GVS_AGENT_RING 1024      /* events kept for watch --since */
#define GVS_AGENT_OWN_MAX 128    /* addresses of this node that views are told of, a namespace */
#define GVS_AGENT_NETNS_MAX 1024 /* network namespaces; nothing special about it */
#define GVS_AGENT_ALONE_MS 10000
#define GVS_AGENT_FORMER_MAX 32
#define GVS_AGENT_ADDRESSES_MAX 32 /* of one name; nothing special about it */
#define GVS_AGENT_OVERWRITES 1000  /* kept for conflicts */
#define GVS_PROBLEMS_MAX 100       /* that are listed, of kinds of which there may be many */
#define GVS_SPREAD_UNDER_WAY 64
#define GVS_SPREAD_BOUNDS 11
#define GVS_AGENT_TOLD (GVS_REJECT_COUNT + GVS_REFUSAL_COUNT)

enum gvs_via {
    GVS_VIA_PEER = 0,
    GVS_VIA_CLI,
    GVS_VIA_FILE,
    GVS_VIA_AUDIT,
    GVS_VIA_API,
    GVS_VIA_NONE,
};

/* What is worth a line in the log, but not one each time: what strangers, peers and users can make
 * happen as often as they like. */
enum gvs_seldom {
    GVS_SELDOM_FORBIDDEN, /* a change by somebody who may not */
    GVS_SELDOM_CLIENT,    /* a client that was hung up on */
    GVS_SELDOM_HOOK,      /* the hook failed */
    GVS_SELDOM_CLAIM,     /* a claim of this node's that the table does not take */
    GVS_SELDOM_LATE,      /* a check that had to wait for a place */
    GVS_SELDOM_COUNT
};

/* Somebody who asks for something. */
struct gvs_who {
    char name[160]; /* user@node */
    long uid, pid;  /* -1, 0: not known */
    bool may_change;
};

struct gvs_request;
struct gvs_control;
struct gvs_http;
struct gvs_change_sync;
struct gvs_stage;
struct gvs_apply;

struct gvs_checks;

struct gvs_maintenance {   /* maintenance.c */
    struct dirent **names; /* ascending */
    size_t count;
    int fault; /* errno, if they could not be read */
};

struct gvs_coded;

struct gvs_code {            /* code.c: claims of the program's */
    struct gvs_coded **list; /* ascending by key */
    size_t count, cap;
    bool due; /* what has changed could not be written yet */
};

struct gvs_watcher { /* gossipvs.c: of the program's */
    void (*event)(void *ctx, const char *line);
    void *ctx;
};

/* When something was, by both clocks. Where reading them is a system call it is worth reading them
 * once for many. */
struct gvs_moment {
    struct gvs_mono mono;
    struct gvs_wall wall;
};

/* An event, in words only once somebody looks: of a burst few ever do. */
struct gvs_event {
    struct gvs_moment when;
    char event[32], node[GVS_NAME_LEN_MAX + 1], name[GVS_NAME_LEN_MAX + 1]; /* "": it has none */
    char by[160], netns[GVS_HELPER_NAME_MAX + 1];
    enum gvs_via via;
    bool has_svc, has_ep;
    struct gvs_svcid svc;
    struct gvs_ep ep;
    struct gvs_item before, after; /* of no kind: there is nothing */
    json_t *extra;                 /* what else, in words; owned */
    json_t *doc;                   /* all of it, once it was looked at; owned */
};

struct gvs_events {
    struct gvs_event ring[GVS_AGENT_RING]; /* slot seq % GVS_AGENT_RING */
    uint64_t seq;                          /* of the latest; 0 = none ever */
    uint64_t first;                        /* the oldest that the ring holds */
    uint64_t stored;                       /* as in the store */
};

/* Services that are looked at again after a time, one to two intervals. */
struct gvs_claims_pass {                  /* own.c: over what services.d says */
    const struct gvs_claim_service **all; /* of all files, ascending; lent by them */
    size_t count, at;                     /* those before `at` are written; then, */
    bool on, withdraw;                    /* what the table has beyond goes: */
    struct gvs_keybuf behind;             /* so far it was looked at */
};

struct gvs_waiting {
    struct gvs_set *set[2]; /* the first gathers, the second waits out the interval */
    struct gvs_mono turn;   /* it ends then; meaningless if both are empty */
};

/* What has become of a member since it was first listed. */
struct gvs_member_note {
    struct gvs_mono differs;     /* its table is not ours since then; NEVER: it is */
    uint64_t deferred;           /* as in gvs_node_member, */
    struct gvs_mono deferred_at; /* when that last rose */
    struct gvs_ep ep, former;    /* its address, and the one before */
};

#define GVS_ALARM_KINDS 4

/* peers.c: a peer of the configuration. */
struct gvs_agent_peer {
    char text[GVS_CONFIG_PATH_MAX]; /* as it stands there */
    bool looking;                   /* a look-up is under way */
    bool failing;                   /* the latest gave nothing that is of use */
    size_t count;
    struct gvs_ep ep[GVS_AGENT_ADDRESSES_MAX]; /* as last known */
};

/* trial.c: one of which an entry or a word was seen. */
struct gvs_agent_trial {
    uint64_t number, deadline_ms;
    bool known; /* this is what had become of it, when it was last looked at: */
    enum gvs_trial_outcome outcome;
};

/* netns.c: one that is programmed, or is to be. */
struct gvs_netns {
    char name[GVS_HELPER_NAME_MAX + 1];
    size_t at;                 /* its place among the agent's */
    bool host;                 /* where the agent was opened; always there */
    bool seen, seen_ever;      /* by this scan; since it was last missed, first at */
    struct gvs_mono since;     /* then */
    bool there;                /* a namespace, or what looks like one, is mounted on its name */
    uint64_t dev, ino;         /* of the one that is open */
    struct gvs_ledger *ledger; /* of what is ours in it */
    char place[96];            /* that the ledger speaks of; "": none */
    uint64_t ledger_upto;      /* what the sync under way makes durable */

    struct gvs_kernel *kernel; /* NULL: not open */
    struct gvs_mono due;       /* it is stepped then */
    enum gvs_trust trust;      /* that it has been told */
    bool bare;                 /* it has no address yet, and is given the time to have one */
    bool filling;              /* it is being told what is wanted, */
    bool filled_any;
    struct gvs_svcid filled;                /* up to here, if any */
    struct gvs_addr own[GVS_AGENT_OWN_MAX]; /* its addresses, as views were told */
    size_t own_count;

    char why[192]; /* it is not open; "": nothing is known to stand in the way */
    uint32_t backoff_ms;
    struct gvs_mono retry; /* no earlier */
};

struct gvs_agent {
    uv_loop_t *loop;
    gvs_log_fn log;
    void *log_ctx;
    struct gvs_config cfg;
    char config_path[GVS_CONFIG_PATH_MAX];
    uint8_t *priv; /* this node's key while opening (net/secret.h), then NULL */

    struct gvs_agent_key { /* keys.c: of the keyring what may be shown, in the file's order */
        uint64_t id;
        bool primary;
        char note[GVS_KEYRING_NOTE_MAX + 1];
    } keys[GVS_KEYRING_MAX];
    size_t key_count;
    struct gvs_agent_turned { /* those who were turned away: told of so many, */
        uint64_t logged;
        struct gvs_mono next; /* and not before then again */
    } strangers, denied;

    struct gvs_store *store;
    struct gvs_node *node;
    struct gvs_udp *udp;
    struct gvs_claims claims;
    struct gvs_code code;
    struct gvs_checks *checks;
    struct gvs_maintenance maintenance;
    struct gvs_control *control;
    struct gvs_events events;

    struct gvs_view_service *view; /* scratch */
    struct gvs_item *items;        /* scratch, 1 + GVS_VIEW_BACKENDS_MAX */
    struct gvs_set *shown;         /* what the view last said of every service */
    struct gvs_set *dirty;         /* services whose view is out of date */
    struct gvs_set *troubled;      /* those of which the view last had something to complain */
    struct gvs_waiting held;       /* services that would lose their last usable destination */

    /* netns.c: the host's first, if it is meant; then by name. */
    struct gvs_netns *netns[GVS_AGENT_NETNS_MAX];
    size_t netns_count;
    size_t netns_more;               /* there are, and no room for them */
    size_t netns_turn;               /* who is stepped first */
    struct gvs_mono netns_scan;      /* the next */
    bool netns_scanned, netns_young; /* once; somebody who has just come is not complete */
    char netns_fault[64];            /* of the directory, else "" */
    bool netns_watching;
    uint64_t netns_dev, netns_ino; /* what is watched */
    uv_fs_event_t netns_watch;
    struct gvs_child helper;
    uv_poll_t helper_poll;
    char helper_fault[64];               /* it has gone; else "" */
    char asked[GVS_HELPER_NAME_MAX + 1]; /* of the helper; "": nothing */
    struct gvs_mono asked_at;

    /* hook.c */
    struct gvs_child runner;
    uv_poll_t runner_poll;
    bool hook_busy;       /* it is being told of an event, */
    uint64_t hook_seq;    /* the latest that it was told of */
    char hook_fault[128]; /* how it failed, the last time; else "" */
    uint64_t hook_done, hook_failed;

    struct gvs_spread { /* spread.c */
        struct gvs_under_way {
            struct gvs_item item;
            uint64_t ms;           /* of its stamp */
            struct gvs_mono until; /* 0: none */
        } under_way[GVS_SPREAD_UNDER_WAY];
        size_t next;
        uint64_t counts[GVS_SPREAD_BOUNDS + 1]; /* the last: of what is beyond all */
        uint64_t sum_ms;
    } spread;

    /* http.c */
    struct gvs_http *http;       /* NULL: not asked for, or not possible */
    struct gvs_fault http_fault; /* why it is not; text "": nothing is wrong */

    /* owners.c */
    struct gvs_node_member *members; /* as last listed, ourselves included */
    size_t member_count;
    struct gvs_addr *member_addrs; /* where they take datagrams, as views were told; ascending */
    size_t member_addr_count;
    struct gvs_member_note *notes; /* of `members`, one each */
    struct gvs_hide hide;
    struct gvs_mono hide_next;  /* a stage changes then */
    bool members_due;           /* something happened to a member */
    bool scanning;              /* services of owners whose stage changed are being viewed */
    struct gvs_keybuf scan_key; /* up to here */
    bool retired;               /* and told so */
    bool leaving;               /* by command, and nothing is wanted any more of any kernel */
    struct gvs_mono leave_by;   /* connections are given until then */
    bool left;                  /* by command: the caller is told, once */
    void (*on_left)(void *ctx);
    void *on_left_ctx;

    /* conflicts.c */
    json_t *overwrites[GVS_AGENT_OVERWRITES]; /* number i in slot i % GVS_AGENT_OVERWRITES */
    uint64_t overwrite_count, overwrites_missed, overwrites_unlogged;
    struct gvs_mono overwrite_logged;

    /* trial.c */
    struct gvs_agent_trial *trials;
    size_t trial_count;
    bool trials_due; /* something was heard of one */
    uint64_t now_ms; /* since 1970, by the median of clocks: what trials end by */
    uint64_t trial_next_ms, trial_last_ms; /* the deadlines before and behind that */
    bool trial_scanning;                   /* services with entries of any are being viewed */
    struct gvs_keybuf trial_key;           /* up to here */

    struct {
        struct gvs_mono at;
        uint64_t unlogged; /* since */
    } seldom[GVS_SELDOM_COUNT];

    struct {
        uint64_t count; /* told of so far */
        struct gvs_mono next;
    } told[GVS_AGENT_TOLD]; /* refused.c */

    struct gvs_names names; /* of what is claimed, shown, or on its way out of a kernel */
    size_t names_kept;      /* when some were last forgotten */

    /* gossipvs.c */
    bool embedded, ending;
    char program[160]; /* its name, @node: who asks */
    struct gvs_watcher watcher;
    char *status; /* as last lent */

    enum gvs_via via; /* who causes what happens now */
    const char *by;   /* the user, if via is CLI or API */

    struct gvs_mono alarm_due[GVS_ALARM_KINDS]; /* the log is told of each no earlier */
    struct gvs_mono started;
    bool quiet;        /* what views bring now is no news for watch */
    bool fresh;        /* the store was empty: this node has never been part of anything */
    bool claims_read;  /* services.d has been read at least once */
    bool claims_tried; /* and what it says written; or it could not be read */
    struct gvs_claims_reading *reading; /* own.c; NULL: nothing is being read */
    bool read_again;                    /* it may have changed since */
    struct gvs_claims_pass pass;
    bool ledger_pending;
    bool ledger_again;            /* the latest could not be written: ask again */
    struct gvs_mono withdraw;     /* what services.d lacks is withdrawn then; NEVER: nothing is */
    struct gvs_mono claims_again; /* what the table did not take of it is tried then; NEVER: all is
                                     there */
    struct gvs_mono insist;       /* no earlier than then, against another process by our name */
    uint64_t own_name; /* entries in our name that peers brought, when claims were last made so */
    uint64_t floor_ns; /* the floor of init_time on disk */
    uint64_t stamp_floor_ms;     /* that of stamps */
    bool newborn;                /* the node's key was made at this start */
    bool keyless;                /* for a store that had one: it was another node's */
    bool lost;                   /* some of its records were: its vector is not to be trusted */
    bool news_taken;             /* entries whose vector is not queued yet */
    uint64_t vector_changes;     /* of the vector on disk, */
    struct gvs_mono vector_at;   /* written then */
    struct gvs_mono out_of_step; /* since when; NEVER while in step */
    bool was_in_step;            /* at least once */
    struct gvs_wall started_wall;
    struct gvs_wall configured; /* when gossipvs.conf was last read and taken */
    struct gvs_agent_peer peers[GVS_CONFIG_PEERS_MAX];
    size_t peer_count;
    struct gvs_ep former[GVS_AGENT_FORMER_MAX]; /* where members of a retired id's took datagrams */
    size_t former_count;
    struct gvs_mono resolved;      /* when their names were last looked up; 0: not yet */
    struct gvs_fault claims_fault; /* services.d could not be read */
    struct gvs_fault config_fault; /* the latest reload failed */

    struct gvs_change_sync *syncs; /* for which the store will call back */
    struct gvs_request *requests;  /* waiting for something, and watchers */
    struct gvs_stage *stages;      /* stage.c: what clients are sending to be applied */
    bool pumping;

    uv_timer_t kernel_timer;
    uv_idle_t more; /* there is more to do: the loop only looks at its sockets meanwhile */
    uv_timer_t tick;
    uv_fs_event_t watch, watch_maintenance;
    bool watching, watching_maintenance;
    size_t handles; /* open ones; the last to close frees the agent */
    bool closing;
    void (*closed)(void *ctx);
    void *closed_ctx;
};

/* agent.c */
struct gvs_agent_setup {
    struct uv_loop_s *loop;
    const char *config;
    gvs_log_fn log;
    void *log_ctx;
    bool embedded; /* as gossipvs.h has it: without what the file does not name, and with claims
                      from code */
};
int gvs_agent_set_up(struct gvs_agent **out, const struct gvs_agent_setup *setup,
                     struct gvs_fault *fault);
void gvs_agent_log(struct gvs_agent *a, enum gvs_log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The first of a class at once, then one a minute, which tells how many it stands for. */
void gvs_agent_log_seldom(struct gvs_agent *a, enum gvs_seldom what, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* What views need to know, with the addresses of the host's namespace (the screen's), or another's.
 */
struct gvs_view_env gvs_agent_env(const struct gvs_agent *a);
struct gvs_view_env gvs_agent_env_in(const struct gvs_agent *a, const struct gvs_netns *ns);
void gvs_agent_handle_closed(struct gvs_agent *a); /* one of a->handles is gone */

/* flow.c: lets everything that has happened take effect; safe to call at any time, also from within
 * itself. */
void gvs_agent_pump(struct gvs_agent *a);
/* _take_entries: what changed in the table is queued for the store, and its services are marked.
 * _take_news: that, and what goes along with it: by the end of the callback at the latest. */
void gvs_agent_take_entries(struct gvs_agent *a);
void gvs_agent_take_news(struct gvs_agent *a);
/* Of the i-th chunk of the version vector, in META. */
#define GVS_VECTOR_KEY_LEN 8
void gvs_agent_vector_key(uint8_t key[static GVS_VECTOR_KEY_LEN], size_t i);
/* Takes news and brings every view up to date, under the name of whoever a->via and a->by say. */
void gvs_agent_absorb(struct gvs_agent *a);
void gvs_agent_dirty(struct gvs_agent *a, const struct gvs_svcid *svc);
void gvs_agent_dirty_all(struct gvs_agent *a);
bool
gvs_agent_complete(const struct gvs_agent *a); /* has what all others have, or is the only one */
bool gvs_agent_may_write(const struct gvs_agent *a);  /* synced, or alone for long enough */
bool gvs_agent_may_remove(const struct gvs_agent *a); /* what nobody here asked to be removed */
bool gvs_agent_in_step(const struct gvs_agent *a);
/* What kernels ask of what is not wanted any more (ipvs/kernel.h). */
struct gvs_mono gvs_agent_stay(void *ctx, const struct gvs_svcid *svc, const struct gvs_ep *ep,
                               uint64_t held_ms);
bool gvs_agent_goes_at_once(void *ctx, const struct gvs_svcid *svc, const struct gvs_ep *ep);
/* Nothing is programmed: by configuration, or since other agents program every namespace. */
bool gvs_agent_observes(const struct gvs_agent *a);
bool gvs_agent_owns(const struct gvs_agent *a, const struct gvs_svcid *svc); /* in any ledger */
bool gvs_agent_uses(const void *agent, const struct gvs_svcid *svc);         /* or shown */

/* owners.c: who takes part, as far as views, status and the screen go. */
int gvs_owners_open(struct gvs_agent *a); /* once the node is; GVS_E_FULL: memory */
void gvs_owners_close(struct gvs_agent *a);
/* Lists the members anew if something happened to one, or a stage is due. Returns when the next is.
 */
struct gvs_mono gvs_owners_refresh(struct gvs_agent *a, struct gvs_mono now);
/* The next service with a claim of an owner whose stage changed; looks at no more than *budget
 * entries, and lowers it. False: none, or the budget is spent (a->scanning stays). */
bool gvs_owners_next(struct gvs_agent *a, size_t *budget, struct gvs_svcid *out);
/* For how long his table has not been ours; 0 if it is, or nothing is known. */
uint64_t gvs_owners_differs_ms(const struct gvs_agent *a, const struct gvs_id *id);
/* The member that takes datagrams at this address, the livelier first; NULL: none. */
const struct gvs_node_member *gvs_owners_at(const struct gvs_agent *a, const struct gvs_addr *addr);
/* A service in use at this address; false: none. */
bool gvs_owners_service_at(const struct gvs_agent *a, const struct gvs_addr *addr,
                           struct gvs_svcid *out);

/* peers.c. _read: the configuration has been read. Names are looked up by _tick, not before the
 * loop runs: the resolver's threads, as those of the store, are to begin when the caller has given
 * up what he does not want them to have. */
void gvs_peers_read(struct gvs_agent *a);
void gvs_peers_tick(struct gvs_agent *a, struct gvs_mono now);
/* What the members of a retired id are for its successor, who knows nobody: _take reads them from
 * the node and the store that are about to be closed, _keep settles what the new ones have. */
void gvs_peers_take_former(struct gvs_agent *a);
void gvs_peers_keep_former(struct gvs_agent *a);

/* netns.c, in this order: _fork before any key is read; _open once the store is, which opens the
 * host's or sets a fault; _begin once all is open. _run looks for what came and went, and returns
 * when to be called again. _free when its handles are closed. */
void gvs_netns_fork(struct gvs_agent *a);
int gvs_netns_open(struct gvs_agent *a, struct gvs_fault *fault);
void gvs_netns_begin(struct gvs_agent *a);
struct gvs_mono gvs_netns_run(struct gvs_agent *a, struct gvs_mono now);
void gvs_netns_free(struct gvs_agent *a);

/* hook.c: the program that is told of events */
void gvs_hook_fork(struct gvs_agent *a);  /* before any key is read */
void gvs_hook_begin(struct gvs_agent *a); /* tells what happens from now on */
void gvs_hook_run(struct gvs_agent *a);
void gvs_hook_free(struct gvs_agent *a);
/* The next that is open, or the first (after NULL); NULL: no more. The host's; NULL: not meant. */
struct gvs_netns *gvs_netns_next(const struct gvs_agent *a, const struct gvs_netns *after);
struct gvs_netns *gvs_netns_host(const struct gvs_agent *a);
bool gvs_netns_alone(const struct gvs_agent *a);   /* the host's and no other is meant */
bool gvs_netns_settled(const struct gvs_agent *a); /* all that are there are open and filled */
/* A record of its ledger for the store; val NULL: it goes. */
void gvs_netns_put(struct gvs_agent *a, const struct gvs_netns *ns, const void *rec, size_t len,
                   const void *val, size_t val_len);
bool gvs_netns_take_own(struct gvs_netns *ns); /* its addresses; true if they are others */
bool gvs_netns_has(const struct gvs_netns *ns, const struct gvs_addr *addr);    /* of its own */
void gvs_netns_refresh_conns(struct gvs_agent *a, const struct gvs_svcid *svc); /* in all */
/* Connections in all together; false: in none they are known. */
bool gvs_netns_conns(const struct gvs_agent *a, const struct gvs_item *item, uint64_t *active,
                     uint64_t *inactive);
/* The services that leave kernels as a whole, ascending, each once; of one namespace, or (NULL) of
 * all. To be freed. */
struct gvs_svcid *gvs_netns_leaving(const struct gvs_agent *a, const struct gvs_netns *only,
                                    size_t *count);
void gvs_netns_refill(struct gvs_netns *ns); /* it is to be told all that is wanted */

/* own.c: makes the table say what services.d says. Reads it if it is not as it was, and begins what
 * there is to do about it. */
void gvs_agent_read_claims(struct gvs_agent *a);
bool gvs_agent_claim_next(struct gvs_agent *a); /* does a slice of that; true: there is more */
/* All of it before it returns: where nobody is kept waiting, or somebody waits for just that. */
void gvs_agent_read_claims_now(struct gvs_agent *a);
const char *gvs_agent_claim_file(const struct gvs_agent *a, const struct gvs_svcid *svc,
                                 const struct gvs_ep *ep /* NULL: the service itself */);
/* What a check says has changed: claims this backend anew, if a file has it. */
void gvs_agent_claim_backend(struct gvs_agent *a, const struct gvs_svcid *svc,
                             const struct gvs_ep *ep);
/* Why this node claims it with weight 0, though its file may say more; false: it does not. */
bool gvs_agent_claim_held(const struct gvs_agent *a, const struct gvs_svcid *svc,
                          const struct gvs_ep *ep, char *text, size_t cap);

/* Writes an entry in our own name, unless the table says so already; what it does not take is tried
 * again. To be absorbed. */
void gvs_agent_write_claim(struct gvs_agent *a, const struct gvs_moment *now,
                           const struct gvs_key *key, bool tombstone, const uint8_t *value,
                           size_t len);

/* code.c. _load: the durable ones, before the loop runs; _store: puts them into a new store.
 * _write: makes the table say all of them. */
void gvs_code_load(struct gvs_agent *a);
void gvs_code_store(struct gvs_agent *a);
void gvs_code_write(struct gvs_agent *a);
void gvs_code_free(struct gvs_agent *a);
bool gvs_code_has(const struct gvs_agent *a, const struct gvs_key *key); /* whoever the owner is */
int gvs_code_claim(struct gvs_agent *a, const char *vip, const char *backend, const char *words,
                   bool durable, struct gvs_fault *f);
int gvs_code_withdraw(struct gvs_agent *a, const char *vip, const char *backend,
                      struct gvs_fault *f);
/* Are there claims that end with the agent, in the table? And: a change that ends them. */
bool gvs_code_any_passing(const struct gvs_agent *a);
bool gvs_code_end_passing(struct gvs_request *r);

/* checks.c. _fork before any key is read (false: out of memory); _begin once all is open; _sync
 * when the files, or this node's right to write what they say, have changed. _fixed: another
 * directory takes a restart. */
bool gvs_checks_fork(struct gvs_agent *a);
bool gvs_checks_fixed(const struct gvs_agent *a);
void gvs_checks_begin(struct gvs_agent *a);
void gvs_checks_sync(struct gvs_agent *a);
void gvs_checks_close(struct gvs_agent *a, void (*close_handle)(void *handle));
void gvs_checks_free(struct gvs_agent *a);
bool gvs_checks_down(const struct gvs_agent *a, const struct gvs_svcid *svc,
                     const struct gvs_ep *ep);
bool gvs_checks_reason(const struct gvs_agent *a, const struct gvs_svcid *svc,
                       const struct gvs_ep *ep, char *text, size_t cap); /* false: not down */
/* Looks that had to wait for a place. */
uint64_t gvs_checks_late(const struct gvs_agent *a, enum gvs_check_type type);

/* maintenance.c. _read: true if other services are in maintenance than before. */
bool gvs_maintenance_read(struct gvs_agent *a);
void gvs_maintenance_free(struct gvs_agent *a);
bool gvs_maintenance_covers(const struct gvs_agent *a, const char *name);

struct gvs_moment gvs_agent_moment(void);

/* events.c: `event` is "check.up" and the like; all others may be NULL. `node`: who caused it, if
 * it was not this one; `extra`: further keys, or these with other values; stolen. */
void gvs_event_emit(struct gvs_agent *a, const char *event, const struct gvs_svcid *svc,
                    const struct gvs_ep *ep, const struct gvs_id *node, json_t *extra);
void gvs_event_items(struct gvs_agent *a, struct gvs_range before, struct gvs_range after,
                     const struct gvs_id *node);
void gvs_event_kernel(struct gvs_agent *a, const struct gvs_netns *ns,
                      const struct gvs_kernel_event *ev, const struct gvs_moment *when);
void gvs_event_member(struct gvs_agent *a, const struct gvs_node_event *ev);
/* The event of a number that the ring holds; borrowed, and not to be changed. */
json_t *gvs_event_doc(struct gvs_events *e, uint64_t seq);
void gvs_events_free(struct gvs_events *e);

/* How an answer leaves in pieces, for those who can take it so. `of` tells answers apart: while one
 * is under way, all others to the same ctx wait behind it. */
struct gvs_pieces {
    bool (*ready)(void *ctx, const void *of); /* has he room for another one? Else, once he has, all
                                                 are polled */
    void (*put)(void *ctx, const void *of, const char *bytes, size_t len, bool last);
};

/* request.c */
struct gvs_request {
    struct gvs_agent *a;
    struct gvs_request *next; /* in a->requests */
    gvs_reply_fn reply;
    const struct gvs_pieces *pieces; /* NULL: whole lines only */
    void *ctx;
    json_t *doc;       /* the request as it came */
    const char *words; /* "vip add" */
    size_t argc;
    const char *argv[64]; /* lent from doc */
    struct gvs_who who;
    bool
        running; /* its command stands on the stack: not to be freed, even if its client has gone */
    bool stays;  /* goes on when its client has gone */
    bool done;
    struct gvs_mono began, deadline;
    struct gvs_mono wake; /* poll again no later than this */
    /* Returns true when it has answered; called after every pump and when the deadline has come.
     * NULL: not waiting. */
    bool (*poll)(struct gvs_request *r, struct gvs_mono now);
    /* A change that waits to be durable and known to the kernel. */
    bool (*change)(struct gvs_request *r); /* to be run once the node may write */
    struct gvs_change_sync *sync;          /* under way in the store */
    bool durable;
    bool already;
    struct gvs_stamp stamp;
    size_t svc_count;
    struct gvs_svcid *svcs; /* touched; owned */
    size_t svc_settled;     /* of these, in front */
    struct gvs_mono asked;  /* --wait-converged, --peers: when everybody was last probed */
    struct gvs_mono wrote;
    size_t peers;      /* to wait for */
    bool of_members;   /* what is written is of a member, not a claim */
    bool has_if_stamp; /* write only over this; 0: only if it is not there */
    uint64_t if_stamp;
    bool dry;                              /* --dry-run: the list says what would be written */
    size_t written;                        /* entries */
    struct gvs_write *writes, *writes_end; /* gathered; owned */
    bool more;                             /* run `change` again: it has only done a part */
    struct gvs_apply *apply;               /* apply.c; owned */
    const struct gvs_undo *trial;          /* what is written is on this trial; NULL: on none */
    struct gvs_keybuf trial_key;           /* rollback has looked so far */
    size_t left;                           /* leave --withdraw: objects, in all kernels, */
    struct gvs_mono left_at;               /* since then */
    /* A watcher. */
    uint64_t since;
    const char *glob;
    /* A list. */
    struct gvs_list *list; /* list.c; owned */
    void *walk;
};
void gvs_request_answer(struct gvs_request *r, json_t *doc, bool last); /* steals doc */
void gvs_request_fault(struct gvs_request *r, const struct gvs_fault *f);
struct gvs_mono
gvs_requests_poll(struct gvs_agent *a); /* returns when to poll again at the latest */
/* It goes on to its end, but nobody waits any longer: the client is told, if he is there. */
void gvs_request_early(struct gvs_request *r, const struct gvs_fault *f);
void gvs_requests_fini(struct gvs_agent *a); /* the store is closed: nothing calls back any more */
void gvs_requests_abandon(struct gvs_agent *a, void *ctx); /* whose reply went to ctx; NULL: all */
/* Do some requests whose replies go to ctx wait, and will each have a last answer? (watch has
 * none.) */
bool gvs_requests_end(const struct gvs_agent *a, const void *ctx);
json_t *gvs_fault_json(const struct gvs_fault *f);
/* The request changes the table (or says how it would): run `change` as soon as this node may write
 * (it writes, names the services in r->svcs with gvs_request_touch and returns true, or answers
 * with a fault and returns false), then answer when that is durable and this kernel has done it or
 * refused. */
void gvs_request_change(struct gvs_request *r, bool (*change)(struct gvs_request *r));
void gvs_request_touch(struct gvs_request *r, const struct gvs_svcid *svc);
/* For changes that do without gvs_request_change: makes what was written durable (r->durable, and a
 * poll), and answers. */
void gvs_request_sync(struct gvs_request *r);
void gvs_request_changed(struct gvs_request *r, size_t peers, const char *kernel,
                         const struct gvs_fault *f /* or NULL */);
/* A request of the program's own that is no line: `run` begins it, under the name of the program.
 * */
void gvs_request_run(struct gvs_agent *a, uint64_t timeout_ms, void (*run)(struct gvs_request *r),
                     gvs_reply_fn reply, void *ctx);
/* gvs_agent_command, with all that is known of who asks, copied, and how he takes long answers
 * (NULL: whole). */
void gvs_request_begin(struct gvs_agent *a, const char *line, const struct gvs_who *who,
                       gvs_reply_fn reply, const struct gvs_pieces *pieces, void *ctx);

/* list.c. _begin: the answer is {"schema", KEY: [...]}, and `next` puts one element or a few (or
 * none: it is called again in the same turn, or the next) until it returns false: that was all, or
 * it has answered with a fault. r->walk is its own: where it is. Or: _open, _put of each, while
 * _ready says so, _end. */
void gvs_list_begin(struct gvs_request *r, const char *key, bool (*next)(struct gvs_request *r),
                    void *walk, void (*free_walk)(void *walk));
void gvs_list_open(struct gvs_request *r, const char *key);
void gvs_list_put(struct gvs_request *r, json_t *element); /* stolen */
bool gvs_list_ready(struct gvs_request *r);                /* else wait for the client */
void gvs_list_end(struct gvs_request *r, json_t *rest);    /* what else it has, or NULL; stolen */
/* Puts the fault at the end of what has left already; false: nothing has. */
bool gvs_list_fault(struct gvs_request *r, const struct gvs_fault *f);
void gvs_list_free(struct gvs_request *r);

/* write.c: entries of the cluster's. Each returns false having answered with a fault. What is
 * written is gathered, each key once at most, and goes into the table with gvs_writes_commit, all
 * of it or nothing. */
struct gvs_write {
    struct gvs_write *next;
    struct gvs_key key;
    bool tombstone;
    size_t len;
    uint8_t value[];
};
bool gvs_writes_commit(struct gvs_request *r);
void gvs_writes_free(struct gvs_request *r);
/* How many of what is gathered take room: keys that the table has not yet. Tombstones stand in the
 * place of what they bury. And: has the table room for so many? A negative number with *f. */
size_t gvs_writes_room(const struct gvs_request *r);
int gvs_write_check_room(const struct gvs_request *r, size_t needed, struct gvs_fault *f);
/* Has each entry that is gathered room for what a trial would go back to? And for that of the entry
 * of this key, which a trial would delete? */
int gvs_write_check_trial(const struct gvs_request *r, struct gvs_fault *f);
int gvs_write_check_undo(const struct gvs_request *r, const struct gvs_key *key,
                         struct gvs_fault *f);
struct gvs_key gvs_write_key(enum gvs_key_kind kind, const struct gvs_svcid *svc,
                             const struct gvs_ep *ep /* or NULL */);
/* What the table says of it now: not of what has gone back (core/trial.h). */
bool gvs_write_say(const struct gvs_request *r, const struct gvs_key *key, struct gvs_said *said);
bool gvs_write_get(const struct gvs_request *r, const struct gvs_key *key, struct gvs_entry *e);
bool gvs_write_entry(struct gvs_request *r, const struct gvs_key *key, bool tombstone,
                     const uint8_t *value, size_t len);
bool gvs_write_service(struct gvs_request *r, const struct gvs_svcid *svc, struct gvs_service *s);
bool gvs_write_backend(struct gvs_request *r, const struct gvs_svcid *svc, const struct gvs_ep *ep,
                       const struct gvs_backend *b);
/* One that says nothing is a tombstone. */
bool gvs_write_override(struct gvs_request *r, const struct gvs_svcid *svc, const struct gvs_ep *ep,
                        const struct gvs_override *o);
bool gvs_write_tombstone(struct gvs_request *r, const struct gvs_key *key, bool force);
/* Was it deleted, a backend or (`ep` is NULL) a service, and not by force? Then it may still leave
 * somewhere; and hasten has it go at once, everywhere. */
bool gvs_write_leaves(const struct gvs_request *r, const struct gvs_svcid *svc,
                      const struct gvs_ep *ep);
bool gvs_write_hasten(struct gvs_request *r, const struct gvs_svcid *svc, const struct gvs_ep *ep);
/* Takes --peers N, --if-stamp S and --dry-run out of the arguments. */
int gvs_write_options(struct gvs_request *r, struct gvs_fault *f);
/* --if-stamp: is this the stamp held (0: nothing is)? */
int gvs_write_check_stamp(const struct gvs_request *r, const char *what, uint64_t held,
                          struct gvs_fault *f);

/* keys.c. check reads the keyring that cfg names, and refuses a new primary key that a living
 * member lacks, unless forced; use has it take effect, note only be shown. log_strangers says who
 * was turned away, once a minute. */
int gvs_keys_check(struct gvs_agent *a, const struct gvs_config *cfg, bool force,
                   struct gvs_keyring *ring, struct gvs_fault *fault);
void gvs_keys_note(struct gvs_agent *a, const struct gvs_keyring *ring);
void gvs_keys_use(struct gvs_agent *a, const struct gvs_keyring *ring);
void gvs_keys_log_strangers(struct gvs_agent *a);
void gvs_show_keys(struct gvs_request *r);

/* refused.c: what strangers sent and members said in vain: a line a minute and reason. */
void gvs_agent_tell_refused(struct gvs_agent *a);
json_t *gvs_refused_json(const struct gvs_agent *a);

/* conflicts.c */
void gvs_agent_take_overwrites(struct gvs_agent *a);
void gvs_agent_free_overwrites(struct gvs_agent *a);

/* stage.c, apply.c */
void gvs_stage_abandon(struct gvs_agent *a, const void *ctx); /* the client's; NULL: all */
void gvs_change_stage(struct gvs_request *r);
void gvs_change_apply(struct gvs_request *r);
void gvs_show_plan_of(struct gvs_request *r);     /* plan, with vips */
void gvs_apply_free(struct gvs_apply *p);         /* NULL is none */
size_t gvs_apply_kept(const struct gvs_apply *p); /* claims that the files lack, and that stay */

/* trial.c. _note: of news; _load: of all that is held, once. _look brings the outcomes up to date,
 * and returns when to be called again. _scan marks services to be viewed again; whether some are
 * left. _json: the one that waits, or null. */
void gvs_trials_note(struct gvs_agent *a, const struct gvs_entry *e);
void gvs_trials_load(struct gvs_agent *a);
struct gvs_mono gvs_trials_look(struct gvs_agent *a, struct gvs_mono now);
bool gvs_trials_scan(struct gvs_agent *a);
json_t *gvs_trials_json(const struct gvs_agent *a);
/* apply: a second one is refused while one waits. begin: a new trial, *undo gets its number and
 * deadline; drop: nothing was written on it. */
int gvs_trial_refuse_second(const struct gvs_request *r, struct gvs_fault *f);
int gvs_trial_begin(struct gvs_request *r, unsigned seconds, struct gvs_undo *undo,
                    struct gvs_fault *f);
void gvs_trial_drop(struct gvs_request *r, const struct gvs_undo *undo);
void gvs_trial_describe(const struct gvs_request *r, const struct gvs_undo *undo, json_t *doc);

/* change.c: what it asks of one service before it is written. The first two: a negative number with
 * *f; the view is overwritten. The third: of the view's, connections on this node. */
int gvs_change_check_vip(struct gvs_request *r, const struct gvs_svcid *svc,
                         const struct gvs_service *s, struct gvs_fault *f);
int gvs_change_refuse_member(struct gvs_request *r, const struct gvs_svcid *svc,
                             struct gvs_fault *f);
int gvs_change_refuse_active(struct gvs_request *r, struct gvs_fault *f);

/* change.c, show.c: each answers the request, now or later. */
typedef void (*gvs_command_fn)(struct gvs_request *r);
void gvs_change_vip_add(struct gvs_request *r);
void gvs_change_vip_set(struct gvs_request *r);
void gvs_change_vip_del(struct gvs_request *r);
void gvs_change_backend_add(struct gvs_request *r);
void gvs_change_backend_set(struct gvs_request *r);
void gvs_change_backend_del(struct gvs_request *r);
void gvs_change_backend_drain(struct gvs_request *r);
void gvs_change_backend_undrain(struct gvs_request *r);
void gvs_change_confirm(struct gvs_request *r);
void gvs_change_rollback(struct gvs_request *r);
void gvs_change_leave(struct gvs_request *r);
void gvs_change_forget(struct gvs_request *r);
void gvs_show_conflicts(struct gvs_request *r);
void gvs_show_doctor(struct gvs_request *r);
void gvs_show_status(struct gvs_request *r);
void gvs_show_members(struct gvs_request *r);
void gvs_show_vip_list(struct gvs_request *r);
void gvs_show_vip(struct gvs_request *r);
/* The first `max` of vip list, and no more once there are `rows_max` of VIPs and backends. */
json_t *gvs_show_vips(struct gvs_agent *a, size_t max, size_t rows_max);
void gvs_show_export(struct gvs_request *r); /* export.c */
void gvs_show_plan(struct gvs_request *r);
void gvs_show_audit(struct gvs_request *r);
void gvs_show_watch(struct gvs_request *r);
void gvs_show_config(struct gvs_request *r);
void gvs_show_version(struct gvs_request *r);
void gvs_show_reload(struct gvs_request *r);
/* True, having answered with a fault, if there are more words than the command takes. */
bool gvs_show_too_many_words(struct gvs_request *r, size_t max);
/* There is no such VIP; the hint has what was meant. */
void gvs_show_no_vip(struct gvs_agent *a, const char *word, struct gvs_fault *f);
/* The members, ourselves included; to be freed. NULL with *count 0 if memory is short. */
struct gvs_node_member *gvs_list_members(const struct gvs_agent *a, size_t *count);

/* What status and members say, and metrics, too: here it is made, once. The sum over all network
 * namespaces; the last error is the first's that has one. */
struct gvs_table_counts {
    size_t entries, tombstones, services, backends;
};
struct gvs_table_counts gvs_show_table(const struct gvs_agent *a);
struct gvs_kernel_status gvs_show_kernels(const struct gvs_agent *a);
bool gvs_show_in_sync(const struct gvs_agent *a, const struct gvs_node_member *m);
bool gvs_show_in_step(const struct gvs_agent *a, const struct gvs_node_member *m);
bool gvs_show_observes(const struct gvs_agent *a, const struct gvs_node_member *m);

/* metrics.c. The text is to be freed; NULL: no memory. */
char *gvs_metrics_text(const struct gvs_agent *a, size_t *len);
void gvs_show_metrics(struct gvs_request *r);

/* page.c: HTML, likewise. */
char *gvs_page_text(struct gvs_agent *a, size_t *len);

/* spread.c. begin: an entry is news. end: the kernel has acknowledged an operation on this item,
 * and not one that mends drift. */
extern const uint32_t gvs_spread_bounds_ms[GVS_SPREAD_BOUNDS];
void gvs_spread_begin(struct gvs_agent *a, const struct gvs_entry *e, const struct gvs_key *key);
void gvs_spread_end(struct gvs_agent *a, const struct gvs_item *item,
                    const struct gvs_moment *when);

/* http.c: metrics { listen }. begin opens what cfg names; where that is not possible, it is a
 * problem of status's, and tick, called once a second, tries again. move goes over to another
 * address, or none; on a fault what there was goes on. */
void gvs_http_begin(struct gvs_agent *a);
void gvs_http_tick(struct gvs_agent *a);
int gvs_http_move(struct gvs_agent *a, const struct gvs_ep *to, struct gvs_fault *f);
void gvs_http_close(struct gvs_agent *a);

/* problems.c: what is wrong, for status. */
struct gvs_problems {
    json_t *list;
    bool critical;
};
void gvs_problem(struct gvs_problems *p, bool critical, const char *code, const char *hint,
                 const char *fmt, ...) __attribute__((format(printf, 5, 6)));
bool gvs_problems_has(const struct gvs_view_service *v); /* is there one in this view? */
json_t *gvs_problems(struct gvs_agent *a, bool *critical);
void gvs_checks_problems(const struct gvs_agent *a, struct gvs_problems *p);
void gvs_maintenance_problems(const struct gvs_agent *a, struct gvs_problems *p);
/* Has this node all that the others have, and its kernel all that it wants? Else why not. */
bool gvs_agent_ready(const struct gvs_agent *a, char *why, size_t cap);

/* braked.c */
void gvs_agent_brake_problem(const struct gvs_netns *ns, const struct gvs_kernel_status *k,
                             struct gvs_problems *p);
void gvs_agent_brake_event(struct gvs_agent *a, const struct gvs_netns *ns,
                           const struct gvs_kernel_event *ev);
void gvs_change_brake_release(struct gvs_request *r);

/* alarms.c: those of them that the log tells, too. */
void gvs_alarms(const struct gvs_agent *a, struct gvs_problems *p);
void gvs_alarms_log(struct gvs_agent *a); /* to be called once a second */

/* text.c: what several of them say alike. */
void gvs_text_id_name(const struct gvs_agent *a, const struct gvs_id *id, char *text, size_t cap);
void gvs_text_endpoint(char text[static GVS_EP_TEXT_LEN], const struct gvs_node_member *m);
void gvs_text_time(char text[static 32], uint64_t unix_ms); /* RFC 3339, UTC, ms */
void gvs_text_hex64(char text[static 17], uint64_t v);      /* fingerprints, stamps */
json_t *gvs_text_claim(const struct gvs_key *key, const uint8_t *value, size_t len);
json_t *gvs_text_item(const struct gvs_item *item); /* its fields, for before and after */
/* Who uses a key that this node lacks: which one (its id), from where. */
const char *gvs_text_stranger(const struct gvs_agent *a, char *text, size_t cap,
                              const struct gvs_stranger *stranger);
/* Who is not admitted, and from where he calls. */
const char *gvs_text_denied(const struct gvs_agent *a, char *text, size_t cap,
                            const struct gvs_stranger *denied);
const char *gvs_text_withheld(const struct gvs_agent *a, char *text, size_t cap,
                              const struct gvs_view_service *v, const struct gvs_view_backend *b);

/* port.c: "pid 812 (gossipvsd)", or "another process" if that cannot be seen. */
void gvs_port_owner(char *text, size_t cap, uint16_t port);

/* control.c: the socket of cfg.socket; *out NULL where there is to be none. */
int gvs_control_open(struct gvs_control **out, struct gvs_agent *a, struct gvs_fault *fault);
void gvs_control_close(struct gvs_control *c); /* counts in a->handles */
