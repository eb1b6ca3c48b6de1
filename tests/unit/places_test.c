/* unit/places_test.c: the ceiling on connections of a cluster over all workers: two machines on one engine,
 * in mode 1. After whatever happens the connections that the hosts see are counted: never one too many, and
 * none is counted that is gone. */

#include "check_main.h"
#include "gw_features.h"
#include "parts.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
/* SETTINGS without any; the head of stream 1, 200, which ends it. */
#define H2_SETTINGS "\0\0\0\4\0\0\0\0\0"
#define H2_ANSWER "\0\0\1\1\5\0\0\0\1\x88"
#define GOOD "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static const char *const addresses[] = { "127.0.0.1:81", "127.0.0.1:82", "127.0.0.1:83" };

static struct {
    struct mode1 hosts[2]; /* the first owns the engine */
    bool is_woken[2];
    uint32_t most; /* the greatest ceiling so far: never more */
} town;

static struct {
    gw_cluster_spec cluster;
    uint32_t endpoints, workers;
    bool can_wake;
    const gw_limits *limits;
} plan;

static void begin(uint32_t most, uint32_t endpoints)
{
    memset(&town, 0, sizeof town);
    plan.cluster = GW_SPEC(gw_cluster_spec);
    plan.cluster.all_connections_max = most;
    plan.endpoints = endpoints;
    plan.workers = 2;
    plan.can_wake = true;
    plan.limits = NULL;
}

static gw_config *make(void)
{
    gw_builder *b = parts_begin(&town.hosts[0]);
    gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
    gw_cluster_spec cluster = plan.cluster;
    gw_route_spec route = GW_SPEC(gw_route_spec);
    gw_id id;

    route.retries = GW_OFF;
    parts_listener(b, "edge");
    cluster.name = GW_STR("web");
    id = gw_builder_cluster(b, &cluster);
    for (uint32_t i = 0; i < plan.endpoints; i++) {
        endpoint.address = gw_cstr(addresses[i]);
        gw_builder_endpoint(b, id, &endpoint);
    }
    parts_cluster(b, "beside", NULL, "127.0.0.1:90");
    parts_route(b, "/", &route, "web");
    parts_route(b, "/beside", NULL, "beside");
    return parts_build(b);
}

static void wake(void *ctx)
{
    *(bool *)ctx = true;
}

static gw_worker_spec spec_of(uint32_t i)
{
    gw_worker_spec spec = GW_SPEC(gw_worker_spec);

    if (plan.can_wake) {
        spec.wake = wake;
        spec.wake_ctx = &town.is_woken[i];
    }
    return spec;
}

static void start(void)
{
    gw_worker_spec first = spec_of(0), second = spec_of(1);

    test_alloc_init(&town.hosts[0].alloc);
    town.hosts[0].spec = &first;
    town.hosts[0].workers = plan.workers;
    mode1_start(&town.hosts[0], make(), plan.limits);
    town.hosts[0].spec = NULL;
    town.hosts[1].engine = town.hosts[0].engine;
    town.hosts[1].now = town.hosts[0].now;
    second.seed = 2;
    if (plan.workers > 1)
        ck_assert_int_eq(gw_worker_new(town.hosts[0].engine, &second, &town.hosts[1].worker),
                         GW_OK);
    town.most = plan.cluster.all_connections_max;
}

static gw_state see(void)
{
    gw_state s = GW_SPEC(gw_state), found = GW_SPEC(gw_state);
    gw_view *view;

    ck_assert_int_eq(gw_view_open(town.hosts[0].engine, &view), GW_OK);
    while (gw_view_next(view, &s))
        if (s.kind == GW_KIND_CLUSTER && gw_str_eq(s.cluster, GW_STR("web")))
            found = s;
    gw_view_close(view);
    return found;
}

/* As the hosts see them: to that address; NULL: to all of the cluster. */
static uint32_t open_at(uint32_t host, const char *address)
{
    const struct mode1 *h = &town.hosts[host];
    gw_destination d = GW_SPEC(gw_destination);
    uint32_t n = 0;

    for (int i = 0; i < h->count; i++) {
        if (!h->links[i].is_upstream || h->links[i].link == NULL)
            continue;
        ck_assert_int_eq(gw_link_get_destination(h->links[i].link, &d), GW_OK);
        n += gw_str_eq(d.cluster, GW_STR("web")) &&
             (address == NULL || gw_str_eq(d.address, gw_cstr(address)));
    }
    return n;
}

static uint32_t open_all(void)
{
    return open_at(0, NULL) + open_at(1, NULL);
}

static void count(void)
{
    uint32_t n = open_all();

    ck_assert_msg(n <= town.most, "%u of %u", n, town.most);
    ck_assert_uint_eq(see().connections, n);
}

