/* demo.c: "gw demo": a gateway and the upstreams it needs, without a file.
 *
 *     curl, grpc  -->  gateway (a thread)  -- real sockets -->  upstreams (a thread)
 *
 * The upstreams are libgw too: a host whose callbacks answer. Their ports are the system's choice.
 */
#include "demo.h"
#include "commands.h"
#include "demo_config.h"
#include "say.h"
#include "signals.h"

#include <gw/version.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PORT_DEFAULT = 8080, DRAIN_MS = 3000, WORKER_ENDED = 'E', BACKLOG = 128 };

struct options {
    uint16_t port;
    bool has_port, is_check, is_json;
};

/* ---- sockets ---- */

static bool bind_loopback(int fd, uint16_t port, char *address, uint16_t *bound_port)
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(port) };
    socklen_t len = sizeof name;
    int yes = 1;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (port != 0) /* else a port of a demo that just ended would be busy for a minute */
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, (const struct sockaddr *)&name, len) != 0 ||
        getsockname(fd, (struct sockaddr *)&name, &len) != 0)
        return false;
    *bound_port = ntohs(name.sin_port);
    snprintf(address, DEMO_ADDRESS_MAX, "127.0.0.1:%u", *bound_port);
    return true;
}

/* -1: errno says why. */
static int open_socket(uint16_t port, bool is_listening, char *address, uint16_t *bound_port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    bool is_open = bind_loopback(fd, port, address, bound_port) &&
                   (!is_listening || listen(fd, BACKLOG) == 0);
    if (is_open)
        return fd;
    int kept = errno;
    close(fd);
    errno = kept;
    return -1;
}

static bool open_upstream_sockets(struct demo *demo)
{
    uint16_t port = 0;
    bool is_open = true;
    for (size_t i = 0; i < demo_upstreams(demo) && is_open; i++) {
        demo->fds[i] = open_socket(0, true, demo->addresses[i], &port);
        is_open = demo->fds[i] >= 0;
    }
    if (is_open)
        demo->deaf_fd = open_socket(0, false, demo->deaf_address, &port);
    is_open = is_open && demo->deaf_fd >= 0;
    if (!is_open)
        say("cannot open sockets on 127.0.0.1: %s", strerror(errno));
    return is_open;
}

/* ---- the two halves ---- */

static bool open_upstreams(struct demo *demo)
{
    struct crew_spec spec = { .workers = 1, .log = &demo->no_log, .notify_fd = -1 };
    gw_config *config = demo_config_upstreams(demo);
    bool is_open = config != NULL && crew_open(&demo->upstreams, &spec) &&
                   crew_apply(&demo->upstreams, config);
    for (size_t i = 0; i < demo_upstreams(demo) && is_open; i++) {
        is_open = crew_listen_fd(&demo->upstreams, demo->fds[i], demo_upstream_names[i]);
        demo->fds[i] = -1;
    }
    gw_config_unref(config);
    return is_open && crew_start(&demo->upstreams);
}

static int open_gateway_socket(struct demo *demo, uint16_t port)
{
    int fd = open_socket(port, true, demo->address, &demo->port);
    if (fd < 0 && errno == EADDRINUSE)
        say("port %u is taken by another program: stop it, or give another: gw demo --port %u",
            port, port == UINT16_MAX ? port - 1u : port + 1u);
    else if (fd < 0)
        say("cannot listen on port %u: %s; try: gw demo --port 0", port, strerror(errno));
    return fd;
}

static bool open_gateway(struct demo *demo, uint16_t port, bool is_logged)
{
    struct crew_spec spec = { .workers = 1,
                              .log = is_logged ? &demo->log : &demo->no_log,
                              .notify_fd = signals_writer(),
                              .notify_byte = WORKER_ENDED };
    int fd = open_gateway_socket(demo, port);
    if (fd < 0)
        return false;
    gw_config *config = demo_config_gateway(demo, is_logged);
    bool is_open = config != NULL && crew_open(&demo->gateway, &spec) &&
                   crew_apply(&demo->gateway, config);
    if (is_open)
        is_open = crew_listen_fd(&demo->gateway, fd, "edge");
    else
        close(fd);
    gw_config_unref(config);
    return is_open && crew_start(&demo->gateway);
}

size_t demo_upstreams(const struct demo *demo)
{
    return demo->has_h2 ? DEMO_UPSTREAMS : DEMO_UPSTREAMS_H1;
}

bool demo_open(struct demo *demo, uint16_t port, bool is_logged)
{
    memset(demo, 0, sizeof *demo);
    demo->has_h2 = strstr(gw_build_features(), "h2=") != NULL;
    demo->no_log.fd = -1;
    demo->log.fd = -1;
    demo->deaf_fd = -1;
    for (size_t i = 0; i < DEMO_UPSTREAMS; i++)
        demo->fds[i] = -1;
    if (is_logged && !access_log_open(&demo->log, "-"))
        return false;
    return open_upstream_sockets(demo) && open_upstreams(demo) &&
           open_gateway(demo, port, is_logged);
}

