/* tools/store/file.c: an LMDB file, data version 1, read with distrust.
 *
 * The first two pages hold a meta each; the one with the greater transaction number is in force,
 * and the other is the state before. A meta names two B+trees: FREE (transaction number -> the
 * pages it freed) and MAIN (our records). All numbers are in the machine's byte order:
 *
 *     page    pgno(8) pad(2) flags(2) lower(2) upper(2), offsets(2 each) up to `lower`,
 *             nodes from `upper` to the end without a gap
 *     node    lo(2) hi(2) flags(2) ksize(2) key data, padded to an even length
 *             leaf: data has lo | hi << 16 bytes, or (flags 1) is the number of an overflow page
 *             branch: no data; lo | hi << 16 | flags << 32 is the child
 *     overflow page    pgno(8) pad(2) flags(2) pages(4) and the bytes
 *     meta    (behind a page header) magic(4) version(4) address(8) mapsize(8) tree(48) tree(48)
 *             last page(8) transaction(8)
 *     tree    pad(4) flags(2) depth(2) branch pages(8) leaf pages(8) overflow pages(8) entries(8)
 *             root(8)
 *
 * A tree is walked in key order. `last` is the greatest key that has been passed, or the separator
 * that the next leaf key may equal but not precede. */
#include "tools/store/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/bytes.h"
#include "core/err.h"

#define MAGIC 0xBEEFC0DEu
#define DATA_VERSION 1u
#define PAGE_LEN_MAX 32768u
#define HEADER_LEN 16u
#define META_LEN (HEADER_LEN + 136u)
#define NODE_LEN 8u
#define KEY_LEN_MAX 511u
#define MAP_LEN_MAX ((uint64_t)1 << 40)
#define DEPTH_MAX 24u
#define NO_PAGE UINT64_MAX

enum { P_BRANCH = 1, P_LEAF = 2, P_OVERFLOW = 4, P_META = 8 };
enum { F_BIGDATA = 1 };
/* FREE's flags also keep how the file was opened, in bits that do not matter to its layout; but
 * keys are integers, and there is nothing of duplicates, reverse order or a fixed address. */
enum { TREE_FLAGS = 0x7f, TREE_INTEGER_KEYS = 8 };

struct tree {
    uint16_t flags, depth;
    uint64_t branch, leaf, overflow, entries, root;
};

struct meta {
    uint32_t page_len;
    uint64_t map_len, last_page, txn;
    struct tree free, main;
};

struct look {
    int fd;
    struct meta meta;
    uint8_t *seen; /* a bit a page */
    /* The walk of one tree. */
    bool is_free;
    struct tree found; /* what was counted */
    uint8_t last[KEY_LEN_MAX];
    size_t last_len;
    bool may_equal, any;
};

struct node {
    const uint8_t *key, *data;
    size_t key_len, data_len; /* data_len: of the value, wherever it is */
    uint16_t flags;
    uint64_t child;
};

static uint16_t
read16(const uint8_t *b)
{
    uint16_t v;

    memcpy(&v, b, sizeof v);
    return v;
}

static uint32_t
read32(const uint8_t *b)
{
    uint32_t v;

    memcpy(&v, b, sizeof v);
    return v;
}

static uint64_t
read64(const uint8_t *b)
{
    uint64_t v;

    memcpy(&v, b, sizeof v);
    return v;
}

/* True if all of it was there; on a disk error too, with errno set. */
static bool
read_at(int fd, uint64_t at, uint8_t *b, size_t len)
{
    ssize_t n;

    errno = 0;
    n = pread(fd, b, len, (off_t)at);
    return n >= 0 && (size_t)n == len;
}

static struct tree
read_tree(const uint8_t *b)
{
    return (struct tree){
        .flags = read16(b + 4),
        .depth = read16(b + 6),
        .branch = read64(b + 8),
        .leaf = read64(b + 16),
        .overflow = read64(b + 24),
        .entries = read64(b + 32),
        .root = read64(b + 40),
    };
}

static bool
read_meta(struct meta *m, const uint8_t *page, uint64_t pgno)
{
    const uint8_t *b = page + HEADER_LEN;

    if (read64(page) != pgno || read16(page + 10) != P_META)
        return false;
    if (read32(b) != MAGIC || read32(b + 4) != DATA_VERSION)
        return false;
    *m = (struct meta){
        .page_len = read32(b + 24),
        .map_len = read64(b + 16),
        .free = read_tree(b + 24),
        .main = read_tree(b + 72),
        .last_page = read64(b + 120),
        .txn = read64(b + 128),
    };
    if (m->page_len < 512 || m->page_len > PAGE_LEN_MAX || (m->page_len & (m->page_len - 1)) != 0)
        return false;
    return m->last_page >= 1 && m->map_len <= MAP_LEN_MAX &&
           m->last_page < m->map_len / m->page_len &&
           (m->free.flags & TREE_FLAGS) == TREE_INTEGER_KEYS && m->main.flags == 0;
}

