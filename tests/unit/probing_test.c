/* unit/probing_test.c: probes in the whole machine, in mode 1: whom requests reach when endpoints fail,
 * stall, lie and recover; turns among workers; reloads and drains. The rules by themselves:
 * health_test.c. */

#include "check_main.h"
#include "gw_features.h"
#include "parts.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define GOOD "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define BAD "HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno"

static struct mode1 host;
static char said[4096]; /* of the log */

struct plan {
    gw_cluster_spec cluster;
    gw_health_spec health;
    gw_breaker_spec breaker;
    gw_fallback_spec fallback;
    uint32_t endpoints, retries;
    const char *first; /* the address of the first one */
};

static const char *const addresses[] = { "127.0.0.1:81", "127.0.0.1:82", "127.0.0.1:83" };

/* Each second, two good ones, two failed ones. */
static struct plan plan_of(uint32_t endpoints)
{
    struct plan plan;

    memset(&plan, 0, sizeof plan);
    plan.cluster = GW_SPEC(gw_cluster_spec);
    plan.health = GW_SPEC(gw_health_spec);
    plan.breaker = GW_SPEC(gw_breaker_spec);
    plan.fallback = GW_SPEC(gw_fallback_spec);
    plan.health.interval_ms = 1000;
    plan.health.timeout_ms = 300;
    plan.health.jitter_percent = GW_OFF;
    plan.health.rise = plan.health.fall = 2;
    plan.health.path = GW_STR("/health?deep=1");
    plan.endpoints = endpoints;
    plan.first = addresses[0];
    return plan;
}

static gw_config *make(struct plan *plan)
{
    gw_builder *b = parts_begin(&host);
    gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
    gw_route_spec route = GW_SPEC(gw_route_spec);
    gw_id id;

    parts_listener(b, "edge");
    plan->cluster.name = GW_STR("web");
    plan->cluster.health = plan->health.size == 0 ? NULL : &plan->health;
    id = gw_builder_cluster(b, &plan->cluster);
    for (uint32_t i = 0; i < plan->endpoints; i++) {
        static const char *const names[] = { "a", "b", "c" };
        endpoint.name = gw_cstr(names[i]);
        endpoint.address = gw_cstr(i == 0 ? plan->first : addresses[i]);
        gw_builder_endpoint(b, id, &endpoint);
    }
    route.retries = plan->retries > 0 ? plan->retries : GW_OFF;
    parts_route(b, "/", &route, "web");
    return parts_build(b);
}

static void hear(void *ctx, uint32_t level, const char *event, const char *text)
{
    (void)ctx;
    (void)level;
    if (strcmp(event, "health.changed") == 0)
        snprintf(said + strlen(said), sizeof said - strlen(said), "%s\n", text);
}

static void start(struct plan *plan)
{
    memset(&host, 0, sizeof host);
    host.workers = 2;
    memset(said, 0, sizeof said);
    test_alloc_init(&host.alloc);
    host.log = hear;
    host.log_level = GW_LOG_WARN;
    mode1_start(&host, make(plan), NULL);
    mode1_pump(&host);
}

static void pass(gw_nanos time)
{
    mode1_pass(&host, time);
}

static bool is_probe(const struct mode1_link *up)
{
    return strstr(up->out, "libgw-health") != NULL;
}

/* What was asked there and has no answer yet: a probe, or a request; NULL: nothing. */
static struct mode1_link *asked(const char *address, bool probe)
{
    for (int i = 0; i < host.count; i++) {
        struct mode1_link *l = &host.links[i];
        if (l->is_upstream && l->link != NULL && l->out_len > 0 && is_probe(l) == probe &&
            mode1_is_at(l, address))
            return l;
    }
    return NULL;
}

static void answer(struct mode1_link *up, const char *text)
{
    ck_assert_msg(up != NULL, "nobody was asked");
    mode1_tell(&host, up, text);
}

/* The next turn: each of the first so many endpoints gives its answer; NULL: none at all. */
static void turn(const char *a, const char *b)
{
    pass(SECOND);
    if (a != NULL)
        answer(asked(addresses[0], true), a);
    if (b != NULL)
        answer(asked(addresses[1], true), b);
}

