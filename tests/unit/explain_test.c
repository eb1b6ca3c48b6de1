/* unit/explain_test.c: what is explained is what then happens: each request is explained first, by the
 * worker that it is served by next, in mode 1; of random configurations and of the fuzzers' corpora. */

#include <dirent.h>
#include <gw/explain.h>
#include <stdlib.h>

#include "base/prng.h"
#include "check_main.h"
#include "parts.h"

#define MS UINT64_C(1000000)

static struct mode1 host;
static struct gw_prng prng;

static uint32_t below(uint32_t n)
{
    return (uint32_t)gw_prng_below(&prng, n);
}

static const char *one_of(const char *const *texts, uint32_t n)
{
    return texts[below(n)];
}
#define ONE_OF(texts) one_of((texts), sizeof(texts) / sizeof(texts)[0])

/* ---- what really happened, as hooks see it ---- */

static struct {
    bool is_watched;   /* from the next exchange on            */
    gw_exchange_id id; /* of that one; 0: it has not come yet  */
    bool is_sent, is_asked, is_ended;
    char route[132], cluster[132], endpoint[404];
    uint32_t code, grpc_status;
    gw_cause cause;
} seen;

static void copy(char *out, gw_str name)
{
    memcpy(out, name.len > 0 ? name.ptr : "", name.len);
    out[name.len] = '\0';
}

static bool is_seen(const gw_exchange *x)
{
    if (seen.is_watched && seen.id == 0)
        seen.id = gw_exchange_get_id(x);
    return seen.is_watched && seen.id == gw_exchange_get_id(x);
}

static void look(const gw_exchange *x)
{
    gw_exchange_info info = GW_SPEC(gw_exchange_info);

    ck_assert_int_eq(gw_exchange_get_info(x, &info), GW_OK);
    copy(seen.route, info.route);
    copy(seen.cluster, info.cluster);
    copy(seen.endpoint, info.endpoint);
    seen.code = info.code;
    seen.grpc_status = info.grpc_status;
}

static gw_verdict on_request(void *ctx, gw_exchange *x)
{
    (void)ctx;
    (void)is_seen(x);
    return GW_NEXT;
}

static gw_verdict on_upstream(void *ctx, gw_exchange *x)
{
    (void)ctx;
    if (is_seen(x) && !seen.is_sent) {
        look(x);
        seen.is_sent = true;
    }
    return GW_NEXT;
}

static void on_end(void *ctx, const gw_exchange *x)
{
    (void)ctx;
    if (!is_seen(x) || seen.is_ended)
        return;
    seen.is_ended = true;
    if (!seen.is_sent)
        look(x);
    seen.cause = gw_exchange_cause(x);
}

static gw_verdict serve_origin(void *ctx, gw_exchange *x)
{
    (void)ctx;
    seen.is_asked = seen.is_asked || is_seen(x);
    return gw_exchange_respond(x, 204) == GW_OK ? GW_NEXT : GW_ABORT;
}

/* ---- configurations ---- */

static const char *const hosts[] = { "", "a.example", "b.example", "*.example", "*.b.example" };
static const char *const paths[] = { "/", "/a", "/a/b", "/c", "/a/b/c/d" };
static const char *const addresses[] = { "127.0.0.1:81", "127.0.0.1:82", "127.0.0.1:83",
                                         "127.0.0.1:84", "127.0.0.1:85", "127.0.0.1:86" };
static const char *const clusters[] = { "one", "two", "three", "own", "last" };
static const char *const limiters[] = { "first", "second", "third" };

static void add_filter(gw_builder *b)
{
    gw_filter filter = GW_SPEC(gw_filter);

    filter.name = "watch";
    filter.on_request = on_request;
    filter.on_upstream = on_upstream;
    filter.on_end = on_end;
    ck_assert_uint_ne(gw_builder_filter(b, &filter), 0);
}

static void add_origin(gw_builder *b, const char *name)
{
    gw_origin origin = GW_SPEC(gw_origin);
    gw_cluster_spec spec = GW_SPEC(gw_cluster_spec);

    origin.name = "own";
    origin.on_request = serve_origin;
    spec.origin = &origin;
    parts_cluster(b, name, &spec, NULL);
}

/* By what it is told alone; sometimes nobody, or somebody who is not there. */
static uint32_t choose(void *ctx, const gw_choice *c)
{
    uint32_t i = (uint32_t)(c->key + c->random) % (c->candidates + 1);

    (void)ctx;
    return i == c->candidates ? (uint32_t)(c->random % 3 == 0 ? GW_NOBODY : i) : i;
}

static void add_balancer(gw_builder *b)
{
    gw_balancer balancer = GW_SPEC(gw_balancer);

    balancer.name = "mine";
    balancer.choose = choose;
    ck_assert_uint_ne(gw_builder_balancer(b, &balancer), 0);
}

static void add_guards(gw_cluster_spec *spec, gw_breaker_spec *breaker, gw_throttle_spec *throttle,
                       gw_outlier_spec *outlier, gw_fallback_spec *fallback)
{
    static const char *const targets[] = { "own", "last", "" };

    if (below(2) == 0) {
        breaker->failures = 1 + below(3);
        breaker->sleep_ms = 500;
        spec->breaker = breaker;
    }
    if (below(3) == 0) {
        throttle->volume_min = 3;
        spec->throttle = throttle;
    }
    if (below(3) == 0) {
        outlier->failures = 2;
        outlier->time_ms = 700;
        spec->outlier = outlier;
    }
    if (below(3) == 0)
        spec->exchanges_max = 1 + below(3);
    if (below(2) == 0) {
        fallback->cluster = gw_cstr(ONE_OF(targets));
        fallback->code = fallback->cluster.len > 0 ? 0 : 418;
        spec->fallback = fallback;
    }
}

