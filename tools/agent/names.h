/* tools/agent/names.h: what services are called, and were, for those who speak of them when they
 * are gone; and which services go by a name.
 *
 * Copies, sorted by service and hashed by name. Bounded by what the caller keeps: now and then it
 * drops the names of those that nobody will mention any more.
 */
#pragma once

#include "core/addr.h"
#include "core/value.h"

struct gvs_named {
    struct gvs_svcid svc;
    struct gvs_named *next; /* of its bucket */
    char name[];
};

struct gvs_names {
    struct gvs_named **list; /* ascending by service */
    size_t count, cap;
    struct gvs_named **bucket; /* as many as the list has room for: a power of two */
};

/* Without memory the name is not kept. */
void gvs_names_put(struct gvs_names *n, const struct gvs_svcid *svc, const char *name);
const char *gvs_names_get(const struct gvs_names *n, const struct gvs_svcid *svc); /* or NULL */
/* The services of a name, one after the other, in no order: NULL begins, NULL is the end. Lent
 * until the next change. */
const struct gvs_named *gvs_names_next(const struct gvs_names *n, const char *name,
                                       const struct gvs_named *after);
/* two[] are the first two of `found` services, ascending, and of this one as well then. */
void gvs_names_first_two(struct gvs_svcid two[static 2], size_t found, const struct gvs_svcid *svc);
void gvs_names_keep(struct gvs_names *n, bool (*keep)(void *ctx, const struct gvs_svcid *svc),
                    void *ctx);
void gvs_names_free(struct gvs_names *n);
