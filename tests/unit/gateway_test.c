/* The whole gateway over real sockets: a client, an edge that routes, an origin that echoes, each
 * with a loop of its own; once with each kind of loop. What is tested here is that the loops and the
 * worker understand each other; the protocols have their own tests.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gw/gw.h>

#include "alloc.h"
#include "check_main.h"
#include "kinds.h"
#include "loop/socket.h"

/* The origin: the body comes back. */

struct echo {
    gw_pipe *in, *out;
    uint32_t is_ended;
};

static gw_verdict pass_on(struct echo *e)
{
    gw_const_span span;
    if (e->in == NULL || e->out == NULL || e->is_ended)
        return GW_WAIT;
    while (gw_pipe_peek(e->in, &span, 1) > 0) {
        size_t n = gw_pipe_write(e->out, span.ptr, span.len);
        if (n == 0)
            return GW_WAIT;
        ck_assert_int_eq(gw_pipe_drop(e->in, n), GW_OK);
    }
    if (!gw_pipe_is_last(e->in))
        return GW_WAIT;
    e->is_ended = 1;
    ck_assert_int_eq(gw_pipe_end(e->out), GW_OK);
    return GW_NEXT;
}
static gw_verdict answer(void *ctx, gw_exchange *x)
{
    (void)ctx;
    return gw_exchange_respond(x, 200) == GW_OK ? GW_NEXT : GW_ABORT;
}
static gw_verdict take(void *ctx, gw_exchange *x, gw_pipe *request)
{
    struct echo *e = gw_exchange_memory(x);
    (void)ctx;
    e->in = request;
    return pass_on(e);
}
static gw_verdict give(void *ctx, gw_exchange *x, gw_pipe *response)
{
    struct echo *e = gw_exchange_memory(x);
    (void)ctx;
    e->out = response;
    return pass_on(e);
}

/* A gateway with one listener "front"; target NULL: it is the echoing origin itself. */

struct gateway {
    struct test_alloc alloc;
    gw_engine *engine;
    gw_loop *loop;
    gw_listener *listener;
    gw_listener_spec front; /* timeouts, before apply */
    gw_limits limits;       /* before start */
    uint32_t kind;
    char address[128];
};

static void gateway_init(struct gateway *g, int kind)
{
    memset(g, 0, sizeof(*g));
    test_alloc_init(&g->alloc);
    g->kind = kinds[kind];
    g->front = GW_SPEC(gw_listener_spec);
    g->front.name = gw_cstr("front");
    g->limits = GW_SPEC(gw_limits);
}

static void gateway_listen(struct gateway *g, const char *address, uint32_t flags)
{
    gw_listen_spec listen = GW_SPEC(gw_listen_spec);
    gw_accept_spec accept = GW_SPEC(gw_accept_spec);
    accept.listener = gw_cstr("front");
    listen.address = gw_cstr(address);
    listen.flags = flags;
    listen.accept = &accept;
    ck_assert_int_eq(gw_loop_listen(g->loop, &listen, &g->listener), GW_OK);
    g->address[gw_listener_address(g->listener, g->address, sizeof(g->address) - 1)] = '\0';
}

/* The built-in loops keep the contract. */
static void gateway_panic(void *ctx, const char *call, const char *text)
{
    (void)ctx;
    ck_abort_msg("%s: %s", call, text);
}

static void gateway_start(struct gateway *g)
{
    gw_env env = GW_SPEC(gw_env);
    gw_engine_spec engine = GW_SPEC(gw_engine_spec);
    gw_loop_spec loop = GW_SPEC(gw_loop_spec);
    env.allocator = g->alloc.allocator;
    env.panic = gateway_panic;
    engine.env = &env;
    engine.limits = &g->limits;
    ck_assert_int_eq(gw_engine_new(&engine, &g->engine), GW_OK);
    loop.kind = g->kind;
    ck_assert_int_eq(gw_loop_new(g->engine, &loop, &g->loop), GW_OK);
    gateway_listen(g, "127.0.0.1:0", 0);
}

