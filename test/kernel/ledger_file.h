/* test/kernel/ledger_file.h: an agent without a store keeps its ledger in a file: one record after
 * the other, struct and all, which is of this machine and of this build only. */
#pragma once

#include "ipvs/kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LEDGER_RECORDS_MAX 65536

static inline struct gvs_mono
clock_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_BOOTTIME, &t);
    return (struct gvs_mono){(uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000};
}

static inline struct gvs_ledger *
load_ledger(const char *path)
{
    struct gvs_ledger *l =
        gvs_ledger_init(calloc(1, gvs_ledger_footprint(LEDGER_RECORDS_MAX)), LEDGER_RECORDS_MAX);
    struct gvs_ledger_rec rec;
    FILE *f = fopen(path, "r");

    while (f && fread(&rec, sizeof rec, 1, f) == 1) {
        if (gvs_ledger_load(l, rec.b, rec.len, rec.value, rec.value_len) != GVS_OK)
            abort();
    }
    if (f)
        fclose(f);
    return l;
}

/* Adds what is new, and says that it is durable. What has gone stays: nothing here returns under
 * another owner. */
static inline void
store_ledger(struct gvs_kernel *k, struct gvs_ledger *l, FILE *f)
{
    uint64_t upto = gvs_kernel_ledger_wanted(k);
    struct gvs_ledger_rec rec;
    bool any = false;

    while (gvs_ledger_next(l, &rec)) {
        if (!rec.gone)
            fwrite(&rec, sizeof rec, 1, f);
        any = true;
    }
    if (any)
        fflush(f);
    if (upto > 0)
        gvs_kernel_ledger_durable(k, upto);
}