static void add_cluster(gw_builder *b, const char *name, bool is_guarded)
{
    const gw_str keys[] = { GW_STR("header:x-user"), GW_STR("client") };
    gw_cluster_spec spec = GW_SPEC(gw_cluster_spec);
    gw_hash_spec hash = GW_SPEC(gw_hash_spec);
    gw_breaker_spec breaker = GW_SPEC(gw_breaker_spec);
    gw_throttle_spec throttle = GW_SPEC(gw_throttle_spec);
    gw_outlier_spec outlier = GW_SPEC(gw_outlier_spec);
    gw_fallback_spec fallback = GW_SPEC(gw_fallback_spec);
    gw_affinity_spec affinity = GW_SPEC(gw_affinity_spec);
    uint32_t n = 1 + below(6);
    gw_id id;

    spec.name = gw_cstr(name);
    spec.balance = 1 + below(4);
    hash.keys = keys;
    hash.keys_len = below(3);
    hash.load_percent = below(2) == 0 ? 0 : 125;
    if (spec.balance == GW_BALANCE_CONSISTENT_HASH)
        spec.hash = &hash;
    else if (below(4) == 0)
        spec.slow_start_ms = 3000;
    if (below(6) == 0) {
        spec.balance = 0;
        spec.hash = NULL;
        spec.slow_start_ms = 0;
        spec.balancer = GW_STR("mine");
    }
    affinity.cookie = GW_STR("stay");
    if (below(3) == 0)
        spec.affinity = &affinity;
    if (is_guarded)
        add_guards(&spec, &breaker, &throttle, &outlier, &fallback);
    id = gw_builder_cluster(b, &spec);
    for (uint32_t i = 0; i < n; i++) {
        gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
        endpoint.address = gw_cstr(addresses[i]);
        endpoint.weight = below(8) == 0 ? GW_OFF : 1 + below(4);
        endpoint.priority = below(5) == 0;
        (void)gw_builder_endpoint(b, id, &endpoint);
    }
}

static void add_limiter(gw_builder *b, const char *name)
{
    gw_str keys[2] = { GW_STR("client"), GW_STR("header:x-user") };
    gw_limiter_spec spec = GW_SPEC(gw_limiter_spec);

    spec.name = gw_cstr(name);
    if (below(3) == 0) {
        spec.concurrency = 1 + below(3);
    } else {
        spec.tokens = 1 + below(4);
        spec.period_ms = 100 + below(2000);
    }
    if (below(3) == 0)
        keys[1] = GW_STR("header:x-user=bob");
    spec.keys = keys;
    spec.keys_len = below(3);
    spec.keys_max = spec.keys_len > 0 ? 1 + below(20) : 0;
    spec.scope = 1 + below(2);
    spec.flags = below(4) == 0 ? GW_LIMITER_SHADOW : 0;
    if (spec.keys_len > 0) {
        spec.flags |= below(2) == 0 ? GW_LIMITER_CLOSED : 0;
        spec.flags |= below(2) == 0 ? GW_LIMITER_KEYED : 0;
    }
    spec.code = below(2) == 0 ? 503 : 0;
    (void)gw_builder_limiter(b, &spec);
}

static void add_route(gw_builder *b, uint32_t i)
{
    static const char *const lists[] = { "first", "second", "third", "first second third",
                                         "second third" };
    const gw_str methods[] = { GW_STR("GET"), GW_STR("POST"), GW_STR("CONNECT") };
    const gw_str keys[] = { GW_STR("header:x-user") };
    gw_route_spec spec = GW_SPEC(gw_route_spec);
    gw_split_spec splits[3] = { GW_SPEC(gw_split_spec), GW_SPEC(gw_split_spec),
                                GW_SPEC(gw_split_spec) };
    gw_str names[2];
    char name[16];

    (void)snprintf(name, sizeof name, "r%u", i);
    spec.name = gw_cstr(name);
    spec.host = gw_cstr(below(2) == 0 ? "" : ONE_OF(hosts));
    spec.path = gw_cstr(ONE_OF(paths));
    spec.match = 1 + below(2);
    spec.priority = i; /* none ties */
    spec.methods = methods;
    spec.methods_len = below(4);
    spec.listener = below(4) == 0 ? GW_STR("side") : GW_STR("");
    spec.retries = below(2) == 0 ? GW_OFF : 2;
    names[0] = gw_cstr(ONE_OF(lists));
    names[1] = gw_cstr(ONE_OF(limiters));
    spec.limiters = names;
    spec.limiters_len = below(3);
    if (spec.limiters_len == 2 && strstr(names[0].ptr, names[1].ptr) != NULL)
        spec.limiters_len = 1; /* none is named twice */
    if (below(6) == 0) {
        spec.reply_code = 410;
    } else if (below(2) == 0) {
        for (int j = 0; j < 3; j++) {
            splits[j].cluster = gw_cstr(clusters[j]);
            splits[j].weight = 1 + below(9);
        }
        spec.splits = splits;
        spec.splits_len = 3;
        spec.split_keys = keys;
        spec.split_keys_len = below(2);
    } else {
        spec.cluster = gw_cstr(ONE_OF(clusters));
        spec.flags = below(4) == 0 ? GW_ROUTE_CONNECT : 0;
    }
    (void)gw_builder_route(b, &spec);
}

static void add_parts(gw_builder *b)
{
    uint32_t routes = 4 + below(20);

    parts_listener(b, "edge");
    parts_listener(b, "side");
    add_filter(b);
    add_balancer(b);
    add_cluster(b, "one", true);
    add_cluster(b, "two", true);
    add_cluster(b, "three", false);
    add_cluster(b, "last", below(2) == 0);
    add_origin(b, "own");
    for (size_t i = 0; i < sizeof limiters / sizeof limiters[0]; i++)
        add_limiter(b, limiters[i]);
    for (uint32_t i = 0; i < routes; i++)
        add_route(b, i);
}

