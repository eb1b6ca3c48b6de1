/* exchange/api.c: what a hook may ask of an exchange: the public calls of gw/exchange.h. */

#include <string.h>

#include "base/spec.h"
#include "exchange/exchange.h"
#include "exchange/hook.h"
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

static uint64_t unix_now(struct gw_exchanges *all)
{
    if (all->unix_now == 0)
        all->unix_now = all->env->unix_nanos(all->env->unix_ctx);
    return all->unix_now;
}

gw_status gw_exchange_get_info(const gw_exchange *x, gw_exchange_info *out)
{
    gw_exchange_info own = GW_SPEC(gw_exchange_info);

    if (!gw_exchange_is_valid(x))
        return GW_EINVAL;
    own.kind = x->kind;
    if (x->down_link != NULL) {
        own.client_protocol = x->down_link->protocol;
        own.peer = gw_link_peer(x->down_link);
        own.client = gw_identity_client(x);
    }
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
    own.retries = x->tries > 0 ? x->tries - 1u : 0;
    own.started = x->started;
    own.routed = x->routed;
    own.sent = x->sent;
    own.answered = x->answered;
    own.ended = x->ended;
    own.request_bytes = x->request_pipe.bytes_in;
    own.response_bytes = x->response_out->bytes_out;
    if (out != NULL && out->size > offsetof(gw_exchange_info, unix_now))
        own.unix_now = unix_now(x->of);
    return gw_spec_fill(out, &own, sizeof own);
}

gw_exchange_id gw_exchange_get_id(const gw_exchange *x)
{
    return gw_exchange_is_valid(x) ? x->id : 0;
}

gw_worker *gw_exchange_worker(const gw_exchange *x)
{
    return gw_exchange_is_valid(x) ? x->of->links->worker : NULL;
}

gw_link *gw_exchange_link(const gw_exchange *x)
{
    return gw_exchange_is_valid(x) ? x->down_link : NULL;
}

gw_cause gw_exchange_cause(const gw_exchange *x)
{
    return gw_exchange_is_valid(x) ? x->cause : (gw_cause){ 0, 0, 0, GW_EINVAL };
}

gw_message *gw_exchange_request(gw_exchange *x)
{
    return gw_exchange_is_valid(x) ? &x->request : NULL;
}

gw_message *gw_exchange_response(gw_exchange *x)
{
    if (!gw_exchange_is_valid(x))
        return NULL;
    if (x->reply != NULL && x->hook < GW_HOOK_LATE) {
        struct gw_reply_text *own = gw_reply_of(x, (enum gw_asked_id)x->hook_who, x->hook_at);
        if (own != NULL)
            return &own->head;
    }
    return x->has_response ? &x->response : NULL;
}

gw_message *gw_exchange_trailers(gw_exchange *x, uint32_t side)
{
    if (!gw_exchange_is_valid(x))
        return NULL;
    return side == GW_SIDE_REQUEST ? &x->request_trailers : &x->response_trailers;
}

void *gw_exchange_memory(const gw_exchange *x)
{
    return gw_exchange_is_valid(x) ? x->hook_memory : NULL;
}

void *gw_exchange_alloc(gw_exchange *x, size_t len)
{
    return gw_exchange_is_valid(x) ? gw_exchange_take_memory(x, len) : NULL;
}

void *gw_exchange_route_user(const gw_exchange *x)
{
    return gw_exchange_is_valid(x) && x->route != NULL ? x->route->user : NULL;
}

static bool is_final_code(uint32_t code)
{
    return code >= 200 && code <= 599;
}

/* A 2xx to CONNECT says that a tunnel follows (RFC 9110 9.3.6): nobody can send a body of ours then. */
static bool is_tunnel_code(const struct gw_exchange *x, uint32_t code)
{
    return x->request.method == GW_METHOD_CONNECT && code / 100 == 2;
}

static gw_status check_reply(const struct gw_exchange *x, const gw_reply *reply)
{
    bool is_text_missing = (reply->type.len > 0 && reply->type.ptr == NULL) ||
                           (reply->body.len > 0 && reply->body.ptr == NULL) ||
                           (reply->grpc_message.len > 0 && reply->grpc_message.ptr == NULL);

    if (is_text_missing || !is_final_code(reply->code) || is_tunnel_code(x, reply->code) ||
        (reply->type.len > 0 && !gw_is_field_value(reply->type)))
        return GW_EINVAL;
    if (reply->body.len > x->of->limits->pipe_bytes_max)
        return GW_ELIMIT;
    return gw_hook_is_in(x, GW_MISUSE_REPLY_OUTSIDE) && gw_reply_may(x, (enum gw_hook)x->hook)
               ? GW_OK
               : GW_ESTATE;
}

