/* tools/agent/apply.h: the inside of apply, shared by stage.c, apply.c and apply_check.c.
 *
 *     stage.c        what was sent, gathered and put in order
 *     apply_check.c  may it be written? Everything is asked before anything is
 *     apply.c        writing it, or saying what would be; the phases
 */
#pragma once

#include "tools/agent/agent.h"

struct gvs_staged {
    struct gvs_claim_service service;
    size_t at;    /* as it was sent */
    char *source; /* "site.conf:12", as the client says; NULL */
    bool joined;
    /* apply_check.c */
    bool fresh; /* nobody claims the VIP, */
    bool named; /* or not by this name */
};

struct gvs_stage {
    struct gvs_stage *next; /* in a->stages */
    const void *ctx;        /* the client */
    bool reader;            /* he may only look */
    bool wrong;             /* something was, */
    struct gvs_fault fault; /* this */
    size_t claims;          /* services and backends */
    size_t count, cap;
    struct gvs_staged *list; /* after gvs_stage_order: ascending, each VIP once */
};

/* stage.c. _add stages the request's own `vips`, if it has any; _take hands over all that the
 * client has staged, NULL: nothing ever. _blame says where. */
int gvs_stage_add(struct gvs_request *r, struct gvs_fault *f);
struct gvs_stage *gvs_stage_take(const struct gvs_request *r);
int gvs_stage_order(struct gvs_stage *s, struct gvs_fault *f);
void gvs_stage_blame(const char *source, size_t at, struct gvs_fault *f);
void gvs_stage_free(struct gvs_stage *s);

enum gvs_apply_phase {
    GVS_APPLY_CHECK = 0, /* each service for itself */
    GVS_APPLY_SERVERS,   /* their backends against the new VIPs */
    GVS_APPLY_LOOK,      /* the table against them */
    GVS_APPLY_WRITE,
    GVS_APPLY_PRUNE,
    GVS_APPLY_DONE
};

struct gvs_apply {
    struct gvs_stage *stage;
    bool prune, force;
    unsigned confirm;     /* seconds until it goes back; 0: it does not */
    struct gvs_undo undo; /* number and deadline, once it is being written */
    size_t differs;       /* so many entries, at least, are to be written */
    enum gvs_apply_phase phase;
    size_t at; /* the next service; how far a walk over the table has come: */
    struct gvs_keybuf key;
    struct gvs_svcid svc;
    bool any;                    /* svc is one */
    struct gvs_staged **by_name; /* all */
    struct gvs_staged **by_addr; /* those with a new address */
    size_t addr_count;
    size_t room;             /* keys that the table has not yet */
    size_t kept;             /* claims of the cluster's that are not among them, and stay */
    struct gvs_stamp latest; /* of what says so already */
};

/* The staged service of this id, or backend of it (NULL: is none). */
struct gvs_staged *gvs_apply_find(const struct gvs_apply *p, const struct gvs_svcid *svc);
bool gvs_apply_has(const struct gvs_staged *s, const struct gvs_ep *ep);

/* What the cluster's claims lack of one service, gathered (tools/agent/agent.h, write.c). */
bool gvs_apply_gather(struct gvs_request *r, const struct gvs_staged *s);

/* apply_check.c: a bounded part of the phase. A negative number with *f, or whether it ended. */
int gvs_apply_check(struct gvs_request *r, struct gvs_fault *f);
int gvs_apply_servers(struct gvs_request *r, struct gvs_fault *f);
int gvs_apply_look(struct gvs_request *r, struct gvs_fault *f);
