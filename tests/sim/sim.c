/* sim/sim.c: a seed becomes a world and runs to its end. */

#include "sim.h"

#include <stdarg.h>

#include "worker/worker.h"

_Noreturn void sim_fail(struct sim *sim, const char *file, int line, const char *what,
                        const char *format, ...)
{
    va_list args;

    fprintf(stderr, "seed %llu, time %.3f ms: %s:%d: %s\n  ", (unsigned long long)sim->seed,
            (double)sim->now / 1e6, file, line, what);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n  fail_alloc_at %llu, fail_io_at %llu\n",
            (unsigned long long)sim->fail_alloc_at, (unsigned long long)sim->fail_io_at);
    if (sim->input != NULL)
        fprintf(stderr, "  replay: TRACE=1 fuzz_world FILE\n");
    else
        fprintf(stderr, "  replay: sim%s%s --seed %llu --fail %llu%s --trace\n",
                sim->is_stall_asked ? " --stalled" : "", sim->is_tls_asked ? " --tls" : "",
                (unsigned long long)sim->seed, (unsigned long long)sim->fail_alloc_at,
                sim->fail_alloc_on ? " --ever" : "");
    abort();
}

void sim_trace(struct sim *sim, const char *format, ...)
{
    va_list args;

    if (!sim->is_tracing)
        return;
    fprintf(stderr, "%10.3f  ", (double)sim->now / 1e6);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
}

/* ---- what the gateway asks of the world ---- */

/* Memory that is refused for good comes back after all deadlines but those that nobody set: a gRPC
 * call without a timeout waits for it as long as it takes. */
enum { DROUGHT_MS = 300000 };

static void entropy(void *ctx, void *out, size_t len)
{
    struct sim *sim = ctx;
    uint8_t *bytes = out;

    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)gw_prng_next(&sim->prng);
}

static uint64_t unix_nanos(void *ctx)
{
    struct sim *sim = ctx;

    return 1000000000000000000u + sim->now;
}

static void mix(struct sim *sim, uint64_t n)
{
    sim->hash = (sim->hash ^ n) * 0x100000001b3u;
}

static void trace(void *ctx, const gw_event *e)
{
    struct sim *sim = ctx;

    mix(sim, e->when);
    mix(sim, e->what);
    mix(sim, e->object);
    mix(sim, e->a);
    mix(sim, e->b);
    sim_trace(sim, "    %s #%llu %llu %llu", gw_trace_name(e->what), (unsigned long long)e->object,
              (unsigned long long)e->a, (unsigned long long)e->b);
}

/* What one exchange takes, and what a client may send before it knows our windows; one more for each who
 * stalls beside the first; and twice that, for half is kept for who is still to come. With one who stalls
 * it is the smallest that is legal: docs/flow-control.md. */
static uint32_t smallest_pool(const struct sim *sim)
{
    uint32_t early = sim->h2 != NULL ? 65535 / SIM_SMALL_BLOCK + 1 : 0;
    uint32_t others = sim->swarm.stalled > 1 ? sim->swarm.stalled - 1 : 0;

    if (sim->swarm.tls_client || sim->swarm.tls_upstream)
        return 256; /* small, but what an engine holds back is not promised */
    /* One more keeps a head that may go back. */
    return 2 * (early + 8 + (sim->swarm.hosts_pct > 0) + 7 * others);
}

