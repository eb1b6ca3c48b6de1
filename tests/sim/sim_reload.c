/* sim/sim_reload.c: the configurations of a world: the first, and those that are applied while everything goes
 * on: others in form, but the same to every request; and ones that are refused. Nothing in flight may change,
 * so no oracle makes an exception for them. */

#include "sim.h"

#include "worker/worker.h"

enum { HOUR = 3600000, ADDRESSES = 4 };

/* How one of them looks. */
struct look {
    const char *cluster;
    uint32_t addresses;  /* set of which 10.0.0.N:80 it has                    */
    uint32_t others;     /* parts that nothing uses, before those that matter */
    bool has_no_cluster; /* a route that leads nowhere: not built             */
    bool asks_too_much;  /* memory an exchange: built, but not applied        */
};

static struct look first_look(void)
{
    return (struct look){ .cluster = "up", .addresses = 3 };
}

static uint32_t below(struct sim *sim, uint32_t n)
{
    return (uint32_t)sim_below_extra(sim, n);
}

static struct look any_look(struct sim *sim)
{
    struct look look = first_look();

    look.cluster = below(sim, 3) == 0 ? "elsewhere" : "up";
    look.addresses = 1 + below(sim, (1u << ADDRESSES) - 1);
    look.others = below(sim, 4);
    return look;
}

static void add_others(gw_builder *b, uint32_t n)
{
    static const char *const names[] = { "a", "b", "c", "d" };

    for (uint32_t i = 0; i < n; i++) {
        gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);
        gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
        gw_listener_spec listener = GW_SPEC(gw_listener_spec);
        gw_route_spec route = GW_SPEC(gw_route_spec);
        cluster.name = listener.name = route.name = gw_cstr(names[i]);
        endpoint.address = gw_cstr("10.9.9.9:80");
        gw_builder_endpoint(b, gw_builder_cluster(b, &cluster), &endpoint);
        gw_builder_listener(b, &listener);
        route.cluster = route.host = gw_cstr(names[i]);
        gw_builder_route(b, &route);
    }
}

static void add_upstreams(struct sim *sim, gw_builder *b, const struct look *look)
{
    static const char *const addresses[ADDRESSES] = { "10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80",
                                                      "10.0.0.4:80" };
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);
    gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);
    const gw_health_spec health = { .size = sizeof health,
                                    .kind = sim->seed % 2 == 0 ? GW_HEALTH_TCP : GW_HEALTH_HTTP,
                                    .interval_ms = 500 + look->others,
                                    .timeout_ms = 100,
                                    .rise = 1,
                                    .fall = 1 + look->others / 2,
                                    .path = sim->seed % 2 == 0 ? GW_STR("") : GW_STR("/health") };
    gw_id id;

    cluster.name = gw_cstr(look->cluster);
    cluster.protocols = sim->swarm.upstream_protocol;
    cluster.balance = 1 + (look->addresses + (uint32_t)sim->seed) % 4; /* GW_BALANCE_* */
    cluster.slow_start_ms = cluster.balance == GW_BALANCE_CONSISTENT_HASH ? 0 : 1000;
    cluster.connect_timeout_ms = HOUR;
    cluster.response_timeout_ms = HOUR;
    if (sim->swarm.connections_max > 0)
        cluster.connections_max = sim->swarm.connections_max;
    cluster.tls = sim_tls_of_cluster(sim);
    cluster.age_ms = sim_has_ages(sim) ? 30 : 0;
    if (sim_has_probes(sim))
        cluster.health = &health;
    id = gw_builder_cluster(b, &cluster);
    for (uint32_t i = 0; i < ADDRESSES; i++) {
        endpoint.address = gw_cstr(addresses[i]);
        endpoint.weight = i == 0 ? 2 : 1;
        if ((look->addresses >> i & 1) != 0)
            gw_builder_endpoint(b, id, &endpoint);
    }
}

