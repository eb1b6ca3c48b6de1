/* guard/gate.c: the causes in their order. */

#include "guard/gate.h"

static struct gw_gate shut(enum gw_gate_cause cause, gw_nanos next)
{
    return (struct gw_gate){ GW_GATE_SHUT, cause, next };
}

/* Who is well otherwise: a probe may go, if the breaker asks for one. */
static struct gw_gate ask_breaker(const struct gw_gate_facts *f, gw_nanos now)
{
    struct gw_breaker_view view = { .state = GW_BREAKER_CLOSED, .has_room = true };

    if (f->breaker != NULL)
        view = gw_breaker_look(f->breaker, f->breaker_conf, now);
    if (!view.has_room)
        return shut(GW_GATE_BREAKER, view.next);
    return (struct gw_gate){ view.state == GW_BREAKER_CLOSED ? GW_GATE_OPEN : GW_GATE_PROBE,
                             GW_GATE_NONE, GW_NEVER };
}

struct gw_gate gw_gate_look(const struct gw_gate_facts *f, gw_nanos now)
{
    bool is_forced = now < f->forced_until;
    struct gw_outlier_view outlier;
    struct gw_gate gate;

    if (f->is_forced_out && is_forced)
        return shut(GW_GATE_FORCED, f->forced_until);
    if (f->is_draining)
        return shut(GW_GATE_DRAINING, GW_NEVER);
    if (f->is_forced_in && is_forced)
        return (struct gw_gate){ GW_GATE_OPEN, GW_GATE_NONE, f->forced_until };
    gate = ask_breaker(f, now);
    if (gate.answer == GW_GATE_SHUT)
        return gate;
    if (f->is_unhealthy)
        return shut(GW_GATE_HEALTH, GW_NEVER);
    if (f->outlier == NULL)
        return gate;
    outlier = gw_outlier_look(f->outlier, now);
    return outlier.is_out ? shut(GW_GATE_EJECTED, outlier.until) : gate;
}
