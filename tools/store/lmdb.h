/* tools/store/lmdb.h: the only file that knows LMDB: one of the store's files.
 *
 * A file holds records (tools/store/batch.h) in the order of their keys, and two of its own, of
 * kind GVS_LMDB_OWN, the least: the stamp that tools/store/file.h demands, and the schema's
 * version.
 *
 * LMDB is opened without its locks. Whoever uses this has locked the directory, and lets only one
 * thread at a time in.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/store/batch.h"

#define GVS_LMDB_PATH_MAX 320
#define GVS_LMDB_OWN 1     /* the least kind; the caller's are greater */
#define GVS_LMDB_DAMAGED 1 /* no code of LMDB's and none of errno's */

struct gvs_lmdb {
    char path[GVS_LMDB_PATH_MAX];
    size_t map_len; /* to begin with */
    bool nosync;    /* what is committed survives the process, not a power cut */
    void *env;      /* NULL: closed */
};

/* path, map_len and nosync are set. 0: open, and every record is sound; GVS_LMDB_DAMAGED; or a
 * negative code. */
int gvs_lmdb_open(struct gvs_lmdb *f);
void gvs_lmdb_close(struct gvs_lmdb *f);

/* All of them or none, keys ascending. 0, or a negative code: of LMDB, or of errno. After a failure
 * the file is closed and the next commit opens it again. */
int gvs_lmdb_commit(struct gvs_lmdb *f, struct gvs_put *const *puts, size_t count);

/* The records of a kind in the order of their keys, both without what this file added. fn returns
 * false to stop. 0, or a negative code. */
typedef bool (*gvs_lmdb_fn)(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *val,
                            size_t val_len);
int gvs_lmdb_each(struct gvs_lmdb *f, uint8_t kind, gvs_lmdb_fn fn, void *ctx);

/* The length of the value, or GVS_E_NOTFOUND, GVS_E_NOSPACE, GVS_E_SYS. */
int gvs_lmdb_get(struct gvs_lmdb *f, uint8_t kind, const void *key, size_t key_len, void *val,
                 size_t cap);

const char *gvs_lmdb_strerror(int code); /* of a negative code */
