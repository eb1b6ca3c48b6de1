/* unit/named_test.c: clusters that name what to ask DNS for: what is refused, defaults, what a file says of
 * it, what stays over a new configuration, and the resolver's life without any server. */

#include <poll.h>
#include <pthread.h>
#include <stdio.h>

#include <gw/resolver.h>
#include <gw/yaml.h>

#include "alloc.h"
#include "base/text.h"
#include "check_main.h"
#include "config/snapshot.h"
#include "gw_features.h"
#include "resolve/changes.h"
#include "worker/engine.h"

/* ---- the builder ---- */

struct parts {
    gw_cluster_spec cluster;
    gw_dns_spec dns;
    gw_origin origin;
    gw_str servers[9];
    bool has_endpoint;
};

static gw_verdict nothing(void *ctx, gw_exchange *x)
{
    (void)ctx;
    (void)x;
    return GW_ABORT;
}

static void parts_init(struct parts *p)
{
    memset(p, 0, sizeof *p);
    p->cluster = GW_SPEC(gw_cluster_spec);
    p->cluster.name = GW_STR("api");
    p->cluster.dns = &p->dns;
    p->dns = GW_SPEC(gw_dns_spec);
    p->dns.name = GW_STR("api.example");
    p->dns.port = 80;
    p->origin = GW_SPEC(gw_origin);
    p->origin.on_request = nothing;
    p->dns.servers = p->servers;
}

static gw_status build(const struct parts *p, const gw_allocator *allocator, gw_config **out,
                       gw_config_error *err)
{
    gw_env env = GW_SPEC(gw_env);
    gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
    gw_builder *b;
    gw_status status;

    if (allocator != NULL)
        env.allocator = *allocator;
    status = gw_builder_new(&env, &b);
    if (status != GW_OK)
        return status;
    endpoint.address = GW_STR("10.0.0.1:80");
    gw_id id = gw_builder_cluster(b, &p->cluster);
    if (p->has_endpoint)
        (void)gw_builder_endpoint(b, id, &endpoint);
    return gw_builder_build(b, out, err);
}

static gw_config *build_it(const struct parts *p)
{
    gw_config_error err = GW_SPEC(gw_config_error);
    gw_config *config = NULL;
    gw_status status = build(p, NULL, &config, &err);

    ck_assert_msg(status == GW_OK, "%s: %s", err.where, err.text);
    return config;
}

#if GW_HAVE_CARES

static char long_name[255];

