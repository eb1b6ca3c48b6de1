/* exchange/show.c: bodies that filters see: when each hook is called, and what its verdict means for the
 * bytes. It must not know of protocols. */

#include "exchange/show.h"

#include "base/assert.h"
#include "exchange/exchange.h"
#include "exchange/hook.h"

static bool is_request(const struct gw_shown *s)
{
    return s->side == GW_SIDE_REQUEST;
}

static enum gw_asked_id who_of(const struct gw_shown *s)
{
    return is_request(s) ? GW_ASKED_REQUEST_BODY : GW_ASKED_RESPONSE;
}

static struct gw_message *head_of(const struct gw_shown *s)
{
    return is_request(s) ? &s->x->request : &s->x->response;
}

/* ---- begun ---- */

static uint32_t bits_of(const struct gw_exchange *x, uint32_t filter)
{
    return x->shows != NULL ? x->shows[filter] : x->binding->config->filters[filter].body;
}

static bool has_end_hook(const gw_filter *filter, uint32_t side)
{
    return (side == GW_SIDE_REQUEST ? filter->on_request_end : filter->on_response_end) != NULL;
}

static bool has_body_hook(const gw_filter *filter, uint32_t side)
{
    return (side == GW_SIDE_REQUEST ? filter->on_request_body : filter->on_response_body) != NULL;
}

static bool is_wanted(const struct gw_exchange *x, uint32_t filter, uint32_t side)
{
    const gw_filter *f = &x->binding->config->filters[filter];

    if (side == GW_SIDE_RESPONSE && filter >= x->seen_by)
        return false; /* it has answered, or who has is before it */
    return (x->filters >> filter & 1) != 0 &&
           (has_end_hook(f, side) || (has_body_hook(f, side) && (bits_of(x, filter) & side) != 0));
}

static bool has_body(const struct gw_exchange *x, uint32_t side)
{
    if (side == GW_SIDE_REQUEST)
        return x->request.body != GW_BODY_NONE;
    return x->response.body != GW_BODY_NONE &&
           gw_response_has_body((enum gw_method)x->request.method, x->response.code);
}

/* How much of a body may lie in front of who holds it whole. */
static size_t whole_max(const struct gw_exchange *x, uint32_t filter)
{
    size_t most = x->of->limits->pipe_bytes_max;
    size_t asked = x->binding->config->filters[filter].whole_bytes_max;

    return asked > 0 && asked < most ? asked : most;
}

static void init_step(struct gw_shown *s, struct gw_show_step *step, uint32_t filter)
{
    struct gw_exchange *x = s->x;
    const gw_filter *f = &x->binding->config->filters[filter];
    uint32_t bits = bits_of(x, filter);
    bool is_seen = (bits & s->side) != 0;
    bool may_have_one = is_request(s) ||
                        gw_response_has_body((enum gw_method)x->request.method, x->response.code);

    *step = (struct gw_show_step){ .filter = (uint8_t)filter };
    step->is_shown = is_seen && has_body_hook(f, s->side);
    step->is_whole = is_seen && (bits & GW_BODY_WHOLE) != 0;
    step->rewrites = is_seen && (bits & GW_BODY_REWRITES) != 0;
    gw_stage_init(&step->stage, x->of->links->pool, x->of->limits->pipe_bytes_max, NULL);
    /* Where there is none, one may be made only before the head has said so. */
    step->stage.may_rewrite = step->rewrites && may_have_one && (s->has_body || step->is_whole);
    s->held += step->is_whole ? 1 : 0;
    s->rewrites = s->rewrites || step->rewrites;
}

static gw_status add_step(struct gw_shown *s, struct gw_show_step ***end, uint32_t filter)
{
    struct gw_show_step *step = gw_arena_alloc(&s->x->arena, sizeof *step);

    if (step == NULL)
        return GW_ENOMEM;
    init_step(s, step, filter);
    **end = step;
    *end = &step->next;
    return gw_reserve_grow(&step->stage.reserve, s->x->of->links->pool, 1) == GW_OK ? GW_OK
                                                                                    : GW_ENOMEM;
}

