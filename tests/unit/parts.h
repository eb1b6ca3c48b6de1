/* unit/parts.h: configurations for tests of the whole machine, part by part. */
#ifndef UNIT_PARTS_H
#define UNIT_PARTS_H

#include "mode1.h"

static inline gw_builder *parts_begin(struct mode1 *h)
{
    gw_env env = GW_SPEC(gw_env);
    gw_builder *b;

    env.allocator = h->alloc.allocator;
    ck_assert_int_eq(gw_builder_new(&env, &b), GW_OK);
    return b;
}

/* Of a listener that all defaults are right for. */
static inline void parts_listener(gw_builder *b, const char *name)
{
    gw_listener_spec spec = GW_SPEC(gw_listener_spec);

    spec.name = gw_cstr(name);
    ck_assert_uint_ne(gw_builder_listener(b, &spec), 0);
}

/* spec NULL: defaults; address NULL: without an endpoint. */
static inline void parts_cluster(gw_builder *b, const char *name, const gw_cluster_spec *spec,
                                 const char *address)
{
    gw_cluster_spec own = GW_SPEC(gw_cluster_spec);
    gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
    gw_id id;

    if (spec != NULL)
        own = *spec;
    own.name = gw_cstr(name);
    id = gw_builder_cluster(b, &own);
    ck_assert_uint_ne(id, 0);
    endpoint.address = gw_cstr(address);
    if (address != NULL)
        ck_assert_uint_ne(gw_builder_endpoint(b, id, &endpoint), 0);
}

/* Named like its path. spec NULL: defaults; cluster NULL: as spec says. */
static inline void parts_route(gw_builder *b, const char *path, const gw_route_spec *spec,
                               const char *cluster)
{
    gw_route_spec own = GW_SPEC(gw_route_spec);

    if (spec != NULL)
        own = *spec;
    if (own.name.len == 0)
        own.name = gw_cstr(path);
    own.path = gw_cstr(path);
    if (cluster != NULL)
        own.cluster = gw_cstr(cluster);
    ck_assert_uint_ne(gw_builder_route(b, &own), 0);
}

static inline gw_config *parts_build(gw_builder *b)
{
    gw_config_error err = GW_SPEC(gw_config_error);
    gw_config *config = NULL;

    ck_assert_msg(gw_builder_build(b, &config, &err) == GW_OK, "%s: %s", err.where, err.text);
    return config;
}

static inline void parts_apply(struct mode1 *h, gw_config *config)
{
    ck_assert_int_eq(gw_engine_apply(h->engine, config, NULL), GW_OK);
    gw_config_unref(config);
}

#endif
