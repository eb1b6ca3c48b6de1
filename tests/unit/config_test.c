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
#include "exchange/exchange.h"
#include "exchange/wait.h"
#include "gw_features.h"
#include "h1/conn.h"
#include "h2/codec.h"
#include "link/slot.h"

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

static uint32_t choose(void *ctx, const gw_choice *c)
{
    (void)ctx;
    (void)c;
    return 0;
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
    ck_assert_uint_eq(web->endpoints->len, 3);
    ck_str(web->endpoints->list[0].name, "127.0.0.1:8080");
    ck_str(web->endpoints->list[1].name, "text/html");
    ck_str(web->endpoints->list[1].address, "127.0.0.1:8080");
    ck_assert_uint_eq(web->endpoints->list[0].weight, 3);
    ck_assert_uint_eq(web->endpoints->list[1].weight, 0);
    ck_assert_uint_eq(web->endpoints->list[2].weight, 1);
    ck_assert_uint_eq(web->endpoints->balancer.levels_len, 1);
    ck_assert_uint_eq(web->endpoints->balancer.levels[0].len, 2);
    ck_assert_uint_eq(web->endpoints->balancer.levels[0].weight, 4);
    ck_assert_uint_eq(web->endpoints->balancer.levels[0].rr.len, 4);
    ck_assert_uint_eq(web->endpoints->balancer.kind, GW_BALANCE_ROUND_ROBIN);
    ck_assert_uint_eq(web->endpoints->list[2].index, 2);
    ck_assert_uint_eq(own->endpoints->len, 0);
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

/* --- what is refused --- */

struct parts {
    gw_builder *b;
    gw_listener_spec listener, listener2;
    gw_cluster_spec cluster, cluster2;
    gw_endpoint_spec endpoint, endpoint2;
    gw_route_spec route, route2;
    gw_hash_spec hash;
    gw_breaker_spec breaker;
    gw_outlier_spec outlier;
    gw_throttle_spec throttle;
    gw_fallback_spec fallback;
    gw_health_spec health;
    gw_filter filter, filter2;
    gw_balancer balancer;
    gw_affinity_spec affinity;
    gw_origin origin;
    gw_str list[40];
    gw_split_spec splits[2];
    bool has_listener2, has_cluster2, has_endpoint2, has_route2, has_filter2, has_no_endpoint;
    bool has_balancer2;
};

static char long_text[70000]; /* "xxx..." */

static gw_str longer(size_t len)
{
    memset(long_text, 'x', sizeof long_text);
    return (gw_str){ long_text, len };
}

static void parts_init(struct parts *p)
{
    memset(p, 0, sizeof *p);
    p->listener = p->listener2 = GW_SPEC(gw_listener_spec);
    p->listener.name = GW_STR("edge");
    p->listener.address = GW_STR("127.0.0.1:8080");
    p->listener.mark = 11;
    p->listener2.name = GW_STR("side");
    p->listener2.address = GW_STR("127.0.0.1:8081");
    p->listener2.mark = 12;
    p->cluster = p->cluster2 = GW_SPEC(gw_cluster_spec);
    p->cluster.name = GW_STR("web");
    p->cluster.mark = 21;
    p->breaker = GW_SPEC(gw_breaker_spec);
    p->outlier = GW_SPEC(gw_outlier_spec);
    p->throttle = GW_SPEC(gw_throttle_spec);
    p->fallback = GW_SPEC(gw_fallback_spec);
    p->health = GW_SPEC(gw_health_spec);
    p->cluster2.name = GW_STR("api");
    p->cluster2.mark = 22;
    p->origin = GW_SPEC(gw_origin);
    p->origin.on_request = nothing;
    p->cluster2.origin = &p->origin;
    p->endpoint = p->endpoint2 = GW_SPEC(gw_endpoint_spec);
    p->endpoint.address = GW_STR("10.0.0.1:80");
    p->endpoint.mark = 31;
    p->endpoint2.address = GW_STR("10.0.0.2:80");
    p->endpoint2.mark = 32;
    p->route = p->route2 = GW_SPEC(gw_route_spec);
    p->route.name = GW_STR("all");
    p->route.cluster = GW_STR("web");
    p->route.mark = 41;
    p->route2.name = GW_STR("more");
    p->route2.cluster = GW_STR("web");
    p->route2.path = GW_STR("/more");
    p->route2.mark = 42;
    p->hash = GW_SPEC(gw_hash_spec);
    p->affinity = GW_SPEC(gw_affinity_spec);
    p->affinity.cookie = GW_STR("sid");
    p->balancer = GW_SPEC(gw_balancer);
    p->balancer.name = "shards";
    p->balancer.choose = choose;
    p->filter = p->filter2 = GW_SPEC(gw_filter);
    p->filter.name = "auth";
    p->filter2.name = "log";
}

static void parts_add(struct parts *p)
{
    (void)gw_builder_listener(p->b, &p->listener);
    if (p->has_listener2)
        (void)gw_builder_listener(p->b, &p->listener2);
    gw_id id = gw_builder_cluster(p->b, &p->cluster);
    if (!p->has_no_endpoint)
        (void)gw_builder_endpoint(p->b, id, &p->endpoint);
    if (p->has_endpoint2)
        (void)gw_builder_endpoint(p->b, id, &p->endpoint2);
    if (p->has_cluster2)
        (void)gw_builder_cluster(p->b, &p->cluster2);
    (void)gw_builder_route(p->b, &p->route);
    if (p->has_route2)
        (void)gw_builder_route(p->b, &p->route2);
    (void)gw_builder_balancer(p->b, &p->balancer);
    if (p->has_balancer2)
        (void)gw_builder_balancer(p->b, &p->balancer);
    (void)gw_builder_filter(p->b, &p->filter);
    if (p->has_filter2)
        (void)gw_builder_filter(p->b, &p->filter2);
}

#define METHODS(...)                                                                               \
    do {                                                                                           \
        const gw_str list_[] = { __VA_ARGS__ };                                                    \
        memcpy(p->list, list_, sizeof list_);                                                      \
        p->route.methods = p->list;                                                                \
        p->route.methods_len = sizeof list_ / sizeof list_[0];                                     \
    } while (0)
#define BREAKER(field, value) p->breaker.field = (value), p->cluster.breaker = &p->breaker
#define OUTLIER(field, value) p->outlier.field = (value), p->cluster.outlier = &p->outlier
#define FALLBACK(field, value)                                                                     \
    p->fallback.field = (value), p->cluster.fallback = &p->fallback, p->cluster.exchanges_max = 1
#define HEALTH(field, value) p->health.field = (value), p->cluster.health = &p->health
#define EXPECT(...)                                                                                \
    do {                                                                                           \
        const gw_str list_[] = { __VA_ARGS__ };                                                    \
        memcpy(p->list, list_, sizeof list_);                                                      \
        HEALTH(expect, p->list);                                                                   \
        p->health.expect_len = sizeof list_ / sizeof list_[0];                                     \
    } while (0)
#define HASH(field, value)                                                                         \
    (p->cluster.hash = &p->hash, p->cluster.balance = GW_BALANCE_CONSISTENT_HASH,                  \
     p->hash.field = (value))
#define KEYS(...)                                                                                  \
    do {                                                                                           \
        const gw_str list_[] = { __VA_ARGS__ };                                                    \
        memcpy(p->list, list_, sizeof list_);                                                      \
        HASH(keys, p->list);                                                                       \
        p->hash.keys_len = sizeof list_ / sizeof list_[0];                                         \
    } while (0)
#define BALANCER(field, value) (p->cluster.balancer = GW_STR("shards"), p->cluster.field = (value))
#define AFFINITY(field, value) p->affinity.field = (value), p->cluster.affinity = &p->affinity
#define UPGRADES(...)                                                                              \
    do {                                                                                           \
        const gw_str list_[] = { __VA_ARGS__ };                                                    \
        memcpy(p->list, list_, sizeof list_);                                                      \
        p->route.upgrades = p->list;                                                               \
        p->route.upgrades_len = sizeof list_ / sizeof list_[0];                                    \
    } while (0)
#define SPLITS(...)                                                                                \
    do {                                                                                           \
        const gw_split_spec list_[] = { __VA_ARGS__ };                                             \
        memcpy(p->splits, list_, sizeof list_);                                                    \
        p->route.cluster = GW_STR("");                                                             \
        p->route.splits = p->splits;                                                               \
        p->route.splits_len = sizeof list_ / sizeof list_[0];                                      \
    } while (0)
#define REPLY(code) (p->route.cluster = GW_STR(""), p->route.reply_code = (code))

/* X(status, mark, where, a part of the text, how to get there) */
#define REFUSALS(X)                                                                                \
    X(GW_EINVAL, 11, "listeners[0].name", "a name is needed", p->listener.name = GW_STR(""))       \
    X(GW_EINVAL, 11, "listeners[0].name", "without spaces", p->listener.name = GW_STR("a b"))      \
    X(GW_EINVAL, 11, "listeners[0].name", "without spaces", p->listener.name = GW_STR("\xc3\xa4")) \
    X(GW_EINVAL, 11, "listeners[0].name", "too long", p->listener.name = longer(129))              \
    X(GW_EINVAL, 12, "listeners[1].name", "taken by listeners[0] (\"edge\")",                      \
      p->has_listener2 = true, p->listener2.name = GW_STR("edge"))                                 \
    X(GW_EINVAL, 12, "listeners[1].address", "taken by listeners[0]", p->has_listener2 = true,     \
      p->listener2.address = p->listener.address)                                                  \
    X(GW_EINVAL, 11, "listeners[0].address", "not an address",                                     \
      p->listener.address = GW_STR("8080"))                                                        \
    X(GW_EINVAL, 11, "listeners[0].address", "not a name",                                         \
      p->listener.address = GW_STR("localhost:80"))                                                \
    X(GW_EINVAL, 11, "listeners[0].address", "too long", p->listener.address = longer(300))        \
    X(GW_EINVAL, 11, "listeners[0].protocols", "bits", p->listener.protocols = 8)                  \
    X(GW_EINVAL, 11, "listeners[0].protocols", "alone", p->listener.protocols = 5)                 \
    X(GW_EINVAL, 11, "listeners[0].age_jitter_percent", "1 to 90", p->listener.age_ms = 1,         \
      p->listener.age_jitter_percent = 91)                                                         \
    X(GW_EINVAL, 11, "listeners[0].age_jitter_percent", "no age",                                  \
      p->listener.age_jitter_percent = 20)                                                         \
    X(GW_EINVAL, 11, "listeners[0].age_grace_ms", "no age", p->listener.age_ms = GW_OFF,           \
      p->listener.age_grace_ms = 1)                                                                \
    X(GW_EINVAL, 21, "clusters[0].age_jitter_percent", "1 to 90", p->cluster.age_ms = 1,           \
      p->cluster.age_jitter_percent = 91)                                                          \
    X(GW_EINVAL, 21, "clusters[0].name", "a name is needed", p->cluster.name = GW_STR(""))         \
    X(GW_EINVAL, 21, "clusters[0].protocols", "one of h1, h2 and tcp", p->cluster.protocols = 3)   \
    X(GW_EINVAL, 21, "clusters[0].protocols", "one of h1, h2 and tcp", p->cluster.protocols = 4)   \
    X(GW_EINVAL, 21, "clusters[0].balance", "balancing", p->cluster.balance = 5)                   \
    X(GW_EUNKNOWN, 21, "clusters[0].balancer", "no balancer \"shord\"; did you mean \"shards\"",   \
      p->cluster.balancer = GW_STR("shord"))                                                       \
    X(GW_EINVAL, 21, "clusters[0].balancer", "exclude", BALANCER(balance, GW_BALANCE_RANDOM))      \
    X(GW_EINVAL, 21, "clusters[0].panic_percent", "decides", BALANCER(panic_percent, 50))          \
    X(GW_EINVAL, 21, "clusters[0].spare_percent", "decides", BALANCER(spare_percent, 150))         \
    X(GW_EINVAL, 21, "clusters[0].slow_start_ms", "decides", BALANCER(slow_start_ms, 50))          \
    X(GW_EINVAL, 21, "clusters[0].hash.points", "no ring", BALANCER(hash, &p->hash),               \
      p->hash.points = 9)                                                                          \
    X(GW_EINVAL, 21, "clusters[0].hash.unit", "no ring", BALANCER(hash, &p->hash),                 \
      p->hash.unit = 9)                                                                            \
    X(GW_EINVAL, 21, "clusters[0].hash.load_percent", "no ring", BALANCER(hash, &p->hash),         \
      p->hash.load_percent = 125)                                                                  \
    X(GW_EINVAL, 22, "clusters[1].balancer", "no endpoints", p->has_cluster2 = true,               \
      p->cluster2.balancer = GW_STR("shards"))                                                     \
    X(GW_EINVAL, 21, "clusters[0].affinity.size", "GW_SPEC", AFFINITY(size, 0))                    \
    X(GW_EINVAL, 21, "clusters[0].affinity.cookie", "a name is needed",                            \
      AFFINITY(cookie, GW_STR("")))                                                                \
    X(GW_EINVAL, 21, "clusters[0].affinity.cookie", "no cookie can have that name",                \
      AFFINITY(cookie, GW_STR("a=b")))                                                             \
    X(GW_EINVAL, 21, "clusters[0].affinity.cookie", "no cookie can have that name",                \
      AFFINITY(cookie, GW_STR("a\r\nX: y")))                                                       \
    X(GW_EINVAL, 21, "clusters[0].affinity.cookie", "no cookie can have that name",                \
      AFFINITY(cookie, GW_STR("a; Domain=b")))                                                     \
    X(GW_EINVAL, 21, "clusters[0].affinity.cookie", "at most 64", AFFINITY(cookie, longer(65)))    \
    X(GW_EINVAL, 21, "clusters[0].affinity.cookie", "secure and for the path /",                   \
      AFFINITY(cookie, GW_STR("__Host-a")))                                                        \
    X(GW_EINVAL, 21, "clusters[0].affinity.cookie", "secure and for the path /",                   \
      AFFINITY(cookie, GW_STR("__host-a")),                                                        \
      (p->affinity.flags = GW_AFFINITY_SECURE, p->affinity.path = GW_STR("/a")))                   \
    X(GW_EINVAL, 21, "clusters[0].affinity.cookie", "only if it is secure",                        \
      AFFINITY(cookie, GW_STR("__Secure-a")))                                                      \
    X(GW_EINVAL, 21, "clusters[0].affinity.path", "begins with /", AFFINITY(path, GW_STR("a")))    \
    X(GW_EINVAL, 21, "clusters[0].affinity.path", "begins with /",                                 \
      AFFINITY(path, GW_STR("/; Domain=b")))                                                       \
    X(GW_EINVAL, 21, "clusters[0].affinity.path", "begins with /",                                 \
      AFFINITY(path, GW_STR("/\r\nX: y")))                                                         \
    X(GW_EINVAL, 21, "clusters[0].affinity.path", "at most 255", AFFINITY(path, longer(256)))      \
    X(GW_EINVAL, 21, "clusters[0].affinity.secret", "at most 256", AFFINITY(secret, longer(257)))  \
    X(GW_EINVAL, 21, "clusters[0].affinity.ttl_ms", "too long", AFFINITY(ttl_ms, GW_OFF))          \
    X(GW_EINVAL, 21, "clusters[0].affinity.ttl_ms", "at least 1s", AFFINITY(ttl_ms, 999))          \
    X(GW_EINVAL, 21, "clusters[0].affinity.flags", "bits", AFFINITY(flags, 4))                     \
    X(GW_EINVAL, 21, "clusters[0].affinity.same_site", "not a way", AFFINITY(same_site, 4))        \
    X(GW_EINVAL, 21, "clusters[0].affinity.same_site", "secure",                                   \
      AFFINITY(same_site, GW_SAME_SITE_NONE))                                                      \
    X(GW_EINVAL, 22, "clusters[1].affinity", "no endpoints", p->has_cluster2 = true,               \
      p->cluster2.affinity = &p->affinity)                                                         \
    X(GW_EINVAL, 0, "balancers[0].name", "a name is needed", p->balancer.name = NULL)              \
    X(GW_EINVAL, 0, "balancers[0].choose", "needs choose", p->balancer.choose = NULL)              \
    X(GW_EINVAL, 0, "balancers[0].reserved", "must be 0", p->balancer.reserved = 1)                \
    X(GW_EINVAL, 0, "balancers[0].size", "GW_SPEC", p->balancer.size = 0)                          \
    X(GW_EINVAL, 0, "balancers[1].name", "taken by balancers[0]", p->has_balancer2 = true)         \
    X(GW_EINVAL, 21, "clusters[0].breaker.size", "GW_SPEC", BREAKER(size, 0))                      \
    X(GW_EINVAL, 21, "clusters[0].breaker.preset", "not a preset", BREAKER(preset, 2))             \
    X(GW_EINVAL, 21, "clusters[0].breaker.error_percent", "1 to 100, or off",                      \
      BREAKER(error_percent, 101))                                                                 \
    X(GW_EINVAL, 21, "clusters[0].breaker.window_ms", "10ms to 1h", BREAKER(window_ms, 9))         \
    X(GW_EINVAL, 21, "clusters[0].breaker.sleep_ms", "1ms to 24h", BREAKER(sleep_ms, GW_OFF))      \
    X(GW_EINVAL, 21, "clusters[0].breaker.probes", "1 to 100", BREAKER(probes, 101))               \
    X(GW_EINVAL, 21, "clusters[0].breaker.probe_timeout_ms", "1ms to",                             \
      BREAKER(probe_timeout_ms, GW_OFF))                                                           \
    X(GW_EINVAL, 21, "clusters[0].breaker.sleep_max_ms", "less than sleep",                        \
      BREAKER(sleep_max_ms, 4999))                                                                 \
    X(GW_EINVAL, 21, "clusters[0].breaker.failures", "nothing would open it",                      \
      BREAKER(failures = p->breaker.error_percent, GW_OFF))                                        \
    X(GW_EINVAL, 21, "clusters[0].breaker.reserved", "0", BREAKER(reserved, 1))                    \
    X(GW_EINVAL, 21, "clusters[0].outlier.latency_percent", "101 to",                              \
      OUTLIER(latency_percent, 100))                                                               \
    X(GW_EINVAL, 21, "clusters[0].outlier.endpoints_min", "2 to", OUTLIER(endpoints_min, 1))       \
    X(GW_EINVAL, 21, "clusters[0].outlier.share_percent", "1 to 100", OUTLIER(share_percent, 101)) \
    X(GW_EINVAL, 21, "clusters[0].outlier.time_max_ms", "less than time",                          \
      OUTLIER(time_max_ms, 29999))                                                                 \
    X(GW_EINVAL, 21, "clusters[0].outlier.failures", "nothing would eject",                        \
      OUTLIER(failures = p->outlier.rate_deviations, GW_OFF))                                      \
    X(GW_EINVAL, 21, "clusters[0].health.size", "GW_SPEC", HEALTH(size, 0))                        \
    X(GW_EINVAL, 21, "clusters[0].health.kind", "not a kind", HEALTH(kind, 4))                     \
    X(GW_EINVAL, 21, "clusters[0].health.kind", "speaks h2", HEALTH(kind, GW_HEALTH_GRPC))         \
    X(GW_EINVAL, 21, "clusters[0].health.kind", "and not HTTP", HEALTH(kind, GW_HEALTH_HTTP),      \
      p->cluster.protocols = GW_PROTO_TCP)                                                         \
    X(GW_EINVAL, 21, "clusters[0].health.interval_ms", "10ms to 24h", HEALTH(interval_ms, 9))      \
    X(GW_EINVAL, 21, "clusters[0].health.unhealthy_interval_ms", "10ms to 24h",                    \
      HEALTH(unhealthy_interval_ms, GW_OFF))                                                       \
    X(GW_EINVAL, 21, "clusters[0].health.jitter_percent", "1 to 100, or off",                      \
      HEALTH(jitter_percent, 101))                                                                 \
    X(GW_EINVAL, 21, "clusters[0].health.timeout_ms", "1ms to 1h", HEALTH(timeout_ms, 3600001))    \
    X(GW_EINVAL, 21, "clusters[0].health.rise", "1 to 1000", HEALTH(rise, 1001))                   \
    X(GW_EINVAL, 21, "clusters[0].health.fall", "1 to 1000", HEALTH(fall, GW_OFF))                 \
    X(GW_EINVAL, 21, "clusters[0].health.first", "not a state", HEALTH(first, 3))                  \
    X(GW_EINVAL, 21, "clusters[0].health.port", "1 to 65535", HEALTH(port, 65536))                 \
    X(GW_EINVAL, 21, "clusters[0].health.method", "GET or HEAD", HEALTH(method, GW_STR("POST")))   \
    X(GW_EINVAL, 21, "clusters[0].health.method", "for http alone", HEALTH(method, GW_STR("GET")), \
      p->health.kind = GW_HEALTH_TCP)                                                              \
    X(GW_EINVAL, 21, "clusters[0].health.path", "begins with", HEALTH(path, GW_STR("x")))          \
    X(GW_EINVAL, 21, "clusters[0].health.path", "no request", HEALTH(path, GW_STR("/a b")))        \
    X(GW_EINVAL, 21, "clusters[0].health.path", "no request", HEALTH(path, GW_STR("/a#b")))        \
    X(GW_EINVAL, 21, "clusters[0].health.path", "no request", HEALTH(path, GW_STR("/a\\b")))       \
    X(GW_EINVAL, 21, "clusters[0].health.path", "no request", HEALTH(path, GW_STR("/a?b c")))      \
    X(GW_EINVAL, 21, "clusters[0].health.path", "no request", HEALTH(path, GW_STR("/%zz")))        \
    X(GW_EINVAL, 21, "clusters[0].health.path", "no request", HEALTH(path, GW_STR("/a%0")))        \
    X(GW_EINVAL, 21, "clusters[0].health.path", "no request", HEALTH(path, GW_STR("/%00")))        \
    X(GW_EINVAL, 21, "clusters[0].health.path", "no request", HEALTH(path, GW_STR("/../x")))       \
    X(GW_EINVAL, 21, "clusters[0].health.path", "no request", HEALTH(path, GW_STR("/%2e%2E")))     \
    X(GW_EINVAL, 21, "clusters[0].health.path", "too long", HEALTH(path, longer(3000)))            \
    X(GW_EINVAL, 21, "clusters[0].health.path", "for http alone", HEALTH(path, GW_STR("/")),       \
      p->health.kind = GW_HEALTH_TCP)                                                              \
    X(GW_EINVAL, 21, "clusters[0].health.host", "not a host", HEALTH(host, GW_STR("a b")))         \
    X(GW_EINVAL, 21, "clusters[0].health.host", "sends none", HEALTH(host, GW_STR("a")),           \
      p->health.kind = GW_HEALTH_TCP)                                                              \
    X(GW_EINVAL, 21, "clusters[0].health.service", "for grpc alone", HEALTH(service, GW_STR("a"))) \
    X(GW_EINVAL, 21, "clusters[0].health.expect[0]", "200 or 200-299", EXPECT(GW_STR("2xx")))      \
    X(GW_EINVAL, 21, "clusters[0].health.expect[1]", "from 200 to 599",                            \
      EXPECT(GW_STR("200"), GW_STR("199-200")))                                                    \
    X(GW_EINVAL, 21, "clusters[0].health.expect[0]", "from 200 to 599", EXPECT(GW_STR("300-299"))) \
    X(GW_EINVAL, 21, "clusters[0].health.expect[0]", "from 200 to 599", EXPECT(GW_STR("200-600"))) \
    X(GW_EINVAL, 21, "clusters[0].health.expect", "for http alone", EXPECT(GW_STR("200"));         \
      p->health.kind = GW_HEALTH_TCP)                                                              \
    X(GW_ELIMIT, 21, "clusters[0].health.expect", "too long", HEALTH(expect, p->list),             \
      p->health.expect_len = 33)                                                                   \
    X(GW_EINVAL, 21, "clusters[0].health.expect", "is NULL", HEALTH(expect_len, 1))                \
    X(GW_EINVAL, 21, "clusters[0].throttle.success_percent", "1 to 100",                           \
      p->throttle.success_percent = 101, p->cluster.throttle = &p->throttle)                       \
    X(GW_EINVAL, 21, "clusters[0].fallback.cluster", "is needed", FALLBACK(code, 0))               \
    X(GW_EINVAL, 21, "clusters[0].fallback.code", "200 to 599", FALLBACK(code, 600))               \
    X(GW_EINVAL, 21, "clusters[0].fallback.code", "exclude", FALLBACK(code, 200),                  \
      p->fallback.cluster = GW_STR("web"))                                                         \
    X(GW_EINVAL, 21, "clusters[0].fallback.cluster", "the cluster itself",                         \
      FALLBACK(cluster, GW_STR("web")))                                                            \
    X(GW_EINVAL, 21, "clusters[0].fallback", "nothing refuses", FALLBACK(code, 200),               \
      p->cluster.exchanges_max = 0)                                                                \
    X(GW_EINVAL, 21, "clusters[0].failures", "mean nothing", BREAKER(size, sizeof p->breaker),     \
      p->cluster.failures = 512)                                                                   \
    X(GW_EINVAL, 21, "clusters[0].failures", "nothing counts them", p->cluster.failures = 1)       \
    X(GW_EINVAL, 21, "clusters[0].grpc_failures", "1 to 16", BREAKER(size, sizeof p->breaker),     \
      p->cluster.grpc_failures = 1u << 17)                                                         \
    X(GW_EINVAL, 21, "clusters[0].slow_ms", "nothing counts it", p->cluster.slow_ms = 1)           \
    X(GW_EINVAL, 21, "clusters[0].failures", "nothing is slow", p->cluster.breaker = &p->breaker,  \
      p->cluster.failures = GW_FAILURE_SLOW)                                                       \
    X(GW_EINVAL, 22, "clusters[1].origin", "it is the host", p->has_cluster2 = true,               \
      p->cluster2.exchanges_max = 1)                                                               \
    X(GW_EINVAL, 22, "clusters[1].all_connections_max", "connects to", p->has_cluster2 = true,     \
      p->cluster2.all_connections_max = 1)                                                         \
    X(GW_EINVAL, 21, "clusters[0].pending_max", "of the 2", p->cluster.exchanges_max = 2,          \
      p->cluster.pending_max = 3)                                                                  \
    X(GW_EINVAL, 21, "clusters[0].retries_max", "of the 2", p->cluster.exchanges_max = 2,          \
      p->cluster.retries_max = 3)                                                                  \
    X(GW_EINVAL, 21, "clusters[0].pending_max", "of the 10", BREAKER(preset, GW_BREAKER_HYSTRIX),  \
      p->cluster.pending_max = 11)                                                                 \
    X(GW_EUNKNOWN, 21, "clusters[0].fallback.cluster", "web", FALLBACK(cluster, GW_STR("wob")))    \
    X(GW_EINVAL, 21, "clusters[0].hash", "consistent hash alone", p->cluster.hash = &p->hash)      \
    X(GW_EINVAL, 21, "clusters[0].hash.size", "GW_SPEC", HASH(size, 0))                            \
    X(GW_EINVAL, 21, "clusters[0].hash.points", "1 to 65536", HASH(points, 65537))                 \
    X(GW_EINVAL, 21, "clusters[0].hash.load_percent", "100 to 1000", HASH(load_percent, 99))       \
    X(GW_EINVAL, 21, "clusters[0].hash.load_percent", "100 to 1000", HASH(load_percent, 1001))     \
    X(GW_EINVAL, 21, "clusters[0].hash.load_percent", "100 to 1000", HASH(load_percent, GW_OFF))   \
    X(GW_EINVAL, 21, "clusters[0].hash.unit", "1 to 65535", HASH(unit, 65536))                     \
    X(GW_EINVAL, 21, "clusters[0].hash.keys[1]", "\"headers:a\": not a key",                       \
      KEYS(GW_STR("client"), GW_STR("headers:a")))                                                 \
    X(GW_EINVAL, 21, "clusters[0].hash.keys[0]", "not a key", KEYS(GW_STR("")))                    \
    X(GW_EINVAL, 21, "clusters[0].hash.keys[0]", "not a key", KEYS(GW_STR("cookie:a b")))          \
    X(GW_EINVAL, 21, "clusters[0].hash.keys[0]", "too long", KEYS(longer(257)))                    \
    X(GW_EINVAL, 21, "clusters[0].choices", "2 to 8", p->cluster.balance = 3,                      \
      p->cluster.choices = 9)                                                                      \
    X(GW_EINVAL, 21, "clusters[0].choices", "2 to 8", p->cluster.balance = 3,                      \
      p->cluster.choices = 1)                                                                      \
    X(GW_EINVAL, 21, "clusters[0].choices", "least request alone", p->cluster.choices = 2)         \
    X(GW_EINVAL, 21, "clusters[0].panic_percent", "1 to 100", p->cluster.panic_percent = 101)      \
    X(GW_EINVAL, 21, "clusters[0].spare_percent", "100 to 1000", p->cluster.spare_percent = 99)    \
    X(GW_EINVAL, 21, "clusters[0].slow_start_ms", "keys stay", p->cluster.balance = 2,             \
      p->cluster.slow_start_ms = 1)                                                                \
    X(GW_ELIMIT, 21, "clusters[0].hash.keys", "at most 8", KEYS(GW_STR("client"));                 \
      p->hash.keys_len = 9)                                                                        \
    X(GW_EINVAL, 22, "clusters[1].name", "taken by clusters[0]", p->has_cluster2 = true,           \
      p->cluster2.name = GW_STR("web"))                                                            \
    X(GW_EINVAL, 21, "clusters[0].endpoints", "nobody to send to", p->has_no_endpoint = true)      \
    X(GW_EINVAL, 21, "clusters[0].origin", "exclude", p->cluster.origin = &p->origin)              \
    X(GW_EINVAL, 22, "clusters[1].origin.on_request", "needs", p->has_cluster2 = true,             \
      p->origin.on_request = NULL)                                                                 \
    X(GW_EINVAL, 22, "clusters[1].origin.size", "GW_SPEC", p->has_cluster2 = true,                 \
      p->origin.size = 0)                                                                          \
    X(GW_EINVAL, 31, "clusters[0].endpoints[0].address", "needed",                                 \
      p->endpoint.address = GW_STR(""))                                                            \
    X(GW_EINVAL, 31, "clusters[0].endpoints[0].address", "not an address",                         \
      p->endpoint.address = GW_STR("1.2.3.4"))                                                     \
    X(GW_EINVAL, 31, "clusters[0].endpoints[0].address", "port 0",                                 \
      p->endpoint.address = GW_STR("1.2.3.4:0"))                                                   \
    X(GW_EINVAL, 31, "clusters[0].endpoints[0].weight", "1 to 65,535", p->endpoint.weight = 65536) \
    X(GW_EINVAL, 31, "clusters[0].endpoints[0].priority", "0 to 15", p->endpoint.priority = 16)    \
    X(GW_EINVAL, 31, "clusters[0].endpoints[0].name", "without spaces",                            \
      p->endpoint.name = GW_STR("\""))                                                             \
    X(GW_EINVAL, 32, "clusters[0].endpoints[1].name", "taken by endpoints[0]",                     \
      p->has_endpoint2 = true, p->endpoint2.address = p->endpoint.address)                         \
    X(GW_EINVAL, 41, "routes[0].name", "a name is needed", p->route.name = GW_STR(""))             \
    X(GW_EINVAL, 42, "routes[1].name", "taken by routes[0]", p->has_route2 = true,                 \
      p->route2.name = GW_STR("all"))                                                              \
    X(GW_EUNKNOWN, 41, "routes[0].cluster", "no cluster \"wev\"; did you mean \"web\"?",           \
      p->route.cluster = GW_STR("wev"))                                                            \
    X(GW_EUNKNOWN, 41, "routes[0].cluster", "no cluster \"zzzzzz\"",                               \
      p->route.cluster = GW_STR("zzzzzz"))                                                         \
    X(GW_EUNKNOWN, 41, "routes[0].splits[1].cluster", "no cluster \"wev\"; did you mean \"web\"?", \
      SPLITS({ .size = 24, .cluster = GW_STR("web") }, { .size = 24, .cluster = GW_STR("wev") }))  \
    X(GW_EINVAL, 41, "routes[0].splits[1].cluster", "has a share already",                         \
      SPLITS({ .size = 24, .cluster = GW_STR("web") }, { .size = 24, .cluster = GW_STR("web") }))  \
    X(GW_EINVAL, 41, "routes[0].splits[0].cluster", "a cluster is needed", SPLITS({ .size = 24 })) \
    X(GW_EINVAL, 41, "routes[0].splits[0].size", "GW_SPEC",                                        \
      SPLITS({ .size = 1, .cluster = GW_STR("web") }))                                             \
    X(GW_EINVAL, 41, "routes[0].splits[0].weight", "1 to 65,535",                                  \
      SPLITS({ .size = 24, .weight = 65536, .cluster = GW_STR("web") }))                           \
    X(GW_EINVAL, 41, "routes[0].splits", "somebody needs a weight",                                \
      SPLITS({ .size = 24, .weight = GW_OFF, .cluster = GW_STR("web") }))                          \
    X(GW_EINVAL, 41, "routes[0].splits", "exclude each other",                                     \
      SPLITS({ .size = 24, .cluster = GW_STR("web") });                                            \
      p->route.cluster = GW_STR("web"))                                                            \
    X(GW_EINVAL, 41, "routes[0].split_keys[0]", "not a key",                                       \
      SPLITS({ .size = 24, .cluster = GW_STR("web") });                                            \
      p->list[0] = GW_STR("header:"), p->route.split_keys = p->list, p->route.split_keys_len = 1)  \
    X(GW_EINVAL, 41, "routes[0].split_keys", "say nothing",                                        \
      (p->list[0] = GW_STR("client"), p->route.split_keys = p->list, p->route.split_keys_len = 1)) \
    X(GW_ELIMIT, 41, "routes[0].splits", "at most 32",                                             \
      SPLITS({ .size = 24, .cluster = GW_STR("web") });                                            \
      p->route.splits_len = 33)                                                                    \
    X(GW_EUNKNOWN, 41, "routes[0].listener", "no listener \"Edge\"; did you mean \"edge\"?",       \
      p->route.listener = GW_STR("Edge"))                                                          \
    X(GW_EINVAL, 41, "routes[0].cluster", "a cluster or a reply is needed",                        \
      p->route.cluster = GW_STR(""))                                                               \
    X(GW_EINVAL, 41, "routes[0].reply_code", "exclude", p->route.reply_code = 200)                 \
    X(GW_EINVAL, 41, "routes[0].reply_code", "200 to 599", REPLY(199))                             \
    X(GW_EINVAL, 41, "routes[0].reply_code", "200 to 599", REPLY(600))                             \
    X(GW_EINVAL, 41, "routes[0].reply_type", "answers", p->route.reply_type = GW_STR("a/b"))       \
    X(GW_EINVAL, 41, "routes[0].reply_body", "answers", p->route.reply_body = GW_STR("a"))         \
    X(GW_EINVAL, 41, "routes[0].reply_body", "no body", REPLY(204),                                \
      p->route.reply_body = GW_STR("a"))                                                           \
    X(GW_EINVAL, 41, "routes[0].reply_body", "65,536", REPLY(200),                                 \
      p->route.reply_body = longer(65537))                                                         \
    X(GW_EINVAL, 41, "routes[0].reply_type", "header field", REPLY(200),                           \
      p->route.reply_type = GW_STR("a\r\nb: c"))                                                   \
    X(GW_EINVAL, 41, "routes[0].flags", "needs a cluster", REPLY(200),                             \
      p->route.flags = GW_ROUTE_CONNECT)                                                           \
    X(GW_EINVAL, 41, "routes[0].flags", "bits", p->route.flags = 4)                                \
    X(GW_EINVAL, 41, "routes[0].match", "matching", p->route.match = 3)                            \
    X(GW_EINVAL, 41, "routes[0].path", "begins with", p->route.path = GW_STR("v1"))                \
    X(GW_EINVAL, 41, "routes[0].path", "query", p->route.path = GW_STR("/a?b"))                    \
    X(GW_EINVAL, 41, "routes[0].path", "write \"/b/A\"", p->route.path = GW_STR("/a/../b/%41"))    \
    X(GW_EINVAL, 41, "routes[0].path", "write \"/%2F\"", p->route.path = GW_STR("/%2f"))           \
    X(GW_EINVAL, 41, "routes[0].path", "no request", p->route.path = GW_STR("/a b"))               \
    X(GW_EINVAL, 41, "routes[0].path", "no request", p->route.path = GW_STR("/.."))                \
    X(GW_EINVAL, 41, "routes[0].path", "no request", p->route.path = GW_STR("/%zz"))               \
    X(GW_EINVAL, 41, "routes[0].path", "too long", p->route.path = longer(2049))                   \
    X(GW_EINVAL, 41, "routes[0].host", "leave the host out", p->route.host = GW_STR("*"))          \
    X(GW_EINVAL, 41, "routes[0].host", "without its port", p->route.host = GW_STR("a.test:80"))    \
    X(GW_EINVAL, 41, "routes[0].host", "not a host", p->route.host = GW_STR("a..test"))            \
    X(GW_EINVAL, 41, "routes[0].host", "not a host", p->route.host = GW_STR("a.*.test"))           \
    X(GW_EINVAL, 41, "routes[0].host", "not a host", p->route.host = GW_STR("a.test."))            \
    X(GW_EINVAL, 41, "routes[0].host", "not a host", p->route.host = GW_STR("*."))                 \
    X(GW_EINVAL, 41, "routes[0].host", "not a host", p->route.host = GW_STR("[::1]:80"))           \
    X(GW_EINVAL, 41, "routes[0].host", "not a host", p->route.host = GW_STR("[::1"))               \
    X(GW_EINVAL, 41, "routes[0].host", "too long", p->route.host = longer(254))                    \
    X(GW_EINVAL, 41, "routes[0].methods[1]", "twice", METHODS(GW_STR("GET"), GW_STR("GET")))       \
    X(GW_EINVAL, 41, "routes[0].methods[0]", "not a method", METHODS(GW_STR("")))                  \
    X(GW_EINVAL, 41, "routes[0].methods[0]", "not a method", METHODS(GW_STR("A B")))               \
    X(GW_EINVAL, 41, "routes[0].methods[0]", "upper case", METHODS(GW_STR("get")))                 \
    X(GW_EINVAL, 41, "routes[0].methods[0]", "CONNECT", METHODS(GW_STR("CONNECT")))                \
    X(GW_ELIMIT, 41, "routes[0].methods", "too long", p->route.methods = p->list,                  \
      p->route.methods_len = 33)                                                                   \
    X(GW_EINVAL, 41, "routes[0].upgrades[0]", "not an Upgrade token", UPGRADES(GW_STR("a/b")))     \
    X(GW_EINVAL, 41, "routes[0].upgrades[0]", "never forwarded", UPGRADES(GW_STR("H2C")))          \
    X(GW_EINVAL, 41, "routes[0].upgrades[1]", "twice",                                             \
      UPGRADES(GW_STR("websocket"), GW_STR("WebSocket")))                                          \
    X(GW_EINVAL, 41, "routes[0].upgrades", "flag", UPGRADES(GW_STR("websocket"));                  \
      p->route.flags = GW_ROUTE_NO_UPGRADE)                                                        \
    X(GW_EINVAL, 41, "routes[0].upgrades", "needs a cluster", UPGRADES(GW_STR("websocket"));       \
      REPLY(200))                                                                                  \
    X(GW_EINVAL, 42, "routes[1]", "ties with routes[0] (\"all\")", p->has_route2 = true,           \
      p->route2.path = GW_STR("/"))                                                                \
    X(GW_EINVAL, 42, "routes[1]", "no request can reach it: routes[0]", p->has_route2 = true,      \
      p->route.priority = 1, p->route2.path = GW_STR("/"))                                         \
    X(GW_EINVAL, 41, "routes[0]", "no request can reach it: routes[1]", p->has_route2 = true,      \
      p->route2.priority = 1, p->route2.path = GW_STR("/"))                                        \
    X(GW_EINVAL, 0, "filters[0].name", "a name is needed", p->filter.name = NULL)                  \
    X(GW_EINVAL, 0, "filters[1].name", "taken by filters[0]", p->has_filter2 = true,               \
      p->filter2.name = "auth")                                                                    \
    X(GW_EINVAL, 0, "listeners[0].size", "GW_SPEC", p->listener.size = 0)                          \
    X(GW_EINVAL, 0, "clusters[0].size", "GW_SPEC", p->cluster.size = 3)                            \
    X(GW_EINVAL, 0, "clusters[0].endpoints[0].size", "GW_SPEC", p->endpoint.size = 0)              \
    X(GW_EINVAL, 0, "routes[0].size", "GW_SPEC", p->route.size = 0)                                \
    X(GW_EINVAL, 0, "filters[0].size", "GW_SPEC", p->filter.size = 0)

static const struct refusal {
    gw_status status;
    uint32_t mark;
    const char *where, *text;
} refusals[] = {
#define ROW(status, mark, where, text, ...) { status, mark, where, text },
    REFUSALS(ROW)
#undef ROW
};
enum { REFUSALS_LEN = sizeof refusals / sizeof refusals[0] };

static void spoil(struct parts *p, int row)
{
    int at = 0;
#define SPOIL(status, mark, where, text, ...)                                                      \
    if (row == at++) {                                                                             \
        __VA_ARGS__;                                                                               \
    }
    REFUSALS(SPOIL)
#undef SPOIL
}

static void expect(int row, const gw_config_error *err)
{
    const struct refusal *wanted = &refusals[row];
    bool is_same = err->status == wanted->status && err->mark == wanted->mark &&
                   strcmp(err->where, wanted->where) == 0 &&
                   strstr(err->text, wanted->text) != NULL;
    ck_assert_msg(is_same, "row %d: %s of %u at \"%s\": \"%s\", not %s of %u at \"%s\": \"%s\"",
                  row, gw_status_name(err->status), err->mark, err->where, err->text,
                  gw_status_name(wanted->status), wanted->mark, wanted->where, wanted->text);
}

START_TEST(each_fault_is_named)
{
    static struct parts p;
    for (int row = 0; row < REFUSALS_LEN; row++) {
        struct test_alloc alloc;
        gw_env env = env_of(&alloc);
        gw_config *config = NULL;
        gw_config_error err = GW_SPEC(gw_config_error), next = GW_SPEC(gw_config_error);
        /* Reported one by one: the same first fault, and only that. */
        parts_init(&p);
        ck_assert_int_eq(gw_builder_new(&env, &p.b), GW_OK);
        spoil(&p, row);
        parts_add(&p);
        ck_assert(gw_builder_next_error(p.b, &next));
        expect(row, &next);
        ck_assert_msg(!gw_builder_next_error(p.b, &next), "row %d: also %s: %s", row, next.where,
                      next.text);
        /* And by the build. */
        ck_assert_int_eq(gw_builder_build(p.b, &config, &err), refusals[row].status);
        ck_assert_ptr_null(config);
        expect(row, &err);
        test_alloc_fini(&alloc);
    }
}
END_TEST

START_TEST(the_parts_themselves_are_fine)
{
    static struct parts p;
    struct test_alloc alloc;
    gw_env env = env_of(&alloc);
    gw_config *config = NULL;
    gw_config_error err = GW_SPEC(gw_config_error);
    parts_init(&p);
    p.has_listener2 = p.has_cluster2 = p.has_endpoint2 = p.has_route2 = p.has_filter2 = true;
    ck_assert_int_eq(gw_builder_new(&env, &p.b), GW_OK);
    parts_add(&p);
    ck_assert(!gw_builder_next_error(p.b, &err));
    ck_assert_msg(gw_builder_build(p.b, &config, &err) == GW_OK, "%s: %s", err.where, err.text);
    gw_config_unref(config);
    test_alloc_fini(&alloc);
}
END_TEST

/* Values at the edge of what is allowed. */
START_TEST(the_last_that_is_allowed)
{
    static struct parts p;
    struct test_alloc alloc;
    gw_env env = env_of(&alloc);
    gw_config *config = NULL;
    gw_config_error err = GW_SPEC(gw_config_error);
    static char path[2048], host[253], body[65536], name[128];
    memset(path, 'p', sizeof path);
    path[0] = '/';
    memset(host, 'h', sizeof host);
    memset(body, 'b', sizeof body);
    memset(name, 'n', sizeof name);
    parts_init(&p);
    p.listener.name = (gw_str){ name, sizeof name };
    p.listener.address = GW_STR("unix:/run/gw.sock");
    p.listener2.address = GW_STR("127.0.0.1:0");
    p.has_listener2 = true;
    p.endpoint.address = GW_STR("backend.example:80");
    p.endpoint.weight = 65535;
    p.route.path = (gw_str){ path, sizeof path };
    p.route.host = (gw_str){ host, sizeof host };
    p.route2.cluster = GW_STR("");
    p.route2.host = GW_STR("[2001:DB8::1]");
    p.route2.reply_code = 599;
    p.route2.reply_body = (gw_str){ body, sizeof body };
    p.has_route2 = true;
    ck_assert_int_eq(gw_builder_new(&env, &p.b), GW_OK);
    parts_add(&p);
    ck_assert_msg(gw_builder_build(p.b, &config, &err) == GW_OK, "%s: %s", err.where, err.text);
    bool is_missing;
    struct gw_route_key key = { .host = GW_STR("[2001:db8::1]"),
                                .path = GW_STR("/more"),
                                .method = GW_STR("GET") };
    ck_assert_ptr_eq(gw_config_route(config, &key, &is_missing), &config->routes[1]);
    ck_str(config->routes[1].reply_type, "text/plain");
    gw_config_unref(config);
    test_alloc_fini(&alloc);
}
END_TEST

START_TEST(flags_and_times_say_what_they_mean)
{
    static struct parts p;
    gw_config *config = NULL;
    gw_listener_spec listener = GW_SPEC(gw_listener_spec);
    parts_init(&p);
    p.has_route2 = true;
    p.listener.head_timeout_ms = GW_OFF;
    p.cluster.response_timeout_ms = 15000; /* the default, said: then it is for gRPC too */
    p.route.flags = GW_ROUTE_NO_UPGRADE;
    ck_assert_int_eq(gw_builder_new(NULL, &p.b), GW_OK);
    parts_add(&p);
    ck_assert_int_eq(gw_builder_build(p.b, &config, NULL), GW_OK);
    ck_assert(config->clusters[0].has_response_timeout);
    ck_assert_uint_eq(config->routes[0].upgrades_len, 0);
    ck_assert_uint_eq(config->routes[1].upgrades_len, 1);
    ck_assert_int_eq(gw_config_listener(config, 0, &listener), GW_OK);
    ck_assert_uint_eq(listener.head_timeout_ms, GW_OFF);
    gw_config_unref(config);
}
END_TEST

/* All faults, in the order of the calls, then those across parts. */
START_TEST(all_faults_are_collected)
{
    static struct parts p;
    gw_config_error err = GW_SPEC(gw_config_error);
    gw_config *config = NULL;
    parts_init(&p);
    ck_assert_int_eq(gw_builder_new(NULL, &p.b), GW_OK);
    p.listener.name = GW_STR("");
    p.listener.protocols = 8;
    p.has_route2 = true;
    p.route2.cluster = GW_STR("wob");
    parts_add(&p);
    static const char *const wanted[] = { "listeners[0].name", "listeners[0].protocols",
                                          "routes[1].cluster" };
    for (size_t i = 0; i < 3; i++) {
        ck_assert(gw_builder_next_error(p.b, &err));
        ck_assert_str_eq(err.where, wanted[i]);
    }
    ck_assert(!gw_builder_next_error(p.b, &err));
    /* More parts: what they mend is mended, what they break is told. */
    p.cluster2.name = GW_STR("wob");
    (void)gw_builder_cluster(p.b, &p.cluster2);
    (void)gw_builder_cluster(p.b, &p.cluster2);
    ck_assert(gw_builder_next_error(p.b, &err));
    ck_assert_str_eq(err.where, "clusters[2].name");
    ck_assert(!gw_builder_next_error(p.b, &err));
    ck_assert_int_eq(gw_builder_build(p.b, &config, &err), GW_EINVAL);
    ck_assert_str_eq(err.where, "listeners[0].name");
}
END_TEST

START_TEST(faults_are_bounded)
{
    gw_builder *b = NULL;
    gw_config_error err = GW_SPEC(gw_config_error);
    gw_config *config = NULL;
    gw_route_spec route = GW_SPEC(gw_route_spec);
    size_t count = 0;
    ck_assert_int_eq(gw_builder_new(NULL, &b), GW_OK);
    for (size_t i = 0; i < 1000; i++)
        ck_assert_uint_eq(gw_builder_route(b, &route), 0);
    while (gw_builder_next_error(b, &err))
        count++;
    ck_assert_uint_eq(count, GW_CONFIG_ERRORS_MAX);
    ck_assert_int_eq(gw_builder_build(b, &config, NULL), GW_EINVAL);
}
END_TEST

START_TEST(an_endpoint_needs_an_id_of_a_cluster)
{
    gw_builder *b = NULL;
    gw_config_error err = GW_SPEC(gw_config_error);
    gw_config *config = NULL;
    static struct parts p;
    parts_init(&p);
    ck_assert_int_eq(gw_builder_new(NULL, &b), GW_OK);
    gw_id listener = gw_builder_listener(b, &p.listener);
    ck_assert_uint_ne(listener, 0);
    ck_assert_uint_eq(gw_builder_endpoint(b,
                                          _i == 0   ? listener
                                          : _i == 1 ? 0
                                                    : 12345,
                                          &p.endpoint),
                      0);
    ck_assert_int_eq(gw_builder_build(b, &config, &err), GW_EINVAL);
    ck_assert_str_eq(err.where, "endpoints[0]");
    ck_assert_uint_eq(err.mark, 31);
}
END_TEST

START_TEST(too_many_parts_are_refused)
{
    gw_builder *b = NULL;
    gw_config_error err = GW_SPEC(gw_config_error);
    gw_config *config = NULL;
    gw_listener_spec listener = GW_SPEC(gw_listener_spec);
    char name[16];
    listener.mark = 7;
    ck_assert_int_eq(gw_builder_new(NULL, &b), GW_OK);
    for (int i = 0; i <= GW_LISTENERS_MAX; i++) {
        listener.name = (gw_str){ name, (size_t)snprintf(name, sizeof name, "l%d", i) };
        ck_assert((gw_builder_listener(b, &listener) != 0) == (i < GW_LISTENERS_MAX));
    }
    ck_assert_int_eq(gw_builder_build(b, &config, &err), GW_ELIMIT);
    ck_assert_str_eq(err.where, "listeners[256]");
    ck_assert_str_eq(err.text, "there are too many; at most 256");
    ck_assert_uint_eq(err.mark, 7);
}
END_TEST

/* As many endpoints and routes as there may be: in a moment, not in minutes. */
START_TEST(many_parts_are_taken)
{
    enum { MANY = 20000 };
    gw_builder *b = NULL;
    gw_config *config = NULL;
    gw_config_error err = GW_SPEC(gw_config_error);
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);
    gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
    gw_route_spec route = GW_SPEC(gw_route_spec);
    char text[64];
    ck_assert_int_eq(gw_builder_new(NULL, &b), GW_OK);
    cluster.name = GW_STR("c");
    gw_id id = gw_builder_cluster(b, &cluster);
    for (int i = 0; i < MANY; i++) {
        endpoint.address = (gw_str){ text, (size_t)snprintf(text, sizeof text, "10.1.%d.%d:80",
                                                            i / 250, i % 250) };
        endpoint.weight = 1 + (uint32_t)i % 100;
        if (gw_builder_endpoint(b, id, &endpoint) == 0)
            ck_abort_msg("endpoint %d", i);
        route.name = (gw_str){ text, (size_t)snprintf(text, sizeof text, "r%d", i) };
        char host[32], path[32];
        route.host = (gw_str){ host, (size_t)snprintf(host, sizeof host, "h%d.test", i % 500) };
        route.path = (gw_str){ path, (size_t)snprintf(path, sizeof path, "/p%d", i / 500) };
        route.cluster = cluster.name;
        if (gw_builder_route(b, &route) == 0)
            ck_abort_msg("route %d", i);
    }
    ck_assert_msg(gw_builder_build(b, &config, &err) == GW_OK, "%s: %s", err.where, err.text);
    bool is_missing;
    struct gw_route_key key = { .host = GW_STR("h77.test"),
                                .path = GW_STR("/p7/x"),
                                .method = GW_STR("GET") };
    ck_assert_uint_eq(gw_config_route(config, &key, &is_missing)->index, 7 * 500 + 77);
    gw_config_unref(config);
}
END_TEST