/* In the order in which the bytes come by. */
static gw_status add_steps(struct gw_shown *s)
{
    struct gw_exchange *x = s->x;
    struct gw_show_step **end = &s->first;
    uint32_t n = x->binding->config->filters_len;
    gw_status status = GW_OK;

    for (uint32_t i = 0; i < n && status == GW_OK; i++) {
        uint32_t filter = is_request(s) ? i : n - 1 - i;
        if (is_wanted(x, filter, s->side))
            status = add_step(s, &end, filter);
    }
    return status;
}

static gw_status join_steps(struct gw_shown *s)
{
    struct gw_exchange *x = s->x;
    const struct gw_message *m = head_of(s);

    for (struct gw_show_step *step = s->first; step != NULL; step = step->next) {
        step->stage.to = step->next != NULL ? &step->next->stage.in : &s->out;
        if (!step->is_whole)
            continue;
        step->stage.to->size = whole_max(x, step->filter);
        if (s->has_body && m->body == GW_BODY_LENGTH && m->length > step->stage.to->size)
            return GW_ELIMIT;
    }
    return GW_OK;
}

/* What was announced is not what will come; and of who holds all that is nobody's length to say. */
static void forget_length(struct gw_shown *s)
{
    struct gw_message *m = head_of(s);

    if (!s->rewrites)
        return;
    m->has_length = 0;
    if (!s->has_body)
        m->body = GW_BODY_NONE;
    else if (m->body == GW_BODY_LENGTH)
        m->body = GW_BODY_UNKNOWN;
}

static struct gw_message *trailers_of(const struct gw_shown *s)
{
    return is_request(s) ? &s->x->request_trailers : &s->x->response_trailers;
}

/* All is here: the length can be said again, unless somebody behind changes it once more. Not in front of
 * trailers: HTTP/1 has a place for them only behind chunks. */
static void find_length(struct gw_shown *s)
{
    struct gw_message *m = head_of(s);
    const struct gw_show_step *last = NULL;
    uint64_t length;

    for (const struct gw_show_step *step = s->first; step != NULL; step = step->next)
        if (step->is_whole || step->rewrites)
            last = step;
    if (!s->rewrites || last == NULL || !last->is_whole || gw_message_fields(trailers_of(s)) > 0)
        return;
    length = last->stage.to->bytes_in;
    if (!s->has_body && length == 0)
        return;
    m->body = GW_BODY_LENGTH;
    m->length = length;
}

static bool is_any_wanted(const struct gw_exchange *x, uint32_t side)
{
    for (uint32_t i = 0; i < x->binding->config->filters_len; i++)
        if (is_wanted(x, i, side))
            return true;
    return false;
}

gw_status gw_show_begin(struct gw_exchange *x, uint32_t side)
{
    bool is_up = side == GW_SIDE_REQUEST;
    struct gw_shown *s;
    gw_status status;

    if (!is_any_wanted(x, side))
        return GW_OK;
    s = gw_arena_alloc(&x->arena, sizeof *s);
    if (s == NULL)
        return GW_ENOMEM;
    *s = (struct gw_shown){ .x = x, .side = side, .has_body = has_body(x, side) };
    s->source = is_up ? &x->request_pipe : &x->response_pipe;
    gw_pipe_init(&s->out, x->of->links->pool, x->of->limits->pipe_bytes_max);
    s->out.chain.reserve = &s->reserve;
    if (is_up) {
        x->shown_request = s;
        x->request_out = &s->out;
    } else {
        x->shown_response = s;
        x->response_out = &s->out;
    }
    if (gw_reserve_grow(&s->reserve, x->of->links->pool, 1) != GW_OK)
        return GW_ENOMEM;
    status = add_steps(s);
    if (status == GW_OK)
        status = join_steps(s);
    if (status == GW_OK)
        forget_length(s);
    return status;
}

