/* sim/sim_net.c: wires between the gateway and its peers: the gw_io_ops of the simulated worker. Bytes
 * are cut and delayed, sends take part of what they are given and complete later, connections are
 * refused, broken and closed; order on a wire is kept. */

#include "sim.h"

static void bytes_room(struct sim_bytes *b, size_t len)
{
    if (b->from == b->to)
        b->from = b->to = 0;
    if (b->to + len <= b->room)
        return;
    b->room = (b->to + len) * 2;
    b->at = realloc(b->at, b->room);
}

void sim_bytes_put(struct sim_bytes *b, const void *bytes, size_t len)
{
    if (len == 0)
        return;
    bytes_room(b, len);
    memcpy(b->at + b->to, bytes, len);
    b->to += len;
}

void sim_bytes_free(struct sim_bytes *b)
{
    free(b->at);
    *b = (struct sim_bytes){ 0 };
}

static gw_nanos latency(struct sim *sim)
{
    return sim_time_below(sim, sim->swarm.latency_max + 1);
}

struct sim_wire *sim_wire_new(struct sim *sim)
{
    for (uint32_t i = 0; i < SIM_WIRES_MAX; i++) {
        struct sim_wire *w = &sim->wires[i];
        uint32_t turn = w->turn + 1;
        if (w->is_used)
            continue;
        *w = (struct sim_wire){ .index = i, .turn = turn, .is_used = true };
        return w;
    }
    sim_fail(sim, __FILE__, __LINE__, "wires", "too many connections");
}

static void free_if_over(struct sim *sim, struct sim_wire *w)
{
    (void)sim;
    if (w->link != NULL || w->peer != NULL || w->is_hosts)
        return;
    sim_bytes_free(&w->host);
    sim_bytes_free(&w->to_gateway);
    sim_bytes_free(&w->to_peer);
    w->is_used = false;
}

/* ---- towards the gateway ---- */

static void schedule_in(struct sim *sim, struct sim_wire *w)
{
    if (w->delivering)
        return;
    w->delivering = true;
    sim_at(sim, latency(sim), SIM_TO_GATEWAY, w->index, w->turn, 0);
}

void sim_wire_say(struct sim_wire *w, struct sim *sim, const void *bytes, size_t len)
{
    if (w->peer_fin || w->peer_rst || (w->say != NULL && w->say(sim, w, bytes, len)))
        return;
    w->was_cut = false;
    sim_bytes_put(&w->to_gateway, bytes, len);
    schedule_in(sim, w);
}

void sim_wire_fin(struct sim_wire *w, struct sim *sim)
{
    w->peer_fin = true;
    if (w->end == NULL || !w->end(sim, w, false))
        schedule_in(sim, w);
}

void sim_wire_rst(struct sim_wire *w, struct sim *sim)
{
    w->peer_rst = true;
    if (w->end == NULL || !w->end(sim, w, true))
        schedule_in(sim, w);
}

static bool takes_all(const struct sim *sim)
{
    return sim->swarm.is_plain && sim->swarm.piece_max >= 1u << 20;
}

/* What has arrived is read, if the gateway wants to. */
static void give(struct sim *sim, struct sim_wire *w)
{
    gw_span room[8];
    size_t n, taken = 0;

    if (w->is_hosts)
        sim_host_run(sim, w);
    if (!w->recv_wanted || w->link == NULL)
        return;
    if (w->arrived == 0) {
        if (!w->fin_arrived && !w->rst_arrived)
            return;
        w->recv_wanted = false;
        gw_link_received(w->link, 0, w->rst_arrived ? GW_ERESET : GW_EOF);
        sim->wake = true;
        return;
    }
    n = gw_link_room(w->link, room, takes_all(sim) ? 8 : 1 + sim_below(sim, 8));
    w->recv_wanted = false;
    sim->wake = true;
    for (size_t i = 0; i < n && w->arrived > 0; i++) {
        size_t part = w->arrived < room[i].len ? w->arrived : room[i].len;
        memcpy(room[i].ptr, w->to_gateway.at + w->to_gateway.from, part);
        w->to_gateway.from += part;
        w->arrived -= part;
        taken += part;
    }
    if (n > 0)
        gw_link_received(w->link, taken, sim_chance(sim, 50) ? GW_OK : GW_AGAIN);
}

/* How much of what is on its way comes next. */
static size_t next_piece(struct sim *sim, struct sim_wire *w, size_t left)
{
    uint32_t max = sim->swarm.piece_max;

    if (left == 0)
        return 0;
    if (sim->swarm.cut_at > 0 && !w->was_cut) {
        w->was_cut = true;
        return left < sim->swarm.cut_at ? left : sim->swarm.cut_at;
    }
    if (max >= 1u << 20 || sim_is_calm(sim))
        return left;
    return 1 + sim_below(sim, left < max ? left : max);
}

