/* The builder: what it refuses and how it says so, and what it makes of what it takes. */

#include <stdio.h>

#include <gw/config.h>
#include <gw/limits.h>

#include "alloc.h"
#include "base/text.h"
#include "check_main.h"
#include "config/bounds.h"
#include "config/limits.h"
#include "config/snapshot.h"

static gw_env env_of(struct test_alloc *alloc)
{
    gw_env env = GW_SPEC(gw_env);
    test_alloc_init(alloc);
    env.allocator = alloc->allocator;
    return env;
}

static gw_verdict nothing(void *ctx, gw_exchange *x)
{
    (void)ctx;
    (void)x;
    return GW_NEXT;
}

/* --- a whole one --- */

static gw_status build_whole(const gw_env *env, gw_config **out, gw_config_error *err)
{
    gw_builder *b = NULL;
    gw_status status = gw_builder_new(env, &b);
    if (status != GW_OK)
        return status;
    /* Everything lies in memory that is spoiled before the build: it must have been copied. */
    char text[] = "edge\0web\0"
                  "127.0.0.1:8080\0host.example\0/v1\0GET\0WebSocket\0body\0text/html";
    char *edge = text, *web = edge + 5, *address = web + 4, *host = address + 15, *path = host + 13,
         *get = path + 4, *upgrade = get + 4, *body = upgrade + 10, *type = body + 5;
    gw_listener_spec listener = GW_SPEC(gw_listener_spec);
    listener.name = gw_cstr(edge);
    listener.address = gw_cstr(address);
    listener.idle_timeout_ms = GW_OFF;
    listener.head_timeout_ms = 5;
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);
    cluster.name = gw_cstr(web);
    cluster.protocols = GW_PROTO_H1;
    cluster.requests_max = 7;
    gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
    endpoint.address = gw_cstr(address);
    endpoint.weight = 3;
    gw_str method = gw_cstr(get), token = gw_cstr(upgrade);
    gw_route_spec route = GW_SPEC(gw_route_spec);
    route.name = gw_cstr(web);
    route.host = gw_cstr(host);
    route.path = gw_cstr(path);
    route.listener = gw_cstr(edge);
    route.cluster = gw_cstr(web);
    route.methods = &method;
    route.methods_len = 1;
    route.upgrades = &token;
    route.upgrades_len = 1;
    route.user = text;
    gw_route_spec reply = GW_SPEC(gw_route_spec);
    reply.name = gw_cstr(body);
    reply.reply_code = 404;
    reply.reply_body = gw_cstr(body);
    reply.reply_type = gw_cstr(type);
    gw_filter filter = GW_SPEC(gw_filter);
    filter.name = edge;
    filter.ctx = &filter;
    filter.on_request = nothing;
    gw_origin origin = GW_SPEC(gw_origin);
    origin.on_request = nothing;
    origin.exchange_bytes = 9;
    origin.name = host;
    gw_cluster_spec own = GW_SPEC(gw_cluster_spec);
    own.name = GW_STR("own");
    own.origin = &origin;

    (void)gw_builder_route(b, &reply);
    (void)gw_builder_route(b, &route); /* names may come before what they name */
    gw_id id = gw_builder_cluster(b, &cluster);
    (void)gw_builder_endpoint(b, id, &endpoint);
    endpoint.name = gw_cstr(type);
    endpoint.weight = GW_OFF;
    (void)gw_builder_endpoint(b, id, &endpoint);
    endpoint.name = gw_cstr(path);
    endpoint.weight = 0;
    (void)gw_builder_endpoint(b, id, &endpoint);
    (void)gw_builder_cluster(b, &own);
    (void)gw_builder_listener(b, &listener);
    (void)gw_builder_filter(b, &filter);
    memset(text, 'x', sizeof text);
    method = token = (gw_str){ NULL, 0 };
    memset(&origin, 0, sizeof origin);
    return gw_builder_build(b, out, err);
}

#define ck_str(view, text)                                                                         \
    do {                                                                                           \
        ck_assert_msg(gw_str_eq((view), GW_STR(text)), "\"%.*s\" is not \"%s\"", (int)(view).len,  \
                      (view).ptr, text);                                                           \
        ck_assert_int_eq((view).ptr[(view).len], 0);                                               \
    } while (0)