static void gateway_apply(struct gateway *g, const char *target)
{
    gw_builder *b;
    gw_config *config;
    gw_env env = GW_SPEC(gw_env);
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);
    gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
    gw_route_spec route = GW_SPEC(gw_route_spec);
    gw_origin origin = GW_SPEC(gw_origin);
    gw_config_error err = GW_SPEC(gw_config_error);
    env.allocator = g->alloc.allocator;
    ck_assert_int_eq(gw_builder_new(&env, &b), GW_OK);
    gw_builder_listener(b, &g->front);
    origin.name = "echo";
    origin.exchange_bytes = sizeof(struct echo);
    origin.on_request = answer;
    origin.on_read = take;
    origin.on_write = give;
    cluster.name = gw_cstr("behind");
    cluster.origin = target == NULL ? &origin : NULL;
    gw_id id = gw_builder_cluster(b, &cluster);
    if (target != NULL) {
        endpoint.address = gw_cstr(target);
        gw_builder_endpoint(b, id, &endpoint);
    }
    route.name = gw_cstr("all");
    route.cluster = gw_cstr("behind");
    gw_builder_route(b, &route);
    ck_assert_msg(gw_builder_build(b, &config, &err) == GW_OK, "%s: %s", err.where, err.text);
    ck_assert_int_eq(gw_engine_apply(g->engine, config, &err), GW_OK);
    gw_config_unref(config);
}

static void gateway_fini(struct gateway *g)
{
    gw_loop_free(g->loop);
    gw_engine_free(g->engine);
    test_alloc_fini(&g->alloc);
}

/* An edge before an origin, turned by the test's own thread. */

struct pair {
    struct gateway edge, origin;
};

static void pair_start(struct pair *p, int kind)
{
    gateway_init(&p->origin, kind);
    gateway_start(&p->origin);
    gateway_apply(&p->origin, NULL);
    gateway_init(&p->edge, kind);
    gateway_start(&p->edge);
    gateway_apply(&p->edge, p->origin.address);
}

static void pair_turn(struct pair *p)
{
    ck_assert_int_eq(gw_loop_run_once(p->edge.loop, 1), GW_OK);
    ck_assert_int_eq(gw_loop_run_once(p->origin.loop, 0), GW_OK);
}

static void pair_fini(struct pair *p)
{
    gateway_fini(&p->edge);
    gateway_fini(&p->origin);
}

/* Clients. */

static int dial(const char *address)
{
    gw_address a;
    int fd;
    bool is_pending;
    ck_assert_int_eq(gw_address_parse(gw_cstr(address), &a), GW_OK);
    ck_assert_int_eq(gw_socket_connect(&a, &fd, &is_pending), GW_OK);
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    ck_assert_int_eq(poll(&p, 1, 10000), 1);
    ck_assert_int_eq(gw_socket_connected(fd), GW_OK);
    return fd;
}

static size_t put_some(int fd, const char *bytes, size_t len)
{
    ssize_t n = send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    ck_assert(n >= 0 || errno == EAGAIN);
    return n > 0 ? (size_t)n : 0;
}

/* An answer under way: a head, then a body of content-length or chunks, told apart as it comes. */
struct reply {
    size_t len;
    bool is_over; /* the connection has ended */
    char bytes[3 << 20];
};

static void take_some(int fd, struct reply *r)
{
    ssize_t n = recv(fd, r->bytes + r->len, sizeof(r->bytes) - 1 - r->len, MSG_DONTWAIT);
    if (n > 0)
        r->len += (size_t)n;
    else if (n == 0 || errno != EAGAIN)
        r->is_over = true;
    r->bytes[r->len] = '\0';
}

/* The body in place, without its chunks. Returns its length, or -1: not all is here. A chunk's size
 * and end are checked only as far as this needs. */
static long body_of(struct reply *r, char **body)
{
    char *head_end = strstr(r->bytes, "\r\n\r\n");
    if (head_end == NULL)
        return -1;
    char *at = head_end + 4, *end = r->bytes + r->len, *to = at;
    *head_end = '\0';
    char *length = strcasestr(r->bytes, "\r\ncontent-length:");
    *head_end = '\r';
    *body = at;
    if (length != NULL) {
        long want = strtol(length + 17, NULL, 10);
        return end - at < want ? -1 : want;
    }
    if (end - at < 5 || memcmp(end - 5, "0\r\n\r\n", 5) != 0)
        return -1;
    for (;;) {
        char *line_end;
        long n = strtol(at, &line_end, 16);
        ck_assert(memcmp(line_end, "\r\n", 2) == 0);
        if (n == 0)
            return to - *body;
        memmove(to, line_end + 2, (size_t)n);
        to += n;
        at = line_end + 2 + n + 2;
    }
}