static gw_status build(struct sim *sim, const struct look *look, gw_config **out)
{
    struct sim_config *own = &sim->configs[sim->configs_len];
    gw_env env = GW_SPEC(gw_env);
    gw_listener_spec listener = GW_SPEC(gw_listener_spec);
    gw_route_spec route = GW_SPEC(gw_route_spec);
    gw_retry_spec retry = { .size = sizeof retry,
                            .on = 2 * GW_RETRY_5XX - 1,
                            .replay_bytes_max = sim->seed % 2 == 0 ? 1u << 16 : 0,
                            .backoff_base_ms = 5 };
    gw_filter filter = GW_SPEC(gw_filter);
    gw_config_error err = GW_SPEC(gw_config_error);
    gw_builder *b;

    SIM_CHECK(sim, gw_builder_new(&env, &b) == GW_OK, "builder");
    add_others(b, look->others);
    listener.name = gw_cstr("edge");
    listener.head_timeout_ms = HOUR;
    listener.body_idle_timeout_ms = HOUR;
    listener.idle_timeout_ms = HOUR; /* slow wires may take long over a body that nobody wants */
    listener.age_ms = sim_has_ages(sim) ? 40 : 0; /* connections come and go by themselves */
    listener.tls = sim_tls_of_listener(sim);
    gw_builder_listener(b, &listener);
    add_upstreams(sim, b, look);
    sim_caller_configure(sim, b);
    route.name = gw_cstr("all");
    route.path = gw_cstr(sim->swarm.hosts_pct > 0 ? "/r" : "/");
    route.cluster = gw_cstr(look->has_no_cluster ? "nowhere" : look->cluster);
    route.idle_timeout_ms = HOUR;
    if (sim->swarm.retries_all)
        route.retry = &retry;
    gw_builder_route(b, &route);
    *own = (struct sim_config){ sim, sim->configs_len, 0 };
    filter = sim_filter;
    filter.ctx = own;
    filter.exchange_bytes = look->asks_too_much ? UINT32_MAX : 0;
    gw_builder_filter(b, &filter);
    sim_filter_add(sim, b);
    return gw_builder_build(b, out, &err);
}

gw_config *sim_config_first(struct sim *sim)
{
    struct look look = first_look();
    gw_config *config = NULL;

    SIM_CHECK(sim, build(sim, &look, &config) == GW_OK, "the first configuration");
    return config;
}

void sim_reload(struct sim *sim)
{
    struct look look = any_look(sim);
    gw_config *config = NULL;
    gw_status status;

    SIM_CHECK(sim, build(sim, &look, &config) == GW_OK, "a configuration is not built");
    status = gw_engine_apply(sim->engine, config, NULL);
    sim_trace(sim, "configuration %u: %s", sim->configs_len, gw_status_name(status));
    gw_config_unref(config);
    if (status != GW_OK) {
        SIM_CHECK(sim, sim->allocations_failed > 0, "a configuration is not taken");
        return;
    }
    sim->configs[sim->configs_len++].applied_at = sim->now;
    sim->wake = true;
}

/* The file of an operator who errs: it says why, and nothing has changed. */
static void try_bad_one(struct sim *sim)
{
    struct look look = any_look(sim);
    uint64_t generation = gw_engine_generation(sim->engine);
    gw_config *config = NULL;
    gw_status status;

    look.has_no_cluster = below(sim, 2) == 0;
    look.asks_too_much = true;
    status = build(sim, &look, &config);
    SIM_CHECK(sim, (status == GW_OK) == !look.has_no_cluster, "built, with %d", status);
    if (status == GW_OK) {
        SIM_CHECK(sim, gw_engine_apply(sim->engine, config, NULL) == GW_ELIMIT, "it is taken");
        gw_config_unref(config);
    }
    SIM_CHECK(sim, gw_engine_generation(sim->engine) == generation, "it counts");
}

void sim_reload_in_passing(struct sim *sim)
{
    if (sim->swarm.reload_pct == 0 || below(sim, 100) >= sim->swarm.reload_pct ||
        sim->configs_len > SIM_CONFIGS_MAX - 8) /* those that the world has planned come too */
        return;
    if (below(sim, 2) == 0)
        try_bad_one(sim);
    else
        sim_reload(sim);
}

void sim_reload_check(struct sim *sim)
{
    const struct gw_exchanges *x = &sim->worker->exchanges;
    uint32_t kept = 0;

    for (const struct gw_binding *b = x->old; b != NULL; b = b->next, kept++)
        SIM_CHECK(sim, b->users > 0, "a configuration that nobody uses is kept");
    SIM_CHECK(sim, kept <= x->count + x->links->count + x->probes.count,
              "%u configurations for %u exchanges", kept, x->count);
}
