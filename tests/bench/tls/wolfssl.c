/* wolfssl.c: the wolfSSL that this is linked with, for the benchmark. */
#define WOLFSSL_OPTIONS_IGNORE_SYS
#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

#include "library.h"

static WOLFSSL_CTX *contexts[2];

static int read_wire(WOLFSSL *ssl, char *to, int size, void *from)
{
    int n = (int)wire_take(from, to, (size_t)size);
    (void)ssl;
    return n > 0 ? n : WOLFSSL_CBIO_ERR_WANT_READ;
}

static int write_wire(WOLFSSL *ssl, char *from, int size, void *to)
{
    (void)ssl;
    wire_put(to, from, (size_t)size);
    return size;
}

static int prepare(void)
{
    return wolfSSL_SetAllocators(counted_take, counted_give, counted_retake) == 0 &&
                   wolfSSL_Init() == WOLFSSL_SUCCESS
               ? 0
               : -1;
}

static int open_contexts(const struct terms *t)
{
    /* TLS 1.2 wants the curve of the certificate among the groups. */
    int groups[] = { t->p256 ? WOLFSSL_ECC_SECP256R1 : WOLFSSL_ECC_X25519, WOLFSSL_ECC_SECP256R1 };
    int count = !t->p256 && t->version == 12 ? 2 : 1;
    for (int server = 0; server < 2; server++) {
        WOLFSSL_METHOD *method = server             ? wolfTLS_server_method()
                                 : t->version == 13 ? wolfTLSv1_3_client_method()
                                                    : wolfTLSv1_2_client_method();
        WOLFSSL_CTX *c = wolfSSL_CTX_new(method);
        contexts[server] = c;
        if (!c || wolfSSL_CTX_set_cipher_list(c, t->suite) != WOLFSSL_SUCCESS ||
            (t->version == 13 && wolfSSL_CTX_set_groups(c, groups, count) != WOLFSSL_SUCCESS)) {
            return -1;
        }
        for (int i = 0; t->version == 12 && i < count; i++) {
            if (wolfSSL_CTX_UseSupportedCurve(c, (word16)groups[i]) != WOLFSSL_SUCCESS) {
                return -1;
            }
        }
        wolfSSL_SetIORecv(c, read_wire);
        wolfSSL_SetIOSend(c, write_wire);
        wolfSSL_CTX_set_group_messages(c);
        wolfSSL_CTX_set_session_cache_mode(c, WOLFSSL_SESS_CACHE_OFF);
        wolfSSL_CTX_set_verify(c, server ? WOLFSSL_VERIFY_NONE : WOLFSSL_VERIFY_PEER, NULL);
    }
    if (wolfSSL_CTX_use_certificate_chain_file(contexts[1], t->cert) != WOLFSSL_SUCCESS ||
        wolfSSL_CTX_use_PrivateKey_file(contexts[1], t->key, WOLFSSL_FILETYPE_PEM) !=
            WOLFSSL_SUCCESS ||
        wolfSSL_CTX_load_verify_locations(contexts[0], t->cert, NULL) != WOLFSSL_SUCCESS) {
        return -1;
    }
    return 0;
}

static void close_contexts(void)
{
    wolfSSL_CTX_free(contexts[0]);
    wolfSSL_CTX_free(contexts[1]);
}

static void *new_end(int server, struct wire *in, struct wire *out)
{
    WOLFSSL *s = wolfSSL_new(contexts[server]);
    if (!s) {
        return NULL;
    }
    wolfSSL_SetIOReadCtx(s, in);
    wolfSSL_SetIOWriteCtx(s, out);
    return s;
}

static int shake(void *end)
{
    int n = wolfSSL_negotiate(end);
    return n == WOLFSSL_SUCCESS ? 1 : wolfSSL_get_error(end, n) == WOLFSSL_ERROR_WANT_READ ? 0 : -1;
}

static int write_end(void *end, const void *from, int size)
{
    return wolfSSL_write(end, from, size);
}

static int read_end(void *end, void *to, int size)
{
    int n = wolfSSL_read(end, to, size);
    return n > 0 ? n : 0;
}

static void free_end(void *end)
{
    wolfSSL_free(end);
}

const struct library wolfssl = {
#ifdef GW_WOLFSSL_REBUILT
    .name = "wolfSSL, rebuilt",
#else
    .name = "wolfSSL, Debian's",
#endif
    .version = wolfSSL_lib_version,
    .prepare = prepare,
    .open = open_contexts,
    .close = close_contexts,
    .new_end = new_end,
    .shake = shake,
    .write = write_end,
    .read = read_end,
    .free_end = free_end,
    .suites = { "TLS13-AES128-GCM-SHA256", "TLS13-AES256-GCM-SHA384",
                "TLS13-CHACHA20-POLY1305-SHA256" },
    .suite12 = "ECDHE-ECDSA-AES128-GCM-SHA256",
};