/* --- sized structs --- */

struct larger {
    gw_route_spec spec;
    uint32_t more[2];
};

START_TEST(older_and_newer_callers_are_understood)
{
    gw_config *config = NULL;
    gw_config_error err = GW_SPEC(gw_config_error);
    static struct parts p;
    struct larger larger;
    parts_init(&p);
    /* An older caller does not know user, nor upgrades: what lies there is not read. */
    p.route.size = offsetof(gw_route_spec, upgrades);
    p.route.upgrades = (const gw_str *)(uintptr_t)1;
    p.route.upgrades_len = 99;
    p.route.user = &p;
    ck_assert_int_eq(gw_builder_new(NULL, &p.b), GW_OK);
    parts_add(&p);
    /* A newer one is understood as long as it asks for nothing new. */
    memset(&larger, 0, sizeof larger);
    larger.spec = p.route2;
    larger.spec.size = sizeof larger;
    ck_assert_uint_ne(gw_builder_route(p.b, &larger.spec), 0);
    ck_assert_msg(gw_builder_build(p.b, &config, &err) == GW_OK, "%s: %s", err.where, err.text);
    ck_assert_ptr_null(config->routes[0].user);
    ck_assert_uint_eq(config->routes[0].upgrades_len, 1);
    gw_config_unref(config);
    /* Else it is refused, and not served by half. */
    parts_init(&p);
    ck_assert_int_eq(gw_builder_new(NULL, &p.b), GW_OK);
    parts_add(&p);
    larger.more[1] = 1;
    ck_assert_uint_eq(gw_builder_route(p.b, &larger.spec), 0);
    ck_assert_int_eq(gw_builder_build(p.b, &config, &err), GW_EINVAL);
    ck_assert_str_eq(err.where, "routes[1].size");
}
END_TEST

