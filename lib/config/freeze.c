/* config/freeze.c: defaults are filled in, names become pointers, and searches their tables. */

#include "config/freeze.h"

#include "base/assert.h"
#include "config/affinity.h"
#include "config/balancing.h"
#include "config/dns.h"
#include "config/guards.h"
#include "config/keys.h"
#include "config/limiter.h"
#include "config/retry.h"
#include "gw_features.h"

/* The defaults; gw/config.h and docs/configuration.md say the same. */
enum {
    HEAD_TIMEOUT_MS = 10000,
    BODY_IDLE_TIMEOUT_MS = 30000,
    BODY_RATE = 100,
    IDLE_TIMEOUT_MS = 60000,
    CONNECT_TIMEOUT_MS = 2000,
    RESPONSE_TIMEOUT_MS = 15000,
    TUNNEL_IDLE_TIMEOUT_MS = 300000,
    AGE_JITTER_PERCENT = 10,
    CONNECTIONS = 64,
    STREAMS = 100,
    RETRIES = 1,
    RETRY_PERCENT = 20,
    RETRY_LEAST = 100,
    WEIGHT = 1
};
static const uint32_t all_protocols = GW_HAVE_H2 ? GW_PROTO_H1 | GW_PROTO_H2 : GW_PROTO_H1;

static gw_nanos duration(uint32_t ms, uint32_t when_zero)
{
    uint32_t effective = ms == 0 ? when_zero : ms;
    return effective == GW_OFF ? GW_NEVER : GW_MS(effective);
}

static uint32_t number(uint32_t n, uint32_t when_zero)
{
    return n == 0 ? when_zero : n;
}

/* Where none is a number like others. */
static uint32_t amount(uint32_t n, uint32_t when_zero)
{
    return n == GW_OFF ? 0 : number(n, when_zero);
}

static gw_status freeze_identity(const gw_listener_spec *spec, gw_config *config,
                                 struct gw_listener_conf *out)
{
    struct gw_prefix *prefixes = gw_store_take(&config->store, spec->trusted_len, sizeof *prefixes);
    char *via = gw_store_take(&config->store, spec->via.len > 0 ? GW_VIA_BYTES : 0, 1);
    if (prefixes == NULL || via == NULL)
        return GW_ENOMEM;
    for (size_t i = 0; i < spec->trusted_len; i++) {
        gw_status status = gw_prefix_parse(spec->trusted[i], &prefixes[i]);
        GW_ASSERT(status == GW_OK); /* the check has seen it */
        (void)status;
    }
    out->trusted = spec->trusted;
    out->trust = (struct gw_trust){ prefixes, (uint32_t)spec->trusted_len,
                                    amount(spec->trusted_hops, 0) };
    out->forwarded = amount(spec->forwarded, GW_FORWARDED_X);
    out->has_no_via = (spec->flags & GW_LISTENER_NO_VIA) != 0;
    if (spec->via.len > 0)
        gw_via_init(&out->via, spec->via, via);
    return GW_OK;
}

static gw_status freeze_listeners(const struct gw_builder *b, gw_config *config)
{
    gw_status status = GW_OK;
    config->listeners = gw_store_take(&config->store, b->listeners.len, sizeof *config->listeners);
    if (config->listeners == NULL)
        return GW_ENOMEM;
    config->listeners_len = b->listeners.len;
    for (const struct gw_draft *d = b->listeners.first; d != NULL && status == GW_OK; d = d->next) {
        const gw_listener_spec *spec = &((const struct gw_listener_draft *)(const void *)d)->spec;
        config->listeners[d->index] = (struct gw_listener_conf){
            .name = spec->name,
            .address = spec->address,
            .index = d->index,
            .protocols = number(spec->protocols, all_protocols),
            .head_timeout = duration(spec->head_timeout_ms, HEAD_TIMEOUT_MS),
            .body_idle_timeout = duration(spec->body_idle_timeout_ms, BODY_IDLE_TIMEOUT_MS),
            .idle_timeout = duration(spec->idle_timeout_ms, IDLE_TIMEOUT_MS),
            .body_rate = number(spec->body_rate, BODY_RATE),
            .age = duration(spec->age_ms, GW_OFF),
            .age_grace = duration(spec->age_grace_ms, GW_OFF),
            .age_jitter = amount(spec->age_jitter_percent, AGE_JITTER_PERCENT),
            .requests_max = number(spec->requests_max, GW_OFF),
            .tls = spec->tls,
        };
        status = freeze_identity(spec, config, &config->listeners[d->index]);
    }
    return status;
}

