/* exchange/explain.c: one step after the other, as run.c, limit.c, split.c, guards.c and choose.c would take
 * them: each is asked there. What this file decides itself is only the order, and the words. */

#include "exchange/explain.h"

#include <string.h>

#include "base/assert.h"
#include "grpc/status.h"

/* ---- telling ---- */

static const char *const kind_names[] = { "none",    "request", "route",   "filter",
                                          "limiter", "split",   "cluster", "endpoint",
                                          "pick",    "retry",   "deadline" };

static gw_explain_step step_of(uint32_t kind, uint32_t verdict, gw_str name, const char *text)
{
    return (gw_explain_step){ .size = sizeof(gw_explain_step),
                              .kind = kind,
                              .verdict = verdict,
                              .what = kind_names[kind],
                              .text = text,
                              .name = name };
}

static void add(gw_explain_step *step, const char *name, uint64_t value)
{
    GW_ASSERT(step->numbers_len < GW_EXPLAIN_NUMBERS_MAX);
    step->numbers[step->numbers_len++] = (gw_explain_number){ name, value };
}

/* A time that may be none. */
static void add_time(gw_explain_step *step, const char *name, gw_nanos ns)
{
    if (ns != GW_NEVER)
        add(step, name, ns);
}

static void tell(struct gw_explainer *e, const gw_explain_step *step)
{
    if (e->out->steps++ < e->max && e->tell != NULL)
        e->tell(e->ctx, step);
}

static void say(struct gw_explainer *e, uint32_t kind, uint32_t verdict, gw_str name,
                const char *text)
{
    gw_explain_step step = step_of(kind, verdict, name, text);

    tell(e, &step);
}

static void put_name(char *out, size_t room, gw_str name)
{
    size_t len = name.len < room ? name.len : room - 1;

    if (len > 0)
        memcpy(out, name.ptr, len);
    out[len] = '\0';
}
#define PUT_NAME(field, name) put_name(field, sizeof(field), name)

/* ---- how it ends ---- */

static bool reply(struct gw_explainer *e, uint32_t code)
{
    bool is_grpc = e->x->kind == GW_EXCHANGE_GRPC;

    e->out->ends = GW_ENDS_REPLY;
    e->out->code = is_grpc ? 200 : code;
    if (is_grpc)
        e->out->grpc_status = gw_grpc_of_http(code);
    return false;
}

/* by: NULL, or the limiter that refuses it. */
static bool refuse(struct gw_explainer *e, uint32_t by, enum gw_phase phase,
                   enum gw_reason_id reason, const struct gw_limiter_conf *limiter)
{
    gw_status status = reason == GW_REASON_no_memory ? GW_ENOMEM : GW_EPROTO;
    gw_reason row = GW_SPEC(gw_reason);

    (void)!gw_reason_of(reason, &row);
    if (limiter != NULL) {
        row.http_code = limiter->code;
        row.grpc_status = limiter->grpc_status;
    }
    if (phase == GW_PHASE_ROUTE)
        status = by == GW_BY_CLIENT ? GW_ELIMIT : GW_EUNKNOWN;
    else if (phase >= GW_PHASE_LIMIT)
        status = reason == GW_REASON_no_endpoint  ? GW_EUNKNOWN
                 : reason == GW_REASON_bad_choice ? GW_EINVAL
                                                  : GW_ELIMIT;
    e->out->ends = GW_ENDS_FAILURE;
    e->out->cause = (gw_cause){ by, phase, reason, status };
    e->out->code = row.http_code;
    if (e->x->kind == GW_EXCHANGE_GRPC && row.http_code != 0) {
        e->out->code = 200;
        e->out->grpc_status = row.grpc_status;
    }
    return false;
}

/* ---- the request ---- */

static const char *text_of(enum gw_reason_id reason)
{
    gw_reason row = GW_SPEC(gw_reason);

    (void)!gw_reason_of(reason, &row);
    return row.text;
}

static bool receive(struct gw_explainer *e, enum gw_reason_id fault)
{
    struct gw_exchange *x = e->x;
    uint32_t by;

    if (fault != GW_REASON_none) {
        say(e, GW_EXPLAIN_REQUEST, GW_EXPLAIN_ENDS, e->target, text_of(fault));
        return refuse(e, fault == GW_REASON_no_memory ? GW_BY_GATEWAY : GW_BY_CLIENT,
                      GW_PHASE_RECEIVE, fault, NULL);
    }
    fault = gw_exchange_learn(x, &by);
    if (fault != GW_REASON_none) {
        say(e, GW_EXPLAIN_REQUEST, GW_EXPLAIN_ENDS, e->target, text_of(fault));
        return refuse(e, by, GW_PHASE_FILTER, fault, NULL);
    }
    say(e, GW_EXPLAIN_REQUEST, GW_EXPLAIN_NOTE, x->request.path,
        x->request.path.len > 0 ? "the path that is matched" : "CONNECT has no path");
    if (gw_identity_client(x).len > 0)
        say(e, GW_EXPLAIN_REQUEST, GW_EXPLAIN_NOTE, gw_identity_client(x), "whom it is from");
    return true;
}

