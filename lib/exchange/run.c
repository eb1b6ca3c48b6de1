/* exchange/run.c: the transitions. gw_exchange_run looks at what its streams say and at its phase, and
 * goes on until it has to wait. */

#include <string.h>

#include "base/assert.h"
#include "exchange/exchange.h"
#include "grpc/status.h"
#include "grpc/timeout.h"
#include "http/target.h"

static const uint32_t may_follow[GW_PHASE_COUNT] = {
#define PHASE_AFTER(id, name, after) after,
    GW_PHASES(PHASE_AFTER)
#undef PHASE_AFTER
};

void gw_exchange_enter(struct gw_exchange *x, enum gw_phase phase)
{
    GW_ASSERT((may_follow[x->phase] & (1u << phase)) != 0);
    x->phase = (uint8_t)phase;
    gw_trace_event(x->of->trace, x->of->links->now, GW_TRACE_EXCHANGE_PHASE, x->id, phase, 0);
}

/* ---- receive ---- */

/* The client's message broke off or was refused by its codec. */
static void client_cut(struct gw_exchange *x)
{
    enum gw_reason_id reason = (enum gw_reason_id)x->down.fault;

    if (x->down_link->is_aborted) {
        gw_exchange_fail(x, GW_BY_HOST, GW_REASON_host_abort, GW_ECANCELED);
        return;
    }
    if (x->down_link->age == GW_AGE_LATE) {
        gw_exchange_fail(x, GW_BY_GATEWAY, GW_REASON_connection_age, GW_ETIMEDOUT);
        return;
    }
    gw_exchange_fail_cut(x, GW_BY_CLIENT,
                         reason == GW_REASON_none ? GW_REASON_client_closed : reason,
                         x->down_link->is_lost ? GW_ERESET : GW_EPROTO);
}

static enum gw_reason_id find_kind(struct gw_exchange *x)
{
    struct gw_field *timeout;
    gw_nanos ns;

    if (x->down_link->protocol != GW_PROTO_H2 || !gw_grpc_is_request(&x->request))
        return GW_REASON_none;
    x->kind = GW_EXCHANGE_GRPC;
    timeout = gw_fields_find(&x->request.fields, GW_FIELD_GRPC_TIMEOUT);
    if (timeout == NULL)
        return GW_REASON_none;
    if (gw_grpc_timeout_parse(timeout->value, &ns) != GW_OK)
        return GW_REASON_bad_field;
    if (ns < GW_NEVER - x->started)
        x->grpc_deadline = x->started + ns;
    return GW_REASON_none;
}

/* ---- route ---- */

static bool has_token(const gw_str *tokens, size_t n, gw_str token)
{
    static const gw_str websocket = { "websocket", 9 };

    if (n == 0)
        return gw_str_eq_nocase(websocket, token);
    for (size_t i = 0; i < n; i++)
        if (gw_str_eq_nocase(tokens[i], token))
            return true;
    return false;
}

/* An Upgrade goes on only if the route lets it and both sides speak HTTP/1.1. */
bool gw_exchange_may_upgrade(const struct gw_exchange *x)
{
    const struct gw_route_conf *r = x->route;
    const struct gw_cluster_conf *c = x->cluster;

    return (r->flags & GW_ROUTE_NO_UPGRADE) == 0 && c != NULL && !c->has_origin &&
           c->protocol == GW_PROTO_H1 && x->request.body == GW_BODY_NONE &&
           x->down_link->protocol == GW_PROTO_H1 &&
           has_token(r->upgrades, r->upgrades_len, x->request.protocol);
}

void gw_exchange_decide_upgrade(struct gw_exchange *x)
{
    if (x->request.protocol.len == 0 || gw_exchange_may_upgrade(x))
        return;
    x->request.protocol = (gw_str){ NULL, 0 };
    gw_link_advance(x->down_link, &x->down); /* then the request is whole: nothing follows it */
}

