/* unit/every_test.c: every public call from every hook: of filters, of origins, of the host's own calls, its
 * log, what tells that lent bytes or kept objects are free, its waker, a connection that comes back, and each
 * operation of its backend. Each call is safe, or refused; whatever it was, what was under way ends once and
 * leaves nothing. Not here: what must not call the library at all (gw/env.h, gw/trace.h). */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check_main.h"
#include "every.h"
#include "filter_suites.h"
#include "kinds.h"

static struct mode1 host;

static struct {
    enum hook hook;
    void (*call)(struct at *at);
    bool is_made;
    int ended;
    gw_exchange *x; /* that is under way; NULL: none */
    gw_ticket ticket;
    gw_loop *loop;
} now;

static void forget(const gw_link *link)
{
    for (int i = 0; i < host.count; i++)
        if (host.links[i].link == link)
            host.links[i].link = NULL;
}

static void make_at(struct at *at)
{
    gw_builder *b;

    if (now.hook != at->hook || now.is_made)
        return;
    now.is_made = true;
    at->worker = host.worker;
    at->engine = host.engine;
    at->loop = now.loop;
    at->now = host.now;
    b = parts_begin(&host);
    parts_listener(b, "edge");
    at->config = parts_build(b);
    at->builder = parts_begin(&host);
    now.call(at);
    gw_builder_free(at->builder);
    gw_config_unref(at->config);
    if (at->is_closed)
        forget(at->link);
}

/* ---- a filter that makes it ---- */

static void make(gw_exchange *x, gw_pipe *pipe, enum hook hook)
{
    struct at at = { .x = x, .pipe = pipe, .link = gw_exchange_link(x), .hook = hook };

    now.x = x;
    make_at(&at);
}

static bool has_to_wait(gw_exchange *x, enum hook resumed)
{
    if (now.hook != resumed)
        return false;
    now.ticket = gw_exchange_wait(x);
    return true;
}

static gw_verdict on_request(void *ctx, gw_exchange *x)
{
    (void)ctx;
    make(x, NULL, REQUEST);
    return has_to_wait(x, RESUME) || has_to_wait(x, WAKE) ? GW_WAIT : GW_NEXT;
}

static gw_verdict on_resume(void *ctx, gw_exchange *x, uint32_t side, void *answer)
{
    (void)ctx;
    (void)side;
    (void)answer;
    make(x, NULL, RESUME);
    return GW_NEXT;
}

#define HEAD_HOOK(name, hook)                                                                      \
    static gw_verdict name(void *ctx, gw_exchange *x)                                              \
    {                                                                                              \
        (void)ctx;                                                                                 \
        make(x, NULL, hook);                                                                       \
        return GW_NEXT;                                                                            \
    }
#define BODY_HOOK(name, hook)                                                                      \
    static gw_verdict name(void *ctx, gw_exchange *x, gw_pipe *p)                                  \
    {                                                                                              \
        (void)ctx;                                                                                 \
        make(x, p, hook);                                                                          \
        return GW_NEXT;                                                                            \
    }
HEAD_HOOK(on_route, ROUTE)
HEAD_HOOK(on_upstream, UPSTREAM)
HEAD_HOOK(on_response, RESPONSE)
BODY_HOOK(on_request_body, REQUEST_BODY)
BODY_HOOK(on_request_end, REQUEST_END)
BODY_HOOK(on_response_body, RESPONSE_BODY)
BODY_HOOK(on_response_end, RESPONSE_END)

static void end(const gw_exchange *x, enum hook hook)
{
    now.ended++;
    make((gw_exchange *)(uintptr_t)x, NULL, hook);
    now.x = NULL;
}

static void on_end(void *ctx, const gw_exchange *x)
{
    (void)ctx;
    end(x, END);
}

/* ---- an origin that makes it ---- */

struct pipes {
    gw_pipe *request, *response;
};

