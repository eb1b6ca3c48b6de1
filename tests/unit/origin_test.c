/* unit/origin_test.c: the host as upstream, in every protocol: its own calls ask its own origin, straight or
 * over two of its own connections, which are joined here by hand. Bodies both ways in pieces, written or
 * lent, slow, cut and given up on either side. */

#include "check_main.h"
#include "gw_features.h"
#include "parts.h"

enum { STRAIGHT, OVER_H1, OVER_H2, OVER_GRPC, WAYS };
static const int ways = GW_HAVE_H2 ? WAYS : OVER_H2;

static struct mode1 host;
static struct mode1_link *near, *far; /* the call's connection, and the origin's to it */

enum { PIECE = 3000, PIECES = 64 };
static char page[PIECE];

/* What the two are to do. */
static struct plan {
    size_t asked, answered; /* body bytes                                  */
    bool lends, waits, early;
    bool origin_reads_not, caller_reads_not;
    size_t abort_at; /* the origin gives up when it has given so many; 0: never */
} plan;

static struct side {
    size_t given, got;
    int hooks, ended, resumed, lent, done;
    bool saw_end;
    gw_cause cause;
    gw_ticket ticket;
    gw_pipe *in, *out;
    void *memory;
    uint32_t code;
    char trailer[16];
} asks, answers;

/* ---- both ---- */

static void count_done(void *ctx, void *object)
{
    struct side *s = ctx;

    ck_assert_ptr_eq(object, page);
    s->done++;
}

/* As much as there is room for. True: all of it is given. */
static bool give(struct side *s, gw_pipe *p, size_t len)
{
    while (s->given < len && gw_pipe_room(p) > 0) {
        size_t n = len - s->given < PIECE ? len - s->given : PIECE;
        if (plan.lends) {
            gw_status status = gw_pipe_lend(p, (gw_const_span){ page, n }, count_done, s, page);
            if (status == GW_ENOMEM)
                return false;
            if (status == GW_ELIMIT)
                n = gw_pipe_write(p, page, n);
            else
                ck_assert_int_eq(status, GW_OK);
            s->lent += status == GW_OK;
        } else {
            n = gw_pipe_write(p, page, n);
        }
        if (n == 0)
            return false;
        s->given += n;
    }
    if (plan.lends && s->given < len)
        ck_assert_int_eq(gw_pipe_lend(p, (gw_const_span){ page, 1 }, NULL, NULL, NULL), GW_AGAIN);
    return s->given == len;
}

static void take(struct side *s, gw_pipe *p)
{
    gw_const_span spans[4];
    size_t n;

    while ((n = gw_pipe_peek(p, spans, 4)) > 0) {
        for (size_t i = 0; i < n; i++) {
            ck_assert_int_eq(gw_pipe_drop(p, spans[i].len), GW_OK);
            s->got += spans[i].len;
        }
    }
    s->saw_end = gw_pipe_is_last(p);
}

static void end(gw_exchange *x, gw_pipe *p, uint32_t which, const char *word)
{
    gw_message *trailers = gw_exchange_trailers(x, which);

    ck_assert_int_eq(gw_message_add_field(trailers, gw_cstr("x-word"), gw_cstr(word)), GW_OK);
    if (which == GW_SIDE_RESPONSE)
        ck_assert_int_eq(gw_message_add_field(trailers, gw_cstr("grpc-status"), gw_cstr("0")),
                         GW_OK);
    ck_assert_int_eq(gw_pipe_end(p), GW_OK);
    ck_assert_int_eq(gw_pipe_end(p), GW_ESTATE);
    ck_assert_int_eq(gw_pipe_lend(p, (gw_const_span){ page, 1 }, NULL, NULL, NULL), GW_ESTATE);
}

static void read_word(struct side *s, gw_exchange *x, uint32_t which)
{
    gw_str word = gw_message_field(gw_exchange_trailers(x, which), gw_cstr("x-word"));

    snprintf(s->trailer, sizeof s->trailer, "%.*s", (int)word.len, word.len > 0 ? word.ptr : "");
}

static void see_end(void *ctx, const gw_exchange *x)
{
    struct side *s = ctx;

    s->ended++;
    s->cause = gw_exchange_cause(x);
}

/* ---- who answers ---- */

