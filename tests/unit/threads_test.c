/* unit/threads_test.c: what any thread may call, called by many at once: applying, waking, answering,
 * visiting and reading statistics, while workers are made, run and freed. Most of what could go wrong here
 * is seen by the thread and address sanitizers, under which this program runs too. */

#include "check_main.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gw/gw.h>

#include "alloc.h"
#include "kinds.h"

enum { WORKERS = 3, APPLIERS = 2, APPLIES = 150, LIVES = 60, ANSWERS = 300 };

static struct test_alloc alloc;

static gw_engine *start(uint32_t workers)
{
    gw_env env = GW_SPEC(gw_env);
    gw_engine_spec spec = GW_SPEC(gw_engine_spec);
    gw_engine *engine;
    test_alloc_init(&alloc);
    env.allocator = alloc.allocator;
    spec.env = &env;
    spec.workers_max = workers;
    ck_assert_int_eq(gw_engine_new(&spec, &engine), GW_OK);
    return engine;
}

static void stop(gw_engine *engine)
{
    gw_engine_free(engine);
    test_alloc_fini(&alloc);
}

/* One listener "edge"; every request gets body. A live cluster that nothing leads to yet. */
static gw_config *config_of(const char *body, const gw_filter *filter)
{
    gw_env env = GW_SPEC(gw_env);
    gw_listener_spec listener = GW_SPEC(gw_listener_spec);
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);
    gw_route_spec route = GW_SPEC(gw_route_spec);
    gw_config_error err = GW_SPEC(gw_config_error);
    gw_builder *b;
    gw_config *config;
    env.allocator = alloc.allocator;
    ck_assert_int_eq(gw_builder_new(&env, &b), GW_OK);
    listener.name = gw_cstr("edge");
    gw_builder_listener(b, &listener);
    cluster.name = gw_cstr("live");
    cluster.flags = GW_CLUSTER_LIVE;
    gw_builder_cluster(b, &cluster);
    route.name = gw_cstr("all");
    route.reply_code = 200;
    route.reply_body = gw_cstr(body);
    gw_builder_route(b, &route);
    if (filter != NULL)
        gw_builder_filter(b, filter);
    ck_assert_msg(gw_builder_build(b, &config, &err) == GW_OK, "%s: %s", err.where, err.text);
    return config;
}

static void begin(pthread_t *thread, void *(*run)(void *), void *arg)
{
    ck_assert_int_eq(pthread_create(thread, NULL, run, arg), 0);
}