/* All of both, until nobody is woken any more. */
static void pump(void)
{
    do {
        for (uint32_t i = 0; i < plan.workers; i++) {
            town.is_woken[i] = false;
            mode1_pump(&town.hosts[i]);
            count();
        }
    } while (town.is_woken[0] || town.is_woken[1]);
}

static void pass(gw_nanos time)
{
    for (uint32_t i = 0; i < plan.workers; i++)
        town.hosts[i].now += time;
    pump();
}

/* A worker that goes gives back what it has. */
static void stop(void)
{
    struct mode1 *h = &town.hosts[1];

    gw_worker_free(h->worker);
    ck_assert_uint_eq(see().connections, open_at(0, NULL));
    for (int i = 0; i < h->count; i++)
        free(h->links[i].out), free(h->links[i].back);
    mode1_stop(&town.hosts[0]);
}

static struct mode1_link *ask(uint32_t host)
{
    struct mode1_link *client = mode1_accept(&town.hosts[host], "edge");

    mode1_say(&town.hosts[host], client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    pump();
    return client;
}

static void answer(uint32_t host)
{
    mode1_answer(&town.hosts[host], GOOD);
    pump();
}

static bool is_served(const struct mode1_link *client)
{
    return strstr(client->out, " 200 ") != NULL;
}

/* ---- never one too many ---- */

START_TEST(two_workers_have_one_ceiling)
{
    struct mode1_link *clients[4];

    begin(3, 2);
    start();
    for (uint32_t i = 0; i < 4; i++)
        clients[i] = ask(i % 2);
    ck_assert_uint_eq(open_all(), 3);
    ck_assert_uint_eq(see().connections_most, 3);
    ck_assert_uint_eq(see().connections_wanted, 1);
    answer(0); /* its connection is free, and the other worker's request gets the place */
    answer(0);
    answer(1);
    ck_assert_uint_eq(see().connections_wanted, 0);
    answer(1);
    for (uint32_t i = 0; i < 4; i++)
        ck_assert(is_served(clients[i]));
    stop();
}
END_TEST

START_TEST(another_cluster_has_its_own)
{
    struct mode1_link *client;

    begin(1, 1);
    start();
    (void)ask(0);
    client = mode1_accept(&town.hosts[0], "edge");
    mode1_say(&town.hosts[0], client, "GET /beside HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_ptr_nonnull(mode1_upstream(&town.hosts[0]));
    pump();
    ck_assert_uint_eq(open_all(), 1);
    stop();
}
END_TEST

/* ---- who makes room ---- */

/* In turn to two endpoints: the one that was used is closed for the one that is needed. No time passes. */
START_TEST(an_idle_connection_makes_room)
{
    begin(1, 2);
    plan.workers = _i == 0 ? 1 : 2;
    start();
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t host = plan.workers == 1 ? 0 : i % 2;
        struct mode1_link *client = ask(host);
        ck_assert_uint_eq(open_all(), 1);
        answer(host);
        ck_assert(is_served(client));
    }
    stop();
}
END_TEST

/* The one that was used longest ago; the other one is kept. */
START_TEST(one_that_is_idle_is_enough)
{
    begin(2, 3);
    plan.workers = 1;
    start();
    for (uint32_t i = 0; i < 3; i++) {
        (void)ask(0);
        answer(0);
        pass(MS);
        ck_assert_uint_eq(open_all(), i == 0 ? 1 : 2);
    }
    stop();
}
END_TEST

/* A worker whose requests never leave its one connection idle would have it for good. It gives it up after a
 * tenth of a second for one that has none, at the end of what is under way; and gets it back in the same way. */
START_TEST(a_busy_one_gives_way)
{
    struct mode1_link *a[40], *b;
    uint32_t n = 0, served = 0;

    begin(1, 1);
    plan.can_wake = _i == 0;
    start();
    for (; n < 30; n++)
        a[n] = ask(0);
    b = ask(1);
    for (int i = 0; i < 4; i++) {
        answer(0);
        ck_assert_uint_eq(open_at(1, NULL), 0);
        pass(10 * MS);
    }
    pass(100 * MS);
    answer(0); /* the last of it */
    pass(plan.can_wake ? 0 : 100 * MS);
    ck_assert_uint_eq(open_at(0, NULL), 0);
    ck_assert_uint_eq(open_at(1, NULL), 1);
    answer(1);
    ck_assert(is_served(b));
    pass(100 * MS);
    while (mode1_asked(&town.hosts[0]) != NULL)
        answer(0);
    for (uint32_t i = 0; i < n; i++)
        served += is_served(a[i]);
    ck_assert_uint_eq(served, 30);
    stop();
}
END_TEST

/* The same among endpoints of one worker: requests go to both in turn, and those to the first never leave its
 * connection idle. */
START_TEST(endpoints_take_turns)
{
    uint32_t n[2] = { 0, 0 };

    begin(1, 2);
    plan.workers = 1;
    start();
    for (int i = 0; i < 40; i++)
        (void)ask(0);
    for (int i = 0; i < 30; i++) {
        n[0] += open_at(0, addresses[0]);
        n[1] += open_at(0, addresses[1]);
        answer(0);
        pass(20 * MS);
        (void)ask(0);
        (void)ask(0);
    }
    ck_assert_uint_gt(n[0], 8);
    ck_assert_uint_gt(n[1], 8);
    stop();
}
END_TEST

/* Each has its part: nobody is made to give any up. */
START_TEST(who_has_its_part_waits)
{
    begin(2, 1);
    start();
    for (uint32_t i = 0; i < 6; i++)
        (void)ask(i % 2);
    ck_assert_uint_eq(open_at(0, NULL), 1);
    for (int i = 0; i < 10; i++)
        pass(100 * MS);
    ck_assert(strstr(mode1_upstream(&town.hosts[0])->out, "GET") != NULL);
    for (int i = 0; i < 3; i++) {
        answer(0);
        answer(1);
        ck_assert_uint_eq(open_all(), 2);
    }
    stop();
}
END_TEST

/* ---- refused ---- */

START_TEST(who_waits_too_long_is_told_why)
{
    struct mode1_link *client;

    begin(1, 1);
    plan.cluster.connect_timeout_ms = 300;
    start();
    (void)ask(0);
    client = ask(1);
    ck_assert_uint_eq(see().connections_wanted, 1);
    pass(299 * MS);
    ck_assert_uint_eq(client->out_len, 0);
    pass(2 * MS);
    ck_assert(strstr(client->out, " 503 ") != NULL &&
              strstr(client->out, "\nconnections_full\n") != NULL);
    ck_assert_uint_eq(see().connections_wanted, 0);
    stop();
}
END_TEST

/* One that the pool's own bound keeps waiting wants no place. */
START_TEST(the_pool_is_full_before)
{
    struct mode1_link *client;

    begin(2, 1);
    plan.cluster.connections_max = 1;
    plan.cluster.connect_timeout_ms = 300;
    start();
    (void)ask(0);
    client = ask(0);
    ck_assert_uint_eq(see().connections_wanted, 0);
    pass(301 * MS);
    ck_assert(strstr(client->out, "\npool_full\n") != NULL);
    stop();
}
END_TEST

/* Clients that leave want nothing any more. */
START_TEST(who_leaves_wants_nothing)
{
    struct mode1_link *client;

    begin(1, 2);
    start();
    (void)ask(0);
    for (uint32_t i = 0; i < 4; i++) {
        client = ask(i % 2);
        ck_assert_uint_eq(see().connections_wanted, 1);
        gw_link_received(client->link, 0, GW_ERESET);
        pump();
        ck_assert_uint_eq(see().connections_wanted, 0);
    }
    answer(0);
    stop();
}
END_TEST

/* ---- places come back ---- */

/* However a connection ends: afterwards the other worker gets its place. */
static const char *const endings[] = { "refused", "late",   "answer",  "close",  "end",
                                       "reset",   "client", "ignored", "removed" };

static void end(const char *how)
{
    struct mode1 *h = &town.hosts[0];
    struct mode1_link *client;

    if (strcmp(how, "refused") == 0)
        h->refused = addresses[0];
    if (strcmp(how, "late") == 0 || strcmp(how, "ignored") == 0)
        h->ignored = addresses[0];
    client = ask(0);
    h->refused = NULL;
    if (strcmp(how, "late") == 0) {
        gw_link_connected(mode1_upstream(h)->link, GW_EREFUSED, NULL);
    } else if (strcmp(how, "answer") == 0) {
        mode1_answer(h, GOOD);
    } else if (strcmp(how, "close") == 0) {
        mode1_answer(h, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    } else if (strcmp(how, "end") == 0) {
        mode1_end(h, mode1_upstream(h));
    } else if (strcmp(how, "reset") == 0) {
        gw_link_received(mode1_upstream(h)->link, 0, GW_ERESET);
    } else if (strcmp(how, "client") == 0) {
        gw_link_received(client->link, 0, GW_ERESET);
    } else if (strcmp(how, "ignored") == 0) {
        pass(3 * SECOND); /* its connect timeout */
    } else if (strcmp(how, "removed") == 0) {
        plan.endpoints = 0;
        plan.cluster.flags = GW_CLUSTER_LIVE;
        parts_apply(h, make());
        pump();
        ck_assert_uint_eq(open_all(), 1); /* it counts as long as it is there */
        plan.endpoints = 1;
        plan.cluster.flags = 0;
        parts_apply(h, make());
        pump();
        mode1_answer(h, GOOD);
    }
    h->ignored = NULL;
    pump();
}

START_TEST(places_come_back)
{
    begin(1, 1);
    start();
    for (uint32_t i = 0; i < 3; i++) {
        struct mode1_link *client;
        end(endings[_i]);
        client = ask(1);
        ck_assert_msg(mode1_asked(&town.hosts[1]) != NULL, "%s", endings[_i]);
        answer(1);
        ck_assert(is_served(client));
    }
    stop();
}
END_TEST

/* One that cannot be made for want of room takes no place. */
START_TEST(no_room_for_a_link)
{
    gw_limits limits = GW_SPEC(gw_limits);
    struct mode1_link *client;

    begin(1, 1);
    limits.links_max = limits.h2_links_max = 1;
    plan.limits = &limits;
    start();
    for (int i = 0; i < 2; i++) {
        client = ask(0);
        ck_assert_msg(strstr(client->out, "\nno_memory\n") != NULL, "%s", client->out);
        ck_assert_uint_eq(see().connections, 0);
        mode1_end(&town.hosts[0], client);
        pump();
    }
    stop();
}
END_TEST

/* ---- streams ---- */

#if GW_HAVE_H2

/* HTTP/2: what serves streams is not idle; what gives way takes no more of them, and ends with its last. */
START_TEST(streams_are_not_cut)
{
    struct mode1_link *a, *b, *up;

    begin(1, 1);
    plan.cluster.protocols = GW_PROTO_H2;
    start();
    a = ask(0);
    up = mode1_upstream(&town.hosts[0]);
    mode1_feed(&town.hosts[0], up, H2_SETTINGS, sizeof H2_SETTINGS - 1, 0);
    pump();
    b = ask(1);
    pass(50 * MS);
    pass(100 * MS); /* it is asked for its connection */
    ck_assert_uint_eq(open_at(0, NULL), 1);
    (void)ask(0); /* a stream more, for which there is no connection */
    ck_assert_uint_eq(see().connections_wanted, 2);
    mode1_feed(&town.hosts[0], up, H2_ANSWER, sizeof H2_ANSWER - 1, 0);
    pump();
    ck_assert(is_served(a));
    ck_assert_uint_eq(open_at(0, NULL), 0);
    ck_assert_uint_eq(open_at(1, NULL), 1);
    ck_assert_uint_eq(b->out_len, 0);
    stop();
}
END_TEST

#endif

/* ---- a new configuration ---- */

START_TEST(a_new_ceiling_counts_what_is_there)
{
    begin(GW_OFF, 1);
    start();
    for (uint32_t i = 0; i < 4; i++)
        (void)ask(i % 2);
    ck_assert_uint_eq(open_all(), 4);
    ck_assert_uint_eq(see().connections_most, UINT32_MAX);
    plan.cluster.all_connections_max = 2;
    parts_apply(&town.hosts[0], make());
    pump();
    (void)ask(0);
    ck_assert_uint_eq(open_all(), 4); /* it waits, until there are fewer than two */
    ck_assert_uint_eq(see().connections_wanted, 1);
    for (uint32_t i = 0; i < 3; i++) {
        mode1_end(&town.hosts[1 - i / 2], mode1_upstream(&town.hosts[1 - i / 2]));
        pump();
        ck_assert_uint_eq(open_all(), i == 2 ? 2 : 3 - i);
    }
    plan.cluster.all_connections_max = town.most = 5;
    (void)ask(1);
    (void)ask(1);
    ck_assert_uint_eq(open_all(), 2);
    parts_apply(&town.hosts[0], make());
    pass(100 * MS);
    ck_assert_uint_eq(open_all(), 4);
    stop();
}
END_TEST

static Suite *places_suite(void)
{
    Suite *s = suite_create("places");

    check_add(s, two_workers_have_one_ceiling);
    check_add(s, another_cluster_has_its_own);
    check_add_loop(s, an_idle_connection_makes_room, 0, 2);
    check_add(s, one_that_is_idle_is_enough);
    check_add_loop(s, a_busy_one_gives_way, 0, 2);
    check_add(s, endpoints_take_turns);
    check_add(s, who_has_its_part_waits);
    check_add(s, who_waits_too_long_is_told_why);
    check_add(s, the_pool_is_full_before);
    check_add(s, who_leaves_wants_nothing);
    check_add_loop(s, places_come_back, 0, (int)(sizeof endings / sizeof endings[0]));
    check_add(s, no_room_for_a_link);
#if GW_HAVE_H2
    check_add(s, streams_are_not_cut);
#endif
    check_add(s, a_new_ceiling_counts_what_is_there);
    return s;
}

CHECK_MAIN(places_suite)
