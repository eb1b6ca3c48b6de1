/* exchange/filters.c: the host's hooks: which are on, their order, their verdicts, waiting and being
 * resumed. What a verdict comes to is decided by who asked. */

#include <string.h>

#include "base/assert.h"
#include "exchange/hook.h"
#include "http/hop.h"

static bool is_on(const struct gw_exchange *x, uint32_t filter)
{
    return (x->filters >> filter & 1) != 0;
}

/* ---- memory ---- */

void *gw_exchange_take_memory(struct gw_exchange *x, size_t len)
{
    void *memory;

    if (len == 0 || len > x->of->limits->exchange_bytes_max - x->host_bytes)
        return NULL;
    memory = gw_arena_alloc(&x->arena, len);
    if (memory == NULL)
        return NULL;
    x->host_bytes += len;
    memset(memory, 0, len);
    return memory;
}

gw_status gw_filters_turn_on(struct gw_exchange *x)
{
    const gw_config *config = x->binding->config;

    if (x->filters == 0)
        return GW_OK;
    x->filters_met |= x->filters;
    if (x->memory == NULL) { /* the first that are on, with a route or before */
        /* Else the client could take off what they add. */
        gw_hop_unname(&x->request);
        void **memory = gw_arena_alloc(&x->arena, config->filters_len * sizeof *memory);
        if (memory == NULL)
            return GW_ENOMEM;
        memset(memory, 0, config->filters_len * sizeof *memory);
        x->memory = memory;
    }
    for (uint32_t i = 0; i < config->filters_len; i++) {
        size_t len = config->filters[i].exchange_bytes;
        if (len == 0 || !is_on(x, i) || x->memory[i] != NULL)
            continue;
        x->memory[i] = gw_exchange_take_memory(x, len);
        if (x->memory[i] == NULL)
            return GW_ENOMEM;
    }
    return GW_OK;
}

/* ---- calling ---- */

static void enter_hook(struct gw_exchange *x, enum gw_asked_id who, uint32_t filter,
                       enum gw_hook hook)
{
    gw_hook_enter(x, hook, who, filter, x->memory != NULL ? x->memory[filter] : NULL);
}

typedef gw_verdict head_hook(void *ctx, gw_exchange *x);

static head_hook *hook_of(const gw_filter *filter, enum gw_hook hook)
{
    if (hook == GW_HOOK_REQUEST)
        return filter->on_request;
    if (hook == GW_HOOK_ROUTE)
        return filter->on_route;
    return hook == GW_HOOK_UPSTREAM ? filter->on_upstream : filter->on_response;
}

/* Whose turn it is; of the response the last filter is the first. */
static uint32_t turn_of(const struct gw_exchange *x, enum gw_asked_id who)
{
    const struct gw_asked *asked = &x->asked[who];

    return who == GW_ASKED_RESPONSE ? asked->at - 1u : asked->at;
}

static bool is_walk_over(const struct gw_exchange *x, enum gw_asked_id who)
{
    const struct gw_asked *asked = &x->asked[who];

    return who == GW_ASKED_RESPONSE ? asked->at == 0 : asked->at == x->binding->config->filters_len;
}

static void pass_turn(struct gw_exchange *x, enum gw_asked_id who)
{
    if (who == GW_ASKED_RESPONSE)
        x->asked[who].at--;
    else
        x->asked[who].at++;
}

/* ---- verdicts ---- */

/* A ticket that the hook took, but does not wait for, is void. Unless it was answered already: that
 * answer is this hook's, and it decides then. */
static bool is_answer_due(struct gw_exchange *x, struct gw_asked *asked)
{
    if (asked->wait == NULL)
        return false;
    if (!gw_wait_disarm(&x->of->waits, asked->wait))
        return true;
    asked->wait = NULL;
    return false;
}

static enum gw_filter_result hold(struct gw_exchange *x, struct gw_asked *asked)
{
    asked->is_waiting = true;
    asked->since = x->of->links->now;
    x->waiting++;
    return GW_FILTER_WAIT;
}

static bool is_serving(const struct gw_exchange *x, enum gw_asked_id who)
{
    return who == GW_ASKED_REQUEST && gw_exchange_is_to_serve(x);
}

/* What was made in time may have waited until somebody else had answered. */
static enum gw_filter_result judge_reply(struct gw_exchange *x, enum gw_asked_id who)
{
    bool is_made = gw_reply_of(x, who, turn_of(x, who)) != NULL || is_serving(x, who);

