/* unit/call_test.c: requests of the host's own, in mode 1: to an upstream that is written by hand, and to
 * an origin of the host; whole and in pieces, cut, cancelled, late, refused. */

#include "check_main.h"
#include "parts.h"

static struct mode1 host;

/* What the hooks are to do, and what they saw. */
static struct plan {
    const char *pieces[8]; /* to be written, one each time; NULL: the end */
    uint32_t big;          /* or so many bytes                             */
    bool reads_nothing, has_trailers, is_silent;
    gw_verdict verdict; /* of on_response */
} plan;
static struct seen {
    int writes, responses, reads, resumed, ended;
    uint32_t code;
    size_t written, got_len;
    char got[65536], trailer[32], field[32];
    bool is_last;
    gw_cause cause;
    gw_ticket ticket;
    gw_pipe *response;
    void *memory;
} seen;

static gw_verdict on_write(void *ctx, gw_exchange *x, gw_pipe *p)
{
    static char bytes[5000];
    size_t n;

    ck_assert_ptr_eq(ctx, &plan);
    ck_assert_ptr_eq(gw_exchange_link(x), NULL);
    ck_assert_uint_gt(gw_pipe_room(p), 0);
    ck_assert_int_eq(gw_pipe_drop(p, 0), GW_EINVAL); /* it is the host's to write */
    if (plan.big > 0) {
        memset(bytes, 'b', sizeof bytes);
        while (seen.written < plan.big && (n = gw_pipe_write(p, bytes, sizeof bytes)) > 0)
            seen.written += n;
        seen.writes++;
        return seen.written < plan.big ? GW_WAIT : gw_pipe_end(p) == GW_OK ? GW_NEXT : GW_ABORT;
    }
    if (seen.resumed < seen.writes) /* on_read took bytes: nothing to say to that */
        return GW_WAIT;
    if (plan.pieces[seen.writes] == NULL) {
        if (plan.has_trailers)
            ck_assert_int_eq(gw_message_add_field(gw_exchange_trailers(x, GW_SIDE_REQUEST),
                                                  gw_cstr("x-sum"), gw_cstr("7")),
                             GW_OK);
        ck_assert_int_eq(gw_pipe_end(p), GW_OK);
        ck_assert_int_eq(gw_pipe_end(p), GW_ESTATE);
        return GW_NEXT;
    }
    gw_pipe_write(p, plan.pieces[seen.writes], strlen(plan.pieces[seen.writes]));
    seen.writes++;
    seen.ticket = gw_exchange_wait(x);
    return GW_WAIT;
}

static gw_verdict on_response(void *ctx, gw_exchange *x)
{
    gw_str field = gw_message_field(gw_exchange_response(x), gw_cstr("x-answer"));

    (void)ctx;
    seen.responses++;
    seen.code = gw_message_code(gw_exchange_response(x));
    snprintf(seen.field, sizeof seen.field, "%.*s", (int)field.len, field.len > 0 ? field.ptr : "");
    ck_assert_int_eq(gw_exchange_respond(x, 200), GW_ESTATE); /* it is not asked, it asks */
    return plan.verdict;
}

static gw_verdict on_read(void *ctx, gw_exchange *x, gw_pipe *p)
{
    gw_const_span span;
    gw_str trailer;

    (void)ctx;
    seen.reads++;
    seen.response = p;
    ck_assert_uint_eq(gw_pipe_write(p, "x", 1), 0); /* it is the host's to read */
    seen.ticket = gw_exchange_wait(x);
    if (plan.reads_nothing)
        return GW_WAIT;
    while (gw_pipe_peek(p, &span, 1) > 0) {
        ck_assert_uint_le(seen.got_len + span.len, sizeof seen.got - 1);
        memcpy(seen.got + seen.got_len, span.ptr, span.len);
        seen.got_len += span.len;
        ck_assert_int_eq(gw_pipe_drop(p, span.len), GW_OK);
    }
    seen.is_last = gw_pipe_is_last(p);
    trailer = gw_message_field(gw_exchange_trailers(x, GW_SIDE_RESPONSE), gw_cstr("x-end"));
    snprintf(seen.trailer, sizeof seen.trailer, "%.*s", (int)trailer.len,
             trailer.len > 0 ? trailer.ptr : "");
    return GW_NEXT;
}