static void make_with(gw_exchange *x, gw_pipe *pipe, gw_pipe *other, enum hook hook)
{
    struct at at = {
        .x = x, .pipe = pipe, .other = other, .link = gw_exchange_link(x), .hook = hook
    };

    now.x = x;
    make_at(&at);
}

static void make_of_origin(gw_exchange *x, enum hook hook)
{
    make_with(x, gw_exchange_pipe(x, GW_SIDE_REQUEST), gw_exchange_pipe(x, GW_SIDE_RESPONSE), hook);
}

static gw_verdict origin_request(void *ctx, gw_exchange *x)
{
    (void)ctx;
    make_of_origin(x, ORIGIN_REQUEST);
    return has_to_wait(x, ORIGIN_RESUME) ? GW_WAIT : GW_NEXT;
}

static gw_verdict origin_read(void *ctx, gw_exchange *x, gw_pipe *request)
{
    (void)ctx;
    (void)request;
    make_of_origin(x, ORIGIN_READ);
    return GW_NEXT;
}

static void lent_back(void *ctx, void *object)
{
    struct at at = { .x = now.x, .hook = DONE };

    (void)ctx;
    (void)object;
    make_at(&at);
}

static gw_verdict origin_write(void *ctx, gw_exchange *x, gw_pipe *response)
{
    (void)ctx;
    if (has_to_wait(x, ORIGIN_RESUME) && now.ticket.worker != NULL && !now.is_made)
        return GW_WAIT;
    make_of_origin(x, ORIGIN_WRITE);
    (void)gw_exchange_respond(x, 200); /* a row may have */
    if (now.hook == DONE)
        (void)gw_pipe_lend(response, (gw_const_span){ "lent", 4 }, lent_back, NULL, NULL);
    (void)gw_pipe_end(response);
    return GW_NEXT;
}

static gw_verdict origin_resume(void *ctx, gw_exchange *x, uint32_t side, void *answer)
{
    (void)ctx;
    (void)side;
    (void)answer;
    make_of_origin(x, ORIGIN_RESUME);
    return GW_NEXT;
}

static void origin_end(void *ctx, const gw_exchange *x)
{
    (void)ctx;
    end(x, ORIGIN_END);
}

static void add_origin(gw_builder *b)
{
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);
    gw_origin origin = GW_SPEC(gw_origin);

    origin.name = "own";
    origin.exchange_bytes = 8;
    origin.on_request = origin_request;
    origin.on_read = origin_read;
    origin.on_write = origin_write;
    origin.on_resume = origin_resume;
    origin.on_end = origin_end;
    cluster.origin = &origin;
    parts_cluster(b, "own", &cluster, NULL);
    parts_route(b, "/own", NULL, "own");
}

/* ---- a call that makes it ---- */

static gw_pipe *call_pipe; /* the request's */

static gw_verdict call_write(void *ctx, gw_exchange *x, gw_pipe *request)
{
    (void)ctx;
    call_pipe = request;
    if (has_to_wait(x, CALL_RESUME) && !now.is_made)
        return GW_WAIT;
    make_with(x, request, NULL, CALL_WRITE);
    (void)gw_pipe_end(request);
    return GW_NEXT;
}

static gw_verdict call_response(void *ctx, gw_exchange *x)
{
    (void)ctx;
    make_with(x, call_pipe, NULL, CALL_RESPONSE);
    return GW_NEXT;
}

static gw_verdict call_read(void *ctx, gw_exchange *x, gw_pipe *response)
{
    gw_const_span span;

    (void)ctx;
    make_with(x, response, call_pipe, CALL_READ);
    while (gw_pipe_peek(response, &span, 1) > 0)
        if (gw_pipe_drop(response, span.len) != GW_OK)
            return GW_ABORT;
    return GW_NEXT;
}

static gw_verdict call_resume(void *ctx, gw_exchange *x, uint32_t side, void *answer)
{
    (void)ctx;
    (void)side;
    (void)answer;
    make_with(x, call_pipe, NULL, CALL_RESUME);
    return GW_NEXT;
}

