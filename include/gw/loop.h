/* gw/loop.h: the built-in backends, and one descriptor for hosts that have a loop. */
#ifndef GW_LOOP_H
#define GW_LOOP_H

#include <gw/worker.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gw_loop gw_loop;
typedef struct gw_listener gw_listener; /* a listening socket of a loop */
/* 0: the best there is; with GW_LOOP_ONE_FD that is epoll. */
enum { GW_LOOP_POLL = 1, GW_LOOP_EPOLL = 2, GW_LOOP_URING = 3 };

/* gw_loop_fd is all that a foreign loop watches: it becomes readable when a turn is due for whatever
 * reason: bytes, time, another thread, or what the host has asked for between two turns
 * (gw_worker_call, gw_link_abort ...). Costs a descriptor, and a system call when something is due
 * earlier than all before. */
enum { GW_LOOP_ONE_FD = 1u };

typedef struct gw_loop_spec {
    uint32_t size;
    uint32_t kind;                /* GW_LOOP_*                                            */
    const gw_worker_spec *worker; /* index, seed, trace, name, user; ops and wake unused  */
    uint32_t flags;               /* GW_LOOP_ONE_FD                                       */
    uint32_t reserved;
    /* A link goes back to the host (GW_ACCEPT_RETURN), in the loop's thread, inside a step, as a hook.
     * fd is the host's from here on: connected, non-blocking, no longer watched. What was read of it:
     * gw_link_unread; link ends when this returns. gw_loop_adopt may take the next one here. */
    void (*on_return)(void *ctx, gw_link *link, int fd);
    void *return_ctx;
} gw_loop_spec;

enum { GW_LISTEN_REUSEPORT = 1u, GW_LISTEN_V6ONLY = 2u };
typedef struct gw_listen_spec {
    uint32_t size;
    uint32_t flags;   /* GW_LISTEN_* */
    uint32_t backlog; /* 0: 1024     */
    uint32_t reserved;
    gw_str address;               /* ignored where a descriptor is given */
    const gw_accept_spec *accept; /* listener and protocols for each     */
} gw_listen_spec;

/* Something to be done in a loop's thread: the host's memory, and the loop's while it is on its
 * way. */
typedef struct gw_visit {
    void (*run)(gw_loop *loop, void *ctx);
    void *ctx;
    void *reserved;
} gw_visit;

/* Makes one and its worker. The caller owns it; the engine must outlive it. Any thread, which
 * becomes the loop's until another takes its place. GW_EUNSUPPORTED: that kind is not there, or the
 * kernel does not give it, or it has no GW_LOOP_ONE_FD; GW_ELIMIT: no descriptor is left; else as
 * gw_worker_new. Allocates; takes up to six descriptors. */
GW_API gw_status gw_loop_new(gw_engine *e, const gw_loop_spec *spec, gw_loop **out) GW_MUST_CHECK;
/* Its worker: made, stepped and freed by it alone. */
GW_API gw_worker *gw_loop_worker(gw_loop *loop);
/* "io_uring", "epoll", "poll". Static. */
GW_API const char *gw_loop_name(const gw_loop *loop);
/* A listening socket without a loop, to be given to gw_loop_listen_fd: so that a host can see that
 * all it needs can be opened before anything changes. spec's accept is not looked at. Connections
 * wait in its queue until a loop takes them. The descriptor is the caller's. Any thread. Errors as
 * gw_loop_listen. */
GW_API gw_status gw_listen_open(const gw_listen_spec *spec, int *fd) GW_MUST_CHECK;
/* The address that fd is bound to, with the port that the system chose; its length, 0 on failure.
 * Any thread. */
GW_API size_t gw_listen_address(int fd, char *out, size_t max);
/* Listens at spec's address; each connection becomes a link by spec's accept, copied. The listener
 * is the loop's, until gw_listener_close; out may be NULL. GW_EINVAL: not a numeric or unix:
 * address, or GW_ACCEPT_RETURN in a loop without on_return; GW_EREFUSED: in use or not permitted;
 * GW_ELIMIT: no descriptor is left; GW_EIO; GW_ENOMEM; GW_ESTATE: draining. Of a connection that names
 * a listener which the configuration does not have yet, nothing is read until one comes that has it. */
