/* core/key.h: the name of an entry, in canonical bytes.
 *
 *     service    'S' svc 'A' owner            svc       proto(1) family(1) address(4|16) port(2)
 *     backend    'S' svc 'B' endpoint owner             or 0(1) family(1) mark(4)
 *     override   'S' svc 'O' endpoint         endpoint  family(1) address(4|16) port(2)
 *     member     'M' id                       owner     nothing for the cluster, else id(16)
 *     trial      'T' number(8)                never 0
 *
 * Numbers are big-endian. Keys ascend by memcmp, a prefix before what continues it; so everything
 * about a service lies together (claims on itself, then on its backends, then overrides), services
 * ascend by protocol, family, address, port, and of several claims the cluster's comes first.
 *
 *   I1  Two different things never have the same bytes, and parse accepts only what build writes.
 */
#pragma once

#include "core/addr.h"
#include "core/id.h"

#define GVS_KEY_LEN_MAX 57 /* 'S' 1, IPv6 service 20, 'B' 1, IPv6 endpoint 19, owner 16 */

enum gvs_key_kind {
    GVS_KEY_NONE = 0,
    GVS_KEY_SERVICE,
    GVS_KEY_BACKEND,
    GVS_KEY_OVERRIDE,
    GVS_KEY_MEMBER,
    GVS_KEY_TRIAL, /* core/trial.h */
};

struct gvs_key { /* the parts */
    enum gvs_key_kind kind;
    struct gvs_svcid svc; /* services, backends and overrides */
    struct gvs_ep ep;     /* backends and overrides */
    struct gvs_id owner;  /* the claimant, or the cluster; the member; zero for the others */
    uint64_t trial;       /* its number */
};

struct gvs_keybuf { /* the bytes */
    uint8_t len;
    uint8_t b[GVS_KEY_LEN_MAX];
};

/* The parts must be valid (asserted). */
void gvs_key_build(struct gvs_keybuf *out, const struct gvs_key *key);

/* GVS_E_MALFORMED unless all of `b` is one key: known kind, protocol and family, a mark or number
 * that is not 0, no v4-mapped address, an owner that is not all zero. *out is written on GVS_OK
 * only, and whole: parts that this kind has not are zero. */
int gvs_key_parse(struct gvs_key *out, const uint8_t *b, size_t len);

/* The shared prefix of all keys of one service. */
void gvs_key_prefix(struct gvs_keybuf *out, const struct gvs_svcid *svc);

/* memcmp over the shorter, then the shorter first. */
int gvs_key_cmp(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len);