/* X(where, text, what) */
#define REFUSALS(X)                                                                                \
    X("dns.size", "GW_SPEC", p->dns.size = 0)                                                      \
    X("dns.reserved", "0", p->dns.reserved = 1)                                                    \
    X("dns", "an origin", p->cluster.origin = &p->origin)                                          \
    X("dns", "live", p->cluster.flags = GW_CLUSTER_LIVE)                                           \
    X("dns", "exclude each other", p->has_endpoint = true)                                         \
    X("dns.name", "needed", p->dns.name = GW_STR(""))                                              \
    X("dns.name", "needed", p->dns.name = (gw_str){ NULL, 5 })                                     \
    X("dns.name", "longer than 253", p->dns.name = (gw_str){ long_name, 254 })                     \
    X("dns.name", "longer than 63", p->dns.name = (gw_str){ long_name, 64 })                       \
    X("dns.name", "other bytes", p->dns.name = GW_STR("a b"))                                      \
    X("dns.name", "an address", p->dns.name = GW_STR("10.0.0.1"))                                  \
    X("dns.name", "localhost", p->dns.name = GW_STR("localhost"))                                  \
    X("dns.types", "mean nothing", p->dns.types = 8)                                               \
    X("dns.port", "from 1 to 65535", p->dns.port = 0)                                              \
    X("dns.port", "from 1 to 65535", p->dns.port = 65536)                                          \
    X("dns.port", "SRV says", p->dns.types = GW_DNS_SRV)                                           \
    X("dns.ttl_min_ms", "10ms to 24h", p->dns.ttl_min_ms = 9)                                      \
    X("dns.ttl_min_ms", "10ms to 24h", p->dns.ttl_min_ms = 86400001)                               \
    X("dns.ttl_max_ms", "10ms to 168h", p->dns.ttl_max_ms = 604800001)                             \
    X("dns.ttl_max_ms", "less than the least", p->dns.ttl_min_ms = 100, p->dns.ttl_max_ms = 99)    \
    X("dns.retry_ms", "10ms to", p->dns.retry_ms = 9)                                              \
    X("dns.retry_max_ms", "10ms to", p->dns.retry_max_ms = GW_OFF)                                 \
    X("dns.retry_max_ms", "less than the base", p->dns.retry_max_ms = 999)                         \
    X("dns.stale_ms", "or off", p->dns.stale_ms = 604800001)                                       \
    X("dns.empty_ms", "or off", p->dns.empty_ms = 86400001)                                        \
    X("dns.servers", "is NULL", p->dns.servers = NULL, p->dns.servers_len = 1)                     \
    X("dns.servers", "too long", p->dns.servers_len = 9)                                           \
    X("dns.servers[1]", "no address", p->servers[0] = GW_STR("10.0.0.1"),                          \
      p->servers[1] = GW_STR("ns.example:53"), p->dns.servers_len = 2)                             \
    X("dns.servers[0]", "no address", p->servers[0] = GW_STR("10.0.0.1:0"), p->dns.servers_len = 1)

static const struct refusal {
    const char *where, *text;
} refusals[] = {
#define ROW(where, text, ...) { where, text },
    REFUSALS(ROW)
#undef ROW
};
enum { REFUSALS_LEN = sizeof refusals / sizeof refusals[0] };

static void spoil(struct parts *p, int row)
{
    int n = 0;
#define SPOIL(where, text, ...)                                                                    \
    if (row == n++) {                                                                              \
        __VA_ARGS__;                                                                               \
    }
    REFUSALS(SPOIL)
#undef SPOIL
}

START_TEST(what_is_refused)
{
    struct parts p;
    gw_config_error err = GW_SPEC(gw_config_error);
    gw_config *config = NULL;
    char where[64];

    memset(long_name, 'x', sizeof long_name);
    parts_init(&p);
    spoil(&p, _i);
    snprintf(where, sizeof where, "clusters[0].%s", refusals[_i].where);
    ck_assert_int_ne(build(&p, NULL, &config, &err), GW_OK);
    ck_assert_str_eq(err.where, where);
    ck_assert_msg(strstr(err.text, refusals[_i].text) != NULL, "%s", err.text);
}
END_TEST

START_TEST(defaults)
{
    struct parts p;
    gw_dns_spec dns = GW_SPEC(gw_dns_spec);
    gw_str cluster;

    parts_init(&p);
    gw_config *config = build_it(&p);
    ck_assert_int_eq(gw_config_dns(config, 0, &cluster, &dns), GW_OK);
    ck_assert(gw_str_eq(cluster, GW_STR("api")) && gw_str_eq(dns.name, GW_STR("api.example")));
    ck_assert_uint_eq(dns.types, GW_DNS_A | GW_DNS_AAAA);
    ck_assert_uint_eq(dns.ttl_min_ms, 5000);
    ck_assert_uint_eq(dns.ttl_max_ms, 300000);
    ck_assert_uint_eq(dns.retry_ms, 1000);
    ck_assert_uint_eq(dns.retry_max_ms, 60000);
    ck_assert_uint_eq(dns.stale_ms, 86400000);
    ck_assert_uint_eq(dns.empty_ms, 30000);
    ck_assert_uint_eq(dns.servers_len, 0);
    ck_assert_int_eq(gw_config_dns(config, 1, &cluster, &dns), GW_EUNKNOWN);
    ck_assert_int_eq(gw_config_dns(NULL, 0, &cluster, &dns), GW_EINVAL);
    dns.size = 0;
    ck_assert_int_eq(gw_config_dns(config, 0, &cluster, &dns), GW_EINVAL);
    gw_config_unref(config);
}
END_TEST

