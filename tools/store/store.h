/* tools/store/store.h: what must outlive the process, in LMDB, written by threads of its own.
 *
 *     entry   key bytes of the claim          entry bytes    checksum
 *     member  key bytes of the member         entry bytes    checksum
 *     code    key bytes of a claim of the program's, with no owner   value bytes   checksum
 *     meta    "init_floor" "seq" "stamp_floor"             checksum
 *             "former" "vector" and a number
 *     ledger  record of ipvs/ledger.h, "place"  (empty)      checksum
 *             'N', length and name of a network namespace before either: of that one
 *
 * Puts are copied into a queue; a writer commits whatever has gathered in one transaction, and then
 * tells the loop. Nobody waits for the disk but who asked to be told. All that one callback of the
 * loop puts shares a transaction, ledger apart. A writer's thread starts when the loop first has
 * work for it, so that it has no privilege that the caller has given up before running the loop.
 *
 * DIR holds two files. data.mdb has all but the ledger, and each of its commits is on the disk
 * before anybody is told. ledger.mdb has the ledger alone and is never synced: it has to survive
 * this process, not a power cut, after which the kernel has forgotten too. (In one file, a cut
 * after an unsynced commit could take the entries along.) DIR/lock carries the lock and the
 * holder's pid.
 *
 *   I1  After done(ctx, 0) everything put before that call's gvs_store_sync is on disk.
 *   I2  A data.mdb that LMDB could not have written so, or in which any record fails its checksum,
 *       is set aside whole (renamed to data.mdb.damaged-UNIXTIME) and a new one begun. One of 0
 *       bytes, which no commit leaves behind, counts as such and is used on. A damaged ledger.mdb
 *       is removed: the ledger begins empty.
 *   I3  The directory is locked for the life of the process; who holds it is named.
 *   I4  What gvs_store_each and gvs_store_get read is what was put: a checksum covers bucket, key
 *       and value of each record.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/words/fault.h"

#define GVS_STORE_KEY_MAX 500 /* LMDB takes 511 */

struct uv_loop_s;
struct gvs_store;

enum gvs_bucket {
    GVS_BUCKET_ENTRY,
    GVS_BUCKET_MEMBER,
    GVS_BUCKET_META,
    GVS_BUCKET_LEDGER,
    GVS_BUCKET_CODE,
};

/* Makes the directory if it is missing (0700; its parent must exist), locks it, opens LMDB. A
 * directory that another agent holds: exit 2, naming its pid. *set_aside tells that what data.mdb
 * held is lost: a damaged one was moved away, or it was there and empty. `entries` sizes the map;
 * more than that fit, at the price of a pause. On a fault *out is NULL and nothing is left open.
 * The loop must outlive the store. */
int gvs_store_open(struct gvs_store **out, struct uv_loop_s *loop, const char *dir, size_t entries,
                   bool *set_aside, struct gvs_fault *fault);

/* Sets the data.mdb of a closed store aside, whole, as data.mdb.retired-UNIXTIME, and the node's
 * key (tools/store/key.h), if it is there. */
int gvs_store_retire(const char *dir, struct gvs_fault *fault);

/* Commits what is queued, stops the writers (waits for them), closes and unlocks. Pending callbacks
 * are not called. The memory goes when the loop has let go of its handle: run the loop once more.
 * NULL is fine. */
void gvs_store_close(struct gvs_store *s);

/* Reads everything of a bucket, ascending by key, as it was at the opening: only until the loop
 * runs for the first time after a put (puts in between are not seen). fn returns false to stop.
 * GVS_OK, or GVS_E_SYS. */
typedef bool (*gvs_store_fn)(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *val,
                             size_t val_len);
int gvs_store_each(struct gvs_store *s, enum gvs_bucket bucket, gvs_store_fn fn, void *ctx);

/* One value of a bucket into val; returns its length, or GVS_E_NOTFOUND, GVS_E_NOSPACE, GVS_E_SYS.
 * As long as gvs_store_each. */
int gvs_store_get(struct gvs_store *s, enum gvs_bucket bucket, const void *key, size_t key_len,
                  void *val, size_t cap);

/* Queue a write; val NULL deletes. Key (1 to GVS_STORE_KEY_MAX bytes) and value are copied. */
void gvs_store_put(struct gvs_store *s, enum gvs_bucket bucket, const void *key, size_t key_len,
                   const void *val, size_t val_len);

/* When everything put so far is committed, done(ctx, status) is called on the loop; status is 0, or
 * a negative LMDB or errno code of the commit that failed (what was in it stays queued and is tried
 * again each second). While one is outstanding the store keeps the loop alive, else not. */
void gvs_store_sync(struct gvs_store *s, void (*done)(void *ctx, int status), void *ctx);

/* The same for what was put into the ledger alone: it waits for no disk. */
void gvs_store_sync_ledger(struct gvs_store *s, void (*done)(void *ctx, int status), void *ctx);

/* 0, or the negative code of the latest commit, which failed; text then says why, for status. Moves
 * on the loop, like the callbacks. */
int gvs_store_failing(const struct gvs_store *s, char *text, size_t cap);

/* Commits that changed data.mdb since it was opened: how well they go in groups. */
uint64_t gvs_store_commits(const struct gvs_store *s);
