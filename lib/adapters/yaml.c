/* adapters/yaml.c: the vocabulary of a configuration file, and its way through the public builder.
 * Whatever a file can say, C can say. Each part's mark is the number of its node, so that a fault
 * that the builder finds gets the place where it was written. */

#include <gw/yaml.h>

#include "adapters/descriptors.h"
#include "adapters/yaml_tls.h"
#include "adapters/yaml_tree.h"
#include "adapters/yaml_value.h"
#include "base/assert.h"
#include "base/nearest.h"
#include "base/spec.h"
#include "os/env.h"

/* Marks of ours; a host that adds parts has its own, most likely small numbers. */
#define MARK_BASE 0x79616d6cu

enum { ANSWERS_MAX = 64, SPLITS_MAX = 32 };

/* --- the vocabulary --- */

#define TABLE(fields)                                                                              \
    {                                                                                              \
        (fields), sizeof(fields) / sizeof(fields)[0]                                               \
    }
#define LATER(key)                                                                                 \
    {                                                                                              \
        (key), GW_YAML_LATER, 0, 0, 0, 0, NULL                                                     \
    }
#define MS_MAX (1193u * 3600000) /* whole hours */
/* As GW_STR, where a constant is needed. */
#define WORD(text)                                                                                 \
    {                                                                                              \
        "" text, sizeof(text) - 1                                                                  \
    }

struct top {
    gw_yaml_settings settings;
    gw_limits limits;
    uint64_t memory;
    uint32_t log_format;
    gw_str log_path;
    const struct gw_yaml_node *listeners, *clusters, *limiters, *descriptors, *routes, *access_log;
    struct gw_yaml_texts trusted; /* by every listener that does not say whom it trusts */
};
static const struct gw_yaml_word backends[] = { { "auto", GW_BACKEND_AUTO + 1 },
                                                { "epoll", GW_BACKEND_EPOLL + 1 },
                                                { "poll", GW_BACKEND_POLL + 1 },
                                                { "io_uring", GW_BACKEND_URING + 1 },
                                                { NULL, 0 } };
static const struct gw_yaml_word log_formats[] = { { "json", 1 }, { "text", 0 }, { NULL, 0 } };

#define LIMIT(key, type, field, least, most)                                                       \
    {                                                                                              \
        (key), (type), offsetof(struct top, limits.field), (least), (most), 0, NULL                \
    }
/* The ranges are those of gw_limits. */
static const struct gw_yaml_field limit_fields[] = {
    { "memory", GW_YAML_LONG, offsetof(struct top, memory), 1u << 20, 1ull << 38, 0, NULL },
    LIMIT("connections", GW_YAML_COUNT, links_max, 1, 1u << 22),
    LIMIT("exchanges", GW_YAML_COUNT, exchanges_max, 1, 1u << 22),
    LIMIT("head", GW_YAML_SIZE, head_bytes_max, 512, 1u << 20),
    LIMIT("fields", GW_YAML_COUNT, fields_max, 1, 10000),
    LIMIT("body", GW_YAML_LONG, body_bytes_max, 0, UINT64_MAX - 1),
    LIMIT("pipe", GW_YAML_SIZE, pipe_bytes_max, 1024, 1u << 30),
    LIMIT("h2_streams", GW_YAML_COUNT, h2_streams_max, 1, 65535),
    LIMIT("records", GW_YAML_COUNT, records_max, 1, 65536),
    LIMIT("tls_connections", GW_YAML_COUNT, tls_links_max, 1, 1u << 22),
};
static const struct gw_yaml_table limit_table = TABLE(limit_fields);

static const struct gw_yaml_field log_fields[] = {
    { "path", GW_YAML_TEXT, offsetof(struct top, log_path), 1,
      sizeof((gw_yaml_settings *)NULL)->access_log_path - 1, 0, NULL },
    { "format", GW_YAML_WORD, offsetof(struct top, log_format), 0, 0, 0, log_formats },
};
static const struct gw_yaml_table log_table = TABLE(log_fields);

static const struct gw_yaml_field top_fields[] = {
    { "workers", GW_YAML_COUNT, offsetof(struct top, settings.workers), 1, 1024, 0, NULL },
    { "backend", GW_YAML_WORD, offsetof(struct top, settings.backend), 0, 0, 0, backends },
    { "limits", GW_YAML_FIELDS, 0, 0, 0, 0, &limit_table },
    { "drain", GW_YAML_DURATION, offsetof(struct top, settings.drain_ms), 1, MS_MAX, 0, NULL },
    { "listeners", GW_YAML_NODE, offsetof(struct top, listeners), 0, 0, 0, NULL },
    { "clusters", GW_YAML_NODE, offsetof(struct top, clusters), 0, 0, 0, NULL },
    { "routes", GW_YAML_NODE, offsetof(struct top, routes), 0, 0, 0, NULL },
    { "access_log", GW_YAML_NODE, offsetof(struct top, access_log), 0, 0, 0, NULL },
    { "trusted_proxies", GW_YAML_TEXTS, offsetof(struct top, trusted), 0, 0, 0, NULL },
    { "limiters", GW_YAML_NODE, offsetof(struct top, limiters), 0, 0, 0, NULL },
    { "descriptors", GW_YAML_NODE, offsetof(struct top, descriptors), 0, 0, 0, NULL },
    LATER("admin"),
};
static const struct gw_yaml_table top_table = TABLE(top_fields);

#define TIME(key, spec, field)                                                                     \
    {                                                                                              \
        (key), GW_YAML_DURATION, offsetof(spec, field), 1, MS_MAX, GW_OFF, NULL                    \
    }
#define NAME(key, spec, field)                                                                     \
    {                                                                                              \
        (key), GW_YAML_TEXT, offsetof(spec, field), 1, 0, 0, NULL                                  \
    }

static const struct gw_yaml_word protocols[] = {
    { "h1", GW_PROTO_H1 }, { "h2", GW_PROTO_H2 }, { "tls", GW_PROTO_TLS }, { NULL, 0 }
};
struct listener {
    gw_listener_spec spec;
    struct gw_yaml_texts trusted;
    const struct gw_yaml_node *tls;
};
static const struct gw_yaml_word forwardeds[] = { { "x-forwarded", GW_FORWARDED_X },
                                                  { "rfc7239", GW_FORWARDED_RFC7239 },
                                                  { "off", GW_OFF },
                                                  { NULL, 0 } };
static const struct gw_yaml_field listener_times[] = {
    TIME("head", struct listener, spec.head_timeout_ms),
    TIME("body_idle", struct listener, spec.body_idle_timeout_ms),
    TIME("idle", struct listener, spec.idle_timeout_ms),
};
static const struct gw_yaml_table listener_times_table = TABLE(listener_times);
static const struct gw_yaml_field connection_fields[] = {
    TIME("age", struct listener, spec.age_ms),
    { "age_jitter", GW_YAML_COUNT, offsetof(struct listener, spec.age_jitter_percent), 1, 90,
      GW_OFF, NULL },
    TIME("age_grace", struct listener, spec.age_grace_ms),
    { "requests", GW_YAML_COUNT, offsetof(struct listener, spec.requests_max), 1, UINT32_MAX - 1,
      GW_OFF, NULL },
};
static const struct gw_yaml_table connection_table = TABLE(connection_fields);
static const struct gw_yaml_field listener_fields[] = {
    NAME("name", struct listener, spec.name),
    NAME("address", struct listener, spec.address),
    { "protocols", GW_YAML_WORDS, offsetof(struct listener, spec.protocols), 0, 0, 0, protocols },
    { "timeouts", GW_YAML_FIELDS, 0, 0, 0, 0, &listener_times_table },
    { "connection", GW_YAML_FIELDS, 0, 0, 0, 0, &connection_table },
    { "body_rate", GW_YAML_COUNT, offsetof(struct listener, spec.body_rate), 1, 1000000, GW_OFF,
      NULL },
    { "trusted_proxies", GW_YAML_TEXTS, offsetof(struct listener, trusted), 0, 0, 0, NULL },
    { "trusted_hops", GW_YAML_COUNT, offsetof(struct listener, spec.trusted_hops), 1, 32, GW_OFF,
      NULL },
    { "forwarded", GW_YAML_WORD, offsetof(struct listener, spec.forwarded), 0, 0, 0, forwardeds },
    NAME("via", struct listener, spec.via),
    { "tls", GW_YAML_NODE, offsetof(struct listener, tls), 0, 0, 0, NULL },
};
static const struct gw_yaml_table listener_table = TABLE(listener_fields);