/* Random ones may hide each other, or have one fall back on itself: then another one. */
static gw_config *random_config(void)
{
    gw_config *config = NULL;

    while (config == NULL) {
        gw_builder *b = parts_begin(&host);
        add_parts(b);
        (void)!gw_builder_build(b, &config, NULL);
    }
    return config;
}

/* ---- requests ---- */

enum { CLIENTS = 24 };

static struct client {
    struct mode1_link *link;
    const char *address, *listener;
} them[CLIENTS];

static void accept_client(struct client *c, const char *address, const char *listener)
{
    gw_accept_spec spec = GW_SPEC(gw_accept_spec);
    gw_facts facts = GW_SPEC(gw_facts);
    gw_link *link;

    facts.peer = gw_cstr(address);
    spec.facts = &facts;
    spec.listener = gw_cstr(listener);
    ck_assert_int_eq(gw_worker_accept(host.worker, &spec, &link), GW_OK);
    *c = (struct client){ mode1_find(&host, link), address, listener };
}

static char told[32768]; /* the steps of the last one, for who has to find out why it is wrong */

static void tell(void *ctx, const gw_explain_step *step)
{
    size_t len = strlen(told);

    (void)ctx;
    (void)snprintf(told + len, sizeof told - len, "%s %.*s: %s (%u)\n", step->what,
                   (int)step->name.len, step->name.ptr, step->text, step->verdict);
}

static void leave(struct client *c)
{
    if (c->link == NULL || c->link->link == NULL)
        return;
    gw_link_abort(c->link->link);
    mode1_pump(&host);
    c->link->is_upstream = true; /* its place may be another's */
}

static gw_explained explain(gw_explain_spec *spec)
{
    gw_explained e = GW_SPEC(gw_explained);

    told[0] = '\0';
    spec->on_step = tell;
    spec->worker = host.worker;
    spec->now = host.now;
    ck_assert_int_eq(gw_explain(host.engine, spec, &e), GW_OK);
    return e;
}

static uint32_t outcomes[8], reasons[256]; /* how often each was met */

/* What was explained is what has happened. */
static void compare(const gw_explained *e, const char *request)
{
    outcomes[e->ends]++;
    reasons[e->cause.reason]++;
    if (e->ends == GW_ENDS_ENDPOINT) {
        ck_assert_msg(seen.is_sent, "%s%s: not sent, but %u %s", request, told, seen.code,
                      gw_phase_name(seen.cause.phase));
        ck_assert_msg(strcmp(seen.endpoint, e->endpoint) == 0, "%s%s: it is %s", request, told,
                      seen.endpoint);
        ck_assert_str_eq(seen.cluster, e->cluster);
        ck_assert_str_eq(seen.route, e->route);
        return;
    }
    ck_assert_msg(!seen.is_sent, "%s%s: sent to %s, not %u, %u", request, told, seen.endpoint,
                  e->ends, e->code);
    ck_assert_int_eq(seen.is_asked, e->ends == GW_ENDS_ORIGIN);
    ck_assert_msg(seen.is_ended, "%s%s: has not ended, not %u, %u", request, told, e->ends,
                  e->code);
    ck_assert_str_eq(seen.route, e->route);
    ck_assert_str_eq(seen.cluster, e->cluster);
    if (e->ends == GW_ENDS_ORIGIN)
        return;
    ck_assert_msg(seen.code == e->code, "%s%s: %u, not %u", request, told, seen.code, e->code);
    ck_assert_uint_eq(seen.cause.by, e->cause.by);
    ck_assert_str_eq(gw_phase_name(seen.cause.phase), gw_phase_name(e->cause.phase));
    ck_assert_uint_eq(seen.cause.reason, e->cause.reason);
    ck_assert_int_eq(seen.cause.status, e->cause.status);
    ck_assert_uint_eq(seen.grpc_status, e->grpc_status);
}

static void watch(void)
{
    memset(&seen, 0, sizeof seen);
    seen.is_watched = true;
}

/* Some answer, some fail, some never say anything. */
static void answer_some(void)
{
    static const char *const answers[] = { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                                           "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                                           "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n",
                                           "nonsense\r\n\r\n" };

    for (int i = 0; i < host.count; i++) {
        struct mode1_link *l = &host.links[i];
        if (l->link == NULL || !l->is_upstream || l->out_len == 0 || below(3) == 0)
            continue;
        mode1_clear(l);
        mode1_say(&host, l, ONE_OF(answers));
    }
}

static struct client *free_client(void)
{
    static const char *const from[] = { "10.0.0.1:1", "10.0.0.2:1", "[::1]:7" };
    static const char *const at[] = { "edge", "edge", "side" };
    struct client *c = &them[below(CLIENTS)];

    leave(c);
    accept_client(c, ONE_OF(from), ONE_OF(at));
    return c;
}

static char cookie[64]; /* the last that anybody was given */

static void keep_cookie(const struct client *c)
{
    const char *at = c->link->link != NULL ? strstr(c->link->out, "Set-Cookie: stay=") : NULL;

    if (at != NULL)
        (void)snprintf(cookie, sizeof cookie, "%.21s", at + strlen("Set-Cookie: "));
}

