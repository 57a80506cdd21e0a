/* Claims from code (gossipvs.h, gvs_claim): what this node says because the program around the
 * agent does, as entries in its own name, beside those of services.d (own.c).
 *
 * Each is a wish for one entry, kept until it is withdrawn, and written when the node may write;
 * own.c keeps to them as it does to files, so that what others write in our name is put right. A
 * file that says something of the same thing goes first: an operator can see and change it. Durable
 * ones are also in the store, in the entry's own bytes but for the owner, who may have another id
 * by then. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/agent/agent.h"
#include "tools/words/describe.h"
#include "tools/words/words.h"

#define WORDS_LEN_MAX 512

struct gvs_coded {
    struct gvs_key key; /* of nobody's */
    struct gvs_keybuf kb;
    bool durable;
    struct gvs_service service;
    struct gvs_backend backend; /* of which the key's kind has one */
};

/* Where it is, or would be. */
static size_t
place(const struct gvs_code *c, const struct gvs_keybuf *kb)
{
    size_t low = 0, high = c->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const struct gvs_keybuf *at = &c->list[mid]->kb;

        if (gvs_key_cmp(at->b, at->len, kb->b, kb->len) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static struct gvs_coded *
find(const struct gvs_agent *a, const struct gvs_key *key)
{
    struct gvs_key nobodys = *key;
    struct gvs_keybuf kb;
    size_t at;

    nobodys.owner = (struct gvs_id){0};
    gvs_key_build(&kb, &nobodys);
    at = place(&a->code, &kb);
    if (at == a->code.count ||
        gvs_key_cmp(a->code.list[at]->kb.b, a->code.list[at]->kb.len, kb.b, kb.len) != 0)
        return NULL;
    return a->code.list[at];
}

bool
gvs_code_has(const struct gvs_agent *a, const struct gvs_key *key)
{
    return find(a, key) != NULL;
}

const char *
gvs_code_each_name(const struct gvs_agent *a, size_t *at)
{
    while (*at < a->code.count) {
        const struct gvs_coded *c = a->code.list[(*at)++];

        if (c->key.kind == GVS_KEY_SERVICE)
            return c->service.name;
    }
    return NULL;
}

/* Takes the place of one with its key. False: no memory, and nothing has changed. */
static bool
keep(struct gvs_agent *a, const struct gvs_coded *coded)
{
    struct gvs_code *c = &a->code;
    struct gvs_coded *held = find(a, &coded->key), **list;
    size_t at = place(c, &coded->kb);

    if (held) {
        *held = *coded;
        return true;
    }
    if (c->count == c->cap) {
        list = reallocarray(c->list, 2 * c->cap + 8, sizeof *list);
        if (!list)
            return false;
        c->list = list;
        c->cap = 2 * c->cap + 8;
    }
    held = malloc(sizeof *held);
    if (!held)
        return false;
    *held = *coded;
    memmove(&c->list[at + 1], &c->list[at], (c->count - at) * sizeof(struct gvs_coded *));
    c->list[at] = held;
    c->count++;
    return true;
}

static void
drop(struct gvs_agent *a, size_t at)
{
    struct gvs_code *c = &a->code;

    free(c->list[at]);
    c->count--;
    memmove(&c->list[at], &c->list[at + 1], (c->count - at) * sizeof(struct gvs_coded *));
}

void
gvs_code_free(struct gvs_agent *a)
{
    while (a->code.count > 0)
        drop(a, a->code.count - 1);
    free(a->code.list);
    a->code = (struct gvs_code){0};
}

/* --- the store --- */

static size_t
encode(uint8_t value[static GVS_VALUE_LEN_MAX], const struct gvs_coded *c)
{
    return c->key.kind == GVS_KEY_SERVICE ? gvs_service_encode(value, &c->service)
                                          : gvs_backend_encode(value, &c->backend);
}

static void
store(struct gvs_agent *a, const struct gvs_coded *c, bool durable)
{
    uint8_t value[GVS_VALUE_LEN_MAX];
    size_t len = encode(value, c);

    gvs_store_put(a->store, GVS_BUCKET_CODE, c->kb.b, c->kb.len, durable ? value : NULL, len);
}

static bool
load_one(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *val, size_t val_len)
{
    struct gvs_coded c = {.durable = true};
    struct gvs_agent *a = ctx;
    int rc = gvs_key_parse(&c.key, key, key_len);

    if (rc == GVS_OK && c.key.kind == GVS_KEY_SERVICE)
        rc = gvs_service_decode(&c.service, val, val_len);
    else if (rc == GVS_OK && c.key.kind == GVS_KEY_BACKEND)
        rc = gvs_backend_decode(&c.backend, val, val_len);
    else
        rc = GVS_E_MALFORMED;
    if (rc == GVS_OK)
        gvs_key_build(&c.kb, &c.key);
    if (rc < 0 || !keep(a, &c))
        gvs_agent_log(a, GVS_LOG_WARN, "a durable claim of the program's was left out");
    return true;
}

void
gvs_code_load(struct gvs_agent *a)
{
    gvs_store_each(a->store, GVS_BUCKET_CODE, load_one, a);
    a->code.due = a->code.count > 0;
}

void
gvs_code_store(struct gvs_agent *a)
{
    for (size_t i = 0; i < a->code.count; i++)
        store(a, a->code.list[i], true);
}

/* --- the table --- */

/* Of a key that a file of services.d has. */
static bool
is_filed(const struct gvs_agent *a, const struct gvs_key *key)
{
    const struct gvs_claim_service *s = gvs_claims_find(&a->claims, &key->svc, NULL);

    return key->kind == GVS_KEY_SERVICE ? s != NULL : gvs_claims_find_backend(s, &key->ep) != NULL;
}

/* As which this node claims it; "": it does not. */
static const char *
name_of(const struct gvs_agent *a, const struct gvs_svcid *svc)
{
    const struct gvs_claim_service *filed = gvs_claims_find(&a->claims, svc, NULL);
    struct gvs_key key = {.kind = GVS_KEY_SERVICE, .svc = *svc};
    const struct gvs_coded *coded = filed ? NULL : find(a, &key);

    return filed ? filed->attr.name : coded ? coded->service.name : "";
}

const char *
gvs_code_drains(const struct gvs_agent *a, const struct gvs_key *key)
{
    const char *name = "";

    if (a->maintenance.count > 0 && key->kind == GVS_KEY_BACKEND && find(a, key))
        name = name_of(a, &key->svc);
    return gvs_maintenance_covers(a, name) ? name : NULL;
}

/* What the program says, or that it says nothing any more. */
static void
write_key(struct gvs_agent *a, const struct gvs_coded *c, bool tombstone)
{
    struct gvs_moment now = gvs_agent_moment();
    uint8_t value[GVS_VALUE_LEN_MAX];
    struct gvs_coded said = *c;
    size_t len;

    if (is_filed(a, &said.key))
        return;
    if (gvs_code_drains(a, &said.key))
        said.backend.weight = 0;
    len = tombstone ? gvs_tombstone_encode(value, false) : encode(value, &said);
    said.key.owner = gvs_node_self(a->node);
    gvs_agent_write_claim(a, &now, &said.key, tombstone, value, len);
}

static void
begin_writing(struct gvs_agent *a)
{
    gvs_agent_absorb(a); /* what peers caused is theirs */
    a->via = GVS_VIA_API;
    a->by = a->program;
}

static void
end_writing(struct gvs_agent *a)
{
    gvs_agent_absorb(a);
    a->via = GVS_VIA_PEER;
    a->by = NULL;
}

void
gvs_code_write(struct gvs_agent *a)
{
    a->code.due = false;
    if (a->code.count == 0)
        return;
    begin_writing(a);
    for (size_t i = 0; i < a->code.count; i++)
        write_key(a, a->code.list[i], false);
    end_writing(a);
}

/* May what is said now be written now? Else the first reading of services.d writes all. */
static bool
may_write(const struct gvs_agent *a)
{
    return a->claims_tried && gvs_agent_may_write(a) && !gvs_node_retired(a->node);
}

static void
write_now(struct gvs_agent *a, const struct gvs_coded *c, bool tombstone)
{
    if (!may_write(a)) {
        a->code.due = true;
        return;
    }
    begin_writing(a);
    write_key(a, c, tombstone);
    end_writing(a);
    /* Its backends may be in maintenance by its new name: the next reading writes them. */
    if (c->key.kind == GVS_KEY_SERVICE && a->maintenance.count > 0)
        a->code.due = true;
}

/* --- what the program says --- */

/* WORD VALUE pairs, cut apart in `text`; the value of `name`, if there is one, apart. */
struct pairs {
    char text[WORDS_LEN_MAX];
    const char *name;
    const char *word[2 * GVS_DESCRIBE_WORDS_MAX + 2];
    size_t count;
};

static int
cut(struct pairs *p, const char *words, bool named, struct gvs_fault *f)
{
    char *save = NULL, *word, *value;

    *p = (struct pairs){.name = NULL};
    if (strlen(words) >= sizeof p->text)
        return gvs_fault_set(f, GVS_EXIT_USAGE, "words: %zu bytes at most", sizeof p->text - 1);
    memcpy(p->text, words, strlen(words) + 1);
    for (word = strtok_r(p->text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        value = strtok_r(NULL, " ", &save);
        if (!value)
            return gvs_fault_set(f, GVS_EXIT_USAGE, "%.64s: a value is missing", word);
        if (named && !p->name && strcmp(word, "name") == 0) {
            p->name = value;
            continue;
        }
        if (p->count + 2 > sizeof p->word / sizeof *p->word)
            return gvs_fault_set(f, GVS_EXIT_USAGE, "%.64s: too many words", word);
        p->word[p->count++] = word;
        p->word[p->count++] = value;
    }
    return GVS_OK;
}

static int
describe_words(struct gvs_describe *d, const struct pairs *p, struct gvs_fault *f)
{
    for (size_t i = 0; i < p->count; i += 2)
        if (gvs_describe_word(d, p->word[i], p->word[i + 1], 1, f) < 0)
            return -1;
    return GVS_OK;
}

/* A backend is judged as one of its service, as far as the program claims that. */
static int
describe_backend(struct gvs_agent *a, struct gvs_describe *d, const char *backend,
                 const struct pairs *p, struct gvs_fault *f)
{
    struct gvs_key key = {.kind = GVS_KEY_SERVICE, .svc = d->id};
    const struct gvs_coded *service = find(a, &key);

    if (service &&
        gvs_describe_word(d, "forward", gvs_forward_name(service->service.forward), 1, f) < 0)
        return -1;
    if (service)
        memcpy(d->name, service->service.name, sizeof d->name);
    if (gvs_describe_backend(d, backend, 1, f) < 0 || describe_words(d, p, f) < 0)
        return -1;
    gvs_describe_backend_end(d);
    return GVS_OK;
}

static int
describe(struct gvs_agent *a, struct gvs_describe *d, const char *vip, const char *backend,
         const struct pairs *p, struct gvs_fault *f)
{
    int rc;

    if (gvs_describe_service(d, p->name, 1, f) < 0 || gvs_describe_vip(d, vip, 1, f) < 0)
        return -1;
    rc = backend ? describe_backend(a, d, backend, p, f) : describe_words(d, p, f);
    return rc < 0 ? rc : gvs_describe_service_end(d, f);
}

/* The one claim that the words come to. */
static int
judge(struct gvs_agent *a, struct gvs_coded *out, const char *vip, const char *backend,
      const char *words, struct gvs_fault *f)
{
    struct gvs_claims_file file = {0};
    struct gvs_describe d;
    struct pairs p;

    if (cut(&p, words, !backend, f) < 0)
        return -1;
    gvs_describe_begin(&d, NULL, &file);
    if (gvs_describe_end(&d, describe(a, &d, vip, backend, &p, f), f) < 0)
        return -1;
    *out = (struct gvs_coded){.key = {.kind = GVS_KEY_SERVICE, .svc = file.services->id}};
    out->service = file.services->attr;
    if (backend) {
        out->key.kind = GVS_KEY_BACKEND;
        out->key.ep = file.services->backends->ep;
        out->backend = file.services->backends->attr;
    }
    gvs_key_build(&out->kb, &out->key);
    gvs_claims_drop_services(&file);
    return GVS_OK;
}

int
gvs_code_claim(struct gvs_agent *a, const char *vip, const char *backend, const char *words,
               bool durable, struct gvs_fault *f)
{
    const struct gvs_coded *held;
    struct gvs_coded claim;
    bool was_durable;

    if (judge(a, &claim, vip, backend, words, f) < 0)
        return -1;
    if (gvs_node_retired(a->node))
        return gvs_fault_set(f, GVS_EXIT_CONFLICT,
                             "this node's id has been retired (leave, or "
                             "forget on another node); it claims nothing");
    held = find(a, &claim.key);
    if (!held && a->code.count >= a->cfg.limits.entries)
        return gvs_fault_set(f, GVS_EXIT_NO, "more than %zu claims (limits { entries })",
                             a->cfg.limits.entries);
    was_durable = held && held->durable;
    claim.durable = durable;
    if (!keep(a, &claim))
        return gvs_fault_set(f, GVS_EXIT_NO, "out of memory");
    if (durable || was_durable)
        store(a, &claim, durable);
    write_now(a, &claim, false);
    gvs_agent_pump(a);
    return GVS_OK;
}

/* --- the end of claims --- */

/* It is none of the program's any more, though it may be a file's. */
static void
end_claim(struct gvs_agent *a, size_t at)
{
    struct gvs_coded claim = *a->code.list[at];

    drop(a, at);
    if (claim.durable)
        store(a, &claim, false);
    write_now(a, &claim, true);
}

/* Those of a service stand together. */
static bool
end_service(struct gvs_agent *a, const struct gvs_svcid *svc)
{
    struct gvs_keybuf prefix;
    size_t at, ended = 0;

    gvs_key_prefix(&prefix, svc);
    at = place(&a->code, &prefix);
    for (; at < a->code.count && gvs_svcid_cmp(&a->code.list[at]->key.svc, svc) == 0; ended++)
        end_claim(a, at);
    return ended > 0;
}

static bool
end_backend(struct gvs_agent *a, const struct gvs_svcid *svc, const struct gvs_ep *ep)
{
    struct gvs_key key = {.kind = GVS_KEY_BACKEND, .svc = *svc, .ep = *ep};
    const struct gvs_coded *held = find(a, &key);

    if (held)
        end_claim(a, place(&a->code, &held->kb));
    return held != NULL;
}

int
gvs_code_withdraw(struct gvs_agent *a, const char *vip, const char *backend, struct gvs_fault *f)
{
    struct gvs_svcid svc;
    struct gvs_ep ep;
    bool ended;

    if (gvs_words_vip(&svc, vip, f) < 0 || (backend && gvs_words_endpoint(&ep, backend, f) < 0))
        return -1;
    ended = backend ? end_backend(a, &svc, &ep) : end_service(a, &svc);
    if (!ended)
        return gvs_fault_set(f, GVS_EXIT_NOT_FOUND, "this program claims no %s '%.64s'%s%.64s",
                             backend ? "backend" : "vip", backend ? backend : vip,
                             backend ? " of " : "", backend ? vip : "");
    gvs_agent_pump(a);
    return GVS_OK;
}

bool
gvs_code_any_passing(const struct gvs_agent *a)
{
    for (size_t i = 0; i < a->code.count; i++)
        if (!a->code.list[i]->durable)
            return may_write(a);
    return false;
}

bool
gvs_code_end_passing(struct gvs_request *r)
{
    struct gvs_agent *a = r->a;

    for (size_t at = a->code.count; at-- > 0;) {
        if (a->code.list[at]->durable)
            continue;
        gvs_request_touch(r, &a->code.list[at]->key.svc);
        end_claim(a, at);
    }
    return true;
}
