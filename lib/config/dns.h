/* config/dns.h: what is asked of DNS for a cluster: from what was given to what the resolver reads. */
#ifndef GW_CONFIG_DNS_H
#define GW_CONFIG_DNS_H

#include "config/fault.h"

/* Copies what draft's spec points to, texts too, and names what is wrong in it. */
void gw_dns_take(const struct gw_part *part, struct gw_cluster_draft *draft);
/* GW_ENOMEM. NULL: the cluster asks nothing. */
gw_status gw_dns_freeze(const struct gw_cluster_draft *draft, struct gw_store *store,
                        const struct gw_dns_conf **out) GW_MUST_CHECK;

#endif