static void go_once(void)
{
    static const char *const methods[] = { "GET", "GET", "GET", "POST", "OPTIONS" };
    static const char *const names[] = { "a.example", "b.example", "c.b.example", "a.example:8080",
                                         "other" };
    static const char *const targets[] = { "/",      "/a",     "/a/b?q=1", "/a/../c",
                                           "/c/%64", "/zz%zz", "/a/b/c/d" };
    static const char *const users[] = { "bob", "eve", "" };
    struct client *c = free_client();
    gw_explain_spec spec = GW_SPEC(gw_explain_spec);
    gw_call_field fields[] = { { GW_STR("X-User"), gw_cstr(ONE_OF(users)) },
                               { GW_STR("Cookie"), gw_cstr(cookie) } };
    const char *name = ONE_OF(names), *method = ONE_OF(methods), *target = ONE_OF(targets);
    char request[512];
    gw_explained e;

    spec.listener = gw_cstr(c->listener);
    spec.client = gw_cstr(c->address);
    spec.method = gw_cstr(method);
    spec.host = gw_cstr(name);
    spec.target = gw_cstr(target);
    spec.fields = fields;
    spec.fields_len = 2;
    e = explain(&spec);
    (void)snprintf(request, sizeof request,
                   "%s %s HTTP/1.1\r\nHost: %s\r\nX-User: %s\r\nCookie: %s\r\n\r\n", method, target,
                   name, fields[0].value.ptr, cookie);
    watch();
    mode1_say(&host, c->link, request);
    compare(&e, request);
    answer_some();
    keep_cookie(c);
}

static void force_some(void)
{
    const uint32_t what[] = { GW_KIND_ENDPOINT, GW_KIND_BREAKER, GW_KIND_OUTLIER };
    const uint32_t as[] = { GW_STATE_OPEN, GW_STATE_CLOSED, GW_STATE_EJECTED, 0 };
    gw_force_spec spec = GW_SPEC(gw_force_spec);

    spec.kind = what[below(3)];
    spec.state = as[below(4)];
    spec.for_ms = 1 + below(3000);
    spec.cluster = gw_cstr(ONE_OF(clusters));
    spec.name = gw_cstr(below(2) == 0 ? "" : ONE_OF(addresses));
    spec.now = host.now;
    (void)!gw_engine_force(host.engine, &spec); /* what is not there cannot be */
}

static void start(gw_config *config)
{
    memset(them, 0, sizeof them);
    mode1_start(&host, config, NULL);
    mode1_pump(&host);
}

static void begin(uint64_t seed)
{
    memset(&host, 0, sizeof host);
    memset(&seen, 0, sizeof seen);
    prng.state = seed;
    test_alloc_init(&host.alloc);
}

