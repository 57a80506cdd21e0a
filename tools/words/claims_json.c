/* tools/words/claims_json.c */
#include "tools/words/claims_json.h"

#include <stdio.h>
#include <string.h>

#include "tools/words/words.h"

#define VALUE_LEN_MAX 160

void
gvs_text_netmask(char text[static 16], const struct gvs_svcid *svc, uint8_t bits)
{
    uint32_t mask = bits ? UINT32_MAX << (32 - bits % 33) : UINT32_MAX;

    if (svc->addr.family == GVS_FAMILY_V6)
        snprintf(text, 16, "%u", bits ? bits : 128u);
    else
        snprintf(text, 16, "%u.%u.%u.%u", mask >> 24, mask >> 16 & 255, mask >> 8 & 255,
                 mask & 255);
}

json_t *
gvs_text_flags(uint32_t flags)
{
    json_t *list = json_array();

    if (flags & GVS_FLAG_FALLBACK)
        json_array_append_new(list, json_string("fallback"));
    if (flags & GVS_FLAG_OPS)
        json_array_append_new(list, json_string("ops"));
    if (flags & GVS_FLAG_PORT)
        json_array_append_new(list, json_string("port"));
    return list;
}

/* A key of JSON, and the word that it is. */
struct word {
    const char *key, *word;
};

static const struct word service_words[] = {
    {"scheduler", "scheduler"}, {"flags", "flags"},     {"persistent_seconds", "persistent"},
    {"netmask", "netmask"},     {"forward", "forward"}, {NULL, NULL}};
static const struct word backend_words[] = {{"weight", "weight"}, {"forward", "forward"},
                                            {"tunnel", "tunnel"}, {"lower", "lower"},
                                            {"upper", "upper"},   {NULL, NULL}};

/* --- reading --- */

/* ["a","b"] is "a,b", and [] is "none". */
static int
list_text(char *text, size_t cap, const json_t *list)
{
    size_t at = 0, i;
    const json_t *item;

    snprintf(text, cap, "none");
    json_array_foreach(list, i, item)
    {
        const char *word = json_string_value(item);

        if (!word || at + strlen(word) + 2 > cap)
            return GVS_E_MALFORMED;
        at += (size_t)snprintf(text + at, cap - at, "%s%s", i ? "," : "", word);
    }
    return GVS_OK;
}

/* A value as the command line has it. */
static int
value_text(char *text, size_t cap, const json_t *value)
{
    int len = -1;

    if (json_is_array(value))
        return list_text(text, cap, value);
    if (json_is_string(value))
        len = snprintf(text, cap, "%s", json_string_value(value));
    else if (json_is_integer(value))
        len = snprintf(text, cap, "%lld", (long long)json_integer_value(value));
    return len >= 0 && (size_t)len < cap ? GVS_OK : GVS_E_MALFORMED;
}

static int
read_words(struct gvs_describe *d, const struct word *words, const json_t *o, unsigned line,
           struct gvs_fault *f)
{
    char text[VALUE_LEN_MAX];

    for (; words->key; words++) {
        const json_t *value = json_object_get(o, words->key);

        if (!value || json_is_null(value))
            continue;
        if (value_text(text, sizeof text, value) < 0)
            return gvs_describe_refuse(d, line, f, "%s: a text or a number expected", words->key);
        if (gvs_describe_word(d, words->word, text, line, f) < 0)
            return -1;
    }
    return GVS_OK;
}

static int
read_backends(struct gvs_describe *d, const json_t *list, unsigned line, struct gvs_fault *f)
{
    const json_t *o;
    size_t i;

    if (list && !json_is_array(list) && !json_is_null(list))
        return gvs_describe_refuse(d, line, f, "backends: a list expected");
    json_array_foreach(list, i, o)
    {
        const char *address = json_string_value(json_object_get(o, "address"));

        if (!address)
            return gvs_describe_refuse(d, line, f, "backend %zu has no address", i + 1);
        if (gvs_describe_backend(d, address, line, f) < 0 ||
            read_words(d, backend_words, o, line, f) < 0)
            return -1;
        gvs_describe_backend_end(d);
    }
    return GVS_OK;
}

int
gvs_claims_json_read(struct gvs_describe *d, const json_t *vip, unsigned line, struct gvs_fault *f)
{
    const json_t *name = json_object_get(vip, "name");
    const char *text = json_string_value(json_object_get(vip, "vip"));

    if (!json_is_object(vip))
        return gvs_describe_refuse(d, line, f, "a service is an object");
    if (name && !json_is_string(name) && !json_is_null(name))
        return gvs_describe_refuse(d, line, f, "name: a text expected");
    if (gvs_describe_service(d, json_string_value(name), line, f) < 0)
        return -1;
    if (!text)
        return gvs_describe_refuse(d, line, f, "a service has no vip");
    if (gvs_describe_vip(d, text, line, f) < 0 || read_words(d, service_words, vip, line, f) < 0 ||
        read_backends(d, json_object_get(vip, "backends"), line, f) < 0)
        return -1;
    return gvs_describe_service_end(d, f);
}

/* --- writing --- */

json_t *
gvs_claims_json_backend(const struct gvs_claim_backend *b)
{
    char ep[GVS_EP_TEXT_LEN], tunnel[GVS_WORDS_TUNNEL_LEN];
    json_t *o;

    gvs_ep_format(ep, &b->ep);
    o = json_pack("{s:s, s:I, s:s, s:I, s:I}", "address", ep, "weight", (json_int_t)b->attr.weight,
                  "forward", gvs_forward_name(b->attr.forward), "lower", (json_int_t)b->attr.lower,
                  "upper", (json_int_t)b->attr.upper);
    gvs_words_tunnel(tunnel, b->attr.tunnel, b->attr.tunnel_port);
    if (b->attr.forward == GVS_FORWARD_TUN)
        json_object_set_new(o, "tunnel", json_string(tunnel));
    return o;
}

json_t *
gvs_claims_json(const struct gvs_claim_service *s, size_t from, size_t count)
{
    json_t *backends = json_array(), *o;
    char vip[GVS_SVCID_TEXT_LEN], mask[16];

    for (size_t i = from; i < from + count; i++)
        json_array_append_new(backends, gvs_claims_json_backend(&s->backends[i]));
    gvs_svcid_format(vip, &s->id);
    gvs_text_netmask(mask, &s->id, s->attr.netmask);
    o = json_pack("{s:s, s:s, s:o, s:I, s:s, s:s, s:o}", "vip", vip, "scheduler", s->attr.sched,
                  "flags", gvs_text_flags(s->attr.flags), "persistent_seconds",
                  (json_int_t)s->attr.persistent, "netmask", mask, "forward",
                  gvs_forward_name(s->attr.forward), "backends", backends);
    if (!s->unnamed)
        json_object_set_new(o, "name", json_string(s->attr.name));
    return o;
}