/* By their names in the specification of gRPC. */
static const struct gw_yaml_word grpc_statuses[] = {
    { "cancelled", 1u << 1 },
    { "unknown", 1u << 2 },
    { "invalid_argument", 1u << 3 },
    { "deadline_exceeded", 1u << 4 },
    { "not_found", 1u << 5 },
    { "already_exists", 1u << 6 },
    { "permission_denied", 1u << 7 },
    { "resource_exhausted", 1u << 8 },
    { "failed_precondition", 1u << 9 },
    { "aborted", 1u << 10 },
    { "out_of_range", 1u << 11 },
    { "unimplemented", 1u << 12 },
    { "internal", 1u << 13 },
    { "unavailable", 1u << 14 },
    { "data_loss", 1u << 15 },
    { "unauthenticated", 1u << 16 },
    { NULL, 0 },
};

struct cluster {
    gw_cluster_spec spec;
    gw_breaker_spec breaker;
    gw_outlier_spec outlier;
    gw_throttle_spec throttle;
    gw_fallback_spec fallback;
    gw_affinity_spec affinity;
    uint32_t is_secure, is_http_only;
    gw_health_spec health;
    struct gw_yaml_texts health_expect;
    uint32_t pool_idle_ms; /* another word for idle_timeout_ms */
    uint32_t is_live;
    const struct gw_yaml_node *endpoints, *tls;
    gw_dns_spec dns;
    struct gw_yaml_texts dns_servers;
    gw_hash_spec hash;
    struct gw_yaml_texts hash_keys;
    uint32_t hash_on; /* another way to write the one key that there is */
    gw_str hash_name;
};
static const struct gw_yaml_word cluster_protocols[] = { { "h1", GW_PROTO_H1 },
                                                         { "h2", GW_PROTO_H2 },
                                                         { "tcp", GW_PROTO_TCP },
                                                         { "auto", 0 },
                                                         { NULL, 0 } };
static const struct gw_yaml_word policies[] = { { "round_robin", GW_BALANCE_ROUND_ROBIN },
                                                { "consistent_hash", GW_BALANCE_CONSISTENT_HASH },
                                                { "least_request", GW_BALANCE_LEAST_REQUEST },
                                                { "random", GW_BALANCE_RANDOM },
                                                { NULL, 0 } };
/* Keys: the words of gw_hash_spec; from NAMED on a name follows. */
enum { ON_CLIENT = 1, ON_PATH, ON_GIVEN, ON_NAMED };
static const struct gw_yaml_word hash_ons[] = {
    { "client", ON_CLIENT },      { "path", ON_PATH },        { "given", ON_GIVEN },
    { "header", ON_NAMED },       { "cookie", ON_NAMED + 1 }, { "query", ON_NAMED + 2 },
    { "metadata", ON_NAMED + 3 }, { "label", ON_NAMED + 4 },  { NULL, 0 }
};
static const struct gw_yaml_field hash_fields[] = {
    { "on", GW_YAML_WORD, offsetof(struct cluster, hash_on), 0, 0, 0, hash_ons },
    NAME("name", struct cluster, hash_name),
    { "keys", GW_YAML_TEXTS, offsetof(struct cluster, hash_keys), 1, 0, 0, NULL },
    { "points", GW_YAML_COUNT, offsetof(struct cluster, hash.points), 1, 65536, 0, NULL },
    { "unit", GW_YAML_COUNT, offsetof(struct cluster, hash.unit), 1, 65535, 0, NULL },
    { "load_percent", GW_YAML_COUNT, offsetof(struct cluster, hash.load_percent), 100, 1000, 0,
      NULL },
};
static const struct gw_yaml_table hash_table = TABLE(hash_fields);
static const struct gw_yaml_field balance_fields[] = {
    { "policy", GW_YAML_WORD, offsetof(struct cluster, spec.balance), 0, 0, 0, policies },
    NAME("balancer", struct cluster, spec.balancer),
    { "hash", GW_YAML_FIELDS, 0, 0, 0, 0, &hash_table },
    { "choices", GW_YAML_COUNT, offsetof(struct cluster, spec.choices), 2, 8, 0, NULL },
    { "panic_percent", GW_YAML_COUNT, offsetof(struct cluster, spec.panic_percent), 1, 100, GW_OFF,
      NULL },
    { "spare_percent", GW_YAML_COUNT, offsetof(struct cluster, spec.spare_percent), 100, 1000, 0,
      NULL },
    TIME("slow_start", struct cluster, spec.slow_start_ms),
};
static const struct gw_yaml_table balance_table = TABLE(balance_fields);
static const struct gw_yaml_field cluster_times[] = {
    TIME("connect", struct cluster, spec.connect_timeout_ms),
    TIME("response", struct cluster, spec.response_timeout_ms),
    TIME("idle", struct cluster, spec.idle_timeout_ms),
};
static const struct gw_yaml_table cluster_times_table = TABLE(cluster_times);
#define POOL_COUNT(key, field)                                                                     \
    {                                                                                              \
        (key), GW_YAML_COUNT, offsetof(struct cluster, spec.field), 1, UINT32_MAX - 1, GW_OFF,     \
            NULL                                                                                   \
    }
static const struct gw_yaml_field pool_fields[] = {
    POOL_COUNT("connections", connections_max),
    POOL_COUNT("streams", streams_max),
    POOL_COUNT("requests", requests_max),
    TIME("idle", struct cluster, pool_idle_ms),
    TIME("age", struct cluster, spec.age_ms),
    { "age_jitter", GW_YAML_COUNT, offsetof(struct cluster, spec.age_jitter_percent), 1, 90, GW_OFF,
      NULL },
};
static const struct gw_yaml_table pool_table = TABLE(pool_fields);
static const struct gw_yaml_field budget_fields[] = {
    { "percent", GW_YAML_COUNT, offsetof(struct cluster, spec.retry_percent), 1, 1000, GW_OFF,
      NULL },
    { "least", GW_YAML_COUNT, offsetof(struct cluster, spec.retry_least), 1, UINT32_MAX - 1, GW_OFF,
      NULL },
};
static const struct gw_yaml_table budget_table = TABLE(budget_fields);
/* The builder knows the ranges, and what may be off. */
#define GUARD_COUNT(key, field)                                                                    \
    {                                                                                              \
        (key), GW_YAML_COUNT, offsetof(struct cluster, field), 0, UINT32_MAX - 1, GW_OFF, NULL     \
    }
#define GUARD_TIME(key, field)                                                                     \
    {                                                                                              \
        (key), GW_YAML_DURATION, offsetof(struct cluster, field), 0, MS_MAX, GW_OFF, NULL          \
    }
static const struct gw_yaml_word presets[] = { { "hystrix", GW_BREAKER_HYSTRIX }, { NULL, 0 } };
static const struct gw_yaml_field breaker_fields[] = {
    { "preset", GW_YAML_WORD, offsetof(struct cluster, breaker.preset), 0, 0, 0, presets },
    GUARD_COUNT("failures", breaker.failures),
    GUARD_COUNT("error_percent", breaker.error_percent),
    GUARD_COUNT("volume", breaker.volume_min),
    GUARD_TIME("window", breaker.window_ms),
    GUARD_TIME("sleep", breaker.sleep_ms),
    GUARD_TIME("sleep_max", breaker.sleep_max_ms),
    GUARD_COUNT("jitter_percent", breaker.jitter_percent),
    GUARD_COUNT("probes", breaker.probes),
    GUARD_TIME("probe_timeout", breaker.probe_timeout_ms),
};
static const struct gw_yaml_table breaker_table = TABLE(breaker_fields);
static const struct gw_yaml_field outlier_fields[] = {
    GUARD_COUNT("failures", outlier.failures),
    GUARD_COUNT("rate_deviations", outlier.rate_deviations),
    GUARD_COUNT("latency_percent", outlier.latency_percent),
    GUARD_TIME("latency_least", outlier.latency_least_ms),
    GUARD_COUNT("endpoints", outlier.endpoints_min),
    GUARD_COUNT("volume", outlier.volume_min),
    GUARD_TIME("interval", outlier.interval_ms),
    GUARD_TIME("time", outlier.time_ms),
    GUARD_TIME("time_max", outlier.time_max_ms),
    GUARD_COUNT("share_percent", outlier.share_percent),
};
static const struct gw_yaml_table outlier_table = TABLE(outlier_fields);
static const struct gw_yaml_field throttle_fields[] = {
    GUARD_COUNT("success_percent", throttle.success_percent),
    GUARD_COUNT("volume", throttle.volume_min),
    GUARD_TIME("window", throttle.window_ms),
};
static const struct gw_yaml_table throttle_table = TABLE(throttle_fields);
static const struct gw_yaml_field fallback_fields[] = {
    { "status", GW_YAML_COUNT, offsetof(struct cluster, fallback.code), 200, 599, 0, NULL },
    NAME("type", struct cluster, fallback.type),
    { "body", GW_YAML_TEXT, offsetof(struct cluster, fallback.body), 0, 0, 0, NULL },
    NAME("cluster", struct cluster, fallback.cluster),
};
static const struct gw_yaml_table fallback_table = TABLE(fallback_fields);
static const struct gw_yaml_word same_sites[] = { { "lax", GW_SAME_SITE_LAX },
                                                  { "strict", GW_SAME_SITE_STRICT },
                                                  { "none", GW_SAME_SITE_NONE },
                                                  { "off", GW_OFF },
                                                  { NULL, 0 } };
