/* relay_uring: the second floor.  The same relay on io_uring: multishot accept,
 * multishot recv into a provided-buffer ring, sends from the same buffers,
 * registered files, one io_uring_enter a batch (DEFER_TASKRUN).
 * usage: relay_uring [-b BUFKIB] [-n NBUF] LISTENPORT UPPORT [UPPORT...] */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OP_ACCEPT = 1, OP_RECV, OP_SEND };
struct side {
    int slot;
    struct side *peer;
    /* queue of received buffers waiting to go out on this socket */
    uint16_t *q_bid;
    uint32_t *q_len;
    unsigned qh, qt, qcap;
    uint8_t sending, closing, recv_on;
    unsigned refs;
};
static unsigned BUFSZ = 16384, NBUF = 1024; /* NBUF: power of two */
static struct io_uring R;
static struct io_uring_buf_ring *br;
static char *bufs;
static struct side *sides;
static int nslots;
static int *freeslots, nfree;
static int nup, upidx;
static struct sockaddr_in upa[16];
static int poolslot[4096], npool;

static uint64_t tag(int slot, int op)
{
    return ((uint64_t)op << 32) | (uint32_t)slot;
}

static struct io_uring_sqe *sqe(void)
{
    struct io_uring_sqe *s = io_uring_get_sqe(&R);
    while (!s) {
        io_uring_submit(&R);
        s = io_uring_get_sqe(&R);
    }
    return s;
}

static void recycle(unsigned bid)
{
    io_uring_buf_ring_add(br, bufs + (size_t)bid * BUFSZ, BUFSZ, (unsigned short)bid,
                          (int)(NBUF - 1), 0);
    io_uring_buf_ring_advance(br, 1);
}

static void arm_recv(int slot)
{
    struct io_uring_sqe *s = sqe();
    io_uring_prep_recv_multishot(s, slot, NULL, 0, 0);
    s->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
    s->buf_group = 0;
    io_uring_sqe_set_data64(s, tag(slot, OP_RECV));
    sides[slot].recv_on = 1;
    sides[slot].refs++;
}

static void start_send(int slot)
{
    struct side *d = &sides[slot];
    unsigned k = d->qh & (d->qcap - 1);
    struct io_uring_sqe *s = sqe();
    io_uring_prep_send(s, slot, bufs + (size_t)d->q_bid[k] * BUFSZ, d->q_len[k],
                       MSG_NOSIGNAL | MSG_WAITALL);
    s->flags |= IOSQE_FIXED_FILE;
    io_uring_sqe_set_data64(s, tag(slot, OP_SEND));
    d->sending = 1;
    d->refs++;
}

static void enqueue(int slot, unsigned bid, unsigned len)
{
    struct side *d = &sides[slot];
    if (d->qt - d->qh == d->qcap) {
        unsigned nc = d->qcap ? d->qcap * 2 : 8;
        uint16_t *nb = malloc(nc * sizeof *nb);
        uint32_t *nl = malloc(nc * sizeof *nl);
        unsigned n = 0;
        for (unsigned i = d->qh; i != d->qt; i++, n++) {
            nb[n] = d->q_bid[i & (d->qcap - 1)];
            nl[n] = d->q_len[i & (d->qcap - 1)];
        }
        free(d->q_bid);
        free(d->q_len);
        d->q_bid = nb;
        d->q_len = nl;
        d->qcap = nc;
        d->qh = 0;
        d->qt = n;
    }
    d->q_bid[d->qt & (d->qcap - 1)] = (uint16_t)bid;
    d->q_len[d->qt & (d->qcap - 1)] = len;
    d->qt++;
    if (!d->sending)
        start_send(slot);
}

static void shut(int slot)
{
    struct side *s = &sides[slot];
    if (s->closing)
        return;
    s->closing = 1;
    int m1 = -1;
    struct io_uring_sqe *q = sqe();
    (void)m1;
    io_uring_prep_shutdown(q, slot, SHUT_RDWR);
    q->flags |= IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS;
    io_uring_sqe_set_data64(q, 0);
}

static void maybe_free(int slot)
{
    struct side *s = &sides[slot];
    if (!s->closing || s->refs)
        return;
    while (s->qh != s->qt) {
        recycle(s->q_bid[s->qh & (s->qcap - 1)]);
        s->qh++;
    }
    struct io_uring_sqe *q = sqe();
    io_uring_prep_close_direct(q, (unsigned)slot);
    q->flags |= IOSQE_CQE_SKIP_SUCCESS;
    io_uring_sqe_set_data64(q, 0);
    if (s->peer) {
        s->peer->peer = NULL;
    }
    free(s->q_bid);
    free(s->q_len);
    memset(s, 0, sizeof *s);
}

static int reg(int fd, int slot)
{
    int r = io_uring_register_files_update(&R, (unsigned)slot, &fd, 1);
    close(fd);
    return r;
}

static int take_slot(void)
{
    return freeslots[--nfree];
}

