/* ipvs/nl_codec.h: the half of ipvs/nl.c that needs no kernel: requests from operations, items and
 * errors from answers. For ipvs/nl.c and its tests only. ipvs/nl_codec.c is
 * the only place that knows <linux/ip_vs.h>.
 *
 * Answers are bytes that somebody else chose. Whatever is in them, nothing here reads outside of
 * them, and what does not parse is GVS_E_LOST.
 */
#pragma once

#include "core/err.h"
#include "ipvs/nl.h"

#define GVS_NL_REQUEST_LEN_MAX 256

/* Writes count requests, numbered seq, seq + 1, ..., the last with NLM_F_ACK, and returns their
 * length; 0 if memory ran out. `out` holds count * GVS_NL_REQUEST_LEN_MAX bytes. */
size_t gvs_nl_encode(uint8_t *out, const struct gvs_op *ops, size_t count, uint16_t family,
                     uint32_t seq);

/* One request each, into GVS_NL_REQUEST_LEN_MAX bytes: for all services (svc NULL) or the
 * destinations of one; for the version; for the timeouts. Likewise. */
size_t gvs_nl_encode_dump(uint8_t *out, const struct gvs_svcid *svc, uint16_t family, uint32_t seq);
size_t gvs_nl_encode_info(uint8_t *out, uint16_t family, uint32_t seq);
size_t gvs_nl_encode_config(uint8_t *out, uint16_t family, uint32_t seq);

/* The answers to a batch. */
struct gvs_nl_answers {
    uint32_t seq; /* of the first request */
    size_t count;
    int *errors; /* zero at the start */
    bool done;   /* the last request has been answered */
};

/* Takes in one received datagram, aligned to 4. GVS_OK or GVS_E_LOST. */
int gvs_nl_answers(struct gvs_nl_answers *a, void *b, size_t len);

/* The answers to a dump. */
struct gvs_nl_dump {
    uint32_t seq;
    uint16_t family;             /* of generic netlink */
    const struct gvs_svcid *svc; /* whose destinations; NULL: services */
    gvs_nl_found_fn fn;          /* NULL once it wants no more */
    void *ctx;
    bool done;
    int error; /* the errno that ended it, or 0 */
};
int gvs_nl_dump(struct gvs_nl_dump *d, void *b, size_t len); /* likewise */

/* The answer to the question for the version: GVS_OK with *version, or with *error, an errno that
 * is not 0; or GVS_E_LOST. */
int gvs_nl_info(uint32_t *version, int *error, uint32_t seq, void *b, size_t len);
/* The same of that for the timeouts. */
int gvs_nl_config(struct gvs_timeouts *out, int *error, uint32_t seq, void *b, size_t len);
