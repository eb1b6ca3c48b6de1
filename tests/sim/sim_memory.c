/* sim/sim_memory.c: memory: the gateway's, which is counted and may fail, and what its peers use of their own. */

#include "sim.h"

/* ---- the gateway's ---- */

static bool alloc_fails(struct sim *sim)
{
    uint64_t n = ++sim->allocations;

    if (sim->fail_alloc_at == 0)
        return false;
    return n == sim->fail_alloc_at ||
           (sim->fail_alloc_on && n > sim->fail_alloc_at && sim->now < sim->drought_end);
}

static void *take(void *ctx, size_t size)
{
    struct sim *sim = ctx;

    if (alloc_fails(sim)) {
        sim->allocations_failed++;
        return NULL;
    }
    sim->memory += size;
    if (sim->memory > sim->memory_peak)
        sim->memory_peak = sim->memory;
    return malloc(size);
}

static void give(void *ctx, void *ptr, size_t size)
{
    struct sim *sim = ctx;

    SIM_CHECK(sim, sim->memory >= size, "more given back than was taken");
    sim->memory -= size;
    memset(ptr, 0xdd, size);
    free(ptr);
}

gw_allocator sim_allocator(struct sim *sim)
{
    return (gw_allocator){ sim, take, give };
}

/* ---- the peers' ---- */

static void *plain_take(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void plain_give(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    free(ptr);
}

void sim_peers_init(struct sim *sim)
{
    static const gw_allocator plain = { NULL, plain_take, plain_give };

    gw_heap_init(&sim->heap, &plain, 0);
    gw_pool_init(&sim->pool, &sim->heap, 16640, 100000);
    sim->h2 = gw_h2_shared_new(&sim->heap, 10000);
    sim->limits = (struct gw_codec_limits){ 32768, 100, 100, 65536 };
}

void sim_peers_fini(struct sim *sim)
{
    for (uint32_t i = 0; i < SIM_WIRES_MAX; i++) {
        struct sim_wire *w = &sim->wires[i];
        if (w->is_used && w->peer != NULL)
            sim_peer_free(w->peer);
        sim_bytes_free(&w->host);
        sim_bytes_free(&w->to_gateway);
        sim_bytes_free(&w->to_peer);
    }
    gw_h2_shared_free(sim->h2);
    gw_pool_fini(&sim->pool);
    SIM_CHECK(sim, sim->heap.used == 0, "the peers' own memory");
    free(sim->events);
}