gw_status gw_exchange_reply(gw_exchange *x, const gw_reply *reply)
{
    gw_reply own = GW_SPEC(gw_reply);
    struct gw_reply_text *r;
    gw_status status;

    status = gw_spec_copy(&own, sizeof own, reply);
    if (status != GW_OK || !gw_exchange_is_valid(x))
        return GW_EINVAL;
    if (own.code == 0)
        own.code = 500;
    status = check_reply(x, &own);
    if (status != GW_OK)
        return status;
    if (own.type.len == 0)
        own.type = (gw_str){ "text/plain", 10 };
    r = gw_arena_alloc(&x->arena, sizeof *r);
    if (r == NULL)
        return GW_ENOMEM;
    r->who = x->hook_who;
    r->filter = x->hook_at;
    r->code = own.code;
    r->grpc_status = own.grpc_status;
    gw_message_init(&r->head, GW_MESSAGE_RESPONSE, &x->arena, x->of->limits->fields_max);
    r->head.code = (uint16_t)own.code;
    gw_chain_init(&r->body, x->of->links->pool);
    r->body.reserve = &x->response_reserve;
    if ((status = gw_arena_copy(&x->arena, own.type, &r->type)) != GW_OK ||
        (status = gw_arena_copy(&x->arena, own.grpc_message, &r->grpc_message)) != GW_OK)
        return status;
    status = gw_chain_write(&r->body, own.body.ptr, own.body.len);
    if (status != GW_OK)
        return status;
    gw_reply_forget(x, (enum gw_asked_id)x->hook_who, x->hook_at); /* the last one counts */
    r->next = x->reply;
    x->reply = r;
    return GW_OK;
}

/* A hook of its origin runs, and has not answered. */
static bool is_asked_to_respond(const struct gw_exchange *x)
{
    if (!gw_hook_is_in(x, GW_MISUSE_RESPOND_OUTSIDE) || x->hook != GW_HOOK_ORIGIN)
        return false;
    if (x->has_response)
        gw_misuse_note(x->of->links->misuse, GW_MISUSE_RESPOND_AGAIN);
    return !x->has_response && x->phase == GW_PHASE_AWAIT;
}

gw_status gw_exchange_respond(gw_exchange *x, uint32_t code)
{
    if (!gw_exchange_is_valid(x) || !is_final_code(code))
        return GW_EINVAL;
    if (!is_asked_to_respond(x))
        return GW_ESTATE;
    gw_message_init(&x->response, GW_MESSAGE_RESPONSE, &x->arena, x->of->limits->fields_max);
    x->response.code = (uint16_t)code;
    x->response.body = gw_response_has_body((enum gw_method)x->request.method, code)
                           ? GW_BODY_UNKNOWN
                           : GW_BODY_NONE;
    x->has_response = true;
    return GW_OK;
}

static bool may_serve(const struct gw_exchange *x)
{
    return (x->hook == GW_HOOK_REQUEST || x->hook == GW_HOOK_ROUTE) &&
           gw_reply_may(x, (enum gw_hook)x->hook);
}

gw_status gw_exchange_serve(gw_exchange *x, const gw_origin *origin)
{
    struct gw_served *served;

    if (!gw_exchange_is_valid(x))
        return GW_EINVAL;
    if (!gw_hook_is_in(x, GW_MISUSE_REPLY_OUTSIDE) || !may_serve(x))
        return GW_ESTATE;
    served = gw_arena_alloc(&x->arena, sizeof *served);
    if (served == NULL)
        return GW_ENOMEM;
    memset(served, 0, sizeof *served);
    if (gw_spec_copy(&served->origin, sizeof served->origin, origin) != GW_OK)
        return GW_EINVAL;
    served->filter = x->hook_at;
    served->origin.ctx = x->binding->config->filters[x->hook_at].ctx;
    gw_reply_forget(x, (enum gw_asked_id)x->hook_who, x->hook_at);
    x->served = served;
    return GW_OK;
}

gw_status gw_exchange_inform(gw_exchange *x, uint32_t code, gw_message **out)
{
    struct gw_message *m;

    if (!gw_exchange_is_valid(x) || code < 100 || code > 199 || code == 101)
        return GW_EINVAL;
    if (!is_asked_to_respond(x))
        return GW_ESTATE;
    if (x->infos >= GW_INFOS_MAX)
        return GW_ELIMIT;
    m = gw_origin_inform(x, code);
    if (m == NULL)
        return GW_ENOMEM;
    if (out != NULL)
        *out = m;
    return GW_OK;
}

gw_ticket gw_exchange_wait(gw_exchange *x)
{
    gw_ticket ticket = { NULL, 0, 0 };
    struct gw_asked *asked;

    if (!gw_exchange_is_valid(x) || !gw_hook_is_in(x, GW_MISUSE_WAIT_OUTSIDE) ||
        x->hook >= GW_HOOK_LATE || x->phase == GW_PHASE_END)
        return ticket;
    asked = &x->asked[x->hook_who];
    if (asked->wait == NULL)
        asked->wait = gw_wait_arm(&x->of->waits, x, x->hook_who);
    asked->is_short = asked->wait == NULL;
    if (asked->wait == NULL)
        return ticket;
    ticket.worker = x->of->links->worker;
    ticket.slot = asked->wait->slot;
    ticket.turn = gw_wait_turn(asked->wait);
    return ticket;
}
