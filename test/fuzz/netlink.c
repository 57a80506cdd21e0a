/* What a kernel, or something in its place, answers over netlink (ipvs/nl_codec.h), and records of
 * the ledger. The first byte says which answer. */
#include "test/fuzz/fuzz.h"

#include "ipvs/ledger.h"
#include "ipvs/nl_codec.h"

#define FAMILY 0x1122
#define SEQ 0x01020304u

static bool
found(void *ctx, const struct gvs_nl_found *f)
{
    size_t *count = ctx;
    char text[GVS_SVCID_TEXT_LEN], ep[GVS_EP_TEXT_LEN];

    must(strnlen(f->item.service.sched, sizeof f->item.service.sched) <
         sizeof f->item.service.sched);
    gvs_svcid_format(text, &f->item.svc);
    if (f->item.kind == GVS_ITEM_DEST)
        gvs_ep_format(ep, &f->item.ep);
    return ++*count < 8;
}

static void
check_dump(void *b, size_t len, const struct gvs_svcid *svc)
{
    size_t count = 0;
    struct gvs_nl_dump d = {.seq = SEQ, .family = FAMILY, .svc = svc, .fn = found, .ctx = &count};

    gvs_nl_dump(&d, b, len);
    must(count <= 8);
}

static void
check_answers(void *b, size_t len)
{
    int errors[4] = {0};
    struct gvs_nl_answers a = {.seq = SEQ, .count = 4, .errors = errors};

    if (gvs_nl_answers(&a, b, len) == GVS_OK)
        for (size_t i = 0; i < 4; i++)
            must(errors[i] >= 0);
}

static void
check_info(void *b, size_t len)
{
    struct gvs_timeouts timeouts;
    uint32_t version = 0;
    int error = 0;

    gvs_nl_info(&version, &error, SEQ, b, len);
    gvs_nl_config(&timeouts, &error, SEQ, b, len);
}

static void
check_ledger(const uint8_t *b, size_t len)
{
    void *mem = calloc(1, gvs_ledger_footprint(4));
    struct gvs_ledger_rec rec;
    struct gvs_ledger *l;

    must(mem);
    l = gvs_ledger_init(mem, 4);
    gvs_ledger_load(l, b, len, NULL, 0);
    if (len >= GVS_LEDGER_VALUE_MAX)
        gvs_ledger_load(l, b, len - GVS_LEDGER_VALUE_MAX, b + len - GVS_LEDGER_VALUE_MAX,
                        GVS_LEDGER_VALUE_MAX);
    must(!gvs_ledger_next(l, &rec)); /* what was loaded does not come back */
    free(mem);
}

int
LLVMFuzzerTestOneInput(const uint8_t *b, size_t len)
{
    uint8_t which = len > 0 ? b[0] : 0, *copy;
    struct gvs_svcid svc;

    if (len == 0 || len > 4096)
        return 0;
    must(gvs_svcid_parse(&svc, "10.99.0.1:80/tcp", 16, NULL) == GVS_OK);
    copy = malloc(len); /* from malloc: aligned, as the socket's buffer is */
    must(copy);
    memcpy(copy, b + 1, --len);
    switch (which & 7) {
    case 0:
        check_answers(copy, len);
        break;
    case 1:
        check_dump(copy, len, NULL);
        break;
    case 2:
        check_dump(copy, len, &svc);
        break;
    case 3:
        check_info(copy, len);
        break;
    default:
        check_ledger(copy, len);
        break;
    }
    free(copy);
    return 0;
}
