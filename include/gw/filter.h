/* gw/filter.h: the host's hooks on every exchange, and what a hook sees of a body. */
#ifndef GW_FILTER_H
#define GW_FILTER_H

#include <gw/exchange.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum gw_verdict {
    GW_NEXT = 0,  /* go on                                                              */
    GW_WAIT = 1,  /* hold until there is news; needs gw_exchange_wait                   */
    GW_REPLY = 2, /* gw_exchange_reply was called: send that                            */
    GW_ABORT = 3  /* cut the exchange off; so does any value not listed here            */
} gw_verdict;

/* Which bodies a filter sees, and what it does with them. */
enum {
    GW_BODY_REQUEST = 1u,  /* on_request_body is called                                */
    GW_BODY_RESPONSE = 2u, /* on_response_body is                                      */
    GW_BODY_REWRITES = 4u, /* their length may change: it is not announced any more    */
    GW_BODY_WHOLE = 8u     /* nothing goes on, the head neither, until its end has run */
};

/* One filter is shared by all workers: its hooks run in each worker's thread. Those of the request run
 * in order of registration, those of the response in reverse, on the try that won only. A NULL hook
 * means GW_NEXT. A reply goes to the filters before the one that gave it; what the gateway itself says
 * when something fails goes to none. No exception may leave a hook. docs/filters.md has the rules. */
typedef struct gw_filter {
    uint32_t size;
    uint32_t exchange_bytes;  /* zeroed memory per exchange: gw_exchange_memory; less than a
                                block, and with all others at most exchange_bytes_max      */
    const char *name;         /* copied; unique                                             */
    uint32_t body;            /* GW_BODY_*; 0: bodies pass unseen. See gw_exchange_show_body */
    uint32_t whole_bytes_max; /* of a body that is held; pipe_bytes_max, which is the most  */
    void *ctx;                /* given to every hook; must outlive the configuration        */
    /* The request's head is read and accepted, not yet routed. */
    gw_verdict (*on_request)(void *ctx, gw_exchange *x);
    /* It has a route: gw_exchange_config and gw_exchange_route_user are of that. */
    gw_verdict (*on_route)(void *ctx, gw_exchange *x);
    /* An endpoint is chosen; of each try, before anything is sent. */
    gw_verdict (*on_upstream)(void *ctx, gw_exchange *x);
    /* There are bytes, or it is the end: gw_pipe_is_last. What the hook neither passes nor drops is
     * shown again with more. Not of tunnels. Of it and of the next three GW_WAIT holds this
     * direction; p is good in the hook and in the on_resume that answers for it. */
    gw_verdict (*on_request_body)(void *ctx, gw_exchange *x, gw_pipe *p);
    /* Once for each request, with or without a body, but for what is cut off, answered, or a tunnel
     * before. Trailers are here, to be read, changed, dropped; what is left in p, and what is still
     * written, goes before them. */
    gw_verdict (*on_request_end)(void *ctx, gw_exchange *x, gw_pipe *p);
    /* The head of the final response is here, whoever gave it; not of informational ones. */
    gw_verdict (*on_response)(void *ctx, gw_exchange *x);
    /* As of the request. */
    gw_verdict (*on_response_body)(void *ctx, gw_exchange *x, gw_pipe *p);
    gw_verdict (*on_response_end)(void *ctx, gw_exchange *x, gw_pipe *p);
    /* Once for every gw_resume that returned GW_OK, before on_end; its verdict answers for the
     * hook that waited, and is passed over if the exchange is lost. side: of that hook. */
    gw_verdict (*on_resume)(void *ctx, gw_exchange *x, uint32_t side, void *answer);
    /* Exactly once for each exchange whose head was begun, in every outcome, after any other hook
     * of it; not of a filter that was never on there. The place for access logs. */
    void (*on_end)(void *ctx, const gw_exchange *x);
} gw_filter;

/* What a hook sees of a body: a bounded queue of bytes between a source and a target. An origin's is
 * one of the two; a filter's has bytes in on one side and out on the other. Used by a filter outside
 * of that hook all but peek and is_last answer GW_ESTATE, or 0. */

/* The bytes that are there, as up to max spans; returns how many spans. Valid until the next call
 * on p or the return of the hook. O(max). */
GW_API size_t gw_pipe_peek(const gw_pipe *p, gw_const_span *out, size_t max);
/* The source has ended: nothing comes after what peek shows. */
GW_API bool gw_pipe_is_last(const gw_pipe *p);
/* The first len bytes in one piece: a view if they are, else copied together. Valid as those of peek.
 * GW_EINVAL: more than there are, or an origin's own response; GW_ELIMIT: more than a block;
 * GW_ENOMEM. O(len) at most. */
GW_API gw_status gw_pipe_gather(gw_pipe *p, size_t len, gw_const_span *out);
/* Filters: the first len bytes go on as they are, not copied; where there is no room yet, they wait for
 * it. GW_EINVAL: more than there are, not a filter's, or without GW_BODY_REWRITES what was
 * written in the place of; GW_ENOMEM: nothing moved. O(spans). */
GW_API gw_status gw_pipe_pass(gw_pipe *p, size_t len);
/* Takes len bytes off the front: they are consumed and the sender may send as many more.
 * GW_EINVAL: more than there are; or an origin's own response. O(spans). */
GW_API gw_status gw_pipe_drop(gw_pipe *p, size_t len);
/* How many bytes write would take now; 0 for a request of which the host is the target. A filter
 * without GW_BODY_REWRITES may write as many as it has dropped, and those that it will drop. */
GW_API size_t gw_pipe_room(const gw_pipe *p);
/* Copies up to room bytes; returns how many: fewer too when memory is short; who then has nothing in the
 * pipe that could leave and make room is ended with cause no_memory after the hook. O(len); takes
 * blocks. */
GW_API size_t gw_pipe_write(gw_pipe *p, const void *ptr, size_t len);
/* Lends bytes, not copied: they stay as they are until done has run; they may be more than the room,
 * once. done runs when the last of them has left the library, or is of no use any more: once, in the
 * worker's thread, never inside this call, perhaps after on_end, or in gw_worker_free; NULL: nobody asks.
 * GW_AGAIN: there is no room; GW_ELIMIT: too many pieces are lent (limits.md): write them; GW_ENOMEM;
 * GW_ESTATE: ended, or cut off; GW_EINVAL: not the host's to write, empty, over 4 GiB, or more than a
 * filter without GW_BODY_REWRITES may write. On failure done does not run. Takes no block. */
GW_API gw_status gw_pipe_lend(gw_pipe *p, gw_const_span bytes, gw_done_fn *done, void *ctx,
                              void *object);
/* Origins: the body is complete; trailers set until now follow it. GW_ESTATE: already ended, or cut
 * off; GW_EINVAL: of a request, or a filter's. */
GW_API gw_status gw_pipe_end(gw_pipe *p);

#ifdef __cplusplus
}
#endif
#endif
