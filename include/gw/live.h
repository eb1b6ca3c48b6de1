/* gw/live.h: what changes without a new configuration, and what is in force now. All of it may be called
 * from any thread, also inside hooks. Who calls waits for a change that another thread is just making, so a
 * hook that calls makes its worker wait; no other worker does, and all take a change at the start of their
 * next step. What is in flight goes on with the endpoint that it was given. */
#ifndef GW_LIVE_H
#define GW_LIVE_H

#include <gw/engine.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Puts these endpoints in the place of all that the cluster has: set[0] to set[n - 1], each as long as
 * set[0].size says; copied. None (n 0) is allowed: then requests are answered as if all were gone. An
 * endpoint whose name stays keeps what is known of it, and its connections if its address stays too.
 *
 * For a cluster with GW_CLUSTER_LIVE this outlives new configurations; for others the next one that is
 * applied says what they are. Refused as a whole: err (may be NULL) names the field, as
 * "endpoints[2].weight". GW_EINVAL: a field out of range, two of one name, or the cluster is an origin;
 * GW_EUNKNOWN: no such cluster; GW_ESTATE: no configuration was applied yet; GW_ELIMIT: too many;
 * GW_ENOMEM. Allocates; O(endpoints times workers). */
GW_API gw_status gw_engine_set_endpoints(gw_engine *e, gw_str cluster, const gw_endpoint_spec *set,
                                         size_t n, gw_config_error *err) GW_MUST_CHECK;
/* Adds an endpoint, or changes the one of that name: its weight (GW_OFF: no new exchanges, it drains), its
 * address. As gw_engine_set_endpoints with all the others as they are; err names the field alone. */
GW_API gw_status gw_engine_put_endpoint(gw_engine *e, gw_str cluster, const gw_endpoint_spec *one,
                                        gw_config_error *err) GW_MUST_CHECK;
/* Takes the endpoint of that name away. Its idle connections are closed, the others when their exchanges
 * have ended. As gw_engine_set_endpoints; GW_EUNKNOWN too: no such endpoint. */
GW_API gw_status gw_engine_drop_endpoint(gw_engine *e, gw_str cluster, gw_str name) GW_MUST_CHECK;

/* Gives clusters that share a route (gw_route_spec.splits) other weights, from the next request on; those
 * that are not named keep theirs. The next configuration that is applied says what they are. Refused as a
 * whole: err (may be NULL) names the field, as "splits[1].weight", if it is one. GW_EINVAL: the route is not
 * shared, a weight is out of range, nobody would have one, set is as for
 * gw_engine_set_endpoints; GW_EUNKNOWN: no such route, or no such cluster among those that share it;
 * GW_ESTATE: no configuration was applied yet; GW_ENOMEM. Allocates; O(endpoints times workers). */
GW_API gw_status gw_engine_set_splits(gw_engine *e, gw_str route, const gw_split_spec *set,
                                      size_t n, gw_config_error *err) GW_MUST_CHECK;

enum {
    GW_KIND_CLUSTER = 1,
    GW_KIND_ENDPOINT = 2,
    GW_KIND_SPLIT = 3,
    GW_KIND_BREAKER = 4,  /* of an endpoint                         */
    GW_KIND_OUTLIER = 5,  /* whether an endpoint is ejected         */
    GW_KIND_THROTTLE = 6, /* of a cluster                          */
    GW_KIND_HEALTH = 7,   /* of an endpoint that is probed         */
    GW_KIND_LIMITER = 8
};
enum {
    GW_STATE_CLOSED = 1,    /* it is asked                         */
    GW_STATE_OPEN = 2,      /* it is not                           */
    GW_STATE_HALF_OPEN = 3, /* only by probes                      */
    GW_STATE_EJECTED = 4,   /* it is left out, but in panic        */
    GW_STATE_DRAINING = 5,  /* it has no weight                    */
    GW_STATE_UNHEALTHY = 6, /* it is left out, but in panic        */
    GW_STATE_UNTRIED = 7    /* health: no probe has ended yet      */
};
/* Why. */
enum {
    GW_WHY_FAILURES = 1, /* so many in a row                       */
    GW_WHY_SHARE = 2,    /* so many of all; far more than others   */
    GW_WHY_LATENCY = 3,  /* far slower than others                 */
    GW_WHY_PROBE = 4,    /* a probe failed                         */
    GW_WHY_TIME = 5,     /* its time was over                      */
    GW_WHY_PROBED = 6,   /* its probes were good                   */
    /* Of an endpoint: who decides. */
    GW_WHY_FORCED = 7,
    GW_WHY_WEIGHT = 8,
    GW_WHY_BREAKER = 9,
    GW_WHY_HEALTH = 10,
    GW_WHY_OUTLIER = 11
};

/* ---- taken for something, for a while ---- */

enum { GW_FORCE_MS_MAX = 86400000 };
/* What something is taken for, until its time is over, whatever is known of it:
 *
 *     kind              state
 *     GW_KIND_ENDPOINT  GW_STATE_OPEN     nobody is sent there, in panic neither
 *                       GW_STATE_CLOSED   it is asked, whatever its breaker, its health and ejection say
 *     GW_KIND_BREAKER   GW_STATE_OPEN, GW_STATE_CLOSED, as if its breaker were so
 *     GW_KIND_OUTLIER   GW_STATE_EJECTED  as if it were ejected: in panic it is asked all the same
 *                       GW_STATE_CLOSED   as if it were not
 *     any of them       0                 what was forced is so no longer
 *
 * What goes on behind it does so: when it ends, all is as it would have been. docs/states.md */
