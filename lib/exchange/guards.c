/* exchange/guards.c: what stands between a cluster and its requests: ceilings, the throttle, the gate of
 * each endpoint; what they are told of each try, once; and where those go that they refuse. Only clusters
 * that have any come here. The rules and the tables: docs/breaking.md. */

#include <string.h>

#include "base/assert.h"
#include "base/prng.h"
#include "exchange/exchange.h"
#include "grpc/status.h"

/* Of this exchange at this time and place; another worker's is another. */
static uint64_t draw(const struct gw_exchange *x)
{
    struct gw_prng prng = { x->id ^ x->of->links->now ^ gw_exchange_use(x)->state->shared.hash };

    return gw_prng_next(&prng);
}

static void note_change(struct gw_cluster_use *use)
{
    gw_state_changed(use->state);
}

const struct gw_guards_conf gw_guards_none = {
    .slow = GW_NEVER,
    .exchanges_max = GW_OFF,
    .pending_max = GW_OFF,
    .retries_max = GW_OFF,
};

/* ---- where those go that are refused ---- */

/* The other cluster's, from here on. */
static void go_to(struct gw_exchange *x, struct gw_cluster_conf *cluster)
{
    gw_guards_let_go(x);
    x->cluster = cluster;
    x->guards = NULL;
    x->endpoint = NULL;
    x->tries = 0;
    gw_exchange_decide_upgrade(x);
    if (cluster->has_origin) {
        gw_exchange_enter(x, GW_PHASE_AWAIT);
        gw_origin_start(x);
    } else {
        gw_exchange_wake(x);
    }
}

/* False: there is no fallback for it. */
static bool fall_back(struct gw_exchange *x)
{
    const struct gw_guards_conf *g = x->guards;

    if (!g->has_fallback || x->has_fallen)
        return false;
    gw_stats_add(x->of->stats, GW_STAT_FALLBACKS, 1);
    x->has_fallen = true;
    if (x->phase == GW_PHASE_CONNECT)
        gw_exchange_start_over(x);
    if (g->fallback != NULL)
        go_to(x, g->fallback);
    else
        gw_reply_configured(x, g->reply_code, g->reply_type, g->reply_body);
    return true;
}

static void refuse(struct gw_exchange *x, enum gw_reason_id reason, enum gw_stat_id stat)
{
    gw_stats_add(x->of->stats, stat, 1);
    if (!fall_back(x))
        gw_exchange_fail(x, GW_BY_GATEWAY, reason, GW_ELIMIT);
}

/* ---- before a try ---- */

bool gw_guards_admit(struct gw_exchange *x)
{
    const struct gw_guards_conf *g = x->guards;
    struct gw_cluster_state *state = gw_exchange_use(x)->state;

    if (!gw_state_take(&state->inflight, g->exchanges_max)) {
        refuse(x, GW_REASON_cluster_full, GW_STAT_CLUSTER_FULL);
        return false;
    }
    x->has_place = true;
    if (!g->has_throttle || x->tries > 0 ||
        gw_throttle_take(&state->throttle, &g->throttle, x->of->links->now, draw(x)))
        return true;
    gw_guards_let_go(x);
    refuse(x, GW_REASON_throttled, GW_STAT_THROTTLED);
    return false;
}

enum gw_reason_id gw_guards_look_in(const struct gw_exchange *x)
{
    const struct gw_guards_conf *g = x->guards;
    const struct gw_cluster_state *state = gw_exchange_use(x)->state;

    if (atomic_load_explicit(&state->inflight, memory_order_relaxed) >= g->exchanges_max)
        return GW_REASON_cluster_full;
    return g->has_throttle &&
                   !gw_throttle_may(&state->throttle, &g->throttle, x->of->links->now, draw(x))
               ? GW_REASON_throttled
               : GW_REASON_none;
}

static struct gw_gate gate_with(const struct gw_exchange *x, uint32_t endpoint,
                                const struct gw_force *forces)
{
    struct gw_gate_facts facts = gw_edition_facts(x->guards, gw_exchange_use(x)->states[endpoint]);

    facts.forces = forces;
    return gw_gate_look(&facts, x->of->links->now);
}

static const struct gw_force *forces_of(const struct gw_exchange *x, uint32_t endpoint)
{
    return gw_guards_is_forced(x) ? gw_exchange_use(x)->states[endpoint]->forces : NULL;
}

static struct gw_gate gate_of(const struct gw_exchange *x, uint32_t endpoint)
{
    return gate_with(x, endpoint, forces_of(x, endpoint));
}

