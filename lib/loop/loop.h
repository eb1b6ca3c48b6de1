/* loop/loop.h: the inside of the built-in loops. A loop is one implementation of gw/io.h for all
 * kinds; what differs is how it waits, and whether it can move the bytes of many links with one call
 * (struct gw_poller).
 *
 *     wait      the poller notes what is ready on the watches; nothing is moved yet
 *     gather    each watch that is ready for what the library wants: accept, read, send
 *     step      gw_worker_step: its operations run here; what is ready at once is gathered next
 *
 * A watch remembers readiness from one edge to the next, so that in steady state no call is made but
 * recv, send and the wait.
 */
#ifndef GW_LOOP_LOOP_H
#define GW_LOOP_LOOP_H

#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <gw/loop.h>

#include "base/heap.h"
#include "base/list.h"
#include "base/mailbox.h"
#include "base/prng.h"
#include "gw_features.h"
#include "loop/socket.h"

enum gw_watch_kind {
    GW_WATCH_FREE = 0,
    GW_WATCH_WAKE, /* the reading end of the bell's pipe: the bell closes it */
    GW_WATCH_LISTENER,
    GW_WATCH_LINK,
    GW_WATCH_CLOCK /* GW_LOOP_ONE_FD: readable when a turn is due */
};
enum {
    /* What is known of the descriptor. */
    GW_WATCH_READABLE = 1u,
    GW_WATCH_WRITABLE = 2u,
    GW_WATCH_HUNG_UP = 4u, /* a short read is not the last: an end or an error follows */
    /* What is outstanding. */
    GW_WATCH_CONNECTING = 8u,
    GW_WATCH_RECV = 16u,
    GW_WATCH_SEND = 32u,
    GW_WATCH_PAUSED = 64u, /* a listener that cannot accept now */
    GW_WATCH_GIVEN = 128u  /* the host made it, and may have copies of the descriptor */
};
enum { GW_LOOP_ROOMS_MAX = 8, GW_LOOP_SPANS_MAX = 64 };

/* A descriptor that is watched. Never moves; found by its number. */
struct gw_watch {
    struct gw_list node; /* in loop->ready, or in the free list */
    union {
        gw_link *link;
        gw_listener *listener;
    } of;
    int fd;
    uint32_t number;
    uint32_t age; /* grows with each use: an event for an earlier one is stale */
    uint8_t kind, flags;
    gw_status failure; /* of the outstanding send; not yet reported */
};
static inline uint64_t gw_watch_id(const struct gw_watch *w)
{
    return (uint64_t)w->number << 32 | w->age;
}

struct gw_listener {
    struct gw_list node; /* in loop->listeners */
    struct gw_loop *loop;
    struct gw_watch *watch; /* NULL: closed by the drain */
    int held;               /* accepted, and not yet taken by the worker; -1: none */
    bool is_wild;           /* bound to any address: each connection has its own local name */
    struct gw_socket_name local;
    gw_accept_spec accept; /* its listener's name is a copy */
};

/* What is to be received or sent on one link's socket, without waiting. */
struct gw_transfer {
    uint64_t id; /* of its watch */
    struct iovec *v;
    struct msghdr message; /* for who needs one */
    size_t len;            /* of all of v */
    int fd, n;
    bool is_send;
    bool is_tried;  /* else result says nothing */
    ssize_t result; /* bytes, or an errno below zero */
};
enum {
    /* Fewer are cheaper one by one. With every check two are a batch, so that what has two links gets there. */
    GW_BATCH_LEAST = GW_ASSERTIONS_SLOW ? 2 : 4,
    GW_BATCH_MAX = 128,
    GW_BATCH_SPANS = 1024
};

/* Transfers that are done together. Between being put in and being done nothing else happens to a loop
 * but more of that: rooms and spans stay what they are. */
struct gw_batch {
    uint32_t len, spans_len;
    struct gw_transfer list[GW_BATCH_MAX];
    struct iovec spans[GW_BATCH_SPANS];
};

/* How a loop waits, and moves bytes. */
struct gw_poller {
    const char *name;
    gw_status (*open)(struct gw_loop *loop);
    void (*close)(struct gw_loop *loop);
    gw_status (*add)(struct gw_loop *loop, struct gw_watch *w);
    void (*drop)(struct gw_loop *loop, struct gw_watch *w); /* before its descriptor is closed */
    /* Notes what is ready through gw_loop_note. A signal is GW_OK. */
    gw_status (*wait)(struct gw_loop *loop, int timeout_ms);
    /* These may be NULL. */
    /* What hosts watch; NULL: loop->fd. */
    int (*descriptor)(const struct gw_loop *loop);
    /* Lets the system know of all that was added and dropped: the host may not come back soon. */
    void (*flush)(struct gw_loop *loop);
    /* Tries each transfer of loop->batch, in order; those that it could not try stay so. NULL: there is no
     * batch, each is a call of its own. */
    void (*transfer)(struct gw_loop *loop);
};
extern const struct gw_poller gw_poller_poll;
extern const struct gw_poller gw_poller_uring; /* opens nowhere in a build without liburing */
#ifdef __linux__
extern const struct gw_poller gw_poller_epoll;
#endif

