/* unit/misuse_test.c: each row of base/misuse.h, provoked by each call that docs/embedding-contract.md names: what the call answers, the panic hook with the
 * row's words, one line in the log, the counter; and that whoever else is there is served as before. */

#include <pthread.h>

#include <gw/stats.h>

#include "base/misuse.h"
#include "base/poison.h"
#include "check_main.h"
#include "parts.h"

static struct mode1 host;
enum { PANICS_MAX = 64 };
static char panicked[PANICS_MAX][128]; /* "call: text" */
static int panics, lines;
static char logged[256];
static struct mode1_link *client;
static gw_exchange *seen; /* of the last hook that ran */
static gw_ticket ticket;
static gw_verdict verdict, rude_verdict; /* of the filter, of the origin */
static void (*act)(gw_exchange *x);      /* in the filter's on_request, and an origin's */
static int ends;

static const char get_hello[] = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
static const char get_slow[] = "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n";

static void note_panic(void *ctx, const char *call, const char *text)
{
    ck_assert_ptr_eq(ctx, &host);
    ck_assert_int_lt(panics, PANICS_MAX);
    (void)snprintf(panicked[panics++], sizeof panicked[0], "%s: %s", call, text);
}

static void note_line(void *ctx, uint32_t level, const char *event, const char *text)
{
    ck_assert_ptr_eq(ctx, &host);
    if (strcmp(event, "host.misuse") != 0)
        return;
    ck_assert_uint_eq(level, GW_LOG_WARN);
    (void)snprintf(logged, sizeof logged, "%s", text);
    lines++;
}

static gw_verdict on_request(void *ctx, gw_exchange *x)
{
    (void)ctx;
    seen = x;
    if (act != NULL)
        act(x);
    return verdict;
}

static gw_verdict on_resume(void *ctx, gw_exchange *x, uint32_t side, void *answer)
{
    (void)ctx;
    (void)x;
    (void)side;
    (void)answer;
    return verdict == GW_WAIT ? GW_NEXT : verdict;
}

static void on_end(void *ctx, const gw_exchange *x)
{
    (void)ctx;
    (void)x;
    ends++;
}

static gw_verdict on_request_body(void *ctx, gw_exchange *x, gw_pipe *p);
static gw_verdict rude_request(void *ctx, gw_exchange *x);
static gw_verdict rude_read(void *ctx, gw_exchange *x, gw_pipe *p);
static gw_verdict rude_write(void *ctx, gw_exchange *x, gw_pipe *p);

static uint32_t choose_unknown(void *ctx, const gw_choice *c)
{
    (void)ctx;
    return c->candidates;
}

static gw_config *make_config(void)
{
    gw_builder *b = parts_begin(&host);
    gw_route_spec hello = GW_SPEC(gw_route_spec);
    gw_filter filter = GW_SPEC(gw_filter);
    gw_origin origin = GW_SPEC(gw_origin);
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec), chosen = GW_SPEC(gw_cluster_spec);
    gw_balancer balancer = GW_SPEC(gw_balancer);

    parts_listener(b, "edge");
    parts_cluster(b, "web", NULL, "127.0.0.1:81");
    parts_route(b, "/", NULL, "web");
    hello.reply_code = 200;
    hello.reply_body = gw_cstr("hello\n");
    parts_route(b, "/hello", &hello, NULL);
    origin.name = "rude";
    origin.on_request = rude_request;
    origin.on_read = rude_read;
    origin.on_write = rude_write;
    cluster.origin = &origin;
    parts_cluster(b, "rude", &cluster, NULL);
    parts_route(b, "/rude", NULL, "rude");
    balancer.name = "rude";
    balancer.choose = choose_unknown;
    ck_assert_uint_ne(gw_builder_balancer(b, &balancer), 0);
    chosen.balancer = gw_cstr("rude");
    parts_cluster(b, "chosen", &chosen, "127.0.0.1:82");
    parts_route(b, "/chosen", NULL, "chosen");
    filter.name = "rude";
    filter.on_request = on_request;
    filter.body = GW_BODY_REQUEST;
    filter.on_request_body = on_request_body;
    filter.on_resume = on_resume;
    filter.on_end = on_end;
    ck_assert_uint_ne(gw_builder_filter(b, &filter), 0);
    return parts_build(b);
}

static void start(void)
{
    memset(&host, 0, sizeof host);
    test_alloc_init(&host.alloc);
    host.panic = note_panic;
    host.log = note_line;
    host.panic_ctx = host.log_ctx = &host;
    panics = lines = ends = 0;
    act = NULL;
    verdict = rude_verdict = GW_NEXT;
    mode1_start(&host, make_config(), NULL);
    client = mode1_accept(&host, "edge");
    mode1_pump(&host);
}