/* The gateway first: what it has in flight needs the upstreams. */
void demo_close(struct demo *demo)
{
    crew_stop(&demo->gateway);
    (void)crew_join(&demo->gateway);
    crew_close(&demo->gateway);
    crew_stop(&demo->upstreams);
    (void)crew_join(&demo->upstreams);
    crew_close(&demo->upstreams);
    access_log_close(&demo->log);
    for (size_t i = 0; i < DEMO_UPSTREAMS; i++)
        if (demo->fds[i] >= 0)
            close(demo->fds[i]);
    if (demo->deaf_fd >= 0)
        close(demo->deaf_fd);
}

/* ---- what to try ---- */

static const char what_to_try[] =
    "gw demo: a gateway on http://127.0.0.1:%u, in front of\n"
    "  /echo                two HTTP/1.1 servers, which send back what they get\n"
    "  /helloworld.Greeter  two gRPC servers\n"
    "  /nobody              an address where nobody listens\n"
    "\n"
    "Try, in another terminal:\n"
    "\n"
    "  curl -i http://127.0.0.1:%u/echo/hello\n"
    "  curl --data-binary 'some words' http://127.0.0.1:%u/echo\n"
    "  curl -i http://127.0.0.1:%u/nobody\n";

static const char what_to_try_of_h2[] =
    "  curl -i --http2-prior-knowledge http://127.0.0.1:%u/echo/over-http2\n"
    "\n"
    "A gRPC call with curl alone; grpc-status: 0 says that all is well:\n"
    "\n"
    "  printf '\\0\\0\\0\\0\\5\\12\\3you' | curl -s --http2-prior-knowledge --data-binary @- \\\n"
    "    -H 'content-type: application/grpc' -H 'te: trailers' -D /dev/stderr \\\n"
    "    http://127.0.0.1:%u/helloworld.Greeter/SayHello | tail -c +8; echo\n"
    "\n"
    "And with Python (apt install python3-grpcio):\n"
    "\n"
    "python3 -c '\n"
    "import grpc\n"
    "channel = grpc.insecure_channel(\"127.0.0.1:%u\")\n"
    "many = channel.unary_stream(\"/helloworld.Greeter/LotsOfReplies\")\n"
    "for reply in many(b\"\\x0a\\x03you\"):\n"
    "    print(reply[2:].decode())'\n";

static const char what_happens[] =
    "\n"
    "Each request that ends is logged below as a line of JSON. Ctrl-C ends the demo.\n";

static void print_what_to_try(const struct demo *demo)
{
    unsigned p = demo->port;
    fprintf(stderr, what_to_try, p, p, p, p);
    if (demo->has_h2)
        fprintf(stderr, what_to_try_of_h2, p, p, p);
    else
        fputs("\nThis build has no HTTP/2: no gRPC (install libnghttp2-dev, build again).\n",
              stderr);
    fputs(what_happens, stderr);
}

/* The first signal drains, the second ends at once. False: the gateway's thread ended by itself. */
static bool wait_for_end(struct demo *demo)
{
    bool is_draining = false;
    for (;;) {
        char byte = signals_next();
        if (byte == WORKER_ENDED)
            return is_draining;
        if (byte != SIGNAL_END)
            continue;
        if (is_draining)
            return true;
        crew_drain(&demo->gateway, DRAIN_MS);
        is_draining = true;
    }
}

/* ---- the command ---- */

static bool parse_port(const char *text, struct options *out)
{
    char *end = NULL;
    errno = 0;
    unsigned long port = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != 0 || port > UINT16_MAX || text[0] == '-') {
        say("--port needs a number from 0 to 65535; 0 is any that is free");
        return false;
    }
    out->port = (uint16_t)port;
    out->has_port = true;
    return true;
}

static bool parse_options(int argc, char **argv, struct options *out)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--check") == 0) {
            out->is_check = true;
        } else if (strcmp(argv[i], "--json") == 0) {
            out->is_json = true;
        } else if (strcmp(argv[i], "--port") == 0) {
            if (!parse_port(i + 1 < argc ? argv[++i] : "", out))
                return false;
        } else {
            say_unknown_option("demo", argv[i]);
            return false;
        }
    }
    if (out->is_json && !out->is_check) {
        say("--json goes with --check: gw demo --check --json");
        return false;
    }
    if (!out->has_port) /* a check must not fail because some other program has 8080 */
        out->port = out->is_check ? 0 : PORT_DEFAULT;
    return true;
}

static bool run(struct demo *demo, const struct options *options)
{
    if (options->is_check)
        return demo_check(demo, options->is_json);
    print_what_to_try(demo);
    return wait_for_end(demo);
}

int command_demo(int argc, char **argv)
{
    struct options options = { 0 };
    struct demo demo;
    if (!parse_options(argc, argv, &options))
        return EXIT_USAGE;
    if (!options.is_check && !signals_open()) /* Ctrl-C ends a check as it ends any program */
        return EXIT_FAILED;
    signals_block();
    bool is_fine = demo_open(&demo, options.port, !options.is_check);
    signals_unblock();
    is_fine = is_fine && run(&demo, &options);
    demo_close(&demo);
    return is_fine ? EXIT_FINE : EXIT_FAILED;
}