static const struct gw_yaml_field affinity_fields[] = {
    NAME("cookie", struct cluster, affinity.cookie),
    { "ttl", GW_YAML_DURATION, offsetof(struct cluster, affinity.ttl_ms), 1, MS_MAX, 0, NULL },
    NAME("path", struct cluster, affinity.path),
    NAME("secret", struct cluster, affinity.secret),
    { "secure", GW_YAML_TRUTH, offsetof(struct cluster, is_secure), 0, 0, 0, NULL },
    { "http_only", GW_YAML_TRUTH, offsetof(struct cluster, is_http_only), 0, 0, 0, NULL },
    { "same_site", GW_YAML_WORD, offsetof(struct cluster, affinity.same_site), 0, 0, 0,
      same_sites },
};
static const struct gw_yaml_table affinity_table = TABLE(affinity_fields);
static const struct gw_yaml_word health_kinds[] = {
    { "http", GW_HEALTH_HTTP }, { "tcp", GW_HEALTH_TCP }, { "grpc", GW_HEALTH_GRPC }, { NULL, 0 }
};
static const struct gw_yaml_word health_firsts[] = { { "asked", GW_HEALTH_FIRST_ASKED },
                                                     { "left_out", GW_HEALTH_FIRST_LEFT_OUT },
                                                     { NULL, 0 } };
static const struct gw_yaml_field health_fields[] = {
    { "kind", GW_YAML_WORD, offsetof(struct cluster, health.kind), 0, 0, 0, health_kinds },
    GUARD_TIME("interval", health.interval_ms),
    GUARD_TIME("unhealthy_interval", health.unhealthy_interval_ms),
    GUARD_COUNT("jitter_percent", health.jitter_percent),
    GUARD_TIME("timeout", health.timeout_ms),
    GUARD_COUNT("rise", health.rise),
    GUARD_COUNT("fall", health.fall),
    { "first", GW_YAML_WORD, offsetof(struct cluster, health.first), 0, 0, 0, health_firsts },
    GUARD_COUNT("port", health.port),
    NAME("method", struct cluster, health.method),
    NAME("path", struct cluster, health.path),
    NAME("host", struct cluster, health.host),
    NAME("service", struct cluster, health.service),
    { "expect", GW_YAML_TEXTS, offsetof(struct cluster, health_expect), 1, 0, 0, NULL },
};
static const struct gw_yaml_table health_table = TABLE(health_fields);
static const struct gw_yaml_field ceiling_fields[] = {
    POOL_COUNT("exchanges", exchanges_max),
    POOL_COUNT("pending", pending_max),
    POOL_COUNT("retries", retries_max),
    POOL_COUNT("connections", all_connections_max),
};
static const struct gw_yaml_table ceiling_table = TABLE(ceiling_fields);
static const struct gw_yaml_word failures[] = {
    { "connect", GW_FAILURE_CONNECT },   { "timeout", GW_FAILURE_TIMEOUT },
    { "reset", GW_FAILURE_RESET },       { "malformed", GW_FAILURE_MALFORMED },
    { "status", GW_FAILURE_STATUS },     { "grpc", GW_FAILURE_GRPC },
    { "slow", GW_FAILURE_SLOW },         { "server_error", GW_FAILURE_SERVER_ERROR },
    { "deadline", GW_FAILURE_DEADLINE }, { NULL, 0 },
};
static const struct gw_yaml_word dns_types[] = { { "a", GW_DNS_A },
                                                 { "aaaa", GW_DNS_AAAA },
                                                 { "a+aaaa", GW_DNS_A | GW_DNS_AAAA },
                                                 { "srv", GW_DNS_SRV },
                                                 { "srv+a", GW_DNS_SRV | GW_DNS_A },
                                                 { "srv+aaaa", GW_DNS_SRV | GW_DNS_AAAA },
                                                 { NULL, 0 } };
static const struct gw_yaml_field dns_ttl_fields[] = {
    GUARD_TIME("min", dns.ttl_min_ms),
    GUARD_TIME("max", dns.ttl_max_ms),
};
static const struct gw_yaml_table dns_ttl_table = TABLE(dns_ttl_fields);
static const struct gw_yaml_field dns_retry_fields[] = {
    GUARD_TIME("base", dns.retry_ms),
    GUARD_TIME("max", dns.retry_max_ms),
};
static const struct gw_yaml_table dns_retry_table = TABLE(dns_retry_fields);
static const struct gw_yaml_field dns_fields[] = {
    { "name", GW_YAML_TEXT, offsetof(struct cluster, dns.name), 0, 0, 0, NULL },
    { "port", GW_YAML_COUNT, offsetof(struct cluster, dns.port), 1, 65535, 0, NULL },
    { "type", GW_YAML_WORD, offsetof(struct cluster, dns.types), 0, 0, 0, dns_types },
    { "ttl", GW_YAML_FIELDS, 0, 0, 0, 0, &dns_ttl_table },
    { "retry", GW_YAML_FIELDS, 0, 0, 0, 0, &dns_retry_table },
    GUARD_TIME("stale", dns.stale_ms),
    GUARD_TIME("empty", dns.empty_ms),
    { "servers", GW_YAML_TEXTS, offsetof(struct cluster, dns_servers), 1, 0, 0, NULL },
};
static const struct gw_yaml_table dns_table = TABLE(dns_fields);
static const struct gw_yaml_field cluster_fields[] = {
    NAME("name", struct cluster, spec.name),
    { "protocol", GW_YAML_WORD, offsetof(struct cluster, spec.protocols), 0, 0, 0,
      cluster_protocols },
    { "balance", GW_YAML_FIELDS, 0, 0, 0, 0, &balance_table },
    { "endpoints", GW_YAML_NODE, offsetof(struct cluster, endpoints), 0, 0, 0, NULL },
    { "dns", GW_YAML_FIELDS, 0, 0, 0, 0, &dns_table },
    { "timeouts", GW_YAML_FIELDS, 0, 0, 0, 0, &cluster_times_table },
    { "pool", GW_YAML_FIELDS, 0, 0, 0, 0, &pool_table },
    { "retry_budget", GW_YAML_FIELDS, 0, 0, 0, 0, &budget_table },
    { "live", GW_YAML_TRUTH, offsetof(struct cluster, is_live), 0, 0, 0, NULL },
    { "tls", GW_YAML_NODE, offsetof(struct cluster, tls), 0, 0, 0, NULL },
    { "breaker", GW_YAML_FIELDS, 0, 0, 0, 0, &breaker_table },
    { "outlier", GW_YAML_FIELDS, 0, 0, 0, 0, &outlier_table },
    { "throttle", GW_YAML_FIELDS, 0, 0, 0, 0, &throttle_table },
    { "fallback", GW_YAML_FIELDS, 0, 0, 0, 0, &fallback_table },
    { "affinity", GW_YAML_FIELDS, 0, 0, 0, 0, &affinity_table },
    { "ceilings", GW_YAML_FIELDS, 0, 0, 0, 0, &ceiling_table },
    { "failures", GW_YAML_WORDS, offsetof(struct cluster, spec.failures), 0, 0, 0, failures },
    { "grpc_failures", GW_YAML_WORDS, offsetof(struct cluster, spec.grpc_failures), 0, 0, 0,
      grpc_statuses },
    TIME("slow", struct cluster, spec.slow_ms),
    { "health", GW_YAML_FIELDS, 0, 0, 0, 0, &health_table },
};
static const struct gw_yaml_table cluster_table = TABLE(cluster_fields);

static const struct gw_yaml_field endpoint_fields[] = {
    NAME("name", gw_endpoint_spec, name),
    NAME("address", gw_endpoint_spec, address),
    { "weight", GW_YAML_COUNT, offsetof(gw_endpoint_spec, weight), 1, 65535, GW_OFF, NULL },
    { "priority", GW_YAML_COUNT, offsetof(gw_endpoint_spec, priority), 0, 15, 0, NULL },
};
static const struct gw_yaml_table endpoint_table = TABLE(endpoint_fields);

