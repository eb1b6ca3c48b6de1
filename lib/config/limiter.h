/* config/limiter.h: what a limiter may be, and its frozen form. */
#ifndef GW_CONFIG_LIMITER_H
#define GW_CONFIG_LIMITER_H

#include "config/fault.h"

/* But for its name, keys and flags. */
void gw_value_limiter(const struct gw_part *part, const gw_limiter_spec *spec);
/* GW_ENOMEM. */
gw_status gw_limiters_freeze(const struct gw_builder *b, gw_config *config) GW_MUST_CHECK;

#endif
