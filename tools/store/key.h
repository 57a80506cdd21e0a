/* tools/store/key.h: this node's key, in the state directory but not in the store.
 *
 * DIR/node.key has 40 bytes: the key, and the first 8 of BLAKE2b-256 of it. LMDB would keep the key
 * in the map of its file, and copies of it wherever on the heap it changes a page.
 *
 *   I1  The file is this user's alone (0600), regular, with one name; else it is refused.
 *   I2  Whoever returns from gvs_store_key_write with GVS_OK has it on the disk.
 */
#pragma once

#include <stdint.h>

#include "net/crypto.h"
#include "tools/words/fault.h"

/* GVS_OK; GVS_E_NOTFOUND: there is none, or what is there has a wrong length or checksum, which
 * comes to the same: no other agent has ever had that key. Else GVS_E_SYS, with *fault filled. */
int gvs_store_key_read(uint8_t key[static GVS_KEY_SECRET_LEN], const char *dir,
                       struct gvs_fault *fault);

/* In the place of what is there. GVS_OK, or a negative number with *fault filled. */
int gvs_store_key_write(const uint8_t key[static GVS_KEY_SECRET_LEN], const char *dir,
                        struct gvs_fault *fault);
