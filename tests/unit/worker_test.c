/* unit/worker_test.c: the whole machine in mode 1: requests in, upstream connections out, answers back. */

#include "check_main.h"
#include "gw_features.h"
#include "mode1.h"
#include "worker_suites.h"

static struct mode1 host;

struct seen {
    int begun, ended;
    gw_cause cause;
    uint32_t code;
    bool is_step_tried;     /* on_end does what it must not */
    bool is_aborted_inside; /* on_end ends the link, too */
    void (*on_response)(void);
};
static struct seen seen;
static const char *listener_name = "edge";

static gw_verdict see_request(void *ctx, gw_exchange *x)
{
    struct seen *s = ctx;
    (void)x;
    s->begun++;
    return GW_NEXT;
}

static gw_verdict see_response(void *ctx, gw_exchange *x)
{
    const struct seen *s = ctx;
    (void)x;
    if (s->on_response != NULL)
        s->on_response();
    return GW_NEXT;
}

static void see_end(void *ctx, const gw_exchange *x)
{
    struct seen *s = ctx;
    gw_exchange_info info = GW_SPEC(gw_exchange_info);

    s->ended++;
    s->cause = gw_exchange_cause(x);
    ck_assert_int_eq(gw_exchange_get_info(x, &info), GW_OK);
    s->code = info.code;
    if (s->is_aborted_inside)
        gw_link_abort(gw_exchange_link(x));
    if (s->is_step_tried) {
        gw_worker_free(gw_exchange_worker(x));
        ck_assert_int_eq(gw_worker_step(gw_exchange_worker(x), host.now), GW_ESTATE);
    }
}

static gw_config *make_config(uint32_t upstream_protocol)
{
    gw_builder *b;
    gw_config *config;
    gw_env env = GW_SPEC(gw_env);
    gw_listener_spec listener = GW_SPEC(gw_listener_spec);
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);
    gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
    gw_route_spec route = GW_SPEC(gw_route_spec), hello = GW_SPEC(gw_route_spec);
    gw_filter filter = GW_SPEC(gw_filter);
    gw_config_error err = GW_SPEC(gw_config_error);
    gw_id id;

    memset(&seen, 0, sizeof seen);
    env.allocator = host.alloc.allocator;
    ck_assert_int_eq(gw_builder_new(&env, &b), GW_OK);
    listener.name = gw_cstr(listener_name);
    listener.forwarded = GW_OFF; /* what upstreams get is what clients said */
    listener.flags = GW_LISTENER_NO_VIA;
    ck_assert_uint_ne(gw_builder_listener(b, &listener), 0);
    cluster.name = gw_cstr("web");
    cluster.protocols = upstream_protocol;
    id = gw_builder_cluster(b, &cluster);
    endpoint.address = gw_cstr("127.0.0.1:81");
    ck_assert_uint_ne(gw_builder_endpoint(b, id, &endpoint), 0);
    route.name = gw_cstr("web");
    route.path = gw_cstr("/");
    route.cluster = gw_cstr("web");
    ck_assert_uint_ne(gw_builder_route(b, &route), 0);
    hello.name = gw_cstr("hello");
    hello.path = gw_cstr("/hello");
    hello.reply_code = 200;
    hello.reply_body = gw_cstr("hello\n");
    ck_assert_uint_ne(gw_builder_route(b, &hello), 0);
    filter.name = "seen";
    filter.ctx = &seen;
    filter.on_request = see_request;
    filter.on_response = see_response;
    filter.on_end = see_end;
    ck_assert_uint_ne(gw_builder_filter(b, &filter), 0);
    ck_assert_msg(gw_builder_build(b, &config, &err) == GW_OK, "%s: %s", err.where, err.text);
    return config;
}

static void start(uint32_t upstream_protocol)
{
    memset(&host, 0, sizeof host);
    test_alloc_init(&host.alloc);
    mode1_start(&host, make_config(upstream_protocol), NULL);
}

