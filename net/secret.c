/* net/secret.c: a mapping of its own for each piece.
 *
 *     +-------+------------------+--- ... ---+-------+
 *     | guard | head, the piece  |           | guard |
 *     +-------+------------------+--- ... ---+-------+
 *
 * Not sodium_malloc: it touches, fills and locks all of a piece at once, 20 MB for the sessions of
 * 10,000 members of which a few dozen are there. */
#include "net/secret.h"

#include <stdalign.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/err.h"

struct head {
    alignas(64) size_t mapped; /* guards included */
    bool locked;
};

static size_t
page_len(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static struct head *
head_of(const void *p)
{
    return (struct head *)(uintptr_t)p - 1;
}

void *
gvs_secret_alloc(size_t count, size_t size)
{
    size_t page = page_len(), len, whole;
    struct head *h;
    uint8_t *map;

    if (__builtin_mul_overflow(count, size, &len) ||
        __builtin_add_overflow(len, sizeof *h + page - 1, &len))
        return NULL;
    len = len / page * page;
    if (__builtin_add_overflow(len, 2 * page, &whole))
        return NULL;
    map = mmap(NULL, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        return NULL;
    h = (struct head *)(void *)(map + page);
    if (mprotect(h, len, PROT_READ | PROT_WRITE) < 0) {
        munmap(map, whole);
        return NULL;
    }
    madvise(h, len, MADV_DONTDUMP);
    h->mapped = whole;
    h->locked = mlock2(h, len, MLOCK_ONFAULT) == 0;
    return h + 1;
}

void
gvs_secret_free(void *p)
{
    struct head *h;
    int rc;

    if (p == NULL)
        return;
    h = head_of(p);
    rc = munmap((uint8_t *)h - page_len(), h->mapped);
    GVS_ASSERT(rc == 0);
}

bool
gvs_secret_locked(const void *p)
{
    return head_of(p)->locked;
}