/* ---- one filter ---- */

static bool is_waiting(const struct gw_shown *s)
{
    return s->x->asked[who_of(s)].is_waiting;
}

/* What the hook said has ended it, or taken another answer in its place. */
static bool is_lost(const struct gw_shown *s)
{
    return s->is_over || s->x->is_failed || s->x->phase == GW_PHASE_END;
}

/* The filter holds more than it may; or more than can be had now. What it wants whole is too long, if it is
 * the client's. */
static void fail_full(struct gw_shown *s, const struct gw_pipe *p, bool is_whole)
{
    if (gw_pipe_len(p) < p->size)
        gw_exchange_fail(s->x, GW_BY_GATEWAY, GW_REASON_no_memory, GW_ENOMEM);
    else if (is_whole && is_request(s))
        gw_exchange_fail(s->x, GW_BY_CLIENT, GW_REASON_body_too_large, GW_ELIMIT);
    else
        gw_exchange_fail(s->x, GW_BY_HOST, GW_REASON_filter_full, GW_ELIMIT);
}

static bool is_call_due(const struct gw_show_step *step)
{
    const struct gw_pipe *in = &step->stage.in;

    if (!step->is_shown || step->is_end_asked || !gw_chain_is_empty(&step->stage.through))
        return false;
    return step->wants || in->bytes_in != step->seen || (in->is_ended && !step->is_last_seen) ||
           (step->was_refused ? step->stage.to->bytes_out != step->left
                              : step->was_short && gw_stage_has_room(&step->stage));
}

/* It could not write what it wanted to. False: nothing will ever make room, and the exchange has failed. */
static bool note_shortage(struct gw_shown *s, struct gw_show_step *step)
{
    struct gw_pipe *to = step->stage.to;

    step->was_refused = gw_pipe_was_refused(to) || (step->stage.was_refused && !step->is_whole);
    step->hopes = false;
    step->was_short = step->was_refused || !gw_stage_has_room(&step->stage);
    step->left = to->bytes_out;
    if (!step->was_refused || (gw_pipe_len(to) > 0 && !step->is_whole))
        return true;
    gw_exchange_fail(s->x, GW_BY_GATEWAY, GW_REASON_no_memory, GW_ENOMEM);
    return false;
}

/* What lies behind it is on its way: who found too little room for what he has to write finds more then. */
static bool is_room_to_come(const struct gw_show_step *step)
{
    const struct gw_show_step *next = step->next;

    if (step->is_whole || gw_pipe_len(step->stage.to) == 0)
        return false;
    return next == NULL || !next->is_shown || next->was_short || next->wants || is_call_due(next);
}

/* Nothing leaves before the end, so no room will come. A body that is exactly as long has all it needs. */
static bool is_too_long(const struct gw_show_step *step)
{
    const struct gw_stage *stage = &step->stage;

    return !gw_chain_is_empty(&stage->through) || stage->was_short ||
           (step->was_short && gw_pipe_len(&stage->in) > 0);
}

static void call_body(struct gw_shown *s, struct gw_show_step *step)
{
    struct gw_stage *stage = &step->stage;
    enum gw_filter_result result;

    step->seen = stage->in.bytes_in;
    step->is_last_seen = stage->in.is_ended;
    step->wants = false;
    result = gw_filters_show(s->x, who_of(s), step->filter,
                             is_request(s) ? GW_HOOK_REQUEST_BODY : GW_HOOK_RESPONSE_BODY, stage);
    if (result == GW_FILTER_WAIT) {
        step->wants = true; /* who is resumed sees it again */
        return;
    }
    if (result != GW_FILTER_DONE) {
        gw_filters_obey(s->x, result);
        return;
    }
    if (!note_shortage(s, step))
        return;
    if (step->is_whole && is_too_long(step))
        fail_full(s, stage->to, true);
    else if (stage->has_moved) /* what it left is shown with more; or, if no more can come, again */
        step->wants = gw_pipe_len(&stage->in) > 0 && !step->was_short &&
                      (step->is_last_seen || gw_pipe_space(&stage->in) == 0);
    else if (!step->was_short && gw_pipe_len(&stage->in) > 0 && is_room_to_come(step))
        step->was_short = step->was_refused = step->hopes = true; /* asked when some has left */
    else if (!step->was_short && !stage->in.is_ended && gw_pipe_len(&stage->in) > 0 &&
             gw_pipe_space(&stage->in) == 0)
        fail_full(s, &stage->in, false);
}