static gw_verdict begin_answer(gw_exchange *x)
{
    ck_assert_int_eq(gw_exchange_respond(x, 200), GW_OK);
    ck_assert_int_eq(gw_exchange_respond(x, 200), GW_ESTATE);
    ck_assert_int_eq(gw_exchange_inform(x, 103, NULL), GW_ESTATE);
    return gw_message_add_field(gw_exchange_response(x), gw_cstr("content-type"),
                                gw_cstr("application/grpc")) == GW_OK
               ? GW_NEXT
               : GW_ABORT;
}

static gw_verdict answer_request(void *ctx, gw_exchange *x)
{
    ck_assert_ptr_eq(ctx, &answers);
    answers.hooks++;
    answers.memory = gw_exchange_memory(x);
    answers.ticket = gw_exchange_wait(x);
    return plan.waits ? GW_WAIT : begin_answer(x);
}

static gw_verdict answer_read(void *ctx, gw_exchange *x, gw_pipe *p)
{
    (void)ctx;
    answers.hooks++;
    answers.in = p;
    answers.ticket = gw_exchange_wait(x);
    ck_assert_int_eq(gw_pipe_lend(p, (gw_const_span){ page, 1 }, NULL, NULL, NULL), GW_EINVAL);
    if (plan.origin_reads_not)
        return GW_WAIT;
    take(&answers, p);
    if (answers.saw_end)
        read_word(&answers, x, GW_SIDE_REQUEST);
    return GW_NEXT;
}

static gw_verdict answer_write(void *ctx, gw_exchange *x, gw_pipe *p)
{
    size_t len = plan.abort_at > 0 ? plan.abort_at : plan.answered;

    (void)ctx;
    answers.hooks++;
    answers.out = p;
    if (gw_exchange_response(x) == NULL || (!plan.early && !answers.saw_end))
        return GW_WAIT;
    if (!give(&answers, p, len))
        return GW_WAIT;
    if (plan.abort_at > 0)
        return asks.got < len ? GW_WAIT : GW_ABORT;
    if (!gw_pipe_is_last(p))
        end(x, p, GW_SIDE_RESPONSE, "answered");
    return GW_NEXT;
}

static gw_verdict answer_resume(void *ctx, gw_exchange *x, uint32_t side, void *answer)
{
    (void)ctx;
    ck_assert_uint_eq(side, GW_SIDE_RESPONSE);
    ck_assert_int_eq(answers.ended, 0);
    answers.resumed++;
    if (answer == NULL)
        return GW_ABORT;
    return gw_exchange_response(x) == NULL ? begin_answer(x) : GW_NEXT;
}

/* ---- who asks ---- */

static gw_verdict ask_write(void *ctx, gw_exchange *x, gw_pipe *p)
{
    (void)ctx;
    asks.hooks++;
    asks.out = p;
    if (!give(&asks, p, plan.asked))
        return GW_WAIT;
    end(x, p, GW_SIDE_REQUEST, "asked");
    return GW_NEXT;
}

static gw_verdict ask_response(void *ctx, gw_exchange *x)
{
    (void)ctx;
    asks.code = gw_message_code(gw_exchange_response(x));
    return GW_NEXT;
}

static gw_verdict ask_read(void *ctx, gw_exchange *x, gw_pipe *p)
{
    (void)ctx;
    asks.hooks++;
    asks.in = p;
    asks.ticket = gw_exchange_wait(x);
    if (plan.caller_reads_not)
        return GW_WAIT;
    take(&asks, p);
    if (asks.saw_end)
        read_word(&asks, x, GW_SIDE_RESPONSE);
    return GW_NEXT;
}

static gw_verdict ask_resume(void *ctx, gw_exchange *x, uint32_t side, void *answer)
{
    (void)ctx;
    (void)x;
    (void)answer;
    ck_assert_uint_eq(side, GW_SIDE_REQUEST);
    asks.resumed++;
    return GW_NEXT;
}

/* ---- a filter that answers in pieces ---- */

enum { SERVES_NOT, SERVES_AT_ONCE, SERVES_BY_ROUTE, SERVES_RESUMED, SERVES_IN_VAIN };
static int serves, filter_ended;
static void *filter_memory;

