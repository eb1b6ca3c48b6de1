/* Configuration files: what they may say is what C may say; all else is refused at its place. */

#include <stdarg.h>
#include <stdio.h>

#include <gw/yaml.h>

#include "alloc.h"
#include "base/text.h"
#include "check_main.h"
#include "config/snapshot.h"

static uint32_t choose(void *ctx, const gw_choice *c)
{
    (void)ctx;
    (void)c;
    return 0;
}

/* What is the host's own: a file can only name it. */
static gw_status add_balancer(void *ctx, gw_builder *b)
{
    gw_balancer balancer = GW_SPEC(gw_balancer);
    (void)ctx;
    balancer.name = "shards";
    balancer.choose = choose;
    (void)gw_builder_balancer(b, &balancer);
    return GW_OK;
}

static gw_status load(const char *text, gw_config **out, gw_yaml_error *err)
{
    *err = GW_SPEC(gw_yaml_error);
    return gw_yaml_load(NULL, gw_cstr(text), add_balancer, NULL, NULL, NULL, out, err);
}

/* --- what a snapshot holds, as text --- */

struct dump {
    char text[8192];
    size_t len;
};

__attribute__((format(printf, 2, 3))) static void say(struct dump *d, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(d->text + d->len, sizeof d->text - d->len, format, args);
    va_end(args);
    ck_assert(n >= 0 && d->len + (size_t)n < sizeof d->text);
    d->len += (size_t)n;
}

#define STR(s) (int)(s).len, (s).ptr
#define NUM(n) (unsigned long long)(n)

static void say_probe(struct dump *d, const struct gw_probe_conf *p)
{
    const struct gw_health_conf *h = &p->health;
    say(d, "  probe %u port %u head %d %.*s %.*s %.*s codes", p->kind, p->port, p->is_head,
        STR(p->path), STR(p->host), STR(p->service));
    for (int i = 0; i < GW_PROBE_CODE_WORDS; i++)
        say(d, " %llx", NUM(p->codes[i]));
    say(d, "\n  health %u %u %d %llu %llu %llu %u\n", h->rise, h->fall, h->is_untried_unhealthy,
        NUM(h->interval), NUM(h->unhealthy_interval), NUM(h->timeout), h->jitter);
}

static void say_guards(struct dump *d, const struct gw_guards_conf *g)
{
    const struct gw_breaker_conf *b = &g->breaker;
    const struct gw_outlier_conf *o = &g->outlier;
    say(d, "  guards %d %d %d %d failures %x grpc %x slow %llu max %u %u %u\n", g->has_breaker,
        g->has_outlier, g->has_throttle, g->has_fallback, g->failures, g->grpc_failures,
        NUM(g->slow), g->exchanges_max, g->pending_max, g->retries_max);
    say(d, "  breaker %u %u %u %llu %llu %llu %u %u %llu\n", b->failures, b->percent, b->volume,
        NUM(b->window), NUM(b->sleep), NUM(b->sleep_max), b->jitter, b->probes,
        NUM(b->probe_timeout));
    say(d, "  outlier %u %u %u %llu %u %u %llu %llu %llu %u\n", o->failures, o->deviations,
        o->slow_percent, NUM(o->slow_least), o->endpoints_min, o->volume, NUM(o->interval),
        NUM(o->time), NUM(o->time_max), o->share);
    say(d, "  throttle %u %u %llu fallback %.*s %u %.*s %.*s\n", g->throttle.success,
        g->throttle.volume, NUM(g->throttle.window),
        g->fallback == NULL ? 0 : (int)g->fallback->name.len,
        g->fallback == NULL ? "" : g->fallback->name.ptr, g->reply_code, STR(g->reply_type),
        STR(g->reply_body));
    if (g->probe != NULL)
        say_probe(d, g->probe);
}

static void say_cluster(struct dump *d, const struct gw_cluster_conf *c)
{
    say(d,
        "cluster %.*s protocol %u connect %llu response %llu (%d) idle %llu max %u %u %u %u retry "
        "%u "
        "%u age %llu %u live %d\n",
        STR(c->name), c->protocol, NUM(c->connect_timeout), NUM(c->response_timeout),
        c->has_response_timeout, NUM(c->idle_timeout), c->connections_max, c->streams_max,
        c->requests_max, c->all_connections_max, c->retry_percent, c->retry_least, NUM(c->age),
        c->age_jitter, c->is_live);
    say(d, "  balance %u %u %u %u %u %u %u %llu", c->balance.rule.kind, c->balance.rule.points,
        c->balance.rule.unit, c->balance.rule.load_percent, c->balance.rule.choices,
        c->balance.rule.panic_percent, c->balance.rule.spare_percent, NUM(c->balance.slow_start));
    say(d, " balancer %s", c->balance.custom == NULL ? "" : c->balance.custom->name);
    for (uint32_t i = 0; i < c->balance.keys_len; i++)
        say(d, " key %u %.*s", c->balance.keys[i].on, STR(c->balance.keys[i].name));
    say(d, "\n");
    if (c->guards != NULL)
        say_guards(d, c->guards);
    if (c->affinity != NULL)
        say(d, "  affinity %.*s%.*s %llx %llx\n", STR(c->affinity->cookie),
            STR(c->affinity->attributes), NUM(c->affinity->key.k0), NUM(c->affinity->key.k1));
    for (uint32_t i = 0; i < c->endpoints->len; i++)
        say(d, "  endpoint %.*s %.*s %u %u\n", STR(c->endpoints->list[i].name),
            STR(c->endpoints->list[i].address), c->endpoints->list[i].weight,
            c->endpoints->list[i].priority);
}

static void say_route(struct dump *d, const struct gw_route_conf *r)
{
    say(d,
        "route %.*s flags %u retries %u to %.*s timeout %llu idle %llu tunnel %llu reply %u %.*s "
        "\"%.*s\"",
        STR(r->name), r->flags, r->retries, r->cluster == NULL ? 0 : (int)r->cluster->name.len,
        r->cluster == NULL ? "" : r->cluster->name.ptr, NUM(r->request_timeout),
        NUM(r->idle_timeout), NUM(r->tunnel_timeout), r->reply_code, STR(r->reply_type),
        STR(r->reply_body));
    for (uint32_t i = 0; r->splits != NULL && i < r->splits->len; i++)
        say(d, " split %.*s %u", STR(r->splits->list[i].cluster->name), r->splits->list[i].weight);
    say(d, " retry %x grpc %x %d %d try %llu backoff %llu %llu replay %u codes", r->retry->on,
        r->retry->grpc, r->retry->is_unsafe, r->retry->has_backoff, NUM(r->retry->try_timeout),
        NUM(r->retry->backoff), NUM(r->retry->backoff_max), r->retry->replay_max);
    for (int i = 0; i < 4; i++)
        say(d, " %llx", NUM(r->retry->codes[i]));
    for (uint32_t i = 0; i < r->split_keys_len; i++)
        say(d, " split key %u %.*s", r->split_keys[i].on, STR(r->split_keys[i].name));
    for (size_t i = 0; i < r->upgrades_len; i++)
        say(d, " upgrade %.*s", STR(r->upgrades[i]));
    for (uint32_t i = 0; i < r->limiters_len; i++)
        say(d, " limiter %u%s", r->limiters[i].limiter, r->limiters[i].is_else ? " else" : "");
    say(d, "\n");
}

static void say_limiter(struct dump *d, const struct gw_limiter_conf *l)
{
    const struct gw_limit_params *p = &l->params;
    say(d, "limiter %.*s %u in %llu burst %u or %u at once, sets %u %d flags %u %u %u %.*s",
        STR(l->name), p->tokens, NUM(p->period_ns), p->burst, p->ceiling, p->sets, p->is_shared,
        l->flags, l->code, l->grpc_status, STR(l->policy));
    for (uint32_t i = 0; i < l->keys_len; i++)
        say(d, " %u %.*s=%.*s", l->keys[i].on, STR(l->keys[i].name), STR(l->keys[i].value));
    say(d, "\n");
}

/* Matches cannot be read from a snapshot; what they answer can. */
static void say_matches(struct dump *d, const gw_config *config)
{
    static const char *const hosts[] = { "a.test", "b.a.test", "other" };
    static const char *const paths[] = { "/", "/v1", "/v1/x", "" };
    static const char *const methods[] = { "GET", "PUT" };
    for (int i = 0; i < 48; i++) {
        bool is_missing;
        struct gw_route_key key = { .host = gw_cstr(hosts[i % 3]),
                                    .path = gw_cstr(paths[i / 3 % 4]),
                                    .method = gw_cstr(methods[i / 12 % 2]),
                                    .listener = (uint32_t)i / 24 };
        const struct gw_route_conf *route = gw_config_route(config, &key, &is_missing);
        say(d, "%d%s ", route == NULL ? -1 : (int)route->index, is_missing ? "m" : "");
    }
}

static void dump(struct dump *d, const gw_config *config)
{
    d->len = 0;
    for (uint32_t i = 0; i < config->listeners_len; i++) {
        const struct gw_listener_conf *l = &config->listeners[i];
        say(d, "listener %.*s %.*s protocols %u %llu %llu %llu %u\n", STR(l->name), STR(l->address),
            l->protocols, NUM(l->head_timeout), NUM(l->body_idle_timeout), NUM(l->idle_timeout),
            l->body_rate);
        say(d, "  age %llu %u %llu requests %u\n", NUM(l->age), l->age_jitter, NUM(l->age_grace),
            l->requests_max);
        say(d, "  via %.*s (%d) forwarded %u hops %u trusted", STR(l->via.name), l->has_no_via,
            l->forwarded, l->trust.hops);
        for (uint32_t k = 0; k < l->trust.prefixes_len; k++)
            say(d, " %.*s=%u/%u", STR(l->trusted[k]), l->trust.prefixes[k].kind,
                l->trust.prefixes[k].bits);
        say(d, "\n");
    }
    for (uint32_t i = 0; i < config->clusters_len; i++)
        say_cluster(d, &config->clusters[i]);
    for (uint32_t i = 0; i < config->limiters_len; i++)
        say_limiter(d, &config->limiters[i]);
    for (uint32_t i = 0; i < config->routes_len; i++)
        say_route(d, &config->routes[i]);
    say_matches(d, config);
}

/* --- YAML against C, field by field --- */

struct both {
    /* the file: values, and lines that are added to a part */
    const char *l_name, *l_address, *l_more;
    const char *c_name, *c_more;
    const char *e_address, *e_more;
    const char *r_name, *r_match, *r_to, *r_more;
    /* the same in C */
    gw_listener_spec listener;
    gw_hash_spec hash;
    gw_cluster_spec cluster;
    gw_breaker_spec breaker;
    gw_outlier_spec outlier;
    gw_throttle_spec throttle;
    gw_fallback_spec fallback;
    gw_affinity_spec affinity;
    gw_health_spec health;
    gw_endpoint_spec endpoint;
    gw_route_spec route;
    gw_limiter_spec limiter;
    gw_str keys[2];
    const char *m_more;
    gw_retry_spec retry;
    uint32_t codes[2];
    gw_str list[2];
};

static void both_init(struct both *b)
{
    memset(b, 0, sizeof *b);
    b->l_name = "edge";
    b->l_address = "127.0.0.1:80";
    b->c_name = "web";
    b->e_address = "10.0.0.1:80";
    b->r_name = "some";
    b->r_match = "prefix: /v1";
    b->r_to = "    cluster: web\n";
    b->l_more = b->c_more = b->e_more = b->r_more = "";
    b->m_more = "rate: 5/2s";
    b->limiter = GW_SPEC(gw_limiter_spec);
    b->limiter.name = GW_STR("few");
    b->limiter.tokens = 5;
    b->limiter.period_ms = 2000;
    b->listener = GW_SPEC(gw_listener_spec);
    b->hash = GW_SPEC(gw_hash_spec);
    b->affinity = GW_SPEC(gw_affinity_spec);
    b->affinity.cookie = GW_STR("sid");
    b->listener.name = GW_STR("edge");
    b->listener.address = GW_STR("127.0.0.1:80");
    b->cluster = GW_SPEC(gw_cluster_spec);
    b->cluster.name = GW_STR("web");
    b->endpoint = GW_SPEC(gw_endpoint_spec);
    b->endpoint.address = GW_STR("10.0.0.1:80");
    b->route = GW_SPEC(gw_route_spec);
    b->route.name = GW_STR("some");
    b->route.cluster = GW_STR("web");
    b->route.path = GW_STR("/v1");
    b->retry = GW_SPEC(gw_retry_spec);
}

