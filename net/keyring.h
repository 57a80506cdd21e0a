/* net/keyring.h: the cluster's keys, from the text of the keyring file.
 *
 *     BASE64-OF-32-BYTES primary|accept [# note]
 *
 * One key a line, one to four keys, all different, exactly one of them primary; blank lines and
 * lines that begin with # do not count. Parsing is all or nothing.
 */
#pragma once

#include "net/crypto.h"

#define GVS_KEYRING_MAX 4
#define GVS_KEYRING_NOTE_MAX 31

struct gvs_keyring {
    size_t count;
    size_t primary; /* index */
    struct gvs_keyring_key {
        uint8_t psk[GVS_KEY_SECRET_LEN];
        uint64_t id;                         /* of the psk, on the wire */
        char note[GVS_KEYRING_NOTE_MAX + 1]; /* printable ASCII; what is longer is cut off */
        uint8_t mac1[GVS_KEY_SECRET_LEN], cookie[GVS_KEY_SECRET_LEN]; /* its subkeys */
    } key[GVS_KEYRING_MAX];
};

struct gvs_keyring_fault {
    size_t line;   /* from 1; 0: the file as a whole */
    char text[96]; /* what is wrong, never a byte of a key */
};

/* GVS_E_MALFORMED with *fault filled and *out wiped. `text` need not end in a 0. */
int gvs_keyring_parse(struct gvs_keyring *out, const char *text, size_t len,
                      struct gvs_keyring_fault *fault);
void gvs_keyring_wipe(struct gvs_keyring *k);

/* Makes of a key's psk its id and its subkeys. */
void gvs_keyring_derive(struct gvs_keyring_key *key);

/* The key with this id, lent; NULL if the ring has none. */
const struct gvs_keyring_key *gvs_keyring_find(const struct gvs_keyring *k, uint64_t id);
