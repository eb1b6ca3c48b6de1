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
    void (*wake)(void *ctx); /* any thread: "call gw_worker_step soon"; may be NULL        */
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
} gw_worker_spec;

/* GW_ELIMIT: workers_max are there; GW_ESTATE: that index is taken; GW_ENOMEM. */
GW_API gw_status gw_worker_new(gw_engine *e, const gw_worker_spec *spec, gw_worker **out)
    GW_MUST_CHECK;
/* The host's pointer from its spec. */
GW_API void *gw_worker_user(const gw_worker *w);
/* The only place where work is done and hooks run. now never goes back. GW_OK: quiet; GW_AGAIN: the
 * budget is spent and there is more; GW_ESTATE: called inside itself. */
GW_API gw_status gw_worker_step(gw_worker *w, gw_nanos now);
/* When to step again though nothing happens: 0: now; UINT64_MAX: no timer is set. */
GW_API gw_nanos gw_worker_deadline(const gw_worker *w);
/* No new exchange; Connection: close and GOAWAY; what is alive after grace_ms is ended with a named
 * cause. 0: 30,000. A second call changes nothing. */
GW_API gw_status gw_worker_drain(gw_worker *w, uint32_t grace_ms);
/* No link and no exchange left. */
GW_API bool gw_worker_is_idle(const gw_worker *w);
/* Links end without any report or operation; on_end runs for what is in flight. NULL is fine. */
GW_API void gw_worker_free(gw_worker *w);

typedef struct gw_accept_spec {
    uint32_t size;
    uint32_t protocols;    /* 0: the listener's                              */
    gw_str listener;       /* name of a listener of the configuration        */
    const gw_facts *facts; /* copied; NULL: nothing known                    */
    gw_const_span early;   /* bytes already read; copied                     */
    void *user, *io;
} gw_accept_spec;
/* A client has connected. A protocol in facts is the one that is spoken. GW_EUNKNOWN: no such
 * listener; GW_EINVAL: protocols that there are not, or a known one that may not be spoken here,
 * or names that are too long;
 * GW_EUNSUPPORTED: a build without it; GW_ELIMIT: links_max; GW_ENOMEM; GW_ESTATE: draining, or
 * being freed. Then the transport is still the caller's. */
GW_API gw_status gw_worker_accept(gw_worker *w, const gw_accept_spec *spec, gw_link **out)
    GW_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