static gw_config *build_from_file(const struct both *b)
{
    static char text[4096];
    gw_config *config = NULL;
    gw_yaml_error err;
    int n = snprintf(
        text, sizeof text,
        "listeners:\n"
        "  - name: %s\n"
        "    address: %s\n%s"
        "  - { name: side, address: \"127.0.0.1:81\" }\n"
        "clusters:\n"
        "  - name: %s\n"
        "    endpoints:\n"
        "      - address: %s\n%s%s"
        "  - { name: also, endpoints: [ { address: \"10.0.0.9:80\" } ] }\n"
        "limiters:\n"
        "  - { name: few, %s }\n"
        "routes:\n"
        "  - name: %s\n"
        "    match: { %s }\n%s%s"
        "  - { name: rest, match: { methods: [ GET, POST ] }, cluster: also, priority: 1 }\n",
        b->l_name, b->l_address, b->l_more, b->c_name, b->e_address, b->e_more, b->c_more,
        b->m_more, b->r_name, b->r_match, b->r_to, b->r_more);
    ck_assert(n > 0 && (size_t)n < sizeof text);
    gw_status status = load(text, &config, &err);
    ck_assert_msg(status == GW_OK, "%u:%u: %s: %s in\n%s", err.line, err.column, err.where,
                  err.text, text);
    return config;
}

static gw_config *build_from_c(const struct both *b)
{
    gw_builder *builder = NULL;
    gw_config *config = NULL;
    gw_config_error err = GW_SPEC(gw_config_error);
    gw_listener_spec side = GW_SPEC(gw_listener_spec);
    gw_cluster_spec also = GW_SPEC(gw_cluster_spec);
    gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
    gw_route_spec rest = GW_SPEC(gw_route_spec);
    const gw_str rest_methods[] = { GW_STR("GET"), GW_STR("POST") };
    side.name = GW_STR("side");
    side.address = GW_STR("127.0.0.1:81");
    also.name = GW_STR("also");
    endpoint.address = GW_STR("10.0.0.9:80");
    rest.name = GW_STR("rest");
    rest.cluster = GW_STR("also");
    rest.methods = rest_methods;
    rest.methods_len = 2;
    rest.priority = 1;
    ck_assert_int_eq(gw_builder_new(NULL, &builder), GW_OK);
    ck_assert_int_eq(add_balancer(NULL, builder), GW_OK);
    (void)gw_builder_listener(builder, &b->listener);
    (void)gw_builder_listener(builder, &side);
    (void)gw_builder_endpoint(builder, gw_builder_cluster(builder, &b->cluster), &b->endpoint);
    (void)gw_builder_endpoint(builder, gw_builder_cluster(builder, &also), &endpoint);
    (void)gw_builder_limiter(builder, &b->limiter);
    (void)gw_builder_route(builder, &b->route);
    (void)gw_builder_route(builder, &rest);
    ck_assert_msg(gw_builder_build(builder, &config, &err) == GW_OK, "%s: %s", err.where, err.text);
    return config;
}

/* Every field that a host may set in C, but for mark, user and origin, which are the host's own.
 * A new field makes these sizes wrong: then it needs a row below, or a word here. */
#if UINTPTR_MAX == UINT64_MAX
_Static_assert(sizeof(gw_listener_spec) == 128, "a field without a row"); /* tls: yaml_tls_test.c */
_Static_assert(sizeof(gw_breaker_spec) == 48, "a field without a row");
_Static_assert(sizeof(gw_outlier_spec) == 48, "a field without a row");
_Static_assert(sizeof(gw_throttle_spec) == 16, "a field without a row");
_Static_assert(sizeof(gw_fallback_spec) == 56, "a field without a row");
_Static_assert(sizeof(gw_cluster_spec) == 216,
               "a field without a row"); /* dns: named_test.c; tls */
_Static_assert(sizeof(gw_affinity_spec) == 64, "a field without a row");
_Static_assert(sizeof(gw_health_spec) == 120, "a field without a row");
_Static_assert(sizeof(gw_hash_spec) == 32, "a field without a row");
_Static_assert(sizeof(gw_endpoint_spec) == 48, "a field without a row");
_Static_assert(sizeof(gw_route_spec) == 248, "a field without a row");
_Static_assert(sizeof(gw_limiter_spec) == 80, "a field without a row");
_Static_assert(sizeof(gw_retry_spec) == 48, "a field without a row");
#endif

#define HASH_FILE(fields) "    balance: { policy: consistent_hash, hash: { " fields " } }\n"
#define HASH_C(field, value)                                                                       \
    (b->cluster.balance = GW_BALANCE_CONSISTENT_HASH, b->cluster.hash = &b->hash,                  \
     b->hash.field = (value))
#define HASH_KEYS(n, first, second)                                                                \
    (b->list[0] = (first), b->list[1] = (second), HASH_C(keys, b->list), HASH_C(keys_len, (n)))

#define AFFINITY_FILE(fields) "    affinity: { cookie: sid" fields " }\n"
#define AFFINITY(field, value) b->affinity.field = (value), b->cluster.affinity = &b->affinity
#define HEALTH(assignment)                                                                         \
    (b->health = GW_SPEC(gw_health_spec), b->cluster.health = &b->health, b->health.assignment)
#define RETRY(assignment) (b->retry.assignment, b->route.retry = &b->retry)

