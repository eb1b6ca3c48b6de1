/* unit/keep_test.c: what a worker keeps when the configuration changes, what it lets go, and how a drain
 * ends what is left. */

#include "check_main.h"
#include "parts.h"
#include "worker_suites.h"

static struct mode1 host;

static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/* /web: a cluster of one or two endpoints; listener NULL: none. */
static gw_config *web(const char *listener, const char *first, const char *second)
{
    gw_builder *b = parts_begin(&host);
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);
    gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
    gw_id id;

    parts_listener(b, listener);
    parts_cluster(b, "unused", NULL, "127.0.0.1:99");
    cluster.name = gw_cstr("web");
    id = gw_builder_cluster(b, &cluster);
    endpoint.address = gw_cstr(first);
    gw_builder_endpoint(b, id, &endpoint);
    endpoint.address = gw_cstr(second);
    if (second != NULL)
        gw_builder_endpoint(b, id, &endpoint);
    parts_route(b, "/", NULL, "web");
    return parts_build(b);
}

static void start(const char *first, const char *second)
{
    memset(&host, 0, sizeof host);
    test_alloc_init(&host.alloc);
    mode1_start(&host, web("edge", first, second), NULL);
}

static struct mode1_link *ask(void)
{
    struct mode1_link *client = mode1_accept(&host, "edge");

