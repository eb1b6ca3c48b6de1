/* guard/gate.h: may an endpoint be asked: the one place where what is known of it comes together: what
 * the host has forced, draining, its breaker, its health, ejection. Pure. Nobody else decides it, so that
 * no two of them can wait for each other: each says when it ends by itself, and none needs another's
 * traffic but for the breaker's probes, which the gate lets through to whoever else is well. */
#ifndef GW_GUARD_GATE_H
#define GW_GUARD_GATE_H

#include "guard/breaker.h"
#include "guard/force.h"
#include "guard/outlier.h"

/* Why it may not: the first of them that holds. */
enum gw_gate_cause {
    GW_GATE_NONE,
    GW_GATE_FORCED,
    GW_GATE_DRAINING,
    GW_GATE_BREAKER,
    GW_GATE_HEALTH,
    GW_GATE_EJECTED
};
enum gw_gate_answer { GW_GATE_OPEN, GW_GATE_PROBE, GW_GATE_SHUT };

/* What is known. All zero: nothing, and it may be asked. */
struct gw_gate_facts {
    /* By gw_force_on; NULL: none. The endpoint CLOSED: whatever breaker, health and ejection say; OPEN: nobody
     * is sent there. Breaker and outlier: as if they were so. */
    const struct gw_force *forces;
    bool is_draining, is_unhealthy;
    const struct gw_breaker *breaker; /* NULL: none */
    const struct gw_breaker_conf *breaker_conf;
    const struct gw_outlier *outlier; /* NULL: none */
};
struct gw_gate {
    enum gw_gate_answer answer;
    enum gw_gate_cause cause;
    gw_nanos next; /* when it is other by itself; GW_NEVER: by somebody's doing alone        */
    gw_nanos
        again; /* shut: when to come again; that is sooner where a probe is under way, of which something
                       is heard long before it counts as lost */
};

struct gw_gate gw_gate_look(const struct gw_gate_facts *facts, gw_nanos now);
/* When too few are left, what compares and guesses is not believed: but the host's word, draining, and
 * the breaker, whose ends are timed. */
static inline bool gw_gate_is_open_in_panic(const struct gw_gate *gate)
{
    return gate->cause == GW_GATE_NONE || gate->cause == GW_GATE_HEALTH ||
           gate->cause == GW_GATE_EJECTED;
}

#endif
