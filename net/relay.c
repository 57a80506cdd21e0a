#include "net/relay.h"

#include <stdlib.h>
#include <string.h>

#include "core/err.h"

#define OVERTAKEN \
    8 /* answers to so much later datagrams say that one is lost, before its time-out */

/* --- a log of keys --- */

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

/* Takes a slot out of its bucket's list. */
static void
unlink_slot(struct gvs_keylog *log, size_t at)
{
    const struct gvs_keybuf *key = &log->slot[at].key;
    uint32_t *link = bucket_of(log, key->b, key->len);

    while (*link != at + 1) {
        GVS_ASSERT(*link != 0);
        link = &log->slot[*link - 1].next;
    }
    *link = log->slot[at].next;
}

void
gvs_keylog_append(struct gvs_keylog *log, const uint8_t *key, size_t len)
{
    size_t at = (size_t)(log->head % log->capacity);
    struct gvs_keylog_slot *slot = &log->slot[at];
    uint32_t *bucket;

    GVS_ASSERT(len >= 1 && len <= GVS_KEY_LEN_MAX);
    if (slot->key.len > 0 && !slot->stale)
        unlink_slot(log, at);
    bucket = bucket_of(log, key, len);
    for (uint32_t i = *bucket; i != 0; i = log->slot[i - 1].next) {
        struct gvs_keylog_slot *old = &log->slot[i - 1];

        if (old->key.len == len && memcmp(old->key.b, key, len) == 0) {
            unlink_slot(log, i - 1);
            old->stale = true;
            break;
        }
    }
    slot->key.len = (uint8_t)len;
    memcpy(slot->key.b, key, len);
    slot->stale = false;
    slot->next = *bucket;
    *bucket = (uint32_t)at + 1;
    log->head++;
}

const struct gvs_keybuf *
gvs_keylog_get(const struct gvs_keylog *log, uint64_t place)
{
    const struct gvs_keylog_slot *slot = &log->slot[place % log->capacity];

    GVS_ASSERT(place < log->head && place >= gvs_keylog_tail(log));
    return slot->stale ? NULL : &slot->key;
}

/* --- building --- */

void
gvs_relay_reset(struct gvs_relay *r, const struct gvs_keylog *log)
{
    uint64_t seq = r->seq;

    *r = (struct gvs_relay){.next = log->head, .seq = seq, .window = GVS_WINDOW_START};
}

void
gvs_relay_skip(struct gvs_relay *r, const struct gvs_keylog *log)
{
    r->next = log->head;
}

bool
gvs_relay_open(const struct gvs_relay *r)
{
    return r->flying < r->window;
}

static struct gvs_flight *
find_flight(struct gvs_relay *r, uint64_t seq)
{
    for (size_t i = 0; i < GVS_WINDOW_MAX; i++) {
        if (r->flight[i].seq == seq)
            return &r->flight[i];
    }
    return NULL;
}

/* Puts the entries of places first .. last into m until it is full. Returns the first place left
 * out. */
static uint64_t
load(const struct gvs_keylog *log, const struct gvs_table *const *table, uint64_t first,
     uint64_t last, size_t *room, struct gvs_msg *m)
{
    const struct gvs_keybuf *key;
    struct gvs_entry e;
    uint64_t at = first;

    for (; at <= last; at++) {
        key = at >= gvs_keylog_tail(log) ? gvs_keylog_get(log, at) : NULL;
        if (!key)
            continue;
        if (!gvs_table_get(table[key->b[0] == 'M'], key->b, key->len, &e))
            continue;
        if (!gvs_msg_add_entry(m, &e, room))
            break;
    }
    return at;
}

static struct gvs_flight *
find_lost(struct gvs_relay *r)
{
    if (r->lost == 0)
        return NULL;
    for (size_t i = 0; i < GVS_WINDOW_MAX; i++) {
        if (r->flight[i].seq != 0 && r->flight[i].lost)
            return &r->flight[i];
    }
    return NULL;
}

/* What was lost is owed again: from its flight, which shrinks by what m could take. */
static bool
build_lost(struct gvs_relay *r, const struct gvs_keylog *log, const struct gvs_table *const *table,
           size_t *room, struct gvs_msg *m, struct gvs_cargo *cargo)
{
    struct gvs_flight *f;
    uint64_t end;

    while ((f = find_lost(r)) != NULL) {
        end = load(log, table, f->cargo.first, f->cargo.last, room, m);
        if (end == f->cargo.first)
            return false; /* not even one: no room */
        *cargo =
            (struct gvs_cargo){.kind = GVS_CARGO_LOG, .first = f->cargo.first, .last = end - 1};
        f->cargo.first = end;
        if (end > f->cargo.last || !find_flight(r, 0)) {
            f->seq = 0; /* done; or no flight is left for the rest, and reconciliation finds it */
            r->lost--;
        }
        if (m->entry_count > 0)
            return true; /* else all of it stands again further on */
    }
    return false;
}

bool
gvs_relay_build(struct gvs_relay *r, const struct gvs_keylog *log,
                const struct gvs_table *const table[static GVS_TABLE_COUNT], size_t room,
                struct gvs_msg *m, struct gvs_cargo *cargo)
{
    uint64_t end;

