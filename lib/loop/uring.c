/* loop/uring.c: waiting and moving bytes with io_uring. The one file that knows liburing.
 *
 * Each descriptor has one poll request for its life, which tells edges as epoll does. Bytes are moved by
 * requests that do not wait: a batch of them goes in and is done when the one call returns. So nothing is
 * ever in flight but polls, which point to no memory: a link that is closed has nothing to wait for, and
 * no block is the kernel's while a link is idle (docs/decisions/0020-io-uring-polls.md).
 *
 * A request keeps the socket that it is about, even beyond the end of the process until the kernel comes to
 * it. So that the next one can listen at once, listeners are watched by epoll, and that by a poll.
 *
 * A ring serves one thread. When a loop goes to another one the kernel says so, and a new ring takes the
 * old one's place; polls tell what is there already, so nothing is missed. The same is done when anything
 * else makes doubtful what is watched.
 */
#define _GNU_SOURCE
#include "loop/loop.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/assert.h"

/* liburing maps and unmaps by calls that the thread sanitizer does not see: where a ring lies that was
 * another's before, in another thread, it has to be told that this is over. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#include <sanitizer/tsan_interface.h>
#define RING_BEGINS(ring) (__tsan_acquire((ring)->sq.ring_ptr), __tsan_acquire((ring)->sq.sqes))
#define RING_ENDS(ring) (__tsan_release((ring)->sq.ring_ptr), __tsan_release((ring)->sq.sqes))
#endif
#endif
#ifndef RING_BEGINS
#define RING_BEGINS(ring) ((void)(ring))
#define RING_ENDS(ring) ((void)(ring))
#endif

enum { REQUESTS = 1024, ANSWERS = 4096, ATTEMPTS = 8, KNOCKS = 32 };
enum {
    SETUP = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_R_DISABLED |
            IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE,
    FEATURES = IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_EXT_ARG |
               IORING_FEAT_CQE_SKIP
};

/* What a request is known by: a watch's id, for its poll; which batch, and the place in it; the listeners;
 * or nobody cares. */
#define OF_BATCH (UINT64_C(1) << 63)
#define PLACE_BITS 16
_Static_assert(GW_BATCH_MAX <= 1 << PLACE_BITS, "a place in the batch fits");
#define OF_LISTENERS (UINT64_MAX - 1)
#define OF_NOBODY UINT64_MAX

struct uring {
    struct io_uring ring;
    struct io_uring_sqe *requests[GW_BATCH_MAX]; /* of the batch that goes in */
    uint32_t waited;                             /* transfers that went in, and are not done */
    uint32_t batches; /* which one that is: what comes of an earlier one was given up */
    int listeners;    /* epoll's */
    int told; /* for hosts: an eventfd that the ring writes to; -1: nobody has asked for it */
    bool is_open, is_enabled;
    bool is_stale; /* it does not watch all that it should */
};

static struct uring *uring_of(const struct gw_loop *loop)
{
    return loop->memory;
}

/* Polls. */

/* NULL: there is no place, and the kernel takes nothing. */
static struct io_uring_sqe *next_request(struct uring *u)
{
    struct io_uring_sqe *request = io_uring_get_sqe(&u->ring);
    if (request == NULL && io_uring_submit(&u->ring) > 0)
        request = io_uring_get_sqe(&u->ring);
    return request;
}

static bool poll_for(struct uring *u, int fd, uint32_t events, uint64_t id)
{
    struct io_uring_sqe *request = next_request(u);
    if (request == NULL)
        return false;
    io_uring_prep_poll_multishot(request, fd, events);
    io_uring_sqe_set_data64(request, id);
    return true;
}

static bool watch(struct uring *u, const struct gw_watch *w)
{
    uint64_t id = gw_watch_id(w);
    GW_ASSERT((id & OF_BATCH) == 0 && w->kind != GW_WATCH_LISTENER);
    return poll_for(u, w->fd, w->kind == GW_WATCH_LINK ? POLLIN | POLLOUT | POLLRDHUP : POLLIN, id);
}