typedef struct gw_force_spec {
    uint32_t size;
    uint32_t kind;
    uint32_t state;
    uint32_t for_ms; /* 1 to GW_FORCE_MS_MAX; with state 0 not looked at                  */
    gw_str cluster;
    gw_str name;  /* of the endpoint; empty: each that the cluster has now                 */
    gw_nanos now; /* by the clock of the workers; not 0; with state 0 not looked at        */
} gw_force_spec;

/* From the next pick on; in the place of what was forced of the same kind before, and outlives new
 * configurations with the endpoint. GW_EINVAL: what is not in the table, no time or too long a one, a now
 * that the workers' clock cannot have, an origin, a breaker that there is not; GW_EUNKNOWN: no such cluster or endpoint; GW_ESTATE: no
 * configuration was applied yet. Allocates nothing; O(endpoints). */
GW_API gw_status gw_engine_force(gw_engine *e, const gw_force_spec *spec) GW_MUST_CHECK;

/* ---- a look at it ---- */

typedef struct gw_view gw_view; /* what was in force when it was opened; numbers are of now */

typedef struct gw_state {
    uint32_t size;
    uint32_t kind;     /* GW_KIND_*; see docs/states.md for their order; there may be more     */
    uint32_t weight;   /* endpoint, split; 0: none                                      */
    uint32_t inflight; /* exchanges that were given to it and have not ended            */
    gw_str cluster;
    gw_str name;    /* endpoint, limiter */
    gw_str address; /* endpoint */
    gw_str route;   /* split */
    /* Of a split, since any configuration first had it: */
    uint64_t requests; /* that were given to it                                         */
    uint64_t failures; /* of them: 5xx, gRPC's UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE,
                          DATA_LOSS, and what the gateway had to answer for the cluster */
    /* Of an endpoint (all things taken together, what is forced too), a breaker, an outlier (by itself): */
    uint32_t state; /* GW_STATE_*                                                    */
    uint32_t cause; /* GW_WHY_*; 0: it was never another                             */
    gw_nanos since; /* ... it is so, to a microsecond; 0: as long as it is there, or just now */
    gw_nanos next;  /* when this may end by itself; one that has passed: with the next request;
                          UINT64_MAX: it does not                                       */
    gw_nanos forced_until;
    gw_nanos forced_since;
    uint32_t forced;  /* GW_STATE_*: what it is taken for until then; 0: for what it is */
    uint32_t times;   /* breaker: it opened; outlier: it was ejected                   */
    uint32_t row;     /* breaker, outlier: failures in a row                           */
    uint32_t failure; /* GW_FAILURE_*: the last one of the endpoint; 0: none           */
    gw_nanos failed_at;
    uint64_t
        successes; /* endpoint: tries that were good; failures: that were not; throttle: both, of its
                           window. Clusters without guards count none                   */
    uint32_t refused_ppm; /* throttle: so many of a million requests                    */
    /* Of a cluster; of most: UINT32_MAX: none. */
    uint32_t inflight_most;
    uint32_t pending,
        pending_most; /* of inflight: without a connection; counted if it is bounded */
    uint32_t retries, retries_most; /* ... not the first try; likewise                  */
    uint32_t code;   /* health: the status in the last probe's answer; 0: none            */
    uint32_t tokens; /* limiter: so many in each period_ns; 0: a ceiling of what is in flight */
    /* Of an endpoint, over all workers: open; on their way. Of a cluster: all that count. */
    uint32_t connections, connecting;
    /* Of a limiter; its state: OPEN, the next request would be refused, if there are no keys; requests:
     * that it was asked for, since any configuration first had it. */
    uint32_t keys, keys_most; /* it has to remember, of so many that have room; 0: no keys  */
    uint64_t level;           /* without keys: so many would pass now, or find room         */
    uint64_t level_most;      /* burst, or the ceiling; of a key, if there are keys         */
    uint64_t period_ns;       /* in each of these tokens come back                          */
    uint64_t refused; /* of requests; by a limiter in shadow mode, too                      */
    uint32_t connections_most;   /* of a cluster; UINT32_MAX: any number                    */
    uint32_t connections_wanted; /* ... that requests wait for, since there are as many     */
} gw_state;

/* Opens a view, which pins the configuration and the endpoints; one thread at a time may use it. GW_ESTATE:
 * no configuration was applied yet; GW_EINVAL; GW_ENOMEM. Allocates; O(1). */
GW_API gw_status gw_view_open(gw_engine *e, gw_view **out) GW_MUST_CHECK;
/* The time that states are told for, by the clock of the workers; else it is when the newest of them was
 * stepped last. O(1). */
GW_API void gw_view_at(gw_view *v, gw_nanos now);
/* The next state, in the configuration's order; fills what out->size covers. Strings live as long as the
 * view. The host's origins have none. False: no more, or out has no size. O(1);
 * of a limiter O(keys_most). */
GW_API bool gw_view_next(gw_view *v, gw_state *out);
/* Lets go of it; before gw_engine_free. NULL is fine. */
GW_API void gw_view_close(gw_view *v);

#ifdef __cplusplus
}
#endif
#endif
