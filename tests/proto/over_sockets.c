/* proto/over_sockets.c: scripts over loopback: peers on sockets of their own, the gateway in whatever loop
 * the mode has, all in this thread. Time is that of the script. */

#include "proto.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static void set_up_socket(int fd)
{
    int on = 1;

    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static int listen_here(struct proto *p)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    SIM_CHECK(&p->sim, fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0, "bind");
    SIM_CHECK(&p->sim, p->refuses || listen(fd, 64) == 0, "listen");
    SIM_CHECK(&p->sim, getsockname(fd, (struct sockaddr *)&a, &len) == 0, "getsockname");
    snprintf(p->address, sizeof p->address, "127.0.0.1:%u", ntohs(a.sin_port));
    set_up_socket(fd);
    return fd;
}

void sock_start(struct proto *p)
{
    p->upstream_socket = listen_here(p);
}

static bool say(struct sim *sim, struct sim_wire *w, const void *bytes, size_t len)
{
    (void)sim;
    sim_bytes_put(&w->to_gateway, bytes, len); /* pumped as the socket takes it */
    return true;
}

static bool end(struct sim *sim, struct sim_wire *w, bool is_reset)
{
    struct linger now = { 1, 0 };

    (void)sim;
    if (is_reset) {
        (void)setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close(w->fd);
        w->fd = -1;
    }
    return true;
}

static struct sim_wire *wire_of(struct proto *p, int fd)
{
    struct sim_wire *w = sim_wire_new(&p->sim);

    set_up_socket(fd);
    w->fd = fd;
    w->say = say;
    w->end = end;
    return w;
}

void sock_connect_client(struct proto *p)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    a.sin_port = htons(p->mode->listen(p));
    SIM_CHECK(&p->sim, fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0, "connect");
    p->client_wire = wire_of(p, fd);
    sim_peer_new(&p->sim, p->client_wire, true, p->sim.swarm.client_protocol[0]);
    p->mode->turn(p, 1000);
    p->mode->unlisten(p);
}

static bool accept_upstreams(struct proto *p)
{
    bool any = false;
    int fd;

    while ((fd = accept(p->upstream_socket, NULL, NULL)) >= 0) {
        struct sim_wire *w = wire_of(p, fd);
        w->is_upstream = true;
        sim_origin_connected(&p->sim, w);
        any = true;
    }
    return any;
}

static bool send_some(struct sim_wire *w)
{
    struct sim_bytes *b = &w->to_gateway;
    ssize_t n = 0;

    if (b->to > b->from)
        n = send(w->fd, b->at + b->from, b->to - b->from, MSG_NOSIGNAL);
    if (n > 0)
        b->from += (size_t)n;
    if (w->peer_fin && b->to == b->from && !w->fin_arrived) {
        w->fin_arrived = true;
        (void)shutdown(w->fd, SHUT_WR);
        return true;
    }
    return n > 0;
}

static bool read_some(struct sim_wire *w)
{
    uint8_t bytes[16384];
    ssize_t n;

    if (w->gone_told)
        return false;
    n = recv(w->fd, bytes, sizeof bytes, 0);
    if (n > 0) {
        sim_peer_hear(w->peer, bytes, (size_t)n);
        return true;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    w->gone_told = true;
    if (n == 0)
        w->gateway_fin = true;
    sim_peer_end(w->peer, n == 0 ? GW_EOF : GW_ERESET);
    return true;
}

static bool pump_wire(struct proto *p, struct sim_wire *w)
{
    bool any = false;

    if (w->peer != NULL && w->fd >= 0 && !(p->stops_reading && w == p->client_wire))
        any = read_some(w);
    if (w->fd >= 0)
        any = send_some(w) || any;
    if (w->peer != NULL && w->peer->is_dead &&
        (w->fd < 0 || w->to_gateway.from == w->to_gateway.to)) {
        sim_peer_free(w->peer);
        w->peer = NULL;
        if (w->fd >= 0)
            close(w->fd);
        w->fd = -1;
        any = true;
    }
    return any;
}

/* Rounds until several in a row moved nothing; what still comes is waited for by who expects it. */
void sock_settle(struct proto *p)
{
    struct sim_event e;

    for (int idle = 0, n = 0; idle < 3 && n < 100000; n++) {
        bool any = accept_upstreams(p);
        any = proto_host_reads(p) || any;
        p->mode->turn(p, idle == 0 ? 0 : 1);
        for (uint32_t i = 0; i < SIM_WIRES_MAX; i++)
            if (p->sim.wires[i].is_used)
                any = pump_wire(p, &p->sim.wires[i]) || any;
        while (sim_when(&p->sim) <= p->sim.now && sim_next(&p->sim, &e)) {
            struct sim_wire *w = &p->sim.wires[e.who];
            if (w->is_used && w->turn == e.turn && w->peer != NULL && !w->peer->is_dead)
                sim_peer_run(w->peer);
            any = true;
        }
        idle = any ? 0 : idle + 1;
    }
}

void sock_stop(struct proto *p)
{
    for (uint32_t i = 0; i < SIM_WIRES_MAX; i++)
        if (p->sim.wires[i].is_used && p->sim.wires[i].fd >= 0)
            close(p->sim.wires[i].fd);
    close(p->upstream_socket);
    proto_host_stops(p);
}
