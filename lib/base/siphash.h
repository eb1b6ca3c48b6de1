/* base/siphash.h: SipHash-2-4, a keyed hash of short texts: whoever does not know the key can neither
 * foretell nor forge what it makes of a text (Aumasson and Bernstein, 2012). */
#ifndef GW_BASE_SIPHASH_H
#define GW_BASE_SIPHASH_H

#include <gw/env.h>

struct gw_sip_key {
    uint64_t k0, k1;
};
uint64_t gw_siphash(struct gw_sip_key key, gw_str text);

#endif
