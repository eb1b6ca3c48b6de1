/* exchange/end.c: how an exchange fails and how it ends: one way for each, with a cause. */

#include "base/assert.h"
#include "exchange/exchange.h"

void gw_exchange_leave_upstream(struct gw_exchange *x, uint32_t h2_code)
{
    gw_upstream_cancel(&x->waiter);
    if (GW_UNLIKELY(x->is_pending))
        gw_guards_wait_no_more(x);
    gw_exchange_end_try(x);
    if (x->up.codec == NULL)
        return;
    if (x->up.out < GW_HALF_DONE || x->up.in < GW_HALF_DONE)
        gw_link_reset(x->up_link, &x->up, h2_code);
    gw_link_detach(x->up_link, &x->up);
    x->up.news = 0;
}

/* One line for people: "upstream/connect/upstream_connect_refused: cluster web, endpoint b:80", and
 * what a peer that reset the stream said why. What clients do is told only to who asks for much. */
void gw_exchange_log(const struct gw_exchange *x, uint32_t level, const char *event, gw_cause cause)
{
    const struct gw_stream *s = x->cause.by == GW_BY_CLIENT ? &x->down : &x->up;
    gw_reason row = GW_SPEC(gw_reason);
    char line[GW_LOG_LINE_MAX];
    struct gw_text text;

    if (!gw_log_wants(x->of->log, level) || gw_reason_of(cause.reason, &row) != GW_OK)
        return;
    gw_text_init(&text, line, sizeof line);
    gw_text_cstr(&text, gw_by_name(cause.by));
    gw_text_cstr(&text, "/");
    gw_text_cstr(&text, gw_phase_name(cause.phase));
    gw_text_cstr(&text, "/");
    gw_text_cstr(&text, row.name);
    if (x->cluster != NULL && x->cluster->name.len > 0) {
        gw_text_cstr(&text, ": cluster ");
        gw_text_str(&text, x->cluster->name);
    }
    if (x->endpoint != NULL) {
        gw_text_cstr(&text, ", endpoint ");
        gw_text_str(&text, x->endpoint->name);
    }
    if (s->in == GW_HALF_CUT && s->by_peer && s->peer_code != 0) {
        gw_text_cstr(&text, ", HTTP/2 error ");
        gw_text_u64(&text, s->peer_code);
    }
    gw_log_line(x->of->log, x->of->links->now, level, event, line);
}

static void name_cause(struct gw_exchange *x, uint32_t by, enum gw_reason_id reason,
                       gw_status status)
{
    /* What clients do, or the host, or who asks too often: for who asks for much. */
    bool is_outside = by == GW_BY_CLIENT || by == GW_BY_HOST || reason == GW_REASON_limited;

    if (x->is_failed)
        return;
    x->is_failed = true;
    x->cause = (gw_cause){ by, x->phase, reason, status };
    gw_stats_add(x->of->stats, GW_STAT_EXCHANGES_FAILED, 1);
    gw_trace_event(x->of->trace, x->of->links->now, GW_TRACE_EXCHANGE_FAIL, x->id, by, reason);
    gw_exchange_log(x, is_outside ? GW_LOG_INFO : GW_LOG_WARN, "exchange.failed", x->cause);
}

/* Handed over, and not taken yet: filters see the first bytes of a body after that. */
static bool can_take_back(const struct gw_exchange *x)
{
    return x->down.out == GW_HALF_HEAD && (x->shown_response != NULL || x->shown_request != NULL);
}

/* Can the client still be told with a response of ours? */
static bool can_reply(const struct gw_exchange *x, enum gw_reason_id reason)
{
    gw_reason row = GW_SPEC(gw_reason);

    return gw_reason_of(reason, &row) == GW_OK && row.http_code != 0 && x->down.codec != NULL &&
           !x->down_link->is_lost &&
           ((x->down.out == GW_HALF_IDLE && x->phase < GW_PHASE_RELAY) || can_take_back(x));
}

/* A gRPC response that has begun can still end with a status of ours (the message that is cut is
 * not whole, and the client sees why). A client that set a deadline still listens. */
