/* upstream_grpc: a cheap single-threaded gRPC-like upstream (h2c prior
 * knowledge, nghttp2).  Each request is answered with HEADERS, one DATA frame
 * of a 5-byte prefix + 100 bytes, and trailers grpc-status: 0.
 * usage: upstream_grpc PORT [PORT...] */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define MSG 105
struct conn {
    int fd, is_listen;
    nghttp2_session *s;
    char *out;
    size_t outlen, outoff, cap;
};
static char rbuf[262144];
static uint8_t msg[MSG];
static nghttp2_session_callbacks *cbs;
#define NV(n, v)                                                                                   \
    {                                                                                              \
        (uint8_t *)n, (uint8_t *)v, sizeof n - 1, sizeof v - 1,                                    \
            NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE                           \
    }
static nghttp2_nv head[] = { NV(":status", "200"), NV("content-type", "application/grpc") };
static nghttp2_nv trail[] = { NV("grpc-status", "0"), NV("grpc-message", "") };

static ssize_t body(nghttp2_session *s, int32_t id, uint8_t *b, size_t len, uint32_t *fl,
                    nghttp2_data_source *src, void *u)
{
    (void)src;
    (void)u;
    (void)len;
    memcpy(b, msg, MSG);
    *fl |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    nghttp2_submit_trailer(s, id, trail, 1);
    return MSG;
}

static int on_frame(nghttp2_session *s, const nghttp2_frame *f, void *u)
{
    (void)u;
    if ((f->hd.type == NGHTTP2_HEADERS || f->hd.type == NGHTTP2_DATA) &&
        (f->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
        nghttp2_data_provider p = { .read_callback = body };
        nghttp2_submit_response(s, f->hd.stream_id, head, 2, &p);
    }
    return 0;
}

static int flush(struct conn *c)
{
    for (;;) {
        while (c->outlen < 131072) {
            const uint8_t *d;
            ssize_t n = nghttp2_session_mem_send(c->s, &d);
            if (n < 0)
                return -1;
            if (!n)
                break;
            if (c->outoff && c->outoff + c->outlen + (size_t)n > c->cap) {
                memmove(c->out, c->out + c->outoff, c->outlen);
                c->outoff = 0;
            }
            if (c->outoff + c->outlen + (size_t)n > c->cap) {
                c->cap = (c->outoff + c->outlen + (size_t)n) * 2;
                c->out = realloc(c->out, c->cap);
            }
            memcpy(c->out + c->outoff + c->outlen, d, (size_t)n);
            c->outlen += (size_t)n;
        }
        if (!c->outlen)
            return 0;
        ssize_t n = send(c->fd, c->out + c->outoff, c->outlen, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN ? 0 : -1;
        c->outoff += (size_t)n;
        c->outlen -= (size_t)n;
        if (!c->outlen)
            c->outoff = 0;
    }
}

static int on_conn(struct conn *c, uint32_t ev)
{
    if (ev & (EPOLLIN | EPOLLHUP | EPOLLERR))
        for (;;) {
            ssize_t n = recv(c->fd, rbuf, sizeof rbuf, 0);
            if (n == 0)
                return -1;
            if (n < 0) {
                if (errno == EAGAIN)
                    break;
                return -1;
            }
            if (nghttp2_session_mem_recv(c->s, (uint8_t *)rbuf, (size_t)n) < 0)
                return -1;
            if ((size_t)n < sizeof rbuf)
                break;
        }
    if (flush(c) < 0)
        return -1;
    return !nghttp2_session_want_read(c->s) && !nghttp2_session_want_write(c->s) ? -1 : 0;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    struct rlimit rl;
    getrlimit(RLIMIT_NOFILE, &rl);
    rl.rlim_cur = rl.rlim_max;
    setrlimit(RLIMIT_NOFILE, &rl);
    msg[4] = MSG - 5;
    memset(msg + 5, 'x', MSG - 5);
    nghttp2_session_callbacks_new(&cbs);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cbs, on_frame);
    int ep = epoll_create1(0);
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
                    nghttp2_session_server_new(&k->s, cbs, k);
                    nghttp2_settings_entry se[] = {
                        { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1000 },
                        { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20 }
                    };
                    nghttp2_submit_settings(k->s, 0, se, 2);
                    nghttp2_session_set_local_window_size(k->s, 0, 0, 16 << 20);
                    struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET,
                                             .data.ptr = k };
                    epoll_ctl(ep, EPOLL_CTL_ADD, f, &e);
                    flush(k);
                }
            } else if (on_conn(c, ev[i].events) < 0) {
                nghttp2_session_del(c->s);
                close(c->fd);
                free(c->out);
                free(c);
            }
        }
    }
}
