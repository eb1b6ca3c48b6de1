/* unit/retry_test.c: tries that fail and what follows them, in mode 1: another endpoint, the budget, what
 * is counted and said. What the peers see is in tests/proto/retry-*.gwt. */

#include "check_main.h"
#include "parts.h"

static struct mode1 host;

struct seen {
    gw_cause cause;
    uint32_t code;
    char endpoint[32];
    char log[512];
};
static struct seen seen;

static void see_end(void *ctx, const gw_exchange *x)
{
    struct seen *s = ctx;
    gw_exchange_info info = GW_SPEC(gw_exchange_info);

    s->cause = gw_exchange_cause(x);
    ck_assert_int_eq(gw_exchange_get_info(x, &info), GW_OK);
    s->code = info.code;
    snprintf(s->endpoint, sizeof s->endpoint, "%.*s", (int)info.endpoint.len,
             info.endpoint.ptr == NULL ? "" : info.endpoint.ptr);
}

static void see_log(void *ctx, uint32_t level, const char *what, const char *text)
{
    struct seen *s = ctx;

    (void)level;
    if (strcmp(what, "exchange.retried") == 0)
        snprintf(s->log, sizeof s->log, "%s", text);
}

struct plan {
    uint32_t protocol, endpoints, retries, percent, least, links_max;
    const char *cluster; /* its name */
    const gw_retry_spec *retry;
};

static gw_config *make_config(const struct plan *plan)
{
    static const char *const addresses[] = { "127.0.0.1:81", "127.0.0.1:82", "127.0.0.1:83" };
    gw_builder *b = parts_begin(&host);
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);
    gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
    gw_route_spec route = GW_SPEC(gw_route_spec);
    gw_filter filter = GW_SPEC(gw_filter);
    gw_id id;

    parts_listener(b, "edge");
    cluster.name = gw_cstr(plan->cluster != NULL ? plan->cluster : "web");
    cluster.protocols = plan->protocol;
    cluster.retry_percent = plan->percent;
    cluster.retry_least = plan->least;
    id = gw_builder_cluster(b, &cluster);
    for (uint32_t i = 0; i < plan->endpoints; i++) {
        endpoint.address = gw_cstr(addresses[i]);
        gw_builder_endpoint(b, id, &endpoint);
    }
    parts_cluster(b, "other", &cluster, "127.0.0.1:90");
    route.retries = plan->retries;
    route.retry = plan->retry;
    parts_route(b, "/", &route, plan->cluster != NULL ? plan->cluster : "web");
    filter.name = "seen";
    filter.ctx = &seen;
    filter.on_end = see_end;
    gw_builder_filter(b, &filter);
    return parts_build(b);
}

static void start(const struct plan *plan)
{
    memset(&host, 0, sizeof host);
    memset(&seen, 0, sizeof seen);
    test_alloc_init(&host.alloc);
    host.log = see_log;
    host.log_ctx = &seen;
    host.log_level = GW_LOG_INFO;
    gw_limits limits = GW_SPEC(gw_limits);
    limits.links_max = plan->links_max;
    mode1_start(&host, make_config(plan), &limits);
}

static void ask(struct mode1_link *client, const char *method)
{
    char text[100];

    mode1_clear(client);
    snprintf(text, sizeof text, "%s /x HTTP/1.1\r\nHost: a\r\n\r\n", method);
    mode1_say(&host, client, text);
}

static struct mode1_link *asked(void)
{
    struct mode1_link *up = mode1_asked(&host);

    ck_assert_msg(up != NULL, "nobody was asked");
    return up;
}

