/* tools/store.c: two threads and a queue between them.
 *
 * What one callback of the loop puts and asks stays together: it is gathered, and handed over when
 * the loop comes round again. The worker takes all that was handed over, so that what comes while
 * the disk is busy becomes its next transaction: under load commits grow instead of queueing up,
 * and a lone change waits for nothing. A batch is sorted and all but the last write of a key
 * dropped, so that what a full disk leaves behind is bounded by the number of keys, however long it
 * lasts and however often they change.
 *
 * LMDB is opened without its own locks: the directory's lock keeps other processes out, and in this
 * one only the opening thread (before the first put) or the worker (after it) is inside. */
#include "tools/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lmdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "core/bytes.h"
#include "core/err.h"
#include "net/crypto.h"
#include "tools/store_batch.h"
#include "tools/store_file.h"

#define SCHEMA 1
#define ENTRY_BYTES 512 /* of map an entry; 119 to 182 were measured, and a commit copies pages */
#define MAP_BYTES_MIN ((size_t)16 << 20)
#define RETRY_NS 1000000000u
#define DIR_LEN_MAX 256
#define PATH_LEN_MAX (DIR_LEN_MAX + 64)

/* The first byte of every key in the file: the bucket, or what is the store's own. */
enum { LEAD_OWN = 'a', LEAD_ENTRY = 'e', LEAD_MEMBER = 'm', LEAD_META = 't', LEAD_LEDGER = 'z' };

struct waiter {
    struct waiter *next;
    void (*done)(void *ctx, int status);
    void *ctx;
    int status;
};

struct waiters {
    struct waiter *first, *last;
};

struct file {
    MDB_env *env;
    char path[PATH_LEN_MAX];
    size_t map_len;
    unsigned flags;
};

struct gvs_store {
    uv_loop_t *loop;
    uv_async_t async;
    uv_thread_t thread;
    uv_mutex_t mutex;
    uv_cond_t cond;
    char dir[DIR_LEN_MAX];
    int lock_fd;
    bool running; /* the worker */
    /* The loop's. */
    uint64_t seq;
    struct gvs_batch gathered;
    struct waiters asked;
    size_t outstanding;
    int failing;
    uint64_t commits;
    /* Under the mutex. */
    bool stop;
    struct gvs_batch queue;
    struct waiters waiting, finished;
    int status; /* of the latest commit */
    uint64_t committed;
    /* The worker's. */
    struct file data, ledger;
    struct gvs_batch batch;
    uint64_t written; /* commits of data */
};

static uint8_t
bucket_lead(enum gvs_bucket bucket)
{
    switch (bucket) {
    case GVS_BUCKET_ENTRY:
        return LEAD_ENTRY;
    case GVS_BUCKET_MEMBER:
        return LEAD_MEMBER;
    case GVS_BUCKET_META:
        return LEAD_META;
    case GVS_BUCKET_LEDGER:
        return LEAD_LEDGER;
    }
    __builtin_trap();
}

static void
waiters_move(struct waiters *from, struct waiters *to)
{
    if (from->first == NULL)
        return;
    if (to->first == NULL)
        to->first = from->first;
    else
        to->last->next = from->first;
    to->last = from->last;
    *from = (struct waiters){0};
}

static void
waiters_clear(struct waiters *w)
{
    for (struct waiter *each = w->first, *next; each != NULL; each = next) {
        next = each->next;
        free(each);
    }
    *w = (struct waiters){0};
}

/* A file. */

static void
file_close(struct file *f)
{
    if (f->env != NULL)
        mdb_env_close(f->env);
    f->env = NULL;
}

static int
file_open(struct file *f)
{
    int rc = mdb_env_create(&f->env);

    if (rc != 0) {
        f->env = NULL;
        return rc;
    }
    rc = mdb_env_set_mapsize(f->env, f->map_len);
    if (rc == 0)
        rc = mdb_env_open(f->env, f->path, MDB_NOSUBDIR | MDB_NOLOCK | f->flags, 0600);
    if (rc != 0)
        file_close(f);
    return rc;
}

