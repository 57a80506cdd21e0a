/* core/id.c: base32 (RFC 4648, section 6) in lower case, 5 bits a character from the top. */
#include "core/id.h"
#include "core/err.h"

#include <string.h>

static const char alphabet[32] = "abcdefghijklmnopqrstuvwxyz234567";

#define SPARE_BITS (GVS_ID_TEXT_LEN * 5 - GVS_ID_LEN * 8)
_Static_assert(SPARE_BITS >= 0 && SPARE_BITS < 5, "the shortest text that holds an id");

int
gvs_id_cmp(const struct gvs_id *a, const struct gvs_id *b)
{
    return memcmp(a->b, b->b, sizeof a->b);
}

bool
gvs_id_is_cluster(const struct gvs_id *id)
{
    return gvs_id_cmp(id, &GVS_ID_CLUSTER) == 0;
}

void
gvs_id_format(char text[static GVS_ID_TEXT_LEN + 1], const struct gvs_id *id)
{
    uint32_t acc = 0; /* the low `bits` bits are still to be written */
    unsigned bits = 0;
    size_t at = 0;

    for (size_t i = 0; i < GVS_ID_LEN; i++) {
        acc = acc << 8 | id->b[i];
        for (bits += 8; bits >= 5; bits -= 5)
            text[at++] = alphabet[acc >> (bits - 5) & 31];
    }
    text[at++] = alphabet[acc << SPARE_BITS & 31];
    GVS_ASSERT(at == GVS_ID_TEXT_LEN);
    text[at] = 0;
}

int
gvs_id_parse(struct gvs_id *id, const char *text, size_t len)
{
    struct gvs_id got = {{0}};
    uint32_t acc = 0; /* the low `bits` bits belong to the next byte */
    unsigned bits = 0;
    size_t at = 0;

    if (len != GVS_ID_TEXT_LEN)
        return GVS_E_MALFORMED;
    for (size_t i = 0; i < len; i++) {
        const char *p = memchr(alphabet, text[i], sizeof alphabet);

        if (p == NULL)
            return GVS_E_MALFORMED;
        acc = acc << 5 | (uint32_t)(p - alphabet);
        bits += 5;
        if (bits >= 8) {
            bits -= 8;
            got.b[at++] = (uint8_t)(acc >> bits);
        }
    }
    GVS_ASSERT(at == GVS_ID_LEN && bits == SPARE_BITS);
    if ((acc & ((1u << SPARE_BITS) - 1)) != 0)
        return GVS_E_MALFORMED; /* another spelling of the same id */
    *id = got;
    return GVS_OK;
}