static void arrive(struct sim *sim, struct sim_wire *w)
{
    size_t left = w->to_gateway.to - w->to_gateway.from - w->arrived, n;

    w->delivering = false;
    if (w->peer_rst) { /* what was on its way is lost */
        w->rst_arrived = true;
        w->arrived = 0;
        w->to_gateway.from = w->to_gateway.to;
        give(sim, w);
        return;
    }
    n = next_piece(sim, w, left);
    w->arrived += n;
    if (n < left)
        schedule_in(sim, w);
    else if (w->peer_fin)
        w->fin_arrived = true;
    give(sim, w);
}

/* ---- towards the peer ---- */

static void schedule_out(struct sim *sim, struct sim_wire *w)
{
    sim_at(sim, latency(sim), SIM_TO_PEER, w->index, w->turn, 0);
}

void sim_wire_answer(struct sim_wire *w, struct sim *sim, const void *bytes, size_t len)
{
    sim_bytes_put(&w->to_peer, bytes, len);
    schedule_out(sim, w);
}

static void reach_peer(struct sim *sim, struct sim_wire *w)
{
    size_t left = w->to_peer.to - w->to_peer.from, n;
    uint8_t piece[4096];

    if (w->peer == NULL || sim_wire_stalls(sim, w))
        return;
    if (left == 0) {
        if ((w->gateway_fin || w->gateway_gone) && !w->gone_told) {
            w->gone_told = true;
            sim_peer_end(w->peer, w->gateway_fin ? GW_EOF : GW_ERESET);
        }
        return;
    }
    n = left < sim->swarm.piece_max || sim_is_calm(sim) ? left : sim->swarm.piece_max;
    n = 1 + sim_below(sim, n);
    if (n > sizeof piece)
        n = sizeof piece;
    memcpy(piece, w->to_peer.at + w->to_peer.from, n);
    w->to_peer.from += n;
    schedule_out(sim, w);
    sim_peer_hear(w->peer, piece, n);
}

/* ---- stalled readers ---- */

enum { STALLED_WIRE = 20000 }; /* bytes that lie between both ends */

/* An HTTP/1 client that does not read its response does not read its connection. */
bool sim_wire_stalls(const struct sim *sim, const struct sim_wire *w)
{
    const struct sim_client *c = w->is_upstream || w->peer == NULL ? NULL
                                                                   : &sim->clients[w->peer->client];

    return sim->is_stalling && c != NULL && w->peer->client < sim->swarm.stalled &&
           c->protocol == GW_PROTO_H1;
}

void sim_net_release(struct sim *sim)
{
    sim_trace(sim, "nobody stalls any more");
    sim->is_stalling = false;
    for (uint32_t i = 0; i < SIM_WIRES_MAX; i++) {
        struct sim_wire *w = &sim->wires[i];
        if (!w->is_used || w->is_upstream)
            continue;
        schedule_out(sim, w);
        if (w->is_blocked)
            sim_at(sim, 0, SIM_SENT, w->index, w->turn, 0);
        w->is_blocked = false;
        sim_at(sim, 0, SIM_PEER_RUNS, w->index, w->turn, 0);
    }
}

/* ---- the operations ---- */

static bool io_fails(struct sim *sim)
{
    if (++sim->operations != sim->fail_io_at)
        return false;
    sim->io_failed++;
    return true;
}

static gw_status do_connect(void *io, gw_link *l, const gw_destination *target)
{
    struct sim *sim = io;
    struct sim_wire *w;

    SIM_CHECK(sim, target->address.len > 0, "no address");
    if (io_fails(sim))
        return GW_EIO;
    w = sim_wire_new(sim);
    w->link = l;
    w->is_upstream = true;
    gw_link_set_io(l, w);
    sim_at(sim, latency(sim), SIM_CONNECTED, w->index, w->turn,
           sim_chance(sim, sim->swarm.refuse_pct));
    return GW_OK;
}

static void connected(struct sim *sim, struct sim_wire *w, bool is_refused)
{
    if (w->link == NULL || w->is_closing)
        return;
    sim->wake = true;
    if (is_refused) {
        gw_link_connected(w->link, GW_EREFUSED, NULL);
        return;
    }
    sim_origin_connected(sim, w);
    gw_link_connected(w->link, GW_OK, NULL);
}

static gw_status do_recv(void *io, gw_link *l)
{
    struct sim *sim = io;
    struct sim_wire *w = gw_link_io(l);

    SIM_CHECK(sim, !w->recv_wanted, "two receives at once");
    if (io_fails(sim))
        return GW_EIO;
    w->recv_wanted = true;
    if (w->arrived > 0 || w->fin_arrived || w->rst_arrived)
        schedule_in(sim, w);
    return GW_OK;
}

