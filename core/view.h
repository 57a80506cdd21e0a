/* core/view.h: what should this kernel hold? A pure function of the table and of a few facts about
 * this node.
 *
 * One service at a time: claims are merged, overrides applied, and what must not be programmed is
 * withheld with a reason that people can read. The screen and the kernel get the same answer from
 * the same call.
 *
 *   - A service exists while anybody claims it. Of several claims the cluster's speaks, else the
 *     one with the greatest stamp; that others disagree is told (`conflict`).
 *   - A backend exists while anybody claims it; attributes likewise. A cluster claim on a backend
 *     counts only if its clock is above that of the last deletion of the cluster's claim on the
 *     service (a tombstone, or `reset` in a live one).
 *   - A backend takes nothing over from its service: `forward` of a service is what the command
 *     line copies into new backends.
 *   - An override changes the weight of a backend that somebody claims.
 *   - A name is a label. Two services with the same name both work; the name alone then finds
 *     neither.
 *   - A backend whose service nobody claims is an orphan: kept, shown, not programmed.
 *   - A backend all of whose claimants are gone (none is the cluster) is hidden: weight 0, and
 *     later not programmed at all; a datagram service's at once, since weight 0 stops only new
 *     connections. Unless no destination of weight above 0 would be left: then nothing is hidden
 *     in that service. What claims say never depends on who is alive.
 *   - What a retired member claims, or took back, does not count.
 *   - What a trial wrote and nobody confirmed is, from its deadline on, what was there before
 *     (core/trial.h).
 *   - Where a member takes datagrams a node's file makes no service: its balancers would not reach
 *     it any more. But no member takes away what is there: the cluster's claim was held against
 *     them when it was written, and what is in use stays so, whoever comes to its address.
 *
 *   I1  Every item of `wanted` comes from here, and the same table gives the same items on every
 *       node but for what `env` withholds, and for the moment in which clocks pass a deadline.
 */
#pragma once

#include "core/item.h"
#include "core/trial.h"

#define GVS_VIEW_BACKENDS_MAX 1024 /* a service's backends; the last by endpoint are left out */
#define GVS_VIEW_OWNERS_MAX 8      /* claimants shown by name; more are counted */

enum gvs_withheld {
    GVS_SHOWN = 0,
    GVS_WITHHELD_UNREADABLE,  /* a value, or an override, that this version cannot mean */
    GVS_WITHHELD_NOT_ALLOWED, /* outside vip-allow; a mark has no address and is never outside */
    GVS_WITHHELD_OWN_ADDRESS, /* an address of this node */
    GVS_WITHHELD_FAMILY,      /* backend's family is not the service's (only tun can mix) */
    GVS_WITHHELD_PORT_ZERO,   /* a service on port 0 without persistence; a backend on port 0 of a
                                 service that has a port */
    GVS_WITHHELD_FLAGS,       /* flags that do not go with the protocol or scheduler */
    GVS_WITHHELD_ADDRESS,     /* unspecified, multicast, loopback; a backend equal to its own VIP */
    GVS_WITHHELD_ORPHAN,      /* nobody claims the service */
    GVS_WITHHELD_ANCHOR,      /* the mark of an anchor */
    GVS_WITHHELD_MEMBER_ADDRESS, /* where a member takes datagrams; only nodes claim it */
};

/* What has become of a member, as far as its claims go; each hides more than the one before. */
enum gvs_owner_stage {
    GVS_OWNER_THERE = 0,
    GVS_OWNER_GONE,    /* its backends get weight 0 */
    GVS_OWNER_SILENT,  /* for so long that they are not programmed */
    GVS_OWNER_RETIRED, /* for ever: all its claims are as good as withdrawn */
};

struct gvs_view_owner {
    struct gvs_id id;
    enum gvs_owner_stage stage;
};

