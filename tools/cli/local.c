/* tools/cli/local.c: the commands that need no agent: keys generate, config check, version. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/crypto.h"
#include "net/keyring.h"
#include "tools/cli/cli.h"
#include "tools/words/claims.h"
#include "tools/words/config.h"

#define CONFIG_DEFAULT "/etc/gossipvs/gossipvs.conf"

/* A key must not pass through a file that others can read, not even for a moment. */
static int
close_file(struct gvs_fault *f)
{
    struct stat st;

    if (fstat(STDOUT_FILENO, &st) != 0 || !S_ISREG(st.st_mode) || !(st.st_mode & 077))
        return GVS_OK;
    if (fchmod(STDOUT_FILENO, 0600) == 0)
        return 1;
    return gvs_fault_set(f, GVS_EXIT_NO, "others could read this file (%04o), and it stays so: %s",
                         st.st_mode & 07777, strerror(errno));
}

int
gvs_cli_keys_generate(struct gvs_cli *c)
{
    uint8_t key[GVS_KEY_SECRET_LEN];
    struct gvs_fault f;
    char text[45];
    int rc;

    rc = close_file(&f);
    if (rc < 0 || gvs_crypto_init() < 0)
        return gvs_cli_fail(c, &f);
    if (rc > 0)
        gvs_cli_say(c, "the file was readable by others: now 0600 (umask 077 makes it so at once)");
    if (isatty(STDOUT_FILENO))
        gvs_cli_say(c,
                    "this is a secret, and now on your screen: gossipvs keys generate > keyring");
    gvs_crypto_random(NULL, key, sizeof key);
    gvs_crypto_key_format(text, key);
    if (c->json)
        gvs_cli_print(
            json_pack("{s:s, s:s, s:s}", "schema", GVS_CLI_SCHEMA, "key", text, "role", "primary"));
    else
        printf("%s primary\n", text);
    gvs_crypto_wipe(key, sizeof key);
    gvs_crypto_wipe(text, sizeof text);
    return GVS_EXIT_OK;
}

struct tally {
    json_t *files;
    size_t vips, backends;
};

/* The fault has the line, of a file without its directory. */
static int
fail_in(const struct gvs_cli *c, const char *path, const struct gvs_fault *fault)
{
    struct gvs_fault f = *fault;

    if (f.exit == GVS_EXIT_USAGE && !f.hint[0] && !strstr(f.text, path))
        gvs_fault_hint(&f, "edit %s", path);
    return gvs_cli_fail(c, &f);
}

/* Only a file that is read in full counts; the others' faults are printed. */
static int
tally_claims(const struct gvs_cli *c, struct tally *t, const char *dir,
             const struct gvs_claims *claims)
{
    const char *slash = strrchr(dir, '/');
    char path[PATH_MAX];
    int rc = GVS_EXIT_OK;

    for (size_t i = 0; i < claims->file_count; i++) {
        const struct gvs_claims_file *file = &claims->files[i];

        snprintf(path, sizeof path, "%s/%s", dir, file->name);
        if (file->bad) {
            rc = fail_in(c, path, &file->fault);
            continue;
        }
        json_array_append_new(
            t->files, json_sprintf("%s/%s", slash && slash[1] ? slash + 1 : dir, file->name));
        t->vips += file->service_count;
        for (size_t j = 0; j < file->service_count; j++)
            t->backends += file->services[j].backend_count;
    }
    return rc;
}

static void
print_tally(const struct gvs_cli *c, const struct tally *t, const struct gvs_config *cfg)
{
    char where[2 * GVS_CONFIG_PATH_MAX + 16];
    const json_t *file;
    size_t i;

    if (c->json) {
        gvs_cli_print(json_pack("{s:s, s:s, s:s, s:s, s:O, s:I, s:I}", "schema", GVS_CLI_SCHEMA,
                                "result", "ok", "file", cfg->path, "services", cfg->services,
                                "files", t->files, "vips", (json_int_t)t->vips, "backends",
                                (json_int_t)t->backends));
        return;
    }
    printf("ok: ");
    json_array_foreach(t->files, i, file) printf("%s%s", i ? ", " : "", json_string_value(file));
    printf(" (%zu VIP%s, %zu backend%s)\n", t->vips, t->vips == 1 ? "" : "s", t->backends,
           t->backends == 1 ? "" : "s");
    snprintf(where, sizeof where, "checked %s%s%s", cfg->path, cfg->services[0] ? " and " : "",
             cfg->services);
    gvs_cli_say(c, where);
}

static int
check_claims(const struct gvs_cli *c, const struct gvs_config *cfg)
{
    struct tally t = {.files = json_array()};
    struct gvs_claims claims = {0};
    struct gvs_fault f;
    int rc;

    json_array_append_new(t.files, json_string(basename(cfg->path)));
    gvs_claims_read(&claims, cfg->services, &f);
    rc = f.text[0] ? gvs_cli_fail(c, &f) : tally_claims(c, &t, cfg->services, &claims);
    if (rc == GVS_EXIT_OK)
        print_tally(c, &t, cfg);
    gvs_claims_free(&claims);
    json_decref(t.files);
    return rc;
}

/* As gossipvsd --check: whatever would keep the agent from starting, or a file from counting. */
int
gvs_cli_config_check(struct gvs_cli *c)
{
    const char *path = c->count ? c->words[0] : CONFIG_DEFAULT;
    struct gvs_config *cfg = malloc(sizeof *cfg);
    struct gvs_keyring ring;
    struct gvs_fault f;
    int rc;

    gvs_fault_set(&f, GVS_EXIT_NO, "out of memory");
    if (!cfg || gvs_crypto_init() < 0 || gvs_config_read(cfg, path, &f) < 0)
        rc = fail_in(c, path, &f);
    else if (gvs_config_keyring(&ring, cfg->keyring, &f) < 0)
        rc = fail_in(c, cfg->keyring, &f);
    else
        rc = check_claims(c, cfg);
    gvs_crypto_wipe(&ring, sizeof ring);
    free(cfg);
    return rc;
}

int
gvs_cli_version(struct gvs_cli *c)
{
    if (c->json)
        gvs_cli_print(json_pack("{s:s, s:s}", "schema", GVS_CLI_SCHEMA, "version", GVS_VERSION));
    else
        printf("gossipvs %s\n", GVS_VERSION);
    return GVS_EXIT_OK;
}
