/* exchange/retry.c: may a failed try be followed by another, when, and the way back to picking. The rules
 * and where they come from: docs/retries.md.
 *
 * Nothing is sent twice that may have been processed, but for what HTTP lets be repeated, or its route
 * says may be. */

#include "base/assert.h"
#include "exchange/exchange.h"

enum { ATTEMPTS_MAX = 1000000 };
/* What an upstream may have met in its work: it gets time before more comes. */
enum { UNHURRIED = GW_RETRY_RESET | GW_RETRY_TIMEOUT };
#define WAIT_MAX GW_MS(UINT64_C(3600000))

bool gw_exchange_has_tried(const struct gw_exchange *x, uint32_t endpoint)
{
    for (uint32_t i = 0; i < x->tries; i++)
        if (x->tried[i] == endpoint)
            return true;
    return false;
}

/* ---- what went wrong ---- */

/* A connection that its upstream had just given up: the race of keep-alive. What a new connection answers
 * by closing is no such race (RFC 9110 9.2.2, RFC 9112 9.3.1). */
static bool is_race(const struct gw_exchange *x)
{
    return x->up_link->requests > 1 && x->up.is_silent;
}

/* A line is stood in for as long as a connection may take; but a try that is over has had its time, and
 * somewhere else there may be no line. */
static bool is_try_over(const struct gw_exchange *x)
{
    gw_nanos each = x->route->retry->try_timeout;

    return each != GW_NEVER && x->of->links->now - x->waited >= each;
}

/* GW_RETRY_*; 0: nothing that is ever retried. */
static uint32_t what_failed(const struct gw_exchange *x, enum gw_reason_id reason)
{
    bool is_connected = x->phase == GW_PHASE_AWAIT;

    if (!is_connected && x->phase != GW_PHASE_CONNECT)
        return 0;
    if (is_connected && x->up.is_refused)
        return GW_RETRY_REFUSED;
    switch ((int)reason) {
    case GW_REASON_upstream_connect_refused:
    case GW_REASON_upstream_unreachable:
    case GW_REASON_upstream_tls_failed:
        return GW_RETRY_CONNECT;
    case GW_REASON_upstream_connect_timeout:
        return GW_RETRY_CONNECT | GW_RETRY_TIMEOUT;
    case GW_REASON_pool_full:
    case GW_REASON_connections_full:
        return is_try_over(x) ? GW_RETRY_CONNECT | GW_RETRY_TIMEOUT : 0;
    case GW_REASON_upstream_response_timeout:
        return GW_RETRY_TIMEOUT;
    case GW_REASON_upstream_closed:
    case GW_REASON_upstream_reset:
    case GW_REASON_upstream_cut:
    case GW_REASON_upstream_goaway:
        return is_connected && is_race(x) ? GW_RETRY_RESET | GW_RETRY_REUSED : GW_RETRY_RESET;
    default:
        return 0;
    }
}

/* What the upstream asks for: a number of units; or not to be asked again, which is all else (a date too).
 * More than an hour is not waited for. */
static bool read_wait(const struct gw_field *field, gw_nanos unit, gw_nanos *out)
{
    uint64_t n;

    if (field == NULL)
        return true;
    if (gw_parse_u64(field->value, &n) != GW_OK || n > WAIT_MAX / unit)
        return false;
    *out = n * unit;
    return true;
}

static bool is_code_wanted(const struct gw_retry_conf *r, uint32_t code)
{
    uint32_t at = code - GW_RETRY_CODE_LEAST;

    return code >= GW_RETRY_CODE_LEAST && code <= GW_RETRY_CODE_MOST &&
           (r->codes[at / 64] >> at % 64 & 1) != 0;
}

/* The trailers alone: a head that is followed by anything else is the client's at once, as who waits for
 * it before it says more would else wait for ever (gRFC A6). */
static bool is_grpc_status_wanted(const struct gw_exchange *x)
{
    const struct gw_field *field = gw_fields_find(&x->response.fields, GW_FIELD_GRPC_STATUS);
    uint64_t status;

    return x->kind == GW_EXCHANGE_GRPC && x->up.in == GW_HALF_DONE && field != NULL &&
           gw_parse_u64(field->value, &status) == GW_OK && status <= 16 &&
           (x->route->retry->grpc >> status & 1) != 0;
}

/* Is what came a failure, which may be followed by another try? *wait stays as it is if the upstream asks
 * for none. */
