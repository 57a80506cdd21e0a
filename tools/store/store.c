/* tools/store/store.c: two files, a thread for each, and queues between them and the loop.
 *
 * What one callback of the loop puts and asks stays together: it is gathered, and handed over when
 * the loop comes round again. A writer takes all that was handed over, so that what comes while the
 * disk is busy becomes its next transaction: under load commits grow instead of queueing up, and a
 * lone change waits for nothing. A batch is sorted and all but the last write of a key dropped, so
 * that what a full disk leaves behind is bounded by the number of keys, however long it lasts and
 * however often they change.
 *
 * The ledger has a writer of its own because the kernel waits for it, and never for the disk. */
#include "tools/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "core/err.h"
#include "tools/store/batch.h"
#include "tools/store/file.h"
#include "tools/store/lmdb.h"

#define ENTRY_BYTES 512 /* of map an entry; 119 to 182 were measured, and a commit copies pages */
#define MAP_BYTES_MIN ((size_t)16 << 20)
#define RETRY_NS 1000000000u
#define DIR_LEN_MAX 256

/* Somebody who asked, and his place in the queue of each writer that he waits for. */
struct waiter {
    void (*done)(void *ctx, int status);
    void *ctx;
    unsigned left; /* writers that have not answered */
    int status;
};

struct ticket {
    struct ticket *next;
    struct waiter *waiter;
    int status;
};

struct tickets {
    struct ticket *first, *last;
};

struct writer {
    struct gvs_lmdb file;
    uv_async_t *async; /* to tell the loop */
    uv_thread_t thread;
    uv_mutex_t mutex;
    uv_cond_t cond;
    bool running;
    /* The loop's. */
    struct gvs_batch gathered;
    struct tickets asked;
    int failing;
    uint64_t commits;
    /* Under the mutex. */
    bool stop;
    struct gvs_batch queue;
    struct tickets waiting, finished;
    int status; /* of the latest commit */
    uint64_t committed;
    /* The thread's. */
    struct gvs_batch batch;
};

struct gvs_store {
    uv_async_t async;
    char dir[DIR_LEN_MAX];
    int lock_fd;
    uint64_t seq;
    bool handed_over; /* reading is over */
    size_t outstanding;
    struct writer data, ledger;
};

/* What a record of a bucket begins with in the file. Never renumber. */
static uint8_t
kind_of(enum gvs_bucket bucket)
{
    static const uint8_t kinds[] = {
        [GVS_BUCKET_ENTRY] = 'e',  [GVS_BUCKET_MEMBER] = 'm', [GVS_BUCKET_META] = 't',
        [GVS_BUCKET_LEDGER] = 'z', [GVS_BUCKET_CODE] = 'c',
    };

    GVS_ASSERT(bucket <= GVS_BUCKET_CODE);
    return kinds[bucket];
}

static struct writer *
writer_of(struct gvs_store *s, enum gvs_bucket bucket)
{
    return bucket == GVS_BUCKET_LEDGER ? &s->ledger : &s->data;
}

static void
tickets_move(struct tickets *from, struct tickets *to)
{
    if (from->first == NULL)
        return;
    if (to->first == NULL)
        to->first = from->first;
    else
        to->last->next = from->first;
    to->last = from->last;
    *from = (struct tickets){0};
}

/* A ticket goes, and with the last of a waiter's the waiter. */
static void
ticket_free(struct ticket *t)
{
    if (--t->waiter->left == 0)
        free(t->waiter);
    free(t);
}

static void
tickets_clear(struct tickets *l)
{
    for (struct ticket *t = l->first, *next; t != NULL; t = next) {
        next = t->next;
        ticket_free(t);
    }
    *l = (struct tickets){0};
}

/* The threads. */

/* 0, or a negative code; then the batch is still there. */
static int
commit_batch(struct writer *w)
{
    int rc;

    gvs_batch_settle(&w->batch);
    rc = gvs_lmdb_commit(&w->file, w->batch.v, w->batch.count);
    if (rc == 0)
        gvs_batch_clear(&w->batch);
    return rc;
}