static void call_end(void *ctx, const gw_exchange *x)
{
    (void)ctx;
    end(x, CALL_END);
}

static void call(void)
{
    gw_caller caller = GW_SPEC(gw_caller);
    gw_call_spec spec = GW_SPEC(gw_call_spec);

    caller.exchange_bytes = 8;
    caller.on_write = call_write;
    caller.on_response = call_response;
    caller.on_read = call_read;
    caller.on_resume = call_resume;
    caller.on_end = call_end;
    spec.caller = &caller;
    spec.cluster = gw_cstr("web");
    spec.method = gw_cstr("POST");
    ck_assert_int_eq(gw_worker_call(host.worker, &spec, NULL), GW_OK);
    mode1_pump(&host);
}

/* ---- a log, a waker, and what is kept ---- */

static void log_line(void *ctx, uint32_t level, const char *event, const char *text)
{
    bool is_misuse = strcmp(event, "host.misuse") == 0;
    struct at at = { .x = now.x,
                     .hook = !is_misuse             ? LOG
                             : now.hook == LOG_LAST ? LOG_LAST
                                                    : LOG_MISUSE };

    (void)ctx;
    (void)level;
    (void)text;
    if (now.x != NULL)
        at.link = gw_exchange_link(now.x);
    make_at(&at);
}

static void wake(void *ctx)
{
    struct at at = { .hook = WAKE };

    (void)ctx;
    make_at(&at);
}

static void kept_back(void *ctx, void *object)
{
    struct at at = { .x = now.x, .hook = KEPT };

    (void)ctx;
    (void)object;
    make_at(&at);
}

/* ---- a balancer that makes it ---- */

static uint32_t choose(void *ctx, const gw_choice *c)
{
    struct at at = { .x = (gw_exchange *)(uintptr_t)c->exchange,
                     .link = gw_exchange_link(c->exchange),
                     .choice = c,
                     .hook = CHOOSE };

    (void)ctx;
    if (now.hook == CHOOSE && c->tries == 0)
        make_at(&at);
    return 0;
}

static void add_chosen(gw_builder *b)
{
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);
    gw_balancer balancer = GW_SPEC(gw_balancer);

    balancer.name = "every";
    balancer.choose = choose;
    ck_assert_uint_ne(gw_builder_balancer(b, &balancer), 0);
    cluster.balancer = gw_cstr("every");
    parts_cluster(b, "web", &cluster, "10.0.0.1:80");
}

/* ---- a worker with all of them ---- */

static gw_config *make_config(void)
{
    gw_filter filter = GW_SPEC(gw_filter);
    gw_builder *b = parts_begin(&host);
    gw_id id;

    parts_listener(b, "edge");
    add_chosen(b);
    parts_route(b, "/web", NULL, "web");
    add_origin(b);
    filter.name = "every";
    filter.body = GW_BODY_REQUEST | GW_BODY_RESPONSE | GW_BODY_REWRITES;
    filter.exchange_bytes = 8;
    filter.on_request = on_request;
    filter.on_route = on_route;
    filter.on_upstream = on_upstream;
    filter.on_request_body = on_request_body;
    filter.on_request_end = on_request_end;
    filter.on_response = on_response;
    filter.on_response_body = on_response_body;
    filter.on_response_end = on_response_end;
    filter.on_resume = on_resume;
    filter.on_end = on_end;
    id = gw_builder_filter(b, &filter);
    ck_assert_uint_ne(id, 0);
    ck_assert_int_eq(gw_builder_keep(b, id, NULL, kept_back, NULL), GW_OK);
    return parts_build(b);
}

static void start(const gw_worker_spec *spec)
{
    memset(&host, 0, sizeof host);
    test_alloc_init(&host.alloc);
    host.log = log_line;
    host.spec = spec;
    mode1_start(&host, make_config(), NULL);
}

