#include "net/keylog.h"

#include <stdlib.h>
#include <string.h>

#include "core/err.h"

int
gvs_keylog_open(struct gvs_keylog *log, size_t capacity, struct gvs_hash hash)
{
    GVS_ASSERT(capacity >= 1 && capacity < UINT32_MAX);
    *log = (struct gvs_keylog){.capacity = capacity, .hash = hash};
    log->slot = calloc(capacity, sizeof *log->slot);
    log->bucket = calloc(capacity, sizeof *log->bucket);
    if (!log->slot || !log->bucket) {
        gvs_keylog_close(log);
        return GVS_E_SYS;
    }
    return GVS_OK;
}

void
gvs_keylog_close(struct gvs_keylog *log)
{
    free(log->slot);
    free(log->bucket);
    *log = (struct gvs_keylog){.capacity = 0};
}

uint64_t
gvs_keylog_tail(const struct gvs_keylog *log)
{
    return log->head > log->capacity ? log->head - log->capacity : 0;
}

static uint32_t *
bucket_of(const struct gvs_keylog *log, const uint8_t *key, size_t len)
{
    return &log->bucket[log->hash.fn(log->hash.key, key, len) % log->capacity];
}

static struct gvs_keylog_slot *
find(const struct gvs_keylog *log, const uint8_t *key, size_t len)
{
    for (uint32_t i = *bucket_of(log, key, len); i != 0; i = log->slot[i - 1].next) {
        struct gvs_keylog_slot *slot = &log->slot[i - 1];

        if (slot->key.len == len && memcmp(slot->key.b, key, len) == 0)
            return slot;
    }
    return NULL;
}

/* Takes a slot out of its bucket's list. */
static void
unlink_slot(struct gvs_keylog *log, const struct gvs_keylog_slot *slot)
{
    uint32_t *link = bucket_of(log, slot->key.b, slot->key.len);

    while (&log->slot[*link - 1] != slot) {
        GVS_ASSERT(*link != 0);
        link = &log->slot[*link - 1].next;
    }
    *link = slot->next;
}

bool
gvs_keylog_append(struct gvs_keylog *log, struct gvs_mono now, const uint8_t *key, size_t len,
                  uint64_t id)
{
    size_t at = (size_t)(log->head % log->capacity);
    struct gvs_keylog_slot *slot = &log->slot[at];
    struct gvs_keylog_slot *old = find(log, key, len);
    uint32_t *bucket = bucket_of(log, key, len);

    GVS_ASSERT(len >= 1 && len <= GVS_KEY_LEN_MAX);
    if (old && old->id == id)
        return false;
    if (old) {
        unlink_slot(log, old);
        old->stale = true;
    }
    if (slot->key.len > 0 && !slot->stale)
        unlink_slot(log, slot);
    *slot = (struct gvs_keylog_slot){.key.len = (uint8_t)len, .id = id, .at = now, .next = *bucket};
    memcpy(slot->key.b, key, len);
    *bucket = (uint32_t)at + 1;
    log->head++;
    return true;
}

const struct gvs_keylog_slot *
gvs_keylog_get(const struct gvs_keylog *log, uint64_t place)
{
    const struct gvs_keylog_slot *slot = &log->slot[place % log->capacity];

    GVS_ASSERT(place < log->head && place >= gvs_keylog_tail(log));
    return slot->stale ? NULL : slot;
}

bool
gvs_keylog_when(const struct gvs_keylog *log, const uint8_t *key, size_t len, struct gvs_mono *at)
{
    const struct gvs_keylog_slot *slot = find(log, key, len);

    if (slot)
        *at = slot->at;
    return slot != NULL;
}
