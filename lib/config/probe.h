/* config/probe.h: how the endpoints of a cluster are probed: from what was given to what the machine
 * reads. */
#ifndef GW_CONFIG_PROBE_H
#define GW_CONFIG_PROBE_H

#include "config/fault.h"

/* Copies what draft's spec points to, and names what is wrong in it. Texts stay the caller's. */
void gw_probe_copy(const struct gw_part *part, struct gw_cluster_draft *draft);
/* GW_ENOMEM. NULL: nobody is probed. */
gw_status gw_probe_freeze(const struct gw_cluster_draft *draft, gw_config *config,
                          const struct gw_probe_conf **out) GW_MUST_CHECK;

#endif