static bool is_served(void)
{
    struct mode1_link *other = mode1_accept(&host, "edge");

    act = NULL;
    verdict = GW_NEXT;
    mode1_say(&host, other, get_hello);
    return strstr(other->out, "hello\n") != NULL;
}

static uint64_t misuses(void)
{
    uint64_t values[64];
    gw_stat row = GW_SPEC(gw_stat);
    size_t n = gw_stats_read(host.worker, values, 64);

    for (size_t i = 0; i < n && gw_stats_describe(i, &row) == GW_OK; i++)
        if (strcmp(row.name, "host_misuses") == 0)
            return values[i];
    ck_abort_msg("no such statistic");
    return 0;
}

/* ---- how each is done ---- */

static void step_in_hook(gw_exchange *x)
{
    ck_assert_int_eq(gw_worker_step(gw_exchange_worker(x), host.now), GW_ESTATE);
}

static void do_STEP_INSIDE(void)
{
    act = step_in_hook;
    mode1_say(&host, client, get_hello);
}

/* In an operation of a backend that is there for that. */
static void (*act_in_recv)(gw_worker *w);

static gw_status op_connect(void *io, gw_link *l, const gw_destination *target)
{
    (void)io;
    (void)l;
    (void)target;
    return GW_EIO;
}

static gw_status op_recv(void *io, gw_link *l)
{
    (void)io;
    act_in_recv(gw_link_worker(l));
    return GW_OK;
}

static gw_status op_send(void *io, gw_link *l, const gw_const_span *v, size_t n)
{
    (void)io;
    (void)l;
    (void)v;
    (void)n;
    return GW_EIO;
}

static gw_status op_shutdown(void *io, gw_link *l)
{
    (void)io;
    (void)l;
    return GW_EIO;
}

static void op_close(void *io, gw_link *l)
{
    (void)io;
    gw_link_closed(l);
}

static void in_operation(void (*what)(gw_worker *w))
{
    gw_worker_spec spec = GW_SPEC(gw_worker_spec);
    gw_io_ops ops = GW_SPEC(gw_io_ops);
    gw_accept_spec accept = GW_SPEC(gw_accept_spec);
    gw_worker *w = NULL;
    gw_link *link;

    gw_worker_free(host.worker); /* its place is taken */
    host.worker = NULL;
    ops.connect = op_connect;
    ops.recv = op_recv;
    ops.send = op_send;
    ops.shutdown = op_shutdown;
    ops.close = op_close;
    spec.ops = &ops;
    act_in_recv = what;
    accept.listener = gw_cstr("edge");
    ck_assert_int_eq(gw_worker_new(host.engine, &spec, &w), GW_OK);
    ck_assert_int_eq(gw_worker_accept(w, &accept, &link), GW_OK);
    ck_assert_int_eq(gw_worker_step(w, host.now), GW_OK);
    gw_worker_free(w);
}

static void step_it(gw_worker *w)
{
    ck_assert_int_eq(gw_worker_step(w, host.now), GW_ESTATE);
}

static void do_STEP_INSIDE_operation(void)
{
    in_operation(step_it);
}

static void do_FREE_INSIDE_operation(void)
{
    in_operation(gw_worker_free);
}

static void free_in_hook(gw_exchange *x)
{
    gw_worker_free(gw_exchange_worker(x));
}

static void do_FREE_INSIDE(void)
{
    act = free_in_hook;
    mode1_say(&host, client, get_hello);
}

static void do_ENGINE_FREE_EARLY(void)
{
    gw_engine_free(host.engine);
}

static gw_loop *loop;

static void run_inside(gw_loop *l, void *ctx)
{
    (void)ctx;
    ck_assert_int_eq(gw_loop_run(l), GW_ESTATE);
}

static void run_once_inside(gw_loop *l, void *ctx)
{
    (void)ctx;
    ck_assert_int_eq(gw_loop_run_once(l, 0), GW_ESTATE);
}

static void free_inside(gw_loop *l, void *ctx)
{
    (void)ctx;
    gw_loop_free(l);
}

/* A loop of the same engine, and its own line. */
static void visit(void (*run)(gw_loop *l, void *ctx))
{
    gw_loop_spec spec = GW_SPEC(gw_loop_spec);
    gw_visit one = { run, NULL, NULL };

    gw_worker_free(host.worker);
    host.worker = NULL;
    ck_assert_int_eq(gw_loop_new(host.engine, &spec, &loop), GW_OK);
    gw_loop_visit(loop, &one);
    ck_assert_int_eq(gw_loop_run_once(loop, 0), GW_OK);
    gw_loop_free(loop);
}

