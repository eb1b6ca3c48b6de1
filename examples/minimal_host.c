/* minimal_host.c: mode 1: a gateway whose host moves every byte itself, with poll.
 *     minimal_host 127.0.0.1:8080 127.0.0.1:9000     HTTP/1.1, HTTP/2, gRPC in; HTTP/1.1 out
 * libgw opens nothing and waits for nothing. It says what it wants of each link; the host does it
 * with sockets of its own and reports; gw_worker_step does the rest. SIGTERM: what is under way is
 * finished, then it ends. */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <gw/gw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PLACES = 256 };
static struct place {
    gw_link *link; /* NULL: free */
    int fd;
} places[PLACES + 1]; /* links_max is PLACES: one is always free */
static volatile sig_atomic_t is_ending;

static void end(int number)
{
    is_ending = number;
}

static gw_nanos now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (gw_nanos)t.tv_sec * 1000000000u + (gw_nanos)t.tv_nsec;
}

static struct place *free_place(void)
{
    struct place *place = places;
    while (place->link != NULL)
        place++;
    return place;
}

/* how: bind or connect. -1: it failed, or the address is not an IPv4 one. */
static int open_socket(gw_str address, int (*how)(int, const struct sockaddr *, socklen_t))
{
    gw_address parts;
    if (gw_address_parse(address, &parts) != GW_OK || parts.kind != GW_ADDRESS_IPV4)
        return -1;
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons((uint16_t)parts.port) };
    memcpy(&name.sin_addr, parts.ip, 4);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
    if (how(fd, (const struct sockaddr *)&name, sizeof name) == 0 || errno == EINPROGRESS)
        return fd;
    (void)close(fd);
    return -1;
}

/* Who it is upstreams are told, and hooks: nobody but us knows. */
static void take_client(gw_worker *worker, int listening)
{
    struct place *place = free_place();
    struct sockaddr_in who = { .sin_family = AF_INET };
    char ip[INET_ADDRSTRLEN] = "", peer[sizeof ip + 8];
    place->fd = accept(listening, (struct sockaddr *)&who, &(socklen_t){ sizeof who });
    (void)inet_ntop(AF_INET, &who.sin_addr, ip, sizeof ip);
    (void)snprintf(peer, sizeof peer, "%s:%d", ip, ntohs(who.sin_port));
    gw_facts facts = { .size = sizeof facts, .peer = gw_cstr(peer) };
    gw_accept_spec spec = {
        .size = sizeof spec, .listener = gw_cstr("edge"), .user = place, .facts = &facts
    };
    if (place->fd >= 0 && gw_worker_accept(worker, &spec, &place->link) != GW_OK)
        (void)close(place->fd); /* full: the client may try again */
}

/* poll says that something can be done for this link: do it, and report. */
static void move_bytes(gw_link *link, int fd, short ready)
{
    gw_span room;
    gw_const_span bytes;
    if ((gw_link_want(link) & GW_WANT_CONNECT) != 0) {
        int error = 0;
        (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){ sizeof error });
        gw_link_connected(link, error == 0 ? GW_OK : GW_EREFUSED, NULL);
    } else if (ready != POLLOUT && gw_link_room(link, &room, 1) > 0) {
        ssize_t n = recv(fd, room.ptr, room.len, MSG_DONTWAIT);
        gw_status failure = n == 0 ? GW_EOF : errno == EAGAIN ? GW_AGAIN : GW_ERESET;
        gw_link_received(link, n > 0 ? (size_t)n : 0, n > 0 ? GW_OK : failure);
    }
    if ((ready & POLLOUT) != 0 && gw_link_unsent(link, &bytes, 1) > 0) {
        ssize_t n = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        gw_link_sent(link, n > 0 ? (size_t)n : 0, n < 0 && errno != EAGAIN ? GW_ERESET : GW_OK);
    }
}