static void pattern(char *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (char)('A' + (i * 7 + i / 251) % 50);
}

/* Sends head and body, and waits for the answer; the body must come back. */
static void echo_once(struct pair *p, int fd, struct reply *r, const char *body, size_t len)
{
    char head[128];
    size_t head_len = (size_t)snprintf(
        head, sizeof(head), "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", len);
    size_t sent = 0;
    char *got;
    r->len = 0;
    ck_assert_uint_eq(put_some(fd, head, head_len), head_len);
    for (int i = 0; i < 100000; i++) {
        sent += sent < len ? put_some(fd, body + sent, len - sent) : 0;
        pair_turn(p);
        take_some(fd, r);
        ck_assert(!r->is_over);
        long n = sent < len ? -1 : body_of(r, &got);
        if (n < 0)
            continue;
        ck_assert_mem_eq(r->bytes, "HTTP/1.1 200", 12);
        ck_assert_int_eq(n, (long)len);
        ck_assert_int_eq(memcmp(got, body, len), 0);
        return;
    }
    ck_abort_msg("no answer");
}

/* Tests. */

static struct reply reply;
static struct pair both;

START_TEST(keep_alive)
{
    pair_start(&both, _i);
    int fds[3];
    for (int i = 0; i < 3; i++)
        fds[i] = dial(both.edge.address);
    for (int i = 0; i < 60; i++)
        echo_once(&both, fds[i % 3], &reply, "twelve bytes", 12);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    for (int i = 0; i < 10; i++)
        pair_turn(&both);
    pair_fini(&both);
}
END_TEST

START_TEST(large_bodies)
{
    static char body[1 << 20];
    pair_start(&both, _i);
    int fd = dial(both.edge.address);
    pattern(body, sizeof(body));
    echo_once(&both, fd, &reply, body, sizeof(body));
    echo_once(&both, fd, &reply, "small again", 11);
    echo_once(&both, fd, &reply, body, sizeof(body) / 3);
    close(fd);
    pair_fini(&both);
}
END_TEST

/* A client that has said all and ends its side is answered all the same. */
START_TEST(half_closed_client)
{
    pair_start(&both, _i);
    int fd = dial(both.edge.address);
    const char text[] = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nhalf";
    reply.len = 0;
    reply.is_over = false;
    ck_assert_uint_eq(put_some(fd, text, sizeof(text) - 1), sizeof(text) - 1);
    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
    for (int i = 0; i < 10000 && !reply.is_over; i++) {
        pair_turn(&both);
        take_some(fd, &reply);
    }
    ck_assert_mem_eq(reply.bytes, "HTTP/1.1 200", 12);
    ck_assert_ptr_nonnull(strstr(reply.bytes, "half"));
    close(fd);
    pair_fini(&both);
}
END_TEST

static void turn_until_reply(struct gateway *g, int fd)
{
    reply.len = 0;
    reply.is_over = false;
    for (int i = 0; i < 10000; i++) {
        char *body;
        ck_assert_int_eq(gw_loop_run_once(g->loop, 1), GW_OK);
        take_some(fd, &reply);
        if (reply.is_over || body_of(&reply, &body) >= 0)
            return;
    }
    ck_abort_msg("no answer");
}

START_TEST(nobody_upstream)
{
    struct gateway *g = &both.edge;
    char nobody[128];
    gateway_init(g, _i);
    gateway_start(g);
    memcpy(nobody, g->address, sizeof(nobody));
    gateway_fini(g);
    gateway_init(g, _i);
    gateway_start(g);
    gateway_apply(g, nobody);
    int fd = dial(g->address);
    put_some(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27);
    turn_until_reply(g, fd);
    ck_assert_mem_eq(reply.bytes, "HTTP/1.1 50", 11);
    close(fd);
    gateway_fini(g);
}
END_TEST