START_TEST(all_is_copied_and_completed)
{
    struct test_alloc alloc;
    gw_env env = env_of(&alloc);
    gw_config *config = NULL;
    gw_config_error err = GW_SPEC(gw_config_error);
    ck_assert_msg(build_whole(&env, &config, &err) == GW_OK, "%s: %s", err.where, err.text);
    ck_assert_uint_eq(config->listeners_len, 1);
    ck_str(config->listeners[0].name, "edge");
    ck_str(config->listeners[0].address, "127.0.0.1:8080");
    ck_assert_uint_eq(config->listeners[0].head_timeout, GW_MS(5));
    ck_assert_uint_eq(config->listeners[0].body_idle_timeout, GW_MS(30000));
    ck_assert_uint_eq(config->listeners[0].idle_timeout, GW_NEVER);
    ck_assert(gw_config_find_listener(config, GW_STR("edge")) == &config->listeners[0]);
    ck_assert_ptr_null(gw_config_find_listener(config, GW_STR("edg")));

    ck_assert_uint_eq(config->clusters_len, 2);
    ck_assert_uint_eq(config->endpoints_len, 3);
    const struct gw_cluster_conf *web = &config->clusters[0], *own = &config->clusters[1];
    ck_str(web->name, "web");
    ck_assert_uint_eq(web->protocol, GW_PROTO_H1);
    ck_assert_uint_eq(web->connect_timeout, GW_MS(2000));
    ck_assert_uint_eq(web->response_timeout, GW_MS(15000));
    ck_assert_uint_eq(web->idle_timeout, GW_MS(60000));
    ck_assert(!web->has_response_timeout && !web->has_origin);
    ck_assert_uint_eq(web->connections_max, 64);
    ck_assert_uint_eq(web->streams_max, 100);
    ck_assert_uint_eq(web->requests_max, 7);
    ck_assert_uint_eq(web->endpoints_len, 3);
    ck_str(web->endpoints[0].name, "127.0.0.1:8080");
    ck_str(web->endpoints[1].name, "text/html");
    ck_str(web->endpoints[1].address, "127.0.0.1:8080");
    ck_assert_uint_eq(web->endpoints[0].weight, 3);
    ck_assert_uint_eq(web->endpoints[1].weight, 0);
    ck_assert_uint_eq(web->endpoints[2].weight, 1);
    ck_assert_uint_eq(web->rr.len, 4);
    ck_assert_uint_eq(web->endpoints[2].ordinal, 2);
    ck_assert_ptr_eq(web->endpoints[2].cluster, web);
    ck_assert(own->has_origin && own->origin.on_request == nothing);
    ck_assert_uint_eq(own->origin.exchange_bytes, 9);
    ck_assert_str_eq(own->origin.name, "host.example");

    ck_assert_uint_eq(config->routes_len, 2);
    struct gw_route_key key = { .host = GW_STR("HOST.example"),
                                .path = GW_STR("/v1/x"),
                                .method = GW_STR("GET") };
    bool is_missing;
    const struct gw_route_conf *route = gw_config_route(config, &key, &is_missing);
    ck_assert_ptr_eq(route, &config->routes[1]);
    ck_str(route->name, "web");
    ck_assert_ptr_eq(route->cluster, web);
    ck_assert_uint_eq(route->request_timeout, GW_NEVER);
    ck_assert_uint_eq(route->idle_timeout, GW_MS(300000));
    ck_assert_uint_eq(route->upgrades_len, 1);
    ck_str(route->upgrades[0], "websocket");
    ck_assert_ptr_nonnull(route->user);
    key.method = GW_STR("PUT");
    route = gw_config_route(config, &key, &is_missing);
    ck_assert_ptr_eq(route, &config->routes[0]);
    ck_assert_ptr_null(route->cluster);
    ck_assert_uint_eq(route->reply_code, 404);
    ck_str(route->reply_type, "text/html");
    ck_str(route->reply_body, "body");
    ck_assert_uint_eq(config->filters_len, 1);
    ck_assert_str_eq(config->filters[0].name, "edge");
    ck_assert(config->filters[0].on_request == nothing);

    ck_assert_ptr_eq(gw_config_ref(config), config);
    gw_config_unref(config);
    ck_assert_uint_gt(alloc.live, 0);
    gw_config_unref(config);
    gw_config_unref(NULL);
    test_alloc_fini(&alloc);
}
END_TEST

START_TEST(every_refused_allocation_is_survived)
{
    struct test_alloc alloc;
    gw_env env = env_of(&alloc);
    bool is_lasting = _i == 1;
    for (uint64_t k = 1;; k++) {
        gw_config *config = NULL;
        gw_config_error err = GW_SPEC(gw_config_error);
        test_alloc_restart(&alloc);
        alloc.fail_at = k;
        alloc.fail_from = is_lasting ? k : 0;
        gw_status status = build_whole(&env, &config, &err);
        bool has_failed = alloc.failed > 0;
        ck_assert_int_eq(status, has_failed ? GW_ENOMEM : GW_OK);
        gw_config_unref(config);
        test_alloc_fini(&alloc);
        if (!has_failed)
            break;
    }
}
END_TEST

static Suite *builder_suite(void)
{
    Suite *suite = suite_create("builder");
    check_add(suite, all_is_copied_and_completed);
    check_add_loop(suite, every_refused_allocation_is_survived, 0, 2);
    return suite;
}

CHECK_MAIN(builder_suite)
