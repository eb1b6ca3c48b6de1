/* exchange/filters.c: the host's hooks: their order, their verdicts, waiting and being resumed. */

#include <string.h>

#include "base/assert.h"
#include "exchange/exchange.h"

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

/* Memory of every filter, before the first hook runs. GW_ENOMEM: the exchange cannot be served. */
static gw_status take_filter_memory(struct gw_exchange *x)
{
    const gw_config *config = x->binding->config;

    void **memory = gw_arena_alloc(&x->arena, config->filters_len * sizeof *memory);

    if (memory == NULL)
        return GW_ENOMEM;
    for (uint32_t i = 0; i < config->filters_len; i++) {
        size_t len = config->filters[i].exchange_bytes;
        memory[i] = len > 0 ? gw_exchange_take_memory(x, len) : NULL;
        if (len > 0 && memory[i] == NULL)
            return GW_ENOMEM;
    }
    x->memory = memory;
    return GW_OK;
}

/* A ticket that the hook took, but does not wait for, is void. Unless it was answered already: that
 * answer is this hook's, and it decides then. */
static bool is_answer_due(struct gw_exchange *x)
{
    if (x->wait == NULL)
        return false;
    if (!gw_wait_disarm(&x->of->waits, x->wait))
        return true;
    x->wait = NULL;
    return false;
}

/* A reply that was not given after all leaves nothing in what the upstream will fill. */
static void forget_reply(struct gw_exchange *x)
{
    if (!x->is_replied)
        return;
    x->is_replied = false;
    gw_message_init(&x->response, GW_MESSAGE_RESPONSE, &x->arena, x->of->limits->fields_max);
    gw_chain_clear(&x->response_pipe.chain);
}

static enum gw_filter_result judge(struct gw_exchange *x, gw_verdict verdict)
{
    switch (verdict) {
    case GW_NEXT:
        if (is_answer_due(x))
            return GW_FILTER_WAIT;
        forget_reply(x);
        x->filter_at++;
        return GW_FILTER_DONE;
    case GW_WAIT:
        return x->wait != NULL ? GW_FILTER_WAIT : GW_FILTER_ABORT;
    case GW_REPLY:
        return x->is_replied ? GW_FILTER_REPLY : GW_FILTER_ABORT;
    case GW_ABORT:
        break;
    }
    return GW_FILTER_ABORT;
}

static void enter_hook(struct gw_exchange *x, uint32_t filter)
{
    x->in_hook = true;
    x->hook_memory = x->memory != NULL ? x->memory[filter] : NULL;
}

static void leave_hook(struct gw_exchange *x)
{
    x->in_hook = false;
    x->hook_memory = NULL;
}

enum gw_filter_result gw_filters_request(struct gw_exchange *x)
{
    const gw_config *config = x->binding->config;

    if (config->filters_len > 0 && x->memory == NULL && take_filter_memory(x) != GW_OK)
        return GW_FILTER_NO_MEMORY;
    while (x->filter_at < config->filters_len) {
        const gw_filter *filter = &config->filters[x->filter_at];
        enum gw_filter_result result;
        gw_verdict verdict = GW_NEXT;
        if (filter->on_request != NULL) {
            enter_hook(x, x->filter_at);
            verdict = filter->on_request(filter->ctx, x);
            leave_hook(x);
        }
        result = judge(x, verdict);
        if (result != GW_FILTER_DONE)
            return result;
    }
    return GW_FILTER_DONE;
}

static void filter_resumed(struct gw_exchange *x, void *answer)
{
    const gw_filter *filter = &x->binding->config->filters[x->filter_at];
    gw_verdict verdict = GW_NEXT;

    if (filter->on_resume != NULL) {
        enter_hook(x, x->filter_at);
        verdict = filter->on_resume(filter->ctx, x, GW_SIDE_REQUEST, answer);
        leave_hook(x);
    }
    if (x->phase != GW_PHASE_FILTER || x->waiting != GW_WAITING_FILTER)
        return; /* it was lost meanwhile: the verdict comes too late */
    x->waiting = GW_WAITING_NOT;
    switch (judge(x, verdict)) {
    case GW_FILTER_DONE:
        return;
    case GW_FILTER_WAIT:
        x->waiting = GW_WAITING_FILTER;
        return;
    case GW_FILTER_REPLY:
        gw_reply_host(x);
        return;
    case GW_FILTER_ABORT:
    case GW_FILTER_NO_MEMORY:
        gw_exchange_fail(x, GW_BY_HOST, GW_REASON_host_abort, GW_ECANCELED);
        return;
    }
}

void gw_exchange_resumed(struct gw_exchange *x, void *answer)
{
    if (x->is_origin_started)
        gw_origin_resumed(x, answer);
    else
        filter_resumed(x, answer);
}

void gw_filters_end(struct gw_exchange *x)
{
    const gw_config *config = x->binding->config;

    x->in_hook = true;
    if (x->is_origin_started && x->cluster->origin.on_end != NULL) {
        x->hook_memory = x->origin_memory;
        x->cluster->origin.on_end(x->cluster->origin.ctx, x);
    }
    if (x->call != NULL)
        gw_call_end(x);
    for (uint32_t i = 0; i < config->filters_len && x->call == NULL; i++) {
        x->hook_memory = x->memory != NULL ? x->memory[i] : NULL;
        if (config->filters[i].on_end != NULL)
            config->filters[i].on_end(config->filters[i].ctx, x);
    }
    leave_hook(x);
}
