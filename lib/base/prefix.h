/* base/prefix.h: sets of addresses as people write them: "10.0.0.0/8", "2001:db8::/32", one address, or
 * "unix" for everybody on a Unix socket. */
#ifndef GW_BASE_PREFIX_H
#define GW_BASE_PREFIX_H

#include <stdbool.h>

#include "base/address.h"

struct gw_prefix {
    uint8_t kind; /* GW_ADDRESS_IPV4, IPV6, UNIX */
    uint8_t bits;
    uint8_t ip[16];
};

/* GW_EINVAL: none of these, or bits behind the prefix are set ("10.1.2.3/8"): that is a mistake. */
gw_status gw_prefix_parse(gw_str text, struct gw_prefix *out) GW_MUST_CHECK;
/* IPv4 in IPv6 (::ffff:10.0.0.1) is IPv4. */
bool gw_prefix_has(const struct gw_prefix *p, const gw_address *address);

#endif
