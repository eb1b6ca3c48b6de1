/* loop/loop.c: the life of a loop, its turns, and what other threads may ask of it. One clock read a
 * turn; the library sees that time and no other.
 */
#define _GNU_SOURCE
#include "loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/spec.h"
#include "base/text.h"
#include "base/timer.h"
#include "worker/worker.h"

/* Gatherings in a turn: what became readable in a step is read in the same turn, but the others
 * that wait are asked too after a while. */
enum { ROUNDS_A_TURN = 4 };

static gw_nanos clock_now(void)
{
    struct timespec t;
    if (clock_gettime(CLOCK_MONOTONIC, &t) != 0)
        return 0;
    return (gw_nanos)t.tv_sec * 1000000000u + (gw_nanos)t.tv_nsec;
}

/* Waking. */

/* Only what is safe in signal handlers. */
void gw_bell_ring(void *ctx)
{
    struct gw_bell *bell = ctx;
    int kept = errno;
    if (!atomic_exchange(&bell->is_rung, true))
        while (write(bell->ends[1], "", 1) < 0 && errno == EINTR)
            ;
    errno = kept;
}

static struct gw_bell *make_bell(const gw_allocator *allocator)
{
    struct gw_bell *bell = gw_allocator_zalloc(allocator, sizeof(*bell));
    if (bell == NULL)
        return NULL;
    bell->allocator = *allocator;
    bell->ends[0] = bell->ends[1] = -1;
    atomic_init(&bell->refs, 1);
    atomic_init(&bell->is_rung, false);
    return bell;
}

static void leave_bell(void *ctx)
{
    struct gw_bell *bell = ctx;
    gw_allocator allocator = bell->allocator;
    if (atomic_fetch_sub(&bell->refs, 1) > 1)
        return;
    for (int i = 0; i < 2; i++)
        if (bell->ends[i] >= 0)
            close(bell->ends[i]);
    allocator.release(allocator.ctx, bell, sizeof(*bell));
}

static gw_status hang_bell(struct gw_loop *loop)
{
    loop->bell = make_bell(&loop->heap.allocator);
    if (loop->bell == NULL)
        return GW_ENOMEM;
    if (pipe2(loop->bell->ends, O_NONBLOCK | O_CLOEXEC) != 0)
        return gw_socket_status(errno);
    struct gw_watch *w = gw_watch_new(loop, GW_WATCH_WAKE, loop->bell->ends[0]);
    return w != NULL ? loop->poller->add(loop, w) : GW_ENOMEM;
}

/* Life. */

#ifdef __linux__
static const struct gw_poller *const plain = &gw_poller_epoll;
#else
static const struct gw_poller *const plain = &gw_poller_poll;
#endif

static const struct gw_poller *poller_of(uint32_t kind)
{
    switch (kind) {
    case 0: /* unless there is a better one: see open_poller */
        return plain;
#ifdef __linux__
    case GW_LOOP_EPOLL:
        return &gw_poller_epoll;
#endif
    case GW_LOOP_POLL:
        return &gw_poller_poll;
    case GW_LOOP_URING:
        return &gw_poller_uring;
    default:
        return NULL;
    }
}

static uint32_t debug_number(const char *name, uint32_t max)
{
    const char *text = getenv(name);
    uint64_t n = 0;
    if (text == NULL || gw_parse_u64(gw_cstr(text), &n) != GW_OK)
        return 0;
    return n > max ? max : (uint32_t)n;
}

static void read_knobs(struct gw_loop *loop)
{
    if (!GW_ASSERTIONS_SLOW)
        return;
    loop->debug_read_max = debug_number("GW_DEBUG_READ_MAX", UINT32_MAX);
    loop->debug_block_pct = debug_number("GW_DEBUG_WRITE_BLOCK_PCT", 95);
    loop->debug_random.state = loop->now;
}

static void release(struct gw_loop *loop)
{
    gw_listeners_fini(loop);
    gw_watches_fini(loop);
    loop->poller->close(loop);
    if (loop->bell != NULL)
        leave_bell(loop->bell);
    gw_allocator allocator = loop->heap.allocator;
    GW_ASSERT(loop->heap.used == 0);
    allocator.release(allocator.ctx, loop, sizeof(*loop));
}

static struct gw_loop *allocate(gw_engine *e, const struct gw_poller *poller)
{
    const gw_allocator *allocator = gw_engine_allocator(e);
    struct gw_loop *loop = allocator->alloc(allocator->ctx, sizeof(*loop));
    if (loop == NULL)
        return NULL;
    *loop = (struct gw_loop){ .poller = poller, .fd = -1, .clock = -1, .rings_at = UINT64_MAX };
    gw_heap_init(&loop->heap, allocator, 0);
    gw_watches_init(loop);
    gw_list_init(&loop->listeners);
    gw_mailbox_init(&loop->visits);
    loop->resume_at = UINT64_MAX;
    loop->now = clock_now();
    loop->has_more = loop->is_heard = true; /* the first turn does not wait */
    atomic_init(&loop->is_stopped, false);
    atomic_init(&loop->is_drain_asked, false);
    atomic_init(&loop->drain_ms, 0);
    read_knobs(loop);
    return loop;
}

