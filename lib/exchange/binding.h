/* exchange/binding.h: an edition as one worker uses it: with what the worker keeps for its parts. Made by
 * the engine before anything is visible, so that adopting it cannot fail. Pinned by plain counters: links
 * and exchanges of its worker. */
#ifndef GW_EXCHANGE_BINDING_H
#define GW_EXCHANGE_BINDING_H

#include "exchange/edition.h"
#include "exchange/probe.h"
#include "guard/retry_budget.h"
#include "link/pool.h"

/* One cluster. The first three are the edition's. */
struct gw_cluster_use {
    const struct gw_endpoints *endpoints;
    struct gw_cluster_state *state;
    struct gw_endpoint_state *const *states;
    struct gw_upstream **upstreams; /* by index of the endpoint; NULL until it is picked first */
    struct gw_probe_watch *watches; /* likewise; NULL: nobody is probed */
    struct gw_probe_queue queue;
    struct gw_turn turn;
    /* Who may be asked, as it was in that version of the state, until then. */
    uint32_t view_version;
    bool is_all_shut, is_all_forced, is_any_shut;
    bool is_empty;                     /* nobody has any weight */
    gw_nanos view_until;               /* 0: never looked */
    gw_nanos again;                    /* when who finds nobody is to come again */
    uint64_t available[GW_LEVELS_MAX]; /* by level: the weight of those open */
    struct gw_retry_budget budget;
};
struct gw_binding {
    struct gw_binding *next;
    struct gw_edition *edition; /* one reference */
    gw_config *config;          /* the edition's */
    uint64_t generation;        /* the newer is greater; the engine numbers them */
    uint32_t users;
    struct gw_cluster_use *clusters; /* by index */
    gw_allocator allocator;
};

/* GW_ENOMEM. Takes its own reference of edition. Any thread. */
gw_status gw_binding_new(const gw_allocator *allocator, struct gw_edition *edition, uint64_t seed,
                         struct gw_binding **out) GW_MUST_CHECK;
/* The worker's thread, or any if it was never adopted. */
void gw_binding_free(struct gw_binding *b);
/* The connections to one of a cluster's endpoints; NULL: no memory. */
struct gw_upstream *gw_binding_upstream(struct gw_binding *b, struct gw_upstreams *pool,
                                        const struct gw_cluster_conf *cluster, uint32_t endpoint)
    GW_MUST_CHECK;
/* Takes over what its worker kept under the names that b has too: each cluster's place in its turn, what
 * it has spent, and connections. Those that b does not lead to lose old's reference. */
void gw_binding_inherit(struct gw_binding *b, struct gw_binding *old, struct gw_upstreams *pool);
/* Forgets what its worker kept: another worker may adopt it. */
void gw_binding_reset(struct gw_binding *b);

#endif