static gw_status do_send(void *io, gw_link *l, const gw_const_span *v, size_t n)
{
    struct sim *sim = io;
    struct sim_wire *w = gw_link_io(l);
    size_t total = 0, take;

    SIM_CHECK(sim, w->sending == 0, "two sends at once");
    SIM_CHECK(sim, !w->gateway_fin, "a send after the end");
    if (io_fails(sim))
        return GW_EIO;
    for (size_t i = 0; i < n; i++)
        total += v[i].len;
    SIM_CHECK(sim, total > 0, "an empty send");
    if (sim->swarm.takes_nothing ==
        (w->is_upstream ? SIM_UPSTREAMS_TAKE_NOTHING : SIM_CLIENTS_TAKE_NOTHING)) {
        w->sending = total;
        return GW_OK;
    }
    if (sim_wire_stalls(sim, w) && w->to_peer.to - w->to_peer.from >= STALLED_WIRE) {
        w->sending = total;
        w->is_blocked = true;
        return GW_OK;
    }
    take = sim_chance(sim, sim->swarm.partial_send_pct) ? 1 + sim_below(sim, total) : total;
    w->sending = take;
    for (size_t i = 0, left = take; i < n && left > 0; i++) {
        size_t part = v[i].len < left ? v[i].len : left;
        sim_bytes_put(&w->to_peer, v[i].ptr, part);
        left -= part;
    }
    schedule_out(sim, w);
    if (sim_chance(sim, sim->swarm.delay_send_pct)) {
        sim_at(sim, latency(sim), SIM_SENT, w->index, w->turn, take);
        return GW_OK;
    }
    w->sending = 0;
    w->sent += take;
    gw_link_sent(l, take, w->rst_arrived ? GW_ERESET : GW_OK);
    return GW_OK;
}

static gw_status do_shutdown(void *io, gw_link *l)
{
    struct sim *sim = io;
    struct sim_wire *w = gw_link_io(l);

    SIM_CHECK(sim, w->sending == 0, "an end while a send is on its way");
    w->gateway_fin = true;
    schedule_out(sim, w);
    gw_link_sent(l, 0, GW_EOF);
    return GW_OK;
}

static void do_close(void *io, gw_link *l)
{
    struct sim *sim = io;
    struct sim_wire *w = gw_link_io(l);

    if (w == NULL) { /* its connect failed at once */
        gw_link_closed(l);
        return;
    }
    w->is_closing = true;
    w->gateway_gone = true;
    if (sim->swarm.is_plain && w->to_gateway.from == w->to_gateway.to)
        w->gateway_fin = true;
    w->recv_wanted = false;
    schedule_out(sim, w);
    sim_at(sim, latency(sim), SIM_CLOSED, w->index, w->turn, 0);
}

static gw_status do_give_back(void *io, gw_link *l)
{
    struct sim *sim = io;

    if (io_fails(sim))
        return GW_EIO;
    sim_host_take(sim, gw_link_io(l));
    return GW_OK;
}

const gw_io_ops sim_io = {
    .size = sizeof(gw_io_ops),
    .name = "sim",
    .connect = do_connect,
    .recv = do_recv,
    .send = do_send,
    .shutdown = do_shutdown,
    .close = do_close,
    .give_back = do_give_back,
};

void sim_net_event(struct sim *sim, const struct sim_event *e)
{
    struct sim_wire *w = &sim->wires[e->who];

    if (!w->is_used || w->turn != e->turn)
        return;
    switch (e->what) {
    case SIM_TO_GATEWAY:
        arrive(sim, w);
        break;
    case SIM_TO_PEER:
        reach_peer(sim, w);
        break;
    case SIM_SENT:
        w->sending = 0;
        w->sent += e->n;
        if (w->link != NULL)
            gw_link_sent(w->link, (size_t)e->n, GW_OK);
        sim->wake = true;
        break;
    case SIM_CONNECTED:
        connected(sim, w, e->n != 0);
        break;
    case SIM_CLOSED:
        gw_link_closed(w->link);
        w->link = NULL;
        sim->wake = true;
        break;
    case SIM_PEER_RUNS:
        if (w->peer != NULL)
            sim_peer_run(w->peer);
        break;
    case SIM_HOST_RUNS:
        if (w->is_hosts)
            sim_host_run(sim, w);
        break;
    case SIM_CLIENT_RUNS:
    case SIM_ADVERSARY:
    case SIM_RESUMES:
    case SIM_ACT:
        break;
    }
    if (w->peer != NULL && w->peer->is_dead) {
        sim_peer_free(w->peer);
        w->peer = NULL;
    }
    free_if_over(sim, w);
}
