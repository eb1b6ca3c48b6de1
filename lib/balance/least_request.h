/* balance/least_request.h: of a few endpoints drawn by weight, the one with the least in flight for its
 * weight: nearly as even as looking at all, in O(1), and workers that know the same do not all run to the
 * same one. Pure. */
#ifndef GW_BALANCE_LEAST_REQUEST_H
#define GW_BALANCE_LEAST_REQUEST_H

#include "balance/random.h"

/* The member; UINT32_MAX: none. choices: 2 to GW_CHOICES_MAX. */
uint32_t gw_least_pick(const struct gw_lots *lots, const struct gw_pick *p, uint32_t choices);

#endif
