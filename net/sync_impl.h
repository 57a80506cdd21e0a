/* net/sync_impl.h: what net/sync.c, the search, and net/sync_give.c, its fruits, share. */
#pragma once

#include "net/sync.h"

struct gvs_work *gvs_sync_at(const struct gvs_sync *s, uint32_t place);

/* At the end of a queue; false: too much waits already. */
bool gvs_sync_put(struct gvs_sync *s, struct gvs_queue *q, enum gvs_work_kind kind, uint64_t table,
                  uint64_t first, uint64_t last);

/* The first of a queue, NULL if there is none; and away with it. */
struct gvs_work *gvs_sync_head(const struct gvs_sync *s, const struct gvs_queue *q);
void gvs_sync_drop(struct gvs_sync *s, struct gvs_queue *q);

/* This range of ids is owed, once. */
void gvs_sync_put_range(struct gvs_sync *s, struct gvs_sync_peer *p, uint64_t table, uint64_t first,
                        uint64_t last);

/* Did it come so lately that relay has it in hand? */
bool gvs_sync_is_young(const struct gvs_sync *s, struct gvs_mono now, const struct gvs_entry *e);