/* ---- the route ---- */

static void tell_route(void *ctx, uint32_t route, enum gw_route_why why)
{
    static const char *const texts[GW_ROUTE_WHY_COUNT] = {
        [GW_ROUTE_CHOSEN] = "the most specific one that matches",
        [GW_ROUTE_LESS_SPECIFIC] = "it matches, but a more specific one does too",
        [GW_ROUTE_OTHER_METHOD] = "it does not take the method",
        [GW_ROUTE_OTHER_LISTENER] = "it is for another listener",
        [GW_ROUTE_OTHER_PATH] = "its path is another one",
        [GW_ROUTE_OTHER_HOST] = "its host is another one",
    };
    struct gw_explainer *e = ctx;

    say(e, GW_EXPLAIN_ROUTE, why == GW_ROUTE_CHOSEN ? GW_EXPLAIN_YES : GW_EXPLAIN_NO,
        e->x->binding->config->routes[route].name, texts[why]);
}

static void tell_filters(struct gw_explainer *e)
{
    const gw_config *config = e->x->binding->config;
    uint64_t before = config->filters_on, on = e->x->route->filters;

    for (uint32_t i = 0; i < config->filters_len; i++) {
        bool was_on = (before >> i & 1) != 0, is_on = (on >> i & 1) != 0;
        if (was_on || is_on)
            say(e, GW_EXPLAIN_FILTER, GW_EXPLAIN_NOTE, gw_cstr(config->filters[i].name),
                is_on && was_on ? "is on"
                : is_on         ? "is on, from on_route on"
                                : "is on until the route is found");
    }
}

static bool find_route(struct gw_explainer *e)
{
    struct gw_exchange *x = e->x;
    struct gw_route_trace trace = { e, tell_route };
    bool is_method_missing = false;

    x->route = gw_exchange_explain_match(x, &is_method_missing, &trace);
    if (x->route == NULL)
        return refuse(e, GW_BY_GATEWAY, GW_PHASE_ROUTE, gw_exchange_unrouted(x, is_method_missing),
                      NULL);
    PUT_NAME(e->out->route, x->route->name);
    if (gw_exchange_is_too_long(x)) {
        say(e, GW_EXPLAIN_REQUEST, GW_EXPLAIN_ENDS, x->request.path,
            text_of(GW_REASON_body_too_large));
        return refuse(e, GW_BY_CLIENT, GW_PHASE_ROUTE, GW_REASON_body_too_large, NULL);
    }
    tell_filters(e);
    return true;
}

/* ---- its limiters ---- */

static const char *limit_text(const struct gw_limit_sight *s)
{
    bool is_shadow = (s->by->flags & GW_LIMITER_SHADOW) != 0;

    if (!s->is_asked)
        return "is not for this request";
    if (s->is_refusal && is_shadow)
        return s->is_full ? "would refuse it, as its table is full, but is in shadow mode"
                          : "would refuse it, but is in shadow mode";
    if (s->is_full)
        return s->is_refusal ? "its table is full, and it is closed then"
                             : "its table is full, and it is open then";
    return s->is_refusal ? "the limit is reached" : "there is room";
}

static bool pass_limiters(struct gw_explainer *e)
{
    struct gw_exchange *x = e->x;
    struct gw_limit_sight s = { .was_for = false };

    x->cluster = x->wanted != NULL ? x->wanted : x->route->cluster;
    for (uint32_t i = 0; i < x->route->limiters_len; i++) {
        bool may_go = gw_limit_look_at(x, i, &s);
        gw_explain_step step = step_of(GW_EXPLAIN_LIMITER,
                                       !may_go      ? GW_EXPLAIN_ENDS
                                       : s.is_asked ? GW_EXPLAIN_YES
                                                    : GW_EXPLAIN_NO,
                                       s.by->name, limit_text(&s));
        if (s.is_asked && !s.is_full) {
            struct gw_quota quota = gw_taken_quota(&s.taken);
            add(&step, "remaining", quota.remaining);
            if (quota.retry_after_ns != 0)
                add_time(&step, "retry_after_ns", quota.retry_after_ns);
            if (s.by->params.tokens > 0)
                add(&step, "reset_ns", quota.reset_ns);
        }
        tell(e, &step);
        if (!may_go)
            return refuse(e, GW_BY_GATEWAY, GW_PHASE_LIMIT, GW_REASON_limited, s.by);
    }
    return true;
}

