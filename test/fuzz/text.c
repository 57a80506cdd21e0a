/* Words of the command line and of the files: addresses, services, ids, numbers. What parses has
 * one text, which parses to the same. */
#include "test/fuzz/fuzz.h"

#include "core/addr.h"
#include "core/err.h"
#include "core/id.h"
#include "tools/words/syntax.h"
#include "tools/words/words.h"

static void
check_fault(const struct gvs_addr_fault *f, size_t len)
{
    must(f->why != GVS_ADDR_OK && f->at <= len && f->len <= len - f->at);
}

#define CHECK(what, cap, same)                                      \
    static void check_##what(const char *text, size_t len)          \
    {                                                               \
        struct gvs_##what v, again;                                 \
        struct gvs_addr_fault fault;                                \
        char out[cap];                                              \
                                                                    \
        if (gvs_##what##_parse(&v, text, len, &fault) != GVS_OK) {  \
            check_fault(&fault, len);                               \
            return;                                                 \
        }                                                           \
        len = gvs_##what##_format(out, &v);                         \
        must(len < (cap) && strlen(out) == len);                    \
        must(gvs_##what##_parse(&again, out, len, NULL) == GVS_OK); \
        must(same);                                                 \
    }
CHECK(addr, GVS_ADDR_TEXT_LEN, gvs_addr_cmp(&v, &again) == 0)
CHECK(ep, GVS_EP_TEXT_LEN, gvs_ep_cmp(&v, &again) == 0)
CHECK(svcid, GVS_SVCID_TEXT_LEN, gvs_svcid_cmp(&v, &again) == 0)
CHECK(prefix, GVS_PREFIX_TEXT_LEN, gvs_addr_cmp(&v.addr, &again.addr) == 0 && v.bits == again.bits)

static void
check_id(const char *text, size_t len)
{
    char out[GVS_ID_TEXT_LEN + 1];
    struct gvs_id id;

    if (gvs_id_parse(&id, text, len) != GVS_OK)
        return;
    gvs_id_format(out, &id);
    must(len == GVS_ID_TEXT_LEN && memcmp(out, text, len) == 0);
}

/* WORD VALUE pairs, a blank between them. */
static void
check_words(char *text)
{
    struct gvs_service s = {.sched = "wlc"};
    struct gvs_backend b = {.weight = 1};
    struct gvs_svcid svc;
    struct gvs_fault f;
    const char *words[16];
    size_t count = 0;
    char *rest = NULL;

    must(gvs_svcid_parse(&svc, "10.99.0.1:80/tcp", 16, NULL) == GVS_OK);
    for (char *w = strtok_r(text, " ", &rest); w && count < 16; w = strtok_r(NULL, " ", &rest))
        words[count++] = w;
    strcpy(s.name, "web");
    if (gvs_words_service(&s, &svc, words, count, &f) == GVS_OK)
        must(gvs_service_valid(&s));
    if (gvs_words_backend(&b, words, count, &f) == GVS_OK)
        must(gvs_backend_valid(&b));
}

static void
check_word(const char *text)
{
    char name[GVS_NAME_LEN_MAX + 1];
    struct gvs_svcid svc;
    struct gvs_fault f;
    struct gvs_ep ep;
    unsigned n;

    gvs_words_vip(&svc, text, &f);
    gvs_words_endpoint(&ep, text, &f);
    if (gvs_words_name(name, text, &f) == GVS_OK)
        must(gvs_name_valid(name, strlen(name)));
    if (gvs_syntax_number(&n, text, 3, 70000) == GVS_OK)
        must(n >= 3 && n <= 70000);
    if (gvs_syntax_seconds(&n, text, 3, 70000) == GVS_OK)
        must(n >= 3 && n <= 70000);
}

int
LLVMFuzzerTestOneInput(const uint8_t *b, size_t len)
{
    char *text = feed_text(b, len);

    check_addr((const char *)b, len);
    check_ep((const char *)b, len);
    check_svcid((const char *)b, len);
    check_prefix((const char *)b, len);
    check_id((const char *)b, len);
    check_word(text);
    check_words(text);
    free(text);
    return 0;
}
