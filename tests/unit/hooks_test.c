/* unit/hooks_test.c: hooks that wait: filters and hosts as upstreams, resumed with every verdict, early,
 * late, twice, or never; and drains that do not wait for them. */

#include "check_main.h"
#include "parts.h"
#include "worker_suites.h"

enum { ASKED_WAIT, ASKED_TWICE, ASKED_EARLY, ASKED_NOT };

static struct mode1 host;

/* What the hooks are to do, and what they saw. */
static struct {
    int asks;           /* ASKED_* */
    bool replies_first; /* a reply is made, and not given */
    gw_verdict verdict; /* of on_resume */
    gw_ticket ticket;
    int requests, resumed, ended;
    void *answer;
    bool ended_before;
    gw_cause cause;
} hook;

static const char get[] = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";

static void reply(gw_exchange *x, const char *body)
{
    gw_reply r = GW_SPEC(gw_reply);

    r.code = 418;
    r.body = gw_cstr(body);
    ck_assert_int_eq(gw_exchange_reply(x, &r), GW_OK);
}

static gw_verdict wait_for(gw_exchange *x)
{
    gw_ticket again;

    hook.ticket = gw_exchange_wait(x);
    ck_assert_ptr_nonnull(hook.ticket.worker);
    again = gw_exchange_wait(x); /* the same wait */
    ck_assert_uint_eq(again.slot, hook.ticket.slot);
    ck_assert_uint_eq(again.turn, hook.ticket.turn);
    return GW_WAIT;
}

static gw_verdict on_request(void *ctx, gw_exchange *x)
{
    (void)ctx;
    hook.requests++;
    if (hook.replies_first)
        reply(x, "never");
    if (hook.asks == ASKED_NOT)
        return GW_NEXT;
    (void)wait_for(x);
    if (hook.asks == ASKED_EARLY)
        ck_assert_int_eq(gw_resume(hook.ticket, &hook), GW_OK);
    return GW_WAIT;
}

static gw_verdict on_resume(void *ctx, gw_exchange *x, uint32_t side, void *answer)
{
    (void)ctx;
    ck_assert_uint_eq(side, GW_SIDE_REQUEST);
    hook.resumed++;
    hook.answer = answer;
    hook.ended_before = hook.ended > 0;
    if (hook.asks == ASKED_TWICE && hook.resumed == 1)
        return wait_for(x);
    if (hook.verdict == GW_REPLY && hook.ended == 0)
        reply(x, "teapot\n");
    return hook.verdict;
}

static void on_end(void *ctx, const gw_exchange *x)
{
    (void)ctx;
    hook.ended++;
    hook.cause = gw_exchange_cause(x);
}

static void start(gw_builder *b)
{
    gw_filter filter = GW_SPEC(gw_filter);

    filter.name = "hooks";
    filter.on_request = on_request;
    filter.on_resume = on_resume;
    filter.on_end = on_end;
    ck_assert_uint_ne(gw_builder_filter(b, &filter), 0);
    mode1_start(&host, parts_build(b), NULL);
}

static gw_builder *begin(void)
{
    gw_builder *b;

    memset(&host, 0, sizeof host);
    memset(&hook, 0, sizeof hook);
    test_alloc_init(&host.alloc);
    b = parts_begin(&host);
    parts_listener(b, "edge");
    return b;
}

static struct mode1_link *start_plain(void)
{
    gw_builder *b = begin();
    gw_route_spec route = GW_SPEC(gw_route_spec);

    route.reply_code = 200;
    route.reply_body = gw_cstr("routed\n");
    parts_route(b, "/", &route, NULL);
    start(b);
    return mode1_accept(&host, "edge");
}

static void resume_and_pump(void)
{
    ck_assert_int_eq(gw_resume(hook.ticket, &host), GW_OK);
    ck_assert_int_eq(gw_resume(hook.ticket, &hook), GW_ESTATE); /* once */
    mode1_pump(&host);
}