START_TEST(limits_follow_each_other)
{
    struct parts p;
    gw_dns_spec dns = GW_SPEC(gw_dns_spec);

    parts_init(&p);
    p.dns.ttl_min_ms = 400000;
    p.dns.retry_ms = 70000;
    p.dns.stale_ms = p.dns.empty_ms = GW_OFF;
    p.servers[0] = GW_STR("10.0.0.1");
    p.servers[1] = GW_STR("[::1]:5353");
    p.servers[2] = GW_STR("::2");
    p.dns.servers_len = 3;
    gw_config *config = build_it(&p);
    ck_assert_int_eq(gw_config_dns(config, 0, NULL, &dns), GW_OK);
    ck_assert_uint_eq(dns.ttl_max_ms, 400000);
    ck_assert_uint_eq(dns.retry_max_ms, 70000);
    ck_assert_uint_eq(dns.stale_ms, GW_OFF);
    ck_assert_uint_eq(dns.empty_ms, GW_OFF);
    ck_assert_str_eq(config->clusters[0].dns->servers.ptr, "10.0.0.1:53,[::1]:5353,[::2]:53");
    ck_assert_uint_eq(config->clusters[0].dns->plan.times.stale, 0);
    gw_config_unref(config);
    parts_init(&p);
    p.dns.ttl_max_ms = 100;
    config = build_it(&p);
    ck_assert_int_eq(gw_config_dns(config, 0, NULL, &dns), GW_OK);
    ck_assert_uint_eq(dns.ttl_min_ms, 100);
    gw_config_unref(config);
}
END_TEST

START_TEST(each_allocation_fails_in_turn)
{
    struct test_alloc alloc;
    struct parts p;

    parts_init(&p);
    p.servers[0] = GW_STR("10.0.0.1");
    p.dns.servers_len = 1;
    test_alloc_init(&alloc);
    for (uint64_t k = 1;; k++) {
        gw_config_error err = GW_SPEC(gw_config_error);
        gw_config *config = NULL;
        test_alloc_restart(&alloc);
        alloc.fail_at = k;
        gw_status status = build(&p, &alloc.allocator, &config, &err);
        bool has_failed = alloc.failed > 0;
        ck_assert_int_eq(status, has_failed ? GW_ENOMEM : GW_OK);
        gw_config_unref(config);
        test_alloc_fini(&alloc);
        if (!has_failed)
            break;
    }
}
END_TEST

/* ---- a file ---- */

#if GW_HAVE_YAML

static const struct file_row {
    const char *file; /* behind name: */
    size_t at;        /* of a number of gw_dns_spec */
    uint32_t wanted;
} file_rows[] = {
    { "port: 81", offsetof(gw_dns_spec, port), 81 },
    { "port: 80, type: a", offsetof(gw_dns_spec, types), GW_DNS_A },
    { "port: 80, type: aaaa", offsetof(gw_dns_spec, types), GW_DNS_AAAA },
    { "port: 80, type: a+aaaa", offsetof(gw_dns_spec, types), GW_DNS_A | GW_DNS_AAAA },
    { "type: srv", offsetof(gw_dns_spec, types), GW_DNS_A | GW_DNS_AAAA | GW_DNS_SRV },
    { "type: srv+a", offsetof(gw_dns_spec, types), GW_DNS_A | GW_DNS_SRV },
    { "type: srv+aaaa", offsetof(gw_dns_spec, types), GW_DNS_AAAA | GW_DNS_SRV },
    { "port: 80, ttl: { min: 2s }", offsetof(gw_dns_spec, ttl_min_ms), 2000 },
    { "port: 80, ttl: { max: 2m }", offsetof(gw_dns_spec, ttl_max_ms), 120000 },
    { "port: 80, retry: { base: 2s }", offsetof(gw_dns_spec, retry_ms), 2000 },
    { "port: 80, retry: { max: 2m }", offsetof(gw_dns_spec, retry_max_ms), 120000 },
    { "port: 80, stale: 1h", offsetof(gw_dns_spec, stale_ms), 3600000 },
    { "port: 80, stale: off", offsetof(gw_dns_spec, stale_ms), GW_OFF },
    { "port: 80, empty: 5s", offsetof(gw_dns_spec, empty_ms), 5000 },
    { "port: 80, empty: 0", offsetof(gw_dns_spec, empty_ms), GW_OFF },
};
enum { FILE_ROWS = sizeof file_rows / sizeof file_rows[0] };