GW_API gw_status gw_loop_listen(gw_loop *loop, const gw_listen_spec *spec, gw_listener **out);
/* The same on a socket that listens already (else GW_EINVAL). Takes fd on success. */
GW_API gw_status gw_loop_listen_fd(gw_loop *loop, int fd, const gw_listen_spec *spec,
                                   gw_listener **out);
/* Its address, with the port that the system chose, without a zero byte; returns its length, 0:
 * longer than max. A path's control bytes are shown as '?', here and in facts. */
GW_API size_t gw_listener_address(const gw_listener *l, char *out, size_t max);
/* Its descriptor, borrowed; -1: closed by a drain. */
GW_API int gw_listener_fd(const gw_listener *l);
/* Takes the connections that wait in the queue, which would be lost with it, then closes the
 * socket; links that came from it live on. Where the configuration has another name for the
 * address, or the descriptor goes to another loop, dup(gw_listener_fd(l)) to gw_loop_listen_fd
 * first: then there is no moment at which nobody listens. */
GW_API void gw_listener_close(gw_listener *l);
/* A connected stream socket becomes a client's link. Takes fd on success; makes it non-blocking.
 * out may be NULL. GW_EINVAL: no such socket, or GW_ACCEPT_RETURN in a loop without on_return;
 * GW_EIO; else as gw_worker_accept. */
GW_API gw_status gw_loop_adopt(gw_loop *loop, int fd, const gw_accept_spec *spec, gw_link **out);

/* CLOCK_MONOTONIC of its last step. */
GW_API gw_nanos gw_loop_now(const gw_loop *loop);
/* Watch this for reading (-1: this kind has none, or no descriptor is left)... It stays the same. */
GW_API int gw_loop_fd(const gw_loop *loop);
/* ...and, without GW_LOOP_ONE_FD, wait no longer than this, asked just before waiting; -1: no timer.
 * Then call gw_loop_run_once(loop, 0). */
GW_API int gw_loop_timeout_ms(const gw_loop *loop);
/* Waits at most timeout_ms (-1: as long as it takes), moves bytes, steps. For hosts that do
 * something of their own each turn. GW_OK also if more is to be done: then a turn is due at once. GW_EOF:
 * stopped, or drained: gw_loop_run would return here; after a drain each turn says so, and gw_loop_fd stays
 * readable: it is watched no longer. GW_ESTATE: inside a hook; GW_EIO: waiting failed. */
GW_API gw_status gw_loop_run_once(gw_loop *loop, int timeout_ms);
/* Turns until gw_loop_stop, or drained. GW_ESTATE: inside a hook; GW_EIO: waiting failed. */
GW_API gw_status gw_loop_run(gw_loop *loop);
/* Any thread: visit->run(loop, visit->ctx) will be called in the loop's thread, at the beginning of
 * its next turn, once and outside of any hook: there everything may be called that belongs to that
 * thread (gw_loop_listen_fd, gw_listener_close, gw_loop_adopt ...). It cannot fail. visit is the
 * loop's until run is called. Visits of one thread come in their order; what is left when the loop
 * is freed runs in gw_loop_free, before anything is closed; but what a hook of that call leaves runs
 * when the worker is gone: gw_loop_worker is NULL, and what needs one is refused. */
GW_API void gw_loop_visit(gw_loop *loop, gw_visit *visit);
/* Stop listening, finish what is in flight (as gw_worker_drain), let gw_loop_run return. Any
 * thread. */
GW_API gw_status gw_loop_drain(gw_loop *loop, uint32_t grace_ms);
/* Lets gw_loop_run return after its turn, or the next one to begin; what is in flight stays. Any
 * thread, and signal handlers. */
GW_API void gw_loop_stop(gw_loop *loop);
/* Closes every descriptor it has, frees the worker. Inside a hook it does nothing. NULL is fine. */
GW_API void gw_loop_free(gw_loop *loop);

#ifdef __cplusplus
}
#endif
#endif
