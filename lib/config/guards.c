/* config/guards.c: each number of the groups is one row: its range, and what 0 means. */

#include "config/guards.h"

#include <stddef.h>

#include "base/assert.h"
#include "config/group.h"
#include "config/probe.h"
#include "config/value.h"

/* What is not counted unless it is named. */
#define FAILURES_ALL (2u * GW_FAILURE_DEADLINE - 1)
#define FAILURES_DEFAULT (FAILURES_ALL & ~(uint32_t)(GW_FAILURE_SERVER_ERROR | GW_FAILURE_DEADLINE))

_Static_assert(FAILURES_ALL == (1u << GW_OUTCOME_OK) - 1, "a bit an outcome");
_Static_assert(GW_FAILURE_CONNECT == 1u << GW_OUTCOME_CONNECT &&
                   GW_FAILURE_GRPC == 1u << GW_OUTCOME_GRPC &&
                   GW_FAILURE_SERVER_ERROR == 1u << GW_OUTCOME_SERVER_ERROR,
               "in that order");

enum {
    DAY_MS = 86400000,
    WINDOW_MS_MAX = 3600000,
    MANY = 1 << 20, /* of anything that is counted */
    GRPC_STATUSES = 17,
    HYSTRIX_TIMEOUT_MS = 1000,
    HYSTRIX_EXCHANGES = 10
};

#define BREAKER(name, least, most, normal, off)                                                    \
    {                                                                                              \
        "breaker." #name, offsetof(gw_breaker_spec, name), least, most, normal, off                \
    }
static const struct gw_number breaker_rows[] = {
    BREAKER(failures, 1, MANY, 5, true),
    BREAKER(error_percent, 1, 100, 50, true),
    BREAKER(volume_min, 1, MANY, 20, false),
    BREAKER(window_ms, 10, WINDOW_MS_MAX, 10000, false),
    BREAKER(sleep_ms, 1, DAY_MS, 5000, false),
    BREAKER(sleep_max_ms, 1, DAY_MS, 60000, false),
    BREAKER(jitter_percent, 1, 100, 10, true),
    BREAKER(probes, 1, GW_BREAKER_PROBES_MAX, 1, false),
    BREAKER(probe_timeout_ms, 1, DAY_MS, 30000, false),
};
static const struct gw_number hystrix_rows[] = {
    BREAKER(failures, 1, MANY, GW_OFF, true),
    BREAKER(error_percent, 1, 100, 50, true),
    BREAKER(volume_min, 1, MANY, 20, false),
    BREAKER(window_ms, 10, WINDOW_MS_MAX, 10000, false),
    BREAKER(sleep_ms, 1, DAY_MS, 5000, false),
    BREAKER(sleep_max_ms, 1, DAY_MS, 5000, false),
    BREAKER(jitter_percent, 1, 100, GW_OFF, true),
    BREAKER(probes, 1, GW_BREAKER_PROBES_MAX, 1, false),
    BREAKER(probe_timeout_ms, 1, DAY_MS, 5000, false),
};
#define OUTLIER(name, least, most, normal, off)                                                    \
    {                                                                                              \
        "outlier." #name, offsetof(gw_outlier_spec, name), least, most, normal, off                \
    }
static const struct gw_number outlier_rows[] = {
    OUTLIER(failures, 1, MANY, 5, true),
    OUTLIER(rate_deviations, 1, 100000, 1900, true),
    OUTLIER(latency_percent, 101, 100000, GW_OFF, true),
    OUTLIER(latency_least_ms, 1, DAY_MS, 10, true),
    OUTLIER(endpoints_min, 2, MANY, 5, false),
    OUTLIER(volume_min, 1, MANY, 100, false),
    OUTLIER(interval_ms, 1, DAY_MS, 10000, false),
    OUTLIER(time_ms, 1, DAY_MS, 30000, false),
    OUTLIER(time_max_ms, 1, DAY_MS, 300000, false),
    OUTLIER(share_percent, 1, 100, 10, false),
};
#define THROTTLE(name, least, most, normal, off)                                                   \
    {                                                                                              \
        "throttle." #name, offsetof(gw_throttle_spec, name), least, most, normal, off              \
    }