static gw_status load(const char *dns, const char *more, gw_config **out, gw_yaml_error *err)
{
    char text[1000];

    snprintf(text, sizeof text,
             "listeners: [ { name: l } ]\n"
             "clusters:\n"
             "  - name: api\n"
             "    dns: { %s }\n%s"
             "routes: [ { name: all, cluster: api } ]\n",
             dns, more);
    *err = GW_SPEC(gw_yaml_error);
    return gw_yaml_load(NULL, gw_cstr(text), NULL, NULL, NULL, NULL, out, err);
}

START_TEST(a_file_says_it_too)
{
    const struct file_row *row = &file_rows[_i];
    gw_dns_spec dns = GW_SPEC(gw_dns_spec);
    gw_yaml_error err;
    gw_config *config = NULL;
    char text[200];

    snprintf(text, sizeof text, "name: api.example, %s, servers: [ 10.0.0.1, \"10.0.0.2:54\" ]",
             row->file);
    ck_assert_msg(load(text, "", &config, &err) == GW_OK, "%s: %s", err.where, err.text);
    ck_assert_int_eq(gw_config_dns(config, 0, NULL, &dns), GW_OK);
    ck_assert_uint_eq(*(const uint32_t *)(const void *)((const char *)&dns + row->at), row->wanted);
    ck_assert(gw_str_eq(dns.name, GW_STR("api.example")));
    ck_assert_uint_eq(dns.servers_len, 2);
    ck_assert(gw_str_eq(dns.servers[1], GW_STR("10.0.0.2:54")));
    gw_config_unref(config);
}
END_TEST

START_TEST(faults_of_a_file_have_places)
{
    static const struct {
        const char *dns, *more, *where, *text;
        uint32_t line;
    } rows[] = {
        { "port: 80", "", "clusters[0].dns.name", "needed", 4 },
        { "name: a b, port: 80", "", "clusters[0].dns.name", "other bytes", 4 },
        { "name: a", "", "clusters[0].dns.port", "needed", 4 },
        { "name: a, port: 80, type: mx", "", "clusters[0].dns.type", "is none of a aaaa", 4 },
        { "name: a, port: 80, type: AAA", "", "clusters[0].dns.type", "did you mean \"aaaa\"?", 4 },
        { "name: a, port: 80, type: A", "", "clusters[0].dns.type", "did you mean \"a\"?", 4 },
        { "name: a, port: 80, retry: { base: off }", "", "clusters[0].dns.retry.base",
          "it is from 10ms to 24h", 4 },
        { "name: a, port: 80, servers: []", "", "clusters[0].dns.servers", "the list is empty", 4 },
        { "name: a, port: 80, ttl: { min: 1ms }", "", "clusters[0].dns.ttl.min", "10ms to", 4 },
        { "name: a, port: 80, ttl: { max: 1ms }", "", "clusters[0].dns.ttl.max", "10ms to", 4 },
        { "name: a, port: 80, retry: { base: 1ms }", "", "clusters[0].dns.retry.base", "10ms to",
          4 },
        { "name: a, port: 80, retry: { max: 1ms }", "", "clusters[0].dns.retry.max", "10ms to", 4 },
        { "name: a, port: 80, stale: 200h", "", "clusters[0].dns.stale", "or off", 4 },
        { "name: a, port: 80, empty: 200h", "", "clusters[0].dns.empty", "or off", 4 },
        { "name: a, port: 80, servers: [ 10.0.0.1, x ]", "", "clusters[0].dns.servers[1]",
          "no address", 4 },
        { "name: a, port: 80", "    endpoints: [ { address: \"10.0.0.1:80\" } ]\n",
          "clusters[0].dns", "exclude each other", 4 },
        { "name: a, port: 80", "    live: true\n", "clusters[0].dns", "live", 4 },
    };
    gw_yaml_error err;
    gw_config *config = NULL;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_int_ne(load(rows[i].dns, rows[i].more, &config, &err), GW_OK);
        ck_assert_str_eq(err.where, rows[i].where);
        ck_assert_msg(strstr(err.text, rows[i].text) != NULL, "%s", err.text);
        ck_assert_uint_eq(err.line, rows[i].line);
    }
}
END_TEST

