/* exchange/reply.c: answers of the gateway's own: failures by the table of causes, `respond:` routes,
 * and what a hook said. In the shape that the client's protocol expects. */

#include <string.h>

#include "base/assert.h"
#include "exchange/exchange.h"
#include "grpc/status.h"
#include "http/check.h"

#define SECOND UINT64_C(1000000000)
#define MS (SECOND / 1000)

enum { GRPC_STATUS_DIGITS = 10 };

/* The response is ours: nobody else answers, and the request's body, if any is left, is dropped. */
static void become_local(struct gw_exchange *x)
{
    gw_exchange_leave_upstream(x, GW_H2_CANCEL);
    gw_exchange_claim(x);
    gw_filters_stop_waiting(x);
    x->is_local = true;
    x->is_response_whole = true;
    x->has_response = true;
    x->is_discarding = true;
    x->answered = x->of->links->now;
    x->response_pipe.is_ended = true;
    gw_pipe_skip(&x->request_pipe, gw_pipe_len(&x->request_pipe));
}

/* No filter is asked. */
static void send_reply(struct gw_exchange *x)
{
    become_local(x);
    gw_relay_send(x);
}

/* Not even the memory for an answer: the client's stream is cut. */
static void give_up(struct gw_exchange *x)
{
    x->is_failed = false;
    x->phase = GW_PHASE_RELAY; /* no second attempt at a reply */
    gw_exchange_fail(x, GW_BY_GATEWAY, GW_REASON_no_memory, GW_ENOMEM);
}

static void begin_response(struct gw_exchange *x, uint32_t code)
{
    gw_message_init(&x->response, GW_MESSAGE_RESPONSE, &x->arena, x->of->limits->fields_max);
    x->response.code = (uint16_t)code;
    x->response_trailers.fields.count = 0;
    x->is_answering = false;
    gw_show_end(x->shown_response);
    x->shown_response = NULL;
    x->response_out = &x->response_pipe;
    gw_pipe_fini(&x->response_pipe);
    gw_pipe_init(&x->response_pipe, x->of->links->pool, x->of->limits->pipe_bytes_max);
    x->response_pipe.is_host_source = x->is_origin_started; /* it may have kept the pipe */
    x->response_pipe.chain.reserve = &x->response_reserve;
}

static gw_status add_grpc_status(struct gw_exchange *x, struct gw_fields *fields, uint32_t status,
                                 gw_str text)
{
    char digits[GRPC_STATUS_DIGITS + GW_U64_TEXT_MAX];
    gw_str number = { digits, gw_format_u64(status, digits) }, message;
    gw_status result = gw_arena_copy(&x->arena, number, &number);

    if (result == GW_OK)
        result = gw_fields_add(fields, GW_FIELD_GRPC_STATUS, GW_STR("grpc-status"), number);
    if (result != GW_OK || text.len == 0)
        return result;
    result = gw_grpc_message_encode(&x->arena, text, &message);
    if (result != GW_OK)
        return result;
    return gw_fields_add(fields, GW_FIELD_GRPC_MESSAGE, GW_STR("grpc-message"), message);
}

/* When to come again; 0: nobody knows. What was short may be there again soon (RFC 9110 15.6.4). */
static gw_nanos wait_of(const struct gw_exchange *x)
{
    uint32_t reason = x->cause.reason;
    bool is_shut = reason == GW_REASON_breaker_open || reason == GW_REASON_forced_out;

    if (x->is_failed && reason == GW_REASON_no_memory)
        return SECOND;
    return x->is_failed && is_shut && x->refused_until != GW_NEVER
               ? x->refused_until - x->of->links->now
               : 0;
}

/* Benign if there is no room to say it. */
static void tell_when(struct gw_exchange *x, gw_str name, gw_nanos unit)
{
    char digits[GW_U64_TEXT_MAX];
    gw_nanos wait = wait_of(x);
    gw_str number = { digits, gw_format_u64((wait + unit - 1) / unit, digits) };

    if (wait > 0)
        (void)!gw_fields_add_copy(&x->response.fields, name, number);
}

/* Trailers-only: one head that ends the stream. */
static bool make_grpc(struct gw_exchange *x, uint32_t status, gw_str text)
{
    begin_response(x, 200);
    x->response.body = GW_BODY_NONE;
    tell_when(x, GW_STR("grpc-retry-pushback-ms"), MS);
    if (gw_fields_add(&x->response.fields, GW_FIELD_CONTENT_TYPE, GW_STR("content-type"),
                      GW_STR("application/grpc")) == GW_OK &&
        add_grpc_status(x, &x->response.fields, status, text) == GW_OK)
        return true;
    give_up(x);
    return false;
}