static void do_LOOP_RUN_INSIDE(void)
{
    visit(run_inside);
}

static void do_LOOP_RUN_INSIDE_once(void)
{
    visit(run_once_inside);
}

static void do_LOOP_FREE_INSIDE(void)
{
    visit(free_inside);
}

static void step_worker(gw_loop *l, void *ctx)
{
    (void)ctx;
    ck_assert_int_eq(gw_worker_step(gw_loop_worker(l), 1), GW_ESTATE);
}

static void free_worker(gw_loop *l, void *ctx)
{
    (void)ctx;
    gw_worker_free(gw_loop_worker(l));
}

static void do_STEP_OF_LOOP(void)
{
    visit(step_worker);
}

/* The loop goes on with it. */
static void do_FREE_OF_LOOP(void)
{
    visit(free_worker);
}

/* Another thread, let in while a hook holds the step. */
static void *stray(void *ctx)
{
    gw_worker *w = ctx;
    gw_accept_spec accept = GW_SPEC(gw_accept_spec);
    gw_facts facts = GW_SPEC(gw_facts);
    gw_notice notice = GW_SPEC(gw_notice);
    gw_link *link = NULL;

    accept.listener = gw_cstr("edge");
    ck_assert_int_eq(gw_worker_step(w, host.now), GW_ESTATE);
    ck_assert_int_eq(gw_worker_accept(w, &accept, &link), GW_ESTATE);
    ck_assert_int_eq(gw_worker_drain(w, 0), GW_ESTATE);
    ck_assert_int_eq(gw_link_get_facts(client->link, &facts), GW_EINVAL);
    ck_assert(!gw_bytes_next(w, &notice));
    ck_assert_ptr_null(gw_exchange_wait(seen).worker);
    gw_worker_free(w);
    gw_link_closed(client->link);
    return NULL;
}

static void let_in(gw_exchange *x)
{
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, stray, gw_exchange_worker(x)), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

static void do_OTHER_THREAD(void)
{
    act = let_in;
    mode1_say(&host, client, get_hello);
    ck_assert_ptr_nonnull(strstr(client->out, "hello\n"));
}

static void do_LINK_GONE(void)
{
    gw_link_closed(client->link);
    gw_link_closed(client->link);
}

/* Each call that knows a link. */
static void use_gone(gw_link *l)
{
    gw_facts facts = GW_SPEC(gw_facts);
    gw_destination destination = GW_SPEC(gw_destination);
    gw_span room;
    gw_const_span span;

    ck_assert_int_eq(gw_link_get_facts(l, &facts), GW_EINVAL);
    ck_assert_int_eq(gw_link_get_destination(l, &destination), GW_EINVAL);
    ck_assert_uint_eq(gw_link_want(l), 0);
    ck_assert_ptr_null(gw_link_worker(l));
    ck_assert_ptr_null(gw_link_user(l));
    ck_assert_ptr_null(gw_link_io(l));
    ck_assert_uint_eq(gw_link_room(l, &room, 1), 0);
    ck_assert_uint_eq(gw_link_unsent(l, &span, 1), 0);
    ck_assert_uint_eq(gw_link_unread(l, &span, 1), 0);
    gw_link_set_user(l, &host);
    gw_link_set_io(l, &host);
    gw_link_finish(l);
    gw_link_abort(l);
    gw_link_connected(l, GW_OK, NULL);
    gw_link_received(l, 0, GW_OK);
    gw_link_sent(l, 0, GW_OK);
    gw_link_closed(l);
    if (GW_ASSERTIONS)
        ck_assert_int_eq(panics, 17);
}

/* Reported, and nothing stepped since. */
static void do_LINK_GONE_reports(void)
{
    gw_span room;

    gw_link_closed(client->link);
    gw_link_connected(client->link, GW_OK, NULL);
    ck_assert_uint_eq(gw_link_room(client->link, &room, 1), 0);
    gw_link_received(client->link, 0, GW_OK);
    gw_link_sent(client->link, 0, GW_OK);
    if (GW_ASSERTIONS)
        ck_assert_int_ge(panics, 3);
    client->link = NULL;
}

/* In a cell that is free again. */
static void do_LINK_GONE_later(void)
{
    gw_link_closed(client->link);
    mode1_pump(&host);
    ck_assert_int_eq(panics, 0);
    use_gone(client->link);
    client->link = NULL;
}