START_TEST(what_is_filled_stays_in_its_size)
{
    static struct parts p;
    gw_config *config = NULL;
    gw_config_error err = GW_SPEC(gw_config_error);
    parts_init(&p);
    p.route.cluster = GW_STR("nope");
    ck_assert_int_eq(gw_builder_new(NULL, &p.b), GW_OK);
    parts_add(&p);
    memset(&err, 0x77, sizeof err);
    err.size = offsetof(gw_config_error, text);
    ck_assert_int_eq(gw_builder_build(p.b, &config, &err), GW_EUNKNOWN);
    ck_assert_uint_eq(err.size, offsetof(gw_config_error, text));
    ck_assert_str_eq(err.where, "routes[0].cluster");
    ck_assert_int_eq(err.text[0], 0x77);

    parts_init(&p);
    ck_assert_int_eq(gw_builder_new(NULL, &p.b), GW_OK);
    parts_add(&p);
    ck_assert_int_eq(gw_builder_build(p.b, &config, NULL), GW_OK);
    struct {
        gw_listener_spec spec;
        uint32_t more;
    } out = { .spec = GW_SPEC(gw_listener_spec), .more = 5 };
    out.spec.size = sizeof out;
    ck_assert_int_eq(gw_config_listener(config, 0, &out.spec), GW_OK);
    ck_assert_uint_eq(out.spec.size, sizeof out);
    ck_assert_uint_eq(out.more, 0);
    ck_str(out.spec.name, "edge");
    ck_assert_uint_eq(out.spec.head_timeout_ms, 10000);
    ck_assert_uint_eq(out.spec.body_idle_timeout_ms, 30000);
    ck_assert_int_eq(gw_config_listener(config, 1, &out.spec), GW_EUNKNOWN);
    out.spec.size = 0;
    ck_assert_int_eq(gw_config_listener(config, 0, &out.spec), GW_EINVAL);
    gw_config_unref(config);
}
END_TEST