/* EXPLAIN_SEEDS=10000: so many. */
static uint64_t seeds(uint64_t otherwise)
{
    const char *text = getenv("EXPLAIN_SEEDS");

    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

/* It says nothing of what never comes up. */
static void check_all_came_up(void)
{
    static const char *const names[] = { "no_route",     "method_not_allowed", "limited",
                                         "cluster_full", "breaker_open",       "throttled",
                                         "bad_target",   "forced_out",         "bad_choice",
                                         "no_endpoint" };
    gw_reason row = GW_SPEC(gw_reason);

    for (uint32_t ends = GW_ENDS_ENDPOINT; ends <= GW_ENDS_FAILURE; ends++)
        ck_assert_uint_gt(outcomes[ends], 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        uint32_t reason = 0;
        while (gw_reason_of(reason, &row) == GW_OK && strcmp(row.name, names[i]) != 0)
            reason++;
        ck_assert_msg(reasons[reason] > 0, "%s never came up", names[i]);
    }
}

START_TEST(what_is_explained_happens)
{
    for (uint64_t seed = 1; seed <= seeds(100); seed++) {
        begin(seed);
        (void)snprintf(cookie, sizeof cookie, "none=1");
        start(random_config());
        host.refused = below(2) == 0 ? addresses[below(6)] : NULL;
        for (int i = 0; i < 60; i++) {
            host.now += below(3) == 0 ? 0 : below(400) * MS;
            mode1_pump(&host);
            if (below(8) == 0)
                force_some();
            go_once();
        }
        mode1_stop(&host);
    }
    check_all_came_up();
}
END_TEST

/* ---- requests as bytes ---- */

enum { RAW_MAX = 1 << 16, RAW_FIELDS = 200 };

/* A head that can be said in parts: lines that end with CRLF, fields that begin with no space and have a
 * colon, HTTP/1.0 or 1.1. What cannot is refused by its codec, and nobody decides anything. */
static bool take_apart(gw_str raw, gw_explain_spec *spec, gw_call_field *fields, size_t *head_len)
{
    static const char end[] = " HTTP/1.1\r\n";
    const char *at = raw.ptr, *line_end, *to = NULL;
    size_t n = 0;

    if (raw.len > 2 && at[0] == '\r' && at[1] == '\n')
        at += 2; /* one empty line is passed over */
    line_end = memchr(at, '\n', (size_t)(raw.ptr + raw.len - at));
    if (line_end == NULL || line_end - at < (long)sizeof end)
        return false;
    to = line_end + 1 - (sizeof end - 1);
    if (memcmp(to, " HTTP/1.", 8) != 0 || (to[8] != '0' && to[8] != '1') || to[9] != '\r')
        return false;
    spec->flags = to[8] == '0' ? GW_EXPLAIN_HTTP_1_0 : 0;
    spec->method = (gw_str){ at, 0 };
    while (at + spec->method.len < to && at[spec->method.len] != ' ')
        spec->method.len++;
    if (spec->method.len == 0 || at + spec->method.len + 1 >= to)
        return false;
    spec->target = (gw_str){ at + spec->method.len + 1, 0 };
    spec->target.len = (size_t)(to - spec->target.ptr);
    if (memchr(at, '\r', (size_t)(to - at)) != NULL)
        return false;
    for (at = line_end + 1;; at = line_end + 1) {
        const char *colon;
        line_end = memchr(at, '\n', (size_t)(raw.ptr + raw.len - at));
        if (line_end == NULL || line_end == at || line_end[-1] != '\r' || n == RAW_FIELDS)
            return false;
        if (line_end == at + 1)
            break;
        colon = memchr(at, ':', (size_t)(line_end - at));
        if (colon == NULL || colon == at || memchr(at, '\r', (size_t)(line_end - at) - 1) != NULL)
            return false;
        fields[n].name = (gw_str){ at, (size_t)(colon - at) };
        fields[n++].value = (gw_str){ colon + 1, (size_t)(line_end - colon) - 2 };
    }
    spec->fields = fields;
    spec->fields_len = n;
    *head_len = (size_t)(line_end + 1 - raw.ptr);
    return true;
}

/* False: it cannot be said in parts. */
static bool go_raw(gw_str raw)
{
    gw_call_field fields[RAW_FIELDS];
    gw_explain_spec spec = GW_SPEC(gw_explain_spec);
    struct client *c = &them[0];
    gw_explained e;
    char text[256];
    size_t head_len;

    if (!take_apart(raw, &spec, fields, &head_len))
        return false;
    leave(c);
    accept_client(c, "10.0.0.1:1", "edge");
    spec.listener = GW_STR("edge");
    spec.client = GW_STR("10.0.0.1:1");
    e = explain(&spec);
    (void)snprintf(text, sizeof text, "%.*s", (int)raw.len, raw.ptr);
    watch();
    mode1_feed(&host, c->link, raw.ptr, head_len,
               0); /* what is wrong with a body is not foreseen */
    compare(&e, text);
    return true;
}

static void add_corpus_routes(gw_builder *b)
{
    const gw_str get[] = { GW_STR("GET") };
    gw_cluster_spec hashed = GW_SPEC(gw_cluster_spec);
    gw_route_spec spec = GW_SPEC(gw_route_spec);
    gw_limiter_spec limiter = GW_SPEC(gw_limiter_spec);
    gw_str names[] = { GW_STR("at-once") };

    hashed.balance = GW_BALANCE_CONSISTENT_HASH;
    parts_cluster(b, "hashed", &hashed, "127.0.0.1:81");
    parts_cluster(b, "plain", NULL, "127.0.0.1:82");
    limiter.name = names[0];
    limiter.tokens = 3;
    ck_assert_uint_ne(gw_builder_limiter(b, &limiter), 0);
    parts_route(b, "/", NULL, "plain");
    spec.methods = get;
    spec.methods_len = 1;
    spec.limiters = names;
    spec.limiters_len = 1;
    parts_route(b, "/a", &spec, "hashed");
    spec = GW_SPEC(gw_route_spec);
    spec.host = GW_STR("x");
    spec.name = GW_STR("gone");
    spec.reply_code = 410;
    parts_route(b, "/", &spec, NULL);
    spec = GW_SPEC(gw_route_spec);
    spec.host = GW_STR("a.example");
    spec.name = GW_STR("tunnel");
    spec.flags = GW_ROUTE_CONNECT;
    parts_route(b, "/", &spec, "plain");
}

static void begin_corpus(void)
{
    gw_builder *b;

    begin(7);
    b = parts_begin(&host);
    parts_listener(b, "edge");
    add_filter(b);
    add_corpus_routes(b);
    start(parts_build(b));
}

static size_t read_file(const char *dir, const char *name, char *out)
{
    char path[1024];
    FILE *file;
    size_t len;

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    len = fread(out, 1, RAW_MAX, file);
    (void)fclose(file);
    return len;
}

/* Calls go with each file; returns how many it said true of. */
static uint32_t each_file(const char *dir, bool (*go)(gw_str bytes))
{
    static char bytes[RAW_MAX];
    DIR *files = opendir(dir);
    struct dirent *file;
    uint32_t n = 0;

    ck_assert_msg(files != NULL, "%s cannot be read", dir);
    while ((file = readdir(files)) != NULL)
        if (file->d_name[0] != '.')
            n += go((gw_str){ bytes, read_file(dir, file->d_name, bytes) });
    (void)closedir(files);
    return n;
}

/* The first byte is the fuzzer's own. */
static bool go_request(gw_str bytes)
{
    return bytes.len > 0 && go_raw((gw_str){ bytes.ptr + 1, bytes.len - 1 });
}

static bool go_target(gw_str bytes)
{
    static char raw[RAW_MAX + 64];
    int len = snprintf(raw, sizeof raw, "GET %.*s HTTP/1.1\r\nHost: a.example\r\n\r\n",
                       (int)bytes.len, bytes.ptr);

    return strlen(raw) == (size_t)len && go_raw((gw_str){ raw, (size_t)len });
}

/* Each with some bytes changed, cut out, or doubled. */
static bool go_changed(gw_str bytes)
{
    static char raw[2 * RAW_MAX];
    uint32_t n = 0;

    for (int i = 0; i < 40 && bytes.len > 1; i++) {
        size_t len = bytes.len - 1;
        memcpy(raw, bytes.ptr + 1, len);
        for (uint32_t changes = 1 + below(3); changes > 0; changes--) {
            size_t at = below((uint32_t)len);
            if (below(3) == 0)
                raw[at] = (char)below(256);
            else if (below(2) == 0)
                raw[at] = " \t:/%?*;,.a0"[below(12)];
            else if (len > 1)
                memmove(raw + at, raw + at + 1, --len - at);
        }
        n += go_raw((gw_str){ raw, len });
    }
    return n > 0;
}

START_TEST(every_request_of_the_corpora)
{
    begin_corpus();
    ck_assert_uint_ge(each_file(CORPUS "/fuzz_h1_request", go_request), 5);
    ck_assert_uint_ge(each_file(CORPUS "/fuzz_target", go_target), 30);
    ck_assert_uint_ge(each_file(CORPUS "/fuzz_h1_request", go_changed), 5);
    mode1_stop(&host);
}
END_TEST

/* ---- one thing at a time ---- */

static gw_explained explained(const gw_explain_spec *spec)
{
    gw_explained e = GW_SPEC(gw_explained);

    ck_assert_int_eq(gw_explain(host.engine, spec, &e), GW_OK);
    return e;
}

static void start_limited(void)
{
    const gw_str keys[] = { GW_STR("label:tenant") };
    const gw_str given[] = { GW_STR("given") }, names[] = { GW_STR("per-tenant") };
    gw_limiter_spec limiter = GW_SPEC(gw_limiter_spec);
    gw_cluster_spec hashed = GW_SPEC(gw_cluster_spec);
    gw_hash_spec hash = GW_SPEC(gw_hash_spec);
    gw_route_spec route = GW_SPEC(gw_route_spec);
    gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
    gw_builder *b;
    gw_id id;

    begin(1);
    b = parts_begin(&host);
    parts_listener(b, "edge");
    limiter.name = names[0];
    limiter.tokens = 2;
    limiter.keys = keys;
    limiter.keys_len = 1;
    limiter.flags = GW_LIMITER_KEYED;
    ck_assert_uint_ne(gw_builder_limiter(b, &limiter), 0);
    hash.keys = given;
    hash.keys_len = 1;
    hashed.name = GW_STR("hashed");
    hashed.balance = GW_BALANCE_CONSISTENT_HASH;
    hashed.hash = &hash;
    id = gw_builder_cluster(b, &hashed);
    for (int i = 0; i < 6; i++) {
        endpoint.address = gw_cstr(addresses[i]);
        ck_assert_uint_ne(gw_builder_endpoint(b, id, &endpoint), 0);
    }
    parts_cluster(b, "beside", NULL, "127.0.0.1:90");
    route.limiters = names;
    route.limiters_len = 1;
    parts_route(b, "/", &route, "hashed");
    parts_route(b, "/other", NULL, "beside");
    start(parts_build(b));
}

static void keep_step(void *ctx, const gw_explain_step *step)
{
    gw_explain_step *kept = ctx;

    if (step->kind == GW_EXPLAIN_LIMITER)
        *kept = *step;
}

START_TEST(nothing_is_taken)
{
    const gw_call_field label = { GW_STR("tenant"), GW_STR("a") };
    gw_explain_spec spec = GW_SPEC(gw_explain_spec);
    gw_explain_step kept = { 0 };

    start_limited();
    spec.host = GW_STR("a");
    spec.labels = &label;
    spec.labels_len = 1;
    spec.on_step = keep_step;
    spec.ctx = &kept;
    for (int i = 0; i < 100; i++)
        ck_assert_uint_eq(explained(&spec).ends, GW_ENDS_ENDPOINT);
    ck_assert_str_eq(kept.what, "limiter");
    ck_assert_uint_eq(kept.verdict, GW_EXPLAIN_YES);
    ck_assert_str_eq(kept.numbers[0].name, "remaining");
    ck_assert_uint_eq(kept.numbers[0].value, 1);
    ck_assert_uint_eq(mode1_stat(&host, "exchanges"), 0);
    mode1_stop(&host);
}
END_TEST

START_TEST(what_filters_would_say)
{
    const gw_call_field label = { GW_STR("tenant"), GW_STR("a") };
    gw_explain_spec spec = GW_SPEC(gw_explain_spec);
    char first[404];
    bool is_other = false;

    start_limited();
    spec.host = GW_STR("a");
    spec.labels = &label;
    spec.labels_len = 1;
    spec.cluster = GW_STR("beside");
    ck_assert_str_eq(explained(&spec).cluster, "beside");
    spec.cluster = GW_STR("");
    spec.hash_key = GW_STR("bob");
    (void)snprintf(first, sizeof first, "%s", explained(&spec).endpoint);
    for (char key[2] = "a"; key[0] < 'z'; key[0]++) {
        spec.hash_key = gw_cstr(key);
        is_other = is_other || strcmp(explained(&spec).endpoint, first) != 0;
        ck_assert_str_eq(explained(&spec).endpoint, explained(&spec).endpoint);
    }
    ck_assert(is_other);
    mode1_stop(&host);
}
END_TEST

/* By whom is not said: then as a new worker would with that seed. */
START_TEST(without_a_worker)
{
    gw_explain_spec spec = GW_SPEC(gw_explain_spec);
    bool met[6] = { false };
    int n = 0;

    start_limited();
    spec.host = GW_STR("a");
    for (spec.seed = 1; spec.seed < 100; spec.seed++)
        for (int i = 0; i < 6; i++)
            met[i] = met[i] || strcmp(explained(&spec).endpoint, addresses[i]) == 0;
    for (int i = 0; i < 6; i++)
        n += met[i];
    ck_assert_int_eq(n, 6);
    mode1_stop(&host);
}
END_TEST

/* In panic guesses are not believed; the host's word is, and so it must not be said that all are asked. */
START_TEST(in_panic_the_host_has_its_say)
{
    gw_explain_spec spec = GW_SPEC(gw_explain_spec);
    gw_force_spec force = GW_SPEC(gw_force_spec);
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);
    gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
    gw_builder *b;
    gw_id id;

    begin(1);
    b = parts_begin(&host);
    parts_listener(b, "edge");
    cluster.name = GW_STR("web");
    id = gw_builder_cluster(b, &cluster);
    for (int i = 0; i < 3; i++) {
        endpoint.address = gw_cstr(addresses[i]);
        ck_assert_uint_ne(gw_builder_endpoint(b, id, &endpoint), 0);
    }
    parts_route(b, "/", NULL, "web");
    start(parts_build(b));
    force.cluster = cluster.name;
    force.for_ms = 1000;
    force.now = host.now;
    force.kind = GW_KIND_OUTLIER;
    force.state = GW_STATE_EJECTED;
    ck_assert_int_eq(gw_engine_force(host.engine, &force), GW_OK);
    force.kind = GW_KIND_ENDPOINT;
    force.state = GW_STATE_OPEN;
    force.name = gw_cstr(addresses[0]);
    ck_assert_int_eq(gw_engine_force(host.engine, &force), GW_OK);
    for (int i = 0; i < 8; i++) {
        gw_explained e;
        spec.host = GW_STR("a");
        spec.seed = (uint64_t)i;
        e = explain(&spec);
        ck_assert_msg(strstr(told, "too few are well: health and ejection are not believed"), "%s",
                      told);
        ck_assert_str_ne(e.address, addresses[0]);
    }
    mode1_stop(&host);
}
END_TEST