struct gvs_view_env {
    const struct gvs_prefix *allow; /* vip-allow; none: everything */
    size_t allow_count;
    const struct gvs_addr *own; /* addresses of this node, without those on its VIP interface */
    size_t own_count;
    const struct gvs_view_owner *owners; /* ascending by id; who is not among them is there */
    size_t owner_count;
    const struct gvs_addr *members; /* ascending: addresses of the members' endpoints */
    size_t member_count;
    bool (*in_use)(const void *ctx, const struct gvs_svcid *svc); /* by this node; NULL: none is */
    const void *in_use_ctx;
    uint64_t now_ms; /* since 1970, by the clock that trials end by; 0: no deadline has come */
};

struct gvs_view_backend {
    struct gvs_ep ep;
    struct gvs_backend claim;     /* attributes of the claim that speaks; zero if unreadable */
    struct gvs_override override; /* zero if there is none */
    uint32_t weight;              /* in effect: claim and override */
    enum gvs_withheld withheld;
    enum gvs_owner_stage hidden; /* THERE, GONE or SILENT */
    bool conflict;
    uint16_t owner_count;
    struct gvs_id owners[GVS_VIEW_OWNERS_MAX]; /* the speaker first; zero is the cluster */
    struct gvs_stamp changed; /* the latest of all that shaped it, deletions included */
};

struct gvs_view_service {
    struct gvs_svcid id;
    struct gvs_service claim;   /* of the claim that speaks; zero if unreadable */
    enum gvs_withheld withheld; /* the service as a whole */
    bool claimed;               /* false: orphaned backends only */
    bool conflict;
    bool open; /* owners are gone, but nothing is hidden: nothing else is left */
    uint16_t owner_count;
    struct gvs_id owners[GVS_VIEW_OWNERS_MAX];
    struct gvs_stamp changed;
    size_t backend_more; /* backends beyond the maximum, neither shown nor programmed */
    size_t backend_count;
    struct gvs_view_backend backends[GVS_VIEW_BACKENDS_MAX]; /* ascending by endpoint */
};

/* The first service id with any live entry at or after `from` (after: strictly after; NULL: from
 * the start); false at the end. A lone override, a backend claim that was reset, or one that is
 * gone on trial, is alive too: gvs_view_service may still have nothing to show for it. */
bool gvs_view_seek(const struct gvs_table *t, const struct gvs_svcid *from, bool after,
                   struct gvs_svcid *out);

/* Fills *out (large: not for the stack; entries of `backends` from backend_count on stay as they
 * were); false if nobody claims the service or any backend of it. */
bool gvs_view_service(const struct gvs_table *t, const struct gvs_view_env *env,
                      const struct gvs_svcid *svc, struct gvs_view_service *out);

/* What would be withheld, for somebody who asks before he writes: of a service by v->id, v->claim,
 * v->claimed and v->owners; of a backend by its endpoint and claim, too. What v and b say of being
 * unreadable stands. */
enum gvs_withheld gvs_view_judge_service(const struct gvs_view_service *v,
                                         const struct gvs_view_env *env);
enum gvs_withheld gvs_view_judge_backend(const struct gvs_view_service *v,
                                         const struct gvs_view_backend *b);

/* How a service went that has no items, or (`ep` is not NULL) a backend of one that has: what the
 * table says of it. All zero: nothing, since something else withholds it, or its owner retired. */
struct gvs_view_end {
    bool silent;  /* somebody claims it, but all of them are silent: it may be back */
    uint64_t hlc; /* else, if nobody does: of the latest of the claims that were deleted; or 0 */
    bool force;   /* and whether that said so */
    bool back;    /* it is one that went back, and `hlc` is of then */
};
struct gvs_view_end gvs_view_end(const struct gvs_table *t, const struct gvs_view_env *env,
                                 const struct gvs_svcid *svc, const struct gvs_ep *ep);

/* The items that the kernel should hold for it, ascending: the service, then its destinations.
 * Returns how many were written; 0 if it is withheld or orphaned. `max` is at least
 * 1 + v->backend_count (asserted), and 1 + GVS_VIEW_BACKENDS_MAX is always enough. */
size_t gvs_view_items(const struct gvs_view_service *v, struct gvs_item *out, size_t max);