static int new_up(void)
{
    int f = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (connect(f, (void *)&upa[upidx++ % nup], sizeof upa[0])) {
        close(f);
        return -1;
    }
    setsockopt(f, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    int s = take_slot();
    if (reg(f, s) < 0)
        return -1;
    sides[s].slot = s;
    return s;
}

int main(int argc, char **argv)
{
    int o;
    while ((o = getopt(argc, argv, "b:n:")) != -1) {
        if (o == 'b')
            BUFSZ = (unsigned)atoi(optarg) * 1024;
        else
            NBUF = (unsigned)atoi(optarg);
    }
    signal(SIGPIPE, SIG_IGN);
    struct rlimit rl;
    getrlimit(RLIMIT_NOFILE, &rl);
    rl.rlim_cur = rl.rlim_max;
    setrlimit(RLIMIT_NOFILE, &rl);
    nslots = (int)rl.rlim_max - 64;
    if (nslots > 65536)
        nslots = 65536;
    struct io_uring_params p = { .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                          IORING_SETUP_CQSIZE,
                                 .cq_entries = 16384 };
    int r = io_uring_queue_init_params(2048, &R, &p);
    if (r) {
        fprintf(stderr, "io_uring: %s\n", strerror(-r));
        return 1;
    }
    if ((r = io_uring_register_files_sparse(&R, (unsigned)nslots))) {
        fprintf(stderr, "files: %s\n", strerror(-r));
        return 1;
    }
    io_uring_register_ring_fd(&R);
    if (posix_memalign((void **)&br, 4096, NBUF * sizeof(struct io_uring_buf)))
        return 1;
    struct io_uring_buf_reg rg = { .ring_addr = (uint64_t)(uintptr_t)br,
                                   .ring_entries = NBUF,
                                   .bgid = 0 };
    if ((r = io_uring_register_buf_ring(&R, &rg, 0))) {
        fprintf(stderr, "bufring: %s\n", strerror(-r));
        return 1;
    }
    io_uring_buf_ring_init(br);
    if (posix_memalign((void **)&bufs, 4096, (size_t)NBUF * BUFSZ))
        return 1;
    for (unsigned i = 0; i < NBUF; i++)
        io_uring_buf_ring_add(br, bufs + (size_t)i * BUFSZ, BUFSZ, (unsigned short)i,
                              (int)(NBUF - 1), (int)i);
    io_uring_buf_ring_advance(br, (int)NBUF);
    sides = calloc((size_t)nslots, sizeof *sides);
    freeslots = malloc(sizeof(int) * (size_t)nslots);
    for (int i = nslots - 1; i >= 0; i--)
        freeslots[nfree++] = i;
    int lp = atoi(argv[optind++]);
    for (; optind < argc && nup < 16; optind++)
        upa[nup++] = (struct sockaddr_in){ .sin_family = AF_INET,
                                           .sin_port = htons((uint16_t)atoi(argv[optind])),
                                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    for (int i = 0; i < 128; i++) {
        int s = new_up();
        if (s < 0)
            break;
        poolslot[npool++] = s;
    }
    int l = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(l, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_port = htons((uint16_t)lp),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    if (bind(l, (void *)&a, sizeof a) || listen(l, 4096)) {
        perror("listen");
        return 1;
    }
    struct io_uring_sqe *s = sqe();
    io_uring_prep_multishot_accept(s, l, NULL, NULL, 0);
    io_uring_sqe_set_data64(s, tag(0, OP_ACCEPT));
    for (;;) {
        io_uring_submit_and_wait(&R, 1);
        struct io_uring_cqe *c;
        unsigned head, n = 0;
        io_uring_for_each_cqe(&R, head, c)
        {
            n++;
            int op = (int)(c->user_data >> 32), slot = (int)(uint32_t)c->user_data;
            if (op == OP_ACCEPT) {
                if (c->res >= 0) {
                    int us = npool ? poolslot[--npool] : new_up();
                    if (us < 0) {
                        close(c->res);
                        continue;
                    }
                    int cs = take_slot();
                    reg(c->res, cs);
                    sides[cs].slot = cs;
                    sides[cs].peer = &sides[us];
                    sides[us].peer = &sides[cs];
                    arm_recv(cs);
                    arm_recv(us);
                }
                if (!(c->flags & IORING_CQE_F_MORE)) {
                    struct io_uring_sqe *q = sqe();
                    io_uring_prep_multishot_accept(q, l, NULL, NULL, 0);
                    io_uring_sqe_set_data64(q, tag(0, OP_ACCEPT));
                }
            } else if (op == OP_RECV) {
                struct side *x = &sides[slot];
                if (c->res > 0) {
                    unsigned bid = c->flags >> IORING_CQE_BUFFER_SHIFT;
                    if (x->peer && !x->peer->closing)
                        enqueue(x->peer->slot, bid, (unsigned)c->res);
                    else
                        recycle(bid);
                } else if (c->res != -ENOBUFS) {
                    shut(slot);
                    if (x->peer)
                        shut(x->peer->slot);
                }
                if (!(c->flags & IORING_CQE_F_MORE)) {
                    x->refs--;
                    x->recv_on = 0;
                    if (!x->closing)
                        arm_recv(slot);
                }
                maybe_free(slot);
            } else if (op == OP_SEND) {
                struct side *x = &sides[slot];
                x->refs--;
                x->sending = 0;
                recycle(x->q_bid[x->qh & (x->qcap - 1)]);
                x->qh++;
                if (c->res < 0) {
                    shut(slot);
                    if (x->peer)
                        shut(x->peer->slot);
                } else if (x->qh != x->qt)
                    start_send(slot);
                maybe_free(slot);
            }
        }
        io_uring_cq_advance(&R, n);
    }
}