static gw_status make_worker(struct gw_loop *loop, gw_engine *e, gw_worker_spec *spec)
{
    spec->ops = &gw_loop_ops;
    spec->io = loop;
    spec->wake = gw_bell_ring;
    spec->wake_ctx = loop->bell;
    spec->wake_done = leave_bell;
    atomic_fetch_add(&loop->bell->refs, 1);
    gw_status status = gw_worker_new(e, spec, &loop->worker);
    if (status == GW_OK)
        gw_worker_keep(loop->worker);
    else
        leave_bell(loop->bell);
    return status;
}

/* The best there is may not be what this system permits. */
static gw_status open_poller(struct gw_loop *loop, bool is_best_wanted)
{
    const struct gw_poller *otherwise = loop->poller;
    if (is_best_wanted) {
        loop->poller = &gw_poller_uring;
        if (loop->poller->open(loop) == GW_OK)
            return GW_OK;
        loop->poller = otherwise;
    }
    return loop->poller->open(loop);
}

gw_status gw_loop_new(gw_engine *e, const gw_loop_spec *spec, gw_loop **out)
{
    gw_loop_spec own = { 0 };
    gw_worker_spec worker = GW_SPEC(gw_worker_spec);
    gw_status status = gw_spec_copy(&own, sizeof(own), spec);
    if (status == GW_OK && own.worker != NULL)
        status = gw_spec_copy(&worker, sizeof(worker), own.worker);
    if (status != GW_OK || e == NULL || out == NULL || (own.flags & ~(uint32_t)GW_LOOP_ONE_FD) != 0)
        return GW_EINVAL;
    const struct gw_poller *poller = poller_of(own.kind);
    if (poller == NULL)
        return GW_EUNSUPPORTED;
    struct gw_loop *loop = allocate(e, poller);
    if (loop == NULL)
        return GW_ENOMEM;
    loop->on_return = own.on_return;
    loop->return_ctx = own.return_ctx;
    status = open_poller(loop, own.kind == 0 && (own.flags & GW_LOOP_ONE_FD) == 0);
    if (status == GW_OK)
        status = hang_bell(loop);
    if (status == GW_OK && (own.flags & GW_LOOP_ONE_FD) != 0)
        status = gw_clock_hang(loop);
    if (status == GW_OK)
        status = make_worker(loop, e, &worker);
    if (status != GW_OK) {
        release(loop);
        return status;
    }
    *out = loop;
    return GW_OK;
}

/* In a turn already: refused, and said. */
static bool is_inside(gw_loop *loop, enum gw_misuse_id what)
{
    if (loop->in_turn && loop->worker != NULL)
        gw_worker_misused(loop->worker, what);
    return loop->in_turn;
}

void gw_loop_free(gw_loop *loop)
{
    if (loop == NULL || is_inside(loop, GW_MISUSE_LOOP_FREE_INSIDE))
        return;
    loop->in_turn = true; /* hooks run: on_end of what is in flight */
    while (gw_loop_receive(loop))
        ;
    gw_worker_end(loop->worker);
    loop->worker = NULL;
    while (gw_loop_receive(loop)) /* what those hooks have left */
        ;
    release(loop);
}

gw_worker *gw_loop_worker(gw_loop *loop)
{
    return loop != NULL ? loop->worker : NULL;
}

const char *gw_loop_name(const gw_loop *loop)
{
    return loop != NULL ? loop->poller->name : "";
}

gw_nanos gw_loop_now(const gw_loop *loop)
{
    return loop != NULL ? loop->now : 0;
}

int gw_loop_fd(const gw_loop *loop)
{
    if (loop == NULL)
        return -1;
    return loop->poller->descriptor != NULL ? loop->poller->descriptor(loop) : loop->fd;
}

/* Turns. */

static bool is_drained(const struct gw_loop *loop)
{
    return loop->is_draining && gw_worker_is_idle(loop->worker);
}

gw_nanos gw_loop_due(const struct gw_loop *loop)
{
    if (loop->has_more || loop->is_heard || loop->has_room_again ||
        !gw_list_is_empty(&loop->ready) || is_drained(loop))
        return 0;
    gw_nanos until = gw_worker_deadline(loop->worker);
    return loop->resume_at < until ? loop->resume_at : until;
}