static gw_verdict on_resume(void *ctx, gw_exchange *x, uint32_t side, void *answer)
{
    (void)ctx;
    (void)x;
    ck_assert_uint_eq(side, GW_SIDE_REQUEST);
    ck_assert_ptr_eq(answer, &seen);
    ck_assert_int_eq(seen.ended, 0);
    seen.resumed++;
    return GW_NEXT;
}

static void on_end(void *ctx, const gw_exchange *x)
{
    gw_exchange_info info = GW_SPEC(gw_exchange_info);

    (void)ctx;
    seen.ended++;
    seen.cause = gw_exchange_cause(x);
    seen.memory = gw_exchange_memory(x);
    ck_assert_int_eq(gw_exchange_get_info(x, &info), GW_OK);
    ck_assert_uint_eq(info.peer.len + info.listener.len, 0);
}

/* Answers /echo with what it is sent. */
static gw_verdict origin_request(void *ctx, gw_exchange *x)
{
    (void)ctx;
    ck_assert_int_eq(gw_exchange_respond(x, 201), GW_OK);
    return gw_message_add_field(gw_exchange_response(x), gw_cstr("x-answer"), gw_cstr("echo")) ==
                   GW_OK
               ? GW_NEXT
               : GW_ABORT;
}

static void copy_over(gw_exchange *x, gw_pipe *from, gw_pipe *to)
{
    gw_const_span span;

    while (gw_pipe_room(to) > 0 && gw_pipe_peek(from, &span, 1) > 0) {
        size_t n = gw_pipe_write(to, span.ptr, span.len);
        if (n == 0)
            return;
        ck_assert_int_eq(gw_pipe_drop(from, n), GW_OK);
    }
    if (!gw_pipe_is_last(from) || gw_pipe_peek(from, &span, 1) > 0)
        return;
    ck_assert_int_eq(gw_message_add_field(gw_exchange_trailers(x, GW_SIDE_RESPONSE),
                                          gw_cstr("x-end"), gw_cstr("echoed")),
                     GW_OK);
    ck_assert_int_eq(gw_pipe_end(to), GW_OK);
}

struct echo {
    gw_pipe *from, *to;
};

static gw_verdict origin_read(void *ctx, gw_exchange *x, gw_pipe *request)
{
    struct echo *echo = gw_exchange_memory(x);

    (void)ctx;
    echo->from = request;
    if (echo->to != NULL)
        copy_over(x, request, echo->to);
    return GW_WAIT;
}

static gw_verdict origin_write(void *ctx, gw_exchange *x, gw_pipe *response)
{
    struct echo *echo = gw_exchange_memory(x);

    (void)ctx;
    echo->to = response;
    if (echo->from != NULL)
        copy_over(x, echo->from, response);
    return GW_WAIT;
}

static int filtered;

static gw_verdict filter_request(void *ctx, gw_exchange *x)
{
    (void)ctx;
    (void)x;
    filtered++;
    return GW_NEXT;
}

static void see_log(void *ctx, uint32_t level, const char *event, const char *text)
{
    (void)ctx;
    (void)level;
    (void)event;
    (void)text;
}

