/* exchange/upstream.c: which endpoint, a stream to it, and what that stream says. */

#include "base/assert.h"
#include "exchange/exchange.h"
#include "grpc/timeout.h"
#include "http/hop.h"
#include "http/target.h"
#include "link/slot.h"

/* ---- the request as it is sent on ---- */

/* What is left of the client's deadline is the upstream's. */
static gw_status write_timeout(struct gw_exchange *x)
{
    struct gw_field *field = gw_fields_find(&x->request.fields, GW_FIELD_GRPC_TIMEOUT);
    gw_nanos now = x->of->links->now;
    gw_str text;
    char digits[GW_GRPC_TIMEOUT_MAX];

    if (field == NULL || x->grpc_deadline == GW_NEVER)
        return GW_OK;
    text.ptr = digits;
    text.len = gw_grpc_timeout_format(x->grpc_deadline > now ? x->grpc_deadline - now : 0, digits);
    return gw_arena_copy(&x->arena, text, &field->value);
}

/* Once, whatever becomes of the first try. HTTP/1.0 knows no 100: what it expects is not sent on (RFC
 * 9110 10.1.1). */
static gw_status prepare_request(struct gw_exchange *x)
{
    if (x->down.is_http10)
        gw_fields_drop(&x->request.fields, GW_FIELD_EXPECT);
    x->has_own_host = x->request.authority.len == 0 && x->request.method != GW_METHOD_CONNECT;
    if (gw_hop_strip(&x->request) != GW_OK)
        return GW_ENOMEM;
    return x->call == NULL ? gw_identity_tell(x) : GW_OK; /* the host is nobody's proxy */
}

/* HTTP/1.0 need not say Host; the versions that it is forwarded in must. */
static void set_host(struct gw_exchange *x)
{
    if (x->has_own_host)
        x->request.authority = gw_authority_is_valid(x->endpoint->address) ? x->endpoint->address
                                                                           : GW_STR("localhost");
}

static void prepare(struct gw_waiter *w)
{
    struct gw_exchange *x = GW_CONTAINER(w, struct gw_exchange, waiter);

    gw_exchange_keep(x);
    /* Benign: without memory the client's own value goes on. */
    (void)!write_timeout(x);
    x->up.out = GW_HALF_HEAD;
}

/* ---- a stream ---- */

/* NULL: without memory the cause alone is told. */
static const char *keep_text(struct gw_exchange *x, const char *text)
{
    gw_str copy;

    return gw_arena_copy(&x->arena, (gw_str){ text, strlen(text) + 1 }, &copy) == GW_OK ? copy.ptr
                                                                                        : NULL;
}

static void done(struct gw_waiter *w)
{
    struct gw_exchange *x = GW_CONTAINER(w, struct gw_exchange, waiter);

    if (GW_UNLIKELY(x->is_pending))
        gw_guards_wait_no_more(x);
    if (GW_UNLIKELY(w->fault != NULL))
        w->fault = keep_text(x, w->fault);
    if (w->status == GW_OK) {
        x->up_link = w->link;
        x->upstream_protocol = w->link->protocol;
        x->sent = x->upstream_in = x->upstream_out = x->of->links->now;
        x->request.has_left = true;
        gw_exchange_enter(x, GW_PHASE_AWAIT);
    }
    gw_exchange_wake(x);
}

static void init_stream(struct gw_exchange *x)
{
    struct gw_stream *up = &x->up;

    gw_stream_init(up);
    up->request_method = x->request.method;
    up->in_head = &x->response;
    up->in_trailers = &x->response_trailers;
    up->in_pipe = &x->response_pipe;
    up->out_head = &x->request;
    up->out_trailers = &x->request_trailers;
    up->out_pipe = x->request_out;
}

void gw_exchange_end_try(struct gw_exchange *x)
{
    const struct gw_cluster_use *use;

    if (!x->is_in_flight)
        return;
    x->is_in_flight = false;
    if (GW_UNLIKELY(x->guards != NULL))
        gw_guards_end_try(x);
    use = gw_exchange_use(x);
    gw_state_leave(use->state, use->states[x->endpoint->index]);
}

