/* exchange/edition.c: made, shared and freed. */

#include "exchange/edition.h"

#include "base/assert.h"

static bool is_same_config(const struct gw_edition_plan *plan)
{
    return plan->changed != NULL || plan->reweighed != NULL;
}

/* A reference; NULL: no memory. What calls have put in a live cluster stays, and what
 * DNS has said until it says something else; picked as conf says now. */
static struct gw_endpoints *take_endpoints(const gw_allocator *allocator,
                                           const struct gw_edition_plan *plan, uint32_t i)
{
    const struct gw_cluster_conf *conf = &plan->config->clusters[i], *before = NULL;

    if (plan->changed == conf)
        return gw_endpoints_ref(plan->endpoints);
    if (is_same_config(plan))
        return gw_endpoints_ref(plan->before->clusters[i].endpoints);
    if (plan->before != NULL && (conf->is_live || conf->dns != NULL))
        before = gw_config_find_cluster(plan->before->config, conf->name);
    if (before == NULL || before->is_live != conf->is_live ||
        (before->dns == NULL) != (conf->dns == NULL))
        return gw_endpoints_ref(conf->endpoints);
    return gw_endpoints_remake(allocator, plan->before->clusters[before->index].endpoints,
                               &conf->balance.rule);
}

static struct gw_splits *splits_of(const struct gw_edition_plan *plan, uint32_t i)
{
    const struct gw_route_conf *route = plan->config->split_routes[i];

    if (plan->reweighed == route)
        return plan->splits;
    return is_same_config(plan) ? plan->before->splits[i].splits : route->splits;
}

static gw_status fill_split(struct gw_edition *e, struct gw_registry *registry,
                            const struct gw_edition_plan *plan, uint32_t i)
{
    const struct gw_route_conf *route = e->config->split_routes[i];
    struct gw_edition_split *s = &e->splits[i];

    s->splits = gw_splits_ref(splits_of(plan, i));
    s->states = gw_allocator_take(&e->allocator, s->splits->len, sizeof(struct gw_split_state *));
    if (s->states == NULL)
        return GW_ENOMEM;
    s->state = (struct gw_route_state *)gw_registry_get(registry, GW_SHARED_ROUTE, GW_STR(""),
                                                        route->name, sizeof *s->state);
    if (s->state == NULL)
        return GW_ENOMEM;
    for (uint32_t j = 0; j < s->splits->len; j++) {
        s->states[j] = (struct gw_split_state *)gw_registry_get(registry, GW_SHARED_SPLIT,
                                                                s->splits->list[j].cluster->name,
                                                                route->name, sizeof **s->states);
        if (s->states[j] == NULL)
            return GW_ENOMEM;
    }
    return GW_OK;
}

static gw_status fill(struct gw_edition *e, struct gw_registry *registry,
                      const struct gw_edition_plan *plan, uint32_t i)
{
    const struct gw_cluster_conf *conf = &e->config->clusters[i];
    struct gw_edition_cluster *c = &e->clusters[i];

    c->endpoints = take_endpoints(&e->allocator, plan, i);
    if (c->endpoints == NULL)
        return GW_ENOMEM;
    c->states = gw_allocator_take(&e->allocator, c->endpoints->len,
                                  sizeof(struct gw_endpoint_state *));
    if (c->states == NULL)
        return GW_ENOMEM;
    if (conf->has_origin)
        return GW_OK;
    c->state = (struct gw_cluster_state *)gw_registry_get(registry, GW_SHARED_CLUSTER, conf->name,
                                                          GW_STR(""), sizeof *c->state);
    if (c->state == NULL)
        return GW_ENOMEM;
    for (uint32_t j = 0; j < c->endpoints->len; j++) {
        c->states[j] = (struct gw_endpoint_state *)gw_registry_get(
            registry, GW_SHARED_ENDPOINT, conf->name, c->endpoints->list[j].name,
            sizeof **c->states);
        if (c->states[j] == NULL)
            return GW_ENOMEM;
    }
    return GW_OK;
}

/* ---- limiters ---- */

/* The one of that name; an edition of the same configuration has it in the same place. */
static const struct gw_limiter_conf *limiter_of(const struct gw_edition *e,
                                                const struct gw_limiter_conf *of)
{
    gw_str name = of->name;

    if (e != NULL && of->index < e->config->limiters_len &&
        gw_str_eq(e->config->limiters[of->index].name, name))
        return &e->config->limiters[of->index];
    for (uint32_t i = 0; e != NULL && i < e->config->limiters_len; i++)
        if (gw_str_eq(e->config->limiters[i].name, name))
            return &e->config->limiters[i];
    return NULL;
}

static bool are_same_keys(const struct gw_limiter_conf *a, const struct gw_limiter_conf *b)
{
    for (uint32_t i = 0; i < a->keys_len && a->keys_len == b->keys_len; i++)
        if (!gw_key_is_same(&a->keys[i], &b->keys[i]))
            return false;
    return a->keys_len == b->keys_len;
}