#endif

/* ---- an engine ---- */

struct world {
    struct test_alloc alloc;
    gw_engine *engine;
};

static void start(struct world *w)
{
    gw_env env = GW_SPEC(gw_env);
    gw_engine_spec spec = GW_SPEC(gw_engine_spec);

    test_alloc_init(&w->alloc);
    env.allocator = w->alloc.allocator;
    env.log_level = GW_OFF;
    spec.env = &env;
    ck_assert_int_eq(gw_engine_new(&spec, &w->engine), GW_OK);
}

static void end(struct world *w)
{
    gw_engine_free(w->engine);
    test_alloc_fini(&w->alloc);
}

static void apply(struct world *w, const struct parts *p)
{
    gw_config *config = build_it(p);

    ck_assert_int_eq(gw_engine_apply(w->engine, config, NULL), GW_OK);
    gw_config_unref(config);
}

/* Nobody listens on port 1 of this address. */
static void nowhere(struct parts *p)
{
    parts_init(p);
    p->servers[0] = GW_STR("127.0.0.1:1");
    p->dns.servers_len = 1;
}

static void until_heard(gw_resolver *r)
{
    struct pollfd ready = { .fd = gw_resolver_fd(r), .events = POLLIN };

    ck_assert_int_ge(ready.fd, 0);
    do {
        ck_assert_int_eq(gw_resolver_step(r), GW_OK);
    } while (gw_resolver_pending(r) > 0 && poll(&ready, 1, -1) == 1);
    ck_assert_uint_eq(gw_resolver_pending(r), 0);
}

START_TEST(calls_leave_it_alone)
{
    struct world w;
    struct parts p;
    gw_endpoint_spec one = GW_SPEC(gw_endpoint_spec);
    gw_config_error err = GW_SPEC(gw_config_error);

    start(&w);
    nowhere(&p);
    apply(&w, &p);
    one.address = GW_STR("10.0.0.1:80");
    ck_assert_int_eq(gw_engine_set_endpoints(w.engine, GW_STR("api"), &one, 1, &err), GW_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "come from DNS"));
    ck_assert_int_eq(gw_engine_put_endpoint(w.engine, GW_STR("api"), &one, NULL), GW_EINVAL);
    end(&w);
}
END_TEST

