/* exchange/call.c: requests of the host's own. An exchange without a client's connection: its client's
 * stream has no codec, and what a codec would do with that stream is done here, by calling the host's
 * hooks. It must not know of connections. */

#include "exchange/call.h"

#include <string.h>

#include "base/assert.h"
#include "base/spec.h"
#include "exchange/hook.h"
#include "grpc/status.h"
#include "http/check.h"
#include "http/target.h"
#include "link/slot.h"

enum { CALL_TIMEOUT_MS = 30000, CALL_SILENCE_MS = 300000, CALL_RETRIES = 1 };

/* No listener: no route that names one matches, and no client is waited for. */
static const struct gw_listener_conf nowhere = {
    .index = UINT32_MAX - 1,
    .head_timeout = GW_NEVER,
    .body_idle_timeout = GW_NEVER,
    .idle_timeout = GW_NEVER,
    .body_rate = GW_OFF,
    .has_no_via = true,
};

/* ---- what is asked for ---- */

static bool is_text_missing(const gw_call_spec *spec)
{
    const gw_str texts[] = { spec->cluster, spec->method, spec->authority, spec->target };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].len > 0 && texts[i].ptr == NULL)
            return true;
    return (spec->body.len > 0 && spec->body.ptr == NULL) ||
           (spec->fields_len > 0 && spec->fields == NULL);
}

static gw_status check_spec(const struct gw_exchanges *all, const gw_call_spec *spec,
                            const gw_caller *caller)
{
    const gw_limits *limits = all->limits;

    if (is_text_missing(spec) || (spec->method.len > 0 && !gw_is_token(spec->method)) ||
        gw_method_of(spec->method) == GW_METHOD_CONNECT ||
        (spec->authority.len > 0 && !gw_authority_is_valid(spec->authority)) ||
        (spec->retries > GW_RETRIES_MAX && spec->retries != GW_OFF) ||
        (spec->body.len > 0 && caller->on_write != NULL) ||
        spec->answer_max > limits->pipe_bytes_max || spec->body.len > limits->pipe_bytes_max ||
        spec->target.len > limits->head_bytes_max ||
        caller->exchange_bytes > limits->exchange_bytes_max ||
        caller->exchange_bytes > gw_arena_piece_max(all->blocks.chunk_bytes))
        return GW_EINVAL;
    if (all->binding == NULL ||
        (spec->cluster.len > 0 &&
         gw_config_find_cluster(all->binding->config, spec->cluster) == NULL))
        return GW_EUNKNOWN;
    return GW_OK;
}

/* ---- the request ---- */

static gw_status set_target(struct gw_exchange *x, gw_str target)
{
    enum gw_reason_id reason;
    gw_status status;

    if (target.len == 0)
        target = GW_STR("/");
    if (target.ptr[0] != '/' && !gw_str_eq(target, GW_STR("*")))
        return GW_EINVAL;
    status = gw_arena_copy(&x->arena, target, &target);
    if (status != GW_OK)
        return status;
    reason = gw_target_parse(&x->request, target);
    if (reason == GW_REASON_no_memory)
        return GW_ENOMEM;
    return reason == GW_REASON_none ? GW_OK : GW_EINVAL;
}

static gw_status set_fields(struct gw_message *m, const gw_call_spec *spec)
{
    for (size_t i = 0; i < spec->fields_len; i++) {
        gw_status status = gw_message_add_field(m, spec->fields[i].name, spec->fields[i].value);
        if (status != GW_OK)
            return status;
    }
    return GW_OK;
}

/* A body that may be empty, of a method that has one: its length is said (RFC 9110 8.6). */
static bool is_length_due(const struct gw_message *m)
{
    return m->method == GW_METHOD_POST || m->method == GW_METHOD_PUT ||
           m->method == GW_METHOD_PATCH;
}

static gw_status set_body(struct gw_exchange *x, const gw_call_spec *spec)
{
    struct gw_message *m = &x->request;

    if (x->call->caller.on_write != NULL) {
        m->body = GW_BODY_UNKNOWN;
        return GW_OK;
    }
    m->length = spec->body.len;
    m->body = m->length > 0 || is_length_due(m) ? GW_BODY_LENGTH : GW_BODY_NONE;
    if (gw_pipe_put(&x->request_pipe, spec->body.ptr, spec->body.len) != spec->body.len)
        return GW_ENOMEM;
    x->request_pipe.is_ended = true;
    return GW_OK;
}

