/* worker/view.c: a look at what is in force: clusters, endpoints, and what shares a route. */

#include <gw/live.h>

#include "base/spec.h"
#include "worker/engine.h"

struct gw_view {
    gw_engine *engine;
    struct gw_edition *edition;
    uint32_t cluster, endpoint; /* the next to be told; endpoint 0: the cluster itself */
    uint32_t route, split;      /* ... when there are no more clusters */
};

gw_status gw_view_open(gw_engine *e, gw_view **out)
{
    gw_view *v;

    if (e == NULL || out == NULL)
        return GW_EINVAL;
    v = gw_allocator_zalloc(&e->env.allocator, sizeof *v);
    if (v == NULL)
        return GW_ENOMEM;
    v->engine = e;
    gw_engine_enter(e);
    if (e->current != NULL)
        v->edition = gw_edition_ref(e->current);
    gw_engine_leave(e);
    if (v->edition == NULL) {
        e->env.allocator.release(e->env.allocator.ctx, v, sizeof *v);
        return GW_ESTATE;
    }
    atomic_fetch_add(&e->views, 1);
    *out = v;
    return GW_OK;
}

static void tell_cluster(const struct gw_edition_cluster *c, gw_state *out)
{
    out->kind = GW_KIND_CLUSTER;
    out->inflight = atomic_load_explicit(&c->state->inflight, memory_order_relaxed);
}

static void tell_endpoint(const struct gw_edition_cluster *c, uint32_t i, gw_state *out)
{
    out->kind = GW_KIND_ENDPOINT;
    out->weight = c->endpoints->list[i].weight;
    out->name = c->endpoints->list[i].name;
    out->address = c->endpoints->list[i].address;
    out->inflight = atomic_load_explicit(&c->states[i]->inflight, memory_order_relaxed);
}

/* False: no more of them. */
static bool next_of_clusters(gw_view *v, gw_state *own)
{
    const gw_config *config = v->edition->config;
    const struct gw_edition_cluster *c;

    while (v->cluster < config->clusters_len &&
           (config->clusters[v->cluster].has_origin ||
            v->endpoint > v->edition->clusters[v->cluster].endpoints->len)) {
        v->cluster++;
        v->endpoint = 0;
    }
    if (v->cluster == config->clusters_len)
        return false;
    c = &v->edition->clusters[v->cluster];
    own->cluster = config->clusters[v->cluster].name;
    if (v->endpoint == 0)
        tell_cluster(c, own);
    else
        tell_endpoint(c, v->endpoint - 1, own);
    v->endpoint++;
    return true;
}

static bool next_of_splits(gw_view *v, gw_state *own)
{
    const gw_config *config = v->edition->config;
    const struct gw_edition_split *s;

    while (v->route < config->split_routes_len &&
           v->split == v->edition->splits[v->route].splits->len) {
        v->route++;
        v->split = 0;
    }
    if (v->route == config->split_routes_len)
        return false;
    s = &v->edition->splits[v->route];
    own->kind = GW_KIND_SPLIT;
    own->route = config->split_routes[v->route]->name;
    own->cluster = s->splits->list[v->split].cluster->name;
    own->weight = s->splits->list[v->split].weight;
    own->requests = atomic_load_explicit(&s->states[v->split]->requests, memory_order_relaxed);
    own->failures = atomic_load_explicit(&s->states[v->split]->failures, memory_order_relaxed);
    v->split++;
    return true;
}

bool gw_view_next(gw_view *v, gw_state *out)
{
    gw_state own = GW_SPEC(gw_state);

    if (v == NULL || out == NULL || out->size < sizeof out->size)
        return false;
    if (!next_of_clusters(v, &own) && !next_of_splits(v, &own))
        return false;
    return gw_spec_fill(out, &own, sizeof own) == GW_OK;
}

void gw_view_close(gw_view *v)
{
    gw_engine *e;

    if (v == NULL)
        return;
    e = v->engine;
    gw_edition_unref(v->edition);
    e->env.allocator.release(e->env.allocator.ctx, v, sizeof *v);
    atomic_fetch_sub(&e->views, 1);
}
