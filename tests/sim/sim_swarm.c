/* sim/sim_swarm.c: what a seed decides before anything happens: sizes, speeds, and a subset of the
 * faults. Most worlds have few of them: so that each comes to its depth. */

#include "sim.h"

/* The same draw in a build without HTTP/2. */
static uint32_t protocol(struct sim *sim)
{
    return sim_chance(sim, 50) || sim->h2 == NULL ? GW_PROTO_H1 : GW_PROTO_H2;
}

/* How many stall, of those worlds where that is all that is wrong. */
static void pick_stalled(struct sim *sim)
{
    struct sim_swarm *s = &sim->swarm;

    if (sim->is_stall_asked) {
        s->client_protocol[0] = (sim->seed & 1) == 0 || sim->h2 == NULL ? GW_PROTO_H1 : GW_PROTO_H2;
        s->upstream_protocol = (sim->seed & 2) == 0 || sim->h2 == NULL ? GW_PROTO_H1 : GW_PROTO_H2;
        if (s->clients == 1)
            s->client_protocol[s->clients++] = protocol(sim);
        s->piece_max = s->piece_max >= 1500 ? s->piece_max : 1500;
        s->fault_pct = s->refuse_pct = 0;
        s->tls_client = s->tls_upstream = s->has_hands = false;
        s->small_pool = true;
        s->stalled = (sim->seed & 4) == 0 ? 1 : 1 + (uint32_t)sim_below(sim, s->clients - 1);
    } else if (s->small_pool && s->fault_pct == 0 && s->refuse_pct == 0 && s->clients > 1 &&
               s->piece_max >= 1500 && !s->tls_client && !s->tls_upstream) {
        s->stalled = (uint32_t)sim_below(sim, s->clients);
    }
    if (s->stalled > 0)
        s->connections_max = 0; /* or those who stall hold all connections to an upstream */
}

static void pick_sizes(struct sim *sim)
{
    struct sim_swarm *s = &sim->swarm;
    static const uint32_t pieces[] = { 1, 7, 100, 1500, 16640, 70000 };
    static const uint32_t bodies[] = { 0, 20, 5000, 40000, 200000 };
    bool is_small = sim->input != NULL; /* a fuzzer's worlds: many a second */

    s->clients = 1 + (uint32_t)sim_below(sim, is_small ? 3 : SIM_CLIENTS_MAX);
    for (uint32_t i = 0; i < s->clients; i++)
        s->client_protocol[i] = protocol(sim);
    s->calls = 1 + (uint32_t)sim_below(sim, is_small ? 6 : SIM_CALLS_MAX);
    s->upstream_protocol = protocol(sim);
    s->latency_max = sim_chance(sim, 30) ? 0 : GW_MS(1 + sim_below(sim, 50));
    s->piece_max = pieces[sim_below(sim, sizeof pieces / sizeof *pieces)];
    s->body_max = bodies[sim_below(sim, sizeof bodies / sizeof *bodies)];
    if (s->piece_max < 100 && s->body_max > 5000)
        s->body_max = 5000; /* bounded work */
    if (is_small && s->body_max > 20)
        s->body_max = s->piece_max < 100 ? 60 : 3000;
}

/* A percentage: that of nothing in so many of a hundred worlds. */
static uint32_t pick_pct(struct sim *sim, uint32_t none, uint32_t max)
{
    return sim_chance(sim, none) ? 0 : (uint32_t)sim_below(sim, max);
}

static void pick_faults(struct sim *sim)
{
    struct sim_swarm *s = &sim->swarm;

    s->delay_send_pct = pick_pct(sim, 50, 100);
    s->partial_send_pct = pick_pct(sim, 50, 100);
    s->fault_pct = pick_pct(sim, 40, 60);
    s->faults = UINT32_MAX; /* a fuzzer's plans draw which */
    if (sim->input == NULL)
        s->faults = (uint32_t)gw_prng_next(&sim->prng) & (uint32_t)gw_prng_next(&sim->prng);
    s->refuse_pct = pick_pct(sim, 80, 50);
    s->slow_read_pct = pick_pct(sim, 60, 80);
    s->tls_client = sim_chance(sim, 30);
    s->tls_upstream = sim_chance(sim, 30);
    if (sim->is_tls_asked && !s->tls_client && !s->tls_upstream)
        s->tls_client = s->tls_upstream = true;
    s->small_pool = sim_chance(sim, 20);
}

/* Of generators of their own: worlds without it stay what they were. */
static void pick_extras(struct sim *sim)
{
    struct sim_swarm *s = &sim->swarm;
    struct gw_prng leaving = { sim->seed }, hands = { sim->seed ^ 0xf117e4 };

    if (sim_below_extra(sim, 5) == 0)
        s->reloads = 1 + (uint32_t)sim_below_extra(sim, 7);
    if (s->reloads > 0 && sim_below_extra(sim, 2) == 0)
        s->reload_pct = 1 + (uint32_t)sim_below_extra(sim, 40);
    if (sim_below_extra(sim, 5) == 0)
        s->connections_max = 1 + (uint32_t)sim_below_extra(sim, 4);
    s->has_hands = sim->input != NULL ? (sim->parts & SIM_WITH_FILTERS) != 0
                                      : gw_prng_below(&hands, 3) == 0;
    if (sim->input != NULL)
        s->leave_pct = pick_pct(sim, 75, 100);
    else if (gw_prng_below(&leaving, 4) == 0)
        s->leave_pct = (uint32_t)gw_prng_below(&leaving, 100);
    s->retries_all = sim_below_extra(sim, 4) == 0;
}