struct limiter {
    gw_limiter_spec spec;
    gw_str rate, key;
    struct gw_yaml_texts keys;
    uint32_t is_shadow, when_full, has_fields, without_key;
};
static const struct gw_yaml_word scopes[] = { { "shared", GW_SCOPE_SHARED },
                                              { "per_worker", GW_SCOPE_PER_WORKER },
                                              { NULL, 0 } };
enum { PASS = 1, REFUSE, SHARE };
static const struct gw_yaml_word fulls[] = { { "pass", PASS }, { "refuse", REFUSE }, { NULL, 0 } };
static const struct gw_yaml_word withouts[] = { { "pass", PASS }, { "share", SHARE }, { NULL, 0 } };
static const struct gw_yaml_field limiter_fields[] = {
    NAME("name", struct limiter, spec.name),
    NAME("rate", struct limiter, rate),
    { "burst", GW_YAML_COUNT, offsetof(struct limiter, spec.burst), 1, UINT32_MAX - 1, 0, NULL },
    { "concurrency", GW_YAML_COUNT, offsetof(struct limiter, spec.concurrency), 1, UINT32_MAX - 1,
      0, NULL },
    NAME("key", struct limiter, key),
    { "keys", GW_YAML_TEXTS, offsetof(struct limiter, keys), 1, 0, 0, NULL },
    { "without_key", GW_YAML_WORD, offsetof(struct limiter, without_key), 0, 0, 0, withouts },
    { "keys_max", GW_YAML_COUNT, offsetof(struct limiter, spec.keys_max), 1, 1u << 20, 0, NULL },
    { "when_full", GW_YAML_WORD, offsetof(struct limiter, when_full), 0, 0, 0, fulls },
    { "scope", GW_YAML_WORD, offsetof(struct limiter, spec.scope), 0, 0, 0, scopes },
    { "shadow", GW_YAML_TRUTH, offsetof(struct limiter, is_shadow), 0, 0, 0, NULL },
    { "fields", GW_YAML_TRUTH, offsetof(struct limiter, has_fields), 0, 0, 0, NULL },
    { "status", GW_YAML_COUNT, offsetof(struct limiter, spec.code), 400, 599, 0, NULL },
    { "grpc_status", GW_YAML_COUNT, offsetof(struct limiter, spec.grpc_status), 1, 16, 0, NULL },
};
static const struct gw_yaml_table limiter_table = TABLE(limiter_fields);

struct route {
    gw_route_spec spec;
    gw_retry_spec retry;
    uint32_t retry_count, is_unsafe; /* count: another word for retries */
    struct gw_yaml_texts retry_codes;
    uint32_t takes_connect;
    gw_str prefix, exact;
    struct gw_yaml_texts methods, upgrades, limiters, split_keys;
    const struct gw_yaml_node *splits;
    const struct gw_yaml_node *descriptors;
};
static const struct gw_yaml_field split_fields[] = {
    NAME("cluster", gw_split_spec, cluster),
    { "weight", GW_YAML_COUNT, offsetof(gw_split_spec, weight), 1, 65535, GW_OFF, NULL },
};
static const struct gw_yaml_table split_table = TABLE(split_fields);
static const struct gw_yaml_field match_fields[] = {
    NAME("host", struct route, spec.host),
    NAME("listener", struct route, spec.listener),
    { "methods", GW_YAML_TEXTS, offsetof(struct route, methods), 1, 0, 0, NULL },
    NAME("prefix", struct route, prefix),
    NAME("exact", struct route, exact),
    LATER("template"),
    LATER("regex"),
    LATER("headers"),
    LATER("query"),
};
static const struct gw_yaml_table match_table = TABLE(match_fields);
static const struct gw_yaml_field respond_fields[] = {
    { "status", GW_YAML_COUNT, offsetof(struct route, spec.reply_code), 200, 599, 0, NULL },
    NAME("type", struct route, spec.reply_type),
    { "body", GW_YAML_TEXT, offsetof(struct route, spec.reply_body), 0, 0, 0, NULL },
};
static const struct gw_yaml_table respond_table = TABLE(respond_fields);
static const struct gw_yaml_word retry_causes[] = {
    { "connect", GW_RETRY_CONNECT }, { "refused", GW_RETRY_REFUSED },
    { "reused", GW_RETRY_REUSED },   { "reset", GW_RETRY_RESET },
    { "timeout", GW_RETRY_TIMEOUT }, { "gateway_error", GW_RETRY_GATEWAY_ERROR },
    { "5xx", GW_RETRY_5XX },         { NULL, 0 }
};
static const struct gw_yaml_field backoff_fields[] = {
    TIME("base", struct route, retry.backoff_base_ms),
    { "max", GW_YAML_DURATION, offsetof(struct route, retry.backoff_max_ms), 1, MS_MAX, 0, NULL },
};
static const struct gw_yaml_table backoff_table = TABLE(backoff_fields);
static const struct gw_yaml_field retry_fields[] = {
    { "count", GW_YAML_COUNT, offsetof(struct route, retry_count), 1, 5, GW_OFF, NULL },
    { "on", GW_YAML_WORDS, offsetof(struct route, retry.on), 0, 0, 0, retry_causes },
    { "codes", GW_YAML_TEXTS, offsetof(struct route, retry_codes), 1, 0, 0, NULL },
    { "grpc", GW_YAML_WORDS, offsetof(struct route, retry.grpc), 0, 0, 0, grpc_statuses },
    TIME("per_try_timeout", struct route, retry.per_try_timeout_ms),
    { "backoff", GW_YAML_FIELDS, 0, 0, 0, 0, &backoff_table },
    { "unsafe", GW_YAML_TRUTH, offsetof(struct route, is_unsafe), 0, 0, 0, NULL },
    { "replay", GW_YAML_SIZE, offsetof(struct route, retry.replay_bytes_max), 1, 1u << 30, GW_OFF,
      NULL },
};
static const struct gw_yaml_table retry_table = TABLE(retry_fields);
static const struct gw_yaml_field route_fields[] = {
    NAME("name", struct route, spec.name),
    { "match", GW_YAML_FIELDS, 0, 0, 0, 0, &match_table },
    { "priority", GW_YAML_COUNT, offsetof(struct route, spec.priority), 0, UINT32_MAX, 0, NULL },
    NAME("cluster", struct route, spec.cluster),
    { "splits", GW_YAML_NODE, offsetof(struct route, splits), 0, 0, 0, NULL },
    { "split_keys", GW_YAML_TEXTS, offsetof(struct route, split_keys), 1, 0, 0, NULL },
    TIME("timeout", struct route, spec.request_timeout_ms),
    TIME("idle", struct route, spec.idle_timeout_ms),
    TIME("tunnel_timeout", struct route, spec.tunnel_timeout_ms),
    { "upgrade", GW_YAML_TEXTS, offsetof(struct route, upgrades), 0, 0, 0, NULL },
    { "connect", GW_YAML_TRUTH, offsetof(struct route, takes_connect), 0, 0, 0, NULL },
    { "respond", GW_YAML_FIELDS, 0, 0, 0, 0, &respond_table },
    { "retries", GW_YAML_COUNT, offsetof(struct route, spec.retries), 1, 5, GW_OFF, NULL },
    { "limiters", GW_YAML_TEXTS, offsetof(struct route, limiters), 0, 0, 0, NULL },
    { "descriptors", GW_YAML_NODE, offsetof(struct route, descriptors), 0, 0, 0, NULL },
    { "retry", GW_YAML_FIELDS, 0, 0, 0, 0, &retry_table },
};
static const struct gw_yaml_table route_table = TABLE(route_fields);

/* --- parts --- */

struct loader {
    struct gw_heap heap;
    struct gw_store store;
    struct gw_yaml_reader reader;
    gw_yaml_error err;
    gw_builder *builder;
    const struct gw_yaml_node **parts; /* by mark */
    uint32_t parts_len, parts_room;
    struct gw_descriptors descriptors;
    struct gw_yaml_tls tls;
    struct top top;
};

/* A mark for a part that is about to be added. */
static uint32_t mark_of(struct loader *l, const struct gw_yaml_node *node)
{
    GW_ASSERT(l->parts_len < l->parts_room);
    l->parts[l->parts_len] = node;
    return MARK_BASE + l->parts_len++;
}

/* A list of parts that may be left out, and each of its elements read alike. */
typedef gw_status part_fn(struct loader *l, const struct gw_yaml_node *node);

static gw_status read_list(struct loader *l, const struct gw_yaml_node *list, part_fn *part)
{
    gw_status status = GW_OK;
    if (list == NULL)
        return GW_OK;
    if (list->kind != GW_YAML_LIST)
        return gw_yaml_refuse(&l->reader, list, "a list is needed here");
    for (const struct gw_yaml_node *node = list->first; node != NULL && status == GW_OK;
         node = node->next)
        status = part(l, node);
    return status;
}

