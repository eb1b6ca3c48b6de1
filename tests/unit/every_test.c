/* unit/every_test.c: every public call from every hook of a filter: each is safe, or refused. The calls are
 * those of tests/abi/symbols.txt: one without a row here does not compile. */

#include "check_main.h"
#include "every_symbol.h"
#include "filter_suites.h"
#include "parts.h"

static struct mode1 host;

enum hook {
    REQUEST,
    ROUTE,
    UPSTREAM,
    REQUEST_BODY,
    REQUEST_END,
    RESPONSE,
    RESPONSE_BODY,
    RESPONSE_END,
    RESUME,
    END,
    HOOKS
};

/* Where a call is made. */
struct at {
    gw_exchange *x;
    gw_pipe *pipe; /* NULL: of no body hook */
    gw_worker *worker;
    gw_engine *engine;
    gw_link *link;
    gw_builder *builder;
    gw_config *config;
    enum hook hook;
};

static struct {
    enum hook hook;
    void (*call)(struct at *at);
    bool is_made;
    int ended, done;
    gw_ticket ticket;
} now;

static void count_done(void *ctx, void *object)
{
    (void)ctx;
    (void)object;
    now.done++;
}

/* ---- a row a call ---- */

static const gw_str word = { "word", 4 };
static const gw_const_span bytes = { "bytes", 5 };

#define ROW(name, ...)                                                                             \
    static void call_##name(struct at *a)                                                          \
    {                                                                                              \
        (void)a;                                                                                   \
        __VA_ARGS__;                                                                               \
    }
/* Of what a loop has, and of threads: here there is none. */
#define NONE(name, ...) ROW(name, (void)!name(__VA_ARGS__))

ROW(gw_address_parse, gw_address out; (void)!gw_address_parse(word, &out))
ROW(gw_build_features, (void)gw_build_features())
ROW(gw_builder_build, gw_config *out = NULL; (void)!gw_builder_build(a->builder, &out, NULL);
    gw_config_unref(out); a->builder = NULL)
ROW(gw_builder_cluster, gw_cluster_spec s = GW_SPEC(gw_cluster_spec);
    (void)gw_builder_cluster(a->builder, &s))
ROW(gw_builder_endpoint, gw_endpoint_spec s = GW_SPEC(gw_endpoint_spec);
    (void)gw_builder_endpoint(a->builder, 1, &s))
ROW(gw_builder_filter, gw_filter f = GW_SPEC(gw_filter); (void)gw_builder_filter(a->builder, &f))
ROW(gw_builder_free, gw_builder_free(a->builder); a->builder = NULL)
ROW(gw_builder_keep, (void)gw_builder_keep(a->builder, 1, NULL, count_done, NULL))
ROW(gw_builder_listener, gw_listener_spec s = GW_SPEC(gw_listener_spec);
    (void)gw_builder_listener(a->builder, &s))
ROW(gw_builder_new, gw_builder *b = NULL; (void)!gw_builder_new(NULL, &b); gw_builder_free(b))
ROW(gw_builder_next_error, gw_config_error e = GW_SPEC(gw_config_error);
    (void)gw_builder_next_error(a->builder, &e))
ROW(gw_builder_route, gw_route_spec s = GW_SPEC(gw_route_spec);
    (void)gw_builder_route(a->builder, &s))
ROW(gw_builder_use, gw_use_spec s = GW_SPEC(gw_use_spec);
    (void)gw_builder_use(a->builder, 1, 0, &s))
ROW(gw_by_name, (void)gw_by_name(1))
ROW(gw_bytes_next, (void)0) /* takes the notices that the test's host lives on */
ROW(gw_config_listener, gw_listener_spec s = GW_SPEC(gw_listener_spec);
    (void)gw_config_listener(a->config, 0, &s))
