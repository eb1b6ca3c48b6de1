/* worker/tell.c: what is told of each machine: states as they are kept, in the words of gw/live.h. */

#include "worker/tell.h"

#include "base/assert.h"

#define US UINT64_C(1000)

static uint32_t forced_state(enum gw_force_state state)
{
    static const uint32_t states[] = { 0, GW_STATE_OPEN, GW_STATE_CLOSED, GW_STATE_EJECTED };

    return states[state];
}

/* Since and until are of the same force, or nothing is told of since. */
static void tell_force(const struct gw_force *f, gw_nanos now, gw_state *out)
{
    gw_nanos before = atomic_load(&f->since), after;
    struct gw_forced forced = gw_force_look(f, now);

    after = atomic_load(&f->since);
    if (forced.state == GW_FORCED_NOT)
        return;
    out->forced = forced_state(forced.state);
    out->forced_until = forced.until;
    out->forced_since = before == after ? before : 0;
}

/* ---- clusters ---- */

void gw_tell_cluster(const struct gw_cluster_conf *conf, const struct gw_cluster_state *s,
                     gw_state *out)
{
    const struct gw_guards_conf *g = conf->guards != NULL ? conf->guards : &gw_guards_none;

    out->kind = GW_KIND_CLUSTER;
    out->inflight = atomic_load_explicit(&s->inflight, memory_order_relaxed);
    out->pending = atomic_load_explicit(&s->pending, memory_order_relaxed);
    out->retries = atomic_load_explicit(&s->retries, memory_order_relaxed);
    out->inflight_most = g->exchanges_max;
    out->pending_most = g->pending_max;
    out->retries_most = g->retries_max;
    out->connections = atomic_load_explicit(&s->connections.taken, memory_order_relaxed);
    out->connections_most = conf->all_connections_max;
    out->connections_wanted = atomic_load_explicit(&s->connections.wanted, memory_order_relaxed);
}

void gw_tell_throttle(const struct gw_cluster_conf *conf, const struct gw_cluster_state *s,
                      gw_nanos now, gw_state *out)
{
    const struct gw_throttle_conf *t = &conf->guards->throttle;
    struct gw_window_sums sums = gw_window_sum(&s->throttle.window, t->window, now);

    out->kind = GW_KIND_THROTTLE;
    out->successes = sums.ok;
    out->failures = sums.failed;
    out->refused_ppm = (uint32_t)((uint64_t)gw_throttle_chance(&s->throttle, t, now) * 1000000 >>
                                  20);
}

/* ---- endpoints ---- */

static void tell_failure(const struct gw_endpoint_state *s, gw_state *out)
{
    uint64_t word = atomic_load_explicit(&s->failure, memory_order_relaxed);

    if (word == 0)
        return;
    out->failure = 1u << (word & ((1u << GW_STATE_FAILURE_AT) - 1));
    out->failed_at = (word >> GW_STATE_FAILURE_AT) * US;
}

static gw_nanos later(gw_nanos a, gw_nanos b)
{
    return a > b ? a : b;
}

/* Since the last of all that spoke against it has ended. */
static gw_nanos since_well(const struct gw_gate_facts *f, gw_nanos now)
{
    gw_nanos since = 0;

    for (int i = 0; i < GW_FORCE_ON_COUNT; i++) {
        gw_nanos until = atomic_load_explicit(&f->forces[i].word, memory_order_relaxed) >> 2;
        since = until <= now ? later(since, until) : since;
    }
    if (f->breaker != NULL)
        since = later(since, gw_breaker_tell(f->breaker, now).since);
    if (f->outlier != NULL) {
        struct gw_outlier_view view = gw_outlier_look(f->outlier, now);
        since = view.is_out || view.cause == GW_OUTLIER_NONE ? since : later(since, view.until);
    }
    return since;
}

/* Of the breaker, which may be taken for open. */
static void tell_broken(const struct gw_gate_facts *f, gw_nanos now, gw_state *out)
{
    struct gw_breaker_story story = { .since = 0 };
    gw_state force = GW_SPEC(gw_state);

    tell_force(&f->forces[GW_FORCE_BREAKER], now, &force);
    if (f->breaker != NULL)
        story = gw_breaker_tell(f->breaker, now);
    out->since = force.forced != 0 ? force.forced_since : story.since;
    out->cause = GW_WHY_BREAKER;
}