/* X(in the file, in C) */
#define FIELDS(X)                                                                                  \
    X(b->m_more = "rate: 6/2s", b->limiter.tokens = 6)                                             \
    X(b->m_more = "rate: 5/m", b->limiter.period_ms = 60000)                                       \
    X(b->m_more = "rate: 5/250ms", b->limiter.period_ms = 250)                                     \
    X(b->m_more = "rate: 5/2s, burst: 9", b->limiter.burst = 9)                                    \
    X(b->m_more = "concurrency: 3",                                                                \
      (b->limiter.tokens = b->limiter.period_ms = 0, b->limiter.concurrency = 3))                  \
    X(b->m_more = "rate: 5/2s, scope: per_worker", b->limiter.scope = GW_SCOPE_PER_WORKER)         \
    X(b->m_more = "rate: 5/2s, key: path, keys_max: 99",                                           \
      (set_key(b, "path"), b->limiter.keys_max = 99))                                              \
    X(b->m_more = "rate: 5/2s, key: client", set_key(b, "client"))                                 \
    X(b->m_more = "rate: 5/2s, key: \"header:X-A\"", set_key(b, "header:X-A"))                     \
    X(b->m_more = "rate: 5/2s, key: \"metadata:x-a=b=c\"", set_key(b, "metadata:x-a=b=c"))         \
    X(b->m_more = "rate: 5/2s, key: \"cookie:Sid\"", set_key(b, "cookie:Sid"))                     \
    X(b->m_more = "rate: 5/2s, key: \"query:q\"", set_key(b, "query:q"))                           \
    X(b->m_more = "rate: 5/2s, keys: [ \"label:u\" ]", set_key(b, "label:u"))                      \
    X(b->m_more = "rate: 5/2s, shadow: true", b->limiter.flags = GW_LIMITER_SHADOW)                \
    X(b->m_more = "rate: 5/2s, fields: true", b->limiter.flags = GW_LIMITER_FIELDS)                \
    X(b->m_more = "rate: 5/2s, key: client, when_full: refuse",                                    \
      (set_key(b, "client"), b->limiter.flags = GW_LIMITER_CLOSED))                                \
    X(b->m_more = "rate: 5/2s, key: client, without_key: pass",                                    \
      (set_key(b, "client"), b->limiter.flags = GW_LIMITER_KEYED))                                 \
    X(b->m_more = "rate: 5/2s, status: 503", b->limiter.code = 503)                                \
    X(b->m_more = "rate: 5/2s, grpc_status: 14", b->limiter.grpc_status = 14)                      \
    X(b->r_more = "    limiters: [ few ]\n",                                                       \
      (b->list[0] = GW_STR("few"), b->route.limiters = b->list, b->route.limiters_len = 1))        \
    X(b->l_name = "front", b->listener.name = GW_STR("front"))                                     \
    X(b->l_address = "unix:/run/x", b->listener.address = GW_STR("unix:/run/x"))                   \
    X(b->l_more = "    protocols: [ h1 ]\n", b->listener.protocols = GW_PROTO_H1)                  \
    X(b->l_more = "    protocols: [ tls ]\n", b->listener.protocols = GW_PROTO_TLS)                \
    X(b->l_more = "    timeouts: { head: 1s }\n", b->listener.head_timeout_ms = 1000)              \
    X(b->l_more = "    timeouts: { body_idle: 5m }\n", b->listener.body_idle_timeout_ms = 300000)  \
    X(b->l_more = "    timeouts: { idle: off }\n", b->listener.idle_timeout_ms = GW_OFF)           \
    X(b->l_more = "    body_rate: 2000\n", b->listener.body_rate = 2000)                           \
    X(b->l_more = "    timeouts: { idle: 0s }\n", b->listener.idle_timeout_ms = GW_OFF)            \
    X(b->l_more = "    body_rate: off\n", b->listener.body_rate = GW_OFF)                          \
    X(b->l_more = "    connection: { age: 30m }\n", b->listener.age_ms = 1800000)                  \
    X(b->l_more = "    connection: { age: 1s, age_jitter: 20 }\n",                                 \
      (b->listener.age_ms = 1000, b->listener.age_jitter_percent = 20))                            \
    X(b->l_more = "    connection: { age: 1s, age_jitter: off }\n",                                \
      (b->listener.age_ms = 1000, b->listener.age_jitter_percent = GW_OFF))                        \
    X(b->l_more = "    connection: { age: 1s, age_grace: 5s }\n",                                  \
      (b->listener.age_ms = 1000, b->listener.age_grace_ms = 5000))                                \
    X(b->l_more = "    connection: { requests: 1000 }\n", b->listener.requests_max = 1000)         \
    X(b->c_more = "    pool: { age: 10m }\n", b->cluster.age_ms = 600000)                          \
    X(b->c_more = "    pool: { age: 1s, age_jitter: 20 }\n",                                       \
      (b->cluster.age_ms = 1000, b->cluster.age_jitter_percent = 20))                              \
    X(b->r_more = "    tunnel_timeout: 1h\n", b->route.tunnel_timeout_ms = 3600000)                \
    X(b->l_more = "    via: edge.test\n", b->listener.via = GW_STR("edge.test"))                   \
    X(b->l_more = "    via: off\n", b->listener.flags = GW_LISTENER_NO_VIA)                        \
    X(b->l_more = "    forwarded: rfc7239\n", b->listener.forwarded = GW_FORWARDED_RFC7239)        \
    X(b->l_more = "    forwarded: off\n", b->listener.forwarded = GW_OFF)                          \
    X(b->l_more = "    trusted_hops: 2\n", b->listener.trusted_hops = 2)                           \
    X(b->l_more = "    trusted_proxies: [ 10.0.0.0/8, unix ]\n",                                   \
      (b->list[0] = GW_STR("10.0.0.0/8"), b->list[1] = GW_STR("unix"),                             \
       b->listener.trusted = b->list, b->listener.trusted_len = 2))                                \
    X((b->c_name = "wob", b->r_to = "    cluster: wob\n"),                                         \
      (b->cluster.name = GW_STR("wob"), b->route.cluster = GW_STR("wob")))                         \
    X(b->c_more = "    protocol: h2\n", b->cluster.protocols = GW_PROTO_H2)                        \
    X(b->c_more = "    protocol: tcp\n", b->cluster.protocols = GW_PROTO_TCP)                      \
    X(b->c_more = "    timeouts: { connect: 1ms }\n", b->cluster.connect_timeout_ms = 1)           \
    X(b->c_more = "    timeouts: { response: 0 }\n", b->cluster.response_timeout_ms = GW_OFF)      \
    X(b->c_more = "    timeouts: { response: 1h }\n", b->cluster.response_timeout_ms = 3600000)    \
    X(b->c_more = "    timeouts: { idle: 7s }\n", b->cluster.idle_timeout_ms = 7000)               \
    X(b->c_more = "    pool: { idle: 8s }\n", b->cluster.idle_timeout_ms = 8000)                   \
    X(b->c_more = "    pool: { connections: 9 }\n", b->cluster.connections_max = 9)                \
    X(b->c_more = "    pool: { connections: off }\n", b->cluster.connections_max = GW_OFF)         \
    X(b->c_more = "    pool: { streams: 10 }\n", b->cluster.streams_max = 10)                      \
    X(b->c_more = "    pool: { requests: 11 }\n", b->cluster.requests_max = 11)                    \
    X(b->c_more = "    retry_budget: { percent: 50 }\n", b->cluster.retry_percent = 50)            \
    X(b->c_more = "    retry_budget: { percent: off }\n", b->cluster.retry_percent = GW_OFF)       \
    X(b->c_more = "    live: true\n", b->cluster.flags = GW_CLUSTER_LIVE)                          \
    X(b->c_more = "    retry_budget: { least: 7 }\n", b->cluster.retry_least = 7)                  \
    X(b->c_more = "    retry_budget: { least: 0 }\n", b->cluster.retry_least = GW_OFF)             \
    X(b->c_more = "    balance: { policy: random }\n", b->cluster.balance = GW_BALANCE_RANDOM)     \
    X(b->c_more = "    balance: { policy: least_request, choices: 5 }\n",                          \
      (b->cluster.balance = GW_BALANCE_LEAST_REQUEST, b->cluster.choices = 5))                     \
    X(b->c_more = "    balance: { balancer: shards }\n", b->cluster.balancer = GW_STR("shards"))   \
    X(b->c_more = "    balance: { balancer: shards, hash: { keys: [ path ] } }\n",                 \
      (b->cluster.balancer = GW_STR("shards"), b->list[0] = GW_STR("path"),                        \
       b->hash.keys = b->list, b->hash.keys_len = 1, b->cluster.hash = &b->hash))                  \
    X(b->c_more = "    balance: { panic_percent: 30 }\n", b->cluster.panic_percent = 30)           \
    X(b->c_more = "    balance: { panic_percent: off }\n", b->cluster.panic_percent = GW_OFF)      \
    X(b->c_more = "    balance: { spare_percent: 150 }\n", b->cluster.spare_percent = 150)         \
    X(b->c_more = "    balance: { slow_start: 30s }\n", b->cluster.slow_start_ms = 30000)          \
    X(b->c_more = "    balance: { policy: consistent_hash }\n",                                    \
      b->cluster.balance = GW_BALANCE_CONSISTENT_HASH)                                             \
    X(b->c_more = HASH_FILE("points: 12"), HASH_C(points, 12))                                     \
    X(b->c_more = HASH_FILE("unit: 10"), HASH_C(unit, 10))                                         \
    X(b->c_more = HASH_FILE("load_percent: 125"), HASH_C(load_percent, 125))                       \
    X(b->c_more = HASH_FILE("on: path"), HASH_KEYS(1, GW_STR("path"), GW_STR("")))                 \
    X(b->c_more = HASH_FILE("on: given"), HASH_KEYS(1, GW_STR("given"), GW_STR("")))               \
    X(b->c_more = HASH_FILE("on: header, name: x-user"),                                           \
      HASH_KEYS(1, GW_STR("header:x-user"), GW_STR("")))                                           \
    X(b->c_more = HASH_FILE("on: query, name: u"), HASH_KEYS(1, GW_STR("query:u"), GW_STR("")))    \
    X(b->c_more = HASH_FILE("on: cookie, name: u"), HASH_KEYS(1, GW_STR("cookie:u"), GW_STR("")))  \
    X(b->c_more = HASH_FILE("on: metadata, name: u"),                                              \
      HASH_KEYS(1, GW_STR("metadata:u"), GW_STR("")))                                              \
    X(b->c_more = HASH_FILE("keys: [ 'cookie:sid', client ]"),                                     \
      HASH_KEYS(2, GW_STR("cookie:sid"), GW_STR("client")))                                        \
    X(b->c_more = "    breaker: {}\n",                                                             \
      (b->breaker = GW_SPEC(gw_breaker_spec), b->cluster.breaker = &b->breaker))                   \
    X(b->c_more = "    breaker: { preset: hystrix }\n",                                            \
      (b->breaker = GW_SPEC(gw_breaker_spec), b->cluster.breaker = &b->breaker,                    \
       b->breaker.preset = GW_BREAKER_HYSTRIX))                                                    \
    X(b->c_more = "    breaker: { failures: 7 }\n",                                                \
      (b->breaker = GW_SPEC(gw_breaker_spec), b->cluster.breaker = &b->breaker,                    \
       b->breaker.failures = 7))                                                                   \
    X(b->c_more = "    breaker: { failures: off }\n",                                              \
      (b->breaker = GW_SPEC(gw_breaker_spec), b->cluster.breaker = &b->breaker,                    \
       b->breaker.failures = GW_OFF))                                                              \
    X(b->c_more = "    breaker: { error_percent: 33 }\n",                                          \
      (b->breaker = GW_SPEC(gw_breaker_spec), b->cluster.breaker = &b->breaker,                    \
       b->breaker.error_percent = 33))                                                             \
    X(b->c_more = "    breaker: { volume: 9 }\n",                                                  \
      (b->breaker = GW_SPEC(gw_breaker_spec), b->cluster.breaker = &b->breaker,                    \
       b->breaker.volume_min = 9))                                                                 \
    X(b->c_more = "    breaker: { window: 8s }\n",                                                 \
      (b->breaker = GW_SPEC(gw_breaker_spec), b->cluster.breaker = &b->breaker,                    \
       b->breaker.window_ms = 8000))                                                               \
    X(b->c_more = "    breaker: { sleep: 4s }\n",                                                  \
      (b->breaker = GW_SPEC(gw_breaker_spec), b->cluster.breaker = &b->breaker,                    \
       b->breaker.sleep_ms = 4000))                                                                \
    X(b->c_more = "    breaker: { sleep_max: 2m }\n",                                              \
      (b->breaker = GW_SPEC(gw_breaker_spec), b->cluster.breaker = &b->breaker,                    \
       b->breaker.sleep_max_ms = 120000))                                                          \
    X(b->c_more = "    breaker: { jitter_percent: 0 }\n",                                          \
      (b->breaker = GW_SPEC(gw_breaker_spec), b->cluster.breaker = &b->breaker,                    \
       b->breaker.jitter_percent = GW_OFF))                                                        \
    X(b->c_more = "    breaker: { probes: 5 }\n",                                                  \
      (b->breaker = GW_SPEC(gw_breaker_spec), b->cluster.breaker = &b->breaker,                    \
       b->breaker.probes = 5))                                                                     \
    X(b->c_more = "    breaker: { probe_timeout: 6s }\n",                                          \
      (b->breaker = GW_SPEC(gw_breaker_spec), b->cluster.breaker = &b->breaker,                    \
       b->breaker.probe_timeout_ms = 6000))                                                        \
    X(b->c_more = "    outlier: {}\n",                                                             \
      (b->outlier = GW_SPEC(gw_outlier_spec), b->cluster.outlier = &b->outlier))                   \
    X(b->c_more = "    outlier: { failures: 7 }\n",                                                \
      (b->outlier = GW_SPEC(gw_outlier_spec), b->cluster.outlier = &b->outlier,                    \
       b->outlier.failures = 7))                                                                   \
    X(b->c_more = "    outlier: { rate_deviations: off }\n",                                       \
      (b->outlier = GW_SPEC(gw_outlier_spec), b->cluster.outlier = &b->outlier,                    \
       b->outlier.rate_deviations = GW_OFF))                                                       \
    X(b->c_more = "    outlier: { latency_percent: 250 }\n",                                       \
      (b->outlier = GW_SPEC(gw_outlier_spec), b->cluster.outlier = &b->outlier,                    \
       b->outlier.latency_percent = 250))                                                          \
    X(b->c_more = "    outlier: { latency_least: 3ms }\n",                                         \
      (b->outlier = GW_SPEC(gw_outlier_spec), b->cluster.outlier = &b->outlier,                    \
       b->outlier.latency_least_ms = 3))                                                           \
    X(b->c_more = "    outlier: { endpoints: 4 }\n",                                               \
      (b->outlier = GW_SPEC(gw_outlier_spec), b->cluster.outlier = &b->outlier,                    \
       b->outlier.endpoints_min = 4))                                                              \
    X(b->c_more = "    outlier: { volume: 9 }\n",                                                  \
      (b->outlier = GW_SPEC(gw_outlier_spec), b->cluster.outlier = &b->outlier,                    \
       b->outlier.volume_min = 9))                                                                 \
    X(b->c_more = "    outlier: { interval: 8s }\n",                                               \
      (b->outlier = GW_SPEC(gw_outlier_spec), b->cluster.outlier = &b->outlier,                    \
       b->outlier.interval_ms = 8000))                                                             \
    X(b->c_more = "    outlier: { time: 4s }\n",                                                   \
      (b->outlier = GW_SPEC(gw_outlier_spec), b->cluster.outlier = &b->outlier,                    \
       b->outlier.time_ms = 4000))                                                                 \
    X(b->c_more = "    outlier: { time_max: 2m }\n",                                               \
      (b->outlier = GW_SPEC(gw_outlier_spec), b->cluster.outlier = &b->outlier,                    \
       b->outlier.time_max_ms = 120000))                                                           \
    X(b->c_more = "    outlier: { share_percent: 50 }\n",                                          \
      (b->outlier = GW_SPEC(gw_outlier_spec), b->cluster.outlier = &b->outlier,                    \
       b->outlier.share_percent = 50))                                                             \
    X(b->c_more = "    health: {}\n", HEALTH(kind = 0))                                            \
    X(b->c_more = "    health: { kind: tcp }\n", HEALTH(kind = GW_HEALTH_TCP))                     \
    X(b->c_more = "    health: { interval: 7s }\n", HEALTH(interval_ms = 7000))                    \
    X(b->c_more = "    health: { unhealthy_interval: 1s }\n",                                      \
      HEALTH(unhealthy_interval_ms = 1000))                                                        \
    X(b->c_more = "    health: { jitter_percent: off }\n", HEALTH(jitter_percent = GW_OFF))        \
    X(b->c_more = "    health: { timeout: 90ms }\n", HEALTH(timeout_ms = 90))                      \
    X(b->c_more = "    health: { rise: 4 }\n", HEALTH(rise = 4))                                   \
    X(b->c_more = "    health: { fall: 5 }\n", HEALTH(fall = 5))                                   \
    X(b->c_more = "    health: { first: left_out }\n", HEALTH(first = GW_HEALTH_FIRST_LEFT_OUT))   \
    X(b->c_more = "    health: { port: 8081 }\n", HEALTH(port = 8081))                             \
    X(b->c_more = "    health: { method: HEAD }\n", HEALTH(method = GW_STR("HEAD")))               \
    X(b->c_more = "    health: { path: /live?x=1 }\n", HEALTH(path = GW_STR("/live?x=1")))         \
    X(b->c_more = "    health: { host: a.example }\n", HEALTH(host = GW_STR("a.example")))         \
    X(b->c_more = "    health: { expect: [ 204, 300-399 ] }\n",                                    \
      (b->list[0] = GW_STR("204"), b->list[1] = GW_STR("300-399"), HEALTH(expect = b->list),       \
       b->health.expect_len = 2))                                                                  \
    X(b->c_more = "    throttle: {}\n",                                                            \
      (b->throttle = GW_SPEC(gw_throttle_spec), b->cluster.throttle = &b->throttle))               \
    X(b->c_more = "    throttle: { success_percent: 80 }\n",                                       \
      (b->throttle = GW_SPEC(gw_throttle_spec), b->cluster.throttle = &b->throttle,                \
       b->throttle.success_percent = 80))                                                          \
    X(b->c_more = "    throttle: { volume: 9 }\n",                                                 \
      (b->throttle = GW_SPEC(gw_throttle_spec), b->cluster.throttle = &b->throttle,                \
       b->throttle.volume_min = 9))                                                                \
    X(b->c_more = "    throttle: { window: 8s }\n",                                                \
      (b->throttle = GW_SPEC(gw_throttle_spec), b->cluster.throttle = &b->throttle,                \
       b->throttle.window_ms = 8000))                                                              \
    X(b->c_more =                                                                                  \
          "    ceilings: { exchanges: 1 }\n    fallback: { status: 200, body: a, type: x/y }\n",   \
      (b->fallback = GW_SPEC(gw_fallback_spec), b->cluster.fallback = &b->fallback,                \
       b->cluster.exchanges_max = 1, b->fallback.code = 200, b->fallback.body = GW_STR("a"),       \
       b->fallback.type = GW_STR("x/y")))                                                          \
    X(b->c_more = "    ceilings: { exchanges: 1 }\n    fallback: { cluster: also }\n",             \
      (b->fallback = GW_SPEC(gw_fallback_spec), b->cluster.fallback = &b->fallback,                \
       b->cluster.exchanges_max = 1, b->fallback.cluster = GW_STR("also")))                        \
    X(b->c_more = "    ceilings: { exchanges: 12 }\n", b->cluster.exchanges_max = 12)              \
    X(b->c_more = "    ceilings: { pending: 12 }\n", b->cluster.pending_max = 12)                  \
    X(b->c_more = "    ceilings: { retries: 12 }\n", b->cluster.retries_max = 12)                  \
    X(b->c_more = "    ceilings: { connections: 12 }\n", b->cluster.all_connections_max = 12)      \
    X(b->c_more = "    breaker: {}\n    failures: [ connect, deadline ]\n",                        \
      (b->breaker = GW_SPEC(gw_breaker_spec), b->cluster.breaker = &b->breaker,                    \
       b->cluster.failures = GW_FAILURE_CONNECT | GW_FAILURE_DEADLINE))                            \
    X(b->c_more = "    breaker: {}\n    grpc_failures: [ cancelled, unauthenticated ]\n",          \
      (b->breaker = GW_SPEC(gw_breaker_spec), b->cluster.breaker = &b->breaker,                    \
       b->cluster.grpc_failures = 1u << 1 | 1u << 16))                                             \
    X(b->c_more = "    breaker: {}\n    slow: 50ms\n",                                             \
      (b->breaker = GW_SPEC(gw_breaker_spec), b->cluster.breaker = &b->breaker,                    \
       b->cluster.slow_ms = 50))                                                                   \
    X(b->c_more = AFFINITY_FILE(""), b->cluster.affinity = &b->affinity)                           \
    X(b->c_more = "    affinity: { cookie: other }\n", AFFINITY(cookie, GW_STR("other")))          \
    X(b->c_more = AFFINITY_FILE(", ttl: 1500ms"), AFFINITY(ttl_ms, 1500))                          \
    X(b->c_more = AFFINITY_FILE(", path: /shop"), AFFINITY(path, GW_STR("/shop")))                 \
    X(b->c_more = AFFINITY_FILE(", secret: s"), AFFINITY(secret, GW_STR("s")))                     \
    X(b->c_more = AFFINITY_FILE(", secure: true"), AFFINITY(flags, GW_AFFINITY_SECURE))            \
    X(b->c_more = AFFINITY_FILE(", http_only: false"), AFFINITY(flags, GW_AFFINITY_SCRIPTS))       \
    X(b->c_more = AFFINITY_FILE(", http_only: true, same_site: strict"),                           \
      AFFINITY(same_site, GW_SAME_SITE_STRICT))                                                    \
    X(b->c_more = AFFINITY_FILE(", same_site: off"), AFFINITY(same_site, GW_OFF))                  \
    X(b->c_more = AFFINITY_FILE(", same_site: none, secure: true"),                                \
      (b->affinity.flags = GW_AFFINITY_SECURE, AFFINITY(same_site, GW_SAME_SITE_NONE)))            \
    X(b->e_address = "\"[::1]:9\"", b->endpoint.address = GW_STR("[::1]:9"))                       \
    X(b->e_more = "        name: one\n", b->endpoint.name = GW_STR("one"))                         \
    X(b->e_more = "        weight: 12\n", b->endpoint.weight = 12)                                 \
    X(b->e_more = "        weight: 0\n", b->endpoint.weight = GW_OFF)                              \
    X(b->e_more = "        priority: 3\n", b->endpoint.priority = 3)                               \
    X(b->r_name = "any", b->route.name = GW_STR("any"))                                            \
    X(b->r_match = "exact: /v1", b->route.match = GW_MATCH_EXACT)                                  \
    X(b->r_match = "prefix: /", b->route.path = GW_STR("/"))                                       \
    X(b->r_match = "prefix: /v1, listener: edge", b->route.listener = GW_STR("edge"))              \
    X(b->r_match = "prefix: /v1, host: a.test", b->route.host = GW_STR("a.test"))                  \
    X(b->r_match = "prefix: /v1, host: \"*.A.test\"", b->route.host = GW_STR("*.a.test"))          \
    X(b->r_match = "prefix: /v1, methods: [ PUT, POST ]",                                          \
      (b->list[0] = GW_STR("PUT"), b->list[1] = GW_STR("POST"), b->route.methods = b->list,        \
       b->route.methods_len = 2))                                                                  \
    X((b->r_match = "methods: [ GET, PUT ]", b->r_more = "    priority: 2\n"),                     \
      (b->list[0] = GW_STR("GET"), b->list[1] = GW_STR("PUT"), b->route.methods = b->list,         \
       b->route.methods_len = 2, b->route.path = GW_STR("/"), b->route.priority = 2))              \
    X(b->r_to = "    cluster: also\n", b->route.cluster = GW_STR("also"))                          \
    X(b->r_more = "    timeout: 13s\n", b->route.request_timeout_ms = 13000)                       \
    X(b->r_more = "    retries: 3\n", b->route.retries = 3)                                        \
    X(b->r_to = "    splits: [ { cluster: web, weight: 9 }, { cluster: also } ]\n",                \
      (b->route.cluster = GW_STR(""), b->route.splits = two_splits, b->route.splits_len = 2))      \
    X(b->r_to = "    splits: [ { cluster: web }, { cluster: also } ]\n"                            \
                "    split_keys: [ \"cookie:sid\", client ]\n",                                    \
      (b->route.cluster = GW_STR(""), b->list[0] = GW_STR("cookie:sid"),                           \
       b->list[1] = GW_STR("client"), b->route.splits = even_splits, b->route.splits_len = 2,      \
       b->route.split_keys = b->list, b->route.split_keys_len = 2))                                \
    X(b->r_more = "    retries: off\n", b->route.retries = GW_OFF)                                 \
    X(b->r_more = "    retry: { count: 2 }\n", b->route.retries = 2)                               \
    X(b->r_more = "    retry: { count: off }\n", b->route.retries = GW_OFF)                        \
    X(b->r_more = "    retry: { on: [ connect, 5xx ] }\n",                                         \
      RETRY(on = GW_RETRY_CONNECT | GW_RETRY_5XX))                                                 \
    X(b->r_more = "    retry: { on: [ refused, reused, reset, timeout, gateway_error ] }\n",       \
      RETRY(on = GW_RETRY_REFUSED | GW_RETRY_REUSED | GW_RETRY_RESET | GW_RETRY_TIMEOUT |          \
                 GW_RETRY_GATEWAY_ERROR))                                                          \
    X(b->r_more = "    retry: { codes: [ 429, 503 ] }\n",                                          \
      (b->codes[0] = 429, b->codes[1] = 503, b->retry.codes_len = 2, RETRY(codes = b->codes)))     \
    X(b->r_more = "    retry: { unsafe: true }\n", RETRY(flags = GW_RETRY_UNSAFE))                 \
    X(b->r_more = "    retry: { grpc: [ unavailable, aborted ], unsafe: true }\n",                 \
      (b->retry.flags = GW_RETRY_UNSAFE, RETRY(grpc = 1u << 14 | 1u << 10)))                       \
    X(b->r_more = "    retry: { per_try_timeout: 250ms }\n", RETRY(per_try_timeout_ms = 250))      \
    X(b->r_more = "    retry: { backoff: { base: 10ms } }\n", RETRY(backoff_base_ms = 10))         \
    X(b->r_more = "    retry: { backoff: { base: off } }\n", RETRY(backoff_base_ms = GW_OFF))      \
    X(b->r_more = "    retry: { backoff: { max: 1s } }\n", RETRY(backoff_max_ms = 1000))           \
    X(b->r_more = "    retry: { replay: 64KiB }\n", RETRY(replay_bytes_max = 65536))               \
    X(b->r_more = "    retry: { replay: off }\n", RETRY(replay_bytes_max = GW_OFF))                \
    X(b->r_more = "    idle: 14s\n", b->route.idle_timeout_ms = 14000)                             \
    X(b->r_more = "    upgrade: [ Chat, websocket ]\n",                                            \
      (b->list[0] = GW_STR("chat"), b->list[1] = GW_STR("websocket"), b->route.upgrades = b->list, \
       b->route.upgrades_len = 2))                                                                 \
    X(b->r_more = "    upgrade: []\n", b->route.flags = GW_ROUTE_NO_UPGRADE)                       \
    X(b->r_more = "    connect: true\n", b->route.flags = GW_ROUTE_CONNECT)                        \
    X(b->r_to = "    respond: { status: 404 }\n",                                                  \
      (b->route.cluster = GW_STR(""), b->route.reply_code = 404))                                  \
    X(b->r_to = "    respond: { status: 200, body: \"a\\n\" }\n",                                  \
      (b->route.cluster = GW_STR(""), b->route.reply_code = 200,                                   \
       b->route.reply_body = GW_STR("a\n")))                                                       \
    X(b->r_to = "    respond: { status: 200, body: a, type: text/html }\n",                        \
      (b->route.cluster = GW_STR(""), b->route.reply_code = 200,                                   \
       b->route.reply_body = GW_STR("a"), b->route.reply_type = GW_STR("text/html")))

