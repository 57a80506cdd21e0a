#include "tools/store/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/err.h"
#include "net/crypto.h"
#include "test/lib/prng.h"
#include "test/tools/store_bench.h"

static size_t
read_whole(const char *name, uint8_t **bytes)
{
    FILE *f = fopen(file(name), "r");
    struct stat st;

    assert_non_null(f);
    assert_int_equal(fstat(fileno(f), &st), 0);
    *bytes = malloc((size_t)st.st_size + 1);
    assert_int_equal(fread(*bytes, 1, (size_t)st.st_size, f), (size_t)st.st_size);
    fclose(f);
    return (size_t)st.st_size;
}

static void
write_whole(const char *name, const uint8_t *bytes, size_t len)
{
    FILE *f = fopen(file(name), "w");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static void
remove_aside(void)
{
    char command[160];

    snprintf(command, sizeof command, "rm -f %s/*.damaged-*", dir);
    assert_int_equal(system(command), 0);
}

/* A store with history: deletions, free pages, a value of several pages, three rounds. */
static void
fill(struct model *m)
{
    struct gvs_prng prng = gvs_prng_init(7);
    uint8_t big[9000];
    struct bench b;

    memset(m, 0, sizeof *m);
    gvs_prng_fill(&prng, big, sizeof big);
    for (int round = 0; round < 3; round++) {
        must_open(&b);
        gvs_store_put(b.store, GVS_BUCKET_META, "floor", 5, "thirty-two bytes that are a value",
                      32);
        gvs_store_put(b.store, GVS_BUCKET_META, "vector", 6, big, sizeof big);
        for (int i = 0; i < 1500; i++) {
            put_random(&b, m, &prng);
            if (i % 100 == 0)
                assert_int_equal(sync_bench(&b), 0);
        }
        close_bench(&b);
    }
}

/* Edits that no checksum of a record would see, by what they do to the structure. */

enum { PAGE = 4096, META_FREE_ROOT = 16 + 24 + 40, META_MAIN_ROOT = META_FREE_ROOT + 48 };

static uint64_t
get_number(const uint8_t *b)
{
    uint64_t v;

    memcpy(&v, b, sizeof v);
    return v;
}

static uint16_t
get_short(const uint8_t *b)
{
    uint16_t v;

    memcpy(&v, b, sizeof v);
    return v;
}

static void
add_short(uint8_t *b, int n)
{
    uint16_t v = (uint16_t)(get_short(b) + n);

    memcpy(b, &v, sizeof v);
}

/* The meta page in force. */
static uint8_t *
newest(uint8_t *file_bytes)
{
    return file_bytes +
           (get_number(file_bytes + 144) > get_number(file_bytes + PAGE + 144) ? 0 : PAGE);
}

static uint8_t *
root_of(uint8_t *file_bytes, size_t which)
{
    return file_bytes + PAGE * get_number(newest(file_bytes) + which);
}

/* The leaf page in which a tree begins. */
static uint8_t *
first_leaf(uint8_t *file_bytes, size_t which)
{
    uint8_t *page = root_of(file_bytes, which);

    while (get_short(page + 10) == 1) { /* a branch: lo and hi of its first node */
        const uint8_t *node = page + get_short(page + 16);

        page = file_bytes + PAGE * (get_short(node) | (size_t)get_short(node + 2) << 16);
    }
    return page;
}

static void
use_a_free_page_twice(uint8_t *file_bytes)
{
    uint8_t *leaf = first_leaf(file_bytes, META_FREE_ROOT), *node = leaf + get_short(leaf + 16);
    uint64_t used = get_number(newest(file_bytes) + META_MAIN_ROOT);

    assert_true(get_number(node + 8 + 8) > 0); /* it lists some */
    memcpy(node + 8 + 8 + 8, &used, sizeof used);
}

static void
list_a_free_page_twice(uint8_t *file_bytes)
{
    uint8_t *leaf = first_leaf(file_bytes, META_FREE_ROOT), *node = leaf + get_short(leaf + 16);

    assert_true(get_number(node + 8 + 8) > 1);
    memcpy(node + 8 + 8 + 8, node + 8 + 8 + 16, 8);
}

static void
list_a_page_outside(uint8_t *file_bytes)
{
    uint8_t *leaf = first_leaf(file_bytes, META_FREE_ROOT), *node = leaf + get_short(leaf + 16);

    memset(node + 8 + 8 + 8, 0x7f, 8);
}

static void
swap_two_records(uint8_t *file_bytes)
{
    uint8_t *leaf = first_leaf(file_bytes, META_MAIN_ROOT), two[2];

    memcpy(two, leaf + 16 + 4, 2);
    memcpy(leaf + 16 + 4, leaf + 16 + 6, 2);
    memcpy(leaf + 16 + 6, two, 2);
}

static void
show_a_record_twice(uint8_t *file_bytes)
{
    uint8_t *leaf = first_leaf(file_bytes, META_MAIN_ROOT);

    memcpy(leaf + 16 + 4, leaf + 16 + 6, 2);
}

static void
move_the_upper_bound(uint8_t *file_bytes)
{
    add_short(first_leaf(file_bytes, META_MAIN_ROOT) + 14, -2);
}

static void
forget_the_last_record_of_a_page(uint8_t *file_bytes)
{
    add_short(first_leaf(file_bytes, META_MAIN_ROOT) + 12, -2);
}

static void
swap_two_children(uint8_t *file_bytes)
{
    uint8_t *root = root_of(file_bytes, META_MAIN_ROOT), two[4];
    uint8_t *a = root + get_short(root + 16 + 2), *b = root + get_short(root + 16 + 4);

    assert_int_equal(get_short(root + 10), 1);
    memcpy(two, a, 4);
    memcpy(a, b, 4);
    memcpy(b, two, 4);
}

static void
point_two_children_at_one_page(uint8_t *file_bytes)
{
    uint8_t *root = root_of(file_bytes, META_MAIN_ROOT);

    memcpy(root + get_short(root + 16 + 2), root + get_short(root + 16 + 4), 4);
}

static void
make_a_loop(uint8_t *file_bytes)
{
    uint8_t *root = root_of(file_bytes, META_MAIN_ROOT);
    uint32_t itself = (uint32_t)get_number(newest(file_bytes) + META_MAIN_ROOT);

    memcpy(root + get_short(root + 16 + 2), &itself, 4);
}

static void
change_a_separator(uint8_t *file_bytes)
{
    uint8_t *root = root_of(file_bytes, META_MAIN_ROOT);

    root[get_short(root + 16 + 2) + 8] = 0xff; /* its first byte: above all keys behind it */
}

static void
count_a_record_more(uint8_t *file_bytes)
{
    newest(file_bytes)[META_MAIN_ROOT - 8]++;
}

static void
allow_duplicates(uint8_t *file_bytes)
{
    newest(file_bytes)[META_MAIN_ROOT - 40 + 4] |= 4; /* MDB_DUPSORT */
}

static void
nothing(uint8_t *file_bytes)
{
    (void)file_bytes;
}

static void
test_a_structure_that_lmdb_could_not_have_written_is_damage(void **state)
{
    static const struct {
        const char *why;
        void (*edit)(uint8_t *file_bytes);
        int want;
    } rows[] = {
        {"nothing", nothing, GVS_STORE_FILE_SOUND},
        {"a page in use is listed as free", use_a_free_page_twice, GVS_STORE_FILE_DAMAGED},
        {"a page is free twice", list_a_free_page_twice, GVS_STORE_FILE_DAMAGED},
        {"a free page outside the file", list_a_page_outside, GVS_STORE_FILE_DAMAGED},
        {"two records in the wrong order", swap_two_records, GVS_STORE_FILE_DAMAGED},
        {"a record twice in a page", show_a_record_twice, GVS_STORE_FILE_DAMAGED},
        {"a bound that would be written over", move_the_upper_bound, GVS_STORE_FILE_DAMAGED},
        {"a record that is no longer listed", forget_the_last_record_of_a_page,
         GVS_STORE_FILE_DAMAGED},
        {"two children in the wrong order", swap_two_children, GVS_STORE_FILE_DAMAGED},
        {"two ways to one page", point_two_children_at_one_page, GVS_STORE_FILE_DAMAGED},
        {"a tree that contains itself", make_a_loop, GVS_STORE_FILE_DAMAGED},
        {"a separator that misleads", change_a_separator, GVS_STORE_FILE_DAMAGED},
        {"a count that is not so", count_a_record_more, GVS_STORE_FILE_DAMAGED},
        {"flags of another kind of tree", allow_duplicates, GVS_STORE_FILE_DAMAGED},
    };
    struct model *m = malloc(sizeof *m);
    uint8_t *good, *bytes;
    size_t len;

    (void)state;
    fill(m);
    len = read_whole("data.mdb", &good);
    bytes = malloc(len);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("%s\n", rows[i].why);
        memcpy(bytes, good, len);
        rows[i].edit(bytes);
        write_whole("data.mdb", bytes, len);
        assert_int_equal(gvs_store_file_check(file("data.mdb")), rows[i].want);
    }
    free(bytes);
    free(good);
    free(m);
}