START_TEST(grpc)
{
    const gw_call_field fields[] = { { GW_STR("content-type"), GW_STR("application/grpc") },
                                     { GW_STR("grpc-timeout"), GW_STR("1S") },
                                     { GW_STR("te"), GW_STR("trailers") } };
    gw_explain_spec spec = GW_SPEC(gw_explain_spec);
    gw_explained e;

    start_limited();
    spec.protocol = GW_PROTO_H2;
    spec.method = GW_STR("POST");
    spec.host = GW_STR("a.example");
    spec.target = GW_STR("/p.S/M");
    spec.fields = fields;
    spec.fields_len = 3;
    e = explained(&spec);
    ck_assert_uint_eq(e.kind, GW_EXCHANGE_GRPC);
    ck_assert_uint_eq(e.ends, GW_ENDS_ENDPOINT);
    ck_assert_uint_eq(e.grpc_status, GW_OFF);
    spec.target = GW_STR("p"); /* what is wrong before it is known to be gRPC */
    ck_assert_uint_eq(explained(&spec).code, 400);
    spec.target = GW_STR("/p.S/M");
    spec.host = GW_STR("a.example:80");
    spec.method = GW_STR("CONNECT");
    spec.fields_len = 0;
    e = explained(&spec);
    ck_assert_uint_eq(e.code, 405);
    mode1_stop(&host);
}
END_TEST