/* With the mutex held, until there is something to do: work, the end, or a second has passed since
 * a commit failed. */
static void
wait_for_work(struct writer *w)
{
    uint64_t now = uv_hrtime(), end = now + RETRY_NS;

    if (w->status != 0) {
        for (; !w->stop && now < end; now = uv_hrtime())
            uv_cond_timedwait(&w->cond, &w->mutex, end - now);
        return;
    }
    while (!w->stop && w->queue.count == 0 && w->waiting.first == NULL)
        uv_cond_wait(&w->cond, &w->mutex);
}

static void
work(void *arg)
{
    struct writer *w = arg;
    struct tickets tickets = {0};
    bool stop = false, any;
    int status;

    uv_mutex_lock(&w->mutex);
    while (!stop) {
        wait_for_work(w);
        stop = w->stop;
        gvs_batch_move(&w->queue, &w->batch);
        tickets_move(&w->waiting, &tickets);
        uv_mutex_unlock(&w->mutex);
        any = w->batch.count != 0;
        status = commit_batch(w);
        for (struct ticket *t = tickets.first; t != NULL; t = t->next)
            t->status = status;
        uv_mutex_lock(&w->mutex);
        w->status = status;
        w->committed += any && status == 0;
        tickets_move(&tickets, &w->finished);
        uv_async_send(w->async);
    }
    uv_mutex_unlock(&w->mutex);
}

/* Signals are the business of the loop's thread; and a write over a limit on file sizes is to fail
 * here, not to kill the process. */
static int
start_writer(struct writer *w)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = uv_thread_create(&w->thread, work, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    w->running = rc == 0;
    return rc;
}

/* On the loop. */

/* A thread starts when there is first something for it to do: by then a process that gives up
 * privileges, which are a thread's own, has done so. What cannot start now can the next time that
 * the loop has anything for either writer: nobody else may have for this one. */
static void
hand_over(struct gvs_store *s, struct writer *w)
{
    bool idle = !w->running && (w->queue.count != 0 || w->waiting.first != NULL);
    int rc = 0;

    if (w->gathered.count == 0 && w->asked.first == NULL && !idle)
        return;
    s->handed_over = true;
    if (!w->running)
        rc = start_writer(w);
    uv_mutex_lock(&w->mutex);
    if (rc != 0)
        w->status = rc;
    gvs_batch_move(&w->gathered, &w->queue);
    tickets_move(&w->asked, &w->waiting);
    uv_cond_signal(&w->cond);
    uv_mutex_unlock(&w->mutex);
}

static void
take_finished(struct writer *w, struct tickets *finished)
{
    uv_mutex_lock(&w->mutex);
    tickets_move(&w->finished, finished);
    w->failing = w->status;
    w->commits = w->committed;
    uv_mutex_unlock(&w->mutex);
}

static void
on_async(uv_async_t *async)
{
    struct gvs_store *s = async->data;
    struct tickets finished = {0};

    hand_over(s, &s->data);
    hand_over(s, &s->ledger);
    take_finished(&s->ledger, &finished);
    take_finished(&s->data, &finished);
    for (struct ticket *t = finished.first, *next; t != NULL; t = next) {
        struct waiter *w = t->waiter;

        next = t->next;
        if (w->status == 0)
            w->status = t->status;
        if (w->left == 1) {
            s->outstanding--;
            if (!uv_is_closing((uv_handle_t *)async)) /* the one before may have closed the store */
                w->done(w->ctx, w->status);
        }
        ticket_free(t);
    }
    if (s->outstanding == 0 && !uv_is_closing((uv_handle_t *)async))
        uv_unref((uv_handle_t *)async);
}

int
gvs_store_each(struct gvs_store *s, enum gvs_bucket bucket, gvs_store_fn fn, void *ctx)
{
    GVS_ASSERT(!s->handed_over);
    return gvs_lmdb_each(&writer_of(s, bucket)->file, kind_of(bucket), fn, ctx) == 0 ? GVS_OK
                                                                                     : GVS_E_SYS;
}