static gw_config *hashing_by(uint32_t others, gw_str key)
{
    static const char *const names[] = { "svc-a", "svc-b", "svc-c" };
    gw_builder *b = NULL;
    gw_config *config = NULL;
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);
    gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
    gw_hash_spec hash = GW_SPEC(gw_hash_spec);
    ck_assert_int_eq(gw_builder_new(NULL, &b), GW_OK);
    hash.keys = &key;
    hash.keys_len = 1;
    for (uint32_t i = 0; i < 2; i++) {
        cluster.hash = i == 0 ? NULL : &hash;
        cluster.name = i == 0 ? GW_STR("plain") : GW_STR("cache");
        cluster.balance = i == 0 ? GW_BALANCE_RANDOM : GW_BALANCE_CONSISTENT_HASH;
        gw_id id = gw_builder_cluster(b, &cluster);
        for (uint32_t k = 0; k <= others; k++) {
            endpoint.name = gw_cstr(names[k]);
            endpoint.address = GW_STR("127.0.0.1:80");
            endpoint.weight = k < 2 ? 100 : 200;
            gw_builder_endpoint(b, id, &endpoint);
        }
        endpoint.name = GW_STR("spare");
        endpoint.priority = 1;
        gw_builder_endpoint(b, id, &endpoint);
        endpoint.priority = 0;
    }
    ck_assert_int_eq(gw_builder_build(b, &config, NULL), GW_OK);
    return config;
}