static gw_status begin_try(struct gw_exchange *x, uint32_t endpoint)
{
    const struct gw_cluster_use *use = gw_exchange_use(x);

    if (!x->is_prepared && prepare_request(x) != GW_OK)
        return GW_ENOMEM;
    x->is_prepared = true;
    if (x->tries == 0)
        gw_retry_budget_count(&gw_exchange_use(x)->budget, x->of->links->now);
    if (x->tries > 0 || x->has_fallen) /* another try has had what was reserved */
        gw_slot_renew_gift(x->of->links, &x->up_reserve);
    GW_ASSERT(x->tries <= GW_RETRIES_MAX && !x->is_in_flight);
    x->tried[x->tries++] = endpoint;
    x->is_in_flight = true;
    if (GW_LIKELY(!x->has_place))
        atomic_fetch_add_explicit(&use->state->inflight, 1, memory_order_relaxed);
    x->has_place = false; /* from here on it is the try's */
    atomic_fetch_add_explicit(&use->states[endpoint]->inflight, 1, memory_order_relaxed);
    set_host(x);
    init_stream(x);
    return GW_OK;
}

/* There is nobody, or the host has named somebody who is not there. */
static void refuse(struct gw_exchange *x, bool is_nobody)
{
    if (!is_nobody) {
        gw_misuse_note(x->of->links->misuse, GW_MISUSE_CHOICE_UNKNOWN);
        gw_exchange_fail(x, GW_BY_HOST, GW_REASON_bad_choice, GW_EINVAL);
    } else if (x->guards != NULL) {
        gw_guards_refuse_all(x);
    } else {
        gw_exchange_fail(x, GW_BY_GATEWAY, GW_REASON_no_endpoint, GW_EUNKNOWN);
    }
}

/* Chooses, and readies the request for it. */
static bool pick(struct gw_exchange *x)
{
    uint32_t i;

    if (x->guards == NULL)
        x->guards = gw_guards_of(x);
    if (GW_UNLIKELY(x->guards != NULL) && !gw_guards_admit(x))
        return false;
    i = gw_exchange_choose(x);
    if (i >= gw_exchange_use(x)->endpoints->len) {
        refuse(x, i == UINT32_MAX);
        return false;
    }
    x->endpoint = &gw_exchange_use(x)->endpoints->list[i];
    if (begin_try(x, i) != GW_OK) {
        gw_exchange_fail(x, GW_BY_GATEWAY, GW_REASON_no_memory, GW_ENOMEM);
        return false;
    }
    x->is_picked = true;
    return true;
}

static void wait_for_stream(struct gw_exchange *x)
{
    struct gw_upstream *u = gw_binding_upstream(x->binding, x->of->upstreams, x->cluster,
                                                x->endpoint->index);

    x->is_picked = false;
    if (u == NULL) {
        gw_exchange_fail(x, GW_BY_GATEWAY, GW_REASON_no_memory, GW_ENOMEM);
        return;
    }
    x->up.request_method = x->request.method;
    x->waited = x->of->links->now;
    x->waiter.stream = &x->up;
    x->waiter.gift = &x->up_reserve;
    x->waiter.prepare = prepare;
    x->waiter.done = done;
    x->waiter.status = GW_OK;
    x->waiter.fault = NULL;
    x->waiter.wants_fresh = x->tries > 1;
    gw_exchange_enter(x, GW_PHASE_CONNECT);
    gw_upstream_wait(u, &x->waiter);
    if (GW_UNLIKELY(x->guards != NULL) && gw_list_is_linked(&x->waiter.node))
        (void)gw_guards_wait(x);
}

