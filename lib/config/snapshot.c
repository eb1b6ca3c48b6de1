/* config/snapshot.c: references to a configuration, its end, and what is looked up in it. */

#include "config/snapshot.h"

#include "base/assert.h"
#include "base/spec.h"
#include "tls/settings.h"

gw_config *gw_config_new(const gw_allocator *allocator)
{
    struct gw_heap heap;
    gw_heap_init(&heap, allocator, 0);
    gw_config *config = gw_heap_zalloc(&heap, sizeof *config);
    if (config == NULL)
        return NULL;
    atomic_init(&config->refs, 1);
    config->heap = heap;
    gw_store_init(&config->store, &config->heap);
    config->kept_last = &config->kept;
    return config;
}

static void free_config(gw_config *config)
{
    for (struct gw_kept_object *k = config->kept; k != NULL; k = k->next)
        k->done(k->ctx, k->object);
    for (uint32_t i = 0; i < config->clusters_len; i++)
        gw_endpoints_unref(config->clusters[i].endpoints);
    for (uint32_t i = 0; i < config->split_routes_len; i++)
        gw_splits_unref(config->split_routes[i]->splits);
    gw_route_tree_free(config->tree);
    gw_store_fini(&config->store);
    struct gw_heap heap = config->heap;
    gw_heap_release(&heap, config, sizeof *config);
    GW_ASSERT(heap.used == 0);
}

gw_config *gw_config_ref(gw_config *config)
{
    if (config != NULL)
        atomic_fetch_add_explicit(&config->refs, 1, memory_order_relaxed);
    return config;
}

void gw_config_unref(gw_config *config)
{
    if (config == NULL)
        return;
    unsigned before = atomic_fetch_sub_explicit(&config->refs, 1, memory_order_acq_rel);
    GW_ASSERT(before > 0);
    if (before == 1)
        free_config(config);
}

static uint32_t milliseconds(gw_nanos duration)
{
    return duration == GW_NEVER ? GW_OFF : (uint32_t)(duration / GW_MS(1));
}

gw_status gw_config_listener(const gw_config *config, size_t i, gw_listener_spec *out)
{
    if (config == NULL)
        return GW_EINVAL;
    if (i >= config->listeners_len)
        return GW_EUNKNOWN;
    const struct gw_listener_conf *listener = &config->listeners[i];
    gw_listener_spec own = {
        .size = sizeof own,
        .protocols = listener->protocols,
        .head_timeout_ms = milliseconds(listener->head_timeout),
        .body_idle_timeout_ms = milliseconds(listener->body_idle_timeout),
        .idle_timeout_ms = milliseconds(listener->idle_timeout),
        .name = listener->name,
        .address = listener->address,
        .body_rate = listener->body_rate,
        .age_ms = milliseconds(listener->age),
        .age_jitter_percent = listener->age_jitter == 0 ? GW_OFF : listener->age_jitter,
        .age_grace_ms = milliseconds(listener->age_grace),
        .requests_max = listener->requests_max,
        .via = listener->via.name,
        .trusted = listener->trusted,
        .trusted_len = listener->trust.prefixes_len,
        .trusted_hops = listener->trust.hops,
        .forwarded = listener->forwarded == 0 ? GW_OFF : listener->forwarded,
        .flags = listener->has_no_via ? GW_LISTENER_NO_VIA : 0,
    };
    return gw_spec_fill(out, &own, sizeof own);
}

const struct gw_listener_conf *gw_config_find_listener(const gw_config *config, gw_str name)
{
    for (uint32_t i = 0; i < config->listeners_len; i++)
        if (gw_str_eq(config->listeners[i].name, name))
            return &config->listeners[i];
    return NULL;
}

struct gw_cluster_conf *gw_config_find_cluster(const gw_config *config, gw_str name)
{
    for (uint32_t i = 0; i < config->clusters_len; i++)
        if (gw_str_eq(config->clusters[i].name, name))
            return &config->clusters[i];
    return NULL;
}

const struct gw_route_conf *gw_config_route(const gw_config *config, const struct gw_route_key *key,
                                            bool *is_method_missing)
{
    uint32_t route = gw_route_tree_find(config->tree, key, is_method_missing);
    return route == UINT32_MAX ? NULL : &config->routes[route];
}

const struct gw_route_conf *gw_config_explain_route(const gw_config *config,
                                                    const struct gw_route_key *key,
                                                    bool *is_method_missing,
                                                    const struct gw_route_trace *trace)
{
    uint32_t route = gw_route_tree_explain(config->tree, key, is_method_missing, trace);
    return route == UINT32_MAX ? NULL : &config->routes[route];
}

gw_str gw_cluster_tls_name(const struct gw_cluster_conf *c, gw_str address)
{
    gw_address parsed;
    size_t end = address.len;

    if (c->tls == NULL)
        return (gw_str){ NULL, 0 };
    if (c->tls->server_name.len > 0)
        return c->tls->server_name;
    if (c->dns != NULL)
        return c->dns->spec.name;
    if (gw_address_parse(address, &parsed) != GW_OK || parsed.kind == GW_ADDRESS_UNIX)
        return (gw_str){ NULL, 0 };
    if (address.ptr[0] == '[')
        return gw_str_slice(address, 1, gw_str_find(address, ']'));
    while (address.ptr[--end] != ':')
        continue;
    return gw_str_slice(address, 0, end);
}