struct gw_gate gw_guards_gate(const struct gw_exchange *x, uint32_t endpoint)
{
    static const struct gw_gate open = { .answer = GW_GATE_OPEN, .next = GW_NEVER };

    return x->guards == NULL ? open : gate_of(x, endpoint);
}

bool gw_guards_may(const struct gw_exchange *x, uint32_t endpoint)
{
    return x->guards == NULL || gate_of(x, endpoint).answer != GW_GATE_SHUT;
}

static bool is_shut(const struct gw_gate *gate)
{
    return gate->answer == GW_GATE_SHUT && !gw_gate_is_open_in_panic(gate);
}

bool gw_guards_is_shut(const struct gw_exchange *x, uint32_t endpoint)
{
    struct gw_gate gate = gate_of(x, endpoint);

    return is_shut(&gate);
}

/* Is it asked whatever its breaker says? */
static bool is_breaker_overruled(const struct gw_exchange *x, uint32_t endpoint)
{
    const struct gw_force *forces = forces_of(x, endpoint);
    gw_nanos now = x->of->links->now;

    return forces != NULL &&
           (gw_force_look(&forces[GW_FORCE_ENDPOINT], now).state == GW_FORCED_CLOSED ||
            gw_force_look(&forces[GW_FORCE_BREAKER], now).state == GW_FORCED_CLOSED);
}

bool gw_guards_take(struct gw_exchange *x, uint32_t endpoint)
{
    const struct gw_guards_conf *g = x->guards;
    struct gw_cluster_use *use = gw_exchange_use(x);
    struct gw_endpoint_state *state = use->states[endpoint];

    x->has_ticket = g->has_breaker &&
                    gw_breaker_take(&state->breaker, &g->breaker, x->of->links->now, &x->ticket);
    if (g->has_breaker && !x->has_ticket && !is_breaker_overruled(x, endpoint))
        return false;
    if (x->has_ticket && gw_breaker_is_probe(x->ticket))
        note_change(use); /* there is less room for others */
    x->seen = x->outcome = GW_OUTCOME_NEITHER;
    x->latency = 0;
    return true;
}

/* O(endpoints), after a change and when the first of those has come that come by themselves. */
static void look_around(struct gw_exchange *x)
{
    struct gw_cluster_use *use = gw_exchange_use(x);
    const struct gw_endpoints *e = use->endpoints;

    use->view_version = atomic_load_explicit(&use->state->version, memory_order_acquire);
    use->view_until = use->again = GW_NEVER;
    use->is_all_shut = use->is_all_forced = use->is_empty = true;
    use->is_any_shut = false;
    memset(use->available, 0, sizeof use->available);
    for (uint32_t i = 0; i < e->len; i++) {
        struct gw_gate gate = gate_of(x, i);
        if (e->list[i].weight == 0)
            continue;
        use->is_empty = false;
        use->view_until = gate.next < use->view_until ? gate.next : use->view_until;
        use->is_all_shut = use->is_all_shut && is_shut(&gate);
        use->is_all_forced = use->is_all_forced && gate.cause == GW_GATE_FORCED;
        if (gate.answer == GW_GATE_SHUT) {
            use->is_any_shut = true;
            use->again = gate.again < use->again ? gate.again : use->again;
        } else {
            use->available[e->list[i].priority] += e->list[i].weight;
        }
    }
}

bool gw_guards_look(struct gw_exchange *x)
{
    struct gw_cluster_use *use = gw_exchange_use(x);

    if (x->of->links->now >= use->view_until ||
        atomic_load_explicit(&use->state->version, memory_order_relaxed) != use->view_version)
        look_around(x);
    return !use->is_all_shut;
}

bool gw_guards_knows_one(const struct gw_exchange *x)
{
    const struct gw_cluster_use *use = gw_exchange_use(x);
    uint64_t available = 0;

    for (int i = 0; i < GW_LEVELS_MAX; i++)
        available += use->available[i];
    return available > 0;
}

bool gw_guards_is_asked(struct gw_exchange *x, uint32_t endpoint)
{
    const struct gw_cluster_use *use = gw_exchange_use(x);

    if (gw_guards_may(x, endpoint))
        return true;
    return gw_guards_look(x) && !gw_guards_is_shut(x, endpoint) &&
           gw_balance_is_panic(&use->endpoints->balancer, use->available,
                               use->endpoints->list[endpoint].priority);
}

enum gw_reason_id gw_guards_nobody(const struct gw_exchange *x)
{
    const struct gw_cluster_use *use = gw_exchange_use(x);
    bool is_hosts_will = use->endpoints->balancer.kind == GW_BALANCE_HOST && !use->is_all_shut;