/* How a loop is woken. Lives apart from it: a thread that is just waking may be later than its end. */
struct gw_bell {
    gw_allocator allocator;
    atomic_uint refs; /* the loop's, its worker's */
    atomic_bool is_rung;
    int ends[2]; /* of a pipe; -1 */
};

struct gw_loop {
    const struct gw_poller *poller;
    gw_worker *worker;
    struct gw_heap heap;
    gw_nanos now;
    void (*on_return)(void *ctx, gw_link *link, int fd); /* may be NULL */
    void *return_ctx;
    struct gw_list ready; /* watches for which something can be done */
    struct gw_list listeners;
    gw_nanos resume_at; /* paused listeners try again; UINT64_MAX: none is paused */
    /* watches */
    struct gw_watch **chunks;
    uint32_t chunks_len, chunks_room;
    struct gw_list free;
    /* the poller's */
    int fd;              /* epoll's; -1 */
    uint32_t memory_len; /* in elements */
    void *memory;
    size_t memory_bytes;
    struct gw_batch *batch; /* NULL: it has none */
    bool is_batching;       /* many links move in this round: their transfers are gathered */
    bool in_turn;
    bool has_more;       /* the worker's budget was spent */
    bool is_heard;       /* another thread has left something for the next step */
    bool has_room_again; /* a link was closed, or the configuration may have changed */
    bool is_draining;
    /* GW_LOOP_ONE_FD */
    int clock;         /* its watch's descriptor; -1: without */
    gw_nanos rings_at; /* UINT64_MAX: never */
    /* other threads' */
    struct gw_bell *bell;
    struct gw_mailbox visits;
    atomic_bool is_stopped, is_drain_asked;
    _Atomic uint32_t drain_ms;
    /* Imitated partial I/O, in builds with full assertions. */
    uint32_t debug_read_max;  /* 0: off */
    uint32_t debug_block_pct; /* 0: off */
    struct gw_prng debug_random;
};

/* Any thread and signal handlers; ctx is a gw_bell. */
void gw_bell_ring(void *ctx);
/* When the next turn is due though nothing is reported: 0: now; UINT64_MAX: never. */
gw_nanos gw_loop_due(const struct gw_loop *loop);

/* clock.c: GW_LOOP_ONE_FD. Without it the second and third do nothing. */
gw_status gw_clock_hang(struct gw_loop *loop) GW_MUST_CHECK;
/* The host is about to wait: the clock rings in time. Nothing in a turn: its end does it. */
void gw_clock_set(struct gw_loop *loop);
/* It has rung. */
void gw_clock_heard(struct gw_loop *loop);

/* visit.c */
/* Does what other threads have asked for until now. False: nothing. */
bool gw_loop_receive(struct gw_loop *loop);

/* watch.c */
void gw_watches_init(struct gw_loop *loop);
void gw_watches_fini(struct gw_loop *loop);
/* NULL: no memory. */
struct gw_watch *gw_watch_new(struct gw_loop *loop, enum gw_watch_kind kind, int fd) GW_MUST_CHECK;
/* Closes its descriptor too, unless that is -1. */
void gw_watch_free(struct gw_loop *loop, struct gw_watch *w);
/* Numbers run from 0 to below this; some are of free ones. */
uint32_t gw_watches_room(const struct gw_loop *loop);
struct gw_watch *gw_watch_at(const struct gw_loop *loop, uint32_t number);
/* Puts it among the ready ones if something that is wanted can be done. */
void gw_watch_ready(struct gw_loop *loop, struct gw_watch *w);
/* The poller saw flags (READABLE, WRITABLE, HUNG_UP) on a watch, perhaps a stale one. */
void gw_loop_note(struct gw_loop *loop, uint64_t id, uint32_t flags);

/* traffic.c */
extern const gw_io_ops gw_loop_ops;
/* Does what is outstanding on a link's watch and possible now, or puts it into the batch. */
void gw_traffic_move(struct gw_loop *loop, struct gw_watch *w);
/* Does what is in the batch. */
void gw_traffic_flush(struct gw_loop *loop);

/* listen.c */
void gw_listener_gather(struct gw_loop *loop, gw_listener *listener);
/* Paused ones try again, if it is time. */
void gw_listeners_resume(struct gw_loop *loop);
/* Takes what is in the queues, then closes them all. */
void gw_listeners_drain(struct gw_loop *loop);
/* Frees them all without taking anything. */
void gw_listeners_fini(struct gw_loop *loop);

#endif