static void set_key(struct both *b, const char *key)
{
    b->keys[0] = gw_cstr(key);
    b->limiter.keys = b->keys;
    b->limiter.keys_len = 1;
}
static const gw_split_spec even_splits[] = {
    { .size = sizeof(gw_split_spec), .cluster = { "web", 3 } },
    { .size = sizeof(gw_split_spec), .cluster = { "also", 4 } },
};
static const gw_split_spec two_splits[] = {
    { .size = sizeof(gw_split_spec), .weight = 9, .cluster = { "web", 3 } },
    { .size = sizeof(gw_split_spec), .cluster = { "also", 4 } },
};

static int set_field(struct both *b, int row, bool in_file, bool in_c)
{
    int at = 0;
#define SET(file, c)                                                                               \
    if (row == at++) {                                                                             \
        if (in_file)                                                                               \
            (void)(file);                                                                          \
        if (in_c)                                                                                  \
            (void)(c);                                                                             \
    }
    FIELDS(SET)
#undef SET
    return at;
}

START_TEST(a_file_says_what_c_says)
{
    static struct both b;
    static struct dump plain, file, c;
    both_init(&b);
    gw_config *config = build_from_file(&b);
    dump(&plain, config);
    gw_config_unref(config);
    config = build_from_c(&b);
    dump(&c, config);
    gw_config_unref(config);
    ck_assert_str_eq(plain.text, c.text);
    int rows = set_field(&b, -1, false, false);
    for (int row = 0; row < rows; row++) {
        both_init(&b);
        set_field(&b, row, true, true);
        config = build_from_file(&b);
        dump(&file, config);
        gw_config_unref(config);
        config = build_from_c(&b);
        dump(&c, config);
        gw_config_unref(config);
        ck_assert_msg(strcmp(file.text, c.text) == 0, "row %d: %s\nis not\n%s", row, file.text,
                      c.text);
        ck_assert_msg(strcmp(file.text, plain.text) != 0, "row %d changes nothing", row);
    }
}
END_TEST

/* --- Envoy's descriptors --- */