START_TEST(bounds_of_steps_and_heads)
{
    static char text[40000];
    gw_explain_spec spec = GW_SPEC(gw_explain_spec);
    gw_call_field fields[101];
    gw_explained e;

    start_limited();
    spec.host = GW_STR("a");
    spec.on_step = tell;
    spec.steps_max = 2;
    told[0] = '\0';
    e = explained(&spec);
    ck_assert_uint_gt(e.steps, 2);
    ck_assert_ptr_eq(strchr(strchr(told, '\n') + 1, '\n') + 1, strchr(told, '\0'));
    memset(text, 'x', sizeof text);
    text[0] = '/';
    spec.host = GW_STR("a");
    spec.target = (gw_str){ text, sizeof text };
    ck_assert_uint_eq(explained(&spec).code, 414);
    spec.target = GW_STR("/");
    for (int i = 0; i < 101; i++)
        fields[i] = (gw_call_field){ GW_STR("x"), GW_STR("y") };
    spec.fields = fields;
    spec.fields_len = 101;
    ck_assert_uint_eq(explained(&spec).code, 431);
    spec.fields_len = 1;
    fields[0].value = (gw_str){ text, sizeof text };
    ck_assert_uint_eq(explained(&spec).code, 431);
    fields[0].value = GW_STR("a\r\nb: c");
    ck_assert_uint_eq(explained(&spec).code, 400);
    mode1_stop(&host);
}
END_TEST

static void check_refused(const gw_explain_spec *spec, gw_status status)
{
    gw_explained e = GW_SPEC(gw_explained);

    e.code = 77;
    ck_assert_int_eq(gw_explain(host.engine, spec, &e), status);
    ck_assert_uint_eq(e.code, 77);
}

START_TEST(nonsense_is_refused)
{
    const gw_call_field no_text = { { NULL, 1 }, { NULL, 0 } }, no_name = { { "", 0 }, { "x", 1 } };
    gw_explain_spec spec = GW_SPEC(gw_explain_spec), good = spec;
    gw_explained e = GW_SPEC(gw_explained);
    gw_engine_spec engine = GW_SPEC(gw_engine_spec);
    gw_engine *other;

    start_limited();
    spec.protocol = GW_PROTO_TCP;
    check_refused(&spec, GW_EINVAL);
    spec.protocol = GW_PROTO_TLS; /* by name alone */
    spec.target = GW_STR("/");
    check_refused(&spec, GW_EINVAL);
    spec = good;
    spec = good;
    spec.flags = 2;
    check_refused(&spec, GW_EINVAL);
    spec = good;
    spec.client = GW_STR("nobody");
    check_refused(&spec, GW_EINVAL);
    spec = good;
    spec.method.len = 3;
    check_refused(&spec, GW_EINVAL);
    spec = good;
    spec.fields = &no_text;
    spec.fields_len = 1;
    check_refused(&spec, GW_EINVAL);
    spec = good;
    spec.labels = &no_name;
    spec.labels_len = 1;
    check_refused(&spec, GW_EINVAL);
    spec = good;
    spec.hash_key = GW_STR("");
    check_refused(&spec, GW_EINVAL);
    spec = good;
    spec.listener = GW_STR("none");
    check_refused(&spec, GW_EUNKNOWN);
    spec = good;
    spec.cluster = GW_STR("none");
    check_refused(&spec, GW_EUNKNOWN);
    ck_assert_int_eq(gw_explain(NULL, &good, &e), GW_EINVAL);
    ck_assert_int_eq(gw_explain(host.engine, NULL, &e), GW_EINVAL);
    ck_assert_int_eq(gw_explain(host.engine, &good, NULL), GW_EINVAL);
    ck_assert_int_eq(gw_engine_new(&engine, &other), GW_OK);
    ck_assert_int_eq(gw_explain(other, &good, &e), GW_ESTATE);
    spec = good;
    spec.worker = host.worker;
    ck_assert_int_eq(gw_explain(other, &spec, &e), GW_ESTATE);
    gw_engine_free(other);
    mode1_stop(&host);
}
END_TEST