static gw_status read_listener(struct loader *l, const struct gw_yaml_node *node)
{
    struct listener own = { .spec = { .size = sizeof own.spec } };
    gw_status status = gw_yaml_read(&l->reader, node, &listener_table, &own);
    if (status != GW_OK)
        return status;
    const struct gw_yaml_texts *trusted = own.trusted.at != NULL ? &own.trusted : &l->top.trusted;
    own.spec.trusted = trusted->at;
    own.spec.trusted_len = trusted->len;
    if (gw_str_eq(own.spec.via, GW_STR("off"))) {
        own.spec.via = (gw_str){ NULL, 0 };
        own.spec.flags |= GW_LISTENER_NO_VIA;
    }
    if (own.tls != NULL)
        status = gw_yaml_tls_read(&l->tls, own.tls, GW_TLS_SERVER, &own.spec.tls);
    if (status != GW_OK)
        return status;
    own.spec.mark = mark_of(l, node);
    (void)gw_builder_listener(l->builder, &own.spec); /* faults are told by the build */
    gw_tls_unref(own.spec.tls);
    return GW_OK;
}

/* --- endpoints --- */

static bool is_repeated(const gw_yaml_answer *answers, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(answers[k].address, answers[i].address) == 0)
            return true;
    return false;
}

/* "ENTRY/ANSWER" */
static gw_status join_name(struct loader *l, gw_str entry, gw_str answer, gw_str *out)
{
    char *at = gw_store_take(&l->store, entry.len + 1 + answer.len, 1);
    if (at == NULL)
        return gw_yaml_no_memory(&l->reader);
    memcpy(at, entry.ptr, entry.len);
    at[entry.len] = '/';
    memcpy(at + entry.len + 1, answer.ptr, answer.len);
    *out = (gw_str){ at, entry.len + 1 + answer.len };
    return GW_OK;
}

static gw_status add_answers(struct loader *l, gw_id cluster, const gw_endpoint_spec *entry,
                             gw_yaml_answer *answers, size_t n)
{
    bool is_joined = n > 1 || entry->name.len > 0;
    for (size_t i = 0; i < n; i++) {
        answers[i].address[sizeof answers[i].address - 1] = '\0';
        gw_endpoint_spec spec = *entry;
        spec.address = gw_cstr(answers[i].address);
        gw_status status = GW_OK;
        if (is_repeated(answers, i))
            continue;
        if (is_joined)
            status = join_name(l, entry->name.len > 0 ? entry->name : entry->address, spec.address,
                               &spec.name);
        if (status != GW_OK)
            return status;
        (void)gw_builder_endpoint(l->builder, cluster, &spec);
    }
    return GW_OK;
}

static gw_status resolve(struct loader *l, gw_id cluster, const struct gw_yaml_node *node,
                         const gw_endpoint_spec *entry, size_t *added)
{
    const struct gw_yaml_node *at = gw_yaml_follow(node, GW_STR("address"));
    if (l->top.settings.resolve == NULL)
        return gw_yaml_refuse(
            &l->reader, at,
            "names are not looked up here; write a numeric address or unix:, or dns "
            "in the place of endpoints");
    gw_yaml_answer *answers = gw_store_take(&l->store, ANSWERS_MAX, sizeof *answers);
    if (answers == NULL)
        return gw_yaml_no_memory(&l->reader);
    size_t n = l->top.settings.resolve(l->top.settings.resolve_ctx, entry->address, answers,
                                       ANSWERS_MAX);
    n = n < ANSWERS_MAX ? n : ANSWERS_MAX;
    *added += n;
    return add_answers(l, cluster, entry, answers, n);
}

static gw_status read_endpoint(struct loader *l, gw_id cluster, const struct gw_yaml_node *node,
                               size_t *added)
{
    gw_endpoint_spec spec = GW_SPEC(gw_endpoint_spec);
    gw_address address;
    gw_status status = gw_yaml_read(&l->reader, node, &endpoint_table, &spec);
    if (status != GW_OK)
        return status;
    spec.mark = mark_of(l, node);
    if (gw_address_parse(spec.address, &address) == GW_OK && address.kind == GW_ADDRESS_NAME &&
        address.port != 0)
        return resolve(l, cluster, node, &spec, added);
    ++*added;
    (void)gw_builder_endpoint(l->builder, cluster, &spec);
    return GW_OK;
}

static gw_status read_endpoints(struct loader *l, gw_id cluster, const struct gw_yaml_node *list)
{
    gw_status status = GW_OK;
    size_t added = 0;
    if (list == NULL)
        return GW_OK;
    if (list->kind != GW_YAML_LIST)
        return gw_yaml_refuse(&l->reader, list, "a list is needed here");
    for (const struct gw_yaml_node *node = list->first; node != NULL && status == GW_OK;
         node = node->next)
        status = read_endpoint(l, cluster, node, &added);
    if (status == GW_OK && added == 0 && list->len > 0)
        return gw_yaml_refuse(&l->reader, list, "no endpoint is left: none of the names resolves");
    return status;
}

/* "header:x-user" of on: header and name: x-user. */
static gw_status join_key(struct loader *l, const struct cluster *own, gw_str *out)
{
    const struct gw_yaml_word *word = hash_ons;
    while (word->value != own->hash_on)
        word++;
    gw_str on = gw_cstr(word->word);
    size_t len = on.len + (own->hash_name.len > 0) + own->hash_name.len;
    char *at = gw_store_take(&l->store, len, 1);
    if (at == NULL)
        return gw_yaml_no_memory(&l->reader);
    memcpy(at, on.ptr, on.len);
    if (own->hash_name.len > 0) {
        at[on.len] = ':';
        memcpy(at + on.len + 1, own->hash_name.ptr, own->hash_name.len);
    }
    *out = (gw_str){ at, len };
    return GW_OK;
}

static gw_status read_hash(struct loader *l, const struct gw_yaml_node *node, struct cluster *own,
                           gw_str *key)
{
    const struct gw_yaml_node *hash = gw_yaml_find(node, GW_STR("balance.hash"));
    bool has_name = own->hash_name.len > 0;
    if (hash == NULL)
        return GW_OK;
    own->spec.hash = &own->hash;
    own->hash.size = sizeof own->hash;
    own->hash.keys = own->hash_keys.at;
    own->hash.keys_len = own->hash_keys.len;
    if (own->hash_keys.at != NULL && (own->hash_on != 0 || has_name))
        return gw_yaml_refuse(&l->reader, hash, "on and name say what keys does; keep one of them");
    if (own->hash_on < ON_NAMED && has_name)
        return gw_yaml_refuse(&l->reader, gw_yaml_follow(hash, GW_STR("name")),
                              "it is for header, cookie, query, metadata and label alone");
    if (own->hash_on >= ON_NAMED && !has_name)
        return gw_yaml_refuse(&l->reader, gw_yaml_follow(hash, GW_STR("on")), "it needs a name");
    if (own->hash_on == 0)
        return GW_OK;
    own->hash.keys = key;
    own->hash.keys_len = 1;
    return join_key(l, own, key);
}

/* A group that is there at all has its defaults. */
static void take_guards(const struct gw_yaml_node *node, struct cluster *own)
{
    own->breaker.size = sizeof own->breaker;
    own->outlier.size = sizeof own->outlier;
    own->throttle.size = sizeof own->throttle;
    own->fallback.size = sizeof own->fallback;
    own->health.size = sizeof own->health;
    own->health.expect = own->health_expect.at;
    own->health.expect_len = own->health_expect.len;
    if (gw_yaml_find(node, GW_STR("health")) != NULL)
        own->spec.health = &own->health;
    if (gw_yaml_find(node, GW_STR("breaker")) != NULL)
        own->spec.breaker = &own->breaker;
    if (gw_yaml_find(node, GW_STR("outlier")) != NULL)
        own->spec.outlier = &own->outlier;
    if (gw_yaml_find(node, GW_STR("throttle")) != NULL)
        own->spec.throttle = &own->throttle;
    if (gw_yaml_find(node, GW_STR("fallback")) != NULL)
        own->spec.fallback = &own->fallback;
}

static void take_affinity(const struct gw_yaml_node *node, struct cluster *own)
{
    own->affinity.size = sizeof own->affinity;
    own->affinity.flags = (own->is_secure ? GW_AFFINITY_SECURE : 0) |
                          (own->is_http_only ? 0 : GW_AFFINITY_SCRIPTS);
    if (gw_yaml_find(node, GW_STR("affinity")) != NULL)
        own->spec.affinity = &own->affinity;
}

