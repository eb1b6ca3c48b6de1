/* guard/state.h: what all workers know of a cluster and of an endpoint. Changed by atomics; but for
 * the version nothing here is read to learn of other memory, so relaxed order is enough. */
#ifndef GW_GUARD_STATE_H
#define GW_GUARD_STATE_H

#include "base/ceiling.h"
#include "guard/breaker.h"
#include "guard/force.h"
#include "guard/health.h"
#include "guard/outlier.h"
#include "guard/shared.h"
#include "guard/throttle.h"

struct gw_endpoint_state {
    struct gw_shared shared;
    atomic_uint inflight; /* tries that have been given to it and have not ended */
    _Atomic uint64_t
        since; /* when a worker first asked for it; 0: not yet, or not since it is back */
    struct gw_breaker breaker;
    struct gw_outlier outlier;
    struct gw_force forces[GW_FORCE_ON_COUNT];
    struct gw_health health;
    /* For who looks. Of tries that say something of it, in a cluster with guards: */
    _Atomic uint64_t good, failed;
    _Atomic uint64_t failure; /* the last one: gw_outcome, and above microseconds; 0: none */
    atomic_uint ejected;      /* so often */
    atomic_uint connections, connecting; /* of all workers: open; on their way */
};

struct gw_cluster_state {
    struct gw_shared shared;
    atomic_uint inflight;          /* of all its endpoints, those of an earlier configuration too */
    atomic_uint pending;           /* of these, who waits for a connection  */
    atomic_uint retries;           /* ... and whose first try it is not     */
    struct gw_ceiling connections; /* to all its endpoints, but for probes  */
    atomic_uint version;           /* another whenever it is another who may be asked */
    _Atomic uint64_t forced_until; /* from then on nothing of its endpoints is forced */
    _Atomic uint64_t compare_due;  /* when its endpoints are compared next      */
    struct gw_throttle throttle;
};

/* Of a route that is shared out among clusters, and of the part of one of them. */
struct gw_route_state {
    struct gw_shared shared;
    _Atomic uint64_t turn; /* how many have asked */
};
struct gw_split_state {
    struct gw_shared shared;
    _Atomic uint64_t requests; /* that were given to it   */
    _Atomic uint64_t failures; /* ... and were not served */
};

/* Since when it is there, or back, as far as anybody knows. */
static inline uint64_t gw_state_since(struct gw_endpoint_state *e, uint64_t now)
{
    uint64_t since = atomic_load_explicit(&e->since, memory_order_relaxed);

    if (since == 0 &&
        !atomic_compare_exchange_strong_explicit(&e->since, &since, now > 0 ? now : 1,
                                                 memory_order_relaxed, memory_order_relaxed))
        return since;
    return since == 0 ? now : since;
}

enum { GW_STATE_FAILURE_AT = 4 };
_Static_assert(GW_OUTCOME_COUNT <= 1 << GW_STATE_FAILURE_AT, "its outcome fits");

static inline void gw_state_count(struct gw_endpoint_state *e, enum gw_outcome outcome,
                                  uint64_t now)
{
    if (GW_LIKELY(outcome == GW_OUTCOME_OK)) {
        atomic_fetch_add_explicit(&e->good, 1, memory_order_relaxed);
        return;
    }
    atomic_fetch_add_explicit(&e->failed, 1, memory_order_relaxed);
    atomic_store_explicit(&e->failure, now / 1000 << GW_STATE_FAILURE_AT | (uint64_t)outcome,
                          memory_order_relaxed);
}
/* Behind the change: who sees the version sees it. */
static inline void gw_state_changed(struct gw_cluster_state *c)
{
    atomic_fetch_add_explicit(&c->version, 1, memory_order_release);
}
/* It is back, and has its share again as if it were new: who asks next says since when. */
static inline void gw_state_begin_anew(struct gw_endpoint_state *e)
{
    atomic_store_explicit(&e->since, 0, memory_order_relaxed);
}

/* The same, and nobody learns of it. */
static inline uint64_t gw_state_since_look(const struct gw_endpoint_state *e, uint64_t now)
{
    uint64_t since = atomic_load_explicit(&e->since, memory_order_relaxed);

    return since == 0 ? now : since;
}

/* One of at most max; false: there are as many. */
static inline bool gw_state_take(atomic_uint *count, uint32_t max)
{
    unsigned n = atomic_load_explicit(count, memory_order_relaxed);

    do
        if (n >= max)
            return false;
    while (!atomic_compare_exchange_weak_explicit(count, &n, n + 1, memory_order_relaxed,
                                                  memory_order_relaxed));
    return true;
}

static inline void gw_state_give(atomic_uint *count)
{
    atomic_fetch_sub_explicit(count, 1, memory_order_relaxed);
}

static inline void gw_state_leave(struct gw_cluster_state *c, struct gw_endpoint_state *e)
{
    atomic_fetch_sub_explicit(&c->inflight, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&e->inflight, 1, memory_order_relaxed);
}

#endif