ROW(gw_config_ref, gw_config_unref(gw_config_ref(a->config)))
ROW(gw_config_unref, gw_config_unref(NULL))
ROW(gw_cstr, (void)gw_cstr("text"))
ROW(gw_engine_apply, (void)!gw_engine_apply(a->engine, a->config, NULL))
ROW(gw_engine_free, gw_engine_free(a->engine)) /* while a worker is left it does nothing */
ROW(gw_engine_generation, (void)gw_engine_generation(a->engine))
ROW(gw_engine_new, gw_engine_spec s = GW_SPEC(gw_engine_spec); gw_engine *e = NULL;
    (void)!gw_engine_new(&s, &e); gw_engine_free(e))
ROW(gw_exchange_alloc, (void)gw_exchange_alloc(a->x, 100))
ROW(gw_exchange_cause, (void)gw_exchange_cause(a->x))
ROW(gw_exchange_config, (void)gw_exchange_config(a->x))
ROW(gw_exchange_forbid_retry, (void)gw_exchange_forbid_retry(a->x))
ROW(gw_exchange_get_id, ck_assert_uint_ne(gw_exchange_get_id(a->x), 0))
ROW(gw_exchange_get_info, gw_exchange_info i = GW_SPEC(gw_exchange_info);
    ck_assert_int_eq(gw_exchange_get_info(a->x, &i), GW_OK))
ROW(gw_exchange_inform, ck_assert_int_eq(gw_exchange_inform(a->x, 103, NULL), GW_ESTATE))
ROW(gw_exchange_label, (void)gw_exchange_label(a->x, word))
ROW(gw_exchange_link, ck_assert_ptr_eq(gw_exchange_link(a->x), a->link))
ROW(gw_exchange_memory, (void)gw_exchange_memory(a->x))
ROW(gw_exchange_pipe,
    ck_assert_ptr_eq(gw_exchange_pipe(a->x, a->hook == RESPONSE_BODY || a->hook == RESPONSE_END
                                                ? GW_SIDE_RESPONSE
                                                : GW_SIDE_REQUEST),
                     a->pipe))
ROW(gw_exchange_reply, gw_reply r = GW_SPEC(gw_reply);
    gw_status status = gw_exchange_reply(a->x, &r);
    ck_assert_int_eq(status, a->hook <= RESPONSE || a->hook == RESUME ? GW_OK : GW_ESTATE))
ROW(gw_exchange_request, ck_assert_ptr_nonnull(gw_exchange_request(a->x)))
ROW(gw_exchange_reroute,
    ck_assert_int_eq(gw_exchange_reroute(a->x), a->hook == ROUTE ? GW_OK : GW_ESTATE))
ROW(gw_exchange_respond, ck_assert_int_eq(gw_exchange_respond(a->x, 200), GW_ESTATE))
ROW(gw_exchange_response, (void)gw_exchange_response(a->x))
ROW(gw_exchange_route_user, (void)gw_exchange_route_user(a->x))
ROW(gw_exchange_serve, ck_assert_int_ne(gw_exchange_serve(a->x, NULL), GW_OK))
ROW(gw_exchange_set_cluster,
    bool is_early = a->hook == REQUEST || a->hook == ROUTE || a->hook == RESUME;
    ck_assert_int_eq(gw_exchange_set_cluster(a->x, gw_cstr("web")), is_early ? GW_OK : GW_ESTATE))
ROW(gw_exchange_set_label,
    ck_assert_int_eq(gw_exchange_set_label(a->x, word, word), a->hook == END ? GW_ESTATE : GW_OK))
ROW(gw_exchange_show_body, (void)gw_exchange_show_body(a->x, GW_BODY_REQUEST))
ROW(gw_exchange_trailers, ck_assert_ptr_nonnull(gw_exchange_trailers(a->x, GW_SIDE_RESPONSE)))
ROW(gw_exchange_wait, gw_ticket t = gw_exchange_wait(a->x);
    ck_assert_int_eq(t.worker == NULL, a->hook == END))
