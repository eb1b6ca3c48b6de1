/* config/retry.c: what a route says of retries. It must not know what the machine makes of it:
 * exchange/retry.c. */

#include "config/retry.h"

#include <string.h>

#include "base/spec.h"

/* gw/config.h and docs/retries.md say the same. */
enum {
    ON = GW_RETRY_CONNECT | GW_RETRY_REFUSED | GW_RETRY_REUSED,
    ON_ALL = 2 * GW_RETRY_5XX - 1,
    BACKOFF_BASE_MS = 25,
    BACKOFF_GROWTH = 10,
    REPLAY_BYTES = 4096,
    REPLAY_BYTES_MOST = 1 << 30, /* as pipe_bytes_max */
    CODES = GW_RETRY_CODE_MOST - GW_RETRY_CODE_LEAST + 1
};
/* grpc-status is from 0 to 16, and 0 is none that failed. */
#define GRPC_ALL 0x1fffeu

const struct gw_retry_conf gw_retry_default = {
    .on = ON,
    .try_timeout = GW_NEVER,
    .backoff = GW_MS(BACKOFF_BASE_MS),
    .backoff_max = GW_MS(BACKOFF_BASE_MS * BACKOFF_GROWTH),
    .replay_max = REPLAY_BYTES,
};

static void keep_codes(const struct gw_part *part, gw_retry_spec *spec)
{
    struct gw_builder *b = part->builder;
    size_t n = spec->codes == NULL ? 0 : spec->codes_len;
    if (n > CODES) {
        gw_fault_add(part, "retry.codes", GW_ELIMIT, "the list is too long");
        n = 0;
    }
    uint32_t *copy = gw_store_take(&b->store, n, sizeof *copy);
    if (copy == NULL) {
        b->has_no_memory = true;
        n = 0;
    }
    if (n > 0)
        memcpy(copy, spec->codes, n * sizeof *copy);
    spec->codes = copy;
    spec->codes_len = n;
}

static void check_codes(const struct gw_part *part, const gw_retry_spec *spec)
{
    for (size_t i = 0; i < spec->codes_len; i++) {
        char field[GW_ELEMENT_MAX];
        if (spec->codes[i] >= GW_RETRY_CODE_LEAST && spec->codes[i] <= GW_RETRY_CODE_MOST)
            continue;
        gw_fault_add(part, gw_fault_element(field, "retry.codes", i, ""), GW_EINVAL,
                     "it is from 400 to 599");
    }
}

static void check_bits(const struct gw_part *part, const gw_retry_spec *spec)
{
    static const char text[] = "bits that mean nothing are set";
    if (spec->on != GW_OFF && (spec->on & ~(uint32_t)ON_ALL) != 0)
        gw_fault_add(part, "retry.on", GW_EINVAL, text);
    if ((spec->flags & ~(uint32_t)GW_RETRY_UNSAFE) != 0)
        gw_fault_add(part, "retry.flags", GW_EINVAL, text);
    if ((spec->grpc & ~GRPC_ALL) != 0)
        gw_fault_add(part, "retry.grpc", GW_EINVAL, text);
    else if (spec->grpc != 0 && (spec->flags & GW_RETRY_UNSAFE) == 0)
        gw_fault_add(part, "retry.grpc", GW_EINVAL,
                     "a gRPC call is a POST, and a status proves nothing: it needs unsafe as well");
}

static void check_times(const struct gw_part *part, const gw_route_spec *route)
{
    const gw_retry_spec *spec = route->retry;
    uint32_t base = spec->backoff_base_ms, max = spec->backoff_max_ms;
    uint32_t whole = route->request_timeout_ms, each = spec->per_try_timeout_ms;
    if (max == GW_OFF)
        gw_fault_add(part, "retry.backoff_max_ms", GW_EINVAL, "a backoff has a bound");
    else if (max > 0 && base != GW_OFF && base > max)
        gw_fault_add(part, "retry.backoff_max_ms", GW_EINVAL, "it is less than the base");
    else if (max > 0 && base == GW_OFF)
        gw_fault_add(part, "retry.backoff_max_ms", GW_EINVAL, "there is no backoff");
    if (each != 0 && each != GW_OFF && whole != 0 && each >= whole)
        gw_fault_add(part, "retry.per_try_timeout_ms", GW_EINVAL,
                     "one try has no less time than the whole exchange");
}

