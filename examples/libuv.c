/* libuv.c: a gateway inside a program on libuv.
 *     libuv 127.0.0.1:8080 127.0.0.1:9000 127.0.0.1:7000     listen, upstream, the program's own port
 * All of the joint is one uv_poll_t. The program goes on with what it did before: who connects to its
 * own port is told how many requests the gateway has served. SIGTERM: what is under way is finished,
 * then it ends. */
#include <err.h>
#include <gw/gw.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

struct host {
    gw_loop *gateway;
    unsigned served;
    uv_poll_t turns; /* of the gateway */
    uv_signal_t term;
    uv_tcp_t own;
};

/* ---- the joint ---- */

static void leave(struct host *host)
{
    uv_close((uv_handle_t *)&host->turns, NULL);
    uv_close((uv_handle_t *)&host->term, NULL);
    uv_close((uv_handle_t *)&host->own, NULL);
}

/* The gateway's descriptor is readable: a turn is due, for whatever reason. */
static void turn(uv_poll_t *turns, int status, int events)
{
    struct host *host = turns->data;
    (void)status;
    (void)events;
    if (gw_loop_run_once(host->gateway, 0) != GW_OK) /* GW_EOF: drained */
        leave(host);
}

static int join_loops(struct host *host, uv_loop_t *uv)
{
    int error = uv_poll_init(uv, &host->turns, gw_loop_fd(host->gateway));
    host->turns.data = host;
    return error != 0 ? error : uv_poll_start(&host->turns, UV_READABLE, turn);
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

struct answer {
    uv_tcp_t tcp; /* first: a handle's memory is the answer's */
    uv_write_t write;
    char text[64];
};

static void forget(uv_handle_t *handle)
{
    free(handle);
}

static void told(uv_write_t *write, int status)
{
    (void)status;
    uv_close((uv_handle_t *)write->handle, forget);
}

static void tell(uv_stream_t *own, int status)
{
    const struct host *host = own->data;
    struct answer *answer = status == 0 ? malloc(sizeof *answer) : NULL;
    if (answer == NULL || uv_tcp_init(own->loop, &answer->tcp) != 0) {
        free(answer);
        return;
    }
    int len = snprintf(answer->text, sizeof answer->text, "%u requests\n", host->served);
    uv_buf_t text = uv_buf_init(answer->text, (unsigned)len);
    uv_stream_t *to = (uv_stream_t *)&answer->tcp;
    if (uv_accept(own, to) != 0 || uv_write(&answer->write, to, &text, 1, told) != 0)
        uv_close((uv_handle_t *)to, forget);
}

static int listen_own(struct host *host, uv_loop_t *uv, const char *address)
{
    gw_listen_spec mine = { .size = sizeof mine, .address = gw_cstr(address) };
    int fd;
    if (gw_listen_open(&mine, &fd) != GW_OK || uv_tcp_init(uv, &host->own) != 0)
        return UV_EADDRINUSE;
    host->own.data = host;
    int error = uv_tcp_open(&host->own, fd);
    return error != 0 ? error : uv_listen((uv_stream_t *)&host->own, 64, tell);
}

static void drain(uv_signal_t *term, int number)
{
    const struct host *host = term->data;
    (void)number;
    gw_loop_drain(host->gateway, 10000);
}

int main(int argc, char **argv)
{
    struct host host = { .gateway = NULL };
    gw_engine *engine = NULL;
    gw_engine_spec shared = GW_SPEC(gw_engine_spec);
    uv_loop_t *uv = uv_default_loop();
    if (argc != 4)
        errx(2, "usage: libuv LISTEN UPSTREAM OWN (numeric addresses with ports)");
    gw_config *config = configure(argv[2], &host.served);
    if (config == NULL || gw_engine_new(&shared, &engine) != GW_OK ||
        gw_engine_apply(engine, config, NULL) != GW_OK ||
        start(engine, argv[1], &host.gateway) != GW_OK)
        errx(1, "it cannot start: is %s free?", argv[1]);
    int error = join_loops(&host, uv);
    if (error == 0)
        error = listen_own(&host, uv, argv[3]);
    if (error != 0 || (error = uv_signal_init(uv, &host.term)) != 0)
        errx(1, "libuv: %s", uv_strerror(error));
    host.term.data = &host;
    uv_signal_start(&host.term, drain, SIGTERM);
    fprintf(stderr, "listening on %s\n", argv[1]);
    uv_run(uv, UV_RUN_DEFAULT); /* until nothing of the host is left in it */
    uv_loop_close(uv);
    gw_loop_free(host.gateway);
    gw_engine_free(engine);
    gw_config_unref(config);
    return 0;
}
