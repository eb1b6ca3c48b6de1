/* unit/guards_test.c: breakers, ejection, throttles, ceilings and fallbacks where requests go through, in
 * mode 1. Each of these fails when its guard says yes to everybody. What the peers see in both protocols is
 * in tests/proto/breaker-*.gwt. */

#include "check_main.h"
#include "parts.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define GOOD "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define BAD "HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno"

static struct mode1 host;

struct plan {
    gw_cluster_spec cluster;
    gw_breaker_spec breaker;
    gw_outlier_spec outlier;
    gw_throttle_spec throttle;
    gw_fallback_spec fallback;
    gw_retry_spec retry;
    uint32_t endpoints, retries;
    bool has_origin_beside, has_levels, has_retry, drains_last;
};

static struct plan plan_of(void)
{
    struct plan plan;

    memset(&plan, 0, sizeof plan);
    plan.cluster = GW_SPEC(gw_cluster_spec);
    plan.breaker = GW_SPEC(gw_breaker_spec);
    plan.outlier = GW_SPEC(gw_outlier_spec);
    plan.throttle = GW_SPEC(gw_throttle_spec);
    plan.fallback = GW_SPEC(gw_fallback_spec);
    plan.endpoints = 1;
    plan.retries = GW_OFF;
    return plan;
}

/* Three failures in a row; five seconds. */
static void with_breaker(struct plan *plan)
{
    plan->breaker.failures = 3;
    plan->breaker.error_percent = GW_OFF;
    plan->breaker.jitter_percent = GW_OFF;
    plan->cluster.breaker = &plan->breaker;
}

static gw_verdict serve_origin(void *ctx, gw_exchange *x)
{
    (void)ctx;
    return gw_exchange_respond(x, 204) == GW_OK ? GW_NEXT : GW_ABORT;
}

static gw_config *make(const struct plan *plan)
{
    static const char *const addresses[] = { "127.0.0.1:81", "127.0.0.1:82", "127.0.0.1:83",
                                             "127.0.0.1:84", "127.0.0.1:85", "127.0.0.1:86" };
    gw_builder *b = parts_begin(&host);
    gw_cluster_spec cluster = plan->cluster, beside = GW_SPEC(gw_cluster_spec);
    gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
    gw_route_spec route = GW_SPEC(gw_route_spec);
    gw_origin origin = GW_SPEC(gw_origin);
    gw_id id;

    parts_listener(b, "edge");
    cluster.name = GW_STR("web");
    id = gw_builder_cluster(b, &cluster);
    for (uint32_t i = 0; i < plan->endpoints; i++) {
        endpoint.address = gw_cstr(addresses[i]);
        endpoint.priority = plan->has_levels ? i : 0;
        endpoint.weight = plan->drains_last && i + 1 == plan->endpoints ? GW_OFF : 0;
        gw_builder_endpoint(b, id, &endpoint);
    }
    origin.name = "o";
    origin.on_request = serve_origin;
    beside.origin = plan->has_origin_beside ? &origin : NULL;
    parts_cluster(b, "beside", &beside, plan->has_origin_beside ? NULL : "127.0.0.1:90");
    route.retries = plan->retries;
    route.retry = plan->has_retry ? &plan->retry : NULL;
    parts_route(b, "/", &route, "web");
    return parts_build(b);
}

static void start(const struct plan *plan)
{
    memset(&host, 0, sizeof host);
    test_alloc_init(&host.alloc);
    mode1_start(&host, make(plan), NULL);
}

static void pass(gw_nanos time)
{
    mode1_pass(&host, time);
}