    mode1_say(&host, client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    return client;
}

static int open_upstreams(void)
{
    int n = 0;

    for (int i = 0; i < host.count; i++)
        n += host.links[i].is_upstream && host.links[i].link != NULL;
    return n;
}

/* The last character of the address: its port's. */
static char port_of(gw_link *link)
{
    gw_destination d = GW_SPEC(gw_destination);

    ck_assert_int_eq(gw_link_get_destination(link, &d), GW_OK);
    return d.address.ptr[d.address.len - 1];
}

static void pass(gw_nanos ns)
{
    host.now += ns;
    mode1_pump(&host);
}

/* At once, though clients of the old configuration are still there, at rest. */
START_TEST(an_endpoint_that_is_gone_loses_its_idle_connections)
{
    start("127.0.0.1:81", NULL);
    (void)ask();
    mode1_say(&host, mode1_upstream(&host), ok);
    ck_assert_int_eq(open_upstreams(), 1);
    parts_apply(&host, web("edge", "127.0.0.1:82", NULL));
    mode1_pump(&host);
    ck_assert_int_eq(open_upstreams(), 0);
    mode1_stop(&host);
}
END_TEST

START_TEST(and_its_busy_ones_when_they_have_ended)
{
    struct mode1_link *client, *upstream;

    start("127.0.0.1:81", NULL);
    client = ask();
    upstream = mode1_upstream(&host);
    parts_apply(&host, web("edge", "127.0.0.1:82", NULL));
    mode1_pump(&host);
    ck_assert_ptr_nonnull(upstream->link);
    ck_assert(!upstream->is_shutdown); /* an end behind the request would look like going away */
    mode1_say(&host, upstream, ok);
    ck_assert_msg(strncmp(client->out, "HTTP/1.1 200", 12) == 0, "%s", client->out);
    ck_assert_ptr_null(upstream->link);
    mode1_stop(&host);
}
END_TEST

START_TEST(an_endpoint_that_stays_keeps_its_connections)
{
    struct mode1_link *upstream;

    start("127.0.0.1:81", "127.0.0.1:82");
    for (int i = 0; i < 2; i++) {
        (void)ask();
        mode1_say(&host, mode1_upstream(&host), ok);
    }
    ck_assert_int_eq(open_upstreams(), 2);
    parts_apply(&host, web("edge", "127.0.0.1:82", NULL));
    mode1_pump(&host);
    ck_assert_int_eq(open_upstreams(), 1);
    upstream = mode1_upstream(&host);
    ck_assert_int_eq(port_of(upstream->link), '2');
    mode1_clear(upstream);
    (void)ask();
    ck_assert_uint_gt(upstream->out_len, 0);
    mode1_stop(&host);
}
END_TEST

/* Each endpoint in its turn, as if nothing had happened in between. */
START_TEST(the_turn_goes_on)
{
    char last = 0;

    start("127.0.0.1:81", "127.0.0.1:82");
    for (int i = 0; i < 8; i++) {
        (void)ask();
        char now = port_of(mode1_upstream(&host)->link);
        ck_assert_msg(now != last, "%c again, at request %d", now, i);
        last = now; /* they stay open: each is on a connection of its own */
        parts_apply(&host, web("edge", "127.0.0.1:81", "127.0.0.1:82"));
    }
    mode1_stop(&host);
}
END_TEST

START_TEST(nothing_is_left_of_the_old_ones)
{
    uint64_t live = 0;

    start("127.0.0.1:81", NULL);
    (void)ask();
    mode1_say(&host, mode1_upstream(&host), ok);
    (void)ask(); /* stays in flight, by the first configuration */
    for (int i = 0; i < 100; i++) {
        parts_apply(&host, web("edge", "127.0.0.1:81", NULL));
        if (i % 3 != 0) /* of some the worker never hears */
            mode1_pump(&host);
        if (i == 10)
            live = host.alloc.live;
    }
    mode1_pump(&host);
    ck_assert_uint_le(host.alloc.live, live);
    mode1_stop(&host);
}
END_TEST

START_TEST(a_client_at_rest_whose_listener_goes)
{
    struct mode1_link *client;

    start("127.0.0.1:81", NULL);
    client = ask();
    mode1_say(&host, mode1_upstream(&host), ok);
    parts_apply(&host, web("other", "127.0.0.1:81", NULL));
    mode1_pump(&host);
    ck_assert(!client->is_shutdown); /* it may ask once more */
    pass(GW_MS(1100));
    ck_assert(client->is_shutdown);
    mode1_stop(&host);
}
END_TEST

/* ---- drain ---- */

START_TEST(who_has_only_just_come_gets_a_moment)
{
    struct mode1_link *silent, *quick;

    start("127.0.0.1:81", NULL);
    silent = mode1_accept(&host, "edge");
    quick = mode1_accept(&host, "edge");
    ck_assert_int_eq(gw_worker_drain(host.worker, 5000), GW_OK);
    mode1_pump(&host);
    ck_assert(!silent->is_shutdown && !quick->is_shutdown);
    mode1_say(&host, quick, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    pass(GW_MS(1100));
    ck_assert(silent->is_shutdown && !quick->is_shutdown);
    mode1_say(&host, mode1_upstream(&host), ok);
    ck_assert_ptr_nonnull(strstr(quick->out, "Connection: close\r\n"));
    ck_assert(quick->is_shutdown);
    mode1_stop(&host);
}
END_TEST

START_TEST(an_idle_client_is_closed_at_once)
{
    struct mode1_link *client;

    start("127.0.0.1:81", NULL);
    client = ask();
    mode1_say(&host, mode1_upstream(&host), ok);
    ck_assert_int_eq(gw_worker_drain(host.worker, 5000), GW_OK);
    mode1_pump(&host);
    ck_assert(client->is_shutdown);
    mode1_stop(&host);
}
END_TEST

/* A client that takes nothing does not hold up the end: a second after the time is over all is closed. */
START_TEST(nobody_holds_up_the_end)
{
    struct mode1_link *client;
    gw_notice notice = GW_SPEC(gw_notice);

    start("127.0.0.1:81", NULL);
    client = ask();
    ck_assert_int_eq(gw_worker_drain(host.worker, 5000), GW_OK);
    mode1_pump(&host);
    host.now += GW_MS(5001);
    (void)gw_worker_step(host.worker, host.now); /* its answer is there, and not taken */
    ck_assert_uint_ne(gw_link_want(client->link) & GW_WANT_WRITE, 0);
    host.now = gw_worker_deadline(host.worker);
    ck_assert_uint_le(host.now, GW_MS(1000 + 5000 + 1100));
    (void)gw_worker_step(host.worker, host.now);
    ck_assert_uint_eq(gw_link_want(client->link), GW_WANT_CLOSE);
    while (gw_bytes_next(host.worker, &notice))
        if (notice.want == GW_WANT_CLOSE)
            gw_link_closed(notice.link);
    (void)gw_worker_step(host.worker, host.now);
    ck_assert(gw_worker_is_idle(host.worker));
    mode1_stop(&host);
}
END_TEST

Suite *keep_suite(void)
{
    Suite *suite = suite_create("keep");

    check_add(suite, an_endpoint_that_is_gone_loses_its_idle_connections);
    check_add(suite, and_its_busy_ones_when_they_have_ended);
    check_add(suite, an_endpoint_that_stays_keeps_its_connections);
    check_add(suite, the_turn_goes_on);
    check_add(suite, nothing_is_left_of_the_old_ones);
    check_add(suite, a_client_at_rest_whose_listener_goes);
    check_add(suite, who_has_only_just_come_gets_a_moment);
    check_add(suite, an_idle_client_is_closed_at_once);
    check_add(suite, nobody_holds_up_the_end);
    return suite;
}
