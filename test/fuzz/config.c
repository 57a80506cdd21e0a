/* gossipvs.conf, and the same bytes as a file of services.d: all or nothing, one printable sentence
 * for what is wrong. */
#include "tools/words/config.h"
#include "net/keyring.h"
#include "test/fuzz/scratch.h"
#include "tools/words/claims.h"

static void
check_fault(const struct gvs_fault *f)
{
    must(f->text[0] != '\0');
    for (const char *s = f->text; *s; s++)
        must(*s >= ' ' && *s <= '~');
    for (const char *s = f->hint; *s; s++)
        must(*s >= ' ' && *s <= '~');
}

static void
check_claims(const struct gvs_claims_file *file)
{
    for (size_t i = 0; i < file->service_count; i++) {
        const struct gvs_claim_service *s = &file->services[i];

        must(gvs_service_valid(&s->attr) && gvs_svcid_valid(&s->id));
        if (i > 0)
            must(gvs_svcid_cmp(&s[-1].id, &s->id) < 0);
        for (size_t k = 0; k < s->backend_count; k++) {
            must(gvs_backend_valid(&s->backends[k].attr));
            if (k > 0)
                must(gvs_ep_cmp(&s->backends[k - 1].ep, &s->backends[k].ep) < 0);
        }
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *b, size_t len)
{
    const char *path = scratch_path("input.conf");
    struct gvs_claims_file file;
    struct gvs_keyring ring;
    struct gvs_config cfg;
    struct gvs_fault fault;

    scratch_write(path, b, len);
    if (gvs_config_read(&cfg, path, &fault) < 0)
        check_fault(&fault);
    else
        must(cfg.peer_count <= GVS_CONFIG_PEERS_MAX && gvs_name_valid(cfg.name, strlen(cfg.name)));
    if (gvs_claims_read_file(&file, scratch_get()->dir, "input.conf", &fault) < 0) {
        check_fault(&fault);
    } else {
        check_claims(&file);
        gvs_claims_file_free(&file);
    }
    must(chmod(path, 0600) == 0);
    if (gvs_config_keyring(&ring, path, &fault) < 0)
        check_fault(&fault);
    gvs_keyring_wipe(&ring);
    return 0;
}
