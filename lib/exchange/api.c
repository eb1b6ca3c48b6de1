/* exchange/api.c: what a hook may ask of an exchange: the public calls of gw/exchange.h. */

#include <string.h>

#include "base/spec.h"
#include "exchange/exchange.h"
#include "http/check.h"

static const char *const phase_names[GW_PHASE_COUNT] = {
#define PHASE_NAME(id, name, after) name,
    GW_PHASES(PHASE_NAME)
#undef PHASE_NAME
};

const char *gw_phase_name(uint32_t phase)
{
    return phase < GW_PHASE_COUNT ? phase_names[phase] : "unknown";
}

const char *gw_by_name(uint32_t by)
{
    static const char *const names[] = { "none", "client", "upstream", "gateway", "host" };

    return by < sizeof names / sizeof *names ? names[by] : "unknown";
}

static uint32_t grpc_status_of(const struct gw_exchange *x)
{
    const struct gw_field *field = gw_fields_find(&x->response_trailers.fields,
                                                  GW_FIELD_GRPC_STATUS);
    uint64_t n;

    if (x->kind != GW_EXCHANGE_GRPC)
        return GW_OFF;
    if (field == NULL)
        field = gw_fields_find(&x->response.fields, GW_FIELD_GRPC_STATUS);
    if (field == NULL || gw_parse_u64(field->value, &n) != GW_OK || n >= GW_OFF)
        return GW_OFF;
    return (uint32_t)n;
}

gw_status gw_exchange_get_info(const gw_exchange *x, gw_exchange_info *out)
{
    gw_exchange_info own = GW_SPEC(gw_exchange_info);

    if (x == NULL || out == NULL)
        return GW_EINVAL;
    own.kind = x->kind;
    own.client_protocol = x->down_link->protocol;
    own.upstream_protocol = x->upstream_protocol;
    own.code = x->code;
    own.grpc_status = grpc_status_of(x);
    own.listener = x->listener->name;
    if (x->route != NULL)
        own.route = x->route->name;
    if (x->cluster != NULL)
        own.cluster = x->cluster->name;
    if (x->endpoint != NULL)
        own.endpoint = x->endpoint->name;
    own.peer = gw_link_peer(x->down_link);
    own.started = x->started;
    own.routed = x->routed;
    own.sent = x->sent;
    own.answered = x->answered;
    own.ended = x->ended;
    own.request_bytes = x->request_pipe.bytes_in;
    own.response_bytes = x->response_pipe.bytes_out;
    return gw_spec_fill(out, &own, sizeof own);
}

gw_exchange_id gw_exchange_get_id(const gw_exchange *x)
{
    return x->id;
}

gw_worker *gw_exchange_worker(const gw_exchange *x)
{
    return x->of->links->worker;
}

gw_link *gw_exchange_link(const gw_exchange *x)
{
    return x->down_link;
}

gw_cause gw_exchange_cause(const gw_exchange *x)
{
    return x->cause;
}

gw_message *gw_exchange_request(gw_exchange *x)
{
    return &x->request;
}

gw_message *gw_exchange_response(gw_exchange *x)
{
    return x->has_response || x->is_replied ? &x->response : NULL;
}

gw_message *gw_exchange_trailers(gw_exchange *x, uint32_t side)
{
    return side == GW_SIDE_REQUEST ? &x->request_trailers : &x->response_trailers;
}

void *gw_exchange_memory(const gw_exchange *x)
{
    return x->hook_memory;
}

void *gw_exchange_alloc(gw_exchange *x, size_t len)
{
    return gw_exchange_take_memory(x, len);
}

void *gw_exchange_route_user(const gw_exchange *x)
{
    return x->route != NULL ? x->route->user : NULL;
}

static bool is_final_code(uint32_t code)
{
    return code >= 200 && code <= 599;
}

gw_status gw_exchange_reply(gw_exchange *x, const gw_reply *reply)
{
    gw_reply own = GW_SPEC(gw_reply);
    gw_status status;

    memset(&own, 0, sizeof own);
    status = gw_spec_copy(&own, sizeof own, reply);
    if (status != GW_OK)
        return status;
    if (own.code == 0)
        own.code = 500;
    if (!is_final_code(own.code) || (own.type.len > 0 && !gw_is_field_value(own.type)))
        return GW_EINVAL;
    if (own.body.len > x->of->limits->pipe_bytes_max)
        return GW_ELIMIT;
    if (!x->in_hook || x->phase != GW_PHASE_FILTER)
        return GW_ESTATE;
    if (own.type.len == 0)
        own.type = (gw_str){ "text/plain", 10 };
    x->reply.code = own.code;
    x->reply.grpc_status = own.grpc_status;
    if ((status = gw_arena_copy(&x->arena, own.type, &x->reply.type)) != GW_OK ||
        (status = gw_arena_copy(&x->arena, own.grpc_message, &x->reply.grpc_message)) != GW_OK)
        return status;
    gw_message_init(&x->response, GW_MESSAGE_RESPONSE, &x->arena, x->of->limits->fields_max);
    x->response.code = (uint16_t)own.code;
    gw_chain_clear(&x->response_pipe.chain);
    status = gw_chain_write(&x->response_pipe.chain, own.body.ptr, own.body.len);
    x->reply.body_len = own.body.len;
    x->is_replied = status == GW_OK;
    return status;
}

gw_status gw_exchange_respond(gw_exchange *x, uint32_t code)
{
    if (!is_final_code(code))
        return GW_EINVAL;
    if (!x->in_hook || !x->is_origin_started || x->has_response || x->phase != GW_PHASE_AWAIT)
        return GW_ESTATE;
    gw_message_init(&x->response, GW_MESSAGE_RESPONSE, &x->arena, x->of->limits->fields_max);
    x->response.code = (uint16_t)code;
    x->response.body = gw_response_has_body((enum gw_method)x->request.method, code)
                           ? GW_BODY_UNKNOWN
                           : GW_BODY_NONE;
    x->has_response = true;
    return GW_OK;
}

gw_ticket gw_exchange_wait(gw_exchange *x)
{
    gw_ticket ticket = { x->of->links->worker, UINT32_MAX, 0 };

    if (!x->in_hook || x->phase == GW_PHASE_END)
        return ticket;
    if (x->wait == NULL)
        x->wait = gw_wait_arm(&x->of->waits, x);
    if (x->wait == NULL)
        return ticket;
    ticket.slot = x->wait->slot;
    ticket.turn = gw_wait_turn(x->wait);
    return ticket;
}