START_TEST(a_resolver_lives_and_ends)
{
    struct world w;
    struct parts p;
    gw_resolver *r, *other;

    start(&w);
    ck_assert_int_eq(gw_resolver_new(w.engine, NULL, &r), GW_OK);
    ck_assert_int_eq(gw_resolver_new(w.engine, NULL, &other), GW_ESTATE);
    ck_assert_int_eq(gw_resolver_step(r), GW_OK); /* there is no configuration */
    gw_engine_free(w.engine);                     /* does nothing: the resolver is left */
    nowhere(&p);
    apply(&w, &p);
    struct pollfd ready = { .fd = gw_resolver_fd(r), .events = POLLIN };
    ck_assert_int_eq(poll(&ready, 1, -1), 1); /* it has heard of that */
    until_heard(r);
    p.dns.name = GW_STR("other.example");
    apply(&w, &p);
    ck_assert_int_eq(gw_resolver_step(r), GW_OK);
    gw_resolver_free(r); /* with a question under way, perhaps */
    ck_assert_int_eq(gw_resolver_new(w.engine, NULL, &r), GW_OK);
    gw_resolver_stop(r);
    ck_assert_int_eq(gw_resolver_run(r), GW_OK);
    gw_resolver_free(r);
    end(&w);
}
END_TEST

START_TEST(a_resolver_without_memory)
{
    struct world w;
    struct parts p;

    start(&w);
    nowhere(&p);
    apply(&w, &p);
    for (uint64_t k = 1;; k++) {
        gw_resolver *r = NULL;
        test_alloc_restart(&w.alloc);
        w.alloc.fail_at = k;
        gw_status status = gw_resolver_new(w.engine, NULL, &r);
        if (status == GW_OK)
            status = gw_resolver_step(r);
        bool has_failed = w.alloc.failed > 0;
        w.alloc.fail_at = 0;
        ck_assert(status == GW_OK || (status == GW_ENOMEM && has_failed));
        gw_resolver_free(r);
        if (!has_failed)
            break;
    }
    end(&w);
}
END_TEST

static void *run(void *r)
{
    ck_assert_int_eq(gw_resolver_run(r), GW_OK);
    return NULL;
}

START_TEST(a_resolver_in_its_thread)
{
    struct world w;
    struct parts p;
    gw_resolver *r;
    pthread_t thread;

    start(&w);
    ck_assert_int_eq(gw_resolver_new(w.engine, NULL, &r), GW_OK);
    ck_assert_int_eq(pthread_create(&thread, NULL, run, r), 0);
    nowhere(&p);
    for (int i = 0; i < 60; i++) {
        p.dns.name = i % 3 == 0 ? GW_STR("api.example") : GW_STR("other.example");
        p.cluster.dns = i % 5 == 4 ? NULL : &p.dns;
        p.cluster.flags = i % 5 == 4 ? GW_CLUSTER_LIVE : 0;
        apply(&w, &p);
    }
    gw_resolver_stop(r);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    gw_resolver_free(r);
    end(&w);
}
END_TEST

/* What DNS has said stays under a new configuration that has it said by DNS too; not under another. */
START_TEST(endpoints_outlive_a_configuration)
{
    struct world w;
    struct parts p;
    gw_endpoint_spec one = GW_SPEC(gw_endpoint_spec);
    gw_config *config;

    start(&w);
    nowhere(&p);
    apply(&w, &p);
    one.address = GW_STR("10.0.0.7:80");
    config = gw_engine_config(w.engine);
    ck_assert_int_eq(gw_engine_set_resolved(w.engine, config, 0, &one, 1), GW_OK);
    p.dns.name = GW_STR("other.example");
    p.cluster.balance = GW_BALANCE_CONSISTENT_HASH;
    apply(&w, &p);
    ck_assert_uint_eq(w.engine->current->clusters[0].endpoints->len, 1);
    ck_assert(gw_str_eq(w.engine->current->clusters[0].endpoints->list[0].name, one.address));
    /* It is about a configuration that is over. */
    ck_assert_int_eq(gw_engine_set_resolved(w.engine, config, 0, NULL, 0), GW_ESTATE);
    gw_config_unref(config);
    p.cluster.dns = NULL;
    p.cluster.flags = GW_CLUSTER_LIVE;
    apply(&w, &p);
    ck_assert_uint_eq(w.engine->current->clusters[0].endpoints->len, 0);
    end(&w);
}
END_TEST