    if (is_made && gw_reply_may(x, (enum gw_hook)x->asked[who].hook))
        return GW_FILTER_REPLY;
    if (!is_made)
        gw_misuse_note(x->of->links->misuse, GW_MISUSE_VERDICT_REPLY);
    return GW_FILTER_ABORT;
}

static enum gw_filter_result judge(struct gw_exchange *x, enum gw_asked_id who, gw_verdict verdict)
{
    struct gw_asked *asked = &x->asked[who];

    switch (verdict) {
    case GW_NEXT:
        if (is_answer_due(x, asked))
            return hold(x, asked);
        gw_reply_forget(x, who, turn_of(x, who));
        return GW_FILTER_DONE;
    case GW_WAIT:
        if (asked->wait == NULL && !asked->is_short)
            gw_misuse_note(x->of->links->misuse, GW_MISUSE_VERDICT_WAIT);
        return asked->wait != NULL ? hold(x, asked) : GW_FILTER_ABORT;
    case GW_REPLY:
        return judge_reply(x, who);
    case GW_ABORT:
        return GW_FILTER_ABORT;
    }
    gw_exchange_check_verdict(x, verdict);
    return GW_FILTER_ABORT;
}

typedef gw_verdict body_hook(void *ctx, gw_exchange *x, gw_pipe *p);

static body_hook *body_hook_of(const gw_filter *filter, enum gw_hook hook)
{
    if (hook == GW_HOOK_REQUEST_BODY)
        return filter->on_request_body;
    if (hook == GW_HOOK_REQUEST_END)
        return filter->on_request_end;
    return hook == GW_HOOK_RESPONSE_BODY ? filter->on_response_body : filter->on_response_end;
}

enum gw_filter_result gw_filters_show(struct gw_exchange *x, enum gw_asked_id who, uint32_t filter,
                                      enum gw_hook hook, struct gw_stage *stage)
{
    const gw_filter *f = &x->binding->config->filters[filter];
    struct gw_asked *asked = &x->asked[who];
    enum gw_filter_result result;
    gw_verdict verdict;

    asked->hook = (uint8_t)hook;
    asked->at = (uint8_t)(who == GW_ASKED_RESPONSE ? filter + 1 : filter);
    asked->stage = stage;
    gw_stage_open(stage);
    enter_hook(x, who, filter, hook);
    verdict = body_hook_of(f, hook)(f->ctx, x, &stage->in);
    gw_hook_leave(x);
    stage->is_open = false;
    result = judge(x, who, verdict);
    if (result == GW_FILTER_DONE)
        asked->hook = GW_HOOK_NONE;
    return result;
}

enum gw_filter_result gw_filters_ask(struct gw_exchange *x, enum gw_asked_id who, enum gw_hook hook)
{
    struct gw_asked *asked = &x->asked[who];

    if (asked->hook != hook) { /* the first of them */
        GW_ASSERT(asked->hook == GW_HOOK_NONE);
        asked->hook = (uint8_t)hook;
        asked->at = 0;
    }
    while (!is_walk_over(x, who)) {
        uint32_t i = turn_of(x, who);
        const gw_filter *filter = &x->binding->config->filters[i];
        head_hook *call = is_on(x, i) ? hook_of(filter, hook) : NULL;
        enum gw_filter_result result;
        gw_verdict verdict = GW_NEXT;
        if (call != NULL) {
            enter_hook(x, who, i, hook);
            verdict = call(filter->ctx, x);
            gw_hook_leave(x);
        }
        result = judge(x, who, verdict);
        if (result != GW_FILTER_DONE)
            return result;
        pass_turn(x, who);
    }
    asked->hook = GW_HOOK_NONE;
    return GW_FILTER_DONE;
}

/* In the place of a response whose head they have seen, filters are not asked again. */
static void reply(struct gw_exchange *x, enum gw_asked_id who)
{
    uint32_t filter = turn_of(x, who);

    if (!gw_reply_adopt(x, who, filter))
        return;
    if (who != GW_ASKED_RESPONSE || x->asked[who].hook == GW_HOOK_RESPONSE)
        gw_relay_answer(x, filter);
    else
        gw_relay_send(x);
}

