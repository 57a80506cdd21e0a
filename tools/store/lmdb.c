/* tools/store/lmdb.c */
#include "tools/store/lmdb.h"

#include <errno.h>
#include <limits.h>
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "core/bytes.h"
#include "core/err.h"
#include "tools/store/file.h"

#define SCHEMA 1
#define KEY_LEN_MAX 511 /* LMDB's */

static bool
is_lmdb_code(int code)
{
    return code >= MDB_KEYEXIST && code <= MDB_LAST_ERRCODE;
}

const char *
gvs_lmdb_strerror(int code)
{
    return is_lmdb_code(code) ? mdb_strerror(code) : strerror(-code);
}

/* LMDB returns its own codes, which are negative, and those of errno. And it says EIO of a write
 * that was cut short, which is what the last bytes of a disk do to it. */
static int
to_code(const struct gvs_lmdb *f, int rc)
{
    struct statvfs st;

    if (rc == EIO && statvfs(f->path, &st) == 0 && st.f_bavail == 0)
        rc = ENOSPC;
    return rc > 0 ? -rc : rc;
}

void
gvs_lmdb_close(struct gvs_lmdb *f)
{
    if (f->env != NULL)
        mdb_env_close(f->env);
    f->env = NULL;
}

static int
open_env(struct gvs_lmdb *f)
{
    unsigned flags = MDB_NOSUBDIR | MDB_NOLOCK | (f->nosync ? MDB_NOSYNC : 0);
    MDB_env *env;
    int rc = mdb_env_create(&env);

    if (rc != 0)
        return rc;
    rc = mdb_env_set_mapsize(env, f->map_len);
    if (rc == 0)
        rc = mdb_env_open(env, f->path, flags, 0600);
    if (rc == 0)
        f->env = env;
    else
        mdb_env_close(env);
    return rc;
}

/* Writing. */

static int
grow(struct gvs_lmdb *f)
{
    MDB_envinfo info;
    int rc = mdb_env_info(f->env, &info);

    if (rc != 0)
        return rc;
    f->map_len = 2 * info.me_mapsize;
    return mdb_env_set_mapsize(f->env, f->map_len);
}