static bool is_refused(const struct gw_exchange *x, gw_nanos *wait)
{
    const struct gw_fields *fields = &x->response.fields;

    if (is_code_wanted(x->route->retry, x->response.code))
        return read_wait(gw_fields_find(fields, GW_FIELD_RETRY_AFTER), GW_MS(1000), wait);
    return is_grpc_status_wanted(x) &&
           read_wait(gw_fields_find_name(fields, GW_STR("grpc-retry-pushback-ms")), GW_MS(1), wait);
}

/* ---- when ---- */

/* The n-th: from 0 to base * 2^(n-1), and at most max. */
static gw_nanos draw_wait(struct gw_exchange *x)
{
    const struct gw_retry_conf *r = x->route->retry;
    gw_nanos most = r->backoff;

    for (uint32_t i = 1; i < x->tries && most < r->backoff_max; i++)
        most *= 2;
    most = most < r->backoff_max ? most : r->backoff_max;
    return most > 0 ? gw_prng_below(&x->of->prng, most + 1) : 0;
}

static gw_nanos sooner(gw_nanos when, gw_nanos since, gw_nanos timeout)
{
    return timeout != GW_NEVER && since + timeout < when ? since + timeout : when;
}

/* What ends before the next try begins is not waited for; and silence has a bound where nothing else has. */
static bool has_time(const struct gw_exchange *x, gw_nanos wait)
{
    gw_nanos now = x->of->links->now;
    gw_nanos last = sooner(x->grpc_deadline, x->started, x->route->request_timeout);

    if (x->call != NULL)
        last = sooner(last, x->started, x->call->timeout);
    if (last == GW_NEVER)
        last = sooner(last, now, x->route->idle_timeout);
    return last > now && wait < last - now;
}

/* ---- whether ---- */

static bool has_budget(struct gw_exchange *x)
{
    const struct gw_cluster_conf *c = x->cluster;

    if (gw_retry_budget_take(&gw_exchange_use(x)->budget, x->of->links->now, c->retry_percent,
                             c->retry_least))
        return true;
    gw_stats_add(x->of->stats, GW_STAT_RETRIES_REFUSED, 1);
    return false;
}

/* Was it ever tried, and may it be again? There may be no route yet. */
static bool has_tries(const struct gw_exchange *x)
{
    return x->tries > 0 && x->tries <= x->route->retries && !x->is_retry_forbidden &&
           !x->is_answering;
}

bool gw_exchange_is_repeatable(const struct gw_exchange *x)
{
    return x->route->retry->is_unsafe || gw_method_is_idempotent((enum gw_method)x->request.method);
}

static bool has_another(struct gw_exchange *x)
{
    const struct gw_endpoints *e = gw_exchange_use(x)->endpoints;

    for (uint32_t i = 0; i < e->len; i++)
        if (e->list[i].weight > 0 && !gw_exchange_has_tried(x, i) && gw_guards_is_asked(x, i))
            return true;
    return false;
}

/* A try that is over, and the next one. */
struct again {
    enum gw_reason_id reason;
    bool is_unseen; /* nobody has seen the request: whatever its method */
    bool is_free;   /* it costs an upstream nothing                     */
    gw_nanos wait;
};

/* What is counted is taken last, and only by who then tries again. */
static bool may_retry(struct gw_exchange *x, const struct again *a)
{
    bool is_guarded = gw_exchange_guards(x) != NULL;

    if ((!a->is_unseen && !gw_exchange_is_repeatable(x)) || !gw_replay_may(x) ||
        !has_time(x, a->wait) || (is_guarded && !gw_guards_may_retry(x)))
        return false;
    if ((a->is_free || has_budget(x)) && gw_replay_put_back(x))
        return true;
    if (is_guarded)
        gw_guards_retry_not(x);
    return false;
}

/* ---- again ---- */

/* As if nothing had been tried; what the failed try left behind is gone. */
static void forget(struct gw_exchange *x)
{
    gw_exchange_leave_upstream(x, GW_H2_CANCEL);
    x->up_link = NULL;
    x->request.has_left = false; /* on_upstream may say something else to the next */
    x->upstream_protocol = 0;
    x->is_response_whole = false;
    gw_message_init(&x->response, GW_MESSAGE_RESPONSE, &x->arena, x->of->limits->fields_max);
    gw_message_init(&x->response_trailers, GW_MESSAGE_TRAILERS, &x->arena,
                    x->of->limits->fields_max);
    gw_pipe_reset(&x->response_pipe);
}