/* Connections that come before the configuration wait for it. */
START_TEST(configured_late)
{
    struct gateway *g = &both.edge;
    gateway_init(g, _i);
    gateway_start(g);
    int fd = dial(g->address);
    put_some(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(gw_loop_run_once(g->loop, 1), GW_OK);
    gateway_apply(g, NULL);
    turn_until_reply(g, fd);
    ck_assert_mem_eq(reply.bytes, "HTTP/1.1 200", 12);
    close(fd);
    gateway_fini(g);
}
END_TEST

/* With room for few links the others wait, and all are served. */
START_TEST(more_than_links_max)
{
    struct gateway *g = &both.edge;
    enum { CLIENTS = 12 };
    int fds[CLIENTS];
    gateway_init(g, _i);
    g->limits.links_max = 4;
    gateway_start(g);
    gateway_apply(g, NULL);
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = dial(g->address);
        put_some(fds[i], "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 46);
    }
    for (int i = 0; i < CLIENTS; i++) {
        turn_until_reply(g, fds[i]);
        ck_assert_mem_eq(reply.bytes, "HTTP/1.1 200", 12);
        close(fds[i]);
    }
    gateway_fini(g);
}
END_TEST

START_TEST(no_descriptors)
{
    struct gateway *g = &both.edge;
    struct rlimit limit, low;
    gateway_init(g, _i);
    gateway_start(g);
    gateway_apply(g, NULL);
    int fd = dial(g->address);
    put_some(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    low = limit;
    low.rlim_cur = (rlim_t)fd;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(gw_loop_run_once(g->loop, 1), GW_OK);
    ck_assert_int_gt(gw_loop_timeout_ms(g->loop), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    turn_until_reply(g, fd);
    ck_assert_mem_eq(reply.bytes, "HTTP/1.1 200", 12);
    close(fd);
    gateway_fini(g);
}
END_TEST

/* The timers of the worker bound the wait: an idle connection is closed, in few turns. */
START_TEST(idle_connection_ends)
{
    struct gateway *g = &both.edge;
    int turns = 0;
    gateway_init(g, _i);
    g->front.idle_timeout_ms = 30;
    gateway_start(g);
    gateway_apply(g, NULL);
    int fd = dial(g->address);
    put_some(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27);
    turn_until_reply(g, fd);
    while (!reply.is_over) {
        ck_assert_int_eq(gw_loop_run_once(g->loop, -1), GW_OK);
        take_some(fd, &reply);
        ck_assert_int_lt(++turns, 100);
    }
    close(fd);
    gateway_fini(g);
}
END_TEST

START_TEST(adopted_with_early_bytes)
{
    struct gateway *g = &both.edge;
    gw_accept_spec spec = GW_SPEC(gw_accept_spec);
    int pair[2];
    gateway_init(g, _i);
    gateway_start(g);
    gateway_apply(g, NULL);
    ck_assert_int_eq(gw_loop_run_once(g->loop, 0), GW_OK);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    spec.listener = gw_cstr("front");
    spec.early = (gw_const_span){ "POST / HTTP/1.1\r\nHo", 19 };
    ck_assert_int_eq(gw_loop_adopt(g->loop, pair[1], &spec, NULL), GW_OK);
    put_some(pair[0], "st: a\r\nContent-Length: 5\r\n\r\nearly", 33);
    turn_until_reply(g, pair[0]);
    ck_assert_mem_eq(reply.bytes, "HTTP/1.1 200", 12);
    ck_assert_ptr_nonnull(strstr(reply.bytes, "early"));
    close(pair[0]);
    gateway_fini(g);
}
END_TEST

/* Mode 2: the host's own loop watches one descriptor a gateway. */
START_TEST(in_the_hosts_loop)
{
    struct epoll_event events[3];
    struct gateway *members[] = { &both.edge, &both.origin };
    int outer = epoll_create1(EPOLL_CLOEXEC);
    pair_start(&both, 1);
    int fd = dial(both.edge.address);
    for (uint32_t i = 0; i < 2; i++) {
        struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };
        int inner = gw_loop_fd(members[i]->loop);
        ck_assert_int_eq(epoll_ctl(outer, EPOLL_CTL_ADD, inner, &event), 0);
        ck_assert_int_eq(gw_loop_run_once(members[i]->loop, 0), GW_OK);
    }
    struct epoll_event client = { .events = EPOLLIN, .data.u32 = 2 };
    ck_assert_int_eq(epoll_ctl(outer, EPOLL_CTL_ADD, fd, &client), 0);
    put_some(fd, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nouter", 52);
    reply.len = 0;
    for (bool is_done = false; !is_done;) {
        char *body;
        int timeout = 10000;
        for (int i = 0; i < 2; i++) {
            int ms = gw_loop_timeout_ms(members[i]->loop);
            timeout = ms >= 0 && ms < timeout ? ms : timeout;
        }
        int n = epoll_wait(outer, events, 3, timeout);
        ck_assert_int_ge(n, 0);
        for (int i = 0; i < 2; i++)
            ck_assert_int_eq(gw_loop_run_once(members[i]->loop, 0), GW_OK);
        take_some(fd, &reply);
        is_done = body_of(&reply, &body) >= 0;
    }
    ck_assert_mem_eq(reply.bytes, "HTTP/1.1 200", 12);
    close(fd);
    pair_fini(&both);
    close(outer);
}
END_TEST

/* Threads: workers of one engine share a port; another thread applies, drains and stops. */

static void *run_loop(void *loop)
{
    ck_assert_int_eq(gw_loop_run(loop), GW_OK);
    return NULL;
}

static void blocking_echo(int fd, const char *text)
{
    char bytes[256], *body;
    size_t len = (size_t)snprintf(bytes, sizeof(bytes),
                                  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n%s",
                                  strlen(text), text);
    ck_assert_uint_eq(put_some(fd, bytes, len), len);
    reply.len = 0;
    reply.is_over = false;
    do {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        ck_assert_int_eq(poll(&p, 1, 20000), 1);
        take_some(fd, &reply);
        ck_assert(!reply.is_over);
    } while (body_of(&reply, &body) < 0);
    ck_assert_mem_eq(reply.bytes, "HTTP/1.1 200", 12);
    ck_assert_mem_eq(body, text, strlen(text));
}

START_TEST(workers_share_a_port)
{
    enum { WORKERS = 3, CLIENTS = 24 };
    gw_env env = GW_SPEC(gw_env);
    gw_engine_spec engine = GW_SPEC(gw_engine_spec);
    gw_loop_spec loop = GW_SPEC(gw_loop_spec);
    struct gateway workers[WORKERS];
    pthread_t threads[WORKERS];
    int fds[CLIENTS];
    gateway_init(&workers[0], _i);
    env.allocator = workers[0].alloc.allocator;
    engine.env = &env;
    engine.workers_max = WORKERS;
    ck_assert_int_eq(gw_engine_new(&engine, &workers[0].engine), GW_OK);
    loop.kind = kinds[_i];
    gateway_apply(&workers[0], NULL);
    for (int i = 0; i < WORKERS; i++) {
        ck_assert_int_eq(gw_loop_new(workers[0].engine, &loop, &workers[i].loop), GW_OK);
        gateway_listen(&workers[i], i == 0 ? "127.0.0.1:0" : workers[0].address,
                       GW_LISTEN_REUSEPORT);
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run_loop, workers[i].loop), 0);
    }
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = dial(workers[0].address);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < CLIENTS; i++)
            blocking_echo(fds[i], "from all sides");
        gateway_apply(&workers[0], NULL); /* nothing in flight is disturbed */
    }
    for (int i = 0; i < WORKERS; i++)
        ck_assert_int_eq(gw_loop_drain(workers[i].loop, 5000), GW_OK);
    for (int i = 0; i < WORKERS; i++) /* idle connections are closed by the drain */
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < CLIENTS; i++)
        close(fds[i]);
    for (int i = 0; i < WORKERS; i++)
        gw_loop_free(workers[i].loop);
    gw_engine_free(workers[0].engine);
    test_alloc_fini(&workers[0].alloc);
}
END_TEST