static gw_status make_gateway(struct sim *sim)
{
    gw_env env = GW_SPEC(gw_env);
    gw_limits limits = GW_SPEC(gw_limits);
    gw_footprint footprint = GW_SPEC(gw_footprint);
    gw_engine_spec engine = GW_SPEC(gw_engine_spec);
    gw_worker_spec worker = GW_SPEC(gw_worker_spec);
    gw_config *config;
    gw_status status;

    env.allocator = sim->allocator;
    env.entropy = entropy;
    env.entropy_ctx = sim;
    env.unix_nanos = unix_nanos;
    env.unix_ctx = sim;
    env.panic = sim_misuse;
    env.panic_ctx = sim;
    if (sim->swarm.small_pool) {
        limits.block_bytes = SIM_SMALL_BLOCK;
        limits.blocks_max = smallest_pool(sim);
        limits.head_bytes_max = 2048;
        limits.pipe_bytes_max = sim->is_stall_asked ? 262144
                                                    : 8192; /* more than the pool, or less */
        limits.links_max = 256;
        limits.h2_links_max = 64;
        limits.exchanges_max = 128;
    }
    SIM_CHECK(sim, gw_limits_footprint(&limits, NULL, &footprint) == GW_OK, "the limits");
    limits.blocks_max--;
    SIM_CHECK(sim,
              sim->swarm.stalled != 1 || gw_limits_footprint(&limits, NULL, &footprint) != GW_OK,
              "a smaller pool would be legal");
    limits.blocks_max++;
    sim->footprint = footprint.total;
    engine.env = &env;
    engine.limits = &limits;
    worker.ops = &sim_io;
    worker.io = sim;
    worker.seed = sim->seed;
    worker.trace = trace;
    worker.trace_ctx = sim;
    config = sim_config_first(sim);
    status = gw_engine_new(&engine, &sim->engine);
    if (status == GW_OK)
        status = gw_engine_apply(sim->engine, config, NULL);
    gw_config_unref(config);
    sim->configs[sim->configs_len++].applied_at = sim->now;
    if (status == GW_OK)
        status = gw_worker_new(sim->engine, &worker, &sim->worker);
    if (status == GW_OK && !sim->is_tls_asked)
        gw_worker_stub_tls(sim->worker, sim->swarm.tls_client, sim->swarm.tls_upstream);
    return status;
}

static void make_clients(struct sim *sim)
{
    uint32_t each = sim_plans_each(sim), next = 0;

    for (uint32_t i = 0; i < sim->swarm.clients; i++) {
        struct sim_client *c = &sim->clients[i];
        c->protocol = sim->swarm.client_protocol[i];
        c->next = next;
        next = next + each < sim->plans_len ? next + each : sim->plans_len;
        c->end = next;
        c->at_once = c->protocol == GW_PROTO_H1 ? 1 : 1 + (uint32_t)sim_below(sim, 20);
        if (c->protocol == GW_PROTO_H2 && i < sim->swarm.stalled && c->at_once == 1)
            c->at_once = 2; /* what does not stall goes on beside it */
        sim_at(sim, sim_time_below(sim, GW_MS(100)), SIM_CLIENT_RUNS, i, 0, 0);
    }
}

/* ---- the main loop ---- */

static void step(struct sim *sim)
{
    int bound = 0;

    sim->wake = false;
    sim_reload_in_passing(sim);
    while (gw_worker_step(sim->worker, sim->now) == GW_AGAIN)
        SIM_CHECK(sim, ++bound < 10000, "the worker does not come to rest");
    sim_oracle_step(sim);
    sim->steps++;
}

static void happen(struct sim *sim, const struct sim_event *e)
{
    if (e->what == SIM_CLIENT_RUNS)
        sim_client_run(sim, e->who);
    else if (e->what == SIM_ADVERSARY)
        sim_adversary_run(sim);
    else if (e->what == SIM_ACT && e->who > 0)
        sim_caller_act(sim, e->who);
    else if (e->what == SIM_RESUMES)
        sim_filter_resume(sim, e->who);
    else if (e->what == SIM_ACT)
        sim_reload(sim);
    else
        sim_net_event(sim, e);
}

