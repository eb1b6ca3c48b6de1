/* exchange/deadline.c: which deadline runs in which state, and what it means
 * when it passes. One timer an exchange, set to the nearest, moved lazily. */

#include "exchange/exchange.h"

#define SECOND UINT64_C(1000000000)

struct nearest {
    gw_nanos when;
    enum gw_reason_id reason;
    uint32_t by;
};

static void consider(struct nearest *n, gw_nanos since, gw_nanos timeout, enum gw_reason_id reason,
                     uint32_t by)
{
    if (timeout != GW_NEVER && since + timeout < n->when)
        *n = (struct nearest){ since + timeout, reason, by };
}

/* Who has asked for a tunnel owes nothing before there is one. */
static bool asks_for_tunnel(const struct gw_exchange *x)
{
    return x->request.body == GW_BODY_TUNNEL || x->request.protocol.len > 0;
}

/* The client owes body bytes, and all that it gave were taken: nobody else is waited for. */
static bool waits_for_body(const struct gw_exchange *x)
{
    return !asks_for_tunnel(x) && x->down.in >= GW_HALF_BODY && x->down.in < GW_HALF_DONE &&
           x->down.codec != NULL && gw_pipe_len(&x->request_pipe) == 0 && !x->down.is_held &&
           (x->shown_request == NULL || gw_show_is_hungry(x->shown_request));
}

/* When the last byte moved, or the host said something, on either side. */
static gw_nanos last_move(const struct gw_exchange *x)
{
    const gw_nanos times[] = { x->waited,      x->sent,         x->answered,  x->client_in,
                               x->upstream_in, x->upstream_out, x->client_out };
    gw_nanos last = x->started;

    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        last = times[i] > last ? times[i] : last;
    return last;
}

/* Until the head of a response is here. */
static void consider_try(const struct gw_exchange *x, struct nearest *n)
{
    if (GW_UNLIKELY(x->route->retry->try_timeout != GW_NEVER) && x->tries > 0)
        consider(n, x->waited, x->route->retry->try_timeout, GW_REASON_upstream_response_timeout,
                 GW_BY_UPSTREAM);
}

gw_nanos gw_deadline_response(const struct gw_exchange *x)
{
    return x->kind == GW_EXCHANGE_GRPC && !x->cluster->has_response_timeout
               ? GW_NEVER
               : x->cluster->response_timeout;
}

static void consider_await(const struct gw_exchange *x, struct nearest *n)
{
    gw_nanos timeout = gw_deadline_response(x), since = x->sent;

    if (x->kind == GW_EXCHANGE_GRPC && timeout == GW_NEVER)
        return;
    if (x->is_origin_started ? x->down.in < GW_HALF_DONE : x->up.out < GW_HALF_DONE) {
        /* It runs from the end of the request; but who takes nothing of that is not waited for. */
        if (!x->is_origin_started && gw_pipe_len(x->request_out) > 0)
            consider(n, x->upstream_out, x->route->idle_timeout,
                     GW_REASON_upstream_response_timeout, GW_BY_UPSTREAM);
        return;
    }
    if (x->is_origin_started && x->client_in > since)
        since = x->client_in;
    consider(n, since, timeout, GW_REASON_upstream_response_timeout, GW_BY_UPSTREAM);
}

/* A connection that is being made for it, or for those in front of it, all the time; or none may be made:
 * who waits for others to be done has nothing to say of the upstream, also when one is made in the end. */
static void consider_connect(const struct gw_exchange *x, struct nearest *n)
{
    const struct gw_upstream *u = gw_exchange_use(x)->upstreams[x->endpoint->index];

    gw_nanos each = x->tries > 0 ? x->route->retry->try_timeout : GW_NEVER;
    gw_nanos timeout = x->cluster->connect_timeout < each ? x->cluster->connect_timeout : each;

    if (!gw_list_is_linked(&x->waiter.node))
        return; /* its answer is there and will be looked at */
    if (u->connecting > 0 && u->connecting_since <= x->waited)
        consider(n, x->waited, timeout, GW_REASON_upstream_connect_timeout, GW_BY_UPSTREAM);
    else
        consider(n, x->waited, timeout,
                 u->lacks > 0 ? GW_REASON_connections_full : GW_REASON_pool_full, GW_BY_GATEWAY);
}

