/* guard/health.h: is an endpoint well, as far as probes of ours have found out: so many good ones in a row
 * make it healthy, so many failed ones unhealthy; the first one of all decides at once. And whose turn it
 * is to probe it: one worker at a time takes it by the time when it is due, and who is not heard of loses
 * it again. Pure; one state for all workers. What a probe is: exchange/probe.h.
 *
 * X(id, name): why the last probe failed
 */
#ifndef GW_GUARD_HEALTH_H
#define GW_GUARD_HEALTH_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/timer.h"

#define GW_HEALTH_CAUSES(X)                                                                        \
    X(NONE, "none")                                                                                \
    X(CONNECT, "no connection")                                                                    \
    X(TIMEOUT, "no answer in time")                                                                \
    X(CLOSED, "closed without an answer")                                                          \
    X(MALFORMED, "no answer that can be read")                                                     \
    X(STATUS, "status")                                                                            \
    X(GRPC_STATUS, "grpc-status")                                                                  \
    X(NOT_SERVING, "serving status")

enum gw_health_cause {
#define GW_HEALTH_ENUM(id, name) GW_HEALTH_##id,
    GW_HEALTH_CAUSES(GW_HEALTH_ENUM)
#undef GW_HEALTH_ENUM
        GW_HEALTH_CAUSE_COUNT
};
enum gw_health_state { GW_HEALTH_UNTRIED, GW_HEALTH_HEALTHY, GW_HEALTH_UNHEALTHY };
enum { GW_HEALTH_ROW_MAX = 1000 }; /* of rise and fall */

struct gw_health_conf {
    uint32_t rise, fall;       /* so many in a row, from 1 on                            */
    bool is_untried_unhealthy; /* who was never probed is not asked                      */
    gw_nanos interval, unhealthy_interval; /* from one probe's begin to the next's              */
    gw_nanos timeout; /* of a probe                                             */
    uint32_t jitter;  /* percent of the interval that are added at most         */
};

/* Of one endpoint. All zero is one that nobody has probed yet. */
struct gw_health {
    _Atomic uint64_t word;  /* state, row, cause, code, place: see health.c               */
    _Atomic uint64_t due;   /* the next probe; while one runs: when another may take over  */
    _Atomic uint64_t since; /* of the state                                               */
    _Atomic uint64_t place; /* a hash of the address that it is about                      */
    /* For who looks: */
    _Atomic uint64_t good, failed; /* probes                     */
    _Atomic uint64_t failed_at;    /* the last of these          */
    atomic_uint lost;              /* how often it was found bad */
};

struct gw_health_view {
    enum gw_health_state state;
    uint32_t row;               /* of probes that say otherwise                         */
    enum gw_health_cause cause; /* of the last probe: NONE: it was good, or there was none */
    uint32_t code;              /* ... with that status                                 */
    gw_nanos since, next;       /* of the state; the next probe is not before           */
};
struct gw_health_view gw_health_look(const struct gw_health *h);
/* Is it not to be asked, if nobody else says so? */
bool gw_health_is_unhealthy(const struct gw_health *h, const struct gw_health_conf *conf);

/* From the begin of a probe to when another may take over, at most. */
gw_nanos gw_health_longest(const struct gw_health_conf *conf);
/* It is about that address from now on: of another one nothing is known. And its next probe is no later than
 * conf says of one that begins now; one that is under way keeps its turn. draw: any number, here and below. True: something was forgotten. */
bool gw_health_settle(struct gw_health *h, const struct gw_health_conf *conf, uint64_t place,
                      gw_nanos now, uint64_t draw);

/* A probe that has the turn. */
struct gw_health_turn {
    uint64_t due; /* what identifies it */
    uint64_t place;
    gw_nanos begun;
};
/* False: it is not due, somebody else has it, or it is about another address. */
bool gw_health_take(struct gw_health *h, const struct gw_health_conf *conf, uint64_t place,
                    gw_nanos now, uint64_t draw, struct gw_health_turn *out);
/* The turn ends without a word: the next one is when it is due again; at: at once. False: it was over. */
bool gw_health_pass(struct gw_health *h, const struct gw_health_turn *turn, gw_nanos at);

struct gw_health_result {
    enum gw_health_cause cause; /* NONE: it is well */
    uint32_t code;              /* under 1,024      */
};
/* The turn ends with a result. True: the state is another. Nothing, if the turn was over. */
bool gw_health_report(struct gw_health *h, const struct gw_health_conf *conf,
                      const struct gw_health_turn *turn, struct gw_health_result result,
                      gw_nanos now, uint64_t draw);
const char *gw_health_cause_name(enum gw_health_cause cause);

#endif
