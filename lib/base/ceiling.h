/* base/ceiling.h: so many of something at once over all workers, and who waits for one of them. A place is
 * taken before its thing is made and given back when that is gone, so there is never one too many.
 *
 * Who finds no place says that it wants one and asks again; who gives one back looks then whether anybody
 * wants it. In one total order of these one of both sees the other: so all are of the strongest order. */
#ifndef GW_BASE_CEILING_H
#define GW_BASE_CEILING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct gw_ceiling {
    atomic_uint taken;
    atomic_uint wanted;  /* places that somebody lacks                                        */
    atomic_uint starved; /* of these: by workers that have less than their part of all         */
    atomic_uint leaving; /* of those taken: given up for who wants one, but not yet given back */
};

/* A place, if fewer than most are taken. */
static inline bool gw_ceiling_take(struct gw_ceiling *c, uint32_t most)
{
    unsigned n = atomic_load(&c->taken);

    do
        if (n >= most)
            return false;
    while (!atomic_compare_exchange_weak(&c->taken, &n, n + 1));
    return true;
}

/* True: somebody wants it. */
static inline bool gw_ceiling_give(struct gw_ceiling *c)
{
    atomic_fetch_sub(&c->taken, 1);
    return atomic_load(&c->wanted) > 0;
}

/* May one more be given up? Not more than are wanted. */
static inline bool gw_ceiling_leave(struct gw_ceiling *c)
{
    unsigned n = atomic_load(&c->leaving);

    do
        if (n >= atomic_load(&c->wanted))
            return false;
    while (!atomic_compare_exchange_weak(&c->leaving, &n, n + 1));
    return true;
}

/* What one worker adds to one of these words: it was was, and is is. */
static inline void gw_ceiling_change(atomic_uint *word, uint32_t *was, uint32_t is)
{
    if (*was != is)
        atomic_fetch_add(word, is - *was);
    *was = is;
}

#endif