static gw_config *hashing(uint32_t others)
{
    return hashing_by(others, GW_STR("client"));
}

START_TEST(shares_of_keys)
{
    gw_config *config = hashing(2), *less = hashing(1), *one = hashing(0);
    gw_config *other = hashing_by(2, GW_STR("path"));
    struct {
        gw_share share;
        uint32_t more;
    } out[3];
    gw_str name;
    size_t len = 9;
    uint32_t moved = 9, sum = 0;
    memset(out, 5, sizeof out);
    out[0].share.size = sizeof out[0];
    ck_assert_int_eq(gw_config_shares(config, 0, &name, NULL, 0, &len), GW_OK);
    ck_str(name, "plain");
    ck_assert_uint_eq(len, 0);
    ck_assert_int_eq(gw_config_shares(config, 1, &name, &out[0].share, 3, &len), GW_OK);
    ck_str(name, "cache");
    ck_assert_uint_eq(len, 3);
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t due = i < 2 ? 250000 : 500000;
        ck_assert_uint_eq(out[i].more, 0);
        ck_assert_uint_eq(out[i].share.due, due);
        ck_assert_uint_eq(out[i].share.points, i < 2 ? 256 : 512);
        ck_assert_uint_eq(out[i].share.unit, 100);
        ck_assert_uint_eq(out[i].share.halved, 0);
        ck_assert_uint_lt(out[i].share.millionths, due + due / 9);
        ck_assert_uint_gt(out[i].share.millionths, due - due / 9);
        sum += out[i].share.millionths;
    }
    ck_str(out[2].share.endpoint, "svc-c");
    ck_assert_uint_ge(sum, 999997);
    ck_assert_uint_le(sum, 1000003);
    ck_assert_int_eq(gw_config_moved(config, less, GW_STR("cache"), &moved), GW_OK);
    ck_assert_uint_eq(moved, out[2].share.millionths); /* its own share and nothing else */
    ck_assert_int_eq(gw_config_moved(less, config, GW_STR("cache"), &moved), GW_OK);
    ck_assert_uint_eq(moved, out[2].share.millionths);
    ck_assert_int_eq(gw_config_moved(config, config, GW_STR("cache"), &moved), GW_OK);
    ck_assert_uint_eq(moved, 0);
    ck_assert_int_eq(gw_config_moved(config, other, GW_STR("cache"), &moved), GW_OK);
    ck_assert_uint_eq(moved, 1000000); /* another key is another hash of each request */
    ck_assert_int_eq(gw_config_moved(config, less, GW_STR("plain"), &moved), GW_EUNKNOWN);
    ck_assert_int_eq(gw_config_moved(config, less, GW_STR("none"), &moved), GW_EUNKNOWN);
    ck_assert_int_eq(gw_config_shares(one, 1, NULL, &out[0].share, 3, &len), GW_OK);
    ck_assert_uint_eq(out[0].share.millionths, 1000000);
    ck_assert_uint_eq(len, 1);
    ck_assert_int_eq(gw_config_shares(config, 2, NULL, NULL, 0, &len), GW_EUNKNOWN);
    out[0].share.size = 0;
    ck_assert_int_eq(gw_config_shares(config, 1, NULL, &out[0].share, 3, &len), GW_EINVAL);
    gw_config_unref(one);
    gw_config_unref(other);
    gw_config_unref(less);
    gw_config_unref(config);
}
END_TEST