static struct gw_route_key key_of(const struct gw_exchange *x)
{
    struct gw_route_key key = {
        .host = gw_authority_host(x->request.authority),
        .path = x->request.path,
        .method = x->request.method_text,
        .listener = x->listener->index,
    };

    if (gw_str_eq(key.path, GW_STR("*")))
        key.path = GW_STR("/");
    return key;
}

const struct gw_route_conf *gw_exchange_match(const struct gw_exchange *x, bool *is_method_missing)
{
    struct gw_route_key key = key_of(x);

    return gw_config_route(x->binding->config, &key, is_method_missing);
}

const struct gw_route_conf *gw_exchange_explain_match(const struct gw_exchange *x,
                                                      bool *is_method_missing,
                                                      const struct gw_route_trace *trace)
{
    struct gw_route_key key = key_of(x);

    return gw_config_explain_route(x->binding->config, &key, is_method_missing, trace);
}

enum gw_reason_id gw_exchange_unrouted(const struct gw_exchange *x, bool is_method_missing)
{
    bool is_refused = x->request.method == GW_METHOD_CONNECT &&
                      x->down_link->protocol != GW_PROTO_TLS;

    return is_method_missing || is_refused ? GW_REASON_method_not_allowed : GW_REASON_no_route;
}

bool gw_exchange_is_too_long(const struct gw_exchange *x)
{
    uint64_t max = x->of->limits->body_bytes_max;

    return max > 0 && x->call == NULL && x->request.body == GW_BODY_LENGTH &&
           x->request.length > max;
}

static bool find_route(struct gw_exchange *x)
{
    bool is_method_missing = false;

    x->route = gw_exchange_match(x, &is_method_missing);
    x->routed = x->of->links->now;
    if (x->route != NULL)
        return true;
    if (gw_exchange_give_back(x))
        return false;
    gw_exchange_fail(x, GW_BY_GATEWAY, gw_exchange_unrouted(x, is_method_missing), GW_EUNKNOWN);
    return false;
}

/* Filters are the route's from now on, on_route is about to be asked. */
static bool enter_route(struct gw_exchange *x)
{
    if (!find_route(x))
        return false;
    gw_exchange_claim(x);
    if (gw_exchange_is_too_long(x)) {
        gw_exchange_fail(x, GW_BY_CLIENT, GW_REASON_body_too_large, GW_ELIMIT);
        return false;
    }
    if (x->call == NULL)
        x->filters = x->route->filters;
    if (gw_filters_turn_on(x) == GW_OK)
        return true;
    gw_exchange_fail(x, GW_BY_GATEWAY, GW_REASON_no_memory, GW_ENOMEM);
    return false;
}

/* Where it goes, as soon as it may: a filter may hold it until its body is whole. */
static void go_target(struct gw_exchange *x)
{
    if (gw_show_is_held(x->shown_request))
        return;
    if (x->cluster == NULL) {
        gw_reply_configured(x, x->route->reply_code, x->route->reply_type, x->route->reply_body);
    } else if (x->cluster->has_origin) {
        gw_exchange_enter(x, GW_PHASE_AWAIT);
        gw_origin_start(x);
    } else {
        gw_exchange_enter(x, GW_PHASE_PICK);
    }
}

/* The request's body is seen from here on. False: it has failed. */
static bool show_request(struct gw_exchange *x)
{
    gw_status status;

    if (x->request.body == GW_BODY_TUNNEL || x->request.protocol.len > 0 ||
        !(gw_filters_have(x, GW_HOOK_REQUEST_BODY) || gw_filters_have(x, GW_HOOK_REQUEST_END)))
        return true;
    status = gw_show_begin(x, GW_SIDE_REQUEST);
    if (status == GW_ELIMIT)
        gw_exchange_fail(x, GW_BY_CLIENT, GW_REASON_body_too_large, GW_ELIMIT);
    else if (status != GW_OK)
        gw_exchange_fail(x, GW_BY_GATEWAY, GW_REASON_no_memory, GW_ENOMEM);
    else if (gw_show_is_held(x->shown_request)) { /* nobody else is asked for a 100 */
        gw_reply_continue(x);
        gw_fields_drop(&x->request.fields, GW_FIELD_EXPECT);
    }
    return status == GW_OK;
}

