/* tls/staple.h: until when an OCSP response holds (RFC 6960, 4.2.1), read from its DER: a server must know,
 * for what is old is worse than nothing. What else it says is the provider's to check. */
#ifndef GW_TLS_STAPLE_H
#define GW_TLS_STAPLE_H

#include <gw/env.h>

/* The nextUpdate of its first certificate: seconds since 1970. false: there is none, or it is no such
 * response. */
bool gw_tls_staple_until(gw_str der, uint64_t *out);

#endif
