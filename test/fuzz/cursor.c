/* Whatever the cursor takes, msgpack-c reads as the same (net/cursor.h, I2), and writes as the same
 * bytes, since it knows the shortest forms only. */
#include "test/fuzz/fuzz.h"

#include <msgpack.h>

#include "net/cursor.h"

#define DEPTH 4

static void same_value(struct gvs_cursor *c, const msgpack_object *o);

static void
same_array(struct gvs_cursor *c, const msgpack_object *o)
{
    size_t count;

    must(gvs_cursor_array(c, &count) && count == o->via.array.size);
    for (size_t i = 0; i < count; i++)
        same_value(c, &o->via.array.ptr[i]);
}

static void
same_map(struct gvs_cursor *c, const msgpack_object *o)
{
    size_t count;
    int key = -1;

    must(gvs_cursor_map(c, &count) && count == o->via.map.size);
    for (size_t i = 0; i < count; i++) {
        int before = key;

        must(gvs_cursor_key(c, &key) && key > before);
        must(o->via.map.ptr[i].key.via.u64 == (uint64_t)key);
        same_value(c, &o->via.map.ptr[i].val);
    }
}

static void
same_value(struct gvs_cursor *c, const msgpack_object *o)
{
    const uint8_t *b;
    uint64_t v;
    size_t len;
    bool flag;

    switch (o->type) {
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        must(gvs_cursor_uint(c, &v) && v == o->via.u64);
        return;
    case MSGPACK_OBJECT_BOOLEAN:
        must(gvs_cursor_bool(c, &flag) && flag == o->via.boolean);
        return;
    case MSGPACK_OBJECT_BIN:
        must(gvs_cursor_bin(c, &b, &len) && len == o->via.bin.size);
        must(len == 0 || memcmp(b, o->via.bin.ptr, len) == 0);
        return;
    case MSGPACK_OBJECT_ARRAY:
        same_array(c, o);
        return;
    case MSGPACK_OBJECT_MAP:
        same_map(c, o);
        return;
    default:
        must(false); /* a type that the cursor does not take */
    }
}

static void
same_bytes(const msgpack_object *o, const uint8_t *b, size_t len)
{
    msgpack_sbuffer out;
    msgpack_packer packer;

    msgpack_sbuffer_init(&out);
    msgpack_packer_init(&packer, &out, msgpack_sbuffer_write);
    must(msgpack_pack_object(&packer, *o) == 0);
    must(out.size == len && memcmp(out.data, b, len) == 0);
    msgpack_sbuffer_destroy(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *b, size_t len)
{
    struct gvs_cursor c = gvs_cursor_init(b, len);
    msgpack_unpacked unpacked;
    size_t at = 0;

    if (!gvs_cursor_skip(&c, DEPTH) || !gvs_cursor_at_end(&c))
        return 0;
    msgpack_unpacked_init(&unpacked);
    must(msgpack_unpack_next(&unpacked, (const char *)b, len, &at) == MSGPACK_UNPACK_SUCCESS);
    must(at == len);
    c = gvs_cursor_init(b, len);
    same_value(&c, &unpacked.data);
    must(gvs_cursor_at_end(&c));
    same_bytes(&unpacked.data, b, len);
    msgpack_unpacked_destroy(&unpacked);
    return 0;
}
