/* worker/live.c: endpoints changed while a configuration is in force, and views of what is. A changed set
 * of endpoints is built and checked as that of a configuration: by a builder of its own. */

#include <gw/live.h>

#include <string.h>

#include "base/spec.h"
#include "base/text.h"
#include "worker/engine.h"

/* ---- a set of endpoints ---- */

struct change {
    gw_builder *builder;
    gw_id cluster;
};

static gw_status begin(struct change *c, const gw_engine *e, gw_str name)
{
    gw_env env = GW_SPEC(gw_env);
    gw_cluster_spec spec = GW_SPEC(gw_cluster_spec);
    gw_status status;

    env.allocator = e->env.allocator;
    status = gw_builder_new(&env, &c->builder);
    if (status != GW_OK)
        return status;
    spec.name = name;
    spec.flags = GW_CLUSTER_LIVE;
    c->cluster = gw_builder_cluster(c->builder, &spec);
    return GW_OK;
}

static void add(struct change *c, const gw_endpoint_spec *spec)
{
    (void)gw_builder_endpoint(c->builder, c->cluster, spec); /* finish tells what was wrong */
}

/* "clusters[0].endpoints[2].weight" is about the third endpoint: there is no other cluster. */
static void shorten(char *where)
{
    static const char prefix[] = "clusters[0].";

    if (strncmp(where, prefix, sizeof prefix - 1) == 0)
        memmove(where, where + sizeof prefix - 1, strlen(where) - (sizeof prefix - 1) + 1);
}

static gw_status finish(struct change *c, struct gw_endpoints **out, gw_config_error *err)
{
    gw_config_error own = GW_SPEC(gw_config_error);
    gw_config *config;
    gw_status status = gw_builder_build(c->builder, &config, &own);

    if (status == GW_OK) {
        *out = gw_endpoints_ref(config->clusters[0].endpoints);
        gw_config_unref(config);
    } else if (err != NULL) {
        shorten(own.where);
        (void)!gw_spec_fill(err, &own, sizeof own);
    }
    return status;
}

/* ---- putting it in force ---- */

static gw_status find(const gw_engine *e, gw_str name, const struct gw_cluster_conf **out,
                      gw_config_error *err)
{
    gw_status status = e->current == NULL ? GW_ESTATE : GW_EUNKNOWN;
    const char *text = e->current == NULL ? "no configuration was applied yet" : "no such cluster";

    *out = status == GW_ESTATE ? NULL : gw_config_find_cluster(e->current->config, name);
    if (*out != NULL && !(*out)->has_origin)
        return GW_OK;
    if (*out != NULL) {
        status = GW_EINVAL;
        text = "the cluster is an origin: it has no endpoints";
    }
    gw_engine_set_error(err, status, text);
    return status;
}

/* Takes endpoints. */
static gw_status put_in_force(gw_engine *e, const struct gw_cluster_conf *cluster,
                              struct gw_endpoints *endpoints)
{
    struct gw_edition_plan plan = { .config = e->current->config,
                                    .workers = e->workers_max,
                                    .before = e->current,
                                    .changed = cluster,
                                    .endpoints = endpoints };
    struct gw_edition *edition;
    gw_status status = gw_endpoints_finish(endpoints, &cluster->balance.rule); /* as it picks */

    if (status == GW_OK)
        status = gw_edition_new(&e->env.allocator, &e->registry, &plan, &edition);
    gw_endpoints_unref(endpoints);
    return status == GW_OK ? gw_engine_publish(e, edition) : status;
}

/* ---- the calls ---- */

gw_status gw_engine_set_endpoints(gw_engine *e, gw_str cluster, const gw_endpoint_spec *set,
                                  size_t n, gw_config_error *err)
{
    const struct gw_cluster_conf *conf;
    struct gw_endpoints *endpoints;
    struct change change;
    gw_status status;

    if (e == NULL || (n > 0 && (set == NULL || set->size == 0)))
        return GW_EINVAL;
    status = begin(&change, e, GW_STR("live"));
    if (status != GW_OK)
        return status;
    for (size_t i = 0; i < n; i++)
        add(&change, (const gw_endpoint_spec *)(const void *)((const char *)set + i * set->size));
    status = finish(&change, &endpoints, err);
    if (status != GW_OK)
        return status;
    gw_engine_enter(e);
    status = find(e, cluster, &conf, err);
    if (status == GW_OK)
        status = put_in_force(e, conf, endpoints);
    else
        gw_endpoints_unref(endpoints);
    gw_engine_leave(e);
    return status;
}