/* Both metas, the one in force into *m. Transaction n writes meta n % 2, so the numbers follow each
 * other; only in a file without a transaction both are 0. */
static bool
read_metas(int fd, struct meta *m, struct meta *before)
{
    uint8_t b[META_LEN];

    if (!read_at(fd, 0, b, sizeof b) || !read_meta(m, b, 0))
        return false;
    if (!read_at(fd, m->page_len, b, sizeof b) || !read_meta(before, b, 1))
        return false;
    if (m->page_len != before->page_len || m->free.flags != before->free.flags)
        return false;
    if (m->txn == 0 && before->txn == 0)
        return true;
    if (m->txn % 2 != 0 || (m->txn + 1 != before->txn && before->txn + 1 != m->txn))
        return false;
    if (before->txn > m->txn) {
        struct meta newer = *before;

        *before = *m;
        *m = newer;
    }
    return true;
}

/* False if the page is none, or was met before. */
static bool
see(struct look *l, uint64_t pgno)
{
    uint8_t bit = (uint8_t)(1u << (pgno % 8));

    if (pgno < 2 || pgno > l->meta.last_page || (l->seen[pgno / 8] & bit) != 0)
        return false;
    l->seen[pgno / 8] |= bit;
    return true;
}

static bool
read_page(const struct look *l, uint64_t pgno, uint8_t *page)
{
    return read_at(l->fd, pgno * l->meta.page_len, page, l->meta.page_len) && read64(page) == pgno;
}

/* How many nodes; 0 if the header is impossible. */
static size_t
page_nodes(const struct look *l, const uint8_t *page)
{
    size_t lower = read16(page + 12), upper = read16(page + 14);

    if (lower < HEADER_LEN + 2 || lower % 2 != 0 || upper < lower || upper > l->meta.page_len)
        return 0;
    return (lower - HEADER_LEN) / 2;
}

/* The node's length with its padding; 0 if it does not lie between `upper` and the end. */
static size_t
read_node(const struct look *l, const uint8_t *page, size_t i, bool leaf, struct node *n)
{
    size_t at = read16(page + HEADER_LEN + 2 * i), room, len;
    const uint8_t *b = page + at;

    if (at < read16(page + 14) || at % 2 != 0 || at + NODE_LEN > l->meta.page_len)
        return 0;
    room = l->meta.page_len - at - NODE_LEN;
    *n = (struct node){.key = b + NODE_LEN, .key_len = read16(b + 6), .flags = read16(b + 4)};
    n->data_len = read16(b) | (size_t)read16(b + 2) << 16;
    n->child = (uint64_t)n->data_len | (uint64_t)n->flags << 32;
    n->data = n->key + n->key_len;
    if (n->key_len > KEY_LEN_MAX || n->key_len > room)
        return 0;
    len = n->key_len;
    if (leaf && n->flags == F_BIGDATA)
        len += sizeof(uint64_t);
    else if (leaf && n->flags == 0)
        len += n->data_len;
    else if (leaf)
        return 0;
    if (len > room)
        return 0;
    return NODE_LEN + len + len % 2;
}

static int
key_cmp(const struct look *l, const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    size_t n = a_len < b_len ? a_len : b_len;
    int sign;

    if (l->is_free)
        return (read64(a) > read64(b)) - (read64(a) < read64(b));
    sign = memcmp(a, b, n);
    return sign != 0 ? sign : (a_len > b_len) - (a_len < b_len);
}

/* Keys must ascend through the whole tree, separators among them. */
static bool
pass_key(struct look *l, const struct node *n, bool separator)
{
    if (n->key_len == 0 || (l->is_free && n->key_len != sizeof(uint64_t)))
        return false;
    if (l->any) {
        int sign = key_cmp(l, n->key, n->key_len, l->last, l->last_len);

        if (sign < 0 || (sign == 0 && !l->may_equal))
            return false;
    }
    memcpy(l->last, n->key, n->key_len);
    l->last_len = n->key_len;
    l->any = true;
    l->may_equal = separator;
    return true;
}

static bool
pass_overflow(struct look *l, const struct node *n)
{
    uint64_t first = read64(n->data);
    uint64_t pages = (HEADER_LEN + n->data_len + l->meta.page_len - 1) / l->meta.page_len;
    uint8_t header[HEADER_LEN];

    if (first > l->meta.last_page || !read_at(l->fd, first * l->meta.page_len, header, HEADER_LEN))
        return false;
    if (read64(header) != first || read16(header + 10) != P_OVERFLOW ||
        read32(header + 12) != pages)
        return false;
    for (uint64_t i = 0; i < pages; i++) {
        if (!see(l, first + i))
            return false;
    }
    l->found.overflow += pages;
    return true;
}