#define TREE                                                                                       \
    "descriptors:\n"                                                                               \
    "  { \"domain\": \"d\", \"descriptors\": [\n"                                                  \
    "    { \"key\": \"generic_key\", \"value\": \"default\",\n"                                    \
    "      \"rate_limit\": { \"unit\": \"second\", \"requests_per_unit\": 10 } },\n"               \
    "    { \"key\": \"user\", \"rate_limit\": { \"unit\": \"minute\", \"requests_per_unit\": 3 } " \
    "},\n"                                                                                         \
    "    { \"key\": \"user\", \"value\": \"vip\", \"shadow_mode\": true,\n"                        \
    "      \"rate_limit\": { \"unit\": \"hour\", \"requests_per_unit\": 4 } },\n"                  \
    "    { \"key\": \"user\", \"value\": \"vip\", \"descriptors\": [\n"                            \
    "      { \"key\": \"remote_address\",\n"                                                       \
    "        \"rate_limit\": { \"unit\": \"day\", \"requests_per_unit\": 5 } } ] } ] }\n"

START_TEST(descriptors_become_limiters)
{
    static struct dump d;
    gw_config *config = NULL;
    gw_yaml_error err;
    gw_status status = load(
        TREE
        "limiters:\n- { name: own, rate: 1/s }\n"
        "routes:\n- name: r\n  respond: { status: 200 }\n  limiters: [ own ]\n  descriptors:\n"
        "    [ { \"generic_key\": { \"descriptor_value\":\"default\" } },\n"
        "      { \"request_headers\": { \"header_name\": \"X-U\", \"descriptor_key\": \"user\" } "
        "},\n"
        "      { actions: [ { \"request_headers\": { \"header_name\": \"X-U\", \"descriptor_key\": "
        "\"user\" } }, { \"remote_address\": {} } ] } ]\n"
        "- name: s\n  match: { prefix: /s }\n  respond: { status: 200 }\n  descriptors:\n"
        "    [ { \"generic_key\": { \"descriptor_value\":\"default\" } } ]\n",
        &config, &err);
    ck_assert_msg(status == GW_OK, "%u:%u: %s: %s", err.line, err.column, err.where, err.text);
    d.len = 0;
    for (uint32_t i = 0; i < config->limiters_len; i++)
        say_limiter(&d, &config->limiters[i]);
    for (uint32_t i = 0; i < config->routes_len; i++)
        for (uint32_t k = 0; k < config->routes[i].limiters_len; k++)
            say(&d, " %u%s", config->routes[i].limiters[k].limiter,
                config->routes[i].limiters[k].is_else ? "e" : "");
    gw_config_unref(config);
    ck_assert_str_eq(
        d.text,
        "limiter own 1 in 1000000000 burst 1 or 0 at once, sets 0 1 flags 0 429 8 \"own\";q=1;w=1\n"
        "limiter d:generic_key=default 10 in 1000000000 burst 10 or 0 at once, sets 0 1 flags 0 "
        "429 8 "
        "\"d:generic_key=default\";q=10;w=1\n"
        "limiter d:user@X-U=vip 4 in 3600000000000 burst 4 or 0 at once, sets 1024 1 flags 9 429 8 "
        "\"d:user@X-U=vip\";q=4;w=3600 2 X-U=vip\n"
        "limiter d:user@X-U 3 in 60000000000 burst 3 or 0 at once, sets 1024 1 flags 8 429 8 "
        "\"d:user@X-U\";q=3;w=60 2 X-U=\n"
        "limiter d:user@X-U=vip/remote_address 5 in 86400000000000 burst 5 or 0 at once, sets 1024 "
        "1 "
        "flags 8 429 8 \"d:user@X-U=vip/remote_address\";q=5;w=86400 1 = 2 X-U=vip\n"
        " 0 1 2 3e 4 1");
}
END_TEST

/* --- the rest of a file --- */

START_TEST(backends)
{
    static const char *const names[] = { "auto", "poll", "epoll", "io_uring" };
    for (uint32_t i = GW_BACKEND_AUTO; i <= GW_BACKEND_URING; i++) {
        gw_yaml_settings settings = GW_SPEC(gw_yaml_settings);
        gw_config *config = NULL;
        char text[64];
        snprintf(text, sizeof text, "backend: %s\n", names[i]);
        ck_assert_int_eq(
            gw_yaml_load(NULL, gw_cstr(text), NULL, NULL, &settings, NULL, &config, NULL), GW_OK);
        gw_config_unref(config);
        ck_assert_uint_eq(settings.backend, i);
    }
}
END_TEST

START_TEST(settings_and_limits)
{
    static const char text[] =
        "workers: 3\nbackend: poll\ndrain: 5s\n"
        "limits: { memory: 256MiB, connections: 1, exchanges: 2, head: 3KiB,\n"
        "  fields: 4, body: 1GiB, pipe: 65536, h2_streams: 7, records: 8, tls_connections: 9 }\n"
        "access_log: { path: /var/log/gw, format: json }\n";
    gw_yaml_settings settings = GW_SPEC(gw_yaml_settings);
    gw_limits limits = GW_SPEC(gw_limits);
    gw_yaml_error err = GW_SPEC(gw_yaml_error);
    gw_config *config = NULL;
    gw_status status = gw_yaml_load(NULL, gw_cstr(text), NULL, NULL, &settings, &limits, &config,
                                    &err);
    ck_assert_msg(status == GW_OK, "%u:%u: %s: %s", err.line, err.column, err.where, err.text);
    gw_config_unref(config);
    ck_assert_uint_eq(settings.workers, 3);
    ck_assert_uint_eq(settings.backend, GW_BACKEND_POLL);
    ck_assert_uint_eq(settings.drain_ms, 5000);
    ck_assert_uint_eq(settings.has_access_log, 1);
    ck_assert_str_eq(settings.access_log_path, "/var/log/gw");
    ck_assert_uint_eq(limits.blocks_max, (256u << 20) / 16640);
    ck_assert_uint_eq(limits.links_max, 1);
    ck_assert_uint_eq(limits.exchanges_max, 2);
    ck_assert_uint_eq(limits.head_bytes_max, 3072);
    ck_assert_uint_eq(limits.fields_max, 4);
    ck_assert_uint_eq(limits.body_bytes_max, 1u << 30);
    ck_assert_uint_eq(limits.pipe_bytes_max, 65536);
    ck_assert_uint_eq(limits.h2_streams_max, 7);
    ck_assert_uint_eq(limits.records_max, 8);
    ck_assert_uint_eq(limits.tls_links_max, 9);
}
END_TEST

START_TEST(settings_come_from_the_file_alone)
{
    gw_yaml_settings settings = GW_SPEC(gw_yaml_settings);
    gw_limits limits = GW_SPEC(gw_limits);
    gw_config *config = NULL;
    settings.workers = settings.has_access_log = 9;
    limits.links_max = 9;
    ck_assert_int_eq(
        gw_yaml_load(NULL, GW_STR("drain: 1s\n"), NULL, NULL, &settings, &limits, &config, NULL),
        GW_OK);
    gw_config_unref(config);
    ck_assert_uint_eq(settings.workers, 0);
    ck_assert_uint_eq(settings.has_access_log, 0);
    ck_assert_uint_eq(limits.links_max, 0);
    ck_assert_uint_eq(settings.drain_ms, 1000);
}
END_TEST

/* A range of the file is the range of the limit: neither refuses what the other takes. */
static const char *const limit_edges[][4] = {
    /* key, least, most, one too much */
    { "connections", "1", "4194304", "4194305" },
    { "exchanges", "1", "4194304", "4194305" },
    { "head", "512", "1MiB", "1048577" },
    { "fields", "1", "10000", "10001" },
    { "pipe", "1KiB", "1GiB", "1073741825" },
    { "h2_streams", "1", "65535", "65536" },
    { "memory", "1MiB", "256GiB", "257GiB" },
    { "records", "1", "65536", "65537" },
    { "tls_connections", "1", "4194304", "4194305" },
};
START_TEST(ranges_are_those_of_the_limits)
{
    for (size_t i = 0; i < sizeof limit_edges / sizeof limit_edges[0]; i++)
        for (int k = 1; k < 4; k++) {
            char text[64];
            gw_yaml_error err = GW_SPEC(gw_yaml_error);
            gw_limits limits = GW_SPEC(gw_limits);
            gw_footprint footprint = GW_SPEC(gw_footprint);
            gw_config *config = NULL;
            snprintf(text, sizeof text, "limits: { %s: %s }\n", limit_edges[i][0],
                     limit_edges[i][k]);
            gw_status status = gw_yaml_load(NULL, gw_cstr(text), NULL, NULL, NULL, &limits, &config,
                                            &err);
            ck_assert_msg((status == GW_OK) == (k < 3), "%s: %s", text, err.text);
            ck_assert_int_eq(gw_limits_footprint(&limits, NULL, &footprint), GW_OK);
            gw_config_unref(config);
        }
}
END_TEST

START_TEST(json_is_read_too)
{
    gw_config *config = NULL;
    gw_yaml_error err;
    gw_status status = load("{\"drain\": \"1s\", \"limits\": {\"head\": \"64KiB\"},\n"
                            " \"clusters\": [{\"name\": \"a\",\n"
                            "  \"endpoints\": [{\"address\": \"10.0.0.1:80\", \"weight\": 2}]}],\n"
                            " \"routes\": [{\"name\": \"r\", \"cluster\": \"a\",\n"
                            "  \"match\": {\"prefix\": \"/\"}, \"connect\": true}]}\n",
                            &config, &err);
    ck_assert_msg(status == GW_OK, "%u:%u: %s: %s", err.line, err.column, err.where, err.text);
    ck_assert_uint_eq(config->clusters[0].endpoints->list[0].weight, 2);
    gw_config_unref(config);
}
END_TEST

START_TEST(an_alias_stands_for_a_value)
{
    gw_config *config = NULL;
    gw_yaml_error err;
    gw_status status = load("listeners: [ { name: &n edge, address: \"127.0.0.1:80\" } ]\n"
                            "routes: [ { name: *n, match: { listener: *n, prefix: / },\n"
                            "  respond: { status: 200 } } ]\n",
                            &config, &err);
    ck_assert_msg(status == GW_OK, "%u:%u: %s: %s", err.line, err.column, err.where, err.text);
    ck_assert(gw_str_eq(config->routes[0].name, GW_STR("edge")));
    gw_config_unref(config);
}
END_TEST

/* --- what is refused --- */

#define HASHED(hash)                                                                               \
    "clusters:\n- name: a\n  balance: { policy: consistent_hash, hash: { " hash " } }\n"
#define C "clusters:\n- name: web\n  endpoints: [ { address: \"10.0.0.1:80\" } ]\n"

