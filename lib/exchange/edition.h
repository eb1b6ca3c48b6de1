/* exchange/edition.h: a configuration with the endpoints that are in force and the shared state of its
 * parts: what the bindings of all workers have in common. Made by who applies, before anything is
 * visible; changed by nobody; freed with the last binding of it, in any thread.
 */
#ifndef GW_EXCHANGE_EDITION_H
#define GW_EXCHANGE_EDITION_H

#include "config/snapshot.h"
#include "guard/gate.h"
#include "guard/state.h"

struct gw_edition_cluster {
    struct gw_endpoints *endpoints;    /* the configuration's, or what calls have put there */
    struct gw_cluster_state *state;    /* NULL: an origin's                                 */
    struct gw_endpoint_state **states; /* by index of the endpoint                          */
};
struct gw_edition_split {
    struct gw_splits *splits;       /* the configuration's, or with weights that calls have given */
    struct gw_route_state *state;   /* the route's                                                */
    struct gw_split_state **states; /* by index                                                   */
};
struct gw_edition {
    atomic_uint refs;
    gw_allocator allocator;
    gw_config *config;
    struct gw_edition_cluster *clusters; /* by index */
    struct gw_limit_state **limits;      /* by index of the limiter */
    struct gw_limit_counts **counts;     /* likewise                */
    struct gw_edition_split *splits;     /* by gw_route_conf.split */
};

/* Guards that refuse nobody. */
extern const struct gw_guards_conf gw_guards_none;
/* What is known of an endpoint of a cluster with these guards, but for what is forced. */
static inline struct gw_gate_facts gw_edition_facts(const struct gw_guards_conf *g,
                                                    const struct gw_endpoint_state *state)
{
    return (struct gw_gate_facts){
        .breaker = g->has_breaker ? &state->breaker : NULL,
        .breaker_conf = &g->breaker,
        .outlier = g->has_outlier ? &state->outlier : NULL,
        .is_unhealthy = g->probe != NULL &&
                        gw_health_is_unhealthy(&state->health, &g->probe->health),
    };
}

/* What the next one is: a configuration with the endpoints that it says, but for those of live clusters,
 * which are as before; or the same configuration with other endpoints in one cluster, or other weights for
 * what shares one route. */
struct gw_edition_plan {
    gw_config *config;
    const struct gw_edition *before;       /* NULL: none */
    const struct gw_cluster_conf *changed; /* NULL: none; else config is before's */
    struct gw_endpoints *endpoints;        /* changed's  */
    uint32_t workers;
    const struct gw_route_conf *reweighed; /* NULL: none; else config is before's */
    struct gw_splits *splits;              /* reweighed's */
};
/* One reference. GW_ENOMEM. */
gw_status gw_edition_new(const gw_allocator *allocator, struct gw_registry *registry,
                         const struct gw_edition_plan *plan, struct gw_edition **out) GW_MUST_CHECK;
/* Nothing can fail any more: e takes the place of base (NULL: none). Limiters of the same name go on, with
 * what is owed to them, also where their state is another one. Before e is visible. */
void gw_edition_succeed(struct gw_edition *e, const struct gw_edition *base);
/* One more owner. Returns e. Any thread. */
struct gw_edition *gw_edition_ref(struct gw_edition *e);
/* One owner less. NULL is fine. Any thread. */
void gw_edition_unref(struct gw_edition *e);

#endif
