/* ipvs/nl.h: IPVS in the network namespace where it was opened, over generic netlink.
 *
 * What it does in one call is one batch: up to 64 requests in one message, an acknowledgement asked
 * of the last alone. The kernel processes a batch inside sendmsg, in order, and an error does not
 * stop the rest; every error is answered under its own sequence number. So, once the answer to the
 * last request is there, whatever was not refused has been done. A batch whose answers were lost
 * (ENOBUFS) or fell silent (2 s) tells nothing: GVS_E_LOST, and the caller has to look. 64 is what
 * fits libnl's smallest receive buffer even if all fail (measured: 73 to 85 answers in 64 KiB).
 *
 * One thread, the one that holds CAP_NET_ADMIN: the kernel asks for it at every request, whoever
 * opened the socket.
 *
 *   I1  Never IPVS_CMD_FLUSH, never ZERO: they take everybody's services.
 *   I2  The numbers that IPVS wants big-endian (ports, IPv4 netmask) are converted here and nowhere
 *       else.
 */
#pragma once

#include "core/plan.h"

#define GVS_NL_BATCH_MAX 64

struct gvs_nl;

/* GVS_OK; GVS_E_UNSUPPORTED: this kernel has no IPVS (none after trying to load it);
 * GVS_E_REFUSED: CAP_NET_ADMIN is missing; GVS_E_LOST: no answer; GVS_E_SYS. *out is NULL unless
 * GVS_OK. */
int gvs_nl_open(struct gvs_nl **out);
void gvs_nl_close(struct gvs_nl *nl); /* NULL is fine */

/* A bare socket for it, of the calling thread's namespace, which it stays in whoever uses it; -1
 * and errno. Makes system calls and nothing else. And the same as gvs_nl_open on one, which is
 * taken over, on failure too. */
int gvs_nl_socket(void);
int gvs_nl_open_on(struct gvs_nl **out, int fd);

/* Sends count <= GVS_NL_BATCH_MAX operations (SERVICE_*, DEST_*, ANCHOR_*) as one batch. errors[i]
 * becomes 0 or the positive errno that the kernel answered to ops[i]. GVS_OK even if all were
 * refused. On anything else errors[] means nothing; GVS_E_LOST: what was done is unknown;
 * GVS_E_SYS: nothing was sent; GVS_E_UNSUPPORTED: the module has gone and does not load again.
 * After the module was reloaded the family has another id: it is looked up again and the batch sent
 * once more. */
int gvs_nl_apply(struct gvs_nl *nl, const struct gvs_op *ops, size_t count, int *errors);

/* A second, as the kernel estimates them from the last few; all 0 where it does not
 * (run_estimation). */
struct gvs_rates {
    uint64_t conns, in_packets, out_packets, in_bytes, out_bytes;
};

struct gvs_nl_found {
    struct gvs_item item;
    bool odd;                  /* it has something that an item cannot say (another protocol, a
                                  persistence engine, unknown flags or forwarding, a netmask with
                                  holes, persistence of 0 s); item holds the rest */
    uint32_t active, inactive; /* connections; destinations only */
    uint64_t conns;            /* connections ever scheduled, since it was added */
    struct gvs_rates rates;    /* services only */
};

/* Calls fn for every service, or for every destination of one service, as the kernel lists them
 * (unordered, not atomic: an entry may be skipped or come twice while others change). A missing
 * service has no destinations, which is no error. fn returns false to have no more called; the rest
 * of the answer is still drained. GVS_OK, GVS_E_LOST (truncated, unreadable or lost: nothing may be
 * concluded from what came), GVS_E_SYS, GVS_E_REFUSED, GVS_E_UNSUPPORTED as above. */
typedef bool (*gvs_nl_found_fn)(void *ctx, const struct gvs_nl_found *found);
int gvs_nl_services(struct gvs_nl *nl, gvs_nl_found_fn fn, void *ctx);
int gvs_nl_dests(struct gvs_nl *nl, const struct gvs_svcid *svc, gvs_nl_found_fn fn, void *ctx);

/* Reads a netlink socket, of whatever family, until its queue is empty: what is left of an answer
 * would be taken for that to the next request, and to a socket that overflowed the kernel sends
 * nothing before. */
void gvs_nl_drain(int fd);

/* After so many seconds of silence a connection is forgotten: one that is open, one that a side has
 * closed, a client's datagrams. 0: the kernel says nothing of it. */
struct gvs_timeouts {
    uint32_t tcp, tcpfin, udp;
};
int gvs_nl_timeouts(struct gvs_nl *nl, struct gvs_timeouts *out); /* GVS_OK, or as above */

/* What the kernel calls itself: "1.2.1". */
void gvs_nl_version(const struct gvs_nl *nl, char text[static 16]);

/* What an errno of IPVS means for an operation, in words; scheduler problems name the module. */
void gvs_nl_explain(char *text, size_t cap, const struct gvs_op *op, int error);

/* Netlink messages sent that could change the kernel, ever: what an idle minute must not move. */
uint64_t gvs_nl_writes(const struct gvs_nl *nl);
