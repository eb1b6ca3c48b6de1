/* exchange/retry.c: may a failed try be followed by another, and the way back to picking. The rules
 * and where they come from: docs/retries.md.
 *
 * Nothing is sent twice that may have been processed, but for what HTTP lets be repeated: a request
 * with an idempotent method on a connection that had served others and closed without a word.
 *
 * A short body is copied as it comes: that of a gRPC call has mostly left with its head when the call is
 * refused. */

#include <string.h>

#include "base/assert.h"
#include "exchange/exchange.h"

/* Of a body; but not more than its pipe may hold, nor much of the arena's block. */
enum { KEPT_MAX = 4096, KEPT_FIRST = 256 };

bool gw_exchange_has_tried(const struct gw_exchange *x, uint32_t endpoint)
{
    for (uint32_t i = 0; i < x->tries; i++)
        if (x->tried[i] == endpoint)
            return true;
    return false;
}

/* No connection, so nothing was sent. Where all else stays the same it would fail again. */
static bool may_go_elsewhere(const struct gw_exchange *x, enum gw_reason_id reason)
{
    const struct gw_endpoints *e = gw_exchange_use(x)->endpoints;

    if (reason != GW_REASON_upstream_connect_refused && reason != GW_REASON_upstream_unreachable &&
        reason != GW_REASON_upstream_connect_timeout)
        return false;
    for (uint32_t i = 0; i < e->len; i++)
        if (e->list[i].weight > 0 && !gw_exchange_has_tried(x, i) && gw_guards_may(x, i))
            return true;
    return false;
}

/* The race of keep-alive: the request met a connection that its upstream had just given up. What a
 * new connection answers by closing is no such race (RFC 9110 9.2.2, RFC 9112 9.3.1). */
static bool may_be_repeated(const struct gw_exchange *x)
{
    return gw_method_is_idempotent((enum gw_method)x->request.method) && x->up_link->requests > 1 &&
           x->up.is_silent;
}

/* ---- what has left ---- */

static size_t kept_max(const struct gw_exchange *x)
{
    size_t max = x->of->limits->block_bytes / 4;

    max = max < KEPT_MAX ? max : KEPT_MAX;
    return max < x->request_out->size ? max : x->request_out->size;
}

static bool has_room(struct gw_exchange *x, size_t len)
{
    size_t room = len <= KEPT_FIRST ? KEPT_FIRST : kept_max(x);
    char *at;

    if (len <= x->kept.room)
        return true;
    at = gw_arena_alloc(&x->arena, room);
    if (at == NULL)
        return false;
    if (x->kept.len > 0)
        memcpy(at, x->kept.at, x->kept.len);
    x->kept.at = at;
    x->kept.room = (uint32_t)room;
    return true;
}

static bool is_kept_wanted(const struct gw_exchange *x)
{
    return x->route->retries > 0 && x->request.body != GW_BODY_TUNNEL && !x->has_response &&
           (x->request.body != GW_BODY_LENGTH || x->request.length <= kept_max(x));
}

void gw_exchange_keep(struct gw_exchange *x)
{
    const struct gw_pipe *p = x->request_out;
    uint64_t whole = p->bytes_in, from = x->kept.len;

    if (x->kept.is_over || whole == from)
        return;
    if (!is_kept_wanted(x) || gw_pipe_at(p) > from || whole > kept_max(x) ||
        !has_room(x, (size_t)whole)) {
        x->kept.is_over = true;
        return;
    }
    (void)gw_chain_read(&p->chain, (size_t)(from - gw_pipe_at(p)), x->kept.at + from,
                        (size_t)(whole - from));
    x->kept.len = (uint32_t)whole;
}

/* All that was sent can be sent again. */
static bool is_replayable(const struct gw_exchange *x)
{
    uint64_t left = gw_pipe_at(x->request_out);

    return !x->has_response && !x->has_info && (left == 0 || left <= x->kept.len);
}

static bool put_back(struct gw_exchange *x)
{
    size_t len = (size_t)gw_pipe_at(x->request_out);

    return len == 0 || gw_pipe_put_back(x->request_out, x->kept.at, len) == GW_OK;
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

static bool may_retry(struct gw_exchange *x, enum gw_reason_id reason)
{
    if (x->tries == 0 || x->tries > x->route->retries || x->is_retry_forbidden ||
        x->is_answering) /* there may be no route yet */
        return false;
    if (x->phase == GW_PHASE_CONNECT)
        return may_go_elsewhere(x, reason);
    return x->phase == GW_PHASE_AWAIT && is_replayable(x) &&
           (x->up.is_refused || may_be_repeated(x)) && has_budget(x) && put_back(x);
}

void gw_exchange_start_over(struct gw_exchange *x)
{
    gw_exchange_leave_upstream(x, GW_H2_CANCEL);
    x->up_link = NULL;
    x->request.has_left = false; /* on_upstream may say something else to the next */
    x->upstream_protocol = 0;
    gw_message_init(&x->response, GW_MESSAGE_RESPONSE, &x->arena, x->of->limits->fields_max);
    gw_message_init(&x->response_trailers, GW_MESSAGE_TRAILERS, &x->arena,
                    x->of->limits->fields_max);
    gw_pipe_reset(&x->response_pipe);
    gw_exchange_enter(x, GW_PHASE_PICK);
}

bool gw_exchange_retry(struct gw_exchange *x, enum gw_reason_id reason)
{
    bool is_guarded = gw_exchange_guards(x) != NULL;

    if (GW_UNLIKELY(is_guarded))
        gw_guards_blame(x, reason);
    if (!may_retry(x, reason) || (GW_UNLIKELY(is_guarded) && !gw_guards_retry(x)))
        return false;
    gw_stats_add(x->of->stats, GW_STAT_RETRIES, 1);
    gw_exchange_log(x, GW_LOG_INFO, "exchange.retried",
                    (gw_cause){ GW_BY_UPSTREAM, x->phase, reason, GW_OK });
    gw_exchange_start_over(x);
    return true;
}