static gw_status freeze_endpoints(const struct gw_cluster_draft *draft, gw_config *config,
                                  struct gw_cluster_conf *cluster)
{
    gw_status status = GW_OK;
    cluster->endpoints = gw_endpoints_new(&config->heap.allocator, draft->endpoints.len);
    if (cluster->endpoints == NULL)
        return GW_ENOMEM;
    for (const struct gw_draft *d = draft->endpoints.first; d != NULL && status == GW_OK;
         d = d->next)
        status = gw_endpoints_set(cluster->endpoints, d->index,
                                  &((const struct gw_endpoint_draft *)(const void *)d)->spec);
    if (status == GW_OK)
        status = gw_endpoints_finish(cluster->endpoints, &cluster->balance.rule);
    return status;
}

static void fill_cluster(const struct gw_cluster_draft *draft, struct gw_cluster_conf *out)
{
    const gw_cluster_spec *spec = &draft->spec;
    *out = (struct gw_cluster_conf){
        .name = spec->name,
        .index = draft->draft.index,
        .protocol = number(spec->protocols, GW_PROTO_H1),
        .connect_timeout = duration(spec->connect_timeout_ms, CONNECT_TIMEOUT_MS),
        .response_timeout = duration(spec->response_timeout_ms, RESPONSE_TIMEOUT_MS),
        .idle_timeout = duration(spec->idle_timeout_ms, IDLE_TIMEOUT_MS),
        .has_response_timeout = spec->response_timeout_ms != 0,
        .connections_max = number(spec->connections_max,
                                  spec->protocols == GW_PROTO_TCP ? GW_OFF : CONNECTIONS),
        .all_connections_max = number(spec->all_connections_max, GW_OFF),
        .streams_max = number(spec->streams_max, STREAMS),
        .requests_max = number(spec->requests_max, GW_OFF),
        .age = duration(spec->age_ms, GW_OFF),
        .tls = spec->tls,
        .age_jitter = amount(spec->age_jitter_percent, AGE_JITTER_PERCENT),
        .retry_percent = amount(spec->retry_percent, RETRY_PERCENT),
        .retry_least = amount(spec->retry_least, RETRY_LEAST),
        .is_live = (spec->flags & GW_CLUSTER_LIVE) != 0,
        .has_origin = spec->origin != NULL,
        .origin = draft->origin,
    };
}

static gw_status freeze_balancers(const struct gw_builder *b, gw_config *config)
{
    config->balancers = gw_store_take(&config->store, b->balancers.len, sizeof *config->balancers);
    if (config->balancers == NULL)
        return GW_ENOMEM;
    for (const struct gw_draft *d = b->balancers.first; d != NULL; d = d->next)
        config->balancers[d->index] = ((const struct gw_balancer_draft *)(const void *)d)->balancer;
    return GW_OK;
}

static gw_status freeze_balance(const struct gw_cluster_draft *draft, gw_config *config,
                                struct gw_cluster_conf *cluster)
{
    const gw_balancer *custom = draft->balancer == UINT32_MAX ? NULL
                                                              : &config->balancers[draft->balancer];
    gw_status status = gw_balancing_freeze(&draft->spec, custom, &config->store, &cluster->balance);
    if (status == GW_OK)
        status = gw_affinity_freeze(draft, &config->store, &cluster->affinity);
    if (status == GW_OK && cluster->affinity != NULL)
        cluster->balance.rule.pin_key = &cluster->affinity->key;
    return status;
}

static gw_status freeze_clusters(const struct gw_builder *b, gw_config *config)
{
    config->clusters = gw_store_take(&config->store, b->clusters.len, sizeof *config->clusters);
    if (config->clusters == NULL)
        return GW_ENOMEM;
    config->clusters_len = b->clusters.len;
    gw_status status = GW_OK;
    for (const struct gw_draft *d = b->clusters.first; d != NULL && status == GW_OK; d = d->next) {
        const struct gw_cluster_draft *draft = (const struct gw_cluster_draft *)(const void *)d;
        struct gw_cluster_conf *cluster = &config->clusters[d->index];
        fill_cluster(draft, cluster);
        gw_guards_preset(draft, cluster);
        status = gw_guards_freeze(draft, config, &cluster->guards);
        if (status == GW_OK)
            status = freeze_balance(draft, config, cluster);
        if (status == GW_OK)
            status = gw_dns_freeze(draft, &config->store, &cluster->dns);
        if (status == GW_OK)
            status = freeze_endpoints(draft, config, cluster);
    }
    return status;
}

static const gw_str default_upgrades[] = { { "websocket", 9 } };