/* A record of FREE: a count and as many pages, none of which is in use or free twice. */
static bool
pass_free_pages(struct look *l, const struct node *n)
{
    const uint8_t *b = n->data;
    size_t len = n->data_len;
    uint8_t *big = NULL;
    uint64_t count;
    bool ok;

    if (len % sizeof(uint64_t) != 0 || len == 0 || read64(n->key) > l->meta.txn)
        return false;
    if (n->flags == F_BIGDATA) {
        big = malloc(len);
        if (big == NULL ||
            !read_at(l->fd, read64(n->data) * l->meta.page_len + HEADER_LEN, big, len)) {
            free(big);
            return false;
        }
        b = big;
    }
    count = read64(b);
    ok = count < len / sizeof(uint64_t);
    for (uint64_t i = 1; ok && i <= count; i++)
        ok = see(l, read64(b + i * sizeof(uint64_t)));
    free(big);
    return ok;
}

static bool
pass_leaf(struct look *l, const struct node *n)
{
    if (!pass_key(l, n, false) || (n->flags == F_BIGDATA && !pass_overflow(l, n)))
        return false;
    l->found.entries++;
    return !l->is_free || pass_free_pages(l, n);
}

static bool
walk_page(struct look *l, uint64_t pgno, unsigned depth)
{
    bool leaf = depth == 1, ok = false;
    uint8_t *page = malloc(l->meta.page_len);
    struct node n;
    size_t count, used = 0, len;

    if (page == NULL || !see(l, pgno) || !read_page(l, pgno, page))
        goto out;
    if (read16(page + 10) != (leaf ? P_LEAF : P_BRANCH))
        goto out;
    l->found.leaf += leaf;
    l->found.branch += !leaf;
    count = page_nodes(l, page);
    for (size_t i = 0; i < count; i++) {
        len = read_node(l, page, i, leaf, &n);
        if (len == 0)
            goto out;
        used += len;
        if (leaf && !pass_leaf(l, &n))
            goto out;
        /* The first child holds whatever is less than the second's key; its own is not looked at.
         */
        if (!leaf && i > 0 && !pass_key(l, &n, true))
            goto out;
        if (!leaf && !walk_page(l, n.child, depth - 1))
            goto out;
    }
    ok = count > 0 && read16(page + 14) + used == l->meta.page_len;
out:
    free(page);
    return ok;
}

static bool
walk_tree(struct look *l, const struct tree *t, bool is_free)
{
    l->is_free = is_free;
    l->found = (struct tree){0};
    l->any = false;
    if (t->root == NO_PAGE)
        return t->depth == 0 && t->entries == 0;
    if (t->depth == 0 || t->depth > DEPTH_MAX || !walk_page(l, t->root, t->depth))
        return false;
    return l->found.branch == t->branch && l->found.leaf == t->leaf &&
           l->found.overflow == t->overflow && l->found.entries == t->entries;
}

/* Does the first record of MAIN say that this meta's transaction wrote it? Else a flipped bit has
 * made the state before look like the newer one. */
static bool
stamped(const struct look *l, const struct meta *m)
{
    uint64_t pgno = m->main.root;
    uint8_t *page = malloc(l->meta.page_len);
    struct node n = {0};
    bool ok = m->txn == 0 && pgno == NO_PAGE && page != NULL;

    for (unsigned depth = m->main.depth; depth > 0 && page != NULL; depth--) {
        ok = pgno <= l->meta.last_page && read_page(l, pgno, page) && page_nodes(l, page) > 0 &&
             read_node(l, page, 0, depth == 1, &n) != 0;
        if (!ok)
            break;
        pgno = n.child;
    }
    if (ok && m->txn != 0)
        ok = n.flags == 0 && n.data_len >= sizeof m->txn && gvs_get64(n.data) == m->txn;
    free(page);
    return ok;
}

/* MAIN first: what it uses, FREE must not offer. */
static bool
sound(struct look *l)
{
    struct meta before;
    bool ok;

    if (!read_metas(l->fd, &l->meta, &before))
        return false;
    if (!stamped(l, &l->meta) || !stamped(l, &before))
        return false;
    l->seen = calloc(1, l->meta.last_page / 8 + 1);
    ok = l->seen != NULL && walk_tree(l, &l->meta.main, false) && walk_tree(l, &l->meta.free, true);
    free(l->seen);
    return ok;
}

int
gvs_store_file_check(const char *path)
{
    struct look l = {.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)}; /* no FIFO holds us */
    struct stat st;
    bool ok;
    int saved;

    if (l.fd < 0)
        return errno == ENOENT ? GVS_STORE_FILE_NONE : GVS_E_SYS;
    if (fstat(l.fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(l.fd);
        errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL; /* no agent's: not ours to set aside */
        return GVS_E_SYS;
    }
    if (st.st_size == 0) {
        close(l.fd);
        return GVS_STORE_FILE_NONE;
    }
    errno = 0;
    ok = sound(&l);
    saved = errno;
    close(l.fd);
    if (ok)
        return GVS_STORE_FILE_SOUND;
    errno = saved;
    return saved == EIO || saved == ENOMEM ? GVS_E_SYS : GVS_STORE_FILE_DAMAGED;
}