static int
write_put(MDB_txn *txn, MDB_dbi dbi, struct gvs_put *p)
{
    MDB_val key = {p->key_len, gvs_put_key(p)};
    MDB_val val = {p->val_len + GVS_RECORD_SUM_LEN, gvs_put_val(p)};
    int rc;

    if (!p->del) {
        gvs_put_seal(p);
        return mdb_put(txn, dbi, &key, &val, 0);
    }
    rc = mdb_del(txn, dbi, &key, NULL);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Under a key of one zero byte, which makes it the first record of the file. */
static int
write_stamp(MDB_txn *txn, MDB_dbi dbi)
{
    struct gvs_put *p;
    uint8_t number[8];
    int rc;

    gvs_put64(number, (uint64_t)mdb_txn_id(txn));
    p = gvs_put_new(GVS_LMDB_OWN, "", 1, number, sizeof number);
    rc = write_put(txn, dbi, p);
    free(p);
    return rc;
}

static int
commit_once(struct gvs_lmdb *f, struct gvs_put *const *puts, size_t count)
{
    MDB_txn *txn;
    MDB_dbi dbi;
    int rc = f->env != NULL ? 0 : open_env(f);

    if (rc == 0)
        rc = mdb_txn_begin(f->env, NULL, 0, &txn);
    if (rc != 0)
        return rc;
    rc = mdb_dbi_open(txn, NULL, 0, &dbi);
    if (rc == 0)
        rc = write_stamp(txn, dbi);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = write_put(txn, dbi, puts[i]);
    if (rc == 0)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return rc;
}

int
gvs_lmdb_commit(struct gvs_lmdb *f, struct gvs_put *const *puts, size_t count)
{
    int rc;

    if (count == 0)
        return 0;
    rc = commit_once(f, puts, count);
    while (rc == MDB_MAP_FULL && grow(f) == 0)
        rc = commit_once(f, puts, count);
    /* A failed sync leaves LMDB in doubt about its newest page: it will not go on with that
     * environment. The file is sound, and the next try opens it anew. */
    if (rc != 0)
        gvs_lmdb_close(f);
    return to_code(f, rc);
}

/* Reading. */

/* As gvs_lmdb_fn, but with key and value as they are in the file; not 0 ends the walk. */
typedef int (*record_fn)(void *ctx, const MDB_val *key, const MDB_val *val);

static int
walk(MDB_cursor *cursor, uint8_t kind, record_fn fn, void *ctx)
{
    MDB_val key = {1, &kind}, val;
    int rc = mdb_cursor_get(cursor, &key, &val, MDB_SET_RANGE);

    while (rc == 0) {
        rc = fn(ctx, &key, &val);
        if (rc == 0)
            rc = mdb_cursor_get(cursor, &key, &val, MDB_NEXT);
    }
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Every record from the first of that kind on. */
static int
walk_from(struct gvs_lmdb *f, uint8_t kind, record_fn fn, void *ctx)
{
    MDB_cursor *cursor = NULL;
    MDB_txn *txn;
    MDB_dbi dbi;
    int rc = mdb_txn_begin(f->env, NULL, MDB_RDONLY, &txn);

    if (rc != 0)
        return rc;
    rc = mdb_dbi_open(txn, NULL, 0, &dbi);
    if (rc == 0)
        rc = mdb_cursor_open(txn, dbi, &cursor);
    if (rc == 0)
        rc = walk(cursor, kind, fn, ctx);
    if (cursor != NULL)
        mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    return rc;
}

struct each {
    uint8_t kind;
    gvs_lmdb_fn fn;
    void *ctx;
};

static int
each_record(void *ctx, const MDB_val *key, const MDB_val *val)
{
    const uint8_t *k = key->mv_data;
    struct each *e = ctx;

    if (k[0] != e->kind)
        return MDB_NOTFOUND;
    GVS_ASSERT(key->mv_size > 1 && val->mv_size >= GVS_RECORD_SUM_LEN); /* checked at the opening */
    return e->fn(e->ctx, k + 1, key->mv_size - 1, val->mv_data, val->mv_size - GVS_RECORD_SUM_LEN)
               ? 0
               : MDB_NOTFOUND;
}

int
gvs_lmdb_each(struct gvs_lmdb *f, uint8_t kind, gvs_lmdb_fn fn, void *ctx)
{
    struct each e = {kind, fn, ctx};

    return to_code(f, walk_from(f, kind, each_record, &e));
}

static int
copy_value(const MDB_val *key, const MDB_val *found, void *val, size_t cap)
{
    size_t len = found->mv_size - GVS_RECORD_SUM_LEN;

    GVS_ASSERT(gvs_record_sound(key->mv_data, key->mv_size, found->mv_data, found->mv_size));
    if (len > cap || len > INT_MAX)
        return GVS_E_NOSPACE;
    if (len != 0)
        memcpy(val, found->mv_data, len);
    return (int)len;
}

int
gvs_lmdb_get(struct gvs_lmdb *f, uint8_t kind, const void *key, size_t key_len, void *val,
             size_t cap)
{
    uint8_t b[KEY_LEN_MAX] = {kind};
    MDB_val wanted = {1 + key_len, b}, found;
    MDB_txn *txn;
    MDB_dbi dbi;
    int rc;

    GVS_ASSERT(key_len < sizeof b);
    memcpy(b + 1, key, key_len);
    if (mdb_txn_begin(f->env, NULL, MDB_RDONLY, &txn) != 0)
        return GVS_E_SYS;
    rc = mdb_dbi_open(txn, NULL, 0, &dbi);
    if (rc == 0)
        rc = mdb_get(txn, dbi, &wanted, &found);
    if (rc == 0)
        rc = copy_value(&wanted, &found, val, cap);
    else
        rc = rc == MDB_NOTFOUND ? GVS_E_NOTFOUND : GVS_E_SYS;
    mdb_txn_abort(txn);
    return rc;
}

/* Opening. */

struct look {
    size_t records;
    uint32_t schema; /* 0: none */
};

static int
look_at_record(void *ctx, const MDB_val *key, const MDB_val *val)
{
    static const uint8_t schema[] = {GVS_LMDB_OWN, 's', 'c', 'h', 'e', 'm', 'a'};
    struct look *look = ctx;

    if (key->mv_size < 2 ||
        !gvs_record_sound(key->mv_data, key->mv_size, val->mv_data, val->mv_size))
        return MDB_CORRUPTED;
    look->records++;
    if (key->mv_size == sizeof schema && memcmp(key->mv_data, schema, sizeof schema) == 0 &&
        val->mv_size == 4 + GVS_RECORD_SUM_LEN)
        look->schema = gvs_get32(val->mv_data);
    return 0;
}

static int
write_schema(struct gvs_lmdb *f)
{
    uint8_t version[4];
    struct gvs_put *p;
    int rc;

    gvs_put32(version, SCHEMA);
    p = gvs_put_new(GVS_LMDB_OWN, "schema", 6, version, sizeof version);
    rc = gvs_lmdb_commit(f, &p, 1);
    free(p);
    return rc;
}

static bool
is_damage(int rc)
{
    return rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND || rc == MDB_INVALID ||
           rc == MDB_VERSION_MISMATCH;
}

int
gvs_lmdb_open(struct gvs_lmdb *f)
{
    struct look look = {0};
    int state = gvs_store_file_check(f->path);
    int rc;

    if (state < 0)
        return -errno;
    if (state == GVS_STORE_FILE_DAMAGED)
        return GVS_LMDB_DAMAGED;
    rc = open_env(f);
    if (rc == 0)
        rc = walk_from(f, 0, look_at_record, &look);
    if (rc == 0 && look.records == 0) /* new, or its maker was killed right then */
        rc = write_schema(f);
    else if (rc == 0 && look.schema != SCHEMA)
        rc = MDB_VERSION_MISMATCH;
    if (rc != 0)
        gvs_lmdb_close(f);
    return is_damage(rc) ? GVS_LMDB_DAMAGED : to_code(f, rc);
}
