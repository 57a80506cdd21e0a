/* test/lib/prng.h: random numbers for tests, the same for the same seed on every machine.
 *
 * splitmix64 (Steele, Lea, Flood, 2014): eight bytes of state, every seed as good as any other.
 * A property test walks seeds and prints the one that fails:
 *
 *     for (uint64_t seed = test_seed_first(); test_seed_run(seed, 1000); seed++) { ... }
     ...
     cmocka_unit_test_teardown(test_that, test_seed_teardown)
 *
 * Two variables of the environment steer all of them: GVS_SEEDS scales the counts (0.1 for a quick
 * look, 100 for a night), GVS_SEED=N runs the seed N alone.
 */
#pragma once

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct gvs_prng {
    uint64_t state;
};

static inline struct gvs_prng
gvs_prng_init(uint64_t seed)
{
    return (struct gvs_prng){seed};
}

static inline uint64_t
gvs_prng_next(struct gvs_prng *p)
{
    uint64_t z = p->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* A number in [0, n), n > 0. The bias is below n / 2^32, which no test here can see. */
static inline uint32_t
gvs_prng_below(struct gvs_prng *p, uint32_t n)
{
    return (uint32_t)((gvs_prng_next(p) >> 32) * n >> 32);
}

/* True in `num` of `den` cases. */
static inline bool
gvs_prng_chance(struct gvs_prng *p, uint32_t num, uint32_t den)
{
    return gvs_prng_below(p, den) < num;
}

static inline void
gvs_prng_fill(struct gvs_prng *p, void *buf, size_t len)
{
    uint8_t *b = buf;

    for (size_t i = 0; i < len; i++)
        b[i] = (uint8_t)(gvs_prng_next(p) >> 56);
}

/* How many seeds a test runs where `count` is the ordinary number: never 0. A value that is no
 * number is refused aloud, because a test that quietly ran nothing would pass. */
static inline uint64_t
test_seeds(uint64_t count)
{
    const char *text = getenv("GVS_SEEDS");
    char *end;
    double factor, scaled;

    if (!text)
        return count;
    factor = strtod(text, &end);
    scaled = factor * (double)count;
    if (end == text || *end || !(factor > 0) || !(scaled < 1e15)) {
        fprintf(stderr, "GVS_SEEDS=%s: a factor above 0 expected\n", text);
        abort();
    }
    return scaled < 1 ? 1 : (uint64_t)scaled;
}

/* Seeds are [first, end): all of a test's, or the one that GVS_SEED names. */
static inline uint64_t
test_seed_first(void)
{
    const char *text = getenv("GVS_SEED");
    char *end;
    uint64_t seed;

    if (!text)
        return 0;
    seed = strtoull(text, &end, 10);
    if (end == text || *end) {
        fprintf(stderr, "GVS_SEED=%s: a number expected\n", text);
        abort();
    }
    return seed;
}

static inline uint64_t
test_seed_end(uint64_t count)
{
    return getenv("GVS_SEED") ? test_seed_first() + 1 : test_seeds(count);
}

/* The seed that is being run, for the message if it fails. */
struct test_seed {
    uint64_t seed;
    bool running;
};

static inline struct test_seed *
test_seed_current(void)
{
    static struct test_seed current;

    return &current;
}

/* The condition of a loop over seeds. */
static inline bool
test_seed_run(uint64_t seed, uint64_t count)
{
    *test_seed_current() = (struct test_seed){seed, seed < test_seed_end(count)};
    return test_seed_current()->running;
}

/* A teardown for cmocka: a loop that did not come to its end failed at the seed it had reached. */
static inline int
test_seed_teardown(void **state)
{
    (void)state;
    if (test_seed_current()->running)
        fprintf(stderr, "replay with GVS_SEED=%" PRIu64 "\n", test_seed_current()->seed);
    test_seed_current()->running = false;
    return 0;
}