static void answer(void)
{
    mode1_answer(&host, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

/* One of three refuses connections: nobody notices, whatever the method. */
START_TEST(another_endpoint_is_tried)
{
    struct mode1_link *client;

    start(&(struct plan){ .endpoints = 3, .percent = GW_OFF, .least = GW_OFF });
    host.refused = "127.0.0.1:82";
    client = mode1_accept(&host, "edge");
    for (int i = 0; i < 6; i++) {
        ask(client, i % 2 == 0 ? "POST" : "GET");
        answer();
        ck_assert_msg(strstr(client->out, " 200 ") != NULL, "%s", client->out);
        ck_assert_str_ne(seen.endpoint, "127.0.0.1:82");
    }
    ck_assert_uint_ge(mode1_stat(&host, "retries"), 2);         /* where it begins is drawn */
    ck_assert_uint_eq(mode1_stat(&host, "retries_refused"), 0); /* it costs the budget nothing */
    ck_assert_str_eq(seen.log, "upstream/connect/upstream_connect_refused: cluster web, "
                               "endpoint 127.0.0.1:82");
    mode1_stop(&host);
}
END_TEST

/* All refuse: each is asked once, as often as the route allows. */
START_TEST(each_endpoint_is_tried_once)
{
    static const uint32_t retries[] = { GW_OFF, 0, 2, 5 }, tries[] = { 0, 1, 2, 2 };
    struct mode1_link *client;

    start(&(struct plan){ .endpoints = 3, .retries = retries[_i] });
    host.refuse = true;
    client = mode1_accept(&host, "edge");
    ask(client, "GET");
    ck_assert_ptr_nonnull(strstr(client->out, " 503 "));
    ck_assert_uint_eq(mode1_stat(&host, "retries"), tries[_i]);
    ck_assert_uint_eq(mode1_stat(&host, "links_connect_failed"), tries[_i] + 1);
    mode1_stop(&host);
}
END_TEST

/* Where nothing else is left a connection is not tried again. */
START_TEST(one_endpoint_is_not_tried_twice)
{
    struct mode1_link *client;

    start(&(struct plan){ .endpoints = 1, .retries = 5 });
    host.refuse = true;
    client = mode1_accept(&host, "edge");
    ask(client, "GET");
    ck_assert_ptr_nonnull(strstr(client->out, " 503 "));
    ck_assert_uint_eq(mode1_stat(&host, "links_connect_failed"), 1);
    mode1_stop(&host);
}
END_TEST

/* Who does not answer at all is given up after connect_timeout. */
START_TEST(connect_timeout_goes_elsewhere)
{
    struct mode1_link *client;

    start(&(struct plan){ .endpoints = 2 });
    host.ignored = "127.0.0.1:81";
    client = mode1_accept(&host, "edge");
    for (int i = 0; i < 2; i++) {
        ask(client, "POST");
        host.now += 2000000000u;
        mode1_pump(&host);
        answer();
        ck_assert_msg(strstr(client->out, " 200 ") != NULL, "%s", client->out);
    }
    ck_assert_uint_ge(mode1_stat(&host, "retries"), 1);
    mode1_stop(&host);
}
END_TEST

/* ... and where nobody else is, that is what it is called. */
START_TEST(connect_timeout_has_its_name)
{
    struct mode1_link *client;

    start(&(struct plan){ .endpoints = 1 });
    host.ignored = "127.0.0.1:81";
    client = mode1_accept(&host, "edge");
    ask(client, "GET");
    host.now += 2000000000u;
    mode1_pump(&host);
    ck_assert_ptr_nonnull(strstr(client->out, " 504 "));
    ck_assert_uint_eq(seen.cause.by, GW_BY_UPSTREAM);
    mode1_stop(&host);
}
END_TEST

static void lose_idle_race(struct mode1_link *client)
{
    ask(client, "GET");
    mode1_end(&host, mode1_upstream(&host));
}

/* The budget is the cluster's, and a new configuration does not fill it up. */
START_TEST(budget_survives_a_reload)
{
    struct plan plan = { .endpoints = 1, .percent = GW_OFF, .least = 1 };
    struct mode1_link *client;
    gw_config *config;

    start(&plan);
    client = mode1_accept(&host, "edge");
    ask(client, "GET");
    answer();
    lose_idle_race(client);
    answer(); /* the retry's */
    ck_assert_ptr_nonnull(strstr(client->out, " 200 "));
    plan.cluster = _i == 0 ? "web" : "new";
    config = make_config(&plan);
    ck_assert_int_eq(gw_engine_apply(host.engine, config, NULL), GW_OK);
    gw_config_unref(config);
    mode1_pump(&host);
    ask(client, "GET");
    answer();
    lose_idle_race(client);
    if (_i == 1)
        answer();
    ck_assert_msg(strstr(client->out, _i == 0 ? " 502 " : " 200 ") != NULL, "%s", client->out);
    ck_assert_uint_eq(mode1_stat(&host, "retries_refused"), _i == 0);
    mode1_stop(&host);
}
END_TEST

/* Several idle connections were left at once: the retry does not meet the next of them, unless there
 * can be no other. */
START_TEST(retry_takes_a_new_connection)
{
    struct mode1_link *clients[3], *up;
    int links;

    start(&(struct plan){ .endpoints = 1, .links_max = _i == 0 ? 0 : 6 });
    for (int i = 0; i < 3; i++) {
        clients[i] = mode1_accept(&host, "edge");
        ask(clients[i], "GET");
    }
    links = host.count;
    for (int i = 0; i < links; i++)
        if (host.links[i].is_upstream) {
            mode1_clear(&host.links[i]);
            mode1_say(&host, &host.links[i], "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    ask(clients[0], "GET");
    for (up = host.links; up->out_len == 0 || !up->is_upstream;)
        up++;
    mode1_end(&host, up);
    ck_assert_int_eq(host.count, links + (_i == 0));
    answer();
    ck_assert_ptr_nonnull(strstr(clients[0]->out, " 200 "));
    mode1_stop(&host);
}
END_TEST

/* A POST of which the transport took nothing is sent again; of which it took a byte, not. */
START_TEST(what_nobody_took_is_sent_again)
{
    struct mode1_link *client, *up;

    start(&(struct plan){ .endpoints = 1 });
    client = mode1_accept(&host, "edge");
    ask(client, "GET");
    up = asked();
    answer();
    up->is_broken = _i == 0;
    ask(client, "POST");
    if (_i == 1) {
        ck_assert_ptr_nonnull(strstr(up->out, "POST /x"));
        gw_link_received(up->link, 0, GW_ERESET);
        mode1_pump(&host);
        ck_assert_ptr_nonnull(strstr(client->out, " 502 "));
    } else {
        ck_assert_uint_eq(up->out_len, 0);
        answer();
        ck_assert_ptr_nonnull(strstr(client->out, " 200 "));
    }
    ck_assert_uint_eq(mode1_stat(&host, "retries"), _i == 0);
    mode1_stop(&host);
}
END_TEST

/* HTTP/1.0 without Host is told whom it asks: that is who is asked. */
START_TEST(host_is_that_of_the_endpoint)
{
    struct mode1_link *client;

    start(&(struct plan){ .endpoints = 2 });
    host.refused = "127.0.0.1:81";
    client = mode1_accept(&host, "edge");
    for (int i = 0; i < 2; i++) {
        mode1_say(&host, client, "GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        ck_assert_ptr_nonnull(strstr(asked()->out, "\r\nHost: 127.0.0.1:82\r\n"));
        answer();
    }
    ck_assert_uint_ge(mode1_stat(&host, "retries"), 1);
    mode1_stop(&host);
}
END_TEST

static const gw_retry_spec on_errors = { .size = sizeof on_errors,
                                         .on = GW_RETRY_CONNECT | GW_RETRY_5XX,
                                         .backoff_base_ms = 100 };

static void refuse_with(struct mode1_link *up, const char *body)
{
    char text[200];

    mode1_clear(up);
    snprintf(text, sizeof text, "HTTP/1.1 503 no\r\nContent-Length: 2\r\n\r\n%s", body);
    mode1_say(&host, up, text);
}

static int links_open(void)
{
    int n = 0;

    for (int i = 0; i < host.count; i++)
        n += host.links[i].is_upstream && host.links[i].link != NULL;
    return n;
}

/* A status goes elsewhere, after what was drawn and no later than the base. */
START_TEST(a_status_goes_to_another_endpoint)
{
    struct mode1_link *client;
    char first[64];

    start(&(struct plan){ .endpoints = 2, .retry = &on_errors });
    client = mode1_accept(&host, "edge");
    ask(client, "GET");
    refuse_with(asked(), "no");
    ck_assert_uint_eq(client->out_len, 0);
    host.now += 100000000;
    mode1_pump(&host);
    answer();
    ck_assert_msg(strstr(client->out, " 200 ") != NULL, "%s", client->out);
    ck_assert_uint_eq(mode1_stat(&host, "retries"), 1);
    snprintf(first, sizeof first, "%s", strrchr(seen.log, ' ') + 1); /* whose it was */
    ck_assert_str_ne(seen.endpoint, first);
    ck_assert_msg(strstr(seen.log, "upstream/await/upstream_status: ") == seen.log, "%s", seen.log);
    mode1_stop(&host);
}
END_TEST

/* Whoever ends its answer while the next try is waited for keeps its connection; else it is closed. */
START_TEST(a_refusal_is_read_to_its_end)
{
    static const gw_retry_spec later = { .size = sizeof later, .on = GW_RETRY_5XX };
    struct mode1_link *client, *up;

    start(&(struct plan){ .endpoints = 1, .retry = &later });
    client = mode1_accept(&host, "edge");
    ask(client, "GET");
    up = asked();
    mode1_clear(up);
    mode1_say(&host, up, "HTTP/1.1 503 no\r\nRetry-After: 1\r\nContent-Length: 2\r\n\r\nn");
    host.now += 900000000;
    mode1_pump(&host);
    ck_assert_ptr_nonnull(up->link);
    if (_i == 0)
        mode1_say(&host, up, "o");
    host.now += 100000000;
    mode1_pump(&host);
    ck_assert_int_eq(links_open(), _i == 0 ? 2 : 1); /* the next try takes a new one */
    answer();
    ck_assert_msg(strstr(client->out, " 200 ") != NULL, "%s", client->out);
    mode1_stop(&host);
}
END_TEST

/* Who is alone is connected to again where a backoff was set, and within the budget. */
START_TEST(one_endpoint_is_tried_again_later)
{
    struct mode1_link *client;

    start(&(struct plan){
        .endpoints = 1, .retry = &on_errors, .percent = GW_OFF, .least = _i == 0 ? 1 : GW_OFF });
    host.refuse = true;
    client = mode1_accept(&host, "edge");
    ask(client, "POST");
    host.refuse = false;
    host.now += 100000000;
    mode1_pump(&host);
    if (_i == 0)
        answer();
    ck_assert_msg(strstr(client->out, _i == 0 ? " 200 " : " 503 ") != NULL, "%s", client->out);
    ck_assert_uint_eq(mode1_stat(&host, "retries"), _i == 0);
    ck_assert_uint_eq(mode1_stat(&host, "retries_refused"), _i == 1);
    mode1_stop(&host);
}
END_TEST

/* What is in flight goes on with the endpoints that were there when it began, also with another one of them:
 * while it waits for its retry they are taken away, or drain, or there is a configuration without them. */
START_TEST(endpoints_vanish_before_a_retry)
{
    struct plan plan = { .endpoints = 2, .retry = &on_errors };
    gw_endpoint_spec one = GW_SPEC(gw_endpoint_spec);
    struct mode1_link *client;

    start(&plan);
    client = mode1_accept(&host, "edge");
    ask(client, "GET");
    refuse_with(asked(), "no");
    ck_assert_uint_eq(client->out_len, 0); /* it waits */
    plan.cluster = "elsewhere";
    one.address = GW_STR("127.0.0.1:82");
    one.weight = GW_OFF;
    if (_i == 0)
        ck_assert_int_eq(gw_engine_set_endpoints(host.engine, GW_STR("web"), NULL, 0, NULL), GW_OK);
    else if (_i == 1)
        ck_assert_int_eq(gw_engine_set_endpoints(host.engine, GW_STR("web"), &one, 1, NULL), GW_OK);
    else
        parts_apply(&host, make_config(&plan));
    mode1_pump(&host);
    host.now += 1000000000;
    mode1_pump(&host);
    answer();
    ck_assert_msg(strstr(client->out, " 200 ") != NULL, "%s", client->out);
    ask(client, "GET"); /* the next one goes by what is there now */
    if (_i < 2)
        ck_assert_msg(strstr(client->out, "\nno_endpoint\n") != NULL, "%s", client->out);
    else
        answer();
    mode1_stop(&host);
}
END_TEST

static const struct {
    gw_retry_spec spec;
    const char *where;
} nonsense[] = {
    { { .size = 2 }, "routes[0].retry.size" },
    { { .size = sizeof(gw_retry_spec), .on = 2 * GW_RETRY_5XX }, "routes[0].retry.on" },
    { { .size = sizeof(gw_retry_spec), .flags = 2 }, "routes[0].retry.flags" },
    { { .size = sizeof(gw_retry_spec), .flags = GW_RETRY_UNSAFE, .grpc = 1 },
      "routes[0].retry.grpc" },
    { { .size = sizeof(gw_retry_spec), .replay_bytes_max = (1u << 30) + 1 },
      "routes[0].retry.replay_bytes_max" },
    { { .size = sizeof(gw_retry_spec), .backoff_max_ms = GW_OFF },
      "routes[0].retry.backoff_max_ms" },
};
enum { NONSENSE = sizeof nonsense / sizeof nonsense[0] };

/* The rest is in yaml_test.c. */
START_TEST(nonsense_is_refused_by_its_name)
{
    gw_route_spec route = GW_SPEC(gw_route_spec);
    gw_config_error err = GW_SPEC(gw_config_error);
    gw_builder *b;

    ck_assert_int_eq(gw_builder_new(NULL, &b), GW_OK);
    route.name = gw_cstr("a");
    route.cluster = gw_cstr("b");
    route.retry = &nonsense[_i].spec;
    ck_assert_uint_eq(gw_builder_route(b, &route), 0);
    ck_assert(gw_builder_next_error(b, &err));
    ck_assert_str_eq(err.where, nonsense[_i].where);
    gw_builder_free(b);
}
END_TEST

static Suite *retry_suite(void)
{
    Suite *s = suite_create("retry");
    check_add(s, another_endpoint_is_tried);
    check_add_loop(s, each_endpoint_is_tried_once, 0, 4);
    check_add(s, one_endpoint_is_not_tried_twice);
    check_add(s, connect_timeout_goes_elsewhere);
    check_add(s, connect_timeout_has_its_name);
    check_add_loop(s, budget_survives_a_reload, 0, 2);
    check_add_loop(s, retry_takes_a_new_connection, 0, 2);
    check_add_loop(s, what_nobody_took_is_sent_again, 0, 2);
    check_add(s, host_is_that_of_the_endpoint);
    check_add(s, a_status_goes_to_another_endpoint);
    check_add_loop(s, a_refusal_is_read_to_its_end, 0, 2);
    check_add_loop(s, one_endpoint_is_tried_again_later, 0, 2);
    check_add_loop(s, endpoints_vanish_before_a_retry, 0, 3);
    check_add_loop(s, nonsense_is_refused_by_its_name, 0, NONSENSE);
    return s;
}

CHECK_MAIN(retry_suite)