START_TEST(a_filter_is_resumed)
{
    static const struct {
        gw_verdict verdict;
        const char *said; /* NULL: the client is cut off */
        uint32_t by;
    } rows[] = {
        { GW_NEXT, "routed\n", GW_BY_NONE },
        { GW_REPLY, "teapot\n", GW_BY_NONE },
        { GW_ABORT, NULL, GW_BY_HOST },
        { GW_WAIT, NULL, GW_BY_HOST }, /* without a ticket */
    };
    struct mode1_link *l = start_plain();

    hook.verdict = rows[_i % 4].verdict;
    hook.asks = _i < 4 ? ASKED_WAIT : _i < 8 ? ASKED_TWICE : ASKED_EARLY;
    mode1_say(&host, l, get);
    if (hook.asks != ASKED_EARLY) {
        ck_assert_int_eq(hook.resumed, 0);
        ck_assert_uint_eq(l->out_len, 0);
        resume_and_pump();
    }
    if (hook.asks == ASKED_TWICE) {
        ck_assert_int_eq(hook.ended, 0);
        resume_and_pump();
    }
    ck_assert_int_eq(hook.resumed, hook.asks == ASKED_TWICE ? 2 : 1);
    ck_assert_ptr_eq(hook.answer, hook.asks == ASKED_EARLY ? (void *)&hook : (void *)&host);
    ck_assert_int_eq(hook.ended, 1);
    ck_assert_uint_eq(hook.cause.by, rows[_i % 4].by);
    if (rows[_i % 4].said != NULL)
        ck_assert_ptr_nonnull(strstr(l->out, rows[_i % 4].said));
    ck_assert_int_eq(gw_resume(hook.ticket, NULL), GW_ESTATE);
    mode1_stop(&host);
}
END_TEST

START_TEST(a_reply_that_is_not_given_is_forgotten)
{
    struct mode1_link *l = start_plain();

    hook.asks = ASKED_NOT;
    hook.replies_first = true;
    mode1_say(&host, l, get);
    ck_assert_ptr_nonnull(strstr(l->out, "routed\n"));
    ck_assert_ptr_null(strstr(l->out, "never"));
    mode1_stop(&host);
}
END_TEST

/* 0: nobody answers any more; 1: the answer is on its way, and comes before the end. */
START_TEST(a_client_leaves_who_is_waited_for)
{
    struct mode1_link *l = start_plain();

    mode1_say(&host, l, get);
    if (_i == 1)
        ck_assert_int_eq(gw_resume(hook.ticket, &host), GW_OK);
    gw_link_received(l->link, 0, GW_ERESET);
    mode1_pump(&host);
    ck_assert_int_eq(hook.ended, 1);
    ck_assert_int_eq(hook.resumed, _i);
    ck_assert(!hook.ended_before);
    if (_i == 0)
        ck_assert_uint_eq(hook.cause.by, GW_BY_CLIENT);
    ck_assert_int_eq(gw_resume(hook.ticket, &hook), GW_ESTATE);
    mode1_stop(&host);
}
END_TEST

START_TEST(tickets_that_are_none)
{
    struct mode1_link *l = start_plain();
    gw_ticket ticket = { NULL, 0, 0 };

    ck_assert_int_eq(gw_resume(ticket, NULL), GW_EINVAL);
    ticket.worker = host.worker;
    ck_assert_int_eq(gw_resume(ticket, NULL), GW_ESTATE); /* no cell was ever made */
    ticket.slot = UINT32_MAX;
    ck_assert_int_eq(gw_resume(ticket, NULL), GW_EINVAL);
    mode1_say(&host, l, get);
    ticket = hook.ticket;
    ticket.turn++;
    ck_assert_int_eq(gw_resume(ticket, NULL), GW_ESTATE);
    mode1_stop(&host);
    ck_assert_int_eq(hook.ended, 1);
    ck_assert_uint_eq(hook.cause.by, GW_BY_HOST);
}
END_TEST

/* The drain's own deadline ends what a hook holds, and the links. */
START_TEST(a_drain_waits_for_no_hook)
{
    struct mode1_link *l = start_plain();
    gw_reason row = GW_SPEC(gw_reason);

    mode1_say(&host, l, get);
    ck_assert_int_eq(gw_worker_drain(host.worker, 50), GW_OK);
    mode1_pump(&host);
    ck_assert_int_eq(hook.ended, 0);
    host.now += GW_MS(51);
    mode1_pump(&host);
    ck_assert_int_eq(hook.ended, 1);
    ck_assert_int_eq(gw_reason_of(hook.cause.reason, &row), GW_OK);
    ck_assert_str_eq(row.name, "draining");
    host.now += GW_MS(10000);
    mode1_pump(&host);
    ck_assert(gw_worker_is_idle(host.worker));
    mode1_stop(&host);
}
END_TEST

