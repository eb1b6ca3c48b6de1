/* exchange/binding.h: a configuration as one worker uses it: the snapshot, and what the worker keeps
 * for its parts. Made by the engine before anything is visible, so that adopting it cannot fail. Pinned
 * by plain counters: links and exchanges of its worker. */
#ifndef GW_EXCHANGE_BINDING_H
#define GW_EXCHANGE_BINDING_H

#include "config/snapshot.h"
#include "guard/retry_budget.h"
#include "link/pool.h"

struct gw_binding {
    struct gw_binding *next;
    gw_config *config;   /* one reference */
    uint64_t generation; /* the newer is greater; the engine numbers them */
    uint32_t users;
    struct gw_upstream **upstreams;  /* by ordinal of the endpoint; NULL until it is picked first */
    uint32_t *cursors;               /* by index of the cluster                                   */
    struct gw_retry_budget *budgets; /* likewise */
    gw_allocator allocator;
};

/* GW_ENOMEM. Takes its own reference of config. Any thread. */
gw_status gw_binding_new(const gw_allocator *allocator, gw_config *config, uint64_t seed,
                         struct gw_binding **out) GW_MUST_CHECK;
/* The worker's thread, or any if it was never adopted. */
void gw_binding_free(struct gw_binding *b);
/* The connections to one of its endpoints; NULL: no memory. */
struct gw_upstream *gw_binding_upstream(struct gw_binding *b, struct gw_upstreams *pool,
                                        const struct gw_endpoint_conf *endpoint) GW_MUST_CHECK;
/* Takes over what its worker kept under the names that b has too: each cluster's place in its turn, what
 * it has spent, and connections. Those that b does not lead to lose old's reference. */
void gw_binding_inherit(struct gw_binding *b, struct gw_binding *old, struct gw_upstreams *pool);
/* Forgets what its worker kept: another worker may adopt it. */
void gw_binding_reset(struct gw_binding *b);

#endif
