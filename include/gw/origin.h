/* gw/origin.h: the host answers an exchange itself, at its own pace.
 *
 * on_request runs once, when the request's head is read. It may answer at once: gw_exchange_respond,
 * fields on gw_exchange_response, gw_pipe_write into the pipe on_write will show, gw_pipe_end.
 * on_read then runs whenever there are new bytes of the request's body, and once at its end;
 * on_write runs once after on_request, then whenever room came back after it had run out; on_read
 * runs once after on_write while bytes are left, and on_write once after on_read took bytes or saw
 * the end. Never just because there is room: who has nothing to say yet returns GW_WAIT, and either
 * waits for the other hook or takes a ticket (gw_exchange_wait) and is woken through on_resume.
 *
 * Backpressure is the pipe: bytes not dropped by on_read stop the client; room is what the client
 * has not yet taken. Who does neither has as long as the route's idle timeout. Each pipe is the same
 * object for the life of the exchange: an origin may keep both in its memory and use either in any
 * hook of it but on_end. The request's may only be read, the response's only written.
 */
#ifndef GW_ORIGIN_H
#define GW_ORIGIN_H

#include <gw/filter.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gw_origin {
    uint32_t size;
    uint32_t exchange_bytes; /* zeroed memory per exchange: gw_exchange_memory            */
    const char *name;        /* copied                                                    */
    void *ctx;               /* given to every hook; must outlive the configuration       */
    /* Needed; the others may be NULL. Of each: GW_NEXT and GW_WAIT go on; any other verdict: the
     * client's stream is reset (or 502 if no response has begun). */
    gw_verdict (*on_request)(void *ctx, gw_exchange *x);
    /* There are bytes, or gw_pipe_is_last. NULL: the body is dropped. */
    gw_verdict (*on_read)(void *ctx, gw_exchange *x, gw_pipe *request);
    gw_verdict (*on_write)(void *ctx, gw_exchange *x, gw_pipe *response);
    /* As of gw_filter; side is GW_SIDE_RESPONSE. */
    gw_verdict (*on_resume)(void *ctx, gw_exchange *x, uint32_t side, void *answer);
    void (*on_end)(void *ctx, const gw_exchange *x); /* exactly once                      */
} gw_origin;

/* A filter answers in pieces, in on_request or on_route, or resumed from there, which then return
 * GW_REPLY: the hooks of origin run, with the ctx and the gw_exchange_memory of that filter in place of
 * theirs; on_end as well. origin is copied. The request is not routed any more, and its body is shown to
 * no filter; the answer goes to the filters before this one. Silence has 300 seconds, or the route's idle
 * timeout. GW_EINVAL: origin's size; GW_ESTATE: in another hook, or a response has begun; GW_ENOMEM. */
GW_API gw_status gw_exchange_serve(gw_exchange *x, const gw_origin *origin);

#ifdef __cplusplus
}
#endif
#endif
