/* worker/view.c: a look at what is in force: what there is of each cluster, in which order, what shares a route, limiters. */

#include <gw/live.h>

#include "base/spec.h"
#include "worker/engine.h"
#include "worker/tell.h"

struct gw_view {
    gw_engine *engine;
    struct gw_edition *edition;
    gw_nanos now;
    uint32_t cluster, place; /* the next to be told, and what of it    */
    uint32_t route, split;   /* ... when there are no more clusters    */
    uint32_t limiter;        /* ... and nothing of routes              */
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
    v->now = gw_engine_newest(e);
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

/* What there may be to tell of a cluster, by number: itself, its throttle, and these of each endpoint. */
enum { OF_ITSELF, OF_THROTTLE, OF_ENDPOINTS };
enum { OF_ENDPOINT, OF_BREAKER, OF_OUTLIER, OF_HEALTH, OF_EACH };

static bool tell_of_endpoint(const gw_view *v, uint32_t i, uint32_t what, gw_state *own)
{
    const struct gw_edition_cluster *c = &v->edition->clusters[v->cluster];
    const struct gw_guards_conf *g = v->edition->config->clusters[v->cluster].guards;
    const struct gw_endpoint_state *s = c->states[i];

    own->name = c->endpoints->list[i].name;
    own->address = c->endpoints->list[i].address;
    if (what == OF_ENDPOINT) {
        gw_tell_endpoint(g, &c->endpoints->list[i], s, v->now, own);
        return true;
    }
    if (what == OF_BREAKER) {
        gw_tell_breaker(s, v->now, own);
        return g != NULL && g->has_breaker;
    }
    if (what == OF_HEALTH) {
        gw_tell_health(s, own);
        return g != NULL && g->probe != NULL;
    }
    gw_tell_outlier(s, v->now, own);
    return own->forced != 0 || (g != NULL && g->has_outlier);
}

/* False: there is no such thing. */
static bool tell(const gw_view *v, uint32_t what, gw_state *own)
{
    const struct gw_cluster_conf *conf = &v->edition->config->clusters[v->cluster];
    const struct gw_cluster_state *s = v->edition->clusters[v->cluster].state;

    *own = GW_SPEC(gw_state);
    own->cluster = conf->name;
    if (what == OF_ITSELF) {
        gw_tell_cluster(conf, s, own);
    } else if (what == OF_THROTTLE) {
        if (conf->guards == NULL || !conf->guards->has_throttle)
            return false;
        gw_tell_throttle(conf, s, v->now, own);
    } else {
        what -= OF_ENDPOINTS;
        return tell_of_endpoint(v, what / OF_EACH, what % OF_EACH, own);
    }
    return true;
}

/* False: no more of them. */
static bool next_of_clusters(gw_view *v, gw_state *own)
{
    const gw_config *config = v->edition->config;

    for (; v->cluster < config->clusters_len; v->cluster++, v->place = 0) {
        uint32_t len = OF_ENDPOINTS + OF_EACH * v->edition->clusters[v->cluster].endpoints->len;
        while (!config->clusters[v->cluster].has_origin && v->place < len)
            if (tell(v, v->place++, own))
                return true;
    }
    return false;
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
    *own = GW_SPEC(gw_state);
    own->kind = GW_KIND_SPLIT;
    own->route = config->split_routes[v->route]->name;
    own->cluster = s->splits->list[v->split].cluster->name;
    own->weight = s->splits->list[v->split].weight;
    own->requests = atomic_load_explicit(&s->states[v->split]->requests, memory_order_relaxed);
    own->failures = atomic_load_explicit(&s->states[v->split]->failures, memory_order_relaxed);
    v->split++;
    return true;
}

void gw_view_at(gw_view *v, gw_nanos now)
{
    if (v != NULL)
        v->now = now;
}

static bool next_of_limiters(gw_view *v, gw_state *own)
{
    const struct gw_edition *e = v->edition;
    uint32_t i = v->limiter;

    if (i == e->config->limiters_len)
        return false;
    *own = GW_SPEC(gw_state);
    gw_tell_limiter(&e->config->limiters[i], e->limits[i], e->counts[i], v->now, own);
    v->limiter++;
    return true;
}

bool gw_view_next(gw_view *v, gw_state *out)
{
    gw_state own;

    if (v == NULL || out == NULL || out->size < sizeof out->size)
        return false;
    if (!next_of_clusters(v, &own) && !next_of_splits(v, &own) && !next_of_limiters(v, &own))
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
