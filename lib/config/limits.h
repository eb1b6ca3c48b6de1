/* config/limits.h: limits with every default filled in and every range checked. */
#ifndef GW_CONFIG_LIMITS_H
#define GW_CONFIG_LIMITS_H

#include <gw/limits.h>

/* spec NULL: all defaults. In out, h2_links_max 0 is "no HTTP/2", records_max 0 none. GW_EINVAL: out of range. */
gw_status gw_limits_complete(const gw_limits *spec, gw_limits *out) GW_MUST_CHECK;
/* How many streams an HTTP/2 client may open: no more than the pool could take of one connection. */
uint32_t gw_limits_streams(const gw_limits *complete);

#endif