static void take_dns(const struct gw_yaml_node *node, struct cluster *own)
{
    if (gw_yaml_find(node, GW_STR("dns")) == NULL)
        return;
    own->spec.dns = &own->dns;
    own->dns.size = sizeof own->dns;
    own->dns.servers = own->dns_servers.at;
    own->dns.servers_len = own->dns_servers.len;
}

static gw_status read_cluster(struct loader *l, const struct gw_yaml_node *node)
{
    gw_str key;
    struct cluster *own = gw_store_take(&l->store, 1, sizeof *own); /* large for a stack */
    if (own == NULL)
        return gw_yaml_no_memory(&l->reader);
    own->spec.size = sizeof own->spec;
    own->is_http_only = 1; /* unless it says something else */
    gw_status status = gw_yaml_read(&l->reader, node, &cluster_table, own);
    if (status != GW_OK)
        return status;
    if (own->spec.idle_timeout_ms != 0 && own->pool_idle_ms != 0)
        return gw_yaml_refuse(&l->reader, gw_yaml_follow(node, GW_STR("pool.idle")),
                              "timeouts.idle says the same; keep one of the two");
    own->spec.flags = own->is_live ? GW_CLUSTER_LIVE : 0;
    if (own->pool_idle_ms != 0)
        own->spec.idle_timeout_ms = own->pool_idle_ms;
    status = read_hash(l, node, own, &key);
    if (status != GW_OK)
        return status;
    take_guards(node, own);
    take_affinity(node, own);
    take_dns(node, own);
    if (own->tls != NULL)
        status = gw_yaml_tls_read(&l->tls, own->tls, GW_TLS_CLIENT, &own->spec.tls);
    if (status != GW_OK)
        return status;
    own->spec.mark = mark_of(l, node);
    gw_id id = gw_builder_cluster(l->builder, &own->spec);
    gw_tls_unref(own->spec.tls);
    return read_endpoints(l, id, own->endpoints);
}

/* --- limiters --- */

/* "10/s", "600/m", "5/10s": milliseconds a unit. */
static bool parse_period(gw_str text, uint32_t *ms)
{
    static const struct {
        gw_str name;
        uint32_t ms;
    } units[] = { { WORD("ms"), 1 },
                  { WORD("s"), 1000 },
                  { WORD("m"), 60000 },
                  { WORD("h"), 3600000 },
                  { WORD("d"), 86400000 } };
    uint64_t n = 1;
    size_t digits = 0;
    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
        digits++;
    if (digits > 0 && gw_parse_u64(gw_str_slice(text, 0, digits), &n) != GW_OK)
        return false;
    text = gw_str_slice(text, digits, text.len);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (!gw_str_eq(units[i].name, text) || n == 0 || n > MS_MAX / units[i].ms)
            continue;
        *ms = (uint32_t)n * units[i].ms;
        return true;
    }
    return false;
}

static bool parse_rate(gw_str text, gw_limiter_spec *spec)
{
    size_t slash = gw_str_find(text, '/');
    uint64_t tokens;
    if (slash == text.len || gw_parse_u64(gw_str_slice(text, 0, slash), &tokens) != GW_OK ||
        tokens == 0 || tokens >= GW_OFF)
        return false;
    spec->tokens = (uint32_t)tokens;
    return parse_period(gw_str_slice(text, slash + 1, text.len), &spec->period_ms);
}

static gw_status take_keys(struct loader *l, const struct gw_yaml_node *node, struct limiter *own)
{
    static const gw_str needless[] = { WORD("without_key"), WORD("when_full") };
    bool has_one = own->key.len > 0;
    for (size_t i = 0; i < 2 && !has_one && own->keys.at == NULL; i++)
        if (gw_yaml_find(node, needless[i]) != NULL)
            return gw_yaml_refuse(&l->reader, gw_yaml_find(node, needless[i]),
                                  "without keys it says nothing");
    if (has_one && own->keys.at != NULL)
        return gw_yaml_refuse(&l->reader, gw_yaml_find(node, GW_STR("key")),
                              "key and keys exclude each other");
    own->spec.keys = has_one ? &own->key : own->keys.at;
    own->spec.keys_len = has_one ? 1 : own->keys.len;
    return GW_OK;
}

static gw_status read_limiter(struct loader *l, const struct gw_yaml_node *node)
{
    struct limiter *own = gw_store_take(&l->store, 1, sizeof *own); /* the stack is short */
    if (own == NULL)
        return gw_yaml_no_memory(&l->reader);
    own->spec.size = sizeof own->spec;
    gw_status status = gw_yaml_read(&l->reader, node, &limiter_table, own);
    if (status == GW_OK)
        status = take_keys(l, node, own);
    if (status != GW_OK)
        return status;
    if (own->rate.len > 0 && !parse_rate(own->rate, &own->spec))
        return gw_yaml_refuse(&l->reader, gw_yaml_find(node, GW_STR("rate")),
                              "a rate is a number, a slash and a time: 10/s, 600/m, 5/10s; "
                              "from 1/1193h to 4294967294/ms");
    own->spec.flags = (own->is_shadow ? GW_LIMITER_SHADOW : 0) |
                      (own->when_full == REFUSE ? GW_LIMITER_CLOSED : 0) |
                      (own->has_fields ? GW_LIMITER_FIELDS : 0) |
                      (own->without_key == PASS ? GW_LIMITER_KEYED : 0);
    own->spec.mark = mark_of(l, node);
    (void)gw_builder_limiter(l->builder, &own->spec);
    return GW_OK;
}

/* --- routes --- */

static gw_status finish_match(struct loader *l, const struct gw_yaml_node *node, struct route *own)
{
    if (own->prefix.len > 0 && own->exact.len > 0)
        return gw_yaml_refuse(&l->reader, gw_yaml_follow(node, GW_STR("match")),
                              "prefix and exact exclude each other");
    own->spec.match = own->exact.len > 0 ? GW_MATCH_EXACT : GW_MATCH_PREFIX;
    own->spec.path = own->exact.len > 0 ? own->exact : own->prefix;
    own->spec.methods = own->methods.at;
    own->spec.methods_len = own->methods.len;
    own->spec.upgrades = own->upgrades.at;
    own->spec.upgrades_len = own->upgrades.len;
    own->spec.split_keys = own->split_keys.at;
    own->spec.split_keys_len = own->split_keys.len;
    own->spec.flags = own->takes_connect ? GW_ROUTE_CONNECT : 0;
    if (own->upgrades.at != NULL && own->upgrades.len == 0)
        own->spec.flags |= GW_ROUTE_NO_UPGRADE;
    return GW_OK;
}

static gw_status read_splits(struct loader *l, const struct gw_yaml_node *list,
                             gw_route_spec *route)
{
    gw_split_spec *out;
    gw_status status = GW_OK;
    if (list == NULL)
        return GW_OK;
    if (list->kind != GW_YAML_LIST || list->len == 0 || list->len > SPLITS_MAX)
        return gw_yaml_refuse(&l->reader, list, "a list of 1 to 32 clusters is needed here");
    out = gw_store_take(&l->store, list->len, sizeof *out);
    if (out == NULL)
        return gw_yaml_no_memory(&l->reader);
    for (const struct gw_yaml_node *node = list->first; node != NULL && status == GW_OK;
         node = node->next) {
        gw_split_spec *split = &out[route->splits_len++];
        *split = (gw_split_spec){ .size = sizeof *split };
        status = gw_yaml_read(&l->reader, node, &split_table, split);
    }
    route->splits = out;
    return status;
}

/* Behind the limiters that it names, those that its descriptors stand for. */
static gw_status finish_limiters(struct loader *l, struct route *own)
{
    const struct gw_yaml_node *list = own->descriptors;
    size_t n = own->limiters.len;
    gw_str *all;
    gw_status status = GW_OK;
    own->spec.limiters = own->limiters.at;
    own->spec.limiters_len = n;
    if (list == NULL)
        return GW_OK;
    if (list->kind != GW_YAML_LIST || l->top.descriptors == NULL)
        return gw_yaml_refuse(&l->reader, list,
                              list->kind != GW_YAML_LIST ? "a list is needed here"
                                                         : "there are no descriptors at the top");
    all = gw_store_take(&l->store, n + list->len, sizeof *all);
    if (all == NULL)
        return gw_yaml_no_memory(&l->reader);
    for (size_t i = 0; i < n; i++)
        all[i] = own->limiters.at[i];
    for (const struct gw_yaml_node *node = list->first; node != NULL && status == GW_OK;
         node = node->next)
        status = gw_descriptors_route(&l->descriptors, node, &all[n++]);
    own->spec.limiters = all;
    own->spec.limiters_len = n;
    return status;
}

