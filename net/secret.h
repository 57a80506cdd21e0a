/* net/secret.h: memory that keys live in.
 *
 *   I1  It is in no core file (MADV_DONTDUMP), and in no swap either (mlock) unless the process may
 *       not lock so much: then it is used all the same, and gvs_secret_locked says so.
 *   I2  Before and behind it lies a page that nobody may touch: what runs over an end faults.
 *   I3  A page that was never touched costs nothing: pages are locked as they come.
 *
 * For few and large pieces: each takes whole pages. Keys on the stack are wiped by whoever had them
 * there; keys belong into no other memory.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* `count` things of `size` bytes, zeroed; NULL if memory is short. */
void *gvs_secret_alloc(size_t count, size_t size);

/* Gives it back. Whoever put keys there has wiped them: only he knows how much of it was used. NULL
 * is allowed. */
void gvs_secret_free(void *p);

bool gvs_secret_locked(const void *p);
