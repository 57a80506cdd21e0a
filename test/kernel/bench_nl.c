/* test/kernel/bench_nl SERVICES DESTS: how fast can this kernel be programmed at all? Writes a
 * table into the network namespace that it runs in, in batches of 64 and with nothing else about
 * them, and prints the seconds that it took. Run by test/kernel/b_program. */
#include "ipvs/nl.h"
#include "test/kernel/live.h"

#include <string.h>

static struct gvs_op
service_op(const struct gvs_svcid *id)
{
    struct gvs_op op = {.kind = GVS_OP_SERVICE_ADD, .item = gvs_item_make_service(id)};

    strcpy(op.item.service.sched, "wlc");
    op.item.service.netmask = 32;
    return op;
}

static struct gvs_op
dest_op(const struct gvs_svcid *id, unsigned d)
{
    struct gvs_ep ep = {.addr = {GVS_FAMILY_V4, {10, 77, 0, (uint8_t)(100 + d)}}, .port = 8080};
    struct gvs_op op = {.kind = GVS_OP_DEST_ADD, .item = gvs_item_make_dest(id, &ep)};

    op.item.dest.weight = 1;
    return op;
}

/* The table in key order; the same as b_program's. */
static struct gvs_op *
make_table(unsigned services, unsigned dests)
{
    struct gvs_op *ops = calloc((size_t)services * (1 + dests), sizeof *ops), *op = ops;

    if (!ops)
        abort();
    for (unsigned s = 0; s < services; s++) {
        struct gvs_svcid id = {
            .proto = GVS_PROTO_TCP,
            .addr = {GVS_FAMILY_V4, {10, 99, (uint8_t)(s / 250), (uint8_t)(1 + s % 250)}},
            .port = 80};

        *op++ = service_op(&id);
        for (unsigned d = 0; d < dests; d++)
            *op++ = dest_op(&id, d);
    }
    return ops;
}

static bool
write_all(struct gvs_nl *nl, const struct gvs_op *ops, size_t count)
{
    int errors[GVS_NL_BATCH_MAX];

    for (size_t i = 0; i < count; i += GVS_NL_BATCH_MAX) {
        size_t n = count - i < GVS_NL_BATCH_MAX ? count - i : GVS_NL_BATCH_MAX;

        if (gvs_nl_apply(nl, ops + i, n, errors) != GVS_OK)
            return false;
        for (size_t j = 0; j < n; j++)
            if (errors[j])
                return false;
    }
    return true;
}

int
main(int argc, char **argv)
{
    unsigned services = argc == 3 ? (unsigned)atoi(argv[1]) : 0;
    unsigned dests = argc == 3 ? (unsigned)atoi(argv[2]) : 0;
    struct gvs_op *ops;
    struct gvs_nl *nl;
    double began;

    if (services == 0 || services > 60000 || dests > 100) {
        fputs("usage: bench_nl SERVICES DESTS (up to 60000 and 100)\n", stderr);
        return 2;
    }
    if (gvs_nl_open(&nl) != GVS_OK) {
        fputs("bench_nl: no IPVS here\n", stderr);
        return 1;
    }
    ops = make_table(services, dests);
    began = now();
    if (!write_all(nl, ops, (size_t)services * (1 + dests))) {
        fputs("bench_nl: the kernel refused a write\n", stderr);
        return 1;
    }
    printf("%.6f\n", now() - began);
    gvs_nl_close(nl);
    free(ops);
    return 0;
}
