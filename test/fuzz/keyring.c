/* The keyring's text: all or nothing, and no fault shows a byte of a key. */
#include "test/fuzz/fuzz.h"

#include "core/err.h"
#include "net/keyring.h"

static void
check_ring(const struct gvs_keyring *k)
{
    must(k->count >= 1 && k->count <= GVS_KEYRING_MAX && k->primary < k->count);
    for (size_t i = 0; i < k->count; i++) {
        must(gvs_keyring_find(k, k->key[i].id) == &k->key[i]);
        for (size_t j = 0; j < i; j++)
            must(memcmp(k->key[i].psk, k->key[j].psk, GVS_KEY_SECRET_LEN) != 0);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *b, size_t len)
{
    static const struct gvs_keyring wiped;
    struct gvs_keyring_fault fault;
    struct gvs_keyring k;

    if (gvs_keyring_parse(&k, (const char *)b, len, &fault) == GVS_OK) {
        check_ring(&k);
        gvs_keyring_wipe(&k);
    } else {
        must(strlen(fault.text) > 0);
    }
    must(memcmp(&k, &wiped, sizeof k) == 0);
    return 0;
}