/* A gRPC server wants to know that its trailers will be read. */
static gw_status find_kind(struct gw_exchange *x)
{
    if (!gw_grpc_is_request(&x->request))
        return GW_OK;
    x->kind = GW_EXCHANGE_GRPC;
    return gw_fields_add(&x->request.fields, GW_FIELD_TE, GW_STR("te"), GW_STR("trailers"));
}

static gw_status make_request(struct gw_exchange *x, const gw_call_spec *spec)
{
    struct gw_message *m = &x->request;
    gw_str method = spec->method.len > 0 ? spec->method : GW_STR("GET");
    gw_status status;

    m->method = (uint8_t)gw_method_of(method);
    if ((status = gw_arena_copy(&x->arena, method, &m->method_text)) != GW_OK ||
        (status = set_target(x, spec->target)) != GW_OK ||
        (status = gw_arena_copy(&x->arena, spec->authority, &m->authority)) != GW_OK ||
        (status = set_fields(m, spec)) != GW_OK || (status = set_body(x, spec)) != GW_OK)
        return status;
    return find_kind(x);
}

/* ---- begun ---- */

static gw_nanos duration(uint32_t ms, uint32_t when_zero)
{
    return ms == GW_OFF ? GW_NEVER : GW_MS(ms == 0 ? when_zero : ms);
}

static gw_status make_call(struct gw_exchange *x, const gw_call_spec *spec, const gw_caller *caller)
{
    struct gw_call *c = gw_arena_alloc(&x->arena, sizeof *c);

    if (c == NULL)
        return GW_ENOMEM;
    memset(c, 0, sizeof *c);
    c->x = x;
    c->caller = *caller;
    c->timeout = duration(spec->timeout_ms, CALL_TIMEOUT_MS);
    c->answer_max = spec->answer_max;
    c->wants_on_write = true;
    gw_list_init(&c->node);
    x->call = c;
    if (caller->exchange_bytes > 0 &&
        (c->memory = gw_exchange_take_memory(x, caller->exchange_bytes)) == NULL)
        return GW_ENOMEM;
    if (spec->answer_max > 0)
        x->response_pipe.size = (size_t)spec->answer_max + 1; /* one more: too long */
    if (spec->cluster.len == 0)
        return GW_OK;
    c->route = (struct gw_route_conf){
        .cluster = gw_config_find_cluster(x->binding->config, spec->cluster),
        .request_timeout = GW_NEVER,
        .idle_timeout = GW_MS(CALL_SILENCE_MS),
        .retries = spec->retries == 0        ? CALL_RETRIES
                   : spec->retries == GW_OFF ? 0
                                             : spec->retries,
        .retry = &gw_retry_default,
    };
    x->route = &c->route;
    return GW_OK;
}

/* What a client's link has for its next exchange (link/slot.h), and the bodies that are held whole. */
static gw_status promise(struct gw_exchanges *all, const gw_call_spec *spec, struct gw_reserve *out)
{
    uint32_t block = all->limits->block_bytes, n = gw_slot_kit_blocks(all->links);

    n += spec->answer_max / block + (uint32_t)(spec->body.len / block);
    return gw_reserve_grow(out, all->links->pool, n);
}

static void share_out(struct gw_exchange *x, const gw_call_spec *spec, struct gw_reserve *kit)
{
    uint32_t block = x->of->limits->block_bytes;

    gw_reserve_pass(&x->arena_reserve, kit, 1);
    gw_reserve_pass(&x->request_reserve, kit, 1 + (uint32_t)(spec->body.len / block));
    gw_reserve_pass(&x->response_reserve, kit, 1 + spec->answer_max / block);
    gw_reserve_pass(&x->up_reserve, kit, kit->size);
}

/* As if it had never been: nobody was told of it. */
static void give_up(struct gw_exchange *x)
{
    x->phase = GW_PHASE_END;
    gw_exchange_release(x);
}

gw_status gw_call_begin(struct gw_exchanges *all, const gw_call_spec *spec, gw_exchange_id *out)
{
    gw_caller caller = { 0 };
    struct gw_reserve kit = { 0 };
    struct gw_exchange *x;
    gw_status status = GW_OK;

    if (spec->caller != NULL)
        status = gw_spec_copy(&caller, sizeof caller, spec->caller);
    if (status == GW_OK)
        status = check_spec(all, spec, &caller);
    if (status == GW_OK)
        status = promise(all, spec, &kit);
    if (status != GW_OK)
        return status;
    x = gw_exchange_new(all, all->binding, &nowhere);
    if (x == NULL) {
        gw_reserve_end(&kit, all->links->pool);
        return all->count >= all->limits->exchanges_max ? GW_ELIMIT : GW_ENOMEM;
    }
    share_out(x, spec, &kit);
    status = make_call(x, spec, &caller);
    if (status == GW_OK)
        status = make_request(x, spec);
    if (status != GW_OK) {
        give_up(x);
        return status;
    }
    gw_list_push_back(&all->calls, &x->call->node);
    gw_exchange_begun(x, 0);
    gw_stats_add(all->stats, GW_STAT_CALLS, 1);
    if (out != NULL)
        *out = x->id;
    return GW_OK;
}