    if (use->is_empty || is_hosts_will)
        return GW_REASON_no_endpoint;
    return use->is_all_forced                             ? GW_REASON_forced_out
           : !use->is_all_shut && !gw_guards_knows_one(x) ? GW_REASON_endpoints_unhealthy
                                                          : GW_REASON_breaker_open;
}

void gw_guards_refuse_all(struct gw_exchange *x)
{
    enum gw_reason_id reason = gw_guards_nobody(x);

    gw_guards_let_go(x);
    if (reason == GW_REASON_no_endpoint) {
        if (!fall_back(x))
            gw_exchange_fail(x, GW_BY_GATEWAY, reason, GW_EUNKNOWN);
        return;
    }
    x->refused_until = gw_exchange_use(x)->again;
    if (x->refused_until <= x->of->links->now) /* looked at a while ago */
        x->refused_until = x->of->links->now + 1;
    refuse(x, reason, GW_STAT_BREAKER_REFUSED);
}

bool gw_guards_wait(struct gw_exchange *x)
{
    if (gw_state_take(&gw_exchange_use(x)->state->pending, x->guards->pending_max)) {
        x->is_pending = true;
        return true;
    }
    refuse(x, GW_REASON_pool_full, GW_STAT_CLUSTER_FULL);
    return false;
}

void gw_guards_wait_no_more(struct gw_exchange *x)
{
    GW_ASSERT(x->is_pending);
    x->is_pending = false;
    gw_state_give(&gw_exchange_use(x)->state->pending);
}

bool gw_guards_may_retry(struct gw_exchange *x)
{
    if (x->is_retry) /* the next one has its place */
        return true;
    x->is_retry = gw_state_take(&gw_exchange_use(x)->state->retries, x->guards->retries_max);
    if (!x->is_retry)
        gw_stats_add(x->of->stats, GW_STAT_RETRIES_REFUSED, 1);
    return x->is_retry;
}

void gw_guards_retry_not(struct gw_exchange *x)
{
    if (x->is_retry && x->tries == 1) {
        x->is_retry = false;
        gw_state_give(&gw_exchange_use(x)->state->retries);
    }
}

void gw_guards_retry(struct gw_exchange *x)
{
    bool is_retry = x->is_retry;

    x->is_retry = false; /* so that it is not given back with the try that had it */
    gw_exchange_end_try(x);
    x->is_retry = is_retry;
}

/* ---- what a try was like ---- */

/* A failure that does not count where it is configured so is a good answer. */
static enum gw_outcome of_answer(const struct gw_guards_conf *g, enum gw_outcome outcome)
{
    return (g->failures & 1u << outcome) != 0 ? outcome : GW_OUTCOME_OK;
}

static enum gw_outcome of_head(const struct gw_exchange *x)
{
    const struct gw_guards_conf *g = x->guards;
    uint32_t code = x->response.code;

    if (code >= 502 && code <= 504)
        return of_answer(g, GW_OUTCOME_STATUS);
    if (code >= 500)
        return of_answer(g, GW_OUTCOME_SERVER_ERROR);
    return x->latency > g->slow ? of_answer(g, GW_OUTCOME_SLOW) : GW_OUTCOME_OK;
}

uint32_t gw_exchange_grpc_status(const struct gw_exchange *x)
{
    return gw_grpc_status_of(&x->response, &x->response_trailers);
}

static enum gw_outcome of_grpc(const struct gw_exchange *x)
{
    const struct gw_guards_conf *g = x->guards;

    return (g->grpc_failures & 1u << gw_exchange_grpc_status(x)) != 0
               ? of_answer(g, GW_OUTCOME_GRPC)
               : GW_OUTCOME_OK;
}

static void log_change(const struct gw_exchange *x, const char *event, const char *what)
{
    char line[GW_LOG_LINE_MAX];
    struct gw_text text;

    if (!gw_log_wants(x->of->log, GW_LOG_WARN))
        return;
    gw_text_init(&text, line, sizeof line);
    gw_text_cstr(&text, what);
    gw_text_cstr(&text, ": cluster ");
    gw_text_str(&text, x->cluster->name);
    gw_text_cstr(&text, ", endpoint ");
    gw_text_str(&text, x->endpoint->name);
    gw_log_line(x->of->log, x->of->links->now, GW_LOG_WARN, event, line);
}

static void tell_breaker(struct gw_exchange *x, struct gw_endpoint_state *state,
                         enum gw_breaker_verdict verdict)
{
    const struct gw_breaker_conf *conf = &x->guards->breaker;
    enum gw_breaker_state now_is;
    gw_nanos now = x->of->links->now;

