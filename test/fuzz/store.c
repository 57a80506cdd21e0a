/* A damaged LMDB file: the input is changes to a sound one, of some records: place (4 bytes), count
 * (1), bytes; place 0xffffffff cuts the file to the length in the next four bytes. A file that is
 * found sound must be one that LMDB opens and reads without a step outside of it, and all of its
 * records must be sound (tools/store/file.h). */
#include "core/err.h"
#include "test/fuzz/scratch.h"
#include "tools/store/file.h"
#include "tools/store/lmdb.h"

#define RECORDS 200
#define CUT UINT32_MAX
#define KIND 2

struct image {
    uint8_t *b;
    size_t len;
};

static void
write_records(struct gvs_lmdb *f, unsigned first, unsigned count, bool del)
{
    struct gvs_put *puts[RECORDS] = {0};
    uint8_t big[6000];

    memset(big, 'x', sizeof big);
    must(count <= RECORDS);
    for (unsigned i = 0; i < count; i++) {
        uint8_t key[4] = {0, 0, (uint8_t)((first + i) >> 8), (uint8_t)(first + i)};
        size_t len = (first + i) % 50 == 7 ? sizeof big : (first + i) % 90;

        puts[i] = gvs_put_new(KIND, key, sizeof key, del ? NULL : big, del ? 0 : len);
        gvs_put_seal(puts[i]);
    }
    must(gvs_lmdb_commit(f, puts, count) == 0);
    for (unsigned i = 0; i < count; i++)
        free(puts[i]);
}

/* With a branch page, overflow pages and free ones. */
static void
make_image(struct image *image)
{
    struct gvs_lmdb f = {.map_len = 1 << 20};
    FILE *file;

    snprintf(f.path, sizeof f.path, "%s", scratch_path("sound.mdb"));
    must(gvs_lmdb_open(&f) == 0);
    write_records(&f, 0, RECORDS, false);
    write_records(&f, 30, 60, true);
    write_records(&f, 35, 5, false);
    gvs_lmdb_close(&f);
    file = fopen(f.path, "rb");
    image->b = malloc(1 << 20);
    must(file && image->b);
    image->len = fread(image->b, 1, 1 << 20, file);
    must(image->len > 4 * 4096 && image->len < 1 << 20);
    fclose(file);
}

static uint32_t
feed_32(struct feed *f)
{
    uint32_t high = feed_16(f);

    return high << 16 | feed_16(f);
}

static size_t
change(struct feed *f, uint8_t *b, size_t len)
{
    while (feed_left(f) > 0) {
        uint32_t at = feed_32(f);
        uint8_t count;

        if (at == CUT) {
            at = feed_32(f);
            return at < len ? at : len;
        }
        for (count = feed_byte(f); count > 0; count--, at++)
            b[at % len] ^= feed_byte(f);
    }
    return len;
}

static bool
look(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *val, size_t val_len)
{
    uint64_t *sum = ctx;

    for (size_t i = 0; i < key_len; i++)
        *sum += key[i];
    for (size_t i = 0; i < val_len; i++)
        *sum += val[i];
    return true;
}

/* What the agent does with a file that it may trust. */
static void
use(const char *path)
{
    struct gvs_lmdb f = {.map_len = 1 << 20};
    uint64_t sum = 0;
    int rc;

    snprintf(f.path, sizeof f.path, "%s", path);
    rc = gvs_lmdb_open(&f);
    must(rc == 0 || rc == GVS_LMDB_DAMAGED);
    if (rc != 0)
        return;
    must(gvs_lmdb_each(&f, KIND, look, &sum) == 0);
    write_records(&f, 20, 30, false);
    must(gvs_lmdb_each(&f, KIND, look, &sum) == 0);
    gvs_lmdb_close(&f);
    must(gvs_store_file_check(path) == GVS_STORE_FILE_SOUND);
}

int
LLVMFuzzerTestOneInput(const uint8_t *b, size_t len)
{
    static struct image image;
    const char *path = scratch_path("input.mdb");
    uint8_t *copy;
    struct feed f = {b, b + len};
    int rc;

    if (image.b == NULL)
        make_image(&image);
    copy = malloc(image.len);
    must(copy);
    memcpy(copy, image.b, image.len);
    scratch_write(path, copy, change(&f, copy, image.len));
    free(copy);
    rc = gvs_store_file_check(path);
    must(len > 0 || rc == GVS_STORE_FILE_SOUND);
    if (rc == GVS_STORE_FILE_SOUND)
        use(path);
    return 0;
}
