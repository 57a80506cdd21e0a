/* tools/agent/names.h: what services were called, for those who speak of them when they are gone.
 *
 * A sorted array of copies. Bounded by what the caller keeps: now and then it drops the names of
 * those that nobody will mention any more.
 */
#pragma once

#include "core/addr.h"
#include "core/value.h"

struct gvs_names {
    struct gvs_named {
        struct gvs_svcid svc;
        char *name;
    } * list; /* ascending */
    size_t count, cap;
};

/* Without memory the name is not kept. */
void gvs_names_put(struct gvs_names *n, const struct gvs_svcid *svc, const char *name);
const char *gvs_names_get(const struct gvs_names *n, const struct gvs_svcid *svc); /* or NULL */
void gvs_names_keep(struct gvs_names *n, bool (*keep)(const void *ctx, const struct gvs_svcid *svc),
                    const void *ctx);
void gvs_names_free(struct gvs_names *n);