/* The client is waited for. */
static void consider_patience(struct nearest *n, const struct gw_exchange *x, struct gw_patience *p,
                              enum gw_reason_id reason)
{
    if (!p->was_running)
        p->from = x->of->links->now;
    p->is_running = true;
    consider(n, p->from - p->spent, x->listener->body_idle_timeout, reason, GW_BY_CLIENT);
}

static void consider_relay(struct gw_exchange *x, struct nearest *n)
{
    bool is_whole = x->shown_response != NULL ? x->response_out->is_ended : x->is_response_whole;

    if (is_whole || gw_pipe_len(x->response_out) > 0) {
        if (x->call == NULL)
            consider_patience(n, x, &x->taking, GW_REASON_client_read_timeout);
    } else if (x->kind == GW_EXCHANGE_HTTP && x->route != NULL && !x->is_response_whole &&
               !x->asked[GW_ASKED_RESPONSE].is_waiting) {
        consider(n, x->upstream_in > x->answered ? x->upstream_in : x->answered,
                 x->route->idle_timeout, GW_REASON_upstream_body_timeout, GW_BY_UPSTREAM);
    }
}

/* Who holds it has as long as a body may stall. */
static void consider_hooks(const struct gw_exchange *x, struct nearest *n, gw_nanos idle)
{
    for (int i = 0; i < GW_ASKED_COUNT; i++)
        if (x->asked[i].is_waiting)
            consider(n, x->asked[i].since, idle, GW_REASON_request_timeout, GW_BY_HOST);
}

/* It is with the filters: they are waited for, or who has yet to give the rest of it. */
static void consider_answer(const struct gw_exchange *x, struct nearest *n)
{
    if (x->kind == GW_EXCHANGE_HTTP && x->route != NULL && !x->is_response_whole &&
        !x->asked[GW_ASKED_RESPONSE].is_waiting)
        consider(n, x->upstream_in > x->answered ? x->upstream_in : x->answered,
                 x->route->idle_timeout, GW_REASON_upstream_body_timeout, GW_BY_UPSTREAM);
}

static void consider_tunnel(const struct gw_exchange *x, struct nearest *n)
{
    consider(n, last_move(x), x->route->idle_timeout, GW_REASON_tunnel_idle, GW_BY_GATEWAY);
    consider(n, x->answered, x->route->tunnel_timeout, GW_REASON_tunnel_timeout, GW_BY_GATEWAY);
}

/* Its client's connection is too old; what was begun there has the grace. */
static void consider_age(const struct gw_exchange *x, struct nearest *n)
{
    const struct gw_link *link = x->down_link;

    if (link == NULL || x->is_failed || link->phase != GW_LINK_OPEN || link->until == GW_NEVER)
        return;
    if (link->age == GW_AGE_LATE)
        consider(n, 0, 0, GW_REASON_connection_age, GW_BY_GATEWAY);
    else if (link->age == GW_AGE_OLD)
        consider(n, link->until, 0, GW_REASON_connection_age, GW_BY_GATEWAY);
    else if (link->age == GW_AGE_YOUNG)
        consider(n, link->until, x->listener->age_grace, GW_REASON_connection_age, GW_BY_GATEWAY);
}

static struct nearest find(struct gw_exchange *x)
{
    struct nearest n = { GW_NEVER, GW_REASON_none, GW_BY_NONE };
    gw_nanos idle = x->listener->body_idle_timeout;