static void leave_route(struct gw_exchange *x)
{
    x->cluster = x->wanted != NULL ? x->wanted : x->route->cluster;
    if (x->route->limiters_len > 0 && !gw_limit_pass(x))
        return;
    if (GW_UNLIKELY(x->route->splits != NULL) && x->wanted == NULL)
        gw_split_pick(x);
    gw_exchange_decide_upgrade(x);
    x->is_route_left = true;
    if (x->cluster != NULL && !show_request(x))
        return;
    go_target(x);
}

/* Neither is any configuration's. */
static const struct gw_route_conf no_route = {
    .request_timeout = GW_NEVER,
    .idle_timeout = GW_MS(UINT64_C(300000)),
    .retry = &gw_retry_default,
};
static const struct gw_cluster_conf self = {
    .response_timeout = GW_NEVER, /* silence is bounded, not length */
    .has_origin = true,
};

void gw_exchange_go_serve(struct gw_exchange *x)
{
    gw_exchange_claim(x);
    if (x->phase == GW_PHASE_FILTER)
        gw_exchange_enter(x, GW_PHASE_ROUTE);
    if (x->route == NULL)
        x->route = &no_route;
    x->cluster = &self;
    gw_exchange_decide_upgrade(x);
    x->is_route_left = true;
    go_target(x);
}

static void go_route(struct gw_exchange *x)
{
    enum gw_filter_result result = GW_FILTER_DONE;

    if (x->is_route_left) {
        go_target(x);
        return;
    }
    if (x->asked[GW_ASKED_REQUEST].is_waiting || (x->route == NULL && !enter_route(x)))
        return;
    if (gw_filters_have(x, GW_HOOK_ROUTE))
        result = gw_filters_ask(x, GW_ASKED_REQUEST, GW_HOOK_ROUTE);
    if (result == GW_FILTER_DONE)
        leave_route(x);
    else
        gw_filters_obey(x, result);
}

/* ---- filter ---- */

static void go_filter(struct gw_exchange *x)
{
    enum gw_filter_result result = GW_FILTER_DONE;

    if (x->asked[GW_ASKED_REQUEST].is_waiting)
        return;
    if (x->filters != 0 && x->memory == NULL && gw_filters_turn_on(x) != GW_OK)
        result = GW_FILTER_NO_MEMORY;
    if (result == GW_FILTER_DONE && gw_filters_have(x, GW_HOOK_REQUEST))
        result = gw_filters_ask(x, GW_ASKED_REQUEST, GW_HOOK_REQUEST);
    if (result == GW_FILTER_DONE)
        gw_exchange_enter(x, GW_PHASE_ROUTE);
    else
        gw_filters_obey(x, result);
}

/* ---- the client's stream ---- */

enum gw_reason_id gw_exchange_learn(struct gw_exchange *x, uint32_t *by)
{
    enum gw_reason_id reason = gw_identity_learn(x);

    *by = reason == GW_REASON_none ? GW_BY_CLIENT : GW_BY_GATEWAY;
    return reason == GW_REASON_none ? find_kind(x) : reason;
}

static void learn(struct gw_exchange *x)
{
    uint32_t by;
    enum gw_reason_id reason = gw_exchange_learn(x, &by);

    if (reason != GW_REASON_none)
        gw_exchange_fail(x, by, reason, reason == GW_REASON_no_memory ? GW_ENOMEM : GW_EPROTO);
}

