/* balance/round_robin.h: smooth weighted round robin: deterministic, no bursts, O(1) a pick. The
 * sequence is made when the configuration is built (equal weights need none); a worker has a cursor.
 * When the reduced sum of weights is over GW_RR_SEQUENCE_MAX the weights are scaled down to it (each
 * keeps at least 1). Pure. */
#ifndef GW_BALANCE_ROUND_ROBIN_H
#define GW_BALANCE_ROUND_ROBIN_H

#include "base/heap.h"

enum { GW_RR_SEQUENCE_MAX = 65536 };

struct gw_rr {
    uint32_t *sequence; /* NULL: every i in turn (equal weights)            */
    uint32_t len;       /* 0: nobody can be picked (all weights are none)   */
};
/* weights: 0 is none. GW_ENOMEM. */
gw_status gw_rr_init(struct gw_rr *rr, struct gw_heap *heap, const uint32_t *weights, uint32_t n)
    GW_MUST_CHECK;
void gw_rr_fini(struct gw_rr *rr, struct gw_heap *heap);
/* The next index; UINT32_MAX: none. cursor is the worker's, seeded anyhow. */
uint32_t gw_rr_pick(const struct gw_rr *rr, uint32_t *cursor);

#endif