static gw_origin answering(void)
{
    gw_origin origin = GW_SPEC(gw_origin);

    origin.name = "self";
    origin.ctx = &answers;
    origin.on_request = answer_request;
    origin.on_read = answer_read;
    origin.on_write = answer_write;
    origin.on_resume = answer_resume;
    origin.on_end = see_end;
    return origin;
}

static gw_verdict serve(gw_exchange *x)
{
    gw_origin origin = answering(), none = { 0 };

    origin.ctx = NULL; /* it is the filter's that counts */
    filter_memory = gw_exchange_memory(x);
    ck_assert_ptr_nonnull(filter_memory);
    ck_assert_int_eq(gw_exchange_serve(x, &none), GW_EINVAL);
    ck_assert_int_eq(gw_exchange_serve(x, &origin), GW_OK);
    ck_assert_int_eq(gw_exchange_respond(x, 200), GW_ESTATE); /* not yet an origin's hook */
    return serves == SERVES_IN_VAIN ? GW_NEXT : GW_REPLY;
}

static gw_verdict filter_request(void *ctx, gw_exchange *x)
{
    ck_assert_ptr_eq(ctx, &answers);
    if (serves == SERVES_RESUMED) {
        asks.ticket = gw_exchange_wait(x);
        return GW_WAIT;
    }
    return serves == SERVES_AT_ONCE || serves == SERVES_IN_VAIN ? serve(x) : GW_NEXT;
}

static gw_verdict filter_route(void *ctx, gw_exchange *x)
{
    (void)ctx;
    return serves == SERVES_BY_ROUTE ? serve(x) : GW_NEXT;
}

static gw_verdict filter_resume(void *ctx, gw_exchange *x, uint32_t side, void *answer)
{
    (void)ctx;
    (void)side;
    (void)answer;
    return serve(x);
}

static gw_verdict filter_response(void *ctx, gw_exchange *x)
{
    gw_origin origin = answering();

    (void)ctx;
    ck_assert_int_eq(gw_exchange_serve(x, &origin), GW_ESTATE);
    return GW_NEXT;
}

static void filter_end(void *ctx, const gw_exchange *x)
{
    (void)ctx;
    (void)x;
    filter_ended++;
}

static void add_filter(gw_builder *b)
{
    gw_filter filter = GW_SPEC(gw_filter);

    filter.name = "filter";
    filter.ctx = &answers;
    filter.exchange_bytes = 32;
    filter.on_request = filter_request;
    filter.on_route = filter_route;
    filter.on_response = filter_response;
    filter.on_resume = filter_resume;
    filter.on_end = filter_end;
    ck_assert_uint_ne(gw_builder_filter(b, &filter), 0);
    filter_ended = 0;
    filter_memory = NULL;
}

/* ---- the world ---- */

static void add_clusters(gw_builder *b)
{
    gw_origin origin = answering();
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);

    parts_cluster(b, "h1", NULL, "127.0.0.1:81");
    host.ignored = "127.0.0.1:81";
    cluster.protocols = GW_HAVE_H2 ? GW_PROTO_H2 : GW_PROTO_H1;
    parts_cluster(b, "h2", &cluster, "127.0.0.1:81");
    cluster.protocols = 0;
    cluster.origin = &origin;
    parts_cluster(b, "self", &cluster, NULL);
    parts_route(b, "/", NULL, serves == SERVES_NOT || serves == SERVES_IN_VAIN ? "self" : "h1");
    if (serves != SERVES_NOT)
        add_filter(b);
}

static void start(const struct plan *p, const gw_limits *limits)
{
    gw_builder *b;

    plan = *p;
    memset(&host, 0, sizeof host);
    memset(&asks, 0, sizeof asks);
    memset(&answers, 0, sizeof answers);
    near = far = NULL;
    test_alloc_init(&host.alloc);
    b = parts_begin(&host);
    parts_listener(b, "edge");
    add_clusters(b);
    mode1_start(&host, parts_build(b), limits);
}

/* What one end has sent is what the other gets, as far as it takes it. False: nothing moved. */
static bool carry(struct mode1_link *from, struct mode1_link *to)
{
    gw_const_span span;
    gw_span room;
    size_t n;

    if (from->link == NULL || to->link == NULL || gw_link_unsent(from->link, &span, 1) == 0 ||
        (gw_link_want(to->link) & GW_WANT_READ) == 0 || gw_link_room(to->link, &room, 1) == 0)
        return false;
    n = span.len < room.len ? span.len : room.len;
    memcpy(room.ptr, span.ptr, n);
    gw_link_received(to->link, n, GW_OK);
    gw_link_sent(from->link, n, GW_OK);
    mode1_pump(&host);
    return true;
}