/* ---- its cluster ---- */

static void split(struct gw_explainer *e)
{
    struct gw_exchange *x = e->x;
    const struct gw_splits *splits = x->binding->edition->splits[x->route->split].splits;
    bool is_kept;
    uint32_t chosen = gw_split_look(x, &is_kept);

    for (uint32_t i = 0; i < splits->len; i++) {
        const char *text = is_kept ? "its key leads there" : "it is its turn";
        gw_explain_step step = step_of(GW_EXPLAIN_SPLIT,
                                       i == chosen ? GW_EXPLAIN_YES : GW_EXPLAIN_NO,
                                       splits->list[i].cluster->name,
                                       i == chosen ? text
                                       : is_kept   ? "its key leads elsewhere"
                                                   : "it is another one's turn");
        add(&step, "weight", splits->list[i].weight);
        tell(e, &step);
    }
    x->cluster = splits->list[chosen].cluster;
}

static void choose_cluster(struct gw_explainer *e)
{
    struct gw_exchange *x = e->x;

    if (x->route->splits != NULL && x->wanted == NULL)
        split(e);
    if (x->request.protocol.len > 0 && x->request.body != GW_BODY_TUNNEL)
        say(e, GW_EXPLAIN_REQUEST, gw_exchange_may_upgrade(x) ? GW_EXPLAIN_YES : GW_EXPLAIN_NO,
            x->request.protocol,
            gw_exchange_may_upgrade(x) ? "the upgrade goes on" : "the upgrade does not go on");
}

static const char *gate_text(const struct gw_gate *gate)
{
    static const char *const causes[] = {
        [GW_GATE_NONE] = "may be asked",        [GW_GATE_FORCED] = "the host has shut it",
        [GW_GATE_DRAINING] = "it drains",       [GW_GATE_BREAKER] = "its breaker is open",
        [GW_GATE_HEALTH] = "it is not healthy", [GW_GATE_EJECTED] = "it is ejected",
    };

    return gate->answer == GW_GATE_PROBE ? "may be asked by a probe of its breaker"
                                         : causes[gate->cause];
}

static uint32_t load(const atomic_uint *n)
{
    return atomic_load_explicit(n, memory_order_relaxed);
}

static void tell_endpoint(struct gw_explainer *e, uint32_t i)
{
    const struct gw_exchange *x = e->x;
    const struct gw_cluster_use *use = gw_exchange_use(x);
    const struct gw_endpoint_conf *conf = &use->endpoints->list[i];
    struct gw_gate gate = gw_guards_gate(x, i);
    bool is_asked = conf->weight > 0 && gate.answer != GW_GATE_SHUT;
    gw_explain_step step = step_of(GW_EXPLAIN_ENDPOINT, is_asked ? GW_EXPLAIN_YES : GW_EXPLAIN_NO,
                                   conf->name,
                                   conf->weight == 0 ? "it has no weight" : gate_text(&gate));

    add(&step, "weight", conf->weight);
    add(&step, "priority", conf->priority);
    add(&step, "inflight", load(&use->states[i]->inflight));
    add_time(&step, "changes_at_ns", gate.next);
    tell(e, &step);
}

static void tell_cluster(struct gw_explainer *e)
{
    const struct gw_exchange *x = e->x;
    const struct gw_cluster_state *state = gw_exchange_use(x)->state;
    const struct gw_guards_conf *g = x->guards;
    gw_explain_step step = step_of(GW_EXPLAIN_CLUSTER, GW_EXPLAIN_NOTE, x->cluster->name,
                                   g == NULL ? "nothing guards it" : "is guarded");

    add(&step, "inflight", load(&state->inflight));
    if (g != NULL && g->exchanges_max != GW_OFF)
        add(&step, "exchanges_max", g->exchanges_max);
    if (g != NULL && g->pending_max != GW_OFF) {
        add(&step, "pending", load(&state->pending));
        add(&step, "pending_max", g->pending_max);
    }
    if (g != NULL && g->has_throttle)
        add(&step, "throttled_millionths",
            (uint64_t)gw_throttle_chance(&state->throttle, &g->throttle, x->of->links->now) *
                    1000000 >>
                20);
    tell(e, &step);
}