    x->has_ticket = false;
    if (!gw_breaker_report(&state->breaker, conf, now, x->ticket, verdict, draw(x)))
        return;
    note_change(gw_exchange_use(x));
    now_is = gw_breaker_look(&state->breaker, conf, now).state;
    if (now_is == GW_BREAKER_HALF_OPEN)
        return;
    if (now_is == GW_BREAKER_CLOSED)
        gw_state_begin_anew(state);
    gw_stats_add(x->of->stats,
                 now_is == GW_BREAKER_OPEN ? GW_STAT_BREAKERS_OPENED : GW_STAT_BREAKERS_CLOSED, 1);
    log_change(x, "breaker.changed", gw_breaker_state_name(now_is));
}

/* A probe need not wait for the end of what may take hours: it asks whether there is an answer. */
static void report_probe(struct gw_exchange *x)
{
    tell_breaker(x, gw_exchange_use(x)->states[x->endpoint->index], GW_BREAKER_GOOD);
}

void gw_guards_hear(struct gw_exchange *x, uint32_t news)
{
    gw_nanos now = x->of->links->now;
    uint32_t heard = x->kind == GW_EXCHANGE_GRPC ? GW_NEWS_BODY : GW_NEWS_HEAD;

    if (!x->is_in_flight)
        return;
    if ((news & GW_NEWS_HEAD) != 0) {
        x->latency = now > x->sent ? now - x->sent : 0;
        x->seen = (uint8_t)of_head(x);
    }
    if ((news & GW_NEWS_END) != 0)
        x->outcome = x->kind == GW_EXCHANGE_GRPC && x->seen == GW_OUTCOME_OK ? (uint8_t)of_grpc(x)
                                                                             : x->seen;
    else if ((news & heard) != 0 && x->seen == GW_OUTCOME_OK && x->has_ticket &&
             gw_breaker_is_probe(x->ticket))
        report_probe(x);
}

/* Is it the upstream that all have been waiting for? */
static bool is_awaited(const struct gw_exchange *x)
{
    return x->phase == GW_PHASE_CONNECT ||
           (x->phase == GW_PHASE_AWAIT && x->up.out >= GW_HALF_DONE);
}

/* Of what the table of causes knows, what is the upstream's doing. */
static enum gw_outcome of_reason(const struct gw_exchange *x, enum gw_reason_id reason)
{
    switch ((int)reason) {
    case GW_REASON_upstream_connect_refused:
    case GW_REASON_upstream_unreachable:
    case GW_REASON_upstream_tls_failed:
    case GW_REASON_upstream_connect_timeout:
        return GW_OUTCOME_CONNECT;
    case GW_REASON_upstream_response_timeout:
    case GW_REASON_upstream_body_timeout:
        return GW_OUTCOME_TIMEOUT;
    case GW_REASON_request_timeout:
    case GW_REASON_stream_idle:
        return is_awaited(x) ? GW_OUTCOME_TIMEOUT : GW_OUTCOME_NEITHER;
    case GW_REASON_grpc_deadline:
        return is_awaited(x) ? GW_OUTCOME_DEADLINE : GW_OUTCOME_NEITHER;
    case GW_REASON_upstream_closed: /* a connection that was kept may be closed at any time */
        return x->up.is_silent && x->up_link->requests > 1 ? GW_OUTCOME_NEITHER : GW_OUTCOME_RESET;
    case GW_REASON_upstream_reset:
    case GW_REASON_upstream_cut:
        return GW_OUTCOME_RESET;
    case GW_REASON_upstream_bad_response:
    case GW_REASON_upstream_head_too_large:
        return GW_OUTCOME_MALFORMED;
    default:
        return GW_OUTCOME_NEITHER;
    }
}

void gw_guards_blame(struct gw_exchange *x, enum gw_reason_id reason)
{
    enum gw_outcome outcome;

    if (!x->is_in_flight)
        return;
    outcome = of_reason(x, reason);
    if (outcome != GW_OUTCOME_NEITHER && (x->guards->failures & 1u << outcome) == 0)
        outcome = GW_OUTCOME_NEITHER;
    /* What its head said stands, whoever broke off then. */
    if (outcome == GW_OUTCOME_NEITHER && x->seen < GW_OUTCOME_OK)
        outcome = (enum gw_outcome)x->seen;
    x->outcome = (uint8_t)outcome;
}

/* ---- after a try ---- */

/* Or would be, were it not for the host, whose word ends. */
static bool is_gone(const struct gw_exchange *x, uint32_t endpoint)
{
    return gate_of(x, endpoint).answer == GW_GATE_SHUT ||
           gate_with(x, endpoint, NULL).answer == GW_GATE_SHUT;
}