static void end_other(struct mode1_link *from, struct mode1_link *to)
{
    if (to == NULL || to->link == NULL || (from->link != NULL && !from->is_shutdown))
        return;
    gw_link_received(to->link, 0, from->link == NULL ? GW_ERESET : GW_EOF);
    mode1_pump(&host);
}

static void pump(void)
{
    mode1_pump(&host);
    if (near == NULL)
        return;
    for (bool moved = true; moved;) {
        moved = carry(near, far);
        moved = carry(far, near) || moved;
    }
    end_other(near, far);
    end_other(far, near);
}

/* The call's connection, which nobody has answered yet, leads to our own listener. False: there is none. */
static bool join(void)
{
    gw_accept_spec accept = GW_SPEC(gw_accept_spec);
    gw_link *link;

    near = NULL;
    for (int i = 0; i < host.count; i++)
        if (host.links[i].is_upstream && host.links[i].link != NULL)
            near = &host.links[i];
    accept.listener = gw_cstr("edge");
    if (near == NULL || gw_worker_accept(host.worker, &accept, &link) != GW_OK) {
        near = NULL;
        return false;
    }
    far = mode1_find(&host, link);
    near->is_slow = far->is_slow = true; /* we carry */
    gw_link_connected(near->link, GW_OK, NULL);
    return true;
}

static gw_exchange_id ask(int way)
{
    const gw_call_field grpc[] = { { gw_cstr("content-type"), gw_cstr("application/grpc") } };
    const char *const clusters[] = { "self", "h1", "h2", "h2" };
    gw_caller c = GW_SPEC(gw_caller);
    gw_call_spec spec = GW_SPEC(gw_call_spec);
    gw_exchange_id id;

    c.ctx = &asks;
    c.on_write = ask_write;
    c.on_response = ask_response;
    c.on_read = ask_read;
    c.on_resume = ask_resume;
    c.on_end = see_end;
    spec.caller = &c;
    spec.cluster = gw_cstr(clusters[way]);
    spec.method = gw_cstr("POST");
    spec.target = gw_cstr("/pkg.Svc/Do");
    spec.fields = grpc;
    spec.fields_len = way == OVER_GRPC;
    ck_assert_int_eq(gw_worker_call(host.worker, &spec, &id), GW_OK);
    mode1_pump(&host);
    if (way != STRAIGHT)
        ck_assert(join());
    pump();
    return id;
}

/* Each told once, nothing is kept that was lent. */
static void stop(void)
{
    mode1_stop(&host);
    ck_assert_int_eq(asks.ended, 1);
    ck_assert_int_eq(answers.ended, 1);
    ck_assert_int_eq(asks.done, asks.lent);
    ck_assert_int_eq(answers.done, answers.lent);
}

static const char *reason(const struct side *s)
{
    gw_reason row = GW_SPEC(gw_reason);

    ck_assert_int_eq(gw_reason_of(s->cause.reason, &row), GW_OK);
    return row.name;
}

static void expect_whole(void)
{
    ck_assert_int_eq(asks.ended, 1);
    ck_assert_int_eq(answers.ended, 1);
    ck_assert_str_eq(reason(&asks), "none");
    ck_assert_str_eq(reason(&answers), "none");
    ck_assert_uint_eq(asks.code, 200);
    ck_assert_uint_eq(answers.got, plan.asked);
    ck_assert_uint_eq(asks.got, plan.answered);
    ck_assert_str_eq(asks.trailer, "answered");
    ck_assert_str_eq(answers.trailer, "asked");
}

/* ---- */

static const size_t sizes[][2] = { { 0, 0 }, { 1, 700000 }, { 700000, 1 }, { 300000, 300000 } };