START_TEST(a_route_replies)
{
    struct mode1_link *client;

    start(GW_PROTO_H1);
    client = mode1_accept(&host, "edge");
    mode1_say(&host, client, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_msg(strstr(client->out, "HTTP/1.1 200 OK\r\n") == client->out, "%s", client->out);
    ck_assert_ptr_nonnull(strstr(client->out, "\r\n\r\nhello\n"));
    ck_assert_int_eq(seen.ended, 1);
    ck_assert_uint_eq(seen.cause.by, GW_BY_NONE);
    mode1_stop(&host);
}
END_TEST

/* An idle client is one small object: its codec is given back and made again, and it goes on in the
 * protocol that it began with. */
START_TEST(an_idle_client_has_no_codec)
{
    static const char get[] = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
    struct mode1_link *client;
    gw_facts facts = GW_SPEC(gw_facts);

    start(GW_PROTO_H1);
    client = mode1_accept(&host, "edge");
    mode1_say(&host, client, "GET");
    ck_assert_ptr_nonnull(client->link->codec);
    mode1_say(&host, client, get + 3);
    ck_assert_ptr_null(client->link->codec);
    ck_assert_uint_eq(host.worker->links.h1.used, 0);
    ck_assert_int_eq(gw_link_get_facts(client->link, &facts), GW_OK);
    ck_assert_uint_eq(facts.protocol, GW_PROTO_H1);
    for (int i = 2; i < 5; i++) {
        mode1_say(&host, client, get);
        ck_assert_int_eq(seen.ended, i);
        ck_assert_ptr_null(client->link->codec);
    }
    mode1_say(&host, client, "\r\n"); /* an empty line is the begin of a request */
    mode1_say(&host, client, get);
    ck_assert_int_eq(seen.ended, 5);
    client->out_len = 0;
    mode1_say(&host, client, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    ck_assert_msg(strstr(client->out, "HTTP/1.1 505 ") == client->out, "%.40s", client->out);
    mode1_stop(&host);
}
END_TEST

START_TEST(names_have_a_bound)
{
    static char name[129];
    gw_facts facts = GW_SPEC(gw_facts), got = GW_SPEC(gw_facts);
    gw_accept_spec spec = GW_SPEC(gw_accept_spec);
    gw_link *link;

    start(GW_PROTO_H1);
    memset(name, 'n', sizeof name);
    spec.listener = gw_cstr("edge");
    spec.facts = &facts;
    facts.peer = (gw_str){ name, sizeof name };
    ck_assert_int_eq(gw_worker_accept(host.worker, &spec, &link), GW_EINVAL);
    facts.peer.len--;
    facts.local = gw_cstr("127.0.0.1:80");
    ck_assert_int_eq(gw_worker_accept(host.worker, &spec, &link), GW_OK);
    ck_assert_int_eq(gw_link_get_facts(link, &got), GW_OK);
    ck_assert_uint_eq(got.peer.len, 128);
    ck_assert_mem_eq(got.peer.ptr, name, 128);
    ck_assert_str_eq(got.local.ptr, "127.0.0.1:80");
    ck_assert_uint_eq(got.local.len, 12);
    mode1_stop(&host);
}
END_TEST

/* The time for a head runs from its own first byte, also when an alarm from before rings just then. */
START_TEST(a_head_has_its_own_time)
{
    static const char get[] = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
    struct mode1_link *client;
    gw_span room;

    start(GW_PROTO_H1);
    client = mode1_accept(&host, "edge");
    mode1_say(&host, client, "GET"); /* sets an alarm */
    mode1_say(&host, client, get + 3);
    ck_assert_int_eq(seen.ended, 1);
    host.now += UINT64_C(30) * 1000000000;
    ck_assert_uint_eq(gw_link_room(client->link, &room, 1), 1);
    memcpy(room.ptr, get, strlen(get));
    gw_link_received(client->link, strlen(get), GW_OK);
    mode1_clear(client);
    mode1_pump(&host);
    ck_assert_int_eq(seen.ended, 2);
    ck_assert_msg(strstr(client->out, "HTTP/1.1 200 OK\r\n") == client->out, "%s", client->out);
    ck_assert_ptr_nonnull(client->link);
    mode1_stop(&host);
}
END_TEST

/* One who has ended its side and then goes away: what cannot be sent is not tried for ever. */
START_TEST(send_fails_after_the_end)
{
    struct mode1_link *client;
    gw_notice notice = GW_SPEC(gw_notice);

    start(GW_PROTO_H1);
    client = mode1_accept(&host, "edge");
    static const char get[] = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
    mode1_step_with(&host, client, get, GW_EOF);
    ck_assert_uint_ne(gw_link_want(client->link) & GW_WANT_WRITE, 0);
    while (gw_bytes_next(host.worker, &notice))
        ;
    gw_link_sent(client->link, 0, GW_ERESET);
    ck_assert_int_eq(gw_worker_step(host.worker, host.now), GW_OK);
    ck_assert_uint_eq(gw_link_want(client->link), GW_WANT_CLOSE);
    mode1_pump(&host);
    ck_assert_int_eq(seen.ended, 1);
    mode1_stop(&host);
}
END_TEST

/* gw_link_abort: at once, by the host, also when the peer's side has ended before. */
START_TEST(abort_names_the_host)
{
    struct mode1_link *client;
    bool is_upstream = (_i & 1) != 0, is_ended = (_i & 2) != 0;

    start(GW_PROTO_H1);
    client = mode1_accept(&host, "edge");
    mode1_say(&host, client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    if (is_ended)
        mode1_end(&host, client);
    ck_assert_int_eq(seen.ended, 0);
    gw_link_abort(is_upstream ? mode1_upstream(&host)->link : client->link);
    mode1_pump(&host);
    ck_assert_int_eq(seen.ended, 1);
    ck_assert_uint_eq(seen.cause.by, GW_BY_HOST);
    mode1_stop(&host);
}
END_TEST

static void count_wake(void *ctx)
{
    ++*(int *)ctx;
}

/* What the host asks for between two steps wakes who waits for the next one; in a hook nobody waits. */
START_TEST(asking_wakes)
{
    gw_worker_spec spec = GW_SPEC(gw_worker_spec);
    gw_call_spec call = GW_SPEC(gw_call_spec);
    struct mode1_link *client;
    gw_exchange_id id;
    int wakes = 0;

    start(GW_PROTO_H1);
    gw_worker_free(host.worker);
    spec.wake = count_wake;
    spec.wake_ctx = &wakes;
    ck_assert_int_eq(gw_worker_new(host.engine, &spec, &host.worker), GW_OK);
    client = mode1_accept(&host, "edge");
    mode1_say(&host, client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_int_eq(wakes, 0);
    gw_link_finish(client->link);
    ck_assert_int_eq(wakes, 1);
    gw_link_abort(client->link);
    ck_assert_int_eq(wakes, 2);
    call.target = gw_cstr("/x");
    call.cluster = gw_cstr("web");
    ck_assert_int_eq(gw_worker_call(host.worker, &call, &id), GW_OK);
    ck_assert_int_eq(wakes, 3);
    ck_assert_int_eq(gw_worker_cancel(host.worker, id), GW_OK);
    ck_assert_int_eq(wakes, 4);
    ck_assert_int_eq(gw_worker_drain(host.worker, 1000), GW_OK);
    ck_assert_int_eq(wakes, 5);
    seen.is_aborted_inside = true;
    mode1_pump(&host);
    ck_assert_int_ge(seen.ended, 1);
    ck_assert_int_eq(wakes, 5);
    mode1_stop(&host);
}
END_TEST

/* A link that is being connected: no report of it comes after, and who waits is told. */
START_TEST(abort_while_connecting)
{
    struct mode1_link *client;
    gw_notice notice = GW_SPEC(gw_notice);

    start(GW_PROTO_H1);
    client = mode1_accept(&host, "edge");
    static const char get[] = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
    mode1_step_with(&host, client, get, GW_OK);
    while (gw_bytes_next(host.worker, &notice))
        if ((notice.want & GW_WANT_CONNECT) != 0)
            gw_link_abort(notice.link);
    mode1_pump(&host);
    ck_assert_int_eq(seen.ended, 1);
    ck_assert_msg(strncmp(client->out, "HTTP/1.1 50", 11) == 0, "%s", client->out);
    mode1_stop(&host);
}
END_TEST

/* A new configuration without the listener: the request that comes next is served, in pieces too. */
START_TEST(a_listener_that_is_gone)
{
    struct mode1_link *client;
    static const char get[] = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
    gw_config *config;

    start(GW_PROTO_H1);
    client = mode1_accept(&host, "edge");
    mode1_say(&host, client, get);
    mode1_clear(client);
    listener_name = "other";
    config = make_config(GW_PROTO_H1);
    listener_name = "edge";
    ck_assert_int_eq(gw_engine_apply(host.engine, config, NULL), GW_OK);
    gw_config_unref(config);
    mode1_feed(&host, client, get, strlen(get), 10);
    ck_assert_msg(strncmp(client->out, "HTTP/1.1 200 OK\r\n", 17) == 0, "%s", client->out);
    ck_assert_ptr_nonnull(strstr(client->out, "Connection: close\r\n"));
    mode1_stop(&host);
}
END_TEST

/* Hooks that run while the worker is freed may neither free nor step it. */
START_TEST(no_step_while_freed)
{
    struct mode1_link *client;

    start(GW_PROTO_H1);
    client = mode1_accept(&host, "edge");
    mode1_say(&host, client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    seen.is_step_tried = true;
    mode1_stop(&host);
    ck_assert_int_eq(seen.ended, 1);
    ck_assert_uint_eq(seen.cause.by, GW_BY_HOST);
}
END_TEST

/* HTTP/1.0 need not say Host; HTTP/1.1 must. */
START_TEST(h10_without_host)
{
    struct mode1_link *client, *upstream;

    start(GW_PROTO_H1);
    client = mode1_accept(&host, "edge");
    mode1_say(&host, client, "GET /x HTTP/1.0\r\n\r\n");
    upstream = mode1_upstream(&host);
    ck_assert_str_eq(upstream->out, "GET /x HTTP/1.1\r\nHost: 127.0.0.1:81\r\n\r\n");
    mode1_say(&host, upstream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    ck_assert_str_eq(client->out, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n"
                                  "\r\nok");
    ck_assert_uint_eq(seen.cause.by, GW_BY_NONE);
    mode1_stop(&host);
}
END_TEST

/* A protocol that the route does not know is not asked for: the request is an ordinary one, and what
 * follows it is the next. */
START_TEST(upgrade_not_allowed)
{
    struct mode1_link *client, *upstream;
    static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    start(GW_PROTO_H1);
    client = mode1_accept(&host, "edge");
    mode1_say(&host, client,
              "GET /1 HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n"
              "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    upstream = mode1_upstream(&host);
    ck_assert_str_eq(upstream->out, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    mode1_clear(upstream);
    mode1_say(&host, upstream, ok);
    ck_assert_str_eq(client->out, ok);
    ck_assert_str_eq(upstream->out, "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    mode1_stop(&host);
}
END_TEST

/* WebSocket goes through; bytes that come in the same write as the request are not lost. */
START_TEST(websocket_tunnel)
{
    struct mode1_link *client, *upstream;

    start(GW_PROTO_H1);
    client = mode1_accept(&host, "edge");
    mode1_say(&host, client,
              "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
              "Sec-WebSocket-Key: k\r\n\r\nfirst");
    upstream = mode1_upstream(&host);
    ck_assert_str_eq(upstream->out, "GET /chat HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Key: k\r\n"
                                    "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    mode1_clear(upstream);
    mode1_say(&host, upstream,
              "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
              "Sec-WebSocket-Accept: s\r\n\r\nhello");
    ck_assert_str_eq(client->out, "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: s\r\n"
                                  "Connection: upgrade\r\nUpgrade: websocket\r\n\r\nhello");
    ck_assert_str_eq(upstream->out, "first");
    mode1_clear(client);
    mode1_clear(upstream);
    mode1_say(&host, client, "ping");
    mode1_say(&host, upstream, "pong");
    ck_assert_str_eq(upstream->out, "ping");
    ck_assert_str_eq(client->out, "pong");
    mode1_stop(&host);
}
END_TEST

START_TEST(h1_to_h1)
{
    struct mode1_link *client, *upstream;

    start(GW_PROTO_H1);
    client = mode1_accept(&host, "edge");
    for (int i = 0; i < 3; i++) { /* the same two connections serve all */
        mode1_say(&host, client,
                  "POST /x?y=1 HTTP/1.1\r\nHost: a\r\nX-Case: Kept\r\n"
                  "Content-Length: 5\r\n\r\nhello");
        upstream = mode1_upstream(&host);
        ck_assert_msg(strstr(upstream->out, "POST /x?y=1 HTTP/1.1\r\n") == upstream->out, "%s",
                      upstream->out);
        ck_assert_ptr_nonnull(strstr(upstream->out, "X-Case: Kept\r\n"));
        ck_assert_ptr_nonnull(strstr(upstream->out, "\r\n\r\nhello"));
        mode1_clear(upstream);
        mode1_say(&host, upstream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        ck_assert_msg(strstr(client->out, "HTTP/1.1 200 OK\r\n") == client->out, "%s", client->out);
        ck_assert_ptr_nonnull(strstr(client->out, "\r\n\r\nok"));
        mode1_clear(client);
        ck_assert_int_eq(seen.ended, i + 1);
        ck_assert_uint_eq(seen.cause.by, GW_BY_NONE);
    }
    ck_assert_int_eq(host.count, 2);
    mode1_end(&host, client);
    ck_assert_ptr_null(client->link);
    mode1_stop(&host);
}
END_TEST

START_TEST(h1_to_h1_chunked_byte_by_byte)
{
    static const char request[] = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                                  "3\r\nabc\r\n4\r\ndefg\r\n0\r\nX-T: 1\r\n\r\n";
    static const char response[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                   "2\r\nhi\r\n0\r\n\r\n";
    struct mode1_link *client;

    start(GW_PROTO_H1);
    client = mode1_accept(&host, "edge");
    mode1_feed(&host, client, request, sizeof request - 1, 1);
    ck_assert_ptr_nonnull(strstr(mode1_upstream(&host)->out, "0\r\nX-T: 1\r\n\r\n"));
    mode1_feed(&host, mode1_upstream(&host), response, sizeof response - 1, 1);
    ck_assert_ptr_nonnull(strstr(client->out, "0\r\n\r\n"));
    ck_assert_int_eq(seen.ended, 1);
    ck_assert_uint_eq(seen.cause.by, GW_BY_NONE);
    mode1_stop(&host);
}
END_TEST

START_TEST(a_refused_connection_is_503)
{
    struct mode1_link *client;

    start(GW_PROTO_H1);
    host.refuse = true;
    client = mode1_accept(&host, "edge");
    mode1_say(&host, client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_msg(strstr(client->out, "HTTP/1.1 503 ") == client->out, "%s", client->out);
    ck_assert_ptr_nonnull(strstr(client->out, "upstream_connect_refused"));
    ck_assert_uint_eq(seen.cause.by, GW_BY_UPSTREAM);
    mode1_stop(&host);
}
END_TEST

START_TEST(a_silent_upstream_is_504)
{
    struct mode1_link *client;

    start(GW_PROTO_H1);
    client = mode1_accept(&host, "edge");
    mode1_say(&host, client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    host.now += GW_MS(14000);
    mode1_pump(&host);
    ck_assert_uint_eq(client->out_len, 0);
    ck_assert_uint_le(gw_worker_deadline(host.worker), host.now + GW_MS(1001));
    host.now += GW_MS(1100);
    mode1_pump(&host);
    ck_assert_msg(strstr(client->out, "HTTP/1.1 504 ") == client->out, "%s", client->out);
    mode1_stop(&host);
}
END_TEST

START_TEST(a_bad_request_is_400)
{
    struct mode1_link *client;

    start(GW_PROTO_H1);
    client = mode1_accept(&host, "edge");
    mode1_say(&host, client, "GET / HTTP/1.1\r\nHost : a\r\n\r\n");
    ck_assert_msg(strstr(client->out, "HTTP/1.1 400 ") == client->out, "%s", client->out);
    ck_assert(client->is_shutdown);
    ck_assert_int_eq(seen.ended, 1);
    ck_assert_uint_eq(seen.cause.by, GW_BY_CLIENT);
    mode1_end(&host, client);
    ck_assert_ptr_null(client->link);
    mode1_stop(&host);
}
END_TEST

START_TEST(pipelined_requests_before_the_end_are_all_answered)
{
    static const char requests[] = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
                                   "GET /y HTTP/1.1\r\nHost: a\r\n\r\n";
    struct mode1_link *client, *upstream;

    start(GW_PROTO_H1);
    client = mode1_accept(&host, "edge");
    mode1_feed(&host, client, requests, sizeof requests - 1, (size_t)_i);
    mode1_end(&host, client);
    upstream = mode1_upstream(&host);
    mode1_say(&host, upstream, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
    ck_assert_ptr_nonnull(strstr(upstream->out, "GET /y HTTP/1.1\r\n"));
    mode1_say(&host, upstream, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2");
    ck_assert_ptr_nonnull(strstr(client->out, "\r\n\r\n2"));
    ck_assert_int_eq(seen.ended, 2);
    ck_assert_ptr_null(client->link);
    mode1_stop(&host);
}
END_TEST

START_TEST(a_link_that_the_host_aborts_is_blamed_on_the_host)
{
    struct mode1_link *client;

    start(GW_PROTO_H1);
    client = mode1_accept(&host, "edge");
    mode1_say(&host, client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    gw_link_abort(_i == 0 ? client->link : mode1_upstream(&host)->link);
    mode1_pump(&host);
    ck_assert_int_eq(seen.ended, 1);
    ck_assert_uint_eq(seen.cause.by, GW_BY_HOST);
    ck_assert_int_eq(seen.cause.status, GW_ECANCELED);
    if (_i == 1)
        ck_assert_msg(strstr(client->out, "HTTP/1.1 502 ") == client->out, "%s", client->out);
    mode1_stop(&host);
}
END_TEST

START_TEST(an_answer_that_cannot_leave_ends_the_exchange)
{
    struct mode1_link *client;

    start(GW_PROTO_H1);
    client = mode1_accept(&host, "edge");
    mode1_say(&host, client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    mode1_end(&host, client); /* the client's end alone is no abort */
    client->is_broken = true;
    mode1_say(&host, mode1_upstream(&host), "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
    ck_assert_int_eq(seen.ended, 1);
    ck_assert_uint_eq(seen.cause.by, GW_BY_CLIENT);
    ck_assert_ptr_null(client->link);
    mode1_stop(&host);
}
END_TEST

static void keep_line(void *ctx, uint32_t level, const char *event, const char *text)
{
    char *line = ctx;

    ck_assert_uint_le(level, GW_LOG_WARN);
    snprintf(line, 200, "%s %s", event, text);
}

START_TEST(a_failure_of_an_upstream_is_logged)
{
    struct mode1_link *client;
    char line[200] = "";

    memset(&host, 0, sizeof host);
    test_alloc_init(&host.alloc);
    host.log = keep_line;
    host.log_ctx = line;
    mode1_start(&host, make_config(GW_PROTO_H1), NULL);
    host.refuse = true;
    client = mode1_accept(&host, "edge");
    mode1_say(&host, client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_str_eq(line,
                     "exchange.failed upstream/connect/upstream_connect_refused: cluster web, "
                     "endpoint 127.0.0.1:81");
    mode1_stop(&host);
}
END_TEST

/* ... with the code that an upstream resets the stream with. */
START_TEST(a_reset_is_logged_with_its_code)
{
    static char line[256];
    static const char frames[] = "\0\0\0\4\0\0\0\0\0"
                                 "\0\0\4\3\0\0\0\0\1\0\0\0\13";
    struct mode1_link *client;

    if (!GW_HAVE_H2)
        return;
    memset(&host, 0, sizeof host);
    test_alloc_init(&host.alloc);
    host.log = keep_line;
    host.log_ctx = line;
    mode1_start(&host, make_config(GW_PROTO_H2), NULL);
    client = mode1_accept(&host, "edge");
    mode1_say(&host, client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
    mode1_feed(&host, mode1_upstream(&host), frames, sizeof frames - 1, 0);
    ck_assert_str_eq(line, "exchange.failed upstream/await/upstream_reset: cluster web, endpoint "
                           "127.0.0.1:81, HTTP/2 error 11");
    mode1_stop(&host);
}
END_TEST

/* ---- the end of an engine ---- */

enum { HOARD_MAX = 64 };
static struct gw_block *hoard[HOARD_MAX];

/* All blocks that can be had, and the allocator makes no more. */
static void take_all_blocks(void)
{
    struct gw_pool *pool = host.worker->links.pool;
    int n = 0;

    while (hoard[n] != NULL)
        n++;
    host.alloc.fail_from = 1;
    while (n < HOARD_MAX - 1 && (hoard[n] = gw_block_take(pool, NULL)) != NULL)
        n++;
    ck_assert_int_lt(n, HOARD_MAX - 1);
}

static void give_all_blocks(void)
{
    host.alloc.fail_from = 0;
    for (int n = 0; hoard[n] != NULL; n++) {
        gw_block_unref(hoard[n]);
        hoard[n] = NULL;
    }
    mode1_pass(&host, 1000000000);
}

/* One record of the stub engine. */
static void say_sealed(struct mode1_link *l, const char *text)
{
    char record[300];
    int n = snprintf(record, sizeof record, "%c%c%c%s", 0x17, 'x', (char)strlen(text), text);

    record[1] = 0;
    mode1_feed(&host, l, record, (size_t)n, 0);
}

static void say_hello(struct mode1_link *l)
{
    mode1_feed(&host, l, "\x16\0\0", 3, 0);
}

static bool ends_sealed(const struct mode1_link *l)
{
    return l->out_len >= 3 && memcmp(l->out + l->out_len - 3, "\x15\0\0", 3) == 0;
}

/* The last record says that nothing was cut off: while there is no memory for it the side is not ended. */
START_TEST(an_engine_s_end_waits_for_memory)
{
    struct mode1_link *client;

    start(GW_PROTO_H1);
    gw_worker_stub_tls(host.worker, true, false);
    client = mode1_accept(&host, "edge");
    say_hello(client);
    say_sealed(client, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    client->is_slow = true;
    mode1_answer(&host, "HTTP/1.1 204 No Content\r\n\r\n");
    client->is_slow = false;
    mode1_take(client);
    ck_assert_ptr_nonnull(strstr(client->out + 6, "204 No Content\r\n"));
    take_all_blocks();
    mode1_pump(&host);
    ck_assert(!ends_sealed(client));
    ck_assert(!client->is_shutdown);
    give_all_blocks();
    ck_assert(ends_sealed(client));
    ck_assert(client->is_shutdown);
    mode1_stop(&host);
}
END_TEST

/* Its side is ended while its stream is still there: the client is not answered yet. */
START_TEST(towards_an_upstream_it_waits_too)
{
    struct mode1_link *client, *up;
    size_t len;

    start(GW_PROTO_H1);
    gw_worker_stub_tls(host.worker, false, true);
    client = mode1_accept(&host, "edge");
    mode1_say(&host, client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    up = mode1_upstream(&host);
    say_hello(up);
    len = up->out_len;
    seen.on_response = take_all_blocks;
    say_sealed(up, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    ck_assert_int_eq(seen.ended, 0);
    ck_assert_uint_eq(up->out_len, len);
    ck_assert(!up->is_shutdown);
    give_all_blocks();
    ck_assert(ends_sealed(up));
    ck_assert_ptr_nonnull(strstr(client->out, "204 No Content\r\n"));
    ck_assert_int_eq(seen.ended, 1);
    ck_assert_uint_eq(seen.cause.by, GW_BY_NONE);
    mode1_stop(&host);
}
END_TEST

static Suite *worker_suite(void)
{
    Suite *suite = suite_create("worker");

    check_add(suite, a_route_replies);
    check_add(suite, an_idle_client_has_no_codec);
    check_add(suite, a_head_has_its_own_time);
    check_add(suite, names_have_a_bound);
    check_add(suite, send_fails_after_the_end);
    check_add_loop(suite, abort_names_the_host, 0, 4);
    check_add(suite, asking_wakes);
    check_add(suite, abort_while_connecting);
    check_add(suite, a_listener_that_is_gone);
    check_add(suite, no_step_while_freed);
    check_add(suite, h10_without_host);
    check_add(suite, upgrade_not_allowed);
    check_add(suite, websocket_tunnel);
    check_add(suite, h1_to_h1);
    check_add(suite, h1_to_h1_chunked_byte_by_byte);
    check_add(suite, a_refused_connection_is_503);
    check_add(suite, a_silent_upstream_is_504);
    check_add(suite, a_bad_request_is_400);
    check_add_loop(suite, pipelined_requests_before_the_end_are_all_answered, 0, 2);
    check_add_loop(suite, a_link_that_the_host_aborts_is_blamed_on_the_host, 0, 2);
    check_add(suite, an_answer_that_cannot_leave_ends_the_exchange);
    check_add(suite, a_failure_of_an_upstream_is_logged);
    check_add(suite, a_reset_is_logged_with_its_code);
    check_add(suite, an_engine_s_end_waits_for_memory);
    check_add(suite, towards_an_upstream_it_waits_too);
    return suite;
}

CHECK_MAIN(worker_suite, admission_suite, contract_suite, deadline_suite, hooks_suite, keep_suite,
           pool_suite)