/* Who is behind it will not take anything before there is more: it waits in vain for room to come. True:
 * something has changed. */
static bool give_up_hope(struct gw_shown *s, struct gw_show_step *step)
{
    const struct gw_pipe *in = &step->stage.in;
    bool is_more_to_come = !in->is_ended && gw_pipe_space(in) > 0;

    if (!step->was_refused || is_call_due(step) || is_room_to_come(step))
        return false;
    step->was_refused = false;
    step->was_short = !gw_stage_has_room(&step->stage);
    if (step->was_short || is_more_to_come)
        return true; /* it is asked again by that */
    if (!step->hopes)
        gw_exchange_fail(s->x, GW_BY_GATEWAY, GW_REASON_no_memory, GW_ENOMEM);
    else if (!in->is_ended)
        fail_full(s, in, false);
    return true;
}

/* It has seen the last byte, and will not do anything more with what is left. */
static bool is_body_over(const struct gw_show_step *step)
{
    const struct gw_pipe *in = &step->stage.in;

    if (!in->is_ended || !gw_chain_is_empty(&step->stage.through))
        return false;
    return !step->is_shown ||
           (step->is_last_seen && !step->wants && (gw_pipe_len(in) == 0 || !step->was_short));
}

/* Who may write has all the room of a pipe; but for what a filter behind it does not take, which may be
 * waiting for this very end. */
static bool is_room_whole(const struct gw_show_step *step)
{
    if (!step->stage.may_rewrite || step->is_whole)
        return true;
    return gw_pipe_len(step->stage.to) == 0 ||
           (!is_room_to_come(step) && gw_pipe_space(step->stage.to) > 0);
}

static void call_end(struct gw_shown *s, struct gw_show_step *step)
{
    const gw_filter *filter = &s->x->binding->config->filters[step->filter];
    enum gw_filter_result result;

    step->is_end_asked = true;
    if (!has_end_hook(filter, s->side))
        return;
    result = gw_filters_show(s->x, who_of(s), step->filter,
                             is_request(s) ? GW_HOOK_REQUEST_END : GW_HOOK_RESPONSE_END,
                             &step->stage);
    if (result != GW_FILTER_DONE && result != GW_FILTER_WAIT)
        gw_filters_obey(s->x, result);
    else if (gw_pipe_was_refused(step->stage.to)) /* it is not asked again */
        gw_exchange_fail(s->x, GW_BY_GATEWAY, GW_REASON_no_memory, GW_ENOMEM);
}

/* What it has left goes on, and the end behind it. */
static void finish(struct gw_shown *s, struct gw_show_step *step)
{
    struct gw_stage *stage = &step->stage;

    if (stage->owed != 0 && !stage->may_rewrite) { /* not as long as it was announced */
        gw_exchange_fail(s->x, GW_BY_HOST, GW_REASON_host_abort, GW_EINVAL);
        return;
    }
    gw_stage_pass_all(stage);
    if (!gw_chain_is_empty(&stage->through)) {
        if (step->is_whole)
            fail_full(s, stage->to, true);
        return;
    }
    stage->to->is_ended = true;
    step->is_done = true;
    if (step->is_whole && --s->held == 0)
        find_length(s);
    if (step->next == NULL)
        trailers_of(s)->has_left = 1;
}