static const struct gw_number throttle_rows[] = {
    THROTTLE(success_percent, 1, 100, 60, false),
    THROTTLE(volume_min, 1, MANY, 100, false),
    THROTTLE(window_ms, 10, WINDOW_MS_MAX, 3000, false),
};

#define LEN(rows) (sizeof(rows) / sizeof(rows)[0])

static void take_breaker(const struct gw_part *part, struct gw_cluster_draft *draft)
{
    gw_breaker_spec *own = &draft->breaker;

    if (!gw_group_take(part, "breaker.size", own, sizeof *own, draft->spec.breaker))
        return;
    if (own->preset > GW_BREAKER_HYSTRIX)
        gw_fault_add(part, "breaker.preset", GW_EINVAL, "not a preset");
    if (own->reserved != 0)
        gw_fault_add(part, "breaker.reserved", GW_EINVAL, "it must be 0");
    /* A cap that nobody gave follows. */
    if (own->sleep_max_ms == 0 && own->sleep_ms > 5000 && own->sleep_ms != GW_OFF &&
        (own->preset == GW_BREAKER_HYSTRIX || own->sleep_ms > 60000))
        own->sleep_max_ms = own->sleep_ms;
    if (own->preset == GW_BREAKER_HYSTRIX)
        gw_group_complete(part, hystrix_rows, LEN(hystrix_rows), own);
    else
        gw_group_complete(part, breaker_rows, LEN(breaker_rows), own);
    if (own->failures == 0 && own->error_percent == 0)
        gw_fault_add(part, "breaker.failures", GW_EINVAL,
                     "nothing would open it: failures and error_percent are off");
    if (own->sleep_max_ms < own->sleep_ms)
        gw_fault_add(part, "breaker.sleep_max_ms", GW_EINVAL, "it is less than sleep");
}

static void take_outlier(const struct gw_part *part, struct gw_cluster_draft *draft)
{
    gw_outlier_spec *own = &draft->outlier;

    if (!gw_group_take(part, "outlier.size", own, sizeof *own, draft->spec.outlier))
        return;
    if (own->reserved != 0)
        gw_fault_add(part, "outlier.reserved", GW_EINVAL, "it must be 0");
    if (own->time_max_ms == 0 && own->time_ms > 300000 && own->time_ms != GW_OFF)
        own->time_max_ms = own->time_ms;
    gw_group_complete(part, outlier_rows, LEN(outlier_rows), own);
    if (own->failures == 0 && own->rate_deviations == 0 && own->latency_percent == 0)
        gw_fault_add(part, "outlier.failures", GW_EINVAL,
                     "nothing would eject anybody: failures, rate_deviations and latency_percent "
                     "are off");
    if (own->time_max_ms < own->time_ms)
        gw_fault_add(part, "outlier.time_max_ms", GW_EINVAL, "it is less than time");
}

static void check_counts(const struct gw_part *part, const gw_cluster_spec *spec)
{
    if (spec->failures != GW_OFF && (spec->failures & ~FAILURES_ALL) != 0)
        gw_fault_add(part, "failures", GW_EINVAL, "bits that mean nothing are set");
    if (spec->grpc_failures != GW_OFF &&
        ((spec->grpc_failures & 1) != 0 || spec->grpc_failures >> GRPC_STATUSES != 0))
        gw_fault_add(part, "grpc_failures", GW_EINVAL, "a bit for each of the statuses 1 to 16");
}

static uint32_t ceiling(uint32_t n)
{
    return n == 0 ? GW_OFF : n;
}