/* What says when there is another try, where there is none. */
static void check_use(const struct gw_part *part, const gw_route_spec *route)
{
    const gw_retry_spec *spec = route->retry;
    static const char text[] = "there are no retries";
    if (route->retries != GW_OFF)
        return;
    if (spec->on != 0 && spec->on != GW_OFF)
        gw_fault_add(part, "retry.on", GW_EINVAL, text);
    if (spec->codes_len > 0)
        gw_fault_add(part, "retry.codes", GW_EINVAL, text);
    if (spec->grpc != 0)
        gw_fault_add(part, "retry.grpc", GW_EINVAL, text);
    if (spec->backoff_base_ms != 0 && spec->backoff_base_ms != GW_OFF)
        gw_fault_add(part, "retry.backoff_base_ms", GW_EINVAL, text);
    if (spec->backoff_max_ms != 0 && spec->backoff_max_ms != GW_OFF)
        gw_fault_add(part, "retry.backoff_max_ms", GW_EINVAL, text);
}

static void check_replay(const struct gw_part *part, const gw_route_spec *route)
{
    uint32_t max = route->retry->replay_bytes_max;
    if (max == 0 || max == GW_OFF)
        return;
    if (max > REPLAY_BYTES_MOST)
        gw_fault_add(part, "retry.replay_bytes_max", GW_EINVAL, "it is up to 1 GiB, or off");
    else if (route->retries == GW_OFF)
        gw_fault_add(part, "retry.replay_bytes_max", GW_EINVAL, "there are no retries");
}

void gw_retry_take(const struct gw_part *part, struct gw_route_draft *draft)
{
    const gw_retry_spec *given = draft->spec.retry;
    if (given == NULL)
        return;
    draft->spec.retry = NULL;
    if (gw_spec_copy(&draft->retry, sizeof draft->retry, given) != GW_OK) {
        gw_fault_add(part, "retry.size", GW_EINVAL, "start it as GW_SPEC(gw_retry_spec)");
        return;
    }
    draft->spec.retry = &draft->retry;
    if (draft->spec.reply_code != 0)
        gw_fault_add(part, "retry", GW_EINVAL, "a reply is not retried");
    keep_codes(part, &draft->retry);
    check_codes(part, &draft->retry);
    check_bits(part, &draft->retry);
    check_times(part, &draft->spec);
    check_replay(part, &draft->spec);
    check_use(part, &draft->spec);
}

static void add_code(struct gw_retry_conf *out, uint32_t code)
{
    uint32_t at = code - GW_RETRY_CODE_LEAST;
    out->codes[at / 64] |= UINT64_C(1) << at % 64;
}

static void fill_codes(const gw_retry_spec *spec, struct gw_retry_conf *out)
{
    for (size_t i = 0; i < spec->codes_len; i++)
        add_code(out, spec->codes[i]);
    for (uint32_t code = 500; code <= 599 && (out->on & GW_RETRY_5XX) != 0; code++)
        add_code(out, code);
    for (uint32_t code = 502; code <= 504 && (out->on & GW_RETRY_GATEWAY_ERROR) != 0; code++)
        add_code(out, code);
}

static void fill_times(const gw_retry_spec *spec, struct gw_retry_conf *out)
{
    uint64_t base = spec->backoff_base_ms == GW_OFF ? 0
                    : spec->backoff_base_ms == 0    ? BACKOFF_BASE_MS
                                                    : spec->backoff_base_ms;
    uint64_t max = spec->backoff_max_ms == 0 ? base * BACKOFF_GROWTH : spec->backoff_max_ms;
    uint32_t each = spec->per_try_timeout_ms;
    out->try_timeout = each == 0 || each == GW_OFF ? GW_NEVER : GW_MS((uint64_t)each);
    out->backoff = GW_MS(base < max ? base : max);
    out->backoff_max = GW_MS(max);
    out->has_backoff = spec->backoff_base_ms != 0 && spec->backoff_base_ms != GW_OFF;
}

gw_status gw_retry_freeze(const struct gw_route_draft *draft, gw_config *config,
                          struct gw_route_conf *out)
{
    const gw_retry_spec *spec = draft->spec.retry;
    out->retry = &gw_retry_default;
    if (spec == NULL)
        return GW_OK;
    struct gw_retry_conf *own = gw_store_take(&config->store, 1, sizeof *own);
    if (own == NULL)
        return GW_ENOMEM;
    own->on = spec->on == 0 ? ON : spec->on == GW_OFF ? 0 : spec->on;
    own->grpc = spec->grpc;
    own->is_unsafe = (spec->flags & GW_RETRY_UNSAFE) != 0;
    fill_codes(spec, own);
    fill_times(spec, own);
    own->replay_max = spec->replay_bytes_max == 0        ? REPLAY_BYTES
                      : spec->replay_bytes_max == GW_OFF ? 0
                                                         : spec->replay_bytes_max;
    out->retry = own;
    return GW_OK;
}