/* How long nothing needs to be done, from since on; at most limit_ms; -1: for ever. */
static int idle_ms(const struct gw_loop *loop, gw_nanos since, int limit_ms)
{
    gw_nanos until = gw_loop_due(loop);
    if (until == UINT64_MAX)
        return limit_ms;
    if (until <= since)
        return 0;
    gw_nanos ms = (until - since - 1) / GW_MS(1) + 1;
    int bounded = ms > INT_MAX ? INT_MAX : (int)ms;
    return limit_ms >= 0 && limit_ms < bounded ? limit_ms : bounded;
}

int gw_loop_timeout_ms(const gw_loop *loop)
{
    return loop != NULL ? idle_ms(loop, clock_now(), -1) : -1;
}

static void begin_drain(struct gw_loop *loop)
{
    if (!atomic_exchange(&loop->is_drain_asked, false))
        return;
    gw_listeners_drain(loop);
    loop->is_draining = true;
    /* It can only refuse a call from inside itself. */
    (void)gw_worker_drain(loop->worker, atomic_load(&loop->drain_ms));
}

static bool are_many(const struct gw_list *watches)
{
    const struct gw_list *node = watches->next;
    int n = 0;
    for (; node != watches && n < GW_BATCH_LEAST; node = node->next)
        n++;
    return n == GW_BATCH_LEAST;
}

static void gather(struct gw_loop *loop)
{
    struct gw_list now;
    gw_list_init(&now);
    gw_list_splice(&now, &loop->ready);
    loop->is_batching = loop->batch != NULL && are_many(&now);
    while (!gw_list_is_empty(&now)) {
        struct gw_watch *w = GW_CONTAINER(gw_list_pop_front(&now), struct gw_watch, node);
        if (w->kind == GW_WATCH_LISTENER)
            gw_listener_gather(loop, w->of.listener);
        else
            gw_traffic_move(loop, w);
    }
    gw_traffic_flush(loop);
}

static void work(struct gw_loop *loop)
{
    bool is_heard = loop->is_heard;
    loop->is_heard = false; /* what comes from now on is for the next turn */
    loop->now = clock_now();
    (void)gw_loop_receive(loop);
    begin_drain(loop);
    for (int round = 0; round < ROUNDS_A_TURN; round++) {
        gw_listeners_resume(loop);
        loop->has_room_again = false;
        gather(loop);
        loop->has_more = gw_worker_turn(loop->worker, loop->now) == GW_AGAIN;
        loop->has_room_again = loop->has_room_again || is_heard;
        is_heard = false;
        if (loop->has_more || gw_list_is_empty(&loop->ready))
            break;
    }
    /* Only a pause waits for room. */
    loop->has_room_again = loop->has_room_again && loop->resume_at != UINT64_MAX;
}

static bool is_over(struct gw_loop *loop)
{
    if (atomic_load(&loop->is_stopped))
        return atomic_exchange(&loop->is_stopped, false);
    return is_drained(loop);
}

static gw_status turn(struct gw_loop *loop, int timeout_ms)
{
    loop->in_turn = true;
    gw_status status = loop->poller->wait(loop, timeout_ms);
    if (status == GW_OK)
        work(loop);
    loop->in_turn = false;
    return status == GW_OK && is_over(loop) ? GW_EOF : status;
}

static void flush(struct gw_loop *loop)
{
    if (loop->poller->flush != NULL)
        loop->poller->flush(loop);
}

gw_status gw_loop_run_once(gw_loop *loop, int timeout_ms)
{
    if (loop == NULL || is_inside(loop, GW_MISUSE_LOOP_RUN_INSIDE))
        return loop == NULL ? GW_EINVAL : GW_ESTATE;
    /* The host may have been away since the last turn. */
    gw_nanos since = timeout_ms == 0 ? loop->now : clock_now();
    gw_status status = turn(loop, idle_ms(loop, since, timeout_ms));
    flush(loop);
    gw_clock_set(loop);
    return status;
}

gw_status gw_loop_run(gw_loop *loop)
{
    gw_status status = GW_OK;
    if (loop == NULL || is_inside(loop, GW_MISUSE_LOOP_RUN_INSIDE))
        return loop == NULL ? GW_EINVAL : GW_ESTATE;
    while (status == GW_OK)
        status = turn(loop, idle_ms(loop, loop->now, -1));
    flush(loop);
    gw_clock_set(loop); /* the host may wait by itself from now on */
    return status == GW_EOF ? GW_OK : status;
}

/* Other threads. */

gw_status gw_loop_drain(gw_loop *loop, uint32_t grace_ms)
{
    if (loop == NULL)
        return GW_EINVAL;
    atomic_store(&loop->drain_ms, grace_ms);
    atomic_store(&loop->is_drain_asked, true);
    gw_bell_ring(loop->bell);
    return GW_OK;
}

void gw_loop_stop(gw_loop *loop)
{
    if (loop == NULL)
        return;
    atomic_store(&loop->is_stopped, true);
    gw_bell_ring(loop->bell);
}
