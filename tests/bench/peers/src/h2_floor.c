/* h2_floor: what nghttp2 itself costs.  A minimal h2c -> h2c proxy: no routing,
 * no limits, no errors worth the name; one upstream connection an endpoint,
 * round robin, every connection's output coalesced into one send a loop turn.
 * usage: h2_floor LISTENPORT UPPORT [UPPORT...] */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
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

#define MAXNV 48
#define ARENA 3072
struct conn {
    int fd;
    nghttp2_session *s;
    char *out;
    size_t len, off, cap;
    struct conn *next;
    uint8_t is_up, dirty, dead;
};
struct list {
    nghttp2_nv nv[MAXNV];
    int n;
};
struct half {
    struct list h, t;
    char *d;
    size_t len, off, cap;
    uint8_t eof, started, trailers;
};
struct stream {
    struct conn *down, *up;
    int32_t did, uid;
    int refs;
    struct stream *next;
    size_t used;
    struct half rq, rs;
    char arena[ARENA];
};
static char rbuf[262144];
static int ep, nup, turn;
static struct conn *ups[16], *dirty;
static struct stream *freelist;
static nghttp2_session_callbacks *scb, *ccb;

static void mark(struct conn *c)
{
    if (!c->dirty) {
        c->dirty = 1;
        c->next = dirty;
        dirty = c;
    }
}

static struct stream *st_new(void)
{
    struct stream *s = freelist;
    char *a = NULL, *b = NULL;
    size_t ac = 0, bc = 0;
    if (s) {
        freelist = s->next;
        a = s->rq.d;
        ac = s->rq.cap;
        b = s->rs.d;
        bc = s->rs.cap;
    } else
        s = malloc(sizeof *s);
    s->used = 0;
    s->refs = 1;
    s->down = s->up = NULL;
    s->rq.h.n = s->rq.t.n = s->rs.h.n = s->rs.t.n = 0;
    s->rq.d = a;
    s->rq.cap = ac;
    s->rs.d = b;
    s->rs.cap = bc;
    s->rq.len = s->rq.off = s->rs.len = s->rs.off = 0;
    s->rq.eof = s->rq.started = s->rq.trailers = s->rs.eof = s->rs.started = s->rs.trailers = 0;
    return s;
}

static void st_put(struct stream *s)
{
    if (!--s->refs) {
        s->next = freelist;
        freelist = s;
    }
}

static void add(struct stream *s, struct list *l, const uint8_t *n, size_t nl, const uint8_t *v,
                size_t vl)
{
    if (l->n == MAXNV || s->used + nl + vl > ARENA)
        return;
    char *p = s->arena + s->used;
    s->used += nl + vl;
    memcpy(p, n, nl);
    memcpy(p + nl, v, vl);
    l->nv[l->n++] = (nghttp2_nv){ (uint8_t *)p, (uint8_t *)p + nl, nl, vl,
                                  NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE };
}

static ssize_t give(struct half *h, nghttp2_session *s, int32_t id, uint8_t *b, size_t cap,
                    uint32_t *fl)
{
    size_t k = h->len - h->off;
    if (k > cap)
        k = cap;
    memcpy(b, h->d + h->off, k);
    h->off += k;
    if (h->off == h->len) {
        h->off = h->len = 0;
        if (h->eof) {
            *fl |= NGHTTP2_DATA_FLAG_EOF;
            if (h->trailers) {
                *fl |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
                nghttp2_submit_trailer(s, id, h->t.nv, (size_t)h->t.n);
            }
        } else if (!k)
            return NGHTTP2_ERR_DEFERRED;
    }
    return (ssize_t)k;
}

static ssize_t rd_rq(nghttp2_session *s, int32_t id, uint8_t *b, size_t cap, uint32_t *fl,
                     nghttp2_data_source *src, void *u)
{
    (void)u;
    return give(&((struct stream *)src->ptr)->rq, s, id, b, cap, fl);
}

