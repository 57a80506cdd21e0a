/* tools/store/batch.h: writes on their way to the store's file, and what a record there looks like.
 *
 * A record's key is one byte for its kind and then the caller's key. Its value ends in 8 bytes of
 * checksum over the length of that key, the key and the value, so that a value which turns up under
 * another key is not sound.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GVS_RECORD_SUM_LEN 8

/* One write. b: the length of the key (2 bytes), the key, the value, room for the checksum. */
struct gvs_put {
    uint64_t seq; /* of two for one key the greater counts */
    size_t key_len, val_len;
    bool del;
    uint8_t b[];
};

struct gvs_batch {
    struct gvs_put **v; /* owned, each from malloc */
    size_t count, cap;
};

/* A copy of both; val NULL: a deletion. Memory that cannot be had ends the process, here and below:
 * an agent that cannot queue a few bytes cannot go on. */
struct gvs_put *gvs_put_new(uint8_t kind, const void *key, size_t key_len, const void *val,
                            size_t val_len);
uint8_t *gvs_put_key(struct gvs_put *p);
uint8_t *gvs_put_val(struct gvs_put *p);
void gvs_put_seal(struct gvs_put *p); /* writes the checksum behind the value */

/* Does the value end in the checksum of key and value? Both as they are in the file. */
bool gvs_record_sound(const uint8_t *key, size_t key_len, const uint8_t *val, size_t val_len);

void gvs_batch_add(struct gvs_batch *b, struct gvs_put *p);        /* takes p */
void gvs_batch_move(struct gvs_batch *from, struct gvs_batch *to); /* all, behind what is there */
void gvs_batch_settle(struct gvs_batch *b); /* key order, and of each key the last write only */
void gvs_batch_clear(struct gvs_batch *b);
