/* Entries, keys and values as members send them and as disks hold them: whatever parses is built
 * again to the same bytes; what is decoded is valid and is encoded to what decodes as the same. And
 * a chunk of a vector. */
#include "test/fuzz/fuzz.h"

#include "core/entry.h"
#include "core/err.h"
#include "core/value.h"
#include "core/vector.h"

static void
check_key(const uint8_t *b, size_t len)
{
    struct gvs_keybuf built;
    struct gvs_key key;

    if (gvs_key_parse(&key, b, len) != GVS_OK)
        return;
    gvs_key_build(&built, &key);
    must(built.len == len && memcmp(built.b, b, len) == 0);
}

static void
check_entry(const uint8_t *b, size_t len)
{
    uint8_t built[GVS_ENTRY_LEN_MAX];
    struct gvs_entry e;
    struct gvs_key key;

    if (gvs_entry_parse(&e, b, len) != GVS_OK)
        return;
    must(gvs_key_parse(&key, e.key, e.key_len) == GVS_OK);
    must(gvs_entry_build(built, &key, e.order, e.kind == GVS_KEY_MEMBER ? NULL : &e.writer,
                         e.tombstone, e.value, e.value_len) == len);
    must(memcmp(built, b, len) == 0);
    if (e.kind == GVS_KEY_MEMBER)
        must(gvs_member_order(gvs_member_incarnation(e.order), gvs_member_state(e.order)) ==
             e.order);
}

/* Unknown tags are left out when encoded, so the bytes may be fewer; the meaning is the same. */
#define CHECK_VALUE(what, type)                                \
    static void check_##what(const uint8_t *b, size_t len)     \
    {                                                          \
        struct type v, again;                                  \
        uint8_t out[GVS_VALUE_LEN_MAX];                        \
                                                               \
        memset(&v, 0, sizeof v);                               \
        memset(&again, 0, sizeof again);                       \
        if (gvs_##what##_decode(&v, b, len) != GVS_OK)         \
            return;                                            \
        must(gvs_value_valid(b, len));                         \
        len = gvs_##what##_encode(out, &v);                    \
        must(gvs_##what##_decode(&again, out, len) == GVS_OK); \
        must(gvs_##what##_encode(out, &again) == len);         \
    }
CHECK_VALUE(service, gvs_service)
CHECK_VALUE(backend, gvs_backend)
CHECK_VALUE(override, gvs_override)
CHECK_VALUE(trial, gvs_trial_value)

static void
check_undo(const uint8_t *b, size_t len)
{
    uint8_t out[GVS_VALUE_LEN_MAX];
    struct gvs_undo u, again;

    if (!gvs_undo_get(&u, b, len))
        return;
    must(gvs_value_valid(u.was, u.was_len));
    len = gvs_undo_add(out, 0, &u);
    must(len > 0 && gvs_undo_get(&again, out, len));
    must(again.trial == u.trial && again.deadline_ms == u.deadline_ms);
    must(again.gone == u.gone && again.force == u.force && again.had == u.had);
    must(again.was_len == u.was_len && memcmp(again.was, u.was, u.was_len) == 0);
}

static void
check_member(const uint8_t *b, size_t len)
{
    struct gvs_member_value v, again;
    uint8_t out[GVS_VALUE_LEN_MAX];

    if (gvs_member_decode(&v, b, len) != GVS_OK)
        return;
    must(gvs_member_value_valid(&v));
    len = gvs_member_encode(out, &v);
    must(gvs_member_decode(&again, out, len) == GVS_OK);
    must(gvs_ep_cmp(&v.ep, &again.ep) == 0 && v.boot == again.boot);
    must(strcmp(v.name, again.name) == 0 && strcmp(v.version, again.version) == 0);
}

static void
check_vector(const uint8_t *b, size_t len)
{
    _Alignas(16) uint8_t mem[4096];
    struct gvs_vector *v = gvs_vector_init(mem, GVS_VECTOR_WRITERS_MAX);
    uint8_t out[GVS_VECTOR_CHUNK_MAX];

    must(gvs_vector_footprint(GVS_VECTOR_WRITERS_MAX) <= sizeof mem);
    if (gvs_vector_read(v, b, len) < 0) {
        must(gvs_vector_count(v) == 0);
        return;
    }
    must(gvs_vector_write(v, 0, out, sizeof out) == len);
    must(len == 0 || memcmp(out, b, len) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *b, size_t len)
{
    bool force;

    check_entry(b, len);
    check_key(b, len);
    check_service(b, len);
    check_backend(b, len);
    check_override(b, len);
    check_trial(b, len);
    check_undo(b, len);
    check_member(b, len);
    if (gvs_tombstone_decode(&force, b, len) == GVS_OK)
        must(gvs_value_valid(b, len));
    check_vector(b, len);
    return 0;
}
