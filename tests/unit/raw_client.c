/* unit/raw_client.c: a client of wolfSSL that is not ours; apart, for its headers and those of tests name
 * other things alike. */

#include "raw_client.h"

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

static int take(WOLFSSL *ssl, char *buf, int len, void *ctx)
{
    const struct raw_wire *wire = ctx;
    int n = wire->take(wire->ctx, buf, len);

    (void)ssl;
    return n > 0 ? n : WOLFSSL_CBIO_ERR_WANT_READ;
}

static int give(WOLFSSL *ssl, char *buf, int len, void *ctx)
{
    const struct raw_wire *wire = ctx;

    (void)ssl;
    wire->give(wire->ctx, buf, len);
    return len;
}

void raw_drop(void **session)
{
    if (*session != NULL)
        wolfSSL_SESSION_free(*session);
    *session = NULL;
}

static bool shake_hands(WOLFSSL *ssl, const struct raw_wire *wire)
{
    for (int i = 0; i < 10; i++) {
        bool is_done = wolfSSL_connect(ssl) == WOLFSSL_SUCCESS;
        wire->turn(wire->ctx);
        if (is_done)
            return true;
    }
    return false;
}

void raw_ask_status(const struct raw_wire *wire)
{
    struct raw_wire own = *wire;
    WOLFSSL_CTX *ctx = wolfSSL_CTX_new(wolfTLSv1_2_client_method());
    WOLFSSL *ssl;

    wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_NONE, NULL);
    wolfSSL_CTX_SetIORecv(ctx, take);
    wolfSSL_CTX_SetIOSend(ctx, give);
    (void)wolfSSL_CTX_EnableOCSPStapling(ctx);
    ssl = wolfSSL_new(ctx);
    (void)wolfSSL_UseOCSPStapling(ssl, WOLFSSL_CSR_OCSP, 0);
    wolfSSL_SetIOReadCtx(ssl, &own);
    wolfSSL_SetIOWriteCtx(ssl, &own);
    (void)shake_hands(ssl, wire);
    wolfSSL_free(ssl);
    wolfSSL_CTX_free(ctx);
}

bool raw_connect(const struct raw_wire *wire, void **session)
{
    struct raw_wire own = *wire;
    WOLFSSL_CTX *ctx = wolfSSL_CTX_new(wolfTLSv1_2_client_method());
    WOLFSSL *ssl;
    bool is_done = false;

    wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_NONE, NULL);
    wolfSSL_CTX_SetIORecv(ctx, take);
    wolfSSL_CTX_SetIOSend(ctx, give);
    (void)wolfSSL_CTX_UseSessionTicket(ctx);
    ssl = wolfSSL_new(ctx);
    wolfSSL_SetIOReadCtx(ssl, &own);
    wolfSSL_SetIOWriteCtx(ssl, &own);
    if (*session == NULL || wolfSSL_set_session(ssl, *session) == WOLFSSL_SUCCESS)
        is_done = shake_hands(ssl, wire);
    raw_drop(session);
    *session = wolfSSL_get1_session(ssl);
    wolfSSL_free(ssl);
    wolfSSL_CTX_free(ctx);
    return is_done;
}
