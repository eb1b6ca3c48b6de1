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

/* ---- silence ---- */

static struct {
    int ended;
    gw_cause cause;
} seen;

static gw_verdict never_answer(void *ctx, gw_exchange *x)
{
    (void)ctx;
    (void)x;
    return GW_WAIT;
}

static gw_verdict never_read(void *ctx, gw_exchange *x, gw_pipe *request)
{
    (void)request;
    return never_answer(ctx, x);
}

static void see_end(void *ctx, const gw_exchange *x)
{
    (void)ctx;
    seen.ended++;
    seen.cause = gw_exchange_cause(x);
}

static gw_builder *add_quiet(void)
{
    gw_builder *b = parts_begin(&host);
    gw_origin origin = GW_SPEC(gw_origin);
    gw_cluster_spec quiet = GW_SPEC(gw_cluster_spec), slow = GW_SPEC(gw_cluster_spec);

    memset(&seen, 0, sizeof seen);
    origin.name = "quiet";
    origin.on_request = never_answer;
    origin.on_read = never_read;
    origin.on_end = see_end;
    quiet.origin = &origin;
    parts_cluster(b, "quiet", &quiet, NULL);
    parts_route(b, "/quiet", NULL, "quiet");
    slow.response_timeout_ms = GW_OFF;
    slow.connect_timeout_ms = GW_OFF;
    parts_cluster(b, "slow", &slow, "127.0.0.1:81");
    parts_route(b, "/slow", NULL, "slow");
    return b;
}

/* A host that does not read a body: it has as long as anything else that is silent. */
START_TEST(an_origin_that_does_not_read)
{
    struct mode1_link *client;

    start(add_quiet);
    client = mode1_accept(&host, "edge");
    mode1_say(&host, client, "POST /quiet HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
    pass(200 * second);
    mode1_say(&host, client, "def"); /* the client goes on: that is no silence */
    pass(299 * second);
    ck_assert_int_eq(seen.ended, 0);
    pass(2 * second);
    ck_assert_int_eq(seen.ended, 1);
    ck_assert_uint_eq(seen.cause.by, GW_BY_GATEWAY);
    ck_assert_msg(strncmp(client->out, "HTTP/1.1 504 ", 13) == 0, "%s", client->out);
    ck_assert_ptr_nonnull(strstr(client->out, "stream_idle"));
    mode1_stop(&host);
}
END_TEST

/* An upstream that may take as long as it likes to answer must at least be alive; and a connection that
 * may take as long as it likes is not waited for without end. */
START_TEST(a_response_without_a_deadline)
{
    struct mode1_link *client;
    gw_notice notice = GW_SPEC(gw_notice);
    static const char get[] = "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n";

    start(add_quiet);
    client = mode1_accept(&host, "edge");
    mode1_step_with(&host, client, get, GW_OK);
    if (_i == 0) {
        pass(0); /* connected */
    } else {
        while (gw_bytes_next(host.worker, &notice))
            ; /* the connection stays in the making */
    }
    host.now += 299 * second;
    ck_assert_int_eq(gw_worker_step(host.worker, host.now), GW_OK);
    ck_assert_uint_eq(client->out_len, 0);
    pass(2 * second);
    ck_assert_msg(strncmp(client->out, "HTTP/1.1 504 ", 13) == 0, "%s", client->out);
    ck_assert_ptr_nonnull(strstr(client->out, "stream_idle"));
    mode1_stop(&host);
}
END_TEST

Suite *deadline_suite(void)
{
    Suite *suite = suite_create("deadline");

    check_add(suite, the_rest_of_a_refused_request);
    check_add(suite, the_rest_comes_in_time);
    check_add(suite, the_rest_does_not_hold_a_drain);
    check_add(suite, an_origin_that_does_not_read);
    check_add_loop(suite, a_response_without_a_deadline, 0, 2);
    return suite;
}
