/* proto/over_sim.c: scripts over simulated wires without any delay: what a peer says arrives at once, cut
 * as this run wants it; time passes only when the script says so. */

#include "proto.h"
#include "worker/worker.h"

/* Names that are drawn are the same each time. */
static void draw(void *ctx, void *out, size_t len)
{
    (void)ctx;
    memset(out, 7, len);
}

static void make_engine(struct proto *p)
{
    struct sim *sim = &p->sim;
    gw_env env = GW_SPEC(gw_env);
    gw_engine_spec engine = GW_SPEC(gw_engine_spec);
    gw_config *config = proto_config(p);

    sim->allocator = sim_allocator(sim);
    sim->drought_end = GW_NEVER;
    env.allocator = sim->allocator;
    env.panic = sim_misuse;
    env.panic_ctx = sim;
    env.entropy = draw;
    engine.env = &env;
    engine.limits = &p->limits;
    SIM_CHECK(sim, gw_engine_new(&engine, &sim->engine) == GW_OK, "engine");
    SIM_CHECK(sim, gw_engine_apply(sim->engine, config, NULL) == GW_OK, "apply");
    gw_config_unref(config);
}

void proto_start(struct proto *p)
{
    struct sim *sim = &p->sim;

    sim->now = GW_MS(1000);
    proto_clock_set(sim->now);
    sim->swarm.refuse_pct = p->refuses ? 100 : 0;
    sim_peers_init(sim);
    if (p->mode->has_sockets)
        sock_start(p); /* the upstream's address is part of the configuration */
    else
        snprintf(p->address, sizeof p->address, "10.0.0.1:80");
    make_engine(p);
    SIM_CHECK(sim, p->mode->start(p), "%s is not there", p->mode->name);
    gw_worker_stub_tls(sim->worker, sim->swarm.tls_client, sim->swarm.tls_upstream);
}

void proto_stop(struct proto *p)
{
    struct sim *sim = &p->sim;

    if (p->log != NULL)
        proto_log_write(p);
    if (p->mode->has_sockets)
        sock_stop(p);
    p->mode->stop(p);
    gw_engine_free(sim->engine);
    SIM_CHECK(sim, sim->memory == 0, "%llu bytes are left", (unsigned long long)sim->memory);
    for (int i = 0; i < PROTO_CALLS; i++) {
        free(p->client[i].body);
        free(p->upstream[i].body);
    }
    sim_peers_fini(sim);
}

/* The gateway sees one deed of the network at a time. */
void sim_mode_step(struct proto *p)
{
    struct sim *sim = &p->sim;

    sim->wake = false;
    p->is_stepping = true;
    while (gw_worker_step(sim->worker, sim->now) == GW_AGAIN)
        ;
    p->is_stepping = false;
}

void proto_settle(struct proto *p)
{
    struct sim *sim = &p->sim;
    struct sim_event e;

    if (p->mode->has_sockets) {
        sock_settle(p);
        return;
    }
    for (int n = 0;; n++) {
        SIM_CHECK(sim, n < 2000000, "it does not come to rest");
        if (sim->wake || gw_worker_deadline(sim->worker) == 0)
            p->mode->turn(p, 0);
        else if (sim_when(sim) <= sim->now && sim_next(sim, &e))
            sim_net_event(sim, &e);
        else
            return;
    }
}

static void set_time(struct proto *p, gw_nanos now)
{
    p->sim.now = now;
    proto_clock_set(now);
    if (!p->mode->has_sockets)
        p->mode->turn(p, 0);
}

void proto_pass_time(struct proto *p, gw_nanos ns)
{
    struct sim *sim = &p->sim;
    gw_nanos until = sim->now + ns;

    for (int n = 0; gw_worker_deadline(sim->worker) <= until; n++) {
        gw_nanos when = gw_worker_deadline(sim->worker);
        SIM_CHECK(sim, n < 1000, "it is time, and nothing is done");
        set_time(p, when > sim->now ? when : sim->now);
        proto_settle(p);
    }
    set_time(p, until);
}

void proto_connect_client(struct proto *p)
{
    struct sim *sim = &p->sim;
    gw_accept_spec spec = GW_SPEC(gw_accept_spec);
    gw_facts facts = proto_facts();
    struct sim_wire *w;

    if (p->mode->has_sockets) {
        sock_connect_client(p);
        return;
    }
    w = sim_wire_new(sim);
    sim_peer_new(sim, w, true, sim->swarm.client_protocol[0]);
    spec.listener = gw_cstr("edge");
    spec.facts = &facts;
    spec.io = w;
    spec.flags = p->returns ? GW_ACCEPT_RETURN : 0;
    SIM_CHECK(sim, gw_worker_accept(sim->worker, &spec, &w->link) == GW_OK, "accept");
    sim->wake = true;
    p->client_wire = w;
}

void proto_come_to_rest(struct proto *p)
{
    struct sim *sim = &p->sim;

    SIM_CHECK(sim, gw_worker_drain(sim->worker, 1000) == GW_OK, "drain");
    proto_settle(p);
    for (int minutes = 0; !gw_worker_is_idle(sim->worker); minutes++) {
        SIM_CHECK(sim, minutes < 10, "something is left for ever");
        proto_pass_time(p, GW_MS(60000));
        proto_settle(p);
    }
}
