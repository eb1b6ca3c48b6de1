/* unit/ages_test.c: how long connections are used, in mode 1: ages that are drawn, what a new configuration
 * makes of them, and what is counted. What the peers see is in tests/proto/age-*.gwt. */

#include "check_main.h"
#include "parts.h"

enum { SECOND = 1000000000, MANY = 10000, AGE = 100, JITTER = 10 };

static struct mode1 host;

struct plan {
    uint32_t age_ms, jitter, grace_ms, requests, upstream_age_ms, links;
    uint64_t seed;
};

static gw_config *make_config(const struct plan *plan)
{
    gw_builder *b = parts_begin(&host);
    gw_listener_spec listener = GW_SPEC(gw_listener_spec);
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);

    listener.name = gw_cstr("edge");
    listener.idle_timeout_ms = GW_OFF;
    listener.head_timeout_ms = GW_OFF;
    listener.age_ms = plan->age_ms;
    listener.age_jitter_percent = plan->jitter;
    listener.age_grace_ms = plan->grace_ms;
    listener.requests_max = plan->requests;
    gw_builder_listener(b, &listener);
    cluster.idle_timeout_ms = GW_OFF;
    cluster.age_ms = plan->upstream_age_ms;
    cluster.age_jitter_percent = plan->jitter;
    if (plan->upstream_age_ms == 0)
        cluster.age_jitter_percent = 0;
    parts_cluster(b, "web", &cluster, "127.0.0.1:81");
    parts_route(b, "/", NULL, "web");
    return parts_build(b);
}

static void start(const struct plan *plan)
{
    gw_limits limits = GW_SPEC(gw_limits);

    memset(&host, 0, sizeof host);
    test_alloc_init(&host.alloc);
    limits.links_max = plan->links;
    mode1_start(&host, make_config(plan), &limits);
}

static void reload(const struct plan *plan)
{
    parts_apply(&host, make_config(plan));
    mode1_pump(&host);
}

static void pass(uint32_t seconds)
{
    host.now += (gw_nanos)seconds * SECOND;
    mode1_pump(&host);
}