/* What poll has no event for. */
static void follow(const gw_notice *notice)
{
    struct place *place = notice->user;
    if ((notice->want & GW_WANT_CLOSE) != 0) {
        if (place != NULL) /* NULL: given up before it was dialled */
            *place = (struct place){ NULL, close(place->fd) };
        gw_link_closed(notice->link);
    } else if ((notice->want & GW_WANT_CONNECT) != 0 && place == NULL) {
        gw_destination to = GW_SPEC(gw_destination);
        (void)gw_link_get_destination(notice->link, &to);
        gw_link_set_user(notice->link, place = free_place());
        *place = (struct place){ notice->link, open_socket(to.address, connect) };
        if (place->fd < 0)
            gw_link_connected(notice->link, GW_EREFUSED, NULL);
    } else if ((notice->want & GW_WANT_SHUTDOWN) != 0) {
        (void)shutdown(place->fd, SHUT_WR);
        gw_link_sent(notice->link, 0, GW_EOF);
    }
}

static void turn(gw_worker *worker, int listening)
{
    struct pollfd fds[PLACES + 1] = { [PLACES] = { .fd = listening, .events = POLLIN } };
    for (size_t i = 0; i < PLACES; i++) { /* want is a level: asked each turn */
        uint32_t want = places[i].link != NULL ? gw_link_want(places[i].link) : 0;
        int out = (want & (GW_WANT_WRITE | GW_WANT_CONNECT)) != 0 ? POLLOUT : 0;
        fds[i].events = (short)(out | ((want & GW_WANT_READ) != 0 ? POLLIN : 0));
        fds[i].fd = fds[i].events != 0 ? places[i].fd : -1;
    }
    gw_nanos deadline = gw_worker_deadline(worker), t = now();
    uint64_t wait = deadline <= t ? 0 : (deadline - t) / 1000000 + 1;
    (void)poll(fds, PLACES + 1, wait < 1000 ? (int)wait : 1000);
    for (size_t i = 0; i < PLACES; i++)
        if (fds[i].fd >= 0 && fds[i].revents != 0)
            move_bytes(places[i].link, places[i].fd, fds[i].revents);
    if (fds[PLACES].revents != 0)
        take_client(worker, listening);
    (void)gw_worker_step(worker, now()); /* GW_AGAIN: the deadline is now */
    for (gw_notice notice = GW_SPEC(gw_notice); gw_bytes_next(worker, &notice);)
        follow(&notice);
}

int main(int argc, char **argv)
{
    gw_builder *builder;
    gw_config *config;
    gw_engine *engine;
    gw_worker *worker;
    gw_str upstream = gw_cstr(argc == 3 ? argv[2] : "none");
    gw_listener_spec listener = { .size = sizeof listener, .name = gw_cstr("edge") };
    gw_cluster_spec cluster = { .size = sizeof cluster, .name = gw_cstr("up") };
    gw_endpoint_spec endpoint = { .size = sizeof endpoint, .address = upstream };
    gw_route_spec all = { .size = sizeof all, .name = gw_cstr("all"), .cluster = gw_cstr("up") };
    gw_limits limits = { .size = sizeof limits, .links_max = PLACES };
    gw_engine_spec spec = { .size = sizeof spec, .limits = &limits };
    int listening = argc == 3 ? open_socket(gw_cstr(argv[1]), bind) : -1;
    if (listening < 0 || listen(listening, 64) != 0 || gw_builder_new(NULL, &builder) != GW_OK)
        errx(2, "usage: minimal_host ADDRESS:PORT UPSTREAM:PORT (numeric; the first one free)");
    (void)gw_builder_listener(builder, &listener); /* what is wrong here, build reports */
    (void)gw_builder_endpoint(builder, gw_builder_cluster(builder, &cluster), &endpoint);
    (void)gw_builder_route(builder, &all);
    if (gw_builder_build(builder, &config, NULL) != GW_OK ||
        gw_engine_new(&spec, &engine) != GW_OK || gw_engine_apply(engine, config, NULL) != GW_OK ||
        gw_worker_new(engine, &GW_SPEC(gw_worker_spec), &worker) != GW_OK)
        errx(1, "libgw refuses: is %s a numeric address with a port?", argv[2]);
    (void)signal(SIGTERM, end);
    fprintf(stderr, "listening on %s\n", argv[1]);
    while (listening >= 0 || !gw_worker_is_idle(worker)) {
        turn(worker, listening);
        if (is_ending && listening >= 0) {
            (void)close(listening);
            listening = -1; /* poll passes it over */
            (void)gw_worker_drain(worker, 10000);
        }
    }
    gw_worker_free(worker);
    gw_engine_free(engine);
    gw_config_unref(config);
}
