/* Answers that are lists: a line like any other, which leaves in pieces.
 *
 * However long it becomes, the agent holds one piece of it, and what the client's connection holds;
 * the next is made once the client has taken enough of those before, and a turn of the loop makes
 * no more than one. So who does not read costs a fixed amount of memory, and who asks for a hundred
 * megabytes keeps nobody waiting for longer than a piece takes. Each piece shows its moment.
 *
 * What goes wrong before anything has left is an error like any other; after that the list ends
 * where it is, and the error stands behind it. Whoever wants whole lines (a program around the
 * agent) is given the line when it is whole. */
#include <stdlib.h>
#include <string.h>

#include "tools/agent/agent.h"

#define PIECE_BYTES 32768 /* a millisecond or two */
#define TURN_US 2000      /* or as much of the loop, however little there is to tell */

struct gvs_list {
    bool (*next)(struct gvs_request *r); /* NULL: others put what there is */
    void (*free_walk)(void *walk);
    char *b;
    size_t len, cap;
    size_t count; /* elements so far */
    bool left;    /* a piece has */
    bool lost;    /* for want of memory */
};

static int
append(const char *bytes, size_t len, void *list)
{
    struct gvs_list *l = list;

    if (len == 0)
        return 0;
    if (l->len + len > l->cap) {
        size_t cap = 2 * (l->len + len) + 256;
        char *more = realloc(l->b, cap);

        l->lost |= !more;
        if (!more)
            return -1;
        l->b = more;
        l->cap = cap;
    }
    memcpy(l->b + l->len, bytes, len);
    l->len += len;
    return 0;
}

static void
append_text(struct gvs_list *l, const char *text)
{
    (void)append(text, strlen(text), l);
}

/* Whoever gets whole lines gets this one at its end. */
static bool
has_room(const struct gvs_request *r)
{
    return !r->reply || !r->pieces || r->pieces->ready(r->ctx, r);
}

static void
flush(struct gvs_request *r)
{
    struct gvs_list *l = r->list;

    if (!r->reply)
        l->len = 0; /* nobody hears it */
    if (!r->reply || !r->pieces || l->lost)
        return;
    r->pieces->put(r->ctx, r, l->b, l->len, false);
    l->left = true;
    l->len = 0;
}

bool
gvs_list_ready(struct gvs_request *r)
{
    if (r->list && r->list->len >= PIECE_BYTES && has_room(r))
        flush(r);
    return !r->list || r->list->len < PIECE_BYTES || !r->pieces;
}

void
gvs_list_put(struct gvs_request *r, json_t *element)
{
    struct gvs_list *l = r->list;

    if (l->count++ > 0)
        append_text(l, ",");
    if (!element || json_dump_callback(element, append, l, JSON_COMPACT) != 0)
        l->lost = true;
    json_decref(element);
}

/* `rest` is what else the document has, an object; stolen. */
static void
end(struct gvs_request *r, json_t *rest)
{
    struct gvs_list *l = r->list;
    char *keys = json_object_size(rest) > 0 ? json_dumps(rest, JSON_COMPACT) : NULL;

    json_decref(rest);
    append_text(l, keys ? "]," : "]}");
    append_text(l, keys ? keys + 1 : "");
    free(keys);
    if (r->reply && r->pieces) {
        append_text(l, "\n");
        r->pieces->put(r->ctx, r, l->b, l->len, true);
    } else if (r->reply) {
        (void)append("", 1, l);
        r->reply(r->ctx, l->b, 1);
    }
    r->done = true;
}

bool
gvs_list_fault(struct gvs_request *r, const struct gvs_fault *f)
{
    if (!r->list || !r->list->left)
        return false;
    r->list->lost = false;
    end(r, json_pack("{s:o}", "error", gvs_fault_json(f)));
    return true;
}

void
gvs_list_end(struct gvs_request *r, json_t *rest)
{
    struct gvs_fault f;

    if (!r->list->lost) {
        end(r, rest);
        return;
    }
    json_decref(rest);
    gvs_fault_set(&f, GVS_EXIT_NO, "out of memory");
    gvs_request_fault(r, &f);
}

static bool
poll_list(struct gvs_request *r, struct gvs_mono now)
{
    struct gvs_list *l = r->list;
    uint64_t until = gvs_udp_now().us + TURN_US;
    size_t before = l->len;
    bool more = true;

    r->wake = GVS_MONO_NEVER; /* but when the client has taken something */
    if (!has_room(r))
        return false;
    while (more && !l->lost && l->len - before < PIECE_BYTES && gvs_udp_now().us < until)
        more = l->next(r);
    if (!more || l->lost) {
        if (!r->done)
            gvs_list_end(r, NULL);
        return true;
    }
    flush(r);
    r->wake = now;
    return false;
}

void
gvs_list_open(struct gvs_request *r, const char *key)
{
    r->list = calloc(1, sizeof *r->list);
    GVS_ASSERT(r->list != NULL);
    append_text(r->list, "{\"schema\":\"gossipvs/1\",\"");
    append_text(r->list, key);
    append_text(r->list, "\":[");
}

void
gvs_list_begin(struct gvs_request *r, const char *key, bool (*next)(struct gvs_request *r),
               void *walk, void (*free_walk)(void *walk))
{
    gvs_list_open(r, key);
    r->list->next = next;
    r->list->free_walk = free_walk;
    r->walk = walk;
    r->poll = poll_list;
}

void
gvs_list_free(struct gvs_request *r)
{
    if (!r->list)
        return;
    if (r->walk)
        r->list->free_walk(r->walk);
    free(r->list->b);
    free(r->list);
}
