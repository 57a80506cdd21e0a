/* ipvs/ledger.h: which services and addresses in this kernel are ours, and what leaves it.
 *
 * The kernel stores no owner, so we do: a service or address is entered before it is created, and
 * what is entered is durable before the kernel is told. After a reboot, or in another namespace,
 * none of it is true any more: a ledger is void unless its boot id and namespace are this kernel's.
 *
 * What leaves (ipvs/kernel.h) is entered with the moment when it has to be gone, so that whoever
 * begins anew in the middle ends it in time. The clock stops for no sleep and starts with the boot,
 * as a ledger does.
 *
 *   I1  Nothing is ever removed from a kernel that is not in the ledger.
 *   I2  What gvs_ledger_next has given out so far, replayed on what was loaded, is the ledger as of
 *       the last call; no record is given out twice without having changed in between.
 */
#pragma once

#include "core/err.h"
#include "core/item.h"
#include "core/time.h"

/* One thing as the store keeps it: 'S' and the rest of a service's key (core/key.h); 'A', family
 * and address; 'L' and the rest of the key of the cluster's claim on a service or backend; or 'B'
 * and 0, the brake. The value of the last two is the moment: 8 bytes, microseconds, big-endian. The
 * others have none. */
#define GVS_LEDGER_REC_MAX 41
#define GVS_LEDGER_VALUE_MAX 8
struct gvs_ledger_rec {
    uint8_t len;
    uint8_t b[GVS_LEDGER_REC_MAX];
    uint8_t value_len;
    uint8_t value[GVS_LEDGER_VALUE_MAX];
    bool gone; /* to be struck out */
};

struct gvs_ledger;

/* Bytes of the block for at most `records`, what waits to be struck out included. `mem` is zeroed,
 * aligned for any type, and the caller's to free. */
size_t gvs_ledger_footprint(size_t records);
struct gvs_ledger *gvs_ledger_init(void *mem, size_t records);

/* One record from the store, at start; it does not come back through gvs_ledger_next.
 * GVS_E_MALFORMED, GVS_E_FULL: the ledger is as it was. */
int gvs_ledger_load(struct gvs_ledger *l, const uint8_t *b, size_t len, const uint8_t *value,
                    size_t value_len);

/* Anything may be asked for, what is in a kernel but could never be ours included. */
bool gvs_ledger_has_service(const struct gvs_ledger *l, const struct gvs_svcid *svc);
bool gvs_ledger_has_addr(const struct gvs_ledger *l, const struct gvs_addr *addr);

/* Entering or striking out something; false if it was so already, or if there is no room to enter
 * it (then `has` says no). What changed waits to be fetched by gvs_ledger_next. What is entered is
 * valid (asserted). */
bool gvs_ledger_service(struct gvs_ledger *l, const struct gvs_svcid *svc, bool ours);
bool gvs_ledger_addr(struct gvs_ledger *l, const struct gvs_addr *addr, bool ours);

/* The same for a service or a destination that leaves, and when it has to be gone (NEVER: whenever
 * it likes; not 0, asserted). Entering it again moves that. False: there was no room, or it is
 * nothing that a table could hold. */
bool gvs_ledger_leave(struct gvs_ledger *l, const struct gvs_item *identity, struct gvs_mono until);
void gvs_ledger_stay(struct gvs_ledger *l, const struct gvs_item *identity); /* strikes it out */
bool gvs_ledger_leaves(const struct gvs_ledger *l, const struct gvs_item *identity,
                       struct gvs_mono *until);

/* The first that leaves at or after the place *at, which moves behind it; false: no more. Start at
 * 0; striking out what was given is allowed meanwhile. */
bool gvs_ledger_each_leaving(const struct gvs_ledger *l, size_t *at, struct gvs_item *identity);

/* Until when the brake is on (ipvs/kernel.h); 0: it is off, and struck out. */
void gvs_ledger_brake(struct gvs_ledger *l, struct gvs_mono until);
struct gvs_mono gvs_ledger_braked(const struct gvs_ledger *l);

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
