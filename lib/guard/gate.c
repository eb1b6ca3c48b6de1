/* guard/gate.c: the causes in their order. */

#include "guard/gate.h"

#define AGAIN_NS GW_MS(1000)

static struct gw_gate shut(enum gw_gate_cause cause, gw_nanos next)
{
    return (struct gw_gate){ GW_GATE_SHUT, cause, next, next };
}

static struct gw_forced forced(const struct gw_gate_facts *f, enum gw_force_on on, gw_nanos now)
{
    if (GW_LIKELY(f->forces == NULL))
        return (struct gw_forced){ GW_FORCED_NOT, GW_NEVER };
    return gw_force_look(&f->forces[on], now);
}

/* Who is well otherwise: a probe may go, if the breaker asks for one. */
static struct gw_gate ask_breaker(const struct gw_gate_facts *f, gw_nanos now)
{
    struct gw_breaker_view view = { .state = GW_BREAKER_CLOSED, .has_room = true };
    struct gw_forced force = forced(f, GW_FORCE_BREAKER, now);

    if (force.state == GW_FORCED_OPEN)
        return shut(GW_GATE_BREAKER, force.until);
    if (f->breaker != NULL && force.state == GW_FORCED_NOT)
        view = gw_breaker_look(f->breaker, f->breaker_conf, now);
    if (!view.has_room) {
        struct gw_gate gate = shut(GW_GATE_BREAKER, view.next);
        if (view.state == GW_BREAKER_HALF_OPEN && gate.again > now + AGAIN_NS)
            gate.again = now + AGAIN_NS;
        return gate;
    }
    return (struct gw_gate){ view.state == GW_BREAKER_CLOSED ? GW_GATE_OPEN : GW_GATE_PROBE,
                             GW_GATE_NONE, force.until, 0 };
}

static struct gw_gate ask_outlier(const struct gw_gate_facts *f, gw_nanos now, struct gw_gate gate)
{
    struct gw_forced force = forced(f, GW_FORCE_OUTLIER, now);
    struct gw_outlier_view outlier;

    if (force.state == GW_FORCED_EJECTED)
        return shut(GW_GATE_EJECTED, force.until);
    if (force.state == GW_FORCED_CLOSED) {
        gate.next = force.until < gate.next ? force.until : gate.next;
        return gate;
    }
    if (f->outlier == NULL)
        return gate;
    outlier = gw_outlier_look(f->outlier, now);
    return outlier.is_out ? shut(GW_GATE_EJECTED, outlier.until) : gate;
}

struct gw_gate gw_gate_look(const struct gw_gate_facts *f, gw_nanos now)
{
    struct gw_forced force = forced(f, GW_FORCE_ENDPOINT, now);
    struct gw_gate gate;

    if (force.state == GW_FORCED_OPEN)
        return shut(GW_GATE_FORCED, force.until);
    if (f->is_draining)
        return shut(GW_GATE_DRAINING, GW_NEVER);
    if (force.state == GW_FORCED_CLOSED)
        return (struct gw_gate){ GW_GATE_OPEN, GW_GATE_NONE, force.until, 0 };
    gate = ask_breaker(f, now);
    if (gate.answer == GW_GATE_SHUT)
        return gate;
    if (f->is_unhealthy)
        return shut(GW_GATE_HEALTH, GW_NEVER);
    return ask_outlier(f, now, gate);
}
