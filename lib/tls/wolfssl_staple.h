/* tls/wolfssl_staple.h: a staple in a server's context. Only files over wolfSSL include it. */
#ifndef GW_TLS_WOLFSSL_STAPLE_H
#define GW_TLS_WOLFSSL_STAPLE_H

#include "tls/wolfssl.h"

/* From here on ctx sends it to who asks. chain: PEM, the issuer behind the certificate. Lives as long as ctx:
 * staple. Else why it cannot be used; error: wolfSSL's, or 0. */
const char *gw_wolf_staple(WOLFSSL_CTX *ctx, struct gw_heap *heap, gw_str chain,
                           const gw_str *staple, int *error);

#endif