static void ask(struct mode1_link *client)
{
    mode1_tell(&host, client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
}

static struct mode1_link *asked(void)
{
    return mode1_asked(&host);
}

static void answer(const char *text)
{
    mode1_answer(&host, text);
}

static bool says(const struct mode1_link *client, const char *what)
{
    return strstr(client->out, what) != NULL;
}

/* One whole request, that gets this from its upstream. */
static void go(struct mode1_link *client, const char *text)
{
    ask(client);
    answer(text);
}

static void go_bad(struct mode1_link *client, int n)
{
    while (n-- > 0)
        go(client, BAD);
}

/* ---- breakers ---- */

START_TEST(an_open_breaker_answers_at_once)
{
    struct plan plan = plan_of();
    struct mode1_link *client;

    with_breaker(&plan);
    start(&plan);
    client = mode1_accept(&host, "edge");
    go_bad(client, 2);
    go(client, GOOD);
    go_bad(client, 3);
    ck_assert_uint_eq(mode1_stat(&host, "breakers_opened"), 1);
    for (int i = 0; i < 3; i++) {
        ask(client);
        ck_assert_ptr_null(asked());
        ck_assert_msg(says(client, " 503 ") && says(client, "\nbreaker_open\n"), "%s", client->out);
        ck_assert_msg(says(client, i < 2 ? "Retry-After: 5\r\n" : "Retry-After: 4\r\n"), "%s",
                      client->out);
        pass(SECOND / 2 + 1);
    }
    ck_assert_uint_eq(mode1_stat(&host, "breaker_refused"), 3);
    pass(4 * SECOND);
    go(client, GOOD); /* the probe */
    ck_assert(says(client, " 200 "));
    ck_assert_uint_eq(mode1_stat(&host, "breakers_closed"), 1);
    go(client, GOOD);
    mode1_stop(&host);
}
END_TEST

/* One probe, and no more until it has told; a head is enough. */
START_TEST(a_probe_is_alone)
{
    struct plan plan = plan_of();
    struct mode1_link *clients[2];

    with_breaker(&plan);
    start(&plan);
    clients[0] = mode1_accept(&host, "edge");
    clients[1] = mode1_accept(&host, "edge");
    go_bad(clients[0], 3);
    pass(5 * SECOND);
    ask(clients[0]);
    ask(clients[1]);
    ck_assert(says(clients[1], "\nbreaker_open\n"));
    answer("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nbegun");
    ask(clients[1]);
    ck_assert_ptr_nonnull(asked());
    answer(GOOD);
    ck_assert(says(clients[1], " 200 "));
    mode1_stop(&host);
}
END_TEST

/* A failed probe: twice as long. One whose client leaves says nothing, and the next may go. */
START_TEST(probes_that_fail)
{
    struct plan plan = plan_of();
    struct mode1_link *client, *other;

    with_breaker(&plan);
    start(&plan);
    client = mode1_accept(&host, "edge");
    go_bad(client, 3);
    pass(5 * SECOND);
    go(client, BAD);
    pass(9 * SECOND);
    ask(client);
    ck_assert(says(client, "\nbreaker_open\n"));
    pass(1 * SECOND);
    other = mode1_accept(&host, "edge");
    ask(other);
    ck_assert_ptr_nonnull(asked());
    ask(client); /* of the probe something is heard soon, and not when it is lost */
    ck_assert(says(client, "\nbreaker_open\n") && says(client, "\r\nRetry-After: 1\r\n"));
    gw_link_received(other->link, 0, GW_ERESET);
    mode1_pump(&host);
    mode1_clear(client);
    ask(client);
    answer(GOOD);
    ck_assert(says(client, " 200 "));
    mode1_stop(&host);
}
END_TEST

/* What counts and what does not: the table of docs/breaking.md. */
struct ending {
    const char *name, *text; /* NULL: silence */
    uint32_t failures;       /* GW_FAILURE_*; 0: default */
    bool counts, ends, aborts, refuses;
};
static const struct ending endings[] = {
    { "good", GOOD, 0, false, false, false, false },
    { "a client's error", "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", 0, false, false, false,
      false },
    { "502", "HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n", 0, true, false, false, false },
    { "503", BAD, 0, true, false, false, false },
    { "504", "HTTP/1.1 504 No\r\nContent-Length: 0\r\n\r\n", 0, true, false, false, false },
    { "503, not counted", BAD, GW_FAILURE_RESET, false, false, false, false },
    { "500", "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", 0, false, false, false, false },
    { "500, counted", "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", GW_FAILURE_SERVER_ERROR, true,
      false, false, false },
    { "malformed", "no HTTP\r\n\r\n", 0, true, false, false, false },
    { "closed", "", 0, true, true, false, false },
    { "closed, not counted", "", GW_FAILURE_STATUS, false, true, false, false },
    { "cut in its body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", 0, true, true, false,
      false },
    { "silent", NULL, 0, true, false, false, false },
    { "left by its client", NULL, 0, false, false, true, false },
    { "left by its client after a 503", "HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\n", 0, true,
      false, true, false },
    { "refused", NULL, 0, true, false, false, true },
};

START_TEST(what_counts)
{
    const struct ending *e = &endings[_i];
    struct plan plan = plan_of();
    struct mode1_link *client;

    with_breaker(&plan);
    plan.cluster.failures = e->failures;
    start(&plan);
    host.refuse = e->refuses;
    for (int i = 0; i < 3; i++) {
        client = mode1_accept(&host, "edge");
        ask(client);
        if (e->text != NULL && e->text[0] != '\0') {
            struct mode1_link *up = asked();
            mode1_clear(up);
            mode1_say(&host, up, e->text);
            if (e->ends)
                mode1_end(&host, up);
        } else if (e->ends) {
            struct mode1_link *up = asked();
            mode1_clear(up);
            mode1_end(&host, up);
        }
        if (e->aborts) {
            gw_link_received(client->link, 0, GW_ERESET);
            mode1_pump(&host);
        } else if (e->text == NULL && !e->refuses) {
            pass(15 * SECOND);
        }
        for (struct mode1_link *up = asked(); up != NULL; up = asked())
            mode1_clear(up);
    }
    host.refuse = false;
    ck_assert_msg(mode1_stat(&host, "breakers_opened") == e->counts, "%s", e->name);
    mode1_stop(&host);
}
END_TEST

/* A bound of latency makes a good answer a bad one. */
START_TEST(slow_is_failed)
{
    struct plan plan = plan_of();
    struct mode1_link *client;

    with_breaker(&plan);
    plan.cluster.slow_ms = 100;
    start(&plan);
    client = mode1_accept(&host, "edge");
    for (int i = 0; i < 6; i++) {
        ask(client);
        pass(_i == 0 ? 101 * MS : 100 * MS);
        answer(GOOD);
        if (_i == 0 && i == 2)
            break;
    }
    ck_assert_uint_eq(mode1_stat(&host, "breakers_opened"), _i == 0);
    mode1_stop(&host);
}
END_TEST

/* Of two one fails: the other has it all, however they are balanced; its probes are all that it gets. */
START_TEST(others_go_on)
{
    struct plan plan = plan_of();
    struct mode1_link *client;
    int bad = 0;

    with_breaker(&plan);
    plan.endpoints = 2;
    plan.cluster.balance = (uint32_t)_i % 4 + GW_BALANCE_ROUND_ROBIN;
    plan.has_levels = _i >= 4; /* the one that fails alone before the other */
    start(&plan);
    client = mode1_accept(&host, "edge");
    for (int i = 0; i < 200; i++) {
        ask(client);
        ck_assert_ptr_nonnull(asked());
        if (mode1_is_at(asked(), "127.0.0.1:81"))
            bad++, answer(BAD);
        else
            answer(GOOD);
    }
    ck_assert_int_eq(bad, 3);
    pass(5 * SECOND);
    for (int i = 0; i < 200; i++) {
        ask(client);
        if (mode1_is_at(asked(), "127.0.0.1:81"))
            bad++, answer(BAD);
        else
            answer(GOOD);
    }
    ck_assert_int_eq(bad, 4);
    mode1_stop(&host);
}
END_TEST

/* An open breaker outlives a configuration, and one that is taken out is asked no more. */
START_TEST(a_reload_keeps_it_open)
{
    struct plan plan = plan_of();
    struct mode1_link *client;

    with_breaker(&plan);
    start(&plan);
    client = mode1_accept(&host, "edge");
    go_bad(client, 3);
    parts_apply(&host, make(&plan));
    mode1_pump(&host);
    ask(client);
    ck_assert(says(client, "\nbreaker_open\n"));
    plan.cluster.breaker = NULL;
    parts_apply(&host, make(&plan));
    mode1_pump(&host);
    go(client, GOOD);
    ck_assert(says(client, " 200 "));
    mode1_stop(&host);
}
END_TEST

/* A clock that stands, or goes back, stands for all of it; one that jumps ends what has a timed end, and a
 * year of it is no more than that. */
START_TEST(clocks_that_stand_and_jump)
{
    const gw_nanos year = 365 * UINT64_C(86400) * SECOND;
    struct plan plan = plan_of();
    struct mode1_link *client;

    with_breaker(&plan);
    plan.cluster.throttle = &plan.throttle;
    plan.cluster.outlier = &plan.outlier;
    start(&plan);
    client = mode1_accept(&host, "edge");
    go_bad(client, 3);
    for (int i = 0; i < 200; i++) {
        ask(client);
        ck_assert(says(client, "\nbreaker_open\n"));
        if (i == 100)
            host.now -= SECOND / 2;
    }
    pass(year);
    client = mode1_accept(&host, "edge"); /* nobody's connection is kept so long */
    go(client, GOOD);
    ck_assert_msg(says(client, " 200 "), "%s", client->out);
    for (int i = 0; i < 200; i++) {
        host.now -= SECOND; /* the gateway's stands */
        go(client, GOOD);
        ck_assert(says(client, " 200 "));
    }
    mode1_stop(&host);
}
END_TEST

/* All have left, and no breaker is to blame for it. */
START_TEST(nobody_has_any_weight)
{
    struct plan plan = plan_of();
    gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
    struct mode1_link *client;

    with_breaker(&plan);
    plan.fallback.code = 200;
    plan.fallback.body = GW_STR("later");
    plan.cluster.fallback = _i == 0 ? NULL : &plan.fallback;
    start(&plan);
    endpoint.address = GW_STR("127.0.0.1:81");
    endpoint.weight = GW_OFF;
    ck_assert_int_eq(gw_engine_put_endpoint(host.engine, GW_STR("web"), &endpoint, NULL), GW_OK);
    client = mode1_accept(&host, "edge");
    ask(client);
    ck_assert_msg(says(client, _i == 0 ? "\nno_endpoint\n" : "\r\n\r\nlater"), "%s", client->out);
    mode1_stop(&host);
}
END_TEST

/* Another thread ejects the last one, and has not yet taken it back: too few are left, and all are asked. */
START_TEST(an_ejection_in_the_making)
{
    struct plan plan = plan_of();
    const struct gw_binding *b;
    struct mode1_link *client;

    plan.cluster.outlier = &plan.outlier;
    start(&plan);
    client = mode1_accept(&host, "edge");
    go(client, GOOD);
    b = host.worker->exchanges.binding;
    for (uint32_t i = 0; i < b->config->clusters_len; i++)
        if (gw_str_eq(b->config->clusters[i].name, gw_cstr("web")))
            ck_assert(gw_outlier_eject(&b->clusters[i].states[0]->outlier,
                                       &b->config->clusters[i].guards->outlier, host.now,
                                       GW_OUTLIER_FAILURES));
    go(client, GOOD);
    ck_assert(says(client, " 200 "));
    mode1_stop(&host);
}
END_TEST

/* Who stands in line for a connection until his time is over has met no upstream, also if one was being made in
 * the end: with a breaker of one failure the next one would be refused. */
START_TEST(a_line_is_no_failure)
{
    struct plan plan = plan_of();
    struct mode1_link *first, *second;

    with_breaker(&plan);
    plan.breaker.failures = 1;
    plan.cluster.connections_max = 1;
    plan.cluster.connect_timeout_ms = 100;
    start(&plan);
    first = mode1_accept(&host, "edge");
    second = mode1_accept(&host, "edge");
    ask(first);
    ask(second);
    pass(99 * MS);
    host.ignored = "127.0.0.1:81";
    answer("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    pass(2 * MS);
    ck_assert_msg(says(second, "\npool_full\n"), "%s", second->out);
    pass(200 * MS); /* that connection is given up */
    host.ignored = NULL;
    go(first, GOOD);
    ck_assert_msg(says(first, " 200 "), "%s", first->out);
    mode1_stop(&host);
}
END_TEST

/* Nor has a try whose own time is over; but it goes to another endpoint, where there may be no line. */
START_TEST(a_try_in_line_is_no_failure)
{
    struct plan plan = plan_of();
    struct mode1_link *clients[3];

    with_breaker(&plan);
    plan.breaker.failures = 1;
    plan.endpoints = 2;
    plan.cluster.connections_max = 1;
    plan.retries = 1;
    plan.has_retry = true;
    plan.retry = GW_SPEC(gw_retry_spec);
    plan.retry.per_try_timeout_ms = 100;
    start(&plan);
    for (int i = 0; i < 3; i++) {
        clients[i] = mode1_accept(&host, "edge");
        ask(clients[i]);
        if (i < 2)
            answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no");
    }
    pass(101 * MS);
    ck_assert_uint_eq(mode1_stat(&host, "retries"), 1);
    pass(101 * MS);
    ck_assert_msg(says(clients[2], "\npool_full\n"), "%s", clients[2]->out);
    for (int i = 0; i < 2; i++) {
        ask(clients[2]);
        ck_assert_msg(!says(clients[2], "\nbreaker"), "%s", clients[2]->out);
        pass(101 * MS);
        pass(101 * MS);
        ck_assert_msg(says(clients[2], "\npool_full\n"), "%s", clients[2]->out);
    }
    mode1_stop(&host);
}
END_TEST

/* The preset says ten at once. */
START_TEST(hystrix_has_a_ceiling)
{
    struct plan plan = plan_of();
    struct mode1_link *client = NULL;

    plan.breaker.preset = GW_BREAKER_HYSTRIX;
    plan.cluster.breaker = &plan.breaker;
    start(&plan);
    for (int i = 0; i < 11; i++) {
        client = mode1_accept(&host, "edge");
        ask(client);
        ck_assert_int_eq(says(client, "\ncluster_full\n"), i == 10);
    }
    pass(SECOND); /* and a second each */
    ask(client);
    ck_assert(!says(client, "\ncluster_full\n"));
    ck_assert_uint_eq(mode1_stat(&host, "cluster_full"), 1);
    mode1_stop(&host);
}
END_TEST

/* ---- ceilings ---- */

/* A place is given back once, however its request ends: else the next would be refused. */
START_TEST(places_come_back)
{
    const struct ending *e = &endings[_i];
    struct plan plan = plan_of();
    struct mode1_link *client, *other;

    plan.cluster.exchanges_max = 1;
    plan.cluster.pending_max = 1;
    plan.cluster.retries_max = 1;
    plan.endpoints = 2;
    plan.retries = 2;
    start(&plan);
    for (int i = 0; i < 3; i++) {
        struct mode1_link *up;
        host.refuse = e->refuses;
        client = mode1_accept(&host, "edge");
        ask(client);
        if (!e->refuses) {
            other = mode1_accept(&host, "edge");
            ask(other);
            ck_assert_msg(says(other, "\ncluster_full\n"), "%s: %s", e->name, other->out);
        }
        up = asked();
        if (up != NULL)
            mode1_clear(up);
        if (up != NULL && e->text != NULL && e->text[0] != '\0')
            mode1_say(&host, up, e->text);
        if (up != NULL && e->ends && up->link != NULL)
            mode1_end(&host, up);
        if (e->aborts) {
            gw_link_received(client->link, 0, GW_ERESET);
            mode1_pump(&host);
        }
        pass(16 * SECOND);
        host.refuse = false;
        while (asked() != NULL)
            mode1_clear(asked());
    }
    client = mode1_accept(&host, "edge");
    go(client, GOOD);
    ck_assert_msg(says(client, " 200 "), "%s: %s", e->name, client->out);
    mode1_stop(&host);
}
END_TEST

/* One may wait for a connection. */
START_TEST(pending_has_a_ceiling)
{
    struct plan plan = plan_of();
    struct mode1_link *clients[3];

    plan.cluster.connections_max = 1;
    plan.cluster.pending_max = 1;
    start(&plan);
    for (int i = 0; i < 3; i++) {
        clients[i] = mode1_accept(&host, "edge");
        ask(clients[i]);
    }
    ck_assert_msg(says(clients[2], "\npool_full\n"), "%s", clients[2]->out);
    answer(GOOD);
    answer(GOOD);
    ck_assert(says(clients[0], " 200 ") && says(clients[1], " 200 "));
    ask(clients[2]);
    answer(GOOD);
    ck_assert(says(clients[2], " 200 "));
    mode1_stop(&host);
}
END_TEST

/* One retry at once: the next that would follow is not made, until that one has ended. */
START_TEST(retries_have_a_ceiling)
{
    struct plan plan = plan_of();
    struct mode1_link *clients[3];

    plan.cluster.retries_max = _i == 0 ? 1 : 0;
    plan.endpoints = 2;
    plan.retries = 1;
    start(&plan);
    host.refused = "127.0.0.1:81";
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < 3; i++) {
            clients[i] = mode1_accept(&host, "edge");
            ask(clients[i]);
        }
        if (_i == 0)
            ck_assert_uint_eq(mode1_stat(&host, "retries"), (uint64_t)round);
        while (asked() != NULL)
            answer(GOOD);
    }
    if (_i == 0)
        ck_assert_uint_gt(mode1_stat(&host, "retries_refused"), 0);
    else
        ck_assert_uint_gt(mode1_stat(&host, "retries"), 3);
    mode1_stop(&host);
}
END_TEST