/* Is there room for so many more that are out? Who has no weight serves nobody: neither does it count. */
static bool has_room(const struct gw_exchange *x, uint32_t more)
{
    const struct gw_endpoints *e = gw_exchange_use(x)->endpoints;
    uint32_t gone = 0, serving = 0;

    for (uint32_t i = 0; i < e->len; i++) {
        serving += e->list[i].weight > 0;
        gone += e->list[i].weight > 0 && is_gone(x, i);
    }
    return gone + more <= gw_outlier_room(&x->guards->outlier, serving);
}

/* Counted again when it is out: two that go at the same time are both taken back rather than both gone. */
static void eject(struct gw_exchange *x, uint32_t endpoint, enum gw_outlier_cause cause)
{
    struct gw_cluster_use *use = gw_exchange_use(x);
    struct gw_outlier *outlier = &use->states[endpoint]->outlier;
    gw_nanos now = x->of->links->now;
    uint32_t more = is_gone(x, endpoint) ? 0 : 1;

    if (!has_room(x, more) || !gw_outlier_eject(outlier, &x->guards->outlier, now, cause))
        return;
    note_change(use);
    if (!has_room(x, 0)) {
        gw_outlier_take_back(outlier, now);
        note_change(use); /* somebody may have seen it */
        return;
    }
    atomic_fetch_add_explicit(&use->states[endpoint]->ejected, 1, memory_order_relaxed);
    gw_stats_add(x->of->stats, GW_STAT_EJECTIONS, 1);
    log_change(x, "endpoint.ejected", gw_outlier_cause_name(cause));
}

/* Once an interval, by the worker that comes first. O(endpoints). */
static void compare(struct gw_exchange *x)
{
    const struct gw_outlier_conf *conf = &x->guards->outlier;
    const struct gw_cluster_use *use = gw_exchange_use(x);
    struct gw_outlier_sums sums = { 0 };

    for (uint32_t i = 0; i < use->endpoints->len; i++)
        gw_outlier_add(&use->states[i]->outlier, conf, &sums);
    for (uint32_t i = 0; i < use->endpoints->len; i++) {
        enum gw_outlier_cause cause = gw_outlier_judge(&use->states[i]->outlier, conf, &sums);
        if (cause != GW_OUTLIER_NONE)
            eject(x, i, cause);
    }
}

static void tell_outlier(struct gw_exchange *x, struct gw_endpoint_state *state, bool is_good)
{
    const struct gw_outlier_conf *conf = &x->guards->outlier;

    if (gw_outlier_report(&state->outlier, conf, is_good, x->latency))
        eject(x, x->endpoint->index, GW_OUTLIER_FAILURES);
    if ((conf->deviations > 0 || conf->slow_percent > 0) &&
        gw_outlier_is_due(&gw_exchange_use(x)->state->compare_due, conf, x->of->links->now))
        compare(x);
}

void gw_guards_end_try(struct gw_exchange *x)
{
    const struct gw_guards_conf *g = x->guards;
    struct gw_cluster_use *use = gw_exchange_use(x);
    struct gw_endpoint_state *state = use->states[x->endpoint->index];
    bool is_good = x->outcome == GW_OUTCOME_OK, is_void = x->outcome == GW_OUTCOME_NEITHER;

    if (x->is_retry)
        gw_state_give(&use->state->retries);
    x->is_retry = false;
    if (x->has_ticket)
        tell_breaker(x, state,
                     is_good   ? GW_BREAKER_GOOD
                     : is_void ? GW_BREAKER_VOID
                               : GW_BREAKER_BAD);
    if (is_void)
        return;
    if (GW_LIKELY(g != &gw_guards_none))
        gw_state_count(state, (enum gw_outcome)x->outcome, x->of->links->now);
    if (g->has_outlier)
        tell_outlier(x, state, is_good);
    if (g->has_throttle)
        gw_throttle_report(&use->state->throttle, &g->throttle, x->of->links->now, is_good);
}

void gw_guards_let_go(struct gw_exchange *x)
{
    struct gw_cluster_state *state;

    if (x->cluster->has_origin)
        return;
    state = gw_exchange_use(x)->state;
    GW_ASSERT(!x->is_in_flight);
    if (x->is_pending)
        gw_guards_wait_no_more(x);
    if (x->has_place)
        gw_state_give(&state->inflight);
    if (x->is_retry)
        gw_state_give(&state->retries);
    if (x->has_ticket) /* it was chosen, and nothing was asked of it */
        tell_breaker(x, gw_exchange_use(x)->states[x->endpoint->index], GW_BREAKER_VOID);
    x->has_place = x->is_retry = x->has_ticket = false;
}
