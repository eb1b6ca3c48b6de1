/* proto/mode_bytes.c: mode 1 over simulated wires: the host asks what is wanted and moves the bytes. */

#include "proto.h"

static bool start(struct proto *p)
{
    gw_worker_spec worker = proto_worker_spec(p);

    SIM_CHECK(&p->sim, gw_worker_new(p->sim.engine, &worker, &p->sim.worker) == GW_OK, "worker");
    return true;
}

static void dial(struct sim *sim, gw_link *l)
{
    gw_destination to = GW_SPEC(gw_destination);

    SIM_CHECK(sim, gw_link_get_destination(l, &to) == GW_OK, "destination");
    if (sim_io.connect(sim, l, &to) != GW_OK)
        gw_link_connected(l, GW_EIO, NULL);
}

static void send_all(struct sim *sim, gw_link *l)
{
    gw_const_span spans[16];
    size_t n = gw_link_unsent(l, spans, 16);

    if (n > 0 && sim_io.send(sim, l, spans, n) != GW_OK)
        gw_link_sent(l, 0, GW_EIO);
}

/* Does what is wanted of a link and not yet under way. */
static void follow(struct sim *sim, gw_link *l)
{
    uint32_t want = gw_link_want(l);
    struct sim_wire *w = gw_link_io(l);

    if ((want & GW_WANT_CLOSE) != 0) {
        if (w == NULL || !w->is_closing)
            sim_io.close(sim, l);
        return;
    }
    if ((want & GW_WANT_RETURN) != 0) {
        if (sim_io.give_back(sim, l) != GW_OK)
            gw_link_abort(l);
        return;
    }
    if (w == NULL) {
        if ((want & GW_WANT_CONNECT) != 0)
            dial(sim, l);
        return;
    }
    if ((want & GW_WANT_READ) != 0 && !w->recv_wanted && sim_io.recv(sim, l) != GW_OK)
        gw_link_received(l, 0, GW_EIO);
    if ((want & GW_WANT_WRITE) != 0 && w->sending == 0)
        send_all(sim, l);
    if ((want & GW_WANT_SHUTDOWN) != 0 && !w->gateway_fin && sim_io.shutdown(sim, l) != GW_OK)
        gw_link_sent(l, 0, GW_EIO);
}

static void turn(struct proto *p, int wait_ms)
{
    struct sim *sim = &p->sim;
    gw_notice notice = GW_SPEC(gw_notice);

    (void)wait_ms;
    sim_mode_step(p);
    while (gw_bytes_next(sim->worker, &notice))
        follow(sim, notice.link);
    for (uint32_t i = 0; i < SIM_WIRES_MAX; i++) /* want is a level */
        if (sim->wires[i].is_used && sim->wires[i].link != NULL && !sim->wires[i].is_closing)
            follow(sim, sim->wires[i].link);
}

static void stop(struct proto *p)
{
    gw_worker_free(p->sim.worker);
}

const struct proto_mode proto_bytes = {
    .name = "bytes",
    .start = start,
    .turn = turn,
    .stop = stop,
};
