/* tools/process/confine.h: what gossipvsd gives up, because an agent that is open needs little.
 *
 * Peers and local users feed this process bytes. Should one of them find a way in, he is to find
 * neither keys in a core file, nor a capability beyond CAP_NET_ADMIN, nor a way to start a program.
 * All of this holds for the whole process and cannot be taken back, so the library does none of it:
 * what its caller's process may do is the caller's business. The one that it forks
 * (tools/process/helper.h) is its own.
 *
 *   I1  After gvs_confine no thread holds a capability but CAP_NET_ADMIN and, as uid 0 alone,
 *       CAP_DAC_READ_SEARCH; ambient, inheritable and bounding set are within these.
 *   I2  No thread may gain any again (PR_SET_NO_NEW_PRIVS).
 *   I3  With a filter (libseccomp), a system call that no agent needs fails with ENOSYS, and one
 *       that no agent could ever mean ends the process.
 *
 * CAP_DAC_READ_SEARCH is kept as uid 0 because a reload reads gossipvs.conf and services.d, which
 * may belong to somebody else and be closed to others: root expects to read them. It writes
 * nothing. Whatever else needs more was done before: ports below 1024, the group of the control
 * socket, locked memory, files of another user's in the state directory.
 */
#pragma once

#include <stddef.h>

/* Before any key is read: no core files, and nobody of this uid looks into our memory. */
void gvs_confine_memory(void);

/* Once all is open, and before there is a second thread: capabilities belong to threads. `text`
 * tells what is left, or what could not be given up: then GVS_E_SYS, and the rest has been done. */
int gvs_confine(char *text, size_t cap);

/* The process that enters namespaces: CAP_SYS_ADMIN for that, CAP_NET_ADMIN for its sockets to be
 * good for anything; and I2, I3. GVS_E_SYS with errno: something could not be given up, and the
 * rest has been. */
int gvs_confine_helper(void);

/* The filters alone (tools/process/confine_calls.c): how many calls they let pass, 0 if this build
 * has none, or GVS_E_SYS. Need PR_SET_NO_NEW_PRIVS. */
int gvs_confine_calls(void);
int gvs_confine_helper_calls(void);
