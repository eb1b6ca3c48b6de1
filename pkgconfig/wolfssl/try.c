/* try.c CERT KEY: a TLS 1.3 and a TLS 1.2 handshake in memory with the library just built, and a record
 * each way. 0: they came about. Says what a session takes. */
#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct wire {
    char bytes[65536];
    size_t used;
};

static struct wire to_server, to_client;
static size_t held; /* bytes of the heap, as the library asked for them */

static void *take(size_t size)
{
    size_t *p = malloc(size + 16);
    if (!p) {
        return NULL;
    }
    *p = size;
    held += size;
    return (char *)p + 16;
}

static void give(void *at)
{
    if (at) {
        size_t *p = (size_t *)(void *)((char *)at - 16);
        held -= *p;
        free(p);
    }
}

static void *retake(void *at, size_t size)
{
    void *p = take(size);
    if (p && at) {
        size_t old = *(size_t *)(void *)((char *)at - 16);
        memcpy(p, at, old < size ? old : size);
        give(at);
    }
    return p;
}

static int read_wire(WOLFSSL *ssl, char *to, int size, void *from)
{
    struct wire *w = from;
    size_t n = w->used < (size_t)size ? w->used : (size_t)size;
    (void)ssl;
    if (n == 0) {
        return WOLFSSL_CBIO_ERR_WANT_READ;
    }
    memcpy(to, w->bytes, n);
    memmove(w->bytes, w->bytes + n, w->used - n);
    w->used -= n;
    return (int)n;
}

static int write_wire(WOLFSSL *ssl, char *from, int size, void *to)
{
    struct wire *w = to;
    (void)ssl;
    if (w->used + (size_t)size > sizeof w->bytes) {
        return WOLFSSL_CBIO_ERR_WANT_WRITE;
    }
    memcpy(w->bytes + w->used, from, (size_t)size);
    w->used += (size_t)size;
    return size;
}

static WOLFSSL *open_end(WOLFSSL_CTX *ctx, struct wire *in, struct wire *out)
{
    WOLFSSL *ssl = wolfSSL_new(ctx);
    if (ssl) {
        wolfSSL_SetIOReadCtx(ssl, in);
        wolfSSL_SetIOWriteCtx(ssl, out);
    }
    return ssl;
}

static int handshake(WOLFSSL_CTX *server_ctx, WOLFSSL_METHOD *method)
{
    WOLFSSL_CTX *client_ctx = wolfSSL_CTX_new(method);
    size_t before = held;
    WOLFSSL *server = open_end(server_ctx, &to_server, &to_client);
    size_t fresh = held - before;
    int server_done = 0, client_done = 0, good = 0;
    char text[8];
    if (!client_ctx || !server) {
        return 0;
    }
    wolfSSL_CTX_set_verify(client_ctx, WOLFSSL_VERIFY_NONE, NULL);
    wolfSSL_SetIORecv(client_ctx, read_wire);
    wolfSSL_SetIOSend(client_ctx, write_wire);
    size_t server_holds = held - before;
    WOLFSSL *client = open_end(client_ctx, &to_client, &to_server);
    for (int turn = 0; client && turn < 8 && !(server_done && client_done); turn++) {
        client_done = client_done || wolfSSL_connect(client) == WOLFSSL_SUCCESS;
        size_t start = held;
        server_done = server_done || wolfSSL_accept(server) == WOLFSSL_SUCCESS;
        server_holds += held - start;
    }
    if (server_done && client_done) {
        (void)wolfSSL_read(client, text, sizeof text); /* a ticket */
        good = wolfSSL_write(client, "ping", 4) == 4 && wolfSSL_read(server, text, 8) == 4 &&
               wolfSSL_write(server, "pong", 4) == 4 && wolfSSL_read(client, text, 8) == 4 &&
               memcmp(text, "pong", 4) == 0;
        printf("%s %s: a session takes %zu bytes at first, %zu after the handshake\n",
               wolfSSL_get_version(server), wolfSSL_get_cipher(server), fresh, server_holds);
    }
    wolfSSL_free(client);
    wolfSSL_free(server);
    wolfSSL_CTX_free(client_ctx);
    to_server.used = to_client.used = 0;
    return good;
}

int main(int argc, char **argv)
{
    if (argc != 3 || wolfSSL_SetAllocators(take, give, retake) != 0 ||
        wolfSSL_Init() != WOLFSSL_SUCCESS) {
        return 2;
    }
    WOLFSSL_CTX *ctx = wolfSSL_CTX_new(wolfTLS_server_method());
    if (!ctx ||
        wolfSSL_CTX_use_certificate_file(ctx, argv[1], WOLFSSL_FILETYPE_PEM) != WOLFSSL_SUCCESS ||
        wolfSSL_CTX_use_PrivateKey_file(ctx, argv[2], WOLFSSL_FILETYPE_PEM) != WOLFSSL_SUCCESS) {
        return 2;
    }
    wolfSSL_SetIORecv(ctx, read_wire);
    wolfSSL_SetIOSend(ctx, write_wire);
#ifdef WOLFSSL_AESNI
    printf("wolfSSL %s with assembly\n", wolfSSL_lib_version());
#else
    printf("wolfSSL %s without assembly\n", wolfSSL_lib_version());
#endif
    int good = handshake(ctx, wolfTLSv1_3_client_method()) &&
               handshake(ctx, wolfTLSv1_2_client_method());
    wolfSSL_CTX_free(ctx);
    wolfSSL_Cleanup();
    return good ? 0 : 1;
}
