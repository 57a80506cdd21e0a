/* ipvs/ledger.h: which services and addresses in this kernel are ours.
 *
 * The kernel stores no owner, so we do: a service or address is entered before it is created, and
 * what is entered is durable before the kernel is told. After a reboot, or in another namespace,
 * none of it is true any more: a ledger is void unless its boot id and namespace are this kernel's.
 *
 *   I1  Nothing is ever removed from a kernel that is not in the ledger.
 *   I2  What gvs_ledger_next has given out so far, replayed on what was loaded, is the ledger as of
 *       the last call; no record is given out twice without having changed in between.
 */
#pragma once

#include "core/addr.h"
#include "core/err.h"

/* One thing owned, as the store keeps it: 'S' and the rest of a service's key (core/key.h), or 'A',
 * family and address. */
#define GVS_LEDGER_REC_MAX 24
struct gvs_ledger_rec {
    uint8_t len;
    uint8_t b[GVS_LEDGER_REC_MAX];
    bool gone; /* to be struck out */
};

struct gvs_ledger;

/* Bytes of the block for at most `records`, what waits to be struck out included. `mem` is zeroed,
 * aligned for any type, and the caller's to free. */
size_t gvs_ledger_footprint(size_t records);
struct gvs_ledger *gvs_ledger_init(void *mem, size_t records);

/* One record from the store, at start; it does not come back through gvs_ledger_next.
 * GVS_E_MALFORMED, GVS_E_FULL: the ledger is as it was. */
int gvs_ledger_load(struct gvs_ledger *l, const uint8_t *b, size_t len);

/* Anything may be asked for, what is in a kernel but could never be ours included. */
bool gvs_ledger_has_service(const struct gvs_ledger *l, const struct gvs_svcid *svc);
bool gvs_ledger_has_addr(const struct gvs_ledger *l, const struct gvs_addr *addr);

/* Entering or striking out something; false if it was so already, or if there is no room to enter
 * it (then `has` says no). What changed waits to be fetched by gvs_ledger_next. What is entered is
 * valid (asserted). */
bool gvs_ledger_service(struct gvs_ledger *l, const struct gvs_svcid *svc, bool ours);
bool gvs_ledger_addr(struct gvs_ledger *l, const struct gvs_addr *addr, bool ours);

void gvs_ledger_clear(struct gvs_ledger *l); /* strikes out everything */

/* The next change that the store has not been given, in the order in which they came. */
bool gvs_ledger_next(struct gvs_ledger *l, struct gvs_ledger_rec *rec);

size_t gvs_ledger_services(const struct gvs_ledger *l);

/* The services, one a call, in no order; *at is 0 to begin with. False: no more. Any may be struck
 * out meanwhile. */
bool gvs_ledger_each(const struct gvs_ledger *l, uint32_t *at, struct gvs_svcid *svc);

/* What a stored ledger is compared with: "BOOT-ID NETNS-DEV:INODE" of where this thread runs.
 * GVS_E_SYS. Of another namespace: with the cookie, which no other has had since this boot, while
 * an inode's number soon has another owner; 0: the kernel tells none (before 5.14). */
int gvs_ledger_place(char text[static 96]);
int gvs_ledger_place_of(char text[static 96], uint64_t dev, uint64_t ino, uint64_t cookie);
