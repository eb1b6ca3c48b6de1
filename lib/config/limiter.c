/* config/limiter.c: checks of limiters, and their tables. */

#include "config/limiter.h"

#include "config/keys.h"

/* The defaults; gw/config.h and docs/limiting.md say the same. */
enum { PERIOD_MS = 1000, KEYS = 8192, CODE = 429, GRPC_STATUS = 8 };
/* The time of a worker's part is as many times longer as there are workers. */
enum { PERIOD_PER_WORKER_MAX_MS = 3600000 };

static uint32_t number(uint32_t n, uint32_t when_zero)
{
    return n == 0 ? when_zero : n;
}

/* ---- checks ---- */

static void check_rate(const struct gw_part *part, const gw_limiter_spec *spec)
{
    uint32_t period = number(spec->period_ms, PERIOD_MS);
    struct gw_rate rate;
    if (spec->concurrency != 0)
        gw_fault_add(part, "concurrency", GW_EINVAL,
                     "a rate and a ceiling exclude each other; a route may name two limiters");
    if (gw_rate_init(&rate, spec->tokens, GW_MS(period), number(spec->burst, spec->tokens)) !=
        GW_OK)
        gw_fault_add(part, "burst", GW_EINVAL, "it would take more than a year to come back");
    if (spec->scope == GW_SCOPE_PER_WORKER && period > PERIOD_PER_WORKER_MAX_MS)
        gw_fault_add(part, "period_ms", GW_EINVAL, "a worker's own is at most an hour");
}

static void check_ceiling(const struct gw_part *part, const gw_limiter_spec *spec)
{
    if (spec->concurrency == 0)
        gw_fault_add(part, "tokens", GW_EINVAL, "a rate or a ceiling is needed");
    if (spec->period_ms != 0)
        gw_fault_add(part, "period_ms", GW_EINVAL, "without a rate it says nothing");
    if (spec->burst != 0)
        gw_fault_add(part, "burst", GW_EINVAL, "without a rate it says nothing");
}

void gw_value_limiter(const struct gw_part *part, const gw_limiter_spec *spec)
{
    if (spec->tokens != 0)
        check_rate(part, spec);
    else
        check_ceiling(part, spec);
    if (spec->tokens == GW_OFF)
        gw_fault_add(part, "tokens", GW_EINVAL, "too many");
    if (spec->period_ms == GW_OFF)
        gw_fault_add(part, "period_ms", GW_EINVAL, "too long");
    if (spec->scope > GW_SCOPE_PER_WORKER)
        gw_fault_add(part, "scope", GW_EINVAL, "not a scope");
    if (spec->keys_max > GW_LIMITER_TABLE_MAX)
        gw_fault_add(part, "keys_max", GW_EINVAL, "it is from 1 to 1,048,576");
    if (spec->keys_max != 0 && spec->keys_len == 0)
        gw_fault_add(part, "keys_max", GW_EINVAL, "without keys it says nothing");
    if ((spec->flags & (GW_LIMITER_KEYED | GW_LIMITER_CLOSED)) != 0 && spec->keys_len == 0)
        gw_fault_add(part, "flags", GW_EINVAL, "without keys KEYED and CLOSED say nothing");
    if (spec->code != 0 && (spec->code < 400 || spec->code > 599))
        gw_fault_add(part, "code", GW_EINVAL, "it is from 400 to 599");
    if (spec->grpc_status > 16)
        gw_fault_add(part, "grpc_status", GW_EINVAL, "it is from 1 to 16");
    if (spec->reserved != 0)
        gw_fault_add(part, "reserved", GW_EINVAL, "it must be 0");
}

/* ---- tables ---- */

void gw_limiter_policy(struct gw_text *text, gw_str name, uint64_t quota, uint64_t window_ns)
{
    gw_text_cstr(text, "\"");
    gw_text_str(text, name);
    gw_text_cstr(text, "\";q=");
    gw_text_u64(text, quota);
    if (window_ns == 0)
        return;
    gw_text_cstr(text, ";w=");
    gw_text_u64(text, (window_ns + GW_MS(1000) - 1) / GW_MS(1000));
}

static gw_status make_policy(gw_config *config, struct gw_limiter_conf *out)
{
    enum { NUMBERS = 2 * GW_U64_TEXT_MAX + 16 };
    const struct gw_limit_params *p = &out->params;
    size_t size = out->name.len + NUMBERS;
    char *at = gw_store_take(&config->store, size, 1);
    uint64_t window = 0;
    struct gw_text text;
    if (at == NULL)
        return GW_ENOMEM;
    gw_text_init(&text, at, size);
    if (p->tokens > 0)
        window = p->period_ns / p->tokens * p->burst +
                 (p->period_ns % p->tokens * p->burst + p->tokens - 1) / p->tokens;
    gw_limiter_policy(&text, out->name, p->tokens > 0 ? p->burst : p->ceiling, window);
    out->policy = (gw_str){ at, (size_t)(text.at - text.start) };
    return GW_OK;
}

static gw_status freeze(const struct gw_limiter_draft *draft, gw_config *config,
                        struct gw_limiter_conf *out)
{
    const gw_limiter_spec *spec = &draft->spec;
    *out = (struct gw_limiter_conf){
        .name = spec->name,
        .index = draft->draft.index,
        .flags = spec->flags,
        .code = number(spec->code, CODE),
        .grpc_status = number(spec->grpc_status, GRPC_STATUS),
    };
    out->params = (struct gw_limit_params){
        .tokens = spec->tokens,
        .ceiling = spec->concurrency,
        .sets = spec->keys_len > 0 ? gw_table_sets(number(spec->keys_max, KEYS)) : 0,
        .is_shared = spec->scope != GW_SCOPE_PER_WORKER,
    };
    if (spec->tokens > 0) {
        out->params.period_ns = GW_MS(number(spec->period_ms, PERIOD_MS));
        out->params.burst = number(spec->burst, spec->tokens);
    }
    gw_status status = gw_keys_freeze(&config->store, spec->keys, spec->keys_len, &out->keys,
                                      &out->keys_len);
    return status == GW_OK ? make_policy(config, out) : status;
}

gw_status gw_limiters_freeze(const struct gw_builder *b, gw_config *config)
{
    gw_status status = GW_OK;
    config->limiters = gw_store_take(&config->store, b->limiters.len, sizeof *config->limiters);
    if (config->limiters == NULL)
        return GW_ENOMEM;
    config->limiters_len = b->limiters.len;
    for (const struct gw_draft *d = b->limiters.first; d != NULL && status == GW_OK; d = d->next)
        status = freeze((const struct gw_limiter_draft *)(const void *)d, config,
                        &config->limiters[d->index]);
    return status;
}
