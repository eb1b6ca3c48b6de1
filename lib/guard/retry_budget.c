/* guard/retry_budget.c: a window of ten slots that moves on by whole slots. */

#include "guard/retry_budget.h"

#include <string.h>

#include "base/assert.h"

/* Rare: at most once a slot. */
static void move_on(struct gw_retry_budget *b, gw_nanos now)
{
    uint64_t slots;

    if (b->turn == 0) {
        b->turn = now + GW_RETRY_SLOT_NS;
        return;
    }
    slots = (now - b->turn) / GW_RETRY_SLOT_NS + 1;
    b->turn += slots * GW_RETRY_SLOT_NS;
    for (uint64_t i = 0; i < slots && i < GW_RETRY_SLOTS; i++) {
        b->at = (b->at + 1) % GW_RETRY_SLOTS;
        b->requests_sum -= b->requests[b->at];
        b->retries_sum -= b->retries[b->at];
        b->requests[b->at] = b->retries[b->at] = 0;
    }
}

void gw_retry_budget_count(struct gw_retry_budget *b, gw_nanos now)
{
    if (now >= b->turn)
        move_on(b, now);
    if (b->requests[b->at] == UINT32_MAX)
        return;
    b->requests[b->at]++;
    b->requests_sum++;
}

bool gw_retry_budget_take(struct gw_retry_budget *b, gw_nanos now, uint32_t percent, uint32_t least)
{
    if (now >= b->turn)
        move_on(b, now);
    GW_ASSERT(percent <=
              GW_RETRY_PERCENT_MAX); /* the sum is under 2^36: no product passes 64 bits */
    if (b->retries_sum >= least + b->requests_sum * percent / 100)
        return false;
    if (b->retries[b->at] < UINT32_MAX) {
        b->retries[b->at]++;
        b->retries_sum++;
    }
    return true;
}
