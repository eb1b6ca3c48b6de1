/* tls/wolfssl_staple.c: OCSP stapling. The way that both builds have: wolfSSL is made to believe that it asks a
 * responder; the answer is ours. It takes only what is good for that certificate now, and to know that
 * it must have the issuer: without it, or with an answer that it does not like, each client that asks for
 * one would be refused. So all is tried out before a client comes. */

#include "tls/wolfssl_staple.h"

#include <string.h>

#include "base/text.h"

static int answer(void *ctx, const char *url, int url_len, unsigned char *request, int len,
                  unsigned char **out)
{
    const gw_str *staple = ctx;

    (void)url;
    (void)url_len;
    (void)request;
    (void)len;
    *out = (unsigned char *)(uintptr_t)staple->ptr; /* it is read alone */
    return (int)staple->len;
}

static void answered(void *ctx, unsigned char *bytes)
{
    (void)ctx;
    (void)bytes;
}

static gw_str behind_first(gw_str chain)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    bool is_first = true;

    for (size_t at = 0; at + sizeof begin - 1 <= chain.len; at++) {
        if (memcmp(chain.ptr + at, begin, sizeof begin - 1) != 0)
            continue;
        if (!is_first)
            return gw_str_slice(chain, at, chain.len);
        is_first = false;
    }
    return (gw_str){ NULL, 0 };
}

static bool enable(WOLFSSL_CTX *ctx, const gw_str *staple)
{
    static const char url[] = "http://localhost/"; /* nothing is fetched */

    return wolfSSL_CTX_EnableOCSPStapling(ctx) == WOLFSSL_SUCCESS &&
           wolfSSL_CTX_SetOCSP_OverrideURL(ctx, url) == WOLFSSL_SUCCESS &&
           wolfSSL_CTX_EnableOCSP(ctx, WOLFSSL_OCSP_URL_OVERRIDE) == WOLFSSL_SUCCESS &&
           wolfSSL_CTX_SetOCSP_Cb(ctx, answer, answered, (void *)(uintptr_t)staple) ==
               WOLFSSL_SUCCESS;
}

/* As a handshake will. */
static int try_out(WOLFSSL_CTX *ctx, struct gw_heap *heap, gw_str chain)
{
    byte *der = gw_heap_alloc(heap, chain.len);
    int done;

    if (der == NULL)
        return MEMORY_E;
    done = wc_CertPemToDer((const byte *)chain.ptr, (int)chain.len, der, (int)chain.len, CERT_TYPE);
    if (done > 0)
        done = wolfSSL_CertManagerCheckOCSP(wolfSSL_CTX_GetCertManager(ctx), der, done);
    gw_heap_release(heap, der, chain.len);
    return done;
}

const char *gw_wolf_staple(WOLFSSL_CTX *ctx, struct gw_heap *heap, gw_str chain,
                           const gw_str *staple, int *error)
{
    gw_str issuer = behind_first(chain);

    *error = 0;
    if (issuer.len == 0)
        return "it cannot be checked: chain lacks the certificate that signed the first";
    *error = wolfSSL_CTX_load_verify_buffer(ctx, (const byte *)issuer.ptr, (long)issuer.len,
                                            WOLFSSL_FILETYPE_PEM);
    if (*error != WOLFSSL_SUCCESS)
        return "chain cannot be used to check it";
    *error = MEMORY_E;
    if (!enable(ctx, staple))
        return "there is no memory";
    *error = try_out(ctx, heap, chain);
    if (*error != WOLFSSL_SUCCESS)
        return "it is not an OCSP response that is good for this certificate now";
    (void)wolfSSL_CTX_DisableOCSP(ctx); /* that of peers: nobody is asked about them */
    return NULL;
}