static void
test_what_is_no_file_is_not_judged(void **state)
{
    (void)state;
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(gvs_store_file_check(file("none")), GVS_STORE_FILE_NONE);
    assert_int_equal(gvs_store_file_check(dir), GVS_E_SYS);
    assert_int_equal(errno, EISDIR);
    assert_int_equal(mkfifo(file("fifo"), 0600), 0);
    assert_int_equal(gvs_store_file_check(file("fifo")), GVS_E_SYS); /* and waits for no writer */
    assert_int_equal(errno, EINVAL);
    write_whole("empty", (const uint8_t *)"", 0);
    assert_int_equal(gvs_store_file_check(file("empty")), GVS_STORE_FILE_NONE);
}

/* What a store that was damaged holds: everything, or nothing. */
static bool
same_or_set_aside(struct bench *b, const struct model *m)
{
    static uint8_t val[10000];
    struct model *empty = calloc(1, sizeof *empty);
    bool ok = true;
    int len;

    for (unsigned bucket = 0; bucket < 2; bucket++)
        ok = ok && same_bucket(b, b->set_aside ? empty : m, bucket);
    len = gvs_store_get(b->store, GVS_BUCKET_META, "floor", 5, val, sizeof val);
    ok = ok && len == (b->set_aside ? GVS_E_NOTFOUND : 32);
    ok = ok && (len < 0 || memcmp(val, "thirty-two bytes that are a value", 32) == 0);
    len = gvs_store_get(b->store, GVS_BUCKET_META, "vector", 6, val, sizeof val);
    ok = ok && len == (b->set_aside ? GVS_E_NOTFOUND : 9000);
    ok = ok && count_files("data.mdb.damaged-*") == b->set_aside;
    free(empty);
    return ok;
}