/* Who may not try again is still in flight while its answer goes down; and what it was counted for before it
 * was refused is there for others. */
START_TEST(a_refused_retry_costs_nothing)
{
    struct plan plan = plan_of();
    struct mode1_link *first, *client, *held;

    plan.cluster.retries_max = 1;
    plan.cluster.retry_least = 2;
    plan.cluster.retry_percent = GW_OFF;
    plan.cluster.exchanges_max = 2;
    plan.endpoints = 2;
    plan.retries = 1;
    plan.retry = GW_SPEC(gw_retry_spec);
    plan.retry.on = GW_RETRY_GATEWAY_ERROR;
    plan.retry.backoff_base_ms = GW_OFF;
    plan.has_retry = true;
    start(&plan);
    first = mode1_accept(&host, "edge");
    client = mode1_accept(&host, "edge");
    ask(first);
    answer(BAD); /* its retry has the one place, and half of the budget */
    ck_assert_uint_eq(mode1_stat(&host, "retries"), 1);
    held = asked();
    ck_assert_ptr_nonnull(held);
    for (int i = 0; i < 5; i++) {
        struct mode1_link *up = NULL, *third;
        ask(client);
        for (int j = 0; j < host.count; j++)
            if (&host.links[j] != held && host.links[j].is_upstream && host.links[j].link != NULL &&
                host.links[j].out_len > 0)
                up = &host.links[j];
        ck_assert_ptr_nonnull(up);
        mode1_clear(up);
        mode1_say(&host, up, "HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\n");
        ck_assert(says(client, " 503 "));
        third = mode1_accept(&host, "edge"); /* both are in flight: there is no place for it */
        ask(third);
        ck_assert(says(third, "\ncluster_full\n"));
        mode1_say(&host, up, "no");
    }
    ck_assert_uint_eq(mode1_stat(&host, "retries"), 1);
    answer(GOOD);
    ask(client);
    answer(BAD);
    ck_assert_uint_eq(mode1_stat(&host, "retries"),
                      2); /* who was refused took none of the budget */
    answer(GOOD);
    ck_assert(says(client, " 200 "));
    mode1_stop(&host);
}
END_TEST

