/* base/address.h: numeric addresses to text; gw_address_parse (gw/env.h) is the way back. */
#ifndef GW_BASE_ADDRESS_H
#define GW_BASE_ADDRESS_H

#include <gw/env.h>

/* "[" and 39 bytes and "]:65535"; a Unix path has at most 107 bytes behind "unix:". */
enum { GW_ADDRESS_TEXT_MAX = 128, GW_ADDRESS_PATH_MAX = 107 };

/* Canonical text (RFC 5952 for IPv6), no zero byte; out has GW_ADDRESS_TEXT_MAX bytes. Returns its
 * length; 0: a kind without a numeric form (a name), or a path that is too long. */
size_t gw_address_format(const gw_address *address, char *out);

/* "10.0.0.1" or "::1": without a port, which is 0 then. GW_EINVAL: neither. */
gw_status gw_ip_parse(gw_str text, gw_address *out) GW_MUST_CHECK;

#endif
