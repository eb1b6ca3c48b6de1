/* exchange/origin.c: the host as upstream: its hooks are called when there is something for them, never
 * just because there is room. */

#include "base/assert.h"
#include "exchange/hook.h"

static const gw_origin *origin_of(const struct gw_exchange *x)
{
    return x->served != NULL ? &x->served->origin : &x->cluster->origin;
}

/* After every hook: what it did is passed on. */
static void pass_on(struct gw_exchange *x)
{
    for (struct gw_message *m = x->down.out_info; m != NULL; m = m->next)
        m->has_left = true;
    if (!gw_hook_note_written(x, &x->response_pipe, &x->was_pipe_full))
        return;
    if (x->has_response && x->phase == GW_PHASE_AWAIT && !x->is_answering)
        gw_relay_response(x);
    if (x->response_pipe.is_ended && !x->is_response_whole) {
        if (!x->has_response) { /* a body without a head */
            gw_exchange_fail(x, GW_BY_HOST, GW_REASON_host_abort, GW_ECANCELED);
            return;
        }
        x->is_response_whole = true;
        x->is_discarding = true;
        gw_pipe_skip(x->request_out, gw_pipe_len(x->request_out));
        gw_pipe_skip(&x->request_pipe, gw_pipe_len(&x->request_pipe));
    }
    x->upstream_in = x->of->links->now;
    if (x->call != NULL)
        gw_exchange_wake(x);
    else
        gw_link_advance(x->down_link, &x->down);
}

static bool judge(struct gw_exchange *x, gw_verdict verdict)
{
    gw_hook_leave(x);
    if (!gw_hook_obey(x, verdict))
        return false;
    pass_on(x);
    return !x->is_failed;
}

static void enter_as(struct gw_exchange *x, enum gw_hook hook)
{
    gw_hook_enter(x, hook, GW_ASKED_ORIGIN, GW_HOOK_AT_NONE, x->origin_memory);
}

static void enter(struct gw_exchange *x)
{
    enter_as(x, GW_HOOK_ORIGIN);
    if (x->call != NULL) { /* the pipes are the caller's, too */
        gw_pipe_face_host(x->request_out, false);
        gw_pipe_face_host(&x->response_pipe, true);
    }
}

/* It leaves with the next advance, for whom it can be said to. */
struct gw_message *gw_origin_inform(struct gw_exchange *x, uint32_t code)
{
    struct gw_message *m = gw_arena_alloc(&x->arena, sizeof *m), **at = &x->down.out_info;

    if (m == NULL)
        return NULL;
    gw_message_init(m, GW_MESSAGE_RESPONSE, &x->arena, x->of->limits->fields_max);
    m->code = (uint16_t)code;
    x->infos++;
    if (x->down.is_http10 || x->call != NULL)
        return m;
    while (*at != NULL)
        at = &(*at)->next;
    *at = m;
    return m;
}

void gw_origin_start(struct gw_exchange *x)
{
    const gw_origin *origin = origin_of(x);

    x->is_origin_started = true;
    x->request_out->is_host_target = true;
    x->response_pipe.is_host_source = true;
    x->sent = x->of->links->now;
    if (x->served != NULL) {
        x->origin_memory = x->memory != NULL ? x->memory[x->served->filter] : NULL;
    } else if (origin->exchange_bytes > 0) {
        x->origin_memory = gw_exchange_take_memory(x, origin->exchange_bytes);
        if (x->origin_memory == NULL) {
            gw_exchange_fail(x, GW_BY_GATEWAY, GW_REASON_no_memory, GW_ENOMEM);
            return;
        }
    }
    x->wants_on_write = true;
    x->wants_on_read = gw_pipe_len(x->request_out) > 0 || x->request_out->is_ended;
    if (origin->on_request != NULL) {
        enter(x);
        if (!judge(x, origin->on_request(origin->ctx, x)))
            return;
    }
    if (x->phase == GW_PHASE_AWAIT) /* it has not answered yet */
        gw_reply_continue(x);
}

static void call_on_read(struct gw_exchange *x)
{
    const gw_origin *origin = origin_of(x);
    uint64_t before = x->request_out->bytes_out;
    bool is_end = x->request_out->is_ended, was_end_shown = x->is_end_shown;

    x->wants_on_read = false;
    if (origin->on_read == NULL) {
        gw_pipe_skip(x->request_out, gw_pipe_len(x->request_out));
        pass_on(x);
        return;
    }
    if (gw_pipe_len(x->request_out) == 0 && (!is_end || x->is_end_shown))
        return;
    enter(x);
    if (!judge(x, origin->on_read(origin->ctx, x, x->request_out)))
        return;
    if (is_end && gw_pipe_len(x->request_out) == 0)
        x->is_end_shown = true;
    if (x->request_out->bytes_out != before || x->is_end_shown != was_end_shown)
        x->wants_on_write = true;
}

static void call_on_write(struct gw_exchange *x)
{
    const gw_origin *origin = origin_of(x);

    x->wants_on_write = false;
    if (origin->on_write == NULL)
        return;
    enter(x);
    if (!judge(x, origin->on_write(origin->ctx, x, &x->response_pipe)))
        return;
    if (gw_pipe_len(x->request_out) > 0)
        x->wants_on_read = true;
}

void gw_origin_run(struct gw_exchange *x)
{
    if (!x->is_origin_started)
        return;
    /* on_read leads to on_write only when it took bytes or saw the end: so this ends. */
    while (!x->is_failed && !x->is_response_whole && (x->wants_on_read || x->wants_on_write)) {
        if (x->wants_on_read)
            call_on_read(x);
        else
            call_on_write(x);
    }
}

void gw_origin_resumed(struct gw_exchange *x, void *answer)
{
    const gw_origin *origin = origin_of(x);

    if (origin->on_resume == NULL)
        return;
    if (x->phase == GW_PHASE_END || x->is_failed || x->is_local) { /* it is told, to no effect */
        enter_as(x, GW_HOOK_LATE);
        (void)origin->on_resume(origin->ctx, x, GW_SIDE_RESPONSE, answer);
        gw_hook_leave(x);
        return;
    }
    enter(x);
    if (!judge(x, origin->on_resume(origin->ctx, x, GW_SIDE_RESPONSE, answer)))
        return;
    x->wants_on_write = true;
    x->wants_on_read = gw_pipe_len(x->request_out) > 0 ||
                       (x->request_out->is_ended && !x->is_end_shown);
}

void gw_origin_end(struct gw_exchange *x)
{
    const gw_origin *origin;

    if (!x->is_origin_started || (origin = origin_of(x))->on_end == NULL)
        return;
    enter_as(x, GW_HOOK_END);
    origin->on_end(origin->ctx, x);
    gw_hook_leave(x);
}
