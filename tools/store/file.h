/* tools/store/file.h: is this file one that LMDB may be trusted with?
 *
 * LMDB follows the numbers in its file wherever they lead: one flipped bit can make it read outside
 * its map, or write a page that is in use. So before it sees a file, this looks at every page that
 * LMDB would: page and node headers, bounds, order of keys, counters, the list of free pages, and
 * that no page serves twice. Values are not judged here; each carries a checksum
 * (tools/store/store.h).
 *
 * It must also be stamped: the value of its first record begins with the number of the transaction
 * that wrote it (8 bytes, big-endian). Without that, one flipped bit in the number of a meta page
 * would quietly bring back the state before the latest commit.
 *
 * The layout is that of data version 1, all releases 0.9. Another version or byte order is reported
 * as damaged; so would LMDB refuse it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gvs_store_file { GVS_STORE_FILE_NONE, GVS_STORE_FILE_SOUND, GVS_STORE_FILE_DAMAGED };

/* One of those, or GVS_E_SYS if the disk did not let us look. An empty file is NONE. */
int gvs_store_file_check(const char *path);