static bool has_host(struct sim *sim)
{
    return sim->input != NULL ? (sim->parts & SIM_WITH_HOST) != 0 : sim_below_hosts(sim, 2) == 0;
}

void sim_swarm_pick(struct sim *sim)
{
    struct sim_swarm *s = &sim->swarm;

    pick_sizes(sim);
    pick_faults(sim);
    pick_extras(sim);
    if (sim->is_tls_asked && s->piece_max < 7)
        s->piece_max = 7; /* a handshake for each probe is thousands of bytes */
    if (s->piece_max < 100 && s->small_pool && (s->tls_client || s->tls_upstream))
        s->body_max = s->body_max < 500 ? s->body_max : 500; /* records of a few bytes each */
    pick_stalled(sim);
    if (s->stalled == 0 && !s->tls_client && has_host(sim))
        s->hosts_pct = 10 + (uint32_t)sim_below_hosts(sim, 90);
}

/* The first request of each of the first clients is never read: more of a response than any buffer
 * holds. */
static void make_stalls(struct sim *sim)
{
    uint32_t each = sim_plans_each(sim);

    for (uint32_t i = 0; i < sim->plans_len; i++) {
        struct sim_plan *p = &sim->plans[i];
        uint32_t client = i / each;
        if (client >= sim->swarm.stalled)
            continue;
        p->is_behind = sim->swarm.client_protocol[client] == GW_PROTO_H1 && i % each != 0;
        if (i % each != 0)
            continue;
        p->stalls = true;
        p->method = "GET";
        p->request_len = 0;
        p->request_unknown = p->request_trailers = false;
        p->status = 200;
        p->response_len = sim->input != NULL ? 150000 : 400000;
    }
    sim->is_stalling = sim->swarm.stalled > 0;
}

static enum sim_fault pick_fault(struct sim *sim)
{
    enum sim_fault fault;

    if (!sim_chance(sim, sim->swarm.fault_pct))
        return SIM_FAULT_NONE;
    fault = (enum sim_fault)sim_below(sim, SIM_FAULT_COUNT);
    if ((sim->swarm.faults >> fault & 1) == 0)
        return SIM_FAULT_NONE;
    if (fault == SIM_ORIGIN_REFUSES && sim->swarm.upstream_protocol != GW_PROTO_H2)
        return SIM_FAULT_NONE;
    return fault;
}

/* What a client over HTTP/1 asks of the host itself. */
static void make_hosts(struct sim *sim)
{
    uint32_t each = sim_plans_each(sim);

    for (uint32_t i = 0; i < sim->plans_len && sim->swarm.hosts_pct > 0; i++) {
        struct sim_plan *p = &sim->plans[i];
        if (sim->swarm.client_protocol[i / each] != GW_PROTO_H1 ||
            (p->fault != SIM_FAULT_NONE && p->fault != SIM_CLIENT_LEAVES) ||
            sim_below_hosts(sim, 100) >= sim->swarm.hosts_pct)
            continue;
        p->is_hosts = true;
        p->has_info = p->answers_early = p->response_unknown = p->response_trailers = false;
        p->think = 0;
    }
}

void sim_plans_make(struct sim *sim)
{
    static const uint32_t statuses[] = { 200, 200, 200, 201, 204, 304, 404, 500 };
    struct sim_swarm *s = &sim->swarm;

    sim->plans_len = s->calls;
    for (uint32_t i = 0; i < s->calls; i++) {
        struct sim_plan *p = &sim->plans[i];
        bool has_body = sim_chance(sim, 50);
        p->id = i;
        p->fault = pick_fault(sim);
        p->method = has_body ? "POST" : sim_chance(sim, 20) ? "HEAD" : "GET";
        p->request_len = has_body ? sim_below(sim, s->body_max + 1) : 0;
        p->request_unknown = has_body && sim_chance(sim, 50);
        p->request_trailers = p->request_unknown && sim_chance(sim, 50);
        p->status = statuses[sim_below(sim, sizeof statuses / sizeof *statuses)];
        p->response_len = sim_below(sim, s->body_max + 1);
        if (p->status == 204 || p->status == 304 || strcmp(p->method, "HEAD") == 0)
            p->response_len = 0;
        else
            p->response_unknown = sim_chance(sim, 50);
        p->response_trailers = p->response_unknown && sim_chance(sim, 50);
        p->answers_early = sim_chance(sim, 20) && p->request_len < SIM_SKIPPED_MAX;
        p->has_info = sim_chance(sim, 20);
        p->think = sim_chance(sim, 50) ? 0 : GW_MS(sim_below(sim, 200));
        p->fault_at = sim_chance(sim, 30)
                          ? 0
                          : sim_below(sim, (p->fault == SIM_CLIENT_LEAVES ? p->request_len
                                                                          : p->response_len) +
                                               1);
        if (p->fault == SIM_CLIENT_LEAVES && sim_below_extra(sim, 2) == 0) {
            p->leaves_late = true;
            p->fault_at = sim_below_extra(sim, p->response_len + 1);
        }
        if (p->fault == SIM_ORIGIN_REFUSES)
            p->fault_at = 0; /* whoever has begun to answer has not refused */
    }
    make_stalls(sim);
    make_hosts(sim);
}