/* The state that base has goes on where it can. */
static gw_status fill_limiter(struct gw_edition *e, struct gw_registry *registry,
                              const struct gw_edition_plan *plan, uint32_t i)
{
    const struct gw_limiter_conf *conf = &e->config->limiters[i];
    const struct gw_limiter_conf *before = limiter_of(plan->before, conf);
    struct gw_limit_state *s = before != NULL ? plan->before->limits[before->index] : NULL;

    if (s != NULL && gw_limit_fits(s, &conf->params) && are_same_keys(before, conf)) {
        atomic_fetch_add_explicit(&s->shared.refs, 1, memory_order_relaxed);
    } else {
        s = (struct gw_limit_state *)gw_registry_add(registry, GW_SHARED_LIMITER, conf->name,
                                                     gw_limit_size(&conf->params, plan->workers));
        if (s == NULL)
            return GW_ENOMEM;
        gw_limit_init(s, &conf->params, plan->workers, registry->seed);
    }
    e->limits[i] = s;
    e->counts[i] = (struct gw_limit_counts *)gw_registry_get(registry, GW_SHARED_LIMIT_COUNTS,
                                                             GW_STR(""), conf->name,
                                                             gw_limit_counts_size(plan->workers));
    if (e->counts[i] == NULL)
        return GW_ENOMEM;
    e->counts[i]->len = plan->workers; /* of the engine: never another */
    return GW_OK;
}

void gw_edition_succeed(struct gw_edition *e, const struct gw_edition *base)
{
    for (uint32_t i = 0; i < e->config->limiters_len; i++) {
        const struct gw_limiter_conf *conf = &e->config->limiters[i];
        const struct gw_limiter_conf *before = limiter_of(base, conf);
        if (before != NULL && base->limits[before->index] != e->limits[i])
            gw_limit_succeed(base->limits[before->index], e->limits[i],
                             are_same_keys(before, conf));
    }
}

/* ---- the whole ---- */

gw_status gw_edition_new(const gw_allocator *allocator, struct gw_registry *registry,
                         const struct gw_edition_plan *plan, struct gw_edition **out)
{
    struct gw_edition *e = gw_allocator_take(allocator, 1, sizeof *e);
    gw_status status = GW_OK;

    if (e == NULL)
        return GW_ENOMEM;
    gw_registry_sweep(registry); /* who was let go of and comes back begins anew */
    atomic_init(&e->refs, 1);
    e->allocator = *allocator;
    e->config = gw_config_ref(plan->config);
    e->clusters = gw_allocator_take(allocator, e->config->clusters_len, sizeof *e->clusters);
    e->limits = gw_allocator_take(allocator, e->config->limiters_len,
                                  sizeof(struct gw_limit_state *));
    e->counts = gw_allocator_take(allocator, e->config->limiters_len,
                                  sizeof(struct gw_limit_counts *));
    e->splits = gw_allocator_take(allocator, e->config->split_routes_len, sizeof *e->splits);
    if (e->clusters == NULL || e->limits == NULL || e->counts == NULL || e->splits == NULL)
        status = GW_ENOMEM;
    for (uint32_t i = 0; status == GW_OK && i < e->config->clusters_len; i++)
        status = fill(e, registry, plan, i);
    for (uint32_t i = 0; status == GW_OK && i < e->config->limiters_len; i++)
        status = fill_limiter(e, registry, plan, i);
    for (uint32_t i = 0; status == GW_OK && i < e->config->split_routes_len; i++)
        status = fill_split(e, registry, plan, i);
    if (status == GW_OK)
        *out = e;
    else
        gw_edition_unref(e);
    return status;
}

struct gw_edition *gw_edition_ref(struct gw_edition *e)
{
    atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
    return e;
}

static void free_cluster(const gw_allocator *allocator, struct gw_edition_cluster *c)
{
    uint32_t n = c->endpoints != NULL ? c->endpoints->len : 0;

    for (uint32_t j = 0; c->states != NULL && j < n && c->states[j] != NULL; j++)
        gw_shared_unref(&c->states[j]->shared);
    if (c->state != NULL)
        gw_shared_unref(&c->state->shared);
    gw_allocator_give(allocator, c->states, n, sizeof(struct gw_endpoint_state *));
    gw_endpoints_unref(c->endpoints);
}

static void free_split(const gw_allocator *allocator, struct gw_edition_split *s)
{
    uint32_t n = s->splits != NULL ? s->splits->len : 0;

    for (uint32_t j = 0; s->states != NULL && j < n && s->states[j] != NULL; j++)
        gw_shared_unref(&s->states[j]->shared);
    if (s->state != NULL)
        gw_shared_unref(&s->state->shared);
    gw_allocator_give(allocator, s->states, n, sizeof(struct gw_split_state *));
    gw_splits_unref(s->splits);
}

static void free_edition(struct gw_edition *e)
{
    gw_allocator allocator = e->allocator;

    for (uint32_t i = 0; e->clusters != NULL && i < e->config->clusters_len; i++)
        free_cluster(&allocator, &e->clusters[i]);
    for (uint32_t i = 0; e->splits != NULL && i < e->config->split_routes_len; i++)
        free_split(&allocator, &e->splits[i]);
    gw_allocator_give(&allocator, e->splits, e->config->split_routes_len, sizeof *e->splits);
    gw_allocator_give(&allocator, e->clusters, e->config->clusters_len, sizeof *e->clusters);
    for (uint32_t i = 0; e->limits != NULL && i < e->config->limiters_len; i++)
        if (e->limits[i] != NULL)
            gw_shared_unref(&e->limits[i]->shared);
    for (uint32_t i = 0; e->counts != NULL && i < e->config->limiters_len; i++)
        if (e->counts[i] != NULL)
            gw_shared_unref(&e->counts[i]->shared);
    gw_allocator_give(&allocator, e->counts, e->config->limiters_len,
                      sizeof(struct gw_limit_counts *));
    gw_allocator_give(&allocator, e->limits, e->config->limiters_len,
                      sizeof(struct gw_limit_state *));
    gw_config_unref(e->config);
    gw_allocator_give(&allocator, e, 1, sizeof *e);
}

void gw_edition_unref(struct gw_edition *e)
{
    if (e == NULL)
        return;
    unsigned before = atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel);
    GW_ASSERT(before > 0);
    if (before == 1)
        free_edition(e);
}