void gw_exchange_pick(struct gw_exchange *x)
{
    enum gw_filter_result result = GW_FILTER_DONE;

    if (x->asked[GW_ASKED_REQUEST].is_waiting || x->is_backing_off || (!x->is_picked && !pick(x)))
        return;
    if (gw_filters_have(x, GW_HOOK_UPSTREAM))
        result = gw_filters_ask(x, GW_ASKED_REQUEST, GW_HOOK_UPSTREAM);
    if (result == GW_FILTER_DONE)
        wait_for_stream(x);
    else
        gw_filters_obey(x, result);
}

/* ---- what it says ---- */

/* 1xx go on to who can read them; 101 comes as the final head (RFC 9110 15.2). */
static void pass_info(struct gw_exchange *x)
{
    struct gw_message **at = &x->down.out_info;

    if (!x->down.is_http10 && x->phase == GW_PHASE_AWAIT) {
        while (*at != NULL)
            at = &(*at)->next;
        *at = x->up.info;
        for (struct gw_message *m = x->up.info; m != NULL; m = m->next)
            if (gw_hop_strip(m) != GW_OK)
                m->fields.count = 0; /* benign: a 1xx without its fields */
        gw_link_advance(x->down_link, &x->down);
    }
    x->has_info = true;
    x->up.info = NULL;
}

static void upstream_cut(struct gw_exchange *x)
{
    enum gw_reason_id reason = (enum gw_reason_id)x->up.fault;

    if (x->is_response_whole)
        return; /* it has answered, and wants no more of the request */
    if (x->up_link->is_aborted) {
        gw_exchange_fail(x, GW_BY_HOST, GW_REASON_host_abort, GW_ECANCELED);
        return;
    }
    if (reason == GW_REASON_none)
        reason = GW_REASON_upstream_closed;
    if (x->has_response && reason == GW_REASON_upstream_closed)
        reason = GW_REASON_upstream_cut;
    if (!gw_exchange_retry(x, reason))
        gw_exchange_fail_cut(x, GW_BY_UPSTREAM, reason, x->up.by_peer ? GW_ERESET : GW_EPROTO);
}

void gw_exchange_connect(struct gw_exchange *x)
{
    enum gw_reason_id reason = (enum gw_reason_id)x->waiter.reason;

    if (x->waiter.status != GW_OK && !gw_exchange_retry(x, reason))
        gw_exchange_fail_cut(x, GW_BY_UPSTREAM, reason, x->waiter.status);
}

void gw_exchange_take_upstream_news(struct gw_exchange *x)
{
    uint32_t news = x->up.news;

    x->up.news = 0;
    if (x->is_failed || x->up.codec == NULL)
        return;
    if (GW_UNLIKELY(x->is_backing_off)) {
        gw_exchange_take_refusal_news(x, news);
        return;
    }
    if ((news & (GW_NEWS_HEAD | GW_NEWS_INFO | GW_NEWS_BODY)) != 0)
        x->upstream_in = x->of->links->now;
    if ((news & GW_NEWS_INFO) != 0)
        pass_info(x);
    if (GW_UNLIKELY(x->guards != NULL))
        gw_guards_hear(x, news);
    if ((news & GW_NEWS_END) != 0) {
        x->is_response_whole = true;
        gw_exchange_end_try(x);
    }
    if ((news & GW_NEWS_HEAD) != 0) {
        if (GW_UNLIKELY(gw_exchange_is_refusal(x)) && gw_exchange_retry_answer(x))
            return;
        x->has_response = true;
        if (GW_UNLIKELY(x->cluster->affinity != NULL))
            gw_affinity_tell(x);
        gw_relay_response(x);
    }
    if (x->is_failed)
        return;
    if ((news & GW_NEWS_ROOM) != 0) { /* request bytes went: the client may send more */
        x->upstream_out = x->of->links->now;
        gw_link_advance(x->down_link, &x->down);
    }
    if ((news & (GW_NEWS_BODY | GW_NEWS_END)) != 0)
        gw_link_advance(x->down_link, &x->down);
    if ((news & GW_NEWS_SENT) != 0)
        x->sent = x->of->links->now;
    if ((news & GW_NEWS_CUT) != 0)
        upstream_cut(x);
}
