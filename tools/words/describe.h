/* tools/words/describe.h: services as they are described, word by word, whatever describes them: a
 * file of services.d, JSON, lines of ipvsadm, keepalived.conf.
 *
 * Words of a service may come in any order, and its backends take `forward` from it; so a service
 * is gathered as text and judged when it ends. The words and the sentences about wrong ones are
 * those of the command line (tools/words/words.h): first each value for itself, which tells its
 * line, then all of a service or backend together.
 *
 * Calls nest: service, its vip and words, backend, its words, check, the words of that, check_end,
 * backend_end, service_end. Each that
 * has a fault returns a negative number with it, told as LABEL:LINE; the whole is void then, and
 * waits for gvs_describe_end.
 *
 *   I1  What comes out ascends, says nothing twice, and is what a table can hold.
 */
#pragma once

#include "tools/words/claims.h"

#define GVS_DESCRIBE_WORDS_MAX 5 /* of a service, or of a backend */

/* Words and values as they were met, word[2 * i + 1] being an own copy. */
struct gvs_describe_words {
    const char *word[2 * GVS_DESCRIBE_WORDS_MAX];
    unsigned line[GVS_DESCRIBE_WORDS_MAX];
    size_t count;
};

struct gvs_describe_backend {
    struct gvs_ep ep;
    unsigned line;
    struct gvs_describe_words words;
    struct gvs_check *check; /* owned; NULL: none */
};

struct gvs_describe {
    const char *label;            /* NULL: faults name no place */
    struct gvs_claims_file *file; /* what has ended */
    size_t service_cap;
    /* The service that is open. */
    char name[GVS_NAME_LEN_MAX + 1]; /* "": as its vip says */
    unsigned line, vip_line;         /* vip_line 0: none yet */
    struct gvs_svcid id;
    struct gvs_describe_words words;
    struct gvs_describe_backend *backends;
    size_t backend_count, backend_cap;
    bool in_backend;
};

/* Into *file, whose services it is to fill; label and file are borrowed. */
void gvs_describe_begin(struct gvs_describe *d, const char *label, struct gvs_claims_file *file);

/* name NULL: one made of its vip (gvs_describe_name). */
int gvs_describe_service(struct gvs_describe *d, const char *name, unsigned line,
                         struct gvs_fault *f);
int gvs_describe_vip(struct gvs_describe *d, const char *text, unsigned line, struct gvs_fault *f);
/* A word of the open backend, else of the service. `word` outlives the description. */
int gvs_describe_word(struct gvs_describe *d, const char *word, const char *text, unsigned line,
                      struct gvs_fault *f);
int gvs_describe_backend(struct gvs_describe *d, const char *text, unsigned line,
                         struct gvs_fault *f);
/* The check of the open backend; at most one, and only where there is somebody to run it. */
void gvs_describe_check(struct gvs_describe *d, unsigned line);
int gvs_describe_check_word(struct gvs_describe *d, const char *word, const char *text,
                            unsigned line, struct gvs_fault *f);
int gvs_describe_check_end(struct gvs_describe *d, struct gvs_fault *f);
void gvs_describe_backend_end(struct gvs_describe *d);
int gvs_describe_service_end(struct gvs_describe *d, struct gvs_fault *f);

/* Frees what was gathered. rc: of the description so far; what it returns is the whole's, and if
 * that is negative the file has no services. */
int gvs_describe_end(struct gvs_describe *d, int rc, struct gvs_fault *f);

/* The name of a service that nobody gave one: "tcp-10.99.0.1-80", "udp-fd00-99--1-53", "fwmark-5",
 * "fwmark-5-v6". The same VIP has always the same, two have never. */
void gvs_describe_name(char name[static GVS_NAME_LEN_MAX + 1], const struct gvs_svcid *id);

/* "LABEL:LINE: WHAT", or WHAT where there is no label. */
int gvs_describe_refuse(const struct gvs_describe *d, unsigned line, struct gvs_fault *f,
                        const char *fmt, ...) __attribute__((format(printf, 4, 5)));