static int
file_grow(struct file *f)
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
    MDB_val key = {p->key_len, gvs_put_key(p)},
            val = {p->val_len + GVS_RECORD_SUM_LEN, gvs_put_val(p)};
    int rc;

    if (!p->del) {
        gvs_put_seal(p);
        return mdb_put(txn, dbi, &key, &val, 0);
    }
    rc = mdb_del(txn, dbi, &key, NULL);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* The first record of the file says which transaction wrote it: tools/store_file.h. */
static int
write_stamp(MDB_txn *txn, MDB_dbi dbi)
{
    uint8_t number[8];
    struct gvs_put *p;
    int rc;

    gvs_put64(number, (uint64_t)mdb_txn_id(txn));
    p = gvs_put_new(LEAD_OWN, "", 1, number, sizeof number); /* one zero byte: first in the file */
    rc = write_put(txn, dbi, p);
    free(p);
    return rc;
}

/* All of them or none. */
static int
file_commit_once(struct file *f, struct gvs_put *const *puts, size_t count)
{
    MDB_txn *txn;
    MDB_dbi dbi;
    int rc;

    if (f->env == NULL) {
        rc = file_open(f);
        if (rc != 0)
            return rc;
    }
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

/* LMDB says EIO of a write that was cut short, which is what the last bytes of a disk do to it. */
static int
explain(const struct file *f, int rc)
{
    struct statvfs st;

    if (rc == EIO && statvfs(f->path, &st) == 0 && st.f_bavail == 0)
        return ENOSPC;
    return rc;
}

static int
file_commit(struct file *f, struct gvs_put *const *puts, size_t count)
{
    int rc;

    if (count == 0)
        return 0;
    rc = file_commit_once(f, puts, count);
    while (rc == MDB_MAP_FULL && file_grow(f) == 0)
        rc = file_commit_once(f, puts, count);
    /* A failed sync leaves LMDB in doubt about its newest page: it will not go on with that
     * environment. The file is sound, and the next try opens it anew. */
    if (rc != 0)
        file_close(f);
    return explain(f, rc);
}

/* The worker. */

/* 0, or a negative code; then the batch is still there. */
static int
commit_batch(struct gvs_store *s)
{
    size_t split = 0;
    int rc, ledger_rc;

    if (s->batch.count == 0)
        return 0;
    gvs_batch_settle(&s->batch);
    while (split < s->batch.count && gvs_put_key(s->batch.v[split])[0] != LEAD_LEDGER)
        split++;
    rc = file_commit(&s->data, s->batch.v, split);
    ledger_rc = file_commit(&s->ledger, s->batch.v + split, s->batch.count - split);
    s->written += rc == 0 && split != 0;
    if (rc == 0)
        rc = ledger_rc;
    if (rc == 0)
        gvs_batch_clear(&s->batch);
    return rc > 0 ? -rc : rc; /* errno codes are positive, LMDB's negative */
}

/* With the mutex held, until there is something to do: work, the end, or a second has passed since
 * a commit failed. */
static void
wait_for_work(struct gvs_store *s)
{
    uint64_t now = uv_hrtime(), end = now + RETRY_NS;

    if (s->status != 0) {
        for (; !s->stop && now < end; now = uv_hrtime())
            uv_cond_timedwait(&s->cond, &s->mutex, end - now);
        return;
    }
    while (!s->stop && s->queue.count == 0 && s->waiting.first == NULL)
        uv_cond_wait(&s->cond, &s->mutex);
}

static void
work(void *arg)
{
    struct gvs_store *s = arg;
    struct waiters waiters = {0};
    bool stop = false;
    int status;

    uv_mutex_lock(&s->mutex);
    while (!stop) {
        wait_for_work(s);
        stop = s->stop;
        gvs_batch_move(&s->queue, &s->batch);
        waiters_move(&s->waiting, &waiters);
        uv_mutex_unlock(&s->mutex);
        status = commit_batch(s);
        for (struct waiter *w = waiters.first; w != NULL; w = w->next)
            w->status = status;
        uv_mutex_lock(&s->mutex);
        s->status = status;
        s->committed = s->written;
        waiters_move(&waiters, &s->finished);
        uv_async_send(&s->async);
    }
    uv_mutex_unlock(&s->mutex);
}

/* Signals are the business of the loop's thread; and a write over a limit on file sizes is to fail
 * here, not to kill the process. */
static int
start_worker(struct gvs_store *s)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = uv_thread_create(&s->thread, work, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

/* What was gathered goes to the worker. */
static void
hand_over(struct gvs_store *s)
{
    if (s->gathered.count == 0 && s->asked.first == NULL)
        return;
    uv_mutex_lock(&s->mutex);
    gvs_batch_move(&s->gathered, &s->queue);
    waiters_move(&s->asked, &s->waiting);
    uv_cond_signal(&s->cond);
    uv_mutex_unlock(&s->mutex);
}

/* On the loop; then who waited is told, in the order of asking. */
static void
on_async(uv_async_t *async)
{
    struct gvs_store *s = async->data;
    struct waiters finished = {0};
    struct waiter *w, *next;

    hand_over(s);
    uv_mutex_lock(&s->mutex);
    waiters_move(&s->finished, &finished);
    s->failing = s->status;
    s->commits = s->committed;
    uv_mutex_unlock(&s->mutex);
    for (w = finished.first; w != NULL; w = next) {
        next = w->next;
        s->outstanding--;
        if (!uv_is_closing((uv_handle_t *)async)) /* `done` may close the store */
            w->done(w->ctx, w->status);
        free(w);
    }
    if (s->outstanding == 0 && !uv_is_closing((uv_handle_t *)async))
        uv_unref((uv_handle_t *)async);
}

/* Reading. */

/* Walks the keys that begin with `lead`, in order; lead < 0: all. fn sees key and value as they are
 * in the file. A positive number from fn ends the walk and is returned. */
typedef int (*file_fn)(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *val,
                       size_t val_len);

static int
walk(MDB_cursor *cursor, int lead, file_fn fn, void *ctx)
{
    uint8_t first = (uint8_t)lead;
    MDB_val key = {1, &first}, val;
    int rc = mdb_cursor_get(cursor, &key, &val, lead < 0 ? MDB_FIRST : MDB_SET_RANGE);

    while (rc == 0) {
        if (lead >= 0 && *(const uint8_t *)key.mv_data != first)
            return 0;
        rc = fn(ctx, key.mv_data, key.mv_size, val.mv_data, val.mv_size);
        if (rc == 0)
            rc = mdb_cursor_get(cursor, &key, &val, MDB_NEXT);
    }
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int
file_each(struct file *f, int lead, file_fn fn, void *ctx)
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
        rc = walk(cursor, lead, fn, ctx);
    if (cursor != NULL)
        mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    return rc;
}

struct each {
    gvs_store_fn fn;
    void *ctx;
};

static int
each_record(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *val, size_t val_len)
{
    struct each *e = ctx;

    GVS_ASSERT(key_len > 1 && val_len >= GVS_RECORD_SUM_LEN); /* I2: looked at when it was opened */
    return e->fn(e->ctx, key + 1, key_len - 1, val, val_len - GVS_RECORD_SUM_LEN) ? 0 : 1;
}

static struct file *
bucket_file(struct gvs_store *s, enum gvs_bucket bucket)
{
    return bucket == GVS_BUCKET_LEDGER ? &s->ledger : &s->data;
}

int
gvs_store_each(struct gvs_store *s, enum gvs_bucket bucket, gvs_store_fn fn, void *ctx)
{
    struct each e = {fn, ctx};
    int rc;

    GVS_ASSERT(s->seq == 0);
    rc = file_each(bucket_file(s, bucket), bucket_lead(bucket), each_record, &e);
    return rc == 0 || rc == 1 ? GVS_OK : GVS_E_SYS;
}

static int
copy_value(const MDB_val *key, const MDB_val *found, void *val, size_t cap)
{
    size_t len = found->mv_size - GVS_RECORD_SUM_LEN;

    GVS_ASSERT(
        gvs_record_sound(key->mv_data, key->mv_size, found->mv_data, found->mv_size)); /* I4 */
    if (len > cap || len > INT_MAX)
        return GVS_E_NOSPACE;
    if (len != 0)
        memcpy(val, found->mv_data, len);
    return (int)len;
}

int
gvs_store_get(struct gvs_store *s, enum gvs_bucket bucket, const void *key, size_t key_len,
              void *val, size_t cap)
{
    uint8_t b[1 + GVS_STORE_KEY_MAX] = {bucket_lead(bucket)};
    MDB_val wanted = {1 + key_len, b}, found;
    MDB_txn *txn;
    MDB_dbi dbi;
    int rc;

    GVS_ASSERT(s->seq == 0);
    GVS_ASSERT(key_len >= 1 && key_len <= GVS_STORE_KEY_MAX);
    memcpy(b + 1, key, key_len);
    if (mdb_txn_begin(bucket_file(s, bucket)->env, NULL, MDB_RDONLY, &txn) != 0)
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

/* Writing. */

void
gvs_store_put(struct gvs_store *s, enum gvs_bucket bucket, const void *key, size_t key_len,
              const void *val, size_t val_len)
{
    struct gvs_put *p = gvs_put_new(bucket_lead(bucket), key, key_len, val, val_len);

    GVS_ASSERT(key_len >= 1 && key_len <= GVS_STORE_KEY_MAX);
    p->seq = ++s->seq;
    gvs_batch_add(&s->gathered, p);
    if (s->gathered.count == 1)
        uv_async_send(&s->async);
}

void
gvs_store_sync(struct gvs_store *s, void (*done)(void *ctx, int status), void *ctx)
{
    struct waiter *w = malloc(sizeof *w);
    struct waiters one = {w, w};

    GVS_ASSERT(w != NULL);
    *w = (struct waiter){.done = done, .ctx = ctx};
    s->outstanding++;
    uv_ref((uv_handle_t *)&s->async);
    waiters_move(&one, &s->asked);
    uv_async_send(&s->async);
}

int
gvs_store_failing(const struct gvs_store *s, char *text, size_t cap)
{
    int rc = s->failing;

    if (rc == 0)
        return 0;
    /* mdb_strerror takes LMDB's numbers as they are, and errno codes positive. */
    snprintf(text, cap, "cannot write to %s (%s); kept in memory, tried again each second", s->dir,
             rc >= MDB_KEYEXIST && rc <= MDB_LAST_ERRCODE ? mdb_strerror(rc) : strerror(-rc));
    return rc;
}

uint64_t
gvs_store_commits(const struct gvs_store *s)
{
    return s->commits;
}

/* Opening. */

static int
sys_fault(struct gvs_fault *fault, const char *what, const char *path)
{
    return gvs_fault_set(fault, GVS_EXIT_USAGE, "cannot %s %s (%s)", what, path, strerror(errno));
}

static int
held_fault(struct gvs_store *s, struct gvs_fault *fault)
{
    char text[16] = "";
    ssize_t n = pread(s->lock_fd, text, sizeof text - 1, 0);
    long pid = n > 0 ? strtol(text, NULL, 10) : 0;

    if (pid <= 0) /* it has the lock, and has not yet said so */
        return gvs_fault_set(fault, GVS_EXIT_USAGE, "%s is in use by another agent", s->dir);
    gvs_fault_set(fault, GVS_EXIT_USAGE, "%s is in use by pid %ld, another agent", s->dir, pid);
    gvs_fault_hint(fault, "ps -fp %ld", pid);
    return -1;
}

static int
lock_dir(struct gvs_store *s, struct gvs_fault *fault)
{
    char path[PATH_LEN_MAX + 8], text[16];
    int len;

    if (mkdir(s->dir, 0700) < 0 && errno != EEXIST)
        return sys_fault(fault, "make", s->dir);
    snprintf(path, sizeof path, "%s/lock", s->dir);
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->lock_fd < 0)
        return sys_fault(fault, "open", path);
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? held_fault(s, fault) : sys_fault(fault, "lock", path);
    len = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(s->lock_fd, 0) < 0 || pwrite(s->lock_fd, text, (size_t)len, 0) != len)
        errno = 0; /* a full disk keeps no agent from starting; the lock holds without the name */
    return GVS_OK;
}

struct look {
    size_t records;
    uint32_t schema; /* 0: none */
};

static int
look_at_record(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *val, size_t val_len)
{
    static const uint8_t schema[] = {LEAD_OWN, 's', 'c', 'h', 'e', 'm', 'a'};
    struct look *look = ctx;

    if (key_len < 2 || !gvs_record_sound(key, key_len, val, val_len))
        return MDB_CORRUPTED;
    look->records++;
    if (key_len == sizeof schema && memcmp(key, schema, key_len) == 0 &&
        val_len == 4 + GVS_RECORD_SUM_LEN)
        look->schema = gvs_get32(val);
    return 0;
}

static int
write_schema(struct file *f)
{
    uint8_t version[4];
    struct gvs_put *p;
    int rc;

    gvs_put32(version, SCHEMA);
    p = gvs_put_new(LEAD_OWN, "schema", 6, version, sizeof version);
    rc = file_commit(f, &p, 1);
    free(p);
    return rc;
}

static bool
is_damage(int rc)
{
    return rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND || rc == MDB_INVALID ||
           rc == MDB_VERSION_MISMATCH;
}

/* 0: open, and every record is sound. MDB_CORRUPTED: damaged, and closed. Else a code of LMDB's or
 * errno's. */
static int
open_checked(struct file *f)
{
    struct look look = {0};
    int state = gvs_store_file_check(f->path);
    int rc;

    if (state < 0)
        return errno;
    if (state == GVS_STORE_FILE_DAMAGED)
        return MDB_CORRUPTED;
    rc = file_open(f);
    if (rc == 0)
        rc = file_each(f, -1, look_at_record, &look);
    if (rc == 0 && look.records == 0) /* new, or killed right after it was made */
        rc = write_schema(f);
    else if (rc == 0 && look.schema != SCHEMA)
        rc = MDB_VERSION_MISMATCH;
    if (rc != 0)
        file_close(f);
    return is_damage(rc) ? MDB_CORRUPTED : rc;
}

static int
open_fault(struct gvs_fault *fault, const struct file *f, int rc)
{
    return gvs_fault_set(fault, GVS_EXIT_USAGE, "cannot open %s (%s)", f->path, mdb_strerror(rc));
}

static int
set_aside(const struct gvs_store *s, const char *path, struct gvs_fault *fault)
{
    char to[PATH_LEN_MAX + 64];
    long long now = (long long)time(NULL);
    int fd;

    snprintf(to, sizeof to, "%s.damaged-%lld", path, now);
    for (int i = 1; access(to, F_OK) == 0; i++)
        snprintf(to, sizeof to, "%s.damaged-%lld.%d", path, now, i);
    if (rename(path, to) < 0)
        return sys_fault(fault, "set aside the damaged", path);
    fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    return GVS_OK;
}

static int
open_data(struct gvs_store *s, bool *aside, struct gvs_fault *fault)
{
    static const char name[] = "node_key";
    uint8_t key[sizeof name], val[512];
    struct gvs_put *p;
    int rc = open_checked(&s->data), len;

    if (rc == 0)
        return GVS_OK;
    if (rc != MDB_CORRUPTED)
        return open_fault(fault, &s->data, rc);
    key[0] = LEAD_META;
    memcpy(key + 1, name, sizeof name - 1);
    len = gvs_store_file_salvage(s->data.path, key, sizeof key, gvs_record_sound, val, sizeof val);
    if (set_aside(s, s->data.path, fault) < 0)
        return -1;
    *aside = true;
    rc = open_checked(&s->data);
    if (rc == 0 && len >= GVS_RECORD_SUM_LEN) {
        p = gvs_put_new(LEAD_META, name, sizeof name - 1, val, (size_t)len - GVS_RECORD_SUM_LEN);
        rc = file_commit(&s->data, &p, 1);
        free(p);
    }
    gvs_crypto_wipe(val, sizeof val);
    return rc == 0 ? GVS_OK : open_fault(fault, &s->data, rc);
}

static int
open_ledger(struct gvs_store *s, struct gvs_fault *fault)
{
    int rc = open_checked(&s->ledger);

    if (rc == MDB_CORRUPTED) {
        if (unlink(s->ledger.path) < 0)
            return sys_fault(fault, "remove the damaged", s->ledger.path);
        rc = open_checked(&s->ledger);
    }
    return rc == 0 ? GVS_OK : open_fault(fault, &s->ledger, rc);
}

static int
open_files(struct gvs_store *s, size_t entries, bool *aside, struct gvs_fault *fault)
{
    snprintf(s->data.path, sizeof s->data.path, "%s/data.mdb", s->dir);
    snprintf(s->ledger.path, sizeof s->ledger.path, "%s/ledger.mdb", s->dir);
    s->data.map_len = MAP_BYTES_MIN + entries * ENTRY_BYTES;
    s->ledger.map_len = MAP_BYTES_MIN;
    s->ledger.flags = MDB_NOSYNC;
    if (open_data(s, aside, fault) < 0 || open_ledger(s, fault) < 0)
        return -1;
    return GVS_OK;
}

/* What both ways of ending share; the memory stays. */
static void
release(struct gvs_store *s)
{
    gvs_batch_clear(&s->gathered);
    gvs_batch_clear(&s->queue);
    gvs_batch_clear(&s->batch);
    waiters_clear(&s->asked);
    waiters_clear(&s->waiting);
    waiters_clear(&s->finished);
    file_close(&s->data);
    file_close(&s->ledger);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
}

static void
on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

int
gvs_store_open(struct gvs_store **out, struct uv_loop_s *loop, const char *dir, size_t entries,
               bool *aside, struct gvs_fault *fault)
{
    struct gvs_store *s = calloc(1, sizeof *s);
    int rc;

    GVS_ASSERT(s != NULL);
    *out = NULL;
    *aside = false;
    s->loop = loop;
    s->lock_fd = -1;
    if ((size_t)snprintf(s->dir, sizeof s->dir, "%s", dir) > sizeof s->dir - 64)
        rc = gvs_fault_set(fault, GVS_EXIT_USAGE, "%s: a path too long", dir);
    else
        rc = lock_dir(s, fault);
    if (rc == GVS_OK)
        rc = open_files(s, entries, aside, fault);
    if (rc < 0) {
        release(s);
        free(s);
        return rc;
    }
    uv_mutex_init(&s->mutex);
    uv_cond_init(&s->cond);
    uv_async_init(loop, &s->async, on_async);
    s->async.data = s;
    uv_unref((uv_handle_t *)&s->async);
    rc = start_worker(s);
    if (rc != 0) {
        gvs_store_close(s);
        return gvs_fault_set(fault, GVS_EXIT_USAGE, "cannot start a thread (%s)", uv_strerror(rc));
    }
    s->running = true;
    *out = s;
    return GVS_OK;
}

void
gvs_store_close(struct gvs_store *s)
{
    if (s == NULL)
        return;
    hand_over(s);
    uv_mutex_lock(&s->mutex);
    s->stop = true;
    uv_cond_signal(&s->cond);
    uv_mutex_unlock(&s->mutex);
    if (s->running)
        uv_thread_join(&s->thread);
    release(s);
    uv_cond_destroy(&s->cond);
    uv_mutex_destroy(&s->mutex);
    uv_close((uv_handle_t *)&s->async, on_closed);
}
