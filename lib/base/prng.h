/* base/prng.h: small seeded generator (splitmix64): for spreading and for simulation; not for
 * secrets. */
#ifndef GW_BASE_PRNG_H
#define GW_BASE_PRNG_H

#include <stdint.h>

struct gw_prng {
    uint64_t state;
};
static inline uint64_t gw_prng_next(struct gw_prng *p)
{
    uint64_t z = (p->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}
/* 0 to n - 1; n > 0. */
static inline uint64_t gw_prng_below(struct gw_prng *p, uint64_t n)
{
    return gw_prng_next(p) % n;
}

#endif
