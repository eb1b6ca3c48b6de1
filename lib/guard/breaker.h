/* guard/breaker.h: is an endpoint asked at all: closed (yes), open (no, until a time), half open (by a
 * few probes, until they have told). Pure: state, parameters, time and outcome in, an answer out; one
 * state for all workers, of one word that decides. docs/breaking.md has the graph.
 *
 * X(id, name, set of states that may follow)
 */
#ifndef GW_GUARD_BREAKER_H
#define GW_GUARD_BREAKER_H

#include "guard/window.h"

#define GW_BREAKER_STATES(X)                                                                       \
    X(CLOSED, "closed", GW_BREAKER_TO(OPEN))                                                       \
    X(OPEN, "open", GW_BREAKER_TO(HALF_OPEN))                                                      \
    X(HALF_OPEN, "half open", GW_BREAKER_TO(OPEN) | GW_BREAKER_TO(CLOSED))

enum gw_breaker_state {
#define GW_BREAKER_ENUM(id, name, next) GW_BREAKER_##id,
    GW_BREAKER_STATES(GW_BREAKER_ENUM)
#undef GW_BREAKER_ENUM
        GW_BREAKER_STATE_COUNT
};
#define GW_BREAKER_TO(id) (1u << GW_BREAKER_##id)

/* Why it is in that state. X(id) */
#define GW_BREAKER_CAUSES(X)                                                                       \
    X(NONE)                                                                                        \
    X(ROW)    /* open: failures in a row    */                                                     \
    X(SHARE)  /* ... so many of the window  */                                                     \
    X(PROBE)  /* ... a probe failed         */                                                     \
    X(TIME)   /* half open: its time was over */                                                   \
    X(PROBED) /* closed: its probes were good */

enum gw_breaker_cause {
#define GW_BREAKER_CAUSE_ENUM(id) GW_BREAKER_BY_##id,
    GW_BREAKER_CAUSES(GW_BREAKER_CAUSE_ENUM)
#undef GW_BREAKER_CAUSE_ENUM
        GW_BREAKER_CAUSE_COUNT
};

/* How a try went. X(id, name: a bit of the failures in a file and in gw/config.h) */
#define GW_OUTCOMES(X)                                                                             \
    X(CONNECT, "connect")           /* no connection: refused, unreachable, too slow         */    \
    X(TIMEOUT, "timeout")           /* it has not answered, or not gone on, in time           */   \
    X(RESET, "reset")               /* it has closed or reset before its answer was whole     */   \
    X(MALFORMED, "malformed")       /* what it says is no answer                            */     \
    X(STATUS, "status")             /* 502, 503, 504                                          */   \
    X(GRPC, "grpc")                 /* grpc-status: one of those that count                   */   \
    X(SLOW, "slow")                 /* a good answer, later than slow_ms                      */   \
    X(SERVER_ERROR, "server_error") /* any other 5xx                                  */           \
    X(DEADLINE, "deadline")         /* the deadline that the client had set has passed        */

enum gw_outcome {
#define GW_OUTCOME_ENUM(id, name) GW_OUTCOME_##id,
    GW_OUTCOMES(GW_OUTCOME_ENUM)
#undef GW_OUTCOME_ENUM
        GW_OUTCOME_OK,  /* it was good                                                     */
    GW_OUTCOME_NEITHER, /* it says nothing of the upstream: the client's, or our own, doing */
    GW_OUTCOME_COUNT
};

/* Bounds of what a configuration may ask. */
enum {
    GW_BREAKER_PROBES_MAX = 100,
    GW_BREAKER_WINDOW_MS_MAX = 3600000,
    GW_BREAKER_SLEEP_MS_MAX = 86400000
};

struct gw_breaker_conf {
    uint32_t failures; /* so many in a row open it; 0: none              */
    uint32_t percent;  /* so large a share of the window opens it; 0: none */
    uint32_t volume;   /* ... if the window has so many                  */
    gw_nanos window;
    gw_nanos sleep, sleep_max; /* it doubles with each failed attempt, up to the latter */
    uint32_t jitter;           /* up to so many percent are added                       */
    uint32_t probes;           /* at once, and so many good ones close it               */
    gw_nanos probe_timeout;    /* after which one that was not heard of is replaced     */
};

/* All zero is a closed one. */
struct gw_breaker {
    _Atomic uint64_t word; /* state, turn, opens, probes, until: see breaker.c */
    atomic_uint row;       /* failures in a row                                */
    atomic_uint opened;    /* so often                                         */
    _Atomic uint64_t note; /* of the last change: turn, cause, when; see breaker.c */
    struct gw_window window;
};

/* Of one try: to be given back with its outcome, once. */
typedef uint8_t gw_breaker_ticket;

/* What it would say, without asking. */
struct gw_breaker_view {
    enum gw_breaker_state state;
    bool has_room;  /* for a try, or a probe */
    uint32_t opens; /* without a close in between */
    gw_nanos next;  /* when this changes by itself; GW_NEVER: it does not */
};
struct gw_breaker_view gw_breaker_look(const struct gw_breaker *b,
                                       const struct gw_breaker_conf *conf, gw_nanos now);
/* What became of it: for who looks. since 0: it was never another, or is becoming so just now. until: OPEN: a
 * probe may go from then on; HALF_OPEN: other probes may; GW_NEVER: closed. Any thread. */
struct gw_breaker_story {
    enum gw_breaker_state state;
    enum gw_breaker_cause cause;
    gw_nanos since, until;
    uint32_t opened, row;
};
struct gw_breaker_story gw_breaker_tell(const struct gw_breaker *b, gw_nanos now);
/* May there be a try? Then it is counted, and the ticket says as what. Any thread. */
bool gw_breaker_take(struct gw_breaker *b, const struct gw_breaker_conf *conf, gw_nanos now,
                     gw_breaker_ticket *out);
bool gw_breaker_is_probe(gw_breaker_ticket ticket);
/* One of three: it was good, it failed, it says nothing. True: the state is another, or there is
 * room again. seed: drawn for the jitter, anyhow. Any thread. */
enum gw_breaker_verdict { GW_BREAKER_GOOD, GW_BREAKER_BAD, GW_BREAKER_VOID };
bool gw_breaker_report(struct gw_breaker *b, const struct gw_breaker_conf *conf, gw_nanos now,
                       gw_breaker_ticket ticket, enum gw_breaker_verdict verdict, uint64_t seed);
const char *gw_breaker_state_name(enum gw_breaker_state state);

#endif
