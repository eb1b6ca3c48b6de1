/* http/abuse.h: what a peer makes us do for nothing, as one number a connection. The number is a time: a
 * connection has GW_ABUSE_PATIENCE of it, regains a second each second, each thing that is of no use to
 * anybody costs some, and each thing of use brings some back. When it is used up the connection ends.
 * Knows nothing of protocols: codecs say what happened (docs/threat-model.md says what is what).
 */
#ifndef GW_HTTP_ABUSE_H
#define GW_HTTP_ABUSE_H

#include <gw/env.h>

/* X(id, cost in microseconds, what it is) */
#define GW_ABUSES(X)                                                                               \
    X(RESET, 5000, "requests given up before they were answered")                                  \
    X(LATE_RESET, 1000, "answers given up")                                                        \
    X(FAULT, 25000, "streams that had to be reset")                                                \
    X(SETTINGS, 50000, "SETTINGS and GOAWAY")                                                      \
    X(EMPTY, 5000, "DATA without bytes")                                                           \
    X(PING, 500, "PING")                                                                           \
    X(CHATTER, 200, "window updates and frames without effect")                                    \
    X(NARROW, 200, "windows of a few bytes")                                                       \
    X(FIELD, 200, "fields of heads that are refused")                                              \
    X(TINY, 10, "bodies in pieces of a few bytes")                                                 \
    X(BOUND, 0, "more at once than a bound allows")

enum gw_abuse_kind {
#define GW_ABUSE_ENUM(id, cost, text) GW_ABUSE_##id,
    GW_ABUSES(GW_ABUSE_ENUM)
#undef GW_ABUSE_ENUM
};

#define GW_ABUSE_PATIENCE UINT64_C(5000000000)
/* Of use: an exchange that ended without a cause; a frame of body that the peer had room for. */
#define GW_ABUSE_EXCHANGE_EARNS UINT64_C(5000000)
#define GW_ABUSE_FRAME_EARNS UINT64_C(800000)

/* Pieces of a body, and windows, that carry less than their own framing. */
enum { GW_ABUSE_TINY_BYTES = 5, GW_ABUSE_NARROW_BYTES = 256 };

/* All zero at first. */
struct gw_abuse {
    gw_nanos clear; /* when all patience is there again; in the past: it is */
    uint8_t kind;   /* what used it up                                      */
};

/* False: the patience is used up. */
bool gw_abuse_charge(struct gw_abuse *a, enum gw_abuse_kind kind, uint32_t times, gw_nanos now)
    GW_MUST_CHECK;
static inline void gw_abuse_earn(struct gw_abuse *a, gw_nanos worth)
{
    a->clear = a->clear > worth ? a->clear - worth : 0;
}
const char *gw_abuse_text(uint32_t kind);

#endif