/* An HTTP/1 connection is good for others only when all of the answer was taken in. That is waited for as
 * long as the next try has to wait anyway, and no more is taken than the pipe holds. */
static bool is_worth_reading(const struct gw_exchange *x)
{
    return x->phase == GW_PHASE_AWAIT && x->upstream_protocol == GW_PROTO_H1 &&
           x->up.in == GW_HALF_BODY && x->up.out == GW_HALF_DONE;
}

/* What the server's application may have seen is told to the next one (gRFC A6). Benign: without memory it
 * is not. */
static void count_attempt(struct gw_exchange *x)
{
    static const gw_str name = { "grpc-previous-rpc-attempts", 26 };
    struct gw_field *field = gw_fields_find_name(&x->request.fields, name);
    char digits[GW_U64_TEXT_MAX];
    uint64_t n = 0;
    gw_str text = { digits, 0 };

    if (field != NULL && (gw_parse_u64(field->value, &n) != GW_OK || n > ATTEMPTS_MAX))
        n = ATTEMPTS_MAX;
    text.len = gw_format_u64(n + 1, digits);
    if (gw_arena_copy(&x->arena, text, &text) != GW_OK)
        return;
    if (field != NULL)
        field->value = text;
    else
        (void)!gw_fields_add(&x->request.fields, GW_FIELD_UNKNOWN, name, text);
}

static void begin_again(struct gw_exchange *x, const struct again *a)
{
    bool is_read_on = a->wait > 0 && is_worth_reading(x);

    gw_stats_add(x->of->stats, GW_STAT_RETRIES, 1);
    gw_exchange_log(x, GW_LOG_INFO, "exchange.retried",
                    (gw_cause){ GW_BY_UPSTREAM, x->phase, a->reason, GW_OK });
    if (x->kind == GW_EXCHANGE_GRPC && !a->is_unseen)
        count_attempt(x);
    if (x->guards != NULL)
        gw_guards_retry(x);
    if (is_read_on)
        gw_exchange_end_try(x);
    else
        forget(x);
    x->is_backing_off = a->wait > 0;
    x->again_at = x->of->links->now + a->wait;
    gw_exchange_enter(x, GW_PHASE_PICK);
}

void gw_exchange_start_over(struct gw_exchange *x)
{
    forget(x);
    gw_exchange_enter(x, GW_PHASE_PICK);
}

void gw_exchange_end_backoff(struct gw_exchange *x)
{
    x->is_backing_off = false;
    if (x->up.codec != NULL)
        forget(x);
}

void gw_exchange_take_refusal_news(struct gw_exchange *x, uint32_t news)
{
    if ((news & (GW_NEWS_END | GW_NEWS_CUT)) != 0)
        forget(x);
}

/* Without another endpoint a connection would fail again, but for who waits before it is made. */
bool gw_exchange_retry(struct gw_exchange *x, enum gw_reason_id reason)
{
    const struct gw_retry_conf *r;
    struct again a = { .reason = reason };
    uint32_t what;

    if (GW_UNLIKELY(gw_exchange_guards(x) != NULL))
        gw_guards_blame(x, reason);
    if (!has_tries(x))
        return false;
    r = x->route->retry;
    what = what_failed(x, reason) & r->on;
    if (what == 0)
        return false;
    a.is_unseen = x->phase == GW_PHASE_CONNECT || (what & GW_RETRY_REFUSED) != 0;
    a.is_free = x->phase == GW_PHASE_CONNECT && has_another(x);
    if (x->phase == GW_PHASE_CONNECT && !a.is_free && !r->has_backoff)
        return false;
    if (!a.is_free && (r->has_backoff || (what & UNHURRIED) == what))
        a.wait = draw_wait(x);
    if (!may_retry(x, &a))
        return false;
    begin_again(x, &a);
    return true;
}

bool gw_exchange_retry_answer(struct gw_exchange *x)
{
    struct again a = { .reason = GW_REASON_upstream_status, .wait = GW_NEVER };

    if (!has_tries(x) || x->phase != GW_PHASE_AWAIT || !is_refused(x, &a.wait))
        return false;
    if (a.wait == GW_NEVER)
        a.wait = draw_wait(x);
    if (gw_exchange_guards(x) != NULL)
        gw_guards_hear(x, GW_NEWS_END); /* the rest of it says nothing more */
    if (!may_retry(x, &a))
        return false;
    begin_again(x, &a);
    return true;
}