/* Head fields of a body of len bytes; *has_body: it is sent (not for HEAD, 204, 304). */
static gw_status add_body_fields(struct gw_exchange *x, gw_str type, size_t len, bool *has_body)
{
    *has_body = gw_response_has_body((enum gw_method)x->request.method, x->response.code);
    x->response.body = GW_BODY_LENGTH;
    x->response.length = len;
    if (!*has_body && x->request.method != GW_METHOD_HEAD)
        x->response.body = GW_BODY_NONE;
    if (len == 0 || x->response.body == GW_BODY_NONE)
        return GW_OK;
    return gw_fields_add_copy(&x->response.fields, GW_STR("Content-Type"), type);
}

static bool make_http(struct gw_exchange *x, uint32_t code, gw_str type, gw_str body)
{
    bool has_body;

    begin_response(x, code);
    tell_when(x, GW_STR("Retry-After"), SECOND);
    if (add_body_fields(x, type, body.len, &has_body) == GW_OK &&
        (!has_body || gw_pipe_put(&x->response_pipe, body.ptr, body.len) == body.len))
        return true;
    give_up(x);
    return false;
}

/* "STATUS REASON\nCAUSE\n": no detail of what lies behind the gateway, but why it could not be secured: who
 * reads that has seldom a log to read. */
static bool make_page(struct gw_exchange *x, uint32_t code, const char *cause)
{
    char page[400];
    struct gw_text text;

    gw_text_init(&text, page, sizeof page);
    gw_text_u64(&text, code);
    gw_text_cstr(&text, " ");
    gw_text_cstr(&text, gw_code_phrase(code));
    gw_text_cstr(&text, "\n");
    gw_text_cstr(&text, cause);
    gw_text_cstr(&text, "\n");
    if (x->waiter.fault != NULL) {
        gw_text_cstr(&text, x->waiter.fault);
        gw_text_cstr(&text, "\n");
    }
    return make_http(x, code, GW_STR("text/plain"), gw_cstr(page));
}

static gw_str message_of(struct gw_exchange *x, const gw_reason *row)
{
    char line[400];
    struct gw_text text;
    gw_str message;

    if (x->waiter.fault == NULL)
        return gw_cstr(row->text);
    gw_text_init(&text, line, sizeof line);
    gw_text_cstr(&text, row->text);
    gw_text_cstr(&text, ": ");
    gw_text_cstr(&text, x->waiter.fault);
    return gw_arena_copy(&x->arena, gw_cstr(line), &message) == GW_OK ? message
                                                                      : gw_cstr(row->text);
}

void gw_reply_reason(struct gw_exchange *x, enum gw_reason_id reason)
{
    gw_reason row = GW_SPEC(gw_reason);

    if (gw_reason_of(reason, &row) != GW_OK || row.http_code == 0) {
        give_up(x);
        return;
    }
    if (reason == GW_REASON_limited)
        gw_limit_row(x, &row);
    if (x->kind == GW_EXCHANGE_GRPC ? make_grpc(x, row.grpc_status, message_of(x, &row))
                                    : make_page(x, row.http_code, row.name))
        send_reply(x);
}

/* ---- that filters are asked about ---- */

void gw_reply_configured(struct gw_exchange *x, uint32_t code, gw_str type, gw_str body)
{
    if (x->kind == GW_EXCHANGE_GRPC
            ? !make_grpc(x, gw_grpc_of_http(code), gw_cstr(gw_code_phrase(code)))
            : !make_http(x, code, type, body))
        return;
    become_local(x);
    gw_relay_answer(x, x->binding->config->filters_len);
}

/* Before there is another one; or in its place, as long as none of that has gone down. */
bool gw_reply_may(const struct gw_exchange *x, enum gw_hook hook)
{
    switch (hook) {
    case GW_HOOK_REQUEST:
    case GW_HOOK_ROUTE:
    case GW_HOOK_UPSTREAM:
    case GW_HOOK_REQUEST_BODY:
    case GW_HOOK_REQUEST_END:
        return !x->has_response && !x->is_failed && x->phase < GW_PHASE_RELAY;
    case GW_HOOK_RESPONSE:
    case GW_HOOK_RESPONSE_BODY:
    case GW_HOOK_RESPONSE_END:
        return x->is_answering && !x->is_failed;
    case GW_HOOK_NONE:
    case GW_HOOK_ORIGIN:
    case GW_HOOK_CALL:
    case GW_HOOK_LATE:
    case GW_HOOK_END:
    case GW_HOOK_COUNT:
        break;
    }
    return false;
}