static const char *pick_text(const struct gw_exchange *x, const struct gw_pick_trace *trace)
{
    if (trace->is_panic)
        return "too few are well: health and ejection are not believed";
    switch (gw_exchange_use(x)->endpoints->balancer.kind) {
    case GW_BALANCE_CONSISTENT_HASH:
        return trace->is_key_drawn ? "it has no key: one was drawn" : "its key leads there";
    case GW_BALANCE_LEAST_REQUEST:
        return "the least busy one of those drawn";
    case GW_BALANCE_RANDOM:
        return "drawn by weight";
    case GW_BALANCE_HOST:
        return "the host has chosen it";
    default:
        return "it is its turn";
    }
}

static void tell_pick(struct gw_explainer *e, const struct gw_pick_trace *trace, bool is_kept)
{
    const struct gw_exchange *x = e->x;
    uint32_t kind = gw_exchange_use(x)->endpoints->balancer.kind;
    gw_explain_step step = step_of(GW_EXPLAIN_PICK, GW_EXPLAIN_YES, x->endpoint->name,
                                   is_kept ? "its cookie leads there" : pick_text(x, trace));

    if (!is_kept && kind != GW_BALANCE_HOST) {
        add(&step, "level", trace->level);
        add(&step, "looked_at", trace->walked);
    }
    if (!is_kept && kind == GW_BALANCE_CONSISTENT_HASH) {
        add(&step, "key", trace->key);
        add(&step, "point", trace->point);
        add(&step, "over_their_bound", trace->loaded);
    }
    tell(e, &step);
}

/* GW_REASON_none: its endpoint is known. */
static enum gw_reason_id pick(struct gw_explainer *e)
{
    struct gw_exchange *x = e->x;
    const struct gw_endpoints *all = gw_exchange_use(x)->endpoints;
    struct gw_pick_trace trace;
    bool is_kept;
    uint32_t i = gw_exchange_foresee(x, &trace, &is_kept);

    if (i == UINT32_MAX)
        return x->guards != NULL ? gw_guards_nobody(x) : GW_REASON_no_endpoint;
    if (i >= all->len)
        return GW_REASON_bad_choice;
    x->endpoint = &all->list[i];
    PUT_NAME(e->out->endpoint, x->endpoint->name);
    PUT_NAME(e->out->address, x->endpoint->address);
    e->out->ends = GW_ENDS_ENDPOINT;
    tell_pick(e, &trace, is_kept);
    return GW_REASON_none;
}

/* In the worker's thread alone the host may be asked. */
static bool is_hosts(const struct gw_explainer *e)
{
    return e->is_apart && gw_exchange_use(e->x)->endpoints->balancer.kind == GW_BALANCE_HOST;
}

/* Its guards refuse it: it goes elsewhere, or ends. */
static bool fall_back(struct gw_explainer *e, enum gw_reason_id reason)
{
    struct gw_exchange *x = e->x;
    const struct gw_guards_conf *g = x->guards;
    bool has_one = g != NULL && reason != GW_REASON_bad_choice && g->has_fallback && !x->has_fallen;

    say(e, GW_EXPLAIN_CLUSTER, has_one ? GW_EXPLAIN_NO : GW_EXPLAIN_ENDS, x->cluster->name,
        text_of(reason));
    if (!has_one)
        return refuse(e, reason == GW_REASON_bad_choice ? GW_BY_HOST : GW_BY_GATEWAY, GW_PHASE_PICK,
                      reason, NULL);
    x->has_fallen = true;
    if (g->fallback == NULL)
        return reply(e, g->reply_code);
    x->cluster = g->fallback;
    say(e, GW_EXPLAIN_CLUSTER, GW_EXPLAIN_YES, x->cluster->name, "the fallback");
    return true;
}

/* True: its endpoint is known, or it goes on with another cluster. */
static bool ask_cluster(struct gw_explainer *e)
{
    struct gw_exchange *x = e->x;
    enum gw_reason_id reason = GW_REASON_none;

    if (x->cluster->has_origin) {
        e->out->ends = GW_ENDS_ORIGIN;
        say(e, GW_EXPLAIN_CLUSTER, GW_EXPLAIN_YES, x->cluster->name, "the host answers");
        return false;
    }
    x->guards = gw_guards_of(x);
    tell_cluster(e);
    for (uint32_t i = 0; i < gw_exchange_use(x)->endpoints->len; i++)
        tell_endpoint(e, i);
    if (x->guards != NULL)
        reason = gw_guards_look_in(x);
    if (reason == GW_REASON_none && is_hosts(e)) {
        e->out->ends = GW_ENDS_ENDPOINT;
        say(e, GW_EXPLAIN_PICK, GW_EXPLAIN_NOTE, x->cluster->name,
            "the host chooses, and is asked in a worker's thread alone");
        return false;
    }
    if (reason == GW_REASON_none)
        reason = pick(e);
    return reason == GW_REASON_none || fall_back(e, reason);
}