/* Who has no weight serves nobody: of two the other one is the last. */
START_TEST(who_drains_is_no_reserve)
{
    struct plan plan = plan_of();
    struct mode1_link *client;

    plan.endpoints = 2;
    plan.drains_last = true;
    plan.outlier.failures = 1;
    plan.outlier.share_percent = 100;
    plan.cluster.outlier = &plan.outlier;
    plan.cluster.panic_percent = GW_OFF;
    start(&plan);
    client = mode1_accept(&host, "edge");
    go_bad(client, 5);
    ck_assert_uint_eq(mode1_stat(&host, "ejections"), 0);
    mode1_stop(&host);
}
END_TEST

/* ---- what is given instead ---- */

START_TEST(fallback_answers)
{
    struct plan plan = plan_of();
    struct mode1_link *client;

    with_breaker(&plan);
    plan.fallback.code = 200;
    plan.fallback.body = GW_STR("later");
    plan.cluster.fallback = &plan.fallback;
    start(&plan);
    client = mode1_accept(&host, "edge");
    go_bad(client, 3);
    for (int i = 0; i < 3; i++) {
        ask(client);
        ck_assert_ptr_null(asked());
        ck_assert_msg(says(client, " 200 ") && says(client, "\r\n\r\nlater"), "%s", client->out);
    }
    ck_assert_uint_eq(mode1_stat(&host, "fallbacks"), 3);
    mode1_stop(&host);
}
END_TEST

