/* balance/levels.h: priorities: how much of the traffic goes to which level, and whether a level is in
 * panic. Level 0 has all while enough of it is available; what it lacks goes to the next. A pure function
 * of weights, in whole percents that always add up to 100; and an order in which they are served in which
 * any 100 in a row are served exactly so.
 *
 * A level's score is the available part of its weight times spare_percent (140: a level counts as whole
 * while five sevenths of it are there), at most 100, at least 1 if anything is there. */
#ifndef GW_BALANCE_LEVELS_H
#define GW_BALANCE_LEVELS_H

#include "balance/pick.h"

struct gw_level_weight {
    uint64_t total, available; /* available <= total < 2^48 */
};
struct gw_levels_rule {
    uint32_t spare_percent; /* 100 and more                                     */
    uint32_t panic_percent; /* below so much available a level panics; 0: never */
};
struct gw_levels_share {
    uint8_t percent[GW_LEVELS_MAX]; /* all 0: nobody is available, and nobody panics */
    uint16_t panic;                 /* a bit a level: take all of it, available or not */
};
/* n <= GW_LEVELS_MAX. */
void gw_levels_share(const struct gw_level_weight *levels, uint32_t n,
                     const struct gw_levels_rule *rule, struct gw_levels_share *out);
/* The level at a place of 0 to 99; UINT32_MAX: all percents are 0. */
uint32_t gw_levels_at(const struct gw_levels_share *share, uint32_t n, uint32_t place);
/* The place that follows: all hundred in turn, and neighbours far apart. */
static inline uint32_t gw_levels_next(uint32_t place)
{
    return (place + 61) % 100; /* no divisor in common with 100; 0.61 is near the golden section */
}

/* Slow start: what part of GW_WARM an endpoint takes that came (or came back) at since: it grows with
 * time from a tenth to all after window. A clock that was set back is no time at all. */
uint32_t gw_slow_start(uint64_t since, uint64_t now, uint64_t window);

#endif
