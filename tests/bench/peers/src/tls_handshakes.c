/* tls_handshakes: a new TCP connection and a full TLS 1.3 handshake for every
 * request (no resumption), one GET / on it, then close.
 * usage: tls_handshakes PORT SECONDS THREADS [GROUPS]
 * Prints one JSON line:
 * {"requests":..,"errors":..,"seconds":..,"p50_us":..,"p99_us":..,"cipher":..,"group":..} */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
static SSL_CTX *X;
static struct sockaddr_in A;
static double until;
static char cipher[64];
static int group;
struct th {
    pthread_t t;
    long ok, bad;
    uint32_t *lat;
    size_t nlat;
};
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int one_req(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1, rc = -1;
    struct linger lg = { 1, 0 };
    struct timeval tv = { 5, 0 };
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    if (connect(fd, (void *)&A, sizeof A)) {
        close(fd);
        return -1;
    }
    SSL *s = SSL_new(X);
    SSL_set_fd(s, fd);
    SSL_set_tlsext_host_name(s, "localhost");
    if (SSL_connect(s) == 1) {
        static const char q[] = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        char b[4096];
        int n = 0, r;
        if (!cipher[0]) {
            snprintf(cipher, sizeof cipher, "%s", SSL_get_cipher(s));
            group = (int)SSL_get_negotiated_group(s);
        }
        if (SSL_write(s, q, sizeof q - 1) > 0) {
            while (n < (int)sizeof b - 1 && (r = SSL_read(s, b + n, (int)sizeof b - 1 - n)) > 0)
                n += r;
            b[n] = 0;
            if (!strncmp(b, "HTTP/1.1 200", 12))
                rc = 0;
        }
    }
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &lg, sizeof lg); /* no TIME_WAIT pile-up */
    SSL_free(s);
    close(fd);
    return rc;
}

static void *run(void *p)
{
    struct th *t = p;
    double t0;
    while ((t0 = now()) < until) {
        if (one_req()) {
            if (++t->bad > 1000)
                break;
        } else {
            t->ok++;
            if (t->nlat < 200000)
                t->lat[t->nlat++] = (uint32_t)((now() - t0) * 1e6);
        }
    }
    return NULL;
}

static int cmp(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    int nt = atoi(argv[3]);
    struct th *t = calloc((size_t)nt, sizeof *t);
    X = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(X, TLS1_3_VERSION);
    SSL_CTX_set_session_cache_mode(X, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_protos(X, (const unsigned char *)"\10http/1.1", 9);
    if (argc > 4)
        SSL_CTX_set1_groups_list(X, argv[4]);
    A = (struct sockaddr_in){ .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)atoi(argv[1])),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    double t0 = now();
    until = t0 + atof(argv[2]);
    for (int i = 0; i < nt; i++) {
        t[i].lat = malloc(200000 * 4);
        pthread_create(&t[i].t, NULL, run, &t[i]);
    }
    long ok = 0, bad = 0;
    size_t nl = 0;
    for (int i = 0; i < nt; i++) {
        pthread_join(t[i].t, NULL);
        ok += t[i].ok;
        bad += t[i].bad;
        nl += t[i].nlat;
    }
    uint32_t *l = malloc((nl + 1) * 4);
    size_t k = 0;
    for (int i = 0; i < nt; i++) {
        memcpy(l + k, t[i].lat, t[i].nlat * 4);
        k += t[i].nlat;
    }
    qsort(l, nl, 4, cmp);
    printf("{\"requests\":%ld,\"errors\":%ld,\"seconds\":%.3f,\"p50_us\":%u,\"p99_us\":%u,"
           "\"cipher\":\"%s\",\"group\":%d}\n",
           ok, bad, now() - t0, nl ? l[nl / 2] : 0, nl ? l[nl * 99 / 100] : 0, cipher, group);
    return 0;
}
