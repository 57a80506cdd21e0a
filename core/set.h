/* core/set.h: an ordered set of items: `wanted`, `configured`, a dump.
 *
 *   I1  Items ascend strictly by gvs_item_cmp.
 *
 * Memory is one block given at init. A pointer that it lends is valid until the next change, or
 * until all of it is lent (gvs_set_all), which may move what changes have put apart.
 */
#pragma once

#include "core/err.h"
#include "core/item.h"

struct gvs_set;

/* A range of a set, read in ascending order. Borrowed: the set must not change while it is read. */
struct gvs_range {
    const struct gvs_item *at, *end;
};

size_t gvs_set_footprint(size_t items);

/* `mem` is zeroed, aligned for any type, gvs_set_footprint(items) long, and the caller's to free.
 */
struct gvs_set *gvs_set_init(void *mem, size_t items);

/* Adds the item or replaces the one of the same identity. GVS_E_FULL leaves the set as it was.
 * A change moves what lies between it and the last one; what is put at the end moves nothing. */
int gvs_set_put(struct gvs_set *s, const struct gvs_item *item);

bool gvs_set_del(struct gvs_set *s, const struct gvs_item *identity); /* was it there? */
/* What there is of a service, itself and destinations, becomes `items`: ascending, of this service
 * alone, and not lent by this set. Where there were as many, nothing moves. GVS_E_FULL leaves the
 * set as it was. */
int gvs_set_replace_service(struct gvs_set *s, const struct gvs_svcid *svc, struct gvs_range items);
/* The service with its destinations; returns how many items went. */
size_t gvs_set_del_service(struct gvs_set *s, const struct gvs_svcid *svc);
void gvs_set_del_first(struct gvs_set *s, size_t count); /* at most as many as it has */
void gvs_set_clear(struct gvs_set *s);

const struct gvs_item *gvs_set_get(const struct gvs_set *s, const struct gvs_item *identity);
size_t gvs_set_count(const struct gvs_set *s);
size_t gvs_set_services(const struct gvs_set *s); /* how many of them are services */

/* The first item that is not below this one; NULL: none. */
const struct gvs_item *gvs_set_from(const struct gvs_set *s, const struct gvs_item *least);
struct gvs_range gvs_set_all(struct gvs_set *s);
/* A service and its destinations. */
struct gvs_range gvs_set_service(const struct gvs_set *s, const struct gvs_svcid *svc);