static bool watch_listeners(struct uring *u)
{
    return poll_for(u, u->listeners, POLLIN, OF_LISTENERS);
}

/* Life. */

static gw_status status_of(int error)
{
    switch (error) {
    case ENOMEM:
        return GW_ENOMEM;
    case EMFILE:
    case ENFILE:
        return GW_ELIMIT;
    default: /* not there, not permitted, or too old */
        return GW_EUNSUPPORTED;
    }
}

static gw_status open_ring(struct uring *u)
{
    struct io_uring_params params = { .flags = SETUP, .cq_entries = ANSWERS };
    int error = -io_uring_queue_init_params(REQUESTS, &u->ring, &params);
    if (error != 0)
        return status_of(error);
    RING_BEGINS(&u->ring);
    if ((params.features & FEATURES) != FEATURES) {
        io_uring_queue_exit(&u->ring);
        return GW_EUNSUPPORTED;
    }
    u->is_open = true;
    u->is_enabled = u->is_stale = false;
    return GW_OK;
}

/* Polls keep the sockets that they watch: they are taken out before, so that what is closed is closed. In
 * another thread than the ring's that cannot be asked for, and the kernel does it a little later. */
static void close_ring(struct uring *u)
{
    if (!u->is_open)
        return;
    struct io_uring_sqe *request = io_uring_get_sqe(&u->ring);
    if (request != NULL) {
        io_uring_prep_cancel64(request, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
        io_uring_sqe_set_data64(request, OF_NOBODY);
    }
    uint32_t seen;
    do {
        (void)io_uring_submit_and_get_events(&u->ring);
        seen = io_uring_cq_ready(&u->ring);
        io_uring_cq_advance(&u->ring, seen);
    } while (seen > 0);
    RING_ENDS(&u->ring);
    io_uring_queue_exit(&u->ring);
    u->is_open = false;
}

static void close_uring(struct gw_loop *loop)
{
    struct uring *u = uring_of(loop);
    gw_heap_release(&loop->heap, loop->batch, sizeof(*loop->batch));
    loop->batch = NULL;
    if (u == NULL)
        return;
    close_ring(u);
    if (u->told >= 0)
        close(u->told);
    if (u->listeners >= 0)
        close(u->listeners);
    gw_heap_release(&loop->heap, u, sizeof(*u));
    loop->memory = NULL;
}

static gw_status open_uring(struct gw_loop *loop)
{
    struct uring *u = gw_heap_zalloc(&loop->heap, sizeof(*u));
    if (u == NULL)
        return GW_ENOMEM;
    u->told = u->listeners = -1;
    loop->memory = u;
    loop->batch = gw_heap_zalloc(&loop->heap, sizeof(*loop->batch));
    gw_status status = loop->batch != NULL ? open_ring(u) : GW_ENOMEM;
    if (status == GW_OK) {
        u->listeners = epoll_create1(EPOLL_CLOEXEC);
        status = u->listeners >= 0 ? GW_OK : gw_socket_status(errno);
        u->is_stale = !watch_listeners(u);
    }
    if (status != GW_OK)
        close_uring(loop);
    return status;
}

/* Watching. */

static gw_status add_listener(const struct uring *u, const struct gw_watch *w)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u64 = gw_watch_id(w) };
    if (epoll_ctl(u->listeners, EPOLL_CTL_ADD, w->fd, &event) != 0)
        return errno == ENOSPC || errno == ENOMEM ? GW_ELIMIT : GW_EIO;
    return GW_OK;
}

/* As with epoll alone, closing takes it out, but where the host has a copy. */
static void drop_listener(const struct uring *u, const struct gw_watch *w)
{
    struct epoll_event event = { 0 };
    if ((w->flags & GW_WATCH_GIVEN) != 0)
        (void)epoll_ctl(u->listeners, EPOLL_CTL_DEL, w->fd, &event);
}

