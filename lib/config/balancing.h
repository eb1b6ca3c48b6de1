/* config/balancing.h: how a cluster picks among its endpoints: taken from a spec and checked, and with
 * defaults filled in. */
#ifndef GW_CONFIG_BALANCING_H
#define GW_CONFIG_BALANCING_H

#include "config/fault.h"
#include "config/snapshot.h"

/* Copies what the spec points to, and adds a fault for all that is wrong. */
void gw_balancing_take(const struct gw_part *part, struct gw_cluster_draft *draft);
void gw_balancing_check_endpoint(const struct gw_part *part, const gw_endpoint_spec *spec);
/* GW_ENOMEM. spec was checked; custom: the host's balancer that it names; NULL: none. */
gw_status gw_balancing_freeze(const gw_cluster_spec *spec, const gw_balancer *custom,
                              struct gw_store *store, struct gw_balance_conf *out) GW_MUST_CHECK;

#endif
