/* relay_epoll: the floor.  A single-threaded layer-4 relay: accept, take a
 * pooled upstream connection, recv/send with no parsing.
 * usage: relay_epoll [-b BUFKIB] [-s] LISTENPORT UPPORT [UPPORT...]
 * Edge-triggered epoll; a short read means "drained", so a small request costs
 * 2 recv + 2 send + a share of one epoll_wait.  -s: splice through a pipe. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

struct side {
    int fd;
    struct side *peer;
    char *pend;
    size_t pendlen, pendoff; /* bytes read here, not yet sent to peer */
    int pipe[2];
    size_t inpipe; /* splice mode */
    uint8_t more, dead, is_up;
    struct side *next;
};
static size_t BUF = 65536;
static char *buf;
static int use_splice;
static int ep, nup, upidx;
static struct sockaddr_in upa[16];
static struct side *pool, *deadlist;
static int npool;

static struct side *new_side(int fd)
{
    struct side *s = calloc(1, sizeof *s);
    s->fd = fd;
    s->pipe[0] = s->pipe[1] = -1;
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = s };
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
    return s;
}

static struct side *new_up(void)
{
    int f = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(f, (void *)&upa[upidx++ % nup], sizeof upa[0])) {
        close(f);
        return NULL;
    }
    fcntl(f, F_SETFL, O_NONBLOCK);
    struct side *s = new_side(f);
    s->is_up = 1;
    return s;
}

static void kill_side(struct side *s)
{
    if (s->dead)
        return;
    s->dead = 1;
    close(s->fd);
    if (s->pipe[0] >= 0) {
        close(s->pipe[0]);
        close(s->pipe[1]);
    }
    free(s->pend);
    s->pend = NULL;
    s->next = deadlist;
    deadlist = s;
}

static void kill_pair(struct side *s)
{
    struct side *p = s->peer;
    kill_side(s);
    if (p) {
        p->peer = NULL;
        kill_side(p);
    }
    s->peer = NULL;
}

static int push_pend(struct side *s)
{
    while (s->pendlen) {
        ssize_t n = send(s->peer->fd, s->pend + s->pendoff, s->pendlen, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN ? 1 : -1;
        s->pendoff += (size_t)n;
        s->pendlen -= (size_t)n;
    }
    return 0;
}

static int pump_splice(struct side *s)
{
    if (s->pipe[0] < 0) {
        if (pipe2(s->pipe, O_NONBLOCK))
            return -1;
        fcntl(s->pipe[1], F_SETPIPE_SZ, (int)(BUF * 4));
    }
    for (;;) {
        while (s->inpipe) {
            ssize_t n = splice(s->pipe[0], NULL, s->peer->fd, NULL, s->inpipe,
                               SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
            if (n < 0)
                return errno == EAGAIN ? 0 : -1;
            s->inpipe -= (size_t)n;
        }
        ssize_t n = splice(s->fd, NULL, s->pipe[1], NULL, BUF * 4,
                           SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (n == 0)
            return -1;
        if (n < 0)
            return errno == EAGAIN ? 0 : -1;
        s->inpipe = (size_t)n;
    }
}

static int pump(struct side *s)
{
    if (use_splice)
        return pump_splice(s);
    if (s->pendlen) {
        int r = push_pend(s);
        if (r)
            return r < 0 ? -1 : 0;
    }
    for (;;) {
        ssize_t n = recv(s->fd, buf, BUF, 0);
        if (n == 0)
            return -1;
        if (n < 0) {
            s->more = 0;
            return errno == EAGAIN ? 0 : -1;
        }
        s->more = (size_t)n == BUF;
        ssize_t m = send(s->peer->fd, buf, (size_t)n, MSG_NOSIGNAL);
        if (m < 0) {
            if (errno != EAGAIN)
                return -1;
            m = 0;
        }
        if (m < n) {
            if (!s->pend)
                s->pend = malloc(BUF);
            memcpy(s->pend, buf + m, (size_t)(n - m));
            s->pendoff = 0;
            s->pendlen = (size_t)(n - m);
            s->more = 1;
            return 0;
        }
        if (!s->more)
            return 0;
    }
}

int main(int argc, char **argv)
{
    int o;
    while ((o = getopt(argc, argv, "b:s")) != -1) {
        if (o == 'b')
            BUF = (size_t)atoi(optarg) * 1024;
        else if (o == 's')
            use_splice = 1;
    }
    buf = malloc(BUF);
    signal(SIGPIPE, SIG_IGN);
    struct rlimit rl;
    getrlimit(RLIMIT_NOFILE, &rl);
    rl.rlim_cur = rl.rlim_max;
    setrlimit(RLIMIT_NOFILE, &rl);
    ep = epoll_create1(0);
    int lp = atoi(argv[optind++]);
    for (; optind < argc && nup < 16; optind++)
        upa[nup++] = (struct sockaddr_in){ .sin_family = AF_INET,
                                           .sin_port = htons((uint16_t)atoi(argv[optind])),
                                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    for (int i = 0; i < 128; i++) {
        struct side *s = new_up();
        if (!s)
            break;
        s->next = pool;
        pool = s;
        npool++;
    }
    int l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_port = htons((uint16_t)lp),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    if (bind(l, (void *)&a, sizeof a) || listen(l, 4096)) {
        perror("listen");
        return 1;
    }
    struct epoll_event le = { .events = EPOLLIN, .data.ptr = NULL };
    epoll_ctl(ep, EPOLL_CTL_ADD, l, &le);
    struct epoll_event ev[512];
    for (;;) {
        int n = epoll_wait(ep, ev, 512, -1);
        for (int i = 0; i < n; i++) {
            struct side *s = ev[i].data.ptr;
            uint32_t e = ev[i].events;
            if (!s) {
                int f;
                while ((f = accept4(l, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                    struct side *u = pool;
                    if (u) {
                        pool = u->next;
                        npool--;
                    } else
                        u = new_up();
                    if (!u) {
                        close(f);
                        continue;
                    }
                    struct side *c = new_side(f);
                    c->peer = u;
                    u->peer = c;
                }
                continue;
            }
            if (s->dead || !s->peer)
                continue;
            if (e & EPOLLIN) {
                if (pump(s) < 0) {
                    kill_pair(s);
                    continue;
                }
            } else if (e & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
                kill_pair(s);
                continue;
            }
            if ((e & EPOLLOUT) && (use_splice ? s->peer->inpipe > 0 : s->peer->pendlen > 0)) {
                if (pump(s->peer) < 0)
                    kill_pair(s);
            }
        }
        while (deadlist) {
            struct side *d = deadlist;
            deadlist = d->next;
            free(d);
        }
    }
}