START_TEST(nonsense_is_answered)
{
    gw_builder *b = NULL;
    gw_config *config = NULL;
    gw_env env = { .size = 0 };
    ck_assert_int_eq(gw_builder_new(&env, &b), GW_EINVAL);
    ck_assert_int_eq(gw_builder_new(NULL, NULL), GW_EINVAL);
    ck_assert_int_eq(gw_builder_build(NULL, &config, NULL), GW_EINVAL);
    ck_assert_uint_eq(gw_builder_listener(NULL, NULL), 0);
    ck_assert(!gw_builder_next_error(NULL, NULL));
    gw_builder_free(NULL);
    ck_assert_ptr_null(gw_config_ref(NULL));
    ck_assert_int_eq(gw_builder_new(NULL, &b), GW_OK);
    ck_assert_uint_eq(gw_builder_listener(b, NULL), 0);
    ck_assert_int_eq(gw_builder_build(b, &config, NULL), GW_EINVAL);
    ck_assert_int_eq(gw_builder_new(NULL, &b), GW_OK);
    ck_assert_int_eq(gw_builder_build(b, NULL, NULL), GW_EINVAL);
    /* A configuration of nothing is one: it matches nothing. */
    bool is_missing;
    struct gw_route_key key = { .path = GW_STR("/"), .method = GW_STR("GET") };
    ck_assert_int_eq(gw_builder_new(NULL, &b), GW_OK);
    ck_assert_int_eq(gw_builder_build(b, &config, NULL), GW_OK);
    ck_assert_ptr_null(gw_config_route(config, &key, &is_missing));
    gw_config_unref(config);
    ck_assert_int_eq(gw_builder_new(NULL, &b), GW_OK);
    gw_builder_free(b);
}
END_TEST

