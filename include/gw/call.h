/* gw/call.h: the host as client: a request that it makes through a worker.
 *
 * A call is an exchange like any other, whose client is the host: routes, retries, connections that are
 * kept, deadlines, causes and statistics are the same, and admission counts it: what it will need is
 * promised to it at once, or the call is refused. Filters do not run on it; its own hooks do.
 *
 * gw_worker_call only records: hooks run in the worker's steps. on_write, if there is one, writes the
 * body in pieces: first when the call begins, then whenever room came back after it had run out.
 * on_response runs once, when the head of the answer is there; on_read whenever there are new bytes of
 * its body, and once at its end; on_read runs once after on_write while bytes are left, and on_write once
 * after on_read took bytes. Never just because there is room: who has nothing to say yet returns GW_WAIT,
 * and takes a ticket (gw_exchange_wait) or waits for the other hook. Backpressure is the pipe: bytes that
 * on_read does not drop stop the upstream. Each pipe is the same object for the life of the call: both
 * may be used in any hook of it but on_end. The request's may only be written, the answer's only read.
 */
#ifndef GW_CALL_H
#define GW_CALL_H

#include <gw/worker.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What of a call is told to whom. NULL hooks: nothing is done. Of each verdict: GW_NEXT and GW_WAIT go
 * on; any other ends the call with cause host_abort. No exception may leave a hook. */
typedef struct gw_caller {
    uint32_t size;
    uint32_t exchange_bytes; /* zeroed memory: gw_exchange_memory; less than a block          */
    void *ctx;               /* given to every hook; must live until on_end has returned      */
    /* There is room. NULL: the request has the body of gw_call_spec. Ends it with gw_pipe_end; trailers
     * set until then (gw_exchange_trailers) follow it. */
    gw_verdict (*on_write)(void *ctx, gw_exchange *x, gw_pipe *request);
    /* The final head is there: gw_exchange_response. A failure of the gateway's own is not put into one:
     * on_end has its cause. */
    gw_verdict (*on_response)(void *ctx, gw_exchange *x);
    /* There are bytes, or gw_pipe_is_last. NULL: the body is dropped. */
    gw_verdict (*on_read)(void *ctx, gw_exchange *x, gw_pipe *response);
    /* As of gw_filter; side is GW_SIDE_REQUEST. Both on_write and on_read run after it. */
    gw_verdict (*on_resume)(void *ctx, gw_exchange *x, uint32_t side, void *answer);
    /* Exactly once for each call that was taken, in every outcome: gw_exchange_cause. */
    void (*on_end)(void *ctx, const gw_exchange *x);
} gw_caller;

typedef struct gw_call_field {
    gw_str name, value;
} gw_call_field;

/* Zero and empty are defaults. All is copied by the call. */
typedef struct gw_call_spec {
    uint32_t size;
    uint32_t timeout_ms; /* of the whole call; 30,000; GW_OFF: only silence is bounded        */
    uint32_t answer_max; /* not 0: on_read runs once, with the whole body, at most so long; what it
                             leaves is dropped. A longer one ends the call with GW_ELIMIT. At most
                             pipe_bytes_max; that much is promised to the call, too             */
    uint32_t retries;    /* with cluster: as of a route; 1, up to 5; GW_OFF: none             */
    const gw_caller *caller; /* NULL: nobody is told                                            */
    gw_str cluster;          /* name; empty: by route: those that name a listener do not match    */
    gw_str method;           /* GET; not CONNECT                                                  */
    gw_str authority;        /* empty: the endpoint's address, or localhost                       */
    gw_str target;           /* "/path?query"; "/"                                                */
    const gw_call_field *fields; /* as gw_message_add_field takes them                          */
    size_t fields_len;
    gw_const_span body; /* at most pipe_bytes_max; not with on_write                            */
} gw_call_spec;

/* Begins a call; the first of its hooks runs in a step. *out may be NULL: nobody will cancel it; the
 * number is unique for the worker's life. From any hook but on_end while the worker is freed, or
 * between steps. GW_EINVAL: a part that cannot be sent, or exchange_bytes longer than a block or than
 * exchange_bytes_max; GW_EUNKNOWN: no such cluster, or no
 * configuration; GW_ELIMIT: exchanges_max, or not so much memory is spare (limits.md): later, perhaps;
 * GW_ENOMEM; GW_ESTATE: the worker is ending. No hook runs for a call that is refused. O(clusters +
 * length); allocates. */
GW_API gw_status gw_worker_call(gw_worker *w, const gw_call_spec *spec, gw_exchange_id *out);
/* Ends a call: on_end follows in a step, with cause host_abort, unless it has ended by then otherwise.
 * GW_ESTATE: there is no such call, or it has ended. O(calls under way). */
GW_API gw_status gw_worker_cancel(gw_worker *w, gw_exchange_id call);

#ifdef __cplusplus
}
#endif
#endif
