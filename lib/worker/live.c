/* worker/live.c: endpoints and weights changed while a configuration is in force. A changed set of
 * endpoints is built and checked as that of a configuration: by a builder of its own. */

#include <gw/live.h>

#include <string.h>

#include "base/spec.h"
#include "base/text.h"
#include "config/bounds.h"
#include "worker/engine.h"

/* ---- a set of endpoints ---- */

struct change {
    gw_builder *builder;
    gw_id cluster;
    bool is_one; /* the host has given one endpoint, and no list */
};

static gw_status begin(struct change *c, const gw_engine *e, gw_str name)
{
    gw_env env = GW_SPEC(gw_env);
    gw_cluster_spec spec = GW_SPEC(gw_cluster_spec);
    gw_status status;

    c->is_one = false;
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

/* "clusters[0].endpoints[2].weight" is about the third endpoint: there is no other cluster. Who gave one
 * endpoint, and no list, is told of its weight. */
static void shorten(char *where, bool is_one)
{
    static const char prefix[] = "clusters[0].";
    const char *rest = strncmp(where, prefix, sizeof prefix - 1) == 0 ? where + sizeof prefix - 1
                                                                      : where;
    const char *field = is_one ? strstr(rest, "].") : NULL;

    rest = field != NULL ? field + 2 : rest;
    memmove(where, rest, strlen(rest) + 1);
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
        shorten(own.where, c->is_one);
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
    if (*out != NULL && !(*out)->has_origin && (*out)->dns == NULL)
        return GW_OK;
    if (*out != NULL) {
        status = GW_EINVAL;
        text = (*out)->has_origin ? "the cluster is an origin: it has no endpoints"
                                  : "the cluster's endpoints come from DNS";
    }
    gw_engine_set_error(err, status, text);
    return status;
}

static gw_status publish(gw_engine *e, struct gw_edition_plan plan)
{
    struct gw_edition *edition;
    gw_status status;

    plan.config = e->current->config;
    plan.before = e->current;
    plan.workers = e->workers_max;
    status = gw_edition_new(&e->env.allocator, &e->registry, &plan, &edition);
    return status == GW_OK ? gw_engine_publish(e, edition) : status;
}

/* Takes endpoints. */
static gw_status put_in_force(gw_engine *e, const struct gw_cluster_conf *cluster,
                              struct gw_endpoints *endpoints)
{
    gw_status status = gw_endpoints_finish(endpoints, &cluster->balance.rule); /* as it picks */

    if (status == GW_OK)
        status = publish(e, (struct gw_edition_plan){ .changed = cluster, .endpoints = endpoints });
    gw_endpoints_unref(endpoints);
    return status;
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

gw_status gw_engine_set_resolved(gw_engine *e, const gw_config *config, uint32_t i,
                                 const gw_endpoint_spec *set, size_t n)
{
    struct gw_endpoints *endpoints;
    struct change change;
    gw_status status = begin(&change, e, GW_STR("dns"));

    if (status != GW_OK)
        return status;
    for (size_t j = 0; j < n; j++)
        add(&change, &set[j]);
    status = finish(&change, &endpoints, NULL);
    if (status != GW_OK)
        return status;
    gw_engine_enter(e);
    if (e->current != NULL && e->current->config == config) {
        status = put_in_force(e, &config->clusters[i], endpoints);
    } else {
        status = GW_ESTATE;
        gw_endpoints_unref(endpoints);
    }
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
    change.is_one = true;
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

/* ---- weights of what shares a route ---- */

static gw_status refuse_route(gw_config_error *err, gw_status status, const char *text)
{
    gw_engine_set_error(err, status, text);
    return status;
}

static gw_status find_split_route(const gw_config *config, gw_str name,
                                  const struct gw_route_conf **out, gw_config_error *err)
{
    for (uint32_t i = 0; i < config->split_routes_len; i++) {
        *out = config->split_routes[i];
        if (gw_str_eq((*out)->name, name))
            return GW_OK;
    }
    for (uint32_t i = 0; i < config->routes_len; i++)
        if (gw_str_eq(config->routes[i].name, name))
            return refuse_route(err, GW_EINVAL, "no clusters share this route");
    return refuse_route(err, GW_EUNKNOWN, "no such route");
}

/* One of the weights that were given. */
static gw_status refuse_weight(gw_config_error *err, gw_status status, size_t i, const char *field,
                               const char *text)
{
    gw_config_error own = GW_SPEC(gw_config_error);
    struct gw_text t;

    own.status = status;
    gw_text_init(&t, own.where, sizeof own.where);
    gw_text_cstr(&t, "splits[");
    gw_text_u64(&t, i);
    gw_text_cstr(&t, "].");
    gw_text_cstr(&t, field);
    gw_text_init(&t, own.text, sizeof own.text);
    gw_text_cstr(&t, text);
    if (err != NULL)
        (void)!gw_spec_fill(err, &own, sizeof own);
    return status;
}

static gw_status weigh_one(struct gw_splits *s, const gw_split_spec *set, size_t at,
                           gw_config_error *err)
{
    gw_split_spec own = { 0 };

    if (gw_spec_copy(&own, sizeof own, (const char *)set + at * set->size) != GW_OK)
        return refuse_weight(err, GW_EINVAL, at, "size", "it must be made by GW_SPEC");
    if (own.weight > GW_WEIGHT_MAX && own.weight != GW_OFF)
        return refuse_weight(err, GW_EINVAL, at, "weight", "it is from 1 to 65,535, or off");
    for (uint32_t i = 0; i < s->len; i++) {
        if (!gw_str_eq(s->list[i].cluster->name, own.cluster))
            continue;
        s->list[i].weight = own.weight == GW_OFF ? 0 : own.weight == 0 ? 1 : own.weight;
        return GW_OK;
    }
    return refuse_weight(err, GW_EUNKNOWN, at, "cluster", "it is not among those of the route");
}

static gw_status weigh(struct gw_splits *s, const gw_split_spec *set, size_t n,
                       gw_config_error *err)
{
    gw_status status = GW_OK;
    bool has_weight = false;

    for (size_t i = 0; status == GW_OK && i < n; i++)
        status = weigh_one(s, set, i, err);
    for (uint32_t i = 0; i < s->len; i++)
        has_weight |= s->list[i].weight > 0;
    if (status == GW_OK && !has_weight)
        return refuse_route(err, GW_EINVAL, "nobody would have a share");
    return status == GW_OK ? gw_splits_finish(s) : status;
}

static gw_status change_splits(gw_engine *e, gw_str route, const gw_split_spec *set, size_t n,
                               gw_config_error *err)
{
    const struct gw_route_conf *conf;
    const struct gw_splits *have;
    struct gw_splits *s;
    gw_status status;

    if (e->current == NULL)
        return refuse_route(err, GW_ESTATE, "no configuration was applied yet");
    status = find_split_route(e->current->config, route, &conf, err);
    if (status != GW_OK)
        return status;
    have = e->current->splits[conf->split].splits;
    s = gw_splits_new(&e->env.allocator, have->len);
    if (s == NULL)
        return GW_ENOMEM;
    memcpy(s->list, have->list, have->len * sizeof *have->list);
    status = weigh(s, set, n, err);
    if (status == GW_OK)
        status = publish(e, (struct gw_edition_plan){ .reweighed = conf, .splits = s });
    gw_splits_unref(s);
    return status;
}

gw_status gw_engine_set_splits(gw_engine *e, gw_str route, const gw_split_spec *set, size_t n,
                               gw_config_error *err)
{
    gw_status status;

    if (e == NULL || n == 0 || set == NULL || set->size == 0)
        return GW_EINVAL;
    gw_engine_enter(e);
    status = change_splits(e, route, set, n, err);
    gw_engine_leave(e);
    return status;
}