static const struct refusal {
    const char *file;
    uint32_t line, column;
    const char *where, *text;
} refusals[] = {
    /* keys */
    { "wokers: 1\n", 1, 1, "wokers", "there is no key \"wokers\" here; did you mean \"workers\"?" },
    { "zzzzzz: 1\n", 1, 1, "zzzzzz", "there is no key \"zzzzzz\" here" },
    { "clusters:\n- name: a\n  endpoint: []\n", 3, 3, "clusters[0].endpoint",
      "did you mean \"endpoints\"?" },
    { "clusters:\n- name: a\n  pool: { idel: 1s }\n", 3, 11, "clusters[0].pool.idel",
      "did you mean \"idle\"?" },
    { "routes:\n- match: { perfix: / }\n", 2, 12, "routes[0].match.perfix",
      "did you mean \"prefix\"?" },
    { "workers: 1\nworkers: 2\n", 2, 1, "workers", "the key is there twice" },
    { "clusters:\n- { name: a, name: b }\n", 2, 14, "clusters[0].name", "the key is there twice" },
    { "<<: { workers: 1 }\n", 1, 1, "<<", "there is no key \"<<\" here" },
    { "? [ a ]\n: b\n", 1, 3, "", "a key must be a single word" },
    { "? *a\n: b\n", 1, 3, "", "an alias cannot be a key" },
    /* what later releases bring */
    { "admin: { address: x }\n", 1, 1, "admin", "admin is not in this release" },
    { "descriptors: { descriptors: [] }\n", 1, 14, "descriptors", "a domain is needed" },
    { "descriptors: { domain: d, descriptors: [ { value: v } ] }\n", 1, 42,
      "descriptors.descriptors[0]", "a key is needed" },
    { "descriptors: { domain: d, descriptors: [ { key: k, rate_limit: { unit: day, "
      "requests_per_unit: 1 } },\n  { key: k },\n  { key: k, rate_limit: { unit: day, "
      "requests_per_unit: 2 } } ] }\n",
      3, 3, "descriptors.descriptors[2]", "have a rate already" },
    { "descriptors: { domain: d, descriptors: [ { key: k, rate_limit: { unit: day } } ] }\n", 1, 64,
      "descriptors.descriptors[0].rate_limit", "unit and requests_per_unit are needed" },
    { "descriptors: { domain: d, descriptors: [ { key: k, rate_limit: { unit: year } } ] }\n", 1,
      72, "descriptors.descriptors[0].rate_limit.unit", "year is not in this release" },
    { "descriptors: { domain: d }\nroutes:\n- descriptors: [ { generic_key: { descriptor_value: x "
      "} } ]\n",
      3, 18, "routes[0].descriptors[0]", "no rate of the descriptors" },
    { "descriptors: { domain: d }\nroutes:\n- descriptors: [ {} ]\n", 3, 18,
      "routes[0].descriptors[0]", "one action" },
    { "routes:\n- descriptors: [ {} ]\n", 2, 16, "routes[0].descriptors",
      "there are no descriptors at the top" },
    { "limiters:\n- { name: a }\n", 2, 3, "limiters[0].rate", "a rate or a ceiling is needed" },
    { "limiters:\n- { name: a, rate: 10 }\n", 2, 20, "limiters[0].rate", "a rate is a number" },
    { "limiters:\n- { name: a, rate: 0/s }\n", 2, 20, "limiters[0].rate", "a rate is a number" },
    { "limiters:\n- { name: a, rate: 1/0s }\n", 2, 20, "limiters[0].rate", "a rate is a number" },
    { "limiters:\n- { name: a, rate: 1/99999h }\n", 2, 20, "limiters[0].rate",
      "from 1/1193h to 4294967294/ms" },
    { "limiters:\n- { name: a, rate: 1/s, key: ip }\n", 2, 30, "limiters[0].key",
      "\"ip\": not a key" },
    { "limiters:\n- { name: a, rate: 1/s, key: \"path=\" }\n", 2, 30, "limiters[0].key",
      "not a key" },
    { "limiters:\n- { name: a, rate: 1/s, status: 200 }\n", 2, 33, "limiters[0].status",
      "out of range" },
    { "limiters:\n- { name: per-ip, rate: 1/s }\nroutes:\n- { name: r, respond: { status: 200 }, "
      "limiters: [ per-up ] }\n",
      4, 52, "routes[0].limiters[0]", "no limiter \"per-up\"; did you mean \"per-ip\"?" },
    { "limiters:\n- { name: a, rate: 1/s }\nroutes:\n- { name: r, respond: { status: 200 }, "
      "limiters: [ a, a ] }\n",
      4, 55, "routes[0].limiters[1]", "\"a\": the route names it twice" },
    { "limiters:\n- { name: a, rate: 1/s, keys: [] }\n", 2, 31, "limiters[0].keys",
      "the list is empty" },
    { "limiters:\n- { name: a, rate: 1/s, without_key: share }\n", 2, 38, "limiters[0].without_key",
      "without keys it says nothing" },
    { "limiters:\n- { name: a, rate: 1/s, when_full: refuse }\n", 2, 36, "limiters[0].when_full",
      "without keys it says nothing" },
    { "listeners: [ { name: a, address: '127.0.0.1:0' } ]\n"
      "clusters: [ { name: web, endpoints: [ { address: '127.0.0.1:1' } ] } ]\n"
      "routes:\n"
      "  - name: r\n"
      "    splits:\n"
      "      - { cluster: web, weight: 1 }\n"
      "      - { weight: 2, cluster: wev }\n",
      7, 31, "routes[0].splits[1].cluster", "no cluster \"wev\"; did you mean \"web\"?" },
    { "trusted_proxies: 10.0.0.0/8\n", 1, 18, "trusted_proxies", "a list is needed here" },
    { "listeners:\n- name: a\n  trusted_proxies: [ 10.0.0.0/8, 10.0.0.1/8 ]\n", 3, 34,
      "listeners[0].trusted_proxies[1]", "\"10.0.0.1/8\": not addresses" },
    { "trusted_proxies: [ all ]\nlisteners:\n- name: a\n", 3, 3, "listeners[0].trusted_proxies[0]",
      "\"all\": not addresses" },
    { "listeners:\n- name: a\n  forwarded: x\n", 3, 14, "listeners[0].forwarded", "none of" },
    { "listeners:\n- name: a\n  via: a b\n", 3, 8, "listeners[0].via", "a token" },
    { "clusters:\n- protocol: auto\n", 2, 13, "clusters[0].protocol",
      "auto is not in this release" },
    { "clusters:\n- balance: { policy: consistent }\n", 2, 22, "clusters[0].balance.policy",
      "\"consistent\" is none of round_robin" },
    { "clusters:\n- name: a\n  balance: { hash: {} }\n", 3, 20, "clusters[0].balance.hash",
      "consistent hash alone" },
    { "clusters:\n- name: a\n  balance: { choices: 3 }\n", 3, 23, "clusters[0].balance.choices",
      "least request alone" },
    { "clusters:\n- name: a\n  balance: { choices: 9 }\n", 3, 23, "clusters[0].balance.choices",
      "2 to 8" },
    { "clusters:\n- name: a\n  balance: { policy: consistent_hash, slow_start: 1s }\n", 3, 51,
      "clusters[0].balance.slow_start", "keys stay" },
    { HASHED("keys: [ client, b ]"), 3, 63, "clusters[0].balance.hash.keys[1]", "not a key" },
    { HASHED("keys: []"), 3, 53, "clusters[0].balance.hash.keys", "empty" },
    { HASHED("on: path, keys: [ path ]"), 3, 45, "clusters[0].balance.hash", "keep one" },
    { HASHED("on: path, name: a"), 3, 63, "clusters[0].balance.hash.name", "alone" },
    { HASHED("name: a"), 3, 53, "clusters[0].balance.hash.name", "alone" },
    { HASHED("on: cookie"), 3, 51, "clusters[0].balance.hash.on", "needs a name" },
    { HASHED("on: cookie, name: a b"), 3, 65, "clusters[0].balance.hash.name", "not a key" },
    { HASHED("points: 0"), 3, 55, "clusters[0].balance.hash.points", "1 to 65536" },
    { HASHED("unit: 65536"), 3, 53, "clusters[0].balance.hash.unit", "1 to 65535" },
    { "routes:\n- retries: 6\n", 2, 12, "routes[0].retries", "" },
    { "routes:\n- retry: { replay: 2GiB }\n", 2, 20, "routes[0].retry.replay",
      "from 1 to 1073741824" },
    { "routes:\n- retry: { replay: 8KiB }\n  retries: off\n  name: a\n  cluster: b\n", 2, 20,
      "routes[0].retry.replay", "there are no retries" },
    { "listeners:\n- connection: { age_jitter: 20 }\n  name: a\n", 2, 29,
      "listeners[0].connection.age_jitter", "there is no age" },
    { "listeners:\n- connection: { age_grace: 1s }\n  name: a\n", 2, 28,
      "listeners[0].connection.age_grace", "there is no age" },
    { "listeners:\n- connection: { age: 1s, age_jitter: 91 }\n", 2, 38,
      "listeners[0].connection.age_jitter", "1 to 90, or off" },
    { "clusters:\n- pool: { age_jitter: 20 }\n  name: a\n  endpoints: [ { address: 127.0.0.1:1 } "
      "]\n",
      2, 23, "clusters[0].pool.age_jitter", "there is no age" },
    { "routes:\n- retry: { count: 6 }\n", 2, 19, "routes[0].retry.count", "1 to 5, or off" },
    { "routes:\n- retry: { on: [] }\n", 2, 16, "routes[0].retry.on", "the list is empty" },
    { "routes:\n- retry: { on: [ 4xx ] }\n", 2, 18, "routes[0].retry.on[0]", "There are connect" },
    { "routes:\n- retry: { codes: [ 399 ] }\n  name: a\n  cluster: b\n", 2, 21,
      "routes[0].retry.codes[0]", "400 to 599" },
    { "routes:\n- retry: { codes: [ 503, x ] }\n", 2, 19, "routes[0].retry.codes", "400 to 599" },
    { "routes:\n- retry: { codes: [] }\n", 2, 19, "routes[0].retry.codes", "the list is empty" },
    { "routes:\n- retry: { grpc: [ ok ] }\n", 2, 20, "routes[0].retry.grpc[0]", "none of" },
    { "routes:\n- retry: { grpc: [ unavailible ] }\n", 2, 20, "routes[0].retry.grpc[0]",
      "\"unavailible\" is unknown; did you mean \"unavailable\"? There are cancelled" },
    { "routes:\n- retry: { grpc: [ DATA_LOSS ] }\n", 2, 20, "routes[0].retry.grpc[0]",
      "did you mean \"data_loss\"?" },
    { "routes:\n- retry: { on: [ connect ] }\n  retries: off\n  name: a\n  cluster: b\n", 2, 16,
      "routes[0].retry.on", "there are no retries" },
    { "routes:\n- retry: { count: off, codes: [ 503 ] }\n  name: a\n  cluster: b\n", 2, 31,
      "routes[0].retry.codes", "there are no retries" },
    { "routes:\n- retry: { count: off, grpc: [ aborted ], unsafe: true }\n  name: a\n"
      "  cluster: b\n",
      2, 30, "routes[0].retry.grpc", "there are no retries" },
    { "routes:\n- retry: { count: off, backoff: { base: 1s } }\n  name: a\n  cluster: b\n", 2, 41,
      "routes[0].retry.backoff.base", "there are no retries" },
    { "routes:\n- retry: { count: off, backoff: { max: 1s } }\n  name: a\n  cluster: b\n", 2, 40,
      "routes[0].retry.backoff.max", "there are no retries" },
    { "routes:\n- retry: { grpc: [ unavailable ] }\n  name: a\n  cluster: b\n", 2, 18,
      "routes[0].retry.grpc", "needs unsafe as well" },
    { "routes:\n- retry: { per_try_timeout: 2s }\n  timeout: 2s\n  name: a\n  cluster: b\n", 2, 29,
      "routes[0].retry.per_try_timeout", "no less time" },
    { "routes:\n- retry: { backoff: { base: 2s, max: 1s } }\n  name: a\n  cluster: b\n", 2, 38,
      "routes[0].retry.backoff.max", "less than the base" },
    { "routes:\n- retry: { backoff: { base: off, max: 1s } }\n  name: a\n  cluster: b\n", 2, 39,
      "routes[0].retry.backoff.max", "there is no backoff" },
    { "routes:\n- retry: { backoff: { max: off } }\n", 2, 28, "routes[0].retry.backoff.max",
      "not a duration" },
    { "routes:\n- retry: { count: 1 }\n  name: a\n  respond: { status: 200 }\n", 2, 10,
      "routes[0].retry", "a reply is not retried" },
    { "routes:\n- retry: { count: 1 }\n  retries: 2\n", 2, 19, "routes[0].retry.count",
      "keep one of the two" },
    { "routes:\n- match: { regex: a }\n", 2, 12, "routes[0].match.regex",
      "regex is not in this release" },
    { "routes:\n- match: { template: a }\n", 2, 12, "routes[0].match.template",
      "template is not in this release" },
    { "access_log: { path: a, format: text }\n", 1, 32, "access_log.format",
      "text is not in this release" },
    /* kinds */
    { "- a\n", 1, 1, "", "a map is needed here" },
    { "a\n", 1, 1, "", "a map is needed here" },
    { "workers: [ 1 ]\n", 1, 10, "workers", "a single value is needed here" },
    { "workers:\n", 1, 9, "workers", "the value is missing" },
    { "workers: ~\n", 1, 10, "workers", "the value is missing" },
    { "limits: 1\n", 1, 9, "limits", "a map is needed here" },
    { "limits: null\n", 1, 9, "limits", "the value is missing" },
    { "listeners: { a: b }\n", 1, 12, "listeners", "a list is needed here" },
    { "listeners: [ a ]\n", 1, 14, "listeners[0]", "a map is needed here" },
    { "listeners:\n- protocols: h1\n", 2, 14, "listeners[0].protocols", "a list is needed here" },
    { "listeners:\n- protocols: [ [ h1 ] ]\n", 2, 16, "listeners[0].protocols[0]",
      "a single value is needed here" },
    { "listeners:\n- protocols: []\n", 2, 14, "listeners[0].protocols", "the list is empty" },
    { "listeners:\n- protocols: [ h1, h1 ]\n", 2, 20, "listeners[0].protocols[1]", "twice" },
    { "listeners:\n- protocols: [ h3 ]\n", 2, 16, "listeners[0].protocols[0]",
      "\"h3\" is unknown; did you mean \"h1\"? There are h1 h2" },
    { "clusters:\n- endpoints: a\n  name: a\n", 2, 14, "clusters[0].endpoints",
      "a list is needed here" },
    { "routes:\n- match: { methods: GET }\n", 2, 21, "routes[0].match.methods",
      "a list is needed here" },
    { "routes:\n- match: { methods: [] }\n", 2, 21, "routes[0].match.methods",
      "the list is empty; leave it out for the default" },
    { "routes:\n- connect: yes\n", 2, 12, "routes[0].connect", "\"yes\" is not true or false" },
    { "routes:\n- connect: \"true\"\n", 2, 12, "routes[0].connect", "is not true or false" },
    { "access_log: -\n", 1, 13, "", "block sequence entries are not allowed" },
    { "access_log: on\n", 1, 13, "access_log", "a map is needed here" },
    { "access_log: {}\n", 1, 13, "access_log", "a path is needed" },
    { "access_log: { path: \"a\\0b\" }\n", 1, 21, "access_log.path", "no zero byte" },
    { "access_log: { path: \"\" }\n", 1, 21, "access_log.path", "the text is empty" },
    { "backend: polll\n", 1, 10, "backend", "did you mean \"poll\"?" },
    /* numbers */
    { "workers: 0\n", 1, 10, "workers", "\"0\" is out of range: it is from 1 to 1024" },
    { "workers: 1025\n", 1, 10, "workers", "out of range" },
    { "workers: \"1\"\n", 1, 10, "workers", "\"1\" is not a whole number" },
    { "workers: 1.5\n", 1, 10, "workers", "\"1.5\" is not a whole number" },
    { "workers: -1\n", 1, 10, "workers", "\"-1\" is not a whole number" },
    { "workers: 0x10\n", 1, 10, "workers", "not a whole number" },
    { "workers: 99999999999999999999\n", 1, 10, "workers", "not a whole number" },
    { "drain: 30\n", 1, 8, "drain", "\"30\" is not a duration; write 250ms, 2s, 5m or 1h" },
    { "drain: 1d\n", 1, 8, "drain", "is not a duration" },
    { "drain: 1.5s\n", 1, 8, "drain", "is not a duration" },
    { "drain: s\n", 1, 8, "drain", "is not a duration" },
    { "drain: 0\n", 1, 8, "drain", "out of range: it is from 1ms to 1193h" },
    { "drain: off\n", 1, 8, "drain", "is not a duration" },
    { "drain: 1194h\n", 1, 8, "drain", "out of range" },
    { "drain: 18446744073709551615h\n", 1, 8, "drain", "out of range" },
    { "listeners:\n- timeouts: { head: 1194h }\n", 2, 21, "listeners[0].timeouts.head",
      "from 1ms to 1193h, or off" },
    /* the builder's ranges, in the words of a file */
    { C "  breaker: { sleep: 25h }\n", 4, 21, "clusters[0].breaker.sleep",
      "it is from 1ms to 24h" },
    { C "  breaker: { sleep: 1194h }\n", 4, 21, "clusters[0].breaker.sleep",
      "it is from 1ms to 24h" },
    { C "  breaker: { sleep: off }\n", 4, 21, "clusters[0].breaker.sleep",
      "it is from 1ms to 24h" },
    { C "  breaker: { sleep: 0s }\n", 4, 21, "clusters[0].breaker.sleep", "it is from 1ms to 24h" },
    { C "  breaker: { sleep_max: 1s }\n", 4, 25, "clusters[0].breaker.sleep_max",
      "it is less than sleep" },
    { C "  breaker: { probes: 4294967296 }\n", 4, 22, "clusters[0].breaker.probes",
      "it is from 1 to 100" },
    { C "  outlier: { time: 250h }\n", 4, 20, "clusters[0].outlier.time", "it is from 1ms to 24h" },
    { C "  outlier: { time_max: 1s }\n", 4, 24, "clusters[0].outlier.time_max",
      "it is less than time" },
    { C "  breaker: {}\n  failures: [ slow ]\n", 5, 13, "clusters[0].failures",
      "it needs a time, slow" },
    { C "  health: { interval: 1ms }\n", 4, 23, "clusters[0].health.interval",
      "it is from 10ms to 24h" },
    { C "  health: { expect: [] }\n", 4, 21, "clusters[0].health.expect", "the list is empty" },
    { C "  affinity: { cookie: a, ttl: 500ms }\n", 4, 31, "clusters[0].affinity.ttl",
      "at least 1s" },
    { "limits: { head: 64KB }\n", 1, 17, "limits.head",
      "\"64KB\" is not a size; write 65536, 64KiB or 1MiB" },
    { "limits: { head: 1 }\n", 1, 17, "limits.head", "from 512 to 1048576 bytes" },
    { "limits: { body: 99999999999999GiB }\n", 1, 17, "limits.body", "out of range" },
    { "clusters:\n- endpoints: [ { address: \"10.0.0.1:80\", weight: 65536 } ]\n", 2, 50,
      "clusters[0].endpoints[0].weight", "it is from 1 to 65535, or off" },
    { "routes:\n- respond: { status: 600 }\n", 2, 22, "routes[0].respond.status", "200 to 599" },
    { "routes:\n- respond: { body: a }\n", 2, 12, "routes[0].respond", "a status is needed" },
    { "routes:\n- respond: {}\n", 2, 12, "routes[0].respond", "a status is needed" },
    { "routes:\n- match: { prefix: /, exact: / }\n", 2, 10, "routes[0].match", "exclude" },
    { "routes:\n- match: { prefix: \"\" }\n", 2, 20, "routes[0].match.prefix", "empty" },
    { "clusters:\n- timeouts: { idle: 1s }\n  pool: { idle: 2s }\n", 3, 17, "clusters[0].pool.idle",
      "timeouts.idle says the same" },
    /* what the builder refuses, at the place in the file */
    { "listeners:\n- name: \"a b\"\n", 2, 9, "listeners[0].name", "without spaces" },
    { "listeners:\n\n- address: \"1.1.1.1:1\"\n", 3, 3, "listeners[0].name", "a name is needed" },
    { "listeners:\n- { name: a, address: localhost:1 }\n", 2, 23, "listeners[0].address",
      "not a name" },
    { "listeners:\n- name: a\n- name: b\n- name: a\n", 4, 9, "listeners[2].name",
      "taken by listeners[0] (\"a\")" },
    { "clusters:\n- name: web\n", 2, 3, "clusters[0].endpoints", "nobody to send to" },
    { "clusters:\n- name: web\n  endpoints: []\n", 3, 14, "clusters[0].endpoints",
      "nobody to send to" },
    { "clusters:\n- name: web\n  endpoints:\n  - address: 1.2.3.4\n", 4, 14,
      "clusters[0].endpoints[0].address", "not an address" },
    { "clusters:\n- name: web\n  endpoints:\n  - weight: 1\n", 4, 5,
      "clusters[0].endpoints[0].address", "an address is needed" },
    { "clusters:\n- name: web\n  endpoints:\n  - address: backend:80\n", 4, 14,
      "clusters[0].endpoints[0].address", "names are not looked up here" },
    { "clusters:\n- name: web\n  endpoints:\n  - address: 10.0.0.1:1\n  - address: 10.0.0.1:1\n", 5,
      5, "clusters[0].endpoints[1].name", "taken by endpoints[0]" },
    { C "routes:\n- { name: r, cluster: wep }\n", 5, 23, "routes[0].cluster",
      "no cluster \"wep\"; did you mean \"web\"?" },
    { C "routes:\n- { name: r, cluster: web, match: { listener: x } }\n", 5, 47,
      "routes[0].match.listener", "no listener \"x\"" },
    { C "routes:\n- { name: r, match: { prefix: / } }\n", 5, 3, "routes[0].cluster",
      "a cluster or a reply is needed" },
    { C "routes:\n- { name: r, cluster: web, respond: { status: 200 } }\n", 5, 47,
      "routes[0].respond.status", "exclude" },
    { C "routes:\n- { name: r, cluster: web, match: { prefix: /a/./b } }\n", 5, 45,
      "routes[0].match.prefix", "write \"/a/b\"" },
    { C "routes:\n- { name: r, cluster: web, match: { exact: a } }\n", 5, 44,
      "routes[0].match.exact", "begins with" },
    { C "routes:\n- { name: r, cluster: web, match: { host: \"a:80\" } }\n", 5, 43,
      "routes[0].match.host", "without its port" },
    { C "routes:\n- { name: r, cluster: web, match: { methods: [ GET, get ] } }\n", 5, 53,
      "routes[0].match.methods[1]", "upper case" },
    { C "routes:\n- { name: r, cluster: web, upgrade: [ a, h2c ] }\n", 5, 42,
      "routes[0].upgrade[1]", "never forwarded" },
    { C "routes:\n- { name: r, respond: { status: 204, body: a } }\n", 5, 44,
      "routes[0].respond.body", "no body" },
    { C "routes:\n- { name: r, respond: { status: 200 }, connect: true }\n", 5, 49,
      "routes[0].connect", "CONNECT needs a cluster" },
    { C "routes:\n- { name: r, cluster: web }\n- { name: s, cluster: web }\n", 6, 3, "routes[1]",
      "it ties with routes[0] (\"r\")" },
    { C "routes:\n- { name: r, cluster: web }\n- { name: s, cluster: web, priority: 1 }\n", 5, 3,
      "routes[0]", "no request can reach it" },
    /* what is not YAML, or not one that is read here */
    { "", 0, 0, "", "the file is empty" },
    { "# nothing\n", 0, 0, "", "the file is empty" },
    { "a: b: c\n", 1, 5, "", "mapping values are not allowed" },
    { "a: [ 1\n", 2, 1, "a", "did not find expected ',' or ']'" },
    { "listeners:\n\t- name: a\n", 2, 1, "", "found character that cannot start any token" },
    { "workers: 1\n---\nworkers: 2\n", 2, 1, "", "a file holds one document" },
    { "workers: !!int 1\n", 1, 10, "", "tags are not in use" },
    { "workers: !x 1\n", 1, 10, "", "tags are not in use" },
    { "limits: !!map { head: 1KiB }\n", 1, 9, "", "tags are not in use" },
    { "workers: *w\n", 1, 10, "", "an alias may only stand for a single value" },
    { "limits: &l { head: 1KiB }\naccess_log: *l\n", 2, 13, "",
      "an alias may only stand for a single value" },
    { "workers: 1\nbackend: \xff\n", 2, 10, "", "the file must be UTF-8" },
    { "workers: 1\n\xc3\xa4: \xc3\xa4 \x01\n", 2, 6, "", "control characters are not allowed" },
};
enum { REFUSALS = sizeof refusals / sizeof refusals[0] };