/* Of four requests, how many the first endpoint is asked; each is answered. */
static int share_of_first(void)
{
    struct mode1_link *client = mode1_accept(&host, "edge");
    int n = 0;

    for (int i = 0; i < 4; i++) {
        struct mode1_link *up;
        mode1_clear(client);
        mode1_say(&host, client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
        up = asked(addresses[0], false);
        n += up != NULL;
        answer(up != NULL ? up : asked(addresses[1], false), GOOD);
        ck_assert_msg(strstr(client->out, " 200 ") != NULL, "%s", client->out);
    }
    mode1_end(&host, client);
    return n;
}

START_TEST(who_fails_is_left_out_until_it_is_well)
{
    struct plan plan = plan_of(2);

    start(&plan);
    ck_assert_msg(strstr(asked(addresses[0], true)->out,
                         "GET /health?deep=1 HTTP/1.1\r\nHost: 127.0.0.1:81\r\n") != NULL,
                  "%s", asked(addresses[0], true)->out);
    ck_assert(strstr(asked(addresses[0], true)->out, "Connection: close\r\n") != NULL);
    ck_assert_int_eq(share_of_first(), 2);
    answer(asked(addresses[0], true), GOOD);
    answer(asked(addresses[1], true), GOOD);
    ck_assert_str_eq(said, "");
    turn(BAD, GOOD);
    ck_assert_int_eq(share_of_first(), 2);
    turn(GOOD, GOOD);
    turn(BAD, GOOD); /* not in a row */
    ck_assert_int_eq(share_of_first(), 2);
    turn(BAD, GOOD);
    ck_assert_str_eq(said, "unhealthy: cluster web, endpoint a, status 500\n");
    ck_assert_int_eq(share_of_first(), 0);
    turn(GOOD, GOOD);
    turn(BAD, GOOD);
    turn(GOOD, GOOD);
    ck_assert_int_eq(share_of_first(), 0);
    turn(GOOD, GOOD);
    ck_assert_msg(strstr(said, "\nhealthy: cluster web, endpoint a\n") != NULL, "%s", said);
    ck_assert_int_eq(share_of_first(), 2);
    ck_assert_uint_eq(mode1_stat(&host, "probes"), 18);
    ck_assert_uint_eq(mode1_stat(&host, "probes_failed"), 4);
    ck_assert_uint_eq(mode1_stat(&host, "endpoints_lost"), 1);
    ck_assert_uint_eq(mode1_stat(&host, "endpoints_recovered"), 1);
    /* None of it is a client's. */
    ck_assert_uint_eq(mode1_stat(&host, "exchanges"), 24);
    ck_assert_uint_eq(mode1_stat(&host, "exchanges_failed"), 0);
    mode1_stop(&host);
}
END_TEST

START_TEST(the_first_probe_counts_at_once)
{
    struct plan plan = plan_of(2);

    start(&plan);
    answer(asked(addresses[0], true), BAD);
    ck_assert_int_eq(share_of_first(), 0);
    mode1_stop(&host);

    plan = plan_of(2);
    plan.health.first = GW_HEALTH_FIRST_LEFT_OUT;
    start(&plan);
    ck_assert_int_eq(share_of_first(), 2); /* nobody is known: panic */
    answer(asked(addresses[1], true), GOOD);
    ck_assert_int_eq(share_of_first(), 0);
    answer(asked(addresses[0], true), GOOD);
    ck_assert_int_eq(share_of_first(), 2);
    mode1_stop(&host);
}
END_TEST

/* Each of these ends the probe, and nothing else. */
static const struct trouble {
    const char *answer, *says; /* answer NULL: none; "": closed */
} troubles[] = {
    { NULL, "no answer in time" },
    { "", "closed without an answer" },
    { "SSH-2.0-OpenSSH_9.6\r\n", "no answer that can be read" },
    { "\x15\x03\x01\x02\x03\n", "no answer that can be read" },
    { "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
      "no answer that can be read" },
    { "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "status 302" },
    { "HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n", "status 404" },
    { "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
      "no answer that can be read" },
    { "HTTP/1.1 100 Continue\r\n\r\n", "no answer in time" },
    { "HTTP/1.1 200 O", "no answer in time" },
};

START_TEST(trouble_ends_the_probe_alone)
{
    const struct trouble *t = &troubles[_i];
    struct plan plan = plan_of(2);
    struct mode1_link *up;

    start(&plan);
    answer(asked(addresses[1], true), GOOD);
    up = asked(addresses[0], true);
    ck_assert_ptr_nonnull(up);
    if (t->answer != NULL && t->answer[0] == '\0')
        mode1_end(&host, up);
    else if (t->answer != NULL)
        answer(up, t->answer);
    pass(400 * MS);
    ck_assert_msg(strstr(said, t->says) != NULL, "%s: %s", t->says, said);
    ck_assert_ptr_null(asked(addresses[0], true));
    ck_assert_int_eq(share_of_first(), 0);
    ck_assert_uint_eq(mode1_stat(&host, "exchanges_failed"), 0);
    mode1_stop(&host);
}
END_TEST

/* Bytes without an end, of each part of an answer. */
START_TEST(nothing_of_an_answer_is_endless)
{
    static const char *const begins[] = { "HTTP/1.1 200 ", "HTTP/1.1 200 OK\r\nA: ",
                                          "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n",
                                          "HTTP/1.1 200 OK\r\n\r\n" };
    struct plan plan = plan_of(1);
    struct mode1_link *up;
    char more[1000];

    memset(more, 'x', sizeof more);
    start(&plan);
    up = asked(addresses[0], true);
    answer(up, begins[_i]);
    for (int i = 0; i < 1000 && up->link != NULL && up->is_upstream; i++) {
        gw_span room;
        if (gw_link_room(up->link, &room, 1) == 0)
            break;
        mode1_feed(&host, up, more, sizeof more, 0);
    }
    pass(8 * SECOND); /* what is being closed has had its time */
    ck_assert_ptr_null(up->link);
    ck_assert_int_eq(strstr(said, "unhealthy") == NULL, _i >= 2); /* a head is enough */
    mode1_stop(&host);
}
END_TEST

START_TEST(infos_are_not_the_answer)
{
    struct plan plan = plan_of(1);

    start(&plan);
    answer(asked(addresses[0], true),
           "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" GOOD);
    ck_assert_uint_eq(mode1_stat(&host, "probes_failed"), 0);
    pass(SECOND);
    for (int i = 0; i < 9; i++)
        mode1_say(&host,
                  asked(addresses[0], true) != NULL ? asked(addresses[0], true) : &host.links[0],
                  "HTTP/1.1 100 Continue\r\n\r\n");
    ck_assert_uint_eq(mode1_stat(&host, "probes_failed"), 1);
    mode1_stop(&host);
}
END_TEST

START_TEST(expected_codes_method_host_and_port)
{
    static const gw_str expect[] = { { "204", 3 }, { "300-302", 7 } };
    struct plan plan = plan_of(1);
    struct mode1_link *up = NULL;

    plan.health.expect = expect;
    plan.health.expect_len = 2;
    plan.health.method = GW_STR("HEAD");
    plan.health.host = GW_STR("a.example");
    plan.health.port = 9090;
    plan.health.path = (gw_str){ NULL, 0 };
    start(&plan);
    for (int i = 0; i < 4; i++) {
        static const char *const texts[] = { "HTTP/1.1 204 No\r\n\r\n",
                                             "HTTP/1.1 302 Found\r\n\r\n",
                                             "HTTP/1.1 200 OK\r\n\r\n",
                                             "HTTP/1.1 303 See\r\n\r\n" };
        up = asked("127.0.0.1:9090", true);
        ck_assert_ptr_nonnull(up);
        ck_assert_msg(strncmp(up->out, "HEAD / HTTP/1.1\r\nHost: a.example\r\n", 34) == 0, "%s",
                      up->out);
        answer(up, texts[i]);
        pass(SECOND);
    }
    ck_assert_str_eq(said, "unhealthy: cluster web, endpoint a, status 303\n");
    mode1_stop(&host);
}
END_TEST

static int upstreams_at(const char *address)
{
    int n = 0;

    for (int i = 0; i < host.count; i++)
        n += host.links[i].link != NULL && host.links[i].is_upstream &&
             mode1_is_at(&host.links[i], address);
    return n;
}

START_TEST(a_connection_is_enough_for_tcp)
{
    struct plan plan = plan_of(1);

    plan.health.kind = GW_HEALTH_TCP;
    plan.health.path = (gw_str){ NULL, 0 };
    start(&plan);
    ck_assert_uint_eq(mode1_stat(&host, "probes"), 1);
    for (int i = 0; i < host.count; i++)
        if (host.links[i].is_upstream)
            ck_assert(host.links[i].out_len == 0 && host.links[i].link == NULL);
    pass(SECOND);
    pass(SECOND);
    ck_assert_str_eq(said, "");
    ck_assert_uint_eq(mode1_stat(&host, "probes"), 3);
    ck_assert_uint_eq(mode1_stat(&host, "probes_failed"), 0);
    host.refuse = true;
    pass(SECOND);
    ck_assert_str_eq(said, "");
    pass(SECOND);
    ck_assert_str_eq(said, "unhealthy: cluster web, endpoint a, no connection\n");
    host.refuse = false;
    host.ignored = addresses[0];
    pass(SECOND);
    pass(500 * MS);
    ck_assert_uint_eq(mode1_stat(&host, "probes_failed"), 3);
    pass(20 * SECOND);
    host.ignored = NULL;
    pass(SECOND);
    pass(SECOND);
    pass(20 * SECOND);
    ck_assert(strstr(said, "\nhealthy: ") != NULL);
    ck_assert_int_eq(upstreams_at(addresses[0]), 0);
    mode1_stop(&host);
}
END_TEST

/* ---- what the gate makes of it ---- */

START_TEST(in_panic_health_is_not_believed)
{
    struct plan plan = plan_of(2);

    start(&plan);
    answer(asked(addresses[0], true), BAD);
    answer(asked(addresses[1], true), BAD);
    ck_assert_int_eq(share_of_first(), 2);
    mode1_stop(&host);
}
END_TEST

/* ... by who tries again, either: the other one may take what this one does not. */
START_TEST(in_panic_another_is_tried)
{
    struct plan plan = plan_of(2);
    struct mode1_link *client;

    plan.retries = 1;
    start(&plan);
    answer(asked(addresses[0], true), BAD);
    answer(asked(addresses[1], true), BAD);
    host.refused = addresses[0];
    client = mode1_accept(&host, "edge");
    for (int i = 0; i < 4; i++) {
        struct mode1_link *up;
        mode1_say(&host, client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
        up = asked(addresses[1], false);
        ck_assert_ptr_nonnull(up);
        answer(up, GOOD);
        ck_assert(strstr(client->out, " 200 ") != NULL);
        mode1_clear(client);
    }
    ck_assert_uint_gt(mode1_stat(&host, "retries"), 0);
    mode1_stop(&host);
}
END_TEST

START_TEST(without_panic_nobody_is_asked)
{
    struct plan plan = plan_of(1);
    struct mode1_link *client;

    plan.cluster.panic_percent = GW_OFF;
    start(&plan);
    client = mode1_accept(&host, "edge");
    answer(asked(addresses[0], true), BAD);
    mode1_say(&host, client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_msg(strstr(client->out, " 503 ") != NULL &&
                      strstr(client->out, "\nendpoints_unhealthy\n") != NULL &&
                      strstr(client->out, "Retry-After") == NULL,
                  "%s", client->out);
    ck_assert_uint_eq(mode1_stat(&host, "breaker_refused"), 1);
    turn(GOOD, NULL);
    turn(GOOD, NULL);
    ck_assert_int_eq(share_of_first(), 4);
    mode1_stop(&host);

    plan = plan_of(1);
    plan.cluster.panic_percent = GW_OFF;
    plan.fallback.code = 299;
    plan.cluster.fallback = &plan.fallback;
    start(&plan);
    client = mode1_accept(&host, "edge");
    answer(asked(addresses[0], true), BAD);
    mode1_say(&host, client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_msg(strstr(client->out, " 299 ") != NULL, "%s", client->out);
    mode1_stop(&host);
}
END_TEST

/* Probes do not feed breakers, and breakers do not stop probes. */
START_TEST(breakers_and_probes_are_apart)
{
    struct plan plan = plan_of(1);
    struct mode1_link *client;

    plan.breaker.failures = 1;
    plan.breaker.error_percent = GW_OFF;
    plan.breaker.sleep_ms = 3600000;
    plan.cluster.breaker = &plan.breaker;
    start(&plan);
    for (int i = 0; i < 3; i++) {
        answer(asked(addresses[0], true), BAD);
        pass(SECOND);
    }
    ck_assert_uint_eq(mode1_stat(&host, "breakers_opened"), 0);
    client = mode1_accept(&host, "edge");
    mode1_say(&host, client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    answer(asked(addresses[0], false), "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
    ck_assert_uint_eq(mode1_stat(&host, "breakers_opened"), 1);
    answer(asked(addresses[0], true), GOOD);
    turn(GOOD, NULL);
    ck_assert(strstr(said, "\nhealthy: ") != NULL);
    mode1_clear(client);
    mode1_say(&host, client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_msg(strstr(client->out, "\nbreaker_open\n") != NULL, "%s", client->out);
    mode1_stop(&host);
}
END_TEST

/* ---- when ---- */

START_TEST(intervals_and_jitter)
{
    struct plan plan = plan_of(1);
    gw_nanos last = 0, least = GW_NEVER, most = 0;

    plan.health.jitter_percent = 50;
    plan.health.unhealthy_interval_ms = 100;
    plan.health.timeout_ms = 50;
    plan.health.fall = 60;
    plan.health.rise = 2;
    start(&plan);
    for (int i = 0; i < 60000 && mode1_stat(&host, "endpoints_lost") == 0; i++) {
        if (asked(addresses[0], true) != NULL) {
            if (last != 0) {
                least = host.now - last < least ? host.now - last : least;
                most = host.now - last > most ? host.now - last : most;
            }
            last = host.now;
            answer(asked(addresses[0], true), mode1_stat(&host, "probes") == 1 ? GOOD : BAD);
        }
        pass(5 * MS);
    }
    ck_assert_uint_ge(least, 1000 * MS);
    ck_assert_uint_le(most, 1520 * MS);
    ck_assert_uint_gt(most - least, 200 * MS); /* it is drawn */
    last = host.now;
    while (asked(addresses[0], true) == NULL)
        pass(5 * MS);
    ck_assert_uint_le(host.now - last, 160 * MS); /* it is unhealthy */
    mode1_stop(&host);
}
END_TEST

/* One asks, whoever; and when it is gone, another does. */
START_TEST(workers_take_turns)
{
    static struct mode1 other;
    struct plan plan = plan_of(1);
    gw_worker_spec spec = GW_SPEC(gw_worker_spec);
    uint64_t before;

    memset(&other, 0, sizeof other);
    start(&plan);
    spec.seed = 2;
    other.engine = host.engine;
    ck_assert_int_eq(gw_worker_new(host.engine, &spec, &other.worker), GW_OK);
    for (int i = 0; i < 50; i++) {
        struct mode1_link *up;
        other.now = host.now;
        mode1_pump(&other);
        if ((up = asked(addresses[0], true)) != NULL)
            answer(up, GOOD);
        for (int j = 0; j < other.count; j++)
            if (other.links[j].link != NULL && other.links[j].out_len > 0) {
                mode1_clear(&other.links[j]);
                mode1_say(&other, &other.links[j], GOOD);
            }
        pass(200 * MS);
    }
    ck_assert_uint_ge(mode1_stat(&host, "probes") + mode1_stat(&other, "probes"), 9);
    ck_assert_uint_le(mode1_stat(&host, "probes") + mode1_stat(&other, "probes"), 11);
    before = mode1_stat(&other, "probes");
    for (int i = 0; i < 10; i++) { /* the first one is not stepped any more */
        other.now += SECOND;
        mode1_pump(&other);
        for (int j = 0; j < other.count; j++)
            if (other.links[j].link != NULL && other.links[j].out_len > 0) {
                mode1_clear(&other.links[j]);
                mode1_say(&other, &other.links[j], GOOD);
            }
    }
    ck_assert_uint_ge(mode1_stat(&other, "probes") - before, 5);
    gw_worker_free(other.worker);
    for (int i = 0; i < other.count; i++)
        free(other.links[i].out);
    mode1_stop(&host);
}
END_TEST

/* ---- reloads and drains ---- */

START_TEST(a_reload_keeps_what_is_known)
{
    struct plan plan = plan_of(2);

    start(&plan);
    answer(asked(addresses[0], true), BAD);
    answer(asked(addresses[1], true), GOOD);
    plan.health.interval_ms = 3000;
    plan.cluster.connect_timeout_ms = 77;
    parts_apply(&host, make(&plan));
    mode1_pump(&host);
    ck_assert_int_eq(share_of_first(), 0);
    pass(SECOND); /* as it was to be, before the new interval */
    answer(asked(addresses[0], true), GOOD);
    pass(2900 * MS);
    ck_assert_ptr_null(asked(addresses[0], true));
    pass(200 * MS);
    answer(asked(addresses[0], true), GOOD);
    ck_assert_int_eq(share_of_first(), 2);
    mode1_stop(&host);
}
END_TEST

/* What is under way is heard: or who is reconfigured all the time would never be found out. */
START_TEST(a_probe_outlives_reloads)
{
    struct plan plan = plan_of(2);
    struct mode1_link *up;

    start(&plan);
    up = asked(addresses[0], true);
    for (int i = 0; i < 10; i++) {
        plan.cluster.connect_timeout_ms = 100 + (uint32_t)i;
        parts_apply(&host, make(&plan));
        pass(20 * MS);
    }
    ck_assert_ptr_eq(asked(addresses[0], true), up);
    ck_assert_uint_eq(mode1_stat(&host, "probes"), 2);
    pass(150 * MS);
    ck_assert_str_eq(said, "unhealthy: cluster web, endpoint a, no answer in time\n"
                           "unhealthy: cluster web, endpoint b, no answer in time\n");
    mode1_stop(&host);
}
END_TEST

/* Who is asked something else is asked at once, and what it was asked before is not waited for. */
START_TEST(another_question_is_asked_at_once)
{
    static const gw_str expect[] = { { "200-399", 7 } };
    struct plan plan = plan_of(2);

    start(&plan);
    answer(asked(addresses[0], true), BAD);
    answer(asked(addresses[1], true), GOOD);
    turn(NULL, GOOD);
    ck_assert_ptr_nonnull(asked(addresses[0], true));
    switch (_i) {
    case 0:
        plan.health.path = GW_STR("/other");
        break;
    case 1:
        plan.health.host = GW_STR("a.example");
        break;
    case 2:
        plan.health.port = 9090;
        break;
    case 3:
        plan.health.kind = GW_HEALTH_TCP;
        plan.health.path = (gw_str){ NULL, 0 };
        break;
    default:
        plan.health.expect = expect;
        plan.health.expect_len = 1;
        break;
    }
    ck_assert_uint_eq(mode1_stat(&host, "probes"), 4);
    parts_apply(&host, make(&plan));
    pass(2 * MS);
    ck_assert_uint_eq(mode1_stat(&host, "probes"), 5);
    ck_assert_uint_eq(mode1_stat(&host, "probes_failed"), 1);
    ck_assert_int_eq(share_of_first(), 0); /* it is known what it was */
    mode1_stop(&host);
}
END_TEST

/* Its end comes by the new numbers, and so does what its verdict leads to. */
START_TEST(a_probe_that_goes_on_has_the_new_numbers)
{
    struct plan plan = plan_of(2);

    plan.health.interval_ms = 60000;
    start(&plan);
    answer(asked(addresses[0], true), GOOD);
    answer(asked(addresses[1], true), GOOD);
    pass(60 * SECOND);
    plan.health.interval_ms = 500;
    plan.health.timeout_ms = 100;
    plan.health.fall = 1;
    parts_apply(&host, make(&plan));
    pass(50 * MS);
    ck_assert_uint_eq(mode1_stat(&host, "probes"), 4); /* they go on */
    answer(asked(addresses[0], true), BAD);
    ck_assert_str_eq(said, "unhealthy: cluster web, endpoint a, status 500\n");
    pass(60 * MS);
    ck_assert(strstr(said, "endpoint b, no answer in time\n") != NULL);
    pass(400 * MS);
    ck_assert_uint_eq(mode1_stat(&host, "probes"), 6);
    mode1_stop(&host);
}
END_TEST

START_TEST(another_address_is_another_endpoint)
{
    struct plan plan = plan_of(2);

    start(&plan);
    answer(asked(addresses[0], true), BAD);
    answer(asked(addresses[1], true), GOOD);
    turn(NULL, NULL);
    plan.first = "127.0.0.1:99";
    parts_apply(&host, make(&plan));
    pass(MS);
    ck_assert_ptr_null(asked(addresses[0], true)); /* its probe has ended */
    ck_assert_ptr_nonnull(asked("127.0.0.1:99", true));
    ck_assert_uint_eq(mode1_stat(&host, "probes_failed"), 1);
    answer(asked("127.0.0.1:99", true), GOOD);
    ck_assert_str_eq(said, "unhealthy: cluster web, endpoint a, status 500\n");
    mode1_stop(&host);
}
END_TEST

START_TEST(a_removed_endpoint_is_left_in_peace)
{
    struct plan plan = plan_of(2);

    start(&plan);
    plan.endpoints = 1;
    parts_apply(&host, make(&plan));
    mode1_pump(&host);
    ck_assert_ptr_nonnull(asked(addresses[0], true));
    ck_assert_ptr_null(asked(addresses[1], true));
    answer(asked(addresses[0], true), GOOD);
    plan.health.size = 0;
    parts_apply(&host, make(&plan));
    pass(10 * SECOND);
    ck_assert_ptr_null(asked(addresses[0], true));
    ck_assert_uint_eq(mode1_stat(&host, "probes"), 2);
    mode1_stop(&host);
}
END_TEST

START_TEST(drain_ends_probes)
{
    struct plan plan = plan_of(2);

    start(&plan);
    answer(asked(addresses[0], true), GOOD);
    ck_assert_ptr_nonnull(asked(addresses[1], true));
    ck_assert_int_eq(gw_worker_drain(host.worker, 5000), GW_OK);
    mode1_pump(&host);
    ck_assert_ptr_null(asked(addresses[1], true));
    parts_apply(&host, make(&plan));
    pass(3 * SECOND);
    ck_assert_uint_eq(mode1_stat(&host, "probes"), 2);
    ck_assert_str_eq(said, "");
    mode1_stop(&host);
}
END_TEST

/* ---- seen ---- */

/* What a view says of the health of the first endpoint, or of itself. */
static gw_state seen(uint32_t kind)
{
    gw_state state = GW_SPEC(gw_state);
    gw_view *view;

    ck_assert_int_eq(gw_view_open(host.engine, &view), GW_OK);
    gw_view_at(view, host.now);
    do
        ck_assert(gw_view_next(view, &state));
    while (state.kind != kind || !gw_str_eq(state.name, GW_STR("a")));
    gw_view_close(view);
    return state;
}

START_TEST(health_is_seen)
{
    struct plan plan = plan_of(2);
    gw_state state;
    gw_nanos lost, back;

    start(&plan);
    state = seen(GW_KIND_HEALTH);
    ck_assert_uint_eq(state.state, GW_STATE_UNTRIED);
    ck_assert_uint_eq(state.cause, 0);
    answer(asked(addresses[0], true), BAD);
    answer(asked(addresses[1], true), GOOD);
    lost = host.now;
    state = seen(GW_KIND_HEALTH);
    ck_assert_uint_eq(state.state, GW_STATE_UNHEALTHY);
    ck_assert_uint_eq(state.cause, GW_WHY_PROBE);
    ck_assert_uint_eq(state.since, lost);
    ck_assert_uint_eq(state.next, lost + SECOND);
    ck_assert_uint_eq(state.code, 500);
    ck_assert_uint_eq(state.failure, GW_FAILURE_STATUS);
    ck_assert_uint_eq(state.failed_at, lost);
    ck_assert_uint_eq(state.times, 1);
    ck_assert(state.successes == 0 && state.failures == 1 && state.row == 0);
    state = seen(GW_KIND_ENDPOINT);
    ck_assert_uint_eq(state.state, GW_STATE_UNHEALTHY);
    ck_assert_uint_eq(state.cause, GW_WHY_HEALTH);
    ck_assert_uint_eq(state.since, lost);
    turn(GOOD, GOOD);
    ck_assert_uint_eq(seen(GW_KIND_HEALTH).row, 1);
    turn(GOOD, GOOD);
    back = host.now;
    state = seen(GW_KIND_HEALTH);
    ck_assert_uint_eq(state.state, GW_STATE_CLOSED);
    ck_assert_uint_eq(state.cause, GW_WHY_PROBED);
    ck_assert(state.successes == 2 && state.since == back && state.failure == 0);
    state = seen(GW_KIND_ENDPOINT);
    ck_assert_uint_eq(state.state, GW_STATE_CLOSED);
    ck_assert_uint_eq(state.since, back);
    mode1_stop(&host);
}
END_TEST

/* Who is back after a failure takes a tenth of its share at first. */
START_TEST(who_is_back_begins_slowly)
{
    struct plan plan = plan_of(2);
    int n = 0;

    plan.cluster.slow_start_ms = 100000;
    start(&plan);
    (void)share_of_first(); /* both are new */
    answer(asked(addresses[0], true), GOOD);
    answer(asked(addresses[1], true), GOOD);
    for (int i = 0; i < 200; i++)
        turn(GOOD, GOOD);
    for (int i = 0; i < 2; i++)
        turn(BAD, GOOD);
    for (int i = 0; i < 2; i++)
        turn(GOOD, GOOD);
    for (int i = 0; i < 50; i++)
        n += share_of_first();
    ck_assert_int_lt(n, 60); /* of 200, drawn: 18, and not 100 */
    mode1_stop(&host);
}
END_TEST

/* ---- gRPC, and HTTP/2 ---- */

#if GW_HAVE_H2
struct frames {
    char bytes[4096];
    size_t len;
};

static void add_frame(struct frames *f, uint32_t type, uint32_t flags, uint32_t stream,
                      const char *payload, size_t len)
{
    const unsigned char head[] = { 0,
                                   (unsigned char)(len >> 8),
                                   (unsigned char)len,
                                   (unsigned char)type,
                                   (unsigned char)flags,
                                   0,
                                   0,
                                   0,
                                   (unsigned char)stream };

    memcpy(f->bytes + f->len, head, sizeof head);
    memcpy(f->bytes + f->len + sizeof head, payload, len);
    f->len += sizeof head + len;
}

/* A head by its status, as a byte of HPACK; then a field of its own name. */
static void add_head(struct frames *f, uint32_t flags, const char *status, const char *name,
                     const char *value)
{
    char block[200];
    int n = snprintf(block, sizeof block, "%s%c%c%s%c%s", status, 0x10, (int)strlen(name), name,
                     (int)strlen(value), value);

    ck_assert_int_gt(n, 0);
    add_frame(f, 1, flags | 4, 1, block, (size_t)n);
}

static const struct grpc_case {
    const char *message;
    size_t len;
    const char *grpc_status; /* NULL: none, in trailers */
    const char *says;        /* "": good               */
} grpc_cases[] = {
    { "\0\0\0\0\2\b\1", 7, "0", "" },
    { "\0\0\0\0\2\b\2", 7, "0", "serving status 2" },
    { "\0\0\0\0\2\b\3", 7, "0", "serving status 3" },
    { "\0\0\0\0\0", 5, "0", "serving status 0" },
    { "", 0, "12", "grpc-status 12" },
    { "", 0, "5", "grpc-status 5" },
    { "", 0, "0", "no answer that can be read" },
    { "\0\0\0\0\2\b\1", 7, "14", "grpc-status 14" },
    { "\0\0\0\0\2\b\1", 7, "x", "grpc-status 2" },
    { "\0\0\0\0\2\b\1", 7, NULL, "grpc-status 2" },
    { "\1\0\0\0\2\b\1", 7, "0", "no answer that can be read" },
    { "\0\0\0\0\2\b\1\0\0\0\0\2\b\1", 14, "0", "no answer that can be read" },
};

static void start_grpc(struct plan *plan)
{
    *plan = plan_of(1);
    plan->cluster.protocols = GW_PROTO_H2;
    plan->health.kind = GW_HEALTH_GRPC;
    plan->health.path = (gw_str){ NULL, 0 };
    plan->health.service = GW_STR("a.B");
    start(plan);
}

static bool has_bytes(const struct mode1_link *up, const char *what, size_t len)
{
    for (size_t i = 0; i + len <= up->out_len; i++)
        if (memcmp(up->out + i, what, len) == 0)
            return true;
    return false;
}

START_TEST(grpc_says_how_it_is)
{
    const struct grpc_case *c = &grpc_cases[_i];
    struct frames f = { .len = 0 };
    struct plan plan;
    struct mode1_link *up;

    start_grpc(&plan);
    up = mode1_upstream(&host);
    ck_assert(has_bytes(up, "\0\0\0\0\5\n\3a.B", 10));
    add_frame(&f, 4, 0, 0, "", 0);
    add_frame(&f, 4, 1, 0, "", 0);
    add_head(&f, 0, "\x88", "content-type", "application/grpc");
    add_frame(&f, 0, c->grpc_status == NULL ? 1 : 0, 1, c->message, c->len);
    if (c->grpc_status != NULL)
        add_head(&f, 1, "", "grpc-status", c->grpc_status);
    mode1_feed(&host, up, f.bytes, f.len, 0);
    ck_assert_uint_eq(mode1_stat(&host, "probes_failed"), c->says[0] == '\0' ? 0 : 1);
    ck_assert_msg(strstr(said, c->says) != NULL, "%s: %s", c->says, said);
    pass(100 * MS);
    ck_assert_ptr_null(up->link);
    mode1_stop(&host);
}
END_TEST

START_TEST(grpc_is_not_endless)
{
    struct frames f = { .len = 0 };
    struct plan plan;
    struct mode1_link *up;
    char many[2000];

    memset(many, 0, sizeof many);
    start_grpc(&plan);
    up = mode1_upstream(&host);
    add_frame(&f, 4, 0, 0, "", 0);
    add_head(&f, 0, "\x88", "content-type", "application/grpc");
    add_frame(&f, 0, 0, 1, many, sizeof many);
    mode1_feed(&host, up, f.bytes, f.len, 0);
    ck_assert_msg(strstr(said, "no answer that can be read") != NULL, "%s", said);
    mode1_stop(&host);

    start_grpc(&plan); /* 404, and a head alone */
    up = mode1_upstream(&host);
    f.len = 0;
    add_frame(&f, 4, 0, 0, "", 0);
    add_head(&f, 1, "\x8d", "content-type", "text/plain");
    mode1_feed(&host, up, f.bytes, f.len, 0);
    ck_assert_msg(strstr(said, "status 404") != NULL, "%s", said);
    mode1_stop(&host);

    start_grpc(&plan); /* GOAWAY */
    up = mode1_upstream(&host);
    f.len = 0;
    add_frame(&f, 4, 0, 0, "", 0);
    add_frame(&f, 7, 0, 0, "\0\0\0\0\0\0\0\0", 8);
    mode1_feed(&host, up, f.bytes, f.len, 0);
    ck_assert_msg(strstr(said, "closed without an answer") != NULL, "%s", said);
    mode1_stop(&host);
}
END_TEST
#endif

/* ---- more than there is room for ---- */

enum { MANY = 200 };

/* Many that never answer, and one of another cluster. */
static void start_crowded(void)
{
    struct plan plan = plan_of(0);
    gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
    gw_builder *b;
    gw_id id;

    memset(&host, 0, sizeof host);
    test_alloc_init(&host.alloc);
    b = parts_begin(&host);
    parts_listener(b, "edge");
    plan.health.interval_ms = 60000;
    plan.cluster.health = &plan.health;
    plan.cluster.name = GW_STR("silent");
    id = gw_builder_cluster(b, &plan.cluster);
    for (int i = 0; i < MANY; i++) {
        char name[8], address[32];
        snprintf(name, sizeof name, "e%d", i);
        snprintf(address, sizeof address, "10.0.0.%d:80", i + 1);
        endpoint.name = gw_cstr(name);
        endpoint.address = gw_cstr(address);
        ck_assert_uint_ne(gw_builder_endpoint(b, id, &endpoint), 0);
    }
    parts_cluster(b, "web", &plan.cluster, addresses[0]);
    parts_route(b, "/", NULL, "web");
    mode1_start(&host, parts_build(b), NULL);
    mode1_pump(&host);
}

/* They wait in line, and wake nobody meanwhile. */
START_TEST(a_crowd_waits_in_line)
{
    gw_nanos end;
    int wakes = 0;

    start_crowded();
    ck_assert_uint_eq(mode1_stat(&host, "probes"), 64);
    for (end = host.now + 280 * MS; host.now < end; wakes++) {
        gw_nanos next = gw_worker_deadline(host.worker);
        host.now = next > host.now + MS ? next : host.now + MS;
        mode1_pump(&host);
    }
    ck_assert_int_le(wakes, 10);
    ck_assert_uint_eq(mode1_stat(&host, "probes"), 64);
    for (int i = 0; i < 15; i++)
        pass(100 * MS);
    ck_assert_uint_eq(mode1_stat(&host, "probes"), MANY + 1); /* each once */
    ck_assert_uint_eq(mode1_stat(&host, "probes_failed"), MANY + 1);
    mode1_stop(&host);
}
END_TEST

/* A cluster that has many in line holds no other one up. */
START_TEST(clusters_take_turns)
{
    start_crowded();
    ck_assert_ptr_null(asked(addresses[0], true));
    pass(301 * MS);
    ck_assert_uint_eq(mode1_stat(&host, "probes"), 128);
    answer(asked(addresses[0], true), GOOD);
    pass(2 * MS);
    ck_assert_uint_eq(mode1_stat(&host, "probes"), 129); /* the next one, in its place */
    ck_assert_int_eq(gw_worker_drain(host.worker, 5000), GW_OK);
    pass(SECOND);
    ck_assert_uint_eq(mode1_stat(&host, "probes"), 129); /* nobody waits any more */
    mode1_stop(&host);
}
END_TEST

/* Of the line nothing is left over when others are to be watched. */
START_TEST(a_line_ends_with_its_configuration)
{
    struct plan plan = plan_of(1);

    start_crowded();
    parts_apply(&host, make(&plan));
    pass(2 * SECOND);
    ck_assert_uint_eq(mode1_stat(&host, "probes"), 65);
    ck_assert_ptr_nonnull(asked(addresses[0], true));
    mode1_stop(&host);
}
END_TEST

/* ---- our own lack ---- */

static const gw_limits *few_links(void)
{
    static gw_limits limits;

    limits = GW_SPEC(gw_limits);
    limits.links_max = 2;
    return &limits;
}

START_TEST(who_has_no_room_has_no_word)
{
    struct plan plan = plan_of(1);

    memset(&host, 0, sizeof host);
    memset(said, 0, sizeof said);
    test_alloc_init(&host.alloc);
    host.log = hear;
    host.log_level = GW_LOG_WARN;
    mode1_start(&host, make(&plan), few_links());
    mode1_accept(&host, "edge");
    mode1_accept(&host, "edge");
    mode1_pump(&host);
    for (int i = 0; i < 5; i++)
        pass(SECOND);
    ck_assert_uint_eq(mode1_stat(&host, "probes"), 6);
    ck_assert_uint_eq(mode1_stat(&host, "probes_failed"), 0);
    ck_assert_str_eq(said, "");
    mode1_end(&host, &host.links[0]);
    pass(SECOND);
    answer(asked(addresses[0], true), BAD);
    ck_assert_str_eq(said, "unhealthy: cluster web, endpoint a, status 500\n");
    mode1_stop(&host);
}
END_TEST

Suite *probing_suite(void);

Suite *probing_suite(void)
{
    Suite *s = suite_create("probing");

    check_add(s, who_fails_is_left_out_until_it_is_well);
    check_add(s, the_first_probe_counts_at_once);
    check_add_loop(s, trouble_ends_the_probe_alone, 0, sizeof troubles / sizeof *troubles);
    check_add_loop(s, nothing_of_an_answer_is_endless, 0, 4);
    check_add(s, infos_are_not_the_answer);
    check_add(s, expected_codes_method_host_and_port);
    check_add(s, a_connection_is_enough_for_tcp);
    check_add(s, in_panic_health_is_not_believed);
    check_add(s, in_panic_another_is_tried);
    check_add(s, without_panic_nobody_is_asked);
    check_add(s, breakers_and_probes_are_apart);
    check_add(s, intervals_and_jitter);
    check_add(s, workers_take_turns);
    check_add(s, a_reload_keeps_what_is_known);
    check_add(s, a_probe_outlives_reloads);
    check_add_loop(s, another_question_is_asked_at_once, 0, 5);
    check_add(s, a_probe_that_goes_on_has_the_new_numbers);
    check_add(s, another_address_is_another_endpoint);
    check_add(s, a_removed_endpoint_is_left_in_peace);
    check_add(s, drain_ends_probes);
    check_add(s, health_is_seen);
    check_add(s, who_is_back_begins_slowly);
#if GW_HAVE_H2
    check_add_loop(s, grpc_says_how_it_is, 0, sizeof grpc_cases / sizeof *grpc_cases);
    check_add(s, grpc_is_not_endless);
#endif
    check_add(s, a_crowd_waits_in_line);
    check_add(s, clusters_take_turns);
    check_add(s, a_line_ends_with_its_configuration);
    check_add(s, who_has_no_room_has_no_word);
    return s;
}