static void fill_route(const struct gw_route_draft *draft, gw_config *config,
                       struct gw_route_conf *out)
{
    const gw_route_spec *spec = &draft->spec;
    bool is_reply = spec->reply_code != 0;
    bool has_body = spec->reply_body.len > 0;
    *out = (struct gw_route_conf){
        .name = spec->name,
        .index = draft->draft.index,
        .flags = spec->flags,
        .cluster = is_reply || draft->splits_len > 0 ? NULL : &config->clusters[draft->cluster],
        .request_timeout = duration(spec->request_timeout_ms, GW_OFF),
        .idle_timeout = duration(spec->idle_timeout_ms, TUNNEL_IDLE_TIMEOUT_MS),
        .tunnel_timeout = duration(spec->tunnel_timeout_ms, GW_OFF),
        .reply_code = spec->reply_code,
        .reply_type = has_body && spec->reply_type.len == 0 ? GW_STR("text/plain")
                                                            : spec->reply_type,
        .reply_body = spec->reply_body,
        .upgrades = spec->upgrades,
        .upgrades_len = spec->upgrades_len,
        .user = spec->user,
        .retries = amount(spec->retries, RETRIES),
        .limiters = draft->limiters,
        .limiters_len = draft->limiters_len,
    };
    if (!is_reply && spec->upgrades_len == 0 && (spec->flags & GW_ROUTE_NO_UPGRADE) == 0) {
        out->upgrades = default_upgrades;
        out->upgrades_len = sizeof default_upgrades / sizeof default_upgrades[0];
    }
}

static gw_status freeze_split(const struct gw_route_draft *draft, gw_config *config,
                              struct gw_route_conf *route)
{
    struct gw_splits *s = gw_splits_new(&config->heap.allocator, draft->splits_len);
    if (s == NULL)
        return GW_ENOMEM;
    for (uint32_t i = 0; i < s->len; i++) {
        s->list[i].cluster = &config->clusters[draft->splits[i].cluster];
        s->list[i].weight = amount(draft->splits[i].spec.weight, WEIGHT);
    }
    route->splits = s;
    route->split = config->split_routes_len;
    config->split_routes[config->split_routes_len++] = route;
    gw_status status = gw_keys_freeze(&config->store, draft->spec.split_keys,
                                      draft->spec.split_keys_len, &route->split_keys,
                                      &route->split_keys_len);
    return status == GW_OK ? gw_splits_finish(s) : status;
}

static gw_status freeze_splits(const struct gw_builder *b, gw_config *config)
{
    gw_status status = GW_OK;
    uint32_t n = 0;
    for (const struct gw_draft *d = b->routes.first; d != NULL; d = d->next)
        n += ((const struct gw_route_draft *)(const void *)d)->splits_len > 0;
    config->split_routes = gw_store_take(&config->store, n, sizeof *config->split_routes);
    if (config->split_routes == NULL)
        return GW_ENOMEM;
    for (const struct gw_draft *d = b->routes.first; d != NULL && status == GW_OK; d = d->next) {
        const struct gw_route_draft *draft = (const struct gw_route_draft *)(const void *)d;
        if (draft->splits_len > 0)
            status = freeze_split(draft, config, &config->routes[d->index]);
    }
    return status;
}

static gw_status plant(const struct gw_builder *b, gw_config *config)
{
    size_t n = b->routes.len, tie[2] = { 0, 0 };
    struct gw_route_rule *rules = NULL;
    if (n > 0) {
        rules = gw_heap_alloc(&config->heap, n * sizeof *rules);
        if (rules == NULL)
            return GW_ENOMEM;
        gw_builder_rules(b, rules);
    }
    gw_status status = gw_route_tree_new(&config->heap, rules, n, &config->tree, tie);
    GW_ASSERT(status == GW_OK || status == GW_ENOMEM); /* ties were refused by the check */
    gw_heap_release(&config->heap, rules, n * sizeof *rules);
    return status;
}

static gw_status freeze_routes(const struct gw_builder *b, gw_config *config)
{
    config->routes = gw_store_take(&config->store, b->routes.len, sizeof *config->routes);
    if (config->routes == NULL)
        return GW_ENOMEM;
    config->routes_len = b->routes.len;
    for (const struct gw_draft *d = b->routes.first; d != NULL; d = d->next) {
        const struct gw_route_draft *draft = (const struct gw_route_draft *)(const void *)d;
        fill_route(draft, config, &config->routes[d->index]);
        if (gw_retry_freeze(draft, config, &config->routes[d->index]) != GW_OK)
            return GW_ENOMEM;
    }
    gw_status status = freeze_splits(b, config);
    return status == GW_OK ? plant(b, config) : status;
}