START_TEST(stopped_with_links_open)
{
    struct gateway *g = &both.edge;
    pthread_t thread;
    gateway_init(g, _i);
    gateway_start(g);
    gateway_apply(g, NULL);
    ck_assert_int_eq(pthread_create(&thread, NULL, run_loop, g->loop), 0);
    int fd = dial(g->address);
    blocking_echo(fd, "and stop");
    put_some(fd, "GET / HT", 8);
    gw_loop_stop(g->loop);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    gateway_fini(g);
    close(fd);
}
END_TEST

struct last_visit {
    gw_loop *loop;
    gw_visit visit;
    int visits;
};

static void visit_last(gw_loop *loop, void *ctx)
{
    struct last_visit *last = ctx;
    gw_accept_spec accept = GW_SPEC(gw_accept_spec);
    int pair[2];
    last->visits++;
    ck_assert_ptr_null(gw_loop_worker(loop));
    ck_assert_int_eq(gw_loop_run(loop), GW_ESTATE);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    accept.listener = gw_cstr("edge");
    ck_assert_int_eq(gw_loop_adopt(loop, pair[0], &accept, NULL), GW_EINVAL);
    close(pair[0]);
    close(pair[1]);
    gw_loop_free(loop);
}

static gw_verdict never_answer(void *ctx, gw_exchange *x)
{
    (void)ctx;
    return gw_exchange_wait(x).worker != NULL ? GW_WAIT : GW_ABORT;
}

