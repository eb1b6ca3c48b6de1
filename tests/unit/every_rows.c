/* unit/every_rows.c: each public call, made from wherever at says, and what it must answer there. One of
 * tests/abi/symbols.txt without a row here does not compile. */

#include <gw/resolver.h>
#include <gw/yaml.h>

#include "every.h"
#include "every_symbol.h"

static void nobody_asks(void *ctx, void *object)
{
    (void)ctx;
    (void)object;
}

static void nothing(gw_loop *loop, void *ctx)
{
    (void)loop;
    (void)ctx;
}

static bool is_filters(enum hook hook)
{
    return hook <= END;
}

static bool is_end(enum hook hook)
{
    return hook == END || hook == ORIGIN_END || hook == CALL_END;
}

/* None of them has answered yet. */
static bool is_origins_turn(enum hook hook)
{
    return hook >= ORIGIN_REQUEST && hook < ORIGIN_END;
}

/* Of an exchange. */
static bool is_hook(enum hook hook)
{
    return hook <= CALL_END;
}

/* In that hook it is done; in another it is refused, by whatever word. */
static void check_may(const struct at *a, gw_status status, bool is_right_hook)
{
    if (is_right_hook)
        ck_assert_int_eq(status, GW_OK);
    else if (is_hook(a->hook))
        ck_assert_int_eq(status, GW_ESTATE);
    else
        ck_assert_int_ne(status, GW_OK);
}

static const gw_str word = { "word", 4 };
static const gw_const_span bytes = { "bytes", 5 };

/* ---- a row a call ---- */

/* A resolver of its own, where there can be one: it runs in any thread, also in one that steps. */
#define RESOLVER_ROW(name, ...)                                                                    \
    ROW(name, gw_resolver *r = NULL; (void)!gw_resolver_new(a->engine, NULL, &r); __VA_ARGS__;     \
        gw_resolver_free(r))

#define ROW(name, ...)                                                                             \
    static void call_##name(struct at *a)                                                          \
    {                                                                                              \
        (void)a;                                                                                   \
        __VA_ARGS__;                                                                               \
    }