/* False: nothing will ever happen again. */
static bool advance(struct sim *sim)
{
    gw_nanos event = sim_when(sim), timer = gw_worker_deadline(sim->worker);
    struct sim_event e;

    if (event == GW_NEVER && timer == GW_NEVER)
        return false;
    if (event <= timer) {
        SIM_CHECK(sim, sim_next(sim, &e), "no event");
        sim->now = e.when > sim->now ? e.when : sim->now;
        happen(sim, &e);
        if (sim->wake)
            step(sim);
        return true;
    }
    sim->now = timer > sim->now ? timer : sim->now;
    step(sim);
    return true;
}

enum { EVENTS_BOUND = 3000000, EVENTS_OF_INPUT = 2000 };

/* False: it was broken off in the middle. */
static bool run_world(struct sim *sim)
{
    uint64_t n = 0;

    while (!sim_is_done(sim)) {
        sim->is_broken_off = sim->input != NULL && n == EVENTS_OF_INPUT;
        if (sim->is_broken_off)
            return false;
        if (sim->is_stalling && sim_are_others_done(sim))
            sim_net_release(sim);
        SIM_CHECK(sim, advance(sim), "nothing happens any more, and not all is done");
        SIM_CHECK(sim, ++n < EVENTS_BOUND, "it goes on for ever");
    }
    SIM_CHECK(sim, gw_worker_drain(sim->worker, 60000) == GW_OK, "drain");
    step(sim);
    while (!gw_worker_is_idle(sim->worker)) {
        SIM_CHECK(sim, advance(sim), "drained, and something is left for ever");
        SIM_CHECK(sim, ++n < EVENTS_BOUND, "it goes on for ever");
    }
    return true;
}

static void end_world(struct sim *sim)
{
    gw_worker_free(sim->worker);
    gw_engine_free(sim->engine);
    sim_filter_check(sim);
    SIM_CHECK(sim, sim->memory_peak <= sim->footprint, "%llu bytes where %llu are the worst case",
              (unsigned long long)sim->memory_peak, (unsigned long long)sim->footprint);
    if (sim->callers_len > 0)
        sim_caller_check(sim);
    SIM_CHECK(sim, sim->memory == 0, "%llu bytes are left", (unsigned long long)sim->memory);
    sim_peers_fini(sim);
    sim_tls_free(sim);
}

static void trace_swarm(struct sim *sim)
{
    const struct sim_swarm *s = &sim->swarm;

    for (uint32_t i = 0; i < s->clients; i++)
        sim_trace(sim, "client %u speaks h%u%s", i, s->client_protocol[i],
                  i < s->stalled ? ", and its first request stalls" : "");
    sim_trace(sim, "upstreams speak h%u; pool of %u blocks; pieces to %u bytes",
              s->upstream_protocol, s->small_pool ? smallest_pool(sim) : 0, s->piece_max);
}

void sim_run(struct sim *sim, uint64_t seed)
{
    sim->seed = seed;
    sim->prng.state = seed;
    if (sim->input == NULL)
        sim->deeds = seed;
    sim->extra.state = seed ^ 0x5eed;
    sim->hosts.state = seed ^ 0x4057;
    sim->now = GW_MS(1000);
    sim->hash = 0xcbf29ce484222325u;
    sim->allocator = sim_allocator(sim);
    sim->drought_end = GW_MS(DROUGHT_MS);
    sim_peers_init(sim);
    sim_swarm_pick(sim);
    sim_tls_make(sim);
    sim_plans_make(sim);
    trace_swarm(sim);
    sim_caller_make(sim);
    if (make_gateway(sim) == GW_OK) {
        make_clients(sim);
        sim_adversary_make(sim);
        for (uint32_t i = 0; i < sim->swarm.reloads; i++)
            sim_at(sim, sim_below_extra(sim, GW_MS(1000)), SIM_ACT, 0, 0, 0);
        if (run_world(sim)) {
            sim_oracle_check(sim);
            sim_adversary_check(sim);
        }
    } else {
        SIM_CHECK(sim, sim->allocations_failed > 0, "no gateway, without a reason");
    }
    end_world(sim);
}