START_TEST(bodies_and_trailers_both_ways)
{
    int way = _i % WAYS;
    struct plan p = { .asked = sizes[_i / WAYS % 4][0],
                      .answered = sizes[_i / WAYS % 4][1],
                      .lends = _i / WAYS >= 4 };

    if (way >= ways)
        return;
    start(&p, NULL);
    ask(way);
    expect_whole();
    ck_assert_int_eq(p.lends && p.answered > 0, answers.lent > 0);
    ck_assert_int_eq(answers.done, answers.lent); /* not only at the end */
    stop();
}
END_TEST

/* Its hooks run with the filter's own ctx and memory; the request goes nowhere else. A serve that is not
 * given after all is forgotten. */
START_TEST(a_filter_that_answers_in_pieces)
{
    int way = OVER_H1 + _i % (WAYS - 1);
    struct plan p = { .asked = 300000, .answered = 300000 };

    if (way >= ways)
        return;
    serves = 1 + _i / (WAYS - 1);
    start(&p, NULL);
    ask(way);
    if (serves == SERVES_RESUMED) {
        ck_assert_int_eq(answers.hooks, 0);
        ck_assert_int_eq(gw_resume(asks.ticket, &plan), GW_OK);
        pump();
    }
    expect_whole();
    ck_assert_int_eq(filter_ended, 1);
    ck_assert_ptr_eq(answers.memory, serves == SERVES_IN_VAIN ? NULL : filter_memory);
    stop();
}
END_TEST

/* A pool with room for one more exchange than these two: pieces pass all the same. */
START_TEST(bodies_through_a_small_pool)
{
    int way = _i % WAYS;
    gw_limits limits = GW_SPEC(gw_limits);
    struct plan p = { .asked = 300000, .answered = 300000, .lends = _i >= WAYS };

    if (way >= ways)
        return;
    limits.blocks_max = 40;
    start(&p, &limits);
    ask(way);
    expect_whole();
    stop();
}
END_TEST

/* The answer comes when another thread says so. */
START_TEST(an_answer_that_waits)
{
    struct plan p = { .asked = 10, .answered = 10, .waits = true };

    if (_i >= ways)
        return;
    start(&p, NULL);
    ask(_i);
    ck_assert_int_eq(asks.code, 0);
    ck_assert_int_eq(gw_resume(answers.ticket, &plan), GW_OK);
    pump();
    ck_assert_int_eq(answers.resumed, 1);
    expect_whole();
    stop();
}
END_TEST

/* Who does not read stops the other, at about what pipes and connections hold; and no hook runs on and on
 * meanwhile. Then it reads on. */
START_TEST(who_does_not_read_stops_the_other)
{
    int way = _i % WAYS;
    bool is_answer = _i >= WAYS;
    struct plan p = { .asked = is_answer ? 0 : 3000000,
                      .answered = is_answer ? 3000000 : 0,
                      .origin_reads_not = !is_answer,
                      .caller_reads_not = is_answer };
    struct side *reads = is_answer ? &asks : &answers, *writes = is_answer ? &answers : &asks;
    int hooks;

    if (way >= ways)
        return;
    start(&p, NULL);
    ask(way);
    ck_assert_uint_gt(writes->given, 0);
    ck_assert_uint_lt(writes->given, 1500000);
    hooks = asks.hooks + answers.hooks;
    for (int i = 0; i < 100; i++)
        pump();
    ck_assert_int_eq(asks.hooks + answers.hooks, hooks);
    plan.origin_reads_not = plan.caller_reads_not = false;
    ck_assert_int_eq(gw_resume(reads->ticket, &plan), GW_OK);
    pump();
    expect_whole();
    stop();
}
END_TEST

/* Before the request has ended: the answer is whole, and what is left of the request is nobody's. */
START_TEST(an_early_answer)
{
    struct plan p = { .asked = 3000000, .answered = 100, .early = true, .origin_reads_not = true };

    if (_i >= ways)
        return;
    start(&p, NULL);
    ask(_i);
    ck_assert_uint_eq(asks.code, 200);
    ck_assert_uint_eq(asks.got, 100);
    ck_assert_str_eq(asks.trailer, "answered");
    ck_assert_str_eq(reason(&answers), "none");
    ck_assert_uint_lt(asks.given, 3000000);
    stop();
}
END_TEST

/* The origin gives up: before its answer 502, in the midst a cut that cannot be taken for an end; a gRPC
 * client is told ABORTED either way. */
