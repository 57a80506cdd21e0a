/* tools/cli/doctor_look.h: what a network namespace is like, for ipvs/doctor.h: the only eyes and
 * hands that gossipvs doctor has.
 *
 * The namespace is that of the calling thread: /proc/sys/net, /proc/net and sockets follow it.
 * Nothing here needs a privilege but to enter another one and to write.
 */
#pragma once

#include "core/err.h"
#include "ipvs/doctor.h"

/* All but IPVS's timeouts, which the agent tells. What cannot be read is not there. `interface`
 * carries the VIPs; "": none does. */
void gvs_doctor_look(struct gvs_doctor_seen *seen, const struct gvs_doctor_use *use,
                     const char *interface);

/* The text of a sysctl below /proc/sys, cut to `cap`; "" if there is none. */
void gvs_doctor_read(char *text, size_t cap, const char *path);
/* GVS_OK, or GVS_E_SYS with errno. */
int gvs_doctor_write(const struct gvs_doctor_write *w);

/* From now on this thread is in the namespace that is mounted at `path`, if it is this one.
 * GVS_E_NOTFOUND: another one is. GVS_E_SYS with errno. */
int gvs_doctor_enter(const char *path, uint64_t dev, uint64_t ino);
