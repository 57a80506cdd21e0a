/* tools/cli/import.h: services in the words of other programs. Each gives what a file of services.d
 * with the same services would (tools/words/describe.h), names made of the VIPs; or a negative
 * number with one fault, as LABEL:LINE, and nothing. The text, `len` bytes and one to spare, is
 * changed; `label` is the file's name.
 */
#pragma once

#include "tools/words/claims.h"

/* Lines of `ipvsadm -Sn` (ipvsadm-save -n), and of people: long options, defaults left out, the
 * name of the program before them. Whatever has no counterpart is a fault: it would be taken for
 * less than it is. The agent's own anchors are passed over. */
int gvs_import_ipvsadm(struct gvs_claims_file *out, const char *label, char *text, size_t len,
                       struct gvs_fault *f);

/* keepalived.conf: virtual_server, and virtual_server_group of single addresses. Whatever else
 * there is (checks, sorry servers, vrrp_instance) is left out, each told by `warn` with its line.
 */
typedef void (*gvs_import_warn_fn)(void *ctx, const char *what);
int gvs_import_keepalived(struct gvs_claims_file *out, const char *label, char *text, size_t len,
                          gvs_import_warn_fn warn, void *ctx, struct gvs_fault *f);