/* All that the cluster has, but for one; in the place of that, or behind all, stands what is put. */
static gw_status rebuild(gw_engine *e, const struct gw_cluster_conf *conf, gw_str name,
                         const gw_endpoint_spec *put, gw_config_error *err)
{
    const struct gw_endpoints *have = e->current->clusters[conf->index].endpoints;
    struct gw_endpoints *endpoints;
    struct change change;
    bool is_there = false;
    gw_status status = begin(&change, e, GW_STR("live"));

    if (status != GW_OK)
        return status;
    for (uint32_t i = 0; i < have->len; i++) {
        gw_endpoint_spec spec;
        gw_endpoints_get(have, i, &spec);
        if (!gw_str_eq(spec.name, name)) {
            add(&change, &spec);
            continue;
        }
        is_there = true;
        if (put != NULL)
            add(&change, put);
    }
    if (put != NULL && !is_there)
        add(&change, put);
    if (put == NULL && !is_there) {
        gw_builder_free(change.builder);
        return GW_EUNKNOWN;
    }
    status = finish(&change, &endpoints, err);
    return status == GW_OK ? put_in_force(e, conf, endpoints) : status;
}

static gw_status change_one(gw_engine *e, gw_str cluster, gw_str name, const gw_endpoint_spec *put,
                            gw_config_error *err)
{
    const struct gw_cluster_conf *conf;
    gw_status status;

    gw_engine_enter(e);
    status = find(e, cluster, &conf, err);
    if (status == GW_OK)
        status = rebuild(e, conf, name, put, err);
    gw_engine_leave(e);
    return status;
}

gw_status gw_engine_put_endpoint(gw_engine *e, gw_str cluster, const gw_endpoint_spec *one,
                                 gw_config_error *err)
{
    gw_endpoint_spec own = { 0 };

    if (e == NULL || gw_spec_copy(&own, sizeof own, one) != GW_OK)
        return GW_EINVAL;
    return change_one(e, cluster, own.name.len > 0 ? own.name : own.address, &own, err);
}

gw_status gw_engine_drop_endpoint(gw_engine *e, gw_str cluster, gw_str name)
{
    return e == NULL ? GW_EINVAL : change_one(e, cluster, name, NULL, NULL);
}

/* ---- views ---- */

struct gw_view {
    gw_allocator allocator;
    struct gw_edition *edition;
    uint32_t cluster, endpoint; /* the next to be told; endpoint 0: the cluster itself */
};

gw_status gw_view_open(gw_engine *e, gw_view **out)
{
    gw_view *v;

    if (e == NULL || out == NULL)
        return GW_EINVAL;
    v = gw_allocator_zalloc(&e->env.allocator, sizeof *v);
    if (v == NULL)
        return GW_ENOMEM;
    v->allocator = e->env.allocator;
    gw_engine_enter(e);
    if (e->current != NULL)
        v->edition = gw_edition_ref(e->current);
    gw_engine_leave(e);
    if (v->edition == NULL) {
        v->allocator.release(v->allocator.ctx, v, sizeof *v);
        return GW_ESTATE;
    }
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

bool gw_view_next(gw_view *v, gw_state *out)
{
    gw_state own = GW_SPEC(gw_state);
    const gw_config *config;
    const struct gw_edition_cluster *c;

    if (v == NULL)
        return false;
    config = v->edition->config;
    while (v->cluster < config->clusters_len &&
           (config->clusters[v->cluster].has_origin ||
            v->endpoint > v->edition->clusters[v->cluster].endpoints->len)) {
        v->cluster++;
        v->endpoint = 0;
    }
    if (v->cluster == config->clusters_len)
        return false;
    c = &v->edition->clusters[v->cluster];
    own.cluster = config->clusters[v->cluster].name;
    if (v->endpoint == 0)
        tell_cluster(c, &own);
    else
        tell_endpoint(c, v->endpoint - 1, &own);
    if (gw_spec_fill(out, &own, sizeof own) != GW_OK)
        return false;
    v->endpoint++;
    return true;
}

void gw_view_close(gw_view *v)
{
    if (v == NULL)
        return;
    gw_edition_unref(v->edition);
    v->allocator.release(v->allocator.ctx, v, sizeof *v);
}