static gw_status read_codes(struct loader *l, const struct gw_yaml_node *node, struct route *own)
{
    const struct gw_yaml_texts *texts = &own->retry_codes;
    uint32_t *codes = gw_store_take(&l->store, texts->len, sizeof *codes);
    if (codes == NULL)
        return gw_yaml_no_memory(&l->reader);
    for (size_t i = 0; i < texts->len; i++) {
        uint64_t code;
        if (gw_parse_u64(texts->at[i], &code) != GW_OK || code > UINT32_MAX)
            return gw_yaml_refuse(&l->reader, node, "a code is a whole number from 400 to 599");
        codes[i] = (uint32_t)code;
    }
    own->retry.codes = codes;
    own->retry.codes_len = texts->len;
    return GW_OK;
}

static gw_status finish_retry(struct loader *l, const struct gw_yaml_node *node, struct route *own)
{
    if (gw_yaml_find(node, GW_STR("retry")) == NULL)
        return GW_OK;
    if (own->retry_count != 0 && own->spec.retries != 0)
        return gw_yaml_refuse(&l->reader, gw_yaml_find(node, GW_STR("retry.count")),
                              "retries says the same; keep one of the two");
    if (own->retry_count != 0)
        own->spec.retries = own->retry_count;
    own->retry.flags = own->is_unsafe ? GW_RETRY_UNSAFE : 0;
    own->spec.retry = &own->retry;
    return read_codes(l, gw_yaml_find(node, GW_STR("retry.codes")), own);
}

static gw_status read_route(struct loader *l, const struct gw_yaml_node *node)
{
    struct route *own = gw_store_take(&l->store, 1, sizeof *own); /* the stack is short */
    if (own == NULL)
        return gw_yaml_no_memory(&l->reader);
    own->spec.size = sizeof own->spec;
    own->retry.size = sizeof own->retry;
    gw_status status = gw_yaml_read(&l->reader, node, &route_table, own);
    if (status == GW_OK)
        status = finish_match(l, node, own);
    if (status == GW_OK)
        status = finish_limiters(l, own);
    if (status == GW_OK)
        status = read_splits(l, own->splits, &own->spec);
    if (status == GW_OK)
        status = finish_retry(l, node, own);
    if (status != GW_OK)
        return status;
    const struct gw_yaml_node *respond = gw_yaml_find(node, GW_STR("respond"));
    if (respond != NULL && own->spec.reply_code == 0)
        return gw_yaml_refuse(&l->reader, respond, "a status is needed");
    own->spec.mark = mark_of(l, node);
    (void)gw_builder_route(l->builder, &own->spec);
    return GW_OK;
}

/* --- what lies at the top --- */

static gw_status read_log(struct loader *l)
{
    struct top *top = &l->top;
    if (top->access_log == NULL)
        return GW_OK;
    gw_status status = gw_yaml_read(&l->reader, top->access_log, &log_table, top);
    if (status != GW_OK)
        return status;
    if (top->log_path.len == 0)
        return gw_yaml_refuse(&l->reader, top->access_log, "a path is needed; \"-\" is the output");
    if (gw_str_find(top->log_path, '\0') < top->log_path.len)
        return gw_yaml_refuse(&l->reader, gw_yaml_find(top->access_log, GW_STR("path")),
                              "a path holds no zero byte");
    memcpy(top->settings.access_log_path, top->log_path.ptr, top->log_path.len);
    top->settings.has_access_log = 1;
    return GW_OK;
}

static gw_status read_top(struct loader *l, const struct gw_yaml_node *root)
{
    enum { BLOCK_BYTES = 16640 }; /* as gw_limits has it by default */
    struct top *top = &l->top;
    gw_status status = gw_yaml_read(&l->reader, root, &top_table, top);
    if (status == GW_OK)
        status = read_log(l);
    top->settings.backend -= top->settings.backend != 0; /* words count from 1 */
    top->limits.blocks_max = (uint32_t)(top->memory / BLOCK_BYTES);
    return status;
}

static gw_status read_parts(struct loader *l)
{
    gw_status status = read_list(l, l->top.listeners, read_listener);
    if (status == GW_OK)
        status = read_list(l, l->top.clusters, read_cluster);
    if (status == GW_OK)
        status = read_list(l, l->top.limiters, read_limiter);
    if (status == GW_OK && l->top.descriptors != NULL)
        status = gw_descriptors_open(&l->descriptors, &l->reader, l->builder, l->top.descriptors);
    return status == GW_OK ? read_list(l, l->top.routes, read_route) : status;
}

/* --- faults that the builder found --- */

/* What the fields of a spec are called in a file. */
static const struct rename {
    const char *list, *field, *path;
} renames[] = {
    { "listeners", "trusted", "trusted_proxies" },
    { "listeners", "age_jitter_percent", "connection.age_jitter" },
    { "listeners", "age_grace_ms", "connection.age_grace" },
    { "clusters", "age_jitter_percent", "pool.age_jitter" },
    { "clusters", "protocols", "protocol" },
    { "clusters", "balance", "balance.policy" },
    { "clusters", "balancer", "balance.balancer" },
    { "clusters", "panic_percent", "balance.panic_percent" },
    { "clusters", "spare_percent", "balance.spare_percent" },
    { "clusters", "hash", "balance.hash" },
    { "clusters", "hash.keys", "balance.hash.keys" },
    { "clusters", "hash.points", "balance.hash.points" },
    { "clusters", "hash.unit", "balance.hash.unit" },
    { "clusters", "hash.load_percent", "balance.hash.load_percent" },
    { "clusters", "choices", "balance.choices" },
    { "clusters", "slow_start_ms", "balance.slow_start" },
    { "routes", "host", "match.host" },
    { "routes", "listener", "match.listener" },
    { "routes", "methods", "match.methods" },
    { "routes", "match", "match" },
    { "routes", "upgrades", "upgrade" },
    { "routes", "flags", "connect" },
    { "routes", "reply_code", "respond.status" },
    { "routes", "reply_type", "respond.type" },
    { "routes", "reply_body", "respond.body" },
    { "clusters", "flags", "live" },
    { "limiters", "tokens", "rate" },
    { "limiters", "period_ms", "rate" },
    { "limiters", "code", "status" },
    { "clusters", "retry_percent", "retry_budget.percent" },
    { "clusters", "retry_least", "retry_budget.least" },
    { "clusters", "breaker.volume_min", "breaker.volume" },
    { "clusters", "breaker.window_ms", "breaker.window" },
    { "clusters", "breaker.sleep_ms", "breaker.sleep" },
    { "clusters", "breaker.sleep_max_ms", "breaker.sleep_max" },
    { "clusters", "breaker.probe_timeout_ms", "breaker.probe_timeout" },
    { "clusters", "outlier.latency_least_ms", "outlier.latency_least" },
    { "clusters", "outlier.endpoints_min", "outlier.endpoints" },
    { "clusters", "outlier.volume_min", "outlier.volume" },
    { "clusters", "outlier.interval_ms", "outlier.interval" },
    { "clusters", "outlier.time_ms", "outlier.time" },
    { "clusters", "outlier.time_max_ms", "outlier.time_max" },
    { "clusters", "throttle.volume_min", "throttle.volume" },
    { "clusters", "throttle.window_ms", "throttle.window" },
    { "clusters", "fallback.code", "fallback.status" },
    { "clusters", "affinity.ttl_ms", "affinity.ttl" },
    { "clusters", "health.interval_ms", "health.interval" },
    { "clusters", "health.unhealthy_interval_ms", "health.unhealthy_interval" },
    { "clusters", "health.timeout_ms", "health.timeout" },
    { "clusters", "exchanges_max", "ceilings.exchanges" },
    { "clusters", "pending_max", "ceilings.pending" },
    { "clusters", "retries_max", "ceilings.retries" },
    { "clusters", "all_connections_max", "ceilings.connections" },
    { "clusters", "slow_ms", "slow" },
    { "clusters", "dns.types", "dns.type" },
    { "clusters", "dns.ttl_min_ms", "dns.ttl.min" },
    { "clusters", "dns.ttl_max_ms", "dns.ttl.max" },
    { "clusters", "dns.retry_ms", "dns.retry.base" },
    { "clusters", "dns.retry_max_ms", "dns.retry.max" },
    { "clusters", "dns.stale_ms", "dns.stale" },
    { "clusters", "dns.empty_ms", "dns.empty" },
    { "routes", "retry.flags", "retry.unsafe" },
    { "routes", "retry.per_try_timeout_ms", "retry.per_try_timeout" },
    { "routes", "retry.backoff_base_ms", "retry.backoff.base" },
    { "routes", "retry.backoff_max_ms", "retry.backoff.max" },
    { "routes", "retry.replay_bytes_max", "retry.replay" },
};