int
gvs_store_get(struct gvs_store *s, enum gvs_bucket bucket, const void *key, size_t key_len,
              void *val, size_t cap)
{
    GVS_ASSERT(!s->handed_over);
    GVS_ASSERT(key_len >= 1 && key_len <= GVS_STORE_KEY_MAX);
    return gvs_lmdb_get(&writer_of(s, bucket)->file, kind_of(bucket), key, key_len, val, cap);
}

void
gvs_store_put(struct gvs_store *s, enum gvs_bucket bucket, const void *key, size_t key_len,
              const void *val, size_t val_len)
{
    struct gvs_put *p = gvs_put_new(kind_of(bucket), key, key_len, val, val_len);

    GVS_ASSERT(key_len >= 1 && key_len <= GVS_STORE_KEY_MAX);
    p->seq = ++s->seq;
    gvs_batch_add(&writer_of(s, bucket)->gathered, p);
    uv_async_send(&s->async); /* which is one system call for all until the loop comes round */
}

static void
ask(struct writer *w, struct waiter *waiter)
{
    struct ticket *t = malloc(sizeof *t);
    struct tickets one = {t, t};

    GVS_ASSERT(t != NULL);
    *t = (struct ticket){.waiter = waiter};
    waiter->left++;
    tickets_move(&one, &w->asked);
}

static struct waiter *
new_waiter(struct gvs_store *s, void (*done)(void *ctx, int status), void *ctx)
{
    struct waiter *w = malloc(sizeof *w);

    GVS_ASSERT(w != NULL);
    *w = (struct waiter){.done = done, .ctx = ctx};
    s->outstanding++;
    uv_ref((uv_handle_t *)&s->async);
    uv_async_send(&s->async);
    return w;
}

void
gvs_store_sync(struct gvs_store *s, void (*done)(void *ctx, int status), void *ctx)
{
    struct waiter *w = new_waiter(s, done, ctx);

    ask(&s->data, w);
    ask(&s->ledger, w);
}

void
gvs_store_sync_ledger(struct gvs_store *s, void (*done)(void *ctx, int status), void *ctx)
{
    ask(&s->ledger, new_waiter(s, done, ctx));
}

int
gvs_store_failing(const struct gvs_store *s, char *text, size_t cap)
{
    int code = s->data.failing != 0 ? s->data.failing : s->ledger.failing;

    if (code != 0)
        snprintf(text, cap, "%s (kept in memory, tried again each second)",
                 gvs_lmdb_strerror(code));
    return code;
}

uint64_t
gvs_store_commits(const struct gvs_store *s)
{
    return s->data.commits;
}

/* Opening. */

static int
sys_fault(struct gvs_fault *fault, const char *what, const char *path)
{
    return gvs_fault_set(fault, GVS_EXIT_USAGE, "cannot %s %s (%s)", what, path, strerror(errno));
}

static int
held_fault(const struct gvs_store *s, struct gvs_fault *fault)
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
    char path[DIR_LEN_MAX + 8], text[16];
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

static int
open_fault(struct gvs_fault *fault, const struct gvs_lmdb *f, int code)
{
    gvs_fault_set(fault, GVS_EXIT_USAGE, "cannot open %s (%s)", f->path, gvs_lmdb_strerror(code));
    gvs_fault_hint(fault, "ls -l %s", f->path);
    return -1;
}

static int
set_aside(const char *dir, const char *path, const char *why, struct gvs_fault *fault)
{
    char to[GVS_LMDB_PATH_MAX + 64];
    long long now = (long long)time(NULL);
    int fd;

    snprintf(to, sizeof to, "%s.%s-%lld", path, why, now);
    for (int i = 1; access(to, F_OK) == 0; i++)
        snprintf(to, sizeof to, "%s.%s-%lld.%d", path, why, now, i);
    if (rename(path, to) < 0)
        return sys_fault(fault, "set aside", path);
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    return GVS_OK;
}

