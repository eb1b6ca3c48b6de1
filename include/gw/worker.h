/* gw/worker.h: one deterministic machine, used by one thread at a time. It is handed bytes,
 * completions and the time; it hands back bytes to send, wants, and calls to the host's hooks. */
#ifndef GW_WORKER_H
#define GW_WORKER_H

#include <gw/engine.h>
#include <gw/io.h>
#include <gw/trace.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gw_worker_spec {
    uint32_t size;
    uint32_t index;          /* 1 to workers_max; 0: the next free                            */
    const gw_io_ops *ops;    /* copied; each is needed. NULL: bytes mode (gw/bytes.h)         */
    void *io;                /* given to ops                                                  */
    void (*wake)(void *ctx); /* any thread, the worker's too, perhaps inside of a call: "call
                                gw_worker_step soon". It may call what any thread may; NULL:
                                nobody asks                                               */
    void *wake_ctx;          /* needed until wake_done                                     */
    uint64_t seed; /* 0: from entropy                                                      */
    gw_trace_fn *trace;
    void *trace_ctx;
    const char *name; /* in the log; copied; NULL: "worker-N"                              */
    void *user;
    /* wake is not running and will not be called again: once, in the thread of gw_worker_free, or,
     * where another thread was just calling wake, in that one, perhaps after gw_worker_free has
     * returned. NULL: wake_ctx lives until no call of gw_engine_apply or gw_resume that began
     * before gw_worker_free is under way. Not called if gw_worker_new fails. */
    void (*wake_done)(void *ctx);
    /* Copied; NULL: the engine's. For all that this worker alone makes and frees: called by who calls
     * the worker, never by two threads at once; needed until gw_worker_free has returned. What comes
     * from other threads, configurations among them, stays with the engine's. */
    const gw_allocator *allocator;
} gw_worker_spec;

/* Makes one. The caller owns it; the engine must outlive it. Any thread, which becomes the worker's
 * until another takes its place. GW_EINVAL: index over workers_max, an operation that is missing, half an
 * allocator;
 * GW_ELIMIT: workers_max are there; GW_ESTATE: that index is taken; GW_ENOMEM. Allocates. */
GW_API gw_status gw_worker_new(gw_engine *e, const gw_worker_spec *spec, gw_worker **out)
    GW_MUST_CHECK;
/* The host's pointer from its spec; the library never looks at what it points to. */
GW_API void *gw_worker_user(const gw_worker *w);
/* The only place where work is done and hooks run; a now that goes back counts as the last one.
 * GW_OK: quiet; GW_AGAIN: the budget is spent and there is more. Not inside a hook or a backend's
 * operation: GW_ESTATE. O(what there is to do), at most step_budget units; allocates. */
GW_API gw_status gw_worker_step(gw_worker *w, gw_nanos now);
/* When to step again though nothing is reported, on the clock of now: 0: now; UINT64_MAX: no timer
 * is set. */
GW_API gw_nanos gw_worker_deadline(const gw_worker *w);
/* Begins to end: no new link; each that is there is told, by Connection: close (RFC 9112 9.6) or GOAWAY
 * (RFC 9113 6.8). What a client has sent before it can know is served: HTTP/2 is told in two steps, and
 * a link of which nothing has come yet has a second. What is alive after grace_ms is ended with a named
 * cause, and a second later every link is closed. 0: 30,000. Acts with the next step. A second call
 * changes nothing. */
GW_API gw_status gw_worker_drain(gw_worker *w, uint32_t grace_ms);
/* No link and no exchange is left: a drained worker can be freed. */
GW_API bool gw_worker_is_idle(const gw_worker *w);
/* Frees it: links end without any report or operation; on_end runs for what is in flight. Not
 * inside a hook or an operation: it does nothing there. NULL is fine. O(links and exchanges). */
GW_API void gw_worker_free(gw_worker *w);

enum {
    /* An HTTP/1 request that no route claims is not answered: the connection goes back to the host at
     * that message boundary, with every byte that was read from there on (docs/hand-over.md). */
    GW_ACCEPT_RETURN = 1u
};
typedef struct gw_accept_spec {
    uint32_t size;
    uint32_t protocols;    /* 0: the listener's                              */
    gw_str listener;       /* name of a listener of the configuration        */
    const gw_facts *facts; /* copied; NULL: nothing known                    */
    gw_const_span early;   /* bytes already read; copied                     */
    void *user, *io;
    uint32_t flags; /* GW_ACCEPT_*                                    */
    uint32_t reserved;
} gw_accept_spec;
/* A client has connected: a link for it, which is acted on by the next step. A protocol in facts is
 * the one that is spoken. The link is the library's until gw_link_closed. GW_EUNKNOWN: no such
 * listener; GW_EINVAL: protocols or flags that there are not, or a known protocol that may not be
 * spoken here, or facts that are too long or contradict each other; GW_EUNSUPPORTED: a build
 * without it, or a backend that cannot give back; GW_ELIMIT: links_max, or more than eight blocks of
 * early; GW_ENOMEM: also if early does not fit now; GW_ESTATE: draining, or being freed. Then the
 * transport is still the caller's. O(listeners + early); allocates. */
GW_API gw_status gw_worker_accept(gw_worker *w, const gw_accept_spec *spec, gw_link **out)
    GW_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