struct damage {
    size_t same, aside;
};

static void
damage_one(const uint8_t *good, size_t len, size_t where, uint8_t mask, const struct model *m,
           struct damage *d)
{
    uint8_t *bytes = malloc(len);
    struct bench b;

    memcpy(bytes, good, len);
    bytes[where] ^= mask;
    write_whole("data.mdb", bytes, len);
    free(bytes);
    must_open(&b);
    if (!same_or_set_aside(&b, m))
        fail_msg("byte %zu ^ %02x: wrong content", where, mask);
    d->same += !b.set_aside;
    d->aside += b.set_aside;
    /* And it takes writes: nothing that is wrong with it waits for the first. */
    for (uint32_t i = 0; i < 50; i++)
        gvs_store_put(b.store, GVS_BUCKET_ENTRY, &i, sizeof i, good + i, 60);
    assert_int_equal(sync_bench(&b), 0);
    close_bench(&b);
    must_open(&b);
    assert_false(b.set_aside);
    close_bench(&b);
    remove_aside();
}

static void
test_t20_a_damaged_byte_is_found_or_harmless(void **state)
{
    struct model *m = malloc(sizeof *m);
    struct damage d = {0};
    uint8_t *good;
    size_t len;

    (void)state;
    fill(m);
    len = read_whole("data.mdb", &good);
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 200); seed++) {
        struct gvs_prng prng = gvs_prng_init(seed);
        size_t where = gvs_prng_below(&prng, (uint32_t)len);

        /* Half of them in the first bytes of pages, where the structure is. */
        if (seed % 2 == 0)
            where = where / 4096 * 4096 + where % 200;
        damage_one(good, len, where, (uint8_t)(1u << gvs_prng_below(&prng, 8)), m, &d);
    }
    print_message("%zu bytes: %zu times harmless, %zu times set aside\n", len, d.same, d.aside);
    if (d.aside + d.same >= 200) /* the share is of all of them: 49 were found */
        assert_true(10 * d.aside > d.aside + d.same);
    free(good);
    free(m);
}

/* A wrong bit in either meta page can make the state before the last commit look like the latest.
 */
static void
test_a_damaged_meta_page_never_brings_the_past_back(void **state)
{
    struct model *m = malloc(sizeof *m);
    struct damage d = {0};
    uint8_t *good;
    size_t len;

    (void)state;
    fill(m);
    for (int turn = 0; turn < 2; turn++) { /* the newer one is now the one, now the other */
        struct gvs_prng prng = gvs_prng_init((uint64_t)turn);
        struct bench b;

        must_open(&b);
        put_random(&b, m, &prng);
        gvs_store_put(b.store, GVS_BUCKET_ENTRY, "1", 1, NULL, 0);
        close_bench(&b);
        m->at[GVS_BUCKET_ENTRY][1].there = false;
        len = read_whole("data.mdb", &good);
        for (size_t page = 0; page < 2; page++) {
            for (size_t at = 16 + 128; at < 16 + 136; at++) {
                for (unsigned bit = 0; bit < 8; bit++)
                    damage_one(good, len, page * 4096 + at, (uint8_t)(1u << bit), m, &d);
            }
        }
        write_whole("data.mdb", good, len);
        free(good);
    }
    assert_int_equal(d.same, 0); /* these are the transaction numbers: all of them matter */
    free(m);
}