int
gvs_store_retire(const char *dir, struct gvs_fault *fault)
{
    char path[GVS_LMDB_PATH_MAX];

    /* The key first: a store without one is known for what it is. */
    snprintf(path, sizeof path, "%s/node.key", dir);
    if (access(path, F_OK) == 0 && set_aside(dir, path, "retired", fault) < 0)
        return -1;
    snprintf(path, sizeof path, "%s/data.mdb", dir);
    return set_aside(dir, path, "retired", fault);
}

static bool
is_empty(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0;
}

static int
open_data(struct gvs_store *s, bool *aside, struct gvs_fault *fault)
{
    struct gvs_lmdb *f = &s->data.file;
    int code;

    *aside = is_empty(f->path); /* which no commit leaves behind; but there is nothing to keep */
    code = gvs_lmdb_open(f);

    if (code != GVS_LMDB_DAMAGED)
        return code == 0 ? GVS_OK : open_fault(fault, f, code);
    if (set_aside(s->dir, f->path, "damaged", fault) < 0)
        return -1;
    *aside = true;
    code = gvs_lmdb_open(f);
    return code == 0 ? GVS_OK : open_fault(fault, f, code);
}

static int
open_ledger(struct gvs_store *s, struct gvs_fault *fault)
{
    struct gvs_lmdb *f = &s->ledger.file;
    int code = gvs_lmdb_open(f);

    if (code == GVS_LMDB_DAMAGED) {
        if (unlink(f->path) < 0)
            return sys_fault(fault, "remove the damaged", f->path);
        code = gvs_lmdb_open(f);
    }
    return code == 0 ? GVS_OK : open_fault(fault, f, code);
}

static int
open_files(struct gvs_store *s, size_t entries, bool *aside, struct gvs_fault *fault)
{
    struct gvs_lmdb *data = &s->data.file, *ledger = &s->ledger.file;

    snprintf(data->path, sizeof data->path, "%s/data.mdb", s->dir);
    snprintf(ledger->path, sizeof ledger->path, "%s/ledger.mdb", s->dir);
    data->map_len = MAP_BYTES_MIN + entries * ENTRY_BYTES;
    ledger->map_len = MAP_BYTES_MIN;
    ledger->nosync = true;
    if (open_data(s, aside, fault) < 0 || open_ledger(s, fault) < 0)
        return -1;
    return GVS_OK;
}

static void
init_writer(struct gvs_store *s, struct writer *w)
{
    w->async = &s->async;
    uv_mutex_init(&w->mutex);
    uv_cond_init(&w->cond);
}

/* What is queued is committed; then nothing of it is left. */
static void
fini_writer(struct gvs_store *s, struct writer *w)
{
    hand_over(s, w);
    uv_mutex_lock(&w->mutex);
    w->stop = true;
    uv_cond_signal(&w->cond);
    uv_mutex_unlock(&w->mutex);
    if (w->running)
        uv_thread_join(&w->thread);
    else if (w->queue.count != 0)
        work(w);
    uv_cond_destroy(&w->cond);
    uv_mutex_destroy(&w->mutex);
    gvs_batch_clear(&w->queue);
    gvs_batch_clear(&w->batch);
    tickets_clear(&w->waiting);
    tickets_clear(&w->finished);
    gvs_lmdb_close(&w->file);
}

static void
release(struct gvs_store *s)
{
    fini_writer(s, &s->data);
    fini_writer(s, &s->ledger);
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
    s->lock_fd = -1;
    init_writer(s, &s->data);
    init_writer(s, &s->ledger);
    if ((size_t)snprintf(s->dir, sizeof s->dir, "%s", dir) >= sizeof s->dir)
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
    uv_async_init(loop, &s->async, on_async);
    s->async.data = s;
    uv_unref((uv_handle_t *)&s->async);
    *out = s;
    return GVS_OK;
}

void
gvs_store_close(struct gvs_store *s)
{
    if (s == NULL)
        return;
    release(s);
    uv_close((uv_handle_t *)&s->async, on_closed);
}