START_TEST(fallback_is_another_cluster)
{
    struct plan plan = plan_of();
    struct mode1_link *client;

    with_breaker(&plan);
    plan.fallback.cluster = GW_STR("beside");
    plan.cluster.fallback = &plan.fallback;
    plan.has_origin_beside = _i == 1;
    start(&plan);
    client = mode1_accept(&host, "edge");
    go_bad(client, 3);
    for (int i = 0; i < 3; i++) {
        ask(client);
        if (_i == 0) {
            ck_assert(mode1_is_at(asked(), "127.0.0.1:90"));
            ck_assert_ptr_nonnull(strstr(asked()->out, "Via: "));
            ck_assert_ptr_null(strstr(strstr(asked()->out, "Via: ") + 1, "Via: "));
            answer(GOOD);
        }
        ck_assert_msg(says(client, _i == 0 ? "\r\n\r\nok" : " 204 "), "%s", client->out);
    }
    mode1_stop(&host);
}
END_TEST

/* ---- throttles and ejection ---- */

START_TEST(a_throttle_refuses_some)
{
    struct plan plan = plan_of();
    struct mode1_link *client;
    int asked_for = 0;

    plan.throttle.volume_min = 20;
    plan.cluster.throttle = &plan.throttle;
    start(&plan);
    client = mode1_accept(&host, "edge");
    for (int i = 0; i < 200; i++) {
        ask(client);
        if (asked() != NULL) {
            asked_for++;
            answer(BAD);
        } else {
            ck_assert(says(client, "\nthrottled\n"));
        }
        pass(5 * MS);
    }
    ck_assert_int_ge(asked_for, 20);
    ck_assert_int_lt(asked_for, 50);
    ck_assert_uint_eq(mode1_stat(&host, "throttled"), 200 - (uint64_t)asked_for);
    pass(4 * SECOND); /* all is forgotten */
    go(client, GOOD);
    mode1_stop(&host);
}
END_TEST