static gw_status add(struct gw_loop *loop, struct gw_watch *w)
{
    struct uring *u = uring_of(loop);
    if (w->kind == GW_WATCH_LISTENER)
        return add_listener(u, w);
    if (!watch(u, w))
        u->is_stale = true;
    /* The host added it, and may wait for the loop's descriptor next: the request has to go in. */
    if (u->is_enabled && !loop->in_turn)
        gw_bell_ring(loop->bell);
    return GW_OK;
}

/* The socket ends when the poll has gone, in this turn; what it tells until then is of an earlier age. */
static void drop(struct gw_loop *loop, struct gw_watch *w)
{
    struct uring *u = uring_of(loop);
    if (w->kind == GW_WATCH_LISTENER) {
        drop_listener(u, w);
        return;
    }
    struct io_uring_sqe *request = next_request(u);
    if (request == NULL) {
        u->is_stale = true;
        return;
    }
    io_uring_prep_poll_remove(request, gw_watch_id(w));
    io_uring_sqe_set_data64(request, OF_NOBODY);
    request->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

static void watch_all(struct gw_loop *loop)
{
    struct uring *u = uring_of(loop);
    u->is_stale = !watch_listeners(u);
    for (uint32_t number = 0; number < gw_watches_room(loop) && !u->is_stale; number++) {
        const struct gw_watch *w = gw_watch_at(loop, number);
        if (w->kind != GW_WATCH_FREE && w->kind != GW_WATCH_LISTENER && w->fd >= 0)
            u->is_stale = !watch(u, w);
    }
}

/* From now on the ring is this thread's. */
static gw_status enable(struct uring *u)
{
    /* liburing 2.3 declares io_uring_enable_rings and does not have it. */
    if (io_uring_register((unsigned)u->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0) < 0)
        return GW_EIO;
    u->is_enabled = true;
    return GW_OK;
}

static gw_status renew(struct gw_loop *loop)
{
    struct uring *u = uring_of(loop);
    close_ring(u);
    gw_status status = open_ring(u);
    if (status == GW_OK)
        status = enable(u);
    if (status != GW_OK)
        return GW_EIO;
    if (u->told >= 0 && io_uring_register_eventfd(&u->ring, u->told) != 0)
        return GW_EIO;
    watch_all(loop);
    return GW_OK;
}

/* Answers. */

static uint32_t flags_of(int seen)
{
    uint32_t flags = 0;
    if ((seen & POLLIN) != 0)
        flags |= GW_WATCH_READABLE;
    if ((seen & POLLOUT) != 0)
        flags |= GW_WATCH_WRITABLE;
    if ((seen & POLLRDHUP) != 0)
        flags |= GW_WATCH_HUNG_UP;
    if ((seen & (POLLHUP | POLLERR)) != 0) /* a send tells the error, too */
        flags |= GW_WATCH_HUNG_UP | GW_WATCH_WRITABLE;
    return flags;
}

/* A poll that has ended by itself is asked for again. One that cannot be had ends its link: nobody would
 * tell when bytes come. */
static void poll_again(struct gw_loop *loop, uint64_t id, int result)
{
    struct uring *u = uring_of(loop);
    struct gw_watch *w = gw_watch_at(loop, (uint32_t)(id >> 32));
    if (w->age != (uint32_t)id || w->kind == GW_WATCH_FREE || w->fd < 0)
        return;
    if (result < 0 && result != -ECANCELED && w->kind == GW_WATCH_LINK) {
        (void)shutdown(w->fd, SHUT_RDWR);
        gw_loop_note(loop, id, GW_WATCH_HUNG_UP | GW_WATCH_WRITABLE);
    } else if (!watch(u, w)) {
        u->is_stale = true;
    }
}

static void note_listeners(struct gw_loop *loop)
{
    struct epoll_event events[KNOCKS];
    int n;
    do {
        n = epoll_wait(uring_of(loop)->listeners, events, KNOCKS, 0);
        for (int i = 0; i < n; i++)
            gw_loop_note(loop, events[i].data.u64, GW_WATCH_READABLE);
    } while (n == KNOCKS);
}

/* Of one that was given up nobody wants to know: its place may be another's by now. */
static void take_transfer(struct gw_loop *loop, uint64_t id, int result)
{
    struct uring *u = uring_of(loop);
    struct gw_transfer *t = &loop->batch->list[id & ((1u << PLACE_BITS) - 1)];
    if ((uint32_t)(id >> PLACE_BITS) != u->batches)
        return;
    t->is_tried = true;
    t->result = result;
    u->waited--;
}

static void take_answer(struct gw_loop *loop, const struct io_uring_cqe *answer)
{
    uint64_t id = answer->user_data;
    if (id == OF_NOBODY)
        return;
    if (id == OF_LISTENERS) {
        note_listeners(loop);
        if ((answer->flags & IORING_CQE_F_MORE) == 0 && !watch_listeners(uring_of(loop)))
            uring_of(loop)->is_stale = true;
        return;
    }
    if ((id & OF_BATCH) != 0) {
        take_transfer(loop, id, answer->res);
        return;
    }
    if (answer->res > 0)
        gw_loop_note(loop, id, flags_of(answer->res));
    if ((answer->flags & IORING_CQE_F_MORE) == 0)
        poll_again(loop, id, answer->res);
}

static void take_answers(struct gw_loop *loop)
{
    struct io_uring *ring = &uring_of(loop)->ring;
    struct io_uring_cqe *answer;
    unsigned head, n = 0;
    io_uring_for_each_cqe(ring, head, answer)
    {
        take_answer(loop, answer);
        n++;
    }
    io_uring_cq_advance(ring, n);
}

/* Waiting. */

static int enter(struct uring *u, int timeout_ms)
{
    struct io_uring_cqe *first;
    if (timeout_ms == 0)
        return io_uring_submit_and_get_events(&u->ring);
    if (timeout_ms < 0)
        return io_uring_submit_and_wait(&u->ring, 1);
    struct __kernel_timespec limit = { .tv_sec = timeout_ms / 1000,
                                       .tv_nsec = timeout_ms % 1000 * 1000000LL };
    return io_uring_submit_and_wait_timeout(&u->ring, &first, 1, &limit, NULL);
}

static gw_status wait_uring(struct gw_loop *loop, int timeout_ms)
{
    struct uring *u = uring_of(loop);
    gw_status status = GW_OK;
    if (u->is_stale)
        status = renew(loop);
    else if (!u->is_enabled)
        status = enable(u);
    if (status != GW_OK)
        return status;
    int result = enter(u, timeout_ms);
    if (result == -EEXIST) { /* another thread's */
        status = renew(loop);
        result = status == GW_OK ? enter(u, 0) : 0;
    }
    if (status != GW_OK)
        return status;
    take_answers(loop);
    switch (result < 0 ? -result : 0) {
    case 0:
    case EINTR:
    case ETIME:
    case EAGAIN: /* no memory now, or answers had to be taken first */
    case EBUSY:
    case ENOMEM:
        return GW_OK;
    case EBADR: /* answers are lost */
        u->is_stale = true;
        return GW_OK;
    default:
        return GW_EIO;
    }
}

/* While a host watches, what the ring tells of this turn is taken back, and then looked whether more has come
 * since; so it is told of the rest, and not of nothing. */
static void flush(struct gw_loop *loop)
{
    struct uring *u = uring_of(loop);
    uint64_t count;
    if (!u->is_enabled || u->is_stale || (u->told < 0 && io_uring_sq_ready(&u->ring) == 0))
        return;
    if (u->told >= 0)
        (void)!read(u->told, &count, sizeof(count)); /* benign: there was nothing */
    (void)io_uring_submit_and_get_events(&u->ring);
    take_answers(loop);
}

/* A ring whose work is left to its thread does not wake who polls its own descriptor; it writes to an
 * eventfd. One turn is asked for at once: things may have come before. */
static int descriptor(const struct gw_loop *loop)
{
    struct uring *u = uring_of(loop);
    if (u->told >= 0)
        return u->told;
    u->told = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
    if (u->told >= 0 && io_uring_register_eventfd(&u->ring, u->told) != 0)
        u->is_stale = true;
    return u->told;
}

/* Moving bytes. */

static void prepare(struct io_uring_sqe *request, struct gw_transfer *t)
{
    unsigned flags = MSG_DONTWAIT | (t->is_send ? MSG_NOSIGNAL : 0);
    if (t->n == 1 && t->is_send)
        io_uring_prep_send(request, t->fd, t->v->iov_base, t->v->iov_len, (int)flags);
    else if (t->n == 1)
        io_uring_prep_recv(request, t->fd, t->v->iov_base, t->v->iov_len, (int)flags);
    else if (t->is_send)
        io_uring_prep_sendmsg(request, t->fd, &t->message, flags);
    else
        io_uring_prep_recvmsg(request, t->fd, &t->message, flags);
}

/* How many of the batch are requests now. */
static uint32_t prepare_all(struct uring *u, struct gw_batch *batch)
{
    for (uint32_t i = 0; i < batch->len; i++) {
        struct gw_transfer *t = &batch->list[i];
        struct io_uring_sqe *request = io_uring_get_sqe(&u->ring);
        if (request == NULL)
            return i;
        t->message.msg_iov = t->v;
        t->message.msg_iovlen = (size_t)t->n;
        prepare(request, t);
        io_uring_sqe_set_data64(request, OF_BATCH | (uint64_t)u->batches << PLACE_BITS | i);
        u->requests[i] = request;
    }
    return batch->len;
}

/* What the kernel has not taken would be taken later, when the rooms and spans are somebody else's. */
static void withdraw(struct uring *u, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        io_uring_prep_nop(u->requests[i]);
        io_uring_sqe_set_data64(u->requests[i], OF_NOBODY);
        u->requests[i]->flags |= IOSQE_CQE_SKIP_SUCCESS;
    }
}

