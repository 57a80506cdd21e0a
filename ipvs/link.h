/* ipvs/link.h: VIP addresses on a dummy interface, and the node's own addresses, over rtnetlink.
 *
 * A VIP sits on the dummy interface so that the node takes its packets in; IPVS picks them up from
 * there. Every node carries every VIP. The local route of a VIP takes the node's own address as
 * source: else a client on a balancer would speak from the VIP itself, and a server whose node
 * carries the same VIP would answer to itself (measured: time-out, for IPv4 and IPv6). What is made
 * is what these would make:
 *
 *     ip addr add 10.99.0.1/32 dev DUMMY
 *     ip route replace local 10.99.0.1 dev DUMMY table local proto kernel scope host src NODE
 *
 *     ip addr add fd00:99::1/128 dev DUMMY nodad
 *     ip route replace local fd00:99::1 dev DUMMY table local proto static metric 1024 src NODE
 *     ip route del local fd00:99::1 dev DUMMY table local proto kernel
 *
 * Nothing under conf/all is ever written. The socket belongs to the namespace where it was opened.
 */
#pragma once

#include "core/addr.h"
#include "core/err.h"

struct gvs_link;

/* Opens the socket, makes the interface if it is missing, sets it up. `observe`: looks only, makes
 * nothing; then a missing interface is no error. "" is no interface: as if observing. *out is NULL
 * unless GVS_OK. GVS_E_REFUSED (capability), GVS_E_SYS, GVS_E_CONFLICT: an interface of that name
 * exists and is no dummy. */
int gvs_link_open(struct gvs_link **out, const char *interface, bool observe);
/* A bare socket for it, of the calling thread's namespace, which it stays in whoever uses it; -1
 * and errno. Makes system calls and nothing else. And the same as gvs_link_open on one, which is
 * taken over, on failure too. */
int gvs_link_socket(void);
int gvs_link_open_on(struct gvs_link **out, int fd, const char *interface, bool observe);
void gvs_link_close(struct gvs_link *l); /* leaves everything as it is; NULL is fine */

/* Who only looked writes from now on: makes the interface, sets it up. As gvs_link_open; on failure
 * it goes on looking. */
int gvs_link_program(struct gvs_link *l);

/* The source that local routes of VIPs get, one for each family; family NONE: leave the kernel's
 * choice. They are copied. */
void gvs_link_source(struct gvs_link *l, const struct gvs_addr *v4, const struct gvs_addr *v6);

/* Both are idempotent: there already, or gone already, is GVS_OK. *changed tells whether the kernel
 * was, even if the call then failed. add also mends what else keeps a VIP that is there from
 * working: a route that has gone or whose source is another, an interface that is down or was
 * deleted. A source that this node does not have is refused (EINVAL) and the VIP then stays with
 * the kernel's choice. del takes the route along. Neither while observing. GVS_E_REFUSED,
 * GVS_E_CONFLICT as above, GVS_E_SYS with errno. */
int gvs_link_add(struct gvs_link *l, const struct gvs_addr *vip, bool *changed);
int gvs_link_del(struct gvs_link *l, const struct gvs_addr *vip, bool *changed);

/* Does what comes for a VIP that is on the interface arrive, and go out from where add has it go?
 * Only looks; true if the kernel does not answer. */
bool gvs_link_serves(struct gvs_link *l, const struct gvs_addr *vip);

/* The addresses on the dummy interface (true) or on all others of this namespace (false), host
 * scope and loopback included; link-local IPv6 left out. `name` of the interface lends for the
 * call. fn returns false to have no more called. GVS_OK, or GVS_E_SYS: some may be missing. */
typedef bool (*gvs_link_found_fn)(void *ctx, const struct gvs_addr *addr, const char *name);
int gvs_link_addresses(struct gvs_link *l, bool on_dummy, gvs_link_found_fn fn, void *ctx);