    if (GW_UNLIKELY(x->waiting > 0))
        consider_hooks(x, &n, idle);
    if (GW_UNLIKELY(x->is_answering))
        consider_answer(x, &n);
    switch (x->is_answering ? GW_PHASE_ROUTE : (enum gw_phase)x->phase) {
    case GW_PHASE_RECEIVE:
        consider(&n, x->started, x->listener->head_timeout, GW_REASON_client_head_timeout,
                 GW_BY_CLIENT);
        return n;
    case GW_PHASE_CONNECT:
        consider_connect(x, &n);
        break;
    case GW_PHASE_AWAIT:
        consider_await(x, &n);
        consider_try(x, &n);
        break;
    case GW_PHASE_RELAY:
        if (x->kind == GW_EXCHANGE_TUNNEL)
            consider_tunnel(x, &n);
        else
            consider_relay(x, &n);
        break;
    case GW_PHASE_PICK:
        if (x->is_backing_off)
            consider(&n, 0, x->again_at, GW_REASON_none, GW_BY_NONE);
        break;
    case GW_PHASE_FILTER:
    case GW_PHASE_ROUTE:
    case GW_PHASE_LIMIT:
    case GW_PHASE_END:
    case GW_PHASE_COUNT:
        break;
    }
    if (x->kind == GW_EXCHANGE_HTTP && !x->is_discarding && waits_for_body(x))
        consider_patience(&n, x, &x->giving, GW_REASON_client_body_timeout);
    if (x->route != NULL && x->kind != GW_EXCHANGE_TUNNEL && !x->is_failed)
        consider(&n, x->started, x->route->request_timeout, GW_REASON_request_timeout,
                 GW_BY_GATEWAY);
    if (x->call != NULL && !x->is_failed)
        consider(&n, x->started, x->call->timeout, GW_REASON_request_timeout, GW_BY_HOST);
    if (x->grpc_deadline < n.when && !x->is_failed)
        n = (struct nearest){ x->grpc_deadline, GW_REASON_grpc_deadline, GW_BY_CLIENT };
    /* Where nobody set a deadline (a gRPC call, an upload that its origin does not read) silence is
     * bounded, and not how long it may take. */
    if (n.when == GW_NEVER && x->route != NULL && (x->phase >= GW_PHASE_CONNECT || x->waiting > 0))
        consider(&n, last_move(x), x->route->idle_timeout, GW_REASON_stream_idle, GW_BY_GATEWAY);
    if (GW_UNLIKELY(x->listener->age_grace != GW_NEVER))
        consider_age(x, &n);
    return n;
}

static void count(struct gw_patience *p, uint64_t bytes, const struct gw_exchange *x)
{
    gw_nanos now = x->of->links->now, worth = GW_NEVER;

    p->spent += now - p->from;
    p->from = now;
    if (bytes == 0 || p->spent == 0)
        return;
    if (x->listener->body_rate != GW_OFF)
        worth = (bytes < UINT32_MAX ? bytes : UINT32_MAX) * (SECOND / x->listener->body_rate);
    p->spent = p->spent > worth ? p->spent - worth : 0;
}

static void count_giving(struct gw_exchange *x)
{
    count(&x->giving, x->request_pipe.bytes_in - x->giving.seen, x);
    x->giving.seen = x->request_pipe.bytes_in;
}

/* Behind what the client's connection has not taken yet, its bytes count, whosever they are: it takes
 * them in order. */
static void count_taking(struct gw_exchange *x)
{
    uint64_t taken = x->response_out->bytes_out - x->taking.seen;
    uint32_t sent = x->down.codec != NULL ? x->down.codec->sent : x->link_sent;

    if (x->is_down_sent || !gw_chain_is_empty(&x->down_link->tx))
        taken += sent - x->link_sent;
    count(&x->taking, taken, x);
    x->taking.seen = x->response_out->bytes_out;
    x->link_sent = sent;
}

static struct nearest look(struct gw_exchange *x)
{
    struct gw_patience *giving = &x->giving, *taking = &x->taking;

    if (giving->is_running)
        count_giving(x);
    if (taking->is_running)
        count_taking(x);
    giving->was_running = giving->is_running;
    taking->was_running = taking->is_running;
    giving->is_running = taking->is_running = false;
    return find(x);
}

void gw_deadline_arm(struct gw_exchange *x)
{
    struct nearest n = look(x);

    if (n.when < x->alarm.timer.when)
        gw_timer_set(x->of->links->wheel, &x->alarm.timer, n.when);
}

static void pass(struct gw_exchange *x, const struct nearest *n)
{
    if (n->reason == GW_REASON_none)
        gw_exchange_end_backoff(x);
    else if (!gw_exchange_retry(x, n->reason))
        gw_exchange_fail(x, n->by, n->reason, GW_ETIMEDOUT);
}

void gw_deadline_ring(struct gw_alarm *alarm)
{
    struct gw_exchange *x = GW_CONTAINER(alarm, struct gw_exchange, alarm);
    struct nearest n = look(x);

    if (n.when <= x->of->links->now)
        pass(x, &n);
    if (x->phase == GW_PHASE_END)
        return;
    gw_deadline_arm(x);
    gw_exchange_wake(x);
}