static bool has_any(const gw_cluster_spec *s)
{
    return s->breaker != NULL || s->outlier != NULL || s->throttle != NULL || s->health != NULL ||
           ceiling(s->exchanges_max) != GW_OFF || ceiling(s->pending_max) != GW_OFF ||
           ceiling(s->retries_max) != GW_OFF;
}

static uint32_t exchanges_max(const struct gw_cluster_draft *draft)
{
    uint32_t given = draft->spec.exchanges_max;

    return given == 0 && draft->breaker.preset == GW_BREAKER_HYSTRIX ? HYSTRIX_EXCHANGES
                                                                     : ceiling(given);
}

/* Of those that are at once. */
static void check_ceiling(const struct gw_part *part, const char *field, uint32_t n, uint32_t most)
{
    struct gw_text text;

    if (ceiling(n) == GW_OFF || n <= most)
        return;
    text = gw_fault_begin(part, field, GW_EINVAL);
    gw_text_cstr(&text, "it bounds a part of the ");
    gw_text_u64(&text, most);
    gw_text_cstr(&text, " of exchanges_max, and never would");
}

/* What would do nothing was meant otherwise. */
static void check_use(const struct gw_part *part, const struct gw_cluster_draft *draft)
{
    const gw_cluster_spec *s = &draft->spec;
    bool is_counted = s->breaker != NULL || s->outlier != NULL || s->throttle != NULL;

    if (s->origin != NULL && has_any(s))
        gw_fault_add(
            part, "origin", GW_EINVAL,
            "an origin has no breaker, outlier, throttle, ceiling or health: it is the host");
    check_ceiling(part, "pending_max", s->pending_max, exchanges_max(draft));
    check_ceiling(part, "retries_max", s->retries_max, exchanges_max(draft));
    if (s->origin != NULL && ceiling(s->all_connections_max) != GW_OFF)
        gw_fault_add(part, "all_connections_max", GW_EINVAL, "nothing connects to an origin");
    if (s->fallback != NULL && !has_any(s))
        gw_fault_add(part, "fallback", GW_EINVAL,
                     "nothing refuses requests: it needs a breaker, a throttle or a ceiling");
    if (!is_counted && s->failures != 0)
        gw_fault_add(part, "failures", GW_EINVAL, "nothing counts them");
    if (!is_counted && s->grpc_failures != 0)
        gw_fault_add(part, "grpc_failures", GW_EINVAL, "nothing counts them");
    if (!is_counted && s->slow_ms != 0)
        gw_fault_add(part, "slow_ms", GW_EINVAL, "nothing counts it");
    if (s->failures == GW_FAILURE_SLOW && (s->slow_ms == 0 || s->slow_ms == GW_OFF))
        gw_fault_add(part, "failures", GW_EINVAL, "nothing is slow: it needs a time, slow");
}

void gw_guards_copy(const struct gw_part *part, struct gw_cluster_draft *draft)
{
    gw_cluster_spec *spec = &draft->spec;

    take_breaker(part, draft);
    take_outlier(part, draft);
    if (gw_group_take(part, "throttle.size", &draft->throttle, sizeof draft->throttle,
                      spec->throttle))
        gw_group_complete(part, throttle_rows, LEN(throttle_rows), &draft->throttle);
    if (!gw_group_take(part, "fallback.size", &draft->fallback, sizeof draft->fallback,
                       spec->fallback))
        spec->fallback = NULL;
    gw_probe_copy(part, draft);
    check_counts(part, spec);
    check_use(part, draft);
}

void gw_guards_check_fallback(const struct gw_part *part, const gw_fallback_spec *spec)
{
    bool has_cluster = spec->cluster.len > 0, has_reply = spec->code != 0;

    if (has_cluster && has_reply)
        gw_fault_add(part, "fallback.code", GW_EINVAL, "a cluster and a reply exclude each other");
    if (!has_cluster && !has_reply)
        gw_fault_add(part, "fallback.cluster", GW_EINVAL, "a cluster or a reply is needed");
    gw_value_reply(part, &(struct gw_value_reply){ .code = spec->code,
                                                   .type = spec->type,
                                                   .body = spec->body,
                                                   .code_field = "fallback.code",
                                                   .type_field = "fallback.type",
                                                   .body_field = "fallback.body" });
}