static void start(const gw_limits *limits)
{
    gw_builder *b;
    gw_origin origin = GW_SPEC(gw_origin);
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);
    gw_route_spec hello = GW_SPEC(gw_route_spec), edge = GW_SPEC(gw_route_spec);
    gw_filter filter = GW_SPEC(gw_filter);

    memset(&host, 0, sizeof host);
    memset(&plan, 0, sizeof plan);
    memset(&seen, 0, sizeof seen);
    filtered = 0;
    test_alloc_init(&host.alloc);
    host.log = see_log;
    host.log_level = GW_LOG_DEBUG;
    b = parts_begin(&host);
    parts_listener(b, "edge");
    parts_cluster(b, "web", NULL, "127.0.0.1:81");
    origin.name = "echo";
    origin.exchange_bytes = sizeof(struct echo);
    origin.on_request = origin_request;
    origin.on_read = origin_read;
    origin.on_write = origin_write;
    cluster.origin = &origin;
    parts_cluster(b, "echo", &cluster, NULL);
    hello.reply_code = 200;
    hello.reply_body = gw_cstr("hello\n");
    parts_route(b, "/hello", &hello, NULL);
    edge.listener = gw_cstr("edge");
    parts_route(b, "/edge", &edge, "web");
    parts_route(b, "/web", NULL, "web");
    filter.name = "filter";
    filter.on_request = filter_request;
    filter.on_route = filter.on_upstream = filter.on_response = filter_request;
    ck_assert_uint_ne(gw_builder_filter(b, &filter), 0);
    mode1_start(&host, parts_build(b), limits);
}

static gw_caller caller(void)
{
    gw_caller c = GW_SPEC(gw_caller);

    c.ctx = &plan;
    c.exchange_bytes = 64;
    c.on_response = on_response;
    c.on_read = on_read;
    c.on_resume = on_resume;
    c.on_end = on_end;
    return c;
}

/* what: cluster; spec NULL: a GET of /x?y. */
static gw_exchange_id call(const gw_caller *c, const char *cluster, const gw_call_spec *spec)
{
    gw_call_spec own = GW_SPEC(gw_call_spec);
    gw_exchange_id id = 0;

    own.target = gw_cstr("/x?y");
    if (spec != NULL)
        own = *spec;
    own.caller = c;
    own.cluster = gw_cstr(cluster);
    ck_assert_int_eq(gw_worker_call(host.worker, &own, &id), GW_OK);
    ck_assert_uint_ne(id, 0);
    ck_assert_int_eq(seen.ended + seen.writes, 0); /* not before a step */
    mode1_pump(&host);
    return id;
}

static void stop(void)
{
    ck_assert_int_eq(seen.ended, 1);
    mode1_stop(&host);
    ck_assert_int_eq(seen.ended, 1);
    ck_assert_int_eq(filtered, 0);
}

static void expect_whole(uint32_t code, const char *body)
{
    ck_assert_uint_eq(seen.cause.by, GW_BY_NONE);
    ck_assert_uint_eq(seen.code, code);
    ck_assert_int_eq(seen.responses, 1);
    ck_assert_str_eq(seen.got, body);
    ck_assert(seen.is_last);
}

