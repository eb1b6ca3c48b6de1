/* route/order.h: which of two rules is the more specific, and what follows from it: ties, which no
 * request tells apart, and rules that no request can reach. */
#ifndef GW_ROUTE_ORDER_H
#define GW_ROUTE_ORDER_H

#include "route/tree.h"

/* The host without its "*": of a suffix, what begins with the dot. */
gw_str gw_route_host_text(gw_str host);
/* For gw_sort: rules by host, path, then the more specific first. ctx: the rules. */
int gw_route_compare(const void *ctx, uint32_t a, uint32_t b);
/* For gw_sort: rules by host, then as CONNECT takes them. ctx: the rules. */
int gw_route_compare_connect(const void *ctx, uint32_t a, uint32_t b);

/* by[i]: a rule that takes whatever rule i could match, or UINT32_MAX. GW_EINVAL: tie[0] < tie[1]
 * tie. GW_ENOMEM. O(n log n) in rules and their methods. */
gw_status gw_route_judge(struct gw_heap *heap, const struct gw_route_rule *rules, size_t n,
                         uint32_t *by, size_t tie[2]) GW_MUST_CHECK;

#endif
