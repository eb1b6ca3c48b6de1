/* one_fd.c: a gateway inside a program that has an event loop of its own, here epoll.
 *     one_fd 127.0.0.1:8080 127.0.0.1:9000 127.0.0.1:7000     listen, upstream, the program's own port
 * To the loop the gateway is one descriptor: readable means that a turn is due, for whatever reason.
 * The program goes on with what it did before: who connects to its own port is told how many requests
 * the gateway has served. SIGTERM: what is under way is finished, then it ends. */
#include <err.h>
#include <gw/gw.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the gateway ---- */

static void count(void *ctx, const gw_exchange *x)
{
    (void)x;
    ++*(unsigned *)ctx;
}

/* Everything to one upstream. NULL: an address is wrong. */
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

/* A loop that is nested in another: its descriptor tells of time, too. */
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

static void tell(int listening, unsigned served)
{
    char text[64];
    int fd = accept(listening, NULL, NULL);
    int len = snprintf(text, sizeof text, "%u requests\n", served);
    if (fd < 0)
        return;
    (void)!write(fd, text, (size_t)len);
    (void)close(fd);
}

static int signal_descriptor(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
    if (fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        err(1, "epoll");
}

int main(int argc, char **argv)
{
    gw_engine *engine = NULL;
    gw_loop *loop = NULL;
    gw_engine_spec shared = GW_SPEC(gw_engine_spec);
    unsigned served = 0;
    int own = -1;
    if (argc != 4)
        errx(2, "usage: one_fd LISTEN UPSTREAM OWN (numeric addresses with ports)");
    gw_listen_spec mine = { .size = sizeof mine, .address = gw_cstr(argv[3]) };
    gw_config *config = configure(argv[2], &served);
    if (config == NULL || gw_engine_new(&shared, &engine) != GW_OK ||
        gw_engine_apply(engine, config, NULL) != GW_OK || start(engine, argv[1], &loop) != GW_OK ||
        gw_listen_open(&mine, &own) != GW_OK)
        errx(1, "it cannot start: are these addresses numeric, and free?");

    int epoll = epoll_create1(EPOLL_CLOEXEC), signals = signal_descriptor();
    watch(epoll, gw_loop_fd(loop));
    watch(epoll, own);
    watch(epoll, signals);
    fprintf(stderr, "listening on %s\n", argv[1]);
    for (gw_status status = GW_OK; status == GW_OK;) {
        struct epoll_event event;
        if (epoll_wait(epoll, &event, 1, -1) < 1)
            continue;
        if (event.data.fd == gw_loop_fd(loop))
            status = gw_loop_run_once(loop, 0); /* GW_EOF: drained */
        else if (event.data.fd == own)
            tell(own, served);
        else if (read(signals, &(struct signalfd_siginfo){ 0 }, sizeof(struct signalfd_siginfo)) >
                 0)
            gw_loop_drain(loop, 10000);
    }
    close(epoll);
    close(signals);
    close(own);
    gw_loop_free(loop);
    gw_engine_free(engine);
    gw_config_unref(config);
    return 0;
}