static bool can_end_grpc(const struct gw_exchange *x)
{
    bool is_heard = x->cause.by != GW_BY_CLIENT || x->cause.reason == GW_REASON_grpc_deadline;

    return x->kind == GW_EXCHANGE_GRPC && is_heard && x->down.codec != NULL &&
           (x->down.out == GW_HALF_BODY || x->down.out == GW_HALF_HEAD) && !x->is_local &&
           !x->down_link->is_lost && !x->response_out->is_ended &&
           x->response.body == GW_BODY_UNKNOWN && x->down_link->protocol == GW_PROTO_H2;
}

void gw_exchange_fail(struct gw_exchange *x, uint32_t by, enum gw_reason_id reason,
                      gw_status status)
{
    if (x->phase == GW_PHASE_END)
        return;
    if (x->is_failed) { /* the farewell failed too */
        gw_exchange_finish(x);
        return;
    }
    if (GW_UNLIKELY(gw_exchange_guards(x) != NULL))
        gw_guards_blame(x, reason);
    name_cause(x, by, reason, status);
    gw_exchange_leave_upstream(x, by == GW_BY_CLIENT ? GW_H2_CANCEL : gw_reason_h2_code(reason));
    gw_filters_stop_waiting(x);
    if (can_reply(x, reason)) {
        x->down.out = GW_HALF_IDLE;
        gw_reply_reason(x, reason);
        return;
    }
    if (can_end_grpc(x)) {
        gw_reply_grpc_end(x, reason);
        return;
    }
    gw_pipe_cut(&x->response_pipe);
    gw_pipe_cut(x->response_out);
    if (x->down.codec != NULL && !x->down_link->is_lost)
        gw_link_reset(x->down_link, &x->down, gw_reason_h2_code(reason));
    gw_exchange_finish(x);
}

/* What only the gateway itself can have done, on whichever side it happened. */
static bool is_own_fault(enum gw_reason_id reason)
{
    return reason == GW_REASON_no_memory || reason == GW_REASON_internal ||
           reason == GW_REASON_not_representable;
}

void gw_exchange_fail_cut(struct gw_exchange *x, uint32_t peer, enum gw_reason_id reason,
                          gw_status status)
{
    if (!is_own_fault(reason))
        gw_exchange_fail(x, peer, reason, status);
    else
        gw_exchange_fail(x, GW_BY_GATEWAY, reason,
                         reason == GW_REASON_no_memory ? GW_ENOMEM : GW_EPROTO);
}

static void let_go(struct gw_exchange *x)
{
    x->ended = x->of->links->now;
    gw_exchange_leave_upstream(x, GW_H2_CANCEL);
    if (x->limits != NULL)
        gw_limit_leave(x);
    if (GW_UNLIKELY(x->is_split))
        gw_split_count(x);
    if (GW_UNLIKELY(gw_exchange_guards(x) != NULL))
        gw_guards_let_go(x);
    gw_filters_end(x);
    if (x->down.codec != NULL)
        gw_link_detach(x->down_link, &x->down);
    gw_trace_event(x->of->trace, x->of->links->now, GW_TRACE_EXCHANGE_END, x->id, x->cause.reason,
                   x->code);
    if (x->of->recorder.len > 0)
        gw_recorder_note(&x->of->recorder, x);
    gw_list_remove(&x->run);
    gw_list_remove(&x->all);
    gw_list_push_back(&x->of->dead, &x->all);
}

/* An answer that was taken from another thread must reach on_resume before on_end. */
static bool are_tickets_void(struct gw_exchange *x)
{
    bool are_void = true;

    for (int i = 0; i < GW_ASKED_COUNT; i++) {
        struct gw_asked *asked = &x->asked[i];
        if (asked->wait == NULL)
            continue;
        if (gw_wait_disarm(&x->of->waits, asked->wait))
            asked->wait = NULL;
        else
            are_void = false;
    }
    return are_void;
}

void gw_exchange_finish(struct gw_exchange *x)
{
    if (x->is_over)
        return;
    if (x->phase != GW_PHASE_END)
        gw_exchange_enter(x, GW_PHASE_END);
    if (!are_tickets_void(x))
        return;
    x->is_over = true;
    let_go(x);
}
