/* idle_conns: open N connections, make one request on each, then hold them.
 * usage: idle_conns h1|tls-h1|h2c|tls-h2 PORT N
 * Prints "READY opened failed", then waits for end of file on stdin. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
struct io {
    int fd;
    SSL *s;
};
static int rd(struct io *c, void *b, int n)
{
    return c->s ? SSL_read(c->s, b, n) : (int)recv(c->fd, b, (size_t)n, 0);
}

static int wr(struct io *c, const void *b, int n)
{
    return c->s ? SSL_write(c->s, b, n) : (int)send(c->fd, b, (size_t)n, MSG_NOSIGNAL);
}

static int rdn(struct io *c, unsigned char *b, int n)
{
    int k = 0;
    while (k < n) {
        int r = rd(c, b + k, n - k);
        if (r <= 0)
            return -1;
        k += r;
    }
    return 0;
}

static int h1(struct io *c)
{
    static const char q[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    char b[8192];
    int n = 0;
    if (wr(c, q, sizeof q - 1) <= 0)
        return -1;
    for (;;) {
        int r = rd(c, b + n, (int)sizeof b - 1 - n);
        if (r <= 0)
            return -1;
        n += r;
        b[n] = 0;
        char *e = strstr(b, "\r\n\r\n");
        if (!e)
            continue;
        if (strncmp(b, "HTTP/1.1 200", 12))
            return -1;
        char *cl = strcasestr(b, "content-length:");
        long want = cl && cl < e ? atol(cl + 15) : -1;
        if (want >= 0 ? n - (e + 4 - b) >= want : strstr(e, "\r\n0\r\n\r\n") != NULL)
            return 0;
    }
}

static int h2(struct io *c)
{
    static const unsigned char q[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                                     "\0\0\0\4\0\0\0\0\0"
                                     "\0\0\16\1\5\0\0\0\1"
                                     "\x82\x86\x84\x41\x09localhost";
    unsigned char h[9], b[70000];
    if (wr(c, q, sizeof q - 1) <= 0)
        return -1;
    int acked = 0, done = 0;
    while (!acked || !done) {
        if (rdn(c, h, 9))
            return -1;
        int len = h[0] << 16 | h[1] << 8 | h[2];
        if (len > (int)sizeof b || rdn(c, b, len))
            return -1;
        if (h[3] == 4 && !(h[4] & 1)) {
            if (wr(c, "\0\0\0\4\1\0\0\0\0", 9) <= 0)
                return -1;
            acked = 1;
        }
        if (h[3] == 7 || h[3] == 3)
            return -1;
        if ((h[3] == 0 || h[3] == 1) && (h[4] & 1) && h[8] == 1)
            done = 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    struct rlimit rl;
    getrlimit(RLIMIT_NOFILE, &rl);
    rl.rlim_cur = rl.rlim_max;
    setrlimit(RLIMIT_NOFILE, &rl);
    int tls = !strncmp(argv[1], "tls", 3), is2 = strstr(argv[1], "h2") != NULL, n = atoi(argv[3]),
        bad = 0;
    SSL_CTX *x = NULL;
    if (tls) {
        x = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_min_proto_version(x, TLS1_3_VERSION);
        SSL_CTX_set_mode(x, SSL_MODE_RELEASE_BUFFERS);
        SSL_CTX_set_alpn_protos(x, (const unsigned char *)(is2 ? "\2h2" : "\10http/1.1"),
                                is2 ? 3 : 9);
    }
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_port = htons((uint16_t)atoi(argv[2])),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    for (int i = 0; i < n; i++) {
        struct io c = { .fd = socket(AF_INET, SOCK_STREAM, 0) };
        int one = 1;
        struct timeval tv = { 10, 0 };
        setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
        setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (c.fd < 0 || connect(c.fd, (void *)&a, sizeof a)) {
            bad++;
            if (c.fd >= 0)
                close(c.fd);
            continue;
        }
        if (tls) {
            c.s = SSL_new(x);
            SSL_set_fd(c.s, c.fd);
            SSL_set_tlsext_host_name(c.s, "localhost");
            if (SSL_connect(c.s) != 1) {
                bad++;
                continue;
            }
        }
        if (is2 ? h2(&c) : h1(&c))
            bad++;
        if (bad > 200)
            break;
    }
    printf("READY %d %d\n", n - bad, bad);
    fflush(stdout);
    char b[64];
    while (read(0, b, sizeof b) > 0) {
    }
    return 0;
}