START_TEST(without_memory)
{
    gw_explain_spec spec = GW_SPEC(gw_explain_spec);
    gw_explained e = GW_SPEC(gw_explained);
    gw_status status = GW_ENOMEM;

    start_limited();
    spec.host = GW_STR("a");
    while (status == GW_ENOMEM) {
        host.alloc.calls = host.alloc.failed = 0;
        host.alloc.fail_at++;
        status = gw_explain(host.engine, &spec, &e);
        ck_assert_uint_eq(status == GW_OK, host.alloc.failed == 0);
    }
    ck_assert_int_eq(status, GW_OK);
    ck_assert_uint_eq(e.ends, GW_ENDS_ENDPOINT);
    ck_assert_uint_gt(host.alloc.fail_at, 5);
    host.alloc.fail_at = 0;
    mode1_stop(&host);
}
END_TEST

/* ---- the flight recorder ---- */

static gw_config *recorded_config(const char *route)
{
    gw_builder *b = parts_begin(&host);
    gw_route_spec gone = GW_SPEC(gw_route_spec);

    parts_listener(b, "edge");
    parts_cluster(b, "web", NULL, "127.0.0.1:81");
    gone.reply_code = 410;
    gone.name = gw_cstr(route);
    parts_route(b, "/gone", &gone, NULL);
    parts_route(b, "/", NULL, "web");
    return parts_build(b);
}

static void start_recorded(uint32_t records)
{
    gw_limits limits = GW_SPEC(gw_limits);

    begin(1);
    limits.records_max = records;
    mode1_start(&host, recorded_config("one"), &limits);
    mode1_pump(&host);
}

static void go(const char *target)
{
    struct mode1_link *client = mode1_accept(&host, "edge");
    char request[64];

    (void)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", target);
    mode1_say(&host, client, request);
}

static gw_record recalled(size_t i)
{
    gw_record r = GW_SPEC(gw_record);

    ck_assert_int_eq(gw_worker_recall(host.worker, i, &r), GW_OK);
    return r;
}

START_TEST(the_last_requests_are_remembered)
{
    gw_record r = GW_SPEC(gw_record);

    start_recorded(3);
    ck_assert_int_eq(gw_worker_recall(host.worker, 0, &r), GW_EUNKNOWN);
    go("/gone");
    host.refuse = true;
    host.now += MS;
    go("/x");
    r = recalled(0);
    ck_assert_uint_eq(r.code, 503);
    ck_assert_uint_eq(r.cause.by, GW_BY_UPSTREAM);
    ck_assert_str_eq(gw_phase_name(r.cause.phase), "connect");
    ck_assert_uint_eq(r.ended, host.now);
    ck_assert_uint_eq(r.flags, GW_RECORD_LOCAL);
    ck_assert(gw_str_eq(r.route, gw_cstr("/")) && gw_str_eq(r.cluster, gw_cstr("web")));
    ck_assert(gw_str_eq(r.endpoint, gw_cstr("127.0.0.1:81")));
    r = recalled(1);
    ck_assert_uint_eq(r.code, 410);
    ck_assert_uint_eq(r.cause.reason, 0);
    ck_assert(gw_str_eq(r.route, gw_cstr("one")));
    ck_assert_uint_eq(r.cluster.len + r.endpoint.len, 0);
    ck_assert_uint_lt(r.id, recalled(0).id);
    for (int i = 0; i < 3; i++)
        go("/gone");
    for (size_t i = 0; i < 3; i++)
        ck_assert_uint_eq(recalled(i).code, 410);
    ck_assert_int_eq(gw_worker_recall(host.worker, 3, &r), GW_EUNKNOWN);
    ck_assert_int_eq(gw_worker_recall(host.worker, 0, NULL), GW_EINVAL);
    ck_assert_int_eq(gw_worker_recall(NULL, 0, &r), GW_EINVAL);
    mode1_stop(&host);
}
END_TEST

START_TEST(names_outlive_their_configuration)
{
    start_recorded(0);
    go("/gone");
    for (int i = 0; i < 3; i++) {
        parts_apply(&host, recorded_config("a-name-that-is-longer-than-a-record-keeps"));
        mode1_pump(&host);
        ck_assert(gw_str_eq(recalled((size_t)i).route, gw_cstr("one")));
        go("/gone");
    }
    for (int i = 0; i < host.count; i++)
        if (host.links[i].link != NULL && !host.links[i].is_upstream)
            mode1_end(&host, &host.links[i]);
    parts_apply(&host, recorded_config("two"));
    mode1_pump(&host);
    ck_assert(gw_str_eq(recalled(0).route, gw_cstr("a-name-that-is-longer-than-a-re")));
    mode1_stop(&host);
}
END_TEST

START_TEST(a_recorder_that_is_off)
{
    gw_record r = GW_SPEC(gw_record);

    start_recorded(GW_OFF);
    go("/gone");
    ck_assert_int_eq(gw_worker_recall(host.worker, 0, &r), GW_EUNKNOWN);
    mode1_stop(&host);
}
END_TEST

static Suite *explain_suite(void)
{
    Suite *s = suite_create("explain");

    check_add(s, what_is_explained_happens);
    check_add(s, every_request_of_the_corpora);
    check_add(s, nothing_is_taken);
    check_add(s, what_filters_would_say);
    check_add(s, without_a_worker);
    check_add(s, in_panic_the_host_has_its_say);
    check_add(s, grpc);
    check_add(s, bounds_of_steps_and_heads);
    check_add(s, nonsense_is_refused);
    check_add(s, without_memory);
    check_add(s, the_last_requests_are_remembered);
    check_add(s, names_outlive_their_configuration);
    check_add(s, a_recorder_that_is_off);
    return s;
}

CHECK_MAIN(explain_suite)
