/* tools/words/claims.h: services.d/NAME.conf, the claims of this node.
 *
 * A file is read whole or not at all: one that does not parse keeps its last good version in force
 * and is named in status. Files are taken in the order of their names; only names that end in .conf
 * and do not begin with a dot. A service that two files describe, or that one describes twice, is a
 * fault of the later one; what its last good version says about services of other files does not
 * count. The file goes, the claims go.
 *
 *   I1  No service is in two files, or twice in one; services and backends ascend.
 */
#pragma once

#include "core/value.h"
#include "tools/words/check.h"
#include "tools/words/fault.h"

#define GVS_CLAIMS_PATH_MAX 256

struct gvs_claim_backend {
    struct gvs_ep ep;
    struct gvs_backend attr;
    struct gvs_check *check; /* owned; NULL: none, as everywhere but in services.d */
    unsigned line;
};

struct gvs_claim_service {
    struct gvs_svcid id;
    struct gvs_service attr;
    bool unnamed; /* attr.name is made of the vip (words/describe.h); no file of services.d's */
    unsigned line;
    size_t backend_count;
    struct gvs_claim_backend *backends; /* owned by the file, ascending by endpoint */
};

struct gvs_claims_file {
    char name[GVS_CLAIMS_PATH_MAX]; /* "web.conf" */
    size_t service_count;
    struct gvs_claim_service *services; /* ascending by id */
    bool bad;               /* the file on disk does not parse: these are its last good claims */
    struct gvs_fault fault; /* why, if bad */
    /* What the file on disk looked like when it was read: unchanged, it is not read again. */
    long long mtime_ns;
    unsigned long long size, inode;
};

struct gvs_claims {
    size_t file_count;
    struct gvs_claims_file *files; /* ascending by name */
};

/* Reads the directory again. Files whose time, size and inode are as before are kept as they are,
 * bad ones too, unless another was read that they might clash with. Returns true if anything
 * changed (claims, or a file going bad or good, or why). A missing directory has no files; one that
 * cannot be read keeps everything and fills *fault (else fault->text is ""). Start with a zeroed
 * *c. */
bool gvs_claims_read(struct gvs_claims *c, const char *dir, struct gvs_fault *fault);
void gvs_claims_free(struct gvs_claims *c);

/* The same in three parts, for who cannot wait for what large files take to be parsed. */
struct gvs_claims_found {
    char *dir;
    struct gvs_fault fault; /* the directory could not be read; text "": it could */
    bool any;               /* something is not as it was: a file that is new, other, or gone */
    size_t file_count;
    struct gvs_claims_found_file {
        struct gvs_claims_file file;
        bool read; /* it is to be, or was; else it is as before */
    } * files;     /* ascending by name */
};

/* What is to be read of the directory. True: something is, by gvs_claims_parse. Either way *found
 * is to be taken. */
bool gvs_claims_look(struct gvs_claims_found *found, const struct gvs_claims *c, const char *dir);
/* Reads it, on whatever thread. Touches nothing but *found. */
void gvs_claims_parse(struct gvs_claims_found *found);
/* What was found counts from now on, and *found is freed. *c is still what it was looked at with.
 * Where `any` is false nothing moves in *c. Returns as gvs_claims_read does. */
bool gvs_claims_take(struct gvs_claims *c, struct gvs_claims_found *found, struct gvs_fault *fault);
void gvs_claims_found_free(struct gvs_claims_found *found); /* not taken after all */

/* The service of this id, with the name of its file in *file (may be NULL); NULL: none. */
const struct gvs_claim_service *gvs_claims_find(const struct gvs_claims *c,
                                                const struct gvs_svcid *id, const char **file);
const struct gvs_claim_backend *gvs_claims_find_backend(const struct gvs_claim_service *s,
                                                        const struct gvs_ep *ep);

/* The first check in a file, or the first that runs a command; NULL: none. */
const struct gvs_check *gvs_claims_first_check(const struct gvs_claims_file *f, bool exec);

/* How faults name a file of the directory: "services.d/web.conf". */
#define GVS_CLAIMS_LABEL_MAX 320
void gvs_claims_label(char label[static GVS_CLAIMS_LABEL_MAX], const char *dir, const char *name);

/* One file, for config check: GVS_OK, or a negative number with *fault and nothing to free. */
int gvs_claims_read_file(struct gvs_claims_file *out, const char *dir, const char *name,
                         struct gvs_fault *fault);
/* What a text in the language of these files says (tools/words/syntax.h, gvs_syntax_text). */
int gvs_claims_text(struct gvs_claims_file *out, const char *label, char *text, size_t len,
                    struct gvs_fault *fault);
void gvs_claims_file_free(struct gvs_claims_file *f);
void gvs_claims_drop_services(struct gvs_claims_file *f); /* and only these */