/* --- limits --- */

static const struct limit_row {
    const char *name;
    size_t at;
    uint32_t when_zero, least, most;
} limit_rows[] = {
#define LIMIT(name, when_zero, least, most)                                                        \
    {                                                                                              \
#name, offsetof(gw_limits, name), when_zero, least, most                                   \
    }
    LIMIT(block_bytes, 16640, 1024, 1u << 20),
    LIMIT(blocks_max, 32768, 2 * (8 + (GW_HAVE_H2 ? 4 : 0)), 1u << 24),
    LIMIT(links_max, 10000, 2048, 1u << 22), /* least: of the default of h2_links_max */
    LIMIT(h2_links_max, 2048, 1, 10000),     /* most: the default of links_max        */
    LIMIT(exchanges_max, 20000, 1, 1u << 22),
    LIMIT(head_bytes_max, 32768, 512, 1u << 20),
    LIMIT(fields_max, 100, 1, 10000),
    LIMIT(pipe_bytes_max, 262144, 1024, 1u << 30),
    LIMIT(exchange_bytes_max, 65536, 1, 1u << 24),
    LIMIT(h2_streams_max, 128, 1, 65535),
    LIMIT(step_budget, 4096, 1, 1u << 30),
    LIMIT(records_max, 256, 1, 65536),
};

static uint32_t *limit_at(gw_limits *l, const struct limit_row *row)
{
    return (uint32_t *)(void *)((char *)l + row->at);
}