    *m = (struct gvs_msg){.type = GVS_MSG_PUSH};
    if (build_lost(r, log, table, &room, m, cargo))
        return true;
    if (r->next < gvs_keylog_tail(log))
        r->next = log->head; /* too far behind: left to reconciliation */
    if (r->next == log->head || find_flight(r, 0) == NULL)
        return false;
    end = load(log, table, r->next, log->head - 1, &room, m);
    *cargo = (struct gvs_cargo){.kind = GVS_CARGO_LOG, .first = r->next, .last = end - 1};
    r->next = end;
    return m->entry_count > 0;
}

/* --- flying --- */

static uint64_t
timeout_us(const struct gvs_relay *r, uint64_t rtt_us)
{
    uint64_t us = 2 * rtt_us + 20000;

    if (us < GVS_RELAY_TIMEOUT_MS_MIN * 1000)
        us = GVS_RELAY_TIMEOUT_MS_MIN * 1000;
    us <<= r->timeouts;
    return us < GVS_RELAY_TIMEOUT_MS_MAX * 1000 ? us : GVS_RELAY_TIMEOUT_MS_MAX * 1000;
}

uint64_t
gvs_relay_fly(struct gvs_relay *r, struct gvs_mono now, uint64_t rtt_us,
              const struct gvs_cargo *cargo)
{
    struct gvs_flight *f = find_flight(r, 0);

    GVS_ASSERT(gvs_relay_open(r));
    GVS_ASSERT(f != NULL);
    r->flying++; /* I1 */
    *f = (struct gvs_flight){
        .seq = ++r->seq, .sent = now, .due = {now.us + timeout_us(r, rtt_us)}, .cargo = *cargo};
    return f->seq;
}

/* Much later ones were answered: what is still in the air from before is not coming. */
static void
overtake(struct gvs_relay *r, struct gvs_mono now, uint64_t seq)
{
    for (size_t i = 0; i < GVS_WINDOW_MAX; i++) {
        struct gvs_flight *f = &r->flight[i];

        if (f->seq != 0 && !f->lost && f->seq + OVERTAKEN <= seq)
            f->due = gvs_mono_min(f->due, now);
    }
}

const struct gvs_flight *
gvs_relay_land(struct gvs_relay *r, struct gvs_mono now, uint64_t seq)
{
    struct gvs_flight *f = seq == 0 ? NULL : find_flight(r, seq);

    if (!f)
        return NULL;
    if (f->lost)
        r->lost--;
    else
        r->flying--;
    f->seq = 0;
    r->timeouts = 0;
    if (r->window < GVS_WINDOW_MAX)
        r->window++;
    overtake(r, now, seq);
    return f;
}

/* One loss narrows the window once, however many went down with it. */
static void
narrow(struct gvs_relay *r, struct gvs_mono now, const struct gvs_flight *f)
{
    if (f->sent.us < r->cut.us)
        return;
    r->cut = now;
    r->timeouts++;
    r->window = r->window / 2 > 2 ? r->window / 2 : 2;
}

bool
gvs_relay_expire(struct gvs_relay *r, const struct gvs_keylog *log, struct gvs_mono now,
                 struct gvs_cargo *cargo, bool *gave_up)
{
    *gave_up = false;
    for (size_t i = 0; i < GVS_WINDOW_MAX && r->flying > 0; i++) {
        struct gvs_flight *f = &r->flight[i];

        if (f->seq == 0 || f->lost || !gvs_mono_due(f->due, now))
            continue;
        r->flying--;
        narrow(r, now, f);
        if (r->timeouts > GVS_RELAY_TRIES) {
            gvs_relay_reset(r, log);
            *gave_up = true;
            return false;
        }
        if (f->cargo.kind == GVS_CARGO_LOG) {
            f->lost = true;
            r->lost++;
            continue;
        }
        f->seq = 0;
        *cargo = f->cargo;
        return true;
    }
    return false;
}

struct gvs_mono
gvs_relay_deadline(const struct gvs_relay *r)
{
    struct gvs_mono t = GVS_MONO_NEVER;

    for (size_t i = 0; i < GVS_WINDOW_MAX && r->flying > 0; i++) {
        if (r->flight[i].seq != 0 && !r->flight[i].lost)
            t = gvs_mono_min(t, r->flight[i].due);
    }
    return t;
}

bool
gvs_relay_owes(const struct gvs_relay *r, const struct gvs_keylog *log)
{
    if (!gvs_relay_open(r))
        return false;
    if (r->lost > 0)
        return true;
    return r->next != log->head;
}

struct gvs_mono
gvs_relay_oldest(const struct gvs_relay *r)
{
    struct gvs_mono t = GVS_MONO_NEVER;

    for (size_t i = 0; i < GVS_WINDOW_MAX && r->flying > 0; i++) {
        if (r->flight[i].seq != 0 && !r->flight[i].lost)
            t = gvs_mono_min(t, r->flight[i].sent);
    }
    return t;
}
