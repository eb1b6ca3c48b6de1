/* guard/state.h: what all workers know of a cluster and of an endpoint. Changed by atomics; nothing here
 * is read to learn of other memory, so relaxed order is enough. */
#ifndef GW_GUARD_STATE_H
#define GW_GUARD_STATE_H

#include "guard/shared.h"

struct gw_endpoint_state {
    struct gw_shared shared;
    atomic_uint inflight; /* tries that have been given to it and have not ended */
};

struct gw_cluster_state {
    struct gw_shared shared;
    atomic_uint inflight; /* of all its endpoints, those of an earlier configuration too */
};

static inline void gw_state_enter(struct gw_cluster_state *c, struct gw_endpoint_state *e)
{
    atomic_fetch_add_explicit(&c->inflight, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&e->inflight, 1, memory_order_relaxed);
}

static inline void gw_state_leave(struct gw_cluster_state *c, struct gw_endpoint_state *e)
{
    atomic_fetch_sub_explicit(&c->inflight, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&e->inflight, 1, memory_order_relaxed);
}

#endif