static void note_hooks(gw_config *config, const gw_filter *filter, uint32_t index)
{
    uint64_t bit = UINT64_C(1) << index;
    config->hooks[GW_HOOK_REQUEST] |= filter->on_request != NULL ? bit : 0;
    config->hooks[GW_HOOK_ROUTE] |= filter->on_route != NULL ? bit : 0;
    config->hooks[GW_HOOK_UPSTREAM] |= filter->on_upstream != NULL ? bit : 0;
    config->hooks[GW_HOOK_REQUEST_BODY] |= filter->on_request_body != NULL ? bit : 0;
    config->hooks[GW_HOOK_REQUEST_END] |= filter->on_request_end != NULL ? bit : 0;
    config->hooks[GW_HOOK_RESPONSE_BODY] |= filter->on_response_body != NULL ? bit : 0;
    config->hooks[GW_HOOK_RESPONSE_END] |= filter->on_response_end != NULL ? bit : 0;
    config->hooks[GW_HOOK_RESPONSE] |= filter->on_response != NULL ? bit : 0;
}

static gw_status freeze_filters(const struct gw_builder *b, gw_config *config)
{
    config->filters = gw_store_take(&config->store, b->filters.len, sizeof *config->filters);
    if (config->filters == NULL)
        return GW_ENOMEM;
    config->filters_len = b->filters.len;
    for (const struct gw_draft *d = b->filters.first; d != NULL; d = d->next) {
        config->filters[d->index] = ((const struct gw_filter_draft *)(const void *)d)->filter;
        note_hooks(config, &config->filters[d->index], d->index);
    }
    return GW_OK;
}

/* Of a route's own, which begins as that of all routes. NULL: no memory. */
static void **own_configs(gw_config *config, void ***slot)
{
    if (*slot != NULL)
        return *slot;
    *slot = gw_store_take(&config->store, config->filters_len, sizeof **slot);
    for (uint32_t i = 0; *slot != NULL && config->filter_configs != NULL && i < config->filters_len;
         i++)
        (*slot)[i] = config->filter_configs[i];
    return *slot;
}

static gw_status use(gw_config *config, const struct gw_use_draft *draft, uint64_t *filters,
                     void ***configs)
{
    uint64_t bit = UINT64_C(1) << draft->filter;
    *filters = draft->is_off ? *filters & ~bit : *filters | bit;
    if (draft->config == NULL && *configs == NULL && config->filter_configs == NULL)
        return GW_OK;
    void **own = own_configs(config, configs);
    if (own == NULL)
        return GW_ENOMEM;
    own[draft->filter] = draft->config;
    return GW_OK;
}

/* First what is for all routes, then what each says for itself. */
static gw_status freeze_uses(const struct gw_builder *b, gw_config *config)
{
    gw_status status = GW_OK;
    config->filters_on = config->filters_len == 64 ? UINT64_MAX
                                                   : (UINT64_C(1) << config->filters_len) - 1;
    for (const struct gw_draft *d = b->uses.first; d != NULL && status == GW_OK; d = d->next) {
        const struct gw_use_draft *draft = (const struct gw_use_draft *)(const void *)d;
        if (draft->route == UINT32_MAX)
            status = use(config, draft, &config->filters_on, &config->filter_configs);
    }
    for (uint32_t i = 0; i < config->routes_len; i++)
        config->routes[i].filters = config->filters_on;
    for (const struct gw_draft *d = b->uses.first; d != NULL && status == GW_OK; d = d->next) {
        const struct gw_use_draft *draft = (const struct gw_use_draft *)(const void *)d;
        struct gw_route_conf *route = draft->route != UINT32_MAX ? &config->routes[draft->route]
                                                                 : NULL;
        if (route != NULL)
            status = use(config, draft, &route->filters, &route->filter_configs);
    }
    return status;
}

gw_status gw_freeze(struct gw_builder *b)
{
    gw_config *config = b->config;
    gw_status status = freeze_listeners(b, config);
    if (status == GW_OK)
        status = freeze_balancers(b, config);
    if (status == GW_OK)
        status = freeze_clusters(b, config);
    if (status == GW_OK)
        status = gw_limiters_freeze(b, config);
    if (status == GW_OK)
        status = freeze_routes(b, config);
    if (status == GW_OK)
        status = freeze_filters(b, config);
    if (status == GW_OK)
        status = freeze_uses(b, config);
    return status;
}
