/* loop/traffic.c: the bytes of links: the five operations of gw/io.h, and what is done when a watch
 * is ready. A send is tried inside the operation; a read waits for bytes, and bytes that are known to
 * be there are read in the next gathering, never inside the operation.
 *
 * Where many transfers can be made with one call, a round that moves many links gathers its reads in a
 * batch, and the sends of its step in the next one; a few are made one by one. No transfer waits for anything, so rooms and
 * spans are asked for when the batch is made and free again when it is done: the system never holds
 * memory of the pool, and what admission has promised does not depend on how bytes are moved.
 *
 * After a report a watch may be gone: nothing is touched after one but through its age.
 */
#define _GNU_SOURCE
#include "loop/loop.h"

#include <errno.h>

#include "base/assert.h"
#include "gw_features.h"

enum {
    RESUMED_SPANS_MAX = 32,
    /* So much is worth a call of its own; and what is sent at once leaves its blocks, warm, to what is
     * read next. */
    BULK = 48 * 1024
};

static size_t sum(const struct iovec *v, int n)
{
    size_t total = 0;
    for (int i = 0; i < n; i++)
        total += v[i].iov_len;
    return total;
}

/* Knobs of test builds. */

static int cut_rooms(const struct gw_loop *loop, struct iovec *v, int n)
{
    if (!GW_ASSERTIONS_SLOW || loop->debug_read_max == 0)
        return n;
    if (v[0].iov_len > loop->debug_read_max)
        v[0].iov_len = loop->debug_read_max;
    return 1;
}

static bool pretends_to_block(struct gw_loop *loop)
{
    return GW_ASSERTIONS_SLOW && loop->debug_block_pct > 0 &&
           gw_prng_below(&loop->debug_random, 100) < loop->debug_block_pct;
}

/* The batch. */

/* Where the next one's spans go. */
static struct iovec *batch_spans(struct gw_loop *loop)
{
    return loop->batch->spans + loop->batch->spans_len;
}

/* A send and a read of one link. */
static bool has_place(const struct gw_batch *batch)
{
    return batch->len + 2 <= GW_BATCH_MAX &&
           batch->spans_len + GW_LOOP_ROOMS_MAX + RESUMED_SPANS_MAX <= GW_BATCH_SPANS;
}

static void put_in_batch(struct gw_loop *loop, const struct gw_watch *w, int n, size_t len,
                         bool is_send)
{
    struct gw_batch *batch = loop->batch;
    struct gw_transfer *t = &batch->list[batch->len];
    *t = (struct gw_transfer){ .id = gw_watch_id(w), .fd = w->fd, .n = n, .is_send = is_send };
    t->v = batch_spans(loop);
    t->len = len;
    batch->len++;
    batch->spans_len += (uint32_t)n;
}

/* Connecting. */

static gw_status begin_connect(void *io, gw_link *l, const gw_destination *target)
{
    struct gw_loop *loop = io;
    gw_address address;
    bool is_pending;
    int fd;
    if (gw_address_parse(target->address, &address) != GW_OK || address.kind == GW_ADDRESS_NAME)
        return GW_EINVAL;
    struct gw_watch *w = gw_watch_new(loop, GW_WATCH_LINK, -1);
    if (w == NULL)
        return GW_ENOMEM;
    gw_status status = gw_socket_connect(&address, &fd, &is_pending);
    if (status == GW_OK) {
        w->fd = fd;
        status = loop->poller->add(loop, w);
    }
    if (status != GW_OK) {
        gw_watch_free(loop, w);
        return status;
    }
    w->of.link = l;
    gw_link_set_io(l, w);
    if (is_pending) {
        w->flags = GW_WATCH_CONNECTING;
        return GW_OK;
    }
    w->flags = GW_WATCH_WRITABLE;
    gw_facts facts = GW_SPEC(gw_facts);
    facts.peer = target->address;
    gw_link_connected(l, GW_OK, &facts);
    return GW_OK;
}

static void end_connect(struct gw_watch *w)
{
    gw_facts facts = GW_SPEC(gw_facts);
    gw_destination target = GW_SPEC(gw_destination);
    gw_status status = gw_socket_connected(w->fd);
    w->flags &= (uint8_t)~GW_WATCH_CONNECTING;
    if (status == GW_OK && gw_link_get_destination(w->of.link, &target) == GW_OK)
        facts.peer = target.address;
    gw_link_connected(w->of.link, status, &facts);
}

/* Receiving. */

static gw_status begin_recv(void *io, gw_link *l)
{
    struct gw_watch *w = gw_link_io(l);
    if (w == NULL || (w->flags & GW_WATCH_RECV) != 0)
        return GW_ESTATE;
    w->flags |= GW_WATCH_RECV;
    gw_watch_ready(io, w);
    return GW_OK;
}

static gw_status read_failure(const struct gw_watch *w, int error)
{
    return w->failure != GW_OK ? w->failure : gw_socket_status(error);
}