ROW(gw_exchange_worker, ck_assert_ptr_eq(gw_exchange_worker(a->x), a->worker))
ROW(gw_limits_footprint, gw_footprint f = GW_SPEC(gw_footprint);
    (void)!gw_limits_footprint(NULL, a->config, &f))
ROW(gw_link_abort, gw_link_abort(a->link))
ROW(gw_link_closed, (void)0) /* the host's last word: the test's host says it itself */
ROW(gw_link_connected, gw_link_connected(a->link, GW_OK, NULL))
ROW(gw_link_finish, gw_link_finish(a->link))
ROW(gw_link_get_destination, gw_destination d = GW_SPEC(gw_destination);
    ck_assert_int_eq(gw_link_get_destination(a->link, &d), GW_ESTATE))
ROW(gw_link_get_facts, gw_facts f = GW_SPEC(gw_facts); (void)gw_link_get_facts(a->link, &f))
ROW(gw_link_io, (void)gw_link_io(a->link))
ROW(gw_link_received, gw_link_received(a->link, 0, GW_AGAIN))
ROW(gw_link_room, gw_span room; (void)gw_link_room(a->link, &room, 1))
ROW(gw_link_sent, gw_link_sent(a->link, 0, GW_OK))
ROW(gw_link_set_io, gw_link_set_io(a->link, gw_link_io(a->link)))
ROW(gw_link_set_user, gw_link_set_user(a->link, NULL))
ROW(gw_link_unread, gw_const_span s; (void)gw_link_unread(a->link, &s, 1))
ROW(gw_link_unsent, gw_const_span s; (void)gw_link_unsent(a->link, &s, 1))
ROW(gw_link_user, (void)gw_link_user(a->link))
ROW(gw_link_want, (void)gw_link_want(a->link))
ROW(gw_link_worker, ck_assert_ptr_eq(gw_link_worker(a->link), a->worker))
NONE(gw_listen_address, -1, NULL, 0)
ROW(gw_listen_open, gw_listen_spec s = GW_SPEC(gw_listen_spec); int fd;
    ck_assert_int_ne(gw_listen_open(&s, &fd), GW_OK))
NONE(gw_listener_address, NULL, NULL, 0)
ROW(gw_listener_close, gw_listener_close(NULL))
NONE(gw_listener_fd, NULL)
NONE(gw_loop_adopt, NULL, -1, NULL, NULL)
NONE(gw_loop_drain, NULL, 0)
NONE(gw_loop_fd, NULL)
ROW(gw_loop_free, gw_loop_free(NULL))
NONE(gw_loop_listen, NULL, NULL, NULL)
NONE(gw_loop_listen_fd, NULL, -1, NULL, NULL)
NONE(gw_loop_name, NULL)
NONE(gw_loop_new, NULL, NULL, NULL)
NONE(gw_loop_now, NULL)
NONE(gw_loop_run, NULL)
NONE(gw_loop_run_once, NULL, 0)
ROW(gw_loop_stop, gw_loop_stop(NULL))
NONE(gw_loop_timeout_ms, NULL)
ROW(gw_loop_visit, gw_loop_visit(NULL, NULL))
NONE(gw_loop_worker, NULL)
ROW(gw_message_add_field, (void)gw_message_add_field(gw_exchange_request(a->x), word, word);
    (void)gw_message_add_field(gw_exchange_response(a->x), word, word);
    (void)gw_message_add_field(gw_exchange_trailers(a->x, GW_SIDE_REQUEST), word, word);
    (void)gw_message_add_field(gw_exchange_trailers(a->x, GW_SIDE_RESPONSE), word, word))
ROW(gw_message_clear, (void)gw_message_clear(gw_exchange_request(a->x));
    (void)gw_message_clear(gw_exchange_response(a->x));
    (void)gw_message_clear(gw_exchange_trailers(a->x, GW_SIDE_REQUEST));
    (void)gw_message_clear(gw_exchange_trailers(a->x, GW_SIDE_RESPONSE)))
