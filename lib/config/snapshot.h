/* config/snapshot.h: the frozen form of a configuration: plain tables that the machine reads. Made by
 * the builder, changed by nobody, freed with the last reference. The public gw_config. */
#ifndef GW_CONFIG_SNAPSHOT_H
#define GW_CONFIG_SNAPSHOT_H

#include <stdatomic.h>

#include <gw/config.h>

#include "base/timer.h"
#include "config/endpoints.h"
#include "config/splits.h"
#include "dns/watch.h"
#include "guard/gate.h"
#include "guard/health.h"
#include "guard/limit.h"
#include "guard/throttle.h"
#include "http/forwarded.h"
#include "http/key.h"
#include "http/via.h"
#include "route/tree.h"

/* In each: durations in nanoseconds, GW_NEVER for none; texts with a zero byte behind. */
struct gw_listener_conf {
    gw_str name, address;
    uint32_t index, protocols; /* never 0 */
    gw_nanos head_timeout, body_idle_timeout, idle_timeout;
    uint32_t body_rate; /* GW_OFF: none */
    gw_nanos age, age_grace;
    uint32_t age_jitter;   /* percent */
    uint32_t requests_max; /* UINT32_MAX: none */
    const gw_str *trusted; /* as written: prefixes_len of them */
    struct gw_trust trust;
    struct gw_via via;  /* empty: of the engine's name */
    uint32_t forwarded; /* GW_FORWARDED_*; 0: none */
    bool has_no_via;
    gw_tls *tls; /* NULL: clear */
};
struct gw_balance_conf {
    struct gw_balance_spec rule; /* without the endpoints                        */
    const struct gw_key *keys;   /* of consistent hash, or for custom            */
    uint32_t keys_len;
    gw_nanos slow_start;       /* 0: none */
    const gw_balancer *custom; /* of GW_BALANCE_HOST */
};
/* How each endpoint of a cluster is probed. */
enum { GW_PROBE_CODE_LEAST = 100, GW_PROBE_CODE_MOST = 599, GW_PROBE_CODE_WORDS = 8 };
enum {
    GW_PROBES_MAX = 64,    /* of a worker, at once; the others wait for their turns */
    GW_PROBE_BYTES = 10240 /* of each                                               */
};
struct gw_probe_conf {
    uint32_t kind; /* GW_HEALTH_* */
    uint32_t port; /* 0: the address's */
    struct gw_health_conf health;
    bool is_head;
    gw_str path, host, service;          /* host empty: the address */
    uint64_t codes[GW_PROBE_CODE_WORDS]; /* a bit a code from the least on */
};
/* What stands between a cluster and its requests. */
struct gw_guards_conf {
    bool has_breaker, has_outlier, has_throttle, has_fallback;
    struct gw_breaker_conf breaker;
    struct gw_outlier_conf outlier;
    struct gw_throttle_conf throttle;
    const struct gw_probe_conf *probe;                /* NULL: none          */
    uint32_t failures;                                /* a bit an outcome    */
    uint32_t grpc_failures;                           /* a bit a grpc-status */
    gw_nanos slow;                                    /* GW_NEVER: none      */
    uint32_t exchanges_max, pending_max, retries_max; /* GW_OFF: none        */
    struct gw_cluster_conf *fallback;                 /* NULL: the reply     */
    uint32_t reply_code;
    gw_str reply_type, reply_body;
};
/* The cookie by which clients come back. */
struct gw_affinity_conf {
    gw_str cookie;
    gw_str attributes; /* "; Path=/..." */
    struct gw_sip_key key;
};
/* Where a cluster's endpoints come from. */
struct gw_dns_conf {
    gw_dns_spec spec; /* complete */
    struct gw_dns_plan plan;
    gw_str servers; /* "10.0.0.1:53,[::1]:53", a zero byte behind; empty: those of the system */
};
struct gw_cluster_conf {
    gw_str name;
    uint32_t index, protocol; /* one bit */
    gw_nanos connect_timeout, response_timeout, idle_timeout;
    gw_nanos age;
    uint32_t age_jitter;                                 /* percent */
    bool has_response_timeout;                           /* it was set: then it is for gRPC too */
    uint32_t connections_max, streams_max, requests_max; /* UINT32_MAX: none */
    uint32_t all_connections_max;                        /* ... of all workers; likewise */
    uint32_t retry_percent, retry_least;                 /* 0: none          */
    struct gw_balance_conf balance;
    struct gw_endpoints *endpoints;      /* none for an origin; not NULL once it is built */
    bool is_live;                        /* what calls have put in their place outlives this one  */
    const struct gw_dns_conf *dns;       /* NULL: none */
    const struct gw_guards_conf *guards; /* NULL: none */
    const struct gw_affinity_conf *affinity; /* likewise */
    gw_tls *tls;                             /* likewise */
    bool has_origin;
    gw_origin origin; /* complete: what the caller's size did not cover is 0 */
};
struct gw_limiter_conf {
    gw_str name;
    uint32_t index, flags, code, grpc_status;
    struct gw_limit_params params;
    const struct gw_key *keys;
    uint32_t keys_len;
    gw_str policy; /* the value of RateLimit-Policy */
};
/* One name of a route's list: where is_else, only if none of the entry's names before it was for the
 * request. */
