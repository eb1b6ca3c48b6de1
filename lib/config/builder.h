/* config/builder.h: the parts of a configuration as they were given, and what is wrong with them.
 * Drafts lie in the builder's own store, their texts already in that of the configuration. */
#ifndef GW_CONFIG_BUILDER_H
#define GW_CONFIG_BUILDER_H

#include "config/bounds.h"
#include "config/snapshot.h"

/* What every part begins with. */
struct gw_draft {
    struct gw_draft *next;
    uint32_t index; /* among all that were offered, refused ones too */
    uint32_t mark;
    gw_str name;
    bool is_bad; /* a fault of its own was found */
};
struct gw_drafts {
    struct gw_draft *first, *last;
    uint32_t len;
};

struct gw_listener_draft {
    struct gw_draft draft;
    gw_listener_spec spec;
};
struct gw_endpoint_draft {
    struct gw_draft draft;
    gw_endpoint_spec spec;
};
struct gw_cluster_draft {
    struct gw_draft draft;
    gw_cluster_spec spec;
    gw_origin origin;  /* spec.origin points here, or is NULL */
    gw_hash_spec hash; /* so do spec's other groups           */
    gw_breaker_spec breaker;
    gw_outlier_spec outlier;
    gw_throttle_spec throttle;
    gw_fallback_spec fallback;
    gw_affinity_spec affinity;
    gw_health_spec health;
    uint64_t health_codes[GW_PROBE_CODE_WORDS];
    gw_dns_spec dns;
    uint32_t fallback_cluster; /* found by the check; UINT32_MAX: none */
    uint32_t balancer;         /* likewise                             */
    struct gw_drafts endpoints;
};
struct gw_balancer_draft {
    struct gw_draft draft;
    gw_balancer balancer;
};
struct gw_limiter_draft {
    struct gw_draft draft;
    gw_limiter_spec spec;
};
struct gw_split_draft {
    gw_split_spec spec;
    uint32_t cluster; /* found by the check */
};
struct gw_route_draft {
    struct gw_draft draft;
    gw_route_spec spec;
    gw_retry_spec retry;             /* spec.retry points here, or is NULL */
    uint32_t cluster, listener;      /* found by the check; UINT32_MAX: none, any */
    struct gw_limiter_ref *limiters; /* found by the check */
    uint32_t limiters_len;
    struct gw_split_draft *splits;
    uint32_t splits_len;
};
struct gw_filter_draft {
    struct gw_draft draft;
    gw_filter filter;
};

/* What gw_builder_use said: the later one of two of a pair counts. */
struct gw_use_draft {
    struct gw_draft draft;
    uint32_t filter, route; /* route UINT32_MAX: all */
    bool is_off;
    void *config;
};

struct gw_fault {
    struct gw_fault *next;
    gw_config_error error;
};
struct gw_faults {
    struct gw_fault *first, *last;
    struct gw_fault *unread;
    uint32_t len;
};

struct gw_builder {
    uint32_t magic;
    gw_config *config; /* empty, but for its heap and the texts */
    struct gw_store store;
    struct gw_drafts listeners, clusters, balancers, limiters, routes, filters, uses;
    uint32_t keeps;
    uint32_t endpoints_len;
    struct gw_faults part_faults;  /* of single parts, as they came  */
    struct gw_faults check_faults; /* across parts                   */
    bool is_checked;               /* check_faults are of all parts  */
    bool has_no_memory;            /* once, and so for ever          */
    bool has_told_no_memory;
    struct gw_fault spare; /* where faults go that nobody will read  */
};

/* Whether anything is wrong so far. */
bool gw_builder_is_faulty(const struct gw_builder *b);
/* The rows for the router, one a route. */
void gw_builder_rules(const struct gw_builder *b, struct gw_route_rule *out);

#endif
