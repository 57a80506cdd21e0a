/* tools/words/words.h: the words of the command line, and the sentences for those that are wrong.
 *
 * Each returns GVS_OK, or a negative number with *fault filled (exit 2) and nothing else changed.
 */
#pragma once

#include "core/err.h"
#include "core/value.h"
#include "tools/words/fault.h"

int gvs_words_vip(struct gvs_svcid *out, const char *text, struct gvs_fault *f);
int gvs_words_endpoint(struct gvs_ep *out, const char *text, struct gvs_fault *f);
int gvs_words_name(char name[static GVS_NAME_LEN_MAX + 1], const char *text, struct gvs_fault *f);

/* WORD VALUE pairs over what *s holds, each word at most once; then checks the service as a whole
 * (flags that go with scheduler and protocol, port 0 only with persistence). */
int gvs_words_service(struct gvs_service *s, const struct gvs_svcid *svc, const char *const *words,
                      size_t count, struct gvs_fault *f);
int gvs_words_backend(struct gvs_backend *b, const char *const *words, size_t count,
                      struct gvs_fault *f);

/* "fallback,port", as it is read; "" for none. */
#define GVS_WORDS_FLAGS_LEN 24
void gvs_words_flags(char text[static GVS_WORDS_FLAGS_LEN], uint32_t flags);

/* "ipip", "gre" or "gue:6080", as it is read. */
#define GVS_WORDS_TUNNEL_LEN 16
void gvs_words_tunnel(char text[static GVS_WORDS_TUNNEL_LEN], uint8_t tunnel, uint16_t port);

/* "scheduler wlc, not mh; persistent 0, not 300": what `have` says and `want` would. */
void gvs_words_difference(char *text, size_t cap, const struct gvs_service *have,
                          const struct gvs_service *want);
void gvs_words_backend_difference(char *text, size_t cap, const struct gvs_backend *have,
                                  const struct gvs_backend *want);