/* Of both pipes that there may be. */
#define PIPE_ROW(name, ...)                                                                        \
    static void of_##name(struct at *a, gw_pipe *p)                                                \
    {                                                                                              \
        (void)a;                                                                                   \
        __VA_ARGS__;                                                                               \
    }                                                                                              \
    ROW(name, of_##name(a, a->pipe); of_##name(a, a->other))

ROW(gw_address_parse, gw_address out; (void)!gw_address_parse(word, &out))
ROW(gw_build_features, (void)gw_build_features())
ROW(gw_builder_balancer, gw_balancer s = GW_SPEC(gw_balancer);
    (void)gw_builder_balancer(a->builder, &s))
ROW(gw_builder_build, gw_config *out = NULL; (void)!gw_builder_build(a->builder, &out, NULL);
    gw_config_unref(out); a->builder = NULL)
ROW(gw_builder_cluster, gw_cluster_spec s = GW_SPEC(gw_cluster_spec);
    (void)gw_builder_cluster(a->builder, &s))
ROW(gw_builder_endpoint, gw_endpoint_spec s = GW_SPEC(gw_endpoint_spec);
    (void)gw_builder_endpoint(a->builder, 1, &s))
ROW(gw_builder_limiter, gw_limiter_spec s = GW_SPEC(gw_limiter_spec);
    (void)gw_builder_limiter(a->builder, &s))
ROW(gw_builder_filter, gw_filter f = GW_SPEC(gw_filter); (void)gw_builder_filter(a->builder, &f))
ROW(gw_builder_free, gw_builder_free(a->builder); a->builder = NULL)
ROW(gw_builder_keep, (void)gw_builder_keep(a->builder, 1, NULL, nobody_asks, NULL))
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
ROW(gw_choice_candidate, gw_candidate s = GW_SPEC(gw_candidate);
    ck_assert_int_eq(gw_choice_candidate(a->choice, 0, &s), a->choice != NULL ? GW_OK : GW_EINVAL))
ROW(gw_config_listener, gw_listener_spec s = GW_SPEC(gw_listener_spec);
    (void)gw_config_listener(a->config, 0, &s))
ROW(gw_config_moved, uint32_t moved;
    ck_assert_int_eq(gw_config_moved(a->config, a->config, gw_cstr("none"), &moved), GW_EUNKNOWN))
ROW(gw_config_ref, gw_config_unref(gw_config_ref(a->config)))
ROW(gw_config_dns, gw_dns_spec s = GW_SPEC(gw_dns_spec);
    ck_assert_int_eq(gw_config_dns(a->config, 5000, NULL, &s), GW_EUNKNOWN))
ROW(gw_config_shares, size_t n;
    ck_assert_int_eq(gw_config_shares(a->config, 5000, NULL, NULL, 0, &n), GW_EUNKNOWN))
ROW(gw_config_unref, gw_config_unref(NULL))
ROW(gw_cstr, (void)gw_cstr("text"))
ROW(gw_engine_apply, (void)!gw_engine_apply(a->engine, a->config, NULL))
ROW(gw_engine_drop_endpoint,
    (void)!gw_engine_drop_endpoint(a->engine, gw_cstr("web"), gw_cstr("none")))
ROW(gw_engine_force, gw_force_spec s = GW_SPEC(gw_force_spec); s.kind = GW_KIND_ENDPOINT;
    s.cluster = gw_cstr("web"); /* nothing was forced */
    (void)!gw_engine_force(a->engine, &s))
ROW(gw_engine_free, gw_engine_free(a->engine)) /* while a worker is left it does nothing */
ROW(gw_engine_generation, (void)gw_engine_generation(a->engine))
ROW(gw_engine_new, gw_engine_spec s = GW_SPEC(gw_engine_spec); gw_engine *e = NULL;
    (void)!gw_engine_new(&s, &e); gw_engine_free(e))
ROW(gw_engine_put_endpoint, gw_endpoint_spec s = GW_SPEC(gw_endpoint_spec);
    s.address = gw_cstr("10.0.0.2:80"); s.weight = GW_OFF; /* nobody is sent there */
    (void)!gw_engine_put_endpoint(a->engine, gw_cstr("web"), &s, NULL))
ROW(gw_engine_set_endpoints,
    (void)!gw_engine_set_endpoints(a->engine, gw_cstr("own"), NULL, 0, NULL))
ROW(gw_engine_set_splits, gw_split_spec s = GW_SPEC(gw_split_spec);
    (void)!gw_engine_set_splits(a->engine, gw_cstr("none"), &s, 1, NULL))
ROW(gw_exchange_alloc, (void)gw_exchange_alloc(a->x, 100))
ROW(gw_exchange_cause, (void)gw_exchange_cause(a->x))
ROW(gw_exchange_config, (void)gw_exchange_config(a->x))
ROW(gw_exchange_forbid_retry, (void)gw_exchange_forbid_retry(a->x))
ROW(gw_exchange_get_id, ck_assert_int_eq(gw_exchange_get_id(a->x) != 0, a->x != NULL))
ROW(gw_exchange_get_info, gw_exchange_info i = GW_SPEC(gw_exchange_info);
    ck_assert_int_eq(gw_exchange_get_info(a->x, &i), a->x != NULL ? GW_OK : GW_EINVAL))
ROW(gw_exchange_inform, check_may(a, gw_exchange_inform(a->x, 103, NULL), is_origins_turn(a->hook)))
ROW(gw_exchange_label, (void)gw_exchange_label(a->x, word))
ROW(gw_exchange_link, if (is_hook(a->hook)) ck_assert_ptr_eq(gw_exchange_link(a->x), a->link))
ROW(gw_exchange_memory, (void)gw_exchange_memory(a->x))
ROW(gw_exchange_pipe, gw_pipe *request = gw_exchange_pipe(a->x, GW_SIDE_REQUEST);
    gw_pipe *response = gw_exchange_pipe(a->x, GW_SIDE_RESPONSE);
    if (is_filters(a->hook)) ck_assert(a->pipe == (request != NULL ? request : response));
    if (!is_hook(a->hook)) ck_assert(request == NULL && response == NULL))
ROW(gw_exchange_reply, gw_reply r = GW_SPEC(gw_reply);
    check_may(a, gw_exchange_reply(a->x, &r), a->hook <= RESPONSE || a->hook == RESUME))
ROW(gw_exchange_request, ck_assert_int_eq(gw_exchange_request(a->x) != NULL, a->x != NULL))
ROW(gw_exchange_reroute, check_may(a, gw_exchange_reroute(a->x), a->hook == ROUTE))
ROW(gw_exchange_respond, check_may(a, gw_exchange_respond(a->x, 200), is_origins_turn(a->hook)))
ROW(gw_exchange_response, (void)gw_exchange_response(a->x))
ROW(gw_exchange_route_user, (void)gw_exchange_route_user(a->x))
ROW(gw_exchange_serve, ck_assert_int_ne(gw_exchange_serve(a->x, NULL), GW_OK))
ROW(gw_exchange_set_cluster, check_may(a, gw_exchange_set_cluster(a->x, gw_cstr("web")),
                                       a->hook == REQUEST || a->hook == ROUTE || a->hook == RESUME))
ROW(gw_exchange_set_hash_key,
    check_may(a, gw_exchange_set_hash_key(a->x, word),
              a->hook == REQUEST || a->hook == ROUTE || a->hook == RESUME))
ROW(gw_exchange_set_label,
    check_may(a, gw_exchange_set_label(a->x, word, word), is_hook(a->hook) && !is_end(a->hook)))
ROW(gw_exchange_show_body, (void)gw_exchange_show_body(a->x, GW_BODY_REQUEST))
ROW(gw_exchange_trailers,
    ck_assert_int_eq(gw_exchange_trailers(a->x, GW_SIDE_RESPONSE) != NULL, a->x != NULL))
ROW(gw_exchange_wait, gw_ticket t = gw_exchange_wait(a->x);
    ck_assert_int_eq(t.worker == NULL, is_end(a->hook) || !is_hook(a->hook)))
ROW(gw_exchange_worker, ck_assert_ptr_eq(gw_exchange_worker(a->x), a->x != NULL ? a->worker : NULL))
ROW(gw_explain, gw_explain_spec s = GW_SPEC(gw_explain_spec);
    gw_explained e = GW_SPEC(gw_explained); (void)!gw_explain(a->engine, &s, &e);
    s.worker = is_hook(a->hook) ? a->worker : NULL; (void)!gw_explain(a->engine, &s, &e))
ROW(gw_limits_footprint, gw_footprint f = GW_SPEC(gw_footprint);
    (void)!gw_limits_footprint(NULL, a->config, &f))
ROW(gw_link_abort, gw_link_abort(a->link))
/* In a loop it is the loop's. */
ROW(gw_link_closed, a->is_closed = a->link != NULL && a->loop == NULL;
    if (a->is_closed) gw_link_closed(a->link))
ROW(gw_link_connected, gw_link_connected(a->link, GW_OK, NULL))
ROW(gw_link_finish, gw_link_finish(a->link))
ROW(gw_link_get_destination, gw_destination d = GW_SPEC(gw_destination);
    (void)gw_link_get_destination(a->link, &d))
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
ROW(gw_link_worker, ck_assert(a->link == NULL || gw_link_worker(a->link) == a->worker))
ROW(gw_listen_address, (void)!gw_listen_address(-1, NULL, 0))
ROW(gw_listen_open, gw_listen_spec s = GW_SPEC(gw_listen_spec); int fd;
    ck_assert_int_ne(gw_listen_open(&s, &fd), GW_OK))
ROW(gw_listener_address, (void)!gw_listener_address(NULL, NULL, 0))
ROW(gw_listener_close, gw_listener_close(NULL))
ROW(gw_listener_fd, (void)!gw_listener_fd(NULL))
ROW(gw_loop_adopt, (void)!gw_loop_adopt(a->loop, -1, NULL, NULL))
ROW(gw_loop_drain, (void)!gw_loop_drain(a->loop, 0))
ROW(gw_loop_fd, (void)!gw_loop_fd(a->loop))
ROW(gw_loop_free, gw_loop_free(a->loop)) /* inside a hook it does nothing */
ROW(gw_loop_listen, (void)!gw_loop_listen(a->loop, NULL, NULL))
ROW(gw_loop_listen_fd, (void)!gw_loop_listen_fd(a->loop, -1, NULL, NULL))
ROW(gw_loop_name, (void)!gw_loop_name(a->loop))
ROW(gw_loop_new, gw_loop_spec s = GW_SPEC(gw_loop_spec); gw_loop *l = NULL; s.kind = GW_LOOP_POLL;
    if (a->loop != NULL) ck_assert_int_ne(gw_loop_new(a->engine, &s, &l), GW_EIO); gw_loop_free(l))
ROW(gw_loop_now, (void)!gw_loop_now(a->loop))
ROW(gw_loop_run, ck_assert_int_ne(gw_loop_run(a->loop), GW_OK))
ROW(gw_loop_run_once, ck_assert_int_ne(gw_loop_run_once(a->loop, 0), GW_OK))
ROW(gw_loop_stop, gw_loop_stop(a->loop))
ROW(gw_loop_timeout_ms, (void)!gw_loop_timeout_ms(a->loop))
ROW(gw_loop_visit, static gw_visit visit; visit.run = nothing; gw_loop_visit(a->loop, &visit))
ROW(gw_loop_worker, (void)!gw_loop_worker(a->loop))
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
PIPE_ROW(gw_pipe_drop, (void)gw_pipe_drop(p, 0))
PIPE_ROW(gw_pipe_end, gw_status status = gw_pipe_end(p);
         ck_assert(!is_filters(a->hook) || status == GW_EINVAL))
PIPE_ROW(gw_pipe_gather, gw_const_span s; (void)gw_pipe_gather(p, 1, &s))
PIPE_ROW(gw_pipe_is_last, (void)gw_pipe_is_last(p))
PIPE_ROW(gw_pipe_lend, (void)gw_pipe_lend(p, bytes, nobody_asks, NULL, NULL))
PIPE_ROW(gw_pipe_pass, (void)gw_pipe_pass(p, 1))
PIPE_ROW(gw_pipe_peek, gw_const_span s; (void)gw_pipe_peek(p, &s, 1))
PIPE_ROW(gw_pipe_room, (void)gw_pipe_room(p))
PIPE_ROW(gw_pipe_write, (void)gw_pipe_write(p, "more", 4))
ROW(gw_reason_of, gw_reason r = GW_SPEC(gw_reason); (void)gw_reason_of(1, &r))
RESOLVER_ROW(gw_resolver_fd, (void)!gw_resolver_fd(r))
ROW(gw_resolver_free, gw_resolver_free(NULL))
ROW(gw_tls_new, gw_tls *t = NULL; (void)!gw_tls_new(NULL, NULL, &t, NULL))
ROW(gw_tls_leave_thread, gw_tls_leave_thread())
ROW(gw_tls_ref, (void)gw_tls_ref(NULL))
ROW(gw_tls_unref, gw_tls_unref(NULL))
RESOLVER_ROW(gw_resolver_new, (void)r)
RESOLVER_ROW(gw_resolver_pending, ck_assert_uint_eq(gw_resolver_pending(r), 0))
RESOLVER_ROW(gw_resolver_run, gw_resolver_stop(r); (void)!gw_resolver_run(r))
RESOLVER_ROW(gw_resolver_step, (void)!gw_resolver_step(r))
RESOLVER_ROW(gw_resolver_stop, gw_resolver_stop(r))
ROW(gw_resume, gw_ticket t = { a->worker, 77, 1 }; ck_assert_int_ne(gw_resume(t, NULL), GW_OK))
ROW(gw_stats_describe, gw_stat s = GW_SPEC(gw_stat); (void)gw_stats_describe(0, &s))
ROW(gw_stats_read, uint64_t n; (void)gw_stats_read(a->worker, &n, 1))
ROW(gw_status_category, (void)gw_status_category(GW_EIO))
ROW(gw_status_name, (void)gw_status_name(GW_EIO))
ROW(gw_status_text, (void)gw_status_text(GW_EIO))
ROW(gw_trace_name, (void)gw_trace_name(1))
ROW(gw_version, (void)gw_version())
ROW(gw_view_at, gw_view_at(NULL, a->now))
ROW(gw_view_close, gw_view_close(NULL))
ROW(gw_view_next, gw_view *v = NULL; gw_state s = GW_SPEC(gw_state);
    if (gw_view_open(a->engine, &v) == GW_OK)(void) gw_view_next(v, &s); gw_view_close(v))
ROW(gw_view_open, gw_view *v = NULL; (void)!gw_view_open(a->engine, &v); gw_view_close(v))
ROW(gw_worker_accept, gw_accept_spec s = GW_SPEC(gw_accept_spec); gw_link *l = NULL;
    s.listener = gw_cstr("edge"); (void)!gw_worker_accept(a->worker, &s, &l))
ROW(gw_worker_call, gw_call_spec s = GW_SPEC(gw_call_spec); gw_exchange_id id;
    s.cluster = gw_cstr("web"); (void)gw_worker_call(a->worker, &s, &id))
ROW(gw_worker_cancel, (void)gw_worker_cancel(a->worker, 1 << 20))
ROW(gw_worker_deadline, (void)gw_worker_deadline(a->worker))
ROW(gw_worker_drain, (void)gw_worker_drain(a->worker, 10))
ROW(gw_worker_free, gw_worker_free(a->worker)) /* inside a hook it does nothing */
ROW(gw_worker_is_idle, ck_assert(!is_hook(a->hook) || !gw_worker_is_idle(a->worker)))
ROW(gw_worker_new, gw_worker_spec s = GW_SPEC(gw_worker_spec); gw_worker *w = NULL; s.seed = 2;
    (void)!gw_worker_new(a->engine, &s, &w); gw_worker_free(w))
ROW(gw_worker_recall, gw_record r = GW_SPEC(gw_record); (void)gw_worker_recall(a->worker, 0, &r))
ROW(gw_worker_step, ck_assert_int_eq(gw_worker_step(a->worker, a->now), GW_ESTATE))
ROW(gw_worker_user, (void)gw_worker_user(a->worker))
ROW(gw_yaml_load, (void)0) /* reads a text, and knows of no worker: tests/unit/yaml_test.c */

const struct every_row every_rows[] = {
#define X(name) { #name, call_##name },
    EVERY_SYMBOL
#undef X
};
const int every_rows_len = sizeof every_rows / sizeof *every_rows;

/* Those of gw/env.h that any thread may make. */
bool every_is_any_threads(const char *name)
{
    static const char *const prefixes[] = { "gw_engine_", "gw_config_", "gw_builder_",
                                            "gw_listen_", "gw_view_",   "gw_resolver_",
                                            NULL };
    static const char *const names[] = {
        "gw_resume",        "gw_stats_read",       "gw_loop_visit",
        "gw_loop_drain",    "gw_loop_stop",        "gw_yaml_load",
        "gw_address_parse", "gw_build_features",   "gw_by_name",
        "gw_cstr",          "gw_limits_footprint", "gw_phase_name",
        "gw_reason_of",     "gw_stats_describe",   "gw_status_category",
        "gw_status_name",   "gw_status_text",      "gw_trace_name",
        "gw_version",       "gw_explain",          NULL
    };

    for (int i = 0; prefixes[i] != NULL; i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    for (int i = 0; names[i] != NULL; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}
