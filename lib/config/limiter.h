/* config/limiter.h: what a limiter may be, and its frozen form. */
#ifndef GW_CONFIG_LIMITER_H
#define GW_CONFIG_LIMITER_H

#include "config/fault.h"

enum { GW_LIMITER_POLICY_MAX = 192 };
/* "NAME";q=QUOTA;w=SECONDS: so many, and how long they take to come back; 0: it has no rate
 * (draft-ietf-httpapi-ratelimit-headers-10 3). */
void gw_limiter_policy(struct gw_text *text, gw_str name, uint64_t quota, uint64_t window_ns);
/* But for its name, keys and flags. */
void gw_value_limiter(const struct gw_part *part, const gw_limiter_spec *spec);
/* GW_ENOMEM. */
gw_status gw_limiters_freeze(const struct gw_builder *b, gw_config *config) GW_MUST_CHECK;

#endif