/* Of six one fails: it is out, for a while. Of six all fail: not more than the share. */
START_TEST(ejection_has_a_share)
{
    struct plan plan = plan_of();
    struct mode1_link *client;

    plan.endpoints = 6;
    plan.outlier.failures = 2;
    plan.outlier.share_percent = 34;
    plan.cluster.outlier = &plan.outlier;
    start(&plan);
    client = mode1_accept(&host, "edge");
    for (int i = 0; i < 60; i++) {
        ask(client);
        ck_assert_ptr_nonnull(asked());
        answer(_i == 1 || mode1_is_at(asked(), "127.0.0.1:83") ? BAD : GOOD);
    }
    ck_assert_uint_eq(mode1_stat(&host, "ejections"), _i == 0 ? 1 : 2);
    if (_i == 0)
        for (int i = 0; i < 30; i++) {
            ask(client);
            ck_assert(!mode1_is_at(asked(), "127.0.0.1:83"));
            answer(GOOD);
        }
    mode1_stop(&host);
}
END_TEST

/* The one whose share of good answers is far from the others'. */
START_TEST(rates_are_compared)
{
    struct plan plan = plan_of();
    struct mode1_link *client;
    uint32_t n = 0;

    plan.endpoints = 6;
    plan.outlier.failures = GW_OFF;
    plan.outlier.volume_min = 10;
    plan.cluster.outlier = &plan.outlier;
    start(&plan);
    client = mode1_accept(&host, "edge");
    for (int i = 0; i < 240; i++) {
        ask(client);
        answer(mode1_is_at(asked(), "127.0.0.1:85") && n++ % 2 == 0 ? BAD : GOOD);
        pass(50 * MS);
    }
    ck_assert_uint_eq(mode1_stat(&host, "ejections"), 1);
    for (int i = 0; i < 12; i++) {
        ask(client);
        ck_assert(!mode1_is_at(asked(), "127.0.0.1:85"));
        answer(GOOD);
    }
    mode1_stop(&host);
}
END_TEST