void gw_filters_obey(struct gw_exchange *x, enum gw_filter_result result)
{
    switch (result) {
    case GW_FILTER_REPLY:
        if (is_serving(x, (enum gw_asked_id)x->hook_who))
            gw_exchange_go_serve(x);
        else
            reply(x, (enum gw_asked_id)x->hook_who);
        break;
    case GW_FILTER_ABORT:
        gw_exchange_fail(x, GW_BY_HOST, GW_REASON_host_abort, GW_ECANCELED);
        break;
    case GW_FILTER_NO_MEMORY:
        gw_exchange_fail(x, GW_BY_GATEWAY, GW_REASON_no_memory, GW_ENOMEM);
        break;
    case GW_FILTER_DONE:
    case GW_FILTER_WAIT:
        break;
    }
}

/* ---- being resumed ---- */

static bool is_body_hook(enum gw_hook hook)
{
    return hook == GW_HOOK_REQUEST_BODY || hook == GW_HOOK_REQUEST_END ||
           hook == GW_HOOK_RESPONSE_BODY || hook == GW_HOOK_RESPONSE_END;
}

/* An end hook is not asked again: what it could not write is lost. */
static bool is_end_refused(struct gw_asked *asked)
{
    return (asked->hook == GW_HOOK_REQUEST_END || asked->hook == GW_HOOK_RESPONSE_END) &&
           gw_pipe_was_refused(asked->stage->to);
}

static void filter_resumed(struct gw_exchange *x, enum gw_asked_id who, void *answer)
{
    struct gw_asked *asked = &x->asked[who];
    uint32_t i = turn_of(x, who);
    const gw_filter *filter = &x->binding->config->filters[i];
    bool is_late = x->phase == GW_PHASE_END || !asked->is_waiting;
    bool is_body = is_body_hook((enum gw_hook)asked->hook);
    uint32_t side = who == GW_ASKED_RESPONSE ? GW_SIDE_RESPONSE : GW_SIDE_REQUEST;
    gw_verdict verdict = GW_NEXT;
    enum gw_filter_result result;

    if (filter->on_resume != NULL) {
        enter_hook(x, who, i, is_late ? GW_HOOK_LATE : (enum gw_hook)asked->hook);
        if (is_body && !is_late)
            asked->stage->is_open = true;
        verdict = filter->on_resume(filter->ctx, x, side, answer);
        if (is_body && !is_late)
            asked->stage->is_open = false;
        gw_hook_leave(x);
    }
    if (is_late)
        return; /* it was lost meanwhile: the verdict comes too late */
    asked->is_waiting = false;
    x->waiting--;
    result = judge(x, who, verdict);
    if ((result == GW_FILTER_DONE || result == GW_FILTER_WAIT) && is_end_refused(asked))
        result = GW_FILTER_NO_MEMORY;
    if (result != GW_FILTER_DONE)
        gw_filters_obey(x, result);
    else if (is_body)
        asked->hook = GW_HOOK_NONE; /* the body goes on */
    else
        pass_turn(x, who);
}

void gw_exchange_resumed(struct gw_exchange *x, enum gw_asked_id who, void *answer)
{
    if (who == GW_ASKED_ORIGIN)
        gw_origin_resumed(x, answer);
    else if (who == GW_ASKED_CALL)
        gw_call_resumed(x, answer);
    else
        filter_resumed(x, who, answer);
}

void gw_filters_stop_one(struct gw_exchange *x, enum gw_asked_id who)
{
    x->waiting = (uint8_t)(x->waiting - x->asked[who].is_waiting);
    x->asked[who].is_waiting = false;
}

void gw_filters_stop_waiting(struct gw_exchange *x)
{
    for (int i = 0; i < GW_ASKED_COUNT && x->waiting > 0; i++)
        gw_filters_stop_one(x, (enum gw_asked_id)i);
}

/* ---- the end ---- */

void gw_filters_end(struct gw_exchange *x)
{
    const gw_config *config = x->binding->config;

    gw_origin_end(x);
    if (x->call != NULL)
        gw_call_end(x);
    for (uint32_t i = 0; i < config->filters_len && x->filters_met != 0; i++) {
        if ((x->filters_met >> i & 1) == 0 || config->filters[i].on_end == NULL)
            continue;
        enter_hook(x, GW_ASKED_REQUEST, i, GW_HOOK_END);
        config->filters[i].on_end(config->filters[i].ctx, x);
        gw_hook_leave(x);
    }
}