struct gw_limiter_ref {
    uint32_t limiter;
    bool is_else;
};
/* What is retried. */
struct gw_retry_conf {
    uint32_t on;       /* GW_RETRY_* */
    uint32_t grpc;     /* a bit a status */
    uint64_t codes[4]; /* a bit a code from GW_RETRY_CODE_LEAST on */
    gw_nanos try_timeout, backoff, backoff_max;
    uint32_t replay_max; /* bytes of a body; 0: none */
    bool is_unsafe;
    bool has_backoff; /* it was set: then it is for all, and who is alone may be asked again */
};
enum { GW_RETRY_CODE_LEAST = 400, GW_RETRY_CODE_MOST = 599 };
/* Of a route that says nothing. In retry.c. */
extern const struct gw_retry_conf gw_retry_default;

struct gw_route_conf {
    gw_str name;
    uint32_t index, flags;
    struct gw_cluster_conf *cluster; /* NULL: reply, or split */
    struct gw_splits *splits;        /* NULL: none */
    const struct gw_key *split_keys;
    uint32_t split_keys_len;
    uint32_t split; /* its place in gw_config.split_routes */
    gw_nanos request_timeout, idle_timeout, tunnel_timeout;
    const struct gw_retry_conf *retry; /* never NULL */
    uint32_t retries;                  /* 0: none    */
    uint32_t reply_code;
    gw_str reply_type, reply_body;
    const gw_str *upgrades; /* lower case */
    size_t upgrades_len;
    void *user;
    uint64_t filters;      /* which are on: by index, a bit each */
    void **filter_configs; /* by index; NULL: those of all routes */
    const struct gw_limiter_ref *limiters;
    uint32_t limiters_len;
};
/* The host's, until the configuration is gone. */
struct gw_kept_object {
    struct gw_kept_object *next;
    void *object, *ctx;
    gw_done_fn *done;
};

/* The hooks of filters, and who else may run. What a filter's on_resume may ask is what the hook might that waited. */
enum gw_hook {
    GW_HOOK_NONE = 0,
    GW_HOOK_REQUEST,
    GW_HOOK_ROUTE,
    GW_HOOK_UPSTREAM,
    GW_HOOK_REQUEST_BODY,
    GW_HOOK_REQUEST_END,
    GW_HOOK_RESPONSE,
    GW_HOOK_RESPONSE_BODY,
    GW_HOOK_RESPONSE_END,
    GW_HOOK_ORIGIN,
    GW_HOOK_CALL,
    GW_HOOK_LATE, /* on_resume, but the exchange is lost: it is only told */
    GW_HOOK_END,
    GW_HOOK_COUNT
};

struct gw_config {
    atomic_uint refs;
    struct gw_heap heap;   /* all its memory */
    struct gw_store store; /* texts and tables */
    struct gw_listener_conf *listeners;
    uint32_t listeners_len;
    struct gw_cluster_conf *clusters;
    uint32_t clusters_len;
    struct gw_route_conf *routes;
    uint32_t routes_len;
    gw_balancer *balancers;
    struct gw_limiter_conf *limiters;
    uint32_t limiters_len;
    struct gw_route_conf **split_routes; /* those that are shared out */
    uint32_t split_routes_len;
    gw_filter *filters; /* complete, in order */
    uint32_t filters_len;
    uint64_t filters_on;           /* where nothing else is said, and before there is a route */
    void **filter_configs;         /* ... likewise; NULL: none has one */
    uint64_t hooks[GW_HOOK_COUNT]; /* which have that one */
    struct gw_kept_object *kept, **kept_last;
    struct gw_route_tree *tree;
};

/* An empty one with one reference, for the builder; NULL: no memory. */
gw_config *gw_config_new(const gw_allocator *allocator) GW_MUST_CHECK;
/* NULL: none of that name. O(n): at accept only. */
const struct gw_listener_conf *gw_config_find_listener(const gw_config *config, gw_str name);
/* Likewise: for what a hook or a call of the host's names. */
struct gw_cluster_conf *gw_config_find_cluster(const gw_config *config, gw_str name);
/* Whom the certificate of an endpoint must be for; empty: it has none, or none can be. */
gw_str gw_cluster_tls_name(const struct gw_cluster_conf *cluster, gw_str address);
/* The route of a request, or NULL. */
const struct gw_route_conf *gw_config_route(const gw_config *config, const struct gw_route_key *key,
                                            bool *is_method_missing);
/* The same, and why. */
const struct gw_route_conf *gw_config_explain_route(const gw_config *config,
                                                    const struct gw_route_key *key,
                                                    bool *is_method_missing,
                                                    const struct gw_route_trace *trace);

#endif
