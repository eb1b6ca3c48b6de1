/* libevent.c: a gateway inside a program on libevent.
 *     libevent 127.0.0.1:8080 127.0.0.1:9000 127.0.0.1:7000  listen, upstream, the program's own port
 * All of the joint is one event. The program goes on with what it did before: who connects to its own
 * port is told how many requests the gateway has served. SIGTERM: what is under way is finished, then
 * it ends. */
#include <err.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <gw/gw.h>
#include <signal.h>
#include <stdio.h>

struct host {
    gw_loop *gateway;
    unsigned served;
    struct event_base *base;
};

/* ---- the joint ---- */

/* The gateway's descriptor is readable: a turn is due, for whatever reason. */
static void turn(evutil_socket_t fd, short what, void *ctx)
{
    struct host *host = ctx;
    (void)fd;
    (void)what;
    if (gw_loop_run_once(host->gateway, 0) != GW_OK) /* GW_EOF: drained */
        event_base_loopbreak(host->base);
}

static struct event *join_loops(struct host *host)
{
    struct event *turns = event_new(host->base, gw_loop_fd(host->gateway), EV_READ | EV_PERSIST,
                                    turn, host);
    if (turns == NULL || event_add(turns, NULL) != 0)
        errx(1, "libevent refuses");
    return turns;
}

/* ---- the gateway: everything to one upstream ---- */

static void count(void *ctx, const gw_exchange *x)
{
    (void)x;
    ++*(unsigned *)ctx;
}

static gw_config *configure(const char *upstream, unsigned *served)
{
    gw_builder *builder;
    gw_config *config = NULL;
    gw_config_error error = GW_SPEC(gw_config_error);
    gw_listener_spec edge = { .size = sizeof edge, .name = gw_cstr("edge") };
    gw_cluster_spec app = { .size = sizeof app, .name = gw_cstr("app") };
    gw_endpoint_spec one = { .size = sizeof one, .address = gw_cstr(upstream) };
    gw_route_spec all = { .size = sizeof all, .name = gw_cstr("all"), .cluster = gw_cstr("app") };
    gw_filter counter = { .size = sizeof counter, .name = "count", .ctx = served, .on_end = count };
    if (gw_builder_new(NULL, &builder) != GW_OK)
        return NULL;
    gw_builder_listener(builder, &edge); /* what is wrong here, build reports */
    gw_builder_endpoint(builder, gw_builder_cluster(builder, &app), &one);
    gw_builder_route(builder, &all);
    gw_builder_filter(builder, &counter);
    if (gw_builder_build(builder, &config, &error) != GW_OK)
        warnx("%s: %s", error.where, error.text);
    return config;
}

static gw_status start(gw_engine *engine, const char *address, gw_loop **loop)
{
    gw_loop_spec spec = { .size = sizeof spec, .flags = GW_LOOP_ONE_FD };
    gw_accept_spec accept = { .size = sizeof accept, .listener = gw_cstr("edge") };
    gw_listen_spec listen = { .size = sizeof listen,
                              .address = gw_cstr(address),
                              .accept = &accept };
    gw_status status = gw_loop_new(engine, &spec, loop);
    return status == GW_OK ? gw_loop_listen(*loop, &listen, NULL) : status;
}

/* ---- the program's own business ---- */

static void told(struct bufferevent *to, void *ctx)
{
    (void)ctx;
    bufferevent_free(to);
}

static void broken(struct bufferevent *to, short what, void *ctx)
{
    (void)what;
    (void)ctx;
    bufferevent_free(to);
}

static void tell(struct evconnlistener *own, evutil_socket_t fd, struct sockaddr *from, int len,
                 void *ctx)
{
    const struct host *host = ctx;
    struct bufferevent *to = bufferevent_socket_new(host->base, fd, BEV_OPT_CLOSE_ON_FREE);
    (void)own;
    (void)from;
    (void)len;
    if (to == NULL) {
        evutil_closesocket(fd);
        return;
    }
    bufferevent_setcb(to, NULL, told, broken, NULL);
    evbuffer_add_printf(bufferevent_get_output(to), "%u requests\n", host->served);
}

static struct evconnlistener *listen_own(struct host *host, const char *address)
{
    gw_listen_spec mine = { .size = sizeof mine, .address = gw_cstr(address) };
    int fd;
    if (gw_listen_open(&mine, &fd) != GW_OK)
        errx(1, "it cannot listen on %s", address);
    return evconnlistener_new(host->base, tell, host, LEV_OPT_CLOSE_ON_FREE, 0, fd);
}

static void drain(evutil_socket_t number, short what, void *ctx)
{
    const struct host *host = ctx;
    (void)number;
    (void)what;
    gw_loop_drain(host->gateway, 10000);
}

int main(int argc, char **argv)
{
    struct host host = { .base = event_base_new() };
    gw_engine *engine = NULL;
    gw_engine_spec shared = GW_SPEC(gw_engine_spec);
    if (argc != 4 || host.base == NULL)
        errx(2, "usage: libevent LISTEN UPSTREAM OWN (numeric addresses with ports)");
    gw_config *config = configure(argv[2], &host.served);
    if (config == NULL || gw_engine_new(&shared, &engine) != GW_OK ||
        gw_engine_apply(engine, config, NULL) != GW_OK ||
        start(engine, argv[1], &host.gateway) != GW_OK)
        errx(1, "it cannot start: is %s free?", argv[1]);
    struct event *turns = join_loops(&host);
    struct evconnlistener *own = listen_own(&host, argv[3]);
    struct event *term = evsignal_new(host.base, SIGTERM, drain, &host);
    if (own == NULL || term == NULL || event_add(term, NULL) != 0)
        errx(1, "libevent refuses");
    fprintf(stderr, "listening on %s\n", argv[1]);
    event_base_dispatch(host.base);
    event_free(turns);
    event_free(term);
    evconnlistener_free(own);
    event_base_free(host.base);
    libevent_global_shutdown();
    gw_loop_free(host.gateway);
    gw_engine_free(engine);
    gw_config_unref(config);
    return 0;
}