/* None of them waits, so all that was taken is done at once; only if so many answers had come that there
 * was no place for theirs they have to be asked for. One without an answer is as good as failed. */
static void finish(struct gw_loop *loop, uint32_t taken)
{
    struct uring *u = uring_of(loop);
    take_answers(loop);
    for (int i = 0; i < ATTEMPTS && u->waited > 0; i++) {
        (void)io_uring_get_events(&u->ring);
        take_answers(loop);
    }
    for (uint32_t i = 0; i < taken && u->waited > 0; i++) {
        struct gw_transfer *t = &loop->batch->list[i];
        if (t->is_tried)
            continue;
        t->is_tried = true;
        t->result = -EIO;
        u->waited--;
    }
}

static void transfer(struct gw_loop *loop)
{
    struct uring *u = uring_of(loop);
    struct gw_batch *batch = loop->batch;
    if (io_uring_sq_space_left(&u->ring) < batch->len)
        (void)io_uring_submit(&u->ring);
    uint32_t before = io_uring_sq_ready(&u->ring), asked = prepare_all(u, batch);
    int result = io_uring_submit(&u->ring);
    uint32_t all = result < 0 ? 0 : (uint32_t)result;
    uint32_t taken = all < before ? 0 : all - before < asked ? all - before : asked;
    withdraw(u, taken, asked);
    u->waited = taken;
    finish(loop, taken);
    u->batches++;
}

const struct gw_poller gw_poller_uring = {
    .name = "io_uring",
    .open = open_uring,
    .close = close_uring,
    .add = add,
    .drop = drop,
    .wait = wait_uring,
    .descriptor = descriptor,
    .flush = flush,
    .transfer = transfer,
};
