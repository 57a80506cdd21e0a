/* core/id.h: who a node is.
 *
 * An id is the first 16 bytes of a hash of the node's static public key (net/crypto.h), so nobody
 * can claim one without the key. Its text is 26 lower-case base32 characters (RFC 4648 alphabet, no
 * padding; the last character carries 3 bits and must have its low 2 bits clear). All zero means
 * "the cluster": the owner of what an operator wrote, never a node.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GVS_ID_LEN 16
#define GVS_ID_TEXT_LEN 26

struct gvs_id {
    uint8_t b[GVS_ID_LEN];
};

#define GVS_ID_CLUSTER ((struct gvs_id){{0}})

int gvs_id_cmp(const struct gvs_id *a, const struct gvs_id *b); /* <0, 0, >0, as memcmp */
bool gvs_id_is_cluster(const struct gvs_id *id);

/* Writes the text and a final 0. */
void gvs_id_format(char text[static GVS_ID_TEXT_LEN + 1], const struct gvs_id *id);

/* The whole of `text` must be one canonical id, else GVS_E_MALFORMED and *id untouched. */
int gvs_id_parse(struct gvs_id *id, const char *text, size_t len);