static void join(pthread_t thread)
{
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

/* ---- applying while workers come and go ---- */

static void *apply_often(void *arg)
{
    gw_engine *engine = arg;
    for (int i = 0; i < APPLIES; i++) {
        gw_config *config = config_of(i % 2 == 0 ? "even" : "odd", NULL);
        ck_assert_int_eq(gw_engine_apply(engine, config, NULL), GW_OK);
        gw_config_unref(config);
    }
    return NULL;
}

/* Each has an endpoint of its own name, which is there in the end if its thread says so. */
struct mover {
    gw_engine *engine;
    const char *name;
};

static void *move_often(void *arg)
{
    struct mover *m = arg;
    gw_endpoint_spec spec = GW_SPEC(gw_endpoint_spec);
    spec.name = gw_cstr(m->name);
    spec.address = gw_cstr("127.0.0.1:1");
    for (uint32_t i = 0; i < APPLIES; i++) {
        gw_state state = GW_SPEC(gw_state);
        gw_view *view;
        uint32_t seen = 0;
        spec.weight = i + 1;
        ck_assert_int_eq(gw_engine_put_endpoint(m->engine, gw_cstr("live"), &spec, NULL), GW_OK);
        ck_assert_int_eq(gw_view_open(m->engine, &view), GW_OK);
        while (gw_view_next(view, &state))
            if (state.kind == GW_KIND_ENDPOINT && state.name.len == spec.name.len &&
                memcmp(state.name.ptr, m->name, spec.name.len) == 0)
                seen = state.weight;
        gw_view_close(view);
        ck_assert_uint_eq(seen, i + 1); /* none of the others' changes has lost it */
        if (i % 3 == 0)
            ck_assert_int_eq(gw_engine_drop_endpoint(m->engine, gw_cstr("live"), gw_cstr(m->name)),
                             GW_OK);
    }
    return NULL;
}

/* What a host is woken by, gone as soon as it may be. */
struct bell {
    _Atomic uint32_t magic;
    _Atomic uint64_t rings;
};
enum { BELL = 0x62656c6c };
static _Atomic int bells;

static void ring(void *ctx)
{
    struct bell *bell = ctx;
    ck_assert_uint_eq(bell->magic, BELL);
    bell->rings++;
    sched_yield(); /* long enough to be met here by who frees the worker */
    ck_assert_uint_eq(bell->magic, BELL);
}

static void bell_done(void *ctx)
{
    struct bell *bell = ctx;
    ck_assert_uint_eq(bell->magic, BELL);
    bell->magic = 0;
    free(bell);
    bells--;
}

static gw_worker *worker_with_bell(gw_engine *engine)
{
    gw_worker_spec spec = GW_SPEC(gw_worker_spec);
    gw_worker *worker;
    struct bell *bell = calloc(1, sizeof(*bell));
    bell->magic = BELL;
    bells++;
    spec.wake = ring;
    spec.wake_ctx = bell;
    spec.wake_done = bell_done;
    ck_assert_int_eq(gw_worker_new(engine, &spec, &worker), GW_OK);
    return worker;
}

static void *live_often(void *arg)
{
    gw_engine *engine = arg;
    for (int i = 0; i < LIVES; i++) {
        gw_worker *worker = worker_with_bell(engine);
        for (int n = 0; n < i % 4; n++) {
            ck_assert_int_eq(gw_worker_step(worker, (gw_nanos)n), GW_OK);
            sched_yield();
        }
        gw_worker_free(worker);
    }
    return NULL;
}

START_TEST(apply_while_workers_come_and_go)
{
    gw_engine *engine = start(WORKERS);
    pthread_t appliers[APPLIERS], workers[WORKERS];
    bells = 0;
    for (int i = 0; i < APPLIERS; i++)
        begin(&appliers[i], apply_often, engine);
    for (int i = 0; i < WORKERS; i++)
        begin(&workers[i], live_often, engine);
    for (int i = 0; i < APPLIERS; i++)
        join(appliers[i]);
    for (int i = 0; i < WORKERS; i++)
        join(workers[i]);
    ck_assert_int_eq(bells, 0);
    ck_assert_uint_eq(gw_engine_generation(engine), APPLIERS * APPLIES);
    stop(engine);
}
END_TEST

START_TEST(endpoints_move_while_workers_come_and_go)
{
    gw_engine *engine = start(WORKERS);
    struct mover movers[APPLIERS] = { { engine, "a" }, { engine, "b" } };
    pthread_t appliers[APPLIERS + 1], workers[WORKERS];
    gw_config *config = config_of("", NULL);
    bells = 0;
    ck_assert_int_eq(gw_engine_apply(engine, config, NULL), GW_OK);
    gw_config_unref(config);
    for (int i = 0; i < APPLIERS; i++)
        begin(&appliers[i], move_often, &movers[i]);
    begin(&appliers[APPLIERS], apply_often, engine);
    for (int i = 0; i < WORKERS; i++)
        begin(&workers[i], live_often, engine);
    for (int i = 0; i < APPLIERS + 1; i++)
        join(appliers[i]);
    for (int i = 0; i < WORKERS; i++)
        join(workers[i]);
    stop(engine);
}
END_TEST

static int kinds_n;

static void *loop_often(void *arg)
{
    gw_engine *engine = arg;
    for (int i = 0; i < LIVES / 3; i++) {
        gw_loop_spec spec = GW_SPEC(gw_loop_spec);
        gw_loop *loop;
        spec.kind = kinds[i % kinds_n];
        ck_assert_int_eq(gw_loop_new(engine, &spec, &loop), GW_OK);
        for (int n = 0; n < i % 4; n++)
            ck_assert_int_eq(gw_loop_run_once(loop, 0), GW_OK);
        gw_loop_free(loop);
    }
    return NULL;
}

START_TEST(apply_while_loops_come_and_go)
{
    gw_engine *engine = start(WORKERS);
    pthread_t appliers[APPLIERS], loops[WORKERS];
    for (int i = 0; i < APPLIERS; i++)
        begin(&appliers[i], apply_often, engine);
    for (int i = 0; i < WORKERS; i++)
        begin(&loops[i], loop_often, engine);
    for (int i = 0; i < APPLIERS; i++)
        join(appliers[i]);
    for (int i = 0; i < WORKERS; i++)
        join(loops[i]);
    stop(engine);
}
END_TEST

/* ---- every worker comes to the newest ---- */

struct stepping {
    gw_worker *worker;
    _Atomic bool is_over;
};

static void *step_on(void *arg)
{
    struct stepping *s = arg;
    gw_nanos now = 0;
    while (!s->is_over) {
        ck_assert_int_eq(gw_worker_step(s->worker, ++now), GW_OK);
        sched_yield();
    }
    ck_assert_int_eq(gw_worker_step(s->worker, ++now), GW_OK);
    return NULL;
}

/* Two that apply at once do not leave workers on different ones: in the end every worker knows the
 * listener that the last one brought, or none does. */
START_TEST(all_come_to_the_same)
{
    gw_engine *engine = start(WORKERS);
    struct stepping s[WORKERS];
    pthread_t appliers[APPLIERS], steppers[WORKERS];
    gw_accept_spec accept = GW_SPEC(gw_accept_spec);
    gw_link *link;
    for (int i = 0; i < WORKERS; i++) {
        s[i] = (struct stepping){ .worker = worker_with_bell(engine) };
        begin(&steppers[i], step_on, &s[i]);
    }
    for (int i = 0; i < APPLIERS; i++)
        begin(&appliers[i], apply_often, engine);
    for (int i = 0; i < APPLIERS; i++)
        join(appliers[i]);
    for (int i = 0; i < WORKERS; i++) {
        s[i].is_over = true;
        join(steppers[i]);
    }
    /* The newest of all is the only one that a worker may hold now: all others are freed. */
    accept.listener = gw_cstr("edge");
    for (int i = 0; i < WORKERS; i++)
        ck_assert_int_eq(gw_worker_accept(s[i].worker, &accept, &link), GW_OK);
    uint64_t live = alloc.live;
    gw_config *config = config_of("last", NULL);
    ck_assert_int_eq(gw_engine_apply(engine, config, NULL), GW_OK);
    gw_config_unref(config);
    for (int i = 0; i < WORKERS; i++)
        ck_assert_int_eq(gw_worker_step(s[i].worker, UINT64_MAX / 2), GW_OK);
    ck_assert_uint_le(alloc.live, live); /* one configuration took the place of one */
    for (int i = 0; i < WORKERS; i++)
        gw_worker_free(s[i].worker);
    stop(engine);
}
END_TEST

/* ---- answers to a worker that goes as soon as it has the last ---- */

static gw_verdict wait_for_answer(void *ctx, gw_exchange *x)
{
    gw_ticket *ticket = ctx;
    *ticket = gw_exchange_wait(x);
    return GW_WAIT;
}

static gw_verdict go_on(void *ctx, gw_exchange *x, uint32_t side, void *answer)
{
    (void)ctx;
    (void)x;
    (void)side;
    *(_Atomic bool *)answer = true;
    return GW_NEXT;
}

struct resuming {
    gw_ticket ticket;
    _Atomic bool has_come;
};

static void *resume(void *arg)
{
    struct resuming *r = arg;
    ck_assert_int_eq(gw_resume(r->ticket, &r->has_come), GW_OK);
    return NULL;
}

START_TEST(a_worker_goes_with_the_last_answer)
{
    static const char get[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    gw_engine *engine = start(1);
    struct resuming r = { 0 };
    gw_filter filter = GW_SPEC(gw_filter);
    filter.name = "waits";
    filter.ctx = &r.ticket;
    filter.on_request = wait_for_answer;
    filter.on_resume = go_on;
    gw_config *config = config_of("x", &filter);
    bells = 0;
    ck_assert_int_eq(gw_engine_apply(engine, config, NULL), GW_OK);
    gw_config_unref(config);
    for (int i = 0; i < ANSWERS; i++) {
        gw_worker *worker = worker_with_bell(engine);
        gw_accept_spec accept = GW_SPEC(gw_accept_spec);
        pthread_t thread;
        gw_link *link;
        accept.listener = gw_cstr("edge");
        accept.early = (gw_const_span){ get, sizeof(get) - 1 };
        r.has_come = false;
        ck_assert_int_eq(gw_worker_accept(worker, &accept, &link), GW_OK);
        (void)gw_worker_step(worker, 1);
        begin(&thread, resume, &r);
        for (gw_nanos now = 2; !r.has_come; now++)
            (void)gw_worker_step(worker, now);
        gw_worker_free(worker);
        join(thread);
        ck_assert_int_eq(bells, 0);
    }
    stop(engine);
}
END_TEST

/* ---- visits ---- */

enum { VISITORS = 3, VISITS = 400 };
struct visitor {
    gw_loop *loop;
    gw_visit visits[VISITS];
    int next; /* in the loop's thread */
};

static struct visitor visitors[VISITORS];

static void note_visit(gw_loop *loop, void *ctx)
{
    const gw_visit *visit = ctx;
    for (int i = 0; i < VISITORS; i++) {
        struct visitor *v = &visitors[i];
        if (visit < v->visits || visit >= v->visits + VISITS)
            continue;
        ck_assert_ptr_eq(visit, &v->visits[v->next++]);
        ck_assert_ptr_eq(loop, v->loop);
    }
}

static void *visit_often(void *arg)
{
    struct visitor *v = arg;
    for (int i = 0; i < VISITS; i++) {
        v->visits[i] = (gw_visit){ .run = note_visit, .ctx = &v->visits[i] };
        gw_loop_visit(v->loop, &v->visits[i]);
    }
    return NULL;
}

START_TEST(visits_come_once_and_in_order)
{
    gw_engine *engine = start(1);
    gw_loop_spec spec = GW_SPEC(gw_loop_spec);
    gw_loop *loop;
    pthread_t threads[VISITORS];
    int done = 0;
    spec.kind = kinds[_i];
    ck_assert_int_eq(gw_loop_new(engine, &spec, &loop), GW_OK);
    for (int i = 0; i < VISITORS; i++) {
        visitors[i] = (struct visitor){ .loop = loop };
        begin(&threads[i], visit_often, &visitors[i]);
    }
    while (done <
           VISITORS * (VISITS - 1)) { /* each but the last few is the loop's to wake up for */
        ck_assert_int_eq(gw_loop_run_once(loop, -1), GW_OK);
        done = 0;
        for (int i = 0; i < VISITORS; i++)
            done += visitors[i].next;
    }
    for (int i = 0; i < VISITORS; i++)
        join(threads[i]);
    gw_loop_free(loop); /* what is left comes now */
    for (int i = 0; i < VISITORS; i++)
        ck_assert_int_eq(visitors[i].next, VISITS);
    stop(engine);
}
END_TEST

/* ---- listeners that come and go in a running loop; statistics read meanwhile ---- */

struct reading {
    gw_worker *worker;
    _Atomic bool is_over;
    uint64_t reads;
};

static void *read_stats(void *arg)
{
    struct reading *r = arg;
    uint64_t last[64] = { 0 }, now[64];
    size_t n = gw_stats_read(r->worker, last, 64);
    ck_assert_uint_le(n, 64);
    while (!r->is_over) {
        ck_assert_uint_eq(gw_stats_read(r->worker, now, 64), n);
        for (size_t i = 0; i < n; i++) {
            gw_stat stat = GW_SPEC(gw_stat);
            ck_assert_int_eq(gw_stats_describe(i, &stat), GW_OK);
            ck_assert_msg(stat.kind != GW_STAT_COUNTER || now[i] >= last[i],
                          "%s went back from %llu to %llu", stat.name, (unsigned long long)last[i],
                          (unsigned long long)now[i]);
            last[i] = now[i];
        }
        r->reads++;
        sched_yield();
    }
    return NULL;
}

static void *run_loop(void *loop)
{
    ck_assert_int_eq(gw_loop_run(loop), GW_OK);
    return NULL;
}

struct errand {
    gw_visit visit;
    int fd; /* to be listened on; -1: closes listener */
    gw_listener *listener;
    _Atomic bool is_done;
};

static void do_errand(gw_loop *loop, void *ctx)
{
    struct errand *e = ctx;
    gw_listen_spec listen = GW_SPEC(gw_listen_spec);
    gw_accept_spec accept = GW_SPEC(gw_accept_spec);
    if (e->fd >= 0) {
        accept.listener = gw_cstr("edge");
        listen.accept = &accept;
        ck_assert_int_eq(gw_loop_listen_fd(loop, e->fd, &listen, &e->listener), GW_OK);
    } else {
        gw_listener_close(e->listener);
    }
    e->is_done = true;
}

static void send_errand(gw_loop *loop, struct errand *e, int fd)
{
    e->fd = fd;
    e->is_done = false;
    e->visit = (gw_visit){ .run = do_errand, .ctx = e };
    gw_loop_visit(loop, &e->visit);
    while (!e->is_done)
        sched_yield();
}

static void ask(int port)
{
    static const char get[] = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr = { htonl(INADDR_LOOPBACK) } };
    char bytes[512];
    size_t len = 0;
    ssize_t got;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    ck_assert_int_eq(send(fd, get, sizeof(get) - 1, 0), (ssize_t)sizeof(get) - 1);
    while ((got = recv(fd, bytes + len, sizeof(bytes) - 1 - len, 0)) > 0)
        len += (size_t)got;
    close(fd);
    ck_assert_uint_gt(len, 12);
    ck_assert_mem_eq(bytes, "HTTP/1.1 200", 12);
}

START_TEST(listeners_come_and_go_while_statistics_are_read)
{
    enum { ROUNDS = 20, ASKED = 4 };
    gw_engine *engine = start(1);
    gw_loop_spec spec = GW_SPEC(gw_loop_spec);
    gw_listen_spec listen = GW_SPEC(gw_listen_spec);
    gw_config *config = config_of("x", NULL);
    struct errand errand;
    pthread_t thread, reader;
    gw_loop *loop;
    spec.kind = kinds[_i];
    ck_assert_int_eq(gw_loop_new(engine, &spec, &loop), GW_OK);
    struct reading reading = { .worker = gw_loop_worker(loop) };
    begin(&thread, run_loop, loop);
    begin(&reader, read_stats, &reading);
    ck_assert_int_eq(gw_engine_apply(engine, config, NULL), GW_OK);
    gw_config_unref(config);
    listen.address = gw_cstr("127.0.0.1:0");
    for (int i = 0; i < ROUNDS; i++) {
        char bound[64];
        int fd;
        ck_assert_int_eq(gw_listen_open(&listen, &fd), GW_OK);
        bound[gw_listen_address(fd, bound, sizeof(bound) - 1)] = '\0';
        send_errand(loop, &errand, fd);
        for (int n = 0; n < ASKED; n++)
            ask(atoi(strchr(bound, ':') + 1));
        send_errand(loop, &errand, -1);
    }
    reading.is_over = true;
    join(reader);
    ck_assert_uint_gt(reading.reads, 0);
    gw_loop_stop(loop);
    join(thread);
    uint64_t values[64];
    size_t n = gw_stats_read(reading.worker, values, 64);
    for (size_t i = 0; i < n; i++) {
        gw_stat stat = GW_SPEC(gw_stat);
        ck_assert_int_eq(gw_stats_describe(i, &stat), GW_OK);
        if (strcmp(stat.name, "exchanges") == 0 || strcmp(stat.name, "links_accepted") == 0)
            ck_assert_uint_eq(values[i], ROUNDS * ASKED);
    }
    gw_loop_free(loop);
    stop(engine);
}
END_TEST

static Suite *threads_suite(void)
{
    Suite *s = suite_create("threads");
    int n = kinds_n = kinds_here();
    check_add(s, apply_while_workers_come_and_go);
    check_add(s, endpoints_move_while_workers_come_and_go);
    check_add(s, apply_while_loops_come_and_go);
    check_add(s, all_come_to_the_same);
    check_add(s, a_worker_goes_with_the_last_answer);
    check_add_loop(s, visits_come_once_and_in_order, 0, n);
    check_add_loop(s, listeners_come_and_go_while_statistics_are_read, 0, n);
    return s;
}

CHECK_MAIN(threads_suite)