/* Bytes, or an errno below zero. */
static ssize_t read_now(int fd, struct iovec *v, int n)
{
    ssize_t got;
    do {
        got = n == 1 ? recv(fd, v[0].iov_base, v[0].iov_len, 0) : readv(fd, v, n);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

/* A stream socket that gives less than was asked is empty, and the next bytes bring an edge; but an
 * end that has been seen already brings none. */
static void end_receive(struct gw_watch *w, ssize_t got, size_t asked)
{
    gw_link *l = w->of.link;
    if (got > 0) {
        bool is_empty = (size_t)got < asked && (w->flags & GW_WATCH_HUNG_UP) == 0;
        if (is_empty)
            w->flags &= (uint8_t)~GW_WATCH_READABLE;
        gw_link_received(l, (size_t)got, is_empty ? GW_AGAIN : GW_OK);
    } else if (got == 0) {
        /* What had failed to be sent tells that this end is none. */
        gw_link_received(l, 0, w->failure != GW_OK ? w->failure : GW_EOF);
    } else if (got == -EAGAIN) {
        w->flags &= (uint8_t) ~(GW_WATCH_READABLE | GW_WATCH_HUNG_UP);
        gw_link_received(l, 0, GW_AGAIN);
    } else {
        gw_link_received(l, 0, read_failure(w, (int)-got));
    }
}

static void receive(struct gw_loop *loop, struct gw_watch *w)
{
    gw_span rooms[GW_LOOP_ROOMS_MAX];
    struct iovec own[GW_LOOP_ROOMS_MAX];
    struct iovec *v = loop->is_batching ? batch_spans(loop) : own;
    w->flags &= (uint8_t)~GW_WATCH_RECV;
    int n = (int)gw_link_room(w->of.link, rooms, GW_LOOP_ROOMS_MAX);
    if (n == 0)
        return; /* the library asks again when it has room */
    for (int i = 0; i < n; i++)
        v[i] = (struct iovec){ rooms[i].ptr, rooms[i].len };
    n = cut_rooms(loop, v, n);
    size_t asked = sum(v, n);
    if (loop->is_batching && asked < BULK)
        put_in_batch(loop, w, n, asked, false);
    else
        end_receive(w, read_now(w->fd, v, n), asked);
}

/* Sending. */

/* Bytes, or an errno below zero. */
static ssize_t send_now(int fd, struct iovec *v, int n)
{
    ssize_t put;
    do {
        if (n == 1) {
            put = send(fd, v[0].iov_base, v[0].iov_len, MSG_NOSIGNAL);
        } else {
            struct msghdr message = { .msg_iov = v, .msg_iovlen = (size_t)n };
            put = sendmsg(fd, &message, MSG_NOSIGNAL);
        }
    } while (put < 0 && errno == EINTR);
    return put < 0 ? -errno : put;
}

/* The peer may have answered before it cut the connection: what it said is read first, then the
 * failure is reported. */
static void keep_failure(struct gw_loop *loop, struct gw_watch *w, int error)
{
    w->failure = gw_socket_status(error);
    w->flags |= GW_WATCH_SEND | GW_WATCH_READABLE | GW_WATCH_HUNG_UP;
    gw_watch_ready(loop, w);
}

static int copy_spans(const gw_const_span *v, size_t n, struct iovec *out)
{
    for (size_t i = 0; i < n; i++) {
        /* iovec is for both directions and has no const. */
        union {
            const void *in;
            void *out;
        } ptr = { v[i].ptr };
        out[i] = (struct iovec){ ptr.out, v[i].len };
    }
    return (int)n;
}

static void keep_blocked(struct gw_loop *loop, struct gw_watch *w)
{
    w->flags |= GW_WATCH_SEND;
    gw_watch_ready(loop, w);
}

/* Of asked bytes put were taken. */
static void end_send(struct gw_loop *loop, struct gw_watch *w, ssize_t put, size_t asked)
{
    if (put < 0 && put != -EAGAIN) {
        keep_failure(loop, w, (int)-put);
        return;
    }
    if (put < (ssize_t)asked)
        w->flags &= (uint8_t)~GW_WATCH_WRITABLE;
    if (put <= 0) {
        keep_blocked(loop, w);
        return;
    }
    w->flags &= (uint8_t)~GW_WATCH_SEND;
    gw_link_sent(w->of.link, (size_t)put, GW_OK);
}

static gw_status begin_send(void *io, gw_link *l, const gw_const_span *v, size_t n)
{
    struct gw_loop *loop = io;
    struct gw_watch *w = gw_link_io(l);
    struct iovec out[GW_LOOP_SPANS_MAX];
    if (w == NULL || n == 0 || (w->flags & GW_WATCH_SEND) != 0)
        return GW_ESTATE;
    int len = copy_spans(v, n < GW_LOOP_SPANS_MAX ? n : GW_LOOP_SPANS_MAX, out);
    size_t asked = sum(out, len);
    if ((w->flags & GW_WATCH_WRITABLE) == 0 || (loop->is_batching && asked < BULK) ||
        pretends_to_block(loop))
        keep_blocked(loop, w);
    else
        end_send(loop, w, send_now(w->fd, out, len), asked);
    return GW_OK;
}

/* The outstanding send, and what has been added to it since. */
static void resume_send(struct gw_loop *loop, struct gw_watch *w)
{
    gw_const_span spans[RESUMED_SPANS_MAX];
    struct iovec own[RESUMED_SPANS_MAX];
    struct iovec *v = loop->is_batching ? batch_spans(loop) : own;
    if (pretends_to_block(loop)) {
        gw_watch_ready(loop, w);
        return;
    }
    size_t n = gw_link_unsent(w->of.link, spans, RESUMED_SPANS_MAX);
    if (n == 0)
        return; /* lost in the meantime: it is being closed */
    int len = copy_spans(spans, n, v);
    size_t asked = sum(v, len);
    if (loop->is_batching && asked < BULK)
        put_in_batch(loop, w, len, asked, true);
    else
        end_send(loop, w, send_now(w->fd, v, len), asked);
}

/* Reads on while there is something to read and the library wants it; else tells. */
static void settle_failure(struct gw_loop *loop, struct gw_watch *w)
{
    if ((w->flags & GW_WATCH_RECV) != 0) {
        uint32_t age = w->age;
        receive(loop, w);
        if (w->age == age)
            gw_watch_ready(loop, w);
        return;
    }
    w->flags &= (uint8_t)~GW_WATCH_SEND;
    gw_link_sent(w->of.link, 0, w->failure);
}

void gw_traffic_move(struct gw_loop *loop, struct gw_watch *w)
{
    uint32_t age = w->age;
    GW_ASSERT(w->kind == GW_WATCH_LINK && !gw_list_is_linked(&w->node));
    if (loop->is_batching && !has_place(loop->batch))
        gw_traffic_flush(loop);
    if ((w->flags & GW_WATCH_CONNECTING) != 0) {
        end_connect(w);
        return;
    }
    if (w->failure != GW_OK && (w->flags & GW_WATCH_SEND) != 0) {
        settle_failure(loop, w);
        return;
    }
    if ((w->flags & (GW_WATCH_SEND | GW_WATCH_WRITABLE)) == (GW_WATCH_SEND | GW_WATCH_WRITABLE))
        resume_send(loop, w);
    if (w->age == age &&
        (w->flags & (GW_WATCH_RECV | GW_WATCH_READABLE)) == (GW_WATCH_RECV | GW_WATCH_READABLE))
        receive(loop, w);
}

static void end_transfer(struct gw_loop *loop, struct gw_transfer *t)
{
    struct gw_watch *w = gw_watch_at(loop, (uint32_t)(t->id >> 32));
    if (w->age != (uint32_t)t->id)
        return;
    if (!t->is_tried)
        t->result = t->is_send ? send_now(t->fd, t->v, t->n) : read_now(t->fd, t->v, t->n);
    if (t->is_send)
        end_send(loop, w, t->result, t->len);
    else
        end_receive(w, t->result, t->len);
}

void gw_traffic_flush(struct gw_loop *loop)
{
    struct gw_batch *batch = loop->batch;
    if (batch == NULL || batch->len == 0)
        return;
    if (batch->len >= GW_BATCH_LEAST)
        loop->poller->transfer(loop);
    for (uint32_t i = 0; i < batch->len; i++)
        end_transfer(loop, &batch->list[i]);
    batch->len = batch->spans_len = 0;
}

/* Ending. */

static gw_status end_writing(void *io, gw_link *l)
{
    struct gw_watch *w = gw_link_io(l);
    (void)io;
    if (w == NULL)
        return GW_ESTATE;
    if (shutdown(w->fd, SHUT_WR) != 0)
        return gw_socket_status(errno);
    gw_link_sent(l, 0, GW_EOF);
    return GW_OK;
}

static void close_link(void *io, gw_link *l)
{
    struct gw_loop *loop = io;
    struct gw_watch *w = gw_link_io(l);
    if (w != NULL) {
        gw_link_set_io(l, NULL);
        gw_watch_free(loop, w);
        loop->has_room_again = true;
    }
    gw_link_closed(l);
}

/* The descriptor outlives its watch: the poller must be told that it is gone, as of one that the host has
 * a copy of. */
static gw_status give_back(void *io, gw_link *l)
{
    struct gw_loop *loop = io;
    struct gw_watch *w = gw_link_io(l);
    if (w == NULL || loop->on_return == NULL)
        return GW_ESTATE;
    int fd = w->fd;
    w->flags |= GW_WATCH_GIVEN;
    loop->poller->drop(loop, w);
    w->fd = -1;
    gw_link_set_io(l, NULL);
    gw_watch_free(loop, w);
    loop->has_room_again = true;
    loop->on_return(loop->return_ctx, l, fd);
    gw_link_closed(l);
    return GW_OK;
}

const gw_io_ops gw_loop_ops = {
    .size = sizeof(gw_io_ops),
    .name = "loop",
    .connect = begin_connect,
    .recv = begin_recv,
    .send = begin_send,
    .shutdown = end_writing,
    .close = close_link,
    .give_back = give_back,
};