/* A probe may go since the breaker's time is over, whoever sends it. */
static void tell_probed(const struct gw_gate_facts *f, gw_nanos now, gw_state *out)
{
    struct gw_breaker_story story = gw_breaker_tell(f->breaker, now);

    out->since = story.state == GW_BREAKER_OPEN ? story.until : story.since;
    out->cause = GW_WHY_BREAKER;
}

static void tell_ejected(const struct gw_gate_facts *f, gw_nanos now, gw_state *out)
{
    gw_state force = GW_SPEC(gw_state);

    tell_force(&f->forces[GW_FORCE_OUTLIER], now, &force);
    out->since = force.forced != 0    ? force.forced_since
                 : f->outlier == NULL ? 0
                                      : gw_outlier_since(f->outlier);
    out->state = GW_STATE_EJECTED;
    out->cause = GW_WHY_OUTLIER;
}

/* ---- health ---- */

/* As of a request that fails like that. */
static uint32_t failure_of(enum gw_health_cause cause)
{
    static const uint32_t failures[] = { 0,
                                         GW_FAILURE_CONNECT,
                                         GW_FAILURE_TIMEOUT,
                                         GW_FAILURE_RESET,
                                         GW_FAILURE_MALFORMED,
                                         GW_FAILURE_STATUS,
                                         GW_FAILURE_GRPC,
                                         GW_FAILURE_GRPC };

    _Static_assert(sizeof failures / sizeof *failures == GW_HEALTH_CAUSE_COUNT, "one each");
    return failures[cause];
}

void gw_tell_health(const struct gw_endpoint_state *s, gw_state *out)
{
    static const uint32_t states[] = { GW_STATE_UNTRIED, GW_STATE_CLOSED, GW_STATE_UNHEALTHY };
    struct gw_health_view view = gw_health_look(&s->health);

    out->kind = GW_KIND_HEALTH;
    out->state = states[view.state];
    out->cause = view.state == GW_HEALTH_UNTRIED     ? 0
                 : view.state == GW_HEALTH_UNHEALTHY ? GW_WHY_PROBE
                                                     : GW_WHY_PROBED;
    out->since = view.since;
    out->next = view.next;
    out->row = view.row;
    out->code = view.code;
    out->failure = failure_of(view.cause);
    out->failed_at = atomic_load_explicit(&s->health.failed_at, memory_order_relaxed);
    out->times = atomic_load_explicit(&s->health.lost, memory_order_relaxed);
    out->successes = atomic_load_explicit(&s->health.good, memory_order_relaxed);
    out->failures = atomic_load_explicit(&s->health.failed, memory_order_relaxed);
}

/* Of what tell_gate has found: since when its health says so. */
static void tell_since(const struct gw_endpoint_state *s, gw_state *out)
{
    struct gw_health_view view = gw_health_look(&s->health);

    if (out->cause == GW_WHY_HEALTH)
        out->since = view.since;
    else if (out->state == GW_STATE_CLOSED && out->cause == 0 && view.state == GW_HEALTH_HEALTHY &&
             atomic_load_explicit(&s->health.lost, memory_order_relaxed) > 0)
        out->since = later(out->since, view.since);
}

static void tell_gate(const struct gw_gate_facts *f, gw_nanos now, gw_state *out)
{
    struct gw_gate gate = gw_gate_look(f, now);

    out->next = gate.next;
    out->state = gate.answer == GW_GATE_SHUT ? GW_STATE_OPEN : GW_STATE_CLOSED;
    switch (gate.cause) {
    case GW_GATE_NONE:
        if (gate.answer == GW_GATE_PROBE) {
            out->state = GW_STATE_HALF_OPEN;
            tell_probed(f, now, out);
        } else if (out->forced != 0) {
            out->cause = GW_WHY_FORCED;
            out->since = out->forced_since;
        } else {
            out->since = since_well(f, now);
        }
        break;
    case GW_GATE_FORCED:
        out->cause = GW_WHY_FORCED;
        out->since = out->forced_since;
        break;
    case GW_GATE_DRAINING:
        out->state = GW_STATE_DRAINING;
        out->cause = GW_WHY_WEIGHT;
        break;
    case GW_GATE_BREAKER:
        tell_broken(f, now, out);
        break;
    case GW_GATE_HEALTH:
        out->state = GW_STATE_UNHEALTHY;
        out->cause = GW_WHY_HEALTH;
        break;
    case GW_GATE_EJECTED:
        tell_ejected(f, now, out);
        break;
    }
}

