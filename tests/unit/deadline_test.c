/* unit/deadline_test.c: nothing waits for ever, and nothing that is well is ended. */

#include "check_main.h"
#include "parts.h"
#include "worker_suites.h"

static struct mode1 host;

static const gw_nanos second = 1000000000;

static void pass(gw_nanos time)
{
    host.now += time;
    mode1_pump(&host);
}

static void start(gw_builder *(*more)(void))
{
    gw_builder *b;
    gw_route_spec hello = GW_SPEC(gw_route_spec);

    memset(&host, 0, sizeof host);
    test_alloc_init(&host.alloc);
    b = more != NULL ? more() : parts_begin(&host);
    parts_listener(b, "edge");
    hello.reply_code = 200;
    hello.reply_body = gw_cstr("hello\n");
    parts_route(b, "/hello", &hello, NULL);
    mode1_start(&host, parts_build(b), NULL);
}

/* A body that was refused comes drop by drop: the time for a head bounds all of it. */
START_TEST(the_rest_of_a_refused_request)
{
    struct mode1_link *client;
    int drops = 0;

    start(NULL);
    client = mode1_accept(&host, "edge");
    mode1_say(&host, client, "POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n");
    ck_assert_ptr_nonnull(strstr(client->out, "hello\n"));
    for (; drops < 100 && !client->is_shutdown; drops++) {
        pass(second);
        mode1_say(&host, client, "x");
    }
    ck_assert_int_ge(drops, 9);
    ck_assert_int_le(drops, 11);
    pass(3 * second);
    ck_assert_ptr_null(client->link);
    mode1_stop(&host);
}
END_TEST

/* In time it does no harm: the connection serves on, under its own deadlines. */
START_TEST(the_rest_comes_in_time)
{
    struct mode1_link *client;
    static char rest[30000];

    memset(rest, 'x', sizeof rest);
    start(NULL);
    client = mode1_accept(&host, "edge");
    mode1_say(&host, client, "POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n");
    pass(5 * second);
    mode1_feed(&host, client, rest, sizeof rest, 0);
    pass(4 * second);
    mode1_feed(&host, client, rest, sizeof rest, 0);
    pass(50 * second); /* idle: not ended by the deadline of what was dropped */
    mode1_clear(client);
    mode1_say(&host, client, "GET /hello HTTP/1.1\r\n");
    pass(9 * second); /* nor is the next head held against it */
    mode1_say(&host, client, "Host: a\r\n\r\n");
    ck_assert_ptr_nonnull(strstr(client->out, "hello\n"));
    mode1_stop(&host);
}
END_TEST

/* A drain does not wait for it. */
START_TEST(the_rest_does_not_hold_a_drain)
{
    struct mode1_link *client;

    start(NULL);
    client = mode1_accept(&host, "edge");
    mode1_say(&host, client, "POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n");
    ck_assert_int_eq(gw_worker_drain(host.worker, 0), GW_OK);
    mode1_pump(&host);
    ck_assert(client->is_shutdown);
    mode1_stop(&host);
}
END_TEST

Suite *deadline_suite(void)
{
    Suite *suite = suite_create("deadline");

    check_add(suite, the_rest_of_a_refused_request);
    check_add(suite, the_rest_comes_in_time);
    check_add(suite, the_rest_does_not_hold_a_drain);
    return suite;
}
