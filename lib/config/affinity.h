/* config/affinity.h: the cookie by which a client comes back to the same endpoint: taken and checked, and
 * what is sent of it made once. */
#ifndef GW_CONFIG_AFFINITY_H
#define GW_CONFIG_AFFINITY_H

#include "config/fault.h"

/* The group is draft's own already; texts too. */
void gw_affinity_check(const struct gw_part *part, const gw_affinity_spec *spec);
/* GW_ENOMEM. NULL: the cluster has none. */
gw_status gw_affinity_freeze(const struct gw_cluster_draft *draft, struct gw_store *store,
                             const struct gw_affinity_conf **out) GW_MUST_CHECK;

#endif