static void
test_a_file_cut_short_is_set_aside(void **state)
{
    struct model *m = malloc(sizeof *m);
    uint8_t *good;
    size_t len;

    (void)state;
    fill(m);
    len = read_whole("data.mdb", &good);
    for (size_t cut = 1; cut < len; cut += len / 37 + 1) {
        struct bench b;

        write_whole("data.mdb", good, len - cut);
        must_open(&b);
        assert_true(same_or_set_aside(&b, m));
        close_bench(&b);
        remove_aside();
    }
    free(good);
    free(m);
}

static void
test_any_other_file_is_set_aside(void **state)
{
    struct gvs_prng prng = gvs_prng_init(1);
    struct model *m = calloc(1, sizeof *m);
    uint8_t bytes[20000];
    struct bench b;

    (void)state;
    for (int i = 0; i < 3; i++) {
        memset(bytes, 0, sizeof bytes);
        if (i == 1)
            gvs_prng_fill(&prng, bytes, sizeof bytes);
        must_open(&b);
        close_bench(&b);
        write_whole("data.mdb", bytes, i == 2 ? 1 : sizeof bytes);
        write_whole("ledger.mdb", bytes, sizeof bytes);
        must_open(&b);
        assert_true(b.set_aside);
        for (unsigned bucket = 0; bucket < 4; bucket++)
            assert_true(same_bucket(&b, m, bucket));
        close_bench(&b);
        assert_int_equal(count_files("data.mdb.damaged-*"), i + 1);
        assert_int_equal(count_files("ledger.mdb*"), 1);
    }
    free(m);
}

static void
test_a_damaged_ledger_costs_nothing_else(void **state)
{
    struct model *m = malloc(sizeof *m);
    struct bench b;
    uint8_t *good;
    size_t len;

    (void)state;
    fill(m);
    len = read_whole("ledger.mdb", &good);
    for (size_t at = 0; at < len; at += 4096)
        good[at + 10] ^= 4; /* the kind of each page */
    write_whole("ledger.mdb", good, len);
    must_open(&b);
    assert_false(b.set_aside);
    assert_true(same_bucket(&b, m, GVS_BUCKET_ENTRY));
    memset(m, 0, sizeof *m);
    assert_true(same_bucket(&b, m, GVS_BUCKET_LEDGER));
    close_bench(&b);
    free(good);
    free(m);
}

static void
test_a_record_under_another_key_is_not_sound(void **state)
{
    struct bench b;
    uint8_t *bytes, *p;
    size_t len, found = 0;

    (void)state;
    must_open(&b);
    gvs_store_put(b.store, GVS_BUCKET_ENTRY, "the key", 7, "value", 5);
    close_bench(&b);
    len = read_whole("data.mdb", &bytes);
    for (p = bytes; (p = memmem(p, len - (size_t)(p - bytes), "the key", 7)) != NULL; p++) {
        memcpy(p, "thy key", 7);
        found++;
    }
    assert_true(found > 0);
    write_whole("data.mdb", bytes, len);
    must_open(&b);
    assert_true(b.set_aside);
    close_bench(&b);
    free(bytes);
}

static void
test_an_unknown_schema_is_set_aside(void **state)
{
    struct bench b;
    uint8_t *bytes, *p;
    size_t len;

    (void)state;
    must_open(&b);
    close_bench(&b);
    len = read_whole("data.mdb", &bytes);
    p = memmem(bytes, len, "schema", 6);
    assert_non_null(p);
    p[6 + 3] = 9; /* the version; with the checksum that belongs to it */
    {
        uint8_t record[2 + 7 + 4] = {0, 7};
        uint64_t sum;

        memcpy(record + 2, p - 1, 7 + 4);
        sum = gvs_crypto_checksum(record, sizeof record);
        for (int i = 0; i < 8; i++)
            p[6 + 4 + i] = (uint8_t)(sum >> (56 - 8 * i));
    }
    write_whole("data.mdb", bytes, len);
    must_open(&b);
    assert_true(b.set_aside);
    close_bench(&b);
    free(bytes);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_structure_that_lmdb_could_not_have_written_is_damage),
        TEST(test_what_is_no_file_is_not_judged),
        TEST(test_t20_a_damaged_byte_is_found_or_harmless),
        TEST(test_a_damaged_meta_page_never_brings_the_past_back),
        TEST(test_a_file_cut_short_is_set_aside),
        TEST(test_any_other_file_is_set_aside),
        TEST(test_a_damaged_ledger_costs_nothing_else),
        TEST(test_a_record_under_another_key_is_not_sound),
        TEST(test_an_unknown_schema_is_set_aside),
    };
    if (gvs_crypto_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