/* Bytes and the end, from the one before. */
static bool take_in(struct gw_pipe *to, struct gw_pipe *from)
{
    bool has_moved = gw_pipe_transfer(to, from);

    if (from->is_ended && gw_pipe_len(from) == 0 && !to->is_ended) {
        to->is_ended = true;
        has_moved = true;
    }
    return has_moved;
}

/* True: something has moved, or a hook was called. */
static bool run_step(struct gw_shown *s, struct gw_show_step *step)
{
    bool has_moved = gw_stage_push(&step->stage);

    if (step->is_done)
        return has_moved;
    if (!step->is_shown && gw_pipe_len(&step->stage.in) > 0 && !step->is_end_asked) {
        gw_stage_pass_all(&step->stage);
        has_moved = true;
    }
    if (is_call_due(step)) {
        call_body(s, step);
        return true;
    }
    if (!step->is_end_asked && is_body_over(step) && is_room_whole(step)) {
        call_end(s, step);
        return true;
    }
    if (step->is_end_asked && gw_chain_is_empty(&step->stage.through)) {
        finish(s, step);
        return true;
    }
    return give_up_hope(s, step) || has_moved;
}

/* ---- all of them ---- */

/* More is there, but no memory for it while what a hook has left lies in its pipe: that is all it will see,
 * so it is shown again, as long as the hook takes some of it. */
static bool show_again(struct gw_shown *s)
{
    bool is_more = gw_pipe_len(s->source) > 0, is_any = false;

    for (struct gw_show_step *step = s->first; step != NULL; step = step->next) {
        const struct gw_stage *stage = &step->stage;
        if (is_more && step->is_shown && !step->is_whole && !step->is_end_asked &&
            !step->was_short && stage->has_moved && gw_pipe_len(&stage->in) > 0 &&
            !is_call_due(step)) {
            step->wants = true;
            is_any = true;
        }
        is_more = !gw_chain_is_empty(&stage->through);
    }
    return is_any;
}

/* False: it has to wait, and for whom is known. Each round moves bytes, or calls a hook for which there
 * is something new: so this ends. */
static void run_steps(struct gw_shown *s)
{
    bool has_moved;

    do {
        struct gw_show_step *step = s->first;
        has_moved = take_in(&step->stage.in, s->source);
        for (; step != NULL && !is_waiting(s) && !is_lost(s); step = step->next) {
            has_moved = run_step(s, step) || has_moved;
            if (step->is_whole && !step->is_done)
                break; /* what is behind has nothing yet */
        }
    } while (!is_waiting(s) && !is_lost(s) && (has_moved || show_again(s)));
}

static void tell_target(struct gw_shown *s)
{
    struct gw_exchange *x = s->x;

    if (!is_request(s)) {
        if (x->down.out >= GW_HALF_HEAD)
            gw_link_advance(x->down_link, &x->down);
    } else if (x->up.codec != NULL) {
        gw_exchange_keep(x);
        gw_link_advance(x->up_link, &x->up);
    } else if (x->is_origin_started) {
        x->wants_on_read = true;
    }
}

static void tell_source(struct gw_shown *s)
{
    struct gw_exchange *x = s->x;

    if (is_request(s))
        gw_link_advance(x->down_link, &x->down);
    else if (x->up.codec != NULL)
        gw_link_advance(x->up_link, &x->up);
    else if (x->is_origin_started && x->was_pipe_full)
        x->wants_on_write = true;
}

/* True: who is before or behind has something to do that is not told by its codec. */
static bool run(struct gw_shown *s)
{
    struct gw_exchange *x = s->x;
    uint64_t in = s->source->bytes_out, out = s->out.bytes_in;
    bool was_ended = s->out.is_ended, was_held = s->held > 0;
    bool was_wanted = x->wants_on_read || x->wants_on_write;

    if (is_waiting(s))
        return false;
    run_steps(s);
    if (is_lost(s))
        return true;
    if (s->source->bytes_out != in)
        tell_source(s);
    if (s->held == 0 && (s->out.bytes_in != out || s->out.is_ended != was_ended || was_held))
        tell_target(s);
    return (was_held && s->held == 0) || s->out.is_ended != was_ended ||
           (!was_wanted && (x->wants_on_read || x->wants_on_write));
}

