/* guard/retry_budget.h: how many retries are too many: a share of the requests of the last ten seconds,
 * and a few whatever that share is. When everything fails a cluster gets so much more than its clients
 * ask, and no more. Pure: time is an argument, whole numbers only. */
#ifndef GW_GUARD_RETRY_BUDGET_H
#define GW_GUARD_RETRY_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/timer.h"

/* What a configuration may ask: retries of one request; percent of all. */
enum { GW_RETRIES_MAX = 5, GW_RETRY_PERCENT_MAX = 1000 };
enum { GW_RETRY_SLOTS = 10 };
#define GW_RETRY_SLOT_NS GW_MS(1000)

/* All zero is an empty one. */
struct gw_retry_budget {
    gw_nanos turn; /* when the slot in use is full; 0: never used */
    uint32_t requests[GW_RETRY_SLOTS], retries[GW_RETRY_SLOTS];
    uint64_t requests_sum, retries_sum; /* of all slots */
    uint32_t at;                        /* the slot in use */
    uint32_t reserved;
};

/* A request, not a retry of one. now never goes back. */
void gw_retry_budget_count(struct gw_retry_budget *b, gw_nanos now);
/* May there be one more retry? Then it is counted. percent: of the requests; least: are always had. */
bool gw_retry_budget_take(struct gw_retry_budget *b, gw_nanos now, uint32_t percent,
                          uint32_t least);

#endif