ROW(gw_message_code, (void)gw_message_code(gw_exchange_response(a->x)))
ROW(gw_message_drop_field, (void)gw_message_drop_field(gw_exchange_request(a->x), gw_cstr("host"));
    (void)gw_message_drop_field(gw_exchange_response(a->x), gw_cstr("content-length")))
ROW(gw_message_field, (void)gw_message_field(gw_exchange_response(a->x), word))
ROW(gw_message_field_at, (void)gw_message_field_at(gw_exchange_request(a->x), 0, NULL, NULL))
ROW(gw_message_fields, (void)gw_message_fields(gw_exchange_response(a->x)))
ROW(gw_message_part, (void)gw_message_part(gw_exchange_request(a->x), GW_PART_PATH))
ROW(gw_message_set_code, (void)gw_message_set_code(gw_exchange_response(a->x), 404))
ROW(gw_message_set_field, (void)gw_message_set_field(gw_exchange_request(a->x), word, word);
    (void)gw_message_set_field(gw_exchange_response(a->x), word, word))
ROW(gw_message_set_part,
    (void)gw_message_set_part(gw_exchange_request(a->x), GW_PART_PATH, gw_cstr("/other")))
ROW(gw_phase_name, (void)gw_phase_name(1))
ROW(gw_pipe_drop, (void)gw_pipe_drop(a->pipe, 0))
ROW(gw_pipe_end, ck_assert_int_eq(gw_pipe_end(a->pipe), GW_EINVAL))
ROW(gw_pipe_gather, gw_const_span s; (void)gw_pipe_gather(a->pipe, 1, &s))
ROW(gw_pipe_is_last, (void)gw_pipe_is_last(a->pipe))
ROW(gw_pipe_lend, (void)gw_pipe_lend(a->pipe, bytes, count_done, NULL, NULL))
ROW(gw_pipe_pass, (void)gw_pipe_pass(a->pipe, 1))
ROW(gw_pipe_peek, gw_const_span s; (void)gw_pipe_peek(a->pipe, &s, 1))
ROW(gw_pipe_room, (void)gw_pipe_room(a->pipe))
ROW(gw_pipe_write, (void)gw_pipe_write(a->pipe, "more", 4))
ROW(gw_reason_of, gw_reason r = GW_SPEC(gw_reason); (void)gw_reason_of(1, &r))
ROW(gw_resume, gw_ticket t = { a->worker, 77, 1 }; ck_assert_int_ne(gw_resume(t, NULL), GW_OK))
ROW(gw_stats_describe, gw_stat s = GW_SPEC(gw_stat); (void)gw_stats_describe(0, &s))
ROW(gw_stats_read, uint64_t n; (void)gw_stats_read(a->worker, &n, 1))
ROW(gw_status_category, (void)gw_status_category(GW_EIO))
ROW(gw_status_name, (void)gw_status_name(GW_EIO))
ROW(gw_status_text, (void)gw_status_text(GW_EIO))
ROW(gw_trace_name, (void)gw_trace_name(1))
ROW(gw_version, (void)gw_version())
ROW(gw_worker_accept, gw_accept_spec s = GW_SPEC(gw_accept_spec); gw_link *l = NULL;
    s.listener = gw_cstr("edge"); (void)!gw_worker_accept(a->worker, &s, &l))
ROW(gw_worker_call, gw_call_spec s = GW_SPEC(gw_call_spec); gw_exchange_id id;
    s.cluster = gw_cstr("web"); (void)gw_worker_call(a->worker, &s, &id))