static void do_CONNECTED_UNASKED(void)
{
    gw_link_connected(client->link, GW_OK, NULL);
}

static void do_CONNECTED_UNASKED_twice(void)
{
    mode1_say(&host, client, get_slow);
    gw_link_connected(mode1_upstream(&host)->link, GW_OK, NULL);
}

static void do_RECEIVED_MORE(void)
{
    gw_span room;

    ck_assert_uint_eq(gw_link_room(client->link, &room, 1), 1);
    gw_link_received(client->link, room.len + 1, GW_OK);
}

static void do_SENT_MORE(void)
{
    gw_link_sent(client->link, 1, GW_OK);
}

static void do_SHUTDOWN_UNASKED(void)
{
    gw_link_sent(client->link, 0, GW_EOF);
}

static void do_EXCHANGE_GONE(void)
{
    mode1_say(&host, client, get_hello);
    ck_assert_int_eq(ends, 1);
    ck_assert_int_eq(gw_exchange_respond(seen, 200), GW_EINVAL);
}

/* Each call that knows an exchange. */
static void do_EXCHANGE_GONE_all(void)
{
    gw_exchange_info info = GW_SPEC(gw_exchange_info);
    gw_reply reply = GW_SPEC(gw_reply);
    gw_exchange *x;

    mode1_say(&host, client, get_hello);
    x = seen;
    ck_assert_int_eq(gw_exchange_get_info(x, &info), GW_EINVAL);
    ck_assert_uint_eq(gw_exchange_get_id(x), 0);
    ck_assert_ptr_null(gw_exchange_worker(x));
    ck_assert_ptr_null(gw_exchange_link(x));
    ck_assert_int_eq(gw_exchange_cause(x).status, GW_EINVAL);
    ck_assert_ptr_null(gw_exchange_request(x));
    ck_assert_ptr_null(gw_exchange_response(x));
    ck_assert_ptr_null(gw_exchange_trailers(x, GW_SIDE_REQUEST));
    ck_assert_ptr_null(gw_exchange_memory(x));
    ck_assert_ptr_null(gw_exchange_alloc(x, 1));
    ck_assert_ptr_null(gw_exchange_pipe(x, GW_SIDE_REQUEST));
    ck_assert_ptr_null(gw_exchange_route_user(x));
    ck_assert_ptr_null(gw_exchange_config(x));
    ck_assert_ptr_null(gw_exchange_label(x, gw_cstr("a")).ptr);
    ck_assert_int_eq(gw_exchange_set_label(x, gw_cstr("a"), gw_cstr("b")), GW_EINVAL);
    ck_assert_int_eq(gw_exchange_show_body(x, GW_BODY_REQUEST), GW_EINVAL);
    ck_assert_int_eq(gw_exchange_reroute(x), GW_EINVAL);
    ck_assert_int_eq(gw_exchange_set_cluster(x, gw_cstr("web")), GW_EINVAL);
    ck_assert_int_eq(gw_exchange_forbid_retry(x), GW_EINVAL);
    ck_assert_int_eq(gw_exchange_reply(x, &reply), GW_EINVAL);
    ck_assert_int_eq(gw_exchange_serve(x, NULL), GW_EINVAL);
    ck_assert_int_eq(gw_exchange_respond(x, 200), GW_EINVAL);
    ck_assert_int_eq(gw_exchange_inform(x, 103, NULL), GW_EINVAL);
    ck_assert_ptr_null(gw_exchange_wait(x).worker);
    if (GW_ASSERTIONS)
        ck_assert_int_eq(panics, 24);
}

/* One that waits. */
static void keep_ticket(gw_exchange *x)
{
    ticket = gw_exchange_wait(x);
    ck_assert_ptr_nonnull(ticket.worker);
}

static void wait_for_answer(void)
{
    act = keep_ticket;
    verdict = GW_WAIT;
    mode1_say(&host, client, get_hello);
    ck_assert_uint_eq(client->out_len, 0);
}

static void do_REPLY_OUTSIDE(void)
{
    gw_reply reply = GW_SPEC(gw_reply);

    wait_for_answer();
    ck_assert_int_eq(gw_exchange_reply(seen, &reply), GW_ESTATE);
}

static void do_REPLY_OUTSIDE_serve(void)
{
    gw_origin origin = GW_SPEC(gw_origin);

    wait_for_answer();
    origin.on_request = rude_request;
    ck_assert_int_eq(gw_exchange_serve(seen, &origin), GW_ESTATE);
}

static void do_DECIDE_OUTSIDE(void)
{
    wait_for_answer();
    ck_assert_int_eq(gw_exchange_set_cluster(seen, GW_STR("hello")), GW_ESTATE);
}