static bool find_endpoint(struct gw_explainer *e)
{
    struct gw_exchange *x = e->x;

    choose_cluster(e);
    if (x->cluster == NULL) {
        say(e, GW_EXPLAIN_ROUTE, GW_EXPLAIN_YES, x->route->name, "answers itself");
        return reply(e, x->route->reply_code);
    }
    while (x->endpoint == NULL) /* at most twice: a fallback's own is not asked */
        if (!ask_cluster(e))
            break;
    return x->endpoint != NULL;
}

/* ---- what then ---- */

static void tell_retries(struct gw_explainer *e)
{
    static const struct {
        uint32_t bit;
        const char *text;
    } conditions[] = {
        { GW_RETRY_CONNECT, "after a connection that could not be had" },
        { GW_RETRY_REFUSED, "after a refusal that proves that nothing was processed" },
        { GW_RETRY_REUSED, "after a kept connection that ended without a word" },
        { GW_RETRY_RESET, "after an end or a reset before a response" },
        { GW_RETRY_TIMEOUT, "after no response in time" },
        { GW_RETRY_GATEWAY_ERROR, "after 502, 503 or 504" },
        { GW_RETRY_5XX, "after any 5xx" },
    };
    const struct gw_exchange *x = e->x;
    const struct gw_retry_conf *r = x->route->retry;
    bool is_repeatable = gw_exchange_is_repeatable(x);
    uint32_t on = is_repeatable ? r->on : r->on & (GW_RETRY_CONNECT | GW_RETRY_REFUSED);
    gw_explain_step step = step_of(GW_EXPLAIN_RETRY, GW_EXPLAIN_NOTE, x->route->name,
                                   x->route->retries == 0 ? "is never sent again"
                                   : is_repeatable
                                       ? "may be sent again"
                                       : "may be sent again while nothing can have been processed");

    add(&step, "retries", x->route->retries);
    if (x->route->retries > 0 && r->has_backoff) {
        add(&step, "backoff_ns", r->backoff);
        add(&step, "backoff_max_ns", r->backoff_max);
    }
    tell(e, &step);
    for (size_t i = 0; x->route->retries > 0 && i < sizeof conditions / sizeof *conditions; i++)
        if ((on & conditions[i].bit) != 0)
            say(e, GW_EXPLAIN_RETRY, GW_EXPLAIN_NOTE, x->route->name, conditions[i].text);
}

static void tell_deadline(struct gw_explainer *e, const char *name, gw_nanos ns, const char *text)
{
    gw_explain_step step = step_of(GW_EXPLAIN_DEADLINE, GW_EXPLAIN_NOTE, gw_cstr(name), text);

    if (ns == GW_NEVER)
        return;
    add(&step, "after_ns", ns);
    tell(e, &step);
}

static void tell_deadlines(struct gw_explainer *e)
{
    const struct gw_exchange *x = e->x;

    tell_deadline(e, "connect", x->cluster->connect_timeout, "for a connection");
    tell_deadline(e, "try", x->route->retry->try_timeout,
                  "for each try, until its response's head");
    tell_deadline(e, "response", gw_deadline_response(x),
                  "from the end of the request to the response's head");
    tell_deadline(e, "request", x->route->request_timeout, "for the whole request");
    if (x->grpc_deadline != GW_NEVER)
        tell_deadline(e, "grpc", x->grpc_deadline - x->started, "that the client has set");
    tell_deadline(e, "idle", x->route->idle_timeout, "of silence");
}

void gw_exchange_explain(struct gw_explainer *e, enum gw_reason_id fault)
{
    e->out->grpc_status = GW_OFF;
    PUT_NAME(e->out->listener, e->x->listener->name);
    if (receive(e, fault) && find_route(e) && pass_limiters(e) && find_endpoint(e)) {
        tell_retries(e);
        tell_deadlines(e);
    }
    e->out->kind = e->x->kind;
    if (e->x->cluster != NULL)
        PUT_NAME(e->out->cluster, e->x->cluster->name);
}