START_TEST(an_origin_gives_up)
{
    int way = _i % WAYS;
    bool is_late = _i >= WAYS;
    struct plan p = { .asked = 10,
                      .answered = 100000,
                      .lends = true,
                      .waits = !is_late,
                      .abort_at = is_late ? 50000 : 0 };

    if (way >= ways)
        return;
    start(&p, NULL);
    ask(way);
    if (!is_late) {
        ck_assert_int_eq(answers.ended, 0);
        ck_assert_int_eq(gw_resume(answers.ticket, NULL), GW_OK);
        pump();
    }
    /* The first write left it all in; the next hook comes with the room. */
    if (is_late && answers.ended == 0)
        ck_assert_int_eq(gw_resume(answers.ticket, NULL), GW_OK);
    pump();
    ck_assert_str_eq(reason(&answers), "host_abort");
    ck_assert_int_eq(answers.cause.by, GW_BY_HOST);
    if (way == OVER_GRPC) {
        ck_assert_uint_eq(asks.code, 200);
        ck_assert_str_eq(reason(&asks), "none");
        ck_assert_str_eq(asks.trailer, "");
    } else if (!is_late) {
        ck_assert_uint_eq(asks.code, way == STRAIGHT ? 0 : 502);
    } else {
        ck_assert_str_eq(reason(&asks), way == STRAIGHT  ? "host_abort"
                                        : way == OVER_H1 ? "upstream_cut"
                                                         : "upstream_reset");
        ck_assert(!asks.saw_end);
    }
    stop();
}
END_TEST

/* The client goes away, in the midst of its body or of the answer: the origin is told, once. */
START_TEST(a_client_goes_away)
{
    int way = _i % WAYS;
    bool is_answering = _i >= WAYS;
    struct plan p = { .asked = 500000,
                      .answered = 900000,
                      .lends = true,
                      .early = is_answering,
                      .origin_reads_not = true,
                      .caller_reads_not = true };
    gw_exchange_id id;

    if (way >= ways)
        return;
    start(&p, NULL);
    id = ask(way);
    ck_assert_int_eq(asks.ended + answers.ended, 0);
    ck_assert_int_eq(gw_worker_cancel(host.worker, id), GW_OK);
    pump();
    ck_assert_int_eq(asks.ended, 1);
    ck_assert_str_eq(reason(&asks), "host_abort");
    for (int i = 0; i < 3;
         i++) { /* what nobody takes of the request is given up with its connection */
        host.now += GW_MS(6000);
        pump();
    }
    ck_assert_int_eq(answers.ended, 1);
    ck_assert_uint_eq(answers.cause.by, way == STRAIGHT ? GW_BY_HOST : GW_BY_CLIENT);
    stop();
}
END_TEST

/* What was lent comes back in a worker's end, too; and the call's and the origin's end are told. */
START_TEST(a_worker_is_freed_in_the_midst)
{
    struct plan p = { .asked = 500000,
                      .answered = 900000,
                      .lends = true,
                      .early = true,
                      .origin_reads_not = true,
                      .caller_reads_not = true };

    if (_i >= ways)
        return;
    start(&p, NULL);
    ask(_i);
    ck_assert_int_gt(answers.lent, answers.done);
    stop();
}
END_TEST

/* Every allocation fails in turn: both are told once, and what was lent comes back. */
START_TEST(without_memory)
{
    struct plan p = { .asked = 20000, .answered = 20000, .lends = true };

    if (_i >= ways)
        return;
    for (uint64_t k = 1;; k++) {
        gw_call_spec spec = GW_SPEC(gw_call_spec);
        start(&p, NULL);
        (void)spec;
        mode1_pump(&host);
        test_alloc_restart(&host.alloc);
        host.alloc.fail_at = k;
        gw_caller c = GW_SPEC(gw_caller);
        c.ctx = &asks;
        c.on_write = ask_write;
        c.on_response = ask_response;
        c.on_read = ask_read;
        c.on_end = see_end;
        spec.caller = &c;
        spec.cluster = gw_cstr(_i == STRAIGHT ? "self" : _i == OVER_H1 ? "h1" : "h2");
        spec.method = gw_cstr("POST");
        int taken = gw_worker_call(host.worker, &spec, NULL) == GW_OK;
        mode1_pump(&host);
        if (_i != STRAIGHT)
            (void)join();
        pump();
        for (int i = 0; i < 40 && asks.ended == 0;
             i++) { /* what starved asks again after a while */
            host.now += GW_MS(1000);
            pump();
        }
        bool was_refused = host.alloc.failed > 0;
        if (!was_refused)
            expect_whole();
        mode1_stop(&host);
        ck_assert_int_eq(asks.ended, taken);
        ck_assert_int_le(answers.ended, 2); /* a try that failed may be followed by another */
        ck_assert_int_eq(asks.done, asks.lent);
        ck_assert_int_eq(answers.done, answers.lent);
        if (!was_refused)
            break;
    }
}
END_TEST