gw_status gw_call_cancel(struct gw_exchanges *all, gw_exchange_id id)
{
    for (struct gw_list *node = all->calls.next; node != &all->calls; node = node->next) {
        struct gw_call *c = GW_CONTAINER(node, struct gw_call, node);
        if (c->x->id != id)
            continue;
        if (c->is_cancelled || c->x->phase == GW_PHASE_END)
            break;
        c->is_cancelled = true;
        gw_exchange_wake(c->x);
        return GW_OK;
    }
    if (id == 0 || id > all->ids) /* else it has ended: who is late has done nothing wrong */
        gw_misuse_note(all->links->misuse, GW_MISUSE_CANCEL_UNKNOWN);
    return GW_ESTATE;
}

/* ---- hooks ---- */

/* The same pipes are an origin's, the other way round. */
static void enter(struct gw_exchange *x, enum gw_hook hook)
{
    gw_hook_enter(x, hook, GW_ASKED_CALL, GW_HOOK_AT_NONE, x->call->memory);
    gw_pipe_face_host(&x->request_pipe, true);
    gw_pipe_face_host(&x->response_pipe, false);
}

/* What a hook wrote goes on, and what it took makes room. */
static void pass_on(struct gw_exchange *x, uint64_t written, bool was_ended, uint64_t taken)
{
    struct gw_pipe *p = &x->request_pipe;
    uint32_t news = 0;

    if (!gw_hook_note_written(x, p, &x->call->was_full))
        return;
    if (p->bytes_in != written)
        news |= GW_NEWS_BODY;
    if (p->is_ended && !was_ended) {
        news |= GW_NEWS_END;
        x->down.in = GW_HALF_DONE;
    }
    if (x->response_pipe.bytes_out != taken)
        news |= GW_NEWS_ROOM;
    x->call->out_then = p->bytes_out;
    if (news == 0)
        return;
    gw_relay_down_news(x, news);
    if (x->is_origin_started)
        gw_exchange_wake(x);
}

enum hook { ON_WRITE, ON_RESPONSE, ON_READ, ON_RESUME };

static gw_verdict call_hook(struct gw_exchange *x, enum hook which, void *answer)
{
    const gw_caller *caller = &x->call->caller;

    switch (which) {
    case ON_WRITE:
        return caller->on_write(caller->ctx, x, &x->request_pipe);
    case ON_RESPONSE:
        return caller->on_response(caller->ctx, x);
    case ON_READ:
        return caller->on_read(caller->ctx, x, &x->response_pipe);
    case ON_RESUME:
        break;
    }
    return caller->on_resume(caller->ctx, x, GW_SIDE_REQUEST, answer);
}

/* False: the call is lost. */
static bool run_hook(struct gw_exchange *x, enum hook which, void *answer)
{
    uint64_t written = x->request_pipe.bytes_in, taken = x->response_pipe.bytes_out;
    bool was_ended = x->request_pipe.is_ended;
    gw_verdict verdict;

    enter(x, GW_HOOK_CALL);
    verdict = call_hook(x, which, answer);
    gw_hook_leave(x);
    if (gw_hook_obey(x, verdict))
        pass_on(x, written, was_ended, taken);
    return !x->is_failed;
}

static void start(struct gw_exchange *x)
{
    x->started = x->waited = x->client_in = x->client_out = x->of->links->now;
    x->down.in = x->request_pipe.is_ended ? GW_HALF_DONE : GW_HALF_BODY;
    gw_exchange_enter(x, GW_PHASE_FILTER);
    gw_exchange_enter(x, GW_PHASE_ROUTE);
}

static void tell_head(struct gw_exchange *x)
{
    x->call->is_head_told = true;
    x->down.out = GW_HALF_BODY;
    if (x->call->caller.on_response != NULL)
        (void)run_hook(x, ON_RESPONSE, NULL);
}

/* The end was seen, and nothing is left. */
static void conclude(struct gw_exchange *x)
{
    struct gw_pipe *p = &x->response_pipe;

    if (x->call->answer_max > 0)
        gw_pipe_skip(p, gw_pipe_len(p));
    if (!gw_pipe_is_done(p))
        return;
    x->call->is_end_told = true;
    x->down.out = GW_HALF_DONE;
    x->is_down_sent = x->is_flushed = true;
}