bool gw_show_run(struct gw_exchange *x)
{
    bool is_due = false;

    if (x->shown_request != NULL && x->is_discarding) {
        gw_filters_stop_one(x, GW_ASKED_REQUEST_BODY); /* it is told too late */
        gw_show_end(x->shown_request);
        x->shown_request = NULL;
    }
    if (x->shown_request != NULL && !is_lost(x->shown_request))
        is_due = run(x->shown_request);
    if (x->shown_response != NULL && !is_lost(x->shown_response))
        is_due = run(x->shown_response) || is_due;
    return is_due;
}

bool gw_show_is_hungry(const struct gw_shown *s)
{
    return !is_waiting(s) && gw_pipe_len(s->source) == 0 &&
           (s->held > 0 || gw_pipe_len(&s->out) == 0);
}

void gw_show_settle(struct gw_shown *s)
{
    if (s == NULL)
        return;
    for (struct gw_show_step *step = s->first; step != NULL; step = step->next) {
        gw_chain_settle(&step->stage.in.chain);
        gw_chain_settle(&step->stage.through);
    }
    gw_chain_settle(&s->out.chain);
}

void gw_show_end(struct gw_shown *s)
{
    if (s == NULL || s->is_over)
        return;
    s->is_over = true;
    for (struct gw_show_step *step = s->first; step != NULL; step = step->next)
        gw_stage_fini(&step->stage);
    gw_pipe_fini(&s->out);
    gw_reserve_end(&s->reserve, s->out.chain.pool);
}

/* ---- what a hook may ask ---- */

static struct gw_pipe *pipe_of_filter(const gw_exchange *x, uint32_t side)
{
    struct gw_stage *stage = x->asked[x->hook_who].stage;
    bool is_request = x->hook == GW_HOOK_REQUEST_BODY || x->hook == GW_HOOK_REQUEST_END;
    bool is_response = x->hook == GW_HOOK_RESPONSE_BODY || x->hook == GW_HOOK_RESPONSE_END;

    return (side == GW_SIDE_REQUEST ? is_request : is_response) ? &stage->in : NULL;
}

gw_pipe *gw_exchange_pipe(gw_exchange *x, uint32_t side)
{
    if (!gw_exchange_is_valid(x) || (side != GW_SIDE_REQUEST && side != GW_SIDE_RESPONSE))
        return NULL;
    if (x->hook == GW_HOOK_ORIGIN)
        return side == GW_SIDE_REQUEST ? x->request_out : &x->response_pipe;
    return pipe_of_filter(x, side);
}

static gw_status copy_shows(struct gw_exchange *x)
{
    const gw_config *config = x->binding->config;

    x->shows = gw_arena_alloc(&x->arena, config->filters_len);
    if (x->shows == NULL)
        return GW_ENOMEM;
    for (uint32_t i = 0; i < config->filters_len; i++)
        x->shows[i] = (uint8_t)config->filters[i].body;
    return GW_OK;
}

gw_status gw_exchange_show_body(gw_exchange *x, uint32_t body)
{
    const uint32_t known = GW_BODY_REQUEST | GW_BODY_RESPONSE | GW_BODY_REWRITES | GW_BODY_WHOLE;
    gw_status status = GW_OK;

    if (!gw_exchange_is_valid(x) || (body & ~known) != 0)
        return GW_EINVAL;
    if (!gw_hook_is_in(x, GW_MISUSE_DECIDE_OUTSIDE) || x->hook < GW_HOOK_REQUEST ||
        x->hook > GW_HOOK_RESPONSE || x->down.out != GW_HALF_IDLE)
        return GW_ESTATE;
    if (x->shows == NULL)
        status = copy_shows(x);
    if (status == GW_OK)
        x->shows[x->hook_at] = (uint8_t)body;
    return status;
}
