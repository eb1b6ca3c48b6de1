/* gw/env.h: all that the library asks of the world, and the small value types of the API.
 *
 * Threads, for the whole API: any thread may call gw_resume, gw_engine_*, gw_view_*, gw_resolver_*,
 * gw_explain, _ref/_unref, gw_stats_read, gw_loop_visit, gw_loop_drain, gw_loop_stop, gw_listen_* and the pure
 * functions. A builder, a view and a resolver belong to one thread at a time. All else belongs to the worker's thread; of that,
 * everything may be called inside a hook but gw_worker_step, gw_worker_free, gw_loop_run,
 * gw_loop_run_once and gw_loop_free, which answer GW_ESTATE or, if they return nothing, do nothing
 * there.
 */
#ifndef GW_ENV_H
#define GW_ENV_H

#include <gw/export.h>
#include <gw/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Views: never owned, and not terminated by a zero byte. */
typedef struct gw_str {
    const char *ptr;
    size_t len;
} gw_str;
typedef struct gw_span {
    void *ptr;
    size_t len;
} gw_span;
typedef struct gw_const_span {
    const void *ptr;
    size_t len;
} gw_const_span;

/* A view of a C string, without its zero; NULL gives the empty view. Pure; any thread. */
GW_API gw_str gw_cstr(const char *text);

/* "It is needed no longer." Runs exactly once; where and when: at the call that takes it. */
typedef void gw_done_fn(void *ctx, void *object);

/* Monotonic nanoseconds. All workers of an engine use the same clock. */
typedef uint64_t gw_nanos;

/* May be called from every thread that uses the library. alloc returns memory aligned to 16
 * bytes, or NULL: every allocation may fail. release gets the size that was allocated. */
typedef struct gw_allocator {
    void *ctx;
    void *(*alloc)(void *ctx, size_t size);
    void (*release)(void *ctx, void *ptr, size_t size);
} gw_allocator;

enum { GW_LOG_ERROR = 1, GW_LOG_WARN = 2, GW_LOG_INFO = 3, GW_LOG_DEBUG = 4 };

/* Fills out with len unpredictable bytes. Asked for seeds when a worker is made. */
typedef void gw_entropy_fn(void *ctx, void *out, size_t len);
/* level: GW_LOG_*. event: a stable token ("link.bad_bytes"); text: one bounded line for people. */
typedef void gw_log_fn(void *ctx, uint32_t level, const char *event, const char *text);
/* Wall clock, nanoseconds since 1970. Read at most once a step, when gw_exchange_get_info tells
 * it, and for each session ticket of TLS. */
typedef uint64_t gw_unix_fn(void *ctx);

/* The host has broken the contract: call names what it called, text says what was wrong; both static. In
 * the thread of that call, before it answers. May end the process, or return: then the call fails as its
 * comment says, and a line in the log ("host.misuse") tells of it too. Must not call the library. */
typedef void gw_panic_fn(void *ctx, const char *call, const char *text);

/* Waits a moment: a thread that changes what is in force (gw_engine_apply) asks it again and again while
 * another thread is at it. Workers never do. */
typedef void gw_pause_fn(void *ctx);

/* Of what is here log may call the library, what a hook may: it runs inside gw_worker_step and
 * gw_worker_free, and in a gw_engine_free that does nothing. The others must not. */
typedef struct gw_env {
    uint32_t size;
    uint32_t log_level;     /* the highest level to report; 0: GW_LOG_WARN; GW_OFF: none     */
    gw_allocator allocator; /* all NULL: malloc and free                                     */
    gw_entropy_fn *entropy; /* NULL: getrandom                                               */
    void *entropy_ctx;
    gw_log_fn *log; /* NULL: silent */
    void *log_ctx;
    gw_unix_fn *unix_nanos; /* NULL: the system's clock */
    void *unix_ctx;
    gw_panic_fn *panic; /* NULL: none. Builds without assertions call none */
    void *panic_ctx;
    gw_pause_fn *pause; /* NULL: sleeps 50 microseconds */
    void *pause_ctx;
} gw_env;

/* Addresses are text everywhere: "10.0.0.1:80", "[::1]:80", "unix:/run/x", "name:80". This is for
 * hosts and backends that must dial one. name views text. Pure; any thread. GW_EINVAL: not an
 * address. O(length). */
enum { GW_ADDRESS_IPV4 = 1, GW_ADDRESS_IPV6 = 2, GW_ADDRESS_UNIX = 3, GW_ADDRESS_NAME = 4 };
typedef struct gw_address {
    uint32_t kind;
    uint32_t port;
    uint8_t ip[16]; /* network order; IPv4 in the first four */
    gw_str name;    /* UNIX: the path; NAME: the host        */
} gw_address;
GW_API gw_status gw_address_parse(gw_str text, gw_address *out);

/* Opaque handles. */
typedef struct gw_engine gw_engine;     /* what workers share                             */
typedef struct gw_worker gw_worker;     /* one thread's share: links, exchanges, pools    */
typedef struct gw_link gw_link;         /* one connection to one peer                     */
typedef struct gw_exchange gw_exchange; /* one request and its one response, or a tunnel  */
typedef struct gw_message gw_message;   /* the head or the trailers of one direction      */
typedef struct gw_pipe gw_pipe;         /* body bytes in flight, one direction            */
typedef struct gw_config gw_config;     /* immutable, reference counted                   */
typedef struct gw_builder gw_builder;   /* mutable, single use                            */
typedef struct gw_tls gw_tls;           /* TLS settings of one side: gw/tls.h             */

#ifdef __cplusplus
}
#endif
#endif
