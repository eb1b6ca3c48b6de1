/* openssl.c: OpenSSL for the benchmark. */
#include "library.h"

#include <openssl/crypto.h>
#include <openssl/ssl.h>

static SSL_CTX *contexts[2];
static BIO_METHOD *method;

struct wires {
    struct wire *in, *out;
};

static int bio_read(BIO *bio, char *to, int size)
{
    struct wires *w = BIO_get_data(bio);
    int n = (int)wire_take(w->in, to, (size_t)size);
    BIO_clear_retry_flags(bio);
    if (n == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    return n;
}

static int bio_write(BIO *bio, const char *from, int size)
{
    struct wires *w = BIO_get_data(bio);
    wire_put(w->out, from, (size_t)size);
    return size;
}

static long bio_ctrl(BIO *bio, int what, long number, void *at)
{
    (void)bio;
    (void)number;
    (void)at;
    return what == BIO_CTRL_FLUSH;
}

static int bio_free(BIO *bio)
{
    counted_give(BIO_get_data(bio));
    return 1;
}

static void *take(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return counted_take(size);
}

static void *retake(void *at, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return counted_retake(at, size);
}

static void give(void *at, const char *file, int line)
{
    (void)file;
    (void)line;
    counted_give(at);
}

static int prepare(void)
{
    if (!CRYPTO_set_mem_functions(take, retake, give)) {
        return -1;
    }
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire");
    BIO_meth_set_read(method, bio_read);
    BIO_meth_set_write(method, bio_write);
    BIO_meth_set_ctrl(method, bio_ctrl);
    BIO_meth_set_destroy(method, bio_free);
    return 0;
}

static int open_contexts(const struct terms *t)
{
    for (int server = 0; server < 2; server++) {
        SSL_CTX *c = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
        int version = t->version == 13 ? TLS1_3_VERSION : TLS1_2_VERSION;
        contexts[server] = c;
        if (!c || !SSL_CTX_set_min_proto_version(c, version) ||
            !SSL_CTX_set_max_proto_version(c, version) ||
            !SSL_CTX_set1_groups_list(c, t->p256            ? "P-256"
                                         : t->version == 13 ? "X25519"
                                                            : "X25519:P-256") ||
            !(t->version == 13 ? SSL_CTX_set_ciphersuites(c, t->suite)
                               : SSL_CTX_set_cipher_list(c, t->suite))) {
            return -1;
        }
        SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
        SSL_CTX_set_num_tickets(c, 1);
        SSL_CTX_set_verify(c, server ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    }
    if (SSL_CTX_use_certificate_chain_file(contexts[1], t->cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(contexts[1], t->key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_load_verify_locations(contexts[0], t->cert, NULL) != 1) {
        return -1;
    }
    return 0;
}

static void close_contexts(void)
{
    SSL_CTX_free(contexts[0]);
    SSL_CTX_free(contexts[1]);
}

static void *new_end(int server, struct wire *in, struct wire *out)
{
    SSL *s = SSL_new(contexts[server]);
    struct wires *w = counted_take(sizeof *w);
    BIO *bio = BIO_new(method);
    if (!s || !w || !bio) {
        return NULL;
    }
    *w = (struct wires){ in, out };
    BIO_set_data(bio, w);
    BIO_set_init(bio, 1);
    SSL_set_bio(s, bio, bio);
    if (server) {
        SSL_set_accept_state(s);
    } else {
        SSL_set_connect_state(s);
    }
    return s;
}

static int shake(void *end)
{
    int n = SSL_do_handshake(end);
    return n == 1 ? 1 : SSL_get_error(end, n) == SSL_ERROR_WANT_READ ? 0 : -1;
}

static int write_end(void *end, const void *from, int size)
{
    return SSL_write(end, from, size);
}

static int read_end(void *end, void *to, int size)
{
    int n = SSL_read(end, to, size);
    return n > 0 ? n : 0;
}

static void free_end(void *end)
{
    SSL_free(end);
}

static const char *version(void)
{
    return OpenSSL_version(OPENSSL_VERSION_STRING);
}

const struct library openssl = {
    .name = "OpenSSL",
    .version = version,
    .prepare = prepare,
    .open = open_contexts,
    .close = close_contexts,
    .new_end = new_end,
    .shake = shake,
    .write = write_end,
    .read = read_end,
    .free_end = free_end,
    .suites = { "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                "TLS_CHACHA20_POLY1305_SHA256" },
    .suite12 = "ECDHE-ECDSA-AES128-GCM-SHA256",
};