/* ---- informational responses ---- */

static gw_verdict inform(void *ctx, gw_exchange *x)
{
    gw_message *m = NULL;

    (void)ctx;
    ck_assert_int_eq(gw_exchange_inform(x, 101, NULL), GW_EINVAL);
    ck_assert_int_eq(gw_exchange_inform(x, 200, NULL), GW_EINVAL);
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(gw_exchange_inform(x, i == 0 ? 103 : 102, &m), GW_OK);
        ck_assert_int_eq(gw_message_set_code(m, 200), GW_EINVAL);
        if (i == 0)
            ck_assert_int_eq(gw_message_add_field(m, gw_cstr("Link"), gw_cstr("</a>")), GW_OK);
    }
    ck_assert_int_eq(gw_exchange_inform(x, 102, NULL), GW_ELIMIT);
    ck_assert_int_eq(gw_exchange_respond(x, 204), GW_OK);
    return GW_NEXT;
}

static gw_verdict just_end(void *ctx, gw_exchange *x, gw_pipe *p)
{
    (void)ctx;
    (void)x;
    return gw_pipe_end(p) == GW_OK ? GW_NEXT : GW_ABORT;
}

/* Told to HTTP/1.1, and not to 1.0; not to a call. */
START_TEST(informational_responses)
{
    gw_builder *b;
    gw_origin origin = GW_SPEC(gw_origin);
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);
    struct mode1_link *client;

    memset(&host, 0, sizeof host);
    test_alloc_init(&host.alloc);
    b = parts_begin(&host);
    parts_listener(b, "edge");
    origin.on_request = inform;
    origin.on_write = just_end;
    cluster.origin = &origin;
    parts_cluster(b, "self", &cluster, NULL);
    parts_route(b, "/", NULL, "self");
    mode1_start(&host, parts_build(b), NULL);
    client = mode1_accept(&host, "edge");
    mode1_say(&host, client,
              _i == 0 ? "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                        "Content-Length: 1\r\n\r\n"
                      : "GET / HTTP/1.0\r\n\r\n");
    if (_i == 0) {
        ck_assert_ptr_eq(strstr(client->out, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
                         client->out);
        ck_assert_ptr_nonnull(strstr(client->out, "\r\n\r\nHTTP/1.1 102"));
    } else {
        ck_assert_ptr_null(strstr(client->out, "HTTP/1.1 10"));
    }
    ck_assert_ptr_null(strstr(client->out, "HTTP/1.1 100"));
    ck_assert_ptr_nonnull(strstr(client->out, " 204 No Content\r\n"));
    mode1_stop(&host);
}
END_TEST

static Suite *origin_suite(void)
{
    Suite *s = suite_create("origin");

    check_add_loop(s, bodies_and_trailers_both_ways, 0, 8 * WAYS);
    check_add_loop(s, a_filter_that_answers_in_pieces, 0, 4 * (WAYS - 1));
    check_add_loop(s, bodies_through_a_small_pool, 0, 2 * WAYS);
    check_add_loop(s, an_answer_that_waits, 0, WAYS);
    check_add_loop(s, who_does_not_read_stops_the_other, 0, 2 * WAYS);
    check_add_loop(s, an_early_answer, 0, WAYS);
    check_add_loop(s, an_origin_gives_up, 0, 2 * WAYS);
    check_add_loop(s, a_client_goes_away, 0, 2 * WAYS);
    check_add_loop(s, a_worker_is_freed_in_the_midst, 0, WAYS);
    check_add_loop(s, without_memory, 0, OVER_GRPC);
    check_add_loop(s, informational_responses, 0, 2);
    return s;
}

CHECK_MAIN(origin_suite)
