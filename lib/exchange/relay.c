/* exchange/relay.c: heads and bodies between the client and whoever answers. Bytes are moved by the
 * codecs; here it is decided that they may, and each side is told of the other's progress. */

#include "base/assert.h"
#include "exchange/exchange.h"
#include "http/hop.h"

/* Both sides become a pipe of bytes: Upgrade (RFC 9110 7.8) or CONNECT (9.3.6). */
static void begin_tunnel(struct gw_exchange *x)
{
    x->kind = GW_EXCHANGE_TUNNEL;
    x->down.is_tunnel = true;
    x->up.is_tunnel = true;
    if (x->up.codec != NULL)
        gw_link_advance(x->up_link, &x->up);
}

static bool is_tunnel_head(const struct gw_exchange *x)
{
    return x->response.code == 101 ||
           (x->request.method == GW_METHOD_CONNECT && x->response.code / 100 == 2);
}

/* It is the client's from here on. */
void gw_relay_send(struct gw_exchange *x)
{
    if (x->limits != NULL)
        gw_limit_tell(x);
    x->is_answering = false;
    x->client_out = x->of->links->now;
    x->code = x->response.code;
    x->down.out_head = &x->response;
    x->down.out_trailers = &x->response_trailers;
    x->down.out_pipe = x->response_out;
    if (x->response.body == GW_BODY_TUNNEL)
        begin_tunnel(x);
    x->response.has_left = true;
    x->down.out = GW_HALF_HEAD;
    if (GW_LIKELY(x->phase != GW_PHASE_RELAY)) /* else another one was taken back */
        gw_exchange_enter(x, GW_PHASE_RELAY);
    gw_link_advance(x->down_link, &x->down);
}

static bool are_bodies_seen(const struct gw_exchange *x)
{
    return gw_filters_have(x, GW_HOOK_RESPONSE_BODY) || gw_filters_have(x, GW_HOOK_RESPONSE_END);
}

/* Its body is seen; the head waits for it if somebody says so. */
static void begin_shown(struct gw_exchange *x)
{
    switch ((int)gw_show_begin(x, GW_SIDE_RESPONSE)) {
    case GW_OK:
        break;
    case GW_ELIMIT:
        gw_exchange_fail(x, GW_BY_HOST, GW_REASON_filter_full, GW_ELIMIT);
        return;
    default:
        gw_exchange_fail(x, GW_BY_GATEWAY, GW_REASON_no_memory, GW_ENOMEM);
        return;
    }
    x->is_answering = gw_show_is_held(x->shown_response);
    if (!x->is_answering)
        gw_relay_send(x);
}

/* Nobody has anything more to say about it. */
static void begin(struct gw_exchange *x)
{
    if (x->response.body != GW_BODY_TUNNEL && is_tunnel_head(x)) /* a hook made one of another */
        gw_exchange_fail(x, GW_BY_HOST, GW_REASON_host_abort, GW_EINVAL);
    else if (gw_hop_strip(&x->response) != GW_OK)
        gw_exchange_fail(x, GW_BY_GATEWAY, GW_REASON_no_memory, GW_ENOMEM);
    else if (x->response.body == GW_BODY_TUNNEL || !are_bodies_seen(x))
        gw_relay_send(x);
    else
        begin_shown(x);
}

void gw_relay_ask(struct gw_exchange *x)
{
    struct gw_asked *asked = &x->asked[GW_ASKED_RESPONSE];
    enum gw_filter_result result;

    if (asked->is_waiting)
        return;
    if (x->shown_response != NULL) { /* all were asked, and the body is held */
        if (!gw_show_is_held(x->shown_response))
            gw_relay_send(x);
        return;
    }
    /* Another answer in its place goes to those that are left: so this ends. */
    while ((result = gw_filters_ask(x, GW_ASKED_RESPONSE, GW_HOOK_RESPONSE)) == GW_FILTER_REPLY) {
        asked->at--;
        if (!gw_reply_adopt(x, GW_ASKED_RESPONSE, asked->at))
            return;
        x->seen_by = asked->at;
        x->is_answering = true; /* it is with them as well */
    }
    if (result == GW_FILTER_DONE)
        begin(x);
    else
        gw_filters_obey(x, result);
}