static void leave_visit(void *ctx, const gw_exchange *x)
{
    struct last_visit *last = ctx;
    (void)x;
    last->visit = (gw_visit){ visit_last, last, NULL };
    gw_loop_visit(last->loop, &last->visit);
}

/* By a hook that runs in gw_loop_free. */
START_TEST(visits_left_at_the_end)
{
    struct last_visit last = { 0 };
    gw_engine_spec engine_spec = GW_SPEC(gw_engine_spec);
    gw_loop_spec spec = GW_SPEC(gw_loop_spec);
    gw_call_spec call = GW_SPEC(gw_call_spec);
    gw_caller caller = GW_SPEC(gw_caller);
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);
    gw_origin origin = GW_SPEC(gw_origin);
    gw_env env = GW_SPEC(gw_env);
    gw_config_error err = GW_SPEC(gw_config_error);
    gw_builder *b;
    gw_config *config;
    gw_engine *engine;
    spec.kind = kinds[_i];
    ck_assert_int_eq(gw_engine_new(&engine_spec, &engine), GW_OK);
    ck_assert_int_eq(gw_loop_new(engine, &spec, &last.loop), GW_OK);
    origin.name = "self";
    origin.on_request = never_answer;
    cluster.name = gw_cstr("self");
    cluster.origin = &origin;
    ck_assert_int_eq(gw_builder_new(&env, &b), GW_OK);
    ck_assert_uint_ne(gw_builder_cluster(b, &cluster), 0);
    ck_assert_int_eq(gw_builder_build(b, &config, &err), GW_OK);
    ck_assert_int_eq(gw_engine_apply(engine, config, NULL), GW_OK);
    gw_config_unref(config);
    caller.ctx = &last;
    caller.on_end = leave_visit;
    call.caller = &caller;
    call.cluster = gw_cstr("self");
    ck_assert_int_eq(gw_loop_run_once(last.loop, 0), GW_OK);
    ck_assert_int_eq(gw_worker_call(gw_loop_worker(last.loop), &call, NULL), GW_OK);
    ck_assert_int_eq(gw_loop_run_once(last.loop, 0), GW_OK);
    gw_loop_free(last.loop);
    ck_assert_int_eq(last.visits, 1);
    gw_engine_free(engine);
}
END_TEST

static Suite *gateway_suite(void)
{
    Suite *s = suite_create("gateway");
    int n = kinds_here();
    check_add_loop(s, keep_alive, 0, n);
    check_add_loop(s, large_bodies, 0, n);
    check_add_loop(s, half_closed_client, 0, n);
    check_add_loop(s, nobody_upstream, 0, n);
    check_add_loop(s, configured_late, 0, n);
    check_add_loop(s, more_than_links_max, 0, n);
    check_add_loop(s, no_descriptors, 0, n);
    check_add_loop(s, idle_connection_ends, 0, n);
    check_add_loop(s, adopted_with_early_bytes, 0, n);
    check_add(s, in_the_hosts_loop);
    check_add_loop(s, workers_share_a_port, 0, n);
    check_add_loop(s, stopped_with_links_open, 0, n);
    check_add_loop(s, visits_left_at_the_end, 0, n);
    return s;
}

CHECK_MAIN(gateway_suite)
