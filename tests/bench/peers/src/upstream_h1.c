/* upstream_h1: a cheap single-threaded HTTP/1.1 upstream that answers canned
 * bodies.  usage: upstream_h1 PORT [PORT...]
 *   /        100-byte body      /64k  64 KiB      /1m  1 MiB
 *   POST     body is read and dropped, then the 100-byte answer
 * Edge-triggered epoll, one recv and one send a request. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADMAX 16384
struct conn {
    int fd, is_listen;
    const char *out;
    size_t outlen; /* unsent part of a canned answer */
    uint64_t skip; /* request body bytes still to drop */
    int chunked;   /* body is chunked: look for 0\r\n\r\n */
    const char *reply;
    size_t replylen;
    char *part;
    size_t partlen; /* unparsed start of a head */
};
static char *canned[3];
static size_t cannedlen[3];
static char rbuf[262144 + HEADMAX];
static int ep;

static void mk(int i, size_t n)
{
    char *b = malloc(n + 256);
    int h = sprintf(b,
                    "HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: "
                    "text/plain\r\nContent-Length: %zu\r\n\r\n",
                    n);
    for (size_t k = 0; k < n; k++)
        b[h + k] = (char)('a' + k % 26);
    canned[i] = b;
    cannedlen[i] = (size_t)h + n;
}

static void drop(struct conn *c)
{
    close(c->fd);
    free(c->part);
    free(c);
}

static int flush_out(struct conn *c)
{
    while (c->outlen) {
        ssize_t n = send(c->fd, c->out, c->outlen, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno == EAGAIN)
                return 1;
            return -1;
        }
        c->out += n;
        c->outlen -= (size_t)n;
    }
    return 0;
}

static const char *hdr(const char *h, size_t n, const char *name)
{
    size_t l = strlen(name);
    const char *e = h + n;
    for (const char *p = memchr(h, '\n', n); p && p + 1 + l < e;
         p = memchr(p + 1, '\n', (size_t)(e - p - 1)))
        if (!strncasecmp(p + 1, name, l) && p[1 + l] == ':')
            return p + 2 + l;
    return NULL;
}

/* consume as much of [p,p+n) as possible; returns bytes left unparsed, -1 on error */
static ssize_t feed(struct conn *c, const char *p, size_t n)
{
    while (n) {
        if (c->outlen)
            return (ssize_t)n;
        if (c->skip) {
            size_t k = n < c->skip ? n : (size_t)c->skip;
            p += k;
            n -= k;
            c->skip -= k;
            if (c->skip)
                return 0;
            goto answer;
        }
        if (c->chunked) {
            const char *z = memmem(p, n, "0\r\n\r\n", 5);
            if (!z)
                return n > 4 ? 4 : (ssize_t)n;
            n -= (size_t)(z + 5 - p);
            p = z + 5;
            c->chunked = 0;
            goto answer;
        }
        const char *end = memmem(p, n, "\r\n\r\n", 4);
        if (!end)
            return n > HEADMAX ? -1 : (ssize_t)n;
        size_t hl = (size_t)(end + 4 - p);
        const char *sp = memchr(p, ' ', hl);
        int i = 0;
        if (sp) {
            if (sp[1] == '/' && sp[2] == '6')
                i = 1;
            else if (sp[1] == '/' && sp[2] == '1')
                i = 2;
        }
        c->reply = canned[i];
        c->replylen = cannedlen[i];
        if (p[0] == 'P') {
            const char *cl = hdr(p, hl, "content-length");
            if (cl)
                c->skip = strtoull(cl, NULL, 10);
            else if (hdr(p, hl, "transfer-encoding"))
                c->chunked = 1;
        }
        p += hl;
        n -= hl;
        if (c->skip || c->chunked)
            continue;
    answer:
        c->out = c->reply;
        c->outlen = c->replylen;
        if (flush_out(c) < 0)
            return -1;
    }
    return 0;
}

static int on_conn(struct conn *c, uint32_t ev)
{
    if (c->outlen) {
        int r = flush_out(c);
        if (r < 0)
            return -1;
        if (r)
            return 0;
    }
    (void)ev;
    for (;;) {
        size_t have = c->partlen;
        if (have)
            memcpy(rbuf, c->part, have);
        ssize_t n = recv(c->fd, rbuf + have, sizeof rbuf - have, 0);
        if (n == 0)
            return -1;
        if (n < 0) {
            if (errno != EAGAIN)
                return -1;
            if (!have || c->outlen)
                return 0;
            n = 0;
        }
        size_t tot = have + (size_t)n, room = sizeof rbuf - have;
        ssize_t left = feed(c, rbuf, tot);
        if (left < 0 || left > HEADMAX)
            return -1;
        if (left) {
            if (!c->part && !(c->part = malloc(HEADMAX)))
                return -1;
            memmove(c->part, rbuf + tot - left, (size_t)left);
        }
        c->partlen = (size_t)left;
        if (c->outlen)
            return 0;
        if ((size_t)n < room)
            return 0; /* short read: socket is drained */
    }
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    struct rlimit rl;
    getrlimit(RLIMIT_NOFILE, &rl);
    rl.rlim_cur = rl.rlim_max;
    setrlimit(RLIMIT_NOFILE, &rl);
    mk(0, 100);
    mk(1, 65536);
    mk(2, 1048576);
    ep = epoll_create1(0);
    for (int i = 1; i < argc; i++) {
        int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
        setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        struct sockaddr_in a = { .sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)atoi(argv[i])),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        if (bind(s, (void *)&a, sizeof a) || listen(s, 4096)) {
            perror("listen");
            return 1;
        }
        struct conn *c = calloc(1, sizeof *c);
        c->fd = s;
        c->is_listen = 1;
        struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
        epoll_ctl(ep, EPOLL_CTL_ADD, s, &e);
    }
    struct epoll_event ev[512];
    for (;;) {
        int n = epoll_wait(ep, ev, 512, -1);
        for (int i = 0; i < n; i++) {
            struct conn *c = ev[i].data.ptr;
            if (c->is_listen) {
                int f;
                while ((f = accept4(c->fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                    int one = 1;
                    setsockopt(f, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    struct conn *k = calloc(1, sizeof *k);
                    k->fd = f;
                    struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET,
                                             .data.ptr = k };
                    epoll_ctl(ep, EPOLL_CTL_ADD, f, &e);
                }
            } else if (on_conn(c, ev[i].events) < 0)
                drop(c);
        }
    }
}
