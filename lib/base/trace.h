/* base/trace.h: the kinds of trace events. X(id, name): a and b as the comment says. */
#ifndef GW_BASE_TRACE_H
#define GW_BASE_TRACE_H

#include <gw/trace.h>

#define GW_TRACES(X)                                                                               \
    X(LINK_ACCEPT, "link.accept")       /* a: links now                        */                  \
    X(LINK_CONNECT, "link.connect")     /* a: links now                        */                  \
    X(LINK_CONNECTED, "link.connected") /* a: status                           */                  \
    X(LINK_RECEIVED, "link.received")   /* a: bytes, b: status                 */                  \
    X(LINK_SENT, "link.sent")           /* a: bytes, b: status                 */                  \
    X(LINK_CLOSE, "link.close")         /* the library asks for it             */                  \
    X(LINK_CLOSED, "link.closed")       /* reported                            */                  \
    X(LINK_RETURN, "link.return")       /* it goes back to the host            */                  \
    X(EXCHANGE_BEGIN, "exchange.begin") /* a: id of the link                   */                  \
    X(EXCHANGE_PHASE, "exchange.phase") /* a: phase                            */                  \
    X(EXCHANGE_FAIL, "exchange.fail")   /* a: by, b: reason                    */                  \
    X(EXCHANGE_END, "exchange.end")     /* a: reason, b: code                  */

enum gw_trace_id {
    GW_TRACE_NONE = 0,
#define GW_TRACE_ENUM(id, name) GW_TRACE_##id,
    GW_TRACES(GW_TRACE_ENUM)
#undef GW_TRACE_ENUM
};

struct gw_trace {
    gw_trace_fn *write; /* NULL: off */
    void *ctx;
    uint32_t worker;
};

static inline void gw_trace_event(const struct gw_trace *t, gw_nanos now, enum gw_trace_id what,
                                  uint64_t object, uint64_t a, uint64_t b)
{
    if (t->write != NULL)
        t->write(t->ctx, &(gw_event){ now, object, a, b, (uint32_t)what, t->worker });
}

#endif
