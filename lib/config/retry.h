/* config/retry.h: what a route says of retries: checked as it comes, and in the form that the machine reads. */
#ifndef GW_CONFIG_RETRY_H
#define GW_CONFIG_RETRY_H

#include "config/fault.h"

/* Copies what draft->spec.retry points to, and says what is wrong with it. */
void gw_retry_take(const struct gw_part *part, struct gw_route_draft *draft);
/* Sets out->retry. GW_ENOMEM. */
gw_status gw_retry_freeze(const struct gw_route_draft *draft, gw_config *config,
                          struct gw_route_conf *out) GW_MUST_CHECK;

#endif