/* ---- the host as upstream ---- */

static struct {
    gw_ticket ticket;
    int resumed;
    size_t got;
} origin;

static gw_verdict origin_request(void *ctx, gw_exchange *x)
{
    (void)ctx;
    origin.ticket = gw_exchange_wait(x);
    ck_assert_ptr_nonnull(origin.ticket.worker);
    return GW_WAIT;
}

static gw_verdict origin_read(void *ctx, gw_exchange *x, gw_pipe *pipe)
{
    gw_const_span span;

    (void)ctx;
    (void)x;
    while (gw_pipe_peek(pipe, &span, 1) == 1) {
        origin.got += span.len;
        ck_assert_int_eq(gw_pipe_drop(pipe, span.len), GW_OK);
    }
    return GW_NEXT;
}

static gw_verdict origin_resume(void *ctx, gw_exchange *x, uint32_t side, void *answer)
{
    (void)ctx;
    (void)x;
    ck_assert_uint_eq(side, GW_SIDE_RESPONSE);
    ck_assert_ptr_eq(answer, &origin);
    ck_assert_int_eq(hook.ended, 0);
    origin.resumed++;
    return GW_NEXT;
}

static gw_verdict origin_write(void *ctx, gw_exchange *x, gw_pipe *pipe)
{
    (void)ctx;
    if (origin.resumed == 0)
        return GW_WAIT;
    ck_assert_int_eq(gw_exchange_respond(x, 200), GW_OK);
    ck_assert_uint_eq(gw_pipe_write(pipe, "late\n", 5), 5);
    ck_assert_int_eq(gw_pipe_end(pipe), GW_OK);
    return GW_NEXT;
}

static struct mode1_link *start_origin(void)
{
    gw_builder *b = begin();
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);
    gw_origin spec = GW_SPEC(gw_origin);

    memset(&origin, 0, sizeof origin);
    hook.asks = ASKED_NOT;
    spec.on_request = origin_request;
    spec.on_read = origin_read;
    spec.on_write = origin_write;
    spec.on_resume = origin_resume;
    cluster.origin = &spec;
    parts_cluster(b, "self", &cluster, NULL);
    parts_route(b, "/", NULL, "self");
    start(b);
    return mode1_accept(&host, "edge");
}

/* A body that is asked for by 100, and an answer that comes late. */
START_TEST(an_origin_is_resumed)
{
    struct mode1_link *l = start_origin();

    mode1_say(&host, l,
              "POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
              "Content-Length: 5\r\n\r\n");
    ck_assert_ptr_nonnull(strstr(l->out, "HTTP/1.1 100 "));
    mode1_say(&host, l, "hello");
    ck_assert_uint_eq(origin.got, 5);
    ck_assert_ptr_null(strstr(l->out, "late"));
    ck_assert_int_eq(gw_resume(origin.ticket, &origin), GW_OK);
    mode1_pump(&host);
    ck_assert_int_eq(origin.resumed, 1);
    ck_assert_ptr_nonnull(strstr(l->out, "late\n"));
    ck_assert_int_eq(hook.ended, 1);
    ck_assert_uint_eq(hook.cause.by, GW_BY_NONE);
    mode1_stop(&host);
}
END_TEST

START_TEST(an_origin_is_resumed_too_late)
{
    struct mode1_link *l = start_origin();

    mode1_say(&host, l, get);
    ck_assert_int_eq(gw_resume(origin.ticket, &origin), GW_OK);
    gw_link_received(l->link, 0, GW_ERESET);
    mode1_pump(&host);
    ck_assert_int_eq(origin.resumed, 1);
    ck_assert_int_eq(hook.ended, 1);
    mode1_stop(&host);
}
END_TEST

Suite *hooks_suite(void)
{
    Suite *suite = suite_create("hooks");

    check_add_loop(suite, a_filter_is_resumed, 0, 12);
    check_add(suite, a_reply_that_is_not_given_is_forgotten);
    check_add_loop(suite, a_client_leaves_who_is_waited_for, 0, 2);
    check_add(suite, tickets_that_are_none);
    check_add(suite, a_drain_waits_for_no_hook);
    check_add(suite, an_origin_is_resumed);
    check_add(suite, an_origin_is_resumed_too_late);
    return suite;
}