ROW(gw_worker_cancel, (void)gw_worker_cancel(a->worker, 1 << 20))
ROW(gw_worker_deadline, (void)gw_worker_deadline(a->worker))
ROW(gw_worker_drain, (void)gw_worker_drain(a->worker, 10))
ROW(gw_worker_free, gw_worker_free(a->worker)) /* inside a hook it does nothing */
ROW(gw_worker_is_idle, ck_assert(!gw_worker_is_idle(a->worker)))
ROW(gw_worker_new, gw_worker_spec s = GW_SPEC(gw_worker_spec); gw_worker *w = NULL; s.seed = 2;
    (void)!gw_worker_new(a->engine, &s, &w); gw_worker_free(w))
ROW(gw_worker_step, ck_assert_int_eq(gw_worker_step(a->worker, host.now), GW_ESTATE))
ROW(gw_worker_user, (void)gw_worker_user(a->worker))
ROW(gw_yaml_load, (void)0) /* reads a text, and knows of no worker: tests/unit/yaml_test.c */

static const struct {
    const char *name;
    void (*call)(struct at *at);
} rows[] = {
#define X(name) { #name, call_##name },
    EVERY_SYMBOL
#undef X
};
enum { ROWS = sizeof rows / sizeof *rows };

/* ---- a filter that makes it ---- */

static void make(gw_exchange *x, gw_pipe *pipe, enum hook hook)
{
    struct at at = { .x = x,
                     .pipe = pipe,
                     .worker = host.worker,
                     .engine = host.engine,
                     .link = gw_exchange_link(x),
                     .hook = hook };

    if (now.hook != hook || now.is_made)
        return;
    now.is_made = true;
    at.builder = parts_begin(&host);
    parts_listener(at.builder, "edge");
    at.config = parts_build(at.builder);
    at.builder = parts_begin(&host);
    now.call(&at);
    gw_builder_free(at.builder);
    gw_config_unref(at.config);
}

static gw_verdict on_request(void *ctx, gw_exchange *x)
{
    (void)ctx;
    make(x, NULL, REQUEST);
    if (now.hook != RESUME)
        return GW_NEXT;
    now.ticket = gw_exchange_wait(x);
    return GW_WAIT;
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

static void on_end(void *ctx, const gw_exchange *x)
{
    (void)ctx;
    now.ended++;
    make((gw_exchange *)(uintptr_t)x, NULL, END);
}

static void start(void)
{
    gw_filter filter = GW_SPEC(gw_filter);
    gw_builder *b;

    memset(&host, 0, sizeof host);
    test_alloc_init(&host.alloc);
    b = parts_begin(&host);
    parts_listener(b, "edge");
    parts_cluster(b, "web", NULL, "10.0.0.1:80");
    parts_route(b, "/", NULL, "web");
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
    ck_assert_uint_ne(gw_builder_filter(b, &filter), 0);
    mode1_start(&host, parts_build(b), NULL);
}

/* One exchange with a body each way goes by; whatever the call was, it ends once and leaves nothing. */
static void run(int row)
{
    struct mode1_link *l;

    now.call = rows[row].call;
    start();
    l = mode1_accept(&host, "edge");
    mode1_say(&host, l, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    if (now.hook == RESUME) {
        ck_assert_int_eq(gw_resume(now.ticket, NULL), GW_OK);
        mode1_pump(&host);
    }
    for (int i = 0; i < host.count; i++)
        if (host.links[i].is_upstream && host.links[i].link != NULL)
            mode1_say(&host, &host.links[i], "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes");
    host.now += GW_MS(400000);
    mode1_pump(&host);
    mode1_stop(&host);
    ck_assert_msg(now.is_made, "%s was not called", rows[row].name);
    ck_assert_msg(now.ended >= 1, "%s: no end", rows[row].name);
}

START_TEST(every_call)
{
    for (int row = 0; row < ROWS; row++) {
        memset(&now, 0, sizeof now);
        now.hook = (enum hook)_i;
        run(row);
    }
}
END_TEST

Suite *every_suite(void)
{
    Suite *suite = suite_create("every");

    check_add_loop(suite, every_call, 0, HOOKS);
    return suite;
}
