/* tools/store/batch.c */
#include "tools/store/batch.h"

#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "core/err.h"
#include "net/crypto.h"

#define LEN_LEN 2 /* of the key's length before the key */

static void *
must_alloc(void *p)
{
    GVS_ASSERT(p != NULL);
    return p;
}

uint8_t *
gvs_put_key(struct gvs_put *p)
{
    return p->b + LEN_LEN;
}

uint8_t *
gvs_put_val(struct gvs_put *p)
{
    return p->b + LEN_LEN + p->key_len;
}

struct gvs_put *
gvs_put_new(uint8_t kind, const void *key, size_t key_len, const void *val, size_t val_len)
{
    size_t len = LEN_LEN + 1 + key_len + val_len + GVS_RECORD_SUM_LEN;
    struct gvs_put *p = must_alloc(malloc(sizeof *p + len));

    GVS_ASSERT(key_len < UINT16_MAX);
    *p = (struct gvs_put){.key_len = 1 + key_len, .val_len = val_len, .del = val == NULL};
    gvs_put16(p->b, (uint16_t)p->key_len);
    p->b[LEN_LEN] = kind;
    memcpy(p->b + LEN_LEN + 1, key, key_len);
    if (val && val_len != 0)
        memcpy(gvs_put_val(p), val, val_len);
    return p;
}

void
gvs_put_seal(struct gvs_put *p)
{
    gvs_put64(gvs_put_val(p) + p->val_len,
              gvs_crypto_checksum(p->b, LEN_LEN + p->key_len + p->val_len));
}

bool
gvs_record_sound(const uint8_t *key, size_t key_len, const uint8_t *val, size_t val_len)
{
    uint8_t small[1024], *b = small;
    size_t len;
    bool ok;

    if (val_len < GVS_RECORD_SUM_LEN || key_len > UINT16_MAX)
        return false;
    val_len -= GVS_RECORD_SUM_LEN;
    len = LEN_LEN + key_len + val_len;
    if (len > sizeof small)
        b = must_alloc(malloc(len));
    gvs_put16(b, (uint16_t)key_len);
    memcpy(b + LEN_LEN, key, key_len);
    memcpy(b + LEN_LEN + key_len, val, val_len);
    ok = gvs_get64(val + val_len) == gvs_crypto_checksum(b, len);
    if (b != small)
        free(b);
    return ok;
}

static int
key_cmp(struct gvs_put *x, struct gvs_put *y)
{
    size_t n = x->key_len < y->key_len ? x->key_len : y->key_len;
    int sign = memcmp(gvs_put_key(x), gvs_put_key(y), n);

    return sign != 0 ? sign : (x->key_len > y->key_len) - (x->key_len < y->key_len);
}

static int
put_cmp(const void *a, const void *b)
{
    struct gvs_put *x = *(struct gvs_put *const *)a, *y = *(struct gvs_put *const *)b;
    int sign = key_cmp(x, y);

    return sign != 0 ? sign : (x->seq > y->seq) - (x->seq < y->seq);
}

void
gvs_batch_add(struct gvs_batch *b, struct gvs_put *p)
{
    if (b->count == b->cap) {
        b->cap = b->cap == 0 ? 64 : 2 * b->cap;
        b->v = must_alloc(reallocarray(b->v, b->cap, sizeof *b->v));
    }
    b->v[b->count++] = p;
}

void
gvs_batch_move(struct gvs_batch *from, struct gvs_batch *to)
{
    if (to->count == 0) {
        free(to->v);
        *to = *from;
    } else {
        for (size_t i = 0; i < from->count; i++)
            gvs_batch_add(to, from->v[i]);
        free(from->v);
    }
    *from = (struct gvs_batch){0};
}

void
gvs_batch_settle(struct gvs_batch *b)
{
    size_t kept = 0;

    if (b->count == 0)
        return;
    qsort(b->v, b->count, sizeof *b->v, put_cmp);
    for (size_t i = 1; i < b->count; i++) {
        if (key_cmp(b->v[kept], b->v[i]) == 0)
            free(b->v[kept]);
        else
            kept++;
        b->v[kept] = b->v[i];
    }
    b->count = kept + 1;
}

void
gvs_batch_clear(struct gvs_batch *b)
{
    for (size_t i = 0; i < b->count; i++)
        free(b->v[i]);
    free(b->v);
    *b = (struct gvs_batch){0};
}