static Suite *guards_suite(void)
{
    Suite *s = suite_create("guards");
    check_add(s, an_open_breaker_answers_at_once);
    check_add(s, a_probe_is_alone);
    check_add(s, probes_that_fail);
    check_add_loop(s, what_counts, 0, (int)(sizeof endings / sizeof *endings));
    check_add_loop(s, slow_is_failed, 0, 2);
    check_add_loop(s, others_go_on, 0, 8);
    check_add(s, a_reload_keeps_it_open);
    check_add(s, clocks_that_stand_and_jump);
    check_add_loop(s, nobody_has_any_weight, 0, 2);
    check_add(s, an_ejection_in_the_making);
    check_add(s, a_line_is_no_failure);
    check_add(s, a_try_in_line_is_no_failure);
    check_add(s, hystrix_has_a_ceiling);
    check_add_loop(s, places_come_back, 0, (int)(sizeof endings / sizeof *endings));
    check_add(s, pending_has_a_ceiling);
    check_add_loop(s, retries_have_a_ceiling, 0, 2);
    check_add(s, fallback_answers);
    check_add_loop(s, fallback_is_another_cluster, 0, 2);
    check_add(s, a_throttle_refuses_some);
    check_add(s, a_refused_retry_costs_nothing);
    check_add(s, who_drains_is_no_reserve);
    check_add_loop(s, ejection_has_a_share, 0, 2);
    check_add(s, rates_are_compared);
    return s;
}

CHECK_MAIN(guards_suite)
