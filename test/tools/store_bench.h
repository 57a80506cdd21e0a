/* test/tools/store_bench.h: a store on a loop of its own in a directory of its own, and the naive
 * model of what must be in it. */
#pragma once

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "test/lib/prng.h"
#include "tools/store/store.h"

#define KEYS 400

/* Where the test that is running has its store. */
static char base[64], dir[96];

/* A store on a loop of its own. */
struct bench {
    uv_loop_t loop;
    struct gvs_store *store;
    bool set_aside;
    struct gvs_fault fault;
    int synced; /* how often done was called */
    int puts;
    int status; /* the last that it was given */
};

static inline int
open_bench(struct bench *b)
{
    memset(b, 0, sizeof *b);
    assert_int_equal(uv_loop_init(&b->loop), 0);
    return gvs_store_open(&b->store, &b->loop, dir, 1000, &b->set_aside, &b->fault);
}

static inline void
must_open(struct bench *b)
{
    if (open_bench(b) < 0)
        fail_msg("%s", b->fault.text);
}

static inline void
close_bench(struct bench *b)
{
    gvs_store_close(b->store);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&b->loop), 0);
}

static inline void
on_done(void *ctx, int status)
{
    struct bench *b = ctx;

    b->synced++;
    b->status = status;
}

/* Returns the status. */
static inline int
sync_bench(struct bench *b)
{
    int before = b->synced;

    gvs_store_sync(b->store, on_done, b);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    assert_int_equal(b->synced, before + 1);
    return b->status;
}

/* The naive model: what must be in a bucket. */
struct model {
    struct {
        bool there;
        size_t len;
        uint8_t val[64];
    } at[4][KEYS];
};

static inline size_t
key_of(unsigned n, uint8_t key[static 80])
{
    return (size_t)sprintf((char *)key, "%0*u", 1 + (int)(n % 57), n);
}

static inline void
put_random(struct bench *b, struct model *m, struct gvs_prng *prng)
{
    unsigned bucket = gvs_prng_below(prng, 4), n = gvs_prng_below(prng, KEYS);
    uint8_t key[80], val[64];
    size_t key_len = key_of(n, key), len = gvs_prng_below(prng, sizeof val);

    if (gvs_prng_chance(prng, 1, 4)) {
        gvs_store_put(b->store, (enum gvs_bucket)bucket, key, key_len, NULL, 0);
        m->at[bucket][n].there = false;
        return;
    }
    gvs_prng_fill(prng, val, len);
    gvs_store_put(b->store, (enum gvs_bucket)bucket, key, key_len, val, len);
    m->at[bucket][n].there = true;
    m->at[bucket][n].len = len;
    memcpy(m->at[bucket][n].val, val, len);
}

struct reader {
    const struct model *model;
    unsigned bucket;
    size_t count;
    bool same;
    uint8_t last[80];
    size_t last_len;
};

static inline bool
read_one(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *val, size_t val_len)
{
    struct reader *r = ctx;
    char text[81] = "";
    uint8_t again[80];
    unsigned n;
    size_t shorter = key_len < r->last_len ? key_len : r->last_len;
    int sign = memcmp(r->last, key, shorter);

    assert_true(key_len > 0 && key_len <= 80);
    assert_true(sign < 0 || (sign == 0 && r->last_len < key_len)); /* ascending */
    memcpy(r->last, key, key_len);
    r->last_len = key_len;
    r->count++;
    memcpy(text, key, key_len);
    n = (unsigned)strtoul(text, NULL, 10);
    r->same = r->same && n < KEYS && key_of(n, again) == key_len &&
              r->model->at[r->bucket][n].there && r->model->at[r->bucket][n].len == val_len &&
              (val_len == 0 || memcmp(r->model->at[r->bucket][n].val, val, val_len) == 0);
    return true;
}

/* Does the store hold what the model does in that bucket? */
static inline bool
same_bucket(struct bench *b, const struct model *m, unsigned bucket)
{
    struct reader r = {.model = m, .bucket = bucket, .same = true};
    size_t want = 0;

    for (unsigned n = 0; n < KEYS; n++)
        want += m->at[bucket][n].there;
    assert_int_equal(gvs_store_each(b->store, (enum gvs_bucket)bucket, read_one, &r), GVS_OK);
    return r.same && r.count == want;
}

static inline size_t
count_files(const char *pattern)
{
    char path[160];
    glob_t g;
    size_t n;

    snprintf(path, sizeof path, "%s/%s", dir, pattern);
    n = glob(path, 0, NULL, &g) == 0 ? g.gl_pathc : 0;
    globfree(&g);
    return n;
}

static inline const char *
file(const char *name)
{
    static char path[2][160];
    static int turn;

    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", dir, name);
    return path[turn];
}

static inline int
make_dir(void **state)
{
    (void)state;
    /* In memory where there is room: what dies here is processes, and a sync has nothing to wait
     * for. */
    strcpy(base, access("/dev/shm", W_OK) == 0 ? "/dev/shm/gossipvs-test.XXXXXX"
                                               : "/tmp/gossipvs-test.XXXXXX");
    if (mkdtemp(base) == NULL)
        return -1;
    snprintf(dir, sizeof dir, "%s/state", base);
    return 0;
}

static inline int
remove_dir(void **state)
{
    char command[128];

    test_seed_teardown(state);
    snprintf(command, sizeof command, "rm -r %s", base);
    return system(command);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)
