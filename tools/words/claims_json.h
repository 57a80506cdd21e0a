/* tools/words/claims_json.h: services as JSON, in the form that export has and apply takes
 * (docs/control.md, `vips`). Keys that are not known are skipped; null is as good as absent.
 */
#pragma once

#include <jansson.h>

#include "tools/words/describe.h"

/* One service. GVS_OK, or a negative number with *f. */
int gvs_claims_json_read(struct gvs_describe *d, const json_t *vip, unsigned line,
                         struct gvs_fault *f);

/* A service with the backends [from, from + count) of it; NULL: no memory. Without its name, if
 * that was made of the VIP. */
json_t *gvs_claims_json(const struct gvs_claim_service *s, size_t from, size_t count);
json_t *gvs_claims_json_backend(const struct gvs_claim_backend *b);

/* What a service says, as answers and files have it: the netmask's bits as IPv4's mask or, of IPv6,
 * as their number; flags as a list. */
void gvs_text_netmask(char text[static 16], const struct gvs_svcid *svc, uint8_t bits);
json_t *gvs_text_flags(uint32_t flags);