static const char *ask(struct mode1_link *client)
{
    struct mode1_link *up;

    mode1_clear(client);
    mode1_say(&host, client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    up = mode1_upstream(&host);
    ck_assert_uint_gt(up->out_len, 0);
    mode1_clear(up);
    mode1_say(&host, up, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    ck_assert_msg(strstr(client->out, " 200 ") != NULL, "%s", client->out);
    return client->out;
}

static bool says_close(const char *answer)
{
    return strstr(answer, "onnection: close") != NULL;
}

/* How many of MANY that come at once are retired in each second after that. */
static void count_retired(uint64_t seed, uint32_t jitter, uint32_t *by_second, uint32_t seconds)
{
    gw_worker_spec worker = GW_SPEC(gw_worker_spec);
    gw_engine_spec engine = GW_SPEC(gw_engine_spec);
    gw_limits limits = GW_SPEC(gw_limits);
    gw_env env = GW_SPEC(gw_env);
    gw_config *config;
    uint64_t before = 0;

    memset(&host, 0, sizeof host);
    test_alloc_init(&host.alloc);
    env.allocator = host.alloc.allocator;
    limits.links_max = MANY;
    engine.env = &env;
    engine.limits = &limits;
    worker.seed = seed;
    ck_assert_int_eq(gw_engine_new(&engine, &host.engine), GW_OK);
    config = make_config(&(struct plan){ .age_ms = AGE * 1000, .jitter = jitter });
    ck_assert_int_eq(gw_engine_apply(host.engine, config, NULL), GW_OK);
    gw_config_unref(config);
    ck_assert_int_eq(gw_worker_new(host.engine, &worker, &host.worker), GW_OK);
    for (int i = 0; i < MANY; i++) {
        gw_accept_spec spec = GW_SPEC(gw_accept_spec);
        gw_link *link;
        spec.listener = gw_cstr("edge");
        ck_assert_int_eq(gw_worker_accept(host.worker, &spec, &link), GW_OK);
    }
    for (uint32_t i = 0; i < seconds; i++) {
        uint64_t n;
        while (gw_worker_step(host.worker, (gw_nanos)(i + 1) * SECOND) == GW_AGAIN)
            ;
        n = mode1_stat(&host, "links_retired");
        by_second[i] = (uint32_t)(n - before);
        before = n;
    }
    mode1_stop(&host);
}

/* Ten percent more or less of 100 seconds: 20 seconds, with a twentieth in each, as good as. */
START_TEST(many_do_not_come_back_at_once)
{
    uint32_t by_second[130], other[130], sum = 0, same = 0;

    count_retired(1, JITTER, by_second, 130);
    for (uint32_t i = 0; i < 130; i++) {
        sum += by_second[i];
        if (i >= 91 && i < 110) { /* from second 1 on: its first step made them */
            ck_assert_uint_ge(by_second[i], MANY / 20 - 120);
            ck_assert_uint_le(by_second[i], MANY / 20 + 120);
        } else if (i < 89 || i > 111) {
            ck_assert_uint_eq(by_second[i], 0);
        }
    }
    ck_assert_uint_eq(sum, MANY);
    count_retired(2, JITTER, other, 130); /* another worker's are others */
    for (uint32_t i = 90; i < 110; i++)
        same += by_second[i] == other[i];
    ck_assert_uint_lt(same, 10);
    count_retired(1, JITTER, other, 130); /* and the same seed's are the same */
    ck_assert_int_eq(memcmp(by_second, other, sizeof other), 0);
    count_retired(1, GW_OFF, other, 130);
    ck_assert_uint_eq(other[AGE], MANY);
}
END_TEST

/* Time that passed before it came is not its own. */
START_TEST(age_begins_with_the_connection)
{
    struct mode1_link *client;

    start(&(struct plan){ .age_ms = 10000, .jitter = GW_OFF });
    mode1_pump(&host);
    host.now += 50ull * SECOND; /* nothing has happened meanwhile */
    client = mode1_accept(&host, "edge");
    ck_assert(!says_close(ask(client)));
    pass(9);
    ck_assert(!says_close(ask(client)));
    pass(2);
    ck_assert(says_close(ask(client)));
    ck_assert_uint_eq(mode1_stat(&host, "links_retired"), 1);
    mode1_stop(&host);
}
END_TEST

/* The default: nothing ends what is used. */
START_TEST(nothing_ends_by_default)
{
    struct mode1_link *client;

    start(&(struct plan){ .links = 0 });
    client = mode1_accept(&host, "edge");
    for (int i = 0; i < 100; i++) {
        ck_assert(!says_close(ask(client)));
        pass(86400);
    }
    ck_assert_uint_eq(mode1_stat(&host, "links_retired"), 0);
    ck_assert_uint_eq(mode1_stat(&host, "links_connected"), 1);
    mode1_stop(&host);
}
END_TEST

/* A new configuration's age is counted from when the connection came, if that is known. */
START_TEST(a_new_age_is_for_all)
{
    struct mode1_link *client, *late;

    start(&(struct plan){ .age_ms = 100000, .upstream_age_ms = 100000, .jitter = 20 });
    client = mode1_accept(&host, "edge");
    (void)ask(client);
    pass(30);
    reload(&(struct plan){ .age_ms = 40000, .upstream_age_ms = 40000, .jitter = GW_OFF });
    ck_assert(!says_close(ask(client)));
    pass(9);
    ck_assert_uint_eq(mode1_stat(&host, "links_retired"), 0);
    pass(1);
    ck_assert_uint_eq(mode1_stat(&host, "links_retired"), 2);
    ck_assert(says_close(ask(client)));
    late = mode1_accept(&host, "edge");
    (void)ask(late);
    reload(&(struct plan){ .jitter = 0 }); /* none at all */
    pass(1000);
    ck_assert(!says_close(ask(late)));
    reload(&(struct plan){ .age_ms = 40000, .jitter = GW_OFF }); /* from now on */
    pass(39);
    ck_assert(!says_close(ask(late)));
    pass(1);
    ck_assert(says_close(ask(late)));
    mode1_stop(&host);
}
END_TEST

/* An old connection to an upstream is closed at rest, and no request fails for it. */
START_TEST(upstream_connections_are_renewed)
{
    struct mode1_link *client;

    start(&(struct plan){ .upstream_age_ms = 10000, .jitter = GW_OFF });
    client = mode1_accept(&host, "edge");
    for (int i = 0; i < 50; i++) {
        ck_assert(!says_close(ask(client)));
        pass(3);
    }
    ck_assert_uint_ge(mode1_stat(&host, "links_connected"), 12);
    ck_assert_uint_le(mode1_stat(&host, "links_connected"), 14);
    ck_assert_uint_eq(mode1_stat(&host, "exchanges_failed"), 0);
    mode1_stop(&host);
}
END_TEST

/* One at rest is closed when its grace is over, and one that reads nothing of its farewell a second later. */
START_TEST(the_grace_ends_everything)
{
    struct mode1_link *idle, *stuck;

    start(&(struct plan){ .age_ms = 10000, .jitter = GW_OFF, .grace_ms = 5000 });
    idle = mode1_accept(&host, "edge");
    stuck = mode1_accept(&host, "edge");
    (void)ask(idle);
    mode1_say(&host, stuck, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    stuck->is_slow = true;
    pass(10);
    pass(4);
    ck_assert(!idle->is_shutdown);
    pass(1);
    ck_assert(idle->is_shutdown);
    ck_assert_uint_eq(mode1_stat(&host, "exchanges_failed"), 1);
    ck_assert_ptr_nonnull(stuck->link);
    pass(1);
    ck_assert_ptr_null(stuck->link);
    mode1_stop(&host);
}
END_TEST

START_TEST(a_number_of_requests)
{
    struct mode1_link *client = NULL;

    start(&(struct plan){ .requests = 3 });
    for (int i = 0; i < 6; i++) {
        if (i % 3 == 0)
            client = mode1_accept(&host, "edge");
        ck_assert_int_eq(says_close(ask(client)), i % 3 == 2);
    }
    ck_assert_uint_eq(mode1_stat(&host, "links_retired"), 2);
    mode1_stop(&host);
}
END_TEST

static Suite *ages_suite(void)
{
    Suite *s = suite_create("ages");
    check_add(s, many_do_not_come_back_at_once);
    check_add(s, age_begins_with_the_connection);
    check_add(s, nothing_ends_by_default);
    check_add(s, a_new_age_is_for_all);
    check_add(s, upstream_connections_are_renewed);
    check_add(s, the_grace_ends_everything);
    check_add(s, a_number_of_requests);
    return s;
}

CHECK_MAIN(ages_suite)