static void do_DECIDE_OUTSIDE_reroute(void)
{
    wait_for_answer();
    ck_assert_int_eq(gw_exchange_reroute(seen), GW_ESTATE);
}

static void do_DECIDE_OUTSIDE_hash_key(void)
{
    wait_for_answer();
    ck_assert_int_eq(gw_exchange_set_hash_key(seen, GW_STR("k")), GW_ESTATE);
}

static void do_DECIDE_OUTSIDE_show_body(void)
{
    wait_for_answer();
    ck_assert_int_eq(gw_exchange_show_body(seen, GW_BODY_REQUEST), GW_ESTATE);
}

static void do_DECIDE_OUTSIDE_retry(void)
{
    wait_for_answer();
    ck_assert_int_eq(gw_exchange_forbid_retry(seen), GW_ESTATE);
}

static void do_DECIDE_OUTSIDE_label(void)
{
    wait_for_answer();
    ck_assert_int_eq(gw_exchange_set_label(seen, GW_STR("a"), GW_STR("b")), GW_ESTATE);
}

static void do_RESPOND_OUTSIDE_inform(void)
{
    wait_for_answer();
    ck_assert_int_eq(gw_exchange_inform(seen, 103, NULL), GW_ESTATE);
}

static void do_RESPOND_OUTSIDE(void)
{
    wait_for_answer();
    ck_assert_int_eq(gw_exchange_respond(seen, 200), GW_ESTATE);
}

/* ---- an origin and a call that are rude to each other ---- */

static gw_verdict rude_request(void *ctx, gw_exchange *x)
{
    (void)ctx;
    ck_assert_int_eq(gw_exchange_respond(x, 200), GW_OK);
    if (act != NULL)
        act(x);
    return rude_verdict;
}

static void (*act_on)(gw_pipe *p), (*act_on_read)(gw_pipe *p);

static gw_verdict rude_read(void *ctx, gw_exchange *x, gw_pipe *p)
{
    (void)ctx;
    (void)x;
    if (act_on_read != NULL)
        act_on_read(p);
    act_on_read = NULL;
    return GW_NEXT;
}

static gw_verdict rude_write(void *ctx, gw_exchange *x, gw_pipe *p)
{
    (void)ctx;
    (void)x;
    if (act_on != NULL)
        act_on(p);
    act_on = NULL;
    return gw_pipe_is_last(p) || gw_pipe_end(p) == GW_OK ? GW_NEXT : GW_ABORT;
}

