/* config/guards.h: breakers, ejection, throttles, ceilings and fallbacks of a cluster: from what was given
 * to what the machine reads. */
#ifndef GW_CONFIG_GUARDS_H
#define GW_CONFIG_GUARDS_H

#include "config/fault.h"

/* Copies the groups that draft's spec points to, and names what is wrong in them. Texts stay the caller's. */
void gw_guards_copy(const struct gw_part *part, struct gw_cluster_draft *draft);
void gw_guards_check_fallback(const struct gw_part *part, const gw_fallback_spec *spec);
/* What a preset says of the cluster itself. */
void gw_guards_preset(const struct gw_cluster_draft *draft, struct gw_cluster_conf *out);
/* GW_ENOMEM. NULL: the cluster has none. */
gw_status gw_guards_freeze(const struct gw_cluster_draft *draft, gw_config *config,
                           const struct gw_guards_conf **out) GW_MUST_CHECK;

#endif
