/* tools/cli/import.c: import. What another program says is described here; from then on it is what
 * apply does with a file. */
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "tools/cli/cli.h"
#include "tools/cli/import.h"

static void
warn(void *ctx, const char *what)
{
    gvs_cli_say(ctx, what);
}

/* The word that is no option of a change and no value of one. */
static const char *
take_path(struct gvs_cli *c)
{
    for (size_t i = 0; i < c->count; i++) {
        const char *word = c->words[i];

        if (strcmp(word, "--peers") == 0 || strcmp(word, "--if-stamp") == 0) {
            i++;
            continue;
        }
        if (word[0] == '-' && word[1])
            continue;
        c->count--;
        memmove(&c->words[i], &c->words[i + 1], (c->count - i) * sizeof *c->words);
        return word;
    }
    return NULL;
}

static int
read_claims(struct gvs_cli *c, const char *form, const char *path, struct gvs_claims_file *file,
            struct gvs_fault *f)
{
    const char *label;
    size_t len;
    char *text = gvs_cli_read_text(path, &label, &len, f);
    int rc;

    if (!text)
        return GVS_E_SYS;
    if (strcmp(form, "ipvsadm") == 0)
        rc = gvs_import_ipvsadm(file, label, text, len, f);
    else
        rc = gvs_import_keepalived(file, label, text, len, warn, c, f);
    free(text);
    return rc;
}

int
gvs_cli_import(struct gvs_cli *c)
{
    const char *form, *path;
    struct gvs_claims_file file = {.services = NULL};
    struct gvs_claims claims = {1, &file};
    struct gvs_fault f;
    json_t *doc;
    int rc;

    (void)gvs_cli_take(c, "--from", &form);
    path = take_path(c);
    if (!form || !path || (strcmp(form, "ipvsadm") != 0 && strcmp(form, "keepalived") != 0))
        return gvs_cli_usage(c, "import --from ipvsadm FILE, or --from keepalived FILE");
    if (read_claims(c, form, path, &file, &f) < 0)
        return gvs_cli_fail(c, &f);
    rc = gvs_cli_send_claims(c, &claims, strcmp(path, "-") == 0 ? "stdin" : path, "apply", &doc);
    gvs_cli_say_changed(c, doc);
    json_decref(doc);
    gvs_claims_drop_services(&file);
    return rc;
}