/* ---- frozen ---- */

void gw_guards_preset(const struct gw_cluster_draft *draft, struct gw_cluster_conf *out)
{
    if (draft->breaker.preset != GW_BREAKER_HYSTRIX || draft->spec.response_timeout_ms != 0)
        return;
    out->response_timeout = GW_MS(HYSTRIX_TIMEOUT_MS);
    out->has_response_timeout = true;
}

static struct gw_breaker_conf breaker_of(const gw_breaker_spec *s)
{
    return (struct gw_breaker_conf){
        .failures = s->failures,
        .percent = s->error_percent,
        .volume = s->volume_min,
        .window = GW_MS(s->window_ms),
        .sleep = GW_MS(s->sleep_ms),
        .sleep_max = GW_MS(s->sleep_max_ms),
        .jitter = s->jitter_percent,
        .probes = s->probes,
        .probe_timeout = GW_MS(s->probe_timeout_ms),
    };
}

static struct gw_outlier_conf outlier_of(const gw_outlier_spec *s)
{
    return (struct gw_outlier_conf){
        .failures = s->failures,
        .deviations = s->rate_deviations,
        .slow_percent = s->latency_percent,
        .slow_least = GW_MS(s->latency_least_ms),
        .endpoints_min = s->endpoints_min,
        .volume = s->volume_min,
        .interval = GW_MS(s->interval_ms),
        .time = GW_MS(s->time_ms),
        .time_max = GW_MS(s->time_max_ms),
        .share = s->share_percent,
    };
}

static uint32_t bits(uint32_t given, uint32_t when_zero)
{
    return given == GW_OFF ? 0 : given == 0 ? when_zero : given;
}

gw_status gw_guards_freeze(const struct gw_cluster_draft *draft, gw_config *config,
                           const struct gw_guards_conf **out)
{
    const gw_cluster_spec *spec = &draft->spec;
    const gw_fallback_spec *fallback = &draft->fallback;
    const struct gw_probe_conf *probe;
    struct gw_guards_conf *own;

    *out = NULL;
    if (!has_any(spec))
        return GW_OK;
    if (gw_probe_freeze(draft, config, &probe) != GW_OK)
        return GW_ENOMEM;
    own = gw_store_take(&config->store, 1, sizeof *own);
    if (own == NULL)
        return GW_ENOMEM;
    *own = (struct gw_guards_conf){
        .has_breaker = spec->breaker != NULL,
        .has_outlier = spec->outlier != NULL,
        .has_throttle = spec->throttle != NULL,
        .has_fallback = spec->fallback != NULL,
        .breaker = breaker_of(&draft->breaker),
        .outlier = outlier_of(&draft->outlier),
        .throttle = { draft->throttle.success_percent, draft->throttle.volume_min,
                      GW_MS(draft->throttle.window_ms) },
        .probe = probe,
        .failures = bits(spec->failures, FAILURES_DEFAULT),
        .grpc_failures = bits(spec->grpc_failures, 1u << 4 | 1u << 13 | 1u << 14),
        .slow = spec->slow_ms == 0 || spec->slow_ms == GW_OFF ? GW_NEVER : GW_MS(spec->slow_ms),
        .exchanges_max = exchanges_max(draft),
        .pending_max = ceiling(spec->pending_max),
        .retries_max = ceiling(spec->retries_max),
        .fallback = fallback->cluster.len > 0 ? &config->clusters[draft->fallback_cluster] : NULL,
        .reply_code = fallback->code,
        .reply_type = fallback->body.len > 0 && fallback->type.len == 0 ? GW_STR("text/plain")
                                                                        : fallback->type,
        .reply_body = fallback->body,
    };
    *out = own;
    return GW_OK;
}