START_TEST(each_fault_has_its_place)
{
    for (int row = 0; row < REFUSALS; row++) {
        const struct refusal *wanted = &refusals[row];
        gw_config *config = NULL;
        gw_yaml_error err;
        gw_status status = load(wanted->file, &config, &err);
        ck_assert_msg(status != GW_OK, "row %d was taken:\n%s", row, wanted->file);
        ck_assert_ptr_null(config);
        ck_assert_int_eq(status, err.status);
        bool is_same = err.line == wanted->line && err.column == wanted->column &&
                       strcmp(err.where, wanted->where) == 0 &&
                       strstr(err.text, wanted->text) != NULL;
        ck_assert_msg(is_same, "row %d: %u:%u: %s: %s\nnot %u:%u: %s: %s\n%s", row, err.line,
                      err.column, err.where, err.text, wanted->line, wanted->column, wanted->where,
                      wanted->text, wanted->file);
    }
}
END_TEST

/* --- bounds --- */

static char huge[(4 << 20) + 2];

static void refuse_huge(size_t len, uint32_t line, const char *text)
{
    gw_config *config = NULL;
    gw_yaml_error err = GW_SPEC(gw_yaml_error);
    gw_status status = gw_yaml_load(NULL, (gw_str){ huge, len }, NULL, NULL, NULL, NULL, &config,
                                    &err);
    ck_assert_int_eq(status, GW_EINVAL);
    ck_assert_msg(strstr(err.text, text) != NULL, "%s", err.text);
    ck_assert_uint_eq(err.line, line);
}

