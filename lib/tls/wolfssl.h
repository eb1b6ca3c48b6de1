/* tls/wolfssl.h: what the files over wolfSSL share. No other includes it. */
#ifndef GW_TLS_WOLFSSL_H
#define GW_TLS_WOLFSSL_H

#include <wolfssl/options.h> /* first: it says how the library was built */

#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn.h>

#include "tls/provider.h"

/* Of a certificate in DER: parsed, to be given back with gw_wolf_forget. NULL: *error is wolfSSL's. */
DecodedCert *gw_wolf_parse(struct gw_heap *heap, const byte *der, word32 len, int *error)
    GW_MUST_CHECK;
void gw_wolf_forget(struct gw_heap *heap, DecodedCert *cert);
/* The next of its names after at (NULL: the first); false: there is none. The subject's common name is
 * not among them. */
bool gw_wolf_next_name(const DecodedCert *cert, const DNS_entry **at, struct gw_tls_name *out);
/* wolfSSL's words, never empty. */
const char *gw_wolf_text(int error);
/* Called by the library to seal a ticket, and to open one. */
int gw_wolf_ticket(WOLFSSL *ssl, byte *name, byte *iv, byte *mac, int seals, byte *bytes, int len,
                   int *out_len, void *ctx);
/* Called by the library for each certificate of a peer. */
int gw_wolf_verify(int is_good, WOLFSSL_X509_STORE_CTX *store);

#endif
