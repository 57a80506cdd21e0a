/* test/lib/loopback.h: a cluster in one process: real nodes, real clocks, real sockets on
 * 127.0.0.1, one thread.
 *
 * What is sent is counted where it goes into a socket: payload and 28 bytes of IP and UDP header a
 * datagram. net/udp.c is how the agent drives a node; here a plain loop drives them all, one turn
 * after the other, since a hundred event loops in one thread would measure the loops.
 */
#pragma once

#include "net/node.h"

#define LOOPBACK_HEADERS_LEN 28

struct loopback_node {
    struct gvs_node *node;
    int fd;
    struct gvs_ep ep;
    struct gvs_mono deadline;
    size_t received; /* datagrams */
};

struct loopback_sent {
    uint64_t datagrams, bytes; /* with headers */
    uint64_t refused;          /* datagrams that the socket did not take: lost, not counted above */
};

struct loopback {
    size_t count;
    struct loopback_node *nodes;
    int epoll;
    struct loopback_sent sent; /* by all of them */
    struct loopback_batch *in, *out;
};

struct gvs_mono loopback_now(void);
struct gvs_wall loopback_wall(void);

/* `count` nodes with room for `entries` claims each, that know nobody yet and do not run. A failure
 * of the system ends the program. */
void loopback_open(struct loopback *l, size_t count, size_t entries);
void loopback_close(struct loopback *l);

/* Node i begins to talk; the first is the others' bootstrap peer. Starting a hundred at once is
 * more handshakes than one thread answers before they are sent again. */
void loopback_start(struct loopback *l, size_t i);

/* Waits for a datagram or a deadline, no longer than `until`, and serves it. */
void loopback_turn(struct loopback *l, struct gvs_mono until);

/* Sends what the node wants to send; after each gvs_node_write. */
void loopback_flush(struct loopback *l, size_t i);

/* Do all of them know all of them to be alive, and have the same entries? */
bool loopback_joined(const struct loopback *l);
bool loopback_agree(const struct loopback *l);