static void ask_rude_origin(void (*in_request)(gw_exchange *x), void (*in_write)(gw_pipe *p))
{
    act = in_request;
    act_on = in_write;
    mode1_say(&host, client, "GET /rude HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_ptr_nonnull(strstr(client->out, " 200 OK\r\n"));
}

static void respond_again(gw_exchange *x)
{
    if (gw_exchange_response(x) != NULL) /* it is the origin's hook */
        ck_assert_int_eq(gw_exchange_respond(x, 200), GW_ESTATE);
}

static void inform_again(gw_exchange *x)
{
    if (gw_exchange_response(x) != NULL)
        ck_assert_int_eq(gw_exchange_inform(x, 103, NULL), GW_ESTATE);
}

static void do_RESPOND_AGAIN_inform(void)
{
    ask_rude_origin(inform_again, NULL);
}

static void do_RESPOND_AGAIN(void)
{
    ask_rude_origin(respond_again, NULL);
}

static gw_verdict take_more(void *ctx, gw_exchange *x, gw_pipe *p)
{
    (void)ctx;
    (void)x;
    ck_assert_int_eq(gw_pipe_drop(p, 1), GW_EINVAL);
    return GW_NEXT;
}

static void do_PIPE_DROP_MORE(void)
{
    gw_caller caller = GW_SPEC(gw_caller);
    gw_call_spec call = GW_SPEC(gw_call_spec);

    caller.on_read = take_more;
    call.caller = &caller;
    call.cluster = gw_cstr("rude");
    ck_assert_int_eq(gw_worker_call(host.worker, &call, NULL), GW_OK);
    mode1_pump(&host);
}

static void (*act_on_body)(gw_pipe *p);

static gw_verdict on_request_body(void *ctx, gw_exchange *x, gw_pipe *p)
{
    (void)ctx;
    (void)x;
    if (act_on_body != NULL)
        act_on_body(p);
    act_on_body = NULL;
    return GW_NEXT;
}

static void send_body(void (*in_filter)(gw_pipe *p))
{
    act_on_body = in_filter;
    mode1_say(&host, client, "POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    ck_assert(act_on_body == NULL);
}

static void drop_more(gw_pipe *p)
{
    ck_assert_int_eq(gw_pipe_drop(p, 4), GW_EINVAL);
}

static void do_PIPE_DROP_MORE_filter(void)
{
    send_body(drop_more);
}

static void end_of_filter(gw_pipe *p)
{
    ck_assert_int_eq(gw_pipe_end(p), GW_EINVAL);
}

static void do_PIPE_WRONG_WAY_filter(void)
{
    send_body(end_of_filter);
}

static void gather_own(gw_pipe *p)
{
    gw_const_span span;

    ck_assert_int_eq(gw_pipe_gather(p, 0, &span), GW_EINVAL);
}

static void do_PIPE_WRONG_WAY_gather(void)
{
    ask_rude_origin(NULL, gather_own);
}

static void write_received(gw_pipe *p)
{
    ck_assert_uint_eq(gw_pipe_write(p, "x", 1), 0);
}

static void lend_received(gw_pipe *p)
{
    gw_const_span span = { "x", 1 };

    ck_assert_int_eq(gw_pipe_lend(p, span, NULL, NULL, NULL), GW_EINVAL);
}

static void end_received(gw_pipe *p)
{
    ck_assert_int_eq(gw_pipe_end(p), GW_EINVAL);
}

static void ask_rude_reader(void (*in_read)(gw_pipe *p))
{
    act_on_read = in_read;
    ask_rude_origin(NULL, NULL);
    ck_assert(act_on_read == NULL);
}

static void do_PIPE_WRONG_WAY_write(void)
{
    ask_rude_reader(write_received);
}

static void do_PIPE_WRONG_WAY_lend(void)
{
    ask_rude_reader(lend_received);
}

static void do_PIPE_WRONG_WAY_end(void)
{
    ask_rude_reader(end_received);
}

static void lend_after_end(gw_pipe *p)
{
    gw_const_span span = { "x", 1 };

    ck_assert_int_eq(gw_pipe_end(p), GW_OK);
    ck_assert_int_eq(gw_pipe_lend(p, span, NULL, NULL, NULL), GW_ESTATE);
}

static void do_PIPE_ENDED_lend(void)
{
    ask_rude_origin(NULL, lend_after_end);
}

static void wrong_way(gw_pipe *p)
{
    ck_assert_int_eq(gw_pipe_drop(p, 0), GW_EINVAL);
}

static void do_PIPE_WRONG_WAY(void)
{
    ask_rude_origin(NULL, wrong_way);
}

static void end_twice(gw_pipe *p)
{
    ck_assert_int_eq(gw_pipe_end(p), GW_OK);
    ck_assert_int_eq(gw_pipe_end(p), GW_ESTATE);
    ck_assert_uint_eq(gw_pipe_write(p, "x", 1), 0);
}

static void do_PIPE_ENDED(void)
{
    ask_rude_origin(NULL, end_twice);
}

static void do_CANCEL_UNKNOWN(void)
{
    ck_assert_int_eq(gw_worker_cancel(host.worker, 1000), GW_ESTATE);
}

static void do_WAIT_OUTSIDE(void)
{
    wait_for_answer();
    ck_assert_ptr_null(gw_exchange_wait(seen).worker);
}

static void do_RESUME_AGAIN(void)
{
    wait_for_answer();
    ck_assert_int_eq(gw_resume(ticket, NULL), GW_OK);
    ck_assert_int_eq(gw_resume(ticket, NULL), GW_ESTATE);
}

/* When the first answer has arrived. */
static void do_RESUME_AGAIN_later(void)
{
    wait_for_answer();
    ck_assert_int_eq(gw_resume(ticket, NULL), GW_OK);
    mode1_pump(&host);
    ck_assert_ptr_nonnull(strstr(client->out, "hello\n"));
    ck_assert_int_eq(gw_resume(ticket, NULL), GW_ESTATE);
}

static void do_VERDICT_WAIT(void)
{
    verdict = GW_WAIT;
    mode1_say(&host, client, get_hello);
}

static void do_VERDICT_REPLY(void)
{
    verdict = GW_REPLY;
    mode1_say(&host, client, get_hello);
}

static void do_VERDICT_UNKNOWN(void)
{
    verdict = (gw_verdict)77;
    mode1_say(&host, client, get_hello);
}

/* Of an origin, of a call, and of who was resumed. */
static void do_VERDICT_UNKNOWN_origin(void)
{
    act = NULL;
    verdict = GW_NEXT;
    rude_verdict = (gw_verdict)77;
    mode1_say(&host, client, "GET /rude HTTP/1.1\r\nHost: a\r\n\r\n");
    rude_verdict = GW_NEXT;
}

static void do_VERDICT_UNKNOWN_resumed(void)
{
    wait_for_answer();
    verdict = (gw_verdict)77;
    ck_assert_int_eq(gw_resume(ticket, NULL), GW_OK);
    mode1_pump(&host);
    ck_assert_int_eq(ends, 1);
}

static gw_verdict answer_unknown(void *ctx, gw_exchange *x)
{
    (void)ctx;
    (void)x;
    return (gw_verdict)77;
}

static void do_VERDICT_UNKNOWN_call(void)
{
    gw_caller caller = GW_SPEC(gw_caller);
    gw_call_spec call = GW_SPEC(gw_call_spec);

    caller.on_response = answer_unknown;
    call.caller = &caller;
    call.cluster = gw_cstr("rude");
    ck_assert_int_eq(gw_worker_call(host.worker, &call, NULL), GW_OK);
    mode1_pump(&host);
}

static void do_CHOICE_UNKNOWN(void)
{
    mode1_say(&host, client, "GET /chosen HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_ptr_nonnull(strstr(client->out, " 500 "));
}

/* ---- the table ---- */

static const struct row {
    const char *text;
    void (*provoke)(void);
    enum gw_misuse_id id;
} rows[] = {
#define ROW(id, call, text) { call ": " text, do_##id, GW_MISUSE_##id },
    GW_MISUSES(ROW)
#undef ROW
        { "gw_worker_step: inside a hook or an operation", do_STEP_INSIDE_operation,
          GW_MISUSE_NONE },
    { "gw_worker_free: inside a hook or an operation", do_FREE_INSIDE_operation, GW_MISUSE_NONE },
    { "gw_loop_run: inside a hook", do_LOOP_RUN_INSIDE_once, GW_MISUSE_NONE },
    { "a link's call: the link is gone", do_LINK_GONE_reports, GW_MISUSE_NONE },
    { "a link's call: the link is gone", do_LINK_GONE_later, GW_MISUSE_NONE },
    { "an exchange's call: the exchange is gone", do_EXCHANGE_GONE_all, GW_MISUSE_NONE },
    { "gw_exchange_reply: outside of a hook", do_REPLY_OUTSIDE_serve, GW_MISUSE_NONE },
    { "an exchange's call: outside of a hook", do_DECIDE_OUTSIDE_reroute, GW_MISUSE_NONE },
    { "an exchange's call: outside of a hook", do_DECIDE_OUTSIDE_hash_key, GW_MISUSE_NONE },
    { "an exchange's call: outside of a hook", do_DECIDE_OUTSIDE_show_body, GW_MISUSE_NONE },
    { "an exchange's call: outside of a hook", do_DECIDE_OUTSIDE_retry, GW_MISUSE_NONE },
    { "an exchange's call: outside of a hook", do_DECIDE_OUTSIDE_label, GW_MISUSE_NONE },
    { "gw_exchange_respond: outside of a hook", do_RESPOND_OUTSIDE_inform, GW_MISUSE_NONE },
    { "gw_exchange_respond: a response has begun", do_RESPOND_AGAIN_inform, GW_MISUSE_NONE },
    { "a pipe's call: the host is at its other end", do_PIPE_WRONG_WAY_write, GW_MISUSE_NONE },
    { "a pipe's call: the host is at its other end", do_PIPE_WRONG_WAY_lend, GW_MISUSE_NONE },
    { "a pipe's call: the host is at its other end", do_PIPE_WRONG_WAY_end, GW_MISUSE_NONE },
    { "a pipe's call: the host has ended it", do_PIPE_ENDED_lend, GW_MISUSE_NONE },
    { "a hook: a verdict that there is not", do_VERDICT_UNKNOWN_origin, GW_MISUSE_NONE },
    { "a hook: a verdict that there is not", do_VERDICT_UNKNOWN_resumed, GW_MISUSE_NONE },
    { "a hook: a verdict that there is not", do_VERDICT_UNKNOWN_call, GW_MISUSE_NONE },
    { "gw_link_connected: reported before, or nothing was to be connected",
      do_CONNECTED_UNASKED_twice, GW_MISUSE_NONE },
    { "gw_resume: this wait has been answered", do_RESUME_AGAIN_later, GW_MISUSE_NONE },
    { "gw_pipe_drop: more than there is", do_PIPE_DROP_MORE_filter, GW_MISUSE_NONE },
    { "a pipe's call: the host is at its other end", do_PIPE_WRONG_WAY_filter, GW_MISUSE_NONE },
    { "a pipe's call: the host is at its other end", do_PIPE_WRONG_WAY_gather, GW_MISUSE_NONE },
};
enum { ROWS = sizeof rows / sizeof *rows };

static bool is_seen_here(const struct row *row)
{
    bool is_late = row->provoke == do_EXCHANGE_GONE || row->provoke == do_EXCHANGE_GONE_all ||
                   row->provoke == do_LINK_GONE_later;

#ifdef GW_POISONS
    if (is_late)
        return false; /* the sanitizer's to see */
#endif
    (void)is_late;
    return GW_ASSERTIONS_SLOW || row->id != GW_MISUSE_OTHER_THREAD;
}

START_TEST(each_way_to_break_the_contract)
{
    const struct row *row = &rows[_i];

    start();
    if (!is_seen_here(row)) {
        mode1_stop(&host);
        return;
    }
    row->provoke();
    if (GW_ASSERTIONS) {
        ck_assert_int_ge(panics, 1);
        ck_assert_str_eq(panicked[0], row->text);
        for (int i = 1; i < panics; i++)
            ck_assert_str_eq(panicked[i], row->text);
    }
    if (host.worker != NULL) {
        ck_assert(is_served());
        uint64_t n = misuses();
        if (row->id == GW_MISUSE_ENGINE_FREE_EARLY)
            ck_assert_uint_eq(n, 0);
        else
            ck_assert(GW_ASSERTIONS ? n == (uint64_t)panics : n > 0);
    }
    ck_assert_int_eq(lines, 1);
    ck_assert_msg(strncmp(logged, row->text, strlen(row->text)) == 0, "%s", logged);
    mode1_stop(&host);
}
END_TEST

/* ---- what is not the host's mistake ---- */

static void abort_it(gw_exchange *x)
{
    keep_ticket(x);
    gw_link_abort(gw_exchange_link(x));
}

/* Answers and reports that come too late, since the other side was faster: no word of it. */
START_TEST(who_is_late_has_done_nothing_wrong)
{
    gw_notice notice = GW_SPEC(gw_notice);
    gw_link *link = NULL;
    gw_span room;

    start();
    verdict = GW_WAIT;
    act = abort_it;
    mode1_say(&host, client, get_hello);
    ck_assert_int_eq(ends, 1);
    ck_assert_int_eq(gw_resume(ticket, NULL), GW_ESTATE);

    verdict = GW_NEXT;
    act = NULL;
    client = mode1_accept(&host, "edge");
    mode1_pump(&host);
    ck_assert_uint_eq(gw_link_room(client->link, &room, 1), 1);
    memcpy(room.ptr, get_slow, strlen(get_slow));
    gw_link_received(client->link, strlen(get_slow), GW_OK);
    ck_assert_int_eq(gw_worker_step(host.worker, host.now), GW_OK);
    while (gw_bytes_next(host.worker, &notice))
        if ((notice.want & GW_WANT_CONNECT) != 0)
            link = notice.link;
    ck_assert_ptr_nonnull(link);
    host.now += GW_MS(10000); /* connect_timeout */
    while (gw_worker_step(host.worker, host.now) == GW_AGAIN)
        ;
    gw_link_connected(link, GW_OK, NULL);
    ck_assert_uint_eq(gw_link_want(link), GW_WANT_CLOSE);
    mode1_pump(&host);
    ck_assert_int_eq(panics, 0);
    ck_assert_int_eq(lines, 0);
    ck_assert_uint_eq(misuses(), 0);
    mode1_stop(&host);
}
END_TEST

/* A host that does nothing else: its log is not filled, the counter knows. */
START_TEST(a_flood_is_bounded)
{
    enum { CALLS = 10000 };

    start();
    for (int i = 0; i < CALLS; i++) {
        panics = 0;
        gw_link_connected(client->link, GW_OK, NULL);
        if (i % 3 == 0)
            (void)gw_worker_step(host.worker, host.now);
    }
    (void)gw_worker_step(host.worker, host.now);
    ck_assert_int_gt(lines, 10);
    ck_assert_int_le(lines, 50);
    ck_assert_uint_eq(misuses(), CALLS);
    mode1_stop(&host);
}
END_TEST

static Suite *misuse_suite(void)
{
    Suite *suite = suite_create("misuse");

    check_add_loop(suite, each_way_to_break_the_contract, 0, ROWS);
    check_add(suite, who_is_late_has_done_nothing_wrong);
    check_add(suite, a_flood_is_bounded);
    return suite;
}

CHECK_MAIN(misuse_suite)