/* A body that nobody may see is none: an origin may have written to what has none. */
static void skip_body(struct gw_exchange *x)
{
    struct gw_pipe *p = &x->response_pipe;
    size_t len = gw_pipe_len(p);

    if (len > 0) {
        gw_pipe_skip(p, len);
        gw_relay_down_news(x, GW_NEWS_ROOM);
    }
}

static void call_on_read(struct gw_exchange *x)
{
    struct gw_call *c = x->call;
    struct gw_pipe *p = &x->response_pipe;
    uint64_t before = p->bytes_out;

    c->in_seen = p->bytes_in;
    c->wants_on_read = false;
    c->is_end_seen = p->is_ended;
    if (c->caller.on_read == NULL || x->response.body == GW_BODY_NONE)
        skip_body(x);
    if (c->caller.on_read != NULL && run_hook(x, ON_READ, NULL) && p->bytes_out != before)
        c->wants_on_write = true;
}

static bool is_too_long(const struct gw_exchange *x)
{
    const struct gw_call *c = x->call;

    return c->answer_max > 0 &&
           (gw_pipe_len(&x->response_pipe) > c->answer_max ||
            (x->response.body == GW_BODY_LENGTH && x->response.length > c->answer_max));
}

/* New bytes or the end; of a body that is held whole only the end. */
static bool has_to_read(const struct gw_call *c, const struct gw_pipe *p)
{
    if (!c->is_head_told || c->is_end_told)
        return false;
    if (p->is_ended && !c->is_end_seen)
        return true;
    return c->answer_max == 0 &&
           (p->bytes_in != c->in_seen || (c->wants_on_read && gw_pipe_len(p) > 0));
}

static void look_at_answer(struct gw_exchange *x)
{
    struct gw_call *c = x->call;

    if (is_too_long(x)) {
        gw_exchange_fail(x, GW_BY_HOST, GW_REASON_body_too_large, GW_ELIMIT);
        return;
    }
    if (has_to_read(c, &x->response_pipe))
        call_on_read(x);
    if (c->is_end_seen && !c->is_end_told && !x->is_failed)
        conclude(x);
}

static bool has_to_write(const struct gw_exchange *x)
{
    const struct gw_call *c = x->call;

    if (c->caller.on_write == NULL || x->request_pipe.is_ended || x->request_pipe.is_cut)
        return false;
    return c->wants_on_write || (c->was_full && x->request_pipe.bytes_out != c->out_then);
}

static void call_on_write(struct gw_exchange *x)
{
    struct gw_call *c = x->call;

    c->wants_on_write = false;
    if (run_hook(x, ON_WRITE, NULL) && gw_pipe_len(&x->response_pipe) > 0)
        c->wants_on_read = true;
}

void gw_call_run(struct gw_exchange *x)
{
    struct gw_call *c = x->call;

    if (x->is_failed || x->phase == GW_PHASE_END)
        return;
    if (c->is_cancelled) {
        gw_exchange_fail(x, GW_BY_HOST, GW_REASON_host_abort, GW_ECANCELED);
        return;
    }
    if (x->phase == GW_PHASE_RECEIVE)
        start(x);
    if (x->down.out == GW_HALF_HEAD && !c->is_head_told)
        tell_head(x);
    if (!x->is_failed)
        look_at_answer(x);
    /* on_write brings on_read only for bytes that are there, and that on_write only if it took some. */
    while (!x->is_failed && !c->is_end_told && has_to_write(x)) {
        call_on_write(x);
        if (!x->is_failed)
            look_at_answer(x);
    }
}

void gw_call_resumed(struct gw_exchange *x, void *answer)
{
    struct gw_call *c = x->call;

    c->wants_on_write = c->wants_on_read = true;
    if (c->caller.on_resume == NULL)
        return;
    if (x->phase == GW_PHASE_END || x->is_failed) { /* it must be told all the same; to no effect */
        enter(x, GW_HOOK_LATE);
        (void)call_hook(x, ON_RESUME, answer);
        gw_hook_leave(x);
        return;
    }
    (void)run_hook(x, ON_RESUME, answer);
}

void gw_call_end(struct gw_exchange *x)
{
    struct gw_call *c = x->call;

    gw_list_remove(&c->node);
    if (c->caller.on_end == NULL)
        return;
    enter(x, GW_HOOK_END);
    c->caller.on_end(c->caller.ctx, x);
    gw_hook_leave(x);
}