void gw_relay_answer(struct gw_exchange *x, uint32_t before)
{
    struct gw_asked *asked = &x->asked[GW_ASKED_RESPONSE];

    x->seen_by = (uint8_t)before;
    if (!gw_filters_have(x, GW_HOOK_RESPONSE)) {
        begin(x);
        return;
    }
    x->is_answering = true;
    asked->hook = GW_HOOK_RESPONSE;
    asked->at = (uint8_t)before;
    gw_relay_ask(x);
}

void gw_relay_response(struct gw_exchange *x)
{
    if (x->response.code == 101 && x->request.protocol.len == 0) {
        gw_exchange_fail(x, GW_BY_UPSTREAM, GW_REASON_upstream_bad_response, GW_EPROTO);
        return;
    }
    if (is_tunnel_head(x))
        x->response.body = GW_BODY_TUNNEL;
    x->answered = x->of->links->now;
    if (gw_filters_have(x, GW_HOOK_RESPONSE))
        gw_hop_unname(&x->response); /* else it could take off what they add */
    gw_relay_answer(x, x->served != NULL ? x->served->filter : x->binding->config->filters_len);
}

/* The request's body goes nowhere: it is taken and dropped, so that the client may read our answer. */
static void discard(struct gw_exchange *x)
{
    size_t len = gw_pipe_len(&x->request_pipe);

    if (len == 0)
        return;
    gw_pipe_skip(&x->request_pipe, len);
    gw_link_advance(x->down_link, &x->down);
}

static bool is_body_too_large(const struct gw_exchange *x)
{
    uint64_t max = x->of->limits->body_bytes_max;

    return max > 0 && x->request_pipe.bytes_in > max && x->kind != GW_EXCHANGE_TUNNEL &&
           x->call == NULL;
}

static void send_on(struct gw_exchange *x)
{
    gw_exchange_keep(x);
    gw_link_advance(x->up_link, &x->up);
}

void gw_relay_down_news(struct gw_exchange *x, uint32_t news)
{
    gw_nanos now = x->of->links->now;

    if ((news & GW_NEWS_BODY) != 0) {
        x->client_in = now;
        if (!x->is_failed && is_body_too_large(x)) {
            gw_exchange_fail(x, GW_BY_CLIENT, GW_REASON_body_too_large, GW_ELIMIT);
            return;
        }
    }
    if ((news & (GW_NEWS_BODY | GW_NEWS_END)) != 0) {
        if (x->is_discarding)
            discard(x);
        else if (x->shown_request == NULL && x->up.codec != NULL)
            send_on(x);
        else if (x->shown_request == NULL && x->is_origin_started)
            x->wants_on_read = true;
    }
    if ((news & GW_NEWS_ROOM) != 0) {
        x->client_out = now;
        if (x->shown_response == NULL && x->up.codec != NULL)
            gw_link_advance(x->up_link, &x->up);
        else if (x->shown_response == NULL && x->is_origin_started && x->was_pipe_full)
            x->wants_on_write = true;
    }
    if ((news & GW_NEWS_SENT) != 0) {
        x->is_down_sent = true;
        x->response_trailers.has_left = 1;
    }
}

void gw_relay_settle(struct gw_exchange *x)
{
    if (gw_pipe_len(&x->request_pipe) > 0)
        gw_chain_settle(&x->request_pipe.chain);
    if (gw_pipe_len(&x->response_pipe) > 0)
        gw_chain_settle(&x->response_pipe.chain);
    gw_show_settle(x->shown_request);
    gw_show_settle(x->shown_response);
}
