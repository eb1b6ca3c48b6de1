/* exchange/binding.c: making and freeing bindings. */

#include "exchange/binding.h"

#include <string.h>

#include "base/assert.h"
#include "base/prng.h"

static void *take(const gw_allocator *a, size_t count, size_t each)
{
    return gw_allocator_zalloc(a, (count > 0 ? count : 1) * each);
}

static void give(const gw_allocator *a, void *memory, size_t count, size_t each)
{
    if (memory != NULL)
        a->release(a->ctx, memory, (count > 0 ? count : 1) * each);
}

gw_status gw_binding_new(const gw_allocator *allocator, gw_config *config, uint64_t seed,
                         struct gw_binding **out)
{
    struct gw_binding *b = take(allocator, 1, sizeof *b);
    struct gw_prng prng = { seed };

    if (b == NULL)
        return GW_ENOMEM;
    b->allocator = *allocator;
    b->config = gw_config_ref(config);
    b->upstreams = take(allocator, config->endpoints_len, sizeof(struct gw_upstream *));
    b->cursors = take(allocator, config->clusters_len, sizeof(uint32_t));
    b->budgets = take(allocator, config->clusters_len, sizeof *b->budgets);
    if (b->upstreams == NULL || b->cursors == NULL || b->budgets == NULL) {
        gw_binding_free(b);
        return GW_ENOMEM;
    }
    for (uint32_t i = 0; i < config->clusters_len; i++)
        b->cursors[i] = (uint32_t)gw_prng_next(&prng);
    *out = b;
    return GW_OK;
}

static struct gw_upstream_spec spec_of(const struct gw_binding *b,
                                       const struct gw_endpoint_conf *endpoint)
{
    const struct gw_cluster_conf *c = endpoint->cluster;

    return (struct gw_upstream_spec){
        .address = endpoint->address,
        .cluster = c->name,
        .endpoint = endpoint->name,
        .protocol = c->protocol,
        .connections_max = c->connections_max,
        .streams_max = c->streams_max,
        .requests_max = c->requests_max,
        .connect_timeout = c->connect_timeout,
        .idle_timeout = c->idle_timeout,
        .generation = b->generation,
    };
}

struct gw_upstream *gw_binding_upstream(struct gw_binding *b, struct gw_upstreams *pool,
                                        const struct gw_endpoint_conf *endpoint)
{
    struct gw_upstream **slot = &b->upstreams[endpoint->ordinal];

    if (*slot == NULL) {
        struct gw_upstream_spec spec = spec_of(b, endpoint);
        *slot = gw_upstream_get(pool, &spec);
    }
    return *slot;
}

/* Where each cluster is in its turn, and what it has spent on retries. Names are usually in the same order, with a few come or gone: the
 * search goes on where the last one was found. */
static void inherit_clusters(struct gw_binding *b, const struct gw_binding *old)
{
    const gw_config *from = old->config;
    uint32_t at = 0;

    for (uint32_t i = 0; i < b->config->clusters_len; i++) {
        for (uint32_t tried = 0; tried < from->clusters_len; tried++) {
            uint32_t j = (at + tried) % from->clusters_len;
            if (!gw_str_eq(from->clusters[j].name, b->config->clusters[i].name))
                continue;
            b->cursors[i] = old->cursors[j];
            b->budgets[i] = old->budgets[j];
            at = j + 1;
            break;
        }
    }
}

static void inherit_upstreams(struct gw_binding *b, struct gw_upstreams *pool)
{
    for (uint32_t i = 0; i < b->config->clusters_len; i++) {
        const struct gw_cluster_conf *c = &b->config->clusters[i];
        for (uint32_t j = 0; j < c->endpoints_len; j++) {
            struct gw_upstream_spec spec = spec_of(b, &c->endpoints[j]);
            b->upstreams[c->endpoints[j].ordinal] = gw_upstream_find(pool, &spec);
        }
    }
}

void gw_binding_inherit(struct gw_binding *b, struct gw_binding *old, struct gw_upstreams *pool)
{
    inherit_clusters(b, old);
    inherit_upstreams(b, pool);
    /* An exchange of the old one that has yet to pick takes its reference anew. */
    for (uint32_t i = 0; i < old->config->endpoints_len; i++) {
        if (old->upstreams[i] == NULL || gw_upstream_is_wanted(old->upstreams[i]))
            continue;
        gw_upstream_unref(old->upstreams[i]);
        old->upstreams[i] = NULL;
    }
}

void gw_binding_reset(struct gw_binding *b)
{
    for (uint32_t i = 0; i < b->config->endpoints_len; i++) {
        if (b->upstreams[i] != NULL)
            gw_upstream_unref(b->upstreams[i]);
        b->upstreams[i] = NULL;
    }
    memset(b->budgets, 0, b->config->clusters_len * sizeof *b->budgets);
    b->users = 0;
}

void gw_binding_free(struct gw_binding *b)
{
    gw_allocator allocator;

    if (b == NULL)
        return;
    GW_ASSERT(b->users == 0);
    allocator = b->allocator;
    if (b->upstreams != NULL && b->cursors != NULL && b->budgets != NULL)
        gw_binding_reset(b);
    give(&allocator, b->upstreams, b->config->endpoints_len, sizeof(struct gw_upstream *));
    give(&allocator, b->cursors, b->config->clusters_len, sizeof(uint32_t));
    give(&allocator, b->budgets, b->config->clusters_len, sizeof *b->budgets);
    gw_config_unref(b->config);
    give(&allocator, b, 1, sizeof *b);
}