START_TEST(limits_have_defaults_and_ranges)
{
    const struct limit_row *row = &limit_rows[_i];
    gw_limits spec = GW_SPEC(gw_limits), out;
    ck_assert_int_eq(gw_limits_complete(NULL, &out), GW_OK);
    ck_assert_uint_eq(*limit_at(&out, row), row->when_zero);
    *limit_at(&spec, row) = row->least;
    ck_assert_int_eq(gw_limits_complete(&spec, &out), GW_OK);
    ck_assert_uint_eq(*limit_at(&out, row), row->least);
    *limit_at(&spec, row) = row->most;
    ck_assert_int_eq(gw_limits_complete(&spec, &out), GW_OK);
    *limit_at(&spec, row) = row->most + 1;
    ck_assert_int_eq(gw_limits_complete(&spec, &out), GW_EINVAL);
    bool may_be_off = strcmp(row->name, "h2_links_max") == 0 ||
                      strcmp(row->name, "records_max") == 0;
    *limit_at(&spec, row) = GW_OFF;
    ck_assert_int_eq(gw_limits_complete(&spec, &out), may_be_off ? GW_OK : GW_EINVAL);
    if (may_be_off)
        ck_assert_uint_eq(*limit_at(&out, row), 0);
    if (row->least > 1 && strcmp(row->name, "links_max") != 0) {
        *limit_at(&spec, row) = row->least - 1;
        ck_assert_int_eq(gw_limits_complete(&spec, &out), GW_EINVAL);
    }
}
END_TEST

START_TEST(fewer_links_are_fewer_of_http2)
{
    gw_limits spec = GW_SPEC(gw_limits), out;
    spec.links_max = 10;
    ck_assert_int_eq(gw_limits_complete(&spec, &out), GW_OK);
    ck_assert_uint_eq(out.h2_links_max, 10);
    spec.h2_links_max = 11;
    ck_assert_int_eq(gw_limits_complete(&spec, &out), GW_EINVAL);
    spec.size = 0;
    ck_assert_int_eq(gw_limits_complete(&spec, &out), GW_EINVAL);
}
END_TEST

enum { KEPT = 1 }; /* a head that may go back to the host */

/* What limits.c says one exchange needs is what slots take; and what comes before HTTP/2's windows are
 * known is backed whatever a block holds. */
START_TEST(the_smallest_pool_admits_two_exchanges)
{
    gw_limits spec = GW_SPEC(gw_limits), out;
    uint32_t one = GW_SLOT_LINK + KEPT + GW_SLOT_EXCHANGE + GW_SLOT_LINK;
    spec.block_bytes = 2048;
    spec.blocks_max = 2 * (one + (GW_HAVE_H2 ? (GW_SLOT_EARLY + 2047) / 2048 : 0));
    ck_assert_int_eq(gw_limits_complete(&spec, &out), GW_OK);
    spec.blocks_max--;
    ck_assert_int_eq(gw_limits_complete(&spec, &out), GW_EINVAL);
    spec.h2_links_max = GW_OFF;
    spec.blocks_max = 2 * one;
    ck_assert_int_eq(gw_limits_complete(&spec, &out), GW_OK);
    spec.blocks_max--;
    ck_assert_int_eq(gw_limits_complete(&spec, &out), GW_EINVAL);
}
END_TEST

/* Of one connection the pool could take so many: its own blocks, and those of each exchange. */
START_TEST(streams_follow_the_pool)
{
    gw_limits spec = GW_SPEC(gw_limits), out;
    uint32_t early = GW_HAVE_H2 ? 4 : 0, each = GW_SLOT_EXCHANGE + GW_SLOT_LINK;
    ck_assert_int_eq(gw_limits_complete(&spec, &out), GW_OK);
    ck_assert_uint_eq(gw_limits_streams(&out), 128);
    spec.blocks_max = GW_SLOT_LINK + KEPT + early + 100 * each;
    ck_assert_int_eq(gw_limits_complete(&spec, &out), GW_OK);
    ck_assert_uint_eq(gw_limits_streams(&out), 100);
    spec.blocks_max--;
    ck_assert_int_eq(gw_limits_complete(&spec, &out), GW_OK);
    ck_assert_uint_eq(gw_limits_streams(&out), 99);
    spec.h2_streams_max = 7;
    ck_assert_int_eq(gw_limits_complete(&spec, &out), GW_OK);
    ck_assert_uint_eq(gw_limits_streams(&out), 7);
}
END_TEST

START_TEST(the_footprint_adds_up)
{
    static struct parts p;
    gw_config *config = NULL;
    gw_footprint none = GW_SPEC(gw_footprint), three = GW_SPEC(gw_footprint);
    gw_limits limits = GW_SPEC(gw_limits);
    parts_init(&p);
    ck_assert_int_eq(gw_builder_new(NULL, &p.b), GW_OK);
    parts_add(&p);
    ck_assert_int_eq(gw_builder_build(p.b, &config, NULL), GW_OK);
    ck_assert_int_eq(gw_limits_footprint(NULL, NULL, &none), GW_OK);
    ck_assert_uint_eq(none.workers, 1);
    ck_assert_uint_eq(none.config, 0);
    ck_assert_uint_ge(none.blocks, 32768ull * 16640);
    ck_assert_uint_eq(none.total, none.blocks + none.objects + none.h2);
    three.workers = 3;
    limits.h2_links_max = GW_OFF;
    ck_assert_int_eq(gw_limits_footprint(&limits, config, &three), GW_OK);
    ck_assert_uint_eq(three.h2, 0);
    uint64_t endpoints = 0;
    for (uint32_t i = 0; i < config->clusters_len; i++)
        endpoints += config->clusters[i].endpoints->heap.used;
    ck_assert_uint_eq(three.config, 2 * (config->heap.used + endpoints));
    ck_assert_uint_gt(three.shared, 0);
    ck_assert_uint_eq(three.total,
                      3 * (three.blocks + three.objects) + three.config + three.shared);
    limits.blocks_max = 1;
    ck_assert_int_eq(gw_limits_footprint(&limits, config, &three), GW_EINVAL);
    gw_config_unref(config);
}
END_TEST

/* The numbers of config/limits.c against the objects, and the bound that HTTP/2 sets itself. */
START_TEST(the_footprint_holds_the_objects)
{
    gw_limits limits = GW_SPEC(gw_limits);
    gw_footprint one = GW_SPEC(gw_footprint), two = GW_SPEC(gw_footprint);
    limits.links_max = limits.h2_links_max = limits.exchanges_max = 1;
    limits.blocks_max = 200;
    limits.block_bytes = 1024;
    ck_assert_int_eq(gw_limits_footprint(&limits, NULL, &one), GW_OK);
    ck_assert_uint_ge(one.blocks, 200 * (1024 + sizeof(struct gw_block)));
    ck_assert_uint_eq(one.h2, gw_h2_connection_bytes() + 128 * gw_h2_stream_bytes());
    limits.links_max = 2;
    ck_assert_int_eq(gw_limits_footprint(&limits, NULL, &two), GW_OK);
    enum { FACTS = 2 * 128 + 255 + 32 + 32 + 64 + 512 + 32 };
    ck_assert_uint_ge(two.objects - one.objects, sizeof(struct gw_link) + sizeof(struct gw_h1) +
                                                     sizeof(struct gw_slot) +
                                                     sizeof(struct gw_link_kept) + FACTS);
    limits.links_max = 1;
    limits.exchanges_max = 2;
    ck_assert_int_eq(gw_limits_footprint(&limits, NULL, &two), GW_OK);
    ck_assert_uint_ge(two.objects - one.objects,
                      sizeof(struct gw_exchange) + GW_ASKED_COUNT * sizeof(struct gw_wait));
    limits.exchanges_max = 1;
    limits.records_max = 257;
    ck_assert_int_eq(gw_limits_footprint(&limits, NULL, &two), GW_OK);
    ck_assert_uint_ge(two.objects - one.objects, sizeof(struct gw_recorded));
    limits.records_max = 0;
    limits.blocks_max = 201;
    ck_assert_int_eq(gw_limits_footprint(&limits, NULL, &two), GW_OK);
    ck_assert_uint_eq(two.objects - one.objects, GW_SLICES_A_BLOCK * sizeof(struct gw_slice));
}
END_TEST

static Suite *builder_suite(void)
{
    Suite *suite = suite_create("builder");
    check_add(suite, all_is_copied_and_completed);
    check_add_loop(suite, every_refused_allocation_is_survived, 0, 2);
    check_add(suite, each_fault_is_named);
    check_add(suite, the_parts_themselves_are_fine);
    check_add(suite, the_last_that_is_allowed);
    check_add(suite, flags_and_times_say_what_they_mean);
    check_add(suite, all_faults_are_collected);
    check_add(suite, faults_are_bounded);
    check_add_loop(suite, an_endpoint_needs_an_id_of_a_cluster, 0, 3);
    check_add(suite, too_many_parts_are_refused);
    check_add(suite, many_parts_are_taken);
    check_add(suite, older_and_newer_callers_are_understood);
    check_add(suite, what_is_filled_stays_in_its_size);
    check_add(suite, shares_of_keys);
    check_add(suite, nonsense_is_answered);
    return suite;
}

static Suite *limits_suite(void)
{
    Suite *suite = suite_create("limits");
    check_add_loop(suite, limits_have_defaults_and_ranges, 0,
                   (int)(sizeof limit_rows / sizeof limit_rows[0]));
    check_add(suite, fewer_links_are_fewer_of_http2);
    check_add(suite, the_smallest_pool_admits_two_exchanges);
    check_add(suite, streams_follow_the_pool);
    check_add(suite, the_footprint_adds_up);
    check_add(suite, the_footprint_holds_the_objects);
    return suite;
}

CHECK_MAIN(builder_suite, limits_suite)