static void take_down_news(struct gw_exchange *x)
{
    uint32_t news = x->down.news;

    x->down.news = 0;
    if ((news & GW_NEWS_CUT) != 0) {
        client_cut(x);
        return;
    }
    if ((news & GW_NEWS_HEAD) != 0 && x->phase == GW_PHASE_RECEIVE) {
        gw_exchange_enter(x, GW_PHASE_FILTER);
        learn(x);
    }
    gw_relay_down_news(x, news);
}

static void go_on(struct gw_exchange *x)
{
    if (GW_UNLIKELY(x->is_answering) && !x->is_failed)
        gw_relay_ask(x);
    if (GW_UNLIKELY(x->is_answering) && x->phase != GW_PHASE_AWAIT)
        return; /* what it was about to do is done with */
    switch ((enum gw_phase)x->phase) {
    case GW_PHASE_FILTER:
        go_filter(x);
        break;
    case GW_PHASE_ROUTE:
    case GW_PHASE_LIMIT:
        go_route(x);
        break;
    case GW_PHASE_PICK:
        gw_exchange_pick(x);
        break;
    case GW_PHASE_CONNECT:
        gw_exchange_connect(x);
        break;
    case GW_PHASE_AWAIT:
    case GW_PHASE_RELAY:
        gw_origin_run(x);
        break;
    case GW_PHASE_RECEIVE:
    case GW_PHASE_END:
    case GW_PHASE_COUNT:
        break;
    }
}

/* The response has left as a whole: nothing is left to do. */
static bool is_complete(struct gw_exchange *x)
{
    if (!x->is_down_sent || x->phase != GW_PHASE_RELAY)
        return false;
    if (!x->is_flushed)
        x->is_flushed = gw_link_is_flushed(x->down_link, &x->down);
    /* A tunnel ends when both sides have. */
    return x->is_flushed && gw_show_is_done(x->shown_response) &&
           (x->kind != GW_EXCHANGE_TUNNEL ||
            (x->down.in >= GW_HALF_DONE && (x->up.codec == NULL || x->up.out >= GW_HALF_DONE)));
}

/* What it will not need any more. */
static void return_reserves(struct gw_exchange *x)
{
    struct gw_pool *pool = x->of->links->pool;

    if (x->request_reserve.size > 0 && x->down.in >= GW_HALF_DONE &&
        gw_pipe_len(&x->request_pipe) == 0)
        gw_reserve_end(&x->request_reserve, pool);
    if (x->up_reserve.size > 0 && x->phase == GW_PHASE_RELAY) /* no other try can follow */
        gw_reserve_end(&x->up_reserve, pool);
    if (GW_UNLIKELY(x->kept.more != NULL))
        gw_replay_settle(x);
}

static void note_thirst(struct gw_exchange *x)
{
    struct gw_exchanges *all = x->of;

    if (gw_list_is_linked(&x->thirsty) || !gw_exchange_is_short(x))
        return;
    gw_list_push_back(&all->thirsty, &x->thirsty);
    all->thirsty_since = all->links->pool->returns - 1; /* looked at in this very step, too */
}

void gw_exchange_run(struct gw_exchange *x)
{
    uint8_t before;
    bool is_shown;

    do {
        before = x->phase;
        is_shown = false;
        if (x->down.news != 0)
            take_down_news(x);
        if (x->up.news != 0)
            gw_exchange_take_upstream_news(x);
        if (x->call != NULL)
            gw_call_run(x);
        go_on(x);
        if (is_complete(x)) {
            if (!x->is_failed && x->down.codec != NULL)
                gw_abuse_earn(&x->down.codec->abuse, GW_ABUSE_EXCHANGE_EARNS);
            gw_exchange_finish(x);
        }
        if (GW_UNLIKELY(x->shown_request != NULL || x->shown_response != NULL))
            is_shown = gw_show_run(x);
    } while ((x->phase != before || is_shown) && x->phase != GW_PHASE_END);
    if (x->phase == GW_PHASE_END) {
        gw_exchange_finish(x);
        return;
    }
    gw_relay_settle(x);
    return_reserves(x);
    note_thirst(x);
    gw_deadline_arm(x);
}