void gw_tell_endpoint(const struct gw_guards_conf *g, const struct gw_endpoint_conf *e,
                      const struct gw_endpoint_state *s, gw_nanos now, gw_state *out)
{
    struct gw_gate_facts facts = gw_edition_facts(g != NULL ? g : &gw_guards_none, s);

    facts.forces = s->forces;
    facts.is_draining = e->weight == 0;
    out->kind = GW_KIND_ENDPOINT;
    out->weight = e->weight;
    out->inflight = atomic_load_explicit(&s->inflight, memory_order_relaxed);
    out->connections = atomic_load_explicit(&s->connections, memory_order_relaxed);
    out->connecting = atomic_load_explicit(&s->connecting, memory_order_relaxed);
    out->successes = atomic_load_explicit(&s->good, memory_order_relaxed);
    out->failures = atomic_load_explicit(&s->failed, memory_order_relaxed);
    tell_failure(s, out);
    tell_force(&s->forces[GW_FORCE_ENDPOINT], now, out);
    tell_gate(&facts, now, out);
    if (g != NULL && g->probe != NULL)
        tell_since(s, out);
}

/* ---- limiters ---- */

void gw_tell_limiter(const struct gw_limiter_conf *conf, const struct gw_limit_state *s,
                     const struct gw_limit_counts *counts, gw_nanos now, gw_state *out)
{
    struct gw_limit_view view = gw_limit_stand(s, conf->params.ceiling, now);
    uint64_t allowed = 0;

    out->kind = GW_KIND_LIMITER;
    out->name = conf->name;
    for (uint32_t i = 0; i < counts->len; i++) {
        allowed += atomic_load_explicit(&counts->of[i].allowed, memory_order_relaxed);
        out->refused += atomic_load_explicit(&counts->of[i].refused, memory_order_relaxed);
    }
    out->requests = allowed + out->refused;
    out->state = view.is_refusing ? GW_STATE_OPEN : GW_STATE_CLOSED;
    out->next = view.next;
    out->level = view.level;
    out->keys = view.keys;
    out->keys_most = view.keys_max;
    out->tokens = conf->params.tokens;
    out->period_ns = conf->params.tokens > 0 ? conf->params.period_ns : 0;
    out->level_most = conf->params.tokens > 0 ? conf->params.burst : conf->params.ceiling;
}

/* ---- by themselves ---- */

void gw_tell_breaker(const struct gw_endpoint_state *s, gw_nanos now, gw_state *out)
{
    static const uint32_t states[] = { GW_STATE_CLOSED, GW_STATE_OPEN, GW_STATE_HALF_OPEN };
    static const uint32_t causes[] = { 0,           GW_WHY_FAILURES, GW_WHY_SHARE, GW_WHY_PROBE,
                                       GW_WHY_TIME, GW_WHY_PROBED };
    struct gw_breaker_story story = gw_breaker_tell(&s->breaker, now);

    _Static_assert(sizeof states / sizeof *states == GW_BREAKER_STATE_COUNT, "one each");
    _Static_assert(sizeof causes / sizeof *causes == GW_BREAKER_CAUSE_COUNT, "one each");
    out->kind = GW_KIND_BREAKER;
    out->state = states[story.state];
    out->cause = causes[story.cause];
    out->since = story.since;
    out->next = story.until;
    out->times = story.opened;
    out->row = story.row;
    tell_failure(s, out);
    tell_force(&s->forces[GW_FORCE_BREAKER], now, out);
}

void gw_tell_outlier(const struct gw_endpoint_state *s, gw_nanos now, gw_state *out)
{
    static const uint32_t causes[] = { 0, GW_WHY_FAILURES, GW_WHY_SHARE, GW_WHY_LATENCY };
    struct gw_outlier_view view = gw_outlier_look(&s->outlier, now);

    _Static_assert(sizeof causes / sizeof *causes == GW_OUTLIER_CAUSE_COUNT, "one each");
    out->kind = GW_KIND_OUTLIER;
    out->state = view.is_out ? GW_STATE_EJECTED : GW_STATE_CLOSED;
    out->cause = view.is_out ? causes[view.cause] : view.cause != GW_OUTLIER_NONE ? GW_WHY_TIME : 0;
    out->since = view.is_out                     ? gw_outlier_since(&s->outlier)
                 : view.cause != GW_OUTLIER_NONE ? view.until
                                                 : 0;
    out->next = view.is_out ? view.until : GW_NEVER;
    out->times = atomic_load_explicit(&s->ejected, memory_order_relaxed);
    out->row = atomic_load_explicit(&s->outlier.row, memory_order_relaxed);
    tell_failure(s, out);
    tell_force(&s->forces[GW_FORCE_OUTLIER], now, out);
}