/* Where the pointer to it is; the last one's next if there is none. */
static struct gw_reply_text **find(struct gw_reply_text **at, enum gw_asked_id who, uint32_t filter)
{
    while (*at != NULL && ((*at)->who != who || (*at)->filter != filter))
        at = &(*at)->next;
    return at;
}

struct gw_reply_text *gw_reply_of(const struct gw_exchange *x, enum gw_asked_id who,
                                  uint32_t filter)
{
    struct gw_reply_text *first = x->reply;

    return *find(&first, who, filter);
}

static void drop(struct gw_reply_text **at)
{
    gw_chain_clear(&(*at)->body);
    *at = (*at)->next;
}

void gw_reply_forget(struct gw_exchange *x, enum gw_asked_id who, uint32_t filter)
{
    struct gw_reply_text **at;

    if (gw_exchange_is_to_serve(x) && who == GW_ASKED_REQUEST && x->served->filter == filter)
        x->served = NULL;
    if (x->reply == NULL)
        return;
    at = find(&x->reply, who, filter);
    if (*at != NULL)
        drop(at);
}

void gw_reply_forget_all(struct gw_exchange *x)
{
    while (x->reply != NULL)
        drop(&x->reply);
}

/* The head is the host's own, with the fields that it has added. */
static bool make_host(struct gw_exchange *x, struct gw_reply_text *r)
{
    size_t len = r->body.len;
    bool has_body;

    begin_response(x, r->head.code);
    x->response.fields = r->head.fields;
    gw_chain_move_all(&x->response_pipe.chain, &r->body);
    x->response_pipe.bytes_in = len;
    if (add_body_fields(x, r->type, len, &has_body) != GW_OK) {
        give_up(x);
        return false;
    }
    if (!has_body)
        gw_chain_clear(&x->response_pipe.chain);
    return true;
}

bool gw_reply_adopt(struct gw_exchange *x, enum gw_asked_id who, uint32_t filter)
{
    struct gw_reply_text *r = gw_reply_of(x, who, filter);
    uint32_t status = r->grpc_status == 0 ? gw_grpc_of_http(r->code) : r->grpc_status;
    bool is_made;

    /* The hook may have made it one after gw_exchange_reply had looked. */
    if (x->request.method == GW_METHOD_CONNECT && r->head.code / 100 == 2) {
        gw_exchange_fail(x, GW_BY_HOST, GW_REASON_host_abort, GW_EINVAL);
        return false;
    }
    if (x->kind == GW_EXCHANGE_GRPC)
        is_made = make_grpc(x, status == GW_OFF ? 0 : status, r->grpc_message);
    else
        is_made = make_host(x, r);
    gw_reply_forget_all(x); /* others come too late */
    if (is_made)
        become_local(x);
    return is_made;
}

void gw_reply_continue(struct gw_exchange *x)
{
    if (x->infos > 0 || x->request_pipe.bytes_in > 0 ||
        gw_fields_find(&x->request.fields, GW_FIELD_EXPECT) == NULL)
        return;
    /* Benign without memory: the client goes on after a while. */
    if (gw_origin_inform(x, 100) != NULL)
        gw_link_advance(x->down_link, &x->down);
}

/* ---- in the middle of a response ---- */

void gw_reply_grpc_end(struct gw_exchange *x, enum gw_reason_id reason)
{
    gw_reason row = GW_SPEC(gw_reason);

    (void)!gw_reason_of(reason, &row);
    x->response_trailers.fields.count = 0;
    if (add_grpc_status(x, &x->response_trailers.fields, row.grpc_status, gw_cstr(row.text)) !=
        GW_OK) {
        gw_link_reset(x->down_link, &x->down, GW_H2_INTERNAL_ERROR);
        gw_exchange_finish(x);
        return;
    }
    x->is_discarding = true;
    x->is_response_whole = true;
    x->response_out->is_ended = true;
    gw_link_advance(x->down_link, &x->down);
}
