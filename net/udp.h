/* net/udp.h: a node on a UDP socket of the caller's libuv loop.
 *
 * The only place where net/ meets libuv. Reads until the socket is dry (32 datagrams at most before
 * timers get their turn), asks the node for what to send, sleeps until its deadline.
 */
#pragma once

#include "net/node.h"

struct uv_loop_s;
struct gvs_udp;

/* Binds `bind` and begins to read. [::] takes v4 datagrams too. `woken` (not NULL) is
 * called from the loop after the node was given something or did something by itself: there may be
 * news or events. On failure: NULL, errno intact. `n` is borrowed until closed. */
struct gvs_udp *gvs_udp_open(struct uv_loop_s *loop, const struct gvs_ep *bind, struct gvs_node *n,
                             void (*woken)(void *ctx), void *ctx);

/* Can datagrams be sent to such addresses? All others are lost. */
bool gvs_udp_reaches(const struct gvs_udp *u, uint8_t family);

/* Something was asked of the node from outside (a write): what that gives is sent before the loop
 * sleeps again. Only from the loop's thread; from within `woken` too. */
void gvs_udp_kick(struct gvs_udp *u);

/* Stops; frees u when libuv has let go of it, and then calls closed (may be NULL). */
void gvs_udp_close(struct gvs_udp *u, void (*closed)(void *ctx), void *ctx);

/* The clocks that the node is run with. */
struct gvs_mono gvs_udp_now(void);
struct gvs_wall gvs_udp_wall(void);
