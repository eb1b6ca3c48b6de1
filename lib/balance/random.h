/* balance/random.h: lots: one of n by weight, in O(1), with integers alone (Vose's alias method). Each of
 * n columns is as high as the average weight and holds at most two members. Pure. */
#ifndef GW_BALANCE_RANDOM_H
#define GW_BALANCE_RANDOM_H

#include "balance/pick.h"
#include "base/heap.h"

struct gw_lots {
    uint32_t n;
    uint32_t sum;    /* of the weights: what a column is high                                */
    uint32_t *until; /* by column: it is the column's own below this; NULL: all weigh alike  */
    uint32_t *other; /* and this one's above                                                 */
};
/* Weights: none is 0; their sum fits 32 bits. GW_ENOMEM. */
gw_status gw_lots_init(struct gw_lots *lots, struct gw_heap *heap, const uint32_t *weights,
                       uint32_t n) GW_MUST_CHECK;
void gw_lots_fini(struct gw_lots *lots, struct gw_heap *heap);

/* A member that may be picked, each as likely as its weight is in the sum of theirs. UINT32_MAX: none. */
uint32_t gw_random_pick(const struct gw_lots *lots, const struct gw_pick *p);

#endif
