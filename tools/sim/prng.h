/* tools/sim/prng.h: the dice of the simulator, the same for the same seed on every machine.
 *
 * splitmix64 (Steele, Lea, Flood, 2014). Whatever must not be shifted by what others draw has a
 * stream of its own, seeded from the world's.
 */
#pragma once

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_prng {
    uint64_t state;
};

static inline uint64_t
sim_mix(uint64_t z)
{
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static inline uint64_t
sim_next(struct sim_prng *p)
{
    return sim_mix(p->state += UINT64_C(0x9e3779b97f4a7c15));
}

/* In [0, n), n > 0. */
static inline uint64_t
sim_below(struct sim_prng *p, uint64_t n)
{
    return (uint64_t)((unsigned __int128)sim_next(p) * n >> 64);
}

/* In [0, 1). */
static inline double
sim_unit(struct sim_prng *p)
{
    return (double)(sim_next(p) >> 11) * 0x1p-53;
}

static inline bool
sim_chance(struct sim_prng *p, double probability)
{
    return probability > 0 && sim_unit(p) < probability;
}

/* Between the two, every order of magnitude as likely as any other; 0 < low <= high. */
static inline double
sim_spread(struct sim_prng *p, double low, double high)
{
    return low * pow(high / low, sim_unit(p));
}

/* With this mean, exponential. */
static inline double
sim_wait(struct sim_prng *p, double mean)
{
    return -mean * log(1.0 - sim_unit(p));
}

static inline void
sim_fill(struct sim_prng *p, void *buf, size_t len)
{
    uint8_t *b = buf;

    for (size_t i = 0; i < len; i++)
        b[i] = (uint8_t)(sim_next(p) >> 56);
}