static gw_str behind_index(gw_str where)
{
    size_t end = gw_str_find(where, ']');
    return gw_str_slice(where, where.len - end < 2 ? where.len : end + 2, where.len);
}

/* Of "clusters[0].endpoints[1].weight" what is behind the part itself: "weight". */
static gw_str field_of(gw_str where)
{
    gw_str field = behind_index(where);
    return gw_str_starts(field, GW_STR("endpoints[")) ? behind_index(field) : field;
}

/* The one key, where it is not in a list. */
#define HASH_NAME GW_STR("balance.hash.name")
#define LIMITER_KEY GW_STR("key")

static gw_str path_of(const struct gw_yaml_node *part, gw_str where, gw_str field)
{
    bool is_exact = gw_yaml_find(part, GW_STR("match.exact")) != NULL;
    if (gw_str_starts(where, GW_STR("routes")) && gw_str_eq(field, GW_STR("path")))
        return is_exact ? GW_STR("match.exact") : GW_STR("match.prefix");
    if (gw_str_eq(field, GW_STR("hash.keys")) && gw_yaml_find(part, HASH_NAME) != NULL)
        return HASH_NAME;
    if (gw_str_eq(field, GW_STR("keys")) && gw_yaml_find(part, LIMITER_KEY) != NULL)
        return LIMITER_KEY;
    for (size_t i = 0; i < sizeof renames / sizeof renames[0]; i++)
        if (gw_str_starts(where, gw_cstr(renames[i].list)) &&
            gw_str_eq(gw_cstr(renames[i].field), field))
            return gw_cstr(renames[i].path);
    return field;
}

/* Of "3]", or of "3].name" what has that name in it. */
static const struct gw_yaml_node *element_of(const struct gw_yaml_node *list, gw_str which)
{
    size_t end = gw_str_find(which, ']');
    uint64_t index;
    const struct gw_yaml_node *node = list->first;
    if (list->kind != GW_YAML_LIST || gw_parse_u64(gw_str_slice(which, 0, end), &index) != GW_OK)
        return list;
    while (node != NULL && node->index != index)
        node = node->next;
    if (node == NULL)
        return list;
    return end + 2 < which.len ? gw_yaml_follow(node, gw_str_slice(which, end + 2, which.len))
                               : node;
}

static void translate(struct loader *l, const struct gw_yaml_node *part,
                      const gw_config_error *error)
{
    struct gw_text where;
    gw_str field = field_of(gw_cstr(error->where));
    size_t bracket = gw_str_find(field, '[');
    gw_str name = gw_str_slice(field, 0, bracket);
    gw_str path = path_of(part, gw_cstr(error->where), name);
    const struct gw_yaml_node *node = gw_yaml_follow(part, path);
    if (gw_str_eq(path, HASH_NAME) || gw_str_eq(path, LIMITER_KEY))
        bracket = field.len;
    if (bracket < field.len)
        node = element_of(node, gw_str_slice(field, bracket + 1, field.len));
    l->err.line = node->place.line;
    l->err.column = node->place.column;
    gw_text_init(&where, l->err.where, sizeof l->err.where);
    gw_yaml_say_where(part, &where);
    if (path.len > 0) {
        gw_text_cstr(&where, ".");
        gw_text_str(&where, path);
        gw_text_str(&where, gw_str_slice(field, bracket, field.len));
    }
}

static void take_error(struct loader *l, const gw_config_error *error)
{
    struct gw_text text;
    uint32_t part = error->mark - MARK_BASE;
    l->err.status = error->status;
    gw_text_init(&text, l->err.text, sizeof l->err.text);
    gw_text_cstr(&text, error->text);
    if (error->mark >= MARK_BASE && part < l->parts_len) {
        translate(l, l->parts[part], error);
        return;
    }
    gw_text_init(&text, l->err.where, sizeof l->err.where);
    gw_text_cstr(&text, error->where);
}

static gw_status build(struct loader *l, gw_config **out)
{
    gw_config_error error = GW_SPEC(gw_config_error);
    gw_status status = gw_builder_build(l->builder, out, &error);
    l->builder = NULL;
    if (status != GW_OK)
        take_error(l, &error);
    return status;
}

/* --- the whole --- */

static uint32_t count_parts(const struct gw_yaml_node *list)
{
    uint32_t count = 0;
    for (const struct gw_yaml_node *n = list == NULL ? NULL : list->first; n != NULL; n = n->next) {
        const struct gw_yaml_node *inner = gw_yaml_find(n, GW_STR("endpoints"));
        count += 1 + (inner == NULL ? 0 : inner->len);
    }
    return count;
}

static gw_status start(struct loader *l, const gw_env *env)
{
    const struct top *top = &l->top;
    l->parts_room = count_parts(top->listeners) + count_parts(top->clusters) +
                    count_parts(top->limiters) + count_parts(top->routes);
    l->parts = gw_store_take(&l->store, l->parts_room, sizeof(const struct gw_yaml_node *));
    if (l->parts == NULL || gw_builder_new(env, &l->builder) != GW_OK)
        return gw_yaml_no_memory(&l->reader);
    return GW_OK;
}

static gw_status extend_it(struct loader *l, gw_yaml_extend_fn *extend, void *ctx)
{
    gw_status status = extend == NULL ? GW_OK : extend(ctx, l->builder);
    if (status == GW_OK)
        return GW_OK;
    struct gw_text text;
    l->err.status = status;
    gw_text_init(&text, l->err.text, sizeof l->err.text);
    gw_text_cstr(&text, "the program that reads the file gave up: ");
    gw_text_cstr(&text, gw_status_text(status));
    return status;
}

static gw_status hand_over(const struct loader *l, gw_yaml_settings *settings, gw_limits *limits)
{
    gw_status status = GW_OK;
    if (settings != NULL)
        status = gw_spec_fill(settings, &l->top.settings, sizeof l->top.settings);
    if (limits != NULL && status == GW_OK)
        status = gw_spec_fill(limits, &l->top.limits, sizeof l->top.limits);
    return status;
}

/* Up to where the host may look at what was read. */
static gw_status read_all(struct loader *l, const gw_env *env, gw_str text)
{
    struct gw_yaml_node *root = NULL;
    gw_status status = gw_yaml_tree_parse(&l->store, text, &root, &l->err);
    if (status == GW_OK)
        status = read_top(l, root);
    if (status == GW_OK)
        status = start(l, env);
    return status == GW_OK ? read_parts(l) : status;
}

/* Only the hooks of the given settings play a part; the rest comes from the file. */
static gw_status prepare(struct loader *l, const gw_env *env, const gw_yaml_settings *settings)
{
    gw_env own = { .size = sizeof own };
    gw_yaml_settings given = { .size = sizeof given };
    if (env != NULL && gw_spec_copy(&own, sizeof own, env) != GW_OK)
        return GW_EINVAL;
    if (settings != NULL && gw_spec_copy(&given, sizeof given, settings) != GW_OK)
        return GW_EINVAL;
    if ((own.allocator.alloc == NULL) != (own.allocator.release == NULL))
        return GW_EINVAL;
    l->top.settings = (gw_yaml_settings){ .size = sizeof l->top.settings,
                                          .resolve = given.resolve,
                                          .resolve_ctx = given.resolve_ctx,
                                          .read = given.read,
                                          .read_ctx = given.read_ctx };
    l->top.limits.size = sizeof l->top.limits;
    l->err.size = sizeof l->err;
    gw_os_env_fill(&own);
    gw_heap_init(&l->heap, &own.allocator, 0);
    gw_store_init(&l->store, &l->heap);
    l->reader = (struct gw_yaml_reader){ .store = &l->store, .err = &l->err };
    l->tls = (struct gw_yaml_tls){
        .reader = &l->reader, .env = env, .read = given.read, .read_ctx = given.read_ctx
    };
    return GW_OK;
}

gw_status gw_yaml_load(const gw_env *env, gw_str text, gw_yaml_extend_fn *extend, void *ctx,
                       gw_yaml_settings *settings, gw_limits *limits, gw_config **out,
                       gw_yaml_error *err)
{
    struct loader l = { .builder = NULL };
    if (out == NULL || prepare(&l, env, settings) != GW_OK)
        return GW_EINVAL;
    gw_status status = read_all(&l, env, text);
    if (status == GW_OK)
        status = hand_over(&l, settings, limits);
    if (status == GW_OK)
        status = extend_it(&l, extend, ctx);
    if (status == GW_OK)
        status = build(&l, out);
    gw_builder_free(l.builder);
    gw_store_fini(&l.store);
    if (status != GW_OK && err != NULL && gw_spec_fill(err, &l.err, sizeof l.err) != GW_OK)
        status = GW_EINVAL;
    return status;
}
