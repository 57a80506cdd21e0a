/* tools/process/helper.h: a process that enters network namespaces, so that the agent need not be
 * able to.
 *
 *     agent    open NAME  ------------------------------------>  helper
 *              CAP_NET_ADMIN, setns is death                     CAP_SYS_ADMIN, CAP_NET_ADMIN
 *              <---  identity of /run/netns/NAME, three sockets
 *
 * A netlink socket speaks to the namespace where it was made, whoever uses it: so it takes
 * CAP_SYS_ADMIN once, to make it (setns(2)), and never again. The helper is forked where the
 * configuration names a namespace, before any key is read, and does this one thing for as long as
 * the agent lives. It is asked for a name and nothing else: by what path, and what to make there,
 * is in its code. Should somebody take over the agent, he gains by it the sockets that the agent
 * might have had anyway.
 *
 *   I1  It opens nothing but a namespace that is mounted at /run/netns/NAME itself: NAME is one
 *       component, and no link, in that last place, is followed.
 *   I2  Between two requests it is in the namespace where it was forked; if it cannot come back
 *       there it ends. So it keeps no namespace alive.
 *   I3  It holds no key, no file and no descriptor of the agent's but its end of their socket, no
 *       capability beyond the two, and with a filter (libseccomp) makes 18 system calls.
 *
 * And those of tools/process/child.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ipvs/kernel.h"
#include "tools/process/child.h"

#define GVS_HELPER_NAME_MAX 127 /* bytes of a namespace's name; nothing special about it */

/* Forks it. GVS_OK, or GVS_E_SYS with errno. */
int gvs_helper_start(struct gvs_child *c);

/* Asks for a namespace. One at a time: the next after the answer. GVS_E_LOST: it has gone. */
int gvs_helper_ask(struct gvs_child *c, const char *name);

/* What stood in its way. */
enum gvs_helper_where {
    GVS_HELPER_DONE = 0,
    GVS_HELPER_OPENING, /* /run/netns/NAME; ENOENT, ELOOP: a link */
    GVS_HELPER_KIND,    /* it is there, and no namespace is mounted on it */
    GVS_HELPER_ENTERING,
    GVS_HELPER_MAKING,   /* the sockets, inside */
    GVS_HELPER_TAKING,   /* them, in the agent, which may have too many descriptors already */
    GVS_HELPER_STARTING, /* itself: it is not confined as it should be */
    GVS_HELPER_WHERES,
};

struct gvs_helper_answer {
    char name[GVS_HELPER_NAME_MAX + 1]; /* as asked; "" is its first word, unasked: it has begun */
    uint32_t where;                     /* enum gvs_helper_where */
    int32_t error;                      /* errno, unless DONE */
    uint64_t dev, ino;                  /* of the namespace */
    uint64_t cookie;                    /* no other has had it since this boot; 0: not known */
};

/* The next answer, if it is there; the sockets are the caller's then, and -1 unless DONE to a name.
 * GVS_E_NOTFOUND: none yet. GVS_E_LOST: it has gone, or what came is no answer. */
int gvs_helper_answer(struct gvs_child *c, struct gvs_helper_answer *a,
                      struct gvs_kernel_sockets *sockets);

/* May a namespace be called so? One component of a path, in letters, digits and @ : + = . _ - */
bool gvs_helper_name_valid(const char *name);