START_TEST(a_get_and_its_answer)
{
    gw_caller c;

    start(NULL);
    c = caller();
    call(&c, "web", NULL);
    ck_assert_str_eq(mode1_upstream(&host)->out, "GET /x?y HTTP/1.1\r\nHost: 127.0.0.1:81\r\n\r\n");
    mode1_say(&host, mode1_upstream(&host),
              "HTTP/1.1 200 OK\r\nX-Answer: yes\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    ck_assert_str_eq(seen.got, "abc");
    ck_assert_int_eq(seen.ended, 0);
    mode1_say(&host, mode1_upstream(&host), "1\r\nd\r\n0\r\nX-End: t\r\n\r\n");
    expect_whole(200, "abcd");
    ck_assert_str_eq(seen.field, "yes");
    ck_assert_str_eq(seen.trailer, "t");
    ck_assert_ptr_nonnull(seen.memory);
    stop();
}
END_TEST

START_TEST(a_body_that_is_there)
{
    gw_caller c;
    gw_call_spec spec = GW_SPEC(gw_call_spec);
    const gw_call_field fields[] = { { gw_cstr("Content-Type"), gw_cstr("text/plain") },
                                     { gw_cstr("X-Two"), gw_cstr("2") } };

    start(NULL);
    c = caller();
    spec.method = gw_cstr("POST");
    spec.authority = gw_cstr("example.com");
    spec.target = gw_cstr("/a/../b");
    spec.fields = fields;
    spec.fields_len = 2;
    spec.body = (gw_const_span){ "0123456789", _i == 0 ? 0 : 10 };
    call(&c, "web", &spec);
    ck_assert_ptr_nonnull(
        strstr(mode1_upstream(&host)->out, "POST /b HTTP/1.1\r\nHost: example.com\r\n"));
    ck_assert_ptr_nonnull(strstr(mode1_upstream(&host)->out, "\r\nX-Two: 2\r\n"));
    ck_assert_ptr_nonnull(strstr(mode1_upstream(&host)->out, _i == 0
                                                                 ? "\r\nContent-Length: 0\r\n"
                                                                 : "\r\nContent-Length: 10\r\n"));
    ck_assert(_i == 0 || strstr(mode1_upstream(&host)->out, "\r\n\r\n0123456789") != NULL);
    mode1_say(&host, mode1_upstream(&host), "HTTP/1.1 204 No Content\r\n\r\n");
    expect_whole(204, "");
    stop();
}
END_TEST

/* Each piece after the host's next word, trailers with the end. */
START_TEST(a_body_in_pieces)
{
    gw_caller c;
    struct mode1_link *up;

    start(NULL);
    c = caller();
    c.on_write = on_write;
    plan = (struct plan){ .pieces = { "one", "two" }, .has_trailers = true };
    call(&c, "web", NULL);
    up = mode1_upstream(&host);
    ck_assert_ptr_nonnull(strstr(up->out, "\r\n3\r\none\r\n"));
    ck_assert_ptr_null(strstr(up->out, "two"));
    ck_assert_int_eq(gw_resume(seen.ticket, &seen), GW_OK);
    ck_assert_int_eq(gw_resume(seen.ticket, &seen), GW_ESTATE);
    mode1_pump(&host);
    ck_assert_ptr_nonnull(strstr(up->out, "3\r\ntwo\r\n"));
    ck_assert_int_eq(gw_resume(seen.ticket, &seen), GW_OK);
    mode1_pump(&host);
    ck_assert_ptr_nonnull(strstr(up->out, "0\r\nx-sum: 7\r\n\r\n"));
    ck_assert_int_eq(seen.resumed, 2);
    mode1_say(&host, up, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    expect_whole(200, "ok");
    stop();
}
END_TEST

/* The upstream takes nothing: on_write does not run on and on; and it runs when there is room. */
START_TEST(who_writes_is_told_of_room)
{
    gw_caller c;
    struct mode1_link *up;
    int writes;

    start(NULL);
    c = caller();
    c.on_write = on_write;
    plan.big = 600000;
    host.ignored = "127.0.0.1:81"; /* the connection is not made yet */
    call(&c, "web", NULL);
    ck_assert_int_eq(seen.writes, 1);
    ck_assert_uint_le(seen.written, 262144);
    up = mode1_upstream(&host);
    up->is_slow = true;
    gw_link_connected(up->link, GW_OK, NULL);
    mode1_pump(&host);
    for (writes = seen.writes; seen.written < plan.big; writes = seen.writes) {
        mode1_pump(&host);
        ck_assert_int_eq(seen.writes, writes);
        for (int i = 0; i < 20 && seen.writes == writes; i++)
            mode1_drip(&host, up, 10000);
        ck_assert_int_gt(seen.writes, writes);
    }
    for (int i = 0; i < 100; i++)
        mode1_drip(&host, up, 10000);
    ck_assert_ptr_nonnull(strstr(up->out, "\r\n0\r\n\r\n"));
    mode1_say(&host, up, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    expect_whole(200, "ok");
    stop();
}
END_TEST

/* Bytes that on_read leaves stop the upstream; a word of the host's goes on. */
START_TEST(who_does_not_read_stops_the_upstream)
{
    static char big[300000];
    gw_caller c;
    struct mode1_link *up;
    uint64_t total = 0;

    start(NULL);
    c = caller();
    plan.reads_nothing = true;
    call(&c, "web", NULL);
    up = mode1_upstream(&host);
    mode1_say(&host, up, "HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n");
    memset(big, 'x', sizeof big);
    for (; total < 50000 && (gw_link_want(up->link) & GW_WANT_READ) != 0; total += 1000)
        mode1_feed(&host, up, big, 1000, 0);
    ck_assert_int_eq(seen.ended, 0);
    ck_assert_int_gt(seen.reads, 0);
    plan.reads_nothing = false;
    ck_assert_int_eq(gw_resume(seen.ticket, &seen), GW_OK);
    mode1_pump(&host);
    ck_assert_uint_eq(seen.got_len, total);
    if (total < 50000)
        mode1_feed(&host, up, big, (size_t)(50000 - total), 0);
    ck_assert_uint_eq(seen.got_len, 50000);
    ck_assert_uint_eq(seen.cause.by, GW_BY_NONE);
    stop();
}
END_TEST

/* Held until it is whole, in a pool with nothing to spare; and one byte too many. */
START_TEST(an_answer_that_is_collected)
{
    static char big[40001];
    char head[80];
    gw_call_spec spec = GW_SPEC(gw_call_spec);
    gw_caller c;
    struct mode1_link *up;

    start(NULL);
    c = caller();
    memset(big, 'y', sizeof big);
    spec.answer_max = 40000;
    call(&c, "web", &spec);
    up = mode1_upstream(&host);
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n",
             40000 + (_i == 1));
    mode1_say(&host, up, head);
    ck_assert_int_eq(seen.responses, 1);
    mode1_feed(&host, up, big, 40000, 700);
    ck_assert_int_eq(seen.reads, 0);
    mode1_say(&host, up, _i == 1 ? "y\r\n0\r\n\r\n" : "\r\n0\r\n\r\n");
    if (_i == 0) {
        ck_assert_int_eq(seen.reads, 1);
        ck_assert_uint_eq(seen.got_len, 40000);
        ck_assert_uint_eq(seen.cause.by, GW_BY_NONE);
    } else {
        ck_assert_int_eq(seen.reads, 0);
        ck_assert_uint_eq(seen.cause.by, GW_BY_HOST);
        ck_assert_int_eq(seen.cause.status, GW_ELIMIT);
    }
    stop();
}
END_TEST

/* By route, as a request from no listener would go. */
START_TEST(a_call_by_route)
{
    gw_call_spec spec = GW_SPEC(gw_call_spec);
    gw_caller c;

    start(NULL);
    c = caller();
    spec.target = gw_cstr(_i == 0 ? "/hello" : _i == 1 ? "/web" : "/edge");
    call(&c, "", &spec);
    if (_i == 1)
        mode1_say(&host, mode1_upstream(&host),
                  "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n");
    if (_i < 2) {
        expect_whole(200, "hello\n");
    } else {
        ck_assert_uint_eq(seen.cause.by, GW_BY_GATEWAY);
        ck_assert_int_eq(seen.responses + seen.reads, 0);
    }
    stop();
}
END_TEST

/* The host is both: the same pipes face it both ways. */
START_TEST(a_call_to_an_origin)
{
    gw_caller c;

    start(NULL);
    c = caller();
    c.on_write = on_write;
    if (_i == 0)
        plan.pieces[0] = "one";
    else
        plan.big = 60000;
    call(&c, "echo", NULL);
    if (_i == 0) {
        ck_assert_str_eq(seen.got, "one");
        ck_assert_int_eq(gw_resume(seen.ticket, &seen), GW_OK);
        mode1_pump(&host);
        ck_assert_str_eq(seen.got, "one");
    }
    ck_assert_uint_eq(seen.got_len, _i == 0 ? 3 : 60000);
    ck_assert_uint_eq(seen.code, 201);
    ck_assert_str_eq(seen.field, "echo");
    ck_assert_str_eq(seen.trailer, "echoed");
    ck_assert_uint_eq(seen.cause.by, GW_BY_NONE);
    stop();
}
END_TEST

/* Refused, cut before and within the answer, late, silent: a cause, and no more than what came. */
START_TEST(calls_that_fail)
{
    static const struct {
        const char *said;
        const char *reason;
        uint32_t by;
        int responses;
        bool ends;
        uint32_t after_s;
    } rows[] = {
        { NULL, "upstream_connect_refused", GW_BY_UPSTREAM, 0, false, 0 },
        { "", "upstream_closed", GW_BY_UPSTREAM, 0, true, 0 },
        { "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "upstream_cut", GW_BY_UPSTREAM, 1,
          true, 0 },
        { "garbage\r\n\r\n", "upstream_bad_response", GW_BY_UPSTREAM, 0, false, 0 },
        { "", "upstream_response_timeout", GW_BY_UPSTREAM, 0, false, 16 },
        { "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "request_timeout", GW_BY_HOST, 1,
          false, 31 },
    };
    gw_reason row = GW_SPEC(gw_reason);
    gw_caller c;
    struct mode1_link *up;

    start(NULL);
    c = caller();
    host.refuse = rows[_i].said == NULL;
    call(&c, "web", NULL);
    if (rows[_i].said != NULL) {
        up = mode1_upstream(&host);
        mode1_say(&host, up, rows[_i].said);
        if (rows[_i].ends)
            mode1_end(&host, up);
        host.now += rows[_i].after_s * UINT64_C(1000000000);
        mode1_pump(&host);
    }
    ck_assert_int_eq(seen.ended, 1);
    ck_assert_int_eq(gw_reason_of(seen.cause.reason, &row), GW_OK);
    ck_assert_str_eq(row.name, rows[_i].reason);
    ck_assert_uint_eq(seen.cause.by, rows[_i].by);
    ck_assert_int_eq(seen.responses, rows[_i].responses);
    ck_assert_str_eq(seen.got, rows[_i].responses > 0 ? "abc" : "");
    stop();
}
END_TEST

/* By its id, by a verdict, by the worker's end: told once, and the upstream's connection is not kept. */
START_TEST(calls_that_the_host_ends)
{
    gw_caller c;
    gw_exchange_id id;

    start(NULL);
    c = caller();
    plan.verdict = _i == 1 ? GW_ABORT : GW_NEXT;
    id = call(&c, "web", NULL);
    if (_i == 0) {
        ck_assert_int_eq(gw_worker_cancel(host.worker, id + 1), GW_ESTATE);
        ck_assert_int_eq(gw_worker_cancel(host.worker, id), GW_OK);
        ck_assert_int_eq(gw_worker_cancel(host.worker, id), GW_ESTATE);
        ck_assert_int_eq(seen.ended, 0);
        mode1_pump(&host);
        ck_assert_int_eq(gw_worker_cancel(host.worker, id), GW_ESTATE);
    } else if (_i == 1) {
        mode1_say(&host, mode1_upstream(&host), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    } else {
        ck_assert_int_eq(gw_worker_drain(host.worker, 1), GW_OK);
        mode1_pump(&host);
        ck_assert_int_eq(seen.ended, 0);
        host.now += 2000000;
        mode1_pump(&host);
    }
    ck_assert_int_eq(seen.ended, 1);
    ck_assert_uint_eq(seen.cause.by, _i == 2 ? GW_BY_GATEWAY : GW_BY_HOST);
    ck_assert_int_eq(seen.cause.status, GW_ECANCELED);
    stop();
}
END_TEST

START_TEST(a_worker_is_freed_under_calls)
{
    gw_caller c;

    start(NULL);
    c = caller();
    c.on_write = on_write;
    plan.pieces[0] = "one";
    call(&c, "echo", NULL);
    ck_assert_int_eq(gw_resume(seen.ticket, &seen), GW_OK);
    mode1_stop(&host);
    ck_assert_int_eq(seen.resumed, 1);
    ck_assert_int_eq(seen.ended, 1);
}
END_TEST

/* What cannot be sent is refused before anything is made of it. */
START_TEST(calls_that_are_none)
{
    gw_call_spec good = GW_SPEC(gw_call_spec), spec;
    gw_call_field field = { gw_cstr("Connection"), gw_cstr("close") };
    gw_caller c, odd;

    start(NULL);
    c = caller();
    good.caller = &c;
    good.cluster = gw_cstr("web");
#define REFUSED(field_, value, status)                                                             \
    spec = good;                                                                                   \
    spec.field_ = value;                                                                           \
    ck_assert_int_eq(gw_worker_call(host.worker, &spec, NULL), status)
    REFUSED(cluster, gw_cstr("none"), GW_EUNKNOWN);
    REFUSED(method, gw_cstr("CONNECT"), GW_EINVAL);
    REFUSED(method, gw_cstr("A B"), GW_EINVAL);
    REFUSED(target, gw_cstr("x"), GW_EINVAL);
    REFUSED(target, gw_cstr("/%zz"), GW_EINVAL);
    REFUSED(target, gw_cstr("/ "), GW_EINVAL);
    REFUSED(authority, gw_cstr("a b"), GW_EINVAL);
    REFUSED(retries, 6, GW_EINVAL);
    REFUSED(size, 0, GW_EINVAL);
    REFUSED(answer_max, 1u << 30, GW_EINVAL);
    REFUSED(body, ((gw_const_span){ NULL, 1 }), GW_EINVAL);
    REFUSED(fields_len, 1, GW_EINVAL);
    good.fields = &field;
    REFUSED(fields_len, 1, GW_EINVAL);
    odd = c;
    odd.on_write = on_write;
    good.body = (gw_const_span){ "x", 1 };
    REFUSED(caller, &odd, GW_EINVAL);
    odd = c;
    odd.exchange_bytes = 16640; /* a block has not so much room */
    REFUSED(caller, &odd, GW_EINVAL);
    odd.exchange_bytes = UINT32_MAX;
    REFUSED(caller, &odd, GW_EINVAL);
    ck_assert_int_eq(gw_worker_call(NULL, &good, NULL), GW_EINVAL);
    ck_assert_int_eq(gw_worker_cancel(host.worker, 1), GW_ESTATE);
    ck_assert_int_eq(gw_worker_cancel(NULL, 1), GW_EINVAL);
    ck_assert(gw_worker_is_idle(host.worker));
    mode1_stop(&host);
    ck_assert_int_eq(seen.ended, 0);
}
END_TEST

/* A pool that is promised away refuses, and what was promised is there. */
START_TEST(calls_are_admitted)
{
    gw_limits limits = GW_SPEC(gw_limits);
    gw_call_spec spec = GW_SPEC(gw_call_spec);
    gw_caller c;
    int n = 0;

    limits.blocks_max = _i == 0 ? 64 : 0;
    limits.exchanges_max = _i == 1 ? 3 : 0;
    start(&limits);
    c = caller();
    c.on_end = NULL;
    spec.caller = &c;
    spec.cluster = gw_cstr("web");
    spec.answer_max = 16640;
    while (gw_worker_call(host.worker, &spec, NULL) == GW_OK)
        n++;
    ck_assert_int_eq(gw_worker_call(host.worker, &spec, NULL), GW_ELIMIT);
    ck_assert_int_eq(n, _i == 0 ? 64 / 6 : 3);
    mode1_stop(&host);
}
END_TEST

/* Every allocation of a call fails in turn: it is refused, or told how it ended, once. */
START_TEST(calls_without_memory)
{
    uint64_t k = 0;

    for (bool was_refused = true; was_refused;) {
        gw_call_spec spec = GW_SPEC(gw_call_spec);
        gw_caller c;
        gw_status status;
        start(NULL);
        c = caller();
        spec.caller = &c;
        spec.cluster = gw_cstr("web");
        spec.body = (gw_const_span){ "body", 4 };
        test_alloc_restart(&host.alloc);
        host.alloc.fail_at = ++k;
        status = gw_worker_call(host.worker, &spec, NULL);
        if (status == GW_OK) {
            mode1_pump(&host);
            for (int i = 0; i < host.count; i++)
                if (host.links[i].is_upstream && host.links[i].link != NULL)
                    mode1_say(&host, &host.links[i],
                              "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        } else {
            ck_assert_int_eq(status, GW_ENOMEM);
        }
        was_refused = host.alloc.failed > 0;
        if (!was_refused)
            expect_whole(200, "ok");
        mode1_stop(&host);
        ck_assert_int_eq(seen.ended, status == GW_OK);
    }
    ck_assert_uint_gt(k, 4);
}
END_TEST

/* The answer before the request has ended: it is given, and the rest of the request is nobody's. */
START_TEST(an_early_answer)
{
    gw_caller c;
    struct mode1_link *up;

    start(NULL);
    c = caller();
    c.on_write = on_write;
    plan.pieces[0] = "one";
    call(&c, "web", NULL);
    up = mode1_upstream(&host);
    mode1_say(&host, up, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno\n");
    expect_whole(413, "no\n");
    stop();
}
END_TEST

/* A hook of one call begins the next. */
static int chained;
static gw_verdict chain(void *ctx, gw_exchange *x)
{
    gw_call_spec spec = GW_SPEC(gw_call_spec);
    gw_caller c = caller();

    (void)ctx;
    c.on_response = ++chained < 3 ? chain : on_response;
    c.on_end = chained < 3 ? NULL : on_end;
    spec.caller = &c;
    spec.cluster = gw_cstr("echo");
    ck_assert_int_eq(gw_worker_call(gw_exchange_worker(x), &spec, NULL), GW_OK);
    return GW_NEXT;
}

START_TEST(calls_from_hooks)
{
    gw_caller c;

    start(NULL);
    chained = 0;
    c = caller();
    c.on_response = chain;
    c.on_end = NULL;
    call(&c, "echo", NULL);
    ck_assert_int_eq(chained, 3);
    expect_whole(201, "");
    stop();
}
END_TEST

static Suite *call_suite(void)
{
    Suite *s = suite_create("call");

    check_add(s, a_get_and_its_answer);
    check_add_loop(s, a_body_that_is_there, 0, 2);
    check_add(s, a_body_in_pieces);
    check_add(s, who_writes_is_told_of_room);
    check_add(s, who_does_not_read_stops_the_upstream);
    check_add_loop(s, an_answer_that_is_collected, 0, 2);
    check_add_loop(s, a_call_by_route, 0, 3);
    check_add_loop(s, a_call_to_an_origin, 0, 2);
    check_add_loop(s, calls_that_fail, 0, 6);
    check_add_loop(s, calls_that_the_host_ends, 0, 3);
    check_add(s, a_worker_is_freed_under_calls);
    check_add(s, calls_that_are_none);
    check_add_loop(s, calls_are_admitted, 0, 2);
    check_add(s, calls_without_memory);
    check_add(s, an_early_answer);
    check_add(s, calls_from_hooks);
    return s;
}

CHECK_MAIN(call_suite)