static ssize_t rd_rs(nghttp2_session *s, int32_t id, uint8_t *b, size_t cap, uint32_t *fl,
                     nghttp2_data_source *src, void *u)
{
    (void)u;
    return give(&((struct stream *)src->ptr)->rs, s, id, b, cap, fl);
}

static int on_begin(nghttp2_session *s, const nghttp2_frame *f, void *u)
{
    if (f->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct stream *t = st_new();
    t->down = u;
    t->did = f->hd.stream_id;
    nghttp2_session_set_stream_user_data(s, t->did, t);
    return 0;
}

static int on_header(nghttp2_session *s, const nghttp2_frame *f, const uint8_t *n, size_t nl,
                     const uint8_t *v, size_t vl, uint8_t fl, void *u)
{
    struct stream *t = nghttp2_session_get_stream_user_data(s, f->hd.stream_id);
    (void)fl;
    if (!t)
        return 0;
    struct half *h = ((struct conn *)u)->is_up ? &t->rs : &t->rq;
    add(t, h->started ? &h->t : &h->h, n, nl, v, vl);
    return 0;
}

static int on_data(nghttp2_session *s, uint8_t fl, int32_t id, const uint8_t *d, size_t len,
                   void *u)
{
    struct stream *t = nghttp2_session_get_stream_user_data(s, id);
    (void)fl;
    if (!t)
        return 0;
    struct half *h = ((struct conn *)u)->is_up ? &t->rs : &t->rq;
    if (h->len + len > h->cap) {
        h->cap = (h->len + len) * 2;
        h->d = realloc(h->d, h->cap);
    }
    memcpy(h->d + h->len, d, len);
    h->len += len;
    return 0;
}

static int on_frame(nghttp2_session *s, const nghttp2_frame *f, void *u)
{
    struct conn *c = u;
    if (f->hd.type > 1)
        return 0;
    struct stream *t = nghttp2_session_get_stream_user_data(s, f->hd.stream_id);
    if (!t)
        return 0;
    struct half *h = c->is_up ? &t->rs : &t->rq;
    int end = f->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (end) {
        h->eof = 1;
        if (f->hd.type == 1 && h->started)
            h->trailers = 1;
    }
    struct conn *o;
    if (f->hd.type == 1 && !h->started) {
        h->started = 1;
        nghttp2_data_provider p = { .source.ptr = t, .read_callback = c->is_up ? rd_rs : rd_rq };
        if (!c->is_up) {
            t->up = o = ups[turn++ % nup];
            t->uid = nghttp2_submit_request(o->s, NULL, h->h.nv, (size_t)h->h.n, end ? NULL : &p,
                                            t);
            t->refs++;
        } else {
            o = t->down;
            if (!o || o->dead)
                return 0;
            nghttp2_submit_response(o->s, t->did, h->h.nv, (size_t)h->h.n, end ? NULL : &p);
        }
    } else {
        o = c->is_up ? t->down : t->up;
        if (!o || o->dead)
            return 0;
        nghttp2_session_resume_data(o->s, c->is_up ? t->did : t->uid);
    }
    mark(o);
    return 0;
}

static int on_close(nghttp2_session *s, int32_t id, uint32_t ec, void *u)
{
    struct stream *t = nghttp2_session_get_stream_user_data(s, id);
    (void)ec;
    if (!t)
        return 0;
    if (((struct conn *)u)->is_up)
        t->up = NULL;
    else
        t->down = NULL;
    st_put(t);
    return 0;
}

static void flush(struct conn *c)
{
    c->dirty = 0;
    if (c->dead)
        return;
    for (;;) {
        while (c->len < 131072) {
            const uint8_t *d;
            ssize_t n = nghttp2_session_mem_send(c->s, &d);
            if (n <= 0)
                break;
            if (c->off + c->len + (size_t)n > c->cap) {
                memmove(c->out, c->out + c->off, c->len);
                c->off = 0;
                if (c->len + (size_t)n > c->cap) {
                    c->cap = (c->len + (size_t)n) * 2;
                    c->out = realloc(c->out, c->cap);
                }
            }
            memcpy(c->out + c->off + c->len, d, (size_t)n);
            c->len += (size_t)n;
        }
        if (!c->len)
            return;
        ssize_t n = send(c->fd, c->out + c->off, c->len, MSG_NOSIGNAL);
        if (n < 0)
            return;
        c->off += (size_t)n;
        c->len -= (size_t)n;
        if (!c->len)
            c->off = 0;
    }
}

static struct conn *mk(int fd, int is_up)
{
    struct conn *c = calloc(1, sizeof *c);
    int one = 1;
    c->fd = fd;
    c->is_up = (uint8_t)is_up;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    nghttp2_option *o;
    nghttp2_option_new(&o);
    nghttp2_option_set_no_closed_streams(o, 1);
    if (is_up)
        nghttp2_session_client_new2(&c->s, ccb, c, o);
    else
        nghttp2_session_server_new2(&c->s, scb, c, o);
    nghttp2_option_del(o);
    nghttp2_settings_entry se[] = { { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1000 },
                                    { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20 } };
    nghttp2_submit_settings(c->s, 0, se, 2);
    nghttp2_session_set_local_window_size(c->s, 0, 0, 16 << 20);
    struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c };
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
    mark(c);
    return c;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    ep = epoll_create1(0);
    nghttp2_session_callbacks_new(&scb);
    nghttp2_session_callbacks_new(&ccb);
    for (int i = 0; i < 2; i++) {
        nghttp2_session_callbacks *b = i ? ccb : scb;
        nghttp2_session_callbacks_set_on_begin_headers_callback(b, on_begin);
        nghttp2_session_callbacks_set_on_header_callback(b, on_header);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(b, on_data);
        nghttp2_session_callbacks_set_on_frame_recv_callback(b, on_frame);
        nghttp2_session_callbacks_set_on_stream_close_callback(b, on_close);
    }
    for (int i = 2; i < argc; i++) {
        int f = socket(AF_INET, SOCK_STREAM, 0);
        struct sockaddr_in a = { .sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)atoi(argv[i])),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        if (connect(f, (void *)&a, sizeof a)) {
            perror("connect");
            return 1;
        }
        ups[nup++] = mk(f, 1);
    }
    int l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_port = htons((uint16_t)atoi(argv[1])),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    if (bind(l, (void *)&a, sizeof a) || listen(l, 4096)) {
        perror("listen");
        return 1;
    }
    struct epoll_event le = { .events = EPOLLIN };
    epoll_ctl(ep, EPOLL_CTL_ADD, l, &le);
    struct epoll_event ev[512];
    for (;;) {
        while (dirty) {
            struct conn *c = dirty;
            dirty = c->next;
            flush(c);
        }
        int n = epoll_wait(ep, ev, 512, -1);
        for (int i = 0; i < n; i++) {
            struct conn *c = ev[i].data.ptr;
            if (!c) {
                int f;
                while ((f = accept(l, NULL, NULL)) >= 0)
                    mk(f, 0);
                continue;
            }
            if (c->dead)
                continue;
            if (ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                for (;;) {
                    ssize_t k = recv(c->fd, rbuf, sizeof rbuf, 0);
                    if (k < 0 && errno == EAGAIN)
                        break;
                    if (k <= 0 || nghttp2_session_mem_recv(c->s, (uint8_t *)rbuf, (size_t)k) < 0) {
                        if (c->is_up)
                            return 1;
                        c->dead = 1;
                        close(c->fd);
                        nghttp2_session_del(c->s);
                        c->s = NULL;
                        free(c->out);
                        break; /* conn itself is leaked: a floor, not a product */
                    }
                    if ((size_t)k < sizeof rbuf)
                        break;
                }
            if (!c->dead)
                mark(c);
        }
    }
}