static void reload(void)
{
    gw_builder *b = parts_begin(&host);

    parts_listener(b, "edge");
    parts_apply(&host, parts_build(b));
    mode1_pump(&host);
}

/* Who waits is told to go on, and every upstream answers, or breaks off. */
static void go_on(void)
{
    mode1_pump(&host);
    if (now.ticket.worker != NULL) {
        (void)!gw_resume(now.ticket, NULL); /* it may have ended */
        mode1_pump(&host);
    }
    for (int i = 0; i < host.count; i++) {
        struct mode1_link *l = &host.links[i];
        if (!l->is_upstream || l->link == NULL)
            continue;
        if (now.hook == LOG)
            gw_link_received(l->link, 0, GW_ERESET);
        else
            mode1_say(&host, l, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes");
    }
    mode1_pump(&host);
}

/* One exchange with a body each way goes by. */
static void run(void)
{
    gw_worker_spec spec = GW_SPEC(gw_worker_spec);
    struct mode1_link *l;

    spec.wake = wake;
    start(&spec);
    l = mode1_accept(&host, "edge");
    if (now.hook >= CALL_WRITE && now.hook <= CALL_END)
        call();
    else if ((now.hook >= ORIGIN_REQUEST && now.hook <= ORIGIN_END) || now.hook == DONE)
        mode1_say(&host, l, "POST /own HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    else
        mode1_say(&host, l, "POST /web HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    if (now.hook == LOG_MISUSE)
        gw_link_connected(l->link, GW_OK, NULL);
    go_on();
    if (now.hook == KEPT)
        reload();
    host.now += GW_MS(400000);
    mode1_pump(&host);
    if (now.hook == LOG_LAST)
        gw_link_connected(mode1_accept(&host, "edge")->link, GW_OK, NULL);
    mode1_stop(&host);
}

/* ---- a backend that makes it ---- */

static const char unclaimed[] = "GET /none HTTP/1.1\r\nHost: a\r\n\r\n";
static const char last_one[] = "POST /web HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                               "Connection: close\r\n\r\nhello";

/* Links are in the host's table; what an operation asks is done at once. */
static bool is_asked(gw_link *l, enum hook hook)
{
    struct at at = { .x = now.x, .link = l, .hook = hook };

    make_at(&at);
    return !at.is_closed;
}

static gw_status op_connect(void *io, gw_link *l, const gw_destination *target)
{
    (void)io;
    (void)target;
    mode1_find(&host, l)->is_upstream = true;
    if (is_asked(l, OP_CONNECT))
        gw_link_connected(l, GW_OK, NULL);
    return GW_OK;
}

static gw_status op_recv(void *io, gw_link *l)
{
    (void)io;
    (void)is_asked(l, OP_RECV);
    return GW_OK;
}

static gw_status op_send(void *io, gw_link *l, const gw_const_span *v, size_t n)
{
    size_t len = 0;

    (void)io;
    for (size_t i = 0; i < n; i++)
        len += v[i].len;
    if (is_asked(l, OP_SEND))
        gw_link_sent(l, len, GW_OK);
    return GW_OK;
}

static gw_status op_shutdown(void *io, gw_link *l)
{
    (void)io;
    if (is_asked(l, OP_SHUTDOWN))
        gw_link_sent(l, 0, GW_EOF);
    return GW_OK;
}

static void op_close(void *io, gw_link *l)
{
    (void)io;
    if (!is_asked(l, OP_CLOSE))
        return;
    forget(l);
    gw_link_closed(l);
}

static gw_status op_give_back(void *io, gw_link *l)
{
    (void)io;
    if (!is_asked(l, OP_GIVE_BACK))
        return GW_OK;
    forget(l);
    gw_link_closed(l);
    return GW_OK;
}

static void say(gw_link *l, const char *text)
{
    gw_span room;
    size_t len = strlen(text);

    if (l == NULL || gw_link_room(l, &room, 1) == 0 || room.len < len)
        return; /* a row has ended it */
    memcpy(room.ptr, text, len);
    gw_link_received(l, len, GW_AGAIN);
    while (gw_worker_step(host.worker, host.now) == GW_AGAIN)
        ;
}

static void run_backend(void)
{
    gw_worker_spec spec = GW_SPEC(gw_worker_spec);
    gw_io_ops ops = GW_SPEC(gw_io_ops);
    gw_accept_spec accept = GW_SPEC(gw_accept_spec);
    struct mode1_link *l;
    gw_link *link;

    ops.connect = op_connect;
    ops.recv = op_recv;
    ops.send = op_send;
    ops.shutdown = op_shutdown;
    ops.close = op_close;
    ops.give_back = op_give_back;
    spec.ops = &ops;
    start(&spec);
    accept.listener = gw_cstr("edge");
    accept.flags = GW_ACCEPT_RETURN;
    ck_assert_int_eq(gw_worker_accept(host.worker, &accept, &link), GW_OK);
    l = mode1_find(&host, link);
    (void)!gw_worker_step(host.worker, host.now);
    say(l->link, now.hook == OP_GIVE_BACK ? unclaimed : last_one);
    for (int i = 0; i < host.count; i++)
        if (host.links[i].is_upstream)
            say(host.links[i].link, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes");
    host.now += GW_MS(400000);
    while (gw_worker_step(host.worker, host.now) == GW_AGAIN)
        ;
    mode1_stop(&host);
}

/* ---- a loop whose host takes a connection back ---- */

static void on_return(void *ctx, gw_link *link, int fd)
{
    struct at at = { .link = link, .hook = ON_RETURN };

    (void)ctx;
    close(fd);
    make_at(&at);
}

static void run_loop(uint32_t kind)
{
    gw_loop_spec spec = GW_SPEC(gw_loop_spec);
    gw_accept_spec accept = GW_SPEC(gw_accept_spec);
    int ends[2];

    start(NULL);
    gw_worker_free(host.worker);
    spec.on_return = on_return;
    spec.kind = kind;
    ck_assert_int_eq(gw_loop_new(host.engine, &spec, &now.loop), GW_OK);
    host.worker = gw_loop_worker(now.loop);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    accept.listener = gw_cstr("edge");
    accept.flags = GW_ACCEPT_RETURN;
    ck_assert_int_eq(gw_loop_adopt(now.loop, ends[0], &accept, NULL), GW_OK);
    ck_assert_int_eq(write(ends[1], unclaimed, sizeof unclaimed - 1), sizeof unclaimed - 1);
    for (int i = 0; i < 8; i++)
        (void)!gw_loop_run_once(now.loop, 0);
    gw_loop_free(now.loop);
    close(ends[1]);
    host.worker = NULL;
    mode1_stop(&host);
}

/* ---- all of them ---- */

static void run_row(const struct every_row *row, enum hook hook, uint32_t kind)
{
    memset(&now, 0, sizeof now);
    now.hook = hook;
    now.call = row->call;
    if (hook >= OP_CONNECT)
        run_backend();
    else if (hook == ON_RETURN)
        run_loop(kind);
    else
        run();
    ck_assert_msg(now.is_made, "%s was not called", row->name);
    ck_assert_msg(now.ended >= 1 || hook >= ON_RETURN, "%s: no end", row->name);
}

START_TEST(every_call)
{
    enum hook hook = (enum hook)_i;
    int loops = hook == ON_RETURN ? kinds_here() : 1;

    for (int i = 0; i < every_rows_len; i++)
        if (hook != WAKE || every_is_any_threads(every_rows[i].name))
            for (int k = 0; k < loops; k++)
                run_row(&every_rows[i], hook, kinds[k]);
}
END_TEST

Suite *every_suite(void)
{
    Suite *suite = suite_create("every");

    check_add_loop(suite, every_call, 0, HOOKS);
    return suite;
}