/* ---- what is said ---- */

static void take_line(void *ctx, uint32_t level, const char *event, const char *text)
{
    (void)level;
    (void)event;
    (void)snprintf(ctx, 128, "%s", text);
}

START_TEST(failures_are_counted_in_words)
{
    static const char *const ends[] = { "after 1 failure", "after 7 failures" };
    struct gw_dns_question before = { .failures = _i == 0 ? 1 : 7 }, after = { .failures = 0 };
    char line[128] = "";
    struct gw_log log = { .write = take_line, .ctx = line, .level = GW_LOG_INFO };

    gw_dns_say_told(&log, 1, GW_STR("api"), &before, &after, "");
    ck_assert_ptr_nonnull(strstr(line, "answered again"));
    ck_assert_str_eq(line + strlen(line) - strlen(ends[_i]), ends[_i]);
}
END_TEST

START_TEST(no_spec_of_a_resolver)
{
    struct world w;
    gw_resolver_spec spec = GW_SPEC(gw_resolver_spec);
    gw_resolver *r;

    start(&w);
    spec.size = 0;
    ck_assert_int_eq(gw_resolver_new(w.engine, &spec, &r), GW_EINVAL);
    ck_assert_int_eq(gw_resolver_new(NULL, NULL, &r), GW_EINVAL);
    ck_assert_int_eq(gw_resolver_new(w.engine, NULL, NULL), GW_EINVAL);
    end(&w);
}
END_TEST

#else

START_TEST(without_it)
{
    struct parts p;
    gw_config_error err = GW_SPEC(gw_config_error);
    gw_engine_spec spec = GW_SPEC(gw_engine_spec);
    gw_config *config = NULL;
    gw_engine *engine;
    gw_resolver *r = NULL;

    parts_init(&p);
    ck_assert_int_eq(build(&p, NULL, &config, &err), GW_EUNSUPPORTED);
    ck_assert_str_eq(err.where, "clusters[0].dns");
    ck_assert_ptr_nonnull(strstr(err.text, "without c-ares"));
    p.cluster.dns = NULL;
    p.cluster.flags = GW_CLUSTER_LIVE;
    gw_config_unref(build_it(&p));
    ck_assert_int_eq(gw_engine_new(&spec, &engine), GW_OK);
    ck_assert_int_eq(gw_resolver_new(engine, NULL, &r), GW_EUNSUPPORTED);
    ck_assert_int_eq(gw_resolver_fd(r), -1);
    ck_assert_int_eq(gw_resolver_step(r), GW_EINVAL);
    ck_assert_int_eq(gw_resolver_run(r), GW_EINVAL);
    ck_assert_uint_eq(gw_resolver_pending(r), 0);
    gw_resolver_stop(r);
    gw_resolver_free(r);
    gw_engine_free(engine);
}
END_TEST

#endif

static Suite *named_suite(void)
{
    Suite *s = suite_create("named");

#if GW_HAVE_CARES
    check_add_loop(s, what_is_refused, 0, REFUSALS_LEN);
    check_add(s, defaults);
    check_add(s, limits_follow_each_other);
    check_add(s, each_allocation_fails_in_turn);
#if GW_HAVE_YAML
    check_add_loop(s, a_file_says_it_too, 0, FILE_ROWS);
    check_add(s, faults_of_a_file_have_places);
#endif
    check_add(s, calls_leave_it_alone);
    check_add(s, a_resolver_lives_and_ends);
    check_add(s, a_resolver_without_memory);
    check_add(s, a_resolver_in_its_thread);
    check_add(s, endpoints_outlive_a_configuration);
    check_add(s, no_spec_of_a_resolver);
    check_add_loop(s, failures_are_counted_in_words, 0, 2);
#else
    check_add(s, without_it);
#endif
    return s;
}

CHECK_MAIN(named_suite)