START_TEST(a_huge_file)
{
    memset(huge, '#', sizeof huge);
    refuse_huge((4 << 20) + 1, 0, "longer than 4 MiB");
    refuse_huge(4 << 20, 0, "the file is empty");
}
END_TEST

START_TEST(deep_nesting)
{
    memset(huge, '[', sizeof huge);
    refuse_huge(4 << 20, 1, "nested too deeply");
    memset(huge, '{', sizeof huge);
    refuse_huge(4 << 20, 1, "a key must be a single word");
    for (size_t i = 0; i + 1 < sizeof huge; i += 2)
        memcpy(huge + i, "- ", 2);
    refuse_huge(4 << 20, 1, "nested too deeply");
    for (size_t i = 0; i + 3 < sizeof huge; i += 3)
        memcpy(huge + i, "a: ", 3);
    refuse_huge(3000000, 1, "mapping values are not allowed");
}
END_TEST

START_TEST(many_nodes)
{
    huge[0] = '[';
    for (size_t i = 1; i + 1 < sizeof huge; i += 2)
        memcpy(huge + i, "1,", 2);
    refuse_huge(4 << 20, 1, "the file has too many parts");
}
END_TEST

/* Nine levels of lists of the level below: a billion values, if aliases multiplied. */
START_TEST(an_alias_bomb)
{
    size_t len = 0;
    for (int level = 0; level < 9; level++) {
        len += (size_t)snprintf(huge + len, sizeof huge - len, "%c: &%c [", 'a' + level,
                                'a' + level);
        for (int i = 0; i < 9; i++)
            len += (size_t)snprintf(huge + len, sizeof huge - len, level == 0 ? "%sx" : "%s*%c",
                                    i == 0 ? "" : ",", 'a' + level - 1);
        len += (size_t)snprintf(huge + len, sizeof huge - len, "]\n");
    }
    refuse_huge(len, 2, "an alias may only stand for a single value");
}
END_TEST

START_TEST(a_zero_byte)
{
    memcpy(huge, "workers: 1\n\0: 2\n", 16);
    refuse_huge(16, 2, "control characters are not allowed");
}
END_TEST

/* UTF-16 is YAML too; here it would be a second way to write every file. */
START_TEST(another_encoding)
{
    memcpy(huge, "\xff\xfew\0:\0 \0001\0", 10);
    refuse_huge(10, 1, "the file must be UTF-8");
}
END_TEST

/* --- names --- */

static size_t answers(void *ctx, gw_str address, gw_yaml_answer *out, size_t max)
{
    const char *const *list = ctx;
    size_t n = 0;
    ck_assert(gw_str_starts(address, GW_STR("backend")));
    ck_assert_uint_ge(max, 8);
    for (; list[n] != NULL; n++)
        memcpy(out[n].address, list[n], strlen(list[n]) + 1);
    return n;
}

static gw_status load_names(const char *text, const char *const *list, gw_config **out,
                            gw_yaml_error *err)
{
    gw_yaml_settings settings = GW_SPEC(gw_yaml_settings);
    settings.resolve = answers;
    settings.resolve_ctx = (void *)(uintptr_t)list;
    *err = GW_SPEC(gw_yaml_error);
    gw_status status = gw_yaml_load(NULL, gw_cstr(text), NULL, NULL, &settings, NULL, out, err);
    ck_assert(settings.resolve == answers);
    return status;
}

static const struct names_row {
    const char *endpoints;
    const char *list[4];
    const char *names[4], *addresses[4];
} names_rows[] = {
    { "{ address: backend:80 }", { "10.0.0.1:80" }, { "10.0.0.1:80" }, { "10.0.0.1:80" } },
    { "{ address: backend:80, name: b }",
      { "10.0.0.1:80" },
      { "b/10.0.0.1:80" },
      { "10.0.0.1:80" } },
    { "{ address: backend:80, weight: 5 }",
      { "10.0.0.1:80", "[::1]:80", "10.0.0.1:80" },
      { "backend:80/10.0.0.1:80", "backend:80/[::1]:80" },
      { "10.0.0.1:80", "[::1]:80" } },
    { "{ address: backend:80 }, { address: \"10.0.0.7:1\" }",
      { NULL },
      { "10.0.0.7:1" },
      { "10.0.0.7:1" } },
};
START_TEST(names_become_their_answers)
{
    const struct names_row *row = &names_rows[_i];
    gw_config *config = NULL;
    gw_yaml_error err;
    char text[256];
    snprintf(text, sizeof text, "clusters: [ { name: c, endpoints: [ %s ] } ]\n", row->endpoints);
    gw_status status = load_names(text, row->list, &config, &err);
    ck_assert_msg(status == GW_OK, "%u:%u: %s: %s", err.line, err.column, err.where, err.text);
    const struct gw_cluster_conf *cluster = &config->clusters[0];
    uint32_t n = 0;
    for (; row->names[n] != NULL; n++) {
        ck_assert_uint_lt(n, cluster->endpoints->len);
        ck_assert_str_eq(cluster->endpoints->list[n].name.ptr, row->names[n]);
        ck_assert_str_eq(cluster->endpoints->list[n].address.ptr, row->addresses[n]);
        ck_assert_uint_eq(cluster->endpoints->list[n].weight, _i == 2 ? 5 : 1);
    }
    ck_assert_uint_eq(cluster->endpoints->len, n);
    gw_config_unref(config);
}
END_TEST

START_TEST(a_cluster_without_any_answer)
{
    static const char *const none[] = { NULL };
    gw_config *config = NULL;
    gw_yaml_error err;
    gw_status status = load_names("clusters:\n- name: c\n  endpoints:\n  - address: backend:80\n",
                                  none, &config, &err);
    ck_assert_int_eq(status, GW_EINVAL);
    ck_assert_str_eq(err.where, "clusters[0].endpoints");
    ck_assert_str_eq(err.text, "no endpoint is left: none of the names resolves");
    ck_assert_uint_eq(err.line, 4);
}
END_TEST

START_TEST(a_wrong_answer_has_the_place_of_its_entry)
{
    static const char *const wrong[] = { "10.0.0.1", NULL };
    gw_config *config = NULL;
    gw_yaml_error err;
    gw_status status = load_names("clusters:\n- name: c\n  endpoints:\n  - address: backend:80\n",
                                  wrong, &config, &err);
    ck_assert_int_eq(status, GW_EINVAL);
    ck_assert_str_eq(err.where, "clusters[0].endpoints[0].address");
    ck_assert_uint_eq(err.line, 4);
    ck_assert_uint_eq(err.column, 14);
}
END_TEST

/* --- the host's hook --- */

static gw_status add_part(void *ctx, gw_builder *b)
{
    gw_cluster_spec *spec = ctx;
    (void)gw_builder_cluster(b, spec);
    return GW_OK;
}
static gw_status give_up(void *ctx, gw_builder *b)
{
    (void)ctx;
    (void)b;
    return GW_ESTATE;
}
static gw_verdict nothing(void *ctx, gw_exchange *x)
{
    (void)ctx;
    (void)x;
    return GW_NEXT;
}

START_TEST(the_host_adds_to_a_file)
{
    static const char text[] = "routes: [ { name: r, cluster: mine } ]\n";
    gw_config *config = NULL;
    gw_yaml_error err = GW_SPEC(gw_yaml_error);
    gw_origin origin = GW_SPEC(gw_origin);
    gw_cluster_spec spec = GW_SPEC(gw_cluster_spec);
    origin.on_request = nothing;
    spec.name = GW_STR("mine");
    spec.origin = &origin;
    ck_assert_int_eq(gw_yaml_load(NULL, gw_cstr(text), add_part, &spec, NULL, NULL, &config, &err),
                     GW_OK);
    gw_config_unref(config);
    /* A fault of the host's own part has no place in the file. */
    spec.protocols = 3;
    spec.mark = 1;
    ck_assert_int_eq(gw_yaml_load(NULL, gw_cstr(text), add_part, &spec, NULL, NULL, &config, &err),
                     GW_EINVAL);
    ck_assert_uint_eq(err.line, 0);
    ck_assert_str_eq(err.where, "clusters[0].protocols");
    ck_assert_int_eq(gw_yaml_load(NULL, gw_cstr(text), give_up, NULL, NULL, NULL, &config, &err),
                     GW_ESTATE);
    ck_assert_int_eq(err.status, GW_ESTATE);
}
END_TEST

START_TEST(nonsense_is_answered)
{
    gw_config *config = NULL;
    gw_env env = { .size = 0 };
    gw_yaml_settings settings = { .size = 2 };
    gw_limits limits = { .size = 0 };
    gw_str text = GW_STR("workers: 1\n");
    ck_assert_int_eq(gw_yaml_load(&env, text, NULL, NULL, NULL, NULL, &config, NULL), GW_EINVAL);
    ck_assert_int_eq(gw_yaml_load(NULL, text, NULL, NULL, NULL, NULL, NULL, NULL), GW_EINVAL);
    ck_assert_int_eq(gw_yaml_load(NULL, text, NULL, NULL, &settings, NULL, &config, NULL),
                     GW_EINVAL);
    ck_assert_int_eq(gw_yaml_load(NULL, text, NULL, NULL, NULL, &limits, &config, NULL), GW_EINVAL);
    ck_assert_int_eq(gw_yaml_load(NULL, (gw_str){ NULL, 0 }, NULL, NULL, NULL, NULL, &config, NULL),
                     GW_EINVAL);
    ck_assert_ptr_null(config);
}
END_TEST

START_TEST(every_refused_allocation_is_survived)
{
    static const char text[] = C
        "listeners: [ { name: &n l } ]\n"
        "routes:\n- { name: *n, cluster: web, match: { methods: [ GET ] } }\n"
        "access_log: { path: a }\n";
    struct test_alloc alloc;
    test_alloc_init(&alloc);
    gw_env env = GW_SPEC(gw_env);
    env.allocator = alloc.allocator;
    for (uint64_t k = 1;; k++) {
        gw_config *config = NULL;
        gw_yaml_error err = GW_SPEC(gw_yaml_error);
        test_alloc_restart(&alloc);
        alloc.fail_at = k;
        gw_status status = gw_yaml_load(&env, gw_cstr(text), NULL, NULL, NULL, NULL, &config, &err);
        bool has_failed = alloc.failed > 0;
        ck_assert_msg(status == (has_failed ? GW_ENOMEM : GW_OK), "%d: %s", (int)k, err.text);
        ck_assert_int_eq(err.status, has_failed ? GW_ENOMEM : GW_OK);
        gw_config_unref(config);
        test_alloc_fini(&alloc);
        if (!has_failed)
            break;
    }
}
END_TEST

static Suite *yaml_suite(void)
{
    Suite *suite = suite_create("yaml");
    check_add(suite, a_file_says_what_c_says);
    check_add(suite, descriptors_become_limiters);
    check_add(suite, backends);
    check_add(suite, settings_and_limits);
    check_add(suite, settings_come_from_the_file_alone);
    check_add(suite, ranges_are_those_of_the_limits);
    check_add(suite, json_is_read_too);
    check_add(suite, an_alias_stands_for_a_value);
    check_add(suite, each_fault_has_its_place);
    check_add(suite, a_huge_file);
    check_add(suite, deep_nesting);
    check_add(suite, many_nodes);
    check_add(suite, an_alias_bomb);
    check_add(suite, a_zero_byte);
    check_add(suite, another_encoding);
    check_add_loop(suite, names_become_their_answers, 0,
                   (int)(sizeof names_rows / sizeof names_rows[0]));
    check_add(suite, a_cluster_without_any_answer);
    check_add(suite, a_wrong_answer_has_the_place_of_its_entry);
    check_add(suite, the_host_adds_to_a_file);
    check_add(suite, nonsense_is_answered);
    check_add(suite, every_refused_allocation_is_survived);
    return suite;
}

CHECK_MAIN(yaml_suite)
